/*
 * test_redact.c - names taken out of text and of messages.
 */
#include "unit/archive_world.h"

#include "evidence/eml.h"
#include "evidence/redact.h"
#include "mail_text.h"

/* A redactor for mail to these recipients. */
struct hiding {
	struct qt_redact_key key;
	struct qt_redactor r;
	struct qt_arena arena;
};

static void hide_for(struct hiding *h, enum qt_redact level, const char *sender,
    const char *login, const char *const *rcpts)
{
	struct qt_rcpt v[8] = {{0}};
	struct qt_msg msg = {.sender = sender, .sasl_username = login, .rcpt = v};
	struct qt_error err;

	memset(h->key.bytes, 7, sizeof h->key.bytes);
	qt_arena_init(&h->arena, 0);
	for (; *rcpts != NULL; rcpts++)
		v[msg.nrcpt++].address = *rcpts;
	assert_int_equal(qt_redactor_init(&h->r, level, &h->key, &msg, NULL,
	    &h->arena, &err), 0);
}

/* Text with tokens made short: <r> <u> <s>. */
static const char *shown(const struct hiding *h,
    void (*fn)(const struct qt_redactor *, struct qt_buf *, const char *, size_t),
    const char *text)
{
	static char out[1024];
	struct qt_buf b;
	const char *p;
	char *q = out;
	size_t n;

	qt_buf_init(&b, 0);
	fn(&h->r, &b, text, strlen(text));
	for (p = qt_buf_str(&b); *p != '\0';) {
		n = strspn(p + 2, "abcdefghijklmnopqrstuvwxyz234567");
		if (strchr("rus", *p) != NULL && p[1] == '-' && n == 16) {
			q += sprintf(q, "<%c>", *p);
			p += 18;
		} else {
			*q++ = *p++;
		}
	}
	*q = '\0';
	qt_buf_release(&b);
	return out;
}

static void recipients_in_text(void **state)
{
	static const char *const rcpts[] = {"Joe.Doe@example.org", "info@x.example",
	    "a@short.example", "tag+shop@example.net", "\"o'neil x\"@example.org",
	    NULL};
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"to joe.doe@example.org, please", "to <r>@example.org, please"},
	    {"Hello JOE.DOE!", "Hello <r>!"},
	    {"bounce+joe.doe=example.org@list.example",
		"bounce+<r>=example.org@list.example"},
	    {"joe.doe-lists@x", "<r>-lists@x"},
	    {"xjoe.doe joe.doex", "xjoe.doe joe.doex"},
	    {"for <info@x.example>; info desk", "for <<r>@x.example>; <r> desk"},
	    {"information", "information"},
	    {"a man, a@short.example", "a man, <r>@short.example"},
	    {"tag+shop@example.net and tag", "<r>@example.net and <r>"},
	    {"\"o'neil x\"@example.org", "\"<r>\"@example.org"},
	    {"see https://x.example/u?id=abc&m=joe.doe#top, more",
		"see https://x.example/u?redacted more"},
	    {"really? yes", "really? yes"},
	    {"<a href=\"http://x/?q=1\">", "<a href=\"http://x/?redacted\">"},
	    {"from ann@victim.example", "from ann@victim.example"},
	    {"", ""},
	};
	struct hiding h;
	size_t i;

	(void)state;
	hide_for(&h, QT_REDACT_RECIPIENTS, "ann@victim.example", "ann", rcpts);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(shown(&h, qt_redact_text, cases[i].text),
		    cases[i].want);
	assert_string_equal(shown(&h, qt_redact_user, "ann@victim.example"),
	    "ann@victim.example");
	assert_string_equal(shown(&h, qt_redact_subject, "For joe.doe"),
	    "For <r>");
	qt_arena_release(&h.arena);
}

