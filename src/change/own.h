/*
 * own.h - which messages a transaction has put into another queue itself.
 *
 * Undo, and going back after a fault, are for those alone: what others held or
 * released is theirs, also when it was planned.  The plan's items say so (left:
 * not moved by us), the log with "reached", and the file "left" (left.h) where
 * there are exceptions before that.
 *
 * Messages are gone through in the order of the plan.  Of a run that was killed
 * it is not written how far it came; but as long as the machine has not gone
 * down, a message that still lies where it was judged and that nobody has
 * renamed tells that nothing after it was moved by that run.  Without such a one
 * what is where it was to go counts as moved by it.
 */
#ifndef CHANGE_OWN_H
#define CHANGE_OWN_H

#include "change/txdir.h"

struct qt_own {
	struct qt_change *c;
	struct qt_tx *tx;
	bool again;  /* by recovery */
	bool known;  /* whatever is there already was put there by others */
	bool asking; /* not yet known: a message that nobody moved will tell */
};

/*
 * Before the first message.  again: somebody may have begun with it, and was
 * killed.
 */
int qt_own_begin(struct qt_own *o, struct qt_change *c, struct qt_tx *tx,
    bool again, struct qt_error *err) QT_MUST_CHECK;
/* Before a message is moved: perhaps nobody has been there. */
int qt_own_look(struct qt_own *o, size_t seq, struct qt_error *err)
    QT_MUST_CHECK;
/* It was moved by us just now, or a call failed and may have moved it. */
void qt_own_moved(struct qt_own *o, size_t seq);
/* It is where it is to go: 0 by others, else by a run before this one. */
bool qt_own_arrived(struct qt_own *o, size_t seq);
/* It was not moved. */
void qt_own_not(struct qt_own *o, size_t seq);
/* It was moved and given back: a power cut may still leave it moved. */
void qt_own_returned(struct qt_own *o, size_t seq);

/*
 * What is known goes into rec, which is to be written next, and into the file
 * "left", durably, if there is room for it.  reached: as above, the plan's
 * number of messages for all; durable: a barrier was passed since the last one.
 */
int qt_own_keep(const struct qt_own *o, size_t reached, bool durable,
    struct qt_journal_record *rec, struct qt_error *err) QT_MUST_CHECK;
/* Mark the items of a loaded plan; QT_E_STATE: "left" is damaged. */
int qt_own_recall(struct qt_tx *tx, struct qt_error *err) QT_MUST_CHECK;

#endif
