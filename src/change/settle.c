/*
 * settle.c - abort, undo, purge, redo.
 */
#include "change/settle.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "change/copies.h"
#include "change/import.h"
#include "change/left.h"
#include "change/restore.h"

#define PROGRESS_EVERY 256

void qt_settle_report(const struct qt_outcome *out, enum qt_fate fate,
    const struct qt_plan *p, size_t seq)
{
	const struct qt_plan_item *it = &p->v[seq];

	if (out->report != NULL)
		out->report(out->report_ctx, fate,
		    qt_queue_name((enum qt_queue)it->queue), qt_plan_id(p, it));
}

void qt_settle_progress(const struct qt_change *c, size_t done, size_t total)
{
	if (c->opts.progress != NULL &&
	    (done % PROGRESS_EVERY == 0 || done == total))
		c->opts.progress(c->opts.progress_ctx, done, total);
}

int qt_settle_strict(const struct qt_change *c, const struct qt_outcome *out,
    struct qt_error *err)
{
	if (!c->opts.strict || out->gone + out->changed == 0)
		return 0;
	return qt_fail(err, QT_E_REFUSED, "--strict",
	    "a message was delivered, removed or tried meanwhile");
}

/* What an error is about, where that is not the transaction. */
static const char *about(const struct qt_tx *tx, const struct qt_error *e,
    char out[128])
{
	out[0] = '\0';
	if (e->where[0] != '\0' && strcmp(e->where, tx->where) != 0)
		(void)snprintf(out, 128, "%.120s: ", e->where);
	return out;
}

int qt_settle_unsettled(const struct qt_tx *tx, const struct qt_error *cause,
    const struct qt_error *then, struct qt_error *err)
{
	const int sys = cause->sys;
	char first[128], second[128];

	(void)qt_fail(err, QT_E_STATE, tx->where,
	    "%s%.120s; then %s%.120s; \"qtool recover\" settles it",
	    about(tx, cause, first), cause->text, about(tx, then, second),
	    then->text);
	if (err != NULL)
		err->sys = sys;
	return -1;
}

static size_t count_staged(const struct qt_plan *p)
{
	size_t i, n = 0;

	for (i = 0; i < p->n; i++)
		n += p->v[i].staged != '\0';
	return n;
}

static int record(struct qt_change *c, struct qt_tx *tx, enum qt_tx_state state,
    struct qt_error *err)
{
	struct qt_journal_record rec = {.state = state};

	return qt_journal_append(&tx->log, &c->fs, &rec, tx->where, err);
}

/*
 * Nothing but want names are left in staging.  The directory itself is asked:
 * a rename that failed after it was done would be missing in our own count.
 */
static int check_left(struct qt_tx *tx, size_t want, struct qt_error *err)
{
	size_t n;

	if (qt_tx_count(tx, QT_TX_MESSAGES, &n, err) != 0)
		return -1;
	if (n != want)
		return qt_fail(err, QT_E_STATE, tx->where,
		    "%zu messages are left in staging where %zu should be", n,
		    want);
	return 0;
}

/* All that is staged back to the queue; *left counts names that are taken. */
static int back_all(struct qt_change *c, struct qt_tx *tx, enum qt_back to,
    struct qt_outcome *out, size_t *left, struct qt_error *err)
{
	struct qt_plan *p = tx->plan;
	size_t i, done = 0, total = count_staged(p);
	bool conflict, message;

	*left = 0;
	for (i = 0; i < p->n; i++) {
		message = p->v[i].staged != '\0';
		if (!message && p->v[i].logs == 0)
			continue;
		/* an abort is what Ctrl-C asked for: it runs to its end */
		if (to != QT_BACK_ABORT && qt_state_stopped(c))
			return qt_fail(err, QT_E_INTERRUPTED, tx->where,
			    "interrupted after %zu of %zu messages were put "
			    "back", done, total);
		if (qt_stage_back(c, tx, i, to, &conflict, err) != 0)
			return -1;
		if (conflict) {
			++*left;
			qt_settle_report(out, QT_FATE_CHANGED, p, i);
		} else {
			out->done += message;
		}
		if (message)
			qt_settle_progress(c, ++done, total);
	}
	return 0;
}

/* What it took back to the queue, what it made for it removed. */
static int put_back(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, size_t *left, struct qt_error *err)
{
	*left = 0;
	if (tx->plan->op == QT_OP_IMPORT)
		return qt_copies_remove(c, tx, NULL, NULL, err);
	if (back_all(c, tx, QT_BACK_ABORT, out, left, err) != 0)
		return -1;
	return check_left(tx, *left, err);
}

int qt_settle_abort(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err)
{
	size_t left;

	/*
	 * Without this record an abort is presumed all the same, so a full disk
	 * does not keep messages from going back.
	 */
	if (tx->log.last.state != QT_TX_ABORTING || tx->log.last.n == 0) {
		struct qt_error ignored = {0};

		(void)!record(c, tx, QT_TX_ABORTING, &ignored);
	}
	if (put_back(c, tx, out, &left, err) != 0 ||
	    qt_state_barrier(c, err) != 0)
		return -1;
	out->changed = left;
	if (left != 0)
		return 0; /* no failure: it would forbid all other work */
	qt_tx_clean(c, tx);
	if (tx->log.last.state != QT_TX_ABORTING || tx->log.last.n == 0)
		if (record(c, tx, QT_TX_ABORTING, err) != 0)
			return -1;
	return record(c, tx, QT_TX_ABORTED, err);
}

