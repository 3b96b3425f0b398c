/*
 * arf.h - what the parts of one mail to a network are made of, between the two
 * files that make them.
 */
#ifndef QTOOL_EVIDENCE_ARF_H
#define QTOOL_EVIDENCE_ARF_H

#include "evidence/incident.h"

#define QT_ARF_SAMPLES 3 /* messages that are shown: one whole, two quoted */

struct qt_arf {
	struct qt_incident *x;
	const struct qt_net *net;
	/* Of different clients as far as there are so many; the first is the
	 * one that the fields are about. */
	const struct qt_sample *sample[QT_ARF_SAMPLES];
	const struct qt_counted *client[QT_ARF_SAMPLES]; /* whose */
	unsigned n;
	/* What of the first stands in the mail's third part. */
	enum {
		QT_ARF_NOTHING, QT_ARF_HEADER, QT_ARF_BEGINNING /* of that */,
		QT_ARF_WHOLE
	} third;
};

/* The text for people (UTF-8), in lines that end in a line feed. */
int qt_arf_text(const struct qt_arf *a, struct qt_buf *b, struct qt_error *err)
    QT_MUST_CHECK;
/* "203.0.113.7", "3 addresses of 203.0.113.0/24"; one who answers for several
 * networks has "... and other networks". */
void qt_arf_source(const struct qt_arf *a, struct qt_buf *b);

#endif
