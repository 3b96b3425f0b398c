/*
 * hand.c - the process that changes a queue for a judge it does not trust.
 *
 * While it works, what arrives can only be STOP or the judge's end: SIGIO tells,
 * and its handler (the caller's) sets the flag that every loop of this layer
 * looks at.  Before an answer to DECIDE, and before a result, that is switched
 * off, as what comes then is read in order.
 *
 * The judge's end is a stop like Ctrl-C: what is not committed goes back, what
 * is committed stays, and what was begun otherwise is gone on with by whoever
 * comes next (recover.c).  One that reads nothing for long, or says nothing
 * after a stop, has ended, too: it must not keep the lock.
 */
#include "qtool/hand.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "change/plan.h"
#include "change/state.h"
#include "change/wire.h"

#define PROGRESS_MS 100 /* how often it is told */
/* Seconds after a stop that the judge may say nothing for. */
#define SILENT_S 2
#define UNDECIDED_S 60 /* while it takes an archive back */

struct served {
	int fd;
	const struct qt_spool *spool;
	const struct qt_hand_opts *opts;
	struct qt_wire_message in, out;
	struct qt_change *change; /* NULL: not open */
	bool tell_progress, ask_decision;
	int64_t told_ms;	  /* of the last progress */
	struct qt_plan_reader *reader; /* of the plan that arrives; NULL none */
	uint64_t plan_bytes;
	bool plan_failed;	  /* the rest of it is passed over */
	struct qt_error plan_error;
	uint64_t own;		  /* what was committed here last; 0 nothing */
	bool deaf;		  /* the judge reads nothing: it is told nothing */
	struct qt_outcome outcome;
};

/* ---- while it works ---- */

