/*
 * functions.h - what the files with SQL functions share.
 */
#ifndef QUERY_FUNCTIONS_H
#define QUERY_FUNCTIONS_H

#include "query/query.h"
#include "query/regexp.h"

#define FUNCTION_FLAGS (SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS)

/* An argument's text, not NULL-typed; NULL with the error set: no memory. */
const char *arg_text(sqlite3_context *ctx, sqlite3_value *v, size_t *len);
/*
 * Argument i as a compiled pattern, kept with a constant argument; NULL with
 * the error set.
 */
const struct regexp *arg_regexp(sqlite3_context *ctx, int i, sqlite3_value *v);
/* As regexp_match, the error set when negative. */
int match_value(sqlite3_context *ctx, const struct regexp *re, const char *s,
    size_t len);

/* listed(id, 'ID ID ...'): also the tables', as an early test (vtab.c). */
void fn_listed(sqlite3_context *ctx, int argc, sqlite3_value **argv);

#endif
