/*
 * test_archive.c - the evidence archive as somebody with tar and sha256sum
 * sees it: what is in it, what the sums say, and what is left when it fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include "qtool/archive.h"
#include "tools/qfile.h"

#define NOW 1700000000
#define LIMIT ((size_t)64 << 20)

/* ---- a spool to archive from ---- */

struct world {
	char dir[64];	/* temporary directory: spool/ and out/ */
	struct qt_spools spools;
	const struct qt_spool *spool;
};

static const char *at(const struct world *w, const char *path)
{
	static char buf[8][512];
	static unsigned n;
	char *p = buf[n++ % 8];

	(void)snprintf(p, sizeof buf[0], "%s/%s", w->dir, path);
	return p;
}

static void write_file(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	assert_int_equal(close(fd), 0);
}

static int setup(void **state)
{
	static const char *const queues[] = {"maildrop", "active", "incoming",
	    "deferred", "hold", "corrupt", "saved", "defer", "bounce", "trace"};
	struct world *w = calloc(1, sizeof *w);
	struct qt_error err;
	char path[64];
	size_t i;

	assert_non_null(w);
	(void)strcpy(w->dir, "/tmp/qtool-archive.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(mkdir(at(w, "spool"), 0755), 0);
	assert_int_equal(mkdir(at(w, "out"), 0755), 0);
	for (i = 0; i < sizeof queues / sizeof *queues; i++) {
		(void)snprintf(path, sizeof path, "spool/%s", queues[i]);
		assert_int_equal(mkdir(at(w, path), 0755), 0);
	}
	qt_spools_init(&w->spools);
	if (qt_spools_add_dir(&w->spools, at(w, "spool"), &err) != 0)
		fail_msg("%s: %s", err.where, err.text);
	w->spool = w->spools.v[0];
	*state = w;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct world *w = *state;

	qt_spools_release(&w->spools);
	assert_int_equal(nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(w);
	return 0;
}

/* A queue file with nrcpt recipients; path is below the spool. */
static void put_message(const struct world *w, const char *path,
    const char *sender, int nrcpt, const char *body)
{
	struct qfile q;
	char full[128];
	int i;

	qfile_init(&q);
	(void)qfile_size_record(&q, 6);
	(void)qfile_recs(&q, 'T', "1700000000 123456");
	qfile_attr(&q, "sasl_username", "joe@victim.example");
	(void)qfile_recs(&q, 'S', sender);
	for (i = 0; i < nrcpt; i++)
		(void)qfile_recf(&q, 'R', "rcpt%d@example.org", i);
	qfile_message(&q);
	qfile_text(&q, "Subject: test\n\n");
	qfile_text(&q, body);
	qfile_extracted(&q);
	qfile_end(&q);
	assert_false(q.b.failed);
	(void)snprintf(full, sizeof full, "spool/%s", path);
	write_file(at(w, full), q.b.data, q.b.len);
	qfile_release(&q);
}

static void put_log(const struct world *w, const char *path, const char *text)
{
	char full[128];

	(void)snprintf(full, sizeof full, "spool/%s", path);
	write_file(at(w, full), text, strlen(text));
}

static struct qt_archive_opts some_opts(const struct world *w)
{
	return (struct qt_archive_opts){.host = "mx.example.org",
	    .queue_dir = w->spool->queue_dir,
	    .case_id = "CASE 7/a",
	    .command = "qtool archive --sasl joe@victim.example",
	    .now = NOW};
}

/* Archive one message: 0, or -1 with err. */
static int add(const struct world *w, struct qt_archive *a, const char *path,
    struct qt_error *err)
{
	char full[512], queue[32], json[600];
	const char *id = strrchr(path, '/') + 1;
	struct stat st;

	(void)snprintf(queue, sizeof queue, "%.*s",
	    (int)strcspn(path, "/"), path);
	(void)snprintf(full, sizeof full, "%s/%s", w->spool->queue_dir, path);
	if (lstat(full, &st) != 0)
		st.st_dev = st.st_ino = 1;
	(void)snprintf(json, sizeof json, "{\"queue_name\":\"%s\"}", queue);
	return qt_archive_add(a, w->spool, qt_queue_by_name(queue), id, path,
	    st.st_dev, st.st_ino, json, err);
}

static struct qt_archive *open_archive(const struct world *w,
    const char *file, const struct qt_archive_opts *opts)
{
	struct qt_archive *a = NULL;
	struct qt_error err;

	if (qt_archive_open(&a, at(w, file), opts, &err) != 0)
		fail_msg("open: %s: %s", err.where, err.text);
	return a;
}

static void must_add(const struct world *w, struct qt_archive *a,
    const char *path)
{
	struct qt_error err;

	if (add(w, a, path, &err) != 0)
		fail_msg("add %s: %s: %s", path, err.where, err.text);
}

static void must_finish(struct qt_archive *a, struct qt_archive_counts *c)
{
	struct qt_error err;

	if (qt_archive_finish(a, c, &err) != 0)
		fail_msg("finish: %s: %s", err.where, err.text);
	qt_archive_close(a);
}

/* ---- reading it back ---- */

struct member {
	char *path; /* without the base directory */
	char *data;
	size_t len;
	mode_t mode;
	int64_t uid, gid, mtime;
	char sum[65];
};
struct contents {
	struct member v[400];
	size_t n;
	char base[256];
};

static void hex_sum(const void *bytes, size_t len, char hex[65])
{
	unsigned char sum[32];
	unsigned n, i;

	assert_int_equal(EVP_Digest(bytes, len, sum, &n, EVP_sha256(), NULL), 1);
	for (i = 0; i < 32; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}

static void read_member(struct contents *c, struct archive *a,
    struct archive_entry *e)
{
	struct member *m = &c->v[c->n++];
	const char *path = archive_entry_pathname(e), *slash;
	la_ssize_t got;

	assert_true(c->n < 400);
	assert_true(archive_entry_size(e) < (la_int64_t)LIMIT);
	slash = strchr(path, '/');
	assert_non_null(slash);
	(void)snprintf(c->base, sizeof c->base, "%.*s", (int)(slash - path),
	    path);
	m->path = strdup(slash + 1);
	m->len = (size_t)archive_entry_size(e);
	m->data = malloc(m->len + 1);
	assert_non_null(m->data);
	got = archive_read_data(a, m->data, m->len);
	assert_int_equal(got, (la_ssize_t)m->len);
	m->data[m->len] = '\0';
	m->mode = archive_entry_mode(e);
	m->uid = archive_entry_uid(e);
	m->gid = archive_entry_gid(e);
	m->mtime = archive_entry_mtime(e);
	hex_sum(m->data, m->len, m->sum);
}

static struct contents *read_archive(const char *file)
{
	struct contents *c = calloc(1, sizeof *c);
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	int r;

	assert_non_null(c);
	archive_read_support_filter_all(a);
	archive_read_support_format_tar(a);
	if (archive_read_open_filename(a, file, 65536) != ARCHIVE_OK)
		fail_msg("%s", archive_error_string(a));
	while ((r = archive_read_next_header(a, &e)) == ARCHIVE_OK)
		read_member(c, a, e);
	if (r != ARCHIVE_EOF)
		fail_msg("%s", archive_error_string(a));
	archive_read_free(a);
	return c;
}

static void free_contents(struct contents *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		free(c->v[i].path);
		free(c->v[i].data);
	}
	free(c);
}

static const struct member *find(const struct contents *c, const char *path)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (strcmp(c->v[i].path, path) == 0)
			return &c->v[i];
	return NULL;
}

static const struct member *must_find(const struct contents *c,
    const char *path)
{
	const struct member *m = find(c, path);

	if (m == NULL)
		fail_msg("%s is not in the archive", path);
	return m;
}

static char *slurp(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	char *data = malloc(LIMIT);

	assert_non_null(f);
	assert_non_null(data);
	*len = fread(data, 1, LIMIT - 1, f);
	data[*len] = '\0';
	(void)fclose(f);
	return data;
}

static void assert_same_as_file(const struct member *m, const char *file)
{
	size_t len;
	char *data = slurp(file, &len);

	assert_int_equal(m->len, len);
	assert_memory_equal(m->data, data, len);
	free(data);
}

/*
 * Every line of the manifest is right, sorted, and its files are exactly those
 * for which belongs() holds.
 */
static void check_manifest(const struct contents *c, const char *name,
    bool (*belongs)(const char *path))
{
	const struct member *m = must_find(c, name), *f;
	const char *line, *nl;
	char path[512], last[512] = "";
	size_t files = 0, want = 0, i;

	for (line = m->data; *line != '\0'; line = nl + 1) {
		nl = strchr(line, '\n');
		assert_non_null(nl);
		assert_true(nl - line > 66 && nl - line < 500);
		assert_memory_equal(line + 64, "  ", 2);
		(void)snprintf(path, sizeof path, "%.*s",
		    (int)(nl - line - 66), line + 66);
		f = must_find(c, path);
		assert_memory_equal(line, f->sum, 64);
		assert_true(strcmp(last, path) < 0);
		(void)strcpy(last, path);
		files++;
		assert_true(belongs(path));
	}
	for (i = 0; i < c->n; i++)
		want += belongs(c->v[i].path);
	assert_int_equal(files, want);
}

static bool is_payload(const char *path)
{
	return strncmp(path, "data/", 5) == 0;
}

static bool is_tag(const char *path)
{
	return !is_payload(path) && strcmp(path, "tagmanifest-sha256.txt") != 0;
}

static size_t count_lines(const struct member *m)
{
	size_t n = 0, i;

	for (i = 0; i < m->len; i++)
		n += m->data[i] == '\n';
	return n;
}

/* Names in out/: the archive and its sum, or nothing. */
static size_t count_out(const struct world *w)
{
	DIR *d = opendir(at(w, "out"));
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n - 2;
}

/* ---- tests ---- */

static void put_some(const struct world *w)
{
	put_message(w, "active/AAAAA1111", "", 1, "bounce\n");
	put_message(w, "deferred/BBBBB2222", "a@example.com", 3, "spam\n");
	put_message(w, "deferred/CCCCC3333", "b@example.com", 0, "");
	put_message(w, "hold/DDDDD4444", "c@example.com", 2, "more\n");
	put_log(w, "defer/BBBBB2222", "<r@x>: reason\n\n");
	put_log(w, "bounce/BBBBB2222", "<s@x>: no\n\n");
	put_log(w, "trace/DDDDD4444", "");
}

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
	    "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"};
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
		assert_int_equal(c->n, 15);
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
	} ways[] = {{"tar.zst", 1, 0}, {"tar.zst", 5, 0}, {"tar.zst", 2, 300},
	    {"tar.gz", 1, 0}, {"tar.gz", 3, 1000}, {"tar.xz", 1, 0},
	    {"tar.xz", 4, 0}};
	const struct world *w = *state;
	struct qt_archive_opts opts = some_opts(w);
	char first[64], file[64];
	size_t i;

	put_some(w);
	for (i = 0; i < sizeof ways / sizeof *ways; i++) {
		opts.threads = ways[i].threads;
		opts.memory = ways[i].memory;
		(void)snprintf(file, sizeof file, "out/%zu.%s", i,
		    ways[i].suffix);
		archive_some(w, file, &opts, NULL);
		if (i == 0 || strcmp(ways[i].suffix, ways[i - 1].suffix) != 0)
			(void)strcpy(first, file);
		else
			assert_same_files(at(w, first), at(w, file));
	}
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
	assert_int_equal(
	    count_lines(must_find(c, "manifest-sha256.txt")), 300);
	assert_int_equal(
	    count_lines(must_find(c, "metadata/messages.jsonl")), 150);
	assert_int_equal(
	    count_lines(must_find(c, "metadata/recipients.jsonl")), 444);
	free_contents(c);
}

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
	assert_int_equal(qt_archive_add(a, w->spool, QT_Q_DEFERRED,
			     "BBBBB2222", "deferred/BBBBB2222", st.st_dev,
			     st.st_ino + 100000, "{}", &err), -1);
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
	assert_int_equal(qt_archive_add(a, w->spool, QT_Q_DEFERRED, "name",
			     "deferred/D/DDDDD4444", st.st_dev, st.st_ino,
			     "{}", &err), -1);
	assert_int_equal(err.code, QT_E_CHANGED);
	qt_archive_close(a);
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
	if (qt_archive_add(a, w->spool, QT_Q_DEFERRED, "BBBBB2222",
		"deferred/BBBBB2222", st.st_dev, st.st_ino, "{}", &err) != 0)
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
	char want[600], path[600];
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

