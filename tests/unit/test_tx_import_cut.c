/*
 * test_tx_import_cut.c - an import, its undo, redo and purge, ended at every
 * call that changes a file: killed before and after it, failed, and with the
 * power cut on a disk that keeps no order (fsops_model.h).
 *
 * After each, and after recovery, all five messages are in the queue as they
 * have to be or none is, no copy is left of what was not begun, and doing it
 * again is harmless.
 */
#include "unit/fsops_model.h"
#include "unit/import_world.h"

#include <sys/wait.h>

/* ---- ended at the n-th call ---- */

enum cut { CUT_BEFORE, CUT_AFTER, CUT_FAIL };

struct cutter {
	unsigned n, at;
	enum cut how;
	int sys;
};

/* Whether the call is made. */
static bool begin(struct cutter *k)
{
	if (++k->n != k->at)
		return true;
	if (k->how == CUT_BEFORE)
		_exit(0);
	if (k->how == CUT_FAIL)
		errno = k->sys;
	return k->how != CUT_FAIL;
}

static void end(const struct cutter *k)
{
	if (k->n == k->at && k->how == CUT_AFTER)
		_exit(0);
}

#define CUT(type, call) \
	struct cutter *k = ctx; \
	type r = -1; \
	if (begin(k)) { \
		r = qt_fsops_system.call; \
		end(k); \
	} \
	return r

static int k_create(void *ctx, int dir, const char *path, int flags, mode_t mode)
{
	CUT(int, create(NULL, dir, path, flags, mode));
}
static ssize_t k_write(void *ctx, int fd, const void *buf, size_t len)
{
	CUT(ssize_t, write(NULL, fd, buf, len));
}
static ssize_t k_pwrite(void *ctx, int fd, const void *buf, size_t len,
    off_t at)
{
	CUT(ssize_t, pwrite(NULL, fd, buf, len, at));
}
static int k_ftruncate(void *ctx, int fd, off_t len)
{
	CUT(int, ftruncate(NULL, fd, len));
}
static int k_fdatasync(void *ctx, int fd)
{
	CUT(int, fdatasync(NULL, fd));
}
static int k_fsync(void *ctx, int fd)
{
	CUT(int, fsync(NULL, fd));
}
static int k_syncfs(void *ctx, int fd)
{
	CUT(int, syncfs(NULL, fd));
}
static int k_mkdir(void *ctx, int dir, const char *path, mode_t mode)
{
	CUT(int, mkdir(NULL, dir, path, mode));
}
static int k_chown(void *ctx, int dir, const char *path, uid_t uid, gid_t gid)
{
	CUT(int, chown(NULL, dir, path, uid, gid));
}
static int k_chmod(void *ctx, int fd, mode_t mode)
{
	CUT(int, chmod(NULL, fd, mode));
}
static int k_utime(void *ctx, int dir, const char *path, int64_t atime_ns,
    int64_t mtime_ns)
{
	CUT(int, utime(NULL, dir, path, atime_ns, mtime_ns));
}
static int k_rename(void *ctx, int from, const char *a, int to, const char *b)
{
	CUT(int, rename(NULL, from, a, to, b));
}
static int k_unlink(void *ctx, int dir, const char *path)
{
	CUT(int, unlink(NULL, dir, path));
}
static int k_rmdir(void *ctx, int dir, const char *path)
{
	CUT(int, rmdir(NULL, dir, path));
}

static void use_cutter(struct run *r, struct cutter *k)
{
	r->fs = (struct qt_fsops){.ctx = k, .create = k_create,
	    .write = k_write, .pwrite = k_pwrite, .ftruncate = k_ftruncate,
	    .fdatasync = k_fdatasync, .fsync = k_fsync, .syncfs = k_syncfs,
	    .mkdir = k_mkdir, .chown = k_chown, .chmod = k_chmod,
	    .utime = k_utime, .rename = k_rename, .unlink = k_unlink,
	    .rmdir = k_rmdir};
}

