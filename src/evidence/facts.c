/*
 * facts.c - a message's recipients, and what else its line tells.
 */
#include "evidence/facts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "evidence/base64.h"
#include "qtool/escape.h"
#include "qtool/message.h"

#define WINDOW ((size_t)256 << 10) /* of a file too large for memory */
#define ARENA_MAX ((size_t)256 << 20)
#define RECEIVED_MAX 32 /* fields told; mail in a loop has hundreds */

void qt_facts_init(struct qt_facts *f)
{
	*f = (struct qt_facts){.content = 0};
	qt_buf_init(&f->rcpts, 0);
	qt_buf_init(&f->json, 0);
}

void qt_facts_release(struct qt_facts *f)
{
	qt_buf_release(&f->rcpts);
	qt_buf_release(&f->json);
}

/* ---- values ---- */

/* ,"name":"value" */
static void put(struct qt_buf *out, const char *name, const char *value)
{
	qt_buf_adds(out, ",\"");
	qt_buf_adds(out, name);
	qt_buf_adds(out, "\":");
	qt_json_string(out, value);
}

/* Its bytes, where JSON cannot have them. */
static void put_raw(struct qt_buf *out, const char *name, const char *value)
{
	size_t len = value != NULL ? strlen(value) : 0;

	if (qt_utf8_valid(value, len))
		return;
	qt_buf_adds(out, ",\"");
	qt_buf_adds(out, name);
	qt_buf_adds(out, "_b64\":\"");
	qt_base64(out, value, len);
	qt_buf_addc(out, '"');
}

static void put_address(struct qt_buf *out, const struct qt_redactor *r,
    const char *name, const char *value)
{
	struct qt_buf hidden;

	if (r == NULL || value == NULL) {
		put(out, name, value);
		put_raw(out, name, value);
		return;
	}
	qt_buf_init(&hidden, 0);
	qt_redact_address(r, &hidden, value);
	put(out, name, qt_buf_str(&hidden));
	qt_buf_release(&hidden);
}

