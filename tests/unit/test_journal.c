/*
 * test_journal.c - the log of a transaction: what its last record says, torn
 * ends, damage, and appends that fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "change/field.h"
#include "change/journal.h"

/* A log of these states in order, as text. */
static void make_log(struct qt_buf *b, const char *const *words, size_t n,
    size_t first)
{
	size_t i, from;

	qt_buf_init(b, 0);
	for (i = 0; i < n; i++) {
		from = b->len;
		qt_buf_addf(b, "S\t%zu\t%s\t%d", first + i, words[i], 17);
		if (strcmp(words[i], "COMMIT") == 0)
			qt_buf_adds(b, "\tdone=5\tgone=2\tchanged=1");
		if (strcmp(words[i], "UNDO") == 0)
			qt_buf_adds(b, "\tto=origin");
		qt_field_seal(b, from);
	}
	assert_false(b->failed);
}

static const struct {
	const char *name;
	const char *words[5];
	int want; /* enum qt_tx_state, -1 damaged */
} logs[] = {
    {"prepared", {"PREPARED"}, QT_TX_PREPARED},
    {"committed", {"PREPARED", "COMMIT"}, QT_TX_COMMITTED},
    {"committed again", {"PREPARED", "COMMIT", "COMMIT"}, QT_TX_COMMITTED},
    {"aborted", {"PREPARED", "ABORT", "ABORTED"}, QT_TX_ABORTED},
    {"aborted without a start", {"ABORT", "ABORTED"}, QT_TX_ABORTED},
    {"undone", {"PREPARED", "COMMIT", "UNDO", "UNDONE"}, QT_TX_UNDONE},
    {"undo to another place", {"PREPARED", "COMMIT", "UNDO", "UNDO"},
	QT_TX_UNDOING},
    {"purged", {"PREPARED", "COMMIT", "PURGE", "PURGED"}, QT_TX_PURGED},
    {"commit first", {"COMMIT"}, -1},
    {"commit after abort", {"PREPARED", "ABORT", "COMMIT"}, -1},
    {"undo after purge", {"PREPARED", "COMMIT", "PURGE", "UNDO"}, -1},
    {"undo of nothing", {"PREPARED", "UNDO"}, -1},
    {"abort after commit", {"PREPARED", "COMMIT", "ABORT"}, -1},
    {"after the end", {"PREPARED", "ABORT", "ABORTED", "COMMIT"}, -1},
};

static void the_last_record_decides(void **state)
{
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		struct qt_error err = {0};
		struct qt_journal j;
		struct qt_buf b;
		int r;

		for (n = 0; n < 5 && logs[i].words[n] != NULL; n++)
			;
		make_log(&b, logs[i].words, n, 1);
		qt_journal_init(&j);
		r = qt_journal_parse(&j, b.data, b.len, "log", &err);
		if ((r == 0) != (logs[i].want >= 0))
			fail_msg("%s: %s", logs[i].name, err.text);
		if (r == 0)
			assert_int_equal(j.last.state, logs[i].want);
		else
			assert_int_equal(err.code, QT_E_STATE);
		qt_buf_release(&b);
	}
}

static void keys_are_read(void **state)
{
	static const char *const words[] = {"PREPARED", "COMMIT", "UNDO"};
	struct qt_error err = {0};
	struct qt_journal j;
	struct qt_buf b;

	(void)state;
	make_log(&b, words, 3, 1);
	qt_journal_init(&j);
	assert_int_equal(qt_journal_parse(&j, b.data, b.len, "log", &err), 0);
	assert_int_equal(j.commit.done, 5);
	assert_int_equal(j.commit.gone, 2);
	assert_int_equal(j.commit.changed, 1);
	assert_true(j.last.in_place);
	assert_int_equal(j.last.n, 3);
	qt_buf_release(&b);
}

/* What is left counts from PLACED, or a later UNDO that says it, to a redo. */
static void what_was_left_is_of_the_last_record_that_says_it(void **state)
{
	static const struct {
		const char *words[7], *keys[7];
		bool own;
		uint64_t left, reached;
	} cases[] = {
	    {{"PREPARED", "COMMIT", "PLACED"}, {"", "", "\tdone=1"}, false, 0, 0},
	    {{"PREPARED", "COMMIT", "PLACED", "UNDO", "UNDO", "UNDONE"},
		{"", "", "\tleft=2\treached=9", "", "\tto=origin", ""}, true, 2, 9},
	    {{"PREPARED", "COMMIT", "UNDO"}, {"", "", "\tleft=0\treached=4"}, true,
		0, 4},
	    {{"PREPARED", "COMMIT", "PLACED", "UNDO", "UNDONE", "REDO"},
		{"", "", "\tleft=2\treached=9", "", "", ""}, false, 0, 0},
	    {{"PREPARED", "COMMIT", "PLACED", "UNDO", "UNDONE", "REDO", "UNDO"},
		{"", "", "\tleft=2\treached=9", "", "", "", "\tleft=1\treached=3"},
		true, 1, 3},
	};
	struct qt_error err = {0};
	struct qt_journal j;
	struct qt_buf b;
	size_t i, n, from;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		qt_buf_init(&b, 0);
		for (n = 0; n < 7 && cases[i].words[n] != NULL; n++) {
			from = b.len;
			qt_buf_addf(&b, "S\t%zu\t%s\t17%s", n + 1,
			    cases[i].words[n], cases[i].keys[n]);
			qt_field_seal(&b, from);
		}
		qt_journal_init(&j);
		assert_int_equal(qt_journal_parse(&j, b.data, b.len, "log", &err),
		    0);
		assert_int_equal(j.placed.own, cases[i].own);
		assert_int_equal(j.placed.left, cases[i].left);
		assert_int_equal(j.placed.reached, cases[i].reached);
		qt_buf_release(&b);
	}
}

