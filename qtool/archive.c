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

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "changing.h"
#include "qtool/escape.h"

enum { OPT_OUTPUT = OPT_OWN, OPT_CASE, OPT_REPORT, OPT_MOVE, OPT_PURGE,
	OPT_PURGE_RATE };

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
	case OPT_CASE:
		if (*value == '\0')
			return qt_fail(err, QT_E_USAGE, "", "an empty case");
		own->case_id = value;
		return 0;
	case OPT_REPORT:
		own->json = true;
		return 0;
	case OPT_MOVE:
		own->move = true;
		return 0;
	case OPT_PURGE:
		own->purge = true;
		return 0;
	case OPT_PURGE_RATE:
		return parse_rate(value, &own->purge_rate, err);
	default:
		return 1;
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

/* ---- the report ---- */

/* How to check and unpack it with what every system has. */
static void put_hints(const char *file, const struct qt_archive_counts *n,
    FILE *out)
{
	const char *slash = strrchr(file, '/');
	const char *name = slash != NULL ? slash + 1 : file;
	struct qt_buf word, dir;

	qt_buf_init(&word, 0);
	qt_buf_init(&dir, 0);
	if (slash != NULL) {
		qt_buf_add(&dir, file, (size_t)(slash - file) + 1);
		qt_buf_adds(&word, "  cd -- ");
		shell_word(&word, qt_buf_str(&dir));
		qt_buf_addc(&word, '\n');
	}
	qt_buf_adds(&word, "  sha256sum -c -- ");
	qt_buf_clear(&dir);
	qt_buf_addf(&dir, "%s.sha256", name);
	shell_word(&word, qt_buf_str(&dir));
	qt_buf_adds(&word, strstr(name, ".zst") != NULL ?
		"\n  tar --warning=no-timestamp --zstd -xf " :
		"\n  tar --warning=no-timestamp -xf ");
	shell_word(&word, name);
	qt_buf_addf(&word,
	    "\n  cd %s\n  sha256sum --quiet --strict -c "
	    "tagmanifest-sha256.txt manifest-sha256.txt\n", n->base);
	(void)fprintf(out, "to check it with plain tools:\n%s",
	    qt_buf_str(&word));
	qt_buf_release(&word);
	qt_buf_release(&dir);
}

void archive_report(const struct ctx *c, const char *file,
    const struct qt_archive_counts *n, FILE *out)
{
	char messages[32], logs[32], bytes[16], packed[16];
	struct qt_buf shown;

	qt_buf_init(&shown, 0);
	qt_escape_term(&shown, file, strlen(file));
	(void)fprintf(out, "archived %s %s and %s %s, %s, in %s (%s)\n",
	    human_count(n->messages, messages),
	    n->messages == 1 ? "message" : "messages",
	    human_count(n->logs, logs), n->logs == 1 ? "log" : "logs",
	    human_bytes((int64_t)n->bytes, bytes),
	    strcmp(file, "-") == 0 ? "standard output" : qt_buf_str(&shown),
	    human_bytes((int64_t)n->archive_bytes, packed));
	(void)fprintf(out, "sha256 %s\n", n->sha256);
	if (!c->quiet && strcmp(file, "-") != 0)
		put_hints(file, n, out);
	qt_buf_release(&shown);
}

void archive_report_json(struct qt_buf *out, const char *file,
    const struct qt_archive_counts *n)
{
	qt_buf_adds(out, "{\"file\": ");
	qt_json_string(out, file);
	qt_buf_addf(out,
	    ", \"base\": \"%s\", \"messages\": %" PRIu64
	    ", \"logs\": %" PRIu64 ", \"bytes\": %" PRIu64
	    ", \"archive_bytes\": %" PRIu64 ", \"sha256\": \"%s\""
	    ", \"gone\": %" PRIu64 ", \"failed\": %" PRIu64
	    ", \"bad_logs\": %" PRIu64 "}",
	    n->base, n->messages, n->logs, n->bytes, n->archive_bytes,
	    n->sha256, n->gone, n->failed, n->bad_logs);
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

/*
 * No archive was made.  An interruption and a reader that went away are
 * failures here: half an archive is none.
 */
static int give_up(const struct qt_error *err)
{
	if (err->code == QT_E_INTERRUPTED || err->sys == EPIPE) {
		remark("no archive was made: %s",
		    err->sys == EPIPE ? "the reader of standard output is gone" :
					"interrupted");
		return EXIT_FAILED;
	}
	return complain(err);
}

/* The command as typed, to be pasted into a shell. */
static int command_line(const struct ctx *c, struct qt_buf *out,
    struct qt_error *err)
{
	int i;

	for (i = 0; i < c->argc; i++) {
		if (i != 0)
			qt_buf_addc(out, ' ');
		shell_word(out, c->argv[i]);
	}
	return qt_buf_check(out, err);
}

int archive_open(const struct ctx *c, const struct archiving *own,
    struct qt_archive **a, struct qt_error *err)
{
	const struct qt_spool *spool = c->spools.v[0];
	struct qt_buf command;
	int r;

	qt_buf_init(&command, 0);
	r = command_line(c, &command, err);
	if (r == 0) {
		const struct qt_archive_opts opts = {.host = spool->host,
		    .queue_dir = spool->queue_dir, .case_id = own->case_id,
		    .command = command.data, .reason = c->reason,
		    .spool = spool, .postconf = c->roles.postconf.data,
		    .stop = c->stop};

		r = qt_archive_open(a, own->file, &opts, err);
	}
	qt_buf_release(&command);
	return r;
}

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
		return give_up(err);
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

static int archive(struct ctx *c, const struct archiving *own)
{
	struct archive_pass p = {.c = c, .db = c->db, .failed = left_out};
	struct qt_scan_stats stats = {.entries = 0};
	struct qt_error err = {0};
	int status;

	if (archive_open(c, own, &p.a, &err) != 0 ||
	    add_all(&p, &stats, &err) != 0)
		status = give_up(&err);
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

static int check(const struct ctx *c, const struct archiving *own,
    struct qt_error *err)
{
	if (!qt_select_any(c->sel))
		return qt_fail(err, QT_E_USAGE, "archive",
		    "no selection; all mail is --all");
	if (own->file == NULL && !c->dry_run && !c->explain)
		return qt_fail(err, QT_E_USAGE, "archive",
		    "where to? -o FILE.tar.zst is missing");
	if (c->spools.n != 1)
		return qt_fail(err, QT_E_USAGE, "archive",
		    "takes one queue at a time, not %zu", c->spools.n);
	return check_move(c, own, err);
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	struct archiving *own = own_options(c, sizeof(*own), &err);

	(void)argc, (void)argv; /* IDs: in the selection already */
	if (own == NULL || check(c, own, &err) != 0)
		return complain(&err);
	if (own->move)
		return archive_move(c, own);
	if (c->explain)
		return explain_messages(c, archive_keys, "");
	return c->dry_run ? dry_run(c) : archive(c, own);
}

static const struct qt_option own_table[] = {
    {"output", 'o', "FILE", OPT_OUTPUT,
	"a new FILE.tar.zst, .tar.gz, .tar.xz or .tar; - is standard output"},
    {"case", 0, "ID", OPT_CASE, "your number for the incident"},
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
    .needs = NEED_DB | READS_TX,
    .operands_are_ids = true,
    .max_operands = -1,
    .option = option,
    .run = run,
};
