/*
 * archive_rows.c - rows of the messages table into an archive: each with what
 * the table knows of it, as JSON.
 *
 * First all are chosen, from directory entries alone when the selection asks
 * for no more, and kept open.  Then each is read once, in order, by the
 * scanner's workers: the row, the bytes and their sum are of the same read.
 */
#include "archiving.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "qtool/escape.h"

/* How a message is found again. */
enum { K_QUEUE, K_ID, K_PATH, K_DEV, K_INODE };
const char archive_keys[] = "queue_name, queue_id, path, dev, inode";

/* What the scan has to have of a message beside its columns. */
#define WANT (QT_WANT_KEPT | QT_WANT_RCPTS)

/*
 * path and sha256 are those in the archive, from the bytes that are in it;
 * whole contents are in the archive anyway, recipients have a list of their
 * own, and who has a lock on it now says nothing later.
 */
static bool in_json(const struct qt_column *col)
{
	static const char *const not[] = {"path", "sha256", "body",
	    "recipients", "in_delivery"};
	size_t i;

	for (i = 0; i < sizeof(not) / sizeof(not[0]); i++)
		if (strcmp(col->name, not[i]) == 0)
			return false;
	return !col->hidden;
}

static void add_columns(struct qt_buf *out)
{
	const struct qt_column *col;
	const char *comma = "";

	for (col = qt_db_columns("messages"); col->name != NULL; col++)
		if (in_json(col)) {
			qt_buf_addf(out, "%s%s", comma, col->name);
			comma = ", ";
		}
}

/* ---- a row of messages as JSON ---- */

static void put_json(struct qt_buf *out, const struct qt_stmt *st, int i)
{
	const char *text;
	size_t len;

	switch (qt_stmt_type(st, i)) {
	case QT_COL_NULL:
		qt_buf_adds(out, "null");
		break;
	case QT_COL_INT:
		if (qt_stmt_isbool(st, i))
			qt_buf_adds(out,
			    qt_stmt_int(st, i) != 0 ? "true" : "false");
		else
			qt_buf_addf(out, "%" PRId64, qt_stmt_int(st, i));
		break;
	case QT_COL_REAL:
		qt_buf_addf(out, "%.17g", qt_stmt_real(st, i));
		break;
	case QT_COL_TEXT:
	case QT_COL_BLOB:
	default:
		text = qt_stmt_text(st, i, &len);
		if (qt_stmt_isjson(st, i)) {
			qt_buf_add(out, text, len);
			break;
		}
		qt_buf_addc(out, '"');
		qt_escape_json(out, text, len);
		qt_buf_addc(out, '"');
		break;
	}
}

static int row_json(struct qt_buf *out, const struct qt_stmt *st,
    struct qt_error *err)
{
	int i, n = qt_stmt_ncol(st);

	qt_buf_clear(out);
	for (i = 0; i < n; i++) {
		qt_buf_adds(out, i == 0 ? "{\"" : ",\"");
		qt_buf_adds(out, qt_stmt_colname(st, i));
		qt_buf_adds(out, "\":");
		put_json(out, st, i);
	}
	qt_buf_addc(out, '}');
	return qt_buf_check(out, err);
}

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
    struct qt_buf *json, struct qt_error *err)
{
	const struct qt_row *row = qt_db_row(p->db);
	const struct qt_pick *pick = row != NULL ?
	    qt_picks_at(p->picks, (size_t)row->seq) : NULL;

	if (pick == NULL)
		return qt_fail(err, QT_E_STATE, "archive", "a row of nothing");
	p->now = pick;
	if (row_json(json, st, err) != 0)
		return -1;
	return qt_archive_add(p->a,
	    &(struct qt_archive_item){.spool = row->spool,
		.queue = pick->queue, .id = pick->id, .path = pick->path,
		.found = pick->found, .dev = pick->dev, .ino = pick->ino,
		.row = row}, json->data, err);
}

static int add_rows(struct archive_pass *p, struct qt_stmt *st,
    struct qt_buf *json, struct qt_error *err)
{
	int r;

	while ((r = qt_stmt_step(st, err)) == 0) {
		if (add_row(p, st, json, err) == 0)
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
	struct qt_stmt *st = NULL;
	struct qt_buf sql, json;
	int r;

	qt_picks_sort(p->picks);
	qt_buf_init(&sql, 0);
	qt_buf_init(&json, 0);
	qt_buf_adds(&sql, "SELECT ");
	add_columns(&sql);
	qt_buf_adds(&sql, " FROM messages");
	qt_db_pick(p->db, p->picks, WANT);
	r = qt_buf_check(&sql, err);
	if (r == 0)
		r = qt_stmt_open(&st, p->db, sql.data, NULL, 0, err);
	if (r == 0)
		r = add_rows(p, st, &json, err);
	qt_stmt_close(st);
	qt_db_pick(p->db, NULL, 0);
	qt_buf_release(&json);
	qt_buf_release(&sql);
	return r;
}
