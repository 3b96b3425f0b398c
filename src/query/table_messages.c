/*
 * table_messages.c - the table messages: one row a queue file.
 *
 * A column is NULL where the file does not tell, or was not understood that far.
 */
#include <string.h>
#include <sys/stat.h>

#include "query/decode.h"
#include "query/vtab.h"

#define NS 1000000000

_Static_assert(M_MTIME_NS <= 63, "columns that SQLite cannot tell apart: "
    "only those that cost no more than fstat");

struct place {
	struct cursor *c;
	sqlite3_context *ctx;
	const struct qt_row *row;
	const struct derived *d; /* zeros when nothing was derived */
};

static void text(const struct place *p, const char *s)
{
	put_text(p->c->db, p->ctx, s);
}

static void number(const struct place *p, int64_t n)
{
	sqlite3_result_int64(p->ctx, n);
}

/* A number that is unknown when it is negative. */
static void known(const struct place *p, int64_t n)
{
	if (n >= 0)
		number(p, n);
}

/* A time that is unknown when it is 0. */
static void instant(const struct place *p, int64_t t)
{
	if (t != 0)
		number(p, t);
}

/* Seconds of nanoseconds, rounded down before the epoch too. */
static int64_t seconds(int64_t ns)
{
	return ns >= 0 ? ns / NS : -((-ns + NS - 1) / NS);
}

/* Whether fstat succeeded (an entry that could not be opened has no mode). */
static bool have_stat(const struct qt_row *row)
{
	return (row->want & QT_WANT_STAT) != 0 && row->mode != 0;
}

/* Whether an envelope was found in it at all. */
static bool have_msg(const struct qt_row *row)
{
	return row->msg.sender != NULL || row->msg.arrival_time != 0 ||
	    row->msg.have_size || row->msg.nrcpt != 0;
}

/* What showq prints: the first T before the sender, or the file's mtime. */
static void showq_time(const struct place *p)
{
	if (p->row->msg.showq_time > 0)
		number(p, p->row->msg.showq_time);
	else if (have_stat(p->row))
		number(p, seconds(p->row->mtime_ns));
}

static void arrival_time(const struct place *p)
{
	if (p->row->msg.arrival_time > 0)
		number(p, p->row->msg.arrival_time);
	else
		showq_time(p);
}

/*
 * Field 1 of the C record if that is plain, else the file's size; in maildrop
 * Postfix 3.11 and later always takes the latter.
 */
static void message_size(const struct place *p)
{
	const struct qt_row *row = p->row;
	bool by_record = row->msg.have_size && row->msg.size_plain &&
	    row->msg.size[0] > 0;

	if (row->queue == QT_Q_MAILDROP && row->spool->orig_address)
		by_record = false;
	if (by_record)
		number(p, row->msg.size[0]);
	else if (have_stat(row) && (row->unknown & QT_ROW_SIZE) == 0)
		number(p, row->file_size);
}

static void counts(const struct place *p, size_t n)
{
	if (have_msg(p->row))
		number(p, (int64_t)n);
}

/* Header text, its encoded words decoded. */
static void decoded(const struct place *p, const char *s)
{
	struct qt_buf b;

	if (s == NULL)
		return;
	if (strstr(s, "=?") == NULL) {
		text(p, s);
		return;
	}
	qt_buf_init(&b, 0);
	decode_words(&b, s, strlen(s));
	if (b.failed)
		sqlite3_result_error_nomem(p->ctx);
	else
		put_bytes(p->c->db, p->ctx, qt_buf_str(&b), b.len);
	qt_buf_release(&b);
}

/* The body as its reader sees it. */
static void body_text(const struct place *p)
{
	const struct qt_row *row = p->row;
	struct qt_buf b;

	if (row->body == NULL)
		return;
	qt_buf_init(&b, 0);
	if (!decode_body(&b, &row->headers, row->body, row->body_len))
		put_bytes(p->c->db, p->ctx, row->body, row->body_len);
	else if (b.failed)
		sqlite3_result_error_nomem(p->ctx);
	else
		put_bytes(p->c->db, p->ctx, qt_buf_str(&b), b.len);
	qt_buf_release(&b);
}

static void odd(const struct place *p)
{
	static const struct {
		unsigned bit;
		const char *text;
	} names[] = {{QT_ODD_LEN5, "length"}, {QT_ODD_NUL, "nul"},
	    {QT_ODD_COUNT, "count"}, {QT_ODD_TAIL, "tail"}};
	char out[64];
	size_t i, n = 0;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!(p->row->msg.odd & names[i].bit))
			continue;
		if (n > 0)
			out[n++] = ',';
		memcpy(out + n, names[i].text, strlen(names[i].text));
		n += strlen(names[i].text);
	}
	if (n > 0)
		sqlite3_result_text(p->ctx, out, (int)n, SQLITE_TRANSIENT);
}

