/*
 * decode.c - the only user of GMime in this layer.
 */
#include "query/decode.h"

#include <gmime/gmime.h>
#include <stdlib.h>
#include <string.h>

/* No header of a sane message is longer; decoding has its own buffers. */
#define DECODE_MAX ((size_t)64 << 10)

/* The library is silent: glib would tell stderr about hostile input. */
static void swallow(const gchar *domain, GLogLevelFlags level,
    const gchar *text, gpointer data)
{
	(void)domain;
	(void)level;
	(void)text;
	(void)data;
}

void decode_init(void)
{
	(void)g_log_set_default_handler(swallow, NULL);
	g_mime_init(); /* counts its calls */
}

void decode_words(struct qt_buf *out, const char *s, size_t len)
{
	char *copy, *text;

	if (len > DECODE_MAX || memmem(s, len, "=?", 2) == NULL ||
	    memchr(s, '\0', len) != NULL) {
		qt_buf_add(out, s, len);
		return;
	}
	copy = strndup(s, len);
	if (copy == NULL) {
		out->failed = true;
		return;
	}
	text = g_mime_utils_header_decode_text(NULL, copy);
	qt_buf_adds(out, text != NULL ? text : copy);
	g_free(text);
	free(copy);
}
