/*
 * snapshot.c - writing a snapshot.
 *
 * SQLite makes the schema; then the tables are filled page by page (pagefile.h)
 * with what the tables of a query make of the message that is given, or with
 * what another snapshot has of it, in the form of snapform.h; in the end SQLite
 * adds the index and what is told of the whole.
 */
#include "qtool/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "query/decode.h"
#include "query/snapcode.h"
#include "query/vtab.h"

static const struct table *const tables[SNAP_NTABLES] = {&table_messages,
    &table_recipients, &table_headers, &table_records};

/* of a row; messages has the most */
#define CELLS M_COUNT
_Static_assert((int)CELLS >= (int)R_COUNT && (int)CELLS >= (int)H_COUNT &&
    (int)CELLS >= (int)C_COUNT, "columns of any table");

struct out {
	const struct columns *columns;
	int8_t stored[CELLS]; /* those that the stored table has */
	int nstored;
	struct pagetable pages;
	struct cursor cursor; /* on the row that is given */
	uint64_t rows;
};

struct qt_snapshot {
	int fd; /* borrowed */
	struct fdvfs vfs;
	sqlite3 *sql;	 /* on the file; NULL while the tables are filled */
	struct qt_db db; /* of the cursors: no more than their scratch memory */
	struct qt_snapshot_opts opts;
	struct pagefile file;
	struct snaptexts texts;
	struct pagerow row;
	struct qt_finish_tmp tmp; /* of the lists of a message */
	struct qt_buf order;	  /* likewise */
	struct out out[SNAP_NTABLES];
};

static int fail(const struct qt_snapshot *s, struct qt_error *err)
{
	if (sqlite3_errcode(s->sql) == SQLITE_NOMEM)
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
	    sqlite3_errmsg(s->sql));
}

static int run(const struct qt_snapshot *s, const char *sql,
    struct qt_error *err)
{
	return sqlite3_exec(s->sql, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 :
	    fail(s, err);
}

/* SQLite at work on the file, without a journal. */
static int open_sql(struct qt_snapshot *s, struct qt_error *err)
{
	char sql[200];

	if (fdvfs_open(&s->vfs, &s->sql, s->fd, true, err) != 0)
		return -1;
	(void)snprintf(sql, sizeof sql, "PRAGMA page_size = %u;"
	    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
	    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = FILE;"
	    "PRAGMA cache_size = -16384", PAGEFILE_PAGE);
	if (run(s, sql, err) != 0)
		return -1;
	/* after the journal was switched off, which they would not have */
	db_set_limits(s->sql);
	return 0;
}

static void close_sql(struct qt_snapshot *s)
{
	(void)sqlite3_close(s->sql);
	s->sql = NULL;
	fdvfs_close(&s->vfs);
}

/* ---- the schema ---- */

static bool has_table(const struct qt_snapshot *s, int t)
{
	return t != SNAP_RECORDS || s->opts.records;
}

/* All entries of the schema but the index, or that alone. */
static int create(struct qt_snapshot *s, bool index, struct qt_error *err)
{
	struct snapentry e;
	struct qt_buf sql;
	size_t n;
	int r = 0;

	qt_buf_init(&sql, 0);
	for (n = 0; r == 0 && snapform_entry(&sql, n, s->opts.records, &e); n++) {
		r = qt_buf_check(&sql, err);
		if (r == 0 && (strcmp(e.type, "index") == 0) == index)
			r = run(s, qt_buf_str(&sql), err);
		qt_buf_clear(&sql);
	}
	qt_buf_release(&sql);
	return r;
}

static int create_tables(struct qt_snapshot *s, struct qt_error *err)
{
	char sql[120];

	(void)snprintf(sql, sizeof sql, "PRAGMA application_id = %d;"
	    "PRAGMA user_version = %d; BEGIN", SNAP_APPLICATION, SNAP_FORMAT);
	if (run(s, sql, err) != 0 || create(s, false, err) != 0)
		return -1;
	return run(s, "COMMIT", err);
}

/* Where the schema has put a table's root. */
static int find_root(struct qt_snapshot *s, const char *name, uint32_t *root,
    struct qt_error *err)
{
	sqlite3_stmt *st = NULL;
	int r = SQLITE_ERROR;

