/*
 * recover.c - recovery: the table is in tx.c.
 *
 * First everything is read and checked, then something is done: a plan or log
 * that is damaged, or that cannot be read just now, stops before anything was
 * touched.
 */
#include "change/recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "change/commit.h"
#include "change/left.h"
#include "change/own.h"
#include "change/place.h"

enum action {
	NOTHING, DISCARD, ABORT, REDO, PLACE, AGAIN, UNDO, PURGE
};

static enum action action_of(const struct qt_tx *tx)
{
	if (tx->log.last.n == 0)
		return ABORT;
	switch (tx->log.last.state) {
	case QT_TX_PREPARED:
	case QT_TX_ABORTING:
		return ABORT;
	case QT_TX_COMMITTED:
		/* what stages never commits nothing */
		return qt_settle_may_redo(tx) ? REDO :
		    tx->log.commit.done == 0 ? PLACE : NOTHING;
	case QT_TX_REDOING:
		return AGAIN;
	case QT_TX_UNDOING:
		return UNDO;
	case QT_TX_PURGING:
		return PURGE;
	case QT_TX_ABORTED:
	case QT_TX_UNDONE:
	case QT_TX_PURGED:
	case QT_TX_PLACED:
	case QT_TX_DAMAGED:
		break;
	}
	return NOTHING;
}

/* No plan: nothing has moved, unless its place cannot be reached. */
static int judge_planless(struct qt_change *c, struct qt_tx *tx,
    enum action *what, struct qt_error *err)
{
	const char *away = NULL;
	size_t messages, logs, i;

	for (i = 0; i < c->places.n; i++)
		if (c->places.v[i].tx < 0)
			away = c->places.v[i].path;
	if (qt_tx_count(tx, QT_TX_MESSAGES, &messages, err) != 0 ||
	    qt_tx_count(tx, QT_TX_LOGS, &logs, err) != 0)
		return -1;
	if (messages + logs != 0 && away != NULL)
		return qt_fail(err, QT_E_STATE, tx->where,
		    "%zu messages are staged and the plan is not found; %s is "
		    "not there: is it mounted?", messages, away);
	if (messages + logs != 0)
		return qt_fail(err, QT_E_STATE, tx->where,
		    "%zu messages are staged, but there is no plan", messages);
	*what = away != NULL ? NOTHING : DISCARD;
	return 0;
}

/* Read all that the action will need, touch nothing. */
static int inspect(struct qt_change *c, uint64_t id, enum action *what,
    struct qt_error *err)
{
	struct qt_tx tx;
	int r;

	qt_tx_init(&tx, id);
	r = qt_tx_look(c, &tx, err);
	if (r == 0) {
		*what = action_of(&tx);
		if (*what != NOTHING)
			r = qt_tx_load(&tx, err);
		if (r == 0 && (*what == REDO || *what == PURGE) &&
		    tx.log.commit.changed != 0)
			r = qt_left_read(&tx, err);
		if (r == 0 && *what == UNDO && qt_op_places(tx.plan->op))
			r = qt_own_recall(&tx, err);
	} else if (r > 0) {
		r = judge_planless(c, &tx, what, err);
	}
	qt_tx_release(&tx);
	if (r < 0 && err != NULL && err->code == QT_E_STATE) {
		char text[sizeof(err->text)];

		(void)strlcpy(text, err->text, sizeof(text));
		(void)snprintf(err->text, sizeof(err->text),
		    "%.250s; nothing was touched, and no change is made to this "
		    "queue until it is repaired or moved out of qtool/tx", text);
	}
	return r;
}

/* Forward from a record that decided. */
static int carry_on(struct qt_change *c, struct qt_tx *tx, bool *did,
    struct qt_error *err)
{
	struct qt_outcome out = {.report = c->opts.report,
	    .report_ctx = c->opts.report_ctx};
	int r = 0;

