/*
 * test_tx_restore.c - out of a transaction and back into it, an undo undone,
 * agents waited for, and the word that is asked for before COMMIT.
 */
#include "unit/place_run.h"

#include <time.h>

/* A plan to restore the messages from..to-1, which transaction 1 holds. */
static struct qt_plan *restore_plan(const struct tspool *t, size_t from,
    size_t to)
{
	struct qt_error err = {0};
	struct qt_plan *p;
	char path[256], hold[96];
	size_t i;

	assert_int_equal(qt_plan_new(&p, QT_OP_RESTORE, &err), 0);
	qt_plan_set_source(p, 1);
	for (i = from; i < to; i++) {
		struct tmessage m = t->m[i];
		struct qt_item it;

		(void)snprintf(path, sizeof(path), "qtool/tx/000001/m/0000/%06zu"
		    ".%s.%c", i, m.id, m.queue == QT_Q_HOLD ? 'h' : 'd');
		(void)strlcpy(m.path, path, sizeof(m.path));
		ts_item(t, &m, &it);
		(void)snprintf(hold, sizeof(hold), "hold/%s", m.id);
		it.queue = QT_Q_HOLD;
		it.path = hold;
		assert_int_equal(qt_plan_add(p, &it, &err), 0);
	}
	return p;
}

static void delete_all(const struct tspool *t, struct run *r)
{
	run_init(r);
	assert_int_equal(carry_out(t, r, ts_plan(t, 0, 5)), 0);
	assert_int_equal(r->out.txid, 1);
	run_init(r);
}

static bool held(const struct tspool *t, size_t i)
{
	return ts_exists(t, "hold/%s", t->m[i].id);
}

static size_t staged(const struct tspool *t)
{
	size_t n = 0;

	(void)state_of(t, 1, &n);
	return n;
}

static void a_part_comes_back_with_its_logs(void **state)
{
	struct tspool t;
	struct run r;
	char *deleted;

	(void)state;
	fill(&t);
	delete_all(&t, &r);
	deleted = ts_snapshot(&t);
	assert_int_equal(carry_out(&t, &r, restore_plan(&t, 1, 4)), 0);
	assert_int_equal(r.out.txid, 2);
	assert_int_equal(r.out.done, 3);
	assert_true(held(&t, 1) && held(&t, 2) && held(&t, 3));
	assert_true(ts_exists(&t, "defer/0/%s", t.m[2].id));
	assert_true(ts_exists(&t, "bounce/%s", t.m[3].id));
	assert_int_equal(staged(&t), 2);
	assert_int_equal(state_of(&t, 2, NULL), QT_TX_PLACED);
	/* its undo takes it away again */
	assert_int_equal(undo(&t, &r, 2, false), 0);
	assert_int_equal(r.out.done, 3);
	assert_int_equal(staged(&t), 5);
	ts_as_before(&t, deleted);
	ts_release(&t);
}

/*
 * Killed between a rename and the look at what it had moved, an undo leaves
 * another message in staging: the next one gives it back and goes on.
 */
static void what_a_killed_undo_took_by_mistake_goes_back(void **state)
{
	char path[256];
	struct stat other, st;
	struct tspool t;
	struct run r;
	int fd;

	(void)state;
	fill(&t);
	delete_all(&t, &r);
	assert_int_equal(carry_out(&t, &r, restore_plan(&t, 1, 3)), 0);
	(void)snprintf(path, sizeof(path), "qtool/tx/000001/m/0000/000002.%s.d",
	    t.m[2].id);
	assert_true((fd = openat(t.fd, path, O_WRONLY | O_CREAT | O_EXCL,
	    0700)) >= 0);
	assert_int_equal(fstat(fd, &other), 0);
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "hold/%s", t.m[2].id);
	assert_int_equal(unlinkat(t.fd, path, 0), 0);
	assert_int_equal(undo(&t, &r, 2, false), 0);
	assert_int_equal(r.out.done, 1);
	assert_int_equal(r.out.gone, 1);
	(void)snprintf(path, sizeof(path), "deferred/%c/%s", t.m[2].id[0],
	    t.m[2].id);
	assert_int_equal(fstatat(t.fd, path, &st, 0), 0);
	assert_true(st.st_ino == other.st_ino);
	assert_int_equal(staged(&t), 4);
	ts_release(&t);
}

