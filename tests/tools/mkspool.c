/*
 * mkspool - make a practice incident: a queue in the state an administrator
 * finds it after a mailbox password was guessed.
 *
 *	mkspool [-n N] [-s SEED] [-r RCPTS] [-d DEPTH] [-o OWNER] [-t TRUTH]
 *SPOOL
 *
 * N messages (2000), the same for the same SEED but for inodes and times: a
 * compromised account with most of the mail, a smaller second one, honest
 * accounts, a newsletter, mail without a login, local mail, bounces and mail
 * that a content filter put back.  Files are as Postfix writes them: order of
 * records, names, hash directories, modes, owner, times, defer logs.
 *
 * RCPTS (40) is the most that a message of the compromised account has.
 * TRUTH (SPOOL.truth) gets what is in the queue, for tests to compare:
 *
 *	login TAB messages TAB recipients TAB recipients still to do
 *
 * with "-" for mail without a login.  The compromised accounts' mail is in
 * deferred and hold only, as after everything active was put on hold.
 *
 * Names and addresses are those reserved for documentation (RFC 2606, 5737,
 * 3849): nobody's real network is accused.
 */
#include <unistd.h>

#include "tools/people.h"
#include "tools/place.h"
#include "tools/qfile.h"

#define HOST "mx1.provider.example"
#define RCPT_MAX 512
#define TEXT_SIZE ((size_t)256 << 10) /* text that bodies are cut from */
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum kind {
	SPAM,	    /* the compromised account: forged senders, many networks */
	SPAM2,	    /* the second one: its own address, one network */
	HONEST,	    /* accounts that do what they always did */
	NEWS,	    /* a newsletter: an account with much honest mail */
	RELAYED,    /* from another server, no login */
	LOCAL,	    /* sendmail(1) on this host */
	BOUNCE,	    /* Postfix's own report about spam, null sender */
	REINJECTED, /* spam back from the content filter: the login is lost */
	NKINDS
};

/* Share of each kind, in thousandths of all mail. */
static const unsigned share[NKINDS] = {[SPAM] = 700,
    [SPAM2] = 60,
    [HONEST] = 90,
    [NEWS] = 40,
    [RELAYED] = 40,
    [LOCAL] = 20,
    [BOUNCE] = 40,
    [REINJECTED] = 10};

struct rcpt {
	char address[96];
	const char *domain;
	size_t offset; /* of its record */
	bool done;
};

/* One message while it is made. */
struct mail {
	enum kind kind;
	const struct account *account; /* NULL: no login */
	const char *queue;
	char sender[96], from[128], subject[160];
	char client_name[64], client_address[64]; /* the logging client */
	char peer_name[64], peer_address[64];	  /* the real one */
	const char *helo;
	unsigned port;
	int64_t arrival;
	uint32_t usec;
	size_t body; /* bytes of text */
	struct rcpt rcpt[RCPT_MAX];
	unsigned nrcpt, ntodo;
};

struct truth {
	const char *login; /* NULL: none */
	uint64_t messages, recipients, todo;
};

struct gen {
	struct place place;
	struct qfile file;
	struct qt_buf log;
	uint64_t rng;
	int64_t now;
	unsigned rcpts;		     /* most of one message of spam */
	char *text;		     /* TEXT_SIZE bytes of lines */
	char spam_id[PLACE_ID_SIZE]; /* of the latest spam, for reports */
	char spam_sender[96], spam_rcpt[96];
	struct truth truth[COUNT(honest) + 4];
	size_t ntruth;
};

/* ---- chance ---- */

