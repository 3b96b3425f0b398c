/*
 * capture.c - reading a file that others may be writing to.
 *
 * Delivery agents mark recipients done inside a queue file, bounce(8) appends
 * to a log, and a hijacked Postfix process may do anything.  A file is read
 * completely before a byte of it goes into the archive, through one
 * descriptor, and size and modification time must be the same before and
 * after; else it is read again, as is a file altered in the last moments, when
 * another write might not show.  The change time is not compared, as qmgr's
 * renames alter it.
 *
 * Small files were read so by the scan's workers already (source/keep.h).
 */
#include "evidence/capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "source/below.h"
#include "source/keep.h"

#define TRIES 8
#define PIECE ((size_t)128 << 10)
#define PAUSE_NS (20 * 1000 * 1000)

void qt_capture_init(struct qt_capture *c, int tmp_dirfd, size_t memory_max)
{
	*c = (struct qt_capture){0};
	qt_spill_init(&c->bytes, tmp_dirfd, memory_max);
}

void qt_capture_release(struct qt_capture *c)
{
	if (c != NULL)
		qt_spill_release(&c->bytes);
}

/* errno of a call on the file itself: what it means for this item. */
static int source_fail(struct qt_error *err, const char *call,
    const char *path)
{
	int sys = errno;

	(void)qt_fail_sys(err, call, path);
	if (err == NULL)
		return -1;
	switch (sys) {
	case ELOOP:
		return qt_fail(err, QT_E_CHANGED, path, "a symbolic link");
	case ENOTDIR:
	case ENXIO:
	case ENODEV:
		/* no directory on the way, a socket, a device: no message */
		err->code = QT_E_CHANGED;
		break;
	case EIO:
	case EUCLEAN:
	case EOVERFLOW:
		/* this file cannot be read, the others may be */
		err->code = QT_E_DENIED;
		break;
	default:
		break;
	}
	return -1;
}

static int identify(int fd, const char *path, const struct qt_identity *id,
    struct stat *st, struct qt_error *err)
{
	if (fstat(fd, st) != 0)
		return source_fail(err, "fstat", path);
	if (!S_ISREG(st->st_mode))
		return qt_fail(err, QT_E_CHANGED, path, "not a regular file");
	if (id != NULL && (st->st_dev != id->dev || st->st_ino != id->ino))
		return qt_fail(err, QT_E_CHANGED, path,
		    "another file has this name now");
	return 0;
}

static bool same_content(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* From the start to the end of file, but no further than size + 1 byte. */
static int read_through(struct qt_capture *c, int fd, const char *path,
    char *piece, struct qt_digest *digest, struct qt_error *err)
{
	uint64_t pos = 0, limit = (uint64_t)c->st.st_size + 1;
	size_t want;
	ssize_t n;

	qt_spill_clear(&c->bytes);
	qt_digest_clear(digest);
	while (pos < limit) {
		want = limit - pos < PIECE ? (size_t)(limit - pos) : PIECE;
		n = pread(fd, piece, want, (off_t)pos);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return source_fail(err, "read", path);
		if (n == 0)
			break;
		qt_digest_add(digest, piece, (size_t)n);
		if (qt_spill_add(&c->bytes, piece, (size_t)n, err) != 0)
			return -1;
		pos += (uint64_t)n;
	}
	return 0;
}

/* c->st is of the open file. */
static int read_still(struct qt_capture *c, int fd, const char *path,
    struct qt_digest *digest, struct qt_error *err)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	char *piece = malloc(PIECE);
	struct stat after;
	int i;

	if (piece == NULL)
		return qt_fail_mem(err);
	for (i = 0; i < TRIES; i++) {
		if (i != 0)
			(void)nanosleep(&pause, NULL);
		if (read_through(c, fd, path, piece, digest, err) != 0)
			break;
		if (fstat(fd, &after) != 0) {
			(void)source_fail(err, "fstat", path);
			break;
		}
		if (same_content(&c->st, &after) && !qt_keep_recent(&after) &&
		    qt_spill_size(&c->bytes) == (uint64_t)after.st_size) {
			free(piece);
			c->st = after;
			return qt_digest_sums(digest, &c->sums, err);
		}
		c->st = after;
	}
	free(piece);
	if (i == TRIES)
		return qt_fail(err, QT_E_CHANGED, path,
		    "it is written to all the time");
	return -1;
}

int qt_capture_fd(struct qt_capture *c, int fd, const char *path,
    const struct qt_identity *id, struct qt_digest *digest,
    struct qt_error *err)
{
	if (identify(fd, path, id, &c->st, err) != 0)
		return -1;
	c->btime_ns = qt_keep_btime(fd);
	qt_keep_handle(fd, &c->handle);
	return read_still(c, fd, path, digest, err);
}

int qt_capture_file(struct qt_capture *c, int dirfd, const char *path,
    const struct qt_identity *id, struct qt_digest *digest,
    struct qt_error *err)
{
	int fd = qt_open_file_below(dirfd, path), r;

	if (fd < 0)
		return source_fail(err, "open", path);
	r = qt_capture_fd(c, fd, path, id, digest, err);
	(void)close(fd);
	return r;
}

int qt_capture_kept(struct qt_capture *c, const struct qt_kept_file *f,
    struct qt_digest *digest, struct qt_error *err)
{
	qt_spill_borrow(&c->bytes, f->data, f->len);
	memcpy(c->sums.of[QT_HASH_SHA256], f->sum, sizeof f->sum);
	c->st = f->st;
	c->btime_ns = f->btime_ns;
	c->handle = f->handle;
	if (f->sum512 != NULL) {
		memcpy(c->sums.of[QT_HASH_SHA512], f->sum512, QT_SUM_MAX);
		return 0;
	}
	if (digest->ctx[QT_HASH_SHA512] == NULL)
		return 0;
	/* it is wanted, and whose scan this was did not ask for it */
	qt_digest_clear(digest);
	qt_digest_add(digest, f->data, f->len);
	return qt_digest_sums(digest, &c->sums, err);
}