/* n bytes that do not compress. */
static char *noise(size_t n)
{
	char *p = malloc(n + 1);
	uint64_t x = 88172645463325252ULL;
	size_t i;

	assert_non_null(p);
	for (i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (char)(33 + (x >> 20) % 90);
		if (i % 70 == 69)
			p[i] = '\n';
	}
	p[n] = '\0';
	return p;
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
	    "tar -xJf FILE.tar.xz\n"));
	assert_null(strchr(must_find(c, "bag-info.txt")->data, '\x1b'));
	assert_null(strchr(must_find(c, "metadata/case.json")->data, '\x1b'));
	free_contents(c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bag_is_complete),
		TEST(line_tells_the_file),
		TEST(every_format_reads_back),
		TEST(sidecar_has_the_sum),
		TEST(same_mail_same_bytes),
		TEST(many_messages_little_memory),
		TEST(bad_names_are_refused),
		TEST(existing_file_stays),
		TEST(file_that_appears_meanwhile_stays),
		TEST(only_the_judged_file),
		TEST(links_on_the_way_are_not_followed),
		TEST(moved_message_is_found),
		TEST(odd_names_are_renamed),
		TEST(shared_log_is_there_once),
		TEST(bad_log_is_told),
		TEST(nothing_is_left_behind),
		TEST(full_disk_leaves_no_file),
		TEST(broken_archive_stays_broken),
		TEST(one_frame_without_the_rest),
		TEST(large_message),
		TEST(changing_file_is_never_torn),
		TEST(standard_output),
		TEST(readme_is_plain),
	};

	return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
