/*
 * find.c - a message that has to be somewhere, looked for by its inode.
 *
 * Postfix itself may give a message another name: postsuper renames one whose
 * queue ID is not that of its inode, and puts a damaged one into corrupt.  This
 * reads whole queues, so it is asked last and seldom.
 */
#include "change/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "source/below.h"

struct hunt {
	struct qt_change *c;
	const struct qt_plan_item *it;
	char dir[QT_PLAN_PATH_SIZE]; /* the one being read */
	int fd;			     /* of dir */
	char *path;		     /* where it was found */
};

static int read_dir(struct hunt *h, const char *dir, struct qt_error *err);

/* One name of a directory: 1 it is the message. */
static int each_name(void *ctx, const char *name, struct qt_error *err)
{
	struct hunt *h = ctx;
	char path[QT_PLAN_PATH_SIZE];
	struct stat st;

	if (fstatat(h->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 :
		    qt_fsops_fail(err, "fstatat", h->dir);
	if (strlcpy(path, h->dir, sizeof(path)) >= sizeof(path) ||
	    strlcat(path, "/", sizeof(path)) >= sizeof(path) ||
	    strlcat(path, name, sizeof(path)) >= sizeof(path))
		return 0; /* no name of Postfix's is that long */
	if (S_ISDIR(st.st_mode)) /* of a hashed queue: one letter each */
		return strlen(name) == 1 && strlen(path) <= QT_PLAN_DIR_MAX ?
		    read_dir(h, path, err) : 0;
	if (st.st_ino != h->it->ino || st.st_dev != h->c->spool->dev)
		return 0;
	(void)strlcpy(h->path, path, QT_PLAN_PATH_SIZE);
	return 1;
}

static int read_dir(struct hunt *h, const char *dir, struct qt_error *err)
{
	struct hunt below = *h;
	int r;

	below.fd = qt_open_dir_below(h->c->spool->dirfd, dir);
	if (below.fd < 0)
		return errno == ENOENT ? 0 : qt_fsops_fail(err, "open", dir);
	(void)strlcpy(below.dir, dir, sizeof(below.dir));
	r = qt_state_each(below.fd, dir, each_name, &below, err);
	qt_close_quiet(&below.fd);
	return r;
}

int qt_stage_find(struct qt_change *c, const struct qt_plan_item *it,
    char path[QT_PLAN_PATH_SIZE], struct qt_error *err)
{
	struct hunt h = {.c = c, .it = it, .fd = -1, .path = path};
	enum qt_queue q;
	int r = 0;

	for (q = 0; q < QT_Q_MESSAGES && r == 0; q++)
		r = read_dir(&h, qt_queue_name(q), err);
	return r < 0 ? -1 : r == 0;
}
