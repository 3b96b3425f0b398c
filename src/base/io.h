/*
 * io.h - reads and writes that are complete or failed.
 *
 * EINTR and short transfers are dealt with here and nowhere else.  The four
 * that move bytes report by errno, as the calls they stand for do: the caller
 * knows the file's name and turns it into an error with qt_fail_sys().
 */
#ifndef QTOOL_BASE_IO_H
#define QTOOL_BASE_IO_H

#include <sys/types.h>

#include "qtool/buf.h"

/*
 * Read until len bytes are there or the file ends; *got counts them (less than
 * len only at the end).  0, or -1 with errno and *got untouched.
 */
int qt_read_all(int fd, void *buf, size_t len, size_t *got) QT_MUST_CHECK;

/* The same at an offset; the descriptor's position stays. */
int qt_pread_all(int fd, void *buf, size_t len, off_t offset, size_t *got)
    QT_MUST_CHECK;

/* Write all len bytes.  0, or -1 with errno; part may have been written. */
int qt_write_all(int fd, const void *buf, size_t len) QT_MUST_CHECK;
int qt_pwrite_all(int fd, const void *buf, size_t len, off_t offset)
    QT_MUST_CHECK;

/*
 * The whole content of a regular file, in place of what out held.  Opened
 * O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC relative to dirfd, so that a link,
 * a FIFO or a device that was put there neither leads away nor blocks.
 * QT_E_CORRUPT: not a regular file, or longer than max bytes.  QT_E_GONE,
 * QT_E_DENIED, QT_E_SYS: the system's word.  out is empty after a failure.
 */
int qt_slurp(int dirfd, const char *path, size_t max, struct qt_buf *out,
    struct qt_error *err) QT_MUST_CHECK;

/* The same of a descriptor at its file's start, which stays open. */
int qt_slurp_fd(int fd, const char *path, size_t max, struct qt_buf *out,
    struct qt_error *err) QT_MUST_CHECK;

/*
 * Close *fd (nothing when it is negative) and set it to -1, failed or not:
 * the number may already be another file's.  Delayed write errors come out
 * here, so after writing this is checked.
 */
int qt_close(int *fd, const char *where, struct qt_error *err) QT_MUST_CHECK;

/* The same where an error changes nothing: after reading, on the way out. */
void qt_close_quiet(int *fd);

#endif
