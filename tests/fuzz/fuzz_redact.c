/*
 * fuzz_redact.c - a recipient's name is nowhere left as a word in text.
 *
 * Input: the local part of a recipient, a line feed, the text.
 */
#include "evidence/redact.h"
#include "fuzz/input.h"
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

	for (size_t i = 0; i + len <= b->len; i++)
		REQUIRE(strncasecmp(p + i, name, len) != 0 ||
		    (i > 0 && alnum(p[i - 1])) ||
		    (i + len < b->len && alnum(p[i + len])));
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *nl;
	size_t len, n;

	if (size > FUZZ_MAX)
		return 0;
	nl = memchr(text, '\n', size);
	if (nl == NULL || memchr(text, 0, (size_t)(nl - text)) != NULL)
		return 0;
	len = (size_t)(nl - text);
	n = size - len - 1;
	redact(QT_REDACT_RECIPIENTS, text, len, nl + 1, n);
	redact(QT_REDACT_FULL, text, len, nl + 1, n);
	return 0;
}
