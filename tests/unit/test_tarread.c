/*
 * Tests of source/tarread: every packing gives the same members, by order and by
 * place; what is unsafe is said; what is cut, changed or too much ends in an
 * error that names the place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "evidence/compress.h"
#include "source/tarread.h"

#define ROOM ((size_t)24 << 20)

struct made { /* an archive in memory */
	unsigned char *bytes;
	size_t len;
};

struct entry {
	const char *path;
	size_t size;	  /* bytes that fill() makes */
	unsigned type;	  /* AE_IFREG ... */
	const char *link; /* hard link to; NULL */
};

static const struct entry mail[] = {
    {"./deferred/A/ABC123DEF", 300, AE_IFREG, NULL},
    {"./deferred/B", 0, AE_IFDIR, NULL},
    {"./deferred/B/B0C123DEF", 4 << 20, AE_IFREG, NULL},
    {"./defer/A/ABC123DEF", 1000, AE_IFREG, NULL},
    {"./hold/empty", 0, AE_IFREG, NULL},
};
#define NMAIL (sizeof mail / sizeof mail[0])

/* Byte i of the file of that number: no two files alike, hard to compress. */
static unsigned char byte_of(size_t number, size_t i)
{
	uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u + number;

	x ^= x >> 29;
	return (unsigned char)(x * 0xbf58476d1ce4e5b9u >> 56);
}

static void put_entry(struct archive *a, const struct entry *e, size_t number)
{
	struct archive_entry *ae = archive_entry_new();
	unsigned char *data = malloc(e->size + 1);
	size_t i;

	assert_non_null(ae);
	assert_non_null(data);
	for (i = 0; i < e->size; i++)
		data[i] = byte_of(number, i);
	archive_entry_set_pathname(ae, e->path);
	archive_entry_set_filetype(ae, e->type);
	archive_entry_set_perm(ae, 0700);
	archive_entry_set_size(ae, (la_int64_t)e->size);
	archive_entry_set_mtime(ae, 1700000000, 0);
	if (e->link != NULL && e->type == AE_IFLNK)
		archive_entry_set_symlink(ae, e->link);
	else if (e->link != NULL)
		archive_entry_set_hardlink(ae, e->link);
	assert_int_equal(archive_write_header(a, ae), ARCHIVE_OK);
	if (e->size > 0)
		assert_int_equal(archive_write_data(a, data, e->size),
		    (la_ssize_t)e->size);
	archive_entry_free(ae);
	free(data);
}

/* filter: libarchive's name of it; NULL none. */
static void make(struct made *m, const struct entry *e, size_t n,
    const char *filter)
{
	struct archive *a = archive_write_new();
	size_t i;

	m->bytes = malloc(ROOM);
	assert_non_null(m->bytes);
	assert_int_equal(archive_write_set_format_pax_restricted(a), ARCHIVE_OK);
	if (filter != NULL)
		assert_int_equal(archive_write_add_filter_by_name(a, filter),
		    ARCHIVE_OK);
	(void)archive_write_set_bytes_per_block(a, 0);
	assert_int_equal(archive_write_open_memory(a, m->bytes, ROOM, &m->len),
	    ARCHIVE_OK);
	for (i = 0; i < n; i++)
		put_entry(a, &e[i], i);
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	(void)archive_write_free(a);
}

static int collect(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	struct made *m = ctx;

	(void)err;
	assert_true(len <= ROOM - m->len);
	memcpy(m->bytes + m->len, bytes, len);
	m->len += len;
	return 0;
}

/* As qtool itself writes zstd: frames of 4 MiB and their table. */
static void make_seekable(struct made *m, const struct entry *e, size_t n)
{
	struct made plain;
	struct qt_zstd *z;
	struct qt_error err;

	make(&plain, e, n, NULL);
	m->bytes = malloc(ROOM);
	m->len = 0;
	assert_non_null(m->bytes);
	assert_int_equal(qt_zstd_new(&z, 1, collect, m, &err), 0);
	assert_int_equal(qt_zstd_write(z, plain.bytes, plain.len, &err), 0);
	assert_int_equal(qt_zstd_finish(z, &err), 0);
	qt_zstd_free(z);
	free(plain.bytes);
}

