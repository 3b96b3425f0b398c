/*
 * test_fsops_model.c - power cuts on a file system that keeps no order.
 *
 * Each operation is cut short after each of its calls, and of what no barrier
 * covered any set is lost (fsops_model.h): none, all, each alone, each but one,
 * the last ones, and sets by chance, with recovery cut short in the same way.
 * Then recovery runs and every message is accounted for: it is in one place, as
 * it was, and all are where they were before or all where they belong after;
 * what had been acknowledged stays.
 *
 * Others act, too: before each call a message is removed, moved, replaced or
 * touched as Postfix and postsuper do it, and the barrier may be one that
 * covers qtool's own doings alone.
 *
 * QTOOL_FULL: more sets by chance.  QTOOL_SEED: another chance.
 */
#include "unit/fsops_cut.h"

/* ---- what is tried ---- */

static const struct scenario scenarios[] = {
    {"delete", {act_delete}, BIT(F_HOME), F_STAGED, false},
    {"delete, plan and log elsewhere", {act_delete}, BIT(F_HOME), F_STAGED,
	true},
    {"undo", {act_delete, act_undo}, BIT(F_STAGED), F_HOLD, false},
    {"undo, plan and log elsewhere", {act_delete, act_undo}, BIT(F_STAGED),
	F_HOLD, true},
    {"undo in place", {act_delete, act_undo_in_place}, BIT(F_STAGED), F_HOME,
	false},
    {"purge", {act_delete, act_purge}, BIT(F_STAGED), F_GONE, false},
    {"redo of a delete", {act_delete, act_undo, act_redo}, BIT(F_HOLD),
	F_STAGED, false},
    {"archive", {act_archive}, BIT(F_HOME), F_STAGED, false},
    {"archive that fails", {act_bad_archive}, 0, F_HOME, false},
    {"hold", {act_hold}, BIT(F_HOME), F_HOLD, false},
    {"hold, plan and log elsewhere", {act_hold}, BIT(F_HOME), F_HOLD, true},
    {"undo of a hold", {act_hold, act_undo}, BIT(F_HOLD), F_HOME, false},
    {"redo of a hold", {act_hold, act_undo, act_redo}, BIT(F_HOME), F_HOLD,
	false},
    {"release", {act_release}, BIT(F_HOME), F_DEFERRED, false},
    {"undo of a release", {act_release, act_undo}, BIT(F_DEFERRED), F_HOME,
	false},
    {"requeue", {act_requeue}, BIT(F_HOME), F_MAILDROP, false},
    {"undo of a requeue", {act_requeue, act_undo}, BIT(F_MAILDROP), F_HOLD,
	false},
    {"undo of a requeue, in place", {act_requeue, act_undo_in_place},
	BIT(F_MAILDROP), F_HOME, false},
    {"restore", {act_delete, act_restore}, BIT(F_STAGED), F_HOLD, false},
    {"undo of a restore", {act_delete, act_restore, act_undo_second},
	BIT(F_HOLD), F_STAGED, false},
};

/* ---- one case ---- */

/* What is staged can be had back: the plan and the log are whole. */
static void check_undo(struct world *w)
{
	struct things now;
	struct run r;

	run_init(&r);
	if (undo(&w->t, &r, 1, true) != 0)
		wrong(w, "undo afterwards: %s: %s", r.err.where, r.err.text);
	list_all(&w->t, &now);
	(void)account(w, &now, BIT(F_HOME));
}

/*
 * Which sets are tried when not all are: all lost, one of the others in turn,
 * and one by chance.
 */
static size_t next_set(size_t set, size_t sets, size_t by_chance, size_t turn)
{
	if (full() || sets < 4)
		return set + 1;
	if (set == 0)
		return 1;
	if (set == 1)
		return 2 + turn % (sets - 2);
	return set < sets - by_chance ? sets - by_chance + turn % by_chance :
					sets;
}

