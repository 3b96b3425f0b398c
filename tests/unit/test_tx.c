/*
 * test_tx.c - transactions on a hand-built spool: whole or not at all, undone
 * to the last bit, and what is not the judged message stays where it is.
 */
#include "unit/change_spool.h"

#include <sys/file.h>

#include "change/recover.h"

/* ---- running ---- */

struct seen { /* what was reported */
	char text[1024];
};

static void on_report(void *ctx, enum qt_fate fate, const char *queue,
    const char *id)
{
	static const char *const words[] = {"gone", "changed", "delivered",
	    "in delivery"};
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

static void run_init(struct run *r)
{
	*r = (struct run){.fs = qt_fsops_system};
	r->out.report = on_report;
	r->out.report_ctx = &r->seen;
}

static struct qt_change *open_change(const struct tspool *t, struct run *r)
{
	struct qt_change *c = NULL;

	if (qt_change_open_fs(&c, t->spool, &r->opts, &r->fs, &r->recovered,
		&r->err) != 0)
		return NULL;
	return c;
}

/* Open, delete a plan, close. */
static int delete_plan(const struct tspool *t, struct run *r,
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

static int undo(const struct tspool *t, struct run *r, uint64_t id, bool in_place)
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

static int purge(const struct tspool *t, struct run *r, uint64_t id)
{
	struct qt_change *c = open_change(t, r);
	int result;

	if (c == NULL)
		return -2;
	result = qt_change_purge(c, id, &r->out, &r->err);
	qt_change_close(c);
	return result;
}

static enum qt_tx_state state_of(const struct tspool *t, uint64_t id,
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
static void fill(struct tspool *t)
{
	ts_make(t);
	(void)ts_message(t, QT_Q_HOLD, 0x12345, "");
	(void)ts_message(t, QT_Q_HOLD, 0xABCDE, "d");
	(void)ts_message(t, QT_Q_DEFERRED, 0x00001, "d");
	(void)ts_message(t, QT_Q_DEFERRED, 0xF0F0F, "dbt");
	(void)ts_message(t, QT_Q_DEFERRED, 0xABC00, "d");
}

/* ---- the ordinary way ---- */

static void deleted_is_what_was_planned(void **state)
{
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 1, 4)), 0);
	assert_int_equal(r.out.txid, 1);
	assert_int_equal(r.out.planned, 3);
	assert_int_equal(r.out.done, 3);
	assert_int_equal(r.out.gone + r.out.changed, 0);
	assert_string_equal(r.seen.text, "");
	assert_true(ts_exists(&t, "%s", t.m[0].path));
	assert_true(ts_exists(&t, "%s", t.m[4].path));
	assert_true(ts_exists(&t, "defer/A/%s", t.m[4].id));
	for (size_t i = 1; i < 4; i++) {
		assert_false(ts_exists(&t, "%s", t.m[i].path));
		assert_false(ts_exists(&t, "defer/%c/%s", t.m[i].id[0],
		    t.m[i].id));
		assert_false(ts_exists(&t, "bounce/%s", t.m[i].id));
		assert_false(ts_exists(&t, "trace/%s", t.m[i].id));
	}
	size_t staged;
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 3);
	ts_release(&t);
}

static void undo_in_place_restores_every_bit(void **state)
{
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(undo(&t, &r, 1, true), 0);
	assert_int_equal(r.out.done, 5);
	ts_as_before(&t, before);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
	/* only plan and log are left of it */
	assert_false(ts_exists(&t, "qtool/tx/000001/m"));
	assert_false(ts_exists(&t, "qtool/tx/000001/x"));
	assert_int_equal(undo(&t, &r, 1, true), -1);
	assert_int_equal(r.err.code, QT_E_REFUSED);
	ts_release(&t);
}

static void undo_puts_into_hold(void **state)
{
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	for (size_t i = 0; i < 5; i++)
		assert_true(ts_exists(&t, "hold/%s", t.m[i].id));
	assert_false(ts_exists(&t, "%s", t.m[2].path));
	assert_true(ts_exists(&t, "defer/F/%s", t.m[3].id));
	assert_true(ts_exists(&t, "bounce/%s", t.m[3].id));
	assert_true(ts_exists(&t, "trace/%s", t.m[3].id));
	ts_release(&t);
}

static void purged_is_gone_for_good(void **state)
{
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 4)), 0);
	assert_int_equal(purge(&t, &r, 1), 0);
	assert_int_equal(r.out.done, 4);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_PURGED);
	assert_false(ts_exists(&t, "qtool/tx/000001/m"));
	assert_true(ts_exists(&t, "%s", t.m[4].path));
	assert_int_equal(undo(&t, &r, 1, false), -1);
	assert_int_equal(r.err.code, QT_E_REFUSED);
	assert_int_equal(purge(&t, &r, 1), -1);
	assert_non_null(strstr(r.err.text, "it is purged: its messages were "));
	assert_int_equal(purge(&t, &r, 77), -1);
	assert_int_equal(r.err.code, QT_E_USAGE);
	ts_release(&t);
}

static void numbers_go_up(void **state)
{
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, i, i + 1)), 0);
		assert_int_equal(r.out.txid, i + 1);
	}
	assert_true(ts_exists(&t, "qtool/tx/000003/plan"));
	ts_release(&t);
}

static void history_tells_all(void **state)
{
	char *argv[] = {(char *)"qtool", (char *)"delete", (char *)"--all"};
	struct qt_error err = {0};
	struct qt_tx_list l;
	struct qt_plan *p;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	assert_int_equal(qt_tx_list_read(&l, t.spool, NULL, &err), 0);
	assert_int_equal(l.n, 0);
	qt_tx_list_release(&l);
	assert_false(ts_exists(&t, "qtool")); /* reading writes nothing */
	run_init(&r);
	p = ts_plan(&t, 0, 5);
	assert_int_equal(qt_plan_set_reason(p, "ticket 7", &err), 0);
	assert_int_equal(qt_plan_set_argv(p, 3, argv, &err), 0);
	assert_int_equal(delete_plan(&t, &r, p), 0);
	assert_int_equal(qt_tx_list_read(&l, t.spool, NULL, &err), 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.v[0].state, QT_TX_COMMITTED);
	assert_int_equal(l.v[0].planned, 5);
	assert_int_equal(l.v[0].staged, 5);
	assert_true(l.v[0].bytes > 5 * 9);
	assert_string_equal(l.v[0].reason, "ticket 7");
	assert_string_equal(l.v[0].command, "qtool delete --all");
	assert_non_null(l.v[0].operator_name);
	assert_true(l.v[0].started > 1700000000 &&
	    l.v[0].changed >= l.v[0].started);
	qt_tx_list_release(&l);
	ts_release(&t);
}

