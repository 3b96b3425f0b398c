/*
 * archive.c - qtool archive: a selection copied into an evidence tarball, or
 * moved there (archive_move.c).
 *
 * A copy does not change the queue.  Messages come sorted by queue and ID, each with
 * its row of the messages table as JSON (archive_rows.c); src/evidence/ makes
 * the bag.  A message that was delivered since the scan is named
 * and the rest archived (exit 3); anything else that goes wrong leaves no file.
 */
#include "archiving.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "changing.h"
#include "qtool/escape.h"

enum { OPT_OUTPUT = OPT_OWN, OPT_CASE, OPT_TITLE, OPT_ORGANIZATION, OPT_CONTACT,
	OPT_KEEP_UNTIL, OPT_EML, OPT_LOG, OPT_SHOWQ, OPT_REDACT, OPT_REDACT_KEY,
	OPT_SIGN, OPT_SIGN_WITH, OPT_TIMESTAMP, OPT_NO_SQLITE, OPT_SHA512, OPT_REPORT,
	OPT_MOVE, OPT_PURGE, OPT_PURGE_RATE };

/* "2027-06-30" */
static bool is_date(const char *s)
{
	struct tm tm = {.tm_isdst = -1};
	const char *end = strptime(s, "%Y-%m-%d", &tm);

	return end != NULL && *end == '\0' && strlen(s) == 10;
}

/* Words about the case. */
static int case_option(struct archiving *own, int id, const char *value,
    struct qt_error *err)
{
	const char **to = id == OPT_CASE ? &own->case_id :
	    id == OPT_TITLE		 ? &own->title :
	    id == OPT_ORGANIZATION	 ? &own->organization :
	    id == OPT_CONTACT		 ? &own->contact :
	    id == OPT_KEEP_UNTIL	 ? &own->keep_until :
					   NULL;

	if (to == NULL)
		return 1;
	if (*value == '\0')
		return qt_fail(err, QT_E_USAGE, "", "nothing is in it");
	if (id == OPT_KEEP_UNTIL && !is_date(value))
		return qt_fail(err, QT_E_USAGE, "",
		    "not a date like 2027-06-30");
	*to = value;
	return 0;
}

/* What else is in the archive, and beside it. */
static int content_option(struct archiving *own, int id, const char *value,
    struct qt_error *err)
{
	switch (id) {
	case OPT_EML:
		own->eml = true;
		return 0;
	case OPT_LOG:
		if (own->nlogs == ARCHIVE_LOGS)
			return qt_fail(err, QT_E_USAGE, "", "too many files");
		own->logs[own->nlogs++] = value;
		return 0;
	case OPT_SHOWQ:
		own->showq = true;
		return 0;
	case OPT_REDACT:
		if (!qt_redact_by_name(value, &own->redact))
			return qt_fail(err, QT_E_USAGE, "",
			    "none, recipients or full");
		return 0;
	case OPT_REDACT_KEY:
		own->redact_key = value;
		return 0;
	case OPT_SIGN:
		own->sign = value;
		return 0;
	case OPT_SIGN_WITH:
		if (!qt_program_name(value, own->sign_program))
			return qt_fail(err, QT_E_USAGE, "", "its name is that of "
			    "the signature: letters, digits, \"_\" and \"-\"");
		own->sign_with = value;
		return 0;
	case OPT_TIMESTAMP:
		own->timestamp = true;
		return 0;
	case OPT_NO_SQLITE:
		own->no_index = true;
		return 0;
	case OPT_SHA512:
		own->sha512 = true;
		return 0;
	default:
		return case_option(own, id, value, err);
	}
}

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct archiving *own = own_options(ctx, sizeof(*own), err);

	if (own == NULL)
		return -1;
	switch (opt->id) {
	case OPT_OUTPUT:
		own->file = value;
		return 0;
	case OPT_REPORT:
	case OPT_MOVE:
		own->json = own->json || opt->id == OPT_REPORT;
		own->move = own->move || opt->id == OPT_MOVE;
		/* a change answers, also when it cannot begin (answer.h) */
		if (own->json && own->move)
			((struct ctx *)ctx)->format = QT_FMT_JSON;
		return 0;
	case OPT_PURGE:
		own->purge = true;
		return 0;
	case OPT_PURGE_RATE:
		return parse_rate(value, &own->purge_rate, err);
	default:
		return content_option(own, opt->id, value, err);
	}
}

