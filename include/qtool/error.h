/*
 * error.h - what went wrong, how far the damage goes, and where.
 *
 * Every function of libqtool that can fail returns an int (0 done, 1 no more,
 * negative failure), must be checked, and takes the caller's struct qt_error
 * last.  The struct is of fixed size, so reporting a failed allocation needs
 * no allocation; it is untouched on success.
 */
#ifndef QTOOL_ERROR_H
#define QTOOL_ERROR_H

#include <stdint.h>

#define QT_MUST_CHECK __attribute__((warn_unused_result))
#define QT_PRINTF(f, a) __attribute__((format(printf, f, a)))

/*
 * Codes are ordered by how far the damage goes.  Up to QT_E_ITEM_LAST one
 * item (a message, a log entry) is affected: it is counted and the work goes
 * on.  Above it the run stops.
 */
enum qt_code {
	QT_OK = 0,

	/* item errors */
	QT_E_CORRUPT,	 /* bytes that Postfix would not accept */
	QT_E_GONE,	 /* was there, is not any more (ENOENT, ESTALE only) */
	QT_E_CHANGED,	 /* no longer the message that was judged */
	QT_E_BUSY,	 /* in delivery, or still being written */
	QT_E_DENIED,	 /* EACCES or EPERM on one item */
	QT_E_ITEM_LAST = QT_E_DENIED,

	/* run errors */
	QT_E_SYS,	 /* a system call failed: err.sys has errno */
	QT_E_NOMEM,	 /* allocation failed, or a ceiling was reached */
	QT_E_USAGE,	 /* an option, an operand, a pattern or SQL is wrong */
	QT_E_REFUSED,	 /* a guard (--expect, --max, lock, root) said no */
	QT_E_STATE,	 /* qtool's own journal or plan is damaged */
	QT_E_LIBRARY,	 /* sqlite, libarchive, pcre2, zstd said no */
	QT_E_INTERRUPTED /* Ctrl-C or SIGTERM */
};

struct qt_error {
	enum qt_code code;
	int sys;	 /* errno, 0 when the failure was no system call */
	int64_t offset;	 /* byte offset in the file or line number, -1 none */
	char where[160]; /* file, function of the system, or option */
	char text[400];	 /* one sentence without a full stop, printable */
};

/* Fill *err (may be NULL) and return -1, so that callers can return it. */
int qt_fail(struct qt_error *err, enum qt_code code, const char *where,
    const char *fmt, ...) QT_PRINTF(4, 5);

/* As qt_fail, at a byte offset. */
int qt_fail_at(struct qt_error *err, enum qt_code code, const char *where,
    int64_t offset, const char *fmt, ...) QT_PRINTF(5, 6);

/*
 * A system call failed: "call: strerror(errno)".  ENOENT and ESTALE become
 * QT_E_GONE, EACCES and EPERM QT_E_DENIED, ENOMEM QT_E_NOMEM, the rest
 * QT_E_SYS.  errno is read first and kept.
 */
int qt_fail_sys(struct qt_error *err, const char *call, const char *where);

/* Allocation failed. */
int qt_fail_mem(struct qt_error *err);

/* Whether the work can go on with the next item. */
int qt_error_is_item(const struct qt_error *err);

#endif
