/*
 * fuzz_escape.c - whatever the bytes, each escaper's output is valid for its
 * medium, and says again what went in where it can be read back.
 */
#include "qtool/escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "fuzz_escape: not so: %s\n", what);
	abort();
}

static void require_same(const struct qt_buf *a, const char *s, size_t len,
    const char *what)
{
	require(a->len == len && (len == 0 || memcmp(a->data, s, len) == 0),
	    what);
}

static bool has_control(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return true;
	return false;
}

static bool has_hidden(const char *s, size_t len)
{
	size_t i, n;
	uint32_t cp;

	for (i = 0; i < len; i += n) {
		n = qt_utf8_next(s + i, len - i, &cp);
		if (n == 0 || qt_codepoint_hidden(cp))
			return true;
	}
	return false;
}

static unsigned long hex(const char *s, size_t len)
{
	unsigned long v = 0;
	const char *p;
	static const char set[] = "0123456789ABCDEF";

	for (; len != 0; len--, s++) {
		p = *s != '\0' ? strchr(set, *s) : NULL;
		require(p != NULL, "an escape has hexadecimal digits");
		v = v * 16 + (unsigned long)(p - set);
	}
	return v;
}

static void add_utf8(struct qt_buf *out, unsigned long cp)
{
	if (cp < 0x80) {
		qt_buf_addc(out, (char)cp);
		return;
	}
	if (cp < 0x800) {
		qt_buf_addc(out, (char)(0xc0 | cp >> 6));
	} else {
		if (cp < 0x10000) {
			qt_buf_addc(out, (char)(0xe0 | cp >> 12));
		} else {
			qt_buf_addc(out, (char)(0xf0 | cp >> 18));
			qt_buf_addc(out, (char)(0x80 | (cp >> 12 & 63)));
		}
		qt_buf_addc(out, (char)(0x80 | (cp >> 6 & 63)));
	}
	qt_buf_addc(out, (char)(0x80 | (cp & 63)));
}

/* Read the terminal form back; returns how long the escape at s is. */
static size_t unescape_term(struct qt_buf *out, const char *s, size_t len)
{
	size_t n;

	if (s[0] != '\\' || len < 2 || strchr("\\ntxu", s[1]) == NULL) {
		qt_buf_addc(out, s[0]);
		return 1;
	}
	switch (s[1]) {
	case 'n':
		qt_buf_addc(out, '\n');
		return 2;
	case 't':
		qt_buf_addc(out, '\t');
		return 2;
	case 'x':
		require(len >= 4, "\\x has two digits");
		qt_buf_addc(out, (char)hex(s + 2, 2));
		return 4;
	case 'u':
		require(len >= 5 && s[2] == '{', "\\u has its brace");
		n = strcspn(s + 3, "}");
		require(n > 0 && n <= 6 && s[3 + n] == '}', "\\u{} is closed");
		add_utf8(out, hex(s + 3, n));
		return n + 4;
	default:
		qt_buf_addc(out, '\\');
		return 2;
	}
}

static void check_term(const char *s, size_t len, struct qt_buf *out,
    struct qt_buf *back)
{
	size_t i;

	qt_buf_clear(out);
	qt_escape_term(out, s, len);
	require(!has_hidden(qt_buf_str(out), out->len),
	    "nothing hidden or broken reaches a terminal");
	qt_buf_clear(back);
	for (i = 0; i < out->len;)
		i += unescape_term(back, out->data + i, out->len - i);
	require_same(back, s, len, "the terminal form reads back");
	qt_buf_clear(back);
	qt_escape_cell(back, s, len);
	require(!has_hidden(qt_buf_str(back), back->len),
	    "nothing hidden or broken is in a cell");
	/* an escape of an escape is safe too */
	qt_buf_clear(back);
	qt_escape_term(back, qt_buf_str(out), out->len);
	require(!has_hidden(qt_buf_str(back), back->len), "nor twice");
	(void)qt_term_width(qt_buf_str(out), out->len);
}

/* A string as RFC 8259 has it, read back into UTF-8. */
static void read_json(struct qt_buf *out, const char *s, size_t len)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	unsigned long u, v;
	const char *p;
	size_t i;

	for (i = 0; i < len; i++) {
		require(s[i] != '"', "no bare quote in JSON");
		if (s[i] != '\\') {
			qt_buf_addc(out, s[i]);
			continue;
		}
		require(++i < len, "an escape is whole in JSON");
		if (s[i] != 'u') {
			p = s[i] != '\0' ? strchr(from, s[i]) : NULL;
			require(p != NULL, "an escape is known to JSON");
			qt_buf_addc(out, to[p - from]);
			continue;
		}
		require(i + 4 < len, "\\u has four digits");
		u = hex(s + i + 1, 4);
		i += 4;
		if (u >= 0xd800 && u < 0xdc00) {
			require(i + 6 < len && s[i + 1] == '\\' &&
			    s[i + 2] == 'u', "a surrogate has its pair");
			v = hex(s + i + 3, 4);
			require(v >= 0xdc00 && v < 0xe000, "the second half");
			u = 0x10000 + ((u & 0x3ff) << 10 | (v & 0x3ff));
			i += 6;
		}
		add_utf8(out, u);
	}
}

