/*
 * test_domain.c - domains in the form they are compared in, and registrable
 * domains.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "query/domain.h"

struct form {
	const char *address, *domain, *org; /* NULL: none */
};

static const struct form forms[] = {
	{"a@Example.COM", "example.com", "example.com"},
	{"a@mail.eu.Example.co.uk", "mail.eu.example.co.uk", "example.co.uk"},
	{"a@example.org.", "example.org", "example.org"},
	{"a@b@c.example", "c.example", "c.example"},
	{"\"a@b\"@c.example", "c.example", "c.example"},
	{"postmaster", NULL, NULL},
	{"", NULL, NULL},
	{"a@", NULL, NULL},
	{"a@.", ".", NULL},
	{"a@localhost", "localhost", NULL},
	{"a@co.uk", "co.uk", NULL},
	{"a@[192.0.2.1]", "[192.0.2.1]", NULL},
	{"a@[IPv6:2001:db8::1]", "[ipv6:2001:db8::1]", NULL},
	{"a@192.0.2.1", "192.0.2.1", NULL},
	/* U-labels, in either case, and what already is an A-label */
	{"a@B\xc3\xbc" "cher.example", "xn--bcher-kva.example",
	    "xn--bcher-kva.example"},
	{"a@B\xc3\x9c" "CHER.example", "xn--bcher-kva.example",
	    "xn--bcher-kva.example"},
	{"a@XN--Bcher-KVA.example", "xn--bcher-kva.example",
	    "xn--bcher-kva.example"},
	{"a@mx.\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80.\xd1\x80\xd1\x84",
	    "mx.xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai"},
	/* sharp s stays itself: IDNA 2008, not the transitional form */
	{"a@stra\xc3\x9f" "e.example", "xn--strae-oqa.example",
	    "xn--strae-oqa.example"},
	/* what libidn2 does not take */
	{"a@\xf0\x9f\x98\x80.Example", "\xf0\x9f\x98\x80.example",
	    "\xf0\x9f\x98\x80.example"},
	{"a@b\xc3\xbc\x85.Example", "b\\xc3\\xbc\\x85.example",
	    "b\\xc3\\xbc\\x85.example"},
	{"a@\xff\xfe.Example", "\\xff\\xfe.example", "\\xff\\xfe.example"},
	{"a@a b.example", "a b.example", "a b.example"},
	{"a@_dmarc.example.com", "_dmarc.example.com", "example.com"},
};

static void same(const char *have, const char *want)
{
	if (want == NULL)
		assert_null(have);
	else
		assert_string_equal(have, want);
}

static void test_form(void **state)
{
	const struct form *f = *state;
	struct qt_arena a;
	const char *d;

	qt_arena_init(&a, 0);
	d = domain_of(&a, f->address);
	same(d, f->domain);
	same(domain_org(d), f->org);
	qt_arena_release(&a);
}

static void test_null(void **state)
{
	struct qt_arena a;

	(void)state;
	qt_arena_init(&a, 0);
	assert_null(domain_of(&a, NULL));
	assert_null(domain_org(NULL));
	qt_arena_release(&a);
}

/* Nobody's domain is that long, and it must not cost anything either. */
static void test_long(void **state)
{
	struct qt_arena a;
	char *s = malloc(100001);
	const char *d;

	(void)state;
	assert_non_null(s);
	memset(s, 'A', 100000);
	s[0] = (char)0xc3;
	s[1] = (char)0xbc;
	s[100000] = '\0';
	qt_arena_init(&a, 0);
	d = domain_normal(&a, s, 100000);
	assert_int_equal(strlen(d), 100000);
	assert_int_equal(d[2], 'a');
	qt_arena_release(&a);
	free(s);
}

int main(void)
{
	enum { N = sizeof forms / sizeof forms[0] };
	struct CMUnitTest tests[N + 2];

	for (size_t i = 0; i < N; i++)
		tests[i] = (struct CMUnitTest){
		    .name = *forms[i].address != '\0' ? forms[i].address
						      : "empty",
		    .test_func = test_form,
		    .initial_state = (void *)(uintptr_t)&forms[i]};
	tests[N] = (struct CMUnitTest)cmocka_unit_test(test_null);
	tests[N + 1] = (struct CMUnitTest)cmocka_unit_test(test_long);
	return cmocka_run_group_tests_name("domain", tests, NULL, NULL);
}
