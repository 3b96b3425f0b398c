/*
 * incident_tables.c - the tables of the paper about an incident.
 *
 * Each is cut where a reader would stop, and says how much more there is.
 */
#include "evidence/incident_paper.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "qtool/escape.h"

/* Rows of each table. */
#define ROWS_TIME 72
#define ROWS_ACCOUNTS 50
#define ROWS_CLIENTS 50
#define ROWS_SENDERS 20
#define ROWS_SUBJECTS 20
#define ROWS_DOMAINS 30
#define ROWS_PLACES 50
#define ROWS_HISTORY 50
#define SUBJECT_MAX 200 /* characters of one */

#define COLUMNS(c) (sizeof(c) / sizeof((c)[0]))

/* ---- forms ---- */

static void cell_number(struct qt_paper *p, uint64_t n)
{
	char s[32];

	qt_paper_cells(p, qt_incident_number(n, s));
}

static void cell_time(struct qt_paper *p, int64_t seconds)
{
	char t[32];

	qt_incident_time(seconds, t);
	qt_paper_cells(p, t);
}

/* What is cut off of a table, and what its tally did not keep. */
static void more(struct qt_paper *p, const struct qt_tally *t, size_t shown)
{
	char n[32], max[32];

	if (t->n > shown)
		qt_paper_textf(p, "and %s more",
		    qt_incident_number(t->n - shown, n));
	if (t->beyond != 0)
		qt_paper_textf(p, "No more than %s different ones are told "
		    "apart: others, which came %s times, are in no row.",
		    qt_incident_number(QT_TALLY_MAX, max),
		    qt_incident_number(t->beyond, n));
}

static size_t at_most(size_t n, size_t most)
{
	return n < most ? n : most;
}

/* A key as it stands, or what the lack of one means. */
static void cell_key(struct qt_paper *p, const struct qt_counted *e,
    const char *none)
{
	if (e->len == 0)
		qt_paper_cells(p, none);
	else
		qt_paper_cell(p, e->key, e->len);
}

static void counts(struct qt_paper *p, const struct qt_counted *e)
{
	cell_number(p, e->messages);
	cell_number(p, e->recipients);
	cell_number(p, e->done);
	cell_number(p, e->todo);
}

/* Whether there is something to show; else it is said that there is not. */
static bool section(struct qt_paper *p, const char *heading,
    const struct qt_tally *t)
{
	qt_paper_heading(p, 2, heading);
	if (t->n == 0)
		qt_paper_text(p, "None.");
	return t->n != 0;
}

/* ---- timeline ---- */

#define HOUR 3600
#define DAY 86400

struct bucket {
	int64_t number; /* of the hour or the day since the epoch */
	uint64_t messages, recipients;
};

/* x->hours in buckets of unit seconds, in order of time; how many. */
static size_t fill_buckets(const struct qt_incident *x, int64_t unit,
    struct bucket *v)
{
	const struct qt_counted *e;
	size_t i, n = 0;

	for (i = 0; i < x->hours.n; i++) {
		e = x->hours.v[i];
		if (n == 0 || v[n - 1].number != e->first / unit)
			v[n++] = (struct bucket){.number = e->first / unit};
		v[n - 1].messages += e->messages;
		v[n - 1].recipients += e->recipients;
	}
	return n;
}

/* The buckets at the end that have room in the table begin here.  A gap takes a
 * row. */
static size_t first_shown(const struct bucket *v, size_t n)
{
	size_t i = n, rows = 0;

	while (i > 0) {
		rows += i < n && v[i].number != v[i - 1].number + 1 ? 2 : 1;
		if (rows > ROWS_TIME)
			break;
		i--;
	}
	return i;
}

/* "2026-11-26 04:00", or the day alone */
static void cell_unit(struct qt_paper *p, int64_t number, int64_t unit)
{
	char t[32];

	qt_incident_time(number * unit, t);
	t[unit == DAY ? 10 : 16] = '\0';
	qt_paper_cells(p, t);
}

