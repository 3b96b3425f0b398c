/*
 * restore.c - messages out of another transaction's staging, and back into it.
 */
#include "change/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "change/identity.h"

#define NOWHERE SIZE_MAX

struct qt_restore {
	struct qt_tx tx; /* the source, loaded */
	size_t *seq;	 /* of each message of the restore's plan; or NOWHERE */
};

/* ---- which message is which ---- */

/* Indexes of a plan's messages, by inode. */
struct by_ino {
	uint64_t ino;
	size_t at;
};

static int compare(const void *a, const void *b)
{
	const struct by_ino *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int sort_by_ino(const struct qt_plan *p, struct by_ino **out,
    struct qt_error *err)
{
	struct by_ino *v = calloc(p->n + 1, sizeof(*v));
	size_t i;

	if (v == NULL)
		return qt_fail_mem(err);
	for (i = 0; i < p->n; i++)
		v[i] = (struct by_ino){p->v[i].ino, i};
	qsort(v, p->n, sizeof(*v), compare);
	*out = v;
	return 0;
}

static size_t find(const struct by_ino *v, size_t n, uint64_t ino)
{
	const struct by_ino key = {.ino = ino};
	const struct by_ino *at = bsearch(&key, v, n, sizeof(*v), compare);

	return at != NULL ? at->at : NOWHERE;
}

/* ---- the source ---- */

static int map(struct qt_restore *r, const struct qt_plan *p,
    struct qt_error *err)
{
	struct by_ino *v;
	size_t i;

	if ((r->seq = calloc(p->n + 1, sizeof(*r->seq))) == NULL)
		return qt_fail_mem(err);
	if (sort_by_ino(r->tx.plan, &v, err) != 0)
		return -1;
	for (i = 0; i < p->n; i++)
		r->seq[i] = find(v, r->tx.plan->n, p->v[i].ino);
	free(v);
	return 0;
}

static int open_source(struct qt_change *c, struct qt_tx *tx,
    struct qt_error *err)
{
	struct stat st;
	int r;

	if (fstatat(c->tx, tx->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? qt_fail(err, QT_E_USAGE, tx->where,
		    "there is none; \"qtool history\" lists those there are") :
		    qt_fsops_fail(err, "fstatat", tx->where);
	if ((r = qt_tx_look(c, tx, err)) != 0)
		return r < 0 ? -1 : qt_fail(err, QT_E_STATE, tx->where,
		    "its plan cannot be found");
	if (tx->log.last.state != QT_TX_COMMITTED || tx->log.last.n == 0)
		return qt_fail(err, QT_E_REFUSED, tx->where,
		    "it is %s, and holds no messages to restore, nor takes "
		    "them back", qt_tx_state_name(tx->log.last.state));
	return qt_tx_load(tx, err);
}

int qt_restore_open(struct qt_restore **out, struct qt_change *c,
    const struct qt_plan *p, struct qt_error *err)
{
	struct qt_restore *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return qt_fail_mem(err);
	qt_tx_init(&r->tx, p->source);
	if (open_source(c, &r->tx, err) != 0 || map(r, p, err) != 0) {
		qt_restore_close(r);
		return -1;
	}
	*out = r;
	return 0;
}

void qt_restore_close(struct qt_restore *r)
{
	if (r == NULL)
		return;
	free(r->seq);
	qt_tx_release(&r->tx);
	free(r);
}

/* ---- one message ---- */

/* What lies in the source's staging: 1 nothing. */
static int staged_likeness(struct qt_change *c, struct qt_restore *r,
    const struct qt_plan *p, size_t i, enum qt_likeness *like,
    struct qt_handle *h, struct qt_error *err)
{
	size_t seq = r->seq[i];
	char entry[QT_TX_ENTRY_SIZE];
	struct stat st;
	int bucket, n;

	if (seq == NOWHERE || r->tx.plan->v[seq].staged == '\0')
		return 1;
	if (qt_tx_bucket(&r->tx, QT_TX_MESSAGES, seq, &bucket, err) != 0)
		return -1;
	qt_tx_entry(&r->tx, seq, r->tx.plan->v[seq].staged, entry);
	if (fstatat(bucket, entry, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return qt_fsops_fail(err, "fstatat", entry);
	*like = qt_identity_compare(c, &p->v[i], &st, false);
	if ((n = qt_identity_handle(bucket, entry, h, entry, err)) != 0)
		return n < 0 ? -1 : qt_fail(err, QT_E_STATE, r->tx.where,
		    "\"%s\" vanished from staging", entry);
	if (!qt_identity_same(p, &p->v[i], h) ||
	    strcmp(qt_plan_id(p, &p->v[i]),
		qt_plan_id(r->tx.plan, &r->tx.plan->v[seq])) != 0)
		*like = QT_LIKE_OTHER;
	return 0;
}

int qt_restore_look(struct qt_change *c, struct qt_restore *r,
    struct qt_plan *p, size_t i, enum qt_taken *what, struct qt_error *err)
{
	enum qt_likeness like;
	struct qt_handle h;
	int n = staged_likeness(c, r, p, i, &like, &h, err);

	if (n < 0)
		return -1;
	*what = n > 0 ? QT_TAKEN_GONE :
	    like == QT_LIKE_SAME ? QT_TAKEN : QT_TAKEN_CHANGED;
	if (*what != QT_TAKEN)
		return 0;
	p->v[i].computed = true;
	return qt_plan_set_handle(p, i, &h, err);
}

int qt_restore_out(struct qt_change *c, struct qt_restore *r,
    const struct qt_plan *p, size_t i, enum qt_taken *what,
    struct qt_error *err)
{
	enum qt_likeness like;
	struct qt_handle h;
	bool conflict;
	int n = staged_likeness(c, r, p, i, &like, &h, err);

	if (n < 0)
		return -1;
	*what = n > 0 ? QT_TAKEN_GONE : QT_TAKEN_CHANGED;
	if (n > 0 && r->seq[i] != NOWHERE) /* its logs may have been left */
		return qt_stage_back(c, &r->tx, r->seq[i], QT_BACK_HOLD,
		    &conflict, err);
	if (n > 0 || like != QT_LIKE_SAME)
		return 0;
	if (qt_stage_back(c, &r->tx, r->seq[i], QT_BACK_HOLD, &conflict,
		err) != 0)
		return -1;
	*what = conflict ? QT_TAKEN_CHANGED : QT_TAKEN;
	return 0;
}

/*
 * Whether it never left, or has come back.  An undo that was killed may have
 * taken another message of that name and not looked at it any more: that one
 * goes back to the queue, unless its name is taken there.
 */
static int came_back(struct qt_change *c, struct qt_tx *source, size_t seq,
    bool *mine, bool *conflict, struct qt_error *err)
{
	*mine = *conflict = false;
	if (source->plan->v[seq].staged == '\0')
		return 0;
	if (qt_stage_check(c, source, seq, mine, err) != 0)
		return -1;
	return *mine ? 0 : qt_stage_back(c, source, seq, QT_BACK_ABORT,
	    conflict, err);
}

int qt_restore_in(struct qt_change *c, struct qt_restore *r,
    const struct qt_plan *p, size_t i, enum qt_taken *what,
    struct qt_error *err)
{
	size_t seq = r->seq[i];
	bool mine, conflict;

	(void)p;
	*what = QT_TAKEN_GONE;
	if (seq == NOWHERE)
		return 0;
	if (came_back(c, &r->tx, seq, &mine, &conflict, err) != 0)
		return -1;
	if (conflict) {
		*what = QT_TAKEN_CHANGED;
		return 0;
	}
	if (mine) {
		*what = QT_TAKEN;
		return qt_stage_logs(c, &r->tx, seq, err);
	}
	return qt_stage_take(c, &r->tx, seq, QT_TAKE_BACK, what, err);
}

/* ---- what was restored stays ---- */

/*
 * Whether a transaction is a restore out of source that stands: 0 yes; 1 no.
 * One that was undone since the source took its messages stands for what its
 * undo did not bring back: that was sent or changed, or is in delivery.
 */
static int is_restore_of(struct qt_change *c, struct qt_tx *tx,
    const struct qt_tx *source, struct qt_error *err)
{
	struct qt_plan *head = NULL;
	size_t count;
	int fd, r;

	if ((r = qt_tx_look(c, tx, err)) != 0)
		return r;
	switch (tx->log.last.state) {
	case QT_TX_COMMITTED:
	case QT_TX_PLACED:
	case QT_TX_UNDOING:
	case QT_TX_REDOING:
		break;
	case QT_TX_UNDONE:
		if (tx->log.last.time_ns > source->log.redone_ns)
			break;
		return 1;
	default:
		return 1;
	}
	fd = openat(tx->home, "plan",
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return qt_fsops_fail(err, "open plan", tx->where);
	r = qt_plan_peek(&head, &count, fd, tx->where, err);
	qt_close_quiet(&fd);
	if (r == 0)
		r = head->op != QT_OP_RESTORE || head->source != source->id;
	qt_plan_free(head);
	return r;
}

static void mark(struct qt_plan *p, const struct by_ino *v,
    const struct qt_plan *restored)
{
	size_t i, at;

	for (i = 0; i < restored->n; i++) {
		at = find(v, p->n, restored->v[i].ino);
		if (at != NOWHERE && p->v[at].staged == '\0')
			p->v[at].left = true;
	}
}

int qt_restore_mark(struct qt_change *c, struct qt_tx *tx,
    struct qt_error *err)
{
	struct by_ino *v = NULL;
	struct qt_tx other;
	uint64_t *ids;
	size_t i, n;
	int r;

	if (qt_state_tx_ids(c, &ids, &n, err) != 0)
		return -1;
	r = sort_by_ino(tx->plan, &v, err);
	for (i = 0; i < n && r == 0; i++) {
		if (ids[i] <= tx->id) /* a restore is younger */
			continue;
		qt_tx_init(&other, ids[i]);
		r = is_restore_of(c, &other, tx, err);
		if (r == 0 && (r = qt_tx_load(&other, err)) == 0)
			mark(tx->plan, v, other.plan);
		qt_tx_release(&other);
		r = r > 0 ? 0 : r;
	}
	free(v);
	free(ids);
	return r;
}
