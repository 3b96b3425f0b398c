/*
 * late.c - where the scanner's entries come from: the walk, look-ups by name,
 * and a second look at what moved.
 *
 * qmgr, pickup, flush and postsuper rename messages from queue to queue while
 * we read.  Three things can then happen to one of them:
 *
 *  - it is seen in both directories: the second row has the (dev, ino) of the
 *    first and is dropped;
 *  - it is seen in the first and is gone when it is to be opened;
 *  - it moves from a directory not yet read to one read already, and is not
 *    seen at all.
 *
 * Against the last two, directories whose modification time has changed are
 * read again when all rows are known, and names that vanished are looked up
 * where Postfix would have moved them.  New rows may come of it that move in
 * turn, so this is repeated, but not for ever.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "source/packed.h"
#include "source/picks_priv.h"
#include "source/scan_priv.h"

#define ROUNDS 4		      /* second looks, at most */
#define GONE_MAX ((size_t)64 << 10)   /* names remembered */
#define VARIANTS 4u		      /* places of a name in one queue */

/* ---- one name ---- */

/* Hash directory of a variant: 0 as configured, then depth 0, 1, 2.  False
 * when it is the same place as variant 0. */
static bool variant_hash(const struct qt_lookup *k, const struct qt_spool *s,
    char *hash, size_t size)
{
	unsigned depth = s->depth[k->queue];

	if (k->variant > 0) {
		if (k->variant - 1 == depth)
			return false;
		depth = k->variant - 1;
	}
	qt_queue_id_hash(k->only, depth, hash, size);
	return strlen(hash) < QT_TREE_PATH_MAX - QT_TREE_BASE_MAX;
}

static void next_place(struct qt_lookup *k)
{
	/* what Postfix moves goes where it computes */
	if (++k->variant < VARIANTS && !k->computed_only)
		return;
	k->variant = 0;
	if (++k->queue < QT_Q_MESSAGES)
		return;
	k->queue = 0;
	k->spool++;
}

/* Whether a name is in a directory; *e is filled, with the reference to dir. */
static bool entry_at(struct qt_tree_dir *dir, const char *name,
    struct qt_tree_entry *e)
{
	struct stat st;

	if (fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	*e = (struct qt_tree_entry){.dir = dir, .name = name,
	    .name_len = strlen(name), .id = name, .id_len = strlen(name),
	    .queue = dir->queue, .ino = st.st_ino,
	    .foreign = S_ISREG(st.st_mode) ? NULL :
		qt_tree_type_text(IFTODT(st.st_mode))};
	return true;
}

/* The next file of an archive that has the name; 1: no more of them. */
static int lookup_packed(struct qt_scan *s, const struct qt_spool *sp,
    struct qt_tree_entry *e, struct qt_error *err)
{
	struct qt_lookup *k = &s->lookup;
	size_t item;

	err->code = QT_OK;
	while (k->only_spool == NULL &&
	    qt_packed_find(sp->packed, k->only, &k->packed_at, &item, err)) {
		qt_tree_packed(e, sp->packed, item);
		if ((s->queues & QT_Q_BIT(e->queue)) != 0)
			return 0;
	}
	k->spool++;
	k->packed_at = 0;
	return err->code == QT_OK ? 1 : -1;
}

/* The next place that has the name.  0 entry, 1 none left, negative failure. */
static int lookup_next(struct qt_scan *s, struct qt_tree_entry *e,
    struct qt_error *err)
{
	struct qt_lookup *k = &s->lookup;
	char hash[2 * QT_QUEUE_ID_MAX + 2];
	const struct qt_spool *sp;
	struct qt_tree_dir *dir;
	bool wanted;
	int rc;

