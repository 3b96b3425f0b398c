/*
 * tsr.c - what a time-stamping authority answered, by libcrypto.
 *
 * The bytes are a stranger's: libcrypto takes them apart, in a process that may
 * do nothing else.
 */
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ts.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "evidence/bag.h"
#include "evidence/hash.h"
#include "evidence/spill.h"
#include "qtool/escape.h"
#include "qtool/snapshot.h"
#include "qtool/timestamp.h"

struct stamp {
	struct qt_timestamp *t;
	const struct qt_timestamp_opts *opts;
	TS_RESP *resp;	   /* owned */
	TS_TST_INFO *info; /* within resp */
	int64_t time;	   /* seconds */
	char *why;
};

static int no_stamp(const struct stamp *s, const char *text)
{
	(void)strlcpy(s->why, text, 256);
	return 1;
}

/* ---- what it says ---- */

static int read_answer(struct stamp *s)
{
	const unsigned char *at = s->opts->answer;
	const unsigned char *end = at + s->opts->answer_len;
	const ASN1_INTEGER *status;
	long n;

	if (s->opts->answer_len > QT_TIMESTAMP_MAX)
		return no_stamp(s, "it is longer than an answer can be");
	s->resp = d2i_TS_RESP(NULL, &at, (long)s->opts->answer_len);
	if (s->resp == NULL || at != end)
		return no_stamp(s, "it is no answer of a time-stamping authority "
				   "(RFC 3161)");
	status = TS_STATUS_INFO_get0_status(TS_RESP_get_status_info(s->resp));
	n = ASN1_INTEGER_get(status);
	s->info = TS_RESP_get_tst_info(s->resp);
	if ((n != TS_STATUS_GRANTED && n != TS_STATUS_GRANTED_WITH_MODS) ||
	    s->info == NULL)
		return no_stamp(s, "the authority refused to stamp it");
	return 0;
}

/* It is of these bytes. */
static int check_imprint(const struct stamp *s)
{
	TS_MSG_IMPRINT *m = TS_TST_INFO_get_msg_imprint(s->info);
	const ASN1_OCTET_STRING *sum = TS_MSG_IMPRINT_get_msg(m);
	const ASN1_OBJECT *alg = NULL;

	X509_ALGOR_get0(&alg, NULL, NULL, TS_MSG_IMPRINT_get_algo(m));
	if (OBJ_obj2nid(alg) != NID_sha256 ||
	    ASN1_STRING_length(sum) != QT_SHA256_SIZE)
		return no_stamp(s, "it is of another kind of sum than SHA-256");
	return memcmp(ASN1_STRING_get0_data(sum), s->opts->sum,
		QT_SHA256_SIZE) == 0 ? 0 :
	    no_stamp(s, "it is about other bytes than tagmanifest-sha256.txt");
}

/* It answers this request: the number that was made up for it is in it. */
static int check_nonce(const struct stamp *s)
{
	const unsigned char *at = s->opts->request;
	const ASN1_INTEGER *asked, *given;
	TS_REQ *req;
	bool same;

	if (at == NULL)
		return 0;
	req = d2i_TS_REQ(NULL, &at, (long)s->opts->request_len);
	if (req == NULL)
		return no_stamp(s, "the request beside it (FILE.tsq) is none");
	asked = TS_REQ_get_nonce(req);
	given = TS_TST_INFO_get_nonce(s->info);
	same = asked == NULL ||
	    (given != NULL && ASN1_INTEGER_cmp(asked, given) == 0);
	TS_REQ_free(req);
	return same ? 0 : no_stamp(s, "it answers another request than FILE.tsq");
}

static int read_time(struct stamp *s)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(TS_TST_INFO_get_time(s->info), &tm) != 1)
		return no_stamp(s, "the time in it is none");
	s->time = (int64_t)timegm(&tm);
	qt_utc(s->time, s->t->time);
	return 0;
}

static void read_serial(const struct stamp *s)
{
	BIGNUM *n = ASN1_INTEGER_to_BN(TS_TST_INFO_get_serial(s->info), NULL);
	char *hex = n != NULL ? BN_bn2hex(n) : NULL;

	(void)strlcpy(s->t->serial, hex != NULL ? hex : "",
	    sizeof s->t->serial);
	OPENSSL_free(hex);
	BN_free(n);
}

