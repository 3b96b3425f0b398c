/*
 * show_text.c - one message decoded for reading.
 *
 * Everything of the message goes through qt_escape_term() on its way to the
 * text; line ends are ours alone.
 */
#include "show.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "mime.h"
#include "qtool/escape.h"

#define RCPTS_MAX 100	/* recipients printed, the rest counted */
#define HEADERS_MAX 200 /* header fields printed */
#define EML_MAX ((size_t)16 << 20) /* bytes of mail that are decoded */

/* ---- lines ---- */

static void add_value(struct qt_buf *b, const char *s)
{
	qt_escape_term(b, s, strlen(s));
}

/* "label      value" */
static void field(struct qt_buf *b, const char *label, const char *value)
{
	if (value == NULL || *value == '\0')
		return;
	qt_buf_addf(b, "%-11s ", label);
	add_value(b, value);
	qt_buf_addc(b, '\n');
}

/* ---- envelope ---- */

static void put_place(struct qt_buf *b, const struct qt_row *row)
{
	const char *mark = row->queue == QT_Q_ACTIVE ? "*"
	    : row->queue == QT_Q_HOLD		     ? "!"
						     : "";
	bool expire = (row->mode & S_IXGRP) != 0;

	add_value(b, row->id);
	qt_buf_addf(b, "%s%s in %s\n", mark, expire ? "#" : "",
	    qt_queue_name(row->queue));
	qt_buf_addf(b, "%-11s ", "file");
	add_value(b, row->spool->queue_dir);
	qt_buf_addc(b, '/');
	add_value(b, row->path);
	qt_buf_addf(b, "\n%-11s %s", "state", qt_state_name(row->state));
	if (row->error != NULL) {
		qt_buf_adds(b, ": ");
		add_value(b, row->error);
		if (row->error_offset >= 0)
			qt_buf_addf(b, ", at offset %lld",
			    (long long)row->error_offset);
	}
	qt_buf_addc(b, '\n');
}

static void put_login(struct qt_buf *b, const struct qt_msg *m)
{
	if (m->sasl_username == NULL) {
		qt_buf_addf(b, "%-11s none\n", "login");
		return;
	}
	qt_buf_addf(b, "%-11s ", "login");
	add_value(b, m->sasl_username);
	if (m->sasl_method != NULL) {
		qt_buf_adds(b, " by ");
		add_value(b, m->sasl_method);
	}
	qt_buf_addc(b, '\n');
}

/* name[address]:port, HELO, protocol; nothing when there was no client. */
static void put_client(struct qt_buf *b, const char *label, const char *name,
    const char *address, const char *port, const char *helo,
    const char *protocol)
{
	if (name == NULL && address == NULL)
		return;
	qt_buf_addf(b, "%-11s ", label);
	add_value(b, name != NULL ? name : "unknown");
	qt_buf_addc(b, '[');
	add_value(b, address != NULL ? address : "unknown");
	qt_buf_addc(b, ']');
	if (port != NULL) {
		qt_buf_addc(b, ':');
		add_value(b, port);
	}
	if (helo != NULL) {
		qt_buf_adds(b, ", HELO ");
		add_value(b, helo);
	}
	if (protocol != NULL) {
		qt_buf_adds(b, ", ");
		add_value(b, protocol);
	}
	qt_buf_addc(b, '\n');
}

static bool same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* The client as logged; the machine that connected, where it is another. */
static void put_clients(struct qt_buf *b, const struct qt_msg *m)
{
	bool logged = m->log_client_address != NULL || m->log_client_name != NULL;

	if (logged)
		put_client(b, "client", m->log_client_name,
		    m->log_client_address, m->log_client_port, m->log_helo_name,
		    m->log_protocol_name);
	if (!logged ||
	    (m->client_address != NULL &&
		!same(m->client_address, m->log_client_address) &&
		!(m->log_client_address != NULL &&
		    strncmp(m->log_client_address, "IPv6:", 5) == 0 &&
		    same(m->client_address, m->log_client_address + 5))))
		put_client(b, logged ? "peer" : "client", m->client_name,
		    m->client_address, m->client_port, m->helo_name,
		    m->protocol_name);
}

