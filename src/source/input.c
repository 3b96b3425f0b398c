/*
 * input.c - the bytes of a file through a window, by pread(2).
 *
 * Not mmap: a file that is cut while it is read would be a SIGBUS.  The first
 * read is small, since envelope and headers are at the beginning and a jump
 * over the content needs little where it lands; a read that continues the one
 * before is large.
 */
#include "source/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

/* No caller needs more contiguous bytes than a record's data and head. */
#define WINDOW_MAX ((size_t)1 << 20)

/* A window of at least size bytes; its content may be lost. */
static int make_room(struct qt_file_input *f, size_t size,
    struct qt_error *err)
{
	unsigned char *win;

	if (size <= f->cap)
		return 0;
	if (size > WINDOW_MAX)
		return qt_fail(err, QT_E_NOMEM, "",
		    "more than %zu bytes asked for at once", WINDOW_MAX);
	win = malloc(size);
	if (win == NULL)
		return qt_fail_mem(err);
	free(f->win);
	f->win = win;
	f->cap = size;
	f->in.data = win;
	f->in.len = 0;
	return 0;
}

/* struct qt_input's more() */
static int more(struct qt_input *in, uint64_t offset, size_t need,
    struct qt_error *err)
{
	struct qt_file_input *f = in->ctx;
	bool runs_on = in->len > 0 && offset >= in->start &&
	    offset <= in->start + in->len;
	size_t want = runs_on ? QT_INPUT_RUN : QT_INPUT_FIRST, got;

	if (offset >= in->size || offset > INT64_MAX)
		return 0;
	if (want < need)
		want = need;
	if (want > in->size - offset)
		want = (size_t)(in->size - offset);
	if (make_room(f, want < QT_INPUT_FIRST ? QT_INPUT_FIRST : want,
		err) != 0)
		return -1;
	in->len = 0;
	in->start = offset;
	if (qt_pread_all(f->fd, f->win, want, (off_t)offset, &got) != 0)
		return qt_fail_sys(err, "read", "");
	in->len = got;
	if (got < want) /* shorter than it was */
		in->size = offset + got;
	return 0;
}

void qt_file_input_reset(struct qt_file_input *f, int fd, uint64_t size)
{
	f->fd = fd;
	/* it may have been made to read other bytes meanwhile */
	f->in.data = f->win;
	f->in.more = more;
	f->in.ctx = f;
	f->in.len = 0;
	f->in.start = 0;
	f->in.size = size;
}

void qt_file_input_bytes(struct qt_file_input *f, const void *bytes,
    size_t len)
{
	f->fd = -1;
	/* with all of it in the window nobody asks for more */
	qt_input_bytes(&f->in, len != 0 ? bytes : "", len);
}

int qt_file_input_init(struct qt_file_input *f, int fd, uint64_t size,
    struct qt_error *err)
{
	unsigned char *win = malloc(QT_INPUT_FIRST);

	if (win == NULL)
		return qt_fail_mem(err);
	*f = (struct qt_file_input){.win = win, .cap = QT_INPUT_FIRST};
	/* the struct does not move from here on */
	qt_file_input_reset(f, fd, size);
	return 0;
}

void qt_file_input_release(struct qt_file_input *f)
{
	if (f == NULL)
		return;
	free(f->win);
	f->win = NULL;
	f->cap = 0;
	f->in.len = 0;
}
