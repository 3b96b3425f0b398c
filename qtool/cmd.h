/*
 * cmd.h - what the commands share: the context, the command entry, the option
 * groups, exit statuses and talking to the user.
 */
#ifndef QTOOL_CMD_H
#define QTOOL_CMD_H

#include <signal.h>

#include "qtool/db.h"
#include "qtool/group.h"
#include "qtool/option.h"
#include "qtool/output.h"
#include "qtool/select.h"

#include "roles.h"

enum { /* exit statuses, in qtool.1 */
	EXIT_DONE = 0,	  /* done */
	EXIT_NOTHING = 1, /* nothing matched */
	EXIT_USAGE = 2,	  /* usage or selection error */
	EXIT_PARTLY = 3,  /* partly done, the rest reported */
	EXIT_REFUSED = 4, /* refused by a guard, or by the user */
	EXIT_FAILED = 5	  /* could not be done, and nothing changed */
};

/* A queue named on the command line, opened when a command needs it. */
enum source_kind {
	FROM_CONFIG,  /* -c: a configuration directory */
	FROM_SPOOL,   /* -Q: a queue directory */
	FROM_ARCHIVE, /* -A: an archive's file */
	FROM_SNAPSHOT /* -D: a snapshot's file */
};
struct source {
	enum source_kind kind;
	const char *name; /* borrowed from argv */
};

/* The progress line of the work that runs now; all zero before it. */
struct progress {
	int64_t began_ms; /* monotonic clock; 0 not begun */
	int64_t shown_ms; /* of the last line drawn */
	bool visible;	  /* a line stands on the terminal */
	bool off;	  /* rows go to the same terminal: draw no more */
};

/*
 * Everything one invocation knows.  main() owns it; commands fill the parts
 * their options set.
 */
struct ctx {
	int argc;    /* the command line as given, for the records */
	char **argv;
	const struct cmd *cmd;	 /* the command that runs */
	struct source *sources;	 /* -c, -Q, -A and -D in order */
	size_t nsources;
	struct qt_spools spools; /* empty before run() without NEED_SPOOL */
	struct qt_snapfile *snaps; /* -D, opened with the spools; owned */
	size_t nsnaps;
	bool all_instances;
	bool salvage; /* --salvage: of a damaged archive what is intact */
	bool damaged; /* there was something damaged in one */
	uint64_t transaction;	 /* --transaction; 0: the queue itself */
	struct qt_select *sel;	 /* selection options seen so far */
	struct qt_db *db;	 /* NULL without NEED_DB */
	char **ids;		 /* all that is asked for, when it is IDs alone: */
	size_t nids;		 /* borrowed from argv; 0: anything may be */
	unsigned jobs;		 /* --jobs; 0 default */
	enum qt_format format;
	bool format_set;	 /* --format or --json was given */
	bool explain;		 /* --explain */
	bool quiet;		 /* --quiet: no progress, no hints */
	bool help;		 /* --help: print it instead of running */
	bool version;		 /* --version, likewise */
	bool color;		 /* SGR allowed on stdout */
	bool tty_out, tty_err;
	unsigned width;		 /* terminal columns; 0 unlimited */
	volatile sig_atomic_t *stop; /* set by the first SIGINT or SIGTERM */
	struct progress progress;
	const char *state_dir;	 /* --state-dir; NULL SPOOL/qtool */
	/* change options (common_change_group) */
	bool yes, dry_run, strict, no_wait;
	bool wait_set;	    /* --wait was given */
	unsigned wait_s;    /* --wait: for mail in delivery; 0 not */
	unsigned wait_left; /* what is left of it after the selection ran */
	const char *plan_file; /* --plan; NULL: carry it out */
	int64_t expect, max;	 /* -1 not given */
	const char *reason; /* --note; --reason is a selection option */
	struct answer *answer; /* what a change will say with --json (answer.h) */
	void *own; /* the running command's own options: own_options() */
	struct roles roles; /* who this process is */
};

enum { /* struct cmd.needs */
	NEED_SPOOL = 1 << 0, /* spools are opened before run() */
	NEED_DB = 1 << 1,    /* and the database on them */
	NEED_ONE_SPOOL = 1 << 2, /* exactly one spool (changes) */
	READS_TX = 1 << 3, /* none: --transaction may be given */
	EACH_SPOOL = 1 << 4, /* with NEED_ONE_SPOOL: several are taken in turn */
	READS_COPIES = 1 << 5 /* none: -A and -D may be given */
};

