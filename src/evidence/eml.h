/*
 * eml.h - a queue file's message as a mail program has it (RFC 5322).
 */
#ifndef QTOOL_EVIDENCE_EML_H
#define QTOOL_EVIDENCE_EML_H

#include "evidence/facts.h"

/*
 * The text as delivery would give it: header, empty line, body, lines ended by
 * a line feed, a Milter's edits made.  With a redactor, that without the names
 * it takes out: recipients' fields with addresses alone; what is encoded is
 * decoded and encoded again, or left out where others may read it otherwise;
 * QT_REDACT_FULL: the header alone.  1: the content is damaged, what is before
 * that is there.
 */
int qt_eml_write(struct qt_spill *out, struct qt_facts_file *f,
    const struct qt_redactor *r, struct qt_error *err) QT_MUST_CHECK;

/* ---- between the two files that do it ---- */

/* Append a field of a header, redacted and folded. */
void qt_eml_field(struct qt_buf *out, const struct qt_redactor *r,
    const struct qt_header *f);
/* The body, redacted, its empty line before it; as qt_eml_write(). */
int qt_eml_body(struct qt_spill *out, struct qt_facts_file *f,
    const struct qt_redactor *r, struct qt_error *err) QT_MUST_CHECK;
/* What a failed read of the content is: 1, damage, or -1. */
int qt_eml_damaged(const struct qt_error *why, struct qt_error *err);

#endif