static void put_time(struct qt_buf *b, const char *label, int64_t seconds)
{
	time_t t = (time_t)seconds, now = time(NULL);
	char local[64], utc[32], age[16];
	struct tm l, u;

	if (seconds == 0)
		return;
	if (localtime_r(&t, &l) == NULL || gmtime_r(&t, &u) == NULL ||
	    strftime(local, sizeof(local), "%Y-%m-%d %H:%M:%S %z", &l) == 0 ||
	    strftime(utc, sizeof(utc), "%Y-%m-%dT%H:%M:%SZ", &u) == 0) {
		qt_buf_addf(b, "%-11s @%lld\n", label, (long long)seconds);
		return;
	}
	qt_buf_addf(b, "%-11s %s (%s), %s%s%s\n", label, local, utc,
	    t > now ? "in " : "",
	    human_age(t > now ? (int64_t)(t - now) : (int64_t)(now - t), age),
	    t > now ? "" : " ago");
}

static void flag(struct qt_buf *b, const char *text)
{
	qt_buf_addf(b, "%s%s", b->len != 0 ? ", " : "", text);
}

static void put_flags(struct qt_buf *b, const struct qt_row *row)
{
	const struct qt_msg *m = &row->msg;
	struct qt_buf f;

	qt_buf_init(&f, 0);
	if ((row->mode & S_IXGRP) != 0)
		flag(&f, "forced expiry");
	if (row->in_delivery)
		flag(&f, row->spool->packed != NULL ?
			"in delivery then" : "in delivery now");
	if (m->nrcpt != 0 && m->ntodo == 0)
		flag(&f, "no recipient left to do: already sent");
	if (m->warn_time == -1)
		flag(&f, "delay notice sent");
	if ((m->odd & QT_ODD_LEN5) != 0)
		flag(&f, "corrupt for newer Postfix (5-byte length)");
	if ((m->odd & QT_ODD_NUL) != 0)
		flag(&f, "a value is cut at a NUL");
	if ((m->odd & QT_ODD_COUNT) != 0)
		flag(&f, "recipient count differs from the size record");
	if ((m->odd & QT_ODD_TAIL) != 0)
		flag(&f, "recipient data without recipient");
	field(b, "flags", qt_buf_str(&f));
	qt_buf_release(&f);
}

/* What the tables work out: class, and what a delivery report is about. */
static void put_derived(struct ctx *c, struct qt_buf *b,
    const struct qt_row *row)
{
	static const char *const labels[] = {"class", "report on", "sent by"};
	const struct qt_bind binds[] = {
	    {.type = QT_BIND_TEXT, .text = row->id},
	    {.type = QT_BIND_TEXT, .text = row->spool->queue_dir},
	    {.type = QT_BIND_TEXT, .text = qt_queue_name(row->queue)}};
	struct qt_stmt *st = NULL;
	struct qt_error err;
	size_t len;
	int i;

	if (qt_stmt_open(&st, c->db,
		"SELECT class, bounce_of, bounce_sender FROM messages WHERE "
		"queue_id = ?1 AND queue_dir = ?2 AND queue_name = ?3",
		binds, 3, &err) == 0 &&
	    qt_stmt_step(st, &err) == 0)
		for (i = 0; i < 3; i++)
			if (qt_stmt_type(st, i) != QT_COL_NULL)
				field(b, labels[i], qt_stmt_text(st, i, &len));
	qt_stmt_close(st);
}

static void put_size(struct qt_buf *b, const struct qt_row *row)
{
	int64_t size = row->msg.have_size ? row->msg.size[0] : 0;
	char human[16];

	qt_buf_addf(b, "%-11s ", "size");
	if (size > 0)
		qt_buf_addf(b, "%lld bytes", (long long)size);
	if (size >= 1024)
		qt_buf_addf(b, " (%s)", human_bytes(size, human));
	qt_buf_addf(b, "%sfile %lld bytes\n", size > 0 ? ", " : "",
	    (long long)row->file_size);
}

static void put_envelope(struct ctx *c, struct qt_buf *b,
    const struct qt_row *row)
{
	const struct qt_msg *m = &row->msg;

	put_login(b, m);
	if (m->sender != NULL) {
		qt_buf_addf(b, "%-11s <", "sender");
		add_value(b, m->sender);
		qt_buf_adds(b, ">\n");
	}
	put_derived(c, b, row);
	put_clients(b, m);
	field(b, "origin", m->log_message_origin);
	if (!same(m->log_ident, row->id))
		field(b, "logged as", m->log_ident);
	field(b, "full name", m->full_name);
	put_time(b, "arrived", m->arrival_time);
	if (m->create_time != m->arrival_time)
		put_time(b, "queued", m->create_time);
	if (row->queue == QT_Q_DEFERRED)
		put_time(b, "next try", row->mtime_ns / 1000000000);
	put_size(b, row);
	field(b, "filter", m->filter);
	field(b, "redirect", m->redirect);
	field(b, "envelope ID", m->envelope_id);
	put_flags(b, row);
}

