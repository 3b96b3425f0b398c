/*
 * incident_texts.c - texts for people outside: the owner of an account, those
 * who block us; and README.txt, which says what to do with all of them.
 *
 * Plain text below 80 columns, to be read through and completed by who sends it:
 * what qtool cannot know stands in [square brackets].
 */
#include "evidence/incident.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "evidence/bag.h"
#include "qtool/escape.h"

#define WIDTH 72
#define ADDRESSES 40 /* of an account that are listed */

/* ---- forms ---- */

/* A backslash stays one: DOMAIN\tom is a login. */
static void safe(struct qt_buf *b, const char *s)
{
	qt_escape_cell(b, s, strlen(s));
}

/* Words in lines; what is one word stays one. */
static void paragraph(struct qt_buf *b, const char *s)
{
	size_t column = 0, n;

	while (*(s += strspn(s, " ")) != '\0') {
		n = strcspn(s, " ");
		if (column != 0 && column + 1 + n > WIDTH) {
			qt_buf_addc(b, '\n');
			column = 0;
		}
		if (column != 0) {
			qt_buf_addc(b, ' ');
			column++;
		}
		qt_buf_add(b, s, n);
		column += n;
		s += n;
	}
	qt_buf_adds(b, "\n\n");
}

static void paragraphf(struct qt_buf *b, const char *fmt, ...) QT_PRINTF(2, 3);
static void paragraphf(struct qt_buf *b, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		b->failed = true;
	else
		paragraph(b, s);
	if (n >= 0)
		free(s);
}

static void heading(struct qt_buf *b, const char *s)
{
	size_t i, n = strlen(s);

	qt_buf_addf(b, "%s\n", s);
	for (i = 0; i < n; i++)
		qt_buf_addc(b, '-');
	qt_buf_adds(b, "\n\n");
}

/* "label    value", or what is to be filled in. */
static void row(struct qt_buf *b, const char *label, const char *value,
    const char *missing)
{
	qt_buf_addf(b, "  %-22s ", label);
	if (value != NULL)
		safe(b, value);
	else
		qt_buf_addf(b, "[%s]", missing);
	qt_buf_addc(b, '\n');
}

static void row_time(struct qt_buf *b, const char *label, int64_t seconds)
{
	char t[32], s[40];

	qt_incident_time(seconds, t);
	(void)snprintf(s, sizeof(s), "%s%s", t, seconds != 0 ? " UTC" : "");
	row(b, label, s, "");
}

static void row_number(struct qt_buf *b, const char *label, uint64_t n)
{
	char s[32];

	row(b, label, qt_incident_number(n, s), "");
}

static void who_writes(struct qt_buf *b, const struct qt_incident *x)
{
	if (x->opts.organization != NULL) {
		safe(b, x->opts.organization);
		qt_buf_addc(b, '\n');
	}
	safe(b, x->from);
	qt_buf_addc(b, '\n');
	if (x->opts.case_id != NULL) {
		qt_buf_adds(b, "Case ");
		safe(b, x->opts.case_id);
		qt_buf_addc(b, '\n');
	}
}

/* ---- what was done ---- */

static uint64_t messages_in(const struct qt_incident *x, const char *queue)
{
	const struct qt_counted *e = qt_tally_find(&x->places, queue,
	    strlen(queue));

	return e != NULL ? e->messages : 0;
}

/* The messages that transactions hold. */
static uint64_t taken_out(const struct qt_incident *x)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < x->places.n; i++)
		if (qt_incident_transaction(x->places.v[i]))
			n += x->places.v[i]->messages;
	return n;
}

/* messages: of whom it is told; of one account among several it is known only
 * where all of the incident went the same way. */
