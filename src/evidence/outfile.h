/*
 * outfile.h - where an archive goes: a file that appears whole under its name
 * or not at all, or standard output.
 */
#ifndef QTOOL_EVIDENCE_OUTFILE_H
#define QTOOL_EVIDENCE_OUTFILE_H

#include <signal.h>
#include <stdbool.h>

#include "evidence/hash.h"

struct qt_outfile {
	int dirfd;	/* of the directory; for standard output one where
			 * temporary files may go */
	int fd;		/* of the temporary name, or standard output */
	char *path;	/* as the user wrote it, for messages; owned */
	char *name;	/* last component; owned, NULL for standard output */
	char *tmp;	/* temporary name beside it while one exists; owned */
	uint64_t bytes; /* written so far */
	struct qt_digest sha;		/* of these */
	char sha256[QT_SHA256_HEX];	/* after publish */
	const volatile sig_atomic_t *stop; /* set: writes fail; may be NULL */
};

/*
 * "-" is standard output (refused when it is a terminal).  QT_E_REFUSED when
 * the file or its .sha256 exists.  The half-built object is to be released.
 */
int qt_outfile_open(struct qt_outfile *o, const char *path,
    const volatile sig_atomic_t *stop, struct qt_error *err) QT_MUST_CHECK;
int qt_outfile_write(struct qt_outfile *o, const void *bytes, size_t len,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * Everything is written: make it durable, then visible, with its .sha256
 * beside it.  On failure neither name exists.
 */
int qt_outfile_publish(struct qt_outfile *o, struct qt_error *err)
    QT_MUST_CHECK;
/*
 * Remove what was published, file and sum, unless somebody else's file has the
 * name by now.  Nothing for standard output.
 */
int qt_outfile_withdraw(struct qt_outfile *o, struct qt_error *err)
    QT_MUST_CHECK;
/* What was not published is removed. */
void qt_outfile_release(struct qt_outfile *o);

#endif
