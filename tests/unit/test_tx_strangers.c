/*
 * test_tx_strangers.c - what looks like the message and is another one: under
 * its ID, with its inode's number, in its place in staging, in a copy of the
 * spool.  And looks that fail, which tell nothing of all that.
 */
#include "unit/import_world.h"

#include <spawn.h>
#include <sys/syscall.h>

#include "change/copies.h"

/* ---- what the kernel says ---- */

static const char *bad_look;   /* fstatat() of that name fails; NULL: none */
static const char *bad_open;   /* openat() does */
static int no_handle;	       /* errno of name_to_handle_at(); 0: it works */
static const char *other_life; /* that name's handle is a later inode's */

/* Instead of the C library's. */
int fstatat(int dir, const char *restrict name, struct stat *restrict st,
    int flags)
{
	if (bad_look != NULL && strcmp(name, bad_look) == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_newfstatat, dir, name, st, flags);
}

int openat(int dir, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	if (bad_open != NULL && strcmp(name, bad_open) == 0) {
		errno = EIO;
		return -1;
	}
	va_start(ap, flags);
	if ((flags & O_CREAT) != 0)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return (int)syscall(SYS_openat, dir, name, flags, mode);
}

int name_to_handle_at(int dir, const char *name, struct file_handle *h,
    int *mount, int flags)
{
	long r;

	if (no_handle != 0) {
		errno = no_handle;
		return -1;
	}
	r = syscall(SYS_name_to_handle_at, dir, name, h, mount, flags);
	if (r == 0 && other_life != NULL && strcmp(name, other_life) == 0)
		h->f_handle[0] ^= 1;
	return (int)r;
}

static int nobody(void **state)
{
	(void)state;
	bad_look = bad_open = other_life = NULL;
	no_handle = 0;
	return 0;
}

/* ---- one ID in two queues ---- */

#define ID "ABCDE77" /* no inode has this number: it guards nothing */

/* A message on hold under that ID, deleted; then another one has the ID. */
static void delete_and_give_away(struct tspool *t)
{
	struct tmessage *m;
	struct run r;

	ts_make(t);
	m = &t->m[t->n++];
	*m = (struct tmessage){.id = ID, .path = "hold/" ID,
	    .queue = QT_Q_HOLD};
	ts_write(t, m->path, "mine", 0700);
	run_init(&r);
	assert_int_equal(delete_plan(t, &r, ts_plan(t, 0, 1)), 0);
	ts_write(t, "incoming/" ID, "another", 0700);
}

static void an_id_that_another_has_is_waited_for(void **state)
{
	struct tspool t;
	struct run r;
	size_t staged;

	(void)state;
	delete_and_give_away(&t);
	run_init(&r);
	assert_int_equal(undo(&t, &r, 1, true), 0);
	assert_string_equal(r.seen.text, "changed hold " ID ";");
	assert_false(ts_exists(&t, "hold/" ID));
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_UNDOING);
	assert_int_equal(staged, 1);
	/* delivered: the next one goes on */
	assert_int_equal(unlinkat(t.fd, "incoming/" ID, 0), 0);
	run_init(&r);
	assert_int_equal(recover(&t, &r), 1);
	assert_true(iw_same(&t, "hold/" ID, "mine"));
	assert_int_equal(state_of(&t, 1, NULL), QT_TX_UNDONE);
	ts_release(&t);
}

static void whether_another_has_it_has_to_be_known(void **state)
{
	struct tspool t;
	struct run r;
	size_t staged;

	(void)state;
	delete_and_give_away(&t);
	run_init(&r);
	bad_look = ID;
	assert_int_equal(undo(&t, &r, 1, true), -1);
	bad_look = NULL;
	assert_int_equal(r.err.sys, EIO);
	assert_non_null(strstr(r.err.where, ID));
	assert_false(ts_exists(&t, "hold/" ID));
	(void)state_of(&t, 1, &staged);
	assert_int_equal(staged, 1);
	ts_release(&t);
}

/* ---- what recovery finds in staging ---- */

static void do_recover(struct run *r, void *ctx)
{
	(void)recover(ctx, r);
}

/* Away from all queues, and with no handle by which the kernel could be asked. */
static void lose_one(struct schedule *s)
{
	s->plan->v[0].handle = 0;
	assert_int_equal(renameat(s->t->fd, s->t->m[0].path, s->t->fd, "away"),
	    0);
}

