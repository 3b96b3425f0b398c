/*
 * signer.c - a process that signs, as the judge runs no programs.
 *
 * A request is its length and the bytes; the answer a status, a length and the
 * signature, or what went wrong.  Numbers are in this machine's order: both
 * ends are one program.
 */
#include "signer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX ((uint32_t)64 << 10)

struct answer_head {
	uint32_t failed, len;
};

/* ---- whole reads and writes ---- */

/* 0, 1 at the end of the other side, -1 with errno. */
static int get(int fd, void *to, size_t len)
{
	char *p = to;
	ssize_t n;

	while (len != 0) {
		n = read(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 1 : -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int put(int fd, const void *from, size_t len)
{
	const char *p = from;
	ssize_t n;

	while (len != 0) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* ---- the process ---- */

/* One request: 0, or not when there are no more. */
static int serve_one(struct signer *s, int fd, char *room)
{
	struct answer_head head;
	struct qt_error err = {0};
	struct qt_buf sig;
	uint32_t len;
	int r = -1;

	if (get(fd, &len, sizeof(len)) != 0 || len > QT_SIGNED_MAX ||
	    get(fd, room, len) != 0)
		return -1;
	qt_buf_init(&sig, 0);
	head.failed = qt_sshsig_sign(s->key, qt_buf_str(&s->pub), room, len,
	    &sig, &err) != 0;
	if (head.failed) {
		qt_buf_clear(&sig);
		qt_buf_adds(&sig, err.text);
	}
	head.len = (uint32_t)sig.len;
	if (sig.len <= ANSWER_MAX && put(fd, &head, sizeof(head)) == 0)
		r = put(fd, qt_buf_str(&sig), sig.len);
	qt_buf_release(&sig);
	return r;
}

static void serve(struct signer *s, int fd)
{
	char *room = malloc(QT_SIGNED_MAX);

	(void)prctl(PR_SET_NAME, "qtool-signer", 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL);
	while (room != NULL && serve_one(s, fd, room) == 0)
		;
	_exit(0);
}

/* ---- our side ---- */

void signer_init(struct signer *s)
{
	*s = (struct signer){.fd = -1};
	qt_buf_init(&s->pub, 0);
}

int signer_start(struct signer *s, const char *key, struct qt_error *err)
{
	int fd[2];

	s->key = key;
	if (qt_sshsig_public(key, &s->pub, err) != 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
		return qt_fail_sys(err, "socketpair", "signer");
	s->pid = fork();
	if (s->pid == 0) {
		(void)close(fd[0]);
		serve(s, fd[1]);
	}
	(void)close(fd[1]);
	s->fd = fd[0];
	return s->pid > 0 ? 0 : qt_fail_sys(err, "fork", "signer");
}

int signer_sign(void *ctx, const void *bytes, size_t len, struct qt_buf *sig,
    struct qt_error *err)
{
	struct signer *s = ctx;
	uint32_t n = (uint32_t)len;
	struct answer_head head;
	char *text;
	int r;

	if (len > QT_SIGNED_MAX)
		return qt_fail(err, QT_E_NOMEM, s->key, "too much to be signed");
	if (put(s->fd, &n, sizeof(n)) != 0 || put(s->fd, bytes, len) != 0 ||
	    get(s->fd, &head, sizeof(head)) != 0 || head.len > ANSWER_MAX)
		return qt_fail(err, QT_E_SYS, s->key,
		    "the process that signs has ended");
	text = malloc(head.len + 1);
	if (text == NULL)
		return qt_fail_mem(err);
	r = get(s->fd, text, head.len);
	text[r == 0 ? head.len : 0] = '\0';
	if (r != 0 || head.failed)
		r = qt_fail(err, QT_E_LIBRARY, s->key, "not signed: %s",
		    r != 0 ? "the process that signs has ended" : text);
	if (r == 0) {
		qt_buf_clear(sig);
		qt_buf_add(sig, text, head.len);
		r = qt_buf_check(sig, err);
	}
	free(text);
	return r;
}

void signer_forget(struct signer *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	s->pid = 0;
}

void signer_release(struct signer *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	while (s->pid > 0 && waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
	qt_buf_release(&s->pub);
}