struct cmd {
	const char *name;
	const char *summary;  /* one line, as in the manual's NAME list */
	const char *operands; /* "[ID ...]"; "" none */
	const char *about;    /* a paragraph for --help */
	const char *examples; /* lines for --help, may be NULL */
	const struct qt_option_group *groups;
	size_t ngroups;
	unsigned needs;
	bool operands_are_ids; /* operands are added to the selection */
	bool answers; /* --json is an answer (answer.h), also when refused */
	int min_operands, max_operands; /* max -1: any number */
	/* an option that is not in a common group; NULL when there are none */
	qt_option_fn *option; /* ctx is struct ctx * */
	int (*run)(struct ctx *c, int argc, char **argv); /* exit status */
};

/* In the order in which an incident needs them; NULL ends it. */
extern const struct cmd *const commands[];
extern const struct cmd cmd_help, cmd_status, cmd_top, cmd_list, cmd_show, cmd_query,
    cmd_snapshot, cmd_archive, cmd_report, cmd_hold, cmd_delete, cmd_release, cmd_requeue, cmd_restore,
    cmd_apply, cmd_verify, cmd_custody, cmd_history, cmd_undo, cmd_purge, cmd_recover;

/*
 * Common option tables.  Ids: selection options have enum qt_sel's value,
 * the others those below; a command's own start at OPT_OWN.
 */
enum {
	OPT_CONFIG = 90, OPT_SPOOL, OPT_ALL_INSTANCES, OPT_VERSION,
	OPT_TRANSACTION, OPT_ARCHIVE, OPT_SNAPSHOT, OPT_SALVAGE,
	OPT_FORMAT = 100, OPT_JSON, OPT_JOBS, OPT_EXPLAIN, OPT_QUIET, OPT_HELP,
	OPT_YES = 150, OPT_DRY_RUN, OPT_EXPECT, OPT_MAX, OPT_REASON, OPT_STRICT,
	OPT_NO_WAIT, OPT_STATE_DIR, OPT_WAIT, OPT_PLAN,
	OPT_ALLOWED = 170, OPT_IDENTITY, /* sigcheck.h */
	OPT_OWN = 200
};
extern const struct qt_option global_options[]; /* before the command */
extern const struct qt_option selection_options[]; /* title "Selection" */
extern const struct qt_option view_options[]; /* format, json, jobs, explain,
						 quiet, help */
extern const struct qt_option output_options[]; /* the same without explain */
extern const struct qt_option scan_options[]; /* jobs, explain, quiet, help */
extern const struct qt_option plain_options[]; /* quiet, help */
extern const struct qt_option change_options[]; /* yes ... state-dir */

/*
 * Open what the bits of struct cmd.needs say.  Done before run(); a command
 * that finds out itself has no needs and calls this.
 */
int open_needs(struct ctx *c, unsigned needs, struct qt_error *err)
    QT_MUST_CHECK;
/*
 * Run the command for each of several queues, in a process of its own each
 * (each.c).  The exit status is that of all if they agree, else EXIT_PARTLY.
 */
int run_each(struct ctx *c, int argc, char **argv);
/* Roles, transaction, database: what comes after the queues are opened. */
int open_rest(struct ctx *c, unsigned needs, struct qt_error *err)
    QT_MUST_CHECK;
/* Add queue IDs to the selection. */
int select_ids(struct ctx *c, int n, char **ids, struct qt_error *err)
    QT_MUST_CHECK;
/* c->db on these spools, which are borrowed until it is closed, and on the
 * snapshots. */
int open_db(struct ctx *c, const struct qt_spools *spools, struct qt_error *err)
    QT_MUST_CHECK;
/*
 * The running command's own options, zeroed at the first call; one size per
 * command.  main() frees it with free().  NULL: out of memory, *err says so.
 */
void *own_options(struct ctx *c, size_t size, struct qt_error *err);

/* From now on what comes over this socket says what Ctrl-C says (main.c). */
void stop_when_heard(int fd);

/* ---- help (help.c) ---- */

/* The command of that name, NULL: none. */
const struct cmd *find_command(const char *name);
/* What --help prints: of one command, of qtool itself. */
int print_help(const struct cmd *cmd);
int print_overview(FILE *out);

/* ---- talking (common.c) ---- */

/*
 * "qtool: where: text" on stderr, escaped; returns the exit status for it.  A
 * reader that went away (EPIPE on standard output) is no error: silent, 0.
 */
int complain(const struct qt_error *err);
/* A remark on stderr, "qtool: ..."; fmt's strings are escaped for a terminal. */
void remark(const char *fmt, ...) QT_PRINTF(1, 2);
/*
 * Progress of a long work on stderr when it is a terminal, after a second.
 * total 0: not known.  progress_end takes the line away again; call it before
 * anything else is printed.
 */
