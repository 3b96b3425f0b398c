/*
 * regexp.h - regular expressions by PCRE2, of which this module is the only
 * user: compiled with JIT, UTF with bad bytes tolerated, and limits on time
 * and memory.  A match that hits a limit is an error, never "no match".
 */
#ifndef QUERY_REGEXP_H
#define QUERY_REGEXP_H

#include <stddef.h>

#include "qtool/error.h"

struct regexp;
/* QT_E_USAGE with PCRE2's message and the offset in the pattern. */
int regexp_new(struct regexp **out, const char *pattern, size_t len,
    struct qt_error *err) QT_MUST_CHECK;
void regexp_free(struct regexp *re);
/* 0 matches, 1 does not, negative: a limit was reached. */
int regexp_match(const struct regexp *re, const char *s, size_t len,
    struct qt_error *err) QT_MUST_CHECK;

#endif
