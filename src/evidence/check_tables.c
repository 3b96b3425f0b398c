/*
 * check_tables.c - the tables of an archive against those made anew of its
 * files: messages.jsonl member by member, index.sqlite value by value.
 *
 * The archive is read once more, as a queue: what -A shows of it is what it
 * should say of itself.
 */
#include "evidence/check.h"

#include <stdlib.h>
#include <string.h>

#include "evidence/line.h"
#include "format/json.h"
#include "qtool/escape.h"
#include "qtool/snapshot.h"

static const struct qt_snapshot_opts plain = {.body = false};

struct tables {
	struct qt_check *c;
	struct qt_spools spools;
	struct qt_db *db;
	struct qt_stmt *st;
	struct qt_snapcheck *index; /* NULL: there is none, or no database */
	struct qt_lines lines;	    /* of messages.jsonl */
	struct qt_buf text, json;
};

/* ---- index.sqlite ---- */

static const char *const index_path = "metadata/index.sqlite";

static void on_flaw(void *ctx, const struct qt_snapflaw *f)
{
	struct qt_check *c = ctx;
	char row[200] = "";

	if (f->n > 0)
		(void)snprintf(row, sizeof row, ", row %lld of it",
		    (long long)f->n);
	else if (f->n < 0)
		(void)snprintf(row, sizeof row, ", row ID %lld",
		    (long long)f->rowid);
	switch (f->what) {
	case QT_SNAP_DAMAGED:
		qt_check_tell(c, QT_FLAW_TABLE, index_path, -1, NULL, f->found,
		    "is damaged");
		break;
	case QT_SNAP_MISSING:
		qt_check_tell(c, QT_FLAW_TABLE, index_path, -1, NULL, NULL,
		    "lacks a row of %s: message %s in %s%s", f->table, f->id,
		    f->queue, row);
		break;
	case QT_SNAP_ADDED:
		if (f->id == NULL)
			qt_check_tell(c, QT_FLAW_TABLE, index_path, -1, NULL,
			    NULL, "has a row of %s that none of its rows is "
			    "about%s", f->table, row);
		else
			qt_check_tell(c, QT_FLAW_TABLE, index_path, -1, NULL,
			    NULL, "has a row of %s that no file has: message "
			    "%s in %s%s", f->table, f->id, f->queue, row);
		break;
	case QT_SNAP_VALUE:
		qt_check_tell(c, QT_FLAW_ROW, index_path, -1, f->expected,
		    f->found, "does not say what the file says: %s.%s of "
		    "message %s in %s%s", f->table, f->column, f->id, f->queue,
		    row);
		break;
	}
}

/* What its bytes do to SQLite is its own flaw; other failures are ours. */
static int index_failed(struct tables *t, const struct qt_error *e,
    struct qt_error *err)
{
	qt_snapcheck_free(t->index);
	t->index = NULL;
	if (e->code != QT_E_STATE) {
		if (err != NULL)
			*err = *e;
		return -1;
	}
	qt_check_tell(t->c, QT_FLAW_TABLE, index_path, -1, NULL, NULL, "%s",
	    e->text);
	return 0;
}

static int open_index(struct tables *t, struct qt_error *err)
{
	struct qt_check *c = t->c;
	struct qt_snapfile file = {.fd = -1, .name = index_path};
	const struct qt_snapcheck_opts opts = {.report = on_flaw,
	    .report_ctx = c, .queue_dir = c->queue_dir, .stop = c->opts->stop};
	struct qt_error e = {0};

	if (!c->have[QT_TOLD_INDEX])
		return 0;
	if (qt_spill_to_file(&c->kept[QT_TOLD_INDEX], &file.fd, err) != 0)
		return -1;
	return qt_snapcheck_new(&t->index, &file, &opts, &e) == 0 ? 0 :
	    index_failed(t, &e, err);
}

/* ---- a message ---- */

/* Its path in the bag; "" when its line does not say. */
static void path_of(struct qt_lines *l, char path[QT_MEMBER_SIZE])
{
	struct qt_json_value v;

	path[0] = '\0';
	if (qt_check_member(l, "path", &v))
		(void)!qt_json_text(&v, path, QT_MEMBER_SIZE);
}

static int locked(struct qt_lines *l)
{
	struct qt_json_value v;

	/* "true" or "false"; or "null" */
	if (!qt_check_member(l, "locked_at_capture", &v) ||
	    v.type != QT_JSON_WORD || v.text[0] == 'n')
		return -1;
	return v.text[0] == 't';
}

