/*
 * test_archive_verify - reading an archive back finds what is not as it was
 * written; archives of what a transaction keeps; and what was left is told.
 */
#include "unit/archive_world.h"

#include "evidence/verify.h"

static void put_mail(const struct world *w)
{
	put_message(w, "deferred/BBBBB2222", "a@example.com", 3, "hello\n");
	put_message(w, "hold/DDDDD4444", "b@example.com", 2, "more\n");
	put_log(w, "defer/BBBBB2222", "<a@b>: later\n\n");
}

static struct qt_archive *make_by(const struct world *w, const char *file,
    bool sha512, struct qt_archive_counts *counts)
{
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a;
	struct qt_error err;

	opts.sha512 = sha512;
	a = open_archive(w, file, &opts);
	must_add(w, a, "deferred/BBBBB2222");
	must_add(w, a, "hold/DDDDD4444");
	if (qt_archive_finish(a, counts, &err) != 0)
		fail_msg("%s: %s", err.where, err.text);
	return a;
}

static struct qt_archive *make(const struct world *w, const char *file,
    struct qt_archive_counts *counts)
{
	return make_by(w, file, false, counts);
}

/* What the verifier says of a file below out/. */
static int verify_by(const struct world *w, const char *name, bool sha512,
    struct qt_verified *v, struct qt_error *err)
{
	int dirfd = open(at(w, "out"), O_RDONLY | O_DIRECTORY), r;

	assert_true(dirfd >= 0);
	r = qt_verify_file(v, dirfd, name, sha512, NULL, err);
	(void)close(dirfd);
	return r;
}

static int verify(const struct world *w, const char *name,
    struct qt_verified *v, struct qt_error *err)
{
	return verify_by(w, name, false, v, err);
}

static void what_was_written_reads_back(void **state)
{
	static const char *const files[] = {"a.tar", "a.tar.gz", "a.tar.xz",
	    "a.tar.zst"};
	const struct world *w = *state;
	struct qt_archive_counts counts;
	struct qt_verified v;
	struct qt_archive *a;
	struct qt_error err;
	char path[32];

	put_mail(w);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		(void)snprintf(path, sizeof path, "out/%s", files[i]);
		a = make(w, path, &counts);
		if (qt_archive_verify(a, &err) != 0)
			fail_msg("%s: %s: %s", files[i], err.where, err.text);
		qt_archive_close(a);
		if (verify(w, files[i], &v, &err) != 0)
			fail_msg("%s: %s: %s", files[i], err.where, err.text);
		assert_int_equal(v.messages, 2);
		assert_int_equal(v.files, 3);
		assert_int_equal(v.bytes, counts.bytes);
		assert_string_equal(v.sha256, counts.sha256);
	}
}

/* One digit of each line is flipped in turn: only its list can tell. */
static void lists_by_sha512_are_read_back(void **state)
{
	static const char *const names[] = {"/manifest-sha512.txt",
	    "/tagmanifest-sha512.txt"};
	const struct world *w = *state;
	struct qt_archive_counts counts;
	struct qt_archive *a;
	struct qt_verified v;
	struct qt_error err;
	char *data, *list;
	size_t len, i;

	put_mail(w);
	a = make_by(w, "out/a.tar", true, &counts);
	if (qt_archive_verify(a, &err) != 0)
		fail_msg("%s: %s", err.where, err.text);
	qt_archive_close(a);
	data = slurp(at(w, "out/a.tar"), &len);
	for (i = 0; i < 2; i++) {
		list = memmem(data, len, names[i], strlen(names[i]) + 1);
		assert_non_null(list);
		list = data + ((size_t)(list - data) / 512 + 1) * 512;
		for (; *list != '\0'; list = strchr(list, '\n') + 1) {
			list[100] ^= 1;
			write_file(at(w, "out/b"), data, len);
			list[100] ^= 1;
			assert_int_equal(verify_by(w, "b", true, &v, &err), -1);
			assert_non_null(strstr(err.text, "does not list"));
		}
	}
	write_file(at(w, "out/b"), data, len);
	assert_int_equal(verify_by(w, "b", true, &v, &err), 0);
	free(data);
	/* they are to be there */
	qt_archive_close(make(w, "out/c.tar", &counts));
	assert_int_equal(verify_by(w, "c.tar", true, &v, &err), -1);
	assert_non_null(strstr(err.text, "manifest-sha512.txt is missing"));
}

