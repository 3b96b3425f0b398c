/*
 * newdir.c - a directory of new files that appears whole or not at all.
 *
 * The process that names it holds the directories by descriptors from before
 * any mail was read, and is told one word: that it is complete.  When its judge
 * ends without that, however it ends, it removes what is there.
 */
#include "newdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the process ---- */

/* The directory that path is in, opened. */
static int open_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL ? strdup(".") :
	    slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	int fd = dir != NULL ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	free(dir);
	return fd;
}

/* Whether that is the directory that was made: who owns the one around it can
 * put another there. */
static bool is_it(const struct newdir *d, const char *path)
{
	struct stat made, is;

	return fstat(d->fd, &made) == 0 && lstat(path, &is) == 0 &&
	    made.st_dev == is.st_dev && made.st_ino == is.st_ino;
}

static int name_it(struct newdir *d, struct qt_error *err)
{
	static const char changed[] =
	    "is not what was made: somebody changes this directory";
	int fd = open_parent(d->path), r = 0;

	if (fd < 0)
		return qt_fail_sys(err, "open", d->path);
	/* looked at before, as it would get the name, and after, as it may be
	 * another one by then */
	if (!is_it(d, d->tmp))
		r = qt_fail(err, QT_E_REFUSED, d->tmp, "%s", changed);
	else if (renameat2(AT_FDCWD, d->tmp, AT_FDCWD, d->path,
		     RENAME_NOREPLACE) != 0)
		r = errno == EEXIST ?
		    qt_fail(err, QT_E_REFUSED, d->path,
			"exists already and is not overwritten") :
		    qt_fail_sys(err, "rename", d->path);
	else if (!is_it(d, d->path))
		r = qt_fail(err, QT_E_REFUSED, d->path, "%s", changed);
	else
		d->done = true; /* whether it is durable or not */
	if (r == 0 && fsync(fd) != 0)
		r = qt_fail_sys(err, "fsync", d->path);
	(void)close(fd);
	return r;
}

static int obey(void *ctx, char *bytes, size_t len, struct qt_buf *answer,
    struct qt_error *err)
{
	struct newdir *d = ctx;

	(void)answer;
	if (len != 1 || bytes[0] != 'n' || d->done)
		return qt_fail(err, QT_E_LIBRARY, d->path, "no order");
	return name_it(d, err);
}

/* The files in a directory that nobody else writes to. */
static void empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	const struct dirent *e;

	if (dir == NULL && copy >= 0)
		(void)close(copy);
	while (dir != NULL && (e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			(void)unlinkat(fd, e->d_name, 0);
	if (dir != NULL)
		(void)closedir(dir);
}

static void remove_it(void *ctx)
{
	struct newdir *d = ctx;

	if (d->done)
		return;
	empty(d->sub_fd);
	(void)unlinkat(d->fd, d->sub, AT_REMOVEDIR);
	empty(d->fd);
	(void)rmdir(d->tmp);
}

/* ---- before the roles are taken ---- */

static int make_tmp(struct newdir *d, struct qt_error *err)
{
	size_t len = strlen(d->path);
	uint64_t r;
	int i;

	for (i = 0; i < 100; i++) {
		if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
			return qt_fail_sys(err, "getrandom", "");
		free(d->tmp);
		d->tmp = NULL;
		if (asprintf(&d->tmp, "%.*s.%016llx.tmp", (int)len, d->path,
			(unsigned long long)r) < 0) {
			d->tmp = NULL;
			return qt_fail_mem(err);
		}
		if (mkdir(d->tmp, 0700) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	(void)qt_fail_sys(err, "mkdir", d->path);
	free(d->tmp);
	d->tmp = NULL;
	return -1;
}

static int open_it(struct newdir *d, struct qt_error *err)
{
	struct stat st;

	d->fd = open(d->tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->fd < 0)
		return qt_fail_sys(err, "open", d->path);
	/* who owns the directory around it was quicker */
	if (fstat(d->fd, &st) != 0 || st.st_uid != geteuid() ||
	    (st.st_mode & 077) != 0)
		return qt_fail(err, QT_E_REFUSED, d->tmp,
		    "is not what was made: somebody changes this directory");
	if (mkdirat(d->fd, d->sub, 0700) != 0)
		return qt_fail_sys(err, "mkdir", d->path);
	d->sub_fd = openat(d->fd, d->sub,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return d->sub_fd >= 0 ? 0 : qt_fail_sys(err, "open", d->path);
}

int newdir_start(struct newdir *d, const char *path, const char *sub,
    struct qt_error *err)
{
	const size_t len = strlen(path);
	struct stat st;

	*d = NEWDIR_NONE;
	d->path = path;
	d->sub = sub;
	if (len == 0 || path[len - 1] == '/')
		return qt_fail(err, QT_E_USAGE, "--output",
		    "the name of a new directory is wanted, without a / behind");
	if (lstat(path, &st) == 0)
		return qt_fail(err, QT_E_REFUSED, path,
		    "exists already and is not overwritten");
	if (errno != ENOENT)
		return qt_fail_sys(err, "stat", path);
	if (make_tmp(d, err) != 0)
		return -1;
	if (open_it(d, err) != 0 ||
	    errand_start(&d->errand, "qtool-report", obey, remove_it, d,
		err) != 0) {
		remove_it(d);
		return -1;
	}
	return 0;
}

/* ---- the judge's side ---- */

int newdir_put(struct newdir *d, const char *name, const void *bytes,
    size_t len, struct qt_error *err)
{
	const char *slash = strchr(name, '/'), *p = bytes;
	const int dir = slash != NULL ? d->sub_fd : d->fd;
	ssize_t n = 0;
	int fd, r = 0;

	fd = openat(dir, slash != NULL ? slash + 1 : name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return qt_fail_sys(err, "create", name);
	for (; len != 0 && n >= 0; p += n, len -= (size_t)n) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			n = 0;
	}
	if (n < 0)
		r = qt_fail_sys(err, "write", name);
	if (close(fd) != 0 && r == 0)
		r = qt_fail_sys(err, "close", name);
	return r;
}

int newdir_finish(struct newdir *d, struct qt_error *err)
{
	struct qt_buf answer;
	int r;

	/* all at once: there may be thousands of small files */
	if (syncfs(d->fd) != 0)
		return qt_fail_sys(err, "syncfs", d->path);
	qt_buf_init(&answer, 0);
	r = errand_run(&d->errand, "n", 1, &answer, err);
	qt_buf_release(&answer);
	d->done = r == 0;
	return r;
}

static void close_all(struct newdir *d)
{
	if (d->fd >= 0)
		(void)close(d->fd);
	if (d->sub_fd >= 0)
		(void)close(d->sub_fd);
	free(d->tmp);
}

void newdir_release(struct newdir *d)
{
	errand_release(&d->errand);
	close_all(d);
	*d = NEWDIR_NONE;
}
