/*
 * rows.c - from a selection to a statement, and from a statement to output:
 * what every view does in the same way.
 */
#include "cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "qtool/escape.h"

/* ---- columns ---- */

int check_column(const char *name, struct qt_error *err)
{
	const struct qt_column *cols = qt_db_columns("messages");
	const char *names[128], *near;
	size_t i, n = 0;

	for (i = 0; cols[i].name != NULL; i++) {
		if (strcmp(cols[i].name, name) == 0)
			return 0;
		if (!cols[i].hidden && n < 127)
			names[n++] = cols[i].name;
	}
	names[n] = NULL;
	near = closest_word(name, names);
	if (near != NULL)
		return qt_fail(err, QT_E_USAGE, name,
		    "messages has no such column; did you mean %s?", near);
	return qt_fail(err, QT_E_USAGE, name,
	    "messages has no such column; see qtool query --columns messages");
}

int each_column(const char *list,
    int (*each)(void *ctx, const char *name, struct qt_error *err), void *ctx,
    struct qt_error *err)
{
	char name[64];
	size_t len;

	for (;;) {
		len = strcspn(list, ",");
		if (len == 0 || len >= sizeof(name))
			return qt_fail(err, QT_E_USAGE, list,
			    "not a list of columns");
		memcpy(name, list, len);
		name[len] = '\0';
		if (check_column(name, err) != 0 || each(ctx, name, err) != 0)
			return -1;
		if (list[len] == '\0')
			return 0;
		list += len + 1;
	}
}

void json_columns(struct qt_buf *out)
{
	const char *name, *from;
	size_t i;

	for (i = 0; qt_db_json_member(i, &name, &from); i++) {
		qt_buf_addf(out, "%s%s", i == 0 ? "" : ", ", from);
		if (strcmp(from, name) != 0)
			qt_buf_addf(out, " AS %s", name);
	}
}

/* ---- statements ---- */

static int messages_sql(struct ctx *c, const char *columns, const char *tail,
    struct qt_buf *sql, const struct qt_bind **binds, size_t *nbinds,
    struct qt_error *err)
{
	const char *where;

	if (qt_select_sql(c->sel, &where, binds, nbinds, err) != 0)
		return -1;
	qt_buf_addf(sql, "SELECT %s FROM messages WHERE (%s)", columns, where);
	if (tail != NULL && *tail != '\0')
		qt_buf_addf(sql, " %s", tail);
	return qt_buf_check(sql, err);
}

int open_messages(struct ctx *c, const char *columns, const char *tail,
    struct qt_stmt **st, struct qt_error *err)
{
	const struct qt_bind *binds;
	struct qt_buf sql;
	size_t nbinds;
	int r;

	qt_buf_init(&sql, 0);
	r = messages_sql(c, columns, tail, &sql, &binds, &nbinds, err);
	if (r == 0)
		r = qt_stmt_open(st, c->db, qt_buf_str(&sql), binds, nbinds, err);
	qt_buf_release(&sql);
	return r;
}

/* ---- --explain ---- */

static void put_escaped(const char *prefix, const char *text)
{
	struct qt_buf b;

	qt_buf_init(&b, 0);
	qt_escape_term(&b, text, strlen(text));
	(void)printf("%s%s", prefix, qt_buf_str(&b));
	qt_buf_release(&b);
}

static void put_binds(const struct qt_bind *binds, size_t n)
{
	char number[32];
	size_t i;

	for (i = 0; i < n; i++) {
		(void)snprintf(number, sizeof(number), "  ?%zu = ", i + 1);
		if (binds[i].type == QT_BIND_INT)
			(void)printf("%s%" PRId64, number, binds[i].i);
		else
			put_escaped(number, binds[i].text);
		(void)putchar('\n');
	}
}

static int count_where(struct ctx *c, const char *where,
    const struct qt_bind *binds, size_t nbinds, int64_t *n,
    struct qt_error *err)
{
	struct qt_stmt *st = NULL;
	struct qt_buf sql;
	int r;

	qt_buf_init(&sql, 0);
	qt_buf_addf(&sql, "SELECT count(*) FROM messages WHERE %s", where);
	r = qt_buf_check(&sql, err);
	if (r == 0)
		r = qt_stmt_open(&st, c->db, qt_buf_str(&sql), binds, nbinds, err);
	if (r == 0)
		r = qt_stmt_step(st, err);
	if (r == 0)
		*n = qt_stmt_int(st, 0);
	qt_stmt_close(st);
	qt_buf_release(&sql);
	return r;
}

static int put_count(struct ctx *c, const char *label, const char *where,
    const struct qt_bind *binds, size_t nbinds, struct qt_error *err)
{
	int64_t n = 0;

	if (count_where(c, where, binds, nbinds, &n, err) != 0)
		return -1;
	(void)printf("%10" PRId64, n);
	put_escaped("  ", label);
	(void)putchar('\n');
	return 0;
}

static int put_clauses(struct ctx *c, struct qt_error *err)
{
	size_t i, nbinds, n = qt_select_nclauses(c->sel);
	const struct qt_bind *binds;
	const char *label, *where;

	(void)puts("\n  messages  kept by");
	if (put_count(c, "(every entry of the queues)", "1", NULL, 0, err) != 0)
		return -1;
	for (i = 0; i < n; i++)
		if (qt_select_clause(c->sel, i, &label, &where, &binds, &nbinds,
			err) != 0 ||
		    put_count(c, label, where, binds, nbinds, err) != 0)
			return -1;
	if (qt_select_sql(c->sel, &where, &binds, &nbinds, err) != 0)
		return -1;
	return n > 1 ? put_count(c, "(all of these)", where, binds, nbinds, err)
		     : 0;
}

