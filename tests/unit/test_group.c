/*
 * Counts by hash: the same as SQL's GROUP BY makes of the same rows, in the
 * same order, and an end at the limit.
 */
#include "unit/query_world.h"

#include "qtool/group.h"

/*
 * Rows out of a generator in SQL: keys of every type, some NULL; weights,
 * times, senders and clients that repeat and that are missing.
 */
#define ROWS \
	"WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n " \
	"WHERE i < 2999), r AS (SELECT " \
	"CASE i % 7 WHEN 0 THEN NULL WHEN 1 THEN i % 5 WHEN 2 THEN " \
	"(i % 5) + 0.5 WHEN 3 THEN x'00ff' WHEN 4 THEN '' " \
	"ELSE 'k' || (i * 7919 % 23) END AS a, i % 3 AS b, " \
	"i % 11 AS rcpts, CASE WHEN i % 13 = 0 THEN NULL ELSE i * 3 END AS size, " \
	"CASE WHEN i % 7 = 4 THEN NULL ELSE 1000 + i * 31 % 997 END AS t, " \
	"CASE WHEN i % 5 = 0 THEN NULL ELSE 's' || (i % 17) END AS sender, " \
	"i * 31 % 29 AS client FROM n) "

static int setup(void **state)
{
	return world_setup(state);
}

/* The rows of ROWS counted by hash. */
static struct qt_groups *counted(struct world *w, size_t limit, int *full)
{
	struct qt_groups *g = NULL;
	struct qt_stmt *st = NULL;
	int r;

	*full = 0;
	world_must(qt_groups_new(&g, 2, limit, &w->err), &w->err);
	world_must(qt_stmt_open(&st, w->db, ROWS "SELECT a, b, rcpts, size, t, "
	    "sender, client FROM r", NULL, 0, &w->err), &w->err);
	while ((r = qt_stmt_step(st, &w->err)) == 0 && *full == 0) {
		*full = qt_groups_add(g, st, &w->err);
		assert_true(*full >= 0);
	}
	assert_true(r >= 0);
	qt_stmt_close(st);
	return g;
}

static void same_value(const struct qt_value *v, const struct qt_stmt *st,
    int i)
{
	struct qt_value want;

	qt_value_of(&want, st, i);
	assert_int_equal(v->type, want.type);
	assert_int_equal(v->i, want.i);
	assert_true(v->real == want.real);
	assert_int_equal(v->len, want.len);
	assert_memory_equal(v->text, want.text, want.len);
}

static void compare_with_sql(struct world *w, const char *order,
    enum qt_group_weight by)
{
	struct qt_stmt *st = NULL;
	const struct qt_group *x;
	struct qt_groups *g;
	char sql[2048];
	size_t i = 0;
	int full, r;

	g = counted(w, SIZE_MAX, &full);
	assert_int_equal(full, 0);
	qt_groups_sort(g, by);
	(void)snprintf(sql, sizeof(sql), "%s%s DESC, a, b", ROWS "SELECT a, b, "
	    "count(*), coalesce(sum(rcpts), 0), coalesce(sum(size), 0), "
	    "count(DISTINCT sender), count(DISTINCT client), min(t), max(t) "
	    "FROM r GROUP BY a, b ORDER BY ", order);
	world_must(qt_stmt_open(&st, w->db, sql, NULL, 0, &w->err), &w->err);
	for (; (r = qt_stmt_step(st, &w->err)) == 0; i++) {
		assert_true(i < qt_groups_count(g));
		x = qt_groups_at(g, i);
		same_value(&x->key[0], st, 0);
		same_value(&x->key[1], st, 1);
		assert_int_equal(x->messages, qt_stmt_int(st, 2));
		assert_int_equal(x->recipients, qt_stmt_int(st, 3));
		assert_int_equal(x->bytes, qt_stmt_int(st, 4));
		assert_int_equal(x->senders, qt_stmt_int(st, 5));
		assert_int_equal(x->clients, qt_stmt_int(st, 6));
		assert_int_equal(x->timed, qt_stmt_type(st, 7) != QT_COL_NULL);
		assert_int_equal(x->first, qt_stmt_int(st, 7));
		assert_int_equal(x->last, qt_stmt_int(st, 8));
	}
	assert_int_equal(r, 1);
	assert_true(i > 80);
	assert_int_equal(i, qt_groups_count(g));
	qt_stmt_close(st);
	qt_groups_free(g);
}

static void test_by_messages(void **state)
{
	compare_with_sql(*state, "3", QT_BY_MESSAGES);
}

static void test_by_recipients(void **state)
{
	compare_with_sql(*state, "4", QT_BY_RECIPIENTS);
}

static void test_by_bytes(void **state)
{
	compare_with_sql(*state, "5", QT_BY_BYTES);
}

static void test_limit(void **state)
{
	struct qt_groups *g;
	int full;

	g = counted(*state, 4096, &full);
	assert_int_equal(full, 1);
	qt_groups_free(g);
}

/* A size is a number that a stranger wrote: its sum does not wrap. */
static void test_overflow(void **state)
{
	struct world *w = *state;
	struct qt_groups *g = NULL;
	struct qt_stmt *st = NULL;

	world_must(qt_groups_new(&g, 1, SIZE_MAX, &w->err), &w->err);
	world_must(qt_stmt_open(&st, w->db, "SELECT 'a', 1, 9223372036854775807,"
	    " NULL, NULL, NULL UNION ALL SELECT 'a', 1, 5, NULL, NULL, NULL",
	    NULL, 0, &w->err), &w->err);
	while (qt_stmt_step(st, &w->err) == 0)
		assert_int_equal(qt_groups_add(g, st, &w->err), 0);
	assert_int_equal(qt_groups_count(g), 1);
	assert_true(qt_groups_at(g, 0)->bytes == INT64_MAX);
	assert_int_equal(qt_groups_at(g, 0)->recipients, 2);
	qt_stmt_close(st);
	qt_groups_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_by_messages),
	    cmocka_unit_test(test_by_recipients),
	    cmocka_unit_test(test_by_bytes),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_overflow),
	};

	return cmocka_run_group_tests_name("groups", tests, setup,
	    world_teardown);
}
