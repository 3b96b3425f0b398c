/*
 * table_records.c - the table records: one row a record of the queue file, in
 * logical order, pointers and padding among them.
 *
 * The file is opened again for its records, which are read as SQLite asks for
 * them.  What is corrupt ends the file's rows; messages.error says it.
 */
#include <string.h>
#include <unistd.h>

#include "query/vtab.h"

struct records {
	bool open;
	int fd;
	struct qt_file_input input;
	struct qt_walk walk;
	struct qt_record rec; /* the current one, number n - 1 */
	size_t n;	      /* records read */
};

static void leave(struct cursor *c)
{
	struct records *r = c->own;

	if (r->open) {
		qt_file_input_release(&r->input);
		(void)close(r->fd);
	}
	*r = (struct records){0};
}

static int open_file(struct records *r, const struct qt_row *row,
    struct qt_error *err)
{
	if (qt_row_open(row, &r->fd, err) != 0)
		return -1;
	if (qt_file_input_init(&r->input, r->fd, (uint64_t)row->file_size,
		err) != 0) {
		(void)close(r->fd);
		return -1;
	}
	qt_walk_init(&r->walk, &r->input.in, false,
	    QT_CURSOR_POINTERS | QT_CURSOR_PADDING);
	r->open = true;
	return 0;
}

static int sub(struct cursor *c, struct qt_error *err)
{
	struct records *r = c->own;
	const struct qt_row *row = c->feed.row;
	struct qt_error item = {0};
	int got;

	if (row->state == QT_STATE_FOREIGN)
		return 1;
	if (c->n < r->n) /* already there: the first one */
		return 0;
	if (!r->open && open_file(r, row, &item) != 0)
		got = -1;
	else
		got = qt_walk_next(&r->walk, &r->rec, &item);
	if (got == 0) {
		r->n++;
		return 0;
	}
	/* gone, or corrupt from here on: that file's affair */
	if (got > 0 || qt_error_is_item(&item) || item.code == QT_E_SYS)
		return 1;
	*err = item;
	return -1;
}

static void cell(struct cursor *c, struct cell *v, int i)
{
	const struct records *r = c->own;
	const struct qt_row *row = c->feed.row;

	switch (i) {
	case C_QUEUE_NAME:
		cell_put(v, CELL_CONST, qt_queue_name(row->queue));
		break;
	case C_QUEUE_ID:
		cell_put(v, CELL_TEXT, row->id);
		break;
	case C_OFFSET:
		cell_int(v, (int64_t)r->rec.read_offset);
		break;
	case C_SEGMENT:
		cell_put(v, CELL_CONST, qt_segment_name(r->walk.seg));
		break;
	case C_TYPE:
		v->own[0] = (char)r->rec.type;
		cell_bytes(v, CELL_BYTES, v->own, 1);
		break;
	case C_LENGTH:
		cell_int(v, (int64_t)r->rec.length);
		break;
	case C_DATA:
		cell_bytes(v, CELL_BLOB,
		    r->rec.data_len != 0 ? (const void *)r->rec.data : "",
		    r->rec.data_len);
		break;
	case C_HOST:
		cell_put(v, CELL_TEXT, row->spool->host);
		break;
	default: /* C_LABEL */
		cell_put(v, CELL_TEXT, qt_record_label(r->rec.type,
		    r->walk.seg == QT_SEG_CONTENT));
		break;
	}
}

const struct table table_records = {
	.name = "records",
	.queue_name = C_QUEUE_NAME,
	.queue_id = C_QUEUE_ID,
	.rows = 50,
	.want = QT_WANT_MSG | QT_WANT_STAT,
	.state_size = sizeof(struct records),
	.sub = sub,
	.leave = leave,
	.cell = cell,
};
