/*
 * test_message.c - which files qmgr and pickup would accept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "parsed.h"

#define NOWHERE (-1)
struct judge_case {
	const char *name;
	struct lit e[16];
	const char *text; /* part of the reason; NULL: accepted */
	int at;		  /* the entry it is about; NOWHERE: do not look */
	unsigned odd;
};

static void judge(
    const struct judge_case *c, size_t n, enum qt_msg_origin origin)
{
	size_t i, wrong = 0;

	for (i = 0; i < n; i++) {
		struct parsed p;
		bool ok;

		parse(&p, c[i].e, origin, c[i].name);
		if (c[i].text == NULL)
			ok = p.rc == 0 && p.msg.odd == c[i].odd;
		else
			ok = p.rc < 0 && p.err.code == QT_E_CORRUPT &&
			     strstr(p.err.text, c[i].text) != NULL &&
			     (c[i].at == NOWHERE ||
				 p.err.offset == (int64_t)p.f.at[c[i].at]);
		if (!ok) {
			print_error("%s: %d, odd %u, at %d: %s\n", c[i].name,
			    p.rc, p.msg.odd, (int)p.err.offset, p.err.text);
			wrong++;
		}
		parsed_release(&p);
	}
	assert_int_equal(wrong, 0);
}

#define TAIL L("M"), L("Nx"), L("X"), L("E")
#define NO_END "ends without an E record"
static const struct judge_case qmgr_cases[] = {
    {"ordinary", {L("C="), L("T5 6"), L("Sa@b"), L("Rc@d"), TAIL}, NULL, 0, 0},
    {"empty file", {{NULL, 0}}, NO_END, NOWHERE, 0},
    {"first byte no envelope letter", {L("!\x7f\x45LF")}, "type 0x7f", NOWHERE,
	0},
    {"text that is no queue file", {L("!Return-Path: <a@b>\n\n")},
	"the file ends in a record", NOWHERE, 0},
    {"truncated in a length", {L("C="), L("T5"), L("Sa"), L("!R")},
	"ends in a record's length", 3, 0},
    {"truncated in a payload", {L("C="), L("T5"), L("Sa"), L("!R\x05xx")},
	"ends in a record", 3, 0},
    {"clean end without E",
	{L("C="), L("T5"), L("Sa"), L("Rb"), L("M"), L("Nx"), L("X")}, NO_END,
	NOWHERE, 0},
    {"no C", {L("T5"), L("Sa"), L("Rb"), TAIL}, "unexpected record type N", 4,
	0},
    {"no C and no text", {L("T5"), L("Sa"), L("Rb"), L("M"), L("E")},
	"no usable C record", NOWHERE, 0},
    {"C all zero",
	{L("C              0               0               0"), L("T5"),
	    L("Sa"), TAIL},
	"size or offset", 0, 0},
    {"C negative",
	{L("C             -1              -1              -1"), L("T5"),
	    L("Sa"), TAIL},
	"size or offset", 0, 0},
    {"C text", {L("Chello"), L("T5"), L("Sa"), TAIL}, "numbers it needs", 0, 0},
    {"C empty", {L("C"), L("T5"), L("Sa"), TAIL}, "numbers it needs", 0, 0},
    {"C with 2 numbers", {L("C3 4"), L("T5"), L("Sa"), TAIL},
	"numbers it needs", 0, 0},
    {"C with 3 numbers", {L("C3 21 1"), L("T5"), L("Sa@b"), L("Rc"), TAIL},
	NULL, 0, 0},
    {"C with 4 numbers", {L("C3 23 1 1"), L("T5"), L("Sa@b"), L("Rc"), TAIL},
	NULL, 0, 0},
    {"C with 5 numbers", {L("C3 25 1 1 3"), L("T5"), L("Sa@b"), L("Rc"), TAIL},
	NULL, 0, 0},
    {"C with 6 numbers",
	{L("C3 27 1 1 3 1"), L("T5"), L("Sa@b"), L("Rc"), TAIL}, NULL, 0, 0},
    {"C with 7 numbers",
	{L("C3 29 1 1 3 1 9"), L("T5"), L("Sa@b"), L("Rc"), TAIL}, NULL, 0, 0},
    {"C with text after three numbers",
	{L("C3 25 1 what"), L("T5"), L("Sa@b"), L("R"), TAIL}, NULL, 0, 0},
    {"C with unknown flags", {L("C3 26 1 32"), L("T5"), L("Sa"), TAIL},
	"unknown flags", 0, 0},
    {"C with a negative content length",
	{L("C3 26 1 0 -1"), L("T5"), L("Sa"), TAIL}, "content length", 0, 0},
    {"C whose sum overflows",
	{L("C9223372036854775807 26 1"), L("T5"), L("Sa"), TAIL},
	"past any file's end", 0, 0},
    {"C with a number beyond 64 bits",
	{L("C99999999999999999999 26 1"), L("T5"), L("Sa"), TAIL},
	"past any file's end", 0, 0},
    {"second C ignored",
	{L("C="), L("Cnonsense"), L("T5"), L("Sa"), L("Rb"), TAIL}, NULL, 0, 0},
    {"data offset in the envelope", {L("C6 11 0"), L("T5"), L("Sa"), TAIL},
	"the file ends in a record", NOWHERE, 0},
    {"data offset too large", {L("C3 900 0"), L("T5"), L("Sa"), TAIL}, "type N",
	4, 0},
    {"data offset too large, text an L: taken for a filter",
	{L("C3 900 0"), L("T5"), L("Sa"), L("M"), L("Lx"), L("X"), L("E")},
	"type X", 5, 0},
    {"data size too small", {L("C2 16 0"), L("T5"), L("Sa"), TAIL},
	"the file ends in a record", NOWHERE, 0},
    {"data size leads to text",
	{L("C3 16 0"), L("T5"), L("Sa"), L("M"), L("Nx"), L("Ny"), L("X"),
	    L("E")},
	"no X record", 5, 0},
    {"data size leads behind X, to a pointer",
	{L("C5 16 0"), L("T5"), L("Sa"), L("M"), L("Nx"), L("X"), L("p0"),
	    L("Rb"), L("E")},
	NULL, 0, QT_ODD_COUNT},
    {"data size leads to a pointer before X",
	{L("C3 16 0"), L("T5"), L("Sa"), L("M"), L("Nx"), L("p0"), L("X"),
	    L("E")},
	"type X", 6, 0},
    {"data size leads to padding before X",
	{L("C3 16 0"), L("T5"), L("Sa"), L("M"), L("Nx"), L("w0"), L("X"),
	    L("E")},
	"no X record", 5, 0},
    {"data size past the end", {L("C900 18 0"), L("T5"), L("Sa"), TAIL},
	"no X record", NOWHERE, 0},
    {"no T", {L("C="), L("Sa"), L("Rb"), TAIL}, "no arrival time", NOWHERE, 0},
    {"T = 0", {L("C="), L("T0"), L("Sa"), L("Rb"), TAIL}, "no arrival time",
	NOWHERE, 0},
    {"T text", {L("C="), L("Tnow"), L("Sa"), L("Rb"), TAIL}, "no arrival time",
	NOWHERE, 0},
    {"no S", {L("C="), L("T5"), L("Rb"), TAIL}, "no sender", NOWHERE, 0},
    {"two S", {L("C="), L("T5"), L("Sa"), L("Sb"), L("Rb"), TAIL}, NULL, 0, 0},
    {"no recipients", {L("C="), L("T5"), L("Sa"), TAIL}, NULL, 0, 0},
    {"recipient before the sender", {L("C="), L("T5"), L("Rb"), L("Sa"), TAIL},
	NULL, 0, 0},
    {"recipient count mismatch",
	{L("C="), L("T5"), L("Sa"), L("Rb"), L("/c"), TAIL}, NULL, 0,
	QT_ODD_COUNT},
    {"empty S and R", {L("C="), L("T5"), L("S"), L("R"), TAIL}, NULL, 0, 0},
    {"NUL in S", {L("C="), L("T5"), L("Sa@b\0.test"), L("Rb"), TAIL}, NULL, 0,
	QT_ODD_NUL},
    {"LF in S", {L("C="), L("T5"), L("Sa@b\nc"), L("Rb"), TAIL}, NULL, 0, 0},
    {"A without =", {L("C="), L("T5"), L("Sa"), L("Ax"), TAIL}, "no '='", 3, 0},
    {"A, = behind a NUL", {L("C="), L("T5"), L("Sa"), L("Ax\0=y"), TAIL},
	"no '='", 3, 0},
    {"A without a name", {L("C="), L("T5"), L("Sa"), L("A =x"), TAIL},
	"no attribute name", 3, 0},
    {"A empty", {L("C="), L("T5"), L("Sa"), L("A"), TAIL}, "no attribute name",
	3, 0},
    {"A with two words for a name",
	{L("C="), L("T5"), L("Sa"), L("Ax y=z"), TAIL}, "no '='", 3, 0},
    {"A unknown", {L("C="), L("T5"), L("Sa"), L("Ax=y"), TAIL}, NULL, 0, 0},
    {"unknown type", {L("C="), L("T5"), L("Sa"), L("Zx"), TAIL}, "type Z", 3,
	0},
    {"type 0", {L("C="), L("T5"), L("Sa"), L("\0x"), TAIL}, "type 0x00", 3, 0},
    {"type 0xff", {L("C="), L("T5"), L("Sa"), L("\xffx"), TAIL}, "type 0xff", 3,
	0},
    {"f", {L("C="), L("f0"), L("T5"), L("Sa"), TAIL}, "type f", 1, 0},
    {"d", {L("C="), L("d0"), L("T5"), L("Sa"), TAIL}, "type d", 1, 0},
    {"m", {L("C="), L("m0"), L("T5"), L("Sa"), TAIL}, "type m", 1, 0},
    {"w in the envelope", {L("C="), L("T5"), L("Sa"), L("w    0"), TAIL},
	"type w", 3, 0},
    {"w in the content",
	{L("C="), L("T5"), L("Sa"), L("M"), L("Nx"), L("w  0"), L("X"), L("E")},
	NULL, 0, 0},
    {"L in the envelope", {L("C="), L("T5"), L("Sa"), L("Lx:y"), TAIL}, NULL, 0,
	0},
    {"N in the extracted segment",
	{L("C="), L("T5"), L("Sa"), L("M"), L("Nx"), L("X"), L("Ny"), L("E")},
	"type N", 6, 0},
    {"envelope types in the extracted segment",
	{L("C="), L("M"), L("Nx"), L("X"), L("T5"), L("Sa"), L("Rb"), L("E")},
	NULL, 0, 0},
    {"X without text before it", {L("C="), L("T5"), L("Sa"), L("X"), TAIL},
	"type X", 3, 0},
    {"X twice",
	{L("C="), L("T5"), L("Sa"), L("M"), L("Nx"), L("X"), L("X"), L("E")},
	"type X", 6, 0},
    {"recipient in the content is not seen",
	{L("C="), L("T5"), L("Sa"), L("M"), L("Nx"), L("Rz"), L("X"), L("E")},
	NULL, 0, QT_ODD_COUNT},
    {"original recipient without recipient",
	{L("C="), L("T5"), L("Sa"), L("Rb"), L("Oc"), TAIL}, NULL, 0,
	QT_ODD_TAIL},
    {"DSN data without recipient",
	{L("C="), L("T5"), L("Sa"), L("Rb"), L("Adsn_orig_rcpt=rfc822;c"),
	    L("Anotify_flags=2"), TAIL},
	NULL, 0, QT_ODD_TAIL},
    {"two original recipients for one",
	{L("C="), L("T5"), L("Sa"), L("Ox"), L("Oc"), L("Rb"), TAIL}, NULL, 0,
	QT_ODD_TAIL},
    {"pointer, empty", {L("C="), L("T5"), L("Sa"), L("p"), L("Rb"), TAIL}, NULL,
	0, 0},
    {"pointer, 0", {L("C="), L("T5"), L("Sa"), L("p   0"), L("Rb"), TAIL}, NULL,
	0, 0},
    {"pointer, NUL after the digits",
	{L("C="), L("T5"), L("Sa"), L("p0\0x"), L("Rb"), TAIL}, NULL, 0, 0},
    {"pointer, negative", {L("C="), L("T5"), L("Sa"), L("p-7"), TAIL},
	"pointer record", 3, 0},
    {"pointer, text after it", {L("C="), L("T5"), L("Sa"), L("p 7x"), TAIL},
	"pointer record", 3, 0},
    {"pointer, blank after it", {L("C="), L("T5"), L("Sa"), L("p7 "), TAIL},
	"pointer record", 3, 0},
    {"pointer, overflow",
	{L("C="), L("T5"), L("Sa"), L("p99999999999999999999"), TAIL},
	"pointer record", 3, 0},
    {"pointer past the end", {L("C="), L("T5"), L("Sa"), L("p9999"), TAIL},
	NO_END, NOWHERE, 0},
    {"pointer into a record",
	{L("C="), L("T5"), L("Sa"), L("p3"), L("Rb"), TAIL}, "type 0x20",
	NOWHERE, 0},
    {"pointer to itself", {L("C="), L("T5"), L("Sa"), L("p@3"), TAIL},
	"pointer records", 3, 0},
    {"pointer backwards", {L("C="), L("T5"), L("Sa"), L("Rb"), L("p@3"), TAIL},
	"pointer records", NOWHERE, 0},
    {"bytes after E",
	{L("C="), L("T5"), L("Sa"), L("Rb"), TAIL, L("!garbage\xff")}, NULL, 0,
	0},
    {"M, X and E with payloads",
	{L("C="), L("T5"), L("Sa"), L("Rb"), L("Mx"), L("Nx"), L("Xy"),
	    L("Ez")},
	NULL, 0, 0},
    {"overlong length, 4 bytes",
	{L("C="), L("T5"),
	    L("!S\x81\x80\x80\x00"
	      "a"),
	    L("Rb"), TAIL},
	NULL, 0, 0},
    {"overlong length, 5 bytes",
	{L("C="), L("T5"),
	    L("!S\x81\x80\x80\x80\x00"
	      "a"),
	    L("Rb"), TAIL},
	NULL, 0, QT_ODD_LEN5},
    {"overlong length, 6 bytes",
	{L("C="), L("T5"),
	    L("!S\x81\x80\x80\x80\x80\x00"
	      "a"),
	    L("Rb"), TAIL},
	"length out of range", 2, 0},
    {"E in the envelope", {L("C="), L("T5"), L("Sa"), L("E"), TAIL}, NULL, 0,
	0},
    {"historical types",
	{L("C="), L("T5"), L("Sa"), L("M"), L("Nx"), L("X"), L("ra"), L("eb"),
	    L("Pc"), L("Ix"), L("K"), L("E")},
	NULL, 0, 0},
};