/* Who it says it is: a name in the stamp. */
static void read_authority(const struct stamp *s)
{
	const GENERAL_NAME *name = TS_TST_INFO_get_tsa(s->info);
	BIO *bio = BIO_new(BIO_s_mem());
	struct qt_buf shown;
	char *text = NULL;
	long n;

	qt_buf_init(&shown, 0);
	if (bio != NULL && name != NULL && name->type == GEN_DIRNAME &&
	    X509_NAME_print_ex(bio, name->d.directoryName, 0,
		XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0 &&
	    (n = BIO_get_mem_data(bio, &text)) > 0)
		qt_escape_term(&shown, text, (size_t)n);
	(void)strlcpy(s->t->authority, qt_buf_str(&shown),
	    sizeof s->t->authority);
	qt_buf_release(&shown);
	BIO_free(bio);
}

/* ---- whose it is ---- */

/* The certificates of a PEM text; NULL: there is none in it. */
static X509_STORE *store_of(const void *pem, size_t len)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	X509_STORE *store = X509_STORE_new();
	X509 *cert;
	bool any = false;

	while (bio != NULL && store != NULL &&
	    (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		any = X509_STORE_add_cert(store, cert) == 1 || any;
		X509_free(cert);
	}
	BIO_free(bio);
	if (any)
		return store;
	X509_STORE_free(store);
	return NULL;
}

static int verify_by(struct stamp *s, X509_STORE *store)
{
	TS_VERIFY_CTX *ctx = TS_VERIFY_CTX_new();
	X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);
	const char *reason = NULL;
	int ok = 0;

	X509_VERIFY_PARAM_set_time(param, (time_t)s->time);
	if (ctx != NULL) {
		(void)TS_VERIFY_CTX_set_flags(ctx, TS_VFY_SIGNATURE |
		    TS_VFY_VERSION);
		/* the context frees it */
		(void)TS_VERIFY_CTX_set_store(ctx, store);
		ok = TS_RESP_verify_response(ctx, s->resp);
		if (ok != 1)
			reason = ERR_reason_error_string(ERR_peek_last_error());
		TS_VERIFY_CTX_free(ctx);
	} else {
		X509_STORE_free(store);
	}
	ERR_clear_error();
	s->t->believed = ok == 1;
	if (ok == 1)
		return 0;
	(void)snprintf(s->why, 256,
	    "its signature is not of one of these authorities: %.120s",
	    reason != NULL ? reason : "it cannot be checked");
	return 1;
}

static int check_signature(struct stamp *s, struct qt_error *err)
{
	X509_STORE *store;

	if (s->opts->authorities == NULL)
		return 0;
	store = s->opts->authorities_len <= QT_TSA_MAX ?
	    store_of(s->opts->authorities, s->opts->authorities_len) : NULL;
	if (store == NULL)
		return qt_fail(err, QT_E_USAGE, "time stamp",
		    "there is no certificate of an authority in what was given "
		    "for it");
	return verify_by(s, store);
}

int qt_timestamp_check(struct qt_timestamp *t,
    const struct qt_timestamp_opts *opts, char why[256], struct qt_error *err)
{
	struct stamp s = {.t = t, .opts = opts, .why = why};
	int r;

	*t = (struct qt_timestamp){.believed = false};
	r = read_answer(&s);
	if (r == 0)
		r = check_imprint(&s);
	if (r == 0)
		r = check_nonce(&s);
	if (r == 0)
		r = read_time(&s);
	if (r == 0) {
		read_serial(&s);
		read_authority(&s);
		r = check_signature(&s, err);
	}
	TS_RESP_free(s.resp);
	ERR_clear_error();
	return r;
}

int qt_timestamp_keep(const char *file, const void *answer, size_t len,
    struct qt_timestamp_kept *kept, struct qt_error *err)
{
	struct qt_newfile f;
	struct stat st;
	char *path;
	int r;

	if (asprintf(&path, "%s.tsr", file) < 0)
		return qt_fail_mem(err);
	r = qt_newfile_open(&f, path, err);
	if (r == 0 && qt_write_all(f.fd, answer, len) != 0)
		r = qt_fail_own(err, "write", path);
	if (r == 0 && fstat(f.fd, &st) != 0)
		r = qt_fail_own(err, "fstat", path);
	if (r == 0)
		r = qt_newfile_publish(&f, err);
	if (r == 0)
		*kept = (struct qt_timestamp_kept){st.st_dev, st.st_ino};
	qt_newfile_release(&f);
	free(path);
	return r;
}

int qt_timestamp_drop(const char *file, const struct qt_timestamp_kept *kept,
    struct qt_error *err)
{
	struct stat st;
	char *path;
	int r = 0;

	if (asprintf(&path, "%s.tsr", file) < 0)
		return qt_fail_mem(err);
	if (lstat(path, &st) != 0)
		r = qt_fail_own(err, "stat", path);
	else if (st.st_dev != kept->dev || st.st_ino != kept->ino)
		r = qt_fail(err, QT_E_CHANGED, path, "is another file by now");
	else if (unlink(path) != 0)
		r = qt_fail_own(err, "unlink", path);
	free(path);
	return r;
}