/* Cut at every byte, and with every byte of the last record destroyed. */
static void a_torn_end_is_no_record(void **state)
{
	static const char *const words[] = {"PREPARED", "COMMIT"};
	struct qt_error err = {0};
	struct qt_journal j;
	struct qt_buf b, one;
	size_t n;

	(void)state;
	make_log(&one, words, 1, 1);
	make_log(&b, words, 2, 1);
	qt_journal_init(&j);
	for (n = 0; n < b.len; n++) {
		assert_int_equal(qt_journal_parse(&j, b.data, n, "log", &err), 0);
		if (n < one.len) {
			assert_int_equal(j.last.n, 0);
			assert_int_equal(j.torn, n != 0);
		} else {
			assert_int_equal(j.last.state, QT_TX_PREPARED);
			assert_int_equal(j.good, one.len);
			assert_int_equal(j.torn, n != one.len);
		}
	}
	for (n = one.len; n < b.len; n++) {
		char saved = b.data[n];

		b.data[n] = '\0'; /* a block that never reached the disk */
		assert_int_equal(qt_journal_parse(&j, b.data, b.len, "log",
		    &err), 0);
		assert_int_equal(j.last.state, QT_TX_PREPARED);
		assert_true(j.torn);
		b.data[n] = saved;
	}
	qt_buf_release(&one);
	qt_buf_release(&b);
}

static void bad_before_good_is_damage(void **state)
{
	static const char *const words[] = {"PREPARED", "COMMIT"};
	struct qt_error err = {0};
	struct qt_journal j;
	struct qt_buf b, one;
	size_t n;

	(void)state;
	make_log(&one, words, 1, 1);
	make_log(&b, words, 2, 1);
	qt_journal_init(&j);
	for (n = 0; n < one.len; n++) {
		char saved = b.data[n];

		b.data[n] ^= 1;
		assert_int_equal(qt_journal_parse(&j, b.data, b.len, "log",
		    &err), -1);
		assert_int_equal(err.code, QT_E_STATE);
		b.data[n] = saved;
	}
	qt_buf_release(&one);
	qt_buf_release(&b);
	/* a record missing in the middle */
	make_log(&b, words + 1, 1, 2);
	assert_int_equal(qt_journal_parse(&j, b.data, b.len, "log", &err), -1);
	qt_buf_release(&b);
}

/* ---- appending ---- */

static int temp_dir(char path[64])
{
	int fd;

	(void)strcpy(path, "/tmp/qtool-journal.XXXXXX");
	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	return fd;
}

static void drop_dir(const char *path, int fd)
{
	(void)unlinkat(fd, "log", 0);
	(void)close(fd);
	assert_int_equal(rmdir(path), 0);
}

static void append(struct qt_journal *j, enum qt_tx_state s)
{
	struct qt_journal_record rec = {.state = s, .done = 3};
	struct qt_error err = {0};

	assert_int_equal(qt_journal_append(j, &qt_fsops_system, &rec, "t", &err),
	    0);
}

static void what_was_appended_is_read(void **state)
{
	struct qt_error err = {0};
	struct qt_journal j, k;
	char path[64];
	int dir = temp_dir(path), fd;

	(void)state;
	qt_journal_init(&j);
	qt_journal_init(&k);
	assert_int_equal(qt_journal_read(&k, dir, "t", &err), 1);
	assert_int_equal(qt_journal_create(&j, &qt_fsops_system, dir, "t", &err),
	    0);
	append(&j, QT_TX_PREPARED);
	append(&j, QT_TX_COMMITTED);
	assert_int_equal(qt_journal_create(&k, &qt_fsops_system, dir, "t", &err),
	    -1); /* a log is never made twice */
	assert_int_equal(qt_journal_read(&k, dir, "t", &err), 0);
	assert_int_equal(k.last.state, QT_TX_COMMITTED);
	assert_int_equal(k.commit.done, 3);
	/* a torn record is cut off by who opens it for writing, only then */
	fd = openat(dir, "log", O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "S\t3\tUN", 6), 6);
	(void)close(fd);
	assert_int_equal(qt_journal_read(&k, dir, "t", &err), 0);
	assert_true(k.torn);
	qt_journal_release(&j);
	qt_journal_init(&j);
	assert_int_equal(qt_journal_open(&j, &qt_fsops_system, dir, "t", &err),
	    0);
	append(&j, QT_TX_UNDOING);
	assert_int_equal(qt_journal_read(&k, dir, "t", &err), 0);
	assert_false(k.torn);
	assert_int_equal(k.last.state, QT_TX_UNDOING);
	assert_false(k.last.in_place);
	qt_journal_release(&j);
	drop_dir(path, dir);
}

