/*
 * text.h - numbers and name=value pairs as Postfix reads them, for use inside
 * the format layer.
 *
 * Payloads are C strings to Postfix: everything here looks at len bytes at
 * most, and the caller has cut them at the first NUL.
 */
#ifndef QTOOL_FORMAT_TEXT_H
#define QTOOL_FORMAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qtool/record.h"

/* White space and digits of the C locale, whatever the locale is. */
static inline bool qt_is_space(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool qt_is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

/* The C string that Postfix sees in a payload. */
static inline size_t qt_rec_strlen(const struct qt_record *rec)
{
	const void *nul;

	if ((rec->flags & QT_RECORD_NUL) == 0)
		return rec->data_len;
	nul = __builtin_memchr(rec->data, 0, rec->data_len);
	return (size_t)((const unsigned char *)nul - rec->data);
}

/* A value without the white space around it. */
static inline void qt_text_trim(const char **s, size_t *len)
{
	const char *from = *s, *end = from + *len;

	while (from < end && qt_is_space((unsigned char)*from))
		from++;
	while (end > from && qt_is_space((unsigned char)end[-1]))
		end--;
	*s = from;
	*len = (size_t)(end - from);
}

/* atol(3): blanks, sign, digits, the rest ignored; saturates. */
int64_t qt_text_long(const char *s, size_t len);
/* atoi(3) as glibc has it: atol cut to 32 bits. */
int qt_text_int(const char *s, size_t len);
/* Digits only, at least one (Postfix alldig()). */
bool qt_text_all_digits(const char *s, size_t len);

/* The numbers of a C record, with the meaning of sscanf "%ld %ld %d %d %ld %d".
 */
struct qt_size_fields {
	int n; /* numbers found; more than 6 are counted only */
	int64_t v[6];
	bool plain; /* digits and blanks, nothing else */
};
void qt_text_size(struct qt_size_fields *f, const char *s, size_t len);

/* The offset in a pointer record's payload; -1 when it is malformed. */
int64_t qt_text_offset(const char *s, size_t len);

/*
 * Split "name = value" (Postfix src/util/split_nameval.c); the parts point
 * into s.  NULL, or what is wrong.
 */
struct qt_nameval {
	const char *name, *value;
	size_t name_len, value_len;
};
const char *qt_text_nameval(struct qt_nameval *nv, const char *s, size_t len);

#endif
