/*
 * check_beside.c - what lies beside an archive, and speaks for all of it: its
 * sum, signatures, those inside too, and a time stamp.
 */
#include "evidence/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

#define PIECE ((size_t)256 << 10)
#define SIDECAR_MAX ((size_t)4096)
#define SSHSIG_NAME "tagmanifest-sha256.txt.sig"

/* ---- its sum ---- */

int qt_check_sidecar(const struct qt_check *c, const char *suffix, size_t max,
    struct qt_buf *b, struct qt_error *err)
{
	struct qt_error e = {0};
	char *name;
	int r;

	if (asprintf(&name, "%s%s", c->file, suffix) < 0)
		return qt_fail_mem(err);
	r = qt_slurp(AT_FDCWD, name, max, b, &e);
	free(name);
	if (r == 0 || e.sys == ENOENT)
		return r == 0 ? 0 : 1;
	if (err != NULL)
		*err = e;
	return -1;
}

int qt_check_sum_file(struct qt_check *c, struct qt_error *err)
{
	unsigned char sum[QT_SHA256_SIZE];
	char *buf = malloc(PIECE);
	uint64_t at = 0;
	size_t got = PIECE;
	int r = 0;

	if (buf == NULL)
		return qt_fail_mem(err);
	qt_digest_clear(&c->sum);
	while (r == 0 && got == PIECE) {
		if (qt_check_stopped(c))
			r = qt_check_interrupted(c, err);
		else if (qt_pread_all(c->fd, buf, PIECE, (off_t)at, &got) != 0)
			r = qt_fail_own(err, "read", c->file);
		else
			qt_digest_add(&c->sum, buf, got);
		at += got;
	}
	free(buf);
	if (r == 0 && (r = qt_digest_final(&c->sum, sum, err)) == 0)
		qt_digest_hex(sum, c->res->sha256);
	return r;
}

/* "HEX  NAME", as sha256sum writes it. */
static void check_sum_line(struct qt_check *c, const struct qt_buf *b)
{
	const char *slash = strrchr(c->file, '/');
	const char *name = slash != NULL ? slash + 1 : c->file;
	const char *s = qt_buf_str(b);
	size_t n = strlen(name);
	char found[65];

	if (b->len != 64 + 2 + n + 1 || strncmp(s + 64, "  ", 2) != 0 ||
	    strncmp(s + 66, name, n) != 0 || s[66 + n] != '\n') {
		qt_check_tell(c, QT_FLAW_SUM, "", -1, name, NULL,
		    "FILE.sha256 beside it is not one line about this file");
		return;
	}
	(void)strlcpy(found, s, sizeof found);
	if (strcmp(found, c->res->sha256) != 0)
		qt_check_tell(c, QT_FLAW_SUM, "", -1, found, c->res->sha256,
		    "the file is not the one whose sum is in FILE.sha256");
}

/* One signature by the caller's means. */
static int check_signature(struct qt_check *c, const struct qt_signed *s,
    struct qt_error *err)
{
	char why[256] = "";
	int r;

	c->res->signatures++;
	if (c->opts->signature == NULL) {
		c->res->unchecked_signatures++;
		return 0;
	}
	r = c->opts->signature(c->opts->signature_ctx, s, why, err);
	if (r < 0)
		return -1;
	if (r == 0)
		c->res->good_signatures++;
	else if (r == 2)
		c->res->unchecked_signatures++;
	else
		qt_check_tell(c, QT_FLAW_SIGNATURE, s->name, -1, NULL, NULL,
		    "is not good: %s", why);
	return 0;
}

int qt_check_sidecars(struct qt_check *c, struct qt_error *err)
{
	struct qt_buf sum, sig;
	int r, have_sig = 1;

	qt_buf_init(&sum, 0);
	qt_buf_init(&sig, 0);
	r = qt_check_sidecar(c, ".sha256", SIDECAR_MAX, &sum, err);
	c->res->have_sum = r == 0;
	if (r == 0)
		check_sum_line(c, &sum);
	if (r >= 0)
		r = have_sig = qt_check_sidecar(c, ".sig", QT_SIGNATURE_SIZE,
		    &sig, err);
	if (r == 0 && !c->res->have_sum)
		qt_check_tell(c, QT_FLAW_SIGNATURE, "FILE.sig", -1, NULL, NULL,
		    "signs FILE.sha256, and that is not there");
	else if (r == 0)
		r = check_signature(c, &(struct qt_signed){"FILE.sig",
		    qt_buf_str(&sig), qt_buf_str(&sum), sig.len, sum.len}, err);
	qt_buf_release(&sum);
	qt_buf_release(&sig);
	return r < 0 ? -1 : 0;
}

