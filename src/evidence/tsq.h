/*
 * tsq.h - a request for a time stamp (RFC 3161), to be posted to a time-stamping
 * authority by whoever has a network.
 */
#ifndef QTOOL_EVIDENCE_TSQ_H
#define QTOOL_EVIDENCE_TSQ_H

#include "qtool/buf.h"

/*
 * Append the request (DER) for the SHA-256 of bytes: it asks for the
 * authority's certificate, and has a nonce unless the same bytes are to give
 * the same request.
 */
int qt_tsq_make(struct qt_buf *out, const void *bytes, size_t len, bool plain,
    struct qt_error *err) QT_MUST_CHECK;

#endif
