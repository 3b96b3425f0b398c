/*
 * error.c - filling struct qt_error.
 */
#include "qtool/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set(struct qt_error *err, enum qt_code code, int sys,
    const char *where, int64_t offset, const char *fmt, va_list ap)
    __attribute__((format(printf, 6, 0)));

static void set(struct qt_error *err, enum qt_code code, int sys,
    const char *where, int64_t offset, const char *fmt, va_list ap)
{
	if (err == NULL)
		return;
	err->code = code;
	err->sys = sys;
	err->offset = offset;
	/* fixed size on purpose: a cut sentence beats a failed allocation */
	(void)snprintf(err->where, sizeof err->where, "%s",
	    where != NULL ? where : "");
	(void)vsnprintf(err->text, sizeof err->text, fmt, ap);
}

int qt_fail(struct qt_error *err, enum qt_code code, const char *where,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(err, code, 0, where, -1, fmt, ap);
	va_end(ap);
	return -1;
}

int qt_fail_at(struct qt_error *err, enum qt_code code, const char *where,
    int64_t offset, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(err, code, 0, where, offset, fmt, ap);
	va_end(ap);
	return -1;
}

int qt_fail_sys(struct qt_error *err, const char *call, const char *where)
{
	int sys = errno;
	enum qt_code code = QT_E_SYS;

	if (sys == ENOENT || sys == ESTALE)
		code = QT_E_GONE;
	else if (sys == EACCES || sys == EPERM)
		code = QT_E_DENIED;
	else if (sys == ENOMEM)
		code = QT_E_NOMEM;
	(void)qt_fail(err, code, where, "%s: %s", call, strerror(sys));
	if (err != NULL)
		err->sys = sys;
	errno = sys;
	return -1;
}

int qt_fail_mem(struct qt_error *err)
{
	return qt_fail(err, QT_E_NOMEM, "", "out of memory");
}

int qt_error_is_item(const struct qt_error *err)
{
	return err->code > QT_OK && err->code <= QT_E_ITEM_LAST;
}
