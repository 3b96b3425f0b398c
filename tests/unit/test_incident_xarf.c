/*
 * test_incident_xarf.c - the objects about a client, as an abuse desk's program
 * reads them: by their members.
 */
#include <openssl/evp.h>

#include "unit/net_world.h"

#include "format/json.h"

/* ---- objects ---- */

typedef int make_fn(struct qt_incident *x, const struct qt_counted *client,
    struct qt_buf *b, struct qt_error *err);

static void make(struct world *w, make_fn *fn)
{
	struct qt_error err;
	int r;

	qt_buf_clear(&w->b);
	r = fn(w->x, w->client[0], &w->b, &err);
	if (r != 0)
		fail_msg("%d %s", r, r < 0 ? err.text : "nothing");
	assert_true(qt_utf8_valid(qt_buf_str(&w->b), w->b.len));
}

/* A member of an object; false: there is none.  All of the text is read. */
static bool find_in(const char *text, size_t len, const char *name,
    struct qt_json_value *v)
{
	struct qt_json_value key, value;
	struct qt_json j;
	unsigned found = 0;
	int r;

	assert_true(qt_json_open(&j, '{', text, len));
	while ((r = qt_json_member(&j, &key, &value)) == 0)
		if (qt_json_is(&key, name)) {
			*v = value;
			found++;
		}
	assert_int_equal(r, 1);
	assert_in_range(found, 0, 1);
	return found != 0;
}

static bool has(const struct world *w, const char *name)
{
	struct qt_json_value v;

	return find_in(qt_buf_str(&w->b), w->b.len, name, &v);
}

/* A string's text, valid until the next call. */
static const char *text_of(const struct qt_json_value *v)
{
	static char text[16384];

	assert_true(qt_json_text(v, text, sizeof(text)));
	return text;
}

static const char *text_in(const char *json, size_t len, const char *name)
{
	struct qt_json_value v;

	if (!find_in(json, len, name, &v))
		fail_msg("no %s in %.*s", name, (int)len, json);
	return text_of(&v);
}

static const char *text(const struct world *w, const char *name)
{
	return text_in(qt_buf_str(&w->b), w->b.len, name);
}

static uint64_t number(const struct world *w, const char *name)
{
	struct qt_json_value v;
	uint64_t n;

	assert_true(find_in(qt_buf_str(&w->b), w->b.len, name, &v));
	assert_true(qt_json_uint(&v, &n));
	return n;
}

static size_t characters(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Who reports: exactly three members. */
static void assert_party(const struct world *w, const char *name,
    const char *org)
{
	struct qt_json_value v, key, value;
	struct qt_json j;
	int n = 0;

	assert_true(find_in(qt_buf_str(&w->b), w->b.len, name, &v));
	assert_string_equal(text_in(v.text, v.len, "org"), org);
	assert_string_equal(text_in(v.text, v.len, "contact"),
	    "abuse@example.org");
	assert_string_equal(text_in(v.text, v.len, "domain"), "example.org");
	assert_true(qt_json_open(&j, '{', v.text, v.len));
	while (qt_json_member(&j, &key, &value) == 0)
		n++;
	assert_int_equal(n, 3);
}

/* The one piece of evidence is these bytes, and their sum. */
static void assert_evidence(const struct world *w, const char *bytes, size_t len,
    const char *type)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	struct qt_json_value v, item, size;
	char hash[80] = "sha256:";
	unsigned n, i;
	struct qt_json j;
	uint64_t told;
	guchar *got;
	gsize got_len;

	assert_true(find_in(qt_buf_str(&w->b), w->b.len, "evidence", &v));
	assert_true(qt_json_open(&j, '[', v.text, v.len));
	assert_int_equal(qt_json_element(&j, &item), 0);
	assert_int_equal(qt_json_element(&j, &v), 1);
	assert_string_equal(text_in(item.text, item.len, "content_type"), type);
	got = g_base64_decode(text_in(item.text, item.len, "payload"), &got_len);
	assert_int_equal(got_len, len);
	assert_memory_equal(got, bytes, len);
	g_free(got);
	assert_int_equal(EVP_Digest(bytes, len, sum, &n, EVP_sha256(), NULL), 1);
	for (i = 0; i < n; i++)
		(void)snprintf(hash + 7 + 2 * i, 3, "%02x", sum[i]);
	assert_string_equal(text_in(item.text, item.len, "hash"), hash);
	assert_true(find_in(item.text, item.len, "size", &size));
	assert_true(qt_json_uint(&size, &told));
	assert_int_equal(told, len);
}