static int file_of(const struct made *m, size_t len)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, m->bytes, len), (ssize_t)len);
	return fd;
}

/* ---- the same members, whatever the packing ---- */

static void check_bytes(struct qt_tarread *r, struct qt_tarview *v,
    const struct qt_tar_member *m, size_t number)
{
	unsigned char *a = malloc(m->size + 1), *b = malloc(m->size + 1);
	struct qt_error err;
	size_t got, at = 0, i;

	assert_non_null(a);
	assert_non_null(b);
	do {
		assert_int_equal(qt_tarread_data(r, a + at, m->size - at + 1,
		    &got, &err), 0);
		at += got;
	} while (got != 0);
	assert_int_equal(at, m->size);
	assert_int_equal(qt_tarview_read(v, m->offset, b, m->size, &err), 0);
	for (i = 0; i < m->size; i++)
		if (a[i] != byte_of(number, i) || b[i] != a[i])
			fail_msg("file %zu differs at byte %zu", number, i);
	free(a);
	free(b);
}

static void check_mail(int fd, bool random, bool by_view)
{
	const struct qt_tar_member *m;
	struct qt_tarview *v, *own;
	struct qt_tarread *r;
	struct qt_error err;
	size_t i;

	assert_int_equal(qt_tarview_open(&v, fd, "x", NULL, &err), 0);
	assert_int_equal(qt_tarview_open(&own, fd, "x", NULL, &err), 0);
	assert_int_equal(qt_tarview_random(v), random);
	if (by_view)
		assert_int_equal(qt_tarread_open_view(&r, own, NULL, &err), 0);
	else
		assert_int_equal(qt_tarread_open(&r, fd, "x", NULL, NULL, &err),
		    0);
	for (i = 0; i < NMAIL; i++) {
		assert_int_equal(qt_tarread_next(r, &m, &err), 0);
		assert_string_equal(m->path, mail[i].path + 2);
		assert_int_equal(m->kind, mail[i].type == AE_IFREG ?
		    QT_TAR_FILE : QT_TAR_DIR);
		assert_int_equal(m->size, mail[i].size);
		assert_int_equal(m->mode, 0700 | mail[i].type);
		assert_int_equal(m->mtime_ns, 1700000000LL * 1000000000);
		check_bytes(r, v, m, i);
	}
	assert_int_equal(qt_tarread_next(r, &m, &err), 1);
	assert_int_equal(qt_tarread_next(r, &m, &err), 1);
	qt_tarread_close(r);
	qt_tarview_close(own);
	qt_tarview_close(v);
}

static void every_packing_gives_the_same(void **state)
{
	static const char *const filters[] = {NULL, "gzip", "xz", "zstd"};
	struct made m;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < 5; i++) {
		if (i < 4)
			make(&m, mail, NMAIL, filters[i]);
		else
			make_seekable(&m, mail, NMAIL);
		fd = file_of(&m, m.len);
		check_mail(fd, i == 0 || i == 4, false);
		check_mail(fd, i == 0 || i == 4, true);
		(void)close(fd);
		free(m.bytes);
	}
}

/* One message out of many: what is not asked for is not read. */
static void a_place_is_read_without_the_rest(void **state)
{
	struct qt_tarview *v;
	const struct qt_tar_member *t;
	struct qt_tarread *r;
	struct qt_error err;
	struct made m;
	unsigned char buf[1000];
	uint64_t offset = 0;
	size_t i;
	int fd;

	(void)state;
	make_seekable(&m, mail, NMAIL);
	fd = file_of(&m, m.len);
	assert_int_equal(qt_tarread_open(&r, fd, "x", NULL, NULL, &err), 0);
	for (i = 0; i < 4; i++) {
		assert_int_equal(qt_tarread_next(r, &t, &err), 0);
		offset = t->offset;
	}
	qt_tarread_close(r);
	/* the first frame is no frame any more; the fourth file is in the second */
	assert_int_equal(pwrite(fd, mail, sizeof mail, 1 << 20),
	    (ssize_t)sizeof mail);
	assert_int_equal(qt_tarview_open(&v, fd, "x", NULL, &err), 0);
	assert_int_equal(qt_tarview_read(v, offset, buf, 1000, &err), 0);
	for (i = 0; i < 1000; i++)
		assert_int_equal(buf[i], byte_of(3, i));
	assert_int_equal(qt_tarview_read(v, 0, buf, 1000, &err), -1);
	assert_int_equal(err.code, QT_E_STATE);
	assert_string_equal(err.where, "x");
	qt_tarview_close(v);
	(void)close(fd);
	free(m.bytes);
}

