/*
 * snapshot.h - the tables as an ordinary SQLite database, to be queried
 * anywhere: messages, recipients, headers and, when asked for, records, with
 * all columns of qtool-sql.7, hidden ones too, and a table snapshot (name,
 * value) that tells what it was made with.  An evidence archive has one as
 * metadata/index.sqlite.
 * as_json and headers_text are not stored: who opens it with qtool has them.
 *
 * A row of recipients, headers and records has the row ID of its message times
 * 2^24, plus its own place among that message's rows, from 1.
 *
 * A writer takes messages one by one, each with all that is told of it, in one
 * pass over the queue.  The database is a file that is open already; half of one
 * is of no use, as there is no journal: after a failure it is to be thrown away.
 */
#ifndef QTOOL_SNAPSHOT_H
#define QTOOL_SNAPSHOT_H

#include "qtool/db.h"

struct qt_snapshot_opts {
	bool body;    /* messages.body too: else it is NULL */
	bool records; /* table records, which has all bytes of the mail */
	const char *selection; /* as it was asked for, for the reader; NULL */
	int64_t now;  /* when it is made; 0: not told, so that the same mail
		       * gives the same bytes */
};

struct qt_snapshot_counts {
	uint64_t messages; /* rows of each table */
	uint64_t recipients, headers, records;
};

struct qt_snapshot;
/* fd: an empty file, open for reading and writing; borrowed until free. */
int qt_snapshot_new(struct qt_snapshot **out, int fd,
    const struct qt_snapshot_opts *opts, struct qt_error *err) QT_MUST_CHECK;
void qt_snapshot_free(struct qt_snapshot *s);
/* QT_WANT_ bits that a row must have been loaded with. */
unsigned qt_snapshot_want(const struct qt_snapshot_opts *opts);
/*
 * A message with its recipients and headers, of a scan that had qt_snapshot_want()
 * and qt_row_work.whole.  The row's memory grows by what is worked out of it.
 */
int qt_snapshot_add(struct qt_snapshot *s, struct qt_row *row,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * Decode what of the row is encoded, in the thread that decodes for SQL: then
 * another may add it.
 */
int qt_snapshot_decode(struct qt_row *row, struct qt_error *err) QT_MUST_CHECK;
/*
 * All messages of a database for which the condition (over messages, as
 * qt_select_sql() makes it) holds.
 */
int qt_snapshot_copy(struct qt_snapshot *s, struct qt_db *db,
    const char *where, const struct qt_bind *binds, size_t nbinds,
    struct qt_error *err) QT_MUST_CHECK;
/* The database is complete then; what is left is to make the file durable. */
int qt_snapshot_finish(struct qt_snapshot *s,
    struct qt_snapshot_counts *counts, struct qt_error *err) QT_MUST_CHECK;

/*
 * A file that appears whole under its name, or not at all.  QT_E_REFUSED: there
 * is one of that name already.
 */
struct qt_newfile {
	int dirfd, fd;	   /* fd: write to it */
	char *name, *tmp;  /* owned; tmp NULL: it has its name */
	const char *path;  /* borrowed */
};
int qt_newfile_open(struct qt_newfile *f, const char *path,
    struct qt_error *err) QT_MUST_CHECK;
/* Durable, read-only for its owner, and visible. */
int qt_newfile_publish(struct qt_newfile *f, struct qt_error *err)
    QT_MUST_CHECK;
/* What was not published is removed. */
void qt_newfile_release(struct qt_newfile *f);

#endif
