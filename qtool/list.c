/*
 * list.c - qtool list: one line a message.
 *
 * The table is for reading (mailq's mark after the ID, age, first recipient and
 * how many more); every other format has the columns of the messages table, in
 * JSON with postqueue -j's members first, so that its scripts carry over.
 */
#include "cmd.h"

#include <stdlib.h>
#include <string.h>

#include "qtool/escape.h"

enum { OPT_COLUMNS = OPT_OWN, OPT_SORT, OPT_LIMIT };

struct own {
	const char *columns; /* --columns; NULL: the default of the format */
	const char *sort;    /* --sort COLUMN[:desc] */
	int64_t limit;	     /* --limit; 0: all */
};

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct own *own = own_options(ctx, sizeof(*own), err);

	if (own == NULL)
		return -1;
	switch (opt->id) {
	case OPT_COLUMNS:
		own->columns = value;
		return 0;
	case OPT_SORT:
		own->sort = value;
		return 0;
	case OPT_LIMIT:
		return qt_parse_count(value, 0, INT64_MAX, &own->limit, err);
	default:
		return 1;
	}
}

/* ---- what to select ---- */

/* The table's columns, in the order of enum table_column. */
static const char table_columns[] =
    "queue_id || CASE queue_name WHEN 'active' THEN '*' WHEN 'hold' THEN '!' "
    "ELSE '' END || CASE WHEN forced_expire THEN '#' ELSE '' END, "
    "queue_name, age(arrival_time), message_size, sasl_username, sender_shown, "
    "recipients ->> '$[0].address', rcpt_todo, "
    "CASE WHEN state = 'ok' THEN delay_reason "
    "ELSE state || coalesce(': ' || error, '') END, host";

enum table_column {
	T_ID, T_QUEUE, T_AGE, T_SIZE, T_LOGIN, T_SENDER, T_RCPT, T_NRCPT, T_REASON,
	T_HOST
};

static int add_name(void *ctx, const char *name, struct qt_error *err)
{
	struct qt_buf *b = ctx;

	qt_buf_addf(b, "%s%s", b->len != 0 ? ", " : "", name);
	return qt_buf_check(b, err);
}

/* The columns of JSON are one that has them all, and is made in parallel. */
static bool are_objects(const struct ctx *c, const struct own *own)
{
	return own->columns == NULL &&
	    (c->format == QT_FMT_JSON || c->format == QT_FMT_JSONL);
}

static int columns_for(const struct ctx *c, const struct own *own,
    struct qt_buf *out, struct qt_error *err)
{
	if (own->columns != NULL)
		return each_column(own->columns, add_name, out, err);
	switch (c->format) {
	case QT_FMT_TABLE:
		qt_buf_adds(out, table_columns);
		break;
	case QT_FMT_IDS:
	case QT_FMT_IDS0:
		qt_buf_adds(out, "queue_id");
		break;
	case QT_FMT_JSON:
	case QT_FMT_JSONL:
		qt_buf_adds(out, "as_json");
		break;
	case QT_FMT_CSV:
	case QT_FMT_TSV:
	default:
		json_columns(out);
		break;
	}
	return qt_buf_check(out, err);
}

/* The column that a member of that name shows. */
static const char *shown_by(const char *name)
{
	const char *member, *from;
	size_t i;

	for (i = 0; qt_db_json_member(i, &member, &from); i++)
		if (strcmp(member, name) == 0)
			return from;
	return name;
}

/* ORDER BY and LIMIT; names were checked, so they can be part of the text. */
static int tail_for(const struct ctx *c, const struct own *own,
    struct qt_buf *out, struct qt_error *err)
{
	const char *order;
	char name[64];
	size_t len;

	if (own->sort != NULL) {
		len = strcspn(own->sort, ":");
		order = own->sort + len;
		if (len == 0 || len >= sizeof(name) ||
		    (strcmp(order, "") != 0 && strcmp(order, ":desc") != 0 &&
			strcmp(order, ":asc") != 0))
			return qt_fail(err, QT_E_USAGE, "--sort",
			    "not COLUMN, COLUMN:asc or COLUMN:desc: %s",
			    own->sort);
		memcpy(name, own->sort, len);
		name[len] = '\0';
		if (check_column(name, err) != 0)
			return -1;
		qt_buf_addf(out, "ORDER BY %s%s",
		    are_objects(c, own) ? shown_by(name) : name,
		    strcmp(order, ":desc") == 0 ? " DESC" : "");
	}
	if (own->limit != 0)
		qt_buf_addf(out, "%sLIMIT %lld", out->len != 0 ? " " : "",
		    (long long)own->limit);
	return qt_buf_check(out, err);
}

