/*
 * tree.c - reading queue directories.
 *
 * Source of what Postfix's own scanners do: src/global/mail_scan_dir.c,
 * src/util/scan_dir.c.  Directories are read with getdents64 into one large
 * buffer; a directory is read to its end before its hash directories are
 * entered, so one buffer serves all levels.
 */
#include "source/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "qtool/queueid.h"
#include "source/below.h"
#include "source/packed.h"
#include "source/staged.h"

#define DENTS_SIZE ((size_t)128 << 10)
#define SEEN_MAX ((size_t)1 << 20) /* directories remembered */

/*
 * The kernel stamps a directory with a clock that moves every few milliseconds
 * (on old file systems every one or two seconds): a change within the same
 * tick does not show.  So a stamp younger than this is not trusted.
 */
#define TICK_NS 100000000LL
#define COARSE_TICK_NS 2000000000LL

/* As the kernel lays it out; glibc's getdents64 has the same. */
struct dent {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

int qt_tree_init(struct qt_tree *t, const struct qt_spools *spools,
    unsigned queues, struct qt_error *err)
{
	char *buf = malloc(DENTS_SIZE);

	if (buf == NULL)
		return qt_fail_mem(err);
	*t = (struct qt_tree){.spools = spools, .queues = queues, .buf = buf};
	return 0;
}

void qt_tree_release(struct qt_tree *t)
{
	if (t == NULL)
		return;
	qt_tree_restart(t, false);
	free(t->buf);
	free(t->seen);
	t->buf = NULL;
	t->seen = NULL;
}

void qt_tree_restart(struct qt_tree *t, bool again)
{
	while (t->depth > 0)
		qt_tree_dir_unref(t, t->stack[--t->depth]);
	t->spool_at = 0;
	t->root_at = 0;
	t->buf_len = t->buf_pos = 0;
	t->seen_at = 0;
	t->again = again;
	t->dirs_read = 0;
}

/* ---- directories ---- */

void qt_tree_dir_unref(struct qt_tree *t, struct qt_tree_dir *d)
{
	if (d == NULL || --d->refs > 0)
		return;
	qt_close_quiet(&d->fd);
	free(d);
	t->open_dirs--;
}

/*
 * name: the queue's, or the bucket's path; hash: directories below it.  Takes
 * fd, also when it fails.
 */
static int dir_new(struct qt_tree *t, struct qt_tree_dir **out, int fd,
    const struct qt_spool *spool, enum qt_queue queue, const char *name,
    const char *hash, struct qt_error *err)
{
	struct qt_tree_dir *d = calloc(1, sizeof *d);
	int n;

	if (d == NULL) {
		qt_close_quiet(&fd);
		(void)qt_fail_mem(err);
		return -1;
	}
	n = snprintf(d->path, sizeof d->path, "%s%s%s", name,
	    hash[0] != '\0' ? "/" : "", hash);
	if (n < 0 || (size_t)n >= sizeof d->path) {
		qt_close_quiet(&fd);
		free(d);
		(void)qt_fail(err, QT_E_SYS, name, "path too long");
		return -1;
	}
	d->path_len = (size_t)n;
	while (d->path_len > 0 && d->path[d->path_len - 1] == '/')
		d->path[--d->path_len] = '\0';
	d->hash_at = strlen(name) + (hash[0] != '\0');
	d->fd = fd;
	d->refs = 1;
	d->spool = spool;
	d->queue = queue;
	t->open_dirs++;
	*out = d;
	return 0;
}

int qt_tree_dir_open(struct qt_tree *t, struct qt_tree_dir **out,
    const struct qt_spool *spool, enum qt_queue queue, const char *hash,
    struct qt_error *err)
{
	struct stat st;
	int qfd = qt_open_dir_below(spool->dirfd, qt_queue_name(queue));
	int fd = qfd >= 0 ? qt_open_dir_below(qfd, hash) : -1;

