/*
 * dirs.h - the directories of the queues, opened one component at a time and
 * kept open.
 *
 * The hash directories belong to the account that faces the network, and qtool
 * may be root: a link put in place of one must lead nowhere, neither when a
 * message is taken nor when it is put back.  So every name is used relative to
 * a descriptor of its directory, and that is opened without following links.
 */
#ifndef CHANGE_DIRS_H
#define CHANGE_DIRS_H

#include "change/fsops.h"
#include "qtool/spool.h"

#define QT_DIRS_OPEN 48 /* at the same time: far below any limit */
#define QT_DIRS_PATH 64

struct qt_dirs {
	struct {
		char path[QT_DIRS_PATH]; /* "deferred/A" */
		int fd;
		unsigned used; /* clock of the last use */
	} v[QT_DIRS_OPEN];
	size_t n;
	unsigned clock;
};

void qt_dirs_init(struct qt_dirs *d);
/* Close all: a directory may have been removed and made anew. */
void qt_dirs_forget(struct qt_dirs *d);

/*
 * The directory of a path "queue/A/ID" below the spool; *fd stays d's, *name
 * points into path.  0, 1 when there is no such directory (ENOENT alone).
 */
int qt_dirs_get(struct qt_dirs *d, const struct qt_spool *spool,
    const char *path, int *fd, const char **name, struct qt_error *err)
    QT_MUST_CHECK;
/*
 * The same, made where it is missing: 0700, the queue owner's.  Made below
 * tmpdir (0700, ours) and renamed into place when it is all right: qmgr ends
 * when it meets a hash directory it may not enter.
 */
int qt_dirs_make(struct qt_dirs *d, const struct qt_fsops *fs,
    const struct qt_spool *spool, int tmpdir, const char *path, int *fd,
    const char **name, struct qt_error *err) QT_MUST_CHECK;

#endif
