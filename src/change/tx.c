/*
 * tx.c - transactions: the protocol, and carrying out a plan.
 *
 *	(no plan)
 *	   | 1 plan durable
 *	PREPARED --2 stage all, 3 barrier, 4 COMMIT--> COMMITTED
 *	   |                                            |     |
 *	   | fault, Ctrl-C, guard, crash           UNDO |     | PURGE
 *	   v                                            v     v
 *	ABORTING --all back, barrier--> ABORTED     UNDOING PURGING
 *	                                   barrier |          | barrier
 *	                                           v          v
 *	                                        UNDONE     PURGED
 *
 * 1 Each message is looked at once more under the lock and its file handle is
 *   noted.  Plan, staging directories and all their parents are durable before
 *   anything leaves the queue.
 * 2 A message is found by its name, compared, renamed into staging without
 *   replacing anything, and compared again (stage.c).  One that is gone or
 *   changed, is in active now, or that an agent still has locked once it is
 *   staged (probe.c), is left out and reported; any other failure aborts.
 *   What has changed only after 1 is in the plan: the file "left" says so,
 *   durably, before 4 (left.h).
 * 3 One syncfs() for all renames, whatever their number: a power cut may lose
 *   any subset of renames that were not synced, also on file systems that keep
 *   no order among them.
 * 4 One durable record decides.  Before it everything goes back, after it
 *   everything stays taken, however qtool ends.
 *
 * What the last valid record of the log says is done by whoever comes next,
 * once that record is durable, and doing it again is harmless (recover.c):
 *
 *	record		plan	action
 *	none		no	nothing has moved: remove the directory
 *	none, PREPARED	yes	abort is presumed (no record, and no room for
 *				one: remove the plan, as nothing has moved)
 *	ABORT		yes	all back to where it was taken; ABORTED
 *	COMMIT		yes	take again what a power cut brought back
 *	UNDO		yes	all to hold, or in place; UNDONE
 *	REDO		yes	take once more what is as it was judged; COMMIT
 *	PURGE		yes	take again, unlink all; PURGED
 *	ABORTED, UNDONE, PURGED, PLACED	nothing
 *
 * Operations that put messages into another queue stage nothing: place.c tells
 * how COMMIT, UNDO and REDO go on there.
 *
 * Always:
 * I1 nothing leaves the queue before the plan is durable;
 * I2 a planned inode has one name in queue and staging together, until PURGE is
 *    durable or qmgr removed it before it was staged;
 * I3 no rename replaces, no create opens what exists;
 * I4 nothing stays in staging that is not in the plan;
 * I5 no other name is renamed or unlinked;
 * I6 the direction depends on the last valid record alone;
 * I7 unlinking happens in PURGING only, and below the own m/ and x/;
 * I8 recovering twice is recovering once;
 * I9 only ENOENT and ESTALE mean "not there": after any other failure the state
 *    is what it was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "change/commit.h"
#include "change/import.h"
#include "change/place.h"
#include "change/places.h"
#include "change/recover.h"
#include "change/remote.h"
#include "change/restore.h"

/* ---- open ---- */

int qt_change_open_fs(struct qt_change **out, const struct qt_spool *spool,
    const struct qt_change_opts *opts, const struct qt_fsops *fs,
    size_t *recovered, struct qt_error *err)
{
	struct qt_change *c = malloc(sizeof(*c));
	size_t n = 0;

	if (c == NULL)
		return qt_fail_mem(err);
	qt_state_init(c, spool);
	c->opts = *opts;
	c->fs = *fs;
	if (qt_state_open(c, err) != 0 || qt_recover_all(c, &n, err) != 0) {
		qt_change_close(c);
		return -1;
	}
	if (recovered != NULL)
		*recovered = n;
	*out = c;
	return 0;
}

int qt_change_open(struct qt_change **out, const struct qt_spool *spool,
    const struct qt_change_opts *opts, size_t *recovered, struct qt_error *err)
{
	if (opts->hand != NULL)
		return qt_remote_open(out, spool, opts, recovered, err);
	return qt_change_open_fs(out, spool, opts, &qt_fsops_system, recovered,
	    err);
}

void qt_change_close(struct qt_change *c)
{
	if (c == NULL)
		return;
	if (c->opts.hand != NULL) {
		qt_remote_close(c);
		return;
	}
	qt_state_close(c);
	free(c);
}

/* ---- carrying out ---- */

/*
 * After a failure: everything back.  The first error is the one to tell, unless
 * putting back fails, too.
 */
static int abort_after(struct qt_change *c, struct qt_tx *tx,
    struct qt_error *err)
{
	struct qt_error cause = *err, e = {0};
	struct qt_outcome back = {0};

