/*
 * inodes.h - the set of files already seen: 8 bytes an entry, at most three
 * quarters full, one table a device.
 */
#ifndef QTOOL_SOURCE_INODES_H
#define QTOOL_SOURCE_INODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "qtool/error.h"

struct qt_inode_table {
	dev_t dev;
	uint64_t *slot; /* open addressing, 0 free; owned */
	size_t n;
	unsigned bits; /* 2^bits slots; 0 none yet */
};

struct qt_inodes {
	struct qt_inode_table *v; /* owned */
	size_t n;
	size_t last; /* where the last look-up was */
};

void qt_inodes_init(struct qt_inodes *s);
void qt_inodes_release(struct qt_inodes *s);
/* 0: it is new and now in the set; 1: it was there.  Inode 0 is no inode and
 * always new. */
int qt_inodes_add(struct qt_inodes *s, dev_t dev, ino_t ino,
    struct qt_error *err) QT_MUST_CHECK;
bool qt_inodes_has(struct qt_inodes *s, dev_t dev, ino_t ino);
/* Ask the processor for where an inode of the device used last would be. */
void qt_inodes_prefetch(const struct qt_inodes *s, ino_t ino);

#endif
