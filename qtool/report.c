/*
 * report.c - qtool report: what those have to know whom an incident concerns,
 * in a directory of files.
 *
 * One pass over the selection, in the queue and in what its transactions keep,
 * as the mail of an account that was shut out is mostly there by then.  The files
 * are src/evidence/incident_*.c's; newdir.c puts them where they were asked for,
 * all or none.
 */
#include "reporting.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "changing.h"
#include "qtool/escape.h"
#include "transaction.h"

enum { OPT_OUTPUT = OPT_OWN, OPT_CASE, OPT_TITLE, OPT_ORGANIZATION, OPT_CONTACT,
	OPT_STOPPED, OPT_CAUSE, OPT_PREVENTION, OPT_CONTACTS, OPT_REDACT,
	OPT_REDACT_KEY, OPT_WHOLE, OPT_REPORT };

/* ---- options ---- */

/* Where a line of text goes; NULL: the option is none. */
static const char **text_of(struct reporting *own, int id)
{
	switch (id) {
	case OPT_CASE:
		return &own->case_id;
	case OPT_TITLE:
		return &own->title;
	case OPT_ORGANIZATION:
		return &own->organization;
	case OPT_CONTACT:
		return &own->contact;
	case OPT_STOPPED:
		return &own->stopped;
	case OPT_CAUSE:
		return &own->cause;
	case OPT_PREVENTION:
		return &own->prevention;
	case OPT_OUTPUT:
		return &own->dir;
	case OPT_CONTACTS:
		return &own->contacts;
	case OPT_REDACT_KEY:
		return &own->redact_key;
	default:
		return NULL;
	}
}

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct reporting *own = own_options(ctx, sizeof(*own), err);
	const char **to;

	if (own == NULL)
		return -1;
	to = text_of(own, opt->id);
	if (to != NULL && *value == '\0')
		return qt_fail(err, QT_E_USAGE, "", "nothing is in it");
	if (to != NULL)
		*to = value;
	else if (opt->id == OPT_WHOLE)
		own->whole = true;
	else if (opt->id == OPT_REPORT)
		own->json = true;
	else if (!qt_redact_by_name(value, &own->redact))
		return qt_fail(err, QT_E_USAGE, "",
		    "none, recipients or full");
	else
		own->redact_set = true;
	return 0;
}

static int check(const struct ctx *c, struct reporting *own,
    struct qt_error *err)
{
	if (!own->redact_set) /* who hands it on has not thought of it yet */
		own->redact = QT_REDACT_RECIPIENTS;
	if (!qt_select_any(c->sel))
		return qt_fail(err, QT_E_USAGE, "report",
		    "no selection; all mail is --all");
	if (own->dir == NULL && !c->explain)
		return qt_fail(err, QT_E_USAGE, "report",
		    "where to? -o DIRECTORY is missing");
	if (c->nsnaps != 0)
		return qt_fail(err, QT_E_USAGE, "report",
		    "a snapshot (-D) has tables, and no messages to show to "
		    "others: take the queue, or an archive (-A)");
	if (own->redact == QT_REDACT_NONE && own->redact_key != NULL)
		return qt_fail(err, QT_E_USAGE, "--redact-key",
		    "nothing is redacted with --redact none");
	if (own->redact == QT_REDACT_FULL && own->whole)
		return qt_fail(err, QT_E_USAGE, "--whole",
		    "--redact full leaves headers alone");
	return 0;
}

/*
 * What is wrong with the options is said before anything is made; and what is
 * read here is read by who was started.
 */
int report_prepare(struct ctx *c, struct qt_error *err)
{
	struct reporting *own = own_options(c, sizeof(*own), err);

	if (own == NULL)
		return -1;
	qt_buf_init(&own->text, 0);
	own->queues = c->spools.n;
	if (check(c, own, err) != 0)
		return -1;
	if (transaction_add_all(c, &own->history, err) != 0)
		return -1;
	if (own->contacts != NULL && read_named(&own->text, own->contacts, err) != 0)
		return -1;
	if (c->explain)
		return 0;
	return newdir_start(&c->roles.newdir, own->dir, "net", err);
}

/* ---- what is told of where it is from ---- */

static void source(const struct ctx *c, const struct reporting *own,
    struct qt_buf *b)
{
	const struct qt_spool *s;
	size_t i;

