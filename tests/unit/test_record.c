/*
 * test_record.c - record framing and the cursor.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "records.h"

/* ---- lengths ---- */

struct length_case {
	const char *name;
	const char *bytes;
	size_t len;
	int rc;		  /* of the first qt_cursor_next */
	uint64_t length;  /* rc 0 */
	unsigned flags;	  /* rc 0 */
	const char *text; /* rc -1: part of the error */
};

#define B(s) s, sizeof s - 1
static const struct length_case length_cases[] = {
    {"empty file", B(""), 1, 0, 0, NULL},
    {"no length", B("S"), -1, 0, 0, "ends in a record's length"},
    {"empty payload", B("S\x00"), 0, 0, 0, NULL},
    {"one byte",
	B("S\x01"
	  "a"),
	0, 1, 0, NULL},
    {"length byte says more follow, none does", B("S\x81"), -1, 0, 0,
	"ends in a record's length"},
    {"payload cut short",
	B("S\x03"
	  "ab"),
	-1, 0, 0, "ends in a record"},
    {"payload missing", B("S\x7f"), -1, 0, 0, "ends in a record"},
    {"overlong, two bytes",
	B("S\x81\x00"
	  "a"),
	0, 1, 0, NULL},
    {"overlong, four bytes",
	B("S\x81\x80\x80\x00"
	  "a"),
	0, 1, 0, NULL},
    {"overlong, five bytes: flagged",
	B("S\x81\x80\x80\x80\x00"
	  "a"),
	0, 1, QT_RECORD_LEN5, NULL},
    {"six bytes",
	B("S\x81\x80\x80\x80\x80\x00"
	  "a"),
	-1, 0, 0, "out of range"},
    {"five bytes, sign bit",
	B("S\x81\x80\x80\x80\x08"
	  "a"),
	-1, 0, 0, "out of range"},
    {"five bytes, bits that an int loses",
	B("S\x81\x80\x80\x80\x10"
	  "a"),
	-1, 0, 0, "out of range"},
    {"five bytes, largest int, past the end",
	B("S\xff\xff\xff\xff\x07"
	  "a"),
	-1, 0, 0, "ends in a record"},
    {"four bytes, largest, past the end",
	B("S\xff\xff\xff\x7f"
	  "a"),
	-1, 0, 0, "ends in a record"},
    {"NUL in the payload",
	B("S\x03"
	  "a\0b"),
	0, 3, QT_RECORD_NUL, NULL},
    {"type 0",
	B("\x00\x01"
	  "a"),
	0, 1, 0, NULL},
};

static void test_lengths(void **state)
{
	size_t i, window;

	(void)state;
	for (i = 0; i < sizeof length_cases / sizeof length_cases[0]; i++) {
		const struct length_case *c = &length_cases[i];

		for (window = 0; window < 18; window++) {
			struct slit s;
			struct qt_cursor cur;
			struct qt_record rec;
			struct qt_error err = {0};
			int rc;

			slit_init(&s, c->bytes, c->len, window, window / 2);
			qt_cursor_init(&cur, &s.in, 0);
			rc = qt_cursor_next(&cur, &rec, &err);
			if (rc != c->rc)
				fail_msg("%s: %d", c->name, rc);
			if (rc == 0) {
				assert_int_equal(rec.length, c->length);
				assert_int_equal(rec.flags, c->flags);
				assert_int_equal(
				    rec.type, (unsigned char)c->bytes[0]);
				assert_int_equal(
				    qt_cursor_next(&cur, &rec, &err), 1);
			} else if (rc < 0) {
				assert_int_equal(err.code, QT_E_CORRUPT);
				assert_int_equal(err.offset, 0);
				if (strstr(err.text, c->text) == NULL)
					fail_msg("%s: %s", c->name, err.text);
			}
			slit_release(&s);
		}
	}
}

