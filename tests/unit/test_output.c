/*
 * test_output.c - the same rows in every format, and writes that fail.
 */
#include "qtool/output.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

/* An output into memory. */
struct sink {
	FILE *f;
	char *data;
	size_t len;
	struct qt_output *o;
};

static void open_sink(struct sink *s, enum qt_format fmt,
    const struct qt_outcol *cols, size_t ncols, unsigned width, bool color)
{
	s->f = open_memstream(&s->data, &s->len);
	assert_non_null(s->f);
	assert_int_equal(qt_output_new(&s->o, s->f, fmt, cols, ncols, width,
	    color, NULL), 0);
}

static void close_sink(struct sink *s)
{
	qt_output_free(s->o);
	(void)fclose(s->f);
	free(s->data);
}

static void put_text(struct sink *s, const char *text)
{
	qt_output_text(s->o, text, strlen(text));
}

static void end_row(struct sink *s)
{
	assert_int_equal(qt_output_end_row(s->o, NULL), 0);
}

/* Finish and compare. */
static void expect(struct sink *s, const char *want, size_t len)
{
	assert_int_equal(qt_output_finish(s->o, NULL), 0);
	assert_string_equal(s->data, want);
	assert_int_equal(s->len, len); /* want may hold NULs */
	assert_memory_equal(s->data, want, len);
	close_sink(s);
}
#define EXPECT(s, want) expect(s, want, sizeof(want) - 1)

static const struct qt_outcol every[] = {
    {"id", QT_LEFT, 0}, {"n", QT_RIGHT, 0}, {"yes", QT_LEFT, 0},
    {"share", QT_RIGHT, 0}, {"at", QT_LEFT, 0}, {"size", QT_RIGHT, 0},
    {"list", QT_LEFT, 0}, {"nil", QT_LEFT, 0},
};

static void put_every(struct sink *s)
{
	put_text(s, "4gX\"1");
	qt_output_int(s->o, -12);
	qt_output_bool(s->o, true);
	qt_output_real(s->o, 0.25);
	qt_output_time(s->o, 1795494633);
	qt_output_bytes(s->o, 3565158);
	qt_output_json(s->o, "[\"a\"]", 5);
	qt_output_null(s->o);
	end_row(s);
}

static void every_value_in_json(void **state)
{
	struct sink s;

	(void)state;
	open_sink(&s, QT_FMT_JSONL, every, LENGTH(every), 0, false);
	put_every(&s);
	EXPECT(&s, "{\"id\": \"4gX\\\"1\", \"n\": -12, \"yes\": true, "
	    "\"share\": 0.25, \"at\": 1795494633, \"size\": 3565158, "
	    "\"list\": [\"a\"], \"nil\": null}\n");
}

static void every_value_in_csv(void **state)
{
	struct sink s;

	(void)state;
	open_sink(&s, QT_FMT_CSV, every, LENGTH(every), 0, false);
	put_every(&s);
	EXPECT(&s, "\"id\",\"n\",\"yes\",\"share\",\"at\",\"size\",\"list\","
	    "\"nil\"\n\"4gX\"\"1\",-12,true,0.25,1795494633,3565158,"
	    "\"[\"\"a\"\"]\",\n");
}

static void every_value_in_tsv(void **state)
{
	struct sink s;

	(void)state;
	open_sink(&s, QT_FMT_TSV, every, LENGTH(every), 0, false);
	put_every(&s);
	EXPECT(&s, "id\tn\tyes\tshare\tat\tsize\tlist\tnil\n"
	    "4gX\"1\t-12\ttrue\t0.25\t1795494633\t3565158\t[\"a\"]\t\n");
}

static void every_value_in_a_table(void **state)
{
	struct sink s;

	(void)state;
	(void)setenv("TZ", "UTC", 1);
	open_sink(&s, QT_FMT_TABLE, every, LENGTH(every), 0, false);
	put_every(&s);
	EXPECT(&s,
	    "id       n  yes  share  at UTC               size  list   nil\n"
	    "4gX\"1  -12  yes   0.25  2026-11-24 04:30:33  3.4M  [\"a\"]  -\n");
}

static void table_times_are_local(void **state)
{
	static const struct qt_outcol cols[] = {{"at", QT_LEFT, 0}};
	struct sink s;

	(void)state;
	(void)setenv("TZ", "XYZ-2", 1); /* two hours east */
	open_sink(&s, QT_FMT_TABLE, cols, 1, 0, false);
	qt_output_time(s.o, 1795494633);
	end_row(&s);
	qt_output_time(s.o, INT64_MAX); /* no calendar has it */
	end_row(&s);
	(void)setenv("TZ", "UTC", 1);
	tzset();
	EXPECT(&s, "at +0200\n2026-11-24 06:30:33\n9223372036854775807\n");
}