/* ---- adding ---- */

/* An item error is reported by name, and the rest is archived. */
static void left_out(struct archive_pass *p, const struct qt_error *err)
{
	struct qt_buf id;

	qt_buf_init(&id, 0);
	qt_escape_term(&id, p->now->id, strlen(p->now->id));
	progress_end(p->c);
	remark("%s in %s is not archived: %s", qt_buf_str(&id),
	    qt_queue_name(p->now->queue), err->code == QT_E_GONE ?
	    "delivered or removed meanwhile" : err->text);
	qt_buf_release(&id);
}

/* Each message as soon as it is known that it is to be archived. */
static int pick_all(struct ctx *c, struct qt_picks *picks,
    struct qt_error *err)
{
	struct qt_stmt *st = NULL;
	int r;

	if (open_messages(c, archive_keys, "", &st, err) != 0)
		return -1;
	while ((r = qt_stmt_step(st, err)) == 0) {
		if (archive_pick(picks, st, NULL, NULL, err) != 0) {
			r = -1;
			break;
		}
		progress(c, "messages found", qt_picks_count(picks), 0);
	}
	qt_stmt_close(st);
	return r < 0 ? -1 : 0;
}

static int add_all(struct archive_pass *p, struct qt_scan_stats *stats,
    struct qt_error *err)
{
	struct qt_scan_stats found;

	if (qt_picks_new(&p->picks, p->c->spools.v[0], err) != 0 ||
	    pick_all(p->c, p->picks, err) != 0)
		return -1;
	found = *qt_db_stats(p->db);
	qt_db_forget_stats(p->db);
	if (qt_picks_count(p->picks) != 0 && archive_add_picks(p, err) != 0)
		return -1;
	/* what has left meanwhile is told by name; what could not be looked
	 * for was known when they were picked */
	*stats = *qt_db_stats(p->db);
	stats->vanished = found.vanished;
	stats->dirs = found.dirs;
	stats->dir_queues = found.dir_queues;
	stats->bad += found.dirs;
	stats->unreadable += found.dirs;
	stats->interrupted = stats->interrupted || found.interrupted;
	return 0;
}

static void print_json(const char *file, const struct qt_archive_counts *n,
    FILE *out)
{
	struct qt_buf b;

	qt_buf_init(&b, 0);
	archive_report_json(&b, file, n);
	(void)fprintf(out, "%s\n", qt_buf_str(&b));
	qt_buf_release(&b);
}

/* ---- the command ---- */

/* Everything is added: publish it, and say what it is. */
static int finish(const struct archive_pass *p, const struct archiving *own,
    const struct qt_scan_stats *stats, struct qt_error *err)
{
	FILE *out = strcmp(own->file, "-") == 0 ? stderr : stdout;
	uint64_t left = p->seen - p->added;
	struct qt_archive_counts n;
	struct ctx *c = p->c;

	if (p->seen == 0) {
		progress_end(c);
		if (!interrupted(c))
			remark("no archive was made: no message matches");
		return finish_stats(c, stats, EXIT_NOTHING);
	}
	if (p->added == 0) {
		remark("no archive was made: none of the %" PRIu64
		       " messages could be read", p->seen);
		return qt_archive_counts(p->a)->failed != 0 ? EXIT_FAILED :
							      EXIT_NOTHING;
	}
	if (qt_archive_finish(p->a, &n, err) != 0)
		return archive_give_up(err);
	if (own->json)
		print_json(own->file, &n, out);
	else
		archive_report(c, own->file, &n, out);
	if (n.bad_logs != 0)
		remark("%" PRIu64 " %s could not be read", n.bad_logs,
		    n.bad_logs == 1 ? "log" : "logs");
	return finish_stats(c, stats,
	    left != 0 || n.bad_logs != 0 ? EXIT_PARTLY : EXIT_DONE);
}

