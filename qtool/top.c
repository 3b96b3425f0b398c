/*
 * top.c - qtool top: who sends how much.
 *
 * One GROUP BY over the selection, by login unless told otherwise, and the
 * share of each group in all of them.  What is no message (a foreign entry in
 * a queue directory) is not counted.
 */
#include "cmd.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPT_BY = OPT_OWN, OPT_SORT, OPT_LIMIT };

#define LIMIT_TABLE 20 /* groups in a table; all of them elsewhere */
#define MAX_BY 8       /* columns to group by */
#define NARROW 110     /* terminal columns that do not hold a whole line */
#define NARROW_SUMS 52 /* what the sums with their gaps take there */

struct own {
	const char *by; /* --by; NULL: sasl_username */
	const char *sort;
	int64_t limit; /* 0: all */
	bool limit_set;
};

/* What a group's weight can be: --sort, and the expression that sums it up. */
static const struct {
	const char *name, *sum;
} weights[] = {
    {"messages", "count(*)"},
    {"recipients", "coalesce(sum(rcpt_total), 0)"},
    {"bytes", "coalesce(sum(message_size), 0)"},
};

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct own *own = own_options(ctx, sizeof(*own), err);

	if (own == NULL)
		return -1;
	switch (opt->id) {
	case OPT_BY:
		own->by = value;
		return 0;
	case OPT_SORT:
		own->sort = value;
		return 0;
	case OPT_LIMIT:
		own->limit_set = true;
		return qt_parse_count(value, 0, INT64_MAX, &own->limit, err);
	default:
		return 1;
	}
}

/* ---- the statement ---- */

/* The columns after the grouped ones, in this order. */
enum sum_column {
	S_MESSAGES, S_RECIPIENTS, S_SENDERS, S_CLIENTS, S_BYTES, S_FIRST,
	S_LAST, S_WEIGHT, S_ALL, S_GROUPS, S_COUNT
};

struct grouping {
	char name[MAX_BY][64];
	int n;
};

static int add_group(void *ctx, const char *name, struct qt_error *err)
{
	struct grouping *g = ctx;

	if (g->n == MAX_BY)
		return qt_fail(err, QT_E_USAGE, "--by",
		    "more than %d columns", MAX_BY);
	(void)snprintf(g->name[g->n++], sizeof(g->name[0]), "%s", name);
	return 0;
}

static void add_names(struct qt_buf *b, const struct grouping *g)
{
	int i;

	for (i = 0; i < g->n; i++)
		qt_buf_addf(b, "%s%s", i != 0 ? ", " : "", g->name[i]);
}

static int find_weight(const char *name, const char **sum, struct qt_error *err)
{
	size_t i;

	for (i = 0; i < sizeof(weights) / sizeof(weights[0]); i++)
		if (name == NULL || strcmp(weights[i].name, name) == 0) {
			*sum = weights[i].sum;
			return 0;
		}
	return qt_fail(err, QT_E_USAGE, "--sort",
	    "not messages, recipients or bytes: %s", name);
}

static int statement(const struct own *own, const struct grouping *g,
    struct qt_buf *columns, struct qt_buf *tail, struct qt_error *err)
{
	const char *sum = weights[0].sum;

	if (find_weight(own->sort, &sum, err) != 0)
		return -1;
	add_names(columns, g);
	qt_buf_addf(columns,
	    ", count(*) AS messages, coalesce(sum(rcpt_total), 0) AS recipients"
	    ", count_unique(sender) AS senders"
	    ", count_unique(client_address) AS clients"
	    ", coalesce(sum(message_size), 0) AS bytes"
	    ", min(arrival_time) AS first, max(arrival_time) AS last"
	    ", %s AS weight, sum(%s) OVER () AS weight_of_all"
	    ", count(*) OVER () AS groups",
	    sum, sum);
	qt_buf_adds(tail, "AND state <> 'foreign' GROUP BY ");
	add_names(tail, g);
	qt_buf_adds(tail, " ORDER BY weight DESC, ");
	add_names(tail, g);
	if (own->limit != 0)
		qt_buf_addf(tail, " LIMIT %lld", (long long)own->limit);
	return qt_buf_check(columns, err) != 0 ? -1 : qt_buf_check(tail, err);
}

/* ---- output ---- */

static double share(const struct qt_stmt *st, int n)
{
	double all = (double)qt_stmt_int(st, n + S_ALL);
	double tenths;

	if (all <= 0)
		return 0;
	tenths = (double)qt_stmt_int(st, n + S_WEIGHT) * 1000 / all;
	return (double)(int64_t)(tenths + 0.5) / 10;
}

