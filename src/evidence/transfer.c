/*
 * transfer.c - transfer encodings, by the steps of GMime that have no state but
 * the caller's: so they can be taken in any thread, and before g_mime_init().
 */
#include "evidence/transfer.h"

#include <gmime/gmime-encodings.h>
#include <string.h>

#define PIECE 2048u

void qt_transfer_init(struct qt_transfer *t, enum qt_mime_code code)
{
	*t = (struct qt_transfer){.code = code};
}

void qt_transfer_decode(struct qt_transfer *t, struct qt_buf *out,
    const char *s, size_t len)
{
	unsigned char to[PIECE + 8]; /* never more than what it is made of */
	size_t n, got;

	if (t->code != QT_MIME_BASE64 && t->code != QT_MIME_QP) {
		qt_buf_add(out, s, len);
		return;
	}
	for (; len > 0; s += n, len -= n) {
		n = len < PIECE ? len : PIECE;
		got = t->code == QT_MIME_BASE64 ?
		    g_mime_encoding_base64_decode_step(
			(const unsigned char *)s, n, to, &t->state, &t->save) :
		    g_mime_encoding_quoted_decode_step(
			(const unsigned char *)s, n, to, &t->state, &t->save);
		qt_buf_add(out, to, got);
	}
}

void qt_transfer_encode(enum qt_mime_code code, struct qt_buf *out,
    const char *s, size_t len)
{
	GMimeEncoding enc;
	char to[4 * PIECE]; /* GMime's bound for a piece is checked below */
	size_t n, got;

	if (code != QT_MIME_BASE64 && code != QT_MIME_QP) {
		qt_buf_add(out, s, len);
		return;
	}
	g_mime_encoding_init_encode(&enc, code == QT_MIME_BASE64 ?
	    GMIME_CONTENT_ENCODING_BASE64 :
	    GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
	do {
		n = len < PIECE / 2 ? len : PIECE / 2;
		if (g_mime_encoding_outlen(&enc, n) > sizeof to) {
			out->failed = true;
			return;
		}
		len -= n;
		got = len == 0 ? g_mime_encoding_flush(&enc, s, n, to) :
		    g_mime_encoding_step(&enc, s, n, to);
		qt_buf_add(out, to, got);
		s += n;
	} while (len > 0);
}

/* ---- what is read alike by all ---- */

static bool hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') ||
	    (c >= 'a' && c <= 'f');
}

/* "=" and two digits, or, at the end of a line, nothing. */
static bool sure_qp(const char *s, size_t len)
{
	size_t i, n;

	for (i = 0; i < len; i++) {
		if (s[i] != '=')
			continue;
		if (i + 2 < len && hex(s[i + 1]) && hex(s[i + 2]))
			continue;
		for (n = i + 1; n < len && (s[n] == ' ' || s[n] == '\t' ||
			s[n] == '\r'); n++)
			;
		if (n >= len || s[n] != '\n')
			return false;
	}
	return true;
}

static bool sure_base64(const char *s, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i, n = 0, pads = 0;

	for (i = 0; i < len; i++) {
		if (s[i] == '\n' || s[i] == '\r')
			continue;
		if (s[i] == '=')
			pads++;
		else if (pads != 0 || s[i] == '\0' ||
		    strchr(digits, s[i]) == NULL)
			return false;
		else
			n++;
	}
	return pads < 3 && (n + pads) % 4 == 0;
}

bool qt_transfer_sure(enum qt_mime_code code, const char *s, size_t len)
{
	return code == QT_MIME_BASE64 ? sure_base64(s, len) :
	    code == QT_MIME_QP	      ? sure_qp(s, len) :
	    code == QT_MIME_PLAIN;
}
