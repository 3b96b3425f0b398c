/*
 * place.h - lay out a queue directory as Postfix does and put files into it:
 * hash directories, both forms of queue ID, modes, owner, time, logs.
 *
 * Source: Postfix src/global/mail_queue.c, file_id.c, src/util/dir_forest.c,
 * conf/postfix-files.  Shares no code with the reader (see qfile.h).
 */
#ifndef TESTS_PLACE_H
#define TESTS_PLACE_H

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "qtool/error.h"

#define PLACE_ID_SIZE 256 /* a queue ID and its NUL */
#define PLACE_DEPTH_MAX 4

/* A spool being filled. */
struct place {
	int dir;	/* of the spool */
	unsigned depth; /* hash depth of deferred and defer */
	bool give;	/* running as root: files are given to uid:gid */
	uid_t uid;	/* the mail owner */
	gid_t gid;
};

enum place_id {
	PLACE_ID_SHORT, /* from usec and the file's inode */
	PLACE_ID_LONG,	/* from seconds, usec and the inode */
	PLACE_ID_NAME	/* the name as given, valid or not */
};

enum place_kind { PLACE_FILE, PLACE_DIR, PLACE_FIFO, PLACE_SYMLINK };

/* One entry to be put into a queue. */
struct place_entry {
	const char *queue;
	enum place_kind kind;
	enum place_id id_form;
	const char *name;    /* PLACE_ID_NAME */
	const char *hashdir; /* "A/B"; "": none; NULL: as Postfix computes */
	const char *target;  /* PLACE_SYMLINK */
	const void *data;    /* PLACE_FILE */
	size_t len;
	mode_t mode;
	bool other_owner; /* give it to uid:gid instead of the mail owner */
	uid_t uid;
	gid_t gid;
	int64_t mtime;	 /* seconds since the epoch */
	int64_t created; /* seconds, for a long ID */
	uint32_t usec;	 /* 0..999999, for both forms */
};

static const char place_base52[] =
    "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

static inline void place_id_short(char *id, uint32_t usec, uint64_t inode)
{
	(void)snprintf(id, PLACE_ID_SIZE, "%05" PRIX32 "%" PRIX64, usec, inode);
}

/* value in a base, at least width symbols; appended to id. */
static inline void place_digits(
    char *id, uint64_t value, unsigned base, size_t width)
{
	char rev[80];
	size_t n = 0, at = strlen(id);

	while (value != 0 || n < width) {
		rev[n++] = place_base52[value % base];
		value /= base;
	}
	while (n > 0)
		id[at++] = rev[--n];
	id[at] = '\0';
}

static inline void place_id_long(
    char *id, int64_t seconds, uint32_t usec, uint64_t inode)
{
	id[0] = '\0';
	place_digits(id, (uint64_t)seconds, 52, 6);
	place_digits(id, usec, 52, 4);
	(void)snprintf(id + strlen(id), 2, "z");
	place_digits(id, inode, 51, 1);
}

/* The microseconds in a name that looks like a long ID, else -1. */
static inline long place_long_usec(const char *id)
{
	const char *z = strrchr(id, 'z'), *p;
	long usec = 0;

	if (z == NULL || z - id < 10)
		return -1;
	for (int i = 4; i > 0; i--) {
		p = strchr(place_base52, z[-i]);
		if (p == NULL)
			return 0; /* Postfix hashes what it cannot decode as 0
				   */
		usec = usec * 52 + (p - place_base52);
	}
	return usec;
}

/* Directory of a name below a hashed queue: "A/B", "" at depth 0. */
static inline void place_hash(
    const char *id, unsigned depth, char *dir, size_t size)
{
	char key[PLACE_ID_SIZE];
	long usec = place_long_usec(id);
	size_t n = 0, len;

	if (usec >= 0)
		(void)snprintf(key, sizeof key, "%05lX", usec);
	else
		(void)snprintf(key, sizeof key, "%s", id);
	len = strlen(key);
	dir[0] = '\0';
	for (unsigned i = 0; i < depth && n + 3 < size; i++) {
		if (i > 0)
			dir[n++] = '/';
		dir[n++] = i < len ? key[i] : '_';
		dir[n] = '\0';
	}
}