/* "11-24 04:22": the year only where it is not this one. */
static void put_short_time(struct qt_output *o, const struct qt_stmt *st, int i)
{
	time_t now = time(NULL), t = (time_t)qt_stmt_int(st, i);
	bool near = t <= now + 86400 && t > now - 300 * (time_t)86400;
	struct tm tm;
	char s[32];

	if (qt_stmt_type(st, i) == QT_COL_NULL ||
	    localtime_r(&t, &tm) == NULL ||
	    strftime(s, sizeof(s), near ? "%m-%d %H:%M" : "%Y-%m-%d", &tm) == 0)
		qt_output_null(o);
	else
		qt_output_text(o, s, strlen(s));
}

static void put_bar(struct qt_output *o, double percent, unsigned width)
{
	unsigned n = (unsigned)(percent * width / 100 + 0.5), i;
	char bar[64];

	if (n == 0 && percent > 0)
		n = 1;
	for (i = 0; i < n && i < sizeof(bar); i++)
		bar[i] = '#';
	qt_output_text(o, bar, i);
}

/* Only a table shows who is behind an empty login. */
static void put_key(const struct ctx *c, struct qt_output *o,
    const struct qt_stmt *st, int i)
{
	static const char none[] = "- (no login)";

	if (c->format == QT_FMT_TABLE && qt_stmt_type(st, i) == QT_COL_NULL &&
	    strcmp(qt_stmt_colname(st, i), "sasl_username") == 0)
		qt_output_text(o, none, sizeof(none) - 1);
	else
		put_value(o, st, i);
}

/*
 * A terminal of 80 columns gets a table without bytes, first arrival and bar:
 * a login has to be read and copied whole, the rest can wait for --json.
 */
static bool narrow(const struct ctx *c)
{
	return c->width != 0 && c->width < NARROW;
}

static void put_share(const struct ctx *c, struct qt_output *o, double percent)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%.1f%%", percent);
	qt_output_text(o, text, strlen(text));
	if (!narrow(c))
		put_bar(o, percent, c->width >= 130 || c->width == 0 ? 20 : 10);
}

static int put_group(const struct ctx *c, struct qt_output *o,
    const struct qt_stmt *st, int n, struct qt_error *err)
{
	bool table = c->format == QT_FMT_TABLE;
	int i;

	for (i = 0; i < n; i++)
		put_key(c, o, st, i);
	for (i = S_MESSAGES; i <= S_LAST; i++) {
		if (table && narrow(c) && (i == S_BYTES || i == S_FIRST))
			continue;
		if (table && i >= S_FIRST)
			put_short_time(o, st, n + i);
		else
			put_value(o, st, n + i);
	}
	if (table)
		put_share(c, o, share(st, n));
	else
		qt_output_real(o, share(st, n));
	return qt_output_end_row(o, err);
}

/* How wide one of n values to count by may be on a narrow terminal. */
static unsigned key_width(unsigned width, int n)
{
	unsigned left = width > NARROW_SUMS ? width - NARROW_SUMS : 0;

	left /= (unsigned)n;
	/* an IPv4 address is never cut */
	return left < 18 ? 16 : left - (n > 1 ? 2 : 0);
}

static int open_output(struct ctx *c, const struct grouping *g,
    struct qt_output **o, struct qt_error *err)
{
	static const struct qt_outcol sums[] = {
	    {"messages", QT_RIGHT, 0}, {"recipients", QT_RIGHT, 0},
	    {"senders", QT_RIGHT, 0}, {"clients", QT_RIGHT, 0},
	    {"bytes", QT_RIGHT, 0}, {"first", QT_LEFT, 0}, {"last", QT_LEFT, 0},
	    {"share", QT_RIGHT, 0}, {"bar", QT_LEFT, 0}};
	static const struct qt_outcol few[] = {
	    {"msgs", QT_RIGHT, 0}, {"rcpts", QT_RIGHT, 0},
	    {"senders", QT_RIGHT, 0}, {"clients", QT_RIGHT, 0},
	    {"last", QT_LEFT, 0}, {"share", QT_RIGHT, 0}};
	struct qt_outcol cols[MAX_BY + sizeof(sums) / sizeof(sums[0])];
	size_t n = (size_t)g->n, nsums = sizeof(sums) / sizeof(sums[0]), i;
	bool table = c->format == QT_FMT_TABLE;
	unsigned key = 40;

