/*
 * test_plan.c - plans in memory and on disk, and the sealed lines below them.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "change/field.h"
#include "change/plan.h"

/* ---- lines ---- */

static void crc_is_castagnoli(void **state)
{
	(void)state;
	/* RFC 3720 appendix B.4, and the usual check value */
	assert_int_equal(qt_crc32c("123456789", 9), 0xe3069283);
	char zeros[32] = {0};
	assert_int_equal(qt_crc32c(zeros, 32), 0x8a9136aa);
	assert_int_equal(qt_crc32c("", 0), 0);
}

static void fields_come_back_as_written(void **state)
{
	static const char *const values[] = {"", "plain", "a b", "tab\there",
	    "line\nfeed", "100%", "\x7f\x01", "d\xc3\xa9j\xc3\xa0", "%25"};
	const char *f[2];
	struct qt_buf b;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char back[64];

		qt_buf_init(&b, 0);
		qt_buf_adds(&b, "X\t");
		qt_field_escape(&b, values[i]);
		qt_field_seal(&b, 0);
		assert_false(b.failed);
		assert_non_null(memchr(b.data, '\n', b.len));
		assert_ptr_equal(memchr(b.data, '\n', b.len), b.data + b.len - 1);
		assert_int_equal(qt_field_split(b.data, b.len - 1, f, 2), 2);
		assert_string_equal(f[0], "X");
		(void)snprintf(back, sizeof(back), "%s", f[1]);
		assert_true(qt_field_unescape(back));
		assert_string_equal(back, values[i]);
		qt_buf_release(&b);
	}
}

static void numbers_are_strict(void **state)
{
	static const struct {
		const char *s;
		bool ok;
		int64_t v;
	} t[] = {{"0", true, 0}, {"1", true, 1}, {"-1", true, -1},
	    {"9223372036854775807", true, INT64_MAX},
	    {"9223372036854775808", false, 0}, {"", false, 0}, {"-", false, 0},
	    {"-0", false, 0}, {"01", false, 0}, {"+1", false, 0},
	    {" 1", false, 0}, {"1 ", false, 0}, {"1x", false, 0},
	    {"99999999999999999999999", false, 0}};
	uint64_t u;
	int64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		v = 4711;
		assert_int_equal(qt_field_i64(t[i].s, &v), t[i].ok);
		if (t[i].ok)
			assert_int_equal(v, t[i].v);
	}
	assert_true(qt_field_u64("18446744073709551615", UINT64_MAX, &u));
	assert_true(u == UINT64_MAX);
	assert_false(qt_field_u64("18446744073709551616", UINT64_MAX, &u));
	assert_true(qt_field_u64("7", 7, &u));
	assert_false(qt_field_u64("8", 7, &u));
}

/* ---- what may be in a plan ---- */

static const struct {
	const char *name, *path;
	bool ok;
} paths[] = {
    {"flat", "hold/AC79AA7A142", true},
    {"hashed", "deferred/A/AC79AA7A142", true},
    {"two levels", "deferred/A/C/AC79AA7A142", true},
    {"misplaced", "deferred/_/AC79AA7A142", true},
    {"long ID", "hold/4jYS056mwkz1bph0", true},
    {"one character", "hold/A", true},
    {"no queue", "AC79AA7A142", false},
    {"another directory", "private/AC79AA7A142", false},
    {"a log", "defer/A/AC79AA7A142", false},
    {"qtool itself", "qtool/tx/lock", false},
    {"out of it", "hold/../AC79AA7A142", false},
    {"up", "../hold/AC79AA7A142", false},
    {"absolute", "/hold/AC79AA7A142", false},
    {"empty component", "hold//AC79AA7A142", false},
    {"no ID", "hold/", false},
    {"dots", "hold/..", false},
    {"bad character", "hold/AC79-A7A142", false},
    {"line feed", "hold/AC79\nA7A142", false},
    {"long directory", "deferred/AB/AC79AA7A142", false},
    {"too deep", "deferred/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/"
		 "5/6/7/8/9/AC79AA7A142", false},
};

