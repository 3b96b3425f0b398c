/*
 * test_showq.c - what Postfix says of its queue, taken whole or not at all: a
 * shell script stands for postqueue.
 */
#include "unit/archive_world.h"

#include "evidence/spill.h"

#define PATH "data/context/showq.jsonl"
#define LINE "{\"queue_name\":\"hold\",\"queue_id\":\"DDDDD4444\"}"

static struct contents *archive_with(const struct world *w,
    const struct qt_showq *q, const char *file)
{
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a;

	opts.showq = q;
	put_message(w, "hold/DDDDD4444", "c@example.com", 2, "more\n");
	a = open_archive(w, file, &opts);
	must_add(w, a, "hold/DDDDD4444");
	must_finish(a, NULL);
	return read_archive(at(w, file));
}

/* The bytes as they came, in memory and out of it, below the sums. */
static void its_bytes_are_in_the_archive(void **state)
{
	static const size_t memory[] = {0, 100, 4096};
	const struct world *w = *state;
	struct qt_error err = {0};
	char file[32], want[64];
	struct contents *c;
	struct qt_showq *q;
	size_t i;

	for (i = 0; i < sizeof memory / sizeof memory[0]; i++) {
		(void)snprintf(file, sizeof file, "out/%zu.tar.zst", i);
		if (take_showq(w, &q, "i=0; while [ $i -lt 3000 ]; do "
			"echo '{\"queue_name\":\"hold\",\"queue_id\":\"'$i'\"}'; "
			"i=$((i + 1)); done | tee \"$0.said\"",
			(struct qt_showq_opts){.memory = memory[i]}, &err) != 0)
			fail_msg("%s: %s", err.where, err.text);
		assert_int_equal(count_out(w), 2 * i); /* without a name */
		c = archive_with(w, q, file);
		qt_showq_free(q);
		assert_same_as_file(must_find(c, PATH), at(w, "postqueue.said"));
		(void)snprintf(want, sizeof want, "\"showq_messages\": 3000");
		assert_non_null(strstr(
		    must_find(c, "metadata/case.json")->data, want));
		assert_non_null(strstr(must_find(c, "README.txt")->data, PATH));
		check_manifest(c, "manifest-sha256.txt", is_payload);
		free_contents(c);
	}
}

static void an_empty_queue_is_no_line(void **state)
{
	struct qt_error err = {0};
	struct qt_showq *q = NULL;
	struct contents *c;

	assert_int_equal(take_showq(*state, &q, "exit 0",
	    (struct qt_showq_opts){0}, &err), 0);
	c = archive_with(*state, q, "out/x.tar.zst");
	qt_showq_free(q);
	assert_int_equal(must_find(c, PATH)->len, 0);
	assert_non_null(strstr(must_find(c, "metadata/case.json")->data,
	    "\"showq_messages\": 0"));
	free_contents(c);
}

/* Nobody who has not asked for it reads of it. */
static void without_it_nothing_is_said_of_it(void **state)
{
	struct contents *c = archive_with(*state, NULL, "out/x.tar.zst");

	assert_null(find(c, PATH));
	assert_null(strstr(must_find(c, "metadata/case.json")->data, "showq"));
	assert_null(strstr(must_find(c, "README.txt")->data, "showq"));
	free_contents(c);
}

static void what_fails_is_told_and_nothing_kept(void **state)
{
	static const struct {
		const char *script;
		enum qt_code code;
		const char *text;
	} cases[] = {
	    {"echo '" LINE "'; echo warning >&2; "
	     "printf 'fatal: \\033[2J no such queue\\n' >&2; exit 69",
		QT_E_LIBRARY, "exit status 69: fatal: \\x1B[2J no such queue"},
	    {"echo '" LINE "'; exit 1", QT_E_LIBRARY, "exit status 1"},
	    {"kill -9 $$", QT_E_LIBRARY, "killed by signal 9"},
	    {"echo '" LINE "'; echo Mail queue is empty", QT_E_LIBRARY,
		"line 2 of what it says is no JSON object"},
	    {"echo '" LINE "'; echo", QT_E_LIBRARY,
		"line 2 of what it says is no JSON object"},
	    {"printf '%s' '{\"queue_name\":\"hold\"'", QT_E_LIBRARY,
		"line 1 of what it says is no JSON object"},
	    {"echo '{\"queue_name\":\"hold\"}'", QT_E_LIBRARY,
		"line 1 of what it says has no queue_id"},
	    {"echo '{\"queue_id\":\"A\",\"queue_name\":[]}'", QT_E_LIBRARY,
		"line 1 of what it says has no queue_name"},
	    {"while :; do echo '" LINE "'; done", QT_E_NOMEM,
		"it says more of the queue than the 500 bytes that an archive "
		"takes"},
	};
	const struct world *w = *state;
	struct qt_showq *q = NULL;
	struct qt_error err;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		err = (struct qt_error){0};
		assert_int_equal(take_showq(w, &q, cases[i].script,
		    (struct qt_showq_opts){.max = 500}, &err), -1);
		assert_int_equal(err.code, cases[i].code);
		assert_string_equal(err.where, at(w, "postqueue"));
		assert_string_equal(err.text, cases[i].text);
		assert_null(q);
		assert_int_equal(count_out(w), 0);
	}
	/* up to the last byte that may be */
	assert_int_equal(take_showq(w, &q, "echo '" LINE "'",
	    (struct qt_showq_opts){.max = sizeof LINE}, &err), 0);
	qt_showq_free(q);
	q = NULL;
	assert_int_equal(take_showq(w, &q, "echo '" LINE "'",
	    (struct qt_showq_opts){.max = sizeof LINE - 1}, &err), -1);
}

