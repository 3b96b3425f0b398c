/*
 * escape.h - untrusted bytes made safe for the medium they go to.
 *
 * Mail, logs and file names are hostile.  Nothing of them reaches a terminal,
 * a JSON, CSV or HTML document but through one of these.
 */
#ifndef QTOOL_ESCAPE_H
#define QTOOL_ESCAPE_H

#include "qtool/buf.h"

/*
 * Length in bytes (1..4) of the well-formed UTF-8 sequence at s, and its code
 * point in *cp (may be NULL); 0 when the bytes are not one (RFC 3629: no
 * overlong forms, no surrogates, nothing above U+10FFFF).
 */
size_t qt_utf8_next(const char *s, size_t len, uint32_t *cp);

/* Whether all len bytes are ASCII or well-formed UTF-8. */
bool qt_utf8_valid(const char *s, size_t len);

/*
 * Whether a code point is drawn as nothing or moves what is drawn around it:
 * controls, bidi and zero-width formatting, separators, noncharacters.
 */
bool qt_codepoint_hidden(uint32_t cp);

/*
 * The text form used in tables and JSON: valid UTF-8 kept, every other byte
 * as \xHH.  Control characters are kept: the medium's escaper deals with them.
 */
void qt_escape_utf8(struct qt_buf *out, const char *s, size_t len);

/*
 * For a terminal or any human reader: controls (C0, DEL, C1), bidi and
 * zero-width formatting, line and paragraph separators and bad bytes become
 * \n \t \xHH or \u{HEX}; a backslash is doubled only when ambiguous (it
 * precedes n, t, x, u, another backslash or something that is escaped).
 */
void qt_escape_term(struct qt_buf *out, const char *s, size_t len);

/*
 * The same with every backslash left alone: for a cell of a table, whose text
 * has its bad bytes as \xHH already, and for a command to be copied, where
 * DOMAIN\tom has to stay the login it is.
 */
void qt_escape_cell(struct qt_buf *out, const char *s, size_t len);

/*
 * The inside of a JSON string (no quotes); bad bytes become \\xHH, and what a
 * terminal must not get \uHHHH.
 */
void qt_escape_json(struct qt_buf *out, const char *s, size_t len);
/* A JSON string with its quotes; NULL is null. */
void qt_json_string(struct qt_buf *out, const char *s);

/*
 * One CSV field, always quoted; formulas (= + - @ TAB CR LF first) guarded by
 * a '.  Controls other than TAB, CR and LF, and bad bytes, become \xHH.
 */
void qt_escape_csv(struct qt_buf *out, const char *s, size_t len);

/* One TSV field: TAB, LF, CR, backslash and other controls as \t \n \r \\ \xHH. */
void qt_escape_tsv(struct qt_buf *out, const char *s, size_t len);

/*
 * HTML text or quoted attribute value: & < > " ' as entities, controls (but TAB
 * and LF) and hidden code points as for a terminal.
 */
void qt_escape_html(struct qt_buf *out, const char *s, size_t len);

/*
 * Columns a terminal needs for s (wcwidth sums; escape it first).  LC_CTYPE
 * must be a UTF-8 locale for wide and combining characters to count right;
 * an unknown one counts 1.
 */
size_t qt_term_width(const char *s, size_t len);

#endif
