/*
 * functions.c - SQL functions on single values (qtool-sql.7).
 *
 * What is dear to make of a constant argument (a compiled pattern, a network, a
 * set of IDs) is kept by SQLite with the argument for the statement's life.
 */
#include "query/functions.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "query/cidr.h"
#include "query/domain.h"
#include "query/glob.h"
#include "query/idset.h"
#include "query/decode.h"

/* Text of an argument; NULL and an error set when there is no memory. */
const char *arg_text(sqlite3_context *ctx, sqlite3_value *v, size_t *len)
{
	const char *s = (const char *)sqlite3_value_text(v);

	if (s == NULL)
		sqlite3_result_error_nomem(ctx);
	*len = s != NULL ? (size_t)sqlite3_value_bytes(v) : 0;
	return s;
}

static void free_regexp(void *re)
{
	regexp_free(re);
}

const struct regexp *arg_regexp(sqlite3_context *ctx, int i, sqlite3_value *v)
{
	struct qt_db *db = sqlite3_user_data(ctx);
	struct regexp *re = sqlite3_get_auxdata(ctx, i);
	struct qt_error err = {0};
	const char *s;
	size_t len;

	if (re != NULL)
		return re;
	s = arg_text(ctx, v, &len);
	if (s == NULL)
		return NULL;
	if (regexp_new(&re, s, len, &err) != 0) {
		put_error(db, ctx, &err);
		return NULL;
	}
	sqlite3_set_auxdata(ctx, i, re, free_regexp);
	/* SQLite may have freed it at once, when out of memory */
	return sqlite3_get_auxdata(ctx, i);
}

int match_value(sqlite3_context *ctx, const struct regexp *re, const char *s,
    size_t len)
{
	struct qt_error err = {0};
	int r = regexp_match(re, s, len, &err);

	if (r < 0)
		put_error(sqlite3_user_data(ctx), ctx, &err);
	return r;
}

/* X REGEXP Y is regexp(Y, X) */
static void fn_regexp(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const struct regexp *re;
	const char *s;
	size_t len;
	int r;

	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL ||
	    sqlite3_value_type(argv[1]) == SQLITE_NULL)
		return;
	re = arg_regexp(ctx, 0, argv[0]);
	s = re != NULL ? arg_text(ctx, argv[1], &len) : NULL;
	if (s == NULL)
		return;
	r = match_value(ctx, re, s, len);
	if (r >= 0)
		sqlite3_result_int(ctx, r == 0);
}

static const struct cidr *arg_cidr(sqlite3_context *ctx, int i,
    sqlite3_value *v)
{
	struct cidr *net = sqlite3_get_auxdata(ctx, i);
	struct qt_error err = {0};
	const char *s;
	size_t len;

	if (net != NULL)
		return net;
	s = arg_text(ctx, v, &len);
	if (s == NULL)
		return NULL;
	net = malloc(sizeof *net);
	if (net == NULL) {
		sqlite3_result_error_nomem(ctx);
		return NULL;
	}
	if (cidr_parse(net, s, &err) != 0) {
		free(net);
		put_error(sqlite3_user_data(ctx), ctx, &err);
		return NULL;
	}
	sqlite3_set_auxdata(ctx, i, net, free);
	return sqlite3_get_auxdata(ctx, i);
}

/* cidr(address, network, ...): in any of them */
static void fn_cidr(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const struct cidr *net;
	uint8_t addr[16];
	bool known, in = false;
	const char *s;
	size_t len;
	int i;

	if (argc < 2) {
		sqlite3_result_error(ctx, "cidr() takes an address and networks",
		    -1);
		return;
	}
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
		return;
	s = arg_text(ctx, argv[0], &len);
	if (s == NULL)
		return;
	known = cidr_address(addr, s);
	/* all networks are looked at: a bad one is an error for every row */
	for (i = 1; i < argc; i++) {
		if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
			continue;
		net = arg_cidr(ctx, i, argv[i]);
		if (net == NULL)
			return;
		in = in || (known && cidr_contains(net, addr));
	}
	sqlite3_result_int(ctx, in);
}