/* The number of sets for this call; *calls: how many there were. */
static size_t one_cut(const struct scenario *s, unsigned long last, size_t set,
    size_t by_chance, uint64_t seed, unsigned long *calls)
{
	struct world w = {.s = s, .last = last, .set = set, .seed = seed};
	struct things now;
	size_t sets;
	unsigned fit;
	struct run r;
	struct fm m;
	int result;

	world_make(&w);
	fm_init(&m, w.pit, w.second);
	m.last = last;
	run_init(&r);
	r.fs = fm_table(&m);
	use_state_dir(&w, &r);
	result = w.act(&w.t, &r);
	*calls = m.calls;
	sets = fm_sets(&m, by_chance);
	fm_choose(&m, set, &w.seed);
	fm_crash(&m);
	fm_release(&m);
	if (set + by_chance >= sets) /* one of those by chance */
		recover_badly(&w, (unsigned)(fm_random(&w.seed) % 4), false);
	recover_well(&w);
	list_all(&w.t, &now);
	fit = account(&w, &now, s->before | BIT(s->done));
	if (result == 0 && (fit & BIT(s->done)) == 0)
		wrong(&w, "it was acknowledged, and is not done");
	if (fit == BIT(F_STAGED))
		check_undo(&w);
	world_release(&w);
	return sets;
}

/*
 * Killed, with nothing lost, and recovered; the power goes only then.  What
 * recovery was content with, though it found it as it was, has to stay.
 */
static void kill_then_cut(const struct scenario *s, unsigned long last,
    size_t set, uint64_t seed)
{
	struct world w = {.s = s, .last = last, .set = set, .seed = seed,
	    .other = "killed, recovered"};
	struct qt_change *c;
	struct things now;
	unsigned fit;
	struct run r;
	struct fm m;

	world_make(&w);
	fm_init(&m, w.pit, w.second);
	m.last = last;
	run_init(&r);
	r.fs = fm_table(&m);
	use_state_dir(&w, &r);
	(void)w.act(&w.t, &r);
	m.last = ULONG_MAX;
	run_init(&r);
	r.fs = fm_table(&m);
	if ((c = open_change(&w.t, &r)) == NULL)
		wrong(&w, "recovery: %s: %s", r.err.where, r.err.text);
	qt_change_close(c);
	list_all(&w.t, &now);
	fit = account(&w, &now, s->before | BIT(s->done));
	fm_choose(&m, set, &w.seed);
	fm_crash(&m);
	fm_release(&m);
	recover_well(&w);
	list_all(&w.t, &now);
	(void)account(&w, &now, fit);
	world_release(&w);
}

static void cut_everywhere(void **state)
{
	const struct scenario *s = *state;
	size_t set, sets, by_chance = full() ? 100 : 4, cases = 0;
	unsigned long last, calls = ULONG_MAX, made;
	uint64_t seed = first_seed();

	for (last = 0; last <= calls; last++)
		for (set = last % 4 != 0, sets = 1; set < sets || set == 1;
		     set = next_set(set, sets, by_chance, last)) {
			sets = one_cut(s, last, set, by_chance,
			    seed + cases * 7919 + 1, &made);
			if (made <= last)
				calls = last; /* it came to its end */
			cases++;
		}
	for (last = 0; last <= calls; last += full() ? 1 : 2)
		for (set = 1; set < (full() ? 20 : 2); set++, cases++)
			kill_then_cut(s, last, set, seed + cases * 7919 + 1);
	assert_true(calls > 10 && cases > calls);
	print_message("# %s: %lu calls, %zu cuts, seed %llu\n", s->name, calls,
	    cases, (unsigned long long)seed);
}

/* ---- others at work ---- */

struct other {
	const char *name;
	bool weak;	 /* what they did need not be durable */
	void (*act)(struct world *w, struct fm *m);
};

struct meddler {
	struct world *w;
	const struct other *o;
	bool did;
};

#define VICTIM 3 /* in deferred, with logs */

static struct thing *victim(struct world *w)
{
	size_t i;

	for (i = 0; i < w->before.n; i++)
		if (strcmp(w->before.v[i].path, w->t.m[VICTIM].path) == 0)
			return &w->before.v[i];
	abort();
}

/* It and its logs are no longer with the others. */
static void set_free(struct world *w)
{
	size_t i;

	for (i = 0; i < w->before.n; i++)
		if (!w->before.v[i].foreign &&
		    strcmp(w->before.v[i].id, w->t.m[VICTIM].id) == 0)
			w->before.v[i].free = true;
}

