/*
 * test_content.c - a message's text and its header fields.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qtool/message.h"
#include "records.h"

/* ---- text ---- */

struct text_case {
	const char *name;
	struct lit e[16];
	const char *text;  /* with LF for each line end */
	const char *error; /* part of it, NULL: ends at X */
	int at;		   /* entry */
	bool open;	   /* the last line has no end */
};

static const struct text_case text_cases[] = {
    {"lines", {L("Na"), L("N"), L("Nb"), L("X")}, "a\n\nb\n", NULL, 0, false},
    {"nothing", {L("X")}, "", NULL, 0, false},
    {"a split line", {L("La"), L("Lb"), L("Nc"), L("Nd"), L("X")}, "abc\nd\n",
	NULL, 0, false},
    {"a split that ends empty", {L("La"), L("N"), L("X")}, "a\n", NULL, 0,
	false},
    {"empty L", {L("L"), L("La"), L("L"), L("Nb"), L("X")}, "ab\n", NULL, 0,
	false},
    {"the last line is open", {L("Na"), L("Lb"), L("X")}, "a\nb", NULL, 0,
	true},
    {"padding", {L("Na"), L("w   0"), L("Nb"), L("X")}, "a\nb\n", NULL, 0,
	false},
    {"heap", {L("Na"), L("p@4"), L("X"), L("E"), L("Nb"), L("p@2")}, "a\nb\n",
	NULL, 0, false},
    {"CR, LF and bytes above 127 as they are", {L("Na\r\nb\xff\x01"), L("X")},
	"a\r\nb\xff\x01\n", NULL, 0, false},
    {"a recipient in it", {L("Na"), L("Rb"), L("X")}, "a\n",
	"record type R in the content", 1, false},
    {"E in it", {L("Na"), L("E")}, "a\n", "record type E in the content", 1,
	false},
    {"the file ends", {L("Na")}, "a\n", "ends in the content", -1, false},
    {"the file ends in a record", {L("Na"), L("!N\x05xx")}, "a\n",
	"ends in a record", 1, false},
    {"bad pointer", {L("Na"), L("p-1"), L("X")}, "a\n", "pointer", 1, false},
};

static void check_text(const struct text_case *c, size_t window)
{
	struct qfile f;
	struct slit s;
	struct qt_content content;
	struct qt_piece piece;
	struct qt_error err = {0};
	struct qt_buf b;
	int rc;

	qfile_build(&f, c->e);
	slit_init(&s, f.bytes, f.len, window, window % 7);
	qt_buf_init(&b, 0);
	qt_content_init(&content, &s.in, 0);
	while ((rc = qt_content_next(&content, &piece, &err)) == 0) {
		qt_buf_add(&b, piece.data, piece.len);
		if (piece.eol)
			qt_buf_addc(&b, '\n');
	}
	if (strcmp(qt_buf_str(&b), c->text) != 0 ||
	    (rc < 0) != (c->error != NULL))
		fail_msg("%s: %d %s", c->name, rc, qt_buf_str(&b));
	if (rc < 0) {
		assert_int_equal(err.code, QT_E_CORRUPT);
		assert_non_null(strstr(err.text, c->error));
		assert_int_equal(err.offset, c->at >= 0 ? f.at[c->at] : f.len);
	} else {
		assert_int_equal(content.open_line, c->open);
		/* the end is there to be found again */
		assert_int_equal(qt_content_next(&content, &piece, &err), 1);
	}
	qt_buf_release(&b);
	slit_release(&s);
}

static void test_text(void **state)
{
	size_t i, window;

	(void)state;
	for (i = 0; i < sizeof text_cases / sizeof text_cases[0]; i++)
		for (window = 0; window <= 17; window++)
			check_text(&text_cases[i], window);
}

static void test_nul_is_kept(void **state)
{
	static const struct lit e[] = {L("Na\0b"), L("X"), {NULL, 0}};
	struct qfile f;
	struct qt_input in;
	struct qt_content content;
	struct qt_piece piece;
	struct qt_error err = {0};

	(void)state;
	qfile_build(&f, e);
	qt_input_bytes(&in, f.bytes, f.len);
	qt_content_init(&content, &in, 0);
	assert_int_equal(qt_content_next(&content, &piece, &err), 0);
	assert_int_equal(piece.len, 3);
	assert_memory_equal(piece.data, "a\0b", 3);
	assert_true(piece.eol);
}