static void everybody_in_text(void **state)
{
	static const char *const rcpts[] = {"joe@example.org", NULL};
	struct hiding h;

	(void)state;
	hide_for(&h, QT_REDACT_FULL, "ann@victim.example", "login", rcpts);
	assert_string_equal(shown(&h, qt_redact_text,
	    "ann@victim.example to joe@example.org, x@y, (login), ann"),
	    "<u>@victim.example to <r>@example.org, <u>@y, (<u>), <u>");
	assert_string_equal(shown(&h, qt_redact_user, "login"), "<u>");
	assert_string_equal(shown(&h, qt_redact_user, ""), "");
	assert_string_equal(shown(&h, qt_redact_subject, "Offer"), "<s>");
	qt_arena_release(&h.arena);
	/* one with signs that no word has is of its own kind as well */
	hide_for(&h, QT_REDACT_FULL, "ann@victim.example", "a)b", rcpts);
	assert_string_equal(shown(&h, qt_redact_text, "by a)b."), "by <u>.");
	qt_arena_release(&h.arena);
	/* a bounce is about others' recipients */
	hide_for(&h, QT_REDACT_RECIPIENTS, "", NULL, rcpts);
	assert_string_equal(shown(&h, qt_redact_text, "Final-Recipient: x@y.example"),
	    "Final-Recipient: <r>@y.example");
	qt_arena_release(&h.arena);
}

/* Names with signs that no word has: the longest that stands there, and in one walk. */
static void odd_names(void **state)
{
	static const char *const rcpts[] = {"x)a1@e.example", "x)a12@e.example",
	    "x)a@e.example", "X)B@e.example", "(@e.example", NULL};
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"x)a12, x)a1, x)a: x)a129", "<r>, <r>, <r>: <r>9"},
	    {"x)", "x)"},
	    {"x)c", "x)c"},
	    {"x)b and X)b", "<r> and <r>"},
	    {"(.(", "<r>.<r>"},
	    {"x)a1", "<r>"},
	};
	struct hiding h;
	size_t i;

	(void)state;
	hide_for(&h, QT_REDACT_RECIPIENTS, "ann@victim.example", NULL, rcpts);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(shown(&h, qt_redact_text, cases[i].text),
		    cases[i].want);
	qt_arena_release(&h.arena);
}

/* A login of one letter is none in text, and one in a Received field. */
static void a_short_login(void **state)
{
	static const char *const rcpts[] = {"joe@example.org", NULL};
	struct qt_error err;
	struct hiding h;

	(void)state;
	hide_for(&h, QT_REDACT_RECIPIENTS, "ann@victim.example", NULL, rcpts);
	assert_int_equal(qt_redactor_add_user(&h.r, "j", NULL, &h.arena, &err), 0);
	assert_string_equal(shown(&h, qt_redact_text,
	    "j (Authenticated sender: j) j@x for joe"),
	    "j (Authenticated sender: <u>) <u>@x for <r>");
	qt_arena_release(&h.arena);
}

/* HMAC-SHA-256 with a known key, its first ten bytes in base32. */
static void tokens_are_what_is_documented(void **state)
{
	static const char *const rcpts[] = {"Joe@example.org", NULL};
	struct hiding h;
	struct qt_buf b;

	(void)state;
	hide_for(&h, QT_REDACT_RECIPIENTS, "a@b", NULL, rcpts);
	qt_buf_init(&b, 0);
	qt_redact_address(&h.r, &b, "Joe@example.org");
	/* printf joe | openssl mac -digest SHA256 -macopt hexkey:0707...07 HMAC */
	assert_string_equal(qt_buf_str(&b), "r-v6b3rxfhizstfpjd@example.org");
	qt_buf_release(&b);
	qt_arena_release(&h.arena);
}

