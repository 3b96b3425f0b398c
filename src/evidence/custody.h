/*
 * custody.h - metadata/custody.jsonl: who did what with the evidence, each line
 * with the sum of the line before it.
 */
#ifndef QTOOL_EVIDENCE_CUSTODY_H
#define QTOOL_EVIDENCE_CUSTODY_H

#include "evidence/bag.h"

/*
 * Append the lines of the archive's making; payload is the sum of
 * manifest-sha256.txt, payload512 that of manifest-sha512.txt, NULL: there is
 * none.  A line's prev is the SHA-256 of the line before it with
 * its line feed, null in the first.
 */
int qt_custody_tell(struct qt_buf *out, const struct qt_bag *bag,
    const char *payload, const char *payload512, struct qt_error *err)
    QT_MUST_CHECK;

#endif