	if (table && narrow(c))
		key = key_width(c->width, g->n);
	for (i = 0; i < n; i++)
		cols[i] = (struct qt_outcol){g->name[i], QT_LEFT, key};
	if (table && narrow(c)) {
		nsums = sizeof(few) / sizeof(few[0]);
		memcpy(cols + n, few, sizeof(few));
	} else {
		memcpy(cols + n, sums, sizeof(sums));
		if (!table)
			nsums--; /* the bar is for the eye */
	}
	return qt_output_new(o, stdout, c->format, cols, n + nsums, c->width,
	    c->color, err);
}

struct shown {
	int64_t groups; /* there are, of which */
	int64_t rows;	/* were printed */
};

static int put_groups(struct ctx *c, struct qt_output *o, struct qt_stmt *st,
    int n, struct shown *shown, struct qt_error *err)
{
	int r;

	while ((r = qt_stmt_step(st, err)) == 0) {
		progress_end(c);
		shown->groups = qt_stmt_int(st, n + S_GROUPS);
		shown->rows++;
		if (put_group(c, o, st, n, err) != 0)
			return -1;
	}
	return r < 0 && err->code != QT_E_INTERRUPTED ? -1 : 0;
}

static int print(struct ctx *c, const struct grouping *g, struct qt_stmt *st,
    struct shown *shown, struct qt_error *err)
{
	struct qt_error late = {0};
	struct qt_output *o = NULL;
	int r;

	if (open_output(c, g, &o, err) != 0)
		return -1;
	r = put_groups(c, o, st, g->n, shown, err);
	if (qt_output_finish(o, &late) != 0 && r == 0) {
		*err = late;
		r = -1;
	}
	qt_output_free(o);
	return r;
}

static int show(struct ctx *c, const struct grouping *g, const char *columns,
    const char *tail)
{
	struct shown shown = {0};
	struct qt_error err = {0};
	struct qt_stmt *st = NULL;
	int r;

	r = open_messages(c, columns, tail, &st, &err);
	if (r == 0)
		r = print(c, g, st, &shown, &err);
	qt_stmt_close(st);
	if (r != 0) {
		progress_end(c);
		return complain(&err);
	}
	if (shown.groups > shown.rows && c->format == QT_FMT_TABLE && !c->quiet) {
		(void)fflush(stdout);
		remark("%lld of %lld shown; --limit 0 shows all",
		    (long long)shown.rows, (long long)shown.groups);
	}
	return shown.rows != 0 ? finish_scan(c, EXIT_DONE) : finish_nothing(c);
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct grouping g = {.n = 0};
	struct qt_buf columns, tail;
	struct qt_error err = {0};
	struct own *own;
	int status;

	(void)argc, (void)argv; /* IDs: in the selection already */
	own = own_options(c, sizeof(*own), &err);
	if (own == NULL)
		return complain(&err);
	if (!own->limit_set && c->format == QT_FMT_TABLE)
		own->limit = LIMIT_TABLE;
	qt_buf_init(&columns, 0);
	qt_buf_init(&tail, 0);
	if (each_column(own->by != NULL ? own->by : "sasl_username", add_group,
		&g, &err) != 0 ||
	    statement(own, &g, &columns, &tail, &err) != 0)
		status = complain(&err);
	else if (c->explain)
		status = explain_messages(c, qt_buf_str(&columns),
		    qt_buf_str(&tail));
	else
		status = show(c, &g, qt_buf_str(&columns), qt_buf_str(&tail));
	qt_buf_release(&columns);
	qt_buf_release(&tail);
	return status;
}

static const struct qt_option own_table[] = {
    {"by", 'b', "COLUMN[,...]", OPT_BY,
	"count by these columns of messages (sasl_username)"},
    {"sort", 's', "WEIGHT", OPT_SORT,
	"messages (default), recipients or bytes"},
    {"limit", 'n', "N", OPT_LIMIT,
	"at most N groups, 0 all (20 in a table, else all)"},
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Top", own_table},
    {"Selection", selection_options},
    {"Output", view_options},
};

const struct cmd cmd_top = {
    .name = "top",
    .summary = "who sends how much: counts by login or any columns",
    .operands = "[ID ...]",
    .about =
	"For each login, or each value of the columns given: messages,\n"
	"recipients, different senders and client addresses, bytes, first and\n"
	"last arrival, and the share of all that the selection matches.  A\n"
	"narrow terminal gets a table without bytes, first arrival and bar.",
    .examples =
	"  qtool top\n"
	"  qtool top -b sender_domain --sort recipients\n"
	"  qtool top -b client_address,helo_name --sasl joe@victim.example\n"
	"  qtool top -b delay_reason --queue deferred --json",
    .groups = groups,
    .ngroups = 3,
    .needs = NEED_DB,
    .operands_are_ids = true,
    .max_operands = -1,
    .option = option,
    .run = run,
};
