/*
 * text.c - numbers and name=value pairs as Postfix reads them.
 *
 * Postfix calls atol, atoi and sscanf on payloads.  What these make of signs,
 * blanks and overflow decides whether qmgr accepts a file, so it is done the
 * same way here, on bounded strings and without the locale.
 *
 * Source: Postfix src/global/rec_type.h, src/qmgr/qmgr_message.c,
 * src/global/record.c (rec_goto), src/util/off_cvt.c, src/util/split_nameval.c.
 */
#include "format/text.h"

#include <limits.h>
#include <stdbool.h>

#include "base/word.h"

/* A C record is blanks for the most part: eight of them at a time. */
static const char *skip_blanks(const char *s, const char *end)
{
	while (end - s >= QT_WORD_SIZE && qt_word_load(s) == QT_WORD_EACH(' '))
		s += QT_WORD_SIZE;
	while (s < end && qt_is_space((unsigned char)*s))
		s++;
	return s;
}

#define SAFE_DIGITS 18 /* no number of so many overflows */

/*
 * One number: what strtol takes.  Returns the place after it, NULL when there
 * is no digit.
 */
static const char *scan_long(const char *s, const char *end, int64_t *value)
{
	bool minus = false;
	const char *digits;
	int64_t v = 0;

	s = skip_blanks(s, end);
	if (s < end && (*s == '-' || *s == '+'))
		minus = *s++ == '-';
	/* counted downwards, as the negative range is the larger one */
	for (digits = s; s < end && qt_is_digit((unsigned char)*s); s++) {
		if (s - digits < SAFE_DIGITS)
			v = v * 10 - (*s - '0');
		else if (__builtin_mul_overflow(v, (int64_t)10, &v) ||
		    __builtin_sub_overflow(v, (int64_t)(*s - '0'), &v))
			v = INT64_MIN;
	}
	if (s == digits)
		return NULL;
	if (!minus)
		v = v == INT64_MIN ? INT64_MAX : -v;
	*value = v;
	return s;
}

int64_t qt_text_long(const char *s, size_t len)
{
	int64_t v = 0;

	(void)scan_long(s, s + len, &v);
	return v;
}

static int cut_to_int(int64_t v)
{
	return (int)(int32_t)(uint32_t)(uint64_t)v;
}

int qt_text_int(const char *s, size_t len)
{
	return cut_to_int(qt_text_long(s, len));
}

bool qt_text_all_digits(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!qt_is_digit((unsigned char)s[i]))
			return false;
	return len != 0;
}

/* Digits and blanks alone. */
static bool is_plain(const char *s, const char *end)
{
	for (; s < end; s++) {
		while (end - s > QT_WORD_SIZE &&
		    qt_word_load(s) == QT_WORD_EACH(' '))
			s += QT_WORD_SIZE;
		if (*s != ' ' && !qt_is_digit((unsigned char)*s))
			return false;
	}
	return true;
}

void qt_text_size(struct qt_size_fields *f, const char *s, size_t len)
{
	const char *p = s, *end = s + len;
	int64_t v;

	*f = (struct qt_size_fields){.plain = is_plain(s, end)};
	while (f->n < INT_MAX && (p = scan_long(p, end, &v)) != NULL) {
		if (f->n == 2 || f->n == 3 || f->n == 5)
			v = cut_to_int(v); /* read with %d */
		if (f->n < 6)
			f->v[f->n] = v;
		f->n++;
	}
}

int64_t qt_text_offset(const char *s, size_t len)
{
	const char *end = s + len;
	int64_t v = 0;

	while (s < end && qt_is_space((unsigned char)*s))
		s++;
	for (; s < end; s++) {
		if (!qt_is_digit((unsigned char)*s) ||
		    __builtin_mul_overflow(v, (int64_t)10, &v) ||
		    __builtin_add_overflow(v, (int64_t)(*s - '0'), &v))
			return -1;
	}
	return v;
}

/* What ends an attribute's name: '=' and white space. */
static const bool ends_name[256] = {
    ['\t'] = true, ['\n'] = true, ['\v'] = true, ['\f'] = true,
    ['\r'] = true, [' '] = true, ['='] = true};

const char *qt_text_nameval(struct qt_nameval *nv, const char *s, size_t len)
{
	const char *end = s + len, *name, *name_end;

	while (s < end && qt_is_space((unsigned char)*s))
		s++;
	if (s == end || *s == '=')
		return "no attribute name";
	name = s;
	/* a scan spends much of its time here: one look-up a byte */
	while (s < end && !ends_name[(unsigned char)*s])
		s++;
	name_end = s;
	while (s < end && qt_is_space((unsigned char)*s))
		s++;
	if (s == end || *s != '=')
		return "no '=' after the attribute name";
	nv->name = name;
	nv->name_len = (size_t)(name_end - name);
	nv->value = s + 1;
	nv->value_len = (size_t)(end - nv->value);
	qt_text_trim(&nv->value, &nv->value_len);
	return NULL;
}