void progress(struct ctx *c, const char *what, uint64_t done, uint64_t total);
void progress_end(struct ctx *c);
/*
 * After a scan: says what was moved, unreadable or bad, or that it was
 * interrupted, and turns the exit status (EXIT_PARTLY) where that matters.
 */
int finish_scan(struct ctx *c, int status);
/*
 * The same when nothing matched, after a remark on a terminal: silence there
 * looks like an answer.  A script has the exit status.
 */
int finish_nothing(struct ctx *c);
/* The same for a scan of the command's own. */
int finish_stats(struct ctx *c, const struct qt_scan_stats *stats, int status);
/* Queue directories that could not be read, by name; silent without one. */
void say_unreadable_queues(const struct qt_scan_stats *stats);
/* "qtool -Q /srv/copy": how to name the same queues again, for hints. */
void command_prefix(const struct ctx *c, struct qt_buf *out);
/* " -Q /srv/copy": one of them. */
void source_words(struct qt_buf *out, enum source_kind kind, const char *name);
/* Whether some of it lies still: an archive, a snapshot. */
bool any_copy(const struct ctx *c);
/* Whether rows may be of several hosts. */
bool several_hosts(const struct ctx *c);
/* One word for a shell, quoted only where it must be. */
void shell_word(struct qt_buf *out, const char *word);
/* The command as typed, to be pasted into a shell. */
void command_line(const struct ctx *c, struct qt_buf *out);
/* A file that an option names, while it can be read by who was started: before
 * the roles are taken. */
int read_named(struct qt_buf *b, const char *file, struct qt_error *err)
    QT_MUST_CHECK;
/* Whether the work was told to stop by a signal. */
bool interrupted(const struct ctx *c);
/* Human forms into a small static-free buffer. */
const char *human_bytes(int64_t bytes, char out[16]);
const char *human_age(int64_t seconds, char out[16]);	  /* "3d 4h" */
const char *human_time(int64_t seconds, char out[32]);	  /* local, with its offset */
const char *human_count(uint64_t n, char out[32]);	  /* "1,234,567" */
/*
 * The word of a NULL-terminated list that is closest to one mistyped, NULL
 * when none is near.
 */
const char *closest_word(const char *word, const char *const *words);

/* ---- rows (rows.c) ---- */

/*
 * SELECT columns FROM messages WHERE (the selection) [tail], opened with the
 * selection's parameters.  columns and tail are the program's own text; a tail
 * may begin with AND.
 */
int open_messages(struct ctx *c, const char *columns, const char *tail,
    struct qt_stmt **st, struct qt_error *err) QT_MUST_CHECK;
/*
 * --explain: print that statement, its parameters, and how many messages each
 * clause of the selection keeps; returns the exit status.
 */
int explain_messages(struct ctx *c, const char *columns, const char *tail);
/* One statement row to the output, all columns; times and bytes by name. */
int put_row(struct qt_output *o, const struct qt_stmt *st,
    struct qt_error *err) QT_MUST_CHECK;
/* One column of it, by its type and name. */
void put_value(struct qt_output *o, const struct qt_stmt *st, int i);
/* A value that column i had or could have. */
void put_typed(struct qt_output *o, const struct qt_stmt *st, int i,
    const struct qt_value *v);
/*
 * An output on stdout for a statement's columns, after its first step (types
 * decide the alignment; have_row: there was a row).
 */
int output_for(struct ctx *c, const struct qt_stmt *st, bool have_row,
    struct qt_output **o, struct qt_error *err) QT_MUST_CHECK;
/*
 * Step and print until the end or an interruption.  *rows counts.  0 done,
 * negative failed; what was read before is printed in either case.
 */
int print_rows(struct ctx *c, struct qt_stmt *st, uint64_t *rows,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * Append the columns of messages as JSON has them: postqueue -j's members
 * first and in its order, then all others that are not hidden and not whole
 * contents (body, sha256).
 */
void json_columns(struct qt_buf *out);
/* A column of that name exists in messages; else QT_E_USAGE with the closest. */
int check_column(const char *name, struct qt_error *err) QT_MUST_CHECK;
/*
 * Check a comma-separated list of columns; each() is called with every name.
 */
int each_column(const char *list,
    int (*each)(void *ctx, const char *name, struct qt_error *err), void *ctx,
    struct qt_error *err) QT_MUST_CHECK;

#endif
