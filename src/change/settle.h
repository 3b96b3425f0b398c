/*
 * settle.h - the ways in which a transaction comes to an end: each can be
 * interrupted anywhere and begun again, by the command or by recovery.
 */
#ifndef CHANGE_SETTLE_H
#define CHANGE_SETTLE_H

#include "change/stage.h"

/*
 * All of these want tx looked at, loaded, and its log open.  They write their
 * state records themselves.
 */

/*
 * Everything back to where it was taken from; ends in ABORTED, or stays
 * ABORTING when a name is taken (counted in out->changed).
 */
int qt_settle_abort(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;
/*
 * To hold or in place; ends in UNDONE, or stays UNDOING when a name is taken
 * (counted in out->changed, reported).  QT_E_INTERRUPTED: stays UNDOING.
 */
int qt_settle_undo(struct qt_change *c, struct qt_tx *tx, bool in_place,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;
/* Unlinks; ends in PURGED.  QT_E_INTERRUPTED: stays PURGING. */
int qt_settle_purge(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;
/*
 * Committed: take once more what a power cut brought back to the queue, give
 * back what is not in the plan.  *moved counts what was renamed.
 */
int qt_settle_redo(struct qt_change *c, struct qt_tx *tx, size_t *moved,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * What is staged under a message's name stays only if it is the planned one: a
 * crash between rename and comparison leaves another, which goes back to where
 * it was taken.  *moved counts it.
 */
int qt_settle_compare(struct qt_change *c, struct qt_tx *tx, size_t seq,
    size_t *moved, struct qt_error *err) QT_MUST_CHECK;
/* Whether redo has anything to look for: not all of the plan was staged. */
bool qt_settle_may_redo(const struct qt_tx *tx);

/* Tell the caller of one message that did not go as planned. */
void qt_settle_report(const struct qt_outcome *out, enum qt_fate fate,
    const struct qt_plan *p, size_t seq);
/* Wait until the n-th unlink is due, from begin on (opts.purge_rate). */
void qt_settle_pace(const struct qt_change *c, const struct timespec *begin,
    size_t n);
/* --strict: QT_E_REFUSED as soon as one message is not as it was. */
int qt_settle_strict(const struct qt_change *c, const struct qt_outcome *out,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * A failure whose way back failed as well: -1, with both in *err and the first
 * one's errno.
 */
int qt_settle_unsettled(const struct qt_tx *tx, const struct qt_error *cause,
    const struct qt_error *then, struct qt_error *err);
void qt_settle_progress(const struct qt_change *c, size_t done, size_t total);

#endif
