/*
 * test_pagefile.c - tables written page by page, against SQLite: it finds nothing wrong with the
 * file, and reads the rows that were put in.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "query/pagefile.h"

#define FIRST_ROOT 2 /* SQLite puts the first table's root behind the schema */

struct world {
	char name[64];
	int fd;
	struct pagefile file;
	struct pagetable table;
	struct pagerow row;
};

static void sql(const char *name, const char *text)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(name, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void set_up(struct world *w, const char *columns)
{
	char text[200];
	struct stat st;

	(void)strcpy(w->name, "/tmp/test_pagefile.XXXXXX");
	w->fd = mkstemp(w->name);
	assert_true(w->fd >= 0);
	(void)snprintf(text, sizeof text, "PRAGMA page_size = %u;"
	    "PRAGMA journal_mode = OFF; CREATE TABLE t(%s)", PAGEFILE_PAGE,
	    columns);
	sql(w->name, text);
	assert_int_equal(fstat(w->fd, &st), 0);
	pagefile_init(&w->file, w->fd, (uint32_t)(st.st_size / PAGEFILE_PAGE));
	assert_int_equal(pagetable_init(&w->table, &w->file, FIRST_ROOT, NULL),
	    0);
	pagerow_init(&w->row);
}

static void add(struct world *w, int64_t rowid)
{
	assert_int_equal(pagetable_add(&w->table, rowid, &w->row, NULL), 0);
	pagerow_clear(&w->row);
}

/* SQLite's own check, and the answer to a question. */
static void finish(struct world *w, const char *question, const char *answer)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;

	assert_int_equal(pagetable_finish(&w->table, NULL), 0);
	assert_int_equal(pagefile_finish(&w->file, NULL), 0);
	assert_int_equal(sqlite3_open(w->name, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1,
	    &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
	(void)sqlite3_finalize(st);
	assert_int_equal(sqlite3_prepare_v2(db, question, -1, &st, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(st, 0), answer);
	(void)sqlite3_finalize(st);
	/* who goes on with it finds an ordinary table */
	assert_int_equal(sqlite3_exec(db, "INSERT INTO t(rowid) VALUES(1 << 62);"
	    "CREATE INDEX i ON t(a); DELETE FROM t WHERE rowid % 3 = 0", NULL,
	    NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1,
	    &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(db);
}

static void tear_down(struct world *w)
{
	pagetable_release(&w->table);
	pagerow_release(&w->row);
	(void)close(w->fd);
	(void)unlink(w->name);
}

static void test_empty(void **state)
{
	struct world w;

	(void)state;
	set_up(&w, "a");
	finish(&w, "SELECT count(*) FROM t", "0");
	tear_down(&w);
}

/* Each size of a number, at its borders. */
static void test_numbers(void **state)
{
	static const int64_t v[] = {0, 1, 2, -1, 127, 128, -128, -129, 32767,
	    32768, -32768, -32769, 8388607, 8388608, -8388608, -8388609,
	    INT32_MAX, (int64_t)INT32_MAX + 1, INT32_MIN,
	    (int64_t)INT32_MIN - 1, 140737488355327, 140737488355328,
	    -140737488355328, -140737488355329, INT64_MAX, INT64_MIN};
	struct qt_buf want;
	struct world w;
	size_t i;

	(void)state;
	set_up(&w, "a INTEGER");
	qt_buf_init(&want, 0);
	for (i = 0; i < sizeof v / sizeof v[0]; i++) {
		pagerow_int(&w.row, v[i]);
		add(&w, (int64_t)i + 1);
		qt_buf_addf(&want, "%s%" PRId64, i != 0 ? "," : "", v[i]);
	}
	finish(&w, "SELECT group_concat(a) FROM (SELECT a FROM t ORDER BY rowid)",
	    qt_buf_str(&want));
	qt_buf_release(&want);
	tear_down(&w);
}

/* Rows that fill a page to the byte, and those that go on elsewhere. */
static void test_long_rows(void **state)
{
	const size_t page = PAGEFILE_PAGE;
	struct qt_buf text, want;
	struct world w;
	int64_t n = 0;
	size_t len;

	(void)state;
	set_up(&w, "a, b BLOB");
	qt_buf_init(&text, 0);
	qt_buf_init(&want, 0);
	while (text.len < 3 * page)
		qt_buf_addf(&text, "%zu.", text.len);
	for (len = 0; len < 3 * page; len += len >= page - 80 && len < page + 8 ?
		 1 : len < page - 80 ? 12 : 1499) {
		pagerow_text(&w.row, text.data, len);
		pagerow_blob(&w.row, text.data + 1, len % 5);
		add(&w, ++n);
	}
	qt_buf_addf(&want, "%" PRId64, n);
	/* every text is a beginning of the longest one */
	finish(&w, "SELECT sum(substr(m, 1, length(a)) = a AND "
	    "length(b) = length(a) % 5) FROM t, (SELECT max(a) AS m FROM t)",
	    qt_buf_str(&want));
	assert_true(n > 2800);
	qt_buf_release(&text);
	qt_buf_release(&want);
	tear_down(&w);
}

/* More leaves than one page can list: a tree of three levels. */
static void test_deep(void **state)
{
	static char filler[PAGEFILE_PAGE / 2];
	struct world w;
	int64_t i;

	(void)state;
	set_up(&w, "a INTEGER, b");
	memset(filler, 'x', sizeof filler);
	for (i = 1; i <= 2300; i++) {
		pagerow_int(&w.row, i * 7);
		pagerow_text(&w.row, filler, sizeof filler);
		add(&w, i << 24 | 5);
	}
	assert_int_equal(w.table.nchild, 2299);
	finish(&w, "SELECT count(*) || ' ' || sum(a = 7 * (rowid >> 24)) || ' ' "
	    "|| (SELECT a FROM t WHERE rowid = (2222 << 24) + 5) FROM t",
	    "2300 2300 15554");
	tear_down(&w);
}

/* The page at 1 GiB is SQLite's, for locks. */
static void test_lock_page(void **state)
{
	const uint32_t lock = 0x40000000 / PAGEFILE_PAGE + 1;
	static char filler[PAGEFILE_PAGE - 100];
	struct world w;
	size_t i;

	(void)state;
	set_up(&w, "a");
	w.file.pages = lock - 3; /* a hole before it */
	memset(filler, 'x', sizeof filler);
	for (i = 1; i <= 6; i++) {
		pagerow_text(&w.row, filler, sizeof filler);
		add(&w, (int64_t)i);
	}
	assert_int_equal(pagetable_finish(&w.table, NULL), 0);
	for (i = 0; i < w.table.nchild; i++)
		assert_int_not_equal(w.table.child[i].page, lock);
	assert_int_equal(w.file.pages, lock + 4);
	tear_down(&w);
}

static void test_write_fails(void **state)
{
	static char filler[PAGEFILE_PAGE - 100];
	struct qt_error err = {0};
	struct world w;

	(void)state;
	set_up(&w, "a");
	w.file.fd = -1;
	memset(filler, 'x', sizeof filler);
	pagerow_text(&w.row, filler, sizeof filler);
	add(&w, 1);
	pagerow_text(&w.row, filler, sizeof filler);
	assert_int_equal(pagetable_add(&w.table, 2, &w.row, &err), -1);
	assert_int_equal(err.code, QT_E_SYS);
	tear_down(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_long_rows),
	    cmocka_unit_test(test_deep),
	    cmocka_unit_test(test_lock_page),
	    cmocka_unit_test(test_write_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
