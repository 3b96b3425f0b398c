/*
 * test_tx_import.c - messages of an archive into the queue: as they were, under
 * names that nobody else can get, once, all or none; and out of it again.
 */
#include "unit/import_world.h"

static void they_are_as_they_were(void **state)
{
	struct tspool t;
	struct iw_ids ids;
	struct run r;

	(void)state;
	ts_make(&t);
	run_init(&r);
	assert_int_equal(iw_restore(&t, &r, QT_Q_HOLD, 0, IW_N), 0);
	assert_int_equal(r.out.txid, 1);
	assert_int_equal(r.out.done, IW_N);
	assert_string_equal(r.seen.text, "");
	iw_all(&t, 1);
	iw_map(&t, 1, &ids);
	/* a long ID is unique as it is */
	assert_string_equal(ids.id[2], "hold/3c7Dwb1Ggvz7B");
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_PLACED);
	assert_int_equal(iw_copies(&t), 0);
	assert_int_equal(recover(&t, &r), 0);
	ts_release(&t);
}

static void a_long_id_that_is_taken_is_not_kept(void **state)
{
	const char *taken[] = {"hold/3c7Dwb1Ggvz7B", "deferred/1/3c7Dwb1Ggvz7B",
	    "defer/1/3c7Dwb1Ggvz7B", "bounce/3c7Dwb1Ggvz7B",
	    "corrupt/3c7Dwb1Ggvz7B", "maildrop/3c7Dwb1Ggvz7B"};
	struct qt_queue_id is, was;
	struct tspool t;
	struct iw_ids ids;
	struct run r;
	size_t i;

	(void)state;
	qt_queue_id_parse(&was, iw_messages[2].id);
	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		char dir[64], key[8];

		ts_make(&t);
		qt_queue_id_hash(iw_messages[2].id, 1, key, sizeof(key));
		key[1] = '\0';
		(void)snprintf(dir, sizeof(dir), "deferred/%s", key);
		ts_dir(&t, dir);
		(void)snprintf(dir, sizeof(dir), "defer/%s", key);
		ts_dir(&t, dir);
		(void)snprintf(dir, sizeof(dir), "%.*s/%s%s%s",
		    (int)strcspn(taken[i], "/"), taken[i],
		    strstr(taken[i], "/1/") != NULL ? key : "",
		    strstr(taken[i], "/1/") != NULL ? "/" : "",
		    iw_messages[2].id);
		ts_write(&t, dir, "another", 0700);
		run_init(&r);
		assert_int_equal(iw_restore(&t, &r, QT_Q_HOLD, 2, 3), 0);
		iw_map(&t, 1, &ids);
		iw_check(&t, 2, ids.id[2]);
		qt_queue_id_parse(&is, ids.id[2] + 5);
		assert_true(is.is_long && is.seconds == was.seconds &&
		    is.usec == was.usec && is.inode != was.inode);
		assert_true(iw_same(&t, dir, "another"));
		ts_release(&t);
	}
}

static void into_maildrop_without_logs(void **state)
{
	struct tspool t;
	struct run r;

	(void)state;
	ts_make(&t);
	run_init(&r);
	assert_int_equal(iw_restore(&t, &r, QT_Q_MAILDROP, 0, IW_N), 0);
	iw_all(&t, 1);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_int_equal(r.out.done, IW_N);
	assert_int_equal(iw_in_queues(&t), 0);
	ts_release(&t);
}

/* pickup unlinks the name of what it could not open. */
static void what_is_open_or_read_does_not_go_back_to_maildrop(void **state)
{
	char byte;
	struct tspool t;
	struct iw_ids ids;
	struct run r;
	int fd;

	(void)state;
	ts_make(&t);
	run_init(&r);
	assert_int_equal(iw_restore(&t, &r, QT_Q_MAILDROP, 0, IW_N), 0);
	iw_map(&t, 1, &ids);
	assert_true((fd = openat(t.fd, ids.id[0], O_RDONLY)) >= 0);
	assert_int_equal(read(fd, &byte, 1), 1);
	(void)close(fd);
	assert_true((fd = openat(t.fd, ids.id[1], O_RDONLY)) >= 0);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	(void)close(fd);
	assert_int_equal(r.out.doubtful, 2);
	assert_int_equal(r.out.done, IW_N);
	assert_int_equal(iw_in_queues(&t), 0);
	assert_true(ts_exists(&t, "qtool/tx/000001/r/0000/000001"));
	ts_release(&t);
}

