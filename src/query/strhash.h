/*
 * strhash.h - a hash for tables that are small and bounded, in which whoever
 * makes keys collide wins nothing: no need of one with a key.  It is the same
 * on all machines.
 */
#ifndef QUERY_STRHASH_H
#define QUERY_STRHASH_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t strhash(const char *s, size_t len)
{
	uint64_t h = len, w;

	for (; len >= sizeof w; s += sizeof w, len -= sizeof w) {
		memcpy(&w, s, sizeof w);
		h = (h ^ le64toh(w)) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	w = 0;
	memcpy(&w, s, len);
	h = (h ^ le64toh(w)) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 32;
}

#endif
