/*
 * collect.h - where the files of a message are: in the queue, or in what a
 * transaction keeps.
 */
#ifndef QTOOL_EVIDENCE_COLLECT_H
#define QTOOL_EVIDENCE_COLLECT_H

#include "evidence/capture.h"
#include "qtool/spool.h"
#include "source/staged.h"

/*
 * Read a message: at path, or, in a queue, where Postfix may have moved it
 * since.  Errors are those of qt_capture_file.
 */
int qt_collect_message(struct qt_capture *c, const struct qt_spool *spool,
    enum qt_queue queue, const char *id, const char *path,
    const struct qt_identity *want, struct qt_digest *sum,
    struct qt_error *err) QT_MUST_CHECK;

/* How many logs of one kind a message of this spool may have. */
unsigned qt_collect_logs(const struct qt_spool *spool);
/*
 * Read the i-th log of that kind of the message found at path.  QT_E_GONE:
 * there is none.
 */
int qt_collect_log(struct qt_capture *c, const struct qt_spool *spool,
    const char *id, const char *path, enum qt_queue kind, unsigned i,
    struct qt_digest *sum, struct qt_error *err) QT_MUST_CHECK;

#endif
