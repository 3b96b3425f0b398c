/*
 * test_hand.c - judge and hand over their socket: the contract of change.h holds
 * as it does in one process, and the hand believes nothing that it is sent.
 *
 * The hand is a child; the judge is the test, which also plays one that has been
 * taken over.
 */
#include "change_spool.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "change/wire.h"
#include "qtool/hand.h"

struct pair {
	struct tspool t;
	struct qt_hand hand;
	pid_t pid;
	int end; /* the hand's of the socket, to be looked at; -1 closed */
};

static volatile sig_atomic_t stop_flag;

static void on_signal(int sig)
{
	(void)sig;
	stop_flag = 1;
}

static volatile sig_atomic_t hand_end;

static void on_io(int sig)
{
	if (qt_hand_heard((int)hand_end))
		on_signal(sig);
}

/* ---- the pair ---- */

static void start(struct pair *p, unsigned may, int64_t max)
{
	struct qt_hand_opts opts = {.may = may, .max = max,
	    .stop = &stop_flag};
	struct qt_error err = {0};
	int judge, hand;

	assert_int_equal(qt_hand_pair(&judge, &hand, &err), 0);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0) {
		(void)close(judge);
		hand_end = hand;
		(void)signal(SIGIO, on_io);
		(void)signal(SIGINT, on_signal);
		_exit(qt_hand_serve(hand, p->t.spool, &opts, &err) == 0 ? 0 : 1);
	}
	p->end = hand;
	p->hand = (struct qt_hand){.fd = judge};
}

static void close_end(struct pair *p)
{
	if (p->end >= 0)
		(void)close(p->end);
	p->end = -1;
}

/* Its exit status: 0 the judge ended it, 1 it would not talk any more. */
static int finish(struct pair *p)
{
	int status;

	close_end(p);
	(void)close(p->hand.fd);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	unsigned i;

	assert_non_null(p);
	stop_flag = 0;
	ts_make(&p->t);
	for (i = 0; i < 8; i++)
		(void)ts_message(&p->t, i % 2 != 0 ? QT_Q_HOLD : QT_Q_DEFERRED,
		    100000 + i, "d");
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	ts_release(&p->t);
	free(p);
	return 0;
}

static struct qt_plan *plan_of(const struct pair *p, enum qt_op op, size_t n)
{
	struct qt_plan *plan = NULL;
	struct qt_error err = {0};
	struct stat st;
	size_t i;

	assert_int_equal(qt_plan_new(&plan, op, &err), 0);
	for (i = 0; i < n; i++) {
		const struct tmessage *m = &p->t.m[i];
		struct qt_item it = {.queue = m->queue, .id = m->id,
		    .path = m->path};

		assert_int_equal(fstatat(p->t.fd, m->path, &st,
		    AT_SYMLINK_NOFOLLOW), 0);
		it.dev = st.st_dev;
		it.ino = st.st_ino;
		it.size = st.st_size;
		it.mode = st.st_mode;
		it.uid = st.st_uid;
		it.gid = st.st_gid;
		it.mtime_ns = st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
		it.ctime_ns = st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
		assert_int_equal(qt_plan_add(plan, &it, &err), 0);
	}
	return plan;
}

/* How many of the messages are where they were. */
static size_t at_home(const struct pair *p)
{
	size_t i, n = 0;

	for (i = 0; i < p->t.n; i++)
		n += faccessat(p->t.fd, p->t.m[i].path, F_OK, 0) == 0;
	return n;
}

static struct qt_change *opened(struct pair *p, struct qt_change_opts *o)
{
	struct qt_change *c = NULL;
	struct qt_error err = {0};

	o->hand = &p->hand;
	if (qt_change_open(&c, p->t.spool, o, NULL, &err) != 0)
		fail_msg("%s: %s", err.where, err.text);
	return c;
}

/* ---- the contract ---- */

struct heard {
	size_t reports, progress, decided;
	enum qt_fate fate;
	char queue[16], id[64];
	int answer; /* of the decision */
	uint64_t txid;
};

static void on_report(void *ctx, enum qt_fate fate, const char *queue,
    const char *id)
{
	struct heard *h = ctx;

	h->reports++;
	h->fate = fate;
	(void)strlcpy(h->queue, queue, sizeof(h->queue));
	(void)strlcpy(h->id, id, sizeof(h->id));
}

