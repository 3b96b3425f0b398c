/*
 * logdirs.c - an open-addressed table of directories that only grows.
 */
#include "source/logdirs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/io.h"
#include "qtool/queueid.h"
#include "source/below.h"

#define KEEP_MAX 320u /* all of two queues at the default depth and the next */
#define HASH_SIZE (2 * QT_QUEUE_ID_MAX + 2)

struct qt_logdir {
	const struct qt_spool *spool;
	enum qt_queue queue;
	int fd;
	char hash[]; /* "A/B/" */
};

void qt_logdirs_init(struct qt_logdirs *d)
{
	struct rlimit lim;

	d->max = KEEP_MAX;
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur / 4 < d->max)
		d->max = (unsigned)(lim.rlim_cur / 4);
}

static void free_entry(struct qt_logdir *e)
{
	if (e != NULL)
		qt_close_quiet(&e->fd);
	free(e);
}

void qt_logdirs_release(struct qt_logdirs *d)
{
	for (size_t i = 0; i < QT_LOGDIRS_SLOTS; i++) {
		free_entry(atomic_load(&d->slot[i]));
		atomic_store(&d->slot[i], NULL);
	}
	atomic_store(&d->n, 0);
}

static bool is_it(const struct qt_logdir *e, const struct qt_spool *s,
    enum qt_queue queue, const char *hash)
{
	return e->spool == s && e->queue == queue && strcmp(e->hash, hash) == 0;
}

/* The slot where a directory is, or would come. */
static size_t find(struct qt_logdirs *d, const struct qt_spool *s,
    enum qt_queue queue, const char *hash, struct qt_logdir **found)
{
	uint32_t h = 2166136261u ^ (uint32_t)queue; /* FNV-1a */
	struct qt_logdir *e;
	size_t i;

	for (const char *p = hash; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	/* fewer than half of the slots are ever taken, so this ends */
	for (i = h % QT_LOGDIRS_SLOTS;; i = (i + 1) % QT_LOGDIRS_SLOTS) {
		e = atomic_load_explicit(&d->slot[i], memory_order_acquire);
		if (e == NULL || is_it(e, s, queue, hash))
			break;
	}
	*found = e;
	return i;
}

/* One that can be kept; NULL: no room, no memory, or it cannot be opened. */
static struct qt_logdir *new_entry(struct qt_logdirs *d,
    const struct qt_spool *s, enum qt_queue queue, const char *hash)
{
	size_t len = strlen(hash);
	struct qt_logdir *e;

	if (atomic_load(&d->n) >= d->max ||
	    (e = malloc(sizeof *e + len + 1)) == NULL)
		return NULL;
	e->spool = s;
	e->queue = queue;
	memcpy(e->hash, hash, len + 1);
	e->fd = qt_open_dir_below(s->qfd[queue], hash);
	if (e->fd >= 0 && atomic_fetch_add(&d->n, 1) < d->max)
		return e;
	if (e->fd >= 0)
		(void)atomic_fetch_sub(&d->n, 1);
	free_entry(e);
	return NULL;
}

/* The descriptor to read through, -1: none is kept of this directory. */
static int directory(struct qt_logdirs *d, const struct qt_spool *s,
    enum qt_queue queue, const char *hash)
{
	struct qt_logdir *e, *other, *none;
	size_t at = find(d, s, queue, hash, &e);

	if (e != NULL)
		return e->fd;
	e = new_entry(d, s, queue, hash);
	while (e != NULL) {
		none = NULL;
		if (atomic_compare_exchange_strong(&d->slot[at], &none, e))
			return e->fd;
		at = find(d, s, queue, hash, &other);
		if (other == NULL)
			continue;
		/* another thread was faster */
		free_entry(e);
		(void)atomic_fetch_sub(&d->n, 1);
		return other->fd;
	}
	return -1;
}

int qt_logdirs_open(struct qt_logdirs *d, const struct qt_spool *s,
    enum qt_queue queue, const char *id, bool *refused)
{
	char path[HASH_SIZE + QT_QUEUE_ID_MAX + 1], hash[HASH_SIZE];
	size_t len = strlen(id), n;
	struct stat st;
	int fd;

	if (s->qfd[queue] < 0) {
		errno = ENOENT;
		return -1;
	}
	if (s->depth[queue] == 0)
		return qt_open_file_as(s->qfd[queue], id, refused);
	if (len > QT_QUEUE_ID_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	qt_queue_id_hash(id, s->depth[queue], hash, sizeof hash);
	n = strlen(hash);
	memcpy(path, hash, n);
	memcpy(path + n, id, len + 1);
	fd = directory(d, s, queue, hash);
	if (fd >= 0) {
		fd = qt_open_file_as(fd, id, refused);
		/* not there, or is it the directory that is not? */
		if (fd >= 0 || errno != ENOENT ||
		    (fstatat(s->qfd[queue], path, &st,
			AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT))
			return fd;
	}
	return qt_open_file_below(s->qfd[queue], path);
}
