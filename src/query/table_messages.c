/*
 * table_messages.c - the table messages: one row a queue file.
 */
#include <string.h>

#include "query/as_json.h"
#include "query/decode.h"
#include "query/vtab.h"

_Static_assert(M_MTIME_NS <= 63, "columns that SQLite cannot tell apart: "
    "only those that cost no more than fstat");

static void cell(struct cursor *c, struct cell *v, int i)
{
	struct qt_buf *b = &c->db->text;

	cell_of(v, c->feed.row, i);
	if (i != M_AS_JSON || v->type == CELL_JSON)
		return;
	/* most have it from the scan's workers */
	qt_buf_clear(b);
	(void)as_json(b, c->feed.row, decode_words);
	if (b->failed)
		v->type = CELL_TOOBIG;
	else
		cell_put(v, CELL_JSON, qt_buf_str(b));
}

const struct table table_messages = {
	.name = "messages",
	.queue_name = M_QUEUE_NAME,
	.queue_id = M_QUEUE_ID,
	.filters = true,
	.rows = 1,
	.cell = cell,
};
