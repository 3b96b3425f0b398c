/*
 * place.c - operations whose messages end in another queue.
 *
 * hold, release and requeue are one rename a message, from queue to queue, as
 * postsuper makes it (Postfix src/postsuper/postsuper.c).  Nothing is staged,
 * so that no message is ever out of all queues:
 *
 *	PREPARED --COMMIT--> COMMITTED --place all, barrier--> PLACED
 *	                        |                                 |
 *	                        | one cannot be placed            | undo
 *	                        v                                 v
 *	                     UNDOING --all back, barrier--> UNDONE --redo--> ...
 *
 * The record decides before anything has moved: a crash before it leaves all
 * as it was, one after it is gone on with by recovery, which finds each message
 * by its identity, where it was or where it belongs.  A message that cannot be
 * renamed though it is there (a fault, not a race) sends all back, and so does
 * one that is not as it was, with --strict.  Back goes what this transaction has
 * moved, and nothing else (own.h).
 *
 * restore is the same with messages that lie in another transaction's staging
 * (restore.c), import with files that it has made itself (import.c).
 *
 * Logs stay where they are: they go by the queue ID, which stays, too.  requeue
 * leaves them behind, as postsuper -r does.
 *
 * Forth, a message has to be what was judged.  Back, it has to be the same
 * file: after a release it may have been tried, and undo means just those.  So
 * it has to be when recovery ends a hold.
 */
#include "change/place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "change/identity.h"
#include "change/import.h"
#include "change/own.h"
#include "change/restore.h"
#include "change/room.h"
#include "qtool/queueid.h"

#define ROUNDS 8
#define ROUND_PAUSE_NS 5000000L

enum way {
	WAY_FORTH, /* to where the operation puts them */
	WAY_HOLD,  /* undo */
	WAY_ORIGIN, /* undo --in-place */
	WAY_ON	   /* the same, once a requeued message is in hold again */
};

/* What became of one message. */
enum placed {
	MOVED,
	ALREADY, /* it was where it is to go */
	GONE,
	CHANGED, /* not as judged any more */
	RETURNED, /* the same, seen when it had been moved: given back */
	BUSY,	 /* qmgr's, in active */
	DOUBTFUL, /* in hold, and maybe pickup has taken it, too */
	OTHERS,	 /* others have put it where it is to go: theirs */
	TAKEN	 /* its name is another message's where it is to go */
};

/* One message's way. */
struct trip {
	struct qt_change *c;
	struct qt_tx *tx;
	const struct qt_plan_item *it;
	enum way way;
	bool again; /* by recovery: what was decided is ended */
	char target[QT_PLAN_PATH_SIZE];
};

/* ---- where from, where to ---- */

/* The queues that a message is moved out of, in the order of the search. */
static unsigned sources(const struct trip *t)
{
	const unsigned waiting = QT_Q_BIT(QT_Q_DEFERRED) |
	    QT_Q_BIT(QT_Q_INCOMING);
	enum qt_op op = t->tx->plan->op;

	if (op == QT_OP_HOLD)
		return t->way == WAY_FORTH ?
		    waiting | QT_Q_BIT(QT_Q_ACTIVE) : QT_Q_BIT(QT_Q_HOLD);
	if (op == QT_OP_RELEASE)
		return t->way == WAY_FORTH ? QT_Q_BIT(QT_Q_HOLD) :
		    waiting | QT_Q_BIT(QT_Q_ACTIVE);
	if (t->way == WAY_ON)
		return QT_Q_BIT(QT_Q_HOLD);
	return t->way == WAY_FORTH ?
	    waiting | QT_Q_BIT(QT_Q_ACTIVE) | QT_Q_BIT(QT_Q_HOLD) :
	    QT_Q_BIT(QT_Q_MAILDROP);
}

/*
 * The queues in which there is nothing left to do: others have moved it there,
 * or Postfix has since.
 */