static void what_was_restored_is_not_taken_again(void **state)
{
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	delete_all(&t, &r);
	assert_int_equal(carry_out(&t, &r, restore_plan(&t, 1, 2)), 0);
	/* undone and done again, the first leaves the restored one alone */
	assert_int_equal(undo(&t, &r, 1, true), 0);
	assert_int_equal(r.out.done, 4);
	assert_int_equal(redo(&t, &r, 1), 0);
	assert_int_equal(r.out.done, 4);
	assert_true(held(&t, 1));
	/* and a restore whose source was undone cannot be undone */
	assert_int_equal(undo(&t, &r, 1, true), 0);
	assert_int_equal(undo(&t, &r, 2, false), -1);
	assert_int_equal(r.err.code, QT_E_REFUSED);
	assert_true(held(&t, 1));
	ts_release(&t);
}

static void remove_the_last(struct schedule *s)
{
	assert_int_equal(unlinkat(s->t->fd, s->t->m[4].path, 0), 0);
}

/* One is gone when it is taken, so recovery looks for it from then on. */
static void recovery_leaves_what_was_restored(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[0].id;
	s.act = remove_the_last;
	assert_int_equal(carry_out(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.out.gone, 1);
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, restore_plan(&t, 0, 1)), 0);
	assert_int_equal(recover(&t, &r), 0);
	assert_true(held(&t, 0));
	ts_release(&t);
}

/* Out of hold into active: released, and qmgr has it in its memory. */
static void to_active(const struct tspool *t, size_t i)
{
	char from[128], to[128];

	(void)snprintf(from, sizeof(from), "hold/%s", t->m[i].id);
	(void)snprintf(to, sizeof(to), "active/%s", t->m[i].id);
	assert_int_equal(renameat(t->fd, from, t->fd, to), 0);
}

/* By the undo of a restore, and by recovery of what it was restored from. */
static void what_qmgr_has_is_left_to_it(void **state)
{
	struct schedule s;
	struct tspool t;
	char want[128];
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[0].id;
	s.act = remove_the_last;
	assert_int_equal(carry_out(&t, &r, ts_plan(&t, 0, 5)), 0);
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, restore_plan(&t, 0, 3)), 0);
	to_active(&t, 1);
	assert_int_equal(undo(&t, &r, 2, false), 0);
	assert_int_equal(r.out.done, 2);
	(void)snprintf(want, sizeof(want), "in delivery hold %s;", t.m[1].id);
	assert_string_equal(r.seen.text, want);
	assert_true(ts_exists(&t, "active/%s", t.m[1].id));
	assert_int_equal(state_of(&t, 2, NULL), QT_TX_UNDONE);
	assert_int_equal(recover(&t, &r), 0);
	assert_true(ts_exists(&t, "active/%s", t.m[1].id));
	assert_int_equal(staged(&t), 3);
	ts_release(&t);
}

static void nothing_is_restored_from_what_is_over(void **state)
{
	struct tspool t;
	struct run r;
	struct qt_plan *p, *q;

	(void)state;
	fill(&t);
	delete_all(&t, &r);
	p = restore_plan(&t, 0, 2);
	q = restore_plan(&t, 0, 2);
	qt_plan_set_source(q, 9);
	assert_int_equal(carry_out(&t, &r, q), -1);
	assert_int_equal(r.err.code, QT_E_USAGE);
	assert_int_equal(purge(&t, &r, 1), 0);
	assert_int_equal(carry_out(&t, &r, p), -1);
	assert_int_equal(r.err.code, QT_E_REFUSED);
	ts_release(&t);
}

static void do_restore(struct run *r, void *ctx)
{
	struct tspool *t = ctx;

	(void)carry_out(t, r, restore_plan(t, 0, 5));
}

static void do_undo(struct run *r, void *ctx)
{
	(void)undo(ctx, r, 2, false);
}

static void a_crash_of_restore_is_whole_after_recovery(void **state)
{
	unsigned at, crashes = 0;
	size_t i, n;
	struct tspool t;
	struct run r;
	bool ended = true;
	int after;

	(void)state;
	for (at = 1; ended; at++)
		for (after = 0; after < 2; after++) {
			fill(&t);
			delete_all(&t, &r);
			ended = ends_in(at, after == 1, do_restore, &t);
			crashes += ended;
			assert_true(recover(&t, &r) >= 0);
			for (i = n = 0; i < 5; i++)
				n += held(&t, i);
			assert_true(n == 0 || n == 5);
			assert_int_equal(staged(&t), 5 - n);
			if (n == 5) { /* its undo, ended there as well */
				(void)ends_in(at, after == 1, do_undo, &t);
				assert_true(recover(&t, &r) >= 0);
				n = staged(&t);
				assert_true(n == 0 || n == 5);
			}
			assert_int_equal(recover(&t, &r), 0);
			ts_release(&t);
		}
	assert_true(crashes > 20);
}

