/*
 * mail_text.h - what a mail program shows of a message, by GMime: every field
 * of every header decoded, every text part decoded, one after another.  Shares
 * no code with what takes names out.
 */
#ifndef TESTS_MAIL_TEXT_H
#define TESTS_MAIL_TEXT_H

#include <gmime/gmime.h>
#include <string.h>

#include "qtool/buf.h"

static inline void mail_headers(struct qt_buf *out, GMimeObject *o)
{
	GMimeHeaderList *list = g_mime_object_get_header_list(o);
	int i, n = g_mime_header_list_get_count(list);

	for (i = 0; i < n; i++) {
		GMimeHeader *h = g_mime_header_list_get_header_at(list, i);
		const char *raw = g_mime_header_get_raw_value(h);
		char *text = g_mime_utils_header_decode_text(NULL,
		    raw != NULL ? raw : "");

		qt_buf_adds(out, g_mime_header_get_name(h));
		qt_buf_adds(out, ": ");
		qt_buf_adds(out, text + strspn(text, " \t\n"));
		qt_buf_addc(out, '\n');
		g_free(text);
	}
}

static inline void mail_object(struct qt_buf *out, GMimeObject *o, int depth)
{
	GMimeDataWrapper *content;
	GMimeStream *to;
	GByteArray *bytes;
	char *text;
	int i;

	if (o == NULL || depth > 20)
		return;
	mail_headers(out, o);
	if (GMIME_IS_MULTIPART(o)) {
		for (i = 0; i < g_mime_multipart_get_count(GMIME_MULTIPART(o)); i++)
			mail_object(out, g_mime_multipart_get_part(
				GMIME_MULTIPART(o), i), depth + 1);
		return;
	}
	if (GMIME_IS_MESSAGE_PART(o)) {
		GMimeMessage *m = g_mime_message_part_get_message(
		    GMIME_MESSAGE_PART(o));

		if (m != NULL) {
			mail_headers(out, GMIME_OBJECT(m));
			mail_object(out, g_mime_message_get_mime_part(m),
			    depth + 1);
		}
		return;
	}
	if (GMIME_IS_TEXT_PART(o)) {
		text = g_mime_text_part_get_text(GMIME_TEXT_PART(o));
		qt_buf_adds(out, text != NULL ? text : "");
		g_free(text);
	}
	content = GMIME_IS_PART(o) ? g_mime_part_get_content(GMIME_PART(o)) :
				     NULL;
	if (content == NULL)
		return;
	to = g_mime_stream_mem_new();
	(void)g_mime_data_wrapper_write_to_stream(content, to);
	bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(to));
	qt_buf_addc(out, '\n');
	qt_buf_add(out, bytes->data, bytes->len);
	g_object_unref(to);
}

static inline void mail_quiet(const gchar *domain, GLogLevelFlags level,
    const gchar *text, gpointer data)
{
	(void)domain, (void)level, (void)text, (void)data;
}

/* Append it all. */
static inline void mail_text(struct qt_buf *out, const char *mail, size_t len)
{
	GMimeStream *s;
	GMimeParser *p;
	GMimeMessage *m;

	(void)g_log_set_default_handler(mail_quiet, NULL);
	g_mime_init();
	s = g_mime_stream_mem_new_with_buffer(mail, len);
	p = g_mime_parser_new_with_stream(s);
	m = g_mime_parser_construct_message(p, NULL);
	if (m != NULL) {
		mail_headers(out, GMIME_OBJECT(m));
		mail_object(out, g_mime_message_get_mime_part(m), 0);
		g_object_unref(m);
	}
	g_object_unref(p);
	g_object_unref(s);
}

#endif