static void a_time_to_come_is_now(void **state)
{
	struct iw_supply s = {.from = 0};
	struct tspool t;
	struct iw_ids ids;
	struct stat st;
	struct run r;
	struct qt_plan *p;

	(void)state;
	ts_make(&t);
	run_init(&r);
	iw_use(&r, &s);
	p = iw_plan(QT_Q_HOLD, 0, 1);
	p->v[0].mtime_ns = (int64_t)4000000000 * 1000000000;
	assert_int_equal(carry_out(&t, &r, p), 0);
	iw_map(&t, 1, &ids);
	assert_int_equal(fstatat(t.fd, ids.id[0], &st, 0), 0);
	assert_true(st.st_mtim.tv_sec <= time(NULL));
	ts_release(&t);
}

/* ---- once ---- */

static void refused(const struct tspool *t, struct run *r, const char *why)
{
	size_t before = iw_in_queues(t);

	run_init(r);
	assert_int_equal(iw_restore(t, r, QT_Q_HOLD, 0, IW_N), -1);
	assert_int_equal(r->err.code, QT_E_REFUSED);
	if (strstr(r->err.text, why) == NULL)
		fail_msg("it says: %s", r->err.text);
	assert_int_equal(r->out.txid, 0);
	assert_int_equal(iw_in_queues(t), before);
	assert_int_equal(iw_copies(t), 0);
	/* and with consent it is done */
	run_init(r);
	r->opts.again = true;
	assert_int_equal(iw_restore(t, r, QT_Q_HOLD, 0, IW_N), 0);
	assert_int_equal(iw_in_queues(t), before + IW_N + 5);
}

static void not_what_was_restored_before(void **state)
{
	struct tspool t;
	struct iw_ids ids;
	struct run r;

	(void)state;
	ts_make(&t);
	run_init(&r);
	assert_int_equal(iw_restore(&t, &r, QT_Q_HOLD, 1, 2), 0);
	refused(&t, &r, "transaction 1 has restored ABCDE77");
	/* nor when it has been delivered since: the numbers are those of both */
	iw_map(&t, 1, &ids);
	assert_int_equal(unlinkat(t.fd, ids.id[1], 0), 0);
	assert_int_equal(undo(&t, &r, 2, false), 0);
	run_init(&r);
	assert_int_equal(iw_restore(&t, &r, QT_Q_HOLD, 1, 2), -1);
	assert_int_equal(r.err.code, QT_E_REFUSED);
	assert_non_null(strstr(r.err.text, "left the queue since"));
	ts_release(&t);
}

static void not_what_is_in_the_queue(void **state)
{
	struct tspool t;
	struct run r;

	(void)state;
	ts_make(&t);
	ts_dir(&t, "deferred/A");
	ts_write(&t, "deferred/A/ABCDE77", "the s*cond", 0700);
	refused(&t, &r, "ABCDE77 is in the queue now: deferred/A/ABCDE77");
	ts_release(&t);
}

static void another_of_that_id_is_no_reason(void **state)
{
	struct tspool t;
	struct run r;

	(void)state;
	ts_make(&t);
	ts_write(&t, "hold/ABCDE77", "longer than the second", 0700);
	run_init(&r);
	assert_int_equal(iw_restore(&t, &r, QT_Q_HOLD, 0, IW_N), 0);
	ts_release(&t);
}

static void not_what_a_transaction_holds(void **state)
{
	struct tspool t;
	struct run r;

	(void)state;
	ts_make(&t);
	ts_write(&t, "hold/3c7Dwb1Gh0z7C", "another one", 0700);
	(void)strcpy(t.m[0].id, "3c7Dwb1Gh0z7C");
	(void)strcpy(t.m[0].path, "hold/3c7Dwb1Gh0z7C");
	t.m[0].queue = QT_Q_HOLD;
	t.n = 1;
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, ts_plan(&t, 0, 1)), 0);
	refused(&t, &r, "transaction 1 holds 3c7Dwb1Gh0z7C");
	/* its undo finds its name free */
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_int_equal(r.out.done, 1);
	ts_release(&t);
}

