/*
 * bagrow.h - a line of messages.jsonl read back: which files of the bag a
 * message has, and what it was in the queue.
 */
#ifndef QTOOL_EVIDENCE_BAGROW_H
#define QTOOL_EVIDENCE_BAGROW_H

#include "evidence/hash.h"
#include "evidence/line.h"
#include "qtool/queueid.h"

struct qt_bagfile {
	char path[QT_MEMBER_SIZE]; /* in the bag */
	uint64_t size;
	char sha256[QT_SHA256_HEX]; /* 64 digits, lower case */
	enum qt_queue kind; /* of a log: which */
};

struct qt_bagrow {
	struct qt_bagfile file;
	enum qt_queue queue;		/* QT_Q_COUNT: no name of one */
	char id[QT_QUEUE_ID_MAX + 1];	/* "" when it is none */
	char found[QT_MEMBER_SIZE];	/* where it was, below the queue */
	int64_t mtime_ns;
	bool odd;			/* it could not keep its name */
	struct qt_bagfile log[QT_LINE_LOGS];
	unsigned nlogs;
};

/* 0; 1 it is no such line, *why says what is wrong with it. */
int qt_bagrow_read(struct qt_bagrow *r, const char *line, size_t len,
    const char **why) QT_MUST_CHECK;

#endif
