/*
 * main.c - qtool: see a Postfix queue and change it in undoable transactions.
 *
 * A map of the whole program.
 *
 *   queue directories        src/source/   the walk over every queue, the pool
 *        |                                 of readers, ordered rows; likewise
 *        |                                 what a transaction keeps, and what
 *        |                                 is in an archive (packed.c)
 *        |  bytes            src/format/   records, messages, headers, queue
 *        v                                 IDs, defer logs: pure functions
 *   struct qt_row
 *        |                   src/query/    SQLite virtual tables over the rows,
 *        v                                 selection options to a WHERE clause,
 *                                          counts by columns (top)
 *   struct qt_stmt
 *        |                   qtool/rows.c  statement to output
 *        +--> views          status.c top.c list.c query.c show.c (show_tables.c:
 *        |                                 of a snapshot)
 *        +--> a snapshot     src/query/    snapshot.c; snapread.c reads it,
 *        |                                 snapcheck.c compares it
 *        |
 *        +--> a plan         pick.c        the messages selected, shown, asked
 *        |      |                          about, guarded (--expect, --max;
 *        |      |                          risk.c and past.c: what a release
 *        |      |                          would do harm with)
 *        |      v
 *        |    transaction    src/change/   stage or place, undo, purge, recover:
 *        |                                 hold.c delete.c release.c restore.c
 *        |                                 apply.c through carry.c; history.c
 *        |                                 undo.c purge.c recover.c (each.c:
 *        |                                 several queues); changing.c is what
 *        |                                 all share, answer.c their --json
 *        +--> an archive     src/evidence/ archive.c; read back: verify.c,
 *        |                                 restore_archive.c, custody.c
 *        |                                 (sigcheck.c runs ssh-keygen for
 *        |                                 them, custodian.c writes beside it)
 *        +--> a report       src/evidence/ report.c: incident_*.c make its
 *                                          files, newdir.c their directory
 *
 * A layer uses itself and those below it (base < format < source < query <
 * change < evidence); the files in qtool/ see only include/qtool/.  Every
 * command is one file with one const struct cmd (cmd.h), listed in commands[]
 * below; help.c prints help from the same entries, and scripts/check-manual
 * holds the manual to them.
 *
 * roles.c: what of all this runs without rights (the judge), and what of it in a
 * process of its own (src/change/, the hand); errand.c: processes that run a
 * program, write a line or name a directory for the judge (signer.c,
 * custodian.c, newdir.c).
 *
 * This file: the command line, what a command needs opened, signals, the exit
 * status.  common.c: errors, remarks, progress, human forms.  mime.c: headers
 * and text decoded for reading.
 *
 * Life of one invocation: global options, the command's name, its options and
 * operands (qt_options_parse, values landing in struct ctx and its qt_select);
 * spools opened through postconf or as directories; roles taken: from here on
 * this process may read, and not much else; a qt_db on them; run();
 * standard output flushed and checked; the exit status.
 */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <malloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "changing.h"
#include "transaction.h"

const struct cmd *const commands[] = {
	&cmd_status, &cmd_top, &cmd_list, &cmd_show, &cmd_query,
	&cmd_snapshot, &cmd_archive, &cmd_verify,
	&cmd_custody, &cmd_report, &cmd_hold, &cmd_delete, &cmd_release, &cmd_requeue,
	&cmd_restore, &cmd_apply, &cmd_history, &cmd_undo, &cmd_purge,
	&cmd_recover, &cmd_help, NULL
};
#define NCOMMANDS (sizeof(commands) / sizeof(commands[0])) /* and the NULL */

#define WAIT_MAX 86400 /* seconds of --wait */
#define NEEDS_OPEN (NEED_SPOOL | NEED_DB | NEED_ONE_SPOOL)

/* The one thing a signal handler writes. */
static volatile sig_atomic_t stop_flag;

static void on_signal(int sig)
{
	(void)sig;
	stop_flag = 1;
}

/*
 * The first Ctrl-C asks for an orderly end, the second ends the process (the
 * handler is gone by then).  Calls are restarted: the flag is looked at
 * between messages, so no half-done read or write has to be undone.  A terminal
 * that hangs up asks the same: a change must not stay half done until somebody
 * logs in again; under nohup it says nothing.  EPIPE is seen as a write error
 * instead of a signal.
 */
static void catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal}, hup;

	sigemptyset(&sa.sa_mask);
	sa.sa_flags = (int)(SA_RESTART | SA_RESETHAND);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler != SIG_IGN)
		(void)sigaction(SIGHUP, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sa.sa_flags = 0;
	(void)sigaction(SIGPIPE, &sa, NULL);
}