static void only_places_of_messages(void **state)
{
	struct qt_error err = {0};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const char *slash = strrchr(paths[i].path, '/');
		struct qt_item item = {.path = paths[i].path,
		    .id = slash != NULL ? slash + 1 : paths[i].path,
		    .mode = S_IFREG | 0700,
		    .queue = strncmp(paths[i].path, "hold", 4) == 0 ?
			QT_Q_HOLD : QT_Q_DEFERRED};
		struct qt_plan *p;
		int r;

		assert_int_equal(qt_plan_new(&p, QT_OP_DELETE, &err), 0);
		r = qt_plan_add(p, &item, &err);
		if ((r == 0) != paths[i].ok)
			fail_msg("%s: %s", paths[i].name, paths[i].path);
		if (r != 0)
			assert_int_equal(err.code, QT_E_USAGE);
		assert_int_equal(qt_plan_count(p), paths[i].ok ? 1 : 0);
		qt_plan_free(p);
	}
}

static void an_item_must_agree_with_itself(void **state)
{
	static const struct qt_item good = {.queue = QT_Q_HOLD, .id = "AB1234",
	    .path = "hold/AB1234", .dev = 7, .mode = S_IFREG | 0700};
	struct qt_error err = {0};
	struct qt_plan *p;
	struct qt_item it;

	(void)state;
	assert_int_equal(qt_plan_new(&p, QT_OP_DELETE, &err), 0);
	it = good;
	it.id = "AB1235";
	assert_int_equal(qt_plan_add(p, &it, &err), -1);
	it = good;
	it.queue = QT_Q_DEFERRED;
	assert_int_equal(qt_plan_add(p, &it, &err), -1);
	it = good;
	it.mode = S_IFLNK | 0777;
	assert_int_equal(qt_plan_add(p, &it, &err), -1);
	it = good;
	it.size = -1;
	assert_int_equal(qt_plan_add(p, &it, &err), -1);
	assert_int_equal(qt_plan_add(p, &good, &err), 0);
	it = good;
	it.dev = 8; /* a queue lies on one file system */
	assert_int_equal(qt_plan_add(p, &it, &err), -1);
	assert_int_equal(qt_plan_count(p), 1);
	qt_plan_free(p);
}

static void a_reason_is_one_line(void **state)
{
	struct qt_error err = {0};
	char longest[500];
	struct qt_plan *p;

	(void)state;
	assert_int_equal(qt_plan_new(&p, QT_OP_DELETE, &err), 0);
	assert_int_equal(qt_plan_set_reason(p, "two\nlines", &err), -1);
	assert_int_equal(err.code, QT_E_USAGE);
	assert_int_equal(qt_plan_set_reason(p, "esc\x1b[31m", &err), -1);
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(qt_plan_set_reason(p, longest, &err), -1);
	assert_null(p->reason);
	assert_int_equal(qt_plan_set_reason(p, "ticket 4711, d\xc3\xa9j\xc3\xa0",
	    &err), 0);
	assert_string_equal(p->reason, "ticket 4711, d\xc3\xa9j\xc3\xa0");
	qt_plan_free(p);
}

static void the_command_can_be_pasted(void **state)
{
	char *argv[] = {(char *)"qtool", (char *)"delete", (char *)"--where",
	    (char *)"sender = 'x'", (char *)"", (char *)"--sasl=a@b.example"};
	struct qt_error err = {0};
	struct qt_plan *p;

	(void)state;
	assert_int_equal(qt_plan_new(&p, QT_OP_DELETE, &err), 0);
	assert_int_equal(qt_plan_set_argv(p, 6, argv, &err), 0);
	assert_string_equal(p->command, "qtool delete --where "
	    "'sender = '\\''x'\\''' '' --sasl=a@b.example");
	qt_plan_free(p);
}

/* ---- on disk ---- */

static struct qt_plan *example(void)
{
	struct qt_handle h = {.type = -3, .len = 8,
	    .bytes = {0, 1, 0x7f, 0x80, 0xff, 5, 6, 7}};
	struct qt_item it = {.queue = QT_Q_HOLD, .id = "AC79AA7A142",
	    .path = "hold/AC79AA7A142", .dev = 5, .ino = 0xA7A142, .size = 777,
	    .mode = S_IFREG | 0700, .uid = 101, .gid = 103,
	    .mtime_ns = 1795488453954342111, .ctime_ns = -1};
	struct qt_error err = {0};
	struct qt_plan *p;

