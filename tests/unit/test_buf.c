/*
 * test_buf.c - buffers keep their ceiling and their NUL, arenas their bytes;
 * errors keep what they were told.
 */
#include "qtool/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void appends_are_terminated(void **state)
{
	struct qt_buf b;
	size_t i;

	(void)state;
	qt_buf_init(&b, 0);
	assert_string_equal(qt_buf_str(&b), "");
	qt_buf_add(&b, "", 0);
	qt_buf_add(&b, "ab\0c", 4);
	qt_buf_adds(&b, "de");
	qt_buf_addc(&b, 'f');
	qt_buf_addf(&b, "%d-%s", 12, "g");
	assert_int_equal(b.len, 11);
	assert_memory_equal(b.data, "ab\0cdef12-g", 12);
	qt_buf_clear(&b);
	assert_string_equal(qt_buf_str(&b), "");
	for (i = 0; i < 10000; i++)
		qt_buf_addc(&b, (char)('a' + i % 26));
	assert_int_equal(b.len, 10000);
	assert_int_equal(b.data[9999], 'a' + 9999 % 26);
	assert_int_equal(b.data[10000], '\0');
	assert_int_equal(qt_buf_check(&b, NULL), 0);
	qt_buf_release(&b);
	assert_null(b.data);
	qt_buf_release(NULL);
}

static void the_ceiling_is_exact_and_sticks(void **state)
{
	static const size_t ceilings[] = {1, 10, 63, 64, 65, 100, 4097};
	char text[5000];
	struct qt_error err = {0};
	struct qt_buf b;
	size_t i, max;

	(void)state;
	memset(text, 'x', sizeof text);
	for (i = 0; i < sizeof ceilings / sizeof ceilings[0]; i++) {
		max = ceilings[i];
		err.code = QT_OK;
		qt_buf_init(&b, max);
		qt_buf_add(&b, text, max);
		assert_int_equal(qt_buf_check(&b, &err), 0);
		assert_int_equal(err.code, QT_OK);
		qt_buf_addc(&b, 'y');
		assert_int_equal(qt_buf_check(&b, &err), -1);
		assert_int_equal(err.code, QT_E_NOMEM);
		assert_int_equal(b.len, max);
		/* what would fit fails too until clear */
		qt_buf_clear(&b);
		qt_buf_add(&b, text, max + 1);
		qt_buf_add(&b, text, 1);
		qt_buf_addf(&b, "%d", 1);
		assert_int_equal(b.len, 0);
		assert_true(b.failed);
		qt_buf_clear(&b);
		for (max = 0; max < ceilings[i]; max++)
			qt_buf_addc(&b, 'z');
		assert_int_equal(qt_buf_check(&b, NULL), 0);
		qt_buf_release(&b);
	}
}

/* At every distance from the end of what is allocated, and at the ceiling. */
static void formatted_text_is_whole_or_not_there(void **state)
{
	char text[200], whole[300];
	struct qt_buf b;
	size_t before, len;

	(void)state;
	memset(text, 'x', sizeof text);
	for (before = 0; before < 130; before++)
		for (len = 0; len < 70; len += 23) {
			qt_buf_init(&b, before + len + 3);
			qt_buf_add(&b, text, before);
			qt_buf_addf(&b, "<%.*s>", (int)len, text);
			(void)snprintf(whole, sizeof whole, "%.*s<%.*s>",
			    (int)before, text, (int)len, text);
			assert_int_equal(qt_buf_check(&b, NULL), 0);
			assert_string_equal(qt_buf_str(&b), whole);
			assert_int_equal(b.len, strlen(whole));
			/* one byte is left */
			qt_buf_addf(&b, "%d", 10);
			assert_true(b.failed);
			assert_string_equal(qt_buf_str(&b), whole);
			assert_int_equal(b.len, strlen(whole));
			qt_buf_release(&b);
		}
}

static void numbers_are_decimal(void **state)
{
	struct qt_buf b;

	(void)state;
	qt_buf_init(&b, 0);
	qt_buf_addi(&b, 0);
	qt_buf_addc(&b, ' ');
	qt_buf_addi(&b, INT64_MIN);
	qt_buf_addc(&b, ' ');
	qt_buf_addi(&b, INT64_MAX);
	qt_buf_addc(&b, ' ');
	qt_buf_addu(&b, UINT64_MAX);
	assert_string_equal(qt_buf_str(&b), "0 -9223372036854775808 "
	    "9223372036854775807 18446744073709551615");
	qt_buf_release(&b);
}

static void room_is_written_to(void **state)
{
	struct qt_buf b;
	char *to;

	(void)state;
	qt_buf_init(&b, 100);
	qt_buf_adds(&b, "one");
	to = qt_buf_room(&b, 97);
	assert_non_null(to);
	memcpy(to, " two", 4);
	qt_buf_wrote(&b, 4);
	assert_string_equal(qt_buf_str(&b), "one two");
	assert_null(qt_buf_room(&b, 94));
	assert_int_equal(qt_buf_check(&b, NULL), -1);
	qt_buf_release(&b);
}

