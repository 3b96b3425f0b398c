/*
 * test_regexp.c - patterns, subjects with bad bytes, and limits that are
 * errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "query/regexp.h"

struct match {
	const char *pattern, *subject;
	size_t len; /* of the subject; 0: up to its NUL */
	int want;   /* 0 matches, 1 does not */
};

static const struct match matches[] = {
	{"pills", "buy pills now", 0, 0},
	{"Pills", "buy pills now", 0, 1},
	{"(?i)Pills", "buy pills now", 0, 0},
	{"^\\w+$", "gr\xc3\xbcn", 0, 1}, /* no UCP: \w is ASCII */
	{"(*UCP)^\\w+$", "gr\xc3\xbcn", 0, 0},
	{"^.$", "\xe2\x82\xac", 0, 0},
	{"a.b", "a\nb", 0, 1},
	{"(?s)a.b", "a\nb", 0, 0},
	{"(?m)^b", "a\nb", 0, 0},
	{"x", "\xff\xfex\xff", 0, 0},
	{"^x", "\xff\xfex\xff", 0, 1},
	{"a\\x00b", "a\0b", 3, 0},
	{"", "", 0, 0},
	{"(?<=a)b(?!c)", "abd", 0, 0},
	{"(a|b)\\1", "aa", 0, 0},
};

static void test_match(void **state)
{
	const struct match *m = *state;
	size_t len = m->len != 0 ? m->len : strlen(m->subject);
	struct qt_error err = {0};
	struct regexp *re;

	if (regexp_new(&re, m->pattern, strlen(m->pattern), &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(regexp_match(re, m->subject, len, &err), m->want);
	/* and once more: nothing is left over from the match before */
	assert_int_equal(regexp_match(re, m->subject, len, &err), m->want);
	regexp_free(re);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {"(", "a)", "[z-a]", "*", "\\C", "\\",
	    "(?<n>a)(?<n>b)", "\xff", "a{99999}", "(?P<x"};
	struct qt_error err;
	struct regexp *re = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err = (struct qt_error){0};
		if (regexp_new(&re, bad[i], strlen(bad[i]), &err) == 0)
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(err.code, QT_E_USAGE);
		assert_null(re);
	}
}

static void test_offset(void **state)
{
	struct qt_error err = {0};
	struct regexp *re;

	(void)state;
	assert_int_equal(regexp_new(&re, "ab[z-a]", 7, &err), -1);
	assert_int_equal(err.offset, 5);
	assert_string_equal(err.where, "ab[z-a]");
}

static void test_too_long(void **state)
{
	struct qt_error err = {0};
	struct regexp *re;
	char *s = calloc(1, 70001);

	(void)state;
	assert_non_null(s);
	memset(s, 'a', 70000);
	assert_int_equal(regexp_new(&re, s, 70000, &err), -1);
	assert_int_equal(err.code, QT_E_USAGE);
	free(s);
}

/* Catastrophic patterns end in an error that names them. */
static void test_limits(void **state)
{
	static const char *const slow[] = {"^(a|aa)+$", "^(a+)+$",
	    "^(?:(a)|(aa))*(?:(a)|(aa))*$", "(.*.*.*.*.*.*.*.*[xyz])"};
	struct qt_error err;
	struct regexp *re;
	char subject[3000];

	(void)state;
	memset(subject, 'a', sizeof subject - 1);
	subject[sizeof subject - 2] = '!';
	subject[sizeof subject - 1] = '\0';
	for (size_t i = 0; i < sizeof slow / sizeof slow[0]; i++) {
		err = (struct qt_error){0};
		assert_int_equal(regexp_new(&re, slow[i], strlen(slow[i]), &err),
		    0);
		if (regexp_match(re, subject, strlen(subject), &err) != -1)
			fail_msg("%s came to an end", slow[i]);
		assert_int_equal(err.code, QT_E_LIBRARY);
		assert_string_equal(err.where, slow[i]);
		regexp_free(re);
	}
}

/* A long subject is no reason to give up. */
static void test_long_subject(void **state)
{
	const size_t len = (size_t)4 << 20;
	struct qt_error err = {0};
	struct regexp *re;
	char *s = malloc(len);

	(void)state;
	assert_non_null(s);
	memset(s, 'x', len);
	s[len - 1] = 'y';
	assert_int_equal(regexp_new(&re, "(?i)[^x]$", 9, &err), 0);
	assert_int_equal(regexp_match(re, s, len, &err), 0);
	regexp_free(re);
	free(s);
}

int main(void)
{
	enum { N = sizeof matches / sizeof matches[0] };
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test(test_bad), cmocka_unit_test(test_offset),
		cmocka_unit_test(test_too_long), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_long_subject)};
	struct CMUnitTest tests[N + sizeof fixed / sizeof fixed[0]];
	char names[N][64];

	for (size_t i = 0; i < N; i++) {
		(void)snprintf(names[i], sizeof names[i], "%zu: %s%s", i,
		    matches[i].want == 0 ? "" : "not ", matches[i].pattern);
		tests[i] = (struct CMUnitTest){.name = names[i],
		    .test_func = test_match,
		    .initial_state = (void *)(uintptr_t)&matches[i]};
	}
	memcpy(tests + N, fixed, sizeof fixed);
	return cmocka_run_group_tests_name("regexp", tests, NULL, NULL);
}