/* The hand's end of the socket, for its handler of SIGIO. */
static volatile sig_atomic_t judge_fd = -1;

static void on_io(int sig)
{
	const int saved = errno;

	(void)sig;
	if (qt_hand_heard((int)judge_fd))
		stop_flag = 1;
	errno = saved;
}

void stop_when_heard(int fd)
{
	struct sigaction sa = {.sa_handler = on_io, .sa_flags = SA_RESTART};

	judge_fd = fd;
	sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGIO, &sa, NULL);
}

/*
 * A file opened as descriptor 0, 1 or 2 because that was closed would receive
 * our output.
 */
static void fill_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		(void)close(fd);
}

static void look_at_terminal(struct ctx *c)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	bool dumb = term == NULL || strcmp(term, "dumb") == 0;
	struct winsize ws;

	c->tty_out = isatty(STDOUT_FILENO) == 1;
	c->tty_err = isatty(STDERR_FILENO) == 1;
	c->color = c->tty_out && !dumb && (no_color == NULL || *no_color == '\0');
	if (c->tty_out && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0)
		c->width = ws.ws_col;
}

static int ctx_init(struct ctx *c, int argc, char **argv, struct qt_error *err)
{
	*c = (struct ctx){
	    .argc = argc, .expect = -1, .max = -1, .stop = &stop_flag};
	qt_spools_init(&c->spools);
	look_at_terminal(c);
	/* the option parser moves operands about; the records want it as typed */
	c->argv = calloc((size_t)argc + 1, sizeof(*c->argv));
	c->sources = calloc((size_t)argc + 1, sizeof(*c->sources));
	c->snaps = calloc((size_t)argc + 1, sizeof(*c->snaps));
	if (c->argv == NULL || c->sources == NULL || c->snaps == NULL)
		return qt_fail_mem(err);
	memcpy(c->argv, argv, (size_t)argc * sizeof(*argv));
	return qt_select_new(&c->sel, err);
}

static void ctx_release(struct ctx *c)
{
	qt_db_close(c->db);
	qt_select_free(c->sel);
	qt_spools_release(&c->spools);
	while (c->nsnaps > 0)
		qt_snapfile_close(&c->snaps[--c->nsnaps]);
	free(c->snaps);
	free(c->own);
	free(c->sources);
	free(c->argv);
	roles_release(c);
}

/* ---- options ---- */

void *own_options(struct ctx *c, size_t size, struct qt_error *err)
{
	if (c->own == NULL) {
		c->own = calloc(1, size);
		if (c->own == NULL)
			(void)qt_fail_mem(err);
	}
	return c->own;
}

static void add_source(struct ctx *c, enum source_kind kind, const char *name)
{
	c->sources[c->nsources++] = (struct source){kind, name};
}

static int global_option(struct ctx *c, const struct qt_option *opt,
    const char *value, struct qt_error *err)
{
	switch (opt->id) {
	case OPT_CONFIG:
		add_source(c, FROM_CONFIG, value);
		break;
	case OPT_SPOOL:
		add_source(c, FROM_SPOOL, value);
		break;
	case OPT_ARCHIVE:
		add_source(c, FROM_ARCHIVE, value);
		break;
	case OPT_SNAPSHOT:
		add_source(c, FROM_SNAPSHOT, value);
		break;
	case OPT_SALVAGE:
		c->salvage = true;
		break;
	case OPT_ALL_INSTANCES:
		c->all_instances = true;
		break;
	case OPT_TRANSACTION:
		return parse_txid(value, &c->transaction, err);
	case OPT_VERSION:
		c->version = true;
		break;
	case OPT_HELP:
		c->help = true;
		break;
	default:
		return 1;
	}
	return 0;
}

static int view_option(struct ctx *c, const struct qt_option *opt,
    const char *value, struct qt_error *err)
{
	int64_t n;

	switch (opt->id) {
	case OPT_FORMAT:
		c->format_set = true;
		return qt_format_parse(value, &c->format, err);
	case OPT_JSON:
		c->format_set = true;
		c->format = QT_FMT_JSON;
		return 0;
	case OPT_JOBS:
		if (qt_parse_count(value, 1, 1024, &n, err) != 0)
			return -1;
		c->jobs = (unsigned)n;
		return 0;
	case OPT_EXPLAIN:
		c->explain = true;
		return 0;
	case OPT_QUIET:
		c->quiet = true;
		return 0;
	default:
		return 1;
	}
}