static void check_json(const char *s, size_t len, struct qt_buf *out,
    struct qt_buf *back, const struct qt_buf *text)
{
	qt_buf_clear(out);
	qt_escape_json(out, s, len);
	require(!has_hidden(qt_buf_str(out), out->len),
	    "JSON is valid UTF-8 and harmless to look at");
	qt_buf_clear(back);
	read_json(back, qt_buf_str(out), out->len);
	/* bad bytes are \xHH to the reader, as in the text form */
	require_same(back, qt_buf_str(text), text->len, "JSON reads back");
}

static void check_csv(const char *s, size_t len, struct qt_buf *out)
{
	size_t i, end;

	qt_buf_clear(out);
	qt_escape_csv(out, s, len);
	end = out->len - 1;
	require(out->len >= 2 && out->data[0] == '"' && out->data[end] == '"',
	    "CSV is quoted");
	require(qt_utf8_valid(out->data, out->len), "CSV is UTF-8");
	require(strchr("=+-@\t\r\n", out->data[1]) == NULL,
	    "CSV is no formula");
	for (i = 1; i < end; i++) {
		if (out->data[i] == '"')
			require(++i < end && out->data[i] == '"',
			    "quotes are doubled in CSV");
		else
			require(!has_control(out->data + i, 1) ||
			    memchr("\t\r\n", out->data[i], 3) != NULL,
			    "no other control in CSV");
	}
}

static void check_tsv(const char *s, size_t len, struct qt_buf *out,
    struct qt_buf *back)
{
	static const char from[] = "tnr\\", to[] = "\t\n\r\\";
	const char *p;
	size_t i;

	qt_buf_clear(out);
	qt_escape_tsv(out, s, len);
	require(!has_control(qt_buf_str(out), out->len), "no control in TSV");
	require(qt_utf8_valid(qt_buf_str(out), out->len), "TSV is UTF-8");
	qt_buf_clear(back);
	for (i = 0; i < out->len; i++) {
		if (out->data[i] != '\\') {
			qt_buf_addc(back, out->data[i]);
			continue;
		}
		require(++i < out->len, "an escape is whole in TSV");
		if (out->data[i] == 'x') {
			require(i + 2 < out->len, "\\x has two digits");
			qt_buf_addc(back, (char)hex(out->data + i + 1, 2));
			i += 2;
			continue;
		}
		p = out->data[i] != '\0' ? strchr(from, out->data[i]) : NULL;
		require(p != NULL, "an escape is known to TSV");
		qt_buf_addc(back, to[p - from]);
	}
	require_same(back, s, len, "TSV reads back");
}

static void check_html(const char *s, size_t len, struct qt_buf *out)
{
	static const char *const entities[] = {
	    "&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
	size_t i, k;
	bool known;

	qt_buf_clear(out);
	qt_escape_html(out, s, len);
	require(qt_utf8_valid(qt_buf_str(out), out->len), "HTML is UTF-8");
	for (i = 0; i < out->len; i++) {
		require(strchr("<>\"'", out->data[i]) == NULL, "no markup");
		require(out->data[i] == '\t' || out->data[i] == '\n' ||
		    !has_control(out->data + i, 1), "no control in HTML");
		if (out->data[i] != '&')
			continue;
		known = false;
		for (k = 0; k < sizeof entities / sizeof entities[0]; k++)
			known |= strncmp(out->data + i, entities[k],
			    strlen(entities[k])) == 0;
		require(known, "every & begins an entity");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	struct qt_buf text, out, back;

	qt_buf_init(&text, 0);
	qt_buf_init(&out, 0);
	qt_buf_init(&back, 0);
	qt_escape_utf8(&text, s, size);
	require(qt_utf8_valid(qt_buf_str(&text), text.len),
	    "the text form is UTF-8");
	require(!qt_utf8_valid(s, size) ||
	    (text.len == size && memcmp(qt_buf_str(&text), s, size) == 0),
	    "valid text is kept");
	check_term(s, size, &out, &back);
	check_json(s, size, &out, &back, &text);
	check_csv(s, size, &out);
	check_tsv(s, size, &out, &back);
	check_html(s, size, &out);
	require(!text.failed && !out.failed && !back.failed, "no append failed");
	qt_buf_release(&text);
	qt_buf_release(&out);
	qt_buf_release(&back);
	return 0;
}
