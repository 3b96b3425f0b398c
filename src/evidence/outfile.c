/*
 * outfile.c - the archive's file.
 *
 * The bytes go to a temporary name in the same directory; only when all of
 * them are on disk does the file get its name, by a rename that replaces
 * nothing.  What belongs beside it (FILE.sha256, a line that sha256sum -c
 * reads; a signature, a key) is written under temporary names too and gets its
 * name right before or after it; when that fails all of them go.  (After a
 * crash between the renames the archive is there without its sum, which is
 * complete evidence all the same.)
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

int qt_outfile_place(struct qt_outfile *o, const char *path,
    const volatile sig_atomic_t *stop, struct qt_error *err)
{
	*o = (struct qt_outfile){.dirfd = -1, .fd = -1, .stop = stop};
	if (qt_digest_init(&o->sha, err) != 0)
		return -1;
	o->path = strdup(path);
	if (o->path == NULL)
		return qt_fail_mem(err);
	if (strcmp(path, "-") == 0)
		return open_stdout(o, err);
	return open_dir(o, err) != 0 ? -1 : must_not_exist(o, o->name, err);
}

int qt_outfile_open(struct qt_outfile *o, const char *path,
    const volatile sig_atomic_t *stop, struct qt_error *err)
{
	if (qt_outfile_place(o, path, stop, err) != 0)
		return -1;
	return o->name != NULL ? create_tmp(o, &o->fd, &o->tmp, err) : 0;
}

int qt_outfile_expect(const struct qt_outfile *o, const char *suffix,
    struct qt_error *err)
{
	char *name;
	int r;

	if (o->name == NULL)
		return 0;
	if (asprintf(&name, "%s%s", o->name, suffix) < 0)
		return qt_fail_mem(err);
	r = must_not_exist(o, name, err);
	free(name);
	return r;
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

int qt_outfile_sum(struct qt_outfile *o, struct qt_error *err)
{
	unsigned char sum[QT_SHA256_SIZE];

	if (qt_digest_final(&o->sha, sum, err) != 0)
		return -1;
	qt_digest_hex(sum, o->sha256);
	return 0;
}

static int write_new(const struct qt_outfile *o, struct qt_sidecar *s,
    const void *bytes, size_t len, struct qt_error *err)
{
	int fd = -1, r = create_tmp(o, &fd, &s->tmp, err);

	if (r == 0 && qt_write_all(fd, bytes, len) != 0)
		r = qt_fail_own(err, "write", o->path);
	if (r == 0)
		r = settle(fd, o->path, err);
	if (fd >= 0)
		(void)close(fd);
	return r;
}

int qt_outfile_beside(struct qt_outfile *o, const char *suffix, bool first,
    const void *bytes, size_t len, struct qt_error *err)
{
	struct qt_sidecar *s = &o->beside[o->nbeside];

	if (o->name == NULL)
		return 0;
	if (o->nbeside == QT_SIDECARS)
		return qt_fail(err, QT_E_STATE, o->path, "too many files");
	*s = (struct qt_sidecar){.first = first};
	o->nbeside++;
	if (asprintf(&s->name, "%s%s", o->name, suffix) < 0) {
		s->name = NULL;
		return qt_fail_mem(err);
	}
	return write_new(o, s, bytes, len, err);
}

static int reveal_beside(struct qt_outfile *o, bool first,
    struct qt_error *err)
{
	struct qt_sidecar *s;
	unsigned i;

	for (i = 0; i < o->nbeside; i++) {
		s = &o->beside[i];
		if (s->first != first)
			continue;
		if (rename_new(o, s->tmp, s->name, err) != 0)
			return -1;
		free(s->tmp);
		s->tmp = NULL;
		s->named = true;
	}
	return 0;
}

static void take_back(struct qt_outfile *o, bool named)
{
	unsigned i;

	if (named)
		(void)unlinkat(o->dirfd, o->name, 0);
	for (i = 0; i < o->nbeside; i++)
		if (o->beside[i].named) {
			(void)unlinkat(o->dirfd, o->beside[i].name, 0);
			o->beside[i].named = false;
		}
}

/* All names and the directory, or none of them. */
static int reveal(struct qt_outfile *o, struct qt_error *err)
{
	bool named = false;

	if (reveal_beside(o, true, err) == 0 &&
	    rename_new(o, o->tmp, o->name, err) == 0) {
		named = true;
		if (reveal_beside(o, false, err) == 0) {
			if (fsync(o->dirfd) == 0 || errno == EINVAL) {
				free(o->tmp);
				o->tmp = NULL;
				return 0;
			}
			(void)qt_fail_own(err, "fsync", o->path);
		}
	}
	take_back(o, named);
	return -1;
}

int qt_outfile_publish(struct qt_outfile *o, struct qt_error *err)
{
	if (o->name == NULL)
		return 0;
	if (settle(o->fd, o->path, err) != 0)
		return -1;
	return reveal(o, err);
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
	unsigned i;
	int r = 0;

	if (o->name == NULL || o->tmp != NULL || !still_ours(o))
		return 0;
	/* the sum last: without it a file that stays would look unfinished */
	if (unlinkat(o->dirfd, o->name, 0) != 0)
		return qt_fail_own(err, "unlink", o->path);
	for (i = o->nbeside; i-- > 0;)
		if (o->beside[i].named &&
		    unlinkat(o->dirfd, o->beside[i].name, 0) != 0 &&
		    errno != ENOENT)
			r = qt_fail_own(err, "unlink", o->path);
	if (fsync(o->dirfd) != 0 && errno != EINVAL)
		r = qt_fail_own(err, "unlink", o->path);
	return r;
}

static void release_beside(struct qt_outfile *o)
{
	unsigned i;

	for (i = 0; i < o->nbeside; i++) {
		if (o->beside[i].tmp != NULL)
			(void)unlinkat(o->dirfd, o->beside[i].tmp, 0);
		free(o->beside[i].tmp);
		free(o->beside[i].name);
	}
}

void qt_outfile_release(struct qt_outfile *o)
{
	if (o == NULL)
		return;
	if (o->tmp != NULL)
		(void)unlinkat(o->dirfd, o->tmp, 0);
	release_beside(o);
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
