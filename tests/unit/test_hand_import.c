/*
 * test_hand_import.c - an import over the socket between judge and hand: the
 * judge has the bytes, the hand makes the files.
 *
 * The hand is a child; the judge is the test, which also plays one that is taken
 * over, and one that ends.
 */
#include "unit/import_world.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "change/wire.h"
#include "qtool/hand.h"

struct pair {
	struct tspool t;
	struct qt_hand hand;
	pid_t pid;
	struct run r;
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

static void start(struct pair *p, int64_t max)
{
	struct qt_hand_opts opts = {.may = QT_HAND_OP(QT_OP_IMPORT) |
		QT_HAND_UNDO, .max = max, .stop = &stop_flag};
	struct qt_error err = {0};
	int judge, hand;

	stop_flag = 0;
	ts_make(&p->t);
	run_init(&p->r);
	assert_int_equal(qt_hand_pair(&judge, &hand, &err), 0);
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0) {
		(void)close(judge);
		hand_end = hand;
		(void)signal(SIGIO, on_io);
		_exit(qt_hand_serve(hand, p->t.spool, &opts, &err) == 0 ? 0 : 1);
	}
	(void)close(hand);
	p->hand = (struct qt_hand){.fd = judge};
	p->r.opts.hand = &p->hand;
}

