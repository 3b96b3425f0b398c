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
