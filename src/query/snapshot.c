/*
 * snapshot.c - writing a snapshot.
 *
 * The new database has the tables as virtual ones too, under names of their
 * own, over the one row that is given: so a message's rows are made by
 *
 *	INSERT INTO messages(...) SELECT ... FROM given_messages
 *
 * which is to say by the same code that makes them for a query.  What another
 * snapshot has is copied value by value.
 */
#include "qtool/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "query/vtab.h"

static const char *const names[] = {"messages", "recipients", "headers",
    "records"};
enum { MESSAGES, RECIPIENTS, HEADERS, RECORDS, NTABLES };

struct qt_snapshot {
	struct fdvfs vfs;
	struct qt_db db;	/* on the new file; its row is what is given */
	struct qt_spools none;
	struct qt_snapshot_opts opts;
	sqlite3_stmt *given[NTABLES]; /* INSERT ... SELECT */
	sqlite3_stmt *copied[NTABLES]; /* INSERT ... VALUES(?, ...) */
	sqlite3_stmt *known[NTABLES]; /* whether a message has rows already */
	uint64_t rows[NTABLES];
	bool indexed;
};

static int fail(const struct qt_snapshot *s, struct qt_error *err)
{
	int code = sqlite3_errcode(s->db.sql);

	if (s->db.have_err) {
		if (err != NULL)
			*err = s->db.err;
		return -1;
	}
	if (code == SQLITE_NOMEM)
		return qt_fail_mem(err);
	if (s->vfs.write_errno != 0) {
		errno = s->vfs.write_errno;
		(void)qt_fail(err, QT_E_SYS, "snapshot", "write: %s",
		    strerror(errno));
		if (err != NULL)
			err->sys = s->vfs.write_errno;
		return -1;
	}
	return qt_fail(err, QT_E_LIBRARY, "sqlite", "%s",
	    sqlite3_errmsg(s->db.sql));
}