/* ---- what is not as it was judged ---- */

static void gone_and_changed_are_named_and_left(void **state)
{
	struct timespec later[2] = {{1, 0}, {1900000000, 0}};
	char *swapped, want[256];
	struct qt_plan *p;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	p = ts_plan(&t, 0, 5);
	/* delivered; tried again; replaced by another of the same size */
	assert_int_equal(unlinkat(t.fd, t.m[0].path, 0), 0);
	assert_int_equal(utimensat(t.fd, t.m[2].path, later, 0), 0);
	ts_write(&t, "new", "message 43981", 0700);
	assert_int_equal(renameat(t.fd, "new", t.fd, t.m[4].path), 0);
	assert_int_equal(delete_plan(&t, &r, p), 0);
	assert_int_equal(r.out.planned, 5);
	assert_int_equal(r.out.done, 2);
	assert_int_equal(r.out.gone, 1);
	assert_int_equal(r.out.changed, 2);
	(void)snprintf(want, sizeof(want),
	    "gone hold %s;changed deferred %s;changed deferred %s;", t.m[0].id,
	    t.m[2].id, t.m[4].id);
	assert_string_equal(r.seen.text, want);
	assert_true(ts_exists(&t, "%s", t.m[2].path));
	assert_true(ts_exists(&t, "defer/0/%s", t.m[2].id));
	assert_true(ts_exists(&t, "%s", t.m[4].path));
	/* and they stay out when it is undone */
	swapped = ts_snapshot(&t);
	assert_int_equal(purge(&t, &r, 1), 0);
	ts_as_before(&t, swapped);
	ts_release(&t);
}

static void a_changed_mode_is_a_change(void **state)
{
	struct qt_plan *p;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	p = ts_plan(&t, 0, 1);
	assert_int_equal(fchmodat(t.fd, t.m[0].path, 0710, 0), 0); /* -e */
	assert_int_equal(delete_plan(&t, &r, p), -1);
	assert_int_equal(r.err.code, QT_E_GONE);
	assert_int_equal(r.out.changed, 1);
	assert_int_equal(r.out.txid, 0);
	assert_false(ts_exists(&t, "qtool/tx/000001"));
	ts_release(&t);
}

static void strict_refuses(void **state)
{
	struct qt_plan *p;
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	run_init(&r);
	r.opts.strict = true;
	p = ts_plan(&t, 0, 5);
	assert_int_equal(unlinkat(t.fd, t.m[4].path, 0), 0);
	before = ts_snapshot(&t);
	assert_int_equal(delete_plan(&t, &r, p), -1);
	assert_int_equal(r.err.code, QT_E_REFUSED);
	ts_as_before(&t, before);
	ts_release(&t);
}

static void one_that_moved_is_followed(void **state)
{
	struct qt_plan *p;
	struct tspool t;
	struct run r;
	char to[128], *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	run_init(&r);
	p = ts_plan(&t, 0, 5);
	(void)snprintf(to, sizeof(to), "incoming/%s", t.m[2].id);
	assert_int_equal(renameat(t.fd, t.m[2].path, t.fd, to), 0);
	(void)snprintf(to, sizeof(to), "deferred/1/%s", t.m[0].id);
	ts_dir(&t, "deferred/1");
	assert_int_equal(renameat(t.fd, t.m[0].path, t.fd, to), 0);
	assert_int_equal(delete_plan(&t, &r, p), 0);
	assert_int_equal(r.out.done, 5);
	assert_false(ts_exists(&t, "incoming/%s", t.m[2].id));
	assert_int_equal(undo(&t, &r, 1, true), 0);
	ts_as_before(&t, before); /* where it was when it was judged */
	ts_release(&t);
}

/* ---- between look and rename ---- */

struct schedule { /* what happens when a message is about to be renamed */
	struct tspool *t;
	const char *when; /* its ID */
	bool begun;
	void (*act)(struct schedule *s);
	volatile sig_atomic_t stop;
	int fail; /* errno for the renames from then on, 0 none */
	struct qt_plan *plan; /* for what changes it */
	int fd;		      /* an agent's */
	unsigned syncs;
};

static int s_rename(void *ctx, int fd, const char *from, int td, const char *to)
{
	struct schedule *s = ctx;

	if (s->when != NULL && !s->begun && strcmp(from, s->when) == 0) {
		s->begun = true;
		if (s->act != NULL)
			s->act(s);
	}
	if (s->fail != 0 && s->begun) {
		errno = s->fail;
		return -1;
	}
	return qt_fsops_system.rename(NULL, fd, from, td, to);
}

static int s_fsync(void *ctx, int fd)
{
	struct schedule *s = ctx;

	s->syncs++;
	return qt_fsops_system.fsync(NULL, fd);
}

static int s_fdatasync(void *ctx, int fd)
{
	struct schedule *s = ctx;

	s->syncs++;
	return qt_fsops_system.fdatasync(NULL, fd);
}

static int s_syncfs(void *ctx, int fd)
{
	struct schedule *s = ctx;

	s->syncs++;
	return qt_fsops_system.syncfs(NULL, fd);
}

static void use_schedule(struct run *r, struct schedule *s, struct tspool *t)
{
	*s = (struct schedule){.t = t};
	r->fs.ctx = s;
	r->fs.rename = s_rename;
	r->fs.fsync = s_fsync;
	r->fs.fdatasync = s_fdatasync;
	r->fs.syncfs = s_syncfs;
	r->opts.stop = &s->stop;
}

static void swap_two(struct schedule *s)
{
	ts_write(s->t, "new", "another", 0700);
	assert_int_equal(renameat(s->t->fd, "new", s->t->fd, s->t->m[2].path), 0);
}

static void what_was_swapped_in_is_put_back(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	char text[32] = "";
	int fd;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id;
	s.act = swap_two;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.out.done, 4);
	assert_int_equal(r.out.gone + r.out.changed, 1);
	fd = openat(t.fd, t.m[2].path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 7);
	assert_string_equal(text, "another");
	(void)close(fd);
	size_t staged;
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 4);
	ts_release(&t);
}

static void swap_five(struct schedule *s)
{
	ts_write(s->t, "new", "another", 0700);
	assert_int_equal(renameat(s->t->fd, "new", s->t->fd, s->t->m[5].path), 0);
}

/* qmgr knows no more of what was away from active: it looks into incoming. */
static void nothing_is_put_into_active(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	(void)ts_message(&t, QT_Q_ACTIVE, 0x55555, "");
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[5].id;
	s.act = swap_five;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 6)), 0);
	assert_int_equal(r.out.done, 5);
	assert_false(ts_exists(&t, "%s", t.m[5].path));
	assert_true(ts_exists(&t, "incoming/%s", t.m[5].id));
	ts_release(&t);
}