static bool victim_is_home(const struct world *w)
{
	return ts_exists(&w->t, "%s", w->t.m[VICTIM].path);
}

static void removes(struct world *w, struct fm *m)
{
	if (victim_is_home(w)) {
		set_free(w);
		assert_int_equal(fm_unlink(m, w->t.fd, w->t.m[VICTIM].path), 0);
	}
}

static void activates(struct world *w, struct fm *m)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "active/%s", w->t.m[VICTIM].id);
	if (victim_is_home(w)) {
		set_free(w);
		assert_int_equal(fm_rename(m, w->t.fd, w->t.m[VICTIM].path,
			w->t.fd, path), 0);
	}
}

/* A new message of another, durable as cleanup makes it. */
static void put_foreign(struct world *w, const char *path)
{
	struct things now;
	struct thing *th;
	size_t i;

	ts_write(&w->t, path, "of another", 0700);
	list_all(&w->t, &now);
	for (i = 0; i < now.n; i++)
		if (strcmp(now.v[i].path, path) == 0) {
			th = &w->before.v[w->before.n++];
			*th = now.v[i];
			th->foreign = true;
		}
}

static void replaces(struct world *w, struct fm *m)
{
	if (victim_is_home(w)) {
		removes(w, m);
		put_foreign(w, w->t.m[VICTIM].path);
	}
}

/* The name to which an undo would bring it is taken. */
static void takes_name(struct world *w, struct fm *m)
{
	char path[96];

	(void)m;
	(void)snprintf(path, sizeof(path), "hold/%s", w->t.m[VICTIM].id);
	if (!ts_exists(&w->t, "%s", path)) {
		set_free(w);
		w->taken = true;
		put_foreign(w, path);
	}
}

static void touches(struct world *w, struct fm *m)
{
	struct timespec times[2] = {{1800000000, 1}, {1800000000, 1}};

	(void)m;
	if (victim_is_home(w)) {
		set_free(w);
		assert_int_equal(utimensat(w->t.fd, w->t.m[VICTIM].path, times,
			0), 0);
	}
}

static const struct other others[] = {
    {"qmgr removes one", true, removes},
    {"qmgr takes one up", true, activates},
    {"one is replaced", false, replaces},
    {"one is tried", false, touches},
    {"a name is taken", false, takes_name},
};

static void meddle(void *ctx, struct fm *m)
{
	struct meddler *md = ctx;

	md->did = true;
	md->o->act(md->w, m);
}

static size_t planned(const struct world *w, enum qt_tx_state *state)
{
	struct qt_error err = {0};
	struct qt_tx_list l;
	size_t n;

	assert_int_equal(qt_tx_list_read(&l, w->t.spool, NULL, &err), 0);
	n = l.n > 0 ? l.v[l.n - 1].planned : 0;
	*state = l.n > 0 ? l.v[l.n - 1].state : QT_TX_ABORTED;
	qt_tx_list_release(&l);
	return n;
}

/*
 * The message that others had: it is in one place or they removed it.  What was
 * committed without it does not come back into the queue; what was reported as
 * left alone is left alone.
 */
static void check_victim(struct world *w, const struct things *now,
    const struct run *r, int result)
{
	const struct thing *was = victim(w), *is = find_thing(now, was->ino);
	bool in_staging = is != NULL && strncmp(is->path, "qtool/", 6) == 0;
	bool left = strstr(r->seen.text, "changed") != NULL ||
	    strstr(r->seen.text, "in delivery") != NULL;
	enum qt_tx_state state;
	size_t n = planned(w, &state);

	if (!was->free)
		return;
	if (is != NULL && strcmp(is->text, was->text) != 0)
		wrong(w, "%s has other bytes", was->path);
	if (is != NULL && in_staging && !is_staged(is, was))
		wrong(w, "%s is staged as %s", was->path, is->path);
	if (in_staging && state != QT_TX_COMMITTED && w->s->done == F_STAGED)
		wrong(w, "%s is staged and nothing is committed", was->path);
	if (result != 0)
		return;
	if (w->s->done == F_STAGED && left && in_staging)
		wrong(w, "%s was left alone, as said, and is staged", was->path);
	if (w->s->done == F_STAGED && !left && !in_staging && is != NULL &&
	    n == w->t.n)
		wrong(w, "%s came back: %s", was->path, is->path);
}

