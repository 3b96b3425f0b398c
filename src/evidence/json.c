/*
 * json.c - JSON text taken apart.
 *
 * Every reader below takes a place and the end, and returns the place behind
 * what it has read, NULL when that is not there.
 */
#include "evidence/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32u

static const char *blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

static bool is_digit(const char *p, const char *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hexadecimal digits; -1: they are none. */
static int32_t unit(const char *p, const char *end)
{
	int32_t v = 0;
	int i;

	if (end - p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		if (hex(p[i]) < 0)
			return -1;
		v = v * 16 + hex(p[i]);
	}
	return v;
}

static const char *string(const char *p, const char *end)
{
	if (p == end || *p++ != '"')
		return NULL;
	while (p < end && *p != '"') {
		if ((unsigned char)*p < ' ')
			return NULL;
		if (*p++ != '\\')
			continue;
		if (p == end || memchr("\"\\/bfnrtu", *p, 9) == NULL)
			return NULL;
		if (*p++ == 'u') {
			if (unit(p, end) < 0)
				return NULL;
			p += 4;
		}
	}
	return p < end ? p + 1 : NULL;
}

static const char *digits(const char *p, const char *end)
{
	if (!is_digit(p, end))
		return NULL;
	while (is_digit(p, end))
		p++;
	return p;
}

static const char *number(const char *p, const char *end)
{
	if (p < end && *p == '-')
		p++;
	if (p < end && *p == '0')
		p++;
	else if ((p = digits(p, end)) == NULL)
		return NULL;
	if (p < end && *p == '.' && (p = digits(p + 1, end)) == NULL)
		return NULL;
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		p = digits(p, end);
	}
	return p;
}

static const char *word(const char *p, const char *end, const char *w)
{
	size_t n = strlen(w);

	return (size_t)(end - p) >= n && memcmp(p, w, n) == 0 ? p + n : NULL;
}

/* A scalar; NULL also for what begins an array or object. */
static const char *scalar(const char *p, const char *end, struct qt_json *v)
{
	const char *from = p;

	if (p == end)
		return NULL;
	switch (*p) {
	case '"':
		v->type = QT_JSON_STRING;
		p = string(p, end);
		break;
	case 't':
	case 'f':
		v->type = QT_JSON_BOOL;
		p = word(p, end, *p == 't' ? "true" : "false");
		break;
	case 'n':
		v->type = QT_JSON_NULL;
		p = word(p, end, "null");
		break;
	default:
		v->type = QT_JSON_NUMBER;
		p = number(p, end);
		break;
	}
	v->text = from;
	v->len = p != NULL ? (size_t)(p - from) : 0;
	return p;
}

/* "key" : */
static const char *key(const char *p, const char *end)
{
	p = string(p, end);
	if (p == NULL)
		return NULL;
	p = blanks(p, end);
	return p < end && *p == ':' ? blanks(p + 1, end) : NULL;
}

/* A value of any kind that opens at most depth brackets. */
static const char *value(const char *p, const char *end, unsigned depth,
    struct qt_json *v)
{
	const char *from = p;
	struct qt_json inner;
	char close;

	if (p == end || (*p != '{' && *p != '['))
		return scalar(p, end, v);
	if (depth == 0)
		return NULL;
	close = *p == '{' ? '}' : ']';
	p = blanks(p + 1, end);
	for (bool first = true; p < end && !(first && *p == close);
	     first = false) {
		if (close == '}' && (p = key(p, end)) == NULL)
			return NULL;
		if ((p = value(p, end, depth - 1, &inner)) == NULL)
			return NULL;
		p = blanks(p, end);
		if (p == end || *p == close)
			break;
		if (*p != ',')
			return NULL;
		p = blanks(p + 1, end);
	}
	if (p == end)
		return NULL;
	*v = (struct qt_json){close == '}' ? QT_JSON_OBJECT : QT_JSON_ARRAY,
	    from, (size_t)(p + 1 - from)};
	return p + 1;
}

bool qt_json_read(const char *text, size_t len, struct qt_json *v)
{
	const char *end = text + len;
	const char *p = value(blanks(text, end), end, DEPTH_MAX, v);

	return p != NULL && blanks(p, end) == end;
}

