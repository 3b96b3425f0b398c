/*
 * import.c - messages out of an archive, as new files of this queue.
 *
 *	(no plan) --1 files written, durable; 2 plan--> PREPARED --3--> COMMITTED
 *	    |                                              |                |
 *	    | fault, Ctrl-C, crash: the files are removed  | the same       | 4
 *	    v                                              v                v
 *	 nothing                                        ABORTED          PLACED
 *
 * 1 Bytes are copied into files of their own (copies.h), 0600, the queue's
 *   owner's; length and SHA-256 of what is in the file are compared with those
 *   of the plan.  One syncfs() for all.  It tells of a write that failed since
 *   Linux 5.8, and on older ones a look at each file does.
 * 2 The inode is known now, and with it the queue ID (Postfix
 *   src/global/mail_queue.c): a short one has it in it, so that no message to
 *   come can get the same; a long one has the time in it and stays as it was,
 *   unless it is taken.  The plan has these names, and each message's in the
 *   archive.
 * 3 One durable record decides, as always.
 * 4 Logs first, then the message: 0700 and a rename that replaces nothing.  What
 *   is not here any more has been placed.
 *
 * Undo takes back what is byte for byte what it was, and keeps it here: it can
 * be placed again, or purged.
 */
#include "change/import.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "change/copies.h"
#include "change/identity.h"
#include "change/origin.h"
#include "change/room.h"
#include "change/settle.h"
#include "change/twice.h"
#include "source/sha256.h"

#define READY 0700 /* what Postfix takes for a whole message */
#define NAMES_TRIED 64
#define ROUNDS 8
#define ROUND_PAUSE_NS 5000000L
#define USECS 1000000u

static int64_t ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* Its access time tells whether pickup has read it: ours is not to count. */
static int open_copy(int dir, const char *name)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	const int fd = openat(dir, name, flags | O_NOATIME);

	return fd < 0 && errno == EPERM ? openat(dir, name, flags) : fd;
}

/* ---- before ---- */

/* Postfix and its clients need the disk more than we do. */
static int check_room(const struct qt_change *c, const struct qt_plan *p,
    struct qt_error *err)
{
	uint64_t need = (uint64_t)p->bytes, free_bytes;
	struct statvfs v;
	size_t i, k;

	for (i = 0; i < p->n; i++)
		for (k = 0; k < QT_LOG_KINDS; k++)
			need += (uint64_t)p->origin[i].log_size[k];
	if (fstatvfs(c->spool->dirfd, &v) != 0)
		return qt_fsops_fail(err, "fstatvfs", c->spool->queue_dir);
	need += p->n * v.f_frsize; /* what is begun of a block is used */
	free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
	if (need <= free_bytes)
		return 0;
	(void)qt_fail(err, QT_E_SYS, c->spool->queue_dir,
	    "%s: %llu bytes are needed, %llu are free", strerror(ENOSPC),
	    (unsigned long long)need, (unsigned long long)free_bytes);
	if (err != NULL)
		err->sys = ENOSPC;
	return -1;
}

int qt_import_look(struct qt_change *c, struct qt_plan *p,
    struct qt_outcome *out, struct qt_error *err)
{
	size_t i;

	if (p->n == 0 || p->origins != p->n || c->opts.supply == NULL)
		return qt_fail(err, QT_E_USAGE, c->spool->queue_dir,
		    "there is nothing to be restored");
	for (i = 0; i < p->n; i++)
		if (p->v[i].queue != QT_Q_HOLD && p->v[i].queue != QT_Q_MAILDROP)
			return qt_fail(err, QT_E_USAGE,
			    qt_plan_path(p, &p->v[i]),
			    "messages are restored into hold or maildrop");
	if (check_room(c, p, err) != 0)
		return -1;
	return qt_twice_check(c, p, 0, c->opts.again, out, err);
}

int qt_import_look_again(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err)
{
	return qt_twice_check(c, tx->plan, tx->id, false, out, err);
}

/* ---- 1: the files ---- */

/* What takes the bytes of one file. */
struct sink {
	struct qt_change *c;
	const char *where;
	int fd;
	int64_t left;
};

