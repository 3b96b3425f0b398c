/*
 * fsops_model.h - a file system that forgets, under the table of fsops.h.
 *
 * Calls are made on a real directory, so that what is read is there, and noted.
 * At a crash any set of what no barrier covered is taken back: a name's coming,
 * going or move, written bytes (all, a part, or replaced by zeros), an owner, a
 * mode, a time.  The files keep their inodes, so that recovery can compare them; what
 * was unlinked lies in a directory beside, the pit, until then.
 *
 * What is durable: a file's bytes after fsync or fdatasync of it; a name after
 * fsync of its directory, a rename after that of both; everything of the file
 * system after syncfs, but what others did when the barrier is weak.  More is
 * not promised by anybody: no order between two files or two directories.
 * Two things every file system keeps: a rename is whole or not at all, and what
 * is done to one inode (but for its bytes) or to one name is kept in order.  A
 * directory may be lost, or its removal kept, while names that came into it were
 * kept, or those that left it were not: what has its name there is lost with it,
 * as it is where only a check of the disk finds it again.
 *
 * After the call that is the last one every other fails, as on a disk that is
 * gone, so that the program ends by itself and gives back what it holds.
 */
#ifndef TESTS_FSOPS_MODEL_H
#define TESTS_FSOPS_MODEL_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "change/fsops.h"

#define FM_OPS 2048
#define FM_NODES 256
#define FM_BYTES 65536 /* of one file that is written */

enum fm_kind { FM_NAME, FM_DATA, FM_SIZE, FM_OWNER, FM_MODE, FM_TIME };
enum fm_fate { FM_KEPT, FM_LOST, FM_TORN, FM_ZEROS };

struct fm_slot {
	ino_t dir; /* 0: nowhere */
	char name[NAME_MAX + 1];
};

struct fm_op {
	enum fm_kind kind;
	ino_t ino;
	struct fm_slot from, to;	/* FM_NAME */
	bool from_synced, to_synced;
	bool is_dir, others, elsewhere;	/* elsewhere: on the second file system */
	bool durable, holds;
	enum fm_fate fate;
	off_t at;			/* FM_DATA; FM_SIZE: the length */
	size_t len;
	char *bytes;
	struct stat was;		/* FM_OWNER, FM_MODE, FM_TIME: before */
};

struct fm_node { /* an inode that was met */
	ino_t ino;
	int fd; /* of a directory, or of a written file for rewriting; -1 */
	char *base; /* of a written file: its bytes before */
	size_t base_len;
};

struct fm {
	struct fm_op *op;
	size_t n;
	struct fm_node node[FM_NODES];
	size_t nodes;
	int pit;
	const char *second;	/* path of the second file system, or NULL */
	unsigned long calls;	/* made until now */
	unsigned long last;	/* the last one that is carried out */
	bool weak;
	bool crashed;
	bool as_others;		/* what is done now is not qtool's doing */
	/* called before the call of that number is made */
	void (*meddle)(void *ctx, struct fm *m);
	void *meddle_ctx;
	unsigned long meddle_at;
	unsigned long fail_at; /* this call fails with fail_errno; 0 none */
	int fail_errno;
};

static inline void fm_init(struct fm *m, int pit, const char *second)
{
	*m = (struct fm){.pit = pit, .second = second, .last = ULONG_MAX};
	m->op = calloc(FM_OPS, sizeof(*m->op));
	if (m->op == NULL)
		abort();
}

static inline void fm_release(struct fm *m)
{
	size_t i;

	for (i = 0; i < m->n; i++)
		free(m->op[i].bytes);
	free(m->op);
	for (i = 0; i < m->nodes; i++) {
		free(m->node[i].base);
		if (m->node[i].fd >= 0)
			(void)close(m->node[i].fd);
	}
}

/* ---- noting ---- */

static inline struct fm_node *fm_node(struct fm *m, ino_t ino)
{
	size_t i;

	for (i = 0; i < m->nodes; i++)
		if (m->node[i].ino == ino)
			return &m->node[i];
	if (m->nodes == FM_NODES)
		abort();
	m->node[m->nodes] = (struct fm_node){.ino = ino, .fd = -1};
	return &m->node[m->nodes++];
}

static inline bool fm_elsewhere(const struct fm *m, int fd)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	if (m->second == NULL)
		return false;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		abort();
	path[n] = '\0';
	return strncmp(path, m->second, strlen(m->second)) == 0;
}

static inline struct fm_op *fm_note(struct fm *m, enum fm_kind kind, ino_t ino,
    int fd)
{
	struct fm_op *op = &m->op[m->n++];

	if (m->n > FM_OPS)
		abort();
	op->kind = kind;
	op->ino = ino;
	op->others = m->as_others;
	op->elsewhere = fm_elsewhere(m, fd);
	return op;
}

