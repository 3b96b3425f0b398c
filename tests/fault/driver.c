/*
 * driver.c - the change layer without the rest of qtool, for sweeps.
 *
 *	driver -Q SPOOL delete|archive|hold|release|requeue|restore N|import|
 *	    undo N|redo N|purge N|recover [--in-place] [--purge] [--bad]
 *	    [--state-dir DIR] [what qtool has besides and this ignores]
 *
 * The same calls in the same order as qtool's commands make, the same exit
 * statuses and form of errors; it starts in a tenth of the time, as it loads
 * neither SQLite nor the others.  delete, archive and requeue take all of hold
 * and deferred, hold and release what is in the other of the two, restore all
 * that transaction N has staged.  archive writes none, and --bad says that it
 * failed.  import has an archive of its own, import_some below, which account.py
 * knows, too.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qtool/change.h"

struct todo {
	const char *spool, *command, *state_dir;
	bool in_place, purge, bad;
	uint64_t txid;
};

static const char *const plans[] = {"delete", "archive", "hold", "release",
    "requeue", "restore", "import"}; /* as enum qt_op */

/* Three messages of an archive, the second with two logs. */
static const struct {
	const char *id, *bytes, *sum;
	const char *log, *log_sum; /* of defer and of bounce; NULL none */
} import_some[] = {
    {"11111AAA", "imported one\n",
	"811b65ade325168f47cb4f8932ec2f950437cb6d67e37936b99e8c6e123df947", NULL, NULL},
    {"22222BBB", "imported two\n",
	"07e78957197208768f2ce74d0f82592eb8d2256cfffe8c362ca01abc4b56a963", "imported log\n",
	"390786f3f4b65836e6ec30cfdfd414aa7851e1b7a5659923feff4ea5b21fba9f"},
    {"33333CCC", "imported three\n",
	"b604ed3b6058d046769553d48d2aa0b7e6bf6bacc06f3c65f86869bdbfe4a1ee", NULL, NULL},
};
#define NIMPORT (sizeof(import_some) / sizeof(import_some[0]))

static int supply(void *ctx, size_t seq, enum qt_queue log, qt_put_fn *put,
    void *put_ctx, struct qt_error *err)
{
	const char *b = log == QT_Q_COUNT ? import_some[seq].bytes :
					    import_some[seq].log;

	(void)ctx;
	return put(put_ctx, b, strlen(b), err);
}

static int add_imports(struct qt_plan *p, struct qt_error *err)
{
	size_t i;

	for (i = 0; i < NIMPORT; i++) {
		struct qt_import m = {.to = QT_Q_HOLD, .queue = QT_Q_DEFERRED,
		    .id = import_some[i].id,
		    .mtime_ns = 1600000000000000000,
		    .message = {(int64_t)strlen(import_some[i].bytes),
			import_some[i].sum}};

		if (import_some[i].log != NULL)
			m.log[0] = m.log[1] = (struct qt_import_file){
			    (int64_t)strlen(import_some[i].log),
			    import_some[i].log_sum};
		if (qt_plan_add_import(p, &m, err) != 0)
			return -1;
	}
	return 0;
}

/* The operation of a command that has a plan, or QT_OPS. */
static enum qt_op op_of(const char *command)
{
	enum qt_op op;

	for (op = 0; op < QT_OPS && strcmp(plans[op], command) != 0; op++)
		;
	return op;
}

static int complain(const struct qt_error *err, bool moved)
{
	(void)fprintf(stderr, "qtool: %s: %s\n", err->where, err->text);
	switch (err->code) {
	case QT_E_USAGE:
		return 2;
	case QT_E_REFUSED:
		return 4;
	case QT_E_STATE:
		return moved ? 3 : 5;
	default:
		return 5;
	}
}

static void fill(struct qt_item *it, const char *path, const struct stat *st)
{
	*it = (struct qt_item){.queue = QT_Q_HOLD,
	    .id = strrchr(path, '/') + 1, .path = path, .dev = st->st_dev,
	    .ino = st->st_ino, .size = st->st_size, .mode = st->st_mode,
	    .uid = st->st_uid, .gid = st->st_gid,
	    .mtime_ns = st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
	    .ctime_ns = st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec};
}

static int add_file(struct qt_plan *p, enum qt_queue q, const char *path,
    const struct stat *st, struct qt_error *err)
{
	struct qt_item it;

	fill(&it, path, st);
	it.queue = q;
	return qt_plan_add(p, &it, err);
}

