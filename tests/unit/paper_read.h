/*
 * paper_read.h - a paper read as people see it, in either form.
 *
 * Each reader knows only what a paper may be made of, and fails at anything
 * else: so whatever is read is also proven to be no more than text.
 */
#ifndef QTOOL_TEST_PAPER_READ_H
#define QTOOL_TEST_PAPER_READ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "evidence/paper.h"

/*
 * What is read: texts (of a cell, a paragraph, a label) each on a line that
 * begins with a sign: "=" a heading, "|" a cell, ":" a label, "-" other text.
 */
struct reading {
	struct qt_buf text;
	size_t rows; /* of all tables */
};

static void said(struct reading *r, char sign, struct qt_buf *text)
{
	const char *s = qt_buf_str(text);
	size_t n = text->len;

	while (n != 0 && *s == ' ')
		s++, n--;
	while (n != 0 && s[n - 1] == ' ')
		n--;
	if (n != 0 || sign == '|') {
		qt_buf_addc(&r->text, sign);
		qt_buf_add(&r->text, s, n);
		qt_buf_addc(&r->text, '\n');
	}
	qt_buf_clear(text);
}

/* ---- HTML: every element closed, and none but these ---- */

static const char *const elements[] = {"html", "head", "meta", "title", "style",
    "body", "main", "h1", "h2", "h3", "p", "mark", "dl", "div", "dt", "dd",
    "table", "caption", "thead", "tbody", "tr", "th", "td", "span"};
static const char *const attributes[] = {"lang", "xmlns", "charset",
    "http-equiv", "content", "name", "class", "role", "tabindex", "aria-label",
    "scope", "style"};

static bool among(const char *const *list, size_t n, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strlen(list[i]) == len && memcmp(list[i], s, len) == 0)
			return true;
	return false;
}

/* An entity's character. */
static const char *entity(const char *p, char *c)
{
	static const struct {
		const char *name;
		char c;
	} known[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'},
	    {"&quot;", '"'}, {"&#39;", '\''}};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(p, known[i].name, strlen(known[i].name)) == 0) {
			*c = known[i].c;
			return p + strlen(known[i].name);
		}
	fail_msg("a bare & at: %.40s", p);
	*c = '&';
	return p;
}

/* The attributes of an element up to its ">" or "/>". */
static const char *read_attributes(const char *p)
{
	const char *name;

	while (*p == ' ') {
		name = ++p;
		p += strcspn(p, "=> \"'<\n");
		if (!among(attributes, sizeof(attributes) / sizeof(attributes[0]),
			name, (size_t)(p - name)))
			fail_msg("an attribute that is none: %.40s", name);
		assert_memory_equal(p, "=\"", 2);
		p += 2;
		p += strcspn(p, "\"<>\n");
		assert_int_equal(*p, '"');
		p++;
	}
	return p;
}

struct html_state {
	const char *open[16];
	size_t len[16];
	size_t depth;
	size_t cells, columns; /* of this row; of the table's head */
};

static bool is(const struct html_state *s, const char *name)
{
	return s->depth != 0 && s->len[s->depth - 1] == strlen(name) &&
	    memcmp(s->open[s->depth - 1], name, strlen(name)) == 0;
}

static void closes(struct html_state *s, struct reading *r, struct qt_buf *text)
{
	if (is(s, "title") || is(s, "style"))
		qt_buf_clear(text);
	else if (is(s, "th") || is(s, "td"))
		said(r, '|', text), s->cells++;
	else if (is(s, "dt"))
		said(r, ':', text);
	else if (is(s, "h1") || is(s, "h2") || is(s, "h3"))
		said(r, '=', text);
	else if (is(s, "p") || is(s, "dd") || is(s, "caption"))
		said(r, '-', text);
	if (is(s, "tr")) {
		if (s->columns == 0)
			s->columns = s->cells;
		assert_int_equal(s->cells, s->columns);
		s->cells = 0;
		r->rows++;
	}
	if (is(s, "table"))
		s->columns = 0;
}

static const char *read_tag(struct html_state *s, const char *p,
    struct reading *r, struct qt_buf *text)
{
	const bool close = p[1] == '/';
	const char *name = p + 1 + close;
	const size_t len = strcspn(name, " />\n");

