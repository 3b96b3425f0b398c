/*
 * paper.c - a document in Markdown or HTML.
 *
 * A text goes through two hands: what cannot be seen is made visible, then what
 * has a meaning in the form is made to have none.  The HTML is XML as well, so
 * that strict readers take it.  A table in Markdown is kept until its end: its
 * columns are as wide as their cells, for who reads it as text.
 */
#include "evidence/paper.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "qtool/escape.h"

#define WIDTH 78     /* of a line in Markdown */
#define CELL_PAD 44  /* a longer cell does not make its column wider */
#define BAR 20	     /* blocks of a whole bar in Markdown */

static const char head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
    "<meta charset=\"utf-8\"/>\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
    "'none'; style-src 'unsafe-inline'\"/>\n"
    "<meta name=\"referrer\" content=\"no-referrer\"/>\n"
    "<meta name=\"viewport\" content=\"width=device-width, "
    "initial-scale=1\"/>\n"
    /* an address is not a telephone's number */
    "<meta name=\"format-detection\" content=\"telephone=no\"/>\n";

/* Neither < nor & may be in it: it is XML, too. */
static const char style[] =
    "<style>\n"
    ":root{color-scheme:light dark;--ink:#1b1e23;--dim:#59616d;"
    "--paper:#fff;--line:#d4d8de;--stripe:#f5f6f8;--bar:#3a6db3;"
    "--gap:#fff1b8}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--ink:#e3e6eb;"
    "--dim:#9ca5b2;--paper:#15171b;--line:#363c46;--stripe:#1d2026;"
    "--bar:#6c9ddd;--gap:#5c4b08}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;padding:1.5rem 1rem 3rem;max-width:76rem;"
    "background:var(--paper);color:var(--ink);"
    "font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:0 0 1rem}\n"
    "h2{font-size:1.25rem;margin:2.2rem 0 .6rem;padding-top:.6rem;"
    "border-top:1px solid var(--line)}\n"
    "h3{font-size:1rem;margin:1.2rem 0 .3rem}\n"
    "h1,h2,h3{break-after:avoid}\n"
    "p{margin:.5rem 0;max-width:46rem}\n"
    "mark{background:var(--gap);color:inherit;padding:.1em .35em}\n"
    "dl{margin:.5rem 0}\n"
    "dl div{display:grid;grid-template-columns:11rem 1fr;gap:0 1rem;"
    "padding:.2rem 0;border-bottom:1px solid var(--line);"
    "break-inside:avoid}\n"
    "dl div:last-child{border-bottom:0}\n"
    "dt{color:var(--dim)}\n"
    "dd{margin:0}\n"
    ".t{overflow-x:auto;margin:.6rem 0}\n"
    "table{border-collapse:collapse;width:100%;font-size:.875rem;"
    "line-height:1.35;font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;color:var(--dim);padding:0 0 .3rem}\n"
    "th,td{text-align:left;vertical-align:top;padding:.25rem .6rem;"
    "border-bottom:1px solid var(--line);font-weight:400;min-width:9rem}\n"
    "thead{display:table-header-group}\n"
    "thead th{color:var(--dim);vertical-align:bottom;"
    "border-bottom:2px solid var(--line);overflow-wrap:normal}\n"
    "tbody tr:nth-child(even){background:var(--stripe)}\n"
    "tr{break-inside:avoid}\n"
    "th:first-child{padding-left:.2rem}\n"
    ".w,.n{white-space:nowrap;overflow-wrap:normal;min-width:0;width:1%}\n"
    ".n{text-align:right}\n"
    "tbody th{min-width:14rem}\n"
    "tbody .w{min-width:0}\n"
    ".b{width:22%;min-width:5rem}\n"
    ".b span{display:block;height:.75em;margin-top:.25em;min-width:2px;"
    "background:var(--bar);"
    "print-color-adjust:exact;-webkit-print-color-adjust:exact}\n"
    "@media (max-width:36rem){dl div{display:block}}\n"
    "@media print{body{padding:0;max-width:none;font-size:10pt}"
    "table{font-size:7.5pt}th,td{padding:.15rem .3rem;min-width:9em}"
    "tbody th{min-width:13em}"
    ".b{min-width:3em;width:12%}.w,.n{min-width:0}"
    ".t{overflow:visible}"
    "tbody tr:nth-child(even){background:none}}\n"
    "@page{margin:14mm}\n"
    "</style>\n";

/* ---- text ---- */

/*
 * Every sign that can begin or end markup within a line.  An address of the web
 * would become a link without any: its sign in the middle is taken from it.
 */
