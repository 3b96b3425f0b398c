/*
 * hash.c - SHA-256 and SHA-512 by libcrypto.
 */
#include "evidence/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

static const struct {
	const char *name;
	const EVP_MD *(*md)(void);
	size_t size;
} hashes[QT_HASHES] = {
    [QT_HASH_SHA256] = {"SHA-256", EVP_sha256, 32},
    [QT_HASH_SHA512] = {"SHA-512", EVP_sha512, 64},
};

size_t qt_hash_size(enum qt_hash h)
{
	return hashes[h].size;
}

static int begin(struct qt_digest *d, enum qt_hash h, struct qt_error *err)
{
	d->ctx[h] = EVP_MD_CTX_new();
	if (d->ctx[h] == NULL)
		return qt_fail_mem(err);
	return EVP_DigestInit_ex(d->ctx[h], hashes[h].md(), NULL) == 1 ? 0 :
	    qt_fail(err, QT_E_LIBRARY, "libcrypto", "%s is not available",
		hashes[h].name);
}

int qt_digest_init_with(struct qt_digest *d, bool sha512,
    struct qt_error *err)
{
	*d = (struct qt_digest){.failed = false};
	if (begin(d, QT_HASH_SHA256, err) == 0 &&
	    (!sha512 || begin(d, QT_HASH_SHA512, err) == 0))
		return 0;
	qt_digest_release(d);
	return -1;
}

int qt_digest_init(struct qt_digest *d, struct qt_error *err)
{
	return qt_digest_init_with(d, false, err);
}

void qt_digest_narrow(struct qt_digest *d)
{
	EVP_MD_CTX_free(d->ctx[QT_HASH_SHA512]);
	d->ctx[QT_HASH_SHA512] = NULL;
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

	*d = (struct qt_digest){.ctx = {[QT_HASH_SHA256] = ctx}};
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
	EVP_MD_CTX_free(d->ctx[QT_HASH_SHA256]);
	d->ctx[QT_HASH_SHA256] = NULL;
	qt_digest_narrow(d);
}

void qt_digest_clear(struct qt_digest *d)
{
	int h;

	d->failed = false;
	/* NULL: the same algorithm again, without looking it up */
	for (h = 0; h < QT_HASHES; h++)
		if (d->ctx[h] != NULL &&
		    EVP_DigestInit_ex(d->ctx[h], NULL, NULL) != 1)
			d->failed = true;
}

void qt_digest_add(struct qt_digest *d, const void *bytes, size_t len)
{
	int h;

	for (h = 0; h < QT_HASHES && len != 0; h++)
		if (d->ctx[h] != NULL &&
		    EVP_DigestUpdate(d->ctx[h], bytes, len) != 1)
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
	if (d->failed ||
	    EVP_DigestFinal_ex(d->ctx[QT_HASH_SHA256], sum, NULL) != 1)
		return qt_fail(err, QT_E_LIBRARY, "libcrypto",
		    "SHA-256 failed");
	return 0;
}

int qt_digest_sums(struct qt_digest *d, struct qt_sums *sums,
    struct qt_error *err)
{
	int h;

	for (h = 0; h < QT_HASHES; h++)
		if (d->failed || (d->ctx[h] != NULL &&
		    EVP_DigestFinal_ex(d->ctx[h], sums->of[h], NULL) != 1))
			return qt_fail(err, QT_E_LIBRARY, "libcrypto",
			    "%s failed", hashes[h].name);
	return 0;
}

void qt_sum_hex(const unsigned char *sum, size_t size, char *hex)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < size; i++) {
		hex[2 * i] = digits[sum[i] >> 4];
		hex[2 * i + 1] = digits[sum[i] & 15];
	}
	hex[2 * i] = '\0';
}

void qt_digest_hex(const unsigned char sum[QT_SHA256_SIZE],
    char hex[QT_SHA256_HEX])
{
	qt_sum_hex(sum, QT_SHA256_SIZE, hex);
}

bool qt_hmac(const void *key, size_t key_len, const void *bytes, size_t len,
    unsigned char sum[QT_SHA256_SIZE])
{
	unsigned n = 0;

	return HMAC(EVP_sha256(), key, (int)key_len, bytes, len, sum, &n) !=
	    NULL && n == QT_SHA256_SIZE;
}