static unsigned destinations(const struct trip *t)
{
	const unsigned delivery = QT_Q_BIT(QT_Q_DEFERRED) |
	    QT_Q_BIT(QT_Q_INCOMING) | QT_Q_BIT(QT_Q_ACTIVE);
	enum qt_op op = t->tx->plan->op;

	if ((op == QT_OP_RELEASE) == (t->way == WAY_FORTH) &&
	    op != QT_OP_REQUEUE)
		return delivery;
	if (op == QT_OP_REQUEUE && t->way == WAY_FORTH)
		return QT_Q_BIT(QT_Q_MAILDROP);
	if (t->way == WAY_ON)
		return delivery;
	return QT_Q_BIT(QT_Q_HOLD) | (op == QT_OP_REQUEUE ? delivery : 0);
}

/* qmgr puts what was in active when it ended into incoming, and so do we. */
static enum qt_queue origin(const struct qt_plan_item *it)
{
	return it->queue == QT_Q_ACTIVE ? QT_Q_INCOMING :
	    (enum qt_queue)it->queue;
}

static int find_target(struct trip *t, struct qt_error *err)
{
	const struct qt_plan *p = t->tx->plan;
	const char *id = qt_plan_id(p, t->it);
	enum qt_queue q = QT_Q_HOLD;

	if (t->way == WAY_FORTH && p->op == QT_OP_RELEASE)
		q = QT_Q_DEFERRED;
	else if (t->way == WAY_FORTH && p->op == QT_OP_REQUEUE)
		q = QT_Q_MAILDROP;
	else if (t->way == WAY_ORIGIN || t->way == WAY_ON ||
	    (t->way == WAY_HOLD && p->op == QT_OP_HOLD))
		q = origin(t->it);
	/* of a spool without configuration the depth is only a guess */
	if (t->way != WAY_FORTH && q == (enum qt_queue)t->it->queue &&
	    (!t->it->computed || !t->c->spool->live)) {
		(void)strlcpy(t->target, qt_plan_path(p, t->it),
		    sizeof(t->target));
		return 0;
	}
	return qt_identity_path(t->c, q, id, t->target, err);
}

/* ---- identity ---- */

static enum qt_likeness compare(const struct trip *t, const struct stat *st)
{
	enum qt_likeness like = qt_identity_compare(t->c, t->it, st, false);
	const bool hold = t->again && t->tx->plan->op == QT_OP_HOLD;

	/*
	 * Back: delivery agents and qmgr may have been at it.  So they may when
	 * a hold was decided and qtool killed: it is ended all the same, as to
	 * have been tried in vain is no reason to be let go.
	 */
	if (like == QT_LIKE_TOUCHED && (t->way != WAY_FORTH || hold) &&
	    st->st_size == t->it->size)
		return QT_LIKE_SAME;
	return like;
}

/* Whether a name's handle is the planned one: 0 *like is right, 1 no name. */
static int check_handle(const struct trip *t, int dir, const char *name,
    enum qt_likeness *like, struct qt_error *err)
{
	struct qt_handle h;
	int r = qt_identity_handle(dir, name, &h, t->target, err);

	if (r == 0 && !qt_identity_same(t->tx->plan, t->it, &h))
		*like = QT_LIKE_OTHER;
	return r;
}

/* What lies at a path: 0 *like says, 1 nothing. */
static int look_at(const struct trip *t, const char *path, int *dir,
    const char **name, enum qt_likeness *like, struct qt_error *err)
{
	struct stat st;
	int r = qt_identity_stat(t->c, path, &st, dir, name, err);

	if (r != 0)
		return r;
	*like = compare(t, &st);
	return *like == QT_LIKE_OTHER ? 0 :
	    check_handle(t, *dir, *name, like, err);
}

/*
 * Before it is moved.  Forth it was looked at a moment ago: its status is
 * enough, and the handle is compared when it has arrived.
 */
static int look_before(const struct trip *t, const char *path, int *dir,
    const char **name, enum qt_likeness *like, struct qt_error *err)
{
	struct stat st;
	int r;

	if (t->way != WAY_FORTH)
		return look_at(t, path, dir, name, like, err);
	r = qt_identity_stat(t->c, path, &st, dir, name, err);
	if (r == 0)
		*like = compare(t, &st);
	return r;
}

/* When it has arrived; the handle says more than the status. */
static int look_after(const struct trip *t, int *dir, const char **name,
    enum qt_likeness *like, struct qt_error *err)
{
	*like = QT_LIKE_SAME;
	return t->it->handle != 0 ? check_handle(t, *dir, *name, like, err) :
	    look_at(t, t->target, dir, name, like, err);
}

