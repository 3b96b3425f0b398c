/*
 * group.c - counts by the values of columns.
 *
 * An open-addressed table of the groups' numbers, by a keyed hash of their
 * values: nobody can send mail whose values collide.
 */
#include "qtool/group.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "query/hashset.h"
#include "query/siphash.h"

#define SLOTS_FIRST 256

struct group {
	struct qt_group seen; /* first: what the caller gets */
	uint64_t hash;
	struct hashset senders, clients;
};

struct qt_groups {
	size_t nkeys, limit;
	uint64_t sip_key[2];
	struct group **v; /* in order of coming, then sorted; owned */
	size_t n, cap;
	uint32_t *slot; /* number + 1, 0 empty; owned */
	size_t slots;
	size_t set_bytes; /* of all hash sets */
	struct qt_arena arena; /* groups and their values */
	struct qt_value *row; /* values of the row at hand; owned */
	enum qt_group_weight by; /* what is being sorted by */
};

/* ---- life ---- */

int qt_groups_new(struct qt_groups **out, size_t nkeys, size_t limit,
    struct qt_error *err)
{
	struct qt_groups *g = calloc(1, sizeof *g);

	if (g == NULL)
		return qt_fail_mem(err);
	g->nkeys = nkeys;
	g->limit = limit;
	qt_arena_init(&g->arena, 0);
	g->slots = SLOTS_FIRST;
	g->slot = calloc(g->slots, sizeof *g->slot);
	g->row = calloc(nkeys, sizeof *g->row);
	if (g->slot == NULL || g->row == NULL) {
		qt_groups_free(g);
		return qt_fail_mem(err);
	}
	if (getrandom(g->sip_key, sizeof g->sip_key, 0) !=
	    (ssize_t)sizeof g->sip_key) {
		qt_groups_free(g);
		return qt_fail_sys(err, "getrandom", "");
	}
	*out = g;
	return 0;
}

void qt_groups_free(struct qt_groups *g)
{
	size_t i;

	if (g == NULL)
		return;
	for (i = 0; i < g->n; i++) {
		hashset_release(&g->v[i]->senders);
		hashset_release(&g->v[i]->clients);
	}
	qt_arena_release(&g->arena);
	free(g->v);
	free(g->slot);
	free(g->row);
	free(g);
}

/* ---- finding a group ---- */

static uint64_t hash_value(const struct qt_groups *g, const struct qt_value *v)
{
	uint64_t key[2] = {g->sip_key[0] ^ (uint64_t)v->type, g->sip_key[1]};

	switch (v->type) {
	case QT_COL_INT:
		return siphash(key, &v->i, sizeof v->i);
	case QT_COL_REAL:
		return siphash(key, &v->real, sizeof v->real);
	default:
		return siphash(key, v->text, v->len);
	}
}

static bool same_value(const struct qt_value *a, const struct qt_value *b)
{
	return a->type == b->type && a->i == b->i && a->len == b->len &&
	    memcmp(&a->real, &b->real, sizeof a->real) == 0 &&
	    memcmp(a->text, b->text, a->len) == 0;
}

static bool same_key(const struct qt_groups *g, const struct group *group)
{
	size_t i;

	for (i = 0; i < g->nkeys; i++)
		if (!same_value(&g->row[i], &group->seen.key[i]))
			return false;
	return true;
}

/* The slot of the row's values: theirs, or the empty one they would get. */
static size_t find_slot(const struct qt_groups *g, uint64_t hash)
{
	size_t mask = g->slots - 1, i = hash & mask;
	const struct group *group;

	for (; g->slot[i] != 0; i = (i + 1) & mask) {
		group = g->v[g->slot[i] - 1];
		if (group->hash == hash && same_key(g, group))
			break;
	}
	return i;
}

static bool more_slots(struct qt_groups *g)
{
	size_t slots = g->slots * 2, i, at;
	uint32_t *bigger = calloc(slots, sizeof *bigger);

	if (bigger == NULL)
		return false;
	for (i = 0; i < g->n; i++) {
		at = g->v[i]->hash & (slots - 1);
		while (bigger[at] != 0)
			at = (at + 1) & (slots - 1);
		bigger[at] = (uint32_t)i + 1;
	}
	free(g->slot);
	g->slot = bigger;
	g->slots = slots;
	return true;
}

static bool more_room(struct qt_groups *g)
{
	size_t cap = g->cap != 0 ? g->cap * 2 : SLOTS_FIRST / 2;
	struct group **v;

	if (g->n < g->cap)
		return true;
	if ((v = reallocarray(g->v, cap, sizeof(*v))) == NULL)
		return false;
	g->v = v;
	g->cap = cap;
	return true;
}

/* A group of the row's values, copied. */
static struct group *make_group(struct qt_groups *g, uint64_t hash)
{
	struct group *group = qt_arena_alloc(&g->arena, sizeof *group);
	struct qt_value *key =
	    qt_arena_alloc(&g->arena, g->nkeys * sizeof *key);
	size_t i;

	if (group == NULL || key == NULL)
		return NULL;
	for (i = 0; i < g->nkeys; i++) {
		key[i] = g->row[i];
		if (key[i].len == 0)
			continue; /* "" is nobody's */
		key[i].text = qt_arena_dup(&g->arena, key[i].text, key[i].len);
		if (key[i].text == NULL)
			return NULL;
	}
	*group = (struct group){.seen.key = key, .hash = hash};
	return group;
}

static struct group *group_of_row(struct qt_groups *g, const struct qt_stmt *st)
{
	uint64_t hash = 0;
	struct group *group;
	size_t i, at;

