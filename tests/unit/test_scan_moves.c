/*
 * test_scan_moves - nothing lost and nothing twice while mail moves; a file is
 * opened again only if it is the same.
 */
#include "unit/scan_world.h"

#include <pthread.h>
#include <stdatomic.h>

#include "source/input.h"

/* ---- while mail moves ---- */

static void stop_flag_ends_early(void **state)
{
	struct world *w = *state;
	volatile sig_atomic_t stop = 0;
	struct qt_scan_opts o = {.want = QT_WANT_MSG, .jobs = 2, .stop = &stop};
	struct qt_scan *s;
	struct qt_row *row;
	struct qt_error err;
	uint64_t n = 0, last = 0;

	fill_many(w, 2000);
	add_spool(w);
	assert_int_equal(qt_scan_open(&s, &w->spools, &o, &err), 0);
	while (qt_scan_next(s, &row, &err) == 0) {
		assert_true(n == 0 || row->seq > last);
		last = row->seq;
		qt_scan_recycle(s, row);
		if (++n == 10)
			stop = 1;
	}
	assert_true(qt_scan_stats(s)->interrupted);
	assert_true(n >= 10);
	assert_true(n < 2000);
	qt_scan_close(s);
}

/* Between two rows, move a message the scan has (not) yet come to. */
static void move(const struct world *w, const char *from, const char *to)
{
	char a[256], b[256];

	box_path(&w->box, from, a);
	box_path(&w->box, to, b);
	assert_int_equal(rename(a, b), 0);
}

struct move_case {
	const char *name;
	const char *from; /* moved after the first row; NULL: that row's */
	const char *to;	  /* NULL: deleted */
	unsigned rows;	  /* in all, with the first */
	unsigned hits;	  /* of the one moved */
	unsigned moved;	  /* in the statistics */
};

/* active alone is more than what is read ahead, so hold has not been read when
 * the first row is out. */
static const struct move_case move_cases[] = {
    {"read, then found again", NULL, "hold/MOVED", 2201, 0, 1},
    {"from behind to before", "hold/H1234567", "active/H1234567", 2201, 1, 0},
    {"within what is behind", "hold/H1234567", "saved/H1234567", 2201, 1, 0},
    {"deleted before it was listed", "hold/H1234567", NULL, 2200, 0, 0},
};

static void make_move(const struct world *w, const struct move_case *c,
    const char *first)
{
	char path[256];

	if (c->to != NULL) {
		move(w, c->from != NULL ? c->from : first, c->to);
		return;
	}
	box_path(&w->box, c->from, path);
	assert_int_equal(unlink(path), 0);
}

static void one_move(const struct move_case *c)
{
	struct world w = {.spools = {NULL, 0}};
	struct qt_scan_opts o = {.want = QT_WANT_MSG, .jobs = 4};
	struct qt_scan *s;
	struct qt_row *row;
	struct qt_error err;
	unsigned n = 0, hits = 0;
	char rel[64];

	box_open(&w.box);
	add_spool(&w);
	for (unsigned i = 0; i < 2200; i++) {
		(void)snprintf(rel, sizeof rel, "active/%08u", i);
		box_plain(&w.box, rel);
	}
	box_plain(&w.box, "hold/H1234567");
	assert_int_equal(qt_scan_open(&s, &w.spools, &o, &err), 0);
	for (; qt_scan_next(s, &row, &err) == 0; n++) {
		hits += strcmp(row->id,
		    c->from != NULL ? "H1234567" : "MOVED") == 0;
		if (n == 0)
			make_move(&w, c, row->path);
		qt_scan_recycle(s, row);
	}
	if (n != c->rows || hits != c->hits ||
	    qt_scan_stats(s)->moved != c->moved ||
	    qt_scan_stats(s)->vanished != 0)
		fail_msg("%s: %u rows, %u of it, %lu moved, %lu vanished",
		    c->name, n, hits, (unsigned long)qt_scan_stats(s)->moved,
		    (unsigned long)qt_scan_stats(s)->vanished);
	qt_scan_close(s);
	qt_spools_release(&w.spools);
	box_close(&w.box);
}

