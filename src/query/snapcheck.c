/*
 * snapcheck.c - a snapshot against the messages that it should be of.
 *
 * Each message's rows are worked out as for a snapshot that is being written,
 * and looked for in this one: nothing that it says is believed, and what is in
 * it beside that is told in the end.
 */
#include <stdlib.h>
#include <string.h>

#include "query/snapcode.h"
#include "query/vtab.h"
#include "qtool/snapshot.h"

static const struct table *const tables[] = {&table_messages,
    &table_recipients, &table_headers};
enum { MESSAGES = SNAP_MESSAGES, RECIPIENTS, HEADERS, NTABLES };

#define SHOWN 200      /* bytes of a value in a report */
#define FLAWS_MAX 20   /* of SQLite's own check */
#define FOUND_MAX ((int64_t)1 << 36) /* messages, for the bits of found */

/* What is one and the same in all rows, and not in the message. */
enum { CONFIG_DIR, QUEUE_DIR, NSAME };

struct shown {
	char text[SHOWN];
};

struct qt_snapcheck {
	struct qt_snapcheck_opts opts;
	struct qt_db db; /* the cursors' scratch memory, and when to stop */
	struct snap snap;
	struct cursor cursor[NTABLES];
	sqlite3_stmt *rows[NTABLES]; /* of one message: rowid, then columns */
	char *same[NSAME]; /* as the first row has it; owned */
	bool have_same;
	struct qt_finish_tmp tmp; /* of the lists of a message */
	unsigned char *found; /* a bit for each row of messages that is there */
	size_t found_bytes;
};

/* ---- telling ---- */

static void tell(const struct qt_snapcheck *c, const struct qt_snapflaw *flaw)
{
	if (c->opts.report != NULL)
		c->opts.report(c->opts.report_ctx, flaw);
}

static const char *show(struct shown *to, const char *text, size_t len)
{
	(void)snprintf(to->text, SHOWN, "%.*s",
	    (int)(len < SHOWN ? len : SHOWN - 1), text);
	return to->text;
}

static const char *show_value(struct shown *to, sqlite3_stmt *st, int at)
{
	const char *text = (const char *)sqlite3_column_text(st, at);

	if (sqlite3_column_type(st, at) == SQLITE_NULL)
		return show(to, "NULL", 4);
	if (sqlite3_column_type(st, at) == SQLITE_BLOB)
		return show(to, "a BLOB", 6);
	return show(to, text != NULL ? text : "",
	    (size_t)sqlite3_column_bytes(st, at));
}

static const char *show_cell(struct shown *to, struct qt_db *db,
    const struct cell *v)
{
	const char *text = "?";
	size_t len = 1;

	if (v->type == CELL_NULL)
		return show(to, "NULL", 4);
	if (v->type == CELL_INT) {
		(void)snprintf(to->text, SHOWN, "%lld", (long long)v->i);
		return to->text;
	}
	if (v->type != CELL_TOOBIG)
		(void)cell_text(db, v, &text, &len);
	return show(to, text, len);
}

/* ---- the file ---- */

static int prepare(struct qt_snapcheck *c, const char *sql, sqlite3_stmt **st,
    struct qt_error *err)
{
	return sqlite3_prepare_v2(c->snap.sql, sql, -1, st, NULL) == SQLITE_OK ?
	    0 : snap_fail(&c->snap, err);
}

/* SQLite's own look at pages and index; hidden in neither is what it counts. */
static int check_file(struct qt_snapcheck *c, struct qt_error *err)
{
	sqlite3_stmt *st = NULL;
	struct shown text;
	char sql[48];
	int r;

	(void)snprintf(sql, sizeof sql, "PRAGMA integrity_check(%d)", FLAWS_MAX);
	if (prepare(c, sql, &st, err) != 0)
		return -1;
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		show_value(&text, st, 0);
		if (strcmp(text.text, "ok") != 0)
			tell(c, &(struct qt_snapflaw){.what = QT_SNAP_DAMAGED,
			    .table = "", .found = text.text});
	}
	(void)sqlite3_finalize(st);
	return r == SQLITE_DONE ? 0 : snap_fail(&c->snap, err);
}