/*
 * Every byte of a plain tar is of a member, of a header, or padding.  A byte of
 * padding or of a header that means nothing changes the file's sum alone.
 */
static void a_changed_byte_is_found(void **state)
{
	static const char *const files[] = {"a.tar", "a.tar.zst"};
	const struct world *w = *state;
	struct qt_archive_counts counts;
	struct qt_verified v;
	struct qt_error err;
	size_t len, tried = 0, by_content = 0;
	char path[32], *data;

	put_mail(w);
	for (size_t i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof path, "out/%s", files[i]);
		qt_archive_close(make(w, path, &counts));
		data = slurp(at(w, path), &len);
		for (size_t off = 0; off < len; off += len / 500 + 1, tried++) {
			data[off] ^= 0x10;
			write_file(at(w, "out/b"), data, len);
			data[off] ^= 0x10;
			if (verify(w, "b", &v, &err) != 0) {
				assert_int_equal(err.code, QT_E_STATE);
				by_content++;
			} else {
				assert_string_not_equal(v.sha256,
				    counts.sha256);
			}
		}
		/* and what is missing at the end */
		for (size_t cut = 1; cut < len; cut += len / 50 + 1) {
			write_file(at(w, "out/b"), data, len - cut);
			if (verify(w, "b", &v, &err) == 0)
				assert_string_not_equal(v.sha256,
				    counts.sha256);
		}
		free(data);
	}
	assert_true(tried > 500);
	assert_true(by_content > tried / 4);
}

/* A file that is not the one written, although it is a good archive. */
static void another_archive_is_found(void **state)
{
	const struct world *w = *state;
	struct qt_archive *a, *b;
	struct qt_error err;

	put_mail(w);
	a = make(w, "out/a.tar", NULL);
	put_message(w, "hold/DDDDD4444", "b@example.com", 2, "other\n");
	b = make(w, "out/b.tar", NULL);
	assert_int_equal(rename(at(w, "out/b.tar"), at(w, "out/a.tar")), 0);
	assert_int_equal(qt_archive_verify(a, &err), -1);
	assert_int_equal(err.code, QT_E_STATE);
	assert_non_null(strstr(err.text, "differently"));
	/* which is not ours to be removed */
	assert_int_equal(qt_archive_withdraw(a, &err), 0);
	assert_int_equal(access(at(w, "out/a.tar"), F_OK), 0);
	qt_archive_close(a);
	qt_archive_close(b);
}

/* ---- bags that somebody else made ---- */

struct entry {
	const char *path, *text;
	mode_t type; /* 0: a file */
};

static void write_tar(const struct world *w, const struct entry *v, size_t n)
{
	struct archive *a = archive_write_new();
	struct archive_entry *e = archive_entry_new();

	archive_write_set_format_pax_restricted(a);
	assert_int_equal(archive_write_open_filename(a, at(w, "out/h.tar")),
	    ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		archive_entry_clear(e);
		archive_entry_set_pathname(e, v[i].path);
		archive_entry_set_filetype(e,
		    v[i].type != 0 ? v[i].type : AE_IFREG);
		archive_entry_set_perm(e, 0600);
		if (v[i].type == AE_IFLNK)
			archive_entry_set_symlink(e, v[i].text);
		else
			archive_entry_set_size(e,
			    (la_int64_t)strlen(v[i].text));
		assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
		if (v[i].type == 0)
			(void)archive_write_data(a, v[i].text,
			    strlen(v[i].text));
	}
	archive_write_close(a);
	archive_write_free(a);
	archive_entry_free(e);
}

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
/* of the one line that lists bag/data/x */
#define LISTS_X EMPTY "  data/x\n"

