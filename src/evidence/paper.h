/*
 * paper.h - a document for people, in one of two forms: Markdown (CommonMark
 * with GitHub's tables), which is read as text, too; or a page of HTML that
 * needs nothing but itself and can be printed.  The same calls make both.
 *
 *	struct qt_paper p;
 *
 *	qt_paper_begin(&p, b, html, "Title");
 *	qt_paper_heading(&p, 2, "Accounts");
 *	qt_paper_table(&p, "By messages", columns, 2);
 *	qt_paper_cell(&p, login, len);
 *	qt_paper_bar(&p, 20, 100);
 *	qt_paper_table_end(&p);
 *	if (qt_paper_end(&p, err) != 0)
 *
 * Whatever text it is given may be hostile: none of it becomes markup, and what
 * cannot be seen is written as for a terminal (qt_escape_cell).  A mail address
 * alone may be made a link by who shows the Markdown, to what is read there.
 *
 * Calls that add do not fail; qt_paper_end() tells whether one could not.
 */
#ifndef QTOOL_EVIDENCE_PAPER_H
#define QTOOL_EVIDENCE_PAPER_H

#include "qtool/buf.h"

enum qt_paper_kind {
	QT_PAPER_TEXT,	 /* broken into lines where it is too long */
	QT_PAPER_WORD,	 /* a time, a network: never broken */
	QT_PAPER_NUMBER, /* to the right */
	QT_PAPER_BAR	 /* a share, drawn */
};
struct qt_paper_column {
	const char *name;
	enum qt_paper_kind kind;
};

struct qt_paper {
	struct qt_buf *b;	/* the document; borrowed */
	bool html;
	bool rows;		/* among definitions */
	const struct qt_paper_column *col; /* of the table; borrowed */
	size_t cols;
	size_t cell;		/* the next one's number in the table */
	struct qt_buf cells;	/* Markdown: the table's, each with its NUL */
	struct qt_buf text;	/* scratch */
	struct qt_buf shown;	/* scratch: what can be seen of a text */
};

/* What is begun has to be ended.  The title is its first heading. */
void qt_paper_begin(struct qt_paper *p, struct qt_buf *b, bool html,
    const char *title);
/* Frees all but b.  QT_E_NOMEM: something did not find room. */
int qt_paper_end(struct qt_paper *p, struct qt_error *err) QT_MUST_CHECK;

void qt_paper_heading(struct qt_paper *p, unsigned level, const char *text);
void qt_paper_text(struct qt_paper *p, const char *text);
void qt_paper_textf(struct qt_paper *p, const char *fmt, ...) QT_PRINTF(2, 3);
/* A paragraph that somebody has to write: what is wanted. */
void qt_paper_missing(struct qt_paper *p, const char *what);

/* Definitions; those that follow each other are one list. */
void qt_paper_row(struct qt_paper *p, const char *label, const char *text);
void qt_paper_rowf(struct qt_paper *p, const char *label, const char *fmt, ...)
    QT_PRINTF(3, 4);

/*
 * A table: its cells one after the other, row by row.  The columns are borrowed
 * until its end.
 */
void qt_paper_table(struct qt_paper *p, const char *caption,
    const struct qt_paper_column *col, size_t n);
void qt_paper_cell(struct qt_paper *p, const char *text, size_t len);
void qt_paper_cells(struct qt_paper *p, const char *text);
/* part of whole; more than that, and 0 of 0, are drawn as all and none. */
void qt_paper_bar(struct qt_paper *p, uint64_t part, uint64_t whole);
void qt_paper_table_end(struct qt_paper *p);

#endif
