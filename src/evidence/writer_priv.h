/*
 * writer_priv.h - the archive being written, shared by the files that do it:
 * writer.c (begin and end of its life), add.c (messages), finish.c (what is
 * told about them all), member.c (one member).
 */
#ifndef QTOOL_EVIDENCE_WRITER_PRIV_H
#define QTOOL_EVIDENCE_WRITER_PRIV_H

#include "evidence/bag.h"
#include "evidence/facts.h"
#include "evidence/index.h"
#include "evidence/line.h"
#include "evidence/maillog.h"
#include "evidence/manifest.h"
#include "evidence/outfile.h"
#include "evidence/seen.h"
#include "evidence/showq.h"
#include "evidence/tarstream.h"
#include "qtool/archive.h"

/* The options that are strings. */
enum { S_HOST, S_QUEUE_DIR, S_CASE, S_TITLE, S_ORGANIZATION, S_CONTACT,
	S_KEEP_UNTIL, S_COMMAND, S_SELECTION, S_REASON, S_PROGRAM, S_SIGNER,
	S_SIGN_PROGRAM, S_COUNT };

/* Lines of a table, which is written when all are there. */
struct qt_lines_out {
	struct qt_spill text;
	struct qt_digest sum; /* of it; to do that at the end would be last in
			       * line, with nothing beside it */
};

struct qt_archive {
	struct qt_outfile out;
	struct qt_tar *tar;
	struct qt_digest sum;	/* of one file at a time, by all nhashes */
	struct qt_digest_kind sha256; /* for the scan's threads */
	struct qt_buf base;	/* the bag's directory */
	struct qt_buf name;	/* "BASE/PATH" of the member being written */
	struct qt_bag bag;	/* borrows the strings below */
	char *strings[S_COUNT];	/* owned */
	struct qt_manifest payload[QT_HASHES], tags[QT_HASHES];
	unsigned nhashes;	/* of these: the first ones */
	struct qt_spill missing;
	struct qt_lines_out messages, recipients;
	struct qt_seen seen;
	struct qt_member message, eml, log[QT_LINE_LOGS];
	struct qt_buf line, json;
	struct qt_facts facts;
	struct qt_index *index; /* NULL: none is wanted */
	struct qt_maillog log_of; /* whose lines are taken of the mail logs */
	const char *const *logs;  /* borrowed */
	size_t nlogs;
	enum qt_redact redact;
	struct qt_redact_key key;
	bool new_key;	/* it goes to FILE.key */
	qt_sign_fn *sign;
	void *sign_ctx;
	qt_sign_fn *sign_with; /* NULL: not by a program; bag.sign_program */
	void *sign_with_ctx;
	bool timestamp;
	uint64_t odd; /* members renamed so far */
	const struct qt_spool *adding; /* the spool of all messages */
	const volatile sig_atomic_t *stop;
	struct qt_archive_counts counts;
	bool broken;	/* a run error: only close is left */
	bool finished;
};

/* What the scan's threads made of a message: row.extra, in its arena. */
struct qt_row_facts {
	const char *rcpts, *json;
	size_t rcpts_len;
	struct qt_redactor redactor;
};

/*
 * ---- member.c: one member; list: the manifests with its sums, one for each
 * algorithm; NULL: it is in none ----
 */

/* Into the archive and a->sum, between begin and end. */
int qt_put_bytes(void *archive, const void *bytes, size_t len,
    struct qt_error *err) QT_MUST_CHECK;
int qt_put_text(struct qt_archive *a, const char *path,
    const struct qt_buf *text, struct qt_manifest *list, struct qt_error *err)
    QT_MUST_CHECK;
int qt_put_spill(struct qt_archive *a, const char *path,
    const struct qt_spill *s, struct qt_manifest *list, struct qt_error *err)
    QT_MUST_CHECK;
int qt_put_lines(struct qt_archive *a, const char *path,
    struct qt_lines_out *lines, struct qt_manifest *list, struct qt_error *err)
    QT_MUST_CHECK;
int qt_put_index(struct qt_archive *a, const char *path, uint64_t size,
    struct qt_manifest *list, struct qt_error *err) QT_MUST_CHECK;
int qt_put_manifest(struct qt_archive *a, const char *path,
    struct qt_manifest *m, struct qt_manifest *list, struct qt_error *err)
    QT_MUST_CHECK;
/* A captured file, into the payload. */
int qt_put_copy(struct qt_archive *a, const struct qt_member *p,
    struct qt_error *err) QT_MUST_CHECK;

#endif
