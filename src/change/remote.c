/*
 * remote.c - the judge's side of the hand.
 *
 * A call is sent, then what comes back is handed to the caller's functions
 * until the result is there.  Ctrl-C reaches the hand as it reaches the judge;
 * a signal to the judge alone does not, so a stop is sent, too.
 */
#include "change/remote.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "change/plan.h"
#include "change/wire.h"

#define POLL_MS 200 /* how soon a signal is passed on */

/* One call under way. */
struct call {
	struct qt_change *c;
	struct qt_outcome *out;	    /* NULL: of none */
	struct qt_wire_message *m;  /* 32 KiB: not on the stack */
	bool stop_sent;
};

static int gone(struct qt_change *c, struct qt_error *err)
{
	c->opts.hand->gone = true;
	return qt_fail(err, QT_E_STATE, c->spool->queue_dir,
	    "the process that changes the queue has ended before it had said "
	    "what became of it; \"qtool recover\" settles it");
}

static int call_begin(struct call *k, struct qt_change *c,
    struct qt_outcome *out, struct qt_error *err)
{
	*k = (struct call){.c = c, .out = out, .m = malloc(sizeof(*k->m))};
	return k->m != NULL ? 0 : qt_fail_mem(err);
}

static int post(struct call *k, struct qt_error *err)
{
	if (qt_wire_send(k->c->opts.hand->fd, k->m) == 0)
		return 0;
	if (errno == ENOMEM || errno == ENOBUFS)
		return qt_fail_mem(err);
	return gone(k->c, err);
}

/* ---- what comes back ---- */

static void stop_if_told(struct call *k)
{
	struct qt_wire_message *m = k->m;

	if (k->stop_sent || !qt_state_stopped(k->c))
		return;
	qt_wire_init(m, QT_WIRE_STOP);
	k->stop_sent = true;
	/* a hand that is gone shows where an answer is waited for */
	(void)!qt_wire_send(k->c->opts.hand->fd, m);
}

/* Wait for the next message: 0, or it is gone. */
static int next(struct call *k, struct qt_error *err)
{
	struct pollfd p = {.fd = k->c->opts.hand->fd, .events = POLLIN};
	int r;

	for (;;) {
		stop_if_told(k);
		/* poll ends at a signal, a read would be restarted */
		if (poll(&p, 1, POLL_MS) > 0)
			break;
	}
	r = qt_wire_receive(p.fd, k->m);
	if (r < 0 && errno == EBADMSG)
		return qt_fail(err, QT_E_STATE, k->c->spool->queue_dir,
		    "the process that changes the queue sent nonsense");
	return r == 0 ? 0 : gone(k->c, err);
}

static void on_report(const struct call *k)
{
	const uint32_t fate = k->m->u.report.fate;

	if (fate > QT_FATE_THERE)
		return;
	if (k->out != NULL && k->out->report != NULL)
		k->out->report(k->out->report_ctx, (enum qt_fate)fate,
		    k->m->u.report.queue, k->m->u.report.id);
	if (k->out == NULL && k->c->opts.report != NULL)
		k->c->opts.report(k->c->opts.report_ctx, (enum qt_fate)fate,
		    k->m->u.report.queue, k->m->u.report.id);
}

/* The caller decides, the hand is told. */
static int on_decide(struct call *k, struct qt_error *err)
{
	const struct qt_change_opts *o = &k->c->opts;
	const uint64_t txid = k->m->u.txid;
	struct qt_error e = {0};
	int r;

	r = o->decide != NULL ? o->decide(o->decide_ctx, txid, &e) : 0;
	qt_wire_init(k->m, QT_WIRE_DECIDED);
	k->m->u.decided.r = r;
	if (r != 0)
		qt_wire_put_error(&k->m->u.decided.err, &e);
	return post(k, err);
}

/* What is sent of one file. */
static int send_data(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	struct call *k = ctx;
	const char *p = bytes;
	size_t n;

	for (; len > 0; p += n, len -= n) {
		n = len < sizeof(k->m->u.plan) ? len : sizeof(k->m->u.plan);
		k->m->type = QT_WIRE_DATA;
		k->m->size = (uint32_t)n;
		memcpy(k->m->u.plan, p, n);
		if (post(k, err) != 0)
			return -1;
	}
	return 0;
}