static void move_two(struct schedule *s)
{
	char to[128];

	(void)snprintf(to, sizeof(to), "incoming/%s", s->t->m[2].id);
	assert_int_equal(renameat(s->t->fd, s->t->m[2].path, s->t->fd, to), 0);
}

static void what_moves_away_is_looked_for(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id;
	s.act = move_two;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.out.done, 5);
	assert_false(ts_exists(&t, "incoming/%s", t.m[2].id));
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_true(ts_exists(&t, "hold/%s", t.m[2].id));
	ts_release(&t);
}

/* ---- in delivery ---- */

static void activate_two(struct schedule *s)
{
	char to[128];

	(void)snprintf(to, sizeof(to), "active/%s", s->t->m[2].id);
	assert_int_equal(renameat(s->t->fd, s->t->m[2].path, s->t->fd, to), 0);
}

/* m[2] of five was left to Postfix, with its logs; the others are staged. */
static void two_was_left(struct tspool *t, struct run *r, const char *path)
{
	char want[128];
	size_t staged;

	assert_int_equal(r->out.done, 4);
	assert_int_equal(r->out.changed, 1);
	assert_int_equal(r->out.gone, 0);
	(void)snprintf(want, sizeof(want), "in delivery deferred %s;",
	    t->m[2].id);
	assert_string_equal(r->seen.text, want);
	assert_true(ts_exists(t, "%s", path));
	assert_true(ts_exists(t, "defer/0/%s", t->m[2].id));
	assert_int_equal(state_of(t, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 4);
	/* nor is it taken by recovery */
	run_init(r);
	assert_int_equal(delete_plan(t, r, ts_plan(t, 0, 0)), -1);
	assert_int_equal(r->recovered, 0);
	assert_true(ts_exists(t, "%s", path));
}

static void what_is_in_active_is_left_to_qmgr(void **state)
{
	struct schedule s;
	struct qt_plan *p;
	struct tspool t;
	struct run r;
	char path[128];
	int i;

	(void)state;
	for (i = 0; i < 2; i++) { /* before there is a plan, and while staging */
		fill(&t);
		(void)snprintf(path, sizeof(path), "active/%s", t.m[2].id);
		run_init(&r);
		use_schedule(&r, &s, &t);
		p = ts_plan(&t, 0, 5);
		if (i == 0)
			activate_two(&s);
		s.when = i == 0 ? NULL : t.m[1].id;
		s.act = activate_two;
		assert_int_equal(delete_plan(&t, &r, p), 0);
		two_was_left(&t, &r, path);
		ts_release(&t);
	}
}

static void strict_refuses_what_is_in_active(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[1].id;
	s.act = activate_two;
	r.opts.strict = true;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(r.err.code, QT_E_REFUSED);
	assert_true(ts_exists(&t, "%s", t.m[0].path));
	assert_true(ts_exists(&t, "%s", t.m[1].path));
	assert_true(ts_exists(&t, "active/%s", t.m[2].id));
	ts_release(&t);
}

static void lock_two(struct schedule *s)
{
	s->fd = openat(s->t->fd, s->t->m[2].path, O_RDWR | O_CLOEXEC);
	assert_true(s->fd >= 0);
	assert_int_equal(flock(s->fd, LOCK_SH | LOCK_NB), 0);
}

/* An agent is still at one that qmgr has just put into deferred again. */
static void what_an_agent_has_locked_is_put_back(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id;
	s.act = lock_two;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(close(s.fd), 0);
	two_was_left(&t, &r, t.m[2].path);
	/* the only one that was to be deleted: then there is no deletion */
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id;
	s.act = lock_two;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 2, 3)), -1);
	assert_int_equal(close(s.fd), 0);
	assert_int_equal(r.err.code, QT_E_GONE);
	assert_int_equal(state_of(&t, 2, NULL), QT_TX_ABORTED);
	assert_true(ts_exists(&t, "%s", t.m[2].path));
	ts_release(&t);
}

static void mark_and_unlock(struct schedule *s)
{
	struct timespec later[2] = {{1, 0}, {1900000000, 0}};
	char path[128];

	(void)snprintf(path, sizeof(path), "qtool/tx/000001/m/0000/000002.%s.d",
	    s->t->m[2].id);
	assert_int_equal(utimensat(s->t->fd, path, later, 0), 0);
}

static void what_an_agent_finished_is_told(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	char want[128];

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[4].id;
	s.act = mark_and_unlock;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.out.done, 5);
	(void)snprintf(want, sizeof(want), "delivered deferred %s;", t.m[2].id);
	assert_string_equal(r.seen.text, want);
	ts_release(&t);
}

/* ---- away ---- */

static void hide_two(struct schedule *s)
{
	assert_int_equal(renameat(s->t->fd, s->t->m[2].path, s->t->fd, "hidden"),
	    0);
}

static void misplace_two(struct schedule *s)
{
	char to[128];

	ts_dir(s->t, "hold/Z"); /* no depth of hold leads there */
	(void)snprintf(to, sizeof(to), "hold/Z/%s", s->t->m[2].id);
	assert_int_equal(renameat(s->t->fd, s->t->m[2].path, s->t->fd, to), 0);
}

/* One that exists and cannot be taken: then none is. */
static void what_exists_and_is_not_found_aborts(void **state)
{
	static void (*const acts[])(struct schedule *) = {hide_two,
	    misplace_two};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		struct schedule s;
		struct tspool t;
		struct run r;

		fill(&t);
		run_init(&r);
		use_schedule(&r, &s, &t);
		s.when = t.m[2].id;
		s.act = acts[i];
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
		assert_int_equal(r.err.code, QT_E_SYS);
		assert_non_null(strstr(r.err.text, t.m[2].id));
		assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTED);
		for (size_t k = 0; k < 5; k++)
			assert_int_equal(ts_exists(&t, "%s", t.m[k].path),
			    k != 2);
		ts_release(&t);
	}
}

static void rename_two(struct schedule *s)
{
	assert_int_equal(renameat(s->t->fd, s->t->m[2].path, s->t->fd,
			     "deferred/0/00001ABCDEF"), 0);
}

static void set_two_aside(struct schedule *s)
{
	char to[128];

	(void)snprintf(to, sizeof(to), "corrupt/%s", s->t->m[2].id);
	assert_int_equal(renameat(s->t->fd, s->t->m[2].path, s->t->fd, to), 0);
}

