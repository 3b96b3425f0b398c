/*
 * snapform.c - the form of each column, and the SQL that undoes it.
 *
 * The expressions are for SQLite from 3.9 on (json_each and json_quote), so that
 * an analyst's sqlite3 has the views; nothing in them but functions that it
 * calls innocuous.
 */
#include "query/snapform.h"

#include <stdio.h>
#include <string.h>

#include "query/snapread.h"
#include "query/snaptext.h"

static const char *const names[SNAP_NTABLES] = {"messages", "recipients",
    "headers", "records"};

#define AS(column) &(const struct snapsame){"", column, "", -1, ""}

static const struct snapsame path = {"", M_QUEUE_NAME, "/", M_QUEUE_ID, ""};
static const struct snapsame origin = {"", M_CLIENT_NAME, "[", M_CLIENT_ADDRESS,
    "]"};
static const struct snapsame orcpt = {"rfc822;", R_ADDRESS, "", -1, ""};

/*
 * A text that is the message's own and no other's is stored as it is: a number
 * would come on top of it.
 */
static const struct snapform of_messages[M_COUNT] = {
    [M_HOST] = {SNAP_WORD, NULL, 0, 0},
    [M_QUEUE_NAME] = {SNAP_WORD, NULL, 0, 0},
    [M_PATH] = {SNAP_WORD, &path, 0, 0},
    [M_STATE] = {SNAP_WORD, NULL, 0, 0},
    [M_ERROR] = {SNAP_WORD, NULL, 0, 0},
    [M_SENDER] = {SNAP_WORD, NULL, 0, 0},
    [M_SENDER_DOMAIN] = {SNAP_TAIL, NULL, M_SENDER, 0},
    [M_SENDER_ORG] = {SNAP_TAIL, NULL, M_SENDER, 0},
    [M_SASL_USERNAME] = {SNAP_WORD, AS(M_SENDER), 0, 0},
    [M_SASL_METHOD] = {SNAP_WORD, NULL, 0, 0},
    [M_SASL_SENDER] = {SNAP_WORD, AS(M_SENDER), 0, 0},
    [M_CLIENT_ADDRESS] = {SNAP_WORD, NULL, 0, 0},
    [M_CLIENT_NAME] = {SNAP_WORD, NULL, 0, 0},
    [M_HELO_NAME] = {SNAP_WORD, AS(M_CLIENT_NAME), 0, 0},
    [M_PROTOCOL_NAME] = {SNAP_WORD, NULL, 0, 0},
    [M_MESSAGE_ORIGIN] = {SNAP_WORD, &origin, 0, 0},
    [M_LOG_IDENT] = {SNAP_WORD, AS(M_QUEUE_ID), 0, 0},
    [M_PEER_ADDRESS] = {SNAP_WORD, AS(M_CLIENT_ADDRESS), 0, 0},
    [M_PEER_NAME] = {SNAP_WORD, AS(M_CLIENT_NAME), 0, 0},
    [M_PEER_PORT] = {SNAP_WORD, AS(M_CLIENT_PORT), 0, 0},
    [M_RCPT_DOMAIN] = {SNAP_WORD, NULL, 0, 0},
    [M_RCPT_DOMAINS] = {SNAP_LIST, NULL, 0, 0},
    [M_RECIPIENTS] = {SNAP_LIST, NULL, 0, 0},
    [M_CLASS] = {SNAP_WORD, NULL, 0, 0},
    [M_SUBJECT] = {SNAP_WORD, NULL, 0, 0},
    [M_FROM_ADDR] = {SNAP_WORD, AS(M_SENDER), 0, 0},
    [M_FROM_DOMAIN] = {SNAP_TAIL, NULL, M_FROM_ADDR, 0},
    [M_REPLY_TO] = {SNAP_WORD, AS(M_SENDER), 0, 0},
    [M_MESSAGE_ID] = {SNAP_WORD, NULL, 0, 0},
    [M_MAILER] = {SNAP_WORD, NULL, 0, 0},
    [M_CONTENT_TYPE] = {SNAP_WORD, NULL, 0, 0},
    [M_BOUNCE_SENDER] = {SNAP_WORD, NULL, 0, 0},
    [M_DELAY_REASON] = {SNAP_WORD, NULL, 0, 0},
    [M_DSN] = {SNAP_WORD, NULL, 0, 0},
    [M_SHA256] = {SNAP_HEX, NULL, 0, 0},
    [M_SENDER_SHOWN] = {SNAP_WORD, AS(M_SENDER), 0, 0},
    [M_TODO_RCPTS] = {SNAP_LIST, NULL, 0, 0},
    [M_TODO_DOMAINS] = {SNAP_LIST, NULL, 0, 0},
    [M_HEADERS_TEXT] = {SNAP_MADE, NULL, 0, 0},
    [M_DELAY_REASONS] = {SNAP_LIST, NULL, 0, 0},
    [M_AS_JSON] = {SNAP_MADE, NULL, 0, 0},
    [M_ODD] = {SNAP_WORD, NULL, 0, 0},
    [M_CONFIG_DIR] = {SNAP_WORD, NULL, 0, 0},
    [M_QUEUE_DIR] = {SNAP_WORD, NULL, 0, 0},
};

