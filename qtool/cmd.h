/*
 * cmd.h - what the commands share: the context, the command entry, the option
 * groups, exit statuses and talking to the user.
 */
#ifndef QTOOL_CMD_H
#define QTOOL_CMD_H

#include <signal.h>

#include "qtool/db.h"
#include "qtool/option.h"
#include "qtool/output.h"
#include "qtool/select.h"

enum { /* exit statuses, in qtool.1 */
	EXIT_DONE = 0,	  /* done */
	EXIT_NOTHING = 1, /* nothing matched */
	EXIT_USAGE = 2,	  /* usage or selection error */
	EXIT_PARTLY = 3,  /* partly done, the rest reported */
	EXIT_REFUSED = 4, /* refused by a guard, or by the user */
	EXIT_FAILED = 5	  /* could not be done, and nothing changed */
};

/*
 * Everything one invocation knows.  main() owns it; commands fill the parts
 * their options set.
 */
struct ctx {
	int argc;    /* the command line as given, for the records */
	char **argv;
	struct qt_spools spools; /* empty until ctx_open() */
	bool all_instances;
	struct qt_select *sel;	 /* selection options seen so far */
	struct qt_db *db;	 /* NULL until ctx_open_db() */
	unsigned jobs;		 /* --jobs; 0 default */
	enum qt_format format;
	bool format_set;	 /* --format or --json was given */
	bool explain;		 /* --explain */
	bool quiet;		 /* --quiet: no progress, no hints */
	bool color;		 /* SGR allowed on stdout */
	bool tty_out, tty_err;
	unsigned width;		 /* terminal columns; 0 unlimited */
	volatile sig_atomic_t *stop;
	const char *state_dir;	 /* --state-dir; NULL SPOOL/qtool */
	/* change options (common_change_group) */
	bool yes, dry_run, strict, no_wait;
	int64_t expect, max;	 /* -1 not given */
	const char *reason;
	void *own;		 /* the running command's own options */
};

enum { /* struct cmd.needs */
	NEED_SPOOL = 1 << 0, /* spools are opened before run() */
	NEED_DB = 1 << 1,    /* and the database on them */
	NEED_ONE_SPOOL = 1 << 2 /* exactly one spool (changes) */
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
	int min_operands, max_operands; /* max -1: any number */
	/* an option that is not in a common group; NULL when there are none */
	qt_option_fn *option; /* ctx is struct ctx * */
	int (*run)(struct ctx *c, int argc, char **argv); /* exit status */
};

extern const struct cmd cmd_status, cmd_top, cmd_list, cmd_show, cmd_query,
    cmd_delete, cmd_undo, cmd_history, cmd_purge, cmd_recover, cmd_archive;

/*
 * Common option tables.  Ids: selection options have enum qt_sel's value,
 * the others those below; a command's own start at OPT_OWN.
 */
enum {
	OPT_FORMAT = 100, OPT_JSON, OPT_JOBS, OPT_EXPLAIN, OPT_QUIET, OPT_HELP,
	OPT_YES = 150, OPT_DRY_RUN, OPT_EXPECT, OPT_MAX, OPT_REASON, OPT_STRICT,
	OPT_NO_WAIT, OPT_STATE_DIR,
	OPT_OWN = 200
};
extern const struct qt_option selection_options[]; /* title "Selection" */
extern const struct qt_option view_options[]; /* format, json, jobs, explain,
						 quiet, help */
extern const struct qt_option scan_options[]; /* jobs, explain, quiet, help */
extern const struct qt_option plain_options[]; /* quiet, help */
extern const struct qt_option change_options[]; /* yes ... state-dir */

/* ---- talking (common.c) ---- */

/* "qtool: where: text" on stderr, escaped; returns the exit status for it. */
int complain(const struct qt_error *err);
/* A remark on stderr, "qtool: ..."; fmt's strings are escaped for a terminal. */
void remark(const char *fmt, ...) QT_PRINTF(1, 2);
/* Progress of a long work on stderr when it is a terminal, after a second. */
void progress(struct ctx *c, const char *what, uint64_t done, uint64_t total);
void progress_end(struct ctx *c);
/*
 * After a scan: says what was moved, unreadable or bad, or that it was
 * interrupted, and turns the exit status (EXIT_PARTLY) where that matters.
 */
int finish_scan(struct ctx *c, int status);
/* Human forms into a small static-free buffer. */
const char *human_bytes(int64_t bytes, char out[16]);
const char *human_age(int64_t seconds, char out[16]);	  /* "3d 4h" */
const char *human_time(int64_t seconds, char out[32]);	  /* local, ISO */

/*
 * SELECT columns FROM messages WHERE the selection [tail], opened with the
 * selection's parameters.  columns and tail are the program's own text.
 */
int open_messages(struct ctx *c, const char *columns, const char *tail,
    struct qt_stmt **st, struct qt_error *err) QT_MUST_CHECK;
/* One statement row to the output, columns first..; times and bytes by name. */
int put_row(struct qt_output *o, const struct qt_stmt *st,
    struct qt_error *err) QT_MUST_CHECK;

#endif
