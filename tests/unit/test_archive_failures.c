/*
 * test_archive_failures.c - what the evidence archive refuses, what it leaves
 * out, and what is left behind when it fails: nothing.
 */
#include "unit/archive_world.h"

static void bad_names_are_refused(void **state)
{
	static const struct {
		const char *name, *file;
		enum qt_code code;
	} cases[] = {
		{"no suffix", "out/x", QT_E_USAGE},
		{"zip", "out/x.zip", QT_E_USAGE},
		{"suffix alone", "out/.tar.zstd", QT_E_USAGE},
		{"control character", "out/a\nb.tar", QT_E_USAGE},
		{"no such directory", "none/x.tar", QT_E_SYS},
	};
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a = NULL;
	struct qt_error err;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (qt_archive_open(&a, at(w, cases[i].file), &opts, &err) == 0)
			fail_msg("%s: accepted", cases[i].name);
		if (err.code != cases[i].code)
			fail_msg("%s: code %d", cases[i].name, err.code);
	}
	assert_int_equal(count_out(w), 0);
}

static void existing_file_stays(void **state)
{
	static const char *const existing[] = {
	    "out/x.tar.zst", "out/x.tar.zst.sha256"};
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a = NULL;
	struct qt_error err;
	char *data;
	size_t i, len;

	for (i = 0; i < 2; i++) {
		write_file(at(w, existing[i]), "mine", 4);
		assert_int_equal(
		    qt_archive_open(&a, at(w, "out/x.tar.zst"), &opts, &err),
		    -1);
		assert_int_equal(err.code, QT_E_REFUSED);
		data = slurp(at(w, existing[i]), &len);
		assert_string_equal(data, "mine");
		free(data);
		assert_int_equal(count_out(w), 1);
		assert_int_equal(unlink(at(w, existing[i])), 0);
	}
}

/* Somebody else makes the file, or the sum's, while we write ours. */
static void file_that_appears_meanwhile_stays(void **state)
{
	static const char *const rival[] = {
	    "out/x.tar.zst", "out/x.tar.zst.sha256"};
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a;
	struct qt_error err;
	char *data;
	size_t i, len;

	put_some(w);
	for (i = 0; i < 2; i++) {
		a = open_archive(w, "out/x.tar.zst", &opts);
		must_add(w, a, "deferred/BBBBB2222");
		write_file(at(w, rival[i]), "mine", 4);
		assert_int_equal(qt_archive_finish(a, NULL, &err), -1);
		assert_int_equal(err.code, QT_E_REFUSED);
		qt_archive_close(a);
		data = slurp(at(w, rival[i]), &len);
		assert_string_equal(data, "mine");
		free(data);
		assert_int_equal(count_out(w), 1);
		assert_int_equal(unlink(at(w, rival[i])), 0);
	}
}

/* What is not the message that was judged is not in the archive. */
static void only_the_judged_file(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a = open_archive(w, "out/x.tar.zst", &opts);
	struct qt_archive_counts counts;
	struct qt_error err;
	struct contents *c;
	struct stat st;

	put_some(w);
	must_add(w, a, "hold/DDDDD4444");
	/* delivered */
	assert_int_equal(stat(at(w, "spool/deferred/BBBBB2222"), &st), 0);
	assert_int_equal(unlink(at(w, "spool/deferred/BBBBB2222")), 0);
	assert_int_equal(add(w, a, "deferred/BBBBB2222", &err), -1);
	assert_int_equal(err.code, QT_E_GONE);
	/* another file under its name */
	put_message(w, "deferred/BBBBB2222", "x@y", 1, "new\n");
	assert_int_equal(qt_archive_add(a,
	    &(struct qt_archive_item){.spool = w->spool,
		.queue = QT_Q_DEFERRED, .id = "BBBBB2222",
		.path = "deferred/BBBBB2222", .dev = st.st_dev,
		.ino = st.st_ino + 100000}, "{}", &err), -1);
	assert_int_equal(err.code, QT_E_CHANGED);
	/* no regular file */
	assert_int_equal(symlink("/etc/passwd",
			     at(w, "spool/deferred/EEEEE5555")), 0);
	assert_int_equal(add(w, a, "deferred/EEEEE5555", &err), -1);
	assert_int_equal(err.code, QT_E_CHANGED);
	assert_int_equal(mkfifo(at(w, "spool/deferred/FFFFF6666"), 0600), 0);
	assert_int_equal(add(w, a, "deferred/FFFFF6666", &err), -1);
	assert_int_equal(err.code, QT_E_CHANGED);
	must_finish(a, &counts);
	assert_int_equal(counts.messages, 1);
	assert_int_equal(counts.gone, 1);
	assert_int_equal(counts.failed, 3);
	c = read_archive(at(w, "out/x.tar.zst"));
	assert_null(find(c, "data/queue/deferred/BBBBB2222"));
	assert_null(find(c, "data/queue/defer/BBBBB2222"));
	assert_null(find(c, "data/queue/deferred/EEEEE5555"));
	assert_int_equal(count_lines(must_find(c, "metadata/missing.jsonl")), 4);
	assert_non_null(strstr(must_find(c, "metadata/missing.jsonl")->data,
	    "\"queue_id\":\"BBBBB2222\",\"found\":\"deferred/BBBBB2222\","
	    "\"why\":\"gone\""));
	check_manifest(c, "manifest-sha256.txt", is_payload);
	check_manifest(c, "tagmanifest-sha256.txt", is_tag);
	free_contents(c);
}

