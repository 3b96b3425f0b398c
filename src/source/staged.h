/*
 * staged.h - the names of what a transaction keeps out of the queue.
 *
 *	SPOOL/qtool/tx/NNNNNN	NNNNNN: its number, six digits or more
 *	  m/BBBB/SEQ.ID.q	a message; BBBB: SEQ / 4096, four digits or
 *				more; SEQ: place in the plan, six digits or
 *				more; ID: queue ID, or - when the name would be
 *				too long; q: the queue it was taken from, h d a
 *				i.  Lower case: from the path in the plan.
 *				Upper case: from where Postfix keeps that ID in
 *				that queue, because it had moved.
 *	  x/BBBB/SEQ.ID.k	a log of it: k is d (defer), b (bounce), t
 *				(trace); upper case when it was written after
 *				the first one was taken.
 *
 * src/change/ gives these names; whoever reads what is staged takes them apart
 * here.
 */
#ifndef QTOOL_SOURCE_STAGED_H
#define QTOOL_SOURCE_STAGED_H

#include "qtool/spool.h"

#define QT_STAGED_BUCKET 4096u
#define QT_STAGED_SEQ_MAX ((uint64_t)16 << 20)
#define QT_STAGED_ID_MAX 200 /* longer IDs are - in names: NAME_MAX is 255 */
#define QT_STAGED_NAME_SIZE 256
#define QT_STAGED_DIR_SIZE 40  /* "qtool/tx/NNNNNN" */
#define QT_STAGED_PATH_SIZE 64 /* "qtool/tx/NNNNNN/m/BBBB" */

/* A staged name taken apart. */
struct qt_staged {
	uint64_t seq;
	const char *id; /* within the name, id_len bytes, not terminated */
	size_t id_len;
	char letter;
};

/* False: it is none of these names. */
bool qt_staged_parse(const char *name, struct qt_staged *s);
void qt_staged_name(uint64_t seq, const char *id, char letter,
    char name[QT_STAGED_NAME_SIZE]);

/* The queue of a message's letter, upper case or lower; QT_Q_COUNT: none. */
enum qt_queue qt_staged_queue(char letter);
/* The lower-case letter of a queue; '\0': nothing is taken from there. */
char qt_staged_letter(enum qt_queue q);

/* Below the queue directory: a transaction's directory. */
void qt_staged_dir(uint64_t txid, char path[QT_STAGED_DIR_SIZE]);
/* One of its buckets of messages. */
void qt_staged_bucket(uint64_t txid, uint64_t bucket,
    char path[QT_STAGED_PATH_SIZE]);
/*
 * How many buckets there may be: one more than the highest number in m/ (some
 * may be missing).  0 also when there is no m/: nothing is staged any more.
 */
int qt_staged_buckets(const struct qt_spool *s, uint64_t *n,
    struct qt_error *err) QT_MUST_CHECK;

/* How many logs of one kind a message may have: the first, and a late one. */
#define QT_STAGED_LOGS 2
/*
 * Where the i-th log of that kind (QT_Q_DEFER, QT_Q_BOUNCE, QT_Q_TRACE) of a
 * staged message is: its path with m/ and its letter replaced.  -1: path is no
 * staged message's, or it does not fit.
 */
int qt_staged_log(const char *path, enum qt_queue kind, unsigned i, char *log,
    size_t size) QT_MUST_CHECK;

#endif
