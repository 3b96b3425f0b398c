/*
 * test_message.c - which files qmgr and pickup would accept, and what they
 * would read in them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qtool/message.h"
#include "records.h"

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_rcpts(const struct qt_msg *a, const struct qt_msg *b)
{
	size_t i;

	if (a->nrcpt != b->nrcpt || (a->rcpt == NULL) != (b->rcpt == NULL))
		return false;
	for (i = 0; a->rcpt != NULL && i < a->nrcpt; i++) {
		const struct qt_rcpt *x = &a->rcpt[i], *y = &b->rcpt[i];

		if (!same_text(x->address, y->address) ||
		    !same_text(x->orig, y->orig) ||
		    !same_text(x->showq_orig, y->showq_orig) ||
		    !same_text(x->dsn_orcpt, y->dsn_orcpt) ||
		    x->offset != y->offset || x->notify != y->notify ||
		    x->state != y->state)
			return false;
	}
	return true;
}

/* The members that are texts lie side by side, in two runs. */
static bool same_run(
    const struct qt_msg *a, const struct qt_msg *b, size_t from, size_t to)
{
	size_t at;

	for (at = from; at <= to; at += sizeof(char *)) {
		const char *x, *y;

		memcpy(&x, (const char *)a + at, sizeof x);
		memcpy(&y, (const char *)b + at, sizeof y);
		if (!same_text(x, y))
			return false;
	}
	return true;
}

static bool same_msg(const struct qt_msg *a, const struct qt_msg *b)
{
	return same_run(a, b, offsetof(struct qt_msg, sender),
		   offsetof(struct qt_msg, log_ident)) &&
	       same_run(a, b, offsetof(struct qt_msg, sasl_method),
		   offsetof(struct qt_msg, message_id)) &&
	       same_rcpts(a, b) && a->have_size == b->have_size &&
	       a->nsize == b->nsize && a->size_plain == b->size_plain &&
	       memcmp(a->size, b->size, sizeof a->size) == 0 &&
	       a->arrival_time == b->arrival_time &&
	       a->arrival_usec == b->arrival_usec &&
	       a->create_time == b->create_time &&
	       a->showq_time == b->showq_time && a->warn_time == b->warn_time &&
	       a->ret_flags == b->ret_flags &&
	       a->trace_flags == b->trace_flags &&
	       a->sender_offset == b->sender_offset && a->ntodo == b->ntodo &&
	       a->ndone == b->ndone && a->ncancelled == b->ncancelled &&
	       a->odd == b->odd;
}

/* One parsed file; the arena holds what msg points to. */
struct parsed {
	struct qfile f;
	struct qt_arena arena;
	struct qt_msg msg;
	struct qt_error err;
	int rc;
};

static void parsed_release(struct parsed *p)
{
	qt_arena_release(&p->arena);
}

/* Parse through windows of every small size: nothing may differ. */
static void check_windows(
    const struct parsed *p, enum qt_msg_origin origin, const char *name)
{
	struct qt_arena arena;
	struct qt_error err;
	struct qt_msg msg;
	struct slit s;
	size_t window;
	int rc;

	qt_arena_init(&arena, 0);
	for (window = 0; window <= 17; window++) {
		err = (struct qt_error){.offset = -1};
		slit_init(&s, p->f.bytes, p->f.len, window, window * 7 % 18);
		rc = qt_msg_parse(
		    &msg, &s.in, origin, QT_MSG_RCPTS, &arena, &err);
		if (rc != p->rc || !same_msg(&msg, &p->msg) ||
		    strcmp(err.text, p->err.text) != 0 ||
		    err.offset != p->err.offset)
			fail_msg("%s: other result in windows of need + %zu",
			    name, window);
		slit_release(&s);
		qt_arena_reset(&arena);
	}
	/* counts do not depend on what is kept */
	slit_init(&s, p->f.bytes, p->f.len, 1000, 0);
	rc = qt_msg_parse(&msg, &s.in, origin, 0, &arena, &err);
	assert_int_equal(rc, p->rc);
	assert_null(msg.rcpt);
	assert_int_equal(msg.ntodo, p->msg.ntodo);
	assert_int_equal(msg.ndone, p->msg.ndone);
	assert_int_equal(msg.ncancelled, p->msg.ncancelled);
	assert_int_equal(msg.odd, p->msg.odd);
	slit_release(&s);
	qt_arena_release(&arena);
}

