/*
 * snapshot.h - the tables as an ordinary SQLite database, to be queried
 * anywhere: messages, recipients, headers and, when asked for, records, with
 * all columns of qtool-sql.7, hidden ones too, and a table snapshot (name,
 * value) that tells what it was made with.  An evidence archive has one as
 * metadata/index.sqlite.  They are views of tables stored_messages and so on,
 * which have what several of them say once.
 * as_json is in none of them: who opens it with qtool has it.
 *
 * A row of recipients, headers and records has as row_id that of its message
 * times 2^24, plus its own place among that message's rows, from 1.
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

/* ---- a snapshot against the messages that it should be of ---- */

enum qt_snapwhat {
	QT_SNAP_DAMAGED, /* the file: found says how */
	QT_SNAP_MISSING, /* a row is not in it */
	QT_SNAP_ADDED,	 /* a row is in it that belongs to no message */
	QT_SNAP_VALUE	 /* a value is not that of the message */
};
/* Borrowed for the call; text may be cut, and is not escaped. */
struct qt_snapflaw {
	enum qt_snapwhat what;
	const char *table, *column; /* NULL: the row, or the file */
	const char *queue, *id;	    /* of the message; NULL: the file, or a text
				     * that no row has */
	int64_t n;     /* the row's place among the message's, from 1; 0 it is
			* in messages; -1 it is of none of them, see rowid */
	int64_t rowid;
	const char *expected, *found; /* of a value */
};
struct qt_snapcheck_opts {
	void (*report)(void *ctx, const struct qt_snapflaw *flaw);
	void *report_ctx;
	const char *queue_dir; /* in all rows; NULL: the same in all */
	const volatile sig_atomic_t *stop;
};
/* What is known of a message beside its row. */
struct qt_snaptold {
	int locked; /* in_delivery, where it is not NULL; -1 not known */
};

struct qt_snapcheck;
/*
 * file is borrowed, so is what opts points to.  QT_E_STATE: it is damaged, or no
 * snapshot at all.
 */
int qt_snapcheck_new(struct qt_snapcheck **out,
    const struct qt_snapfile *file, const struct qt_snapcheck_opts *opts,
    struct qt_error *err) QT_MUST_CHECK;
void qt_snapcheck_free(struct qt_snapcheck *c);
/* A message, its row as for qt_snapshot_add(). */
int qt_snapcheck_row(struct qt_snapcheck *c, struct qt_row *row,
    const struct qt_snaptold *told, struct qt_error *err) QT_MUST_CHECK;
/* There are no more messages: what else is in it is told. */
int qt_snapcheck_finish(struct qt_snapcheck *c, struct qt_error *err)
    QT_MUST_CHECK;

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