/* A row without messages: units hours or days up to before b. */
static void gap_row(struct qt_paper *p, const struct bucket *b, int64_t units,
    int64_t unit)
{
	char n[32], text[64];

	(void)snprintf(text, sizeof(text), "(%s %s without)",
	    qt_incident_number((uint64_t)units, n),
	    unit == DAY ? "days" : "hours");
	if (units == 1)
		cell_unit(p, b->number - 1, unit);
	else
		qt_paper_cells(p, text);
	qt_paper_bar(p, 0, 0);
	cell_number(p, 0);
	cell_number(p, 0);
}

static void bucket_rows(struct qt_paper *p, const struct bucket *v, size_t n,
    int64_t unit)
{
	uint64_t most = 0;
	int64_t gap;
	size_t i;

	for (i = 0; i < n; i++)
		if (v[i].messages > most)
			most = v[i].messages;
	for (i = 0; i < n; i++) {
		gap = i != 0 ? v[i].number - v[i - 1].number - 1 : 0;
		if (gap > 0)
			gap_row(p, &v[i], gap, unit);
		cell_unit(p, v[i].number, unit);
		qt_paper_bar(p, v[i].messages, most);
		cell_number(p, v[i].messages);
		cell_number(p, v[i].recipients);
	}
}

static void buckets(struct qt_paper *p, const struct qt_incident *x,
    struct bucket *v)
{
	static const struct qt_paper_column col[] = {
	    {"Time (UTC)", QT_PAPER_WORD}, {"Compared", QT_PAPER_BAR},
	    {"Messages", QT_PAPER_NUMBER}, {"Recipients", QT_PAPER_NUMBER}};
	int64_t unit = HOUR;
	uint64_t with_time = 0, before = 0;
	size_t i, from, n = fill_buckets(x, HOUR, v);
	char a[64], b[64];

	if (first_shown(v, n) != 0) {
		unit = DAY;
		n = fill_buckets(x, DAY, v);
	}
	from = first_shown(v, n);
	for (i = 0; i < n; i++) {
		with_time += v[i].messages;
		before += i < from ? v[i].messages : 0;
	}
	qt_paper_table(p, unit == DAY ? "Messages by the day of their arrival" :
	    "Messages by the hour of their arrival", col, 4);
	bucket_rows(p, v + from, n - from, unit);
	qt_paper_table_end(p);
	if (from != 0)
		qt_paper_textf(p, "and %s more before these, with %s",
		    qt_incident_count_of(from, "day", "days", a),
		    qt_incident_count_of(before, "message", "messages", b));
	if (with_time < x->all.messages)
		qt_paper_textf(p, "Of %s it is not known when it came.",
		    qt_incident_count_of(x->all.messages - with_time, "message",
			"messages", a));
}

static void timeline(struct qt_paper *p, const struct qt_incident *x)
{
	struct bucket *v;

	qt_paper_heading(p, 2, "Timeline");
	if (x->hours.n == 0) {
		qt_paper_text(p, "None: no time of arrival is known.");
		return;
	}
	v = calloc(x->hours.n, sizeof(*v));
	if (v == NULL)
		p->b->failed = true;
	else
		buckets(p, x, v);
	free(v);
}

/* ---- who ---- */

