/*
 * capture.h - one file of a live queue, as it was at one moment, with its sum.
 */
#ifndef QTOOL_EVIDENCE_CAPTURE_H
#define QTOOL_EVIDENCE_CAPTURE_H

#include <sys/stat.h>

#include "evidence/hash.h"
#include "evidence/spill.h"
#include "qtool/scan.h"

/* Which file it must be: another one under that name is QT_E_CHANGED. */
struct qt_identity {
	dev_t dev;
	ino_t ino;
};

struct qt_capture {
	struct qt_spill bytes;	/* all of it */
	struct stat st;		/* from the same descriptor, at that moment */
	struct qt_sums sums;	/* by the algorithms of the digest, or of the
				 * scan */
	int64_t btime_ns;	/* when it was made; 0 unknown */
	struct qt_file_handle handle; /* len 0: none */
};

/* tmp_dirfd: where what is larger than memory_max goes meanwhile. */
void qt_capture_init(struct qt_capture *c, int tmp_dirfd, size_t memory_max);
void qt_capture_release(struct qt_capture *c);
/*
 * Read path below dirfd; no symbolic link is followed on the way.  id may be
 * NULL.  A file that is written to meanwhile is read again.  Item errors:
 * QT_E_GONE, QT_E_CHANGED (another file, no regular file, never still),
 * QT_E_DENIED (may not or cannot be read).
 */
int qt_capture_file(struct qt_capture *c, int dirfd, const char *path,
    const struct qt_identity *id, struct qt_digest *digest,
    struct qt_error *err) QT_MUST_CHECK;
/* The same of a file that is open; path is for messages. */
int qt_capture_fd(struct qt_capture *c, int fd, const char *path,
    const struct qt_identity *id, struct qt_digest *digest,
    struct qt_error *err) QT_MUST_CHECK;
/* What a scan has read already (f->have); borrowed from its row. */
int qt_capture_kept(struct qt_capture *c, const struct qt_kept_file *f,
    struct qt_digest *digest, struct qt_error *err) QT_MUST_CHECK;

#endif
