/*
 * decode.h - encoded words in header fields and encoded bodies, by GMime (whose tables are not
 * made for several threads: call it in the main thread only).
 */
#ifndef QUERY_DECODE_H
#define QUERY_DECODE_H

#include "qtool/message.h"

void decode_init(void);
/* Append the decoded text (which may hold any bytes) to out. */
void decode_words(struct qt_buf *out, const char *s, size_t len);
/*
 * Append the text parts (text of any kind, attached ones too) of a body, transfer
 * encoding and charset undone, a line end after each: at most QT_ROW_BODY_MAX
 * bytes, of at most DECODE_PARTS_MAX parts.  HTML stays HTML.  false: the header
 * says that the body is plain text as it stands, and nothing was appended.
 */
#define DECODE_PARTS_MAX 1000
bool decode_body(struct qt_buf *out, const struct qt_headers *h,
    const char *body, size_t len);

#endif
