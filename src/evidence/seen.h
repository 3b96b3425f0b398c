/*
 * seen.h - which member paths are taken: a set that costs 16 to 32 bytes a name.
 */
#ifndef QTOOL_EVIDENCE_SEEN_H
#define QTOOL_EVIDENCE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qtool/error.h"

struct qt_seen {
	uint64_t *slot; /* open addressing, 0 free; owned */
	size_t n, cap;	/* cap a power of two */
	uint64_t key[2]; /* random, against names chosen to collide */
};

int qt_seen_init(struct qt_seen *s, struct qt_error *err) QT_MUST_CHECK;
void qt_seen_release(struct qt_seen *s);
/* 0: it is new and now in the set; 1: it was there. */
int qt_seen_add(struct qt_seen *s, const char *name, struct qt_error *err)
    QT_MUST_CHECK;
bool qt_seen_has(const struct qt_seen *s, const char *name);
/* Take it out, if it is in. */
void qt_seen_remove(struct qt_seen *s, const char *name);

#endif
