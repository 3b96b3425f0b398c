/*
 * test_glance.c - plans of so many messages that threads have a look at them
 * first: what is found must not depend on it.
 */
#include "unit/change_run.h"

#include "change/commit.h"
#include "change/identity.h"
#include "change/stage.h"

#define MANY 17000u /* more than a stretch */

/* Messages beyond the few of a tspool. */
struct crowd {
	struct tspool t;
	struct tmessage *m;
	size_t n;
};

static void make_one(struct crowd *cr, size_t i)
{
	struct tmessage *m = &cr->m[i];
	char text[32], dir[16];
	struct stat st;

	(void)snprintf(text, sizeof(text), "message %zu", i);
	ts_write(&cr->t, "new", text, 0700);
	assert_int_equal(fstatat(cr->t.fd, "new", &st, 0), 0);
	(void)snprintf(m->id, sizeof(m->id), "%05zX%llX", i * 61 % 0xf0000,
	    (unsigned long long)st.st_ino);
	m->queue = i % 5 == 0 ? QT_Q_HOLD : QT_Q_DEFERRED;
	if (m->queue == QT_Q_DEFERRED) {
		(void)snprintf(dir, sizeof(dir), "deferred/%c", m->id[0]);
		ts_dir(&cr->t, dir);
		(void)snprintf(m->path, sizeof(m->path), "%s/%s", dir, m->id);
	} else {
		(void)snprintf(m->path, sizeof(m->path), "hold/%s", m->id);
	}
	assert_int_equal(renameat(cr->t.fd, "new", cr->t.fd, m->path), 0);
}

static void crowd_make(struct crowd *cr, size_t n)
{
	size_t i;

	ts_make(&cr->t);
	cr->n = n;
	cr->m = calloc(n, sizeof(*cr->m));
	assert_non_null(cr->m);
	for (i = 0; i < n; i++)
		make_one(cr, i);
}

static void crowd_release(struct crowd *cr)
{
	free(cr->m);
	ts_release(&cr->t);
}

static struct qt_plan *plan_all(const struct crowd *cr)
{
	struct qt_error err = {0};
	struct qt_plan *p;
	struct qt_item it;
	size_t i;

	assert_int_equal(qt_plan_new(&p, QT_OP_DELETE, &err), 0);
	for (i = 0; i < cr->n; i++) {
		ts_item(&cr->t, &cr->m[i], &it);
		assert_int_equal(qt_plan_add(p, &it, &err), 0);
	}
	return p;
}

/* What others do to some of the messages after they were judged. */
static void disturb(struct crowd *cr)
{
	struct timespec later[2] = {{1, 0}, {1900000000, 0}};
	char path[96];

	/* first, at the end of a stretch and of a task, in the middle, last */
	assert_int_equal(unlinkat(cr->t.fd, cr->m[0].path, 0), 0);
	assert_int_equal(unlinkat(cr->t.fd, cr->m[16383].path, 0), 0);
	assert_int_equal(utimensat(cr->t.fd, cr->m[128].path, later, 0), 0);
	assert_int_equal(fchmodat(cr->t.fd, cr->m[16384].path, 0710, 0), 0);
	ts_write(&cr->t, "new", "message 9001", 0700);
	assert_int_equal(renameat(cr->t.fd, "new", cr->t.fd, cr->m[9001].path),
	    0);
	/* only moved: it is found where it is, and taken */
	(void)snprintf(path, sizeof(path), "hold/%s", cr->m[MANY - 1].id);
	assert_int_equal(renameat(cr->t.fd, cr->m[MANY - 1].path, cr->t.fd,
	    path), 0);
}

static void what_changed_meanwhile_is_left_among_many(void **state)
{
	struct qt_plan *p;
	char want[512];
	struct crowd cr;
	struct run r;

	(void)state;
	crowd_make(&cr, MANY);
	p = plan_all(&cr);
	disturb(&cr);
	run_init(&r);
	assert_int_equal(delete_plan(&cr.t, &r, p), 0);
	assert_int_equal(r.out.planned, MANY);
	assert_int_equal(r.out.gone, 2);
	assert_int_equal(r.out.changed, 3);
	assert_int_equal(r.out.done, MANY - 5);
	(void)snprintf(want, sizeof(want), "gone hold %s;changed deferred %s;"
	    "changed deferred %s;gone deferred %s;changed deferred %s;",
	    cr.m[0].id, cr.m[128].id, cr.m[9001].id, cr.m[16383].id,
	    cr.m[16384].id);
	assert_string_equal(r.seen.text, want);
	assert_true(ts_exists(&cr.t, "%s", cr.m[128].path));
	assert_true(ts_exists(&cr.t, "%s", cr.m[9001].path));
	assert_true(ts_exists(&cr.t, "%s", cr.m[16384].path));
	assert_false(ts_exists(&cr.t, "hold/%s", cr.m[MANY - 1].id));
	assert_false(ts_exists(&cr.t, "%s", cr.m[1].path));
	crowd_release(&cr);
}

static void the_same_is_noted_as_for_a_few(void **state)
{
	struct qt_error err = {0};
	struct qt_handle one, other;
	struct qt_plan *few, *all;
	enum qt_taken what;
	struct qt_change *c;
	struct crowd cr;
	struct run r;
	char was[96];
	size_t i;

	(void)state;
	crowd_make(&cr, 1500);
	/* where Postfix would not look for it */
	(void)strcpy(was, cr.m[7].path);
	ts_dir(&cr.t, "deferred/_");
	(void)snprintf(cr.m[7].path, sizeof(cr.m[7].path), "deferred/_/%s",
	    cr.m[7].id);
	assert_int_equal(renameat(cr.t.fd, was, cr.t.fd, cr.m[7].path), 0);
	few = plan_all(&cr);
	all = plan_all(&cr);
	run_init(&r);
	c = open_change(&cr.t, &r);
	assert_non_null(c);
	assert_int_equal(qt_commit_look(c, all, &r.out, &err), 0);
	for (i = 0; i < cr.n; i++) {
		assert_int_equal(qt_stage_look(c, few, i, &what, &err), 0);
		assert_int_equal(what, QT_TAKEN);
		assert_int_equal(few->v[i].computed, all->v[i].computed);
		assert_int_equal(all->v[i].computed, i != 7);
		assert_int_equal(qt_plan_handle(few, &few->v[i], &one),
		    qt_plan_handle(all, &all->v[i], &other));
		if (few->v[i].handle == 0)
			continue; /* a file system without handles */
		assert_int_equal(one.type, other.type);
		assert_int_equal(one.len, other.len);
		assert_memory_equal(one.bytes, other.bytes, one.len);
	}
	qt_change_close(c);
	qt_plan_free(few);
	qt_plan_free(all);
	crowd_release(&cr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changed_meanwhile_is_left_among_many),
		cmocka_unit_test(the_same_is_noted_as_for_a_few),
	};

	return cmocka_run_group_tests_name("a glance at many", tests, NULL,
	    NULL);
}