static void fn_domain(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct qt_db *db = sqlite3_user_data(ctx);
	const char *s;
	size_t len;

	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
		return;
	s = arg_text(ctx, argv[0], &len);
	if (s == NULL)
		return;
	put_text(db, ctx, domain_of(&db->scratch, s));
	qt_arena_reset(&db->scratch);
}

/* org(domain), and of an address for convenience */
static void fn_org(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct qt_db *db = sqlite3_user_data(ctx);
	const char *s, *at;
	size_t len;

	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
		return;
	s = arg_text(ctx, argv[0], &len);
	if (s == NULL)
		return;
	at = strrchr(s, '@');
	if (at != NULL)
		s = at + 1;
	put_text(db, ctx, domain_org(domain_normal(&db->scratch, s, strlen(s))));
	qt_arena_reset(&db->scratch);
}

static void fn_age(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const struct qt_db *db = sqlite3_user_data(ctx);
	sqlite3_int64 age;

	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
		return;
	if (__builtin_sub_overflow((sqlite3_int64)db->now,
		sqlite3_value_int64(argv[0]), &age))
		return;
	sqlite3_result_int64(ctx, age);
}

static void fn_decode(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct qt_db *db = sqlite3_user_data(ctx);
	struct qt_buf b;
	const char *s;
	size_t len;

	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
		return;
	s = arg_text(ctx, argv[0], &len);
	if (s == NULL)
		return;
	qt_buf_init(&b, 0);
	decode_words(&b, s, len);
	if (b.failed)
		sqlite3_result_error_nomem(ctx);
	else
		put_bytes(db, ctx, qt_buf_str(&b), b.len);
	qt_buf_release(&b);
}

/* matches(text, glob, ...): any of them */
static void fn_matches(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const char *s, *g;
	bool yes = false;
	size_t len, glen;
	int i;

	if (argc < 2) {
		sqlite3_result_error(ctx, "matches() takes a text and patterns",
		    -1);
		return;
	}
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
		return;
	s = arg_text(ctx, argv[0], &len);
	for (i = 1; i < argc && s != NULL && !yes; i++) {
		if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
			continue;
		g = arg_text(ctx, argv[i], &glen);
		if (g == NULL)
			return;
		yes = glob_match(g, glen, s, len);
	}
	if (s != NULL)
		sqlite3_result_int(ctx, yes);
}

static void free_idset(void *set)
{
	idset_free(set);
}

void fn_listed(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct qt_db *db = sqlite3_user_data(ctx);
	struct idset *set = sqlite3_get_auxdata(ctx, 1);
	struct qt_error err = {0};
	const char *s;
	size_t len;

	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL ||
	    sqlite3_value_type(argv[1]) == SQLITE_NULL)
		return;
	if (set == NULL) {
		s = arg_text(ctx, argv[1], &len);
		if (s == NULL)
			return;
		if (idset_new(&set, s, len, db->sip_key, &err) != 0) {
			put_error(db, ctx, &err);
			return;
		}
		sqlite3_set_auxdata(ctx, 1, set, free_idset);
		set = sqlite3_get_auxdata(ctx, 1);
	}
	s = set != NULL ? arg_text(ctx, argv[0], &len) : NULL;
	if (s != NULL)
		sqlite3_result_int(ctx, idset_has(set, s, len));
}

int functions_register(struct qt_db *db)
{
	static const struct {
		const char *name;
		int nargs;
		void (*fn)(sqlite3_context *, int, sqlite3_value **);
	} list[] = {{"regexp", 2, fn_regexp}, {"cidr", -1, fn_cidr},
	    {"domain", 1, fn_domain}, {"org", 1, fn_org}, {"age", 1, fn_age},
	    {"decode", 1, fn_decode}, {"matches", -1, fn_matches},
	    {"listed", 2, fn_listed}};
	size_t i;
	int r;

	for (i = 0; i < sizeof list / sizeof list[0]; i++) {
		r = sqlite3_create_function_v2(db->sql, list[i].name,
		    list[i].nargs, FUNCTION_FLAGS, db, list[i].fn, NULL, NULL,
		    NULL);
		if (r != SQLITE_OK)
			return r;
	}
	return SQLITE_OK;
}
