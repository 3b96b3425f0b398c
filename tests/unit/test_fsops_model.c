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
#include "unit/change_run.h"
#include "unit/fsops_model.h"

#include <signal.h>

#define THINGS 32
#define STEPS 4
#define PIT ".pit"
#define SECOND ".second"

/*
 * The kernel's word that an inode is no more: for what lies in the pit, where
 * the model keeps what was unlinked.
 */
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

/* ---- the account ---- */

struct thing { /* a message or a log */
	ino_t ino;
	char path[320]; /* below the spool */
	char id[64];
	bool message, foreign; /* foreign: it came meanwhile, and stays */
	struct stat st;
	char text[80];
	bool free; /* others had it: see the case */
};

struct things {
	struct thing v[THINGS];
	size_t n;
};

/* Where all messages are; logs are at home unless they are staged or gone. */
enum final { F_HOME, F_STAGED, F_HOLD, F_DEFERRED, F_MAILDROP, F_GONE, FINALS };
#define BIT(f) (1u << (f))

struct scenario {
	const char *name;
	/* what is done, one after the other; the last of them is cut short */
	int (*acts[STEPS])(const struct tspool *t, struct run *r);
	unsigned before; /* where all were, as a bit; 0: where done has them */
	enum final done;
	bool second; /* plan and log on another file system */
};

struct world {
	struct tspool t;
	char pit_path[80], second[80];
	int pit;
	struct things before;
	/* for messages of failure */
	const struct scenario *s;
	unsigned long last, meddle_at;
	size_t set;
	uint64_t seed;
	int (*act)(const struct tspool *t, struct run *r);
	const char *other;
	bool taken; /* a name to which one should go is another's */
};

static void wrong(const struct world *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));
static void wrong(const struct world *w, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail_msg("%s%s%s, cut after call %lu, set %zu, others at %lu, seed %llu: "
		 "%s", w->s->name, w->other != NULL ? ", " : "",
	    w->other != NULL ? w->other : "", w->last, w->set, w->meddle_at,
	    (unsigned long long)w->seed, text);
	abort();
}

static void add_thing(struct things *l, int dir, const char *path,
    const char *name)
{
	struct thing *th = &l->v[l->n++];
	const char *base = strrchr(path, '/') + 1, *dot = strchr(base, '.');
	int fd;

	assert_true(l->n <= THINGS);
	*th = (struct thing){0};
	(void)snprintf(th->path, sizeof(th->path), "%s", path);
	if (dot != NULL) /* SEQ.ID.q */
		base = dot + 1;
	(void)snprintf(th->id, sizeof(th->id), "%.*s",
	    (int)strcspn(base, "."), base);
	assert_int_equal(fstatat(dir, name, &th->st, AT_SYMLINK_NOFOLLOW), 0);
	th->ino = th->st.st_ino;
	th->message = strncmp(path, "defer/", 6) != 0 &&
	    strncmp(path, "bounce/", 7) != 0 &&
	    strncmp(path, "trace/", 6) != 0 && strstr(path, "/x/") == NULL;
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, th->text, sizeof(th->text) - 1) >= 0);
	(void)close(fd);
}

/* A queue's directory that is not the mail owner's ends Postfix. */
static void check_owner(int dir, const char *name, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	if (geteuid() == 0 && st.st_uid != TS_OWNER)
		fail_msg("directory %s belongs to user %u", path, st.st_uid);
}

/* All files but qtool's own. */
static void list_things(struct things *l, int up, const char *name,
    const char *path)
{
	int fd = openat(up, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	const struct dirent *e;
	char below[320];

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(below, sizeof(below), "%s%s%s", path,
		    *path != '\0' ? "/" : "", e->d_name);
		if (e->d_type == DT_DIR) {
			if (strncmp(below, "qtool", 5) != 0)
				check_owner(dirfd(d), e->d_name, below);
			list_things(l, dirfd(d), e->d_name, below);
		}
		else if (strncmp(path, "qtool", 5) != 0 ||
		    strstr(below, "/m/") != NULL ||
		    strstr(below, "/x/") != NULL)
			add_thing(l, dirfd(d), below, e->d_name);
	}
	(void)closedir(d);
}

