/*
 * incident.c - an incident's messages, counted as they come.
 *
 * One pass over the rows makes all numbers, so that no two files of a report
 * contradict each other while the queue goes on.  Recipients are told apart by
 * keyed hashes of their addresses and not kept.
 */
#include "evidence/incident.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "qtool/escape.h"
#include "query/siphash.h"

#define ARENA_MAX ((size_t)2 << 30)
#define SAMPLES_ARENA ((size_t)512 << 20) /* of it before samples end */
#define SAMPLES_FILE ((uint64_t)2 << 30)  /* bytes of them all */
#define SAMPLES_MEMORY ((size_t)16 << 20) /* bytes before there is a file */
#define SUBJECT_KEPT 1000 /* bytes by which subjects are told apart */

/* State, so that what is no message is told; the header; the recipients, for
 * which no log is read. */
const char qt_incident_columns[] =
    "state, subject, rcpt_domains, sender, client_address";
enum { COL_STATE, COL_SUBJECT };

/* ---- forms ---- */

void qt_incident_time(int64_t seconds, char out[32])
{
	const time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds == 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)strlcpy(out, "unknown", 32);
}

const char *qt_incident_number(uint64_t n, char out[32])
{
	char digits[24];
	const int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	int i, at = 0;

	for (i = 0; i < len; i++) {
		if (i != 0 && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}

/* Labels begin and end with a letter or a digit (RFC 1123 2.1). */
bool qt_incident_is_host(const char *s)
{
	const char *p, *label = s;
	bool dot = false;

	if (s == NULL || strlen(s) > 253)
		return false;
	for (p = s; *p != '\0' || p != label; p++) {
		if (*p == '.' || *p == '\0') {
			if (p == label || p - label > 63 || *label == '-' ||
			    p[-1] == '-')
				return false;
			if (*p == '\0')
				return dot;
			dot = true;
			label = p + 1;
		} else if (!((*p >= 'a' && *p <= 'z') ||
			       (*p >= 'A' && *p <= 'Z') ||
			       (*p >= '0' && *p <= '9') || *p == '-')) {
			return false;
		}
	}
	return false;
}

/* ---- who reports ---- */

/* A line of text that goes into mail headers and tables. */
static int check_line(const char *option, const char *s, struct qt_error *err)
{
	size_t n, len = s != NULL ? strlen(s) : 0;
	uint32_t cp;

	for (; len != 0; s += n, len -= n) {
		n = qt_utf8_next(s, len, &cp);
		if (n == 0 || qt_codepoint_hidden(cp))
			return qt_fail(err, QT_E_USAGE, option,
			    "one line of text is wanted, in UTF-8");
	}
	return 0;
}

static int check_lines(const struct qt_incident_opts *o, struct qt_error *err)
{
	return check_line("--case", o->case_id, err) != 0 ||
		check_line("--title", o->title, err) != 0 ||
		check_line("--organization", o->organization, err) != 0 ||
		check_line("--contact", o->contact, err) != 0 ||
		check_line("--stopped", o->stopped, err) != 0 ||
		check_line("--cause", o->cause, err) != 0 ||
		check_line("--prevention", o->prevention, err) != 0 ? -1 : 0;
}

/* The address in "Name <address>": of what every program takes unquoted. */
static int find_address(struct qt_incident *x, struct qt_error *err)
{
	const char *open = strrchr(x->from, '<'), *p;
	const size_t len = strlen(x->from);
	char *a;

	if (open != NULL && x->from[len - 1] != '>')
		return qt_fail(err, QT_E_USAGE, "--contact",
		    "\"Name <address>\" is wanted");
	a = open != NULL ?
	    qt_arena_dup(&x->arena, open + 1, len - (size_t)(open + 1 - x->from) - 1) :
	    qt_arena_dup(&x->arena, x->from, len);
	if (a == NULL)
		return qt_fail_mem(err);
	x->address = a;
	x->domain = strchr(a, '@');
	for (p = a; *p != '\0'; p++)
		if (*p <= ' ' || *p >= 0x7f ||
		    strchr("<>()[],;:\\\"", *p) != NULL)
			x->domain = NULL;
	if (x->domain == NULL || x->domain == a ||
	    !qt_incident_is_host(++x->domain))
		return qt_fail(err, QT_E_USAGE, "--contact",
		    "no address that can be answered: \"Name <address>\" is wanted");
	return 0;
}

static int who_reports(struct qt_incident *x, struct qt_error *err)
{
	struct qt_buf b;

	x->from = x->opts.contact;
	if (x->from == NULL) {
		if (!qt_incident_is_host(x->opts.host))
			return qt_fail(err, QT_E_USAGE, "--contact",
			    "is needed: who reports cannot be seen from here");
		qt_buf_init(&b, 0);
		qt_buf_addf(&b, "postmaster@%s", x->opts.host);
		x->from = b.failed ? NULL :
		    qt_arena_dup(&x->arena, b.data, b.len);
		qt_buf_release(&b);
		if (x->from == NULL)
			return qt_fail_mem(err);
	}
	return find_address(x, err);
}

/* ---- life ---- */

static int begin(struct qt_incident *x, struct qt_error *err)
{
	struct qt_tally *const t[] = {&x->accounts, &x->clients,
	    &x->account_clients, &x->account_senders, &x->connections,
	    &x->senders, &x->subjects, &x->hours, &x->rcpt_domains, &x->places};
	const struct qt_incident_opts *o = &x->opts;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (qt_tally_init(t[i], &x->arena, err) != 0)
			return -1;
	if (getrandom(x->sip_key, sizeof(x->sip_key), 0) !=
	    (ssize_t)sizeof(x->sip_key))
		return qt_fail_own(err, "getrandom", "");
	if (check_lines(o, err) != 0 || who_reports(x, err) != 0)
		return -1;
	if (o->contacts != NULL && qt_contacts_parse(&x->contacts, o->contacts,
		strlen(o->contacts), o->contacts_name, err) != 0)
		return -1;
	x->own_key = o->redact != QT_REDACT_NONE && o->redact_key == NULL;
	return o->redact == QT_REDACT_NONE ? 0 :
	    x->own_key ? qt_redact_key_make(&x->key, err) :
			 qt_redact_key_read(&x->key, o->redact_key, err);
}

int qt_incident_new(struct qt_incident **out,
    const struct qt_incident_opts *opts, struct qt_error *err)
{
	struct qt_incident *x = calloc(1, sizeof(*x));
	const char *tmp = getenv("TMPDIR");

	if (x == NULL)
		return qt_fail_mem(err);
	x->opts = *opts;
	x->now = opts->now != 0 ? opts->now : (int64_t)time(NULL);
	qt_arena_init(&x->arena, ARENA_MAX);
	qt_contacts_init(&x->contacts);
	x->tmp_dirfd = open(tmp != NULL ? tmp : "/tmp",
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	qt_spill_init(&x->samples, x->tmp_dirfd, SAMPLES_MEMORY);
	if (begin(x, err) != 0) {
		qt_incident_free(x);
		return -1;
	}
	*out = x;
	return 0;
}

void qt_incident_free(struct qt_incident *x)
{
	if (x == NULL)
		return;
	qt_tally_release(&x->accounts);
	qt_tally_release(&x->clients);
	qt_tally_release(&x->account_clients);
	qt_tally_release(&x->account_senders);
	qt_tally_release(&x->connections);
	qt_tally_release(&x->senders);
	qt_tally_release(&x->subjects);
	qt_tally_release(&x->hours);
	qt_tally_release(&x->rcpt_domains);
	qt_tally_release(&x->places);
	hashset_release(&x->people);
	hashset_release(&x->reached);
	qt_contacts_release(&x->contacts);
	qt_spill_release(&x->samples);
	if (x->tmp_dirfd >= 0)
		(void)close(x->tmp_dirfd);
	qt_arena_release(&x->arena);
	explicit_bzero(&x->key, sizeof(x->key));
	free(x);
}

/* ---- one message ---- */

/* What of a row is counted. */
struct facts {
	const struct qt_row *row;
	const char *account; /* "" none */
	const char *client, *client_name, *port; /* "" none */
	const char *sender;  /* NULL: not read so far */
	const char *subject; /* text; NULL none */
	size_t subject_len;
	unsigned port_no;    /* 0 unknown */
	struct qt_tally_add n;
};

static const char *first_of(const char *a, const char *b)
{
	return a != NULL ? a : b != NULL ? b : "";
}

unsigned qt_incident_port(const char *s)
{
	unsigned long n;
	char *end;

	if (s == NULL || *s < '0' || *s > '9')
		return 0;
	n = strtoul(s, &end, 10);
	return *end == '\0' && n <= 65535 ? (unsigned)n : 0;
}

/* An address in one form, so that one client is one. */
static const char *one_form(const char *client, char text[INET6_ADDRSTRLEN],
    uint8_t addr[16], bool *valid)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool v4;

	*valid = cidr_address(addr, client);
	if (!*valid)
		return client;
	v4 = memcmp(addr, mapped, sizeof(mapped)) == 0;
	return inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? addr + 12 : addr, text,
		   INET6_ADDRSTRLEN) != NULL ? text : client;
}

/* Somebody's out there: not this machine, not a private network. */
static bool is_foreign(const uint8_t addr[16])
{
	static const char *const own[] = {"0.0.0.0/8", "10.0.0.0/8",
	    "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	    "192.168.0.0/16", "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10",
	    "ff00::/8"};
	struct qt_error none;
	struct cidr net;
	size_t i;

	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (cidr_parse(&net, own[i], &none) == 0 &&
		    cidr_contains(&net, addr))
			return false;
	return true;
}

/* A NUL between the two. */
static int add_pair(struct qt_tally *t, const char *a, const char *b,
    const struct qt_tally_add *n, bool *fresh, struct qt_error *err)
{
	struct qt_buf key;
	int r;

	qt_buf_init(&key, 0);
	qt_buf_add(&key, a, strlen(a) + 1);
	qt_buf_adds(&key, b);
	r = qt_buf_check(&key, err);
	if (r == 0)
		r = qt_tally_add(t, key.data, key.len, n, NULL, fresh, err);
	qt_buf_release(&key);
	return r;
}

static int add_text(struct qt_tally *t, const char *key,
    const struct qt_tally_add *n, struct qt_counted **e, struct qt_error *err)
{
	return qt_tally_add(t, key, strlen(key), n, e, NULL, err);
}

/* Whether the sender's domain is another than the login's, which has one. */
static bool other_domain(const char *account, const char *sender)
{
	const char *a = strrchr(account, '@'), *s;

	if (a == NULL || sender == NULL)
		return false;
	s = strrchr(sender, '@');
	return s != NULL && strcasecmp(a, s) != 0;
}

static int count_account(struct qt_incident *x, const struct facts *f,
    struct qt_error *err)
{
	struct qt_account *a;
	struct qt_counted *e;
	bool fresh;

	if (add_text(&x->accounts, f->account, &f->n, &e, err) != 0)
		return -1;
	if (e == NULL)
		return 0;
	if (e->more == NULL) {
		e->more = qt_arena_alloc(&x->arena, sizeof(*a));
		if (e->more == NULL)
			return qt_fail_mem(err);
		*(struct qt_account *)e->more = (struct qt_account){.senders = 0};
	}
	a = e->more;
	a->foreign += other_domain(f->account, f->sender);
	if (add_pair(&x->account_clients, f->account, f->client, &f->n, &fresh,
		err) != 0)
		return -1;
	a->clients += fresh && f->client[0] != '\0';
	if (f->sender == NULL)
		return 0;
	if (add_pair(&x->account_senders, f->account, f->sender, &f->n, &fresh,
		err) != 0)
		return -1;
	a->senders += fresh;
	return 0;
}

/* ---- its client ---- */

static int new_client(struct qt_incident *x, struct qt_counted *e,
    const struct facts *f, const uint8_t addr[16], bool valid,
    struct qt_error *err)
{
	struct qt_client *c = qt_arena_alloc(&x->arena, sizeof(*c));

	if (c == NULL)
		return qt_fail_mem(err);
	memset(c, 0, sizeof(*c));
	c->valid = valid;
	if (valid) {
		memcpy(c->addr, addr, sizeof(c->addr));
		c->foreign = is_foreign(addr);
		c->contact = qt_contacts_find(&x->contacts, addr);
	}
	if (f->client_name[0] != '\0' &&
	    strcasecmp(f->client_name, "unknown") != 0) {
		c->name = qt_arena_dup(&x->arena, f->client_name,
		    strlen(f->client_name));
		if (c->name == NULL)
			return qt_fail_mem(err);
	}
	e->more = c;
	return 0;
}

/*
 * Which sample of a client a message becomes: the next one, or one without a
 * sender, which not every form of report can be of.  NULL: none.
 */
static struct qt_sample *place_for(const struct qt_incident *x,
    struct qt_client *c, const struct facts *f)
{
	unsigned i;

	if (!c->foreign || !c->valid)
		return NULL;
	/* a report without some samples is better than none */
	if (x->arena.total > SAMPLES_ARENA ||
	    qt_spill_size(&x->samples) > SAMPLES_FILE)
		return NULL;
	if (c->nsamples < QT_SAMPLES)
		return &c->sample[c->nsamples];
	if (f->sender == NULL || f->sender[0] == '\0')
		return NULL;
	for (i = 0; i < c->nsamples; i++)
		if (c->sample[i].sender[0] == '\0')
			return &c->sample[i];
	return NULL;
}

static int count_client(struct qt_incident *x, const struct facts *f,
    const uint8_t addr[16], bool valid, struct qt_error *err)
{
	struct qt_sample *place, s;
	struct qt_counted *e;
	struct qt_client *c;
	int r;

	if (add_text(&x->clients, f->client, &f->n, &e, err) != 0)
		return -1;
	if (e == NULL)
		return 0;
	if (e->more == NULL && new_client(x, e, f, addr, valid, err) != 0)
		return -1;
	c = qt_client_of(e);
	c->logins += f->account[0] != '\0';
	if (f->port_no != 0) {
		if (c->port_min == 0 || f->port_no < c->port_min)
			c->port_min = f->port_no;
		if (f->port_no > c->port_max)
			c->port_max = f->port_no;
		if (add_pair(&x->connections, f->client, f->port, &f->n, NULL,
			err) != 0)
			return -1;
	}
	if ((place = place_for(x, c, f)) == NULL)
		return 0;
	r = qt_sample_take(x, &s, f->row, f->subject, f->subject_len, err);
	if (r != 0) /* gone meanwhile: the next one will do */
		return r < 0 ? -1 : 0;
	*place = s;
	if (place == &c->sample[c->nsamples])
		c->nsamples++;
	return 0;
}

/* ---- its recipients ---- */

static int count_rcpt(struct qt_incident *x, const struct qt_rcpt *r,
    struct qt_buf *b, int64_t when, struct qt_error *err)
{
	const bool done = r->state == QT_RCPT_DONE;
	const struct qt_tally_add n = {.recipients = 1, .todo = !done,
	    .done = done, .time = when};
	const char *p, *at;
	uint64_t hash;

	qt_buf_clear(b);
	for (p = r->address; *p != '\0'; p++)
		qt_buf_addc(b, *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p);
	if (qt_buf_check(b, err) != 0)
		return -1;
	hash = siphash(x->sip_key, qt_buf_str(b), b->len);
	if (!hashset_add(&x->people, hash) ||
	    (done && !hashset_add(&x->reached, hash)))
		return qt_fail_mem(err);
	at = strrchr(qt_buf_str(b), '@');
	return add_text(&x->rcpt_domains, at != NULL ? at + 1 : "", &n, NULL,
	    err);
}

static int count_rcpts(struct qt_incident *x, const struct facts *f,
    struct qt_error *err)
{
	const struct qt_msg *m = &f->row->msg;
	struct qt_buf b;
	size_t i;
	int r = 0;

	qt_buf_init(&b, 0);
	for (i = 0; m->rcpt != NULL && i < m->nrcpt && r == 0; i++)
		if (m->rcpt[i].state != QT_RCPT_CANCELLED)
			r = count_rcpt(x, &m->rcpt[i], &b, f->n.time, err);
	qt_buf_release(&b);
	return r;
}

/* ---- all of it ---- */

static int count_place(struct qt_incident *x, const struct facts *f,
    struct qt_error *err)
{
	char place[40];

	if (f->row->spool->txid != 0)
		(void)snprintf(place, sizeof(place), "transaction %" PRIu64,
		    f->row->spool->txid);
	else
		(void)snprintf(place, sizeof(place), "%s%s",
		    f->row->spool->packed != NULL ? "archived " : "",
		    qt_queue_name(f->row->queue));
	return add_text(&x->places, place, &f->n, NULL, err);
}

static int count_hour(struct qt_incident *x, const struct facts *f,
    struct qt_error *err)
{
	const time_t t = (time_t)f->n.time;
	struct tm tm;
	char hour[32];

	if (t == 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(hour, sizeof(hour), "%Y-%m-%dT%H", &tm) == 0)
		return 0;
	return add_text(&x->hours, hour, &f->n, NULL, err);
}

/* A header has room for a subject that would fill the memory many times. */
static size_t subject_kept(const char *s, size_t len)
{
	size_t n = SUBJECT_KEPT;

	if (len <= n)
		return len;
	while (n > 0 && (s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* Numbers in it are as good as any other: "Invoice # is overdue". */
static int count_subject(struct qt_incident *x, const struct facts *f,
    struct qt_error *err)
{
	struct qt_buf b;
	bool in_number = false, digit;
	size_t i;
	int r;

	qt_buf_init(&b, 0);
	for (i = 0; i < f->subject_len; i++) {
		digit = f->subject[i] >= '0' && f->subject[i] <= '9';
		if (!digit)
			qt_buf_addc(&b, f->subject[i]);
		else if (!in_number)
			qt_buf_addc(&b, '#');
		in_number = digit;
	}
	r = qt_buf_check(&b, err);
	if (r == 0)
		r = qt_tally_add(&x->subjects, qt_buf_str(&b),
		    subject_kept(qt_buf_str(&b), b.len), &f->n, NULL, NULL,
		    err);
	qt_buf_release(&b);
	return r;
}

static void count_all(struct qt_incident *x, const struct qt_tally_add *n)
{
	struct qt_counted *a = &x->all;

	a->messages++;
	a->recipients += n->recipients;
	a->todo += n->todo;
	a->done += n->done;
	a->bytes += n->bytes;
	if (n->time != 0 && (a->first == 0 || n->time < a->first))
		a->first = n->time;
	if (n->time > a->last)
		a->last = n->time;
}

static int count(struct qt_incident *x, struct facts *f, struct qt_error *err)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t addr[16] = {0};
	bool valid;

	f->client = one_form(f->client, text, addr, &valid);
	count_all(x, &f->n);
	if (count_account(x, f, err) != 0 ||
	    count_client(x, f, addr, valid, err) != 0 ||
	    count_rcpts(x, f, err) != 0 || count_place(x, f, err) != 0 ||
	    count_hour(x, f, err) != 0)
		return -1;
	if (f->sender != NULL &&
	    add_text(&x->senders, f->sender, &f->n, NULL, err) != 0)
		return -1;
	return f->subject == NULL ? 0 : count_subject(x, f, err);
}

int qt_incident_add(struct qt_incident *x, const struct qt_db *db,
    const struct qt_stmt *st, struct qt_error *err)
{
	const struct qt_row *row = qt_db_row(db);
	const struct qt_msg *m;
	struct facts f;
	size_t len;

	if (row == NULL)
		return qt_fail(err, QT_E_USAGE, "report",
		    "there are no messages behind these rows");
	if (row->state == QT_STATE_FOREIGN)
		return 0;
	m = &row->msg;
	f = (struct facts){.row = row, .account = first_of(m->sasl_username, NULL),
	    .client = first_of(m->log_client_address, m->client_address),
	    .client_name = first_of(m->log_client_name, m->client_name),
	    .port = first_of(m->log_client_port, m->client_port),
	    .sender = m->sender,
	    .n = {.recipients = m->ntodo + m->ndone, .todo = m->ntodo,
		.done = m->ndone, .bytes = (uint64_t)row->file_size,
		.time = m->arrival_time}};
	f.port_no = qt_incident_port(f.port);
	if (qt_stmt_type(st, COL_SUBJECT) == QT_COL_TEXT) {
		f.subject = qt_stmt_text(st, COL_SUBJECT, &len);
		f.subject_len = len;
	}
	return count(x, &f, err);
}

/* ---- what has become of it ---- */

static bool begins(const struct qt_counted *place, const char *with)
{
	return strncmp(place->key, with, strlen(with)) == 0;
}

bool qt_incident_transaction(const struct qt_counted *place)
{
	return begins(place, "transaction ");
}

bool qt_incident_archived(const struct qt_counted *place)
{
	return begins(place, "archived ");
}

struct qt_still qt_incident_still(const struct qt_incident *x)
{
	const struct qt_tally *t = &x->places;
	struct qt_still s = {.taken = 0};
	size_t i;

	for (i = 0; i < t->n; i++)
		if (qt_incident_transaction(t->v[i]))
			s.taken += t->v[i]->todo;
		else if (qt_incident_archived(t->v[i]))
			s.archived += t->v[i]->todo;
		else if (strcmp(t->v[i]->key, "hold") == 0)
			s.held += t->v[i]->todo;
		else if (strcmp(t->v[i]->key, "corrupt") == 0)
			s.corrupt += t->v[i]->todo;
		else
			s.waiting += t->v[i]->todo;
	return s;
}

void qt_incident_count(const struct qt_incident *x,
    struct qt_incident_counts *n)
{
	const struct qt_client *c;
	size_t i;

	*n = (struct qt_incident_counts){.messages = x->all.messages,
	    .recipients = x->all.recipients, .todo = x->all.todo,
	    .networks = x->networks, .files = x->files};
	for (i = 0; i < x->accounts.n; i++)
		n->accounts += x->accounts.v[i]->len != 0;
	for (i = 0; i < x->clients.n; i++) {
		c = qt_client_of(x->clients.v[i]);
		n->clients += x->clients.v[i]->len != 0;
		n->own += x->clients.v[i]->len != 0 && !c->foreign;
	}
}