static uint64_t next_random(struct gen *g)
{
	uint64_t z = (g->rng += 0x9e3779b97f4a7c15u); /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0..n-1 */
static unsigned pick(struct gen *g, size_t n)
{
	return (unsigned)(next_random(g) % n);
}

static bool chance(struct gen *g, unsigned percent)
{
	return pick(g, 100) < percent;
}

static const char *pick_from(struct gen *g, const char *const *list, size_t n)
{
	return list[pick(g, n)];
}

#define PICK(g, list) pick_from(g, list, COUNT(list))

static enum kind pick_kind(struct gen *g)
{
	unsigned at = pick(g, 1000);
	int k = 0;

	while (at >= share[k]) {
		at -= share[k];
		k++;
	}
	return (enum kind)k;
}

/* Paragraphs of a few sentences, a line each. */
static void make_text(struct gen *g)
{
	size_t n = 0, len;
	const char *line;

	while (n + 100 < TEXT_SIZE) {
		line = PICK(g, sentences);
		len = strlen(line);
		memcpy(g->text + n, line, len);
		n += len;
		g->text[n++] = '\n';
		if (chance(g, 25))
			g->text[n++] = '\n';
	}
	memset(g->text + n, '\n', TEXT_SIZE - n);
}

/* ---- who writes what to whom ---- */

static const char *domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at + 1 : "provider.example";
}

static void set_peer(struct mail *m, const char *name, const char *address)
{
	(void)snprintf(m->client_name, sizeof m->client_name, "%s", name);
	(void)snprintf(m->peer_name, sizeof m->peer_name, "%s", name);
	(void)snprintf(m->peer_address, sizeof m->peer_address, "%s", address);
	(void)snprintf(m->client_address, sizeof m->client_address, "%s%s",
	    strchr(address, ':') != NULL ? "IPv6:" : "", address);
}

/* A spammer's client: many hosts of four networks. */
static void set_bot(struct gen *g, struct mail *m)
{
	char address[64];
	unsigned host = 1 + pick(g, 40);

	switch (pick(g, 4)) {
	case 0:
		(void)snprintf(address, sizeof address, "203.0.113.%u", host);
		break;
	case 1:
		(void)snprintf(
		    address, sizeof address, "198.51.100.%u", 100 + host);
		break;
	case 2:
		(void)snprintf(
		    address, sizeof address, "203.0.113.%u", 128 + host);
		break;
	default:
		(void)snprintf(address, sizeof address, "2001:db8:66:%u::%x",
		    pick(g, 8), host);
	}
	set_peer(m, "unknown", address);
}

static void set_own_client(struct mail *m)
{
	char name[64], address[64];

	(void)snprintf(address, sizeof address, "192.0.2.%u", m->account->host);
	(void)snprintf(
	    name, sizeof name, "dyn-%u.access.example", m->account->host);
	set_peer(m, name, address);
}

static void set_person(
    struct gen *g, char *out, size_t size, const char *domain)
{
	(void)snprintf(out, size, "%s.%s%u@%s", PICK(g, first_names),
	    PICK(g, last_names), pick(g, 90), domain);
}

static void set_subject(struct gen *g, struct mail *m, const char *form)
{
	const char *mark = strstr(form, "%u");

	(void)snprintf(m->subject, sizeof m->subject, "%.*s%u%s",
	    (int)(mark - form), form, 1000 + pick(g, 90000), mark + 2);
}

static void set_spam(struct gen *g, struct mail *m)
{
	const char *domain = PICK(g, forged_domains);

	set_subject(g, m, PICK(g, spam_subjects));
	if (m->kind == SPAM2) {
		m->account = &spam2_account;
		(void)snprintf(
		    m->sender, sizeof m->sender, "%s", m->account->login);
		set_peer(m, "unknown", "198.51.100.77");
		m->nrcpt = 1 + pick(g, 10);
	} else {
		m->account = m->kind == SPAM ? &spam_account : NULL;
		set_person(g, m->sender, sizeof m->sender, domain);
		set_bot(g, m);
		m->nrcpt = chance(g, 30) ? 1 : 1 + pick(g, g->rcpts);
	}
	m->helo = m->kind == SPAM2 ? spam2_account.helo : spam_account.helo;
	m->arrival = g->now - 60 - pick(g, 6 * 3600);
	if (m->kind ==
	    REINJECTED) { /* XFORWARD kept the client, not the login */
		(void)snprintf(m->peer_name, sizeof m->peer_name, "localhost");
		(void)snprintf(
		    m->peer_address, sizeof m->peer_address, "127.0.0.1");
	}
}