static int to_buf(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	qt_buf_add(ctx, bytes, len);
	return qt_buf_check(ctx, err);
}

/* By what program it can be checked is not known here. */
static int foreign_signature(struct qt_check *c, const char *name,
    struct qt_error *err)
{
	char why[256] = "";

	c->res->foreign_signatures++;
	return c->opts->signature == NULL ? 0 :
	    c->opts->signature(c->opts->signature_ctx, &(struct qt_signed){name,
		NULL, NULL, 0, 0}, why, err) < 0 ? -1 : 0;
}

/* Those inside, all of the tag manifest. */
int qt_check_signatures(struct qt_check *c, struct qt_error *err)
{
	struct qt_buf tags;
	char name[96];
	size_t i;
	int r = 0;

	if (c->nsignatures == 0 || !c->have[QT_TOLD_TAGS])
		return 0;
	qt_buf_init(&tags, 0);
	r = qt_spill_each(&c->kept[QT_TOLD_TAGS], to_buf, &tags, err);
	for (i = 0; i < c->nsignatures && r == 0; i++) {
		const struct qt_buf *b = &c->signature[i].bytes;

		(void)snprintf(name, sizeof name, "signatures/%s",
		    c->signature[i].name);
		if (strcmp(c->signature[i].name, SSHSIG_NAME) != 0) {
			r = foreign_signature(c, name, err);
			continue;
		}
		r = check_signature(c, &(struct qt_signed){name, qt_buf_str(b),
		    qt_buf_str(&tags), b->len, tags.len}, err);
	}
	qt_buf_release(&tags);
	return r;
}

/* ---- a time stamp ---- */

static int sum_bytes(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	(void)err;
	qt_digest_add(ctx, bytes, len);
	return 0;
}

static int sum_tags(struct qt_check *c, struct qt_error *err)
{
	qt_digest_clear(&c->sum);
	c->res->have_tags = c->have[QT_TOLD_TAGS];
	if (qt_spill_each(&c->kept[QT_TOLD_TAGS], sum_bytes, &c->sum, err) != 0)
		return -1;
	return qt_digest_final(&c->sum, c->res->tags_sum, err);
}

static int check_stamp(struct qt_check *c, const struct qt_buf *answer,
    const struct qt_buf *request, struct qt_error *err)
{
	const struct qt_timestamp_opts opts = {.answer = qt_buf_str(answer),
	    .answer_len = answer->len,
	    .request = request->len != 0 ? request->data : NULL,
	    .request_len = request->len, .sum = c->res->tags_sum,
	    .authorities = c->opts->authorities,
	    .authorities_len = c->opts->authorities_len};
	char why[256] = "";
	int r = qt_timestamp_check(&c->res->stamp, &opts, why, err);

	if (r > 0)
		qt_check_tell(c, QT_FLAW_TIMESTAMP, "FILE.tsr", -1, NULL, NULL,
		    "is no stamp of this archive: %s", why);
	c->res->have_stamp = true;
	c->res->stamped = r == 0;
	return r < 0 ? -1 : 0;
}

/* FILE.tsr, and the request that it answers. */
int qt_check_timestamp(struct qt_check *c, struct qt_error *err)
{
	struct qt_buf answer, request;
	bool have;
	int r;

	if (sum_tags(c, err) != 0)
		return -1;
	qt_buf_init(&answer, 0);
	qt_buf_init(&request, 0);
	if (c->opts->answer != NULL)
		qt_buf_add(&answer, qt_buf_str(c->opts->answer),
		    c->opts->answer->len);
	r = c->opts->answer != NULL ? qt_buf_check(&answer, err) :
	    qt_check_sidecar(c, ".tsr", QT_TIMESTAMP_MAX, &answer, err);
	have = r == 0; /* of no bytes, too */
	if (have)
		r = qt_check_sidecar(c, ".tsq", QT_TIMESTAMP_MAX, &request, err);
	/* a request need not be there */
	if (have && r >= 0)
		r = check_stamp(c, &answer, &request, err);
	qt_buf_release(&answer);
	qt_buf_release(&request);
	return r < 0 ? -1 : 0;
}
