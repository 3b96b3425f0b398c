/*
 * table_headers.c - the table headers: one row a header field.
 */
#include <string.h>

#include "query/vtab.h"

static int sub(struct cursor *c, struct qt_error *err)
{
	(void)err;
	return c->n < c->feed.row->headers.n ? 0 : 1;
}

static void column(struct cursor *c, sqlite3_context *ctx, int i)
{
	const struct qt_row *row = c->feed.row;
	const struct qt_header *h = &row->headers.v[c->n];

	switch (i) {
	case H_QUEUE_NAME:
		put_const(ctx, qt_queue_name(row->queue));
		break;
	case H_QUEUE_ID:
		put_text(c->db, ctx, row->id);
		break;
	case H_N:
		sqlite3_result_int64(ctx, (sqlite3_int64)c->n + 1);
		break;
	case H_NAME:
		put_text(c->db, ctx, h->name);
		break;
	case H_HOST:
		put_text(c->db, ctx, row->spool->host);
		break;
	default: /* H_VALUE */
		put_bytes(c->db, ctx, h->value, h->value_len);
		break;
	}
}

const struct table table_headers = {
	.name = "headers",
	.queue_name = H_QUEUE_NAME,
	.queue_id = H_QUEUE_ID,
	.rows = 15,
	.want = QT_WANT_MSG | QT_WANT_STAT | QT_WANT_HEADERS,
	.sub = sub,
	.column = column,
};
