/*
 * db.c - the connection: an empty SQLite database in memory whose only tables
 * are virtual, its limits, and statements over it.
 *
 * When the stop flag is set (Ctrl-C) a running scan ends early, and SQLite may
 * finish over what was read, so that a count of the part seen is still printed;
 * the statement then ends in QT_E_INTERRUPTED instead of "no more".  SQL that
 * goes on by itself for STOP_GRACE after that is broken off.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "qtool/group.h"
#include "query/as_json.h"
#include "query/columns.h"
#include "query/decode.h"
#include "query/query.h"
#include "query/vtab.h"

#define STOP_GRACE ((int64_t)2000000000) /* nanoseconds */
/* SQLite's own ceilings (sqlite3_limit): one value, the statement's text. */
#define VALUE_MAX (128 << 20)
#define SQL_MAX (1 << 20)

struct qt_stmt {
	struct qt_db *db;
	sqlite3_stmt *stmt;
	bool row; /* a row is current */
};

/* ---- the connection ---- */

static int lib_fail(sqlite3 *sql, int code, struct qt_error *err)
{
	if (code == SQLITE_NOMEM)
		return qt_fail_mem(err);
	return qt_fail(err, QT_E_LIBRARY, "sqlite", "%s",
	    sql != NULL ? sqlite3_errmsg(sql) : sqlite3_errstr(code));
}

static bool stopped(const struct qt_db *db)
{
	return db->opts.stop != NULL && *db->opts.stop != 0;
}

int db_on_progress(void *ctx)
{
	struct qt_db *db = ctx;
	struct timespec t;
	int64_t now;

	if (!stopped(db))
		return 0;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	if (db->stop_seen == 0)
		db->stop_seen = now;
	return now - db->stop_seen > STOP_GRACE;
}

