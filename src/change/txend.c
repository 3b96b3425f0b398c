/*
 * txend.c - what is removed of a transaction, and what becomes of its
 * directories.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "change/copies.h"
#include "change/places.h"
#include "change/txdir.h"

#define MKDIR_TMP "dir.tmp" /* of dirs.c */
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* ---- removing ---- */

struct remover {
	struct qt_change *c;
	const struct qt_tx *tx;
	enum qt_tx_area area;
	int dir;
	bool but_first; /* leave the bucket that a new directory has */
};

static int remove_bucket(void *ctx, const char *name, struct qt_error *err)
{
	struct remover *r = ctx;

	if (r->but_first && strcmp(name, "0000") == 0)
		return 0;
	if (r->c->fs.rmdir(r->c->fs.ctx, r->dir, name) != 0 && errno != ENOENT)
		return qt_fsops_fail(err, "rmdir", r->tx->where);
	return 0;
}

static int remove_area(struct qt_change *c, struct qt_tx *tx,
    enum qt_tx_area area, bool but_first, struct qt_error *err)
{
	struct remover rm = {.c = c, .tx = tx, .area = area,
	    .but_first = but_first};
	int r;

	rm.dir = openat(tx->stage, qt_tx_area_names[area], DIR_FLAGS);
	if (rm.dir < 0)
		return errno == ENOENT ? 0 :
		    qt_fsops_fail(err, "open", tx->where);
	r = qt_state_each(rm.dir, tx->where, remove_bucket, &rm, err);
	qt_close_quiet(&rm.dir);
	if (r == 0 && !but_first &&
	    c->fs.rmdir(c->fs.ctx, tx->stage, qt_tx_area_names[area]) != 0)
		r = qt_fsops_fail(err, "rmdir", tx->where);
	return r;
}

static int remove_name(struct qt_change *c, int dir, const char *name,
    const struct qt_tx *tx, struct qt_error *err)
{
	if (c->fs.unlink(c->fs.ctx, dir, name) != 0 && errno != ENOENT)
		return qt_fsops_fail(err, "unlink", tx->where);
	return 0;
}

/*
 * Its staging directories become the spare ones when those are used, as a full
 * disk has no room for new ones.  False: they are not needed, or it could not.
 */
static bool give_back(struct qt_change *c, struct qt_tx *tx)
{
	struct qt_error ignored = {0};

	if (qt_places_has_spare(c) ||
	    remove_name(c, tx->stage, QT_TX_PLAN_TMP, tx, &ignored) != 0 ||
	    remove_area(c, tx, QT_TX_MESSAGES, true, &ignored) != 0 ||
	    remove_area(c, tx, QT_TX_LOGS, true, &ignored) != 0)
		return false;
	/* a plan that a power cut brings back must not be the next one's */
	return c->fs.fsync(c->fs.ctx, tx->stage) == 0 &&
	    qt_places_give_back(c, tx->name);
}

/* Kept as the spare ones, or removed; what was copied goes in either case. */
static int give_up_stage(struct qt_change *c, struct qt_tx *tx,
    struct qt_error *err)
{
	if (qt_copies_remove(c, tx, NULL, NULL, err) != 0)
		return -1;
	if (give_back(c, tx))
		return 0;
	if (remove_name(c, tx->stage, QT_TX_PLAN_TMP, tx, err) != 0 ||
	    remove_area(c, tx, QT_TX_MESSAGES, false, err) != 0 ||
	    remove_area(c, tx, QT_TX_LOGS, false, err) != 0)
		return -1;
	if (c->fs.rmdir(c->fs.ctx, c->tx, tx->name) != 0)
		return qt_fsops_fail(err, "rmdir", tx->where);
	return 0;
}

/*
 * Remove plan and log: log first, durably, as a log without a plan would be
 * damage.
 */
static int remove_files(struct qt_change *c, const struct qt_tx *tx,
    struct qt_error *err)
{
	if (remove_name(c, tx->home, QT_TX_LOG_NAME, tx, err) != 0)
		return -1;
	if (c->fs.fsync(c->fs.ctx, tx->home) != 0)
		return qt_fsops_fail(err, "fsync", tx->where);
	return remove_name(c, tx->home, QT_TX_PLAN_NAME, tx, err);
}