/* What is not stored is right when that is of which it is made. */
static bool is_checked(int t, int i)
{
	return snapform_stored(t, i);
}

static int open_table(struct qt_snapcheck *c, int t, struct qt_error *err)
{
	const struct table *table = tables[t];
	const struct columns *cols = columns_find(table->name);
	struct qt_buf sql;
	int i, r;

	c->cursor[t] = (struct cursor){.db = &c->db, .table = table,
	    .columns = cols};
	if (table->state_size != 0 &&
	    (c->cursor[t].own = calloc(1, table->state_size)) == NULL)
		return qt_fail_mem(err);
	qt_buf_init(&sql, 0);
	qt_buf_adds(&sql, "SELECT t.row_id");
	for (i = 0; i < cols->n; i++) {
		if (!is_checked(t, i))
			continue;
		qt_buf_adds(&sql, ", ");
		snapform_value(&sql, t, i);
	}
	qt_buf_addf(&sql, " FROM stored_%s AS t WHERE ", table->name);
	if (t == MESSAGES) {
		qt_buf_adds(&sql, "t.queue_id = ?1 AND ");
		snapform_value(&sql, t, M_QUEUE_NAME);
		qt_buf_adds(&sql, " = ?2 AND ");
		snapform_value(&sql, t, M_PATH);
		qt_buf_adds(&sql, " = ?3 ORDER BY t.row_id");
	} else {
		qt_buf_adds(&sql, "t.row_id BETWEEN ?1 AND ?2 "
		    "ORDER BY t.row_id");
	}
	r = qt_buf_check(&sql, err);
	if (r == 0)
		r = prepare(c, qt_buf_str(&sql), &c->rows[t], err);
	qt_buf_release(&sql);
	return r;
}

