/*
 * archive.h - messages packed as an evidence bag (BagIt, RFC 8493) in a pax
 * tarball that tar, sha256sum and jq read without qtool.
 */
#ifndef QTOOL_ARCHIVE_H
#define QTOOL_ARCHIVE_H

#include "qtool/scan.h"

struct qt_archive;
struct qt_archive_opts {
	const char *host;	/* for the base name and bag-info */
	const char *queue_dir;
	const char *case_id;	/* NULL none */
	const char *command;	/* the selection as typed, one line */
	const char *reason;	/* why, in the operator's words; NULL none */
	/* Whose configuration is recorded when it is live; NULL none.  Must
	 * outlive the archive. */
	const struct qt_spool *spool;
	/* What qt_archive_postconf() gave for it, by who cannot run programs
	 * any more; NULL: they are run.  Must outlive the archive. */
	const char *postconf;
	int64_t now;		/* seconds; 0: the clock.  Given, two archives
				 * of the same mail are the same bytes */
	unsigned threads;	/* compression workers; 0: by CPU count */
	size_t memory;		/* bytes of one thing held in memory before a
				 * temporary file is used; 0: the default */
	const volatile sig_atomic_t *stop; /* set by a signal; may be NULL */
};
struct qt_archive_counts {
	uint64_t messages, logs, bytes; /* bytes: uncompressed payload */
	uint64_t gone; /* delivered or removed before they could be read */
	uint64_t failed; /* other item errors: changed, denied */
	uint64_t bad_logs; /* logs of archived messages that could not be read */
	uint64_t archive_bytes; /* compressed */
	char sha256[65];	/* of the archive's bytes, hex */
	char base[256];		/* name of the one directory in it */
};

/*
 * Append Postfix's configuration, as postconf tells it; what fails is said in
 * it.
 */
void qt_archive_postconf(struct qt_buf *out, const struct qt_spool *spool);

/*
 * Begin FILE (.tar.zst, .tar.gz, .tar.xz, .tar by its name; other names are
 * QT_E_USAGE); "-" is standard output, zstd, refused on a terminal.  Bytes go
 * to a temporary name beside it; nothing is at FILE until finish.  An existing
 * FILE or FILE.sha256 is refused (QT_E_REFUSED).
 */
int qt_archive_open(struct qt_archive **out, const char *file,
    const struct qt_archive_opts *opts, struct qt_error *err) QT_MUST_CHECK;
/* One message to be added. */
struct qt_archive_item {
	const struct qt_spool *spool; /* a queue, or a transaction's */
	enum qt_queue queue;
	const char *id;	   /* raw bytes, as found below */
	const char *path;  /* below the queue directory */
	const char *found; /* what is told as its path; NULL: path */
	dev_t dev;
	ino_t ino;
	/* What a scan has read of it (QT_WANT_KEPT), so that it need not be
	 * read again; NULL: nothing. */
	const struct qt_row *row;
};
/*
 * Add a message and its logs; json is its line for messages.jsonl (an object
 * without path, found, size, sha256, stat, logs, problems and name_b64: they
 * are added).  The message is looked for at path, then, in a queue, where
 * Postfix may have moved it.  QT_E_GONE, QT_E_CHANGED and QT_E_DENIED are item errors: nothing
 * of it is in the archive but a line in metadata/missing.jsonl.  After a run
 * error the archive can only be closed.
 *
 * All messages are of one spool.  The bytes depend on the order of the calls:
 * for the same archive from the same mail, add sorted by queue and ID.
 */
int qt_archive_add(struct qt_archive *a, const struct qt_archive_item *it,
    const char *json, struct qt_error *err) QT_MUST_CHECK;
/*
 * A message was selected and is left in the queue: a line in
 * metadata/missing.jsonl.  why is one word, "in_delivery".
 */
int qt_archive_left(struct qt_archive *a, const char *queue, const char *id,
    const char *why, struct qt_error *err) QT_MUST_CHECK;
/* The messages are not copied but moved: out of that transaction. */
void qt_archive_moved(struct qt_archive *a, uint64_t txid);
/* What is in it so far (sha256 and archive_bytes after finish). */
const struct qt_archive_counts *qt_archive_counts(const struct qt_archive *a);
/*
 * Manifests, end of archive, fsync, rename, fsync of the directory, and
 * FILE.sha256.  QT_E_GONE when it holds no message: no file is made.
 */
int qt_archive_finish(struct qt_archive *a, struct qt_archive_counts *counts,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * After finish: read the file back from the disk and hold every sum in it
 * against what is there, and all of it against what was written.  QT_E_STATE
 * says what is wrong.  Not for standard output.
 */
int qt_archive_verify(struct qt_archive *a, struct qt_error *err)
    QT_MUST_CHECK;
/* After finish: remove the file and its sum again. */
int qt_archive_withdraw(struct qt_archive *a, struct qt_error *err)
    QT_MUST_CHECK;
/* Free; what was not finished leaves no file. */
void qt_archive_close(struct qt_archive *a);

#endif
