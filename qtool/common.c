/*
 * common.c - talking to the user: errors, remarks, progress, human forms, and
 * the option tables that several commands share.
 *
 * Errors and remarks go to stderr, one line each, escaped for a terminal: part
 * of them comes from mail and file names.
 */
#include "cmd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libutil.h> /* humanize_number, of libbsd */

#include "qtool/escape.h"

/* ---- option tables ---- */

const struct qt_option global_options[] = {
    {"config", 'c', "DIR", OPT_CONFIG,
	"the queue of the Postfix instance configured in DIR (repeatable)"},
    {"spool", 'Q', "DIR", OPT_SPOOL,
	"the queue directory DIR as it lies: a copy, a mount (repeatable)"},
    {"archive", 'A', "ARCHIVE", OPT_ARCHIVE,
	"the queue in an archive of qtool, or in a tarball of a queue directory "
	"(repeatable)"},
    {"database", 'D', "SNAPSHOT", OPT_SNAPSHOT,
	"the tables that qtool snapshot has written, or an archive's "
	"index.sqlite (repeatable)"},
    {"salvage", 0, NULL, OPT_SALVAGE,
	"of a damaged archive what is intact; what is not is named"},
    {"all-instances", 0, NULL, OPT_ALL_INSTANCES,
	"the queues of every instance that postmulti lists"},
    {"transaction", 0, "N", OPT_TRANSACTION,
	"what transaction N keeps instead of the queue: to list, top, show, "
	"query, archive or report it"},
    {"version", 0, NULL, OPT_VERSION, "print the version"},
    {"help", 0, NULL, OPT_HELP, "print this help"},
    {.name = NULL},
};

const struct qt_option selection_options[] = {
    {"sasl", 0, "NAME", QT_SEL_SASL, "login (sasl_username) that sent it"},
    {"sender", 0, "ADDR", QT_SEL_SENDER,
	"envelope sender, exact or a glob with * and ?"},
    {"sender-domain", 0, "DOMAIN", QT_SEL_SENDER_DOMAIN,
	"domain of the envelope sender"},
    {"null-sender", 0, NULL, QT_SEL_NULL_SENDER,
	"mail from <>: bounces and other notices"},
    {"rcpt", 0, "ADDR", QT_SEL_RCPT,
	"a recipient still to do, exact or a glob"},
    {"rcpt-domain", 0, "DOMAIN", QT_SEL_RCPT_DOMAIN,
	"domain of a recipient still to do"},
    {"every-rcpt", 0, NULL, QT_SEL_EVERY_RCPT,
	"the two before must hold for every recipient still to do"},
    {"client", 0, "CIDR", QT_SEL_CLIENT, "client address or network"},
    {"helo", 0, "NAME", QT_SEL_HELO, "name the client gave in HELO or EHLO"},
    {"subject", 0, "RE", QT_SEL_SUBJECT, "decoded subject matches"},
    {"header", 0, "NAME=RE", QT_SEL_HEADER, "a header of that name matches"},
    {"body", 0, "RE", QT_SEL_BODY, "text of the body matches, decoded or as it is stored"},
    {"reason", 0, "RE", QT_SEL_REASON, "reason of the last deferral matches"},
    {"class", 0, "CLASS", QT_SEL_CLASS,
	"authenticated, forged, bounce, reinjected, local, relayed or unknown"},
    {"queue", 0, "QUEUE[,...]", QT_SEL_QUEUE,
	"maildrop, incoming, active, deferred, hold, corrupt or saved"},
    {"state", 0, "STATE[,...]", QT_SEL_STATE,
	"ok, unfinished, corrupt, misplaced or foreign"},
    {"older", 0, "AGE", QT_SEL_OLDER, "arrived longer ago (90s 15m 2h 3d 1w)"},
    {"newer", 0, "AGE", QT_SEL_NEWER, "arrived since then"},
    {"larger", 0, "SIZE", QT_SEL_LARGER, "bigger than SIZE (10K 4M 1G)"},
    {"smaller", 0, "SIZE", QT_SEL_SMALLER, "smaller than SIZE"},
    {"ids", 0, "FILE", QT_SEL_IDS,
	"queue IDs from a file, one a line; - is standard input"},
    {"where", 'w', "SQL", QT_SEL_WHERE,
	"an SQL condition over the columns of messages"},
    {"all", 0, NULL, QT_SEL_ALL,
	"all mail: a change without selection needs it"},
    {.name = NULL},
};

#define HELP_OPTION {"help", 0, NULL, OPT_HELP, "print this help"}
#define QUIET_OPTION \
	{"quiet", 'q', NULL, OPT_QUIET, "no progress, no hints"}