static void parse(struct parsed *p, const struct lit *e,
    enum qt_msg_origin origin, const char *name)
{
	struct qt_input in;

	qfile_build(&p->f, e);
	qt_arena_init(&p->arena, 0);
	p->err = (struct qt_error){.offset = -1};
	qt_input_bytes(&in, p->f.bytes, p->f.len);
	p->rc = qt_msg_parse(
	    &p->msg, &in, origin, QT_MSG_RCPTS, &p->arena, &p->err);
	if (p->rc == 0)
		assert_int_equal(p->err.code, QT_OK);
	check_windows(p, origin, name);
}

/* ---- what is accepted ---- */

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
	"no X record", NOWHERE, 0},
    {"data offset too large", {L("C3 900 0"), L("T5"), L("Sa"), TAIL}, "type N",
	4, 0},
    {"data offset too large, text an L: taken for a filter",
	{L("C3 900 0"), L("T5"), L("Sa"), L("M"), L("Lx"), L("X"), L("E")},
	"type X", 5, 0},
    {"data size too small", {L("C2 16 0"), L("T5"), L("Sa"), TAIL},
	"no X record", NOWHERE, 0},
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

/* ---- what is read ---- */

static void test_values(void **state)
{
	static const struct lit e[] = {L("C="), L("T1795488453 954342"),
	    L("Acreate_time=1795488454"), L("Lsmtp:[10.0.0.1]"),
	    L("Alog_ident=4jYS056mwkz1bph0"), L("Arewrite_context=remote"),
	    L("Asasl_method=LOGIN"), L("Asasl_username=joe@victim.example"),
	    L("Asasl_sender=x@y"), L("Aenvelope_id=abc=def"), L("Aret_flags=2"),
	    L("Sjoe@victim.example"), L("Alog_client_name=unknown"),
	    L("Alog_client_address=41.1.2.3"), L("Alog_client_port=4242"),
	    L("Alog_message_origin=unknown[41.1.2.3]"),
	    L("Alog_helo_name=User"), L("Alog_protocol_name=ESMTP"),
	    L("Aclient_name=peer"), L("Areverse_client_name=rpeer"),
	    L("Aclient_address=10.1.1.1"), L("Aclient_port=25000"),
	    L("Aserver_address=10.0.0.9"), L("Aserver_port=587"),
	    L("Ahelo_name=phelo"), L("Aprotocol_name=SMTP"),
	    L("Aclient_address_type=2"), L("Atrace_flags=1281"), L("V+="),
	    L("W     1795499999"), L("FJoe"), L("Iinspect"), L("M"), L("Nx"),
	    L("X"), L(">other@x"), L("Amessage_id=<1@x>"), L("Aencoding=8bit"),
	    L("Rz"), L("E"), {NULL, 0}};
	struct parsed p;
	const struct qt_msg *m = &p.msg;

	(void)state;
	parse(&p, e, QT_MSG_QUEUE, "values");
	assert_int_equal(p.rc, 0);
	assert_true(m->have_size && m->size_plain);
	assert_int_equal(m->nsize, 6);
	assert_int_equal(m->size[0], 3);
	assert_int_equal(m->size[1], p.f.at[33]);
	assert_int_equal(m->size[2], 1);
	assert_int_equal(m->size[4], 3);
	assert_int_equal(m->arrival_time, 1795488453);
	assert_int_equal(m->arrival_usec, 954342);
	assert_int_equal(m->create_time, 1795488454);
	assert_int_equal(m->showq_time, 1795488453);
	assert_int_equal(m->warn_time, 1795499999);
	assert_string_equal(m->sender, "joe@victim.example");
	assert_int_equal(m->sender_offset, p.f.at[11]);
	assert_string_equal(m->full_name, "Joe");
	assert_string_equal(m->filter, "smtp:[10.0.0.1]");
	assert_string_equal(m->redirect, "other@x");
	assert_string_equal(m->inspector, "inspect");
	assert_string_equal(m->verp, "+=");
	assert_string_equal(m->envelope_id, "abc=def");
	assert_string_equal(m->encoding, "8bit");
	assert_string_equal(m->rewrite_context, "remote");
	assert_string_equal(m->log_ident, "4jYS056mwkz1bph0");
	assert_int_equal(m->ret_flags, 2);
	assert_int_equal(m->trace_flags, 1280);
	assert_string_equal(m->sasl_method, "LOGIN");
	assert_string_equal(m->sasl_username, "joe@victim.example");
	assert_string_equal(m->sasl_sender, "x@y");
	assert_string_equal(m->log_client_name, "unknown");
	assert_string_equal(m->log_client_address, "41.1.2.3");
	assert_string_equal(m->log_client_port, "4242");
	assert_string_equal(m->log_helo_name, "User");
	assert_string_equal(m->log_protocol_name, "ESMTP");
	assert_string_equal(m->log_message_origin, "unknown[41.1.2.3]");
	assert_string_equal(m->client_name, "peer");
	assert_string_equal(m->reverse_client_name, "rpeer");
	assert_string_equal(m->client_address, "10.1.1.1");
	assert_string_equal(m->client_port, "25000");
	assert_string_equal(m->helo_name, "phelo");
	assert_string_equal(m->protocol_name, "SMTP");
	assert_string_equal(m->server_address, "10.0.0.9");
	assert_string_equal(m->server_port, "587");
	assert_string_equal(m->message_id, "<1@x>");
	assert_int_equal(m->ntodo, 1);
	parsed_release(&p);
}