	while (k->spool < s->spools->n) {
		sp = s->spools->v[k->spool];
		if (sp->packed != NULL) {
			rc = lookup_packed(s, sp, e, err);
			if (rc <= 0)
				return rc;
			continue;
		}
		/* within a transaction nothing moves: what has left its
		 * staging is gone from there */
		wanted = sp->txid == 0 &&
		    (k->only_spool == NULL || k->only_spool == sp) &&
		    (s->queues & QT_Q_BIT(k->queue)) != 0 &&
		    variant_hash(k, sp, hash, sizeof hash);
		dir = NULL;
		if (wanted && qt_tree_dir_open(&s->tree, &dir, sp,
				  (enum qt_queue)k->queue, hash, err) != 0)
			return -1;
		next_place(k);
		if (dir == NULL)
			continue;
		if (entry_at(dir, k->only, e))
			return 0;
		qt_tree_dir_unref(&s->tree, dir);
	}
	return 1;
}

static void lookup_gone(struct qt_scan *s, const char *name,
    const struct qt_spool *spool)
{
	s->lookup = (struct qt_lookup){
	    .only = name, .only_spool = spool, .computed_only = true};
}

/* ---- names that vanished ---- */

int qt_late_gone(struct qt_scan *s, const struct qt_scan_row *r,
    struct qt_error *err)
{
	size_t cap = s->gone_cap != 0 ? 2 * s->gone_cap : 64;
	struct qt_gone *v;
	char *name;

	if (s->ngone == GONE_MAX) {
		s->stats.vanished++;
		return 0;
	}
	if (s->ngone == s->gone_cap) {
		v = reallocarray(s->gone, cap, sizeof *v);
		if (v == NULL)
			return qt_fail_mem(err);
		s->gone = v;
		s->gone_cap = cap;
	}
	name = qt_arena_dup(&s->gone_names, r->row.id, strlen(r->row.id));
	if (name == NULL)
		return qt_fail_mem(err);
	s->gone[s->ngone++] = (struct qt_gone){.spool = r->row.spool,
	    .dev = r->dir->dev, .ino = r->row.d_ino, .name = name};
	return 0;
}

/* The next of the vanished names that has not turned up. */
static int gone_next(struct qt_scan *s, struct qt_tree_entry *e,
    struct qt_error *err)
{
	const struct qt_gone *g;
	int rc;

