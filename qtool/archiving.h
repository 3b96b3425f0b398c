/*
 * archiving.h - what copying and moving mail into an archive share.
 */
#ifndef QTOOL_ARCHIVING_H
#define QTOOL_ARCHIVING_H

#include "qtool/archive.h"

#include "cmd.h"

/* The archive command's own options. */
struct archiving {
	const char *file;    /* --output; NULL: not given */
	const char *case_id; /* --case */
	bool json;	     /* --json: the report as an object */
	bool move, purge;
	unsigned purge_rate;
};

/* ---- archive.c ---- */

int archive_open(const struct ctx *c, const struct archiving *own,
    struct qt_archive **a, struct qt_error *err) QT_MUST_CHECK;
/* What the finished archive is, and how to check it, for people. */
void archive_report(const struct ctx *c, const char *file,
    const struct qt_archive_counts *n, FILE *out);
/* The same as one JSON object. */
void archive_report_json(struct qt_buf *out, const char *file,
    const struct qt_archive_counts *n);

/* ---- archive_rows.c ---- */

/* What a row of messages must have, and in which order they come. */
int archive_columns(struct qt_buf *out, struct qt_error *err) QT_MUST_CHECK;
extern const char archive_order[];
/* Queue, ID and path of such a row, as the tables show them. */
const char *archive_row_queue(const struct qt_stmt *st);
const char *archive_row_id(const struct qt_stmt *st);
const char *archive_row_path(const struct qt_stmt *st);
/*
 * The row's message into the archive.  id and found: what is told of it
 * instead of what the row says; NULL: that.  json is space to work in.
 */
int archive_row(struct qt_archive *a, const struct qt_spool *spool,
    const struct qt_stmt *st, const char *id, const char *found,
    struct qt_buf *json, struct qt_error *err) QT_MUST_CHECK;

/* ---- archive_move.c ---- */

/* archive --move; returns the exit status. */
int archive_move(struct ctx *c, const struct archiving *own);

#endif