static int archive(struct ctx *c, struct archiving *own)
{
	struct archive_pass p = {.c = c, .db = c->db, .failed = left_out};
	struct qt_scan_stats stats = {.entries = 0};
	struct qt_error err = {0};
	int status;

	if (archive_open(c, own, &p.a, &err) != 0 ||
	    add_all(&p, &stats, &err) != 0)
		status = archive_give_up(&err);
	else
		status = finish(&p, own, &stats, &err);
	qt_picks_free(p.picks);
	qt_archive_close(p.a);
	return status;
}

/* -n: what would be archived, queue by queue. */
static int dry_run(struct ctx *c)
{
	static const char what[] = "queue_name, count(*), sum(file_size)";
	char count[32], size[16];
	struct qt_error err = {0};
	struct qt_stmt *st = NULL;
	uint64_t rows = 0;
	size_t len;
	int r;

	if (open_messages(c, what, "GROUP BY queue_name ORDER BY queue_name",
		&st, &err) != 0)
		return complain(&err);
	while ((r = qt_stmt_step(st, &err)) == 0) {
		progress_end(c);
		(void)printf("would archive %s from %s, %s\n",
		    human_count((uint64_t)qt_stmt_int(st, 1), count),
		    qt_stmt_text(st, 0, &len),
		    human_bytes(qt_stmt_int(st, 2), size));
		rows++;
	}
	qt_stmt_close(st);
	if (r < 0 && err.code != QT_E_INTERRUPTED)
		return complain(&err);
	return rows != 0 ? finish_scan(c, EXIT_DONE) : finish_nothing(c);
}

/* What only a move can be told; NULL: none of it was said. */
static const char *moving_option(const struct ctx *c,
    const struct archiving *own)
{
	return own->purge	? "--purge" :
	    own->purge_rate != 0 ? "--purge-rate" :
	    c->yes		? "--yes" :
	    c->expect >= 0	? "--expect" :
	    c->max >= 0		? "--max" :
	    c->strict		? "--strict" :
	    c->wait_set		? "--wait" :
	    c->no_wait		? "--no-wait" :
	    c->state_dir != NULL ? "--state-dir" :
				  NULL;
}

static int check_move(const struct ctx *c, const struct archiving *own,
    struct qt_error *err)
{
	const char *option = own->move ? NULL : moving_option(c, own);

	if (option != NULL)
		return qt_fail(err, QT_E_USAGE, option,
		    "goes with --move: a copy does not change the queue");
	if (own->move && own->file != NULL && strcmp(own->file, "-") == 0)
		return qt_fail(err, QT_E_USAGE, "--move",
		    "what went to standard output cannot be read back, so the "
		    "mail would not be safe: name a file");
	if (own->move && c->transaction != 0)
		return qt_fail(err, QT_E_USAGE, "--move",
		    "transaction %" PRIu64 " has taken this mail out of the "
		    "queue already: archive it without --move, then qtool "
		    "purge %" PRIu64, c->transaction, c->transaction);
	return 0;
}

static int check_redaction(const struct archiving *own, struct qt_error *err)
{
	if (own->redact_key != NULL && own->redact == QT_REDACT_NONE)
		return qt_fail(err, QT_E_USAGE, "--redact-key",
		    "goes with --redact");
	if (own->redact == QT_REDACT_NONE)
		return 0;
	if (own->move)
		return qt_fail(err, QT_E_USAGE, "--redact",
		    "what leaves the queue is archived whole: make the redacted "
		    "archive before, or from --transaction after it");
	if (own->nlogs != 0)
		return qt_fail(err, QT_E_USAGE, "--log",
		    "lines are taken as they are, with the names in them: not "
		    "together with --redact");
	return 0;
}

