/*
 * commit.c - from a plan to COMMITTED, for the operations that stage.
 */
#include "change/commit.h"

#include <time.h>

#include "change/glance.h"
#include "change/identity.h"
#include "change/left.h"
#include "change/restore.h"

#define PROBE_PAUSE_NS 50000000L /* between looks at a busy message */

static int stopped(const struct qt_change *c, struct qt_error *err)
{
	return qt_fail(err, QT_E_INTERRUPTED, c->spool->queue_dir,
	    "interrupted");
}

static void count_out(struct qt_outcome *out, enum qt_taken what,
    const struct qt_plan *p, size_t seq)
{
	if (what == QT_TAKEN_GONE) {
		out->gone++;
		qt_settle_report(out, QT_FATE_GONE, p, seq);
	} else if (what == QT_TAKEN_CHANGED) {
		out->changed++;
		qt_settle_report(out, QT_FATE_CHANGED, p, seq);
	} else if (what == QT_TAKEN_IN_DELIVERY) {
		out->changed++;
		qt_settle_report(out, QT_FATE_IN_DELIVERY, p, seq);
	}
}

static int nothing(const struct qt_change *c, struct qt_error *err)
{
	return qt_fail(err, QT_E_GONE, c->spool->queue_dir,
	    "none of these messages is there as it was any more");
}

/* ---- the look before ---- */

/* One message, by what was seen of it at a glance. */
static int look_again(struct qt_change *c, struct qt_plan *p, size_t i,
    struct qt_glance *seen, enum qt_taken *what, struct qt_error *err)
{
	struct qt_handle h;

	if (seen == NULL || !qt_glance_same(seen, i, &h))
		return qt_stage_look(c, p, i, what, err);
	*what = QT_TAKEN;
	return qt_identity_note(c, p, i, &h, err);
}

static int look_at_one(struct qt_change *c, struct qt_plan *p, size_t i,
    struct qt_restore *from, struct qt_glance *seen, struct qt_outcome *out,
    struct qt_error *err)
{
	enum qt_taken what;
	int r;

	if (qt_state_stopped(c))
		return stopped(c, err);
	r = from != NULL ? qt_restore_look(c, from, p, i, &what, err) :
			   look_again(c, p, i, seen, &what, err);
	if (r != 0)
		return -1;
	count_out(out, what, p, i);
	p->v[i].drop = what != QT_TAKEN;
	return qt_settle_strict(c, out, err);
}

int qt_commit_look(struct qt_change *c, struct qt_plan *p,
    struct qt_outcome *out, struct qt_error *err)
{
	struct qt_restore *from = NULL;
	struct qt_glance *seen = NULL;
	size_t i;
	int r;

	r = p->op == QT_OP_RESTORE ? qt_restore_open(&from, c, p, err) :
				     qt_glance_new(&seen, c, p, err);
	for (i = 0; i < p->n && r == 0; i++)
		r = look_at_one(c, p, i, from, seen, out, err);
	qt_glance_free(seen);
	qt_restore_close(from);
	if (r != 0)
		return -1;
	qt_plan_compact(p);
	return p->n != 0 ? 0 : nothing(c, err);
}

/* ---- staging ---- */

static int stage_one(struct qt_change *c, struct qt_tx *tx, size_t seq,
    enum qt_take how, struct qt_outcome *out, struct qt_error *err)
{
	enum qt_taken what;

	if (qt_stage_take(c, tx, seq, how, &what, err) != 0)
		return -1;
	count_out(out, what, tx->plan, seq);
	out->done += what == QT_TAKEN;
	return 0;
}

static int stage_all(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err)
{
	size_t i, n = tx->plan->n;

	for (i = 0; i < n; i++) {
		if (qt_state_stopped(c))
			return stopped(c, err);
		if (stage_one(c, tx, i, QT_TAKE_FIRST, out, err) != 0 ||
		    qt_settle_strict(c, out, err) != 0)
			return -1;
		qt_settle_progress(c, i + 1, n);
	}
	return 0;
}

/* ---- delivery agents ---- */

/* One that an agent has locked goes back, and is left alone. */
static int leave_busy(struct qt_change *c, struct qt_tx *tx, size_t seq,
    struct qt_outcome *out, struct qt_error *err)
{
	struct qt_plan *p = tx->plan;
	bool conflict;

