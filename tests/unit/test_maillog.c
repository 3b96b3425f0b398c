/*
 * test_maillog.c - which lines of a mail log are about certain mail.
 */
#include "unit/archive_world.h"

#include "evidence/maillog.h"
#include "evidence/spill.h"

struct logs {
	struct qt_maillog m;
	struct qt_spill out;
	char dir[64];
};

static int log_setup(void **state)
{
	struct logs *l = calloc(1, sizeof *l);
	struct qt_error err;

	assert_non_null(l);
	(void)strcpy(l->dir, "/tmp/qtool-maillog.XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	assert_int_equal(qt_maillog_init(&l->m, &err), 0);
	qt_spill_init(&l->out, -1, LIMIT);
	/* the archived mail: joe's 3F2A1C0D4E, and one without a login */
	assert_int_equal(qt_maillog_add(&l->m, "3F2A1C0D4E", "3F2A1C0D4E",
	    "Joe@victim.example", "203.0.113.7", &err), 0);
	assert_int_equal(qt_maillog_add(&l->m, "4jbDRt1T1jz1d9YS", NULL, NULL,
	    "198.51.100.1", &err), 0);
	/* behind a filter on this host */
	assert_int_equal(qt_maillog_add(&l->m, "5A5A5A5A5A5", "6B6B6B6B6B6",
	    "joe@victim.example", "127.0.0.1", &err), 0);
	*state = l;
	return 0;
}

static int log_teardown(void **state)
{
	struct logs *l = *state;

	qt_maillog_release(&l->m);
	qt_spill_release(&l->out);
	assert_int_equal(nftw(l->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(l);
	return 0;
}

static const char *write_log(struct logs *l, const char *name, const void *bytes,
    size_t len)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", l->dir, name);
	write_file(path, bytes, len);
	return path;
}

/* What is taken of text. */
static const char *taken(struct logs *l, const char *text, size_t len)
{
	static char out[1 << 20];
	struct qt_error err;
	size_t n;

	qt_spill_clear(&l->out);
	if (qt_maillog_take(&l->m, write_log(l, "log", text, len), &l->out,
		&err) != 0)
		fail_msg("%s: %s", err.where, err.text);
	n = (size_t)qt_spill_size(&l->out);
	assert_true(n < sizeof out);
	assert_int_equal(qt_spill_read(&l->out, 0, out, n, &err), 0);
	out[n] = '\0';
	return out;
}

#define HEAD "Nov 27 02:03:04 mx "

static void each_line_by_itself(void **state)
{
	static const struct {
		const char *line;
		bool ours;
	} lines[] = {
	    {HEAD "postfix/qmgr[1]: 3F2A1C0D4E: from=<joe@victim.example>, size=1", true},
	    {"2026-11-27T02:03:04.5+01:00 mx postfix/smtp[2]: 3F2A1C0D4E: to=<a@b>, status=sent", true},
	    {HEAD "postfix/qmgr[1]: 4jbDRt1T1jz1d9YS: removed", true},
	    {HEAD "postfix/smtpd[1]: 6B6B6B6B6B6: client=unknown[203.0.113.7]", true},
	    {HEAD "amavis[5]: (12) Passed, queued_as: 3F2A1C0D4E, 12 ms", true},
	    {HEAD "postfix/smtp[2]: AAAAAAAAAAA: status=sent (250 queued as 3F2A1C0D4E)", true},
	    {HEAD "postfix/smtpd[1]: warning: x[203.0.113.7]: SASL LOGIN failed, sasl_username=JOE@victim.example", true},
	    {HEAD "postfix/smtpd[1]: connect from x[203.0.113.7]", true},
	    {HEAD "postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[203.0.113.7]: 550 no", true},
	    /* other people */
	    {HEAD "postfix/qmgr[1]: BBBBBBBBBBB: from=<ann@victim.example>, size=1", false},
	    {HEAD "postfix/smtpd[1]: CCCCCCCCCCC: client=x[203.0.113.7], sasl_username=ann@victim.example", false},
	    {HEAD "postfix/smtpd[1]: DDDDDDDDDDD: client=x[203.0.113.7]", false},
	    {HEAD "postfix/smtpd[1]: warning: x[203.0.113.7]: SASL LOGIN failed, sasl_username=ann", false},
	    {HEAD "postfix/smtpd[1]: connect from x[203.0.113.70]", false},
	    {HEAD "postfix/smtpd[1]: connect from x[198.51.100.1]", false},
	    {HEAD "postfix/smtpd[1]: connect from localhost[127.0.0.1]", false},
	    {HEAD "postfix/smtpd[1]: 3F2A1C0D4E5: client=x[192.0.2.1]", false},
	    {HEAD "sshd[1]: something else", false},
	    {"", false},
	};
	char text[512];
	size_t i;

	for (i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		(void)snprintf(text, sizeof text, "%s\n", lines[i].line);
		assert_string_equal(taken(*state, text, strlen(text)),
		    lines[i].ours ? text : "");
	}
}

/* A login's other mail, from its first line to its last, and no further. */
static void an_accounts_other_mail(void **state)
{
	static const char text[] =
	    HEAD "postfix/qmgr[1]: EEEEEEEEEEE: from=<x@y>\n" /* not yet */
	    HEAD "postfix/smtpd[1]: EEEEEEEEEEE: client=x[192.0.2.5], "
	    "sasl_method=LOGIN, sasl_username=joe@victim.example\n"
	    HEAD "postfix/smtp[2]: EEEEEEEEEEE: to=<a@b>, status=sent\n"
	    HEAD "postfix/qmgr[1]: EEEEEEEEEEE: removed\n"
	    HEAD "postfix/smtpd[1]: EEEEEEEEEEE: client=ann[192.0.2.6]\n";
	const char *second = strchr(text, '\n') + 1;
	const char *last = strstr(text, "removed\n") + 8;

	const char *got = taken(*state, text, sizeof text - 1);

	assert_int_equal(strlen(got), last - second);
	assert_memory_equal(got, second, (size_t)(last - second));
}

/* Lines without end, and longer than any; the last one without a line feed. */
static void hostile_lines(void **state)
{
	struct logs *l = *state;
	size_t n = (size_t)3 << 20;
	char *text = malloc(n + 200), *p;
	static const char ours[] = HEAD "postfix/qmgr[1]: 3F2A1C0D4E: removed";

	assert_non_null(text);
	(void)strcpy(text, ours);
	p = text + strlen(ours);
	*p++ = '\n';
	(void)strcpy(p, HEAD "postfix/qmgr[1]: 3F2A1C0D4E: ");
	p += strlen(p);
	memset(p, 'x', n);
	p += n;
	*p++ = '\n';
	memcpy(p, "\0\xff[]]: : [\0\n", 12);
	p += 12;
	memcpy(p, ours, strlen(ours));
	p += strlen(ours);
	assert_string_equal(taken(l, text, (size_t)(p - text)),
	    HEAD "postfix/qmgr[1]: 3F2A1C0D4E: removed\n"
	    HEAD "postfix/qmgr[1]: 3F2A1C0D4E: removed\n");
	assert_int_equal(l->m.skipped, 1);
	assert_int_equal(l->m.lines, 2);
	assert_string_equal(taken(l, "", 0), "");
	free(text);
}

/* IDs are dropped one by one, and every other one is still found. */
static void a_set_forgets(void **state)
{
	struct qt_seen s;
	struct qt_error err;
	char name[16];
	int i;

	(void)state;
	assert_int_equal(qt_seen_init(&s, &err), 0);
	for (i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof name, "%X", i);
		assert_int_equal(qt_seen_add(&s, name, &err), 0);
	}
	for (i = 0; i < 5000; i += 2) {
		(void)snprintf(name, sizeof name, "%X", i);
		qt_seen_remove(&s, name);
		qt_seen_remove(&s, name);
	}
	assert_int_equal(s.n, 2500);
	for (i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof name, "%X", i);
		assert_int_equal(qt_seen_has(&s, name), i % 2 != 0);
	}
	qt_seen_release(&s);
}

static void what_cannot_be_read(void **state)
{
	struct logs *l = *state;
	struct qt_error err;
	char path[128];

	(void)snprintf(path, sizeof path, "%s/none", l->dir);
	assert_int_equal(qt_maillog_take(&l->m, path, &l->out, &err), -1);
	assert_int_equal(err.code, QT_E_SYS);
	/* cut off in the middle */
	assert_int_equal(qt_maillog_take(&l->m, write_log(l, "cut.gz",
	    "\x1f\x8b\x08\0\0\0\0\0\0\3\x4b", 11), &l->out, &err), -1);
	assert_int_equal(err.code, QT_E_LIBRARY);
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, log_setup, log_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    LOG_TEST(each_line_by_itself),
	    LOG_TEST(an_accounts_other_mail),
	    LOG_TEST(hostile_lines),
	    LOG_TEST(a_set_forgets),
	    LOG_TEST(what_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
