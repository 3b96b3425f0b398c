/*
 * newfile.c - a new file that has its name when it is complete.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "qtool/snapshot.h"

static int fail(const char *call, const struct qt_newfile *f,
    struct qt_error *err)
{
	int sys = errno;

	(void)qt_fail(err, QT_E_SYS, f->path, "%s: %s", call, strerror(sys));
	if (err != NULL)
		err->sys = sys;
	return -1;
}

static int exists(const struct qt_newfile *f, struct qt_error *err)
{
	return qt_fail(err, QT_E_REFUSED, f->path,
	    "it exists already and is not overwritten");
}

/* The directory opened, the last component in f->name. */
static int open_dir(struct qt_newfile *f, struct qt_error *err)
{
	const char *slash = strrchr(f->path, '/');
	const char *name = slash != NULL ? slash + 1 : f->path;
	char *dir;

	if (name[0] == '\0' || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return qt_fail(err, QT_E_USAGE, f->path,
		    "a file name is wanted, not a directory");
	dir = slash == NULL ? strdup(".") : slash == f->path ? strdup("/") :
	    strndup(f->path, (size_t)(slash - f->path));
	f->name = strdup(name);
	if (dir != NULL)
		f->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (dir == NULL || f->name == NULL)
		return qt_fail_mem(err);
	return f->dirfd >= 0 ? 0 : fail("open its directory", f, err);
}

static int create(struct qt_newfile *f, struct qt_error *err)
{
	uint64_t r;
	int i;

	for (i = 0; i < 100 && f->fd < 0; i++) {
		free(f->tmp);
		f->tmp = NULL;
		if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r)
			return fail("getrandom", f, err);
		/* cut, so that the name fits where NAME alone does */
		if (asprintf(&f->tmp, "%.200s.%016llx.tmp", f->name,
			(unsigned long long)r) < 0) {
			f->tmp = NULL;
			return qt_fail_mem(err);
		}
		f->fd = openat(f->dirfd, f->tmp, O_RDWR | O_CREAT | O_EXCL |
		    O_NOFOLLOW | O_CLOEXEC, 0600);
		if (f->fd < 0 && errno != EEXIST)
			break;
	}
	if (f->fd >= 0)
		return 0;
	(void)fail("create", f, err);
	free(f->tmp);
	f->tmp = NULL;
	return -1;
}

int qt_newfile_open(struct qt_newfile *f, const char *path,
    struct qt_error *err)
{
	struct stat st;

	*f = (struct qt_newfile){.dirfd = -1, .fd = -1, .path = path};
	if (open_dir(f, err) != 0)
		return -1;
	if (fstatat(f->dirfd, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return exists(f, err);
	if (errno != ENOENT)
		return fail("stat", f, err);
	return create(f, err);
}

/* Nothing is replaced. */
static int give_name(struct qt_newfile *f, struct qt_error *err)
{
	if (renameat2(f->dirfd, f->tmp, f->dirfd, f->name,
		RENAME_NOREPLACE) == 0)
		return 0;
	/* NFS and some others know no flags; a link replaces nothing either */
	if ((errno == EINVAL || errno == ENOSYS) &&
	    linkat(f->dirfd, f->tmp, f->dirfd, f->name, 0) == 0) {
		(void)unlinkat(f->dirfd, f->tmp, 0);
		return 0;
	}
	return errno == EEXIST ? exists(f, err) : fail("rename", f, err);
}

int qt_newfile_publish(struct qt_newfile *f, struct qt_error *err)
{
	if (fchmod(f->fd, 0400) != 0)
		return fail("chmod", f, err);
	if (fsync(f->fd) != 0)
		return fail("fsync", f, err);
	if (give_name(f, err) != 0)
		return -1;
	free(f->tmp);
	f->tmp = NULL;
	if (fsync(f->dirfd) == 0 || errno == EINVAL)
		return 0;
	(void)fail("fsync", f, err);
	(void)unlinkat(f->dirfd, f->name, 0);
	return -1;
}

void qt_newfile_release(struct qt_newfile *f)
{
	if (f == NULL)
		return;
	if (f->tmp != NULL)
		(void)unlinkat(f->dirfd, f->tmp, 0);
	qt_close_quiet(&f->fd);
	qt_close_quiet(&f->dirfd);
	free(f->tmp);
	free(f->name);
	*f = (struct qt_newfile){.dirfd = -1, .fd = -1};
}
