/*
 * test_tx_reads.c - a look at the disk that fails is no answer.
 *
 * In each operation each fstatat() and each openat() that makes nothing fails
 * once, with EIO, and so in the recovery of one that was killed.  Then it was
 * done whole, or it has failed with just that error; nothing of it is lost, and
 * recovery settles it.
 *
 * Also here: a call that failed though it was done, and a list of state
 * directories of which a power cut has kept the end alone.
 */
#include "unit/fsops_world.h"
#include "unit/import_world.h"

/* ---- the calls that fail ---- */

enum call { LOOK, OPEN, CALLS };
static unsigned long made[CALLS];
static unsigned long fail_at; /* 0: none */
static enum call fails;
static const char *bad_name; /* looks at it fail, always; NULL: none */

static bool is_made(enum call which)
{
	if (++made[which] != fail_at || fails != which)
		return true;
	errno = EIO;
	return false;
}

/* Instead of the C library's. */
int fstatat(int dir, const char *restrict name, struct stat *restrict st,
    int flags)
{
	if (bad_name != NULL && strcmp(name, bad_name) == 0) {
		errno = EIO;
		return -1;
	}
	return is_made(LOOK) ?
	    (int)syscall(SYS_newfstatat, dir, name, st, flags) : -1;
}

int openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if ((flags & O_CREAT) == 0)
		return is_made(OPEN) ?
		    (int)syscall(SYS_openat, dir, name, flags, 0) : -1;
	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return (int)syscall(SYS_openat, dir, name, flags, mode);
}

static void fail_from_now(enum call which, unsigned long at)
{
	fails = which;
	fail_at = at;
	made[LOOK] = made[OPEN] = 0;
}

/* A run begins with its lock; what comes before is the test's own. */
struct begin {
	enum call which;
	unsigned long at;
};

static int b_create(void *ctx, int dir, const char *path, int flags,
    mode_t mode)
{
	const struct begin *b = ctx;

	if (strcmp(path, "lock") == 0)
		fail_from_now(b->which, b->at);
	return qt_fsops_system.create(NULL, dir, path, flags, mode);
}

/* ---- each of them, in each operation ---- */

static const struct scenario scenarios[] = {
    {"delete", {act_delete}, BIT(F_HOME), F_STAGED, false},
    {"undo", {act_delete, act_undo}, BIT(F_STAGED), F_HOLD, false},
    {"undo, plan and log elsewhere", {act_delete, act_undo}, BIT(F_STAGED),
	F_HOLD, true},
    {"purge", {act_delete, act_purge}, BIT(F_STAGED), F_GONE, false},
    {"redo of a delete", {act_delete, act_undo, act_redo}, BIT(F_HOLD),
	F_STAGED, false},
    {"hold", {act_hold}, BIT(F_HOME), F_HOLD, false},
    {"undo of a hold", {act_hold, act_undo}, BIT(F_HOLD), F_HOME, false},
    {"release", {act_release}, BIT(F_HOME), F_DEFERRED, false},
    {"requeue", {act_requeue}, BIT(F_HOME), F_MAILDROP, false},
    {"undo of a requeue", {act_requeue, act_undo}, BIT(F_MAILDROP), F_HOLD,
	false},
    {"restore", {act_delete, act_restore}, BIT(F_STAGED), F_HOLD, false},
    {"undo of a restore", {act_delete, act_restore, act_undo_second},
	BIT(F_HOLD), F_STAGED, false},
};

static void use_state_dir(const struct world *w, struct run *r)
{
	run_init(r);
	if (w->s->second)
		r->opts.state_dir = w->second;
}

static void world_make(struct world *w)
{
	struct run r;
	size_t i;

	fill(&w->t);
	(void)snprintf(w->second, sizeof(w->second), "%s" SECOND, w->t.dir);
	assert_int_equal(mkdir(w->second, 0700), 0);
	list_all(&w->t, &w->before);
	for (i = 0; w->s->acts[i + 1] != NULL; i++) {
		use_state_dir(w, &r);
		if (w->s->acts[i](&w->t, &r) != 0)
			wrong(w, "cannot be prepared: %s", r.err.text);
	}
	w->act = w->s->acts[i];
}

