/*
 * incident_paper.c - the paper about an incident for the own house: the short
 * answer first, then what it rests on, then what cannot be told from a queue.
 *
 * It names logins, senders and subjects, as who reads it has to deal with them
 * (they may have a recipient's name in them); else of recipients it has domains
 * and numbers alone.  The tallies come sorted
 * (qt_incident_write()).
 */
#include "evidence/incident_paper.h"

#include <stdio.h>

#define TOP 3 /* accounts that the short answer names */

/* ---- forms ---- */

/* "2026-11-26 04:22:11 UTC" */
static const char *utc(int64_t seconds, char out[40])
{
	char t[32];

	qt_incident_time(seconds, t);
	(void)snprintf(out, 40, "%s%s", t, seconds != 0 ? " UTC" : "");
	return out;
}

static void row_number(struct qt_paper *p, const char *label, uint64_t n)
{
	char s[32];

	qt_paper_row(p, label, qt_incident_number(n, s));
}

const char *qt_incident_count_of(uint64_t n, const char *one, const char *many,
    char out[64])
{
	char s[32];

	(void)snprintf(out, 64, "%s %s", qt_incident_number(n, s),
	    n == 1 ? one : many);
	return out;
}

uint64_t qt_incident_named(const struct qt_tally *t)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < t->n; i++)
		n += t->v[i]->len != 0;
	return n;
}

static const char *messages(uint64_t n, char out[64])
{
	return qt_incident_count_of(n, "message", "messages", out);
}

static const char *recipients(uint64_t n, char out[64])
{
	return qt_incident_count_of(n, "recipient", "recipients", out);
}

/* ---- head ---- */

static void row_if(struct qt_paper *p, const char *label, const char *text)
{
	if (text != NULL && text[0] != '\0')
		qt_paper_row(p, label, text);
}

static void about(struct qt_paper *p, const struct qt_incident *x)
{
	const struct qt_incident_opts *o = &x->opts;
	char t[40];

	qt_paper_text(p, "For your own house. It names accounts, addresses "
	    "that mail came from, and senders: think of that before you hand it on.");
	row_if(p, "Case", o->case_id);
	row_if(p, "Organization", o->organization);
	row_if(p, "Contact", x->from);
	if (qt_incident_is_host(o->host)) /* not a directory */
		qt_paper_row(p, "Mail server", o->host);
	qt_paper_row(p, "Made", utc(x->now, t));
	row_if(p, "Read from", o->source);
	row_if(p, "Command", o->command);
	qt_paper_row(p, "Program", "qtool " QTOOL_VERSION);
}

/* ---- the short answer ---- */

static void sent(struct qt_paper *p, const char *label,
    const struct qt_counted *e)
{
	char m[64], r[64];

	qt_paper_rowf(p, label, "%s%s%s to %s", e->key,
	    e->len != 0 ? ": " : "", messages(e->messages, m),
	    recipients(e->recipients, r));
}

static void who(struct qt_paper *p, const struct qt_incident *x)
{
	const struct qt_tally *t = &x->accounts;
	const struct qt_counted *none = qt_tally_find(t, "", 0);
	char label[40], n[64];
	size_t i, shown = 0;

	for (i = 0; i < t->n && shown < TOP; i++) {
		if (t->v[i] == none)
			continue;
		(void)snprintf(label, sizeof(label), "Account %zu", ++shown);
		sent(p, qt_incident_named(t) == 1 ? "Account" : label, t->v[i]);
	}
	if (shown == 0)
		qt_paper_row(p, "Account", "none: nothing came with a login");
	else if (qt_incident_named(t) > shown)
		qt_paper_rowf(p, "Other accounts", "%s (see below)",
		    qt_incident_number(qt_incident_named(t) - shown, n));
	if (shown != 0 && none != NULL)
		sent(p, "Without a login", none);
}

static void from_where(struct qt_paper *p, const struct qt_incident *x)
{
	const struct qt_tally *t = &x->clients;
	const uint64_t all = qt_incident_named(t);
	uint64_t foreign = 0;
	char n[64], f[32];
	size_t i;

	for (i = 0; i < t->n; i++)
		foreign += t->v[i]->len != 0 && qt_client_of(t->v[i])->foreign;
	if (all == 0) {
		qt_paper_row(p, "Came from", "no client address is known");
		return;
	}
	(void)qt_incident_count_of(all, "client address", "client addresses", n);
	if (foreign == all)
		qt_paper_row(p, "Came from", n);
	else
		qt_paper_rowf(p, "Came from", "%s, %s of them outside the own "
		    "network", n, qt_incident_number(foreign, f));
}

