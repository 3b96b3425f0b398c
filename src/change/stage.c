/*
 * stage.c - taking messages out of the queue.
 *
 * qmgr, postsuper and flush move messages by name at any moment (Postfix
 * src/qmgr/qmgr_move.c, src/postsuper/postsuper.c): a message may be renamed
 * between the look at a directory and the rename out of it.  So a miss means
 * "look again", in all places it can be, and only the kernel's word that the
 * inode is no more (ESTALE for its handle) ends the search early.
 */
#include "change/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "change/identity.h"
#include "change/room.h"

#define ROUNDS 8	 /* over all places, when there is no handle to ask */
#define ROUNDS_ALIVE 40	 /* when the kernel says that it is somewhere */
#define ROUNDS_LATER 4	 /* of what was taken and put back before */
#define ROUND_PAUSE_NS 5000000L

/* ---- places ---- */

/* Where a message is looked for: first its own place, then by queue. */
static const enum qt_queue search[] = {QT_Q_COUNT /* the path itself */,
    QT_Q_DEFERRED, QT_Q_ACTIVE, QT_Q_INCOMING, QT_Q_HOLD};
#define NSEARCH (sizeof(search) / sizeof(search[0]))
/* Where it may have been put by others, who are then left alone. */
static const enum qt_queue aside[] = {QT_Q_MAILDROP, QT_Q_CORRUPT, QT_Q_SAVED};

/*
 * The path of a search step; false: there is none, as it is the message's own
 * path again.
 */
static int step_path(const struct qt_change *c, const struct qt_plan *p,
    const struct qt_plan_item *it, size_t step, char path[QT_PLAN_PATH_SIZE],
    bool *use, struct qt_error *err)
{
	const char *own = qt_plan_path(p, it);

	*use = true;
	if (step == 0) {
		(void)strlcpy(path, own, QT_PLAN_PATH_SIZE);
		return 0;
	}
	if (qt_identity_path(c, search[step], qt_plan_id(p, it), path, err) != 0)
		return -1;
	*use = strcmp(path, own) != 0;
	return 0;
}

/* Whether what is found at a step is left alone, as qmgr has it (stage.h). */
static bool leave_there(const struct qt_plan_item *it, size_t step,
    enum qt_take how)
{
	const bool active = search[step] == QT_Q_ACTIVE ||
	    (step == 0 && it->queue == QT_Q_ACTIVE);

	if (!active || how == QT_TAKE_RECOVER)
		return false;
	return how == QT_TAKE_BACK ||
	    (it->queue != QT_Q_ACTIVE && it->queue != QT_Q_INCOMING);
}

/* ---- looking, before there is a plan ---- */

/* One round over the places: *found says what is there under its name. */
static int look_round(struct qt_change *c, struct qt_plan *p, size_t i,
    enum qt_likeness *best, bool *any, struct qt_handle *h,
    struct qt_error *err)
{
	const struct qt_plan_item *it = &p->v[i];
	char path[QT_PLAN_PATH_SIZE];
	enum qt_likeness like;
	const char *name;
	struct stat st;
	size_t step;
	bool use;
	int dir, r;

	*best = QT_LIKE_OTHER;
	for (step = 0; step < NSEARCH && *best == QT_LIKE_OTHER; step++) {
		if (step_path(c, p, it, step, path, &use, err) != 0)
			return -1;
		if (!use)
			continue;
		if ((r = qt_identity_stat(c, path, &st, &dir, &name, err)) < 0)
			return -1;
		if (r > 0)
			continue;
		*any = true;
		like = qt_identity_compare(c, it, &st, step == 0);
		if (like != QT_LIKE_OTHER && leave_there(it, step, QT_TAKE_FIRST))
			like = QT_LIKE_BUSY;
		if (like == QT_LIKE_SAME &&
		    (r = qt_identity_handle(dir, name, h, path, err)) != 0) {
			if (r < 0)
				return -1;
			continue; /* moved in this instant */
		}
		*best = like;
	}
	return 0;
}

static void pause_round(void)
{
	const struct timespec t = {0, ROUND_PAUSE_NS};

	(void)nanosleep(&t, NULL);
}

int qt_stage_look(struct qt_change *c, struct qt_plan *p, size_t i,
    enum qt_taken *what, struct qt_error *err)
{
	enum qt_likeness best = QT_LIKE_OTHER;
	struct qt_handle h;
	bool any = false;
	int round;

	for (round = 0; round < ROUNDS && best == QT_LIKE_OTHER; round++) {
		if (round == 1)
			qt_dirs_forget(&c->dirs);
		if (round > 1)
			pause_round();
		if (look_round(c, p, i, &best, &any, &h, err) != 0)
			return -1;
		if (any && best == QT_LIKE_OTHER)
			break; /* the name is another message's now */
	}
	if (best != QT_LIKE_SAME) {
		*what = best == QT_LIKE_BUSY ? QT_TAKEN_IN_DELIVERY :
		    any ? QT_TAKEN_CHANGED : QT_TAKEN_GONE;
		return 0;
	}
	*what = QT_TAKEN;
	return qt_identity_note(c, p, i, &h, err);
}

