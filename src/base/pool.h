/*
 * pool.h - a few threads that work off a queue of tasks, with a budget for
 * the memory that finished tasks hold.
 *
 * One thread, the owner, submits tasks and waits for them in the order of its
 * choice (the one waited for is the front task).  A task is a run of items; a
 * worker may tell how many of them are ready, so that the owner can take those
 * while the rest is still worked on.
 *
 * The budget: workers charge the bytes that an item keeps, the owner releases
 * them.  Above it workers stop before the next item, all but the one with the
 * front task whose ready items have been taken, which always goes on: there is
 * no state in which everybody waits.
 *
 * This is the only module that knows threads.
 */
#ifndef QTOOL_BASE_POOL_H
#define QTOOL_BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "qtool/error.h"

/* Embedded in the owner's struct; zero it before each submit. */
struct qt_task {
	struct qt_task *next;
	unsigned ready; /* items done, as far as told; under the pool's lock */
	bool done;	/* all are; under the pool's lock */
};

struct qt_pool_opts {
	unsigned threads; /* most that are started, each when there is work */
	size_t budget;	  /* bytes */
	/* What a thread needs, made and freed in the owner's thread; NULL from
	 * worker_new: no such thread. */
	void *(*worker_new)(void *ctx);
	void (*worker_free)(void *worker);
	void (*run)(struct qt_task *task, void *worker, void *ctx);
	void *ctx;
	/* The owner's own: while what it waits for is not ready it runs tasks
	 * too, with this in place of a worker's; it must not reserve then.
	 * NULL: it sleeps. */
	void *owner;
};

struct qt_pool;
int qt_pool_new(struct qt_pool **out, const struct qt_pool_opts *opts,
    struct qt_error *err) QT_MUST_CHECK;
/* Tasks not yet begun are dropped; those begun are waited for. */
void qt_pool_free(struct qt_pool *pool);

/*
 * Hand a task over.  False when no thread could be started at all: the task is
 * not taken, and the owner does the work itself.
 */
bool qt_pool_submit(struct qt_pool *pool, struct qt_task *task) QT_MUST_CHECK;
/*
 * Owner: make the task the front one and wait until more than have items are
 * ready, or all.  Returns the count of ready items; *done tells whether the
 * task is finished.
 */
unsigned qt_pool_wait(struct qt_pool *pool, struct qt_task *task,
    unsigned have, bool *done);

/* How many workers take part now; a good window is a few tasks for each. */
unsigned qt_pool_workers(const struct qt_pool *pool);

/* Worker: whether the budget is used up; cheap, may be a moment old. */
bool qt_pool_full(const struct qt_pool *pool);
/* Worker: ready items are done; wait until bytes fit, and charge them. */
void qt_pool_reserve(struct qt_pool *pool, struct qt_task *task,
    unsigned ready, size_t bytes);
/* Charge without waiting. */
void qt_pool_charge(struct qt_pool *pool, size_t bytes);
void qt_pool_release(struct qt_pool *pool, size_t bytes);

#endif
