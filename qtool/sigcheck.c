/*
 * sigcheck.c - signatures checked in a process of its own.
 *
 * The judge that reads an archive runs no programs (confine.h), and what it
 * reads comes first: so the one who runs ssh-keygen is forked before.  It is
 * given bytes over a socket and gives back what ssh-keygen said.  Started by
 * root it is nobody by then: the signature is a stranger's, too.
 */
#include "sigcheck.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"

#define NOBODY 65534
#define ALLOWED_MAX ((size_t)1 << 20)
#define DATA_MAX ((size_t)64 << 20)

struct request {
	uint32_t signature_len, data_len; /* the bytes follow */
};
struct reply {
	int32_t r, code;
	char told[256], where[160], text[400];
};

/* ---- the options ---- */

int signers_option(struct signers *s, const struct qt_option *opt,
    const char *value)
{
	switch (opt->id) {
	case OPT_ALLOWED:
		s->allowed = value;
		return 0;
	case OPT_IDENTITY:
		s->identity = value;
		return 0;
	default:
		return 1;
	}
}

int signers_check(const struct signers *s, struct qt_error *err)
{
	if (s->identity != NULL && s->allowed == NULL)
		return qt_fail(err, QT_E_USAGE, "--identity",
		    "is looked for in the file of --allowed-signers");
	return 0;
}

/* ---- bytes ---- */

static bool send_all(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return false;
	}
	return true;
}

static bool receive_all(int fd, void *bytes, size_t len)
{
	char *p = bytes;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = recv(fd, p, len, 0);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			return false;
	}
	return true;
}

/* ---- the process ---- */

static void answer(int fd, const struct qt_signed *what,
    const struct qt_signature_opts *opts)
{
	struct qt_error err = {0};
	struct reply a;

	memset(&a, 0, sizeof(a));
	a.r = qt_signature_check(what, opts, a.told, &err);
	a.code = (int32_t)err.code;
	(void)strlcpy(a.where, err.where, sizeof(a.where));
	(void)strlcpy(a.text, err.text, sizeof(a.text));
	(void)send_all(fd, &a, sizeof(a));
}

static void serve(int fd, const struct qt_signature_opts *opts)
{
	struct request q;
	char *bytes;

	while (receive_all(fd, &q, sizeof(q))) {
		if (q.signature_len > DATA_MAX || q.data_len > DATA_MAX)
			return;
		bytes = malloc((size_t)q.signature_len + q.data_len + 1);
		if (bytes == NULL || !receive_all(fd, bytes,
			(size_t)q.signature_len + q.data_len)) {
			free(bytes);
			return;
		}
		answer(fd, &(struct qt_signed){"", bytes,
		    bytes + q.signature_len, q.signature_len, q.data_len}, opts);
		free(bytes);
	}
}

/* For good; whoever it is not root for stays who he is. */
static bool become_nobody(void)
{
	if (geteuid() == 0 && (setgroups(0, NULL) != 0 ||
		setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
		setresuid(NOBODY, NOBODY, NOBODY) != 0))
		return false;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static int be_checker(int fd, const struct qt_buf *allowed, bool have_allowed,
    const char *identity)
{
	char dir[] = "/tmp/qtool-sign.XXXXXX";
	struct qt_signature_opts opts = {
	    .allowed = have_allowed ? qt_buf_str(allowed) : NULL,
	    .allowed_len = allowed->len, .identity = identity, .tmp_dir = dir};

	(void)prctl(PR_SET_NAME, "qtool-sigcheck", 0, 0, 0);
	/* it ends with the judge, who is told to end */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	if (!become_nobody() || mkdtemp(dir) == NULL)
		return EXIT_FAILED;
	serve(fd, &opts);
	(void)rmdir(dir);
	return EXIT_DONE;
}

int sigcheck_start(struct sigcheck *s, const struct signers *who,
    struct qt_error *err)
{
	struct qt_buf lines;
	int fd[2], r = 0;

	*s = (struct sigcheck){.fd = -1};
	qt_buf_init(&lines, ALLOWED_MAX);
	if (who->allowed != NULL)
		r = read_named(&lines, who->allowed, err);
	if (r == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) !=
	    0)
		r = qt_fail_sys(err, "socketpair", "sigcheck");
	if (r != 0) {
		qt_buf_release(&lines);
		return -1;
	}
	(void)fflush(stdout);
	s->pid = fork();
	if (s->pid == 0) {
		(void)close(fd[0]);
		_exit(be_checker(fd[1], &lines, who->allowed != NULL,
		    who->identity));
	}
	if (s->pid < 0)
		r = qt_fail_sys(err, "fork", "sigcheck");
	(void)close(fd[1]);
	if (r == 0)
		s->fd = fd[0];
	else
		(void)close(fd[0]);
	qt_buf_release(&lines);
	return r;
}

/* ---- the judge's side ---- */

int sigcheck_check(struct sigcheck *s, const struct qt_signed *what,
    char told[256], struct qt_error *err)
{
	const struct request q = {(uint32_t)what->signature_len,
	    (uint32_t)what->data_len};
	struct reply a;

	if (what->signature_len > DATA_MAX || what->data_len > DATA_MAX)
		return qt_fail(err, QT_E_NOMEM, what->name,
		    "what is signed is too long");
	if (!send_all(s->fd, &q, sizeof(q)) ||
	    !send_all(s->fd, what->signature, what->signature_len) ||
	    !send_all(s->fd, what->data, what->data_len) ||
	    !receive_all(s->fd, &a, sizeof(a)))
		return qt_fail(err, QT_E_LIBRARY, "ssh-keygen",
		    "the process that runs it has ended");
	a.told[sizeof(a.told) - 1] = a.text[sizeof(a.text) - 1] = '\0';
	a.where[sizeof(a.where) - 1] = '\0';
	(void)strlcpy(told, a.told, 256);
	if (a.r >= 0)
		return a.r == 0 ? 0 : 1;
	return qt_fail(err, a.code > QT_OK && a.code <= QT_E_INTERRUPTED ?
	    (enum qt_code)a.code : QT_E_LIBRARY, a.where, "%s", a.text);
}

void sigcheck_stop(struct sigcheck *s)
{
	if (s->fd < 0)
		return;
	/* the hand, started later, may have a copy of it */
	(void)shutdown(s->fd, SHUT_RDWR);
	(void)close(s->fd);
	s->fd = -1;
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