static void add_markdown(struct qt_buf *out, const char *s)
{
	const char *p;

	for (p = s; *p != '\0'; p++) {
		if (strchr("\\`*_[]<>#|&~$", *p) != NULL ||
		    (*p == ':' && p[1] == '/') ||
		    (*p == '.' && p - s >= 3 &&
			strncasecmp(p - 3, "www", 3) == 0))
			qt_buf_addc(out, '\\');
		qt_buf_addc(out, *p);
	}
}

/*
 * Backslashes are left alone (qt_escape_cell, not _term): a login DOMAIN\tom is
 * searched for as it stands here.
 */
static void add_text(struct qt_paper *p, struct qt_buf *out, const char *s,
    size_t len)
{
	qt_buf_clear(&p->shown);
	qt_escape_cell(&p->shown, s, len);
	if (p->html)
		qt_escape_html(out, qt_buf_str(&p->shown), p->shown.len);
	else
		add_markdown(out, qt_buf_str(&p->shown));
}

/* Signs, not bytes. */
static size_t width(const char *s, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

/* A word that starts a line of Markdown, where - + = and 1. mean something. */
static void add_first_word(struct qt_buf *b, const char *s, size_t n)
{
	size_t digits = 0;

	while (digits < n && s[digits] >= '0' && s[digits] <= '9')
		digits++;
	if (n != 0 && strchr("-+=", *s) != NULL)
		qt_buf_addc(b, '\\');
	qt_buf_add(b, s, digits);
	if (digits != 0 && digits < n && strchr(".)", s[digits]) != NULL)
		qt_buf_addc(b, '\\');
	qt_buf_add(b, s + digits, n - digits);
}

/*
 * p->text in lines of Markdown.  column: where the first one begins, which is
 * not its start unless 0; the others are indented.
 */
static void fill(struct qt_paper *p, size_t column, size_t indent)
{
	const char *s = qt_buf_str(&p->text);
	bool start = column == 0;
	size_t n, w;

	while (*(s += strspn(s, " ")) != '\0') {
		n = strcspn(s, " ");
		w = width(s, n);
		if (!start && column + 1 + w > WIDTH) {
			qt_buf_addf(p->b, "\n%*s", (int)indent, "");
			column = indent;
			start = true;
		} else if (!start) {
			qt_buf_addc(p->b, ' ');
			column++;
		}
		if (start)
			add_first_word(p->b, s, n);
		else
			qt_buf_add(p->b, s, n);
		column += w;
		start = false;
		s += n;
	}
	qt_buf_addc(p->b, '\n');
}

/* ---- the whole ---- */

/* Something that is no definition begins. */
static void block(struct qt_paper *p)
{
	if (p->html && p->rows)
		qt_buf_adds(p->b, "</dl>\n");
	if (!p->html)
		qt_buf_addc(p->b, '\n');
	p->rows = false;
}

void qt_paper_begin(struct qt_paper *p, struct qt_buf *b, bool html,
    const char *title)
{
	*p = (struct qt_paper){.b = b, .html = html};
	qt_buf_init(&p->cells, b->max);
	qt_buf_init(&p->text, b->max);
	qt_buf_init(&p->shown, b->max);
	if (html) {
		qt_buf_adds(b, head);
		qt_buf_adds(b, "<title>");
		add_text(p, b, title, strlen(title));
		qt_buf_adds(b, "</title>\n");
		qt_buf_adds(b, style);
		qt_buf_adds(b, "</head>\n<body>\n<main>\n<h1>");
		add_text(p, b, title, strlen(title));
		qt_buf_adds(b, "</h1>\n");
		return;
	}
	qt_buf_adds(b, "# ");
	add_text(p, b, title, strlen(title));
	qt_buf_addc(b, '\n');
}

int qt_paper_end(struct qt_paper *p, struct qt_error *err)
{
	if (p->html && p->rows)
		qt_buf_adds(p->b, "</dl>\n");
	if (p->html)
		qt_buf_adds(p->b, "</main>\n</body>\n</html>\n");
	if (p->cells.failed || p->text.failed || p->shown.failed)
		p->b->failed = true;
	qt_buf_release(&p->cells);
	qt_buf_release(&p->text);
	qt_buf_release(&p->shown);
	return qt_buf_check(p->b, err);
}

/* ---- paragraphs ---- */

void qt_paper_heading(struct qt_paper *p, unsigned level, const char *text)
{
	block(p);
	if (p->html)
		qt_buf_addf(p->b, "<h%u>", level);
	else
		qt_buf_addf(p->b, "%.*s ", (int)level, "######");
	add_text(p, p->b, text, strlen(text));
	if (p->html)
		qt_buf_addf(p->b, "</h%u>", level);
	qt_buf_addc(p->b, '\n');
}

/* A paragraph of one text between two pieces of HTML or Markdown. */
static void paragraph(struct qt_paper *p, const char *text, const char *before,
    const char *after)
{
	block(p);
	qt_buf_clear(&p->text);
	qt_buf_adds(&p->text, before);
	add_text(p, &p->text, text, strlen(text));
	qt_buf_adds(&p->text, after);
	if (p->html)
		qt_buf_add(p->b, qt_buf_str(&p->text), p->text.len);
	else
		fill(p, 0, 0);
}

void qt_paper_text(struct qt_paper *p, const char *text)
{
	if (p->html)
		paragraph(p, text, "<p>", "</p>\n");
	else
		paragraph(p, text, "", "");
}

/* The text of a format; NULL, and the document has failed. */
static char *format(struct qt_paper *p, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
static char *format(struct qt_paper *p, const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) >= 0)
		return s;
	p->b->failed = true;
	return NULL;
}

