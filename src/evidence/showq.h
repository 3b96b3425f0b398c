/*
 * showq.h - data/context/showq.jsonl: what Postfix itself said of its queue.
 */
#ifndef QTOOL_EVIDENCE_SHOWQ_H
#define QTOOL_EVIDENCE_SHOWQ_H

#include "evidence/spill.h"
#include "qtool/archive.h"

#define QT_SHOWQ_PATH "data/context/showq.jsonl"

struct qt_showq {
	struct qt_spill text;
	char *command;	      /* as it was run; owned */
	uint64_t messages;    /* lines of it */
	int64_t begun, ended; /* seconds */
};

/*
 * The lines of postqueue -j out of its bytes, which come in pieces.  What is in
 * them is Postfix's word: a line is to be a JSON object that has queue_name and
 * queue_id, and nothing more is asked of it.
 */
struct qt_showq_lines {
	struct qt_buf line; /* what there is of the one that has not ended */
	bool too_long;	    /* that one is, and passed over */
	uint64_t n;	    /* of the last one, from 1 */
};
/* Line n is none, for why it says ("is no JSON object"): 0, or negative. */
typedef int qt_showq_bad_fn(void *ctx, uint64_t n, const char *why,
    struct qt_error *err);

void qt_showq_lines_init(struct qt_showq_lines *l);
void qt_showq_lines_release(struct qt_showq_lines *l);
int qt_showq_lines_take(struct qt_showq_lines *l, const void *bytes,
    size_t len, qt_showq_bad_fn *bad, void *ctx, struct qt_error *err)
    QT_MUST_CHECK;
/* There are no more bytes: the last line need not end in a line feed. */
int qt_showq_lines_end(struct qt_showq_lines *l, qt_showq_bad_fn *bad,
    void *ctx, struct qt_error *err) QT_MUST_CHECK;

#endif
