/*
 * cell.c - where each column of messages comes from.
 *
 * Most are strings of the message or of what was derived, found by the table
 * below; the others are worked out by a function of their group.
 */
#include "query/cell.h"

#include <string.h>
#include <sys/stat.h>

#include "query/columns.h"

#define NS 1000000000

enum from {
	FROM_ENTRY, FROM_STAT, FROM_ENVELOPE, FROM_OTHER, /* a function */
	FROM_MSG,     /* a string of struct qt_msg, at this offset */
	FROM_DERIVED, /* one of struct derived */
	FROM_JSON,    /* JSON there */
	FROM_WORDS    /* text with encoded words there */
};

#define OF_MSG(id, member) \
	[id] = {FROM_MSG, (uint16_t)offsetof(struct qt_msg, member)}
#define OF_DERIVED(id, from, member) \
	[id] = {from, (uint16_t)offsetof(struct derived, member)}

static const struct {
	uint8_t from;
	uint16_t at;
} sources[M_COUNT] = {
    [M_HOST] = {FROM_ENTRY, 0}, [M_QUEUE_NAME] = {FROM_ENTRY, 0},
    [M_QUEUE_ID] = {FROM_ENTRY, 0}, [M_PATH] = {FROM_ENTRY, 0},
    [M_STATE] = {FROM_ENTRY, 0}, [M_ERROR] = {FROM_ENTRY, 0},
    [M_ERROR_OFFSET] = {FROM_ENTRY, 0}, [M_CONFIG_DIR] = {FROM_ENTRY, 0},
    [M_QUEUE_DIR] = {FROM_ENTRY, 0}, [M_IN_DELIVERY] = {FROM_ENTRY, 0},
    [M_DEV] = {FROM_STAT, 0}, [M_INODE] = {FROM_STAT, 0},
    [M_MODE] = {FROM_STAT, 0}, [M_FILE_SIZE] = {FROM_STAT, 0},
    [M_MTIME] = {FROM_STAT, 0}, [M_MTIME_NS] = {FROM_STAT, 0},
    [M_CTIME_NS] = {FROM_STAT, 0}, [M_UID] = {FROM_STAT, 0},
    [M_GID] = {FROM_STAT, 0}, [M_NLINK] = {FROM_STAT, 0},
    [M_FORCED_EXPIRE] = {FROM_STAT, 0},
    [M_ARRIVAL_TIME] = {FROM_ENVELOPE, 0}, [M_SHOWQ_TIME] = {FROM_ENVELOPE, 0},
    [M_ARRIVAL_USEC] = {FROM_ENVELOPE, 0}, [M_CREATE_TIME] = {FROM_ENVELOPE, 0},
    [M_MESSAGE_SIZE] = {FROM_ENVELOPE, 0}, [M_RCPT_TOTAL] = {FROM_ENVELOPE, 0},
    [M_RCPT_TODO] = {FROM_ENVELOPE, 0}, [M_RCPT_DONE] = {FROM_ENVELOPE, 0},
    [M_RCPT_CANCELLED] = {FROM_ENVELOPE, 0},
    [M_CLASS] = {FROM_OTHER, 0}, [M_HEADERS_TEXT] = {FROM_OTHER, 0},
    [M_DELAY_REASON] = {FROM_OTHER, 0}, [M_DSN] = {FROM_OTHER, 0},
    [M_BODY] = {FROM_OTHER, 0}, [M_SHA256] = {FROM_OTHER, 0},
    [M_ODD] = {FROM_OTHER, 0},
    OF_MSG(M_SENDER, sender),
    OF_MSG(M_SASL_USERNAME, sasl_username),
    OF_MSG(M_SASL_METHOD, sasl_method),
    OF_MSG(M_SASL_SENDER, sasl_sender),
    OF_MSG(M_CLIENT_ADDRESS, log_client_address),
    OF_MSG(M_CLIENT_NAME, log_client_name),
    OF_MSG(M_CLIENT_PORT, log_client_port),
    OF_MSG(M_HELO_NAME, log_helo_name),
    OF_MSG(M_PROTOCOL_NAME, log_protocol_name),
    OF_MSG(M_MESSAGE_ORIGIN, log_message_origin),
    OF_MSG(M_LOG_IDENT, log_ident),
    OF_MSG(M_PEER_ADDRESS, client_address),
    OF_MSG(M_PEER_NAME, client_name),
    OF_MSG(M_PEER_PORT, client_port),
    OF_DERIVED(M_SENDER_DOMAIN, FROM_DERIVED, sender_domain),
    OF_DERIVED(M_SENDER_ORG, FROM_DERIVED, sender_org),
    OF_DERIVED(M_SENDER_SHOWN, FROM_DERIVED, sender_shown),
    OF_DERIVED(M_RCPT_DOMAIN, FROM_DERIVED, rcpt_domain),
    OF_DERIVED(M_FROM_ADDR, FROM_DERIVED, from_addr),
    OF_DERIVED(M_FROM_DOMAIN, FROM_DERIVED, from_domain),
    OF_DERIVED(M_REPLY_TO, FROM_DERIVED, reply_to),
    OF_DERIVED(M_MESSAGE_ID, FROM_DERIVED, message_id),
    OF_DERIVED(M_CONTENT_TYPE, FROM_DERIVED, content_type),
    OF_DERIVED(M_BOUNCE_OF, FROM_DERIVED, bounce_of),
    OF_DERIVED(M_BOUNCE_SENDER, FROM_DERIVED, bounce_sender),
    OF_DERIVED(M_RCPT_DOMAINS, FROM_JSON, rcpt_domains),
    OF_DERIVED(M_RECIPIENTS, FROM_JSON, recipients),
    OF_DERIVED(M_TODO_RCPTS, FROM_JSON, todo_rcpts),
    OF_DERIVED(M_TODO_DOMAINS, FROM_JSON, todo_domains),
    OF_DERIVED(M_DELAY_REASONS, FROM_JSON, delay_reasons),
    OF_DERIVED(M_AS_JSON, FROM_JSON, as_json),
    OF_DERIVED(M_SUBJECT, FROM_WORDS, subject),
    OF_DERIVED(M_MAILER, FROM_WORDS, mailer),
};

