/*
 * test_deferlog.c - entries of defer, bounce and trace logs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "qtool/deferlog.h"

#define NONE NULL, NULL
#define NO_DIAG NULL, NULL, NULL, NULL
#define UNKNOWN "(recipient address unavailable)"
#define NO_REASON "(description unavailable)"

struct log_case {
	const char *name;
	const char *log;
	size_t len; /* 0: strlen */
	enum qt_log_kind kind;
	struct qt_log_entry want[4];
	size_t n, skipped;
};

static const struct log_case log_cases[] = {
    {"empty", "", 0, QT_LOG_DEFER, {{0}}, 0, 0},
    {"as Postfix writes it",
	"\n<joe@x.test>: connect to x.test[1.2.3.4]:25: refused\n"
	"recipient=joe@x.test\noriginal_recipient=Joe@y.test\noffset=791\n"
	"dsn_orig_rcpt=rfc822;joe@y.test\nnotify_flags=6\nstatus=4.4.1\n"
	"action=delayed\ndiag_type=smtp\ndiag_text=450 try later\n"
	"mta_type=dns\nmta_mname=mx.x.test\nreason=connect: refused\n\n",
	0, QT_LOG_DEFER,
	{{"joe@x.test", "Joe@y.test", "rfc822;joe@y.test", "4.4.1", "delayed",
	    "smtp", "450 try later", "dns", "mx.x.test", "connect: refused",
	    791, 6}},
	1, 0},
    {"two entries",
	"\nrecipient=a@x\nreason=r1\n\n\nrecipient=b@x\nreason=r2\n\n", 0,
	QT_LOG_DEFER,
	{{"a@x", NONE, "4.0.0", "delayed", NO_DIAG, "r1", -1, 0},
	    {"b@x", NONE, "4.0.0", "delayed", NO_DIAG, "r2", -1, 0}},
	2, 0},
    {"one empty line between", "recipient=a@x\n\nrecipient=b@x\n\n", 0,
	QT_LOG_BOUNCE,
	{{"a@x", NONE, "5.0.0", "failed", NO_DIAG, NO_REASON, -1, 0},
	    {"b@x", NONE, "5.0.0", "failed", NO_DIAG, NO_REASON, -1, 0}},
	2, 0},
    {"trace defaults", "recipient=a@x\n\n", 0, QT_LOG_TRACE,
	{{"a@x", NONE, "5.0.0", "failed", NO_DIAG, NO_REASON, -1, 0}}, 1, 0},
    {"old style", "<a@x>: no: such >: user\n\n<b@x>:   why\n\n", 0,
	QT_LOG_DEFER,
	{{"a@x", NONE, "4.0.0", "delayed", NO_DIAG, "no: such >: user", -1, 0},
	    {"b@x", NONE, "4.0.0", "delayed", NO_DIAG, "why", -1, 0}},
	2, 0},
    {"old style, null recipient", "<>: why\n\n", 0, QT_LOG_DEFER,
	{{"", NONE, "4.0.0", "delayed", NO_DIAG, "why", -1, 0}}, 1, 0},
    {"null recipient", "<>: why\nrecipient=<>\nreason=why\n\n", 0, QT_LOG_DEFER,
	{{"", NONE, "4.0.0", "delayed", NO_DIAG, "why", -1, 0}}, 1, 0},
    {"the later line counts",
	"<a@x>: old\nreason=new\nrecipient=b@x\nrecipient=c@x\n\n", 0,
	QT_LOG_DEFER,
	{{"c@x", NONE, "4.0.0", "delayed", NO_DIAG, "new", -1, 0}}, 1, 0},
    {"torn: no empty line", "recipient=a@x\n\nrecipient=b@x\nreason=r\n", 0,
	QT_LOG_DEFER,
	{{"a@x", NONE, "4.0.0", "delayed", NO_DIAG, NO_REASON, -1, 0}}, 1, 0},
    {"torn in a line", "recipient=a@x\n\nrecipient=b@x\nrea", 0, QT_LOG_DEFER,
	{{"a@x", NONE, "4.0.0", "delayed", NO_DIAG, NO_REASON, -1, 0}}, 1, 0},
    {"blanks around",
	"recipient =  a b  \nstatus   =4.1.1\n =x\nreason x=y\n\n", 0,
	QT_LOG_DEFER,
	{{"a b", NONE, "4.1.1", "delayed", NO_DIAG, NO_REASON, -1, 0}}, 1, 2},
    {"lines that are none",
	"recipient=a@x\nfuture=1\nnonsense\n# x\n<a@x> why\n\n", 0,
	QT_LOG_DEFER,
	{{"a@x", NONE, "4.0.0", "delayed", NO_DIAG, NO_REASON, -1, 0}}, 1, 4},
    {"nothing but nonsense", "nonsense\n\n", 0, QT_LOG_DEFER,
	{{UNKNOWN, NONE, "4.0.0", "delayed", NO_DIAG, NO_REASON, -1, 0}}, 1, 1},
    {"empty values", "recipient=\nstatus=\nreason=\noffset=\n\n", 0,
	QT_LOG_DEFER,
	{{"", NONE, "4.0.0", "delayed", NO_DIAG, NO_REASON, -1, 0}}, 1, 0},
    {"offset and flags that are none",
	"recipient=a@x\noffset=-5\nnotify_flags=3\n\n"
	"recipient=a@x\noffset=12x\nnotify_flags=1\n\n"
	"recipient=a@x\noffset=7\noffset=0\nnotify_flags=16\n\n",
	0, QT_LOG_DEFER,
	{{"a@x", NONE, "4.0.0", "delayed", NO_DIAG, NO_REASON, -1, 0},
	    {"a@x", NONE, "4.0.0", "delayed", NO_DIAG, NO_REASON, 12, 1},
	    {"a@x", NONE, "4.0.0", "delayed", NO_DIAG, NO_REASON, 7, 0}},
	3, 0},
    {"made printable",
	"recipient=a\x1b[1m@x\nreason=\xc3\xa4 \xff\x7f\ty\r\n\n", 0,
	QT_LOG_DEFER,
	{{"a?[1m@x", NONE, "4.0.0", "delayed", NO_DIAG, "\xc3\xa4 ???y?", -1,
	    0}},
	1, 0},
    {"a NUL ends a line", "recipient=a@x\0z\nreason=r\0\n\0x\nz", 28,
	QT_LOG_DEFER, {{"a@x", NONE, "4.0.0", "delayed", NO_DIAG, "r", -1, 0}},
	1, 0},
};

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_entry(
    const struct qt_log_entry *a, const struct qt_log_entry *b)
{
	return same(a->recipient, b->recipient) &&
	       same(a->orig_recipient, b->orig_recipient) &&
	       same(a->dsn_orcpt, b->dsn_orcpt) && same(a->status, b->status) &&
	       same(a->action, b->action) && same(a->diag_type, b->diag_type) &&
	       same(a->diag_text, b->diag_text) &&
	       same(a->mta_type, b->mta_type) &&
	       same(a->mta_name, b->mta_name) && same(a->reason, b->reason) &&
	       a->offset == b->offset && a->notify == b->notify;
}