/* A record longer than what a piece may have comes in several. */
static void test_long_record(void **state)
{
	const size_t n = 3 * QT_RECORD_DATA_MAX + 5;
	unsigned char *b = malloc(n + 7);
	struct slit s;
	struct qt_content content;
	struct qt_piece piece;
	struct qt_error err = {0};
	size_t got = 0, i;
	unsigned pieces = 0;
	int rc;

	(void)state;
	assert_non_null(b);
	for (i = 0; i < n; i++)
		b[4 + i] = (unsigned char)(i % 251);
	b[0] = 'N';
	b[1] = (unsigned char)((n & 0x7f) | 0x80);
	b[2] = (unsigned char)((n >> 7 & 0x7f) | 0x80);
	b[3] = (unsigned char)(n >> 14);
	memcpy(b + 4 + n, "X\x00", 2);
	slit_init(&s, b, n + 6, 0, 0);
	qt_content_init(&content, &s.in, 0);
	while ((rc = qt_content_next(&content, &piece, &err)) == 0) {
		assert_memory_equal(piece.data, b + 4 + got, piece.len);
		got += piece.len;
		assert_int_equal(piece.eol, got == n);
		pieces++;
	}
	assert_int_equal(rc, 1);
	assert_int_equal(got, n);
	assert_int_equal(content.total, n);
	assert_int_equal(pieces, 4);
	slit_release(&s);
	free(b);
}

/* A loop in the text: Postfix delivers it 10000 times, we do not read on. */
static void test_text_loop(void **state)
{
	static const struct lit e[] = {L("Na"),
	    L("N0123456789012345678901234567890123456789"), L("p@1"), L("X"),
	    {NULL, 0}};
	struct qfile f;
	struct qt_input in;
	struct qt_content content;
	struct qt_piece piece;
	struct qt_error err = {0};
	int rc;

	(void)state;
	qfile_build(&f, e);
	qt_input_bytes(&in, f.bytes, f.len);
	qt_content_init(&content, &in, 0);
	do
		rc = qt_content_next(&content, &piece, &err);
	while (rc == 0);
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, QT_E_CORRUPT);
	assert_true(content.total <= 5 * f.len);
}

/* ---- header ---- */

struct header_case {
	const char *name;
	struct lit e[16];
	const char *fields; /* "name|value|" of each */
	int body;	    /* entry where the body starts, -1: none */
};

static const struct header_case header_cases[] = {
    {"ordinary",
	{L("NReceived: from x"), L("N\tby y"), L("NSubject: hello"), L("N"),
	    L("NNot: this"), L("X")},
	"Received|from x\tby y|Subject|hello|", 4},
    {"no header", {L("Nhello"), L("X")}, "", 0},
    {"empty line first", {L("N"), L("NSubject: x"), L("X")}, "", 1},
    {"no text at all", {L("X")}, "", -1},
    {"header only", {L("NSubject: x"), L("X")}, "Subject|x|", -1},
    {"body without an empty line", {L("NSubject: x"), L("Nhello"), L("X")},
	"Subject|x|", 1},
    {"white space first is no continuation",
	{L("N Subject: x"), L("NTo: y"), L("X")}, "", 0},
    {"a line of blanks continues",
	{L("NSubject: x"), L("N "), L("NTo: y"), L("N"), L("X")},
	"Subject|x |To|y|", 4},
    {"value on the next line", {L("NSubject:"), L("N \thello"), L("N"), L("X")},
	"Subject|hello|", 3},
    {"blanks before the colon", {L("NSubject \t: x"), L("N"), L("X")},
	"Subject|x|", 2},
    {"no value", {L("NSubject:"), L("N"), L("X")}, "Subject||", 2},
    {"trailing blanks stay", {L("NSubject: x "), L("N"), L("X")}, "Subject|x |",
	2},
    {"a colon without a name", {L("NTo: y"), L("N: x"), L("X")}, "To|y|", 1},
    {"a name with a blank in it", {L("NTo: y"), L("NBad name: x"), L("X")},
	"To|y|", 1},
    {"a name with 8-bit bytes", {L("NTo: y"), L("NB\xc3\xa4h: x"), L("X")},
	"To|y|", 1},
    {"a split line is one",
	{L("LSub"), L("Lject"), L("N: hel"), L("N\tlo"), L("N"), L("X")},
	"Subject|hel\tlo|", 5},
    {"a split continuation",
	{L("NSubject: a"), L("L b"), L("Nc"), L("N"), L("X")}, "Subject|a bc|",
	4},
    {"a blank behind a split is no continuation mark",
	{L("LSubject:"), L("N x"), L("N"), L("X")}, "Subject|x|", 3},
    {"ends in an open line", {L("NTo: y"), L("LSubject: x"), L("X")},
	"To|y|Subject|x|", -1},
    {"moved into the heap",
	{L("NTo: y"), L("p@6"), L("N"), L("Nbody"), L("X"), L("E"),
	    L("NSubject: x"), L("N z"), L("p@2")},
	"To|y|Subject|x z|", 3},
    {"long field names",
	{L("NX-0123456789012345678901234567890123: x"), L("N"), L("X")},
	"X-0123456789012345678901234567890123|x|", 2},
};