/* ---- the table for reading ---- */

static void put_text(struct qt_output *o, const struct qt_stmt *st, int i)
{
	const char *text;
	size_t len;

	if (qt_stmt_type(st, i) == QT_COL_NULL) {
		qt_output_null(o);
		return;
	}
	text = qt_stmt_text(st, i, &len);
	qt_output_text(o, text, len);
}

static void put_age(struct qt_output *o, const struct qt_stmt *st)
{
	char age[16];

	if (qt_stmt_type(st, T_AGE) == QT_COL_NULL) {
		qt_output_null(o);
		return;
	}
	(void)human_age(qt_stmt_int(st, T_AGE), age);
	qt_output_text(o, age, strlen(age));
}

/* "user@example.org +12" */
static void put_recipients(struct qt_output *o, const struct qt_stmt *st)
{
	int64_t n = qt_stmt_int(st, T_NRCPT);
	struct qt_buf b;
	const char *first;
	size_t len;

	if (qt_stmt_type(st, T_RCPT) == QT_COL_NULL) {
		qt_output_null(o);
		return;
	}
	first = qt_stmt_text(st, T_RCPT, &len);
	qt_buf_init(&b, 0);
	qt_buf_add(&b, first, len);
	if (n > 1)
		qt_buf_addf(&b, " +%lld", (long long)(n - 1));
	qt_output_text(o, qt_buf_str(&b), b.len);
	qt_buf_release(&b);
}

static int put_line(const struct ctx *c, struct qt_output *o,
    const struct qt_stmt *st, struct qt_error *err)
{
	if (several_hosts(c))
		put_text(o, st, T_HOST);
	put_text(o, st, T_ID);
	put_text(o, st, T_QUEUE);
	put_age(o, st);
	if (qt_stmt_type(st, T_SIZE) == QT_COL_NULL)
		qt_output_null(o);
	else
		qt_output_bytes(o, qt_stmt_int(st, T_SIZE));
	put_text(o, st, T_LOGIN);
	put_text(o, st, T_SENDER);
	put_recipients(o, st);
	put_text(o, st, T_REASON);
	return qt_output_end_row(o, err);
}

static int put_lines(struct ctx *c, struct qt_stmt *st, struct qt_output *o,
    uint64_t *rows, struct qt_error *err)
{
	int r;

	while ((r = qt_stmt_step(st, err)) == 0) {
		if (c->tty_out) { /* rows and progress share the terminal */
			progress_end(c);
			c->progress.off = true;
		}
		if (put_line(c, o, st, err) != 0)
			return -1;
		++*rows;
	}
	return r < 0 && err->code != QT_E_INTERRUPTED ? -1 : 0;
}

/* A share of the columns left, at least min and at most max. */
static unsigned part(unsigned left, unsigned percent, unsigned min,
    unsigned max)
{
	unsigned n = left * percent / 100;

	return n < min ? min : n > max ? max : n;
}

/*
 * Long values are cut to the terminal; what is not a terminal gets all of
 * them (the output looks at max_width only where there is a width).
 */
static int print_table(struct ctx *c, struct qt_stmt *st, uint64_t *rows,
    struct qt_error *err)
{
	/* ID, queue, age and size with their gaps take about 50 */
	unsigned left = c->width > 80 ? c->width - 50 : 30;
	const struct qt_outcol cols[] = {
	    {"host", QT_LEFT, 24}, /* of several queues only */
	    /* no ID is that long, but a foreign file's name may be */
	    {"queue_id", QT_LEFT, 24}, {"queue", QT_LEFT, 0},
	    {"age", QT_RIGHT, 0}, {"size", QT_RIGHT, 0},
	    {"login", QT_LEFT, part(left, 20, 12, 30)},
	    {"sender", QT_LEFT, part(left, 20, 12, 30)},
	    {"recipients", QT_LEFT, part(left, 25, 14, 40)},
	    {"reason", QT_LEFT, part(left, 30, 16, 200)}};
	size_t skip = several_hosts(c) ? 0 : 1;
	struct qt_error late = {0};
	struct qt_output *o = NULL;
	int r;