/* ---- an undo undone ---- */

static void a_deletion_is_done_again(void **state)
{
	struct timespec tried[2] = {{1, 0}, {1900000000, 0}};
	char want[256], path[128];
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	delete_all(&t, &r);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	/* one was tried since, one has gone */
	(void)snprintf(path, sizeof(path), "hold/%s", t.m[2].id);
	assert_int_equal(utimensat(t.fd, path, tried, 0), 0);
	(void)snprintf(path, sizeof(path), "hold/%s", t.m[3].id);
	assert_int_equal(unlinkat(t.fd, path, 0), 0);
	run_init(&r);
	assert_int_equal(redo(&t, &r, 1), 0);
	assert_int_equal(r.out.done, 3);
	(void)snprintf(want, sizeof(want), "changed deferred %s;gone deferred "
	    "%s;", t.m[2].id, t.m[3].id);
	assert_string_equal(r.seen.text, want);
	assert_int_equal(staged(&t), 3);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_COMMITTED);
	assert_int_equal(recover(&t, &r), 0);
	assert_true(held(&t, 2)); /* left alone, and it stays so */
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_int_equal(r.out.done, 3);
	assert_int_equal(redo(&t, &r, 1), 0);
	assert_int_equal(purge(&t, &r, 1), 0);
	assert_true(held(&t, 2));
	ts_release(&t);
}

/* Undone into hold, released, and in delivery: not taken again. */
static void a_redo_takes_nothing_out_of_active(void **state)
{
	struct tspool t;
	char want[128];
	struct run r;

	(void)state;
	fill(&t);
	delete_all(&t, &r);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	to_active(&t, 3);
	run_init(&r);
	assert_int_equal(redo(&t, &r, 1), 0);
	assert_int_equal(r.out.done, 4);
	(void)snprintf(want, sizeof(want), "in delivery deferred %s;",
	    t.m[3].id);
	assert_string_equal(r.seen.text, want);
	assert_int_equal(recover(&t, &r), 0);
	assert_true(ts_exists(&t, "active/%s", t.m[3].id));
	ts_release(&t);
}

/* It is alive, and another transaction has it. */
static void what_another_transaction_has_is_no_failure(void **state)
{
	struct tspool t;
	char want[128];
	struct run r;

	(void)state;
	fill(&t);
	delete_all(&t, &r);
	assert_int_equal(undo(&t, &r, 1, true), 0);
	assert_int_equal(carry_out(&t, &r, ts_plan(&t, 2, 3)), 0);
	run_init(&r);
	assert_int_equal(redo(&t, &r, 1), 0);
	assert_int_equal(r.out.done, 4);
	(void)snprintf(want, sizeof(want), "changed deferred %s;", t.m[2].id);
	assert_string_equal(r.seen.text, want);
	ts_release(&t);
}

static void with_nothing_left_the_undo_stands(void **state)
{
	char path[128];
	struct tspool t;
	struct run r;
	size_t i;

	(void)state;
	fill(&t);
	delete_all(&t, &r);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	for (i = 0; i < 5; i++) {
		(void)snprintf(path, sizeof(path), "hold/%s", t.m[i].id);
		assert_int_equal(unlinkat(t.fd, path, 0), 0);
	}
	assert_int_equal(redo(&t, &r, 1), -1);
	assert_int_equal(r.err.code, QT_E_GONE);
	assert_false(r.out.begun);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
	ts_release(&t);
}

static void do_redo(struct run *r, void *ctx)
{
	(void)redo(ctx, r, 1);
}

