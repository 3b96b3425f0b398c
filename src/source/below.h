/*
 * below.h - opening what lies below a directory, never through a link.
 *
 * O_NOFOLLOW guards the last component only, and a queue's hash directories
 * belong to the account that faces the network: so each component is opened
 * by itself.
 */
#ifndef QTOOL_SOURCE_BELOW_H
#define QTOOL_SOURCE_BELOW_H

#include <stdbool.h>

#include "qtool/error.h"

/*
 * The directory path ("A/B", "A/B/"; "": dirfd itself, anew) below dirfd.
 * A descriptor, or -1 with errno; ELOOP or ENOTDIR where a link is in the way.
 */
int qt_open_dir_below(int dirfd, const char *path) QT_MUST_CHECK;

/*
 * A message or log for reading: relative to dirfd, no link followed, never
 * blocking (a FIFO), without touching the access time where that is allowed.
 * name has no slash.  A descriptor, or -1 with errno.
 */
int qt_open_file_at(int dirfd, const char *name) QT_MUST_CHECK;
/*
 * The same for file after file: *refused, false at first, remembers that the
 * access time may not be left alone, so that it is asked for once.
 */
int qt_open_file_as(int dirfd, const char *name, bool *refused) QT_MUST_CHECK;

/* The same by a path with directories. */
int qt_open_file_below(int dirfd, const char *path) QT_MUST_CHECK;

#endif
