/*
 * test_spool - spools as directories: depth and owner read off them, the same
 * directory twice, what is no spool; paths as Postfix computes them.
 */
#include "unit/spool_help.h"

#include <sys/file.h>
#include <sys/sysmacros.h>

#include "qtool/spool.h"
#include "source/locks.h"
#include "source/inodes.h"

static int setup(void **state)
{
	struct sandbox *b = calloc(1, sizeof *b);

	if (b == NULL)
		return -1;
	box_open(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	box_close(*state);
	free(*state);
	return 0;
}

/* ---- hash depth ---- */

struct depth_case {
	const char *name;
	const char *files[6]; /* below deferred; "X/" makes a directory */
	unsigned depth;
};

static const struct depth_case depth_cases[] = {
    {"empty queue", {NULL}, 0},
    {"flat", {"A1234567", "B1234567"}, 0},
    {"one level", {"A/A1234567", "B/B1234567"}, 1},
    {"two levels", {"A/1/A1234567", "B/2/B2234567"}, 2},
    {"two levels, no file", {"A/1/", "B/"}, 2},
    {"one level, one file left at the top",
	{"A/A1234567", "B/B1234567", "C1234567"}, 1},
    {"flat with a stray directory", {"A1234567", "B1234567", "C/"}, 0},
    {"a directory with a longer name", {"A1234567", "old/"}, 0},
    {"files that are no messages do not vote",
	{"A/A1234567", "core.1", "core.2", "core.3"}, 1},
};

static void one_depth(const struct depth_case *c)
{
	struct sandbox b;
	struct qt_spools list;
	struct qt_error err;
	char rel[128], *slash;

	box_open(&b);
	for (size_t i = 0; i < 6 && c->files[i] != NULL; i++) {
		(void)snprintf(rel, sizeof rel, "deferred/%s", c->files[i]);
		slash = strrchr(rel, '/');
		*slash = '\0';
		box_mkdir(&b, rel);
		*slash = '/';
		if (slash[1] != '\0')
			box_file(&b, rel, "", 0, 0700);
	}
	qt_spools_init(&list);
	assert_int_equal(qt_spools_add_dir(&list, b.dir, &err), 0);
	if (list.v[0]->depth[QT_Q_DEFERRED] != c->depth)
		fail_msg("%s: depth %u, not %u", c->name,
		    list.v[0]->depth[QT_Q_DEFERRED], c->depth);
	assert_int_equal(list.v[0]->depth[QT_Q_HOLD], 0);
	qt_spools_release(&list);
	box_close(&b);
}

static void depth_is_where_the_files_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof depth_cases / sizeof depth_cases[0]; i++)
		one_depth(&depth_cases[i]);
}

static void maildrop_is_never_hashed(void **state)
{
	const struct sandbox *b = *state;
	struct qt_spools list;
	struct qt_error err;

	box_mkdir(b, "maildrop/A");
	box_file(b, "maildrop/A/A1234567", "", 0, 0700);
	qt_spools_init(&list);
	assert_int_equal(qt_spools_add_dir(&list, b->dir, &err), 0);
	assert_int_equal(list.v[0]->depth[QT_Q_MAILDROP], 0);
	qt_spools_release(&list);
}

/* ---- what a spool is ---- */

static void directory_as_it_lies(void **state)
{
	const struct sandbox *b = *state;
	struct qt_spools list;
	struct qt_error err;
	struct stat st;
	char path[256];

	box_path(b, "incoming", path);
	assert_int_equal(stat(path, &st), 0);
	qt_spools_init(&list);
	assert_int_equal(qt_spools_add_dir(&list, b->dir, &err), 0);
	assert_int_equal(list.n, 1);
	assert_string_equal(list.v[0]->queue_dir, b->dir);
	assert_string_equal(list.v[0]->host, b->dir);
	assert_null(list.v[0]->config_dir);
	assert_false(list.v[0]->live);
	assert_int_equal(list.v[0]->owner_uid, st.st_uid);
	assert_int_equal(list.v[0]->owner_gid, st.st_gid);
	assert_true(list.v[0]->qfd[QT_Q_HOLD] >= 0);
	qt_spools_release(&list);
}