	if (qfd >= 0)
		(void)close(qfd);
	if (fd < 0 || fstat(fd, &st) != 0) {
		if (fd >= 0)
			(void)close(fd);
		*out = NULL;
		return 0;
	}
	if (dir_new(t, out, fd, spool, queue, qt_queue_name(queue), hash,
		err) != 0)
		return -1;
	(*out)->dev = st.st_dev;
	(*out)->ino = st.st_ino;
	return 0;
}

int qt_tree_dir_at(struct qt_tree *t, struct qt_tree_dir **out,
    const struct qt_spool *spool, enum qt_queue queue, const char *path,
    size_t base, struct qt_error *err)
{
	char name[QT_TREE_PATH_MAX];
	const char *hash = path[base] == '/' ? path + base + 1 : "";
	struct stat st;
	int fd = qt_open_dir_below(spool->dirfd, path);

	if (base >= sizeof name) {
		qt_close_quiet(&fd);
		return qt_fail(err, QT_E_SYS, path, "path too long");
	}
	memcpy(name, path, base);
	name[base] = '\0';
	if (dir_new(t, out, fd, spool, queue, name, hash, err) != 0)
		return -1;
	if (fd >= 0 && fstat(fd, &st) == 0) {
		(*out)->dev = st.st_dev;
		(*out)->ino = st.st_ino;
	}
	return 0;
}

static int64_t ns(struct timespec ts)
{
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* The directory's stamp, INT64_MIN when it is too young to tell anything. */
static int64_t trusted_mtime(const struct stat *st)
{
	int64_t mtime = ns(st->st_mtim), tick = TICK_NS;
	struct timespec now;

	if (st->st_mtim.tv_nsec == 0)
		tick = COARSE_TICK_NS;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0 ||
	    mtime > ns(now) - tick)
		return INT64_MIN;
	return mtime;
}

/* What the walks before know of a directory; they come in the same order. */
static struct qt_tree_seen *find_seen(struct qt_tree *t, dev_t dev, ino_t ino)
{
	for (size_t i = 0; i < t->nseen; i++) {
		size_t at = (t->seen_at + i) % t->nseen;

		if (t->seen[at].ino == ino && t->seen[at].dev == dev) {
			t->seen_at = at + 1;
			return &t->seen[at];
		}
	}
	return NULL;
}

/* Room for what is found out about a directory; NULL: it is not kept. */
static struct qt_tree_seen *add_seen(struct qt_tree *t, dev_t dev, ino_t ino)
{
	size_t cap = t->seen_cap != 0 ? 2 * t->seen_cap : 64;
	struct qt_tree_seen *v;

