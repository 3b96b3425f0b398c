/*
 * hashset.h - a set of 64-bit hashes: how many different values were seen, in
 * 11 to 22 bytes each.
 *
 * Kept is a keyed hash of a value, not the value: among a million values the
 * chance that two share one is below 1 in 10,000,000, whoever chose them.
 */
#ifndef QUERY_HASHSET_H
#define QUERY_HASHSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hashset {
	uint64_t *slot; /* 0 empty; owned */
	size_t slots;	/* a power of two, or 0 */
	size_t n;
};

/* All zero is an empty set.  False: out of memory, the set is as it was. */
bool hashset_add(struct hashset *s, uint64_t hash);
/* Ask for what hashset_add() will touch. */
void hashset_prefetch(const struct hashset *s, uint64_t hash);
size_t hashset_bytes(const struct hashset *s);
void hashset_release(struct hashset *s);

#endif
