/*
 * copies.h - the files that an import makes, until they are put into a queue:
 *
 *	SPOOL/qtool/tx/NNNNNN/r/BBBB/SEQ	a message
 *	SPOOL/qtool/tx/NNNNNN/r/BBBB/SEQ.k	its log: k is d, b or t
 *
 * SEQ and BBBB as in source/staged.h.  What is here and was never in a queue is
 * no more than a copy of what an archive has: it can be removed.
 */
#ifndef CHANGE_COPIES_H
#define CHANGE_COPIES_H

#include "change/txdir.h"

#define QT_COPY_NAME_SIZE 24
#define QT_COPY_MESSAGE QT_LOG_KINDS /* the kind of what is no log */

/* Of a log (kind: index of its QT_LOG_ bit), or of a message. */
void qt_copies_name(size_t seq, unsigned kind, char name[QT_COPY_NAME_SIZE]);
/* The directories for all messages of the plan; nothing is durable yet. */
int qt_copies_make(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
    QT_MUST_CHECK;
/* The directory of a message's copies; *fd stays tx's. */
int qt_copies_dir(struct qt_tx *tx, size_t seq, int *fd, struct qt_error *err)
    QT_MUST_CHECK;
/* How many messages lie there; none when there is no such directory. */
int qt_copies_count(const struct qt_tx *tx, size_t *n, struct qt_error *err)
    QT_MUST_CHECK;
/*
 * Unlink all of them, with their directories.  done(ctx) is called before each
 * message; not 0 ends it, with *err filled.  NULL: never.
 */
int qt_copies_remove(struct qt_change *c, struct qt_tx *tx,
    int (*each)(void *ctx, struct qt_error *err), void *ctx,
    struct qt_error *err) QT_MUST_CHECK;

#endif
