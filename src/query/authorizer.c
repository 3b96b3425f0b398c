/*
 * authorizer.c - what a user's SQL may do: SELECT over qtool's tables.
 *
 * The connection has an empty database in memory, so there is nothing to spoil;
 * what is kept out is everything that reaches beyond it: ATTACH, PRAGMA,
 * extensions, and SQLite's own tables.
 */
#include <string.h>

#include "query/columns.h"
#include "query/query.h"

static bool in_list(const char *name, const char *const *list)
{
	for (; *list != NULL; list++)
		if (sqlite3_stricmp(name, *list) == 0)
			return true;
	return false;
}

static bool may_read(const char *table, const char *column)
{
	static const char *const others[] = {"json_each", "json_tree", NULL};
	static const char *const hidden[] = {"sqlite_", "pragma_", "fts", NULL};
	static const char *const modules[] = {"dbstat", "bytecode",
	    "tables_used", "completion", NULL};
	size_t i;

	if (columns_find(table) != NULL || in_list(table, others))
		return true;
	if (*column != '\0')
		return false;
	/* no column of it is used: the name may be a common table expression's */
	for (i = 0; hidden[i] != NULL; i++)
		if (sqlite3_strnicmp(table, hidden[i],
			(int)strlen(hidden[i])) == 0)
			return false;
	return !in_list(table, modules);
}

static bool may_call(const char *function)
{
	static const char *const no[] = {"load_extension", "fts3_tokenizer",
	    "readfile", "writefile", "edit", "lsdir", "eval", "sqlite_offset",
	    "sqlite_log", "sqlite_compileoption_get",
	    "sqlite_compileoption_used", NULL};

	return !in_list(function, no);
}

static int authorize(void *ctx, int action, const char *a, const char *b,
    const char *database, const char *trigger)
{
	(void)ctx;
	(void)database;
	(void)trigger;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_READ:
		return a != NULL && may_read(a, b != NULL ? b : "") ?
		    SQLITE_OK : SQLITE_DENY;
	case SQLITE_FUNCTION:
		return b != NULL && may_call(b) ? SQLITE_OK : SQLITE_DENY;
	default:
		return SQLITE_DENY;
	}
}

int authorizer_set(struct qt_db *db)
{
	return sqlite3_set_authorizer(db->sql, authorize, NULL);
}
