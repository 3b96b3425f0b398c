/*
 * line.h - the lines of messages.jsonl and missing.jsonl.
 */
#ifndef QTOOL_EVIDENCE_LINE_H
#define QTOOL_EVIDENCE_LINE_H

#include "evidence/capture.h"
#include "evidence/redact.h"
#include "qtool/spool.h"

#define QT_MEMBER_SIZE 512 /* of a path in the bag, or below a spool */
#define QT_LINE_LOGS 6	   /* defer, bounce, trace, and a late one of each */

/* One file on its way from the queue to the archive. */
struct qt_member {
	struct qt_capture file;
	char member[QT_MEMBER_SIZE]; /* path in the bag */
	enum qt_queue queue;	     /* of a log: which */
	bool have;		     /* of a log: there is one */
};

/* What the archive knows of a message and the tables do not. */
struct qt_line {
	const char *id;	   /* the file's name, raw */
	const char *found; /* where it was, below the queue directory */
	bool odd;	   /* it could not keep its name */
	const struct qt_member *message; /* that is in the archive */
	const struct qt_member *source; /* it was made of this; NULL: it is it */
	const struct qt_member *eml;	/* NULL none */
	const char *more; /* ,"name":value each */
	const struct qt_member *log; /* QT_LINE_LOGS of them */
	const char *problems; /* JSON strings, comma-separated; "" none */
};

/* The row of messages that st stands on as an object; values redacted unless
 * that is NULL. */
void qt_line_row(struct qt_buf *out, const struct qt_stmt *st,
    const struct qt_redactor *redactor);
/* json (an object on one line) with those facts added, and a newline. */
void qt_line_message(struct qt_buf *out, const char *json,
    const struct qt_line *facts);
/* A message that is not in the archive since it was left in the queue. */
void qt_line_left(struct qt_buf *out, const char *queue, const char *id,
    const char *why);
/* A selected message that is not in the archive, and why. */
void qt_line_missing(struct qt_buf *out, enum qt_queue queue, const char *id,
    const char *found, const struct qt_error *why);

#endif