/* Five are planned; one is gone when it is to be taken. */
static void delete_four(struct tspool *t)
{
	struct schedule s;
	struct run r;

	fill(t);
	run_init(&r);
	use_schedule(&r, &s, t);
	s.when = t->m[0].id;
	s.act = lose_one;
	s.plan = ts_plan(t, 0, 5);
	assert_int_equal(delete_plan(t, &r, s.plan), 0);
	assert_int_equal(r.out.done, 4);
	assert_int_equal(r.out.gone, 1);
}

/*
 * A message was away when the others were deleted, and is back.  Recovery takes
 * it, and is killed between the rename of a name that had just been given to
 * another one and the comparison.
 */
static void what_a_killed_recovery_took_by_mistake_comes_back(void **state)
{
	char staged[96];
	struct tspool t;
	struct run r;

	(void)state;
	delete_four(&t);
	assert_int_equal(renameat(t.fd, "away", t.fd, t.m[0].path), 0);
	assert_true(ends_in(1, true, do_recover, &t));
	(void)snprintf(staged, sizeof(staged),
	    "qtool/tx/000001/m/0000/000000.%s.h", t.m[0].id);
	assert_int_equal(unlinkat(t.fd, staged, 0), 0);
	ts_write(&t, staged, "another", 0700);
	run_init(&r);
	assert_int_equal(recover(&t, &r), 1);
	assert_true(iw_same(&t, t.m[0].path, "another"));
	assert_false(ts_exists(&t, "%s", staged));
	ts_release(&t);
}

/* A name that qtool would not have given, where there is one that it has. */
static void a_strange_name_in_staging_stops_it(void **state)
{
	struct tspool t;
	struct run r;
	size_t staged;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 1)), 0);
	ts_write(&t, "qtool/tx/000001/m/0000/000000.ABCDE1.h", "x", 0700);
	run_init(&r);
	assert_int_equal(undo(&t, &r, 1, true), -1);
	assert_int_equal(r.err.code, QT_E_STATE);
	assert_non_null(strstr(r.err.text, "000000.ABCDE1.h"));
	assert_false(ts_exists(&t, "%s", t.m[0].path));
	assert_int_equal(unlinkat(t.fd,
	    "qtool/tx/000001/m/0000/000000.ABCDE1.h", 0), 0);
	(void)state_of(&t, 1, &staged);
	assert_int_equal(staged, 1);
	ts_release(&t);
}

/* The entry alone, under the ID of another message. */
static void the_name_in_staging_is_the_plan_s(void **state)
{
	char name[96];
	struct tspool t;
	struct run r;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 1)), 0);
	(void)snprintf(name, sizeof(name), "qtool/tx/000001/m/0000/000000.%s.h",
	    t.m[0].id);
	assert_int_equal(renameat(t.fd, name, t.fd,
	    "qtool/tx/000001/m/0000/000000.ABCDE1.h"), 0);
	run_init(&r);
	assert_int_equal(undo(&t, &r, 1, true), -1);
	assert_int_equal(r.err.code, QT_E_STATE);
	assert_non_null(strstr(r.err.text, "is none of its names"));
	ts_release(&t);
}

static int no_unlink(void *ctx, int dir, const char *path)
{
	(void)ctx;
	if (strstr(path, ".h") == NULL && strstr(path, ".d") == NULL)
		return qt_fsops_system.unlink(NULL, dir, path);
	errno = EIO;
	return -1;
}

static void an_unlink_that_fails_says_so(void **state)
{
	struct tspool t;
	struct run r;
	size_t staged;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	run_init(&r);
	r.fs.unlink = no_unlink;
	assert_int_equal(purge(&t, &r, 1), -1);
	assert_int_equal(r.err.sys, EIO);
	assert_int_equal(state_of(&t, 1, &staged), QT_TX_PURGING);
	assert_true(staged > 0);
	ts_release(&t);
}

/* ---- handles ---- */

static void a_handle_that_cannot_be_had_is_not_none(void **state)
{
	struct tspool t;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	before = ts_snapshot(&t);
	run_init(&r);
	no_handle = EIO;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), -1);
	no_handle = 0;
	assert_int_equal(r.err.sys, EIO);
	ts_as_before(&t, before);
	/* where there are none the rest of the identity has to do */
	before = ts_snapshot(&t);
	run_init(&r);
	no_handle = EOPNOTSUPP;
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	assert_int_equal(r.out.done, 5);
	assert_int_equal(undo(&t, &r, r.out.txid, true), 0);
	no_handle = 0;
	ts_as_before(&t, before);
	ts_release(&t);
}

