/*
 * hash.c - SHA-256 by libcrypto.
 */
#include "evidence/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

int qt_digest_init(struct qt_digest *d, struct qt_error *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	*d = (struct qt_digest){.ctx = NULL};
	if (ctx == NULL)
		return qt_fail_mem(err);
	if (EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		return qt_fail(err, QT_E_LIBRARY, "libcrypto",
		    "SHA-256 is not available");
	}
	d->ctx = ctx;
	return 0;
}

int qt_digest_kind_init(struct qt_digest_kind *k, struct qt_error *err)
{
	k->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	return k->md != NULL ? 0 : qt_fail(err, QT_E_LIBRARY, "libcrypto",
	    "SHA-256 is not available");
}

void qt_digest_kind_release(struct qt_digest_kind *k)
{
	EVP_MD_free(k->md);
	k->md = NULL;
}

int qt_digest_init_kind(struct qt_digest *d, const struct qt_digest_kind *k,
    struct qt_error *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	*d = (struct qt_digest){.ctx = ctx};
	if (ctx == NULL)
		return qt_fail_mem(err);
	if (EVP_DigestInit_ex(ctx, k->md, NULL) != 1) {
		qt_digest_release(d);
		return qt_fail(err, QT_E_LIBRARY, "libcrypto",
		    "SHA-256 failed");
	}
	return 0;
}

void qt_digest_release(struct qt_digest *d)
{
	if (d == NULL)
		return;
	EVP_MD_CTX_free(d->ctx);
	d->ctx = NULL;
}

void qt_digest_clear(struct qt_digest *d)
{
	/* NULL: the same algorithm again, without looking it up */
	d->failed = EVP_DigestInit_ex(d->ctx, NULL, NULL) != 1;
}

void qt_digest_add(struct qt_digest *d, const void *bytes, size_t len)
{
	if (len != 0 && EVP_DigestUpdate(d->ctx, bytes, len) != 1)
		d->failed = true;
}

int qt_digest_bytes(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	(void)err;
	qt_digest_add(ctx, bytes, len);
	return 0;
}

int qt_digest_final(struct qt_digest *d, unsigned char sum[QT_SHA256_SIZE],
    struct qt_error *err)
{
	if (d->failed || EVP_DigestFinal_ex(d->ctx, sum, NULL) != 1)
		return qt_fail(err, QT_E_LIBRARY, "libcrypto",
		    "SHA-256 failed");
	return 0;
}

void qt_digest_hex(const unsigned char sum[QT_SHA256_SIZE],
    char hex[QT_SHA256_HEX])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < QT_SHA256_SIZE; i++) {
		hex[2 * i] = digits[sum[i] >> 4];
		hex[2 * i + 1] = digits[sum[i] & 15];
	}
	hex[2 * i] = '\0';
}

bool qt_hmac(const void *key, size_t key_len, const void *bytes, size_t len,
    unsigned char sum[QT_SHA256_SIZE])
{
	unsigned n = 0;

	return HMAC(EVP_sha256(), key, (int)key_len, bytes, len, sum, &n) !=
	    NULL && n == QT_SHA256_SIZE;
}