static void test_nothing_is_null(void **state)
{
	static const struct lit e[] = {
	    L("C="), L("T5"), L("S"), TAIL, {NULL, 0}};
	struct parsed p;
	const struct qt_msg *m = &p.msg;

	(void)state;
	parse(&p, e, QT_MSG_QUEUE, "nothing");
	assert_int_equal(p.rc, 0);
	assert_string_equal(m->sender, "");
	assert_null(m->filter);
	assert_null(m->sasl_username);
	assert_null(m->log_client_name);
	assert_null(m->client_name);
	assert_null(m->message_id);
	assert_int_equal(m->arrival_usec, -1);
	assert_int_equal(m->create_time, 0);
	assert_int_equal(m->warn_time, 0);
	assert_int_equal(m->nrcpt, 0);
	parsed_release(&p);
}

/* One member after a few records between the frame's. */
struct value_case {
	const char *name;
	struct lit e[8];
	size_t member; /* offset of a const char * or int64_t in qt_msg */
	const char *text;
	int64_t number;
	bool is_number;
};
#define TEXT(m, t) offsetof(struct qt_msg, m), t, 0, false
#define NUMBER(m, n) offsetof(struct qt_msg, m), NULL, n, true

static const struct value_case value_cases[] = {
    {"sender: first", {L("Sb")}, TEXT(sender, "a")},
    {"filter: last", {L("Lx"), L("Ly")}, TEXT(filter, "y")},
    {"redirect: last", {L(">x"), L(">y")}, TEXT(redirect, "y")},
    {"inspector: last", {L("Ix"), L("Iy")}, TEXT(inspector, "y")},
    {"encoding: last", {L("Aencoding=7bit"), L("Aencoding=8bit")},
	TEXT(encoding, "8bit")},
    {"envelope id: last, as attribute or record",
	{L("Aenvelope_id=x"), L("iy")}, TEXT(envelope_id, "y")},
    {"login: first", {L("Asasl_username=x"), L("Asasl_username=y")},
	TEXT(sasl_username, "x")},
    {"login after the sender (local forwarding)", {L("Asasl_username=x")},
	TEXT(sasl_username, "x")},
    {"log_ident: first", {L("Alog_ident=x"), L("Alog_ident=y")},
	TEXT(log_ident, "x")},
    {"log_client_name: last",
	{L("Alog_client_name=x"), L("Alog_client_name=y")},
	TEXT(log_client_name, "y")},
    {"legacy name stands in", {L("Aclient_name=x"), L("Aclient_name=y")},
	TEXT(log_client_name, "x")},
    {"new name overrides it", {L("Aclient_name=x"), L("Alog_client_name=y")},
	TEXT(log_client_name, "y")},
    {"legacy name after any new one does not",
	{L("Alog_helo_name=y"), L("Aclient_name=x")},
	TEXT(log_client_name, NULL)},
    {"but the origin is no such name",
	{L("Alog_message_origin=local"), L("Ahelo_name=x")},
	TEXT(log_helo_name, "x")},
    {"legacy protocol", {L("Aprotocol_name=SMTP")},
	TEXT(log_protocol_name, "SMTP")},
    {"legacy address", {L("Aclient_address=1.2.3.4")},
	TEXT(log_client_address, "1.2.3.4")},
    {"legacy port", {L("Aclient_port=25")}, TEXT(log_client_port, "25")},
    {"peer beside the logging client",
	{L("Alog_client_name=y"), L("Aclient_name=x")}, TEXT(client_name, "x")},
    {"blanks around", {L("A \t encoding \t= \t 8bit \r\n")},
	TEXT(encoding, "8bit")},
    {"empty value", {L("Asasl_username=")}, TEXT(sasl_username, "")},
    {"case counts", {L("ASASL_username=x")}, TEXT(sasl_username, NULL)},
    {"NUL ends a value", {L("Asasl_username=x\0y")}, TEXT(sasl_username, "x")},
    {"longer name", {L("Asasl_usernamex=x")}, TEXT(sasl_username, NULL)},
    {"VERP for a sender", {L("V+-")}, TEXT(verp, "+-")},
    {"VERP: first valid", {L("Vab"), L("V+"), L("V+=="), L("V+="), L("V=+")},
	TEXT(verp, "+=")},
    {"full name: first", {L("Fx"), L("Fy")}, TEXT(full_name, "x")},
    {"create time: first, not 0",
	{L("Acreate_time=0"), L("c7"), L("Acreate_time=8")},
	NUMBER(create_time, 7)},
    {"warn time: first", {L("W              7"), L("W              8")},
	NUMBER(warn_time, 7)},
    {"warn time: sent", {L("W             -1")}, NUMBER(warn_time, -1)},
    {"warn time: 0 counts", {L("W0"), L("W8")}, NUMBER(warn_time, 0)},
    {"T after S is used, not by showq", {L("T9 1")}, NUMBER(arrival_time, 5)},
};

