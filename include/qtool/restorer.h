/*
 * restorer.h - messages given back out of an archive: found by what its table
 * says, read from where they are in the file, nothing unpacked.
 */
#ifndef QTOOL_RESTORER_H
#define QTOOL_RESTORER_H

#include "qtool/change.h"
#include "qtool/verify.h"

struct qt_restorer;
/*
 * Verify an archive (qt_verify_archive()), and keep what restoring takes.  0
 * also for one with problems: *result says so.
 */
int qt_restorer_open(struct qt_restorer **out, struct qt_verify_result *result,
    const char *file, const struct qt_verify_opts *opts, struct qt_error *err)
    QT_MUST_CHECK;
void qt_restorer_close(struct qt_restorer *r);
/*
 * A message by its row: queue, ID, and where it was found below the queue
 * directory.  0: *m is filled but for m->to, its strings valid until the next
 * call.  1: it cannot be restored, *why says why.  Fastest in the archive's
 * order.
 */
int qt_restorer_take(struct qt_restorer *r, enum qt_queue queue, const char *id,
    const char *found, struct qt_import *m, const char **why,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * For struct qt_change_opts: ctx is the restorer, seq counts the messages that
 * were taken.
 */
int qt_restorer_supply(void *ctx, size_t seq, enum qt_queue log,
    qt_put_fn *put, void *put_ctx, struct qt_error *err) QT_MUST_CHECK;

#endif