static void a_program_that_is_not_there_is_an_error(void **state)
{
	const struct world *w = *state;
	const struct qt_showq_opts opts = {.program = at(w, "none"),
	    .file = at(w, "out/x.tar.zst")};
	struct qt_showq *q = NULL;
	struct qt_error err = {0};

	assert_int_equal(qt_showq_take(&q, w->spool, &opts, &err), -1);
	assert_int_equal(err.code, QT_E_SYS);
	assert_int_equal(err.sys, ENOENT);
}

/* It would hold its output open for a day, and is not waited for. */
static void silence_ends_it(void **state)
{
	struct qt_showq *q = NULL;
	struct qt_error err = {0};

	assert_int_equal(take_showq(*state, &q,
	    "echo '" LINE "'; exec sleep 86400",
	    (struct qt_showq_opts){.silence_ms = 1}, &err), -1);
	assert_int_equal(err.code, QT_E_LIBRARY);
	assert_string_equal(err.text, "nothing came from it for 1 seconds");
}

static void a_signal_ends_it(void **state)
{
	static const char *const scripts[] = {"exec sleep 86400",
	    "while :; do echo '" LINE "'; done", "kill -2 $$"};
	static volatile sig_atomic_t stop = 1;
	struct qt_showq *q = NULL;
	struct qt_error err;
	size_t i;

	for (i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
		err = (struct qt_error){0};
		assert_int_equal(take_showq(*state, &q, scripts[i],
		    (struct qt_showq_opts){.stop = &stop}, &err), -1);
		assert_int_equal(err.code, QT_E_INTERRUPTED);
		assert_int_equal(count_out(*state), 0);
	}
}

/* Before anybody waits for Postfix: the program leaves a mark when it is run. */
static void an_archive_that_cannot_be_is_told_first(void **state)
{
	static const struct {
		const char *file;
		enum qt_code code;
	} cases[] = {{"out/x.zip", QT_E_USAGE}, {"out/there.tar", QT_E_REFUSED},
	    {"out/none/x.tar", QT_E_SYS}};
	const struct world *w = *state;
	struct qt_showq *q = NULL;
	struct qt_error err;
	size_t i;

	write_file(at(w, "out/there.tar"), "", 0);
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		err = (struct qt_error){0};
		assert_int_equal(take_showq(w, &q, ": >\"$0.ran\"",
		    (struct qt_showq_opts){.file = at(w, cases[i].file)},
		    &err), -1);
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(access(at(w, "postqueue.ran"), F_OK), -1);
	}
	/* a directory gets a name of its own in it later */
	assert_int_equal(take_showq(w, &q, ": >\"$0.ran\"",
	    (struct qt_showq_opts){.file = at(w, "out")}, &err), 0);
	assert_int_equal(access(at(w, "postqueue.ran"), F_OK), 0);
	qt_showq_free(q);
}

static void never_in_a_redacted_archive(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a = NULL;
	struct qt_showq *q = NULL;
	struct qt_error err = {0};

	assert_int_equal(take_showq(w, &q, "echo '" LINE "'",
	    (struct qt_showq_opts){0}, &err), 0);
	opts.showq = q;
	opts.redact = QT_REDACT_RECIPIENTS;
	assert_int_equal(qt_archive_open(&a, at(w, "out/x.tar.zst"), &opts,
	    &err), -1);
	assert_int_equal(err.code, QT_E_USAGE);
	assert_int_equal(count_out(w), 0);
	qt_showq_free(q);
}

/* ---- what it is kept in ---- */

static int compare(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	const char **want = ctx;

	(void)err;
	assert_memory_equal(*want, bytes, len);
	*want += len;
	return 0;
}

/* At every limit, none of it in memory among them, the same bytes. */
static void a_spill_gives_what_it_took(void **state)
{
	const struct world *w = *state;
	int dirfd = open(w->dir, O_RDONLY | O_DIRECTORY);
	char *bytes = noise(1000), piece[7];
	struct qt_error err = {0};
	const char *want;
	struct qt_spill s;
	size_t limit, n, i;

	assert_true(dirfd >= 0);
	for (limit = 0; limit < 1100; limit = limit * 3 + 1) {
		qt_spill_init(&s, dirfd, limit);
		assert_int_equal(qt_spill_add(&s, "", 0, &err), 0);
		for (i = n = 0; i < 1000; i += n) {
			n = 1 + i % 97 < 1000 - i ? 1 + i % 97 : 1000 - i;
			assert_int_equal(qt_spill_add(&s, bytes + i, n, &err),
			    0);
		}
		assert_int_equal(qt_spill_size(&s), 1000);
		want = bytes;
		assert_int_equal(qt_spill_each(&s, compare, &want, &err), 0);
		assert_ptr_equal(want, bytes + 1000);
		assert_int_equal(qt_spill_read(&s, 500, piece, 7, &err), 0);
		assert_memory_equal(piece, bytes + 500, 7);
		qt_spill_release(&s);
	}
	free(bytes);
	(void)close(dirfd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(its_bytes_are_in_the_archive),
	    TEST(an_empty_queue_is_no_line),
	    TEST(without_it_nothing_is_said_of_it),
	    TEST(what_fails_is_told_and_nothing_kept),
	    TEST(a_program_that_is_not_there_is_an_error),
	    TEST(silence_ends_it),
	    TEST(a_signal_ends_it),
	    TEST(an_archive_that_cannot_be_is_told_first),
	    TEST(never_in_a_redacted_archive),
	    TEST(a_spill_gives_what_it_took),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
