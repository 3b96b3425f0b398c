/*
 * escape.c - one walk over the bytes, one small table entry a medium.
 *
 * Almost all of a queue is printable ASCII, so the walk looks for the longest
 * run that the medium takes as it is and copies it at once; only what ends a
 * run is looked at by the medium's own function.
 */
#include "qtool/escape.h"

#include <string.h>
#include <wchar.h>

#include "base/word.h"

/* Which media take this ASCII byte as it is; 0 for all bytes above 0x7f. */
enum {
	TERM = 1,
	JSON = 2,
	CSV = 4,
	TSV = 8,
	HTML = 16,
	UTF8 = 32,
	ALL = TERM | JSON | CSV | TSV | HTML | UTF8
};

static const unsigned char plain[256] = {
    [0x00 ... 0x08] = UTF8,
    ['\t'] = UTF8 | CSV | HTML,
    ['\n'] = UTF8 | CSV | HTML,
    [0x0b ... 0x0c] = UTF8,
    ['\r'] = UTF8 | CSV,
    [0x0e ... 0x1f] = UTF8,
    [0x20 ... 0x21] = ALL,
    ['"'] = ALL & ~(JSON | CSV | HTML),
    [0x23 ... 0x25] = ALL,
    ['&'] = ALL & ~HTML,
    ['\''] = ALL & ~HTML,
    [0x28 ... 0x3b] = ALL,
    ['<'] = ALL & ~HTML,
    ['='] = ALL,
    ['>'] = ALL & ~HTML,
    [0x3f ... 0x5b] = ALL,
    ['\\'] = ALL & ~(TERM | JSON | TSV),
    [0x5d ... 0x7e] = ALL,
    [0x7f] = UTF8,
};

size_t qt_utf8_next(const char *s, size_t len, uint32_t *cp)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t c, least;
	size_t n, i;

	if (len == 0)
		return 0;
	if (p[0] < 0x80) {
		c = p[0], n = 1, least = 0;
	} else if ((p[0] & 0xe0) == 0xc0) {
		c = p[0] & 0x1fU, n = 2, least = 0x80;
	} else if ((p[0] & 0xf0) == 0xe0) {
		c = p[0] & 0x0fU, n = 3, least = 0x800;
	} else if ((p[0] & 0xf8) == 0xf0) {
		c = p[0] & 0x07U, n = 4, least = 0x10000;
	} else {
		return 0;
	}
	if (n > len)
		return 0;
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fU);
	}
	if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	if (cp != NULL)
		*cp = c;
	return n;
}

/* How many bytes at s are ASCII: a word at a time while there is one. */
static size_t ascii_run(const char *s, size_t len)
{
	size_t i = 0;
	uint64_t word;

	for (; len - i >= sizeof word; i += sizeof word) {
		memcpy(&word, s + i, sizeof word);
		if ((word & UINT64_C(0x8080808080808080)) != 0)
			break;
	}
	while (i < len && (unsigned char)s[i] < 0x80)
		i++;
	return i;
}

bool qt_utf8_valid(const char *s, size_t len)
{
	size_t i, n;

	/* no pointer arithmetic on an empty text, which may be NULL */
	for (i = 0; i < len; i += n) {
		n = ascii_run(s + i, len - i);
		if (n == 0)
			n = qt_utf8_next(s + i, len - i, NULL);
		if (n == 0)
			return false;
	}
	return true;
}

bool qt_codepoint_hidden(uint32_t cp)
{
	/*
	 * Sorted.  The general category Cf with the controls, the separators
	 * U+2028 and U+2029, the fillers that print as nothing, and the
	 * noncharacters; not the Arabic and Kaithi number signs, which are
	 * Cf but visible.
	 */
	static const struct {
		uint32_t first, last;
	} ranges[] = {
	    {0x0000, 0x001f}, {0x007f, 0x009f}, {0x00ad, 0x00ad},
	    {0x034f, 0x034f}, {0x061c, 0x061c}, {0x115f, 0x1160},
	    {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f},
	    {0x2028, 0x202e}, {0x2060, 0x206f}, {0x3164, 0x3164},
	    {0xfdd0, 0xfdef}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0},
	    {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},
	    {0xe0000, 0xe0fff},
	};
	size_t i;

	if ((cp & 0xfffe) == 0xfffe)
		return true;
	for (i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
		if (cp < ranges[i].first)
			return false;
		if (cp <= ranges[i].last)
			return true;
	}
	return false;
}

/* ---- the walk ---- */

/* How a medium writes what it does not take as it is. */
struct medium {
	unsigned char flag; /* its bit in plain[] */
	/* whether a code point above 0x7f must be written otherwise */
	bool (*refuses)(uint32_t cp);
	/* the ASCII byte s[0], of len that are left */
	void (*ascii)(struct qt_buf *out, const char *s, size_t len);
	/* a refused code point, n bytes at s */
	void (*wide)(struct qt_buf *out, uint32_t cp, const char *s, size_t n);
	/* a byte that is not UTF-8 */
	void (*bad)(struct qt_buf *out, unsigned char byte);
};

