/*
 * sha256.h - the sum of a file's bytes.
 */
#ifndef QTOOL_SOURCE_SHA256_H
#define QTOOL_SOURCE_SHA256_H

#include <stddef.h>

#include "qtool/error.h"

struct qt_sha256;
int qt_sha256_new(struct qt_sha256 **out, struct qt_error *err) QT_MUST_CHECK;
void qt_sha256_free(struct qt_sha256 *h);
/* Read fd from its beginning to its end; hex gets 64 digits and a NUL. */
int qt_sha256_fd(struct qt_sha256 *h, int fd, char hex[65],
    struct qt_error *err) QT_MUST_CHECK;
/* Of bytes in memory. */
int qt_sha256_bytes(struct qt_sha256 *h, const void *bytes, size_t len,
    unsigned char sum[32], struct qt_error *err) QT_MUST_CHECK;

/* Likewise by SHA-512. */
int qt_sha512_bytes(struct qt_sha256 *h, const void *bytes, size_t len,
    unsigned char sum[64], struct qt_error *err) QT_MUST_CHECK;

/* By SHA-256, in hex. */
int qt_sha256_hex(struct qt_sha256 *h, const void *bytes, size_t len,
    char hex[65], struct qt_error *err) QT_MUST_CHECK;
/* A sum's 64 digits and a NUL. */
void qt_sha256_text(const unsigned char sum[32], char hex[65]);

#endif