/* ---- what is not to be used ---- */

static void paths_that_lead_away_have_none(void **state)
{
	static const struct {
		const char *path, *sound; /* NULL: it is not */
	} cases[] = {
	    {"deferred/A/X", "deferred/A/X"}, {"./a/", "a"}, {".", ""},
	    {"././/a", "a"}, {"/etc/passwd", NULL}, {"../a", NULL},
	    {"a/../b", NULL}, {"a/..", NULL}, {"..", NULL}, {"a//b", NULL},
	    {"a/./b", NULL}, {"a\nb", NULL}, {"a\x1b[2Jb", NULL},
	    {"a\x7f", NULL}, {"./..", NULL}, {".//etc", "etc"},
	    {"..a/b..", "..a/b.."}, {"a/...", "a/..."}};
	const char *why, *got;
	char path[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		(void)strlcpy(path, cases[i].path, sizeof path);
		why = NULL;
		got = qt_tar_path(path, &why);
		if (cases[i].sound == NULL) {
			assert_null(got);
			assert_non_null(why);
		} else {
			assert_string_equal(got, cases[i].sound);
		}
	}
}

static void links_have_no_bytes(void **state)
{
	static const struct entry e[] = {
	    {"a", 10, AE_IFREG, NULL}, {"b", 0, AE_IFREG, "a"},
	    {"c", 0, AE_IFLNK, "/etc/passwd"}, {"d", 0, AE_IFIFO, NULL},
	    {"e", 0, AE_IFCHR, NULL}};
	const struct qt_tar_member *t;
	struct qt_tarread *r;
	struct qt_error err;
	struct made m;
	char buf[16];
	size_t i, got;
	int fd;

	(void)state;
	make(&m, e, 5, "gzip");
	fd = file_of(&m, m.len);
	assert_int_equal(qt_tarread_open(&r, fd, "x", NULL, NULL, &err), 0);
	for (i = 0; i < 5; i++) {
		assert_int_equal(qt_tarread_next(r, &t, &err), 0);
		assert_int_equal(t->kind, i == 0 ? QT_TAR_FILE : QT_TAR_OTHER);
		assert_int_equal(t->size, i == 0 ? 10 : 0);
		assert_int_equal(qt_tarread_data(r, buf, 16, &got, &err), 0);
		assert_int_equal(got, i == 0 ? 10 : 0);
	}
	assert_int_equal(qt_tarread_next(r, &t, &err), 1);
	qt_tarread_close(r);
	(void)close(fd);
	free(m.bytes);
}

/* ---- damage ---- */

/* To the end, with all bytes; 1 or negative. */
static int read_through(int fd, const struct qt_tar_limits *limits,
    struct qt_error *err)
{
	static unsigned char buf[64 << 10];
	const struct qt_tar_member *t;
	struct qt_tarread *r;
	size_t got = 0;
	int rc;

	if (qt_tarread_open(&r, fd, "cut.tar", limits, NULL, err) != 0)
		return -1;
	while ((rc = qt_tarread_next(r, &t, err)) == 0) {
		do
			rc = qt_tarread_data(r, buf, sizeof buf, &got, err);
		while (rc == 0 && got != 0);
		if (rc != 0)
			break;
	}
	qt_tarread_close(r);
	return rc;
}

/* Wherever it is cut, also exactly between two members. */
static void what_is_cut_off_is_an_error(void **state)
{
	static const char *const filters[] = {NULL, "gzip", "xz", "zstd"};
	static const struct entry e[] = {
	    {"hold/A1B2C3D4", 700, AE_IFREG, NULL},
	    {"hold/A1B2C3D5", 100, AE_IFREG, NULL}};
	struct qt_error err;
	struct made m;
	size_t i, len;
	int fd;

	(void)state;
	for (i = 0; i < 4; i++) {
		make(&m, e, 2, filters[i]);
		for (len = 0; len < m.len; len += i == 0 ? 64 : 1) {
			if (i == 0 && len >= m.len - 512)
				break; /* half of the end mark is one */
			if (i == 1 && len >= m.len - 8)
				break; /* gzip's sum: libarchive passes it by */
			fd = file_of(&m, len);
			if (read_through(fd, NULL, &err) != -1)
				fail_msg("%s cut at %zu of %zu reads well",
				    filters[i] != NULL ? filters[i] : "tar",
				    len, m.len);
			assert_string_equal(err.where, "cut.tar");
			assert_true(err.code == QT_E_STATE);
			(void)close(fd);
		}
		free(m.bytes);
	}
}

