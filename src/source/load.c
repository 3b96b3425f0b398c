/*
 * load.c - open a queue file safely, read what is asked for, judge it.
 *
 * One descriptor from fstat to the last byte: identity, state and values are
 * of the same file, whatever becomes of its name meanwhile.  Cost matters here
 * as nowhere else: a row of small mail is one open, fstat, pread and close,
 * and no allocation once its memory has been used before.
 */
#include "source/load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "qtool/queueid.h"
#include "source/below.h"
#include "source/keep.h"
#include "source/picks_priv.h"

#define REREADS 3 /* of a file that changes while it is read */

/* Wants that read the file's bytes. */
#define WANT_FILE (QT_WANT_MSG | QT_WANT_HASH)

/*
 * A row's first block comes for free: it is there for every row and bounded by
 * the number of rows.  What is beyond it is charged to the budget.
 */
#define FREE_BYTES ((size_t)8 << 10)
/* Files at least as large wait for room before they are read. */
#define LARGE_FILE ((int64_t)64 << 10)
#define RCPTS_ESTIMATE ((int64_t)1 << 20)

unsigned qt_load_want(unsigned want)
{
	if ((want & (QT_WANT_RCPTS | QT_WANT_HEADERS | QT_WANT_BODY |
	    QT_WANT_KEPT)) != 0)
		want |= QT_WANT_MSG;
	if ((want & (QT_WANT_MSG | QT_WANT_HASH | QT_WANT_LOCKS)) != 0)
		want |= QT_WANT_STAT;
	return want;
}

bool qt_load_reads(unsigned want)
{
	return (want & (WANT_FILE | QT_WANT_KEPT)) != 0;
}

unsigned qt_load_logs_of(unsigned want, const struct qt_spool *spool)
{
	unsigned kinds = 0;

	if ((want & QT_WANT_KEPT) != 0)
		return QT_Q_BIT(QT_Q_DEFER) | QT_Q_BIT(QT_Q_BOUNCE) |
		    QT_Q_BIT(QT_Q_TRACE);
	if ((want & QT_WANT_LOGS) != 0)
		kinds |= QT_Q_BIT(QT_Q_DEFER);
	if ((want & QT_WANT_BOUNCES) != 0 ||
	    ((want & QT_WANT_LOGS) != 0 && spool->orig_address))
		kinds |= QT_Q_BIT(QT_Q_BOUNCE);
	return kinds;
}

int qt_loader_new(struct qt_loader **out, const struct qt_load_plan *plan,
    struct qt_error *err)
{
	struct qt_loader *l = calloc(1, sizeof *l);

	if (l == NULL)
		return qt_fail_mem(err);
	l->plan = plan;
	qt_buf_init(&l->log, 0);
	qt_buf_init(&l->tmp.out, QT_FINISH_MAX);
	qt_buf_init(&l->tmp.part, QT_FINISH_MAX);
	l->tmp.fd = -1;
	if (qt_file_input_init(&l->file, -1, 0, err) != 0) {
		free(l);
		return -1;
	}
	*out = l;
	return 0;
}

void qt_loader_free(struct qt_loader *l)
{
	if (l == NULL)
		return;
	qt_file_input_release(&l->file);
	qt_sha256_free(l->sha);
	qt_buf_release(&l->log);
	qt_buf_release(&l->tmp.out);
	qt_buf_release(&l->tmp.part);
	free(l);
}

/*
 * The first part here, in the walking thread, the rest by the worker: what one
 * processor has just written is dear to touch for another.
 */
void qt_scan_row_clear(struct qt_scan_row *r)
{
	memset(&r->row, 0, offsetof(struct qt_row, msg));
	qt_arena_reset(&r->row.arena);
	r->row.error_offset = -1;
	r->fate = QT_FATE_UNREAD;
	r->fd = -1;
	r->sys = 0;
	r->have_stat = false;
	r->charge = 0;
	r->packed = NULL;
	qt_held_clear(&r->held);
}

/* ---- what went wrong ---- */

