/*
 * mime.c - headers and text decoded for reading, by gmime.
 *
 * This is the only part of the front end that looks inside a message's body.
 * It judges nothing: what Postfix would do never depends on it.
 */
#include "mime.h"

#include <gmime/gmime.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "qtool/escape.h"

#define PARTS_MAX 64 /* lines in the list of parts */

/* gmime and glib warn about hostile input on stderr: not their business. */
static void swallow(const gchar *domain, GLogLevelFlags level,
    const gchar *text, gpointer data)
{
	(void)domain, (void)level, (void)text, (void)data;
}

static void start(void)
{
	(void)g_log_set_default_handler(swallow, NULL);
	g_mime_init(); /* counts its calls */
}

int mime_header(struct qt_buf *out, const char *value, size_t len,
    struct qt_error *err)
{
	char *copy, *decoded;

	/* gmime takes a string: what follows a NUL is not decoded */
	copy = strndup(value, len);
	if (copy == NULL)
		return qt_fail_mem(err);
	start();
	decoded = g_mime_utils_header_decode_text(NULL, copy);
	qt_buf_adds(out, decoded != NULL ? decoded : copy);
	g_free(decoded);
	free(copy);
	return qt_buf_check(out, err);
}

/* ---- HTML ---- */

struct strip {
	struct qt_buf *out;
	const char *p, *end;
	bool space; /* white space is due before the next character */
	size_t lines; /* line ends in a row at the end of out */
};

static void text_char(struct strip *s, const char *bytes, size_t n)
{
	if (s->space && s->out->len != 0 && s->lines == 0)
		qt_buf_addc(s->out, ' ');
	s->space = false;
	s->lines = 0;
	qt_buf_add(s->out, bytes, n);
}

static void text_line(struct strip *s)
{
	s->space = false;
	if (s->out->len != 0 && s->lines++ < 2)
		qt_buf_addc(s->out, '\n');
}

static bool word_is(const char *tag, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(tag, word, len) == 0;
}

