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

/*
 * One number: what strtol takes.  Returns the place after it, NULL when there
 * is no digit.
 */
static const char *scan_long(const char *s, const char *end, int64_t *value)
{
	bool minus = false;
	const char *digits;
	int64_t v = 0;

	while (s < end && qt_is_space((unsigned char)*s))
		s++;
	if (s < end && (*s == '-' || *s == '+'))
		minus = *s++ == '-';
	/* counted downwards, as the negative range is the larger one */
	for (digits = s; s < end && qt_is_digit((unsigned char)*s); s++) {
		if (__builtin_mul_overflow(v, (int64_t)10, &v) ||
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

void qt_text_size(struct qt_size_fields *f, const char *s, size_t len)
{
	const char *p = s, *end = s + len;
	int64_t v;
	size_t i;

	*f = (struct qt_size_fields){.plain = true};
	for (i = 0; i < len && f->plain; i++)
		f->plain = s[i] == ' ' || qt_is_digit((unsigned char)s[i]);
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
	s++;
	while (s < end && qt_is_space((unsigned char)*s))
		s++;
	while (end > s && qt_is_space((unsigned char)end[-1]))
		end--;
	nv->name = name;
	nv->name_len = (size_t)(name_end - name);
	nv->value = s;
	nv->value_len = (size_t)(end - s);
	return NULL;
}
