/*
 * test_tx_stage.c - taking messages while others move them: what is not the
 * judged message, or is in delivery, stays where it is.
 */
#include "unit/change_run.h"

/* ---- what is not as it was judged ---- */

static void gone_and_changed_are_named_and_left(void **state)
{
	struct timespec later[2] = {{1, 0}, {1900000000, 0}};
	char *swapped, want[256];
	struct qt_plan *p;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	p = ts_plan(&t, 0, 5);
	/* delivered; tried again; replaced by another of the same size */
	assert_int_equal(unlinkat(t.fd, t.m[0].path, 0), 0);
	assert_int_equal(utimensat(t.fd, t.m[2].path, later, 0), 0);
	ts_write(&t, "new", "message 43981", 0700);
	assert_int_equal(renameat(t.fd, "new", t.fd, t.m[4].path), 0);
	assert_int_equal(delete_plan(&t, &r, p), 0);
	assert_int_equal(r.out.planned, 5);
	assert_int_equal(r.out.done, 2);
	assert_int_equal(r.out.gone, 1);
	assert_int_equal(r.out.changed, 2);
	(void)snprintf(want, sizeof(want),
	    "gone hold %s;changed deferred %s;changed deferred %s;", t.m[0].id,
	    t.m[2].id, t.m[4].id);
	assert_string_equal(r.seen.text, want);
	assert_true(ts_exists(&t, "%s", t.m[2].path));
	assert_true(ts_exists(&t, "defer/0/%s", t.m[2].id));
	assert_true(ts_exists(&t, "%s", t.m[4].path));
	/* and they stay out when it is undone */
	swapped = ts_snapshot(&t);
	assert_int_equal(purge(&t, &r, 1), 0);
	ts_as_before(&t, swapped);
	ts_release(&t);
}

static void a_changed_mode_is_a_change(void **state)
{
	struct qt_plan *p;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	p = ts_plan(&t, 0, 1);
	assert_int_equal(fchmodat(t.fd, t.m[0].path, 0710, 0), 0); /* -e */
	assert_int_equal(delete_plan(&t, &r, p), -1);
	assert_int_equal(r.err.code, QT_E_GONE);
	assert_int_equal(r.out.changed, 1);
	assert_int_equal(r.out.txid, 0);
	assert_false(ts_exists(&t, "qtool/tx/000001"));
	ts_release(&t);
}

static void strict_refuses(void **state)
{
	struct qt_plan *p;
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	run_init(&r);
	r.opts.strict = true;
	p = ts_plan(&t, 0, 5);
	assert_int_equal(unlinkat(t.fd, t.m[4].path, 0), 0);
	before = ts_snapshot(&t);
	assert_int_equal(delete_plan(&t, &r, p), -1);
	assert_int_equal(r.err.code, QT_E_REFUSED);
	ts_as_before(&t, before);
	ts_release(&t);
}

static void one_that_moved_is_followed(void **state)
{
	struct qt_plan *p;
	struct tspool t;
	struct run r;
	char to[128], *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	run_init(&r);
	p = ts_plan(&t, 0, 5);
	(void)snprintf(to, sizeof(to), "incoming/%s", t.m[2].id);
	assert_int_equal(renameat(t.fd, t.m[2].path, t.fd, to), 0);
	(void)snprintf(to, sizeof(to), "deferred/1/%s", t.m[0].id);
	ts_dir(&t, "deferred/1");
	assert_int_equal(renameat(t.fd, t.m[0].path, t.fd, to), 0);
	assert_int_equal(delete_plan(&t, &r, p), 0);
	assert_int_equal(r.out.done, 5);
	assert_false(ts_exists(&t, "incoming/%s", t.m[2].id));
	assert_int_equal(undo(&t, &r, 1, true), 0);
	ts_as_before(&t, before); /* where it was when it was judged */
	ts_release(&t);
}

/* ---- between look and rename ---- */

