/*
 * state.c - qtool's own directory in a spool: made, checked, locked.
 */
#include "change/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "change/field.h"
#include "change/places.h"

#define LOCK_POLL_NS 50000000L
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void qt_state_init(struct qt_change *c, const struct qt_spool *spool)
{
	*c = (struct qt_change){.spool = spool, .root = -1, .tx = -1,
	    .lock = -1, .place = SIZE_MAX};
	c->fs = qt_fsops_system;
	qt_dirs_init(&c->dirs);
}

void qt_state_close(struct qt_change *c)
{
	qt_dirs_forget(&c->dirs);
	qt_places_release(&c->places);
	qt_close_quiet(&c->tx);
	qt_close_quiet(&c->root);
	qt_close_quiet(&c->lock); /* the lock goes last */
}

bool qt_state_stopped(const struct qt_change *c)
{
	return c->opts.stop != NULL && *c->opts.stop != 0;
}

int qt_state_barrier(struct qt_change *c, struct qt_error *err)
{
	if (c->fs.syncfs(c->fs.ctx, c->spool->dirfd) != 0)
		return qt_fsops_fail(err, "syncfs", c->spool->queue_dir);
	return 0;
}

int qt_state_check_dir(int fd, const char *where, uid_t whose, bool ours_alone,
    struct qt_error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return qt_fsops_fail(err, "fstat", where);
	if (st.st_uid != whose)
		return qt_fail(err, QT_E_REFUSED, where,
		    "belongs to user %u, not to %u: not trusted; run qtool as "
		    "the user who made it",
		    (unsigned)st.st_uid, (unsigned)whose);
	if ((st.st_mode & (ours_alone ? 077 : 022)) != 0)
		return qt_fail(err, QT_E_REFUSED, where,
		    "others may %s it (mode %04o): not trusted; if nobody "
		    "else has been there, chmod %s it",
		    ours_alone ? "enter or write" : "write",
		    (unsigned)st.st_mode & 07777,
		    ours_alone ? "0700" : "go-w");
	return 0;
}

/* A failed open or mkdir of our own directory, in words that help. */
static int dir_failed(const char *call, const char *where,
    struct qt_error *err)
{
	const int sys = errno;

	switch (sys) {
	case ELOOP:
	case ENOTDIR:
		return qt_fail(err, QT_E_REFUSED, where,
		    "is a link or no directory: not trusted; remove it, qtool "
		    "makes a directory there");
	case EACCES:
	case EPERM:
		(void)qt_fail(err, QT_E_SYS, where,
		    "%s: %s; only root, or the user whose directory it is, "
		    "may do that: run qtool as root", call, strerror(sys));
		if (err != NULL)
			err->sys = sys;
		return -1;
	default:
		return qt_fsops_fail(err, call, where);
	}
}

/* Our own names as a whole path: an admin may have more than one queue. */
static int name_queue(const struct qt_change *c, struct qt_error *err)
{
	char path[sizeof(err->where)];

	if (err == NULL || strncmp(err->where, QT_STATE_NAME,
		sizeof(QT_STATE_NAME) - 1) != 0)
		return -1;
	if (snprintf(path, sizeof(path), "%s/%s", c->spool->queue_dir,
		err->where) < (int)sizeof(path))
		(void)strlcpy(err->where, path, sizeof(err->where));
	return -1;
}

int qt_state_make_dir(const struct qt_fsops *fs, int parent, const char *name,
    const char *where, int *fd, struct qt_error *err)
{
	int new = openat(parent, name, DIR_FLAGS);

	if (new < 0 && errno == ENOENT) {
		if (fs->mkdir(fs->ctx, parent, name, 0700) != 0 &&
		    errno != EEXIST)
			return dir_failed("mkdir", where, err);
		new = openat(parent, name, DIR_FLAGS);
	}
	if (new < 0)
		return dir_failed("open", where, err);
	if (qt_state_check_dir(new, where, geteuid(), true, err) != 0) {
		qt_close_quiet(&new);
		return -1;
	}
	*fd = new;
	return 0;
}

/* ---- who may, and one at a time ---- */

int qt_change_allowed(const struct qt_spool *spool, struct qt_error *err)
{
	uid_t me = geteuid();

	if (me == 0 || me == spool->owner_uid)
		return 0;
	return qt_fail(err, QT_E_REFUSED, spool->queue_dir,
	    "changing this queue needs root, or its owner %s (user %u)",
	    spool->mail_owner != NULL ? spool->mail_owner : "",
	    (unsigned)spool->owner_uid);
}

/*
 * Wait for the lock by looking again and again: a blocking flock() could not
 * be ended by Ctrl-C where signals restart system calls.
 */
