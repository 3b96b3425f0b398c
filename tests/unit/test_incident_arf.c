/*
 * test_incident_arf.c - the mail to a client's network, as an abuse desk reads
 * it: by GMime.
 */
#include "unit/net_world.h"

/* ---- the mail read back ---- */

static void read_mail(struct world *w)
{
	struct qt_error err;
	GMimeStream *stream;
	GMimeParser *parser;

	if (w->mail != NULL)
		g_object_unref(w->mail);
	qt_buf_clear(&w->b);
	if (qt_incident_arf(w->x, &w->net, &w->b, &err) != 0)
		fail_msg("%s: %s", err.where, err.text);
	assert_null(memchr(w->b.data, '\r', w->b.len));
	assert_int_equal(w->b.data[w->b.len - 1], '\n');
	stream = g_mime_stream_mem_new_with_buffer(w->b.data, w->b.len);
	parser = g_mime_parser_new_with_stream(stream);
	w->mail = g_mime_parser_construct_message(parser, NULL);
	assert_non_null(w->mail);
	g_object_unref(parser);
	g_object_unref(stream);
}

static GMimeMultipart *top(const struct world *w)
{
	GMimeObject *o = g_mime_message_get_mime_part(w->mail);

	assert_true(GMIME_IS_MULTIPART(o));
	return GMIME_MULTIPART(o);
}

static void assert_type(GMimeObject *o, const char *want)
{
	char *type = g_mime_content_type_get_mime_type(
	    g_mime_object_get_content_type(o));

	assert_string_equal(type, want);
	g_free(type);
}

/* The bytes of a part, decoded; out is the caller's to release. */
static void part_bytes(const struct world *w, int i, struct qt_buf *out)
{
	GMimeObject *o = g_mime_multipart_get_part(top(w), i);
	GMimeStream *s = g_mime_stream_mem_new();
	GByteArray *bytes;

	qt_buf_init(out, 0);
	assert_true(g_mime_data_wrapper_write_to_stream(
		g_mime_part_get_content(GMIME_PART(o)), s) >= 0);
	bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(s));
	qt_buf_add(out, bytes->data, bytes->len);
	assert_false(out->failed);
	g_object_unref(s);
}

/* A message as it stands there: GMime would write it in its own way. */
static void message_bytes(const struct world *w, struct qt_buf *out)
{
	const char *begin = strstr(qt_buf_str(&w->b),
	    "\nContent-Type: message/rfc822\n"), *stop;
	char last[80];

	(void)snprintf(last, sizeof(last), "\n--%s--\n",
	    g_mime_multipart_get_boundary(top(w)));
	assert_non_null(begin);
	begin = strstr(begin, "\n\n");
	assert_non_null(begin);
	stop = memmem(begin, (size_t)(w->b.data + w->b.len - begin), last,
	    strlen(last));
	assert_non_null(stop);
	qt_buf_init(out, 0);
	qt_buf_add(out, begin + 2, (size_t)(stop - begin - 2));
}

static void assert_has(const struct qt_buf *b, const char *want)
{
	if (strstr(qt_buf_str(b), want) == NULL)
		fail_msg("no \"%s\" in:\n...%s", want, qt_buf_str(b) +
		    (b->len > 900 ? b->len - 900 : 0));
}

static void assert_lacks(const struct qt_buf *b, const char *not)
{
	if (strstr(qt_buf_str(b), not) != NULL)
		fail_msg("\"%s\" in:\n%s", not, qt_buf_str(b));
}

/* What people read, with every run of blanks and line ends one blank. */
static void words_of(const struct world *w, struct qt_buf *out)
{
	struct qt_buf raw;
	size_t i;

	part_bytes(w, 0, &raw);
	qt_buf_init(out, 0);
	for (i = 0; i < raw.len; i++)
		if (raw.data[i] != ' ' && raw.data[i] != '\n')
			qt_buf_addc(out, raw.data[i]);
		else if (out->len != 0 && out->data[out->len - 1] != ' ')
			qt_buf_addc(out, ' ');
	assert_false(out->failed);
	qt_buf_release(&raw);
}

