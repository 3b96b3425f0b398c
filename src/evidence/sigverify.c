/*
 * sigverify.c - SSH signatures (SSHSIG, OpenSSH's PROTOCOL.sshsig), checked by
 * ssh-keygen.
 *
 * It is run by argv, with what it reads in files of a private directory: neither
 * a name nor a byte of an archive is ever part of a command.
 */
#include "qtool/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/proc.h"

#define NAMESPACE "qtool-evidence"
#define OUTPUT_MAX ((size_t)16 << 10)
#define PRINCIPAL_SIZE 256

struct check {
	const struct qt_signed *s;
	const struct qt_signature_opts *opts;
	int dir;
	char sig[512], allowed[512]; /* paths of the files */
};

static int fail(struct qt_error *err, const char *call, const char *where)
{
	(void)qt_fail_sys(err, call, where);
	if (err != NULL && err->code != QT_E_NOMEM)
		err->code = QT_E_SYS;
	return -1;
}

static int write_file(const struct check *c, const char *name,
    const void *bytes, size_t len, struct qt_error *err)
{
	int r = 0, fd = openat(c->dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(err, "create", name);
	if (qt_write_all(fd, bytes, len) != 0)
		r = fail(err, "write", name);
	if (r == 0)
		r = qt_close(&fd, name, err);
	qt_close_quiet(&fd);
	return r;
}

/* The first line of what a program said, without its end. */
static void first_line(const struct qt_buf *out, char *to, size_t size)
{
	const char *s = qt_buf_str(out);

	(void)snprintf(to, size, "%.*s", (int)strcspn(s, "\r\n"), s);
}

/* ssh-keygen: 0 it says yes; 1 no, told has its reason; -1 it did not run. */
static int run(const struct check *c, const char *const argv[], bool input,
    struct qt_buf *out, char told[256], struct qt_error *err)
{
	const struct qt_proc_input in = {
	    .bytes = input ? c->s->data : NULL, .len = c->s->data_len};
	struct qt_error e = {0};

	if (qt_proc_filter(argv, &in, OUTPUT_MAX, out, &e) == 0)
		return 0;
	if (e.code == QT_E_LIBRARY) { /* its exit status */
		(void)strlcpy(told, e.text, 256);
		return 1;
	}
	if (err != NULL)
		*err = e;
	return -1;
}

/* Whose key it is, of those allowed: 1 nobody's. */
static int find_principal(const struct check *c, char who[PRINCIPAL_SIZE],
    char told[256], struct qt_error *err)
{
	const char *const argv[] = {"ssh-keygen", "-Y", "find-principals",
	    "-s", c->sig, "-f", c->allowed, NULL};
	struct qt_buf out;
	int r;

	qt_buf_init(&out, 0);
	r = run(c, argv, false, &out, told, err);
	if (r == 0)
		first_line(&out, who, PRINCIPAL_SIZE);
	qt_buf_release(&out);
	return r == 0 && who[0] == '\0' ? 1 : r;
}

static int verify(const struct check *c, const char *who, char told[256],
    struct qt_error *err)
{
	const char *const by[] = {"ssh-keygen", "-Y", "verify", "-f",
	    c->allowed, "-I", who, "-n", NAMESPACE, "-s", c->sig, NULL};
	const char *const any[] = {"ssh-keygen", "-Y", "check-novalidate",
	    "-n", NAMESPACE, "-s", c->sig, NULL};
	struct qt_buf out;
	int r;

	qt_buf_init(&out, 0);
	r = run(c, who != NULL ? by : any, true, &out, told, err);
	if (r == 0)
		first_line(&out, told, 256);
	qt_buf_release(&out);
	return r;
}

static int check(const struct check *c, char told[256], struct qt_error *err)
{
	const char *who = c->opts->identity;
	char found[PRINCIPAL_SIZE] = "";
	int r;

	if (write_file(c, "sig", c->s->signature, c->s->signature_len, err) != 0)
		return -1;
	if (c->opts->allowed == NULL)
		return verify(c, NULL, told, err);
	if (write_file(c, "allowed", c->opts->allowed, c->opts->allowed_len,
		err) != 0)
		return -1;
	if (who == NULL) {
		if ((r = find_principal(c, found, told, err)) != 0) {
			(void)strlcpy(told, "its key is none of those that are "
			    "allowed to sign", 256);
			return r;
		}
		who = found;
	}
	return verify(c, who, told, err);
}

int qt_signature_check(const struct qt_signed *s,
    const struct qt_signature_opts *opts, char told[256], struct qt_error *err)
{
	struct check c = {.s = s, .opts = opts};
	int r;

	told[0] = '\0';
	c.dir = open(opts->tmp_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.dir < 0)
		return fail(err, "open", opts->tmp_dir);
	(void)snprintf(c.sig, sizeof c.sig, "%s/sig", opts->tmp_dir);
	(void)snprintf(c.allowed, sizeof c.allowed, "%s/allowed",
	    opts->tmp_dir);
	r = check(&c, told, err);
	(void)unlinkat(c.dir, "sig", 0);
	(void)unlinkat(c.dir, "allowed", 0);
	qt_close_quiet(&c.dir);
	return r;
}
