/*
 * incident_facts.c - an incident's numbers for programs: summary.json,
 * gdpr-facts.json, ioc.csv.
 */
#include "evidence/incident.h"

#include <inttypes.h>

#include "evidence/bag.h"
#include "qtool/escape.h"

#define TOP 100 /* rows of what may have very many */

/* ---- JSON ---- */

static void name(struct qt_buf *b, const char *indent, const char *key)
{
	/* the first member of an object follows its brace */
	qt_buf_addf(b, "%s\n%s\"%s\": ",
	    b->len != 0 && b->data[b->len - 1] == '{' ? "" : ",", indent, key);
}

static void text(struct qt_buf *b, const char *indent, const char *key,
    const char *s)
{
	name(b, indent, key);
	qt_json_string(b, s);
}

static void number(struct qt_buf *b, const char *indent, const char *key,
    uint64_t n)
{
	name(b, indent, key);
	qt_buf_addu(b, n);
}

static void when(struct qt_buf *b, const char *indent, const char *key,
    int64_t seconds)
{
	char utc[32];

	if (seconds != 0)
		qt_utc(seconds, utc);
	text(b, indent, key, seconds != 0 ? utc : NULL);
}

/* Bytes with a length, that may have anything in them. */
static void bytes(struct qt_buf *b, const char *key, const char *s, size_t len)
{
	qt_buf_addf(b, "\"%s\": \"", key);
	qt_escape_json(b, s, len);
	qt_buf_addc(b, '"');
}

static void inline_time(struct qt_buf *b, const char *key, int64_t seconds)
{
	char utc[32];

	qt_buf_addf(b, ", \"%s\": ", key);
	if (seconds == 0) {
		qt_buf_adds(b, "null");
		return;
	}
	qt_utc(seconds, utc);
	qt_buf_addf(b, "\"%s\"", utc);
}

/* What every entry of a tally has. */
static void counts(struct qt_buf *b, const struct qt_counted *e)
{
	qt_buf_addf(b, ", \"messages\": %" PRIu64 ", \"recipients\": %" PRIu64
	    ", \"done\": %" PRIu64 ", \"to_do\": %" PRIu64, e->messages,
	    e->recipients, e->done, e->todo);
	inline_time(b, "first", e->first);
	inline_time(b, "last", e->last);
}

typedef void put_entry(struct qt_buf *b, const struct qt_counted *e);

/* An array of objects, a line each. */
static void list(struct qt_buf *b, const char *key, const struct qt_tally *t,
    const char *of, size_t most, put_entry *more)
{
	size_t i, n = t->n < most ? t->n : most;

	name(b, "  ", key);
	qt_buf_addc(b, '[');
	for (i = 0; i < n; i++) {
		qt_buf_addf(b, "%s\n    {", i != 0 ? "," : "");
		bytes(b, of, t->v[i]->key, t->v[i]->len);
		counts(b, t->v[i]);
		if (more != NULL)
			more(b, t->v[i]);
		qt_buf_addc(b, '}');
	}
	qt_buf_adds(b, n != 0 ? "\n  ]" : "]");
	if (n < t->n || t->beyond != 0) {
		qt_buf_addf(b, ",\n  \"%s_not_listed\": %zu", key, t->n - n);
		if (t->beyond != 0)
			qt_buf_addf(b, ",\n  \"%s_not_counted_messages\": %"
			    PRIu64, key, t->beyond);
	}
}

static void account(struct qt_buf *b, const struct qt_counted *e)
{
	const struct qt_account *a = e->more;

	qt_buf_addf(b, ", \"senders\": %" PRIu64 ", \"clients\": %" PRIu64
	    ", \"messages_of_another_domain\": %" PRIu64, a->senders,
	    a->clients, a->foreign);
}