static int run(const struct qt_snapshot *s, const char *sql,
    struct qt_error *err)
{
	return sqlite3_exec(s->db.sql, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 :
	    fail(s, err);
}

/* ---- the schema ---- */

/* Whether a column is in a brief one. */
static bool is_brief(const struct columns *c, int i)
{
	return !c->v[i].hidden && (strcmp(c->table, "messages") != 0 ||
	    (i != M_RECIPIENTS && i != M_BODY && i != M_SHA256));
}

static void declare(struct qt_buf *out, const struct columns *c, bool brief)
{
	const char *comma = "";
	int i;

	qt_buf_addf(out, "CREATE TABLE %s(", c->table);
	for (i = 0; i < c->n; i++) {
		const char *type = c->v[i].type;

		if (brief && !is_brief(c, i))
			continue;

		/* SQLite would take other names for numbers */
		if (strcmp(type, "JSON") == 0)
			type = "TEXT";
		else if (strcmp(type, "BOOLEAN") == 0)
			type = "INTEGER";
		qt_buf_addf(out, "%s%s %s", comma, c->v[i].name, type);
		comma = ", ";
	}
	qt_buf_addc(out, ')');
}

void snap_declare(struct qt_buf *out, const struct columns *c)
{
	declare(out, c, false);
}

void snap_columns(struct qt_buf *out, const struct columns *c)
{
	int i;

	for (i = 0; i < c->n; i++)
		qt_buf_addf(out, "%s%s", i == 0 ? "" : ", ", c->v[i].name);
}

static bool has_table(const struct qt_snapshot *s, int t)
{
	return t == RECORDS ? s->opts.records && !s->opts.brief :
	    t == HEADERS    ? !s->opts.brief :
			      true;
}

static int create_tables(struct qt_snapshot *s, struct qt_error *err)
{
	struct qt_buf sql;
	int t, r;

	qt_buf_init(&sql, 0);
	/* what is written once, and read as a whole, wants large pages */
	qt_buf_addf(&sql, "PRAGMA page_size = %d; PRAGMA journal_mode = OFF;"
	    "PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
	    "PRAGMA temp_store = FILE; PRAGMA cache_size = -16384;"
	    "PRAGMA application_id = %d; PRAGMA user_version = %d; BEGIN;"
	    "CREATE TABLE snapshot(name TEXT, value TEXT);",
	    s->opts.brief ? 32768 : 4096,
	    s->opts.brief ? SNAP_BRIEF : SNAP_APPLICATION, SNAP_FORMAT);
	for (t = 0; t < NTABLES; t++) {
		if (!has_table(s, t))
			continue;
		declare(&sql, columns_find(names[t]), s->opts.brief);
		qt_buf_addc(&sql, ';');
	}
	r = qt_buf_check(&sql, err);
	if (r == 0)
		r = run(s, qt_buf_str(&sql), err);
	qt_buf_release(&sql);
	return r;
}

static int prepare(struct qt_snapshot *s, const struct qt_buf *sql,
    sqlite3_stmt **st, struct qt_error *err)
{
	if (qt_buf_check(sql, err) != 0)
		return -1;
	if (sqlite3_prepare_v2(s->db.sql, qt_buf_str(sql), -1, st, NULL) !=
	    SQLITE_OK)
		return fail(s, err);
	return 0;
}

/* INSERT ... SELECT of the given row; body only where it is wanted. */
static int prepare_given(struct qt_snapshot *s, int t, struct qt_error *err)
{
	const struct columns *c = columns_find(names[t]);
	const char *comma = "";
	struct qt_buf sql;
	int i, r;

	qt_buf_init(&sql, 0);
	/* a brief table's columns are in the same order */
	qt_buf_addf(&sql, "INSERT INTO main.%s SELECT ", names[t]);
	for (i = 0; i < c->n; i++) {
		if (s->opts.brief && !is_brief(c, i))
			continue;
		qt_buf_addf(&sql, "%s%s", comma,
		    t == MESSAGES && i == M_BODY && !s->opts.body ? "NULL" :
		    c->v[i].name);
		comma = ", ";
	}
	qt_buf_addf(&sql, " FROM given_%s", names[t]);
	r = prepare(s, &sql, &s->given[t], err);
	qt_buf_release(&sql);
	return r;
}

static int set_up(struct qt_snapshot *s, struct qt_error *err)
{
	int t;

	if (create_tables(s, err) != 0)
		return -1;
	/* after the journal was switched off, which they would not have */
	db_set_limits(s->db.sql);
	if (vtab_register(&s->db, "given_") != SQLITE_OK)
		return fail(s, err);
	for (t = 0; t < NTABLES; t++)
		if (has_table(s, t) && prepare_given(s, t, err) != 0)
			return -1;
	return 0;
}

int qt_snapshot_new(struct qt_snapshot **out, int fd,
    const struct qt_snapshot_opts *opts, struct qt_error *err)
{
	struct qt_snapshot *s = calloc(1, sizeof *s);

	if (s == NULL)
		return qt_fail_mem(err);
	s->opts = *opts;
	s->db.spools = &s->none;
	s->db.is_given = true;
	qt_arena_init(&s->db.scratch, 0);
	qt_buf_init(&s->db.text, 0);
	if (fdvfs_open(&s->vfs, &s->db.sql, fd, true, err) != 0 ||
	    set_up(s, err) != 0) {
		qt_snapshot_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void qt_snapshot_free(struct qt_snapshot *s)
{
	int t;

	if (s == NULL)
		return;
	for (t = 0; t < NTABLES; t++) {
		(void)sqlite3_finalize(s->given[t]);
		(void)sqlite3_finalize(s->copied[t]);
		(void)sqlite3_finalize(s->known[t]);
	}
	(void)sqlite3_close(s->db.sql);
	fdvfs_close(&s->vfs);
	qt_arena_release(&s->db.scratch);
	qt_buf_release(&s->db.text);
	free(s);
}

/* ---- a row that was read ---- */

unsigned qt_snapshot_want(const struct qt_snapshot_opts *opts)
{
	unsigned want = 0;
	int t, i;

	for (t = 0; t < NTABLES; t++) {
		const struct columns *c = columns_find(names[t]);

		for (i = 0; i < c->n && (t != RECORDS || opts->records); i++)
			if ((t != MESSAGES || i != M_BODY || opts->body) &&
			    (!opts->brief || (t <= RECIPIENTS && is_brief(c, i))))
				want |= c->v[i].want;
	}
	return want;
}

static int insert(struct qt_snapshot *s, int t, sqlite3_stmt *st,
    struct qt_error *err)
{
	int r = sqlite3_step(st);

	if (r == SQLITE_DONE)
		s->rows[t] += (uint64_t)sqlite3_changes64(s->db.sql);
	if (r != SQLITE_DONE)
		(void)fail(s, err);
	(void)sqlite3_reset(st);
	return r == SQLITE_DONE ? 0 : -1;
}

int qt_snapshot_add(struct qt_snapshot *s, struct qt_row *row,
    struct qt_error *err)
{
	void *derived = row->derived;
	int t, r = 0;

	s->db.given = row;
	for (t = 0; t < NTABLES && r == 0; t++)
		if (s->given[t] != NULL)
			r = insert(s, t, s->given[t], err);
	s->db.given = NULL;
	row->derived = derived; /* what it had for others */
	return r;
}

/* ---- a row of another snapshot ---- */

/* The statements that take values; look-ups of what is there need an index. */
static int prepare_copy(struct qt_snapshot *s, struct qt_error *err)
{
	struct qt_buf sql;
	int t, i, r = 0;

	if (s->indexed)
		return 0;
	qt_buf_init(&sql, 0);
	for (t = 0; t < NTABLES && r == 0; t++) {
		if (!has_table(s, t))
			continue;
		qt_buf_clear(&sql);
		qt_buf_addf(&sql, "CREATE INDEX %s_by_id ON %s(queue_id)",
		    names[t], names[t]);
		r = run(s, qt_buf_str(&sql), err);
		qt_buf_clear(&sql);
		qt_buf_addf(&sql, "INSERT INTO main.%s VALUES(", names[t]);
		for (i = 0; i < columns_find(names[t])->n; i++)
			qt_buf_adds(&sql, i == 0 ? "?" : ",?");
		qt_buf_addc(&sql, ')');
		if (r == 0)
			r = prepare(s, &sql, &s->copied[t], err);
		qt_buf_clear(&sql);
		qt_buf_addf(&sql, "SELECT 1 FROM main.%s WHERE queue_id = ?1 "
		    "AND queue_name = ?2 AND host IS ?3 LIMIT 1", names[t]);
		if (r == 0)
			r = prepare(s, &sql, &s->known[t], err);
	}
	qt_buf_release(&sql);
	s->indexed = true;
	return r;
}

/* One value as its column is declared; anything else is left out. */
static int bind(struct qt_snapshot *s, sqlite3_stmt *to, int i,
    sqlite3_stmt *from, const char *type)
{
	const int have = sqlite3_column_type(from, i);
	const char *text;
	size_t len;

	if (have == SQLITE_INTEGER && (strcmp(type, "INTEGER") == 0 ||
		strcmp(type, "BOOLEAN") == 0))
		return sqlite3_bind_int64(to, i + 1,
		    sqlite3_column_int64(from, i));
	if (have == SQLITE_BLOB && strcmp(type, "BLOB") == 0)
		return sqlite3_bind_value(to, i + 1,
		    sqlite3_column_value(from, i));
	if (have != SQLITE_TEXT || (strcmp(type, "TEXT") != 0 &&
		strcmp(type, "JSON") != 0))
		return sqlite3_bind_null(to, i + 1);
	text = (const char *)sqlite3_column_text(from, i);
	len = (size_t)sqlite3_column_bytes(from, i);
	qt_buf_clear(&s->db.text);
	text_form(&s->db.text, text != NULL ? text : "", len);
	if (s->db.text.failed)
		return SQLITE_NOMEM;
	return sqlite3_bind_text64(to, i + 1, qt_buf_str(&s->db.text),
	    s->db.text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

/* SELECT of one message's rows in the snapshot it comes from. */
static int select_from(const struct snap *from, const struct cursor *c, int t,
    sqlite3_stmt **st, struct qt_error *err)
{
	const struct columns *cols = columns_find(names[t]);
	sqlite3_stmt *on = c->snap.st;
	struct qt_buf sql;
	int i, r;

	qt_buf_init(&sql, 0);
	qt_buf_adds(&sql, "SELECT ");
	for (i = 0; i < cols->n; i++) {
		const char *name = cols->v[i].name;

		qt_buf_adds(&sql, i == 0 ? "" : ", ");
		if (strcmp(cols->v[i].type, "JSON") == 0)
			qt_buf_addf(&sql, "CASE WHEN json_valid(%s) THEN %s "
			    "END", name, name);
		else
			qt_buf_adds(&sql, name);
	}
	qt_buf_addf(&sql, " FROM %s WHERE %s ORDER BY rowid", names[t],
	    t == MESSAGES ? "rowid = ?1" : "queue_id = ?2 AND "
	    "queue_name = ?3 AND host IS ?4");
	r = qt_buf_check(&sql, err);
	if (r == 0 && (sqlite3_prepare_v2(from->sql, qt_buf_str(&sql), -1, st,
			   NULL) != SQLITE_OK ||
		sqlite3_bind_int64(*st, 1, sqlite3_column_int64(on, 0)) !=
		    SQLITE_OK))
		r = snap_fail(from, err);
	qt_buf_release(&sql);
	return r;
}

/* The key of a message as its snapshot has it, from parameter first on. */
static int bind_key(sqlite3_stmt *to, int first, const struct cursor *c)
{
	static const int key[] = {M_QUEUE_ID, M_QUEUE_NAME, M_HOST};
	sqlite3_stmt *on = c->snap.st;
	int i, r = SQLITE_OK;

	for (i = 0; i < 3 && r == SQLITE_OK; i++)
		r = sqlite3_bind_value(to, first + i,
		    sqlite3_column_value(on, c->snap.column[key[i]]));
	return r;
}

/* Two files of one ID in a queue share what there is about that ID. */
static int is_known(struct qt_snapshot *s, int t, const struct cursor *c,
    struct qt_error *err)
{
	int r;

	if (t == MESSAGES)
		return 0;
	r = bind_key(s->known[t], 1, c);
	if (r == SQLITE_OK)
		r = sqlite3_step(s->known[t]);
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		(void)fail(s, err);
	(void)sqlite3_reset(s->known[t]);
	return r == SQLITE_ROW ? 1 : r == SQLITE_DONE ? 0 : -1;
}

static int copy_table(struct qt_snapshot *s, const struct snap *from,
    const struct cursor *c, int t, struct qt_error *err)
{
	const struct columns *cols = columns_find(names[t]);
	sqlite3_stmt *st = NULL;
	int i, r, got;

	r = is_known(s, t, c, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	r = select_from(from, c, t, &st, err);
	if (r == 0 && t != MESSAGES && bind_key(st, 2, c) != SQLITE_OK)
		r = snap_fail(from, err);
	while (r == 0 && (got = sqlite3_step(st)) != SQLITE_DONE) {
		if (got != SQLITE_ROW) {
			r = snap_fail(from, err);
			break;
		}
		for (i = 0; i < cols->n; i++)
			if (bind(s, s->copied[t], i, st, cols->v[i].type) !=
			    SQLITE_OK)
				r = fail(s, err);
		if (t == MESSAGES && !s->opts.body)
			(void)sqlite3_bind_null(s->copied[t], M_BODY + 1);
		if (r == 0)
			r = insert(s, t, s->copied[t], err);
	}
	(void)sqlite3_finalize(st);
	return r;
}

static int copy_message(struct qt_snapshot *s, const struct cursor *c,
    struct qt_error *err)
{
	const struct snap *from = snapcur_snap(c);
	int t;

	if ((s->opts.records && !from->records) ||
	    (s->opts.body && !from->body))
		return qt_fail(err, QT_E_USAGE, from->name, "the snapshot has "
		    "no %s to be copied", s->opts.body && !from->body ?
		    "body" : "records");
	if (prepare_copy(s, err) != 0)
		return -1;
	for (t = 0; t < NTABLES; t++)
		if (has_table(s, t) && copy_table(s, from, c, t, err) != 0)
			return -1;
	return 0;
}

/* ---- all that is selected ---- */

/*
 * The row ID is the last thing that SQLite asks the table of a row that it
 * hands out: by that we know on which row its cursor is.  host and the key are
 * read along for what comes out of a snapshot.
 */
static int step_all(struct qt_snapshot *s, struct qt_db *db,
    struct qt_stmt *st, struct qt_error *err)
{
	struct cursor *c;
	int r;

	while ((r = qt_stmt_step(st, err)) == 0) {
		c = db->current;
		r = c->snap.st != NULL ? copy_message(s, c, err) :
		    qt_snapshot_add(s, c->feed.row, err);
		if (r != 0)
			return -1;
	}
	return r < 0 ? -1 : 0;
}

int qt_snapshot_copy(struct qt_snapshot *s, struct qt_db *db,
    const char *where, const struct qt_bind *binds, size_t nbinds,
    struct qt_error *err)
{
	struct qt_stmt *st = NULL;
	struct qt_buf sql;
	int r;

	qt_buf_init(&sql, 0);
	qt_buf_addf(&sql, "SELECT host, queue_name, queue_id, rowid "
	    "FROM messages WHERE %s", where);
	db->also_want = qt_snapshot_want(&s->opts);
	r = qt_buf_check(&sql, err);
	if (r == 0)
		r = qt_stmt_open(&st, db, qt_buf_str(&sql), binds, nbinds, err);
	if (r == 0)
		r = step_all(s, db, st, err);
	qt_stmt_close(st);
	db->also_want = 0;
	db->current = NULL;
	qt_buf_release(&sql);
	return r;
}

/* ---- the end ---- */

static int tell(struct qt_snapshot *s, const char *name, const char *value,
    struct qt_error *err)
{
	sqlite3_stmt *st = NULL;
	int r = SQLITE_ERROR;

	if (sqlite3_prepare_v2(s->db.sql,
		"INSERT INTO snapshot VALUES(?, ?)", -1, &st, NULL) ==
		SQLITE_OK &&
	    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC) == SQLITE_OK &&
	    sqlite3_bind_text(st, 2, value, -1, SQLITE_STATIC) == SQLITE_OK)
		r = sqlite3_step(st);
	if (r != SQLITE_DONE)
		(void)fail(s, err);
	(void)sqlite3_finalize(st);
	return r == SQLITE_DONE ? 0 : -1;
}

static int tell_all(struct qt_snapshot *s, struct qt_error *err)
{
	struct qt_buf b;
	int r;

	if (tell(s, "tool", "qtool " QTOOL_VERSION, err) != 0 ||
	    tell(s, "body", s->opts.body ? "1" : "0", err) != 0 ||
	    tell(s, "records", s->opts.records ? "1" : "0", err) != 0)
		return -1;
	if (s->opts.selection != NULL) {
		qt_buf_init(&b, 0);
		text_form(&b, s->opts.selection, strlen(s->opts.selection));
		r = qt_buf_check(&b, err);
		if (r == 0)
			r = tell(s, "selection", qt_buf_str(&b), err);
		qt_buf_release(&b);
		if (r != 0)
			return -1;
	}
	if (s->opts.now == 0)
		return 0;
	qt_buf_init(&b, 0);
	qt_buf_addf(&b, "%lld", (long long)s->opts.now);
	r = tell(s, "made", qt_buf_str(&b), err);
	qt_buf_release(&b);
	return r;
}

int qt_snapshot_finish(struct qt_snapshot *s,
    struct qt_snapshot_counts *counts, struct qt_error *err)
{
	char sql[96];
	int t;

	for (t = 0; t < NTABLES && !s->indexed; t++) {
		if (!has_table(s, t) || s->opts.brief)
			continue;
		(void)snprintf(sql, sizeof sql,
		    "CREATE INDEX %s_by_id ON %s(queue_id)", names[t],
		    names[t]);
		if (run(s, sql, err) != 0)
			return -1;
	}
	if (tell_all(s, err) != 0 || run(s, "COMMIT", err) != 0)
		return -1;
	*counts = (struct qt_snapshot_counts){.messages = s->rows[MESSAGES],
	    .recipients = s->rows[RECIPIENTS], .headers = s->rows[HEADERS],
	    .records = s->rows[RECORDS]};
	return 0;
}