static void same_directory_is_one_spool(void **state)
{
	const struct sandbox *b = *state;
	struct qt_spools list;
	struct qt_error err;
	char path[256], link[128];

	(void)snprintf(link, sizeof link, "%s/link", b->dir);
	assert_int_equal(symlink(b->dir, link), 0);
	(void)snprintf(path, sizeof path, "%s/hold/..//", b->dir);
	qt_spools_init(&list);
	assert_int_equal(qt_spools_add_dir(&list, b->dir, &err), 0);
	assert_int_equal(qt_spools_add_dir(&list, path, &err), 0);
	assert_int_equal(qt_spools_add_dir(&list, link, &err), 0);
	assert_int_equal(list.n, 1);
	qt_spools_release(&list);
}

static void missing_directory_is_an_error(void **state)
{
	struct qt_spools list;
	struct qt_error err = {.code = QT_OK};

	(void)state;
	qt_spools_init(&list);
	assert_int_equal(qt_spools_add_dir(&list, "/nonexistent/q", &err), -1);
	assert_int_equal(err.code, QT_E_SYS);
	assert_int_equal(err.sys, ENOENT);
	assert_string_equal(err.where, "/nonexistent/q");
	assert_int_equal(list.n, 0);
	qt_spools_release(&list);
}

static void directory_without_queues_is_no_spool(void **state)
{
	struct qt_spools list;
	struct qt_error err = {.code = QT_OK};
	char dir[] = "/tmp/qtool-test-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	qt_spools_init(&list);
	assert_int_equal(qt_spools_add_dir(&list, dir, &err), -1);
	assert_int_equal(err.code, QT_E_USAGE);
	assert_non_null(strstr(err.text, "no Postfix queue directory"));
	qt_spools_release(&list);
	(void)rmdir(dir);
}

static void linked_queue_is_not_opened(void **state)
{
	const struct sandbox *b = *state;
	struct qt_spools list;
	struct qt_error err;
	char path[256];

	box_path(b, "hold", path);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/etc", path), 0);
	qt_spools_init(&list);
	assert_int_equal(qt_spools_add_dir(&list, b->dir, &err), 0);
	assert_int_equal(list.v[0]->qfd[QT_Q_HOLD], -1);
	qt_spools_release(&list);
}

static void running_is_seen_by_the_lock(void **state)
{
	const struct sandbox *b = *state;
	struct qt_spools list;
	struct qt_error err;
	char path[256];
	int fd;

	qt_spools_init(&list);
	assert_int_equal(qt_spools_add_dir(&list, b->dir, &err), 0);
	assert_false(qt_spool_running(list.v[0]));
	box_file(b, "pid/master.pid", "1\n", 2, 0600);
	assert_false(qt_spool_running(list.v[0]));
	box_path(b, "pid/master.pid", path);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_true(qt_spool_running(list.v[0]));
	(void)close(fd);
	qt_spools_release(&list);
}

/* ---- through postconf ---- */

/* A configuration directory for the sandbox, as main.cf below etc. */
static void write_config(const struct sandbox *b, const char *more,
    char dir[256])
{
	char text[1024];
	int n;

	n = snprintf(text, sizeof text,
	    "compatibility_level = 3.6\nqueue_directory = %s\n"
	    "myhostname = mx.example.org\nmail_owner = nobody\n%s",
	    b->dir, more);
	assert_true(n > 0 && (size_t)n < sizeof text);
	box_mkdir(b, "etc");
	box_file(b, "etc/main.cf", text, (size_t)n, 0644);
	box_path(b, "etc", dir);
	assert_int_equal(chmod(b->dir, 0755), 0);
	assert_int_equal(chmod(dir, 0755), 0);
}