void qt_paper_textf(struct qt_paper *p, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = format(p, fmt, ap);
	va_end(ap);
	if (s != NULL)
		qt_paper_text(p, s);
	free(s);
}

void qt_paper_missing(struct qt_paper *p, const char *what)
{
	if (p->html)
		paragraph(p, what, "<p><mark>[to be filled in: ",
		    "]</mark></p>\n");
	else
		paragraph(p, what, "**\\[to be filled in: ", "\\]**");
}

/* ---- definitions ---- */

void qt_paper_row(struct qt_paper *p, const char *label, const char *text)
{
	size_t column;

	if (!p->rows) {
		block(p);
		if (p->html)
			qt_buf_adds(p->b, "<dl>\n");
	}
	p->rows = true;
	qt_buf_clear(&p->text);
	add_text(p, &p->text, label, strlen(label));
	qt_buf_addf(p->b, p->html ? "<div><dt>%s</dt><dd>" : "- **%s**:",
	    qt_buf_str(&p->text));
	column = p->text.len + 7;
	qt_buf_clear(&p->text);
	add_text(p, &p->text, text, strlen(text));
	if (p->html)
		qt_buf_addf(p->b, "%s</dd></div>\n", qt_buf_str(&p->text));
	else
		fill(p, column, 2);
}

void qt_paper_rowf(struct qt_paper *p, const char *label, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = format(p, fmt, ap);
	va_end(ap);
	if (s != NULL)
		qt_paper_row(p, label, s);
	free(s);
}

/* ---- tables ---- */

/* "" or the class of a column's cells. */
static const char *class_of(const struct qt_paper_column *c)
{
	static const char *const classes[] = {[QT_PAPER_TEXT] = "",
	    [QT_PAPER_WORD] = " class=\"w\"", [QT_PAPER_NUMBER] = " class=\"n\"",
	    [QT_PAPER_BAR] = " class=\"b\""};

	return classes[c->kind];
}

void qt_paper_table(struct qt_paper *p, const char *caption,
    const struct qt_paper_column *col, size_t n)
{
	size_t i;

	p->col = col;
	p->cols = n;
	p->cell = 0;
	qt_buf_clear(&p->cells);
	if (!p->html) {
		qt_paper_text(p, caption);
		for (i = 0; i < n; i++) {
			add_text(p, &p->cells, col[i].name, strlen(col[i].name));
			qt_buf_addc(&p->cells, '\0');
		}
		return;
	}
	block(p);
	/* what can be scrolled can be reached without a mouse */
	qt_buf_adds(p->b, "<div class=\"t\" role=\"region\" tabindex=\"0\" "
	    "aria-label=\"");
	add_text(p, p->b, caption, strlen(caption));
	qt_buf_adds(p->b, "\">\n<table>\n<caption>");
	add_text(p, p->b, caption, strlen(caption));
	qt_buf_adds(p->b, "</caption>\n<thead><tr>");
	for (i = 0; i < n; i++) {
		qt_buf_addf(p->b, "<th scope=\"col\"%s>", class_of(&col[i]));
		add_text(p, p->b, col[i].name, strlen(col[i].name));
		qt_buf_adds(p->b, "</th>");
	}
	qt_buf_adds(p->b, "</tr></thead>\n<tbody>\n");
}