static void on_progress(void *ctx, size_t done, size_t total)
{
	struct heard *h = ctx;

	assert_true(done <= total);
	h->progress++;
}

static int on_decide(void *ctx, uint64_t txid, struct qt_error *err)
{
	struct heard *h = ctx;

	h->decided++;
	h->txid = txid;
	return h->answer == 0 ? 0 :
	    qt_fail(err, QT_E_LIBRARY, "x.tar", "the archive is not what it was");
}

static void whole_life(void **state)
{
	struct pair *p = *state;
	struct heard h = {0};
	struct qt_change_opts o = {.progress = on_progress, .progress_ctx = &h};
	struct qt_outcome out = {.report = on_report, .report_ctx = &h};
	struct qt_error err = {0};
	struct qt_change *c;
	struct qt_plan *plan = plan_of(p, QT_OP_DELETE, 8);

	/* one is gone by the time of the change */
	assert_int_equal(unlinkat(p->t.fd, p->t.m[3].path, 0), 0);
	start(p, QT_HAND_OP(QT_OP_DELETE) | QT_HAND_UNDO | QT_HAND_PURGE, -1);
	c = opened(p, &o);
	if (qt_change_run(c, plan, &out, &err) != 0)
		fail_msg("%s: %s", err.where, err.text);
	assert_int_equal(out.planned, 8);
	assert_int_equal(out.done, 7);
	assert_int_equal(out.gone, 1);
	assert_int_equal(out.txid, 1);
	assert_int_equal(h.reports, 1);
	assert_int_equal(h.fate, QT_FATE_GONE);
	assert_string_equal(h.queue, "hold");
	assert_string_equal(h.id, p->t.m[3].id);
	assert_true(h.progress >= 1);
	assert_int_equal(at_home(p), 0);
	assert_int_equal(qt_change_undo(c, 1, &out, &err), 0);
	assert_int_equal(out.done, 7);
	assert_int_equal(qt_change_redo(c, 1, &out, &err), 0);
	assert_int_equal(qt_change_purge(c, 1, &out, &err), 0);
	assert_int_equal(out.done, 7);
	/* an error has its code, place and words */
	assert_int_equal(qt_change_undo(c, 9, &out, &err), -1);
	assert_int_equal(err.code, QT_E_USAGE);
	assert_string_equal(err.where, "transaction 9");
	qt_change_close(c);
	qt_plan_free(plan);
	assert_int_equal(finish(p), 0);
}

/* The lock is let go with the change, and can be taken again. */
static void closed_and_opened(void **state)
{
	struct pair *p = *state;
	struct qt_change_opts o = {.no_wait = true}, here = {.no_wait = true};
	struct qt_change *c, *mine = NULL;
	struct qt_error err = {0};

	start(p, QT_HAND_RECOVER, -1);
	c = opened(p, &o);
	assert_int_equal(qt_change_open(&mine, p->t.spool, &here, NULL, &err),
	    -1);
	assert_int_equal(err.sys, EWOULDBLOCK);
	qt_change_close(c);
	assert_int_equal(qt_change_open(&mine, p->t.spool, &here, NULL, &err), 0);
	/* and what it says then comes over the socket as it is */
	o.hand = &p->hand;
	assert_int_equal(qt_change_open(&c, p->t.spool, &o, NULL, &err), -1);
	assert_int_equal(err.sys, EWOULDBLOCK);
	assert_int_equal(err.code, QT_E_REFUSED);
	qt_change_close(mine);
	c = opened(p, &o);
	qt_change_close(c);
	assert_int_equal(finish(p), 0);
}

static void decision(void **state)
{
	struct pair *p = *state;
	struct heard h = {.answer = -1};
	struct qt_change_opts o = {.decide = on_decide, .decide_ctx = &h};
	struct qt_outcome out = {0};
	struct qt_error err = {0};
	struct qt_plan *plan = plan_of(p, QT_OP_ARCHIVE, 8);
	struct qt_change *c;

	start(p, QT_HAND_OP(QT_OP_ARCHIVE), -1);
	c = opened(p, &o);
	assert_int_equal(qt_change_run(c, plan, &out, &err), -1);
	assert_int_equal(err.code, QT_E_LIBRARY);
	assert_string_equal(err.where, "x.tar");
	assert_string_equal(err.text, "the archive is not what it was");
	assert_int_equal(at_home(p), 8);
	h.answer = 0;
	qt_plan_free(plan); /* they have been renamed since: judged anew */
	plan = plan_of(p, QT_OP_ARCHIVE, 8);
	assert_int_equal(qt_change_run(c, plan, &out, &err), 0);
	assert_int_equal(h.decided, 2);
	assert_int_equal(h.txid, out.txid);
	assert_int_equal(at_home(p), 0);
	qt_change_close(c);
	qt_plan_free(plan);
	assert_int_equal(finish(p), 0);
}

