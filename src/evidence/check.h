/*
 * check.h - what the parts of qt_verify_archive() share.
 *
 *	check.c		the pass over the members, and what follows it
 *	check_lists.c	manifests and tables against what is there
 *	check_parse.c	what the files say
 *	check_rows.c	what the tables say against that
 *	check_text.c	bagit.txt, bag-info.txt, case.json, custody.jsonl
 *	check_frame.c	the tar between its files
 */
#ifndef QTOOL_EVIDENCE_CHECK_H
#define QTOOL_EVIDENCE_CHECK_H

#include "evidence/bagrow.h"
#include "evidence/manifest.h"
#include "qtool/verify.h"
#include "source/tarread.h"

/* Members whose bytes are wanted after the pass. */
enum qt_tag {
	QT_TAG_BAGIT, QT_TAG_CASE, QT_TAG_MESSAGES, QT_TAG_RECIPIENTS,
	QT_TAG_MISSING, QT_TAG_CUSTODY, QT_TAG_INFO, QT_TAG_MANIFEST,
	QT_TAG_TAGMANIFEST, QT_TAG_COUNT
};
extern const char *const qt_tag_paths[QT_TAG_COUNT];

#define QT_SIGNATURES_MAX 8
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
	/* what is there; paths below data/ with " SIZE" behind them */
	struct qt_manifest payload, tags;
	/* the members themselves, in their order */
	struct qt_spill members; /* struct qt_checked_member */
	struct qt_spill names;	 /* whole paths, NUL after each */
	struct qt_spill message; /* the one being read */
	struct qt_spill facts;	 /* a line of JSON for each message */
	struct qt_spill rcpts;	 /* recipients.jsonl as it should be */
	struct qt_spill kept[QT_TAG_COUNT];
	bool have[QT_TAG_COUNT];
	struct {
		char name[64]; /* below signatures/ */
		struct qt_buf bytes;
	} signature[QT_SIGNATURES_MAX];
	size_t nsignatures;
	int last_rank;	    /* of the members' order */
	int64_t tag_mtime;  /* seconds, of all files beside data/ */
	bool have_tag_mtime;
	uint64_t by_queue[QT_Q_COUNT];
};

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
};
void qt_lines_init(struct qt_lines *l, const struct qt_spill *s);
void qt_lines_release(struct qt_lines *l);
/* 0; 1 there is no more; the last need not end in a newline. */
int qt_lines_next(struct qt_lines *l, struct qt_error *err) QT_MUST_CHECK;

/* What is behind the sorted lists: manifests, tables. */
int qt_check_lists(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;
/* A message whose bytes are in c->message: what its row should say. */
int qt_check_message(struct qt_check *c, const char *path, enum qt_queue queue,
    const char *id, int64_t mtime, struct qt_error *err) QT_MUST_CHECK;
int qt_check_rows(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;
int qt_check_texts(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;
int qt_check_frame(struct qt_check *c, struct qt_error *err) QT_MUST_CHECK;

#endif