static void list_all(const struct tspool *t, struct things *l)
{
	l->n = 0;
	list_things(l, t->fd, ".", "");
}

static bool in_maildrop(const struct thing *th)
{
	return strncmp(th->path, "maildrop/", 9) == 0;
}

/* A requeued message has a new time, and must have it. */
static bool same_time(const struct thing *was, const struct thing *is)
{
	if (in_maildrop(is))
		return is->st.st_mtim.tv_sec > was->st.st_mtim.tv_sec + 1000;
	return was->st.st_mtim.tv_sec == is->st.st_mtim.tv_sec &&
	    was->st.st_mtim.tv_nsec == is->st.st_mtim.tv_nsec;
}

static bool same_thing(const struct thing *a, const struct thing *b)
{
	return a->ino == b->ino && a->st.st_mode == b->st.st_mode &&
	    a->st.st_uid == b->st.st_uid && a->st.st_gid == b->st.st_gid &&
	    a->st.st_size == b->st.st_size && same_time(a, b) &&
	    a->st.st_nlink == 1 && b->st.st_nlink == 1 &&
	    strcmp(a->text, b->text) == 0;
}

static bool is_staged(const struct thing *now, const struct thing *was)
{
	return strncmp(now->path, "qtool/tx/", 9) == 0 &&
	    strcmp(now->id, was->id) == 0 && now->message == was->message;
}

/* Whether a thing is where a final state has it; now NULL: it is nowhere. */
static bool is_at(const struct thing *was, const struct thing *now, enum final f)
{
	char path[128];

	if (now == NULL || f == F_GONE)
		return now == NULL && f == F_GONE;
	if (f == F_STAGED)
		return is_staged(now, was);
	if (f == F_HOME || !was->message)
		return strcmp(now->path, was->path) == 0;
	(void)snprintf(path, sizeof(path), "%s/%.*s%s%s",
	    f == F_HOLD ? "hold" : f == F_DEFERRED ? "deferred" : "maildrop",
	    f == F_DEFERRED, was->id, f == F_DEFERRED ? "/" : "", was->id);
	return strcmp(now->path, path) == 0;
}

static const struct thing *find_thing(const struct things *l, ino_t ino)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->v[i].ino == ino)
			return &l->v[i];
	return NULL;
}

/*
 * Every thing is there once and as it was, and nothing else is; the finals that
 * fit all, of those that may be.
 */
static unsigned account(const struct world *w, const struct things *now,
    unsigned may)
{
	unsigned fit = may, one;
	size_t i, found = 0;
	enum final f;

	for (i = 0; i < w->before.n; i++) {
		const struct thing *was = &w->before.v[i];
		const struct thing *is = find_thing(now, was->ino);

		found += is != NULL;
		if (is != NULL && !was->free && !same_thing(was, is))
			wrong(w, "%s is not what it was", was->path);
		if (was->free && !was->message &&
		    (is == NULL || strcmp(is->text, was->text) != 0))
			wrong(w, "%s is lost", was->path);
		if (was->free)
			continue;
		for (f = 0, one = 0; f < FINALS; f++)
			one |= is_at(was, is, f) ? BIT(f) : 0;
		if (was->foreign && (one & BIT(F_HOME)) == 0)
			wrong(w, "%s of another is at %s", was->path,
			    is != NULL ? is->path : "no place");
		if (was->foreign)
			continue;
		if ((fit & one) == 0)
			wrong(w, "%s is at %s, others are elsewhere",
			    was->path, is != NULL ? is->path : "no place");
		fit &= one;
	}
	if (found != now->n)
		wrong(w, "%zu files where %zu are known", now->n, found);
	return fit;
}

/* ---- what is tried ---- */