/*
 * Whether another message has its ID.  Postfix renames without looking, so one
 * ID in two queues would end as one message.  An ID made of the inode's number
 * is no one else's while the file is there.
 */
static int other_has_id(const struct trip *t, bool *yes, struct qt_error *err)
{
	static const enum qt_queue queues[] = {QT_Q_MAILDROP, QT_Q_INCOMING,
	    QT_Q_ACTIVE, QT_Q_DEFERRED, QT_Q_HOLD};
	const char *id = qt_plan_id(t->tx->plan, t->it), *name;
	char path[QT_PLAN_PATH_SIZE];
	struct qt_queue_id parts;
	struct stat st;
	size_t i;
	int dir, r;

	*yes = false;
	qt_queue_id_parse(&parts, id);
	if (parts.has_inode && parts.inode == t->it->ino)
		return 0;
	for (i = 0; i < sizeof(queues) / sizeof(queues[0]) && !*yes; i++) {
		if (qt_identity_path(t->c, queues[i], id, path, err) != 0)
			return -1;
		r = qt_identity_stat(t->c, path, &st, &dir, &name, err);
		if (r < 0)
			return -1;
		*yes = r == 0 && st.st_ino != t->it->ino;
	}
	return 0;
}

/* ---- one rename ---- */

/*
 * In maildrop: a message that is requeued is new from now on, one that comes
 * back is as old as it was.  The access time is the mark that was made before
 * pickup could read it.
 */
static int stamp(const struct trip *t, int dir, const char *name,
    struct qt_error *err)
{
	struct qt_fsops *fs = &t->c->fs;
	int64_t when = t->way == WAY_FORTH ? QT_FSOPS_NOW : t->it->mtime_ns;

	if (t->tx->plan->op != QT_OP_REQUEUE || t->way == WAY_ON)
		return 0;
	if (fs->utime(fs->ctx, dir, name, QT_FSOPS_KEEP, when) == 0 || errno == ENOENT)
		return 0; /* pickup is quick */
	return qt_fsops_fail(err, "utimensat", name);
}

/* Before it is in maildrop.  1: it is not here any more. */
static int mark(const struct trip *t, int dir, const char *name,
    struct qt_error *err)
{
	if (t->tx->plan->op != QT_OP_REQUEUE || t->way != WAY_FORTH ||
	    qt_identity_mark_unread(t->c, dir, name) == 0)
		return 0;
	return errno == ENOENT ? 1 : qt_fsops_fail(err, "utimensat", name);
}

/* What was moved is not the message: at once where it came from. */
static int give_back(const struct trip *t, const char *path, int to,
    const char *target, struct qt_error *err)
{
	const char *name;
	int dir, r = qt_dirs_get(&t->c->dirs, t->c->spool, path, &dir, &name,
	    err);

	if (r < 0)
		return -1;
	if (r == 0 && qt_room_rename(t->c, to, target, dir, name) == 0)
		return 0;
	if (r == 0 && errno == ENOENT)
		return 0; /* somebody was faster */
	return qt_fail(err, QT_E_STATE, path,
	    "was replaced while it was moved, and its place is taken: what was "
	    "moved is now %s", t->target);
}

/*
 * From a path to the target.  0 *what is decided; 1 not there, or moved
 * meanwhile.
 */
static int move_from(const struct trip *t, const char *path, enum placed *what,
    struct qt_error *err)
{
	const char *name, *target;
	enum qt_likeness like;
	bool taken;
	int dir, to, r;

