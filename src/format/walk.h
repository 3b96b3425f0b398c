/*
 * walk.h - the walk's step without its own look at C records, for the parser,
 * which has read their numbers anyway.
 */
#ifndef QTOOL_FORMAT_WALK_H
#define QTOOL_FORMAT_WALK_H

#include "format/text.h"
#include "qtool/message.h"

/* As qt_walk_next, but the caller answers a C record by qt_walk_size(). */
int qt_walk_step(struct qt_walk *w, struct qt_record *rec,
    struct qt_error *err) QT_MUST_CHECK;
/* Use a C record, when none was usable before. */
void qt_walk_size(struct qt_walk *w, const struct qt_size_fields *f);

#endif
