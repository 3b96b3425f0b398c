/*
 * test_picks.c - messages that were picked, read later and in order, whatever
 * became of their names.
 */
#include "unit/archive_world.h"

#include "qtool/db.h"
#include "qtool/picks.h"

#define WANT (QT_WANT_KEPT | QT_WANT_RCPTS)

static void pick(const struct world *w, struct qt_picks *p, const char *path)
{
	char queue[32];
	struct stat st;
	struct qt_error err;

	(void)snprintf(queue, sizeof queue, "%.*s", (int)strcspn(path, "/"), path);
	assert_int_equal(fstatat(w->spool->dirfd, path, &st, 0), 0);
	if (qt_picks_add(p, &(struct qt_pick){.id = strrchr(path, '/') + 1,
		.path = path, .queue = qt_queue_by_name(queue),
		.dev = st.st_dev, .ino = st.st_ino}, &err) != 0)
		fail_msg("%s: %s", err.where, err.text);
}

static struct qt_picks *new_picks(const struct world *w)
{
	struct qt_picks *p;
	struct qt_error err;

	assert_int_equal(qt_picks_new(&p, w->spool, &err), 0);
	return p;
}

/* A table of what was picked, row after row. */
struct reading {
	struct qt_db *db;
	struct qt_stmt *st;
};

static void begin_reading_more(const struct world *w, struct reading *r,
    struct qt_picks *p, unsigned jobs, unsigned more)
{
	struct qt_error err;

	assert_int_equal(qt_db_open(&r->db, &w->spools,
	    &(struct qt_db_opts){.jobs = jobs}, &err), 0);
	qt_db_pick(r->db, p, &(struct qt_row_work){.want = WANT | more});
	if (qt_stmt_open(&r->st, r->db,
		"SELECT queue_name, queue_id, state, rcpt_total FROM messages",
		NULL, 0, &err) != 0)
		fail_msg("%s", err.text);
}

static void begin_reading(const struct world *w, struct reading *r,
    struct qt_picks *p, unsigned jobs)
{
	begin_reading_more(w, r, p, jobs, 0);
}

static const struct qt_row *step(struct reading *r, const char *id)
{
	struct qt_error err;
	size_t len;

	if (qt_stmt_step(r->st, &err) != 0)
		fail_msg("no row for %s", id);
	assert_string_equal(qt_stmt_text(r->st, 1, &len), id);
	assert_non_null(qt_db_row(r->db));
	return qt_db_row(r->db);
}

static void end_reading(struct reading *r)
{
	struct qt_error err;

	assert_int_equal(qt_stmt_step(r->st, &err), 1);
	qt_stmt_close(r->st);
	qt_db_close(r->db);
}