static void swap_two(struct schedule *s)
{
	ts_write(s->t, "new", "another", 0700);
	assert_int_equal(renameat(s->t->fd, "new", s->t->fd, s->t->m[2].path), 0);
}

static void what_was_swapped_in_is_put_back(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	char text[32] = "";
	int fd;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id;
	s.act = swap_two;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.out.done, 4);
	assert_int_equal(r.out.gone + r.out.changed, 1);
	fd = openat(t.fd, t.m[2].path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 7);
	assert_string_equal(text, "another");
	(void)close(fd);
	size_t staged;
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 4);
	ts_release(&t);
}

static void swap_five(struct schedule *s)
{
	ts_write(s->t, "new", "another", 0700);
	assert_int_equal(renameat(s->t->fd, "new", s->t->fd, s->t->m[5].path), 0);
}

/* qmgr knows no more of what was away from active: it looks into incoming. */
static void nothing_is_put_into_active(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	(void)ts_message(&t, QT_Q_ACTIVE, 0x55555, "");
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[5].id;
	s.act = swap_five;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 6)), 0);
	assert_int_equal(r.out.done, 5);
	assert_false(ts_exists(&t, "%s", t.m[5].path));
	assert_true(ts_exists(&t, "incoming/%s", t.m[5].id));
	ts_release(&t);
}

static void move_two(struct schedule *s)
{
	char to[128];

	(void)snprintf(to, sizeof(to), "incoming/%s", s->t->m[2].id);
	assert_int_equal(renameat(s->t->fd, s->t->m[2].path, s->t->fd, to), 0);
}

static void what_moves_away_is_looked_for(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id;
	s.act = move_two;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.out.done, 5);
	assert_false(ts_exists(&t, "incoming/%s", t.m[2].id));
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_true(ts_exists(&t, "hold/%s", t.m[2].id));
	ts_release(&t);
}

/* ---- in delivery ---- */

static void activate_two(struct schedule *s)
{
	char to[128];

	(void)snprintf(to, sizeof(to), "active/%s", s->t->m[2].id);
	assert_int_equal(renameat(s->t->fd, s->t->m[2].path, s->t->fd, to), 0);
}

/* m[2] of five was left to Postfix, with its logs; the others are staged. */
static void two_was_left(struct tspool *t, struct run *r, const char *path)
{
	char want[128];
	size_t staged;

	assert_int_equal(r->out.done, 4);
	assert_int_equal(r->out.changed, 1);
	assert_int_equal(r->out.gone, 0);
	(void)snprintf(want, sizeof(want), "in delivery deferred %s;",
	    t->m[2].id);
	assert_string_equal(r->seen.text, want);
	assert_true(ts_exists(t, "%s", path));
	assert_true(ts_exists(t, "defer/0/%s", t->m[2].id));
	assert_int_equal(state_of(t, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 4);
	/* nor is it taken by recovery */
	run_init(r);
	assert_int_equal(delete_plan(t, r, ts_plan(t, 0, 0)), -1);
	assert_int_equal(r->recovered, 0);
	assert_true(ts_exists(t, "%s", path));
}

static void what_is_in_active_is_left_to_qmgr(void **state)
{
	struct schedule s;
	struct qt_plan *p;
	struct tspool t;
	struct run r;
	char path[128];
	int i;

	(void)state;
	for (i = 0; i < 2; i++) { /* before there is a plan, and while staging */
		fill(&t);
		(void)snprintf(path, sizeof(path), "active/%s", t.m[2].id);
		run_init(&r);
		use_schedule(&r, &s, &t);
		p = ts_plan(&t, 0, 5);
		if (i == 0)
			activate_two(&s);
		s.when = i == 0 ? NULL : t.m[1].id;
		s.act = activate_two;
		assert_int_equal(delete_plan(&t, &r, p), 0);
		two_was_left(&t, &r, path);
		ts_release(&t);
	}
}

static void strict_refuses_what_is_in_active(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[1].id;
	s.act = activate_two;
	r.opts.strict = true;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(r.err.code, QT_E_REFUSED);
	assert_true(ts_exists(&t, "%s", t.m[0].path));
	assert_true(ts_exists(&t, "%s", t.m[1].path));
	assert_true(ts_exists(&t, "active/%s", t.m[2].id));
	ts_release(&t);
}

static void lock_two(struct schedule *s)
{
	s->fd = openat(s->t->fd, s->t->m[2].path, O_RDWR | O_CLOEXEC);
	assert_true(s->fd >= 0);
	assert_int_equal(flock(s->fd, LOCK_SH | LOCK_NB), 0);
}

/* An agent is still at one that qmgr has just put into deferred again. */
static void what_an_agent_has_locked_is_put_back(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id;
	s.act = lock_two;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(close(s.fd), 0);
	two_was_left(&t, &r, t.m[2].path);
	/* the only one that was to be deleted: then there is no deletion */
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id;
	s.act = lock_two;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 2, 3)), -1);
	assert_int_equal(close(s.fd), 0);
	assert_int_equal(r.err.code, QT_E_GONE);
	assert_int_equal(state_of(&t, 2, NULL), QT_TX_ABORTED);
	assert_true(ts_exists(&t, "%s", t.m[2].path));
	ts_release(&t);
}

