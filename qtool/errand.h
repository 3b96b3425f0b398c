/*
 * errand.h - a process that does one kind of thing for a judge, who may not do
 * it any more: run ssh-keygen, write a line beside an archive.
 *
 * It is forked before the roles are taken and before any mail is read, and
 * keeps the rights that qtool was started with.  It gets bytes over a socket
 * and gives bytes back; it never reads mail.  A judge that was taken over can
 * have done by it what it does, and nothing else.
 */
#ifndef QTOOL_ERRAND_H
#define QTOOL_ERRAND_H

#include <sys/types.h>

#include "qtool/buf.h"

#define ERRAND_MAX ((size_t)1 << 20) /* bytes of a request, and of an answer */

/*
 * One request, in the process: answer, which is empty, gets the answer.  The
 * bytes are its to alter, and a NUL follows them.
 */
typedef int errand_fn(void *ctx, char *bytes, size_t len, struct qt_buf *answer,
    struct qt_error *err);
/* The judge has ended, however that was, or let it go. */
typedef void errand_end_fn(void *ctx);

struct errand {
	pid_t pid; /* 0: it does not run */
	int fd;	   /* to it; -1 */
};
#define ERRAND_NONE ((struct errand){.pid = 0, .fd = -1})

/*
 * Start it.  name: of the process, 15 bytes; ctx is the one that is there at
 * this moment; end, or NULL, is the last that it does.
 */
int errand_start(struct errand *e, const char *name, errand_fn *fn,
    errand_end_fn *end, void *ctx, struct qt_error *err) QT_MUST_CHECK;
/* Have it done; answer gets the answer, an error is the process's own. */
int errand_run(struct errand *e, const void *bytes, size_t len,
    struct qt_buf *answer, struct qt_error *err) QT_MUST_CHECK;
/* In another child: it has no business with it. */
void errand_forget(struct errand *e);
/* Let it go and wait for it. */
void errand_release(struct errand *e);

#endif