/* Its directory outside the spool. */
static int remove_home(struct qt_change *c, const struct qt_tx *tx,
    struct qt_error *err)
{
	size_t i;

	if (remove_name(c, tx->home, QT_TX_PLAN_TMP, tx, err) != 0)
		return -1;
	for (i = 0; i < c->places.n; i++)
		if (c->places.v[i].path == tx->place &&
		    c->fs.rmdir(c->fs.ctx, c->places.v[i].tx, tx->name) != 0)
			return qt_fsops_fail(err, "rmdir", tx->place);
	return 0;
}

int qt_tx_discard(struct qt_change *c, struct qt_tx *tx, bool home_too,
    struct qt_error *err)
{
	size_t messages = 0, logfiles = 0;

	if (tx->stage >= 0) {
		if (qt_tx_count(tx, QT_TX_MESSAGES, &messages, err) != 0 ||
		    qt_tx_count(tx, QT_TX_LOGS, &logfiles, err) != 0)
			return -1;
		if (messages + logfiles != 0)
			return qt_fail(err, QT_E_STATE, tx->where,
			    "%zu messages are staged, but there is no plan",
			    messages);
	}
	/*
	 * Outside first: while a plan is left there, the directory in the spool
	 * is what leads recovery to it.
	 */
	if (home_too && tx->place != NULL && tx->home >= 0) {
		if (remove_home(c, tx, err) != 0)
			return -1;
	}
	return tx->stage >= 0 ? give_up_stage(c, tx, err) : 0;
}

int qt_tx_withdraw(struct qt_change *c, struct qt_tx *tx, bool home_too,
    const struct qt_error *cause, struct qt_error *err)
{
	size_t messages, logfiles;

	if ((cause->sys != ENOSPC && cause->sys != EDQUOT) ||
	    tx->log.last.n != 0)
		return 1;
	if (qt_tx_count(tx, QT_TX_MESSAGES, &messages, err) != 0 ||
	    qt_tx_count(tx, QT_TX_LOGS, &logfiles, err) != 0)
		return -1;
	if (messages + logfiles != 0)
		return 1;
	if (remove_files(c, tx, err) != 0)
		return -1;
	return qt_tx_discard(c, tx, home_too, err);
}

/* ---- cleaning up ---- */

/*
 * An attempt that failed on a full disk has used the spare directories, and the
 * next one needs them: nothing stays of it.  Its messages are back, durably,
 * whatever is left of it by a crash; and its log, which is open, takes the last
 * record still.
 */
static bool leave_no_trace(struct qt_change *c, struct qt_tx *tx)
{
	const struct qt_journal_record *last = &tx->log.last;
	struct qt_error ignored = {0};

	if (tx->place == NULL || qt_places_has_spare(c) ||
	    (last->n != 0 && last->state != QT_TX_PREPARED &&
		last->state != QT_TX_ABORTING))
		return false;
	if (remove_files(c, tx, &ignored) != 0)
		return false;
	(void)!remove_home(c, tx, &ignored); /* an empty one is no harm */
	return give_back(c, tx);
}

void qt_tx_clean(struct qt_change *c, struct qt_tx *tx)
{
	size_t no, n = (tx->plan->n + QT_TX_BUCKET - 1) / QT_TX_BUCKET;
	char name[QT_TX_BUCKET_NAME_SIZE];
	int a;

	(void)c->fs.rmdir(c->fs.ctx, tx->stage, MKDIR_TMP);
	if (leave_no_trace(c, tx))
		return;
	for (a = 0; a < QT_TX_AREAS; a++) {
		qt_close_quiet(&tx->bucket[a].fd);
		for (no = 0; no < n || no == 0; no++) {
			qt_tx_bucket_name((enum qt_tx_area)a, no, name);
			(void)c->fs.rmdir(c->fs.ctx, tx->stage, name);
		}
		(void)c->fs.rmdir(c->fs.ctx, tx->stage, qt_tx_area_names[a]);
	}
	/* as soon as a purge has made room */
	qt_places_reserve(c);
}