static void accounts(struct qt_paper *p, const struct qt_incident *x)
{
	static const struct qt_paper_column col[] = {
	    {"Login", QT_PAPER_TEXT}, {"Share", QT_PAPER_BAR},
	    {"Messages", QT_PAPER_NUMBER}, {"Recipients", QT_PAPER_NUMBER},
	    {"Done", QT_PAPER_NUMBER}, {"To do", QT_PAPER_NUMBER},
	    {"Senders", QT_PAPER_NUMBER}, {"Clients", QT_PAPER_NUMBER},
	    {"First (UTC)", QT_PAPER_WORD}, {"Last (UTC)", QT_PAPER_WORD}};
	const struct qt_tally *t = &x->accounts;
	const size_t n = at_most(t->n, ROWS_ACCOUNTS);
	const struct qt_account *a;
	uint64_t foreign = 0;
	char s[64];
	size_t i;

	if (!section(p, "Accounts", t))
		return;
	qt_paper_table(p, "By messages; share: of all messages", col,
	    COLUMNS(col));
	for (i = 0; i < n; i++) {
		a = t->v[i]->more;
		cell_key(p, t->v[i], "(no login)");
		qt_paper_bar(p, t->v[i]->messages, x->all.messages);
		counts(p, t->v[i]);
		cell_number(p, a->senders);
		cell_number(p, a->clients);
		cell_time(p, t->v[i]->first);
		cell_time(p, t->v[i]->last);
	}
	qt_paper_table_end(p);
	more(p, t, n);
	for (i = 0; i < t->n; i++)
		foreign += ((const struct qt_account *)t->v[i]->more)->foreign;
	if (foreign != 0)
		qt_paper_textf(p, "%s had a sender of another domain than that "
		    "of the login.", qt_incident_count_of(foreign, "message",
			"messages", s));
}

/* ---- from where ---- */

static void cell_ports(struct qt_paper *p, const struct qt_client *c)
{
	char s[32];

	if (c->port_max == 0)
		(void)strlcpy(s, "not known", sizeof(s));
	else if (c->port_min == c->port_max)
		(void)snprintf(s, sizeof(s), "%u", c->port_min);
	else
		(void)snprintf(s, sizeof(s), "%u to %u", c->port_min,
		    c->port_max);
	qt_paper_cells(p, s);
}

static void cell_contact(struct qt_paper *p, const struct qt_counted *e)
{
	const struct qt_client *c = e->more;
	struct qt_buf s;

	if (e->len == 0 || !c->valid || !c->foreign || c->contact == NULL) {
		qt_paper_cells(p, e->len == 0 ? "" :
			!c->valid ? "no address of the network" :
			!c->foreign ? "own network" : "not known");
		return;
	}
	qt_buf_init(&s, 0);
	qt_buf_adds(&s, c->contact->address);
	if (c->contact->asn[0] != '\0')
		qt_buf_addf(&s, " (%s)", c->contact->asn);
	if (s.failed)
		p->b->failed = true;
	qt_paper_cell(p, qt_buf_str(&s), s.len);
	qt_buf_release(&s);
}

static void clients(struct qt_paper *p, const struct qt_incident *x)
{
	static const struct qt_paper_column col[] = {
	    {"Address", QT_PAPER_WORD}, {"Name", QT_PAPER_TEXT},
	    {"Ports", QT_PAPER_WORD}, {"First (UTC)", QT_PAPER_WORD},
	    {"Last (UTC)", QT_PAPER_WORD}, {"Messages", QT_PAPER_NUMBER},
	    {"With a login", QT_PAPER_NUMBER}, {"Who answers", QT_PAPER_TEXT}};
	const struct qt_tally *t = &x->clients;
	const size_t n = at_most(t->n, ROWS_CLIENTS);
	const struct qt_client *c;
	size_t i;

	if (!section(p, "Client addresses", t))
		return;
	qt_paper_table(p, "By messages; the name is as Postfix logged it first",
	    col, COLUMNS(col));
	for (i = 0; i < n; i++) {
		c = t->v[i]->more;
		cell_key(p, t->v[i], "(no client)");
		qt_paper_cells(p, c->name != NULL ? c->name : "");
		cell_ports(p, c);
		cell_time(p, t->v[i]->first);
		cell_time(p, t->v[i]->last);
		cell_number(p, t->v[i]->messages);
		cell_number(p, c->logins);
		cell_contact(p, t->v[i]);
	}
	qt_paper_table_end(p);
	more(p, t, n);
}

/* ---- what ---- */

/* The first characters of a text that has very many. */
static void cell_cut(struct qt_paper *p, const char *s, size_t len)
{
	struct qt_buf b;
	size_t i, n, chars = 0;

	for (i = 0; i < len && chars < SUBJECT_MAX; i += n, chars++) {
		n = qt_utf8_next(s + i, len - i, NULL);
		if (n == 0)
			n = 1;
	}
	if (i == len) {
		qt_paper_cell(p, s, len);
		return;
	}
	qt_buf_init(&b, 0);
	qt_buf_add(&b, s, i);
	qt_buf_adds(&b, " ...");
	if (b.failed)
		p->b->failed = true;
	qt_paper_cell(p, qt_buf_str(&b), b.len);
	qt_buf_release(&b);
}

