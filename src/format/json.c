/*
 * json.c - taking JSON texts apart.
 */
#include "format/json.h"

#include <string.h>

#include "base/word.h"
#include "format/text.h"

static void blanks(struct qt_json *j)
{
	while (j->at < j->end && (*j->at == ' ' || *j->at == '\t' ||
	    *j->at == '\r' || *j->at == '\n'))
		j->at++;
}

/* Behind the string that begins at *at (a quote); false: it has no end. */
static bool pass_string(const char **at, const char *end)
{
	const char *p;
	uint64_t w;

	for (p = *at + 1; p < end; p++) {
		for (; end - p > QT_WORD_SIZE; p += QT_WORD_SIZE) {
			w = qt_word_load(p);
			if (!qt_word_printable(w) || qt_word_has(w, '"') ||
			    qt_word_has(w, '\\'))
				break;
		}
		if ((unsigned char)*p < ' ')
			return false;
		if (*p == '"') {
			*at = p + 1;
			return true;
		}
		if (*p == '\\' && ++p == end)
			return false;
	}
	return false;
}

/* Behind an object or array, its brackets paired. */
static bool pass_nested(const char **at, const char *end)
{
	char open[QT_JSON_DEPTH];
	const char *p = *at;
	size_t depth = 0;

	while (p < end) {
		if (*p == '"') {
			if (!pass_string(&p, end))
				return false;
			continue;
		}
		if (*p == '{' || *p == '[') {
			if (depth == QT_JSON_DEPTH)
				return false;
			open[depth++] = *p;
		} else if (*p == '}' || *p == ']') {
			if (open[--depth] != (*p == '}' ? '{' : '['))
				return false;
			if (depth == 0) {
				*at = p + 1;
				return true;
			}
		}
		p++;
	}
	return false;
}

static bool is_of_word(char c)
{
	return c != '\0' && strchr("truefalsn", c) != NULL;
}

static bool is_of_number(char c)
{
	return qt_is_digit((unsigned char)c) || c == '-' || c == '+' ||
	    c == '.' || c == 'e' || c == 'E';
}

/* The value at j->at. */
static bool take(struct qt_json *j, struct qt_json_value *v)
{
	const char *from;
	bool ok = true;

	blanks(j);
	if (j->at == j->end)
		return false;
	from = j->at;
	switch (*from) {
	case '"':
		v->type = QT_JSON_STRING;
		ok = pass_string(&j->at, j->end);
		break;
	case '{':
	case '[':
		v->type = *from == '{' ? QT_JSON_OBJECT : QT_JSON_ARRAY;
		ok = pass_nested(&j->at, j->end);
		break;
	case 't':
	case 'f':
	case 'n':
		v->type = QT_JSON_WORD;
		while (j->at < j->end && is_of_word(*j->at))
			j->at++;
		break;
	default:
		v->type = QT_JSON_NUMBER;
		while (j->at < j->end && is_of_number(*j->at))
			j->at++;
		break;
	}
	if (!ok || j->at == from)
		return false;
	v->text = from;
	v->len = (size_t)(j->at - from);
	if (v->type == QT_JSON_STRING) {
		v->text++;
		v->len -= 2;
	}
	return true;
}

bool qt_json_open(struct qt_json *j, char bracket, const char *text,
    size_t len)
{
	*j = (struct qt_json){.at = text, .end = text + len, .first = true};
	blanks(j);
	if (j->at == j->end || *j->at != bracket)
		return false;
	j->at++;
	return true;
}

/* Up to the next item.  0 there is one, 1 the end was passed, -1. */
static int next(struct qt_json *j, char close)
{
	blanks(j);
	if (j->at == j->end)
		return -1;
	if (*j->at == close) {
		j->at++;
		blanks(j);
		return j->at == j->end ? 1 : -1;
	}
	if (!j->first) {
		if (*j->at != ',')
			return -1;
		j->at++;
	}
	j->first = false;
	return 0;
}

int qt_json_member(struct qt_json *j, struct qt_json_value *key,
    struct qt_json_value *v)
{
	int r = next(j, '}');