	if (!tx->log.unsure && qt_tx_open_log(c, tx, &e) == 0 &&
	    qt_settle_abort(c, tx, &back, &e) == 0) {
		if (back.changed == 0)
			return -1;
		(void)qt_fail(&e, QT_E_STATE, tx->where,
		    "%zu messages stay in staging, as their names are taken in "
		    "the queue", back.changed);
	}
	if (tx->log.unsure)
		/* COMMIT may be there or not: the log has to be read again */
		(void)qt_fail(&e, QT_E_STATE, tx->where,
		    "nobody can tell whether it is committed");
	return qt_settle_unsettled(tx, &cause, &e, err);
}

/* Directories, plan, log: until they are durable nothing is taken. */
static int prepare(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
{
	struct qt_journal_record rec = {.state = QT_TX_PREPARED};
	struct qt_error e = {0};

	if (qt_plan_fill_header(tx->plan, c->spool, err) != 0)
		return -1;
	if (qt_tx_make(c, tx, err) != 0 ||
	    (tx->plan->op == QT_OP_IMPORT &&
		qt_import_write(c, tx, err) != 0) ||
	    qt_tx_write_plan(c, tx, err) != 0) {
		/* with a plan that cannot be removed recovery aborts it */
		(void)!qt_tx_discard(c, tx, true, &e);
		return -1;
	}
	/* made now, so that COMMIT needs no more room than is there */
	if (qt_journal_create(&tx->log, &c->fs, tx->home, tx->where, err) != 0 ||
	    qt_journal_append(&tx->log, &c->fs, &rec, tx->where, err) != 0)
		return qt_tx_withdraw(c, tx, true, err, &e) == 0 ? -1 :
		    abort_after(c, tx, err);
	return 0;
}

/* Nothing has moved yet; from this record on it will, whatever happens. */
static int place(struct qt_change *c, struct qt_tx *tx, struct qt_outcome *out,
    struct qt_error *err)
{
	const struct qt_journal_record rec = {.state = QT_TX_COMMITTED};

	if (qt_state_stopped(c)) {
		(void)qt_fail(err, QT_E_INTERRUPTED, c->spool->queue_dir,
		    "interrupted");
		return abort_after(c, tx, err);
	}
	if (qt_journal_append(&tx->log, &c->fs, &rec, tx->where, err) != 0)
		return abort_after(c, tx, err);
	return qt_place_settle(c, tx, false, out, err);
}

static int carry_out(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err)
{
	if (prepare(c, tx, err) != 0)
		return -1;
	if (qt_op_places(tx->plan->op))
		return place(c, tx, out, err);
	return qt_commit_stage(c, tx, out, err) == 0 ? 0 :
	    abort_after(c, tx, err);
}

static void clear(struct qt_outcome *out, uint64_t txid)
{
	out->planned = out->done = out->gone = out->changed = 0;
	out->doubtful = 0;
	out->txid = txid;
	out->begun = false;
}

int qt_change_run(struct qt_change *c, struct qt_plan *plan,
    struct qt_outcome *out, struct qt_error *err)
{
	struct qt_error e = {0};
	struct qt_tx tx;
	int r;

	if (c->opts.hand != NULL)
		return qt_remote_run(c, plan, out, err);
	clear(out, 0);
	out->planned = plan->n;
	if (plan->n != 0 && plan->dev != c->spool->dev &&
	    plan->op != QT_OP_IMPORT)
		return qt_fail(err, QT_E_USAGE, c->spool->queue_dir,
		    "the plan is about another file system");
	if ((plan->op == QT_OP_IMPORT ? qt_import_look(c, plan, out, &e) :
		qt_commit_look(c, plan, out, &e)) != 0) {
		if (err != NULL)
			*err = e;
		return -1;
	}
	qt_tx_init(&tx, 0);
	tx.plan = plan;
	r = carry_out(c, &tx, out, &e);
	if (r == 0)
		out->txid = tx.id;
	else if (err != NULL)
		*err = e;
	tx.plan = NULL; /* the caller's */
	qt_tx_release(&tx);
	qt_places_reserve(c); /* the transaction has used it */
	return r;
}

/* ---- afterwards ---- */

/* Why it can be neither undone nor purged, or not both any more. */
static const char *state_means(enum qt_tx_state s)
{
	switch (s) {
	case QT_TX_ABORTING:
		return "messages whose names are taken in the queue could not "
		       "be put back; when the names are free, \"qtool "
		       "recover\" does it";
	case QT_TX_ABORTED:
		return "its messages are where they were, nothing was done";
	case QT_TX_UNDOING:
		return "messages whose names are taken in the queue could not "
		       "be put back; when the names are free, \"qtool undo\" "
		       "goes on";
	case QT_TX_UNDONE:
		return "what it did was taken back; \"qtool undo "
		       "--redo\" takes the undo back";
	case QT_TX_PURGING:
		return "its messages are being unlinked for good; \"qtool "
		       "purge\" goes on";
	case QT_TX_PURGED:
		return "its messages were unlinked for good, nothing can be "
		       "put back";
	case QT_TX_PLACED:
		return "its messages are in the queue, where they were to go";
	case QT_TX_REDOING:
		return "its undo is being undone; \"qtool recover\" goes on";
	case QT_TX_PREPARED:
	case QT_TX_COMMITTED:
	case QT_TX_DAMAGED:
		break;
	}
	return "\"qtool history\" tells more";
}

static int wrong_state(const struct qt_tx *tx, struct qt_error *err)
{
	return qt_fail(err, QT_E_REFUSED, tx->where, "it is %s: %s",
	    qt_tx_state_name(tx->log.last.state),
	    state_means(tx->log.last.state));
}

/* Open a transaction that has to be in one of some states. */
static int open_tx(struct qt_change *c, struct qt_tx *tx, uint64_t txid,
    unsigned states, struct qt_error *err)
{
	uint64_t *ids;
	size_t n, i;
	bool known = false;
	int r;

	qt_tx_init(tx, txid);
	if (qt_state_tx_ids(c, &ids, &n, err) != 0)
		return -1;
	for (i = 0; i < n; i++)
		known = known || ids[i] == txid;
	free(ids);
	if (!known)
		return qt_fail(err, QT_E_USAGE, tx->where,
		    "there is none; \"qtool history\" lists those there are");
	if ((r = qt_tx_look(c, tx, err)) != 0)
		return r < 0 ? -1 : qt_fail(err, QT_E_STATE, tx->where,
		    "its plan cannot be found; was it made with a --state-dir "
		    "that is not there now?");
	if ((1u << tx->log.last.state & states) == 0)
		return wrong_state(tx, err);
	if (qt_tx_load(tx, err) != 0)
		return -1;
	return qt_tx_open_log(c, tx, err);
}

/*
 * What was restored goes back into the transaction that it came from, while
 * that holds messages.
 */
static int check_source(struct qt_change *c, const struct qt_tx *tx,
    struct qt_error *err)
{
	struct qt_restore *from = NULL;

	if (tx->plan->op != QT_OP_RESTORE)
		return 0;
	if (qt_restore_open(&from, c, tx->plan, err) != 0)
		return -1;
	qt_restore_close(from);
	return 0;
}

int qt_change_undo(struct qt_change *c, uint64_t txid, struct qt_outcome *out,
    struct qt_error *err)
{
	bool in_place = c->opts.in_place;
	struct qt_tx tx;
	int r;

	if (c->opts.hand != NULL)
		return qt_remote_undo(c, txid, out, err);
	clear(out, txid);
	r = open_tx(c, &tx, txid, 1u << QT_TX_COMMITTED | 1u << QT_TX_PLACED |
	    1u << QT_TX_UNDOING, err);
	if (r == 0)
		r = check_source(c, &tx, err);
	if (r == 0)
		r = qt_op_places(tx.plan->op) ?
		    qt_place_undo(c, &tx, in_place, out, err) :
		    qt_settle_undo(c, &tx, in_place, out, err);
	qt_tx_release(&tx);
	return r;
}

int qt_change_redo(struct qt_change *c, uint64_t txid, struct qt_outcome *out,
    struct qt_error *err)
{
	const struct qt_journal_record rec = {.state = QT_TX_REDOING};
	struct qt_tx tx;
	int r;

	if (c->opts.hand != NULL)
		return qt_remote_redo(c, txid, out, err);
	clear(out, txid);
	r = open_tx(c, &tx, txid, 1u << QT_TX_UNDONE, err);
	if (r == 0)
		r = check_source(c, &tx, err);
	if (r == 0 && tx.plan->op == QT_OP_IMPORT)
		r = qt_import_look_again(c, &tx, out, err);
	if (r == 0) {
		out->planned = tx.plan->n;
		r = qt_journal_append(&tx.log, &c->fs, &rec, tx.where, err);
		out->begun = r == 0;
	}
	if (r == 0)
		r = qt_op_places(tx.plan->op) ?
		    qt_place_settle(c, &tx, false, out, err) :
		    qt_commit_again(c, &tx, out, err);
	/* not begun any more: it is undone as it was */
	if (r != 0 && tx.log.last.state == QT_TX_UNDONE)
		out->begun = false;
	qt_tx_release(&tx);
	return r;
}

int qt_change_purge(struct qt_change *c, uint64_t txid, struct qt_outcome *out,
    struct qt_error *err)
{
	struct qt_tx tx;
	int r;

	if (c->opts.hand != NULL)
		return qt_remote_purge(c, txid, out, err);
	clear(out, txid);
	r = open_tx(c, &tx, txid, 1u << QT_TX_COMMITTED |
	    1u << QT_TX_PURGING | 1u << QT_TX_UNDONE, err);
	/* of the others it holds nothing any more */
	if (r == 0 && tx.log.last.state == QT_TX_UNDONE &&
	    tx.plan->op != QT_OP_IMPORT)
		r = wrong_state(&tx, err);
	if (r == 0)
		r = qt_settle_purge(c, &tx, out, err);
	qt_tx_release(&tx);
	return r;
}
