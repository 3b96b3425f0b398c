/*
 * archive_rows.c - rows of the messages table into an archive: each with what
 * the table knows of it, as JSON.
 *
 * First all are chosen, from directory entries alone when the selection asks
 * for no more, and kept open.  Then each is read once, in order, by the
 * scanner's workers: the row, the bytes and their sum are of the same read.
 */
#include "archiving.h"

#include <stdlib.h>
#include <string.h>

/* How a message is found again. */
enum { K_QUEUE, K_ID, K_PATH, K_DEV, K_INODE };
const char archive_keys[] = "queue_name, queue_id, path, dev, inode";

/* ---- names ---- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	    c >= 'A' && c <= 'F'    ? c - 'A' + 10 :
	    c >= 'a' && c <= 'f'    ? c - 'a' + 10 :
				      -1;
}

/*
 * The tables show a name's bytes that are no UTF-8 as \xHH; a file is found by
 * the bytes themselves.  The file's identity is compared, so a name that really
 * holds a backslash does no harm.
 */
static void raw_name(char *name)
{
	char *to = name;

	for (; *name != '\0'; name++) {
		if (name[0] == '\\' && name[1] == 'x' &&
		    hex_digit(name[2]) >= 8 && hex_digit(name[3]) >= 0) {
			*to++ = (char)(hex_digit(name[2]) << 4 |
			    hex_digit(name[3]));
			name += 3;
		} else
			*to++ = *name;
	}
	*to = '\0';
}

static const char *text_of(const struct qt_stmt *st, int i)
{
	size_t len;

	return qt_stmt_text(st, i, &len);
}

/* ---- choosing ---- */

const char *archive_row_path(const struct qt_stmt *st)
{
	return text_of(st, K_PATH);
}

int archive_pick(struct qt_picks *picks, const struct qt_stmt *st,
    const char *id, const char *found, struct qt_error *err)
{
	char *path = strdup(text_of(st, K_PATH));
	char *name = strdup(id != NULL ? id : text_of(st, K_ID));
	int r = -1;

	if (path == NULL || name == NULL) {
		free(path);
		free(name);
		return qt_fail_mem(err);
	}
	raw_name(path);
	if (id == NULL)
		raw_name(name);
	r = qt_picks_add(picks,
	    &(struct qt_pick){.id = name, .path = path, .found = found,
		.queue = qt_queue_by_name(text_of(st, K_QUEUE)),
		.dev = (dev_t)qt_stmt_int(st, K_DEV),
		.ino = (ino_t)qt_stmt_int(st, K_INODE)}, err);
	free(path);
	free(name);
	return r;
}

/* ---- adding ---- */

static int add_row(struct archive_pass *p, const struct qt_stmt *st,
    struct qt_error *err)
{
	const struct qt_row *row = qt_db_row(p->db);
	const struct qt_pick *pick = row != NULL ?
	    qt_picks_at(p->picks, (size_t)row->seq) : NULL;

	if (pick == NULL)
		return qt_fail(err, QT_E_STATE, "archive", "a row of nothing");
	p->now = pick;
	return qt_archive_add_row(p->a,
	    &(struct qt_archive_item){.spool = row->spool,
		.queue = pick->queue, .id = pick->id, .path = pick->path,
		.found = pick->found, .dev = pick->dev, .ino = pick->ino,
		.row = row, .db = p->db}, st, err);
}

static int add_rows(struct archive_pass *p, struct qt_stmt *st,
    struct qt_error *err)
{
	int r;

	while ((r = qt_stmt_step(st, err)) == 0) {
		if (add_row(p, st, err) == 0)
			p->added++;
		else if (!qt_error_is_item(err) || p->failed == NULL)
			return -1;
		else
			p->failed(p, err);
		progress(p->c, "messages archived", ++p->seen,
		    qt_picks_count(p->picks));
	}
	progress_end(p->c);
	return r < 0 ? -1 : 0;
}

int archive_add_picks(struct archive_pass *p, struct qt_error *err)
{
	const struct qt_row_work work = {.want = qt_archive_want(p->a),
	    .whole = qt_archive_whole(p->a), .line = qt_archive_lines(p->a),
	    .hook = qt_archive_hook, .drain = qt_archive_drain, .ctx = p->a};
	struct qt_stmt *st = NULL;
	struct qt_buf sql;
	int r;

	qt_picks_sort(p->picks);
	qt_buf_init(&sql, 0);
	qt_buf_adds(&sql, "SELECT ");
	if (work.line)
		qt_buf_adds(&sql, "inode");
	else
		qt_archive_columns(&sql);
	qt_buf_adds(&sql, " FROM messages");
	qt_db_pick(p->db, p->picks, &work);
	r = qt_buf_check(&sql, err);
	if (r == 0)
		r = qt_stmt_open(&st, p->db, sql.data, NULL, 0, err);
	if (r == 0)
		r = add_rows(p, st, err);
	qt_stmt_close(st);
	qt_db_pick(p->db, NULL, NULL);
	qt_buf_release(&sql);
	return r;
}
