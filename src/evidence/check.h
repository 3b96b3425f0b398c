/*
 * check.h - what the parts of qt_verify_archive() share.
 *
 *	check.c		the pass over the members, and what follows it
 *	check_lists.c	manifests and tables against what is there; lines of texts
 *	check_parse.c	what the files say
 *	check_names.c	the members of the tables' lines
 *	check_rows.c	what the tables say against that
 *	check_tables.c	what the tables say against the tables made anew
 *	check_text.c	bagit.txt, bag-info.txt, case.json, showq.jsonl
 *	check_custody.c	the chain of events, in it and beside it
 *	check_frame.c	the tar between its files
 *	check_beside.c	sum, signatures, time stamp
 */
#ifndef QTOOL_EVIDENCE_CHECK_H
#define QTOOL_EVIDENCE_CHECK_H

#include <string.h>

#include "evidence/bagrow.h"
#include "evidence/body.h"
#include "evidence/manifest.h"
#include "evidence/seen.h"
#include "format/json.h"
#include "evidence/showq.h"
#include "qtool/verify.h"
#include "source/tarread.h"

/* Members whose bytes are wanted after the pass. */
enum qt_told {
	QT_TOLD_BAGIT, QT_TOLD_CASE, QT_TOLD_MESSAGES, QT_TOLD_RECIPIENTS,
	QT_TOLD_MISSING, QT_TOLD_CUSTODY, QT_TOLD_INFO, QT_TOLD_MANIFEST,
	QT_TOLD_TAGS, QT_TOLD_MANIFEST_512, QT_TOLD_TAGS_512, QT_TOLD_INDEX,
	QT_TOLD_COUNT
};
extern const char *const qt_told_paths[QT_TOLD_COUNT];

#define QT_SIGNATURES_MAX 8
#define QT_UNLISTED 3
#define QT_SIGNATURE_SIZE ((size_t)64 << 10)

/* Where a member is, for check_frame.c. */
struct qt_checked_member {
	uint64_t offset, size;
	int64_t mtime;
	uint32_t name; /* in names */
};

struct qt_check {
	const struct qt_verify_opts *opts;
	struct qt_verify_result *res;
	const char *file;
	int fd, tmpfd;
	uint64_t size;	/* of the file */
	struct qt_digest sum;
	struct qt_digest_kind sha256;
	struct qt_digest member; /* by all nhashes */
	/*
	 * What is there, by the first nhashes; paths below data/ with " SIZE"
	 * behind them.  SHA-512 is among these when README.txt, the first
	 * member, says so: the lists come last, and SHA-512 costs more than all
	 * the rest.
	 */
	struct qt_manifest payload[QT_HASHES], tags[QT_HASHES];
	unsigned nhashes;
	bool chosen;	      /* that is known */
	bool unlisted[QT_UNLISTED]; /* those that no list has: it is there */
	struct qt_buf readme; /* until then */
	/* the members themselves, in their order */
	struct qt_spill members; /* struct qt_checked_member */
	struct qt_spill names;	 /* whole paths, NUL after each */
	struct qt_spill message; /* the one being read */
	struct qt_spill facts;	 /* a line of JSON for each message */
	struct qt_spill rcpts;	 /* recipients.jsonl as it should be */
	struct qt_spill kept[QT_TOLD_COUNT];
	bool have[QT_TOLD_COUNT];
	struct qt_showq_lines showq; /* looked at as they come */
	bool have_showq;
	bool forgot; /* memory ran out for that: */
	struct qt_seen flawed; /* with salvage: paths in problems */
	bool ended; /* it was read to its end, but for what is damaged */
	struct {
		char name[64]; /* below signatures/ */
		struct qt_buf bytes;
	} signature[QT_SIGNATURES_MAX];
	size_t nsignatures;
	bool have_readme;
	int last_rank;	    /* of the members' order */
	int64_t tag_mtime;  /* seconds, of all files beside data/ */
	bool have_tag_mtime;
	uint64_t by_queue[QT_Q_COUNT];
	char *queue_dir; /* as case.json says; owned, NULL unknown */
};

