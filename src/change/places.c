/*
 * places.c - state directories outside the spool, and the reserve.
 */
#include "change/places.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io.h"
#include "change/field.h"
#include "change/room.h"

#define FILE_NAME "state-dirs"
#define TMP_NAME "state-dirs.tmp"
#define WHERE "qtool/state-dirs"
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void qt_places_release(struct qt_state_dirs *p)
{
	while (p->n > 0) {
		p->n--;
		free(p->v[p->n].path);
		qt_close_quiet(&p->v[p->n].tx);
	}
}

/* ---- the places ---- */

/*
 * The names PATH and PATH/tx are durable: the barrier is the spool's file
 * system, and these may have been made just now on another one.
 */
static int sync_place(const struct qt_fsops *fs, int dir, const char *path,
    struct qt_error *err)
{
	int up = openat(dir, "..", DIR_FLAGS), r = 0;

	if (up < 0)
		return qt_fsops_fail(err, "open", path);
	if (fs->fsync(fs->ctx, dir) != 0 || fs->fsync(fs->ctx, up) != 0)
		r = qt_fsops_fail(err, "fsync", path);
	qt_close_quiet(&up);
	return r;
}

/* PATH/tx in *tx; -1 there when it is not there.  make: then it is made. */
static int open_place(const struct qt_change *c, const char *path, bool make,
    int *tx, struct qt_error *err)
{
	const uid_t whose = c->spool->opened_by;
	const struct qt_fsops *fs = &c->fs;
	int dir = open(path, DIR_FLAGS), r;

	*tx = -1;
	if (dir < 0 && errno == ENOENT && !make)
		return 0;
	if (dir < 0)
		return qt_fsops_fail(err, "open", path);
	r = qt_state_check_dir(dir, path, whose, false, err);
	if (r == 0 && make) {
		r = qt_state_make_dir(fs, dir, QT_STATE_TX, path, tx, err);
		if (r == 0)
			r = sync_place(fs, dir, path, err);
	} else if (r == 0) {
		*tx = openat(dir, QT_STATE_TX, DIR_FLAGS);
		if (*tx < 0 && errno != ENOENT)
			r = qt_fsops_fail(err, "open", path);
		else if (*tx >= 0)
			r = qt_state_check_dir(*tx, path, whose, true, err);
	}
	if (r != 0)
		qt_close_quiet(tx);
	qt_close_quiet(&dir);
	return r;
}

static int add_place(struct qt_change *c, const char *path, bool make,
    struct qt_error *err)
{
	struct qt_state_dirs *p = &c->places;
	char *copy;
	int tx;

	if (p->n == QT_STATE_DIRS_MAX)
		return qt_fail(err, QT_E_STATE, path,
		    "this queue has been used with %d other state "
		    "directories already", QT_STATE_DIRS_MAX);
	if ((copy = strdup(path)) == NULL)
		return qt_fail_mem(err);
	if (open_place(c, path, make, &tx, err) != 0) {
		free(copy);
		return -1;
	}
	p->v[p->n++] = (struct qt_state_dir){.path = copy, .tx = tx};
	return 0;
}

static size_t find_place(const struct qt_state_dirs *p, const char *path)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->v[i].path, path) == 0)
			return i;
	return SIZE_MAX;
}

/* ---- the file ---- */

static int take_line(struct qt_change *c, char *line, size_t len, bool *good,
    struct qt_error *err)
{
	const char *f[2];
	char path[PATH_MAX];

	*good = qt_field_split(line, len, f, 2) == 2 &&
	    strcmp(f[0], "D") == 0 && f[1][0] == '/' &&
	    strlcpy(path, f[1], sizeof(path)) < sizeof(path) &&
	    qt_field_unescape(path);
	if (!*good || find_place(&c->places, path) != SIZE_MAX)
		return 0;
	return add_place(c, path, false, err);
}

static int parse(struct qt_change *c, char *s, size_t len,
    struct qt_error *err)
{
	size_t at, line;
	bool good, bad = false;
	const char *lf;

