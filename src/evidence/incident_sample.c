/*
 * incident_sample.c - parts of messages, as others may see them.
 */
#include "evidence/incident.h"

#include <unistd.h>

#include "base/io.h"
#include "evidence/eml.h"
#include "evidence/words.h"

#define READ_MAX ((uint64_t)4 << 20) /* bytes of a queue file that is read */
#define KEPT_MAX 2048 /* bytes of a string: more than any file takes of one */

/* What a sample is being made with. */
struct taking {
	struct qt_incident *x;
	const struct qt_row *row;
	struct qt_redactor r;
	struct qt_arena arena; /* its */
	struct qt_buf b;
};

static bool redacts(const struct qt_incident *x)
{
	return x->opts.redact != QT_REDACT_NONE;
}

/* What is in t->b, of the incident's arena; NULL: out of memory. */
static const char *kept(struct taking *t)
{
	const char *s = t->b.failed ? NULL :
	    qt_arena_dup(&t->x->arena, qt_buf_str(&t->b),
		t->b.len < KEPT_MAX ? t->b.len : KEPT_MAX);

	qt_buf_clear(&t->b);
	return s;
}

typedef void redact_fn(const struct qt_redactor *r, struct qt_buf *out,
    const char *text, size_t len);

/* Text by one of those, or as it is; 0, or out of memory. */
static int take(struct taking *t, const char **to, redact_fn *fn,
    const char *text, size_t len, struct qt_error *err)
{
	if (text == NULL)
		return 0;
	if (redacts(t->x))
		fn(&t->r, &t->b, text, len);
	else
		qt_buf_add(&t->b, text, len);
	*to = kept(t);
	return *to != NULL ? 0 : qt_fail_mem(err);
}

static int take_text(struct taking *t, const char **to, redact_fn *fn,
    const char *text, struct qt_error *err)
{
	return take(t, to, fn, text, text != NULL ? strlen(text) : 0, err);
}

/*
 * Text of the header: looked through as it reads.  What cannot be decoded for
 * sure is left out, as a name may be in it.
 */
static int take_decoded(struct taking *t, const char **to, redact_fn *fn,
    const char *text, size_t len, struct qt_error *err)
{
	struct qt_buf plain;
	char charset[32];
	int r = 0;

	if (text == NULL || !redacts(t->x))
		return take(t, to, fn, text, len, err);
	qt_buf_init(&plain, 0);
	if (qt_words_decode(&plain, text, len, charset))
		r = qt_buf_check(&plain, err) != 0 ? -1 :
		    take(t, to, fn, qt_buf_str(&plain), plain.len, err);
	qt_buf_release(&plain);
	return r;
}

static int take_field(struct taking *t, const char **to, const char *name,
    struct qt_error *err)
{
	const struct qt_header *h = qt_headers_find(&t->row->headers, name);

	return h == NULL ? 0 :
	    take_decoded(t, to, qt_redact_text, h->value, h->value_len, err);
}

/* ---- login ---- */

