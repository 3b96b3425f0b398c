/*
 * test_incident_paper.c - the paper about an incident, read as people see it.
 */
#include "unit/incident_world.h"

/* ---- what it says ---- */

static void the_short_answer_first(void **state)
{
	struct reading r;
	struct world w;

	(void)state;
	begin(&w);
	fill(&w);
	w.x.opts = (struct qt_incident_opts){.case_id = "2026-17",
	    .title = "Phished: joe", .organization = "Provider Ltd",
	    .host = "mx1.provider.example", .source = "queue /var/spool/postfix",
	    .command = "qtool report --sasl joe"};
	r = read_both(&w);
	IN_ORDER(&r, "=Phished: joe\n", ":Case\n-2026-17\n",
	    ":Organization\n-Provider Ltd\n",
	    ":Contact\n-Abuse desk <abuse@provider.example>\n",
	    ":Mail server\n-mx1.provider.example\n",
	    ":Made\n-2026-11-26 14:02:11 UTC\n",
	    ":Read from\n-queue /var/spool/postfix\n",
	    ":Command\n-qtool report --sasl joe\n", "=In short\n",
	    ":Messages\n-1,238\n", ":Recipients\n-2,472\n",
	    ":Account 1\n-joe@victim.example: 1,234 messages to 2,468 recipients\n",
	    ":Account 2\n-ann@victim.example: 3 messages to 3 recipients\n",
	    ":Without a login\n-1 message to 1 recipient\n",
	    ":Came from\n-3 client addresses, 2 of them outside",
	    ":First message\n-2026-11-26 04:02:11 UTC, by its arrival\n",
	    ":Last message\n-2026-11-26 06:02:11 UTC, by its arrival\n",
	    ":Done with\n-1,234 recipients: Postfix has delivered the mail to "
	    "them or given it back to its sender. Which of the two is not known",
	    ":Still to do\n-1,238 recipients, of these:\n",
	    ":Prevented\n-1,000 recipients of messages that were taken out",
	    ":On hold\n-234 recipients:", ":Waiting\n-4 recipients:",
	    "=Timeline\n");
	has(&r, ":Other accounts", false);
	qt_buf_release(&r.text);
	end(&w);
}

static void the_tables(void **state)
{
	struct reading r;
	struct world w;

	(void)state;
	begin(&w);
	fill(&w);
	r = read_both(&w);
	IN_ORDER(&r, "=Report on an incident with mail\n", "=Timeline\n",
	    "|2026-11-26 04:00\n|\n|1\n|2\n"
	    "|2026-11-26 05:00\n|\n|0\n|0\n"
	    "|2026-11-26 06:00\n|\n|1\n|1\n",
	    "-Of 1,236 messages it is not known when it came.\n",
	    "=Accounts\n",
	    "|joe@victim.example\n|\n|1,234\n|2,468\n|1,234\n|1,234\n|900\n|1\n"
	    "|2026-11-26 04:02:11\n|2026-11-26 04:22:44\n"
	    "|ann@victim.example\n|\n|3\n|3\n|0\n|3\n|1\n|1\n",
	    "|(no login)\n|\n|1\n|1\n|0\n|1\n",
	    "-1,200 messages had a sender of another domain than that of the "
	    "login.\n",
	    "=Client addresses\n",
	    "|203.0.113.7\n|dyn7.isp.example\n|1025 to 60000\n"
	    "|2026-11-26 04:02:11\n|2026-11-26 04:22:44\n|1,234\n|1,234\n"
	    "|noc@isp.example (AS64500)\n"
	    "|2001:db8::7\n|\n|25\n|2026-11-26 06:02:11\n"
	    "|2026-11-26 06:02:11\n|3\n|3\n|not known\n"
	    "|10.0.0.7\n|\n|not known\n", "|own network\n",
	    "=Senders of the envelope\n",
	    "|bank@forged.example\n|\n|1,234\n|2,468\n|1,234\n|1,234\n"
	    "|ann@victim.example\n|\n|3\n", "|(null sender, as of a bounce)\n",
	    "=Subjects\n", "|Your account\n|\n|1,234\n", "|Minutes\n|\n|3\n",
	    "=Domains of the recipients\n",
	    "|big.example\n|\n|2,467\n|1,234\n|1,233\n"
	    "|small.example\n|\n|5\n|0\n|5\n",
	    "=Where the messages are\n",
	    "|transaction 7\n|1,000\n|2,000\n|1,000\n|1,000\n|taken out of the",
	    "|hold\n|234\n|468\n|234\n|234\n|on hold",
	    "|deferred\n|4\n|4\n|0\n|4\n|waits",
	    "=Affected persons\n", ":Different recipients\n-1,234\n",
	    ":Of them done with\n-700\n", ":Only to do\n-534\n",
	    ":Accounts used\n-2\n", "=What this cannot tell\n",
	    ":Delivered whole\n-A message that has been delivered to all of its "
	    "recipients has left the queue", ":Done\n",
	    "The queue does not tell the two apart", "200,000");
	qt_buf_release(&r.text);
	end(&w);
}

