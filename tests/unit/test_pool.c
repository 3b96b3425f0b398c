/*
 * test_pool - tasks each run once, the owner's order, the budget without
 * deadlock, and as many workers as sleeping tasks call for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"

#define NTASKS 400u
#define ITEMS 5u /* of a task that uses the budget */

struct job {
	struct qt_task task;
	atomic_uint runs;
	unsigned charged[ITEMS];
};

struct shop {
	struct qt_pool *pool;
	useconds_t sleep; /* of each task */
	unsigned bytes;	  /* reserved for each item; 0: no budget */
	bool barren;	  /* no worker can be made */
	atomic_uint now, most; /* tasks at one time */
	struct job jobs[NTASKS];
};

static void *worker_new(void *ctx)
{
	struct shop *s = ctx;

	return s->barren ? NULL : s;
}

static void worker_free(void *worker)
{
	assert_non_null(worker);
}

static void run(struct qt_task *task, void *worker, void *ctx)
{
	struct job *j = (struct job *)(void *)task;
	struct shop *s = ctx;
	unsigned n = atomic_fetch_add(&s->now, 1) + 1;
	unsigned most = atomic_load(&s->most);

	while (n > most && !atomic_compare_exchange_weak(&s->most, &most, n))
		;
	if (worker != s) /* asserts are for the test's own thread */
		abort();
	(void)atomic_fetch_add(&j->runs, 1);
	if (s->sleep > 0)
		(void)usleep(s->sleep);
	for (unsigned i = 0; i < ITEMS && s->bytes > 0; i++) {
		qt_pool_reserve(s->pool, task, i, s->bytes);
		j->charged[i] = s->bytes;
	}
	(void)atomic_fetch_sub(&s->now, 1);
}

static struct shop *shop_new(unsigned threads, size_t budget, bool owner_helps)
{
	struct shop *s = calloc(1, sizeof *s);
	struct qt_pool_opts o = {.threads = threads,
	    .budget = budget, .worker_new = worker_new,
	    .worker_free = worker_free, .run = run, .ctx = s,
	    .owner = owner_helps ? s : NULL};
	struct qt_error err;

	assert_non_null(s);
	assert_int_equal(qt_pool_new(&s->pool, &o, &err), 0);
	return s;
}

static void shop_free(struct shop *s)
{
	qt_pool_free(s->pool);
	free(s);
}

/* Take a task's items one after the other, releasing each. */
static void take_items(struct shop *s, struct job *j)
{
	unsigned taken = 0, ready;
	bool done = false;

	while (!done || taken < ITEMS) {
		ready = qt_pool_wait(s->pool, &j->task, taken, &done);
		if (done)
			ready = ITEMS;
		for (; taken < ready; taken++)
			if (j->charged[taken] > 0)
				qt_pool_release(s->pool, j->charged[taken]);
	}
}

/* All tasks through a window, waited for in order. */
static void work(struct shop *s, unsigned window)
{
	unsigned next = 0;

	for (unsigned i = 0; i < NTASKS; i++) {
		for (; next < NTASKS && next < i + window; next++)
			assert_true(qt_pool_submit(s->pool,
			    &s->jobs[next].task));
		take_items(s, &s->jobs[i]);
	}
	for (unsigned i = 0; i < NTASKS; i++)
		assert_int_equal(atomic_load(&s->jobs[i].runs), 1);
}

static void every_task_runs_once(void **state)
{
	static const unsigned threads[] = {1, 2, 32};
	struct shop *s;

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		s = shop_new(threads[i / 2], 1000, i % 2 != 0);
		work(s, 64);
		assert_true(atomic_load(&s->most) <= threads[i / 2] + i % 2);
		shop_free(s);
	}
}

static void budget_never_ends_in_waiting(void **state)
{
	/* an item alone is too large; two fit; one task's items do not */
	static const size_t budgets[] = {0, 25, 45};
	struct shop *s;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		s = shop_new(8, budgets[i], false);
		s->bytes = 10;
		work(s, 32);
		assert_false(qt_pool_full(s->pool));
		shop_free(s);
	}
}

static void sleeping_tasks_get_many_workers(void **state)
{
	struct shop *s = shop_new(16, 1000, true);

	(void)state;
	s->sleep = 2000;
	work(s, 48);
	assert_true(atomic_load(&s->most) >= 16);
	shop_free(s);
}

static void without_threads_nothing_is_taken(void **state)
{
	struct shop *s = shop_new(4, 1000, false);

	(void)state;
	s->barren = true;
	assert_false(qt_pool_submit(s->pool, &s->jobs[0].task));
	assert_int_equal(atomic_load(&s->jobs[0].runs), 0);
	shop_free(s);
}

static void freed_with_work_left(void **state)
{
	struct shop *s = shop_new(2, 10, false);

	(void)state;
	s->bytes = 10; /* both workers soon wait for room */
	for (unsigned i = 0; i < 50; i++)
		assert_true(qt_pool_submit(s->pool, &s->jobs[i].task));
	shop_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_task_runs_once),
	    cmocka_unit_test(budget_never_ends_in_waiting),
	    cmocka_unit_test(sleeping_tasks_get_many_workers),
	    cmocka_unit_test(without_threads_nothing_is_taken),
	    cmocka_unit_test(freed_with_work_left),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