/* ---- the columns, in groups that each fit a screen ---- */

/* Each returns false when the column is none of its own. */

static bool entry_column(const struct place *p, int i)
{
	const struct qt_row *row = p->row;

	switch (i) {
	case M_HOST:
		text(p, row->spool->host);
		break;
	case M_QUEUE_NAME:
		put_const(p->ctx, qt_queue_name(row->queue));
		break;
	case M_QUEUE_ID:
		text(p, row->id);
		break;
	case M_PATH:
		text(p, row->path);
		break;
	case M_STATE:
		put_const(p->ctx, qt_state_name(row->state));
		break;
	case M_ERROR:
		text(p, row->error);
		break;
	case M_ERROR_OFFSET:
		known(p, row->error_offset);
		break;
	case M_CONFIG_DIR:
		text(p, row->spool->config_dir);
		break;
	case M_QUEUE_DIR:
		text(p, row->spool->queue_dir);
		break;
	case M_IN_DELIVERY:
		if ((row->unknown & QT_ROW_LOCKS) == 0)
			number(p, row->in_delivery);
		break;
	default:
		return false;
	}
	return true;
}

/* Whether that is known of it: an archive may not tell. */
static bool told(const struct qt_row *row, int i)
{
	switch (i) {
	case M_DEV:
	case M_INODE:
	case M_NLINK:
	case M_CTIME_NS:
		return (row->unknown & QT_ROW_INODE) == 0;
	case M_MODE:
	case M_FORCED_EXPIRE:
	case M_UID:
	case M_GID:
		return (row->unknown & QT_ROW_MODE) == 0;
	case M_FILE_SIZE:
		return (row->unknown & QT_ROW_SIZE) == 0;
	default:
		return true;
	}
}

static void stat_number(const struct place *p, int i)
{
	const struct qt_row *row = p->row;

	switch (i) {
	case M_DEV:
		number(p, (int64_t)row->dev);
		break;
	case M_INODE:
		number(p, (int64_t)row->ino);
		break;
	case M_MODE:
		number(p, row->mode);
		break;
	case M_FILE_SIZE:
		number(p, row->file_size);
		break;
	case M_MTIME:
		number(p, seconds(row->mtime_ns));
		break;
	case M_MTIME_NS:
		number(p, row->mtime_ns);
		break;
	case M_CTIME_NS:
		number(p, row->ctime_ns);
		break;
	case M_UID:
		number(p, row->uid);
		break;
	case M_GID:
		number(p, row->gid);
		break;
	default: /* M_NLINK */
		number(p, (int64_t)row->nlink);
		break;
	}
}

static bool stat_column(const struct place *p, int i)
{
	switch (i) {
	case M_DEV:
	case M_INODE:
	case M_MODE:
	case M_FILE_SIZE:
	case M_MTIME:
	case M_MTIME_NS:
	case M_CTIME_NS:
	case M_UID:
	case M_GID:
	case M_NLINK:
		if (have_stat(p->row) && told(p->row, i))
			stat_number(p, i);
		return true;
	case M_FORCED_EXPIRE:
		if (have_stat(p->row) && told(p->row, i))
			number(p, S_ISREG(p->row->mode) &&
			    (p->row->mode & S_IXGRP) != 0);
		return true;
	default:
		return false;
	}
}

/* Text of the envelope; NULL pointer in *s when it is not there. */
static bool envelope_text(const struct qt_msg *m, int i, const char **s)
{
	switch (i) {
	case M_SENDER: *s = m->sender; break;
	case M_SASL_USERNAME: *s = m->sasl_username; break;
	case M_SASL_METHOD: *s = m->sasl_method; break;
	case M_SASL_SENDER: *s = m->sasl_sender; break;
	case M_CLIENT_ADDRESS: *s = m->log_client_address; break;
	case M_CLIENT_NAME: *s = m->log_client_name; break;
	case M_CLIENT_PORT: *s = m->log_client_port; break;
	case M_HELO_NAME: *s = m->log_helo_name; break;
	case M_PROTOCOL_NAME: *s = m->log_protocol_name; break;
	case M_MESSAGE_ORIGIN: *s = m->log_message_origin; break;
	case M_LOG_IDENT: *s = m->log_ident; break;
	case M_PEER_ADDRESS: *s = m->client_address; break;
	case M_PEER_NAME: *s = m->client_name; break;
	case M_PEER_PORT: *s = m->client_port; break;
	default: return false;
	}
	return true;
}

