/*
 * show_tables.c - one message decoded for reading, out of a snapshot's tables.
 *
 * The rows are put together to what the message's file would have given, and
 * shown as that.  What the tables do not have (a filter, a redirection, the
 * envelope ID, records) is not there; text only where the snapshot was made
 * with it.
 */
#include <string.h>

#include "show.h"

#define MEMORY ((size_t)256 << 20) /* of one message's rows */

static const char *const no_text =
    "the snapshot was made without the text of messages: snapshot --text "
    "keeps it";

struct told {
	struct ctx *c;
	struct qt_row row; /* its arena has all strings */
	struct qt_spool spool; /* has the queue's directory only */
	const char *host;
	struct qt_buf mail;
	bool have_body;
	bool failed; /* out of memory */
};

/* ---- columns ---- */

static const char *text(struct told *t, const struct qt_stmt *st, int i)
{
	const char *s;
	size_t len;

	if (qt_stmt_type(st, i) == QT_COL_NULL)
		return NULL;
	s = qt_stmt_text(st, i, &len);
	s = qt_arena_dup(&t->row.arena, s, len);
	t->failed = t->failed || s == NULL;
	return s;
}

static int64_t number(const struct qt_stmt *st, int i)
{
	return qt_stmt_type(st, i) == QT_COL_INT ? qt_stmt_int(st, i) : 0;
}

/* ---- messages ---- */

enum { K_QUEUE, K_ID, K_HOST, K_DIR, K_PATH, K_STATE, K_ERROR, K_OFFSET, K_MODE,
	K_FILE_SIZE, K_MTIME, K_ARRIVAL, K_CREATE, K_SIZE, K_SENDER, K_LOGIN,
	K_METHOD, K_CLIENT, K_CLIENT_NAME, K_CLIENT_PORT, K_HELO, K_PROTOCOL,
	K_ORIGIN, K_IDENT, K_PEER, K_PEER_NAME, K_PEER_PORT, K_TODO, K_DONE };
static const char columns[] = "queue_name, queue_id, host, queue_dir, path, "
    "state, error, error_offset, mode, file_size, mtime, arrival_time, "
    "create_time, message_size, sender, sasl_username, sasl_method, "
    "client_address, client_name, client_port, helo_name, protocol_name, "
    "message_origin, log_ident, peer_address, peer_name, peer_port, rcpt_todo, "
    "rcpt_done";

static enum qt_state state_of(const char *name)
{
	int s;

	for (s = QT_STATE_OK; s < QT_STATE_FOREIGN; s++)
		if (name != NULL &&
		    strcmp(name, qt_state_name((enum qt_state)s)) == 0)
			break;
	return (enum qt_state)s;
}

static void take_row(struct told *t, const struct qt_stmt *st)
{
	struct qt_row *row = &t->row;
	const char *queue = text(t, st, K_QUEUE), *dir = text(t, st, K_DIR);

	t->spool.queue_dir = (char *)(uintptr_t)(dir != NULL ? dir : "");
	row->spool = &t->spool;
	row->queue = qt_queue_by_name(queue != NULL ? queue : "");
	row->id = text(t, st, K_ID);
	row->path = text(t, st, K_PATH);
	t->host = text(t, st, K_HOST);
	row->state = state_of(text(t, st, K_STATE));
	row->error = text(t, st, K_ERROR);
	row->error_offset = qt_stmt_type(st, K_OFFSET) == QT_COL_INT ?
	    qt_stmt_int(st, K_OFFSET) : -1;
	row->mode = (mode_t)number(st, K_MODE);
	row->file_size = number(st, K_FILE_SIZE);
	row->mtime_ns = number(st, K_MTIME) < INT64_MAX / 1000000000 ?
	    number(st, K_MTIME) * 1000000000 : 0;
}