/* ---- what is not its business ---- */

static void refused_ops(void **state)
{
	static const struct {
		const char *name;
		unsigned may;
		int64_t max;
		enum qt_op op;
		enum qt_code code;
	} cases[] = {
	    {"another operation", QT_HAND_OP(QT_OP_HOLD), -1, QT_OP_DELETE,
		QT_E_REFUSED},
	    {"more messages than --max", QT_HAND_OP(QT_OP_DELETE), 7,
		QT_OP_DELETE, QT_E_REFUSED},
	    {"a plan to who only undoes", QT_HAND_UNDO, -1, QT_OP_RELEASE,
		QT_E_REFUSED},
	};
	struct pair *p = *state;
	struct qt_change_opts o = {.no_wait = true};
	struct qt_outcome out = {0};
	struct qt_change *c;
	struct qt_plan *plan;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct qt_error err = {0};

		start(p, cases[i].may, cases[i].max);
		c = opened(p, &o);
		plan = plan_of(p, cases[i].op, 8);
		if (qt_change_run(c, plan, &out, &err) != -1 ||
		    err.code != cases[i].code)
			fail_msg("%s: %d %s", cases[i].name, (int)err.code,
			    err.text);
		assert_int_equal(at_home(p), 8);
		qt_plan_free(plan);
		qt_change_close(c);
		assert_int_equal(finish(p), 0);
	}
}

/* delete --purge may purge what it deleted, and nothing older. */
static void purge_own_only(void **state)
{
	struct pair *p = *state;
	struct qt_change_opts o = {.no_wait = true};
	struct qt_outcome out = {0};
	struct qt_error err = {0};
	struct qt_plan *a = plan_of(p, QT_OP_DELETE, 2), *b;
	struct qt_change *c;

	start(p, QT_HAND_OP(QT_OP_DELETE), -1);
	c = opened(p, &o);
	assert_int_equal(qt_change_run(c, a, &out, &err), 0);
	assert_int_equal(qt_change_purge(c, out.txid, &out, &err), -1);
	assert_int_equal(err.code, QT_E_REFUSED);
	assert_int_equal(qt_change_undo(c, out.txid, &out, &err), -1);
	assert_int_equal(err.code, QT_E_REFUSED);
	qt_change_close(c);
	assert_int_equal(finish(p), 0);

	memmove(&p->t.m[0], &p->t.m[2], 6 * sizeof(p->t.m[0]));
	p->t.n = 6;
	b = plan_of(p, QT_OP_DELETE, 2);
	start(p, QT_HAND_OP(QT_OP_DELETE) | QT_HAND_PURGE_OWN, -1);
	c = opened(p, &o);
	assert_int_equal(qt_change_run(c, b, &out, &err), 0);
	assert_int_equal(out.txid, 2);
	assert_int_equal(qt_change_purge(c, 1, &out, &err), -1);
	assert_int_equal(err.code, QT_E_REFUSED);
	assert_int_equal(qt_change_purge(c, 2, &out, &err), 0);
	qt_change_close(c);
	assert_int_equal(finish(p), 0);
	qt_plan_free(a);
	qt_plan_free(b);
}

/* ---- a judge that was taken over ---- */

static void send_raw(const struct pair *p, const void *bytes, size_t len)
{
	assert_int_equal(send(p->hand.fd, bytes, len, MSG_NOSIGNAL),
	    (ssize_t)len);
}

static void post(const struct pair *p, struct qt_wire_message *m)
{
	assert_int_equal(qt_wire_send(p->hand.fd, m), 0);
}

/* The result of what was sent; what comes before it does not matter. */
static const struct qt_wire_result *result(const struct pair *p,
    struct qt_wire_message *m)
{
	do
		assert_int_equal(qt_wire_receive(p->hand.fd, m), 0);
	while (m->type != QT_WIRE_RESULT);
	return &m->u.result;
}

