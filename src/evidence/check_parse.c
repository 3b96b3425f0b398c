/*
 * check_parse.c - what the tables should say of a message, worked out of its
 * file as it comes by, in the form that they have.
 */
#include "evidence/check.h"

#include <stdlib.h>
#include <string.h>

#include "qtool/escape.h"
#include "qtool/message.h"

#define WINDOW ((size_t)256 << 10) /* of a file too large for memory */
#define ARENA_MAX ((size_t)256 << 20)

/* ---- the file's bytes ---- */

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
	uint64_t from = offset < in->size ? offset : in->size;
	size_t n = need < WINDOW ? WINDOW : need;
	unsigned char *p;

	if (n > in->size - from)
		n = (size_t)(in->size - from);
	if (n > w->cap) {
		p = realloc(w->mem, n);
		if (p == NULL)
			return qt_fail_mem(err);
		w->mem = p;
		w->cap = n;
	}
	in->data = w->mem;
	in->start = from;
	in->len = 0; /* also when the read fails */
	if (n != 0 && qt_spill_read(w->bytes, from, w->mem, n, err) != 0)
		return -1;
	in->len = n;
	return 0;
}

/* What is in the file beside what qmgr looks at; a damaged header is none. */
static int parse_body(struct qt_check *c, struct qt_body *body,
    struct qt_input *in, const struct qt_msg *msg, bool maildrop,
    struct qt_arena *arena, struct qt_error *err)
{
	uint64_t start = qt_body_content(in, msg, maildrop);
	struct qt_headers h = {.n = 0};
	struct qt_error why = {0};
	struct qt_content content;

	if (start == 0)
		return 0;
	qt_content_init(&content, in, start);
	if (qt_headers_read(&h, &content, QT_ROW_HEADER_MAX, arena, &why) != 0 &&
	    why.code != QT_E_CORRUPT) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	return qt_body_read(body, in, start, &h, &c->sha256, err);
}

static int parse(struct qt_check *c, struct qt_msg *msg, struct qt_body *body,
    enum qt_queue queue, struct qt_arena *arena, struct qt_error *err)
{
	const struct qt_spill *bytes = &c->message;
	struct window win = {.bytes = bytes};
	struct qt_input in;
	int r;

	if (qt_spill_bytes(bytes) != NULL)
		qt_input_bytes(&in, qt_spill_bytes(bytes),
		    (size_t)qt_spill_size(bytes));
	else
		in = (struct qt_input){.size = qt_spill_size(bytes),
		    .more = more, .ctx = &win};
	r = qt_msg_parse(msg, &in,
	    queue == QT_Q_MAILDROP ? QT_MSG_MAILDROP : QT_MSG_QUEUE,
	    QT_MSG_RCPTS, arena, err);
	if (r == 0)
		r = parse_body(c, body, &in, msg, queue == QT_Q_MAILDROP, arena,
		    err);
	free(win.mem);
	return r;
}

/* ---- what a row should say ---- */

static void text(struct qt_buf *out, const char *name, const char *value)
{
	qt_buf_addf(out, ",\"%s\":", name);
	qt_json_string(out, value);
}

static void number(struct qt_buf *out, const char *name, int64_t n)
{
	qt_buf_addf(out, ",\"%s\":%lld", name, (long long)n);
}

/* The columns of messages that the file alone decides (table_messages.c). */
static void envelope(struct qt_buf *out, const struct qt_msg *m)
{
	if (m->arrival_time > 0)
		number(out, "arrival_time", m->arrival_time);
	if (m->create_time != 0)
		number(out, "create_time", m->create_time);
	text(out, "sender", m->sender);
	text(out, "sasl_username", m->sasl_username);
	text(out, "sasl_method", m->sasl_method);
	text(out, "sasl_sender", m->sasl_sender);
	text(out, "client_address", m->log_client_address);
	text(out, "client_name", m->log_client_name);
	text(out, "client_port", m->log_client_port);
	text(out, "helo_name", m->log_helo_name);
	text(out, "log_ident", m->log_ident);
	text(out, "peer_address", m->client_address);
	text(out, "peer_port", m->client_port);
	number(out, "rcpt_total", (int64_t)(m->ntodo + m->ndone));
	number(out, "rcpt_todo", (int64_t)m->ntodo);
	number(out, "rcpt_done", (int64_t)m->ndone);
}

static void fact_line(struct qt_buf *out, const char *path, enum qt_queue queue,
    const char *id, int64_t mtime, const struct qt_msg *m,
    const struct qt_body *body)
{
	qt_buf_addf(out, "{\"path\":\"%s\",\"queue_name\":\"%s\"", path,
	    qt_queue_name(queue));
	text(out, "queue_id", id);
	number(out, "tar_mtime", mtime);
	if (body != NULL) {
		envelope(out, m);
		qt_body_tell(out, body);
	} else {
		qt_buf_adds(out, ",\"state\":\"corrupt\"");
	}
	qt_buf_adds(out, "}\n");
}

/* ---- recipients ---- */

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

static void rcpt_line(struct qt_buf *out, const struct qt_rcpt *r, size_t n,
    enum qt_queue queue, const char *id)
{
	qt_buf_addf(out, "{\"queue_name\":\"%s\"", qt_queue_name(queue));
	text(out, "queue_id", id);
	number(out, "n", (int64_t)n);
	text(out, "address", r->address);
	text(out, "orig_address", r->orig);
	text(out, "state", state_name(r->state));
	number(out, "offset", (int64_t)r->offset);
	qt_buf_adds(out, "}\n");
}

static int put_rcpts(struct qt_check *c, const struct qt_msg *msg,
    enum qt_queue queue, const char *id, struct qt_error *err)
{
	struct qt_buf line;
	size_t i;
	int r = 0;

	qt_buf_init(&line, 0);
	for (i = 0; i < msg->nrcpt && r == 0; i++) {
		qt_buf_clear(&line);
		rcpt_line(&line, &msg->rcpt[i], i + 1, queue, id);
		r = qt_buf_check(&line, err);
		if (r == 0)
			r = qt_spill_add(&c->rcpts, line.data, line.len, err);
	}
	qt_buf_release(&line);
	return r;
}

/* ---- a message ---- */

static int put_facts(struct qt_check *c, const char *path, enum qt_queue queue,
    const char *id, int64_t mtime, const struct qt_msg *msg,
    const struct qt_body *body, struct qt_error *err)
{
	struct qt_buf line;
	int r;

	qt_buf_init(&line, 0);
	fact_line(&line, path, queue, id, mtime, msg, body);
	r = qt_buf_check(&line, err);
	if (r == 0)
		r = qt_spill_add(&c->facts, line.data, line.len, err);
	qt_buf_release(&line);
	return r;
}

int qt_check_message(struct qt_check *c, const char *path, enum qt_queue queue,
    const char *id, int64_t mtime, struct qt_error *err)
{
	struct qt_error why = {0};
	struct qt_arena arena;
	struct qt_body body;
	struct qt_msg msg;
	int r;

	qt_arena_init(&arena, ARENA_MAX);
	qt_body_init(&body);
	r = parse(c, &msg, &body, queue, &arena, &why);
	if (r != 0 && why.code != QT_E_CORRUPT) {
		if (err != NULL)
			*err = why;
	} else {
		r = put_facts(c, path, queue, id, mtime, &msg,
		    r == 0 ? &body : NULL, err);
		/* a corrupt one has those before the damage */
		if (r == 0)
			r = put_rcpts(c, &msg, queue, id, err);
	}
	qt_body_release(&body);
	qt_arena_release(&arena);
	return r;
}