int explain_messages(struct ctx *c, const char *columns, const char *tail)
{
	const struct qt_bind *binds;
	struct qt_error err = {0};
	struct qt_buf sql;
	size_t nbinds;
	int r;

	qt_buf_init(&sql, 0);
	r = messages_sql(c, columns, tail, &sql, &binds, &nbinds, &err);
	if (r == 0) {
		put_escaped("", qt_buf_str(&sql));
		(void)putchar('\n');
		put_binds(binds, nbinds);
		r = put_clauses(c, &err);
	}
	qt_buf_release(&sql);
	return r == 0 ? finish_scan(c, EXIT_DONE) : complain(&err);
}

/* ---- output ---- */

enum meaning { PLAIN, TIME, BYTES };

/* What an integer column is about, by the names the tables and views use. */
static enum meaning meaning_of(const char *name)
{
	static const struct {
		const char *name;
		enum meaning meaning;
	} known[] = {
	    {"arrival_time", TIME}, {"create_time", TIME}, {"mtime", TIME},
	    {"first", TIME}, {"last", TIME}, {"oldest", TIME}, {"newest", TIME},
	    {"message_size", BYTES}, {"file_size", BYTES}, {"bytes", BYTES},
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].meaning;
	return PLAIN;
}

static void put_int(struct qt_output *o, const struct qt_stmt *st, int i,
    int64_t v)
{
	if (qt_stmt_isbool(st, i)) {
		qt_output_bool(o, v != 0);
		return;
	}
	switch (meaning_of(qt_stmt_colname(st, i))) {
	case TIME:
		qt_output_time(o, v);
		break;
	case BYTES:
		qt_output_bytes(o, v);
		break;
	case PLAIN:
	default:
		qt_output_int(o, v);
		break;
	}
}

void put_typed(struct qt_output *o, const struct qt_stmt *st, int i,
    const struct qt_value *v)
{
	switch (v->type) {
	case QT_COL_INT:
		put_int(o, st, i, v->i);
		break;
	case QT_COL_REAL:
		qt_output_real(o, v->real);
		break;
	case QT_COL_TEXT:
	case QT_COL_BLOB:
		if (qt_stmt_isjson(st, i))
			qt_output_json(o, v->text, v->len);
		else
			qt_output_text(o, v->text, v->len);
		break;
	case QT_COL_NULL:
	default:
		qt_output_null(o);
		break;
	}
}

void put_value(struct qt_output *o, const struct qt_stmt *st, int i)
{
	struct qt_value v;

	qt_value_of(&v, st, i);
	put_typed(o, st, i, &v);
}

int put_row(struct qt_output *o, const struct qt_stmt *st, struct qt_error *err)
{
	int i, n = qt_stmt_ncol(st);

	for (i = 0; i < n; i++)
		put_value(o, st, i);
	return qt_output_end_row(o, err);
}

int output_for(struct ctx *c, const struct qt_stmt *st, bool have_row,
    struct qt_output **o, struct qt_error *err)
{
	int i, n = qt_stmt_ncol(st), r;
	struct qt_outcol *cols = calloc((size_t)n + 1, sizeof(*cols));
	enum qt_coltype type;

	if (cols == NULL)
		return qt_fail_mem(err);
	for (i = 0; i < n; i++) {
		cols[i].name = qt_stmt_colname(st, i);
		type = have_row ? qt_stmt_type(st, i) : QT_COL_NULL;
		if (type == QT_COL_REAL ||
		    (type == QT_COL_INT && !qt_stmt_isbool(st, i)))
			cols[i].align = QT_RIGHT;
	}
	r = qt_output_new(o, stdout, c->format, cols, (size_t)n, c->width,
	    c->color, err);
	free(cols);
	return r;
}

/* The loop of print_rows; the output is there. */
static int put_rows(struct ctx *c, struct qt_stmt *st, struct qt_output *o,
    int stepped, uint64_t *rows, struct qt_error *err)
{
	int r = stepped;

	while (r == 0) {
		if (c->tty_out) { /* rows and progress share the terminal */
			progress_end(c);
			c->progress.off = true;
		}
		if (put_row(o, st, err) != 0)
			return -1;
		++*rows;
		r = qt_stmt_step(st, err);
	}
	return r;
}

int print_rows(struct ctx *c, struct qt_stmt *st, uint64_t *rows,
    struct qt_error *err)
{
	struct qt_error late = {0};
	struct qt_output *o = NULL;
	int r, f;

	r = qt_stmt_step(st, err);
	if (r < 0 && err->code != QT_E_INTERRUPTED)
		return -1;
	f = output_for(c, st, r == 0, &o, &late);
	if (f == 0) {
		r = put_rows(c, st, o, r, rows, err);
		/* what was read is printed whatever ended it */
		f = qt_output_finish(o, &late);
		qt_output_free(o);
	}
	if (r < 0 && err->code != QT_E_INTERRUPTED)
		return -1;
	if (f != 0) {
		*err = late;
		return -1;
	}
	return 0; /* an interruption is said by finish_scan() */
}