static void what_was_done(struct qt_buf *b, const struct qt_incident *x,
    uint64_t messages)
{
	const uint64_t all_of_it = x->all.messages;
	const bool some = messages != all_of_it;
	uint64_t out = taken_out(x), held = messages_in(x, "hold");
	char n[32], all[32];

	if (some) {
		out = out == all_of_it ? messages : 0;
		held = held == all_of_it ? messages : 0;
	}
	if (out != 0)
		paragraphf(b, "%s of the %s messages were taken out of the queue "
		    "before they were delivered to all of their recipients.",
		    qt_incident_number(out, n),
		    qt_incident_number(messages, all));
	if (held != 0)
		paragraphf(b, "%s %s on hold and not delivered.",
		    qt_incident_number(held, n),
		    held == 1 ? "message is" : "messages are");
	if (out + held < messages)
		paragraph(b, out + held == 0 ?
		    "[what was done with the messages]" :
		    "[what was done with the other messages]");
}

/* What of those to do is prevented: nobody may read that of mail which is still
 * on its way. */
static void rows_to_do(struct qt_buf *b, const struct qt_incident *x,
    uint64_t todo)
{
	const struct qt_still s = qt_incident_still(x);

	if (s.waiting == 0 && s.archived == 0) {
		row_number(b, "of these prevented", todo);
		return;
	}
	row_number(b, "not done with", todo);
	if (s.waiting == 0)
		row(b, "of these prevented", NULL, "what became of them");
	else if (todo == x->all.todo)
		row_number(b, "of these prevented", s.taken + s.held + s.corrupt);
}

/* ---- account-owner.txt ---- */

/* Entries ACCOUNT NUL CLIENT of an account, in their order. */
static const char *client_in(const struct qt_counted *pair,
    const struct qt_counted *account)
{
	return pair->len > account->len && pair->key[account->len] == '\0' &&
		memcmp(pair->key, account->key, account->len) == 0 ?
	    pair->key + account->len + 1 : NULL;
}

static void addresses(struct qt_buf *b, const struct qt_incident *x,
    const struct qt_counted *account)
{
	const struct qt_tally *t = &x->account_clients;
	char first[32], last[32], n[32];
	size_t i, shown = 0, left = 0;
	const char *client;

	qt_buf_addf(b, "  %-19s  %-19s  %9s  %s\n", "first (UTC)", "last (UTC)",
	    "messages", "address");
	for (i = 0; i < t->n; i++) {
		client = client_in(t->v[i], account);
		if (client == NULL || *client == '\0')
			continue;
		if (shown == ADDRESSES) {
			left++;
			continue;
		}
		qt_incident_time(t->v[i]->first, first);
		qt_incident_time(t->v[i]->last, last);
		qt_buf_addf(b, "  %-19s  %-19s  %9s  ", first, last,
		    qt_incident_number(t->v[i]->messages, n));
		safe(b, client);
		qt_buf_addc(b, '\n');
		shown++;
	}
	if (left != 0)
		qt_buf_addf(b, "  and %s more\n", qt_incident_number(left, n));
	qt_buf_addc(b, '\n');
}

static void owner_happened(struct qt_buf *b, const struct qt_incident *x,
    const struct qt_counted *account)
{
	heading(b, "What happened");
	paragraph(b, "Somebody who knows the password of this account has logged "
	    "in with it and has sent mail in its name:");
	row(b, "account", account->key, "");
	row_time(b, "first message", account->first);
	row_time(b, "last message", account->last);
	row_number(b, "messages", account->messages);
	row_number(b, "recipients", account->recipients);
	row_number(b, "of these done with", account->done);
	rows_to_do(b, x, account->todo);
	row(b, "stopped", x->opts.stopped, "when the account was shut out");
	qt_buf_addc(b, '\n');
	paragraph(b, "\"Done with\" are recipients that the mail was delivered "
	    "to, or that it was given back for. Messages that had been delivered "
	    "whole before this was written are not in these numbers. Your own "
	    "mail of that time may be among them.");
	paragraph(b, "The logins came from these addresses. Please tell us which "
	    "of them are yours:");
	addresses(b, x, account);
}

