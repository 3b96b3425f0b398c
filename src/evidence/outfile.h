/*
 * outfile.h - where an archive goes: a file that appears whole under its name
 * or not at all, or standard output.
 */
#ifndef QTOOL_EVIDENCE_OUTFILE_H
#define QTOOL_EVIDENCE_OUTFILE_H

#include <signal.h>
#include <stdbool.h>

#include "evidence/hash.h"

#define QT_SIDECARS 5

/* A small file beside the archive: NAME.suffix. */
struct qt_sidecar {
	char *name, *tmp; /* owned; tmp while it has a temporary name */
	bool first;	  /* named before the archive: it is worth nothing alone,
			   * and the archive less without it */
	bool named;	  /* it has its name */
};

struct qt_outfile {
	int dirfd;	/* of the directory; for standard output one where
			 * temporary files may go */
	int fd;		/* of the temporary name, or standard output */
	char *path;	/* as the user wrote it, for messages; owned */
	char *name;	/* last component; owned, NULL for standard output */
	char *tmp;	/* temporary name beside it while one exists; owned */
	uint64_t bytes; /* written so far */
	struct qt_digest sha;		/* of these */
	char sha256[QT_SHA256_HEX];	/* after qt_outfile_sum() */
	struct qt_sidecar beside[QT_SIDECARS];
	unsigned nbeside;
	const volatile sig_atomic_t *stop; /* set: writes fail; may be NULL */
};

/*
 * Whether a file can be made there, as far as that shows before one is: o has
 * its directory open, and nothing is in it.  "-" is standard output (refused
 * when it is a terminal).  QT_E_REFUSED when the file exists.  The half-built
 * object is to be released.
 */
int qt_outfile_place(struct qt_outfile *o, const char *path,
    const volatile sig_atomic_t *stop, struct qt_error *err) QT_MUST_CHECK;
/* The same, and the temporary name. */
int qt_outfile_open(struct qt_outfile *o, const char *path,
    const volatile sig_atomic_t *stop, struct qt_error *err) QT_MUST_CHECK;
int qt_outfile_write(struct qt_outfile *o, const void *bytes, size_t len,
    struct qt_error *err) QT_MUST_CHECK;
/* QT_E_REFUSED when FILE.suffix, which is to be made, exists already. */
int qt_outfile_expect(const struct qt_outfile *o, const char *suffix,
    struct qt_error *err) QT_MUST_CHECK;
/* Everything is written: o->sha256. */
int qt_outfile_sum(struct qt_outfile *o, struct qt_error *err) QT_MUST_CHECK;
/* FILE.suffix, complete and on disk, under a temporary name until publish.
 * Nothing for standard output. */
int qt_outfile_beside(struct qt_outfile *o, const char *suffix, bool first,
    const void *bytes, size_t len, struct qt_error *err) QT_MUST_CHECK;
/*
 * Make it durable, then visible, with what is beside it.  On failure none of
 * the names exists.
 */
int qt_outfile_publish(struct qt_outfile *o, struct qt_error *err)
    QT_MUST_CHECK;
/*
 * Remove what was published, all of it, unless somebody else's file has the
 * name by now.  Nothing for standard output.
 */
int qt_outfile_withdraw(struct qt_outfile *o, struct qt_error *err)
    QT_MUST_CHECK;
/* What was not published is removed. */
void qt_outfile_release(struct qt_outfile *o);

#endif
