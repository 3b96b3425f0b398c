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
	int64_t now;		/* seconds; 0: the clock */
	unsigned threads;	/* compression workers; 0: by CPU count */
};
struct qt_archive_counts {
	uint64_t messages, logs, bytes; /* bytes: uncompressed payload */
	uint64_t gone; /* delivered or removed before they could be read */
};

/*
 * Begin FILE (.tar.zst, .tar.gz, .tar.xz, .tar by its name; other names are
 * QT_E_USAGE); "-" is standard output, zstd.  Bytes go to a temporary name
 * beside it; nothing is at FILE until finish.  An existing FILE is refused.
 */
int qt_archive_open(struct qt_archive **out, const char *file,
    const struct qt_archive_opts *opts, struct qt_error *err) QT_MUST_CHECK;
/*
 * Add a message and its logs; json is its line for messages.jsonl (an object
 * without sha256, size_bytes and path: they are added).  QT_E_GONE and
 * QT_E_CHANGED are item errors: nothing of it is in the archive.
 */
int qt_archive_add(struct qt_archive *a, const struct qt_spool *spool,
    enum qt_queue queue, const char *id, const char *path, dev_t dev,
    ino_t ino, const char *json, struct qt_error *err) QT_MUST_CHECK;
/* Manifests, end of archive, fsync, rename, fsync of the directory. */
int qt_archive_finish(struct qt_archive *a, struct qt_archive_counts *counts,
    struct qt_error *err) QT_MUST_CHECK;
/* Free; what was not finished leaves no file. */
void qt_archive_close(struct qt_archive *a);

#endif
