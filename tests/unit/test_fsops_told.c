/*
 * test_fsops_told.c - what was said stays true when the power goes afterwards
 * (fsops_model.h).  QTOOL_FULL: more sets.
 *
 * Each call of an operation fails once, the operation goes on to its end, and
 * then any set of what no barrier covered is lost.  What was said to be done is
 * done; what failed without having begun is as it was, whatever bytes of a
 * record that was taken back the disk has kept; and recovery can always work.
 */
#include "unit/fsops_cut.h"

#include "change/places.h"

static const struct scenario scenarios[] = {
    {"delete", {act_delete}, BIT(F_HOME), F_STAGED, false},
    {"delete, plan and log elsewhere", {act_delete}, BIT(F_HOME), F_STAGED,
	true},
    {"undo", {act_delete, act_undo}, BIT(F_STAGED), F_HOLD, false},
    {"purge", {act_delete, act_purge}, BIT(F_STAGED), F_GONE, false},
    {"redo of a delete", {act_delete, act_undo, act_redo}, BIT(F_HOLD),
	F_STAGED, false},
};

/* ---- a call fails, then the power ---- */

/*
 * The number of sets, which are those of fm_choose(); of the last one only
 * lengths are lost: bytes that were cut off are there again.  *calls: how many
 * calls there were.
 */
static size_t one_told(const struct scenario *s, unsigned long at, int sys,
    size_t set, unsigned long *calls)
{
	struct world w = {.s = s, .last = at, .set = set, .seed = 7 + at,
	    .other = strerror(sys)};
	struct things now;
	unsigned fit;
	size_t i, sets;
	struct run r;
	struct fm m;
	int result;

	world_make(&w);
	fm_init(&m, w.pit, w.second);
	m.fail_at = at;
	m.fail_errno = sys;
	run_init(&r);
	r.fs = fm_table(&m);
	use_state_dir(&w, &r);
	result = w.act(&w.t, &r);
	*calls = m.calls;
	sets = fm_sets(&m, 1);
	fm_choose(&m, set, &w.seed);
	if (set + 1 >= sets)
		for (i = 0; i < m.n; i++)
			m.op[i].fate = m.op[i].kind == FM_SIZE ? FM_LOST :
								 FM_KEPT;
	fm_crash(&m);
	fm_release(&m);
	recover_well(&w);
	list_all(&w.t, &now);
	fit = account(&w, &now, s->before | BIT(s->done));
	if (result == 0 && (fit & BIT(s->done)) == 0)
		wrong(&w, "it was acknowledged, and is not done");
	if (result != 0 && !r.out.begun && r.err.code != QT_E_STATE &&
	    (fit & s->before) == 0)
		wrong(&w, "it failed, and was done all the same: %s: %s",
		    r.err.where, r.err.text);
	world_release(&w);
	return sets;
}

static void each_call_fails(void **state)
{
	static const int errors[] = {EIO, ENOSPC};
	const struct scenario *s = *state;
	unsigned long at, calls;
	/* on a full disk a transaction that has no record is removed */
	size_t i, n = full() || s->acts[1] == NULL ? 2 : 1;
	size_t set, sets, cases = 0;

	for (i = 0; i < n; i++) {
		/* until there is no call of that number */
		for (at = 1, calls = 1; calls >= at - 1; at++)
			for (set = 1, sets = 2; set < sets;
			     set += full() || set == 1 ? 1 : 3, cases++)
				/* else all, each alone, and the last one */
				sets = one_told(s, at, errors[i], set, &calls);
	}
	assert_true(calls > 8 && cases > 2 * calls);
	print_message("# %s: %zu failures and cuts\n", s->name, cases);
}

/* ---- recovery, and the power goes again ---- */

#define GONE 2 /* the message that had been removed, in deferred with a log */

/* Away, with no handle by which the kernel could be asked. */
static void lose_it(struct schedule *s)
{
	s->plan->v[GONE].handle = 0;
	assert_int_equal(renameat(s->t->fd, s->t->m[GONE].path, s->t->fd,
	    "aside"), 0);
}

