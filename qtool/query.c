/*
 * query.c - qtool query: read-only SQL over the tables, in every format; and
 * what tables and columns there are.
 */
#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qtool/escape.h"

enum { OPT_FILE = OPT_OWN, OPT_TABLES, OPT_COLUMNS };

#define SQL_MAX ((size_t)1 << 20) /* bytes of a statement in a file */

struct own {
	const char *file;    /* -f; "-": standard input */
	bool tables;	     /* --tables */
	const char *columns; /* --columns TABLE */
};

static const struct {
	const char *name, *help;
} tables[] = {
    {"messages", "one row a file in a queue"},
    {"recipients", "one row a recipient of a message"},
    {"headers", "one row a header field"},
    {"records", "one row a record of a queue file"},
};
#define NTABLES (sizeof(tables) / sizeof(tables[0]))

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct own *own = own_options(ctx, sizeof(*own), err);

	if (own == NULL)
		return -1;
	switch (opt->id) {
	case OPT_FILE:
		own->file = value;
		return 0;
	case OPT_TABLES:
		own->tables = true;
		return 0;
	case OPT_COLUMNS:
		own->columns = value;
		return 0;
	default:
		return 1;
	}
}

/* ---- --tables, --columns ---- */

static int names_output(struct ctx *c, const char *second,
    struct qt_output **o, struct qt_error *err)
{
	const struct qt_outcol cols[] = {{"name", QT_LEFT, 0},
	    {second, QT_LEFT, 0}, {"help", QT_LEFT, 0}};

	return qt_output_new(o, stdout, c->format, cols, 3, c->width, c->color,
	    err);
}

static int put_names(struct qt_output *o, const char *name, const char *second,
    const char *help, struct qt_error *err)
{
	qt_output_text(o, name, strlen(name));
	qt_output_text(o, second, strlen(second));
	qt_output_text(o, help, strlen(help));
	return qt_output_end_row(o, err);
}

static int put_tables(struct qt_output *o, struct qt_error *err)
{
	const struct qt_column *col;
	char n[16];
	size_t i;
	int k;

	for (i = 0; i < NTABLES; i++) {
		k = 0;
		for (col = qt_db_columns(tables[i].name); col->name != NULL; col++)
			k += !col->hidden;
		(void)snprintf(n, sizeof(n), "%d", k);
		if (put_names(o, tables[i].name, n, tables[i].help, err) != 0)
			return -1;
	}
	return 0;
}

static int put_columns(struct qt_output *o, const char *table,
    struct qt_error *err)
{
	const struct qt_column *col = qt_db_columns(table);

	for (; col->name != NULL; col++)
		if (!col->hidden &&
		    put_names(o, col->name, col->type, col->help, err) != 0)
			return -1;
	return 0;
}

static int check_table(const char *table, struct qt_error *err)
{
	const char *names[NTABLES + 1], *near;
	size_t i;

	if (qt_db_columns(table) != NULL)
		return 0;
	for (i = 0; i < NTABLES; i++)
		names[i] = tables[i].name;
	names[i] = NULL;
	near = closest_word(table, names);
	return near != NULL
	    ? qt_fail(err, QT_E_USAGE, table,
		  "no such table; did you mean %s?", near)
	    : qt_fail(err, QT_E_USAGE, table,
		  "no such table; see qtool query --tables");
}

/* table NULL: the list of tables. */
static int describe(struct ctx *c, const char *table)
{
	struct qt_error err = {0};
	struct qt_output *o = NULL;
	int r = 0;

	if (table != NULL)
		r = check_table(table, &err);
	if (r == 0)
		r = names_output(c, table != NULL ? "type" : "columns", &o, &err);
	if (r == 0)
		r = table != NULL ? put_columns(o, table, &err)
				  : put_tables(o, &err);
	if (r == 0)
		r = qt_output_finish(o, &err);
	qt_output_free(o);
	return r == 0 ? EXIT_DONE : complain(&err);
}

/* ---- the statement ---- */

static int read_all(int fd, struct qt_buf *sql, const char *name,
    struct qt_error *err)
{
	char part[4096];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return qt_fail_sys(err, "read", name);
		qt_buf_add(sql, part, (size_t)n);
	}
	return qt_buf_check(sql, err);
}

