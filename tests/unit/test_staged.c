/*
 * test_staged - the names of what a transaction keeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "change/txdir.h"
#include "source/staged.h"

#define M "qtool/tx/000007/m/0000/"
#define X "qtool/tx/000007/x/0000/"

struct name_case {
	const char *name;
	bool ok;
	uint64_t seq;
	const char *id;
	char letter;
};

static const struct name_case name_cases[] = {
    {"000000.A1B2C3D4E5.h", true, 0, "A1B2C3D4E5", 'h'},
    {"000042.4Vx1zS0.D", true, 42, "4Vx1zS0", 'D'},
    {"1234567.ABC.i", true, 1234567, "ABC", 'i'},
    {"000001.-.h", true, 1, "-", 'h'},
    {"00001.ABC.h", false, 0, NULL, 0},   /* a digit too few */
    {"0000001.ABC.h", false, 0, NULL, 0}, /* a zero too many */
    {"16777216.ABC.h", false, 0, NULL, 0}, /* more than a plan has */
    {"99999999999999999999.ABC.h", false, 0, NULL, 0},
    {"00000x.ABC.h", false, 0, NULL, 0},
    {"000001.ABC.hh", false, 0, NULL, 0},
    {"000001.ABC.", false, 0, NULL, 0},
    {"000001.ABC", false, 0, NULL, 0},
    {"000001..h", false, 0, NULL, 0},
    {".ABC.h", false, 0, NULL, 0},
    {"ABC", false, 0, NULL, 0},
    {"", false, 0, NULL, 0},
};

static void names_are_taken_apart(void **state)
{
	char again[QT_STAGED_NAME_SIZE];
	const struct name_case *c;
	struct qt_staged s;

	(void)state;
	for (size_t i = 0; i < sizeof name_cases / sizeof name_cases[0]; i++) {
		c = &name_cases[i];
		if (qt_staged_parse(c->name, &s) != c->ok)
			fail_msg("%s", c->name);
		if (!c->ok)
			continue;
		assert_int_equal(s.seq, c->seq);
		assert_int_equal(s.letter, c->letter);
		assert_int_equal(s.id_len, strlen(c->id));
		assert_memory_equal(s.id, c->id, s.id_len);
		qt_staged_name(c->seq, c->id, c->letter, again);
		assert_string_equal(again, c->name);
	}
}

static void a_long_id_is_a_dash(void **state)
{
	char id[QT_STAGED_ID_MAX + 2], name[QT_STAGED_NAME_SIZE];
	struct qt_staged s;

	(void)state;
	memset(id, 'A', sizeof id);
	id[QT_STAGED_ID_MAX] = '\0';
	qt_staged_name(3, id, 'h', name);
	assert_true(qt_staged_parse(name, &s));
	assert_int_equal(s.id_len, QT_STAGED_ID_MAX);
	id[QT_STAGED_ID_MAX] = 'A';
	id[QT_STAGED_ID_MAX + 1] = '\0';
	qt_staged_name(3, id, 'h', name);
	assert_string_equal(name, "000003.-.h");
}

struct log_case {
	const char *path;
	enum qt_queue kind;
	unsigned i;
	const char *log; /* NULL: none */
};

static const struct log_case log_cases[] = {
    {M "000001.ABC.h", QT_Q_DEFER, 0, X "000001.ABC.d"},
    {M "000001.ABC.D", QT_Q_DEFER, 1, X "000001.ABC.D"},
    {M "000001.ABC.h", QT_Q_BOUNCE, 0, X "000001.ABC.b"},
    {M "000001.ABC.h", QT_Q_BOUNCE, 1, X "000001.ABC.B"},
    {M "000001.ABC.h", QT_Q_TRACE, 0, X "000001.ABC.t"},
    {M "000001.ABC.h", QT_Q_TRACE, 1, X "000001.ABC.T"},
    {M "000001.ABC.h", QT_Q_TRACE, 2, NULL},
    {M "000001.ABC.h", QT_Q_HOLD, 0, NULL},
    {M "stray", QT_Q_DEFER, 0, NULL},
    {"hold/ABC", QT_Q_DEFER, 0, NULL},
    {"000001.ABC.h", QT_Q_DEFER, 0, NULL},
};

static void logs_lie_beside(void **state)
{
	char log[128];
	const struct log_case *c;
	int rc;

	(void)state;
	for (size_t i = 0; i < sizeof log_cases / sizeof log_cases[0]; i++) {
		c = &log_cases[i];
		rc = qt_staged_log(c->path, c->kind, c->i, log, sizeof log);
		if ((rc == 0) != (c->log != NULL))
			fail_msg("case %zu", i);
		if (rc == 0)
			assert_string_equal(log, c->log);
	}
	assert_int_equal(qt_staged_log(M "000001.ABC.h", QT_Q_DEFER, 0, log,
	    strlen(M "000001.ABC.h")), -1);
}

/* The layer that gives the names means the same by them. */
static void names_are_those_given(void **state)
{
	static const unsigned bits[] = {QT_LOG_DEFER, QT_LOG_BOUNCE,
	    QT_LOG_TRACE};
	char path[QT_STAGED_DIR_SIZE], want[64], log[128], c;
	unsigned n = 0;

	(void)state;
	assert_int_equal(QT_PLAN_MAX, QT_STAGED_SEQ_MAX);
	for (unsigned q = 0; q < QT_Q_COUNT; q++) {
		c = qt_staged_letter((enum qt_queue)q);
		if (c == '\0')
			continue;
		assert_int_equal(qt_staged_queue(c), q);
		assert_int_equal(qt_staged_queue((char)(c - 'a' + 'A')), q);
		n++;
	}
	assert_int_equal(n, 4);
	assert_int_equal(qt_staged_queue('x'), QT_Q_COUNT);
	assert_int_equal(qt_staged_queue('\0'), QT_Q_COUNT);
	for (size_t k = 0; k < 3; k++)
		for (unsigned i = 0; i < QT_STAGED_LOGS; i++) {
			unsigned bit = i == 0 ? bits[k] :
			    bits[k] << QT_LOG_LATE;

			assert_int_equal(qt_staged_log(M "000001.ABC.h",
			    qt_tx_log_queue(bit), i, log, sizeof log), 0);
			c = log[strlen(log) - 1];
			assert_int_equal(c, qt_tx_log_letter(bit));
		}
	qt_staged_dir(1234567, path);
	(void)snprintf(want, sizeof want, "%s/%s/1234567", QT_STATE_NAME,
	    QT_STATE_TX);
	assert_string_equal(path, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_taken_apart),
	    cmocka_unit_test(a_long_id_is_a_dash),
	    cmocka_unit_test(logs_lie_beside),
	    cmocka_unit_test(names_are_those_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
