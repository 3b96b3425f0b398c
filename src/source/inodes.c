/*
 * inodes.c - a set of (device, inode).
 */
#include "source/inodes.h"

#include <stdlib.h>

#define BITS_FIRST 10u

void qt_inodes_init(struct qt_inodes *s)
{
	*s = (struct qt_inodes){.v = NULL};
}

void qt_inodes_release(struct qt_inodes *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].slot);
	free(s->v);
	qt_inodes_init(s);
}

/* Fibonacci hashing spreads the runs of numbers that a disk gives. */
static size_t hash(const struct qt_inode_table *t, uint64_t ino)
{
	return (size_t)(ino * 0x9E3779B97F4A7C15u >> (64 - t->bits));
}

/* Where an inode is, or the free slot where it would go. */
static size_t probe(const struct qt_inode_table *t, uint64_t ino)
{
	size_t mask = ((size_t)1 << t->bits) - 1, at = hash(t, ino);

	while (t->slot[at] != 0 && t->slot[at] != ino)
		at = (at + 1) & mask;
	return at;
}

static int grow(struct qt_inode_table *t, struct qt_error *err)
{
	struct qt_inode_table big = {.dev = t->dev, .n = t->n,
	    .bits = t->bits != 0 ? t->bits + 1 : BITS_FIRST};
	size_t slots = t->bits != 0 ? (size_t)1 << t->bits : 0;
	uint64_t *old = t->slot;

	big.slot = calloc((size_t)1 << big.bits, sizeof *big.slot);
	if (big.slot == NULL) {
		(void)qt_fail_mem(err);
		return -1;
	}
	for (size_t i = 0; i < slots; i++)
		if (old[i] != 0)
			big.slot[probe(&big, old[i])] = old[i];
	t->slot = big.slot;
	t->bits = big.bits;
	free(old);
	return 0;
}

static struct qt_inode_table *find(struct qt_inodes *s, dev_t dev)
{
	if (s->last < s->n && s->v[s->last].dev == dev)
		return &s->v[s->last];
	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].dev == dev) {
			s->last = i;
			return &s->v[i];
		}
	}
	return NULL;
}

int qt_inodes_add(struct qt_inodes *s, dev_t dev, ino_t ino,
    struct qt_error *err)
{
	struct qt_inode_table *t = find(s, dev), *v;
	size_t at;

	if (ino == 0)
		return 0;
	if (t == NULL) {
		v = reallocarray(s->v, s->n + 1, sizeof *v);
		if (v == NULL)
			return qt_fail_mem(err);
		s->v = v;
		t = &v[s->n++];
		*t = (struct qt_inode_table){.dev = dev};
	}
	if (t->bits == 0 || t->n + 1 > ((size_t)3 << t->bits) / 4) {
		if (grow(t, err) != 0)
			return -1;
	}
	at = probe(t, ino);
	if (t->slot[at] != 0)
		return 1;
	t->slot[at] = ino;
	t->n++;
	return 0;
}

bool qt_inodes_has(struct qt_inodes *s, dev_t dev, ino_t ino)
{
	const struct qt_inode_table *t = find(s, dev);

	return t != NULL && t->bits != 0 && ino != 0 &&
	    t->slot[probe(t, ino)] != 0;
}

void qt_inodes_prefetch(const struct qt_inodes *s, ino_t ino)
{
	const struct qt_inode_table *t;

	if (s->last >= s->n || s->v[s->last].bits == 0)
		return;
	t = &s->v[s->last];
	__builtin_prefetch(&t->slot[hash(t, ino)], 1);
}
