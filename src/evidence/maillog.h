/*
 * maillog.h - the lines of mail logs that are about certain mail: those of its
 * queue IDs, of its accounts, and of the addresses that those came from.
 */
#ifndef QTOOL_EVIDENCE_MAILLOG_H
#define QTOOL_EVIDENCE_MAILLOG_H

#include <signal.h>

#include "evidence/seen.h"
#include "evidence/spill.h"

struct qt_maillog {
	struct qt_seen ids, accounts, addresses;
	struct qt_seen learnt;	/* IDs that a line said to be an account's */
	uint64_t lines, skipped; /* taken; longer than any line of Postfix */
	const volatile sig_atomic_t *stop;
};

int qt_maillog_init(struct qt_maillog *m, struct qt_error *err) QT_MUST_CHECK;
void qt_maillog_release(struct qt_maillog *m);
/* A message's queue ID; with the login and address it came by, when both are
 * known.  The address of a filter on this host is nobody's. */
int qt_maillog_add(struct qt_maillog *m, const char *id, const char *log_ident,
    const char *account, const char *address, struct qt_error *err)
    QT_MUST_CHECK;
/*
 * Append the lines of a file, plain or packed as libarchive knows it, byte for
 * byte.  Oldest file first: a queue ID becomes an account's by its first line.
 */
int qt_maillog_take(struct qt_maillog *m, const char *file,
    struct qt_spill *out, struct qt_error *err) QT_MUST_CHECK;

#endif