static const struct snapform of_recipients[R_COUNT] = {
    [R_QUEUE_NAME] = {SNAP_OF_MESSAGE, NULL, M_QUEUE_NAME, 0},
    [R_QUEUE_ID] = {SNAP_OF_MESSAGE, NULL, M_QUEUE_ID, 0},
    [R_DOMAIN] = {SNAP_TAIL, NULL, R_ADDRESS, 0},
    [R_ORG] = {SNAP_TAIL, NULL, R_ADDRESS, 0},
    [R_ORIG_ADDRESS] = {SNAP_WORD, AS(R_ADDRESS), 0, 0},
    [R_STATE] = {SNAP_STATE, NULL, 0, 0},
    [R_NOTIFY] = {SNAP_WORD, NULL, 0, 0},
    [R_DELAY_REASON] = {SNAP_WORD, NULL, 0, 0},
    [R_DSN] = {SNAP_WORD, NULL, 0, 0},
    [R_ACTION] = {SNAP_WORD, NULL, 0, 0},
    [R_REMOTE_MTA] = {SNAP_WORD, NULL, 0, 0},
    [R_BOUNCE_REASON] = {SNAP_WORD, NULL, 0, 0},
    [R_DIAGNOSTIC] = {SNAP_WORD, NULL, 0, 0},
    [R_DSN_ORCPT] = {SNAP_WORD, &orcpt, 0, 0},
    [R_HOST] = {SNAP_OF_MESSAGE, NULL, M_HOST, 0},
};

static const struct snapform of_headers[H_COUNT] = {
    [H_QUEUE_NAME] = {SNAP_OF_MESSAGE, NULL, M_QUEUE_NAME, 0},
    [H_QUEUE_ID] = {SNAP_OF_MESSAGE, NULL, M_QUEUE_ID, 0},
    [H_NAME] = {SNAP_WORD, NULL, 0, 0},
    /* Received, which is no other's */
    [H_VALUE] = {.kind = SNAP_WORD, .max = 100},
    [H_HOST] = {SNAP_OF_MESSAGE, NULL, M_HOST, 0},
};

static const struct snapform of_records[C_COUNT] = {
    [C_QUEUE_NAME] = {SNAP_OF_MESSAGE, NULL, M_QUEUE_NAME, 0},
    [C_QUEUE_ID] = {SNAP_OF_MESSAGE, NULL, M_QUEUE_ID, 0},
    [C_SEGMENT] = {SNAP_WORD, NULL, 0, 0},
    [C_LABEL] = {SNAP_WORD, NULL, 0, 0},
    [C_HOST] = {SNAP_OF_MESSAGE, NULL, M_HOST, 0},
};

const struct columns *snapform_columns(int table)
{
	return columns_find(names[table]);
}

const struct snapform *snapform_of(int table, int column)
{
	static const struct snapform *const of[SNAP_NTABLES] = {of_messages,
	    of_recipients, of_headers, of_records};

	return &of[table][column];
}

bool snapform_stored(int table, int column)
{
	const enum snapkind kind = snapform_of(table, column)->kind;

	return kind != SNAP_MADE && kind != SNAP_OF_MESSAGE;
}

/* ---- values ---- */

struct gen {
	struct qt_buf *sql;
	bool own; /* for qtool, which has SNAPTEXT_FUNCTION */
};

static void value(const struct gen *g, int table, int i, const char *of);