	if (!among(elements, sizeof(elements) / sizeof(elements[0]), name, len))
		fail_msg("an element that is none: %.40s", p);
	p = name + len;
	if (close) {
		if (s->depth == 0 || s->len[s->depth - 1] != len ||
		    memcmp(s->open[s->depth - 1], name, len) != 0)
			fail_msg("not what is open: %.40s", name);
		closes(s, r, text);
		s->depth--;
	} else {
		p = read_attributes(p);
		if (*p == '/') {
			p++;
		} else {
			assert_true(s->depth < 16);
			s->open[s->depth] = name;
			s->len[s->depth++] = len;
		}
	}
	assert_int_equal(*p, '>');
	return p + 1;
}

static inline void read_html(struct reading *r, const char *p)
{
	struct html_state s = {.depth = 0};
	struct qt_buf text;
	char c;

	qt_buf_init(&text, 0);
	assert_memory_equal(p, "<!DOCTYPE html>\n", 16);
	for (p += 16; *p != '\0';) {
		if (*p == '<') {
			p = read_tag(&s, p, r, &text);
		} else if (*p == '&') {
			p = entity(p, &c);
			qt_buf_addc(&text, c);
		} else {
			/* of lines the page has its own alone */
			if (*p == '\n' && !is(&s, "style"))
				assert_true(strchr("<\0", p[1]) != NULL);
			if (*p != '\n')
				qt_buf_addc(&text, *p);
			p++;
		}
	}
	assert_int_equal(s.depth, 0);
	assert_int_equal(text.len, 0);
	qt_buf_release(&text);
}

/* ---- Markdown: nothing of it within text ---- */

/* Text up to the end or to one of stop, without its backslashes. */
static const char *read_inline(const char *p, const char *end, const char *stop,
    struct qt_buf *text)
{
	for (; p < end; p++) {
		if (strchr(stop, *p) != NULL)
			return p;
		if (*p == '\\') {
			assert_true(p + 1 < end && ispunct((unsigned char)p[1]));
			qt_buf_addc(text, *++p);
			continue;
		}
		if (strchr("`*_[]<>#&|~$", *p) != NULL ||
		    strncmp(p, "://", 3) == 0 || strncasecmp(p, "www.", 4) == 0)
			fail_msg("markup: %.40s", p);
		if ((unsigned char)*p == 0xe2 && (unsigned char)p[1] == 0x96) {
			p += 2; /* a block of a bar */
			continue;
		}
		qt_buf_addc(text, *p);
	}
	return p;
}

/* A line of a table, whose second one is the rule below its head. */
static void read_row(struct reading *r, const char *p, const char *end,
    size_t line, size_t *columns, struct qt_buf *text)
{
	size_t n = 0;

	if (line == 2) {
		assert_int_equal(strspn(p, "|:- "), end - p);
		return;
	}
	for (p++; p < end; p++, n++) {
		p = read_inline(p, end, "|", text);
		assert_true(p < end);
		said(r, '|', text);
	}
	if (line == 1)
		*columns = n;
	assert_int_equal(n, *columns);
	r->rows++;
}

/* The start of a line that would be something else than text. */
static void plain_start(const char *p)
{
	size_t digits = strspn(p, "0123456789");

	assert_true(strchr("-+=#> \t", *p) == NULL);
	assert_false(digits != 0 && strchr(".)", p[digits]) != NULL);
}

static inline void read_markdown(struct reading *r, const char *p)
{
	struct qt_buf text;
	size_t line = 0, columns = 0;
	const char *end;
	bool item = false;

	qt_buf_init(&text, 0);
	for (; *p != '\0'; p = end + 1) {
		end = strchr(p, '\n');
		assert_non_null(end);
		if (*p != '|')
			line = 0;
		if (*p == '|') {
			read_row(r, p, end, ++line, &columns, &text);
		} else if (p == end) {
			said(r, '-', &text);
			item = false;
		} else if (*p == '#') {
			p += strspn(p, "#");
			assert_int_equal(*p, ' ');
			(void)read_inline(p, end, "", &text);
			said(r, '=', &text);
		} else if (strncmp(p, "- **", 4) == 0) {
			said(r, '-', &text);
			p = read_inline(p + 4, end, "*", &text);
			assert_memory_equal(p, "**:", 3);
			said(r, ':', &text);
			(void)read_inline(p + 3, end, "", &text);
			item = true;
		} else {
			if (item)
				assert_memory_equal(p, "  ", 2), p += 2;
			if (strncmp(p, "**\\[to be", 9) == 0)
				p += 2;
			else
				plain_start(p);
			if (text.len != 0)
				qt_buf_addc(&text, ' ');
			p = read_inline(p, end, "*", &text);
			assert_true(p == end || strncmp(p, "**\n", 3) == 0);
		}
	}
	said(r, '-', &text);
	qt_buf_release(&text);
}

#endif