bool qt_hand_heard(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static void listen_to_judge(struct served *s, bool on)
{
	int flags = fcntl(s->fd, F_GETFL);

	if (flags < 0 || fcntl(s->fd, F_SETFL,
		on ? flags | O_ASYNC : flags & ~O_ASYNC) != 0)
		return;
	/* what came before there was a signal for it */
	if (on && qt_hand_heard(s->fd))
		*s->opts->stop = 1;
}

static void say(struct served *s)
{
	if (s->deaf || qt_wire_send_within(s->fd, &s->out, s->opts->stop) == 0)
		return;
	s->deaf = true;
	*s->opts->stop = 1; /* nobody hears: its end is a stop */
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void on_progress(void *ctx, size_t done, size_t total)
{
	struct served *s = ctx;
	const int64_t now = now_ms();

	if (!s->tell_progress || (now - s->told_ms < PROGRESS_MS && done != total))
		return;
	s->told_ms = now;
	qt_wire_init(&s->out, QT_WIRE_PROGRESS);
	s->out.u.progress.done = done;
	s->out.u.progress.total = total;
	say(s);
}

static void on_report(void *ctx, enum qt_fate fate, const char *queue,
    const char *id)
{
	struct served *s = ctx;

	qt_wire_init(&s->out, QT_WIRE_REPORT);
	s->out.u.report.fate = (uint32_t)fate;
	(void)strlcpy(s->out.u.report.queue, queue,
	    sizeof(s->out.u.report.queue));
	(void)strlcpy(s->out.u.report.id, id, sizeof(s->out.u.report.id));
	say(s);
}

/* Wait for the answer; a stop may come before it. */
static int await_decision(struct served *s, struct qt_error *err)
{
	int r;

	while ((r = qt_wire_receive_within(s->fd, &s->in, s->opts->stop,
		    UNDECIDED_S)) == 0) {
		if (s->in.type == QT_WIRE_STOP) {
			*s->opts->stop = 1;
			continue;
		}
		if (s->in.type != QT_WIRE_DECIDED)
			break;
		if (s->in.u.decided.r == 0)
			return 0;
		qt_wire_get_error(err, &s->in.u.decided.err);
		return -1;
	}
	*s->opts->stop = 1;
	return qt_fail(err, QT_E_INTERRUPTED, s->spool->queue_dir,
	    "there is nobody any more who decides");
}

/*
 * The judge sends a file to its end, whatever becomes of it here: what is not
 * taken is passed over.
 */
static int take_file(struct served *s, qt_put_fn *put, void *put_ctx,
    struct qt_error *err)
{
	int r, failed = 0;

	while ((r = qt_wire_receive_within(s->fd, &s->in, s->opts->stop,
		    UNDECIDED_S)) == 0) {
		if (s->in.type == QT_WIRE_STOP) {
			*s->opts->stop = 1;
			continue;
		}
		if (s->in.type == QT_WIRE_DECIDED && s->in.u.decided.r != 0) {
			if (failed == 0)
				qt_wire_get_error(err, &s->in.u.decided.err);
			return -1;
		}
		if (s->in.type != QT_WIRE_DATA)
			break;
		if (s->in.size == 0)
			return failed;
		if (failed == 0)
			failed = put(put_ctx, s->in.u.plan, s->in.size, err);
	}
	*s->opts->stop = 1;
	return qt_fail(err, QT_E_INTERRUPTED, s->spool->queue_dir,
	    "there is nobody any more who reads the archive");
}

static int on_supply(void *ctx, size_t seq, enum qt_queue log, qt_put_fn *put,
    void *put_ctx, struct qt_error *err)
{
	struct served *s = ctx;
	int r;

	listen_to_judge(s, false);
	qt_wire_init(&s->out, QT_WIRE_WANT);
	s->out.u.want.seq = seq;
	s->out.u.want.log = (uint32_t)log;
	say(s);
	r = take_file(s, put, put_ctx, err);
	listen_to_judge(s, true);
	return r;
}

static int on_decide(void *ctx, uint64_t txid, struct qt_error *err)
{
	struct served *s = ctx;
	int r;

	listen_to_judge(s, false);
	qt_wire_init(&s->out, QT_WIRE_DECIDE);
	s->out.u.txid = txid;
	say(s);
	r = await_decision(s, err);
	listen_to_judge(s, true);
	return r;
}

/* ---- answers ---- */

static void answer(struct served *s, int r, size_t recovered,
    const struct qt_error *err)
{
	struct qt_wire_result *w = &s->out.u.result;

	qt_wire_init(&s->out, QT_WIRE_RESULT);
	w->r = r;
	w->recovered = recovered;
	w->planned = s->outcome.planned;
	w->done = s->outcome.done;
	w->gone = s->outcome.gone;
	w->changed = s->outcome.changed;
	w->doubtful = s->outcome.doubtful;
	w->txid = s->outcome.txid;
	w->begun = s->outcome.begun;
	if (r != 0)
		qt_wire_put_error(&w->err, err);
	say(s);
}

static void begin(struct served *s)
{
	s->outcome = (struct qt_outcome){.report = on_report,
	    .report_ctx = s};
	listen_to_judge(s, true);
}

static void end(struct served *s, int r, size_t recovered,
    const struct qt_error *err)
{
	listen_to_judge(s, false);
	answer(s, r, recovered, err);
}

/* What the command that was typed does not do. */
static int not_asked_for(const struct served *s, struct qt_error *err)
{
	return qt_fail(err, QT_E_REFUSED, s->spool->queue_dir,
	    "this is not what the command is for");
}

static int not_open(const struct served *s, struct qt_error *err)
{
	return qt_fail(err, QT_E_USAGE, s->spool->queue_dir,
	    "the queue is not open for a change");
}

/* ---- requests ---- */

static void serve_open(struct served *s)
{
	const struct qt_wire_open *w = &s->in.u.open;
	struct qt_change_opts o = {.state_dir = s->opts->state_dir,
	    .no_wait = w->no_wait != 0, .strict = w->strict != 0,
	    .in_place = w->in_place != 0, .purge_rate = w->purge_rate,
	    .wait_s = w->wait_s, .stop = s->opts->stop,
	    .report = on_report, .report_ctx = s,
	    .progress = on_progress, .progress_ctx = s,
	    .supply = on_supply, .supply_ctx = s, .again = w->again != 0};
	struct qt_error err = {0};
	size_t recovered = 0;
	int r;

	if (w->decide != 0) {
		o.decide = on_decide;
		o.decide_ctx = s;
	}
	s->tell_progress = w->progress != 0;
	begin(s);
	if (s->change != NULL)
		r = qt_fail(&err, QT_E_USAGE, s->spool->queue_dir,
		    "the queue is open for a change already");
	else
		r = qt_change_open(&s->change, s->spool, &o, &recovered, &err);
	end(s, r, recovered, &err);
}

static void serve_close(struct served *s)
{
	const struct qt_error none = {0};

	s->outcome = (struct qt_outcome){.txid = 0};
	qt_change_close(s->change);
	s->change = NULL;
	answer(s, 0, 0, &none);
}

/* Bytes of a plan: a bad one is an answer, when it is to be run. */
static void take_plan(struct served *s)
{
	struct qt_error *err = &s->plan_error;

	if (s->plan_failed)
		return;
	s->plan_bytes += s->in.size;
	s->plan_failed = (s->reader == NULL &&
			     qt_plan_reader_new(&s->reader, "plan", err) != 0) ||
	    qt_plan_reader_feed(s->reader, s->in.u.plan, s->in.size, err) != 0;
}

static void forget_plan(struct served *s)
{
	qt_plan_reader_free(s->reader);
	s->reader = NULL;
	s->plan_bytes = 0;
	s->plan_failed = false;
}

/* The plan that has arrived, whole and allowed; the caller's. */
static int check_plan(struct served *s, struct qt_plan **plan,
    struct qt_error *err)
{
	struct qt_plan *p = NULL;
	int r;

	if (s->change == NULL)
		return not_open(s, err);
	if (s->plan_failed) {
		*err = s->plan_error;
		return -1;
	}
	if (s->reader == NULL || s->plan_bytes != s->in.u.bytes)
		return qt_fail(err, QT_E_STATE, "plan",
		    "not all of it has arrived");
	if (qt_plan_reader_finish(s->reader, &p, err) != 0)
		return -1;
	if ((s->opts->may & QT_HAND_OP(p->op)) == 0)
		r = not_asked_for(s, err);
	else if (s->opts->max >= 0 && p->n > (uint64_t)s->opts->max)
		r = qt_fail(err, QT_E_REFUSED, "plan",
		    "%zu messages are more than were allowed", p->n);
	else
		r = qt_plan_bind(p, s->spool, err);
	if (r != 0)
		qt_plan_free(p);
	else
		*plan = p;
	return r;
}

static void serve_run(struct served *s)
{
	struct qt_plan *plan = NULL;
	struct qt_error err = {0};
	int r;

	begin(s);
	r = check_plan(s, &plan, &err);
	forget_plan(s);
	if (r == 0) {
		r = qt_change_run(s->change, plan, &s->outcome, &err);
		qt_plan_free(plan);
	}
	if (r == 0)
		s->own = s->outcome.txid;
	end(s, r, 0, &err);
}

static bool may_purge(const struct served *s, uint64_t txid)
{
	return (s->opts->may & QT_HAND_PURGE) != 0 ||
	    ((s->opts->may & QT_HAND_PURGE_OWN) != 0 && txid == s->own &&
		txid != 0);
}

static void serve_tx(struct served *s)
{
	const uint64_t txid = s->in.u.txid;
	const bool purge = s->in.type == QT_WIRE_PURGE;
	struct qt_error err = {0};
	int r;

	begin(s);
	if (s->change == NULL)
		r = not_open(s, &err);
	else if (purge ? !may_purge(s, txid) :
			 (s->opts->may & QT_HAND_UNDO) == 0)
		r = not_asked_for(s, &err);
	else if (purge)
		r = qt_change_purge(s->change, txid, &s->outcome, &err);
	else if (s->in.type == QT_WIRE_UNDO)
		r = qt_change_undo(s->change, txid, &s->outcome, &err);
	else
		r = qt_change_redo(s->change, txid, &s->outcome, &err);
	end(s, r, 0, &err);
}

/* 0, or it is no request. */
static int serve_one(struct served *s)
{
	switch ((enum qt_wire_type)s->in.type) {
	case QT_WIRE_OPEN:
		serve_open(s);
		return 0;
	case QT_WIRE_PLAN:
		take_plan(s);
		return 0;
	case QT_WIRE_RUN:
		serve_run(s);
		return 0;
	case QT_WIRE_UNDO:
	case QT_WIRE_REDO:
	case QT_WIRE_PURGE:
		serve_tx(s);
		return 0;
	case QT_WIRE_CLOSE:
		serve_close(s);
		return 0;
	case QT_WIRE_STOP:
		*s->opts->stop = 1;
		return 0;
	default:
		return -1;
	}
}

int qt_hand_serve(int fd, const struct qt_spool *spool,
    const struct qt_hand_opts *opts, struct qt_error *err)
{
	struct served *s = calloc(1, sizeof(*s));
	int r = 0;

	if (s == NULL)
		return qt_fail_mem(err);
	s->fd = fd;
	s->spool = spool;
	s->opts = opts;
	(void)fcntl(fd, F_SETOWN, getpid());
	while (!s->deaf && (r = qt_wire_receive_within(fd, &s->in, opts->stop,
				SILENT_S)) == 0)
		if (serve_one(s) != 0) {
			r = -1;
			errno = EBADMSG;
			break;
		}
	r = r < 0 ? qt_fail_sys(err, "recv", "judge") : 0;
	forget_plan(s);
	qt_change_close(s->change);
	free(s);
	return r;
}

/* ---- before ---- */

int qt_hand_pair(int *judge, int *hand, struct qt_error *err)
{
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) != 0)
		return qt_fail_sys(err, "socketpair", "hand");
	*judge = fd[0];
	*hand = fd[1];
	return 0;
}