/* Names and values, and nothing else, in lines that no value breaks. */
static void assert_fields(const struct world *w, const char *want)
{
	struct qt_buf b;

	part_bytes(w, 1, &b);
	assert_string_equal(qt_buf_str(&b), want);
	qt_buf_release(&b);
}

/* Each line of what people read is of a usual width, but for what is quoted. */
static void assert_narrow(const struct world *w)
{
	struct qt_buf b;
	const char *s, *nl;

	part_bytes(w, 0, &b);
	assert_true(qt_utf8_valid(qt_buf_str(&b), b.len));
	for (s = qt_buf_str(&b); *s != '\0'; s = nl + 1) {
		nl = strchr(s, '\n');
		assert_non_null(nl);
		if (*s != '>' && qt_term_width(s, (size_t)(nl - s)) > 77)
			fail_msg("%.*s", (int)(nl - s), s);
		assert_true(nl - s <= 998);
	}
	qt_buf_release(&b);
}

static const char *mail_field(const struct world *w, const char *name)
{
	return g_mime_object_get_header(GMIME_OBJECT(w->mail), name);
}

/* ---- the mail ---- */

static void a_mail_is_a_feedback_report(void **state)
{
	const struct qt_incident_opts opts = usual();
	struct qt_buf text;
	struct world w;

	(void)state;
	(void)usual_world(&w, &opts);
	read_mail(&w);
	assert_string_equal(mail_field(&w, "From"),
	    "Abuse Team <abuse@example.org>");
	assert_string_equal(mail_field(&w, "To"), "abuse@isp.example");
	assert_string_equal(g_mime_message_get_subject(w.mail),
	    "Abuse report: mail sent with stolen credentials from 203.0.113.7 "
	    "on 2026-11-24 [CASE-7]");
	assert_string_equal(mail_field(&w, "Date"),
	    "Wed, 25 Nov 2026 06:00:00 +0000");
	assert_string_equal(mail_field(&w, "MIME-Version"), "1.0");
	assert_string_equal(strchr(g_mime_message_get_message_id(w.mail), '@'),
	    "@example.org");
	assert_type(GMIME_OBJECT(top(&w)), "multipart/report");
	assert_string_equal(g_mime_object_get_content_type_parameter(
	    GMIME_OBJECT(top(&w)), "report-type"), "feedback-report");
	assert_int_equal(g_mime_multipart_get_count(top(&w)), 3);
	assert_type(g_mime_multipart_get_part(top(&w), 0), "text/plain");
	assert_type(g_mime_multipart_get_part(top(&w), 1),
	    "message/feedback-report");
	assert_type(g_mime_multipart_get_part(top(&w), 2),
	    "text/rfc822-headers");
	assert_fields(&w, "Feedback-Type: abuse\n"
	    "User-Agent: qtool/" QTOOL_VERSION "\n"
	    "Version: 1\n"
	    "Original-Mail-From: <ann@example.org>\n"
	    "Original-Rcpt-To: <r-bbbbbbbbbbbbbbbb@example.net>\n"
	    "Arrival-Date: Tue, 24 Nov 2026 06:00:00 +0000\n"
	    "Source-IP: 203.0.113.7\n"
	    "Source-Port: 40000\n"
	    "Reporting-MTA: dns; mx.example.org\n"
	    "Authentication-Results: mx.example.org; auth=pass (PLAIN) "
	    "smtp.auth=u-aaaaaaaaaaaaaaaa\n"
	    "Incidents: 1\n");
	assert_narrow(&w);
	words_of(&w, &text);
	assert_has(&text, "a report of abuse from Example Hosting, example.org.");
	assert_has(&text, "Our mail server mx.example.org was handed 1 message to "
	    "2 recipients from 203.0.113.7, an address of your network, at "
	    "2026-11-24 06:00:00 UTC. It was submitted with the stolen "
	    "credentials of an account here");
	assert_has(&text, "Our case number is CASE-7.");
	assert_has(&text, "2026-11-24 06:00:00 2026-11-24 06:00:00 1 "
	    "203.0.113.7:40000 ");
	assert_has(&text, "One of these messages, which came from 203.0.113.7, "
	    "port 40000, at 2026-11-24 06:00:00 UTC, follows at the end of this "
	    "mail by its header.");
	assert_has(&text, "(RFC 6590)");
	assert_lacks(&text, "unsolicited");
	assert_lacks(&text, "://");
	qt_buf_release(&text);
	end(&w);
}