/* What both kinds have to have. */
static void assert_core(const struct world *w)
{
	char id[80];
	size_t i;

	assert_string_equal(text(w, "xarf_version"), "4.2.0");
	assert_string_equal(text(w, "timestamp"), "2026-11-24T06:00:00Z");
	assert_string_equal(text(w, "source_identifier"), "203.0.113.7");
	assert_int_equal(number(w, "source_port"), 40000);
	assert_string_equal(text(w, "first_seen"), "2026-11-24T05:59:59Z");
	assert_string_equal(text(w, "last_seen"), "2026-11-24T06:01:00Z");
	assert_party(w, "reporter", "Example Hosting");
	assert_party(w, "sender", "Example Hosting");
	assert_string_equal(qt_buf_str(&w->b) + w->b.len - 3, "\n}\n");
	(void)snprintf(id, sizeof(id), "%s", text(w, "report_id"));
	assert_int_equal(strlen(id), 36);
	assert_int_equal(id[14], '4');
	assert_non_null(strchr("89ab", id[19]));
	for (i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23)
			assert_int_equal(id[i], '-');
		else
			assert_non_null(strchr("0123456789abcdef", id[i]));
}

static const char bytes[] = "Subject: hello\nMessage-ID: <1@x.example>\n";

static struct qt_sample *object_world(struct world *w,
    const struct qt_incident_opts *opts)
{
	struct qt_sample *s = usual_world(w, opts);

	add_message(w, "203.0.113.7", 40001, DAY - 1, true);
	add_message(w, "203.0.113.7", 40002, DAY + 60, false);
	s->subject = "Offer \xe2\x80\xae\x07\"\xff\\";
	s->message_id = "<1@x.example>";
	s->agent = "Mailer 1.0";
	s->server_address = "192.0.2.25";
	s->server_port = 587;
	return s;
}

static void spam_is_an_object(void **state)
{
	const struct qt_incident_opts opts = usual();
	struct qt_sample *s;
	struct world w;
	char id[64];

	(void)state;
	s = object_world(&w, &opts);
	make(&w, qt_incident_xarf_spam);
	assert_core(&w);
	assert_string_equal(text(&w, "category"), "messaging");
	assert_string_equal(text(&w, "type"), "spam");
	assert_string_equal(text(&w, "protocol"), "smtp");
	assert_string_equal(text(&w, "smtp_from"), "ann@example.org");
	assert_string_equal(text(&w, "smtp_to"),
	    "r-bbbbbbbbbbbbbbbb@example.net");
	assert_string_equal(text(&w, "subject"),
	    "Offer \xe2\x80\xae\x07\"\\xFF\\");
	assert_string_equal(text(&w, "message_id"), "<1@x.example>");
	assert_string_equal(text(&w, "user_agent"), "Mailer 1.0");
	assert_int_equal(number(&w, "recipient_count"), 2);
	assert_string_equal(text(&w, "evidence_source"), "content_analysis");
	assert_string_equal(text(&w, "description"), "Unsolicited mail from this "
	    "address: 3 messages to 6 recipients, 2 of them with the stolen "
	    "credentials of an account here. Names are replaced by tokens "
	    "(RFC 6590). Case number: CASE-7");
	assert_evidence(&w, bytes, sizeof(bytes) - 1, "text/rfc822-headers");
	/* nothing that a terminal would obey */
	assert_null(strchr(qt_buf_str(&w.b), '\x07'));
	assert_null(strstr(qt_buf_str(&w.b), "\xe2\x80\xae"));
	(void)snprintf(id, sizeof(id), "%s", text(&w, "report_id"));
	s->whole = true;
	make(&w, qt_incident_xarf_spam);
	assert_string_not_equal(text(&w, "report_id"), id);
	assert_evidence(&w, bytes, sizeof(bytes) - 1, "message/rfc822");
	end(&w);
}