/* PATH, and what making or syncing it takes of the directory it is in. */
static int allow_place(struct qt_confine *c, const char *path,
    struct qt_error *err)
{
	const char *slash = strrchr(path, '/');
	char *up = slash == NULL ? strdup(".") :
	    slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	bool there = access(path, F_OK) == 0;
	int r;

	if (up == NULL)
		return qt_fail_mem(err);
	r = qt_confine_allow(c, AT_FDCWD, up,
	    there ? QT_ACCESS_ENTER : QT_ACCESS_CHANGE, err);
	if (r == 0 && there)
		r = qt_confine_allow(c, AT_FDCWD, path, QT_ACCESS_CHANGE, err);
	free(up);
	return r;
}

/* Every place that transactions of this queue were ever kept in. */
static int each_place(struct qt_confine *c, const struct qt_spool *spool,
    const char *state_dir,
    int (*allow)(struct qt_confine *c, const char *path, struct qt_error *err),
    struct qt_error *err)
{
	struct qt_error ignored = {0}; /* whoever opens it next says it */
	struct qt_change state;
	size_t i;
	int r = 0;

	if (state_dir != NULL)
		r = allow(c, state_dir, err);
	qt_state_init(&state, spool);
	(void)!qt_state_open_readonly(&state, &ignored);
	for (i = 0; i < state.places.n && r == 0; i++)
		r = allow(c, state.places.v[i].path, err);
	qt_state_close(&state);
	return r;
}

int qt_hand_allow(struct qt_confine *c, const struct qt_spool *spool,
    const char *state_dir, struct qt_error *err)
{
	if (qt_confine_allow(c, spool->dirfd, NULL, QT_ACCESS_CHANGE, err) != 0)
		return -1;
	return each_place(c, spool, state_dir, allow_place, err);
}

static int allow_reading(struct qt_confine *c, const char *path,
    struct qt_error *err)
{
	return qt_confine_allow(c, AT_FDCWD, path, QT_ACCESS_READ, err);
}

int qt_hand_allow_judge(struct qt_confine *c, const struct qt_spool *spool,
    const char *state_dir, struct qt_error *err)
{
	return each_place(c, spool, state_dir, allow_reading, err);
}