static void moved_messages_are_one_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof move_cases / sizeof move_cases[0]; i++)
		one_move(&move_cases[i]);
}

/*
 * A scan this small runs in one thread, a file after the other: what the hook
 * does to the others comes after they were listed and before they are opened.
 */
struct vanisher {
	const struct world *w;
	const char *to; /* queue they are moved to; NULL: deleted */
	bool done;
};

static int vanish_others(struct qt_row *row, struct qt_finish_tmp *tmp,
    void *ctx)
{
	static const char *const ids[] = {"A1234567", "B1234567", "C1234567"};
	struct vanisher *v = ctx;
	char from[64], to[64], path[256];

	(void)tmp;
	for (size_t i = 0; i < 3 && !v->done; i++) {
		(void)snprintf(from, sizeof from, "hold/%s", ids[i]);
		if (strcmp(row->id, ids[i]) == 0)
			continue;
		if (v->to != NULL) {
			(void)snprintf(to, sizeof to, "%s/%s", v->to, ids[i]);
			move(v->w, from, to);
		} else {
			box_path(&v->w->box, from, path);
			assert_int_equal(unlink(path), 0);
		}
	}
	v->done = true;
	return 0;
}

struct vanish_case {
	const char *name, *to;
	unsigned rows, moved, vanished;
};

static const struct vanish_case vanish_cases[] = {
    {"delivered", NULL, 1, 0, 2},
    {"moved to a queue already read", "active", 3, 2, 0},
    {"moved to a queue still to be read", "saved", 3, 2, 0},
    {"moved to a hashed queue", "deferred/B", 3, 2, 0},
};

static void one_vanish(const struct vanish_case *c)
{
	struct world w = {.spools = {NULL, 0}};
	struct vanisher v = {.w = &w, .to = c->to};
	struct qt_scan_opts o = {.want = QT_WANT_MSG, .finish = vanish_others,
	    .finish_ctx = &v};
	struct result r;

	box_open(&w.box);
	box_plain(&w.box, "hold/A1234567");
	box_plain(&w.box, "hold/B1234567");
	box_plain(&w.box, "hold/C1234567");
	box_mkdir(&w.box, "deferred/B");
	add_spool(&w);
	scan_into(&w, &o, &r, note);
	if (r.stats.rows != c->rows || r.stats.moved != c->moved ||
	    r.stats.vanished != c->vanished)
		fail_msg("%s: %lu rows, %lu moved, %lu vanished", c->name,
		    (unsigned long)r.stats.rows, (unsigned long)r.stats.moved,
		    (unsigned long)r.stats.vanished);
	qt_buf_release(&r.text);
	qt_spools_release(&w.spools);
	box_close(&w.box);
}

static void vanished_names_are_looked_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vanish_cases / sizeof vanish_cases[0];
	     i++)
		one_vanish(&vanish_cases[i]);
}

#define MOVING 600u

struct mover {
	const struct world *w;
	atomic_bool stop;
	unsigned long moves;
};

/* Renames every message from one queue to the other and back, as qmgr does. */
static void *mover_main(void *arg)
{
	struct mover *m = arg;
	char a[256], b[256], rel[64];
	unsigned round = 0;

	while (!atomic_load(&m->stop)) {
		for (unsigned i = 0; i < MOVING && !atomic_load(&m->stop); i++) {
			unsigned id = (i * 7 + round) % MOVING;

			(void)snprintf(rel, sizeof rel, "deferred/M%07u", id);
			box_path(&m->w->box, rel, a);
			(void)snprintf(rel, sizeof rel, "active/M%07u", id);
			box_path(&m->w->box, rel, b);
			if (rename(a, b) != 0)
				(void)rename(b, a);
			m->moves++;
			(void)usleep(200);
		}
		round++;
	}
	return NULL;
}

