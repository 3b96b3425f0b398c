/*
 * identity.c - whether a name has the message that was judged.
 */
#include "change/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io.h"

static int64_t ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

int qt_identity_handle(int dir, const char *name, struct qt_handle *h,
    const char *where, struct qt_error *err)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + QT_HANDLE_MAX];
	} u;
	int mount;

	u.h.handle_bytes = QT_HANDLE_MAX;
	h->len = 0;
	if (name_to_handle_at(dir, name, &u.h, &mount, 0) == 0) {
		h->type = u.h.handle_type;
		h->len = u.h.handle_bytes;
		memcpy(h->bytes, u.h.f_handle, h->len);
		return 0;
	}
	switch (errno) {
	case ENOENT:
	case ESTALE:
		return 1;
	case EOPNOTSUPP: /* no handles here */
	case EOVERFLOW:	 /* or longer ones than the kernel promises */
	case ENOSYS:	 /* or a container's filter forbids them */
	case EPERM:
		return 0;
	default:
		return qt_fsops_fail(err, "name_to_handle_at", where);
	}
}

bool qt_identity_same(const struct qt_plan *p,
    const struct qt_plan_item *it, const struct qt_handle *now)
{
	struct qt_handle then;

	if (now->len == 0 || !qt_plan_handle(p, it, &then))
		return true; /* nothing to compare: the rest has to do */
	return then.type == now->type && then.len == now->len &&
	    memcmp(then.bytes, now->bytes, now->len) == 0;
}

enum qt_likeness qt_identity_compare(const struct qt_change *c,
    const struct qt_plan_item *it, const struct stat *st, bool with_ctime)
{
	if (!S_ISREG(st->st_mode) || st->st_ino != it->ino ||
	    st->st_dev != c->spool->dev)
		return QT_LIKE_OTHER;
	if (st->st_size != it->size || ns(&st->st_mtim) != it->mtime_ns)
		return QT_LIKE_TOUCHED;
	if (with_ctime && ns(&st->st_ctim) != it->ctime_ns)
		return QT_LIKE_TOUCHED;
	return QT_LIKE_SAME;
}

int qt_identity_stat(struct qt_change *c, const char *path,
    struct stat *st, int *dir, const char **name, struct qt_error *err)
{
	int r = qt_dirs_get(&c->dirs, c->spool, path, dir, name, err);

	if (r != 0)
		return r;
	if (fstatat(*dir, *name, st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return errno == ENOENT ? 1 : qt_fsops_fail(err, "fstatat", path);
}

int qt_identity_path(const struct qt_change *c, enum qt_queue q, const char *id,
    char path[QT_PLAN_PATH_SIZE], struct qt_error *err)
{
	if (qt_spool_path(c->spool, q, id, path, QT_PLAN_PATH_SIZE) != 0)
		return qt_fail(err, QT_E_SYS, id,
		    "its path in the %s queue would be too long",
		    qt_queue_name(q));
	return 0;
}

int qt_identity_note(const struct qt_change *c, struct qt_plan *p, size_t i,
    const struct qt_handle *h, struct qt_error *err)
{
	struct qt_plan_item *it = &p->v[i];
	char path[QT_PLAN_PATH_SIZE];

	if (qt_identity_path(c, (enum qt_queue)it->queue, qt_plan_id(p, it), path,
		err) != 0)
		return -1;
	it->computed = strcmp(path, qt_plan_path(p, it)) == 0;
	return qt_plan_set_handle(p, i, h, err);
}

int qt_identity_ask(const struct qt_change *c, const struct qt_plan *p,
    const struct qt_plan_item *it, enum qt_life *life, struct qt_error *err)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + QT_HANDLE_MAX];
	} u;
	struct qt_handle h;
	struct stat st;
	int fd;

	*life = QT_LIFE_UNKNOWN;
	if (!qt_plan_handle(p, it, &h))
		return 0;
	u.h.handle_type = h.type;
	u.h.handle_bytes = h.len;
	memcpy(u.h.f_handle, h.bytes, h.len);
	fd = open_by_handle_at(c->spool->dirfd, &u.h, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ESTALE || errno == ENOENT)
			*life = QT_LIFE_GONE;
		else if (errno != EPERM && errno != ENOSYS &&
		    errno != EOPNOTSUPP) /* not root: nobody to ask */
			return qt_fsops_fail(err, "open_by_handle_at",
			    qt_plan_path(p, it));
		return 0;
	}
	if (fstat(fd, &st) != 0) {
		(void)qt_fsops_fail(err, "fstat", qt_plan_path(p, it));
		qt_close_quiet(&fd);
		return -1;
	}
	/* unlinked, but an agent has it open: it will not come back */
	*life = st.st_nlink == 0 ? QT_LIFE_GONE : QT_LIFE_ALIVE;
	qt_close_quiet(&fd);
	return 0;
}

