/*
 * transfer.h - transfer encodings undone and made (RFC 2045 section 6), from
 * any thread.
 */
#ifndef QTOOL_EVIDENCE_TRANSFER_H
#define QTOOL_EVIDENCE_TRANSFER_H

#include "evidence/mime.h"

/* In the middle of a part's lines. */
struct qt_transfer {
	enum qt_mime_code code;
	int state;
	uint32_t save;
};

void qt_transfer_init(struct qt_transfer *t, enum qt_mime_code code);
/* Append what bytes of the encoded text, line ends among them, stand for; of
 * QT_MIME_PLAIN and OTHER they themselves. */
void qt_transfer_decode(struct qt_transfer *t, struct qt_buf *out,
    const char *s, size_t len);
/* Whether every program that reads the whole of a part's text reads the same. */
bool qt_transfer_sure(enum qt_mime_code code, const char *s, size_t len);
/* Append bytes encoded, in lines. */
void qt_transfer_encode(enum qt_mime_code code, struct qt_buf *out,
    const char *s, size_t len);

#endif