static int change_option(struct ctx *c, const struct qt_option *opt,
    const char *value, struct qt_error *err)
{
	int64_t n;

	switch (opt->id) {
	case OPT_YES:
		c->yes = true;
		return 0;
	case OPT_DRY_RUN:
		c->dry_run = true;
		return 0;
	case OPT_STRICT:
		c->strict = true;
		return 0;
	case OPT_NO_WAIT:
		c->no_wait = true;
		return 0;
	case OPT_REASON:
		c->reason = value;
		return 0;
	case OPT_PLAN:
		c->plan_file = value;
		return 0;
	case OPT_STATE_DIR:
		c->state_dir = value;
		return 0;
	case OPT_EXPECT:
		return qt_parse_count(value, 0, INT64_MAX, &c->expect, err);
	case OPT_MAX:
		return qt_parse_count(value, 0, INT64_MAX, &c->max, err);
	case OPT_WAIT:
		if (qt_parse_count(value, 0, WAIT_MAX, &n, err) != 0)
			return -1;
		c->wait_set = true;
		c->wait_s = (unsigned)n;
		return 0;
	default:
		return 1;
	}
}

static int on_option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct ctx *c = ctx;
	int r;

	if (roles_note(c, opt, value, err) != 0)
		return -1;
	if (opt->id < QT_SEL_COUNT)
		return qt_select_add(c->sel, (enum qt_sel)opt->id, value, err);
	r = global_option(c, opt, value, err);
	if (r == 1)
		r = view_option(c, opt, value, err);
	if (r == 1)
		r = change_option(c, opt, value, err);
	if (r == 1 && c->cmd != NULL && c->cmd->option != NULL)
		r = c->cmd->option(c, opt, value, err);
	if (r == 1)
		return qt_fail(err, QT_E_USAGE, opt->name,
		    "this option is not wired to anything");
	return r;
}

/* ---- a command ---- */

static int usage_hint(const struct ctx *c, const struct qt_error *err)
{
	int status = complain(err);

	if (status == EXIT_USAGE && c->cmd != NULL)
		(void)fprintf(stderr, "qtool: see qtool help %s\n", c->cmd->name);
	else if (status == EXIT_USAGE)
		(void)fprintf(stderr, "qtool: see qtool help\n");
	return status;
}

static int check_operands(const struct cmd *cmd, int n, struct qt_error *err)
{
	if (n < cmd->min_operands)
		return qt_fail(err, QT_E_USAGE, cmd->name,
		    "an operand is missing: %s", cmd->operands);
	if (cmd->max_operands >= 0 && n > cmd->max_operands)
		return qt_fail(err, QT_E_USAGE, cmd->name,
		    cmd->max_operands == 0 ? "takes no operands"
					   : "too many operands");
	return 0;
}

int select_ids(struct ctx *c, int n, char **ids, struct qt_error *err)
{
	int i;

	for (i = 0; i < n; i++)
		if (qt_select_add(c->sel, QT_SEL_ID, ids[i], err) != 0)
			return -1;
	return 0;
}

static int open_source(struct ctx *c, const struct source *s,
    struct qt_error *err)
{
	switch (s->kind) {
	case FROM_CONFIG:
		return qt_spools_add_config(&c->spools, s->name, err);
	case FROM_ARCHIVE:
		return qt_spools_add_archive(&c->spools, s->name, err);
	case FROM_SNAPSHOT:
		if (qt_snapfile_open(&c->snaps[c->nsnaps], s->name, err) != 0)
			return -1;
		c->nsnaps++;
		return 0;
	case FROM_SPOOL:
		break;
	}
	return qt_spools_add_dir(&c->spools, s->name, err);
}

static int open_spools(struct ctx *c, struct qt_error *err)
{
	size_t i;
	int r = 0;

	if (c->all_instances)
		r = qt_spools_add_all(&c->spools, err);
	for (i = 0; r == 0 && i < c->nsources; i++)
		r = open_source(c, &c->sources[i], err);
	if (r == 0 && !c->all_instances && c->nsources == 0)
		r = qt_spools_add_config(&c->spools, NULL, err);
	return r;
}

static void on_loaded(void *ctx, uint64_t done, uint64_t total)
{
	progress(ctx, "bytes of the archive read", done, total);
}

