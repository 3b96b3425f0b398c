/*
 * restoring.h - qtool restore, out of a transaction or out of an archive.
 */
#ifndef QTOOL_RESTORING_H
#define QTOOL_RESTORING_H

#include "carry.h"
#include "custodian.h"
#include "sigcheck.h"

struct restoring { /* all of it of an archive alone */
	bool requeue, again;
	struct signers signers;
	struct sigcheck checker;
	bool checks; /* it was started */
	int events_fd; /* FILE.custody.jsonl; -1, valid with checks */
	struct custodian custodian; /* for the event of it */
	struct qt_verify_result verified; /* what the archive is */
	uint64_t restored; /* messages */
};

/* restore_archive.c: out of FILE; the exit status. */
int restore_archive(struct ctx *c, struct restoring *own, const char *file);
/* Before the roles are taken: who is to check the signatures of operand. */
int restore_prepare(struct ctx *c, const char *operand, struct qt_error *err)
    QT_MUST_CHECK;

#endif