/* ---- what is cut ---- */

enum final { NONE, ALL }; /* of the messages, in the queue */

static int to_hold(const struct tspool *t, struct run *r)
{
	return iw_restore(t, r, QT_Q_HOLD, 0, IW_N);
}

static int to_maildrop(const struct tspool *t, struct run *r)
{
	return iw_restore(t, r, QT_Q_MAILDROP, 0, IW_N);
}

static int undo_it(const struct tspool *t, struct run *r)
{
	return undo(t, r, 1, false);
}

static int redo_it(const struct tspool *t, struct run *r)
{
	return redo(t, r, 1);
}

static int purge_it(const struct tspool *t, struct run *r)
{
	return purge(t, r, 1);
}

static const struct scenario {
	const char *name;
	int (*act[5])(const struct tspool *t, struct run *r); /* the last one is cut */
	enum final before, done;
} scenarios[] = {
    {"import", {to_hold}, NONE, ALL},
    {"import to maildrop", {to_maildrop}, NONE, ALL},
    {"undo", {to_hold, undo_it}, ALL, NONE},
    {"undo out of maildrop", {to_maildrop, undo_it}, ALL, NONE},
    {"redo", {to_hold, undo_it, redo_it}, NONE, ALL},
    {"purge", {to_hold, undo_it, purge_it}, NONE, NONE},
};

static int (*prepare(const struct scenario *s, struct tspool *t))(
    const struct tspool *t, struct run *r)
{
	struct run r;
	size_t i;

	ts_make(t);
	for (i = 0; s->act[i + 1] != NULL; i++) {
		run_init(&r);
		if (s->act[i](t, &r) != 0)
			fail_msg("%s: %s", r.err.where, r.err.text);
	}
	return s->act[i];
}

static size_t transactions(const struct tspool *t, enum qt_tx_state *state)
{
	struct qt_error err = {0};
	struct qt_tx_list l;
	size_t n;

	assert_int_equal(qt_tx_list_read(&l, t->spool, NULL, &err), 0);
	n = l.n;
	if (n != 0)
		*state = l.v[0].state;
	qt_tx_list_release(&l);
	return n;
}

/* All or none; which.  Fails with the name of the case. */
static enum final settled(const struct tspool *t, const char *name, unsigned at)
{
	enum qt_tx_state state = QT_TX_ABORTED;
	size_t in, n = transactions(t, &state);

	in = iw_in_queues(t);
	if (n == 0 && (in != 0 || iw_copies(t) != 0))
		fail_msg("%s, call %u: there is no transaction, and there are "
			 "files of one", name, at);
	if (n > 1)
		fail_msg("%s, call %u: %zu transactions", name, at, n);
	switch (state) {
	case QT_TX_ABORTED:
	case QT_TX_PURGED:
		if (iw_copies(t) != 0)
			fail_msg("%s, call %u: copies are left", name, at);
		break;
	case QT_TX_UNDONE:
		if (iw_copies(t) != IW_N && iw_copies(t) != IW_N + 5)
			fail_msg("%s, call %u: %zu copies", name, at,
			    iw_copies(t));
		break;
	case QT_TX_PLACED:
		if (iw_copies(t) != 0)
			fail_msg("%s, call %u: copies are left", name, at);
		iw_all(t, 1);
		return ALL;
	default:
		fail_msg("%s, call %u: the transaction is %s", name, at,
		    qt_tx_state_name(state));
	}
	if (in != 0)
		fail_msg("%s, call %u: %zu files are in the queue, and it is "
			 "%s", name, at, in, qt_tx_state_name(state));
	return NONE;
}

static void recover_twice(const struct tspool *t, const char *name, unsigned at)
{
	struct run r;
	char *before;

	run_init(&r);
	if (recover(t, &r) < 0)
		fail_msg("%s, call %u: recovery: %s: %s", name, at, r.err.where,
		    r.err.text);
	before = ts_snapshot(t);
	if (recover(t, &r) != 0)
		fail_msg("%s, call %u: a second recovery did something", name,
		    at);
	ts_as_before(t, before);
}

