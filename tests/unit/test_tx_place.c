/*
 * test_tx_place.c - hold and release: from queue to queue, whole or not at all, and
 * back.
 */
#include "unit/place_run.h"

#include <time.h>

static void move(const struct tspool *t, const char *from,
    const struct tmessage *m, const char *to)
{
	char path[4096];

	(void)snprintf(path, sizeof(path), "%s/%s", to, m->id);
	assert_int_equal(renameat(t->fd, from, t->fd, path), 0);
}

/* ---- hold ---- */

static void hold_moves_messages_and_leaves_their_logs(void **state)
{
	struct tspool t;
	struct run r;
	char *before;
	size_t i;

	(void)state;
	fill(&t);
	run_init(&r);
	before = ts_snapshot(&t);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_HOLD, 2, 5)), 0);
	assert_int_equal(r.out.txid, 1);
	assert_int_equal(r.out.done, 3);
	for (i = 2; i < 5; i++) {
		assert_true(lies_in(&t, "hold", &t.m[i]));
		assert_false(ts_exists(&t, "%s", t.m[i].path));
		assert_true(ts_exists(&t, "defer/%c/%s", t.m[i].id[0],
		    t.m[i].id));
	}
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_PLACED);
	/* undone: names, bytes, modes, owners, times, inodes as they were */
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_int_equal(r.out.done, 3);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
	ts_as_before(&t, before);
	ts_release(&t);
}

static void what_qmgr_took_meanwhile_is_its(void **state)
{
	char want[128];
	struct qt_plan *p;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	p = op_plan(&t, QT_OP_HOLD, 2, 5);
	move(&t, t.m[3].path, &t.m[3], "active");
	assert_int_equal(carry_out(&t, &r, p), 0);
	assert_int_equal(r.out.done, 2);
	(void)snprintf(want, sizeof(want), "in delivery deferred %s;",
	    t.m[3].id);
	assert_string_equal(r.seen.text, want);
	assert_true(lies_in(&t, "active", &t.m[3]));
	ts_release(&t);
}

static void what_was_asked_for_in_active_comes_to_hold(void **state)
{
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	(void)ts_message(&t, QT_Q_ACTIVE, 0x33333, "");
	(void)ts_message(&t, QT_Q_INCOMING, 0x44444, "");
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_HOLD, 5, 7)), 0);
	assert_int_equal(r.out.done, 2);
	assert_true(lies_in(&t, "hold", &t.m[5]));
	assert_true(lies_in(&t, "hold", &t.m[6]));
	assert_int_equal(undo(&t, &r, 1, false), 0);
	/* qmgr has forgotten it: it begins anew */
	assert_true(lies_in(&t, "incoming", &t.m[5]));
	assert_true(lies_in(&t, "incoming", &t.m[6]));
	ts_release(&t);
}

static void what_changed_stays(void **state)
{
	struct timespec later[2] = {{1, 0}, {1900000000, 0}};
	char want[256];
	struct qt_plan *p;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	p = op_plan(&t, QT_OP_HOLD, 2, 5);
	assert_int_equal(utimensat(t.fd, t.m[2].path, later, 0), 0);
	assert_int_equal(unlinkat(t.fd, t.m[3].path, 0), 0);
	assert_int_equal(carry_out(&t, &r, p), 0);
	assert_int_equal(r.out.done, 1);
	assert_int_equal(r.out.changed, 1);
	assert_int_equal(r.out.gone, 1);
	(void)snprintf(want, sizeof(want), "changed deferred %s;gone deferred "
	    "%s;", t.m[2].id, t.m[3].id);
	assert_string_equal(r.seen.text, want);
	assert_true(lies_in_deferred(&t, &t.m[2]));
	ts_release(&t);
}

/* ---- release ---- */