static void a_login_is_an_object(void **state)
{
	const struct qt_incident_opts opts = usual();
	struct qt_sample *s;
	struct world w;

	(void)state;
	s = object_world(&w, &opts);
	s->sender = "";
	make(&w, qt_incident_xarf_login);
	assert_core(&w);
	assert_string_equal(text(&w, "category"), "connection");
	assert_string_equal(text(&w, "type"), "login_attack");
	assert_string_equal(text(&w, "protocol"), "tcp");
	assert_string_equal(text(&w, "destination_ip"), "192.0.2.25");
	assert_int_equal(number(&w, "destination_port"), 587);
	assert_string_equal(text(&w, "description"), "Somebody else than the owner "
	    "of an account here logged in with its credentials (SMTP AUTH) from "
	    "this address, to send 2 messages. Names are replaced by tokens "
	    "(RFC 6590). Case number: CASE-7");
	assert_evidence(&w, bytes, sizeof(bytes) - 1, "text/rfc822-headers");
	assert_false(has(&w, "smtp_from"));
	s->server_address = "[192.0.2.25]";
	make(&w, qt_incident_xarf_login);
	assert_false(has(&w, "destination_ip"));
	assert_false(has(&w, "destination_port"));
	s->server_address = "2001:db8::25";
	s->server_port = 0;
	make(&w, qt_incident_xarf_login);
	assert_string_equal(text(&w, "destination_ip"), "2001:db8::25");
	assert_false(has(&w, "destination_port"));
	end(&w);
}

/* Who is shown is the first one of which all is known. */
static void the_best_sample_is_taken(void **state)
{
	static const struct {
		const char *sender;
		bool fit;
	} cases[] = {
	    {"a@b.example", true}, {"a.b+c=d!#$%&'*/?^_`{|}~-@b-c.example", true},
	    {"", false}, {"a", false}, {"@b.example", false}, {"a@", false},
	    {"a@b", false}, {"a b@c.example", false}, {".a@b.example", false},
	    {"a.@b.example", false}, {"a..b@c.example", false},
	    {"\"a\"@b.example", false}, {"a@b@c.example", false},
	    {"a@-b.example", false}, {"a@b.-c.example", false},
	    {"a@b-.example", false},
	    {"a@b_c.example", false}, {"a@b..example", false},
	    {"a@b.example.", false}, {"a@[192.0.2.1]", false},
	    {"\xc3\xa4@b.example", false}, {"a@\xc3\xa4.example", false},
	    {"a@b.example\n", false}, {"a\r@b.example", false},
	    {"a23456789012345678901234567890123456789012345678901234567890abcd"
	     "@b.example", true},
	    {"a23456789012345678901234567890123456789012345678901234567890abcde"
	     "@b.example", false},
	    {"a@a23456789012345678901234567890123456789012345678901234567890abcd"
	     ".example", false},
	};
	const struct qt_incident_opts opts = usual();
	struct qt_sample *s, *second;
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		s = usual_world(&w, &opts);
		second = add_text(&w, qt_client_of(w.client[0]), "Subject: 2\n");
		second->sender = "second@example.org";
		s->sender = cases[i].sender;
		make(&w, qt_incident_xarf_spam);
		assert_string_equal(text(&w, "smtp_from"), cases[i].fit ?
			cases[i].sender : "second@example.org");
		if (!cases[i].fit)
			assert_evidence(&w, "Subject: 2\n", 11,
			    "text/rfc822-headers");
		/* a recipient is told by the same rule */
		s->sender = "a@b.example";
		s->rcpt[0] = cases[i].sender;
		make(&w, qt_incident_xarf_spam);
		assert_int_equal(has(&w, "smtp_to"), cases[i].fit);
		end(&w);
	}
}