/* Calls that fail. */
struct faulty {
	bool write_short, write_fails, sync_fails, cut_fails;
};

static ssize_t f_write(void *ctx, int fd, const void *buf, size_t len)
{
	struct faulty *f = ctx;

	if (f->write_fails) {
		errno = ENOSPC;
		return -1;
	}
	return write(fd, buf, f->write_short ? len / 2 : len);
}

static int f_fdatasync(void *ctx, int fd)
{
	struct faulty *f = ctx;

	(void)fd;
	errno = EIO;
	return f->sync_fails ? -1 : 0;
}

static int f_ftruncate(void *ctx, int fd, off_t len)
{
	struct faulty *f = ctx;

	if (f->cut_fails) {
		errno = EIO;
		return -1;
	}
	return ftruncate(fd, len);
}

static void a_failed_append_leaves_nothing(void **state)
{
	static const struct {
		const char *name;
		struct faulty f;
		bool unsure;
	} t[] = {
	    {"short write", {.write_short = true}, false},
	    {"no write", {.write_fails = true}, false},
	    {"no sync", {.sync_fails = true}, false},
	    {"no sync and no way back", {.sync_fails = true, .cut_fails = true},
		true},
	    {"torn and no way back", {.write_short = true, .cut_fails = true},
		true},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct qt_journal_record rec = {.state = QT_TX_COMMITTED};
		struct qt_fsops fs = qt_fsops_system;
		struct faulty f = t[i].f;
		struct qt_error err = {0};
		struct qt_journal j, k;
		char path[64];
		int dir = temp_dir(path);

		qt_journal_init(&j);
		qt_journal_init(&k);
		assert_int_equal(qt_journal_create(&j, &qt_fsops_system, dir,
		    "t", &err), 0);
		append(&j, QT_TX_PREPARED);
		fs.ctx = &f;
		fs.write = f_write;
		fs.fdatasync = f_fdatasync;
		fs.ftruncate = f_ftruncate;
		assert_int_equal(qt_journal_append(&j, &fs, &rec, "t", &err), -1);
		assert_int_equal(err.code, QT_E_SYS);
		assert_int_equal(j.unsure, t[i].unsure);
		assert_int_equal(j.last.state, QT_TX_PREPARED);
		assert_int_equal(qt_journal_read(&k, dir, "t", &err), 0);
		if (t[i].unsure) {
			/* and nothing is written behind it */
			assert_int_equal(qt_journal_append(&j, &qt_fsops_system,
			    &rec, "t", &err), -1);
		} else {
			assert_int_equal(k.last.state, QT_TX_PREPARED);
			assert_false(k.torn);
			append(&j, QT_TX_COMMITTED);
			assert_int_equal(qt_journal_read(&k, dir, "t", &err), 0);
			assert_int_equal(k.last.state, QT_TX_COMMITTED);
		}
		qt_journal_release(&j);
		drop_dir(path, dir);
	}
}

static void a_log_that_is_no_file_is_refused(void **state)
{
	struct qt_error err = {0};
	struct qt_journal j;
	char path[64];
	int dir = temp_dir(path);

	(void)state;
	qt_journal_init(&j);
	assert_int_equal(symlinkat("/etc/passwd", dir, "log"), 0);
	assert_int_equal(qt_journal_read(&j, dir, "t", &err), -1);
	assert_int_equal(unlinkat(dir, "log", 0), 0);
	assert_int_equal(mkfifoat(dir, "log", 0600), 0);
	assert_int_equal(qt_journal_read(&j, dir, "t", &err), -1);
	drop_dir(path, dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_last_record_decides),
	    cmocka_unit_test(keys_are_read),
	    cmocka_unit_test(what_was_left_is_of_the_last_record_that_says_it),
	    cmocka_unit_test(a_torn_end_is_no_record),
	    cmocka_unit_test(bad_before_good_is_damage),
	    cmocka_unit_test(what_was_appended_is_read),
	    cmocka_unit_test(a_failed_append_leaves_nothing),
	    cmocka_unit_test(a_log_that_is_no_file_is_refused),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