static void key_files(void **state)
{
	const struct world *w = *state;
	static const char *const bad[] = {"", "07\n", "zz", NULL};
	struct qt_redact_key key, again;
	struct qt_error err;
	struct qt_buf b;
	size_t i;

	qt_buf_init(&b, 0);
	assert_int_equal(qt_redact_key_make(&key, &err), 0);
	qt_redact_key_text(&key, &b);
	assert_int_equal(b.len, 65);
	write_file(at(w, "key"), b.data, b.len);
	assert_int_equal(qt_redact_key_read(&again, at(w, "key"), &err), 0);
	assert_memory_equal(&key, &again, sizeof key);
	for (i = 0; bad[i] != NULL; i++) {
		write_file(at(w, "key"), bad[i], strlen(bad[i]));
		assert_int_equal(qt_redact_key_read(&again, at(w, "key"), &err), -1);
	}
	b.data[63] = 'x';
	write_file(at(w, "key"), b.data, b.len);
	assert_int_equal(qt_redact_key_read(&again, at(w, "key"), &err), -1);
	assert_int_equal(err.code, QT_E_USAGE);
	qt_buf_release(&b);
}

/* ---- whole messages ---- */

static void put_mail(const struct world *w, const char *path, const char *mail)
{
	struct qfile q;
	char full[128];

	qfile_init(&q);
	(void)qfile_size_record(&q, 6);
	(void)qfile_recs(&q, 'T', "1700000000 123456");
	(void)qfile_recs(&q, 'S', "ann@victim.example");
	(void)qfile_recs(&q, 'R', "joe@example.org");
	qfile_message(&q);
	qfile_text(&q, mail);
	qfile_extracted(&q);
	qfile_end(&q);
	(void)snprintf(full, sizeof full, "spool/%s", path);
	write_file(at(w, full), q.b.data, q.b.len);
	qfile_release(&q);
}

/* The one message of an archive made with these options, as a mail program
 * has it; NULL: there is none. */
static char *eml_of(const struct world *w, const struct qt_archive_opts *opts,
    const char *mail)
{
	struct contents *c;
	const struct member *m;
	struct qt_archive *a;
	char *text;

	(void)unlink(at(w, "out/x.tar"));
	(void)unlink(at(w, "out/x.tar.sha256"));
	(void)unlink(at(w, "out/x.tar.key"));
	put_mail(w, "hold/AAAAA1111", mail);
	a = open_archive(w, "out/x.tar", opts);
	must_add(w, a, "hold/AAAAA1111");
	must_finish(a, NULL);
	c = read_archive(at(w, "out/x.tar"));
	check_manifest(c, "manifest-sha256.txt", is_payload);
	m = find(c, "data/eml/hold/AAAAA1111.eml");
	text = m != NULL ? strdup(m->data) : NULL;
	if (opts->redact != QT_REDACT_NONE) {
		assert_null(find(c, "data/queue/hold/AAAAA1111"));
		assert_null(memmem(must_find(c, "metadata/recipients.jsonl")->data,
		    must_find(c, "metadata/recipients.jsonl")->len, "joe@", 4));
	} else {
		assert_non_null(find(c, "data/queue/hold/AAAAA1111"));
	}
	free_contents(c);
	return text;
}

static void eml_is_the_mail(void **state)
{
	static const char mail[] = "Subject: x\nTo: joe@example.org\n\nHello\n"
				   ".dot\n\n";
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	char *text;

	assert_null(eml_of(w, &opts, mail));
	opts.eml = true;
	text = eml_of(w, &opts, mail);
	assert_non_null(text);
	assert_string_equal(text, mail);
	free(text);
}

static void redacted_mail(void **state)
{
	static const char mail[] =
	    "Received: from x by y for <joe@example.org>; today\n"
	    "From: Ann <ann@victim.example>\n"
	    "To: \"Joe Jones\" <joe@example.org>,\n"
	    "\tSue <sue@example.org>\n"
	    "Subject: =?utf-8?Q?joe=40example?= wins\n"
	    "Content-Type: multipart/mixed; boundary=\"b1\"\n"
	    "\n"
	    "--b1\n"
	    "Content-Transfer-Encoding: base64\n"
	    "\n"
	    "am9lQGV4YW1wbGUub3Jn\n"
	    "--b1\n"
	    "Content-Type: text/plain\n"
	    "\n"
	    "Dear joe, sue\n"
	    "--b1--\n";
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	char *text;

	opts.redact = QT_REDACT_RECIPIENTS;
	text = eml_of(w, &opts, mail);
	assert_non_null(text);
	assert_null(strcasestr(text, "joe"));
	assert_null(strcasestr(text, "sue"));
	assert_null(strcasestr(text, "jones"));
	assert_null(strstr(text, "am9l"));
	/* "r-....@example.org" in base64 again */
	assert_non_null(strstr(text, "\n\nci"));
	assert_non_null(strstr(text, "From: Ann <ann@victim.example>\n"));
	assert_non_null(strstr(text, "Subject: r-"));
	assert_non_null(strstr(text, "@example wins\n"));
	assert_non_null(strstr(text, "\n\nDear r-"));
	free(text);
	opts.redact = QT_REDACT_FULL;
	text = eml_of(w, &opts, mail);
	assert_null(strcasestr(text, "ann@"));
	assert_null(strstr(text, "wins"));
	assert_null(strstr(text, "Dear"));
	assert_non_null(strstr(text, "@victim.example\n"));
	free(text);
}