/* As postsuper does: it is no longer what was judged, and stays for good. */
static void what_got_another_name_is_left(void **state)
{
	static void (*const acts[])(struct schedule *) = {rename_two,
	    set_two_aside};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		struct schedule s;
		struct tspool t;
		struct run r;
		char to[128];

		fill(&t);
		run_init(&r);
		use_schedule(&r, &s, &t);
		s.when = t.m[2].id;
		s.act = acts[i];
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
		assert_int_equal(r.out.done, 4);
		assert_int_equal(r.out.changed, 1);
		assert_non_null(strstr(r.seen.text, "changed deferred"));
		/* not even recovery takes it when it has its old name again */
		(void)snprintf(to, sizeof(to), "corrupt/%s", t.m[2].id);
		assert_int_equal(renameat(t.fd, acts[i] == rename_two ?
		    "deferred/0/00001ABCDEF" : to, t.fd, t.m[2].path), 0);
		run_init(&r);
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
		assert_int_equal(r.recovered, 0);
		assert_true(ts_exists(&t, "%s", t.m[2].path));
		ts_release(&t);
	}
}

static void interrupt(struct schedule *s)
{
	s->stop = 1;
}

static void ctrl_c_puts_all_back(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[3].id;
	s.act = interrupt;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(r.err.code, QT_E_INTERRUPTED);
	assert_int_equal(r.out.txid, 0);
	ts_as_before(&t, before);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTED);
	ts_release(&t);
}

static void a_failing_rename_aborts(void **state)
{
	static const int errors[] = {EIO, ENOSPC, EXDEV, EACCES, EINVAL};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct qt_fsops good = qt_fsops_system;
		struct schedule s;
		struct tspool t;
		struct run r;
		char *before;

		fill(&t);
		before = ts_snapshot(&t);
		run_init(&r);
		use_schedule(&r, &s, &t);
		s.when = t.m[3].id;
		s.fail = errors[i];
		/* nothing can be renamed any more: not even back */
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
		assert_int_equal(r.err.code, QT_E_STATE);
		assert_non_null(strstr(r.err.text, "recover"));
		assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTING);
		/* until it works again */
		r.fs = good;
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
		assert_int_equal(r.recovered, 1);
		assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTED);
		ts_as_before(&t, before);
		ts_release(&t);
	}
}

static void syncs_do_not_grow_with_messages(void **state)
{
	unsigned syncs[2];
	struct schedule s;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	/* what is made once for a spool is not a transaction's */
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 1)), 0);
	use_schedule(&r, &s, &t);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 1, 2)), 0);
	syncs[0] = s.syncs;
	use_schedule(&r, &s, &t);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 2, 5)), 0);
	syncs[1] = s.syncs;
	assert_int_equal(syncs[0], syncs[1]);
	assert_in_range(syncs[0], 4, 8);
	ts_release(&t);
}

/* ---- undo in a queue that went on ---- */

static void a_taken_name_is_left_for_later(void **state)
{
	struct tspool t;
	struct run r;
	size_t staged;
	char *before, path[128], want[128];

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	(void)snprintf(path, sizeof(path), "%s", t.m[3].path);
	ts_write(&t, path, "usurper", 0700);
	assert_int_equal(undo(&t, &r, 1, true), 0);
	assert_int_equal(r.out.done, 4);
	assert_int_equal(r.out.changed, 1);
	(void)snprintf(want, sizeof(want), "changed deferred %s;", t.m[3].id);
	assert_string_equal(r.seen.text, want);
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_UNDOING);
	assert_int_equal(staged, 1);
	/* its logs stay with it: they are not the usurper's */
	assert_false(ts_exists(&t, "bounce/%s", t.m[3].id));
	/* it does not hinder other work, and recovery says nothing of it */
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 1)), 0);
	assert_int_equal(r.recovered, 0);
	assert_int_equal(undo(&t, &r, 2, true), 0);
	assert_int_equal(unlinkat(t.fd, path, 0), 0);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	assert_int_equal(r.recovered, 1);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
	ts_as_before(&t, before);
	ts_release(&t);
}

static void take_back_and_stop(struct schedule *s)
{
	ts_write(s->t, s->t->m[1].path, "usurper", 0700);
	s->stop = 1;
}

/* Nor does an abort that cannot put one back keep all others from working. */
static void a_taken_name_does_not_lock_the_queue(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	size_t staged;
	char *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id;
	s.act = take_back_and_stop;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(r.err.code, QT_E_STATE);
	assert_non_null(strstr(r.err.text, "names are taken"));
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_ABORTING);
	assert_int_equal(staged, 1);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 2, 3)), 0);
	assert_int_equal(r.recovered, 0);
	assert_int_equal(undo(&t, &r, 2, true), 0);
	assert_int_equal(unlinkat(t.fd, t.m[1].path, 0), 0);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	assert_int_equal(r.recovered, 1);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTED);
	ts_as_before(&t, before);
	ts_release(&t);
}

/* m[n]: another message in hold under m[i]'s ID, as a copied file would be. */
static void share_id(struct tspool *t, size_t i)
{
	struct tmessage m = t->m[i];
	char path[sizeof(m.path)];

	m.queue = QT_Q_HOLD;
	(void)snprintf(path, sizeof(path), "hold/%s", m.id);
	(void)strlcpy(m.path, path, sizeof(m.path));
	ts_write(t, m.path, "copy", 0700);
	t->m[t->n++] = m;
}

static void an_id_in_two_queues_can_be_aborted(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	share_id(&t, 2);
	(void)ts_message(&t, QT_Q_HOLD, 0x77777, "");
	(void)ts_message(&t, QT_Q_HOLD, 0x88888, "");
	before = ts_snapshot(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[6].id;
	s.act = interrupt;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 5, 8)), -1);
	assert_int_equal(r.err.code, QT_E_INTERRUPTED);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTED);
	ts_as_before(&t, before);
	ts_release(&t);
}

static void a_shared_id_keeps_its_logs(void **state)
{
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	share_id(&t, 3);
	run_init(&r);
	/* the copy goes; the logs are for the one that stays */
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 5, 6)), 0);
	assert_false(ts_exists(&t, "%s", t.m[5].path));
	assert_true(ts_exists(&t, "defer/F/%s", t.m[3].id));
	assert_true(ts_exists(&t, "bounce/%s", t.m[3].id));
	assert_true(ts_exists(&t, "trace/%s", t.m[3].id));
	assert_int_equal(purge(&t, &r, 1), 0);
	assert_true(ts_exists(&t, "defer/F/%s", t.m[3].id));
	ts_release(&t);
}