/* The column as it is stored. */
static void stored(const struct gen *g, int table, int i, const char *of)
{
	qt_buf_addf(g->sql, "%s.%s", of, snapform_columns(table)->v[i].name);
}

/* A constant: none of ours has a quote in it. */
static void constant(const struct gen *g, const char *before, const char *text,
    const char *after)
{
	if (*text != '\0')
		qt_buf_addf(g->sql, "%s'%s'%s", before, text, after);
}

static void same(const struct gen *g, int table, const struct snapsame *s,
    const char *of)
{
	constant(g, "", s->before, " || ");
	value(g, table, s->a, of);
	if (s->b < 0)
		return;
	constant(g, " || ", s->between, "");
	qt_buf_adds(g->sql, " || ");
	value(g, table, s->b, of);
	constant(g, " || ", s->after, "");
}

static void word(const struct gen *g, int table, int i, const char *of)
{
	const struct snapform *f = snapform_of(table, i);

	if (f->same != NULL || !g->own)
		qt_buf_adds(g->sql, "CASE WHEN ");
	if (f->same != NULL) {
		stored(g, table, i, of);
		qt_buf_adds(g->sql, " = 0 THEN ");
		same(g, table, f->same, of);
		qt_buf_adds(g->sql, g->own ? " ELSE " : " WHEN ");
	}
	if (g->own) {
		qt_buf_adds(g->sql, SNAPTEXT_FUNCTION "(");
		stored(g, table, i, of);
		qt_buf_adds(g->sql, f->same != NULL ? ") END" : ")");
		return;
	}
	qt_buf_adds(g->sql, "typeof(");
	stored(g, table, i, of);
	qt_buf_adds(g->sql, ") = 'integer' THEN "
	    "(SELECT value FROM texts WHERE id = ");
	stored(g, table, i, of);
	qt_buf_adds(g->sql, ") ELSE ");
	stored(g, table, i, of);
	qt_buf_adds(g->sql, " END");
}

static void tail(const struct gen *g, int table, int i, const char *of)
{
	qt_buf_adds(g->sql, "CASE WHEN typeof(");
	stored(g, table, i, of);
	qt_buf_adds(g->sql, ") = 'integer' THEN lower(substr(");
	value(g, table, snapform_of(table, i)->base, of);
	qt_buf_adds(g->sql, ", ");
	stored(g, table, i, of);
	qt_buf_adds(g->sql, ")) ELSE ");
	stored(g, table, i, of);
	qt_buf_adds(g->sql, " END");
}

static void hex(const struct gen *g, int table, int i, const char *of)
{
	qt_buf_adds(g->sql, "CASE WHEN typeof(");
	stored(g, table, i, of);
	qt_buf_adds(g->sql, ") = 'blob' THEN lower(hex(");
	stored(g, table, i, of);
	qt_buf_adds(g->sql, ")) ELSE ");
	stored(g, table, i, of);
	qt_buf_adds(g->sql, " END");
}

/* FROM ... AS r: rows of the message that t is. */
static void rows_of(const struct gen *g, int table)
{
	qt_buf_addf(g->sql, " FROM stored_%s AS r WHERE r.row_id BETWEEN "
	    "t.row_id * %lld + 1 AND t.row_id * %lld + %lld", names[table],
	    (long long)SNAP_ROWS, (long long)SNAP_ROWS,
	    (long long)SNAP_ROWS - 1);
}

/* The states of the rows that a list is about. */
#define IS_TODO " AND r.state = 0"
#define IS_DONE " AND r.state IN (0, 1)"

/* A member of recipients, as postqueue -j has it. */
static void shown(const struct gen *g)
{
	qt_buf_adds(g->sql, "'{\"address\": ' || json_quote(r.address) || "
	    "CASE WHEN r.delay_reason IS NULL THEN '' ELSE "
	    "', \"delay_reason\": ' || json_quote(");
	value(g, SNAP_RECIPIENTS, R_DELAY_REASON, "r");
	qt_buf_adds(g->sql, ") END || '}'");
}

static void domains(const struct gen *g, const char *of, const char *is)
{
	qt_buf_adds(g->sql, "FROM (SELECT DISTINCT ");
	qt_buf_adds(g->sql, of);
	value(g, SNAP_RECIPIENTS, R_DOMAIN, "r");
	qt_buf_adds(g->sql, *of != '\0' ? ", '') AS v" : " AS v");
	rows_of(g, SNAP_RECIPIENTS);
	qt_buf_addf(g->sql, "%s ORDER BY v)", is);
}