/* Two mails have nothing in common that has to be one's own. */
static void a_mail_has_its_own_names(void **state)
{
	const struct qt_incident_opts opts = usual();
	char *id, *boundary;
	struct world w;

	(void)state;
	(void)usual_world(&w, &opts);
	w.net.to = NULL;
	read_mail(&w);
	assert_null(mail_field(&w, "To"));
	id = strdup(g_mime_message_get_message_id(w.mail));
	boundary = strdup(g_mime_multipart_get_boundary(top(&w)));
	read_mail(&w);
	assert_string_not_equal(id, g_mime_message_get_message_id(w.mail));
	assert_string_not_equal(boundary, g_mime_multipart_get_boundary(top(&w)));
	free(id);
	free(boundary);
	end(&w);
}

static void a_sender_is_who_the_operator_says(void **state)
{
	static const struct {
		const char *contact, *host, *name, *address;
	} cases[] = {
	    {"abuse@example.org", NULL, "", "abuse@example.org"},
	    {"<abuse@example.org>", NULL, "", "abuse@example.org"},
	    {NULL, "mx.example.org", "", "postmaster@mx.example.org"},
	    {"\"Team, Abuse\" <abuse@example.org>", NULL, "Team, Abuse",
		"abuse@example.org"},
	    {"Team, Abuse <abuse@example.org>", NULL, "Team, Abuse",
		"abuse@example.org"},
	    {"Zo\xc3\xab <abuse@example.org>", NULL, "Zo\xc3\xab",
		"abuse@example.org"},
	    {"a@b: <abuse@example.org>", NULL, "a@b:", "abuse@example.org"},
	};
	struct qt_incident_opts opts = usual();
	InternetAddressList *from;
	InternetAddress *one;
	const char *name;
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		opts.contact = cases[i].contact;
		opts.host = cases[i].host;
		(void)usual_world(&w, &opts);
		read_mail(&w);
		from = g_mime_message_get_from(w.mail);
		assert_int_equal(internet_address_list_length(from), 1);
		one = internet_address_list_get_address(from, 0);
		assert_true(INTERNET_ADDRESS_IS_MAILBOX(one));
		assert_string_equal(internet_address_mailbox_get_addr(
		    INTERNET_ADDRESS_MAILBOX(one)), cases[i].address);
		name = internet_address_get_name(one);
		assert_string_equal(name != NULL ? name : "", cases[i].name);
		end(&w);
	}
}

/* Text of others than ASCII in all that the operator writes. */
static void a_mail_takes_any_language(void **state)
{
	struct qt_incident_opts opts = usual();
	struct qt_buf text;
	struct world w;

	(void)state;
	opts.case_id = "F\xc3\xa4lle 7";
	opts.organization = "\xe6\xa0\xaa\xe5\xbc\x8f M\xc3\xbcller";
	(void)usual_world(&w, &opts);
	read_mail(&w);
	assert_non_null(strstr(g_mime_message_get_subject(w.mail),
	    " [F\xc3\xa4lle 7]"));
	assert_narrow(&w);
	words_of(&w, &text);
	assert_has(&text, "from \xe6\xa0\xaa\xe5\xbc\x8f M\xc3\xbcller, ");
	assert_has(&text, "is F\xc3\xa4lle 7.");
	qt_buf_release(&text);
	for (const char *p = qt_buf_str(&w.b); *p != '\0'; p++)
		assert_true((unsigned char)*p < 0x80);
	end(&w);
}

/* ---- its third part ---- */

