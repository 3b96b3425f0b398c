/*
 * mime.h - a message decoded for reading (mime.c).
 */
#ifndef QTOOL_MIME_H
#define QTOOL_MIME_H

#include "qtool/buf.h"

/*
 * A header field's value with its encoded words (RFC 2047) decoded, UTF-8 as
 * far as it decodes; still hostile.
 */
int mime_header(struct qt_buf *out, const char *value, size_t len,
    struct qt_error *err) QT_MUST_CHECK;

/*
 * The text of a whole message (RFC 5322 bytes): its first text/plain part,
 * else its first text/html part without the markup, in UTF-8 as far as the
 * charset could be converted; still hostile.  parts gets a line a MIME part
 * when there is more than one.  A message without text leaves text empty.
 */
int mime_text(struct qt_buf *text, struct qt_buf *parts, const char *eml,
    size_t len, struct qt_error *err) QT_MUST_CHECK;

/*
 * HTML to text by simple means: tags go, script and style with what is in
 * them, block ends become line ends, a link's target follows in brackets,
 * character references are resolved.
 */
void mime_strip_html(struct qt_buf *out, const char *html, size_t len);

#endif
