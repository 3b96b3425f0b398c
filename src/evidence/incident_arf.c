/*
 * incident_arf.c - one mail to who answers for a network: multipart/report of
 * the type feedback-report (RFC 5965, 6522), as programs of abuse desks read it.
 *
 *	text/plain			for people (incident_arf_text.c)
 *	message/feedback-report		the same in fields
 *	message/rfc822			a message, or
 *	text/rfc822-headers		its header; neither when there is none
 *
 * The message is put in byte by byte, not as GMime would write it again.
 */
#include <gmime/gmime.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "evidence/arf.h"
#include "qtool/message.h"
#include "query/decode.h"

#define LINE 998      /* bytes that go through mail (RFC 5322 2.1.1) */
#define VALUE_MAX 900 /* of a field; what is longer is left out */

/* The parts' bytes, and how the last one goes. */
struct parts {
	struct qt_buf text, fields, third;
	GMimeContentEncoding text_code, third_code;
};

/* ---- what is shown ---- */

/* First one of each client, then the second ones ... */
static void choose(struct qt_arf *a)
{
	const struct qt_net *net = a->net;
	const struct qt_client *c;
	unsigned nth;
	size_t i;

	for (nth = 0; nth < QT_SAMPLES; nth++)
		for (i = 0; i < net->n; i++) {
			c = qt_client_of(net->client[i]);
			if (nth >= c->nsamples)
				continue;
			a->sample[a->n] = &c->sample[nth];
			a->client[a->n] = net->client[i];
			if (++a->n == QT_ARF_SAMPLES)
				return;
		}
}

/* What of a text cannot go as it is. */
struct bytes_are {
	bool eight; /* not ASCII */
	bool odd;   /* NUL, a carriage return, or a line that is too long */
};

static struct bytes_are look(const char *s, size_t len)
{
	struct bytes_are is = {.odd = false};
	size_t i, line = 0;

	for (i = 0; i < len; i++) {
		line = s[i] == '\n' ? 0 : line + 1;
		is.eight = is.eight || ((unsigned char)s[i] & 0x80) != 0;
		is.odd = is.odd || s[i] == '\0' || s[i] == '\r' || line > LINE;
	}
	return is;
}

/* The header alone, of one without an end as many lines as are bearable. */
static void cut(struct qt_arf *a, struct qt_buf *b)
{
	const char *nl;

	b->len = qt_sample_header(qt_buf_str(b), b->len);
	a->third = b->len != 0 ? QT_ARF_HEADER : QT_ARF_NOTHING;
	if (b->len <= QT_SAMPLE_WHOLE)
		return;
	nl = memrchr(b->data, '\n', QT_SAMPLE_WHOLE);
	b->len = nl != NULL ? (size_t)(nl + 1 - b->data) : QT_SAMPLE_WHOLE;
	a->third = QT_ARF_BEGINNING;
}

/*
 * A message must not be encoded (RFC 2046 5.2.1): one that would have to be is
 * shown by its header, which may be (RFC 6522 4).
 */
static int show_first(struct qt_arf *a, struct parts *p, struct qt_error *err)
{
	struct bytes_are is;

	if (a->n == 0)
		return 0;
	if (qt_sample_bytes(a->x, a->sample[0], &p->third, err) != 0)
		return -1;
	is = look(qt_buf_str(&p->third), p->third.len);
	if (a->sample[0]->whole && p->third.len != 0 && !is.odd) {
		a->third = QT_ARF_WHOLE;
		p->third_code = is.eight ? GMIME_CONTENT_ENCODING_8BIT :
					   GMIME_CONTENT_ENCODING_7BIT;
		return 0;
	}
	cut(a, &p->third);
	is = look(qt_buf_str(&p->third), p->third.len);
	p->third_code = is.eight || is.odd ?
	    GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE : GMIME_CONTENT_ENCODING_7BIT;
	return 0;
}

/* ---- fields (RFC 5965 3) ---- */

/* One line of printable ASCII, whatever the value is of. */
static void field(struct qt_buf *b, const char *name, const char *value)
{
	const char *p;

	if (value[0] == '\0' || strlen(value) > VALUE_MAX)
		return;
	qt_buf_addf(b, "%s: ", name);
	for (p = value; *p != '\0'; p++)
		qt_buf_addc(b, *p >= ' ' && *p <= '~' ? *p : '?');
	qt_buf_addc(b, '\n');
}