/* All five are deleted but one, which a power cut has brought back since. */
static void bring_one_back(struct tspool *t)
{
	struct schedule s;
	struct run r;

	run_init(&r);
	use_schedule(&r, &s, t);
	s.when = t->m[GONE].id; /* planned, and gone when it is to be taken */
	s.act = lose_it;
	s.plan = ts_plan(t, 0, 5);
	assert_int_equal(delete_plan(t, &r, s.plan), 0);
	assert_int_equal(r.out.done, 4);
	assert_int_equal(renameat(t->fd, "aside", t->fd, t->m[GONE].path), 0);
}

/* The number of sets; *calls: how many calls recovery made. */
static size_t one_recovery(unsigned long last, size_t set, unsigned long *calls)
{
	static const struct scenario s = {.name = "recovery"};
	struct world w = {.s = &s, .last = last, .set = set, .seed = last + 1};
	struct qt_change *c;
	size_t sets, staged = 0;
	struct run r;
	struct fm m;

	world_make(&w);
	bring_one_back(&w.t);
	fm_init(&m, w.pit, NULL);
	m.last = last;
	run_init(&r);
	r.fs = fm_table(&m);
	c = open_change(&w.t, &r);
	qt_change_close(c);
	*calls = m.calls;
	sets = fm_sets(&m, 2);
	fm_choose(&m, set, &w.seed);
	fm_crash(&m);
	fm_release(&m);
	recover_well(&w);
	if (state_of(&w.t, 1, &staged) != QT_TX_COMMITTED || staged != 5)
		wrong(&w, "%zu messages are staged, and 5 were deleted", staged);
	world_release(&w);
	return sets;
}

/* What recovery has taken again is not counted before it is durable. */
static void what_comes_back_is_taken_for_good(void **state)
{
	unsigned long last, calls = ULONG_MAX, made;
	size_t set, sets, cases = 0;

	(void)state;
	for (last = 0; last <= calls; last++)
		for (set = 0, sets = 1; set < sets; set++, cases++) {
			sets = one_recovery(last, set, &made);
			if (made <= last)
				calls = last;
		}
	assert_true(calls > 3 && cases > calls);
}

/* ---- the list of state directories ---- */

/* As it was made, for a full disk: all its bytes, and nothing in them. */
static void check_list(const struct world *w)
{
	char bytes[QT_STATE_DIRS_SIZE + 1];
	ssize_t i, n;
	int fd = openat(w->t.fd, "qtool/state-dirs", O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return;
	assert_true(fd >= 0);
	n = read(fd, bytes, sizeof(bytes));
	(void)close(fd);
	for (i = 0; i < n && bytes[i] == '\n'; i++)
		;
	if (n != QT_STATE_DIRS_SIZE || i != n)
		wrong(w, "the list of places has %zd bytes of %zd", i, n);
}

/*
 * The name is there when the blocks are: a full disk could give it none, and
 * --state-dir would not work.
 */
static void the_list_of_places_has_its_blocks(void **state)
{
	static const struct scenario s = {.name = "the first command"};
	unsigned long last, calls = ULONG_MAX;
	size_t set, sets;

	(void)state;
	for (last = 0; last <= calls; last++)
		for (set = 0, sets = 1; set < sets; set++) {
			struct world w = {.s = &s, .last = last, .set = set,
			    .seed = last + 1};
			struct run r;
			struct fm m;

			world_make(&w);
			fm_init(&m, w.pit, NULL);
			m.last = last;
			run_init(&r);
			r.fs = fm_table(&m);
			qt_change_close(open_change(&w.t, &r));
			if (m.calls <= last)
				calls = last;
			sets = fm_sets(&m, 4);
			fm_choose(&m, set, &w.seed);
			fm_crash(&m);
			fm_release(&m);
			check_list(&w);
			world_release(&w);
		}
	assert_true(calls > 8);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(scenarios) / sizeof(scenarios[0]) + 2] = {
	    cmocka_unit_test(what_comes_back_is_taken_for_good),
	    cmocka_unit_test(the_list_of_places_has_its_blocks),
	};
	size_t i;

	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		tests[2 + i] = (struct CMUnitTest){.name = scenarios[i].name,
		    .test_func = each_call_fails,
		    .initial_state = (void *)(uintptr_t)&scenarios[i]};
	return cmocka_run_group_tests_name("fsops_told", tests, NULL, NULL);
}