static void release_comes_back_from_where_qmgr_has_it(void **state)
{
	struct timespec tried[2] = {{1, 0}, {1900000000, 0}};
	char path[128];
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	(void)ts_message(&t, QT_Q_HOLD, 0x33333, "");
	(void)ts_message(&t, QT_Q_HOLD, 0x44444, "");
	move(&t, t.m[2].path, &t.m[2], "saved"); /* not part of this */
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_RELEASE, 0, 2)), 0);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_RELEASE, 5, 7)), 0);
	assert_int_equal(r.out.txid, 2);
	assert_true(lies_in_deferred(&t, &t.m[5]));
	assert_true(lies_in_deferred(&t, &t.m[6]));
	/* one is in delivery, one was tried; of the others one was delivered */
	(void)snprintf(path, sizeof(path), "deferred/%c/%s", t.m[5].id[0],
	    t.m[5].id);
	move(&t, path, &t.m[5], "active");
	(void)snprintf(path, sizeof(path), "deferred/%c/%s", t.m[6].id[0],
	    t.m[6].id);
	assert_int_equal(utimensat(t.fd, path, tried, 0), 0);
	assert_int_equal(undo(&t, &r, 2, false), 0);
	assert_int_equal(r.out.done, 2);
	assert_true(lies_in(&t, "hold", &t.m[5]));
	assert_true(lies_in(&t, "hold", &t.m[6]));
	assert_int_equal(mtime_of(&t, "hold", &t.m[6]), 1900000000);
	(void)snprintf(path, sizeof(path), "deferred/%c/%s", t.m[0].id[0],
	    t.m[0].id);
	assert_int_equal(unlinkat(t.fd, path, 0), 0);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_int_equal(r.out.done, 1);
	assert_int_equal(r.out.gone, 1);
	assert_true(lies_in(&t, "hold", &t.m[1]));
	ts_release(&t);
}

static void a_name_that_is_taken_keeps_a_message(void **state)
{
	char path[128];
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	(void)snprintf(path, sizeof(path), "deferred/%c", t.m[0].id[0]);
	ts_dir(&t, path);
	(void)snprintf(path, sizeof(path), "deferred/%c/%s", t.m[0].id[0],
	    t.m[0].id);
	ts_write(&t, path, "another", 0700);
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_RELEASE, 0, 2)), 0);
	assert_int_equal(r.out.done, 1);
	assert_int_equal(r.out.changed, 1);
	assert_true(lies_in(&t, "hold", &t.m[0]));
	assert_true(lies_in_deferred(&t, &t.m[1]));
	ts_release(&t);
}

/*
 * An ID that is not of its inode may be another message's in another queue:
 * qmgr would rename one over the other.
 */
static void an_id_in_two_queues_is_not_released(void **state)
{
	struct tspool t;
	struct run r;
	char path[96];

	(void)state;
	fill(&t);
	/* m[2] in incoming, and m[0] under its ID in hold */
	move(&t, t.m[2].path, &t.m[2], "incoming");
	(void)snprintf(path, sizeof(path), "hold/%s", t.m[2].id);
	assert_int_equal(renameat(t.fd, t.m[0].path, t.fd, path), 0);
	(void)strlcpy(t.m[0].path, path, sizeof(t.m[0].path));
	(void)strlcpy(t.m[0].id, t.m[2].id, sizeof(t.m[0].id));
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_RELEASE, 0, 2)), 0);
	assert_int_equal(r.out.done, 1);
	assert_int_equal(r.out.changed, 1);
	assert_true(lies_in(&t, "hold", &t.m[0]));
	assert_true(lies_in(&t, "incoming", &t.m[2]));
	ts_release(&t);
}

/* ---- faults and crashes ---- */

static void a_fault_sends_all_back(void **state)
{
	static const enum qt_op ops[] = {QT_OP_HOLD, QT_OP_RELEASE,
	    QT_OP_REQUEUE};
	struct schedule s;
	struct tspool t;
	struct run r;
	char *before;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		size_t from = ops[i] == QT_OP_RELEASE ? 0 : 2;
		size_t to = ops[i] == QT_OP_RELEASE ? 2 : 5;

		fill(&t);
		run_init(&r);
		before = ts_snapshot(&t);
		use_schedule(&r, &s, &t);
		s.when = t.m[to - 1].id; /* the last one */
		s.fail = EIO;
		s.fail_once = true;
		assert_int_equal(carry_out(&t, &r,
		    op_plan(&t, ops[i], from, to)), -1);
		assert_non_null(strstr(r.err.text, "rename"));
		assert_int_equal(r.out.done, 0);
		assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
		ts_as_before(&t, before);
		ts_release(&t);
	}
}

