/*
 * columns.c - the column lists of columns.h as data.
 */
#include "query/columns.h"

#include <string.h>

#define STAT QT_WANT_STAT
#define MSG (QT_WANT_STAT | QT_WANT_MSG)
#define RCPTS (MSG | QT_WANT_RCPTS)
#define HDRS (MSG | QT_WANT_HEADERS)
#define LOGS (MSG | QT_WANT_LOGS)
#define BOTHLOGS (LOGS | QT_WANT_BOUNCES)
#define DIAGS (BOTHLOGS | QT_WANT_DIAGS)
#define WHOLE (RCPTS | HDRS | LOGS | QT_WANT_LOCKS)

#define PUBLIC(id, name, type, want, need, hidden, help) \
	{name, type, want, hidden, help},
#define NEED(id, name, type, want, need, hidden, help) need,

static const struct qt_column messages[] = {
    MESSAGES_COLUMNS(PUBLIC) {0}};
static const unsigned messages_need[] = {MESSAGES_COLUMNS(NEED)};
static const struct qt_column recipients[] = {
    RECIPIENTS_COLUMNS(PUBLIC) {0}};
static const struct qt_column headers[] = {HEADERS_COLUMNS(PUBLIC) {0}};
static const struct qt_column records[] = {RECORDS_COLUMNS(PUBLIC) {0}};

static const struct columns tables[] = {
    {"messages", messages, messages_need, M_COUNT},
    {"recipients", recipients, NULL, R_COUNT},
    {"headers", headers, NULL, H_COUNT},
    {"records", records, NULL, C_COUNT},
};

const struct columns *columns_find(const char *table)
{
	size_t i;

	for (i = 0; i < sizeof tables / sizeof tables[0]; i++)
		if (strcmp(tables[i].table, table) == 0)
			return &tables[i];
	return NULL;
}

const struct qt_column *qt_db_columns(const char *table)
{
	const struct columns *c = columns_find(table);

	return c != NULL ? c->v : NULL;
}

bool columns_has(uint64_t used, int i)
{
	return (used >> (i < 63 ? i : 63) & 1) != 0;
}

unsigned columns_want(const struct columns *c, uint64_t used)
{
	unsigned want = 0;
	int i;

	for (i = 0; i < c->n; i++)
		if (columns_has(used, i))
			want |= c->v[i].want;
	return want;
}

unsigned columns_need(const struct columns *c, uint64_t used)
{
	unsigned need = 0;
	int i;

	if (c->need == NULL)
		return 0;
	for (i = 0; i < c->n; i++)
		if (columns_has(used, i))
			need |= c->need[i];
	return need;
}

void columns_declare(struct qt_buf *out, const struct columns *c)
{
	int i;

	qt_buf_adds(out, "CREATE TABLE x(");
	for (i = 0; i < c->n; i++)
		qt_buf_addf(out, "%s%s %s%s", i == 0 ? "" : ", ", c->v[i].name,
		    c->v[i].type, c->v[i].hidden ? " HIDDEN" : "");
	qt_buf_adds(out, ")");
}
