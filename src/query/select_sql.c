/*
 * select_sql.c - the selection as a WHERE clause over messages.
 *
 * For each option: any of its plain values, and none of its negated ones.  The
 * negation is "(...) IS NOT TRUE", so that it is the complement: a message of
 * which the column is unknown is not one of the values either.
 */
#include <stdlib.h>
#include <string.h>

#include "query/select_priv.h"

/* Arguments of one call: SQLite keeps what it made of the first 32 only. */
#define CALL_ARGS 30
/* The most that one call can have (SQLITE_MAX_FUNCTION_ARG, less the array). */
#define EVERY_ARGS 120
/* Up to so many IDs are parameters, which become look-ups; more are a set. */
#define IDS_AS_PARAMETERS 1000

void select_clause_release(struct clause *c)
{
	qt_buf_release(&c->sql);
	qt_buf_release(&c->label);
	free(c->binds);
	*c = (struct clause){0};
}

static void clause_init(struct clause *c)
{
	*c = (struct clause){0};
	qt_buf_init(&c->sql, 0);
	qt_buf_init(&c->label, 0);
}

static void bind(struct clause *c, struct qt_bind b)
{
	size_t cap = c->cap != 0 ? c->cap * 2 : 16;
	struct qt_bind *v;

	if (c->nbinds == c->cap) {
		v = reallocarray(c->binds, cap, sizeof *v);
		if (v == NULL) {
			c->nomem = true;
			return;
		}
		c->binds = v;
		c->cap = cap;
	}
	c->binds[c->nbinds++] = b;
	qt_buf_addf(&c->sql, "?%zu", c->nbinds);
}

static void bind_text(struct clause *c, const char *text)
{
	bind(c, (struct qt_bind){.type = QT_BIND_TEXT, .text = text});
}

static void bind_int(struct clause *c, int64_t i)
{
	bind(c, (struct qt_bind){.type = QT_BIND_INT, .i = i});
}

static void add(struct clause *c, const char *sql)
{
	qt_buf_adds(&c->sql, sql);
}

/* ---- one option's values of one sign, OR-ed ---- */

struct group {
	const struct qt_select *s;
	struct clause *c;
	enum qt_sel opt;
	bool negated;
	size_t written; /* terms so far, for the ORs */
};

static const struct term *next_term(const struct group *g, size_t *i)
{
	const struct term *t;

	while (*i < g->s->n) {
		t = &g->s->v[(*i)++];
		if (t->opt == g->opt && t->negated == g->negated)
			return t;
	}
	return NULL;
}

static size_t count(const struct group *g)
{
	size_t i = 0, n = 0;

	while (next_term(g, &i) != NULL)
		n++;
	return n;
}

static void or_next(struct group *g)
{
	if (g->written++ > 0)
		add(g->c, " OR ");
}

/* column = ?1, or column IN (?1, ?2), of the values without wildcards */
static void equal_any(struct group *g, const char *column, bool nocase)
{
	const char *collate = nocase ? " COLLATE NOCASE" : "";
	const struct term *t, *first = NULL;
	size_t i = 0, n = 0;

	while ((t = next_term(g, &i)) != NULL) {
		if (t->glob)
			continue;
		first = first != NULL ? first : t;
		n++;
	}
	if (n == 0)
		return;
	or_next(g);
	if (n == 1) {
		qt_buf_addf(&g->c->sql, "%s = ", column);
		bind_text(g->c, first->text);
		add(g->c, collate);
		return;
	}
	qt_buf_addf(&g->c->sql, "%s%s IN (", column, collate);
	for (i = n = 0; (t = next_term(g, &i)) != NULL;) {
		if (t->glob)
			continue;
		if (n++ > 0)
			add(g->c, ", ");
		bind_text(g->c, t->text);
	}
	add(g->c, ")");
}

/* function(column, ?1, ?2 ...) of all values, or those with wildcards */
static void call_any(struct group *g, const char *function, const char *column,
    bool globs_only)
{
	const struct term *t;
	size_t i = 0, n = 0;

	while ((t = next_term(g, &i)) != NULL) {
		if (globs_only && !t->glob)
			continue;
		if (n % CALL_ARGS == 0) {
			if (n > 0)
				add(g->c, ")");
			or_next(g);
			qt_buf_addf(&g->c->sql, "%s(%s", function, column);
		}
		add(g->c, ", ");
		bind_text(g->c, t->text);
		n++;
	}
	if (n > 0)
		add(g->c, ")");
}

