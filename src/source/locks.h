/*
 * locks.h - who holds a lock on a message, without touching the message.
 *
 * Delivery agents hold a shared flock(2) while they work on one, qmgr an
 * exclusive one while it reads it (Postfix src/util/myflock.c).  Probing by a
 * lock of our own would disturb them; /proc/locks tells for all files at once.
 */
#ifndef QTOOL_SOURCE_LOCKS_H
#define QTOOL_SOURCE_LOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "qtool/error.h"

struct qt_lock {
	dev_t dev;
	ino_t ino;
};
struct qt_locks { /* sorted; read-only once made */
	struct qt_lock *v;
	size_t n;
};

/* From the text of /proc/locks; lines that are no granted flock are passed. */
int qt_locks_parse(struct qt_locks *l, const char *text, struct qt_error *err)
    QT_MUST_CHECK;
/* From /proc/locks; empty where there is none. */
int qt_locks_read(struct qt_locks *l, struct qt_error *err) QT_MUST_CHECK;
void qt_locks_release(struct qt_locks *l);
bool qt_locks_has(const struct qt_locks *l, dev_t dev, ino_t ino);

#endif
