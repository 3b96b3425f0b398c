/*
 * rcpts.h - a captured message's recipients as lines of JSON, read from the
 * very bytes that are archived.
 */
#ifndef QTOOL_EVIDENCE_RCPTS_H
#define QTOOL_EVIDENCE_RCPTS_H

#include "evidence/spill.h"
#include "qtool/spool.h"

/*
 * Append to lines one object for each recipient of the queue file in bytes.  A
 * corrupt file gives those before the damage.  id: its queue ID as the tables
 * have it; path: its place in the bag.
 */
int qt_rcpts_list(struct qt_spill *lines, const struct qt_spill *bytes,
    enum qt_queue queue, const char *id, const char *path,
    struct qt_error *err) QT_MUST_CHECK;

#endif
