/*
 * tarread.h - a tar archive from a stranger: its members one after the other,
 * and its bytes at any place.
 *
 * Plain, gzip, xz and zstd, in one layer.  Nothing is unpacked and no name in
 * it is ever given to the system.  Two readers, which may share a descriptor
 * (both use pread):
 *
 *	qt_tarread	in order, by libarchive: every member's header, and its
 *			bytes in pieces.  Memory: the decompressor's window (at
 *			most 1 GiB for xz, 128 MiB for zstd) and 1 MiB for the
 *			longest header.
 *	qt_tarview	bytes of the expanded archive by offset.  At once where
 *			it is plain, or zstd in the seekable format (one frame
 *			of at most 64 MiB in memory); in other cases forward
 *			alone, a step back begins anew.
 *
 * What is wrong with the archive is a run error, QT_E_STATE: err.where is the
 * file's name, err.offset the place in the expanded archive, err.text names the
 * member.
 */
#ifndef QTOOL_SOURCE_TARREAD_H
#define QTOOL_SOURCE_TARREAD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "qtool/error.h"

#define QT_TAR_PATH_MAX 1024u /* bytes of a member's path */

enum qt_tar_kind {
	QT_TAR_FILE,  /* a regular file, its bytes in one piece */
	QT_TAR_DIR,
	QT_TAR_OTHER  /* link, device, sparse file ...: has no bytes here */
};

/* Ceilings; what goes beyond one ends the reading.  0: the default. */
struct qt_tar_limits {
	uint64_t members;     /* 20,000,000 */
	uint64_t member_size; /* 256 GiB: bytes of one */
	uint64_t expanded;    /* 8 TiB: bytes of all, with headers */
	uint64_t ratio;	      /* 4,000: bytes expanded for one of the file, */
	uint64_t ratio_free;  /* once 1 GiB was expanded */
};

struct qt_tar_member {
	/*
	 * "./" at its beginning and "/" at its end taken off, and safe: not
	 * absolute, no component "", "." or "..", no control character, not too
	 * long.  NULL: it is not (why); such a member is not to be used.
	 */
	const char *path;
	const char *why; /* a constant sentence; NULL: the path is sound */
	enum qt_tar_kind kind;
	uint64_t size;	 /* 0 unless it is a file */
	uint64_t offset; /* of its first byte in the expanded archive */
	int64_t mtime_ns;
	mode_t mode;	 /* type (a hard link's: S_IFREG) and permissions */
	uint64_t uid, gid;
};

#define QT_TAR_BLOCK 512u
/* A number of a tar header: octal digits, then a blank or NUL. */
bool qt_tar_number(const unsigned char *p, size_t len, uint64_t *n);
/* Whether it is a header at all: its sum is right (POSIX pax, ustar). */
bool qt_tar_is_header(const unsigned char b[QT_TAR_BLOCK]);

struct qt_tarread;
struct qt_tarview;
/*
 * fd and name (for messages) are borrowed, limits may be NULL; stop, may be
 * NULL, set by a signal, ends it with QT_E_INTERRUPTED.
 */
