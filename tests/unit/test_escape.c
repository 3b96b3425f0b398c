/*
 * test_escape.c - what each medium gets for hostile bytes.
 */
#include "qtool/escape.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])
#define BYTES(s) s, sizeof(s) - 1

typedef void escape_fn(struct qt_buf *out, const char *s, size_t len);

static const struct escape_case {
	const char *name;
	escape_fn *escape;
	const char *in;
	size_t len;
	const char *want;
} cases[] = {
    {"term: plain text stays", qt_escape_term, BYTES("a@example.com ~"),
	"a@example.com ~"},
    {"term: nothing gives nothing", qt_escape_term, NULL, 0, ""},
    {"term: colour sequence is shown", qt_escape_term, BYTES("\033[31m"),
	"\\x1B[31m"},
    {"term: NUL and DEL", qt_escape_term, BYTES("a\0b\177"),
	"a\\x00b\\x7F"},
    {"term: newline and tab", qt_escape_term, BYTES("a\n\tb\r"),
	"a\\n\\tb\\x0D"},
    {"term: C1 control", qt_escape_term, BYTES("\xc2\x9b"), "\\u{9B}"},
    {"term: raw C1 byte is no UTF-8", qt_escape_term, BYTES("\x9b"), "\\x9B"},
    {"term: accents and CJK stay", qt_escape_term,
	BYTES("\xc3\xa9 \xe6\x97\xa5"), "\xc3\xa9 \xe6\x97\xa5"},
    {"term: emoji stays", qt_escape_term, BYTES("\xf0\x9f\x98\x80"),
	"\xf0\x9f\x98\x80"},
    {"term: right-to-left override", qt_escape_term,
	BYTES("gpj\xe2\x80\xae" "exe"), "gpj\\u{202E}exe"},
    {"term: bidi isolate", qt_escape_term, BYTES("\xe2\x81\xa6"),
	"\\u{2066}"},
    {"term: zero width space", qt_escape_term, BYTES("a\xe2\x80\x8b" "b"),
	"a\\u{200B}b"},
    {"term: byte order mark", qt_escape_term, BYTES("\xef\xbb\xbf"),
	"\\u{FEFF}"},
    {"term: line separator", qt_escape_term, BYTES("\xe2\x80\xa8"),
	"\\u{2028}"},
    {"term: tag character", qt_escape_term, BYTES("\xf3\xa0\x81\x81"),
	"\\u{E0041}"},
    {"term: soft hyphen", qt_escape_term, BYTES("\xc2\xad"), "\\u{AD}"},
    {"term: Latin-1 byte", qt_escape_term, BYTES("caf\xe9"), "caf\\xE9"},
    {"term: overlong slash", qt_escape_term, BYTES("\xc0\xaf"),
	"\\xC0\\xAF"},
    {"term: surrogate", qt_escape_term, BYTES("\xed\xa0\x80"),
	"\\xED\\xA0\\x80"},
    {"term: cut sequence at the end", qt_escape_term, BYTES("a\xe2\x82"),
	"a\\xE2\\x82"},
    {"term: backslash in a login stays", qt_escape_term, BYTES("DOM\\bob"),
	"DOM\\bob"},
    {"term: backslash at the end stays", qt_escape_term, BYTES("a\\"), "a\\"},
    {"term: backslash before n is doubled", qt_escape_term, BYTES("a\\nb"),
	"a\\\\nb"},
    {"term: backslash before u is doubled", qt_escape_term,
	BYTES("DOM\\user"), "DOM\\\\user"},
    {"term: backslash before a newline is doubled", qt_escape_term,
	BYTES("a\\\nb"), "a\\\\\\nb"},
    {"term: backslash before a bad byte is doubled", qt_escape_term,
	BYTES("\\\xff"), "\\\\\\xFF"},
    {"term: two backslashes", qt_escape_term, BYTES("\\\\"), "\\\\\\"},

    {"cell: backslashes stay", qt_escape_cell, BYTES("DOM\\tom \\xE9\\\\"),
	"DOM\\tom \\xE9\\\\"},
    {"cell: what drives a terminal is shown", qt_escape_cell,
	BYTES("\033[31m\n\xe9\xc2\x9b\xe2\x80\xae"),
	"\\x1B[31m\\n\\xE9\\u{9B}\\u{202E}"},

    {"utf8: controls are kept", qt_escape_utf8, BYTES("\033\n\177"),
	"\033\n\177"},
    {"utf8: bad bytes are written out", qt_escape_utf8,
	BYTES("a\xff\xc3\xa9\x80"), "a\\xFF\xc3\xa9\\x80"},
    {"utf8: backslash is kept", qt_escape_utf8, BYTES("\\x"), "\\x"},

    {"json: quote and backslash", qt_escape_json, BYTES("\"\\/"),
	"\\\"\\\\/"},
    {"json: short escapes", qt_escape_json, BYTES("\b\f\n\r\t"),
	"\\b\\f\\n\\r\\t"},
    {"json: other controls", qt_escape_json, BYTES("\0\033\177"),
	"\\u0000\\u001B\\u007F"},
    {"json: C1 control", qt_escape_json, BYTES("\xc2\x85"), "\\u0085"},
    {"json: line separator", qt_escape_json, BYTES("\xe2\x80\xa8"),
	"\\u2028"},
    {"json: tag character as a surrogate pair", qt_escape_json,
	BYTES("\xf3\xa0\x81\x81"), "\\uDB40\\uDC41"},
    {"json: UTF-8 stays", qt_escape_json, BYTES("\xc3\xa9"), "\xc3\xa9"},
    {"json: bad byte", qt_escape_json, BYTES("\xe9"), "\\\\xE9"},

    {"csv: plain", qt_escape_csv, BYTES("a"), "\"a\""},
    {"csv: nothing", qt_escape_csv, NULL, 0, "\"\""},
    {"csv: quotes are doubled", qt_escape_csv, BYTES("a\"b,c"),
	"\"a\"\"b,c\""},
    {"csv: line breaks stay inside", qt_escape_csv, BYTES("a\r\nb"),
	"\"a\r\nb\""},
    {"csv: controls and bad bytes", qt_escape_csv, BYTES("a\033\xe9\xc2\x85"),
	"\"a\\x1B\\xE9\\xC2\\x85\""},
    {"csv: formula =", qt_escape_csv, BYTES("=cmd|x"), "\"'=cmd|x\""},
    {"csv: formula +", qt_escape_csv, BYTES("+1"), "\"'+1\""},
    {"csv: formula -", qt_escape_csv, BYTES("-1"), "\"'-1\""},
    {"csv: formula @", qt_escape_csv, BYTES("@SUM"), "\"'@SUM\""},
    {"csv: TAB first", qt_escape_csv, BYTES("\t=1"), "\"'\t=1\""},
    {"csv: CR first", qt_escape_csv, BYTES("\r=1"), "\"'\r=1\""},
    {"csv: full-width equals sign", qt_escape_csv, BYTES("\xef\xbc\x9d" "1"),
	"\"'\xef\xbc\x9d" "1\""},
    {"csv: formula sign inside is harmless", qt_escape_csv, BYTES("a=1"),
	"\"a=1\""},

    {"tsv: separators", qt_escape_tsv, BYTES("a\tb\nc\rd\\e"),
	"a\\tb\\nc\\rd\\\\e"},
    {"tsv: controls and bad bytes", qt_escape_tsv, BYTES("\0\033\xff\xc2\x85"),
	"\\x00\\x1B\\xFF\\xC2\\x85"},
    {"tsv: quote stays", qt_escape_tsv, BYTES("\"a\""), "\"a\""},

    {"html: markup", qt_escape_html, BYTES("<a href=\"x\">'&"),
	"&lt;a href=&quot;x&quot;&gt;&#39;&amp;"},
    {"html: controls", qt_escape_html, BYTES("a\0\033\n\t"),
	"a\\x00\\x1B\n\t"},
    {"html: bidi override", qt_escape_html, BYTES("\xe2\x80\xae"),
	"\\u{202E}"},
    {"html: bad byte", qt_escape_html, BYTES("\xff"), "\\xFF"},
};