	if (sqlite3_prepare_v2(s->sql, "SELECT rootpage FROM sqlite_schema "
		"WHERE name = ?", -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC) == SQLITE_OK)
		r = sqlite3_step(st);
	if (r == SQLITE_ROW)
		*root = (uint32_t)sqlite3_column_int64(st, 0);
	else
		(void)fail(s, err);
	(void)sqlite3_finalize(st);
	return r == SQLITE_ROW ? 0 : -1;
}

static int open_table(struct qt_snapshot *s, int t, struct qt_error *err)
{
	const struct table *table = tables[t];
	struct out *o = &s->out[t];
	char name[32];
	uint32_t root = 0;
	int i;

	o->columns = columns_find(table->name);
	for (i = 0; i < o->columns->n; i++)
		if (snapform_stored(t, i))
			o->stored[o->nstored++] = (int8_t)i;
	o->cursor = (struct cursor){.db = &s->db, .table = table,
	    .columns = o->columns};
	if (table->state_size != 0) {
		o->cursor.own = calloc(1, table->state_size);
		if (o->cursor.own == NULL)
			return qt_fail_mem(err);
	}
	(void)snprintf(name, sizeof name, "stored_%s", table->name);
	if (find_root(s, name, &root, err) != 0)
		return -1;
	return pagetable_init(&o->pages, &s->file, root, err);
}

static int open_texts(struct qt_snapshot *s, struct qt_error *err)
{
	uint32_t root = 0;

	if (snaptexts_init(&s->texts, err) != 0 ||
	    find_root(s, "texts", &root, err) != 0)
		return -1;
	return pagetable_init(&s->texts.pages, &s->file, root, err);
}

static int set_up(struct qt_snapshot *s, struct qt_error *err)
{
	struct stat st;
	int t;

	if (open_sql(s, err) != 0 || create_tables(s, err) != 0 ||
	    open_texts(s, err) != 0)
		return -1;
	for (t = 0; t < SNAP_NTABLES; t++)
		if (has_table(s, t) && open_table(s, t, err) != 0)
			return -1;
	close_sql(s);
	if (fstat(s->fd, &st) != 0)
		return qt_fail(err, QT_E_SYS, "snapshot", "fstat: %s",
		    strerror(errno));
	pagefile_init(&s->file, s->fd, (uint32_t)(st.st_size / PAGEFILE_PAGE));
	return 0;
}

int qt_snapshot_new(struct qt_snapshot **out, int fd,
    const struct qt_snapshot_opts *opts, struct qt_error *err)
{
	struct qt_snapshot *s = calloc(1, sizeof *s);

	if (s == NULL)
		return qt_fail_mem(err);
	s->fd = fd;
	s->opts = *opts;
	qt_arena_init(&s->db.scratch, 0);
	qt_buf_init(&s->db.text, 0);
	pagerow_init(&s->row);
	qt_buf_init(&s->tmp.out, QT_FINISH_MAX);
	qt_buf_init(&s->tmp.part, QT_FINISH_MAX);
	qt_buf_init(&s->order, 0);
	s->tmp.fd = -1;
	if (set_up(s, err) != 0) {
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
	for (t = 0; t < SNAP_NTABLES; t++) {
		pagetable_release(&s->out[t].pages);
		free(s->out[t].cursor.own);
	}
	snaptexts_release(&s->texts);
	close_sql(s);
	pagerow_release(&s->row);
	qt_buf_release(&s->tmp.out);
	qt_buf_release(&s->tmp.part);
	qt_buf_release(&s->order);
	qt_arena_release(&s->db.scratch);
	qt_buf_release(&s->db.text);
	free(s);
}

/* ---- values ---- */

/* The stored columns of a row, all of whose cells are given. */
static int put_together(struct qt_snapshot *s, int t, const struct cell *v,
    struct qt_error *err)
{
	const struct snapform *f = snapform_of(t, 0);
	const struct out *o = &s->out[t];
	int k, i;

	pagerow_clear(&s->row);
	for (k = 0; k < o->nstored; k++) {
		i = o->stored[k];
		if (v[i].type == CELL_NULL) /* many are */
			pagerow_null(&s->row);
		else if (snapcode_add(&s->texts, &s->row, &s->db, &f[i], i, v,
			     err) != 0)
			return -1;
	}
	return 0;
}

/* That, as the next row; n: its place in its message, from 1. */
static int add_row(struct qt_snapshot *s, int t, int64_t n,
    struct qt_error *err)
{
	const int64_t message = (int64_t)s->out[SNAP_MESSAGES].rows;

	if (n >= SNAP_ROWS || message >= INT64_MAX / SNAP_ROWS - 1)
		return qt_fail(err, QT_E_STATE, "snapshot", "a message has "
		    "too many %s", tables[t]->name);
	s->out[t].rows++;
	pagerow_null(&s->row); /* row_id is not among the values */
	return pagetable_add(&s->out[t].pages, t == SNAP_MESSAGES ? message + 1 :
	    message * SNAP_ROWS + n, &s->row, err);
}

/* ---- a row that was read ---- */

/* Beside what is stored: what is never asked of a row for a snapshot. */
static bool is_made(const struct qt_snapshot_opts *opts, int t, int i)
{
	return (t != SNAP_MESSAGES || i != M_BODY || opts->body) &&
	    snapform_stored(t, i);
}

unsigned qt_snapshot_want(const struct qt_snapshot_opts *opts)
{
	unsigned want = 0;
	int t, i;

	for (t = 0; t < SNAP_NTABLES; t++) {
		const struct columns *c = snapform_columns(t);

		for (i = 0; i < c->n && (t != SNAP_RECORDS || opts->records); i++)
			if (is_made(opts, t, i))
				want |= c->v[i].want;
	}
	return want;
}

/* Lists are made of the rows of recipients, mostly, and never asked for. */
unsigned snap_need(void)
{
	const struct columns *c = snapform_columns(SNAP_MESSAGES);
	unsigned need = 0;
	int i;

	for (i = 0; i < c->n; i++)
		if (snapform_stored(SNAP_MESSAGES, i) &&
		    snapform_of(SNAP_MESSAGES, i)->kind != SNAP_LIST)
			need |= c->need[i];
	return need;
}

/* All cells of the row that the cursor is on. */
static int cells_of(struct qt_snapshot *s, int t, struct cell *v,
    struct qt_error *err)
{
	const struct out *o = &s->out[t];
	int k, i;

	for (k = 0; k < o->nstored; k++) {
		i = o->stored[k];
		v[i].type = CELL_NULL;
		if (t != SNAP_MESSAGES || i != M_BODY || s->opts.body)
			o->cursor.table->cell(&s->out[t].cursor, &v[i], i);
	}
	return t == SNAP_MESSAGES ? snaplist_cells(v, o->cursor.feed.row,
	    &s->tmp, &s->order, err) : 0;
}

static int add_table(struct qt_snapshot *s, int t, struct qt_row *row,
    struct qt_error *err)
{
	struct cursor *c = &s->out[t].cursor;
	struct cell v[CELLS];
	int r = 0;

	c->feed.row = row;
	for (c->n = 0; r == 0; c->n++) {
		r = c->table->sub != NULL ? c->table->sub(c, err) : c->n != 0;
		if (r != 0)
			break;
		r = cells_of(s, t, v, err);
		if (r == 0)
			r = put_together(s, t, v, err);
		if (r == 0)
			r = add_row(s, t, (int64_t)c->n + 1, err);
	}
	if (c->table->leave != NULL)
		c->table->leave(c);
	c->feed.row = NULL;
	return r < 0 ? -1 : 0;
}

int qt_snapshot_add(struct qt_snapshot *s, struct qt_row *row,
    struct qt_error *err)
{
	int t, r = 0;

	for (t = 0; t < SNAP_NTABLES && r == 0; t++)
		if (has_table(s, t))
			r = add_table(s, t, row, err);
	return r;
}

int qt_snapshot_decode(struct qt_row *row, struct qt_error *err)
{
	struct derived *d = row->derived;
	const char **const fields[] = {&d->subject, &d->mailer};
	struct qt_buf b, text;
	size_t i;
	int r = 0;

	qt_buf_init(&b, 0);
	qt_buf_init(&text, 0);
	for (i = 0; i < 2 && r == 0 && !d->decoded; i++) {
		if (*fields[i] == NULL || strstr(*fields[i], "=?") == NULL)
			continue;
		qt_buf_clear(&b);
		qt_buf_clear(&text);
		decode_words(&b, *fields[i], strlen(*fields[i]));
		text_form(&text, qt_buf_str(&b), b.len);
		*fields[i] = b.failed || text.failed ? NULL :
		    qt_arena_dup(&row->arena, qt_buf_str(&text), text.len);
		if (*fields[i] == NULL)
			r = qt_fail_mem(err);
	}
	d->decoded = true;
	qt_buf_release(&b);
	qt_buf_release(&text);
	return r;
}

/* ---- a row of another snapshot ---- */

/* One value as its column is declared; anything else is left out. */
static void cell_from(struct cell *v, sqlite3_stmt *from, int at,
    const char *type)
{
	const int have = sqlite3_column_type(from, at);
	const char *bytes;
	size_t len;

	v->type = CELL_NULL;
	if (have == SQLITE_INTEGER && (strcmp(type, "INTEGER") == 0 ||
		strcmp(type, "BOOLEAN") == 0)) {
		cell_int(v, sqlite3_column_int64(from, at));
	} else if (have == SQLITE_BLOB && strcmp(type, "BLOB") == 0) {
		bytes = sqlite3_column_blob(from, at);
		len = (size_t)sqlite3_column_bytes(from, at);
		cell_bytes(v, CELL_BLOB, bytes != NULL ? bytes : "", len);
	} else if (have == SQLITE_TEXT && (strcmp(type, "TEXT") == 0 ||
		strcmp(type, "JSON") == 0)) {
		bytes = (const char *)sqlite3_column_text(from, at);
		len = (size_t)sqlite3_column_bytes(from, at);
		/* a NUL in it is shown, as the tables do */
		if (bytes == NULL || memchr(bytes, '\0', len) != NULL)
			cell_bytes(v, CELL_BYTES, bytes != NULL ? bytes : "",
			    len);
		else
			cell_put(v, CELL_TEXT, bytes);
	}
}

/* A list in the form that it has there: its rows have the same places here. */
static void select_list(struct qt_buf *sql, const char *name)
{
	qt_buf_addf(sql, ", CASE WHEN t.%s = 1 THEN 1 WHEN json_valid(t.%s) "
	    "THEN t.%s END", name, name, name);
}

/* SELECT of one message's rows in the snapshot it comes from. */
static int select_from(const struct snap *from, const struct cursor *c, int t,
    sqlite3_stmt **st, struct qt_error *err)
{
	const struct columns *cols = snapform_columns(t);
	const int64_t message = sqlite3_column_int64(c->snap.st, 0);
	struct qt_buf sql;
	int i, r;

	qt_buf_init(&sql, 0);
	qt_buf_adds(&sql, "SELECT t.row_id");
	for (i = 0; i < cols->n; i++) {
		if (!snapform_stored(t, i))
			continue;
		if (snapform_of(t, i)->kind == SNAP_LIST) {
			select_list(&sql, cols->v[i].name);
			continue;
		}
		qt_buf_adds(&sql, ", ");
		snapform_value(&sql, t, i);
	}
	qt_buf_addf(&sql, " FROM stored_%s AS t WHERE t.row_id BETWEEN ?1 %s "
	    "ORDER BY t.row_id", tables[t]->name, t == SNAP_MESSAGES ? "AND ?1" :
	    "* ?2 + 1 AND ?1 * ?2 + ?2 - 1");
	r = qt_buf_check(&sql, err);
	if (r == 0 && (sqlite3_prepare_v2(from->sql, qt_buf_str(&sql), -1, st,
			   NULL) != SQLITE_OK ||
		sqlite3_bind_int64(*st, 1, message) != SQLITE_OK ||
		(t != SNAP_MESSAGES &&
		    sqlite3_bind_int64(*st, 2, SNAP_ROWS) != SQLITE_OK)))
		r = snap_fail(from, err);
	qt_buf_release(&sql);
	return r;
}

/* The row that the statement is on. */
static int copy_row(struct qt_snapshot *s, int t, sqlite3_stmt *st, int64_t n,
    struct qt_error *err)
{
	const struct columns *cols = s->out[t].columns;
	struct cell v[CELLS];
	int i, at = 1;

	for (i = 0; i < cols->n; i++) {
		v[i].type = CELL_NULL;
		if (!snapform_stored(t, i))
			continue;
		if (is_made(&s->opts, t, i))
			cell_from(&v[i], st, at, cols->v[i].type);
		if (snapform_of(t, i)->kind == SNAP_LIST &&
		    sqlite3_column_type(st, at) == SQLITE_INTEGER)
			cell_int(&v[i], sqlite3_column_int64(st, at));
		at++;
	}
	if (put_together(s, t, v, err) != 0)
		return -1;
	return add_row(s, t, n, err);
}

static int copy_table(struct qt_snapshot *s, const struct snap *from,
    const struct cursor *c, int t, struct qt_error *err)
{
	sqlite3_stmt *st = NULL;
	int64_t n = 0;
	int r, got;

	r = select_from(from, c, t, &st, err);
	while (r == 0 && (got = sqlite3_step(st)) != SQLITE_DONE) {
		if (got == SQLITE_ROW)
			r = copy_row(s, t, st, ++n, err);
		else
			r = snap_fail(from, err);
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
	for (t = 0; t < SNAP_NTABLES; t++)
		if (has_table(s, t) && copy_table(s, from, c, t, err) != 0)
			return -1;
	return 0;
}

/* ---- all that is selected ---- */

/*
 * The row ID is the last thing that SQLite asks the table of a row that it
 * hands out: by that we know on which row its cursor is.
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
	qt_buf_addf(&sql, "SELECT rowid FROM messages WHERE %s", where);
	db->also_want = qt_snapshot_want(&s->opts);
	db->also_need = snap_need();
	r = qt_buf_check(&sql, err);
	if (r == 0)
		r = qt_stmt_open(&st, db, qt_buf_str(&sql), binds, nbinds, err);
	if (r == 0)
		r = step_all(s, db, st, err);
	qt_stmt_close(st);
	db->also_want = db->also_need = 0;
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

	if (sqlite3_prepare_v2(s->sql,
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

/* Everything but the rows, by SQLite. */
static int complete(struct qt_snapshot *s, struct qt_error *err)
{
	if (open_sql(s, err) != 0 || run(s, "BEGIN", err) != 0 ||
	    create(s, true, err) != 0 || tell_all(s, err) != 0)
		return -1;
	return run(s, "COMMIT", err);
}

int qt_snapshot_finish(struct qt_snapshot *s,
    struct qt_snapshot_counts *counts, struct qt_error *err)
{
	int t;

	for (t = 0; t < SNAP_NTABLES; t++)
		if (has_table(s, t) &&
		    pagetable_finish(&s->out[t].pages, err) != 0)
			return -1;
	if (pagetable_finish(&s->texts.pages, err) != 0)
		return -1;
	if (pagefile_finish(&s->file, err) != 0 || complete(s, err) != 0)
		return -1;
	close_sql(s);
	*counts = (struct qt_snapshot_counts){
	    .messages = s->out[SNAP_MESSAGES].rows,
	    .recipients = s->out[SNAP_RECIPIENTS].rows,
	    .headers = s->out[SNAP_HEADERS].rows, .records = s->out[SNAP_RECORDS].rows};
	return 0;
}
