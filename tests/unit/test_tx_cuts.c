/*
 * test_tx_cuts.c - a power cut after what is done seldom: the first use of a
 * spool, a transaction that is given up on a full disk, a message that recovery
 * takes.  Any set of names and bytes that no barrier covered may be lost.
 */
#include "unit/fsops_world.h"
#include "unit/place_run.h"

#define BY_CHANCE 12 /* sets, after those of fm_choose() that are in turn */

struct pit { /* where the model keeps what was unlinked */
	char path[80];
	int fd;
};

static void pit_make(struct pit *p, const struct tspool *t)
{
	(void)snprintf(p->path, sizeof(p->path), "%.60s" PIT, t->dir);
	assert_int_equal(mkdir(p->path, 0700), 0);
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->fd >= 0);
}

static void remove_tree(const char *path)
{
	assert_int_equal(nftw(path, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void pit_release(struct pit *p)
{
	(void)close(p->fd);
	remove_tree(p->path);
}

/* The set of that number is lost.  False: it was the last one. */
static bool cut(struct fm *m, size_t set)
{
	uint64_t seed = set * 7919 + 1;
	bool more = set + 1 < fm_sets(m, BY_CHANCE);

	fm_choose(m, set, &seed);
	fm_crash(m);
	fm_release(m);
	return more;
}

static void must_recover(const struct tspool *t, struct run *r,
    const char *what, size_t set)
{
	if (recover(t, r) < 0)
		fail_msg("%s, set %zu: %s: %s", what, set, r->err.where,
		    r->err.text);
}

static void the_first_use_leaves_no_half_list(void **state)
{
	char dir[96];
	struct tspool t;
	struct pit pit;
	struct run r;
	struct fm m;
	size_t set;
	bool more;

	(void)state;
	for (set = 0, more = true; more; set++) {
		fill(&t);
		pit_make(&pit, &t);
		(void)snprintf(dir, sizeof(dir), "%s.0", t.dir);
		assert_int_equal(mkdir(dir, 0700), 0);
		run_init(&r);
		fm_init(&m, pit.fd, NULL);
		r.fs = fm_table(&m);
		assert_int_equal(recover(&t, &r), 0);
		more = cut(&m, set);
		run_init(&r);
		must_recover(&t, &r, "first use", set);
		run_init(&r);
		r.opts.state_dir = dir;
		must_recover(&t, &r, "and then elsewhere", set);
		pit_release(&pit);
		remove_tree(dir);
		ts_release(&t);
	}
	assert_true(set > BY_CHANCE);
}

/* A deletion finds the disk full at that call, and then the power goes. */
static bool full_at(unsigned long at, size_t set, bool *more)
{
	struct tspool t;
	struct pit pit;
	struct run r;
	struct fm m;
	char *before;
	bool failed;

	fill(&t);
	before = ts_snapshot(&t);
	pit_make(&pit, &t);
	run_init(&r);
	assert_int_equal(recover(&t, &r), 0);
	fm_init(&m, pit.fd, NULL);
	m.fail_at = at;
	m.fail_errno = ENOSPC;
	run_init(&r);
	r.fs = fm_table(&m);
	failed = delete_plan(&t, &r, ts_plan(&t, 0, 5)) != 0;
	*more = cut(&m, set);
	run_init(&r);
	must_recover(&t, &r, "given up", set);
	if (failed)
		ts_as_before(&t, before);
	else
		free(before);
	pit_release(&pit);
	ts_release(&t);
	return failed;
}

static void what_is_given_up_leaves_no_log_without_a_plan(void **state)
{
	unsigned long at, failures = 0;
	size_t set;
	bool more;

	(void)state;
	for (at = 1; at < 40; at++)
		for (set = 0, more = true; more; set++)
			failures += full_at(at, set, &more);
	assert_true(failures > 100);
}

/* Planned, and gone when it was to be taken; nobody can be asked for it. */
static void lose_one(struct schedule *s)
{
	s->plan->v[2].handle = 0;
	assert_int_equal(renameat(s->t->fd, s->t->m[2].path, s->t->fd, "away"),
	    0);
}

/* It is back, recovery takes it, and the power goes after that call. */
static unsigned long taken_until(unsigned long last, size_t set, bool *more)
{
	struct schedule s;
	struct tspool t;
	struct pit pit;
	struct run r;
	struct fm m;
	unsigned long calls;
	size_t staged;

	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id;
	s.act = lose_one;
	s.plan = ts_plan(&t, 0, 5);
	assert_int_equal(delete_plan(&t, &r, s.plan), 0);
	assert_int_equal(r.out.done, 4);
	assert_int_equal(renameat(t.fd, "away", t.fd, t.m[2].path), 0);
	pit_make(&pit, &t);
	run_init(&r);
	fm_init(&m, pit.fd, NULL);
	m.last = last;
	r.fs = fm_table(&m);
	(void)recover(&t, &r);
	calls = m.calls;
	*more = cut(&m, set);
	run_init(&r);
	must_recover(&t, &r, "taken again", set);
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_COMMITTED);
	if (staged != 5 || ts_exists(&t, "%s", t.m[2].path))
		fail_msg("cut after call %lu, set %zu: %zu are staged", last,
		    set, staged);
	pit_release(&pit);
	ts_release(&t);
	return calls;
}

static void what_recovery_took_stays_taken(void **state)
{
	unsigned long last, calls = ULONG_MAX, cases = 0;
	size_t set;
	bool more;

	(void)state;
	for (last = 0; last <= calls; last++)
		for (set = 0, more = true; more; set++, cases++)
			if (taken_until(last, set, &more) <= last)
				calls = last;
	assert_true(cases > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_use_leaves_no_half_list),
	    cmocka_unit_test(what_is_given_up_leaves_no_log_without_a_plan),
	    cmocka_unit_test(what_recovery_took_stays_taken),
	};

	return cmocka_run_group_tests_name("tx_cuts", tests, NULL, NULL);
}