	if (qt_output_new(&o, stdout, QT_FMT_TABLE, cols + skip,
		sizeof(cols) / sizeof(cols[0]) - skip, c->width, c->color,
		err) != 0)
		return -1;
	r = put_lines(c, st, o, rows, err);
	if (qt_output_finish(o, &late) != 0 && r == 0) {
		*err = late;
		r = -1;
	}
	qt_output_free(o);
	return r;
}

/* ---- JSON ---- */

static int put_objects(struct ctx *c, struct qt_stmt *st, struct qt_output *o,
    uint64_t *rows, struct qt_error *err)
{
	const char *text;
	size_t len;
	int r;

	while ((r = qt_stmt_step(st, err)) == 0) {
		if (c->tty_out) { /* rows and progress share the terminal */
			progress_end(c);
			c->progress.off = true;
		}
		text = qt_stmt_text(st, 0, &len);
		if (qt_output_object(o, text, len, err) != 0)
			return -1;
		++*rows;
	}
	return r < 0 && err->code != QT_E_INTERRUPTED ? -1 : 0;
}

static int print_objects(struct ctx *c, struct qt_stmt *st, uint64_t *rows,
    struct qt_error *err)
{
	const struct qt_outcol col = {.name = "as_json"};
	struct qt_error late = {0};
	struct qt_output *o = NULL;
	int r;

	if (qt_output_new(&o, stdout, c->format, &col, 1, 0, false, err) != 0)
		return -1;
	r = put_objects(c, st, o, rows, err);
	if (qt_output_finish(o, &late) != 0 && r == 0) {
		*err = late;
		r = -1;
	}
	qt_output_free(o);
	return r;
}

/* ---- the command ---- */

static int print(struct ctx *c, const struct own *own, const char *columns,
    const char *tail, struct qt_error *err)
{
	struct qt_stmt *st = NULL;
	uint64_t rows = 0;
	int r;

	if (open_messages(c, columns, tail, &st, err) != 0)
		return complain(err);
	if (c->format == QT_FMT_TABLE && own->columns == NULL)
		r = print_table(c, st, &rows, err);
	else if (are_objects(c, own))
		r = print_objects(c, st, &rows, err);
	else
		r = print_rows(c, st, &rows, err);
	qt_stmt_close(st);
	if (r != 0) {
		progress_end(c);
		return complain(err);
	}
	return rows != 0 ? finish_scan(c, EXIT_DONE) : finish_nothing(c);
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	struct qt_buf columns, tail;
	const struct own *own;
	int status;

	(void)argc, (void)argv; /* IDs: in the selection already */
	own = own_options(c, sizeof(*own), &err);
	qt_buf_init(&columns, 0);
	qt_buf_init(&tail, 0);
	if (own == NULL || columns_for(c, own, &columns, &err) != 0 ||
	    tail_for(c, own, &tail, &err) != 0)
		status = complain(&err);
	else if (c->explain)
		status = explain_messages(c, qt_buf_str(&columns),
		    qt_buf_str(&tail));
	else
		status = print(c, own, qt_buf_str(&columns), qt_buf_str(&tail),
		    &err);
	qt_buf_release(&columns);
	qt_buf_release(&tail);
	return status;
}

static const struct qt_option own_table[] = {
    {"columns", 'C', "COLUMN[,...]", OPT_COLUMNS,
	"these columns of messages, in this order"},
    {"sort", 's', "COLUMN[:desc]", OPT_SORT, "sort by a column"},
    {"limit", 'n', "N", OPT_LIMIT, "at most N messages"},
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"List", own_table},
    {"Selection", selection_options},
    {"Output", view_options},
};

const struct cmd cmd_list = {
    .name = "list",
    .summary = "one line a message",
    .operands = "[ID ...]",
    .about =
	"Lists the messages of every queue that the selection matches; all of\n"
	"them without one.  In the table, * after an ID is active, ! hold and #\n"
	"forced expiry, as in mailq.  JSON has the members of postqueue -j under\n"
	"the same names and more.",
    .examples =
	"  qtool list --sasl joe@victim.example --older 2h\n"
	"  qtool list --queue deferred --reason 'blocked|spamhaus' --json\n"
	"  qtool list -w \"rcpt_total > 50\" --sort rcpt_total:desc --limit 20\n"
	"  qtool list --null-sender --format ids | wc -l",
    .groups = groups,
    .ngroups = 3,
    .needs = NEED_DB | READS_TX | READS_COPIES,
    .operands_are_ids = true,
    .max_operands = -1,
    .option = option,
    .run = run,
};