void db_set_limits(sqlite3 *sql)
{
	static const struct {
		int id, value;
	} limits[] = {{SQLITE_LIMIT_LENGTH, VALUE_MAX},
	    {SQLITE_LIMIT_SQL_LENGTH, SQL_MAX}, {SQLITE_LIMIT_COLUMN, 256},
	    {SQLITE_LIMIT_EXPR_DEPTH, 1000},
	    {SQLITE_LIMIT_COMPOUND_SELECT, 100},
	    {SQLITE_LIMIT_VDBE_OP, 1000000}, {SQLITE_LIMIT_ATTACHED, 0},
	    {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
	    {SQLITE_LIMIT_TRIGGER_DEPTH, 1}, {SQLITE_LIMIT_WORKER_THREADS, 0}};
	size_t i;

	for (i = 0; i < sizeof limits / sizeof limits[0]; i++)
		(void)sqlite3_limit(sql, limits[i].id, limits[i].value);
	(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(sql, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0,
	    NULL);
}

/*
 * Where SQLite sorts what does not fit into memory.  Left alone it takes the
 * first directory that can be written, /var/tmp, and in the incident that qtool
 * is for /var is full: the one with more room is better.
 */
static void choose_temp_directory(void)
{
	static const char *const dirs[] = {"/var/tmp", "/tmp"};
	const char *best = NULL;
	struct statvfs v;
	uint64_t room = 0;
	size_t i;

	if (sqlite3_temp_directory != NULL || getenv("SQLITE_TMPDIR") != NULL ||
	    getenv("TMPDIR") != NULL)
		return;
	for (i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
		if (access(dirs[i], W_OK | X_OK) != 0 ||
		    statvfs(dirs[i], &v) != 0 ||
		    (uint64_t)v.f_bavail * v.f_frsize < room)
			continue;
		room = (uint64_t)v.f_bavail * v.f_frsize;
		best = dirs[i];
	}
	if (best != NULL)
		sqlite3_temp_directory = sqlite3_mprintf("%s", best);
}

/*
 * Tables that exist by themselves are made when a statement first names them,
 * which is a CREATE TABLE in the authorizer's eyes: so they are named here.
 */
static int connect_tables(struct qt_db *db)
{
	return sqlite3_exec(db->sql, "SELECT 1 FROM messages, recipients, "
	    "headers, records, json_each('[]'), json_tree('[]') WHERE 0", NULL,
	    NULL, NULL);
}

static int tables_register(struct qt_db *db)
{
	return vtab_register(db, "");
}

/* Everything on a fresh connection; the first SQLite code that is not OK. */
static int set_up(struct qt_db *db)
{
	/* sorting spills to a temporary file beyond these 16 MiB */
	static const char pragmas[] = "PRAGMA temp_store = FILE;"
	    "PRAGMA cache_size = -16384; PRAGMA trusted_schema = OFF;";
	int (*const steps[])(struct qt_db *) = {tables_register,
	    functions_register, functions_list_register, count_unique_register,
	    connect_tables, authorizer_set};
	size_t i;
	int r = sqlite3_exec(db->sql, pragmas, NULL, NULL, NULL);

	choose_temp_directory();
	for (i = 0; i < sizeof steps / sizeof steps[0] && r == SQLITE_OK; i++)
		r = steps[i](db);
	return r;
}

int qt_db_open(struct qt_db **out, const struct qt_spools *spools,
    const struct qt_db_opts *opts, struct qt_error *err)
{
	struct qt_db *db = calloc(1, sizeof *db);
	int r;

	if (db == NULL)
		return qt_fail_mem(err);
	db->spools = spools;
	db->opts = *opts;
	db->now = opts->now != 0 ? opts->now : (int64_t)time(NULL);
	db->now_fixed = opts->now != 0;
	qt_arena_init(&db->scratch, 0);
	qt_buf_init(&db->text, 0);
	decode_init();
	if (getrandom(db->sip_key, sizeof db->sip_key, 0) !=
	    (ssize_t)sizeof db->sip_key) {
		(void)qt_fail_sys(err, "getrandom", "");
		qt_db_close(db);
		return -1;
	}
	r = sqlite3_open_v2(":memory:", &db->sql, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_MEMORY, NULL);
	if (r == SQLITE_OK) {
		db_set_limits(db->sql);
		r = set_up(db);
	}
	if (r != SQLITE_OK) {
		(void)lib_fail(db->sql, r, err);
		qt_db_close(db);
		return -1;
	}
	sqlite3_progress_handler(db->sql, DB_PROGRESS_OPS, db_on_progress, db);
	if (snap_open_all(db, err) != 0) {
		qt_db_close(db);
		return -1;
	}
	*out = db;
	return 0;
}

void qt_db_close(struct qt_db *db)
{
	if (db == NULL)
		return;
	(void)sqlite3_close_v2(db->sql);
	snap_close_all(db);
	qt_arena_release(&db->scratch);
	qt_buf_release(&db->text);
	free(db);
}

bool qt_db_tells_body(const struct qt_db *db)
{
	size_t i;

	for (i = 0; i < db->nsnap; i++)
		if (!db->snap[i].body)
			return false;
	return true;
}

const struct qt_scan_stats *qt_db_stats(const struct qt_db *db)
{
	return &db->stats;
}

void qt_db_forget_stats(struct qt_db *db)
{
	db->stats = db->closed = (struct qt_scan_stats){.entries = 0};
}

void qt_db_pick(struct qt_db *db, struct qt_picks *picks,
    const struct qt_row_work *work)
{
	db->picks = picks;
	db->work = work != NULL ? *work : (struct qt_row_work){.want = 0};
	db->also_need = (db->work.whole ? snap_need() : 0) |
	    (db->work.line ? LINE_NEED : 0);
	db->work.want |= db->work.line ? LINE_WANT : 0;
}

void qt_db_row_line(struct qt_buf *out, const struct qt_row *row)
{
	const struct derived *d = row->derived;

	if (d != NULL && d->line != NULL)
		qt_buf_add(out, d->line, d->line_len);
	else
		(void)as_line(out, row, decode_words);
}

struct qt_row *qt_db_row(const struct qt_db *db)
{
	return db->row;
}

struct qt_row *qt_db_take(struct qt_db *db)
{
	return db->row != NULL ? feed_take(db->feed) : NULL;
}

void qt_db_give(struct qt_db *db, struct qt_row *row)
{
	feed_give(db->feed, row);
}

/* ---- statements ---- */

/* What SQLite says about a statement, or the cause we kept. */
static int stmt_fail(struct qt_db *db, int code, enum qt_code as,
    struct qt_error *err)
{
	int at;

	if (db->have_err) {
		*err = db->err;
		db->have_err = false;
		return -1;
	}
	if (code == SQLITE_INTERRUPT)
		return qt_fail(err, QT_E_INTERRUPTED, "", "interrupted");
	if (code == SQLITE_NOMEM)
		return qt_fail_mem(err);
	at = sqlite3_error_offset(db->sql);
	if (code == SQLITE_AUTH)
		return qt_fail(err, QT_E_USAGE, "SQL",
		    "%s: only SELECT over qtool's tables is allowed",
		    sqlite3_errmsg(db->sql));
	return qt_fail_at(err, as, "SQL", at, "%s", sqlite3_errmsg(db->sql));
}

/* Whether SQL text holds more than blanks, semicolons and comments. */
static bool has_more(struct qt_db *db, const char *tail)
{
	sqlite3_stmt *next = NULL;
	bool more;

	if (tail == NULL || *tail == '\0')
		return false;
	more = sqlite3_prepare_v2(db->sql, tail, -1, &next, &tail) !=
	    SQLITE_OK || next != NULL;
	(void)sqlite3_finalize(next);
	return more;
}

static int bind_all(struct qt_stmt *st, const struct qt_bind *binds,
    size_t nbinds, struct qt_error *err)
{
	int want = sqlite3_bind_parameter_count(st->stmt), r;
	size_t i;

	if ((size_t)want > nbinds)
		return qt_fail(err, QT_E_USAGE, "SQL",
		    "the statement has parameters, and no values for them");
	for (i = 0; i < (size_t)want; i++) {
		if (binds[i].type == QT_BIND_INT)
			r = sqlite3_bind_int64(st->stmt, (int)i + 1, binds[i].i);
		else
			r = sqlite3_bind_text64(st->stmt, (int)i + 1,
			    binds[i].text, strlen(binds[i].text), SQLITE_STATIC,
			    SQLITE_UTF8);
		if (r != SQLITE_OK)
			return stmt_fail(st->db, r, QT_E_USAGE, err);
	}
	return 0;
}

static int prepare(struct qt_stmt *st, const char *sql,
    const struct qt_bind *binds, size_t nbinds, struct qt_error *err)
{
	struct qt_db *db = st->db;
	const char *tail = NULL;
	int r;

	db->have_err = false;
	r = sqlite3_prepare_v2(db->sql, sql, -1, &st->stmt, &tail);
	if (r != SQLITE_OK)
		return stmt_fail(db, r, QT_E_USAGE, err);
	if (st->stmt == NULL)
		return qt_fail(err, QT_E_USAGE, "SQL", "no statement");
	if (has_more(db, tail))
		return qt_fail_at(err, QT_E_USAGE, "SQL", tail - sql,
		    "one statement at a time");
	return bind_all(st, binds, nbinds, err);
}

int qt_stmt_open(struct qt_stmt **out, struct qt_db *db, const char *sql,
    const struct qt_bind *binds, size_t nbinds, struct qt_error *err)
{
	struct qt_stmt *st = calloc(1, sizeof *st);

	if (st == NULL)
		return qt_fail_mem(err);
	if (!db->now_fixed)
		db->now = (int64_t)time(NULL);
	st->db = db;
	if (prepare(st, sql, binds, nbinds, err) != 0) {
		qt_stmt_close(st);
		return -1;
	}
	*out = st;
	return 0;
}

int qt_stmt_step(struct qt_stmt *st, struct qt_error *err)
{
	struct qt_db *db = st->db;
	int r = sqlite3_step(st->stmt);

	st->row = r == SQLITE_ROW;
	if (r == SQLITE_ROW)
		return 0;
	if (r != SQLITE_DONE)
		return stmt_fail(db, r, QT_E_USAGE, err);
	/* what was read before the stop is out; it must not pass for all */
	if (stopped(db))
		return qt_fail(err, QT_E_INTERRUPTED, "", "interrupted");
	return 1;
}

void qt_stmt_close(struct qt_stmt *st)
{
	if (st == NULL)
		return;
	(void)sqlite3_finalize(st->stmt);
	free(st);
}

/* ---- columns of the result ---- */

int qt_stmt_ncol(const struct qt_stmt *st)
{
	return sqlite3_column_count(st->stmt);
}

const char *qt_stmt_colname(const struct qt_stmt *st, int i)
{
	const char *name = sqlite3_column_name(st->stmt, i);

	return name != NULL ? name : "";
}

static bool declared(const struct qt_stmt *st, int i, const char *type)
{
	const char *decl = sqlite3_column_decltype(st->stmt, i);

	return decl != NULL && strcmp(decl, type) == 0;
}

bool qt_stmt_isjson(const struct qt_stmt *st, int i)
{
	if (declared(st, i, "JSON"))
		return true;
	/* json_array() and its like mark their results */
	return st->row && sqlite3_value_subtype(
	    sqlite3_column_value(st->stmt, i)) == 'J';
}

bool qt_stmt_isbool(const struct qt_stmt *st, int i)
{
	return declared(st, i, "BOOLEAN");
}

enum qt_coltype qt_stmt_type(const struct qt_stmt *st, int i)
{
	switch (sqlite3_column_type(st->stmt, i)) {
	case SQLITE_INTEGER:
		return QT_COL_INT;
	case SQLITE_FLOAT:
		return QT_COL_REAL;
	case SQLITE_TEXT:
		return QT_COL_TEXT;
	case SQLITE_BLOB:
		return QT_COL_BLOB;
	default:
		return QT_COL_NULL;
	}
}

int64_t qt_stmt_int(const struct qt_stmt *st, int i)
{
	return sqlite3_column_int64(st->stmt, i);
}

double qt_stmt_real(const struct qt_stmt *st, int i)
{
	return sqlite3_column_double(st->stmt, i);
}

const char *qt_stmt_text(const struct qt_stmt *st, int i, size_t *len)
{
	const char *s;

	/* a BLOB as it is: its bytes need not be text */
	if (sqlite3_column_type(st->stmt, i) == SQLITE_BLOB)
		s = sqlite3_column_blob(st->stmt, i);
	else
		s = (const char *)sqlite3_column_text(st->stmt, i);
	*len = s != NULL ? (size_t)sqlite3_column_bytes(st->stmt, i) : 0;
	return s != NULL ? s : "";
}

/*
 * One look-up of the column in place of one for each question about it: top asks
 * for six values a row.
 */
void qt_value_of(struct qt_value *v, const struct qt_stmt *st, int i)
{
	sqlite3_value *x = sqlite3_column_value(st->stmt, i);

	*v = (struct qt_value){.type = QT_COL_NULL, .text = ""};
	switch (sqlite3_value_type(x)) {
	case SQLITE_INTEGER:
		v->type = QT_COL_INT;
		v->i = sqlite3_value_int64(x);
		return;
	case SQLITE_FLOAT:
		v->type = QT_COL_REAL;
		v->real = sqlite3_value_double(x);
		return;
	case SQLITE_TEXT:
		v->type = QT_COL_TEXT;
		v->text = (const char *)sqlite3_value_text(x);
		break;
	case SQLITE_BLOB:
		v->type = QT_COL_BLOB;
		v->text = sqlite3_value_blob(x);
		break;
	default:
		return;
	}
	if (v->text != NULL)
		v->len = (size_t)sqlite3_value_bytes(x);
	else
		v->text = "";
}