static void the_third_part_is_the_message(void **state)
{
#define LONG \
	"0123456789012345678901234567890123456789012345678901234567890123456789" \
	"0123456789012345678901234567890123456789012345678901234567890123456789"
#define LONGER LONG LONG LONG LONG LONG LONG LONG LONG /* 1120 */
#define BYTES(s) s, sizeof(s) - 1
	static const struct {
		const char *bytes;
		size_t len;
		bool whole;
		const char *type, *code, *all_code;
		size_t shown; /* bytes of it; 0: there is no third part */
	} cases[] = {
	    {BYTES("Subject: a\n\nbody\n"), true, "message/rfc822", "7bit", "7bit", 17},
	    {BYTES("Subject: a\n\nb\xc3\xb6\n"), true, "message/rfc822", "8bit",
		"8bit", 16},
	    {BYTES("Subject: a\n\n\xff\n"), true, "message/rfc822", "8bit", "8bit",
		14},
	    {BYTES("Subject: a\n\n--x\n--x--\nFrom y\n.\n"), true,
		"message/rfc822", "7bit", "7bit", 31},
	    {BYTES("Content-Type: multipart/mixed; boundary=x\n\n--x\n\na\n"),
		true, "message/rfc822", "7bit", "7bit", 50},
	    /* what cannot stand in a message is not in what is shown of it */
	    {BYTES("Subject: a\n\nb\0c\n"), true, "text/rfc822-headers", "7bit",
		"7bit", 11},
	    {BYTES("Subject: a\n\n" LONGER "\n"), true, "text/rfc822-headers",
		"7bit", "7bit", 11},
	    {BYTES("Subject: a\n\nb\rc\n"), true, "text/rfc822-headers", "7bit",
		"7bit", 11},
	    {BYTES("Subject: a\rb\nX: \r \n\nb\n"), true,
		"text/rfc822-headers", "quoted-printable", "7bit", 19},
	    {BYTES("Subject: a\n\nbody\n"), false, "text/rfc822-headers", "7bit",
		"7bit", 11},
	    {BYTES("Subject: \xc3\xa4 =41 \nX: b\n"), false,
		"text/rfc822-headers", "quoted-printable", "7bit", 22},
	    {BYTES("Subject: a\0b\n"), false, "text/rfc822-headers",
		"quoted-printable", "7bit", 13},
	    {BYTES("Subject: " LONGER LONGER LONGER LONGER LONGER "\nX: b\n"),
		false, "text/rfc822-headers", "quoted-printable", "7bit", 5615},
	    {BYTES("\nbody\n"), false, NULL, NULL, NULL, 0},
	    {BYTES(""), true, NULL, NULL, NULL, 0},
	};
	const struct qt_incident_opts opts = usual();
	struct qt_client *c;
	const char *all_code;
	struct qt_buf got;
	struct world w;
	GMimeObject *o;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(&w, &opts);
		c = add_client(&w, "203.0.113.7");
		add_message(&w, "203.0.113.7", 40000, DAY, false);
		(void)add_sample(&w, c, cases[i].bytes, cases[i].len,
		    cases[i].whole);
		read_mail(&w);
		words_of(&w, &got);
		if (cases[i].shown == 0) {
			assert_int_equal(g_mime_multipart_get_count(top(&w)), 2);
			assert_lacks(&got, "follows at the end");
			qt_buf_release(&got);
			end(&w);
			continue;
		}
		if (strcmp(cases[i].type, "message/rfc822") == 0)
			assert_has(&got, "follows at the end of this mail. ");
		else
			assert_has(&got, "end of this mail by its header. ");
		qt_buf_release(&got);
		assert_int_equal(g_mime_multipart_get_count(top(&w)), 3);
		o = g_mime_multipart_get_part(top(&w), 2);
		assert_type(o, cases[i].type);
		assert_string_equal(g_mime_object_get_header(o,
		    "Content-Transfer-Encoding"), cases[i].code);
		all_code = g_mime_object_get_header(GMIME_OBJECT(top(&w)),
		    "Content-Transfer-Encoding");
		assert_string_equal(all_code != NULL ? all_code : "7bit",
		    cases[i].all_code);
		if (GMIME_IS_MESSAGE_PART(o))
			message_bytes(&w, &got);
		else
			part_bytes(&w, 2, &got);
		assert_int_equal(got.len, cases[i].shown);
		assert_memory_equal(got.data, cases[i].bytes, cases[i].shown);
		qt_buf_release(&got);
		end(&w);
	}
}

