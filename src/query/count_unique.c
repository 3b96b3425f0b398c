/*
 * count_unique.c - count_unique(X): count(DISTINCT X), several times faster
 * and in 22 bytes a value at most (hashset.h).
 */
#include "query/hashset.h"
#include "query/query.h"
#include "query/siphash.h"

/* Values are the same as for DISTINCT with collation BINARY: 1 and 1.0 are
 * one, 1 and '1' are not. */
static uint64_t hash_value(const struct qt_db *db, sqlite3_value *v)
{
	uint64_t key[2] = {db->sip_key[0], db->sip_key[1]};
	sqlite3_int64 n;
	const void *bytes;
	uint64_t h;
	double d;
	int type = sqlite3_value_type(v);

	if (type == SQLITE_FLOAT) {
		d = sqlite3_value_double(v);
		if (d >= -9e18 && d <= 9e18 && d == (double)(sqlite3_int64)d)
			type = SQLITE_INTEGER;
	}
	key[0] ^= (uint64_t)type;
	if (type == SQLITE_INTEGER) {
		n = sqlite3_value_int64(v);
		h = siphash(key, &n, sizeof n);
	} else if (type == SQLITE_FLOAT) {
		h = siphash(key, &d, sizeof d);
	} else {
		bytes = type == SQLITE_BLOB ? sqlite3_value_blob(v)
					    : sqlite3_value_text(v);
		h = siphash(key, bytes, bytes != NULL ?
		    (size_t)sqlite3_value_bytes(v) : 0);
	}
	return h;
}

static void step(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct hashset *s;

	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
		return;
	s = sqlite3_aggregate_context(ctx, sizeof *s);
	if (s == NULL ||
	    !hashset_add(s, hash_value(sqlite3_user_data(ctx), argv[0])))
		sqlite3_result_error_nomem(ctx);
}

static void final(sqlite3_context *ctx)
{
	struct hashset *s = sqlite3_aggregate_context(ctx, 0);

	sqlite3_result_int64(ctx, s != NULL ? (sqlite3_int64)s->n : 0);
	if (s != NULL)
		hashset_release(s);
}

int count_unique_register(struct qt_db *db)
{
	return sqlite3_create_function_v2(db->sql, "count_unique", 1,
	    SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, db, NULL,
	    step, final, NULL);
}
