/*
 * test_archive.c - the evidence archive as somebody with tar and sha256sum
 * sees it: what is in it, and what the sums say.
 */
#include "unit/archive_world.h"

static void archive_some(const struct world *w, const char *file,
    const struct qt_archive_opts *opts, struct qt_archive_counts *counts)
{
	struct qt_archive *a = open_archive(w, file, opts);

	must_add(w, a, "active/AAAAA1111");
	must_add(w, a, "deferred/BBBBB2222");
	must_add(w, a, "deferred/CCCCC3333");
	must_add(w, a, "hold/DDDDD4444");
	must_finish(a, counts);
}

static void bag_is_complete(void **state)
{
	static const char *const order[] = {"README.txt", "bagit.txt",
	    "data/queue/active/AAAAA1111", "data/queue/deferred/BBBBB2222",
	    "data/queue/defer/BBBBB2222", "data/queue/bounce/BBBBB2222",
	    "data/queue/deferred/CCCCC3333", "data/queue/hold/DDDDD4444",
	    "data/queue/trace/DDDDD4444", "metadata/case.json",
	    "metadata/messages.jsonl", "metadata/recipients.jsonl",
	    "metadata/custody.jsonl", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"};
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive_counts counts;
	struct contents *c;
	char spool_path[600], want[64];
	uint64_t bytes = 0;
	size_t i;

	put_some(w);
	archive_some(w, "out/x.tar.zst", &opts, &counts);
	c = read_archive(at(w, "out/x.tar.zst"));
	assert_string_equal(c->base,
	    "qtool-evidence_mx.example.org_20231114T221320Z_CASE-7-a");
	assert_string_equal(counts.base, c->base);
	assert_int_equal(c->n, sizeof order / sizeof *order);
	for (i = 0; i < c->n; i++) {
		assert_string_equal(c->v[i].path, order[i]);
		assert_int_equal(c->v[i].mode, S_IFREG | 0400);
		assert_int_equal(c->v[i].uid, 0);
		assert_int_equal(c->v[i].gid, 0);
		if (strncmp(order[i], "data/queue/", 11) != 0)
			continue;
		(void)snprintf(spool_path, sizeof spool_path, "%s/%s",
		    w->spool->queue_dir, order[i] + 11);
		assert_same_as_file(&c->v[i], spool_path);
		bytes += c->v[i].len;
	}
	assert_int_equal(counts.messages, 4);
	assert_int_equal(counts.logs, 3);
	assert_int_equal(counts.bytes, bytes);
	assert_int_equal(counts.gone + counts.failed + counts.bad_logs, 0);
	check_manifest(c, "manifest-sha256.txt", is_payload);
	check_manifest(c, "tagmanifest-sha256.txt", is_tag);
	(void)snprintf(want, sizeof want, "Payload-Oxum: %llu.7\n",
	    (unsigned long long)bytes);
	assert_non_null(strstr(must_find(c, "bag-info.txt")->data, want));
	assert_int_equal(
	    count_lines(must_find(c, "metadata/messages.jsonl")), 4);
	assert_int_equal(
	    count_lines(must_find(c, "metadata/recipients.jsonl")), 6);
	free_contents(c);
}

/* The line of a message tells where it is, its sum, its logs. */
static void line_tells_the_file(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct contents *c;
	const struct member *m, *log;
	const char *lines;
	char want[600];

	put_some(w);
	archive_some(w, "out/x.tar.gz", &opts, NULL);
	c = read_archive(at(w, "out/x.tar.gz"));
	m = must_find(c, "data/queue/deferred/BBBBB2222");
	log = must_find(c, "data/queue/defer/BBBBB2222");
	lines = must_find(c, "metadata/messages.jsonl")->data;
	(void)snprintf(want, sizeof want,
	    "{\"queue_name\":\"deferred\",\"path\":\"%s\",\"size\":%zu,"
	    "\"sha256\":\"%s\",\"found\":\"deferred/BBBBB2222\",",
	    m->path, m->len, m->sum);
	assert_non_null(strstr(lines, want));
	(void)snprintf(want, sizeof want,
	    "\"logs\":[{\"kind\":\"defer\",\"path\":\"%s\",\"size\":%zu,"
	    "\"sha256\":\"%s\"},{\"kind\":\"bounce\",",
	    log->path, log->len, log->sum);
	assert_non_null(strstr(lines, want));
	assert_non_null(strstr(lines, "\"mode\":\"0700\""));
	assert_non_null(
	    strstr(must_find(c, "metadata/recipients.jsonl")->data,
		"\"address\":\"rcpt2@example.org\",\"orig_address\":null,"
		"\"dsn_orcpt\":null,\"state\":\"todo\""));
	free_contents(c);
}

static void every_format_reads_back(void **state)
{
	static const char *const files[] = {"out/a.tar", "out/a.tar.gz",
	    "out/a.tar.xz", "out/a.tar.zst"};
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct contents *c;
	size_t i;

	put_some(w);
	for (i = 0; i < sizeof files / sizeof *files; i++) {
		archive_some(w, files[i], &opts, NULL);
		c = read_archive(at(w, files[i]));
		check_manifest(c, "manifest-sha256.txt", is_payload);
		check_manifest(c, "tagmanifest-sha256.txt", is_tag);
		assert_int_equal(c->n, 16);
		free_contents(c);
	}
}

static void sidecar_has_the_sum(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive_counts counts;
	char hex[65], want[128], *data, *line;
	struct stat st;
	size_t len;

	put_some(w);
	archive_some(w, "out/x.tar.zst", &opts, &counts);
	data = slurp(at(w, "out/x.tar.zst"), &len);
	hex_sum(data, len, hex);
	assert_int_equal(counts.archive_bytes, len);
	assert_string_equal(counts.sha256, hex);
	free(data);
	line = slurp(at(w, "out/x.tar.zst.sha256"), &len);
	(void)snprintf(want, sizeof want, "%s  x.tar.zst\n", hex);
	assert_string_equal(line, want);
	free(line);
	assert_int_equal(stat(at(w, "out/x.tar.zst"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	assert_int_equal(count_out(w), 2);
}

static void assert_same_files(const char *a, const char *b)
{
	size_t la, lb;
	char *da = slurp(a, &la), *db = slurp(b, &lb);

	assert_int_equal(la, lb);
	assert_memory_equal(da, db, la);
	free(da);
	free(db);
}

/* Neither the number of threads nor of temporary files shows in the bytes. */
static void same_mail_same_bytes(void **state)
{
	static const struct {
		const char *suffix;
		unsigned threads;
		size_t memory;
		bool sha512;
	} ways[] = {{"tar.zst", 1, 0, false}, {"tar.zst", 5, 0, false},
	    {"tar.zst", 2, 300, false}, {"tar.gz", 1, 0, false},
	    {"tar.gz", 3, 1000, false}, {"tar.xz", 1, 0, true},
	    {"tar.xz", 4, 0, true}, {"tar.xz", 2, 300, true}};
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	char first[64], file[64];
	size_t i;

	put_some(w);
	for (i = 0; i < sizeof ways / sizeof *ways; i++) {
		opts.threads = ways[i].threads;
		opts.memory = ways[i].memory;
		opts.sha512 = ways[i].sha512;
		(void)snprintf(file, sizeof file, "out/%zu.%s", i,
		    ways[i].suffix);
		archive_some(w, file, &opts, NULL);
		if (i == 0 || strcmp(ways[i].suffix, ways[i - 1].suffix) != 0)
			(void)strcpy(first, file);
		else
			assert_same_files(at(w, first), at(w, file));
	}
}

/* With SHA-512 there are two lists more, and all say so. */
static void lists_by_sha512_when_asked_for(void **state)
{
	static const char *const last[] = {"bag-info.txt", "manifest-sha256.txt",
	    "manifest-sha512.txt", "tagmanifest-sha256.txt",
	    "tagmanifest-sha512.txt"};
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct contents *c, *plain;
	char want[128], hex[65];
	const struct member *m;
	size_t i;

	put_some(w);
	archive_some(w, "out/p.tar", &opts, NULL);
	opts.sha512 = true;
	archive_some(w, "out/x.tar", &opts, NULL);
	plain = read_archive(at(w, "out/p.tar"));
	c = read_archive(at(w, "out/x.tar"));
	assert_int_equal(c->n, plain->n + 2);
	for (i = 0; i < 5; i++)
		assert_string_equal(c->v[c->n - 5 + i].path, last[i]);
	check_manifest(c, "manifest-sha256.txt", is_payload);
	check_manifest(c, "manifest-sha512.txt", is_payload);
	check_manifest(c, "tagmanifest-sha256.txt", is_tag);
	check_manifest(c, "tagmanifest-sha512.txt", is_tag);
	m = must_find(c, "manifest-sha512.txt");
	hex_sum(m->data, m->len, hex);
	(void)snprintf(want, sizeof want,
	    "\"what\":\"manifest-sha512.txt\",\"why\":null,\"sha256\":\"%s\"",
	    hex);
	assert_non_null(strstr(must_find(c, "metadata/custody.jsonl")->data,
	    want));
	assert_non_null(strstr(must_find(c, "metadata/case.json")->data,
	    "\"sha512_sums\": \"manifest-sha512.txt and "
	    "tagmanifest-sha512.txt, for sha512sum -c\""));
	assert_non_null(strstr(must_find(c, "README.txt")->data,
	    "\n  sha512sum --quiet --strict -c manifest-sha512.txt\n"));
	/* nothing of it without, and all mail the same */
	for (i = 0; i < plain->n; i++) {
		m = &plain->v[i];
		assert_null(memmem(m->data, m->len, "sha512", 6));
		if (is_payload(m->path))
			assert_string_equal(m->sum512,
			    must_find(c, m->path)->sum512);
	}
	free_contents(plain);
	free_contents(c);
}

/* Lists that do not fit into memory are the same, sorted, complete. */
static void many_messages_little_memory(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive_counts counts;
	struct qt_archive *a;
	struct contents *c;
	char path[64];
	int i;

	opts.memory = 2000;
	opts.sha512 = true;
	for (i = 0; i < 150; i++) {
		(void)snprintf(path, sizeof path, "deferred/%05XAB", i * 4099);
		put_message(w, path, "s@example.com", i % 7, "x\n");
		(void)snprintf(path, sizeof path, "defer/%05XAB", i * 4099);
		put_log(w, path, "<r@x>: no\n\n");
	}
	a = open_archive(w, "out/x.tar", &opts);
	for (i = 149; i >= 0; i--) { /* not in the order of names */
		(void)snprintf(path, sizeof path, "deferred/%05XAB", i * 4099);
		must_add(w, a, path);
	}
	must_finish(a, &counts);
	assert_int_equal(counts.messages, 150);
	c = read_archive(at(w, "out/x.tar"));
	check_manifest(c, "manifest-sha256.txt", is_payload);
	check_manifest(c, "manifest-sha512.txt", is_payload);
	assert_int_equal(
	    count_lines(must_find(c, "manifest-sha256.txt")), 300);
	assert_int_equal(
	    count_lines(must_find(c, "metadata/messages.jsonl")), 150);
	assert_int_equal(
	    count_lines(must_find(c, "metadata/recipients.jsonl")), 444);
	free_contents(c);
}

static void moved_message_is_found(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a = open_archive(w, "out/x.tar.zst", &opts);
	struct qt_error err;
	struct contents *c;
	struct stat st;

	put_some(w);
	assert_int_equal(stat(at(w, "spool/deferred/BBBBB2222"), &st), 0);
	assert_int_equal(rename(at(w, "spool/deferred/BBBBB2222"),
			     at(w, "spool/active/BBBBB2222")), 0);
	if (qt_archive_add(a,
		&(struct qt_archive_item){.spool = w->spool,
		    .queue = QT_Q_DEFERRED, .id = "BBBBB2222",
		    .path = "deferred/BBBBB2222", .dev = st.st_dev,
		    .ino = st.st_ino}, "{}", &err) != 0)
		fail_msg("%s: %s", err.where, err.text);
	must_finish(a, NULL);
	c = read_archive(at(w, "out/x.tar.zst"));
	assert_same_as_file(must_find(c, "data/queue/deferred/BBBBB2222"),
	    at(w, "spool/active/BBBBB2222"));
	(void)must_find(c, "data/queue/defer/BBBBB2222");
	free_contents(c);
}

static void odd_names_are_renamed(void **state)
{
	static const struct {
		const char *path, *member, *base64;
	} cases[] = {
		{"deferred/has space", "data/odd/0001", "aGFzIHNwYWNl"},
		{"deferred/a\nb", "data/odd/0002", "YQpi"},
		{"deferred/\xff\xfe", "data/odd/0003", "//4="},
		{"deferred/.hidden", "data/odd/0004", "LmhpZGRlbg=="},
		{"deferred/-rf", "data/odd/0005", "LXJm"},
		/* the second of that name in a queue: by a wrong directory */
		{"deferred/AAAAA1111", "data/queue/deferred/AAAAA1111", NULL},
		{"deferred/A/AAAAA1111", "data/odd/0006", "QUFBQUExMTEx"},
	};
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a = open_archive(w, "out/x.tar.zst", &opts);
	struct contents *c;
	char want[600], path[256];
	size_t i;

	assert_int_equal(mkdir(at(w, "spool/deferred/A"), 0755), 0);
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		put_message(w, cases[i].path, cases[i].member, 1, "x\n");
		must_add(w, a, cases[i].path);
	}
	must_finish(a, NULL);
	c = read_archive(at(w, "out/x.tar.zst"));
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		(void)snprintf(path, sizeof path, "spool/%s", cases[i].path);
		assert_same_as_file(must_find(c, cases[i].member), at(w, path));
		if (cases[i].base64 == NULL)
			continue;
		(void)snprintf(want, sizeof want, "\"name_b64\":\"%s\"",
		    cases[i].base64);
		assert_non_null(strstr(
		    must_find(c, "metadata/messages.jsonl")->data, want));
	}
	for (i = 0; i < c->n; i++)
		assert_int_equal(strspn(c->v[i].path,
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		    "0123456789._/-"), strlen(c->v[i].path));
	check_manifest(c, "manifest-sha256.txt", is_payload);
	free_contents(c);
}

/* The same ID in two queues: its log is there once. */
static void shared_log_is_there_once(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a = open_archive(w, "out/x.tar.zst", &opts);
	struct qt_archive_counts counts;
	struct contents *c;

	put_some(w);
	put_message(w, "hold/BBBBB2222", "z@example.com", 1, "copy\n");
	must_add(w, a, "deferred/BBBBB2222");
	must_add(w, a, "hold/BBBBB2222");
	must_finish(a, &counts);
	assert_int_equal(counts.logs, 2);
	c = read_archive(at(w, "out/x.tar.zst"));
	check_manifest(c, "manifest-sha256.txt", is_payload);
	free_contents(c);
}

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

#define BIG 9 /* messages of a megabyte and a half */

/* One frame by the table alone: where it begins, a member begins. */
static void check_frame(const unsigned char *src, size_t packed, size_t plain)
{
	unsigned char *out = malloc(plain);
	size_t n;

	assert_non_null(out);
	assert_int_equal(ZSTD_getFrameContentSize(src, packed), plain);
	n = ZSTD_decompress(out, plain, src, packed);
	assert_false(ZSTD_isError(n));
	assert_int_equal(n, plain);
	assert_memory_equal(out + 257, "ustar", 5);
	assert_memory_equal(out, "qtool-evidence_", 15);
	free(out);
}

static void one_frame_without_the_rest(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a = open_archive(w, "out/x.tar.zst", &opts);
	char path[32], *body = noise(1500000);
	unsigned char *data;
	const unsigned char *foot, *entry;
	size_t len, n, i, offset = 0;

	for (i = 0; i < BIG; i++) {
		(void)snprintf(path, sizeof path, "deferred/A%zuAAA1111", i);
		put_message(w, path, "x@example.com", 1, body);
		must_add(w, a, path);
	}
	free(body);
	must_finish(a, NULL);
	data = (unsigned char *)slurp(at(w, "out/x.tar.zst"), &len);
	foot = data + len - 9;
	assert_int_equal(get32(foot + 5), 0x8F92EAB1);
	n = get32(foot);
	assert_true(n >= BIG / 2); /* two to three messages in each */
	entry = foot - 8 * n;
	assert_int_equal(get32(entry - 8), 0x184D2A5E);
	assert_int_equal(get32(entry - 4), 8 * n + 9);
	for (i = 0; i < n; i++, entry += 8) {
		assert_true(get32(entry + 4) <= 4 << 20);
		check_frame(data + offset, get32(entry), get32(entry + 4));
		offset += get32(entry);
	}
	assert_int_equal(offset, len - 8 - 8 * n - 9);
	free(data);
}

/* A message larger than a frame, and larger than the memory it may take. */
static void large_message(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a;
	struct contents *c;
	char *body = noise(9 << 20);

	opts.memory = 1 << 20;
	put_message(w, "deferred/BBBBB2222", "x@example.com", 3, body);
	put_message(w, "deferred/CCCCC2222", "x@example.com", 1, "small\n");
	free(body);
	a = open_archive(w, "out/x.tar.zst", &opts);
	must_add(w, a, "deferred/BBBBB2222");
	must_add(w, a, "deferred/CCCCC2222");
	must_finish(a, NULL);
	c = read_archive(at(w, "out/x.tar.zst"));
	assert_same_as_file(must_find(c, "data/queue/deferred/BBBBB2222"),
	    at(w, "spool/deferred/BBBBB2222"));
	assert_int_equal(
	    count_lines(must_find(c, "metadata/recipients.jsonl")), 4);
	check_manifest(c, "manifest-sha256.txt", is_payload);
	free_contents(c);
}

static void standard_output(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive *a = NULL;
	struct qt_archive_counts counts;
	struct qt_error err;
	struct contents *c;
	int saved, fd, r;

	put_some(w);
	(void)fflush(stdout);
	saved = dup(STDOUT_FILENO);
	fd = open(at(w, "out/stream"), O_WRONLY | O_CREAT, 0600);
	assert_true(dup2(fd, STDOUT_FILENO) >= 0);
	(void)close(fd);
	r = qt_archive_open(&a, "-", &opts, &err);
	if (r == 0)
		r = add(w, a, "deferred/BBBBB2222", &err);
	if (r == 0)
		r = qt_archive_finish(a, &counts, &err);
	qt_archive_close(a);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	(void)close(saved);
	if (r != 0)
		fail_msg("%s: %s", err.where, err.text);
	c = read_archive(at(w, "out/stream"));
	check_manifest(c, "manifest-sha256.txt", is_payload);
	check_manifest(c, "tagmanifest-sha256.txt", is_tag);
	free_contents(c);
	assert_int_equal(count_out(w), 1);
}

/* The text that explains the archive is plain, narrow, and true to names. */
static void readme_is_plain(void **state)
{
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	struct contents *c;
	const char *p, *line;

	opts.case_id = "\xe2\x80\xaeodd\x1b[31m";
	put_some(w);
	archive_some(w, "out/x.tar.xz", &opts, NULL);
	c = read_archive(at(w, "out/x.tar.xz"));
	line = p = must_find(c, "README.txt")->data;
	for (; *p != '\0'; p++) {
		if (*p == '\n') {
			assert_true(p - line < 80);
			line = p + 1;
		} else
			assert_true(*p >= ' ' && *p <= '~');
	}
	assert_non_null(strstr(must_find(c, "README.txt")->data,
	    "tar --warning=no-timestamp -xJf FILE.tar.xz\n"));
	assert_null(strchr(must_find(c, "bag-info.txt")->data, '\x1b'));
	assert_null(strchr(must_find(c, "metadata/case.json")->data, '\x1b'));
	free_contents(c);
}



int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bag_is_complete),
		TEST(line_tells_the_file),
		TEST(every_format_reads_back),
		TEST(sidecar_has_the_sum),
		TEST(same_mail_same_bytes),
		TEST(lists_by_sha512_when_asked_for),
	    TEST(many_messages_little_memory),
		TEST(moved_message_is_found),
		TEST(odd_names_are_renamed),
		TEST(shared_log_is_there_once),
		TEST(one_frame_without_the_rest),
		TEST(large_message),
		TEST(standard_output),
		TEST(readme_is_plain),
	};

	return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