/* A header that goes on for megabytes is no reason for a mail like that. */
static void a_header_has_an_end(void **state)
{
	static const char line[] = "X-Spam: 0123456789012345678901234567890\n";
	const struct qt_incident_opts opts = usual();
	const size_t len = sizeof(line) - 1, lines = 50000;
	struct qt_client *c;
	struct qt_buf text;
	struct world w;
	size_t i;

	(void)state;
	begin(&w, &opts);
	c = add_client(&w, "203.0.113.7");
	add_message(&w, "203.0.113.7", 40000, DAY, false);
	qt_buf_init(&text, 0);
	for (i = 0; i < lines; i++)
		qt_buf_adds(&text, line);
	(void)add_sample(&w, c, text.data, text.len, false);
	(void)add_sample(&w, c, text.data, text.len, false);
	qt_buf_release(&text);
	read_mail(&w);
	part_bytes(&w, 2, &text);
	assert_int_equal(text.len, QT_SAMPLE_WHOLE / len * len);
	qt_buf_release(&text);
	words_of(&w, &text);
	assert_has(&text, "by the beginning of its header.");
	assert_has(&text, "67890 > [...] ");
	qt_buf_release(&text);
	part_bytes(&w, 0, &text);
	assert_true(text.len < 8000);
	qt_buf_release(&text);
	end(&w);
}

/* ---- hostile values ---- */

static void nothing_breaks_a_field(void **state)
{
#define EVIL "\r\nFeedback-Type: fraud\r\n\r\n--x\n"
	const struct qt_incident_opts opts = usual();
	char large[5001];
	struct qt_sample *s;
	struct world w;

	(void)state;
	memset(large, 'a', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	s = usual_world(&w, &opts);
	s->sender = "ann" EVIL "@example.org" EVIL;
	s->login = "joe\"\\ " EVIL;
	s->helo = EVIL;
	s->subject = EVIL;
	s->nrcpt = 0;
	s->rcpt[s->nrcpt++] = "b\xc3\xb6\xff@ex\xc3\xa4mple.net";
	s->rcpt[s->nrcpt++] = large;
	s->rcpt[s->nrcpt++] = "";
	s->rcpt[s->nrcpt++] = "a b@c> <d\x01@e.example";
	read_mail(&w);
	assert_fields(&w, "Feedback-Type: abuse\n"
	    "User-Agent: qtool/" QTOOL_VERSION "\n"
	    "Version: 1\n"
	    "Original-Mail-From: <\"ann\\\?\?Feedback-Type: fraud\\\?\?\\\?\?"
	    "--x\?\"@example.org\?\?Feedback-Type:\?fraud\?\?\?\?--x\?>\n"
	    "Original-Rcpt-To: <b\?\?\?@ex\?\?mple.net>\n"
	    "Original-Rcpt-To: <\"a b@c> <d\?\"@e.example>\n"
	    "Arrival-Date: Tue, 24 Nov 2026 06:00:00 +0000\n"
	    "Source-IP: 203.0.113.7\n"
	    "Source-Port: 40000\n"
	    "Reporting-MTA: dns; mx.example.org\n"
	    "Authentication-Results: mx.example.org; auth=pass (PLAIN) "
	    "smtp.auth=\"joe\\\"\\\\ \?\?Feedback-Type: fraud\?\?\?\?--x\?\"\n"
	    "Incidents: 1\n");
	assert_int_equal(g_mime_multipart_get_count(top(&w)), 3);
	assert_null(memmem(w.b.data, w.b.len, "\nFeedback-Type: fraud", 21));
	end(&w);
}

/* What is quoted may be as long as mail takes, and not longer. */
static void a_quoted_line_has_an_end(void **state)
{
	const struct qt_incident_opts opts = usual();
	static const struct {
		char c;
		size_t n;
		bool cut;
	} cases[] = {{'a', 990, false}, {'a', 991, true}, {'a', 5000, true},
	    {'\xff', 247, false}, {'\xff', 248, true}, {'\xff', 5000, true}};
	char line[5002];
	struct qt_buf text;
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)usual_world(&w, &opts);
		memset(line, cases[i].c, cases[i].n);
		line[cases[i].n] = '\n';
		line[cases[i].n + 1] = '\0';
		(void)add_text(&w, qt_client_of(w.client[0]), line);
		read_mail(&w);
		assert_narrow(&w);
		part_bytes(&w, 0, &text);
		assert_int_equal(strstr(text.data, " [...]\n") != NULL,
		    cases[i].cut);
		assert_has(&text, cases[i].c == 'a' ? "\n> aaaa" : "\n> \\xFF");
		qt_buf_release(&text);
		end(&w);
	}
}

