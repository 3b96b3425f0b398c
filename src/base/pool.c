/*
 * pool.c - worker threads over one locked list.
 *
 * A task is long (tens of files) beside the two lock operations it costs, so
 * one mutex for everything is enough.  Wake-ups are what would be dear: a
 * worker that finds work does not sleep, the owner is woken only when the task
 * it waits for is done and others with it, and a thread is started only when a
 * task is submitted while nobody is idle.
 *
 * How many workers take part follows from what they do.  While tasks wait for
 * a disk many are wanted; while everything comes from memory more than there
 * are processors only get in each other's way: one that was preempted holds up
 * the front task, the rest run dry, and all have to be woken again.  So a task
 * during which its worker slept calls for more workers, one that ran through
 * for fewer.  With the fewest the owner, too, works rather than sleeps: being
 * woken is dearer than a task, above all in a virtual machine.
 */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>

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
	unsigned busy;	       /* workers with a task */
	unsigned least;	       /* busy ones that are always allowed */
	unsigned growth;       /* of target when the next task has slept */
	unsigned unfinished;   /* tasks submitted and not done */
	unsigned finished;     /* tasks done since the owner began to wait */
	bool owner_waits, stopping;

	/*
	 * Outside the lock.  charged and throttled are sequentially
	 * consistent: release lowers charged and then looks at
	 * throttled, reserve raises throttled and then looks at charged, so
	 * one of the two sees the other.
	 */
	atomic_size_t charged;
	/* Workers that may be busy, from least to opts.threads.  Written with
	 * the lock held. */
	atomic_uint target;
	atomic_uint throttled; /* workers in room */
};

/*
 * Workers that, with the owner's help, keep the processors busy when nothing
 * makes them sleep.  One more, and on a machine with two processors there is
 * always one preempted in the middle of a task that all the others come to
 * wait for: measured, a tenth more time for each.
 */
static unsigned least_workers(const struct qt_pool_opts *opts)
{
	cpu_set_t set;
	unsigned n = 2;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		n = (unsigned)CPU_COUNT(&set);
	if (opts->owner != NULL && n > 1)
		n--;
	return n < opts->threads ? n : opts->threads;
}

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
	p->least = least_workers(opts);
	p->growth = opts->threads / 2 + 1; /* a cold start is noticed at once */
	atomic_init(&p->target, p->least);
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

static unsigned target(const struct qt_pool *p)
{
	return atomic_load_explicit(&p->target, memory_order_relaxed);
}

unsigned qt_pool_workers(const struct qt_pool *p)
{
	return target(p);
}

/* Take the first of the waiting tasks; with the lock held. */
static struct qt_task *pop(struct qt_pool *p)
{
	struct qt_task *t = p->head;

	p->head = t->next;
	if (p->head == NULL)
		p->tail = &p->head;
	return t;
}

/* The next task, NULL at the end; with the lock held. */
static struct qt_task *next_task(struct qt_pool *p)
{
	struct qt_task *t;

	while ((p->head == NULL || p->busy >= target(p)) && !p->stopping) {
		p->idle++;
		(void)pthread_cond_wait(&p->work, &p->lock);
		p->idle--;
	}
	if (p->stopping)
		return NULL;
	t = pop(p);
	p->busy++;
	/* one wakes the next, when the target has grown */
	if (p->head != NULL && p->idle > 0 && p->busy < target(p))
		(void)pthread_cond_signal(&p->work);
	return t;
}

/* How often this thread has slept of its own accord. */
static long sleeps(void)
{
	struct rusage ru;

	return getrusage(RUSAGE_THREAD, &ru) == 0 ? ru.ru_nvcsw : 0;
}

/*
 * A task is done; with the lock held.  A warm cache too makes a task sleep now
 * and then, on some lock in the kernel, a cold one nearly every task: growth
 * doubles with each in a row.
 */
static void task_done(struct qt_pool *p, struct qt_task *t, bool slept)
{
	unsigned n = target(p);

	t->done = true;
	p->unfinished--;
	p->finished++;
	p->growth = !slept ? 1 : p->growth < p->opts.threads ? 2 * p->growth
							      : p->growth;
	if (slept)
		n = n + p->growth < p->opts.threads ? n + p->growth
						    : p->opts.threads;
	else if (n > p->least)
		n--;
	atomic_store_explicit(&p->target, n, memory_order_relaxed);
}

/*
 * Wake the owner if its time has come; with the lock held.  The front task has
 * to have something for it, and either enough is done to make waking it worth
 * while, or nobody would do more without it.
 */
static void wake_owner(struct qt_pool *p)
{
	const struct qt_task *t = p->front;

	if (!p->owner_waits || (!t->done && t->ready <= p->taken))
		return;
	if (p->finished >= target(p) || p->unfinished == 0 ||
	    atomic_load(&p->throttled) > 0)
		(void)pthread_cond_signal(&p->ready);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct qt_pool *p = w->pool;
	struct qt_task *t;
	long before;

	(void)pthread_mutex_lock(&p->lock);
	while ((t = next_task(p)) != NULL) {
		(void)pthread_mutex_unlock(&p->lock);
		before = sleeps();
		p->opts.run(t, w->state, p->opts.ctx);
		before -= sleeps();
		(void)pthread_mutex_lock(&p->lock);
		p->busy--;
		task_done(p, t, before != 0);
		wake_owner(p);
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
	bool wake, more;

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
	p->unfinished++;
	wake = p->idle > 0 && p->busy < target(p);
	more = p->idle == 0 && p->busy < target(p);
	if (wake)
		(void)pthread_cond_signal(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
	if (more && p->nworkers < p->opts.threads && !p->barren)
		add_worker(p);
	return true;
}

/*
 * The owner has to wait: run a task, or sleep when there is none to be run;
 * with the lock held.  While tasks wait for a disk its place is here.
 */
static void help_or_sleep(struct qt_pool *p)
{
	struct qt_task *t;
	long before;

	if (p->opts.owner == NULL || p->head == NULL ||
	    target(p) > p->least || atomic_load(&p->throttled) > 0) {
		p->finished = 0;
		p->owner_waits = true;
		(void)pthread_cond_wait(&p->ready, &p->lock);
		p->owner_waits = false;
		return;
	}
	t = pop(p);
	(void)pthread_mutex_unlock(&p->lock);
	before = sleeps();
	p->opts.run(t, p->opts.owner, p->opts.ctx);
	before -= sleeps();
	(void)pthread_mutex_lock(&p->lock);
	task_done(p, t, before != 0);
}

unsigned qt_pool_wait(struct qt_pool *p, struct qt_task *t, unsigned have,
    bool *done)
{
	unsigned ready;

	(void)pthread_mutex_lock(&p->lock);
	p->front = t;
	p->taken = have;
	while (!t->done && t->ready <= have) {
		if (atomic_load(&p->throttled) > 0)
			(void)pthread_cond_broadcast(&p->room);
		help_or_sleep(p);
	}
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
		wake_owner(p);
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