static void a_crash_of_it_goes_on(void **state)
{
	unsigned at, crashes = 0;
	struct tspool t;
	struct run r;
	bool ended = true;
	size_t n;

	(void)state;
	for (at = 1; ended; at++) {
		fill(&t);
		delete_all(&t, &r);
		assert_int_equal(undo(&t, &r, 1, true), 0);
		ended = ends_in(at, at % 2 == 0, do_redo, &t);
		crashes += ended;
		assert_int_equal(recover(&t, &r), ended ? 1 : 0);
		n = staged(&t);
		assert_int_equal(n, 5);
		assert_int_equal(state_of(&t, 1, NULL), QT_TX_COMMITTED);
		ts_release(&t);
	}
	assert_true(crashes >= 5);
}

/* ---- agents ---- */

/* An agent that works on a message for some time: its pid. */
static pid_t agent(const struct tspool *t, const struct tmessage *m, long ms)
{
	const struct timespec work = {ms / 1000, ms % 1000 * 1000000};
	int ready[2], fd;
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	assert_true((pid = fork()) >= 0);
	if (pid == 0) {
		fd = openat(t->fd, m->path, O_RDWR);
		if (fd < 0 || flock(fd, LOCK_SH) != 0 ||
		    write(ready[1], "", 1) != 1)
			_exit(1);
		(void)nanosleep(&work, NULL);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

static void agents_are_waited_for(void **state)
{
	struct tspool t;
	struct run r;
	int status;
	pid_t pid;

	(void)state;
	fill(&t);
	run_init(&r);
	r.opts.wait_s = 60;
	pid = agent(&t, &t.m[0], 300);
	assert_int_equal(carry_out(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.out.done, 5);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	ts_release(&t);
}

static void for_as_long_as_was_said(void **state)
{
	char want[128];
	struct tspool t;
	struct run r;
	pid_t pid;

	(void)state;
	fill(&t);
	run_init(&r);
	r.opts.wait_s = 1;
	pid = agent(&t, &t.m[0], 60000);
	assert_int_equal(carry_out(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.out.done, 4);
	(void)snprintf(want, sizeof(want), "in delivery hold %s;", t.m[0].id);
	assert_string_equal(r.seen.text, want);
	assert_true(held(&t, 0));
	assert_int_equal(kill(pid, SIGKILL), 0);
	(void)waitpid(pid, NULL, 0);
	ts_release(&t);
}

/* ---- the word before COMMIT ---- */

struct word {
	const struct tspool *t;
	bool no;
	unsigned asked;
	size_t staged;
};

static int decide(void *ctx, uint64_t txid, struct qt_error *err)
{
	struct word *w = ctx;

	w->asked++;
	assert_int_equal(state_of(w->t, txid, &w->staged), QT_TX_PREPARED);
	return w->no ? qt_fail(err, QT_E_SYS, "archive", "no space") : 0;
}

static void the_caller_decides(void **state)
{
	struct word w = {.no = true};
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	run_init(&r);
	before = ts_snapshot(&t);
	w.t = &t;
	r.opts.decide = decide;
	r.opts.decide_ctx = &w;
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_ARCHIVE, 0, 5)), -1);
	assert_string_equal(r.err.text, "no space");
	assert_int_equal(w.asked, 1);
	assert_int_equal(w.staged, 5); /* it saw them all */
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTED);
	ts_as_before(&t, before);
	w.no = false;
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_ARCHIVE, 0, 5)), 0);
	assert_int_equal(state_of(&t, 2, NULL), QT_TX_COMMITTED);
	assert_int_equal(undo(&t, &r, 2, true), 0);
	ts_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_part_comes_back_with_its_logs),
	    cmocka_unit_test(what_a_killed_undo_took_by_mistake_goes_back),
	    cmocka_unit_test(what_was_restored_is_not_taken_again),
	    cmocka_unit_test(recovery_leaves_what_was_restored),
	    cmocka_unit_test(what_qmgr_has_is_left_to_it),
	    cmocka_unit_test(nothing_is_restored_from_what_is_over),
	    cmocka_unit_test(a_crash_of_restore_is_whole_after_recovery),
	    cmocka_unit_test(a_deletion_is_done_again),
	    cmocka_unit_test(a_redo_takes_nothing_out_of_active),
	    cmocka_unit_test(what_another_transaction_has_is_no_failure),
	    cmocka_unit_test(with_nothing_left_the_undo_stands),
	    cmocka_unit_test(a_crash_of_it_goes_on),
	    cmocka_unit_test(agents_are_waited_for),
	    cmocka_unit_test(for_as_long_as_was_said),
	    cmocka_unit_test(the_caller_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