/* The item of a message that is in staging or anywhere else, as for hold. */
static bool item_of(const struct tspool *t, const struct things *now,
    const struct tmessage *m, struct qt_item *it)
{
	size_t i;

	for (i = 0; i < now->n; i++) {
		const struct thing *th = &now->v[i];

		if (!th->message || strcmp(th->id, m->id) != 0)
			continue;
		*it = (struct qt_item){.dev = th->st.st_dev, .ino = th->ino,
		    .size = th->st.st_size, .mode = th->st.st_mode,
		    .uid = th->st.st_uid, .gid = th->st.st_gid,
		    .mtime_ns = th->st.st_mtim.tv_sec * 1000000000 +
			th->st.st_mtim.tv_nsec,
		    .ctime_ns = th->st.st_ctim.tv_sec * 1000000000 +
			th->st.st_ctim.tv_nsec};
		(void)t;
		return true;
	}
	return false;
}

static void plan_one(struct qt_plan *p, const struct tspool *t,
    const struct things *now, const struct tmessage *m, enum qt_op op)
{
	struct qt_error err = {0};
	struct qt_item it;
	char path[96];

	if (!item_of(t, now, m, &it))
		return;
	it.id = m->id;
	it.queue = op == QT_OP_RESTORE ? QT_Q_HOLD : m->queue;
	(void)snprintf(path, sizeof(path), "hold/%s", m->id);
	it.path = op == QT_OP_RESTORE ? path : m->path;
	assert_int_equal(qt_plan_add(p, &it, &err), 0);
}

/* An operation on all messages that it concerns. */
static int act_on(const struct tspool *t, struct run *r, enum qt_op op)
{
	struct qt_plan *p = NULL;
	struct qt_error err = {0};
	struct things now;
	size_t i;

	list_all(t, &now);
	assert_int_equal(qt_plan_new(&p, op, &err), 0);
	if (op == QT_OP_RESTORE)
		qt_plan_set_source(p, 1);
	for (i = 0; i < t->n; i++)
		if ((op != QT_OP_HOLD || t->m[i].queue == QT_Q_DEFERRED) &&
		    (op != QT_OP_RELEASE || t->m[i].queue == QT_Q_HOLD))
			plan_one(p, t, &now, &t->m[i], op);
	return delete_plan(t, r, p);
}

static int act_delete(const struct tspool *t, struct run *r)
{
	return act_on(t, r, QT_OP_DELETE);
}

static int act_hold(const struct tspool *t, struct run *r)
{
	return act_on(t, r, QT_OP_HOLD);
}

static int act_release(const struct tspool *t, struct run *r)
{
	return act_on(t, r, QT_OP_RELEASE);
}

static int act_requeue(const struct tspool *t, struct run *r)
{
	return act_on(t, r, QT_OP_REQUEUE);
}

/* The archive is written while all is staged, and read back: it is good. */
static int is_good(void *ctx, uint64_t txid, struct qt_error *err)
{
	const struct tspool *t = ctx;
	struct things now;
	size_t i;

	(void)txid;
	(void)err;
	list_all(t, &now);
	for (i = 0; i < now.n; i++)
		if (!is_staged(&now.v[i], &now.v[i]))
			return -1;
	return 0;
}

static int act_archive(const struct tspool *t, struct run *r)
{
	r->opts.decide = is_good;
	r->opts.decide_ctx = (void *)(uintptr_t)t;
	return act_on(t, r, QT_OP_ARCHIVE);
}

/* And one that turned out not to be. */
static int is_bad(void *ctx, uint64_t txid, struct qt_error *err)
{
	(void)ctx;
	(void)txid;
	return qt_fail(err, QT_E_SYS, "archive", "no");
}

static int act_bad_archive(const struct tspool *t, struct run *r)
{
	r->opts.decide = is_bad;
	return act_on(t, r, QT_OP_ARCHIVE) == 0 ? -1 : 0;
}

static int act_undo(const struct tspool *t, struct run *r)
{
	return undo(t, r, 1, false);
}

static int act_undo_in_place(const struct tspool *t, struct run *r)
{
	return undo(t, r, 1, true);
}

static int act_undo_second(const struct tspool *t, struct run *r)
{
	return undo(t, r, 2, false);
}

static int act_redo(const struct tspool *t, struct run *r)
{
	struct qt_change *c = open_change(t, r);
	int result;

	if (c == NULL)
		return -2;
	result = qt_change_redo(c, 1, &r->out, &r->err);
	qt_change_close(c);
	return result;
}

