/*
 * transaction.h - --transaction: what a transaction keeps, read in place of
 * the queue.
 */
#ifndef QTOOL_TRANSACTION_H
#define QTOOL_TRANSACTION_H

#include "cmd.h"

/* Whether the command takes it; QT_E_USAGE when not. */
int transaction_check(const struct ctx *c, struct qt_error *err) QT_MUST_CHECK;
/*
 * Put its mail in place of the one spool that is open; says so when it holds
 * none any more.
 */
int transaction_open(struct ctx *c, struct qt_error *err) QT_MUST_CHECK;

#endif