static void check_value(const struct value_case *c)
{
	struct lit e[16] = {L("C="), L("T5"), L("Sa")};
	const struct lit tail[] = {TAIL};
	struct parsed p;
	const char *text;
	int64_t number;
	size_t n = 3, i;

	for (i = 0; c->e[i].s != NULL; i++)
		e[n++] = c->e[i];
	for (i = 0; i < 4; i++)
		e[n++] = tail[i];
	parse(&p, e, QT_MSG_QUEUE, c->name);
	if (p.rc != 0)
		fail_msg("%s: %s", c->name, p.err.text);
	if (c->is_number) {
		memcpy(&number, (char *)&p.msg + c->member, sizeof number);
		if (number != c->number)
			fail_msg("%s: %ld", c->name, (long)number);
	} else {
		memcpy(&text, (char *)&p.msg + c->member, sizeof text);
		if (!same_text(text, c->text))
			fail_msg("%s: %s", c->name, text);
	}
	parsed_release(&p);
}

static void test_which_value_counts(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof value_cases / sizeof value_cases[0]; i++)
		check_value(&value_cases[i]);
}

static void test_times(void **state)
{
	static const struct {
		const char *name;
		struct lit t;
		int64_t sec, usec;
	} cases[] = {
	    {"seconds", L("T12"), 12, -1},
	    {"both", L("T12 34"), 12, 34},
	    {"text behind", L("T12abc 5"), 12, 0},
	    {"blank before: atol sees the seconds twice", L("T 12 5"), 12, 12},
	    {"negative", L("T-12"), -12, -1},
	    {"plus", L("T+12"), 12, 12},
	    {"largest", L("T9223372036854775807"), INT64_MAX, -1},
	    {"saturates", L("T9999999999999999999999"), INT64_MAX, -1},
	    {"saturates below", L("T-9999999999999999999999"), INT64_MIN, -1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct lit e[] = {
		    L("C="), cases[i].t, L("Sa"), TAIL, {NULL, 0}};
		struct parsed p;

		parse(&p, e, QT_MSG_QUEUE, cases[i].name);
		assert_int_equal(p.rc, 0);
		if (p.msg.arrival_time != cases[i].sec ||
		    p.msg.arrival_usec != cases[i].usec)
			fail_msg("%s: %ld %ld", cases[i].name,
			    (long)p.msg.arrival_time, (long)p.msg.arrival_usec);
		assert_int_equal(p.msg.showq_time, cases[i].sec);
		parsed_release(&p);
	}
}

static void test_time_after_the_sender(void **state)
{
	static const struct lit e[] = {
	    L("C="), L("T0"), L("Sa"), L("T7 8"), TAIL, {NULL, 0}};
	struct parsed p;

	(void)state;
	parse(&p, e, QT_MSG_QUEUE, "late T");
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.msg.arrival_time, 7);
	assert_int_equal(p.msg.arrival_usec, 8);
	assert_int_equal(p.msg.showq_time, 0);
	parsed_release(&p);
}