/* Nothing is made of what an object has to have and is not known. */
static void an_object_that_cannot_be(void **state)
{
	enum { PORT, LOGIN, LOGINS, SENDER, TIME, SAMPLE, ADDRESS, CASES };
	/* whether there is no object on spam, on logins */
	static const bool none[CASES][2] = {
	    [PORT] = {true, true}, [LOGIN] = {false, true},
	    [LOGINS] = {false, true}, [SENDER] = {true, false},
	    [TIME] = {true, true}, [SAMPLE] = {true, true},
	    [ADDRESS] = {true, true}};
	const struct qt_incident_opts opts = usual();
	struct qt_sample *s;
	struct qt_error err;
	struct world w;
	int i;

	(void)state;
	for (i = 0; i < CASES; i++) {
		s = usual_world(&w, &opts);
		if (i == PORT)
			s->port = 0;
		else if (i == LOGIN)
			s->login = NULL;
		else if (i == LOGINS)
			qt_client_of(w.client[0])->logins = 0;
		else if (i == SENDER)
			s->sender = "";
		else if (i == TIME)
			s->time = w.client[0]->first = w.client[0]->last = 0;
		else if (i == SAMPLE)
			qt_client_of(w.client[0])->nsamples = 0;
		else
			qt_client_of(w.client[0])->valid = false;
		assert_int_equal(qt_incident_xarf_spam(w.x, w.client[0], &w.b,
		    &err), none[i][0]);
		assert_int_equal(w.b.len == 0, none[i][0]);
		qt_buf_clear(&w.b);
		assert_int_equal(qt_incident_xarf_login(w.x, w.client[0], &w.b,
		    &err), none[i][1]);
		assert_int_equal(w.b.len == 0, none[i][1]);
		end(&w);
	}
}

/* A time that no date has is as good as none, and so is a text without a letter. */
static void an_object_of_little(void **state)
{
	struct qt_incident_opts opts = usual();
	struct qt_sample *s;
	struct world w;

	(void)state;
	opts.case_id = "";
	opts.organization = "";
	opts.redact = QT_REDACT_NONE;
	s = usual_world(&w, &opts);
	make(&w, qt_incident_xarf_spam);
	assert_party(&w, "reporter", "example.org");
	assert_string_equal(text(&w, "description"), "Unsolicited mail from this "
	    "address: 1 message to 2 recipients, with the stolen "
	    "credentials of an account here.");
	s->time = INT64_C(253402300800); /* year 10000 */
	make(&w, qt_incident_xarf_spam);
	assert_string_equal(text(&w, "timestamp"), "2026-11-24T06:00:00Z");
	s->time = -1;
	make(&w, qt_incident_xarf_spam);
	assert_string_equal(text(&w, "timestamp"), "2026-11-24T06:00:00Z");
	s->time = DAY + 1;
	w.client[0]->first = 0;
	w.client[0]->last = INT64_MAX;
	make(&w, qt_incident_xarf_login);
	assert_string_equal(text(&w, "first_seen"), "2026-11-24T06:00:01Z");
	assert_false(has(&w, "last_seen"));
	end(&w);
}

