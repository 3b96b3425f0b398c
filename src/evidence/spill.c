/*
 * spill.c - collected bytes, in memory and then in an unnamed file.
 */
#include "evidence/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/io.h"

#define KEEP ((size_t)4 << 20)	   /* memory that clear() keeps */
#define PIECE ((size_t)256 << 10) /* read back at once */

int qt_fail_own(struct qt_error *err, const char *call, const char *where)
{
	(void)qt_fail_sys(err, call, where);
	if (err != NULL && err->code != QT_E_NOMEM)
		err->code = QT_E_SYS;
	return -1;
}

int qt_unnamed_file(int dirfd, int *fd, struct qt_error *err)
{
	char name[40];
	uint64_t r;
	int f, i;

	f = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	/* not every file system has O_TMPFILE (NFS, FUSE) */
	for (i = 0; f < 0 && i < 100; i++) {
		if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r)
			return qt_fail_own(err, "getrandom", "");
		(void)snprintf(name, sizeof name, ".qtool-%016llx.tmp",
		    (unsigned long long)r);
		f = openat(dirfd, name,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (f >= 0)
			(void)unlinkat(dirfd, name, 0);
		else if (errno != EEXIST)
			break;
	}
	if (f < 0)
		return qt_fail_own(err, "open", "temporary file");
	*fd = f;
	return 0;
}

void qt_spill_init(struct qt_spill *s, int dirfd, size_t limit)
{
	*s = (struct qt_spill){.dirfd = dirfd, .fd = -1, .limit = limit};
}

void qt_spill_release(struct qt_spill *s)
{
	if (s == NULL)
		return;
	qt_spill_clear(s);
	free(s->mem);
	qt_spill_init(s, s->dirfd, s->limit);
}

void qt_spill_clear(struct qt_spill *s)
{
	if (s->fd >= 0) {
		(void)close(s->fd); /* unnamed: the space goes with it */
		s->fd = -1;
	}
	s->in_file = 0;
	s->len = 0;
	if (s->borrowed) {
		s->borrowed = false;
		s->mem = NULL;
		s->cap = 0;
	}
	if (s->cap > KEEP) {
		free(s->mem);
		s->mem = NULL;
		s->cap = 0;
	}
}

void qt_spill_borrow(struct qt_spill *s, const void *bytes, size_t len)
{
	qt_spill_clear(s);
	free(s->mem);
	s->mem = (unsigned char *)(uintptr_t)bytes;
	s->len = s->cap = len;
	s->borrowed = true;
}

uint64_t qt_spill_size(const struct qt_spill *s)
{
	return s->in_file + s->len;
}

const unsigned char *qt_spill_bytes(const struct qt_spill *s)
{
	return s->in_file == 0 && s->len != 0 ? s->mem : NULL;
}

/* To the end of the file; what is in memory comes behind it. */
static int append(struct qt_spill *s, const void *bytes, size_t len,
    struct qt_error *err)
{
	if (s->fd < 0 && qt_unnamed_file(s->dirfd, &s->fd, err) != 0)
		return -1;
	if (qt_pwrite_all(s->fd, bytes, len, (off_t)s->in_file) != 0)
		return qt_fail_own(err, "write", "temporary file");
	s->in_file += len;
	return 0;
}

static int flush(struct qt_spill *s, struct qt_error *err)
{
	if (append(s, s->mem, s->len, err) != 0)
		return -1;
	s->len = 0;
	return 0;
}

static int grow(struct qt_spill *s, size_t need, struct qt_error *err)
{
	size_t cap = s->cap != 0 ? s->cap : (size_t)16 << 10;
	unsigned char *p;

	if (need <= s->cap)
		return 0;
	while (cap < need)
		cap *= 2;
	if (cap > s->limit)
		cap = s->limit;
	p = realloc(s->mem, cap);
	if (p == NULL)
		return qt_fail_mem(err);
	s->mem = p;
	s->cap = cap;
	return 0;
}

int qt_spill_add(struct qt_spill *s, const void *bytes, size_t len,
    struct qt_error *err)
{
	const char *p = bytes;
	size_t n;

	if (s->borrowed)
		return qt_fail(err, QT_E_STATE, "temporary file",
		    "its bytes are borrowed");
	if (s->limit == 0)
		return len == 0 ? 0 : append(s, bytes, len, err);
	while (len != 0) {
		if (s->len == s->limit && flush(s, err) != 0)
			return -1;
		n = s->limit - s->len;
		if (n > len)
			n = len;
		if (grow(s, s->len + n, err) != 0)
			return -1;
		memcpy(s->mem + s->len, p, n);
		s->len += n;
		p += n;
		len -= n;
	}
	return 0;
}

int qt_spill_to_file(struct qt_spill *s, int *fd, struct qt_error *err)
{
	if (s->borrowed)
		return qt_fail(err, QT_E_STATE, "temporary file",
		    "its bytes are borrowed");
	if (flush(s, err) != 0)
		return -1;
	*fd = s->fd;
	return 0;
}

int qt_spill_read(const struct qt_spill *s, uint64_t offset, void *bytes,
    size_t len, struct qt_error *err)
{
	size_t n = 0, got;

	if (offset > qt_spill_size(s) || len > qt_spill_size(s) - offset)
		return qt_fail(err, QT_E_STATE, "temporary file",
		    "read beyond its end");
	if (offset < s->in_file) {
		n = len;
		if (n > s->in_file - offset)
			n = (size_t)(s->in_file - offset);
		if (qt_pread_all(s->fd, bytes, n, (off_t)offset, &got) != 0)
			return qt_fail_own(err, "read", "temporary file");
		if (got != n) /* somebody cut a file that only we can name */
			return qt_fail(err, QT_E_STATE, "temporary file",
			    "it became shorter");
	}
	if (len > n)
		memcpy((char *)bytes + n, s->mem + (offset + n - s->in_file),
		    len - n);
	return 0;
}

int qt_spill_each(const struct qt_spill *s, qt_bytes_fn *fn, void *ctx,
    struct qt_error *err)
{
	uint64_t offset = 0;
	size_t n;
	char *piece;
	int r = 0;

	if (s->in_file != 0) {
		piece = malloc(PIECE);
		if (piece == NULL)
			return qt_fail_mem(err);
		while (r == 0 && offset < s->in_file) {
			n = PIECE;
			if (n > s->in_file - offset)
				n = (size_t)(s->in_file - offset);
			r = qt_spill_read(s, offset, piece, n, err);
			if (r == 0)
				r = fn(ctx, piece, n, err);
			offset += n;
		}
		free(piece);
	}
	if (r == 0 && s->len != 0)
		r = fn(ctx, s->mem, s->len, err);
	return r;
}
