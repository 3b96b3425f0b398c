/*
 * test_tx.c - transactions on a hand-built spool: whole or not at all, and
 * undone to the last bit, also in a queue that went on.
 */
#include "unit/change_run.h"

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

/* ---- many ---- */

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
	    cmocka_unit_test(many_messages_lie_in_buckets),
	};

	return cmocka_run_group_tests_name("tx", tests, NULL, NULL);
}
