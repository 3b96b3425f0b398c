/*
 * txdir.c - one transaction on disk.
 */
#include "change/txdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "change/field.h"
#include "change/places.h"
#include "change/room.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

const char *const qt_tx_area_names[QT_TX_AREAS] = {"m", "x"};

void qt_tx_init(struct qt_tx *tx, uint64_t id)
{
	*tx = (struct qt_tx){.id = id, .stage = -1, .home = -1, .copies = -1};
	qt_journal_init(&tx->log);
	qt_state_tx_name(id, tx->name);
	(void)snprintf(tx->where, sizeof(tx->where), "transaction %llu",
	    (unsigned long long)id);
	tx->bucket[QT_TX_MESSAGES].fd = tx->bucket[QT_TX_LOGS].fd = -1;
}

void qt_tx_release(struct qt_tx *tx)
{
	int i;

	qt_journal_release(&tx->log);
	qt_plan_free(tx->plan);
	tx->plan = NULL;
	for (i = 0; i < QT_TX_AREAS; i++)
		qt_close_quiet(&tx->bucket[i].fd);
	qt_close_quiet(&tx->copies);
	qt_close_quiet(&tx->home);
	qt_close_quiet(&tx->stage);
}

/* ---- names ---- */

static const struct {
	unsigned bit;
	char letter;
	enum qt_queue queue;
} logs[] = {
    {QT_LOG_DEFER, 'd', QT_Q_DEFER}, {QT_LOG_BOUNCE, 'b', QT_Q_BOUNCE},
    {QT_LOG_TRACE, 't', QT_Q_TRACE},
    {QT_LOG_DEFER << QT_LOG_LATE, 'D', QT_Q_DEFER},
    {QT_LOG_BOUNCE << QT_LOG_LATE, 'B', QT_Q_BOUNCE},
    {QT_LOG_TRACE << QT_LOG_LATE, 'T', QT_Q_TRACE},
};
#define NLOGS (sizeof(logs) / sizeof(logs[0]))

char qt_tx_log_letter(unsigned bit)
{
	size_t i;

	for (i = 0; i < NLOGS; i++)
		if (logs[i].bit == bit)
			return logs[i].letter;
	return '?';
}

enum qt_queue qt_tx_log_queue(unsigned bit)
{
	size_t i;

	for (i = 0; i < NLOGS; i++)
		if (logs[i].bit == bit)
			return logs[i].queue;
	return QT_Q_COUNT;
}

static unsigned log_bit(char letter)
{
	size_t i;

	for (i = 0; i < NLOGS; i++)
		if (logs[i].letter == letter)
			return logs[i].bit;
	return 0;
}

void qt_tx_entry(const struct qt_tx *tx, size_t seq, char letter,
    char name[QT_TX_ENTRY_SIZE])
{
	qt_staged_name(seq, qt_plan_id(tx->plan, &tx->plan->v[seq]), letter,
	    name);
}

void qt_tx_bucket_name(enum qt_tx_area area, size_t no,
    char name[QT_TX_BUCKET_NAME_SIZE])
{
	(void)snprintf(name, QT_TX_BUCKET_NAME_SIZE, "%s/%04zu", qt_tx_area_names[area],
	    no);
}

/*
 * A bucket, or the last one there is: a full disk had no room for more, and
 * that one has the names of all that would follow.
 */
static int open_bucket(const struct qt_tx *tx, enum qt_tx_area area, size_t no)
{
	char name[QT_TX_BUCKET_NAME_SIZE];
	int fd;

	do {
		qt_tx_bucket_name(area, no, name);
		fd = openat(tx->stage, name, DIR_FLAGS);
	} while (fd < 0 && errno == ENOENT && no-- > 0);
	return fd;
}

int qt_tx_bucket(struct qt_tx *tx, enum qt_tx_area area, size_t seq, int *fd,
    struct qt_error *err)
{
	size_t no = seq / QT_TX_BUCKET;