static void test_entries(void **state)
{
	struct qt_arena arena;
	size_t i, n;

	(void)state;
	qt_arena_init(&arena, 0);
	for (i = 0; i < sizeof log_cases / sizeof log_cases[0]; i++) {
		const struct log_case *c = &log_cases[i];
		struct qt_log_reader r;
		struct qt_log_entry e;
		struct qt_error err = {0};

		qt_log_reader_init(
		    &r, c->log, c->len != 0 ? c->len : strlen(c->log), c->kind);
		for (n = 0; qt_log_reader_next(&r, &e, &arena, &err) == 0; n++)
			if (n >= c->n || !same_entry(&e, &c->want[n]))
				fail_msg("%s: entry %zu: %s %s %ld", c->name, n,
				    e.recipient, e.reason, (long)e.offset);
		if (n != c->n || r.skipped != c->skipped)
			fail_msg("%s: %zu entries, %zu skipped", c->name, n,
			    r.skipped);
		/* the end stays the end */
		assert_int_equal(qt_log_reader_next(&r, &e, &arena, &err), 1);
	}
	qt_arena_release(&arena);
}

static void test_out_of_memory(void **state)
{
	static const char log[] = "recipient=a@x\nreason=0123456789\n\n";
	struct qt_log_reader r;
	struct qt_log_entry e;
	struct qt_error err = {0};
	struct qt_arena arena;

	(void)state;
	qt_arena_init(&arena, 10);
	qt_log_reader_init(&r, log, sizeof log - 1, QT_LOG_DEFER);
	assert_int_equal(qt_log_reader_next(&r, &e, &arena, &err), -1);
	assert_int_equal(err.code, QT_E_NOMEM);
	qt_arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_entries),
	    cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