/* True: there was such a call. */
static bool killed(const struct scenario *s, unsigned at, enum cut how)
{
	struct cutter k = {.at = at, .how = how};
	int (*act)(const struct tspool *t, struct run *r);
	struct tspool t;
	enum final now;
	int status;
	pid_t pid;

	act = prepare(s, &t);
	assert_true((pid = fork()) >= 0);
	if (pid == 0) {
		struct run r;

		run_init(&r);
		use_cutter(&r, &k);
		_exit(act(&t, &r) == 0 ? 2 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 3);
	recover_twice(&t, s->name, at);
	now = settled(&t, s->name, at);
	if (now != s->before && now != s->done)
		fail_msg("%s, call %u: it is %s", s->name, at,
		    now == ALL ? "all" : "none");
	if (WEXITSTATUS(status) == 2 && now != s->done)
		fail_msg("%s: it was acknowledged and is not done", s->name);
	ts_release(&t);
	return WEXITSTATUS(status) == 0;
}

static bool full(void)
{
	const char *s = getenv("QTOOL_FULL");

	return s != NULL && *s != '\0';
}

static void a_kill_leaves_all_or_none(void **state)
{
	const struct scenario *s = *state;
	unsigned at, kills = 0;

	for (at = 1; killed(s, at, CUT_AFTER); at++)
		kills++;
	/* as it was after the one before, but for the first */
	for (at = 1; killed(s, at, CUT_BEFORE); at += full() ? 1 : 7)
		kills++;
	assert_true(kills > 20);
}

/* True: there was such a call. */
static bool failed(const struct scenario *s, unsigned at, int sys)
{
	struct cutter k = {.at = at, .how = CUT_FAIL, .sys = sys};
	int (*act)(const struct tspool *t, struct run *r);
	enum final now;
	struct tspool t;
	struct run r;
	int result;

	act = prepare(s, &t);
	run_init(&r);
	use_cutter(&r, &k);
	result = act(&t, &r);
	if (result == -1 && (r.err.code != QT_E_SYS && r.err.code != QT_E_STATE))
		fail_msg("%s, call %u: %s", s->name, at, r.err.text);
	/* what was not done, and could be said so, is not there now either */
	if (result != 0 && !r.out.begun && r.err.code != QT_E_STATE &&
	    (iw_in_queues(&t) == 0) != (s->before == NONE))
		fail_msg("%s, call %u, failed and not as before: %s", s->name,
		    at, r.err.text);
	if (result != 0 && s->before == NONE && s->act[1] == NULL &&
	    r.err.code != QT_E_STATE && at > 1 && iw_copies(&t) != 0)
		fail_msg("%s, call %u, left copies: %s", s->name, at,
		    r.err.text);
	recover_twice(&t, s->name, at);
	now = settled(&t, s->name, at);
	if ((now != s->before && now != s->done) ||
	    (result == 0 && now != s->done))
		fail_msg("%s, call %u: result %d, and it is %s", s->name, at,
		    result, now == ALL ? "all" : "none");
	ts_release(&t);
	return k.n >= at;
}

static void a_failure_leaves_all_or_none(void **state)
{
	static const int errors[] = {EIO, ENOSPC, EACCES};
	const struct scenario *s = *state;
	unsigned at;
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		for (at = 1; failed(s, at, errors[i]);
		     at += full() || i == 0 ? 1 : 3)
			;
	assert_true(at > 20);
}

/* ---- the power ---- */

/*
 * The kernel's word that an inode is no more: for what lies in the pit, where
 * the model keeps what was unlinked.
 */
#define PIT ".pit"
int open_by_handle_at(int mount, struct file_handle *h, int flags)
{
	char link[64], path[PATH_MAX];
	int fd = (int)syscall(SYS_open_by_handle_at, mount, h, flags);
	ssize_t n;

	if (fd < 0)
		return -1;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	if (strstr(path, PIT "/") == NULL)
		return fd;
	(void)close(fd);
	errno = ESTALE;
	return -1;
}

/* Recovery, cut short in the same way, as often as chance wants. */
static void recover_badly(const struct tspool *t, int pit, uint64_t *seed)
{
	unsigned times = (unsigned)(fm_random(seed) % 3);
	struct qt_change *c;
	struct run r;
	struct fm m;

	while (times-- > 0) {
		fm_init(&m, pit, NULL);
		m.last = fm_random(seed) % 40;
		run_init(&r);
		r.fs = fm_table(&m);
		c = open_change(t, &r);
		qt_change_close(c);
		fm_choose(&m, fm_random(seed) % fm_sets(&m, 20), seed);
		fm_crash(&m);
		fm_release(&m);
	}
}

/* How many sets there are after that call; *calls: how many were made. */
static size_t cut(const struct scenario *s, unsigned last, size_t set,
    size_t by_chance, uint64_t seed, unsigned long *calls)
{
	int (*act)(const struct tspool *t, struct run *r);
	char pit_path[80];
	enum final now;
	struct tspool t;
	struct run r;
	struct fm m;
	size_t sets;
	int pit, result;

	act = prepare(s, &t);
	(void)snprintf(pit_path, sizeof(pit_path), "%s" PIT, t.dir);
	assert_int_equal(mkdir(pit_path, 0700), 0);
	pit = open(pit_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fm_init(&m, pit, NULL);
	m.last = last;
	run_init(&r);
	r.fs = fm_table(&m);
	result = act(&t, &r);
	*calls = m.calls;
	sets = fm_sets(&m, by_chance);
	fm_choose(&m, set, &seed);
	fm_crash(&m);
	fm_release(&m);
	if (set + by_chance >= sets)
		recover_badly(&t, pit, &seed);
	recover_twice(&t, s->name, last);
	now = settled(&t, s->name, last);
	if ((now != s->before && now != s->done) ||
	    (result == 0 && now != s->done))
		fail_msg("%s, call %u, set %zu: result %d, and it is %s",
		    s->name, last, set, result, now == ALL ? "all" : "none");
	(void)close(pit);
	assert_int_equal(nftw(pit_path, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	ts_release(&t);
	return sets;
}

static void a_power_cut_leaves_all_or_none(void **state)
{
	const struct scenario *s = *state;
	const size_t by_chance = full() ? 40 : 3;
	unsigned long calls = ULONG_MAX, made;
	size_t set, sets, cases = 0;
	unsigned last;

	for (last = 0; last <= calls; last++) {
		for (set = 0, sets = 1; set < sets; cases++) {
			sets = cut(s, last, set, by_chance,
			    20260117 + cases * 7919 + 1, &made);
			if (full() || sets < 4 || set < 1)
				set++;
			else if (set == 1) /* one of the others in turn */
				set = 2 + last % (sets - 2);
			else
				set = set + by_chance < sets ?
				    sets - by_chance + last % by_chance : sets;
		}
		if (made <= last)
			calls = last;
	}
	assert_true(calls > 20 && cases > calls);
}

int main(void)
{
	struct CMUnitTest tests[3 * sizeof(scenarios) / sizeof(scenarios[0])];
	char names[sizeof(tests) / sizeof(tests[0])][64];
	static const struct {
		const char *name;
		void (*fn)(void **state);
	} cuts[3] = {{"killed", a_kill_leaves_all_or_none},
	    {"failed", a_failure_leaves_all_or_none},
	    {"power cut", a_power_cut_leaves_all_or_none}};
	size_t i, n = 0, k;

	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		for (k = 0; k < 3; k++, n++) {
			(void)snprintf(names[n], sizeof(names[n]), "%s, %s",
			    scenarios[i].name, cuts[k].name);
			tests[n] = (struct CMUnitTest){.name = names[n],
			    .test_func = cuts[k].fn,
			    .initial_state = (void *)(uintptr_t)&scenarios[i]};
		}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
