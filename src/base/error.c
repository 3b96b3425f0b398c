/*
 * error.c - filling struct qt_error.
 */
#include "qtool/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "qtool/escape.h"

/*
 * Copy src, cut to size, with whatever is not printable as '?': names and
 * texts come from mail and from file names.  In place and without allocating,
 * so that an error about memory can be reported too.
 */
static void copy_printable(char *dst, size_t size, const char *src)
{
	size_t len = strnlen(src, size), i = 0, o = 0, n;
	uint32_t cp;

	while (i < len) {
		n = qt_utf8_next(src + i, len - i, &cp);
		if (o + (n != 0 ? n : 1) >= size)
			break;
		if (n == 0 || qt_codepoint_hidden(cp)) {
			dst[o++] = '?';
		} else {
			memcpy(dst + o, src + i, n);
			o += n;
		}
		i += n != 0 ? n : 1;
	}
	dst[o] = '\0';
}

static void set(struct qt_error *err, enum qt_code code, int sys,
    const char *where, int64_t offset, const char *fmt, va_list ap)
    __attribute__((format(printf, 6, 0)));

static void set(struct qt_error *err, enum qt_code code, int sys,
    const char *where, int64_t offset, const char *fmt, va_list ap)
{
	struct qt_error raw;

	if (err == NULL)
		return;
	/*
	 * Fixed size on purpose: a cut sentence beats a failed allocation.
	 * Into a copy first, because an error that is passed on with more
	 * words has the old text among its arguments.
	 */
	(void)snprintf(raw.where, sizeof raw.where, "%s",
	    where != NULL ? where : "");
	(void)vsnprintf(raw.text, sizeof raw.text, fmt, ap);
	err->code = code;
	err->sys = sys;
	err->offset = offset;
	copy_printable(err->where, sizeof err->where, raw.where);
	copy_printable(err->text, sizeof err->text, raw.text);
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
