/*
 * commit.h - from a plan to COMMITTED, for the operations that stage.
 */
#ifndef CHANGE_COMMIT_H
#define CHANGE_COMMIT_H

#include "change/settle.h"

/*
 * Before there is a transaction, for every operation: what is no longer as it
 * was judged is counted, reported and dropped from the plan.  QT_E_GONE: all
 * of it.
 */
int qt_commit_look(struct qt_change *c, struct qt_plan *p,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;
/* PREPARED to COMMITTED; on failure the caller aborts. */
int qt_commit_stage(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;
/*
 * An undo is undone: take again what is still as it was judged; ends in
 * COMMITTED, or in UNDONE with QT_E_GONE when nothing is.  On another failure
 * it stays REDOING.
 */
int qt_commit_again(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;

#endif