/* Whether a name is anywhere in what a mail program shows, or in the bytes. */
static bool named(const char *text, size_t len)
{
	static const char *const names[] = {"joe", "jones", "joseph",
	    "j\303\266rg", "am9l", "Sm9l"};
	size_t i, k, n;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		n = strlen(names[i]);
		for (k = 0; k + n <= len; k++)
			if (strncasecmp(text + k, names[i], n) == 0)
				return true;
	}
	return false;
}

/* What is encoded in any way: no name in it, and what is none still there. */
static void encoded_mail(void **state)
{
	static const struct {
		const char *mail;
		const char *shown[2];
	} cases[] = {
	    {"Subject: =?utf-8?B?Sm9lIHdpbnM=?=\n\nx\n",
	     {"Subject: r-", " wins"}},
	    {"Subject: =?utf-8?Q?J?=\n =?utf-8?Q?oe_J=F6?= x\n\nhi\n",
	     {"hi", NULL}},
	    {"Subject: =?utf-8?Q?jo?= =?us-ascii?Q?e?=\n =?utf-8?Q?_gr=C3=BC=C3=9Ft?=\n\nhi\n",
	     {"Subject: r-", " gr\303\274\303\237t"}},
	    {"Subject: jo=?utf-8?Q?e?= x\n\nhi\n",
	     {"Subject: r-", NULL}},
	    {"Subject: =?utf-7?Q?+AGo-oe?= x =?utf-16?B?AGoAbwBl?=\n\nhi\n",
	     {"[encoded]", NULL}},
	    {"Subject: =?utf-8?Q?=3D=3Futf-8=3FQ=3Fjo=65=3F=3D?= x\n\nhi\n",
	     {"[encoded]", NULL}},
	    {"From: =?utf-8?Q?joe?= <ann@victim.example>\n\nhi\n",
	     {"<ann@victim.example>", NULL}},
	    {"Thread-Topic: x,\n\tjoe\n joe@example.org\n\nhi\n",
	     {"Thread-Topic: x,", "@example.org"}},
	    {"To: \"Jones, Joseph\" <joe@example.org>\n\nDear Joseph,\n",
	     {"Dear r-", NULL}},
	    {"To: =?utf-8?Q?J=C3=B6rg_Jones?= <joe@example.org>\n\nDear J\303\266rg,\n",
	     {"Dear r-", NULL}},
	    {"Content-Transfer-Encoding: base64\n\nRGVhciBmcmllbmQ\ngam9lQGV4YW1wbGUub3JnLCBwYXk=\n",
	     {"Dear friend r-", "@example.org, pay"}},
	    {"Content-Transfer-Encoding: base64\n\naGVsbG8==am9l\n",
	     {"bytes left out", NULL}},
	    {"Content-Transfer-Encoding: base64\nContent-Type: text/plain; charset=utf-16\n\nRABlAGEAcgAgAGoAbwBlAA==\n",
	     {"bytes left out", NULL}},
	    {"Content-Transfer-Encoding: quoted-printable\n\nDear jo=\ne, =6Aoe and =C3=BC=\n!\n",
	     {"Dear r-", "\303\274!"}},
	    {"Content-Transfer-Encoding: quoted-printable\n\nDear jo=6, joe\n",
	     {"bytes left out", NULL}},
	    {"Content-Type: text/html\n\n<p>&#106;oe &#x4A;&#x6f;e&#64;x http://x/%6aoe/y?z=joe\n",
	     {"<p>r-", "http://x/r-"}},
	    {"Content-Type: message/rfc822\n\nTo: joe@example.org\nSubject: =?utf-8?B?Zm9yIGpvZQ==?=\nContent-Transfer-Encoding:\n base64\n\nYnllIGpvZQ==\n",
	     {"Subject: for r-", "bye r-"}},
	    {"Content-Type: multipart/mixed; boundary = b\n\n--b\nContent-Transfer-Encoding: base64\n\nam9l\n--b--\n",
	     {"left out", NULL}},
	    {"Content-Type: multipart/mixed; boundary=\"b\\c\"\n\n--bc\nContent-Transfer-Encoding: base64\n\nam9l\n--bc--\n",
	     {"left out", NULL}},
	    {"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: y\nContent-Transfer-Encoding: base64\n\nam9l\n--b--\n",
	     {"left out", NULL}},
	    {"Content-Type: multipart/mixed; boundary=\"joe-1\"\n\n--joe-1\n\nhi\n--joe-1--\n",
	     {"hi", NULL}},
	    {"X-joe: 1\n\nhi\n",
	     {"hi", NULL}},
	    {"Subject: x\n\nlook:\nbegin 644 x\n#:F]E\n`\nend\ndGhpcyBpcyBmb3Igam9lLCB0b28=\nbye\n",
	     {"look:", "bye"}},
	    {"Content-Type: text/plain; charset=utf-7\n\n+AGo-oe\n",
	     {"left out", NULL}},
	};
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_buf after;
	char *text;
	size_t i, k;

	opts.redact = QT_REDACT_RECIPIENTS;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		qt_buf_init(&after, 0);
		text = eml_of(w, &opts, cases[i].mail);
		assert_non_null(text);
		mail_text(&after, text, strlen(text));
		for (k = 0; k < 2; k++)
			if (named(text, strlen(text)) ||
			    named(qt_buf_str(&after), after.len) ||
			    (cases[i].shown[k] != NULL &&
				strstr(qt_buf_str(&after), cases[i].shown[k]) == NULL &&
				strstr(text, cases[i].shown[k]) == NULL))
				fail_msg("case %zu: %s\nis shown as %s", i, text,
				    qt_buf_str(&after));
		free(text);
		qt_buf_release(&after);
	}
}

