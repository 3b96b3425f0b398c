/*
 * value.c - values on their way into SQLite.
 */
#include "query/query.h"

#include <string.h>

#include "qtool/escape.h"

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

void put_error(struct qt_db *db, sqlite3_context *ctx,
    const struct qt_error *err)
{
	if (!db->have_err) {
		db->err = *err;
		db->have_err = true;
	}
	sqlite3_result_error(ctx, err->text, -1);
}