/* One table of texts that were counted. */
struct top {
	const char *heading, *caption;
	const char *column; /* the texts' */
	const char *none;   /* what "" is */
	size_t rows;
};

static void top(struct qt_paper *p, const struct qt_incident *x,
    const struct qt_tally *t, const struct top *what)
{
	const struct qt_paper_column col[] = {
	    {what->column, QT_PAPER_TEXT}, {"Share", QT_PAPER_BAR},
	    {"Messages", QT_PAPER_NUMBER}, {"Recipients", QT_PAPER_NUMBER},
	    {"Done", QT_PAPER_NUMBER}, {"To do", QT_PAPER_NUMBER}};
	const size_t n = at_most(t->n, what->rows);
	size_t i;

	if (!section(p, what->heading, t))
		return;
	qt_paper_table(p, what->caption, col, COLUMNS(col));
	for (i = 0; i < n; i++) {
		if (t == &x->subjects && t->v[i]->len != 0)
			cell_cut(p, t->v[i]->key, t->v[i]->len);
		else
			cell_key(p, t->v[i], what->none);
		qt_paper_bar(p, t->v[i]->messages, x->all.messages);
		counts(p, t->v[i]);
	}
	qt_paper_table_end(p);
	more(p, t, n);
}

static void contents(struct qt_paper *p, const struct qt_incident *x)
{
	static const struct top senders = {"Senders of the envelope",
	    "By messages; a sender can be forged, a login cannot", "Sender",
	    "(null sender, as of a bounce)", ROWS_SENDERS};
	static const struct top subjects = {"Subjects",
	    "By messages; each number in them is a #",
	    "Subject", "(empty)", ROWS_SUBJECTS};

	top(p, x, &x->senders, &senders);
	top(p, x, &x->subjects, &subjects);
}

/* Here a recipient is a message: these counts are left out. */
static void domains(struct qt_paper *p, const struct qt_incident *x)
{
	static const struct qt_paper_column col[] = {
	    {"Domain", QT_PAPER_TEXT}, {"Share", QT_PAPER_BAR},
	    {"Recipients", QT_PAPER_NUMBER}, {"Done", QT_PAPER_NUMBER},
	    {"To do", QT_PAPER_NUMBER}};
	const struct qt_tally *t = &x->rcpt_domains;
	const size_t n = at_most(t->n, ROWS_DOMAINS);
	size_t i;

	if (!section(p, "Domains of the recipients", t))
		return;
	qt_paper_table(p, "By recipients; share: of all recipients", col,
	    COLUMNS(col));
	for (i = 0; i < n; i++) {
		cell_key(p, t->v[i], "(no domain)");
		qt_paper_bar(p, t->v[i]->recipients, x->all.recipients);
		cell_number(p, t->v[i]->recipients);
		cell_number(p, t->v[i]->done);
		cell_number(p, t->v[i]->todo);
	}
	qt_paper_table_end(p);
	more(p, t, n);
}

/* ---- where the messages are ---- */

static const char *meaning(const struct qt_counted *place)
{
	static const struct {
		const char *place, *means;
	} known[] = {
	    {"hold", "on hold: not delivered unless released"},
	    {"deferred", "waits; Postfix tries again by itself"},
	    {"active", "being delivered"},
	    {"incoming", "about to be delivered"},
	    {"maildrop", "about to enter the queue"},
	    {"corrupt", "set aside by Postfix as damaged"},
	    {"saved", "set aside by Postfix"},
	};
	size_t i;

	if (qt_incident_transaction(place))
		return "taken out of the queue, kept by qtool";
	if (qt_incident_archived(place))
		return "as it was when it was archived";
	for (i = 0; i < COLUMNS(known); i++)
		if (strcmp(place->key, known[i].place) == 0)
			return known[i].means;
	return "";
}