static void text_any(struct group *g, const char *column)
{
	equal_any(g, column, true);
	call_any(g, "matches", column, true);
}

/* every recipient to do matches one of all the values */
static void call_every(struct group *g, const char *column)
{
	const struct term *t;
	size_t i = 0;

	if (count(g) == 0)
		return;
	or_next(g);
	qt_buf_addf(&g->c->sql, "all_glob(%s", column);
	while ((t = next_term(g, &i)) != NULL) {
		add(g->c, ", ");
		bind_text(g->c, t->text);
	}
	add(g->c, ")");
}

static void rcpt_any(struct group *g, const char *column)
{
	/* "no recipient is ..." is the same with and without --every-rcpt */
	if (g->s->every && !g->negated)
		call_every(g, column);
	else
		call_any(g, "has_glob", column, false);
}

/* The body as it is stored, or as its reader sees it. */
static void body_any(struct group *g)
{
	const struct term *t;
	size_t i = 0;

	while ((t = next_term(g, &i)) != NULL) {
		or_next(g);
		add(g->c, "(body REGEXP ");
		bind_text(g->c, t->text);
		add(g->c, " OR body_text(headers_text, body) REGEXP ");
		bind_text(g->c, t->text);
		add(g->c, ")");
	}
}

/* column op ?1 OR column op ?2 */
static void compare_any(struct group *g, const char *left, bool number)
{
	const struct term *t;
	size_t i = 0;

	while ((t = next_term(g, &i)) != NULL) {
		or_next(g);
		add(g->c, left);
		if (number)
			bind_int(g->c, t->number);
		else
			bind_text(g->c, t->text);
	}
}

static void header_any(struct group *g)
{
	const struct term *t;
	size_t i = 0;

	while ((t = next_term(g, &i)) != NULL) {
		or_next(g);
		add(g->c, "any_header(headers_text, ");
		bind_text(g->c, t->text2);
		add(g->c, ", ");
		bind_text(g->c, t->text);
		add(g->c, ")");
	}
}

/* column IN ('a', 'b'): names that were checked against our own lists */
static void list_any(struct group *g, const char *column)
{
	const struct term *t;
	const char *p;
	size_t i = 0, len;

	while ((t = next_term(g, &i)) != NULL) {
		or_next(g);
		qt_buf_addf(&g->c->sql, "%s IN (", column);
		for (p = t->text;; p += len + 1) {
			len = strcspn(p, ",");
			qt_buf_addf(&g->c->sql, "%s'%.*s'",
			    p != t->text ? ", " : "", (int)len, p);
			if (p[len] == '\0')
				break;
		}
		add(g->c, ")");
	}
}

static void where_any(struct group *g)
{
	const struct term *t;
	size_t i = 0;

	while ((t = next_term(g, &i)) != NULL) {
		or_next(g);
		qt_buf_addf(&g->c->sql, "(%s)", t->text);
	}
}

static void write_group(struct group *g)
{
	switch (g->opt) {
	case QT_SEL_SASL: equal_any(g, "sasl_username", true); break;
	case QT_SEL_SENDER: text_any(g, "sender"); break;
	case QT_SEL_SENDER_DOMAIN: text_any(g, "sender_domain"); break;
	case QT_SEL_HELO: text_any(g, "helo_name"); break;
	case QT_SEL_RCPT: rcpt_any(g, "todo_rcpts"); break;
	case QT_SEL_RCPT_DOMAIN: rcpt_any(g, "todo_domains"); break;
	case QT_SEL_CLIENT: call_any(g, "cidr", "client_address", false); break;
	case QT_SEL_SUBJECT: compare_any(g, "subject REGEXP ", false); break;
	case QT_SEL_BODY: body_any(g); break;
	case QT_SEL_REASON: call_any(g, "any_regexp", "delay_reasons", false);
		break;
	case QT_SEL_HEADER: header_any(g); break;
	case QT_SEL_CLASS: list_any(g, "class"); break;
	case QT_SEL_STATE: list_any(g, "state"); break;
	case QT_SEL_OLDER: compare_any(g, "age(arrival_time) >= ", true); break;
	case QT_SEL_NEWER: compare_any(g, "age(arrival_time) < ", true); break;
	case QT_SEL_LARGER: compare_any(g, "message_size > ", true); break;
	case QT_SEL_SMALLER: compare_any(g, "message_size < ", true); break;
	case QT_SEL_WHERE: where_any(g); break;
	default: break;
	}
}