static int wrong_bytes(const char *where, struct qt_error *err)
{
	return qt_fail(err, QT_E_CORRUPT, where,
	    "the bytes that were given are not those of the plan");
}

static int put(void *ctx, const void *bytes, size_t len, struct qt_error *err)
{
	struct sink *s = ctx;
	const char *p = bytes;
	ssize_t n;

	if (len > (uint64_t)s->left)
		return wrong_bytes(s->where, err);
	s->left -= (int64_t)len;
	for (; len > 0; p += n, len -= (size_t)n) {
		n = s->c->fs.write(s->c->fs.ctx, s->fd, p, len);
		if (n < 0)
			return qt_fsops_fail(err, "write", s->where);
	}
	return 0;
}

/* The file is what the plan says: read back, not as it was sent. */
static int check_sum(int fd, const char *want, const char *where,
    struct qt_error *err)
{
	struct qt_sha256 *h;
	char hex[65];
	int r;

	if (qt_sha256_new(&h, err) != 0)
		return -1;
	r = qt_sha256_fd(h, fd, hex, err);
	qt_sha256_free(h);
	if (r != 0)
		return -1;
	return strcmp(hex, want) == 0 ? 0 : wrong_bytes(where, err);
}

static int fill(struct qt_change *c, const struct qt_tx *tx, size_t seq,
    unsigned kind, int fd, struct qt_error *err)
{
	static const enum qt_queue logs[] = {[0] = QT_Q_DEFER,
	    [1] = QT_Q_BOUNCE, [2] = QT_Q_TRACE, [QT_COPY_MESSAGE] = QT_Q_COUNT};
	const struct qt_plan *p = tx->plan;
	struct sink s = {.c = c, .where = qt_origin_id(p, seq), .fd = fd,
	    .left = kind == QT_COPY_MESSAGE ? p->v[seq].size :
					      p->origin[seq].log_size[kind]};

	if (c->opts.supply(c->opts.supply_ctx, seq, logs[kind], put, &s, err) !=
	    0)
		return -1;
	if (s.left != 0)
		return wrong_bytes(s.where, err);
	return check_sum(fd, kind == QT_COPY_MESSAGE ? qt_origin_sum(p, seq) :
		qt_origin_log_sum(p, seq, kind), s.where, err);
}

/*
 * A time to come would put off its delivery once it is released.  What is for
 * pickup is new, and marked.
 */
static int stamp(struct qt_change *c, const struct qt_plan_item *it, int dir,
    const char *name, struct qt_error *err)
{
	struct timespec now;
	int r = 0;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (it->queue == QT_Q_MAILDROP)
		r = qt_identity_mark_unread(c, dir, name);
	else if (it->mtime_ns <= ns(&now))
		r = c->fs.utime(c->fs.ctx, dir, name, QT_FSOPS_KEEP,
		    it->mtime_ns);
	return r == 0 ? 0 : qt_fsops_fail(err, "utimensat", name);
}