static void mark_and_unlock(struct schedule *s)
{
	struct timespec later[2] = {{1, 0}, {1900000000, 0}};
	char path[128];

	(void)snprintf(path, sizeof(path), "qtool/tx/000001/m/0000/000002.%s.d",
	    s->t->m[2].id);
	assert_int_equal(utimensat(s->t->fd, path, later, 0), 0);
}

static void what_an_agent_finished_is_told(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	char want[128];

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[4].id;
	s.act = mark_and_unlock;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.out.done, 5);
	(void)snprintf(want, sizeof(want), "delivered deferred %s;", t.m[2].id);
	assert_string_equal(r.seen.text, want);
	ts_release(&t);
}

/* ---- away ---- */

static void hide_two(struct schedule *s)
{
	assert_int_equal(renameat(s->t->fd, s->t->m[2].path, s->t->fd, "hidden"),
	    0);
}

static void misplace_two(struct schedule *s)
{
	char to[128];

	ts_dir(s->t, "hold/Z"); /* no depth of hold leads there */
	(void)snprintf(to, sizeof(to), "hold/Z/%s", s->t->m[2].id);
	assert_int_equal(renameat(s->t->fd, s->t->m[2].path, s->t->fd, to), 0);
}

/* One that exists and cannot be taken: then none is. */
static void what_exists_and_is_not_found_aborts(void **state)
{
	static void (*const acts[])(struct schedule *) = {hide_two,
	    misplace_two};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		struct schedule s;
		struct tspool t;
		struct run r;

		fill(&t);
		run_init(&r);
		use_schedule(&r, &s, &t);
		s.when = t.m[2].id;
		s.act = acts[i];
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
		assert_int_equal(r.err.code, QT_E_SYS);
		assert_non_null(strstr(r.err.text, t.m[2].id));
		assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTED);
		for (size_t k = 0; k < 5; k++)
			assert_int_equal(ts_exists(&t, "%s", t.m[k].path),
			    k != 2);
		ts_release(&t);
	}
}

static void rename_two(struct schedule *s)
{
	assert_int_equal(renameat(s->t->fd, s->t->m[2].path, s->t->fd,
			     "deferred/0/00001ABCDEF"), 0);
}

static void set_two_aside(struct schedule *s)
{
	char to[128];

	(void)snprintf(to, sizeof(to), "corrupt/%s", s->t->m[2].id);
	assert_int_equal(renameat(s->t->fd, s->t->m[2].path, s->t->fd, to), 0);
}