/* ---- one option ---- */

static bool is_rcpt(enum qt_sel opt)
{
	return opt == QT_SEL_RCPT || opt == QT_SEL_RCPT_DOMAIN;
}

/* The values of one option as one AND-ed part; nothing when it has none. */
static void write_option(const struct qt_select *s, struct clause *c,
    enum qt_sel opt)
{
	struct group plain = {.s = s, .c = c, .opt = opt};
	struct group negated = {.s = s, .c = c, .opt = opt, .negated = true};
	size_t np = count(&plain), nn = count(&negated);

	if (np > 0) {
		add(c, np > 1 ? "(" : "");
		write_group(&plain);
		add(c, np > 1 ? ")" : "");
	}
	if (nn == 0)
		return;
	add(c, np > 0 ? " AND (" : "(");
	write_group(&negated);
	add(c, ") IS NOT TRUE");
	if (is_rcpt(opt) && s->every && np == 0)
		add(c, " AND rcpt_todo > 0");
}

static void write_queues(const struct qt_select *s, struct clause *c)
{
	unsigned mask = select_queue_mask(s);
	const char *comma = "";
	int q;

	if (mask == 0 && !s->queue_given)
		return;
	add(c, "queue_name IN (");
	for (q = 0; q < QT_Q_MESSAGES; q++) {
		if (!(mask & QT_Q_BIT(q)))
			continue;
		qt_buf_addf(&c->sql, "%s'%s'", comma,
		    qt_queue_name((enum qt_queue)q));
		comma = ", ";
	}
	add(c, ")");
}

/* s->cut: the IDs one by one, for parameters. */
static int cut_ids(struct qt_select *s, struct qt_error *err)
{
	char *p;

	qt_buf_clear(&s->cut);
	if (s->nids > IDS_AS_PARAMETERS)
		return 0;
	qt_buf_add(&s->cut, qt_buf_str(&s->ids), s->ids.len);
	if (qt_buf_check(&s->cut, err) != 0)
		return -1;
	for (p = s->cut.data; s->cut.len != 0 && (p = strchr(p, '\n')) != NULL;)
		*p++ = '\0';
	return 0;
}

static void write_ids(const struct qt_select *s, struct clause *c)
{
	const char *p = s->cut.data;
	size_t i;

	if (s->nids == 0)
		return;
	if (s->nids > IDS_AS_PARAMETERS) {
		add(c, "listed(queue_id, ");
		bind_text(c, qt_buf_str(&s->ids));
		add(c, ")");
		return;
	}
	add(c, s->nids == 1 ? "queue_id = " : "queue_id IN (");
	for (i = 0; i < s->nids; i++, p += strlen(p) + 1) {
		add(c, i > 0 ? ", " : "");
		bind_text(c, p);
	}
	add(c, s->nids == 1 ? "" : ")");
}

static void write_part(const struct qt_select *s, struct clause *c,
    enum qt_sel opt)
{
	if (opt == QT_SEL_QUEUE)
		write_queues(s, c);
	else if (opt == QT_SEL_IDS)
		write_ids(s, c);
	else
		write_option(s, c, opt);
}

static void write_label(const struct qt_select *s, struct clause *c,
    enum qt_sel opt)
{
	size_t i;

	if (opt == QT_SEL_QUEUE && !s->queue_given)
		qt_buf_adds(&c->label, "(queues by default)");
	if (opt == QT_SEL_IDS)
		qt_buf_addf(&c->label, "%s (%zu IDs)",
		    qt_buf_str(&s->ids_label), s->nids);
	for (i = 0; i < s->n; i++)
		if (s->v[i].opt == opt)
			qt_buf_addf(&c->label, "%s%s",
			    c->label.len != 0 ? " " : "", s->v[i].label);
	if (is_rcpt(opt) && s->every)
		qt_buf_adds(&c->label, " --every-rcpt");
}

