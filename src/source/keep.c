/*
 * keep.c - a file's own bytes, with its sum, as one moment had them.
 *
 * Delivery agents mark recipients done inside a queue file, bounce(8) appends
 * to a log.  Size and modification time before and after the read have to
 * agree, and neither may be of the last moments, in which a write does not
 * show.
 */
#include "source/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "source/staged.h"

#define KEEP_MAX ((int64_t)1 << 20) /* larger files are read one at a time */
#define TICKS_NS (20 * 1000 * 1000)

bool qt_keep_recent(const struct stat *st)
{
	struct timespec now;
	int64_t age;

	if (clock_gettime(CLOCK_REALTIME_COARSE, &now) != 0)
		return false;
	if (now.tv_sec - st->st_ctim.tv_sec > 1)
		return false;
	age = (int64_t)(now.tv_sec - st->st_ctim.tv_sec) * 1000000000 +
	    now.tv_nsec - st->st_ctim.tv_nsec;
	/* a little ahead: fine-grained time against the coarse clock's; much:
	 * the clock was set back, and waiting would not help */
	return age > -TICKS_NS && age < TICKS_NS;
}

static bool same_content(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int64_t qt_keep_btime(int fd)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &x) != 0 ||
	    (x.stx_mask & STATX_BTIME) == 0)
		return 0;
	return x.stx_btime.tv_sec * 1000000000LL + x.stx_btime.tv_nsec;
}

void qt_keep_handle(int fd, struct qt_file_handle *h)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + QT_FILE_HANDLE_MAX];
	} u;
	int mount;

	h->len = 0;
	u.h.handle_bytes = QT_FILE_HANDLE_MAX;
	/* whatever it fails with: there is none to be told */
	if (name_to_handle_at(fd, "", &u.h, &mount, AT_EMPTY_PATH) != 0 ||
	    u.h.handle_bytes > QT_FILE_HANDLE_MAX)
		return;
	h->type = u.h.handle_type;
	h->len = u.h.handle_bytes;
	memcpy(h->bytes, u.h.f_handle, h->len);
}

int qt_keep_begin(struct qt_row *row)
{
	row->kept = qt_arena_alloc(&row->arena, sizeof *row->kept);
	if (row->kept == NULL)
		return -1;
	memset(row->kept, 0, sizeof *row->kept);
	row->kept->fd = -1;
	return 0;
}

/* The sums of a file's bytes, while the processor has them. */
static int sum(struct qt_loader *l, struct qt_kept_file *f, const void *bytes,
    size_t len, struct qt_arena *arena, struct qt_error *err)
{
	unsigned char *sum512;

	if (l->sha == NULL && qt_sha256_new(&l->sha, err) != 0)
		return -1;
	if (qt_sha256_bytes(l->sha, bytes, len, f->sum, err) != 0)
		return -1;
	if ((l->plan->want & QT_WANT_SHA512) == 0)
		return 0;
	sum512 = qt_arena_alloc(arena, 64);
	if (sum512 == NULL)
		return qt_fail_mem(err);
	f->sum512 = sum512;
	return qt_sha512_bytes(l->sha, bytes, len, sum512, err);
}

int qt_keep_file(struct qt_loader *l, struct qt_kept_file *f, int fd,
    const struct stat *st, struct qt_arena *arena, struct qt_error *err)
{
	size_t size = (size_t)st->st_size;
	struct stat after;
	ssize_t got;
	char *data;

	if (!S_ISREG(st->st_mode) || st->st_size > KEEP_MAX)
		return 0;
	/* one byte more than there should be tells that it has grown */
	data = qt_arena_alloc(arena, size + 1);
	if (data == NULL)
		return qt_fail_mem(err);
	do /* at once: what is less than asked for is the end */
		got = pread(fd, data, size + 1, 0);
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)size || fstat(fd, &after) != 0 ||
	    !same_content(st, &after) || qt_keep_recent(&after))
		return 0;
	if (sum(l, f, data, size, arena, err) != 0)
		return -1;
	data[size] = '\0';
	f->data = (const unsigned char *)data;
	f->len = size;
	f->st = after;
	f->have = true;
	return 0;
}

int qt_keep_open(struct qt_loader *l, struct qt_kept_file *f, int fd,
    struct qt_arena *arena, struct qt_error *err)
{
	struct stat st;

	return fstat(fd, &st) == 0 ?
	    qt_keep_file(l, f, fd, &st, arena, err) : 0;
}

/* As the archive has it; it does not change. */
static int keep_bytes(struct qt_loader *l, struct qt_kept_file *f,
    const unsigned char *bytes, size_t len, struct qt_arena *arena,
    struct qt_error *err)
{
	if (sum(l, f, bytes, len, arena, err) != 0)
		return -1;
	f->data = len != 0 ? bytes : (const unsigned char *)"";
	f->len = len;
	f->have = true;
	f->st.st_size = (off_t)len;
	return 0;
}

/* The archive tells the times of a message, and nothing of its logs. */
static void stat_held(struct qt_kept_file *f, const struct qt_row *row)
{
	f->st.st_dev = row->dev;
	f->st.st_ino = row->ino;
	f->st.st_mode = row->mode;
	f->st.st_uid = row->uid;
	f->st.st_gid = row->gid;
	f->st.st_nlink = row->nlink;
	f->st.st_mtim.tv_sec = row->mtime_ns / 1000000000;
	f->st.st_mtim.tv_nsec = row->mtime_ns % 1000000000;
	f->st.st_ctim.tv_sec = row->ctime_ns / 1000000000;
	f->st.st_ctim.tv_nsec = row->ctime_ns % 1000000000;
}

int qt_keep_held(struct qt_loader *l, struct qt_scan_row *r,
    struct qt_error *err)
{
	static const enum qt_queue kinds[] = {QT_Q_DEFER, QT_Q_BOUNCE,
	    QT_Q_TRACE};
	const struct qt_held *h = &r->held;
	struct qt_kept *kept;
	unsigned i, k, at;

	if (qt_keep_begin(&r->row) != 0)
		return qt_fail_mem(err);
	kept = r->row.kept;
	if (h->have && h->fd < 0) {
		if (keep_bytes(l, &kept->message, h->bytes, h->len,
			&r->row.arena, err) != 0)
			return -1;
		stat_held(&kept->message, &r->row);
	}
	for (i = 0; i < QT_KEPT_LOGS; i++)
		kept->log[i].absent = true;
	for (i = 0; i < h->nlogs; i++) {
		for (k = 0; k < 3 && kinds[k] != h->log[i].kind; k++)
			;
		for (at = 0; k < 3 && at < QT_STAGED_LOGS &&
		    !kept->log[k * QT_STAGED_LOGS + at].absent; at++)
			;
		if (k == 3 || at == QT_STAGED_LOGS)
			continue;
		kept->log[k * QT_STAGED_LOGS + at].absent = false;
		if (keep_bytes(l, &kept->log[k * QT_STAGED_LOGS + at],
			h->bytes + h->log[i].at, h->log[i].len, &r->row.arena,
			err) != 0)
			return -1;
		kept->log[k * QT_STAGED_LOGS + at].st.st_mtim =
		    (struct timespec){.tv_sec = r->row.mtime_ns / 1000000000};
	}
	return 0;
}
