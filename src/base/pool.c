/*
 * pool.c - worker threads over one locked list.
 *
 * A task is long (tens of files) beside the two lock operations it costs, so
 * one mutex for everything is enough.  Wake-ups are what would be dear: a
 * worker that finds work does not sleep, the owner is woken only for the task
 * it waits for, and a thread is started only when a task is submitted while
 * nobody is idle.
 */
#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Small: hundreds of readers must not cost memory.  The sanitizers' frames are
 * several times as large. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_SIZE ((size_t)2 << 20)
#else
#define STACK_SIZE ((size_t)256 << 10)
#endif

struct worker {
	struct qt_pool *pool;
	void *state; /* from worker_new */
	pthread_t thread;
};

struct qt_pool {
	struct qt_pool_opts opts;
	struct worker *workers; /* opts.threads slots */
	unsigned nworkers;	/* started; the owner's alone */
	bool barren;		/* a thread could not be started; owner's */

	pthread_mutex_t lock; /* guards everything from here to charged */
	pthread_cond_t work;  /* workers: a task, or the end */
	pthread_cond_t ready; /* owner: the front task has got on */
	pthread_cond_t room;  /* workers in reserve: budget, or front */
	struct qt_task *head, **tail; /* waiting to be begun */
	struct qt_task *front; /* the owner waits for it, or took from it */
	unsigned taken;	       /* items of front that the owner has */
	unsigned idle;	       /* workers in work */
	bool owner_waits, stopping;

	/*
	 * Outside the lock.  Both are sequentially consistent: release lowers
	 * charged and then looks at throttled, reserve raises throttled and
	 * then looks at charged, so one of the two sees the other.
	 */
	atomic_size_t charged;
	atomic_uint throttled; /* workers in room */
};

int qt_pool_new(struct qt_pool **out, const struct qt_pool_opts *opts,
    struct qt_error *err)
{
	struct qt_pool *p = calloc(1, sizeof *p);

	if (p == NULL)
		return qt_fail_mem(err);
	p->opts = *opts;
	p->workers = calloc(opts->threads > 0 ? opts->threads : 1,
	    sizeof *p->workers);
	if (p->workers == NULL) {
		free(p);
		return qt_fail_mem(err);
	}
	p->tail = &p->head;
	/* these cannot fail with default attributes on Linux */
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->work, NULL);
	(void)pthread_cond_init(&p->ready, NULL);
	(void)pthread_cond_init(&p->room, NULL);
	*out = p;
	return 0;
}

void qt_pool_free(struct qt_pool *p)
{
	if (p == NULL)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->stopping = true;
	(void)pthread_cond_broadcast(&p->work);
	(void)pthread_cond_broadcast(&p->room);
	(void)pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->nworkers; i++) {
		(void)pthread_join(p->workers[i].thread, NULL);
		p->opts.worker_free(p->workers[i].state);
	}
	(void)pthread_cond_destroy(&p->room);
	(void)pthread_cond_destroy(&p->ready);
	(void)pthread_cond_destroy(&p->work);
	(void)pthread_mutex_destroy(&p->lock);
	free(p->workers);
	free(p);
}

/* The next task, NULL at the end; with the lock held. */
static struct qt_task *next_task(struct qt_pool *p)
{
	struct qt_task *t;

	while (p->head == NULL && !p->stopping) {
		p->idle++;
		(void)pthread_cond_wait(&p->work, &p->lock);
		p->idle--;
	}
	if (p->stopping)
		return NULL;
	t = p->head;
	p->head = t->next;
	if (p->head == NULL)
		p->tail = &p->head;
	return t;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct qt_pool *p = w->pool;
	struct qt_task *t;

	(void)pthread_mutex_lock(&p->lock);
	while ((t = next_task(p)) != NULL) {
		(void)pthread_mutex_unlock(&p->lock);
		p->opts.run(t, w->state, p->opts.ctx);
		(void)pthread_mutex_lock(&p->lock);
		t->done = true;
		if (p->owner_waits && p->front == t)
			(void)pthread_cond_signal(&p->ready);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Start one thread with every signal blocked: they are the owner's. */
static bool start_thread(struct worker *w)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int rc;

	if (pthread_attr_init(&attr) != 0)
		return false;
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread, &attr, worker_main, w);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	return rc == 0;
}

/* One more worker.  When that fails those that run must do. */
static void add_worker(struct qt_pool *p)
{
	struct worker *w = &p->workers[p->nworkers];

	w->pool = p;
	w->state = p->opts.worker_new(p->opts.ctx);
	if (w->state != NULL && start_thread(w)) {
		p->nworkers++;
		return;
	}
	p->barren = true;
	if (w->state != NULL)
		p->opts.worker_free(w->state);
	w->state = NULL;
}

bool qt_pool_submit(struct qt_pool *p, struct qt_task *t)
{
	bool wake;

	if (p->nworkers == 0 && !p->barren && p->opts.threads > 0)
		add_worker(p);
	if (p->nworkers == 0)
		return false;
	t->next = NULL;
	t->ready = 0;
	t->done = false;
	(void)pthread_mutex_lock(&p->lock);
	if (p->front == t) /* an earlier use of the same memory */
		p->front = NULL;
	*p->tail = t;
	p->tail = &t->next;
	wake = p->idle > 0;
	if (wake)
		(void)pthread_cond_signal(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
	if (!wake && p->nworkers < p->opts.threads && !p->barren)
		add_worker(p);
	return true;
}

unsigned qt_pool_wait(struct qt_pool *p, struct qt_task *t, unsigned have,
    bool *done)
{
	unsigned ready;

	(void)pthread_mutex_lock(&p->lock);
	p->front = t;
	p->taken = have;
	p->owner_waits = true;
	while (!t->done && t->ready <= have) {
		if (atomic_load(&p->throttled) > 0)
			(void)pthread_cond_broadcast(&p->room);
		(void)pthread_cond_wait(&p->ready, &p->lock);
	}
	p->owner_waits = false;
	ready = t->ready;
	*done = t->done;
	(void)pthread_mutex_unlock(&p->lock);
	return ready;
}

bool qt_pool_full(const struct qt_pool *p)
{
	return atomic_load_explicit(&p->charged, memory_order_relaxed) >
	    p->opts.budget;
}

void qt_pool_reserve(struct qt_pool *p, struct qt_task *t, unsigned ready,
    size_t bytes)
{
	size_t limit = bytes < p->opts.budget ? p->opts.budget - bytes : 0;

	if (atomic_load(&p->charged) > limit) {
		(void)pthread_mutex_lock(&p->lock);
		(void)atomic_fetch_add(&p->throttled, 1);
		t->ready = ready;
		if (p->owner_waits && p->front == t)
			(void)pthread_cond_signal(&p->ready);
		while (!p->stopping && atomic_load(&p->charged) > limit &&
		    !(p->front == t && p->taken >= ready))
			(void)pthread_cond_wait(&p->room, &p->lock);
		(void)atomic_fetch_sub(&p->throttled, 1);
		(void)pthread_mutex_unlock(&p->lock);
	}
	(void)atomic_fetch_add(&p->charged, bytes);
}

void qt_pool_charge(struct qt_pool *p, size_t bytes)
{
	(void)atomic_fetch_add(&p->charged, bytes);
}

void qt_pool_release(struct qt_pool *p, size_t bytes)
{
	(void)atomic_fetch_sub(&p->charged, bytes);
	if (atomic_load(&p->throttled) == 0)
		return;
	(void)pthread_mutex_lock(&p->lock);
	(void)pthread_cond_broadcast(&p->room);
	(void)pthread_mutex_unlock(&p->lock);
}
