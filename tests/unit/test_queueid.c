/*
 * test_queueid.c - both forms of queue ID, and hash directories.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "qtool/queueid.h"

static void test_valid(void **state)
{
	char name[QT_QUEUE_ID_MAX + 2];

	(void)state;
	assert_true(qt_queue_id_valid("A"));
	assert_true(qt_queue_id_valid("AC79AA7A142"));
	assert_true(qt_queue_id_valid("example_org"));
	assert_false(qt_queue_id_valid(""));
	assert_false(qt_queue_id_valid("12345.678"));
	assert_false(qt_queue_id_valid("A/B"));
	assert_false(qt_queue_id_valid("AC79A#FIX"));
	assert_false(qt_queue_id_valid("-A"));
	assert_false(qt_queue_id_valid("A\xc3\xa4"));
	memset(name, 'A', sizeof name);
	name[QT_QUEUE_ID_MAX] = '\0';
	assert_true(qt_queue_id_valid(name));
	name[QT_QUEUE_ID_MAX] = 'A';
	name[QT_QUEUE_ID_MAX + 1] = '\0';
	assert_false(qt_queue_id_valid(name));
}

struct id_case {
	const char *name;
	struct qt_queue_id id;
	const char *hash; /* at depth 2 */
};

static const struct id_case id_cases[] = {
    /* both decoded by Postfix 3.7 */
    {"4jYS056mwkz1bph0", {true, 1795488453, 954342, true, 10988460}, "E/8/"},
    {"AC79AA7A142", {false, -1, 0xac79a, true, 0xa7a142}, "A/C/"},
    {"00000zzzzz", {false, -1, 0, false, 0}, "0/0/"},
    {"0000000000z0", {true, 0, 0, true, 0}, "0/0/"},
    {"000000zzzzzy", {true, 0, 52 * 52 * 52 * 52 - 1, true, 50}, "6/F/"},
    {"0000010001zz1", {true, 52, 51 + 52, true, 1}, "0/0/"},
    /* the last z separates, wherever it is */
    {"4jYS056mwkz1bpz", {true, 13127922101724390, 7175366, false, 0}, "6/D/"},
    {"4jYS056mwk", {false, -1, 0, false, 0}, "4/j/"},
    {"4jYS056mwkz", {true, 1795488453, 954342, false, 0}, "E/8/"},
    /* a vowel is no digit */
    {"4jYS056mwkz1bpha", {true, 1795488453, 954342, false, 0}, "E/8/"},
    {"AjYS056mwkz1bph0", {true, -1, 954342, true, 10988460}, "E/8/"},
    {"4jYS056mwAz1bph0", {true, 1795488453, 0, true, 10988460}, "0/0/"},
    {"4jYS05_mwkz1bph0", {true, 1795488453, 0, true, 10988460}, "0/0/"},
    /* too large a number */
    {"4jYS056mwkzyyyyyyyyyyyyyyy", {true, 1795488453, 954342, false, 0},
	"E/8/"},
    {"yyyyyyyyyyyyy56mwkz1", {true, -1, 954342, true, 1}, NULL},
    {"AC79AFFFFFFFFFFFFFFFF", {false, -1, 0xac79a, true, UINT64_MAX}, "A/C/"},
    {"AC79A10000000000000000", {false, -1, 0xac79a, false, 0}, "A/C/"},
    {"AC79A", {false, -1, 0, false, 0}, "A/C/"},
    {"A", {false, -1, 0, false, 0}, "A/_/"},
    {"AC79Aff", {false, -1, 0xac79a, true, 255}, "A/C/"},
    {"AC79A0x1F", {false, -1, 0xac79a, true, 31}, "A/C/"},
    {"AC79A0x", {false, -1, 0xac79a, false, 0}, "A/C/"},
    {"AC79AG", {false, -1, 0xac79a, false, 0}, "A/C/"},
    {"example_org", {false, -1, 0, false, 0}, "e/x/"},
};

static void test_parse(void **state)
{
	size_t i, wrong = 0;

	(void)state;
	for (i = 0; i < sizeof id_cases / sizeof id_cases[0]; i++) {
		const struct id_case *c = &id_cases[i];
		struct qt_queue_id id;
		char dir[8];

		qt_queue_id_parse(&id, c->name);
		qt_queue_id_hash(c->name, 2, dir, sizeof dir);
		if (id.is_long != c->id.is_long ||
		    id.seconds != c->id.seconds || id.usec != c->id.usec ||
		    id.has_inode != c->id.has_inode ||
		    id.inode != c->id.inode ||
		    (c->hash != NULL && strcmp(dir, c->hash) != 0)) {
			print_error("%s: %d %ld %u %d %lu %s\n", c->name,
			    id.is_long, (long)id.seconds, (unsigned)id.usec,
			    id.has_inode, (unsigned long)id.inode, dir);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

static void test_key(void **state)
{
	char key[QT_QUEUE_ID_MAX + 1], small[4];

	(void)state;
	qt_queue_id_key("AC79AA7A142", key, sizeof key);
	assert_string_equal(key, "AC79AA7A142");
	qt_queue_id_key("4jYS056mwkz1bph0", key, sizeof key);
	assert_string_equal(key, "E8FE6");
	/* more microseconds than there are: all six digits */
	qt_queue_id_key("000000zzzzz0", key, sizeof key);
	assert_string_equal(key, "6F90FF");
	qt_queue_id_key("AC79AA7A142", small, sizeof small);
	assert_string_equal(small, "AC7");
}

static void test_hash_depths(void **state)
{
	char dir[64];

	(void)state;
	qt_queue_id_hash("ABC", 0, dir, sizeof dir);
	assert_string_equal(dir, "");
	qt_queue_id_hash("ABC", 1, dir, sizeof dir);
	assert_string_equal(dir, "A/");
	qt_queue_id_hash("ABC", 5, dir, sizeof dir);
	assert_string_equal(dir, "A/B/C/_/_/");
	qt_queue_id_hash("ABC", 5, dir, 6);
	assert_string_equal(dir, "A/B/");
	qt_queue_id_hash("ABC", 5, dir, 1);
	assert_string_equal(dir, "");
}

static void test_make_short(void **state)
{
	char name[32];
	struct qt_queue_id id;

	(void)state;
	qt_queue_id_make_short(name, sizeof name, 0xac79a, 0xa7a142);
	assert_string_equal(name, "AC79AA7A142");
	qt_queue_id_make_short(name, sizeof name, 1, 2);
	assert_string_equal(name, "000012");
	qt_queue_id_make_short(name, sizeof name, 999999, UINT64_MAX);
	assert_string_equal(name, "F423FFFFFFFFFFFFFFFFF");
	qt_queue_id_parse(&id, name);
	assert_true(id.has_inode && id.inode == UINT64_MAX);
	assert_int_equal(id.usec, 999999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_key),
	    cmocka_unit_test(test_hash_depths),
	    cmocka_unit_test(test_make_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