static void test_long_record_is_cut_not_believed(void **state)
{
	const size_t n = QT_RECORD_DATA_MAX + 10;
	unsigned char *b = calloc(1, n + 8);
	struct qt_cursor cur;
	struct qt_input in;
	struct qt_record rec;
	struct qt_error err = {0};

	(void)state;
	assert_non_null(b);
	memset(b, 'x', n + 8);
	memcpy(b, "N\x8a\x80\x04", 4); /* 65546 */
	memcpy(b + 4 + n, "E\x00", 2);
	qt_input_bytes(&in, b, 4 + n + 2);
	qt_cursor_init(&cur, &in, 0);
	assert_int_equal(qt_cursor_next(&cur, &rec, &err), 0);
	assert_int_equal(rec.length, n);
	assert_int_equal(rec.data_len, QT_RECORD_DATA_MAX);
	assert_int_equal(rec.flags, QT_RECORD_CUT);
	assert_int_equal(rec.payload, 4);
	assert_int_equal(qt_cursor_next(&cur, &rec, &err), 0);
	assert_int_equal(rec.type, 'E');
	assert_int_equal(rec.offset, 4 + n);
	free(b);
}

/* ---- pointers ---- */

struct order_case {
	const char *name;
	unsigned flags;
	struct lit e[12];
	/* what comes, each as type letter and offset/read_offset entry */
	const char *types;
	int offset[12], read[12];
	const char *text; /* error after them, NULL: clean end */
	int error_at;	  /* entry */
};

static const struct order_case order_cases[] = {
    {"a pointer is followed", 0,
	{L("Sa"), L("p@4"), L("Rdead"), L("E"), L("Rb"), L("p@3")}, "SRE",
	{0, 4, 3}, {0, 1, 5}, NULL, 0},
    {"shown, then followed", QT_CURSOR_POINTERS,
	{L("Sa"), L("p@4"), L("Rdead"), L("E"), L("Rb"), L("p@3")}, "SpRpE",
	{0, 1, 4, 5, 3}, {0, 1, 4, 5, 3}, NULL, 0},
    {"raw order goes on after E", QT_CURSOR_RAW,
	{L("Sa"), L("p@4"), L("Rdead"), L("E"), L("Rb"), L("p@3")}, "SpRERp",
	{0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 4, 5}, NULL, 0},
    {"padding is passed", 0, {L("Na"), L("w    0"), L("Nb"), L("E")}, "NNE",
	{0, 2, 3}, {0, 1, 3}, NULL, 0},
    {"padding is shown", QT_CURSOR_PADDING,
	{L("Na"), L("w    0"), L("Nb"), L("E")}, "NwNE", {0, 1, 2, 3},
	{0, 1, 2, 3}, NULL, 0},
    {"0 goes nowhere", 0, {L("p              0"), L("E")}, "E", {1}, {0}, NULL,
	0},
    {"no digits are 0", 0, {L("p"), L("p  "), L("E")}, "E", {2}, {0}, NULL, 0},
    {"all white space before the digits", 0, {L("p \t\v\f\r\n0"), L("E")}, "E",
	{1}, {0}, NULL, 0},
    {"narrow", 0, {L("p4"), L("!x"), L("E")}, "E", {2}, {0}, NULL, 0},
    {"digits end at a NUL", 0, {L("p5\0x"), L("E")}, "E", {1}, {0}, NULL, 0},
    {"a blank after the digits", 0, {L("Sa"), L("p4 "), L("E")}, "S", {0}, {0},
	"pointer record", 1},
    {"letters after the digits", 0, {L("p4x"), L("E")}, "", {0}, {0},
	"pointer record", 0},
    {"a sign", 0, {L("p+4"), L("E")}, "", {0}, {0}, "pointer record", 0},
    {"negative", 0, {L("p-4"), L("E")}, "", {0}, {0}, "pointer record", 0},
    {"hexadecimal", 0, {L("p0x4"), L("E")}, "", {0}, {0}, "pointer record", 0},
    {"overflow", 0, {L("p9223372036854775808"), L("E")}, "", {0}, {0},
	"pointer record", 0},
    {"largest offset", 0, {L("p9223372036854775807"), L("E")}, "", {0}, {0},
	NULL, 0},
    {"past the end", 0, {L("Sa"), L("p999"), L("E")}, "S", {0}, {0}, NULL, 0},
    {"bad, but shown", QT_CURSOR_POINTERS, {L("Sa"), L("p-4"), L("E")}, "Sp",
	{0, 1}, {0, 1}, "pointer record", 1},
    {"bad, raw", QT_CURSOR_RAW, {L("p-4"), L("E")}, "pE", {0, 1}, {0, 1}, NULL,
	0},
    {"no end record", 0, {L("Sa")}, "S", {0}, {0}, NULL, 0},
    {"behind E is the heap", 0, {L("Sa"), L("E"), L("!garbage")}, "SE", {0, 1},
	{0, 1}, NULL, 0},
};

