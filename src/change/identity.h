/*
 * identity.h - whether a name has the message that was judged.
 *
 * (device, inode, size, mtime), the change time where nobody has renamed it,
 * and the file handle, which holds the inode's generation: a new file with an
 * old inode number has another one.
 */
#ifndef CHANGE_IDENTITY_H
#define CHANGE_IDENTITY_H

#include <sys/stat.h>

#include "change/plan.h"
#include "change/state.h"

enum qt_likeness {
	QT_LIKE_SAME,
	QT_LIKE_TOUCHED, /* same inode, not content */
	QT_LIKE_BUSY,	 /* same inode, in active */
	QT_LIKE_OTHER
};

/* By status alone: a handle has to be compared besides. */
enum qt_likeness qt_identity_compare(const struct qt_change *c,
    const struct qt_plan_item *it, const struct stat *st, bool with_ctime);
/* The handle of a name; len 0: the file system has none.  1: no such name. */
int qt_identity_handle(int dir, const char *name, struct qt_handle *h,
    const char *where, struct qt_error *err) QT_MUST_CHECK;
/*
 * Message i of a plan is what was judged: note its handle, and whether its path
 * is the one that Postfix computes.
 */
int qt_identity_note(const struct qt_change *c, struct qt_plan *p, size_t i,
    const struct qt_handle *h, struct qt_error *err) QT_MUST_CHECK;
/* True, too, where there is no handle to compare. */
bool qt_identity_same(const struct qt_plan *p, const struct qt_plan_item *it,
    const struct qt_handle *now);

enum qt_life { QT_LIFE_GONE, QT_LIFE_ALIVE, QT_LIFE_UNKNOWN };
/* Whether the inode still has a name anywhere: the kernel, by its handle. */
int qt_identity_ask(const struct qt_change *c, const struct qt_plan *p,
    const struct qt_plan_item *it, enum qt_life *life, struct qt_error *err)
    QT_MUST_CHECK;

/*
 * Whether any other process may have the file of a name open.  Where the kernel
 * cannot tell (no leases on this file system, not the right to ask) it may.
 */
int qt_identity_is_open(int dir, const char *name, const char *where,
    bool *open, struct qt_error *err) QT_MUST_CHECK;

/*
 * pickup(8) locks nothing: it opens a file, gives it to cleanup, closes it and
 * then unlinks the name.  Taken away from it in between, a message would be
 * there twice.  So one that is put into maildrop is marked before, with an
 * access time that no clock gives, and reading it takes that off.
 * The mark: 0, or with errno as utimensat(2) has it.
 */
int qt_identity_mark_unread(struct qt_change *c, int dir, const char *name);
/*
 * Of a file that was taken out of maildrop: whether pickup may have read it, or
 * be reading it.  since_ns: a time before it was put there (the epoch, the
 * journal's clock).  Where access times are not kept (noatime), it may have.
 */
int qt_identity_may_be_read(int dir, const char *name, const char *where,
    int64_t since_ns, bool *maybe, struct qt_error *err) QT_MUST_CHECK;

/*
 * The status of a path below the spool: 0 there, 1 not.  *dir stays
 * c->dirs', *name points into path.
 */
int qt_identity_stat(struct qt_change *c, const char *path, struct stat *st,
    int *dir, const char **name, struct qt_error *err) QT_MUST_CHECK;
/* Where Postfix looks for an ID in a queue. */
int qt_identity_path(const struct qt_change *c, enum qt_queue q,
    const char *id, char path[QT_PLAN_PATH_SIZE], struct qt_error *err)
    QT_MUST_CHECK;

#endif