static void configuration_is_read_through_postconf(void **state)
{
	const struct sandbox *b = *state;
	struct qt_spools list;
	struct qt_spool *s;
	struct qt_error err = {.code = QT_OK};
	char dir[256];

	write_config(b,
	    "mydomain = example.org\nmyorigin =\n"
	    "hash_queue_names = deferred, defer hold maildrop\n"
	    "hash_queue_depth = 2\nenable_long_queue_ids = yes\n"
	    "smtputf8_enable = no\nmaximal_queue_lifetime = 12h\n"
	    "bounce_queue_lifetime = 3\n", dir);
	qt_spools_init(&list);
	if (qt_spools_add_config(&list, dir, &err) != 0)
		fail_msg("%s", err.text);
	s = list.v[0];
	assert_string_equal(s->config_dir, dir);
	assert_string_equal(s->queue_dir, b->dir);
	assert_string_equal(s->host, "mx.example.org");
	assert_string_equal(s->mydomain, "example.org");
	assert_null(s->myorigin);
	assert_string_equal(s->mail_owner, "nobody");
	assert_true(s->live);
	assert_true(s->long_ids);
	assert_false(s->smtputf8);
	assert_int_equal(s->depth[QT_Q_DEFERRED], 2);
	assert_int_equal(s->depth[QT_Q_DEFER], 2);
	assert_int_equal(s->depth[QT_Q_HOLD], 2);
	assert_int_equal(s->depth[QT_Q_MAILDROP], 0);
	assert_int_equal(s->depth[QT_Q_ACTIVE], 0);
	assert_int_equal(s->max_lifetime, 12 * 3600);
	assert_int_equal(s->bounce_lifetime, 3 * 86400);
	assert_non_null(s->mail_version);
	/* the same queue given as a directory is the same spool */
	assert_int_equal(qt_spools_add_dir(&list, b->dir, &err), 0);
	assert_int_equal(list.n, 1);
	qt_spools_release(&list);
}

