/*
 * test_envelope.c - what qmgr would read in a file: values, recipients, and
 * both after a Milter's edits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "parsed.h"

#define TAIL L("M"), L("Nx"), L("X"), L("E")

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
    {"blanks around the value", {L("Asasl_username= \t a b \v ")},
	TEXT(sasl_username, "a b")},
    {"another name as long", {L("Asasl_usernamE=x")},
	TEXT(sasl_username, NULL)},
    {"a name that ends alike", {L("Axxxl_username=x")},
	TEXT(sasl_username, NULL)},
    {"the longest name", {L("Areverse_client_name=x")},
	TEXT(reverse_client_name, "x")},
    {"another one in its middle", {L("Areverse_cliENT_name=x")},
	TEXT(reverse_client_name, NULL)},
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
	    {L("C              1              2        3        "), 3,
		{1, 2, 3}, true},
	    {L("C              1       \t       2"), 2, {1, 2}, false},
	    {L("C              1              x"), 1, {1}, false},
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
