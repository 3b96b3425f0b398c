/*
 * picks.h - messages that were chosen, to be read later and in order.
 *
 * What is chosen from a live queue may be delivered before it is read.  So each
 * file is opened when it is picked, as far as descriptors go (RLIMIT_NOFILE):
 * an unlinked file lives on while it is open.  An open descriptor is all of a
 * hard link that is needed here, and leaves no trace: no change time that is
 * evidence, or that a change planned meanwhile compares; no second link that
 * Postfix warns of; nothing in the spool to be cleaned up after a kill -9; no
 * right to write there.  Files in maildrop are not kept open, as a change that
 * takes mail back from there asks whether pickup has it open.
 */
#ifndef QTOOL_PICKS_H
#define QTOOL_PICKS_H

#include "qtool/spool.h"

struct qt_pick {
	const char *id;	   /* raw bytes */
	const char *path;  /* below the queue directory */
	const char *found; /* what is told as its path */
	enum qt_queue queue;
	dev_t dev;
	ino_t ino;
	int fd; /* -1: not kept open; a scan takes it over */
};

struct qt_picks;
/* The spool is borrowed. */
int qt_picks_new(struct qt_picks **out, const struct qt_spool *spool,
    struct qt_error *err) QT_MUST_CHECK;
void qt_picks_free(struct qt_picks *p);
/*
 * A message as it was found; strings are copied.  found NULL: path.  Its fd
 * is not looked at.
 */
int qt_picks_add(struct qt_picks *p, const struct qt_pick *pick,
    struct qt_error *err) QT_MUST_CHECK;
/* By queue name, ID and path, as bytes. */
void qt_picks_sort(struct qt_picks *p);
size_t qt_picks_count(const struct qt_picks *p);
/* How many of them are kept open. */
size_t qt_picks_open(const struct qt_picks *p);
const struct qt_pick *qt_picks_at(const struct qt_picks *p, size_t i);

/* As many descriptors as this process may have, and root may get, for
 * qt_picks_add(): what is beyond them is not kept open. */
void qt_picks_raise_limit(void);

#endif
