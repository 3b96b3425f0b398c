/*
 * snaptext.h - the function text_of() on a snapshot's own connection.
 */
#ifndef QUERY_SNAPTEXT_H
#define QUERY_SNAPTEXT_H

#include <sqlite3.h>

#define SNAPTEXT_FUNCTION "text_of"

struct snaptext_cache;
/* An SQLite result; *out is to be freed whatever it is, when no statement that
 * has the function runs any more, and before the connection is closed. */
int snaptext_register(struct snaptext_cache **out, sqlite3 *sql);
void snaptext_free(struct snaptext_cache *c);

#endif