static void reasons(const struct gen *g)
{
	qt_buf_adds(g->sql, "FROM (SELECT v FROM (SELECT ");
	value(g, SNAP_RECIPIENTS, R_DELAY_REASON, "r");
	qt_buf_adds(g->sql, " AS v");
	rows_of(g, SNAP_RECIPIENTS);
	qt_buf_adds(g->sql, " UNION SELECT ");
	value(g, SNAP_RECIPIENTS, R_BOUNCE_REASON, "r");
	rows_of(g, SNAP_RECIPIENTS);
	qt_buf_adds(g->sql, ") WHERE v <> '' ORDER BY v)");
}

#define EACH "(SELECT '[' || coalesce(group_concat("
#define ALL ", ', '), '') || ']'"

/* A list of the rows that it is about. */
static void list_of_rows(const struct gen *g, int i)
{
	qt_buf_adds(g->sql, EACH);
	if (i == M_RECIPIENTS) {
		shown(g);
		qt_buf_adds(g->sql, ALL);
		rows_of(g, SNAP_RECIPIENTS);
		qt_buf_adds(g->sql, IS_TODO);
	} else if (i == M_TODO_RCPTS) {
		qt_buf_adds(g->sql, "json_quote(r.address)" ALL);
		rows_of(g, SNAP_RECIPIENTS);
		qt_buf_adds(g->sql, IS_TODO);
	} else {
		/* of NULL json_quote() would make a member */
		qt_buf_adds(g->sql, "CASE WHEN v IS NOT NULL THEN json_quote(v) END"
		    ALL " ");
		if (i == M_RCPT_DOMAINS)
			domains(g, "", IS_DONE);
		else if (i == M_TODO_DOMAINS)
			domains(g, "coalesce(", IS_TODO);
		else
			reasons(g);
	}
	qt_buf_addc(g->sql, ')');
}

/* JSON is what is JSON; recipients can be places of its rows, in its order. */
static void list(const struct gen *g, int i)
{
	const char *name = snapform_columns(SNAP_MESSAGES)->v[i].name;

	qt_buf_addf(g->sql, "CASE WHEN t.%s = 1 THEN ", name);
	list_of_rows(g, i);
	if (i == M_RECIPIENTS) {
		qt_buf_addf(g->sql, " WHEN json_valid(t.%s) AND "
		    "substr(t.%s, 2, 1) BETWEEN '0' AND '9' THEN " EACH, name,
		    name);
		shown(g);
		qt_buf_addf(g->sql, ALL " FROM json_each(t.%s) AS j CROSS JOIN "
		    "stored_recipients AS r ON r.row_id = t.row_id * %lld + "
		    "j.value)", name, (long long)SNAP_ROWS);
	}
	qt_buf_addf(g->sql, " WHEN json_valid(t.%s) THEN t.%s END", name, name);
}

/* The header's lines; what has an envelope has a header, if an empty one. */
static void headers_text(const struct gen *g)
{
	qt_buf_adds(g->sql, "coalesce((SELECT group_concat(");
	value(g, SNAP_HEADERS, H_NAME, "r");
	qt_buf_adds(g->sql, " || ': ' || ");
	value(g, SNAP_HEADERS, H_VALUE, "r");
	qt_buf_adds(g->sql, " || char(10), '')");
	rows_of(g, SNAP_HEADERS);
	qt_buf_adds(g->sql, "), CASE WHEN t.sender IS NOT NULL THEN '' END)");
}

static void value(const struct gen *g, int table, int i, const char *of)
{
	const struct snapform *f = snapform_of(table, i);

	switch (f->kind) {
	case SNAP_PLAIN:
		stored(g, table, i, of);
		break;
	case SNAP_MADE:
		if (i == M_HEADERS_TEXT)
			headers_text(g);
		else
			qt_buf_adds(g->sql, "NULL");
		break;
	case SNAP_OF_MESSAGE:
		value(g, SNAP_MESSAGES, f->base, "m");
		break;
	case SNAP_WORD:
		word(g, table, i, of);
		break;
	case SNAP_TAIL:
		tail(g, table, i, of);
		break;
	case SNAP_HEX:
		hex(g, table, i, of);
		break;
	case SNAP_STATE:
		qt_buf_addf(g->sql, "CASE %s.state WHEN 0 THEN 'todo' WHEN 1 THEN "
		    "'done' WHEN 2 THEN 'cancelled' ELSE %s.state END", of, of);
		break;
	case SNAP_LIST:
		list(g, i);
		break;
	}
}

