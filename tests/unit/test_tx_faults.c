/*
 * test_tx_faults.c - when the log fails, the disk is full, the state is away or
 * damaged, or a power cut brings messages back.
 */
#include "unit/change_run.h"

/* ---- the log fails ---- */

struct log_fault {
	unsigned n, at;	    /* the at-th fdatasync fails */
	bool cut_fails, only_sync; /* only_sync: the bytes are there */
};

static int l_fdatasync(void *ctx, int fd)
{
	struct log_fault *f = ctx;

	if (++f->n == f->at) {
		errno = EIO;
		return -1;
	}
	return qt_fsops_system.fdatasync(NULL, fd);
}

static int l_ftruncate(void *ctx, int fd, off_t len)
{
	struct log_fault *f = ctx;

	if (f->cut_fails) {
		errno = EIO;
		return -1;
	}
	return qt_fsops_system.ftruncate(NULL, fd, len);
}

static void a_commit_that_fails_is_none(void **state)
{
	struct log_fault f = {.at = 2}; /* PREPARED, then COMMIT */
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	run_init(&r);
	r.fs.ctx = &f;
	r.fs.fdatasync = l_fdatasync;
	r.fs.ftruncate = l_ftruncate;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(r.err.code, QT_E_SYS);
	ts_as_before(&t, before);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTED);
	ts_release(&t);
}

/*
 * COMMIT was written, could not be synced and could not be taken back: nobody
 * knows what the disk has.  Nothing moves until the log was read again.
 */
static void a_commit_nobody_knows_of_waits(void **state)
{
	struct log_fault f = {.at = 2, .cut_fails = true};
	struct tspool t;
	struct run r;
	size_t staged;

	(void)state;
	fill(&t);
	run_init(&r);
	r.fs.ctx = &f;
	r.fs.fdatasync = l_fdatasync;
	r.fs.ftruncate = l_ftruncate;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(r.err.code, QT_E_STATE);
	assert_non_null(strstr(r.err.text, "recover"));
	for (size_t i = 0; i < 5; i++)
		assert_false(ts_exists(&t, "%s", t.m[i].path));
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 5);
	run_init(&r);
	assert_int_equal(undo(&t, &r, 1, true), 0);
	assert_int_equal(r.out.done, 5);
	ts_release(&t);
}

/*
 * PURGE was written and its writer killed before the sync: nothing is unlinked
 * because of a record that a power cut could still take away.
 */
static void a_record_is_durable_before_it_is_acted_on(void **state)
{
	struct log_fault f = {.at = 1};
	struct schedule s;
	struct tspool t;
	struct run r;
	size_t staged;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	use_schedule(&r, &s, &t);
	s.stop = 1; /* before the first unlink */
	assert_int_equal(purge(&t, &r, 1), -1);
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_PURGING);
	assert_int_equal(staged, 5);
	run_init(&r);
	r.fs.ctx = &f;
	r.fs.fdatasync = l_fdatasync;
	r.fs.ftruncate = l_ftruncate;
	assert_int_equal(purge(&t, &r, 1), -2);
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_PURGING);
	assert_int_equal(staged, 5);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_PURGED);
	ts_release(&t);
}

static int l_syncfs(void *ctx, int fd)
{
	(void)ctx, (void)fd;
	errno = EIO;
	return -1;
}