static void set_honest(struct gen *g, struct mail *m)
{
	m->account =
	    m->kind == NEWS ? &news_account : &honest[pick(g, COUNT(honest))];
	set_own_client(m);
	m->helo = m->account->helo;
	m->nrcpt = chance(g, 80) ? 1 : 1 + pick(g, 6);
	m->arrival = g->now - 60 - pick(g, 2 * 86400);
	set_subject(g, m, PICK(g, honest_subjects));
	(void)snprintf(m->sender, sizeof m->sender, "%s", m->account->login);
	if (strchr(m->sender, '@') == NULL) /* a login that is no address */
		(void)snprintf(
		    m->sender, sizeof m->sender, "scanner@lawfirm.example");
	if (m->kind != NEWS)
		return;
	m->nrcpt = 1;
	(void)snprintf(m->sender, sizeof m->sender, "bounces+%u@shop.example",
	    pick(g, 100000));
	(void)snprintf(m->subject, sizeof m->subject, "Offers of the week %u",
	    1 + pick(g, 4));
}

static void set_relayed(struct gen *g, struct mail *m)
{
	char name[64], address[64];
	unsigned host = 200 + pick(g, 20);

	(void)snprintf(name, sizeof name, "out%u.partner.example", host);
	(void)snprintf(address, sizeof address, "192.0.2.%u", host);
	set_peer(m, name, address);
	m->helo = "out.partner.example";
	set_person(g, m->sender, sizeof m->sender, "partner.example");
	set_subject(g, m, PICK(g, honest_subjects));
	m->nrcpt = 1 + pick(g, 3);
	m->arrival = g->now - 60 - pick(g, 86400);
}

static void set_local(struct gen *g, struct mail *m)
{
	(void)snprintf(m->sender, sizeof m->sender, "%s@" HOST,
	    chance(g, 70) ? "root" : "www-data");
	set_subject(g, m, "Cron job %u");
	m->nrcpt = 1;
	m->arrival = g->now - 60 - pick(g, 3 * 86400);
}

/* A report to whoever was named as the sender: m->sender stays empty. */
static void set_bounce(struct gen *g, struct mail *m)
{
	(void)snprintf(m->subject, sizeof m->subject,
	    "Undelivered Mail Returned to Sender");
	m->nrcpt = 1;
	m->arrival = g->now - 60 - pick(g, 5 * 3600);
}

static void set_rcpts(struct gen *g, struct mail *m)
{
	struct rcpt *r;

	m->ntodo = m->nrcpt;
	for (unsigned i = 0; i < m->nrcpt; i++) {
		r = &m->rcpt[i];
		r->domain = PICK(g, rcpt_domains);
		set_person(g, r->address, sizeof r->address, r->domain);
		/* one at least is still to do, or it would not be queued */
		r->done = m->ntodo > 1 && chance(g, 15);
		if (r->done)
			m->ntodo--;
	}
	if (m->kind != BOUNCE)
		return;
	(void)snprintf(m->rcpt[0].address, sizeof m->rcpt[0].address, "%s",
	    g->spam_sender);
	m->rcpt[0].domain = domain_of(m->rcpt[0].address);
}

static const char *pick_queue(struct gen *g, enum kind kind)
{
	unsigned at = pick(g, 100);

	if (kind == SPAM || kind == SPAM2)
		return at < 88 ? "deferred" : "hold";
	if (at < 84)
		return "deferred";
	return at < 92 ? "hold" : at < 97 ? "active" : "incoming";
}

static void set_mail(struct gen *g, struct mail *m, enum kind kind)
{
	m->kind = kind;
	m->account = NULL;
	m->helo = NULL;
	m->sender[0] = '\0';
	m->queue = pick_queue(g, kind);
	m->port = 20000 + pick(g, 40000);
	m->usec = pick(g, 1000000);
	/* most mail is small; some has a picture */
	m->body = 1200 + pick(g, 3600);
	if (pick(g, 100) == 0)
		m->body = 60000 + pick(g, 80000);
	if (kind == SPAM || kind == SPAM2 || kind == REINJECTED)
		set_spam(g, m);
	else if (kind == HONEST || kind == NEWS)
		set_honest(g, m);
	else if (kind == RELAYED)
		set_relayed(g, m);
	else if (kind == LOCAL)
		set_local(g, m);
	else
		set_bounce(g, m);
	(void)snprintf(m->from, sizeof m->from, "%s",
	    kind == BOUNCE ? "MAILER-DAEMON@" HOST : m->sender);
	set_rcpts(g, m);
}