/* The staged file has another handle than it had when it was taken. */
static void a_restore_compares_what_is_staged(void **state)
{
	char name[96], path[128], hold[96];
	struct qt_error err = {0};
	struct qt_plan *p;
	struct tmessage m;
	struct qt_item it;
	struct tspool t;
	struct run r;
	size_t staged;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(delete_plan(&t, &r, ts_plan(&t, 0, 5)), 0);
	m = t.m[1];
	(void)snprintf(name, sizeof(name), "000001.%s.h", m.id);
	(void)snprintf(path, sizeof(path), "qtool/tx/000001/m/0000/%s", name);
	(void)strlcpy(m.path, path, sizeof(m.path));
	/* judged as a message of another ID */
	ts_item(&t, &m, &it);
	(void)strlcpy(hold, "hold/ABCDE1", sizeof(hold));
	it.queue = QT_Q_HOLD;
	it.id = "ABCDE1";
	it.path = hold;
	assert_int_equal(qt_plan_new(&p, QT_OP_RESTORE, &err), 0);
	qt_plan_set_source(p, 1);
	assert_int_equal(qt_plan_add(p, &it, &err), 0);
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, p), -1);
	assert_int_equal(r.err.code, QT_E_GONE);
	assert_string_equal(r.seen.text, "changed hold ABCDE1;");
	(void)state_of(&t, 1, &staged);
	assert_int_equal(staged, 5);
	ts_release(&t);
}

static unsigned renames;
static int count_rename(void *ctx, int from, const char *name, int to,
    const char *as)
{
	(void)ctx;
	renames++;
	return qt_fsops_system.rename(NULL, from, name, to, as);
}

/*
 * An imported message was delivered, and its name is another's now, of the same
 * bytes.  That one is not touched, however the kernel tells files apart.
 */
static void an_undone_import_leaves_another_alone(void **state)
{
	static const int kinds[] = {0, EOPNOTSUPP};
	struct iw_ids ids;
	struct tspool t;
	struct run r;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		ts_make(&t);
		run_init(&r);
		no_handle = kinds[i];
		assert_int_equal(iw_restore(&t, &r, QT_Q_HOLD, 0, 1), 0);
		iw_map(&t, 1, &ids);
		/* made first, so that it gets another inode */
		ts_write(&t, "new", iw_messages[0].bytes, 0700);
		assert_int_equal(renameat(t.fd, "new", t.fd, ids.id[0]), 0);
		run_init(&r);
		r.fs.rename = count_rename;
		renames = 0;
		assert_int_equal(undo(&t, &r, 1, false), 0);
		no_handle = 0;
		assert_int_equal(renames, 0);
		/* named in any case */
		assert_non_null(strstr(r.seen.text, ids.id[0] + 5));
		assert_int_equal(r.out.done, 0);
		assert_true(iw_same(&t, ids.id[0], iw_messages[0].bytes));
		ts_release(&t);
	}
}

/* The same with its inode's number, which was given away anew. */
static void an_undone_import_leaves_a_later_life_alone(void **state)
{
	struct iw_ids ids;
	struct tspool t;
	struct run r;

	(void)state;
	ts_make(&t);
	run_init(&r);
	assert_int_equal(iw_restore(&t, &r, QT_Q_HOLD, 0, 1), 0);
	iw_map(&t, 1, &ids);
	run_init(&r);
	r.fs.rename = count_rename;
	renames = 0;
	other_life = ids.id[0] + 5;
	assert_int_equal(undo(&t, &r, 1, false), 0);
	other_life = NULL;
	assert_int_equal(renames, 0);
	assert_int_equal(r.out.done, 0);
	assert_true(iw_same(&t, ids.id[0], iw_messages[0].bytes));
	ts_release(&t);
}

