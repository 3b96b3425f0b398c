/*
 * test_scan_tx - what a transaction keeps, read as a queue: queues of origin,
 * logs, look-ups, and what is no message there.
 */
#include "unit/scan_world.h"

#define M "qtool/tx/000007/m/0000/"
#define X "qtool/tx/000007/x/0000/"

/* ---- rows ---- */

/* Transaction 7 with mail of every queue in two buckets. */
static void stage_some(const struct world *w)
{
	const struct sandbox *b = &w->box;

	box_mkdir(b, "qtool/tx/000007/m/0000");
	box_mkdir(b, "qtool/tx/000007/m/0001");
	box_mkdir(b, "qtool/tx/000007/x/0000");
	box_plain(b, M "000000.AAAAA1111.h");
	box_msg(b, M "000001.BBBBB2222.d", &(struct box_msg){.sasl = "eve"});
	box_plain(b, M "000002.CCCCC3333.A");
	box_plain(b, "qtool/tx/000007/m/0001/004096.DDDDD4444.i");
}

static void add_tx(struct world *w, uint64_t txid)
{
	struct qt_spools of;
	struct qt_error err;

	qt_spools_init(&of);
	assert_int_equal(qt_spools_add_dir(&of, w->box.dir, &err), 0);
	assert_int_equal(qt_spools_add_tx(&w->spools, of.v[0], txid, &err), 0);
	qt_spools_release(&of); /* what was added stands by itself */
}

