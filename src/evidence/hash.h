/*
 * hash.h - SHA-256 of bytes as they stream by.
 */
#ifndef QTOOL_EVIDENCE_HASH_H
#define QTOOL_EVIDENCE_HASH_H

#include <stdbool.h>
#include <stddef.h>

#include "qtool/error.h"

#define QT_SHA256_SIZE 32
#define QT_SHA256_HEX 65 /* with the NUL */

struct qt_digest {
	void *ctx;   /* the crypto library's; owned */
	bool failed; /* an update failed: final will say so */
};

int qt_digest_init(struct qt_digest *d, struct qt_error *err) QT_MUST_CHECK;
/*
 * The algorithm, looked up once for digests in numbers and in many threads:
 * that alone takes as long as the sum of a small text.
 */
struct qt_digest_kind {
	void *md; /* the crypto library's; owned */
};
int qt_digest_kind_init(struct qt_digest_kind *k, struct qt_error *err)
    QT_MUST_CHECK;
void qt_digest_kind_release(struct qt_digest_kind *k);
int qt_digest_init_kind(struct qt_digest *d, const struct qt_digest_kind *k,
    struct qt_error *err) QT_MUST_CHECK;
void qt_digest_release(struct qt_digest *d);
/* Forget what was fed, begin anew. */
void qt_digest_clear(struct qt_digest *d);
void qt_digest_add(struct qt_digest *d, const void *bytes, size_t len);
/* The same as a taker of bytes (spill.h); ctx is the digest. */
int qt_digest_bytes(void *ctx, const void *bytes, size_t len,
    struct qt_error *err) QT_MUST_CHECK;
/* The sum of everything since init or clear; clear before the next use. */
int qt_digest_final(struct qt_digest *d, unsigned char sum[QT_SHA256_SIZE],
    struct qt_error *err) QT_MUST_CHECK;
void qt_digest_hex(const unsigned char sum[QT_SHA256_SIZE],
    char hex[QT_SHA256_HEX]);
/* HMAC-SHA-256 (RFC 2104), from any thread; false: the library failed. */
bool qt_hmac(const void *key, size_t key_len, const void *bytes, size_t len,
    unsigned char sum[QT_SHA256_SIZE]) QT_MUST_CHECK;

#endif
