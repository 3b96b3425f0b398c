/*
 * change_run.h - one run of the change layer on a hand-built spool, and a
 * schedule of what others do to the queue meanwhile.
 */
#ifndef TESTS_CHANGE_RUN_H
#define TESTS_CHANGE_RUN_H

#include "unit/change_spool.h"

#include <sys/file.h>

#include "change/recover.h"

/* ---- running ---- */

struct seen { /* what was reported */
	char text[1024];
};

static inline void on_report(void *ctx, enum qt_fate fate, const char *queue,
    const char *id)
{
	static const char *const words[] = {"gone", "changed", "delivered",
	    "in delivery", "doubtful", "there"};
	struct seen *s = ctx;
	size_t len = strlen(s->text);

	(void)snprintf(s->text + len, sizeof(s->text) - len, "%s %s %s;",
	    words[fate], queue, id);
}

struct run {
	struct qt_change_opts opts;
	struct qt_fsops fs;
	struct qt_outcome out;
	struct qt_error err;
	struct seen seen;
	size_t recovered;
};

static inline void run_init(struct run *r)
{
	*r = (struct run){.fs = qt_fsops_system};
	r->out.report = on_report;
	r->out.report_ctx = &r->seen;
}

static inline struct qt_change *open_change(const struct tspool *t, struct run *r)
{
	struct qt_change *c = NULL;

	if (qt_change_open_fs(&c, t->spool, &r->opts, &r->fs, &r->recovered,
		&r->err) != 0)
		return NULL;
	return c;
}

/* Open, delete a plan, close. */
static inline int delete_plan(const struct tspool *t, struct run *r,
    struct qt_plan *p)
{
	struct qt_change *c = open_change(t, r);
	int result = -2;

	if (c != NULL)
		result = qt_change_run(c, p, &r->out, &r->err);
	qt_change_close(c);
	qt_plan_free(p);
	return result;
}

static inline int undo(const struct tspool *t, struct run *r, uint64_t id, bool in_place)
{
	struct qt_change *c;
	int result;

	r->opts.in_place = in_place;
	if ((c = open_change(t, r)) == NULL)
		return -2;
	result = qt_change_undo(c, id, &r->out, &r->err);
	qt_change_close(c);
	return result;
}

static inline int purge(const struct tspool *t, struct run *r, uint64_t id)
{
	struct qt_change *c = open_change(t, r);
	int result;

	if (c == NULL)
		return -2;
	result = qt_change_purge(c, id, &r->out, &r->err);
	qt_change_close(c);
	return result;
}

static inline enum qt_tx_state state_of(const struct tspool *t, uint64_t id,
    size_t *staged)
{
	enum qt_tx_state s = QT_TX_DAMAGED;
	struct qt_error err = {0};
	struct qt_tx_list l;
	size_t i;
	bool found = false;

	assert_int_equal(qt_tx_list_read(&l, t->spool, NULL, &err), 0);
	for (i = 0; i < l.n; i++)
		if (l.v[i].txid == id) {
			s = l.v[i].state;
			if (staged != NULL)
				*staged = l.v[i].staged;
			found = true;
		}
	assert_true(found);
	qt_tx_list_release(&l);
	return s;
}

/* Five messages: hold and deferred, with and without logs. */
static inline void fill(struct tspool *t)
{
	ts_make(t);
	(void)ts_message(t, QT_Q_HOLD, 0x12345, "");
	(void)ts_message(t, QT_Q_HOLD, 0xABCDE, "d");
	(void)ts_message(t, QT_Q_DEFERRED, 0x00001, "d");
	(void)ts_message(t, QT_Q_DEFERRED, 0xF0F0F, "dbt");
	(void)ts_message(t, QT_Q_DEFERRED, 0xABC00, "d");
}

/* ---- between look and rename ---- */

struct schedule { /* what happens when a message is about to be renamed */
	struct tspool *t;
	const char *when; /* its ID */
	bool begun;
	void (*act)(struct schedule *s);
	volatile sig_atomic_t stop;
	int fail; /* errno for the renames from then on, 0 none */
	bool fail_once;
	struct qt_plan *plan; /* for what changes it */
	int fd;		      /* an agent's */
	unsigned syncs;
};

static inline int s_rename(void *ctx, int fd, const char *from, int td, const char *to)
{
	struct schedule *s = ctx;

	if (s->when != NULL && !s->begun && strcmp(from, s->when) == 0) {
		s->begun = true;
		if (s->act != NULL)
			s->act(s);
	}
	if (s->fail != 0 && s->begun) {
		errno = s->fail;
		if (s->fail_once)
			s->fail = 0;
		return -1;
	}
	return qt_fsops_system.rename(NULL, fd, from, td, to);
}

static inline int s_fsync(void *ctx, int fd)
{
	struct schedule *s = ctx;

	s->syncs++;
	return qt_fsops_system.fsync(NULL, fd);
}

static inline int s_fdatasync(void *ctx, int fd)
{
	struct schedule *s = ctx;

	s->syncs++;
	return qt_fsops_system.fdatasync(NULL, fd);
}

static inline int s_syncfs(void *ctx, int fd)
{
	struct schedule *s = ctx;

	s->syncs++;
	return qt_fsops_system.syncfs(NULL, fd);
}

static inline void use_schedule(struct run *r, struct schedule *s, struct tspool *t)
{
	*s = (struct schedule){.t = t};
	r->fs.ctx = s;
	r->fs.rename = s_rename;
	r->fs.fsync = s_fsync;
	r->fs.fdatasync = s_fdatasync;
	r->fs.syncfs = s_syncfs;
	r->opts.stop = &s->stop;
}

static inline void interrupt(struct schedule *s)
{
	s->stop = 1;
}

#endif