static bool is_method(const char *s)
{
	const char *p;

	for (p = s; *p != '\0'; p++)
		if (!((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
			(*p >= '0' && *p <= '9') || *p == '-' || *p == '_'))
			return false;
	return p != s && p - s <= 20;
}

int qt_sample_login(const struct qt_incident *x, struct qt_buf *out,
    const char *login, struct qt_error *err)
{
	const struct qt_redactor r = {.level = QT_REDACT_FULL, .all = true,
	    .key = &x->key};

	if (redacts(x))
		qt_redact_user(&r, out, login, strlen(login));
	else
		qt_buf_adds(out, login);
	return qt_buf_check(out, err);
}

static int take_login(struct taking *t, struct qt_sample *s,
    struct qt_error *err)
{
	const struct qt_msg *m = &t->row->msg;

	if (m->sasl_username == NULL || m->sasl_username[0] == '\0')
		return 0;
	if (qt_sample_login(t->x, &t->b, m->sasl_username, err) != 0)
		return -1;
	s->login = kept(t);
	if (s->login == NULL)
		return qt_fail_mem(err);
	if (m->sasl_method == NULL || !is_method(m->sasl_method))
		return 0;
	qt_buf_adds(&t->b, m->sasl_method);
	s->method = kept(t);
	return s->method != NULL ? 0 : qt_fail_mem(err);
}

/* ---- envelope ---- */

static int take_rcpts(struct taking *t, struct qt_sample *s,
    struct qt_error *err)
{
	const struct qt_msg *m = &t->row->msg;
	size_t i;

	s->rcpts = m->ntodo + m->ndone;
	for (i = 0; m->rcpt != NULL && i < m->nrcpt &&
	     s->nrcpt < QT_SAMPLE_RCPTS; i++) {
		if (m->rcpt[i].state == QT_RCPT_CANCELLED)
			continue;
		if (redacts(t->x))
			qt_redact_address(&t->r, &t->b, m->rcpt[i].address);
		else
			qt_buf_adds(&t->b, m->rcpt[i].address);
		s->rcpt[s->nrcpt] = kept(t);
		if (s->rcpt[s->nrcpt] == NULL)
			return qt_fail_mem(err);
		s->nrcpt++;
	}
	return 0;
}

static int take_server(struct taking *t, struct qt_sample *s,
    struct qt_error *err)
{
	const struct qt_msg *m = &t->row->msg;
	uint8_t addr[16];

	/* behind XFORWARD it is not the server that the client came to */
	if (m->server_address == NULL || !cidr_address(addr, m->server_address) ||
	    (m->log_client_address != NULL && m->client_address != NULL &&
		strcmp(m->log_client_address, m->client_address) != 0))
		return 0;
	qt_buf_adds(&t->b, m->server_address);
	s->server_address = kept(t);
	s->server_port = qt_incident_port(m->server_port);
	return s->server_address != NULL ? 0 : qt_fail_mem(err);
}

static int take_envelope(struct taking *t, struct qt_sample *s,
    const char *subject, size_t subject_len, struct qt_error *err)
{
	const struct qt_msg *m = &t->row->msg;

	s->time = m->arrival_time;
	s->usec = m->arrival_usec;
	s->port = qt_incident_port(m->log_client_port != NULL ?
		m->log_client_port : m->client_port);
	s->sender = "";
	if (take_text(t, &s->sender, qt_redact_user, m->sender, err) != 0 ||
	    take_text(t, &s->helo, qt_redact_text, m->log_helo_name != NULL ?
		m->log_helo_name : m->helo_name, err) != 0 ||
	    take_login(t, s, err) != 0 || take_rcpts(t, s, err) != 0 ||
	    take_server(t, s, err) != 0 ||
	    take_decoded(t, &s->subject, qt_redact_subject, subject,
		subject_len, err) != 0 ||
	    take_field(t, &s->message_id, "Message-ID", err) != 0 ||
	    take_field(t, &s->agent, "X-Mailer", err) != 0)
		return -1;
	return s->agent != NULL ? 0 :
	    take_field(t, &s->agent, "User-Agent", err);
}

/* ---- its text ---- */

/* The bytes of b go to the samples. */
static int keep_bytes(struct qt_incident *x, struct qt_sample *s,
    const void *bytes, size_t len, struct qt_error *err)
{
	s->at = qt_spill_size(&x->samples);
	s->len = len;
	return qt_spill_add(&x->samples, bytes, len, err);
}

/* The header as it was read with the row. */
static int header_alone(struct taking *t, struct qt_sample *s,
    struct qt_error *err)
{
	const struct qt_headers *h = &t->row->headers;
	size_t i;
	int r;

	for (i = 0; i < h->n; i++)
		if (redacts(t->x)) {
			qt_eml_field(&t->b, &t->r, &h->v[i]);
		} else {
			qt_buf_addf(&t->b, "%s: ", h->v[i].name);
			qt_buf_add(&t->b, h->v[i].value, h->v[i].value_len);
			qt_buf_addc(&t->b, '\n');
		}
	r = qt_buf_check(&t->b, err);
	if (r == 0)
		r = keep_bytes(t->x, s, qt_buf_str(&t->b), t->b.len, err);
	qt_buf_clear(&t->b);
	return r;
}

size_t qt_sample_header(const char *s, size_t len)
{
	const char *p = s, *const end = s + len, *nl;

	while (p < end && *p != '\n') {
		if (*p == '\r' && p + 1 < end && p[1] == '\n')
			break;
		nl = memchr(p, '\n', (size_t)(end - p));
		p = nl != NULL ? nl + 1 : end;
	}
	return (size_t)(p - s);
}

static int from_file(struct taking *t, struct qt_sample *s,
    const struct qt_buf *file, struct qt_error *err)
{
	const bool whole = t->x->opts.whole &&
	    t->x->opts.redact != QT_REDACT_FULL;
	struct qt_spill bytes, eml;
	struct qt_facts_file f;
	size_t len;
	int r;

	qt_spill_init(&bytes, t->x->tmp_dirfd, READ_MAX);
	qt_spill_init(&eml, t->x->tmp_dirfd, 8 * READ_MAX);
	qt_spill_borrow(&bytes, file->data, file->len);
	r = qt_facts_parse(&f, &bytes, t->row->queue, err);
	if (r == 0)
		r = qt_eml_write(&eml, &f, redacts(t->x) ? &t->r : NULL, err);
	len = (size_t)qt_spill_size(&eml);
	if (r >= 0 && (len == 0 || qt_spill_bytes(&eml) == NULL)) {
		r = 1;
	} else if (r >= 0) {
		s->whole = whole && r == 0 && len <= QT_SAMPLE_WHOLE;
		if (!s->whole)
			len = qt_sample_header((const char *)qt_spill_bytes(&eml),
			    len);
		r = keep_bytes(t->x, s, qt_spill_bytes(&eml), len, err);
	}
	qt_facts_file_release(&f);
	qt_spill_release(&bytes);
	qt_spill_release(&eml);
	return r;
}

/*
 * Where the message's own bytes are wanted.  1: they are not to be had (it is
 * gone, or is too large, or damaged): what the row has of it will do.
 */
static int own_bytes(struct taking *t, struct qt_sample *s,
    struct qt_error *err)
{
	struct qt_error why = {0};
	struct qt_buf file;
	int fd = -1, r;

	if (t->row->file_size <= 0 || (uint64_t)t->row->file_size > READ_MAX)
		return 1;
	qt_buf_init(&file, 2 * READ_MAX);
	r = qt_row_open(t->row, &fd, &why);
	if (r == 0)
		r = qt_slurp_fd(fd, t->row->path, READ_MAX, &file, &why);
	if (r == 0)
		r = from_file(t, s, &file, &why);
	qt_close_quiet(&fd);
	qt_buf_release(&file);
	if (r < 0 && qt_error_is_item(&why))
		return 1;
	if (r < 0 && err != NULL)
		*err = why;
	return r;
}

static int take_bytes(struct taking *t, struct qt_sample *s,
    struct qt_error *err)
{
	const bool wanted = !redacts(t->x) || (t->x->opts.whole &&
	    t->x->opts.redact != QT_REDACT_FULL);
	const int r = wanted ? own_bytes(t, s, err) : 1;

	return r == 1 ? header_alone(t, s, err) : r;
}

/* ---- the sample ---- */

int qt_sample_take(struct qt_incident *x, struct qt_sample *s,
    const struct qt_row *row, const char *subject, size_t subject_len,
    struct qt_error *err)
{
	struct taking t = {.x = x, .row = row};
	int r = 0;

	if (row->state == QT_STATE_CORRUPT)
		return 1; /* a form is better made of a sound one */
	memset(s, 0, sizeof(*s));
	qt_arena_init(&t.arena, 0);
	qt_buf_init(&t.b, 0);
	if (redacts(x))
		r = qt_redactor_init(&t.r, x->opts.redact, &x->key, &row->msg,
		    &row->headers, &t.arena, err);
	/* the network needs the proof, and not whose account it was */
	if (r == 0 && redacts(x))
		r = qt_redactor_add_user(&t.r, row->msg.sasl_username,
		    &row->headers, &t.arena, err);
	if (r == 0)
		r = take_envelope(&t, s, subject, subject_len, err);
	if (r == 0)
		r = take_bytes(&t, s, err);
	qt_buf_release(&t.b);
	qt_arena_release(&t.arena);
	return r;
}

int qt_sample_bytes(const struct qt_incident *x, const struct qt_sample *s,
    struct qt_buf *b, struct qt_error *err)
{
	char *room;

	qt_buf_clear(b);
	room = qt_buf_room(b, (size_t)s->len);
	if (room == NULL)
		return qt_fail_mem(err);
	if (s->len != 0 && qt_spill_read(&x->samples, s->at, room,
		(size_t)s->len, err) != 0)
		return -1;
	qt_buf_wrote(b, (size_t)s->len);
	return qt_buf_check(b, err);
}
