/*
 * reporting.h - what report does before this process gives up its rights.
 */
#ifndef QTOOL_REPORTING_H
#define QTOOL_REPORTING_H

#include "qtool/incident.h"

#include "cmd.h"

/* The report command's own options. */
struct reporting {
	const char *dir; /* --output; NULL: not given */
	const char *case_id, *title, *organization, *contact;
	const char *stopped, *cause, *prevention;
	const char *contacts; /* --contacts: a file */
	enum qt_redact redact;
	bool redact_set;
	const char *redact_key;
	bool whole, json;
	struct qt_buf text; /* of contacts; initialised by report_prepare() */
	struct qt_tx_list history;
	size_t queues; /* that were named: behind them, what they keep */
};

int report_prepare(struct ctx *c, struct qt_error *err) QT_MUST_CHECK;

#endif