static int64_t count_rows(struct qt_snapcheck *c, const char *table)
{
	sqlite3_stmt *st = NULL;
	char sql[60];
	int64_t n = 0;

	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
	if (sqlite3_prepare_v2(c->snap.sql, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return n;
}

static int set_up(struct qt_snapcheck *c, const struct qt_snapfile *file,
    struct qt_error *err)
{
	int64_t n;
	int t;

	if (snap_open(&c->db, &c->snap, file, err) != 0)
		return -1;
	if (c->snap.records || c->snap.body)
		return qt_fail(err, QT_E_STATE, file->name,
		    "a snapshot with %s, which are in none of an archive",
		    c->snap.records ? "records" : "texts");
	if (check_file(c, err) != 0)
		return -1;
	for (t = 0; t < NTABLES; t++)
		if (open_table(c, t, err) != 0)
			return -1;
	n = count_rows(c, "stored_messages");
	if (n >= FOUND_MAX)
		return qt_fail(err, QT_E_STATE, file->name, "too many rows");
	c->found_bytes = (size_t)n / 8 + 1;
	c->found = calloc(c->found_bytes, 1);
	return c->found != NULL ? 0 : qt_fail_mem(err);
}

int qt_snapcheck_new(struct qt_snapcheck **out,
    const struct qt_snapfile *file, const struct qt_snapcheck_opts *opts,
    struct qt_error *err)
{
	struct qt_snapcheck *c = calloc(1, sizeof *c);

	if (c == NULL)
		return qt_fail_mem(err);
	c->opts = *opts;
	c->db.opts.stop = opts->stop;
	qt_arena_init(&c->db.scratch, 0);
	qt_buf_init(&c->db.text, 0);
	qt_buf_init(&c->tmp.out, QT_FINISH_MAX);
	qt_buf_init(&c->tmp.part, QT_FINISH_MAX);
	c->tmp.fd = -1;
	if (set_up(c, file, err) != 0) {
		qt_snapcheck_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

void qt_snapcheck_free(struct qt_snapcheck *c)
{
	int i;

	if (c == NULL)
		return;
	for (i = 0; i < NTABLES; i++) {
		(void)sqlite3_finalize(c->rows[i]);
		free(c->cursor[i].own);
	}
	for (i = 0; i < NSAME; i++)
		free(c->same[i]);
	snap_close(&c->snap);
	free(c->found);
	qt_buf_release(&c->tmp.out);
	qt_buf_release(&c->tmp.part);
	qt_arena_release(&c->db.scratch);
	qt_buf_release(&c->db.text);
	free(c);
}

/* ---- a row ---- */

/* Which message it is about, for reports; text as the tables have it. */
struct about {
	const struct qt_row *row;
	const char *table;
	int64_t n; /* its place in the message, from 1; 0: the message's own */
	const struct qt_snaptold *told;
	struct shown queue, id;
};

static void tell_row(struct qt_snapcheck *c, struct about *a,
    struct qt_snapflaw *flaw)
{
	const struct cell id = {.type = CELL_TEXT, .s = a->row->id};

	flaw->table = a->table;
	flaw->n = a->n;
	flaw->queue = qt_queue_name(a->row->queue);
	flaw->id = show_cell(&a->id, &c->db, &id);
	tell(c, flaw);
}

static bool same_text(struct qt_snapcheck *c, const struct cell *v,
    sqlite3_stmt *st, int at)
{
	const char *want, *is;
	size_t len;

	if (sqlite3_column_type(st, at) != SQLITE_TEXT ||
	    !cell_text(&c->db, v, &want, &len))
		return false;
	is = (const char *)sqlite3_column_text(st, at);
	return is != NULL && (size_t)sqlite3_column_bytes(st, at) == len &&
	    memcmp(is, want, len) == 0;
}

static bool same_value(struct qt_snapcheck *c, const struct cell *v,
    sqlite3_stmt *st, int at)
{
	switch (v->type) {
	case CELL_NULL:
		return sqlite3_column_type(st, at) == SQLITE_NULL;
	case CELL_INT:
		return sqlite3_column_type(st, at) == SQLITE_INTEGER &&
		    sqlite3_column_int64(st, at) == v->i;
	case CELL_TEXT:
	case CELL_CONST:
	case CELL_JSON:
	case CELL_WORDS:
	case CELL_BYTES:
		return same_text(c, v, st, at);
	case CELL_BLOB:
	case CELL_TOOBIG:
		break;
	}
	return false;
}

/* As in the first row, whatever that is: its text. */
static int same_as_first(struct qt_snapcheck *c, int which, sqlite3_stmt *st,
    int at, struct cell *v, struct qt_error *err)
{
	const char *text = (const char *)sqlite3_column_text(st, at);

	if (!c->have_same && text != NULL &&
	    (c->same[which] = strdup(text)) == NULL)
		return qt_fail_mem(err);
	cell_put(v, CELL_TEXT, which == QUEUE_DIR && c->opts.queue_dir != NULL ?
	    c->opts.queue_dir : c->same[which]);
	return 0;
}

/*
 * What the files alone do not decide: the configuration's share in it.  A login
 * without a domain owns the addresses of the host's own domain, and whether
 * Postfix quotes an address with other than ASCII in it can be set.
 */
static bool may_differ(const struct qt_row *row, int i, const struct cell *v,
    sqlite3_stmt *st, int at)
{
	const char *is = (const char *)sqlite3_column_text(st, at), *s = v->s;

	if (v->type == CELL_NULL || v->type == CELL_INT || is == NULL)
		return false;
	if (i == M_CLASS)
		return row->msg.sasl_username != NULL &&
		    strchr(row->msg.sasl_username, '@') == NULL &&
		    (strcmp(is, "forged") == 0 ||
			strcmp(is, "authenticated") == 0) &&
		    (strcmp(s, "forged") == 0 ||
			strcmp(s, "authenticated") == 0);
	if (i != M_SENDER_SHOWN && i != M_RECIPIENTS)
		return false;
	while (*s != '\0' && (signed char)*s > 0)
		s++;
	return *s != '\0';
}

/* What is told of a message, and not in its file. */
static int told_value(struct qt_snapcheck *c, const struct about *a, int i,
    sqlite3_stmt *st, int at, struct cell *v, struct qt_error *err)
{
	if (i == M_CONFIG_DIR)
		return same_as_first(c, CONFIG_DIR, st, at, v, err);
	if (i == M_QUEUE_DIR)
		return same_as_first(c, QUEUE_DIR, st, at, v, err);
	if (i == M_BODY)
		v->type = CELL_NULL;
	/* of a file that could not be looked at it is unknown */
	if (i == M_IN_DELIVERY && sqlite3_column_type(st, at) == SQLITE_NULL)
		v->type = CELL_NULL;
	else if (i == M_IN_DELIVERY && a->told != NULL && a->told->locked >= 0)
		cell_int(v, a->told->locked);
	return 0;
}

static int compare(struct qt_snapcheck *c, int t, struct about *a,
    struct qt_error *err)
{
	const struct columns *cols = c->cursor[t].columns;
	sqlite3_stmt *st = c->rows[t];
	struct shown want, is;
	struct cell v;
	int i, at = 0;

	for (i = 0; i < cols->n; i++) {
		if (!is_checked(t, i))
			continue;
		at++;
		v.type = CELL_NULL;
		tables[t]->cell(&c->cursor[t], &v, i);
		if (t == MESSAGES && told_value(c, a, i, st, at, &v, err) != 0)
			return -1;
		if (same_value(c, &v, st, at) ||
		    (t == MESSAGES && may_differ(a->row, i, &v, st, at)))
			continue;
		tell_row(c, a, &(struct qt_snapflaw){.what = QT_SNAP_VALUE,
		    .column = cols->v[i].name,
		    .expected = show_cell(&want, &c->db, &v),
		    .found = show_value(&is, st, at)});
	}
	if (t == MESSAGES)
		c->have_same = true;
	return 0;
}

/* ---- the rows of a message ---- */

static int bind_text(struct qt_snapcheck *c, int n, const char *s,
    struct qt_error *err)
{
	const struct cell v = {.type = CELL_TEXT, .s = s};
	const char *text;
	size_t len;

	if (!cell_text(&c->db, &v, &text, &len))
		return qt_fail_mem(err);
	return sqlite3_bind_text64(c->rows[MESSAGES], n, text, len,
	    SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK ? 0 :
	    snap_fail(&c->snap, err);
}

/* 0: the statement is on it; 1: there is none. */
static int find_message(struct qt_snapcheck *c, const struct qt_row *row,
    int64_t *rowid, struct qt_error *err)
{
	sqlite3_stmt *st = c->rows[MESSAGES];
	int r;

	if (bind_text(c, 1, row->id, err) != 0 ||
	    bind_text(c, 2, qt_queue_name(row->queue), err) != 0 ||
	    bind_text(c, 3, row->path, err) != 0)
		return -1;
	r = sqlite3_step(st);
	if (r == SQLITE_DONE)
		return 1;
	if (r != SQLITE_ROW)
		return snap_fail(&c->snap, err);
	*rowid = sqlite3_column_int64(st, 0);
	if (*rowid > 0 && (uint64_t)*rowid / 8 < c->found_bytes)
		c->found[*rowid / 8] |= (unsigned char)(1 << *rowid % 8);
	return 0;
}

/* The table's next row; *at its place in the message, from 1, or INT64_MAX. */
static int next_row(struct qt_snapcheck *c, int t, int64_t first, int64_t *at,
    struct qt_error *err)
{
	int r = sqlite3_step(c->rows[t]);

	if (r != SQLITE_ROW && r != SQLITE_DONE)
		return snap_fail(&c->snap, err);
	*at = r == SQLITE_ROW ?
	    sqlite3_column_int64(c->rows[t], 0) - first + 1 : INT64_MAX;
	return 0;
}

static int each_row(struct qt_snapcheck *c, int t, struct about *a,
    int64_t first, struct qt_error *err)
{
	struct cursor *cur = &c->cursor[t];
	int64_t at;
	int r;

	if (next_row(c, t, first, &at, err) != 0)
		return -1;
	for (cur->n = 0; (r = tables[t]->sub(cur, err)) == 0; cur->n++) {
		a->n = (int64_t)cur->n + 1;
		if (at > a->n) {
			tell_row(c, a, &(struct qt_snapflaw){
			    .what = QT_SNAP_MISSING});
			continue;
		}
		if (compare(c, t, a, err) != 0 ||
		    next_row(c, t, first, &at, err) != 0)
			return -1;
	}
	while (r > 0 && at != INT64_MAX) {
		a->n = at;
		tell_row(c, a, &(struct qt_snapflaw){.what = QT_SNAP_ADDED});
		if (next_row(c, t, first, &at, err) != 0)
			return -1;
	}
	return r < 0 ? -1 : 0;
}

static int check_table(struct qt_snapcheck *c, int t, struct about *a,
    int64_t message, struct qt_error *err)
{
	const int64_t first = message * SNAP_ROWS + 1;
	int r;

	a->table = tables[t]->name;
	if (sqlite3_bind_int64(c->rows[t], 1, first) != SQLITE_OK ||
	    sqlite3_bind_int64(c->rows[t], 2, first + SNAP_ROWS - 2) !=
		SQLITE_OK)
		return snap_fail(&c->snap, err);
	r = each_row(c, t, a, first, err);
	if (tables[t]->leave != NULL)
		tables[t]->leave(&c->cursor[t]);
	(void)sqlite3_reset(c->rows[t]);
	return r;
}

int qt_snapcheck_row(struct qt_snapcheck *c, struct qt_row *row,
    const struct qt_snaptold *told, struct qt_error *err)
{
	struct about a = {.row = row, .table = "messages", .told = told};
	int64_t message = 0;
	int t, r;

	for (t = 0; t < NTABLES; t++)
		c->cursor[t].feed.row = row;
	snaplist_derive(row, &c->tmp);
	r = find_message(c, row, &message, err);
	if (r == 0)
		r = compare(c, MESSAGES, &a, err);
	else if (r > 0)
		tell_row(c, &a, &(struct qt_snapflaw){.what = QT_SNAP_MISSING});
	(void)sqlite3_reset(c->rows[MESSAGES]);
	/* further than that no message can be: its others are told in the end */
	if (r == 0 && message > 0 && message < INT64_MAX / SNAP_ROWS - 1)
		for (t = RECIPIENTS; t < NTABLES && r == 0; t++)
			r = check_table(c, t, &a, message, err);
	for (t = 0; t < NTABLES; t++)
		c->cursor[t].feed.row = NULL;
	return r < 0 ? -1 : 0;
}

/* ---- what else is in it ---- */

static bool is_found(const struct qt_snapcheck *c, int64_t message)
{
	return message > 0 && (uint64_t)message / 8 < c->found_bytes &&
	    (c->found[message / 8] & 1 << message % 8) != 0;
}

/* A row with what its message says, if there is one. */
static void select_rest(struct qt_buf *sql, int t)
{
	qt_buf_adds(sql, "SELECT t.row_id, ");
	snapform_value(sql, t, t == MESSAGES ? (int)M_QUEUE_NAME :
	    t == RECIPIENTS ? (int)R_QUEUE_NAME : (int)H_QUEUE_NAME);
	qt_buf_addf(sql, ", %s.queue_id FROM stored_%s AS t",
	    t == MESSAGES ? "t" : "m", tables[t]->name);
	if (t != MESSAGES)
		qt_buf_addf(sql, " LEFT JOIN stored_messages AS m "
		    "ON m.row_id = t.row_id / %lld", (long long)SNAP_ROWS);
}

static int check_rest(struct qt_snapcheck *c, int t, struct qt_error *err)
{
	struct shown queue, id;
	sqlite3_stmt *st = NULL;
	struct qt_buf sql;
	int64_t rowid;
	int r;

	qt_buf_init(&sql, 0);
	select_rest(&sql, t);
	r = qt_buf_check(&sql, err);
	if (r == 0)
		r = prepare(c, qt_buf_str(&sql), &st, err);
	qt_buf_release(&sql);
	if (r != 0)
		return -1;
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		rowid = sqlite3_column_int64(st, 0);
		if (t == MESSAGES ? is_found(c, rowid) :
		    is_found(c, rowid / SNAP_ROWS) && rowid % SNAP_ROWS != 0)
			continue;
		tell(c, &(struct qt_snapflaw){.what = QT_SNAP_ADDED,
		    .table = tables[t]->name, .n = -1, .rowid = rowid,
		    .queue = show_value(&queue, st, 1),
		    .id = show_value(&id, st, 2)});
	}
	(void)sqlite3_finalize(st);
	return r == SQLITE_DONE ? 0 : snap_fail(&c->snap, err);
}

/* The numbers of texts that a stored table has, marked in used. */
static int mark_texts(struct qt_snapcheck *c, int t, unsigned char *used,
    int64_t n, struct qt_error *err)
{
	const struct columns *cols = columns_find(tables[t]->name);
	const char *comma = "SELECT ";
	sqlite3_stmt *st = NULL;
	struct qt_buf sql;
	int64_t id;
	int i, r;

	qt_buf_init(&sql, 0);
	for (i = 0; i < cols->n; i++) {
		if (snapform_of(t, i)->kind != SNAP_WORD)
			continue;
		qt_buf_addf(&sql, "%s%s", comma, cols->v[i].name);
		comma = ", ";
	}
	qt_buf_addf(&sql, " FROM stored_%s", tables[t]->name);
	r = qt_buf_check(&sql, err);
	if (r == 0)
		r = prepare(c, qt_buf_str(&sql), &st, err);
	qt_buf_release(&sql);
	if (r != 0)
		return -1;
	while ((r = sqlite3_step(st)) == SQLITE_ROW)
		for (i = 0; i < sqlite3_column_count(st); i++) {
			if (sqlite3_column_type(st, i) != SQLITE_INTEGER)
				continue;
			id = sqlite3_column_int64(st, i);
			if (id > 0 && id <= n)
				used[id / 8] |= (unsigned char)(1 << id % 8);
		}
	(void)sqlite3_finalize(st);
	return r == SQLITE_DONE ? 0 : snap_fail(&c->snap, err);
}

/* Texts are numbered from 1 on, and each is that of a row. */
static int tell_unused(struct qt_snapcheck *c, const unsigned char *used,
    int64_t n, struct qt_error *err)
{
	sqlite3_stmt *st = NULL;
	int64_t id;
	int r;

	if (prepare(c, "SELECT id FROM texts", &st, err) != 0)
		return -1;
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		id = sqlite3_column_int64(st, 0);
		if (id < 1 || id > n || (used[id / 8] & 1 << id % 8) == 0)
			tell(c, &(struct qt_snapflaw){.what = QT_SNAP_ADDED,
			    .table = "texts", .n = -1, .rowid = id});
	}
	(void)sqlite3_finalize(st);
	return r == SQLITE_DONE ? 0 : snap_fail(&c->snap, err);
}

static int check_texts(struct qt_snapcheck *c, struct qt_error *err)
{
	const int64_t n = count_rows(c, "texts");
	unsigned char *used;
	int t, r = 0;

	if (n >= FOUND_MAX)
		return qt_fail(err, QT_E_STATE, c->snap.name, "too many rows");
	used = calloc((size_t)n / 8 + 1, 1);
	if (used == NULL)
		return qt_fail_mem(err);
	for (t = 0; t < NTABLES && r == 0; t++)
		r = mark_texts(c, t, used, n, err);
	if (r == 0)
		r = tell_unused(c, used, n, err);
	free(used);
	return r;
}

int qt_snapcheck_finish(struct qt_snapcheck *c, struct qt_error *err)
{
	int t;

	for (t = 0; t < NTABLES; t++)
		if (check_rest(c, t, err) != 0)
			return -1;
	return check_texts(c, err);
}