	if (t->nseen == t->seen_cap) {
		v = t->nseen < SEEN_MAX
		    ? reallocarray(t->seen, cap, sizeof *v) : NULL;
		if (v == NULL)
			return NULL;
		t->seen = v;
		t->seen_cap = cap;
	}
	v = &t->seen[t->nseen++];
	*v = (struct qt_tree_seen){.dev = dev, .ino = ino};
	return v;
}

/* Put an open directory on the stack, to be read unless it is as before. */
static int push(struct qt_tree *t, struct qt_tree_dir *d)
{
	struct qt_tree_seen *seen = NULL;
	struct stat st;

	if (fstat(d->fd, &st) != 0)
		return -1;
	d->dev = st.st_dev;
	d->ino = st.st_ino;
	d->to_read = true;
	if (t->again)
		seen = find_seen(t, st.st_dev, st.st_ino);
	if (seen != NULL && seen->mtime_ns == ns(st.st_mtim)) {
		memcpy(d->subs, seen->subs, sizeof d->subs);
		d->to_read = false;
	} else {
		if (seen == NULL)
			seen = add_seen(t, st.st_dev, st.st_ino);
		if (seen != NULL)
			seen->mtime_ns = trusted_mtime(&st);
		t->dirs_read++;
	}
	t->buf_len = t->buf_pos = 0;
	t->stack[t->depth++] = d;
	return 0;
}

/* The directory has been read: keep what hash directories it has. */
static void finish_reading(struct qt_tree *t, struct qt_tree_dir *d)
{
	struct qt_tree_seen *seen;

	d->to_read = false;
	for (size_t i = t->nseen; i > 0; i--) {
		seen = &t->seen[i - 1];
		if (seen->ino == d->ino && seen->dev == d->dev) {
			memcpy(seen->subs, d->subs, sizeof seen->subs);
			return;
		}
	}
}

/* A directory that cannot be read; told once, in the first walk. */
static void deny(struct qt_tree *t, enum qt_queue q)
{
	if (t->again)
		return;
	t->denied_queues |= QT_Q_BIT(q);
	if (t->denied++ > 0)
		return;
	t->denied_sys = errno;
	t->denied_queue = q;
}

/*
 * A directory to begin with onto the stack: a queue's, or a bucket.  0 done, 1
 * it cannot be walked.
 */
static int open_root(struct qt_tree *t, const struct qt_spool *s,
    enum qt_queue q, const char *path, struct qt_error *err)
{
	int fd = qt_open_dir_below(s->dirfd, path);
	struct qt_tree_dir *d;

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		return qt_fail_sys(err, "open", path);
	if (fd < 0) {
		if (errno != ENOENT)
			deny(t, q);
		return 1;
	}
	t->roots++;
	if (dir_new(t, &d, fd, s, q, path, "", err) != 0)
		return -1;
	if (push(t, d) == 0)
		return 0;
	qt_tree_dir_unref(t, d);
	return 1;
}

/* The spool's next queue.  0 done, 1 there is none left. */
static int next_queue(struct qt_tree *t, const struct qt_spool *s,
    struct qt_error *err)
{
	enum qt_queue q;
	int rc;

	while (t->root_at < QT_Q_MESSAGES) {
		q = (enum qt_queue)t->root_at++;
		if ((t->queues & QT_Q_BIT(q)) == 0)
			continue;
		rc = open_root(t, s, q, qt_queue_name(q), err);
		if (rc <= 0)
			return rc;
	}
	return 1;
}

/* The transaction's next bucket, likewise. */
static int next_bucket(struct qt_tree *t, const struct qt_spool *s,
    struct qt_error *err)
{
	char path[QT_STAGED_PATH_SIZE];
	int rc;

	if (t->root_at == 0 && qt_staged_buckets(s, &t->nbuckets, err) != 0)
		return -1;
	while (t->root_at < t->nbuckets) {
		qt_staged_bucket(s->txid, t->root_at++, path);
		rc = open_root(t, s, QT_Q_HOLD, path, err);
		if (rc <= 0)
			return rc;
	}
	return 1;
}

/* Whether an ID is one of those asked for. */
static bool asked_for(const struct qt_tree *t, const char *id, size_t len)
{
	if (t->only != NULL &&
	    (strlen(t->only) != len || memcmp(t->only, id, len) != 0))
		return false;
	return t->wanted == NULL || t->wanted(t->wanted_ctx, id, len);
}

void qt_tree_packed(struct qt_tree_entry *e, struct qt_packed *p, size_t item)
{
	const struct qt_packed_item *it = &p->item[item];
	const char *id = qt_packed_name(p, it->id);

	*e = (struct qt_tree_entry){.name = id, .name_len = strlen(id),
	    .id = id, .id_len = strlen(id), .queue = (enum qt_queue)it->queue,
	    .ino = item + 1, .packed = p, .item = item,
	    .foreign = it->foreign};
}

/* The archive's next file.  False: there is none left. */
static bool next_packed(struct qt_tree *t, struct qt_packed *p,
    struct qt_tree_entry *e)
{
	const struct qt_packed_item *it;
	const char *id;

