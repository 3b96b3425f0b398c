/*
 * incident_xarf.c - one object (JSON, XARF 4) about one address, for the
 * programs of abuse desks: the mail that came from there, or the logins.
 *
 * One member a line; texts are cut where the format's limits are, between two
 * characters.
 */
#include "evidence/incident.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "evidence/bag.h"
#include "evidence/base64.h"
#include "evidence/hash.h"
#include "qtool/custody.h"
#include "qtool/escape.h"

/* Limits of the format: characters, but for the last. */
#define ORG_MAX 200
#define DESCRIPTION_MAX 1000
#define WHAT_MAX 500 /* of a piece of evidence */
#define SUBJECT_MAX 500
#define ID_MAX 200
#define AGENT_MAX 200
#define OTHER_MAX 400 /* of what has none and is never longer */
#define EVIDENCE_MAX ((size_t)5242880) /* bytes */

#define LAST_TIME INT64_C(253402300799) /* the year has four digits up to here */

/* What both kinds are made of. */
struct object {
	struct qt_incident *x;
	const struct qt_counted *client;
	const struct qt_sample *s;
	struct qt_buf *b;
};

/* ---- values ---- */

static bool is_time(int64_t t)
{
	return t > 0 && t <= LAST_TIME;
}

/* An address that every program takes for one. */
static bool is_address(const char *s)
{
	static const char others[] = ".!#$%&'*+/=?^_`{|}~-";
	const char *p;

	for (p = s; *p != '@'; p++)
		if (!((*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
			(*p >= '0' && *p <= '9') ||
			(*p != '\0' && strchr(others, *p) != NULL)) ||
		    (*p == '.' && (p == s || p[1] == '.' || p[1] == '@')))
			return false;
	return p != s && p - s <= 64 && qt_incident_is_host(p + 1);
}

/* ---- members ---- */

static void key(const struct object *o, const char *name)
{
	qt_buf_addf(o->b, ",\n  \"%s\": ", name);
}

static void number(const struct object *o, const char *name, uint64_t n)
{
	key(o, name);
	qt_buf_addf(o->b, "%" PRIu64, n);
}

/* A string of so many characters at the most; bad bytes are \xHH. */
static void string(struct qt_buf *b, const char *s, size_t max)
{
	struct qt_buf text;
	size_t n = 0;

	qt_buf_init(&text, 0);
	qt_escape_utf8(&text, s, strlen(s));
	for (s = qt_buf_str(&text); max > 0 && s[n] != '\0'; max--)
		n += qt_utf8_next(s + n, text.len - n, NULL);
	qt_buf_addc(b, '"');
	qt_escape_json(b, s, n);
	qt_buf_addc(b, '"');
	b->failed = b->failed || text.failed;
	qt_buf_release(&text);
}

/* NULL and "": not told. */
static void member(const struct object *o, const char *name, const char *s,
    size_t max)
{
	if (s == NULL || s[0] == '\0')
		return;
	key(o, name);
	string(o->b, s, max);
}

static void when(const struct object *o, const char *name, int64_t t)
{
	char text[32];

	if (!is_time(t))
		return;
	qt_utc(t, text);
	member(o, name, text, sizeof(text));
}

static void party(const struct object *o, const char *name)
{
	const char *org = o->x->opts.organization;

	key(o, name);
	qt_buf_adds(o->b, "{\"org\": ");
	string(o->b, org != NULL && org[0] != '\0' ? org : o->x->domain,
	    ORG_MAX);
	qt_buf_adds(o->b, ", \"contact\": ");
	qt_json_string(o->b, o->x->address);
	qt_buf_adds(o->b, ", \"domain\": ");
	qt_json_string(o->b, o->x->domain);
	qt_buf_addc(o->b, '}');
}

/* A random UUID (RFC 9562 5.4). */
static int report_id(const struct object *o, struct qt_error *err)
{
	unsigned char u[16];
	char text[2 * sizeof(u) + 5];
	size_t i, at = 0;

	if (getrandom(u, sizeof(u), 0) != (ssize_t)sizeof(u))
		return qt_fail_own(err, "getrandom", "");
	u[6] = (unsigned char)((u[6] & 0x0f) | 0x40);
	u[8] = (unsigned char)((u[8] & 0x3f) | 0x80);
	for (i = 0; i < sizeof(u); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[at++] = '-';
		(void)snprintf(text + at, 3, "%02x", u[i]);
		at += 2;
	}
	member(o, "report_id", text, sizeof(text));
	return 0;
}

/* ---- parts of both ---- */

static int beginning(const struct object *o, const char *category,
    const char *type, const char *source, struct qt_error *err)
{
	qt_buf_adds(o->b, "{\n  \"xarf_version\": \"4.2.0\"");
	if (report_id(o, err) != 0)
		return -1;
	when(o, "timestamp", is_time(o->s->time) ? o->s->time :
						   o->client->first);
	party(o, "reporter");
	party(o, "sender");
	member(o, "source_identifier", o->client->key, OTHER_MAX);
	number(o, "source_port", o->s->port);
	member(o, "category", category, OTHER_MAX);
	member(o, "type", type, OTHER_MAX);
	member(o, "evidence_source", source, OTHER_MAX);
	return 0;
}

/* Behind what it is about, in words. */
static void description(const struct object *o, struct qt_buf *d)
{
	const struct qt_incident_opts *opts = &o->x->opts;

	if (opts->redact != QT_REDACT_NONE)
		qt_buf_adds(d, " Names are replaced by tokens (RFC 6590).");
	if (opts->case_id != NULL && opts->case_id[0] != '\0')
		qt_buf_addf(d, " Case number: %s", opts->case_id);
	member(o, "description", qt_buf_str(d), DESCRIPTION_MAX);
	o->b->failed = o->b->failed || d->failed;
	qt_buf_release(d);
}

static void count(struct qt_buf *d, uint64_t n, const char *what)
{
	char text[32];

	qt_buf_addf(d, "%s %s%s", qt_incident_number(n, text), what,
	    n == 1 ? "" : "s");
}

static void about_mail(const struct object *o)
{
	const struct qt_counted *c = o->client;
	const uint64_t logins = qt_client_of(c)->logins;
	struct qt_buf d;
	char text[32];

	qt_buf_init(&d, 0);
	qt_buf_adds(&d, "Unsolicited mail from this address: ");
	count(&d, c->messages, "message");
	qt_buf_adds(&d, " to ");
	count(&d, c->recipients, "recipient");
	if (logins != 0 && logins < c->messages)
		qt_buf_addf(&d, ", %s of them",
		    qt_incident_number(logins, text));
	else if (logins != 0)
		qt_buf_addc(&d, ',');
	if (logins != 0)
		qt_buf_adds(&d, " with the stolen credentials of an account "
		    "here");
	qt_buf_addc(&d, '.');
	description(o, &d);
}

static void about_logins(const struct object *o)
{
	struct qt_buf d;

	qt_buf_init(&d, 0);
	qt_buf_adds(&d, "Somebody else than the owner of an account here logged "
	    "in with its credentials (SMTP AUTH) from this address, to send ");
	count(&d, qt_client_of(o->client)->logins, "message");
	qt_buf_addc(&d, '.');
	description(o, &d);
}

/* The sample; one that is empty or beyond the limit is left out. */
static int evidence(const struct object *o, struct qt_error *err)
{
	const bool whole = o->s->whole;
	char hex[QT_SHA256_HEX];
	struct qt_buf bytes;
	int r;

	qt_buf_init(&bytes, 0);
	r = qt_sample_bytes(o->x, o->s, &bytes, err);
	if (r == 0 && bytes.len != 0 && bytes.len <= EVIDENCE_MAX &&
	    (r = qt_custody_sum(bytes.data, bytes.len, hex, err)) == 0) {
		key(o, "evidence");
		qt_buf_adds(o->b, "[{\"content_type\": ");
		qt_json_string(o->b, whole ? "message/rfc822" :
					     "text/rfc822-headers");
		qt_buf_adds(o->b, ",\n    \"description\": ");
		string(o->b, whole ? "One of the messages" :
				     "The header of one of the messages",
		    WHAT_MAX);
		qt_buf_addf(o->b, ",\n    \"hash\": \"sha256:%s\",\n    "
		    "\"size\": %zu,\n    \"payload\": \"", hex, bytes.len);
		qt_base64(o->b, bytes.data, bytes.len);
		qt_buf_adds(o->b, "\"}]");
	}
	qt_buf_release(&bytes);
	return r;
}

static int end(const struct object *o, struct qt_error *err)
{
	when(o, "first_seen", is_time(o->client->first) ? o->client->first :
							  o->s->time);
	when(o, "last_seen", o->client->last);
	if (evidence(o, err) != 0)
		return -1;
	qt_buf_adds(o->b, "\n}\n");
	return qt_buf_check(o->b, err);
}

/* ---- the two kinds ---- */

/* The first sample that has what an object has to have; NULL: none has. */
static const struct qt_sample *choose(const struct qt_counted *client,
    bool login)
{
	const struct qt_client *c = qt_client_of(client);
	const struct qt_sample *s;
	unsigned i;

	for (i = 0; c->valid && i < c->nsamples; i++) {
		s = &c->sample[i];
		if (s->port != 0 &&
		    (is_time(s->time) || is_time(client->first)) &&
		    (login ? s->login != NULL : is_address(s->sender)))
			return s;
	}
	return NULL;
}

int qt_incident_xarf_spam(struct qt_incident *x, const struct qt_counted *client,
    struct qt_buf *b, struct qt_error *err)
{
	const struct qt_sample *s = choose(client, false);
	const struct object o = {x, client, s, b};
	unsigned i;

	if (s == NULL || !qt_incident_is_host(x->domain))
		return 1;
	if (beginning(&o, "messaging", "spam", "content_analysis", err) != 0)
		return -1;
	member(&o, "protocol", "smtp", OTHER_MAX);
	member(&o, "smtp_from", s->sender, OTHER_MAX);
	for (i = 0; i < s->nrcpt; i++)
		if (is_address(s->rcpt[i])) {
			member(&o, "smtp_to", s->rcpt[i], OTHER_MAX);
			break;
		}
	member(&o, "subject", s->subject, SUBJECT_MAX);
	member(&o, "message_id", s->message_id, ID_MAX);
	member(&o, "user_agent", s->agent, AGENT_MAX);
	if (s->rcpts != 0)
		number(&o, "recipient_count", s->rcpts);
	about_mail(&o);
	return end(&o, err);
}

/* Where it came to, of ours. */
static void destination(const struct object *o)
{
	const char *const s = o->s->server_address;
	uint8_t addr[16];

	if (s == NULL || (inet_pton(AF_INET, s, addr) != 1 &&
		inet_pton(AF_INET6, s, addr) != 1))
		return;
	member(o, "destination_ip", s, OTHER_MAX);
	if (o->s->server_port != 0)
		number(o, "destination_port", o->s->server_port);
}

int qt_incident_xarf_login(struct qt_incident *x,
    const struct qt_counted *client, struct qt_buf *b, struct qt_error *err)
{
	const struct qt_sample *s = choose(client, true);
	const struct object o = {x, client, s, b};

	if (s == NULL || qt_client_of(client)->logins == 0 ||
	    !qt_incident_is_host(x->domain))
		return 1;
	if (beginning(&o, "connection", "login_attack", "traffic_analysis",
		err) != 0)
		return -1;
	member(&o, "protocol", "tcp", OTHER_MAX);
	destination(&o);
	about_logins(&o);
	return end(&o, err);
}
