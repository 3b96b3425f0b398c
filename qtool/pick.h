/*
 * pick.h - the selection run for a change: which messages it takes, what has
 * to be left out, and what a person should know before saying yes.
 */
#ifndef QTOOL_PICK_H
#define QTOOL_PICK_H

#include "qtool/change.h"

#include "risk.h"

struct tally; /* values of one column and how often (tally.h) */

enum pick_column { /* what messages are compared by */
	PICK_ACCOUNT, PICK_SENDER_DOMAIN, PICK_CLIENT, PICK_CLASS, PICK_SUBJECT,
	PICK_COLUMNS
};

/* One message of the plan, as its values' numbers. */
struct pick_values {
	uint32_t v[PICK_COLUMNS];
	uint32_t path; /* in pick.paths, where the message lies now */
};

/* What the selection is run for. */
struct pick_how {
	enum qt_op op;
	unsigned may;	 /* queues that --queue can name */
	unsigned usual;	 /* those taken from without it */
	unsigned aside;	 /* without it: where matches are counted and left */
	uint64_t source; /* QT_OP_RESTORE: c->db is on this transaction */
	/*
	 * QT_OP_IMPORT: c->db is on an archive; adds the message of a row to the
	 * plan: 0, 1 it cannot be, why says so, -1 failed.
	 */
	int (*import)(void *ctx, struct qt_plan *plan, const struct qt_item *it,
	    const char **why, struct qt_error *err);
	void *import_ctx;
	struct risks *risks; /* NULL: none are looked for */
};

struct pick {
	struct qt_plan *plan; /* what is to be taken */
	const struct pick_how *how;
	bool brief; /* nothing will be shown: recipients and what is for the
		     * summary are not known */
	uint64_t matched;     /* rows of the selection */
	uint64_t taken;	      /* in the plan */
	uint64_t queue[QT_Q_COUNT]; /* of those, by queue */
	uint64_t already_sent; /* of those: in hold, no recipient left to do */
	uint64_t recipients;   /* still to do */
	int64_t bytes;
	/* left out, and named on stderr */
	uint64_t in_delivery, unfinished, foreign;
	uint64_t unfit; /* QT_OP_IMPORT: cannot be restored */
	uint64_t aside; /* in how->aside: neither matched nor left out */
	/* for the summary */
	struct tally *tally[PICK_COLUMNS], *domains;
	struct pick_values *values; /* of each message of the plan */
	size_t values_cap;
	struct qt_buf paths; /* of pick_elsewhere(): NUL after each */
};

/*
 * Run the selection; *how is used until the release.  With --wait it is first
 * waited until nothing that matches is in delivery.  0, or -1 with what to
 * complain about; a Ctrl-C is QT_E_INTERRUPTED, as half of a selection is none.
 */
int pick_run(struct ctx *c, struct pick *p, const struct pick_how *how,
    struct qt_error *err) QT_MUST_CHECK;
void pick_release(struct pick *p);
/* --explain for a change; returns the exit status. */
int pick_explain(struct ctx *c, const struct pick_how *how);
/* Whether the messages lie elsewhere than in the queue that is changed. */
bool pick_elsewhere(enum qt_op op);
/* Where the i-th message lies now. */
const char *pick_path(const struct pick *p, size_t i);

/* What will happen, on stdout: "delete"; for_good: there is no undo. */
int pick_show(struct ctx *c, const struct pick *p, const char *verb,
    bool for_good, struct qt_error *err) QT_MUST_CHECK;
/* Counts, for the answer. */
void pick_answer(struct answer *a, const struct pick *p);
/*
 * --expect and --max, and whether anything is to be done: 0, or the exit
 * status, and the reason was said.
 */
int pick_guard(struct ctx *c, const struct pick *p);
/* Whether something that matched is left out. */
bool pick_left_out(const struct pick *p);

#endif
