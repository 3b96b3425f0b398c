/*
 * hash.h - SHA-256, and SHA-512 beside it, of bytes as they stream by.
 */
#ifndef QTOOL_EVIDENCE_HASH_H
#define QTOOL_EVIDENCE_HASH_H

#include <stdbool.h>
#include <stddef.h>

#include "qtool/error.h"

#define QT_SHA256_SIZE 32
#define QT_SHA256_HEX 65 /* with the NUL */

/* The algorithms of manifests; what there is always comes first. */
enum qt_hash { QT_HASH_SHA256, QT_HASH_SHA512, QT_HASHES };
#define QT_SUM_MAX 64	       /* bytes of the longest sum */
#define QT_SUM_HEX_MAX (2 * QT_SUM_MAX + 1)
size_t qt_hash_size(enum qt_hash h); /* bytes of its sum */

/* The same bytes by each algorithm that was asked for. */
struct qt_sums {
	unsigned char of[QT_HASHES][QT_SUM_MAX];
};

struct qt_digest {
	void *ctx[QT_HASHES]; /* the crypto library's; owned, NULL: not wanted */
	bool failed;	      /* an update failed: final will say so */
};

/* SHA-256 alone; the other: by SHA-512, too, when that is asked for. */
int qt_digest_init(struct qt_digest *d, struct qt_error *err) QT_MUST_CHECK;
int qt_digest_init_with(struct qt_digest *d, bool sha512,
    struct qt_error *err) QT_MUST_CHECK;
/* SHA-256 alone from here on. */
void qt_digest_narrow(struct qt_digest *d);
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
/*
 * The SHA-256 of everything since init or clear; clear before the next use.  The
 * other: by all algorithms that it has.
 */
int qt_digest_final(struct qt_digest *d, unsigned char sum[QT_SHA256_SIZE],
    struct qt_error *err) QT_MUST_CHECK;
int qt_digest_sums(struct qt_digest *d, struct qt_sums *sums,
    struct qt_error *err) QT_MUST_CHECK;
void qt_digest_hex(const unsigned char sum[QT_SHA256_SIZE],
    char hex[QT_SHA256_HEX]);
/* Of any: 2 * size digits, and a NUL. */
void qt_sum_hex(const unsigned char *sum, size_t size, char *hex);
/* HMAC-SHA-256 (RFC 2104), from any thread; false: the library failed. */
bool qt_hmac(const void *key, size_t key_len, const void *bytes, size_t len,
    unsigned char sum[QT_SHA256_SIZE]) QT_MUST_CHECK;

#endif
