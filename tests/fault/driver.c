/*
 * driver.c - the change layer without the rest of qtool, for sweeps.
 *
 *	driver -Q SPOOL delete|undo|purge|recover [--in-place] [--purge]
 *	    [--state-dir DIR] [what qtool has besides and this ignores]
 *
 * The same calls in the same order as qtool's commands make, the same exit
 * statuses and form of errors; it starts in a tenth of the time, as it loads
 * neither SQLite nor the others.  delete takes all of hold and deferred.
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
	bool in_place, purge;
	uint64_t txid;
};

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

static int add_file(struct qt_plan *p, enum qt_queue q, const char *path,
    const struct stat *st, struct qt_error *err)
{
	struct qt_item it = {.queue = q, .id = strrchr(path, '/') + 1,
	    .path = path, .dev = st->st_dev, .ino = st->st_ino,
	    .size = st->st_size, .mode = st->st_mode, .uid = st->st_uid,
	    .gid = st->st_gid,
	    .mtime_ns = st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
	    .ctime_ns = st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec};

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
					  add_file(p, q, path, &st, err);
	}
	return r;
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

static int delete(struct qt_change *c, const struct todo *t, struct qt_plan *p)
{
	struct qt_outcome out = {0};
	struct qt_error err = {0};

	if (qt_change_run(c, p, &out, &err) != 0)
		return complain(&err, true);
	if (t->purge && purge(c, out.txid) != 0)
		return 3;
	return out.gone + out.changed != 0 ? 3 : 0;
}

static int undo(struct qt_change *c)
{
	struct qt_outcome out = {0};
	struct qt_error err = {0};
	int status;

	if (qt_change_undo(c, 1, &out, &err) == 0)
		return out.changed != 0 ? 3 : 0;
	status = complain(&err, true);
	return out.begun ? 3 : status;
}

static int run(const struct todo *t, const struct qt_spool *spool)
{
	struct qt_change_opts opts = {.state_dir = t->state_dir,
	    .in_place = t->in_place};
	struct qt_change *c = NULL;
	struct qt_plan *p = NULL;
	struct qt_error err = {0};
	size_t recovered = 0;
	int status = 0;

	if (strcmp(t->command, "delete") == 0 &&
	    (qt_plan_new(&p, QT_OP_DELETE, &err) != 0 ||
		add_dir(p, spool->dirfd, QT_Q_HOLD, "hold", &err) != 0 ||
		add_dir(p, spool->dirfd, QT_Q_DEFERRED, "deferred", &err) != 0))
		return complain(&err, false);
	if (qt_change_open(&c, spool, &opts, &recovered, &err) != 0) {
		qt_plan_free(p);
		return complain(&err, false);
	}
	if (strcmp(t->command, "delete") == 0)
		status = delete(c, t, p);
	else if (strcmp(t->command, "undo") == 0)
		status = undo(c);
	else if (strcmp(t->command, "purge") == 0)
		status = purge(c, 1);
	else if (recovered == 0)
		(void)printf("nothing to recover\n");
	qt_plan_free(p);
	qt_change_close(c);
	return status;
}

int main(int argc, char **argv)
{
	struct todo t = {.command = ""};
	struct qt_error err = {0};
	struct qt_spools spools;
	int i, status;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-Q") == 0 && i + 1 < argc)
			t.spool = argv[++i];
		else if (strcmp(argv[i], "--state-dir") == 0 && i + 1 < argc)
			t.state_dir = argv[++i];
		else if (strcmp(argv[i], "--in-place") == 0)
			t.in_place = true;
		else if (strcmp(argv[i], "--purge") == 0)
			t.purge = true;
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