	if ((r = look_before(t, path, &dir, &name, &like, err)) != 0 ||
	    like == QT_LIKE_OTHER)
		return r < 0 ? -1 : 1;
	*what = CHANGED;
	if (like == QT_LIKE_TOUCHED)
		return 0;
	if (other_has_id(t, &taken, err) != 0 ||
	    qt_dirs_make(&t->c->dirs, &t->c->fs, t->c->spool, t->tx->stage,
		t->target, &to, &target, err) != 0)
		return -1;
	*what = TAKEN;
	if (taken)
		return 0;
	/* the one before may have been closed to make room for it */
	if ((r = qt_dirs_get(&t->c->dirs, t->c->spool, path, &dir, &name,
		err)) != 0)
		return r;
	if ((r = mark(t, dir, name, err)) != 0)
		return r;
	if (t->way != WAY_FORTH && stamp(t, dir, name, err) != 0)
		return -1;
	if (qt_room_rename(t->c, dir, name, to, target) != 0) {
		if (errno == ENOENT) /* it, or a directory */
			return 1;
		return errno == EEXIST ? 0 : qt_room_fail(err, path);
	}
	r = look_after(t, &to, &target, &like, err);
	if (r < 0)
		return -1;
	*what = MOVED;
	if (r > 0) /* and moved on by others */
		return 0;
	if (like != QT_LIKE_SAME) {
		*what = RETURNED;
		return give_back(t, path, to, target, err);
	}
	return t->way == WAY_FORTH ? stamp(t, to, target, err) : 0;
}

/* ---- the search ---- */

/* The message is qmgr's now, and was not judged there. */
static bool is_qmgrs(const struct trip *t, enum qt_queue q)
{
	return q == QT_Q_ACTIVE && t->way == WAY_FORTH &&
	    t->it->queue != QT_Q_ACTIVE && t->it->queue != QT_Q_INCOMING;
}

static int from_queue(const struct trip *t, enum qt_queue q, enum placed *what,
    struct qt_error *err)
{
	const char *own = qt_plan_path(t->tx->plan, t->it), *name;
	char path[QT_PLAN_PATH_SIZE];
	enum qt_likeness like;
	int dir, r;

	if (qt_identity_path(t->c, q, qt_plan_id(t->tx->plan, t->it), path,
		err) != 0)
		return -1;
	if (t->way == WAY_FORTH && strcmp(path, own) == 0)
		return 1; /* looked at first */
	if (!is_qmgrs(t, q))
		return move_from(t, path, what, err);
	*what = BUSY;
	r = look_at(t, path, &dir, &name, &like, err);
	return r != 0 ? r : like == QT_LIKE_OTHER;
}

/* 0 *what; 1 it is in none of them. */
static int from_queues(const struct trip *t, enum placed *what,
    struct qt_error *err)
{
	static const enum qt_queue order[] = {QT_Q_DEFERRED, QT_Q_ACTIVE,
	    QT_Q_INCOMING, QT_Q_HOLD, QT_Q_MAILDROP};
	unsigned from = sources(t);
	size_t i;
	int r;

	if (t->way == WAY_FORTH && (from & QT_Q_BIT(t->it->queue)) != 0 &&
	    (r = move_from(t, qt_plan_path(t->tx->plan, t->it), what, err)) <= 0)
		return r;
	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if ((from & QT_Q_BIT(order[i])) != 0 &&
		    (r = from_queue(t, order[i], what, err)) <= 0)
			return r;
	return 1;
}

/* Whether it has arrived: 0 yes; 1 no. */
static int is_there(const struct trip *t, struct qt_error *err)
{
	const char *id = qt_plan_id(t->tx->plan, t->it), *name;
	char path[QT_PLAN_PATH_SIZE];
	enum qt_likeness like;
	enum qt_queue q;
	int dir, r;

	r = look_at(t, t->target, &dir, &name, &like, err);
	if (r < 0)
		return -1;
	if (r == 0 && like == QT_LIKE_SAME) /* its stamp may be missing */
		return t->way == WAY_FORTH ? stamp(t, dir, name, err) : 0;
	for (q = 0; q < QT_Q_MESSAGES; q++) {
		if ((destinations(t) & QT_Q_BIT(q)) == 0)
			continue;
		if (qt_identity_path(t->c, q, id, path, err) != 0)
			return -1;
		r = look_at(t, path, &dir, &name, &like, err);
		if (r < 0 || (r == 0 && like != QT_LIKE_OTHER))
			return r;
	}
	return 1;
}

/* Nothing was found: look again?  What moves is seen in the end. */
static int again_or_gone(const struct trip *t, int round, bool *more,
    enum placed *what, struct qt_error *err)
{
	const struct timespec pause = {0, ROUND_PAUSE_NS};
	enum qt_life life;