/* Eight bytes that every medium but HTML takes as they are. */
static bool plain_word(const struct medium *m, uint64_t w)
{
	return m->flag != HTML && qt_word_printable(w) &&
	       !qt_word_has(w, '"') && !qt_word_has(w, '\\');
}

/* Length of the run at s that the medium takes as it is. */
static size_t safe_run(const struct medium *m, const char *s, size_t len)
{
	size_t i = 0, n;
	uint32_t cp;

	for (;;) {
		while (len - i >= QT_WORD_SIZE &&
		    plain_word(m, qt_word_load(s + i)))
			i += QT_WORD_SIZE;
		while (i < len && (plain[(unsigned char)s[i]] & m->flag) != 0)
			i++;
		if (i == len || (unsigned char)s[i] < 0x80)
			return i;
		n = qt_utf8_next(s + i, len - i, &cp);
		if (n == 0 || m->refuses(cp))
			return i;
		i += n;
	}
}

static void escape(const struct medium *m, struct qt_buf *out, const char *s,
    size_t len)
{
	size_t i = 0, n;
	uint32_t cp;

	/* after a failed append nothing more can come of it */
	while (i < len && !out->failed) {
		n = safe_run(m, s + i, len - i);
		if (n != 0) {
			qt_buf_add(out, s + i, n);
			i += n;
			continue;
		}
		if ((unsigned char)s[i] < 0x80) {
			m->ascii(out, s + i, len - i);
			i++;
			continue;
		}
		n = qt_utf8_next(s + i, len - i, &cp);
		if (n != 0)
			m->wide(out, cp, s + i, n);
		else
			m->bad(out, (unsigned char)s[i]);
		i += n != 0 ? n : 1;
	}
}

static const char hexdigit[] = "0123456789ABCDEF";

static void add_byte(struct qt_buf *out, unsigned char byte)
{
	char hex[4] = {'\\', 'x', hexdigit[byte >> 4], hexdigit[byte & 15]};

	qt_buf_add(out, hex, sizeof hex);
}

static void add_bytes(struct qt_buf *out, uint32_t cp, const char *s, size_t n)
{
	size_t i;

	(void)cp;
	for (i = 0; i < n; i++)
		add_byte(out, (unsigned char)s[i]);
}

static void add_codepoint(struct qt_buf *out, uint32_t cp, const char *s,
    size_t n)
{
	(void)s;
	(void)n;
	qt_buf_addf(out, "\\u{%X}", (unsigned)cp);
}

static bool refuses_none(uint32_t cp)
{
	(void)cp;
	return false;
}

static bool refuses_c1(uint32_t cp)
{
	return cp < 0xa0;
}

/* ---- UTF-8 text ---- */

/* Never reached: plain[] lets every ASCII byte through. */
static void utf8_ascii(struct qt_buf *out, const char *s, size_t len)
{
	(void)len;
	qt_buf_addc(out, *s);
}

void qt_escape_utf8(struct qt_buf *out, const char *s, size_t len)
{
	static const struct medium m = {
	    UTF8, refuses_none, utf8_ascii, add_bytes, add_byte};

	escape(&m, out, s, len);
}

/* ---- terminal ---- */

/*
 * Whether an escape or a letter that would look like one follows at s.  A
 * backslash before it is doubled, so that two different texts never look the
 * same; DOMAIN\bob is left as people write it.
 */
static bool looks_like_escape(const char *s, size_t len)
{
	uint32_t cp;

	if (len == 0)
		return false;
	if (strchr("ntxu\\", *s) != NULL && *s != '\0')
		return true;
	return qt_utf8_next(s, len, &cp) == 0 || qt_codepoint_hidden(cp);
}

static void term_ascii(struct qt_buf *out, const char *s, size_t len)
{
	if (*s == '\n')
		qt_buf_add(out, "\\n", 2);
	else if (*s == '\t')
		qt_buf_add(out, "\\t", 2);
	else if (*s != '\\')
		add_byte(out, (unsigned char)*s);
	else if (looks_like_escape(s + 1, len - 1))
		qt_buf_add(out, "\\\\", 2);
	else
		qt_buf_addc(out, '\\');
}

void qt_escape_term(struct qt_buf *out, const char *s, size_t len)
{
	static const struct medium m = {
	    TERM, qt_codepoint_hidden, term_ascii, add_codepoint, add_byte};

	escape(&m, out, s, len);
}

static void cell_ascii(struct qt_buf *out, const char *s, size_t len)
{
	if (*s == '\\')
		qt_buf_addc(out, '\\');
	else
		term_ascii(out, s, len);
}

void qt_escape_cell(struct qt_buf *out, const char *s, size_t len)
{
	static const struct medium m = {
	    TERM, qt_codepoint_hidden, cell_ascii, add_codepoint, add_byte};

	escape(&m, out, s, len);
}

/* ---- JSON (RFC 8259, section 7) ---- */

static void json_unit(struct qt_buf *out, uint32_t unit)
{
	char hex[6] = {'\\', 'u', hexdigit[unit >> 12 & 15],
	    hexdigit[unit >> 8 & 15], hexdigit[unit >> 4 & 15],
	    hexdigit[unit & 15]};

	qt_buf_add(out, hex, sizeof hex);
}

