/*
 * output.h - rows to standard output in the format asked for, each value
 * escaped for it.  A write that fails is an error, not a shrug.
 */
#ifndef QTOOL_OUTPUT_H
#define QTOOL_OUTPUT_H

#include <stdio.h>

#include "qtool/buf.h"

enum qt_format {
	QT_FMT_TABLE, /* aligned, for reading */
	QT_FMT_JSON,  /* one array */
	QT_FMT_JSONL, /* one object a line */
	QT_FMT_CSV, QT_FMT_TSV, /* with a header line */
	QT_FMT_IDS, /* the first column, a line each; none for an empty one */
	QT_FMT_IDS0 /* the first column's raw bytes, NUL after each */
};
int qt_format_parse(const char *name, enum qt_format *fmt,
    struct qt_error *err) QT_MUST_CHECK;

enum qt_align { QT_LEFT, QT_RIGHT };
struct qt_outcol {
	const char *name;
	enum qt_align align; /* in tables */
	unsigned max_width;  /* in tables; 0: as wide as needed */
};

struct qt_output;
/*
 * out is borrowed; cols are copied.  width: terminal columns, 0 not a terminal:
 * only with it long cells are cut to their max_width; color: SGR in table
 * headings.  Tables stream: widths come from the first 200 rows, but no
 * column is wider than 100 for one long cell; without a row there is no
 * heading either.  JSON objects are spaced as postqueue -j does, a
 * blank after ':' and ','.  SIGPIPE is to be ignored, and LC_CTYPE a UTF-8
 * locale; one large buffer (setvbuf) for out makes long lists faster.
 */
int qt_output_new(struct qt_output **o, FILE *out, enum qt_format fmt,
    const struct qt_outcol *cols, size_t ncols, unsigned width, bool color,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * One row: a call for each column in order, then end_row (QT_E_STATE when the
 * number of values is wrong).  Numbers align right in tables whatever their
 * column says.  NULL: "-" in tables, nothing in CSV, TSV and IDs.
 */
void qt_output_null(struct qt_output *o);
void qt_output_bool(struct qt_output *o, bool v);
void qt_output_int(struct qt_output *o, int64_t v);
void qt_output_real(struct qt_output *o, double v);
void qt_output_text(struct qt_output *o, const char *s, size_t len);
void qt_output_json(struct qt_output *o, const char *s, size_t len); /* as is */
/*
 * In tables human: 3.4M, and local time with the offset from UTC in the
 * heading.  Elsewhere the plain number.
 */
void qt_output_time(struct qt_output *o, int64_t seconds);
void qt_output_bytes(struct qt_output *o, int64_t bytes);
/*
 * The first failure, a write's among them (QT_E_SYS, EPIPE too), is reported
 * by every later end_row and by finish.
 */
int qt_output_end_row(struct qt_output *o, struct qt_error *err) QT_MUST_CHECK;
/* A whole row that is JSON already, in the JSON formats alone. */
int qt_output_object(struct qt_output *o, const char *s, size_t len,
    struct qt_error *err) QT_MUST_CHECK;
/* Flush; the errors of all writes so far. */
int qt_output_finish(struct qt_output *o, struct qt_error *err) QT_MUST_CHECK;
void qt_output_free(struct qt_output *o);

#endif
