/*
 * incident.h - what the files of a report are made of.
 *
 *	incident.c		counting the messages as they come
 *	incident_sample.c	parts of messages, as others may see them
 *	contacts.c		who answers for a network
 *	incident_net.c		the files of each client's network
 *	incident_arf.c		one such mail (RFC 5965)
 *	incident_arf_text.c	what people read of it
 *	incident_xarf.c		one such object (XARF 4)
 *	incident_texts.c	texts for people outside
 *	incident_paper.c	the paper for the own ones; paper.c has its forms
 *	incident_tables.c	its tables
 *	incident_facts.c	the same for programs
 *
 * Two names share what follows a NUL in a tally's key: JOE NUL 192.0.2.1.
 */
#ifndef QTOOL_EVIDENCE_INCIDENT_H
#define QTOOL_EVIDENCE_INCIDENT_H

#include "evidence/contacts.h"
#include "evidence/redact.h"
#include "evidence/spill.h"
#include "evidence/tally.h"
#include "qtool/incident.h"
#include "query/hashset.h"

#define QT_SAMPLES 3	  /* messages of each client that are shown */
#define QT_SAMPLE_RCPTS 10 /* recipients of one that are named */
#define QT_SAMPLE_WHOLE ((uint64_t)256 << 10) /* bytes of a text that is shown */

/*
 * A message as others may see it: redacted as the options say.  Strings are
 * the incident's.
 */
struct qt_sample {
	int64_t time;		/* of its arrival; 0 unknown */
	int64_t usec;		/* of that; -1 unknown */
	unsigned port;		/* the client's; 0 unknown */
	const char *sender;	/* "" null sender */
	const char *helo;	/* NULL */
	const char *method;	/* of the login, [A-Za-z0-9_-] alone; NULL: there
				 * was none, or it has others */
	const char *login;	/* always a token unless nothing is redacted; NULL:
				 * there was none */
	const char *server_address; /* of ours that it came to; NULL */
	unsigned server_port;	/* 0 unknown */
	const char *rcpt[QT_SAMPLE_RCPTS];
	unsigned nrcpt;		/* of those */
	uint64_t rcpts;		/* it has in all */
	const char *subject, *message_id, *agent; /* decoded text; NULL none */
	bool whole;		/* its text, else its header alone */
	uint64_t at, len;	/* in the incident's samples */
};

/* qt_counted.more in the tally of clients. */
struct qt_client {
	uint8_t addr[16];   /* as query/cidr.h; valid addresses alone */
	bool valid;	    /* it is an address */
	bool foreign;	    /* one that somebody else answers for */
	const char *name;   /* as Postfix logged it first; NULL unknown */
	uint64_t logins;    /* messages with a login */
	unsigned port_min, port_max; /* 0 unknown */
	const struct qt_contact *contact; /* who answers for it; NULL unknown */
	struct qt_sample sample[QT_SAMPLES];
	unsigned nsamples;
};

/* qt_counted.more in the tally of accounts. */
struct qt_account {
	uint64_t senders, clients; /* different ones */
	uint64_t foreign;	   /* messages with a sender of another domain */
};

struct qt_incident {
	struct qt_incident_opts opts;
	struct qt_arena arena; /* everything below it points to */
	/* "" where there was no login, or no client */
	struct qt_tally accounts, clients;
	struct qt_tally account_clients; /* ACCOUNT NUL CLIENT */
	struct qt_tally account_senders; /* ACCOUNT NUL SENDER */
	struct qt_tally connections;	 /* CLIENT NUL PORT */
	struct qt_tally senders, hours; /* "2026-11-26T04" */
	struct qt_tally subjects; /* numbers as #: "Invoice # is overdue" */
	struct qt_tally rcpt_domains;	 /* a recipient is a message there */
	struct qt_tally places; /* "hold", "transaction 4", "archived deferred" */
	struct qt_counted all;		 /* all messages */
	struct hashset people, reached;	 /* recipients; those who are done with */
	uint64_t sip_key[2];		 /* of their hashes */
	struct qt_contacts contacts;
	struct qt_redact_key key;
	bool own_key;			 /* it is new */
	int tmp_dirfd;			 /* for what is too large; -1 */
	struct qt_spill samples;
	const char *from;    /* who reports: opts.contact, or made up */
	const char *address; /* the address in it */
	const char *domain;  /* its domain */
	int64_t now;
	uint64_t networks;   /* files for networks so far */
	uint64_t files;
};

