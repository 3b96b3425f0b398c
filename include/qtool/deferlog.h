/*
 * deferlog.h - the defer, bounce and trace logs beside a message.
 *
 * Source: Postfix src/global/bounce_log.c, src/bounce/bounce_append_service.c.
 * The last entry counts only when an empty line ends it (a torn append).
 */
#ifndef QTOOL_DEFERLOG_H
#define QTOOL_DEFERLOG_H

#include "qtool/buf.h"

struct qt_log_entry { /* strings in the arena; NULL when absent */
	const char *recipient;	/* quoted per RFC 822; "" for <> */
	const char *orig_recipient;
	const char *dsn_orcpt;	/* * */
	const char *status;	/* "4.4.1"; defaulted as Postfix does */
	const char *action;	/* "delayed", "failed", ...  * */
	const char *diag_type, *diag_text; /* * */
	const char *mta_type, *mta_name;   /* * */
	const char *reason;
	int64_t offset;		/* of the R record; -1 when not given */
	int notify;
}; /* *: NULL in a brief entry, too */

enum qt_log_kind { QT_LOG_DEFER, QT_LOG_BOUNCE, QT_LOG_TRACE };

struct qt_log_reader {
	const char *data; /* borrowed */
	size_t len, pos;
	enum qt_log_kind kind;
	bool has_nul; /* somewhere */
	bool brief;   /* false at first: entries are whole */
	size_t skipped; /* lines that are no entry */
};

void qt_log_reader_init(struct qt_log_reader *r, const void *data, size_t len,
    enum qt_log_kind kind);
/* 0 an entry, 1 no more, negative out of memory. */
int qt_log_reader_next(struct qt_log_reader *r, struct qt_log_entry *entry,
    struct qt_arena *arena, struct qt_error *err) QT_MUST_CHECK;

#endif