static int take_lock(struct qt_change *c, struct qt_error *err)
{
	const struct timespec pause = {0, LOCK_POLL_NS};

	for (;;) {
		if (flock(c->lock, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return qt_fsops_fail(err, "flock", "qtool/lock");
		if (errno == EWOULDBLOCK && c->opts.no_wait) {
			(void)qt_fail(err, QT_E_REFUSED, "qtool/lock",
			    "another qtool is changing this queue: try again "
			    "when it has ended");
			if (err != NULL)
				err->sys = EWOULDBLOCK;
			return -1;
		}
		if (qt_state_stopped(c))
			return qt_fail(err, QT_E_INTERRUPTED, "qtool/lock",
			    "interrupted while waiting for another qtool");
		(void)nanosleep(&pause, NULL);
	}
}

static int open_lock(struct qt_change *c, struct qt_error *err)
{
	struct stat st;

	c->lock = c->fs.create(c->fs.ctx, c->root, "lock",
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (c->lock < 0)
		return qt_fsops_fail(err, "open", "qtool/lock");
	if (fstat(c->lock, &st) != 0)
		return qt_fsops_fail(err, "fstat", "qtool/lock");
	if (!S_ISREG(st.st_mode))
		return qt_fail(err, QT_E_REFUSED, "qtool/lock",
		    "is not a regular file");
	return take_lock(c, err);
}

static int open_own(struct qt_change *c, struct qt_error *err)
{
	if (qt_state_make_dir(&c->fs, c->spool->dirfd, QT_STATE_NAME,
		QT_STATE_NAME, &c->root, err) != 0 ||
	    open_lock(c, err) != 0 ||
	    qt_state_make_dir(&c->fs, c->root, QT_STATE_TX, "qtool/tx", &c->tx,
		err) != 0)
		return -1;
	return qt_places_load(c, err);
}

int qt_state_open(struct qt_change *c, struct qt_error *err)
{
	if (qt_change_allowed(c->spool, err) != 0)
		return -1;
	if (open_own(c, err) != 0) {
		qt_places_need(c, err);
		return name_queue(c, err);
	}
	qt_places_reserve(c);
	return c->opts.state_dir == NULL ? 0 : qt_places_use(c, err);
}

static int open_own_readonly(struct qt_change *c, struct qt_error *err)
{
	c->root = openat(c->spool->dirfd, QT_STATE_NAME, DIR_FLAGS);
	if (c->root < 0)
		return errno == ENOENT ? 1 :
		    dir_failed("open", QT_STATE_NAME, err);
	if (qt_state_check_dir(c->root, QT_STATE_NAME, c->spool->opened_by,
		true, err) != 0)
		return -1;
	c->tx = openat(c->root, QT_STATE_TX, DIR_FLAGS);
	if (c->tx < 0)
		return errno == ENOENT ? 1 : dir_failed("open", "qtool/tx", err);
	return qt_places_load(c, err);
}

int qt_state_open_readonly(struct qt_change *c, struct qt_error *err)
{
	int r = open_own_readonly(c, err);

	if (r != 0)
		return r < 0 ? name_queue(c, err) : r;
	return c->opts.state_dir == NULL ? 0 : qt_places_look(c, err);
}

/* ---- transaction numbers ---- */

void qt_state_tx_name(uint64_t id, char name[QT_TX_NAME_SIZE])
{
	(void)snprintf(name, QT_TX_NAME_SIZE, "%06llu",
	    (unsigned long long)id);
}

uint64_t qt_state_tx_id(const char *name)
{
	char again[QT_TX_NAME_SIZE];
	uint64_t id;

	if (!qt_field_u64(name + strspn(name, "0"), UINT64_MAX - 1, &id))
		return 0;
	qt_state_tx_name(id, again);
	return strcmp(name, again) == 0 ? id : 0;
}

int qt_state_each(int dir, const char *where,
    int (*fn)(void *ctx, const char *name, struct qt_error *err), void *ctx,
    struct qt_error *err)
{
	int fd = openat(dir, ".", DIR_FLAGS), r = 0;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *e;

	if (d == NULL) {
		(void)qt_fsops_fail(err, "open", where);
		qt_close_quiet(&fd);
		return -1;
	}
	while (r == 0) {
		errno = 0;
		if ((e = readdir(d)) == NULL) {
			/* a failed read is not the end of the directory */
			if (errno != 0)
				r = qt_fsops_fail(err, "getdents64", where);
			break;
		}
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = fn(ctx, e->d_name, err);
	}
	(void)closedir(d);
	return r;
}

struct ids {
	uint64_t *v;
	size_t n, cap;
};

static int add_id(void *ctx, const char *name, struct qt_error *err)
{
	struct ids *ids = ctx;
	uint64_t id = qt_state_tx_id(name), *v;

	if (id == 0)
		return 0; /* not ours to judge: it is left alone */
	if (ids->n == ids->cap) {
		size_t cap = ids->cap == 0 ? 32 : 2 * ids->cap;

		if ((v = reallocarray(ids->v, cap, sizeof(*v))) == NULL)
			return qt_fail_mem(err);
		ids->v = v;
		ids->cap = cap;
	}
	ids->v[ids->n++] = id;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int qt_state_tx_ids(const struct qt_change *c, uint64_t **ids, size_t *n,
    struct qt_error *err)
{
	struct ids all = {0};

	if (qt_state_each(c->tx, "qtool/tx", add_id, &all, err) != 0) {
		free(all.v);
		return -1;
	}
	if (all.n > 0)
		qsort(all.v, all.n, sizeof(*all.v), by_number);
	*ids = all.v;
	*n = all.n;
	return 0;
}