/* A path as in SMTP: <address>. */
static void path(struct qt_buf *b, const char *name, const char *address)
{
	struct qt_buf v;
	char *p;

	qt_buf_init(&v, 0);
	qt_buf_addc(&v, '<');
	if (address[0] != '\0')
		qt_address_print(&v, address, false);
	/* the local part is quoted where it has to be, the domain is not */
	p = v.failed ? NULL : strrchr(v.data, '@');
	for (; p != NULL && *p != '\0'; p++)
		if (*p == ' ' || *p == '<' || *p == '>' || *p == '"')
			*p = '?';
	qt_buf_addc(&v, '>');
	field(b, name, qt_buf_str(&v));
	b->failed = b->failed || v.failed;
	qt_buf_release(&v);
}

/* "Thu, 26 Nov 2026 04:22:11 +0000"; nothing for what is no time. */
static void date(struct qt_buf *b, const char *name, int64_t seconds)
{
	GDateTime *t = seconds != 0 ? g_date_time_new_from_unix_utc(seconds) :
				      NULL;
	char *text;

	if (t == NULL)
		return;
	text = g_mime_utils_header_format_date(t);
	field(b, name, text);
	g_free(text);
	g_date_time_unref(t);
}

/* Whether RFC 8601 takes a login as it is: a name, or name@host. */
static bool is_plain(const char *login)
{
	const char *p;
	unsigned at = 0;

	for (p = login; *p != '\0'; p++) {
		at += *p == '@';
		if (!((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
			(*p >= '0' && *p <= '9') || strchr("._+-@", *p) != NULL))
			return false;
	}
	return at == 0 || (at == 1 && *login != '@' && p[-1] != '@');
}

/* Who had logged in (RFC 8601 2.7.4). */
static void login(const struct qt_arf *a, struct qt_buf *b)
{
	const struct qt_sample *s = a->n != 0 ? a->sample[0] : NULL;
	const char *host = a->x->opts.host, *p;
	struct qt_buf v;

	if (s == NULL || s->login == NULL)
		return;
	qt_buf_init(&v, 0);
	qt_buf_addf(&v, "%s; auth=pass",
	    qt_incident_is_host(host) ? host : a->x->domain);
	if (s->method != NULL)
		qt_buf_addf(&v, " (%s)", s->method);
	qt_buf_adds(&v, " smtp.auth=");
	if (s->login[0] != '\0' && is_plain(s->login)) {
		qt_buf_adds(&v, s->login);
	} else {
		qt_buf_addc(&v, '"');
		for (p = s->login; *p != '\0'; p++) {
			if (*p == '"' || *p == '\\')
				qt_buf_addc(&v, '\\');
			qt_buf_addc(&v, *p);
		}
		qt_buf_addc(&v, '"');
	}
	field(b, "Authentication-Results", qt_buf_str(&v));
	b->failed = b->failed || v.failed;
	qt_buf_release(&v);
}

/* Where it came from, and when. */
static void source(const struct qt_arf *a, struct qt_buf *b)
{
	const struct qt_counted *c = a->n != 0 ? a->client[0] :
						 a->net->client[0];
	const struct qt_client *more = qt_client_of(c);
	unsigned port = a->n != 0 ? a->sample[0]->port :
	    more->port_min == more->port_max ? more->port_min : 0;

	date(b, "Arrival-Date", a->n != 0 ? a->sample[0]->time : c->first);
	field(b, "Source-IP", c->key);
	if (port != 0)
		qt_buf_addf(b, "Source-Port: %u\n", port);
}

static int fields(const struct qt_arf *a, struct qt_buf *b,
    struct qt_error *err)
{
	const struct qt_sample *s = a->n != 0 ? a->sample[0] : NULL;
	unsigned i;

	field(b, "Feedback-Type", "abuse");
	field(b, "User-Agent", "qtool/" QTOOL_VERSION);
	field(b, "Version", "1");
	if (s != NULL)
		path(b, "Original-Mail-From", s->sender);
	for (i = 0; s != NULL && i < s->nrcpt; i++)
		if (s->rcpt[i][0] != '\0')
			path(b, "Original-Rcpt-To", s->rcpt[i]);
	source(a, b);
	if (qt_incident_is_host(a->x->opts.host))
		qt_buf_addf(b, "Reporting-MTA: dns; %s\n", a->x->opts.host);
	login(a, b);
	qt_buf_addf(b, "Incidents: %" PRIu64 "\n", a->net->sum.messages);
	return qt_buf_check(b, err);
}

/* ---- header ---- */

static int random_hex(char hex[33], struct qt_error *err)
{
	unsigned char bytes[16];
	size_t i;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return qt_fail_own(err, "getrandom", "");
	for (i = 0; i < sizeof(bytes); i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

/* "... on 2026-11-26 [case]" */
static void subject(const struct qt_arf *a, struct qt_buf *b)
{
	const struct qt_counted *sum = &a->net->sum;
	const char *id = a->x->opts.case_id;
	char first[32], last[32];

	qt_buf_adds(b, a->net->logins != 0 ?
		"Abuse report: mail sent with stolen credentials from " :
		"Abuse report: spam from ");
	qt_arf_source(a, b);
	if (sum->first != 0) {
		qt_incident_time(sum->first, first);
		qt_incident_time(sum->last, last);
		qt_buf_addf(b, " on %.10s", first);
		if (strncmp(first, last, 10) != 0)
			qt_buf_addf(b, " to %.10s", last);
	}
	if (id != NULL && id[0] != '\0')
		qt_buf_addf(b, " [%s]", id);
}

/* From: as the operator has written it, if that is one sender. */
static void set_from(GMimeMessage *m, const struct qt_incident *x)
{
	InternetAddressList *l = internet_address_list_parse(NULL, x->from);
	InternetAddress *one = l != NULL && internet_address_list_length(l) == 1 ?
	    internet_address_list_get_address(l, 0) : NULL;
	const char *open = strrchr(x->from, '<');
	char *name;

	if (one != NULL && INTERNET_ADDRESS_IS_MAILBOX(one)) {
		internet_address_list_add(g_mime_message_get_addresses(m,
		    GMIME_ADDRESS_TYPE_FROM), one);
	} else { /* Doe, Joe <joe@example.org> */
		name = open != NULL ?
		    g_strndup(x->from, (gsize)(open - x->from)) : NULL;
		g_mime_message_add_mailbox(m, GMIME_ADDRESS_TYPE_FROM,
		    name != NULL ? g_strstrip(name) : NULL, x->address);
		g_free(name);
	}
	if (l != NULL)
		g_object_unref(l);
}

static int header(GMimeMessage *m, const struct qt_arf *a, struct qt_error *err)
{
	const struct qt_incident *x = a->x;
	GDateTime *now = g_date_time_new_from_unix_utc(x->now);
	struct qt_buf b;
	char id[33];
	int r;

	set_from(m, x);
	if (a->net->to != NULL)
		g_mime_message_add_mailbox(m, GMIME_ADDRESS_TYPE_TO, NULL,
		    a->net->to);
	qt_buf_init(&b, 0);
	subject(a, &b);
	g_mime_message_set_subject(m, qt_buf_str(&b), "utf-8");
	if (now != NULL) {
		g_mime_message_set_date(m, now);
		g_date_time_unref(now);
	}
	r = qt_buf_check(&b, err);
	if (r == 0)
		r = random_hex(id, err);
	if (r == 0) {
		qt_buf_clear(&b);
		qt_buf_addf(&b, "%s@%s", id, x->domain);
		g_mime_message_set_message_id(m, qt_buf_str(&b));
		r = qt_buf_check(&b, err);
	}
	qt_buf_release(&b);
	return r;
}

/* ---- the mail ---- */

/* Its bytes are copied.  In quoted-printable CR LF is a line's end like LF. */
static GMimeObject *part(const char *type, const char *subtype,
    const struct qt_buf *bytes, GMimeContentEncoding code)
{
	GMimePart *p = g_mime_part_new_with_type(type, subtype);
	GByteArray *copy = g_byte_array_new();
	GMimeStream *s;
	GMimeDataWrapper *w;

	g_byte_array_append(copy, (const guint8 *)qt_buf_str(bytes),
	    (guint)bytes->len);
	s = g_mime_stream_mem_new_with_byte_array(copy);
	g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(s), TRUE);
	w = g_mime_data_wrapper_new_with_stream(s,
	    GMIME_CONTENT_ENCODING_DEFAULT);
	g_mime_part_set_content(p, w);
	g_mime_part_set_content_encoding(p, code);
	g_object_unref(w);
	g_object_unref(s);
	return GMIME_OBJECT(p);
}

static void add(GMimeMultipart *to, GMimeObject *what)
{
	g_mime_multipart_add(to, what);
	g_object_unref(what);
}

static int body(GMimeMessage *m, const struct qt_arf *a, const struct parts *p,
    struct qt_error *err)
{
	GMimeMultipart *all = g_mime_multipart_new_with_subtype("report");
	GMimeObject *text = part("text", "plain", &p->text, p->text_code);
	char boundary[33];
	int r;

	g_mime_object_set_content_type_parameter(GMIME_OBJECT(all),
	    "report-type", "feedback-report");
	g_mime_object_set_content_type_parameter(text, "charset", "utf-8");
	add(all, text);
	add(all, part("message", "feedback-report", &p->fields,
		GMIME_CONTENT_ENCODING_7BIT));
	if (a->third == QT_ARF_WHOLE)
		add(all, part("message", "rfc822", &p->third, p->third_code));
	else if (a->third != QT_ARF_NOTHING)
		add(all, part("text", "rfc822-headers", &p->third,
			p->third_code));
	if (p->third_code == GMIME_CONTENT_ENCODING_8BIT)
		g_mime_object_set_header(GMIME_OBJECT(all),
		    "Content-Transfer-Encoding", "8bit", NULL);
	/* nobody can have put such a line into a message */
	r = random_hex(boundary, err);
	if (r == 0) {
		g_mime_multipart_set_boundary(all, boundary);
		g_mime_message_set_mime_part(m, GMIME_OBJECT(all));
	}
	g_object_unref(all);
	return r;
}

static int write_out(GMimeMessage *m, struct qt_buf *b, struct qt_error *err)
{
	GMimeFormatOptions *o = g_mime_format_options_new();
	GMimeStream *s = g_mime_stream_mem_new();
	GByteArray *bytes;
	int r = 0;

	g_mime_format_options_set_newline_format(o, GMIME_NEWLINE_FORMAT_UNIX);
	if (g_mime_object_write_to_stream(GMIME_OBJECT(m), o, s) < 0) {
		r = qt_fail(err, QT_E_LIBRARY, "gmime", "cannot write a mail");
	} else {
		bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(s));
		qt_buf_add(b, bytes->data, bytes->len);
		r = qt_buf_check(b, err);
	}
	g_object_unref(s);
	g_mime_format_options_free(o);
	return r;
}

static int compose(const struct qt_arf *a, const struct parts *p,
    struct qt_buf *b, struct qt_error *err)
{
	GMimeMessage *m = g_mime_message_new(TRUE);
	int r = header(m, a, err);

	if (r == 0)
		r = body(m, a, p, err);
	if (r == 0)
		r = write_out(m, b, err);
	g_object_unref(m);
	return r;
}

int qt_incident_arf(struct qt_incident *x, const struct qt_net *net,
    struct qt_buf *b, struct qt_error *err)
{
	struct qt_arf a = {.x = x, .net = net};
	struct parts p = {.third_code = GMIME_CONTENT_ENCODING_DEFAULT};
	struct bytes_are is;
	int r;

	decode_init();
	qt_buf_init(&p.text, 0);
	qt_buf_init(&p.fields, 0);
	qt_buf_init(&p.third, 0);
	choose(&a);
	r = show_first(&a, &p, err);
	if (r == 0)
		r = qt_arf_text(&a, &p.text, err);
	if (r == 0)
		r = fields(&a, &p.fields, err);
	if (r == 0) {
		is = look(qt_buf_str(&p.text), p.text.len);
		p.text_code = is.eight || is.odd ?
		    GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE :
		    GMIME_CONTENT_ENCODING_7BIT;
		r = compose(&a, &p, b, err);
	}
	qt_buf_release(&p.text);
	qt_buf_release(&p.fields);
	qt_buf_release(&p.third);
	return r;
}
