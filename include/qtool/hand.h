/*
 * hand.h - the changing of a queue in a process of its own.
 *
 * The judge reads mail and decides; it has given up every right to change the
 * queue (confine.h).  The hand has those rights, was made before any mail was
 * read, and never reads any: over a socket it is given what struct
 * qt_change_opts says and a plan as the sealed bytes that a transaction has
 * (queue, ID, identity), and gives back reports and the outcome.
 *
 * The hand believes nothing it is sent: each message is of a known length, a
 * plan goes through the reader that a plan on disk goes through, is bound to
 * the queue that was opened before there was a judge, and is carried out only
 * if the command that the user typed is one that does that.  Where transactions
 * are kept is not asked over the socket at all.
 */
#ifndef QTOOL_HAND_H
#define QTOOL_HAND_H

#include "qtool/change.h"
#include "qtool/confine.h"

/* What the command is about: the hand does nothing else. */
enum {
	/* below: QT_HAND_OP(op) of each operation it may carry out */
	QT_HAND_UNDO = 1 << 16,
	QT_HAND_PURGE = 1 << 17,
	QT_HAND_PURGE_OWN = 1 << 18, /* what it has committed itself */
	QT_HAND_RECOVER = 1 << 19    /* opening is all; each does that */
};
#define QT_HAND_OP(op) (1u << (op))

/* The judge's end. */
struct qt_hand {
	int fd;	   /* -1 none */
	bool gone; /* it does not answer any more */
};

struct qt_hand_opts {
	unsigned may;		/* of the above */
	int64_t max;		/* messages of one plan; -1 no limit */
	const char *state_dir;	/* NULL: SPOOL/qtool */
	volatile sig_atomic_t *stop;
};

/* Two ends of a socket: the judge's and the hand's. */
int qt_hand_pair(int *judge, int *hand, struct qt_error *err) QT_MUST_CHECK;

/*
 * What a hand of that spool may touch: the queue directory and wherever its
 * transactions are kept.
 */
int qt_hand_allow(struct qt_confine *c, const struct qt_spool *spool,
    const char *state_dir, struct qt_error *err) QT_MUST_CHECK;
/* What a judge reads beside the queue: the same places. */
int qt_hand_allow_judge(struct qt_confine *c, const struct qt_spool *spool,
    const char *state_dir, struct qt_error *err) QT_MUST_CHECK;

/* Whether the other end has spoken, or ended.  For a signal handler, too. */
bool qt_hand_heard(int fd);
/*
 * Be the hand: serve until the judge closes its end, or ends.  What is not
 * committed then is taken back, what is stays.  The caller has a handler for
 * SIGIO that sets *opts->stop when qt_hand_heard(fd) says so: it comes when the
 * judge speaks, or ends, in the middle of the work, and also when one that is
 * slow to read makes room in the socket.
 */
int qt_hand_serve(int fd, const struct qt_spool *spool,
    const struct qt_hand_opts *opts, struct qt_error *err) QT_MUST_CHECK;

#endif
