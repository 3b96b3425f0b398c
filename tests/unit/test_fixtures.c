/*
 * test_fixtures.c - every fixture is judged as its text says, in memory and in
 * a queue that holds all of them at once.
 *
 * Run from the project's directory, or with QTOOL_FIXTURES naming fixtures/.
 */
#include "tools/fixture.h"

#include <ftw.h>
#include <setjmp.h>

#include <cmocka.h>

#include "qtool/message.h"
#include "qtool/scan.h"

/* One test's own: the file, and where it went in the common queue. */
struct one {
	char *path;
	const char *name; /* below fixtures/, in path */
	struct fixture *f;
	char id[PLACE_ID_SIZE];
	bool seen; /* the scanner had a row for it */
};

static struct {
	struct one *v;
	size_t n, cap;
	char *root;
	char spool[4096];
} all; /* nftw() has no argument for its function */

static int add_path(
    const char *path, const struct stat *st, int type, struct FTW *at)
{
	size_t len = strlen(path);
	struct one *v;

	(void)st;
	(void)at;
	if (type != FTW_F || len < 4 || strcmp(path + len - 4, ".txt") != 0)
		return 0;
	if (all.n == all.cap) {
		all.cap = all.cap != 0 ? all.cap * 2 : 64;
		v = realloc(all.v, all.cap * sizeof *v);
		if (v == NULL)
			return -1;
		all.v = v;
	}
	all.v[all.n] = (struct one){.path = strdup(path)};
	if (all.v[all.n].path == NULL)
		return -1;
	all.v[all.n].name = all.v[all.n].path + strlen(all.root) + 1;
	all.n++;
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(
	    ((const struct one *)a)->path, ((const struct one *)b)->path);
}

static int load(struct one *one)
{
	struct qt_error err;

	one->f = malloc(sizeof *one->f);
	if (one->f == NULL)
		return -1;
	fixture_init(one->f);
	if (fixture_load(one->f, one->path, &err) == 0)
		return 0;
	print_error("%s: %s\n", one->path, err.text);
	return -1;
}

/* ---- in memory ---- */

/*
 * Windows as small as can be: every read beyond what was asked for shows up
 * as a difference to the whole file in one window.
 */
struct peephole {
	struct qt_input in;
	const unsigned char *bytes;
	unsigned char
	    *copy; /* of the window alone, so that ASan sees its end */
};

static int peephole_more(
    struct qt_input *in, uint64_t offset, size_t need, struct qt_error *err)
{
	struct peephole *p = in->ctx;
	size_t len = 0;

	free(p->copy);
	p->copy = NULL;
	if (offset < in->size) {
		len = (size_t)(in->size - offset);
		if (len > need)
			len = need;
		p->copy = malloc(len != 0 ? len : 1);
		if (p->copy == NULL)
			return qt_fail_mem(err);
		memcpy(p->copy, p->bytes + offset, len);
	}
	in->data = p->copy;
	in->len = len;
	in->start = offset;
	return 0;
}

static int judge(
    const struct fixture *f, struct qt_input *in, struct qt_error *err)
{
	struct qt_arena arena;
	struct qt_msg msg;
	int rc;

	qt_arena_init(&arena, 0);
	*err = (struct qt_error){.offset = -1};
	rc = qt_msg_parse(&msg, in,
	    strcmp(f->queue, "maildrop") == 0 && (f->entry.mode & 04) != 0
		? QT_MSG_MAILDROP
		: QT_MSG_QUEUE,
	    QT_MSG_RCPTS, &arena, err);
	qt_arena_release(&arena);
	return rc;
}

static void check_verdict(
    const struct fixture *f, int rc, const struct qt_error *err)
{
	if (strcmp(f->expect, "corrupt") != 0) {
		if (rc != 0)
			fail_msg("refused at %lld: %s", (long long)err->offset,
			    err->text);
		return;
	}
	if (rc == 0)
		fail_msg("accepted: %s", f->fact);
	assert_int_equal(err->code, QT_E_CORRUPT);
	assert_true(err->offset >= 0);
	assert_true(err->text[0] != '\0');
	if (f->error_offset >= 0)
		assert_int_equal(err->offset, f->error_offset);
}

/* Without the ready bits the mode speaks, whatever the bytes are worth. */
static bool has_verdict(const struct fixture *f)
{
	return f->entry.kind == PLACE_FILE && (f->entry.mode & 0700) == 0700;
}

static void bytes_are_judged(void **state)
{
	const struct one *one = *state;
	const struct fixture *f = one->f;
	struct peephole p = {.bytes = f->entry.data};
	struct qt_input in;
	struct qt_error err;
	int rc;

	if (!has_verdict(f))
		return;
	qt_input_bytes(&in, f->entry.data, f->entry.len);
	rc = judge(f, &in, &err);
	check_verdict(f, rc, &err);
	p.in = (struct qt_input){
	    .size = f->entry.len, .more = peephole_more, .ctx = &p};
	rc = judge(f, &p.in, &err);
	free(p.copy);
	check_verdict(f, rc, &err);
}

/* ---- in a queue ---- */

static int make_spool(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct place p;
	struct qt_error err;
	int rc = 0;

	(void)state;
	(void)snprintf(all.spool, sizeof all.spool, "%s/qtool-fixtures.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(all.spool) == NULL ||
	    place_open(&p, all.spool, NULL, 1, &err) != 0)
		return -1;
	for (size_t i = 0; i < all.n && rc == 0; i++) {
		rc = fixture_place(all.v[i].f, &p, all.v[i].id, &err);
		if (rc != 0)
			print_error(
			    "%s: %s: %s\n", all.v[i].name, err.where, err.text);
	}
	place_close(&p);
	return rc;
}