static void scan_beside_mover(struct world *w, unsigned char seen[MOVING])
{
	struct qt_scan_opts o = {.want = QT_WANT_MSG, .jobs = 4};
	struct qt_scan *s;
	struct qt_row *row;
	struct qt_error err;
	int rc;

	memset(seen, 0, MOVING);
	assert_int_equal(qt_scan_open(&s, &w->spools, &o, &err), 0);
	while ((rc = qt_scan_next(s, &row, &err)) == 0) {
		assert_int_equal(row->state, QT_STATE_OK);
		seen[strtoul(row->id + 1, NULL, 10)]++;
		qt_scan_recycle(s, row);
	}
	assert_int_equal(rc, 1);
	assert_int_equal(qt_scan_stats(s)->vanished, 0);
	qt_scan_close(s);
}

static void moving_mail_is_seen_once_each(void **state)
{
	struct world *w = *state;
	struct mover m = {.w = w};
	unsigned char seen[MOVING];
	pthread_t t;
	char rel[64];

	for (unsigned i = 0; i < MOVING; i++) {
		(void)snprintf(rel, sizeof rel, "%s/M%07u",
		    i % 2 != 0 ? "deferred" : "active", i);
		box_plain(&w->box, rel);
	}
	add_spool(w);
	assert_int_equal(pthread_create(&t, NULL, mover_main, &m), 0);
	for (int round = 0; round < 20; round++) {
		scan_beside_mover(w, seen);
		for (unsigned i = 0; i < MOVING; i++)
			if (seen[i] != 1)
				fail_msg("message %u: %u rows", i, seen[i]);
	}
	atomic_store(&m.stop, true);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_true(m.moves > 0);
}

/* ---- opening again, and the window ---- */

static void row_opens_its_own_file_only(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	const struct qt_row *row;
	struct qt_scan *s;
	struct qt_error err;
	int fd = -1;

	box_plain(&w->box, "hold/A1234567");
	add_spool(w);
	row = only_row(w, &o, &s);
	assert_int_equal(qt_row_open(row, &fd, &err), 0);
	assert_true(fd >= 0);
	(void)close(fd);
	move(w, "hold/A1234567", "saved/A1234567");
	assert_int_equal(qt_row_open(row, &fd, &err), -1);
	assert_int_equal(err.code, QT_E_GONE);
	box_plain(&w->box, "hold/A1234567");
	assert_int_equal(qt_row_open(row, &fd, &err), -1);
	assert_int_equal(err.code, QT_E_CHANGED);
	qt_scan_close(s);
}

static void window_moves_and_grows(void **state)
{
	struct world *w = *state;
	struct qt_file_input f;
	struct qt_error err;
	unsigned char *bytes = malloc(300000);
	char path[256];
	int fd;

	assert_non_null(bytes);
	for (size_t i = 0; i < 300000; i++)
		bytes[i] = (unsigned char)(i * 31 >> 3);
	box_file(&w->box, "hold/A1234567", bytes, 300000, 0700);
	box_path(&w->box, "hold/A1234567", path);
	fd = open(path, O_RDWR);
	assert_int_equal(qt_file_input_init(&f, fd, 300000, &err), 0);
	assert_int_equal(f.in.more(&f.in, 299990, 4096, &err), 0);
	assert_int_equal(f.in.start, 299990);
	assert_int_equal(f.in.len, 10);
	assert_memory_equal(f.in.data, bytes + 299990, 10);
	assert_int_equal(f.in.more(&f.in, 7, 200000, &err), 0);
	assert_true(f.in.len >= 200000);
	assert_memory_equal(f.in.data, bytes + 7, 200000);
	/* the file is cut meanwhile: that is where it ends */
	assert_int_equal(ftruncate(fd, 250000), 0);
	assert_int_equal(f.in.more(&f.in, 249000, 5000, &err), 0);
	assert_int_equal(f.in.len, 1000);
	assert_int_equal(f.in.size, 250000);
	assert_int_equal(f.in.more(&f.in, 0, (size_t)2 << 20, &err), 0);
	assert_int_equal(f.in.len, 250000);
	qt_file_input_release(&f);
	(void)close(fd);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(stop_flag_ends_early),
	    cmocka_unit_test(moved_messages_are_one_row),
	    cmocka_unit_test(vanished_names_are_looked_for),
	    T(moving_mail_is_seen_once_each), T(row_opens_its_own_file_only),
	    T(window_moves_and_grows),
	};

	return cmocka_run_group_tests_name("scan of moving mail", tests, NULL,
	    NULL);
}