static void world_release(struct world *w)
{
	assert_int_equal(nftw(w->second, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	ts_release(&w->t);
}

/* It was done, or it says what failed; and then nothing is lost. */
static void judge(struct world *w, struct run *r, int result)
{
	struct things now;
	struct run again;
	unsigned fit;

	if (result != 0 && strstr(r->err.text, strerror(EIO)) == NULL)
		wrong(w, "it failed and said: %s: %s", r->err.where,
		    r->err.text);
	use_state_dir(w, &again);
	if (recover(&w->t, &again) < 0)
		wrong(w, "recovery: %s: %s", again.err.where, again.err.text);
	list_all(&w->t, &now);
	fit = account(w, &now, w->s->before | BIT(w->s->done));
	if (result == 0 && w->act != NULL && (fit & BIT(w->s->done)) == 0)
		wrong(w, "it was acknowledged, and is not done");
}

/* False: there was no such call any more. */
static bool fails_once(const struct scenario *s, enum call which,
    unsigned long at)
{
	struct world w = {.s = s, .last = at,
	    .other = which == LOOK ? "a look fails" : "an open fails"};
	struct begin b = {which, at};
	bool there;
	struct run r;
	int result;

	world_make(&w);
	use_state_dir(&w, &r);
	r.fs.ctx = &b;
	r.fs.create = b_create;
	result = w.act(&w.t, &r);
	there = made[which] >= at;
	fail_from_now(which, 0);
	judge(&w, &r, result);
	world_release(&w);
	return there;
}

/* Killed after some renames; a call fails in the recovery of that. */
static bool recovery_fails_once(const struct scenario *s, enum call which,
    unsigned long at, unsigned long renames)
{
	struct world w = {.s = s, .last = at,
	    .other = which == LOOK ? "a look of recovery fails" :
				     "an open of recovery fails"};
	bool there;
	struct run r;
	pid_t pid;
	int result, status;

	world_make(&w);
	if ((pid = fork()) == 0) {
		struct end e = {.at = (unsigned)renames};

		use_state_dir(&w, &r);
		r.fs.ctx = &e;
		r.fs.rename = e_rename;
		(void)w.act(&w.t, &r);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	w.act = NULL; /* which of the two it comes to is recovery's */
	use_state_dir(&w, &r);
	fail_from_now(which, at);
	result = recover(&w.t, &r);
	there = made[which] >= at;
	fail_from_now(which, 0);
	judge(&w, &r, result < 0 ? -1 : 0);
	world_release(&w);
	return there;
}

static void each_fails_once(void **state)
{
	const struct scenario *s = *state;
	unsigned long at, cases = 0;
	enum call which;

	for (which = 0; which < CALLS; which++) {
		for (at = 1; fails_once(s, which, at); at++)
			cases++;
		for (at = 1; recovery_fails_once(s, which, at, 4); at++)
			cases++;
	}
	assert_true(cases > 30);
	print_message("# %s: %lu calls failed\n", s->name, cases);
}

/* What an import keeps for a redo is not taken for nobody's. */
static void an_undone_import_keeps_its_copies(void **state)
{
	unsigned long at, cases = 0;
	struct tspool t;
	enum call which;
	struct run r;
	bool there;
	int result;

	(void)state;
	for (which = 0; which < CALLS; which++)
		for (at = 1, there = true; there; at++, cases++) {
			ts_make(&t);
			run_init(&r);
			assert_int_equal(iw_restore(&t, &r, QT_Q_HOLD, 0, IW_N),
			    0);
			run_init(&r);
			assert_int_equal(undo(&t, &r, 1, false), 0);
			run_init(&r);
			fail_from_now(which, at);
			result = recover(&t, &r);
			there = made[which] >= at;
			fail_from_now(which, 0);
			if (result < 0 && strstr(r.err.text, strerror(EIO)) ==
			    NULL)
				fail_msg("call %lu: %s: %s", at, r.err.where,
				    r.err.text);
			run_init(&r);
			assert_int_equal(redo(&t, &r, 1), 0);
			iw_all(&t, 1);
			ts_release(&t);
		}
	assert_true(cases > 10);
}

/*
 * A name that cannot be looked at, however often: the message is not gone, and
 * nothing is decided without it.
 */
static void what_cannot_be_looked_at_is_not_gone(void **state)
{
	static const enum qt_op ops[] = {QT_OP_DELETE, QT_OP_ARCHIVE,
	    QT_OP_HOLD, QT_OP_REQUEUE};
	struct qt_plan *p;
	struct tspool t;
	struct run r;
	char *before;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		fill(&t);
		before = ts_snapshot(&t);
		p = op_plan(&t, ops[i], 2, 5);
		run_init(&r);
		bad_name = t.m[3].id;
		assert_int_equal(carry_out(&t, &r, p), -1);
		bad_name = NULL;
		assert_int_equal(r.err.code, QT_E_SYS);
		assert_int_equal(r.err.sys, EIO);
		assert_non_null(strstr(r.err.where, t.m[3].id));
		ts_as_before(&t, before);
		ts_release(&t);
	}
}

/* ---- done, and said to have failed ---- */

struct liar {
	const char *id;
	bool told;
};

static int lying_rename(void *ctx, int fromdir, const char *from, int todir,
    const char *to)
{
	struct liar *l = ctx;
	int r = qt_fsops_system.rename(NULL, fromdir, from, todir, to);

	if (r != 0 || l->told || strcmp(from, l->id) != 0)
		return r;
	l->told = true;
	errno = EIO;
	return -1;
}

/*
 * A message is staged and the call says that it failed, as a network's file
 * system may.  The abort does not know of it, and must not say that all is back.
 */
static void a_rename_that_lied_is_found_by_recovery(void **state)
{
	struct tspool t;
	struct liar l;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	l = (struct liar){.id = t.m[2].id};
	run_init(&r);
	r.fs.ctx = &l;
	r.fs.rename = lying_rename;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_true(l.told);
	assert_int_equal(r.err.code, QT_E_STATE);
	assert_non_null(strstr(r.err.text, "recover"));
	run_init(&r);
	assert_int_equal(recover(&t, &r), 1);
	ts_as_before(&t, before);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTED);
	ts_release(&t);
}

/* ---- the list of state directories ---- */

/*
 * The first line is durable before the second is written: a power cut that tore
 * it and kept the other would leave a list that is damaged, and no way on.
 */
static void the_list_of_places_is_durable_line_by_line(void **state)
{
	char pit_path[80], dir[2][80];
	uint64_t seed, s;
	struct tspool t;
	struct run r;
	struct fm m;
	size_t i;
	int pit;

	(void)state;
	for (seed = 1; seed <= 60; seed++) {
		fill(&t);
		(void)snprintf(pit_path, sizeof(pit_path), "%s" PIT, t.dir);
		assert_int_equal(mkdir(pit_path, 0700), 0);
		pit = open(pit_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		run_init(&r);
		assert_int_equal(recover(&t, &r), 0); /* the empty list */
		fm_init(&m, pit, NULL);
		for (i = 0; i < 2; i++) {
			(void)snprintf(dir[i], sizeof(dir[i]), "%s.%zu", t.dir,
			    i);
			assert_int_equal(mkdir(dir[i], 0700), 0);
			run_init(&r);
			r.fs = fm_table(&m);
			r.opts.state_dir = dir[i];
			assert_int_equal(recover(&t, &r), 0);
		}
		s = seed * 7919;
		fm_choose(&m, SIZE_MAX / 2, &s); /* any set, by chance */
		fm_crash(&m);
		fm_release(&m);
		run_init(&r);
		if (recover(&t, &r) < 0)
			fail_msg("seed %llu: %s: %s", (unsigned long long)seed,
			    r.err.where, r.err.text);
		for (i = 0; i < 2; i++)
			assert_int_equal(nftw(dir[i], ts_rm, 16, FTW_DEPTH |
			    FTW_PHYS), 0);
		(void)close(pit);
		assert_int_equal(nftw(pit_path, ts_rm, 16, FTW_DEPTH | FTW_PHYS),
		    0);
		ts_release(&t);
	}
}

int main(void)
{
	struct CMUnitTest tests[sizeof(scenarios) / sizeof(scenarios[0]) + 4] = {
	    cmocka_unit_test(an_undone_import_keeps_its_copies),
	    cmocka_unit_test(what_cannot_be_looked_at_is_not_gone),
	    cmocka_unit_test(a_rename_that_lied_is_found_by_recovery),
	    cmocka_unit_test(the_list_of_places_is_durable_line_by_line),
	};
	size_t i;

	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		tests[i + 4].name = scenarios[i].name;
		tests[i + 4].test_func = each_fails_once;
		tests[i + 4].initial_state = (void *)(uintptr_t)&scenarios[i];
	}
	return cmocka_run_group_tests_name("tx_reads", tests, NULL, NULL);
}