	while (t->root_at < p->n) {
		it = &p->item[t->root_at++];
		id = qt_packed_name(p, it->id);
		if (it->queue >= QT_Q_MESSAGES ||
		    (t->queues & QT_Q_BIT(it->queue)) == 0 ||
		    !asked_for(t, id, strlen(id)))
			continue;
		qt_tree_packed(e, p, t->root_at - 1);
		return true;
	}
	return false;
}

/*
 * The next directory to begin with.  0 done, 1 there is none left, 2: *e is an
 * archive's next file.
 */
static int next_root(struct qt_tree *t, struct qt_tree_entry *e,
    struct qt_error *err)
{
	const struct qt_spool *s;
	int rc;

	for (; t->spool_at < t->spools->n; t->spool_at++, t->root_at = 0) {
		s = t->spools->v[t->spool_at];
		if (s->packed != NULL) {
			/* nothing moves in there */
			if (!t->again && next_packed(t, s->packed, e))
				return 2;
			continue;
		}
		rc = s->txid != 0 ? next_bucket(t, s, err)
				  : next_queue(t, s, err);
		if (rc <= 0)
			return rc;
	}
	return 1;
}

/* Hand out an entry of directory d. */
static void emit(struct qt_tree_entry *e, struct qt_tree_dir *d,
    const char *name, ino_t ino, const char *foreign)
{
	d->refs++;
	*e = (struct qt_tree_entry){.dir = d, .name = name,
	    .name_len = strlen(name), .id = name, .id_len = strlen(name),
	    .queue = d->queue, .ino = ino, .foreign = foreign};
}

/*
 * Enter the next hash directory of d.  0 entered, 1 none left, 2: it cannot be
 * read, *e is a row for it; negative a run error.
 */
static int enter_sub(struct qt_tree *t, struct qt_tree_dir *d,
    struct qt_tree_entry *e, struct qt_error *err)
{
	char name[2] = "", hash[QT_TREE_PATH_MAX];
	struct qt_tree_dir *sub;
	int fd;

	for (; d->next_sub < 256; d->next_sub++) {
		unsigned c = d->next_sub;

		if ((d->subs[c / 8] & (1u << (c % 8))) == 0)
			continue;
		d->next_sub++;
		name[0] = (char)c;
		fd = qt_open_dir_below(d->fd, name);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE))
			return qt_fail_sys(err, "open", d->path);
		if (fd < 0 && (errno == ENOENT || t->again))
			return 0; /* gone, or told in the first walk */
		if (fd < 0) {
			int sys = errno;

			/* the name lives in the entry buffer, unused now */
			memcpy(t->buf, name, sizeof name);
			emit(e, d, t->buf, 0,
			    "a hash directory that cannot be read");
			e->error_sys = sys;
			return 2;
		}
		(void)snprintf(hash, sizeof hash, "%s%s%s",
		    d->path + d->hash_at, d->level > 0 ? "/" : "", name);
		if (dir_new(t, &sub, fd, d->spool, d->queue,
			qt_queue_name(d->queue), hash, err) != 0)
			return -1;
		sub->level = d->level + 1;
		if (push(t, sub) != 0)
			qt_tree_dir_unref(t, sub);
		return 0;
	}
	return 1;
}

/* ---- entries ---- */

const char *qt_tree_type_text(unsigned type)
{
	switch (type) {
	case DT_REG:
		return NULL;
	case DT_DIR:
		return "a directory";
	case DT_LNK:
		return "a symbolic link";
	case DT_FIFO:
		return "a FIFO";
	case DT_SOCK:
		return "a socket";
	case DT_CHR:
	case DT_BLK:
		return "a device";
	default:
		return "neither a file nor a directory";
	}
}

/* The type of an entry that the file system does not tell; DT_UNKNOWN when it
 * is gone. */
