/*
 * picks.c - messages that were chosen, kept open until they are read.
 */
#include "qtool/picks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "source/below.h"
#include "source/picks_priv.h"
#include "source/tree.h"

#define MOST 1048576u /* descriptors of a process: fs.nr_open where nobody set it */
#define RESERVE 256u /* descriptors for all else: directories, threads */
#define TABLE (1 << 16) /* 8 bytes each */
#define ARENA_MAX ((size_t)4 << 30)

struct qt_picks {
	const struct qt_spool *spool;
	struct qt_pick *v; /* owned */
	size_t n, cap;
	size_t open, may;  /* descriptors in use, and at most */
	struct qt_arena text;
	int dirfd; /* of the directory that the last one was in, */
	char dir[QT_TREE_PATH_MAX]; /* and its path */
	bool refused; /* see qt_open_file_as() */
};

/*
 * The kernel's table of descriptors is as large as the largest needs.  While
 * there is one thread it grows at once; for several it waits each time until
 * all processors have seen the new one (expand_fdtable(), Linux fs/file.c).
 */
static void grow_table(rlim_t may)
{
	const int most = may > TABLE ? TABLE - 1 : (int)may - 1;
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, most);

	qt_close_quiet(&fd);
}

void qt_picks_raise_limit(void)
{
	const struct rlimit most = {MOST, MOST};
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		return;
	/* root may have more than root was given */
	if (r.rlim_max < MOST && setrlimit(RLIMIT_NOFILE, &most) == 0)
		r = most;
	if (r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
	if (r.rlim_cur > RESERVE)
		grow_table(r.rlim_cur);
}

int qt_picks_new(struct qt_picks **out, const struct qt_spool *spool,
    struct qt_error *err)
{
	struct qt_picks *p = calloc(1, sizeof *p);
	struct rlimit r;

	if (p == NULL)
		return qt_fail_mem(err);
	p->spool = spool;
	p->dirfd = -1;
	qt_arena_init(&p->text, ARENA_MAX);
	/* what a transaction or an archive keeps nobody else takes away */
	if (spool->txid == 0 && spool->packed == NULL && getrlimit(RLIMIT_NOFILE, &r) == 0 &&
	    r.rlim_cur > RESERVE)
		p->may = (size_t)(r.rlim_cur - RESERVE);
	*out = p;
	return 0;
}

void qt_picks_free(struct qt_picks *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++)
		qt_close_quiet(&p->v[i].fd);
	qt_close_quiet(&p->dirfd);
	qt_arena_release(&p->text);
	free(p->v);
	free(p);
}

/* Whether that file is open now. */
static bool is_it(int fd, const struct qt_pick *pick)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_dev == pick->dev && st.st_ino == pick->ino;
}

int qt_pick_open_moved(const struct qt_spool *spool, const struct qt_pick *pick)
{
	char path[512];
	int fd;

	for (unsigned q = 0; q < QT_Q_MESSAGES && spool->txid == 0; q++) {
		if (qt_spool_path(spool, (enum qt_queue)q, pick->id, path,
			sizeof path) != 0)
			continue;
		fd = qt_open_file_below(spool->dirfd, path);
		if (fd >= 0 && is_it(fd, pick))
			return fd;
		qt_close_quiet(&fd);
	}
	errno = ENOENT;
	return -1;
}

/* Most are in the directory of the one before. */
static int open_pick(struct qt_picks *p, const struct qt_pick *pick)
{
	const char *slash = strrchr(pick->path, '/');
	size_t len = slash != NULL ? (size_t)(slash - pick->path) : 0;

	if (len == 0 || len >= sizeof p->dir)
		return qt_open_file_below(p->spool->dirfd, pick->path);
	if (p->dirfd < 0 || strncmp(p->dir, pick->path, len) != 0 ||
	    p->dir[len] != '\0') {
		qt_close_quiet(&p->dirfd);
		memcpy(p->dir, pick->path, len);
		p->dir[len] = '\0';
		p->dirfd = qt_open_dir_below(p->spool->dirfd, p->dir);
	}
	return p->dirfd >= 0 ? qt_open_file_as(p->dirfd, slash + 1,
		&p->refused) : -1;
}

/* It stays readable from here on; when that cannot be, it is read as it comes. */
static void keep_open(struct qt_picks *p, struct qt_pick *pick)
{
	if (p->open == p->may || pick->queue == QT_Q_MAILDROP)
		return;
	pick->fd = open_pick(p, pick);
	if (pick->fd >= 0 && !is_it(pick->fd, pick))
		qt_close_quiet(&pick->fd);
	if (pick->fd < 0 && errno != EMFILE && errno != ENFILE)
		pick->fd = qt_pick_open_moved(p->spool, pick);
	if (pick->fd >= 0)
		p->open++;
}

static int grow(struct qt_picks *p, struct qt_error *err)
{
	size_t cap = p->cap != 0 ? 2 * p->cap : 256;
	struct qt_pick *v;

	if (p->n < p->cap)
		return 0;
	v = reallocarray(p->v, cap, sizeof *v);
	if (v == NULL)
		return qt_fail_mem(err);
	p->v = v;
	p->cap = cap;
	return 0;
}

static const char *copy(struct qt_picks *p, const char *s)
{
	return qt_arena_dup(&p->text, s, strlen(s));
}

int qt_picks_add(struct qt_picks *p, const struct qt_pick *pick,
    struct qt_error *err)
{
	const char *slash;
	struct qt_pick n = *pick;

	n.fd = -1;
	n.path = copy(p, pick->path);
	if (n.path == NULL || grow(p, err) != 0)
		return qt_fail_mem(err);
	slash = strrchr(n.path, '/');
	n.id = slash != NULL ? slash + 1 : n.path;
	if (strcmp(n.id, pick->id) != 0) /* staged */
		n.id = copy(p, pick->id);
	n.found = pick->found != NULL ? copy(p, pick->found) : n.path;
	if (n.id == NULL || n.found == NULL)
		return qt_fail_mem(err);
	keep_open(p, &n);
	p->v[p->n++] = n;
	return 0;
}

static int in_order(const void *a, const void *b)
{
	const struct qt_pick *x = a, *y = b;
	int r = x->queue == y->queue ? 0 :
	    strcmp(qt_queue_name(x->queue), qt_queue_name(y->queue));

	if (r == 0)
		r = strcmp(x->id, y->id);
	return r != 0 ? r : strcmp(x->path, y->path);
}

void qt_picks_sort(struct qt_picks *p)
{
	/* an archive is read in its own order */
	if (p->n != 0 && p->spool->packed == NULL)
		qsort(p->v, p->n, sizeof *p->v, in_order);
}

size_t qt_picks_count(const struct qt_picks *p)
{
	return p->n;
}

size_t qt_picks_open(const struct qt_picks *p)
{
	return p->open;
}

const struct qt_pick *qt_picks_at(const struct qt_picks *p, size_t i)
{
	return i < p->n ? &p->v[i] : NULL;
}

const struct qt_spool *qt_picks_spool(const struct qt_picks *p)
{
	return p->spool;
}

int qt_picks_take(struct qt_picks *p, size_t i)
{
	int fd = p->v[i].fd;

	p->v[i].fd = -1;
	if (fd >= 0)
		p->open--;
	return fd;
}