static int act_purge(const struct tspool *t, struct run *r)
{
	return purge(t, r, 1);
}

static int act_restore(const struct tspool *t, struct run *r)
{
	return act_on(t, r, QT_OP_RESTORE);
}

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

static void use_state_dir(const struct world *w, struct run *r)
{
	if (w->s->second)
		r->opts.state_dir = w->second;
}

static void world_make(struct world *w)
{
	struct run r;
	size_t i;

	fill(&w->t);
	(void)snprintf(w->pit_path, sizeof(w->pit_path), "%s" PIT, w->t.dir);
	(void)snprintf(w->second, sizeof(w->second), "%s" SECOND, w->t.dir);
	assert_int_equal(mkdir(w->pit_path, 0700), 0);
	assert_int_equal(mkdir(w->second, 0700), 0);
	w->pit = open(w->pit_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->pit >= 0);
	list_all(&w->t, &w->before);
	for (i = 0; i < STEPS - 1 && w->s->acts[i + 1] != NULL; i++) {
		run_init(&r);
		use_state_dir(w, &r);
		if (w->s->acts[i](&w->t, &r) != 0)
			wrong(w, "cannot be prepared: %s: %s", r.err.where,
			    r.err.text);
	}
	w->act = w->s->acts[i];
}

static void world_release(struct world *w)
{
	(void)close(w->pit);
	assert_int_equal(nftw(w->pit_path, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	assert_int_equal(nftw(w->second, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	ts_release(&w->t);
}

/* Recovery, cut short by chance as often as chance wants. */
static void recover_badly(struct world *w, unsigned times, bool weak)
{
	struct qt_change *c;
	struct run r;
	struct fm m;

	while (times-- > 0) {
		fm_init(&m, w->pit, w->second);
		m.weak = weak;
		m.last = fm_random(&w->seed) % 40;
		run_init(&r);
		r.fs = fm_table(&m);
		use_state_dir(w, &r);
		c = open_change(&w->t, &r);
		qt_change_close(c);
		fm_choose(&m, fm_random(&w->seed) % fm_sets(&m, 20), &w->seed);
		fm_crash(&m);
		fm_release(&m);
	}
}

static void check_settled(const struct world *w)
{
	struct qt_error err = {0};
	struct qt_tx_list l;
	size_t i;

	if (qt_tx_list_read(&l, w->t.spool, w->s->second ? w->second : NULL,
		&err) != 0)
		wrong(w, "%s: %s", err.where, err.text);
	for (i = 0; i < l.n; i++)
		switch (l.v[i].state) {
		case QT_TX_UNDOING:
			if (w->taken)
				break;
			/* fallthrough */
		case QT_TX_PREPARED:
		case QT_TX_ABORTING:
		case QT_TX_PURGING:
		case QT_TX_REDOING:
		case QT_TX_DAMAGED:
			wrong(w, "transaction %llu is %s",
			    (unsigned long long)l.v[i].txid,
			    qt_tx_state_name(l.v[i].state));
		default:
			break;
		}
	qt_tx_list_release(&l);
}

/* Recovery as it is: it works, and the second time it has nothing to do. */
static void recover_well(struct world *w)
{
	struct qt_change *c;
	char *once = NULL, *twice;
	struct run r;
	int i;

	for (i = 0; i < 2; i++) {
		run_init(&r);
		if ((c = open_change(&w->t, &r)) == NULL)
			wrong(w, "recovery %d: %s: %s", i + 1, r.err.where,
			    r.err.text);
		qt_change_close(c);
		check_settled(w);
		if (i == 0)
			once = ts_snapshot(&w->t);
	}
	twice = ts_snapshot(&w->t);
	if (r.recovered != 0 || strcmp(once, twice) != 0)
		wrong(w, "recovering again did something");
	free(once);
	free(twice);
}

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

static uint64_t first_seed(void)
{
	const char *s = getenv("QTOOL_SEED");

	return s != NULL ? strtoull(s, NULL, 10) : 20170612;
}

static bool full(void)
{
	const char *s = getenv("QTOOL_FULL");

	return s != NULL && *s != '\0';
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

				last = (at + k) % 2 == 0 ? ULONG_MAX :
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
