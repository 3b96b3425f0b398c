/*
 * back.c - the logs of a staged message, putting both back, and unlinking.
 *
 * The message is taken first and its logs after it, and they go back logs
 * first: while the message is staged its inode is in use, so no new message
 * can have its short queue ID and the logs can be no one else's.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "change/identity.h"
#include "change/room.h"
#include "change/stage.h"

/* ---- names of others ---- */

static int is_taken(struct qt_change *c, const char *path, bool *taken,
    struct qt_error *err)
{
	const char *name;
	struct stat st;
	int dir, r = qt_dirs_get(&c->dirs, c->spool, path, &dir, &name, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*taken = true;
	else if (errno != ENOENT)
		return qt_fsops_fail(err, "fstatat", path);
	return 0;
}

/*
 * Whether a message in the queue has the ID of one that is staged.  An ID made
 * of the inode's number cannot be given away while the inode is in staging.
 */
static int other_has_id(struct qt_change *c, const struct qt_plan *p,
    const struct qt_plan_item *it, bool *yes, struct qt_error *err)
{
	static const enum qt_queue queues[] = {QT_Q_MAILDROP, QT_Q_INCOMING,
	    QT_Q_ACTIVE, QT_Q_DEFERRED, QT_Q_HOLD};
	const char *id = qt_plan_id(p, it);
	char path[QT_PLAN_PATH_SIZE];
	struct qt_queue_id parts;
	size_t i;

	*yes = false;
	qt_queue_id_parse(&parts, id);
	if (parts.has_inode && parts.inode == it->ino)
		return 0;
	for (i = 0; i < sizeof(queues) / sizeof(queues[0]) && !*yes; i++)
		if (qt_identity_path(c, queues[i], id, path, err) != 0 ||
		    is_taken(c, path, yes, err) != 0)
			return -1;
	return 0;
}

/* ---- logs ---- */

static int take_log(struct qt_change *c, struct qt_tx *tx, size_t seq,
    unsigned kind, struct qt_error *err)
{
	struct qt_plan_item *it = &tx->plan->v[seq];
	char path[QT_PLAN_PATH_SIZE], entry[QT_TX_ENTRY_SIZE];
	unsigned bit = kind;
	const char *name;
	struct stat st;
	bool shared;
	int dir, bucket, r;

	if (qt_identity_path(c, qt_tx_log_queue(kind), qt_plan_id(tx->plan, it), path,
		err) != 0)
		return -1;
	r = qt_dirs_get(&c->dirs, c->spool, path, &dir, &name, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 :
		    qt_fsops_fail(err, "fstatat", path);
	if (!S_ISREG(st.st_mode))
		return 0; /* a hash directory, or nothing of Postfix's */
	/* whose of the two it is nobody can tell: it stays with what stays */
	if (other_has_id(c, tx->plan, it, &shared, err) != 0)
		return -1;
	if (shared)
		return 0;
	if ((it->logs & bit) != 0)
		bit = kind << QT_LOG_LATE;
	if ((it->logs & bit) != 0)
		return 0; /* a third one: left behind, as postsuper would */
	if (qt_tx_bucket(tx, QT_TX_LOGS, seq, &bucket, err) != 0)
		return -1;
	qt_tx_entry(tx, seq, qt_tx_log_letter(bit), entry);
	if (qt_room_rename(c, dir, name, bucket, entry) != 0)
		return errno == ENOENT ? 0 : qt_room_fail(err, path);
	it->logs |= (uint8_t)bit;
	return 0;
}

int qt_stage_logs(struct qt_change *c, struct qt_tx *tx, size_t seq,
    struct qt_error *err)
{
	unsigned kind;

	for (kind = QT_LOG_DEFER; kind <= QT_LOG_TRACE; kind <<= 1)
		if (take_log(c, tx, seq, kind, err) != 0)
			return -1;
	return 0;
}

/* ---- putting back ---- */

/* The path in the plan, or today's where the hash depth was changed. */
static int origin_path(const struct qt_change *c, const struct qt_plan *p,
    const struct qt_plan_item *it, char path[QT_PLAN_PATH_SIZE],
    struct qt_error *err)
{
	if (it->queue == QT_Q_ACTIVE) /* qmgr does the same when it starts */
		return qt_identity_path(c, QT_Q_INCOMING, qt_plan_id(p, it), path, err);
	/* of a spool without configuration the depth is only a guess */
	if (it->computed && c->spool->live)
		return qt_identity_path(c, (enum qt_queue)it->queue, qt_plan_id(p, it),
		    path, err);
	(void)strlcpy(path, qt_plan_path(p, it), QT_PLAN_PATH_SIZE);
	return 0;
}

static int target_path(const struct qt_change *c, const struct qt_plan *p,
    const struct qt_plan_item *it, enum qt_back to,
    char path[QT_PLAN_PATH_SIZE], struct qt_error *err)
{
	enum qt_queue q;

	switch (to) {
	case QT_BACK_HOLD:
		return qt_identity_path(c, QT_Q_HOLD, qt_plan_id(p, it), path, err);
	case QT_BACK_ORIGIN:
		return origin_path(c, p, it, path, err);
	case QT_BACK_ABORT:
		break;
	}
	if (it->staged >= 'a') /* from its own place */
		return origin_path(c, p, it, path, err);
	q = qt_staged_queue(it->staged);
	return qt_identity_path(c, q == QT_Q_ACTIVE ? QT_Q_INCOMING : q,
	    qt_plan_id(p, it), path, err);
}

/*
 * Whether the ID is another message's now.  Postfix renames without looking, so
 * one ID in two queues would end as one message.
 */
static int id_is_taken(struct qt_change *c, const struct qt_plan *p,
    const struct qt_plan_item *it, const char *target, bool *taken,
    struct qt_error *err)
{
	*taken = false;
	if (is_taken(c, target, taken, err) != 0)
		return -1;
	return *taken ? 0 : other_has_id(c, p, it, taken, err);
}

/*
 * Rename a staged name to a path; its directory is made if need be.  *taken:
 * the name exists, nothing was done.
 */
static int name_back(struct qt_change *c, struct qt_tx *tx,
    enum qt_tx_area area, size_t seq, char letter, const char *path,
    bool *taken, struct qt_error *err)
{
	char entry[QT_TX_ENTRY_SIZE];
	const char *name;
	int bucket, dir, tries;

	*taken = false;
	if (qt_tx_bucket(tx, area, seq, &bucket, err) != 0)
		return -1;
	qt_tx_entry(tx, seq, letter, entry);
	for (tries = 0; tries < 3; tries++) {
		if (qt_dirs_make(&c->dirs, &c->fs, c->spool, tx->stage, path,
			&dir, &name, err) != 0)
			return -1;
		if (qt_room_rename(c, bucket, entry, dir, name) == 0)
			return 0;
		if (errno == EEXIST) {
			*taken = true;
			return 0;
		}
		if (errno != ENOENT)
			return qt_fsops_fail(err, "rename", path);
		/* the directory was removed while we had it open */
		qt_dirs_forget(&c->dirs);
	}
	return qt_fsops_fail(err, "rename", path);
}

/*
 * One log back to where Postfix looks for it.  A name that is taken has a newer
 * log of the same message: the older one stays in staging, nothing is replaced.
 */
static int log_back(struct qt_change *c, struct qt_tx *tx, size_t seq,
    unsigned bit, struct qt_error *err)
{
	struct qt_plan_item *it = &tx->plan->v[seq];
	char path[QT_PLAN_PATH_SIZE];
	bool taken;

	if (qt_identity_path(c, qt_tx_log_queue(bit), qt_plan_id(tx->plan, it), path,
		err) != 0 ||
	    name_back(c, tx, QT_TX_LOGS, seq, qt_tx_log_letter(bit), path,
		&taken, err) != 0)
		return -1;
	if (!taken)
		it->logs &= (uint8_t)~bit;
	return 0;
}

static int logs_back(struct qt_change *c, struct qt_tx *tx, size_t seq,
    struct qt_error *err)
{
	const struct qt_plan_item *it = &tx->plan->v[seq];
	unsigned bit;

	/* late logs first: they are the newer ones */
	for (bit = QT_LOG_TRACE << QT_LOG_LATE; bit != 0; bit >>= 1)
		if ((it->logs & bit) != 0 && log_back(c, tx, seq, bit, err) != 0)
			return -1;
	return 0;
}

int qt_stage_back(struct qt_change *c, struct qt_tx *tx, size_t seq,
    enum qt_back to, bool *conflict, struct qt_error *err)
{
	struct qt_plan_item *it = &tx->plan->v[seq];
	char path[QT_PLAN_PATH_SIZE];
	int r;

	*conflict = false;
	/* a power cut may have kept the renames of its logs and not its own */
	if (it->staged == '\0')
		return logs_back(c, tx, seq, err);
	if (target_path(c, tx->plan, it, to, path, err) != 0)
		return -1;
	/*
	 * An abort leaves the queue as it was found: who shared the ID in
	 * another queue then is no reason to keep the message now.
	 */
	r = to == QT_BACK_ABORT ? is_taken(c, path, conflict, err) :
	    id_is_taken(c, tx->plan, it, path, conflict, err);
	if (r != 0)
		return -1;
	if (*conflict)
		return 0;
	if (logs_back(c, tx, seq, err) != 0)
		return -1;
	if (name_back(c, tx, QT_TX_MESSAGES, seq, it->staged, path, conflict,
		err) != 0)
		return -1;
	if (!*conflict)
		it->staged = '\0';
	return 0;
}

/* ---- unlinking ---- */

static int unlink_entry(struct qt_change *c, struct qt_tx *tx,
    enum qt_tx_area area, size_t seq, char letter, struct qt_error *err)
{
	char entry[QT_TX_ENTRY_SIZE];
	int bucket;

	if (qt_tx_bucket(tx, area, seq, &bucket, err) != 0)
		return -1;
	qt_tx_entry(tx, seq, letter, entry);
	if (c->fs.unlink(c->fs.ctx, bucket, entry) != 0 && errno != ENOENT)
		return qt_fsops_fail(err, "unlink", entry);
	return 0;
}

int qt_stage_unlink(struct qt_change *c, struct qt_tx *tx, size_t seq,
    struct qt_error *err)
{
	struct qt_plan_item *it = &tx->plan->v[seq];
	unsigned bit;

	if (it->staged != '\0' &&
	    unlink_entry(c, tx, QT_TX_MESSAGES, seq, it->staged, err) != 0)
		return -1;
	it->staged = '\0';
	for (bit = QT_LOG_DEFER; bit <= QT_LOG_TRACE << QT_LOG_LATE; bit <<= 1) {
		if ((it->logs & bit) == 0)
			continue;
		if (unlink_entry(c, tx, QT_TX_LOGS, seq, qt_tx_log_letter(bit),
			err) != 0)
			return -1;
		it->logs &= (uint8_t)~bit;
	}
	return 0;
}
