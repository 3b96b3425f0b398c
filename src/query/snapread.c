/*
 * snapread.c - snapshots opened, looked through for what does not belong there,
 * and read.
 */
#include "query/snapread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "qtool/escape.h"
#include "query/as_json.h"
#include "query/snapform.h"
#include "query/snaptext.h"
#include "query/vtab.h"

/* ---- the file ---- */

static int fail_file(const char *call, const char *name, struct qt_error *err)
{
	int sys = errno;

	(void)qt_fail(err, QT_E_SYS, name, "%s: %s", call, strerror(sys));
	if (err != NULL)
		err->sys = sys;
	return -1;
}

int qt_snapfile_open(struct qt_snapfile *f, const char *name,
    struct qt_error *err)
{
	int fd = open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return fail_file("open", name, err);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		qt_close_quiet(&fd);
		return qt_fail(err, QT_E_USAGE, name, "no regular file");
	}
	*f = (struct qt_snapfile){.fd = fd, .name = name};
	return 0;
}

void qt_snapfile_close(struct qt_snapfile *f)
{
	if (f != NULL)
		qt_close_quiet(&f->fd);
}

/* ---- what is in it ---- */

int snap_fail(const struct snap *s, struct qt_error *err)
{
	int code = sqlite3_errcode(s->sql);

	if (code == SQLITE_NOMEM)
		return qt_fail_mem(err);
	if (code == SQLITE_INTERRUPT)
		return qt_fail(err, QT_E_INTERRUPTED, s->name, "interrupted");
	if (code == SQLITE_NOTADB)
		return qt_fail(err, QT_E_STATE, s->name,
		    "this is no snapshot: not a SQLite database");
	return qt_fail(err, QT_E_STATE, s->name, "the snapshot is damaged: %s",
	    sqlite3_errmsg(s->sql));
}

static int strange(const struct snap *s, const char *what, const char *name,
    struct qt_error *err)
{
	return qt_fail(err, QT_E_STATE, s->name,
	    "this is no snapshot of qtool: %s \"%.60s\"", what, name);
}

static int prepare(const struct snap *s, const char *sql, sqlite3_stmt **st,
    struct qt_error *err)
{
	if (sqlite3_prepare_v2(s->sql, sql, -1, st, NULL) == SQLITE_OK)
		return 0;
	return snap_fail(s, err);
}

static int number_of(const struct snap *s, const char *pragma, int64_t *n,
    struct qt_error *err)
{
	sqlite3_stmt *st = NULL;
	int r;

	if (prepare(s, pragma, &st, err) != 0)
		return -1;
	r = sqlite3_step(st);
	if (r == SQLITE_ROW)
		*n = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return r == SQLITE_ROW ? 0 : snap_fail(s, err);
}

static const char *text_at(sqlite3_stmt *st, int i)
{
	const char *t = (const char *)sqlite3_column_text(st, i);

	return t != NULL ? t : "";
}

/*
 * One entry of its schema: byte for byte one that we write.  Another view, a
 * trigger or a virtual table would run what its author wrote, and a view of
 * ours that is not ours tells a reader with sqlite3 what is not so.
 */
static int check_entry(const struct snap *s, sqlite3_stmt *st,
    struct qt_error *err)
{
	const char *type = text_at(st, 0), *name = text_at(st, 1);
	struct snapentry e;
	struct qt_buf sql;
	bool is = false, named = false;
	size_t n;
	int r;

	qt_buf_init(&sql, 0);
	for (n = 0; !named && snapform_entry(&sql, n, true, &e); n++) {
		named = strcmp(e.name, name) == 0;
		is = named && strcmp(e.type, type) == 0 &&
		    strcmp(qt_buf_str(&sql), text_at(st, 2)) == 0;
		if (!named)
			qt_buf_clear(&sql);
	}
	r = qt_buf_check(&sql, err);
	qt_buf_release(&sql);
	if (r != 0 || is)
		return r;
	if (strcmp(type, "table") == 0)
		return strange(s, named ? "a table of another kind:" :
		    "it has a table", name, err);
	return strange(s, strcmp(type, "index") == 0 ? "it has an index" :
	    named ? "a view of another kind:" : "it has a view or trigger",
	    name, err);
}

static int check_entries(const struct snap *s, size_t *count,
    struct qt_error *err)
{
	sqlite3_stmt *st = NULL;
	int r, bad = 0;