static int read_file(const char *name, struct qt_buf *sql, struct qt_error *err)
{
	int fd, r;

	if (strcmp(name, "-") == 0)
		return read_all(STDIN_FILENO, sql, "standard input", err);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return qt_fail_sys(err, "open", name);
	r = read_all(fd, sql, name, err);
	(void)close(fd);
	return r;
}

/* The line that SQLite did not like, and a mark below the place. */
static void point_at(const char *sql, int64_t offset)
{
	const char *at, *start, *end;
	struct qt_buf b;
	size_t width;

	if (offset < 0 || offset > (int64_t)strlen(sql))
		return;
	at = start = sql + offset;
	while (start > sql && start[-1] != '\n')
		start--;
	end = at + strcspn(at, "\n");
	qt_buf_init(&b, 0);
	qt_escape_term(&b, start, (size_t)(at - start));
	width = qt_term_width(qt_buf_str(&b), b.len);
	qt_escape_term(&b, at, (size_t)(end - at));
	(void)fprintf(stderr, "  %s\n  %*s^\n", qt_buf_str(&b), (int)width, "");
	qt_buf_release(&b);
}

static int run_sql(struct ctx *c, const char *sql)
{
	struct qt_error err = {0};
	struct qt_stmt *st = NULL;
	uint64_t rows = 0;
	int r, status;

	r = qt_stmt_open(&st, c->db, sql, NULL, 0, &err);
	if (r == 0)
		r = print_rows(c, st, &rows, &err);
	qt_stmt_close(st);
	if (r == 0)
		return rows != 0 ? finish_scan(c, EXIT_DONE) : finish_nothing(c);
	progress_end(c);
	status = complain(&err);
	if (status == EXIT_USAGE)
		point_at(sql, err.offset);
	return status;
}

static int check_operands(const struct own *own, int argc, struct qt_error *err)
{
	bool describing = own->tables || own->columns != NULL;

	if (describing && (argc != 0 || own->file != NULL))
		return qt_fail(err, QT_E_USAGE, "query",
		    "--tables and --columns go without SQL");
	if (!describing && (argc == 1) == (own->file != NULL))
		return qt_fail(err, QT_E_USAGE, "query",
		    "one statement is needed: SQL, or --file FILE");
	return 0;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	const struct own *own = own_options(c, sizeof(*own), &err);
	struct qt_buf sql;
	int status;

	if (own == NULL || check_operands(own, argc, &err) != 0)
		return complain(&err);
	if (own->tables || own->columns != NULL)
		return describe(c, own->columns);
	qt_buf_init(&sql, SQL_MAX);
	if (argc == 1)
		qt_buf_adds(&sql, argv[0]);
	if ((argc == 0 && read_file(own->file, &sql, &err) != 0) ||
	    qt_buf_check(&sql, &err) != 0 || open_needs(c, NEED_DB, &err) != 0)
		status = complain(&err);
	else
		status = run_sql(c, qt_buf_str(&sql));
	qt_buf_release(&sql);
	return status;
}

static const struct qt_option own_table[] = {
    {"file", 'f', "FILE", OPT_FILE,
	"read the SQL from a file; - is standard input"},
    {"tables", 0, NULL, OPT_TABLES, "print the tables"},
    {"columns", 0, "TABLE", OPT_COLUMNS, "print the columns of a table"},
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Query", own_table},
    {"Output", output_options},
};

const struct cmd cmd_query = {
    .name = "query",
    .summary = "read-only SQL over the queue's tables",
    .operands = "[SQL]",
    .about =
	"The tables are messages, recipients, headers and records; beside\n"
	"SQLite's functions there are REGEXP, cidr, domain, org, has, age and\n"
	"count_unique.  Only SELECT is allowed.",
    .examples =
	"  qtool query --columns messages\n"
	"  qtool query \"SELECT class, count(*) FROM messages GROUP BY 1\"\n"
	"  qtool query \"SELECT domain, count(*) AS n FROM recipients WHERE state =\n"
	"    'todo' GROUP BY 1 ORDER BY n DESC LIMIT 20\" --format csv",
    .groups = groups,
    .ngroups = 2,
    .needs = READS_TX | READS_COPIES,
    .max_operands = 1,
    .option = option,
    .run = run,
};