/* One cell, whose bytes are of the form already. */
static void add_cell(struct qt_paper *p, const char *s, size_t len)
{
	const size_t at = p->cell++ % p->cols;

	if (!p->html) {
		qt_buf_add(&p->cells, s, len);
		qt_buf_addc(&p->cells, '\0');
		return;
	}
	qt_buf_addf(p->b, at == 0 ? "<tr><th scope=\"row\"%s>" : "<td%s>",
	    class_of(&p->col[at]));
	qt_buf_add(p->b, s, len);
	qt_buf_adds(p->b, at == 0 ? "</th>" : "</td>");
	if (at + 1 == p->cols)
		qt_buf_adds(p->b, "</tr>\n");
}

void qt_paper_cell(struct qt_paper *p, const char *text, size_t len)
{
	qt_buf_clear(&p->text);
	add_text(p, &p->text, text, len);
	add_cell(p, qt_buf_str(&p->text), p->text.len);
}

void qt_paper_cells(struct qt_paper *p, const char *text)
{
	qt_paper_cell(p, text, strlen(text));
}

/* A bar of text: blocks, the last one in eighths. */
static void add_blocks(struct qt_buf *b, double share)
{
	static const char *const part[] = {"", "\u258f", "\u258e", "\u258d",
	    "\u258c", "\u258b", "\u258a", "\u2589"};
	unsigned i, n = (unsigned)(share * BAR * 8 + 0.5);

	if (n == 0)
		n = 1;
	for (i = 0; i < n / 8; i++)
		qt_buf_adds(b, "\u2588");
	qt_buf_adds(b, part[n % 8]);
}

void qt_paper_bar(struct qt_paper *p, uint64_t part, uint64_t whole)
{
	const double share = part >= whole ? 1 : (double)part / (double)whole;

	qt_buf_clear(&p->text);
	if (part != 0 && whole != 0 && p->html)
		qt_buf_addf(&p->text, "<span role=\"img\" "
		    "aria-label=\"%.0f%%\" style=\"width:%.1f%%\"></span>",
		    share * 100, share * 100);
	else if (part != 0 && whole != 0)
		add_blocks(&p->text, share);
	add_cell(p, qt_buf_str(&p->text), p->text.len);
}

/* How wide the columns of the kept cells are. */
static void measure(const struct qt_paper *p, size_t *wide)
{
	const char *s = qt_buf_str(&p->cells);
	const char *end = s + p->cells.len;
	size_t i, n, w;

	for (i = 0; i < p->cols; i++)
		wide[i] = 3; /* ":--" */
	for (i = 0; s < end; i++, s += n + 1) {
		n = strlen(s);
		w = width(s, n);
		if (w > CELL_PAD)
			w = CELL_PAD;
		if (w > wide[i % p->cols])
			wide[i % p->cols] = w;
	}
}

/* The line below the headings. */
static void rule(struct qt_paper *p, const size_t *wide)
{
	size_t i, k;
	bool right;

	for (i = 0; i < p->cols; i++) {
		right = p->col[i].kind == QT_PAPER_NUMBER;
		qt_buf_adds(p->b, right ? "| -" : "| :");
		for (k = 2; k < wide[i]; k++)
			qt_buf_addc(p->b, '-');
		qt_buf_adds(p->b, right ? ": " : "- ");
	}
	qt_buf_adds(p->b, "|\n");
}

static void put_cells(struct qt_paper *p, const size_t *wide)
{
	const char *s = qt_buf_str(&p->cells);
	const char *end = s + p->cells.len;
	size_t i, n, w, at;
	int pad;

	for (i = 0; s < end; i++, s += n + 1) {
		at = i % p->cols;
		n = strlen(s);
		w = width(s, n);
		pad = w < wide[at] ? (int)(wide[at] - w) : 0;
		if (p->col[at].kind == QT_PAPER_NUMBER)
			qt_buf_addf(p->b, "| %*s%s ", pad, "", s);
		else
			qt_buf_addf(p->b, "| %s%*s ", s, pad, "");
		if (at + 1 == p->cols)
			qt_buf_adds(p->b, "|\n");
		if (i + 1 == p->cols)
			rule(p, wide);
	}
}

void qt_paper_table_end(struct qt_paper *p)
{
	size_t *wide;

	while (p->cell % p->cols != 0)
		add_cell(p, "", 0);
	if (p->html) {
		qt_buf_adds(p->b, "</tbody>\n</table>\n</div>\n");
	} else if ((wide = calloc(p->cols, sizeof(*wide))) == NULL) {
		p->b->failed = true;
	} else {
		qt_buf_addc(p->b, '\n');
		measure(p, wide);
		put_cells(p, wide);
		free(wide);
	}
}