static int one_message(struct tables *t, struct qt_row *row,
    struct qt_error *err)
{
	const char *where = qt_told_paths[QT_TOLD_MESSAGES];
	struct qt_snaptold told = {.locked = -1};
	char path[QT_MEMBER_SIZE];
	struct qt_error e = {0};
	int r;

	qt_buf_clear(&t->text);
	qt_escape_utf8(&t->text, row->path, strlen(row->path));
	qt_buf_clear(&t->json);
	qt_line_row(&t->json, t->st, NULL);
	if (qt_buf_check(&t->text, err) != 0 || qt_buf_check(&t->json, err) != 0)
		return -1;
	r = qt_check_seek(&t->lines, "found", qt_buf_str(&t->text), err);
	if (r < 0)
		return -1;
	if (r == 0) {
		told.locked = locked(&t->lines);
		path_of(&t->lines, path);
		qt_check_members(t->c, path, &t->lines, qt_buf_str(&t->json),
		    t->json.len);
	} else if ((row->unknown & QT_ROW_INODE) == 0) {
		/* of no line at all was told before */
		qt_check_tell(t->c, QT_FLAW_TABLE, where, -1, NULL, NULL,
		    "has no line about %s, or not in its place",
		    qt_buf_str(&t->text));
	}
	if (t->index == NULL ||
	    qt_snapcheck_row(t->index, row, &told, &e) == 0)
		return 0;
	return index_failed(t, &e, err);
}

static int all_messages(struct tables *t, struct qt_error *err)
{
	struct qt_error e = {0};
	int r;

	while ((r = qt_stmt_step(t->st, err)) == 0)
		if (one_message(t, qt_db_row(t->db), err) != 0)
			return -1;
	if (r < 0)
		return -1;
	if (t->index == NULL || qt_snapcheck_finish(t->index, &e) == 0)
		return 0;
	return index_failed(t, &e, err);
}

/* ---- the archive as a queue ---- */

static int open_queue(struct tables *t, struct qt_error *err)
{
	const struct qt_row_work work = {.want = qt_snapshot_want(&plain),
	    .whole = true};
	const struct qt_db_opts opts = {.stop = t->c->opts->stop};

	if (qt_spools_add_archive_fd(&t->spools, t->c->fd, t->c->file, err) !=
		0 ||
	    qt_spools_load(&t->spools, t->c->opts->stop, NULL, NULL, err) != 0 ||
	    qt_db_open(&t->db, &t->spools, &opts, err) != 0)
		return -1;
	qt_db_pick(t->db, NULL, &work);
	qt_buf_adds(&t->text, "SELECT ");
	qt_archive_columns(&t->text);
	qt_buf_adds(&t->text, " FROM messages");
	if (qt_buf_check(&t->text, err) != 0)
		return -1;
	return qt_stmt_open(&t->st, t->db, qt_buf_str(&t->text), NULL, 0, err);
}

static int check_all(struct tables *t, struct qt_error *err)
{
	struct qt_error e = {0};

	if (open_queue(t, &e) == 0)
		return open_index(t, err) != 0 ? -1 : all_messages(t, err);
	if (e.code != QT_E_STATE) {
		if (err != NULL)
			*err = e;
		return -1;
	}
	qt_check_tell(t->c, QT_FLAW_TABLE, qt_told_paths[QT_TOLD_MESSAGES], -1,
	    NULL, NULL, "cannot be held against the files: %s", e.text);
	return 0;
}

int qt_check_tables(struct qt_check *c, struct qt_error *err)
{
	struct tables t = {.c = c};
	int r;

	/* what was made unreadable says no longer what its row says; what is
	 * damaged is no queue; and case.json tells the host, and the version of
	 * Postfix */
	if (!c->res->whole || !c->have[QT_TOLD_MESSAGES] ||
	    !c->have[QT_TOLD_CASE] || qt_check_redacted(c))
		return 0;
	qt_spools_init(&t.spools);
	qt_lines_init(&t.lines, &c->kept[QT_TOLD_MESSAGES]);
	qt_buf_init(&t.text, 0);
	qt_buf_init(&t.json, 0);
	r = check_all(&t, err);
	qt_stmt_close(t.st);
	qt_snapcheck_free(t.index);
	qt_db_close(t.db);
	qt_spools_release(&t.spools);
	qt_lines_release(&t.lines);
	qt_buf_release(&t.text);
	qt_buf_release(&t.json);
	return r;
}