/* ---- checking what is staged ---- */

/* The staged name's status and handle, compared with the plan. */
static int staged_likeness(struct qt_change *c, struct qt_tx *tx, size_t seq,
    char letter, enum qt_likeness *like, struct qt_error *err)
{
	struct qt_plan_item *it = &tx->plan->v[seq];
	char entry[QT_TX_ENTRY_SIZE];
	struct qt_handle h;
	struct stat st;
	int bucket, r;

	if (qt_tx_bucket(tx, QT_TX_MESSAGES, seq, &bucket, err) != 0)
		return -1;
	qt_tx_entry(tx, seq, letter, entry);
	if (fstatat(bucket, entry, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return qt_fsops_fail(err, "fstatat", entry);
	*like = qt_identity_compare(c, it, &st, false);
	if (*like == QT_LIKE_OTHER)
		return 0;
	if ((r = qt_identity_handle(bucket, entry, &h, entry, err)) != 0)
		return r < 0 ? -1 : qt_fail(err, QT_E_STATE, tx->where,
		    "\"%s\" vanished from staging", entry);
	if (!qt_identity_same(tx->plan, it, &h))
		*like = QT_LIKE_OTHER;
	return 0;
}

int qt_stage_check(struct qt_change *c, struct qt_tx *tx, size_t seq,
    bool *same, struct qt_error *err)
{
	enum qt_likeness like;

	if (staged_likeness(c, tx, seq, tx->plan->v[seq].staged, &like, err) != 0)
		return -1;
	*same = like != QT_LIKE_OTHER;
	return 0;
}

/* ---- taking ---- */

/*
 * What came into staging by mistake goes back as it does after an abort: what
 * was in active to incoming, as qmgr forgot it when it was not there.
 */
static int give_back(struct qt_change *c, struct qt_tx *tx, size_t seq,
    const char *path, struct qt_error *err)
{
	bool conflict;

	if (qt_stage_back(c, tx, seq, QT_BACK_ABORT, &conflict, err) != 0)
		return -1;
	return !conflict ? 0 : qt_fail(err, QT_E_STATE, path,
	    "was replaced while it was taken, and again before it could be put "
	    "back: it stays in staging");
}

/*
 * Take what lies at path if it is the message.  *like: QT_LIKE_SAME when it
 * was taken; 1: not there, or moved meanwhile.
 */
static int take_from(struct qt_change *c, struct qt_tx *tx, size_t seq,
    const char *path, char letter, bool with_ctime, enum qt_likeness *like,
    struct qt_error *err)
{
	struct qt_plan_item *it = &tx->plan->v[seq];
	char entry[QT_TX_ENTRY_SIZE];
	const char *name;
	struct stat st;
	int dir, bucket, r;

	if ((r = qt_identity_stat(c, path, &st, &dir, &name, err)) != 0)
		return r;
	*like = qt_identity_compare(c, it, &st, with_ctime);
	if (*like != QT_LIKE_SAME)
		return 0;
	if (qt_tx_bucket(tx, QT_TX_MESSAGES, seq, &bucket, err) != 0)
		return -1;
	qt_tx_entry(tx, seq, letter, entry);
	if (qt_room_rename(c, dir, name, bucket, entry) != 0)
		return errno == ENOENT ? 1 : qt_room_fail(err, path);
	it->staged = letter;
	if (staged_likeness(c, tx, seq, letter, like, err) != 0)
		return -1;
	/* it was replaced or tried between the look and the rename */
	return *like == QT_LIKE_SAME ? 0 :
	    give_back(c, tx, seq, path, err);
}

/* What lies at path, when it is not to be taken from there; 1: nothing. */
static int look_at(struct qt_change *c, const struct qt_plan_item *it,
    const char *path, enum qt_likeness *like, struct qt_error *err)
{
	const char *name;
	struct stat st;
	int dir, r = qt_identity_stat(c, path, &st, &dir, &name, err);

	if (r == 0)
		*like = qt_identity_compare(c, it, &st, false) != QT_LIKE_OTHER ?
		    QT_LIKE_BUSY : QT_LIKE_OTHER;
	return r;
}

/* One round over the places. */
static int take_round(struct qt_change *c, struct qt_tx *tx, size_t seq,
    enum qt_take how, enum qt_likeness *best, struct qt_error *err)
{
	const struct qt_plan_item *it = &tx->plan->v[seq];
	char path[QT_PLAN_PATH_SIZE], letter;
	enum qt_likeness like;
	size_t step;
	bool use;
	int r;

	*best = QT_LIKE_OTHER;
	for (step = 0; step < NSEARCH; step++) {
		if (step_path(c, tx->plan, it, step, path, &use, err) != 0)
			return -1;
		if (!use)
			continue;
		letter = step == 0 ?
		    qt_staged_letter((enum qt_queue)it->queue) :
		    (char)(qt_staged_letter(search[step]) - 'a' + 'A');
		r = leave_there(it, step, how) ?
		    look_at(c, it, path, &like, err) :
		    take_from(c, tx, seq, path, letter, step == 0 &&
			how == QT_TAKE_FIRST,
			&like, err);
		if (r < 0)
			return -1;
		if (r == 0 && like != QT_LIKE_OTHER) {
			*best = like;
			return 0;
		}
	}
	return 0;
}

/* Whether somebody moved it out of the queues that are searched. */
static int put_aside(struct qt_change *c, const struct qt_plan *p,
    const struct qt_plan_item *it, bool *yes, struct qt_error *err)
{
	char path[QT_PLAN_PATH_SIZE];
	const char *name;
	struct stat st;
	size_t i;
	int dir, r;

	*yes = false;
	for (i = 0; i < sizeof(aside) / sizeof(aside[0]) && !*yes; i++) {
		if (qt_identity_path(c, aside[i], qt_plan_id(p, it), path, err) != 0)
			return -1;
		if ((r = qt_identity_stat(c, path, &st, &dir, &name, err)) < 0)
			return -1;
		*yes = r == 0 && st.st_ino == it->ino;
	}
	return 0;
}

/*
 * It exists, and all the rounds have missed it.  Under another name it is no
 * longer what was judged.  Anything else ends the run: without it the
 * transaction would not be whole.
 */
static int judge_alive(struct qt_change *c, const struct qt_plan *p,
    const struct qt_plan_item *it, enum qt_taken *what, struct qt_error *err)
{
	const char *id = qt_plan_id(p, it);
	char path[QT_PLAN_PATH_SIZE];
	int r = qt_stage_find(c, it, path, err);

	if (r < 0)
		return -1;
	if (r > 0)
		return qt_fail(err, QT_E_SYS, qt_plan_path(p, it),
		    "message %s still exists (inode %llu) and is in no queue "
		    "under any name; whether it will be sent nobody can tell, "
		    "so nothing is deleted", id, (unsigned long long)it->ino);
	if (strcmp(strrchr(path, '/') + 1, id) == 0)
		return qt_fail(err, QT_E_SYS, path,
		    "message %s could not be taken: looked for %d times in "
		    "deferred, incoming and hold, it was always elsewhere; "
		    "nothing is deleted, try again", id, ROUNDS_ALIVE);
	*what = QT_TAKEN_CHANGED;
	return 0;
}

/* After a round that found nothing: what to say, or *more: look again. */
static int judge_miss(struct qt_change *c, const struct qt_plan *p,
    const struct qt_plan_item *it, int round, enum qt_take how,
    enum qt_taken *what, bool *more, struct qt_error *err)
{
	enum qt_life life;
	bool moved;

	*more = false;
	*what = QT_TAKEN_GONE;
	if (how == QT_TAKE_RECOVER) /* it came back, or it did not */
		return 0;
	if (qt_identity_ask(c, p, it, &life, err) != 0)
		return -1;
	if (life == QT_LIFE_GONE)
		return 0;
	if (put_aside(c, p, it, &moved, err) != 0)
		return -1;
	if (moved) { /* requeued, or found corrupt: no longer as judged */
		*what = QT_TAKEN_CHANGED;
		return 0;
	}
	if (how != QT_TAKE_FIRST) {
		/* another transaction may have it, and that is no failure */
		if (life == QT_LIFE_ALIVE)
			*what = QT_TAKEN_CHANGED;
		*more = round + 1 < ROUNDS_LATER;
		return 0;
	}
	*more = round + 1 < (life == QT_LIFE_ALIVE ? ROUNDS_ALIVE : ROUNDS);
	return *more || life != QT_LIFE_ALIVE ? 0 : judge_alive(c, p, it, what, err);
}

int qt_stage_take(struct qt_change *c, struct qt_tx *tx, size_t seq,
    enum qt_take how, enum qt_taken *what, struct qt_error *err)
{
	enum qt_likeness best = QT_LIKE_OTHER;
	bool more = true;
	int round;

	for (round = 0; more; round++) {
		if (round == 1) /* a directory may have been made anew */
			qt_dirs_forget(&c->dirs);
		if (round > 2)
			pause_round();
		if (take_round(c, tx, seq, how, &best, err) != 0)
			return -1;
		if (best == QT_LIKE_TOUCHED || best == QT_LIKE_BUSY) {
			*what = best == QT_LIKE_BUSY ? QT_TAKEN_IN_DELIVERY :
			    QT_TAKEN_CHANGED;
			tx->plan->v[seq].left = true; /* also by recovery */
			return 0;
		}
		if (best == QT_LIKE_SAME) {
			*what = QT_TAKEN;
			return qt_stage_logs(c, tx, seq, err);
		}
		if (round > 0 && judge_miss(c, tx->plan, &tx->plan->v[seq],
			round, how, what, &more, err) != 0)
			return -1;
	}
	tx->plan->v[seq].left |= *what == QT_TAKEN_CHANGED;
	return 0;
}
