/*
 * change_spool.h - a small hand-built spool for the tests of the change layer,
 * and what is to be compared of it.
 */
#ifndef TESTS_CHANGE_SPOOL_H
#define TESTS_CHANGE_SPOOL_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "change/plan.h"
#include "qtool/change.h"

#define TS_OWNER 12345 /* the mail owner, when the test may choose */
#define TS_MESSAGES 16

struct tmessage {
	char id[64];
	char path[96]; /* below the spool */
	enum qt_queue queue;
};

struct tspool {
	char dir[64];
	int fd;
	struct qt_spools spools;
	struct qt_spool *spool; /* of spools */
	struct tmessage m[TS_MESSAGES];
	size_t n;
};

static inline void ts_dir(const struct tspool *t, const char *name)
{
	if (mkdirat(t->fd, name, 0700) != 0)
		assert_int_equal(errno, EEXIST);
	if (geteuid() == 0)
		assert_int_equal(fchownat(t->fd, name, TS_OWNER, TS_OWNER, 0), 0);
}

/* A spool of depth 1 for deferred and defer. */
static inline void ts_make(struct tspool *t)
{
	static const char *const dirs[] = {"maildrop", "incoming", "active",
	    "deferred", "hold", "corrupt", "saved", "defer", "bounce", "trace"};
	struct qt_error err = {0};
	size_t i;

	memset(t, 0, sizeof(*t));
	/* in memory where there is such: a barrier on a busy disk is slow */
	(void)strcpy(t->dir, "/dev/shm/qtool-tx.XXXXXX");
	if (mkdtemp(t->dir) == NULL) {
		(void)strcpy(t->dir, "/tmp/qtool-tx.XXXXXX");
		assert_non_null(mkdtemp(t->dir));
	}
	assert_int_equal(chmod(t->dir, 0755), 0);
	t->fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->fd >= 0);
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		ts_dir(t, dirs[i]);
	qt_spools_init(&t->spools);
	if (qt_spools_add_dir(&t->spools, t->dir, &err) != 0)
		fail_msg("%s: %s", err.where, err.text);
	t->spool = t->spools.v[0];
	for (i = 0; i < QT_Q_COUNT; i++)
		t->spool->depth[i] = 0;
	t->spool->depth[QT_Q_DEFERRED] = t->spool->depth[QT_Q_DEFER] = 1;
}