/* Nor is one told of: COMMIT is there, and its writer was killed. */
static void a_record_is_durable_before_it_is_told(void **state)
{
	char dir[64] = "/tmp/qtool-state.XXXXXX";
	struct schedule s;
	struct tspool t;
	struct run r;
	int i;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (i = 0; i < 2; i++) {
		struct log_fault f = {.at = 2, .cut_fails = true};

		fill(&t);
		run_init(&r);
		r.opts.state_dir = i == 0 ? NULL : dir;
		/* what is made once, with its syncs */
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
		r.fs.ctx = &f;
		r.fs.fdatasync = l_fdatasync;
		r.fs.ftruncate = l_ftruncate;
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
		assert_int_equal(state_of(&t, 1, NULL), QT_TX_COMMITTED);
		run_init(&r);
		use_schedule(&r, &s, &t);
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
		assert_int_equal(s.syncs, i + 1); /* the queue, and dir */
		run_init(&r);
		r.fs.syncfs = l_syncfs;
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -2);
		assert_int_equal(r.err.code, QT_E_SYS);
		ts_release(&t);
	}
	assert_int_equal(nftw(dir, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
}

struct synced { /* which of these was synced */
	ino_t dir, up;
	bool dir_yes, up_yes;
};

static int noting_fsync(void *ctx, int fd)
{
	struct synced *s = ctx;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	s->dir_yes = s->dir_yes || st.st_ino == s->dir;
	s->up_yes = s->up_yes || st.st_ino == s->up;
	return qt_fsops_system.fsync(NULL, fd);
}

/* The names that lead to a plan elsewhere are as durable as the plan. */
static void a_state_dir_is_durable_with_its_parents(void **state)
{
	char up[64] = "/tmp/qtool-state.XXXXXX", dir[80];
	struct synced s = {0};
	struct stat st;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	assert_non_null(mkdtemp(up));
	(void)snprintf(dir, sizeof(dir), "%s/new", up);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(stat(up, &st), 0);
	s.up = st.st_ino;
	assert_int_equal(stat(dir, &st), 0);
	s.dir = st.st_ino;
	run_init(&r);
	r.fs.ctx = &s;
	r.fs.fsync = noting_fsync;
	r.opts.state_dir = dir;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_true(s.dir_yes);
	assert_true(s.up_yes);
	assert_int_equal(nftw(up, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	ts_release(&t);
}

static int full_create(void *ctx, int dir, const char *path, int flags,
    mode_t mode)
{
	(void)ctx;
	if (strcmp(path, "log") == 0) {
		errno = ENOSPC;
		return -1;
	}
	return qt_fsops_system.create(NULL, dir, path, flags, mode);
}

static int no_unlink(void *ctx, int dir, const char *path)
{
	(void)ctx, (void)dir, (void)path;
	errno = EIO;
	return -1;
}

/* The plan took the last room and its log has none: nothing stays of either. */
static void a_full_disk_keeps_nobody_from_trying_again(void **state)
{
	char dir[64] = "/tmp/qtool-state.XXXXXX";
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	assert_non_null(mkdtemp(dir));
	run_init(&r);
	r.fs.create = full_create;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(r.err.sys, ENOSPC);
	assert_int_equal(r.err.code, QT_E_SYS);
	assert_false(ts_exists(&t, "qtool/tx/000001"));
	/* one that was killed there is no hindrance either */
	r.fs.unlink = no_unlink;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_PREPARED);
	run_init(&r);
	r.fs.create = full_create;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	assert_int_equal(r.err.code, QT_E_GONE);
	assert_int_equal(r.recovered, 1);
	ts_as_before(&t, before);
	run_init(&r);
	r.opts.state_dir = dir;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(nftw(dir, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	ts_release(&t);
}

/* No room: neither for a plan in the spool nor for a directory there. */
static int no_plan_create(void *ctx, int dir, const char *path, int flags,
    mode_t mode)
{
	(void)ctx;
	if (strcmp(path, "plan.tmp") == 0) {
		errno = ENOSPC;
		return -1;
	}
	return qt_fsops_system.create(NULL, dir, path, flags, mode);
}

/* A full disk, and --state-dir on another one. */
struct full {
	char place[64]; /* DIR */
	ino_t tx;	/* of DIR/tx */
	unsigned n, at; /* from the at-th rename into staging on they fail */
	bool dead;	/* and after that nothing works */
};

static void full_init(struct full *f, struct run *r)
{
	char path[80];
	struct stat st;

	*f = (struct full){.place = "/tmp/qtool-state.XXXXXX"};
	assert_non_null(mkdtemp(f->place));
	(void)snprintf(path, sizeof(path), "%s/tx", f->place);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(stat(path, &st), 0);
	f->tx = st.st_ino;
	run_init(r);
}

static void full_release(struct full *f)
{
	assert_int_equal(nftw(f->place, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static bool there(const char *dir, const char *name)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static int full_mkdir(void *ctx, int dir, const char *path, mode_t mode)
{
	const struct full *f = ctx;
	struct stat st;

	if (dir >= 0) {
		assert_int_equal(fstat(dir, &st), 0);
		if (st.st_ino == f->tx)
			return qt_fsops_system.mkdir(NULL, dir, path, mode);
	}
	errno = faccessat(dir, path, F_OK, 0) == 0 ? EEXIST : ENOSPC;
	return -1;
}

/* Names that are staged end in a dot and a letter. */
static int full_rename(void *ctx, int fromdir, const char *from, int todir,
    const char *to)
{
	struct full *f = ctx;
	size_t len = strlen(to);

	if (f->at != 0 && len > 2 && to[len - 2] == '.' && ++f->n >= f->at) {
		errno = ENOSPC;
		return -1;
	}
	if (f->dead && f->at != 0 && f->n >= f->at) {
		errno = EIO;
		return -1;
	}
	return qt_fsops_system.rename(NULL, fromdir, from, todir, to);
}

static void full_use(struct full *f, struct run *r)
{
	run_init(r);
	r->fs.ctx = f;
	r->fs.mkdir = full_mkdir;
	r->fs.rename = full_rename;
	r->opts.state_dir = f->place;
}

/* However often it was tried in vain: --state-dir works on the full disk. */
static void a_full_disk_keeps_its_spare_directory(void **state)
{
	struct tspool t;
	struct full f;
	struct run r;
	int i;

	(void)state;
	fill(&t);
	full_init(&f, &r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	for (i = 0; i < 4; i++) { /* every other one is killed before it tidies */
		full_use(&f, &r);
		r.fs.create = no_plan_create;
		if (i % 2 == 1)
			r.fs.unlink = no_unlink;
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
		assert_int_equal(r.err.sys, ENOSPC);
		assert_int_equal(ts_exists(&t, "qtool/spare/x/0000"), i % 2 == 0);
	}
	full_use(&f, &r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.recovered, 1);
	assert_int_equal(r.out.done, 5);
	full_release(&f);
	ts_release(&t);
}

/* Nor does a plan that stays in the spool use it up: it has no room there. */
static void a_plain_delete_leaves_the_spare_directory(void **state)
{
	struct tspool t;
	struct full f;
	struct run r;

	(void)state;
	fill(&t);
	full_init(&f, &r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	full_use(&f, &r);
	r.opts.state_dir = NULL;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(r.err.sys, ENOSPC);
	assert_non_null(strstr(r.err.text, "--state-dir"));
	assert_true(ts_exists(&t, "qtool/spare/x/0000"));
	assert_false(ts_exists(&t, "qtool/tx/000001"));
	full_release(&f);
	ts_release(&t);
}

/*
 * There is no room for the third name in staging: all goes back, and the
 * directories are spare ones again; also when that is left to recovery.
 */
static void an_abort_gives_the_spare_directory_back(void **state)
{
	struct tspool t;
	struct full f;
	struct run r;
	char *before;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		fill(&t);
		full_init(&f, &r);
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
		before = ts_snapshot(&t);
		full_use(&f, &r);
		f.at = 3;
		f.dead = i == 1;
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
		assert_int_equal(r.err.sys, ENOSPC);
		assert_int_equal(r.err.code, f.dead ? QT_E_STATE : QT_E_SYS);
		assert_int_equal(ts_exists(&t, "qtool/spare"), !f.dead);
		f.at = 0;
		full_use(&f, &r);
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
		assert_int_equal(r.recovered, f.dead);
		assert_true(ts_exists(&t, "qtool/spare/x/0000"));
		assert_false(ts_exists(&t, "qtool/tx/000001"));
		assert_false(there(f.place, "tx/000001"));
		ts_as_before(&t, before);
		full_use(&f, &r);
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
		assert_int_equal(r.out.done, 5);
		full_release(&f);
		ts_release(&t);
	}
}

/* While there is room each transaction makes its own. */
static void the_spare_directory_is_for_a_full_disk(void **state)
{
	struct stat was, is;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	assert_int_equal(fstatat(t.fd, "qtool/spare/m/0000", &was, 0), 0);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(fstatat(t.fd, "qtool/spare/m/0000", &is, 0), 0);
	assert_int_equal(was.st_ino, is.st_ino);
	ts_release(&t);
}

struct tight { /* a rename has room when the file "room" was cut so often */
	const struct tspool *t;
	unsigned cuts, need;
};

static int tight_rename(void *ctx, int fromdir, const char *from, int todir,
    const char *to)
{
	struct tight *s = ctx;

	if (strcmp(from, s->t->m[0].id) == 0 && s->cuts < s->need) {
		errno = EDQUOT;
		return -1;
	}
	return qt_fsops_system.rename(NULL, fromdir, from, todir, to);
}

static int tight_ftruncate(void *ctx, int fd, off_t len)
{
	struct tight *s = ctx;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_true(len < st.st_size);
	s->cuts++;
	return qt_fsops_system.ftruncate(NULL, fd, len);
}

/* Blocks are given up until there is room, and no more of them. */
static void a_rename_without_room_is_given_some(void **state)
{
	static const struct {
		unsigned need;
		off_t left; /* of 400,000 */
	} cases[] = {{0, 400000}, {2, 400000 - 2 * 65536}, {7, 0}, {8, 0}};
	struct tight s;
	struct tspool t;
	struct stat st;
	struct run r;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool done = cases[i].need < 8;

		fill(&t);
		run_init(&r);
		r.fs.fallocate = NULL; /* the file stays as it is made here */
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
		fd = openat(t.fd, "qtool/room", O_CREAT | O_WRONLY, 0600);
		assert_int_equal(ftruncate(fd, 400000), 0);
		s = (struct tight){.t = &t, .need = cases[i].need};
		r.fs.ctx = &s;
		r.fs.rename = tight_rename;
		r.fs.ftruncate = tight_ftruncate;
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)),
		    done ? 0 : -1);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_size, cases[i].left);
		assert_int_equal(close(fd), 0);
		assert_int_equal(ts_exists(&t, "%s", t.m[0].path), !done);
		if (!done) {
			assert_int_equal(r.err.sys, EDQUOT);
			assert_non_null(strstr(r.err.text, "fewer"));
		}
		ts_release(&t);
	}
}

/* ---- state elsewhere, damage ---- */

static void plan_and_log_elsewhere_are_found_again(void **state)
{
	char dir[64] = "/tmp/qtool-state.XXXXXX", path[128], aside[128];
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	assert_non_null(mkdtemp(dir));
	run_init(&r);
	r.opts.state_dir = dir;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_false(ts_exists(&t, "qtool/tx/000001/plan"));
	(void)snprintf(path, sizeof(path), "%s/tx/000001/plan", dir);
	assert_int_equal(access(path, F_OK), 0);
	/* the directory is away: refused, as five messages depend on it */
	(void)snprintf(aside, sizeof(aside), "%s.aside", dir);
	assert_int_equal(rename(dir, aside), 0);
	run_init(&r);
	assert_int_equal(undo(&t, &r, 1, true), -2);
	assert_int_equal(r.err.code, QT_E_STATE);
	assert_non_null(strstr(r.err.text, dir));
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_DAMAGED);
	/* it is back, and the user does not have to name it */
	assert_int_equal(rename(aside, dir), 0);
	assert_int_equal(undo(&t, &r, 1, true), 0);
	ts_as_before(&t, before);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
	assert_int_equal(nftw(dir, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	ts_release(&t);
}

static void two_spools_may_share_a_state_dir(void **state)
{
	char dir[64] = "/tmp/qtool-state.XXXXXX", *before;
	struct tspool a, b;
	struct run r;

	(void)state;
	fill(&a);
	fill(&b);
	assert_non_null(mkdtemp(dir));
	run_init(&r);
	r.opts.state_dir = dir;
	assert_int_equal(delete_plan(&a, &r, ts_plan(&a, 0, 5)), 0);
	assert_int_equal(r.out.txid, 1);
	before = ts_snapshot(&b);
	assert_int_equal(delete_plan(&b, &r, ts_plan(&b, 0, 5)), 0);
	assert_int_equal(r.out.txid, 2); /* 1 is the other's */
	run_init(&r);
	assert_int_equal(undo(&b, &r, 2, true), 0);
	ts_as_before(&b, before);
	assert_int_equal(state_of(&a, 1, NULL), QT_TX_COMMITTED);
	assert_int_equal(nftw(dir, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	ts_release(&a);
	ts_release(&b);
}

static void damage_stops_everything(void **state)
{
	static const char *const files[] = {"plan", "log"};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct tspool t;
		struct run r;
		char path[64], *before;
		int fd;

		fill(&t);
		run_init(&r);
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 4)), 0);
		(void)snprintf(path, sizeof(path), "qtool/tx/000001/%s",
		    files[i]);
		fd = openat(t.fd, path, O_WRONLY);
		assert_int_equal(pwrite(fd, "?", 1, 12), 1);
		(void)close(fd);
		before = ts_snapshot(&t);
		run_init(&r);
		assert_true(undo(&t, &r, 1, true) < 0);
		assert_int_equal(r.err.code, QT_E_STATE);
		ts_as_before(&t, before);
		assert_true(ts_exists(&t, "qtool/tx/000001/m/0000"));
		if (i == 1) {
			struct qt_error err = {0};
			struct qt_tx_list l;

			assert_int_equal(qt_tx_list_read(&l, t.spool, NULL,
			    &err), 0);
			assert_int_equal(l.v[0].state, QT_TX_DAMAGED);
			assert_non_null(l.v[0].problem);
			qt_tx_list_release(&l);
		}
		ts_release(&t);
	}
}

static void touch_two(struct schedule *s)
{
	/* as postsuper -e: only the change time tells it from what was judged */
	assert_int_equal(fchmodat(s->t->fd, s->t->m[2].path, 0710, 0), 0);
	assert_int_equal(fchmodat(s->t->fd, s->t->m[2].path, 0700, 0), 0);
}

/* What was said to be left alone is left alone by recovery, too. */
static void what_changed_meanwhile_stays_for_good(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	size_t staged;
	char *before;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[1].id; /* the one before it is being taken */
	s.act = touch_two;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.out.done, 4);
	assert_int_equal(r.out.changed, 1);
	assert_true(ts_exists(&t, "%s", t.m[2].path));
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	assert_int_equal(r.recovered, 0);
	assert_true(ts_exists(&t, "%s", t.m[2].path));
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 4);
	/* without the list nobody can know: nothing is touched */
	before = ts_snapshot(&t);
	assert_int_equal(renameat(t.fd, "qtool/tx/000001/left", t.fd,
			     "qtool/tx/000001/right"), 0);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -2);
	assert_int_equal(r.err.code, QT_E_STATE);
	ts_as_before(&t, before);
	assert_int_equal(renameat(t.fd, "qtool/tx/000001/right", t.fd,
			     "qtool/tx/000001/left"), 0);
	/* nor by what comes before unlinking */
	run_init(&r);
	assert_int_equal(purge(&t, &r, 1), 0);
	assert_true(ts_exists(&t, "%s", t.m[2].path));
	ts_release(&t);
}