/* ---- several addresses ---- */

static void several_addresses_are_told_apart(void **state)
{
	const struct qt_incident_opts opts = usual();
	struct qt_client *a, *b;
	struct qt_buf text;
	struct world w;
	unsigned i;

	(void)state;
	begin(&w, &opts);
	/* one whose text begins like another's, and one that is not meant */
	a = add_client(&w, "203.0.113.7");
	b = add_client(&w, "203.0.113.70");
	(void)add_client(&w, "203.0.113.71");
	for (i = 0; i < 3; i++)
		add_message(&w, "203.0.113.7", 50000 - i, DAY + 60 - i, true);
	add_message(&w, "203.0.113.7", 0, DAY + 86400, true);
	add_message(&w, "203.0.113.70", 1, DAY, false);
	add_message(&w, "203.0.113.71", 4711, DAY, false);
	w.net.n = 2;
	w.net.sum.messages = 5;
	w.net.sum.recipients = 1010;
	(void)add_text(&w, a, "Subject: one\n");
	(void)add_text(&w, a, "Subject: two\n\nbody\n");
	(void)add_text(&w, b, "Subject: three\n\tfolded\nX: \x1b[2J\xff\n");
	(void)add_text(&w, b, "Subject: four\n");
	read_mail(&w);
	assert_narrow(&w);
	assert_string_equal(g_mime_message_get_subject(w.mail),
	    "Abuse report: mail sent with stolen credentials from 2 addresses "
	    "of 203.0.113.0/24 on 2026-11-24 to 2026-11-25 [CASE-7]");
	words_of(&w, &text);
	assert_has(&text, "5 messages to 1,010 recipients from 2 addresses of "
	    "203.0.113.0/24, which you answer for, between 2026-11-24 06:00:00 "
	    "and 2026-11-25 06:00:00 UTC. 4 messages were submitted with");
	assert_has(&text, "The rest was unsolicited mail");
	assert_has(&text, " Address "
	    "2026-11-24 06:00:58 2026-11-25 06:00:00 4 203.0.113.7 "
	    "2026-11-24 06:00:00 2026-11-24 06:00:00 1 203.0.113.70 ");
	/* in order of time */
	assert_has(&text, " Address:port "
	    "2026-11-24 06:00:00 2026-11-24 06:00:00 1 203.0.113.70:1 "
	    "2026-11-24 06:00:58 2026-11-24 06:00:58 1 203.0.113.7:49998 "
	    "2026-11-24 06:00:59 2026-11-24 06:00:59 1 203.0.113.7:49999 "
	    "2026-11-24 06:01:00 2026-11-24 06:01:00 1 203.0.113.7:50000 "
	    "The port of 1 other message is not known.");
	assert_lacks(&text, "203.0.113.71");
	/* the first of each, then the second of the first */
	assert_has(&text, "came from 203.0.113.70, port 40000, at 2026-11-24 "
	    "06:00:00 UTC: > Subject: three > folded > X: \\x1B[2J\\xFF ");
	assert_has(&text, "came from 203.0.113.7, port 40000, at 2026-11-24 "
	    "06:00:00 UTC: > Subject: two ");
	assert_true(strstr(text.data, "three") < strstr(text.data, "two"));
	assert_lacks(&text, "four");
	assert_lacks(&text, "> body");
	qt_buf_release(&text);
	part_bytes(&w, 2, &text);
	assert_string_equal(qt_buf_str(&text), "Subject: one\n");
	qt_buf_release(&text);
	/* one that is counted after a mail was written is in the next one */
	add_message(&w, "203.0.113.7", 2, DAY - 1, false);
	add_message(&w, "203.0.113.7", 3, 0, false);
	read_mail(&w);
	words_of(&w, &text);
	assert_has(&text, " Address:port "
	    "2026-11-24 05:59:59 2026-11-24 05:59:59 1 203.0.113.7:2 "
	    "2026-11-24 06:00:00 2026-11-24 06:00:00 1 203.0.113.70:1 ");
	assert_has(&text, " 203.0.113.7:50000 unknown unknown 1 203.0.113.7:3 ");
	qt_buf_release(&text);
	end(&w);
}

