/*
 * snaptext.c - texts of a snapshot by their number, for the statements that qtool
 * reads it with: a function that remembers those of late, in place of a look into
 * the table for each value.
 */
#include "query/snaptext.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 4096u   /* a power of two */
#define TEXT_MAX 1000 /* bytes; longer ones are not kept */

struct kept {
	sqlite3_int64 id; /* 0: free */
	char *text;	  /* owned, cap bytes */
	int len, cap;
};

struct snaptext_cache {
	sqlite3 *sql; /* borrowed */
	sqlite3_stmt *st;
	struct kept slot[SLOTS];
};

/* Without memory for it, it is not kept. */
static void keep(struct kept *k, sqlite3_int64 id, const void *text, int len)
{
	char *room = k->text;

	k->id = 0;
	if (len > TEXT_MAX || text == NULL)
		return;
	if (k->cap < len || room == NULL) {
		room = realloc(k->text, (size_t)len + 1);
		if (room == NULL)
			return;
		k->text = room;
		k->cap = len;
	}
	memcpy(k->text, text, (size_t)len);
	k->len = len;
	k->id = id;
}

static void look_up(struct snaptext_cache *c, sqlite3_context *ctx,
    sqlite3_int64 id)
{
	int r = sqlite3_bind_int64(c->st, 1, id);

	if (r == SQLITE_OK)
		r = sqlite3_step(c->st);
	if (r == SQLITE_ROW) {
		sqlite3_result_value(ctx, sqlite3_column_value(c->st, 0));
		if (sqlite3_column_type(c->st, 0) == SQLITE_TEXT)
			keep(&c->slot[(sqlite3_uint64)id % SLOTS], id,
			    sqlite3_column_text(c->st, 0),
			    sqlite3_column_bytes(c->st, 0));
	} else if (r != SQLITE_DONE) {
		sqlite3_result_error_code(ctx, r);
	}
	(void)sqlite3_reset(c->st);
}

/* text_of(X): that of the number; what is no number is itself. */
static void text_of(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct snaptext_cache *c = sqlite3_user_data(ctx);
	const struct kept *k;
	sqlite3_int64 id;

	(void)argc;
	if (sqlite3_value_type(argv[0]) != SQLITE_INTEGER) {
		sqlite3_result_value(ctx, argv[0]);
		return;
	}
	id = sqlite3_value_int64(argv[0]);
	k = &c->slot[(sqlite3_uint64)id % SLOTS];
	if (id != 0 && k->id == id)
		sqlite3_result_text(ctx, k->text, k->len, SQLITE_TRANSIENT);
	else
		look_up(c, ctx, id);
}

int snaptext_register(struct snaptext_cache **out, sqlite3 *sql)
{
	struct snaptext_cache *c = calloc(1, sizeof *c);
	int r;

	if (c == NULL)
		return SQLITE_NOMEM;
	*out = c;
	c->sql = sql;
	r = sqlite3_prepare_v3(sql, "SELECT value FROM texts WHERE id = ?", -1,
	    SQLITE_PREPARE_PERSISTENT, &c->st, NULL);
	/* from our statements alone, no schema's */
	if (r == SQLITE_OK)
		r = sqlite3_create_function_v2(sql, SNAPTEXT_FUNCTION, 1,
		    SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, c,
		    text_of, NULL, NULL, NULL);
	return r;
}

void snaptext_free(struct snaptext_cache *c)
{
	size_t i;

	if (c == NULL)
		return;
	(void)sqlite3_finalize(c->st);
	for (i = 0; i < SLOTS; i++)
		free(c->slot[i].text);
	free(c);
}
