/*
 * journal.c - the log of a transaction.
 */
#include "change/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "change/field.h"

#define LOG_NAME "log"
#define FIELDS_MAX 16

/* The words of the log; history prints them in lower case. */
static const char *const state_words[] = {
    [QT_TX_PREPARED] = "PREPARED", [QT_TX_ABORTING] = "ABORT",
    [QT_TX_ABORTED] = "ABORTED", [QT_TX_COMMITTED] = "COMMIT",
    [QT_TX_UNDOING] = "UNDO", [QT_TX_UNDONE] = "UNDONE",
    [QT_TX_PURGING] = "PURGE", [QT_TX_PURGED] = "PURGED",
    [QT_TX_PLACED] = "PLACED", [QT_TX_REDOING] = "REDO",
};
#define NSTATES (sizeof(state_words) / sizeof(state_words[0]))

const char *qt_tx_state_name(enum qt_tx_state s)
{
	static const char *const names[] = {
	    [QT_TX_PREPARED] = "prepared", [QT_TX_ABORTING] = "aborting",
	    [QT_TX_ABORTED] = "aborted", [QT_TX_COMMITTED] = "committed",
	    [QT_TX_UNDOING] = "undoing", [QT_TX_UNDONE] = "undone",
	    [QT_TX_PURGING] = "purging", [QT_TX_PURGED] = "purged",
	    [QT_TX_PLACED] = "placed", [QT_TX_REDOING] = "redoing",
	    [QT_TX_DAMAGED] = "damaged",
	};

	return s < sizeof(names) / sizeof(names[0]) ? names[s] : "unknown";
}

bool qt_journal_may_follow(const struct qt_journal_record *a, enum qt_tx_state b)
{
	if (a->n == 0) /* no log yet is prepared, too */
		return b == QT_TX_PREPARED || b == QT_TX_ABORTING;
	switch (a->state) {
	case QT_TX_PREPARED:
		return b == QT_TX_ABORTING || b == QT_TX_COMMITTED;
	case QT_TX_ABORTING:
		return b == QT_TX_ABORTED;
	case QT_TX_COMMITTED: /* again, with what recovery found */
		return b == QT_TX_COMMITTED || b == QT_TX_PLACED ||
		    b == QT_TX_UNDOING || b == QT_TX_PURGING;
	case QT_TX_PLACED:
		return b == QT_TX_UNDOING;
	case QT_TX_UNDOING: /* again, to another place */
		return b == QT_TX_UNDOING || b == QT_TX_UNDONE;
	case QT_TX_PURGING:
		return b == QT_TX_PURGED;
	case QT_TX_UNDONE: /* an import keeps what it took out again */
		return b == QT_TX_REDOING || b == QT_TX_PURGING;
	case QT_TX_REDOING: /* or back, when it cannot be done */
		return b == QT_TX_COMMITTED || b == QT_TX_PLACED ||
		    b == QT_TX_UNDOING;
	case QT_TX_ABORTED:
	case QT_TX_PURGED:
	case QT_TX_DAMAGED:
		return false;
	}
	return false;
}

void qt_journal_init(struct qt_journal *j)
{
	*j = (struct qt_journal){.fd = -1};
}

void qt_journal_release(struct qt_journal *j)
{
	if (j != NULL)
		qt_close_quiet(&j->fd);
}

/* ---- reading ---- */

static bool take_key(struct qt_journal_record *rec, const char *field)
{
	if (strncmp(field, "done=", 5) == 0)
		return qt_field_u64(field + 5, UINT64_MAX, &rec->done);
	if (strncmp(field, "gone=", 5) == 0)
		return qt_field_u64(field + 5, UINT64_MAX, &rec->gone);
	if (strncmp(field, "changed=", 8) == 0)
		return qt_field_u64(field + 8, UINT64_MAX, &rec->changed);
	if (strncmp(field, "left=", 5) == 0)
		return qt_field_u64(field + 5, UINT64_MAX, &rec->left);
	if (strncmp(field, "reached=", 8) == 0) {
		rec->own = true;
		return qt_field_u64(field + 8, UINT64_MAX, &rec->reached);
	}
	if (strcmp(field, "to=origin") == 0)
		return rec->in_place = true;
	/* what a later version adds does not make a log unreadable */
	return true;
}