/* What an archive says of itself and what is in it are two things. */
static void say_notes(struct ctx *c, const struct qt_spool *s)
{
	struct qt_archive_notes n;
	size_t i;

	qt_spool_notes(s, &n);
	if (n.unsafe != 0)
		remark("%s: %" PRIu64 " files in it have names that lead "
		       "elsewhere or hide what they are: passed over",
		    s->queue_dir, n.unsafe);
	if (n.bag && n.untold != 0)
		remark("%s: its list does not have %" PRIu64 " of the files "
		       "in it; qtool verify says more", s->queue_dir, n.untold);
	if (n.damaged != 0)
		remark("%s: damaged in %" PRIu64 " place%s, what is intact is "
		       "shown; the first: %s", s->queue_dir, n.damaged,
		    n.damaged == 1 ? "" : "s", n.damage);
	for (i = 0; c->salvage && !n.redacted && i < QT_ARCHIVE_LOST &&
	     n.lost[i] != NULL; i++)
		remark("%s: is in its list, and lost", n.lost[i]);
	c->damaged = c->damaged || (n.bag && n.untold != 0) ||
	    (n.unmatched != 0 && !n.redacted) || (c->salvage && n.damaged != 0);
	if (n.unmatched != 0 && n.redacted)
		remark("%s: names were taken out of it, and with them %" PRIu64
		       " files of the queue: of these it has the tables in it",
		    s->queue_dir, n.unmatched);
	else if (n.unmatched != 0)
		remark("%s: its list has %" PRIu64 " files that are not in it; "
		       "qtool verify says more", s->queue_dir, n.unmatched);
}

static int load_archives(struct ctx *c, struct qt_error *err)
{
	size_t i;
	int r = 0;

	if (c->salvage)
		qt_spools_salvage(&c->spools);
	/* what it does not find is looked for in all of it */
	if (c->nids != 0)
		r = qt_spools_load_ids(&c->spools, c->ids, c->nids, c->stop,
		    err);
	if (r == 0)
		r = qt_spools_load(&c->spools, c->stop, on_loaded, c, err);
	progress_end(c);
	if (r != 0 && err->code == QT_E_STATE && err->offset > 0 &&
	    !c->salvage)
		(void)strlcat(err->text, "; --salvage shows what is intact",
		    sizeof(err->text));
	for (i = 0; r == 0 && i < c->spools.n; i++)
		say_notes(c, c->spools.v[i]);
	return r;
}

/* What was copied is looked at, and not changed. */
static int check_copies(const struct ctx *c, struct qt_error *err)
{
	bool archive = c->cmd == &cmd_restore || c->cmd == &cmd_verify;
	size_t i;

	for (i = 0; i < c->nsources; i++)
		archive = archive || c->sources[i].kind == FROM_ARCHIVE;
	if (c->salvage && !archive)
		return qt_fail(err, QT_E_USAGE, "--salvage",
		    "goes with an archive: -A, or restore FILE");
	if (!any_copy(c) || (c->cmd->needs & READS_COPIES) != 0)
		return 0;
	return qt_fail(err, QT_E_USAGE, c->cmd->name,
	    "works on a queue, and archives (-A) and snapshots (-D) are none: "
	    "they are for status, top, list, show, query, snapshot, archive and "
	    "report");
}

static void on_progress(void *ctx, const struct qt_scan_stats *stats)
{
	progress(ctx, "messages read", stats->rows, 0);
}

int open_db(struct ctx *c, const struct qt_spools *spools, struct qt_error *err)
{
	struct qt_db_opts opts = {.jobs = c->jobs, .stop = c->stop,
	    .progress = on_progress, .progress_ctx = c,
	    .snapshots = c->snaps, .nsnapshots = c->nsnaps};

	return qt_db_open(&c->db, spools, &opts, err);
}

int open_rest(struct ctx *c, unsigned needs, struct qt_error *err)
{
	/* programs were run; from here on others' bytes are read */
	if ((needs & NEEDS_OPEN) != 0 && roles_take(c, err) != 0)
		return -1;
	if (load_archives(c, err) != 0)
		return -1;
	if (c->transaction != 0 && c->spools.n != 0 &&
	    transaction_open(c, err) != 0)
		return -1;
	if ((needs & NEED_DB) != 0)
		return open_db(c, &c->spools, err);
	return 0;
}

int open_needs(struct ctx *c, unsigned needs, struct qt_error *err)
{
	if ((needs & NEEDS_OPEN) != 0 &&
	    open_spools(c, err) != 0)
		return -1;
	if (c->spools.n > 1 && (needs & EACH_SPOOL) != 0)
		return 0; /* run_each() opens the rest */
	if ((needs & NEED_ONE_SPOOL) != 0 && c->spools.n != 1)
		return qt_fail(err, QT_E_USAGE, c->cmd->name,
		    "changes one queue at a time, not %zu", c->spools.n);
	return open_rest(c, needs, err);
}

