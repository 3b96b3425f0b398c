/*
 * signer.c - processes that sign, as the judge runs no programs.
 */
#include "signer.h"

#include <string.h>
#include <unistd.h>

void signer_init(struct signer *s)
{
	*s = (struct signer){.errand = ERRAND_NONE};
	qt_buf_init(&s->pub, 0);
}

/* ---- the process ---- */

static int by_key(void *ctx, char *bytes, size_t len, struct qt_buf *sig,
    struct qt_error *err)
{
	struct signer *s = ctx;

	return qt_sshsig_sign(s->key, qt_buf_str(&s->pub), bytes, len, sig, err);
}

static int by_program(void *ctx, char *bytes, size_t len, struct qt_buf *sig,
    struct qt_error *err)
{
	const struct signer *s = ctx;

	return qt_program_sign(s->key, bytes, len, sig, err);
}

int signer_start(struct signer *s, const char *key, struct qt_error *err)
{
	s->key = key;
	if (qt_sshsig_public(key, &s->pub, err) != 0)
		return -1;
	return errand_start(&s->errand, "qtool-signer", by_key, NULL, s,
	    err);
}

int signer_start_program(struct signer *s, const char *program,
    struct qt_error *err)
{
	s->key = program;
	/* said before all the work, not after it */
	if (strchr(program, '/') != NULL && access(program, X_OK) != 0)
		return qt_fail_sys(err, "run", program);
	return errand_start(&s->errand, "qtool-signer", by_program, NULL, s,
	    err);
}

/* ---- our side ---- */

int signer_sign(void *ctx, const void *bytes, size_t len, struct qt_buf *sig,
    struct qt_error *err)
{
	struct qt_error e = {0};
	struct signer *s = ctx;
	bool named;

	if (errand_run(&s->errand, bytes, len, sig, &e) == 0)
		return 0;
	named = e.where[0] != '\0' && strcmp(e.where, s->key) != 0;
	return qt_fail(err, e.code, s->key, "not signed: %s%s%s",
	    named ? e.where : "", named ? ": " : "", e.text);
}

void signer_forget(struct signer *s)
{
	errand_forget(&s->errand);
}

void signer_release(struct signer *s)
{
	errand_release(&s->errand);
	qt_buf_release(&s->pub);
}