static int remove_one(
    const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int remove_spool(void **state)
{
	(void)state;
	return nftw(all.spool, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct one *find(const struct qt_row *row)
{
	for (size_t i = 0; i < all.n; i++)
		if (strcmp(all.v[i].id, row->id) == 0 &&
		    strcmp(all.v[i].f->queue, qt_queue_name(row->queue)) == 0)
			return &all.v[i];
	return NULL;
}

static bool is_bad(const struct qt_row *row)
{
	return row->state != QT_STATE_OK && row->state != QT_STATE_UNFINISHED;
}

/* One row: known, not seen before, in the state its fixture tells. */
static size_t check_row(const struct qt_row *row)
{
	struct one *one = find(row);
	size_t wrong = 0;

	if (one == NULL) {
		print_error("a row that no fixture made: %s\n", row->path);
		return 1;
	}
	if (one->seen) {
		print_error("%s: two rows\n", one->name);
		wrong++;
	}
	one->seen = true;
	if (geteuid() != 0 && (one->f->entry.mode & 0400) == 0)
		return wrong; /* not to be read, so not to be judged */
	if (strcmp(qt_state_name(row->state), one->f->expect) != 0) {
		print_error("%s: %s instead of %s (%s)\n", one->name,
		    qt_state_name(row->state), one->f->expect,
		    row->error != NULL ? row->error : "no error");
		wrong++;
	}
	if (is_bad(row) && (row->error == NULL || row->error[0] == '\0')) {
		print_error("%s: bad, but not said why\n", one->name);
		wrong++;
	}
	if (one->f->error_offset >= 0 &&
	    row->error_offset != one->f->error_offset) {
		print_error("%s: error at %lld instead of %lld\n", one->name,
		    (long long)row->error_offset,
		    (long long)one->f->error_offset);
		wrong++;
	}
	return wrong;
}

static size_t check_all_seen(void)
{
	size_t wrong = 0;

	for (size_t i = 0; i < all.n; i++)
		if (!all.v[i].seen) {
			print_error("%s: no row\n", all.v[i].name);
			wrong++;
		}
	return wrong;
}

static void scan_spool(unsigned jobs)
{
	struct qt_scan_opts opts = {.want = QT_WANT_MSG | QT_WANT_RCPTS |
					    QT_WANT_HEADERS | QT_WANT_BODY |
					    QT_WANT_LOGS | QT_WANT_BOUNCES,
	    .jobs = jobs};
	struct qt_spools spools;
	struct qt_scan *scan;
	struct qt_row *row;
	struct qt_error err;
	size_t wrong = 0;
	int rc;

	for (size_t i = 0; i < all.n; i++)
		all.v[i].seen = false;
	qt_spools_init(&spools);
	assert_int_equal(qt_spools_add_dir(&spools, all.spool, &err), 0);
	assert_int_equal(qt_scan_open(&scan, &spools, &opts, &err), 0);
	while ((rc = qt_scan_next(scan, &row, &err)) == 0) {
		wrong += check_row(row);
		qt_scan_recycle(scan, row);
	}
	assert_int_equal(rc, 1);
	wrong += check_all_seen();
	assert_int_equal(qt_scan_stats(scan)->rows, all.n);
	qt_scan_close(scan);
	qt_spools_release(&spools);
	assert_int_equal(wrong, 0);
}

static void a_queue_of_all_with_one_worker(void **state)
{
	(void)state;
	scan_spool(1);
}

static void a_queue_of_all_with_many_workers(void **state)
{
	(void)state;
	scan_spool(8);
}

/* ---- main ---- */

static int run_memory(void)
{
	struct CMUnitTest *tests = calloc(all.n, sizeof *tests);
	int failed;

	if (tests == NULL)
		return 1;
	for (size_t i = 0; i < all.n; i++)
		tests[i] = (struct CMUnitTest){.name = all.v[i].name,
		    .test_func = bytes_are_judged,
		    .initial_state = &all.v[i]};
	failed = _cmocka_run_group_tests("fixtures", tests, all.n, NULL, NULL);
	free(tests);
	return failed;
}

static int run_spool(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_queue_of_all_with_one_worker),
	    cmocka_unit_test(a_queue_of_all_with_many_workers),
	};

	return cmocka_run_group_tests_name(
	    "queue of all fixtures", tests, make_spool, remove_spool);
}

static void release_all(void)
{
	for (size_t i = 0; i < all.n; i++) {
		if (all.v[i].f != NULL)
			fixture_release(all.v[i].f);
		free(all.v[i].f);
		free(all.v[i].path);
	}
	free(all.v);
	free(all.root);
}

int main(void)
{
	const char *root = getenv("QTOOL_FIXTURES");
	int failed = 0;

	all.root = strdup(root != NULL ? root : "fixtures");
	if (all.root == NULL || nftw(all.root, add_path, 16, FTW_PHYS) != 0 ||
	    all.n == 0) {
		print_error("no fixtures in %s\n", all.root);
		return 1;
	}
	qsort(all.v, all.n, sizeof *all.v, by_path);
	for (size_t i = 0; i < all.n; i++)
		failed += load(&all.v[i]) != 0;
	if (failed == 0)
		failed = run_memory() + run_spool();
	release_all();
	return failed != 0;
}