	for (i = 0; i < own->queues && i < c->spools.n; i++) {
		s = c->spools.v[i];
		qt_buf_addf(b, "%s%s", i != 0 ? "; " : "",
		    s->packed != NULL ? "archive " : "queue ");
		qt_escape_cell(b, s->queue_dir, strlen(s->queue_dir));
		if (strcmp(s->host, s->queue_dir) != 0) {
			qt_buf_adds(b, " of ");
			qt_escape_cell(b, s->host, strlen(s->host));
		}
	}
	if (c->transaction != 0)
		qt_buf_addf(b, ", what transaction %" PRIu64 " keeps",
		    c->transaction);
	else if (c->spools.n > own->queues)
		qt_buf_adds(b, ", and what its transactions keep");
}

/* ---- what is said of it ---- */

static void print_json(const char *dir, const struct qt_incident_counts *n)
{
	struct qt_buf b;

	qt_buf_init(&b, 0);
	qt_buf_adds(&b, "{\"report\": ");
	qt_json_string(&b, dir);
	qt_buf_addf(&b, ", \"messages\": %" PRIu64 ", \"recipients\": %" PRIu64
	    ", \"recipients_to_do\": %" PRIu64 ", \"accounts\": %" PRIu64
	    ", \"clients\": %" PRIu64 ", \"own_clients\": %" PRIu64
	    ", \"networks\": %" PRIu64 ", \"files\": %" PRIu64 "}",
	    n->messages, n->recipients, n->todo, n->accounts, n->clients,
	    n->own, n->networks, n->files);
	(void)printf("%s\n", qt_buf_str(&b));
	qt_buf_release(&b);
}

