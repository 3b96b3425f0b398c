/*
 * test_tally.c - counting by a text, and who answers for a network.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/contacts.h"
#include "evidence/tally.h"

struct world {
	struct qt_arena arena;
	struct qt_tally t;
};

static void open_world(struct world *w)
{
	struct qt_error err;

	qt_arena_init(&w->arena, (size_t)1 << 30);
	assert_int_equal(qt_tally_init(&w->t, &w->arena, &err), 0);
}

static void close_world(struct world *w)
{
	qt_tally_release(&w->t);
	qt_arena_release(&w->arena);
}

static struct qt_counted *add(struct world *w, const char *key, uint64_t rcpts,
    int64_t time)
{
	const struct qt_tally_add a = {.recipients = rcpts, .todo = rcpts,
	    .time = time};
	struct qt_counted *e;
	struct qt_error err;

	assert_int_equal(qt_tally_add(&w->t, key, strlen(key), &a, &e, NULL,
	    &err), 0);
	return e;
}

static void test_counts(void **state)
{
	struct qt_counted *joe;
	struct world w;

	(void)state;
	open_world(&w);
	joe = add(&w, "joe", 3, 200);
	assert_ptr_equal(add(&w, "joe", 4, 100), joe);
	assert_ptr_equal(add(&w, "joe", 0, 0), joe); /* no time is no time */
	(void)add(&w, "Joe", 50, 7);
	assert_int_equal(w.t.n, 2);
	assert_int_equal(joe->messages, 3);
	assert_int_equal(joe->recipients, 7);
	assert_int_equal(joe->todo, 7);
	assert_int_equal(joe->first, 100);
	assert_int_equal(joe->last, 200);
	assert_null(qt_tally_find(&w.t, "jo", 2));
	close_world(&w);
}

/* A key may have a NUL, and be empty. */
static void test_keys(void **state)
{
	const struct qt_tally_add one = {.recipients = 1};
	struct qt_counted *e;
	struct qt_error err;
	struct world w;
	bool fresh;

	(void)state;
	open_world(&w);
	assert_int_equal(qt_tally_add(&w.t, "a\0b", 3, &one, &e, &fresh, &err), 0);
	assert_true(fresh);
	assert_int_equal(qt_tally_add(&w.t, "a\0c", 3, &one, &e, &fresh, &err), 0);
	assert_true(fresh);
	assert_int_equal(qt_tally_add(&w.t, "", 0, &one, &e, &fresh, &err), 0);
	assert_true(fresh);
	assert_int_equal(qt_tally_add(&w.t, "a\0b", 3, &one, &e, &fresh, &err), 0);
	assert_false(fresh);
	assert_int_equal(w.t.n, 3);
	assert_int_equal(qt_tally_find(&w.t, "a\0b", 3)->messages, 2);
	close_world(&w);
}

static void test_order(void **state)
{
	struct qt_counted *b;
	struct world w;
	int i;

	(void)state;
	open_world(&w);
	(void)add(&w, "a", 9, 0);
	b = add(&w, "b", 1, 0);
	for (i = 0; i < 3; i++)
		(void)add(&w, "b", 1, 0);
	(void)add(&w, "c", 9, 0);
	qt_tally_sort(&w.t, QT_TALLY_MESSAGES);
	assert_string_equal(w.t.v[0]->key, "b");
	assert_string_equal(w.t.v[1]->key, "a");
	qt_tally_sort(&w.t, QT_TALLY_RECIPIENTS);
	assert_string_equal(w.t.v[0]->key, "a");
	assert_string_equal(w.t.v[1]->key, "c");
	/* what is found is what was, and what is added goes to it */
	assert_ptr_equal(add(&w, "b", 1, 0), b);
	assert_int_equal(b->messages, 5);
	qt_tally_sort(&w.t, QT_TALLY_KEY);
	assert_string_equal(w.t.v[2]->key, "c");
	close_world(&w);
}

/* More than are told apart: the others are counted, and none is lost. */
static void test_many(void **state)
{
	uint64_t sum = 0;
	struct world w;
	char key[32];
	size_t i;

	(void)state;
	open_world(&w);
	for (i = 0; i < 2 * QT_TALLY_MAX; i++) {
		(void)snprintf(key, sizeof(key), "%zu", i % (QT_TALLY_MAX + 10));
		(void)add(&w, key, 1, 0);
	}
	assert_int_equal(w.t.n, QT_TALLY_MAX);
	for (i = 0; i < w.t.n; i++)
		sum += w.t.v[i]->messages;
	assert_int_equal(w.t.beyond, 10);
	assert_int_equal(sum + w.t.beyond, 2 * QT_TALLY_MAX);
	close_world(&w);
}

/* ---- contacts ---- */

static int parse(struct qt_contacts *c, const char *text, struct qt_error *err)
{
	qt_contacts_init(c);
	return qt_contacts_parse(c, text, strlen(text), "f", err);
}

static const char *who(const struct qt_contacts *c, const char *address)
{
	const struct qt_contact *k;
	uint8_t addr[16];

	assert_true(cidr_address(addr, address));
	k = qt_contacts_find(c, addr);
	return k != NULL ? k->address : "-";
}

static void test_contacts(void **state)
{
	static const char text[] = "# a comment\n\n"
	    "192.0.2.0/24\twide@x.example\tAS1\r\n"
	    " 192.0.2.128/25 \t narrow@x.example \n"
	    "2001:db8::/32\tsix@x.example\n"
	    "192.0.2.200\tone@x.example";
	struct qt_contacts c;
	struct qt_error err;

	(void)state;
	assert_int_equal(parse(&c, text, &err), 0);
	assert_int_equal(c.n, 4);
	assert_string_equal(who(&c, "192.0.2.1"), "wide@x.example");
	assert_string_equal(who(&c, "192.0.2.129"), "narrow@x.example");
	assert_string_equal(who(&c, "192.0.2.200"), "one@x.example");
	assert_string_equal(who(&c, "2001:db8:1::1"), "six@x.example");
	assert_string_equal(who(&c, "2001:db9::1"), "-");
	assert_string_equal(who(&c, "198.51.100.1"), "-");
	assert_string_equal(c.v[0].asn, "AS1");
	assert_string_equal(c.v[1].asn, "");
	qt_contacts_release(&c);
}

static void test_bad_contacts(void **state)
{
	static const char *const bad[] = {"192.0.2.0/24", "192.0.2.0/24\t",
	    "192.0.2.0/33\ta@x.example", "192.0.2.0/24 a@x.example",
	    "x\ta@x.example", "192.0.2.0/24\t@x.example",
	    "192.0.2.0/24\ta@", "192.0.2.0/24\ta@b@x.example",
	    "192.0.2.0/24\ta b@x.example", "192.0.2.0/24\ta@x.example>,<b@x",
	    "192.0.2.0/24\ta@x.example\tAS\x1b[1m",
	    "192.0.2.0/24\ta@x.example\t\xff"};
	struct qt_contacts c;
	struct qt_error err;
	char text[200];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "# one\n%s\n", bad[i]);
		assert_int_equal(parse(&c, text, &err), -1);
		assert_int_equal(err.code, QT_E_USAGE);
		assert_non_null(strstr(err.text, "line 2: "));
		qt_contacts_release(&c);
	}
	qt_contacts_init(&c);
	assert_int_equal(qt_contacts_parse(&c, "a\0b", 3, "f", &err), -1);
	qt_contacts_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counts),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_contacts),
	    cmocka_unit_test(test_bad_contacts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
