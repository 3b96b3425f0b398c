/*
 * test_walk.c - the records of a file in logical order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qtool/message.h"
#include "records.h"

struct step {
	char type;
	enum qt_segment seg;
	int at, read; /* entries */
};
struct walk_case {
	const char *name;
	bool skip;
	unsigned flags;
	struct lit e[20];
	struct step want[20];
};

#define ENV QT_SEG_ENVELOPE
#define CON QT_SEG_CONTENT
#define EXT QT_SEG_EXTRACTED
static const struct walk_case walk_cases[] = {
    {"shown", false, 0,
	{L("C="), L("T5"), L("Lf"), L("M"), L("Lx"), L("w  0"), L("Ny"), L("X"),
	    L("Lg"), L("E"), L("Rz")},
	{{'C', ENV, 0, 0}, {'T', ENV, 1, 1}, {'L', ENV, 2, 2}, {'M', ENV, 3, 3},
	    {'L', CON, 4, 4}, {'N', CON, 6, 5}, {'X', EXT, 7, 7},
	    {'L', EXT, 8, 8}, {'E', EXT, 9, 9}}},
    {"skipped", true, 0,
	{L("C="), L("T5"), L("Lf"), L("M"), L("Lx"), L("w  0"), L("Ny"), L("X"),
	    L("Lg"), L("E"), L("Rz")},
	{{'C', ENV, 0, 0}, {'T', ENV, 1, 1}, {'L', ENV, 2, 2}, {'M', ENV, 3, 3},
	    {'X', EXT, 7, 7}, {'L', EXT, 8, 8}, {'E', EXT, 9, 9}}},
    {"raw", false, QT_CURSOR_RAW,
	{L("C="), L("p@6"), L("M"), L("Nx"), L("X"), L("E"), L("Rz"), L("p@2")},
	{{'C', ENV, 0, 0}, {'p', ENV, 1, 1}, {'M', ENV, 2, 2}, {'N', CON, 3, 3},
	    {'X', EXT, 4, 4}, {'E', EXT, 5, 5}, {'R', EXT, 6, 6},
	    {'p', EXT, 7, 7}}},
    {"with pointers and padding", false, QT_CURSOR_POINTERS | QT_CURSOR_PADDING,
	{L("C="), L("p@8"), L("M"), L("p@10"), L("Nx"), L("w  0"), L("X"),
	    L("E"), L("Rz"), L("p@2"), L("Ny"), L("p@5")},
	{{'C', ENV, 0, 0}, {'p', ENV, 1, 1}, {'R', ENV, 8, 8}, {'p', ENV, 9, 9},
	    {'M', ENV, 2, 2}, {'p', CON, 3, 3}, {'N', CON, 10, 10},
	    {'p', CON, 11, 11}, {'w', CON, 5, 5}, {'X', EXT, 6, 6},
	    {'E', EXT, 7, 7}}},
    {"without", false, 0,
	{L("C="), L("p@8"), L("M"), L("p@10"), L("Nx"), L("w  0"), L("X"),
	    L("E"), L("Rz"), L("p@2"), L("Ny"), L("p@5")},
	{{'C', ENV, 0, 0}, {'R', ENV, 8, 1}, {'M', ENV, 2, 9},
	    {'N', CON, 10, 3}, {'X', EXT, 6, 11}, {'E', EXT, 7, 7}}},
    {"a pointer to the text is followed by the skip", true, QT_CURSOR_POINTERS,
	{L("C="), L("T5"), L("M"), L("Nx"), L("X"), L("E")},
	{{'C', ENV, 0, 0}, {'T', ENV, 1, 1}, {'M', ENV, 2, 2}, {'X', EXT, 4, 4},
	    {'E', EXT, 5, 5}}},
};

static void check_walk(const struct walk_case *c, size_t window)
{
	struct qfile f;
	struct slit s;
	struct qt_walk w;
	struct qt_record rec;
	struct qt_error err = {0};
	size_t i;
	int rc;

	qfile_build(&f, c->e);
	slit_init(&s, f.bytes, f.len, window, window % 3);
	qt_walk_init(&w, &s.in, c->skip, c->flags);
	for (i = 0; (rc = qt_walk_next(&w, &rec, &err)) == 0; i++) {
		const struct step *want = &c->want[i];

		if (rec.type != want->type || w.seg != want->seg ||
		    rec.offset != f.at[want->at] ||
		    rec.read_offset != f.at[want->read])
			fail_msg("%s: record %zu is %c, %s, %u read from %u",
			    c->name, i, rec.type, qt_segment_name(w.seg),
			    (unsigned)rec.offset, (unsigned)rec.read_offset);
	}
	if (rc != 1 || c->want[i].type != 0)
		fail_msg("%s: ends with %d after %zu", c->name, rc, i);
	assert_int_equal(qt_walk_next(&w, &rec, &err), 1);
	slit_release(&s);
}

static void test_walks(void **state)
{
	size_t i, window;

	(void)state;
	for (i = 0; i < sizeof walk_cases / sizeof walk_cases[0]; i++)
		for (window = 0; window <= 17; window++)
			check_walk(&walk_cases[i], window);
}

static void test_segment_names(void **state)
{
	(void)state;
	assert_string_equal(qt_segment_name(ENV), "envelope");
	assert_string_equal(qt_segment_name(CON), "content");
	assert_string_equal(qt_segment_name(EXT), "extracted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_walks),
	    cmocka_unit_test(test_segment_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
