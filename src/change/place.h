/*
 * place.h - operations whose messages end in another queue: hold, release,
 * requeue, restore.
 */
#ifndef CHANGE_PLACE_H
#define CHANGE_PLACE_H

#include "change/settle.h"

/*
 * A transaction that is committed, carried out or taken back, by the command
 * or by recovery.  They write their state records; tx is looked at, loaded, its
 * log open.
 */

/*
 * Ends in PLACED.  When a message cannot be placed all go back as far as they
 * can, the end is UNDONE, and the error says why; QT_E_STATE: not even that.
 * again: by recovery, after somebody else began with it.
 */
int qt_place_settle(struct qt_change *c, struct qt_tx *tx,
    bool again, struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;
/*
 * Only what it has moved itself (own.h).  Ends in UNDONE, or stays UNDOING when
 * a name is taken (counted in out->changed, reported).
 */
int qt_place_undo(struct qt_change *c, struct qt_tx *tx, bool in_place,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;
#endif