int qt_json_each(const struct qt_json *v,
    int (*each)(void *ctx, const char *key, size_t key_len,
	const struct qt_json *value), void *ctx)
{
	const char *end = v->text + v->len, *p, *name = NULL, *behind;
	struct qt_json inner;
	int r = 0;

	if (v->type != QT_JSON_OBJECT && v->type != QT_JSON_ARRAY)
		return -1;
	p = blanks(v->text + 1, end);
	while (r == 0 && p < end - 1) {
		behind = NULL;
		if (v->type == QT_JSON_OBJECT) {
			name = p + 1;
			behind = string(p, end);
			if (behind == NULL || (p = key(p, end)) == NULL)
				return -1;
		}
		if ((p = value(p, end, DEPTH_MAX, &inner)) == NULL)
			return -1;
		r = each(ctx, behind != NULL ? name : NULL,
		    behind != NULL ? (size_t)(behind - 1 - name) : 0, &inner);
		p = blanks(p, end);
		if (p < end && *p == ',')
			p = blanks(p + 1, end);
	}
	return r;
}

/* ---- strings ---- */

static void put_utf8(struct qt_buf *out, uint32_t c)
{
	if (c < 0x80) {
		qt_buf_addc(out, (char)c);
		return;
	}
	if (c < 0x800) {
		qt_buf_addc(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			qt_buf_addc(out, (char)(0xe0 | c >> 12));
		} else {
			qt_buf_addc(out, (char)(0xf0 | c >> 18));
			qt_buf_addc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		qt_buf_addc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	qt_buf_addc(out, (char)(0x80 | (c & 0x3f)));
}

/* \uHHHH or a pair of them; p is behind the u.  NULL: none that means much. */
static const char *put_unit(struct qt_buf *out, const char *p, const char *end)
{
	int32_t c = unit(p, end), low;

	p += 4;
	if (c <= 0 || (c >= 0xdc00 && c <= 0xdfff))
		return NULL;
	if (c >= 0xd800 && c <= 0xdbff) {
		if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
			return NULL;
		low = unit(p + 2, end);
		if (low < 0xdc00 || low > 0xdfff)
			return NULL;
		c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
		p += 6;
	}
	put_utf8(out, (uint32_t)c);
	return p;
}

bool qt_json_text(const struct qt_json *v, struct qt_buf *out)
{
	static const char names[] = "bfnrt", means[] = "\b\f\n\r\t";
	const char *p = v->text + 1, *end = v->text + v->len - 1, *at;

	if (v->type != QT_JSON_STRING)
		return false;
	while (p < end) {
		if (*p != '\\') {
			qt_buf_addc(out, *p++);
			continue;
		}
		p++;
		if (*p == 'u') {
			if ((p = put_unit(out, p + 1, end)) == NULL)
				return false;
			continue;
		}
		at = strchr(names, *p);
		qt_buf_addc(out, at != NULL ? means[at - names] : *p);
		p++;
	}
	return true;
}

/* ---- numbers ---- */

bool qt_json_u64(const struct qt_json *v, uint64_t *n)
{
	uint64_t u = 0;
	size_t i;

	if (v->type != QT_JSON_NUMBER)
		return false;
	for (i = 0; i < v->len; i++)
		if (v->text[i] < '0' || v->text[i] > '9' ||
		    __builtin_mul_overflow(u, (uint64_t)10, &u) ||
		    __builtin_add_overflow(u, (uint64_t)(v->text[i] - '0'), &u))
			return false;
	*n = u;
	return true;
}

bool qt_json_i64(const struct qt_json *v, int64_t *n)
{
	struct qt_json digits_of = *v;
	bool minus = v->type == QT_JSON_NUMBER && v->text[0] == '-';
	uint64_t u;

	digits_of.text += minus;
	digits_of.len -= minus;
	if (!qt_json_u64(&digits_of, &u) || u > INT64_MAX)
		return false;
	*n = minus ? -(int64_t)u : (int64_t)u;
	return true;
}

bool qt_json_same(const struct qt_json *a, const struct qt_json *b)
{
	struct qt_buf x, y;
	bool same;

	if (a->type != b->type)
		return false;
	if (a->len == b->len && memcmp(a->text, b->text, a->len) == 0)
		return true;
	if (a->type != QT_JSON_STRING)
		return false;
	qt_buf_init(&x, 0);
	qt_buf_init(&y, 0);
	same = qt_json_text(a, &x) && qt_json_text(b, &y) && !x.failed &&
	    !y.failed && x.len == y.len &&
	    memcmp(qt_buf_str(&x), qt_buf_str(&y), x.len) == 0;
	qt_buf_release(&x);
	qt_buf_release(&y);
	return same;
}
