/*
 * stage.h - one message, taken out of the queue and put back.
 *
 * What is taken is what was judged: (device, inode, size, mtime) and the file
 * handle, which holds the inode's generation, are compared before the rename
 * and again after it, through the name in staging, where nobody else comes.
 * What is not the same is put back at once.  The change time is compared only
 * where the message lies where it was judged: a rename changes it.
 */
#ifndef CHANGE_STAGE_H
#define CHANGE_STAGE_H

#include "change/txdir.h"

enum qt_taken {
	QT_TAKEN,	  /* it is in staging, with its logs */
	QT_TAKEN_GONE,	  /* in no queue any more */
	QT_TAKEN_CHANGED, /* not what was judged: left where it is */
	QT_TAKEN_IN_DELIVERY, /* in active, where it was not judged: left too */
	QT_TAKEN_DOUBTFUL /* of an import alone: it is in staging, and pickup
			   * may have taken it, too */
};

/*
 * Before there is a transaction: is the message still what was judged?  Notes
 * its handle and whether its path is the one Postfix computes.
 */
int qt_stage_look(struct qt_change *c, struct qt_plan *p, size_t i,
    enum qt_taken *what, struct qt_error *err) QT_MUST_CHECK;
/*
 * Which time it is.  What is in active qmgr has in its memory: brought back
 * before qmgr forgot it, it is sent twice or, as the first of the two is done
 * with, unlinked unsent.  So what was not judged there is left to it, but by
 * recovery: that takes what a power cut brought back before Postfix was begun.
 */
enum qt_take {
	QT_TAKE_FIRST,	/* change times are as judged, in its own place */
	QT_TAKE_MORE,	/* an undo is undone: they are not, from here on */
	QT_TAKE_BACK,	/* it was restored: never out of active */
	QT_TAKE_RECOVER /* out of active, too */
};
int qt_stage_take(struct qt_change *c, struct qt_tx *tx, size_t seq,
    enum qt_take how, enum qt_taken *what, struct qt_error *err) QT_MUST_CHECK;
/*
 * The path, below the spool, of the planned inode in any queue and under any
 * name: 0 found, 1 not.
 */
int qt_stage_find(struct qt_change *c, const struct qt_plan_item *it,
    char path[QT_PLAN_PATH_SIZE], struct qt_error *err) QT_MUST_CHECK;
/* Take the logs that Postfix has for it now. */
int qt_stage_logs(struct qt_change *c, struct qt_tx *tx, size_t seq,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * Whether what lies in staging is the planned message (its mtime may be
 * another: an agent that had it open marks what it delivered).
 */
int qt_stage_check(struct qt_change *c, struct qt_tx *tx, size_t seq,
    bool *same, struct qt_error *err) QT_MUST_CHECK;
/*
 * *busy: an agent works on the staged message; *touched: one has since it was
 * judged.
 */
int qt_stage_probe(struct qt_tx *tx, size_t seq, bool *busy, bool *touched,
    struct qt_error *err) QT_MUST_CHECK;

enum qt_back {
	QT_BACK_ABORT,	/* where it was taken from; active: incoming */
	QT_BACK_HOLD,	/* undo */
	QT_BACK_ORIGIN	/* undo --in-place: where it was judged */
};
/*
 * Put it and its logs back, or what is staged of the two.  *conflict: a name is
 * taken, it stays staged.
 */
int qt_stage_back(struct qt_change *c, struct qt_tx *tx, size_t seq,
    enum qt_back to, bool *conflict, struct qt_error *err) QT_MUST_CHECK;
/* Unlink it and its logs for good. */
int qt_stage_unlink(struct qt_change *c, struct qt_tx *tx, size_t seq,
    struct qt_error *err) QT_MUST_CHECK;

#endif