static void json_ascii(struct qt_buf *out, const char *s, size_t len)
{
	static const char from[] = "\"\\\n\t\r\b\f", to[] = "\"\\ntrbf";
	const char *p = *s != '\0' ? strchr(from, *s) : NULL;
	char pair[2] = {'\\', p != NULL ? to[p - from] : '\0'};

	(void)len;
	if (p != NULL)
		qt_buf_add(out, pair, sizeof pair);
	else
		json_unit(out, (unsigned char)*s);
}

/* The same value to a parser, and harmless when the file is looked at. */
static void json_wide(struct qt_buf *out, uint32_t cp, const char *s, size_t n)
{
	(void)s;
	(void)n;
	if (cp < 0x10000) {
		json_unit(out, cp);
		return;
	}
	cp -= 0x10000;
	json_unit(out, 0xd800 | cp >> 10);
	json_unit(out, 0xdc00 | (cp & 0x3ff));
}

static void json_bad(struct qt_buf *out, unsigned char byte)
{
	qt_buf_addc(out, '\\');
	add_byte(out, byte);
}

void qt_escape_json(struct qt_buf *out, const char *s, size_t len)
{
	static const struct medium m = {
	    JSON, qt_codepoint_hidden, json_ascii, json_wide, json_bad};

	escape(&m, out, s, len);
}

void qt_json_string(struct qt_buf *out, const char *s)
{
	if (s == NULL) {
		qt_buf_adds(out, "null");
		return;
	}
	qt_buf_addc(out, '"');
	qt_escape_json(out, s, strlen(s));
	qt_buf_addc(out, '"');
}

/* ---- CSV (RFC 4180) ---- */

static void csv_ascii(struct qt_buf *out, const char *s, size_t len)
{
	(void)len;
	if (*s == '"')
		qt_buf_add(out, "\"\"", 2);
	else
		add_byte(out, (unsigned char)*s);
}

/*
 * Whether a spreadsheet may take the field for a formula.  Some also do for
 * the full-width forms of = + - @, and skip a line feed before one.
 */
static bool is_formula(const char *s, size_t len)
{
	uint32_t cp;

	if (qt_utf8_next(s, len, &cp) == 0)
		return false;
	switch (cp) {
	case '=': case '+': case '-': case '@':
	case '\t': case '\r': case '\n':
	case 0xff1d: case 0xff0b: case 0xff0d: case 0xff20:
		return true;
	default:
		return false;
	}
}

void qt_escape_csv(struct qt_buf *out, const char *s, size_t len)
{
	static const struct medium m = {
	    CSV, refuses_c1, csv_ascii, add_bytes, add_byte};

	if (is_formula(s, len))
		qt_buf_add(out, "\"'", 2);
	else
		qt_buf_addc(out, '"');
	escape(&m, out, s, len);
	qt_buf_addc(out, '"');
}

/* ---- TSV ---- */

static void tsv_ascii(struct qt_buf *out, const char *s, size_t len)
{
	static const char from[] = "\t\n\r\\", to[] = "tnr\\";
	const char *p = *s != '\0' ? strchr(from, *s) : NULL;
	char pair[2] = {'\\', p != NULL ? to[p - from] : '\0'};

	(void)len;
	if (p != NULL)
		qt_buf_add(out, pair, sizeof pair);
	else
		add_byte(out, (unsigned char)*s);
}

void qt_escape_tsv(struct qt_buf *out, const char *s, size_t len)
{
	static const struct medium m = {
	    TSV, refuses_c1, tsv_ascii, add_bytes, add_byte};

	escape(&m, out, s, len);
}

/* ---- HTML ---- */

static void html_ascii(struct qt_buf *out, const char *s, size_t len)
{
	(void)len;
	switch (*s) {
	case '&':
		qt_buf_adds(out, "&amp;");
		break;
	case '<':
		qt_buf_adds(out, "&lt;");
		break;
	case '>':
		qt_buf_adds(out, "&gt;");
		break;
	case '"':
		qt_buf_adds(out, "&quot;");
		break;
	case '\'':
		qt_buf_adds(out, "&#39;");
		break;
	default:
		add_byte(out, (unsigned char)*s);
		break;
	}
}

void qt_escape_html(struct qt_buf *out, const char *s, size_t len)
{
	static const struct medium m = {
	    HTML, qt_codepoint_hidden, html_ascii, add_codepoint, add_byte};

	escape(&m, out, s, len);
}

/* ---- width ---- */

size_t qt_term_width(const char *s, size_t len)
{
	size_t i, n, width = 0;
	uint32_t cp;
	int w;

	for (i = 0; i < len; i += n) {
		n = ascii_run(s + i, len - i);
		width += n;
		if (n != 0)
			continue;
		n = qt_utf8_next(s + i, len - i, &cp);
		/* what the locale does not know is drawn as one replacement */
		w = n != 0 ? wcwidth((wchar_t)cp) : 1;
		width += w >= 0 ? (size_t)w : 1;
		if (n == 0)
			n = 1;
	}
	return width;
}
