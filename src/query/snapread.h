/*
 * snapread.h - the rows of snapshots for one cursor.
 *
 * A snapshot comes from a stranger.  It has a connection of its own, which user
 * SQL never sees: what it says is read by statements of ours, column by column,
 * and given on only as what the column is declared to be.
 */
#ifndef QUERY_SNAPREAD_H
#define QUERY_SNAPREAD_H

#include "query/fdvfs.h"
#include "query/query.h"

struct cursor;

struct snap {
	struct fdvfs vfs;
	sqlite3 *sql; /* owned */
	struct snaptext_cache *texts; /* owned */
	const char *name; /* borrowed: the file's */
	bool body, records; /* it was made with them */
};

/* A cursor's place in the snapshots. */
struct snapcur {
	bool begun;
	size_t at;	  /* the next snapshot */
	sqlite3_stmt *st; /* of the one before it, on a row; NULL none */
	int column[80];	  /* of each of the table's columns: which of st's;
			   * -1 none */
};

/* One; db is asked when to stop.  To be closed whatever comes of it. */
int snap_open(struct qt_db *db, struct snap *s, const struct qt_snapfile *file,
    struct qt_error *err) QT_MUST_CHECK;
void snap_close(struct snap *s);
int snap_open_all(struct qt_db *db, struct qt_error *err) QT_MUST_CHECK;
void snap_close_all(struct qt_db *db);

/* 0: on the next row; 1: no more; negative failure. */
int snapcur_next(struct cursor *c, struct qt_error *err) QT_MUST_CHECK;
void snapcur_close(struct snapcur *s);
void snapcur_column(struct cursor *c, sqlite3_context *ctx, int i);
sqlite3_int64 snapcur_rowid(const struct cursor *c);
/* Which snapshot it is on. */
struct snap *snapcur_snap(const struct cursor *c);
/* What a snapshot's statement says, as an error of ours. */
int snap_fail(const struct snap *s, struct qt_error *err);

/* ---- snapshot.c ---- */

#define SNAP_APPLICATION 0x71746f6c /* "qtol" */
#define SNAP_FORMAT 3

/*
 * A row of another table than messages has the row ID of its message times
 * this, plus its own place among the message's rows, from 1.
 */
#define SNAP_ROWS ((int64_t)1 << 24)

/* DV_ bits of what a snapshot stores of messages. */
unsigned snap_need(void);

#endif
