/*
 * test_cidr.c - addresses, networks, and which is in which.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "query/cidr.h"

struct match {
	const char *net, *address;
	bool in;
};

static const struct match matches[] = {
	{"41.0.0.0/8", "41.255.255.255", true},
	{"41.0.0.0/8", "42.0.0.0", false},
	{"41.2.3.4", "41.2.3.4", true},
	{"41.2.3.4/32", "41.2.3.5", false},
	{"41.2.3.128/25", "41.2.3.127", false},
	{"41.2.3.128/25", "41.2.3.128", true},
	{"0.0.0.0/0", "203.0.113.9", true},
	{"0.0.0.0/0", "2001:db8::1", false},
	{"::/0", "2001:db8::1", true},
	{"::/0", "203.0.113.9", false},
	{"2001:db8::/32", "IPv6:2001:db8:ffff::1", true},
	{"2001:db8::/32", "ipv6:2001:db9::1", false},
	{"2001:db8::/33", "2001:db8:8000::", false},
	{"IPv6:2001:db8::/32", "[2001:db8::1]", true},
	{"2001:db8::1/128", "2001:db8::1", true},
	{"41.0.0.0/8", "::ffff:41.2.3.4", true},
	{"::ffff:41.0.0.0/104", "41.2.3.4", true},
};

static void test_match(void **state)
{
	const struct match *m = *state;
	struct qt_error err = {0};
	struct cidr net;
	uint8_t addr[16];

	if (cidr_parse(&net, m->net, &err) != 0)
		fail_msg("%s: %s", m->net, err.text);
	assert_true(cidr_address(addr, m->address));
	assert_int_equal(cidr_contains(&net, addr), m->in);
}

static void test_no_network(void **state)
{
	static const char *const bad[] = {"", "/", "41", "41.0.0.0/",
	    "41.0.0.0/33", "41.0.0.0/-1", "41.0.0.0/8x", "41.0.0.0/ 8",
	    "41.0.0.0/008888", "41.0.0.1/8", "2001:db8::1/32", "2001:db8::/129",
	    "unknown", "a.example", "1.2.3", "1.2.3.4.5", "[1.2.3.4", "IPv6:",
	    "1.2.3.4/8/8"};
	struct cidr net = {.bits = 77};
	struct qt_error err;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		err = (struct qt_error){0};
		if (cidr_parse(&net, bad[i], &err) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_int_equal(err.code, QT_E_USAGE);
		assert_int_equal(net.bits, 77); /* untouched */
	}
}

static void test_no_address(void **state)
{
	static const char *const bad[] = {"", "unknown", "41.2.3", "41.2.3.4/8",
	    "[]", "IPv6:", "2001:db8:::1",
	    "1111111111111111111111111111111111111111111111111111111111111111111"};
	uint8_t addr[16];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (cidr_address(addr, bad[i]))
			fail_msg("\"%s\" was taken", bad[i]);
}

static void test_says_what_was_meant(void **state)
{
	struct qt_error err = {0};
	struct cidr net;

	(void)state;
	assert_int_equal(cidr_parse(&net, "41.2.3.4/8", &err), -1);
	assert_non_null(strstr(err.text, "41.0.0.0/8"));
	assert_int_equal(cidr_parse(&net, "2001:db8::1/32", &err), -1);
	assert_non_null(strstr(err.text, "2001:db8::/32"));
}

int main(void)
{
	enum { N = sizeof matches / sizeof matches[0] };
	struct CMUnitTest tests[N + 3];
	char names[N][96];

	for (size_t i = 0; i < N; i++) {
		(void)snprintf(names[i], sizeof names[i], "%s %s %s",
		    matches[i].net, matches[i].in ? "has" : "has not",
		    matches[i].address);
		tests[i] = (struct CMUnitTest){.name = names[i],
		    .test_func = test_match,
		    .initial_state = (void *)(uintptr_t)&matches[i]};
	}
	tests[N] = (struct CMUnitTest)cmocka_unit_test(test_no_network);
	tests[N + 1] = (struct CMUnitTest)cmocka_unit_test(test_no_address);
	tests[N + 2] = (struct CMUnitTest)cmocka_unit_test(
	    test_says_what_was_meant);
	return cmocka_run_group_tests_name("cidr", tests, NULL, NULL);
}
