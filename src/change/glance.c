/*
 * glance.c - the first look at very many messages, by a few threads.
 *
 * A stretch is cut into tasks; all of them are done before the first result of
 * the stretch is handed out, so that no thread reads a plan while its owner
 * writes to it.
 */
#include "change/glance.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "change/identity.h"

#define MIN 1024u     /* messages: fewer are looked at in a few milliseconds */
#define STRETCH 16384u /* messages looked at ahead */
#define TASK 128u      /* of them, by one thread in one go */
#define TASKS (STRETCH / TASK)
#define THREADS 4u
#define HANDLE_MAX 24u /* ext4 has 8 bytes, xfs 12; longer ones are left */

/* What is known of one message. */
struct found {
	bool same;
	unsigned char len; /* of its handle */
	int type;
	unsigned char bytes[HANDLE_MAX];
};

struct task {
	struct qt_task task; /* first member */
	size_t first, n;     /* messages of the plan */
};

struct qt_glance {
	const struct qt_change *c;
	const struct qt_plan *p;
	struct qt_pool *pool;
	struct qt_dirs own;   /* open directories, of this thread */
	size_t first, n;      /* the stretch that is known */
	struct found v[STRETCH];
	struct task task[TASKS];
};

/* ---- workers ---- */

static void *worker_new(void *ctx)
{
	struct qt_dirs *d = malloc(sizeof(*d));

	(void)ctx;
	if (d != NULL)
		qt_dirs_init(d);
	return d;
}

static void worker_free(void *worker)
{
	struct qt_dirs *d = worker;

	qt_dirs_forget(d);
	free(d);
}

static void keep(struct found *f, const struct qt_handle *h)
{
	if (h->len > HANDLE_MAX)
		return;
	f->type = h->type;
	f->len = (unsigned char)h->len;
	memcpy(f->bytes, h->bytes, h->len);
	f->same = true;
}

/* Any failure is left to whoever looks again, and says what it is. */
static void look(struct qt_glance *g, struct qt_dirs *dirs, size_t i)
{
	const struct qt_plan_item *it = &g->p->v[i];
	struct found *f = &g->v[i - g->first];
	const char *path = qt_plan_path(g->p, it), *name;
	struct qt_error ignored = {0};
	struct qt_handle h;
	struct stat st;
	int dir;

	*f = (struct found){.same = false};
	if (qt_dirs_get(dirs, g->c->spool, path, &dir, &name, &ignored) != 0 ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    qt_identity_compare(g->c, it, &st, true) != QT_LIKE_SAME ||
	    qt_identity_handle(dir, name, &h, path, &ignored) != 0)
		return;
	keep(f, &h);
}

static void run(struct qt_task *task, void *worker, void *ctx)
{
	const struct task *t = (const struct task *)(const void *)task;
	struct qt_glance *g = ctx;
	size_t i;

	for (i = t->first; i < t->first + t->n; i++)
		look(g, worker, i);
}

/* ---- the stretches ---- */

static void look_ahead(struct qt_glance *g, size_t first)
{
	size_t at, ntasks = 0, i;
	struct task *t;
	bool done;

	g->first = first;
	g->n = g->p->n - first < STRETCH ? g->p->n - first : STRETCH;
	for (at = 0; at < g->n; at += TASK) {
		t = &g->task[ntasks];
		*t = (struct task){.first = first + at,
		    .n = g->n - at < TASK ? g->n - at : TASK};
		if (qt_pool_submit(g->pool, &t->task))
			ntasks++;
		else /* no thread can be had */
			run(&t->task, &g->own, g);
	}
	for (i = 0; i < ntasks; i++)
		(void)qt_pool_wait(g->pool, &g->task[i].task, 0, &done);
}

bool qt_glance_same(struct qt_glance *g, size_t i, struct qt_handle *h)
{
	const struct found *f;

	if (i < g->first || i >= g->first + g->n)
		look_ahead(g, i);
	f = &g->v[i - g->first];
	if (!f->same)
		return false;
	h->type = f->type;
	h->len = f->len;
	memcpy(h->bytes, f->bytes, f->len);
	return true;
}

/* ---- making ---- */

int qt_glance_new(struct qt_glance **out, const struct qt_change *c,
    const struct qt_plan *p, struct qt_error *err)
{
	struct qt_pool_opts opts = {.threads = THREADS,
	    .worker_new = worker_new, .worker_free = worker_free, .run = run};
	struct qt_glance *g;

	*out = NULL;
	if (p->n < MIN)
		return 0;
	if ((g = calloc(1, sizeof(*g))) == NULL)
		return qt_fail_mem(err);
	g->c = c;
	g->p = p;
	qt_dirs_init(&g->own);
	opts.ctx = g;
	opts.owner = &g->own;
	if (qt_pool_new(&g->pool, &opts, err) != 0) {
		free(g);
		return -1;
	}
	*out = g;
	return 0;
}

void qt_glance_free(struct qt_glance *g)
{
	if (g == NULL)
		return;
	qt_pool_free(g->pool);
	qt_dirs_forget(&g->own);
	free(g);
}