	if (r != 0)
		return r;
	if (!take(j, key) || key->type != QT_JSON_STRING)
		return -1;
	blanks(j);
	if (j->at == j->end || *j->at != ':')
		return -1;
	j->at++;
	return take(j, v) ? 0 : -1;
}

int qt_json_element(struct qt_json *j, struct qt_json_value *v)
{
	int r = next(j, ']');

	if (r != 0)
		return r;
	return take(j, v) ? 0 : -1;
}

bool qt_json_is(const struct qt_json_value *v, const char *word)
{
	return v->type == QT_JSON_STRING && v->len == strlen(word) &&
	    memcmp(v->text, word, v->len) == 0;
}

/* ---- strings ---- */

static bool hex4(const char *p, const char *end, uint32_t *out)
{
	uint32_t v = 0;
	int i;

	if (end - p < 4)
		return false;
	for (i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			v = v << 4 | (uint32_t)(c - 'A' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}

/* A code point behind "\u", two of them where that takes a pair. */
static bool code_point(const char **at, const char *end, uint32_t *cp)
{
	const char *p = *at;
	uint32_t low;

	if (!hex4(p, end, cp) || *cp == 0)
		return false;
	p += 4;
	if (*cp >= 0xd800 && *cp < 0xe000) {
		if (*cp >= 0xdc00 || end - p < 6 || p[0] != '\\' ||
		    p[1] != 'u' || !hex4(p + 2, end, &low) || low < 0xdc00 ||
		    low >= 0xe000)
			return false;
		*cp = 0x10000 + ((*cp - 0xd800) << 10) + (low - 0xdc00);
		p += 6;
	}
	*at = p;
	return true;
}

/* As UTF-8; how many bytes. */
static size_t encode(uint32_t cp, char out[4])
{
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4, i;

	if (n == 1) {
		out[0] = (char)cp;
		return 1;
	}
	for (i = n - 1; i > 0; i--, cp >>= 6)
		out[i] = (char)(0x80 | (cp & 0x3f));
	out[0] = (char)(0xf00U >> n | cp);
	return n;
}

/* What a backslash at *at and what follows stand for. */
static size_t escape(const char **at, const char *end, char out[4])
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *p = *at + 1, *known;
	uint32_t cp;

	if (p == end)
		return 0;
	if (*p == 'u') {
		p++;
		if (!code_point(&p, end, &cp))
			return 0;
		*at = p;
		return encode(cp, out);
	}
	known = *p != '\0' ? strchr(from, *p) : NULL;
	if (known == NULL)
		return 0;
	*at = p + 1;
	out[0] = to[known - from];
	return 1;
}

bool qt_json_text(const struct qt_json_value *v, char *out, size_t size)
{
	const char *p = v->text, *end = v->text + v->len;
	char piece[4];
	size_t n, len = 0;

	if (v->type != QT_JSON_STRING)
		return false;
	while (p < end) {
		n = 1;
		if (*p == '\\')
			n = escape(&p, end, piece);
		else
			piece[0] = *p++;
		if (n == 0 || n >= size - len || piece[0] == '\0')
			return false;
		memcpy(out + len, piece, n);
		len += n;
	}
	out[len] = '\0';
	return true;
}

/* ---- numbers ---- */

bool qt_json_uint(const struct qt_json_value *v, uint64_t *n)
{
	uint64_t sum = 0;
	size_t i;

	if (v->type != QT_JSON_NUMBER || v->len == 0)
		return false;
	for (i = 0; i < v->len; i++) {
		unsigned d = (unsigned char)v->text[i] - (unsigned)'0';

		if (d > 9 || sum > (UINT64_MAX - d) / 10)
			return false;
		sum = sum * 10 + d;
	}
	*n = sum;
	return true;
}

bool qt_json_int(const struct qt_json_value *v, int64_t *n)
{
	const bool minus = v->len > 0 && v->text[0] == '-';
	struct qt_json_value digits = *v;
	uint64_t u;

	if (minus) {
		digits.text++;
		digits.len--;
	}
	if (!qt_json_uint(&digits, &u) || u > (uint64_t)INT64_MAX)
		return false;
	*n = minus ? -(int64_t)u : (int64_t)u;
	return true;
}