static int write_file(struct qt_change *c, struct qt_tx *tx, size_t seq,
    unsigned kind, struct qt_error *err)
{
	const struct qt_spool *spool = c->spool;
	char name[QT_COPY_NAME_SIZE];
	int dir, fd, r;

	qt_copies_name(seq, kind, name);
	if (qt_copies_dir(tx, seq, &dir, err) != 0)
		return -1;
	fd = c->fs.create(c->fs.ctx, dir, name,
	    O_RDWR | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return qt_fsops_fail(err, "create", tx->where);
	r = fill(c, tx, seq, kind, fd, err);
	if (r == 0)
		r = qt_close(&fd, tx->where, err);
	qt_close_quiet(&fd);
	if (r == 0 && geteuid() == 0 && c->fs.chown(c->fs.ctx, dir, name,
		spool->owner_uid, spool->owner_gid) != 0)
		r = qt_fsops_fail(err, "chown", tx->where);
	return r == 0 && kind == QT_COPY_MESSAGE ?
	    stamp(c, &tx->plan->v[seq], dir, name, err) : r;
}

static int write_one(struct qt_change *c, struct qt_tx *tx, size_t seq,
    struct qt_error *err)
{
	unsigned k;

	if (qt_state_stopped(c))
		return qt_fail(err, QT_E_INTERRUPTED, c->spool->queue_dir,
		    "interrupted");
	if (write_file(c, tx, seq, QT_COPY_MESSAGE, err) != 0)
		return -1;
	for (k = 0; k < QT_LOG_KINDS; k++)
		if ((tx->plan->origin[seq].logs & 1u << k) != 0 &&
		    write_file(c, tx, seq, k, err) != 0)
			return -1;
	return 0;
}

/* ---- 2: the names ---- */

/* A name in no queue, and of no log: Postfix would take that for its own. */
static int is_free(struct qt_change *c, const char *id, bool *yes,
    struct qt_error *err)
{
	char path[QT_PLAN_PATH_SIZE];
	const char *name;
	struct stat st;
	enum qt_queue q;
	int dir, r;

	*yes = true;
	for (q = 0; q < QT_Q_COUNT && *yes; q++) {
		if (qt_identity_path(c, q, id, path, err) != 0)
			return -1;
		r = qt_identity_stat(c, path, &st, &dir, &name, err);
		if (r < 0)
			return -1;
		*yes = r > 0;
	}
	return 0;
}

/* The k-th name that it could have; the first is the one that it had. */
static void candidate(const struct qt_plan *p, size_t i, unsigned k,
    char id[QT_QUEUE_ID_MAX + 1])
{
	const char *old = qt_origin_id(p, i);
	const uint64_t ino = p->v[i].ino;
	struct qt_queue_id parts;

	qt_queue_id_parse(&parts, old);
	if (!parts.is_long || parts.seconds < 0) {
		qt_queue_id_make_short(id, QT_QUEUE_ID_MAX + 1,
		    (parts.usec + k) % USECS, ino);
	} else if (k == 0) {
		(void)strlcpy(id, old, QT_QUEUE_ID_MAX + 1);
	} else {
		qt_queue_id_make_long(id, QT_QUEUE_ID_MAX + 1, parts.seconds,
		    (parts.usec + k - 1) % USECS, ino);
	}
}

static int name_one(struct qt_change *c, struct qt_plan *p, size_t i,
    struct qt_error *err)
{
	char id[QT_QUEUE_ID_MAX + 1], path[QT_PLAN_PATH_SIZE];
	unsigned k = p->v[i].rename ? 1 : 0;
	bool free_name = false;

	for (; k < NAMES_TRIED && !free_name; k++) {
		candidate(p, i, k, id);
		if (is_free(c, id, &free_name, err) != 0)
			return -1;
	}
	if (!free_name)
		return qt_fail(err, QT_E_SYS, qt_origin_id(p, i),
		    "no queue ID is free for it");
	if (qt_identity_path(c, (enum qt_queue)p->v[i].queue, id, path, err) != 0)
		return -1;
	return qt_plan_set_path(p, i, path, err);
}

/*
 * Whether its pages were written: they were by syncfs(), so this has nothing
 * to wait for, and asks the disk for nothing.
 */
static int check_written(int fd, const char *name, struct qt_error *err)
{
	if (sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE |
		SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER) == 0 ||
	    errno == ENOSYS)
		return 0;
	return qt_fsops_fail(err, "sync_file_range", name);
}

/* What is durable now is what the plan is about. */
static int seal(struct qt_change *c, struct qt_plan *p, size_t i, int dir,
    const char *name, int fd, struct qt_error *err)
{
	struct qt_plan_item *it = &p->v[i];
	struct qt_handle h;
	struct stat st;

	if (check_written(fd, name, err) != 0)
		return -1;
	if (fstat(fd, &st) != 0)
		return qt_fsops_fail(err, "fstat", name);
	if (qt_identity_handle(dir, name, &h, name, err) != 0)
		return -1;
	it->ino = st.st_ino;
	it->mtime_ns = ns(&st.st_mtim);
	it->ctime_ns = ns(&st.st_ctim);
	it->uid = st.st_uid;
	it->gid = st.st_gid;
	it->computed = true;
	if (name_one(c, p, i, err) != 0)
		return -1;
	return qt_plan_set_handle(p, i, &h, err);
}

