/*
 * input.h - using one struct qt_file_input for file after file.
 */
#ifndef QTOOL_SOURCE_INPUT_H
#define QTOOL_SOURCE_INPUT_H

#include "qtool/scan.h"

#define QT_INPUT_FIRST ((size_t)8 << 10) /* a read where the walk leads */
#define QT_INPUT_RUN ((size_t)64 << 10)	 /* a read that goes on */

/* Turn to another file, keeping the window's memory. */
void qt_file_input_reset(struct qt_file_input *f, int fd, uint64_t size);

/* To bytes in memory, borrowed until it is turned to something else. */
void qt_file_input_bytes(struct qt_file_input *f, const void *bytes,
    size_t len);

#endif
