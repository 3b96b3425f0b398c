/*
 * test_address.c - addresses as showq prints them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "qtool/message.h"

struct address_case {
	const char *raw, *utf8, *ascii; /* ascii NULL: the same */
};

static const struct address_case cases[] = {
    {"joe@example.org", "joe@example.org", NULL},
    {"joe", "joe", NULL},
    {"a.b+c-d_e'f!#$%&*/=?^`{|}~@x", "a.b+c-d_e'f!#$%&*/=?^`{|}~@x", NULL},
    /* parts that need quoting */
    {"joe user@x", "\"joe user\"@x", NULL},
    {"joe user", "\"joe user\"", NULL},
    {".joe@x", "\".joe\"@x", NULL},
    {"joe.@x", "\"joe.\"@x", NULL},
    {"j..oe@x", "\"j..oe\"@x", NULL},
    {".", "\".\"", NULL},
    {"", "\"\"", NULL},
    {"@x", "\"\"@x", NULL},
    {"a@b@x", "\"a@b\"@x", NULL},
    {"a(b@x", "\"a(b\"@x", NULL},
    {"a)b@x", "\"a)b\"@x", NULL},
    {"a<b@x", "\"a<b\"@x", NULL},
    {"a>b@x", "\"a>b\"@x", NULL},
    {"a,b@x", "\"a,b\"@x", NULL},
    {"a;b@x", "\"a;b\"@x", NULL},
    {"a:b@x", "\"a:b\"@x", NULL},
    {"a[b@x", "\"a[b\"@x", NULL},
    {"a]b@x", "\"a]b\"@x", NULL},
    {"a\\b@x", "\"a\\\\b\"@x", NULL},
    {"a\"b@x", "\"a\\\"b\"@x", NULL},
    {"\"a\"@x", "\"\\\"a\\\"\"@x", NULL},
    /* what is not printable */
    {"a\tb@x", "\"a?b\"@x", NULL},
    {"a\rb@x", "\"a\\?b\"@x", NULL},
    {"a\nb@x", "\"a?b\"@x", NULL},
    {"a\x7f"
     "b@x",
	"\"a?b\"@x", NULL},
    {"a\x1b[1mb@x", "\"a?[1mb\"@x", NULL},
    {"a@x\ny", "a@x?y", NULL},
    {"a@x y", "a@x y", NULL},
    /* 8-bit needs no quotes */
    {"j\xc3\xb6rg@b\xc3\xbc.example", "j\xc3\xb6rg@b\xc3\xbc.example",
	"j??rg@b??.example"},
    {"j\xf6rg@x", "j?rg@x", NULL},
    {"\xe2\x82@x", "??@x", NULL},
    {"\xf0\x9f\x98\x80@x", "\xf0\x9f\x98\x80@x", "????@x"},
    {"\xc0\xaf@x", "??@x", NULL},
    {"\xed\xa0\x80@x", "???@x", NULL},
    {"j\xc3\xb6 rg@x", "\"j\xc3\xb6 rg\"@x", "\"j?? rg\"@x"},
    /* a source route stays, what follows it is quoted */
    {"@a,@b:joe@x", "@a,@b:joe@x", NULL},
    {"@a:j oe@x", "@a:\"j oe\"@x", NULL},
    {"@a:", "@a:\"\"", NULL},
    {"joe@a:b", "joe@a:b", NULL},
};

static void check(const char *raw, bool utf8, const char *want)
{
	struct qt_buf b;

	qt_buf_init(&b, 0);
	qt_buf_adds(&b, "\x01"); /* what is there already stays */
	qt_address_print(&b, raw, utf8);
	if (b.data[0] != '\x01' || strcmp(b.data + 1, want) != 0)
		fail_msg("%s: %s", want, b.data + 1);
	qt_buf_release(&b);
}

static void test_print(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check(cases[i].raw, true, cases[i].utf8);
		check(cases[i].raw, false,
		    cases[i].ascii != NULL ? cases[i].ascii : cases[i].utf8);
	}
}

static void test_full_buffer(void **state)
{
	struct qt_buf b;

	(void)state;
	qt_buf_init(&b, 8);
	qt_address_print(&b, "j oe@example.org", true);
	assert_true(b.failed);
	qt_buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_print),
	    cmocka_unit_test(test_full_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