	assert_int_equal(qt_plan_new(&p, QT_OP_DELETE, &err), 0);
	assert_int_equal(qt_plan_add(p, &it, &err), 0);
	assert_int_equal(qt_plan_set_handle(p, 0, &h, &err), 0);
	p->v[0].computed = true;
	it.queue = QT_Q_DEFERRED;
	it.id = "4jYS056mwkz1bph0";
	it.path = "deferred/_/4jYS056mwkz1bph0";
	it.size = 0;
	it.ino = UINT64_MAX;
	it.mode = S_IFREG | 0710;
	assert_int_equal(qt_plan_add(p, &it, &err), 0);
	p->txid = 42;
	p->created_ns = 1800000000000000001;
	p->queue_ino = 2;
	assert_int_equal(qt_plan_set_string(&p->host, "mail.example", &err), 0);
	assert_int_equal(qt_plan_set_string(&p->queue_dir, "/a b\t%c", &err), 0);
	assert_int_equal(qt_plan_set_string(&p->reason, "r", &err), 0);
	return p;
}

/* Its bytes, malloc'd. */
static char *written(const struct qt_plan *p, size_t *len)
{
	int fd = memfd_create("plan", MFD_CLOEXEC);
	struct qt_error err = {0};
	struct stat st;
	char *s;

	assert_true(fd >= 0);
	assert_int_equal(qt_plan_write(p, &qt_fsops_system, fd, "plan", &err), 0);
	assert_int_equal(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	assert_non_null(s = malloc(*len));
	assert_int_equal(pread(fd, s, *len, 0), (ssize_t)*len);
	(void)close(fd);
	return s;
}

static int parse(const char *s, size_t len, size_t step, struct qt_plan **p,
    struct qt_error *err)
{
	struct qt_plan_reader *r;
	size_t at;
	int result = 0;

	assert_int_equal(qt_plan_reader_new(&r, "plan", err), 0);
	for (at = 0; at < len && result == 0; at += step)
		result = qt_plan_reader_feed(r, s + at,
		    len - at < step ? len - at : step, err);
	if (result == 0)
		result = qt_plan_reader_finish(r, p, err);
	qt_plan_reader_free(r);
	return result;
}

static void same_plan(const struct qt_plan *a, const struct qt_plan *b)
{
	struct qt_handle ha, hb;
	size_t i;

	assert_true(a->txid == b->txid && a->created_ns == b->created_ns);
	assert_true(a->queue_ino == b->queue_ino && a->bytes == b->bytes);
	assert_string_equal(a->host, b->host);
	assert_string_equal(a->queue_dir, b->queue_dir);
	assert_string_equal(a->reason, b->reason);
	assert_null(b->command);
	assert_int_equal(a->n, b->n);
	for (i = 0; i < a->n; i++) {
		const struct qt_plan_item *x = &a->v[i], *y = &b->v[i];

		assert_string_equal(qt_plan_path(a, x), qt_plan_path(b, y));
		assert_string_equal(qt_plan_id(a, x), qt_plan_id(b, y));
		assert_true(x->ino == y->ino && x->size == y->size &&
		    x->mtime_ns == y->mtime_ns && x->ctime_ns == y->ctime_ns &&
		    x->uid == y->uid && x->gid == y->gid &&
		    x->mode == y->mode && x->queue == y->queue &&
		    x->computed == y->computed);
		assert_int_equal(qt_plan_handle(a, x, &ha),
		    qt_plan_handle(b, y, &hb));
		if (qt_plan_handle(a, x, &ha)) {
			assert_int_equal(ha.type, hb.type);
			assert_int_equal(ha.len, hb.len);
			assert_memory_equal(ha.bytes, hb.bytes, ha.len);
		}
	}
}

static void a_plan_comes_back_as_written(void **state)
{
	struct qt_plan *p = example(), *q = NULL;
	struct qt_error err = {0};
	size_t len, step;
	char *s = written(p, &len);

	(void)state;
	for (step = 1; step <= len; step += step < 20 ? 1 : len / 3) {
		assert_int_equal(parse(s, len, step, &q, &err), 0);
		same_plan(p, q);
		qt_plan_free(q);
	}
	free(s);
	qt_plan_free(p);
}

static void a_plan_cut_anywhere_is_damaged(void **state)
{
	struct qt_plan *p = example(), *q;
	size_t len, n;
	char *s = written(p, &len);

	(void)state;
	for (n = 0; n < len; n++) {
		struct qt_error err = {0};

		assert_int_equal(parse(s, n, 4096, &q, &err), -1);
		assert_int_equal(err.code, QT_E_STATE);
	}
	free(s);
	qt_plan_free(p);
}

static void a_plan_with_any_bit_changed_is_damaged(void **state)
{
	struct qt_plan *p = example(), *q;
	size_t len, bit;
	char *s = written(p, &len);

	(void)state;
	for (bit = 0; bit < 8 * len; bit++) {
		struct qt_error err = {0};

		s[bit / 8] ^= (char)(1 << bit % 8);
		if (parse(s, len, 4096, &q, &err) == 0)
			fail_msg("bit %zu changed and nobody saw it", bit);
		assert_int_equal(err.code, QT_E_STATE);
		s[bit / 8] ^= (char)(1 << bit % 8);
	}
	free(s);
	qt_plan_free(p);
}

/* A line left out is seen although every line that is there is sealed. */
static void a_missing_line_is_damage(void **state)
{
	struct qt_plan *p = example(), *q;
	struct qt_error err = {0};
	size_t len, line;
	char *s = written(p, &len), *at = s;

	(void)state;
	for (line = 0; line < 4; line++) {
		char *lf = memchr(at, '\n', len - (size_t)(at - s));
		size_t n = (size_t)(lf + 1 - at);
		char *t = malloc(len - n + 1);

		memcpy(t, s, (size_t)(at - s));
		memcpy(t + (at - s), lf + 1, len - (size_t)(lf + 1 - s));
		assert_int_equal(parse(t, len - n, 4096, &q, &err), -1);
		assert_int_equal(err.code, QT_E_STATE);
		free(t);
		at = lf + 1;
	}
	free(s);
	qt_plan_free(p);
}

static void history_reads_both_ends(void **state)
{
	struct qt_plan *p = example(), *head = NULL;
	int fd = memfd_create("plan", MFD_CLOEXEC);
	struct qt_error err = {0};
	struct stat st;
	size_t count = 0;

	(void)state;
	assert_int_equal(qt_plan_write(p, &qt_fsops_system, fd, "plan", &err), 0);
	assert_int_equal(qt_plan_peek(&head, &count, fd, "plan", &err), 0);
	assert_int_equal(count, 2);
	assert_int_equal(head->bytes, 777);
	assert_string_equal(head->reason, "r");
	qt_plan_free(head);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(ftruncate(fd, st.st_size - 1), 0);
	assert_int_equal(qt_plan_peek(&head, &count, fd, "plan", &err), -1);
	assert_int_equal(err.code, QT_E_STATE);
	(void)close(fd);
	qt_plan_free(p);
}

static void half_a_million_fit(void **state)
{
	struct qt_error err = {0};
	struct qt_plan *p;
	char path[64];
	int i;

	(void)state;
	assert_int_equal(qt_plan_new(&p, QT_OP_DELETE, &err), 0);
	for (i = 0; i < 500000; i++) {
		struct qt_handle h = {.type = 1, .len = 12};
		struct qt_item it = {.queue = QT_Q_DEFERRED, .path = path,
		    .id = path + 11, .mode = S_IFREG | 0700};

		(void)snprintf(path, sizeof(path), "deferred/A/A%04X%06X",
		    i % 65536, i);
		assert_int_equal(qt_plan_add(p, &it, &err), 0);
		assert_int_equal(qt_plan_set_handle(p, (size_t)i, &h, &err), 0);
	}
	assert_true(p->cap * sizeof(*p->v) + p->scap < (size_t)100 << 20);
	qt_plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(crc_is_castagnoli),
	    cmocka_unit_test(fields_come_back_as_written),
	    cmocka_unit_test(numbers_are_strict),
	    cmocka_unit_test(only_places_of_messages),
	    cmocka_unit_test(an_item_must_agree_with_itself),
	    cmocka_unit_test(a_reason_is_one_line),
	    cmocka_unit_test(the_command_can_be_pasted),
	    cmocka_unit_test(a_plan_comes_back_as_written),
	    cmocka_unit_test(a_plan_cut_anywhere_is_damaged),
	    cmocka_unit_test(a_plan_with_any_bit_changed_is_damaged),
	    cmocka_unit_test(a_missing_line_is_damage),
	    cmocka_unit_test(history_reads_both_ends),
	    cmocka_unit_test(half_a_million_fit),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
