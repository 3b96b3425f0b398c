/*
 * bag.h - the texts that make a tarball a BagIt bag (RFC 8493) and tell its
 * reader what it is: README.txt, bagit.txt, bag-info.txt, case.json.
 */
#ifndef QTOOL_EVIDENCE_BAG_H
#define QTOOL_EVIDENCE_BAG_H

#include "evidence/redact.h"
#include "evidence/tarstream.h"
#include "qtool/spool.h"

struct qt_showq;

struct qt_bag {
	const char *base;	/* the bag's directory name */
	const char *host;	/* myhostname; "" unknown */
	const char *queue_dir;	/* "" unknown */
	const char *case_id, *command, *reason; /* NULL none */
	const char *title, *organization, *contact, *keep_until, *selection;
	const char *program; /* sum of the program; NULL unknown */
	const char *signer;  /* public key; NULL: it is not signed */
	const char *sign_program; /* which signs it too; NULL: none does */
	const struct qt_spool *spool; /* NULL: no live system to ask */
	const char *postconf; /* qt_archive_postconf()'s; NULL: not asked yet */
	const struct qt_showq *showq; /* NULL: it is not in it */
	enum qt_packing packing;
	int64_t started;
	bool fixed_clock; /* the time was given: nothing else may vary */
	bool moved; /* the messages leave the queue */
	bool eml, maillog, timestamp, index; /* what is in it, or beside it */
	bool sha512; /* its manifests by SHA-512 */
	enum qt_redact redact;
	const struct qt_redact_key *key; /* NULL: nothing is redacted */
	uint64_t log_files, log_lines, log_skipped;
	uint64_t txid; /* of the transaction that they are out of; 0 none */
	uint64_t messages, logs, files, bytes, missing;
	uint64_t by_queue[QT_Q_MESSAGES];
};

/*
 * "qtool-evidence_HOST_20260131T235959Z_CASE", of [A-Za-z0-9._-] alone and no
 * longer than fits a plain tar header with the paths below it.
 */
int qt_bag_base(struct qt_buf *out, const char *host, const char *case_id,
    int64_t now, struct qt_error *err) QT_MUST_CHECK;
/* In README.txt, where there are lists by SHA-512, at the beginning of a line: no
 * value in it stands there. */
#define QT_README_SHA512 "  manifest-sha512.txt "
void qt_bag_readme(struct qt_buf *out, const struct qt_bag *bag);
void qt_bag_bagit(struct qt_buf *out);
void qt_bag_info(struct qt_buf *out, const struct qt_bag *bag);
int qt_bag_case(struct qt_buf *out, const struct qt_bag *bag,
    struct qt_error *err) QT_MUST_CHECK;
/* Who runs this, in one phrase: "root (sudo: anna)". */
void qt_bag_actor(struct qt_buf *out);
/* "2026-01-31T23:59:59Z". */
void qt_utc(int64_t seconds, char out[32]);

#endif