static void client(struct qt_buf *b, const struct qt_counted *e)
{
	const struct qt_client *c = qt_client_of((struct qt_counted *)
	    (uintptr_t)e);

	qt_buf_adds(b, ", \"name\": ");
	qt_json_string(b, c->name);
	qt_buf_addf(b, ", \"port_min\": %u, \"port_max\": %u, \"logins\": %"
	    PRIu64 ", \"own\": %s, \"contact\": ", c->port_min, c->port_max,
	    c->logins, c->foreign ? "false" : "true");
	qt_json_string(b, c->contact != NULL ? c->contact->address : NULL);
	qt_buf_adds(b, ", \"asn\": ");
	qt_json_string(b, c->contact != NULL && c->contact->asn[0] != '\0' ?
		c->contact->asn : NULL);
}

/* ---- transactions ---- */

static void transaction(struct qt_buf *b, const struct qt_tx_info *t)
{
	qt_buf_addf(b, "{\"transaction\": %" PRIu64 ", \"operation\": \"%s\""
	    ", \"state\": \"%s\", \"messages\": %zu, \"kept\": %zu", t->txid,
	    qt_op_name(t->op), qt_tx_state_name(t->state), t->done, t->staged);
	inline_time(b, "started", t->started);
	inline_time(b, "changed", t->changed);
	qt_buf_adds(b, ", \"reason\": ");
	qt_json_string(b, t->reason);
	qt_buf_adds(b, ", \"operator\": ");
	qt_json_string(b, t->operator_name);
	qt_buf_addc(b, '}');
}

static void transactions(struct qt_buf *b, const struct qt_tx_list *l)
{
	size_t i, n = l != NULL ? l->n : 0;

	name(b, "  ", "transactions");
	qt_buf_addc(b, '[');
	for (i = 0; i < n; i++) {
		qt_buf_addf(b, "%s\n    ", i != 0 ? "," : "");
		transaction(b, &l->v[i]);
	}
	qt_buf_adds(b, n != 0 ? "\n  ]" : "]");
}

/* ---- summary.json ---- */

static void about(struct qt_buf *b, const struct qt_incident *x)
{
	const struct qt_incident_opts *o = &x->opts;

	text(b, "  ", "case", o->case_id);
	text(b, "  ", "title", o->title);
	text(b, "  ", "organization", o->organization);
	when(b, "  ", "made", x->now);
	text(b, "  ", "tool", "qtool " QTOOL_VERSION);
	text(b, "  ", "source", o->source);
	text(b, "  ", "command", o->command);
	text(b, "  ", "stopped", o->stopped);
	text(b, "  ", "cause", o->cause);
	text(b, "  ", "prevention", o->prevention);
}

int qt_incident_summary(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err)
{
	const struct qt_counted *a = &x->all;

	qt_buf_addc(b, '{');
	about(b, x);
	number(b, "  ", "messages", a->messages);
	number(b, "  ", "recipients", a->recipients);
	number(b, "  ", "recipients_done", a->done);
	number(b, "  ", "recipients_to_do", a->todo);
	number(b, "  ", "persons", x->people.n);
	number(b, "  ", "persons_done", x->reached.n);
	number(b, "  ", "bytes", a->bytes);
	when(b, "  ", "first", a->first);
	when(b, "  ", "last", a->last);
	list(b, "accounts", &x->accounts, "login", TOP, account);
	list(b, "clients", &x->clients, "address", SIZE_MAX, client);
	list(b, "senders", &x->senders, "sender", TOP, NULL);
	list(b, "subjects", &x->subjects, "subject", TOP, NULL);
	list(b, "recipient_domains", &x->rcpt_domains, "domain", TOP, NULL);
	list(b, "places", &x->places, "place", SIZE_MAX, NULL);
	qt_tally_sort(&x->hours, QT_TALLY_KEY);
	list(b, "hours", &x->hours, "hour", SIZE_MAX, NULL);
	transactions(b, x->opts.history);
	qt_buf_adds(b, "\n}\n");
	return qt_buf_check(b, err);
}

/* ---- gdpr-facts.json ---- */