static void take_envelope(struct told *t, const struct qt_stmt *st)
{
	struct qt_msg *m = &t->row.msg;

	/* what Postfix tells where the file does not is the file's size */
	m->have_size = number(st, K_SIZE) != number(st, K_FILE_SIZE);
	m->size[0] = number(st, K_SIZE);
	m->arrival_time = number(st, K_ARRIVAL);
	m->create_time = number(st, K_CREATE);
	m->sender = text(t, st, K_SENDER);
	m->sasl_username = text(t, st, K_LOGIN);
	m->sasl_method = text(t, st, K_METHOD);
	m->log_client_address = text(t, st, K_CLIENT);
	m->log_client_name = text(t, st, K_CLIENT_NAME);
	m->log_client_port = text(t, st, K_CLIENT_PORT);
	m->log_helo_name = text(t, st, K_HELO);
	m->log_protocol_name = text(t, st, K_PROTOCOL);
	m->log_message_origin = text(t, st, K_ORIGIN);
	m->log_ident = text(t, st, K_IDENT);
	m->client_address = text(t, st, K_PEER);
	m->client_name = text(t, st, K_PEER_NAME);
	m->client_port = text(t, st, K_PEER_PORT);
	m->ntodo = (size_t)number(st, K_TODO);
	m->ndone = (size_t)number(st, K_DONE);
}

/* ---- what else there is of it ---- */

/* The rows of a table that belong to the message. */
static int open_rows(struct told *t, const char *sql, struct qt_stmt **st,
    struct qt_error *err)
{
	const struct qt_bind binds[] = {
	    {.type = QT_BIND_TEXT, .text = t->row.id},
	    {.type = QT_BIND_TEXT, .text = qt_queue_name(t->row.queue)},
	    {.type = QT_BIND_TEXT, .text = t->host}};

	return qt_stmt_open(st, t->c->db, sql, binds, 3, err);
}

#define WHOSE " WHERE queue_id = ?1 AND queue_name = ?2 AND host IS ?3"

/* Room for one more of n things in the arena. */
static void *grow(struct told *t, void *v, size_t n, size_t size)
{
	void *more;

	if (n != 0 && (n & (n - 1)) != 0)
		return v;
	more = qt_arena_alloc(&t->row.arena, (n != 0 ? 2 * n : 1) * size);
	t->failed = t->failed || more == NULL;
	if (more != NULL && n != 0)
		memcpy(more, v, n * size);
	return more;
}

static void take_rcpt(struct told *t, const struct qt_stmt *st)
{
	struct qt_msg *m = &t->row.msg;
	struct qt_logs *l = &t->row.defer;
	const char *state = text(t, st, 2);
	struct qt_rcpt r = {.address = text(t, st, 0), .orig = text(t, st, 1),
	    .offset = (uint64_t)number(st, 3)};

	r.state = state != NULL && strcmp(state, "done") == 0 ? QT_RCPT_DONE :
	    state != NULL && strcmp(state, "cancelled") == 0 ?
	    QT_RCPT_CANCELLED : QT_RCPT_TODO;
	m->ncancelled += r.state == QT_RCPT_CANCELLED;
	m->rcpt = grow(t, m->rcpt, m->nrcpt, sizeof *m->rcpt);
	if (t->failed)
		return;
	m->rcpt[m->nrcpt++] = r;
	if (qt_stmt_type(st, 4) == QT_COL_NULL)
		return;
	l->v = grow(t, l->v, l->n, sizeof *l->v);
	if (!t->failed)
		l->v[l->n++] = (struct qt_log_entry){.recipient = r.address,
		    .offset = (int64_t)r.offset, .reason = text(t, st, 4),
		    .status = text(t, st, 5)};
}

static void take_header(struct told *t, const struct qt_stmt *st)
{
	struct qt_headers *h = &t->row.headers;
	const char *value = text(t, st, 1);

	h->v = grow(t, h->v, h->n, sizeof *h->v);
	if (t->failed)
		return;
	h->v[h->n] = (struct qt_header){.name = text(t, st, 0),
	    .value = value != NULL ? value : "",
	    .value_len = value != NULL ? strlen(value) : 0};
	qt_buf_adds(&t->mail, h->v[h->n].name);
	qt_buf_adds(&t->mail, ": ");
	qt_buf_adds(&t->mail, h->v[h->n++].value);
	qt_buf_addc(&t->mail, '\n');
}

