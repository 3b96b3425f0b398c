/*
 * siphash.h - SipHash-1-3 (Aumasson and Bernstein): with a random key nobody
 * can choose values that collide.
 */
#ifndef QUERY_SIPHASH_H
#define QUERY_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint64_t key[2], const void *data, size_t len);

#endif
