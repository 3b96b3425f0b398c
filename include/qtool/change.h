/*
 * change.h - transactions on a queue: whole or not at all, undoable.
 *
 * Two kinds of operation.  delete and archive keep the messages in staging:
 *
 *  PREPARED --stage--> COMMITTED --> PURGING --> PURGED
 *      |                   `------> UNDOING --> UNDONE --> REDOING --> COMMITTED
 *      `--fault, Ctrl-C, crash--> ABORTING --> ABORTED
 *
 * hold, release, requeue and restore put them into another queue:
 *
 *  PREPARED --> COMMITTED --place--> PLACED --> UNDOING --> UNDONE --> REDOING
 *      `--fault, crash--> ABORTING --> ABORTED                           |
 *                                     PLACED <---------------------------'
 *
 * import does so with files of its own making: what its undo took out of the
 * queue can be purged (UNDONE --> PURGING --> PURGED).
 *
 * This layer alone alters a queue.  It never parses mail: it sees queue, queue
 * ID and identity, and bytes that it copies.  Protocol, on-disk form and
 * recovery are told at the top of src/change/tx.c, place.c and import.c.
 */
#ifndef QTOOL_CHANGE_H
#define QTOOL_CHANGE_H

#include <signal.h>
#include <time.h>

#include "qtool/spool.h"

enum qt_op {
	QT_OP_DELETE,  /* out of the queue, until it is purged or undone */
	QT_OP_ARCHIVE, /* the same, once opts.decide has written an archive */
	QT_OP_HOLD,    /* deferred, incoming, active: to hold */
	QT_OP_RELEASE, /* hold: to deferred */
	QT_OP_REQUEUE, /* hold, deferred: to maildrop, for a new life */
	QT_OP_RESTORE, /* out of another transaction's staging: to hold */
	QT_OP_IMPORT,  /* out of an archive, as new files: to hold, maildrop */
	QT_OPS
};
const char *qt_op_name(enum qt_op op);
/* Whether its messages end in a queue, not in staging. */
bool qt_op_places(enum qt_op op);

/* One message as it was judged: nothing else is ever touched. */
struct qt_item {
	enum qt_queue queue;
	const char *id;	  /* queue ID; copied by qt_plan_add */
	const char *path; /* below queue_dir, where it was found; copied */
	dev_t dev;
	ino_t ino;
	int64_t size;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	int64_t mtime_ns, ctime_ns;
};

/* What became of the messages, by name where it is not what was planned. */
enum qt_fate {
	QT_FATE_GONE,	  /* delivered or removed before it was staged */
	QT_FATE_CHANGED,  /* under that name is something else now */
	QT_FATE_DELIVERED, /* an agent finished recipients after staging */
	QT_FATE_IN_DELIVERY, /* in active, or an agent is at it: left alone */
	QT_FATE_DOUBTFUL, /* taken back from maildrop when somebody had read
			   * or opened it: maybe pickup, and it is new mail,
			   * too */
	QT_FATE_THERE	  /* an import would make it twice */
};

/* A plan: an operation and the messages it is about, of one spool. */
struct qt_plan;
int qt_plan_new(struct qt_plan **out, enum qt_op op, struct qt_error *err)
    QT_MUST_CHECK;
void qt_plan_free(struct qt_plan *p);
int qt_plan_add(struct qt_plan *p, const struct qt_item *item,
    struct qt_error *err) QT_MUST_CHECK;
size_t qt_plan_count(const struct qt_plan *p);
/* The queue ID of the i-th message, valid until the next add. */
const char *qt_plan_id_of(const struct qt_plan *p, size_t i);
/* Its path below queue_dir, likewise. */
const char *qt_plan_path_of(const struct qt_plan *p, size_t i);
enum qt_queue qt_plan_queue_of(const struct qt_plan *p, size_t i);
enum qt_op qt_plan_op(const struct qt_plan *p);
int64_t qt_plan_bytes(const struct qt_plan *p); /* sum of sizes */
/*
 * QT_OP_RESTORE: the transaction whose staging the messages are in.  Their
 * items have queue QT_Q_HOLD and the path that Postfix computes there; found
 * they are by their inode.
 */
void qt_plan_set_source(struct qt_plan *p, uint64_t txid);
uint64_t qt_plan_source(const struct qt_plan *p); /* 0 none */

