/*
 * room.c - the blocks that are kept, and their use.
 */
#include "change/room.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/io.h"

#define ROOM_NAME "room"
/*
 * 4,096 messages with a log each make their directories grow by less than
 * 450 KiB, measured on ext4 and xfs with blocks of 1 and 4 KiB.
 */
#define PIECE ((off_t)64 << 10)
#define ROOM_MAX (64 * PIECE) /* for 30,000 messages at once */
#define ROOM_SHARE 128	      /* and this part of a small disk at most */
#define FREE_SHARE 4	      /* and this part of what is free */

bool qt_room_none(int sys)
{
	return sys == ENOSPC || sys == EDQUOT;
}

void qt_room_hint(struct qt_error *err, const char *hint)
{
	char text[sizeof(err->text)];

	if (err == NULL || !qt_room_none(err->sys))
		return;
	(void)strlcpy(text, err->text, sizeof(text));
	(void)snprintf(err->text, sizeof(err->text), "%.150s; %s", text, hint);
}

int qt_room_fail(struct qt_error *err, const char *path)
{
	(void)qt_fsops_fail(err, "rename", path);
	qt_room_hint(err, "so many messages at once need directories that this "
	    "full disk has no room for: take fewer first");
	return -1;
}

/* ---- keeping ---- */

/* Bytes that the file holds, in whole pieces: one that was copied has none. */
static off_t held_by(const struct stat *st)
{
	off_t blocks = (off_t)st->st_blocks * 512;

	return (blocks < st->st_size ? blocks : st->st_size) / PIECE * PIECE;
}

/* What the file should hold on this file system; 0: it needs none. */
static off_t wanted(const struct statfs *fs)
{
	uint64_t share;

	if (fs->f_type == TMPFS_MAGIC) /* its directories take no blocks */
		return 0;
	share = (uint64_t)fs->f_blocks * (uint64_t)fs->f_bsize / ROOM_SHARE;
	return share > (uint64_t)ROOM_MAX ? ROOM_MAX :
	    (off_t)share / PIECE * PIECE;
}

/* Whether so much may be taken from what is free. */
static bool can_spare(const struct statfs *fs, off_t bytes)
{
	return (uint64_t)fs->f_bavail * (uint64_t)fs->f_bsize / FREE_SHARE >=
	    (uint64_t)bytes;
}

static void fill(struct qt_change *c, int fd)
{
	struct statfs fs;
	struct stat st;
	off_t held, want;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    fstatfs(fd, &fs) != 0)
		return;
	held = held_by(&st);
	want = wanted(&fs);
	if (held >= want)
		return;
	if (!can_spare(&fs, want - held)) {
		/* what was ours a moment ago others have not asked for */
		if (want - held > c->given_up)
			want = held + c->given_up;
	}
	c->given_up = 0;
	for (; held < want; held += PIECE)
		if (c->fs.fallocate(c->fs.ctx, fd, held, PIECE) != 0)
			return;
}

void qt_room_keep(struct qt_change *c)
{
	struct statfs fs;
	int fd;

	if (c->fs.fallocate == NULL || fstatfs(c->root, &fs) != 0 ||
	    wanted(&fs) == 0)
		return;
	fd = openat(c->root, ROOM_NAME,
	    O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && can_spare(&fs, PIECE))
		fd = c->fs.create(c->fs.ctx, c->root, ROOM_NAME,
		    O_WRONLY | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		fill(c, fd);
	qt_close_quiet(&fd);
}

/* ---- giving up ---- */

/* One piece, so that others can use its blocks; false: there is none. */
static bool give_up(struct qt_change *c)
{
	int fd = openat(c->root, ROOM_NAME,
	    O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	bool done = false;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		const off_t left = st.st_size > PIECE ? st.st_size - PIECE : 0;

		/* ext4 gives blocks out again when it has written its journal */
		done = c->fs.ftruncate(c->fs.ctx, fd, left) == 0 &&
		    c->fs.syncfs(c->fs.ctx, fd) == 0;
		if (done)
			c->given_up += st.st_size - left;
	}
	qt_close_quiet(&fd);
	return done;
}

int qt_room_rename(struct qt_change *c, int fromdir, const char *from,
    int todir, const char *to)
{
	int sys;

	while (c->fs.rename(c->fs.ctx, fromdir, from, todir, to) != 0) {
		sys = errno;
		if (!qt_room_none(sys) || !give_up(c)) {
			errno = sys;
			return -1;
		}
	}
	return 0;
}
