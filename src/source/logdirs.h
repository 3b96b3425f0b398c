/*
 * logdirs.h - descriptors of the hash directories of defer and bounce, kept
 * from one log to the next.
 *
 * Without them a log costs three opens, directory by directory, instead of one
 * (measured: a sixth of what list takes).  Shared by all workers: an entry is
 * added once and stays until the scan ends, so that no descriptor is closed
 * under a thread that reads through it.  Where there are more directories than
 * the process may well keep open, the rest is opened each time.
 */
#ifndef QTOOL_SOURCE_LOGDIRS_H
#define QTOOL_SOURCE_LOGDIRS_H

#include <stdatomic.h>

#include "qtool/spool.h"

#define QT_LOGDIRS_SLOTS 1024u /* a power of 2, more than are kept */

struct qt_logdirs {
	_Atomic(struct qt_logdir *) slot[QT_LOGDIRS_SLOTS];
	atomic_uint n; /* entries there are, or are being made */
	unsigned max;
};

/* Zeroed memory before; how many are kept depends on RLIMIT_NOFILE. */
void qt_logdirs_init(struct qt_logdirs *d);
void qt_logdirs_release(struct qt_logdirs *d);

/*
 * Open the log of a message for reading, as qt_open_file_as() does: where
 * Postfix has it now, also when its directory was removed and made anew since
 * it was seen.  -1 with errno.  Any thread.
 */
int qt_logdirs_open(struct qt_logdirs *d, const struct qt_spool *s,
    enum qt_queue queue, const char *id, bool *refused);

#endif