/* More than anybody reads is summed up, and what is behind it is counted. */
static void long_lists_are_cut(void **state)
{
	const struct qt_incident_opts opts = usual();
	struct qt_buf text;
	struct world w;
	char address[32];
	unsigned i;

	(void)state;
	begin(&w, &opts);
	for (i = 0; i < 102; i++) {
		(void)snprintf(address, sizeof(address), "203.0.113.%u", i + 1);
		(void)add_client(&w, address);
		add_message(&w, address, 1000 + i, DAY - i, false);
	}
	w.net.network = "203.0.113.0/25";
	read_mail(&w);
	assert_narrow(&w);
	words_of(&w, &text);
	assert_has(&text, "from 102 addresses of 203.0.113.0/25, which");
	assert_has(&text, " 203.0.113.100 and 2 more addresses ");
	/* the latest ones are those that are left out */
	assert_has(&text, " Address:port 2026-11-24 05:58:19 2026-11-24 05:58:19 1 "
	    "203.0.113.102:1101 ");
	assert_has(&text, " 203.0.113.43:1042 and 42 more connections ");
	assert_lacks(&text, "203.0.113.42:");
	assert_lacks(&text, "not known");
	qt_buf_release(&text);
	/* one contact may answer for several networks */
	w.net.network = "203.0.113.0/26";
	read_mail(&w);
	words_of(&w, &text);
	assert_has(&text, "from 102 addresses of 203.0.113.0/26 and other "
	    "networks, which you answer for");
	qt_buf_release(&text);
	end(&w);
}

static void an_ipv6_address_fits(void **state)
{
	static const char address[] = "2001:db8:1111:2222:3333:4444:5555:6666";
	const struct qt_incident_opts opts = usual();
	struct qt_buf text;
	struct world w;

	(void)state;
	begin(&w, &opts);
	(void)add_client(&w, address);
	(void)add_client(&w, "2001:db8::1");
	add_message(&w, address, 65535, DAY, false);
	add_message(&w, "2001:db8::1", 1, DAY, false);
	w.net.network = "2001:db8::/32";
	read_mail(&w);
	assert_narrow(&w);
	words_of(&w, &text);
	assert_has(&text, " 1 [2001:db8:1111:2222:3333:4444:5555:6666]:65535 ");
	assert_has(&text, " 1 [2001:db8::1]:1 ");
	qt_buf_release(&text);
	part_bytes(&w, 1, &text);
	assert_has(&text, "\nSource-IP: 2001:db8:1111:2222:3333:4444:5555:6666\n"
	    "Source-Port: 65535\n");
	qt_buf_release(&text);
	end(&w);
}

/* What is known without a message, and what is not told of one. */
static void a_mail_without_samples(void **state)
{
	struct qt_incident_opts opts = usual();
	struct qt_buf text;
	struct world w;

	(void)state;
	opts.host = "localhost";
	opts.case_id = "";
	opts.organization = "";
	opts.redact = QT_REDACT_NONE;
	begin(&w, &opts);
	(void)add_client(&w, "203.0.113.7");
	add_message(&w, "203.0.113.7", 40000, DAY + 1, false);
	add_message(&w, "203.0.113.7", 40000, DAY, false);
	read_mail(&w);
	assert_int_equal(g_mime_multipart_get_count(top(&w)), 2);
	assert_string_equal(g_mime_message_get_subject(w.mail),
	    "Abuse report: spam from 203.0.113.7 on 2026-11-24");
	assert_fields(&w, "Feedback-Type: abuse\n"
	    "User-Agent: qtool/" QTOOL_VERSION "\n"
	    "Version: 1\n"
	    "Arrival-Date: Tue, 24 Nov 2026 06:00:00 +0000\n"
	    "Source-IP: 203.0.113.7\n"
	    "Source-Port: 40000\n"
	    "Incidents: 2\n");
	words_of(&w, &text);
	assert_has(&text, "report of abuse from example.org.");
	assert_has(&text, "Our mail server was handed 2 messages to 4 recipients ");
	assert_has(&text, "This was unsolicited mail");
	assert_lacks(&text, "credentials");
	assert_lacks(&text, "case number");
	assert_lacks(&text, "RFC 6590");
	qt_buf_release(&text);
	/* of several ports it cannot be told which one */
	qt_client_of(w.client[0])->port_max = 40001;
	read_mail(&w);
	part_bytes(&w, 1, &text);
	assert_lacks(&text, "Source-Port");
	qt_buf_release(&text);
	end(&w);
}

