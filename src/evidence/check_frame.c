/*
 * check_frame.c - the tar between its files: headers, padding, the end.
 *
 * No sum in the archive covers these bytes.  But the writer (tarstream.c, by
 * libarchive) has one way to write each: a ustar header that path, length and
 * time decide, zeros up to the next block, and zeros behind the last.  So what
 * differs was changed, or written by another program.
 */
#include "evidence/check.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK 512u
#define NAME_SIZE 100u
#define PREFIX_SIZE 155u
#define SIZE_MAX_OCTAL (((uint64_t)1 << 33) - 1)
#define PIECE ((size_t)64 << 10)

struct frame {
	struct qt_check *c;
	struct qt_tarview *view;
	unsigned char *buf; /* PIECE bytes */
	uint64_t end;	    /* of the bytes of the last file */
};

static uint64_t padded(uint64_t n)
{
	return (n + BLOCK - 1) / BLOCK * BLOCK;
}

/* Where libarchive cuts a path that is too long for the name field. */
static const char *cut(const char *path, size_t len)
{
	const char *p = strchr(path + len - NAME_SIZE - 1, '/');

	return p == path ? strchr(path + 1, '/') : p;
}

static bool put_path(unsigned char *h, const char *path)
{
	size_t len = strlen(path);
	const char *slash;

	if (len <= NAME_SIZE) {
		memcpy(h, path, len);
		return true;
	}
	slash = cut(path, len);
	if (slash == NULL || (size_t)(slash - path) > PREFIX_SIZE ||
	    strlen(slash + 1) > NAME_SIZE)
		return false;
	memcpy(h, slash + 1, strlen(slash + 1));
	memcpy(h + 345, path, (size_t)(slash - path));
	return true;
}

static void put_octal(unsigned char *to, size_t width, uint64_t n)
{
	while (width-- > 0) {
		to[width] = (unsigned char)('0' + (n & 7));
		n >>= 3;
	}
}

/* False: it takes more than a ustar header. */
static bool header(unsigned char h[BLOCK], const char *path,
    const struct qt_checked_member *m)
{
	uint64_t sum = 0;
	size_t i;

	memset(h, 0, BLOCK);
	if (m->size > SIZE_MAX_OCTAL || m->mtime < 0 ||
	    m->mtime >= INT32_MAX || !put_path(h, path))
		return false;
	memcpy(h + 100, "000400 ", 7);	/* mode */
	memcpy(h + 108, "000000 ", 7);	/* uid */
	memcpy(h + 116, "000000 ", 7);	/* gid */
	put_octal(h + 124, 11, m->size);
	h[135] = ' ';
	put_octal(h + 136, 11, (uint64_t)m->mtime);
	h[147] = ' ';
	memset(h + 148, ' ', 8);
	h[156] = '0';
	memcpy(h + 257, "ustar\0" "00", 8);
	memcpy(h + 329, "000000 ", 7);	/* device */
	memcpy(h + 337, "000000 ", 7);
	for (i = 0; i < BLOCK; i++)
		sum += h[i];
	put_octal(h + 148, 6, sum);
	h[154] = '\0';
	return true;
}

static void tell(struct frame *f, const char *path, uint64_t at,
    unsigned char want, unsigned char is, const char *what)
{
	char a[8], b[8];

	(void)snprintf(a, sizeof a, "0x%02x", want);
	(void)snprintf(b, sizeof b, "0x%02x", is);
	qt_check_tell(f->c, QT_FLAW_FRAME, path, (int64_t)at, a, b,
	    "byte %llu of the tar, %s, is not what the writer puts there",
	    (unsigned long long)at, what);
}

/* The first byte that is not zero is told. */
static int zeros(struct frame *f, const char *path, uint64_t from, uint64_t to,
    const char *what, struct qt_error *err)
{
	size_t n, i;

	for (; from < to; from += n) {
		n = to - from < PIECE ? (size_t)(to - from) : PIECE;
		if (qt_tarview_read(f->view, from, f->buf, n, err) != 0)
			return -1;
		for (i = 0; i < n; i++)
			if (f->buf[i] != 0) {
				tell(f, path, from + i, 0, f->buf[i], what);
				return 0;
			}
	}
	return 0;
}

