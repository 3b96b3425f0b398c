/*
 * signer.h - processes that sign, as the judge runs no programs (errand.h): one
 * by ssh-keygen, one by a program that the user names.
 *
 * A judge that was taken over can have anything signed while it runs, by
 * ssh-keygen in the namespace qtool-evidence.
 */
#ifndef QTOOL_SIGNER_H
#define QTOOL_SIGNER_H

#include "qtool/archive.h"

#include "errand.h"

struct signer {
	const char *key;   /* of ssh-keygen's, or the program; borrowed */
	struct qt_buf pub; /* its public key, one line; empty: the program's */
	struct errand errand;
};

void signer_init(struct signer *s);
/* Find the public key and start the process. */
int signer_start(struct signer *s, const char *key, struct qt_error *err)
    QT_MUST_CHECK;
/* The same with a program (qt_program_sign()). */
int signer_start_program(struct signer *s, const char *program,
    struct qt_error *err) QT_MUST_CHECK;
/* A qt_sign_fn; ctx is the signer. */
int signer_sign(void *ctx, const void *bytes, size_t len, struct qt_buf *sig,
    struct qt_error *err) QT_MUST_CHECK;
/* In another child: it has no business with it. */
void signer_forget(struct signer *s);
/* Let it go and wait for it. */
void signer_release(struct signer *s);

#endif
