/*
 * incident_arf_text.c - what people read of a mail to a network: what came from
 * there, when, from which ports, and what is asked of them.
 *
 * Behind one address there may be hundreds of customers: each connection is
 * listed with its port and its time.
 */
#include "evidence/arf.h"

#include <stdio.h>
#include <stdlib.h>

#include "qtool/escape.h"

#define COLUMNS 76
#define CONNECTIONS 60 /* that are listed */
#define ADDRESSES 100  /* likewise */
#define QUOTED_LINES 60 /* of a message's header */
#define QUOTED_LINE ((size_t)990) /* bytes of one; 998 go through mail */

/* ---- lines ---- */

/* Append text in lines of words, and an empty line. */
static void wrap(struct qt_buf *b, const struct qt_buf *text)
{
	const char *p = qt_buf_str(text);
	size_t column = 0, n, wide, i;

	for (;; p += n) {
		p += strspn(p, " ");
		n = strcspn(p, " ");
		if (n == 0)
			break;
		for (i = wide = 0; i < n; i++)
			wide += ((unsigned char)p[i] & 0xc0) != 0x80;
		if (column != 0 && column + 1 + wide > COLUMNS) {
			qt_buf_addc(b, '\n');
			column = 0;
		} else if (column != 0) {
			qt_buf_addc(b, ' ');
			column++;
		}
		qt_buf_add(b, p, n);
		column += wide;
	}
	qt_buf_adds(b, "\n\n");
	b->failed = b->failed || text->failed;
}

/* "1,234 messages" */
static void count(struct qt_buf *p, uint64_t n, const char *what)
{
	char text[32];

	qt_buf_addf(p, "%s %s%s", qt_incident_number(n, text), what,
	    n == 1 ? "" : "s");
}

/* Text of the operator's or of mail. */
static void shown(struct qt_buf *p, const char *s)
{
	qt_escape_cell(p, s, strlen(s));
}

/* ", between T and T UTC"; nothing where no time is known */
static void period(struct qt_buf *p, const struct qt_counted *c)
{
	char first[32], last[32];

	if (c->first == 0)
		return;
	qt_incident_time(c->first, first);
	qt_incident_time(c->last, last);
	if (strcmp(first, last) == 0)
		qt_buf_addf(p, ", at %s UTC", first);
	else
		qt_buf_addf(p, ", between %s and %s UTC", first, last);
}

/* ---- what it is about ---- */

/* Whether all clients are of the network that the mail is named after. */
static bool one_network(const struct qt_net *net)
{
	struct qt_error none;
	struct cidr all;
	size_t i;

	if (cidr_parse(&all, net->network, &none) != 0)
		return false;
	for (i = 0; i < net->n; i++)
		if (!cidr_contains(&all, qt_client_of(net->client[i])->addr))
			return false;
	return true;
}

void qt_arf_source(const struct qt_arf *a, struct qt_buf *b)
{
	char number[32];

	if (a->net->n == 1) {
		shown(b, a->net->client[0]->key);
		return;
	}
	qt_buf_addf(b, "%s addresses of ",
	    qt_incident_number(a->net->n, number));
	shown(b, a->net->network);
	if (!one_network(a->net))
		qt_buf_adds(b, " and other networks");
}

static void who_writes(const struct qt_arf *a, struct qt_buf *b,
    struct qt_buf *p)
{
	const struct qt_incident_opts *o = &a->x->opts;

	qt_buf_adds(p, "This is a report of abuse from ");
	if (o->organization != NULL && o->organization[0] != '\0') {
		shown(p, o->organization);
		qt_buf_adds(p, ", ");
	}
	qt_buf_addf(p, "%s. Replies to this mail are read.", a->x->domain);
	wrap(b, p);
	qt_buf_clear(p);
}

static void what_came(const struct qt_arf *a, struct qt_buf *p)
{
	const struct qt_counted *sum = &a->net->sum;

	qt_buf_adds(p, "Our mail server");
	if (qt_incident_is_host(a->x->opts.host))
		qt_buf_addf(p, " %s", a->x->opts.host);
	qt_buf_adds(p, " was handed ");
	count(p, sum->messages, "message");
	qt_buf_adds(p, " to ");
	count(p, sum->recipients, "recipient");
	qt_buf_adds(p, " from ");
	qt_arf_source(a, p);
	qt_buf_adds(p, a->net->n == 1 ? ", an address of your network" :
					", which you answer for");
	period(p, sum);
	qt_buf_adds(p, ".");
}