/* ---- the records ---- */

static void put_smtp_client(struct qfile *q, const struct mail *m)
{
	qfile_attr(q, "encoding", m->kind == NEWS ? "8bit" : "7bit");
	qfile_attr(q, "log_client_name", m->client_name);
	qfile_attr(q, "log_client_address", m->client_address);
	(void)qfile_recf(q, 'A', "log_client_port=%u", m->port);
	(void)qfile_recf(q, 'A', "log_message_origin=%s[%s]", m->client_name,
	    m->client_address);
	qfile_attr(q, "log_helo_name", m->helo);
	qfile_attr(q, "log_protocol_name", "ESMTP");
	qfile_attr(q, "client_name", m->peer_name);
	qfile_attr(q, "reverse_client_name", m->peer_name);
	qfile_attr(q, "client_address", m->peer_address);
	(void)qfile_recf(q, 'A', "client_port=%u", m->port);
	qfile_attr(q, "server_address", "192.0.2.1");
	qfile_attr(q, "server_port", "587");
	qfile_attr(q, "helo_name", m->helo);
	qfile_attr(q, "protocol_name", "ESMTP");
	qfile_attr(q, "client_address_type",
	    strchr(m->peer_address, ':') != NULL ? "10" : "2");
}

static void put_envelope(
    const struct gen *g, struct qfile *q, const struct mail *m, const char *id)
{
	(void)qfile_size_record(q, 6);
	(void)qfile_recf(q, 'T', "%lld %u", (long long)m->arrival, m->usec);
	(void)qfile_recf(q, 'A', "create_time=%lld", (long long)m->arrival);
	if (m->kind == BOUNCE) {
		qfile_attr(q, "log_message_origin", "local");
		qfile_attr(q, "trace_flags", "0");
		(void)qfile_recs(q, 'S', "");
		return;
	}
	if (m->kind == LOCAL) {
		qfile_attr(q, "rewrite_context", "local");
		(void)qfile_recs(q, 'F', "root");
		(void)qfile_recs(q, 'S', m->sender);
		return;
	}
	qfile_attr(q, "log_ident", m->kind == REINJECTED ? g->spam_id : id);
	qfile_attr(
	    q, "rewrite_context", m->account != NULL ? "local" : "remote");
	if (m->account != NULL) {
		qfile_attr(q, "sasl_method", "LOGIN");
		qfile_attr(q, "sasl_username", m->account->login);
	}
	(void)qfile_recs(q, 'S', m->sender);
	put_smtp_client(q, m);
}

static void put_rcpts(struct qfile *q, struct mail *m)
{
	struct rcpt *r;

	for (unsigned i = 0; i < m->nrcpt; i++) {
		r = &m->rcpt[i];
		(void)qfile_recf(q, 'A', "dsn_orig_rcpt=rfc822;%s", r->address);
		(void)qfile_recs(q, 'O', r->address);
		r->offset = qfile_recs(q, r->done ? 'D' : 'R', r->address);
	}
}

static void line_f(struct qfile *q, const char *fmt, ...) QT_PRINTF(2, 3);
static void line_f(struct qfile *q, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	qfile_line(q, line, strlen(line));
}

static const char *rfc_date(int64_t when, char out[64])
{
	time_t t = (time_t)when;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, 64, "%a, %d %b %Y %H:%M:%S +0000", &tm) == 0)
		out[0] = '\0';
	return out;
}

