/*
 * decode.h - encoded words in header fields, by GMime (whose tables are not
 * made for several threads: call it in the main thread only).
 */
#ifndef QUERY_DECODE_H
#define QUERY_DECODE_H

#include "qtool/buf.h"

void decode_init(void);
/* Append the decoded text (which may hold any bytes) to out. */
void decode_words(struct qt_buf *out, const char *s, size_t len);

#endif
