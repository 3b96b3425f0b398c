/*
 * change.h - transactions on a queue: whole or not at all, undoable.
 *
 *  PREPARED --stage--> COMMITTED --> PURGING --> PURGED
 *      |                   `------> UNDOING --> UNDONE
 *      `--fault, Ctrl-C, crash--> ABORTING --> ABORTED
 *
 * This layer alone alters a queue.  It never parses mail: it sees queue, queue
 * ID and identity.  Protocol, on-disk form and recovery are told at the top of
 * src/change/tx.c.
 */
#ifndef QTOOL_CHANGE_H
#define QTOOL_CHANGE_H

#include <signal.h>
#include <time.h>

#include "qtool/spool.h"

enum qt_op { QT_OP_DELETE };
const char *qt_op_name(enum qt_op op);

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
/* One printable line kept with the transaction (--note); copied. */
int qt_plan_set_reason(struct qt_plan *p, const char *reason,
    struct qt_error *err) QT_MUST_CHECK;
int qt_plan_set_argv(struct qt_plan *p, int argc, char **argv,
    struct qt_error *err) QT_MUST_CHECK;

enum qt_tx_state {
	QT_TX_PREPARED, QT_TX_ABORTING, QT_TX_ABORTED, QT_TX_COMMITTED,
	QT_TX_UNDOING, QT_TX_UNDONE, QT_TX_PURGING, QT_TX_PURGED,
	QT_TX_DAMAGED /* plan or log unreadable: refused, touched by nobody */
};
const char *qt_tx_state_name(enum qt_tx_state s);

/* What became of the messages, by name where it is not what was planned. */
enum qt_fate {
	QT_FATE_GONE,	  /* delivered or removed before it was staged */
	QT_FATE_CHANGED,  /* under that name is something else now */
	QT_FATE_DELIVERED, /* an agent finished recipients after staging */
	QT_FATE_IN_DELIVERY /* in active, or an agent is at it: left alone */
};
struct qt_outcome {
	size_t planned, done, gone, changed;
	uint64_t txid; /* 0: none was made */
	bool begun; /* a failed undo or purge: part of it may be done, and it
		     * is gone on with by whoever comes next */
	/* each message that did not go as planned; may be NULL */
	void (*report)(void *ctx, enum qt_fate fate, const char *queue,
	    const char *id);
	void *report_ctx;
};

struct qt_change_opts {
	const char *state_dir; /* NULL: SPOOL/qtool */
	bool no_wait;	       /* QT_E_REFUSED when another qtool works */
	bool strict;	       /* a message that is gone aborts */
	bool in_place;	       /* undo to the queue of origin, not hold */
	unsigned purge_rate;   /* unlinks a second; 0 as fast as it goes */
	volatile sig_atomic_t *stop;
	void (*progress)(void *ctx, size_t done, size_t total);
	void *progress_ctx;
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

#endif