/* Of no length or type that is known: nobody talks to it any more. */
static void nonsense(void **state)
{
	struct pair *p = *state;
	struct qt_wire_message m;
	unsigned char bytes[64] = {0};
	const size_t lengths[] = {1, 4, 7, 8, 9, 64};
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		memset(bytes, 0xff, sizeof(bytes));
		start(p, QT_HAND_OP(QT_OP_DELETE), -1);
		send_raw(p, bytes, lengths[i]);
		assert_int_equal(finish(p), 1);
	}
	/* a length that is not that of its type, in the head or on the way */
	for (i = 0; i < 2; i++) {
		start(p, QT_HAND_OP(QT_OP_DELETE), -1);
		qt_wire_init(&m, QT_WIRE_OPEN);
		m.size += i == 0;
		send_raw(p, &m, 8 + m.size - (i != 0));
		assert_int_equal(finish(p), 1);
	}
	/* the hand's own messages */
	start(p, QT_HAND_OP(QT_OP_DELETE), -1);
	qt_wire_init(&m, QT_WIRE_RESULT);
	post(p, &m);
	assert_int_equal(finish(p), 1);
	assert_int_equal(at_home(p), 8);
}

static void out_of_order(void **state)
{
	static const enum qt_wire_type early[] = {QT_WIRE_RUN, QT_WIRE_UNDO,
	    QT_WIRE_REDO, QT_WIRE_PURGE};
	struct pair *p = *state;
	struct qt_wire_message m;
	size_t i;

	start(p, ~0u, -1);
	for (i = 0; i < sizeof(early) / sizeof(early[0]); i++) {
		qt_wire_init(&m, early[i]);
		m.u.txid = 1;
		post(p, &m);
		assert_int_equal(result(p, &m)->err.code, QT_E_USAGE);
	}
	qt_wire_init(&m, QT_WIRE_OPEN);
	post(p, &m);
	assert_int_equal(result(p, &m)->r, 0);
	post(p, (qt_wire_init(&m, QT_WIRE_OPEN), &m));
	assert_int_equal(result(p, &m)->err.code, QT_E_USAGE);
	/* a run without a plan */
	post(p, (qt_wire_init(&m, QT_WIRE_RUN), &m));
	assert_int_equal(result(p, &m)->err.code, QT_E_STATE);
	assert_int_equal(finish(p), 0);
	assert_int_equal(at_home(p), 8);
}

static void send_plan_text(const struct pair *p, const char *text, size_t len,
    size_t said)
{
	struct qt_wire_message m;
	size_t part;

	for (; len > 0; len -= part, text += part) {
		part = len < 1000 ? len : 1000;
		m.type = QT_WIRE_PLAN;
		m.size = (uint32_t)part;
		memcpy(m.u.plan, text, part);
		post(p, &m);
	}
	qt_wire_init(&m, QT_WIRE_RUN);
	m.u.bytes = said;
	post(p, &m);
}

/* A plan as its bytes; it is freed. */
static char *text_of(struct qt_plan *plan, uint64_t queue_ino, size_t *len)
{
	struct qt_error err = {0};
	char name[] = "/tmp/qtool-plan.XXXXXX", *text;
	struct stat st;
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	(void)unlink(name);
	plan->queue_ino = queue_ino;
	assert_int_equal(qt_plan_write(plan, &qt_fsops_system, fd, "plan", &err),
	    0);
	qt_plan_free(plan);
	assert_int_equal(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	text = malloc(*len);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, *len, 0), st.st_size);
	(void)close(fd);
	return text;
}

/* To be spoilt. */
static char *plan_text(const struct pair *p, uint64_t queue_ino, size_t *len)
{
	return text_of(plan_of(p, QT_OP_DELETE, 8), queue_ino, len);
}

