/*
 * sha256.c - SHA-256, and SHA-512, by OpenSSL; the one file of this layer that
 * knows it.
 */
#include "source/sha256.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/io.h"

#define BLOCK ((size_t)64 << 10)

struct qt_sha256 {
	EVP_MD *md; /* fetched once: a fetch costs as much as a small file */
	EVP_MD *md512; /* likewise, when it is first asked for; else NULL */
	EVP_MD_CTX *ctx;
	unsigned char buf[BLOCK];
};

int qt_sha256_new(struct qt_sha256 **out, struct qt_error *err)
{
	struct qt_sha256 *h = calloc(1, sizeof *h);

	if (h == NULL)
		return qt_fail_mem(err);
	h->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	h->ctx = EVP_MD_CTX_new();
	if (h->md == NULL || h->ctx == NULL) {
		qt_sha256_free(h);
		return qt_fail(err, QT_E_LIBRARY, "libcrypto",
		    "SHA-256 is not to be had");
	}
	*out = h;
	return 0;
}

void qt_sha256_free(struct qt_sha256 *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->ctx);
	EVP_MD_free(h->md);
	EVP_MD_free(h->md512);
	free(h);
}

void qt_sha256_text(const unsigned char sum[32], char hex[65])
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < 32; i++) {
		*hex++ = digits[sum[i] >> 4];
		*hex++ = digits[sum[i] & 15];
	}
	*hex = '\0';
}

int qt_sha256_fd(struct qt_sha256 *h, int fd, char hex[65],
    struct qt_error *err)
{
	unsigned char sum[32];
	off_t at = 0;
	size_t got;
	int ok;

	ok = EVP_DigestInit_ex(h->ctx, h->md, NULL);
	do {
		if (qt_pread_all(fd, h->buf, sizeof h->buf, at, &got) != 0)
			return qt_fail_sys(err, "read", "");
		ok = ok && EVP_DigestUpdate(h->ctx, h->buf, got);
		at += (off_t)got;
	} while (got == sizeof h->buf);
	if (!ok || !EVP_DigestFinal_ex(h->ctx, sum, NULL))
		return qt_fail(err, QT_E_LIBRARY, "libcrypto",
		    "SHA-256 failed");
	qt_sha256_text(sum, hex);
	return 0;
}

int qt_sha256_bytes(struct qt_sha256 *h, const void *bytes, size_t len,
    unsigned char sum[32], struct qt_error *err)
{
	if (EVP_DigestInit_ex(h->ctx, h->md, NULL) &&
	    EVP_DigestUpdate(h->ctx, bytes, len) &&
	    EVP_DigestFinal_ex(h->ctx, sum, NULL))
		return 0;
	return qt_fail(err, QT_E_LIBRARY, "libcrypto", "SHA-256 failed");
}

int qt_sha512_bytes(struct qt_sha256 *h, const void *bytes, size_t len,
    unsigned char sum[64], struct qt_error *err)
{
	if (h->md512 == NULL)
		h->md512 = EVP_MD_fetch(NULL, "SHA512", NULL);
	if (h->md512 != NULL && EVP_DigestInit_ex(h->ctx, h->md512, NULL) &&
	    EVP_DigestUpdate(h->ctx, bytes, len) &&
	    EVP_DigestFinal_ex(h->ctx, sum, NULL))
		return 0;
	return qt_fail(err, QT_E_LIBRARY, "libcrypto", "SHA-512 failed");
}

int qt_sha256_hex(struct qt_sha256 *h, const void *bytes, size_t len,
    char hex[65], struct qt_error *err)
{
	unsigned char sum[32];

	if (qt_sha256_bytes(h, bytes, len, sum, err) != 0)
		return -1;
	qt_sha256_text(sum, hex);
	return 0;
}
