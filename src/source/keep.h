/*
 * keep.h - a file's own bytes, with its sum, as one moment had them.
 */
#ifndef QTOOL_SOURCE_KEEP_H
#define QTOOL_SOURCE_KEEP_H

#include "source/load_priv.h"

/*
 * Whether a file was altered so lately that a write after it may carry the
 * same time: before Linux 6.13 times move with the timer tick alone, up to 10
 * ms.  By the change time, which nobody can set.
 */
bool qt_keep_recent(const struct stat *st);

/* When a file was made, in nanoseconds; 0: its file system does not tell. */
int64_t qt_keep_btime(int fd);

/* The handle of an open file; len 0: it has none. */
void qt_keep_handle(int fd, struct qt_file_handle *h);

/* The row's kept files, none of them read yet.  -1: out of memory. */
int qt_keep_begin(struct qt_row *row) QT_MUST_CHECK;
/*
 * Read an open file.  What is too large, or is written to, is left to who can
 * wait for it: f->have stays false.  Only memory can fail.
 */
int qt_keep_file(struct qt_loader *l, struct qt_kept_file *f, int fd,
    const struct stat *st, struct qt_arena *arena, struct qt_error *err)
    QT_MUST_CHECK;
/* The same without its status. */
int qt_keep_open(struct qt_loader *l, struct qt_kept_file *f, int fd,
    struct qt_arena *arena, struct qt_error *err) QT_MUST_CHECK;

/*
 * What came out of an archive with the row: the message, and all its logs.
 * Where the message could not be read, have stays false.
 */
int qt_keep_held(struct qt_loader *l, struct qt_scan_row *r,
    struct qt_error *err) QT_MUST_CHECK;

#endif
