/*
 * base64.h - bytes as text (RFC 4648 section 4).
 */
#ifndef QTOOL_EVIDENCE_BASE64_H
#define QTOOL_EVIDENCE_BASE64_H

#include "qtool/buf.h"

void qt_base64(struct qt_buf *out, const void *bytes, size_t len);

#endif