/* Away from all queues, and with no handle by which the kernel could be asked. */
static void lose_two(struct schedule *s)
{
	s->plan->v[2].handle = 0;
	assert_int_equal(linkat(s->t->fd, s->t->m[2].path, s->t->fd, "aside", 0),
	    0);
	assert_int_equal(unlinkat(s->t->fd, s->t->m[2].path, 0), 0);
}

/* A power cut can bring back what had been removed: it is taken again. */
static void comes_back(bool active)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	size_t staged;
	char to[128];

	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id; /* planned, and gone when it is to be taken */
	s.act = lose_two;
	s.plan = ts_plan(&t, 0, 5);
	assert_int_equal(delete_plan(&t, &r, s.plan), 0);
	assert_int_equal(r.out.done, 4);
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 4);
	(void)strlcpy(to, t.m[2].path, sizeof(to));
	if (active)
		(void)snprintf(to, sizeof(to), "active/%s", t.m[2].id);
	assert_int_equal(renameat(t.fd, "aside", t.fd, to), 0);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	assert_int_equal(r.recovered, 1);
	assert_false(ts_exists(&t, "%s", to));
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 5);
	/* once */
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	assert_int_equal(r.recovered, 0);
	ts_release(&t);
}

static void what_comes_back_is_taken_again(void **state)
{
	(void)state;
	comes_back(false);
	comes_back(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_commit_that_fails_is_none),
	    cmocka_unit_test(a_commit_nobody_knows_of_waits),
	    cmocka_unit_test(a_record_is_durable_before_it_is_acted_on),
	    cmocka_unit_test(a_record_is_durable_before_it_is_told),
	    cmocka_unit_test(a_full_disk_keeps_nobody_from_trying_again),
	    cmocka_unit_test(a_full_disk_keeps_its_spare_directory),
	    cmocka_unit_test(a_plain_delete_leaves_the_spare_directory),
	    cmocka_unit_test(an_abort_gives_the_spare_directory_back),
	    cmocka_unit_test(the_spare_directory_is_for_a_full_disk),
	    cmocka_unit_test(a_rename_without_room_is_given_some),
	    cmocka_unit_test(a_state_dir_is_durable_with_its_parents),
	    cmocka_unit_test(plan_and_log_elsewhere_are_found_again),
	    cmocka_unit_test(two_spools_may_share_a_state_dir),
	    cmocka_unit_test(damage_stops_everything),
	    cmocka_unit_test(what_changed_meanwhile_stays_for_good),
	    cmocka_unit_test(what_comes_back_is_taken_again),
	};

	return cmocka_run_group_tests_name("tx_faults", tests, NULL, NULL);
}