void cell_put(struct cell *c, enum cell_type type, const char *s)
{
	c->type = s != NULL ? type : CELL_NULL;
	c->s = s;
}

void cell_int(struct cell *c, int64_t i)
{
	c->type = CELL_INT;
	c->i = i;
}

void cell_bytes(struct cell *c, enum cell_type type, const void *s, size_t len)
{
	cell_put(c, type, s);
	c->len = len;
}

/* A number that is unknown when it is negative. */
static void known(struct cell *c, int64_t n)
{
	if (n >= 0)
		cell_int(c, n);
}

/* A time that is unknown when it is 0. */
static void instant(struct cell *c, int64_t t)
{
	if (t != 0)
		cell_int(c, t);
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
static void showq_time(struct cell *c, const struct qt_row *row)
{
	if (row->msg.showq_time > 0)
		cell_int(c, row->msg.showq_time);
	else if (have_stat(row))
		cell_int(c, seconds(row->mtime_ns));
}

static void arrival_time(struct cell *c, const struct qt_row *row)
{
	if (row->msg.arrival_time > 0)
		cell_int(c, row->msg.arrival_time);
	else
		showq_time(c, row);
}

/*
 * Field 1 of the C record if that is plain, else the file's size; in maildrop
 * Postfix 3.11 and later always takes the latter.
 */
static void message_size(struct cell *c, const struct qt_row *row)
{
	bool by_record = row->msg.have_size && row->msg.size_plain &&
	    row->msg.size[0] > 0;

	if (row->queue == QT_Q_MAILDROP && row->spool->orig_address)
		by_record = false;
	if (by_record)
		cell_int(c, row->msg.size[0]);
	else if (have_stat(row) && (row->unknown & QT_ROW_SIZE) == 0)
		cell_int(c, row->file_size);
}

static void odd(struct cell *c, const struct qt_row *row)
{
	static const struct {
		unsigned bit;
		const char *text;
	} names[] = {{QT_ODD_LEN5, "length"}, {QT_ODD_NUL, "nul"},
	    {QT_ODD_COUNT, "count"}, {QT_ODD_TAIL, "tail"}};
	size_t i, len, n = 0;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!(row->msg.odd & names[i].bit))
			continue;
		if (n > 0)
			c->own[n++] = ',';
		len = strlen(names[i].text);
		memcpy(c->own + n, names[i].text, len);
		n += len;
	}
	_Static_assert(sizeof "length,nul,count,tail" <= sizeof c->own,
	    "all of them fit");
	c->own[n] = '\0';
	cell_put(c, CELL_TEXT, n > 0 ? c->own : NULL);
}

/* ---- the groups ---- */

static void entry(struct cell *c, const struct qt_row *row, int column)
{
	switch (column) {
	case M_HOST:
		cell_put(c, CELL_TEXT, row->spool->host);
		break;
	case M_QUEUE_NAME:
		cell_put(c, CELL_CONST, qt_queue_name(row->queue));
		break;
	case M_QUEUE_ID:
		cell_put(c, CELL_TEXT, row->id);
		break;
	case M_PATH:
		cell_put(c, CELL_TEXT, row->path);
		break;
	case M_STATE:
		cell_put(c, CELL_CONST, qt_state_name(row->state));
		break;
	case M_ERROR:
		cell_put(c, CELL_TEXT, row->error);
		break;
	case M_ERROR_OFFSET:
		known(c, row->error_offset);
		break;
	case M_CONFIG_DIR:
		cell_put(c, CELL_TEXT, row->spool->config_dir);
		break;
	case M_QUEUE_DIR:
		cell_put(c, CELL_TEXT, row->spool->queue_dir);
		break;
	default: /* M_IN_DELIVERY */
		if ((row->unknown & QT_ROW_LOCKS) == 0)
			cell_int(c, row->in_delivery);
		break;
	}
}