/*
 * QT_OP_IMPORT: a message that there is no file of yet, as an archive has it.
 * It gets a file, and with it a queue ID of its own: a long one is kept where
 * it is free.
 */
#define QT_IMPORT_LOGS 3 /* defer, bounce, trace */
struct qt_import_file {
	int64_t size;
	const char *sha256; /* 64 hex digits, lower case; NULL: no such file */
};
struct qt_import {
	enum qt_queue to;    /* QT_Q_HOLD; QT_Q_MAILDROP: without its logs */
	enum qt_queue queue; /* where it was in the archive */
	const char *id;	     /* its queue ID there */
	int64_t mtime_ns;    /* its time there */
	struct qt_import_file message, log[QT_IMPORT_LOGS];
};
int qt_plan_add_import(struct qt_plan *p, const struct qt_import *m,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * What carrying it out would refuse: messages that are here, or were, already;
 * QT_E_REFUSED tells of the first, report (may be NULL) of each.  Without the
 * lock, and without changing anything.
 */
int qt_plan_twice(struct qt_plan *p, const struct qt_spool *spool,
    const char *state_dir, void (*report)(void *ctx, enum qt_fate fate,
	const char *queue, const char *id), void *ctx, struct qt_error *err)
    QT_MUST_CHECK;
/* Takes bytes of a file, in pieces. */
typedef int qt_put_fn(void *ctx, const void *bytes, size_t len,
    struct qt_error *err);
/* One printable line kept with the transaction (--note); copied. */
int qt_plan_set_reason(struct qt_plan *p, const char *reason,
    struct qt_error *err) QT_MUST_CHECK;
int qt_plan_set_argv(struct qt_plan *p, int argc, char **argv,
    struct qt_error *err) QT_MUST_CHECK;

/*
 * A plan as a file, to be looked at and applied later: the form that
 * transactions have (plan.c).
 */
/*
 * Write it to a new file, 0600, whole and durable or not there; QT_E_USAGE
 * when the file exists.  The header (host, queue, time, operator) is filled in.
 */
int qt_plan_save(struct qt_plan *p, const struct qt_spool *spool,
    const char *file, struct qt_error *err) QT_MUST_CHECK;
/* QT_E_STATE: damaged.  The caller owns *out. */
int qt_plan_load(struct qt_plan **out, const char *file, struct qt_error *err)
    QT_MUST_CHECK;
/*
 * Before a loaded plan is run: QT_E_REFUSED when it is of another queue (the
 * inode of the queue directory is compared).
 */
int qt_plan_bind(struct qt_plan *p, const struct qt_spool *spool,
    struct qt_error *err) QT_MUST_CHECK;
int64_t qt_plan_created(const struct qt_plan *p); /* seconds, epoch; 0 unknown */
/* Of its header, NULL unknown; the plan's. */
const char *qt_plan_reason(const struct qt_plan *p);
const char *qt_plan_command(const struct qt_plan *p);
const char *qt_plan_operator(const struct qt_plan *p);
const char *qt_plan_host(const struct qt_plan *p);
const char *qt_plan_queue_dir(const struct qt_plan *p);

enum qt_tx_state {
	QT_TX_PREPARED, QT_TX_ABORTING, QT_TX_ABORTED, QT_TX_COMMITTED,
	QT_TX_UNDOING, QT_TX_UNDONE, QT_TX_PURGING, QT_TX_PURGED,
	QT_TX_PLACED,  /* all are where the operation puts them */
	QT_TX_REDOING, /* an undo is being undone */
	QT_TX_DAMAGED /* plan or log unreadable: refused, touched by nobody */
};
const char *qt_tx_state_name(enum qt_tx_state s);

struct qt_outcome {
	size_t planned, done, gone, changed;
	size_t doubtful; /* of those done: QT_FATE_DOUBTFUL */
	uint64_t txid; /* 0: none was made */
	bool begun; /* a failed undo or purge: part of it may be done, and it
		     * is gone on with by whoever comes next */
	/* each message that did not go as planned; may be NULL */
	void (*report)(void *ctx, enum qt_fate fate, const char *queue,
	    const char *id);
	void *report_ctx;
};

struct qt_hand;
struct qt_change_opts {
	const char *state_dir; /* NULL: SPOOL/qtool */
	bool no_wait;	       /* QT_E_REFUSED when another qtool works */
	bool strict;	       /* a message that is gone aborts */
	bool in_place;	       /* undo to the queue of origin, not hold */
	unsigned purge_rate;   /* unlinks a second; 0 as fast as it goes */
	unsigned wait_s;       /* how long an agent that has a staged message
				* open is waited for; 0 not */
	/*
	 * Called when all messages are staged and no agent is at them, before
	 * COMMIT: they can be read (qt_spools_add_tx).  Not 0 aborts, with *err
	 * as the reason.  NULL: nothing to decide.
	 */
	int (*decide)(void *ctx, uint64_t txid, struct qt_error *err);
	void *decide_ctx;
	/*
	 * QT_OP_IMPORT: gives the bytes of message seq of the plan (log
	 * QT_Q_COUNT) or of one of its logs by calls of put.  Asked for in the
	 * order of the plan, each message before its logs, these in the order of
	 * struct qt_import; before anything is in a queue.
	 */
	int (*supply)(void *ctx, size_t seq, enum qt_queue log, qt_put_fn *put,
	    void *put_ctx, struct qt_error *err);
	void *supply_ctx;
	bool again; /* QT_OP_IMPORT: also what is here, or was, already */
	volatile sig_atomic_t *stop;
	/* as qt_outcome.report, of what is recovered before; may be NULL */
	void (*report)(void *ctx, enum qt_fate fate, const char *queue,
	    const char *id);
	void *report_ctx;
	void (*progress)(void *ctx, size_t done, size_t total);
	void *progress_ctx;
	/* the process that does it in place of this one, until the change is
	 * closed (hand.h; its state_dir counts); NULL: this one does it */
	struct qt_hand *hand;
};

/*
 * A spool open for change: root or the queue's owner, the lock held, every
 * interrupted transaction recovered first (*recovered counts them; may be
 * NULL).
 */
struct qt_change;
/* Whether this user may change that queue: QT_E_REFUSED says who may. */
int qt_change_allowed(const struct qt_spool *spool, struct qt_error *err)
    QT_MUST_CHECK;
int qt_change_open(struct qt_change **out, const struct qt_spool *spool,
    const struct qt_change_opts *opts, size_t *recovered,
    struct qt_error *err) QT_MUST_CHECK;
void qt_change_close(struct qt_change *c);

/*
 * Carry out a plan: 0 committed (out->txid), negative: every message is where
 * it was.  QT_E_GONE: nothing of the plan was there any more, no transaction.
 */
int qt_change_run(struct qt_change *c, struct qt_plan *plan,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;
int qt_change_undo(struct qt_change *c, uint64_t txid,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;
/*
 * Undo an undo: the messages that are still as they were are taken or placed
 * again.  On failure as undo.
 */
int qt_change_redo(struct qt_change *c, uint64_t txid,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;
/* Unlink for good; resumable. */
int qt_change_purge(struct qt_change *c, uint64_t txid,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;

/* One transaction as history shows it; strings owned by the list. */
struct qt_tx_info {
	uint64_t txid;
	enum qt_op op;
	enum qt_tx_state state;
	int64_t started;  /* seconds since the epoch */
	int64_t changed;  /* last state record */
	size_t planned;
	size_t staged;	  /* names in staging now */
	size_t done;	  /* of those planned, as the log says */
	uint64_t source;  /* QT_OP_RESTORE: out of which; else 0 */
	int64_t bytes;	  /* sum of planned sizes */
	const char *reason, *operator_name, *command; /* NULL unknown */
	const char *problem; /* why DAMAGED, else NULL */
};
struct qt_tx_list {
	struct qt_tx_info *v; /* oldest first */
	size_t n;
	struct qt_arena arena;
};
/* Reads without the lock and writes nothing; a missing qtool/ is empty. */
int qt_tx_list_read(struct qt_tx_list *l, const struct qt_spool *spool,
    const char *state_dir, struct qt_error *err) QT_MUST_CHECK;
void qt_tx_list_release(struct qt_tx_list *l);

/*
 * The messages of an import: queue and ID in the archive and here.  QT_E_USAGE:
 * that transaction is none.  each 0 goes on.
 */
int qt_tx_imported(const struct qt_spool *spool, const char *state_dir,
    uint64_t txid, int (*each)(void *ctx, enum qt_queue from,
	const char *from_id, enum qt_queue to, const char *to_id), void *ctx,
    struct qt_error *err) QT_MUST_CHECK;

#endif