struct bag_case {
	const char *says; /* NULL: nothing is wrong */
	struct entry v[5];
	size_t n;
};

static void sum_line(const char *text, const char *path, char line[128])
{
	char hex[65];

	hex_sum(text, strlen(text), hex);
	(void)snprintf(line, 128, "%s  %s\n", hex, path);
}

static void strange_bags_are_refused(void **state)
{
	const struct world *w = *state;
	char tags[128];
	const struct entry x = {"bag/data/x", "", 0};
	const struct entry m = {"bag/manifest-sha256.txt", LISTS_X, 0};
	const struct entry t = {"bag/tagmanifest-sha256.txt", tags, 0};
	const struct bag_case cases[] = {
	    {NULL, {x, m, t}, 3},
	    {"manifest-sha256.txt does not list", {m, t}, 2},
	    {"manifest-sha256.txt does not list",
		{x, {"bag/data/y", "", 0}, m, t}, 4},
	    {"manifest-sha256.txt does not list",
		{{"bag/data/x", "?", 0}, m, t}, 3},
	    {"manifest-sha256.txt does not list", {x, x, m, t}, 4},
	    {"tagmanifest-sha256.txt does not list",
		{x, {"bag/README.txt", "hi", 0}, m, t}, 4},
	    {"manifest-sha256.txt is missing", {x, t}, 2},
	    {"tagmanifest-sha256.txt is missing", {x, m}, 2},
	    {"is there twice", {x, m, t, t}, 4},
	    {"is no name", {x, m, t, {"other/data/z", "", 0}}, 4},
	    {"is no name", {{"bag/../x", "", 0}, m, t}, 3},
	    {"is no name", {{"/etc/x", "", 0}, m, t}, 3},
	    {"is no name", {{"bag", "", 0}, m, t}, 3},
	    {"is no name", {{"bag/data/a b", "", 0}, m, t}, 3},
	    {"is no regular file", {x, {"bag/data/l", "/etc/passwd",
		AE_IFLNK}, m, t}, 4},
	};
	struct qt_verified v;
	struct qt_error err;
	int r;

	sum_line(LISTS_X, "manifest-sha256.txt", tags);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		write_tar(w, cases[i].v, cases[i].n);
		r = verify(w, "h.tar", &v, &err);
		if ((r == 0) != (cases[i].says == NULL))
			fail_msg("case %zu: %s", i, r == 0 ? "passed" : err.text);
		if (r != 0 && strstr(err.text, cases[i].says) == NULL)
			fail_msg("case %zu: %s", i, err.text);
		assert_int_equal(unlink(at(w, "out/h.tar")), 0);
	}
	write_file(at(w, "out/h.tar"), "no tar at all", 13);
	assert_int_equal(verify(w, "h.tar", &v, &err), -1);
	assert_int_equal(err.code, QT_E_STATE);
	assert_int_equal(verify(w, "none.tar", &v, &err), -1);
	assert_int_equal(err.code, QT_E_SYS);
}

static void a_stop_ends_it(void **state)
{
	const struct world *w = *state;
	volatile sig_atomic_t stop = 0;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a;
	struct qt_error err;

	opts.stop = &stop;
	put_mail(w);
	a = open_archive(w, "out/a.tar.zst", &opts);
	assert_int_equal(qt_archive_verify(a, &err), -1); /* not finished */
	assert_int_equal(err.code, QT_E_STATE);
	must_add(w, a, "hold/DDDDD4444");
	assert_int_equal(qt_archive_finish(a, NULL, &err), 0);
	stop = 1;
	assert_int_equal(qt_archive_verify(a, &err), -1);
	assert_int_equal(err.code, QT_E_INTERRUPTED);
	assert_int_equal(qt_archive_withdraw(a, &err), 0);
	qt_archive_close(a);
	assert_int_equal(count_out(w), 0);
}