/* The hand wants a file's bytes: to its end, or why not. */
static int on_want(struct call *k, struct qt_error *err)
{
	const struct qt_change_opts *o = &k->c->opts;
	const uint64_t seq = k->m->u.want.seq;
	const uint32_t log = k->m->u.want.log;
	struct qt_error e = {0};
	int r;

	if (o->supply == NULL || log > QT_Q_COUNT)
		return qt_fail(err, QT_E_STATE, k->c->spool->queue_dir,
		    "the process that changes the queue wants what is not "
		    "there");
	r = o->supply(o->supply_ctx, (size_t)seq, (enum qt_queue)log, send_data,
	    k, &e);
	if (k->c->opts.hand->gone) {
		if (err != NULL)
			*err = e;
		return -1;
	}
	if (r == 0) {
		k->m->type = QT_WIRE_DATA;
		k->m->size = 0;
	} else {
		qt_wire_init(k->m, QT_WIRE_DECIDED);
		k->m->u.decided.r = -1;
		qt_wire_put_error(&k->m->u.decided.err, &e);
	}
	return post(k, err);
}

static int on_result(struct call *k, size_t *recovered, struct qt_error *err)
{
	const struct qt_wire_result *w = &k->m->u.result;

	if (k->out != NULL) {
		k->out->planned = w->planned;
		k->out->done = w->done;
		k->out->gone = w->gone;
		k->out->changed = w->changed;
		k->out->doubtful = w->doubtful;
		k->out->txid = w->txid;
		k->out->begun = w->begun != 0;
	}
	if (w->r != 0) {
		qt_wire_get_error(err, &w->err);
		return -1;
	}
	if (recovered != NULL)
		*recovered = w->recovered;
	return 0;
}

/* Until the result is there: what it says. */
static int follow(struct call *k, size_t *recovered, struct qt_error *err)
{
	const struct qt_change_opts *o = &k->c->opts;
	int r;

	while ((r = next(k, err)) == 0) {
		switch ((enum qt_wire_type)k->m->type) {
		case QT_WIRE_PROGRESS:
			if (o->progress != NULL)
				o->progress(o->progress_ctx,
				    k->m->u.progress.done,
				    k->m->u.progress.total);
			break;
		case QT_WIRE_REPORT:
			on_report(k);
			break;
		case QT_WIRE_DECIDE:
			if (on_decide(k, err) != 0)
				return -1;
			break;
		case QT_WIRE_WANT:
			if (on_want(k, err) != 0)
				return -1;
			break;
		case QT_WIRE_RESULT:
			return on_result(k, recovered, err);
		default:
			return qt_fail(err, QT_E_STATE,
			    k->c->spool->queue_dir,
			    "the process that changes the queue answers what "
			    "was not asked");
		}
	}
	return r;
}

/* ---- opening ---- */

static int ask_open(struct call *k, size_t *recovered, struct qt_error *err)
{
	const struct qt_change_opts *o = &k->c->opts;
	struct qt_wire_open *w = &k->m->u.open;

	qt_wire_init(k->m, QT_WIRE_OPEN);
	w->no_wait = o->no_wait;
	w->strict = o->strict;
	w->in_place = o->in_place;
	w->decide = o->decide != NULL;
	w->progress = o->progress != NULL;
	w->purge_rate = o->purge_rate;
	w->wait_s = o->wait_s;
	w->again = o->again;
	if (post(k, err) != 0)
		return -1;
	return follow(k, recovered, err);
}

int qt_remote_open(struct qt_change **out, const struct qt_spool *spool,
    const struct qt_change_opts *opts, size_t *recovered, struct qt_error *err)
{
	struct qt_change *c = malloc(sizeof(*c));
	struct call k;
	int r;

	if (c == NULL)
		return qt_fail_mem(err);
	qt_state_init(c, spool);
	c->opts = *opts;
	r = opts->hand->gone ? gone(c, err) : call_begin(&k, c, NULL, err);
	if (r == 0) {
		r = ask_open(&k, recovered, err);
		free(k.m);
	}
	if (r != 0) {
		free(c);
		return -1;
	}
	*out = c;
	return 0;
}

