/*
 * Tests of format/json: values taken apart, and what is no JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "format/json.h"

/* "key=type:text;" of each member, then "end" or "bad". */
static void members(const char *text, char *out, size_t size)
{
	static const char types[] = {[QT_JSON_STRING] = 's',
	    [QT_JSON_NUMBER] = 'n', [QT_JSON_OBJECT] = 'o',
	    [QT_JSON_ARRAY] = 'a', [QT_JSON_WORD] = 'w'};
	struct qt_json_value key, v;
	struct qt_json j;
	size_t n = 0;
	int rc = -1;

	out[0] = '\0';
	if (qt_json_open(&j, '{', text, strlen(text)))
		while ((rc = qt_json_member(&j, &key, &v)) == 0)
			n += (size_t)snprintf(out + n, size - n, "%.*s=%c:%.*s;",
			    (int)key.len, key.text, types[v.type], (int)v.len,
			    v.text);
	(void)snprintf(out + n, size - n, "%s", rc == 1 ? "end" : "bad");
}

static void objects_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"{}", "end"}, {" { } \n", "end"}, {"{\"a\":1}", "a=n:1;end"},
	    {"{\"a\":\"x\\\"y\" , \"b\" : [1,{\"c\":\"]\"}],\"d\":{\"e\":[]}}",
		"a=s:x\\\"y;b=a:[1,{\"c\":\"]\"}];d=o:{\"e\":[]};end"},
	    {"{\"a\":true,\"b\":null}", "a=w:true;b=w:null;end"},
	    {"{\"a\":-1.5e+3}", "a=n:-1.5e+3;end"},
	    {"", "bad"}, {"[]", "bad"}, {"{", "bad"}, {"{\"a\"}", "bad"},
	    {"{\"a\":}", "bad"}, {"{\"a\":1", "a=n:1;bad"},
	    {"{\"a\":1}x", "a=n:1;bad"}, {"{\"a\":1 \"b\":2}", "a=n:1;bad"},
	    {"{a:1}", "bad"}, {"{1:1}", "bad"}, {"{\"a\":\"x", "bad"},
	    {"{\"a\":[1}", "bad"}, {"{\"a\":[}]}", "bad"},
	    {"{\"a\":\"x\ny\"}", "bad"}, {"{\"a\":\"x\\", "bad"},
	    {"{,\"a\":1}", "bad"}, {"{\"a\":@}", "bad"}};
	char out[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		members(cases[i].text, out, sizeof out);
		assert_string_equal(out, cases[i].want);
	}
}

static void nesting_has_an_end(void **state)
{
	char text[128], out[256];

	(void)state;
	(void)snprintf(text, sizeof text, "{\"a\":%.*s%.*s}", 32,
	    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 32,
	    "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
	members(text, out, sizeof out);
	assert_non_null(strstr(out, "end"));
	(void)snprintf(text, sizeof text, "{\"a\":%.*s%.*s}", 33,
	    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 33,
	    "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
	members(text, out, sizeof out);
	assert_string_equal(out, "bad");
}

static void strings_are_decoded(void **state)
{
	static const struct {
		const char *text, *want; /* NULL: it is none */
	} cases[] = {
	    {"abc", "abc"}, {"", ""}, {"\\\"\\\\\\/\\b\\f\\n\\r\\t",
		"\"\\/\b\f\n\r\t"},
	    {"\\u0041\\u00e9\\u20ac", "A\xc3\xa9\xe2\x82\xac"},
	    {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"}, {"\\u0000", NULL},
	    {"\\ud83d", NULL}, {"\\ude00", NULL}, {"\\ud83dx", NULL},
	    {"\\u12", NULL}, {"\\u12g4", NULL}, {"\\x41", NULL},
	    {"12345678901234567890123456789012", NULL}};
	struct qt_json_value v = {.type = QT_JSON_STRING};
	char out[32];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		v.text = cases[i].text;
		v.len = strlen(v.text);
		assert_int_equal(qt_json_text(&v, out, sizeof out),
		    cases[i].want != NULL);
		if (cases[i].want != NULL)
			assert_string_equal(out, cases[i].want);
	}
	v.type = QT_JSON_NUMBER;
	assert_false(qt_json_text(&v, out, sizeof out));
}

static void numbers_fit_or_are_none(void **state)
{
	static const struct {
		const char *text;
		bool sound, is_unsigned;
		int64_t n;
	} cases[] = {{"0", true, true, 0}, {"17", true, true, 17},
	    {"-5", true, false, -5},
	    {"9223372036854775807", true, true, INT64_MAX},
	    {"9223372036854775808", false, true, 0},
	    {"18446744073709551615", false, true, 0},
	    {"18446744073709551616", false, false, 0},
	    {"1.5", false, false, 0}, {"1e3", false, false, 0},
	    {"-", false, false, 0}, {"+1", false, false, 0}};
	struct qt_json_value v = {.type = QT_JSON_NUMBER};
	int64_t n;
	uint64_t u;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		v.text = cases[i].text;
		v.len = strlen(v.text);
		assert_int_equal(qt_json_int(&v, &n), cases[i].sound);
		if (cases[i].sound)
			assert_int_equal(n, cases[i].n);
		assert_int_equal(qt_json_uint(&v, &u), cases[i].is_unsigned);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(objects_are_taken_apart),
	    cmocka_unit_test(nesting_has_an_end),
	    cmocka_unit_test(strings_are_decoded),
	    cmocka_unit_test(numbers_fit_or_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
