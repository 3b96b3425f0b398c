/*
 * fuzz_redact.c - a recipient's name is nowhere left as a word: not in text, and
 * not in what a mail program (GMime) shows of a message.
 *
 * Input: the local part of a recipient, a line feed, the text; or the line
 * "@mail", and a message, in which these bytes mean
 *
 *	05		the name of its recipient
 *	01 ... 02	that, in base64, broken into lines as 06 says
 *	03 ... 04	that, each byte as =XX
 *	06		in 01 ... 02 a line end of the encoded text
 */
#include "evidence/base64.h"
#include "evidence/eml.h"
#include "evidence/redact.h"
#include "fuzz/require.h"
#include "mail_text.h"
#include "tools/qfile.h"
#include "qtool/message.h"

#include <ctype.h>
#include <strings.h>

static bool alnum(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 0x80 || (u < 0x80 && isalnum(u));
}

/* Long enough to count as a word, and without signs that words are cut at. */
static bool is_plain(const char *s, size_t len)
{
	if (len < 3 || len > 15 || strncasecmp(s, "redacted", len) == 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] >= 0x80 || !alnum(s[i]))
			return false;
	return true;
}

static void check_gone(const struct qt_buf *b, const char *name, size_t len)
{
	const char *p = qt_buf_str(b);

	for (size_t i = 0; i + len <= b->len; i++) {
		if (strncasecmp(p + i, name, len) != 0 ||
		    (i > 0 && alnum(p[i - 1])) ||
		    (i + len < b->len && alnum(p[i + len])))
			continue;
		(void)fprintf(stderr, "at %zu of <<<%s>>>\n", i, p);
		REQUIRE(false);
	}
}

static void redact(enum qt_redact level, const char *name, size_t len,
    const char *text, size_t n)
{
	struct qt_redact_key key = {{1}};
	char address[FUZZ_MAX + 16];
	struct qt_rcpt rcpt = {.address = address};
	struct qt_msg msg = {.sender = "a@b.example", .rcpt = &rcpt, .nrcpt = 1};
	struct qt_redactor r;
	struct qt_arena arena;
	struct qt_error err;
	struct qt_buf out;
	size_t at = 0, local, end;

	memcpy(address, name, len);
	memcpy(address + len, "@x.example", 11);
	qt_arena_init(&arena, 0);
	qt_buf_init(&out, 0);
	REQUIRE(qt_redactor_init(&r, level, &key, &msg, NULL, &arena, &err) == 0);
	qt_redact_text(&r, &out, text, n);
	REQUIRE(!out.failed);
	if (is_plain(name, len))
		check_gone(&out, name, len);
	qt_buf_clear(&out);
	qt_redact_address(&r, &out, address);
	qt_redact_user(&r, &out, text, n);
	qt_redact_subject(&r, &out, text, n);
	REQUIRE(!out.failed);
	while (qt_redact_next_address(text, n, &at, &local, &end))
		REQUIRE(local < end && end <= n && at <= n);
	qt_buf_release(&out);
	qt_arena_release(&arena);
}

/* ---- messages ---- */

#define NAME "zq7victim"

/* One byte of the input, as it is meant. */
static void plant(struct qt_buf *out, uint8_t c)
{
	if (c == 5)
		qt_buf_adds(out, NAME);
	else if (c > 6)
		qt_buf_addc(out, (char)c);
}