/* A hash directory that is a link leads nowhere. */
static void links_on_the_way_are_not_followed(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a = open_archive(w, "out/x.tar.zst", &opts);
	struct qt_error err;
	struct stat st;

	put_some(w);
	assert_int_equal(symlink("../hold", at(w, "spool/deferred/D")), 0);
	assert_int_equal(stat(at(w, "spool/hold/DDDDD4444"), &st), 0);
	assert_int_equal(qt_archive_add(a,
	    &(struct qt_archive_item){.spool = w->spool,
		.queue = QT_Q_DEFERRED, .id = "name",
		.path = "deferred/D/DDDDD4444", .dev = st.st_dev,
		.ino = st.st_ino}, "{}", &err), -1);
	assert_int_equal(err.code, QT_E_CHANGED);
	qt_archive_close(a);
}

/* A log that cannot be read does not cost the message. */
static void bad_log_is_told(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a = open_archive(w, "out/x.tar.zst", &opts);
	struct qt_archive_counts counts;
	struct contents *c;

	put_message(w, "hold/DDDDD4444", "c@example.com", 2, "more\n");
	assert_int_equal(symlink("/etc/passwd",
			     at(w, "spool/defer/DDDDD4444")), 0);
	must_add(w, a, "hold/DDDDD4444");
	must_finish(a, &counts);
	assert_int_equal(counts.messages, 1);
	assert_int_equal(counts.logs, 0);
	assert_int_equal(counts.bad_logs, 1);
	c = read_archive(at(w, "out/x.tar.zst"));
	assert_non_null(strstr(must_find(c, "metadata/messages.jsonl")->data,
	    ",\"logs\":[],\"problems\":[\"defer: "));
	free_contents(c);
}

static void nothing_is_left_behind(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	volatile sig_atomic_t stop = 0;
	struct qt_archive *a;
	struct qt_error err;

	put_some(w);
	/* closed without finish */
	a = open_archive(w, "out/x.tar.zst", &opts);
	must_add(w, a, "deferred/BBBBB2222");
	assert_int_equal(count_out(w), 1); /* the temporary name */
	qt_archive_close(a);
	assert_int_equal(count_out(w), 0);
	/* nothing in it */
	a = open_archive(w, "out/x.tar.zst", &opts);
	assert_int_equal(qt_archive_finish(a, NULL, &err), -1);
	assert_int_equal(err.code, QT_E_GONE);
	qt_archive_close(a);
	assert_int_equal(count_out(w), 0);
	/* Ctrl-C between two messages, and before the end */
	opts.stop = &stop;
	a = open_archive(w, "out/x.tar.zst", &opts);
	must_add(w, a, "deferred/BBBBB2222");
	stop = 1;
	assert_int_equal(add(w, a, "hold/DDDDD4444", &err), -1);
	assert_int_equal(err.code, QT_E_INTERRUPTED);
	qt_archive_close(a);
	stop = 0;
	a = open_archive(w, "out/x.tar.zst", &opts);
	must_add(w, a, "deferred/BBBBB2222");
	stop = 1;
	assert_int_equal(qt_archive_finish(a, NULL, &err), -1);
	assert_int_equal(err.code, QT_E_INTERRUPTED);
	qt_archive_close(a);
	assert_int_equal(count_out(w), 0);
}

