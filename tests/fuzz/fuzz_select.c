/*
 * fuzz_select.c - what a user can type: patterns, networks, domains, JSON
 * arrays, lists of IDs, WHERE clauses.  The first byte says which.
 *
 * A clause that passes the check cannot leave its parentheses: SQLite, asked to
 * parse "0 AND (clause)", either refuses it or finds no row.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/cidr.h"
#include "query/domain.h"
#include "query/glob.h"
#include "query/idset.h"
#include "query/select_priv.h"
#include "query/strlist.h"
#include "qtool/escape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "fuzz_select: not so: %s\n", what);
	abort();
}

static void fuzz_cidr(const char *s)
{
	struct qt_error err;
	struct cidr net;

	if (cidr_parse(&net, s, &err) == 0) {
		require(net.bits <= 128, "prefix length");
		require(cidr_contains(&net, net.addr), "a network has its address");
	}
}

/* A form that is compared must not change when it is made again. */
static void fuzz_domain(const char *s)
{
	struct qt_arena a;
	const char *d, *again, *org;

	qt_arena_init(&a, 0);
	d = domain_of(&a, s);
	if (d != NULL) {
		require(qt_utf8_valid(d, strlen(d)), "UTF-8");
		again = domain_normal(&a, d, strlen(d));
		require(again != NULL && (strcmp(again, d) == 0 ||
		    d[strlen(d) - 1] == '.'), "the same again");
		org = domain_org(d);
		require(org == NULL || (org >= d && org < d + strlen(d)),
		    "an organisation is the end of the domain");
	}
	qt_arena_release(&a);
}

static void fuzz_glob(const char *s, size_t len)
{
	const char *sep = memchr(s, '|', len);

	if (sep == NULL)
		return;
	(void)glob_match(s, (size_t)(sep - s), sep + 1,
	    len - (size_t)(sep - s) - 1);
	require(glob_match("*", 1, s, len), "* matches all");
	if (memchr(s, '?', len) == NULL && memchr(s, '*', len) == NULL)
		require(glob_match(s, len, s, len), "a text matches itself");
}

static void fuzz_strlist(const char *s, size_t len)
{
	struct qt_error err;
	struct strlist l;

	strlist_init(&l);
	if (strlist_start(&l, s, len, &err) == 0)
		while (strlist_next(&l, &err) == 0)
			require(l.item.len <= len, "no longer than its text");
	strlist_release(&l);
}

static void fuzz_ids(const char *s, size_t len)
{
	static const uint64_t key[2] = {1, 2};
	struct qt_select *sel = NULL;
	struct idset *set = NULL;
	struct qt_error err;

	if (qt_select_new(&sel, &err) != 0)
		return;
	if (select_add_id_text(sel, s, len, "list", &err) == 0) {
		require(idset_new(&set, qt_buf_str(&sel->ids), sel->ids.len, key,
		    &err) == 0, "a set of what was taken");
		require(idset_has(set, sel->ids.data,
		    strcspn(sel->ids.data, "\n")), "the first ID is in it");
		require(!idset_has(set, "", 0), "nothing is not in it");
	}
	idset_free(set);
	qt_select_free(sel);
}

static int deny(void *ctx, int action, const char *a, const char *b,
    const char *c, const char *d)
{
	(void)ctx, (void)a, (void)b, (void)c, (void)d;
	return action == SQLITE_SELECT || action == SQLITE_FUNCTION ?
	    SQLITE_OK : SQLITE_DENY;
}

static int give_up(void *ctx)
{
	return ++*(int *)ctx > 100;
}

static void fuzz_where(const char *s)
{
	struct qt_error err;
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	const char *tail;
	struct qt_buf b;
	int steps = 0;

	if (select_check_where(s, &err) != 0)
		return;
	qt_buf_init(&b, 0);
	qt_buf_addf(&b, "SELECT 1 WHERE 0 AND (%s)", s);
	require(sqlite3_open(":memory:", &db) == SQLITE_OK, "a database");
	(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, 100000);
	(void)sqlite3_set_authorizer(db, deny, NULL);
	sqlite3_progress_handler(db, 1000, give_up, &steps);
	if (sqlite3_prepare_v2(db, qt_buf_str(&b), -1, &st, &tail) == SQLITE_OK) {
		require(*tail == '\0', "one statement");
		require(sqlite3_bind_parameter_count(st) == 0, "no parameter");
		require(sqlite3_step(st) != SQLITE_ROW, "it stays inside");
	}
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(db);
	qt_buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *s;

	if (size == 0 || (s = malloc(size)) == NULL)
		return 0;
	memcpy(s, data + 1, size - 1);
	s[size - 1] = '\0';
	switch (data[0] % 6) {
	case 0: fuzz_cidr(s); break;
	case 1: fuzz_domain(s); break;
	case 2: fuzz_glob(s, size - 1); break;
	case 3: fuzz_strlist(s, size - 1); break;
	case 4: fuzz_ids(s, size - 1); break;
	default: fuzz_where(s); break;
	}
	free(s);
	return 0;
}