static void table_times_say_their_offset(void **state)
{
	static const struct qt_outcol cols[] = {{"at", QT_LEFT, 0}};
	struct sink s;

	(void)state;
	(void)setenv("TZ", "NST3:30NDT,M3.2.0,M11.1.0", 1);
	open_sink(&s, QT_FMT_TABLE, cols, 1, 0, false);
	qt_output_time(s.o, 1795494633);
	end_row(&s);
	qt_output_null(s.o);
	end_row(&s);
	qt_output_time(s.o, 1784954633); /* in summer */
	end_row(&s);
	(void)setenv("TZ", "UTC", 1);
	tzset();
	EXPECT(&s, "at -0330\n2026-11-24 01:00:33\n-\n"
	    "2026-07-25 02:13:53 -0230\n");
}

static void json_is_one_array_with_a_row_a_line(void **state)
{
	static const struct qt_outcol cols[] = {
	    {"a", QT_LEFT, 0}, {"\"b\n", QT_LEFT, 0}};
	struct sink s;

	(void)state;
	open_sink(&s, QT_FMT_JSON, cols, 2, 0, false);
	put_text(&s, "x");
	qt_output_int(s.o, INT64_MIN);
	end_row(&s);
	put_text(&s, "\033\xff");
	qt_output_json(s.o, "", 0);
	end_row(&s);
	EXPECT(&s, "[\n"
	    "{\"a\": \"x\", \"\\\"b\\n\": -9223372036854775808},\n"
	    "{\"a\": \"\\u001B\\\\xFF\", \"\\\"b\\n\": null}\n"
	    "]\n");
}

static void reals_read_back(void **state)
{
	static const struct qt_outcol cols[] = {{"r", QT_LEFT, 0}};
	static const double v[] = {1, -0.5, 0.1, 1.0 / 3, 1e300, 5e-324};
	struct sink s;
	double back;
	char *p;
	size_t i;

	(void)state;
	open_sink(&s, QT_FMT_TSV, cols, 1, 0, false);
	for (i = 0; i < LENGTH(v); i++) {
		qt_output_real(s.o, v[i]);
		end_row(&s);
	}
	assert_int_equal(qt_output_finish(s.o, NULL), 0);
	p = strchr(s.data, '\n') + 1;
	for (i = 0; i < LENGTH(v); i++) {
		back = strtod(p, &p);
		assert_true(back >= v[i] && back <= v[i]);
		assert_int_equal(*p++, '\n');
	}
	assert_int_equal(strncmp(s.data, "r\n1.0\n-0.5\n0.1\n", 15), 0);
	close_sink(&s);

	open_sink(&s, QT_FMT_JSONL, cols, 1, 0, false);
	qt_output_real(s.o, NAN);
	end_row(&s);
	qt_output_real(s.o, -INFINITY);
	end_row(&s);
	EXPECT(&s, "{\"r\": null}\n{\"r\": null}\n");
}

static void empty_results(void **state)
{
	static const struct qt_outcol cols[] = {
	    {"a", QT_LEFT, 0}, {"b", QT_LEFT, 0}};
	static const char *const want[] = {
	    [QT_FMT_TABLE] = "", [QT_FMT_JSON] = "[]\n", [QT_FMT_JSONL] = "",
	    [QT_FMT_CSV] = "\"a\",\"b\"\n", [QT_FMT_TSV] = "a\tb\n",
	    [QT_FMT_IDS] = "", [QT_FMT_IDS0] = ""};
	struct sink s;
	size_t fmt;

	(void)state;
	for (fmt = 0; fmt < LENGTH(want); fmt++) {
		open_sink(&s, (enum qt_format)fmt, cols, 2, 80, true);
		expect(&s, want[fmt], strlen(want[fmt]));
	}
}

static void ids_are_words_of_one_line(void **state)
{
	static const struct qt_outcol cols[] = {
	    {"id", QT_LEFT, 0}, {"x", QT_LEFT, 0}};
	struct sink s;
	size_t fmt;

	(void)state;
	for (fmt = QT_FMT_IDS; fmt <= QT_FMT_IDS0; fmt++) {
		open_sink(&s, (enum qt_format)fmt, cols, 2, 0, false);
		put_text(&s, "4gXyz");
		put_text(&s, "not shown");
		end_row(&s);
		put_text(&s, "a b\n\\\xc3\xa9");
		qt_output_int(s.o, 1);
		end_row(&s);
		put_text(&s, "\\x");
		qt_output_null(s.o);
		end_row(&s);
		qt_output_int(s.o, 7);
		qt_output_bool(s.o, true);
		end_row(&s);
		put_text(&s, "");
		put_text(&s, "an empty ID names nothing");
		end_row(&s);
		qt_output_null(s.o);
		put_text(&s, "nor does NULL");
		end_row(&s);
		if (fmt == QT_FMT_IDS)
			EXPECT(&s, "4gXyz\na\\x20b\\x0A\\\\\\xC3\\xA9\n\\x\n7\n");
		else
			EXPECT(&s, "4gXyz\0a b\n\\\xc3\xa9\0\\x\0" "7\0");
	}
}