int qt_settle_undo(struct qt_change *c, struct qt_tx *tx, bool in_place,
    struct qt_outcome *out, struct qt_error *err)
{
	struct qt_journal_record rec = {.state = QT_TX_UNDOING,
	    .in_place = in_place};
	size_t left;

	out->planned = count_staged(tx->plan);
	if ((tx->log.last.state != QT_TX_UNDOING ||
		tx->log.last.in_place != in_place) &&
	    qt_journal_append(&tx->log, &c->fs, &rec, tx->where, err) != 0)
		return -1;
	out->begun = true;
	if (back_all(c, tx, in_place ? QT_BACK_ORIGIN : QT_BACK_HOLD, out,
		&left, err) != 0 ||
	    check_left(tx, left, err) != 0 || qt_state_barrier(c, err) != 0)
		return -1;
	out->changed = left;
	if (left != 0)
		return 0; /* they can still be undone when the names are free */
	qt_tx_clean(c, tx);
	return record(c, tx, QT_TX_UNDONE, err);
}

void qt_settle_pace(const struct qt_change *c, const struct timespec *begin,
    size_t n)
{
	struct timespec due = *begin;
	unsigned rate = c->opts.purge_rate;

	if (rate == 0)
		return;
	due.tv_sec += (time_t)(n / rate);
	due.tv_nsec += (long)(n % rate * (1000000000ULL / rate));
	if (due.tv_nsec >= 1000000000L) {
		due.tv_sec++;
		due.tv_nsec -= 1000000000L;
	}
	/* a signal ends the wait early; the stop flag is looked at next */
	(void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

static int unlink_all(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err)
{
	struct qt_plan *p = tx->plan;
	struct timespec begin;
	size_t i;

	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	for (i = 0; i < p->n; i++) {
		struct qt_plan_item *it = &p->v[i];
		bool message = it->staged != '\0';

		if (!message && it->logs == 0)
			continue;
		if (qt_state_stopped(c))
			return qt_fail(err, QT_E_INTERRUPTED, tx->where,
			    "interrupted after %zu of %zu messages were "
			    "unlinked", out->done, out->planned);
		qt_settle_pace(c, &begin, out->done);
		/*
		 * An agent may have written a log since.  Only while the message
		 * pins its inode can that log be no one else's.
		 */
		if (message && qt_stage_logs(c, tx, i, err) != 0)
			return -1;
		if (qt_stage_unlink(c, tx, i, err) != 0)
			return -1;
		if (message)
			qt_settle_progress(c, ++out->done, out->planned);
	}
	return 0;
}

int qt_settle_purge(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err)
{
	if (tx->plan->op == QT_OP_IMPORT)
		return qt_import_purge(c, tx, out, err);
	out->planned = count_staged(tx->plan);
	if (tx->log.last.state != QT_TX_PURGING &&
	    record(c, tx, QT_TX_PURGING, err) != 0)
		return -1;
	out->begun = true;
	if (unlink_all(c, tx, out, err) != 0 || check_left(tx, 0, err) != 0 ||
	    qt_state_barrier(c, err) != 0)
		return -1;
	qt_tx_clean(c, tx);
	return record(c, tx, QT_TX_PURGED, err);
}

/* ---- redo ---- */

bool qt_settle_may_redo(const struct qt_tx *tx)
{
	return tx->log.commit.n != 0 &&
	    tx->log.commit.gone + tx->log.commit.changed != 0;
}

int qt_settle_compare(struct qt_change *c, struct qt_tx *tx, size_t seq,
    size_t *moved, struct qt_error *err)
{
	bool same = true, conflict = false;

	if (tx->plan->v[seq].staged != '\0' &&
	    qt_stage_check(c, tx, seq, &same, err) != 0)
		return -1;
	if (same)
		return 0;
	if (qt_stage_back(c, tx, seq, QT_BACK_ABORT, &conflict, err) != 0)
		return -1;
	*moved += !conflict;
	return 0;
}

/*
 * One message: it is taken if it is in the queue as it was planned, and what is
 * staged in its place goes back.
 */
static int redo_one(struct qt_change *c, struct qt_tx *tx, size_t seq,
    size_t *moved, struct qt_error *err)
{
	struct qt_plan_item *it = &tx->plan->v[seq];
	enum qt_taken what;

	if (qt_settle_compare(c, tx, seq, moved, err) != 0)
		return -1;
	if (it->staged != '\0' || it->left)
		return 0;
	if (qt_stage_take(c, tx, seq, QT_TAKE_RECOVER, &what, err) != 0)
		return -1;
	*moved += what == QT_TAKEN;
	return 0;
}

int qt_settle_redo(struct qt_change *c, struct qt_tx *tx, size_t *moved,
    struct qt_error *err)
{
	struct qt_journal_record rec = {.state = QT_TX_COMMITTED};
	size_t i, n = tx->plan->n;

	*moved = 0;
	/* a spool that was copied has other inodes: nothing can be compared */
	if (tx->plan->queue_ino != c->spool->ino)
		return 0;
	if (tx->log.commit.changed != 0 && qt_left_read(tx, err) != 0)
		return -1;
	if (qt_restore_mark(c, tx, err) != 0)
		return -1;
	for (i = 0; i < n; i++)
		if (redo_one(c, tx, i, moved, err) != 0)
			return -1;
	if (*moved == 0)
		return 0;
	if (qt_state_barrier(c, err) != 0)
		return -1;
	if (tx->log.last.state != QT_TX_COMMITTED)
		return 0;
	rec.done = count_staged(tx->plan);
	rec.changed = tx->log.commit.changed;
	rec.gone = n - rec.done - rec.changed;
	return qt_journal_append(&tx->log, &c->fs, &rec, tx->where, err);
}