	if (qt_op_places(tx->plan->op)) {
		/* in a copy of the spool no message can be told */
		*did = tx->plan->queue_ino == c->spool->ino;
		if (*did)
			r = qt_place_settle(c, tx, true, &out, err);
	} else if (tx->log.last.state == QT_TX_REDOING) {
		r = qt_commit_again(c, tx, &out, err);
	} else {
		*did = false;
	}
	/* it could not go on, and all is back, or what was made is removed */
	return tx->log.last.state == QT_TX_UNDONE ||
	    tx->log.last.state == QT_TX_PURGED ? 0 : r;
}

static int act(struct qt_change *c, struct qt_tx *tx, enum action what,
    bool *did, struct qt_error *err)
{
	struct qt_outcome out = {.report = c->opts.report,
	    .report_ctx = c->opts.report_ctx};
	size_t moved = 0;
	int r = 0;

	*did = true;
	switch (what) {
	case ABORT:
		r = qt_settle_abort(c, tx, &out, err);
		*did = out.done != 0 || tx->log.last.state == QT_TX_ABORTED;
		return r;
	case REDO:
		r = qt_settle_redo(c, tx, &moved, err);
		*did = moved != 0;
		return r;
	case PLACE:
	case AGAIN:
		return carry_on(c, tx, did, err);
	case UNDO:
		r = qt_op_places(tx->plan->op) ?
		    qt_place_undo(c, tx, tx->log.last.in_place, &out, err) :
		    qt_settle_undo(c, tx, tx->log.last.in_place, &out, err);
		/* names still taken: as before, for the admin to look at */
		*did = out.done != 0 || tx->log.last.state == QT_TX_UNDONE;
		return r;
	case PURGE:
		if (qt_settle_may_redo(tx))
			r = qt_settle_redo(c, tx, &moved, err);
		return r == 0 ? qt_settle_purge(c, tx, &out, err) : r;
	case DISCARD:
	case NOTHING:
		break;
	}
	return r;
}

static int recover_one(struct qt_change *c, uint64_t id, enum action what,
    bool *did, struct qt_error *err)
{
	struct qt_error e = {0};
	struct qt_tx tx;
	int r;

	*did = false;
	if (what == NOTHING)
		return 0;
	qt_tx_init(&tx, id);
	r = qt_tx_look(c, &tx, err);
	if (r > 0) {
		*did = true;
		r = qt_tx_discard(c, &tx, false, err);
	} else if (r == 0) {
		if ((r = qt_tx_load(&tx, err)) == 0 &&
		    (r = qt_tx_open_log(c, &tx, err)) == 0)
			r = act(c, &tx, what, did, err);
		/* a log without room must not keep --state-dir from working */
		if (r < 0 && what == ABORT && err != NULL &&
		    qt_tx_withdraw(c, &tx, false, err, &e) == 0) {
			*did = true;
			r = 0;
		}
	}
	qt_tx_release(&tx);
	return r;
}

/*
 * A process that was killed may have written a record and not synced it: all
 * records that are read now, and their directories, are durable before anybody
 * is told of them.  One barrier a place, whatever the number of logs.
 */
static int sync_logs(struct qt_change *c, struct qt_error *err)
{
	size_t i;

	if (qt_state_barrier(c, err) != 0)
		return -1;
	for (i = 0; i < c->places.n; i++)
		if (c->places.v[i].tx >= 0 &&
		    c->fs.syncfs(c->fs.ctx, c->places.v[i].tx) != 0)
			return qt_fsops_fail(err, "syncfs", c->places.v[i].path);
	return 0;
}

int qt_recover_all(struct qt_change *c, size_t *n, struct qt_error *err)
{
	enum action *what = NULL;
	uint64_t *ids = NULL;
	size_t i, count;
	bool did;
	int r;

	if (qt_state_tx_ids(c, &ids, &count, err) != 0)
		return -1;
	r = count > 0 ? sync_logs(c, err) : 0;
	if (r == 0 && count > 0 &&
	    (what = calloc(count, sizeof(*what))) == NULL)
		r = qt_fail_mem(err);
	for (i = 0; i < count && r == 0; i++)
		r = inspect(c, ids[i], &what[i], err);
	*n = 0;
	for (i = 0; i < count && r == 0; i++) {
		r = recover_one(c, ids[i], what[i], &did, err);
		*n += r == 0 && did;
	}
	free(what);
	free(ids);
	return r;
}