	if (tx->bucket[area].fd < 0 || tx->bucket[area].no != no) {
		qt_close_quiet(&tx->bucket[area].fd);
		tx->bucket[area].fd = open_bucket(tx, area, no);
		if (tx->bucket[area].fd < 0)
			return qt_fsops_fail(err, "open", tx->where);
		tx->bucket[area].no = no;
	}
	*fd = tx->bucket[area].fd;
	return 0;
}

/* ---- making ---- */

/* One of each area, or none. */
static int make_both(struct qt_change *c, const struct qt_tx *tx, size_t no)
{
	char name[QT_TX_BUCKET_NAME_SIZE];
	int sys;

	qt_tx_bucket_name(QT_TX_MESSAGES, no, name);
	if (c->fs.mkdir(c->fs.ctx, tx->stage, name, 0700) != 0)
		return -1;
	qt_tx_bucket_name(QT_TX_LOGS, no, name);
	if (c->fs.mkdir(c->fs.ctx, tx->stage, name, 0700) == 0)
		return 0;
	sys = errno;
	qt_tx_bucket_name(QT_TX_MESSAGES, no, name);
	(void)c->fs.rmdir(c->fs.ctx, tx->stage, name);
	errno = sys;
	return -1;
}

/*
 * Buckets after the first, which came with the directory; as many as there is
 * room for.
 */
static int make_buckets(struct qt_change *c, struct qt_tx *tx,
    struct qt_error *err)
{
	size_t no, n = (tx->plan->n + QT_TX_BUCKET - 1) / QT_TX_BUCKET;

	if (qt_op_places(tx->plan->op))
		return 0; /* nothing is staged */
	for (no = 1; no < n; no++)
		if (make_both(c, tx, no) != 0)
			return qt_room_none(errno) ? 0 :
			    qt_fsops_fail(err, "mkdir", tx->where);
	return 0;
}

static int make_again(struct qt_change *c, const struct qt_tx *tx,
    const char *name, struct qt_error *err)
{
	if (c->fs.mkdir(c->fs.ctx, tx->stage, name, 0700) == 0 ||
	    errno == EEXIST)
		return 0;
	return qt_fsops_fail(err, "mkdir", tx->where);
}