/* ---- incident_sample.c ---- */

/*
 * Make a sample of a row that was loaded with its message and header; subject is
 * its text, NULL: there is none.  1: it is not one to be shown.
 */
int qt_sample_take(struct qt_incident *x, struct qt_sample *s,
    const struct qt_row *row, const char *subject, size_t subject_len,
    struct qt_error *err) QT_MUST_CHECK;
/* Its bytes, in lines that end in a line feed; b is cleared first. */
int qt_sample_bytes(const struct qt_incident *x, const struct qt_sample *s,
    struct qt_buf *b, struct qt_error *err) QT_MUST_CHECK;
/* The bytes of a message's lines up to its first empty one. */
size_t qt_sample_header(const char *s, size_t len);
/* A login as others may see it: a token, unless nothing is redacted. */
int qt_sample_login(const struct qt_incident *x, struct qt_buf *out,
    const char *login, struct qt_error *err) QT_MUST_CHECK;

/* ---- files: each appends its text to b ---- */

/* One mail for who answers for clients: NAME.eml. */
struct qt_net {
	const char *name;	 /* of the file: "203.0.113.7", "2001_db8__-64" */
	const char *to;		 /* an address; NULL: to be looked up */
	const char *network;	 /* "203.0.113.0/24", or one address */
	struct qt_counted **client; /* the most messages first */
	size_t n;
	struct qt_counted sum;	 /* over all of them */
	uint64_t logins;	 /* of these messages */
};
/* There is one client at least; their connections are in order afterwards. */
int qt_incident_arf(struct qt_incident *x, const struct qt_net *net,
    struct qt_buf *b, struct qt_error *err) QT_MUST_CHECK;
/*
 * The two kinds of object about one client.  1: what it has to have is not
 * known (the port; a sender that is an address; a login).
 */
int qt_incident_xarf_spam(struct qt_incident *x, const struct qt_counted *client,
    struct qt_buf *b, struct qt_error *err) QT_MUST_CHECK;
int qt_incident_xarf_login(struct qt_incident *x,
    const struct qt_counted *client, struct qt_buf *b, struct qt_error *err)
    QT_MUST_CHECK;
/* All files in net/. */
int qt_incident_nets(struct qt_incident *x, qt_incident_put *put, void *ctx,
    struct qt_error *err) QT_MUST_CHECK;

int qt_incident_owner(struct qt_incident *x, const struct qt_counted *account,
    struct qt_buf *b, struct qt_error *err) QT_MUST_CHECK;
int qt_incident_delist(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err) QT_MUST_CHECK;
int qt_incident_readme(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err) QT_MUST_CHECK;
int qt_incident_paper(struct qt_incident *x, bool html, struct qt_buf *b,
    struct qt_error *err) QT_MUST_CHECK;
int qt_incident_summary(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err) QT_MUST_CHECK;
int qt_incident_persons(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err) QT_MUST_CHECK;
int qt_incident_ioc(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err) QT_MUST_CHECK;

/* ---- what they share (incident.c) ---- */

/* The client's of an entry of x->clients. */
static inline struct qt_client *qt_client_of(const struct qt_counted *c)
{
	return c->more;
}
/* "2026-11-26 04:22:11" of UTC; "unknown" for 0. */
void qt_incident_time(int64_t seconds, char out[32]);
/* "1,234" */
const char *qt_incident_number(uint64_t n, char out[32]);
/* Whether it is the full name of a host, and not a directory's, say. */
bool qt_incident_is_host(const char *s);
/* Where recipients to do are. */
struct qt_still {
	uint64_t taken;	   /* out of the queue: a transaction has them */
	uint64_t held;	   /* on hold */
	uint64_t corrupt;  /* set aside by Postfix */
	uint64_t waiting;  /* nothing keeps Postfix from them */
	uint64_t archived; /* in an archive: what became of them is not known */
};
struct qt_still qt_incident_still(const struct qt_incident *x);
/* Of x->places: it is a transaction's staging; it is in an archive. */
bool qt_incident_transaction(const struct qt_counted *place);
bool qt_incident_archived(const struct qt_counted *place);
/* A port as Postfix writes it; 0: it is none. */
unsigned qt_incident_port(const char *s);

#endif