static bool envelope_column(const struct place *p, int i)
{
	const struct qt_msg *m = &p->row->msg;

	switch (i) {
	case M_ARRIVAL_TIME:
		arrival_time(p);
		break;
	case M_SHOWQ_TIME:
		showq_time(p);
		break;
	case M_ARRIVAL_USEC:
		if (m->arrival_time != 0)
			known(p, m->arrival_usec);
		break;
	case M_CREATE_TIME:
		instant(p, m->create_time);
		break;
	case M_MESSAGE_SIZE:
		message_size(p);
		break;
	case M_RCPT_TOTAL:
		counts(p, m->ntodo + m->ndone);
		break;
	case M_RCPT_TODO:
		counts(p, m->ntodo);
		break;
	case M_RCPT_DONE:
		counts(p, m->ndone);
		break;
	case M_RCPT_CANCELLED:
		counts(p, m->ncancelled);
		break;
	case M_ODD:
		odd(p);
		break;
	default:
		return false;
	}
	return true;
}

/* Derived text without more ado. */
static bool derived_text(const struct derived *d, int i, const char **s)
{
	switch (i) {
	case M_SENDER_DOMAIN: *s = d->sender_domain; break;
	case M_SENDER_ORG: *s = d->sender_org; break;
	case M_SENDER_SHOWN: *s = d->sender_shown; break;
	case M_RCPT_DOMAIN: *s = d->rcpt_domain; break;
	case M_FROM_ADDR: *s = d->from_addr; break;
	case M_FROM_DOMAIN: *s = d->from_domain; break;
	case M_REPLY_TO: *s = d->reply_to; break;
	case M_MESSAGE_ID: *s = d->message_id; break;
	case M_CONTENT_TYPE: *s = d->content_type; break;
	case M_BOUNCE_OF: *s = d->bounce_of; break;
	case M_BOUNCE_SENDER: *s = d->bounce_sender; break;
	default: return false;
	}
	return true;
}

static bool derived_column(const struct place *p, int i)
{
	const struct derived *d = p->d;

	switch (i) {
	case M_CLASS:
		put_const(p->ctx, class_name(d->class));
		break;
	case M_RCPT_DOMAINS:
		put_json(p->ctx, d->rcpt_domains);
		break;
	case M_RECIPIENTS:
		put_json(p->ctx, d->recipients);
		break;
	case M_TODO_RCPTS:
		put_json(p->ctx, d->todo_rcpts);
		break;
	case M_TODO_DOMAINS:
		put_json(p->ctx, d->todo_domains);
		break;
	case M_DELAY_REASONS:
		put_json(p->ctx, d->delay_reasons);
		break;
	case M_SUBJECT:
		decoded(p, d->subject);
		break;
	case M_MAILER:
		decoded(p, d->mailer);
		break;
	case M_HEADERS_TEXT:
		put_bytes(p->c->db, p->ctx, d->headers_text, d->headers_len);
		break;
	default:
		return false;
	}
	return true;
}

static void other_column(const struct place *p, int i)
{
	const struct qt_row *row = p->row;
	const struct qt_log_entry *last = row->defer.n != 0 ?
	    &row->defer.v[row->defer.n - 1] : NULL;

	switch (i) {
	case M_DELAY_REASON:
		text(p, last != NULL ? last->reason : NULL);
		break;
	case M_DSN:
		text(p, last != NULL ? last->status : NULL);
		break;
	case M_BODY:
		put_bytes(p->c->db, p->ctx, row->body, row->body_len);
		break;
	case M_BODY_TEXT:
		body_text(p);
		break;
	case M_SHA256:
		text(p, row->sha256[0] != '\0' ? row->sha256 : NULL);
		break;
	default:
		break;
	}
}

static void column(struct cursor *c, sqlite3_context *ctx, int i)
{
	static const struct derived none;
	const struct qt_row *row = c->feed.row;
	const struct place p = {.c = c, .ctx = ctx, .row = row,
	    .d = row->derived != NULL ? row->derived : &none};
	const char *s;

	if (envelope_text(&row->msg, i, &s) || derived_text(p.d, i, &s))
		text(&p, s);
	else if (!entry_column(&p, i) && !stat_column(&p, i) &&
	    !envelope_column(&p, i) && !derived_column(&p, i))
		other_column(&p, i);
}

const struct table table_messages = {
	.name = "messages",
	.queue_name = M_QUEUE_NAME,
	.queue_id = M_QUEUE_ID,
	.filters = true,
	.rows = 1,
	.column = column,
};