static void check_order(const struct order_case *c, size_t window)
{
	struct qfile f;
	struct slit s;
	struct qt_cursor cur;
	struct qt_record rec;
	struct qt_error err = {0};
	size_t i;
	int rc;

	qfile_build(&f, c->e);
	slit_init(&s, f.bytes, f.len, window, window % 5);
	qt_cursor_init(&cur, &s.in, c->flags);
	for (i = 0; (rc = qt_cursor_next(&cur, &rec, &err)) == 0; i++) {
		if (c->types[i] != rec.type ||
		    f.at[c->offset[i]] != rec.offset ||
		    f.at[c->read[i]] != rec.read_offset)
			fail_msg("%s: record %zu is %c at %u read from %u",
			    c->name, i, rec.type, (unsigned)rec.offset,
			    (unsigned)rec.read_offset);
	}
	if (i != strlen(c->types))
		fail_msg("%s: %zu records", c->name, i);
	if ((rc < 0) != (c->text != NULL))
		fail_msg("%s: ends with %d %s", c->name, rc, err.text);
	if (rc < 0) {
		assert_int_equal(err.code, QT_E_CORRUPT);
		assert_int_equal(err.offset, f.at[c->error_at]);
		assert_non_null(strstr(err.text, c->text));
	}
	slit_release(&s);
}

static void test_order(void **state)
{
	size_t i, window;

	(void)state;
	for (i = 0; i < sizeof order_cases / sizeof order_cases[0]; i++)
		for (window = 0; window < 18; window++)
			check_order(&order_cases[i], window);
}

/* ---- loops ---- */

static void run_to_error(
    const void *bytes, size_t len, struct qt_error *err, struct qt_cursor *cur)
{
	static const uint64_t most = 2000000;
	struct qt_input in;
	struct qt_record rec;
	uint64_t n;
	int rc = 0;

	qt_input_bytes(&in, bytes, len);
	qt_cursor_init(cur, &in, 0);
	for (n = 0; n < most && rc == 0; n++)
		rc = qt_cursor_next(cur, &rec, err);
	assert_int_equal(rc, -1);
	assert_int_equal(err->code, QT_E_CORRUPT);
}

static void test_loops_end(void **state)
{
	static const struct lit self[] = {L("Sa"), L("p@1"), {NULL, 0}};
	static const struct lit text[] = {
	    L("Sa"), L("Nx"), L("p@1"), {NULL, 0}};
	struct qfile f;
	struct qt_cursor cur;
	struct qt_error err = {0};

	(void)state;
	qfile_build(&f, self);
	run_to_error(f.bytes, f.len, &err, &cur);
	qfile_build(&f, text);
	run_to_error(f.bytes, f.len, &err, &cur);
	assert_true(cur.steps <= 2 * f.len + 2);
}

/*
 * Postfix counts the jumps that are not forward and allows 10000: a file with
 * that many is read, one with one more is not.
 */
