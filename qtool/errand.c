/*
 * errand.c - a process that does one kind of thing for a judge.
 *
 * A request is its length and the bytes; the answer a head and the bytes.
 * Numbers are in this machine's order: both ends are one program.
 */
#include "errand.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct answer_head {
	int32_t failed;
	struct qt_error err; /* with failed */
	uint32_t len;	     /* bytes that follow */
};

/* ---- whole reads and writes ---- */

/* 0, or -1: the other side has ended. */
static int get(int fd, void *to, size_t len)
{
	char *p = to;
	ssize_t n;

	while (len != 0) {
		n = recv(fd, p, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
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
		n = send(fd, p, len, MSG_NOSIGNAL);
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

struct server {
	int fd;
	errand_fn *fn;
	errand_end_fn *end; /* NULL none */
	void *ctx;
	char *room; /* ERRAND_MAX + 1 bytes */
};

/* One request: 0, or not when there are no more. */
static int serve_one(const struct server *s)
{
	struct answer_head head;
	struct qt_buf answer;
	uint32_t len;
	int r = -1;

	if (get(s->fd, &len, sizeof(len)) != 0 || len > ERRAND_MAX ||
	    get(s->fd, s->room, len) != 0)
		return -1;
	s->room[len] = '\0';
	memset(&head, 0, sizeof(head));
	qt_buf_init(&answer, ERRAND_MAX);
	head.failed = s->fn(s->ctx, s->room, len, &answer, &head.err) != 0 ||
	    qt_buf_check(&answer, &head.err) != 0;
	if (head.failed)
		qt_buf_clear(&answer);
	head.len = (uint32_t)answer.len;
	if (put(s->fd, &head, sizeof(head)) == 0)
		r = put(s->fd, qt_buf_str(&answer), answer.len);
	qt_buf_release(&answer);
	return r;
}

static void serve(const char *name, struct server *s)
{
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL);
	/* it ends with the judge, who is told to end */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	s->room = malloc(ERRAND_MAX + 1);
	while (s->room != NULL && serve_one(s) == 0)
		;
	if (s->end != NULL)
		s->end(s->ctx);
	_exit(0);
}

int errand_start(struct errand *e, const char *name, errand_fn *fn,
    errand_end_fn *end, void *ctx, struct qt_error *err)
{
	struct server s = {.fn = fn, .end = end, .ctx = ctx};
	int fd[2];

	*e = ERRAND_NONE;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
		return qt_fail_sys(err, "socketpair", name);
	e->pid = fork();
	if (e->pid == 0) {
		(void)close(fd[0]);
		s.fd = fd[1];
		serve(name, &s);
	}
	if (e->pid < 0) {
		(void)qt_fail_sys(err, "fork", name);
		e->pid = 0;
		(void)close(fd[0]);
		(void)close(fd[1]);
		return -1;
	}
	(void)close(fd[1]);
	e->fd = fd[0];
	return 0;
}

/* ---- the judge's side ---- */

/* What it says of itself must be text whatever has become of it. */
static int its_error(struct answer_head *head, struct qt_error *err)
{
	head->err.where[sizeof(head->err.where) - 1] = '\0';
	head->err.text[sizeof(head->err.text) - 1] = '\0';
	if (head->err.code <= QT_OK || head->err.code > QT_E_INTERRUPTED)
		head->err.code = QT_E_LIBRARY;
	if (err != NULL)
		*err = head->err;
	return -1;
}

int errand_run(struct errand *e, const void *bytes, size_t len,
    struct qt_buf *answer, struct qt_error *err)
{
	const uint32_t n = (uint32_t)len;
	struct answer_head head;
	char *room;
	int r;

	if (len > ERRAND_MAX)
		return qt_fail(err, QT_E_NOMEM, "", "too much for one request");
	if (put(e->fd, &n, sizeof(n)) != 0 || put(e->fd, bytes, len) != 0 ||
	    get(e->fd, &head, sizeof(head)) != 0 || head.len > ERRAND_MAX)
		return qt_fail(err, QT_E_LIBRARY, "",
		    "the process that does it has ended");
	if (head.failed)
		return its_error(&head, err);
	room = malloc((size_t)head.len + 1);
	if (room == NULL)
		return qt_fail_mem(err);
	r = get(e->fd, room, head.len);
	qt_buf_clear(answer);
	if (r != 0)
		r = qt_fail(err, QT_E_LIBRARY, "",
		    "the process that does it has ended");
	else
		qt_buf_add(answer, room, head.len);
	free(room);
	return r == 0 ? qt_buf_check(answer, err) : r;
}

void errand_forget(struct errand *e)
{
	if (e->fd >= 0)
		(void)close(e->fd);
	*e = ERRAND_NONE;
}

void errand_release(struct errand *e)
{
	if (e->fd >= 0) {
		/* the hand, started later, may have a copy of it */
		(void)shutdown(e->fd, SHUT_RDWR);
		(void)close(e->fd);
	}
	while (e->pid > 0 && waitpid(e->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*e = ERRAND_NONE;
}
