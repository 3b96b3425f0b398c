/*
 * io.c - reads and writes that are complete or failed.
 */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int qt_read_all(int fd, void *buf, size_t len, size_t *got)
{
	char *p = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = read(fd, p + done, len - done);
		if (n == 0)
			break;
		if (n > 0)
			done += (size_t)n;
		else if (errno != EINTR)
			return -1;
	}
	*got = done;
	return 0;
}

int qt_pread_all(int fd, void *buf, size_t len, off_t offset, size_t *got)
{
	char *p = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(fd, p + done, len - done, offset + (off_t)done);
		if (n == 0)
			break;
		if (n > 0)
			done += (size_t)n;
		else if (errno != EINTR)
			return -1;
	}
	*got = done;
	return 0;
}

int qt_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = write(fd, p + done, len - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}

int qt_pwrite_all(int fd, const void *buf, size_t len, off_t offset)
{
	const char *p = buf;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pwrite(fd, p + done, len - done, offset + (off_t)done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			return -1;
	}
	return 0;
}

/* The next bytes of fd; as read(2). */
static ssize_t read_some(int fd, char *to, size_t len)
{
	ssize_t got;

	do
		got = read(fd, to, len);
	while (got < 0 && errno == EINTR);
	return got;
}

/*
 * The bytes that the file's size promises, and one more to see that there are
 * not more, straight to where they belong.  0 that was all, 1 it was not.
 */
static int slurp_size(int fd, const char *path, size_t size,
    struct qt_buf *out, struct qt_error *err)
{
	char *to = qt_buf_room(out, size + 1);
	ssize_t got;

	if (to == NULL)
		return qt_buf_check(out, err);
	got = read_some(fd, to, size + 1);
	if (got < 0)
		return qt_fail_sys(err, "read", path);
	qt_buf_wrote(out, (size_t)got);
	return got == 0 || (size_t)got == size ? 0 : 1;
}

/* What is left of fd into out; the file may grow or shrink meanwhile. */
static int slurp_rest(int fd, const char *path, size_t max, off_t size,
    struct qt_buf *out, struct qt_error *err)
{
	char block[16384];
	ssize_t got;

	do {
		got = read_some(fd, block, sizeof block);
		if (got < 0)
			return qt_fail_sys(err, "read", path);
		if (out->len > max || (size_t)got > max - out->len)
			return qt_fail(err, QT_E_CORRUPT, path,
			    "longer than %zu bytes", max);
		qt_buf_add(out, block, (size_t)got);
		if (qt_buf_check(out, err) < 0)
			return -1;
		/*
		 * A short read that reaches the size is the end: no further
		 * one to be told so.  Files of /proc have the size 0.
		 */
	} while (got > 0 && (size == 0 || (size_t)got == sizeof block ||
				(uintmax_t)size > out->len));
	return 0;
}

static int slurp_fd(int fd, const char *path, size_t max, off_t size,
    struct qt_buf *out, struct qt_error *err)
{
	int r = 1;

	if (size > 0 && (uintmax_t)size < max && (uintmax_t)size < out->max)
		r = slurp_size(fd, path, (size_t)size, out, err);
	return r <= 0 ? r : slurp_rest(fd, path, max, size, out, err);
}

int qt_slurp_fd(int fd, const char *path, size_t max, struct qt_buf *out,
    struct qt_error *err)
{
	struct stat st;
	int r;

	qt_buf_clear(out);
	if (fstat(fd, &st) < 0)
		return qt_fail_sys(err, "fstat", path);
	if (!S_ISREG(st.st_mode))
		return qt_fail(err, QT_E_CORRUPT, path, "not a regular file");
	if (st.st_size > 0 && (uintmax_t)st.st_size > max)
		return qt_fail(err, QT_E_CORRUPT, path, "longer than %zu bytes",
		    max);
	r = slurp_fd(fd, path, max, st.st_size, out, err);
	if (r < 0)
		qt_buf_clear(out);
	return r;
}

int qt_slurp(int dirfd, const char *path, size_t max, struct qt_buf *out,
    struct qt_error *err)
{
	int fd, r;

	qt_buf_clear(out);
	fd = openat(dirfd, path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	/* the last component is a link; a socket or a device without driver */
	if (fd < 0 && (errno == ELOOP || errno == ENXIO || errno == ENODEV))
		return qt_fail(err, QT_E_CORRUPT, path, "not a regular file");
	if (fd < 0)
		return qt_fail_sys(err, "open", path);
	r = qt_slurp_fd(fd, path, max, out, err);
	qt_close_quiet(&fd);
	return r;
}

int qt_close(int *fd, const char *where, struct qt_error *err)
{
	int n = *fd;

	*fd = -1;
	/* Linux has released the descriptor when close says EINTR */
	if (n >= 0 && close(n) < 0 && errno != EINTR)
		return qt_fail_sys(err, "close", where);
	return 0;
}

void qt_close_quiet(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}