static void fail(struct qt_scan_row *r, int sys)
{
	r->fate = QT_FATE_FAILED;
	r->sys = sys;
}

/* Set the row's sentence: text, with detail after it when not NULL. */
static void say(struct qt_scan_row *r, const char *text, const char *detail)
{
	size_t n = strlen(text), m = detail != NULL ? strlen(detail) : 0;
	char *s = qt_arena_alloc(&r->row.arena, n + m + 1);

	if (s == NULL) {
		r->row.error = "out of memory";
		return;
	}
	memcpy(s, text, n);
	if (m > 0)
		memcpy(s + n, detail, m);
	s[n + m] = '\0';
	r->row.error = s;
}

static void set_stat(struct qt_scan_row *r, const struct stat *st)
{
	struct qt_row *row = &r->row;

	row->dev = st->st_dev;
	row->ino = st->st_ino;
	row->mode = st->st_mode;
	row->uid = st->st_uid;
	row->gid = st->st_gid;
	row->nlink = st->st_nlink;
	row->file_size = st->st_size;
	row->mtime_ns = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec;
	row->ctime_ns = st->st_ctim.tv_sec * 1000000000LL + st->st_ctim.tv_nsec;
	r->have_stat = true;
}

/* What a name is, without opening it.  False when it is gone. */
static bool stat_name(struct qt_scan_row *r)
{
	struct stat st;

	if (fstatat(r->dir->fd, r->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		set_stat(r, &st);
		return true;
	}
	if (errno != ENOENT && errno != ESTALE)
		return true;
	r->fate = QT_FATE_GONE;
	return false;
}

static void become_foreign(struct qt_scan_row *r)
{
	const char *text = r->have_stat
	    ? qt_tree_type_text(IFTODT(r->row.mode)) : NULL;

	r->row.state = QT_STATE_FOREIGN;
	r->row.error = text != NULL ? text : "no regular file";
	r->fate = QT_FATE_READ;
}

/* A file that is there and cannot be read. */
static void unreadable(struct qt_scan_row *r, int sys, const char *why)
{
	r->row.state = QT_STATE_CORRUPT;
	r->row.error_sys = sys;
	say(r, "cannot be read: ", why);
	r->fate = QT_FATE_READ;
}

/* openat(2) said no: sort out what that means for the row, or the run. */
static void open_failed(struct qt_scan_row *r, int sys)
{
	switch (sys) {
	case ENOENT:
	case ESTALE:
		r->fate = QT_FATE_GONE;
		return;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		/* ours, not the message's */
		fail(r, sys);
		return;
	case ELOOP: /* became a link since the directory was read */
	case ENXIO: /* a socket */
	case ENODEV:
		if (stat_name(r))
			become_foreign(r);
		return;
	default:
		if (!stat_name(r))
			return;
		if (r->have_stat && !S_ISREG(r->row.mode))
			become_foreign(r);
		else
			unreadable(r, sys, strerror(sys));
	}
}

/* ---- the envelope ---- */

static bool same_file_state(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/*
 * Parse; a file that does not parse and was written to meanwhile (cleanup, a
 * Milter's edit, a mark on a recipient) is read again.
 */
static int parse(struct qt_loader *l, struct qt_scan_row *r, int fd,
    struct stat *st, struct qt_error *err)
{
	struct qt_row *row = &r->row;
	unsigned keep = (l->plan->want & QT_WANT_RCPTS) != 0
	    ? QT_MSG_RCPTS : 0;
	enum qt_msg_origin origin = row->queue == QT_Q_MAILDROP
	    ? QT_MSG_MAILDROP : QT_MSG_QUEUE;
	struct stat now;
	int rc;

	for (int tries = 0;; tries++) {
		if (r->packed != NULL && fd < 0)
			qt_file_input_bytes(&l->file, r->held.bytes,
			    r->held.len);
		else
			qt_file_input_reset(&l->file, fd,
			    (uint64_t)st->st_size);
		if (row->kept != NULL && row->kept->message.have)
			qt_input_bytes(&l->file.in, row->kept->message.data,
			    row->kept->message.len);
		rc = qt_msg_parse(&row->msg, &l->file.in, origin, keep,
		    &row->arena, err);
		if (rc == 0 || r->packed != NULL || tries == REREADS ||
		    fstat(fd, &now) != 0 || same_file_state(st, &now))
			return rc;
		*st = now;
		set_stat(r, st);
	}
}

/* The hash directories on an archived message's path: "A/B". */
static void packed_hash(const struct qt_scan_row *r, char *hash, size_t size)
{
	const char *from = r->row.path + strlen(qt_queue_name(r->row.queue));
	const char *to = strrchr(r->row.path, '/');
	size_t n = to > from ? (size_t)(to - from - 1) : 0;

	if (n >= size)
		n = size - 1;
	memcpy(hash, from + 1, n);
	hash[n] = '\0';
}

/* Whether the row's directory is the one that Postfix computes. */
static bool in_its_place(const struct qt_scan_row *r, char *hash, size_t size)
{
	const char *at;
	char there[QT_TREE_PATH_MAX];
	size_t len;

	if (r->packed != NULL) {
		packed_hash(r, there, sizeof there);
		at = there;
	} else {
		at = r->dir->path + r->dir->hash_at;
	}
	if (r->row.spool->depth[r->row.queue] == 0) {
		hash[0] = '\0';
		return *at == '\0';
	}
	qt_queue_id_hash(r->row.id, r->row.spool->depth[r->row.queue], hash,
	    size);
	len = strlen(hash);
	if (len > 0 && hash[len - 1] == '/')
		hash[--len] = '\0';
	return strcmp(hash, at) == 0;
}

/* A bag has some messages of a queue only: where all are is what it tells. */
static void judge_told(struct qt_scan_row *r)
{
	if ((r->packed->flags & QT_PACKED_MISPLACED) == 0)
		return;
	r->row.state = QT_STATE_MISPLACED;
	say(r, qt_packed_name(r->row.spool->packed, r->packed->note), NULL);
}

static void judge_place(struct qt_scan_row *r)
{
	char hash[2 * QT_QUEUE_ID_MAX + 2], text[2 * QT_QUEUE_ID_MAX + 32];

	/* what is staged is not where Postfix looks for anything */
	if (r->row.spool->txid != 0)
		return;
	if (r->packed != NULL && (r->packed->flags & QT_PACKED_HEADER) == 0) {
		judge_told(r);
		return;
	}
	if (in_its_place(r, hash, sizeof hash))
		return;
	r->row.state = QT_STATE_MISPLACED;
	(void)snprintf(text, sizeof text, "%s%s%s",
	    qt_queue_name(r->row.queue), hash[0] != '\0' ? "/" : "", hash);
	say(r, "not where Postfix looks for it: ", text);
}

/* State by mode, parse (rc, err) and place, in this order. */
static void judge(struct qt_scan_row *r, int rc, const struct qt_error *err)
{
	struct qt_row *row = &r->row;
	char text[64];

	if ((row->mode & 0700) == 0400) {
		row->state = QT_STATE_CORRUPT;
		row->error = "marked as corrupt by a delivery agent "
			     "(mode 0400)";
	} else if ((row->mode & 0700) != 0700) {
		row->state = QT_STATE_UNFINISHED;
		(void)snprintf(text, sizeof text, " (mode %04o)",
		    (unsigned)(row->mode & 07777));
		say(r, "still being written, or left over", text);
	} else if (rc != 0) {
		row->state = QT_STATE_CORRUPT;
		row->error_offset = err->offset;
		say(r, err->text, NULL);
	} else {
		judge_place(r);
	}
}

/* ---- prefilter ---- */

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

static bool equal(const char *have, const struct qt_prefilter *f)
{
	const char *want = f->value;

	if (have == NULL)
		return false;
	if (!f->nocase)
		return strcmp(have, want) == 0;
	while (*have != '\0' &&
	    lower((unsigned char)*have) == lower((unsigned char)*want)) {
		have++;
		want++;
	}
	return *have == '\0' && *want == '\0';
}

static bool passes(const struct qt_load_plan *p, const struct qt_msg *m)
{
	const struct qt_prefilter *f;
	bool ok = true;

	for (size_t i = 0; i < p->nprefilter && ok; i++) {
		f = &p->prefilter[i];
		switch (f->col) {
		case QT_PF_SASL_USERNAME:
			ok = equal(m->sasl_username, f);
			break;
		case QT_PF_SENDER:
			ok = equal(m->sender, f);
			break;
		case QT_PF_CLIENT_ADDRESS:
			ok = equal(m->log_client_address, f) ||
			    equal(m->client_address, f);
			break;
		}
	}
	return ok;
}

/* ---- the tiers ---- */

/* The row holds bytes in memory now: charge what was not yet. */
static void settle_charge(struct qt_loader *l, struct qt_scan_row *r)
{
	size_t have = r->row.arena.total;

	if (l->plan->pool == NULL)
		return;
	have = have > FREE_BYTES ? have - FREE_BYTES : 0;
	if (have > r->charge)
		qt_pool_charge(l->plan->pool, have - r->charge);
	else if (have < r->charge)
		qt_pool_release(l->plan->pool, r->charge - have);
	r->charge = have;
}

/* Wait until there is room for what the file will take. */
static void reserve(struct qt_loader *l, struct qt_scan_row *r,
    struct qt_task *task, unsigned ready)
{
	const unsigned want = l->plan->want;
	int64_t most = 0;
	size_t bytes;

	if (l->plan->pool == NULL || task == NULL ||
	    r->row.file_size < LARGE_FILE)
		return;
	if ((want & QT_WANT_BODY) != 0)
		most = (int64_t)QT_ROW_BODY_MAX;
	else if ((want & QT_WANT_RCPTS) != 0)
		most = RCPTS_ESTIMATE;
	if ((want & QT_WANT_KEPT) != 0)
		most += RCPTS_ESTIMATE;
	if (most == 0)
		return;
	bytes = (size_t)(r->row.file_size < most ? r->row.file_size : most);
	qt_pool_reserve(l->plan->pool, task, ready, bytes);
	r->charge = bytes;
}

static int hash_file(struct qt_loader *l, struct qt_scan_row *r, int fd,
    struct qt_error *err)
{
	struct qt_row *row = &r->row;

	if (l->sha == NULL && qt_sha256_new(&l->sha, err) != 0)
		return -1;
	if (row->kept != NULL && row->kept->message.have) {
		qt_sha256_text(row->kept->message.sum, row->sha256);
		return 0;
	}
	if (r->packed != NULL && fd < 0)
		return qt_sha256_hex(l->sha, r->held.bytes, r->held.len,
		    row->sha256, err);
	return qt_sha256_fd(l->sha, fd, row->sha256, err);
}

/* A read failed, or memory: sort out what that means. */
static void read_failed(struct qt_scan_row *r, const struct qt_error *err)
{
	if (err->code == QT_E_GONE)
		r->fate = QT_FATE_GONE;
	else
		unreadable(r, err->sys != 0 ? err->sys :
		    err->code == QT_E_NOMEM ? ENOMEM : EIO, err->text);
}

/* Envelope, state, and what is behind the envelope. */
static void read_file(struct qt_loader *l, struct qt_scan_row *r, int fd,
    struct stat *st)
{
	const unsigned want = l->plan->want;
	struct qt_error err;
	int rc;

	if ((want & QT_WANT_KEPT) != 0 && r->packed == NULL &&
	    (qt_keep_begin(&r->row) != 0 ||
		qt_keep_file(l, &r->row.kept->message, fd, st, &r->row.arena,
		    &err) != 0)) {
		fail(r, ENOMEM);
		return;
	}
	if (r->row.kept != NULL && r->packed == NULL) {
		r->row.kept->message.btime_ns = qt_keep_btime(fd);
		qt_keep_handle(fd, &r->row.kept->message.handle);
	}
	if ((want & QT_WANT_MSG) != 0) {
		rc = parse(l, r, fd, st, &err);
		if (rc != 0 && err.code != QT_E_CORRUPT) {
			read_failed(r, &err);
			return;
		}
		judge(r, rc, &err);
		if (!passes(l->plan, &r->row.msg)) {
			r->fate = QT_FATE_DROPPED;
			return;
		}
	} else {
		judge_place(r);
	}
	rc = 0;
	if ((want & (QT_WANT_HEADERS | QT_WANT_BODY)) != 0)
		rc = qt_load_content(l, &r->row, &err);
	/* bad content is the delivery agent's business: qmgr does not look */
	if (rc != 0 && err.code == QT_E_CORRUPT)
		rc = 0;
	if (rc == 0 && (want & QT_WANT_HASH) != 0)
		rc = hash_file(l, r, fd, &err);
	if (rc != 0)
		read_failed(r, &err);
	else
		r->fate = QT_FATE_READ;
}

/* The very file that was picked: kept open, at its place, or where it moved. */
static int open_picked(struct qt_loader *l, struct qt_scan_row *r)
{
	const struct qt_pick *p = qt_picks_at(l->plan->picks,
	    (size_t)r->row.seq);
	struct stat st;
	int fd = r->fd;

	r->fd = -1;
	if (fd >= 0)
		return fd;
	fd = qt_open_file_as(r->dir->fd, r->name, &l->refused);
	if (fd < 0 && errno != ENOENT && errno != EBADF)
		return -1;
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == p->dev &&
	    st.st_ino == p->ino)
		return fd;
	qt_close_quiet(&fd);
	return qt_pick_open_moved(r->row.spool, p);
}

static int open_file(struct qt_loader *l, struct qt_scan_row *r)
{
	return l->plan->picks != NULL ? open_picked(l, r) :
	    qt_open_file_as(r->dir->fd, r->name, &l->refused);
}

/* The file stays open, as tmp.fd, until the row is done. */
static void load_file(struct qt_loader *l, struct qt_scan_row *r,
    struct qt_task *task, unsigned ready)
{
	struct stat st;
	const int fd = l->tmp.fd = open_file(l, r);

	if (fd < 0) {
		open_failed(r, errno);
		return;
	}
	if (fstat(fd, &st) != 0) {
		unreadable(r, errno, strerror(errno));
	} else {
		set_stat(r, &st);
		if (!S_ISREG(st.st_mode)) {
			become_foreign(r);
		} else {
			reserve(l, r, task, ready);
			read_file(l, r, fd, &st);
		}
	}
	if (r->row.kept != NULL && !r->row.kept->message.have)
		r->fd = r->row.kept->fd = fd;
}

/* A row of which the file's bytes are not wanted. */
static void load_name(struct qt_loader *l, struct qt_scan_row *r)
{
	if ((l->plan->want & QT_WANT_STAT) != 0) {
		if (!stat_name(r))
			return;
		if (!r->have_stat) {
			unreadable(r, errno, strerror(errno));
			return;
		}
		if (!S_ISREG(r->row.mode)) {
			become_foreign(r);
			return;
		}
	}
	judge_place(r);
	r->fate = QT_FATE_READ;
}

/* What is no message gets its stat and nothing else. */
static void load_foreign(struct qt_loader *l, struct qt_scan_row *r)
{
	/* names with a dot are there for a moment while a file is made */
	if (!stat_name(r))
		return;
	r->fate = l->plan->nprefilter > 0 ? QT_FATE_DROPPED : QT_FATE_READ;
}

/* As the archive tells it; what it does not is left out of the table. */
static void packed_stat(struct qt_scan_row *r)
{
	const struct qt_packed_item *it = r->packed;
	struct qt_row *row = &r->row;

	row->unknown = (it->flags & QT_PACKED_LOCK) != 0 ? 0 : QT_ROW_LOCKS;
	row->in_delivery = (it->flags & QT_PACKED_LOCKED) != 0;
	/* 0: made of something that did not tell it either */
	if ((it->flags & QT_PACKED_TOLD) == 0 || it->ino == 0)
		row->unknown |= QT_ROW_INODE;
	if (it->mode == 0)
		row->unknown |= QT_ROW_MODE;
	if (it->mode != 0 && !S_ISREG(it->mode))
		row->unknown |= QT_ROW_SIZE;
	row->dev = it->dev;
	row->ino = it->ino;
	row->mode = it->mode != 0 ? it->mode : S_IFREG | 0700;
	row->uid = it->uid;
	row->gid = it->gid;
	row->nlink = it->nlink;
	row->file_size = (int64_t)it->size;
	row->mtime_ns = it->mtime_ns;
	row->ctime_ns = it->ctime_ns;
	r->have_stat = true;
}

/* A row out of an archive: its bytes are here already. */
static void load_packed(struct qt_loader *l, struct qt_scan_row *r)
{
	struct stat st = {.st_size = (off_t)r->packed->size};
	struct qt_error err;

	packed_stat(r);
	if ((l->plan->want & QT_WANT_KEPT) != 0 &&
	    qt_keep_held(l, r, &err) != 0) {
		fail(r, ENOMEM);
		return;
	}
	if (r->row.state == QT_STATE_FOREIGN) {
		r->fate = l->plan->nprefilter > 0 ? QT_FATE_DROPPED :
		    QT_FATE_READ;
	} else if (r->held.sys != 0) {
		unreadable(r, r->held.sys, r->held.why);
	} else if ((l->plan->want & WANT_FILE) != 0) {
		read_file(l, r, r->held.fd, &st);
	} else {
		judge_place(r);
		r->fate = QT_FATE_READ;
	}
}

/* Logs and locks: what is known of a message beside its file. */
static int load_rest(struct qt_loader *l, struct qt_scan_row *r,
    struct qt_error *err)
{
	const unsigned want = l->plan->want;
	struct qt_row *row = &r->row;

	/* who has a lock now has it on another file than one in an archive */
	if ((want & QT_WANT_LOCKS) != 0 && r->packed == NULL)
		row->in_delivery = qt_locks_has(&l->plan->locks, row->dev,
		    row->ino);
	if ((want & (QT_WANT_LOGS | QT_WANT_BOUNCES)) != 0 ||
	    row->kept != NULL)
		return qt_load_logs(l, row, err);
	return 0;
}

/* Memory that one row took is kept for the next, unless it was unusual. */
static void clear_tmp(struct qt_buf *b)
{
	if (b->cap > QT_BUF_KEEP_MAX)
		qt_buf_release(b);
	qt_buf_clear(b);
}

static int finish(struct qt_loader *l, struct qt_row *row)
{
	int rc;

	if (l->plan->finish == NULL)
		return 0;
	rc = l->plan->finish(row, &l->tmp, l->plan->finish_ctx);
	clear_tmp(&l->tmp.out);
	clear_tmp(&l->tmp.part);
	return rc;
}

void qt_load(struct qt_loader *l, struct qt_scan_row *r, struct qt_task *task,
    unsigned ready)
{
	struct qt_row *row = &r->row;
	struct qt_error err;

	if (l->plan->pool != NULL && task != NULL && r->packed == NULL &&
	    qt_pool_full(l->plan->pool))
		qt_pool_reserve(l->plan->pool, task, ready, 0);
	memset(&row->msg, 0,
	    offsetof(struct qt_row, arena) - offsetof(struct qt_row, msg));
	row->want = l->plan->want;
	if (r->packed != NULL)
		load_packed(l, r);
	else if (row->state == QT_STATE_FOREIGN)
		load_foreign(l, r);
	else if ((row->want & WANT_FILE) != 0)
		load_file(l, r, task, ready);
	else
		load_name(l, r);
	if (r->fate == QT_FATE_READ && row->state != QT_STATE_FOREIGN &&
	    load_rest(l, r, &err) != 0)
		read_failed(r, &err);
	if (r->fate == QT_FATE_READ && finish(l, row) != 0)
		fail(r, ENOMEM);
	if (r->fd < 0 || r->fd != l->tmp.fd) /* else it is the row's now */
		qt_close_quiet(&l->tmp.fd);
	l->tmp.fd = -1;
	settle_charge(l, r);
}