static void how_it_came(const struct qt_arf *a, struct qt_buf *p)
{
	const uint64_t all = a->net->sum.messages, logins = a->net->logins;

	if (logins == 0) {
		qt_buf_adds(p, " This was unsolicited mail (spam).");
		return;
	}
	qt_buf_addc(p, ' ');
	if (logins < all)
		count(p, logins, "message");
	else
		qt_buf_adds(p, all == 1 ? "It" : "They");
	qt_buf_addf(p, " %s submitted with the stolen credentials of an account "
	    "here (SMTP AUTH): it was not its owner who sent this, but somebody "
	    "else who had got hold of the password.", logins == 1 ? "was" : "were");
	if (logins < all)
		qt_buf_adds(p, " The rest was unsolicited mail (spam) without a "
		    "login.");
}

static void what_is_asked(const struct qt_arf *a, struct qt_buf *b,
    struct qt_buf *p)
{
	const char *const id = a->x->opts.case_id;

	qt_buf_addf(p, "Please see to it that this stops, and tell the customer "
	    "who had the address%s at these times: most likely the machine, or "
	    "a proxy or VPN that runs on it, is abused by somebody else.",
	    a->net->n == 1 ? "" : "es");
	wrap(b, p);
	qt_buf_clear(p);
	if (id == NULL || id[0] == '\0')
		return;
	qt_buf_adds(p, "Our case number is ");
	shown(p, id);
	qt_buf_adds(p, ". Please name it when you answer.");
	wrap(b, p);
	qt_buf_clear(p);
}

/* ---- tables ---- */

static void heading(struct qt_buf *b, const char *what, const char *last)
{
	qt_buf_addf(b, "%s; all times are UTC (+0000):\n\n%-19s  %-19s  %s  %s\n",
	    what, "First", "Last", "Messages", last);
}

/* An IPv6 address may need a line of its own. */
static void row(struct qt_buf *b, const struct qt_counted *c, const char *who)
{
	char first[32], last[32], number[32], line[128];

	qt_incident_time(c->first, first);
	qt_incident_time(c->last, last);
	(void)snprintf(line, sizeof(line), "%-19s  %-19s  %8s", first, last,
	    qt_incident_number(c->messages, number));
	qt_buf_addf(b, "%s%s%s\n", line,
	    strlen(line) + 2 + strlen(who) <= COLUMNS ? "  " : "\n    ", who);
}

static void more(struct qt_buf *b, uint64_t n, const char *what)
{
	char number[32];

	if (n != 0)
		qt_buf_addf(b, "and %s more %s\n", qt_incident_number(n, number),
		    what);
}

static void addresses(const struct qt_arf *a, struct qt_buf *b)
{
	const struct qt_net *net = a->net;
	struct qt_buf who;
	size_t i;

	if (net->n < 2)
		return;
	heading(b, "Addresses", "Address");
	qt_buf_init(&who, 0);
	for (i = 0; i < net->n && i < ADDRESSES; i++) {
		qt_buf_clear(&who);
		shown(&who, net->client[i]->key);
		row(b, net->client[i], qt_buf_str(&who));
	}
	b->failed = b->failed || who.failed;
	qt_buf_release(&who);
	more(b, net->n - i, net->n - i == 1 ? "address" : "addresses");
	qt_buf_addc(b, '\n');
}

/* ---- connections ---- */

struct connections {
	const struct qt_counted **v; /* owned */
	size_t n, cap;
	uint64_t messages; /* that came by them */
};

static int keep(struct connections *l, const struct qt_counted *c,
    struct qt_error *err)
{
	const struct qt_counted **v;
	size_t cap;

