/*
 * timestamp.h - the answer of a time-stamping authority (RFC 3161) to what
 * archive --timestamp-request wrote: that tagmanifest-sha256.txt, and with it the
 * whole archive, was there at that time.
 */
#ifndef QTOOL_TIMESTAMP_H
#define QTOOL_TIMESTAMP_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "qtool/error.h"

#define QT_TIMESTAMP_MAX ((size_t)256 << 10) /* bytes of an answer */
#define QT_TSA_MAX ((size_t)1 << 20)	     /* of certificates */

/* What is held against each other; all borrowed. */
struct qt_timestamp_opts {
	const void *answer; /* FILE.tsr, DER */
	size_t answer_len;
	const void *request; /* FILE.tsq, DER; NULL: it is not there */
	size_t request_len;
	const unsigned char *sum; /* 32 bytes: the SHA-256 that was stamped */
	const void *authorities;  /* certificates, PEM, whose stamps are
				   * believed; NULL: the signature is not
				   * looked at */
	size_t authorities_len;
};
struct qt_timestamp {
	char time[32];	 /* "2026-01-31T23:59:59Z", as the authority says */
	char serial[96]; /* hex */
	char authority[200]; /* by its own word, printable; "" it says nothing */
	bool believed; /* its signature is good, of one of the authorities */
};

/*
 * 0: it is a stamp of that, *t has it; 1: it is not, why says so.  The signature
 * counts as of the time that it says: certificates expire.  Revocations are not
 * asked for.
 */
int qt_timestamp_check(struct qt_timestamp *t,
    const struct qt_timestamp_opts *opts, char why[256], struct qt_error *err)
    QT_MUST_CHECK;

/* Which file it is: the one that was made, and no other. */
struct qt_timestamp_kept {
	dev_t dev;
	ino_t ino;
};
/* Write an answer as FILE.tsr, which must not be there yet (QT_E_REFUSED). */
int qt_timestamp_keep(const char *file, const void *answer, size_t len,
    struct qt_timestamp_kept *kept, struct qt_error *err) QT_MUST_CHECK;
/* Remove it again, unless it is another file by now. */
int qt_timestamp_drop(const char *file, const struct qt_timestamp_kept *kept,
    struct qt_error *err) QT_MUST_CHECK;

#endif