/* A line without its LF; false: it is no record. */
static bool take_record(struct qt_journal_record *rec, const char *line,
    size_t len)
{
	char copy[QT_JOURNAL_RECORD];
	const char *f[FIELDS_MAX];
	int i, n;
	size_t s;

	*rec = (struct qt_journal_record){0};
	if (len >= sizeof(copy))
		return false;
	memcpy(copy, line, len);
	n = qt_field_split(copy, len, f, FIELDS_MAX);
	if (n < 4 || strcmp(f[0], "S") != 0 ||
	    !qt_field_u64(f[1], UINT32_MAX, &rec->n) ||
	    !qt_field_i64(f[3], &rec->time_ns))
		return false;
	for (s = 0; s < NSTATES && strcmp(f[2], state_words[s]) != 0; s++)
		;
	if (s == NSTATES)
		return false;
	rec->state = (enum qt_tx_state)s;
	for (i = 4; i < n; i++)
		if (!take_key(rec, f[i]))
			return false;
	return true;
}

static int damaged(const char *where, size_t at, const char *what,
    struct qt_error *err)
{
	return qt_fail_at(err, QT_E_STATE, where, (int64_t)at,
	    "the log is damaged at byte %zu: %s", at, what);
}

/*
 * Whether a record stands behind other bytes of a line: the line feed between
 * them was destroyed, and what looks like a torn end is a record that was
 * acknowledged.
 */
static bool hides_record(const char *line, size_t len)
{
	struct qt_journal_record rec;
	size_t i;

	for (i = 1; i < len; i++)
		if (line[i] == 'S' && take_record(&rec, line + i, len - i))
			return true;
	return false;
}

/* What of the last record is still wanted when others follow it. */
static void remember(struct qt_journal *j)
{
	if (j->last.state == QT_TX_COMMITTED)
		j->commit = j->last;
	if (j->last.own || j->last.state == QT_TX_COMMITTED ||
	    j->last.state == QT_TX_REDOING)
		j->placed = j->last;
	if (j->last.state == QT_TX_UNDOING)
		j->undone_in_place = j->last.in_place;
	if (j->last.state == QT_TX_REDOING) {
		j->redone++;
		j->redone_ns = j->last.time_ns;
	}
}

int qt_journal_parse(struct qt_journal *j, const char *bytes, size_t len,
    const char *where, struct qt_error *err)
{
	struct qt_journal_record rec, none = {0};
	size_t at = 0, bad = SIZE_MAX, line;
	const char *lf;

	j->last = j->commit = j->placed = none;
	j->redone = 0;
	j->redone_ns = 0;
	j->undone_in_place = false;
	j->good = 0;
	for (; at < len; at += line) {
		lf = memchr(bytes + at, '\n', len - at);
		line = lf != NULL ? (size_t)(lf + 1 - bytes) - at : len - at;
		if (lf == NULL || !take_record(&rec, bytes + at, line - 1)) {
			if (bad == SIZE_MAX)
				bad = at;
			if (lf != NULL && hides_record(bytes + at, line - 1))
				return damaged(where, bad, "no record", err);
			continue;
		}
		if (bad != SIZE_MAX)
			return damaged(where, bad, "no record", err);
		if (rec.n != j->last.n + 1 ||
		    !qt_journal_may_follow(&j->last, rec.state))
			return damaged(where, at,
			    "a record that cannot follow the one before", err);
		j->last = rec;
		remember(j);
		j->good = at + line;
	}
	j->torn = j->good != len;
	return 0;
}

/* 1: ENOENT. */
static int slurp(struct qt_buf *b, int dir, const char *where,
    struct qt_error *err)
{
	struct qt_error e = {0};

	if (qt_slurp(dir, LOG_NAME, QT_JOURNAL_MAX, b, &e) == 0)
		return 0;
	if (e.sys == ENOENT)
		return 1;
	if (e.code == QT_E_CORRUPT)
		return qt_fail(err, QT_E_STATE, where,
		    "the log is no regular file, or too long");
	return qt_fail(err, e.code == QT_E_NOMEM ? e.code : QT_E_SYS, where,
	    "log: %s", e.text);
}

int qt_journal_read(struct qt_journal *j, int dir, const char *where,
    struct qt_error *err)
{
	struct qt_buf b;
	int r;

	qt_buf_init(&b, 0);
	r = slurp(&b, dir, where, err);
	if (r == 0)
		r = qt_journal_parse(j, qt_buf_str(&b), b.len, where, err);
	qt_buf_release(&b);
	return r;
}

/* ---- writing ---- */

