/*
 * past.h - what was deleted from this queue before, as conditions over messages:
 * mail that still matches one is likely more of the same.
 */
#ifndef QTOOL_PAST_H
#define QTOOL_PAST_H

#include "cmd.h"

/* The selection of one delete. */
struct past {
	uint64_t txid;
	struct qt_select *sel; /* owned */
	struct qt_buf label;   /* its options, as given */
	bool aged;	       /* it depends on when it ran */
};

struct pasts {
	struct past *v; /* latest first */
	size_t n;
};

/*
 * Those of the history of c's queue, read back from the commands recorded with
 * the transactions, and each tried: it can be used as a condition.  One that
 * cannot be read back is skipped with a remark.  Needs c->db.
 */
int pasts_read(struct ctx *c, struct pasts *p, struct qt_error *err)
    QT_MUST_CHECK;
void pasts_release(struct pasts *p);

/* The words of a recorded command, as one string each with a NUL behind it. */
struct words {
	struct qt_buf text;
	char **v; /* owned; n pointers into text, and a NULL */
	int n;
};
/*
 * Undo the quoting of a recorded command: 'it'\''s' is one word.  QT_E_USAGE
 * when it is not one that was recorded whole.
 */
int words_split(struct words *w, const char *command, struct qt_error *err)
    QT_MUST_CHECK;
void words_release(struct words *w);

/* SQL with every parameter's number raised by so many: ?1 is ?(by + 1). */
void shift_parameters(struct qt_buf *out, const char *sql, size_t by);

#endif