static const char *plural(uint64_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

static void print(const struct ctx *c, const char *dir,
    const struct qt_incident_counts *n)
{
	char messages[32], rcpts[32], accounts[32], clients[32], nets[32];
	struct qt_buf shown;

	qt_buf_init(&shown, 0);
	qt_escape_term(&shown, dir, strlen(dir));
	(void)printf("%s: %s %s to %s %s, %s %s, %s client %s\n",
	    qt_buf_str(&shown), human_count(n->messages, messages),
	    plural(n->messages, "message", "messages"),
	    human_count(n->recipients, rcpts),
	    plural(n->recipients, "recipient", "recipients"),
	    human_count(n->accounts, accounts),
	    plural(n->accounts, "account", "accounts"),
	    human_count(n->clients, clients),
	    plural(n->clients, "address", "addresses"));
	(void)printf("  incident.html        for your own house\n");
	if (n->accounts != 0)
		(void)printf("  account-owner.txt    for the owner of the "
		    "account\n");
	(void)printf("  delist.txt           for those who block you\n");
	if (n->networks != 0)
		(void)printf("  net/*.eml            %s %s to networks, to be "
		    "sent by you\n", human_count(n->networks, nets),
		    plural(n->networks, "mail", "mails"));
	if (n->own != 0)
		(void)printf("%s of these addresses %s no network that could be "
		    "written to\n", human_count(n->own, nets),
		    plural(n->own, "is of", "are of"));
	if (!c->quiet)
		(void)printf("nothing was sent; README.txt in it says what to do\n");
	qt_buf_release(&shown);
}

/* ---- the command ---- */

static int add_all(struct ctx *c, struct qt_incident *x, struct qt_error *err)
{
	struct qt_stmt *st = NULL;
	uint64_t n = 0;
	int r;

	if (open_messages(c, qt_incident_columns, "", &st, err) != 0)
		return -1;
	while ((r = qt_stmt_step(st, err)) == 0) {
		if (qt_incident_add(x, c->db, st, err) != 0) {
			r = -1;
			break;
		}
		progress(c, "messages counted", ++n, 0);
	}
	qt_stmt_close(st);
	progress_end(c);
	return r < 0 ? -1 : 0;
}

static int put(void *ctx, const char *name, const void *bytes, size_t len,
    struct qt_error *err)
{
	struct ctx *c = ctx;

	if (interrupted(c))
		return qt_fail(err, QT_E_INTERRUPTED, "", "interrupted");
	return newdir_put(&c->roles.newdir, name, bytes, len, err);
}

/* Half a report is none, and an interruption a failure. */
static int give_up(const struct qt_error *err)
{
	if (err->code != QT_E_INTERRUPTED)
		return complain(err);
	remark("no report was made: interrupted");
	return EXIT_FAILED;
}

static int write_all(struct ctx *c, const struct reporting *own,
    struct qt_incident *x)
{
	struct qt_incident_counts n;
	struct qt_error err = {0};

	qt_incident_count(x, &n);
	if (n.messages == 0) {
		if (!interrupted(c))
			remark("no report was made: no message matches");
		return finish_scan(c, EXIT_NOTHING);
	}
	if (qt_incident_write(x, put, c, &n, &err) != 0 ||
	    newdir_finish(&c->roles.newdir, &err) != 0)
		return give_up(&err);
	if (own->json)
		print_json(own->dir, &n);
	else
		print(c, own->dir, &n);
	return finish_scan(c, EXIT_DONE);
}

static int report(struct ctx *c, const struct reporting *own)
{
	struct qt_incident_opts opts = {.case_id = own->case_id,
	    .title = own->title, .organization = own->organization,
	    .contact = own->contact, .stopped = own->stopped,
	    .cause = own->cause, .prevention = own->prevention,
	    .host = c->spools.v[0]->host,
	    .contacts = own->contacts != NULL ? qt_buf_str(&own->text) : NULL,
	    .contacts_name = own->contacts, .redact = own->redact,
	    .redact_key = own->redact_key, .whole = own->whole,
	    .history = own->queues == 1 && c->spools.v[0]->packed == NULL ?
		&own->history : NULL,
	    .stop = c->stop};
	struct qt_buf from, typed;
	struct qt_incident *x = NULL;
	struct qt_error err = {0};
	int status;

	qt_buf_init(&from, 0);
	qt_buf_init(&typed, 0);
	source(c, own, &from);
	command_line(c, &typed);
	opts.source = qt_buf_str(&from);
	opts.command = qt_buf_str(&typed);
	if (qt_buf_check(&from, &err) != 0 || qt_buf_check(&typed, &err) != 0 ||
	    qt_incident_new(&x, &opts, &err) != 0 || add_all(c, x, &err) != 0)
		status = give_up(&err);
	else
		status = write_all(c, own, x);
	qt_incident_free(x);
	qt_buf_release(&from);
	qt_buf_release(&typed);
	return status;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	struct reporting *own = own_options(c, sizeof(*own), &err);
	int status;

	(void)argc, (void)argv; /* IDs: in the selection already */
	if (own == NULL)
		return complain(&err);
	status = c->explain ? explain_messages(c, qt_incident_columns, "") :
			      report(c, own);
	qt_buf_release(&own->text);
	qt_tx_list_release(&own->history);
	return status;
}

static const struct qt_option own_table[] = {
    {"output", 'o', "DIRECTORY", OPT_OUTPUT,
	"the new directory for its files"},
    {"case", 0, "ID", OPT_CASE, "your number for the incident"},
    {"title", 0, "TEXT", OPT_TITLE, "what it is about"},
    {"organization", 0, "TEXT", OPT_ORGANIZATION, "who reports"},
    {"contact", 0, "TEXT", OPT_CONTACT,
	"who answers for it: \"Name <address>\""},
    {"contacts", 0, "FILE", OPT_CONTACTS,
	"who answers for networks: lines of a network, a tab, an address"},
    {"stopped", 0, "TEXT", OPT_STOPPED,
	"when the account was shut out: \"2026-11-27 03:12 UTC\""},
    {"cause", 0, "TEXT", OPT_CAUSE, "how it came to that"},
    {"prevention", 0, "TEXT", OPT_PREVENTION,
	"what is done so that it does not come again"},
    {"whole", 0, NULL, OPT_WHOLE,
	"messages shown to networks with their text: only of what is spam"},
    {"redact", 0, "LEVEL", OPT_REDACT,
	"names taken out of what networks get: recipients (the default), full "
	"or none"},
    {"redact-key", 0, "FILE", OPT_REDACT_KEY,
	"the key of an earlier report or archive"},
    {"json", 0, NULL, OPT_REPORT, "the counts as a JSON object"},
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Report", own_table},
    {"Selection", selection_options},
    {"Output", scan_options},
};

const struct cmd cmd_report = {
    .name = "report",
    .summary = "what to tell whom: networks, account owner, blocklists, your own",
    .operands = "[ID ...]",
    .about =
	"Makes a new directory of files about the mail that the selection\n"
	"matches, in the queue and in what its transactions keep, each for\n"
	"somebody: an incident report for your own house (HTML, text, JSON), one\n"
	"mail to each network that the mail came from (ARF, and XARF for those\n"
	"who take it), a letter to the owner of each account, one to those who\n"
	"block you, the facts that data protection asks for, and the addresses\n"
	"as a table.  Nothing is sent.  Names of recipients are replaced by\n"
	"tokens in what is for networks; redact.key tells whose they are.\n"
	"README.txt says how to go on.  The directory is complete or not there.",
    .examples =
	"  qtool report -o report-17 --sasl joe@victim.example --case 2026-17\n"
	"  qtool report -o report-17 --sasl joe@victim.example --contacts abuse.tsv\n"
	"  qtool -A evidence.tar.zst report -o report-17 --all --redact full",
    .groups = groups,
    .ngroups = 3,
    .needs = NEED_DB | READS_TX | READS_COPIES,
    .operands_are_ids = true,
    .max_operands = -1,
    .option = option,
    .run = run,
};