	if (l->n == l->cap) {
		cap = l->cap != 0 ? 2 * l->cap : 64;
		v = reallocarray(l->v, cap, sizeof(struct qt_counted *));
		if (v == NULL)
			return qt_fail_mem(err);
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = c;
	l->messages += c->messages;
	return 0;
}

/* How a connection's key stands to those of a client, CLIENT NUL ... */
static int beside(const struct qt_counted *connection,
    const struct qt_counted *client)
{
	const size_t len = client->len + 1; /* with the NUL behind it */
	const size_t n = connection->len < len ? connection->len : len;
	const int r = memcmp(connection->key, client->key, n);

	return r != 0 ? r : connection->len < len ? -1 : 0;
}

/* Those of a client stand together where the tally is in order of keys. */
static int of_client(struct connections *l, const struct qt_tally *t,
    const struct qt_counted *client, struct qt_error *err)
{
	size_t low = 0, high = t->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (beside(t->v[middle], client) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < t->n && beside(t->v[low], client) == 0; low++)
		if (keep(l, t->v[low], err) != 0)
			return -1;
	return 0;
}

/* Those without a time come last. */
static int by_time(const void *va, const void *vb)
{
	const struct qt_counted *a = *(const struct qt_counted *const *)va;
	const struct qt_counted *b = *(const struct qt_counted *const *)vb;
	const size_t n = a->len < b->len ? a->len : b->len;
	int r;

	if (a->first != b->first)
		return a->first == 0 ? 1 : b->first == 0 ? -1 :
		    a->first < b->first			 ? -1 : 1;
	r = memcmp(a->key, b->key, n);
	return r != 0 ? r : (a->len > b->len) - (a->len < b->len);
}

/* "203.0.113.7:4711", "[2001:db8::7]:4711" */
static void endpoint(struct qt_buf *who, const struct qt_counted *c)
{
	const char *const port = c->key + strlen(c->key) + 1;
	const bool v6 = strchr(c->key, ':') != NULL;

	qt_buf_adds(who, v6 ? "[" : "");
	shown(who, c->key);
	qt_buf_adds(who, v6 ? "]:" : ":");
	shown(who, port);
}

static void list(const struct qt_arf *a, struct qt_buf *b,
    const struct connections *l)
{
	const uint64_t messages = a->net->sum.messages;
	struct qt_buf who;
	char number[32];
	size_t i;

	heading(b, "Connections", "Address:port");
	qt_buf_init(&who, 0);
	for (i = 0; i < l->n && i < CONNECTIONS; i++) {
		qt_buf_clear(&who);
		endpoint(&who, l->v[i]);
		row(b, l->v[i], qt_buf_str(&who));
	}
	b->failed = b->failed || who.failed;
	qt_buf_release(&who);
	more(b, l->n - i, l->n - i == 1 ? "connection" : "connections");
	if (l->messages < messages)
		qt_buf_addf(b, messages - l->messages == 1 ?
			"The port of %s other message is not known.\n" :
			"The ports of %s other messages are not known.\n",
		    qt_incident_number(messages - l->messages, number));
	qt_buf_addc(b, '\n');
}

static int connections(const struct qt_arf *a, struct qt_buf *b,
    struct qt_error *err)
{
	struct qt_tally *t = &a->x->connections;
	struct connections l = {.n = 0};
	size_t i;
	int r = 0;

	if (!t->by_key)
		qt_tally_sort(t, QT_TALLY_KEY);
	for (i = 0; i < a->net->n && r == 0; i++)
		r = of_client(&l, t, a->net->client[i], err);
	if (r == 0 && l.n != 0) {
		qsort(l.v, l.n, sizeof(struct qt_counted *), by_time);
		list(a, b, &l);
	}
	free(l.v);
	return r;
}

/* ---- messages ---- */

static void tokens(const struct qt_arf *a, struct qt_buf *b, struct qt_buf *p)
{
	if (a->x->opts.redact == QT_REDACT_NONE)
		return;
	qt_buf_adds(p, "Names of people are replaced by tokens (RFC 6590), "
	    "domains are not: r- and 16 characters stand for a recipient, u- for "
	    "somebody else or a login, s- for a subject. One name is always the "
	    "same token, and we can tell which one it is.");
	wrap(b, p);
	qt_buf_clear(p);
}

/* " from A, port P, at T UTC" */
static void origin(const struct qt_arf *a, unsigned i, struct qt_buf *p)
{
	const struct qt_sample *s = a->sample[i];
	char when[32];

	qt_buf_adds(p, " from ");
	shown(p, a->client[i]->key);
	if (s->port != 0)
		qt_buf_addf(p, ", port %u", s->port);
	qt_incident_time(s->time, when);
	if (s->time != 0)
		qt_buf_addf(p, ", at %s UTC", when);
}

static void first_message(const struct qt_arf *a, struct qt_buf *b,
    struct qt_buf *p)
{
	const struct qt_sample *s = a->sample[0];

