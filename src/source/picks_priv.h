/*
 * picks_priv.h - what the scanner knows of picks.
 */
#ifndef QTOOL_SOURCE_PICKS_PRIV_H
#define QTOOL_SOURCE_PICKS_PRIV_H

#include "qtool/picks.h"

const struct qt_spool *qt_picks_spool(const struct qt_picks *p);
/* The descriptor of the i-th, now the caller's; -1: it was not kept open. */
int qt_picks_take(struct qt_picks *p, size_t i) QT_MUST_CHECK;
/*
 * The very file, where Postfix may have moved it since: a descriptor, or -1
 * with errno ENOENT.
 */
int qt_pick_open_moved(const struct qt_spool *spool, const struct qt_pick *pick)
    QT_MUST_CHECK;

#endif