static void still(struct qt_buf *b, const struct qt_incident *x)
{
	const struct qt_still s = qt_incident_still(x);

	number(b, "  ", "recipients_prevented", s.taken + s.held + s.corrupt);
	number(b, "  ", "recipients_waiting", s.waiting);
	number(b, "  ", "recipients_archived", s.archived);
}

static uint64_t named_accounts(const struct qt_incident *x)
{
	const struct qt_tally *t = &x->accounts;
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < t->n; i++)
		n += t->v[i]->len != 0;
	return n;
}

int qt_incident_persons(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err)
{
	qt_buf_addc(b, '{');
	text(b, "  ", "note", "Facts for who decides whether, to whom and when "
	    "this is to be notified (GDPR Art. 33 and 34; Art. 33 gives 72 "
	    "hours from becoming aware). No judgement is made here.");
	text(b, "  ", "case", x->opts.case_id);
	when(b, "  ", "made", x->now);
	when(b, "  ", "first_message", x->all.first);
	when(b, "  ", "last_message", x->all.last);
	text(b, "  ", "stopped", x->opts.stopped);
	number(b, "  ", "accounts", named_accounts(x));
	number(b, "  ", "persons_written_to", x->people.n);
	number(b, "  ", "persons_done", x->reached.n);
	number(b, "  ", "persons_only_to_do", x->people.n - x->reached.n);
	number(b, "  ", "messages", x->all.messages);
	number(b, "  ", "recipients", x->all.recipients);
	number(b, "  ", "recipients_done", x->all.done);
	number(b, "  ", "recipients_to_do", x->all.todo);
	still(b, x);
	text(b, "  ", "person", "one address of a recipient; two of one human "
	    "being are two");
	text(b, "  ", "done", "Postfix has delivered to that recipient, or has "
	    "given the message back: the queue does not tell which");
	text(b, "  ", "prevented", "of those to do: the message was taken out of "
	    "the queue, or is on hold or set aside; waiting: Postfix will "
	    "deliver; archived: what became of it since is not known here");
	text(b, "  ", "not_counted", "messages that had been delivered to all "
	    "recipients before: they are in the mail log alone");
	text(b, "  ", "not_known_here", "whether others read mail, contacts or "
	    "files of these accounts: ask the logs of IMAP, POP and webmail");
	transactions(b, x->opts.history);
	qt_buf_adds(b, "\n}\n");
	return qt_buf_check(b, err);
}

/* ---- ioc.csv ---- */

static void cell(struct qt_buf *b, const char *s)
{
	qt_escape_csv(b, s, strlen(s));
}

static void line(struct qt_buf *b, const struct qt_counted *e)
{
	const struct qt_client *c = qt_client_of((struct qt_counted *)
	    (uintptr_t)e);
	char first[32] = "", last[32] = "";

	if (e->first != 0)
		qt_utc(e->first, first);
	if (e->last != 0)
		qt_utc(e->last, last);
	cell(b, e->key);
	qt_buf_addc(b, ',');
	cell(b, c->name != NULL ? c->name : "");
	if (c->port_max != 0)
		qt_buf_addf(b, ",%u,%u", c->port_min, c->port_max);
	else
		qt_buf_adds(b, ",,");
	qt_buf_addf(b, ",%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", first,
	    last, e->messages, e->recipients, c->logins);
	cell(b, c->contact != NULL ? c->contact->address : "");
	qt_buf_addc(b, ',');
	cell(b, c->contact != NULL ? c->contact->asn : "");
	qt_buf_addf(b, ",%s\r\n", c->foreign ? "no" : "yes");
}

int qt_incident_ioc(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err)
{
	size_t i;

	qt_buf_adds(b, "address,name,port_min,port_max,first,last,messages,"
	    "recipients,logins,contact,asn,own\r\n");
	for (i = 0; i < x->clients.n; i++)
		if (x->clients.v[i]->len != 0)
			line(b, x->clients.v[i]);
	return qt_buf_check(b, err);
}
