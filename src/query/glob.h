/*
 * glob.h - patterns for addresses: '*' any bytes, '?' one character, all else
 * itself, ASCII case-insensitive.
 */
#ifndef QUERY_GLOB_H
#define QUERY_GLOB_H

#include <stdbool.h>
#include <stddef.h>

bool glob_is_pattern(const char *s); /* has a '*' or '?' */
/* Whether the whole text matches. */
bool glob_match(const char *pattern, size_t plen, const char *s, size_t len);

#endif