/* As postsuper does: it is no longer what was judged, and stays for good. */
static void what_got_another_name_is_left(void **state)
{
	static void (*const acts[])(struct schedule *) = {rename_two,
	    set_two_aside};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		struct schedule s;
		struct tspool t;
		struct run r;
		char to[128];

		fill(&t);
		run_init(&r);
		use_schedule(&r, &s, &t);
		s.when = t.m[2].id;
		s.act = acts[i];
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
		assert_int_equal(r.out.done, 4);
		assert_int_equal(r.out.changed, 1);
		assert_non_null(strstr(r.seen.text, "changed deferred"));
		/* not even recovery takes it when it has its old name again */
		(void)snprintf(to, sizeof(to), "corrupt/%s", t.m[2].id);
		assert_int_equal(renameat(t.fd, acts[i] == rename_two ?
		    "deferred/0/00001ABCDEF" : to, t.fd, t.m[2].path), 0);
		run_init(&r);
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
		assert_int_equal(r.recovered, 0);
		assert_true(ts_exists(&t, "%s", t.m[2].path));
		ts_release(&t);
	}
}

static void ctrl_c_puts_all_back(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[3].id;
	s.act = interrupt;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(r.err.code, QT_E_INTERRUPTED);
	assert_int_equal(r.out.txid, 0);
	ts_as_before(&t, before);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTED);
	ts_release(&t);
}

static void a_failing_rename_aborts(void **state)
{
	static const int errors[] = {EIO, ENOSPC, EXDEV, EACCES, EINVAL};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct qt_fsops good = qt_fsops_system;
		struct schedule s;
		struct tspool t;
		struct run r;
		char *before;

		fill(&t);
		before = ts_snapshot(&t);
		run_init(&r);
		use_schedule(&r, &s, &t);
		s.when = t.m[3].id;
		s.fail = errors[i];
		/* nothing can be renamed any more: not even back */
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
		assert_int_equal(r.err.code, QT_E_STATE);
		assert_non_null(strstr(r.err.text, "recover"));
		assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTING);
		/* until it works again */
		r.fs = good;
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
		assert_int_equal(r.recovered, 1);
		assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTED);
		ts_as_before(&t, before);
		ts_release(&t);
	}
}

static void syncs_do_not_grow_with_messages(void **state)
{
	unsigned syncs[2];
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	/* what is made once for a spool is not a transaction's */
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 1)), 0);
	use_schedule(&r, &s, &t);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 1, 2)), 0);
	syncs[0] = s.syncs;
	use_schedule(&r, &s, &t);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 2, 5)), 0);
	syncs[1] = s.syncs;
	assert_int_equal(syncs[0], syncs[1]);
	assert_in_range(syncs[0], 4, 8);
	ts_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(gone_and_changed_are_named_and_left),
	    cmocka_unit_test(a_changed_mode_is_a_change),
	    cmocka_unit_test(strict_refuses),
	    cmocka_unit_test(one_that_moved_is_followed),
	    cmocka_unit_test(what_was_swapped_in_is_put_back),
	    cmocka_unit_test(nothing_is_put_into_active),
	    cmocka_unit_test(what_moves_away_is_looked_for),
	    cmocka_unit_test(what_is_in_active_is_left_to_qmgr),
	    cmocka_unit_test(strict_refuses_what_is_in_active),
	    cmocka_unit_test(what_an_agent_has_locked_is_put_back),
	    cmocka_unit_test(what_an_agent_finished_is_told),
	    cmocka_unit_test(what_exists_and_is_not_found_aborts),
	    cmocka_unit_test(what_got_another_name_is_left),
	    cmocka_unit_test(ctrl_c_puts_all_back),
	    cmocka_unit_test(a_failing_rename_aborts),
	    cmocka_unit_test(syncs_do_not_grow_with_messages),
	};

	return cmocka_run_group_tests_name("tx_stage", tests, NULL, NULL);
}