/* From 01 to 02, or 03 to 04; how much of the input that was. */
static size_t encoded(struct qt_buf *out, const uint8_t *p, size_t n)
{
	const bool base64 = p[0] == 1;
	struct qt_buf plain;
	size_t i, k, line = 0;

	qt_buf_init(&plain, 0);
	for (i = 1; i < n && p[i] != (base64 ? 2 : 4); i++) {
		if (p[i] == 6)
			line = plain.len;
		plant(&plain, p[i]);
	}
	if (base64) {
		struct qt_buf digits;

		qt_buf_init(&digits, 0);
		qt_base64(&digits, qt_buf_str(&plain), plain.len);
		line = line < digits.len ? line : 0;
		qt_buf_add(out, qt_buf_str(&digits), line);
		if (line != 0)
			qt_buf_addc(out, '\n');
		qt_buf_adds(out, qt_buf_str(&digits) + line);
		qt_buf_release(&digits);
	} else {
		for (k = 0; k < plain.len; k++)
			qt_buf_addf(out, "=%02X", (unsigned char)plain.data[k]);
	}
	qt_buf_release(&plain);
	return i < n ? i + 1 : n;
}

static void make_file(struct qfile *q, const uint8_t *p, size_t n)
{
	struct qt_buf mail;
	size_t i;

	qt_buf_init(&mail, 0);
	for (i = 0; i < n;) {
		if (p[i] == 1 || p[i] == 3)
			i += encoded(&mail, p + i, n - i);
		else
			plant(&mail, p[i++]);
	}
	qt_buf_addc(&mail, '\n');
	qfile_init(q);
	(void)qfile_size_record(q, 6);
	(void)qfile_recs(q, 'T', "1700000000 123456");
	(void)qfile_recs(q, 'S', "a@b.example");
	(void)qfile_recs(q, 'R', NAME "@x.example");
	qfile_message(q);
	qfile_text(q, qt_buf_str(&mail));
	qfile_extracted(q);
	qfile_end(q);
	qt_buf_release(&mail);
}

static void redact_file(const struct qt_spill *bytes, enum qt_redact level)
{
	struct qt_redact_key key = {{1}};
	struct qt_facts_file f;
	struct qt_redactor r;
	struct qt_error err;
	struct qt_spill out;
	struct qt_buf shown;

	REQUIRE(qt_facts_parse(&f, bytes, QT_Q_HOLD, &err) == 0);
	REQUIRE(qt_redactor_init(&r, level, &key, &f.msg, &f.headers, &f.arena,
		&err) == 0);
	qt_spill_init(&out, -1, (size_t)1 << 24);
	REQUIRE(qt_eml_write(&out, &f, &r, &err) == 0);
	qt_buf_init(&shown, 0);
	if (qt_spill_size(&out) != 0) {
		qt_buf_add(&shown, qt_spill_bytes(&out),
		    (size_t)qt_spill_size(&out));
		check_gone(&shown, NAME, sizeof NAME - 1);
		qt_buf_clear(&shown);
		mail_text(&shown, (const char *)qt_spill_bytes(&out),
		    (size_t)qt_spill_size(&out));
		check_gone(&shown, NAME, sizeof NAME - 1);
	}
	qt_buf_release(&shown);
	qt_spill_release(&out);
	qt_facts_file_release(&f);
}

static void redact_mail(const uint8_t *p, size_t n)
{
	struct qt_spill bytes;
	struct qfile q;

	make_file(&q, p, n);
	qt_spill_init(&bytes, -1, (size_t)1 << 24);
	qt_spill_borrow(&bytes, q.b.data, q.b.len);
	redact_file(&bytes, QT_REDACT_RECIPIENTS);
	redact_file(&bytes, QT_REDACT_FULL);
	qt_spill_clear(&bytes);
	qt_spill_release(&bytes);
	qfile_release(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *nl;
	size_t len, n;

	if (size > FUZZ_MAX)
		return 0;
	if (size > 6 && memcmp(text, "@mail\n", 6) == 0) {
		redact_mail(data + 6, size - 6);
		return 0;
	}
	nl = memchr(text, '\n', size);
	if (nl == NULL || memchr(text, 0, (size_t)(nl - text)) != NULL)
		return 0;
	len = (size_t)(nl - text);
	n = size - len - 1;
	redact(QT_REDACT_RECIPIENTS, text, len, nl + 1, n);
	redact(QT_REDACT_FULL, text, len, nl + 1, n);
	return 0;
}