/* "queue ID path state", and what the logs say. */
static void note_all(struct result *r, const struct qt_row *row)
{
	qt_buf_addf(&r->text, "%s %s %s %s", qt_queue_name(row->queue), row->id,
	    row->path, qt_state_name(row->state));
	for (size_t i = 0; i < row->defer.n; i++)
		qt_buf_addf(&r->text, " %s", row->defer.v[i].reason);
	for (size_t i = 0; i < row->bounce.n; i++)
		qt_buf_addf(&r->text, " bounce:%s", row->bounce.v[i].reason);
	if (row->error != NULL)
		qt_buf_addf(&r->text, " (%s)", row->error);
	qt_buf_addc(&r->text, '\n');
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Rows of a bucket come as the directory has them: told sorted. */
static void expect_rows(struct world *w, const struct qt_scan_opts *o,
    const char *text)
{
	char *line[64], *save = NULL, *p;
	struct qt_buf sorted;
	struct result r;
	size_t n = 0;

	scan_into(w, o, &r, note_all);
	qt_buf_init(&sorted, 0);
	qt_buf_addc(&r.text, '\n'); /* empty lines are none */
	for (p = strtok_r(r.text.data, "\n", &save); p != NULL && n < 64;
	    p = strtok_r(NULL, "\n", &save))
		line[n++] = p;
	qsort(line, n, sizeof line[0], compare_lines);
	for (size_t i = 0; i < n; i++)
		qt_buf_addf(&sorted, "%s\n", line[i]);
	assert_string_equal(qt_buf_str(&sorted), text);
	qt_buf_release(&sorted);
	qt_buf_release(&r.text);
}

#define ROW_A "hold AAAAA1111 " M "000000.AAAAA1111.h ok\n"
#define ROW_B "deferred BBBBB2222 " M "000001.BBBBB2222.d ok\n"
#define ROW_C "active CCCCC3333 " M "000002.CCCCC3333.A ok\n"
#define ROW_D "incoming DDDDD4444 " \
    "qtool/tx/000007/m/0001/004096.DDDDD4444.i ok\n"

static void rows_are_of_their_queues(void **state)
{
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	struct world *w = *state;

	stage_some(w);
	box_plain(&w->box, "hold/NOTSTAGED1");
	add_tx(w, 7);
	assert_int_equal(w->spools.v[0]->txid, 7);
	assert_string_equal(w->spools.v[0]->host, w->box.dir);
	for (o.jobs = 1; o.jobs <= 8; o.jobs += 7)
		expect_rows(w, &o, ROW_C ROW_B ROW_A ROW_D);
	o.queues = QT_Q_BIT(QT_Q_DEFERRED) | QT_Q_BIT(QT_Q_INCOMING);
	expect_rows(w, &o, ROW_B ROW_D);
	o.queues = QT_Q_BIT(QT_Q_MAILDROP);
	expect_rows(w, &o, "");
}

static void an_id_is_found(void **state)
{
	struct qt_scan_opts o = {.want = QT_WANT_MSG, .only_id = "DDDDD4444"};
	struct world *w = *state;

	stage_some(w);
	add_tx(w, 7);
	expect_rows(w, &o, ROW_D);
	o.only_id = "DDDDD444";
	expect_rows(w, &o, "");
	/* the name in staging is no ID */
	o.only_id = "000000.AAAAA1111.h";
	expect_rows(w, &o, "");
	/* beside the queue itself, where the same ID is another message */
	add_spool(w);
	box_plain(&w->box, "hold/DDDDD4444");
	o.only_id = "DDDDD4444";
	expect_rows(w, &o, "hold DDDDD4444 hold/DDDDD4444 ok\n" ROW_D);
}

static bool is_b(void *ctx, const char *name, size_t len)
{
	(void)ctx;
	return len == 9 && memcmp(name, "BBBBB2222", 9) == 0;
}

static void a_list_of_ids_is_found(void **state)
{
	struct qt_scan_opts o = {.want = QT_WANT_MSG, .wanted = is_b};
	struct world *w = *state;

	stage_some(w);
	add_tx(w, 7);
	expect_rows(w, &o, ROW_B);
}

#define LOG(reason) "<r0@example.net>:\nrecipient=r0@example.net\n" \
    "offset=100\nstatus=4.0.0\naction=delayed\nreason=" reason "\n\n"

static void put_log(const struct world *w, const char *rel, const char *text)
{
	box_file(&w->box, rel, text, strlen(text), 0600);
}

static void logs_are_joined(void **state)
{
	struct qt_scan_opts o = {.only_id = "BBBBB2222",
	    .want = QT_WANT_MSG | QT_WANT_LOGS | QT_WANT_BOUNCES};
	struct world *w = *state;

	stage_some(w);
	put_log(w, X "000001.BBBBB2222.d", LOG("first") LOG("second"));
	put_log(w, X "000001.BBBBB2222.D", LOG("late"));
	put_log(w, X "000001.BBBBB2222.b", LOG("refused"));
	/* of another message, and of the queue: not this one's */
	put_log(w, X "000002.BBBBB2222.d", LOG("other"));
	put_log(w, "defer/BBBBB2222", LOG("queue"));
	add_tx(w, 7);
	expect_rows(w, &o, "deferred BBBBB2222 " M "000001.BBBBB2222.d ok "
	    "first second late bounce:refused\n");
}

static void strays_are_foreign(void **state)
{
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	struct world *w = *state;
	struct result r;
	char path[256];

	stage_some(w);
	box_plain(&w->box, M "BBBBB2222");
	box_plain(&w->box, M "000009.EEEEE5555.x");
	box_mkdir(&w->box, M "000008.FFFFF6666.h");
	box_mkdir(&w->box, "qtool/tx/000007/m/z"); /* no bucket */
	box_path(&w->box, M "000010.GGGGG7777.d", path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	add_tx(w, 7);
	expect_rows(w, &o, ROW_C
	    ROW_B
	    "deferred GGGGG7777 " M "000010.GGGGG7777.d foreign "
	    "(a symbolic link)\n"
	    "hold 000009.EEEEE5555.x " M "000009.EEEEE5555.x foreign "
	    "(its name is none that a transaction gives)\n"
	    ROW_A
	    "hold BBBBB2222 " M "BBBBB2222 foreign "
	    "(its name is none that a transaction gives)\n"
	    "hold FFFFF6666 " M "000008.FFFFF6666.h foreign (a directory)\n"
	    ROW_D);
	scan_into(w, &o, &r, note_all);
	assert_int_equal(r.stats.bad, 4);
	qt_buf_release(&r.text);
}

static void states_are_judged(void **state)
{
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	struct world *w = *state;
	const struct qt_row *row;
	struct qt_scan *s;

	box_mkdir(&w->box, "qtool/tx/000007/m/0000");
	box_file(&w->box, M "000000.AAAAA1111.h", "junk", 4, 0700);
	box_file(&w->box, M "000001.BBBBB2222.d", "", 0, 0600);
	add_tx(w, 7);
	o.queues = QT_Q_BIT(QT_Q_DEFERRED);
	expect_rows(w, &o, "deferred BBBBB2222 " M "000001.BBBBB2222.d "
	    "unfinished (still being written, or left over (mode 0600))\n");
	o.queues = QT_Q_BIT(QT_Q_HOLD);
	row = only_row(w, &o, &s);
	assert_int_equal(row->state, QT_STATE_CORRUPT);
	assert_int_equal(row->queue, QT_Q_HOLD);
	qt_scan_close(s);
}

/* ---- what is not there ---- */

static void nothing_staged_is_empty(void **state)
{
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	struct world *w = *state;

	box_mkdir(&w->box, "qtool/tx/000007"); /* undone: no m/ any more */
	box_mkdir(&w->box, "qtool/tx/000008/m/0002"); /* the last bucket left */
	box_plain(&w->box, "qtool/tx/000008/m/0002/008192.AAAAA1111.h");
	add_tx(w, 7);
	expect_rows(w, &o, "");
	add_tx(w, 8);
	add_tx(w, 8); /* once */
	assert_int_equal(w->spools.n, 2);
	expect_rows(w, &o, "hold AAAAA1111 "
	    "qtool/tx/000008/m/0002/008192.AAAAA1111.h ok\n");
}

static void no_transaction_is_refused(void **state)
{
	struct world *w = *state;
	struct qt_error err;
	char path[256];

	box_mkdir(&w->box, "qtool/tx");
	box_mkdir(&w->box, "elsewhere/m/0000");
	box_path(&w->box, "qtool/tx/000009", path);
	assert_int_equal(symlink("../../elsewhere", path), 0);
	add_spool(w);
	for (uint64_t id = 0; id <= 7; id += 7) {
		assert_int_equal(qt_spools_add_tx(&w->spools, w->spools.v[0], id,
		    &err), -1);
		assert_int_equal(err.code, QT_E_USAGE);
		assert_non_null(strstr(err.text, "there is none"));
	}
	assert_int_equal(qt_spools_add_tx(&w->spools, w->spools.v[0], 9, &err),
	    -1);
	assert_int_not_equal(err.code, QT_E_USAGE);
	assert_int_equal(w->spools.n, 1);
}

static void a_row_opens_its_file(void **state)
{
	struct qt_scan_opts o = {.want = QT_WANT_STAT, .only_id = "AAAAA1111"};
	struct world *w = *state;
	const struct qt_row *row;
	struct qt_error err;
	struct qt_scan *s;
	struct stat st;
	int fd;

	stage_some(w);
	add_tx(w, 7);
	row = only_row(w, &o, &s);
	assert_int_equal(qt_row_open(row, &fd, &err), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_ino, row->ino);
	(void)close(fd);
	qt_scan_close(s);
}

/* Undone while it is read: gone from there, and no error. */
static int undo_b(struct qt_row *row, struct qt_finish_tmp *tmp, void *ctx)
{
	const struct world *w = ctx;
	char from[256], to[256];

	box_path(&w->box, M "000001.BBBBB2222.d", from);
	box_path(&w->box, "hold/BBBBB2222", to);
	(void)rename(from, to);
	(void)row;
	(void)tmp;
	return 0;
}

static void what_leaves_has_vanished(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_MSG, .jobs = 1,
	    .finish = undo_b, .finish_ctx = w};
	struct result r;

	box_mkdir(&w->box, "qtool/tx/000007/m/0000");
	box_mkdir(&w->box, "qtool/tx/000007/m/0001");
	box_plain(&w->box, M "000001.BBBBB2222.d");
	box_plain(&w->box, "qtool/tx/000007/m/0001/004096.DDDDD4444.i");
	add_tx(w, 7);
	scan_into(w, &o, &r, note_all);
	assert_int_equal(r.stats.rows + r.stats.vanished, 2);
	assert_null(strstr(qt_buf_str(&r.text), "hold/"));
	qt_buf_release(&r.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(rows_are_of_their_queues),
	    T(an_id_is_found),
	    T(a_list_of_ids_is_found),
	    T(logs_are_joined),
	    T(strays_are_foreign),
	    T(states_are_judged),
	    T(nothing_staged_is_empty),
	    T(no_transaction_is_refused),
	    T(a_row_opens_its_file),
	    T(what_leaves_has_vanished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