static void test_verp_needs_a_sender(void **state)
{
	static const struct lit early[] = {
	    L("C="), L("T5"), L("V+="), L("Sa"), TAIL, {NULL, 0}};
	static const struct lit null[] = {
	    L("C="), L("T5"), L("S"), L("V+="), TAIL, {NULL, 0}};
	struct parsed p;

	(void)state;
	parse(&p, early, QT_MSG_QUEUE, "early");
	assert_null(p.msg.verp);
	parsed_release(&p);
	parse(&p, null, QT_MSG_QUEUE, "null");
	assert_null(p.msg.verp);
	parsed_release(&p);
}

/* C fields are read with "%ld %ld %d %d %ld %d". */
static void test_size_numbers(void **state)
{
	static const struct {
		struct lit c;
		int n;
		int64_t v[6];
		bool plain;
	} cases[] = {
	    {L("C 1 2 3 4 5 6"), 6, {1, 2, 3, 4, 5, 6}, true},
	    {L("C1 2 3 4 5 6 7 8"), 8, {1, 2, 3, 4, 5, 6}, true},
	    {L("C\t1\n2 3"), 3, {1, 2, 3}, false},
	    {L("C1-2+3"), 3, {1, -2, 3}, false},
	    {L("C1 2 4294967299"), 3, {1, 2, 3}, true},
	    {L("C1 - 2"), 1, {1}, false},
	    {L("C0x10 2 3"), 1, {0}, false},
	    {L("C1 2 3\0 4"), 3, {1, 2, 3}, true},
	    {L("C99999999999999999999"), 1, {INT64_MAX}, true},
	    {L("C-99999999999999999999"), 1, {INT64_MIN}, false},
	    {L("C"), 0, {0}, true},
	    {L("Cx"), 0, {0}, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct lit e[] = {cases[i].c, L("Z"), {NULL, 0}};
		struct parsed p;

		parse(&p, e, QT_MSG_QUEUE, cases[i].c.s);
		assert_int_equal(p.msg.nsize, cases[i].n);
		assert_int_equal(p.msg.size_plain, cases[i].plain);
		assert_memory_equal(p.msg.size, cases[i].v, sizeof p.msg.size);
		parsed_release(&p);
	}
}

/* ---- recipients ---- */

struct rcpt_want {
	const char *address, *orig, *showq_orig, *orcpt;
	int at; /* entry */
	unsigned notify;
	enum qt_rcpt_state state;
};
struct rcpt_case {
	const char *name;
	struct lit e[32];
	struct rcpt_want want[6];
};

static const struct rcpt_case rcpt_cases[] = {
    {"a group each",
	{L("C="), L("T5"), L("Sa"), L("Anotify_flags=2"),
	    L("Adsn_orig_rcpt=rfc822;x"), L("Ox"), L("Rb"), L("Rc"), TAIL},
	{{"b", "x", "x", "rfc822;x", 6, 2, QT_RCPT_TODO},
	    {"c", NULL, NULL, NULL, 7, 0, QT_RCPT_TODO}}},
    {"as records of their own",
	{L("C="), L("T5"), L("Sa"), L("n14"), L("orfc822;x"), L("Ob"), L("Rb"),
	    TAIL},
	{{"b", "b", "b", "rfc822;x", 6, 14, QT_RCPT_TODO}}},
    {"done and cancelled take what is pending; showq keeps O",
	{L("C="), L("T5"), L("Sa"), L("Anotify_flags=2"),
	    L("Adsn_orig_rcpt=rfc822;x"), L("Ox"), L("Db"), L("Rc"), L("Oy"),
	    L("/d"), L("Re"), L("Rf"), TAIL},
	{{"b", NULL, NULL, NULL, 6, 0, QT_RCPT_DONE},
	    {"c", NULL, "x", NULL, 7, 0, QT_RCPT_TODO},
	    {"d", NULL, NULL, NULL, 9, 0, QT_RCPT_CANCELLED},
	    {"e", NULL, "y", NULL, 10, 0, QT_RCPT_TODO},
	    {"f", NULL, NULL, NULL, 11, 0, QT_RCPT_TODO}}},
    {"a recipient's own O overrides the stale one",
	{L("C="), L("T5"), L("Sa"), L("Ox"), L("Db"), L("Oy"), L("Rc"), TAIL},
	{{"b", NULL, NULL, NULL, 4, 0, QT_RCPT_DONE},
	    {"c", "y", "y", NULL, 6, 0, QT_RCPT_TODO}}},
    {"the last value pending counts, a malformed one removes it",
	{L("C="), L("T5"), L("Sa"), L("Ox"), L("Oy"), L("n2"), L("n3"), L("Rb"),
	    L("n2"), L("n0"), L("Rc"), L("n1"), L("Rd"), TAIL},
	{{"b", "y", "y", NULL, 7, 0, QT_RCPT_TODO},
	    {"c", NULL, NULL, NULL, 10, 0, QT_RCPT_TODO},
	    {"d", NULL, NULL, NULL, 12, 1, QT_RCPT_TODO}}},
    {"NOTIFY values that are none",
	{L("C="), L("T5"), L("Sa"), L("n16"), L("Rb"), L("n+2"), L("Rc"),
	    L("n 2"), L("Rd"), L("n"), L("Re"), L("n12"), L("Rf"), TAIL},
	{{"b", NULL, NULL, NULL, 4, 0, QT_RCPT_TODO},
	    {"c", NULL, NULL, NULL, 6, 0, QT_RCPT_TODO},
	    {"d", NULL, NULL, NULL, 8, 0, QT_RCPT_TODO},
	    {"e", NULL, NULL, NULL, 10, 0, QT_RCPT_TODO},
	    {"f", NULL, NULL, NULL, 12, 12, QT_RCPT_TODO}}},
    {"pending across the content",
	{L("C="), L("T5"), L("Sa"), L("Ox"), L("M"), L("Nx"), L("X"), L("Rb"),
	    L("E")},
	{{"b", "x", "x", NULL, 7, 0, QT_RCPT_TODO}}},
    {"sender_bcc: a recipient before the client",
	{L("C="), L("T5"), L("Sa"), L("Anotify_flags=1"), L("O"), L("Rbcc"),
	    L("Alog_client_name=x"), L("Ob"), L("Rb"), TAIL},
	{{"bcc", "", "", NULL, 5, 1, QT_RCPT_TODO},
	    {"b", "b", "b", NULL, 8, 0, QT_RCPT_TODO}}},
    {"in all three places",
	{L("C="), L("T5"), L("Sa"), L("Rb"), L("p@11"), L("M"), L("Nx"), L("X"),
	    L("Rc"), L("p              0"), L("E"), L("Ox"), L("Rd"), L("p@5")},
	{{"b", NULL, NULL, NULL, 3, 0, QT_RCPT_TODO},
	    {"d", "x", "x", NULL, 12, 0, QT_RCPT_TODO},
	    {"c", NULL, NULL, NULL, 8, 0, QT_RCPT_TODO}}},
    {"only behind the text (sendmail -t)",
	{L("C="), L("T5"), L("Sa"), L("p              0"), L("M"), L("Nx"),
	    L("X"), L("Rb"), L("Rc"), L("p@11"), L("E"), L("Rd"), L("p@10")},
	{{"b", NULL, NULL, NULL, 7, 0, QT_RCPT_TODO},
	    {"c", NULL, NULL, NULL, 8, 0, QT_RCPT_TODO},
	    {"d", NULL, NULL, NULL, 11, 0, QT_RCPT_TODO}}},
};

static void check_rcpts(const struct rcpt_case *c)
{
	struct parsed p;
	size_t i;

	parse(&p, c->e, QT_MSG_QUEUE, c->name);
	if (p.rc != 0)
		fail_msg("%s: %s", c->name, p.err.text);
	for (i = 0; c->want[i].address != NULL; i++) {
		const struct rcpt_want *w = &c->want[i];
		const struct qt_rcpt *r = &p.msg.rcpt[i];

		if (i >= p.msg.nrcpt || !same_text(r->address, w->address) ||
		    !same_text(r->orig, w->orig) ||
		    !same_text(r->showq_orig, w->showq_orig) ||
		    !same_text(r->dsn_orcpt, w->orcpt) ||
		    r->offset != p.f.at[w->at] || r->notify != w->notify ||
		    r->state != w->state)
			fail_msg("%s: recipient %zu", c->name, i);
	}
	assert_int_equal(p.msg.nrcpt, i);
	assert_int_equal(p.msg.ntodo + p.msg.ndone + p.msg.ncancelled, i);
	parsed_release(&p);
}

static void test_recipients(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rcpt_cases / sizeof rcpt_cases[0]; i++)
		check_rcpts(&rcpt_cases[i]);
}

