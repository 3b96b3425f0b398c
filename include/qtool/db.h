/*
 * db.h - the queue as SQL tables (qtool-sql.7), read-only.
 *
 * A database holds no data: its tables are virtual, over a list of spools that
 * is scanned when a query runs, and over snapshots.  User SQL passes an authorizer that allows
 * SELECT over qtool's tables and nothing else.
 */
#ifndef QTOOL_DB_H
#define QTOOL_DB_H

#include "qtool/scan.h"

struct qt_db;
struct qt_stmt;

/* A snapshot (snapshot.h) that is open for reading. */
struct qt_snapfile {
	int fd;		  /* owned by whoever opened it */
	const char *name; /* borrowed: for messages */
};
/* The file is opened, and not read.  Links are followed. */
int qt_snapfile_open(struct qt_snapfile *f, const char *name,
    struct qt_error *err) QT_MUST_CHECK;
void qt_snapfile_close(struct qt_snapfile *f);

struct qt_db_opts {
	unsigned jobs;			/* as qt_scan_opts */
	const volatile sig_atomic_t *stop;	/* as qt_scan_opts */
	/* Called about every 1,000 rows read, in the caller's thread. */
	void (*progress)(void *ctx, const struct qt_scan_stats *stats);
	void *progress_ctx;
	int64_t now;			/* for age(); 0: the clock */
	/* Their rows follow those of the spools; borrowed. */
	const struct qt_snapfile *snapshots;
	size_t nsnapshots;
};

/*
 * The spools are borrowed.  QT_E_STATE: a snapshot is damaged, or has other
 * things in it than one has.
 */
int qt_db_open(struct qt_db **out, const struct qt_spools *spools,
    const struct qt_db_opts *opts, struct qt_error *err) QT_MUST_CHECK;
void qt_db_close(struct qt_db *db);
/* Whether messages.body may be asked for: not all snapshots have it, and those
 * that have not refuse. */
bool qt_db_tells_body(const struct qt_db *db);
/* The sum over all scans since open. */
const struct qt_scan_stats *qt_db_stats(const struct qt_db *db);
/* Count from here on: what was read before is read once more. */
void qt_db_forget_stats(struct qt_db *db);

/* A bound parameter. */
enum qt_bind_type { QT_BIND_TEXT, QT_BIND_INT };
struct qt_bind {
	enum qt_bind_type type;
	const char *text; /* borrowed until the statement is closed */
	int64_t i;
};

/*
 * From the next statement on, until picks is NULL, the tables are of these
 * files alone, in their order, and each row has what work.want says beside what
 * its columns take.  hook is run for each once it is loaded, in the scan's threads,
 * and may put into row.extra what it makes in the row's arena (not 0: out of
 * memory).  The picks are borrowed, and used up by one statement.
 */
struct qt_picks;
typedef int qt_row_hook(struct qt_row *row, void *ctx);
struct qt_row_work {
	unsigned want;
	bool whole; /* what qt_snapshot_add() takes of it is worked out, too */
	bool line;  /* likewise what qt_db_row_line() tells */
	qt_row_hook *hook;	  /* NULL none */
	void (*drain)(void *ctx); /* rows that were taken are no more: called
				   * before they go with the scan; NULL none */
	void *ctx;
};
void qt_db_pick(struct qt_db *db, struct qt_picks *picks,
    const struct qt_row_work *work); /* copied; NULL: none */
/*
 * The message that the last step of a statement over one table came to; NULL
 * none.  Only of a statement that neither sorts nor groups; valid until the
 * next step.
 */
struct qt_row *qt_db_row(const struct qt_db *db);
/*
 * Append the line of a row that was worked out for it (work.line): its columns
 * that are not hidden, but path, sha256, body, recipients and in_delivery, as one
 * JSON object without blanks.
 */
void qt_db_row_line(struct qt_buf *out, const struct qt_row *row);
/*
 * The same, out of the statement, whose columns are not to be read any more
 * before the next step: it is the caller's until it is given back, or drained.
 */
struct qt_row *qt_db_take(struct qt_db *db);
void qt_db_give(struct qt_db *db, struct qt_row *row);

/*
 * One statement.  QT_E_USAGE with SQLite's message (and offset) for bad SQL or
 * what the authorizer refused; QT_E_INTERRUPTED after stop was set.
 */
int qt_stmt_open(struct qt_stmt **out, struct qt_db *db, const char *sql,
    const struct qt_bind *binds, size_t nbinds, struct qt_error *err)
    QT_MUST_CHECK;
int qt_stmt_step(struct qt_stmt *st, struct qt_error *err) QT_MUST_CHECK;
void qt_stmt_close(struct qt_stmt *st);

enum qt_coltype { QT_COL_NULL, QT_COL_INT, QT_COL_REAL, QT_COL_TEXT, QT_COL_BLOB };
int qt_stmt_ncol(const struct qt_stmt *st);
const char *qt_stmt_colname(const struct qt_stmt *st, int i);
/* Declared JSON (recipients, rcpt_domains) or a json function's result. */
bool qt_stmt_isjson(const struct qt_stmt *st, int i);
/* Declared BOOLEAN (forced_expire, in_delivery). */
bool qt_stmt_isbool(const struct qt_stmt *st, int i);
enum qt_coltype qt_stmt_type(const struct qt_stmt *st, int i);
int64_t qt_stmt_int(const struct qt_stmt *st, int i);
double qt_stmt_real(const struct qt_stmt *st, int i);
/* Bytes of a TEXT or BLOB, valid until the next step; never NULL. */
const char *qt_stmt_text(const struct qt_stmt *st, int i, size_t *len);

/*
 * The tables' columns, for --columns, help and the manual's test.  NULL after
 * the last.  Hidden columns can be named but are not in "*".
 */
struct qt_column {
	const char *name;
	const char *type; /* declared: TEXT, INTEGER, JSON, BOOLEAN, BLOB */
	unsigned want;	  /* QT_WANT_ bits it costs */
	bool hidden;
	const char *help; /* one line */
};
const struct qt_column *qt_db_columns(const char *table);
/*
 * The members of a message as JSON, postqueue -j's first: the name of member i
 * and the column that it is from; false when there is no such member.  The
 * hidden column as_json has them all.
 */
bool qt_db_json_member(size_t i, const char **name, const char **from);

#endif
