/*
 * fsops.c - the table of file-system-changing calls, on the real system.
 */
#include "change/fsops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * None of these calls has done anything when it says EINTR (a rename on a
 * network file system might have: it then says ENOENT at the second try, which
 * callers take as "look again").
 */
#define RETRY(result, call) \
	do \
		(result) = (call); \
	while ((result) < 0 && errno == EINTR)

static int sys_create(void *ctx, int dir, const char *path, int flags,
    mode_t mode)
{
	int r;

	(void)ctx;
	RETRY(r, openat(dir, path, flags | O_CREAT, mode));
	return r;
}

static ssize_t sys_write(void *ctx, int fd, const void *buf, size_t len)
{
	ssize_t r;

	(void)ctx;
	RETRY(r, write(fd, buf, len));
	return r;
}

static ssize_t sys_pwrite(void *ctx, int fd, const void *buf, size_t len,
    off_t offset)
{
	ssize_t r;

	(void)ctx;
	RETRY(r, pwrite(fd, buf, len, offset));
	return r;
}

static int sys_ftruncate(void *ctx, int fd, off_t len)
{
	int r;

	(void)ctx;
	RETRY(r, ftruncate(fd, len));
	return r;
}

static int sys_fallocate(void *ctx, int fd, off_t offset, off_t len)
{
	int r;

	(void)ctx;
	RETRY(r, fallocate(fd, 0, offset, len));
	return r;
}

static int sys_fdatasync(void *ctx, int fd)
{
	int r;

	(void)ctx;
	RETRY(r, fdatasync(fd));
	return r;
}

static int sys_fsync(void *ctx, int fd)
{
	int r;

	(void)ctx;
	RETRY(r, fsync(fd));
	return r;
}

static int sys_syncfs(void *ctx, int fd)
{
	int r;

	(void)ctx;
	RETRY(r, syncfs(fd));
	return r;
}

static int sys_mkdir(void *ctx, int dir, const char *path, mode_t mode)
{
	int r;

	(void)ctx;
	RETRY(r, mkdirat(dir, path, mode));
	return r;
}

static int sys_chown(void *ctx, int dir, const char *path, uid_t uid, gid_t gid)
{
	int r;

	(void)ctx;
	RETRY(r, fchownat(dir, path, uid, gid, AT_SYMLINK_NOFOLLOW));
	return r;
}

static int sys_chmod(void *ctx, int fd, mode_t mode)
{
	int r;

	(void)ctx;
	RETRY(r, fchmod(fd, mode));
	return r;
}

static struct timespec time_to_set(int64_t ns)
{
	struct timespec t = {.tv_nsec = UTIME_OMIT};

	if (ns == QT_FSOPS_NOW)
		t.tv_nsec = UTIME_NOW;
	if (ns == QT_FSOPS_NOW || ns == QT_FSOPS_KEEP)
		return t;
	t.tv_sec = (time_t)(ns / 1000000000);
	t.tv_nsec = (long)(ns % 1000000000);
	if (t.tv_nsec < 0) { /* before 1970 */
		t.tv_sec--;
		t.tv_nsec += 1000000000;
	}
	return t;
}

static int sys_utime(void *ctx, int dir, const char *path, int64_t atime_ns,
    int64_t mtime_ns)
{
	const struct timespec t[2] = {time_to_set(atime_ns),
	    time_to_set(mtime_ns)};
	int r;

	(void)ctx;
	RETRY(r, utimensat(dir, path, t, AT_SYMLINK_NOFOLLOW));
	return r;
}

static int sys_rename(void *ctx, int fromdir, const char *from, int todir,
    const char *to)
{
	int r;

	(void)ctx;
	RETRY(r, renameat2(fromdir, from, todir, to, RENAME_NOREPLACE));
	return r;
}

static int sys_unlink(void *ctx, int dir, const char *path)
{
	int r;

	(void)ctx;
	RETRY(r, unlinkat(dir, path, 0));
	return r;
}

static int sys_rmdir(void *ctx, int dir, const char *path)
{
	int r;

	(void)ctx;
	RETRY(r, unlinkat(dir, path, AT_REMOVEDIR));
	return r;
}

const struct qt_fsops qt_fsops_system = {
    .create = sys_create,
    .write = sys_write,
    .pwrite = sys_pwrite,
    .ftruncate = sys_ftruncate,
    .fallocate = sys_fallocate,
    .fdatasync = sys_fdatasync,
    .fsync = sys_fsync,
    .syncfs = sys_syncfs,
    .mkdir = sys_mkdir,
    .chown = sys_chown,
    .chmod = sys_chmod,
    .utime = sys_utime,
    .rename = sys_rename,
    .unlink = sys_unlink,
    .rmdir = sys_rmdir,
};

int qt_fsops_fail(struct qt_error *err, const char *call, const char *where)
{
	(void)qt_fail_sys(err, call, where);
	if (err != NULL && err->code != QT_E_NOMEM)
		err->code = QT_E_SYS;
	return -1;
}