static void test_many_recipients(void **state)
{
	enum { N = 5000 };
	const size_t size = 97 + 64 + N * 16;
	char *b = malloc(size), text[16];
	struct qfile head;
	static const struct lit frame[] = {L("T5"), L("Sa"), {NULL, 0}};
	struct qt_arena arena;
	struct qt_error err = {0};
	struct qt_input in;
	struct qt_msg msg;
	size_t at = 97, i;
	char c[96];

	(void)state;
	assert_non_null(b);
	qfile_build(&head, frame);
	memcpy(b + at, head.bytes, head.len);
	at += head.len;
	for (i = 0; i < N; i++)
		at += (size_t)snprintf(b + at, 16, "R\x06u%05zu", i);
	memcpy(b + at, "M\0N\1xX\0E\0", 9);
	(void)snprintf(c, sizeof c, "%15d %15zu %15d %15d %15d %15d", 3, at + 2,
	    N, 0, 3, 0);
	memcpy(b, "C_", 2);
	memcpy(b + 2, c, 95);
	qt_input_bytes(&in, b, at + 9);
	qt_arena_init(&arena, 0);
	assert_int_equal(
	    qt_msg_parse(&msg, &in, QT_MSG_QUEUE, QT_MSG_RCPTS, &arena, &err),
	    0);
	assert_int_equal(msg.nrcpt, N);
	assert_int_equal(msg.odd, 0);
	for (i = 0; i < N; i++) {
		(void)snprintf(text, sizeof text, "u%05zu", i);
		assert_string_equal(msg.rcpt[i].address, text);
	}
	qt_arena_release(&arena);
	/* too many for the memory allowed: this message's fault alone */
	qt_arena_init(&arena, 100000);
	assert_int_equal(
	    qt_msg_parse(&msg, &in, QT_MSG_QUEUE, QT_MSG_RCPTS, &arena, &err),
	    -1);
	assert_true(qt_error_is_item(&err));
	qt_arena_release(&arena);
	free(b);
}

