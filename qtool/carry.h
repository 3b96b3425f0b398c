/*
 * carry.h - a change from the command line to its outcome: what delete, hold,
 * release, requeue, restore and apply do in the same way.
 */
#ifndef QTOOL_CARRY_H
#define QTOOL_CARRY_H

#include "changing.h"
#include "pick.h"

/* A command that carries out a plan. */
struct carry {
	struct pick_how how;
	bool for_good;	     /* there will be no undo: said before */
	unsigned purge_rate;
	/* asked before COMMIT; NULL: nothing to ask (struct changing) */
	int (*decide)(struct changing *how, uint64_t txid,
	    struct qt_error *err);
	void *decide_ctx;
	/* QT_OP_IMPORT: as in struct qt_change_opts */
	int (*supply)(void *ctx, size_t seq, enum qt_queue log, qt_put_fn *put,
	    void *put_ctx, struct qt_error *err);
	void *supply_ctx;
	bool again;
	/* what a dry run would come to besides; NULL: nothing */
	int (*dry_check)(struct ctx *c, const struct carry *k, struct pick *p);
	const char *where; /* " into hold", for the outcome; NULL: op_where() */
	/*
	 * The rest of the work, after the outcome was told; NULL: none.
	 * Returns the exit status.
	 */
	int (*after)(struct ctx *c, struct changing *how,
	    struct qt_change *change, uint64_t txid);
};

/*
 * The selection run, shown, guarded, asked about and carried out, or written
 * as a plan (--plan); returns the exit status.
 */
int carry_selection(struct ctx *c, const struct carry *k);
/*
 * Carry out a plan that was shown and confirmed.  p is the selection that it
 * was made of, NULL when that was another day.
 */
int carry_plan(struct ctx *c, const struct carry *k, struct qt_plan *plan,
    const struct pick *p);

/* For after: unlink what was taken; it can be gone on with at any time. */
int carry_purge(struct ctx *c, struct changing *how, struct qt_change *change,
    uint64_t txid);

/* "12 (hold 3, deferred 9)" and so on, for a heading. */
void put_queues(FILE *out, const uint64_t by_queue[QT_Q_COUNT]);

/* What is asked for by a command that has this operation: "restore". */
const char *op_verb(enum qt_op op);
/* What an operation did, in the words of the outcome: "released", and where
 * to: " into deferred", "". */
const char *op_did(enum qt_op op);
const char *op_where(enum qt_op op);

/* Options that these commands have in their own tables. */
#define PLAN_OPTION \
	{"plan", 0, "FILE", OPT_PLAN, \
	    "write a plan for qtool apply, and change nothing"}
#define ANSWER_OPTION \
	{"json", 0, NULL, OPT_JSON, "what became of it as one JSON object"}

#endif
