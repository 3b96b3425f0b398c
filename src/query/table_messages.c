/*
 * table_messages.c - the table messages: one row a queue file.
 */
#include <string.h>

#include "query/as_json.h"
#include "query/cell.h"
#include "query/decode.h"
#include "query/vtab.h"

_Static_assert(M_MTIME_NS <= 63, "columns that SQLite cannot tell apart: "
    "only those that cost no more than fstat");

/* Header text, its encoded words decoded. */
static void decoded(struct qt_db *db, sqlite3_context *ctx, const char *s)
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

/* The whole row; most have it from the scan's workers. */
static void whole(struct cursor *c, sqlite3_context *ctx, const char *made)
{
	struct qt_buf *b = &c->db->text;

	if (made != NULL) {
		put_json(ctx, made);
		return;
	}
	qt_buf_clear(b);
	(void)as_json(b, c->feed.row, decode_words);
	if (b->failed)
		sqlite3_result_error_toobig(ctx);
	else
		put_json(ctx, qt_buf_str(b));
}

static void column(struct cursor *c, sqlite3_context *ctx, int i)
{
	struct cell v;

	cell_of(&v, c->feed.row, i);
	if (i == M_AS_JSON) {
		whole(c, ctx, v.type == CELL_JSON ? v.s : NULL);
		return;
	}
	switch (v.type) {
	case CELL_NULL:
		break;
	case CELL_INT:
		sqlite3_result_int64(ctx, v.i);
		break;
	case CELL_TEXT:
		put_text(c->db, ctx, v.s);
		break;
	case CELL_CONST:
		put_const(ctx, v.s);
		break;
	case CELL_JSON:
		put_json(ctx, v.s);
		break;
	case CELL_WORDS:
		decoded(c->db, ctx, v.s);
		break;
	case CELL_BYTES:
		put_bytes(c->db, ctx, v.s, v.len);
		break;
	}
}

const struct table table_messages = {
	.name = "messages",
	.queue_name = M_QUEUE_NAME,
	.queue_id = M_QUEUE_ID,
	.filters = true,
	.rows = 1,
	.column = column,
};