/* It is Postfix's word, so there has to be one; and it names everybody. */
static int check_showq(const struct ctx *c, const struct archiving *own,
    struct qt_error *err)
{
	if (own->showq && own->redact != QT_REDACT_NONE)
		return qt_fail(err, QT_E_USAGE, "--showq",
		    "has names of the whole queue: not together with --redact");
	if (own->showq && !c->spools.v[0]->live)
		return qt_fail(err, QT_E_USAGE, "--showq",
		    "asks Postfix itself: for the queue of an instance (-c), "
		    "not for a directory (-Q) or an archive (-A)");
	return 0;
}

static int check(const struct ctx *c, const struct archiving *own,
    struct qt_error *err)
{
	if (!qt_select_any(c->sel))
		return qt_fail(err, QT_E_USAGE, "archive",
		    "no selection; all mail is --all");
	if (own->file == NULL && !c->dry_run && !c->explain)
		return qt_fail(err, QT_E_USAGE, "archive",
		    "where to? -o FILE.tar.zst is missing");
	if (own->move && any_copy(c))
		return qt_fail(err, QT_E_USAGE, "--move",
		    "an archive (-A) is no queue to move mail out of");
	if (c->nsnaps != 0)
		return qt_fail(err, QT_E_USAGE, "archive",
		    "a snapshot (-D) has tables, and no messages to archive");
	if (c->spools.n != 1)
		return qt_fail(err, QT_E_USAGE, "archive",
		    "takes one queue at a time, not %zu", c->spools.n);
	if (check_redaction(own, err) != 0 || check_showq(c, own, err) != 0)
		return -1;
	return check_move(c, own, err);
}

static void on_showq(void *ctx, uint64_t messages)
{
	progress(ctx, "messages told by postqueue", messages, 0);
}

static int take_showq(struct ctx *c, const struct archiving *own,
    struct qt_error *err)
{
	const struct qt_showq_opts opts = {.file = own->file, .stop = c->stop,
	    .progress = on_showq, .progress_ctx = c};
	int r = qt_showq_take(&c->roles.showq, c->spools.v[0], &opts, err);

	progress_end(c);
	/* a failure here: half an archive is none (archive_give_up) */
	return r != 0 && err->code == QT_E_INTERRUPTED ?
	    qt_fail(err, QT_E_STATE, "", "no archive was made: interrupted") : r;
}

/*
 * Before the roles are taken: what is wrong with the options is said before
 * anything is run.
 */
int archive_prepare(struct ctx *c, struct qt_error *err)
{
	const struct archiving *own = own_options(c, sizeof(*own), err);
	struct roles *r = &c->roles;

	if (own == NULL || check(c, own, err) != 0)
		return -1;
	qt_picks_raise_limit();
	if (c->dry_run || c->explain)
		return 0;
	qt_archive_program(r->program);
	if (own->sign != NULL && signer_start(&r->signer, own->sign, err) != 0)
		return -1;
	if (own->sign_with != NULL &&
	    signer_start_program(&r->sign_with, own->sign_with, err) != 0)
		return -1;
	if (c->spools.v[0]->live)
		qt_archive_postconf(&r->postconf, c->spools.v[0]);
	if (qt_buf_check(&r->postconf, err) != 0)
		return -1;
	return own->showq ? take_showq(c, own, err) : 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	struct archiving *own = own_options(c, sizeof(*own), &err);
	int status;

	(void)argc, (void)argv; /* IDs: in the selection already */
	if (own == NULL)
		return complain(&err);
	/* rows take as much as those before them: given back in between, it
	 * costs a twentieth of the run's CPU (measured) */
	(void)mallopt(M_TRIM_THRESHOLD, 16 << 20);
	(void)mallopt(M_TOP_PAD, 4 << 20);
	if (own->move)
		status = archive_move(c, own);
	else if (c->explain)
		status = explain_messages(c, archive_keys, "");
	else
		status = c->dry_run ? dry_run(c) : archive(c, own);
	free(own->named);
	return status;
}

