/*
 * remote.h - the calls of change.h, made by a hand in another process.
 *
 * Each has the contract of the function it stands for (tx.c).  A hand that does
 * not answer any more: QT_E_STATE.
 */
#ifndef CHANGE_REMOTE_H
#define CHANGE_REMOTE_H

#include "change/state.h"
#include "qtool/hand.h"

int qt_remote_open(struct qt_change **out, const struct qt_spool *spool,
    const struct qt_change_opts *opts, size_t *recovered, struct qt_error *err)
    QT_MUST_CHECK;
void qt_remote_close(struct qt_change *c);
int qt_remote_run(struct qt_change *c, struct qt_plan *plan,
    struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;
int qt_remote_undo(struct qt_change *c, uint64_t txid, struct qt_outcome *out,
    struct qt_error *err) QT_MUST_CHECK;
int qt_remote_redo(struct qt_change *c, uint64_t txid, struct qt_outcome *out,
    struct qt_error *err) QT_MUST_CHECK;
int qt_remote_purge(struct qt_change *c, uint64_t txid, struct qt_outcome *out,
    struct qt_error *err) QT_MUST_CHECK;

#endif