static void test_qmgr_accepts(void **state)
{
	(void)state;
	judge(
	    qmgr_cases, sizeof qmgr_cases / sizeof qmgr_cases[0], QT_MSG_QUEUE);
}

/* Before 1.0: one number in C, the offset of X in M. */
static const struct judge_case old_cases[] = {
    {"old size",
	{L("C 3"), L("T5"), L("Sa"), L("Rb"), L("M 21"), L("Nx"), L("X"),
	    L("E")},
	NULL, 0, 0},
    {"old size, M leads nowhere",
	{L("C 3"), L("T5"), L("Sa"), L("Rb"), L("M"), L("E")},
	"no usable C record", NOWHERE, 0},
    {"old size, M leads backwards",
	{L("C 3"), L("T5"), L("Sa"), L("Rb"), L("M 2"), L("E")},
	"no usable C record", NOWHERE, 0},
    {"old size, no M", {L("C 3"), L("T5"), L("Sa"), L("Rb"), L("E")},
	"no usable C record", NOWHERE, 0},
    {"old size, M leads to text",
	{L("C 3"), L("T5"), L("Sa"), L("Rb"), L("M 21"), L("Nx"), L("Ny"),
	    L("X"), L("E")},
	"no X record", NOWHERE, 0},
};

static void test_oldest_files(void **state)
{
	(void)state;
	judge(old_cases, sizeof old_cases / sizeof old_cases[0], QT_MSG_QUEUE);
}

