/*
 * incident.h - a report on an incident: for each who has to know of it the file
 * that is for them, made of the messages that were sent.  Nothing is sent.
 *
 *	README.txt		which file is for whom, and how it goes on
 *	incident.html, .md	for the own management
 *	summary.json		the same numbers, for programs
 *	ioc.csv			the addresses that it came from
 *	gdpr-facts.json		whose data it touched, in numbers
 *	account-owner.txt	for who owns the account (-2, -3 ... of others)
 *	delist.txt		for those who block us
 *	net/NAME.eml		for a client's network: ARF (RFC 5965)
 *	net/ADDRESS.spam.xarf.json, net/ADDRESS.login.xarf.json	XARF 4
 *	redact.key		what tells whose the tokens are; not to be sent
 */
#ifndef QTOOL_INCIDENT_H
#define QTOOL_INCIDENT_H

#include "qtool/archive.h"
#include "qtool/change.h"

struct qt_incident;

/* Strings are borrowed for as long as the report is made; NULL: none. */
struct qt_incident_opts {
	const char *case_id;
	const char *title;
	const char *organization;
	const char *contact; /* "Name <address>", or an address; NULL:
			      * postmaster of the host */
	const char *stopped; /* when it was, in the operator's words */
	const char *cause, *prevention; /* how it came, what was done about it */
	const char *host;    /* myhostname */
	const char *source;  /* what was read, for people */
	const char *command; /* as typed */
	/* Who answers for a network (src/evidence/contacts.h): the text, and
	 * its file's name for messages. */
	const char *contacts, *contacts_name;
	enum qt_redact redact; /* in what is for others */
	const char *redact_key; /* a file that has it; NULL: a new one */
	bool whole;	     /* samples with their text */
	/* The transactions of the queue; NULL: not looked at, as of several */
	const struct qt_tx_list *history;
	int64_t now;	     /* seconds; 0: the clock */
	const volatile sig_atomic_t *stop; /* set by a signal; may be NULL */
};

struct qt_incident_counts {
	uint64_t messages, recipients, todo;
	uint64_t accounts, clients;
	uint64_t networks; /* files for networks */
	uint64_t own;	   /* client addresses that are nobody's to write to */
	uint64_t files;	   /* in all */
};

/*
 * QT_E_USAGE: the key or the contacts are wrong, or there is no address to
 * answer to, or a line of text has what cannot be in one.
 */
int qt_incident_new(struct qt_incident **out,
    const struct qt_incident_opts *opts, struct qt_error *err) QT_MUST_CHECK;
void qt_incident_free(struct qt_incident *x);

/* Columns of messages, comma-separated, whose rows are to be added. */
extern const char qt_incident_columns[];
/*
 * The row that a statement of db with those columns stands on.  What is no
 * message is passed over.  Parts of the first messages of each client are read
 * again for the samples; one that is gone by then is none.
 */
int qt_incident_add(struct qt_incident *x, const struct qt_db *db,
    const struct qt_stmt *st, struct qt_error *err) QT_MUST_CHECK;
/* After the last: the counts, but for files. */
void qt_incident_count(const struct qt_incident *x,
    struct qt_incident_counts *n);

/* One file of the report, bytes and all; not 0: no more. */
typedef int qt_incident_put(void *ctx, const char *name, const void *bytes,
    size_t len, struct qt_error *err);
/* All files, README.txt last; names are of [A-Za-z0-9._-], and net/. */
int qt_incident_write(struct qt_incident *x, qt_incident_put *put, void *ctx,
    struct qt_incident_counts *n, struct qt_error *err) QT_MUST_CHECK;

#endif