static void table_is_escaped_and_aligned_by_columns_drawn(void **state)
{
	static const struct qt_outcol cols[] = {
	    {"name", QT_LEFT, 0}, {"count", QT_RIGHT, 0}, {"text", QT_LEFT, 0}};
	struct sink s;

	(void)state;
	open_sink(&s, QT_FMT_TABLE, cols, 3, 0, false);
	put_text(&s, "\xe6\x97\xa5\xe6\x9c\xac");
	qt_output_int(s.o, 5);
	put_text(&s, "\033[2J");
	end_row(&s);
	put_text(&s, "x");
	qt_output_int(s.o, 1234567);
	put_text(&s, "a\nb");
	end_row(&s);
	qt_output_null(s.o);
	qt_output_null(s.o);
	qt_output_null(s.o);
	end_row(&s);
	EXPECT(&s, "name    count  text\n"
	    "\xe6\x97\xa5\xe6\x9c\xac        5  \\x1B[2J\n"
	    "x     1234567  a\\nb\n"
	    "-           -  -\n");
}

static void numbers_align_right_in_any_column(void **state)
{
	static const struct qt_outcol cols[] = {
	    {"n", QT_LEFT, 0}, {"mixed", QT_LEFT, 0}};
	struct sink s;

	(void)state;
	open_sink(&s, QT_FMT_TABLE, cols, 2, 0, false);
	qt_output_int(s.o, 100);
	qt_output_int(s.o, 100);
	end_row(&s);
	qt_output_int(s.o, 1);
	put_text(&s, "one");
	end_row(&s);
	EXPECT(&s, "  n  mixed\n100    100\n  1  one\n");
}

static void long_cells_are_cut_for_a_terminal_alone(void **state)
{
	static const struct qt_outcol cols[] = {
	    {"id", QT_LEFT, 0}, {"subject", QT_LEFT, 8}};
	struct sink s;
	unsigned width;

	(void)state;
	for (width = 0; width <= 80; width += 80) {
		open_sink(&s, QT_FMT_TABLE, cols, 2, width, false);
		put_text(&s, "a long queue ID stays");
		put_text(&s, "12345678");
		end_row(&s);
		put_text(&s, "b");
		put_text(&s, "123456789");
		end_row(&s);
		put_text(&s, "c"); /* a wide character does not fit */
		put_text(&s, "123456\xe6\x97\xa5\xe6\x97\xa5");
		end_row(&s);
		if (width == 0)
			EXPECT(&s, "id                     subject\n"
			    "a long queue ID stays  12345678\n"
			    "b                      123456789\n"
			    "c                      123456\xe6\x97\xa5\xe6\x97\xa5\n");
		else
			EXPECT(&s, "id                     subject\n"
			    "a long queue ID stays  12345678\n"
			    "b                      1234567\xe2\x80\xa6\n"
			    "c                      123456\xe2\x80\xa6\n");
	}
}

static void heading_is_bold_with_colour(void **state)
{
	static const struct qt_outcol cols[] = {{"a\033", QT_LEFT, 0}};
	struct sink s;

	(void)state;
	open_sink(&s, QT_FMT_TABLE, cols, 1, 80, true);
	put_text(&s, "x");
	end_row(&s);
	EXPECT(&s, "\033[1ma\\x1B\033[0m\nx\n");
}

static void table_streams_after_its_window(void **state)
{
	static const struct qt_outcol cols[] = {
	    {"n", QT_LEFT, 0}, {"t", QT_LEFT, 0}};
	struct sink s;
	size_t i;

	(void)state;
	open_sink(&s, QT_FMT_TABLE, cols, 2, 0, false);
	for (i = 0; i < 199; i++) {
		put_text(&s, "abc");
		put_text(&s, "x");
		end_row(&s);
	}
	(void)fflush(s.f);
	assert_int_equal(s.len, 0);
	put_text(&s, "abc");
	put_text(&s, "x");
	end_row(&s);
	(void)fflush(s.f);
	assert_int_equal(s.len, strlen("n    t\n") + 200 * strlen("abc  x\n"));
	/* later rows come at once, and a longer one is not cut */
	put_text(&s, "longer than that");
	put_text(&s, "y");
	end_row(&s);
	put_text(&s, "z");
	put_text(&s, "y");
	end_row(&s);
	(void)fflush(s.f);
	assert_string_equal(s.data + strlen("n    t\n") +
	    200 * strlen("abc  x\n"), "longer than that  y\nz    y\n");
	assert_int_equal(qt_output_finish(s.o, NULL), 0);
	close_sink(&s);
}