static void a_copy_that_cannot_be_opened_is_not_gone(void **state)
{
	char name[QT_COPY_NAME_SIZE];
	struct tspool t;
	struct run r;

	(void)state;
	ts_make(&t);
	run_init(&r);
	assert_int_equal(iw_restore(&t, &r, QT_Q_HOLD, 0, IW_N), 0);
	assert_int_equal(undo(&t, &r, 1, false), 0);
	qt_copies_name(2, QT_COPY_MESSAGE, name);
	run_init(&r);
	bad_open = name;
	assert_int_equal(redo(&t, &r, 1), -1);
	bad_open = NULL;
	assert_int_equal(r.err.sys, EIO);
	run_init(&r);
	(void)recover(&t, &r);
	if (state_of(&t, 1, NULL) == QT_TX_UNDONE)
		assert_int_equal(redo(&t, &r, 1), 0);
	iw_all(&t, 1);
	ts_release(&t);
}

/* ---- a copy of the spool ---- */

extern char **environ;

/* cp -a: the same names, other inodes. */
static void copy_spool(const struct tspool *t, struct tspool *to)
{
	char from[80];
	char *argv[] = {(char[]){"cp"}, (char[]){"-a"}, from, to->dir, NULL};
	struct qt_error err = {0};
	size_t i;
	int status;
	pid_t pid;

	*to = *t;
	(void)snprintf(to->dir, sizeof(to->dir), "%.50s.copy", t->dir);
	(void)snprintf(from, sizeof(from), "%s/.", t->dir);
	assert_int_equal(mkdir(to->dir, 0755), 0);
	assert_int_equal(posix_spawnp(&pid, "cp", NULL, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	to->fd = open(to->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(to->fd >= 0);
	qt_spools_init(&to->spools);
	assert_int_equal(qt_spools_add_dir(&to->spools, to->dir, &err), 0);
	to->spool = to->spools.v[0];
	for (i = 0; i < QT_Q_COUNT; i++)
		to->spool->depth[i] = t->spool->depth[i];
}

/* Nothing can be compared there, so nothing there is taken for a stranger's. */
static void recovery_leaves_a_copied_spool_as_it_is(void **state)
{
	struct tspool t, copy;
	struct run r;
	size_t staged;
	char *before;

	(void)state;
	delete_four(&t);
	copy_spool(&t, &copy);
	before = ts_snapshot(&copy);
	run_init(&r);
	assert_int_equal(recover(&copy, &r), 0);
	assert_int_equal(state_of(&copy, 1, &staged), QT_TX_COMMITTED);
	assert_int_equal(staged, 4);
	ts_as_before(&copy, before);
	ts_release(&copy);
	ts_release(&t);
}

static void a_hold_is_not_undone_in_a_copied_spool(void **state)
{
	struct tspool t, copy;
	struct run r;
	char *before;

	(void)state;
	fill(&t);
	run_init(&r);
	assert_int_equal(carry_out(&t, &r, op_plan(&t, QT_OP_HOLD, 2, 5)), 0);
	copy_spool(&t, &copy);
	before = ts_snapshot(&copy);
	run_init(&r);
	assert_int_equal(undo(&copy, &r, 1, true), -1);
	assert_int_equal(r.err.code, QT_E_REFUSED);
	assert_non_null(strstr(r.err.text, "another copy"));
	ts_as_before(&copy, before);
	ts_release(&copy);
	/* where it was made it is undone */
	run_init(&r);
	assert_int_equal(undo(&t, &r, 1, true), 0);
	assert_int_equal(r.out.done, 3);
	ts_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(an_id_that_another_has_is_waited_for,
		nobody),
	    cmocka_unit_test_teardown(whether_another_has_it_has_to_be_known,
		nobody),
	    cmocka_unit_test(what_a_killed_recovery_took_by_mistake_comes_back),
	    cmocka_unit_test(a_strange_name_in_staging_stops_it),
	    cmocka_unit_test(the_name_in_staging_is_the_plan_s),
	    cmocka_unit_test(an_unlink_that_fails_says_so),
	    cmocka_unit_test_teardown(a_handle_that_cannot_be_had_is_not_none,
		nobody),
	    cmocka_unit_test(a_restore_compares_what_is_staged),
	    cmocka_unit_test_teardown(an_undone_import_leaves_another_alone,
		nobody),
	    cmocka_unit_test_teardown(
		an_undone_import_leaves_a_later_life_alone, nobody),
	    cmocka_unit_test_teardown(a_copy_that_cannot_be_opened_is_not_gone,
		nobody),
	    cmocka_unit_test(recovery_leaves_a_copied_spool_as_it_is),
	    cmocka_unit_test(a_hold_is_not_undone_in_a_copied_spool),
	};

	return cmocka_run_group_tests_name("tx_strangers", tests, NULL, NULL);
}