/* 000003.ID.q in staging: it is to come into hold. */
static int add_staged(struct qt_plan *p, const char *name,
    const struct stat *st, struct qt_error *err)
{
	char path[300];
	struct qt_item it;

	(void)snprintf(path, sizeof(path), "hold/%s", strchr(name, '.') + 1);
	*strrchr(path, '.') = '\0';
	fill(&it, path, st);
	return qt_plan_add(p, &it, err);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_dir(struct qt_plan *p, int spool, enum qt_queue q,
    const char *dir, struct qt_error *err)
{
	struct dirent **names;
	struct stat st;
	char path[300];
	int i, r = 0, n = scandirat(spool, dir, &names, NULL, by_name);

	for (i = 0; i < n && r == 0; i++) {
		if (names[i]->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir,
		    names[i]->d_name);
		if (fstatat(spool, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
			return qt_fail_sys(err, "fstatat", path);
		r = S_ISDIR(st.st_mode) ? add_dir(p, spool, q, path, err) :
		    q == QT_Q_COUNT ? add_staged(p, names[i]->d_name, &st, err) :
				      add_file(p, q, path, &st, err);
	}
	return r;
}

/* What the command is about. */
static int make_plan(struct qt_plan **p, enum qt_op op, const struct todo *t,
    int spool, struct qt_error *err)
{
	char staged[64];

	if (qt_plan_new(p, op, err) != 0)
		return -1;
	if (op == QT_OP_IMPORT)
		return add_imports(*p, err);
	if (op == QT_OP_RESTORE) {
		(void)snprintf(staged, sizeof(staged), "qtool/tx/%06llu/m",
		    (unsigned long long)t->txid);
		qt_plan_set_source(*p, t->txid);
		return add_dir(*p, spool, QT_Q_COUNT, staged, err);
	}
	if (op != QT_OP_HOLD && add_dir(*p, spool, QT_Q_HOLD, "hold", err) != 0)
		return -1;
	return op == QT_OP_RELEASE ? 0 :
	    add_dir(*p, spool, QT_Q_DEFERRED, "deferred", err);
}

/* In the place of an archive that is written and read back. */
static int decide(void *ctx, uint64_t txid, struct qt_error *err)
{
	const struct todo *t = ctx;

	(void)txid;
	return t->bad ? qt_fail(err, QT_E_SYS, "archive", "is bad") : 0;
}

static int purge(struct qt_change *c, uint64_t id)
{
	struct qt_outcome out = {0};
	struct qt_error err = {0};
	int status;

	if (qt_change_purge(c, id, &out, &err) == 0)
		return 0;
	status = complain(&err, true);
	return out.begun ? 3 : status;
}

static int carry_out(struct qt_change *c, const struct todo *t, struct qt_plan *p)
{
	struct qt_outcome out = {0};
	struct qt_error err = {0};

	if (qt_change_run(c, p, &out, &err) != 0)
		return complain(&err, true);
	if (t->purge && purge(c, out.txid) != 0)
		return 3;
	return out.gone + out.changed != 0 ? 3 : 0;
}

static int undo(struct qt_change *c, const struct todo *t, bool redo)
{
	struct qt_outcome out = {0};
	struct qt_error err = {0};
	int status, r;

	r = redo ? qt_change_redo(c, t->txid, &out, &err) :
		   qt_change_undo(c, t->txid, &out, &err);
	if (r == 0)
		return out.changed != 0 ? 3 : 0;
	status = complain(&err, true);
	return out.begun ? 3 : status;
}

static int run_open(struct qt_change *c, const struct todo *t,
    struct qt_plan *p, size_t recovered)
{
	if (p != NULL)
		return carry_out(c, t, p);
	if (strcmp(t->command, "undo") == 0)
		return undo(c, t, false);
	if (strcmp(t->command, "redo") == 0)
		return undo(c, t, true);
	if (strcmp(t->command, "purge") == 0)
		return purge(c, t->txid);
	if (recovered == 0)
		(void)printf("nothing to recover\n");
	return 0;
}

static int run(struct todo *t, const struct qt_spool *spool)
{
	struct qt_change_opts opts = {.state_dir = t->state_dir,
	    .in_place = t->in_place, .decide_ctx = t, .supply = supply};
	enum qt_op op = op_of(t->command);
	struct qt_change *c = NULL;
	struct qt_plan *p = NULL;
	struct qt_error err = {0};
	size_t recovered = 0;
	int status;

	if (op == QT_OP_ARCHIVE)
		opts.decide = decide;
	if (op != QT_OPS && make_plan(&p, op, t, spool->dirfd, &err) != 0)
		return complain(&err, false);
	if (qt_change_open(&c, spool, &opts, &recovered, &err) != 0) {
		qt_plan_free(p);
		return complain(&err, false);
	}
	status = run_open(c, t, p, recovered);
	qt_plan_free(p);
	qt_change_close(c);
	return status;
}

int main(int argc, char **argv)
{
	struct todo t = {.command = "", .txid = 1};
	struct qt_error err = {0};
	struct qt_spools spools;
	int i, status;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-Q") == 0 && i + 1 < argc)
			t.spool = argv[++i];
		else if (strcmp(argv[i], "--jobs") == 0)
			i++;
		else if (strcmp(argv[i], "--state-dir") == 0 && i + 1 < argc)
			t.state_dir = argv[++i];
		else if (strcmp(argv[i], "--in-place") == 0)
			t.in_place = true;
		else if (strcmp(argv[i], "--purge") == 0)
			t.purge = true;
		else if (strcmp(argv[i], "--bad") == 0)
			t.bad = true;
		else if (argv[i][0] >= '0' && argv[i][0] <= '9')
			t.txid = strtoull(argv[i], NULL, 10);
		else if (argv[i][0] >= 'a' && *t.command == '\0')
			t.command = argv[i];
	}
	qt_spools_init(&spools);
	if (t.spool == NULL ||
	    qt_spools_add_dir(&spools, t.spool, &err) != 0)
		return complain(&err, false);
	status = run(&t, spools.v[0]);
	qt_spools_release(&spools);
	return status;
}