static void check_header(const struct header_case *c, size_t window)
{
	struct qfile f;
	struct slit s;
	struct qt_content content;
	struct qt_headers h;
	struct qt_error err = {0};
	struct qt_arena arena;
	struct qt_buf b;
	size_t i;

	qfile_build(&f, c->e);
	slit_init(&s, f.bytes, f.len, window, window % 7);
	qt_arena_init(&arena, 0);
	qt_buf_init(&b, 0);
	qt_content_init(&content, &s.in, 0);
	if (qt_headers_read(&h, &content, 100000, &arena, &err) != 0)
		fail_msg("%s: %s", c->name, err.text);
	for (i = 0; i < h.n; i++) {
		assert_int_equal(strlen(h.v[i].value), h.v[i].value_len);
		qt_buf_addf(&b, "%s|%s|", h.v[i].name, h.v[i].value);
	}
	if (strcmp(qt_buf_str(&b), c->fields) != 0)
		fail_msg("%s: %s", c->name, qt_buf_str(&b));
	assert_false(h.truncated);
	if (h.body != (c->body < 0 ? 0 : f.at[c->body]))
		fail_msg("%s: body at %u", c->name, (unsigned)h.body);
	qt_buf_release(&b);
	qt_arena_release(&arena);
	slit_release(&s);
}

static void test_headers(void **state)
{
	size_t i, window;

	(void)state;
	for (i = 0; i < sizeof header_cases / sizeof header_cases[0]; i++)
		for (window = 0; window <= 17; window++)
			check_header(&header_cases[i], window);
}

static void test_header_limit(void **state)
{
	static const struct lit e[] = {
	    L("NTo: 01234567"), L("NSubject: 012"), L("N"), L("X"), {NULL, 0}};
	/* bytes with their line ends: 13 + 13 */
	static const struct {
		size_t max;
		bool truncated;
		size_t n;
		const char *last;
	} cases[] = {{26, false, 2, "012"}, {25, true, 2, "012"},
	    {24, true, 2, "01"}, {22, true, 2, ""}, {21, true, 2, ""},
	    {20, true, 1, "01234567"}, {13, true, 1, "01234567"},
	    {5, true, 1, "0"}, {3, true, 1, ""}, {2, true, 0, NULL},
	    {0, true, 0, NULL}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct qfile f;
		struct qt_input in;
		struct qt_content content;
		struct qt_headers h;
		struct qt_error err = {0};
		struct qt_arena arena;

		qfile_build(&f, e);
		qt_input_bytes(&in, f.bytes, f.len);
		qt_arena_init(&arena, 0);
		qt_content_init(&content, &in, 0);
		assert_int_equal(
		    qt_headers_read(&h, &content, cases[i].max, &arena, &err),
		    0);
		if (h.truncated != cases[i].truncated || h.n != cases[i].n)
			fail_msg("%zu: %zu fields", cases[i].max, h.n);
		if (h.n != 0)
			assert_string_equal(h.v[h.n - 1].value, cases[i].last);
		qt_arena_release(&arena);
	}
}

static void test_header_values_may_have_nul(void **state)
{
	static const struct lit e[] = {
	    L("NSubject: a\0b"), L("N"), L("X"), {NULL, 0}};
	struct qfile f;
	struct qt_input in;
	struct qt_content content;
	struct qt_headers h;
	struct qt_error err = {0};
	struct qt_arena arena;
	const struct qt_header *subject;

	(void)state;
	qfile_build(&f, e);
	qt_input_bytes(&in, f.bytes, f.len);
	qt_arena_init(&arena, 0);
	qt_content_init(&content, &in, 0);
	assert_int_equal(qt_headers_read(&h, &content, 1000, &arena, &err), 0);
	subject = qt_headers_find(&h, "sUBJECT");
	assert_non_null(subject);
	assert_int_equal(subject->value_len, 3);
	assert_memory_equal(subject->value, "a\0b", 4);
	assert_null(qt_headers_find(&h, "Subjec"));
	assert_null(qt_headers_find(&h, "Subject2"));
	qt_arena_release(&arena);
}

static void test_broken_content_is_told(void **state)
{
	static const struct lit e[] = {L("NSubject: a"), L("Rb"), {NULL, 0}};
	struct qfile f;
	struct qt_input in;
	struct qt_content content;
	struct qt_headers h;
	struct qt_error err = {0};
	struct qt_arena arena;

	(void)state;
	qfile_build(&f, e);
	qt_input_bytes(&in, f.bytes, f.len);
	qt_arena_init(&arena, 0);
	qt_content_init(&content, &in, 0);
	assert_int_equal(qt_headers_read(&h, &content, 1000, &arena, &err), -1);
	assert_int_equal(err.code, QT_E_CORRUPT);
	assert_int_equal(err.offset, f.at[1]);
	/* what came before is there */
	assert_int_equal(h.n, 1);
	assert_string_equal(h.v[0].value, "a");
	qt_arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_nul_is_kept),
	    cmocka_unit_test(test_long_record),
	    cmocka_unit_test(test_text_loop),
	    cmocka_unit_test(test_headers),
	    cmocka_unit_test(test_header_limit),
	    cmocka_unit_test(test_header_values_may_have_nul),
	    cmocka_unit_test(test_broken_content_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