static void put_received(struct qfile *q, const struct mail *m, const char *id)
{
	char date[64];

	(void)rfc_date(m->arrival, date);
	if (m->kind == BOUNCE)
		line_f(q, "Received: by " HOST " (Postfix)");
	else if (m->kind == LOCAL)
		line_f(q, "Received: by " HOST " (Postfix, from userid 0)");
	else {
		line_f(q, "Received: from %s (%s [%s])", m->helo, m->peer_name,
		    m->peer_address);
		if (m->account != NULL)
			line_f(q, "\t(Authenticated sender: %s)",
			    m->account->login);
		line_f(q, "\tby " HOST " (Postfix) with ESMTPSA");
	}
	line_f(q, "\tid %s; %s", id, date);
}

static void put_header(
    struct gen *g, struct qfile *q, const struct mail *m, const char *id)
{
	char date[64];

	put_received(q, m, id);
	line_f(q, "Date: %s", rfc_date(m->arrival, date));
	line_f(q, "From: %s", m->from);
	line_f(q, "To: %s",
	    m->nrcpt > 1 ? "undisclosed-recipients:;" : m->rcpt[0].address);
	line_f(q, "Subject: %s", m->subject);
	line_f(q, "Message-Id: <%08x.%u@%s>", pick(g, UINT32_MAX), m->port,
	    domain_of(m->from));
	line_f(q, "MIME-Version: 1.0");
	if (m->kind == SPAM || m->kind == SPAM2)
		line_f(q, "X-Mailer: BulkSender 2.%u", pick(g, 4));
}

static void put_body(struct gen *g, struct qfile *q, const struct mail *m)
{
	bool html = m->kind == NEWS || (m->kind == SPAM && chance(g, 50));
	size_t at = pick(g, TEXT_SIZE - m->body);
	const char *lf = memchr(g->text + at, '\n', TEXT_SIZE - at);

	at = (size_t)(lf - g->text) + 1; /* whole sentences */
	at = at + m->body < TEXT_SIZE ? at : 0;
	line_f(
	    q, "Content-Type: text/%s; charset=utf-8", html ? "html" : "plain");
	line_f(q, "%s", "");
	if (html)
		line_f(q, "<html><body><p>Hello %s,<br>", m->rcpt[0].address);
	if (m->kind == SPAM || m->kind == SPAM2 || m->kind == REINJECTED)
		line_f(q, "%shttps://login-%u.cloud-login.example/verify%s",
		    html ? "<a href=\"" : "", pick(g, 1000),
		    html ? "\">verify now</a>" : "");
	qfile_text_n(q, g->text + at, m->body);
	if (html)
		line_f(q, "</body></html>");
}

/* A delivery report as bounce(8) writes it (RFC 3464). */
static void put_report(
    struct gen *g, struct qfile *q, const struct mail *m, const char *id)
{
	char date[64];

	line_f(q, "Auto-Submitted: auto-replied");
	line_f(q, "Content-Type: multipart/report; "
		  "report-type=delivery-status;");
	line_f(q, "\tboundary=\"%s.%lld/" HOST "\"", id, (long long)m->arrival);
	qfile_text(q, "\nThis is a MIME-encapsulated message.\n\n");
	line_f(q, "--%s.%lld/" HOST, id, (long long)m->arrival);
	qfile_text(q, "Content-Description: Notification\n"
		      "Content-Type: text/plain; charset=us-ascii\n\n"
		      "This is the mail system at host " HOST ".\n\n");
	line_f(q, "<%s>: host mx.%s said: 550 5.1.1 User unknown", g->spam_rcpt,
	    domain_of(g->spam_rcpt));
	qfile_text(q, "\n");
	line_f(q, "--%s.%lld/" HOST, id, (long long)m->arrival);
	qfile_text(q, "Content-Description: Delivery report\n"
		      "Content-Type: message/delivery-status\n\n"
		      "Reporting-MTA: dns; " HOST "\n");
	line_f(q, "X-Postfix-Queue-ID: %s", g->spam_id);
	line_f(q, "X-Postfix-Sender: rfc822; %s", g->spam_sender);
	line_f(q, "Arrival-Date: %s", rfc_date(m->arrival - 5, date));
	qfile_text(q, "\n");
	line_f(q, "Final-Recipient: rfc822; %s", g->spam_rcpt);
	line_f(q, "Original-Recipient: rfc822;%s", g->spam_rcpt);
	qfile_text(q, "Action: failed\nStatus: 5.1.1\n"
		      "Diagnostic-Code: smtp; 550 5.1.1 User unknown\n\n");
	line_f(q, "--%s.%lld/" HOST "--", id, (long long)m->arrival);
}