#define JOBS_OPTION \
	{"jobs", 'j', "N", OPT_JOBS, "files read at the same time (32)"}
#define EXPLAIN_OPTION \
	{"explain", 0, NULL, OPT_EXPLAIN, \
	    "print the SQL and how many messages each clause keeps, and stop"}

#define FORMAT_OPTIONS \
	{"format", 0, "FORMAT", OPT_FORMAT, \
	    "table, json, jsonl, csv, tsv, ids or ids0"}, \
	{"json", 0, NULL, OPT_JSON, "the same as --format json"}

const struct qt_option view_options[] = {
    FORMAT_OPTIONS,
    JOBS_OPTION,
    EXPLAIN_OPTION,
    QUIET_OPTION,
    HELP_OPTION,
    {.name = NULL},
};

const struct qt_option output_options[] = {
    FORMAT_OPTIONS,
    JOBS_OPTION,
    QUIET_OPTION,
    HELP_OPTION,
    {.name = NULL},
};

const struct qt_option scan_options[] = {
    JOBS_OPTION,
    EXPLAIN_OPTION,
    QUIET_OPTION,
    HELP_OPTION,
    {.name = NULL},
};

const struct qt_option plain_options[] = {
    QUIET_OPTION,
    HELP_OPTION,
    {.name = NULL},
};

const struct qt_option change_options[] = {
    {"yes", 'y', NULL, OPT_YES, "do not ask; for scripts"},
    {"dry-run", 'n', NULL, OPT_DRY_RUN, "show what would happen and stop"},
    {"expect", 0, "N", OPT_EXPECT, "refuse unless exactly N messages match"},
    {"max", 0, "N", OPT_MAX, "refuse when more than N messages match"},
    {"note", 0, "TEXT", OPT_REASON, "why, kept with the transaction"},
    {"strict", 0, NULL, OPT_STRICT,
	"a message that is gone meanwhile aborts the whole"},
    {"wait", 0, "SECONDS", OPT_WAIT,
	"wait so long for what is in delivery, instead of leaving it out"},
    {"no-wait", 0, NULL, OPT_NO_WAIT,
	"refuse when another qtool changes this queue now"},
    {"state-dir", 0, "DIR", OPT_STATE_DIR,
	"plan and log there instead of SPOOL/qtool: for a full disk"},
    {.name = NULL},
};

/* ---- errors and remarks ---- */

static void say(const char *text, size_t len)
{
	struct qt_buf b;

	qt_buf_init(&b, 0);
	qt_buf_adds(&b, "qtool: ");
	qt_escape_term(&b, text, len);
	qt_buf_addc(&b, '\n');
	if (!b.failed)
		(void)fwrite(b.data, 1, b.len, stderr);
	qt_buf_release(&b);
}

static int exit_status(enum qt_code code)
{
	switch (code) {
	case QT_OK:
		return EXIT_DONE;
	case QT_E_USAGE:
		return EXIT_USAGE;
	case QT_E_REFUSED:
		return EXIT_REFUSED;
	case QT_E_INTERRUPTED:
		return EXIT_PARTLY;
	case QT_E_CORRUPT:
	case QT_E_GONE:
	case QT_E_CHANGED:
	case QT_E_BUSY:
	case QT_E_DENIED:
	case QT_E_SYS:
	case QT_E_NOMEM:
	case QT_E_STATE:
	case QT_E_LIBRARY:
	default:
		return EXIT_FAILED;
	}
}

int complain(const struct qt_error *err)
{
	if (err->sys == EPIPE)
		return EXIT_DONE;
	if (err->where[0] != '\0')
		remark("%s: %s", err->where, err->text);
	else
		remark("%s", err->text);
	return exit_status(err->code);
}

void remark(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n >= 0) {
		say(text, (size_t)n);
		free(text);
	} else {
		(void)fputs("qtool: out of memory\n", stderr);
	}
}

/* ---- progress ---- */

#define PROGRESS_AFTER_MS 1000 /* work that is done sooner needs no line */
#define PROGRESS_EVERY_MS 200
#define BAR_WIDTH 24

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void draw(const char *what, uint64_t done, uint64_t total, int64_t ms)
{
	uint64_t rate = done * 1000 / (uint64_t)(ms > 0 ? ms : 1), left, filled;
	char count[32], all[32], per[32], eta[16], bar[BAR_WIDTH + 1];

	(void)human_count(done, count);
	(void)human_count(rate, per);
	if (total == 0) {
		(void)fprintf(stderr, "\r%s %s, %s a second\033[K", count, what,
		    per);
		return;
	}
	filled = done >= total ? BAR_WIDTH : done * BAR_WIDTH / total;
	memset(bar, '-', BAR_WIDTH);
	memset(bar, '#', (size_t)filled);
	bar[BAR_WIDTH] = '\0';
	left = rate > 0 && done < total ? (total - done) / rate : 0;
	(void)fprintf(stderr, "\r[%s] %s of %s %s, %s a second, %s left\033[K",
	    bar, count, human_count(total, all), what, per,
	    human_age((int64_t)left, eta));
}

