/*
 * fsops_world.h - the spool of test_fsops_model: the account of what is in it,
 * and the operations that are tried on it.
 */
#ifndef TESTS_FSOPS_WORLD_H
#define TESTS_FSOPS_WORLD_H

#include "unit/change_run.h"
#include "unit/fsops_model.h"

#define THINGS 32
#define STEPS 4
#define PIT ".pit"	 /* after the spool's name: what was unlinked */
#define SECOND ".second" /* a second file system, for plan and log */

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

static inline void wrong(const struct world *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));
static inline void wrong(const struct world *w, const char *fmt, ...)
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

static inline void add_thing(struct things *l, int dir, const char *path,
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
static inline void check_owner(int dir, const char *name, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	if (geteuid() == 0 && st.st_uid != TS_OWNER)
		fail_msg("directory %s belongs to user %u", path, st.st_uid);
}

/* All files but qtool's own. */
static inline void list_things(struct things *l, int up, const char *name,
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

static inline void list_all(const struct tspool *t, struct things *l)
{
	l->n = 0;
	list_things(l, t->fd, ".", "");
}

static inline bool in_maildrop(const struct thing *th)
{
	return strncmp(th->path, "maildrop/", 9) == 0;
}

/* A requeued message has a new time, and must have it. */
static inline bool same_time(const struct thing *was, const struct thing *is)
{
	if (in_maildrop(is))
		return is->st.st_mtim.tv_sec > was->st.st_mtim.tv_sec + 1000;
	return was->st.st_mtim.tv_sec == is->st.st_mtim.tv_sec &&
	    was->st.st_mtim.tv_nsec == is->st.st_mtim.tv_nsec;
}

static inline bool same_thing(const struct thing *a, const struct thing *b)
{
	return a->ino == b->ino && a->st.st_mode == b->st.st_mode &&
	    a->st.st_uid == b->st.st_uid && a->st.st_gid == b->st.st_gid &&
	    a->st.st_size == b->st.st_size && same_time(a, b) &&
	    a->st.st_nlink == 1 && b->st.st_nlink == 1 &&
	    strcmp(a->text, b->text) == 0;
}

static inline bool is_staged(const struct thing *now, const struct thing *was)
{
	return strncmp(now->path, "qtool/tx/", 9) == 0 &&
	    strcmp(now->id, was->id) == 0 && now->message == was->message;
}

/* Whether a thing is where a final state has it; now NULL: it is nowhere. */
static inline bool is_at(const struct thing *was, const struct thing *now, enum final f)
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
static inline unsigned account(const struct world *w, const struct things *now,
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
static inline bool item_of(const struct things *now, const struct tmessage *m,
    struct qt_item *it)
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
		return true;
	}
	return false;
}

static inline void plan_one(struct qt_plan *p, const struct things *now,
    const struct tmessage *m, enum qt_op op)
{
	struct qt_error err = {0};
	struct qt_item it;
	char path[96];

	if (!item_of(now, m, &it))
		return;
	it.id = m->id;
	it.queue = op == QT_OP_RESTORE ? QT_Q_HOLD : m->queue;
	(void)snprintf(path, sizeof(path), "hold/%s", m->id);
	it.path = op == QT_OP_RESTORE ? path : m->path;
	assert_int_equal(qt_plan_add(p, &it, &err), 0);
}

/* An operation on all messages that it concerns. */
static inline int act_on(const struct tspool *t, struct run *r, enum qt_op op)
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
			plan_one(p, &now, &t->m[i], op);
	return delete_plan(t, r, p);
}

static inline int act_delete(const struct tspool *t, struct run *r)
{
	return act_on(t, r, QT_OP_DELETE);
}

static inline int act_hold(const struct tspool *t, struct run *r)
{
	return act_on(t, r, QT_OP_HOLD);
}

static inline int act_release(const struct tspool *t, struct run *r)
{
	return act_on(t, r, QT_OP_RELEASE);
}

static inline int act_requeue(const struct tspool *t, struct run *r)
{
	return act_on(t, r, QT_OP_REQUEUE);
}

/* The archive is written while all is staged, and read back: it is good. */
static inline int is_good(void *ctx, uint64_t txid, struct qt_error *err)
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

static inline int act_archive(const struct tspool *t, struct run *r)
{
	r->opts.decide = is_good;
	r->opts.decide_ctx = (void *)(uintptr_t)t;
	return act_on(t, r, QT_OP_ARCHIVE);
}

/* And one that turned out not to be. */
static inline int is_bad(void *ctx, uint64_t txid, struct qt_error *err)
{
	(void)ctx;
	(void)txid;
	return qt_fail(err, QT_E_SYS, "archive", "no");
}

static inline int act_bad_archive(const struct tspool *t, struct run *r)
{
	r->opts.decide = is_bad;
	return act_on(t, r, QT_OP_ARCHIVE) == 0 ? -1 : 0;
}

static inline int act_undo(const struct tspool *t, struct run *r)
{
	return undo(t, r, 1, false);
}

static inline int act_undo_in_place(const struct tspool *t, struct run *r)
{
	return undo(t, r, 1, true);
}

static inline int act_undo_second(const struct tspool *t, struct run *r)
{
	return undo(t, r, 2, false);
}

static inline int act_redo(const struct tspool *t, struct run *r)
{
	struct qt_change *c = open_change(t, r);
	int result;

	if (c == NULL)
		return -2;
	result = qt_change_redo(c, 1, &r->out, &r->err);
	qt_change_close(c);
	return result;
}

static inline int act_purge(const struct tspool *t, struct run *r)
{
	return purge(t, r, 1);
}

static inline int act_restore(const struct tspool *t, struct run *r)
{
	return act_on(t, r, QT_OP_RESTORE);
}

#endif