/* Every byte that cannot be written, from the first to the last. */
static void full_disk_leaves_no_file(void **state)
{
	static const rlim_t limits[] = {1, 100, 1000, 30000, 70000, 108000};
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a;
	struct rlimit old, small;
	struct qt_error err;
	char *body = noise(100000);
	size_t i;
	int r;

	put_message(w, "deferred/BBBBB2222", "x@example.com", 10, body);
	put_log(w, "defer/BBBBB2222", "<r@x>: no\n\n");
	free(body);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	for (i = 0; i < sizeof limits / sizeof *limits; i++) {
		/* half of them hit the temporary files of the lists first */
		opts.memory = i % 2 != 0 ? 500 : 0;
		small = old;
		small.rlim_cur = limits[i];
		a = NULL;
		err.code = QT_OK;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		r = qt_archive_open(&a, at(w, "out/x.tar"), &opts, &err);
		if (r == 0)
			r = add(w, a, "deferred/BBBBB2222", &err);
		if (r == 0)
			r = qt_archive_finish(a, NULL, &err);
		qt_archive_close(a);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		if (r == 0 || err.code != QT_E_SYS || err.sys != EFBIG)
			fail_msg("limit %lu: %d, code %d, errno %d",
			    (unsigned long)limits[i], r, err.code, err.sys);
		assert_int_equal(count_out(w), 0);
	}
}

/* After a failed write nothing can be published. */
static void broken_archive_stays_broken(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a = open_archive(w, "out/x.tar", &opts);
	struct rlimit old, small;
	struct qt_error err;

	put_some(w);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	small = old;
	small.rlim_cur = 1024;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(add(w, a, "deferred/BBBBB2222", &err), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(add(w, a, "hold/DDDDD4444", &err), -1);
	assert_int_equal(qt_archive_finish(a, NULL, &err), -1);
	qt_archive_close(a);
	assert_int_equal(count_out(w), 0);
}

#define LIVELY ((size_t)2 << 20)

/* Write n at the start, then at the end, of a file, for ever. */
static void scribble(const char *path)
{
	int fd = open(path, O_WRONLY);
	uint64_t n;

	for (n = 1;; n++) {
		if (pwrite(fd, &n, sizeof n, 0) < 0 ||
		    pwrite(fd, &n, sizeof n, LIVELY - sizeof n) < 0)
			_exit(1);
		(void)usleep(n % 64 == 0 ? 40000 : 50);
	}
}

/*
 * A file that is written to is archived as it was at one moment, or not: its
 * end is never newer than its start.
 */
static void changing_file_is_never_torn(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a = open_archive(w, "out/x.tar", &opts);
	const struct member *m;
	struct contents *c;
	struct qt_error err;
	uint64_t first, last;
	char *zeros = calloc(1, LIVELY);
	pid_t pid;
	int r;

	assert_non_null(zeros);
	write_file(at(w, "spool/deferred/BBBBB2222"), zeros, LIVELY);
	free(zeros);
	put_message(w, "deferred/CCCCC2222", "x@example.com", 1, "small\n");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		scribble(at(w, "spool/deferred/BBBBB2222"));
	r = add(w, a, "deferred/BBBBB2222", &err);
	assert_int_equal(kill(pid, SIGKILL), 0);
	(void)waitpid(pid, NULL, 0);
	must_add(w, a, "deferred/CCCCC2222");
	must_finish(a, NULL);
	c = read_archive(at(w, "out/x.tar"));
	m = find(c, "data/queue/deferred/BBBBB2222");
	if (r != 0) {
		assert_int_equal(err.code, QT_E_CHANGED);
		assert_null(m);
	} else {
		assert_non_null(m);
		memcpy(&first, m->data, sizeof first);
		memcpy(&last, m->data + LIVELY - sizeof last, sizeof last);
		assert_true(first == last || first == last + 1);
	}
	check_manifest(c, "manifest-sha256.txt", is_payload);
	free_contents(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bad_names_are_refused),
		TEST(existing_file_stays),
		TEST(file_that_appears_meanwhile_stays),
		TEST(only_the_judged_file),
		TEST(links_on_the_way_are_not_followed),
		TEST(bad_log_is_told),
		TEST(nothing_is_left_behind),
		TEST(full_disk_leaves_no_file),
		TEST(broken_archive_stays_broken),
		TEST(changing_file_is_never_torn),
	};

	return cmocka_run_group_tests_name("archive_failures", tests, NULL, NULL);
}
