/*
 * transaction.h - --transaction: what a transaction keeps, read in place of
 * the queue.
 */
#ifndef QTOOL_TRANSACTION_H
#define QTOOL_TRANSACTION_H

#include "qtool/change.h"

#include "cmd.h"

/* Whether the command takes it; QT_E_USAGE when not. */
int transaction_check(const struct ctx *c, struct qt_error *err) QT_MUST_CHECK;
/*
 * Put its mail in place of the one spool that is open; says so when it holds
 * none any more.
 */
int transaction_open(struct ctx *c, struct qt_error *err) QT_MUST_CHECK;

/*
 * Put beside each queue that is open what its transactions keep (report: all of
 * an account's mail, wherever it has been put); nothing where one of them is
 * read in its place.  *list, which is initialised and is the caller's to
 * release, gets those of the one queue; of several it is empty.
 */
int transaction_add_all(struct ctx *c, struct qt_tx_list *list,
    struct qt_error *err) QT_MUST_CHECK;

#endif