static void what_nobody_told_is_to_be_filled_in(void **state)
{
	struct reading r;
	struct world w;

	(void)state;
	begin(&w);
	fill(&w);
	w.x.opts.cause = "He typed it into a page.";
	w.x.opts.prevention = w.x.opts.title = w.x.opts.case_id = "";
	r = read_both(&w);
	has(&r, ":Case", false);
	IN_ORDER(&r, "=Report on an incident with mail\n", "=What was done\n", "-Transactions of qtool are listed where one queue is read, and not here.\n",
	    "=Stopped\n-[to be filled in: when the account was shut out",
	    "=Cause\n-He typed it into a page.\n",
	    "=Prevention\n-[to be filled in: ");
	qt_buf_release(&r.text);
	w.x.opts.stopped = "03:12";
	w.x.opts.prevention = "A second factor.";
	r = read_both(&w);
	IN_ORDER(&r, "=Stopped\n-03:12\n", "=Prevention\n-A second factor.\n");
	has(&r, "to be filled in", false);
	qt_buf_release(&r.text);
	end(&w);
}

static void transactions(void **state)
{
	struct reading r;
	struct world w;

	(void)state;
	begin(&w);
	fill(&w);
	make_history(&w, 60);
	w.history.v[11].problem = "its log is cut";
	w.history.v[11].state = QT_TX_DAMAGED;
	w.history.v[59] = (struct qt_tx_info){.txid = 7, .op = QT_OP_DELETE,
	    .state = QT_TX_COMMITTED, .done = 1001, .started = T0,
	    .reason = "spam of joe", .operator_name = "root"};
	r = read_both(&w);
	IN_ORDER(&r, "=What was done\n",
	    "|11\n|2026-11-26 14:02:11\n|hold\n|placed\n|10\n|0\n|\n|ops\n"
	    "|12\n|2026-11-26 15:02:11\n|hold\n|damaged\n|11\n|0\n"
	    "|its log is cut\n|ops\n",
	    "|7\n|2026-11-26 04:02:11\n|delete\n|committed\n|1,001\n|1,000\n"
	    "|spam of joe\n|root\n", "-and 10 more before these\n");
	has(&r, "|2026-11-26 13:02:11\n|hold", false); /* the 10th */
	qt_buf_release(&r.text);
	end(&w);
}

/* ---- nothing, and very much ---- */

static void an_empty_incident(void **state)
{
	struct reading r;
	struct world w;

	(void)state;
	begin(&w);
	r = read_both(&w);
	IN_ORDER(&r, "=In short\n-There was no such message in what was read.\n",
	    "=Timeline\n-None: no time of arrival is known.\n",
	    "=Accounts\n-None.\n", "=Client addresses\n-None.\n",
	    "=Subjects\n-None.\n", "=Where the messages are\n-None.\n",
	    ":Different recipients\n-0\n", "=What this cannot tell\n");
	assert_int_equal(r.rows, 0);
	qt_buf_release(&r.text);
	end(&w);
}

