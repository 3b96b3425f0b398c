/*
 * as_json.c - postqueue -j's members first, in its order and as it prints them,
 * so that its scripts carry over, then all other columns.
 */
#include "query/as_json.h"

#include <string.h>

#include "qtool/db.h"
#include "qtool/escape.h"
#include "query/cell.h"
#include "query/columns.h"

struct member {
	const char *key; /* , "name": */
	size_t key_len;
	const char *type; /* as declared */
};

#define KEY(name) ", \"" name "\": ", sizeof ", \"" name "\": " - 1
#define MEMBER(id, name, type, want, need, hidden, help) \
	[id] = {KEY(name), type},

static const struct member columns[] = {MESSAGES_COLUMNS(MEMBER)};

/* Where the name is not the column's. */
static const struct {
	struct member m;
	const char *name;
	int column;
} first[] = {
    {{KEY("queue_name"), "TEXT"}, "queue_name", M_QUEUE_NAME},
    {{KEY("queue_id"), "TEXT"}, "queue_id", M_QUEUE_ID},
    {{KEY("arrival_time"), "INTEGER"}, "arrival_time", M_SHOWQ_TIME},
    {{KEY("message_size"), "INTEGER"}, "message_size", M_MESSAGE_SIZE},
    {{KEY("forced_expire"), "BOOLEAN"}, "forced_expire", M_FORCED_EXPIRE},
    {{KEY("sender"), "TEXT"}, "sender", M_SENDER_SHOWN},
    {{KEY("recipients"), "JSON"}, "recipients", M_RECIPIENTS},
};
#define NFIRST (sizeof first / sizeof first[0])

#define HIDDEN(id, name, type, want, need, hidden, help) [id] = hidden,
static const bool is_hidden[] = {MESSAGES_COLUMNS(HIDDEN)};

/*
 * What is no member by its own name: it is one of the first, or is read only
 * when it is asked for by name (whole contents).
 */
static const bool left_out[M_COUNT] = {[M_QUEUE_NAME] = true,
    [M_QUEUE_ID] = true, [M_ARRIVAL_TIME] = true, [M_MESSAGE_SIZE] = true,
    [M_FORCED_EXPIRE] = true, [M_SENDER] = true, [M_RECIPIENTS] = true,
    [M_BODY] = true, [M_SHA256] = true};

bool qt_db_json_member(size_t i, const char **name, const char **from)
{
	const struct qt_column *c = qt_db_columns("messages");
	size_t n = NFIRST;

	if (i < NFIRST) {
		*name = first[i].name;
		*from = c[first[i].column].name;
		return true;
	}
	for (int k = 0; k < M_COUNT; k++) {
		if (is_hidden[k] || left_out[k] || n++ != i)
			continue;
		*name = *from = c[k].name;
		return true;
	}
	return false;
}

static bool has_words(const struct cell *c)
{
	return c->type == CELL_WORDS && strstr(c->s, "=?") != NULL;
}

static void words(struct qt_buf *out, const struct cell *c,
    void (*decode)(struct qt_buf *out, const char *s, size_t len))
{
	struct qt_buf text;

	if (!has_words(c)) {
		qt_json_string(out, c->s);
		return;
	}
	qt_buf_init(&text, 0);
	decode(&text, c->s, strlen(c->s));
	if (text.failed)
		out->failed = true;
	else
		qt_json_string(out, qt_buf_str(&text));
	qt_buf_release(&text);
}

static void value(struct qt_buf *out, const struct cell *c, const char *type,
    void (*decode)(struct qt_buf *out, const char *s, size_t len))
{
	switch (c->type) {
	case CELL_INT:
		if (type[1] == 'O') /* BOOLEAN */
			qt_buf_adds(out, c->i != 0 ? "true" : "false");
		else
			qt_buf_addi(out, c->i);
		break;
	case CELL_JSON:
		qt_buf_adds(out, c->s);
		break;
	case CELL_WORDS:
		words(out, c, decode);
		break;
	case CELL_CONST:
	case CELL_TEXT:
		/* bytes that are no UTF-8 come out as in a table's text form */
		qt_json_string(out, c->s);
		break;
	case CELL_NULL:
	case CELL_BYTES: /* body, headers_text: no members */
	case CELL_BLOB:
	case CELL_TOOBIG:
		qt_buf_add(out, "null", 4);
		break;
	}
}

/* The member's key without the comma when it is the object's first. */
static void add(struct qt_buf *out, cell_fn *cell, const void *from,
    const struct member *m, int column, bool begins,
    void (*decode)(struct qt_buf *out, const char *s, size_t len))
{
	struct cell c;

	cell(&c, from, column);
	qt_buf_add(out, m->key + (begins ? 2 : 0), m->key_len - (begins ? 2 : 0));
	value(out, &c, m->type, decode);
}

bool as_json_takes(int column)
{
	for (size_t i = 0; i < NFIRST; i++)
		if (first[i].column == column)
			return true;
	return !is_hidden[column] && !left_out[column];
}

void as_json_from(struct qt_buf *out, cell_fn *cell, const void *from,
    void (*decode)(struct qt_buf *out, const char *s, size_t len))
{
	qt_buf_addc(out, '{');
	for (size_t i = 0; i < NFIRST; i++)
		add(out, cell, from, &first[i].m, first[i].column, i == 0,
		    decode);
	for (int k = 0; k < M_COUNT; k++)
		if (!is_hidden[k] && !left_out[k])
			add(out, cell, from, &columns[k], k, false, decode);
	qt_buf_addc(out, '}');
}

static void of_row(struct cell *c, const void *row, int column)
{
	cell_of(c, row, column);
}

/* Whether a column of it has to be decoded. */
static bool has_encoded(const struct qt_row *row)
{
	struct cell c;

	cell_of(&c, row, M_SUBJECT);
	if (has_words(&c))
		return true;
	cell_of(&c, row, M_MAILER);
	return has_words(&c);
}

bool as_json(struct qt_buf *out, const struct qt_row *row,
    void (*decode)(struct qt_buf *out, const char *s, size_t len))
{
	if (decode == NULL && has_encoded(row))
		return false;
	as_json_from(out, of_row, row, decode);
	return true;
}

/* ---- without blanks ---- */

#define TIGHT(id, name, type, want, need, hidden, help) \
	[id] = {",\"" name "\":", sizeof ",\"" name "\":" - 1, type},

static const struct member tight[] = {MESSAGES_COLUMNS(TIGHT)};

/* Told from the bytes that are archived, or elsewhere, or not at all. */
static const bool not_in_line[M_COUNT] = {[M_PATH] = true, [M_SHA256] = true,
    [M_BODY] = true, [M_RECIPIENTS] = true, [M_IN_DELIVERY] = true};

bool as_line(struct qt_buf *out, const struct qt_row *row,
    void (*decode)(struct qt_buf *out, const char *s, size_t len))
{
	size_t begins = 1; /* the first has no comma */
	struct cell c;

	if (decode == NULL && has_encoded(row))
		return false;
	qt_buf_addc(out, '{');
	for (int k = 0; k < M_COUNT; k++) {
		if (is_hidden[k] || not_in_line[k])
			continue;
		cell_of(&c, row, k);
		qt_buf_add(out, tight[k].key + begins, tight[k].key_len - begins);
		value(out, &c, tight[k].type, decode);
		begins = 0;
	}
	qt_buf_addc(out, '}');
	return true;
}
