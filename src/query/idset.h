/*
 * idset.h - a list of queue IDs, as --ids has it, as a set: up to millions.
 */
#ifndef QUERY_IDSET_H
#define QUERY_IDSET_H

#include "qtool/buf.h"

struct idset;
/* From IDs separated by blanks or newlines. */
int idset_new(struct idset **out, const char *text, size_t len,
    const uint64_t key[2], struct qt_error *err) QT_MUST_CHECK;
void idset_free(struct idset *s);
bool idset_has(const struct idset *s, const char *id, size_t len);

#endif
