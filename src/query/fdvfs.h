/*
 * fdvfs.h - a SQLite database in a file that is open already.
 *
 * SQLite opens files by name, for reading and writing, makes others beside them
 * and believes locks: a process that has given up its rights can do none of it,
 * and a file from a stranger must not have it done.  Here the database is one
 * descriptor, and there is no journal: what is written is a new file that is
 * thrown away when anything fails, what is read does not change.
 */
#ifndef QUERY_FDVFS_H
#define QUERY_FDVFS_H

#include <sqlite3.h>

#include <stdbool.h>

#include "qtool/error.h"

struct fdvfs {
	sqlite3_vfs vfs;  /* first: SQLite's view of it */
	sqlite3_vfs *real; /* the system's: temporary files, time */
	int fd;		  /* borrowed */
	int write_errno;  /* of a write that failed; 0 none */
	char name[40];
};

/*
 * A connection on fd, which is borrowed until fdvfs_close(); write: it is a new
 * and empty file.  *sql is to be closed even after a failure (NULL is fine).
 */
int fdvfs_open(struct fdvfs *v, sqlite3 **sql, int fd, bool write,
    struct qt_error *err) QT_MUST_CHECK;
/* The connection first, then this. */
void fdvfs_close(struct fdvfs *v);

#endif