static void check_case(void **state)
{
	const struct escape_case *c = *state;
	struct qt_buf b;

	qt_buf_init(&b, 0);
	qt_buf_adds(&b, "x"); /* escapers append */
	c->escape(&b, c->in, c->len);
	assert_string_equal(qt_buf_str(&b) + 1, c->want);
	assert_int_equal(b.len, strlen(c->want) + 1);
	qt_buf_release(&b);
}

/* Long enough for every step of the fast paths to meet the special byte. */
static void special_byte_at_every_place(void **state)
{
	char text[41];
	struct qt_buf b;
	size_t at;

	(void)state;
	qt_buf_init(&b, 0);
	for (at = 0; at < 40; at++) {
		memset(text, 'a', sizeof text);
		text[at] = '\xff';
		assert_false(qt_utf8_valid(text, 40));
		assert_true(qt_utf8_valid(text, at));
		text[at] = '"';
		qt_buf_clear(&b);
		qt_escape_json(&b, text, 40);
		assert_int_equal(b.len, 41);
		assert_memory_equal(b.data + at, "\\\"", 2);
	}
	qt_buf_release(&b);
}

static void utf8_next_reads_what_rfc_3629_allows(void **state)
{
	static const struct {
		const char *s;
		size_t len, n;
		uint32_t cp;
	} t[] = {
	    {"", 0, 0, 0}, {BYTES("A"), 1, 'A'}, {BYTES("\0"), 1, 0},
	    {BYTES("\x7f"), 1, 0x7f}, {BYTES("\x80"), 0, 0},
	    {BYTES("\xc1\xbf"), 0, 0}, {BYTES("\xc2\x80"), 2, 0x80},
	    {BYTES("\xdf\xbf"), 2, 0x7ff}, {BYTES("\xe0\x9f\xbf"), 0, 0},
	    {BYTES("\xe0\xa0\x80"), 3, 0x800},
	    {BYTES("\xed\x9f\xbf"), 3, 0xd7ff}, {BYTES("\xed\xa0\x80"), 0, 0},
	    {BYTES("\xed\xbf\xbf"), 0, 0}, {BYTES("\xee\x80\x80"), 3, 0xe000},
	    {BYTES("\xef\xbf\xbf"), 3, 0xffff},
	    {BYTES("\xf0\x8f\xbf\xbf"), 0, 0},
	    {BYTES("\xf0\x90\x80\x80"), 4, 0x10000},
	    {BYTES("\xf4\x8f\xbf\xbf"), 4, 0x10ffff},
	    {BYTES("\xf4\x90\x80\x80"), 0, 0}, {BYTES("\xf8\x88\x80\x80\x80"), 0, 0},
	    {BYTES("\xe2\x82"), 0, 0}, {BYTES("\xe2\x28\xa1"), 0, 0},
	};
	uint32_t cp;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(t); i++) {
		cp = 0;
		assert_int_equal(qt_utf8_next(t[i].s, t[i].len, &cp), t[i].n);
		assert_int_equal(cp, t[i].cp);
	}
}