/* 200 rows of a megabyte each are not kept to find out the widths. */
static void large_cells_close_the_window_early(void **state)
{
	static const struct qt_outcol cols[] = {{"body", QT_LEFT, 0}};
	static char big[700000];
	struct sink s;

	(void)state;
	memset(big, 'b', sizeof big);
	open_sink(&s, QT_FMT_TABLE, cols, 1, 0, false);
	qt_output_text(s.o, big, sizeof big);
	end_row(&s);
	qt_output_text(s.o, big, sizeof big);
	end_row(&s);
	(void)fflush(s.f);
	assert_int_equal(s.len, 5 + 2 * (sizeof big + 1));
	assert_int_equal(qt_output_finish(s.o, NULL), 0);
	close_sink(&s);
}

static void sizes_are_humanized_in_tables(void **state)
{
	static const struct {
		int64_t bytes;
		const char *want;
	} t[] = {
	    {0, "   0\n"}, {999, " 999\n"}, {1024, "1.0K\n"}, {1536, "1.5K\n"},
	    {12345, " 12K\n"}, {102400, "100K\n"}, {3565158, "3.4M\n"},
	    {INT64_C(5) << 30, "5.0G\n"}, {INT64_MAX, "8.0E\n"}, {-5, "  -5\n"},
	};
	static const struct qt_outcol cols[] = {{"size", QT_RIGHT, 0}};
	struct sink s;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(t); i++) {
		open_sink(&s, QT_FMT_TABLE, cols, 1, 0, false);
		qt_output_bytes(s.o, t[i].bytes);
		end_row(&s);
		assert_int_equal(qt_output_finish(s.o, NULL), 0);
		assert_string_equal(strchr(s.data, '\n') + 1, t[i].want);
		close_sink(&s);
	}
}

static void objects_are_rows_of_json_alone(void **state)
{
	static const struct qt_outcol col = {"o", QT_LEFT, 0};
	struct qt_error err;
	struct sink s;

	(void)state;
	open_sink(&s, QT_FMT_JSON, &col, 1, 0, false);
	assert_int_equal(qt_output_object(s.o, "{\"a\": 1}", 8, NULL), 0);
	assert_int_equal(qt_output_object(s.o, "{}", 2, NULL), 0);
	EXPECT(&s, "[\n{\"a\": 1},\n{}\n]\n");
	open_sink(&s, QT_FMT_JSONL, &col, 1, 0, false);
	assert_int_equal(qt_output_object(s.o, "{\"a\": 1}", 8, NULL), 0);
	assert_int_equal(qt_output_object(s.o, "{}", 2, NULL), 0);
	EXPECT(&s, "{\"a\": 1}\n{}\n");
	open_sink(&s, QT_FMT_CSV, &col, 1, 0, false);
	assert_int_equal(qt_output_object(s.o, "{}", 2, &err), -1);
	assert_int_equal(err.code, QT_E_STATE);
	close_sink(&s);
	/* nor in the middle of another row */
	open_sink(&s, QT_FMT_JSON, &col, 1, 0, false);
	qt_output_int(s.o, 1);
	assert_int_equal(qt_output_object(s.o, "{}", 2, &err), -1);
	assert_int_equal(qt_output_finish(s.o, &err), -1);
	close_sink(&s);
}

static void a_row_of_the_wrong_length_is_an_error(void **state)
{
	static const struct qt_outcol cols[] = {
	    {"a", QT_LEFT, 0}, {"b", QT_LEFT, 0}};
	struct qt_error err;
	struct sink s;
	size_t fmt, n, i;

	(void)state;
	for (fmt = QT_FMT_TABLE; fmt <= QT_FMT_IDS0; fmt++) {
		for (n = 1; n <= 3; n += 2) {
			open_sink(&s, (enum qt_format)fmt, cols, 2, 0, false);
			for (i = 0; i < n; i++)
				qt_output_int(s.o, 1);
			assert_int_equal(qt_output_end_row(s.o, &err), -1);
			assert_int_equal(err.code, QT_E_STATE);
			assert_int_equal(qt_output_finish(s.o, &err), -1);
			close_sink(&s);
		}
	}
}

