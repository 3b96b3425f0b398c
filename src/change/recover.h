/*
 * recover.h - what was interrupted is brought to its end.
 */
#ifndef CHANGE_RECOVER_H
#define CHANGE_RECOVER_H

#include "change/state.h"

/*
 * Every transaction of the spool, in order; *n counts those that something was
 * done about.  When one is damaged nothing at all is done: QT_E_STATE.
 */
int qt_recover_all(struct qt_change *c, size_t *n, struct qt_error *err)
    QT_MUST_CHECK;

/* qt_change_open() on another table of calls, for tests. */
int qt_change_open_fs(struct qt_change **out, const struct qt_spool *spool,
    const struct qt_change_opts *opts, const struct qt_fsops *fs,
    size_t *recovered, struct qt_error *err) QT_MUST_CHECK;

#endif