static void a_fault_that_stays_is_settled_later(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	size_t i;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[4].id;
	s.fail = EIO;
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_HOLD, 2, 5)), -1);
	assert_int_equal(r.err.code, QT_E_STATE);
	assert_non_null(strstr(r.err.text, "qtool recover"));
	run_init(&r);
	assert_int_equal(recover(&t, &r), 1);
	/* it was on its way back */
	for (i = 2; i < 5; i++)
		assert_true(lies_in_deferred(&t, &t.m[i]));
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
	assert_int_equal(recover(&t, &r), 0);
	ts_release(&t);
}

struct job {
	struct tspool *t;
	enum qt_op op;
	size_t from, to;
	int undo; /* -1 carry out; else in place or not */
};

static void do_job(struct run *r, void *ctx)
{
	struct job *j = ctx;

	if (j->undo >= 0)
		(void)undo(j->t, r, 1, j->undo == 1);
	else
		(void)carry_out(j->t, r, op_plan(j->t, j->op, j->from, j->to));
}

/* How many of the messages are in a queue's directory. */
static size_t count_in(const struct tspool *t, const struct job *j,
    const char *queue)
{
	size_t i, n = 0;

	for (i = j->from; i < j->to; i++)
		n += strcmp(queue, "deferred") == 0 ?
		    lies_in_deferred(t, &t->m[i]) :
		    lies_in(t, queue, &t->m[i]);
	return n;
}

static void a_crash_anywhere_is_whole_after_recovery(void **state)
{
	static const struct {
		enum qt_op op;
		size_t from, to;
		const char *origin, *target;
	} cases[] = {
	    {QT_OP_HOLD, 2, 5, "deferred", "hold"},
	    {QT_OP_RELEASE, 0, 2, "hold", "deferred"},
	    {QT_OP_REQUEUE, 2, 5, "deferred", "maildrop"},
	};
	unsigned at, crashes = 0;
	size_t i, there;
	struct tspool t;
	struct run r;
	bool ended;
	int after;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (at = 1, ended = true; ended; at++)
			for (after = 0; after < 2; after++) {
				struct job j = {&t, cases[i].op, cases[i].from,
				    cases[i].to, -1};

				fill(&t);
				ended = ends_in(at, after == 1, do_job, &j);
				crashes += ended;
				run_init(&r);
				assert_true(recover(&t, &r) >= 0);
				there = count_in(&t, &j, cases[i].target);
				assert_true(there == 0 || there == j.to - j.from);
				assert_int_equal(there +
				    count_in(&t, &j, cases[i].origin),
				    j.to - j.from);
				/* twice is once */
				assert_int_equal(recover(&t, &r), 0);
				/* and the way back as well */
				if (there != 0) {
					j.undo = 1;
					(void)ends_in(at, after == 1, do_job, &j);
					assert_true(recover(&t, &r) >= 0);
					assert_true(undo(&t, &r, 1, true) == 0 ||
					    r.err.code == QT_E_REFUSED);
					assert_int_equal(count_in(&t, &j,
					    cases[i].origin), j.to - j.from);
				}
				ts_release(&t);
			}
	assert_true(crashes > 12);
}

/* ---- what this transaction has not moved ---- */

static void hold_another(struct schedule *s)
{
	move(s->t, s->t->m[4].path, &s->t->m[4], "hold");
}

/* A fault sends back what was moved, not what the admin holds meanwhile. */
static void a_fault_sends_back_only_its_own(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[3].id;
	s.act = hold_another;
	s.fail = EIO;
	s.fail_once = true;
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_HOLD, 2, 5)), -1);
	assert_true(lies_in(&t, "hold", &t.m[4]));
	ts_release(&t);
}

static void qmgr_takes(struct schedule *s)
{
	move(s->t, s->t->m[4].path, &s->t->m[4], "active");
}