static int seal_one(struct qt_change *c, struct qt_tx *tx, size_t seq,
    struct qt_error *err)
{
	char name[QT_COPY_NAME_SIZE];
	unsigned k;
	int dir, fd, r = 0;

	if (qt_copies_dir(tx, seq, &dir, err) != 0)
		return -1;
	for (k = 0; k <= QT_COPY_MESSAGE && r == 0; k++) {
		if (k != QT_COPY_MESSAGE &&
		    (tx->plan->origin[seq].logs & 1u << k) == 0)
			continue;
		qt_copies_name(seq, k, name);
		if ((fd = open_copy(dir, name)) < 0)
			return qt_fsops_fail(err, "open", tx->where);
		r = k == QT_COPY_MESSAGE ?
		    seal(c, tx->plan, seq, dir, name, fd, err) :
		    check_written(fd, name, err);
		qt_close_quiet(&fd);
	}
	return r;
}

int qt_import_write(struct qt_change *c, struct qt_tx *tx,
    struct qt_error *err)
{
	struct qt_plan *p = tx->plan;
	size_t i;

	p->dev = c->spool->dev;
	if (qt_copies_make(c, tx, err) != 0)
		return -1;
	for (i = 0; i < p->n; i++) {
		if (write_one(c, tx, i, err) != 0)
			return -1;
		qt_settle_progress(c, i + 1, p->n);
	}
	if (qt_state_barrier(c, err) != 0)
		return -1;
	for (i = 0; i < p->n; i++)
		if (seal_one(c, tx, i, err) != 0)
			return -1;
	return 0;
}

/* ---- 4: into the queue ---- */

/*
 * A copy to its path: 0 moved; 1 it is not here (any more); 2 the name is
 * another's.
 */
static int move(struct qt_change *c, struct qt_tx *tx, size_t seq,
    unsigned kind, const char *path, struct qt_error *err)
{
	char name[QT_COPY_NAME_SIZE];
	const char *target;
	int dir, to;

	qt_copies_name(seq, kind, name);
	if (qt_copies_dir(tx, seq, &dir, err) != 0)
		return -1;
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 1 :
		    qt_fsops_fail(err, "faccessat", tx->where);
	if (qt_dirs_make(&c->dirs, &c->fs, c->spool, tx->stage, path, &to,
		&target, err) != 0)
		return -1;
	if (qt_room_rename(c, dir, name, to, target) == 0)
		return 0;
	return errno == EEXIST ? 2 : qt_room_fail(err, path);
}

/* 0 all are there; 1 a name is taken. */
static int place_logs(struct qt_change *c, struct qt_tx *tx, size_t seq,
    struct qt_error *err)
{
	const char *id = qt_plan_id(tx->plan, &tx->plan->v[seq]);
	char path[QT_PLAN_PATH_SIZE];
	unsigned k;
	int r;

	for (k = 0; k < QT_LOG_KINDS; k++) {
		if (qt_identity_path(c, qt_tx_log_queue(1u << k), id, path,
			err) != 0)
			return -1;
		r = move(c, tx, seq, k, path, err);
		if (r < 0)
			return -1;
		if (r == 2)
			return 1;
	}
	return 0;
}

/* A log of a message that is not here: to it, or of no use any more. */
static int late_log(struct qt_change *c, struct qt_tx *tx, size_t seq,
    unsigned kind, bool there, struct qt_error *err)
{
	const char *id = qt_plan_id(tx->plan, &tx->plan->v[seq]);
	char name[QT_COPY_NAME_SIZE], path[QT_PLAN_PATH_SIZE];
	int dir, r = 2;

	if (qt_identity_path(c, qt_tx_log_queue(1u << kind), id, path, err) != 0)
		return -1;
	if (there && (r = move(c, tx, seq, kind, path, err)) <= 1)
		return r < 0 ? -1 : 0;
	/* Postfix has written another, or has no use for one */
	qt_copies_name(seq, kind, name);
	if (qt_copies_dir(tx, seq, &dir, err) != 0)
		return -1;
	if (c->fs.unlink(c->fs.ctx, dir, name) != 0 && errno != ENOENT)
		return qt_fsops_fail(err, "unlink", tx->where);
	return 0;
}

