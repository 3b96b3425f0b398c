/*
 * place_run.h - runs of the operations that put messages into another queue.
 */
#ifndef TESTS_PLACE_RUN_H
#define TESTS_PLACE_RUN_H

#include "unit/change_run.h"

#include <sys/wait.h>

/* A plan of the messages from..to-1 of a run's spool. */
static inline struct qt_plan *op_plan(const struct tspool *t, enum qt_op op,
    size_t from, size_t to)
{
	struct qt_plan *p = ts_plan(t, from, to);

	p->op = op;
	return p;
}

/* Open, carry out, close; the plan is freed. */
static inline int carry_out(const struct tspool *t, struct run *r,
    struct qt_plan *p)
{
	return delete_plan(t, r, p);
}

static inline int redo(const struct tspool *t, struct run *r, uint64_t id)
{
	struct qt_change *c = open_change(t, r);
	int result;

	if (c == NULL)
		return -2;
	result = qt_change_redo(c, id, &r->out, &r->err);
	qt_change_close(c);
	return result;
}

/* The next qtool: how many transactions it recovered; -1 it could not. */
static inline int recover(const struct tspool *t, struct run *r)
{
	struct qt_change *c = open_change(t, r);

	if (c == NULL)
		return -1;
	qt_change_close(c);
	return (int)r->recovered;
}

/* ---- the process ends in the middle ---- */

struct end { /* at the n-th rename, from 1 */
	unsigned n, at;
	bool after;
};

static inline int e_rename(void *ctx, int fd, const char *from, int td,
    const char *to)
{
	struct end *e = ctx;
	int r;

	if (++e->n == e->at && !e->after)
		_exit(0);
	r = qt_fsops_system.rename(NULL, fd, from, td, to);
	if (e->n == e->at)
		_exit(0);
	return r;
}

/* act in a child that ends at a rename.  False: there was no such rename. */
static inline bool ends_in(unsigned at, bool after,
    void (*act)(struct run *r, void *ctx), void *ctx)
{
	struct end e = {.at = at, .after = after};
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct run r;

		run_init(&r);
		r.fs.ctx = &e;
		r.fs.rename = e_rename;
		act(&r, ctx);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == 0;
}

/* ---- where a message lies ---- */

static inline bool lies_in(const struct tspool *t, const char *dir,
    const struct tmessage *m)
{
	return ts_exists(t, "%s/%s", dir, m->id);
}

static inline bool lies_in_deferred(const struct tspool *t, const struct tmessage *m)
{
	return ts_exists(t, "deferred/%c/%s", m->id[0], m->id);
}

static inline int64_t mtime_of(const struct tspool *t, const char *dir,
    const struct tmessage *m)
{
	char path[160];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, m->id);
	assert_int_equal(fstatat(t->fd, path, &st, 0), 0);
	return (int64_t)st.st_mtim.tv_sec;
}

#endif