static void width_counts_columns(void **state)
{
	(void)state;
	assert_int_equal(qt_term_width(NULL, 0), 0);
	assert_int_equal(qt_term_width(BYTES("abc")), 3);
	assert_int_equal(qt_term_width(BYTES("\xc3\xa9t\xc3\xa9")), 3);
	assert_int_equal(qt_term_width(BYTES("\xe6\x97\xa5\xe6\x9c\xac")), 4);
	assert_int_equal(qt_term_width(BYTES("e\xcc\x81")), 1);
}

static void json_strings_have_their_quotes(void **state)
{
	struct qt_buf b;

	(void)state;
	qt_buf_init(&b, 0);
	qt_json_string(&b, "a\"b");
	qt_buf_addc(&b, ' ');
	qt_json_string(&b, "");
	qt_buf_addc(&b, ' ');
	qt_json_string(&b, NULL);
	assert_string_equal(qt_buf_str(&b), "\"a\\\"b\" \"\" null");
	qt_buf_release(&b);
}

static void a_full_buffer_fails_and_stays_bounded(void **state)
{
	struct qt_buf b;
	struct qt_error err;
	char text[1000];

	(void)state;
	memset(text, '\1', sizeof text);
	qt_buf_init(&b, 100);
	qt_escape_json(&b, text, sizeof text);
	assert_int_equal(qt_buf_check(&b, &err), -1);
	assert_int_equal(err.code, QT_E_NOMEM);
	assert_in_range(b.len, 0, 100);
	qt_buf_release(&b);
}

int main(void)
{
	static const struct CMUnitTest plain[] = {
	    cmocka_unit_test(special_byte_at_every_place),
	    cmocka_unit_test(utf8_next_reads_what_rfc_3629_allows),
	    cmocka_unit_test(width_counts_columns),
	    cmocka_unit_test(json_strings_have_their_quotes),
	    cmocka_unit_test(a_full_buffer_fails_and_stays_bounded),
	};
	struct CMUnitTest tests[LENGTH(cases) + LENGTH(plain)] = {0};
	size_t i;

	/* only a UTF-8 locale knows the widths */
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		return 1;
	for (i = 0; i < LENGTH(cases); i++) {
		tests[i].name = cases[i].name;
		tests[i].test_func = check_case;
		tests[i].initial_state = (void *)(uintptr_t)&cases[i];
	}
	memcpy(tests + LENGTH(cases), plain, sizeof plain);
	return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