static void how_far(struct qt_paper *p, const struct qt_incident *x)
{
	const struct qt_still s = qt_incident_still(x);
	char n[64];

	qt_paper_rowf(p, "Done with", "%s: Postfix has delivered the mail to "
	    "them or given it back to its sender. Which of the two is not "
	    "known here; the mail log tells it.",
	    recipients(x->all.done, n));
	qt_paper_rowf(p, "Still to do", "%s%s",
	    recipients(x->all.todo, n),
	    x->all.todo != 0 ? ", of these:" : "");
	if (s.taken != 0)
		qt_paper_rowf(p, "Prevented", "%s of messages that were taken "
		    "out of the queue: they get nothing unless that is undone",
		    recipients(s.taken, n));
	if (s.held != 0)
		qt_paper_rowf(p, "On hold", "%s: they get nothing unless the "
		    "messages are released",
		    recipients(s.held, n));
	if (s.corrupt != 0)
		qt_paper_rowf(p, "Set aside", "%s of messages that Postfix "
		    "found damaged and does not deliver",
		    recipients(s.corrupt, n));
	if (s.archived != 0)
		qt_paper_rowf(p, "Archived", "%s: what has become of them since "
		    "is not known here", recipients(s.archived, n));
	if (s.waiting != 0)
		qt_paper_rowf(p, "Waiting", "%s: Postfix delivers to them as "
		    "soon as it can unless somebody keeps it from that",
		    recipients(s.waiting, n));
}

static void in_short(struct qt_paper *p, const struct qt_incident *x)
{
	char t[40];

	qt_paper_heading(p, 2, "In short");
	if (x->all.messages == 0) {
		qt_paper_text(p, "There was no such message in what was read.");
		return;
	}
	row_number(p, "Messages", x->all.messages);
	row_number(p, "Recipients", x->all.recipients);
	who(p, x);
	from_where(p, x);
	qt_paper_rowf(p, "First message", "%s, by its arrival",
	    utc(x->all.first, t));
	qt_paper_rowf(p, "Last message", "%s, by its arrival",
	    utc(x->all.last, t));
	how_far(p, x);
}

/* ---- what was done ---- */

static void told(struct qt_paper *p, const char *heading, const char *text,
    const char *wanted)
{
	qt_paper_heading(p, 3, heading);
	if (text != NULL && text[0] != '\0')
		qt_paper_text(p, text);
	else
		qt_paper_missing(p, wanted);
}

static void what_was_done(struct qt_paper *p, const struct qt_incident *x)
{
	qt_paper_heading(p, 2, "What was done");
	qt_incident_history(p, x);
	told(p, "Stopped", x->opts.stopped, "when the account was shut out, "
	    "and how: password, open sessions, caches of passwords");
	told(p, "Cause", x->opts.cause, "how others came to the password");
	told(p, "Prevention", x->opts.prevention, "what keeps it from "
	    "happening again");
}

/* ---- whom it touched ---- */

static void persons(struct qt_paper *p, const struct qt_incident *x)
{
	qt_paper_heading(p, 2, "Affected persons");
	row_number(p, "Different recipients", x->people.n);
	row_number(p, "Of them done with", x->reached.n);
	row_number(p, "Only to do", x->people.n - x->reached.n);
	row_number(p, "Accounts used", qt_incident_named(&x->accounts));
	qt_paper_text(p, "A person is an address here, upper and lower case "
	    "alike: who has two is counted twice. \"Done with\" is whoever "
	    "Postfix has delivered at least one of these messages to, or has "
	    "given one back for. Whether others have read mail, address books "
	    "or files of the accounts cannot be seen here: the logs of IMAP, "
	    "POP and webmail tell.");
}

/* ---- limits ---- */

static void limits(struct qt_paper *p)
{
	char max[32];

	qt_paper_heading(p, 2, "What this cannot tell");
	qt_paper_row(p, "Delivered whole", "A message that has been delivered "
	    "to all of its recipients has left the queue and is in no number "
	    "here. Only the mail log has it: the real extent can be much larger.");
	qt_paper_row(p, "Done", "Postfix marks a recipient as done both when "
	    "the mail was delivered and when it was given back as "
	    "undeliverable. The queue does not tell the two apart; the mail log does.");
	qt_paper_row(p, "To do", "Recipients that were open when this was "
	    "made. What waits in the queue can have been delivered since.");
	qt_paper_row(p, "Honest mail", "Everything that was selected is "
	    "counted: mail of the account's owner can be among it.");
	qt_paper_row(p, "Times", "Times are those at which this server took "
	    "the mail, by its own clock.");
	qt_paper_rowf(p, "Very many", "Of each kind up to %s different ones "
	    "are told apart; where there were more, it is said below the table.",
	    qt_incident_number(QT_TALLY_MAX, max));
}

int qt_incident_paper(struct qt_incident *x, bool html, struct qt_buf *b,
    struct qt_error *err)
{
	const char *title = x->opts.title;
	struct qt_paper p;

	if (title == NULL || title[0] == '\0')
		title = "Report on an incident with mail";
	qt_paper_begin(&p, b, html, title);
	about(&p, x);
	in_short(&p, x);
	qt_incident_tables(&p, x);
	what_was_done(&p, x);
	persons(&p, x);
	limits(&p);
	return qt_paper_end(&p, err);
}