void progress(struct ctx *c, const char *what, uint64_t done, uint64_t total)
{
	struct progress *p = &c->progress;
	int64_t now;

	if (!c->tty_err || c->quiet || p->off)
		return;
	now = now_ms();
	if (p->began_ms == 0)
		p->began_ms = now;
	if (now - p->began_ms < PROGRESS_AFTER_MS ||
	    now - p->shown_ms < PROGRESS_EVERY_MS)
		return;
	draw(what, done, total, now - p->began_ms);
	p->shown_ms = now;
	p->visible = true;
}

void progress_end(struct ctx *c)
{
	if (c->progress.visible)
		(void)fputs("\r\033[K", stderr);
	c->progress = (struct progress){.off = c->progress.off};
}

/* ---- after a scan ---- */

bool interrupted(const struct ctx *c)
{
	return *c->stop != 0;
}

void shell_word(struct qt_buf *out, const char *word)
{
	const char *plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789_./-+,:@%";

	if (*word != '\0' && strspn(word, plain) == strlen(word)) {
		qt_buf_adds(out, word);
		return;
	}
	qt_buf_addc(out, '\'');
	for (; *word != '\0'; word++) {
		if (*word == '\'')
			qt_buf_adds(out, "'\\''");
		else
			qt_buf_addc(out, *word);
	}
	qt_buf_addc(out, '\'');
}

void command_line(const struct ctx *c, struct qt_buf *out)
{
	int i;

	for (i = 0; i < c->argc; i++) {
		if (i != 0)
			qt_buf_addc(out, ' ');
		shell_word(out, c->argv[i]);
	}
}

void source_words(struct qt_buf *out, enum source_kind kind, const char *name)
{
	static const char *const options[] = {[FROM_CONFIG] = " -c ",
	    [FROM_SPOOL] = " -Q ", [FROM_ARCHIVE] = " -A ",
	    [FROM_SNAPSHOT] = " -D "};

	qt_buf_adds(out, options[kind]);
	shell_word(out, name);
}

bool any_copy(const struct ctx *c)
{
	size_t i;

	for (i = 0; i < c->nsources; i++)
		if (c->sources[i].kind == FROM_ARCHIVE ||
		    c->sources[i].kind == FROM_SNAPSHOT)
			return true;
	return false;
}

bool several_hosts(const struct ctx *c)
{
	/* one snapshot may be made of several queues */
	return c->spools.n > 1 || c->nsnaps > 0;
}

void command_prefix(const struct ctx *c, struct qt_buf *out)
{
	size_t i;

	qt_buf_adds(out, "qtool");
	if (c->all_instances)
		qt_buf_adds(out, " --all-instances");
	for (i = 0; i < c->nsources; i++)
		source_words(out, c->sources[i].kind, c->sources[i].name);
	if (c->transaction != 0)
		qt_buf_addf(out, " --transaction %" PRIu64, c->transaction);
}

static void say_bad(const struct ctx *c, const struct qt_scan_stats *s)
{
	struct qt_buf cmd;

	qt_buf_init(&cmd, 0);
	command_prefix(c, &cmd);
	remark("%" PRIu64 " of %" PRIu64 " entries %s: %" PRIu64 " corrupt, %" PRIu64
	       " misplaced, %" PRIu64 " foreign, %" PRIu64
	       " unreadable; to see them: %s list --state "
	       "corrupt,foreign,misplaced --columns "
	       "queue_name,queue_id,state,error",
	    s->bad - s->dirs, s->rows,
	    s->bad - s->dirs == 1 ? "is no message that Postfix takes"
			: "are no messages that Postfix takes",
	    s->by_state[QT_STATE_CORRUPT], s->by_state[QT_STATE_MISPLACED],
	    s->by_state[QT_STATE_FOREIGN], s->unreadable - s->dirs,
	    qt_buf_str(&cmd));
	qt_buf_release(&cmd);
}

/* A queue that cannot be read looks like one without mail. */
void say_unreadable_queues(const struct qt_scan_stats *s)
{
	struct qt_buf names;
	int i;

	qt_buf_init(&names, 0);
	for (i = 0; i < QT_Q_MESSAGES; i++)
		if ((s->dir_queues & QT_Q_BIT(i)) != 0)
			qt_buf_addf(&names, "%s%s", names.len != 0 ? ", " : "",
			    qt_queue_name((enum qt_queue)i));
	if (names.len != 0)
		remark("cannot be read, so its mail is missing here: %s "
		       "(root or the mail owner can)", qt_buf_str(&names));
	qt_buf_release(&names);
}