static void take_body(struct told *t, const struct qt_stmt *st)
{
	size_t len;
	const char *s;

	if (qt_stmt_type(st, 0) == QT_COL_NULL)
		return;
	s = qt_stmt_text(st, 0, &len);
	qt_buf_addc(&t->mail, '\n');
	qt_buf_add(&t->mail, s, len);
	t->have_body = true;
}

static int each(struct told *t, const char *sql,
    void (*take)(struct told *t, const struct qt_stmt *st),
    struct qt_error *err)
{
	struct qt_stmt *st = NULL;
	int r = open_rows(t, sql, &st, err);

	while (r == 0 && !t->failed && (r = qt_stmt_step(st, err)) == 0)
		take(t, st);
	qt_stmt_close(st);
	return r < 0 ? -1 : 0;
}

static int take_rest(struct told *t, struct qt_error *err)
{
	if (each(t, "SELECT address, orig_address, state, offset, delay_reason, "
		"dsn FROM recipients" WHOSE, take_rcpt, err) != 0 ||
	    each(t, "SELECT name, value FROM headers" WHOSE " ORDER BY n",
		take_header, err) != 0)
		return -1;
	if (qt_db_tells_body(t->c->db) &&
	    each(t, "SELECT body FROM messages" WHOSE, take_body, err) != 0)
		return -1;
	return t->failed || t->mail.failed ?
	    qt_fail(err, QT_E_NOMEM, t->row.id, "out of memory") : 0;
}

static int show_one(struct ctx *c, const struct qt_stmt *st, int64_t max_lines,
    struct qt_error *err)
{
	struct told t = {.c = c};
	int r;

	qt_arena_init(&t.row.arena, MEMORY);
	qt_buf_init(&t.mail, 0);
	take_row(&t, st);
	take_envelope(&t, st);
	if (t.failed || t.row.id == NULL || t.row.path == NULL ||
	    t.row.queue == QT_Q_COUNT)
		r = qt_fail(err, QT_E_STATE, "snapshot",
		    "it has a message without queue, ID or path");
	else
		r = take_rest(&t, err);
	if (r == 0)
		r = show_text(c, &t.row, t.have_body ? &t.mail : NULL,
		    t.have_body || t.row.state == QT_STATE_FOREIGN ? NULL :
			no_text, max_lines, err);
	qt_buf_release(&t.mail);
	qt_arena_release(&t.row.arena);
	return r;
}

/* --queue */
static bool wanted(const struct ctx *c, const struct qt_stmt *st)
{
	const unsigned queues = qt_select_queues(c->sel);
	size_t len;

	return queues == 0 || (queues & QT_Q_BIT(qt_queue_by_name(
		qt_stmt_text(st, K_QUEUE, &len)))) != 0;
}

int show_tables(struct ctx *c, const char *id, int64_t max_lines,
    uint64_t *shown, struct qt_error *err)
{
	const struct qt_bind bind = {.type = QT_BIND_TEXT, .text = id};
	struct qt_stmt *st = NULL;
	struct qt_buf sql;
	int r;

	qt_buf_init(&sql, 0);
	qt_buf_addf(&sql, "SELECT %s FROM messages WHERE queue_id = ?1", columns);
	r = qt_buf_check(&sql, err);
	if (r == 0)
		r = qt_stmt_open(&st, c->db, qt_buf_str(&sql), &bind, 1, err);
	while (r == 0 && (r = qt_stmt_step(st, err)) == 0) {
		if (!wanted(c, st))
			continue;
		r = show_one(c, st, max_lines, err);
		++*shown;
	}
	qt_stmt_close(st);
	qt_buf_release(&sql);
	return r < 0 ? -1 : 0;
}
