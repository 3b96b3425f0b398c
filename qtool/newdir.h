/*
 * newdir.h - a directory of new files that appears whole or not at all, made
 * for a judge: its name, and its removal, are the work of a process that keeps
 * the rights that qtool was started with (errand.h).
 */
#ifndef QTOOL_NEWDIR_H
#define QTOOL_NEWDIR_H

#include "errand.h"

struct newdir {
	const char *path; /* that it is to have; borrowed; NULL: there is none */
	char *tmp;	  /* that it has meanwhile; owned */
	int fd, sub_fd;	  /* of it, of the directory in it; -1 */
	const char *sub;  /* the name of that; borrowed */
	struct errand errand;
	bool done;	  /* it has its name */
};
#define NEWDIR_NONE ((struct newdir){.fd = -1, .sub_fd = -1, \
    .errand = {.pid = 0, .fd = -1}})

/*
 * Before the roles are taken: make it under a temporary name beside path, for
 * the owner alone, with an empty directory sub.  QT_E_REFUSED: path exists.
 */
int newdir_start(struct newdir *d, const char *path, const char *sub,
    struct qt_error *err) QT_MUST_CHECK;
/* A new file in it, or in sub ("sub/name"). */
int newdir_put(struct newdir *d, const char *name, const void *bytes,
    size_t len, struct qt_error *err) QT_MUST_CHECK;
/* All is in it, and on disk: its name, durably. */
int newdir_finish(struct newdir *d, struct qt_error *err) QT_MUST_CHECK;
/* What was not finished is removed; also when this process is killed. */
void newdir_release(struct newdir *d);

#endif