int finish_stats(struct ctx *c, const struct qt_scan_stats *s, int status)
{
	progress_end(c);
	if (status != EXIT_DONE && status != EXIT_NOTHING)
		return status;
	if (s->vanished != 0 && c->tty_err && !c->quiet)
		remark("%" PRIu64 " left the queue while it was read", s->vanished);
	say_unreadable_queues(s);
	if (s->bad != s->dirs)
		say_bad(c, s);
	if (s->bad != 0)
		status = EXIT_PARTLY;
	if (s->interrupted || interrupted(c)) {
		remark("interrupted: what is shown is not all");
		status = EXIT_PARTLY;
	}
	return status;
}

int finish_scan(struct ctx *c, int status)
{
	return finish_stats(c, qt_db_stats(c->db), status);
}

int finish_nothing(struct ctx *c)
{
	const char *what = "no row";

	if (c->sel != NULL && qt_select_any(c->sel))
		what = "no message matches; --explain shows what each clause keeps";
	else if (c->cmd->operands_are_ids)
		what = "there is no message";
	progress_end(c);
	if (c->tty_err && !c->quiet && !interrupted(c))
		remark("%s", what);
	return finish_scan(c, EXIT_NOTHING);
}

/* ---- human forms ---- */

const char *human_bytes(int64_t bytes, char out[16])
{
	/* four characters, as in tables: 4.2K, not 4320B */
	if (humanize_number(out, 5, bytes, "", HN_AUTOSCALE,
		HN_B | HN_NOSPACE | HN_DECIMAL) < 0)
		(void)snprintf(out, 16, "?");
	return out;
}

const char *human_age(int64_t seconds, char out[16])
{
	unsigned m, h, d;

	if (seconds < 0 || seconds / 86400 > 99999) {
		(void)snprintf(out, 16, "%s", seconds < 0 ? "future" : "ages");
		return out;
	}
	m = (unsigned)(seconds / 60);
	h = m / 60;
	d = h / 24 % 100000;
	if (m == 0)
		(void)snprintf(out, 16, "%us", (unsigned)seconds);
	else if (h == 0)
		(void)snprintf(out, 16, "%um", m);
	else if (d == 0)
		(void)snprintf(out, 16, "%uh %um", h % 24, m % 60);
	else
		(void)snprintf(out, 16, "%ud %uh", d, h % 24);
	return out;
}

const char *human_time(int64_t seconds, char out[32])
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(out, 32, tm.tm_gmtoff == 0 ? "%Y-%m-%d %H:%M:%S UTC" :
		"%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		(void)snprintf(out, 32, "@%" PRId64, seconds);
	return out;
}

const char *human_count(uint64_t n, char out[32])
{
	char digits[24];
	size_t len, i, o = 0;

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, n);
	len = strlen(digits);
	for (i = 0; i < len; i++) {
		if (i != 0 && (len - i) % 3 == 0)
			out[o++] = ',';
		out[o++] = digits[i];
	}
	out[o] = '\0';
	return out;
}

/* ---- a word mistyped ---- */

#define WORD_MAX 40 /* longer ones are near nothing */

/* Edits (insert, delete, replace, swap of neighbours) from a to b. */
static size_t edits(const char *a, const char *b)
{
	size_t d[WORD_MAX + 1][WORD_MAX + 1];
	size_t n = strlen(a), m = strlen(b), i, j, best;

	if (n > WORD_MAX || m > WORD_MAX)
		return SIZE_MAX;
	for (i = 0; i <= n; i++)
		for (j = 0; j <= m; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = i + j;
				continue;
			}
			best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	return d[n][m];
}

const char *closest_word(const char *word, const char *const *words)
{
	size_t far = strlen(word) / 3 + 1, n;
	const char *near = NULL;

	for (; *words != NULL; words++) {
		n = edits(word, *words);
		if (n <= far && (near == NULL || n < edits(word, near)))
			near = *words;
	}
	return near;
}

int read_named(struct qt_buf *b, const char *file, struct qt_error *err)
{
	char piece[4096];
	ssize_t n;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return qt_fail_sys(err, "open", file);
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		qt_buf_add(b, piece, (size_t)n);
	if (n < 0)
		(void)qt_fail_sys(err, "read", file);
	(void)close(fd);
	return n < 0 ? -1 : qt_buf_check(b, err);
}