/* Text in which people may be named. */
static void put_text(struct qt_buf *out, const struct qt_redactor *r,
    const char *name, const char *value, size_t len)
{
	struct qt_buf hidden;

	if (name != NULL) {
		qt_buf_adds(out, ",\"");
		qt_buf_adds(out, name);
		qt_buf_adds(out, "\":");
	}
	qt_buf_addc(out, '"');
	if (r == NULL) {
		qt_escape_json(out, value, len);
	} else {
		qt_buf_init(&hidden, 0);
		qt_redact_text(r, &hidden, value, len);
		qt_escape_json(out, qt_buf_str(&hidden), hidden.len);
		qt_buf_release(&hidden);
	}
	qt_buf_addc(out, '"');
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

static void put_number(struct qt_buf *out, const char *before, uint64_t n)
{
	char digits[24], *p = digits + sizeof digits;

	qt_buf_adds(out, before);
	do
		*--p = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	qt_buf_add(out, p, (size_t)(digits + sizeof digits - p));
}

/* An ORCPT of the DSN extension: "type;address". */
static void put_orcpt(struct qt_buf *out, const struct qt_redactor *r,
    const char *value)
{
	struct qt_buf b;
	const char *semi = value != NULL ? strchr(value, ';') : NULL;

	if (r == NULL || semi == NULL) {
		put_address(out, r, "dsn_orcpt", value);
		return;
	}
	qt_buf_init(&b, 0);
	qt_buf_add(&b, value, (size_t)(semi - value) + 1);
	qt_redact_address(r, &b, semi + 1);
	put(out, "dsn_orcpt", qt_buf_str(&b));
	qt_buf_release(&b);
}

static void rcpt_line(struct qt_buf *out, const struct qt_facts_of *of,
    const struct qt_rcpt *r, size_t n)
{
	qt_buf_adds(out, "{\"queue_name\":\"");
	qt_buf_adds(out, qt_queue_name(of->queue));
	qt_buf_addc(out, '"');
	put(out, "queue_id", of->id);
	if (of->path != NULL)
		put(out, "path", of->path);
	put_number(out, ",\"n\":", n);
	put_address(out, of->redactor, "address", r->address);
	put_address(out, of->redactor, "orig_address", r->orig);
	put_orcpt(out, of->redactor, r->dsn_orcpt);
	put(out, "state", state_name(r->state));
	put_number(out, ",\"notify\":", r->notify);
	put_number(out, ",\"offset\":", r->offset);
	qt_buf_adds(out, "}\n");
}

/* ---- the message ---- */

/* What the tables show of the logging client alone. */
static void peer(struct qt_buf *out, const struct qt_msg *m)
{
	const struct {
		const char *name, *value;
	} v[] = {{"reverse_client_name", m->reverse_client_name},
	    {"server_address", m->server_address},
	    {"server_port", m->server_port},
	    {"rewrite_context", m->rewrite_context}, {"encoding", m->encoding},
	    {"envelope_id", m->envelope_id}};
	size_t i;

	for (i = 0; i < sizeof v / sizeof v[0]; i++)
		if (v[i].value != NULL)
			put(out, v[i].name, v[i].value);
}

static void raw_bytes(struct qt_buf *out, const struct qt_msg *m)
{
	put_raw(out, "sender", m->sender);
	put_raw(out, "sasl_username", m->sasl_username);
	put_raw(out, "client_name", m->log_client_name);
	put_raw(out, "helo_name", m->log_helo_name);
}

/* How many addresses To and Cc have, by their commas outside quotes. */
static uint64_t count_addresses(const struct qt_headers *h)
{
	bool quoted, any;
	uint64_t n = 0;
	size_t i, k;
	char c;

	for (i = 0; i < h->n; i++) {
		if (strcasecmp(h->v[i].name, "to") != 0 &&
		    strcasecmp(h->v[i].name, "cc") != 0)
			continue;
		quoted = any = false;
		for (k = 0; k < h->v[i].value_len; k++) {
			c = h->v[i].value[k];
			if (c == '"')
				quoted = !quoted;
			n += c == ',' && !quoted;
			any = any || c == '@';
		}
		n += any;
	}
	return n;
}

static void header(struct qt_buf *out, const struct qt_redactor *r,
    const struct qt_headers *h)
{
	const struct qt_header *date = qt_headers_find(h, "Date");
	size_t i, n = 0;

	qt_buf_adds(out, ",\"header\":{\"to_count\":");
	put_number(out, "", count_addresses(h));
	if (date != NULL)
		put_text(out, r, "date", date->value, date->value_len);
	qt_buf_adds(out, ",\"received\":[");
	for (i = 0; i < h->n && n < RECEIVED_MAX; i++) {
		if (strcasecmp(h->v[i].name, "received") != 0)
			continue;
		if (n++ != 0)
			qt_buf_addc(out, ',');
		put_text(out, r, NULL, h->v[i].value, h->v[i].value_len);
	}
	qt_buf_adds(out, "]}");
}

int qt_facts_tell(struct qt_facts *f, const struct qt_facts_of *of,
    struct qt_error *err)
{
	const struct qt_msg *m = of->msg;
	size_t i;

	qt_buf_clear(&f->rcpts);
	qt_buf_clear(&f->json);
	for (i = 0; i < m->nrcpt && m->rcpt != NULL; i++)
		rcpt_line(&f->rcpts, of, &m->rcpt[i], i + 1);
	peer(&f->json, m);
	if (of->redactor == NULL)
		raw_bytes(&f->json, m);
	if (m->have_size && m->size[1] > 0)
		put_number(&f->json, ",\"data_offset\":", (uint64_t)m->size[1]);
	if (!of->file_only)
		qt_buf_addf(&f->json, ",\"locked_at_capture\":%s",
		    of->lock_unknown ? "null" : of->locked ? "true" : "false");
	if (of->headers != NULL)
		header(&f->json, of->redactor, of->headers);
	/* a sum lets who has a guess at the names see whether it is right */
	qt_body_tell(&f->json, of->redactor == NULL ? of->body : NULL);
	return qt_buf_check(&f->rcpts, err) != 0 ? -1 :
	    qt_buf_check(&f->json, err);
}

/* ---- a captured file ---- */

/* struct qt_input's more() over a spill that is not in memory. */
static int more(struct qt_input *in, uint64_t offset, size_t need,
    struct qt_error *err)
{
	struct qt_facts_file *f = in->ctx;
	size_t n = need < WINDOW ? WINDOW : need;
	unsigned char *p;

	if (offset > in->size)
		offset = in->size;
	if (n > in->size - offset)
		n = (size_t)(in->size - offset);
	if (n > f->cap) {
		p = realloc(f->mem, n);
		if (p == NULL)
			return qt_fail_mem(err);
		f->mem = p;
		f->cap = n;
	}
	/* the old window is no more, also when the read fails */
	in->data = f->mem;
	in->start = offset;
	in->len = 0;
	if (n != 0 && qt_spill_read(f->bytes, offset, f->mem, n, err) != 0)
		return -1;
	in->len = n;
	return 0;
}

static int parse_content(struct qt_facts_file *f, struct qt_error *err)
{
	struct qt_content c;
	struct qt_error why;

	if (f->content == 0)
		return 0;
	qt_content_init(&c, &f->in, f->content);
	if (qt_headers_read(&f->headers, &c, QT_ROW_HEADER_MAX, &f->arena,
		&why) == 0 || why.code == QT_E_CORRUPT)
		return 0;
	if (err != NULL)
		*err = why;
	return -1;
}

int qt_facts_parse(struct qt_facts_file *f, const struct qt_spill *bytes,
    enum qt_queue queue, struct qt_error *err)
{
	struct qt_error why;

	*f = (struct qt_facts_file){.bytes = bytes};
	qt_arena_init(&f->arena, ARENA_MAX);
	if (qt_spill_bytes(bytes) != NULL)
		qt_input_bytes(&f->in, qt_spill_bytes(bytes),
		    (size_t)qt_spill_size(bytes));
	else
		f->in = (struct qt_input){.size = qt_spill_size(bytes),
		    .more = more,
		    .ctx = f};
	f->corrupt = qt_msg_parse(&f->msg, &f->in,
		queue == QT_Q_MAILDROP ? QT_MSG_MAILDROP : QT_MSG_QUEUE,
		QT_MSG_RCPTS, &f->arena, &why) != 0;
	if (f->corrupt && why.code != QT_E_CORRUPT) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	f->content = qt_body_content(&f->in, &f->msg,
	    queue == QT_Q_MAILDROP);
	return parse_content(f, err);
}

void qt_facts_file_release(struct qt_facts_file *f)
{
	if (f == NULL)
		return;
	qt_arena_release(&f->arena);
	free(f->mem);
	f->mem = NULL;
	f->cap = 0;
}
