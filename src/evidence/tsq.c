/*
 * tsq.c - a request for a time stamp, by libcrypto.
 */
#include "evidence/tsq.h"

#include <openssl/evp.h>
#include <openssl/ts.h>
#include <string.h>
#include <sys/random.h>

#include "evidence/hash.h"

#define NONCE_BYTES 8

static bool set_imprint(TS_REQ *req, unsigned char sum[QT_SHA256_SIZE])
{
	TS_MSG_IMPRINT *m = TS_MSG_IMPRINT_new();
	X509_ALGOR *alg = X509_ALGOR_new();
	bool ok = m != NULL && alg != NULL &&
	    X509_ALGOR_set0(alg, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) &&
	    TS_MSG_IMPRINT_set_algo(m, alg) &&
	    TS_MSG_IMPRINT_set_msg(m, sum, QT_SHA256_SIZE) &&
	    TS_REQ_set_msg_imprint(req, m); /* it copies */

	X509_ALGOR_free(alg);
	TS_MSG_IMPRINT_free(m);
	return ok;
}

static bool set_nonce(TS_REQ *req)
{
	unsigned char random[NONCE_BYTES];
	ASN1_INTEGER *n = NULL;
	BIGNUM *bn = NULL;
	bool ok = getrandom(random, sizeof random, 0) ==
	    (ssize_t)sizeof random;

	random[0] |= 0x40; /* no fewer bytes at any time */
	random[0] &= 0x7f;
	if (ok)
		bn = BN_bin2bn(random, sizeof random, NULL);
	if (bn != NULL)
		n = BN_to_ASN1_INTEGER(bn, NULL);
	ok = n != NULL && TS_REQ_set_nonce(req, n);
	ASN1_INTEGER_free(n);
	BN_free(bn);
	return ok;
}

static int encode(TS_REQ *req, struct qt_buf *out, struct qt_error *err)
{
	unsigned char *der = NULL;
	int n = i2d_TS_REQ(req, &der);

	if (n <= 0)
		return qt_fail(err, QT_E_LIBRARY, "libcrypto",
		    "the time stamp's request cannot be made");
	qt_buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return qt_buf_check(out, err);
}

int qt_tsq_make(struct qt_buf *out, const void *bytes, size_t len, bool plain,
    struct qt_error *err)
{
	unsigned char sum[QT_SHA256_SIZE];
	struct qt_digest d;
	TS_REQ *req;
	int r;

	if (qt_digest_init(&d, err) != 0)
		return -1;
	qt_digest_add(&d, bytes, len);
	r = qt_digest_final(&d, sum, err);
	qt_digest_release(&d);
	if (r != 0)
		return -1;
	req = TS_REQ_new();
	if (req == NULL || !TS_REQ_set_version(req, 1) ||
	    !set_imprint(req, sum) || !TS_REQ_set_cert_req(req, 1) ||
	    (!plain && !set_nonce(req)))
		r = qt_fail(err, QT_E_LIBRARY, "libcrypto",
		    "the time stamp's request cannot be made");
	else
		r = encode(req, out, err);
	TS_REQ_free(req);
	return r;
}
