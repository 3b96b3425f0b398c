/*
 * query.h - what the files of this layer share: the database object, and the
 * helpers that put text into SQLite.
 *
 * All of SQLite runs in the caller's thread.  The scanner's workers see
 * derive.c (and what it calls: domain.c, address.c, report.c) only.
 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include <sqlite3.h>

#include "qtool/db.h"
#include "query/domain.h"

struct snap;
struct cursor;

struct feed;

struct qt_db {
	sqlite3 *sql;
	struct snap *snap; /* the snapshots; owned, nsnap of them */
	size_t nsnap;
	unsigned also_want, also_need; /* QT_WANT_ and DV_ bits for messages
					* beyond its columns */
	struct cursor *current; /* of messages, whose rowid was asked for last */
	const struct qt_spools *spools; /* borrowed */
	struct qt_db_opts opts;
	struct qt_scan_stats stats; /* of finished scans, and on qt_db_stats()
				     * of running ones */
	struct qt_scan_stats closed; /* of finished scans alone */
	int64_t now;		 /* what age() counts from */
	bool now_fixed;		 /* the caller gave it */
	struct qt_error err;	 /* a scan's or function's own error: said
				  * instead of SQLite's text for it */
	bool have_err;
	struct qt_picks *picks;	 /* borrowed; NULL: the queues are walked */
	struct qt_row_work work; /* on rows of picks */
	struct feed *feed;	 /* that row is of */
	struct qt_row *row;	 /* the last one a cursor came to */
	int64_t stop_seen;	 /* monotonic ns when stop was first seen; 0 */
	uint64_t sip_key[2];	 /* random: hostile values cannot collide */
	struct known_orgs orgs;
	struct qt_arena scratch; /* of one function call */
	struct qt_buf text;	 /* of one put_text() */
};

/* ---- db.c ---- */

#define DB_PROGRESS_OPS 5000 /* SQLite instructions between looks at stop */
/* SQLite's own ceilings, and what is switched off. */
void db_set_limits(sqlite3 *sql);
/* For sqlite3_progress_handler(); ctx is the database. */
int db_on_progress(void *ctx);

/* ---- value.c ---- */

/*
 * Hand text to SQLite as the tables have it: valid UTF-8, other bytes and NUL
 * as \xHH.  NULL is NULL.  The text is copied: SQLite keeps values of a row
 * (min(), bare columns of an aggregate) after the row was given back, so
 * pointing into it would not do.
 */
void put_text(struct qt_db *db, sqlite3_context *ctx, const char *s);
void put_bytes(struct qt_db *db, sqlite3_context *ctx, const char *s,
    size_t len);
/* A string constant. */
void put_const(sqlite3_context *ctx, const char *s);
/* JSON text that derive.c built (valid UTF-8, no NUL). */
void put_json(sqlite3_context *ctx, const char *s);
/* Any of a table's cells. */
struct cell;
void put_cell(struct qt_db *db, sqlite3_context *ctx, const struct cell *v);
/*
 * A cell that is text of any kind, as the tables have it; valid until db->text
 * or the cell changes.  false: it is too long.
 */
bool cell_text(struct qt_db *db, const struct cell *v, const char **s,
    size_t *len);
/* err becomes the statement's error: the function or column fails. */
void put_error(struct qt_db *db, sqlite3_context *ctx,
    const struct qt_error *err);
/* The same text as put_bytes() makes, appended to out. */
void text_form(struct qt_buf *out, const char *s, size_t len);

/* ---- functions.c, authorizer.c ---- */

int functions_register(struct qt_db *db);
int functions_list_register(struct qt_db *db); /* those over JSON arrays */
int count_unique_register(struct qt_db *db);
int authorizer_set(struct qt_db *db);

#endif
