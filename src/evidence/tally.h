/*
 * tally.h - messages counted by a text: by login, by client, by domain.
 *
 * Keys are hashed with a random key, so nobody can send mail whose keys
 * collide, and there is a ceiling on how many are kept.
 */
#ifndef QTOOL_EVIDENCE_TALLY_H
#define QTOOL_EVIDENCE_TALLY_H

#include "qtool/buf.h"

#define QT_TALLY_MAX 200000 /* keys; messages of others are counted together */

/* What one message, or one part of it, adds. */
struct qt_tally_add {
	uint64_t recipients, todo, done, bytes;
	int64_t time; /* seconds since the epoch; 0: not known */
};

struct qt_counted {
	const char *key; /* NUL behind it, and maybe in it */
	size_t len;
	uint64_t messages, recipients, todo, done, bytes;
	int64_t first, last; /* 0: none had a time */
	void *more; /* whatever the tally is of; NULL at first */
	uint64_t hash;
};

struct qt_tally {
	struct qt_counted **v; /* in order of coming, then sorted; owned */
	size_t n, cap;
	bool by_key;	 /* v is in order of keys: none came since */
	uint64_t beyond; /* messages whose key came when there were enough */
	uint32_t *slot;  /* number + 1, 0 empty; owned */
	size_t slots;
	uint64_t sip_key[2];
	struct qt_arena *arena; /* borrowed: keys and entries */
};

int qt_tally_init(struct qt_tally *t, struct qt_arena *arena,
    struct qt_error *err) QT_MUST_CHECK;
void qt_tally_release(struct qt_tally *t);
/*
 * Count it.  *e, which may be NULL, gets the entry, or NULL when there were
 * enough already; *fresh, likewise, whether it is new.
 */
int qt_tally_add(struct qt_tally *t, const void *key, size_t len,
    const struct qt_tally_add *a, struct qt_counted **e, bool *fresh,
    struct qt_error *err) QT_MUST_CHECK;
struct qt_counted *qt_tally_find(const struct qt_tally *t, const void *key,
    size_t len);
/*
 * The most messages first; the most recipients; by key as bytes.  What was
 * found before stays where it is.
 */
enum qt_tally_order { QT_TALLY_MESSAGES, QT_TALLY_RECIPIENTS, QT_TALLY_KEY };
void qt_tally_sort(struct qt_tally *t, enum qt_tally_order by);

#endif