static void a_hash_directory_is_made_again(void **state)
{
	struct tspool t;
	struct stat st;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(unlinkat(t.fd, "deferred/F", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(t.fd, "defer/F", AT_REMOVEDIR), 0);
	assert_int_equal(undo(&t, &r, 1, true), 0);
	ts_as_before(&t, before);
	assert_int_equal(fstatat(t.fd, "deferred/F", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(st.st_uid, t.spool->owner_uid);
	assert_int_equal(fstatat(t.fd, "defer/F", &st, 0), 0);
	assert_int_equal(st.st_uid, t.spool->owner_uid);
	ts_release(&t);
}

static void a_changed_hash_depth_is_followed(void **state)
{
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	t.spool->live = true; /* so its depth is known, not guessed */
	t.spool->depth[QT_Q_DEFERRED] = 2;
	assert_int_equal(undo(&t, &r, 1, true), 0);
	assert_true(ts_exists(&t, "deferred/F/0/%s", t.m[3].id));
	assert_true(ts_exists(&t, "hold/%s", t.m[0].id));
	ts_release(&t);
}

/* An agent that ends late leaves a log of a message that is staged. */
static void late_logs(void **state)
{
	struct tspool t;
	struct run r;
	char path[128];

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	(void)snprintf(path, sizeof(path), "defer/F/%s", t.m[3].id);
	ts_write(&t, path, "late", 0600);
	(void)snprintf(path, sizeof(path), "bounce/%s", t.m[0].id);
	ts_write(&t, path, "late", 0600);
	assert_int_equal(purge(&t, &r, 1), 0);
	assert_false(ts_exists(&t, "defer/F/%s", t.m[3].id));
	assert_false(ts_exists(&t, "bounce/%s", t.m[0].id));
	ts_release(&t);

	/* at undo the newer log counts, and nothing is replaced */
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	(void)snprintf(path, sizeof(path), "defer/F/%s", t.m[3].id);
	ts_write(&t, path, "late", 0600);
	assert_int_equal(undo(&t, &r, 1, true), 0);
	struct stat st;
	assert_int_equal(fstatat(t.fd, path, &st, 0), 0);
	assert_int_equal(st.st_size, 4);
	assert_true(ts_exists(&t, "%s", t.m[3].path));
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
	ts_release(&t);
}

/* ---- links ---- */

static void a_link_for_a_directory_leads_nowhere(void **state)
{
	struct tspool t;
	struct run r;
	char away[64] = "/tmp/qtool-away.XXXXXX";

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	/* the account that owns deferred puts a link there */
	assert_non_null(mkdtemp(away));
	assert_int_equal(unlinkat(t.fd, "deferred/F", AT_REMOVEDIR), 0);
	assert_int_equal(symlinkat(away, t.fd, "deferred/F"), 0);
	assert_int_equal(undo(&t, &r, 1, true), -1);
	assert_int_equal(r.err.code, QT_E_SYS);
	assert_int_equal(rmdir(away), 0); /* nothing was put there */
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDOING);
	ts_release(&t);
}

static void untrusted_state_is_refused(void **state)
{
	static const struct {
		const char *name;
		const char *link; /* a symbolic link to that */
		mode_t mode;
		uid_t uid;
		bool file;
	} t[] = {
	    {"a link", "/tmp", 0, 0, false},
	    {"a file", NULL, 0700, 0, true},
	    {"group may enter", NULL, 0710, 0, false},
	    {"all may write", NULL, 0777, 0, false},
	    {"another's", NULL, 0700, TS_OWNER, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct tspool s;
		struct run r;
		char *before, where[80];

		if (t[i].uid != 0 && geteuid() != 0)
			continue;
		fill(&s);
		if (t[i].link != NULL)
			assert_int_equal(symlinkat(t[i].link, s.fd, "qtool"), 0);
		else if (t[i].file)
			(void)close(openat(s.fd, "qtool", O_CREAT, 0700));
		else
			assert_int_equal(mkdirat(s.fd, "qtool", 0700), 0);
		if (t[i].link == NULL) {
			assert_int_equal(fchmodat(s.fd, "qtool", t[i].mode, 0), 0);
			if (t[i].uid != 0)
				assert_int_equal(fchownat(s.fd, "qtool", t[i].uid,
				    t[i].uid, 0), 0);
		}
		before = ts_snapshot(&s);
		run_init(&r);
		if (delete_plan(&s, &r, ts_plan(&s, 0, 5)) != -2)
			fail_msg("%s was trusted", t[i].name);
		assert_int_equal(r.err.code, QT_E_REFUSED);
		(void)snprintf(where, sizeof(where), "%s/qtool", s.dir);
		assert_string_equal(r.err.where, where);
		ts_as_before(&s, before);
		ts_release(&s);
	}
}

/* Who may not look is told where, and who may. */
static void a_stranger_is_told_who_may(void **state)
{
	struct qt_error err = {0};
	struct qt_tx_list l;
	struct tspool t;
	struct run r;
	char where[80];

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(TS_OWNER + 1), 0);
	else
		assert_int_equal(fchmodat(t.fd, "qtool", 0, 0), 0);
	assert_int_equal(qt_tx_list_read(&l, t.spool, NULL, &err), -1);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	else
		assert_int_equal(fchmodat(t.fd, "qtool", 0700, 0), 0);
	(void)snprintf(where, sizeof(where), "%s/qtool", t.dir);
	assert_string_equal(err.where, where);
	assert_int_equal(err.sys, EACCES);
	assert_non_null(strstr(err.text, "as root"));
	ts_release(&t);
}

static void one_at_a_time(void **state)
{
	struct qt_change *c;
	struct tspool t;
	struct run a, b;
	volatile sig_atomic_t stop = 1;

	(void)state;
	fill(&t);
	run_init(&a);
	run_init(&b);
	assert_non_null(c = open_change(&t, &a));
	b.opts.no_wait = true;
	assert_null(open_change(&t, &b));
	assert_int_equal(b.err.code, QT_E_REFUSED);
	b.opts.no_wait = false;
	b.opts.stop = &stop; /* waiting ends with Ctrl-C */
	assert_null(open_change(&t, &b));
	assert_int_equal(b.err.code, QT_E_INTERRUPTED);
	qt_change_close(c);
	b.opts = (struct qt_change_opts){.no_wait = true};
	assert_non_null(c = open_change(&t, &b));
	qt_change_close(c);
	ts_release(&t);
}

/* ---- the log fails ---- */

struct log_fault {
	unsigned n, at;	    /* the at-th fdatasync fails */
	bool cut_fails, only_sync; /* only_sync: the bytes are there */
};

static int l_fdatasync(void *ctx, int fd)
{
	struct log_fault *f = ctx;

	if (++f->n == f->at) {
		errno = EIO;
		return -1;
	}
	return qt_fsops_system.fdatasync(NULL, fd);
}

static int l_ftruncate(void *ctx, int fd, off_t len)
{
	struct log_fault *f = ctx;

	if (f->cut_fails) {
		errno = EIO;
		return -1;
	}
	return qt_fsops_system.ftruncate(NULL, fd, len);
}

static void a_commit_that_fails_is_none(void **state)
{
	struct log_fault f = {.at = 2}; /* PREPARED, then COMMIT */
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	run_init(&r);
	r.fs.ctx = &f;
	r.fs.fdatasync = l_fdatasync;
	r.fs.ftruncate = l_ftruncate;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(r.err.code, QT_E_SYS);
	ts_as_before(&t, before);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_ABORTED);
	ts_release(&t);
}

/*
 * COMMIT was written, could not be synced and could not be taken back: nobody
 * knows what the disk has.  Nothing moves until the log was read again.
 */
static void a_commit_nobody_knows_of_waits(void **state)
{
	struct log_fault f = {.at = 2, .cut_fails = true};
	struct tspool t;
	struct run r;
	size_t staged;

	(void)state;
	fill(&t);
	run_init(&r);
	r.fs.ctx = &f;
	r.fs.fdatasync = l_fdatasync;
	r.fs.ftruncate = l_ftruncate;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(r.err.code, QT_E_STATE);
	assert_non_null(strstr(r.err.text, "recover"));
	for (size_t i = 0; i < 5; i++)
		assert_false(ts_exists(&t, "%s", t.m[i].path));
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 5);
	run_init(&r);
	assert_int_equal(undo(&t, &r, 1, true), 0);
	assert_int_equal(r.out.done, 5);
	ts_release(&t);
}