/* With --strict what qmgr takes on the way sends all back. */
static void strict_is_all_or_none(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	r.opts.strict = true;
	s.when = t.m[3].id;
	s.act = qmgr_takes;
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_HOLD, 2, 5)), -1);
	assert_int_equal(r.err.code, QT_E_REFUSED);
	assert_int_equal(r.out.done, 0);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
	assert_true(lies_in_deferred(&t, &t.m[2]));
	assert_true(lies_in_deferred(&t, &t.m[3]));
	assert_true(lies_in(&t, "active", &t.m[4]));
	ts_release(&t);
}

/* What was left alone and was held by the admin later is not let go by undo. */
static void undo_of_a_hold_lets_go_only_its_own(void **state)
{
	struct schedule s;
	char path[160];
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id;
	s.act = qmgr_takes;
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_HOLD, 2, 5)), 0);
	assert_int_equal(r.out.done, 2);
	(void)snprintf(path, sizeof(path), "active/%s", t.m[4].id);
	move(&t, path, &t.m[4], "hold"); /* postsuper -h */
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_int_equal(r.out.planned, 2);
	assert_int_equal(r.out.done, 2);
	assert_true(lies_in(&t, "hold", &t.m[4]));
	ts_release(&t);
}

/* The same when others were faster: it is told, and theirs. */
static void what_others_held_meanwhile_is_theirs(void **state)
{
	struct schedule s;
	struct tspool t;
	char want[128];
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id;
	s.act = hold_another;
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_HOLD, 2, 5)), 0);
	assert_int_equal(r.out.done, 2);
	assert_int_equal(r.out.changed, 1);
	(void)snprintf(want, sizeof(want), "changed deferred %s;", t.m[4].id);
	assert_string_equal(r.seen.text, want);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_true(lies_in(&t, "hold", &t.m[4]));
	assert_true(lies_in_deferred(&t, &t.m[3]));
	/* what is left in place is not redone either, as it is there */
	assert_int_equal(redo(&t, &r, 1), 0);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_true(lies_in(&t, "hold", &t.m[4]));
	assert_true(lies_in_deferred(&t, &t.m[2]));
	ts_release(&t);
}

/* Killed on the way, and others hold what it had not come to. */
static void a_killed_hold_is_undone_as_far_as_it_came(void **state)
{
	struct tspool t;
	struct job j = {&t, QT_OP_HOLD, 2, 5, -1};
	struct run r;
	int before;

	(void)state;
	for (before = 0; before < 2; before++) {
		fill(&t);
		/* state-dirs, the plan, the first message, the second */
		assert_true(ends_in(before ? 4 : 3, !before, do_job, &j));
		move(&t, t.m[4].path, &t.m[4], "hold");
		run_init(&r);
		assert_int_equal(recover(&t, &r), 1);
		assert_int_equal(state_of(&t, 1, NULL), QT_TX_PLACED);
		assert_int_equal(count_in(&t, &j, "hold"), 3);
		assert_int_equal(undo(&t, &r, 1, false), 0);
		assert_true(lies_in_deferred(&t, &t.m[2]));
		assert_true(lies_in_deferred(&t, &t.m[3]));
		assert_true(lies_in(&t, "hold", &t.m[4]));
		ts_release(&t);
	}
}

/* Qmgr has tried one meanwhile, and is at another. */
static void a_killed_hold_holds_what_was_tried_since(void **state)
{
	struct timespec later[2] = {{0, UTIME_OMIT}, {1900000000, 0}};
	struct tspool t;
	struct job j = {&t, QT_OP_HOLD, 2, 5, -1};
	char want[128];
	struct run r;

	(void)state;
	fill(&t);
	assert_true(ends_in(4, false, do_job, &j));
	assert_int_equal(utimensat(t.fd, t.m[3].path, later, 0), 0);
	move(&t, t.m[4].path, &t.m[4], "active");
	run_init(&r);
	r.opts.report = on_report;
	r.opts.report_ctx = &r.seen;
	assert_int_equal(recover(&t, &r), 1);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_PLACED);
	(void)snprintf(want, sizeof(want), "in delivery deferred %s;",
	    t.m[4].id);
	assert_string_equal(r.seen.text, want);
	assert_true(lies_in(&t, "hold", &t.m[2]));
	assert_true(lies_in(&t, "hold", &t.m[3]));
	assert_true(lies_in(&t, "active", &t.m[4]));
	ts_release(&t);
}

