/*
 * verify.h - an archive read back: whether its bytes, its sums and its lists
 * agree.
 */
#ifndef QTOOL_EVIDENCE_VERIFY_H
#define QTOOL_EVIDENCE_VERIFY_H

#include <signal.h>
#include <stdint.h>

#include "evidence/hash.h"

/* What was found in an archive that is as it should be. */
struct qt_verified {
	uint64_t messages; /* lines of messages.jsonl */
	uint64_t files;	   /* below data/ */
	uint64_t bytes;	   /* of these */
	char sha256[QT_SHA256_HEX]; /* of the file itself */
};

/*
 * Read a file from the disk to its end: one bag of regular files with plain
 * names, each once, whose manifests list exactly what is there: two, and with
 * sha512 the two of that as well.
 * QT_E_STATE says what is wrong; any other error that it could not be read.
 */
int qt_verify_file(struct qt_verified *v, int dirfd, const char *name,
    bool sha512, const volatile sig_atomic_t *stop, struct qt_error *err)
    QT_MUST_CHECK;

#endif
