/*
 * eml.h - a queue file's message as a mail program has it (RFC 5322).
 */
#ifndef QTOOL_EVIDENCE_EML_H
#define QTOOL_EVIDENCE_EML_H

#include "evidence/facts.h"

/*
 * The text as delivery would give it: header, empty line, body, lines ended by
 * a line feed, a Milter's edits made.  With a redactor, that without the names
 * it takes out: recipients' fields with addresses alone, encoded words and
 * encoded parts left out; QT_REDACT_FULL: the header alone.  1: the content is
 * damaged, what is before that is there.
 */
int qt_eml_write(struct qt_spill *out, struct qt_facts_file *f,
    const struct qt_redactor *r, struct qt_error *err) QT_MUST_CHECK;

#endif
