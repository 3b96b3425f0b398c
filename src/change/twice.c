/*
 * twice.c - whether a message of an archive is here already.
 */
#include "change/twice.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change/identity.h"
#include "change/origin.h"

struct twice {
	struct qt_change *c;
	struct qt_plan *p;
	size_t *by_id, *by_sum; /* indexes of the plan's messages; owned */
	bool *found;		/* of each; owned */
	bool ask;		/* whether the kernel may be asked (a judge is
				 * not allowed to) */
	size_t count;
	char first[256];	/* of the first that was found, why */
};

/* ---- finding a message in the plan ---- */

typedef const char *key_fn(const struct qt_plan *p, size_t i);

struct order {
	const struct qt_plan *p;
	key_fn *key;
};

static int compare(const void *a, const void *b, void *ctx)
{
	const struct order *o = ctx;
	const size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int r = strcmp(o->key(o->p, x), o->key(o->p, y));

	return r != 0 ? r : x < y ? -1 : x > y;
}

static int sort(const struct qt_plan *p, key_fn *key, size_t **out,
    struct qt_error *err)
{
	struct order o = {p, key};
	size_t *v = calloc(p->n + 1, sizeof(*v)), i;

	if (v == NULL)
		return qt_fail_mem(err);
	for (i = 0; i < p->n; i++)
		v[i] = i;
	qsort_r(v, p->n, sizeof(*v), compare, &o);
	*out = v;
	return 0;
}