void snapform_value(struct qt_buf *sql, int table, int column)
{
	value(&(const struct gen){sql, true}, table, column, "t");
}

void snapform_from(struct qt_buf *sql, int table)
{
	if (table == SNAP_MESSAGES)
		qt_buf_adds(sql, " FROM stored_messages AS t");
	else
		qt_buf_addf(sql, " FROM stored_messages AS m CROSS JOIN "
		    "stored_%s AS t ON t.row_id BETWEEN m.row_id * %lld + 1 AND "
		    "m.row_id * %lld + %lld", names[table],
		    (long long)SNAP_ROWS, (long long)SNAP_ROWS,
		    (long long)SNAP_ROWS - 1);
}

/* ---- the schema ---- */

/* SQLite would take other names for numbers. */
static const char *affinity(const char *type)
{
	return strcmp(type, "JSON") == 0 ? "TEXT" :
	    strcmp(type, "BOOLEAN") == 0 ? "INTEGER" : type;
}

static void table_entry(struct qt_buf *sql, int table)
{
	const struct columns *c = snapform_columns(table);
	int i;

	qt_buf_addf(sql, "CREATE TABLE stored_%s(", names[table]);
	for (i = 0; i < c->n; i++) {
		if (!snapform_stored(table, i))
			continue;
		qt_buf_adds(sql, c->v[i].name);
		/* what may be text or number is neither for SQLite */
		if (snapform_of(table, i)->kind == SNAP_PLAIN)
			qt_buf_addf(sql, " %s", affinity(c->v[i].type));
		qt_buf_adds(sql, ", ");
	}
	/* by a name of its own it outlives VACUUM */
	qt_buf_adds(sql, "row_id INTEGER PRIMARY KEY)");
}

static void view_entry(struct qt_buf *sql, int table)
{
	const struct columns *c = snapform_columns(table);
	int i;

	qt_buf_addf(sql, "CREATE VIEW %s AS SELECT ", names[table]);
	for (i = 0; i < c->n; i++) {
		const struct snapform *f = snapform_of(table, i);
		const bool plain = f->kind == SNAP_PLAIN ||
		    (f->kind == SNAP_OF_MESSAGE &&
			of_messages[f->base].kind == SNAP_PLAIN);

		if (table == SNAP_MESSAGES && i == M_AS_JSON)
			continue;
		if (!plain)
			qt_buf_adds(sql, "CAST(");
		value(&(const struct gen){sql, false}, table, i, "t");
		qt_buf_addf(sql, "%s AS %s, ", plain ? "" : " AS TEXT)",
		    c->v[i].name);
	}
	qt_buf_adds(sql, "t.row_id AS row_id");
	snapform_from(sql, table);
}

bool snapform_entry(struct qt_buf *sql, size_t n, bool records,
    struct snapentry *e)
{
	const size_t tables = records ? SNAP_NTABLES : SNAP_RECORDS;
	static const char *const others[][3] = {
	    {"table", "snapshot",
		"CREATE TABLE snapshot(name TEXT, value TEXT)"},
	    {"table", "texts",
		"CREATE TABLE texts(id INTEGER PRIMARY KEY, value TEXT)"},
	    {"index", "messages_by_id",
		"CREATE INDEX messages_by_id ON stored_messages(queue_id)"}};
	const size_t other = n < 2 ? n : 2;

	if (n >= 2 && n < 2 + tables) {
		e->type = "table";
		(void)snprintf(e->name, sizeof e->name, "stored_%s",
		    names[n - 2]);
		table_entry(sql, (int)n - 2);
	} else if (n >= 2 && n < 2 + 2 * tables) {
		e->type = "view";
		(void)strlcpy(e->name, names[n - 2 - tables], sizeof e->name);
		view_entry(sql, (int)(n - 2 - tables));
	} else if (n <= 2 + 2 * tables) {
		e->type = others[other][0];
		(void)strlcpy(e->name, others[other][1], sizeof e->name);
		qt_buf_adds(sql, others[other][2]);
	} else {
		return false;
	}
	return true;
}
