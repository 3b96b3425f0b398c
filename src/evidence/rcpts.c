/*
 * rcpts.c - metadata/recipients.jsonl.
 */
#include "evidence/rcpts.h"

#include <stdlib.h>
#include <string.h>

#include "qtool/escape.h"
#include "qtool/message.h"

#define WINDOW ((size_t)256 << 10) /* of a file too large for memory */
#define ARENA_MAX ((size_t)256 << 20)

/* A window over a spill that is not in memory. */
struct window {
	const struct qt_spill *bytes;
	unsigned char *mem;
	size_t cap;
};

static int more(struct qt_input *in, uint64_t offset, size_t need,
    struct qt_error *err)
{
	struct window *w = in->ctx;
	size_t n = need < WINDOW ? WINDOW : need;
	unsigned char *p;

	if (offset > in->size)
		offset = in->size;
	if (n > in->size - offset)
		n = (size_t)(in->size - offset);
	if (n > w->cap) {
		p = realloc(w->mem, n);
		if (p == NULL)
			return qt_fail_mem(err);
		w->mem = p;
		w->cap = n;
	}
	/* the old window is no more, also when the read fails */
	in->data = w->mem;
	in->start = offset;
	in->len = 0;
	if (n != 0 && qt_spill_read(w->bytes, offset, w->mem, n, err) != 0)
		return -1;
	in->len = n;
	return 0;
}

static void text(struct qt_buf *out, const char *name, const char *value)
{
	qt_buf_addf(out, ",\"%s\":", name);
	qt_json_string(out, value);
}

static const char *state_name(uint8_t state)
{
	switch ((enum qt_rcpt_state)state) {
	case QT_RCPT_TODO:
		return "todo";
	case QT_RCPT_DONE:
		return "done";
	case QT_RCPT_CANCELLED:
		return "cancelled";
	}
	return "unknown";
}

static void line(struct qt_buf *out, const struct qt_rcpt *r, size_t n,
    enum qt_queue queue, const char *id, const char *path)
{
	qt_buf_addf(out, "{\"queue_name\":\"%s\"", qt_queue_name(queue));
	text(out, "queue_id", id);
	text(out, "path", path);
	qt_buf_addf(out, ",\"n\":%zu", n);
	text(out, "address", r->address);
	text(out, "orig_address", r->orig);
	text(out, "dsn_orcpt", r->dsn_orcpt);
	text(out, "state", state_name(r->state));
	qt_buf_addf(out, ",\"notify\":%u,\"offset\":%llu}\n", r->notify,
	    (unsigned long long)r->offset);
}

static int put_lines(struct qt_spill *lines, const struct qt_msg *msg,
    enum qt_queue queue, const char *id, const char *path,
    struct qt_error *err)
{
	struct qt_buf out;
	size_t i;
	int r = 0;

	qt_buf_init(&out, 0);
	for (i = 0; i < msg->nrcpt && r == 0; i++) {
		qt_buf_clear(&out);
		line(&out, &msg->rcpt[i], i + 1, queue, id, path);
		r = qt_buf_check(&out, err);
		if (r == 0)
			r = qt_spill_add(lines, out.data, out.len, err);
	}
	qt_buf_release(&out);
	return r;
}

int qt_rcpts_list(struct qt_spill *lines, const struct qt_spill *bytes,
    enum qt_queue queue, const char *id, const char *path,
    struct qt_error *err)
{
	struct window win = {.bytes = bytes};
	struct qt_error why;
	struct qt_input in;
	struct qt_arena arena;
	struct qt_msg msg;
	int r;

	if (qt_spill_size(bytes) == 0)
		return 0;
	if (qt_spill_bytes(bytes) != NULL)
		qt_input_bytes(&in, qt_spill_bytes(bytes),
		    (size_t)qt_spill_size(bytes));
	else
		in = (struct qt_input){.size = qt_spill_size(bytes),
		    .more = more,
		    .ctx = &win};
	qt_arena_init(&arena, ARENA_MAX);
	r = qt_msg_parse(&msg, &in,
	    queue == QT_Q_MAILDROP ? QT_MSG_MAILDROP : QT_MSG_QUEUE,
	    QT_MSG_RCPTS, &arena, &why);
	if (r == 0 || why.code == QT_E_CORRUPT)
		r = put_lines(lines, &msg, queue, id, path, err);
	else if (err != NULL)
		*err = why;
	qt_arena_release(&arena);
	free(win.mem);
	return r;
}