static void backward_jumps(unsigned jumps, int expected)
{
	const size_t width = 10; /* p and 8 digits */
	size_t len = width * (jumps + 2) + 2, i;
	char *b = malloc(len + 1);
	struct qt_cursor cur;
	struct qt_input in;
	struct qt_record rec;
	struct qt_error err = {0};

	assert_non_null(b);
	/* record 0 leads to the last one, each of the rest to that before */
	(void)snprintf(b, len, "p\x08%8zu", width * (jumps + 1));
	(void)snprintf(
	    b + width, len - width, "p\x08%8zu", width * (jumps + 2));
	for (i = 2; i < jumps + 2; i++)
		(void)snprintf(b + width * i, len - width * i, "p\x08%8zu",
		    width * (i - 1));
	memcpy(b + width * (jumps + 2), "E\x00", 2);
	qt_input_bytes(&in, b, len);
	qt_cursor_init(&cur, &in, 0);
	assert_int_equal(qt_cursor_next(&cur, &rec, &err), expected);
	if (expected == 0)
		assert_int_equal(rec.type, 'E');
	else
		assert_non_null(strstr(err.text, "backwards"));
	free(b);
}

static void test_backward_jumps_are_counted(void **state)
{
	(void)state;
	backward_jumps(10, 0);
	backward_jumps(QT_RECORD_JUMPS_MAX, 0);
	backward_jumps(QT_RECORD_JUMPS_MAX + 1, -1);
}

/* A read that fails is not mistaken for the end of the file. */
static int no_more(
    struct qt_input *in, uint64_t offset, size_t need, struct qt_error *err)
{
	(void)in;
	(void)offset;
	(void)need;
	return qt_fail(err, QT_E_SYS, "file", "pread: Input/output error");
}

static void test_read_error_is_told(void **state)
{
	struct qt_input in = {.data = (const unsigned char *)"S\x01"
							     "aR",
	    .len = 4,
	    .size = 100,
	    .more = no_more};
	struct qt_cursor cur;
	struct qt_record rec;
	struct qt_error err = {0};

	(void)state;
	qt_cursor_init(&cur, &in, 0);
	assert_int_equal(qt_cursor_next(&cur, &rec, &err), 0);
	assert_int_equal(qt_cursor_next(&cur, &rec, &err), -1);
	assert_int_equal(err.code, QT_E_SYS);
}

/* The file was cut while it was read: an error, no bytes from nowhere. */
static int less(
    struct qt_input *in, uint64_t offset, size_t need, struct qt_error *err)
{
	(void)in;
	(void)offset;
	(void)need;
	(void)err;
	return 0; /* there are no more than before */
}

static void test_file_that_shrinks(void **state)
{
	struct qt_input in = {.data = (const unsigned char *)"S\x05"
							     "abc",
	    .len = 5,
	    .size = 100,
	    .more = less};
	struct qt_cursor cur;
	struct qt_record rec;
	struct qt_error err = {0};

	(void)state;
	qt_cursor_init(&cur, &in, 0);
	assert_int_equal(qt_cursor_next(&cur, &rec, &err), -1);
	assert_int_equal(err.code, QT_E_CORRUPT);
}

static void test_labels(void **state)
{
	(void)state;
	assert_string_equal(qt_record_label('S', false), "sender");
	assert_string_equal(qt_record_label('L', false), "content_filter");
	assert_string_equal(qt_record_label('L', true), "unterminated_text");
	assert_string_equal(qt_record_label('/', false), "canceled_recipient");
	assert_null(qt_record_label(0, false));
	assert_null(qt_record_label('Z', true));
	assert_null(qt_record_label(0xff, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_long_record_is_cut_not_believed),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_loops_end),
	    cmocka_unit_test(test_backward_jumps_are_counted),
	    cmocka_unit_test(test_read_error_is_told),
	    cmocka_unit_test(test_file_that_shrinks),
	    cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