static bool ends_line(const char *tag, size_t len)
{
	static const char *const words[] = {"br", "p", "/p", "div", "/div", "tr",
	    "li", "/ul", "/ol", "/table", "h1", "/h1", "h2", "/h2", "h3", "/h3",
	    "hr", "blockquote", "/blockquote", "title", "/title"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (word_is(tag, len, words[i]))
			return true;
	return false;
}

/* Past the closing tag of script or style, or to the end. */
static void skip_element(struct strip *s, const char *name, size_t len)
{
	for (; s->p < s->end; s->p++)
		if ((size_t)(s->end - s->p) > len + 1 && s->p[0] == '<' &&
		    s->p[1] == '/' && strncasecmp(s->p + 2, name, len) == 0)
			return;
}

/* The target of <a href=...>: what the text of a link hides. */
static void link_target(struct strip *s, const char *tag, const char *close)
{
	const char *h = tag, *to;
	char quote;

	for (; close - h > 5 && strncasecmp(h, "href=", 5) != 0; h++)
		;
	if (close - h <= 5)
		return;
	h += 5;
	quote = *h == '"' || *h == '\'' ? *h++ : ' ';
	to = memchr(h, quote, (size_t)(close - h));
	if (to == NULL)
		to = close;
	s->space = true;
	text_char(s, "[", 1);
	qt_buf_add(s->out, h, (size_t)(to - h));
	qt_buf_addc(s->out, ']');
	s->space = true;
}

/* s->p is behind the '<'. */
static void strip_tag(struct strip *s)
{
	const char *tag = s->p, *close;
	size_t len;

	if (s->end - tag >= 3 && memcmp(tag, "!--", 3) == 0) {
		close = memmem(tag, (size_t)(s->end - tag), "-->", 3);
		s->p = close != NULL ? close + 3 : s->end;
		return;
	}
	close = memchr(tag, '>', (size_t)(s->end - tag));
	if (close == NULL)
		close = s->end;
	for (len = 0; tag + len < close && strchr(" \t\r\n", tag[len]) == NULL;)
		len++;
	s->p = close < s->end ? close + 1 : s->end;
	if (word_is(tag, len, "script") || word_is(tag, len, "style"))
		skip_element(s, tag, len);
	else if (ends_line(tag, len))
		text_line(s);
	else if (word_is(tag, len, "a"))
		link_target(s, tag, close);
	else if (word_is(tag, len, "td") || word_is(tag, len, "th"))
		s->space = true;
}

static size_t put_utf8(char out[4], unsigned long cp)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

/* A character reference at s->p ("&...;"); false: it is none. */
static bool reference(struct strip *s)
{
	static const struct {
		const char *name, *text;
	} named[] = {{"amp;", "&"}, {"lt;", "<"}, {"gt;", ">"},
	    {"quot;", "\""}, {"apos;", "'"}, {"nbsp;", " "}};
	const char *p = s->p + 1;
	char digits[10], utf8[4];
	unsigned long cp;
	size_t i, n;

	for (i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		n = strlen(named[i].name);
		if ((size_t)(s->end - p) >= n && memcmp(p, named[i].name, n) == 0) {
			text_char(s, named[i].text, 1);
			s->p = p + n;
			return true;
		}
	}
	if (p == s->end || *p != '#')
		return false;
	p++;
	for (n = 0; n < sizeof(digits) - 1 && p + n < s->end && p[n] != ';'; n++)
		digits[n] = p[n];
	if (p + n >= s->end || p[n] != ';' || n < 2)
		return false;
	digits[n] = '\0';
	cp = digits[0] == 'x' || digits[0] == 'X' ? strtoul(digits + 1, NULL, 16)
						  : strtoul(digits, NULL, 10);
	if (cp == 0 || cp > 0x10ffff)
		return false;
	text_char(s, utf8, put_utf8(utf8, cp));
	s->p = p + n + 1;
	return true;
}

void mime_strip_html(struct qt_buf *out, const char *html, size_t len)
{
	struct strip s = {.out = out, .p = html, .end = html + len, .lines = 1};

	while (s.p < s.end) {
		if (*s.p == '<') {
			s.p++;
			strip_tag(&s);
		} else if (strchr(" \t\r\n", *s.p) != NULL && *s.p != '\0') {
			s.space = true;
			s.p++;
		} else if (*s.p != '&' || !reference(&s)) {
			text_char(&s, s.p, 1);
			s.p++;
		}
	}
}

/* ---- parts ---- */

struct reading {
	GMimeTextPart *plain, *html; /* the first of each; borrowed */
	struct qt_buf *parts;
	unsigned n;
};

static void list_part(struct reading *r, GMimeObject *o)
{
	char *type = g_mime_content_type_get_mime_type(
	    g_mime_object_get_content_type(o));
	const char *name = NULL;

	if (GMIME_IS_PART(o))
		name = g_mime_part_get_filename(GMIME_PART(o));
	qt_buf_addf(r->parts, "%s%s%s\n", type != NULL ? type : "?",
	    name != NULL ? "  " : "", name != NULL ? name : "");
	g_free(type);
}

static void look_at_part(struct reading *r, GMimeObject *o)
{
	GMimeContentType *type = g_mime_object_get_content_type(o);

	if (GMIME_IS_MULTIPART(o))
		return;
	if (r->n++ < PARTS_MAX)
		list_part(r, o);
	if (!GMIME_IS_TEXT_PART(o) || g_mime_part_is_attachment(GMIME_PART(o)))
		return;
	if (r->plain == NULL && g_mime_content_type_is_type(type, "text", "plain"))
		r->plain = GMIME_TEXT_PART(o);
	else if (r->html == NULL &&
	    g_mime_content_type_is_type(type, "text", "html"))
		r->html = GMIME_TEXT_PART(o);
}

static void take_text(const struct reading *r, struct qt_buf *text)
{
	GMimeTextPart *part = r->plain != NULL ? r->plain : r->html;
	char *s;

	if (part == NULL)
		return;
	s = g_mime_text_part_get_text(part);
	if (s == NULL)
		return;
	if (r->plain != NULL)
		qt_buf_adds(text, s);
	else
		mime_strip_html(text, s, strlen(s));
	g_free(s);
}

static void read_message(GMimeMessage *m, struct qt_buf *text,
    struct qt_buf *parts)
{
	struct reading r = {.parts = parts};
	GMimePartIter *iter = g_mime_part_iter_new((GMimeObject *)m);
	GMimeObject *o;

	do {
		o = g_mime_part_iter_get_current(iter);
		if (o != NULL)
			look_at_part(&r, o);
	} while (g_mime_part_iter_next(iter));
	if (r.n < 2)
		qt_buf_clear(parts);
	else if (r.n > PARTS_MAX)
		qt_buf_addf(parts, "and %u more\n", r.n - PARTS_MAX);
	take_text(&r, text);
	g_mime_part_iter_free(iter);
}

int mime_text(struct qt_buf *text, struct qt_buf *parts, const char *eml,
    size_t len, struct qt_error *err)
{
	GMimeStream *stream;
	GMimeParser *parser;
	GMimeMessage *m;

	start();
	stream = g_mime_stream_mem_new_with_buffer(eml, len);
	parser = g_mime_parser_new_with_stream(stream);
	g_mime_parser_set_persist_stream(parser, FALSE);
	m = g_mime_parser_construct_message(parser, NULL);
	if (m != NULL) {
		read_message(m, text, parts);
		g_object_unref(m);
	}
	g_object_unref(parser);
	g_object_unref(stream);
	if (qt_buf_check(text, err) != 0)
		return -1;
	return qt_buf_check(parts, err);
}