	for (i = 0; i < g->nkeys; i++) {
		qt_value_of(&g->row[i], st, (int)i);
		hash = hash * 31 + hash_value(g, &g->row[i]);
	}
	at = find_slot(g, hash);
	if (g->slot[at] != 0)
		return g->v[g->slot[at] - 1];
	if (g->n >= g->slots / 4 * 3) {
		if (!more_slots(g))
			return NULL;
		at = find_slot(g, hash);
	}
	if (!more_room(g) || (group = make_group(g, hash)) == NULL)
		return NULL;
	g->v[g->n++] = group;
	g->slot[at] = (uint32_t)g->n;
	return group;
}

/* ---- counting ---- */

/* Sums stay at the end of their range: a size is what a stranger wrote. */
static void add_to(int64_t *sum, const struct qt_stmt *st, int i)
{
	int64_t v = qt_stmt_int(st, i);

	if (__builtin_add_overflow(*sum, v, sum))
		*sum = v < 0 ? INT64_MIN : INT64_MAX;
}

static void add_time(struct qt_group *group, const struct qt_stmt *st, int i)
{
	int64_t t;

	if (qt_stmt_type(st, i) != QT_COL_INT)
		return;
	t = qt_stmt_int(st, i);
	if (!group->timed || t < group->first)
		group->first = t;
	if (!group->timed || t > group->last)
		group->last = t;
	group->timed = true;
}

/* One more value of a column whose different ones are counted. */
struct counted {
	struct hashset *set;
	uint64_t hash;
	bool null; /* counts for nothing */
};

/* The set is larger than any cache: it is asked for ahead of its use. */
static void hash_column(const struct qt_groups *g, struct counted *c,
    struct hashset *set, const struct qt_stmt *st, int i)
{
	struct qt_value v;

	qt_value_of(&v, st, i);
	*c = (struct counted){.set = set, .null = v.type == QT_COL_NULL};
	if (c->null)
		return;
	c->hash = hash_value(g, &v);
	hashset_prefetch(set, c->hash);
}

static bool add_unique(struct qt_groups *g, const struct counted *c)
{
	size_t before = hashset_bytes(c->set);

	if (c->null)
		return true;
	if (!hashset_add(c->set, c->hash))
		return false;
	g->set_bytes += hashset_bytes(c->set) - before;
	return true;
}

int qt_groups_add(struct qt_groups *g, const struct qt_stmt *st,
    struct qt_error *err)
{
	struct group *group = group_of_row(g, st);
	int at = (int)g->nkeys;
	struct counted sender, client;

	if (group == NULL)
		return qt_fail_mem(err);
	hash_column(g, &sender, &group->senders, st, at + QT_GROUP_SENDER);
	hash_column(g, &client, &group->clients, st, at + QT_GROUP_CLIENT);
	group->seen.messages++;
	add_to(&group->seen.recipients, st, at + QT_GROUP_RECIPIENTS);
	add_to(&group->seen.bytes, st, at + QT_GROUP_BYTES);
	add_time(&group->seen, st, at + QT_GROUP_TIME);
	if (!add_unique(g, &sender) || !add_unique(g, &client))
		return qt_fail_mem(err);
	group->seen.senders = (int64_t)group->senders.n;
	group->seen.clients = (int64_t)group->clients.n;
	return g->arena.total + g->set_bytes + g->cap * sizeof(*g->v) +
	    g->slots * sizeof *g->slot > g->limit;
}

/* ---- order ---- */

int64_t qt_group_weigh(const struct qt_group *g, enum qt_group_weight by)
{
	switch (by) {
	case QT_BY_RECIPIENTS:
		return g->recipients;
	case QT_BY_BYTES:
		return g->bytes;
	case QT_BY_MESSAGES:
	default:
		return g->messages;
	}
}

/* As SQLite orders: NULL, numbers, text, BLOBs. */
static int class_of(enum qt_coltype type)
{
	switch (type) {
	case QT_COL_NULL:
		return 0;
	case QT_COL_INT:
	case QT_COL_REAL:
		return 1;
	case QT_COL_TEXT:
		return 2;
	case QT_COL_BLOB:
	default:
		return 3;
	}
}

static int compare_values(const struct qt_value *a, const struct qt_value *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	double x, y;
	int r;

	if ((r = class_of(a->type) - class_of(b->type)) != 0)
		return r;
	if (a->type == QT_COL_INT && b->type == QT_COL_INT)
		return (a->i > b->i) - (a->i < b->i);
	if (class_of(a->type) == 1) {
		x = a->type == QT_COL_INT ? (double)a->i : a->real;
		y = b->type == QT_COL_INT ? (double)b->i : b->real;
		return (x > y) - (x < y);
	}
	r = memcmp(a->text, b->text, len);
	return r != 0 ? r : (a->len > b->len) - (a->len < b->len);
}

static int compare(const void *pa, const void *pb, void *ctx)
{
	const struct group *a = *(struct group *const *)pa;
	const struct group *b = *(struct group *const *)pb;
	const struct qt_groups *g = ctx;
	int64_t x = qt_group_weigh(&a->seen, g->by);
	int64_t y = qt_group_weigh(&b->seen, g->by);
	size_t i;
	int r;

	if (x != y)
		return x < y ? 1 : -1;
	for (i = 0; i < g->nkeys; i++)
		if ((r = compare_values(&a->seen.key[i], &b->seen.key[i])) != 0)
			return r;
	return 0;
}

void qt_groups_sort(struct qt_groups *g, enum qt_group_weight by)
{
	g->by = by;
	if (g->n > 1)
		qsort_r(g->v, g->n, sizeof(*g->v), compare, g);
}

size_t qt_groups_count(const struct qt_groups *g)
{
	return g->n;
}

const struct qt_group *qt_groups_at(const struct qt_groups *g, size_t i)
{
	return &g->v[i]->seen;
}