	*what = GONE;
	*more = false;
	if (qt_identity_ask(t->c, t->tx->plan, t->it, &life, err) != 0)
		return -1;
	if (life == QT_LIFE_GONE)
		return 0;
	/* requeued by others, found corrupt, renamed: no longer as judged */
	if (life == QT_LIFE_ALIVE)
		*what = CHANGED;
	*more = round + 1 < ROUNDS;
	qt_dirs_forget(&t->c->dirs); /* one may have been made anew */
	if (round > 0)
		(void)nanosleep(&pause, NULL);
	return 0;
}

static int place_one(const struct trip *t, enum placed *what,
    struct qt_error *err)
{
	bool more = true;
	int round, r;

	for (round = 0; more; round++) {
		if ((r = from_queues(t, what, err)) <= 0)
			return r;
		if ((r = is_there(t, err)) < 0)
			return -1;
		*what = ALREADY;
		if (r == 0)
			return 0;
		if (again_or_gone(t, round, &more, what, err) != 0)
			return -1;
	}
	return 0;
}

/* ---- restore ---- */

static const enum placed means[] = {[QT_TAKEN] = MOVED, [QT_TAKEN_GONE] = GONE,
    [QT_TAKEN_CHANGED] = CHANGED, [QT_TAKEN_IN_DELIVERY] = BUSY,
    [QT_TAKEN_DOUBTFUL] = DOUBTFUL};

/* A restored message's way is that of its source. */
static int restore_one(const struct trip *t, struct qt_restore *from,
    size_t seq, enum placed *what, struct qt_error *err)
{
	const struct qt_plan *p = t->tx->plan;
	enum qt_taken taken;
	int r;

	r = t->way == WAY_FORTH ?
	    qt_restore_out(t->c, from, p, seq, &taken, err) :
	    qt_restore_in(t->c, from, p, seq, &taken, err);
	if (r != 0)
		return -1;
	*what = means[taken];
	if (*what != GONE || t->way != WAY_FORTH)
		return 0;
	if ((r = is_there(t, err)) == 0)
		*what = ALREADY;
	return r < 0 ? -1 : 0;
}

/* An imported one's is its own. */
static int import_one(const struct trip *t, size_t seq, enum placed *what,
    struct qt_error *err)
{
	enum qt_taken taken;
	int r;

	r = t->way == WAY_FORTH ?
	    qt_import_place(t->c, t->tx, seq, &taken, err) :
	    qt_import_take(t->c, t->tx, seq, &taken, err);
	if (r != 0)
		return -1;
	*what = means[taken];
	/* it was free a moment ago: half an import is none */
	if (t->way == WAY_FORTH && taken == QT_TAKEN_CHANGED)
		return qt_fail(err, QT_E_SYS, qt_plan_path(t->tx->plan, t->it),
		    "its name is taken");
	return 0;
}

/* ---- all of them ---- */

static void count(struct qt_outcome *out, const struct trip *t, size_t seq,
    enum placed what)
{
	const struct qt_plan *p = t->tx->plan;

	switch (what) {
	case DOUBTFUL:
		out->doubtful++;
		qt_settle_report(out, QT_FATE_DOUBTFUL, p, seq);
		/* fall through */
	case MOVED:
	case ALREADY:
		out->done++;
		break;
	case GONE:
		out->gone++;
		qt_settle_report(out, QT_FATE_GONE, p, seq);
		break;
	case CHANGED:
	case RETURNED:
	case OTHERS:
	case TAKEN:
		out->changed++;
		qt_settle_report(out, QT_FATE_CHANGED, p, seq);
		break;
	case BUSY:
		out->changed++;
		qt_settle_report(out, QT_FATE_IN_DELIVERY, p, seq);
		break;
	}
}

/*
 * Back from maildrop.  pickup(8) locks nothing: it looks at a name, opens it,
 * gives the message to cleanup and unlinks the name, also when it could not be
 * opened because it was not there (Postfix src/pickup/pickup.c).  So what has
 * been taken away from it never comes back under that name: it could be unlinked
 * without having been read.  If pickup has read it, or is at it, then in the end
 * there are two: it stays in hold, and is named.
 */
static int from_maildrop(const struct trip *t, enum placed *what,
    struct qt_error *err)
{
	const bool on = t->way == WAY_ORIGIN && origin(t->it) != QT_Q_HOLD;
	struct trip leg = *t;
	const char *name;
	bool doubt = false;
	int dir, r;