static const struct qt_option own_table[] = {
    {"output", 'o', "FILE", OPT_OUTPUT,
	"a new FILE.tar.zst, .tar.gz, .tar.xz or .tar, or the directory for "
	"one; - is standard output"},
    {"case", 0, "ID", OPT_CASE, "your number for the incident"},
    {"title", 0, "TEXT", OPT_TITLE, "what it is about"},
    {"organization", 0, "TEXT", OPT_ORGANIZATION, "whose evidence it is"},
    {"contact", 0, "TEXT", OPT_CONTACT, "who answers for it: \"Name <address>\""},
    {"keep-until", 0, "DATE", OPT_KEEP_UNTIL, "when it may be destroyed: 2027-06-30"},
    {"eml", 0, NULL, OPT_EML, "the messages as mail programs have them, too"},
    {"log", 0, "FILE", OPT_LOG,
	"a mail log: its lines about this mail, too; oldest first"},
    {"showq", 0, NULL, OPT_SHOWQ,
	"what Postfix itself says of its whole queue (postqueue -j), too"},
    {"redact", 0, "LEVEL", OPT_REDACT,
	"names taken out: none, recipients or full"},
    {"redact-key", 0, "FILE", OPT_REDACT_KEY,
	"with --redact: the key of an earlier archive"},
    {"sign", 0, "KEY", OPT_SIGN, "sign it with this SSH key"},
    {"sign-with", 0, "PROGRAM", OPT_SIGN_WITH,
	"sign it with this program too: bytes in, signature out"},
    {"timestamp-request", 0, NULL, OPT_TIMESTAMP,
	"also FILE.tsq, to be posted to a time-stamping authority"},
    {"no-sqlite", 0, NULL, OPT_NO_SQLITE,
	"without metadata/index.sqlite"},
    {"sha512", 0, NULL, OPT_SHA512, "its sums by SHA-512, too"},
    {"move", 0, NULL, OPT_MOVE,
	"out of the queue, once the archive is written and read back"},
    {"purge", 0, NULL, OPT_PURGE,
	"with --move: unlink the mail in the queue at once, without undo"},
    {"purge-rate", 0, "N", OPT_PURGE_RATE, "unlink at most N messages a second"},
    {"json", 0, NULL, OPT_REPORT, "the report as a JSON object"},
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Archive", own_table},
    {"Change", change_options},
    {"Selection", selection_options},
    {"Output", scan_options},
};

const struct cmd cmd_archive = {
    .name = "archive",
    .summary = "copy or move messages into an evidence tarball",
    .operands = "[ID ...]",
    .about =
	"Copies the queue files that the selection matches, and their defer,\n"
	"bounce and trace logs, byte for byte into a new tarball, with SHA-256\n"
	"sums and a line of JSON for each message.  README.txt in it tells how\n"
	"to check and read it without qtool.  FILE is complete or not there; one\n"
	"that exists is not overwritten.  FILE.sha256 beside it holds its sum.\n"
	"The queue is not changed, unless --move takes the mail out of it, in\n"
	"one transaction: from hold and deferred, or the queues that --queue\n"
	"names; delivery is waited for (--wait, 30 seconds); the archive is\n"
	"written, read back and every sum in it compared before the mail is\n"
	"gone; whatever fails leaves the queue as it was, and no archive.  The\n"
	"mail is kept until qtool purge; qtool undo brings it back.",
    .examples =
	"  qtool archive -o joe.tar.zst --sasl joe@victim.example --case 2026-17\n"
	"  qtool archive -o held.tar.zst --queue hold --all\n"
	"  qtool archive --move -o spam.tar.zst --sender-domain spam.example\n"
	"  qtool archive -o - --all | ssh backup 'cat > queue.tar.zst'",
    .groups = groups,
    .ngroups = 4,
    .needs = NEED_DB | READS_TX | READS_COPIES,
    .operands_are_ids = true,
    .answers = true,
    .max_operands = -1,
    .option = option,
    .run = run,
};
