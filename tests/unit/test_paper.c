/*
 * test_paper.c - documents in Markdown and HTML.
 */
#include "unit/paper_read.h"

#define FIVE "\u2588\u2588\u2588\u2588\u2588"
#define TEN FIVE FIVE

static void bars_are_shares(void **state)
{
	static const char *const want[] = {"width:100.0%", "width:50.0%",
	    "width:0.1%"};
	static const char *const blocks[] = {
	    "| " TEN TEN " |", "| " TEN "  ", "| \u258f  "};
	const struct qt_paper_column col[] = {{"a", QT_PAPER_TEXT},
	    {"b", QT_PAPER_BAR}};
	struct qt_error err;
	struct qt_paper p;
	struct qt_buf b;
	const char *at;
	size_t i, html;

	(void)state;
	qt_buf_init(&b, 0);
	for (html = 0; html < 2; html++) {
		qt_buf_clear(&b);
		qt_paper_begin(&p, &b, html, "t");
		qt_paper_table(&p, "c", col, 2);
		qt_paper_cells(&p, "1");
		qt_paper_bar(&p, UINT64_MAX, UINT64_MAX);
		qt_paper_cells(&p, "2");
		qt_paper_bar(&p, 500, 1000);
		qt_paper_cells(&p, "3");
		qt_paper_bar(&p, 1, 1000);
		qt_paper_cells(&p, "4");
		qt_paper_bar(&p, 0, 1000);
		qt_paper_cells(&p, "5");
		qt_paper_bar(&p, 7, 0);
		qt_paper_table_end(&p);
		assert_int_equal(qt_paper_end(&p, &err), 0);
		for (i = 0, at = qt_buf_str(&b); i < 3; i++) {
			at = strstr(at, html ? want[i] : blocks[i]);
			assert_non_null(at);
			at += strlen(html ? want[i] : blocks[i]);
		}
		assert_null(strstr(at, html ? "<span" : "\u2588"));
		assert_null(strstr(at, html ? "<span" : "\u258f"));
	}
	qt_buf_release(&b);
}

/* Where a line is broken, its first word could start a list or a heading. */
static void broken_lines_stay_one_paragraph(void **state)
{
	static const char *const words[] = {"-", "+", "=", "===", "1.", "12)",
	    "#", ">", "*", "```", "---", "|", "0123456789."};
	char text[1024], want[2200];
	struct reading r = {.rows = 0};
	struct qt_error err;
	struct qt_paper p;
	struct qt_buf b;
	size_t i, at;

	(void)state;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		qt_buf_init(&b, 0);
		qt_buf_init(&r.text, 0);
		text[0] = '\0';
		for (at = 0; at < 60; at++) {
			(void)strlcat(text, words[i], sizeof(text));
			(void)strlcat(text, " ", sizeof(text));
		}
		text[strlen(text) - 1] = '\0';
		qt_paper_begin(&p, &b, false, "t");
		qt_paper_text(&p, text);
		qt_paper_row(&p, "label", text);
		assert_int_equal(qt_paper_end(&p, &err), 0);
		read_markdown(&r, qt_buf_str(&b));
		(void)snprintf(want, sizeof(want), "=t\n-%s\n:label\n-%s\n", text,
		    text);
		assert_string_equal(qt_buf_str(&r.text), want);
		qt_buf_release(&b);
		qt_buf_release(&r.text);
	}
}

/* What is lost on the way into the document is not passed over in silence. */
static void a_text_without_room(void **state)
{
	char text[300];
	struct qt_error err;
	struct qt_paper p;
	struct qt_buf b;

	(void)state;
	memset(text, ' ', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	qt_buf_init(&b, 256);
	qt_paper_begin(&p, &b, false, "t");
	qt_paper_text(&p, text);
	assert_true(qt_paper_end(&p, &err) < 0);
	assert_int_equal(err.code, QT_E_NOMEM);
	qt_buf_release(&b);
}

/* A row that is not full is filled up, so that the table stays one. */
static void a_row_that_is_cut(void **state)
{
	const struct qt_paper_column col[] = {{"a", QT_PAPER_TEXT},
	    {"b", QT_PAPER_WORD}, {"c", QT_PAPER_NUMBER}};
	struct reading r;
	struct qt_error err;
	struct qt_paper p;
	struct qt_buf b;
	int html;

	(void)state;
	for (html = 0; html < 2; html++) {
		r = (struct reading){.rows = 0};
		qt_buf_init(&b, 0);
		qt_buf_init(&r.text, 0);
		qt_paper_begin(&p, &b, html, "t");
		qt_paper_table(&p, "of letters", col, 3);
		qt_paper_cells(&p, "x");
		qt_paper_cells(&p, "y");
		qt_paper_table_end(&p);
		qt_paper_text(&p, "end");
		assert_int_equal(qt_paper_end(&p, &err), 0);
		if (html)
			read_html(&r, qt_buf_str(&b));
		else
			read_markdown(&r, qt_buf_str(&b));
		assert_string_equal(qt_buf_str(&r.text), "=t\n-of letters\n"
		    "|a\n|b\n|c\n|x\n|y\n|\n-end\n");
		qt_buf_release(&b);
		qt_buf_release(&r.text);
	}
}

/* Signs that mean something in one of the forms, or near another sign. */
static const char signs[] = "\\`*_[]()<>#|&;~$:/.wW!-+='\"1@a\n\t\033\377 ";

/* A cell for every three of them. */
static void put_triples(struct qt_paper *p)
{
	const struct qt_paper_column col[] = {{"a", QT_PAPER_TEXT}};
	const size_t n = sizeof(signs) - 1;
	char text[3];
	size_t i;

	qt_paper_table(p, "triples", col, 1);
	for (i = 0; i < n * n * n; i++) {
		text[0] = signs[i % n];
		text[1] = signs[i / n % n];
		text[2] = signs[i / n / n];
		qt_paper_cell(p, text, sizeof(text));
	}
	qt_paper_table_end(p);
}

static void every_three_signs_are_text(void **state)
{
	struct reading r[2] = {{.rows = 0}};
	struct qt_error err;
	struct qt_paper p;
	struct qt_buf b;
	int html;

	(void)state;
	for (html = 0; html < 2; html++) {
		qt_buf_init(&b, 0);
		qt_buf_init(&r[html].text, 0);
		qt_paper_begin(&p, &b, html, "t");
		put_triples(&p);
		assert_int_equal(qt_paper_end(&p, &err), 0);
		if (html)
			read_html(&r[html], qt_buf_str(&b));
		else
			read_markdown(&r[html], qt_buf_str(&b));
		qt_buf_release(&b);
	}
	assert_string_equal(qt_buf_str(&r[0].text), qt_buf_str(&r[1].text));
	assert_int_equal(r[0].rows, r[1].rows);
	qt_buf_release(&r[0].text);
	qt_buf_release(&r[1].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bars_are_shares),
	    cmocka_unit_test(broken_lines_stay_one_paragraph),
	    cmocka_unit_test(every_three_signs_are_text),
	    cmocka_unit_test(a_text_without_room),
	    cmocka_unit_test(a_row_that_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
