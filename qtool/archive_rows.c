/*
 * archive_rows.c - rows of the messages table into an archive: each with what
 * the table knows of it, as JSON.
 */
#include "archiving.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "qtool/escape.h"

/* What the archive is asked for by; the columns for JSON follow. */
enum { K_QUEUE, K_ID, K_PATH, K_DEV, K_INODE, K_COUNT };

const char archive_order[] = "ORDER BY queue_name, queue_id, path";

/*
 * path and sha256 are those in the archive, from the bytes that are in it;
 * whole contents are in the archive anyway.
 */
static bool in_json(const struct qt_column *col)
{
	return !col->hidden && strcmp(col->name, "path") != 0 &&
	    strcmp(col->name, "sha256") != 0 && strcmp(col->name, "body") != 0;
}

int archive_columns(struct qt_buf *out, struct qt_error *err)
{
	const struct qt_column *col;

	qt_buf_adds(out, "queue_name, queue_id, path, dev, inode");
	for (col = qt_db_columns("messages"); col->name != NULL; col++)
		if (in_json(col))
			qt_buf_addf(out, ", %s", col->name);
	return qt_buf_check(out, err);
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
	for (i = K_COUNT; i < n; i++) {
		qt_buf_addf(out, "%s\"%s\":", i == K_COUNT ? "{" : ",",
		    qt_stmt_colname(st, i));
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
 * the bytes themselves.  Whether something was changed; the caller compares
 * the file's identity, so a name that really holds a backslash does no harm.
 */
static bool raw_name(char *name)
{
	char *to = name;
	bool changed = false;

	for (; *name != '\0'; name++) {
		if (name[0] == '\\' && name[1] == 'x' &&
		    hex_digit(name[2]) >= 8 && hex_digit(name[3]) >= 0) {
			*to++ = (char)(hex_digit(name[2]) << 4 |
			    hex_digit(name[3]));
			name += 3;
			changed = true;
		} else
			*to++ = *name;
	}
	*to = '\0';
	return changed;
}

static const char *text_of(const struct qt_stmt *st, int i)
{
	size_t len;

	return qt_stmt_text(st, i, &len);
}

const char *archive_row_queue(const struct qt_stmt *st)
{
	return text_of(st, K_QUEUE);
}

const char *archive_row_id(const struct qt_stmt *st)
{
	return text_of(st, K_ID);
}

const char *archive_row_path(const struct qt_stmt *st)
{
	return text_of(st, K_PATH);
}

static int add_named(struct qt_archive *a, const struct qt_spool *spool,
    const struct qt_stmt *st, const char *id, const char *path,
    const char *found, const char *json, struct qt_error *err)
{
	const struct qt_archive_item it = {.spool = spool,
	    .queue = qt_queue_by_name(text_of(st, K_QUEUE)), .id = id,
	    .path = path, .found = found,
	    .dev = (dev_t)qt_stmt_int(st, K_DEV),
	    .ino = (ino_t)qt_stmt_int(st, K_INODE)};

	return qt_archive_add(a, &it, json, err);
}

int archive_row(struct qt_archive *a, const struct qt_spool *spool,
    const struct qt_stmt *st, const char *id, const char *found,
    struct qt_buf *json, struct qt_error *err)
{
	char *name = strdup(id != NULL ? id : text_of(st, K_ID));
	char *path = strdup(text_of(st, K_PATH));
	int r = -1;

	if (name == NULL || path == NULL)
		(void)qt_fail_mem(err);
	else if (row_json(json, st, err) == 0) {
		if (id == NULL)
			(void)raw_name(name);
		(void)raw_name(path);
		r = add_named(a, spool, st, name, path, found, json->data, err);
	}
	free(name);
	free(path);
	return r;
}
