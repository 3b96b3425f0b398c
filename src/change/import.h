/*
 * import.h - messages out of an archive, as new files of this queue.
 *
 * import.c tells the protocol.  All of these want an import's transaction that
 * is looked at and loaded, or in the making.
 */
#ifndef CHANGE_IMPORT_H
#define CHANGE_IMPORT_H

#include "change/stage.h"

/*
 * Before there is a transaction: whether the plan can be carried out here, and
 * no message of it would be here twice.
 */
int qt_import_look(struct qt_change *c, struct qt_plan *p,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;
/* The same before an undo is undone; tx itself does not count. */
int qt_import_look_again(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;
/*
 * Make all files, durable, below the transaction's directory, and give them
 * their names; the plan is complete when this returns 0.  Whatever it made is
 * removed by qt_tx_discard().
 */
int qt_import_write(struct qt_change *c, struct qt_tx *tx,
    struct qt_error *err) QT_MUST_CHECK;

/*
 * Message seq into its queue, its logs before it.  *what: QT_TAKEN it is, or
 * was, there; GONE: it is neither here nor there; CHANGED: its name is taken.
 */
int qt_import_place(struct qt_change *c, struct qt_tx *tx, size_t seq,
    enum qt_taken *what, struct qt_error *err) QT_MUST_CHECK;
/*
 * And back, with what logs there are.  *what: QT_TAKEN it is here; GONE it has
 * left the queue; CHANGED, IN_DELIVERY: not as it was, it is left alone;
 * DOUBTFUL: it is here, and was open when it was taken out of maildrop.
 */
int qt_import_take(struct qt_change *c, struct qt_tx *tx, size_t seq,
    enum qt_taken *what, struct qt_error *err) QT_MUST_CHECK;

/* Unlink what lies here; ends in PURGED.  Out of UNDONE, or PURGING. */
int qt_import_purge(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;

#endif
