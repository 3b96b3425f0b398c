/*
 * hashset.c - a set of 64-bit hashes.
 */
#include "query/hashset.h"

#include <stdlib.h>

#define SLOTS_FIRST 4

static void insert(struct hashset *s, uint64_t h)
{
	size_t mask = s->slots - 1, i = h & mask;

	while (s->slot[i] != 0 && s->slot[i] != h)
		i = (i + 1) & mask;
	if (s->slot[i] == 0)
		s->n++;
	s->slot[i] = h;
}

/* Room for one more, a quarter of the slots always empty. */
static bool grow(struct hashset *s)
{
	struct hashset bigger = {
	    .slots = s->slots != 0 ? s->slots * 2 : SLOTS_FIRST};
	size_t i;

	if ((s->n + 1) * 4 <= s->slots * 3)
		return true;
	bigger.slot = calloc(bigger.slots, sizeof *bigger.slot);
	if (bigger.slot == NULL)
		return false;
	for (i = 0; i < s->slots; i++)
		if (s->slot[i] != 0)
			insert(&bigger, s->slot[i]);
	free(s->slot);
	*s = bigger;
	return true;
}

bool hashset_add(struct hashset *s, uint64_t hash)
{
	if (!grow(s))
		return false;
	insert(s, hash != 0 ? hash : 1);
	return true;
}

void hashset_prefetch(const struct hashset *s, uint64_t hash)
{
	if (s->slots != 0)
		__builtin_prefetch(&s->slot[hash & (s->slots - 1)], 1);
}

size_t hashset_bytes(const struct hashset *s)
{
	return s->slots * sizeof *s->slot;
}

void hashset_release(struct hashset *s)
{
	free(s->slot);
	*s = (struct hashset){.slot = NULL};
}