static void not_twice_in_one_plan(void **state)
{
	struct iw_supply s = {.from = 1};
	struct qt_error err = {0};
	struct qt_import im = {.to = QT_Q_HOLD, .queue = QT_Q_HOLD,
	    .id = "ABCDE77", .message = {10, NULL}};
	struct tspool t;
	struct qt_plan *p;
	struct run r;
	char hex[65];

	(void)state;
	ts_make(&t);
	run_init(&r);
	iw_use(&r, &s);
	im.message.sha256 = iw_sum("the secund", hex);
	p = iw_plan(QT_Q_HOLD, 1, 2);
	assert_int_equal(qt_plan_add_import(p, &im, &err), 0);
	assert_int_equal(carry_out(&t, &r, p), -1);
	assert_int_equal(r.err.code, QT_E_REFUSED);
	assert_non_null(strstr(r.err.text, "more than once"));
	ts_release(&t);
}

/* ---- undo, redo, purge ---- */

static void undo_takes_what_is_as_it_was(void **state)
{
	struct timespec tried[2] = {{1, 0}, {1900000000, 0}};
	char want[512], path[128];
	struct tspool t;
	struct iw_ids ids;
	struct run r;
	size_t staged;
	int fd;

	(void)state;
	ts_make(&t);
	run_init(&r);
	assert_int_equal(iw_restore(&t, &r, QT_Q_HOLD, 0, IW_N), 0);
	iw_map(&t, 1, &ids);
	/* one delivered, one marked as delivered in part, one released */
	assert_int_equal(unlinkat(t.fd, ids.id[0], 0), 0);
	fd = openat(t.fd, ids.id[1], O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "T", 1, 0), 1);
	(void)close(fd);
	qt_queue_id_hash(iw_messages[2].id, 1, path, sizeof(path));
	(void)snprintf(want, sizeof(want), "deferred/%.1s", path);
	ts_dir(&t, want);
	(void)snprintf(path, sizeof(path), "%.64s/%s", want, iw_messages[2].id);
	assert_int_equal(renameat(t.fd, ids.id[2], t.fd, path), 0);
	assert_int_equal(utimensat(t.fd, path, tried, 0), 0);
	run_init(&r);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	(void)snprintf(want, sizeof(want), "gone hold %.40s;changed hold "
	    "%.40s;", ids.id[0] + 5, ids.id[1] + 5);
	assert_string_equal(r.seen.text, want);
	assert_int_equal(r.out.done, 3);
	assert_true(iw_same(&t, ids.id[1], "The second"));
	/* it and its log */
	assert_int_equal(iw_in_queues(&t), 2);
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_UNDONE);
	assert_int_equal(staged, 3);
	/* redo brings those back that were taken */
	run_init(&r);
	assert_int_equal(redo(&t, &r, 1), 0);
	(void)snprintf(want, sizeof(want), "gone hold %.40s;", ids.id[0] + 5);
	assert_string_equal(r.seen.text, want);
	assert_int_equal(r.out.done, 4);
	assert_true(iw_same(&t, ids.id[2], iw_messages[2].bytes));
	iw_check(&t, 3, ids.id[3]);
	/* taken out and unlinked for good */
	assert_int_equal(undo(&t, &r, 1, false), 0);
	run_init(&r);
	assert_int_equal(purge(&t, &r, 1), 0);
	assert_int_equal(r.out.done, 3);
	assert_int_equal(iw_copies(&t), 0);
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_PURGED);
	assert_int_equal(undo(&t, &r, 1, false), -1);
	ts_release(&t);
}

