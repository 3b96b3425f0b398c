/*
 * tarstream.h - a pax tar of regular files into an outfile, compressed.
 */
#ifndef QTOOL_EVIDENCE_TARSTREAM_H
#define QTOOL_EVIDENCE_TARSTREAM_H

#include <stdint.h>

#include "evidence/outfile.h"

enum qt_packing { QT_PACK_ZSTD, QT_PACK_GZIP, QT_PACK_XZ, QT_PACK_NONE };

/* By the file's name (.tar.zst .tar.gz .tar.xz .tar; "-" is zstd). */
int qt_packing_by_name(const char *file, enum qt_packing *packing,
    struct qt_error *err) QT_MUST_CHECK;

struct qt_tar;
/* The outfile is borrowed.  threads: 0 by the number of CPUs. */
int qt_tar_new(struct qt_tar **out, struct qt_outfile *file,
    enum qt_packing packing, unsigned threads, struct qt_error *err)
    QT_MUST_CHECK;
void qt_tar_free(struct qt_tar *t);
/*
 * A member: begin, size bytes by data in any pieces, end.  path is plain
 * ASCII; mode 0400, owner 0:0, and mtime in whole seconds.
 */
int qt_tar_begin(struct qt_tar *t, const char *path, uint64_t size,
    int64_t mtime, struct qt_error *err) QT_MUST_CHECK;
int qt_tar_data(struct qt_tar *t, const void *bytes, size_t len,
    struct qt_error *err) QT_MUST_CHECK;
int qt_tar_end(struct qt_tar *t, struct qt_error *err) QT_MUST_CHECK;
/* End of archive and of compression. */
int qt_tar_finish(struct qt_tar *t, struct qt_error *err) QT_MUST_CHECK;

#endif