/* The directory of a path and its last part; the caller closes. */
static inline int fm_parent(int dir, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char up[PATH_MAX];

	*name = slash != NULL ? slash + 1 : path;
	if (slash == NULL)
		return openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(up, sizeof(up), "%.*s", (int)(slash - path), path);
	return openat(dir, up, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline void fm_slot(struct fm *m, struct fm_slot *s, int dir,
    const char *name)
{
	struct fm_node *node;
	struct stat st;

	if (fstat(dir, &st) != 0)
		abort();
	s->dir = st.st_ino;
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	node = fm_node(m, st.st_ino);
	if (node->fd < 0)
		node->fd = fcntl(dir, F_DUPFD_CLOEXEC, 0);
}

/* A name came, went or moved; dir -1: nowhere. */
static inline void fm_note_name(struct fm *m, const struct stat *st, int from,
    const char *from_name, int to, const char *to_name)
{
	struct fm_op *op = fm_note(m, FM_NAME, st->st_ino, to >= 0 ? to : from);

	op->is_dir = S_ISDIR(st->st_mode);
	if (from >= 0)
		fm_slot(m, &op->from, from, from_name);
	if (to >= 0)
		fm_slot(m, &op->to, to, to_name);
	op->from_synced = from < 0;
	op->to_synced = to < 0;
}

/* Before a file is written for the first time: its bytes as they are. */
static inline ino_t fm_keep_base(struct fm *m, int fd)
{
	struct fm_node *node;
	struct stat st;
	char link[64];
	ssize_t n;

	if (fstat(fd, &st) != 0 || st.st_size > FM_BYTES)
		abort();
	node = fm_node(m, st.st_ino);
	if (node->base != NULL)
		return st.st_ino;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	node->fd = open(link, O_RDWR | O_CLOEXEC);
	node->base = malloc(FM_BYTES);
	if (node->fd < 0 || node->base == NULL)
		abort();
	n = pread(node->fd, node->base, FM_BYTES, 0);
	if (n < 0)
		abort();
	node->base_len = (size_t)n;
	return st.st_ino;
}

/* ---- the calls ---- */

/* Whether this call is made; else errno is set. */
static inline bool fm_begin(struct fm *m)
{
	if (m->as_others)
		return true;
	m->calls++;
	if (m->calls == m->meddle_at && m->meddle != NULL) {
		m->as_others = true;
		m->meddle(m->meddle_ctx, m);
		m->as_others = false;
	}
	if (m->calls > m->last) {
		m->crashed = true;
		errno = EIO;
		return false;
	}
	if (m->calls == m->fail_at) {
		errno = m->fail_errno;
		return false;
	}
	return true;
}

static inline int fm_create(void *ctx, int dir, const char *path, int flags,
    mode_t mode)
{
	struct fm *m = ctx;
	struct stat st;
	bool there;
	int fd;

	if (!fm_begin(m))
		return -1;
	there = fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
	fd = openat(dir, path, flags | O_CREAT, mode);
	if (fd < 0 || there)
		return fd;
	if (fstat(fd, &st) != 0)
		abort();
	fm_note_name(m, &st, -1, NULL, dir, path);
	return fd;
}

static inline void fm_note_data(struct fm *m, int fd, const void *buf, size_t n,
    off_t at, ino_t ino)
{
	struct fm_op *op = fm_note(m, FM_DATA, ino, fd);

	op->at = at;
	op->len = n;
	op->bytes = malloc(n);
	if (op->bytes == NULL || at + (off_t)n > FM_BYTES)
		abort();
	memcpy(op->bytes, buf, n);
}

static inline ssize_t fm_write(void *ctx, int fd, const void *buf, size_t len)
{
	struct fm *m = ctx;
	ino_t ino;
	ssize_t n;

	if (!fm_begin(m))
		return -1;
	ino = fm_keep_base(m, fd);
	n = write(fd, buf, len);
	if (n > 0) /* after it the offset is behind the bytes, also with O_APPEND */
		fm_note_data(m, fd, buf, (size_t)n,
		    lseek(fd, 0, SEEK_CUR) - n, ino);
	return n;
}

static inline ssize_t fm_pwrite(void *ctx, int fd, const void *buf, size_t len,
    off_t at)
{
	struct fm *m = ctx;
	ino_t ino;
	ssize_t n;

	if (!fm_begin(m))
		return -1;
	ino = fm_keep_base(m, fd);
	n = pwrite(fd, buf, len, at);
	if (n > 0)
		fm_note_data(m, fd, buf, (size_t)n, at, ino);
	return n;
}

static inline int fm_ftruncate(void *ctx, int fd, off_t len)
{
	struct fm *m = ctx;
	ino_t ino;

	if (!fm_begin(m))
		return -1;
	ino = fm_keep_base(m, fd);
	if (ftruncate(fd, len) != 0)
		return -1;
	fm_note(m, FM_SIZE, ino, fd)->at = len;
	return 0;
}

static inline int fm_sync_inode(struct fm *m, int fd)
{
	struct fm_op *op;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -1;
	for (op = m->op; op < m->op + m->n; op++) {
		if (op->kind != FM_NAME) {
			op->durable |= op->ino == st.st_ino;
			continue;
		}
		op->from_synced |= op->from.dir == st.st_ino;
		op->to_synced |= op->to.dir == st.st_ino;
		op->durable |= op->from_synced && op->to_synced;
	}
	return 0;
}

static inline int fm_fsync(void *ctx, int fd)
{
	struct fm *m = ctx;

	return fm_begin(m) ? fm_sync_inode(m, fd) : -1;
}

static inline int fm_syncfs(void *ctx, int fd)
{
	struct fm *m = ctx;
	struct fm_op *op;
	bool elsewhere;

	if (!fm_begin(m))
		return -1;
	elsewhere = fm_elsewhere(m, fd);
	for (op = m->op; op < m->op + m->n; op++)
		if (op->elsewhere == elsewhere && !(m->weak && op->others))
			op->durable = true;
	return 0;
}

static inline int fm_mkdir(void *ctx, int dir, const char *path, mode_t mode)
{
	struct fm *m = ctx;
	const char *name;
	struct stat st;
	int up;

	if (!fm_begin(m))
		return -1;
	if (mkdirat(dir, path, mode) != 0)
		return -1;
	up = fm_parent(dir, path, &name);
	if (up < 0 || fstatat(up, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		abort();
	fm_note_name(m, &st, -1, NULL, up, name);
	(void)close(up);
	return 0;
}

/*
 * An owner or a time has changed; the node keeps the file, but a message not
 * open, as it is looked at whether somebody has it open.
 */
static inline void fm_note_inode(struct fm *m, enum fm_kind kind, int dir,
    const char *path, const struct stat *was)
{
	int fd = openat(dir, path, O_NOFOLLOW | O_CLOEXEC |
	    (kind == FM_TIME ? O_PATH : O_RDONLY | O_NONBLOCK));

	fm_note(m, kind, was->st_ino, dir)->was = *was;
	if (fm_node(m, was->st_ino)->fd < 0)
		fm_node(m, was->st_ino)->fd = fd;
	else
		(void)close(fd);
}

static inline int fm_chown(void *ctx, int dir, const char *path, uid_t uid,
    gid_t gid)
{
	struct fm *m = ctx;
	struct stat st;

	if (!fm_begin(m))
		return -1;
	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    fchownat(dir, path, uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	fm_note_inode(m, FM_OWNER, dir, path, &st);
	return 0;
}

static inline int fm_chmod(void *ctx, int fd, mode_t mode)
{
	struct fm *m = ctx;
	struct stat st;

	if (!fm_begin(m))
		return -1;
	if (fstat(fd, &st) != 0 || fchmod(fd, mode) != 0)
		return -1;
	fm_note(m, FM_MODE, st.st_ino, fd)->was = st;
	if (fm_node(m, st.st_ino)->fd < 0)
		fm_node(m, st.st_ino)->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return 0;
}

static inline int fm_utime(void *ctx, int dir, const char *path,
    int64_t atime_ns, int64_t mtime_ns)
{
	struct fm *m = ctx;
	struct stat st;

	if (!fm_begin(m))
		return -1;
	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    qt_fsops_system.utime(NULL, dir, path, atime_ns, mtime_ns) != 0)
		return -1;
	fm_note_inode(m, FM_TIME, dir, path, &st);
	return 0;
}

static inline int fm_rename(void *ctx, int fromdir, const char *from, int todir,
    const char *to)
{
	struct fm *m = ctx;
	struct stat st;

	if (!fm_begin(m))
		return -1;
	if (fstatat(fromdir, from, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    renameat2(fromdir, from, todir, to, RENAME_NOREPLACE) != 0)
		return -1;
	fm_note_name(m, &st, fromdir, from, todir, to);
	return 0;
}

/* Into the pit, so that it can come back. */
static inline int fm_remove(struct fm *m, int dir, const char *path,
    const struct stat *st)
{
	char name[32];
	const char *last;
	int up = fm_parent(dir, path, &last);

	(void)snprintf(name, sizeof(name), "%llu",
	    (unsigned long long)st->st_ino);
	if (up < 0 || renameat2(up, last, m->pit, name, RENAME_NOREPLACE) != 0)
		abort();
	fm_note_name(m, st, up, last, -1, NULL);
	(void)close(up);
	return 0;
}

static inline int fm_unlink(void *ctx, int dir, const char *path)
{
	struct fm *m = ctx;
	struct stat st;

	if (!fm_begin(m))
		return -1;
	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return -1;
	}
	return fm_remove(m, dir, path, &st);
}

static inline bool fm_empty(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fdopendir(fd);
	const struct dirent *e;
	bool empty = true;

	if (d == NULL)
		abort();
	while ((e = readdir(d)) != NULL)
		empty = empty && (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0);
	(void)closedir(d);
	return empty;
}

static inline int fm_rmdir(void *ctx, int dir, const char *path)
{
	struct fm *m = ctx;
	struct stat st;

	if (!fm_begin(m))
		return -1;
	if (fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	if (!S_ISDIR(st.st_mode) || !fm_empty(dir, path)) {
		errno = S_ISDIR(st.st_mode) ? ENOTEMPTY : ENOTDIR;
		return -1;
	}
	return fm_remove(m, dir, path, &st);
}

static inline struct qt_fsops fm_table(struct fm *m)
{
	return (struct qt_fsops){.ctx = m, .create = fm_create,
	    .write = fm_write, .pwrite = fm_pwrite, .ftruncate = fm_ftruncate,
	    .fdatasync = fm_fsync, .fsync = fm_fsync, .syncfs = fm_syncfs,
	    .mkdir = fm_mkdir, .chown = fm_chown, .chmod = fm_chmod,
	    .utime = fm_utime,
	    .rename = fm_rename, .unlink = fm_unlink, .rmdir = fm_rmdir};
}

/* ---- what is lost ---- */

/* The i-th operation that no barrier covered, or NULL. */
static inline struct fm_op *fm_volatile(struct fm *m, size_t i)
{
	struct fm_op *op;

	for (op = m->op; op < m->op + m->n; op++)
		if (!op->durable && i-- == 0)
			return op;
	return NULL;
}

static inline size_t fm_count_volatile(struct fm *m)
{
	size_t n = 0;

	while (fm_volatile(m, n) != NULL)
		n++;
	return n;
}

static inline uint64_t fm_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * 0x2545F4914F6CDD1DULL >> 32;
}

/*
 * Choose the set of that number: none lost, all lost; then one of them lost,
 * one kept, the last ones lost; then any set by chance, with bytes half written
 * or zero.
 */
static inline void fm_choose(struct fm *m, size_t set, uint64_t *seed)
{
	size_t i, n = fm_count_volatile(m), which = n > 0 ? (set - 2) / 3 : 0;

	for (i = 0; i < n; i++) {
		struct fm_op *op = fm_volatile(m, i);
		bool lost;

		if (set < 2)
			lost = set == 1;
		else if (which < n)
			lost = (set - 2) % 3 == 0 ? i == which :
			    (set - 2) % 3 == 1    ? i != which :
						    i > which;
		else
			lost = fm_random(seed) % 2 == 0;
		op->fate = lost ? FM_LOST : FM_KEPT;
		if (lost && set >= 2 && which >= n && op->kind == FM_DATA)
			op->fate = (enum fm_fate)(1 + fm_random(seed) % 3);
	}
}

static inline size_t fm_sets(struct fm *m, size_t by_chance)
{
	size_t n = fm_count_volatile(m);

	return n == 0 ? 1 : 2 + 3 * n + by_chance;
}

static inline bool fm_same_slot(const struct fm_slot *a, const struct fm_slot *b)
{
	return a->dir != 0 && a->dir == b->dir && strcmp(a->name, b->name) == 0;
}

/* Whether a can only be there when b is, which came before it. */
static inline bool fm_needs(const struct fm_op *a, const struct fm_op *b)
{
	if (a->kind == FM_DATA || a->kind == FM_SIZE || b->kind == FM_DATA ||
	    b->kind == FM_SIZE)
		return false; /* bytes and names come in any order */
	if (a->ino == b->ino)
		return true;
	if (a->kind != FM_NAME || b->kind != FM_NAME)
		return false;
	if (fm_same_slot(&a->to, &b->from) || fm_same_slot(&a->to, &b->to))
		return true;
	return false;
}

static inline void fm_decide(struct fm *m)
{
	size_t i, j;

	for (i = 0; i < m->n; i++) {
		struct fm_op *op = &m->op[i];

		op->holds = op->durable || op->fate != FM_LOST;
		for (j = 0; j < i && op->holds; j++)
			if (!m->op[j].holds && fm_needs(op, &m->op[j]))
				op->holds = false;
	}
}

/* Where an inode is: after all that was done, or after what holds of it. */
static inline const struct fm_slot *fm_where(const struct fm *m, ino_t ino,
    bool all)
{
	const struct fm_slot *at = NULL;
	size_t i;

	for (i = 0; i < m->n; i++) {
		const struct fm_op *op = &m->op[i];

		if (op->kind != FM_NAME || op->ino != ino)
			continue;
		if (at == NULL)
			at = &op->from;
		if (all || op->holds)
			at = &op->to;
	}
	return at;
}

static inline void fm_place_one(struct fm *m, ino_t ino, bool detach)
{
	const struct fm_slot *now = fm_where(m, ino, true);
	const struct fm_slot *then = fm_where(m, ino, false);
	char name[32];

	if (now->dir == then->dir &&
	    (now->dir == 0 || strcmp(now->name, then->name) == 0))
		return;
	(void)snprintf(name, sizeof(name), "%llu", (unsigned long long)ino);
	if (detach && now->dir != 0 &&
	    renameat2(fm_node(m, now->dir)->fd, now->name, m->pit, name,
		RENAME_NOREPLACE) != 0)
		abort();
	if (!detach && then->dir != 0 &&
	    renameat2(m->pit, name, fm_node(m, then->dir)->fd, then->name,
		RENAME_NOREPLACE) != 0)
		abort();
}

static inline void fm_place(struct fm *m, bool detach)
{
	size_t i, j;

	for (i = 0; i < m->n; i++) {
		if (m->op[i].kind != FM_NAME)
			continue;
		for (j = 0; j < i && (m->op[j].kind != FM_NAME ||
			m->op[j].ino != m->op[i].ino); j++)
			;
		if (j == i)
			fm_place_one(m, m->op[i].ino, detach);
	}
}

/* The bytes of a written file as they would be found. */
static inline void fm_rewrite(const struct fm *m, const struct fm_node *node)
{
	char *b = calloc(1, FM_BYTES);
	size_t i, len = node->base_len, n;
	struct timespec times[2];
	struct stat st;

	if (b == NULL || fstat(node->fd, &st) != 0)
		abort();
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	memcpy(b, node->base, len);
	for (i = 0; i < m->n; i++) {
		const struct fm_op *op = &m->op[i];

		if (op->ino != node->ino || (!op->durable && op->fate == FM_LOST))
			continue;
		if (op->kind == FM_SIZE) {
			if ((size_t)op->at < len)
				memset(b + op->at, 0, len - (size_t)op->at);
			len = (size_t)op->at;
		} else if (op->kind == FM_DATA) {
			n = !op->durable && op->fate == FM_TORN ? op->len / 2 :
								  op->len;
			if (op->durable || op->fate != FM_ZEROS)
				memcpy(b + op->at, op->bytes, n);
			if ((size_t)op->at + n > len)
				len = (size_t)op->at + n;
		}
	}
	if (pwrite(node->fd, b, len, 0) != (ssize_t)len ||
	    ftruncate(node->fd, (off_t)len) != 0 ||
	    futimens(node->fd, times) != 0) /* it is not written to, it was */
		abort();
	free(b);
}

static inline int fm_set_times(int fd, const struct stat *was)
{
	const struct timespec times[2] = {was->st_atim, was->st_mtim};
	char link[64];

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return utimensat(AT_FDCWD, link, times, 0);
}

/* The disk as it is found after the crash. */
static inline void fm_crash(struct fm *m)
{
	size_t i;

	fm_decide(m);
	fm_place(m, true);
	fm_place(m, false);
	for (i = 0; i < m->nodes; i++)
		if (m->node[i].base != NULL)
			fm_rewrite(m, &m->node[i]);
	for (i = m->n; i-- > 0;) {
		const struct fm_op *op = &m->op[i];

		if (op->kind == FM_OWNER && !op->holds &&
		    fchown(fm_node(m, op->ino)->fd, op->was.st_uid,
			op->was.st_gid) != 0)
			abort();
		if (op->kind == FM_MODE && !op->holds &&
		    fchmod(fm_node(m, op->ino)->fd, op->was.st_mode & 07777) != 0)
			abort();
		if (op->kind == FM_TIME && !op->holds &&
		    fm_set_times(fm_node(m, op->ino)->fd, &op->was) != 0)
			abort();
	}
}

#endif