/*
 * PURGE was written and its writer killed before the sync: nothing is unlinked
 * because of a record that a power cut could still take away.
 */
static void a_record_is_durable_before_it_is_acted_on(void **state)
{
	struct log_fault f = {.at = 1};
	struct schedule s;
	struct tspool t;
	struct run r;
	size_t staged;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	use_schedule(&r, &s, &t);
	s.stop = 1; /* before the first unlink */
	assert_int_equal(purge(&t, &r, 1), -1);
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_PURGING);
	assert_int_equal(staged, 5);
	run_init(&r);
	r.fs.ctx = &f;
	r.fs.fdatasync = l_fdatasync;
	r.fs.ftruncate = l_ftruncate;
	assert_int_equal(purge(&t, &r, 1), -2);
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_PURGING);
	assert_int_equal(staged, 5);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_PURGED);
	ts_release(&t);
}

static int l_syncfs(void *ctx, int fd)
{
	(void)ctx, (void)fd;
	errno = EIO;
	return -1;
}

/* Nor is one told of: COMMIT is there, and its writer was killed. */
static void a_record_is_durable_before_it_is_told(void **state)
{
	char dir[64] = "/tmp/qtool-state.XXXXXX";
	struct schedule s;
	struct tspool t;
	struct run r;
	int i;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (i = 0; i < 2; i++) {
		struct log_fault f = {.at = 2, .cut_fails = true};

		fill(&t);
		run_init(&r);
		r.opts.state_dir = i == 0 ? NULL : dir;
		/* what is made once, with its syncs */
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
		r.fs.ctx = &f;
		r.fs.fdatasync = l_fdatasync;
		r.fs.ftruncate = l_ftruncate;
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
		assert_int_equal(state_of(&t, 1, NULL), QT_TX_COMMITTED);
		run_init(&r);
		use_schedule(&r, &s, &t);
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
		assert_int_equal(s.syncs, i + 1); /* the queue, and dir */
		run_init(&r);
		r.fs.syncfs = l_syncfs;
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -2);
		assert_int_equal(r.err.code, QT_E_SYS);
		ts_release(&t);
	}
	assert_int_equal(nftw(dir, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
}

struct synced { /* which of these was synced */
	ino_t dir, up;
	bool dir_yes, up_yes;
};

static int noting_fsync(void *ctx, int fd)
{
	struct synced *s = ctx;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	s->dir_yes = s->dir_yes || st.st_ino == s->dir;
	s->up_yes = s->up_yes || st.st_ino == s->up;
	return qt_fsops_system.fsync(NULL, fd);
}

/* The names that lead to a plan elsewhere are as durable as the plan. */
static void a_state_dir_is_durable_with_its_parents(void **state)
{
	char up[64] = "/tmp/qtool-state.XXXXXX", dir[80];
	struct synced s = {0};
	struct stat st;
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	assert_non_null(mkdtemp(up));
	(void)snprintf(dir, sizeof(dir), "%s/new", up);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(stat(up, &st), 0);
	s.up = st.st_ino;
	assert_int_equal(stat(dir, &st), 0);
	s.dir = st.st_ino;
	run_init(&r);
	r.fs.ctx = &s;
	r.fs.fsync = noting_fsync;
	r.opts.state_dir = dir;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_true(s.dir_yes);
	assert_true(s.up_yes);
	assert_int_equal(nftw(up, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	ts_release(&t);
}

static int full_create(void *ctx, int dir, const char *path, int flags,
    mode_t mode)
{
	(void)ctx;
	if (strcmp(path, "log") == 0) {
		errno = ENOSPC;
		return -1;
	}
	return qt_fsops_system.create(NULL, dir, path, flags, mode);
}

static int no_unlink(void *ctx, int dir, const char *path)
{
	(void)ctx, (void)dir, (void)path;
	errno = EIO;
	return -1;
}

/* The plan took the last room and its log has none: nothing stays of either. */
static void a_full_disk_keeps_nobody_from_trying_again(void **state)
{
	char dir[64] = "/tmp/qtool-state.XXXXXX";
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	assert_non_null(mkdtemp(dir));
	run_init(&r);
	r.fs.create = full_create;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(r.err.sys, ENOSPC);
	assert_int_equal(r.err.code, QT_E_SYS);
	assert_false(ts_exists(&t, "qtool/tx/000001"));
	/* one that was killed there is no hindrance either */
	r.fs.unlink = no_unlink;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_PREPARED);
	run_init(&r);
	r.fs.create = full_create;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	assert_int_equal(r.err.code, QT_E_GONE);
	assert_int_equal(r.recovered, 1);
	ts_as_before(&t, before);
	run_init(&r);
	r.opts.state_dir = dir;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(nftw(dir, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	ts_release(&t);
}

/* No room: neither for a plan in the spool nor for a directory there. */
static int no_plan_create(void *ctx, int dir, const char *path, int flags,
    mode_t mode)
{
	(void)ctx;
	if (strcmp(path, "plan.tmp") == 0) {
		errno = ENOSPC;
		return -1;
	}
	return qt_fsops_system.create(NULL, dir, path, flags, mode);
}

static int full_mkdir(void *ctx, int dir, const char *path, mode_t mode)
{
	(void)ctx, (void)mode;
	errno = faccessat(dir, path, F_OK, 0) == 0 ? EEXIST : ENOSPC;
	return -1;
}

static int spool_full_mkdir(void *ctx, int dir, const char *path, mode_t mode)
{
	if (path[0] == '0') /* the transaction's, in the other place */
		return qt_fsops_system.mkdir(NULL, dir, path, mode);
	return full_mkdir(ctx, dir, path, mode);
}

/* However often it was tried in vain: --state-dir works on the full disk. */
static void a_full_disk_keeps_its_spare_directory(void **state)
{
	char dir[64] = "/tmp/qtool-state.XXXXXX", place[80];
	struct tspool t;
	struct run r;
	int i;

	(void)state;
	fill(&t);
	assert_non_null(mkdtemp(dir));
	(void)snprintf(place, sizeof(place), "%s/tx", dir);
	assert_int_equal(mkdir(place, 0700), 0);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	for (i = 0; i < 4; i++) { /* every other one is killed before it tidies */
		run_init(&r);
		r.fs.create = no_plan_create;
		r.fs.mkdir = full_mkdir;
		if (i % 2 == 1)
			r.fs.unlink = no_unlink;
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
		assert_int_equal(r.err.sys, ENOSPC);
		assert_int_equal(ts_exists(&t, "qtool/spare/m/0000"), i % 2 == 0);
		assert_int_equal(ts_exists(&t, "qtool/tx/000001"), i % 2 == 1);
	}
	run_init(&r);
	r.opts.state_dir = dir;
	r.fs.mkdir = spool_full_mkdir;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.recovered, 1);
	assert_int_equal(r.out.done, 5);
	assert_int_equal(nftw(dir, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	ts_release(&t);
}

/* ---- state elsewhere, damage ---- */

static void plan_and_log_elsewhere_are_found_again(void **state)
{
	char dir[64] = "/tmp/qtool-state.XXXXXX", path[128], aside[128];
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	assert_non_null(mkdtemp(dir));
	run_init(&r);
	r.opts.state_dir = dir;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_false(ts_exists(&t, "qtool/tx/000001/plan"));
	(void)snprintf(path, sizeof(path), "%s/tx/000001/plan", dir);
	assert_int_equal(access(path, F_OK), 0);
	/* the directory is away: refused, as five messages depend on it */
	(void)snprintf(aside, sizeof(aside), "%s.aside", dir);
	assert_int_equal(rename(dir, aside), 0);
	run_init(&r);
	assert_int_equal(undo(&t, &r, 1, true), -2);
	assert_int_equal(r.err.code, QT_E_STATE);
	assert_non_null(strstr(r.err.text, dir));
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_DAMAGED);
	/* it is back, and the user does not have to name it */
	assert_int_equal(rename(aside, dir), 0);
	assert_int_equal(undo(&t, &r, 1, true), 0);
	ts_as_before(&t, before);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
	assert_int_equal(nftw(dir, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	ts_release(&t);
}

static void two_spools_may_share_a_state_dir(void **state)
{
	char dir[64] = "/tmp/qtool-state.XXXXXX", *before;
	struct tspool a, b;
	struct run r;

	(void)state;
	fill(&a);
	fill(&b);
	assert_non_null(mkdtemp(dir));
	run_init(&r);
	r.opts.state_dir = dir;
	assert_int_equal(delete_plan(&a, &r, ts_plan(&a, 0, 5)), 0);
	assert_int_equal(r.out.txid, 1);
	before = ts_snapshot(&b);
	assert_int_equal(delete_plan(&b, &r, ts_plan(&b, 0, 5)), 0);
	assert_int_equal(r.out.txid, 2); /* 1 is the other's */
	run_init(&r);
	assert_int_equal(undo(&b, &r, 2, true), 0);
	ts_as_before(&b, before);
	assert_int_equal(state_of(&a, 1, NULL), QT_TX_COMMITTED);
	assert_int_equal(nftw(dir, ts_rm, 16, FTW_DEPTH | FTW_PHYS), 0);
	ts_release(&a);
	ts_release(&b);
}

static void damage_stops_everything(void **state)
{
	static const char *const files[] = {"plan", "log"};
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct tspool t;
		struct run r;
		char path[64], *before;
		int fd;

		fill(&t);
		run_init(&r);
		assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 4)), 0);
		(void)snprintf(path, sizeof(path), "qtool/tx/000001/%s",
		    files[i]);
		fd = openat(t.fd, path, O_WRONLY);
		assert_int_equal(pwrite(fd, "?", 1, 12), 1);
		(void)close(fd);
		before = ts_snapshot(&t);
		run_init(&r);
		assert_true(undo(&t, &r, 1, true) < 0);
		assert_int_equal(r.err.code, QT_E_STATE);
		ts_as_before(&t, before);
		assert_true(ts_exists(&t, "qtool/tx/000001/m/0000"));
		if (i == 1) {
			struct qt_error err = {0};
			struct qt_tx_list l;

			assert_int_equal(qt_tx_list_read(&l, t.spool, NULL,
			    &err), 0);
			assert_int_equal(l.v[0].state, QT_TX_DAMAGED);
			assert_non_null(l.v[0].problem);
			qt_tx_list_release(&l);
		}
		ts_release(&t);
	}
}

static void touch_two(struct schedule *s)
{
	/* as postsuper -e: only the change time tells it from what was judged */
	assert_int_equal(fchmodat(s->t->fd, s->t->m[2].path, 0710, 0), 0);
	assert_int_equal(fchmodat(s->t->fd, s->t->m[2].path, 0700, 0), 0);
}

/* What was said to be left alone is left alone by recovery, too. */
static void what_changed_meanwhile_stays_for_good(void **state)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	size_t staged;
	char *before;

	(void)state;
	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[1].id; /* the one before it is being taken */
	s.act = touch_two;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.out.done, 4);
	assert_int_equal(r.out.changed, 1);
	assert_true(ts_exists(&t, "%s", t.m[2].path));
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	assert_int_equal(r.recovered, 0);
	assert_true(ts_exists(&t, "%s", t.m[2].path));
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 4);
	/* without the list nobody can know: nothing is touched */
	before = ts_snapshot(&t);
	assert_int_equal(renameat(t.fd, "qtool/tx/000001/left", t.fd,
			     "qtool/tx/000001/right"), 0);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -2);
	assert_int_equal(r.err.code, QT_E_STATE);
	ts_as_before(&t, before);
	assert_int_equal(renameat(t.fd, "qtool/tx/000001/right", t.fd,
			     "qtool/tx/000001/left"), 0);
	/* nor by what comes before unlinking */
	run_init(&r);
	assert_int_equal(purge(&t, &r, 1), 0);
	assert_true(ts_exists(&t, "%s", t.m[2].path));
	ts_release(&t);
}