	for (;;) {
		if (s->lookup.only != NULL) {
			rc = lookup_next(s, e, err);
			if (rc <= 0)
				return rc;
			s->lookup.only = NULL;
		}
		do {
			if (s->gone_at == s->ngone)
				return 1;
			g = &s->gone[s->gone_at++];
		} while (qt_inodes_has(&s->seen, g->dev, g->ino));
		lookup_gone(s, g->name, g->spool);
	}
}

/* Two entries for one message that vanished twice count once. */
static int compare_gone(const void *a, const void *b)
{
	const struct qt_gone *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

void qt_late_count(struct qt_scan *s)
{
	const struct qt_gone *g;

	if (s->ngone > 0)
		qsort(s->gone, s->ngone, sizeof *s->gone, compare_gone);
	for (size_t i = 0; i < s->ngone; i++) {
		g = &s->gone[i];
		if (i > 0 && compare_gone(g - 1, g) == 0)
			continue;
		if (qt_inodes_has(&s->seen, g->dev, g->ino))
			s->stats.moved++;
		else
			s->stats.vanished++;
	}
	s->ngone = 0;
}

/* Whether some vanished name has not turned up. */
static bool any_gone(struct qt_scan *s)
{
	for (size_t i = 0; i < s->ngone; i++)
		if (!qt_inodes_has(&s->seen, s->gone[i].dev, s->gone[i].ino))
			return true;
	return false;
}

/* ---- what was picked ---- */

/* The directory of a pick: most have that of the one before. */
static int pick_dir(struct qt_scan *s, const struct qt_pick *p, size_t len,
    struct qt_error *err)
{
	const struct qt_spool *spool = qt_picks_spool(s->picks);
	struct qt_tree_dir *d = s->pick_dir;
	char path[QT_TREE_PATH_MAX];

	if (d != NULL && d->queue == p->queue && d->path_len == len &&
	    memcmp(d->path, p->path, len) == 0)
		return 0;
	qt_tree_dir_unref(&s->tree, d);
	s->pick_dir = NULL;
	if (len >= sizeof path)
		return qt_fail(err, QT_E_USAGE, p->path, "path too long");
	memcpy(path, p->path, len);
	path[len] = '\0';
	return qt_tree_dir_at(&s->tree, &s->pick_dir, spool, p->queue, path,
	    spool->txid != 0 ? len : strcspn(path, "/"), err);
}

/* A pick out of an archive: the file of that name, queue and path. */
static int pick_packed(struct qt_scan *s, const struct qt_pick *p,
    struct qt_tree_entry *e, struct qt_error *err)
{
	struct qt_packed *packed = qt_picks_spool(s->picks)->packed;
	size_t at = 0, item;

	err->code = QT_OK;
	while (qt_packed_find(packed, p->id, &at, &item, err)) {
		qt_tree_packed(e, packed, item);
		if (e->queue == p->queue && strcmp(p->path,
			qt_packed_name(packed, packed->item[item].path)) == 0) {
			s->pick_at++;
			return 0;
		}
	}
	if (err->code != QT_OK)
		return -1;
	return qt_fail(err, QT_E_STATE, p->path, "it is not in the archive");
}

int qt_late_pick(struct qt_scan *s, struct qt_tree_entry *e, int *fd,
    struct qt_error *err)
{
	const struct qt_pick *p = qt_picks_at(s->picks, s->pick_at);
	const char *slash;

	if (p == NULL)
		return 1;
	*fd = -1;
	if (qt_picks_spool(s->picks)->packed != NULL)
		return pick_packed(s, p, e, err);
	slash = strrchr(p->path, '/');
	if (slash == NULL)
		return qt_fail(err, QT_E_USAGE, p->path, "in no directory");
	if (pick_dir(s, p, (size_t)(slash - p->path), err) != 0)
		return -1;
	*e = (struct qt_tree_entry){.dir = s->pick_dir, .name = slash + 1,
	    .name_len = strlen(slash + 1), .id = p->id,
	    .id_len = strlen(p->id), .queue = p->queue, .ino = p->ino};
	if (qt_picks_spool(s->picks)->txid == 0)
		e->foreign = qt_tree_judge(e->name, DT_REG);
	s->pick_dir->refs++;
	*fd = qt_picks_take(s->picks, s->pick_at++);
	return 0;
}

/* ---- phases ---- */

int qt_late_next(struct qt_scan *s, struct qt_tree_entry *e,
    struct qt_error *err)
{
	int rc;

	switch (s->phase) {
	case QT_PHASE_PICKS: /* qt_late_pick() */
		return 1;
	case QT_PHASE_LOOKUP_ID:
		return lookup_next(s, e, err);
	case QT_PHASE_WALK:
		return qt_tree_next(&s->tree, e, err);
	case QT_PHASE_WALK_AGAIN:
		while ((rc = qt_tree_next(&s->tree, e, err)) == 0) {
			if (!qt_inodes_has(&s->seen, e->dir->dev, e->ino))
				return 0;
			qt_tree_dir_unref(&s->tree, e->dir);
		}
		return rc;
	case QT_PHASE_LOOKUP_GONE:
		return gone_next(s, e, err);
	case QT_PHASE_END:
		break;
	}
	return 1;
}

/* Look for the names that vanished. */
static void begin_gone(struct qt_scan *s)
{
	s->phase = QT_PHASE_LOOKUP_GONE;
	s->gone_at = 0;
	s->lookup.only = NULL;
}

/* One name: where it was not found by look-up it is walked for. */
static void advance_only(struct qt_scan *s)
{
	if (s->phase == QT_PHASE_LOOKUP_ID && s->stats.entries == 0)
		s->phase = QT_PHASE_WALK;
	else if (s->ngone > 0 && s->stats.rows == 0 && s->round++ < ROUNDS)
		begin_gone(s);
	else
		s->phase = QT_PHASE_END;
}

/*
 * A round is over.  Another one is worth while only when this one found
 * something, or missed a name that may be on its way: then mail is moving.
 */
static void advance_round(struct qt_scan *s)
{
	bool moving = s->settled > s->round_settled || any_gone(s);

	if ((s->round > 0 && !moving) || s->round++ == ROUNDS) {
		s->phase = QT_PHASE_END;
		return;
	}
	s->round_settled = s->settled;
	s->phase = QT_PHASE_WALK_AGAIN;
	qt_tree_restart(&s->tree, true);
}

void qt_late_advance(struct qt_scan *s)
{
	if (s->stats.interrupted) {
		s->phase = QT_PHASE_END;
		return;
	}
	if (s->only_id != NULL) {
		advance_only(s);
		return;
	}
	switch (s->phase) {
	case QT_PHASE_PICKS:
		s->phase = QT_PHASE_END;
		break;
	case QT_PHASE_WALK_AGAIN:
		begin_gone(s);
		break;
	case QT_PHASE_LOOKUP_ID:
	case QT_PHASE_WALK:
	case QT_PHASE_LOOKUP_GONE:
		advance_round(s);
		break;
	case QT_PHASE_END:
		break;
	}
}
