/*
 * test_tx_requeue.c - into maildrop for a new life, and back, beside a pickup that
 * locks nothing.
 */
#include "unit/place_run.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <time.h>

static void requeue_is_new_and_comes_back_as_old_as_it_was(void **state)
{
	/* read a moment ago, by a clock that is fast: not by pickup */
	const struct timespec read_at[2] = {{.tv_sec = time(NULL) + 3600},
	    {.tv_nsec = UTIME_OMIT}};
	char path[128], dir[16];
	struct tspool t;
	struct run r;
	char *before;
	int64_t was;
	size_t i;

	(void)state;
	fill(&t);
	(void)snprintf(dir, sizeof(dir), "deferred/%c", t.m[3].id[0]);
	was = mtime_of(&t, dir, &t.m[3]);
	assert_int_equal(utimensat(t.fd, t.m[1].path, read_at, 0), 0);
	before = ts_snapshot(&t);
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_REQUEUE, 0, 5)), 0);
	assert_int_equal(r.out.done, 5);
	for (i = 0; i < 5; i++) {
		assert_true(lies_in(&t, "maildrop", &t.m[i]));
		assert_true(mtime_of(&t, "maildrop", &t.m[i]) >=
		    time(NULL) - 100);
	}
	assert_true(ts_exists(&t, "defer/0/%s", t.m[2].id));
	assert_int_equal(undo(&t, &r, 1, true), 0);
	ts_as_before(&t, before);
	/* by default into hold; what pickup took is gone */
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_REQUEUE, 2, 4)), 0);
	(void)snprintf(path, sizeof(path), "maildrop/%s", t.m[2].id);
	assert_int_equal(unlinkat(t.fd, path, 0), 0);
	assert_int_equal(undo(&t, &r, 2, false), 0);
	assert_int_equal(r.out.done, 1);
	assert_int_equal(r.out.gone, 1);
	assert_true(lies_in(&t, "hold", &t.m[3]));
	assert_int_equal(mtime_of(&t, "hold", &t.m[3]), was);
	ts_release(&t);
}

/* Where reading leaves no trace, nobody can tell of any. */
static void what_keeps_no_access_time_is_held_and_named(void **state)
{
	int flags = FS_NOATIME_FL, fd;
	char path[128];
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_REQUEUE, 1, 3)), 0);
	(void)snprintf(path, sizeof(path), "maildrop/%s", t.m[2].id);
	assert_true((fd = openat(t.fd, path, O_RDONLY)) >= 0);
	assert_int_equal(ioctl(fd, FS_IOC_SETFLAGS, &flags), 0);
	(void)close(fd);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_int_equal(r.out.done, 2);
	assert_int_equal(r.out.doubtful, 1);
	ts_release(&t);
}

/*
 * It may be pickup that has it open, or has read and closed it and not unlinked
 * it yet, and nobody can tell: so it stays on hold.
 */
static void somebody_has_it(bool reads_now, bool in_place)
{
	char path[128], want[256], byte;
	struct tspool t;
	struct run r;
	int fd;

	fill(&t);
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_REQUEUE, 1, 4)), 0);
	(void)snprintf(path, sizeof(path), "maildrop/%s", t.m[2].id);
	assert_true((fd = openat(t.fd, path, O_RDONLY)) >= 0);
	if (!reads_now) {
		assert_int_equal(read(fd, &byte, 1), 1);
		(void)close(fd);
	}
	assert_int_equal(undo(&t, &r, 1, in_place), 0);
	if (reads_now)
		(void)close(fd);
	assert_int_equal(r.out.done, 3);
	assert_int_equal(r.out.doubtful, 1);
	(void)snprintf(want, sizeof(want), "doubtful deferred %s;", t.m[2].id);
	assert_string_equal(r.seen.text, want);
	assert_true(lies_in(&t, "hold", &t.m[1]));
	assert_true(lies_in(&t, "hold", &t.m[2]));
	assert_true(in_place ? lies_in_deferred(&t, &t.m[3]) :
			       lies_in(&t, "hold", &t.m[3]));
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
	ts_release(&t);
}

static void what_somebody_reads_or_has_read_is_held_and_named(void **state)
{
	(void)state;
	somebody_has_it(true, false);
	somebody_has_it(true, true);
	somebody_has_it(false, false);
	somebody_has_it(false, true);
}

struct pickup {
	struct tspool *t;
	char path[128]; /* in maildrop; it was seen there by lstat */
	bool missed;	/* open found nothing: REMOVE_MESSAGE_FILE */
};

static int p_rename(void *ctx, int fd, const char *from, int td, const char *to)
{
	struct pickup *p = ctx;
	int r = qt_fsops_system.rename(NULL, fd, from, td, to), in;

	if (strcmp(from, strrchr(p->path, '/') + 1) != 0)
		return r;
	if (p->missed) {
		(void)unlinkat(p->t->fd, p->path, 0);
		return r;
	}
	in = openat(p->t->fd, p->path, O_RDONLY | O_NONBLOCK);
	p->missed = in < 0 && errno == ENOENT;
	if (in >= 0)
		(void)close(in);
	return r;
}

/*
 * Somebody else (a backup, a scanner) has a message in maildrop open, and pickup
 * is between its look at the name and its open.
 */
static void pickup_unlinks_nothing_that_comes_back(void **state)
{
	struct pickup p = {.missed = false};
	struct tspool t;
	struct run r;
	int reader;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_REQUEUE, 0, 1)), 0);
	p.t = &t;
	(void)snprintf(p.path, sizeof(p.path), "maildrop/%s", t.m[0].id);
	assert_true((reader = openat(t.fd, p.path, O_RDONLY)) >= 0);
	r.fs.ctx = &p;
	r.fs.rename = p_rename;
	assert_int_equal(undo(&t, &r, 1, false), 0);
	(void)close(reader);
	assert_true(p.missed);
	assert_true(lies_in(&t, "hold", &t.m[0]));
	ts_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requeue_is_new_and_comes_back_as_old_as_it_was),
	    cmocka_unit_test(what_keeps_no_access_time_is_held_and_named),
	    cmocka_unit_test(what_somebody_reads_or_has_read_is_held_and_named),
	    cmocka_unit_test(pickup_unlinks_nothing_that_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
