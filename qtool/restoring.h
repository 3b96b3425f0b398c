/*
 * restoring.h - qtool restore, out of a transaction or out of an archive.
 */
#ifndef QTOOL_RESTORING_H
#define QTOOL_RESTORING_H

#include "carry.h"

struct restoring {
	bool requeue, again; /* of an archive alone */
};

/* restore_archive.c: out of FILE; the exit status. */
int restore_archive(struct ctx *c, const struct restoring *own,
    const char *file);

#endif