/* Whether that is known of it: an archive may not tell. */
static bool told(const struct qt_row *row, int column)
{
	switch (column) {
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

static void of_stat(struct cell *c, const struct qt_row *row, int column)
{
	if (!have_stat(row) || !told(row, column))
		return;
	switch (column) {
	case M_DEV:
		cell_int(c, (int64_t)row->dev);
		break;
	case M_INODE:
		cell_int(c, (int64_t)row->ino);
		break;
	case M_MODE:
		cell_int(c, row->mode);
		break;
	case M_FILE_SIZE:
		cell_int(c, row->file_size);
		break;
	case M_MTIME:
		cell_int(c, seconds(row->mtime_ns));
		break;
	case M_MTIME_NS:
		cell_int(c, row->mtime_ns);
		break;
	case M_CTIME_NS:
		cell_int(c, row->ctime_ns);
		break;
	case M_UID:
		cell_int(c, row->uid);
		break;
	case M_GID:
		cell_int(c, row->gid);
		break;
	case M_NLINK:
		cell_int(c, (int64_t)row->nlink);
		break;
	default: /* M_FORCED_EXPIRE */
		cell_int(c, S_ISREG(row->mode) && (row->mode & S_IXGRP) != 0);
		break;
	}
}

static void counted(struct cell *c, const struct qt_row *row, size_t n)
{
	if (have_msg(row))
		cell_int(c, (int64_t)n);
}

static void envelope(struct cell *c, const struct qt_row *row, int column)
{
	const struct qt_msg *m = &row->msg;

	switch (column) {
	case M_ARRIVAL_TIME:
		arrival_time(c, row);
		break;
	case M_SHOWQ_TIME:
		showq_time(c, row);
		break;
	case M_ARRIVAL_USEC:
		if (m->arrival_time != 0)
			known(c, m->arrival_usec);
		break;
	case M_CREATE_TIME:
		instant(c, m->create_time);
		break;
	case M_MESSAGE_SIZE:
		message_size(c, row);
		break;
	case M_RCPT_TOTAL:
		counted(c, row, m->ntodo + m->ndone);
		break;
	case M_RCPT_TODO:
		counted(c, row, m->ntodo);
		break;
	case M_RCPT_DONE:
		counted(c, row, m->ndone);
		break;
	default: /* M_RCPT_CANCELLED */
		counted(c, row, m->ncancelled);
		break;
	}
}

static void other(struct cell *c, const struct qt_row *row,
    const struct derived *d, int column)
{
	const struct qt_log_entry *last = row->defer.n != 0 ?
	    &row->defer.v[row->defer.n - 1] : NULL;

	switch (column) {
	case M_CLASS:
		cell_put(c, CELL_CONST, class_name(d->class));
		break;
	case M_DELAY_REASON:
		cell_put(c, CELL_TEXT, last != NULL ? last->reason : NULL);
		break;
	case M_DSN:
		cell_put(c, CELL_TEXT, last != NULL ? last->status : NULL);
		break;
	case M_HEADERS_TEXT:
		cell_bytes(c, CELL_BYTES, d->headers_text, d->headers_len);
		break;
	case M_BODY:
		cell_bytes(c, CELL_BYTES, row->body, row->body_len);
		break;
	case M_SHA256:
		cell_put(c, CELL_TEXT, row->sha256[0] != '\0' ? row->sha256 : NULL);
		break;
	default: /* M_ODD */
		odd(c, row);
		break;
	}
}

static const char *string_at(const void *p, uint16_t at)
{
	return *(const char *const *)(const void *)((const char *)p + at);
}

void cell_of(struct cell *c, const struct qt_row *row, int column)
{
	static const struct derived none; /* nothing was derived */
	const struct derived *d = row->derived != NULL ? row->derived : &none;
	const uint16_t at = sources[column].at;

	c->type = CELL_NULL;
	switch ((enum from)sources[column].from) {
	case FROM_ENTRY:
		entry(c, row, column);
		break;
	case FROM_STAT:
		of_stat(c, row, column);
		break;
	case FROM_ENVELOPE:
		envelope(c, row, column);
		break;
	case FROM_OTHER:
		other(c, row, d, column);
		break;
	case FROM_MSG:
		cell_put(c, CELL_TEXT, string_at(&row->msg, at));
		break;
	case FROM_DERIVED:
		cell_put(c, CELL_TEXT, string_at(d, at));
		break;
	case FROM_JSON:
		cell_put(c, CELL_JSON, string_at(d, at));
		break;
	case FROM_WORDS:
		cell_put(c, d->decoded ? CELL_TEXT : CELL_WORDS,
		    string_at(d, at));
		break;
	}
}