/* ---- all ---- */

static int check(const struct clause *c, struct qt_error *err)
{
	if (c->nomem)
		return qt_fail_mem(err);
	if (qt_buf_check(&c->label, err) != 0)
		return -1;
	return qt_buf_check(&c->sql, err);
}

static int check_every(const struct qt_select *s, struct qt_error *err)
{
	size_t i, n[QT_SEL_COUNT] = {0};

	if (!s->every)
		return 0;
	for (i = 0; i < s->n; i++)
		n[s->v[i].opt]++;
	if (n[QT_SEL_RCPT] + n[QT_SEL_RCPT_DOMAIN] == 0)
		return select_fail(err, QT_SEL_EVERY_RCPT,
		    "says how --rcpt and --rcpt-domain count, and neither is given");
	if (n[QT_SEL_RCPT] > EVERY_ARGS || n[QT_SEL_RCPT_DOMAIN] > EVERY_ARGS)
		return select_fail(err, QT_SEL_EVERY_RCPT,
		    "more than %d values", EVERY_ARGS);
	return 0;
}

static int build_part(struct qt_select *s, enum qt_sel opt,
    struct qt_error *err)
{
	struct clause *c = &s->part[s->nparts];

	clause_init(c);
	s->nparts++;
	write_part(s, c, opt);
	if (check(c, err) != 0)
		return -1;
	if (c->sql.len == 0) {
		select_clause_release(c);
		s->nparts--;
		return 0;
	}
	write_label(s, c, opt);
	if (s->whole.sql.len != 0)
		add(&s->whole, " AND ");
	write_part(s, &s->whole, opt);
	return check(c, err);
}

int select_build(struct qt_select *s, struct qt_error *err)
{
	/* cheap conditions first, for the reader: SQLite has its own order */
	static const enum qt_sel order[] = {QT_SEL_QUEUE, QT_SEL_IDS,
	    QT_SEL_STATE, QT_SEL_CLASS, QT_SEL_SASL, QT_SEL_SENDER,
	    QT_SEL_SENDER_DOMAIN, QT_SEL_RCPT, QT_SEL_RCPT_DOMAIN,
	    QT_SEL_CLIENT, QT_SEL_HELO, QT_SEL_OLDER, QT_SEL_NEWER,
	    QT_SEL_LARGER, QT_SEL_SMALLER, QT_SEL_SUBJECT, QT_SEL_HEADER,
	    QT_SEL_REASON, QT_SEL_WHERE, QT_SEL_BODY};
	size_t i;

	if (s->built)
		return 0;
	select_clause_release(&s->whole);
	clause_init(&s->whole);
	for (i = 0; i < s->nparts; i++)
		select_clause_release(&s->part[i]);
	s->nparts = 0;
	if (check_every(s, err) != 0 || cut_ids(s, err) != 0)
		return -1;
	for (i = 0; i < sizeof order / sizeof order[0]; i++)
		if (build_part(s, order[i], err) != 0)
			return -1;
	if (s->whole.sql.len == 0)
		add(&s->whole, "1");
	if (check(&s->whole, err) != 0)
		return -1;
	s->built = true;
	return 0;
}

int qt_select_sql(struct qt_select *s, const char **where,
    const struct qt_bind **binds, size_t *nbinds, struct qt_error *err)
{
	if (select_build(s, err) != 0)
		return -1;
	*where = qt_buf_str(&s->whole.sql);
	*binds = s->whole.binds;
	*nbinds = s->whole.nbinds;
	return 0;
}

size_t qt_select_nclauses(struct qt_select *s)
{
	struct qt_error err;

	return select_build(s, &err) == 0 ? s->nparts : 0;
}

int qt_select_clause(struct qt_select *s, size_t i, const char **label,
    const char **where, const struct qt_bind **binds, size_t *nbinds,
    struct qt_error *err)
{
	struct clause *c;

	if (select_build(s, err) != 0)
		return -1;
	if (i >= s->nparts)
		return qt_fail(err, QT_E_USAGE, "", "no clause %zu", i);
	c = &s->part[i];
	*label = qt_buf_str(&c->label);
	*where = qt_buf_str(&c->sql);
	*binds = c->binds;
	*nbinds = c->nbinds;
	return 0;
}
