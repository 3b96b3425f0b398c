/*
 * tally.c - messages counted by a text.
 *
 * An open-addressed table of the entries' numbers.  Entries lie in the arena and
 * never move, so that a tally can be sorted while others point into it.
 */
#include "evidence/tally.h"

#include <stdlib.h>
#include <sys/random.h>

#include "query/siphash.h"

#define SLOTS_FIRST 256

int qt_tally_init(struct qt_tally *t, struct qt_arena *arena,
    struct qt_error *err)
{
	*t = (struct qt_tally){.arena = arena, .slots = SLOTS_FIRST};
	if (getrandom(t->sip_key, sizeof(t->sip_key), 0) !=
	    (ssize_t)sizeof(t->sip_key))
		return qt_fail_sys(err, "getrandom", "");
	t->slot = calloc(t->slots, sizeof(*t->slot));
	return t->slot != NULL ? 0 : qt_fail_mem(err);
}

void qt_tally_release(struct qt_tally *t)
{
	if (t == NULL)
		return;
	free(t->v);
	free(t->slot);
	*t = (struct qt_tally){.n = 0};
}

/* ---- the table ---- */

/* The slot of a key: its entry's, or the empty one it would get. */
static size_t find_slot(const struct qt_tally *t, uint64_t hash,
    const void *key, size_t len)
{
	const size_t mask = t->slots - 1;
	const struct qt_counted *e;
	size_t i;

	for (i = hash & mask; t->slot[i] != 0; i = (i + 1) & mask) {
		e = t->v[t->slot[i] - 1];
		if (e->hash == hash && e->len == len &&
		    memcmp(e->key, key, len) == 0)
			break;
	}
	return i;
}

/* Number every entry's slot anew: after there are more, or another order. */
static void fill(struct qt_tally *t)
{
	const size_t mask = t->slots - 1;
	size_t n, i;

	memset(t->slot, 0, t->slots * sizeof(*t->slot));
	for (n = 0; n < t->n; n++) {
		for (i = t->v[n]->hash & mask; t->slot[i] != 0;)
			i = (i + 1) & mask;
		t->slot[i] = (uint32_t)n + 1;
	}
}

static int grow(struct qt_tally *t, struct qt_error *err)
{
	struct qt_counted **v;
	uint32_t *slot;
	size_t cap;

	if (t->n == t->cap) {
		cap = t->cap != 0 ? 2 * t->cap : 64;
		v = reallocarray(t->v, cap, sizeof(*v));
		if (v == NULL)
			return qt_fail_mem(err);
		t->v = v;
		t->cap = cap;
	}
	if (2 * (t->n + 1) <= t->slots)
		return 0;
	slot = calloc(2 * t->slots, sizeof(*slot));
	if (slot == NULL)
		return qt_fail_mem(err);
	free(t->slot);
	t->slot = slot;
	t->slots *= 2;
	fill(t);
	return 0;
}

static int insert(struct qt_tally *t, const void *key, size_t len,
    uint64_t hash, struct qt_counted **out, struct qt_error *err)
{
	struct qt_counted *e;
	char *copy;

	if (grow(t, err) != 0)
		return -1;
	e = qt_arena_alloc(t->arena, sizeof(*e));
	copy = qt_arena_dup(t->arena, key, len);
	if (e == NULL || copy == NULL)
		return qt_fail_mem(err);
	*e = (struct qt_counted){.key = copy, .len = len, .hash = hash};
	t->v[t->n] = e;
	t->slot[find_slot(t, hash, key, len)] = (uint32_t)++t->n;
	t->by_key = false;
	*out = e;
	return 0;
}

/* ---- counting ---- */

static void count(struct qt_counted *e, const struct qt_tally_add *a)
{
	e->messages++;
	e->recipients += a->recipients;
	e->todo += a->todo;
	e->done += a->done;
	e->bytes += a->bytes;
	if (a->time == 0)
		return;
	if (e->first == 0 || a->time < e->first)
		e->first = a->time;
	if (e->last == 0 || a->time > e->last)
		e->last = a->time;
}

int qt_tally_add(struct qt_tally *t, const void *key, size_t len,
    const struct qt_tally_add *a, struct qt_counted **e, bool *fresh,
    struct qt_error *err)
{
	const uint64_t hash = siphash(t->sip_key, key, len);
	const uint32_t at = t->slot[find_slot(t, hash, key, len)];
	struct qt_counted *found = at != 0 ? t->v[at - 1] : NULL;

	if (found == NULL && t->n >= QT_TALLY_MAX)
		t->beyond++;
	else if (found == NULL && insert(t, key, len, hash, &found, err) != 0)
		return -1;
	if (found != NULL)
		count(found, a);
	if (e != NULL)
		*e = found;
	if (fresh != NULL)
		*fresh = found != NULL && at == 0;
	return 0;
}

struct qt_counted *qt_tally_find(const struct qt_tally *t, const void *key,
    size_t len)
{
	const uint32_t at = t->slot[find_slot(t,
	    siphash(t->sip_key, key, len), key, len)];

	return at != 0 ? t->v[at - 1] : NULL;
}

/* ---- order ---- */

static int by_key(const void *va, const void *vb)
{
	const struct qt_counted *a = *(struct qt_counted *const *)va;
	const struct qt_counted *b = *(struct qt_counted *const *)vb;
	const int r = memcmp(a->key, b->key, a->len < b->len ? a->len : b->len);

	return r != 0 ? r : (a->len > b->len) - (a->len < b->len);
}

static int by_messages(const void *va, const void *vb)
{
	const struct qt_counted *a = *(struct qt_counted *const *)va;
	const struct qt_counted *b = *(struct qt_counted *const *)vb;

	if (a->messages != b->messages)
		return a->messages < b->messages ? 1 : -1;
	return by_key(va, vb);
}

static int by_recipients(const void *va, const void *vb)
{
	const struct qt_counted *a = *(struct qt_counted *const *)va;
	const struct qt_counted *b = *(struct qt_counted *const *)vb;

	if (a->recipients != b->recipients)
		return a->recipients < b->recipients ? 1 : -1;
	return by_messages(va, vb);
}

void qt_tally_sort(struct qt_tally *t, enum qt_tally_order by)
{
	if (t->n == 0)
		return;
	qsort(t->v, t->n, sizeof(t->v[0]), by == QT_TALLY_KEY ? by_key :
	    by == QT_TALLY_RECIPIENTS ? by_recipients : by_messages);
	t->by_key = by == QT_TALLY_KEY;
	fill(t);
}
