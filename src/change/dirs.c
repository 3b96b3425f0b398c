/*
 * dirs.c - open directories of the queues.
 */
#include "change/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "source/below.h"

#define TMP_NAME "dir.tmp"

void qt_dirs_init(struct qt_dirs *d)
{
	*d = (struct qt_dirs){.n = 0};
}

void qt_dirs_forget(struct qt_dirs *d)
{
	while (d->n > 0)
		qt_close_quiet(&d->v[--d->n].fd);
}

/* An empty place for one more directory: the one not used for longest. */
static size_t place_for(struct qt_dirs *d)
{
	size_t i, oldest = 0;

	if (d->n < QT_DIRS_OPEN)
		return d->n++;
	for (i = 1; i < d->n; i++)
		if (d->v[i].used < d->v[oldest].used)
			oldest = i;
	qt_close_quiet(&d->v[oldest].fd);
	return oldest;
}

/* "deferred/A" of "deferred/A/ID"; false when it is longer than we handle. */
static bool dir_of(const char *path, char dir[QT_DIRS_PATH], const char **name)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;

	if (len == 0 || len >= QT_DIRS_PATH)
		return false;
	memcpy(dir, path, len);
	dir[len] = '\0';
	*name = slash + 1;
	return true;
}

int qt_dirs_get(struct qt_dirs *d, const struct qt_spool *spool,
    const char *path, int *fd, const char **name, struct qt_error *err)
{
	char dir[QT_DIRS_PATH];
	const char *last;
	size_t i;
	int new;

	if (!dir_of(path, dir, &last))
		return qt_fail(err, QT_E_USAGE, path, "too deep a directory");
	for (i = 0; i < d->n && strcmp(d->v[i].path, dir) != 0; i++)
		;
	if (i == d->n) {
		new = qt_open_dir_below(spool->dirfd, dir);
		if (new < 0 && errno == ENOENT)
			return 1;
		if (new < 0)
			return qt_fsops_fail(err, "open", dir);
		i = place_for(d);
		(void)strlcpy(d->v[i].path, dir, sizeof(d->v[i].path));
		d->v[i].fd = new;
	}
	d->v[i].used = ++d->clock;
	*fd = d->v[i].fd;
	*name = last;
	return 0;
}

static int sync_dir(const struct qt_fsops *fs, int up, const char *name,
    const char *where, struct qt_error *err)
{
	int fd = openat(up, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return qt_fsops_fail(err, "open", where);
	if (fs->fsync(fs->ctx, fd) != 0)
		r = qt_fsops_fail(err, "fsync", where);
	qt_close_quiet(&fd);
	return r;
}

/*
 * One directory that is missing in parent.  It has its owner durably before it
 * is there, as nobody would give it one later, and it is there durably before
 * anything is in it: a power cut that took its rename back and kept that of a
 * message would leave the message where nobody looks.
 */
static int make_one(const struct qt_fsops *fs, const struct qt_spool *spool,
    int tmpdir, int parent, const char *name, const char *where,
    struct qt_error *err)
{
	/* what an interrupted run left: empty, as nobody else comes here */
	if (fs->rmdir(fs->ctx, tmpdir, TMP_NAME) != 0 && errno != ENOENT)
		return qt_fsops_fail(err, "rmdir", TMP_NAME);
	if (fs->mkdir(fs->ctx, tmpdir, TMP_NAME, 0700) != 0)
		return qt_fsops_fail(err, "mkdir", where);
	if (geteuid() == 0 && fs->chown(fs->ctx, tmpdir, TMP_NAME,
		spool->owner_uid, spool->owner_gid) != 0)
		return qt_fsops_fail(err, "chown", where);
	if (sync_dir(fs, tmpdir, TMP_NAME, where, err) != 0)
		return -1;
	if (fs->rename(fs->ctx, tmpdir, TMP_NAME, parent, name) == 0)
		return sync_dir(fs, parent, ".", where, err) != 0 ||
			sync_dir(fs, tmpdir, ".", where, err) != 0 ? -1 : 0;
	if (errno != EEXIST)
		return qt_fsops_fail(err, "rename", where);
	/* Postfix was faster */
	if (fs->rmdir(fs->ctx, tmpdir, TMP_NAME) != 0)
		return qt_fsops_fail(err, "rmdir", TMP_NAME);
	return 0;
}

/* Make what is missing of a directory's path below the spool. */
static int make_all(const struct qt_fsops *fs, const struct qt_spool *spool,
    int tmpdir, const char *dir, struct qt_error *err)
{
	char part[QT_DIRS_PATH], parent[QT_DIRS_PATH] = "";
	size_t len = 0;
	struct stat st;
	int fd, r = 0;

	do {
		len += strcspn(dir + len, "/");
		memcpy(part, dir, len);
		part[len] = '\0';
		if ((fd = qt_open_dir_below(spool->dirfd, parent)) < 0)
			return qt_fsops_fail(err, "open",
			    parent[0] != '\0' ? parent : spool->queue_dir);
		const char *name = part + strlen(parent);

		name += *name == '/';
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
			if (errno != ENOENT)
				r = qt_fsops_fail(err, "fstatat", part);
			else
				r = make_one(fs, spool, tmpdir, fd, name, part,
				    err);
		}
		qt_close_quiet(&fd);
		(void)strlcpy(parent, part, sizeof(parent));
	} while (r == 0 && dir[len++] == '/');
	return r;
}

int qt_dirs_make(struct qt_dirs *d, const struct qt_fsops *fs,
    const struct qt_spool *spool, int tmpdir, const char *path, int *fd,
    const char **name, struct qt_error *err)
{
	char dir[QT_DIRS_PATH];
	const char *last;
	int r = qt_dirs_get(d, spool, path, fd, name, err);

	if (r <= 0)
		return r;
	if (!dir_of(path, dir, &last))
		return qt_fail(err, QT_E_USAGE, path, "too deep a directory");
	if (make_all(fs, spool, tmpdir, dir, err) != 0)
		return -1;
	r = qt_dirs_get(d, spool, path, fd, name, err);
	if (r > 0)
		return qt_fail(err, QT_E_SYS, dir,
		    "the directory is removed as often as it is made");
	return r;
}