static void bad_plans(void **state)
{
	struct pair *p = *state;
	struct qt_wire_message m;
	char *text;
	size_t len, i;

	start(p, ~0u, -1);
	post(p, (qt_wire_init(&m, QT_WIRE_OPEN), &m));
	assert_int_equal(result(p, &m)->r, 0);
	/* of another queue: its inode is not that of the one opened before */
	text = plan_text(p, p->t.spool->ino + 1, &len);
	send_plan_text(p, text, len, len);
	assert_int_equal(result(p, &m)->err.code, QT_E_REFUSED);
	free(text);
	text = plan_text(p, p->t.spool->ino, &len);
	/* less than was said, cut, and each of some bytes changed */
	send_plan_text(p, text, len, len + 1);
	assert_int_equal(result(p, &m)->err.code, QT_E_STATE);
	send_plan_text(p, text, len - 1, len - 1);
	assert_int_equal(result(p, &m)->err.code, QT_E_STATE);
	for (i = 0; i < len; i += 37) {
		text[i] ^= 1;
		send_plan_text(p, text, len, len);
		assert_int_not_equal(result(p, &m)->r, 0);
		text[i] ^= 1;
	}
	assert_int_equal(at_home(p), 8);
	/* and as it was it is a plan like others: nothing of those is left */
	send_plan_text(p, text, len, len);
	assert_int_equal(result(p, &m)->r, 0);
	assert_int_equal(at_home(p), 0);
	free(text);
	assert_int_equal(finish(p), 0);
}

/* The judge ends while it is asked to decide: nothing is committed. */
static void judge_ends(void **state)
{
	struct pair *p = *state;
	struct qt_wire_message m;
	struct qt_tx_list l;
	struct qt_error err = {0};
	size_t len;
	char *text = plan_text(p, p->t.spool->ino, &len);

	start(p, ~0u, -1);
	qt_wire_init(&m, QT_WIRE_OPEN);
	m.u.open.decide = 1;
	post(p, &m);
	assert_int_equal(result(p, &m)->r, 0);
	send_plan_text(p, text, len, len);
	do
		assert_int_equal(qt_wire_receive(p->hand.fd, &m), 0);
	while (m.type != QT_WIRE_DECIDE);
	assert_int_equal(at_home(p), 0);
	assert_int_equal(finish(p), 0);
	assert_int_equal(at_home(p), 8);
	assert_int_equal(qt_tx_list_read(&l, p->t.spool, NULL, &err), 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.v[0].state, QT_TX_ABORTED);
	qt_tx_list_release(&l);
	free(text);
}

/* A stop that comes instead of the answer, and one between the requests. */
static void told_to_stop(void **state)
{
	struct pair *p = *state;
	struct qt_wire_message m;
	size_t len;
	char *text = plan_text(p, p->t.spool->ino, &len);

	start(p, ~0u, -1);
	post(p, (qt_wire_init(&m, QT_WIRE_OPEN), &m));
	assert_int_equal(result(p, &m)->r, 0);
	post(p, (qt_wire_init(&m, QT_WIRE_STOP), &m));
	send_plan_text(p, text, len, len);
	assert_int_equal(result(p, &m)->err.code, QT_E_INTERRUPTED);
	assert_int_equal(at_home(p), 8);
	free(text);
	assert_int_equal(finish(p), 0);
}

/* ---- a hand that ends ---- */

static void hand_ends(void **state)
{
	struct pair *p = *state;
	struct qt_change_opts o = {.no_wait = true};
	struct qt_outcome out = {0};
	struct qt_error err = {0};
	struct qt_plan *plan = plan_of(p, QT_OP_DELETE, 8);
	struct qt_change *c, *again = NULL;
	int status;

	start(p, ~0u, -1);
	c = opened(p, &o);
	close_end(p);
	assert_int_equal(kill(p->pid, SIGKILL), 0);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_int_equal(qt_change_run(c, plan, &out, &err), -1);
	assert_int_equal(err.code, QT_E_STATE);
	assert_non_null(strstr(err.text, "qtool recover"));
	/* from then on it is known, and nobody is waited for */
	assert_int_equal(qt_change_undo(c, 1, &out, &err), -1);
	assert_int_equal(err.code, QT_E_STATE);
	qt_change_close(c);
	assert_int_equal(qt_change_open(&again, p->t.spool, &o, NULL, &err), -1);
	assert_int_equal(err.code, QT_E_STATE);
	(void)close(p->hand.fd);
	qt_plan_free(plan);
	assert_int_equal(at_home(p), 8);
}

/* ---- a judge that is stopped, or was taken over ---- */