	if (qt_stage_back(c, tx, seq, QT_BACK_ABORT, &conflict, err) != 0)
		return -1;
	if (conflict)
		return qt_fail(err, QT_E_STATE, qt_plan_path(p, &p->v[seq]),
		    "was taken while in delivery, and cannot be put back: its "
		    "name is taken");
	p->v[seq].left = true;
	out->done--;
	count_out(out, QT_TAKEN_IN_DELIVERY, p, seq);
	return qt_settle_strict(c, out, err);
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Look at a message until no agent is at it, or the time is over. */
static int probe(struct qt_change *c, struct qt_tx *tx, size_t seq,
    int64_t until, bool *busy, bool *touched, struct qt_error *err)
{
	const struct timespec pause = {0, PROBE_PAUSE_NS};

	for (;;) {
		if (qt_state_stopped(c))
			return stopped(c, err);
		if (qt_stage_probe(tx, seq, busy, touched, err) != 0)
			return -1;
		if (!*busy || now_ms() >= until)
			return 0;
		(void)nanosleep(&pause, NULL);
	}
}

/*
 * A message may have come back from active a moment ago and still be in
 * delivery: the agent that has it open would go on, in staging.
 */
static int check_agents(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err)
{
	int64_t until = now_ms() + (int64_t)c->opts.wait_s * 1000;
	const struct qt_plan *p = tx->plan;
	bool busy, touched;
	size_t i;

	for (i = 0; i < p->n; i++) {
		if (p->v[i].staged == '\0')
			continue;
		if (probe(c, tx, i, until, &busy, &touched, err) != 0)
			return -1;
		if (busy && leave_busy(c, tx, i, out, err) != 0)
			return -1;
		if (!busy && touched)
			qt_settle_report(out, QT_FATE_DELIVERED, p, i);
	}
	return 0;
}

/* ---- the record ---- */

/* What is staged is all that will be: durable, and then decided. */
static int commit(struct qt_change *c, struct qt_tx *tx,
    const struct qt_outcome *out, struct qt_error *err)
{
	struct qt_journal_record rec = {.state = QT_TX_COMMITTED};
	size_t i;

	if (qt_state_barrier(c, err) != 0)
		return -1;
	/* of this plan: those dropped before it are none of its messages */
	for (i = 0; i < tx->plan->n; i++)
		rec.changed += tx->plan->v[i].left;
	rec.done = out->done;
	rec.gone = tx->plan->n - rec.done - rec.changed;
	if (rec.changed != 0 && qt_left_write(c, tx, err) != 0)
		return -1;
	return qt_journal_append(&tx->log, &c->fs, &rec, tx->where, err);
}

/* The caller's word, on what lies still now: an archive of it was made. */
static int decide(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
{
	if (c->opts.decide == NULL)
		return 0;
	/* what was waited for is written, and what is told of it stays true */
	if (qt_state_barrier(c, err) != 0)
		return -1;
	return c->opts.decide(c->opts.decide_ctx, tx->id, err);
}

int qt_commit_stage(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err)
{
	if (stage_all(c, tx, out, err) != 0 ||
	    check_agents(c, tx, out, err) != 0)
		return -1;
	if (out->done == 0)
		return nothing(c, err);
	if (decide(c, tx, err) != 0)
		return -1;
	return commit(c, tx, out, err);
}

/* ---- once more ---- */

int qt_commit_again(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err)
{
	struct qt_plan *p = tx->plan;
	struct qt_outcome back = {0};
	size_t i, moved = 0;

	if (qt_tx_remake(c, tx, err) != 0 || qt_restore_mark(c, tx, err) != 0)
		return -1;
	for (i = 0; i < p->n; i++) {
		if (qt_settle_compare(c, tx, i, &moved, err) != 0)
			return -1;
		if (p->v[i].staged != '\0') {
			/* before an interruption, perhaps without its logs */
			if (qt_stage_logs(c, tx, i, err) != 0)
				return -1;
			out->done++;
		} else if (!p->v[i].left &&
		    stage_one(c, tx, i, QT_TAKE_MORE, out, err) != 0) {
			return -1;
		}
		qt_settle_progress(c, i + 1, p->n);
	}
	if (check_agents(c, tx, out, err) != 0)
		return -1;
	if (out->done != 0)
		return commit(c, tx, out, err);
	return qt_settle_undo(c, tx, true, &back, err) != 0 ? -1 :
	    nothing(c, err);
}
