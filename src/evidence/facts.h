/*
 * facts.h - what is told of a message beside its row of the tables: its
 * recipients, a line of JSON each, and members for its own line.
 *
 * Worked out of the very bytes that are archived, in the scanner's threads where
 * the message came through it.
 */
#ifndef QTOOL_EVIDENCE_FACTS_H
#define QTOOL_EVIDENCE_FACTS_H

#include "evidence/body.h"
#include "evidence/redact.h"
#include "evidence/spill.h"
#include "qtool/scan.h"

struct qt_facts {
	struct qt_buf rcpts; /* lines of recipients.jsonl */
	struct qt_buf json;  /* ",\"name\":value" each; "" none */
	uint64_t content;    /* where the text begins in the file; 0 nowhere */
};

/* What of a message the facts are of. */
struct qt_facts_of {
	const struct qt_msg *msg;
	const struct qt_headers *headers; /* NULL: were not read */
	enum qt_queue queue;
	const char *id;	  /* its queue ID, raw */
	const char *path; /* in the bag where that is not by queue and ID */
	bool locked;	  /* a process held a lock on it */
	bool lock_unknown; /* nobody knows whether one did */
	const struct qt_body *body; /* NULL: was not read */
	bool file_only;	  /* what is not in the file (locked) is not told */
	const struct qt_redactor *redactor; /* NULL: nothing is redacted */
};

void qt_facts_init(struct qt_facts *f);
void qt_facts_release(struct qt_facts *f);
/* Out of what was parsed; only memory can fail. */
int qt_facts_tell(struct qt_facts *f, const struct qt_facts_of *of,
    struct qt_error *err) QT_MUST_CHECK;

/* A queue file that was captured, parsed for that. */
struct qt_facts_file {
	struct qt_input in;
	struct qt_msg msg;
	struct qt_headers headers;
	uint64_t content; /* where the text begins; 0 nowhere */
	bool corrupt;	  /* msg and headers are of what is before the damage */
	struct qt_arena arena;
	/* a window over bytes that are not in memory */
	const struct qt_spill *bytes;
	unsigned char *mem;
	size_t cap;
};
/*
 * Parse it; a corrupt file gives what is before the damage.  The struct does
 * not move from here on; bytes is borrowed.
 */
int qt_facts_parse(struct qt_facts_file *f, const struct qt_spill *bytes,
    enum qt_queue queue, struct qt_error *err) QT_MUST_CHECK;
void qt_facts_file_release(struct qt_facts_file *f);

#endif
