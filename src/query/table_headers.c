/*
 * table_headers.c - the table headers: one row a header field.
 */
#include "query/vtab.h"

static int sub(struct cursor *c, struct qt_error *err)
{
	(void)err;
	return c->n < c->feed.row->headers.n ? 0 : 1;
}

static void cell(struct cursor *c, struct cell *v, int i)
{
	const struct qt_row *row = c->feed.row;
	const struct qt_header *h = &row->headers.v[c->n];

	switch (i) {
	case H_QUEUE_NAME:
		cell_put(v, CELL_CONST, qt_queue_name(row->queue));
		break;
	case H_QUEUE_ID:
		cell_put(v, CELL_TEXT, row->id);
		break;
	case H_N:
		cell_int(v, (int64_t)c->n + 1);
		break;
	case H_NAME:
		cell_put(v, CELL_TEXT, h->name);
		break;
	case H_HOST:
		cell_put(v, CELL_TEXT, row->spool->host);
		break;
	default: /* H_VALUE */
		cell_bytes(v, CELL_BYTES, h->value, h->value_len);
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
	.cell = cell,
};
