/*
 * answer.h - what a change prints with --json: one object that says what
 * became of it, whatever that was.
 */
#ifndef QTOOL_ANSWER_H
#define QTOOL_ANSWER_H

#include "qtool/change.h"

#include "cmd.h"

/* A transaction that the command worked on; its state is looked up at the end. */
struct answer_tx {
	uint64_t id;
	int64_t done; /* messages taken, put back or unlinked */
};

/*
 * Filled on the way by every command that changes the queue (ctx.answer points
 * to it), printed by answer_end.  A count of -1 is not known, or means nothing
 * for this command: null.
 */
struct answer {
	struct answer_tx *tx; /* owned */
	size_t ntx;
	int64_t matched, planned, done, gone, changed;
	int64_t in_delivery, unfinished, foreign, already_sent;
	int64_t from_active; /* of those planned: qmgr has them in memory */
	int64_t bytes, recipients;
	int64_t old, null_sender, deleted_before, skipped; /* risks (risk.h) */
	const char *plan; /* the file that the plan went to or came from; NULL */
	struct qt_buf imported; /* QT_OP_IMPORT: which became which, as JSON */
	const char *archive; /* the archive made, as JSON; NULL: not that command */
	/* who else wants to know of messages that do not go as planned; NULL */
	void (*heard)(void *ctx, const char *queue, const char *id,
	    const char *fate);
	void *heard_ctx;
	bool undoable;	 /* while the transaction is committed or placed */
	bool failed;	 /* out of memory: something is missing here */
	char error[640]; /* the first reason why not; "" none */
	struct qt_buf messages; /* the array's inside */
};

/* *a is the caller's and lives until answer_end. */
void answer_begin(struct ctx *c, struct answer *a);
/* Print it when it was asked for, and let go of it; returns the exit status. */
int answer_end(struct ctx *c, int status) QT_MUST_CHECK;
/* The command could not begin: a script is answered all the same. */
int answer_not_begun(struct ctx *c, const struct qt_error *err);
/* Whether it was asked for; then nothing else goes to standard output. */
bool answer_wanted(const struct ctx *c);
/* Where to print for people. */
FILE *human_out(const struct ctx *c);

void answer_tx(struct ctx *c, uint64_t id, int64_t done);
/* Counts of what was begun. */
void answer_outcome(struct ctx *c, const struct qt_outcome *out);
/* A message that did not go as planned. */
void answer_message(struct ctx *c, const char *queue, const char *id,
    const char *fate);
/* If mail could not be read, that is why the change is not whole. */
void answer_unread(struct ctx *c);
/* A remark that says why the change is not made, or not whole. */
void say_why(struct ctx *c, const char *fmt, ...) QT_PRINTF(2, 3);
/* complain(), kept as the reason. */
int complain_why(struct ctx *c, const struct qt_error *err);
/* "qtool -Q DIR undo 7" */
void undo_command(const struct ctx *c, uint64_t id, struct qt_buf *out);

#endif
