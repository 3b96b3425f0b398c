/*
 * decode.c - the only user of GMime in this layer.
 */
#include "query/decode.h"

#include <gmime/gmime.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "qtool/scan.h"

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

/* ---- bodies ---- */

/* A field of the header that says how to read the body; NULL none. */
static const struct qt_header *body_field(const struct qt_headers *h,
    const char *name)
{
	const struct qt_header *f = qt_headers_find(h, name);

	return f != NULL && f->value_len != 0 && f->value_len <= DECODE_MAX ?
	    f : NULL;
}

static bool begins(const struct qt_header *f, const char *word)
{
	size_t n = strlen(word);

	return f->value_len >= n && strncasecmp(f->value, word, n) == 0;
}

/* Whether a body is text as it stands. */
static bool is_plain(const struct qt_header *type,
    const struct qt_header *encoding)
{
	static const char utf8[] = "utf-8", ascii[] = "us-ascii";

	if (encoding != NULL && !begins(encoding, "7bit") &&
	    !begins(encoding, "8bit") && !begins(encoding, "binary"))
		return false;
	if (type == NULL)
		return true;
	if (!begins(type, "text/"))
		return false;
	return strcasestr(type->value, "charset") == NULL ||
	    strcasestr(type->value, utf8) != NULL ||
	    strcasestr(type->value, ascii) != NULL;
}

static void put_field(GMimeStream *s, const struct qt_header *f)
{
	if (f == NULL)
		return;
	(void)g_mime_stream_write(s, f->name, strlen(f->name));
	(void)g_mime_stream_write(s, ": ", 2);
	(void)g_mime_stream_write(s, f->value, f->value_len);
	(void)g_mime_stream_write(s, "\n", 1);
}

/* The two fields and the body as one stream; the body is not copied. */
static GMimeStream *join(const struct qt_header *type,
    const struct qt_header *encoding, const char *body, size_t len)
{
	GMimeStream *head = g_mime_stream_mem_new(), *text, *all;
	GByteArray *bytes;

	put_field(head, type);
	put_field(head, encoding);
	(void)g_mime_stream_write(head, "\n", 1);
	(void)g_mime_stream_reset(head);
	bytes = g_byte_array_new();
	g_byte_array_append(bytes, (const guint8 *)body, (guint)len);
	text = g_mime_stream_mem_new_with_byte_array(bytes);
	g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(text), TRUE);
	all = g_mime_stream_cat_new();
	(void)g_mime_stream_cat_add_source(GMIME_STREAM_CAT(all), head);
	(void)g_mime_stream_cat_add_source(GMIME_STREAM_CAT(all), text);
	g_object_unref(head);
	g_object_unref(text);
	return all;
}

static void put_part(struct qt_buf *out, GMimeObject *o)
{
	size_t len, room;
	char *s;

	if (!GMIME_IS_TEXT_PART(o) || out->len >= QT_ROW_BODY_MAX)
		return;
	s = g_mime_text_part_get_text(GMIME_TEXT_PART(o));
	if (s == NULL)
		return;
	len = strlen(s);
	room = QT_ROW_BODY_MAX - out->len;
	qt_buf_add(out, s, len < room ? len : room);
	if (len != 0 && s[len - 1] != '\n')
		qt_buf_addc(out, '\n');
	g_free(s);
}

static void put_parts(struct qt_buf *out, GMimeObject *top)
{
	GMimePartIter *iter;
	unsigned n = 0;

	if (!GMIME_IS_MULTIPART(top) && !GMIME_IS_MESSAGE_PART(top)) {
		put_part(out, top);
		return;
	}
	iter = g_mime_part_iter_new(top);
	do
		if (g_mime_part_iter_get_current(iter) != NULL)
			put_part(out, g_mime_part_iter_get_current(iter));
	while (++n < DECODE_PARTS_MAX && g_mime_part_iter_next(iter));
	g_mime_part_iter_free(iter);
}

bool decode_body(struct qt_buf *out, const struct qt_headers *h,
    const char *body, size_t len)
{
	const struct qt_header *type = body_field(h, "Content-Type"),
			       *encoding = body_field(h,
				   "Content-Transfer-Encoding");
	GMimeStream *stream;
	GMimeParser *parser;
	GMimeObject *top;

	if (len > QT_ROW_BODY_MAX || is_plain(type, encoding))
		return false;
	stream = join(type, encoding, body, len);
	parser = g_mime_parser_new_with_stream(stream);
	top = g_mime_parser_construct_part(parser, NULL);
	if (top != NULL) {
		put_parts(out, top);
		g_object_unref(top);
	}
	g_object_unref(parser);
	g_object_unref(stream);
	return true;
}
