/*
 * test_tx_again.c - schedules that the model of the protocol found: what a redo
 * or an undo does with messages that it should leave as they are.
 */
#include "unit/place_run.h"

static void move(const struct tspool *t, const char *from, const char *to,
    const struct tmessage *m)
{
	char path[160], target[160];

	(void)snprintf(path, sizeof(path), "%s/%s", from, m->id);
	(void)snprintf(target, sizeof(target), "%s/%s", to, m->id);
	assert_int_equal(renameat(t->fd, path, t->fd, target), 0);
}

/*
 * A requeue out of deferred was undone, to hold.  Its redo fails: the messages
 * are in hold again, not in deferred, where they would be delivered.
 */
static void a_redo_that_fails_leaves_them_where_they_were(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	size_t i;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_REQUEUE, 2, 5)), 0);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	for (i = 2; i < 5; i++)
		assert_true(lies_in(&t, "hold", &t.m[i]));
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[4].id;
	s.fail = EIO;
	s.fail_once = true;
	assert_int_equal(redo(&t, &r, 1), -1);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
	for (i = 2; i < 5; i++)
		assert_true(lies_in(&t, "hold", &t.m[i]));
	ts_release(&t);
}

static void into_active(struct schedule *s)
{
	char dir[16];

	(void)snprintf(dir, sizeof(dir), "deferred/%c", s->t->m[3].id[0]);
	move(s->t, dir, "active", &s->t->m[3]);
}

/*
 * hold left alone what was in delivery, and said so.  An administrator then put
 * it on hold by other means: that is none of the undo's messages.
 */
static void an_undo_leaves_what_was_left_alone(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id; /* all have been looked at */
	s.act = into_active;
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_HOLD, 2, 5)), 0);
	assert_int_equal(r.out.done, 2);
	run_init(&r);
	move(&t, "active", "hold", &t.m[3]);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_int_equal(r.out.done, 2);
	assert_true(lies_in(&t, "hold", &t.m[3]));
	ts_release(&t);
}

static void do_redo(struct run *r, void *ctx)
{
	(void)redo(ctx, r, 1);
}

/*
 * The redo of a deletion was killed between the rename of a name that had just
 * been given to another message and the comparison.  Recovery compares.
 */
static void what_a_killed_redo_took_by_mistake_comes_back(void **state)
{
	char staged[96];
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(undo(&t, &r, 1, true), 0);
	/* killed when the first one has been renamed */
	assert_true(ends_in(1, true, do_redo, &t));
	(void)snprintf(staged, sizeof(staged), "qtool/tx/000001/m/0000/000000.%s"
	    ".h", t.m[0].id);
	assert_true(ts_exists(&t, "%s", staged));
	/* and what was renamed is another message */
	assert_int_equal(unlinkat(t.fd, staged, 0), 0);
	ts_write(&t, staged, "another", 0700);
	run_init(&r);
	assert_int_equal(recover(&t, &r), 1);
	assert_false(ts_exists(&t, "%s", staged));
	assert_true(lies_in(&t, "hold", &t.m[0]));
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_COMMITTED);
	ts_release(&t);
}

/* ---- another's message ---- */

struct watch { /* who gets the name of whom, and whether it is renamed then */
	const struct tspool *t;
	bool replaced, renamed;
};

/* While the one before it is moved, the name is given to another message. */
static int watch_rename(void *ctx, int fd, const char *from, int td,
    const char *to)
{
	struct watch *w = ctx;
	const struct tmessage *m = &w->t->m[3];

	if (!w->replaced && strcmp(from, w->t->m[2].id) == 0) {
		w->replaced = true;
		assert_int_equal(unlinkat(w->t->fd, m->path, 0), 0);
		ts_write(w->t, m->path, "another", 0700);
	}
	w->renamed = w->renamed || strcmp(from, m->id) == 0;
	return qt_fsops_system.rename(NULL, fd, from, td, to);
}

/*
 * It is not even moved and given back: killed in between it would stay where it
 * does not belong.
 */
static void what_is_another_is_never_moved(void **state)
{
	static const enum qt_op ops[] = {QT_OP_HOLD, QT_OP_REQUEUE};
	struct tspool t;
	struct run r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		struct watch w = {.t = &t};

		fill(&t);
		run_init(&r);
		r.fs.ctx = &w;
		r.fs.rename = watch_rename;
		assert_int_equal(carry_out(&t, &r, op_plan(&t, ops[i], 2, 5)),
		    0);
		assert_true(w.replaced);
		assert_false(w.renamed);
		assert_int_equal(r.out.done, 2);
		assert_true(lies_in_deferred(&t, &t.m[3]));
		ts_release(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_redo_that_fails_leaves_them_where_they_were),
	    cmocka_unit_test(an_undo_leaves_what_was_left_alone),
	    cmocka_unit_test(what_a_killed_redo_took_by_mistake_comes_back),
	    cmocka_unit_test(what_is_another_is_never_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