static void assert_kept(const struct qt_kept_file *f, const char *data, size_t len)
{
	char hex[65], want[65];
	int i;

	assert_true(f->have);
	assert_int_equal(f->len, len);
	assert_memory_equal(f->data, data, len);
	for (i = 0; i < 32; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", f->sum[i]);
	hex_sum(data, len, want);
	assert_string_equal(hex, want);
	assert_null(f->sum512);
}

static void assert_sum512(const struct qt_kept_file *f)
{
	unsigned char want[64];

	assert_true(f->have);
	assert_int_equal(EVP_Digest(f->data, f->len, want, NULL, EVP_sha512(),
	    NULL), 1);
	assert_non_null(f->sum512);
	assert_memory_equal(f->sum512, want, 64);
}

/* Nothing was written in the last moments: reads are taken as they are. */
static void settle(void)
{
	const struct timespec t = {.tv_nsec = 50000000};

	(void)nanosleep(&t, NULL);
}

static void in_order_with_bytes_and_logs(void **state)
{
	const struct world *w = *state;
	struct qt_picks *p = new_picks(w);
	const struct qt_row *row;
	struct reading r;
	size_t len;
	char *data;

	put_some(w);
	settle();
	pick(w, p, "hold/DDDDD4444");
	pick(w, p, "deferred/CCCCC3333");
	pick(w, p, "deferred/BBBBB2222");
	qt_picks_sort(p);
	assert_string_equal(qt_picks_at(p, 0)->path, "deferred/BBBBB2222");
	begin_reading(w, &r, p, 4);
	row = step(&r, "BBBBB2222");
	assert_int_equal(row->seq, 0);
	assert_int_equal(qt_stmt_int(r.st, 3), 3);
	data = slurp(at(w, "spool/deferred/BBBBB2222"), &len);
	assert_kept(&row->kept->message, data, len);
	free(data);
	assert_kept(&row->kept->log[0], "<r@x>: reason\n\n", 15);
	assert_kept(&row->kept->log[2], "<s@x>: no\n\n", 11);
	assert_true(row->kept->log[4].absent);
	row = step(&r, "CCCCC3333");
	assert_true(row->kept->log[0].absent);
	row = step(&r, "DDDDD4444");
	assert_kept(&row->kept->log[4], "", 0);
	end_reading(&r);
	qt_picks_free(p);
}

static void by_sha512_too_when_wanted(void **state)
{
	const struct world *w = *state;
	struct qt_picks *p = new_picks(w);
	const struct qt_row *row;
	struct reading r;

	put_some(w);
	settle();
	pick(w, p, "deferred/BBBBB2222");
	pick(w, p, "hold/DDDDD4444");
	begin_reading_more(w, &r, p, 4, QT_WANT_SHA512);
	row = step(&r, "BBBBB2222");
	assert_sum512(&row->kept->message);
	assert_sum512(&row->kept->log[0]);
	assert_sum512(&row->kept->log[2]);
	row = step(&r, "DDDDD4444");
	assert_sum512(&row->kept->log[4]); /* an empty file */
	end_reading(&r);
	qt_picks_free(p);
}

/* Delivered, and the name used again, since it was picked. */
static void what_was_picked_outlives_its_name(void **state)
{
	const struct world *w = *state;
	struct qt_picks *p = new_picks(w);
	struct reading r;
	size_t len;
	char *data;

	put_some(w);
	settle();
	data = slurp(at(w, "spool/deferred/BBBBB2222"), &len);
	pick(w, p, "deferred/BBBBB2222");
	pick(w, p, "hold/DDDDD4444");
	assert_int_equal(qt_picks_open(p), 2);
	assert_int_equal(unlink(at(w, "spool/deferred/BBBBB2222")), 0);
	put_message(w, "deferred/BBBBB2222", "new@example.com", 1, "another\n");
	assert_int_equal(unlink(at(w, "spool/hold/DDDDD4444")), 0);
	settle();
	begin_reading(w, &r, p, 1);
	assert_kept(&step(&r, "BBBBB2222")->kept->message, data, len);
	assert_true(step(&r, "DDDDD4444")->kept->message.have);
	end_reading(&r);
	assert_int_equal(qt_picks_open(p), 0);
	qt_picks_free(p);
	free(data);
}

/* All that there are to be had: at least what a process may raise by itself. */
static void the_limit_is_raised(void **state)
{
	struct rlimit was, few, now;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	few.rlim_cur = 300;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	qt_picks_raise_limit();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_true(now.rlim_cur >= was.rlim_max);
	assert_true(now.rlim_cur == now.rlim_max);
	was.rlim_max = now.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
}

/* No descriptors to spare: what has moved is found, what has gone is told. */
static void without_descriptors(void **state)
{
	const struct world *w = *state;
	struct rlimit was, few;
	struct qt_picks *p;
	struct reading r;

	put_some(w);
	settle();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	few.rlim_cur = 256;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	p = new_picks(w);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	pick(w, p, "active/AAAAA1111");
	pick(w, p, "deferred/BBBBB2222");
	pick(w, p, "deferred/CCCCC3333");
	assert_int_equal(qt_picks_open(p), 0);
	assert_int_equal(rename(at(w, "spool/active/AAAAA1111"),
	    at(w, "spool/deferred/AAAAA1111")), 0);
	assert_int_equal(unlink(at(w, "spool/deferred/BBBBB2222")), 0);
	/* another message under the name of a third */
	assert_int_equal(rename(at(w, "spool/deferred/CCCCC3333"),
	    at(w, "spool/gone")), 0);
	put_message(w, "deferred/CCCCC3333", "new@example.com", 1, "another\n");
	settle();
	begin_reading(w, &r, p, 1);
	assert_true(step(&r, "AAAAA1111")->kept->message.have);
	assert_null(step(&r, "BBBBB2222")->kept);
	assert_null(step(&r, "CCCCC3333")->kept);
	end_reading(&r);
	qt_picks_free(p);
}

/*
 * What is large is left open to who need not keep it in memory, also when its
 * name is gone; the row is whole.
 */
static void large_files_are_not_kept(void **state)
{
	const struct world *w = *state;
	struct qt_picks *p = new_picks(w);
	char *body = noise((size_t)1100 << 10);
	const struct qt_row *row;
	struct reading r;
	struct stat st;

	put_message(w, "hold/AAAAA1111", "a@example.com", 2, body);
	settle();
	pick(w, p, "hold/AAAAA1111");
	assert_int_equal(unlink(at(w, "spool/hold/AAAAA1111")), 0);
	begin_reading(w, &r, p, 1);
	row = step(&r, "AAAAA1111");
	assert_false(row->kept->message.have);
	assert_int_equal(fstat(row->kept->fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(row->msg.nrcpt, 2);
	assert_true(row->kept->log[0].absent);
	end_reading(&r);
	qt_picks_free(p);
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(in_order_with_bytes_and_logs),
	    TEST(by_sha512_too_when_wanted),
	    TEST(what_was_picked_outlives_its_name),
	    TEST(the_limit_is_raised),
	    TEST(without_descriptors),
	    TEST(large_files_are_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
