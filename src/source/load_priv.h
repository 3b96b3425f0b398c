/*
 * load_priv.h - the loader, shared by the files that fill a row.
 */
#ifndef QTOOL_SOURCE_LOAD_PRIV_H
#define QTOOL_SOURCE_LOAD_PRIV_H

#include "source/input.h"
#include "source/load.h"
#include "source/sha256.h"

struct qt_loader {
	const struct qt_load_plan *plan;
	struct qt_file_input file;
	struct qt_sha256 *sha; /* made when first needed */
	struct qt_buf log;
	struct qt_finish_tmp tmp;
	bool refused; /* see qt_open_file_as(); of messages */
	bool logs_refused;
};

#define QT_BUF_KEEP_MAX ((size_t)64 << 10) /* kept between rows */

/* Headers and body text, as far as the plan wants them. */
int qt_load_content(struct qt_loader *l, struct qt_row *row,
    struct qt_error *err) QT_MUST_CHECK;
/* The defer and bounce logs.  Only memory can fail. */
int qt_load_logs(struct qt_loader *l, struct qt_row *row,
    struct qt_error *err) QT_MUST_CHECK;

#endif
