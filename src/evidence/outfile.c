/*
 * outfile.c - the archive's file.
 *
 * The bytes go to a temporary name in the same directory; only when all of
 * them are on disk does the file get its name, by a rename that replaces
 * nothing.  FILE.sha256, a line that sha256sum -c reads, is published after
 * it, and when that fails the archive goes too: an archive is there with its
 * sum or not at all.  (After a crash between the two renames it is there
 * without the sum, which is complete evidence all the same.)
 */
#include "evidence/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "evidence/spill.h"

#define SIDECAR ".sha256"

/* The directory part of path, opened; *name gets the last component. */
static int open_dir(struct qt_outfile *o, struct qt_error *err)
{
	const char *slash = strrchr(o->path, '/');
	const char *name = slash != NULL ? slash + 1 : o->path;
	const char *p;
	char *dir;

	if (name[0] == '\0' || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return qt_fail(err, QT_E_USAGE, o->path,
		    "a file name is wanted, not a directory");
	/* sha256sum marks such names in a way of its own: keep it plain */
	for (p = name; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 127 || *p == '\\')
			return qt_fail(err, QT_E_USAGE, "--output",
			    "a control character or backslash in the file name");
	o->name = strdup(name);
	dir = slash == NULL ? strdup(".") :
	    slash == o->path ? strdup("/") :
	    strndup(o->path, (size_t)(slash - o->path));
	if (o->name == NULL || dir == NULL) {
		free(dir);
		return qt_fail_mem(err);
	}
	o->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->dirfd < 0) {
		(void)qt_fail_own(err, "open", dir);
		free(dir);
		return -1;
	}
	free(dir);
	return 0;
}

static int must_not_exist(const struct qt_outfile *o, const char *name,
    struct qt_error *err)
{
	struct stat st;