/* ---- what a transaction keeps ---- */

#define STAGED "qtool/tx/000007/m/0000/000001.BBBBB2222.d"

static void staged_mail_is_told_as_it_was(void **state)
{
	static const char *const dirs[] = {"spool/qtool", "spool/qtool/tx",
	    "spool/qtool/tx/000007", "spool/qtool/tx/000007/m",
	    "spool/qtool/tx/000007/m/0000", "spool/qtool/tx/000007/x",
	    "spool/qtool/tx/000007/x/0000"};
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive_item it = {.queue = QT_Q_DEFERRED,
	    .id = "BBBBB2222", .path = STAGED, .found = "deferred/BBBBB2222"};
	struct qt_spools kept;
	struct qt_archive *a;
	struct qt_error err;
	struct contents *c;
	struct stat st;

	for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
		assert_int_equal(mkdir(at(w, dirs[i]), 0700), 0);
	put_message(w, STAGED, "a@example.com", 3, "hello\n");
	put_log(w, "qtool/tx/000007/x/0000/000001.BBBBB2222.d", "first\n\n");
	put_log(w, "qtool/tx/000007/x/0000/000001.BBBBB2222.D", "late\n\n");
	put_log(w, "defer/BBBBB2222", "of the queue\n\n");
	qt_spools_init(&kept);
	assert_int_equal(qt_spools_add_tx(&kept, w->spool, 7, &err), 0);
	it.spool = kept.v[0];
	assert_int_equal(stat(at(w, "spool/" STAGED), &st), 0);
	it.dev = st.st_dev;
	it.ino = st.st_ino;
	opts.spool = w->spool;
	a = open_archive(w, "out/a.tar", &opts);
	qt_archive_moved(a, 7);
	assert_int_equal(qt_archive_left(a, "deferred", "CCCCC3333",
	    "in_delivery", &err), 0);
	assert_int_equal(qt_archive_add(a, &it, "{\"queue_id\":\"BBBBB2222\"}",
	    &err), 0);
	/* gone from staging is gone: it is not looked for in the queue */
	assert_int_equal(rename(at(w, "spool/" STAGED),
	    at(w, "spool/hold/BBBBB2222")), 0);
	assert_int_equal(qt_archive_add(a, &it, "{}", &err), -1);
	assert_int_equal(err.code, QT_E_GONE);
	must_finish(a, NULL);
	qt_spools_release(&kept);
	c = read_archive(at(w, "out/a.tar"));
	assert_same_as_file(must_find(c, "data/queue/deferred/BBBBB2222"),
	    at(w, "spool/hold/BBBBB2222"));
	assert_string_equal(must_find(c, "data/queue/defer/BBBBB2222")->data,
	    "first\n\n");
	assert_string_equal(must_find(c, "data/odd/0001")->data, "late\n\n");
	assert_non_null(strstr(must_find(c, "metadata/messages.jsonl")->data,
	    "\"found\":\"deferred/BBBBB2222\""));
	assert_non_null(strstr(must_find(c, "metadata/missing.jsonl")->data,
	    "{\"queue_name\":\"deferred\",\"queue_id\":\"CCCCC3333\","
	    "\"found\":null,\"why\":\"in_delivery\","));
	assert_non_null(strstr(must_find(c, "metadata/case.json")->data,
	    "\"mode\": \"move\",\n  \"transaction\": 7,"));
	check_manifest(c, "manifest-sha256.txt", is_payload);
	free_contents(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_reads_back),
		TEST(lists_by_sha512_are_read_back),
	    TEST(a_changed_byte_is_found),
		TEST(another_archive_is_found),
		TEST(strange_bags_are_refused),
		TEST(a_stop_ends_it),
		TEST(staged_mail_is_told_as_it_was),
	};

	return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
