/*
 * incident_paper.h - what the two files share that make an incident's paper.
 */
#ifndef QTOOL_EVIDENCE_INCIDENT_PAPER_H
#define QTOOL_EVIDENCE_INCIDENT_PAPER_H

#include "evidence/incident.h"
#include "evidence/paper.h"

/* "1 message", "2,000 messages" */
const char *qt_incident_count_of(uint64_t n, const char *one, const char *many,
    char out[64]);
/* How many keys there are but "". */
uint64_t qt_incident_named(const struct qt_tally *t);

/* incident_tables.c: the sections of what was counted; the transactions. */
void qt_incident_tables(struct qt_paper *p, const struct qt_incident *x);
void qt_incident_history(struct qt_paper *p, const struct qt_incident *x);

#endif