/* Rows to f until it fails; the error must stick. */
static void write_until_failure(FILE *f, enum qt_format fmt, int sys)
{
	static const struct qt_outcol cols[] = {{"a", QT_LEFT, 0}};
	struct qt_error err = {0};
	struct qt_output *o;
	size_t i, failures = 0;

	assert_int_equal(qt_output_new(&o, f, fmt, cols, 1, 0, false, &err), 0);
	for (i = 0; i < 100000; i++) {
		qt_output_text(o, "some text", 9);
		if (qt_output_end_row(o, &err) < 0)
			failures++;
		else
			assert_int_equal(failures, 0);
	}
	assert_true(failures > 0);
	assert_int_equal(err.code, QT_E_SYS);
	assert_int_equal(err.sys, sys);
	err = (struct qt_error){0};
	assert_int_equal(qt_output_finish(o, &err), -1);
	assert_int_equal(err.sys, sys);
	qt_output_free(o);
}

static void a_full_disk_is_an_error(void **state)
{
	static const struct qt_outcol cols[] = {{"a", QT_LEFT, 0}};
	struct qt_error err = {0};
	struct qt_output *o;
	size_t fmt;
	FILE *f;

	(void)state;
	for (fmt = QT_FMT_TABLE; fmt <= QT_FMT_IDS0; fmt++) {
		f = fopen("/dev/full", "w");
		write_until_failure(f, (enum qt_format)fmt, ENOSPC);
		(void)fclose(f);
	}
	/* one short row fails in the flush of finish at the latest */
	f = fopen("/dev/full", "w");
	assert_int_equal(qt_output_new(&o, f, QT_FMT_IDS, cols, 1, 0, false,
	    &err), 0);
	qt_output_text(o, "x", 1);
	assert_int_equal(qt_output_end_row(o, &err), 0);
	assert_int_equal(qt_output_finish(o, &err), -1);
	assert_int_equal(err.code, QT_E_SYS);
	assert_int_equal(err.sys, ENOSPC);
	qt_output_free(o);
	(void)fclose(f);
}

static void a_closed_pipe_is_an_error(void **state)
{
	int fds[2];
	FILE *f;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	(void)close(fds[0]);
	f = fdopen(fds[1], "w");
	write_until_failure(f, QT_FMT_JSONL, EPIPE);
	(void)fclose(f);
}

static void formats_have_names(void **state)
{
	static const char *const names[] = {
	    "table", "json", "jsonl", "csv", "tsv", "ids", "ids0"};
	enum qt_format fmt;
	struct qt_error err;
	size_t i;

	(void)state;
	for (i = 0; i < LENGTH(names); i++) {
		assert_int_equal(qt_format_parse(names[i], &fmt, NULL), 0);
		assert_int_equal(fmt, i);
	}
	assert_int_equal(qt_format_parse("JSON", &fmt, &err), -1);
	assert_int_equal(err.code, QT_E_USAGE);
	assert_non_null(strstr(err.text, "jsonl"));
	assert_int_equal(qt_format_parse("", &fmt, &err), -1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_value_in_json),
	    cmocka_unit_test(every_value_in_csv),
	    cmocka_unit_test(every_value_in_tsv),
	    cmocka_unit_test(every_value_in_a_table),
	    cmocka_unit_test(table_times_are_local),
	    cmocka_unit_test(table_times_say_their_offset),
	    cmocka_unit_test(json_is_one_array_with_a_row_a_line),
	    cmocka_unit_test(reals_read_back),
	    cmocka_unit_test(empty_results),
	    cmocka_unit_test(ids_are_words_of_one_line),
	    cmocka_unit_test(table_is_escaped_and_aligned_by_columns_drawn),
	    cmocka_unit_test(numbers_align_right_in_any_column),
	    cmocka_unit_test(long_cells_are_cut_for_a_terminal_alone),
	    cmocka_unit_test(heading_is_bold_with_colour),
	    cmocka_unit_test(table_streams_after_its_window),
	    cmocka_unit_test(large_cells_close_the_window_early),
	    cmocka_unit_test(sizes_are_humanized_in_tables),
	    cmocka_unit_test(objects_are_rows_of_json_alone),
	    cmocka_unit_test(a_row_of_the_wrong_length_is_an_error),
	    cmocka_unit_test(a_full_disk_is_an_error),
	    cmocka_unit_test(a_closed_pipe_is_an_error),
	    cmocka_unit_test(formats_have_names),
	};

	/* widths of wide characters are known to a UTF-8 locale alone */
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		return 1;
	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