#define PRE_C                                                                  \
	"C             -1              -1              -1              -1"     \
	"              -1              17"
static const struct judge_case pickup_cases[] = {
    {"from postdrop", {L("T5"), L("Fme"), L("Sa"), L("Rb"), TAIL}, NULL, 0, 0},
    {"recipient behind the text",
	{L("T5"), L("Sa"), L("M"), L("Nx"), L("X"), L("Rb"), L("E")}, NULL, 0,
	0},
    {"preliminary C", {L("T5"), L(PRE_C), L("Sa"), L("Rb"), TAIL}, NULL, 0, 0},
    {"C that leads astray", {L("C1 1 1"), L("T5"), L("Sa"), L("Rb"), TAIL},
	NULL, 0, 0},
    {"requeued", {L("C="), L("T5"), L("Sa"), L("Rb"), TAIL}, NULL, 0, 0},
    {"requeued, done in part",
	{L("C="), L("T5"), L("Sa"), L("Dc"), L("/d"), L("Rb"), TAIL}, NULL, 0,
	0},
    {"requeued, all done", {L("C="), L("T5"), L("Sa"), L("Dc"), TAIL},
	"no recipient left", NOWHERE, 0},
    {"requeued, with pointers and padding",
	{L("C="), L("T5"), L("Sa"), L("p@9"), L("M"), L("Nx"), L("w  0"),
	    L("X"), L("E"), L("Rb"), L("p@4")},
	NULL, 0, 0},
    {"no T", {L("Sa"), L("Rb"), TAIL}, NULL, 0, 0},
    {"T = 0", {L("T0"), L("Sa"), L("Rb"), TAIL}, "arrival time of 0", NOWHERE,
	0},
    {"no S", {L("T5"), L("Rb"), TAIL}, "before the sender", 1, 0},
    {"nobody at all", {L("T5"), TAIL}, "no sender", NOWHERE, 0},
    {"S in the extracted segment",
	{L("T5"), L("M"), L("Nx"), L("X"), L("Sa"), L("Rb"), L("E")}, "type S",
	4, 0},
    {"no R", {L("T5"), L("Sa"), TAIL}, "no recipient left", NOWHERE, 0},
    {"two S", {L("T5"), L("Sa"), L("Sb"), L("Rb"), TAIL}, "second sender", 2,
	0},
    {"R in the content",
	{L("T5"), L("Sa"), L("Rb"), L("M"), L("Nx"), L("Rc"), L("X"), L("E")},
	"type R", 5, 0},
    {"N in the envelope", {L("T5"), L("Sa"), L("Nb"), TAIL}, "type N", 2, 0},
    {"X in the envelope", {L("T5"), L("Sa"), L("X"), TAIL}, "type X", 2, 0},
    {"E in the envelope", {L("T5"), L("Sa"), L("Rb"), L("E")}, "type E", 3, 0},
    {"E in the content", {L("T5"), L("Sa"), L("Rb"), L("M"), L("Nx"), L("E")},
	"type E", 5, 0},
    {"X twice",
	{L("T5"), L("Sa"), L("Rb"), L("M"), L("Nx"), L("X"), L("X"), L("E")},
	"type X", 6, 0},
    {"type 0 in the content",
	{L("T5"), L("Sa"), L("Rb"), L("M"), L("\0x"), L("X"), L("E")},
	"type 0x00", 4, 0},
    {"A malformed", {L("T5"), L("Sa"), L("Rb"), L("Ax"), TAIL}, "no '='", 3, 0},
    {"NUL in the text is none of our business",
	{L("T5"), L("Sa"), L("Rb"), L("M"), L("Na\0b"), L("X"), L("E")}, NULL,
	0, 0},
    {"no end", {L("T5"), L("Sa"), L("Rb"), L("M"), L("Nx"), L("X")}, NO_END,
	NOWHERE, 0},
    {"p negative", {L("T5"), L("Sa"), L("Rb"), L("p-1"), TAIL},
	"pointer record", 3, 0},
};

static void test_pickup_accepts(void **state)
{
	(void)state;
	judge(pickup_cases, sizeof pickup_cases / sizeof pickup_cases[0],
	    QT_MSG_MAILDROP);
}

static void test_pickup_limits_records(void **state)
{
	char text[2050], name[2050];
	struct lit e[] = {L("T5"), {name, 2049}, L("Rb"), L("M"), {text, 2049},
	    L("X"), L("E"), {NULL, 0}};
	struct parsed p;

	(void)state;
	memset(text, 'N', sizeof text);
	memset(name, 'S', sizeof name);
	parse(&p, e, QT_MSG_MAILDROP, "2048");
	assert_int_equal(p.rc, 0);
	parsed_release(&p);
	e[4].len++;
	parse(&p, e, QT_MSG_MAILDROP, "2049");
	assert_int_equal(p.rc, -1);
	assert_int_equal(p.err.offset, p.f.at[4]);
	parsed_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_qmgr_accepts),
	    cmocka_unit_test(test_oldest_files),
	    cmocka_unit_test(test_pickup_accepts),
	    cmocka_unit_test(test_pickup_limits_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
