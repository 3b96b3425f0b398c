/*
 * test_body.c - what an archive tells of a body: its sum, its fingerprint, and
 * the links in it.
 */
#include "unit/archive_world.h"

#include "evidence/body.h"

/* ---- through an archive ---- */

/* The line of messages.jsonl about a mail. */
static char *line_of(const struct world *w, const char *mail)
{
	struct qt_archive_opts opts = some_opts(w);
	struct contents *c;
	struct qt_archive *a;
	struct qfile q;
	char *line;

	(void)unlink(at(w, "out/x.tar"));
	(void)unlink(at(w, "out/x.tar.sha256"));
	qfile_init(&q);
	(void)qfile_size_record(&q, 6);
	(void)qfile_recs(&q, 'T', "1700000000 123456");
	(void)qfile_recs(&q, 'S', "ann@victim.example");
	(void)qfile_recs(&q, 'R', "joe@example.org");
	qfile_message(&q);
	qfile_text(&q, mail);
	qfile_extracted(&q);
	qfile_end(&q);
	write_file(at(w, "spool/hold/AAAAA1111"), q.b.data, q.b.len);
	qfile_release(&q);
	a = open_archive(w, "out/x.tar", &opts);
	must_add(w, a, "hold/AAAAA1111");
	must_finish(a, NULL);
	c = read_archive(at(w, "out/x.tar"));
	line = strdup(must_find(c, "metadata/messages.jsonl")->data);
	assert_non_null(line);
	free_contents(c);
	return line;
}

static void must_tell(const char *line, const char *what)
{
	if (strstr(line, what) == NULL)
		fail_msg("no %s in %s", what, line);
}

static void the_sum_is_that_of_the_lines(void **state)
{
	/* lines longer than a record, one without an end, a header alone, one
	 * that is longer than what is kept of headers */
	const size_t lengths[] = {0, 1, 2047, 2048, 2049, 65535, 65536, 70001,
	    400000};
	char *mail = malloc(1000000), *body, *line, want[128], sum[65];
	size_t i, n;

	assert_non_null(mail);
	for (i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		n = (size_t)sprintf(mail, "Subject: x\n%s",
		    lengths[i] == 70001 ? "X-Long: " : "");
		if (lengths[i] == 70001) {
			memset(mail + n, 'h', 300000);
			n += 300000;
			mail[n++] = '\n';
		}
		mail[n++] = '\n';
		body = mail + n;
		memset(body, 'b', lengths[i]);
		(void)strcpy(body + lengths[i], lengths[i] == 2048 ? "\nz\n" :
		    lengths[i] != 0 ? "\n" : "");
		hex_sum(body, strlen(body), sum);
		(void)snprintf(want, sizeof want, "\"body_sha256\":\"%s\"", sum);
		line = line_of(*state, mail);
		must_tell(line, want);
		free(line);
	}
	line = line_of(*state, "Subject: a header alone\n");
	hex_sum("", 0, sum);
	(void)snprintf(want, sizeof want, "\"body_sha256\":\"%s\","
	    "\"body_simhash\":null,\"urls\":[]", sum);
	must_tell(line, want);
	free(line);
	free(mail);
}

static void links_of_text_parts(void **state)
{
	static const struct {
		const char *mail, *urls;
	} cases[] = {
	    {"S: x\n\nGo to http://a.example/x, or (HTTPS://b.example/?q=1).\n"
	     "http://a.example/x again, xhttp://c.example\n",
	     "[\"http://a.example/x\",\"HTTPS://b.example/?q=1\","
	     "\"http://c.example\"]"},
	    {"S: x\n\nhttp:// https:// ftp://x.example :// http\n", "[]"},
	    {"S: x\nContent-Type: text/html\n\n"
	     "<a href=\"https://a.example/?a=1&amp;b=2\">x</a>\n",
	     "[\"https://a.example/?a=1&b=2\"]"},
	    {"S: x\nContent-Transfer-Encoding: quoted-printable\n\n"
	     "see https://long.exam=\nple/=41?x=3D1 \n",
	     "[\"https://long.example/A?x=1\"]"},
	    {"S: x\nContent-Transfer-Encoding: base64\n\n"
	     "aHR0cDovL2I2NC5l\neGFtcGxlL3gK\n", "[\"http://b64.example/x\"]"},
	    /* of parts: the text ones, each decoded by itself */
	    {"S: x\nContent-Type: multipart/mixed;\n boundary=b\n\n"
	     "http://preamble.example/\n--b\n"
	     "Content-Transfer-Encoding:\n base64\n\naHR0cDovL2I2NC5leGFtcGxl"
	     "\n--b\nContent-Type: image/png\n\nhttp://picture.example/\n"
	     "--b\n\nhttp://plain.example/\n--b--\n",
	     "[\"http://preamble.example/\",\"http://b64.example\","
	     "\"http://plain.example/\"]"},
	    /* a message in the message */
	    {"S: x\nContent-Type: message/rfc822\n\nSubject: y\n"
	     "Content-Transfer-Encoding: base64\n\naHR0cDovL2I2NC5leGFtcGxl\n",
	     "[\"http://b64.example\"]"},
	    {"S: x\n\nhttp://a.example/\"q\\r\x01\xff \xff\xfe\n",
	     "[\"http://a.example/\"]"},
	};
	char want[256], *line;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		line = line_of(*state, cases[i].mail);
		(void)snprintf(want, sizeof want, "\"urls\":%s,\"logs\"",
		    cases[i].urls);
		must_tell(line, want);
		free(line);
	}
}