/* Limits are characters; none is cut in two, and the last one fits. */
static void texts_have_limits(void **state)
{
	struct qt_incident_opts opts = usual();
	struct qt_json_value v;
	char large[6001], odd[3001];
	struct qt_sample *s;
	struct world w;
	size_t i;

	(void)state;
	for (i = 0; i + 4 < sizeof(large); i += 4)
		memcpy(large + i, "\xf0\x9f\x98\x80", 5);
	for (i = 0; i + 3 < sizeof(odd); i += 3)
		memcpy(odd + i, "\xe2\x82\xac", 4);
	opts.organization = odd;
	opts.case_id = large;
	s = usual_world(&w, &opts);
	s->subject = large;
	s->message_id = odd;
	s->agent = large;
	make(&w, qt_incident_xarf_spam);
	assert_int_equal(characters(text(&w, "subject")), 500);
	assert_int_equal(strlen(text(&w, "subject")), 2000);
	assert_int_equal(characters(text(&w, "message_id")), 200);
	assert_int_equal(strlen(text(&w, "message_id")), 600);
	assert_int_equal(characters(text(&w, "user_agent")), 200);
	assert_int_equal(characters(text(&w, "description")), 1000);
	assert_true(find_in(qt_buf_str(&w.b), w.b.len, "reporter", &v));
	assert_int_equal(characters(text_in(v.text, v.len, "org")), 200);
	/* what is not UTF-8 counts as it is shown, and "" is nothing */
	memset(odd, 0xff, 300);
	odd[300] = '\0';
	s->subject = odd;
	s->message_id = "";
	s->agent = NULL;
	make(&w, qt_incident_xarf_spam);
	assert_int_equal(strlen(text(&w, "subject")), 500);
	assert_non_null(strstr(text(&w, "subject"), "\\xFF"));
	assert_false(has(&w, "message_id"));
	assert_false(has(&w, "user_agent"));
	end(&w);
}

/* Beyond the format's limit there is none, and none of nothing. */
static void evidence_has_a_limit(void **state)
{
	const struct qt_incident_opts opts = usual();
	const size_t limit = 5242880;
	char *much = malloc(limit + 1);
	struct qt_client *c;
	struct qt_sample *s;
	struct world w;

	(void)state;
	assert_non_null(much);
	memset(much, 'a', limit + 1);
	s = usual_world(&w, &opts);
	c = qt_client_of(w.client[0]);
	s->len = 0;
	make(&w, qt_incident_xarf_spam);
	assert_false(has(&w, "evidence"));
	c->nsamples = 0;
	s = add_sample(&w, c, much, limit + 1, false);
	make(&w, qt_incident_xarf_spam);
	assert_false(has(&w, "evidence"));
	s->len = limit;
	make(&w, qt_incident_xarf_spam);
	assert_true(has(&w, "evidence"));
	free(much);
	end(&w);
}

/* Wherever the buffer is full, that is said. */
static void an_object_that_fails_says_so(void **state)
{
	const struct qt_incident_opts opts = usual();
	struct qt_error err;
	struct qt_buf small;
	struct world w;
	size_t max, len;

	(void)state;
	(void)object_world(&w, &opts);
	make(&w, qt_incident_xarf_spam);
	len = w.b.len;
	for (max = 1; max < len; max += 13) {
		qt_buf_init(&small, max);
		err.code = QT_OK;
		assert_int_equal(qt_incident_xarf_spam(w.x, w.client[0], &small,
		    &err), -1);
		assert_int_equal(err.code, QT_E_NOMEM);
		qt_buf_release(&small);
	}
	qt_buf_init(&small, len);
	assert_int_equal(qt_incident_xarf_spam(w.x, w.client[0], &small, &err), 0);
	qt_buf_release(&small);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(spam_is_an_object),
	    cmocka_unit_test(a_login_is_an_object),
	    cmocka_unit_test(the_best_sample_is_taken),
	    cmocka_unit_test(an_object_that_cannot_be),
	    cmocka_unit_test(an_object_of_little),
	    cmocka_unit_test(texts_have_limits),
	    cmocka_unit_test(evidence_has_a_limit),
	    cmocka_unit_test(an_object_that_fails_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
