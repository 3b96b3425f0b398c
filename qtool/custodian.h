/*
 * custodian.h - a process that writes beside an archive for a judge, who may
 * write nowhere (errand.h): an event into FILE.custody.jsonl, a time stamp's
 * answer as FILE.tsr.
 */
#ifndef QTOOL_CUSTODIAN_H
#define QTOOL_CUSTODIAN_H

#include "qtool/custody.h"
#include "qtool/timestamp.h"

#include "errand.h"

struct custodian {
	const char *file; /* the archive; borrowed */
	struct qt_timestamp_kept kept; /* the process's: what it wrote */
	struct errand errand;
};

/* Before the roles are taken. */
int custodian_start(struct custodian *k, const char *file, struct qt_error *err)
    QT_MUST_CHECK;
/* As qt_custody_append(), by it. */
int custodian_add(struct custodian *k, const struct qt_verify_result *r,
    const struct qt_custody_event *e, struct qt_buf *line, struct qt_error *err)
    QT_MUST_CHECK;
/* Write a new FILE.tsr. */
int custodian_attach(struct custodian *k, const void *bytes, size_t len,
    struct qt_error *err) QT_MUST_CHECK;
/* Remove that one again. */
int custodian_detach(struct custodian *k, struct qt_error *err) QT_MUST_CHECK;
void custodian_release(struct custodian *k);

#endif