/*
 * It is not here: where it was put, or it has left since; when an undo did not
 * take it, it may have been gone then.  A power cut may have brought back its
 * logs alone.
 */
static int is_placed(struct qt_change *c, struct qt_tx *tx, size_t seq,
    enum qt_taken *what, struct qt_error *err)
{
	const struct qt_plan_item *it = &tx->plan->v[seq];
	const char *name;
	struct stat st;
	bool there;
	unsigned k;
	int dir, r;

	r = qt_identity_stat(c, qt_plan_path(tx->plan, it), &st, &dir, &name,
	    err);
	if (r < 0)
		return -1;
	there = r == 0 && st.st_ino == it->ino;
	*what = there || tx->log.redone == 0 ? QT_TAKEN : QT_TAKEN_GONE;
	for (k = 0; k < QT_LOG_KINDS; k++)
		if (late_log(c, tx, seq, k, there, err) != 0)
			return -1;
	return 0;
}

/* The copy as a whole message; 1: it is not here. */
static int make_ready(struct qt_change *c, struct qt_tx *tx, size_t seq,
    struct qt_error *err)
{
	const struct qt_plan_item *it = &tx->plan->v[seq];
	char name[QT_COPY_NAME_SIZE];
	struct stat st;
	int dir, fd, r = 0;

	qt_copies_name(seq, QT_COPY_MESSAGE, name);
	if (qt_copies_dir(tx, seq, &dir, err) != 0)
		return -1;
	if ((fd = open_copy(dir, name)) < 0)
		return errno == ENOENT ? 1 :
		    qt_fsops_fail(err, "open", tx->where);
	if (fstat(fd, &st) != 0)
		r = qt_fsops_fail(err, "fstat", tx->where);
	else if (st.st_ino != it->ino || st.st_size != it->size)
		r = qt_fail(err, QT_E_STATE, tx->where,
		    "\"%s\" among its copies is not what it made", name);
	else if ((st.st_mode & 07777) != READY &&
	    c->fs.chmod(c->fs.ctx, fd, READY) != 0)
		r = qt_fsops_fail(err, "fchmod", tx->where);
	qt_close_quiet(&fd);
	return r;
}

int qt_import_place(struct qt_change *c, struct qt_tx *tx, size_t seq,
    enum qt_taken *what, struct qt_error *err)
{
	const char *path = qt_plan_path(tx->plan, &tx->plan->v[seq]);
	int r = make_ready(c, tx, seq, err);

	if (r < 0)
		return -1;
	if (r > 0)
		return is_placed(c, tx, seq, what, err);
	*what = QT_TAKEN_CHANGED;
	if ((r = place_logs(c, tx, seq, err)) != 0)
		return r < 0 ? -1 : 0;
	if ((r = move(c, tx, seq, QT_COPY_MESSAGE, path, err)) < 0)
		return -1;
	if (r != 2)
		*what = QT_TAKEN;
	return 0;
}

/* ---- out of it ---- */

/* An agent has it open: what it delivers it will mark. */
static int is_locked(int fd, bool *yes, const char *where, struct qt_error *err)
{
	int r;

	do
		r = flock(fd, LOCK_EX | LOCK_NB);
	while (r != 0 && errno == EINTR);
	*yes = r != 0 && errno == EWOULDBLOCK;
	return r == 0 || *yes ? 0 : qt_fsops_fail(err, "flock", where);
}

/* Whether what lies here is what was made: QT_TAKEN, or why it goes back. */
static int judge_fd(const struct qt_tx *tx, size_t seq, int fd,
    enum qt_taken *what, struct qt_error *err)
{
	const struct qt_plan_item *it = &tx->plan->v[seq];
	struct qt_error e = {0};
	struct stat st;
	bool locked;