static void put_file(struct gen *g, struct mail *m, const char *id)
{
	struct qfile *q = &g->file;

	qfile_clear(q);
	put_envelope(g, q, m, id);
	put_rcpts(q, m);
	qfile_message(q);
	put_header(g, q, m, id);
	if (m->kind == BOUNCE)
		put_report(g, q, m, id);
	else
		put_body(g, q, m);
	qfile_extracted(q);
	qfile_end(q);
}

/* Text with each %s replaced by the domain. */
static void add_reason(struct qt_buf *b, const char *form, const char *domain)
{
	const char *mark;

	for (; (mark = strstr(form, "%s")) != NULL; form = mark + 2) {
		qt_buf_add(b, form, (size_t)(mark - form));
		qt_buf_adds(b, domain);
	}
	qt_buf_adds(b, form);
	qt_buf_addc(b, '\n');
}

static void put_log(struct gen *g, const struct mail *m)
{
	const struct reason *why = &reasons[pick(g, COUNT(reasons))];
	const struct rcpt *r;
	struct qt_buf *b = &g->log;

	qt_buf_clear(b);
	for (unsigned i = 0; i < m->nrcpt; i++) {
		r = &m->rcpt[i];
		if (r->done)
			continue;
		qt_buf_addf(b, "\n<%s>: ", r->address);
		add_reason(b, why->text, r->domain);
		qt_buf_addf(
		    b, "recipient=%s\noffset=%zu\n", r->address, r->offset);
		qt_buf_addf(b, "dsn_orig_rcpt=rfc822;%s\n", r->address);
		qt_buf_addf(b, "status=%s\naction=delayed\n", why->status);
		if (why->mta != NULL) {
			qt_buf_addf(
			    b, "diag_type=smtp\ndiag_text=%s\n", why->diag);
			qt_buf_adds(b, "mta_type=dns\nmta_mname=");
			add_reason(b, why->mta, r->domain);
		}
		qt_buf_adds(b, "reason=");
		add_reason(b, why->text, r->domain);
		qt_buf_addc(b, '\n');
	}
}

/* ---- into the queue ---- */

static void count_truth(struct gen *g, const struct mail *m)
{
	const char *login = m->account != NULL ? m->account->login : NULL;
	size_t i = 0;

	while (i < g->ntruth && g->truth[i].login != login)
		i++;
	if (i == g->ntruth)
		g->truth[g->ntruth++] = (struct truth){.login = login};
	g->truth[i].messages++;
	g->truth[i].recipients += m->nrcpt;
	g->truth[i].todo += m->ntodo;
}

static void remember_spam(struct gen *g, const struct mail *m, const char *id)
{
	(void)snprintf(g->spam_id, sizeof g->spam_id, "%s", id);
	(void)snprintf(g->spam_sender, sizeof g->spam_sender, "%s", m->sender);
	(void)snprintf(
	    g->spam_rcpt, sizeof g->spam_rcpt, "%s", m->rcpt[0].address);
}

static int store(struct gen *g, struct mail *m, struct qt_error *err)
{
	/* in deferred the time is that of the next attempt */
	struct place_entry e = {.queue = m->queue,
	    .mode = 0700,
	    .id_form = chance(g, 30) ? PLACE_ID_LONG : PLACE_ID_SHORT,
	    .created = m->arrival,
	    .usec = m->usec,
	    .mtime = strcmp(m->queue, "deferred") == 0
			 ? g->now - 600 + (int64_t)pick(g, 4000)
			 : m->arrival};
	struct place_new file;

	if (place_begin(&g->place, &e, &file, err) != 0)
		return -1;
	put_file(g, m, file.id);
	if (qt_buf_check(&g->file.b, err) != 0) {
		place_abandon(&g->place, &file);
		return -1;
	}
	e.data = g->file.b.data;
	e.len = g->file.b.len;
	if (place_finish(&g->place, &e, &file, err) != 0)
		return -1;
	if (m->kind == SPAM)
		remember_spam(g, m, file.id);
	if (strcmp(m->queue, "deferred") != 0)
		return 0;
	put_log(g, m);
	if (qt_buf_check(&g->log, err) != 0)
		return -1;
	return place_log(&g->place, "defer", file.id, g->log.data, g->log.len,
	    g->now - (int64_t)pick(g, 600), err);
}