	qt_buf_adds(p, "One of these messages, which came");
	origin(a, 0, p);
	if (s->server_address != NULL) {
		qt_buf_adds(p, ", to our ");
		shown(p, s->server_address);
		if (s->server_port != 0)
			qt_buf_addf(p, ", port %u", s->server_port);
	}
	qt_buf_addf(p, ", follows at the end of this mail%s.",
	    a->third == QT_ARF_WHOLE	 ? "" :
	    a->third == QT_ARF_BEGINNING ? " by the beginning of its header" :
					   " by its header");
	wrap(b, p);
	qt_buf_clear(p);
}

/* One line behind "> ", cut where mail would not take it. */
static void quote_line(struct qt_buf *b, struct qt_buf *p, const char *s,
    size_t len)
{
	size_t n = 0, step, i;
	const char *text;

	qt_buf_clear(p);
	qt_escape_cell(p, s, len < QUOTED_LINE ? len : QUOTED_LINE);
	text = qt_buf_str(p);
	for (i = 0; i < p->len; i = n) {
		step = qt_utf8_next(text + i, p->len - i, NULL);
		if (i + step > QUOTED_LINE || step == 0)
			break;
		n = i + step;
	}
	qt_buf_adds(b, n != 0 ? "> " : ">");
	qt_buf_add(b, text, n);
	qt_buf_adds(b, n < p->len || len > QUOTED_LINE ? " [...]\n" : "\n");
	b->failed = b->failed || p->failed;
}

/* The lines of a header; tabs are blanks, so that they need no escape. */
static void quote(struct qt_buf *b, struct qt_buf *p, char *s, size_t len)
{
	const size_t size = qt_sample_header(s, len);
	char *const end = s + size, *nl, *c;
	unsigned lines = 0;

	for (; s < end && lines < QUOTED_LINES; s = nl + 1, lines++) {
		nl = memchr(s, '\n', (size_t)(end - s));
		if (nl == NULL)
			nl = end;
		for (c = s; c < nl; c++)
			if (*c == '\t')
				*c = ' ';
		quote_line(b, p, s, (size_t)(nl - s));
	}
	qt_buf_adds(b, s < end ? "> [...]\n\n" : "\n");
	qt_buf_clear(p);
}

static int other_messages(const struct qt_arf *a, struct qt_buf *b,
    struct qt_buf *p, struct qt_error *err)
{
	struct qt_buf bytes;
	unsigned i;
	int r = 0;

	qt_buf_init(&bytes, 0);
	for (i = 1; i < a->n && r == 0; i++) {
		r = qt_sample_bytes(a->x, a->sample[i], &bytes, err);
		if (r != 0 || bytes.len == 0)
			continue;
		qt_buf_adds(p, "The header of another message, which came");
		origin(a, i, p);
		qt_buf_addc(p, ':');
		wrap(b, p);
		qt_buf_clear(p);
		quote(b, p, bytes.data, bytes.len);
	}
	qt_buf_release(&bytes);
	return r;
}

int qt_arf_text(const struct qt_arf *a, struct qt_buf *b, struct qt_error *err)
{
	struct qt_buf p; /* a paragraph */
	int r;

	qt_buf_init(&p, 0);
	who_writes(a, b, &p);
	what_came(a, &p);
	how_it_came(a, &p);
	wrap(b, &p);
	qt_buf_clear(&p);
	what_is_asked(a, b, &p);
	addresses(a, b);
	r = connections(a, b, err);
	if (r == 0) {
		tokens(a, b, &p);
		if (a->third != QT_ARF_NOTHING)
			first_message(a, b, &p);
		r = other_messages(a, b, &p, err);
	}
	qt_buf_release(&p);
	if (r != 0)
		return r;
	/* the empty line at the end is none's */
	if (b->len > 1 && b->data[b->len - 1] == '\n' &&
	    b->data[b->len - 2] == '\n')
		b->data[--b->len] = '\0';
	return qt_buf_check(b, err);
}
