/*
 * restore.h - messages out of another transaction's staging, and back into it.
 *
 * A restore is a transaction of its own, with a plan that names its source; the
 * source's plan stays as it is.  So whoever takes again what the source once
 * took has to leave alone what was restored out of it: qt_restore_mark().
 */
#ifndef CHANGE_RESTORE_H
#define CHANGE_RESTORE_H

#include "change/stage.h"

/* The source, open, and where the plan's messages are in it. */
struct qt_restore;

/*
 * Open the source of a plan: QT_E_REFUSED when it is not committed (any more),
 * QT_E_USAGE when there is none.
 */
int qt_restore_open(struct qt_restore **out, struct qt_change *c,
    const struct qt_plan *p, struct qt_error *err) QT_MUST_CHECK;
void qt_restore_close(struct qt_restore *r);

/* Whether message i of the plan is in the source's staging as it was judged. */
int qt_restore_look(struct qt_change *c, struct qt_restore *r,
    struct qt_plan *p, size_t i, enum qt_taken *what, struct qt_error *err)
    QT_MUST_CHECK;
/*
 * Out of it into hold.  *what: QT_TAKEN moved; GONE it is not there;
 * CHANGED its name is taken in the queue, it stays.
 */
int qt_restore_out(struct qt_change *c, struct qt_restore *r,
    const struct qt_plan *p, size_t i, enum qt_taken *what,
    struct qt_error *err) QT_MUST_CHECK;
/* Back into it, from wherever it is now; *what as qt_stage_take. */
int qt_restore_in(struct qt_change *c, struct qt_restore *r,
    const struct qt_plan *p, size_t i, enum qt_taken *what,
    struct qt_error *err) QT_MUST_CHECK;

/* Mark as left what was restored out of this (loaded) transaction. */
int qt_restore_mark(struct qt_change *c, struct qt_tx *tx,
    struct qt_error *err) QT_MUST_CHECK;

#endif