static void origin_may_be_a_files_first_word(void **state)
{
	const struct sandbox *b = *state;
	struct qt_spools list;
	struct qt_error err = {.code = QT_OK};
	char dir[256], more[300], path[256];

	box_path(b, "mailname", path);
	box_file(b, "mailname", "mail.example.com\n", 17, 0644);
	(void)snprintf(more, sizeof more, "myorigin = %s\n", path);
	write_config(b, more, dir);
	qt_spools_init(&list);
	if (qt_spools_add_config(&list, dir, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(list.v[0]->myorigin, "mail.example.com");
	assert_int_equal(list.v[0]->depth[QT_Q_DEFERRED], 1); /* default */
	assert_int_equal(list.v[0]->max_lifetime, 5 * 86400);
	qt_spools_release(&list);
}

static void missing_configuration_names_the_way_out(void **state)
{
	struct qt_spools list;
	struct qt_error err = {.code = QT_OK};

	(void)state;
	qt_spools_init(&list);
	assert_int_equal(qt_spools_add_config(&list, "/nonexistent", &err), -1);
	assert_non_null(strstr(err.text, "-Q"));
	assert_false(qt_error_is_item(&err));
	assert_int_equal(list.n, 0);
	qt_spools_release(&list);
}

/* ---- names and paths ---- */

static void queue_names_go_both_ways(void **state)
{
	(void)state;
	for (unsigned q = 0; q < QT_Q_COUNT; q++)
		assert_int_equal(
		    qt_queue_by_name(qt_queue_name((enum qt_queue)q)), q);
	assert_string_equal(qt_queue_name(QT_Q_MAILDROP), "maildrop");
	assert_int_equal(qt_queue_by_name("flush"), QT_Q_COUNT);
	assert_int_equal(qt_queue_by_name(""), QT_Q_COUNT);
}

static void paths_are_computed(void **state)
{
	struct qt_spool s = {.depth = {[QT_Q_DEFERRED] = 2}};
	char path[64];

	(void)state;
	assert_int_equal(qt_spool_path(&s, QT_Q_DEFERRED, "AC79AA7A142", path,
			     sizeof path), 0);
	assert_string_equal(path, "deferred/A/C/AC79AA7A142");
	assert_int_equal(qt_spool_path(&s, QT_Q_HOLD, "AC79AA7A142", path,
			     sizeof path), 0);
	assert_string_equal(path, "hold/AC79AA7A142");
	assert_int_equal(qt_spool_path(&s, QT_Q_HOLD, "AC79AA7A142", path, 8),
	    -1);
}

/* ---- the parts below ---- */

static void locks_are_granted_flocks(void **state)
{
	static const char text[] =
	    "1: FLOCK  ADVISORY  WRITE 100 fe:01:11 0 EOF\n"
	    "1: -> FLOCK  ADVISORY  WRITE 101 fe:01:12 0 EOF\n"
	    "2: POSIX  ADVISORY  READ 102 fe:01:13 128 128\n"
	    "3: FLOCK  ADVISORY  READ -1 fe:02:14 0 EOF\n"
	    "garbage\n\n"
	    "4: FLOCK  ADVISORY  READ 103 00:15:18446744073709551615 0 EOF";
	const dev_t fe01 = makedev(0xfe, 1);
	struct qt_locks l;
	struct qt_error err;

	(void)state;
	assert_int_equal(qt_locks_parse(&l, text, &err), 0);
	assert_int_equal(l.n, 3);
	assert_true(qt_locks_has(&l, fe01, 11));
	assert_false(qt_locks_has(&l, fe01, 12));
	assert_false(qt_locks_has(&l, fe01, 13));
	assert_false(qt_locks_has(&l, fe01, 14));
	assert_true(qt_locks_has(&l, makedev(0xfe, 2), 14));
	qt_locks_release(&l);
}

static void inodes_are_told_apart_by_device(void **state)
{
	struct qt_inodes s;
	struct qt_error err;

	(void)state;
	qt_inodes_init(&s);
	for (unsigned i = 1; i <= 5000; i++)
		assert_int_equal(qt_inodes_add(&s, 1, i * 4096, &err), 0);
	for (unsigned i = 1; i <= 5000; i++)
		assert_int_equal(qt_inodes_add(&s, 1, i * 4096, &err), 1);
	assert_false(qt_inodes_has(&s, 2, 4096));
	assert_int_equal(qt_inodes_add(&s, 2, 4096, &err), 0);
	assert_true(qt_inodes_has(&s, 2, 4096));
	assert_false(qt_inodes_has(&s, 1, 4097));
	/* 0 is no inode: never the same as another */
	assert_int_equal(qt_inodes_add(&s, 1, 0, &err), 0);
	assert_int_equal(qt_inodes_add(&s, 1, 0, &err), 0);
	qt_inodes_release(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(depth_is_where_the_files_are),
	    cmocka_unit_test_setup_teardown(maildrop_is_never_hashed, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(directory_as_it_lies, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(same_directory_is_one_spool, setup,
		teardown),
	    cmocka_unit_test(missing_directory_is_an_error),
	    cmocka_unit_test(directory_without_queues_is_no_spool),
	    cmocka_unit_test_setup_teardown(linked_queue_is_not_opened, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(running_is_seen_by_the_lock, setup,
		teardown),
	    cmocka_unit_test_setup_teardown(
		configuration_is_read_through_postconf, setup, teardown),
	    cmocka_unit_test_setup_teardown(origin_may_be_a_files_first_word,
		setup, teardown),
	    cmocka_unit_test(missing_configuration_names_the_way_out),
	    cmocka_unit_test(queue_names_go_both_ways),
	    cmocka_unit_test(paths_are_computed),
	    cmocka_unit_test(locks_are_granted_flocks),
	    cmocka_unit_test(inodes_are_told_apart_by_device),
	};

	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