/* ---- edits by Milters ---- */

/* The sender replaced: the old record is overwritten by a pointer. */
static void test_milter_changes_sender(void **state)
{
	static const struct lit e[] = {L("C="), L("T5"), L("p@9"),
	    L("!ld-sender"), L("Rb"), L("M"), L("Nx"), L("X"), L("E"),
	    L("Aenvelope_id=new"), L("Snew@x"), L("p@4"), {NULL, 0}};
	struct parsed p;

	(void)state;
	parse(&p, e, QT_MSG_QUEUE, "sender");
	assert_int_equal(p.rc, 0);
	assert_string_equal(p.msg.sender, "new@x");
	assert_int_equal(p.msg.sender_offset, p.f.at[10]);
	assert_string_equal(p.msg.envelope_id, "new");
	assert_int_equal(p.msg.ntodo, 1);
	parsed_release(&p);
}

/* Two recipients added one after the other: each ends in a pointer. */
static void test_milter_adds_recipients(void **state)
{
	static const struct lit e[] = {L("C="), L("T5"), L("Sa"), L("Rb"),
	    L("/gone"), L("p@9"), L("M"), L("Nx"), L("X"), L("!E\0"), L("Rc"),
	    L("p@12"), L("Rd"), L("p@6"), {NULL, 0}};
	static const struct lit fixed[] = {L("C="), L("T5"), L("Sa"), L("Rb"),
	    L("/gone"), L("p@10"), L("M"), L("Nx"), L("X"), L("E"), L("Rc"),
	    L("p@12"), L("Rd"), L("p@6"), {NULL, 0}};
	struct parsed p;

	(void)state;
	/* a pointer to E instead: qmgr stops there, and takes the file */
	parse(&p, e, QT_MSG_QUEUE, "to E");
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.msg.nrcpt, 2);
	parsed_release(&p);
	parse(&p, fixed, QT_MSG_QUEUE, "added");
	assert_int_equal(p.rc, 0);
	assert_int_equal(p.msg.nrcpt, 4);
	assert_int_equal(p.msg.ntodo, 3);
	assert_int_equal(p.msg.ncancelled, 1);
	assert_string_equal(p.msg.rcpt[3].address, "d");
	parsed_release(&p);
}