/* ---- recipients ---- */

/*
 * The last entry about a recipient: the offset of its record is its identity,
 * the address serves logs that have none.
 */
static const struct qt_log_entry *entry_in(const struct qt_logs *logs,
    const struct qt_rcpt *r, const char *printed)
{
	const struct qt_log_entry *e;
	size_t i = logs->n;

	while (i-- > 0) {
		e = &logs->v[i];
		if (e->offset >= 0 ? (uint64_t)e->offset == r->offset
				   : same(e->recipient, printed))
			return e;
	}
	return NULL;
}

static const char *state_word(const struct qt_rcpt *r)
{
	switch (r->state) {
	case QT_RCPT_DONE:
		return "done";
	case QT_RCPT_CANCELLED:
		return "cancelled";
	case QT_RCPT_TODO:
	default:
		return "to do";
	}
}

static void put_rcpt(struct qt_buf *b, const struct qt_row *row,
    const struct qt_rcpt *r)
{
	const struct qt_log_entry *e;
	struct qt_buf printed;

	qt_buf_init(&printed, 0);
	qt_address_print(&printed, r->address, true);
	qt_buf_addf(b, "  %-9s ", state_word(r));
	add_value(b, r->address);
	if (r->orig != NULL && *r->orig != '\0' && !same(r->orig, r->address)) {
		qt_buf_adds(b, " (was ");
		add_value(b, r->orig);
		qt_buf_addc(b, ')');
	}
	qt_buf_addc(b, '\n');
	e = entry_in(&row->bounce, r, qt_buf_str(&printed));
	if (e == NULL)
		e = entry_in(&row->defer, r, qt_buf_str(&printed));
	if (e != NULL) {
		qt_buf_adds(b, "            ");
		add_value(b, e->status != NULL ? e->status : "");
		qt_buf_addc(b, ' ');
		add_value(b, e->reason != NULL ? e->reason : "");
		qt_buf_addc(b, '\n');
	}
	qt_buf_release(&printed);
}

static void put_rcpts(struct qt_buf *b, const struct qt_row *row)
{
	const struct qt_msg *m = &row->msg;
	size_t i;

	qt_buf_addf(b, "%-11s %zu: %zu to do, %zu done", "recipients",
	    m->nrcpt - m->ncancelled, m->ntodo, m->ndone);
	if (m->ncancelled != 0)
		qt_buf_addf(b, ", and %zu cancelled", m->ncancelled);
	qt_buf_addc(b, '\n');
	for (i = 0; i < m->nrcpt && i < RCPTS_MAX; i++)
		put_rcpt(b, row, &m->rcpt[i]);
	if (i < m->nrcpt) {
		qt_buf_addf(b, "  and %zu more: qtool query \"SELECT * FROM "
			       "recipients WHERE queue_id = '",
		    m->nrcpt - i);
		add_value(b, row->id);
		qt_buf_adds(b, "'\"\n");
	}
}

/* ---- header and text ---- */

/* Tabs are where a field was folded: a blank reads better than \t. */
static void add_unfolded(struct qt_buf *b, struct qt_buf *text)
{
	size_t i;

	for (i = 0; i < text->len; i++)
		if (text->data[i] == '\t')
			text->data[i] = ' ';
	qt_escape_term(b, qt_buf_str(text), text->len);
}

static int put_headers(struct qt_buf *b, const struct qt_row *row,
    struct qt_error *err)
{
	const struct qt_headers *h = &row->headers;
	struct qt_buf text;
	size_t i;
	int r = 0;

	qt_buf_init(&text, 0);
	if (h->n != 0)
		qt_buf_addc(b, '\n');
	for (i = 0; r == 0 && i < h->n && i < HEADERS_MAX; i++) {
		qt_buf_clear(&text);
		r = mime_header(&text, h->v[i].value, h->v[i].value_len, err);
		add_value(b, h->v[i].name);
		qt_buf_adds(b, ": ");
		add_unfolded(b, &text);
		qt_buf_addc(b, '\n');
	}
	if (i < h->n)
		qt_buf_addf(b, "(and %zu more)\n", h->n - i);
	if (h->truncated)
		qt_buf_adds(b, "(the header is longer than what was read)\n");
	qt_buf_release(&text);
	return r;
}