	for (at = 0; at < len; at += line + 1) {
		lf = memchr(s + at, '\n', len - at);
		line = (lf != NULL ? (size_t)(lf - s) : len) - at;
		if (line == 0)
			continue; /* the rest of the file is all line feeds */
		if (take_line(c, s + at, line, &good, err) != 0)
			return -1;
		if (good && bad)
			return qt_fail(err, QT_E_STATE, WHERE,
			    "is damaged: a bad line before a good one");
		if (good)
			c->places.end = at + line + 1;
		else /* torn: no transaction began there; overwritten */
			bad = true;
	}
	return 0;
}

int qt_places_load(struct qt_change *c, struct qt_error *err)
{
	struct qt_error e = {0};
	struct qt_buf b;
	int r;

	qt_buf_init(&b, 0);
	r = qt_slurp(c->root, FILE_NAME, QT_STATE_DIRS_SIZE, &b, &e);
	if (r == 0 && b.len > 0)
		r = parse(c, b.data, b.len, err);
	else if (r != 0)
		r = e.sys == ENOENT ? 0 : qt_fail(err, QT_E_SYS, WHERE, "%s",
		    e.text);
	qt_buf_release(&b);
	return r;
}

/* The empty file, with its blocks. */
static int make_file(struct qt_change *c, struct qt_error *err)
{
	char fill[QT_STATE_DIRS_SIZE];
	struct stat st;
	int fd, r = 0;

	if (fstatat(c->root, FILE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (errno != ENOENT)
		return qt_fsops_fail(err, "fstatat", WHERE);
	memset(fill, '\n', sizeof(fill));
	if (c->fs.unlink(c->fs.ctx, c->root, TMP_NAME) != 0 && errno != ENOENT)
		return qt_fsops_fail(err, "unlink", WHERE);
	fd = c->fs.create(c->fs.ctx, c->root, TMP_NAME,
	    O_WRONLY | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return qt_fsops_fail(err, "create", WHERE);
	if (c->fs.pwrite(c->fs.ctx, fd, fill, sizeof(fill), 0) !=
	    (ssize_t)sizeof(fill))
		r = qt_fsops_fail(err, "write", WHERE);
	else if (c->fs.fsync(c->fs.ctx, fd) != 0)
		r = qt_fsops_fail(err, "fsync", WHERE);
	qt_close_quiet(&fd);
	if (r == 0 && c->fs.rename(c->fs.ctx, c->root, TMP_NAME, c->root,
		FILE_NAME) != 0)
		r = qt_fsops_fail(err, "rename", WHERE);
	if (r != 0)
		(void)c->fs.unlink(c->fs.ctx, c->root, TMP_NAME);
	else if (c->fs.fsync(c->fs.ctx, c->root) != 0)
		r = qt_fsops_fail(err, "fsync", QT_STATE_NAME);
	return r;
}

/* One more line, durable before anything is planned there. */
static int remember(struct qt_change *c, const char *path,
    struct qt_error *err)
{
	struct qt_buf b;
	int fd, r;

	if (make_file(c, err) != 0) {
		qt_places_need(c, err);
		return -1;
	}
	qt_buf_init(&b, QT_STATE_DIRS_SIZE);
	qt_buf_adds(&b, "D\t");
	qt_field_escape(&b, path);
	qt_field_seal(&b, 0);
	r = qt_buf_check(&b, err);
	if (r == 0 && c->places.end + b.len > QT_STATE_DIRS_SIZE)
		r = qt_fail(err, QT_E_STATE, WHERE, "is full");
	if (r != 0) {
		qt_buf_release(&b);
		return -1;
	}
	fd = openat(c->root, FILE_NAME,
	    O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		r = qt_fsops_fail(err, "open", WHERE);
	else if (c->fs.pwrite(c->fs.ctx, fd, b.data, b.len,
		     (off_t)c->places.end) != (ssize_t)b.len)
		r = qt_fsops_fail(err, "write", WHERE);
	else if (c->fs.fdatasync(c->fs.ctx, fd) != 0)
		r = qt_fsops_fail(err, "fdatasync", WHERE);
	if (r == 0)
		c->places.end += b.len;
	qt_close_quiet(&fd);
	qt_buf_release(&b);
	return r;
}

/* opts.state_dir as an absolute path, malloc'd; ours: it is SPOOL/qtool. */
static int resolve(const struct qt_change *c, char **path, bool *ours,
    struct qt_error *err)
{
	struct stat st, own;

	if ((*path = realpath(c->opts.state_dir, NULL)) == NULL)
		return qt_fsops_fail(err, "realpath", c->opts.state_dir);
	if (stat(*path, &st) != 0 || fstat(c->root, &own) != 0) {
		free(*path);
		return qt_fsops_fail(err, "stat", c->opts.state_dir);
	}
	*ours = st.st_dev == own.st_dev && st.st_ino == own.st_ino;
	return 0;
}

int qt_places_use(struct qt_change *c, struct qt_error *err)
{
	struct qt_state_dirs *p = &c->places;
	char *path;
	size_t i;
	bool ours;
	int r;

	if (c->fs.mkdir(c->fs.ctx, AT_FDCWD, c->opts.state_dir, 0700) != 0 &&
	    errno != EEXIST)
		return qt_fsops_fail(err, "mkdir", c->opts.state_dir);
	if (resolve(c, &path, &ours, err) != 0)
		return -1;
	i = find_place(p, path);
	r = 0;
	if (ours) {
		i = SIZE_MAX;
	} else if (i != SIZE_MAX) {
		qt_close_quiet(&p->v[i].tx);
		r = open_place(c, path, true, &p->v[i].tx, err);
	} else {
		i = p->n;
		r = add_place(c, path, true, err);
		if (r == 0)
			r = remember(c, path, err);
	}
	if (r == 0)
		c->place = i;
	free(path);
	return r;
}

int qt_places_look(struct qt_change *c, struct qt_error *err)
{
	char *path;
	bool ours;
	int r = 0;

	if (resolve(c, &path, &ours, err) != 0)
		return -1;
	if (!ours && find_place(&c->places, path) == SIZE_MAX)
		r = add_place(c, path, false, err);
	free(path);
	return r;
}

/* ---- the reserve ---- */

/* dir/NAME/0000, where it is missing. */
static int make_pair(const struct qt_fsops *fs, int dir, const char *name,
    const char *bucket)
{
	if ((fs->mkdir(fs->ctx, dir, name, 0700) != 0 && errno != EEXIST) ||
	    (fs->mkdir(fs->ctx, dir, bucket, 0700) != 0 && errno != EEXIST))
		return -1;
	return 0;
}

static int make_pairs(const struct qt_fsops *fs, int dir)
{
	return make_pair(fs, dir, "m", "m/0000") != 0 ||
		make_pair(fs, dir, "x", "x/0000") != 0 ? -1 : 0;
}

/* Of a directory with make_pairs(), or part of it, nothing stays. */
static void remove_pairs(const struct qt_fsops *fs, int dir)
{
	static const char *const names[] = {"x/0000", "x", "m/0000", "m"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)fs->rmdir(fs->ctx, dir, names[i]);
}

static void keep_spare(struct qt_change *c)
{
	int fd = openat(c->root, QT_STATE_SPARE, DIR_FLAGS);

	if (fd < 0 && errno == ENOENT &&
	    c->fs.mkdir(c->fs.ctx, c->root, QT_STATE_SPARE, 0700) == 0)
		fd = openat(c->root, QT_STATE_SPARE, DIR_FLAGS);
	/* made last */
	if (fd >= 0 && faccessat(fd, "x/0000", F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		(void)make_pairs(&c->fs, fd);
	qt_close_quiet(&fd);
}

void qt_places_reserve(struct qt_change *c)
{
	struct qt_error ignored = {0};

	keep_spare(c);
	if (make_file(c, &ignored) == 0) /* else remember() says so */
		qt_room_keep(c);
}

/* How many of some names are missing in a directory. */
static unsigned missing(int dir, const char *const *names, size_t n)
{
	unsigned gone = 0;
	size_t i;

	for (i = 0; i < n; i++)
		gone += dir < 0 || faccessat(dir, names[i], F_OK,
		    AT_SYMLINK_NOFOLLOW) != 0;
	return gone;
}

/*
 * What is still to be made: of qtool's directory, of what is in it, and, as a
 * spare one would do, of a transaction's.
 */
void qt_places_need(const struct qt_change *c, struct qt_error *err)
{
	static const char *const names[] = {"lock", FILE_NAME, QT_STATE_TX,
	    QT_STATE_SPARE, QT_STATE_SPARE "/m", QT_STATE_SPARE "/m/0000",
	    QT_STATE_SPARE "/x", QT_STATE_SPARE "/x/0000"};
	struct statfs fs;
	unsigned long long block, blocks;
	unsigned inodes, dirs;
	char hint[200];

	if (err == NULL || fstatfs(c->spool->dirfd, &fs) != 0)
		return;
	inodes = (c->root < 0) + missing(c->root, names,
	    sizeof(names) / sizeof(names[0]));
	dirs = inodes - missing(c->root, names, 2);
	block = fs.f_bsize > 0 ? (unsigned long long)fs.f_bsize : 4096;
	blocks = dirs + missing(c->root, names + 1, 1) *
	    ((QT_STATE_DIRS_SIZE + block - 1) / block);
	(void)snprintf(hint, sizeof(hint), "what qtool keeps on the queue's "
	    "file system needs %u inodes and %llu KiB more: free them first, "
	    "with postsuper -d of %llu messages say", inodes,
	    blocks * block / 1024, blocks > inodes ? blocks : inodes);
	qt_room_hint(err, hint);
}

/*
 * One made now; 1: the name is taken.  Nothing stays of a failure, and *call is
 * what failed.
 */
static int make_fresh(struct qt_change *c, const char *name, const char **call)
{
	int fd, sys;

	*call = "mkdir";
	if (c->fs.mkdir(c->fs.ctx, c->tx, name, 0700) != 0)
		return errno == EEXIST ? 1 : -1;
	if ((fd = openat(c->tx, name, DIR_FLAGS)) >= 0 &&
	    make_pairs(&c->fs, fd) == 0) {
		qt_close_quiet(&fd);
		return 0;
	}
	sys = errno;
	if (fd < 0)
		*call = "open";
	else
		remove_pairs(&c->fs, fd);
	qt_close_quiet(&fd);
	(void)c->fs.rmdir(c->fs.ctx, c->tx, name);
	errno = sys;
	return -1;
}

/* The spare one, which may be only part of one. */
static int use_spare(struct qt_change *c, const char *name,
    struct qt_error *err)
{
	int fd, r = 0;

	if (qt_room_rename(c, c->root, QT_STATE_SPARE, c->tx, name) != 0) {
		if (errno == EEXIST)
			return 1;
		if (errno != ENOENT)
			return qt_fsops_fail(err, "rename", "qtool/spare");
		errno = ENOSPC; /* which is why we are here */
		(void)qt_fsops_fail(err, "mkdir", "qtool/tx");
		qt_places_need(c, err);
		return -1;
	}
	if ((fd = openat(c->tx, name, DIR_FLAGS)) < 0)
		return qt_fsops_fail(err, "open", "qtool/tx");
	if (make_pairs(&c->fs, fd) != 0) {
		r = qt_fsops_fail(err, "mkdir", "qtool/tx");
		(void)qt_places_give_back(c, name);
		qt_places_need(c, err);
	}
	qt_close_quiet(&fd);
	return r;
}

int qt_places_new_tx(struct qt_change *c, const char *name,
    struct qt_error *err)
{
	const char *call;
	int r = make_fresh(c, name, &call);

	if (r >= 0)
		return r;
	/* where a plan has to be written next to it, it would be of no use */
	if (qt_room_none(errno) && c->place != SIZE_MAX)
		return use_spare(c, name, err);
	return qt_fsops_fail(err, call, "qtool/tx");
}

bool qt_places_has_spare(const struct qt_change *c)
{
	return faccessat(c->root, QT_STATE_SPARE, F_OK,
		   AT_SYMLINK_NOFOLLOW) == 0;
}

bool qt_places_give_back(struct qt_change *c, const char *name)
{
	return qt_room_rename(c, c->tx, name, c->root, QT_STATE_SPARE) == 0;
}