static void absurd_lengths_do_not_overflow(void **state)
{
	struct qt_buf b;
	struct qt_arena a;

	(void)state;
	qt_buf_init(&b, SIZE_MAX);
	qt_buf_addc(&b, 'a');
	qt_buf_add(&b, "", SIZE_MAX);
	assert_true(b.failed);
	assert_int_equal(b.len, 1);
	qt_buf_release(&b);
	qt_arena_init(&a, 0);
	assert_null(qt_arena_alloc(&a, SIZE_MAX));
	assert_null(qt_arena_dup(&a, "", SIZE_MAX));
	qt_arena_release(&a);
}

static void arena_memory_is_apart_and_aligned(void **state)
{
	struct qt_arena a;
	char *p[500];
	size_t i, round;

	(void)state;
	qt_arena_init(&a, 0);
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 500; i++) {
			p[i] = qt_arena_alloc(&a, i);
			assert_non_null(p[i]);
			assert_int_equal((uintptr_t)p[i] % alignof(max_align_t), 0);
			memset(p[i], (int)i, i);
		}
		for (i = 1; i < 500; i++) {
			assert_int_equal((unsigned char)p[i][0], i & 255);
			assert_int_equal((unsigned char)p[i][i - 1], i & 255);
		}
		assert_string_equal(qt_arena_dup(&a, "ab\0c", 2), "ab");
		qt_arena_reset(&a);
	}
	qt_arena_release(&a);
	qt_arena_release(NULL);
}

static void arena_keeps_its_ceiling(void **state)
{
	struct qt_arena a;
	size_t n;

	(void)state;
	qt_arena_init(&a, 100000);
	for (n = 0; qt_arena_alloc(&a, 1000) != NULL; n++)
		assert_in_range(n, 0, 100);
	assert_in_range(n, 80, 100);
	assert_in_range(a.total, 0, 100000);
	qt_arena_reset(&a);
	assert_non_null(qt_arena_alloc(&a, 50000));
	qt_arena_release(&a);
}

static void errors_say_how_far_the_damage_goes(void **state)
{
	static const struct {
		int sys;
		enum qt_code code;
		int item;
	} t[] = {
	    {ENOENT, QT_E_GONE, 1}, {ESTALE, QT_E_GONE, 1},
	    {EACCES, QT_E_DENIED, 1}, {EPERM, QT_E_DENIED, 1},
	    {ENOMEM, QT_E_NOMEM, 0}, {EIO, QT_E_SYS, 0},
	    {ENOTDIR, QT_E_SYS, 0}, {ENOSPC, QT_E_SYS, 0},
	};
	struct qt_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof t / sizeof t[0]; i++) {
		errno = t[i].sys;
		assert_int_equal(qt_fail_sys(&err, "open", "file"), -1);
		assert_int_equal(errno, t[i].sys);
		assert_int_equal(err.sys, t[i].sys);
		assert_int_equal(err.code, t[i].code);
		assert_int_equal(qt_error_is_item(&err), t[i].item);
		assert_int_equal(err.offset, -1);
	}
	assert_string_equal(err.text, "open: No space left on device");
	assert_string_equal(err.where, "file");
	assert_int_equal(qt_fail_at(&err, QT_E_CORRUPT, "f", 7, "bad"), -1);
	assert_int_equal(err.offset, 7);
	assert_int_equal(err.sys, 0);
	assert_int_equal(qt_fail(NULL, QT_E_SYS, "f", "x"), -1);
}

static void errors_are_printable_and_bounded(void **state)
{
	struct qt_error err;
	char name[1000];

	(void)state;
	(void)qt_fail(&err, QT_E_CORRUPT, "a\033[2J\xc3\xa9\xff\n",
	    "%s", "x\xe2\x80\xaey\177");
	assert_string_equal(err.where, "a?[2J\xc3\xa9??");
	assert_string_equal(err.text, "x?y?");
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	(void)qt_fail(&err, QT_E_CORRUPT, name, "%s", name);
	assert_int_equal(strlen(err.where), sizeof err.where - 1);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void an_error_can_be_passed_on_with_more_words(void **state)
{
	struct qt_error err;

	(void)state;
	(void)qt_fail(&err, QT_E_SYS, "spool", "disk on fire");
	(void)qt_fail(&err, err.code, err.where, "scan: %s", err.text);
	assert_string_equal(err.where, "spool");
	assert_string_equal(err.text, "scan: disk on fire");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(appends_are_terminated),
	    cmocka_unit_test(the_ceiling_is_exact_and_sticks),
	    cmocka_unit_test(formatted_text_is_whole_or_not_there),
	    cmocka_unit_test(numbers_are_decimal),
	    cmocka_unit_test(room_is_written_to),
		cmocka_unit_test(absurd_lengths_do_not_overflow),
	    cmocka_unit_test(arena_memory_is_apart_and_aligned),
	    cmocka_unit_test(arena_keeps_its_ceiling),
	    cmocka_unit_test(errors_say_how_far_the_damage_goes),
	    cmocka_unit_test(errors_are_printable_and_bounded),
	    cmocka_unit_test(an_error_can_be_passed_on_with_more_words),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
