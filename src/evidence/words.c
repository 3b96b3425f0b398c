/*
 * words.c - encoded words: =?charset?B|Q?text?=
 */
#include "evidence/words.h"

#include <string.h>
#include <strings.h>

#include "evidence/base64.h"
#include "evidence/transfer.h"

#define ENCODED 45 /* bytes in one word: 60 characters of base64 */

/* The parts of the encoded word at s; its length, 0: it is none. */
static size_t split(const char *s, size_t len, const char *part[3],
    size_t n[3])
{
	size_t at = 2, i, from;

	for (i = 0; i < 3; i++) {
		from = at;
		while (at < len && s[at] != '?' && s[at] != '\n')
			at++;
		part[i] = s + from;
		n[i] = at - from;
		if (at == len || s[at] != '?')
			return 0;
		at++;
	}
	return at < len && s[at] == '=' && n[0] != 0 && n[1] == 1 ? at + 1 : 0;
}

/* "_" is a blank in Q. */
static void decode_q(struct qt_buf *out, const char *s, size_t len)
{
	struct qt_transfer t;
	size_t i, n;

	qt_transfer_init(&t, QT_MIME_QP);
	for (i = 0; i < len; i += n) {
		for (n = 0; i + n < len && s[i + n] != '_'; n++)
			;
		qt_transfer_decode(&t, out, s + i, n);
		if (i + n < len) {
			qt_buf_addc(out, ' ');
			n++;
		}
	}
}

static bool decode_one(struct qt_buf *out, const char *s, size_t len, char how)
{
	struct qt_transfer t;

	if (how == 'Q' || how == 'q') {
		if (!qt_transfer_sure(QT_MIME_QP, s, len))
			return false;
		decode_q(out, s, len);
		return true;
	}
	if ((how != 'B' && how != 'b') || !qt_transfer_sure(QT_MIME_BASE64, s, len))
		return false;
	qt_transfer_init(&t, QT_MIME_BASE64);
	qt_transfer_decode(&t, out, s, len);
	return true;
}

/* The charset of a word, which all words of a field have to have. */
static bool take_charset(char charset[32], const char *s, size_t len)
{
	const char *star = memchr(s, '*', len); /* a language: RFC 2231 */

	if (star != NULL)
		len = (size_t)(star - s);
	if (len >= 32 || !qt_mime_ascii_charset(s, len))
		return false;
	/* any other has the same letters */
	if (strncasecmp(s, "us-ascii", len) == 0)
		return true;
	if (charset[0] != '\0')
		return strlen(charset) == len &&
		    strncasecmp(charset, s, len) == 0;
	memcpy(charset, s, len);
	charset[len] = '\0';
	return true;
}

static size_t blanks(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && strchr(" \t\r\n", s[n]) != NULL && s[n] != '\0')
		n++;
	return n;
}

static bool decode(struct qt_buf *out, const char *s, size_t len,
    char charset[32])
{
	const char *part[3];
	size_t at = 0, n[3], word, between;

	while (at < len) {
		if (len - at < 2 || s[at] != '=' || s[at + 1] != '?') {
			qt_buf_addc(out, s[at++]);
			continue;
		}
		word = split(s + at, len - at, part, n);
		if (word == 0 || !take_charset(charset, part[0], n[0]) ||
		    !decode_one(out, part[2], n[2], part[1][0]))
			return false;
		at += word;
		between = blanks(s + at, len - at);
		/* those between two words are not there */
		if (at + between + 2 < len && s[at + between] == '=' &&
		    s[at + between + 1] == '?')
			at += between;
	}
	return true;
}

bool qt_words_decode(struct qt_buf *out, const char *s, size_t len,
    char charset[32])
{
	const size_t from = out->len;
	bool good;
	size_t i;

	charset[0] = '\0';
	good = decode(out, s, len, charset) && !out->failed;
	/* what was put together, or hidden twice */
	if (good && out->len != from &&
	    memmem(out->data + from, out->len - from, "=?", 2) != NULL)
		good = false;
	if (!good) {
		out->len = from;
		return false;
	}
	for (i = from; i < out->len; i++)
		if ((unsigned char)out->data[i] < ' ' || out->data[i] == 0x7f)
			out->data[i] = ' ';
	if (charset[0] == '\0')
		(void)strlcpy(charset, "utf-8", 32);
	return true;
}

/* ---- the other way ---- */

static bool ascii(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return true;
}

/* To the end of the word at s. */
static size_t word_end(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && s[n] != ' ')
		n++;
	return n;
}

/* Words that have no ASCII and follow each other, as one text. */
static size_t run(const char *s, size_t len)
{
	size_t n = word_end(s, len), next;

	while (n < len) {
		next = word_end(s + n + 1, len - n - 1);
		if (next == 0 || ascii(s + n + 1, next))
			break;
		n += 1 + next;
	}
	return n;
}

static void put(struct qt_buf *out, const char *s, size_t len,
    const char *charset)
{
	size_t n;

	for (; len > 0; s += n, len -= n) {
		n = len < ENCODED ? len : ENCODED;
		/* not in the middle of a character of UTF-8 */
		while (n < len && n > 1 && ((unsigned char)s[n] & 0xc0) == 0x80)
			n--;
		qt_buf_adds(out, "=?");
		qt_buf_adds(out, charset);
		qt_buf_adds(out, "?B?");
		qt_base64(out, s, n);
		qt_buf_adds(out, n < len ? "?= " : "?=");
	}
}

void qt_words_encode(struct qt_buf *out, const char *s, size_t len,
    const char *charset)
{
	size_t at = 0, n;

	while (at < len) {
		n = word_end(s + at, len - at);
		if (ascii(s + at, n)) {
			qt_buf_add(out, s + at, n);
		} else {
			n = run(s + at, len - at);
			put(out, s + at, n, charset);
		}
		at += n;
		if (at < len)
			qt_buf_addc(out, s[at++]);
	}
}