static void mail_without_a_login(void **state)
{
	const struct qt_tally_add one = {.recipients = 1, .todo = 1};
	struct reading r;
	struct world w;

	(void)state;
	begin(&w);
	add_account(&w, "", &one, &(struct qt_account){.senders = 1});
	add_client(&w, "", &one, &(struct qt_client){.valid = false});
	(void)add(&w, &w.x.places, "maildrop", &one);
	w.x.all = (struct qt_counted){.messages = 1, .recipients = 1, .todo = 1};
	r = read_both(&w);
	IN_ORDER(&r, ":Account\n-none: ", ":Came from\n-no client address is known",
	    ":First message\n-unknown, by", ":Waiting\n-1 recipient:",
	    "|(no login)\n", "|(no client)\n|\n|not known\n|unknown\n");
	has(&r, ":Without a login", false);
	qt_buf_release(&r.text);
	end(&w);
}

/* What became of a message after it was archived, nobody can tell from there. */
static void mail_of_an_archive(void **state)
{
	const struct qt_tally_add n = {.recipients = 5, .todo = 3, .done = 2};
	struct reading r;
	struct world w;

	(void)state;
	begin(&w);
	(void)add(&w, &w.x.places, "archived hold", &n);
	w.x.all = (struct qt_counted){.messages = 1, .recipients = 5, .todo = 3,
	    .done = 2};
	r = read_both(&w);
	IN_ORDER(&r, ":Still to do\n-3 recipients, of these:\n",
	    ":Archived\n-3 recipients: what has become of them since is not "
	    "known here\n",
	    "|archived hold\n|1\n|5\n|2\n|3\n|as it was when");
	has(&r, ":On hold", false);
	has(&r, ":Prevented", false);
	qt_buf_release(&r.text);
	end(&w);
}

static void huge_tables_are_cut(void **state)
{
	const struct qt_tally_add one = {.recipients = 1, .todo = 1, .time = T0};
	const struct qt_client c = {.valid = true, .foreign = true};
	struct reading r;
	struct world w;
	char key[40];
	unsigned i;

	(void)state;
	begin(&w);
	for (i = 0; i < 1234; i++) {
		(void)snprintf(key, sizeof(key), "k%04u", i);
		add_account(&w, key, &one, &(struct qt_account){.senders = 1});
		add_client(&w, key, &one, &c);
		(void)add(&w, &w.x.senders, key, &one);
		(void)add(&w, &w.x.subjects, key, &one);
		(void)add(&w, &w.x.rcpt_domains, key, &one);
		(void)add(&w, &w.x.places, key, &one);
	}
	w.x.subjects.beyond = 5678;
	w.x.all = (struct qt_counted){.messages = 1234, .recipients = 1234,
	    .todo = 1234};
	r = read_both(&w);
	IN_ORDER(&r, ":Account 3\n-k0002: ", ":Other accounts\n-1,231 (see below)",
	    "=Accounts\n", "|k0049\n", "-and 1,184 more\n",
	    "=Client addresses\n", "|k0049\n", "-and 1,184 more\n",
	    "=Senders of the envelope\n", "|k0019\n", "-and 1,214 more\n",
	    "=Subjects\n", "|k0019\n", "-and 1,214 more\n",
	    "-No more than 200,000 different ones are told apart: others, which "
	    "came 5,678 times, are in no row.\n",
	    "=Domains of the recipients\n", "|k0029\n", "-and 1,204 more\n",
	    "=Where the messages are\n", "|k0049\n", "-and 1,184 more\n");
	has(&r, "|k0050\n", false);
	assert_int_equal(r.rows, 6 + 50 + 50 + 20 + 20 + 30 + 50);
	qt_buf_release(&r.text);
	end(&w);
}