/* Back to the last acknowledged byte, durably. */
static int cut(struct qt_journal *j, const struct qt_fsops *fs,
    const char *where, struct qt_error *err)
{
	if (fs->ftruncate(fs->ctx, j->fd, (off_t)j->good) != 0)
		return qt_fsops_fail(err, "ftruncate log", where);
	if (fs->fsync(fs->ctx, j->fd) != 0)
		return qt_fsops_fail(err, "fsync log", where);
	j->torn = false;
	return 0;
}

int qt_journal_open(struct qt_journal *j, const struct qt_fsops *fs, int dir,
    const char *where, struct qt_error *err)
{
	int r = qt_journal_read(j, dir, where, err);

	if (r != 0)
		return r;
	j->fd = openat(dir, LOG_NAME,
	    O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (j->fd < 0)
		return qt_fsops_fail(err, "open log", where);
	if (j->torn)
		return cut(j, fs, where, err);
	/*
	 * Its writer may have been killed before the sync: what is done now
	 * because of the last record must not outlive the record.
	 */
	if (fs->fdatasync(fs->ctx, j->fd) != 0)
		return qt_fsops_fail(err, "fdatasync log", where);
	return 0;
}

int qt_journal_create(struct qt_journal *j, const struct qt_fsops *fs, int dir,
    const char *where, struct qt_error *err)
{
	j->fd = fs->create(fs->ctx, dir, LOG_NAME,
	    O_WRONLY | O_APPEND | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (j->fd < 0)
		return qt_fsops_fail(err, "create log", where);
	if (fs->fsync(fs->ctx, dir) != 0)
		return qt_fsops_fail(err, "fsync", where);
	return 0;
}

static int64_t now_ns(void)
{
	struct timespec ts;

	/* the clock that the kernel stamps files with: it goes by ticks */
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void put_record(struct qt_buf *b, const struct qt_journal_record *rec)
{
	qt_buf_addf(b, "S\t%" PRIu64 "\t%s\t%" PRId64, rec->n,
	    state_words[rec->state], rec->time_ns);
	if (rec->state == QT_TX_COMMITTED || rec->state == QT_TX_PLACED)
		qt_buf_addf(b,
		    "\tdone=%" PRIu64 "\tgone=%" PRIu64 "\tchanged=%" PRIu64,
		    rec->done, rec->gone, rec->changed);
	if (rec->state == QT_TX_UNDOING)
		qt_buf_addf(b, "\tto=%s", rec->in_place ? "origin" : "hold");
	if (rec->own)
		qt_buf_addf(b, "\tleft=%" PRIu64 "\treached=%" PRIu64,
		    rec->left, rec->reached);
	qt_field_seal(b, 0);
}

/* The record's bytes are durable, or the log is cut back, or it is unsure. */
static int commit_bytes(struct qt_journal *j, const struct qt_fsops *fs,
    const struct qt_buf *b, const char *where, struct qt_error *err)
{
	ssize_t n = fs->write(fs->ctx, j->fd, b->data, b->len);

	if (n == (ssize_t)b->len && fs->fdatasync(fs->ctx, j->fd) == 0)
		return 0;
	if (n >= 0 && n != (ssize_t)b->len)
		errno = ENOSPC; /* a short write of so little has one cause */
	(void)qt_fsops_fail(err, n == (ssize_t)b->len ? "fdatasync log" :
	    "write log", where);
	if (cut(j, fs, where, NULL) != 0)
		j->unsure = true;
	return -1;
}

int qt_journal_append(struct qt_journal *j, const struct qt_fsops *fs,
    const struct qt_journal_record *rec, const char *where,
    struct qt_error *err)
{
	struct qt_journal_record full = *rec;
	struct qt_buf b;
	int r;

	if (j->unsure) /* a second record could make the log contradict itself */
		return qt_fail(err, QT_E_SYS, where,
		    "an earlier write to the log failed");
	full.n = j->last.n + 1;
	full.time_ns = now_ns();
	qt_buf_init(&b, QT_JOURNAL_RECORD);
	put_record(&b, &full);
	r = qt_buf_check(&b, err);
	if (r == 0 && j->good + b.len > QT_JOURNAL_MAX)
		r = qt_fail(err, QT_E_STATE, where, "the log is full");
	if (r == 0)
		r = commit_bytes(j, fs, &b, where, err);
	if (r == 0) {
		j->good += b.len;
		j->last = full;
		remember(j);
	}
	qt_buf_release(&b);
	return r;
}
