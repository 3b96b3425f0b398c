/*
 * spill.h - bytes that are collected now and written later: in memory up to a
 * limit, beyond it in a file without a name.  So a list about a million
 * messages costs disk, not memory, and a crash leaves nothing behind.
 */
#ifndef QTOOL_EVIDENCE_SPILL_H
#define QTOOL_EVIDENCE_SPILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qtool/error.h"

struct qt_spill {
	int dirfd;	 /* where the file goes; borrowed */
	int fd;		 /* the unnamed file, -1 while all is in memory */
	size_t limit;	 /* bytes kept in memory before they go to the file;
			  * 0: all go there at once */
	unsigned char *mem; /* the bytes after those in the file; owned */
	size_t len, cap;
	bool borrowed;	    /* mem is somebody else's: not to be written */
	uint64_t in_file; /* bytes in the file; they come first */
};

void qt_spill_init(struct qt_spill *s, int dirfd, size_t limit);
void qt_spill_release(struct qt_spill *s);
/* Drop the content; memory beyond what is usual is given back. */
void qt_spill_clear(struct qt_spill *s);
/*
 * Have these bytes, which stay the caller's and as they are until the next
 * clear; nothing can be added.
 */
void qt_spill_borrow(struct qt_spill *s, const void *bytes, size_t len);
int qt_spill_add(struct qt_spill *s, const void *bytes, size_t len,
    struct qt_error *err) QT_MUST_CHECK;
/* All of it into the file, for who needs one: the spill's own. */
int qt_spill_to_file(struct qt_spill *s, int *fd, struct qt_error *err)
    QT_MUST_CHECK;
uint64_t qt_spill_size(const struct qt_spill *s);
/* All of it when it is in memory (NULL when empty or in the file). */
const unsigned char *qt_spill_bytes(const struct qt_spill *s);
/* Exactly len bytes from offset; fewer is a failure. */
int qt_spill_read(const struct qt_spill *s, uint64_t offset, void *bytes,
    size_t len, struct qt_error *err) QT_MUST_CHECK;

/* A taker of bytes: 0, or negative with err filled. */
typedef int qt_bytes_fn(void *ctx, const void *bytes, size_t len,
    struct qt_error *err);
/* Everything from the start, in pieces. */
int qt_spill_each(const struct qt_spill *s, qt_bytes_fn *fn, void *ctx,
    struct qt_error *err) QT_MUST_CHECK;

/* A file in dirfd that has no name (any more), mode 0600. */
int qt_unnamed_file(int dirfd, int *fd, struct qt_error *err) QT_MUST_CHECK;
/* As qt_fail_sys, but always a run error: our own files are no mail. */
int qt_fail_own(struct qt_error *err, const char *call, const char *where);

#endif
