/*
 * packed_read.c - the bytes of a message in an archive, and of its logs.
 */
#include "source/packed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "source/sha256.h"

#define KEEP ((size_t)32 << 10) /* of a row's buffer, from row to row */
#define PIECE ((size_t)256 << 10)
#define LOGS_MAX ((size_t)40 << 20) /* of one message */
#define MESSAGE_MAX ((uint64_t)4 << 30)
#define MEMORY_MAX ((uint64_t)256 << 20)

/* ---- a file without a name ---- */

static int unnamed_in(const char *dir)
{
	char path[512];
	int fd, n;

	if (dir == NULL || dir[0] != '/')
		return -1;
	fd = open(dir, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	n = snprintf(path, sizeof path, "%s/qtool.XXXXXX", dir);
	if (n < 0 || (size_t)n >= sizeof path)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

int qt_unnamed(void)
{
	const char *const dirs[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	int fd = -1;
	size_t i;

	for (i = 0; i < sizeof dirs / sizeof dirs[0] && fd < 0; i++)
		fd = unnamed_in(dirs[i]);
	/* no directory may be written to: then it costs memory */
	return fd >= 0 ? fd : memfd_create("qtool", MFD_CLOEXEC);
}

/* ---- views ---- */

int qt_packed_view(struct qt_packed *p, const volatile sig_atomic_t *stop,
    struct qt_tarview **v, struct qt_error *err)
{
	struct qt_tarview *spare = p->spare;

	p->spare = NULL;
	if (spare == NULL && qt_tarview_open(&spare, p->fd,
		p->spool->queue_dir, stop, err) != 0)
		return -1;
	if (p->salvage && qt_tarview_salvage(spare, err) != 0) {
		qt_tarview_close(spare);
		return -1;
	}
	*v = spare;
	return 0;
}

void qt_packed_view_done(struct qt_packed *p, struct qt_tarview *v)
{
	/* look-ups one after the other go on where the last one was */
	if (p->spare == NULL)
		p->spare = v;
	else
		qt_tarview_close(v);
}

/* ---- what a row holds ---- */

void qt_held_clear(struct qt_held *h)
{
	qt_close_quiet(&h->fd);
	if (h->cap > KEEP) {
		free(h->bytes);
		h->bytes = NULL;
		h->cap = 0;
	}
	h->len = 0;
	h->have = false;
	h->sys = 0;
	h->nlogs = 0;
}

void qt_held_release(struct qt_held *h)
{
	qt_held_clear(h);
	free(h->bytes);
	h->bytes = NULL;
	h->cap = 0;
}

static int make_room(struct qt_held *h, size_t len, struct qt_error *err)
{
	size_t cap = h->cap != 0 ? h->cap : 4096;
	unsigned char *v;

	while (cap < len)
		cap *= 2;
	if (cap == h->cap)
		return 0;
	v = realloc(h->bytes, cap);
	if (v == NULL)
		return qt_fail_mem(err);
	h->bytes = v;
	h->cap = cap;
	return 0;
}

static void unreadable(struct qt_held *h, int sys, const char *why)
{
	h->sys = sys;
	h->have = false;
	(void)strlcpy(h->why, why, sizeof h->why);
}

static void say(struct qt_held *h, const struct qt_error *err)
{
	unreadable(h, err->sys != 0 ? err->sys : EIO, err->text);
}

/* A large message into a file of its own. */
static int read_large(struct qt_held *h, struct qt_tarview *v,
    const struct qt_packed_item *it, struct qt_error *err)
{
	unsigned char *piece = malloc(PIECE);
	struct qt_error why;
	uint64_t at;
	size_t n;

	if (piece == NULL)
		return qt_fail_mem(err);
	h->fd = qt_unnamed();
	if (h->fd < 0)
		unreadable(h, errno, "no temporary file can be made");
	for (at = 0; h->sys == 0 && at < it->size; at += n) {
		n = it->size - at < PIECE ? (size_t)(it->size - at) : PIECE;
		if (qt_tarview_read(v, it->offset + at, piece, n, &why) != 0)
			say(h, &why);
		else if (qt_pwrite_all(h->fd, piece, n, (off_t)at) != 0)
			unreadable(h, errno, strerror(errno));
	}
	free(piece);
	h->have = h->sys == 0;
	return 0;
}

static int read_message(struct qt_held *h, struct qt_tarview *v,
    const struct qt_packed_item *it, enum qt_held_how how,
    struct qt_error *err)
{
	struct qt_error why;

	if (it->size > (how == QT_HELD_MEMORY ? MEMORY_MAX : MESSAGE_MAX)) {
		unreadable(h, EFBIG, "larger than can be looked at");
		return 0;
	}
	if (it->size > QT_PACKED_MEMORY && how != QT_HELD_MEMORY)
		return read_large(h, v, it, err);
	if (make_room(h, (size_t)it->size, err) != 0)
		return -1;
	h->have = true;
	h->len = (size_t)it->size;
	if (qt_tarview_read(v, it->offset, h->bytes, h->len, &why) != 0) {
		h->len = 0;
		say(h, &why);
	}
	return 0;
}

static void drop(struct qt_held *h, const char *why)
{
	h->len = 0;
	qt_close_quiet(&h->fd);
	unreadable(h, EIO, why);
}

/* Of a damaged archive: whether they are the bytes that its list tells. */
static int hold_against(struct qt_held *h, const struct qt_packed *p,
    const struct qt_tarview *v, size_t item, struct qt_error *err)
{
	const struct qt_packed_item *it = &p->item[item];
	char is[65], told[65];
	int r;

	if (!h->have)
		return 0;
	if ((it->flags & QT_PACKED_SUM) == 0) {
		if (qt_tarview_sound(v, it->offset, it->size) != it->size)
			drop(h, "out of what is damaged, and no list has the "
			    "sum of its bytes");
		return 0;
	}
	r = h->fd >= 0 ? qt_sha256_fd(p->sha, h->fd, is, err) :
	    qt_sha256_hex(p->sha, h->bytes, h->len, is, err);
	if (r != 0)
		return -1;
	qt_sha256_text(p->sum[item], told);
	if (strcmp(is, told) == 0)
		return 0;
	drop(h, "damaged: its bytes are not those that the archive's list has "
	    "the sum of");
	return 0;
}

/* Likewise a log; negative: memory. */
static int log_is_good(const struct qt_packed *p, const struct qt_tarview *v,
    const struct qt_packed_log *log, const void *bytes, bool *good,
    struct qt_error *err)
{
	char is[65];

	*good = true;
	if (p->salvage && log->sum != 0) {
		if (qt_sha256_hex(p->sha, bytes, log->size, is, err) != 0)
			return -1;
		*good = strcmp(is, qt_packed_name(p, log->sum)) == 0;
	} else if (!log->spilled) {
		*good = qt_tarview_sound(v, log->offset, log->size) ==
		    log->size;
	}
	return 0;
}

/* One log behind what is in bytes; one that cannot be read is none. */
static int read_log(struct qt_held *h, const struct qt_packed *p,
    struct qt_tarview *v, const struct qt_packed_log *log, size_t *used,
    struct qt_error *err)
{
	struct qt_error why;
	size_t got;
	bool good;

	if (*used - h->len + log->size > LOGS_MAX)
		return 0;
	if (make_room(h, *used + log->size, err) != 0)
		return -1;
	if (log->spilled) {
		if (qt_pread_all(p->spill, h->bytes + *used, log->size,
			(off_t)log->offset, &got) != 0 || got != log->size)
			return 0;
	} else if (qt_tarview_read(v, log->offset, h->bytes + *used, log->size,
		       &why) != 0) {
		return 0;
	}
	if (log_is_good(p, v, log, h->bytes + *used, &good, err) != 0)
		return -1;
	if (!good)
		return 0;
	h->log[h->nlogs++] = (struct qt_held_log){
	    (enum qt_queue)log->kind, *used, log->size};
	*used += log->size;
	return 0;
}

int qt_held_read(struct qt_held *h, struct qt_packed *p, struct qt_tarview *v,
    size_t item, enum qt_held_how message, unsigned kinds,
    struct qt_error *err)
{
	const struct qt_packed_item *it = &p->item[item];
	const char *id = qt_packed_name(p, it->id);
	size_t i, used;

	if (message != QT_HELD_NOT && (it->flags & QT_PACKED_FILE) != 0 &&
	    (read_message(h, v, it, message, err) != 0 ||
		hold_against(h, p, v, item, err) != 0))
		return -1;
	used = h->len;
	/* as in a queue: a name in maildrop is not yet that of a message */
	for (i = kinds != 0 ? qt_packed_first_log(p, p->nlog, id) : p->nlog;
	     i < p->nlog && h->nlogs < QT_PACKED_LOGS &&
	     strcmp(qt_packed_name(p, p->log[i].id), id) == 0;
	     i++)
		if ((kinds & QT_Q_BIT(p->log[i].kind)) != 0 &&
		    read_log(h, p, v, &p->log[i], &used, err) != 0)
			return -1;
	return 0;
}