/* Neither a time nor a port: that is not made up. */
static void what_is_not_known_is_not_told(void **state)
{
	const struct qt_incident_opts opts = usual();
	struct qt_sample *s;
	struct qt_client *c;
	struct qt_buf text;
	struct world w;

	(void)state;
	begin(&w, &opts);
	c = add_client(&w, "203.0.113.7");
	add_message(&w, "203.0.113.7", 0, 0, false);
	s = add_text(&w, c, "Subject: a\n");
	s->time = 0;
	s->port = 0;
	s->sender = "";
	read_mail(&w);
	assert_string_equal(g_mime_message_get_subject(w.mail),
	    "Abuse report: spam from 203.0.113.7 [CASE-7]");
	assert_fields(&w, "Feedback-Type: abuse\n"
	    "User-Agent: qtool/" QTOOL_VERSION "\n"
	    "Version: 1\n"
	    "Original-Mail-From: <>\n"
	    "Source-IP: 203.0.113.7\n"
	    "Reporting-MTA: dns; mx.example.org\n"
	    "Incidents: 1\n");
	words_of(&w, &text);
	assert_has(&text, "from 203.0.113.7, an address of your network. ");
	assert_has(&text, "which came from 203.0.113.7, follows");
	assert_lacks(&text, "1970");
	assert_lacks(&text, "Connections");
	qt_buf_release(&text);
	end(&w);
}

/* A sample that cannot be read is a failure; a ceiling is one, too. */
static void a_mail_that_fails_says_so(void **state)
{
	const struct qt_incident_opts opts = usual();
	struct qt_error err = {0};
	struct qt_sample *s;
	struct qt_buf small;
	struct world w;

	(void)state;
	s = usual_world(&w, &opts);
	qt_buf_init(&small, 500);
	assert_int_equal(qt_incident_arf(w.x, &w.net, &small, &err), -1);
	assert_int_equal(err.code, QT_E_NOMEM);
	qt_buf_release(&small);
	s->len += 1;
	memset(&err, 0, sizeof(err));
	assert_int_equal(qt_incident_arf(w.x, &w.net, &w.b, &err), -1);
	assert_int_not_equal(err.code, QT_OK);
	assert_int_equal(w.b.len, 0);
	qt_buf_clear(&w.b);
	memset(&err, 0, sizeof(err));
	assert_int_equal(qt_incident_xarf_spam(w.x, w.client[0], &w.b, &err), -1);
	assert_int_not_equal(err.code, QT_OK);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_mail_is_a_feedback_report),
	    cmocka_unit_test(a_mail_has_its_own_names),
	    cmocka_unit_test(a_sender_is_who_the_operator_says),
	    cmocka_unit_test(a_mail_takes_any_language),
	    cmocka_unit_test(the_third_part_is_the_message),
	    cmocka_unit_test(a_header_has_an_end),
	    cmocka_unit_test(nothing_breaks_a_field),
	    cmocka_unit_test(a_quoted_line_has_an_end),
	    cmocka_unit_test(several_addresses_are_told_apart),
	    cmocka_unit_test(long_lists_are_cut),
	    cmocka_unit_test(an_ipv6_address_fits),
	    cmocka_unit_test(a_mail_without_samples),
	    cmocka_unit_test(what_is_not_known_is_not_told),
	    cmocka_unit_test(a_mail_that_fails_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