static int make_mail(struct gen *g, unsigned n, struct qt_error *err)
{
	struct mail *m = malloc(sizeof *m);
	int rc = 0;

	if (m == NULL)
		return qt_fail_mem(err);
	for (unsigned i = 0; i < n && rc == 0; i++) {
		/* the first is spam: later reports have something to name */
		set_mail(g, m, i == 0 ? SPAM : pick_kind(g));
		rc = store(g, m, err);
		if (rc == 0)
			count_truth(g, m);
	}
	free(m);
	return rc;
}

static int write_truth(
    const struct gen *g, const char *path, struct qt_error *err)
{
	FILE *out = fopen(path, "we");

	if (out == NULL)
		return qt_fail_sys(err, "open", path);
	for (size_t i = 0; i < g->ntruth; i++)
		fprintf(out, "%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n",
		    g->truth[i].login != NULL ? g->truth[i].login : "-",
		    g->truth[i].messages, g->truth[i].recipients,
		    g->truth[i].todo);
	return fclose(out) == 0 ? 0 : qt_fail_sys(err, "write", path);
}

struct options {
	const char *spool, *owner, *truth;
	unsigned n, rcpts, depth;
	uint64_t seed;
};

static int generate(const struct options *o, struct qt_error *err)
{
	struct gen *g = calloc(1, sizeof *g);
	int rc = -1;

	if (g == NULL)
		return qt_fail_mem(err);
	g->rng = o->seed;
	g->rcpts = o->rcpts;
	g->now = time(NULL);
	qfile_init(&g->file);
	qt_buf_init(&g->log, 0);
	g->text = malloc(TEXT_SIZE);
	if (g->text == NULL)
		(void)qt_fail_mem(err);
	else if (place_open(&g->place, o->spool, o->owner, o->depth, err) ==
		 0) {
		make_text(g);
		rc = make_mail(g, o->n, err);
		if (rc == 0)
			rc = write_truth(g, o->truth, err);
		place_close(&g->place);
	}
	free(g->text);
	qt_buf_release(&g->log);
	qfile_release(&g->file);
	free(g);
	return rc;
}

static int usage(void)
{
	fputs("usage: mkspool [-n N] [-s SEED] [-r RCPTS] [-d DEPTH] "
	      "[-o OWNER] [-t TRUTH] SPOOL\n",
	    stderr);
	return 2;
}

static int parse_options(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:s:r:d:o:t:")) != -1)
		switch (c) {
		case 'n':
			o->n = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			o->seed = strtoull(optarg, NULL, 10);
			break;
		case 'r':
			o->rcpts = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'd':
			o->depth = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'o':
			o->owner = optarg;
			break;
		case 't':
			o->truth = optarg;
			break;
		default:
			return -1;
		}
	if (optind + 1 != argc || o->n == 0 || o->rcpts == 0 ||
	    o->rcpts > RCPT_MAX)
		return -1;
	o->spool = argv[optind];
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = {.n = 2000, .seed = 1, .rcpts = 40, .depth = 1};
	char beside[4096];
	struct qt_error err;

	if (parse_options(&o, argc, argv) != 0)
		return usage();
	(void)snprintf(beside, sizeof beside, "%s.truth", o.spool);
	if (o.truth == NULL)
		o.truth = beside;
	if (generate(&o, &err) == 0)
		return 0;
	fprintf(stderr, "mkspool: %s: %s\n", err.where, err.text);
	return 1;
}