	if (is_locked(fd, &locked, tx->where, err) != 0)
		return -1;
	*what = QT_TAKEN_IN_DELIVERY;
	if (locked)
		return 0;
	if (fstat(fd, &st) != 0)
		return qt_fsops_fail(err, "fstat", tx->where);
	*what = QT_TAKEN_CHANGED;
	if (st.st_ino != it->ino || st.st_size != it->size)
		return 0;
	if (check_sum(fd, qt_origin_sum(tx->plan, seq), tx->where, &e) == 0)
		*what = QT_TAKEN;
	else if (e.code != QT_E_CORRUPT && err != NULL)
		*err = e;
	return e.code == QT_OK || e.code == QT_E_CORRUPT ? 0 : -1;
}

/* The copy that is here: 1 there is none. */
static int judge_copy(struct qt_tx *tx, size_t seq, enum qt_taken *what,
    struct qt_error *err)
{
	char name[QT_COPY_NAME_SIZE];
	bool doubt = false;
	int dir, fd, r = 0;

	qt_copies_name(seq, QT_COPY_MESSAGE, name);
	if (qt_copies_dir(tx, seq, &dir, err) != 0)
		return -1;
	/* pickup(8) locks nothing (place.c) */
	if (tx->plan->v[seq].queue == QT_Q_MAILDROP)
		r = qt_identity_may_be_read(dir, name, tx->where,
		    tx->log.commit.time_ns, &doubt, err);
	if (r != 0)
		return -1;
	if ((fd = open_copy(dir, name)) < 0)
		return errno == ENOENT ? 1 :
		    qt_fsops_fail(err, "open", tx->where);
	r = judge_fd(tx, seq, fd, what, err);
	if (r == 0 && doubt)
		*what = QT_TAKEN_IN_DELIVERY;
	qt_close_quiet(&fd);
	return r;
}

/* What was taken by mistake: where it came from, or where it belongs. */
static int give_back(struct qt_change *c, struct qt_tx *tx, size_t seq,
    const char *path, struct qt_error *err)
{
	int r = move(c, tx, seq, QT_COPY_MESSAGE, path, err);

	if (r < 0)
		return -1;
	return r != 2 ? 0 : qt_fail(err, QT_E_STATE, path,
	    "was taken and is not as it was restored, and its place is taken "
	    "meanwhile: it stays in staging");
}

/* From a path below the spool into our directory; 1: it is not there. */
static int take_from(struct qt_change *c, struct qt_tx *tx, size_t seq,
    const char *path, struct qt_error *err)
{
	const struct qt_plan_item *it = &tx->plan->v[seq];
	char entry[QT_COPY_NAME_SIZE];
	struct qt_handle h;
	const char *name;
	struct stat st;
	int dir, to, r;

	if ((r = qt_identity_stat(c, path, &st, &dir, &name, err)) != 0)
		return r;
	if (!S_ISREG(st.st_mode) || st.st_ino != it->ino)
		return 1;
	if ((r = qt_identity_handle(dir, name, &h, path, err)) != 0)
		return r;
	if (!qt_identity_same(tx->plan, it, &h))
		return 1;
	qt_copies_name(seq, QT_COPY_MESSAGE, entry);
	if (qt_copies_dir(tx, seq, &to, err) != 0)
		return -1;
	if (qt_room_rename(c, dir, name, to, entry) == 0)
		return 0;
	return errno == ENOENT ? 1 : qt_room_fail(err, path);
}

/* In active it is qmgr's: 0 it is there; 1 not. */
static int is_active(struct qt_change *c, const struct qt_tx *tx, size_t seq,
    struct qt_error *err)
{
	const struct qt_plan_item *it = &tx->plan->v[seq];
	char path[QT_PLAN_PATH_SIZE];
	const char *name;
	struct stat st;
	int dir, r;

	if (qt_identity_path(c, QT_Q_ACTIVE, qt_plan_id(tx->plan, it), path,
		err) != 0)
		return -1;
	r = qt_identity_stat(c, path, &st, &dir, &name, err);
	return r != 0 ? r : st.st_ino != it->ino;
}