static void one_in_delivery_is_left(void **state)
{
	char want[128];
	struct tspool t;
	struct iw_ids ids;
	struct run r;
	int fd;

	(void)state;
	ts_make(&t);
	run_init(&r);
	assert_int_equal(iw_restore(&t, &r, QT_Q_HOLD, 0, IW_N), 0);
	iw_map(&t, 1, &ids);
	fd = openat(t.fd, ids.id[0], O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_int_equal(renameat(t.fd, ids.id[3], t.fd,
	    "active/3c7Dwb1Gh0z7C"), 0);
	run_init(&r);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	(void)snprintf(want, sizeof(want), "in delivery hold %.40s;in delivery "
	    "hold 3c7Dwb1Gh0z7C;", ids.id[0] + 5);
	assert_string_equal(r.seen.text, want);
	assert_true(ts_exists(&t, "%s", ids.id[0]));
	assert_true(ts_exists(&t, "active/3c7Dwb1Gh0z7C"));
	(void)close(fd);
	ts_release(&t);
}

static void after_its_undo_it_can_be_restored(void **state)
{
	struct tspool t;
	struct run r;

	(void)state;
	ts_make(&t);
	run_init(&r);
	assert_int_equal(iw_restore(&t, &r, QT_Q_HOLD, 0, IW_N), 0);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	assert_int_equal(iw_restore(&t, &r, QT_Q_HOLD, 0, IW_N), 0);
	iw_all(&t, 2);
	/* but then not the first one once more */
	assert_int_equal(redo(&t, &r, 1), -1);
	assert_int_equal(r.err.code, QT_E_REFUSED);
	iw_all(&t, 2);
	assert_int_equal(purge(&t, &r, 1), 0);
	assert_int_equal(purge(&t, &r, 2), -1);
	iw_all(&t, 2);
	ts_release(&t);
}

/* ---- what is not as it was said ---- */

static void other_bytes_are_refused(void **state)
{
	struct iw_supply s;
	struct tspool t;
	struct run r;
	unsigned at;

	(void)state;
	ts_make(&t);
	for (at = 1; at <= IW_N + 5; at++) {
		s = (struct iw_supply){.wrong = at};
		run_init(&r);
		iw_use(&r, &s);
		assert_int_equal(carry_out(&t, &r, iw_plan(QT_Q_HOLD, 0, IW_N)),
		    -1);
		assert_int_equal(s.calls, at);
		assert_int_equal(r.err.code, QT_E_CORRUPT);
		assert_int_equal(iw_in_queues(&t), 0);
		assert_int_equal(iw_copies(&t), 0);
	}
	ts_release(&t);
}

static void ctrl_c_leaves_nothing(void **state)
{
	struct iw_supply s;
	struct tspool t;
	struct run r;
	unsigned at;

	(void)state;
	ts_make(&t);
	for (at = 1; at <= IW_N + 5; at++) {
		s = (struct iw_supply){.stop_at = at};
		run_init(&r);
		iw_use(&r, &s);
		assert_int_equal(carry_out(&t, &r, iw_plan(QT_Q_HOLD, 0, IW_N)),
		    -1);
		assert_int_equal(r.err.code, QT_E_INTERRUPTED);
		assert_int_equal(iw_in_queues(&t), 0);
		assert_int_equal(iw_copies(&t), 0);
	}
	ts_release(&t);
}

static void no_strange_plan_is_made(void **state)
{
	static const char sum[] = "0123456789abcdef0123456789abcdef"
				  "0123456789abcdef0123456789abcdef";
	const struct qt_import good = {.to = QT_Q_HOLD, .queue = QT_Q_ACTIVE,
	    .id = "12345AFFE", .message = {1, sum}};
	struct qt_import im[7];
	struct qt_error err = {0};
	struct qt_plan *p;
	size_t i;

	(void)state;
	assert_int_equal(qt_plan_new(&p, QT_OP_IMPORT, &err), 0);
	for (i = 0; i < 7; i++)
		im[i] = good;
	im[0].to = QT_Q_DEFERRED;
	im[1].queue = QT_Q_DEFER;
	im[2].id = "../12345AFFE";
	im[3].id = "";
	im[4].message.sha256 = sum + 1;
	im[5].message.size = -1;
	im[6].log[1] = (struct qt_import_file){1, "x"};
	for (i = 0; i < 7; i++) {
		assert_int_equal(qt_plan_add_import(p, &im[i], &err), -1);
		assert_int_equal(err.code, QT_E_USAGE);
		assert_int_equal(qt_plan_count(p), 0);
	}
	assert_int_equal(qt_plan_add_import(p, &good, &err), 0);
	assert_int_equal(qt_plan_count(p), 1);
	qt_plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(they_are_as_they_were),
	    cmocka_unit_test(a_long_id_that_is_taken_is_not_kept),
	    cmocka_unit_test(into_maildrop_without_logs),
	    cmocka_unit_test(what_is_open_or_read_does_not_go_back_to_maildrop),
	    cmocka_unit_test(a_time_to_come_is_now),
	    cmocka_unit_test(not_what_was_restored_before),
	    cmocka_unit_test(not_what_is_in_the_queue),
	    cmocka_unit_test(another_of_that_id_is_no_reason),
	    cmocka_unit_test(not_what_a_transaction_holds),
	    cmocka_unit_test(not_twice_in_one_plan),
	    cmocka_unit_test(undo_takes_what_is_as_it_was),
	    cmocka_unit_test(one_in_delivery_is_left),
	    cmocka_unit_test(after_its_undo_it_can_be_restored),
	    cmocka_unit_test(other_bytes_are_refused),
	    cmocka_unit_test(ctrl_c_leaves_nothing),
	    cmocka_unit_test(no_strange_plan_is_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