/* Away from all queues, and with no handle by which the kernel could be asked. */
static void lose_two(struct schedule *s)
{
	s->plan->v[2].handle = 0;
	assert_int_equal(linkat(s->t->fd, s->t->m[2].path, s->t->fd, "aside", 0),
	    0);
	assert_int_equal(unlinkat(s->t->fd, s->t->m[2].path, 0), 0);
}

/* A power cut can bring back what had been removed: it is taken again. */
static void comes_back(bool active)
{
	struct schedule s;
	struct tspool t;
	struct run r;
	size_t staged;
	char to[128];

	fill(&t);
	run_init(&r);
	use_schedule(&r, &s, &t);
	s.when = t.m[2].id; /* planned, and gone when it is to be taken */
	s.act = lose_two;
	s.plan = ts_plan(&t, 0, 5);
	assert_int_equal(delete_plan(&t, &r, s.plan), 0);
	assert_int_equal(r.out.done, 4);
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 4);
	(void)strlcpy(to, t.m[2].path, sizeof(to));
	if (active)
		(void)snprintf(to, sizeof(to), "active/%s", t.m[2].id);
	assert_int_equal(renameat(t.fd, "aside", t.fd, to), 0);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	assert_int_equal(r.recovered, 1);
	assert_false(ts_exists(&t, "%s", to));
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 5);
	/* once */
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 0)), -1);
	assert_int_equal(r.recovered, 0);
	ts_release(&t);
}