/* The first place in v whose key is not below s. */
static size_t lower_bound(const struct qt_plan *p, const size_t *v, key_fn *key,
    const char *s)
{
	size_t lo = 0, hi = p->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (strcmp(key(p, v[mid]), s) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* ---- what was found ---- */

static void note(struct twice *t, size_t i, const char *fmt, ...)
    QT_PRINTF(3, 4);
static void note(struct twice *t, size_t i, const char *fmt, ...)
{
	va_list ap;

	if (t->found[i])
		return;
	t->found[i] = true;
	if (t->count++ != 0)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(t->first, sizeof(t->first), fmt, ap);
	va_end(ap);
}

/* The archive itself may have a message twice: it moved while it was made. */
static void look_in_plan(struct twice *t)
{
	struct qt_plan *p = t->p;
	size_t i;

	for (i = 1; i < p->n; i++) {
		const size_t a = t->by_id[i - 1], b = t->by_id[i];

		if (strcmp(qt_origin_id(p, a), qt_origin_id(p, b)) == 0) {
			p->v[a].rename = p->v[b].rename = true;
			note(t, b, "%s is in the archive more than once",
			    qt_origin_id(p, b));
		}
	}
	for (i = 1; i < p->n; i++) {
		const size_t a = t->by_sum[i - 1], b = t->by_sum[i];

		if (strcmp(qt_origin_sum(p, a), qt_origin_sum(p, b)) == 0)
			note(t, b, "%s and %s are the same message",
			    qt_origin_id(p, a), qt_origin_id(p, b));
	}
}

static int look_in_queues(struct twice *t, size_t i, struct qt_error *err)
{
	static const enum qt_queue queues[] = {QT_Q_MAILDROP, QT_Q_INCOMING,
	    QT_Q_ACTIVE, QT_Q_DEFERRED, QT_Q_HOLD};
	struct qt_plan_item *it = &t->p->v[i];
	const char *id = qt_origin_id(t->p, i), *name;
	char path[QT_PLAN_PATH_SIZE];
	struct stat st;
	size_t q;
	int dir, r;

	for (q = 0; q < sizeof(queues) / sizeof(queues[0]); q++) {
		if (qt_identity_path(t->c, queues[q], id, path, err) != 0)
			return -1;
		r = qt_identity_stat(t->c, path, &st, &dir, &name, err);
		if (r < 0)
			return -1;
		if (r > 0)
			continue;
		it->rename = true;
		if (st.st_size == it->size)
			note(t, i, "%.80s is in the queue now: %.120s", id,
			    path);
	}
	return 0;
}

/* ---- other transactions ---- */

static void is_staged(struct twice *t, const struct qt_tx *tx, size_t seq)
{
	const struct qt_plan_item *there = &tx->plan->v[seq];
	const char *id = qt_plan_id(tx->plan, there);
	struct qt_plan *p = t->p;
	size_t at = lower_bound(p, t->by_id, qt_origin_id, id);

	for (; at < p->n; at++) {
		const size_t i = t->by_id[at];

		if (strcmp(qt_origin_id(p, i), id) != 0)
			break;
		p->v[i].rename = true;
		if (p->v[i].size == there->size)
			note(t, i, "transaction %" PRIu64 " holds %.80s: "
			    "\"qtool restore %" PRIu64 " %.80s\" or \"qtool "
			    "undo %" PRIu64 "\" brings it back", tx->id, id,
			    tx->id, id, tx->id);
	}
}

static int was_imported(struct twice *t, const struct qt_tx *tx, size_t seq,
    struct qt_error *err)
{
	const struct qt_plan_item *there = &tx->plan->v[seq];
	const char *sum = qt_origin_sum(tx->plan, seq);
	struct qt_plan *p = t->p;
	size_t at = lower_bound(p, t->by_sum, qt_origin_sum, sum);
	enum qt_life life;

	for (; at < p->n; at++) {
		const size_t i = t->by_sum[at];

		if (strcmp(qt_origin_sum(p, i), sum) != 0)
			break;
		if (t->found[i])
			continue;
		life = QT_LIFE_UNKNOWN;
		if (t->ask &&
		    qt_identity_ask(t->c, tx->plan, there, &life, err) != 0)
			return -1;
		note(t, i, "transaction %" PRIu64 " has restored %.80s, as "
		    "%.80s%s", tx->id, qt_origin_id(p, i),
		    qt_plan_id(tx->plan, there), life == QT_LIFE_GONE ?
		    ", which has left the queue since" : "");
	}
	return 0;
}

/* Whether what it took or placed is as it left it: messages are there. */
static bool stands(enum qt_tx_state s)
{
	switch (s) {
	case QT_TX_ABORTED:
	case QT_TX_UNDONE:
	case QT_TX_PURGED:
	case QT_TX_DAMAGED:
		return false;
	default:
		return true;
	}
}

static int look_in_tx(struct twice *t, struct qt_tx *tx, struct qt_error *err)
{
	size_t i;
	int r = qt_tx_look(t->c, tx, err);

	if (r != 0 || !stands(tx->log.last.state) || tx->log.last.n == 0)
		return r < 0 ? -1 : 0;
	if (qt_tx_load(tx, err) != 0)
		return -1;
	if (qt_op_places(tx->plan->op) && tx->plan->op != QT_OP_IMPORT)
		return 0;
	for (i = 0; i < tx->plan->n; i++) {
		if (tx->plan->op == QT_OP_IMPORT) {
			if (was_imported(t, tx, i, err) != 0)
				return -1;
		} else if (tx->plan->v[i].staged != '\0') {
			is_staged(t, tx, i);
		}
	}
	return 0;
}

static int look_in_transactions(struct twice *t, uint64_t self,
    struct qt_error *err)
{
	struct qt_tx tx;
	uint64_t *ids;
	size_t i, n;
	int r = 0;

	if (t->c->tx < 0) /* none was ever made */
		return 0;
	if (qt_state_tx_ids(t->c, &ids, &n, err) != 0)
		return -1;
	for (i = 0; i < n && r == 0; i++) {
		if (ids[i] == self)
			continue;
		qt_tx_init(&tx, ids[i]);
		r = look_in_tx(t, &tx, err);
		qt_tx_release(&tx);
	}
	free(ids);
	return r;
}

/* ---- all of it ---- */

static int look(struct twice *t, uint64_t self, struct qt_error *err)
{
	size_t i;

	t->found = calloc(t->p->n + 1, sizeof(*t->found));
	if (t->found == NULL)
		return qt_fail_mem(err);
	if (sort(t->p, qt_origin_id, &t->by_id, err) != 0 ||
	    sort(t->p, qt_origin_sum, &t->by_sum, err) != 0)
		return -1;
	for (i = 0; i < t->p->n; i++)
		if (look_in_queues(t, i, err) != 0)
			return -1;
	if (look_in_transactions(t, self, err) != 0)
		return -1;
	look_in_plan(t);
	return 0;
}

static int refuse(const struct twice *t, uint64_t self,
    const struct qt_outcome *out, struct qt_error *err)
{
	size_t i;

	for (i = 0; i < t->p->n && out->report != NULL; i++)
		if (t->found[i])
			out->report(out->report_ctx, QT_FATE_THERE,
			    qt_queue_name((enum qt_queue)t->p->origin[i].queue),
			    qt_origin_id(t->p, i));
	return qt_fail(err, QT_E_REFUSED, t->c->spool->queue_dir,
	    "%s; %zu of %zu messages would be there, or be sent, twice%s",
	    t->first, t->count, t->p->n,
	    self == 0 ? "; --again restores them all the same" : "");
}

static int check(struct twice *t, uint64_t self, bool again,
    struct qt_outcome *out, struct qt_error *err)
{
	int r = look(t, self, err);

	if (r == 0 && t->count != 0 && !again)
		r = refuse(t, self, out, err);
	free(t->by_id);
	free(t->by_sum);
	free(t->found);
	return r;
}

int qt_twice_check(struct qt_change *c, struct qt_plan *p, uint64_t self,
    bool again, struct qt_outcome *out, struct qt_error *err)
{
	struct twice t = {.c = c, .p = p, .ask = true};

	return check(&t, self, again, out, err);
}

int qt_plan_twice(struct qt_plan *p, const struct qt_spool *spool,
    const char *state_dir, void (*report)(void *ctx, enum qt_fate fate,
	const char *queue, const char *id), void *ctx, struct qt_error *err)
{
	struct qt_outcome out = {.report = report, .report_ctx = ctx};
	struct qt_change c;
	struct twice t = {.c = &c, .p = p};
	int r;

	qt_state_init(&c, spool);
	c.opts.state_dir = state_dir;
	r = qt_state_open_readonly(&c, err);
	if (r >= 0)
		r = check(&t, 0, false, &out, err);
	qt_state_close(&c);
	return r;
}
