/*
 * custody.h - what becomes of an archive after it was made: events in
 * FILE.custody.jsonl beside it, which go on with the chain of
 * metadata/custody.jsonl.  The archive itself is never written to again.
 */
#ifndef QTOOL_CUSTODY_H
#define QTOOL_CUSTODY_H

#include "qtool/verify.h"

/* An event of either list; "" where there is none. */
struct qt_custody_event {
	uint64_t seq; /* from 1, through both lists */
	bool beside;  /* in FILE.custody.jsonl */
	const char *time; /* "2026-01-31T23:59:59Z" */
	const char *actor, *host, *event, *what, *why;
	const char *sha256; /* of what it is about, hex */
	const char *prev;   /* of the line before it */
};

/* The longest line of an event, bytes. */
#define QT_CUSTODY_LINE ((size_t)64 << 10)
/* What FILE.custody.jsonl may have at most, bytes. */
#define QT_CUSTODY_MAX ((size_t)16 << 20)

/*
 * Append an event to FILE.custody.jsonl, which is made (mode 0600) when it is
 * not there, and sync it.  *r is what verifying FILE found: where the chain
 * ends.  Of *e its event, what, why and sha256 count; the rest is told by chain
 * and system.  line gets the line.  QT_E_CHANGED: somebody else added to it
 * since; QT_E_STATE: FILE has no chain, or the last line of it is cut off.
 * After a failure the file is as it was, or is there and empty.
 */
int qt_custody_append(const char *file, const struct qt_verify_result *r,
    const struct qt_custody_event *e, struct qt_buf *line, struct qt_error *err)
    QT_MUST_CHECK;

/*
 * FILE.custody.jsonl as it is now, for struct qt_verify_opts: by who may not open
 * later what is not there yet.  *fd is -1 when it is not there; to be closed.
 */
int qt_custody_open(const char *file, int *fd, struct qt_error *err)
    QT_MUST_CHECK;

/* That line was added: *r tells the chain as it is now. */
int qt_custody_went_on(struct qt_verify_result *r, const void *line, size_t len,
    struct qt_error *err) QT_MUST_CHECK;

/*
 * A line, without or with its line feed, taken apart: each member is there once,
 * and there is no other; false: not so, or longer than QT_CUSTODY_LINE.  room: at
 * least len + QT_CUSTODY_ROOM bytes, where the texts of *e are.
 */
bool qt_custody_read(struct qt_custody_event *e, char *room, const char *line,
    size_t len);
#define QT_CUSTODY_ROOM 16

/* The SHA-256 of bytes, hex. */
int qt_custody_sum(const void *bytes, size_t len, char sum[65],
    struct qt_error *err) QT_MUST_CHECK;

#endif