static void owner_to_do(struct qt_buf *b)
{
	heading(b, "What you should do now");
	qt_buf_adds(b,
	    "1. Look for malware on every device that this account is set up\n"
	    "   on, before the next step: a new password typed there is lost\n"
	    "   as well.\n"
	    "2. Choose a new password that you use nowhere else.  Application\n"
	    "   passwords of the account are to be made anew, too.\n"
	    "3. Change it wherever you used the old one: whoever has it tries\n"
	    "   it elsewhere.\n"
	    "4. Look through the settings of the mailbox for what you did not\n"
	    "   make: filters, forwarding, delegates, an answer while away,\n"
	    "   another name or reply address.\n"
	    "5. Think of what lies in the mailbox: whoever sent this mail could\n"
	    "   read it, and could ask other services for new passwords by it.\n"
	    "6. Tell us whether you typed the password into a page or a mail\n"
	    "   that asked for it, and keep that mail.\n\n"
	    "Do not answer to people who complain with more than this: the mail\n"
	    "was not yours, the account is shut, it has been reported.\n\n");
}

int qt_incident_owner(struct qt_incident *x, const struct qt_counted *account,
    struct qt_buf *b, struct qt_error *err)
{
	qt_buf_adds(b, "Your mail account was used by somebody else\n"
	    "===========================================\n\n");
	owner_happened(b, x, account);
	heading(b, "What we did");
	what_was_done(b, x, account->messages);
	if (x->opts.cause != NULL) {
		qt_buf_adds(b, "Cause: ");
		safe(b, x->opts.cause);
		qt_buf_adds(b, "\n\n");
	}
	owner_to_do(b);
	who_writes(b, x);
	return qt_buf_check(b, err);
}

/* ---- delist.txt ---- */

static uint64_t logins(const struct qt_incident *x)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < x->clients.n; i++)
		n += qt_client_of(x->clients.v[i])->logins;
	return n;
}

static uint64_t accounts(const struct qt_incident *x)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < x->accounts.n; i++)
		n += x->accounts.v[i]->len != 0;
	return n;
}

static void delist_cause(struct qt_buf *b, const struct qt_incident *x)
{
	const uint64_t n = accounts(x);

	heading(b, "Cause");
	if (n != 0 && logins(x) == x->all.messages)
		paragraphf(b, "The password of %s of ours was in the hands of "
		    "others, who sent through it by SMTP AUTH.",
		    n == 1 ? "one account" : "several accounts");
	if (x->opts.cause != NULL) {
		safe(b, x->opts.cause);
		qt_buf_adds(b, "\n\n");
	} else {
		paragraph(b, "[how it came to that: phishing, malware, a password "
		    "used elsewhere, a leak]");
	}
}

int qt_incident_delist(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err)
{
	qt_buf_adds(b, "Unwanted mail from ");
	qt_buf_adds(b, qt_incident_is_host(x->opts.host) ? x->opts.host :
	    x->domain);
	qt_buf_adds(b, ": cause, extent, what was done\n\n");
	delist_cause(b, x);
	heading(b, "Extent");
	row(b, "sending host", qt_incident_is_host(x->opts.host) ? x->opts.host :
		NULL, "name");
	row(b, "its addresses", NULL, "the addresses that are listed");
	row_time(b, "first message", x->all.first);
	row_time(b, "last message", x->all.last);
	row(b, "stopped", x->opts.stopped, "when the account was shut out");
	row_number(b, "accounts", accounts(x));
	row_number(b, "messages seen", x->all.messages);
	row_number(b, "recipients", x->all.recipients);
	row_number(b, "of these done with", x->all.done);
	rows_to_do(b, x, x->all.todo);
	qt_buf_addc(b, '\n');
	paragraph(b, "Messages that had been delivered whole are not in these "
	    "numbers: they are no longer in the queue.");
	heading(b, "What was done");
	what_was_done(b, x, x->all.messages);
	heading(b, "That it does not come again");
	if (x->opts.prevention != NULL) {
		safe(b, x->opts.prevention);
		qt_buf_adds(b, "\n\n");
	} else {
		paragraph(b, "[the password changed, sessions ended, a limit on "
		    "how much one account can send, a second factor]");
	}
	who_writes(b, x);
	return qt_buf_check(b, err);
}

/* ---- README.txt ---- */