	leg.way = on ? WAY_HOLD : t->way;
	if (find_target(&leg, err) != 0 || place_one(&leg, what, err) != 0)
		return -1;
	if (*what != MOVED && *what != ALREADY)
		return 0;
	r = qt_dirs_get(&t->c->dirs, t->c->spool, leg.target, &dir, &name, err);
	if (r == 0)
		r = qt_identity_may_be_read(dir, name, leg.target,
		    t->tx->log.commit.time_ns, &doubt, err);
	if (r < 0)
		return -1;
	if (doubt)
		*what = DOUBTFUL;
	if (doubt || !on)
		return 0;
	leg.way = WAY_ON;
	return find_target(&leg, err) != 0 ? -1 : place_one(&leg, what, err);
}

/* One message of a plan, there or back. */
static int one_way(struct trip *t, struct qt_restore *from, size_t seq,
    enum placed *what, struct qt_error *err)
{
	t->it = &t->tx->plan->v[seq];
	if (t->tx->plan->op == QT_OP_REQUEUE && t->way != WAY_FORTH)
		return from_maildrop(t, what, err);
	if (t->tx->plan->op == QT_OP_IMPORT)
		return import_one(t, seq, what, err);
	if (find_target(t, err) != 0)
		return -1;
	return from != NULL ? restore_one(t, from, seq, what, err) :
			      place_one(t, what, err);
}

static int one_forth(struct trip *t, struct qt_restore *from, size_t seq,
    struct qt_own *own, enum placed *what, struct qt_error *err)
{
	const int r = qt_own_look(own, seq, err) != 0 ? -1 :
	    one_way(t, from, seq, what, err);

	if (r != 0 || *what == MOVED)
		qt_own_moved(own, seq);
	else if (*what == RETURNED)
		qt_own_returned(own, seq);
	else if (*what != ALREADY)
		qt_own_not(own, seq);
	else if (!qt_own_arrived(own, seq))
		*what = OTHERS;
	return r;
}

/*
 * On the way forth own is told of each message, on the way back it is NULL, and
 * what the transaction has not moved is passed over.  *reached is the message
 * that it ended with, or failed at; *left counts names that are taken.  It is
 * not interrupted: to be between is the one thing that nobody wants.
 */
static int place_all(struct trip *t, struct qt_own *own,
    struct qt_outcome *out, size_t *reached, size_t *left,
    struct qt_error *err)
{
	struct qt_plan *p = t->tx->plan;
	struct qt_restore *from = NULL;
	enum placed what = GONE;
	size_t i;
	int r = 0;

	*reached = *left = 0;
	if (p->op == QT_OP_RESTORE &&
	    qt_restore_open(&from, t->c, p, err) != 0)
		return -1;
	for (i = 0; i < p->n && r == 0; i++) {
		*reached = i + 1;
		if (own == NULL && p->v[i].left)
			continue;
		r = own != NULL ? one_forth(t, from, i, own, &what, err) :
				  one_way(t, from, i, &what, err);
		if (r == 0) {
			count(out, t, i, what);
			*left += what == TAKEN;
			qt_settle_progress(t->c, i + 1, p->n);
			/* what recovery ends was let pass before */
			if (own != NULL && !own->again)
				r = qt_settle_strict(t->c, out, err);
		}
	}
	qt_restore_close(from);
	return r;
}

static int record(struct qt_change *c, struct qt_tx *tx,
    const struct qt_journal_record *rec, struct qt_error *err)
{
	return qt_journal_append(&tx->log, &c->fs, rec, tx->where, err);
}

static int forth(struct qt_change *c, struct qt_tx *tx, struct qt_own *own,
    size_t *reached, struct qt_outcome *out, struct qt_error *err)
{
	struct qt_journal_record rec = {.state = QT_TX_PLACED};
	struct trip t = {.c = c, .tx = tx, .way = WAY_FORTH,
	    .again = own->again};
	size_t left;

	if (place_all(&t, own, out, reached, &left, err) != 0 ||
	    qt_state_barrier(c, err) != 0 ||
	    qt_own_keep(own, tx->plan->n, true, &rec, err) != 0)
		return -1;
	rec.done = out->done;
	rec.gone = out->gone;
	rec.changed = out->changed;
	qt_tx_clean(c, tx);
	return record(c, tx, &rec, err);
}