int qt_tx_remake(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
{
	size_t no, n = (tx->plan->n + QT_TX_BUCKET - 1) / QT_TX_BUCKET;
	char name[QT_TX_BUCKET_NAME_SIZE];
	int a;

	for (a = 0; a < QT_TX_AREAS; a++) {
		if (make_again(c, tx, qt_tx_area_names[a], err) != 0)
			return -1;
		for (no = 0; no < n; no++) {
			qt_tx_bucket_name((enum qt_tx_area)a, no, name);
			if (make_again(c, tx, name, err) != 0)
				return -1;
		}
	}
	return qt_state_barrier(c, err);
}

/* The number after all that are there, in the spool and in every place. */
static int next_id(const struct qt_change *c, uint64_t *id,
    struct qt_error *err)
{
	uint64_t *ids;
	size_t n;

	if (qt_state_tx_ids(c, &ids, &n, err) != 0)
		return -1;
	*id = n > 0 ? ids[n - 1] + 1 : 1;
	free(ids);
	return 0;
}

/* 1: another spool that shares a place has used that number. */
static int used_elsewhere(const struct qt_change *c, const char *name,
    struct qt_error *err)
{
	struct stat st;
	size_t i;

	for (i = 0; i < c->places.n; i++) {
		if (c->places.v[i].tx < 0)
			continue;
		if (fstatat(c->places.v[i].tx, name, &st,
			AT_SYMLINK_NOFOLLOW) == 0)
			return 1;
		if (errno != ENOENT)
			return qt_fsops_fail(err, "fstatat",
			    c->places.v[i].path);
	}
	return 0;
}

/* One try with a number: 0 made, 1 taken. */
static int make_dirs(struct qt_change *c, struct qt_tx *tx,
    struct qt_error *err)
{
	int home_dir = c->place != SIZE_MAX ? c->places.v[c->place].tx : -1, r;

	if ((r = used_elsewhere(c, tx->name, err)) != 0)
		return r;
	/* outside first: then SPOOL/qtool/tx/ID says that it is ours */
	if (home_dir >= 0) {
		if (c->fs.mkdir(c->fs.ctx, home_dir, tx->name, 0700) != 0)
			return errno == EEXIST ? 1 :
			    qt_fsops_fail(err, "mkdir",
				c->places.v[c->place].path);
		tx->place = c->places.v[c->place].path;
		tx->home = openat(home_dir, tx->name, DIR_FLAGS);
		if (tx->home < 0)
			return qt_fsops_fail(err, "open", tx->place);
	}
	if ((r = qt_places_new_tx(c, tx->name, err)) != 0)
		return r;
	tx->stage = openat(c->tx, tx->name, DIR_FLAGS);
	if (tx->stage < 0)
		return qt_fsops_fail(err, "open", tx->where);
	if (tx->home < 0 && (tx->home = openat(tx->stage, ".", DIR_FLAGS)) < 0)
		return qt_fsops_fail(err, "open", tx->where);
	return make_buckets(c, tx, err);
}

/* Where plan and log are on the full disk, they need not be. */
static int no_room_here(const struct qt_tx *tx, struct qt_error *err)
{
	if (tx->place == NULL)
		qt_room_hint(err, "with --state-dir plan and log can be on "
		    "another file system");
	return -1;
}

int qt_tx_make(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
{
	struct qt_plan *plan = tx->plan;
	uint64_t id;
	int r;

	if (next_id(c, &id, err) != 0)
		return -1;
	do {
		tx->plan = NULL;
		qt_tx_release(tx);
		qt_tx_init(tx, id++);
		tx->plan = plan;
		plan->txid = tx->id;
	} while ((r = make_dirs(c, tx, err)) > 0);
	return r == 0 ? 0 : no_room_here(tx, err);
}

static int write_file(struct qt_change *c, struct qt_tx *tx,
    struct qt_error *err)
{
	int fd, r;

	fd = c->fs.create(c->fs.ctx, tx->home, QT_TX_PLAN_TMP,
	    O_WRONLY | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return qt_fsops_fail(err, "create plan", tx->where);
	r = qt_plan_write(tx->plan, &c->fs, fd, tx->where, err);
	if (r == 0 && c->fs.fsync(c->fs.ctx, fd) != 0)
		r = qt_fsops_fail(err, "fsync plan", tx->where);
	if (r == 0)
		r = qt_close(&fd, tx->where, err);
	qt_close_quiet(&fd);
	return r;
}

int qt_tx_write_plan(struct qt_change *c, struct qt_tx *tx,
    struct qt_error *err)
{
	if (write_file(c, tx, err) != 0)
		return no_room_here(tx, err);
	if (c->fs.rename(c->fs.ctx, tx->home, QT_TX_PLAN_TMP, tx->home, QT_TX_PLAN_NAME) != 0)
		return qt_fsops_fail(err, "rename plan", tx->where);
	if (c->fs.fsync(c->fs.ctx, tx->home) != 0)
		return qt_fsops_fail(err, "fsync", tx->where);
	if (tx->place != NULL &&
	    c->fs.fsync(c->fs.ctx, c->places.v[c->place].tx) != 0)
		return qt_fsops_fail(err, "fsync", tx->place);
	/* the staging directories and all their parents */
	return qt_state_barrier(c, err);
}

/* ---- opening ---- */

static bool exists(int dir, const char *name, bool *yes)
{
	struct stat st;

	*yes = fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	return *yes || errno == ENOENT;
}

/* Whether a plan outside the spool is this queue's: two may share a place. */
static int plan_is_ours(const struct qt_change *c, int dir, const char *where,
    bool *ours, struct qt_error *err)
{
	struct qt_plan *head = NULL;
	size_t count;
	int fd, r;

	fd = openat(dir, QT_TX_PLAN_NAME,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return qt_fsops_fail(err, "open plan", where);
	r = qt_plan_peek(&head, &count, fd, where, err);
	qt_close_quiet(&fd);
	if (r == 0)
		*ours = head->queue_ino == c->spool->ino ||
		    (head->queue_dir != NULL &&
			strcmp(head->queue_dir, c->spool->queue_dir) == 0);
	qt_plan_free(head);
	return r;
}

/* Look for the plan in one place: 0 there, 1 not there. */
static int look_in_place(struct qt_change *c, struct qt_tx *tx, size_t i,
    struct qt_error *err)
{
	struct qt_state_dir *place = &c->places.v[i];
	int dir = openat(place->tx, tx->name, DIR_FLAGS), r = 0;
	bool yes, ours = false;

	if (dir < 0)
		return errno == ENOENT ? 1 :
		    qt_fsops_fail(err, "open", place->path);
	if (!exists(dir, QT_TX_PLAN_NAME, &yes))
		r = qt_fsops_fail(err, "fstatat plan", place->path);
	else if (yes)
		r = plan_is_ours(c, dir, tx->where, &ours, err);
	if (r == 0 && ours) {
		tx->home = dir;
		tx->place = place->path;
		return 0;
	}
	qt_close_quiet(&dir);
	return r == 0 ? 1 : r;
}

/* A log without a plan: the plan was durable before the log was made. */
static int no_plan(const struct qt_tx *tx, struct qt_error *err)
{
	bool yes;

	if (!exists(tx->stage, QT_TX_LOG_NAME, &yes))
		return qt_fsops_fail(err, "fstatat log", tx->where);
	if (yes)
		return qt_fail(err, QT_E_STATE, tx->where,
		    "there is a log without a plan");
	return 1;
}

int qt_tx_look(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
{
	size_t i;
	bool yes;
	int r;

	tx->stage = openat(c->tx, tx->name, DIR_FLAGS);
	if (tx->stage < 0)
		return qt_fsops_fail(err, "open", tx->where);
	if (!exists(tx->stage, QT_TX_PLAN_NAME, &yes))
		return qt_fsops_fail(err, "fstatat plan", tx->where);
	if (yes && (tx->home = openat(tx->stage, ".", DIR_FLAGS)) < 0)
		return qt_fsops_fail(err, "open", tx->where);
	for (i = 0; tx->home < 0 && i < c->places.n; i++) {
		if (c->places.v[i].tx < 0)
			continue;
		if ((r = look_in_place(c, tx, i, err)) < 0)
			return -1;
	}
	if (tx->home < 0)
		return no_plan(tx, err);
	r = qt_journal_read(&tx->log, tx->home, tx->where, err);
	return r < 0 ? -1 : 0; /* no log yet: prepared */
}

int qt_tx_open_log(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
{
	int r;

	if (tx->log.fd >= 0)
		return 0;
	r = qt_journal_open(&tx->log, &c->fs, tx->home, tx->where, err);
	return r <= 0 ? r :
	    qt_journal_create(&tx->log, &c->fs, tx->home, tx->where, err);
}

/* ---- what is staged ---- */

struct walk {
	const struct qt_tx *tx;
	enum qt_tx_area area;
	int dir;	 /* of the bucket */
	uint64_t no;	 /* its number */
	bool last;	 /* it has those of all that would follow, too */
	size_t count;
	/* per name of a bucket; may be NULL: count alone */
	int (*fn)(struct walk *w, const char *name, struct qt_error *err);
};

static int strange(const struct qt_tx *tx, const char *name,
    struct qt_error *err)
{
	return qt_fail(err, QT_E_STATE, tx->where,
	    "\"%s\" in staging is none of its names", name);
}

/* Note one name in the plan's item. */
static int note_entry(struct walk *w, const char *name, struct qt_error *err)
{
	struct qt_plan *p = w->tx->plan;
	char again[QT_TX_ENTRY_SIZE];
	struct qt_plan_item *it;
	struct qt_staged s;
	unsigned bit;

	if (!qt_staged_parse(name, &s) || s.seq >= p->n ||
	    (w->last ? s.seq / QT_TX_BUCKET < w->no :
		s.seq / QT_TX_BUCKET != w->no))
		return strange(w->tx, name, err);
	qt_tx_entry(w->tx, (size_t)s.seq, s.letter, again);
	if (strcmp(name, again) != 0)
		return strange(w->tx, name, err);
	it = &p->v[s.seq];
	if (w->area == QT_TX_MESSAGES) {
		if (qt_staged_queue(s.letter) == QT_Q_COUNT ||
		    it->staged != '\0')
			return strange(w->tx, name, err);
		it->staged = s.letter;
	} else {
		if ((bit = log_bit(s.letter)) == 0)
			return strange(w->tx, name, err);
		it->logs |= (uint8_t)bit;
	}
	return 0;
}

static int each_entry(void *ctx, const char *name, struct qt_error *err)
{
	struct walk *w = ctx;

	w->count++;
	return w->fn != NULL ? w->fn(w, name, err) : 0;
}

static int each_bucket(void *ctx, const char *name, struct qt_error *err)
{
	struct walk *w = ctx;
	char path[QT_TX_BUCKET_NAME_SIZE], again[QT_TX_BUCKET_NAME_SIZE];
	int fd, r;
	size_t zeros = strspn(name, "0");

	if (strlen(name) >= 12)
		return strange(w->tx, name, err);
	zeros -= zeros > 0 && name[zeros] == '\0';
	if (!qt_field_u64(name + zeros, QT_PLAN_MAX, &w->no))
		return strange(w->tx, name, err);
	qt_tx_bucket_name(w->area, (size_t)w->no, path);
	(void)snprintf(again, sizeof(again), "%s/%s", qt_tx_area_names[w->area],
	    name);
	if (strcmp(path, again) != 0)
		return strange(w->tx, name, err);
	if ((fd = openat(w->tx->stage, path, DIR_FLAGS)) < 0)
		return qt_fsops_fail(err, "open", w->tx->where);
	qt_tx_bucket_name(w->area, (size_t)w->no + 1, path);
	w->last = faccessat(w->tx->stage, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0;
	r = qt_state_each(fd, w->tx->where, each_entry, w, err);
	qt_close_quiet(&fd);
	return r;
}

static int walk_area(struct walk *w, struct qt_error *err)
{
	int fd = openat(w->tx->stage, qt_tx_area_names[w->area], DIR_FLAGS), r;

	if (fd < 0)
		return errno == ENOENT ? 0 :
		    qt_fsops_fail(err, "open", w->tx->where);
	r = qt_state_each(fd, w->tx->where, each_bucket, w, err);
	qt_close_quiet(&fd);
	return r;
}

int qt_tx_count(const struct qt_tx *tx, enum qt_tx_area area, size_t *n,
    struct qt_error *err)
{
	struct walk w = {.tx = tx, .area = area};

	if (walk_area(&w, err) != 0)
		return -1;
	*n = w.count;
	return 0;
}

int qt_tx_load(struct qt_tx *tx, struct qt_error *err)
{
	struct walk messages = {.tx = tx, .area = QT_TX_MESSAGES,
	    .fn = note_entry};
	struct walk logfiles = {.tx = tx, .area = QT_TX_LOGS, .fn = note_entry};
	int fd, r;

	fd = openat(tx->home, QT_TX_PLAN_NAME,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return qt_fsops_fail(err, "open plan", tx->where);
	r = qt_plan_read(&tx->plan, fd, tx->where, err);
	qt_close_quiet(&fd);
	if (r == 0 && tx->plan->txid != tx->id)
		r = qt_fail(err, QT_E_STATE, tx->where,
		    "the plan is that of transaction %llu",
		    (unsigned long long)tx->plan->txid);
	if (r == 0)
		r = walk_area(&messages, err);
	return r == 0 ? walk_area(&logfiles, err) : r;
}