static void readme_files(struct qt_buf *b, const struct qt_incident *x)
{
	char n[32];

	qt_buf_adds(b,
	    "  incident.html       for your own house: print it, or hand it on\n"
	    "  incident.md         the same as text\n"
	    "  summary.json        the same numbers for programs\n"
	    "  gdpr-facts.json     for who answers for data protection\n");
	if (accounts(x) != 0)
		qt_buf_adds(b,
		    "  account-owner*.txt  for the owner of each account\n");
	qt_buf_adds(b,
	    "  delist.txt          for those who block you\n"
	    "  ioc.csv             the addresses it came from, for a firewall or\n"
	    "                      an incident team\n");
	if (x->networks != 0)
		qt_buf_addf(b,
		    "  net/*.eml           for the networks it came from: %s %s\n"
		    "                      in ARF (RFC 5965), to be opened, read and\n"
		    "                      sent by a mail program\n"
		    "  net/*.xarf.json     the same as XARF 4, an object an address,\n"
		    "                      for those who take that\n",
		    qt_incident_number(x->networks, n),
		    x->networks == 1 ? "mail" : "mails");
	if (x->own_key)
		qt_buf_adds(b,
		    "  redact.key          whose names the tokens are: keep it,\n"
		    "                      and never send it\n");
	qt_buf_addc(b, '\n');
}

static void readme_names(struct qt_buf *b, const struct qt_incident *x)
{
	heading(b, "Names");
	if (x->opts.redact == QT_REDACT_NONE) {
		paragraph(b, "Nothing was taken out: recipients stand in net/ with "
		    "their names. Think of that before you send it.");
		return;
	}
	paragraph(b, "In what is for networks (net/), names of recipients are tokens "
	    "like r-4h2k...@domain, and the login is one like u-4h2k... (RFC "
	    "6590): the same name is the same token in all files that the key in "
	    "redact.key was used for, so a question about one can be answered. "
	    "Subjects and senders are as they were, unless the report was made "
	    "with --redact full.");
}

int qt_incident_readme(struct qt_incident *x, struct qt_buf *b,
    struct qt_error *err)
{
	char utc[32];

	qt_utc(x->now, utc);
	qt_buf_adds(b, "Report on an incident with mail\n"
	    "===============================\n\n");
	row(b, "made", utc, "");
	row(b, "of", x->opts.source, "unknown");
	row(b, "case", x->opts.case_id, "no number was given");
	row(b, "by", "qtool " QTOOL_VERSION, "");
	qt_buf_adds(b, "\n  ");
	safe(b, x->opts.command != NULL ? x->opts.command : "");
	qt_buf_adds(b, "\n\n");
	paragraph(b, "Nothing was sent. Each file is for somebody; read it, fill "
	    "in what stands in [square brackets], and send it yourself.");
	readme_files(b, x);
	readme_names(b, x);
	heading(b, "Who answers for an address");
	paragraph(b, "The mails in net/ that have no To: are for the abuse contact "
	    "of that network. Ask the registries, by RDAP or by DNS:");
	qt_buf_adds(b,
	    "  curl -sL https://rdap.org/ip/ADDRESS | jq -r '[.. | objects |\n"
	    "    select(.roles? | index(\"abuse\")?) | .vcardArray[1][] |\n"
	    "    select(.[0] == \"email\")[3]] | unique[]'\n"
	    "  dig +short TXT $(REVERSED ADDRESS).abuse-contacts.abusix.zone\n\n");
	paragraph(b, "Put what you find into a file of lines \"network TAB address "
	    "TAB AS number\" and make the report again with --contacts FILE: then "
	    "there is one mail for each of them, however many addresses they "
	    "have. Some registries answer with a placeholder; abuse@ of the "
	    "network's domain (RFC 2142) is the last resort.");
	heading(b, "What is taken for granted");
	paragraph(b, "That all mail which was selected belongs to the incident. If "
	    "honest mail of the account is among it, its addresses are in net/ "
	    "and its headers may be shown there: read each file before it leaves, "
	    "or select more narrowly.");
	heading(b, "What the numbers are");
	paragraph(b, "They are of the messages that were in the queue, or in what "
	    "qtool keeps of it, when this was made. What was delivered whole "
	    "before that is in the mail log alone.");
	return qt_buf_check(b, err);
}