static void links_have_a_ceiling(void **state)
{
	char *mail = malloc(100000), *line, *p = mail;
	int i;

	assert_non_null(mail);
	p += sprintf(p, "S: x\n\nhttp://long.example/");
	for (i = 0; i < 2000; i++)
		*p++ = 'y';
	for (i = 0; i < 70; i++)
		p += sprintf(p, "\nhttp://n%d.example/", i);
	(void)sprintf(p, "\n");
	line = line_of(*state, mail);
	must_tell(line, "\"http://n62.example/\"],\"more_urls\":true");
	assert_null(strstr(line, "http://n63"));
	p = strstr(line, "http://long");
	assert_non_null(p);
	assert_int_equal(strcspn(p, "\""), QT_BODY_URL);
	free(line);
	free(mail);
}

static void damaged_content_has_none(void **state)
{
	const struct world *w = *state;
	char *line = line_of(w, "S: x\n\nhttp://a.example/\n");
	struct qt_archive_opts opts = some_opts(w);
	struct contents *c;
	struct qt_archive *a;
	size_t len;
	char *file = slurp(at(w, "spool/hold/AAAAA1111"), &len), *p;

	free(line);
	p = memmem(file, len, "http://", 7);
	assert_non_null(p);
	p[-2] = 'A'; /* not a record of text */
	write_file(at(w, "spool/hold/AAAAA1111"), file, len);
	free(file);
	(void)unlink(at(w, "out/x.tar"));
	(void)unlink(at(w, "out/x.tar.sha256"));
	a = open_archive(w, "out/x.tar", &opts);
	must_add(w, a, "hold/AAAAA1111");
	must_finish(a, NULL);
	c = read_archive(at(w, "out/x.tar"));
	must_tell(must_find(c, "metadata/messages.jsonl")->data,
	    "\"body_sha256\":null,\"body_simhash\":null,\"urls\":null");
	free_contents(c);
}

/* ---- the fingerprint ---- */

static unsigned distance(const char *a, const char *b)
{
	uint64_t x = 0, y = 0;

	assert_true(qt_body_simhash(a, strlen(a), &x));
	assert_true(qt_body_simhash(b, strlen(b), &y));
	return (unsigned)__builtin_popcountll(x ^ y);
}

/* The same pitch to two people, with other numbers, names and links. */
static const char spam_a[] =
    "Dear Anna,\n\nyour parcel 483920 could not be delivered because of unpaid"
    " customs duties. To avoid that it is returned to the sender please pay"
    " the amount of 2.95 EUR within 24 hours on our secure page:\n"
    "https://post-17.parcel-pay.example/a8f3k2\n\nWe thank you for your"
    " understanding and remain at your service. Your delivery team\n";
static const char spam_b[] =
    "<p>Dear Mr. Miller,</p>\n<br>YOUR PARCEL 117402 could not be delivered"
    " because of unpaid customs duties. To avoid that it is returned to the"
    " sender, please pay the amount of 3.49 EUR within 48 hours on our secure"
    " page: https://pay.parcels.example/zz/91?u=77\nWe thank you for your"
    " understanding and remain at your service.\nYour delivery team\n";
static const char honest[] =
    "Hello Tom,\n\nthe minutes of the meeting on Thursday are attached. Please"
    " have a look at the third item, where the budget for the new greenhouse"
    " is split over two years, and tell me by Monday whether the gardeners"
    " agree. The cake was excellent, tell your wife.\n\nBest wishes, Paula\n";

static void like_texts_are_near(void **state)
{
	(void)state;
	assert_int_equal(distance(spam_a, spam_a), 0);
	assert_true(distance(spam_a, spam_b) <= 12);
	assert_true(distance(spam_a, honest) >= 20);
	assert_true(distance(spam_b, honest) >= 20);
}

static void what_changes_from_copy_to_copy_does_not_count(void **state)
{
	uint64_t none;

	(void)state;
	assert_int_equal(distance("One, two 12 three! http://x.example/abc d",
	    "one TWO\n<b class=\"x\">three</b> 7 https://y.example/z?q d"), 0);
	assert_false(qt_body_simhash("12 + 30 = 42\n", 13, &none));
	assert_false(qt_body_simhash("", 0, &none));
}

/* A definition that somebody else can follow: Python, from the manual. */
static void it_is_what_the_manual_says(void **state)
{
	uint64_t x = 0;

	(void)state;
	assert_true(qt_body_simhash("Buy cheap pills unbelievable NOW", 32, &x));
	assert_int_equal(x, UINT64_C(0x72ce29aec9f29f11));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_sum_is_that_of_the_lines),
	    TEST(links_of_text_parts),
	    TEST(links_have_a_ceiling),
	    TEST(damaged_content_has_none),
	    cmocka_unit_test(like_texts_are_near),
	    cmocka_unit_test(what_changes_from_copy_to_copy_does_not_count),
	    cmocka_unit_test(it_is_what_the_manual_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