int qt_tarread_open(struct qt_tarread **out, int fd, const char *name,
    const struct qt_tar_limits *limits, const volatile sig_atomic_t *stop,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * The members of what a view shows: where that is random, what is skipped is
 * not read, and the offsets are the view's whatever a table of frames claims.
 * The view is borrowed.
 */
int qt_tarread_open_view(struct qt_tarread **out, struct qt_tarview *view,
    const struct qt_tar_limits *limits, struct qt_error *err) QT_MUST_CHECK;
/* From a header at start on; of a random view. */
int qt_tarread_open_at(struct qt_tarread **out, struct qt_tarview *view,
    uint64_t start, const struct qt_tar_limits *limits, struct qt_error *err)
    QT_MUST_CHECK;
void qt_tarread_close(struct qt_tarread *r);
/*
 * The next member, whatever is unread of the one before; valid until the next
 * call.  1: the end of the archive was reached, and it has an end mark: one
 * that was cut off between two members is an error.
 */
int qt_tarread_next(struct qt_tarread *r, const struct qt_tar_member **m,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * The current member's next bytes, at most len: *got, 0 at its end.  A member
 * that is shorter than its header says is an error.
 */
int qt_tarread_data(struct qt_tarread *r, void *buf, size_t len, size_t *got,
    struct qt_error *err) QT_MUST_CHECK;
/* Whether there are no more members, as it failed or ended. */
bool qt_tarread_done(const struct qt_tarread *r);
/* Whether it failed by going beyond a limit: that is no damage to be read on
 * behind. */
bool qt_tarread_refused(const struct qt_tarread *r);
/* Bytes of the file that were read so far, for a bar of progress. */
uint64_t qt_tarread_progress(const struct qt_tarread *r);

/*
 * The path as struct qt_tar_member has it, in place, and its new beginning;
 * NULL with *why, when it is not to be used.
 */
char *qt_tar_path(char *path, const char **why);

/*
 * fd, name and stop are borrowed.  A table of frames is believed when its sizes
 * add up to the file's; one that lies about a frame shows when that is read.
 */
int qt_tarview_open(struct qt_tarview **out, int fd, const char *name,
    const volatile sig_atomic_t *stop, struct qt_error *err) QT_MUST_CHECK;
void qt_tarview_close(struct qt_tarview *v);
/*
 * From now on a damaged frame is, of what it should expand to, what is before
 * the damage.  Its checksum then vouches for none of it: for a caller who has
 * sums of his own, or asks qt_tarview_sound().
 */
int qt_tarview_salvage(struct qt_tarview *v, struct qt_error *err)
    QT_MUST_CHECK;
/*
 * How many of these bytes, which were read through this view, are before the
 * first that came out of a damaged frame.
 */
uint64_t qt_tarview_sound(const struct qt_tarview *v, uint64_t offset,
    uint64_t len);
/*
 * To salvage: damage that no read failed for, as all bytes of the frame are there,
 * true or not, or as nobody asked for them.  *next is 0 at first; 1: no more.
 * Frames that were not read are.
 */
int qt_tarview_unnoticed(struct qt_tarview *v, size_t *next,
    struct qt_error *damage, struct qt_error *err) QT_MUST_CHECK;
/* Whether any place costs the same: plain, or seekable zstd. */
bool qt_tarview_random(const struct qt_tarview *v);
/* Bytes of the expanded archive, 0 when that is not known (not random). */
uint64_t qt_tarview_size(const struct qt_tarview *v);
/* Where the frame before that place begins; 0: at the beginning, or it has no
 * frames. */
uint64_t qt_tarview_frame_before(const struct qt_tarview *v, uint64_t place);
/*
 * The first len bytes of the frame that begins at place, without the rest of it:
 * at most a block of zstd's, 128 KiB.  1: it has not so many, or is damaged.
 */
int qt_tarview_peek(struct qt_tarview *v, uint64_t place, void *buf,
    size_t len, struct qt_error *err) QT_MUST_CHECK;
/*
 * Behind damage at a place of a random view: where the next member's header is
 * that can be read, of what is in frames at the beginning of one, or in what
 * was salvaged of the damaged one.  1: there is none.  In a file that somebody
 * made it may be one within a member.
 */
int qt_tarview_next_header(struct qt_tarview *v, uint64_t behind, uint64_t *at,
    struct qt_error *err) QT_MUST_CHECK;
/* Exactly len bytes from offset; fewer are an error. */
int qt_tarview_read(struct qt_tarview *v, uint64_t offset, void *buf,
    size_t len, struct qt_error *err) QT_MUST_CHECK;
/* Likewise, but what is before damage is no error: *got, 1 at least. */
int qt_tarview_some(struct qt_tarview *v, uint64_t offset, void *buf,
    size_t len, size_t *got, struct qt_error *err) QT_MUST_CHECK;

/* Bytes of the file that what is before offset takes; random views only. */
uint64_t qt_tarview_packed(const struct qt_tarview *v, uint64_t offset);

/* ---- what both share (tarread.c) ---- */

enum qt_tar_packing { QT_TAR_PLAIN, QT_TAR_GZIP, QT_TAR_XZ, QT_TAR_ZSTD };
/* By the file's first bytes; a file that cannot be read is an error. */
int qt_tar_packing(int fd, const char *name, enum qt_tar_packing *packing,
    struct qt_error *err) QT_MUST_CHECK;

#endif
