/*
 * archiving.h - what copying and moving mail into an archive share.
 */
#ifndef QTOOL_ARCHIVING_H
#define QTOOL_ARCHIVING_H

#include "qtool/archive.h"
#include "qtool/picks.h"

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

/* The columns that a message is picked by. */
extern const char archive_keys[];
const char *archive_row_path(const struct qt_stmt *st);
/*
 * Pick a row of them.  id, found: what is told of it instead of what the row
 * says; NULL: that.
 */
int archive_pick(struct qt_picks *picks, const struct qt_stmt *st,
    const char *id, const char *found, struct qt_error *err) QT_MUST_CHECK;

/* What was picked, on its way into an archive. */
struct archive_pass {
	struct ctx *c;
	struct qt_archive *a;
	struct qt_db *db; /* on the picks' spool */
	struct qt_picks *picks;
	/* An item error of the message now; NULL: it ends the pass. */
	void (*failed)(struct archive_pass *p, const struct qt_error *err);
	const struct qt_pick *now;
	uint64_t seen, added;
};
/* Sort them and add them all. */
int archive_add_picks(struct archive_pass *p, struct qt_error *err)
    QT_MUST_CHECK;

/* ---- archive_move.c ---- */

/* archive --move; returns the exit status. */
int archive_move(struct ctx *c, const struct archiving *own);

#endif
