/*
 * strlist.c - a JSON array of strings (RFC 8259), and nothing else.
 */
#include "query/strlist.h"

#include <string.h>

void strlist_init(struct strlist *l)
{
	*l = (struct strlist){0};
	qt_buf_init(&l->item, 0);
}

void strlist_release(struct strlist *l)
{
	qt_buf_release(&l->item);
}

static void skip_space(struct strlist *l)
{
	while (l->p < l->end && strchr(" \t\r\n", *l->p) != NULL && *l->p != '\0')
		l->p++;
}

static bool take(struct strlist *l, char c)
{
	skip_space(l);
	if (l->p == l->end || *l->p != c)
		return false;
	l->p++;
	return true;
}

static int bad(struct qt_error *err)
{
	return qt_fail(err, QT_E_USAGE, "",
	    "the first argument has to be a JSON array of strings "
	    "(rcpt_domains, todo_rcpts, ...); for others use json_each()");
}

int strlist_start(struct strlist *l, const char *json, size_t len,
    struct qt_error *err)
{
	l->p = json;
	l->end = json + len;
	l->first = true;
	return take(l, '[') ? 0 : bad(err);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hex digits; -1 when they are not. */
static int hex4(struct strlist *l)
{
	int i, d, v = 0;

	if (l->end - l->p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		d = hex_digit(*l->p++);
		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

static void add_utf8(struct qt_buf *b, uint32_t c)
{
	char u[4];
	size_t n = 0;

	if (c < 0x80) {
		u[n++] = (char)c;
	} else if (c < 0x800) {
		u[n++] = (char)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		u[n++] = (char)(0xe0 | c >> 12);
		u[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	} else {
		u[n++] = (char)(0xf0 | c >> 18);
		u[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		u[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	}
	if (c >= 0x80)
		u[n++] = (char)(0x80 | (c & 0x3f));
	qt_buf_add(b, u, n);
}

static bool unicode_escape(struct strlist *l)
{
	int hi = hex4(l), lo;

	if (hi < 0)
		return false;
	if (hi < 0xd800 || hi > 0xdfff) {
		add_utf8(&l->item, (uint32_t)hi);
		return true;
	}
	if (hi > 0xdbff || l->end - l->p < 2 || l->p[0] != '\\' || l->p[1] != 'u')
		return false;
	l->p += 2;
	lo = hex4(l);
	if (lo < 0xdc00 || lo > 0xdfff)
		return false;
	add_utf8(&l->item,
	    0x10000u + ((uint32_t)(hi - 0xd800) << 10) + (uint32_t)(lo - 0xdc00));
	return true;
}

static bool escape(struct strlist *l)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *f;
	char c;

	if (l->p == l->end)
		return false;
	c = *l->p++;
	if (c == 'u')
		return unicode_escape(l);
	f = c != '\0' ? strchr(from, c) : NULL;
	if (f == NULL)
		return false;
	qt_buf_addc(&l->item, to[f - from]);
	return true;
}

static bool string(struct strlist *l)
{
	const char *run;

	qt_buf_clear(&l->item);
	while (l->p < l->end) {
		run = l->p;
		while (l->p < l->end && *l->p != '"' && *l->p != '\\')
			l->p++;
		qt_buf_add(&l->item, run, (size_t)(l->p - run));
		if (l->p == l->end)
			return false;
		if (*l->p++ == '"')
			return true;
		if (!escape(l))
			return false;
	}
	return false;
}

int strlist_next(struct strlist *l, struct qt_error *err)
{
	if (take(l, ']'))
		return 1;
	if (!l->first && !take(l, ','))
		return bad(err);
	l->first = false;
	if (!take(l, '"') || !string(l))
		return bad(err);
	return qt_buf_check(&l->item, err);
}