static void places(struct qt_paper *p, const struct qt_incident *x)
{
	static const struct qt_paper_column col[] = {
	    {"Place", QT_PAPER_WORD}, {"Messages", QT_PAPER_NUMBER},
	    {"Recipients", QT_PAPER_NUMBER}, {"Done", QT_PAPER_NUMBER},
	    {"To do", QT_PAPER_NUMBER}, {"What that means", QT_PAPER_TEXT}};
	const struct qt_tally *t = &x->places;
	const size_t n = at_most(t->n, ROWS_PLACES);
	size_t i;

	if (!section(p, "Where the messages are", t))
		return;
	qt_paper_table(p, "Where they were found when this was made", col,
	    COLUMNS(col));
	for (i = 0; i < n; i++) {
		cell_key(p, t->v[i], "");
		counts(p, t->v[i]);
		qt_paper_cells(p, meaning(t->v[i]));
	}
	qt_paper_table_end(p);
	more(p, t, n);
}

void qt_incident_tables(struct qt_paper *p, const struct qt_incident *x)
{
	timeline(p, x);
	accounts(p, x);
	clients(p, x);
	contents(p, x);
	domains(p, x);
	places(p, x);
}

/* ---- transactions ---- */

/* Messages of the incident that lie in a transaction. */
static uint64_t messages_in(const struct qt_incident *x, uint64_t txid)
{
	const struct qt_counted *e;
	char place[40];

	(void)snprintf(place, sizeof(place), "transaction %" PRIu64, txid);
	e = qt_tally_find(&x->places, place, strlen(place));
	return e != NULL ? e->messages : 0;
}

static void transaction(struct qt_paper *p, const struct qt_incident *x,
    const struct qt_tx_info *t)
{
	char id[24];

	(void)snprintf(id, sizeof(id), "%" PRIu64, t->txid);
	qt_paper_cells(p, id);
	cell_time(p, t->started);
	qt_paper_cells(p, qt_op_name(t->op));
	qt_paper_cells(p, qt_tx_state_name(t->state));
	cell_number(p, t->done);
	cell_number(p, messages_in(x, t->txid));
	qt_paper_cells(p, t->reason != NULL ? t->reason :
		t->problem != NULL ? t->problem : "");
	qt_paper_cells(p, t->operator_name != NULL ? t->operator_name : "");
}

void qt_incident_history(struct qt_paper *p, const struct qt_incident *x)
{
	static const struct qt_paper_column col[] = {
	    {"Number", QT_PAPER_NUMBER}, {"Begun (UTC)", QT_PAPER_WORD},
	    {"Operation", QT_PAPER_WORD}, {"State", QT_PAPER_WORD},
	    {"Messages", QT_PAPER_NUMBER}, {"In this report", QT_PAPER_NUMBER},
	    {"Reason", QT_PAPER_TEXT}, {"By", QT_PAPER_TEXT}};
	const struct qt_tx_list *l = x->opts.history;
	size_t i, from;
	char n[64];

	if (l == NULL || l->n == 0) {
		qt_paper_text(p, l != NULL ?
			"No transaction of qtool is known." :
			"Transactions of qtool are listed where one queue is "
			"read, and not here.");
		return;
	}
	from = l->n - at_most(l->n, ROWS_HISTORY);
	qt_paper_table(p, "Transactions of qtool on this queue, the oldest first",
	    col, COLUMNS(col));
	for (i = from; i < l->n; i++)
		transaction(p, x, &l->v[i]);
	qt_paper_table_end(p);
	if (from != 0)
		qt_paper_textf(p, "and %s more before these",
		    qt_incident_number(from, n));
	qt_paper_text(p, "\"In this report\" are those of its messages that "
	    "the transaction keeps now. delete and archive take messages out of "
	    "the queue (committed) and keep them until they are purged; hold, "
	    "release, requeue, restore and import put them into another queue "
	    "(placed). What is aborted or undone is as it was before.");
}