/* At the other level, who wrote it is nobody's business either. */
static void users_are_not_named(void **state)
{
	static const char mail[] =
	    "From: \"Ann Smith\" <ann@victim.example>\n"
	    "Reply-To: =?utf-8?Q?Ann_Smith?= <ann.smith@victim.example>\n"
	    "Organization: Smith Ltd\n"
	    "X-Note: =?utf-8?B?QW5uIFNtaXRo?=\n"
	    "\nAnn\n";
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_buf b;
	char *text;

	opts.redact = QT_REDACT_FULL;
	text = eml_of(w, &opts, mail);
	assert_non_null(text);
	qt_buf_init(&b, 0);
	mail_text(&b, text, strlen(text));
	assert_null(strcasestr(qt_buf_str(&b), "ann"));
	assert_null(strcasestr(qt_buf_str(&b), "smith"));
	assert_non_null(strstr(qt_buf_str(&b), "From: u-"));
	assert_non_null(strstr(qt_buf_str(&b), "@victim.example"));
	qt_buf_release(&b);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(recipients_in_text),
	    cmocka_unit_test(odd_names),
	    cmocka_unit_test(a_short_login),
	    cmocka_unit_test(everybody_in_text),
	    cmocka_unit_test(tokens_are_what_is_documented),
	    TEST(key_files),
	    TEST(eml_is_the_mail),
	    TEST(redacted_mail),
	    TEST(encoded_mail),
	    TEST(users_are_not_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
