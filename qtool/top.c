/*
 * top.c - qtool top: who sends how much.
 *
 * The selection's rows counted by login unless told otherwise, and the share of
 * each group in all of them.  What is no message (a foreign entry in a queue
 * directory) is not counted.
 *
 * The rows are counted as they come (qtool/group.h).  Where there are too many
 * groups for memory, by message ID say, SQL's GROUP BY does the same: it sorts,
 * on disk if need be.
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
#define GROUPS_MAX ((size_t)12 << 20) /* bytes for groups; more: GROUP BY */

struct own {
	const char *by; /* --by; NULL: sasl_username */
	const char *sort;
	int64_t limit; /* 0: all */
	bool limit_set;
};

/* What a group's weight can be: --sort, and the expression that sums it up. */
static const struct weight {
	const char *name, *sum;
	enum qt_group_weight by;
} weights[] = {
    {"messages", "count(*)", QT_BY_MESSAGES},
    {"recipients", "coalesce(sum(rcpt_total), 0)", QT_BY_RECIPIENTS},
    {"bytes", "coalesce(sum(message_size), 0)", QT_BY_BYTES},
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

/* ---- the statements ---- */

/* GROUP BY's columns after the grouped ones, in this order. */
enum sum_column {
	S_MESSAGES, S_RECIPIENTS, S_SENDERS, S_CLIENTS, S_BYTES, S_FIRST,
	S_LAST, S_ALL, S_GROUPS
};

struct grouping {
	char name[MAX_BY][64];
	int n;
	const struct weight *weight;
	int64_t limit;	 /* groups shown; 0: all */
	int64_t weighed; /* the weights of all groups together */
	int64_t groups;	 /* there are, of which */
	int64_t shown;	 /* were printed */
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

static int find_weight(struct grouping *g, const char *name,
    struct qt_error *err)
{
	size_t i;

	for (i = 0; i < sizeof(weights) / sizeof(weights[0]); i++)
		if (name == NULL || strcmp(weights[i].name, name) == 0) {
			g->weight = &weights[i];
			return 0;
		}
	return qt_fail(err, QT_E_USAGE, "--sort",
	    "not messages, recipients or bytes: %s", name);
}

/* The rows themselves: the columns that qt_groups_add() wants. */
static void rows_statement(const struct grouping *g, struct qt_buf *columns,
    struct qt_buf *tail)
{
	add_names(columns, g);
	qt_buf_adds(columns, ", rcpt_total, message_size, arrival_time, sender"
	    ", client_address");
	qt_buf_adds(tail, "AND state <> 'foreign'");
}

/* The same counts, made by SQL. */
static void group_by_statement(const struct grouping *g, struct qt_buf *columns,
    struct qt_buf *tail)
{
	add_names(columns, g);
	qt_buf_addf(columns,
	    ", count(*) AS messages, coalesce(sum(rcpt_total), 0) AS recipients"
	    ", count_unique(sender) AS senders"
	    ", count_unique(client_address) AS clients"
	    ", coalesce(sum(message_size), 0) AS bytes"
	    ", min(arrival_time) AS first, max(arrival_time) AS last"
	    ", sum(%s) OVER () AS weight_of_all, count(*) OVER () AS groups",
	    g->weight->sum);
	qt_buf_adds(tail, "AND state <> 'foreign' GROUP BY ");
	add_names(tail, g);
	qt_buf_addf(tail, " ORDER BY %s DESC, ", g->weight->sum);
	add_names(tail, g);
	if (g->limit != 0)
		qt_buf_addf(tail, " LIMIT %lld", (long long)g->limit);
}

/* ---- output ---- */

static double share(const struct grouping *g, const struct qt_group *group)
{
	double all = (double)g->weighed, tenths;

	if (all <= 0)
		return 0;
	tenths = (double)qt_group_weigh(group, g->weight->by) * 1000 / all;
	return (double)(int64_t)(tenths + 0.5) / 10;
}

/* "11-24 04:22": the year only where it is not this one. */
static void put_short_time(struct qt_output *o, time_t t)
{
	time_t now = time(NULL);
	bool near = t <= now + 86400 && t > now - 300 * (time_t)86400;
	struct tm tm;
	char s[32];

	if (localtime_r(&t, &tm) == NULL ||
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
    const struct qt_stmt *st, int i, const struct qt_value *v)
{
	static const char none[] = "- (no login)";

	if (c->format == QT_FMT_TABLE && v->type == QT_COL_NULL &&
	    strcmp(qt_stmt_colname(st, i), "sasl_username") == 0)
		qt_output_text(o, none, sizeof(none) - 1);
	else
		put_typed(o, st, i, v);
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

static void put_time(const struct ctx *c, struct qt_output *o,
    const struct qt_group *group, int64_t t)
{
	if (!group->timed)
		qt_output_null(o);
	else if (c->format == QT_FMT_TABLE)
		put_short_time(o, (time_t)t);
	else
		qt_output_time(o, t);
}

/* st: what the columns are called, and what they are declared as. */
static int put_group(const struct ctx *c, struct qt_output *o,
    const struct qt_stmt *st, const struct grouping *g,
    const struct qt_group *group, struct qt_error *err)
{
	bool table = c->format == QT_FMT_TABLE, few = table && narrow(c);
	int i;

	for (i = 0; i < g->n; i++)
		put_key(c, o, st, i, &group->key[i]);
	qt_output_int(o, group->messages);
	qt_output_int(o, group->recipients);
	qt_output_int(o, group->senders);
	qt_output_int(o, group->clients);
	if (!few) {
		qt_output_bytes(o, group->bytes);
		put_time(c, o, group, group->first);
	}
	put_time(c, o, group, group->last);
	if (table)
		put_share(c, o, share(g, group));
	else
		qt_output_real(o, share(g, group));
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

/* ---- counting as the rows come ---- */

/* 1: too many groups. */
static int count_rows(struct qt_stmt *st, struct qt_groups *groups,
    struct qt_error *err)
{
	int r;

	while ((r = qt_stmt_step(st, err)) == 0)
		if ((r = qt_groups_add(groups, st, err)) != 0)
			return r;
	/* what was read before Ctrl-C is shown, and said to be a part */
	return r < 0 && err->code != QT_E_INTERRUPTED ? -1 : 0;
}

static int put_counted(struct ctx *c, struct qt_output *o,
    const struct qt_stmt *st, struct grouping *g, struct qt_groups *groups,
    struct qt_error *err)
{
	size_t i, n = qt_groups_count(groups);

	g->groups = (int64_t)n;
	g->weighed = 0;
	for (i = 0; i < n; i++)
		if (__builtin_add_overflow(g->weighed, qt_group_weigh(
			qt_groups_at(groups, i), g->weight->by), &g->weighed))
			g->weighed = INT64_MAX;
	qt_groups_sort(groups, g->weight->by);
	for (i = 0; i < n && (g->limit == 0 || (int64_t)i < g->limit); i++) {
		if (put_group(c, o, st, g, qt_groups_at(groups, i), err) != 0)
			return -1;
		g->shown++;
	}
	return 0;
}

static int print_counted(struct ctx *c, struct qt_output *o, struct grouping *g,
    struct qt_error *err)
{
	struct qt_groups *groups = NULL;
	struct qt_buf columns, tail;
	struct qt_stmt *st = NULL;
	int r;

	qt_buf_init(&columns, 0);
	qt_buf_init(&tail, 0);
	rows_statement(g, &columns, &tail);
	r = qt_groups_new(&groups, (size_t)g->n, GROUPS_MAX, err);
	if (r == 0)
		r = open_messages(c, qt_buf_str(&columns), qt_buf_str(&tail),
		    &st, err);
	if (r == 0)
		r = count_rows(st, groups, err);
	progress_end(c);
	if (r == 0)
		r = put_counted(c, o, st, g, groups, err);
	qt_groups_free(groups);
	qt_stmt_close(st);
	qt_buf_release(&columns);
	qt_buf_release(&tail);
	return r;
}

/* ---- GROUP BY ---- */

static void group_of(struct qt_group *group, struct qt_value *key,
    const struct qt_stmt *st, int n)
{
	int i;

	for (i = 0; i < n; i++)
		qt_value_of(&key[i], st, i);
	*group = (struct qt_group){.key = key,
	    .messages = qt_stmt_int(st, n + S_MESSAGES),
	    .recipients = qt_stmt_int(st, n + S_RECIPIENTS),
	    .bytes = qt_stmt_int(st, n + S_BYTES),
	    .senders = qt_stmt_int(st, n + S_SENDERS),
	    .clients = qt_stmt_int(st, n + S_CLIENTS),
	    .first = qt_stmt_int(st, n + S_FIRST),
	    .last = qt_stmt_int(st, n + S_LAST),
	    .timed = qt_stmt_type(st, n + S_FIRST) != QT_COL_NULL};
}

static int put_grouped(struct ctx *c, struct qt_output *o, struct qt_stmt *st,
    struct grouping *g, struct qt_error *err)
{
	struct qt_value key[MAX_BY];
	struct qt_group group;
	int r;

	while ((r = qt_stmt_step(st, err)) == 0) {
		progress_end(c);
		g->groups = qt_stmt_int(st, g->n + S_GROUPS);
		g->weighed = qt_stmt_int(st, g->n + S_ALL);
		group_of(&group, key, st, g->n);
		if (put_group(c, o, st, g, &group, err) != 0)
			return -1;
		g->shown++;
	}
	return r < 0 && err->code != QT_E_INTERRUPTED ? -1 : 0;
}

static int print_grouped(struct ctx *c, struct qt_output *o, struct grouping *g,
    struct qt_error *err)
{
	struct qt_buf columns, tail;
	struct qt_stmt *st = NULL;
	int r;

	qt_buf_init(&columns, 0);
	qt_buf_init(&tail, 0);
	group_by_statement(g, &columns, &tail);
	r = open_messages(c, qt_buf_str(&columns), qt_buf_str(&tail), &st, err);
	if (r == 0)
		r = put_grouped(c, o, st, g, err);
	qt_stmt_close(st);
	qt_buf_release(&columns);
	qt_buf_release(&tail);
	return r;
}

/* ---- the command ---- */

static int print(struct ctx *c, struct grouping *g, struct qt_error *err)
{
	struct qt_error late = {0};
	struct qt_output *o = NULL;
	int r;

	if (open_output(c, g, &o, err) != 0)
		return -1;
	r = print_counted(c, o, g, err);
	if (r > 0) { /* its scan is begun anew */
		qt_db_forget_stats(c->db);
		r = print_grouped(c, o, g, err);
	}
	if (qt_output_finish(o, &late) != 0 && r == 0) {
		*err = late;
		r = -1;
	}
	qt_output_free(o);
	return r;
}

static int show(struct ctx *c, struct grouping *g)
{
	struct qt_error err = {0};

	if (print(c, g, &err) != 0) {
		progress_end(c);
		return complain(&err);
	}
	if (g->groups > g->shown && c->format == QT_FMT_TABLE && !c->quiet) {
		(void)fflush(stdout);
		remark("%lld of %lld shown; --limit 0 shows all",
		    (long long)g->shown, (long long)g->groups);
	}
	return g->shown != 0 ? finish_scan(c, EXIT_DONE) : finish_nothing(c);
}

/* SQL says best what is counted. */
static int explain(struct ctx *c, const struct grouping *g)
{
	struct qt_buf columns, tail;
	int status;

	qt_buf_init(&columns, 0);
	qt_buf_init(&tail, 0);
	group_by_statement(g, &columns, &tail);
	status = explain_messages(c, qt_buf_str(&columns), qt_buf_str(&tail));
	qt_buf_release(&columns);
	qt_buf_release(&tail);
	return status;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct grouping g = {.n = 0};
	struct qt_error err = {0};
	struct own *own;

	(void)argc, (void)argv; /* IDs: in the selection already */
	own = own_options(c, sizeof(*own), &err);
	if (own == NULL)
		return complain(&err);
	if (!own->limit_set && c->format == QT_FMT_TABLE)
		own->limit = LIMIT_TABLE;
	g.limit = own->limit;
	if (each_column(own->by != NULL ? own->by : "sasl_username", add_group,
		&g, &err) != 0 || find_weight(&g, own->sort, &err) != 0)
		return complain(&err);
	return c->explain ? explain(c, &g) : show(c, &g);
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
    .needs = NEED_DB | READS_TX | READS_COPIES,
    .operands_are_ids = true,
    .max_operands = -1,
    .option = option,
    .run = run,
};