static unsigned find_type(const struct qt_tree_dir *d, const char *name)
{
	struct stat st;

	if (fstatat(d->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return DT_UNKNOWN;
	return IFTODT(st.st_mode);
}

const char *qt_tree_judge(const char *name, unsigned type)
{
	const char *text = qt_tree_type_text(type);

	if (text != NULL)
		return text;
	if (name[1] == '\0')
		return "a file with a one-character name, where Postfix "
		       "expects a hash directory";
	if (!qt_queue_id_valid(name))
		return "its name is no queue ID";
	return NULL;
}

/*
 * An entry of a bucket.  True when *e is to be handed out: a message of the
 * queues asked for, or what qtool did not put there.
 */
static bool take_staged(const struct qt_tree *t, struct qt_tree_dir *d,
    const struct dent *de, unsigned type, struct qt_tree_entry *e)
{
	const char *why = qt_tree_type_text(type);
	struct qt_staged s = {.id = de->name, .id_len = strlen(de->name)};
	enum qt_queue q = QT_Q_COUNT;

	if (qt_staged_parse(de->name, &s))
		q = qt_staged_queue(s.letter);
	if (q == QT_Q_COUNT) {
		q = d->queue;
		s.id = de->name;
		s.id_len = strlen(de->name);
		if (why == NULL)
			why = "its name is none that a transaction gives";
	}
	if ((t->queues & QT_Q_BIT(q)) == 0 || !asked_for(t, s.id, s.id_len))
		return false;
	emit(e, d, de->name, (ino_t)de->ino, why);
	e->id = s.id;
	e->id_len = s.id_len;
	e->queue = q;
	return true;
}

/* One directory entry.  True when *e is to be handed out. */
static bool take_dent(struct qt_tree *t, struct qt_tree_dir *d,
    const struct dent *de, struct qt_tree_entry *e)
{
	const char *name = de->name;
	unsigned type = de->type;
	unsigned char c = (unsigned char)name[0];

	if (c == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
		return false;
	if (type == DT_UNKNOWN)
		type = find_type(d, name);
	if (type == DT_UNKNOWN && errno == ENOENT)
		return false;
	if (d->spool->txid != 0)
		return take_staged(t, d, de, type, e);
	if (type == DT_DIR && name[1] == '\0' && d->level < QT_TREE_LEVELS) {
		d->subs[c / 8] |= (unsigned char)(1u << (c % 8));
		return false;
	}
	if (!asked_for(t, name, strlen(name)))
		return false;
	emit(e, d, name, (ino_t)de->ino, qt_tree_judge(name, type));
	if (type == DT_DIR && name[1] == '\0')
		e->foreign = "hash directories nested too deeply";
	return true;
}

/*
 * More entries of d into the buffer; false at the end of the directory.  One
 * that stops with an error (a damaged disk) is told like one that cannot be
 * opened; ENOENT means that it was removed meanwhile.
 */
static bool fill_buffer(struct qt_tree *t, struct qt_tree_dir *d)
{
	long n = syscall(SYS_getdents64, d->fd, t->buf, DENTS_SIZE);

	t->buf_pos = 0;
	t->buf_len = n > 0 ? (size_t)n : 0;
	if (n < 0 && errno != ENOENT)
		deny(t, d->queue);
	return n > 0;
}

/* The next entry of d; false when there is none left. */
static bool read_dir(struct qt_tree *t, struct qt_tree_dir *d,
    struct qt_tree_entry *e)
{
	const struct dent *de;

	do {
		if (t->buf_pos >= t->buf_len && !fill_buffer(t, d))
			return false;
		de = (const struct dent *)(const void *)(t->buf + t->buf_pos);
		t->buf_pos += de->reclen;
	} while (!take_dent(t, d, de, e));
	return true;
}

int qt_tree_next(struct qt_tree *t, struct qt_tree_entry *e,
    struct qt_error *err)
{
	struct qt_tree_dir *d;
	int rc;

	for (;;) {
		if (t->depth == 0) {
			rc = next_root(t, e, err);
			if (rc != 0)
				return rc == 2 ? 0 : rc;
		}
		d = t->stack[t->depth - 1];
		if (d->to_read) {
			if (read_dir(t, d, e))
				return 0;
			finish_reading(t, d);
		}
		rc = enter_sub(t, d, e, err);
		if (rc < 0)
			return rc;
		if (rc == 2)
			return 0;
		if (rc == 1)
			qt_tree_dir_unref(t, t->stack[--t->depth]);
	}
}