static inline int ts_rm(const char *path, const struct stat *st, int flag,
    struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void ts_release(struct tspool *t)
{
	qt_spools_release(&t->spools);
	(void)close(t->fd);
	assert_int_equal(nftw(t->dir, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void ts_write(const struct tspool *t, const char *path,
    const char *text, mode_t mode)
{
	int fd = openat(t->fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	struct timespec times[2] = {{1700000000, 123456789},
	    {1700000000 + (long)strlen(text), 987654321}};

	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	if (geteuid() == 0)
		assert_int_equal(fchown(fd, TS_OWNER, TS_OWNER), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(futimens(fd, times), 0);
	(void)close(fd);
}

/* A message under the short ID its inode gives, with the logs of kinds. */
static inline struct tmessage *ts_message(struct tspool *t, enum qt_queue q,
    unsigned usec, const char *kinds)
{
	struct tmessage *m = &t->m[t->n++];
	char text[64], path[128], hash[8];
	const char *k;
	struct stat st;

	assert_true(t->n <= TS_MESSAGES);
	(void)snprintf(text, sizeof(text), "message %u%.*s", usec,
	    (int)(usec % 7), ".......");
	ts_write(t, "new", text, 0700);
	assert_int_equal(fstatat(t->fd, "new", &st, 0), 0);
	(void)snprintf(m->id, sizeof(m->id), "%05X%llX", usec,
	    (unsigned long long)st.st_ino);
	(void)snprintf(hash, sizeof(hash), "%c/", m->id[0]);
	m->queue = q;
	(void)snprintf(path, sizeof(path), "%s/%s%s", qt_queue_name(q),
	    q == QT_Q_DEFERRED ? hash : "", m->id);
	(void)strlcpy(m->path, path, sizeof(m->path));
	if (q == QT_Q_DEFERRED) {
		(void)snprintf(path, sizeof(path), "deferred/%c", m->id[0]);
		ts_dir(t, path);
	}
	assert_int_equal(renameat(t->fd, "new", t->fd, m->path), 0);
	for (k = kinds; *k != '\0'; k++) {
		if (*k == 'd') {
			(void)snprintf(path, sizeof(path), "defer/%c", m->id[0]);
			ts_dir(t, path);
		}
		(void)snprintf(path, sizeof(path), "%s/%s%s",
		    *k == 'd' ? "defer" : *k == 'b' ? "bounce" : "trace",
		    *k == 'd' ? hash : "", m->id);
		(void)snprintf(text, sizeof(text), "log %c of %s", *k, m->id);
		ts_write(t, path, text, 0600);
	}
	return m;
}

static inline bool ts_exists(const struct tspool *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static inline bool ts_exists(const struct tspool *t, const char *fmt, ...)
{
	char path[256];
	struct stat st;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (fstatat(t->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	assert_int_equal(errno, ENOENT);
	return false;
}

/* The item of a message as it lies there now. */
static inline void ts_item(const struct tspool *t, const struct tmessage *m,
    struct qt_item *it)
{
	struct stat st;

	assert_int_equal(fstatat(t->fd, m->path, &st, AT_SYMLINK_NOFOLLOW), 0);
	*it = (struct qt_item){.queue = m->queue, .id = m->id, .path = m->path,
	    .dev = st.st_dev, .ino = st.st_ino, .size = st.st_size,
	    .mode = st.st_mode, .uid = st.st_uid, .gid = st.st_gid,
	    .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 +
		st.st_mtim.tv_nsec,
	    .ctime_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 +
		st.st_ctim.tv_nsec};
}

/* A plan of the messages from..to-1. */
static inline struct qt_plan *ts_plan(const struct tspool *t, size_t from,
    size_t to)
{
	struct qt_error err = {0};
	struct qt_plan *p;
	struct qt_item it;

	assert_int_equal(qt_plan_new(&p, QT_OP_DELETE, &err), 0);
	for (; from < to; from++) {
		ts_item(t, &t->m[from], &it);
		assert_int_equal(qt_plan_add(p, &it, &err), 0);
	}
	return p;
}

/* ---- what is there ---- */

struct ts_lines {
	char *v[4096];
	size_t n;
};

static inline void ts_list(int dir, const char *prefix, struct ts_lines *l);

static inline void ts_entry(int dir, const char *prefix, const char *name,
    struct ts_lines *l)
{
	char path[512], text[256] = "", line[1024];
	struct stat st;
	int fd;

	(void)snprintf(path, sizeof(path), "%s%s", prefix, name);
	if (strcmp(path, "qtool") == 0)
		return;
	assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	if (S_ISDIR(st.st_mode)) {
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)strcat(path, "/");
		ts_list(fd, path, l);
		return;
	}
	if (S_ISREG(st.st_mode)) {
		fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
		assert_true(read(fd, text, sizeof(text) - 1) >= 0);
		(void)close(fd);
	}
	(void)snprintf(line, sizeof(line), "%s %o %u:%u %lld.%ld %llu %s\n",
	    path, st.st_mode, st.st_uid, st.st_gid, (long long)st.st_mtim.tv_sec,
	    st.st_mtim.tv_nsec, (unsigned long long)st.st_ino, text);
	assert_true(l->n < 4096);
	l->v[l->n++] = strdup(line);
}

#include <dirent.h>

static inline void ts_list(int dir, const char *prefix, struct ts_lines *l)
{
	DIR *d = fdopendir(dir);
	const struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			ts_entry(dirfd(d), prefix, e->d_name, l);
	(void)closedir(d);
}

static inline int ts_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All files outside qtool/: path, mode, owner, mtime, inode, bytes. */
static inline char *ts_snapshot(const struct tspool *t)
{
	struct ts_lines *l = calloc(1, sizeof(*l));
	int fd = openat(t->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t i, len = 1;
	char *s;

	assert_non_null(l);
	ts_list(fd, "", l);
	qsort(l->v, l->n, sizeof(l->v[0]), ts_cmp);
	for (i = 0; i < l->n; i++)
		len += strlen(l->v[i]);
	assert_non_null(s = malloc(len));
	*s = '\0';
	for (i = 0; i < l->n; i++) {
		(void)strlcat(s, l->v[i], len);
		free(l->v[i]);
	}
	free(l);
	return s;
}

/* The queue is as it was in the snapshot, which is freed. */
static inline void ts_as_before(const struct tspool *t, char *before)
{
	char *now = ts_snapshot(t);

	assert_string_equal(now, before);
	free(now);
	free(before);
}

#endif
