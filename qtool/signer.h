/*
 * signer.h - a process that signs, as the judge runs no programs.
 *
 * It is forked before any mail is read, gets bytes over a socket, runs
 * ssh-keygen over them, and gives the signature back.  It never reads mail.  A
 * judge that was taken over can have anything signed while it runs, in the
 * namespace qtool-evidence.
 */
#ifndef QTOOL_SIGNER_H
#define QTOOL_SIGNER_H

#include <sys/types.h>

#include "qtool/archive.h"

struct signer {
	const char *key;   /* borrowed; NULL: nothing is signed */
	struct qt_buf pub; /* its public key, one line */
	pid_t pid;	   /* 0: it does not run */
	int fd;		   /* to it; -1 */
};

void signer_init(struct signer *s);
/* Find the public key and start the process. */
int signer_start(struct signer *s, const char *key, struct qt_error *err)
    QT_MUST_CHECK;
/* A qt_sign_fn; ctx is the signer. */
int signer_sign(void *ctx, const void *bytes, size_t len, struct qt_buf *sig,
    struct qt_error *err) QT_MUST_CHECK;
/* In another child: it has no business with it. */
void signer_forget(struct signer *s);
/* Let it go and wait for it. */
void signer_release(struct signer *s);

#endif