/* A fault, and killed while it goes back: recovery knows what it had moved. */
struct fault {
	unsigned n, at, end; /* renames: made, failing, the last */
	struct tspool *t;
};

static int f_rename(void *ctx, int fd, const char *from, int td, const char *to)
{
	struct fault *f = ctx;

	if (++f->n == f->at) {
		move(f->t, f->t->m[4].path, &f->t->m[4], "hold");
		errno = EIO;
		return -1;
	}
	if (f->n == f->end)
		_exit(0);
	return qt_fsops_system.rename(NULL, fd, from, td, to);
}

static void do_fault(struct run *r, void *ctx)
{
	struct fault *f = ctx;

	r->fs.ctx = f;
	r->fs.rename = f_rename;
	(void)carry_out(f->t, r, op_plan(f->t, QT_OP_HOLD, 2, 5));
	_exit(1);
}

static void killed_on_its_way_back_it_goes_on_with_its_own(void **state)
{
	struct tspool t;
	struct fault f = {.at = 4, .end = 5, .t = &t}; /* as above */
	struct run r;
	int status;
	pid_t pid;

	(void)state;
	fill(&t);
	if ((pid = fork()) == 0) {
		run_init(&r);
		do_fault(&r, &f);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	run_init(&r);
	assert_int_equal(recover(&t, &r), 1);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
	assert_true(lies_in_deferred(&t, &t.m[2]));
	assert_true(lies_in_deferred(&t, &t.m[3]));
	assert_true(lies_in(&t, "hold", &t.m[4]));
	ts_release(&t);
}

static void interrupted_before_the_record_nothing_moves(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	run_init(&r);
	before = ts_snapshot(&t);
	use_schedule(&r, &s, &t);
	s.when = "plan.tmp";
	s.act = interrupt;
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_HOLD, 2, 5)), -1);
	assert_int_equal(r.err.code, QT_E_INTERRUPTED);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTED);
	ts_as_before(&t, before);
	ts_release(&t);
}

/* ---- once more ---- */

static void an_undo_can_be_undone(void **state)
{
	struct tspool t;
	struct run r;
	char *held;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_HOLD, 2, 5)), 0);
	held = ts_snapshot(&t);
	assert_int_equal(redo(&t, &r, 1), -1); /* nothing to undo the undo of */
	assert_int_equal(r.err.code, QT_E_REFUSED);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_int_equal(redo(&t, &r, 1), 0);
	assert_int_equal(r.out.done, 3);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_PLACED);
	ts_as_before(&t, held);
	/* and so on */
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_int_equal(redo(&t, &r, 1), 0);
	ts_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hold_moves_messages_and_leaves_their_logs),
	    cmocka_unit_test(what_qmgr_took_meanwhile_is_its),
	    cmocka_unit_test(what_was_asked_for_in_active_comes_to_hold),
	    cmocka_unit_test(what_changed_stays),
	    cmocka_unit_test(release_comes_back_from_where_qmgr_has_it),
	    cmocka_unit_test(a_name_that_is_taken_keeps_a_message),
	    cmocka_unit_test(an_id_in_two_queues_is_not_released),
	    cmocka_unit_test(a_fault_sends_all_back),
	    cmocka_unit_test(a_fault_that_stays_is_settled_later),
	    cmocka_unit_test(a_crash_anywhere_is_whole_after_recovery),
	    cmocka_unit_test(a_fault_sends_back_only_its_own),
	    cmocka_unit_test(strict_is_all_or_none),
	    cmocka_unit_test(undo_of_a_hold_lets_go_only_its_own),
	    cmocka_unit_test(what_others_held_meanwhile_is_theirs),
	    cmocka_unit_test(a_killed_hold_is_undone_as_far_as_it_came),
	    cmocka_unit_test(a_killed_hold_holds_what_was_tried_since),
	    cmocka_unit_test(killed_on_its_way_back_it_goes_on_with_its_own),
	    cmocka_unit_test(interrupted_before_the_record_nothing_moves),
	    cmocka_unit_test(an_undo_can_be_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