static int one_header(struct frame *f, const char *whole, const char *path,
    const struct qt_checked_member *m, uint64_t from, struct qt_error *err)
{
	unsigned char want[BLOCK];
	const uint64_t gap = m->offset - from;
	bool plain = header(want, whole, m);
	size_t i;

	/* a time that is none in nanoseconds is told as 0 */
	if (gap > BLOCK && m->mtime == 0)
		plain = false;
	if (plain ? gap != BLOCK : gap < BLOCK) {
		qt_check_tell(f->c, QT_FLAW_FRAME, path, (int64_t)from, NULL,
		    NULL, "has more than a header before it");
		return 0;
	}
	if (!plain)
		return 0; /* an extended one, whose form is not compared */
	if (qt_tarview_read(f->view, from, f->buf, BLOCK, err) != 0)
		return -1;
	for (i = 0; i < BLOCK; i++)
		if (f->buf[i] != want[i]) {
			tell(f, path, from + i, want[i], f->buf[i],
			    "in its header");
			break;
		}
	return 0;
}

/* It is NUL-terminated in the names. */
int qt_check_name(const struct qt_check *c, const struct qt_checked_member *m,
    char path[QT_TAR_PATH_MAX], struct qt_error *err)
{
	const uint64_t left = qt_spill_size(&c->names) - m->name;
	size_t n = left < QT_TAR_PATH_MAX ? (size_t)left : QT_TAR_PATH_MAX;

	return qt_spill_read(&c->names, m->name, path, n, err);
}

static int one_member(struct frame *f, const struct qt_checked_member *m,
    struct qt_error *err)
{
	const uint64_t from = padded(f->end);
	char whole[QT_TAR_PATH_MAX];
	const char *path;

	if (qt_check_name(f->c, m, whole, err) != 0)
		return -1;
	path = strchr(whole, '/'); /* none: told already */
	path = path != NULL ? path + 1 : "";
	if (zeros(f, path, f->end, from, "before its header", err) != 0)
		return -1;
	f->end = m->offset + m->size;
	if (m->offset < from) {
		qt_check_tell(f->c, QT_FLAW_FRAME, path, (int64_t)m->offset,
		    NULL, NULL, "begins within the file before it");
		return 0;
	}
	return whole[0] == '\0' ? 0 :
	    one_header(f, whole, path, m, from, err);
}

/* To the end of the file, where that can be told. */
static int the_end(struct frame *f, struct qt_error *err)
{
	const uint64_t size = qt_tarview_size(f->view);

	if (size == 0)
		return 0;
	if (size % BLOCK != 0 || size < padded(f->end) + 2 * (uint64_t)BLOCK)
		qt_check_tell(f->c, QT_FLAW_FRAME, "", (int64_t)size, NULL,
		    NULL, "the tar does not end in two blocks of zeros");
	return zeros(f, "", f->end, size, "behind the last file", err);
}

static int all(struct frame *f, struct qt_error *err)
{
	const uint64_t n = qt_spill_size(&f->c->members) /
	    sizeof(struct qt_checked_member);
	struct qt_checked_member m;
	uint64_t i;

	for (i = 0; i < n; i++) {
		if (f->c->opts->stop != NULL && *f->c->opts->stop)
			return qt_fail(err, QT_E_INTERRUPTED, f->c->file,
			    "interrupted");
		if (qt_spill_read(&f->c->members, i * sizeof m, &m, sizeof m,
			err) != 0 || one_member(f, &m, err) != 0)
			return -1;
	}
	return the_end(f, err);
}

/*
 * A table of frames that is not whole goes unnoticed where bytes are read in
 * order; and one that is lies where a frame is not what it says, which reading
 * all of them has shown.
 */
static int check_table(struct frame *f, struct qt_error *err)
{
	enum qt_tar_packing packing;

	if (qt_tar_packing(f->c->fd, f->c->file, &packing, err) != 0)
		return -1;
	if (packing == QT_TAR_ZSTD && !qt_tarview_random(f->view))
		qt_check_tell(f->c, QT_FLAW_FRAME, "", -1, NULL, NULL,
		    "has no sound table of frames at its end, which the writer "
		    "makes: it was changed, or compressed by another program");
	return 0;
}

int qt_check_frame(struct qt_check *c, struct qt_error *err)
{
	struct frame f = {.c = c, .buf = malloc(PIECE)};
	struct qt_error e = {0};
	int r;

	if (f.buf == NULL)
		return qt_fail_mem(err);
	r = qt_tarview_open(&f.view, c->fd, c->file, c->opts->stop, &e);
	if (r == 0)
		r = check_table(&f, &e);
	if (r == 0)
		r = all(&f, &e);
	/* a table of frames that lies, say */
	if (r != 0 && e.code == QT_E_STATE) {
		qt_check_tell(c, QT_FLAW_DAMAGED, "", e.offset, NULL, NULL,
		    "%s", e.text);
		r = 0;
	} else if (r != 0 && err != NULL) {
		*err = e;
	}
	qt_tarview_close(f.view);
	free(f.buf);
	return r;
}