static void a_subject_has_an_end(void **state)
{
	char subject[4001], shown[600];
	struct reading r;
	struct world w;
	size_t i;

	(void)state;
	begin(&w);
	for (i = 0; i < 4000; i += 2)
		memcpy(subject + i, "\u00e9", 2);
	subject[4000] = '\0';
	(void)snprintf(shown, sizeof(shown), "|%.400s ...\n", subject);
	(void)add(&w, &w.x.subjects, subject, &(struct qt_tally_add){.todo = 1});
	r = read_both(&w);
	has(&r, shown, true);
	qt_buf_release(&r.text);
	end(&w);
}

/* ---- the timeline ---- */

static void hours_while_they_fit(void **state)
{
	struct reading r;
	struct world w;
	int64_t i;

	(void)state;
	begin(&w);
	for (i = 0; i < 71; i++)
		add_hour(&w, 493000 + i, 1);
	add_hour(&w, 493000 + 71, 1);
	w.x.all.messages = 72;
	r = read_both(&w);
	IN_ORDER(&r, "-Messages by the hour of their arrival\n",
	    "|2026-03-29 16:00\n|\n|1\n", "|2026-04-01 15:00\n|\n|1\n");
	assert_int_equal(r.rows, 73);
	qt_buf_release(&r.text);
	/* one more, and they are days, of which three are whole */
	add_hour(&w, 493000 + 72, 1);
	add_hour(&w, 493000 + 240, 1);
	w.x.all.messages = 74;
	r = read_both(&w);
	IN_ORDER(&r, "-Messages by the day of their arrival\n",
	    "|2026-03-29\n|\n|8\n|8\n|2026-03-30\n|\n|24\n|24\n"
	    "|2026-03-31\n|\n|24\n|24\n|2026-04-01\n|\n|17\n|17\n"
	    "|(6 days without)\n|\n|0\n|0\n|2026-04-08\n|\n|1\n|1\n=Accounts\n");
	assert_int_equal(r.rows, 7);
	qt_buf_release(&r.text);
	end(&w);
}

static void a_long_pause_is_one_row(void **state)
{
	struct reading r;
	struct world w;

	(void)state;
	begin(&w);
	add_hour(&w, 493000, 3);
	add_hour(&w, 493000 + 5000, 4);
	w.x.all.messages = 2;
	r = read_both(&w);
	IN_ORDER(&r, "|2026-03-29 16:00\n|\n|1\n|3\n"
	    "|(4,999 hours without)\n|\n|0\n|0\n|2026-10-24 00:00\n|\n|1\n|4\n");
	qt_buf_release(&r.text);
	end(&w);
}

static void pauses_need_room_too(void **state)
{
	struct reading r;
	struct world w;
	int64_t i;

	(void)state;
	begin(&w);
	for (i = 0; i < 37; i++) /* with 36 pauses they are 73 rows */
		add_hour(&w, 493000 + 3 * i, 1);
	w.x.all.messages = 37;
	r = read_both(&w);
	IN_ORDER(&r, "-Messages by the day of their arrival\n");
	qt_buf_release(&r.text);
	end(&w);
}

static void the_latest_days_are_shown(void **state)
{
	struct reading r;
	struct world w;
	int64_t i;

	(void)state;
	begin(&w);
	for (i = 0; i < 100; i++)
		add_hour(&w, 493008 + 24 * i, 1); /* each at midnight */
	w.x.all.messages = 100;
	r = read_both(&w);
	IN_ORDER(&r, "=Timeline\n", "|2026-04-27\n|\n|1\n", "|2026-07-07\n",
	    "-and 28 days more before these, with 28 messages\n");
	has(&r, "|2026-04-26\n", false);
	assert_int_equal(r.rows, 73);
	qt_buf_release(&r.text);
	end(&w);
}

/* ---- the page ---- */