	*count = 0;
	if (prepare(s, "SELECT type, name, sql FROM sqlite_schema", &st, err) !=
	    0)
		return -1;
	for (; (r = sqlite3_step(st)) == SQLITE_ROW && bad == 0; ++*count)
		bad = check_entry(s, st, err);
	(void)sqlite3_finalize(st);
	if (bad != 0)
		return -1;
	return r == SQLITE_DONE ? 0 : snap_fail(s, err);
}

/* No name is there twice: so many, each of them ours, are all of ours. */
static int check_complete(const struct snap *s, size_t count,
    struct qt_error *err)
{
	struct snapentry e;
	struct qt_buf sql;
	size_t n = 0;

	qt_buf_init(&sql, 0);
	while (snapform_entry(&sql, n, s->records, &e))
		n++;
	qt_buf_release(&sql);
	return n == count ? 0 : qt_fail(err, QT_E_STATE, s->name,
	    "this is no snapshot of qtool: it has %zu tables and views, not "
	    "%zu", count, n);
}

/* The table snapshot: what it was made with. */
static int read_facts(struct snap *s, struct qt_error *err)
{
	sqlite3_stmt *st = NULL;
	int r;

	if (prepare(s, "SELECT name, value FROM snapshot", &st, err) != 0)
		return -1;
	while ((r = sqlite3_step(st)) == SQLITE_ROW) {
		if (strcmp(text_at(st, 0), "body") == 0)
			s->body = strcmp(text_at(st, 1), "1") == 0;
		if (strcmp(text_at(st, 0), "records") == 0)
			s->records = strcmp(text_at(st, 1), "1") == 0;
	}
	(void)sqlite3_finalize(st);
	return r == SQLITE_DONE ? 0 : snap_fail(s, err);
}

static int check(struct snap *s, struct qt_error *err)
{
	int64_t application = 0, format = 0;
	size_t count = 0;

	if (number_of(s, "PRAGMA application_id", &application, err) != 0 ||
	    number_of(s, "PRAGMA user_version", &format, err) != 0)
		return -1;
	if (application != SNAP_APPLICATION)
		return qt_fail(err, QT_E_STATE, s->name,
		    "this is no snapshot: a SQLite database of another "
		    "program");
	if (format != SNAP_FORMAT)
		return qt_fail(err, QT_E_STATE, s->name,
		    "a snapshot of another version of qtool (format %lld)",
		    (long long)format);
	/* its facts are in a table, which may not be there */
	if (check_entries(s, &count, err) != 0 || read_facts(s, err) != 0)
		return -1;
	return check_complete(s, count, err);
}

