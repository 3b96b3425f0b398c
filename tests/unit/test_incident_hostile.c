/*
 * test_incident_hostile.c - texts that want to be more than text, in the paper
 * about an incident.
 */
#include "unit/incident_world.h"

static const struct {
	const char *text, *seen; /* NULL: as it is */
} hostile[] = {
    {"<script>alert(1)</script>", NULL},
    {"</td></tr></table><img src=x onerror=alert(1)>", NULL},
    {"\" onmouseover=\"alert(1)", NULL},
    {"' style='x", NULL},
    {"</style></title><b>", NULL},
    {"<!-- x --> <![CDATA[ ]]> <?php ?>", NULL},
    {"&lt;b&gt; &#106; &copy &amp;amp;", NULL},
    {"a|b||c", NULL},
    {"a\\|b\\\\|c\\", NULL},
    {"| a | b |", NULL},
    {"DOMAIN\\tom", NULL},
    {"`code` ``` ~~~ ~~gone~~", NULL},
    {"**bold** _it_ __b__ *", NULL},
    {"[x](javascript:alert(1))", NULL},
    {"![i](http://evil.example/i.png)", NULL},
    {"[x]: http://evil.example/", NULL},
    {"<http://evil.example/>", NULL},
    {"see https://evil.example/?a=1&b=2 or www.evil.example", NULL},
    {"WWW.EVIL.EXAMPLE ftp://evil.example", NULL},
    {"# head", NULL},
    {"- [ ] item", NULL},
    {"+ item", NULL},
    {"1. one", NULL},
    {"2) two", NULL},
    {"> quote", NULL},
    {"=====", NULL},
    {"$x$ $$y$$", NULL},
    {"line\nbreak", "line\\nbreak"},
    {"a\n\n# b\n\n| c |", "a\\n\\n# b\\n\\n| c |"},
    {"cr\rtab\tnext", "cr\\x0Dtab\\tnext"},
    {"\033[31mred\033]0;title\007", "\\x1B[31mred\\x1B]0;title\\x07"},
    {"\xc2\x9b" "31m", "\\u{9B}31m"},
    {"pay \xe2\x80\xae" "dab\xe2\x81\xa9", "pay \\u{202E}dab\\u{2069}"},
    {"zero\xe2\x80\x8bwidth\xef\xbb\xbf", "zero\\u{200B}width\\u{FEFF}"},
    {"bad\xff\xc0\xaf", "bad\\xFF\\xC0\\xAF"},
    {"cut\xe2\x82", "cut\\xE2\\x82"},
    {"sep\xe2\x80\xa8" "arate", "sep\\u{2028}arate"},
    {"gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\xe6\x9c\xac", NULL},
};
#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static const char *seen(size_t i)
{
	return hostile[i].seen != NULL ? hostile[i].seen : hostile[i].text;
}

static void is_seen(const struct reading *r, const char *before, size_t i,
    const char *after)
{
	char s[256];

	(void)snprintf(s, sizeof(s), "%s%s%s", before, seen(i), after);
	has(r, s, true);
}

static void hostile_text_of_mail_is_text(void **state)
{
	const struct qt_tally_add one = {.recipients = 1, .todo = 1, .time = T0};
	struct qt_client c = {.valid = true, .foreign = true};
	struct reading r;
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < HOSTILE; i++) {
		begin(&w);
		c.name = hostile[i].text;
		w.contact.address = hostile[i].text;
		c.contact = &w.contact;
		add_account(&w, hostile[i].text, &one,
		    &(struct qt_account){.senders = 1});
		add_client(&w, hostile[i].text, &one, &c);
		(void)add(&w, &w.x.senders, hostile[i].text, &one);
		(void)add(&w, &w.x.subjects, hostile[i].text, &one);
		(void)add(&w, &w.x.rcpt_domains, hostile[i].text, &one);
		(void)add(&w, &w.x.places, hostile[i].text, &one);
		w.x.all = (struct qt_counted){.messages = 1, .recipients = 1,
		    .todo = 1};
		r = read_both(&w);
		is_seen(&r, ":Account\n-", i, ": 1 message to 1 recipient\n");
		is_seen(&r, "|Last (UTC)\n|", i, "\n|\n|1\n");
		is_seen(&r, "|Who answers\n|", i, "\n|");
		is_seen(&r, "\n|", i, "\n|not known\n");
		is_seen(&r, "\n|", i, " (AS64500)\n");
		is_seen(&r, "|Sender\n|Share\n|Messages\n|Recipients\n|Done\n"
		    "|To do\n|", i, "\n");
		is_seen(&r, "|Subject\n|Share\n|Messages\n|Recipients\n|Done\n"
		    "|To do\n|", i, "\n");
		is_seen(&r, "|Domain\n|Share\n|Recipients\n|Done\n|To do\n|", i,
		    "\n");
		is_seen(&r, "|What that means\n|", i, "\n|1\n");
		qt_buf_release(&r.text);
		end(&w);
	}
}

static void hostile_text_of_options_is_text(void **state)
{
	struct reading r;
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < HOSTILE; i++) {
		begin(&w);
		fill(&w);
		w.x.opts = (struct qt_incident_opts){.case_id = hostile[i].text,
		    .title = hostile[i].text, .organization = hostile[i].text,
		    .source = hostile[i].text, .command = hostile[i].text,
		    .stopped = hostile[i].text, .cause = hostile[i].text,
		    .prevention = hostile[i].text};
		w.x.from = hostile[i].text;
		make_history(&w, 1);
		w.history.v[0].reason = hostile[i].text;
		w.history.v[0].operator_name = hostile[i].text;
		r = read_both(&w);
		is_seen(&r, "=", i, "\n-For your own house.");
		is_seen(&r, ":Case\n-", i, "\n");
		is_seen(&r, ":Organization\n-", i, "\n");
		is_seen(&r, ":Contact\n-", i, "\n");
		is_seen(&r, ":Command\n-", i, "\n");
		is_seen(&r, "|0\n|0\n|", i, "\n|");
		is_seen(&r, "=Stopped\n-", i, "\n");
		is_seen(&r, "=Cause\n-", i, "\n");
		is_seen(&r, "=Prevention\n-", i, "\n");
		qt_buf_release(&r.text);
		end(&w);
	}
}

/* A byte that ends a C string does not end a subject. */
static void a_subject_with_a_nul(void **state)
{
	static const char subject[] = "before\0<b>after";
	const struct qt_tally_add one = {.todo = 1};
	struct reading r;
	struct world w;

	(void)state;
	begin(&w);
	assert_int_equal(qt_tally_add(&w.x.subjects, subject,
	    sizeof(subject) - 1, &one, NULL, NULL, &w.err), 0);
	r = read_both(&w);
	has(&r, "|before\\x00<b>after\n", true);
	qt_buf_release(&r.text);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hostile_text_of_mail_is_text),
	    cmocka_unit_test(hostile_text_of_options_is_text),
	    cmocka_unit_test(a_subject_with_a_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