/* One round: 0 taken, its place in from; 1 in none of the queues. */
static int take_round(struct qt_change *c, struct qt_tx *tx, size_t seq,
    char from[QT_PLAN_PATH_SIZE], struct qt_error *err)
{
	static const enum qt_queue queues[] = {QT_Q_HOLD, QT_Q_DEFERRED,
	    QT_Q_INCOMING, QT_Q_MAILDROP};
	const struct qt_plan_item *it = &tx->plan->v[seq];
	size_t q;
	int r;

	for (q = 0; q < sizeof(queues) / sizeof(queues[0]); q++) {
		if (queues[q] == QT_Q_MAILDROP && it->queue != QT_Q_MAILDROP)
			continue;
		if (qt_identity_path(c, queues[q], qt_plan_id(tx->plan, it),
			from, err) != 0)
			return -1;
		if ((r = take_from(c, tx, seq, from, err)) <= 0)
			return r;
	}
	return 1;
}

/* 0 taken; 1 *what says why not. */
static int search(struct qt_change *c, struct qt_tx *tx, size_t seq,
    char from[QT_PLAN_PATH_SIZE], enum qt_taken *what, struct qt_error *err)
{
	const struct timespec pause = {0, ROUND_PAUSE_NS};
	enum qt_life life;
	int round, r;

	for (round = 0; round < ROUNDS; round++) {
		if ((r = take_round(c, tx, seq, from, err)) <= 0)
			return r;
		*what = QT_TAKEN_IN_DELIVERY;
		if ((r = is_active(c, tx, seq, err)) <= 0)
			return r < 0 ? -1 : 1;
		if (qt_identity_ask(c, tx->plan, &tx->plan->v[seq], &life,
			err) != 0)
			return -1;
		*what = life == QT_LIFE_ALIVE ? QT_TAKEN_CHANGED :
						QT_TAKEN_GONE;
		if (life == QT_LIFE_GONE)
			break;
		qt_dirs_forget(&c->dirs);
		if (round > 0)
			(void)nanosleep(&pause, NULL);
	}
	return 1;
}

/*
 * The logs that Postfix has for it now: while the message is here its inode
 * keeps its ID from being another's.
 */
static int take_logs(struct qt_change *c, struct qt_tx *tx, size_t seq,
    struct qt_error *err)
{
	const char *id = qt_plan_id(tx->plan, &tx->plan->v[seq]), *name;
	char path[QT_PLAN_PATH_SIZE], entry[QT_COPY_NAME_SIZE];
	int dir, to, r;
	unsigned k;

	for (k = 0; k < QT_LOG_KINDS; k++) {
		if (qt_identity_path(c, qt_tx_log_queue(1u << k), id, path,
			err) != 0)
			return -1;
		r = qt_dirs_get(&c->dirs, c->spool, path, &dir, &name, err);
		if (r < 0 || qt_copies_dir(tx, seq, &to, err) != 0)
			return -1;
		if (r > 0)
			continue;
		qt_copies_name(seq, k, entry);
		/* EEXIST: it never left, and the other is a new one */
		if (qt_room_rename(c, dir, name, to, entry) != 0 &&
		    errno != ENOENT && errno != EEXIST)
			return qt_room_fail(err, path);
	}
	return 0;
}

int qt_import_take(struct qt_change *c, struct qt_tx *tx, size_t seq,
    enum qt_taken *what, struct qt_error *err)
{
	char from[QT_PLAN_PATH_SIZE];
	int r;

	/* here already: it never left, or an interrupted undo has taken it */
	(void)strlcpy(from, qt_plan_path(tx->plan, &tx->plan->v[seq]),
	    sizeof(from));
	r = judge_copy(tx, seq, what, err);
	if (r > 0) {
		if ((r = search(c, tx, seq, from, what, err)) != 0)
			return r < 0 ? -1 : 0;
		r = judge_copy(tx, seq, what, err);
	}
	if (r != 0)
		return r < 0 ? -1 : qt_fail(err, QT_E_STATE, tx->where,
		    "what was taken vanished");
	if (*what == QT_TAKEN)
		return take_logs(c, tx, seq, err);
	if (strncmp(from, "maildrop/", 9) != 0)
		return give_back(c, tx, seq, from, err);
	/* pickup may be at it: under that name it never comes back (place.c) */
	*what = QT_TAKEN_DOUBTFUL;
	return 0;
}
