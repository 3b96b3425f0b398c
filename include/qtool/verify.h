/*
 * verify.h - whether an archive is what was made: every byte, sum, count, table
 * and signature of it.
 */
#ifndef QTOOL_VERIFY_H
#define QTOOL_VERIFY_H

#include <signal.h>

#include "qtool/buf.h"
#include "qtool/timestamp.h"

/* What can be wrong. */
enum qt_flaw {
	QT_FLAW_DAMAGED,   /* it cannot be read on from there */
	QT_FLAW_NAME,	   /* a member is called what no member is */
	QT_FLAW_TYPE,	   /* a member is no regular file */
	QT_FLAW_ORDER,	   /* it is not where it belongs */
	QT_FLAW_MISSING,   /* what is listed is not there */
	QT_FLAW_ADDED,	   /* what is there is not listed */
	QT_FLAW_ALTERED,   /* its bytes are not those listed */
	QT_FLAW_STRUCTURE, /* no bag: bagit.txt, bag-info.txt, a manifest's form */
	QT_FLAW_COUNT,	   /* a count is not that of what is there */
	QT_FLAW_TABLE,	   /* a line of a table is none, or out of place */
	QT_FLAW_ROW,	   /* a row does not say what its file says */
	QT_FLAW_CUSTODY,   /* the chain of events is broken */
	QT_FLAW_SUM,	   /* FILE.sha256 is of other bytes */
	QT_FLAW_SIGNATURE,
	QT_FLAW_TIMESTAMP, /* FILE.tsr is none of it */
	QT_FLAW_FRAME,	   /* bytes of the tar that belong to no file */
	QT_FLAWS
};
/* One word, for scripts. */
const char *qt_flaw_name(enum qt_flaw f);

struct qt_problem {
	enum qt_flaw flaw;
	const char *path; /* in the bag; "": of the archive itself */
	int64_t offset;	  /* of the expanded archive, or in a text of the line
			   * (from 1), as text says; -1 none */
	const char *text; /* a sentence without a full stop */
	const char *expected, *found; /* NULL: nothing to compare */
};

/*
 * A signature and what it is about; borrowed for the call.  signature NULL: it
 * is one by a program that is not known here (archive --sign-with).
 */
struct qt_signed {
	const char *name; /* of the signature: "FILE.sig" or a member */
	const void *signature, *data;
	size_t signature_len, data_len;
};

struct qt_custody_event;

struct qt_verify_opts {
	/* each problem, until max_reports of them were told (0: 1,000) */
	void (*report)(void *ctx, const struct qt_problem *p);
	void *report_ctx;
	uint64_t max_reports;
	/*
	 * Whether a signature is good: 0; 1 it is not, why says so; 2 it could
	 * not be checked; negative ends everything.  NULL: none is checked.
	 */
	int (*signature)(void *ctx, const struct qt_signed *s, char why[256],
	    struct qt_error *err);
	void *signature_ctx;
	/* Certificates, PEM, of time-stamping authorities; NULL: whose FILE.tsr
	 * is is not looked at. */
	const void *authorities;
	size_t authorities_len;
	/* An answer that is looked at in place of FILE.tsr; NULL: that. */
	const struct qt_buf *answer;
	/* FILE.custody.jsonl, opened (qt_custody_open()); -1: it is not there.
	 * NULL: it is opened when its turn comes. */
	const int *events_fd;
	/* Each event of custody, in its order (custody.h); NULL: not asked for. */
	void (*event)(void *ctx, const struct qt_custody_event *e);
	void *event_ctx;
	const char *tmp_dir; /* for what does not fit in memory; NULL: /tmp */
	size_t memory;	     /* bytes of a list in memory; 0: 16 MiB */
	const volatile sig_atomic_t *stop; /* may be NULL */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
	/*
	 * For qt_restorer_take(): it takes nothing that a problem is told about,
	 * and of the rest what it has read and held against its sum.
	 */
	bool salvage;
};

struct qt_verify_result {
	uint64_t problems; /* all of them */
	uint64_t members, messages, logs, files, bytes; /* files, bytes: data/ */
	uint64_t events; /* of custody, those beside it among them */
	uint64_t events_bytes; /* of FILE.custody.jsonl; 0: there is none */
	bool have_custody;     /* the end of the chain is known: */
	char chain[65];	 /* the sum of its last line; "" there is no event */
	unsigned signatures;	/* there are; good_signatures of them good */
	unsigned good_signatures, unchecked_signatures;
	unsigned foreign_signatures; /* besides: by programs that are not known */
	bool have_sum;	 /* there is a FILE.sha256 */
	bool have_tags;	 /* there is a tagmanifest-sha256.txt: */
	unsigned char tags_sum[32]; /* its SHA-256 */
	bool have_stamp; /* there is a FILE.tsr; */
	bool stamped;	 /* it is of that: */
	struct qt_timestamp stamp;
	bool whole;	 /* it could be read to its end, all of it; else
			  * messages and logs are those that could be read */
	char sha256[65]; /* of the file */
	char base[256];	 /* the bag's name; "" when there is none */
	char redaction[32]; /* as case.json says; "" unknown */
};

/* By what a signature is checked; the strings are borrowed. */
struct qt_signature_opts {
	const void *allowed; /* lines of ALLOWED SIGNERS (ssh-keygen(1)); NULL:
			      * any key will do, and is told */
	size_t allowed_len;
	const char *identity; /* who has to have signed; NULL: any of them */
	const char *tmp_dir; /* a private directory for a moment's files */
};
/*
 * One signature, by ssh-keygen -Y: 0 good; 1 it is not; negative it could not be
 * run.  told: who signed, or why not, in its words.
 */
int qt_signature_check(const struct qt_signed *s,
    const struct qt_signature_opts *opts, char told[256], struct qt_error *err)
    QT_MUST_CHECK;

/*
 * Read FILE, its sidecars FILE.sha256 and FILE.sig where they are, and report
 * everything that is wrong.  0: it was read, result->problems says whether it is
 * good.  Negative: it could not be read, or checking it failed.
 */
int qt_verify_archive(struct qt_verify_result *result, const char *file,
    const struct qt_verify_opts *opts, struct qt_error *err) QT_MUST_CHECK;

#endif
