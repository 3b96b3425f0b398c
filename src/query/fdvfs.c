/*
 * fdvfs.c - SQLite's calls for files, on one descriptor (sqlite.org/vfs.html).
 */
#include "query/fdvfs.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

struct fdfile {
	sqlite3_file base; /* first: SQLite's view of it */
	struct fdvfs *v;
};

static int fd_close(sqlite3_file *f)
{
	(void)f; /* the descriptor is the caller's */
	return SQLITE_OK;
}

static int fd_read(sqlite3_file *f, void *buf, int len, sqlite3_int64 offset)
{
	const struct fdfile *file = (const struct fdfile *)f;
	size_t got;

	if (qt_pread_all(file->v->fd, buf, (size_t)len, (off_t)offset,
		&got) != 0)
		return SQLITE_IOERR_READ;
	if (got == (size_t)len)
		return SQLITE_OK;
	memset((char *)buf + got, 0, (size_t)len - got);
	return SQLITE_IOERR_SHORT_READ;
}

static int fd_write(sqlite3_file *f, const void *buf, int len,
    sqlite3_int64 offset)
{
	const struct fdfile *file = (const struct fdfile *)f;

	if (qt_pwrite_all(file->v->fd, buf, (size_t)len, (off_t)offset) == 0)
		return SQLITE_OK;
	file->v->write_errno = errno;
	return errno == ENOSPC || errno == EDQUOT ? SQLITE_FULL :
	    SQLITE_IOERR_WRITE;
}

static int fd_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	const struct fdfile *file = (const struct fdfile *)f;

	return ftruncate(file->v->fd, (off_t)size) == 0 ? SQLITE_OK :
	    SQLITE_IOERR_TRUNCATE;
}

static int fd_sync(sqlite3_file *f, int flags)
{
	(void)f;
	(void)flags; /* who publishes the file does that */
	return SQLITE_OK;
}

static int fd_size(sqlite3_file *f, sqlite3_int64 *size)
{
	const struct fdfile *file = (const struct fdfile *)f;
	struct stat st;

	if (fstat(file->v->fd, &st) != 0)
		return SQLITE_IOERR_FSTAT;
	*size = st.st_size;
	return SQLITE_OK;
}

/* Nobody else has it. */
static int fd_lock(sqlite3_file *f, int level)
{
	(void)f;
	(void)level;
	return SQLITE_OK;
}

static int fd_reserved(sqlite3_file *f, int *out)
{
	(void)f;
	*out = 0;
	return SQLITE_OK;
}

static int fd_control(sqlite3_file *f, int op, void *arg)
{
	(void)f;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int fd_sector(sqlite3_file *f)
{
	(void)f;
	return 0;
}

static int fd_device(sqlite3_file *f)
{
	(void)f;
	return 0;
}

static const sqlite3_io_methods methods = {
	.iVersion = 1, /* no shared memory, no mapping */
	.xClose = fd_close,
	.xRead = fd_read,
	.xWrite = fd_write,
	.xTruncate = fd_truncate,
	.xSync = fd_sync,
	.xFileSize = fd_size,
	.xLock = fd_lock,
	.xUnlock = fd_lock,
	.xCheckReservedLock = fd_reserved,
	.xFileControl = fd_control,
	.xSectorSize = fd_sector,
	.xDeviceCharacteristics = fd_device,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f,
    int flags, int *out_flags)
{
	struct fdvfs *v = (struct fdvfs *)vfs;
	struct fdfile *file = (struct fdfile *)f;

	if ((flags & SQLITE_OPEN_MAIN_DB) != 0) {
		file->v = v;
		file->base.pMethods = &methods;
		if (out_flags != NULL)
			*out_flags = flags;
		return SQLITE_OK;
	}
	f->pMethods = NULL;
	if (name != NULL) /* a journal: there is none */
		return SQLITE_CANTOPEN;
	return v->real->xOpen(v->real, name, f, flags, out_flags);
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	(void)name;
	(void)sync;
	return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	(void)vfs;
	(void)name;
	(void)flags;
	*out = 0;
	return SQLITE_OK;
}

static int vfs_full(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	(void)vfs;
	(void)snprintf(out, (size_t)size, "%s", name);
	return SQLITE_OK;
}

static int vfs_random(sqlite3_vfs *vfs, int len, char *out)
{
	const struct fdvfs *v = (const struct fdvfs *)vfs;

	return v->real->xRandomness(v->real, len, out);
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	const struct fdvfs *v = (const struct fdvfs *)vfs;

	return v->real->xSleep(v->real, us);
}

static int vfs_time(sqlite3_vfs *vfs, double *now)
{
	const struct fdvfs *v = (const struct fdvfs *)vfs;

	return v->real->xCurrentTime(v->real, now);
}

int fdvfs_open(struct fdvfs *v, sqlite3 **sql, int fd, bool write,
    struct qt_error *err)
{
	static atomic_uint count; /* names must differ, no more */
	int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE :
	    SQLITE_OPEN_READONLY, r;

	*sql = NULL;
	*v = (struct fdvfs){.real = sqlite3_vfs_find(NULL), .fd = fd};
	if (v->real == NULL)
		return qt_fail(err, QT_E_LIBRARY, "sqlite", "no file system");
	(void)snprintf(v->name, sizeof v->name, "qtool-fd-%u",
	    atomic_fetch_add(&count, 1));
	v->vfs = (sqlite3_vfs){.iVersion = 1,
	    .szOsFile = v->real->szOsFile > (int)sizeof(struct fdfile) ?
		v->real->szOsFile : (int)sizeof(struct fdfile),
	    .mxPathname = 512, .zName = v->name, .xOpen = vfs_open,
	    .xDelete = vfs_delete, .xAccess = vfs_access,
	    .xFullPathname = vfs_full, .xRandomness = vfs_random,
	    .xSleep = vfs_sleep, .xCurrentTime = vfs_time};
	r = sqlite3_vfs_register(&v->vfs, 0);
	if (r == SQLITE_OK)
		r = sqlite3_open_v2("snapshot", sql,
		    flags | SQLITE_OPEN_NOMUTEX, v->name);
	if (r == SQLITE_NOMEM)
		return qt_fail_mem(err);
	return r == SQLITE_OK ? 0 : qt_fail(err, QT_E_LIBRARY, "sqlite", "%s",
	    *sql != NULL ? sqlite3_errmsg(*sql) : sqlite3_errstr(r));
}

void fdvfs_close(struct fdvfs *v)
{
	if (v->real != NULL)
		(void)sqlite3_vfs_unregister(&v->vfs);
	v->real = NULL;
}