/* It has let the lock go when this returns. */
void qt_remote_close(struct qt_change *c)
{
	struct qt_error ignored;
	struct call k;

	if (!c->opts.hand->gone && call_begin(&k, c, NULL, &ignored) == 0) {
		qt_wire_init(k.m, QT_WIRE_CLOSE);
		if (post(&k, &ignored) == 0)
			(void)!follow(&k, NULL, &ignored);
		free(k.m);
	}
	free(c);
}

/* ---- a plan ---- */

/* What the writer of plans takes for a file. */
struct pipe {
	struct call *k;
	uint64_t sent;
};

static ssize_t send_some(void *ctx, int fd, const void *bytes, size_t len)
{
	struct pipe *p = ctx;
	struct qt_wire_message *m = p->k->m;

	(void)fd;
	if (len > sizeof(m->u.plan))
		len = sizeof(m->u.plan);
	m->type = QT_WIRE_PLAN;
	m->size = (uint32_t)len;
	memcpy(m->u.plan, bytes, len);
	if (qt_wire_send(p->k->c->opts.hand->fd, m) != 0)
		return -1;
	p->sent += len;
	return (ssize_t)len;
}

static int send_plan(struct call *k, const struct qt_plan *plan,
    struct qt_error *err)
{
	struct pipe p = {.k = k};
	const struct qt_fsops fs = {.ctx = &p, .write = send_some};
	struct qt_error e = {0};

	if (qt_plan_write(plan, &fs, -1, k->c->spool->queue_dir, &e) != 0) {
		if (e.sys == EPIPE || e.sys == ECONNRESET)
			return gone(k->c, err);
		*err = e;
		return -1;
	}
	qt_wire_init(k->m, QT_WIRE_RUN);
	k->m->u.bytes = p.sent;
	return post(k, err);
}

int qt_remote_run(struct qt_change *c, struct qt_plan *plan,
    struct qt_outcome *out, struct qt_error *err)
{
	struct qt_error e = {0};
	struct call k;
	int r;

	out->planned = plan->n;
	out->done = out->gone = out->changed = out->doubtful = 0;
	out->txid = 0;
	out->begun = false;
	if (plan->n != 0 && plan->dev != c->spool->dev &&
	    plan->op != QT_OP_IMPORT)
		return qt_fail(err, QT_E_USAGE, c->spool->queue_dir,
		    "the plan is about another file system");
	if (c->opts.hand->gone)
		return gone(c, err);
	/* by this the hand knows that it is about the queue it has opened */
	plan->queue_ino = c->spool->ino;
	if (call_begin(&k, c, out, err) != 0)
		return -1;
	r = send_plan(&k, plan, &e);
	if (r == 0)
		r = follow(&k, NULL, &e);
	free(k.m);
	if (r != 0 && err != NULL)
		*err = e;
	return r;
}

/* ---- afterwards ---- */

static int ask(struct qt_change *c, enum qt_wire_type what, uint64_t txid,
    struct qt_outcome *out, struct qt_error *err)
{
	struct call k;
	int r;

	out->planned = out->done = out->gone = out->changed = 0;
	out->doubtful = 0;
	out->txid = txid;
	out->begun = false;
	if (c->opts.hand->gone)
		return gone(c, err);
	if (call_begin(&k, c, out, err) != 0)
		return -1;
	qt_wire_init(k.m, what);
	k.m->u.txid = txid;
	r = post(&k, err);
	if (r == 0)
		r = follow(&k, NULL, err);
	free(k.m);
	/* nobody is left to say how far it came */
	if (c->opts.hand->gone)
		out->begun = true;
	return r;
}

int qt_remote_undo(struct qt_change *c, uint64_t txid, struct qt_outcome *out,
    struct qt_error *err)
{
	return ask(c, QT_WIRE_UNDO, txid, out, err);
}

int qt_remote_redo(struct qt_change *c, uint64_t txid, struct qt_outcome *out,
    struct qt_error *err)
{
	return ask(c, QT_WIRE_REDO, txid, out, err);
}

int qt_remote_purge(struct qt_change *c, uint64_t txid, struct qt_outcome *out,
    struct qt_error *err)
{
	return ask(c, QT_WIRE_PURGE, txid, out, err);
}