static void the_page_needs_nothing_else(void **state)
{
	static const char *const not_in[] = {"<script", "<link", "<img", "src=",
	    "href=", "url(", "@import", "https:"};
	struct world w;
	struct qt_buf b;
	size_t i;

	(void)state;
	begin(&w);
	fill(&w);
	qt_buf_init(&b, 0);
	assert_int_equal(qt_incident_paper(&w.x, true, &b, &w.err), 0);
	for (i = 0; i < sizeof(not_in) / sizeof(not_in[0]); i++)
		assert_null(strstr(b.data, not_in[i]));
	assert_non_null(strstr(b.data, "<html lang=\"en\""));
	assert_non_null(strstr(b.data, "<meta http-equiv=\"Content-Security-"
	    "Policy\" content=\"default-src 'none'; style-src "
	    "'unsafe-inline'\"/>"));
	assert_non_null(strstr(b.data, "<title>Report on an incident with mail"
	    "</title>"));
	assert_non_null(strstr(b.data, "<th scope=\"row\">joe@victim.example"));
	qt_buf_release(&b);
	end(&w);
}

/* How long the bar behind the first cell of a row is, on the page. */
static void bar_is(const char *page, const char *cell, const char *label,
    const char *width)
{
	char head[64], bar[128];

	(void)snprintf(head, sizeof(head), ">%s</th>", cell);
	(void)snprintf(bar, sizeof(bar), "<td class=\"b\"><span role=\"img\" "
	    "aria-label=\"%s\" style=\"width:%s\"></span></td>", label, width);
	page = strstr(page, head);
	assert_non_null(page);
	page += strlen(head);
	if (strncmp(page, bar, strlen(bar)) != 0)
		fail_msg("wanted %s\nis     %.*s", bar, (int)strlen(bar), page);
}

static void bars_are_of_everything(void **state)
{
	struct world w;
	struct qt_buf b;
	const char *page;

	(void)state;
	begin(&w);
	fill(&w);
	add_hour(&w, T0 / 3600, 1); /* two, and one in another hour */
	sort(&w);
	qt_buf_init(&b, 0);
	assert_int_equal(qt_incident_paper(&w.x, true, &b, &w.err), 0);
	page = qt_buf_str(&b);
	bar_is(page, "2026-11-26 04:00", "100%", "100.0%");
	bar_is(page, "2026-11-26 06:00", "50%", "50.0%");
	bar_is(page, "joe@victim.example", "100%", "99.7%");
	bar_is(page, "ann@victim.example", "0%", "0.2%");
	bar_is(page, "Minutes", "0%", "0.2%");
	bar_is(page, "small.example", "0%", "0.2%");
	bar_is(page, "big.example", "100%", "99.8%");
	qt_buf_release(&b);
	end(&w);
}

/* With less room than it needs it is an error, wherever the room ends. */
static void no_room(void **state)
{
	struct world w;
	struct qt_buf b;
	size_t max, need, html;

	(void)state;
	begin(&w);
	fill(&w);
	for (html = 0; html < 2; html++) {
		qt_buf_init(&b, 0);
		assert_int_equal(qt_incident_paper(&w.x, html, &b, &w.err), 0);
		need = b.len;
		qt_buf_release(&b);
		for (max = 1; max < need; max += need / 50) {
			qt_buf_init(&b, max);
			assert_true(qt_incident_paper(&w.x, html, &b,
			    &w.err) < 0);
			assert_int_equal(w.err.code, QT_E_NOMEM);
			qt_buf_release(&b);
		}
	}
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_short_answer_first),
	    cmocka_unit_test(the_tables),
	    cmocka_unit_test(what_nobody_told_is_to_be_filled_in),
	    cmocka_unit_test(transactions),
	    cmocka_unit_test(an_empty_incident),
	    cmocka_unit_test(mail_without_a_login),
	    cmocka_unit_test(mail_of_an_archive),
	    cmocka_unit_test(huge_tables_are_cut),
	    cmocka_unit_test(a_subject_has_an_end),
	    cmocka_unit_test(hours_while_they_fit),
	    cmocka_unit_test(a_long_pause_is_one_row),
	    cmocka_unit_test(pauses_need_room_too),
	    cmocka_unit_test(the_latest_days_are_shown),
	    cmocka_unit_test(the_page_needs_nothing_else),
	    cmocka_unit_test(bars_are_of_everything),
	    cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
