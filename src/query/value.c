/*
 * value.c - values on their way into SQLite.
 */
#include "query/query.h"

#include <string.h>

#include "qtool/escape.h"
#include "query/cell.h"
#include "query/decode.h"

void text_form(struct qt_buf *out, const char *s, size_t len)
{
	const char *nul;

	/* an embedded NUL would end the value for most of SQLite's functions */
	while ((nul = memchr(s, '\0', len)) != NULL) {
		qt_escape_utf8(out, s, (size_t)(nul - s));
		qt_buf_adds(out, "\\x00");
		len -= (size_t)(nul - s) + 1;
		s = nul + 1;
	}
	qt_escape_utf8(out, s, len);
}

void put_bytes(struct qt_db *db, sqlite3_context *ctx, const char *s,
    size_t len)
{
	if (s == NULL) {
		sqlite3_result_null(ctx);
		return;
	}
	if (qt_utf8_valid(s, len) && memchr(s, '\0', len) == NULL) {
		sqlite3_result_text64(ctx, s, len, SQLITE_TRANSIENT,
		    SQLITE_UTF8);
		return;
	}
	qt_buf_clear(&db->text);
	text_form(&db->text, s, len);
	if (db->text.failed)
		sqlite3_result_error_toobig(ctx);
	else
		sqlite3_result_text64(ctx, qt_buf_str(&db->text), db->text.len,
		    SQLITE_TRANSIENT, SQLITE_UTF8);
}

/*
 * With length -1 SQLite copies the NUL too, and need not make room for one
 * when the text is read again: with 40 columns a row that counts.
 */
void put_text(struct qt_db *db, sqlite3_context *ctx, const char *s)
{
	size_t len = s != NULL ? strlen(s) : 0;

	if (s != NULL && qt_utf8_valid(s, len))
		sqlite3_result_text(ctx, s, -1, SQLITE_TRANSIENT);
	else
		put_bytes(db, ctx, s, len);
}

void put_const(sqlite3_context *ctx, const char *s)
{
	sqlite3_result_text(ctx, s, -1, SQLITE_STATIC);
}

void put_json(sqlite3_context *ctx, const char *s)
{
	if (s == NULL) {
		sqlite3_result_null(ctx);
		return;
	}
	sqlite3_result_text(ctx, s, -1, SQLITE_TRANSIENT);
	sqlite3_result_subtype(ctx, 'J'); /* json_object() nests it */
}

static bool made_text(struct qt_buf *b, const char **s, size_t *len)
{
	*s = qt_buf_str(b);
	*len = b->len;
	return !b->failed;
}

bool cell_text(struct qt_db *db, const struct cell *v, const char **s,
    size_t *len)
{
	const bool words = v->type == CELL_WORDS && strstr(v->s, "=?") != NULL;
	const char *text = v->s;
	struct qt_buf b;
	size_t n = v->type == CELL_BYTES ? v->len : strlen(text);
	bool good;

	if (!words && qt_utf8_valid(text, n) &&
	    (v->type != CELL_BYTES || memchr(text, '\0', n) == NULL)) {
		*s = text;
		*len = n;
		return true;
	}
	qt_buf_clear(&db->text);
	if (!words) {
		text_form(&db->text, text, n);
		return made_text(&db->text, s, len);
	}
	qt_buf_init(&b, 0);
	decode_words(&b, text, n);
	text_form(&db->text, qt_buf_str(&b), b.len);
	good = !b.failed;
	qt_buf_release(&b);
	return made_text(&db->text, s, len) && good;
}

/* Header text, its encoded words decoded. */
static void put_words(struct qt_db *db, sqlite3_context *ctx, const char *s)
{
	struct qt_buf b;

	if (strstr(s, "=?") == NULL) {
		put_text(db, ctx, s);
		return;
	}
	qt_buf_init(&b, 0);
	decode_words(&b, s, strlen(s));
	if (b.failed)
		sqlite3_result_error_nomem(ctx);
	else
		put_bytes(db, ctx, qt_buf_str(&b), b.len);
	qt_buf_release(&b);
}

void put_cell(struct qt_db *db, sqlite3_context *ctx, const struct cell *v)
{
	switch (v->type) {
	case CELL_NULL:
		break;
	case CELL_INT:
		sqlite3_result_int64(ctx, v->i);
		break;
	case CELL_TEXT:
		put_text(db, ctx, v->s);
		break;
	case CELL_CONST:
		put_const(ctx, v->s);
		break;
	case CELL_JSON:
		put_json(ctx, v->s);
		break;
	case CELL_WORDS:
		put_words(db, ctx, v->s);
		break;
	case CELL_BYTES:
		put_bytes(db, ctx, v->s, v->len);
		break;
	case CELL_BLOB:
		sqlite3_result_blob64(ctx, v->s, v->len, SQLITE_TRANSIENT);
		break;
	case CELL_TOOBIG:
		sqlite3_result_error_toobig(ctx);
		break;
	}
}

void put_error(struct qt_db *db, sqlite3_context *ctx,
    const struct qt_error *err)
{
	if (!db->have_err) {
		db->err = *err;
		db->have_err = true;
	}
	sqlite3_result_error(ctx, err->text, -1);
}
