/*
 * compress.h - zstd in independent frames, with the seekable format's table at
 * the end: one message of a million is read without the rest, and zstd -dc
 * reads it all.
 */
#ifndef QTOOL_EVIDENCE_COMPRESS_H
#define QTOOL_EVIDENCE_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "evidence/spill.h"

#define QT_FRAME_SIZE ((size_t)4 << 20) /* most bytes in one frame */

struct qt_zstd;
/*
 * threads: frames compressed at the same time (0: by the number of CPUs).
 * The output does not depend on it.  sink gets the compressed bytes in order,
 * in the caller's thread.
 */
int qt_zstd_new(struct qt_zstd **out, unsigned threads, qt_bytes_fn *sink,
    void *sink_ctx, struct qt_error *err) QT_MUST_CHECK;
void qt_zstd_free(struct qt_zstd *z);
/*
 * A member of about size bytes begins: a new frame unless it fits into the
 * one that is open.
 */
int qt_zstd_member(struct qt_zstd *z, uint64_t size, struct qt_error *err)
    QT_MUST_CHECK;
int qt_zstd_write(struct qt_zstd *z, const void *bytes, size_t len,
    struct qt_error *err) QT_MUST_CHECK;
/* The last frame and the table. */
int qt_zstd_finish(struct qt_zstd *z, struct qt_error *err) QT_MUST_CHECK;

#endif