/* mkdir with mode and owner whatever the umask; what exists stays. */
static inline int place_mkdir(const struct place *p, const char *path,
    mode_t mode, uid_t uid, gid_t gid, struct qt_error *err)
{
	if (mkdirat(p->dir, path, mode) != 0)
		return errno == EEXIST ? 0 : qt_fail_sys(err, "mkdir", path);
	if (p->give &&
	    fchownat(p->dir, path, uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
		return qt_fail_sys(err, "chown", path);
	if (fchmodat(p->dir, path, mode, 0) != 0)
		return qt_fail_sys(err, "chmod", path);
	return 0;
}

/* Every directory on the way to a file, mode 0700. */
static inline int place_parents(
    const struct place *p, const char *path, struct qt_error *err)
{
	char part[1024];
	const char *slash = path;

	while ((slash = strchr(slash + 1, '/')) != NULL) {
		(void)snprintf(
		    part, sizeof part, "%.*s", (int)(slash - path), path);
		if (place_mkdir(p, part, 0700, p->uid, p->gid, err) != 0)
			return -1;
	}
	return 0;
}

/* Who owns the files: a user's name, NULL: postfix when root and it exists. */
static inline int place_owner(
    struct place *p, const char *owner, struct qt_error *err)
{
	const struct passwd *pw;

	p->uid = geteuid();
	p->gid = getegid();
	p->give = geteuid() == 0;
	if (!p->give && owner == NULL)
		return 0;
	pw = getpwnam(owner != NULL ? owner : "postfix");
	if (pw == NULL)
		return owner == NULL ? 0
				     : qt_fail(err, QT_E_USAGE, owner,
					   "there is no such user");
	p->uid = pw->pw_uid;
	p->gid = pw->pw_gid;
	return 0;
}

static inline int place_queues(const struct place *p, struct qt_error *err)
{
	static const char *const queues[] = {"incoming", "active", "deferred",
	    "hold", "corrupt", "saved", "defer", "bounce", "trace", "flush",
	    "private"};
	const struct group *gr = p->give ? getgrnam("postdrop") : NULL;
	gid_t gid = gr != NULL ? gr->gr_gid : p->gid;

	for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++)
		if (place_mkdir(p, queues[i], 0700, p->uid, p->gid, err) != 0)
			return -1;
	if (place_mkdir(p, "maildrop", 0730, p->uid, gid, err) != 0 ||
	    place_mkdir(p, "public", 0710, p->uid, gid, err) != 0)
		return -1;
	return place_mkdir(p, "pid", 0755, geteuid(), getegid(), err);
}

/* Open a spool for filling; what is missing of it is made. */
static inline int place_open(struct place *p, const char *spool,
    const char *owner, unsigned depth, struct qt_error *err)
{
	*p = (struct place){.dir = -1,
	    .depth = depth < PLACE_DEPTH_MAX ? depth : PLACE_DEPTH_MAX};
	if (place_owner(p, owner, err) != 0)
		return -1;
	if (mkdir(spool, 0755) != 0 && errno != EEXIST)
		return qt_fail_sys(err, "mkdir", spool);
	p->dir = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->dir < 0)
		return qt_fail_sys(err, "open", spool);
	return place_queues(p, err);
}

static inline void place_close(struct place *p)
{
	if (p->dir >= 0)
		(void)close(p->dir);
	p->dir = -1;
}

/* Whether Postfix's default hash_queue_names has the queue. */
static inline bool place_hashed(const char *queue)
{
	return strcmp(queue, "deferred") == 0 || strcmp(queue, "defer") == 0;
}

/* "queue/A/NAME" into path. */
static inline int place_path(const struct place *p, const char *queue,
    const char *hashdir, const char *name, char *path, size_t size,
    struct qt_error *err)
{
	char hash[2 * PLACE_DEPTH_MAX + 2];
	int n;

	if (hashdir == NULL) {
		place_hash(name, place_hashed(queue) ? p->depth : 0, hash,
		    sizeof hash);
		hashdir = hash;
	}
	n = snprintf(path, size, "%s/%s%s%s", queue, hashdir,
	    hashdir[0] != '\0' ? "/" : "", name);
	return n > 0 && (size_t)n < size
		   ? 0
		   : qt_fail(err, QT_E_USAGE, queue, "the path is too long");
}

static inline int place_write(
    int fd, const void *data, size_t len, struct qt_error *err)
{
	const char *bytes = data;
	ssize_t n;

	for (; len > 0; len -= (size_t)n, bytes += n) {
		n = write(fd, bytes, len);
		if (n < 0)
			return qt_fail_sys(err, "write", "");
	}
	return 0;
}

/* Content, owner, time and, last, mode of an open file. */
static inline int place_fill(const struct place *p, const struct place_entry *e,
    int fd, struct qt_error *err)
{
	struct timespec times[2] = {
	    {.tv_sec = (time_t)e->mtime}, {.tv_sec = (time_t)e->mtime}};

	if (place_write(fd, e->data, e->len, err) != 0)
		return -1;
	if (p->give && fchown(fd, e->other_owner ? e->uid : p->uid,
			   e->other_owner ? e->gid : p->gid) != 0)
		return qt_fail_sys(err, "chown", e->queue);
	if (futimens(fd, times) != 0)
		return qt_fail_sys(err, "utime", e->queue);
	if (fchmod(fd, e->mode) != 0)
		return qt_fail_sys(err, "chmod", e->queue);
	return 0;
}

