/*
 * spool.c - a queue directory: opening it and its queues, lists of spools.
 *
 * queue_dir itself may be a symbolic link (an administrator's choice); nothing
 * below it may.
 */
#include "qtool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "qtool/queueid.h"
#include "source/below.h"
#include "source/packed.h"
#include "source/spool_priv.h"

static const char *const queue_names[QT_Q_COUNT] = {
    [QT_Q_MAILDROP] = "maildrop", [QT_Q_ACTIVE] = "active",
    [QT_Q_INCOMING] = "incoming", [QT_Q_DEFERRED] = "deferred",
    [QT_Q_HOLD] = "hold", [QT_Q_CORRUPT] = "corrupt",
    [QT_Q_SAVED] = "saved", [QT_Q_DEFER] = "defer",
    [QT_Q_BOUNCE] = "bounce", [QT_Q_TRACE] = "trace"};

const char *qt_queue_name(enum qt_queue q)
{
	return (unsigned)q < QT_Q_COUNT ? queue_names[q] : "";
}

enum qt_queue qt_queue_by_name(const char *name)
{
	unsigned q;

	for (q = 0; q < QT_Q_COUNT; q++)
		if (strcmp(queue_names[q], name) == 0)
			break;
	return (enum qt_queue)q;
}

/* ---- one spool ---- */

int qt_spool_set(char **field, const char *value, struct qt_error *err)
{
	char *copy = value != NULL ? strdup(value) : NULL;

	if (value != NULL && copy == NULL)
		return qt_fail_mem(err);
	free(*field);
	*field = copy;
	return 0;
}

void qt_spool_free(struct qt_spool *s)
{
	if (s == NULL)
		return;
	for (unsigned q = 0; q < QT_Q_COUNT; q++)
		qt_close_quiet(&s->qfd[q]);
	qt_close_quiet(&s->dirfd);
	qt_packed_free(s->packed);
	free(s->config_dir);
	free(s->queue_dir);
	free(s->host);
	free(s->mydomain);
	free(s->myorigin);
	free(s->mail_owner);
	free(s->mail_version);
	free(s);
}

/* A whole spool is missing: no error of one item, whatever errno. */
static int fail_dir(const char *call, const char *path, struct qt_error *err)
{
	int sys = errno;

	(void)qt_fail(err, QT_E_SYS, path, "%s: %s", call, strerror(sys));
	if (err != NULL)
		err->sys = sys;
	return -1;
}

/* Absolute, without trailing slashes.  Owned by the caller. */
static int absolute(const char *dir, char **out, struct qt_error *err)
{
	char *path = dir[0] == '/' ? strdup(dir) : realpath(dir, NULL);
	size_t len;

	if (path == NULL && dir[0] != '/')
		return fail_dir("open", dir, err);
	if (path == NULL)
		return qt_fail_mem(err);
	for (len = strlen(path); len > 1 && path[len - 1] == '/'; len--)
		path[len - 1] = '\0';
	*out = path;
	return 0;
}

/* Open the spool's directory and those of its queues that can be opened. */
static int open_dirs(struct qt_spool *s, struct qt_error *err)
{
	struct stat st;

	s->dirfd = open(s->queue_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dirfd < 0)
		return fail_dir("open", s->queue_dir, err);
	if (fstat(s->dirfd, &st) != 0)
		return fail_dir("stat", s->queue_dir, err);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	for (unsigned q = 0; q < QT_Q_COUNT; q++)
		s->qfd[q] = qt_open_dir_below(s->dirfd, queue_names[q]);
	return 0;
}

int qt_spool_blank(struct qt_spool **out, struct qt_error *err)
{
	struct qt_spool *s = calloc(1, sizeof *s);

	if (s == NULL) {
		(void)qt_fail_mem(err);
		return -1;
	}
	s->dirfd = -1;
	for (unsigned q = 0; q < QT_Q_COUNT; q++)
		s->qfd[q] = -1;
	s->smtputf8 = true; /* Postfix's default */
	s->owner_uid = (uid_t)-1;
	s->owner_gid = (gid_t)-1;
	s->opened_by = geteuid();
	*out = s;
	return 0;
}

int qt_spool_new(struct qt_spool **out, const char *queue_dir,
    struct qt_error *err)
{
	struct qt_spool *s;

