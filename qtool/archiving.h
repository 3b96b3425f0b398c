/*
 * archiving.h - what copying and moving mail into an archive share.
 */
#ifndef QTOOL_ARCHIVING_H
#define QTOOL_ARCHIVING_H

#include "qtool/archive.h"
#include "qtool/picks.h"

#include "cmd.h"

#define ARCHIVE_LOGS 100 /* files that --log may name */

/* The archive command's own options. */
struct archiving {
	const char *file;    /* --output; NULL: not given */
	char *named;	     /* owned: file, where -o gave its directory */
	const char *case_id; /* --case */
	const char *title, *organization, *contact, *keep_until;
	bool eml, showq;
	const char *logs[ARCHIVE_LOGS];
	size_t nlogs;
	enum qt_redact redact;
	const char *redact_key, *sign, *sign_with;
	char sign_program[33]; /* of sign_with */
	bool timestamp, no_index, sha512;
	bool json;	     /* --json: the report as an object */
	bool move, purge;
	unsigned purge_rate;
};

/* ---- archive.c ---- */

/*
 * Before this process gives up its rights: what needs programs to be run, or
 * to be read where it may not look later.
 */
int archive_prepare(struct ctx *c, struct qt_error *err) QT_MUST_CHECK;

/* ---- archive_open.c ---- */

int archive_open(struct ctx *c, struct archiving *own,
    struct qt_archive **a, struct qt_error *err) QT_MUST_CHECK;
/*
 * No archive was made.  An interruption and a reader that went away are
 * failures here: half an archive is none.
 */
int archive_give_up(const struct qt_error *err);

/* ---- archive_report.c ---- */

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
int archive_move(struct ctx *c, struct archiving *own);

#endif