/* Back, of those that are not left; the record says so, and is the last. */
static int take_back(struct qt_change *c, struct qt_tx *tx, bool in_place,
    struct qt_outcome *out, struct qt_error *err)
{
	const struct qt_journal_record rec = {.state = QT_TX_UNDONE};
	struct trip t = {.c = c, .tx = tx,
	    .way = in_place ? WAY_ORIGIN : WAY_HOLD};
	size_t reached, left;

	out->begun = true;
	if (place_all(&t, NULL, out, &reached, &left, err) != 0 ||
	    qt_state_barrier(c, err) != 0)
		return -1;
	if (left != 0)
		return 0; /* undone when the names are free */
	qt_tx_clean(c, tx);
	return record(c, tx, &rec, err);
}

/*
 * After a failure: all back that was moved.  Whoever has to go on with it, if
 * this is killed, is told by the record which that is.  0 when they are.
 */
static int all_back(struct qt_change *c, struct qt_tx *tx,
    const struct qt_own *own, size_t reached, const struct qt_outcome *out,
    struct qt_error *err)
{
	/* a redo began where the undo before it had put them */
	struct qt_journal_record rec = {.state = QT_TX_UNDOING,
	    .in_place = tx->log.redone == 0 || tx->log.undone_in_place};
	struct qt_outcome back = {.report = out->report,
	    .report_ctx = out->report_ctx};

	if (tx->log.unsure)
		return qt_fail(err, QT_E_STATE, tx->where,
		    "nobody can tell what its log says");
	if (qt_own_keep(own, reached, false, &rec, err) != 0 ||
	    record(c, tx, &rec, err) != 0 ||
	    take_back(c, tx, rec.in_place, &back, err) != 0)
		return -1;
	return back.changed + back.doubtful == 0 ? 0 :
	    qt_fail(err, QT_E_STATE, tx->where,
		"%zu messages could not be put back where they were",
		back.changed + back.doubtful);
}

/* What an import has made and could not place is of no use to anybody. */
static void remove_made(struct qt_change *c, struct qt_tx *tx)
{
	struct qt_outcome ignored = {0};
	struct qt_error none = {0};

	if (tx->plan->op == QT_OP_IMPORT && tx->log.redone == 0)
		(void)!qt_import_purge(c, tx, &ignored, &none);
}

int qt_place_settle(struct qt_change *c, struct qt_tx *tx, bool again,
    struct qt_outcome *out, struct qt_error *err)
{
	struct qt_error cause = {0}, e = {0};
	size_t gone = out->gone, changed = out->changed, reached = 0;
	struct qt_own own;

	if (qt_own_begin(&own, c, tx, again, err) != 0)
		return -1;
	if (forth(c, tx, &own, &reached, out, &cause) == 0)
		return 0;
	if (all_back(c, tx, &own, reached, out, &e) == 0) {
		remove_made(c, tx);
		out->done = 0;
		out->gone = gone;
		out->changed = changed;
		if (err != NULL)
			*err = cause;
		return -1;
	}
	return qt_settle_unsettled(tx, &cause, &e, err);
}

int qt_place_undo(struct qt_change *c, struct qt_tx *tx, bool in_place,
    struct qt_outcome *out, struct qt_error *err)
{
	const struct qt_journal_record rec = {.state = QT_TX_UNDOING,
	    .in_place = in_place};
	size_t i;

	if (tx->plan->queue_ino != c->spool->ino)
		return qt_fail(err, QT_E_REFUSED, tx->where,
		    "it was made on another copy of this queue, where its "
		    "messages had other inodes");
	if (qt_own_recall(tx, err) != 0)
		return -1;
	out->planned = 0;
	for (i = 0; i < tx->plan->n; i++)
		out->planned += !tx->plan->v[i].left;
	if ((tx->log.last.state != QT_TX_UNDOING ||
		tx->log.last.in_place != in_place) &&
	    record(c, tx, &rec, err) != 0)
		return -1;
	return take_back(c, tx, in_place, out, err);
}