/* FILTER from milter_header_checks: in the heap, linked through X. */
static void test_milter_adds_filter(void **state)
{
	static const struct lit e[] = {L("C="), L("T5"), L("Sa"), L("Rb"),
	    L("M"), L("Nx"), L("X"), L("p@10"), L("Rc"), L("E"), L("Lf:g"),
	    L("p@8"), {NULL, 0}};
	struct parsed p;

	(void)state;
	parse(&p, e, QT_MSG_QUEUE, "filter");
	assert_int_equal(p.rc, 0);
	assert_string_equal(p.msg.filter, "f:g");
	assert_int_equal(p.msg.ntodo, 2);
	parsed_release(&p);
}

/* ---- the walk ---- */

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
	    cmocka_unit_test(test_qmgr_accepts),
	    cmocka_unit_test(test_oldest_files),
	    cmocka_unit_test(test_pickup_accepts),
	    cmocka_unit_test(test_pickup_limits_records),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_nothing_is_null),
	    cmocka_unit_test(test_which_value_counts),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_time_after_the_sender),
	    cmocka_unit_test(test_verp_needs_a_sender),
	    cmocka_unit_test(test_size_numbers),
	    cmocka_unit_test(test_recipients),
	    cmocka_unit_test(test_many_recipients),
	    cmocka_unit_test(test_milter_changes_sender),
	    cmocka_unit_test(test_milter_adds_recipients),
	    cmocka_unit_test(test_milter_adds_filter),
	    cmocka_unit_test(test_walks),
	    cmocka_unit_test(test_segment_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