int snap_open(struct qt_db *db, struct snap *s,
    const struct qt_snapfile *file, struct qt_error *err)
{
	static const char pragmas[] = "PRAGMA trusted_schema = OFF;"
	    "PRAGMA cell_size_check = ON; PRAGMA query_only = ON;"
	    "PRAGMA mmap_size = 0; PRAGMA cache_size = -8192;"
	    "PRAGMA temp_store = FILE;";

	s->name = file->name;
	if (fdvfs_open(&s->vfs, &s->sql, file->fd, false, err) != 0)
		return -1;
	db_set_limits(s->sql);
	(void)sqlite3_db_config(s->sql, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(s->sql, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_progress_handler(s->sql, DB_PROGRESS_OPS, db_on_progress, db);
	if (sqlite3_exec(s->sql, pragmas, NULL, NULL, NULL) != SQLITE_OK)
		return snap_fail(s, err);
	if (check(s, err) != 0)
		return -1;
	return snaptext_register(&s->texts, s->sql) == SQLITE_OK ? 0 :
	    snap_fail(s, err);
}

int snap_open_all(struct qt_db *db, struct qt_error *err)
{
	size_t i, n = db->opts.nsnapshots;

	if (n == 0)
		return 0;
	db->snap = calloc(n, sizeof *db->snap);
	if (db->snap == NULL)
		return qt_fail_mem(err);
	for (i = 0; i < n; i++) {
		db->nsnap = i + 1;
		if (snap_open(db, &db->snap[i], &db->opts.snapshots[i], err) !=
		    0)
			return -1;
	}
	return 0;
}

void snap_close(struct snap *s)
{
	snaptext_free(s->texts);
	s->texts = NULL;
	(void)sqlite3_close(s->sql);
	s->sql = NULL;
	fdvfs_close(&s->vfs);
}

void snap_close_all(struct qt_db *db)
{
	size_t i;

	for (i = 0; i < db->nsnap; i++)
		snap_close(&db->snap[i]);
	free(db->snap);
	db->snap = NULL;
	db->nsnap = 0;
}

/* ---- a cursor's rows ---- */

struct snap *snapcur_snap(const struct cursor *c)
{
	return &c->db->snap[c->snap.at - 1];
}

void snapcur_close(struct snapcur *s)
{
	(void)sqlite3_finalize(s->st);
	*s = (struct snapcur){.begun = false};
}

/* What of a table is in no snapshot that was made without it. */
static int check_there(const struct cursor *c, const struct snap *s,
    struct qt_error *err)
{
	if (c->table == &table_records && !s->records)
		return qt_fail(err, QT_E_USAGE, s->name,
		    "the snapshot has no records (it was made without "
		    "--records)");
	if (c->table == &table_messages && !s->body &&
	    columns_has(c->used, M_BODY))
		return qt_fail(err, QT_E_USAGE, s->name,
		    "the snapshot has no body (it was made without --text)");
	return 0;
}

static bool is_messages(const struct cursor *c)
{
	return c->table == &table_messages;
}

/* Which of its tables the cursor reads. */
static int table_of(const struct cursor *c)
{
	int t = 0;

	while (snapform_columns(t) != c->columns)
		t++;
	return t;
}

/* The rows of the IDs that are asked for, when the statement names some. */
static void add_ids(struct qt_buf *sql, const struct cursor *c)
{
	const struct feed_plan *p = &c->feed.plan;
	size_t i;

	snapform_from(sql, table_of(c));
	if (!p->by_id || p->nids == 0)
		return;
	qt_buf_addf(sql, " WHERE %s.queue_id IN (", is_messages(c) ? "t" : "m");
	for (i = 0; i < p->nids; i++)
		qt_buf_adds(sql, i == 0 ? "?" : ",?");
	qt_buf_addc(sql, ')');
}

static int bind_ids(sqlite3_stmt *st, const struct snap *s,
    const struct feed_plan *p, struct qt_error *err)
{
	size_t i;

	for (i = 0; p->by_id && i < p->nids; i++)
		if (sqlite3_bind_text(st, (int)i + 1, p->ids[i], -1,
			SQLITE_STATIC) != SQLITE_OK)
			return snap_fail(s, err);
	return 0;
}

/* Whether a column is read: asked for, or for what is made of it, or, as
 * messages are counted, for that. */
static bool is_read(const struct cursor *c, int i)
{
	if (!is_messages(c))
		return columns_has(c->used, i);
	if (i == M_AS_JSON)
		return false;
	return columns_has(c->used, i) || i == M_STATE || i == M_QUEUE_NAME ||
	    (columns_has(c->used, M_AS_JSON) && as_json_takes(i));
}

static void make_sql(struct cursor *c, struct qt_buf *sql)
{
	struct snapcur *s = &c->snap;
	const int t = table_of(c);
	int i, n = 1;

	qt_buf_adds(sql, "SELECT t.row_id");
	for (i = 0; i < c->columns->n; i++) {
		s->column[i] = -1;
		/* the last bit stands for several */
		if (!is_read(c, i))
			continue;
		qt_buf_adds(sql, ", ");
		snapform_value(sql, t, i);
		s->column[i] = n++;
	}
	add_ids(sql, c);
}

_Static_assert(M_COUNT <= 80, "struct snapcur.column");

/* The next snapshot's statement. */
static int begin(struct cursor *c, struct qt_error *err)
{
	struct snapcur *s = &c->snap;
	const struct snap *from = &c->db->snap[s->at++];
	struct qt_buf sql;
	int r;

	if (check_there(c, from, err) != 0)
		return -1;
	qt_buf_init(&sql, 0);
	make_sql(c, &sql);
	r = qt_buf_check(&sql, err);
	if (r == 0)
		r = prepare(from, qt_buf_str(&sql), &s->st, err);
	qt_buf_release(&sql);
	return r == 0 ? bind_ids(s->st, from, &c->feed.plan, err) : r;
}

/* As the scanner counts what it hands out. */
static void count(struct cursor *c)
{
	struct qt_scan_stats *sum[] = {&c->db->stats, &c->db->closed};
	const char *state, *queue;
	bool kept, bad;
	size_t i;
	int st = 0;

	for (i = 0; i < 2; i++)
		sum[i]->rows++;
	if ((columns_want(c->columns, c->used) & QT_WANT_MSG) == 0)
		return;
	state = text_at(c->snap.st, c->snap.column[M_STATE]);
	queue = text_at(c->snap.st, c->snap.column[M_QUEUE_NAME]);
	while (st < QT_STATE_FOREIGN &&
	    strcmp(qt_state_name((enum qt_state)st), state) != 0)
		st++;
	kept = strcmp(queue, "corrupt") == 0 || strcmp(queue, "saved") == 0;
	bad = st == QT_STATE_CORRUPT || st == QT_STATE_MISPLACED ||
	    st == QT_STATE_FOREIGN;
	for (i = 0; i < 2; i++) {
		sum[i]->by_state[st]++;
		sum[i]->bad += bad && !kept;
	}
}

int snapcur_next(struct cursor *c, struct qt_error *err)
{
	struct snapcur *s = &c->snap;
	int r;

	for (;;) {
		if (s->st == NULL) {
			if (c->feed.plan.nothing || s->at == c->db->nsnap)
				return 1;
			if (begin(c, err) != 0)
				return -1;
		}
		r = sqlite3_step(s->st);
		if (r == SQLITE_ROW) {
			if (is_messages(c))
				count(c);
			return 0;
		}
		if (r != SQLITE_DONE)
			return snap_fail(snapcur_snap(c), err);
		(void)sqlite3_finalize(s->st);
		s->st = NULL;
	}
}

sqlite3_int64 snapcur_rowid(const struct cursor *c)
{
	uint64_t h = (uint64_t)sqlite3_column_int64(c->snap.st, 0);

	/* apart from those of the other sources */
	h = (h ^ (uint64_t)c->snap.at << 48) * 0x9e3779b97f4a7c15u;
	return (sqlite3_int64)(h ^ (h >> 31));
}

/* Up to a NUL, which no JSON has in it. */
static void put_json_text(struct cell *v, bool json, const char *text)
{
	if (!json)
		cell_put(v, CELL_TEXT, text);
	else if (text != NULL && qt_utf8_valid(text, strlen(text)))
		cell_put(v, CELL_JSON, text);
}

/* A value as a member of as_json; nothing of it is decoded any more. */
static void json_cell(struct cell *v, const void *from, int i)
{
	const struct cursor *c = from;
	const struct qt_column *col = &c->columns->v[i];
	sqlite3_stmt *st = c->snap.st;
	const int at = c->snap.column[i], type = sqlite3_column_type(st, at);
	const bool number = strcmp(col->type, "INTEGER") == 0 ||
	    strcmp(col->type, "BOOLEAN") == 0;

	v->type = CELL_NULL;
	if (number && type == SQLITE_INTEGER)
		cell_int(v, sqlite3_column_int64(st, at));
	else if (!number && type == SQLITE_TEXT)
		put_json_text(v, strcmp(col->type, "JSON") == 0,
		    (const char *)sqlite3_column_text(st, at));
}

static void put_as_json(struct cursor *c, sqlite3_context *ctx)
{
	struct qt_buf *b = &c->db->text;

	qt_buf_clear(b);
	as_json_from(b, json_cell, c, NULL);
	if (b->failed)
		sqlite3_result_error_toobig(ctx);
	else
		put_json(ctx, qt_buf_str(b));
}

static void put_text_of(const struct cursor *c, sqlite3_context *ctx, int i,
    const char *bytes, size_t len)
{
	const bool json = strcmp(c->columns->v[i].type, "JSON") == 0;

	/* with bytes that are shown as \xHH it would be JSON no more */
	if (json && (bytes == NULL || !qt_utf8_valid(bytes, len) ||
		memchr(bytes, '\0', len) != NULL))
		return;
	put_bytes(c->db, ctx, bytes, len);
	if (json)
		sqlite3_result_subtype(ctx, 'J');
}

void snapcur_column(struct cursor *c, sqlite3_context *ctx, int i)
{
	const struct qt_column *col = &c->columns->v[i];
	sqlite3_stmt *st = c->snap.st;
	const int at = c->snap.column[i];
	int type = at >= 0 ? sqlite3_column_type(st, at) : SQLITE_NULL;
	const void *bytes;

	if (is_messages(c) && i == M_AS_JSON) {
		put_as_json(c, ctx);
		return;
	}
	if (type == SQLITE_NULL)
		return;
	if (strcmp(col->type, "INTEGER") == 0 ||
	    strcmp(col->type, "BOOLEAN") == 0) {
		if (type == SQLITE_INTEGER)
			sqlite3_result_int64(ctx, sqlite3_column_int64(st, at));
	} else if (strcmp(col->type, "BLOB") == 0) {
		bytes = sqlite3_column_blob(st, at);
		sqlite3_result_blob64(ctx, bytes != NULL ? bytes : "",
		    (sqlite3_uint64)sqlite3_column_bytes(st, at),
		    SQLITE_TRANSIENT);
	} else if (type == SQLITE_TEXT) {
		bytes = sqlite3_column_text(st, at);
		put_text_of(c, ctx, i, bytes,
		    (size_t)sqlite3_column_bytes(st, at));
	}
}