static void stopped_by_report(void *ctx, enum qt_fate fate, const char *queue,
    const char *id)
{
	(void)ctx, (void)fate, (void)queue, (void)id;
	(void)raise(SIGSTOP);
}

/* It ends, with all messages where they were, and the lock is free. */
static void ends_without_its_judge(struct pair *p)
{
	struct qt_change_opts o = {.no_wait = true};
	struct qt_error err = {0};
	struct qt_change *c = NULL;
	int status;

	(void)alarm(30); /* or the test would wait as long */
	assert_int_equal(kill(p->pid, SIGINT), 0);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	(void)alarm(0);
	assert_true(WIFEXITED(status));
	assert_int_equal(qt_change_open(&c, p->t.spool, &o, NULL, &err), 0);
	qt_change_close(c);
	close_end(p);
	(void)close(p->hand.fd);
	assert_int_equal(at_home(p), 8);
}

static void says_nothing(void **state)
{
	struct pair *p = *state;
	struct qt_wire_message m;

	start(p, ~0u, -1);
	post(p, (qt_wire_init(&m, QT_WIRE_OPEN), &m));
	assert_int_equal(result(p, &m)->r, 0);
	ends_without_its_judge(p);
}

/* One message, and very many that are reported as changed. */
static struct qt_plan *plan_of_reports(const struct pair *p, unsigned n)
{
	struct qt_plan *plan = plan_of(p, QT_OP_DELETE, 1);
	struct qt_plan_item it = plan->v[0];
	struct qt_error err = {0};
	unsigned i;

	for (i = 1; i <= n; i++) {
		it.ino = i; /* of another file */
		assert_int_equal(qt_plan_append(plan, &it, p->t.m[0].path, &err),
		    0);
	}
	return plan;
}

static void wait_until_full(const struct pair *p)
{
	struct pollfd full = {.fd = p->end, .events = POLLOUT};
	unsigned i;

	for (i = 0; i < 20000 && poll(&full, 1, 0) != 0; i++)
		(void)usleep(1000);
	assert_true(i < 20000);
}

/* Slow, not stopped: it is waited for, and what it then makes room is no word. */
static void reads_late(void **state)
{
	const unsigned n = 1000;
	struct pair *p = *state;
	struct qt_wire_message m;
	unsigned reports = 0;
	size_t len;
	char *text = text_of(plan_of_reports(p, n), p->t.spool->ino, &len);

	start(p, ~0u, -1);
	post(p, (qt_wire_init(&m, QT_WIRE_OPEN), &m));
	assert_int_equal(result(p, &m)->r, 0);
	send_plan_text(p, text, len, len);
	wait_until_full(p);
	do {
		assert_int_equal(qt_wire_receive(p->hand.fd, &m), 0);
		reports += m.type == QT_WIRE_REPORT;
	} while (m.type != QT_WIRE_RESULT);
	assert_int_equal(m.u.result.r, 0);
	assert_int_equal(m.u.result.done, 1);
	assert_int_equal(reports, n);
	assert_int_equal(at_home(p), 7);
	assert_int_equal(finish(p), 0);
	free(text);
}

/* Each message of its plan is reported, until no report can be sent any more. */
static void reads_nothing(void **state)
{
	struct pair *p = *state;
	struct qt_plan *plan = plan_of_reports(p, 5000);
	struct qt_change_opts o = {.no_wait = true};
	struct qt_change *c;
	struct qt_outcome out = {0};
	struct qt_error err = {0};
	pid_t judge;

	start(p, ~0u, -1);
	c = opened(p, &o);
	if ((judge = fork()) == 0) {
		out.report = stopped_by_report;
		(void)!qt_change_run(c, plan, &out, &err);
		_exit(0);
	}
	wait_until_full(p);
	ends_without_its_judge(p);
	(void)kill(judge, SIGKILL);
	(void)waitpid(judge, NULL, 0);
	p->hand.gone = true;
	qt_change_close(c);
	qt_plan_free(plan);
}

int main(void)
{
#define WITH(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {WITH(whole_life),
	    WITH(closed_and_opened), WITH(decision), WITH(refused_ops),
	    WITH(purge_own_only), WITH(nonsense), WITH(out_of_order),
	    WITH(bad_plans), WITH(judge_ends), WITH(told_to_stop),
	    WITH(hand_ends), WITH(says_nothing), WITH(reads_late),
	    WITH(reads_nothing)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