/* The name the entry gets once its inode is known. */
static inline int place_name(
    const struct place_entry *e, int fd, char *id, struct qt_error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return qt_fail_sys(err, "stat", e->queue);
	if (e->id_form == PLACE_ID_SHORT)
		place_id_short(id, e->usec, st.st_ino);
	else if (e->id_form == PLACE_ID_LONG)
		place_id_long(id, e->created, e->usec, st.st_ino);
	else
		(void)snprintf(id, PLACE_ID_SIZE, "%s", e->name);
	return 0;
}

/* Rename, making the hash directory when it is not there; never over a file. */
static inline int place_rename(const struct place *p, const char *from,
    const char *to, struct qt_error *err)
{
	if (renameat2(p->dir, from, p->dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != ENOENT)
		return qt_fail_sys(err, "rename", to);
	if (place_parents(p, to, err) != 0)
		return -1;
	return renameat2(p->dir, from, p->dir, to, RENAME_NOREPLACE) == 0
		   ? 0
		   : qt_fail_sys(err, "rename", to);
}

/*
 * A file being made: under a name with a dot, which no daemon sees, until it
 * is complete.  Between begin and finish its ID is known and can be written
 * into it.
 */
struct place_new {
	int fd;
	char temp[128];
	char id[PLACE_ID_SIZE];
};

static inline void place_abandon(const struct place *p, struct place_new *n)
{
	(void)close(n->fd);
	(void)unlinkat(p->dir, n->temp, 0);
}

static inline int place_begin(const struct place *p,
    const struct place_entry *e, struct place_new *n, struct qt_error *err)
{
	(void)snprintf(n->temp, sizeof n->temp, "%s/%" PRIu32 ".%ld", e->queue,
	    e->usec, (long)getpid());
	n->fd = openat(
	    p->dir, n->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (n->fd < 0)
		return qt_fail_sys(err, "open", n->temp);
	if (place_name(e, n->fd, n->id, err) == 0)
		return 0;
	place_abandon(p, n);
	return -1;
}

static inline int place_finish(const struct place *p,
    const struct place_entry *e, struct place_new *n, struct qt_error *err)
{
	char path[1024];

	if (place_fill(p, e, n->fd, err) == 0 &&
	    place_path(
		p, e->queue, e->hashdir, n->id, path, sizeof path, err) == 0 &&
	    place_rename(p, n->temp, path, err) == 0) {
		(void)close(n->fd);
		return 0;
	}
	place_abandon(p, n);
	return -1;
}

static inline int place_file(const struct place *p, const struct place_entry *e,
    char *id, struct qt_error *err)
{
	struct place_new n;

	if (place_begin(p, e, &n, err) != 0 || place_finish(p, e, &n, err) != 0)
		return -1;
	(void)snprintf(id, PLACE_ID_SIZE, "%s", n.id);
	return 0;
}

/* Something else than a file under a message's name. */
static inline int place_odd(const struct place *p, const struct place_entry *e,
    char *id, struct qt_error *err)
{
	char path[1024];
	int rc;

	(void)snprintf(id, PLACE_ID_SIZE, "%s", e->name);
	if (place_path(p, e->queue, e->hashdir, id, path, sizeof path, err) !=
		0 ||
	    place_parents(p, path, err) != 0)
		return -1;
	if (e->kind == PLACE_DIR)
		return place_mkdir(p, path, e->mode, p->uid, p->gid, err);
	rc = e->kind == PLACE_FIFO ? mkfifoat(p->dir, path, e->mode)
				   : symlinkat(e->target, p->dir, path);
	if (rc != 0)
		return qt_fail_sys(err, "create", path);
	if (p->give &&
	    fchownat(p->dir, path, p->uid, p->gid, AT_SYMLINK_NOFOLLOW) != 0)
		return qt_fail_sys(err, "chown", path);
	return 0;
}

/* Put an entry into its queue; id (PLACE_ID_SIZE) gets its name. */
static inline int place_entry(const struct place *p,
    const struct place_entry *e, char *id, struct qt_error *err)
{
	return e->kind == PLACE_FILE ? place_file(p, e, id, err)
				     : place_odd(p, e, id, err);
}

/* A log (queue defer, bounce or trace) of a message. */
static inline int place_log(const struct place *p, const char *queue,
    const char *id, const void *data, size_t len, int64_t mtime,
    struct qt_error *err)
{
	struct place_entry e = {.queue = queue,
	    .data = data,
	    .len = len,
	    .mode = 0600,
	    .mtime = mtime};
	char path[1024];
	int fd, rc;

	if (place_path(p, queue, NULL, id, path, sizeof path, err) != 0)
		return -1;
	fd = openat(
	    p->dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 && errno == ENOENT) {
		if (place_parents(p, path, err) != 0)
			return -1;
		fd = openat(p->dir, path,
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	}
	if (fd < 0)
		return qt_fail_sys(err, "open", path);
	rc = place_fill(p, &e, fd, err);
	(void)close(fd);
	return rc;
}

#endif
