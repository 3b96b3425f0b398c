/*
 * snapshot.c - qtool snapshot: the tables as a SQLite database.
 *
 * One pass over the queue: each message is read once, and its rows in all
 * tables are of that reading.
 */
#include "cmd.h"

#include <inttypes.h>
#include <time.h>

#include "qtool/snapshot.h"

enum { OPT_OUTPUT = OPT_OWN, OPT_BODY, OPT_RECORDS };

struct own {
	const char *file;
	bool body, records;
};

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct own *own = own_options(ctx, sizeof(*own), err);

	if (own == NULL)
		return -1;
	switch (opt->id) {
	case OPT_OUTPUT:
		own->file = value;
		return 0;
	case OPT_BODY:
		own->body = true;
		return 0;
	case OPT_RECORDS:
		own->records = true;
		return 0;
	default:
		return 1;
	}
}

static int copy(struct ctx *c, struct qt_snapshot *s, struct qt_error *err)
{
	const struct qt_bind *binds;
	const char *where;
	size_t n;

	if (qt_select_sql(c->sel, &where, &binds, &n, err) != 0)
		return -1;
	return qt_snapshot_copy(s, c->db, where, binds, n, err);
}

static int write_all(struct ctx *c, const struct own *own,
    const struct qt_newfile *f, struct qt_snapshot_counts *counts,
    struct qt_error *err)
{
	struct qt_snapshot_opts opts = {.body = own->body,
	    .records = own->records, .now = (int64_t)time(NULL)};
	struct qt_snapshot *s = NULL;
	struct qt_buf command;
	int r;

	qt_buf_init(&command, 0);
	command_line(c, &command);
	opts.selection = qt_buf_str(&command);
	r = qt_snapshot_new(&s, f->fd, &opts, err);
	if (r == 0)
		r = copy(c, s, err);
	if (r == 0)
		r = qt_snapshot_finish(s, counts, err);
	qt_snapshot_free(s);
	qt_buf_release(&command);
	return r;
}

static int check(const struct own *own, struct qt_error *err)
{
	if (own->file == NULL)
		return qt_fail(err, QT_E_USAGE, "snapshot",
		    "where to? -o FILE is missing");
	if (own->file[0] == '-' && own->file[1] == '\0')
		return qt_fail(err, QT_E_USAGE, "--output",
		    "a database cannot be written to a pipe");
	return 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	const struct own *own = own_options(c, sizeof(*own), &err);
	struct qt_newfile f = {.dirfd = -1, .fd = -1};
	struct qt_snapshot_counts n = {0};
	char messages[32], recipients[32];
	int r;

	(void)argc, (void)argv; /* IDs: in the selection already */
	if (own == NULL)
		return complain(&err);
	if (c->explain)
		return explain_messages(c, "*", "");
	r = check(own, &err);
	if (r == 0)
		r = qt_newfile_open(&f, own->file, &err);
	if (r == 0)
		r = write_all(c, own, &f, &n, &err);
	if (r == 0 && n.messages != 0)
		r = qt_newfile_publish(&f, &err);
	qt_newfile_release(&f);
	progress_end(c);
	if (r != 0)
		return complain(&err);
	if (n.messages == 0)
		return finish_nothing(c);
	if (!c->quiet)
		remark("%s messages with %s recipients in %s",
		    human_count(n.messages, messages),
		    human_count(n.recipients, recipients), own->file);
	return finish_scan(c, EXIT_DONE);
}

static const struct qt_option own_table[] = {
    {"output", 'o', "FILE", OPT_OUTPUT,
	"the database to write; a file of that name is not overwritten"},
    {"text", 0, NULL, OPT_BODY, "with the text of the messages"},
    {"records", 'r', NULL, OPT_RECORDS,
	"with the table records: all bytes of the mail"},
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Snapshot", own_table},
    {"Selection", selection_options},
    {"Output", scan_options},
};

const struct cmd cmd_snapshot = {
    .name = "snapshot",
    .summary = "the tables as a SQLite database, to query anywhere",
    .operands = "[ID ...]",
    .about =
	"Writes messages, recipients and headers of the selection, or of the\n"
	"whole queue, into a new SQLite database: for sqlite3, for any other\n"
	"program, or for qtool -D on another machine.  What columns mean is in\n"
	"qtool-sql(7).  The text of messages is left out unless asked for.",
    .examples =
	"  qtool snapshot -o mx1.db\n"
	"  qtool snapshot -o spam.db --sasl anna.keller@victim.example\n"
	"  qtool -D mx1.db -D mx2.db top",
    .groups = groups,
    .ngroups = 3,
    .needs = NEED_DB | READS_TX | READS_COPIES,
    .operands_are_ids = true,
    .max_operands = -1,
    .option = option,
    .run = run,
};
