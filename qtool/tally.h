/*
 * tally.h - how often each value occurs among many.
 *
 * The values come from mail: the tree is balanced, so no choice of them makes
 * it slow, and the number of different ones it keeps has a ceiling.
 */
#ifndef QTOOL_TALLY_H
#define QTOOL_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "qtool/error.h"

#define TALLY_OTHER 0u /* the number of a value beyond the ceiling: rare */

struct tally_value {
	char *text; /* owned by the tally */
	size_t len;
	uint64_t count;
	uint32_t number; /* from 1, in order of first appearance */
};

struct tally;
int tally_new(struct tally **out, size_t max, struct qt_error *err)
    QT_MUST_CHECK;
void tally_free(struct tally *t);
/* Count one more of a value; *number is that of the value. */
int tally_add(struct tally *t, const char *text, size_t len,
    uint32_t *number, struct qt_error *err) QT_MUST_CHECK;
size_t tally_size(const struct tally *t);
/* By number, 1..size. */
const struct tally_value *tally_value(const struct tally *t, uint32_t number);
/* The n most frequent, most frequent first; returns how many there are. */
size_t tally_top(const struct tally *t, const struct tally_value **top,
    size_t n);

#endif
