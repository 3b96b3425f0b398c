/*
 * archive_world.h - a small spool in a temporary directory, archives made from
 * it, and archives read back: for the tests of the evidence archive.
 */
#ifndef TESTS_ARCHIVE_WORLD_H
#define TESTS_ARCHIVE_WORLD_H

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

static inline const char *at(const struct world *w, const char *path)
{
	static char buf[8][512];
	static unsigned n;
	char *p = buf[n++ % 8];

	(void)snprintf(p, sizeof buf[0], "%s/%s", w->dir, path);
	return p;
}

static inline void write_file(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	assert_int_equal(close(fd), 0);
}

static inline int setup(void **state)
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

static inline int remove_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int teardown(void **state)
{
	struct world *w = *state;

	qt_spools_release(&w->spools);
	assert_int_equal(nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	free(w);
	return 0;
}

/* A queue file with nrcpt recipients; path is below the spool. */
static inline void put_message(const struct world *w, const char *path,
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

static inline void put_log(const struct world *w, const char *path, const char *text)
{
	char full[128];

	(void)snprintf(full, sizeof full, "spool/%s", path);
	write_file(at(w, full), text, strlen(text));
}

static inline struct qt_archive_opts some_opts(const struct world *w)
{
	return (struct qt_archive_opts){.host = "mx.example.org",
	    .queue_dir = w->spool->queue_dir,
	    .case_id = "CASE 7/a",
	    .command = "qtool archive --sasl joe@victim.example",
	    .now = NOW};
}

/* Archive one message: 0, or -1 with err. */
static inline int add(const struct world *w, struct qt_archive *a, const char *path,
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
	return qt_archive_add(a,
	    &(struct qt_archive_item){.spool = w->spool,
		.queue = qt_queue_by_name(queue), .id = id, .path = path,
		.dev = st.st_dev, .ino = st.st_ino}, json, err);
}

static inline struct qt_archive *open_archive(const struct world *w,
    const char *file, const struct qt_archive_opts *opts)
{
	struct qt_archive *a = NULL;
	struct qt_error err;

	if (qt_archive_open(&a, at(w, file), opts, &err) != 0)
		fail_msg("open: %s: %s", err.where, err.text);
	return a;
}

static inline void must_add(const struct world *w, struct qt_archive *a,
    const char *path)
{
	struct qt_error err;

	if (add(w, a, path, &err) != 0)
		fail_msg("add %s: %s: %s", path, err.where, err.text);
}

static inline void must_finish(struct qt_archive *a, struct qt_archive_counts *c)
{
	struct qt_error err;

	if (qt_archive_finish(a, c, &err) != 0)
		fail_msg("finish: %s: %s", err.where, err.text);
	qt_archive_close(a);
}

/* A shell script for postqueue, and what Postfix says by it. */
static inline int take_showq(const struct world *w, struct qt_showq **q,
    const char *script, struct qt_showq_opts opts, struct qt_error *err)
{
	const char *path = at(w, "postqueue");
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	(void)fprintf(f, "#!/bin/sh\n%s\n", script);
	assert_int_equal(fchmod(fileno(f), 0700), 0);
	assert_int_equal(fclose(f), 0);
	opts.program = path;
	if (opts.file == NULL)
		opts.file = at(w, "out/x.tar.zst");
	return qt_showq_take(q, w->spool, &opts, err);
}

/* ---- reading it back ---- */

struct member {
	char *path; /* without the base directory */
	char *data;
	size_t len;
	mode_t mode;
	int64_t uid, gid, mtime;
	char sum[65], sum512[129];
};
struct contents {
	struct member v[400];
	size_t n;
	char base[256];
};

static inline void hex_sum_by(const EVP_MD *md, const void *bytes, size_t len,
    char *hex)
{
	unsigned char sum[64];
	unsigned n, i;

	assert_int_equal(EVP_Digest(bytes, len, sum, &n, md, NULL), 1);
	for (i = 0; i < n; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}

static inline void hex_sum(const void *bytes, size_t len, char hex[65])
{
	hex_sum_by(EVP_sha256(), bytes, len, hex);
}

static inline void sum_member(struct member *m)
{
	hex_sum(m->data, m->len, m->sum);
	hex_sum_by(EVP_sha512(), m->data, m->len, m->sum512);
}

static inline void read_member(struct contents *c, struct archive *a,
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
	sum_member(m);
}

static inline struct contents *read_archive(const char *file)
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

static inline void free_contents(struct contents *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		free(c->v[i].path);
		free(c->v[i].data);
	}
	free(c);
}

static inline const struct member *find(const struct contents *c, const char *path)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (strcmp(c->v[i].path, path) == 0)
			return &c->v[i];
	return NULL;
}

static inline const struct member *must_find(const struct contents *c,
    const char *path)
{
	const struct member *m = find(c, path);

	if (m == NULL)
		fail_msg("%s is not in the archive", path);
	return m;
}

static inline char *slurp(const char *path, size_t *len)
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

static inline void assert_same_as_file(const struct member *m, const char *file)
{
	size_t len;
	char *data = slurp(file, &len);

	assert_int_equal(m->len, len);
	assert_memory_equal(m->data, data, len);
	free(data);
}

/* Digits of the sums in a manifest, by its name. */
static inline size_t digits_in(const char *manifest)
{
	return strstr(manifest, "sha512") != NULL ? 128 : 64;
}

static inline const char *sum_in(const char *manifest, const struct member *m)
{
	return digits_in(manifest) == 128 ? m->sum512 : m->sum;
}

/*
 * Every line of the manifest is right, sorted, and its files are exactly those
 * for which belongs() holds.
 */
static inline void check_manifest(const struct contents *c, const char *name,
    bool (*belongs)(const char *path))
{
	const struct member *m = must_find(c, name), *f;
	const char *line, *nl;
	char path[512], last[512] = "";
	size_t files = 0, want = 0, i;
	const size_t digits = digits_in(name), head = digits + 2;

	for (line = m->data; *line != '\0'; line = nl + 1) {
		nl = strchr(line, '\n');
		assert_non_null(nl);
		assert_true(nl - line > (long)head && nl - line < 500);
		assert_memory_equal(line + digits, "  ", 2);
		(void)snprintf(path, sizeof path, "%.*s",
		    (int)(nl - line) - (int)head, line + head);
		f = must_find(c, path);
		assert_memory_equal(line, sum_in(name, f), digits);
		assert_true(strcmp(last, path) < 0);
		(void)strcpy(last, path);
		files++;
		assert_true(belongs(path));
	}
	for (i = 0; i < c->n; i++)
		want += belongs(c->v[i].path);
	assert_int_equal(files, want);
}

static inline bool is_payload(const char *path)
{
	return strncmp(path, "data/", 5) == 0;
}

static inline bool is_tag(const char *path)
{
	return !is_payload(path) && strncmp(path, "tagmanifest-", 12) != 0;
}

static inline size_t count_lines(const struct member *m)
{
	size_t n = 0, i;

	for (i = 0; i < m->len; i++)
		n += m->data[i] == '\n';
	return n;
}

/* Names in out/: the archive and its sum, or nothing. */
static inline size_t count_out(const struct world *w)
{
	DIR *d = opendir(at(w, "out"));
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n - 2;
}

/* n bytes that do not compress. */
static inline char *noise(size_t n)
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

/* ---- mail ---- */

static inline void put_some(const struct world *w)
{
	put_message(w, "active/AAAAA1111", "", 1, "bounce\n");
	put_message(w, "deferred/BBBBB2222", "a@example.com", 3, "spam\n");
	put_message(w, "deferred/CCCCC3333", "b@example.com", 0, "");
	put_message(w, "hold/DDDDD4444", "c@example.com", 2, "more\n");
	put_log(w, "defer/BBBBB2222", "<r@x>: reason\n\n");
	put_log(w, "bounce/BBBBB2222", "<s@x>: no\n\n");
	put_log(w, "trace/DDDDD4444", "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