/*
 * qt_verify_archive(), and all of it kept until qt_check_free(); *opts and
 * *result are borrowed so long.
 */
int qt_check_archive(struct qt_check **out, struct qt_verify_result *result,
    const char *file, const struct qt_verify_opts *opts, struct qt_error *err)
    QT_MUST_CHECK;
void qt_check_free(struct qt_check *c);

/* A member's whole path; "" when it is none of the bag's. */
int qt_check_name(const struct qt_check *c, const struct qt_checked_member *m,
    char path[QT_TAR_PATH_MAX], struct qt_error *err) QT_MUST_CHECK;

/* A flaw; expected and found may be NULL. */
void qt_check_tell(struct qt_check *c, enum qt_flaw flaw, const char *path,
    int64_t offset, const char *expected, const char *found, const char *fmt,
    ...) QT_PRINTF(7, 8);

/* Lines of a spill, one after the other. */
struct qt_lines {
	const struct qt_spill *s;
	uint64_t at;	   /* where the next one begins */
	uint64_t number;   /* of the last one, from 1 */
	struct qt_buf buf; /* the last one, without its newline */
	struct qt_json next; /* behind the member that was found last */
	bool walked;	   /* next is of this line */
};
void qt_lines_init(struct qt_lines *l, const struct qt_spill *s);
void qt_lines_release(struct qt_lines *l);
/* 0; 1 there is no more; the last need not end in a newline. */
int qt_lines_next(struct qt_lines *l, struct qt_error *err) QT_MUST_CHECK;

/*
 * The member of a line's object; false: there is none, or it is no object.  In
 * the order of the line each takes one step; of one that is there twice it is
 * either, which check_names.c tells.
 */
bool qt_check_member(struct qt_lines *l, const char *name,
    struct qt_json_value *v);
/*
 * To the line whose member is that, not far ahead; 1: there is none, l is as it
 * was.
 */
int qt_check_seek(struct qt_lines *l, const char *member, const char *value,
    struct qt_error *err) QT_MUST_CHECK;
/* A line of messages.jsonl has all members of an object, as they are there;
 * path: of the message. */
void qt_check_members(struct qt_check *c, const char *path,
    struct qt_lines *line, const char *json, size_t len);

/* Names were taken out, or so its case.json says. */
static inline bool qt_check_redacted(const struct qt_check *c)
{
	return c->res->redaction[0] != '\0' &&
	    strcmp(c->res->redaction, "none") != 0;
}
/* The signal to stop came; and the error for it. */
bool qt_check_stopped(const struct qt_check *c);
int qt_check_interrupted(const struct qt_check *c, struct qt_error *err);

/* The sum of the file, before anything else is read. */
int qt_check_sum_file(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;
/* FILE.sha256 and FILE.sig. */
int qt_check_sidecars(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;
/* The signatures inside, all of the tag manifest. */
int qt_check_signatures(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;
/* FILE.tsr, and FILE.tsq that it answers. */
int qt_check_timestamp(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;
/* FILE.SUFFIX into b, which may have max bytes: 1 there is none. */
int qt_check_sidecar(const struct qt_check *c, const char *suffix, size_t max,
    struct qt_buf *b, struct qt_error *err) QT_MUST_CHECK;

/* What is behind the sorted lists: manifests, tables. */
int qt_check_lists(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;
/* A message whose bytes are in c->message: what its row should say. */
int qt_check_message(struct qt_check *c, const char *path, enum qt_queue queue,
    const char *id, int64_t mtime, struct qt_error *err) QT_MUST_CHECK;
int qt_check_rows(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;
int qt_check_names(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;
int qt_check_tables(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;
/* Bytes of showq.jsonl as they come; len 0: that was all. */
int qt_check_showq(struct qt_check *c, const void *bytes, size_t len,
    struct qt_error *err) QT_MUST_CHECK;
int qt_check_texts(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;
int qt_check_custody(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;
int qt_check_frame(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;

#endif