/* An instance that is missing is missing in what was shown, too. */
static int say_left_out(struct ctx *c, int status)
{
	size_t i;

	if (c->damaged && (status == EXIT_DONE || status == EXIT_NOTHING))
		status = EXIT_PARTLY;

	for (i = 0; i < c->spools.nleft; i++)
		(void)complain(&c->spools.left[i]);
	if (i == 0)
		return status;
	remark("%zu of %zu instances left out", i, i + c->spools.n);
	return status == EXIT_DONE || status == EXIT_NOTHING ? EXIT_PARTLY :
							       status;
}

/* argv[0] is the command's name. */
static int run_command(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	int index = 1, n = 0, r;

	r = qt_options_parse(c->cmd->groups, c->cmd->ngroups, argc, argv,
	    &index, false, &n, on_option, c, &err);
	if (c->help)
		return print_help(c->cmd);
	if (r != 0 || check_operands(c->cmd, n, &err) != 0)
		return usage_hint(c, &err);
	if (check_copies(c, &err) != 0 || transaction_check(c, &err) != 0)
		return usage_hint(c, &err);
	if ((c->cmd->operands_are_ids &&
		select_ids(c, n, argv + index, &err) != 0) ||
	    roles_note_operands(c, n, argv + index, &err) != 0)
		return usage_hint(c, &err);
	if (c->cmd == &cmd_show) {
		c->ids = argv + index;
		c->nids = (size_t)n;
	}
	if (open_needs(c, c->cmd->needs, &err) != 0)
		return answer_not_begun(c, &err);
	if (c->spools.n > 1 && (c->cmd->needs & EACH_SPOOL) != 0)
		return say_left_out(c, run_each(c, n, argv + index));
	r = c->cmd->run(c, n, argv + index);
	progress_end(c);
	return say_left_out(c, r);
}

static int unknown_command(const char *word)
{
	const char *names[NCOMMANDS], *near;
	size_t i;

	for (i = 0; i < NCOMMANDS; i++)
		names[i] = commands[i] != NULL ? commands[i]->name : NULL;
	near = closest_word(word, names);
	if (near != NULL)
		remark("%s: no such command; did you mean %s?", word, near);
	else
		remark("%s: no such command; see qtool help", word);
	return EXIT_USAGE;
}

static int run_line(struct ctx *c, int argc, char **argv)
{
	static const struct qt_option_group global = {"Global", global_options};
	struct qt_error err = {0};
	int index = 1, n = 0, r;

	r = qt_options_parse(&global, 1, argc, argv, &index, true, &n,
	    on_option, c, &err);
	if (c->help)
		return print_overview(stdout);
	if (c->version) {
		(void)printf("qtool %s\n", QTOOL_VERSION);
		return EXIT_DONE;
	}
	if (r != 0)
		return usage_hint(c, &err);
	if (index >= argc) {
		(void)print_overview(stderr);
		return EXIT_USAGE;
	}
	c->cmd = find_command(argv[index]);
	if (c->cmd == NULL)
		return unknown_command(argv[index]);
	return run_command(c, argc - index, argv + index);
}

/* The pipe that standard output is has no reader any more. */
static bool reader_gone(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0;
}

/*
 * What could not be written was not done, whatever the command thought.  A
 * reader that has seen enough (| head) is no failure.
 */
static int flush_stdout(int status)
{
	struct qt_error err = {0};

	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (status == EXIT_FAILED || reader_gone()) /* said already, or no one to */
		return status;
	if (errno == 0) /* that of the write which failed is lost */
		errno = EIO;
	(void)qt_fail_sys(&err, "write", "standard output");
	return complain(&err);
}

/* One write for twenty rows of JSON; what a terminal gets stays line by line. */
static void buffer_output(void)
{
	static char room[64 << 10];

	if (!isatty(STDOUT_FILENO))
		(void)setvbuf(stdout, room, _IOFBF, sizeof(room));
}

int main(int argc, char **argv)
{
	struct qt_error err = {0};
	struct ctx c;
	int status;

	fill_descriptors();
	buffer_output();
	/* large blocks go back to the system at once, however many there were */
	(void)mallopt(M_MMAP_THRESHOLD, 128 << 10);
	/* for the width of characters; everything else stays as in C */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	catch_signals();
	if (ctx_init(&c, argc, argv, &err) == 0)
		status = flush_stdout(run_line(&c, argc, argv));
	else
		status = complain(&err);
	ctx_release(&c);
	return status;
}