/* Lines of hostile text, each escaped, ended by us. */
static void put_lines(struct qt_buf *b, const struct qt_buf *text,
    int64_t max_lines)
{
	const char *s = qt_buf_str(text), *end = s + text->len, *nl;
	int64_t n = 0, more = 0;

	while (end > s && (end[-1] == '\n' || end[-1] == '\r'))
		end--;
	if (s < end)
		qt_buf_addc(b, '\n');
	for (; s < end; s = nl + 1, n++) {
		nl = memchr(s, '\n', (size_t)(end - s));
		if (nl == NULL)
			nl = end;
		if (max_lines != 0 && n >= max_lines) {
			more++;
			continue;
		}
		qt_escape_term(b, s,
		    (size_t)(nl - s) - (nl > s && nl[-1] == '\r' ? 1 : 0));
		qt_buf_addc(b, '\n');
	}
	if (more != 0)
		qt_buf_addf(b, "(%lld more lines; --lines 0 shows all)\n",
		    (long long)more);
}

/* The mail as bytes, up to EML_MAX of them. */
static int read_mail(const struct qt_row *row, struct qt_buf *eml,
    struct qt_error *err)
{
	struct qt_content content;
	struct message_file m;
	struct qt_piece piece;
	int r;

	r = message_open(&m, row, err);
	if (r == 0)
		r = message_content(&m, row, &content, err);
	while (r == 0 && eml->len < EML_MAX &&
	    (r = qt_content_next(&content, &piece, err)) == 0) {
		qt_buf_add(eml, piece.data, piece.len);
		if (piece.eol)
			qt_buf_addc(eml, '\n');
	}
	message_close(&m);
	return r < 0 ? -1 : qt_buf_check(eml, err);
}

/* Whether anything follows the header's empty line. */
static bool has_body(const struct qt_buf *eml)
{
	const char *end = memmem(qt_buf_str(eml), eml->len, "\n\n", 2);

	return end != NULL && end + 2 < eml->data + eml->len;
}

/* The mail's text, and of what parts it is. */
static int put_mail(struct qt_buf *b, const struct qt_buf *eml,
    int64_t max_lines, struct qt_error *err)
{
	struct qt_buf text, parts;
	int r;

	qt_buf_init(&text, 0);
	qt_buf_init(&parts, 0);
	r = mime_text(&text, &parts, qt_buf_str(eml), eml->len, err);
	if (parts.len != 0) {
		qt_buf_adds(b, "\nParts:");
		put_lines(b, &parts, 0);
	}
	put_lines(b, &text, max_lines);
	if (text.len == 0 && has_body(eml))
		qt_buf_adds(b, "\n(there is a body but no text part in it; "
			       "--eml writes the mail as it is)\n");
	qt_buf_release(&text);
	qt_buf_release(&parts);
	return r;
}

/* Out of the message's file. */
static int put_text(struct qt_buf *b, const struct qt_row *row,
    int64_t max_lines, struct qt_error *err)
{
	struct qt_error why;
	struct qt_buf eml;
	int r, damaged;

	qt_buf_init(&eml, 0);
	damaged = read_mail(row, &eml, err); /* what could be read is shown */
	r = put_mail(b, &eml, max_lines, damaged == 0 ? err : &why);
	qt_buf_release(&eml);
	return r != 0 || damaged != 0 ? -1 : 0;
}

/* ---- */

static int write_out(struct qt_buf *b, struct qt_error *err)
{
	if (qt_buf_check(b, err) != 0)
		return -1;
	if (fwrite(qt_buf_str(b), 1, b->len, stdout) != b->len) {
		(void)qt_fail_sys(err, "write", "output");
		err->code = QT_E_SYS; /* the run's, not the message's */
		return -1;
	}
	return 0;
}

int show_text(struct ctx *c, const struct qt_row *row,
    const struct qt_buf *mail, const char *note, int64_t max_lines,
    struct qt_error *err)
{
	struct qt_error late = {0};
	struct qt_buf b;
	int r = 0;

	qt_buf_init(&b, 0);
	put_place(&b, row);
	if (row->state != QT_STATE_FOREIGN) {
		put_envelope(c, &b, row);
		put_rcpts(&b, row);
		r = put_headers(&b, row, err);
		if (r == 0 && mail != NULL)
			r = put_mail(&b, mail, max_lines, err);
		else if (r == 0 && note == NULL)
			r = put_text(&b, row, max_lines, err);
	}
	if (note != NULL)
		qt_buf_addf(&b, "\n(%s)\n", note);
	qt_buf_addc(&b, '\n');
	if (write_out(&b, &late) != 0) {
		*err = late;
		r = -1;
	}
	qt_buf_release(&b);
	return r;
}
