/*
 * fsops.h - every call by which qtool changes a file system, as one table.
 *
 * All code of this layer that creates, writes, renames, unlinks or syncs goes
 * through it, so that a test can put a model with volatile and durable names,
 * errors and kills underneath.  Reading calls (fstatat, read, readdir) are made
 * directly.
 *
 * Each function is the system call of that name: a non-negative result or -1
 * with errno; EINTR is dealt with inside.
 */
#ifndef CHANGE_FSOPS_H
#define CHANGE_FSOPS_H

#include <stdint.h>
#include <sys/types.h>

#include "qtool/error.h"

#define QT_FSOPS_NOW INT64_MIN
#define QT_FSOPS_KEEP INT64_MAX

struct qt_fsops {
	void *ctx; /* first argument of each */
	/* O_CREAT opens; the caller adds O_CLOEXEC and O_NOFOLLOW */
	int (*create)(void *ctx, int dir, const char *path, int flags,
	    mode_t mode);
	ssize_t (*write)(void *ctx, int fd, const void *buf, size_t len);
	ssize_t (*pwrite)(void *ctx, int fd, const void *buf, size_t len,
	    off_t offset);
	int (*ftruncate)(void *ctx, int fd, off_t len);
	/* grows the file; NULL where no blocks can be reserved */
	int (*fallocate)(void *ctx, int fd, off_t offset, off_t len);
	int (*fdatasync)(void *ctx, int fd);
	int (*fsync)(void *ctx, int fd); /* files and directories */
	int (*syncfs)(void *ctx, int fd);
	int (*mkdir)(void *ctx, int dir, const char *path, mode_t mode);
	int (*chown)(void *ctx, int dir, const char *path, uid_t uid,
	    gid_t gid); /* of the name itself, no link followed */
	int (*chmod)(void *ctx, int fd, mode_t mode); /* fchmod */
	/* ns since the epoch, QT_FSOPS_NOW the clock's, QT_FSOPS_KEEP as it is */
	int (*utime)(void *ctx, int dir, const char *path, int64_t atime_ns,
	    int64_t mtime_ns);
	/* renameat2(RENAME_NOREPLACE): there is no other rename here */
	int (*rename)(void *ctx, int fromdir, const char *from, int todir,
	    const char *to);
	int (*unlink)(void *ctx, int dir, const char *path);
	int (*rmdir)(void *ctx, int dir, const char *path);
};

extern const struct qt_fsops qt_fsops_system;

/*
 * A call failed and the run stops: as qt_fail_sys(), but QT_E_SYS also for
 * ENOENT, ESTALE, EACCES and EPERM, so that nobody above takes a missing plan
 * or a refused directory for a message that is gone.
 */
int qt_fsops_fail(struct qt_error *err, const char *call, const char *where);

#endif