static void what_comes_back_is_taken_again(void **state)
{
	(void)state;
	comes_back(false);
	comes_back(true);
}

static void many_messages_lie_in_buckets(void **state)
{
	enum { N = 4100 };
	struct qt_error err = {0};
	struct qt_plan *p;
	struct tspool t;
	struct run r;
	struct stat st;
	char path[64];
	int i, fd;

	(void)state;
	ts_make(&t);
	run_init(&r);
	assert_int_equal(qt_plan_new(&p, QT_OP_DELETE, &err), 0);
	for (i = 0; i < N; i++) {
		(void)snprintf(path, sizeof(path), "hold/%05X", i);
		fd = openat(t.fd, path, O_WRONLY | O_CREAT, 0700);
		assert_int_equal(fstat(fd, &st), 0);
		(void)close(fd);
		struct qt_item it = {.queue = QT_Q_HOLD, .id = path + 5,
		    .path = path, .dev = st.st_dev, .ino = st.st_ino,
		    .mode = st.st_mode,
		    .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 +
			st.st_mtim.tv_nsec,
		    .ctime_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 +
			st.st_ctim.tv_nsec};
		assert_int_equal(qt_plan_add(p, &it, &err), 0);
	}
	assert_int_equal(delete_plan(&t, &r, p), 0);
	assert_int_equal(r.out.done, N);
	assert_true(ts_exists(&t, "qtool/tx/000001/m/0001/004096.01000.h"));
	assert_false(ts_exists(&t, "qtool/tx/000001/m/0002"));
	assert_int_equal(undo(&t, &r, 1, true), 0);
	assert_int_equal(r.out.done, N);
	assert_true(ts_exists(&t, "hold/%05X", N - 1));
	assert_false(ts_exists(&t, "qtool/tx/000001/m"));
	ts_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(deleted_is_what_was_planned),
	    cmocka_unit_test(undo_in_place_restores_every_bit),
	    cmocka_unit_test(undo_puts_into_hold),
	    cmocka_unit_test(purged_is_gone_for_good),
	    cmocka_unit_test(numbers_go_up),
	    cmocka_unit_test(history_tells_all),
	    cmocka_unit_test(gone_and_changed_are_named_and_left),
	    cmocka_unit_test(a_changed_mode_is_a_change),
	    cmocka_unit_test(strict_refuses),
	    cmocka_unit_test(one_that_moved_is_followed),
	    cmocka_unit_test(what_was_swapped_in_is_put_back),
	    cmocka_unit_test(nothing_is_put_into_active),
	    cmocka_unit_test(what_moves_away_is_looked_for),
	    cmocka_unit_test(what_is_in_active_is_left_to_qmgr),
	    cmocka_unit_test(strict_refuses_what_is_in_active),
	    cmocka_unit_test(what_an_agent_has_locked_is_put_back),
	    cmocka_unit_test(what_an_agent_finished_is_told),
	    cmocka_unit_test(what_exists_and_is_not_found_aborts),
	    cmocka_unit_test(what_got_another_name_is_left),
	    cmocka_unit_test(ctrl_c_puts_all_back),
	    cmocka_unit_test(a_failing_rename_aborts),
	    cmocka_unit_test(syncs_do_not_grow_with_messages),
	    cmocka_unit_test(a_taken_name_is_left_for_later),
	    cmocka_unit_test(a_taken_name_does_not_lock_the_queue),
	    cmocka_unit_test(an_id_in_two_queues_can_be_aborted),
	    cmocka_unit_test(a_shared_id_keeps_its_logs),
	    cmocka_unit_test(a_hash_directory_is_made_again),
	    cmocka_unit_test(a_changed_hash_depth_is_followed),
	    cmocka_unit_test(late_logs),
	    cmocka_unit_test(a_link_for_a_directory_leads_nowhere),
	    cmocka_unit_test(untrusted_state_is_refused),
	    cmocka_unit_test(a_stranger_is_told_who_may),
	    cmocka_unit_test(one_at_a_time),
	    cmocka_unit_test(a_commit_that_fails_is_none),
	    cmocka_unit_test(a_commit_nobody_knows_of_waits),
	    cmocka_unit_test(a_record_is_durable_before_it_is_acted_on),
	    cmocka_unit_test(a_record_is_durable_before_it_is_told),
	    cmocka_unit_test(a_full_disk_keeps_nobody_from_trying_again),
	    cmocka_unit_test(a_full_disk_keeps_its_spare_directory),
	    cmocka_unit_test(a_state_dir_is_durable_with_its_parents),
	    cmocka_unit_test(plan_and_log_elsewhere_are_found_again),
	    cmocka_unit_test(two_spools_may_share_a_state_dir),
	    cmocka_unit_test(damage_stops_everything),
	    cmocka_unit_test(what_changed_meanwhile_stays_for_good),
	    cmocka_unit_test(what_comes_back_is_taken_again),
	    cmocka_unit_test(many_messages_lie_in_buckets),
	};

	return cmocka_run_group_tests_name("tx", tests, NULL, NULL);
}