/* Its exit status: 0 the judge ended it, 1 it would not talk any more. */
static int finish(struct pair *p)
{
	int status;

	if (p->hand.fd >= 0)
		(void)close(p->hand.fd);
	p->hand.fd = -1;
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int restore(struct pair *p, struct iw_supply *s)
{
	struct qt_plan *plan = iw_plan(QT_Q_HOLD, s->from, IW_N);
	struct qt_change *c = NULL;
	int r = -2;

	iw_use(&p->r, s);
	if (qt_change_open(&c, p->t.spool, &p->r.opts, NULL, &p->r.err) == 0)
		r = qt_change_run(c, plan, &p->r.out, &p->r.err);
	qt_change_close(c);
	qt_plan_free(plan);
	return r;
}

static void bytes_go_over_the_socket(void **state)
{
	struct iw_supply s = {.from = 0};
	struct pair p;

	(void)state;
	start(&p, -1);
	assert_int_equal(restore(&p, &s), 0);
	assert_int_equal(p.r.out.txid, 1);
	assert_int_equal(p.r.out.done, IW_N);
	iw_all(&p.t, 1);
	/* the second time it is told by name */
	assert_int_equal(restore(&p, &s), -1);
	assert_int_equal(p.r.err.code, QT_E_REFUSED);
	/* and done with consent */
	p.r.opts.again = true;
	assert_int_equal(restore(&p, &s), 0);
	assert_int_equal(iw_in_queues(&p.t), 2 * (IW_N + 5));
	assert_int_equal(finish(&p), 0);
	ts_release(&p.t);
}

#define LARGE 1000000

static int large_give(void *ctx, size_t seq, enum qt_queue log, qt_put_fn *put,
    void *put_ctx, struct qt_error *err)
{
	(void)seq;
	(void)log;
	return put(put_ctx, ctx, LARGE, err);
}

static void a_large_one_comes_in_pieces(void **state)
{
	struct qt_import im = {.to = QT_Q_HOLD, .queue = QT_Q_DEFERRED,
	    .id = "ABCDE77"};
	char *large = malloc(LARGE + 1), hex[65];
	struct qt_change *c = NULL;
	struct qt_plan *plan;
	struct iw_ids ids;
	struct stat st;
	struct pair p;

	(void)state;
	assert_non_null(large);
	memset(large, 'x', LARGE);
	large[LARGE] = '\0';
	start(&p, -1);
	p.r.opts.supply = large_give;
	p.r.opts.supply_ctx = large;
	im.message = (struct qt_import_file){LARGE, iw_sum(large, hex)};
	assert_int_equal(qt_plan_new(&plan, QT_OP_IMPORT, &p.r.err), 0);
	assert_int_equal(qt_plan_add_import(plan, &im, &p.r.err), 0);
	assert_int_equal(qt_change_open(&c, p.t.spool, &p.r.opts, NULL,
	    &p.r.err), 0);
	assert_int_equal(qt_change_run(c, plan, &p.r.out, &p.r.err), 0);
	qt_change_close(c);
	qt_plan_free(plan);
	assert_int_equal(finish(&p), 0);
	iw_map(&p.t, 1, &ids);
	assert_int_equal(fstatat(p.t.fd, ids.id[1], &st, 0), 0);
	assert_int_equal(st.st_size, LARGE);
	free(large);
	ts_release(&p.t);
}

static void other_bytes_are_refused_and_passed_over(void **state)
{
	struct iw_supply s;
	struct pair p;
	unsigned at;

	(void)state;
	start(&p, -1);
	for (at = 1; at <= IW_N + 5; at++) {
		s = (struct iw_supply){.wrong = at};
		assert_int_equal(restore(&p, &s), -1);
		assert_int_equal(p.r.err.code, QT_E_CORRUPT);
		assert_int_equal(iw_in_queues(&p.t), 0);
		assert_int_equal(iw_copies(&p.t), 0);
	}
	s = (struct iw_supply){.wrong = 0};
	assert_int_equal(restore(&p, &s), 0);
	assert_int_equal(finish(&p), 0);
	ts_release(&p.t);
}

static int cannot_read(void *ctx, size_t seq, enum qt_queue log, qt_put_fn *put,
    void *put_ctx, struct qt_error *err)
{
	if (seq == 0)
		return iw_give(ctx, seq, log, put, put_ctx, err);
	(void)put(put_ctx, "t", 1, err);
	return qt_fail(err, QT_E_LIBRARY, "archive", "cannot be read");
}

static void what_cannot_be_read_is_told(void **state)
{
	struct iw_supply s = {.from = 0};
	struct qt_change *c = NULL;
	struct qt_plan *plan = iw_plan(QT_Q_HOLD, 0, IW_N);
	struct pair p;

	(void)state;
	start(&p, -1);
	p.r.opts.supply = cannot_read;
	p.r.opts.supply_ctx = &s;
	assert_int_equal(qt_change_open(&c, p.t.spool, &p.r.opts, NULL,
	    &p.r.err), 0);
	assert_int_equal(qt_change_run(c, plan, &p.r.out, &p.r.err), -1);
	assert_string_equal(p.r.err.text, "cannot be read");
	qt_change_close(c);
	qt_plan_free(plan);
	assert_int_equal(iw_in_queues(&p.t), 0);
	assert_int_equal(iw_copies(&p.t), 0);
	assert_int_equal(finish(&p), 0);
	ts_release(&p.t);
}

/* In the middle of a file. */
static int ends(void *ctx, size_t seq, enum qt_queue log, qt_put_fn *put,
    void *put_ctx, struct qt_error *err)
{
	struct pair *p = ctx;

	(void)log;
	if (seq == 1) {
		(void)put(put_ctx, "th", 2, err);
		(void)shutdown(p->hand.fd, SHUT_RDWR);
		return put(put_ctx, "e", 1, err);
	}
	return put(put_ctx, iw_messages[0].bytes, strlen(iw_messages[0].bytes),
	    err);
}

static void a_judge_that_ends_leaves_nothing(void **state)
{
	struct qt_change *c = NULL;
	struct qt_plan *plan = iw_plan(QT_Q_HOLD, 0, IW_N);
	struct pair p;

	(void)state;
	start(&p, -1);
	p.r.opts.supply = ends;
	p.r.opts.supply_ctx = &p;
	assert_int_equal(qt_change_open(&c, p.t.spool, &p.r.opts, NULL,
	    &p.r.err), 0);
	assert_int_equal(qt_change_run(c, plan, &p.r.out, &p.r.err), -1);
	assert_int_equal(p.r.err.code, QT_E_STATE);
	qt_change_close(c);
	qt_plan_free(plan);
	assert_int_equal(finish(&p), 0);
	assert_int_equal(iw_in_queues(&p.t), 0);
	assert_int_equal(iw_copies(&p.t), 0);
	ts_release(&p.t);
}

/* Answers what was not asked, when bytes are wanted. */
static int talks(void *ctx, size_t seq, enum qt_queue log, qt_put_fn *put,
    void *put_ctx, struct qt_error *err)
{
	static struct qt_wire_message m;
	struct pair *p = ctx;

	(void)seq;
	(void)log;
	(void)put;
	(void)put_ctx;
	(void)err;
	qt_wire_init(&m, QT_WIRE_PURGE);
	assert_int_equal(qt_wire_send(p->hand.fd, &m), 0);
	return 0;
}

static void another_answer_ends_it(void **state)
{
	struct qt_change *c = NULL;
	struct qt_plan *plan = iw_plan(QT_Q_HOLD, 0, IW_N);
	struct pair p;

	(void)state;
	start(&p, -1);
	p.r.opts.supply = talks;
	p.r.opts.supply_ctx = &p;
	assert_int_equal(qt_change_open(&c, p.t.spool, &p.r.opts, NULL,
	    &p.r.err), 0);
	assert_int_equal(qt_change_run(c, plan, &p.r.out, &p.r.err), -1);
	qt_change_close(c);
	qt_plan_free(plan);
	(void)finish(&p);
	assert_int_equal(iw_in_queues(&p.t), 0);
	assert_int_equal(iw_copies(&p.t), 0);
	ts_release(&p.t);
}

static void no_more_than_allowed(void **state)
{
	struct iw_supply s = {.from = 0};
	struct pair p;

	(void)state;
	start(&p, IW_N - 1);
	assert_int_equal(restore(&p, &s), -1);
	assert_int_equal(p.r.err.code, QT_E_REFUSED);
	assert_int_equal(s.calls, 0);
	assert_int_equal(iw_in_queues(&p.t), 0);
	assert_int_equal(finish(&p), 0);
	ts_release(&p.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bytes_go_over_the_socket),
	    cmocka_unit_test(a_large_one_comes_in_pieces),
	    cmocka_unit_test(other_bytes_are_refused_and_passed_over),
	    cmocka_unit_test(what_cannot_be_read_is_told),
	    cmocka_unit_test(a_judge_that_ends_leaves_nothing),
	    cmocka_unit_test(another_answer_ends_it),
	    cmocka_unit_test(no_more_than_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