	if (fstatat(o->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return qt_fail(err, QT_E_REFUSED, o->path,
		    "%s exists already and is not overwritten", name);
	if (errno != ENOENT)
		return qt_fail_own(err, "stat", o->path);
	return 0;
}

static char *sidecar_name(const struct qt_outfile *o)
{
	char *s;

	return asprintf(&s, "%s%s", o->name, SIDECAR) < 0 ? NULL : s;
}

/* A new file "NAME.RANDOM.tmp" beside NAME; *tmp is the caller's to free. */
static int create_tmp(const struct qt_outfile *o, int *fd, char **tmp,
    struct qt_error *err)
{
	uint64_t r;
	char *name;
	int f, i;

	for (i = 0; i < 100; i++) {
		if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r) {
			(void)qt_fail_own(err, "getrandom", "");
			return -1;
		}
		/* cut, so that the name fits where NAME alone does */
		if (asprintf(&name, "%.200s.%016llx.tmp", o->name,
			(unsigned long long)r) < 0) {
			(void)qt_fail_mem(err);
			return -1;
		}
		f = openat(o->dirfd, name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (f >= 0) {
			*fd = f;
			*tmp = name;
			return 0;
		}
		free(name);
		if (errno != EEXIST)
			break;
	}
	(void)qt_fail_own(err, "create", o->path);
	return -1;
}

/* Standard output: temporary files need a directory of their own. */
static int open_stdout(struct qt_outfile *o, struct qt_error *err)
{
	const char *dirs[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	size_t i;

	if (isatty(STDOUT_FILENO))
		return qt_fail(err, QT_E_REFUSED, "standard output",
		    "an archive is not written to a terminal");
	o->fd = STDOUT_FILENO;
	for (i = 0; i < sizeof dirs / sizeof *dirs && o->dirfd < 0; i++)
		if (dirs[i] != NULL && dirs[i][0] == '/')
			o->dirfd = open(dirs[i],
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (o->dirfd < 0)
		return qt_fail_own(err, "open", "/tmp");
	return 0;
}

int qt_outfile_open(struct qt_outfile *o, const char *path,
    const volatile sig_atomic_t *stop, struct qt_error *err)
{
	char *sidecar;
	int r;

	*o = (struct qt_outfile){.dirfd = -1, .fd = -1, .stop = stop};
	if (qt_digest_init(&o->sha, err) != 0)
		return -1;
	o->path = strdup(path);
	if (o->path == NULL)
		return qt_fail_mem(err);
	if (strcmp(path, "-") == 0)
		return open_stdout(o, err);
	if (open_dir(o, err) != 0 || must_not_exist(o, o->name, err) != 0)
		return -1;
	sidecar = sidecar_name(o);
	if (sidecar == NULL)
		return qt_fail_mem(err);
	r = must_not_exist(o, sidecar, err);
	free(sidecar);
	if (r != 0)
		return -1;
	return create_tmp(o, &o->fd, &o->tmp, err);
}

int qt_outfile_write(struct qt_outfile *o, const void *bytes, size_t len,
    struct qt_error *err)
{
	const char *p = bytes;
	ssize_t n;

	qt_digest_add(&o->sha, bytes, len);
	/* not qt_write_all: Ctrl-C must end a write that a pipe blocks */
	while (len != 0) {
		if (o->stop != NULL && *o->stop)
			return qt_fail(err, QT_E_INTERRUPTED, o->path,
			    "interrupted, no archive was made");
		n = write(o->fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = ENOSPC;
			return qt_fail_own(err, "write",
			    o->name != NULL ? o->path : "standard output");
		}
		p += n;
		len -= (size_t)n;
		o->bytes += (uint64_t)n;
	}
	return 0;
}

/* Give tmp its name unless something has it: 0, or negative and tmp stays. */
static int rename_new(const struct qt_outfile *o, const char *tmp,
    const char *name, struct qt_error *err)
{
	if (renameat2(o->dirfd, tmp, o->dirfd, name, RENAME_NOREPLACE) == 0)
		return 0;
	/* NFS and some others know no flags; a link replaces nothing either */
	if (errno == EINVAL || errno == ENOSYS) {
		if (linkat(o->dirfd, tmp, o->dirfd, name, 0) == 0) {
			(void)unlinkat(o->dirfd, tmp, 0);
			return 0;
		}
	}
	if (errno == EEXIST)
		return qt_fail(err, QT_E_REFUSED, o->path,
		    "%s has appeared meanwhile and is not overwritten", name);
	return qt_fail_own(err, "rename", o->path);
}

/* Content complete and on disk, read-only. */
static int settle(int fd, const char *where, struct qt_error *err)
{
	if (fchmod(fd, 0400) != 0)
		return qt_fail_own(err, "chmod", where);
	if (fsync(fd) != 0)
		return qt_fail_own(err, "fsync", where);
	return 0;
}

/* FILE.sha256 under a temporary name, which is the caller's to free. */
static int write_sidecar(const struct qt_outfile *o, char **tmp,
    struct qt_error *err)
{
	char *line, *name = NULL;
	int fd = -1, r;

	if (asprintf(&line, "%s  %s\n", o->sha256, o->name) < 0) {
		(void)qt_fail_mem(err);
		return -1;
	}
	r = create_tmp(o, &fd, &name, err);
	if (r == 0 && qt_write_all(fd, line, strlen(line)) != 0)
		r = qt_fail_own(err, "write", o->path);
	if (r == 0)
		r = settle(fd, o->path, err);
	free(line);
	if (fd >= 0)
		(void)close(fd);
	if (r != 0 && name != NULL) {
		(void)unlinkat(o->dirfd, name, 0);
		free(name);
		name = NULL;
	}
	*tmp = name;
	return r;
}

/* Both renames and the directory, or neither name. */
static int reveal(struct qt_outfile *o, const char *sidecar_tmp,
    const char *sidecar, struct qt_error *err)
{
	if (rename_new(o, o->tmp, o->name, err) != 0)
		return -1;
	if (rename_new(o, sidecar_tmp, sidecar, err) != 0) {
		(void)unlinkat(o->dirfd, o->name, 0);
		return -1;
	}
	if (fsync(o->dirfd) != 0 && errno != EINVAL) {
		(void)qt_fail_own(err, "fsync", o->path);
		(void)unlinkat(o->dirfd, o->name, 0);
		(void)unlinkat(o->dirfd, sidecar, 0);
		return -1;
	}
	free(o->tmp);
	o->tmp = NULL;
	return 0;
}

static int publish_file(struct qt_outfile *o, struct qt_error *err)
{
	char *sidecar = sidecar_name(o), *sidecar_tmp = NULL;
	int r = -1;

	if (sidecar == NULL)
		return qt_fail_mem(err);
	if (settle(o->fd, o->path, err) == 0 &&
	    write_sidecar(o, &sidecar_tmp, err) == 0) {
		r = reveal(o, sidecar_tmp, sidecar, err);
		if (r != 0)
			(void)unlinkat(o->dirfd, sidecar_tmp, 0);
	}
	free(sidecar_tmp);
	free(sidecar);
	return r;
}

int qt_outfile_publish(struct qt_outfile *o, struct qt_error *err)
{
	unsigned char sum[QT_SHA256_SIZE];

	if (qt_digest_final(&o->sha, sum, err) != 0)
		return -1;
	qt_digest_hex(sum, o->sha256);
	if (o->name == NULL)
		return 0;
	return publish_file(o, err);
}

/* Whether the name is still that of our open file. */
static bool still_ours(const struct qt_outfile *o)
{
	struct stat a, b;

	return fstat(o->fd, &a) == 0 &&
	    fstatat(o->dirfd, o->name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	    a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

int qt_outfile_withdraw(struct qt_outfile *o, struct qt_error *err)
{
	char *sidecar;
	int r = 0;

	if (o->name == NULL || o->tmp != NULL || !still_ours(o))
		return 0;
	sidecar = sidecar_name(o);
	if (sidecar == NULL)
		return qt_fail_mem(err);
	/* the sum last: without it a file that stays would look unfinished */
	if (unlinkat(o->dirfd, o->name, 0) != 0 ||
	    (unlinkat(o->dirfd, sidecar, 0) != 0 && errno != ENOENT) ||
	    (fsync(o->dirfd) != 0 && errno != EINVAL))
		r = qt_fail_own(err, "unlink", o->path);
	free(sidecar);
	return r;
}

void qt_outfile_release(struct qt_outfile *o)
{
	if (o == NULL)
		return;
	if (o->tmp != NULL)
		(void)unlinkat(o->dirfd, o->tmp, 0);
	if (o->fd >= 0 && o->name != NULL)
		(void)close(o->fd);
	if (o->dirfd >= 0)
		(void)close(o->dirfd);
	free(o->tmp);
	free(o->name);
	free(o->path);
	qt_digest_release(&o->sha);
	*o = (struct qt_outfile){.dirfd = -1, .fd = -1};
}