	if (qt_spool_blank(&s, err) != 0)
		return -1;
	if (absolute(queue_dir, &s->queue_dir, err) != 0 ||
	    open_dirs(s, err) != 0) {
		qt_spool_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

bool qt_spool_owner_from_dirs(struct qt_spool *s)
{
	/* in maildrop and below, users leave traces: these four first */
	static const enum qt_queue order[] = {QT_Q_INCOMING, QT_Q_ACTIVE,
	    QT_Q_DEFERRED, QT_Q_HOLD, QT_Q_CORRUPT, QT_Q_SAVED, QT_Q_MAILDROP};
	struct stat st;

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		if (fstatat(s->dirfd, queue_names[order[i]], &st,
			AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
			continue;
		s->owner_uid = st.st_uid;
		s->owner_gid = st.st_gid;
		return true;
	}
	return false;
}

/* The name of a user ID, "postfix" when it has none here. */
static int set_owner_name(struct qt_spool *s, struct qt_error *err)
{
	struct passwd pw, *found = NULL;
	char buf[4096];

	if (getpwuid_r(s->owner_uid, &pw, buf, sizeof buf, &found) != 0)
		found = NULL;
	return qt_spool_set(&s->mail_owner,
	    found != NULL ? found->pw_name : "postfix", err);
}

bool qt_spool_running(const struct qt_spool *s)
{
	int fd = qt_open_file_below(s->dirfd, "pid/master.pid");
	bool running = false;

	if (fd < 0)
		return false;
	/* master holds an exclusive lock; ours is gone with the descriptor */
	if (flock(fd, LOCK_SH | LOCK_NB) != 0)
		running = errno == EWOULDBLOCK;
	(void)close(fd);
	return running;
}

int qt_spool_path(const struct qt_spool *s, enum qt_queue q, const char *id,
    char *path, size_t size)
{
	char hash[2 * QT_QUEUE_ID_MAX + 2];
	int n;

	if ((unsigned)q >= QT_Q_COUNT)
		return -1;
	qt_queue_id_hash(id, s->depth[q], hash, sizeof hash);
	n = snprintf(path, size, "%s/%s%s", queue_names[q], hash, id);
	return n > 0 && (size_t)n < size ? 0 : -1;
}

/* ---- lists ---- */

void qt_spools_init(struct qt_spools *list)
{
	*list = (struct qt_spools){.v = NULL};
}

void qt_spools_release(struct qt_spools *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->n; i++)
		qt_spool_free(list->v[i]);
	free(list->v);
	free(list->left);
	qt_spools_init(list);
}

void qt_spools_keep(struct qt_spools *list, size_t i)
{
	struct qt_spool *kept = list->v[i];

	for (size_t k = 0; k < list->n; k++)
		if (k != i)
			qt_spool_free(list->v[k]);
	list->v[0] = kept;
	list->n = 1;
}

int qt_spools_take(struct qt_spools *list, struct qt_spool *s,
    struct qt_error *err)
{
	struct qt_spool **v;

	for (size_t i = 0; i < list->n; i++) {
		if (list->v[i]->dev == s->dev && list->v[i]->ino == s->ino &&
		    list->v[i]->txid == s->txid) {
			qt_spool_free(s);
			return 0;
		}
	}
	v = reallocarray(list->v, list->n + 1, sizeof(struct qt_spool *));
	if (v == NULL) {
		qt_spool_free(s);
		return qt_fail_mem(err);
	}
	list->v = v;
	list->v[list->n++] = s;
	return 0;
}

int qt_spools_add_dir(struct qt_spools *list, const char *queue_dir,
    struct qt_error *err)
{
	struct qt_spool *s;

	if (qt_spool_new(&s, queue_dir, err) != 0)
		return -1;
	if (!qt_spool_owner_from_dirs(s)) {
		(void)qt_fail(err, QT_E_USAGE, s->queue_dir,
		    "this is no Postfix queue directory: it has none of "
		    "maildrop, incoming, active, deferred, hold");
		qt_spool_free(s);
		return -1;
	}
	/* maildrop is never hashed, whatever lies in it */
	for (unsigned q = QT_Q_MAILDROP + 1; q < QT_Q_COUNT; q++)
		s->depth[q] = qt_spool_read_depth(s->qfd[q]);
	if (qt_spool_set(&s->host, s->queue_dir, err) != 0 ||
	    set_owner_name(s, err) != 0) {
		qt_spool_free(s);
		return -1;
	}
	return qt_spools_take(list, s, err);
}