/* How many calls there were; *did: the others came to act. */
static unsigned long one_race(const struct scenario *s, const struct other *o,
    unsigned long at, unsigned long last, size_t set, uint64_t seed, bool *did)
{
	struct world w = {.s = s, .last = last, .set = set, .seed = seed,
	    .meddle_at = at, .other = o->name};
	struct meddler md = {.w = &w, .o = o};
	unsigned finals = s->before | BIT(s->done) | BIT(F_HOME);
	unsigned long calls;
	struct things now;
	struct run r;
	struct fm m;
	int result;

	world_make(&w);
	fm_init(&m, w.pit, w.second);
	m.last = last;
	m.weak = o->weak;
	m.meddle = meddle;
	m.meddle_ctx = &md;
	m.meddle_at = at;
	run_init(&r);
	r.fs = fm_table(&m);
	result = w.act(&w.t, &r);
	calls = m.calls;
	fm_choose(&m, o->weak ? set : 0, &w.seed);
	fm_crash(&m);
	fm_release(&m);
	if (o->weak && set > 4)
		recover_badly(&w, (unsigned)(fm_random(&w.seed) % 3), true);
	recover_well(&w);
	list_all(&w.t, &now);
	(void)account(&w, &now, finals);
	check_victim(&w, &now, &r, result);
	*did = md.did;
	world_release(&w);
	return calls;
}

static bool concerns(const struct scenario *s, const struct other *o)
{
	bool first = s->acts[1] == NULL;

	if (s->second || s->before == 0 || s->acts[0] == act_archive)
		return false;
	if (o->act == takes_name)
		return s->done == F_HOLD && s->acts[2] == NULL &&
		    s->acts[0] == act_delete;
	return first && s->acts[0] != act_release;
}

/*
 * What took a message's name within the look and the rename is put back after
 * the rename.  Killed before that, only what stages compares again: elsewhere a
 * message that has the ID of another within the same microsecond stays.
 */
static bool may_be_cut(const struct scenario *s, const struct other *o)
{
	return o->act != replaces || s->done == F_STAGED;
}

/* Others act before each call, and the cut comes at some time after it. */
static void race_everywhere(void **state)
{
	const struct other *o = *state;
	unsigned long at, calls, last;
	uint64_t seed = first_seed();
	size_t i, k, cases = 0, tries = full() ? 60 : 1;
	bool did;

	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		if (!concerns(&scenarios[i], o))
			continue;
		for (at = 1, did = true; did; at++) {
			calls = one_race(&scenarios[i], o, at, ULONG_MAX, 0,
			    seed, &did);
			for (k = 0; k < tries && did; k++) {
				uint64_t s = seed + cases * 7919 + k + 1;

				last = (at + k) % 2 == 0 ||
				    !may_be_cut(&scenarios[i], o) ? ULONG_MAX :
				    at + fm_random(&s) % (calls + 1 - at + 1);
				(void)one_race(&scenarios[i], o, at, last,
				    (at + k) % 3 == 0 ? 1 : 2 + fm_random(&s) % 60, s,
				    &did);
				cases++;
			}
		}
	}
	assert_true(cases > 50);
	print_message("# %s: %zu cuts, seed %llu\n", o->name, cases,
	    (unsigned long long)seed);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(scenarios) / sizeof(scenarios[0]) +
	    sizeof(others) / sizeof(others[0])] = {0};
	size_t i, n = 0;

	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++, n++) {
		tests[n].name = scenarios[i].name;
		tests[n].test_func = cut_everywhere;
		tests[n].initial_state = (void *)(uintptr_t)&scenarios[i];
	}
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++, n++) {
		tests[n].name = others[i].name;
		tests[n].test_func = race_everywhere;
		tests[n].initial_state = (void *)(uintptr_t)&others[i];
	}
	return cmocka_run_group_tests_name("fsops_model", tests, NULL, NULL);
}