/*
 * A write lease is granted for a file that nobody else has open, whatever
 * process and namespace (fcntl(2)).  It is given back at once; should somebody
 * open the file just then, the signal is one that does nothing.
 */
int qt_identity_is_open(int dir, const char *name, const char *where,
    bool *open, struct qt_error *err)
{
	int fd, r = 0;

	*open = false;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : qt_fsops_fail(err, "open", where);
	if (fcntl(fd, F_SETSIG, SIGURG) != 0)
		r = qt_fsops_fail(err, "fcntl(F_SETSIG)", where);
	else if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0)
		(void)fcntl(fd, F_SETLEASE, F_UNLCK); /* closing does, too */
	else
		*open = true; /* EAGAIN; of any other error nobody knows */
	qt_close_quiet(&fd);
	return r;
}

/* The second day of 1970: with relatime (mount(8)), too, reading changes it. */
#define UNREAD_NS (INT64_C(86400) * 1000000000)
#define ZFS_MAGIC UINT32_C(0x2fc12fc1) /* it is not in the kernel's tree */

int qt_identity_mark_unread(struct qt_change *c, int dir, const char *name)
{
	return c->fs.utime(c->fs.ctx, dir, name, UNREAD_NS, QT_FSOPS_KEEP);
}

/*
 * Whether who reads a file leaves a trace: on the file systems that are known to
 * keep access times, unless the mount or the file says not to.  Nothing is read
 * to try it, as who goes on with an interrupted undo looks again.
 */
static int keeps_access_times(int fd, bool *yes, const char *where,
    struct qt_error *err)
{
	static const uint32_t known[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC,
	    BTRFS_SUPER_MAGIC, TMPFS_MAGIC, F2FS_SUPER_MAGIC,
	    OVERLAYFS_SUPER_MAGIC, ZFS_MAGIC};
	struct statfs fs;
	int flags = 0;
	size_t i;

	*yes = false;
	if (fstatfs(fd, &fs) != 0)
		return qt_fsops_fail(err, "fstatfs", where);
	/* where there are no such flags none is set */
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0 && errno != ENOTTY &&
	    errno != EOPNOTSUPP)
		return 0;
	if ((fs.f_flags & ST_NOATIME) != 0 || (flags & FS_NOATIME_FL) != 0)
		return 0;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		*yes = *yes || (uint32_t)fs.f_type == known[i];
	return 0;
}

/* What was never moved has no mark, and an older time than COMMIT, too. */
static int was_read(int fd, const char *where, int64_t since_ns, bool *maybe,
    struct qt_error *err)
{
	struct stat st;
	bool kept;

	if (keeps_access_times(fd, &kept, where, err) != 0)
		return -1;
	if (fstat(fd, &st) != 0)
		return qt_fsops_fail(err, "fstat", where);
	*maybe = !kept || ns(&st.st_atim) >= since_ns;
	return 0;
}

int qt_identity_may_be_read(int dir, const char *name, const char *where,
    int64_t since_ns, bool *maybe, struct qt_error *err)
{
	int fd, r;

	/* what is not open now was read before it was closed, or not at all */
	if (qt_identity_is_open(dir, name, where, maybe, err) != 0)
		return -1;
	if (*maybe)
		return 0;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : qt_fsops_fail(err, "open", where);
	r = was_read(fd, where, since_ns, maybe, err);
	qt_close_quiet(&fd);
	return r;
}
