/*
 * seen.c - a set of 64-bit keyed hashes (SipHash-2-4).
 *
 * The names themselves are not kept.  That two of a million differing names
 * hash alike has a chance of one in 36 million, and the worst that follows is
 * a message filed under odd/ although its own name was free.
 */
#include "evidence/seen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "evidence/spill.h"

#define CAP_MIN ((size_t)1024)

int qt_seen_init(struct qt_seen *s, struct qt_error *err)
{
	*s = (struct qt_seen){.cap = CAP_MIN};
	if (getrandom(s->key, sizeof s->key, 0) != (ssize_t)sizeof s->key)
		return qt_fail_own(err, "getrandom", "");
	s->slot = calloc(s->cap, sizeof *s->slot);
	return s->slot != NULL ? 0 : qt_fail_mem(err);
}

void qt_seen_release(struct qt_seen *s)
{
	if (s == NULL)
		return;
	free(s->slot);
	s->slot = NULL;
	s->n = s->cap = 0;
}

static uint64_t rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static void sip_rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[1] = rotl(v[1], 13) ^ v[0];
		v[0] = rotl(v[0], 32);
		v[2] += v[3];
		v[3] = rotl(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotl(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotl(v[1], 17) ^ v[2];
		v[2] = rotl(v[2], 32);
	}
}

static uint64_t siphash(const uint64_t key[2], const char *s, size_t len)
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575ULL,
	    key[1] ^ 0x646f72616e646f6dULL, key[0] ^ 0x6c7967656e657261ULL,
	    key[1] ^ 0x7465646279746573ULL};
	uint64_t w;
	size_t i, left = len;

	while (left >= 8) {
		memcpy(&w, s, 8);
		v[3] ^= w;
		sip_rounds(v, 2);
		v[0] ^= w;
		s += 8;
		left -= 8;
	}
	w = (uint64_t)len << 56;
	for (i = 0; i < left; i++)
		w |= (uint64_t)(unsigned char)s[i] << (8 * i);
	v[3] ^= w;
	sip_rounds(v, 2);
	v[0] ^= w;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Where the hash is, or where it would go. */
static size_t place(const uint64_t *slot, size_t cap, uint64_t h)
{
	size_t i = (size_t)h & (cap - 1);

	while (slot[i] != 0 && slot[i] != h)
		i = (i + 1) & (cap - 1);
	return i;
}

static int grow(struct qt_seen *s, struct qt_error *err)
{
	size_t cap = s->cap * 2, i;
	uint64_t *slot = calloc(cap, sizeof *slot);

	if (slot == NULL)
		return qt_fail_mem(err);
	for (i = 0; i < s->cap; i++)
		if (s->slot[i] != 0)
			slot[place(slot, cap, s->slot[i])] = s->slot[i];
	free(s->slot);
	s->slot = slot;
	s->cap = cap;
	return 0;
}

static uint64_t hash(const struct qt_seen *s, const char *name)
{
	uint64_t h = siphash(s->key, name, strlen(name));

	return h != 0 ? h : 1; /* 0 means free */
}

bool qt_seen_has(const struct qt_seen *s, const char *name)
{
	uint64_t h = hash(s, name);

	return s->n != 0 && s->slot[place(s->slot, s->cap, h)] == h;
}

/* Those behind it move up where they were pushed aside, so that no gap comes
 * between one and its place. */
void qt_seen_remove(struct qt_seen *s, const char *name)
{
	uint64_t h = hash(s, name);
	size_t i = place(s->slot, s->cap, h), k = i, home, mask = s->cap - 1;

	if (s->slot[i] != h)
		return;
	s->n--;
	for (;;) {
		k = (k + 1) & mask;
		if (s->slot[k] == 0)
			break;
		home = (size_t)s->slot[k] & mask;
		/* its place is in (i, k]: it stays */
		if (i <= k ? (i < home && home <= k) : (i < home || home <= k))
			continue;
		s->slot[i] = s->slot[k];
		i = k;
	}
	s->slot[i] = 0;
}

int qt_seen_add(struct qt_seen *s, const char *name, struct qt_error *err)
{
	uint64_t h = hash(s, name);
	size_t i;

	i = place(s->slot, s->cap, h);
	if (s->slot[i] == h)
		return 1;
	if (s->n >= s->cap / 2) {
		if (grow(s, err) != 0)
			return -1;
		i = place(s->slot, s->cap, h);
	}
	s->slot[i] = h;
	s->n++;
	return 0;
}