static void no_limit_is_passed(void **state)
{
	const struct qt_tar_limits limits[] = {{.members = 2},
	    {.member_size = 1 << 20}, {.expanded = 1 << 20},
	    {.ratio = 100, .ratio_free = 1 << 20}};
	static const char *const words[] = {"members", "member larger",
	    "expands to more than", "times its size"};
	struct qt_error err;
	struct made m, bomb, zeros = {calloc(1, 8 << 20), 8 << 20};
	struct qt_zstd *z;
	size_t i;
	int fd;

	(void)state;
	make(&m, mail, NMAIL, "gzip");
	fd = file_of(&m, m.len);
	for (i = 0; i < 3; i++) {
		assert_int_equal(read_through(fd, &limits[i], &err), -1);
		assert_non_null(strstr(err.text, words[i]));
	}
	assert_int_equal(read_through(fd, &limits[3], &err), 1);
	(void)close(fd);
	/* 8 MiB of nothing in one member: a real header in front of zeros */
	free(m.bytes);
	make(&m, &(struct entry){"z", 8 << 20, AE_IFREG, NULL}, 1, NULL);
	memcpy(zeros.bytes, m.bytes, 512);
	bomb = (struct made){malloc(ROOM), 0};
	assert_int_equal(qt_zstd_new(&z, 1, collect, &bomb, &err), 0);
	assert_int_equal(qt_zstd_write(z, zeros.bytes, zeros.len, &err), 0);
	assert_int_equal(qt_zstd_finish(z, &err), 0);
	qt_zstd_free(z);
	fd = file_of(&bomb, bomb.len);
	assert_int_equal(read_through(fd, &limits[3], &err), -1);
	assert_non_null(strstr(err.text, words[3]));
	(void)close(fd);
	free(m.bytes);
	free(bomb.bytes);
	free(zeros.bytes);
}

static void what_is_no_tar_is_said(void **state)
{
	static const char *const texts[] = {"", "x", "\x1f\x8b", "(\xb5/\xfd",
	    "SQLite format 3", "\xfd""7zXZ"};
	struct qt_error err;
	size_t i;
	int fd;

	(void)state;
	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		fd = memfd_create("x", MFD_CLOEXEC);
		assert_int_equal(write(fd, texts[i], strlen(texts[i])),
		    (ssize_t)strlen(texts[i]));
		assert_int_equal(read_through(fd, NULL, &err), -1);
		assert_int_equal(err.code, QT_E_STATE);
		(void)close(fd);
	}
}

static void a_signal_ends_it(void **state)
{
	volatile sig_atomic_t stop = 1;
	const struct qt_tar_member *t;
	struct qt_tarread *r;
	struct qt_error err = {0};
	struct made m;
	int fd, rc;

	(void)state;
	make(&m, mail, NMAIL, "gzip");
	fd = file_of(&m, m.len);
	rc = qt_tarread_open(&r, fd, "x", NULL, &stop, &err);
	if (rc == 0) {
		while ((rc = qt_tarread_next(r, &t, &err)) == 0)
			;
		qt_tarread_close(r);
	}
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, QT_E_INTERRUPTED);
	(void)close(fd);
	free(m.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_packing_gives_the_same),
	    cmocka_unit_test(a_place_is_read_without_the_rest),
	    cmocka_unit_test(paths_that_lead_away_have_none),
	    cmocka_unit_test(links_have_no_bytes),
	    cmocka_unit_test(what_is_cut_off_is_an_error),
	    cmocka_unit_test(no_limit_is_passed),
	    cmocka_unit_test(what_is_no_tar_is_said),
	    cmocka_unit_test(a_signal_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
