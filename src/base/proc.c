/*
 * proc.c - run another program and take what it prints.
 *
 * posix_spawn, not fork: the caller may have threads and much memory.
 */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "qtool/escape.h"

#define SAFE_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Of standard error the last part is kept; the reason comes last. */
#define STDERR_KEEP ((size_t)4096)

#define BLOCK ((size_t)16384) /* read at once */
#define TICK_MS 200

/* What it is started with. */
struct start {
	const char *const *argv;
	int in; /* -1: /dev/null */
	const char *const *env; /* NULL none; NULL ends it */
};

/* A running program and the ends of its pipes that are ours. */
struct child {
	pid_t pid;
	int out, err; /* -1 when at their end */
};

/*
 * Two pipes whose ends are all above 2, so that making them the child's
 * descriptors cannot overwrite one of them when ours are closed.
 */
static int open_pipe(int fds[2], struct qt_error *err)
{
	int raw[2], i;

	if (pipe2(raw, O_CLOEXEC) < 0)
		return qt_fail_sys(err, "pipe", "");
	for (i = 0; i < 2; i++)
		fds[i] = fcntl(raw[i], F_DUPFD_CLOEXEC, 3);
	if (fds[0] < 0 || fds[1] < 0) {
		(void)qt_fail_sys(err, "fcntl", "");
		qt_close_quiet(&fds[0]);
		qt_close_quiet(&fds[1]);
	}
	qt_close_quiet(&raw[0]);
	qt_close_quiet(&raw[1]);
	return fds[0] < 0 ? -1 : 0;
}

/* What the child does before exec; the numbers are errno values. */
static int set_actions(posix_spawn_file_actions_t *fa, int in, int out,
    int errfd)
{
	int e;

	e = in >= 0 ? posix_spawn_file_actions_adddup2(fa, in, 0) :
	    posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDONLY, 0);
	if (e == 0)
		e = posix_spawn_file_actions_adddup2(fa, out, 1);
	if (e == 0)
		e = posix_spawn_file_actions_adddup2(fa, errfd, 2);
	if (e == 0)
		e = posix_spawn_file_actions_addclosefrom_np(fa, 3);
	return e;
}

/* Signals as a program expects them, whatever we block or ignore. */
static int set_signals(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int e;

	sigemptyset(&none);
	sigfillset(&all);
	e = posix_spawnattr_setsigmask(attr, &none);
	if (e == 0)
		e = posix_spawnattr_setsigdefault(attr, &all);
	if (e == 0)
		e = posix_spawnattr_setflags(attr,
		    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	return e;
}

/* Try one file; an errno value. */
static int spawn_file(pid_t *pid, const char *file, const struct start *s,
    const posix_spawn_file_actions_t *fa, const posix_spawnattr_t *attr)
{
	static const char path[] = "PATH=" SAFE_PATH, lang[] = "LC_ALL=C";
	const char *env[QT_PROC_ENV + 3] = {path, lang, NULL};
	size_t i;

	for (i = 0; s->env != NULL && i < QT_PROC_ENV && s->env[i] != NULL; i++)
		env[i + 2] = s->env[i];

	/* POSIX: the arrays are not written to, the type is of old C */
	return posix_spawn(pid, file, fa, attr,
	    (char *const *)(uintptr_t)s->argv, (char *const *)(uintptr_t)env);
}

/* Find argv[0] in SAFE_PATH; posix_spawnp would look in our own $PATH. */
static int spawn_search(pid_t *pid, const struct start *s,
    const posix_spawn_file_actions_t *fa, const posix_spawnattr_t *attr)
{
	const char *dir = SAFE_PATH, *end, *name = s->argv[0];
	char file[PATH_MAX];
	int e, n, denied = 0;

	if (strchr(name, '/') != NULL)
		return spawn_file(pid, name, s, fa, attr);
	if (name[0] == '\0')
		return ENOENT;
	for (; dir != NULL; dir = *end != '\0' ? end + 1 : NULL) {
		end = strchrnul(dir, ':');
		n = snprintf(file, sizeof file, "%.*s/%s", (int)(end - dir),
		    dir, name);
		if (n < 0 || (size_t)n >= sizeof file)
			return ENAMETOOLONG;
		e = spawn_file(pid, file, s, fa, attr);
		if (e != ENOENT && e != ENOTDIR && e != EACCES)
			return e;
		denied |= e == EACCES;
	}
	return denied ? EACCES : ENOENT;
}

static int spawn(pid_t *pid, const struct start *s, int out, int errfd,
    struct qt_error *err)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int e;

	e = posix_spawn_file_actions_init(&fa);
	if (e == 0) {
		e = posix_spawnattr_init(&attr);
		if (e == 0) {
			e = set_actions(&fa, s->in, out, errfd);
			if (e == 0)
				e = set_signals(&attr);
			if (e == 0)
				e = spawn_search(pid, s, &fa, &attr);
			(void)posix_spawnattr_destroy(&attr);
		}
		(void)posix_spawn_file_actions_destroy(&fa);
	}
	if (e == 0)
		return 0;
	errno = e;
	(void)qt_fail_sys(err, "run", s->argv[0]);
	/* a missing program is not a missing message: the run cannot go on */
	if (err != NULL)
		err->code = QT_E_SYS;
	return -1;
}

static int start(struct child *c, const struct start *s,
    struct qt_error *err)
{
	int out[2], errs[2];

	if (open_pipe(out, err) < 0)
		return -1;
	if (open_pipe(errs, err) < 0) {
		qt_close_quiet(&out[0]);
		qt_close_quiet(&out[1]);
		return -1;
	}
	*c = (struct child){.pid = -1, .out = out[0], .err = errs[0]};
	(void)spawn(&c->pid, s, out[1], errs[1], err);
	/* ours must go, or the end of the child's output never comes */
	qt_close_quiet(&out[1]);
	qt_close_quiet(&errs[1]);
	if (c->pid > 0)
		return 0;
	qt_close_quiet(&c->out);
	qt_close_quiet(&c->err);
	return -1;
}

/* Read once from *fd, closing it at its end; *n 0: nothing came. */
static int read_once(int *fd, char block[BLOCK], size_t *n,
    struct qt_error *err)
{
	ssize_t got = read(*fd, block, BLOCK);

	*n = got > 0 ? (size_t)got : 0;
	if (got < 0)
		return errno == EINTR ? 0 : qt_fail_sys(err, "read", "pipe");
	if (got == 0)
		qt_close_quiet(fd);
	return 0;
}

/* Keep the tail of what the program said. */
static void trim(struct qt_buf *said)
{
	size_t drop;

	if (said->len <= STDERR_KEEP)
		return;
	drop = said->len - STDERR_KEEP;
	memmove(said->data, said->data + drop, STDERR_KEEP + 1);
	said->len = STDERR_KEEP;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool stopped(const struct qt_proc_sink *to)
{
	return to->stop != NULL && *to->stop;
}

/*
 * Until something comes: 0, and which in p.  A stop is looked for now and then,
 * as its signal may come right before poll().
 */
static int wait_for(struct child *c, const char *name,
    const struct qt_proc_sink *to, int64_t last, struct pollfd p[2],
    struct qt_error *err)
{
	const int tick = to->stop != NULL || to->silence_ms != 0 ? TICK_MS : -1;
	int n;

	for (;;) {
		/* poll passes over negative descriptors */
		p[0] = (struct pollfd){.fd = c->out, .events = POLLIN};
		p[1] = (struct pollfd){.fd = c->err, .events = POLLIN};
		n = poll(p, 2, tick);
		if (n < 0 && errno != EINTR)
			return qt_fail_sys(err, "poll", name);
		if (stopped(to))
			return qt_fail(err, QT_E_INTERRUPTED, name,
			    "interrupted");
		if (n > 0)
			return 0;
		if (to->silence_ms != 0 && now_ms() - last >= to->silence_ms)
			return qt_fail(err, QT_E_LIBRARY, name,
			    "nothing came from it for %u seconds",
			    (to->silence_ms + 999) / 1000);
	}
}

/* Both pipes to their ends, in step, so that neither blocks the program. */
static int collect(struct child *c, const char *name,
    const struct qt_proc_sink *to, struct qt_buf *said, struct qt_error *err)
{
	int64_t last = now_ms();
	char block[BLOCK];
	struct pollfd p[2];
	size_t n;

	while (c->out >= 0 || c->err >= 0) {
		if (wait_for(c, name, to, last, p, err) != 0)
			return -1;
		if (p[0].revents != 0) {
			if (read_once(&c->out, block, &n, err) != 0 ||
			    (n != 0 && to->take(to->ctx, block, n, err) != 0))
				return -1;
			last = now_ms();
		}
		if (p[1].revents != 0) {
			if (read_once(&c->err, block, &n, err) != 0)
				return -1;
			qt_buf_add(said, block, n);
			if (qt_buf_check(said, err) != 0)
				return -1;
			trim(said);
		}
	}
	return 0;
}

/* Wait for the program's end; never fails for a child of ours. */
static int reap(pid_t pid, int *status, const char *name, struct qt_error *err)
{
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return qt_fail_sys(err, "waitpid", name);
	return 0;
}

/* The last line that is not blank, without its end, in *len bytes. */
static const char *last_line(const struct qt_buf *b, size_t *len)
{
	const char *s = qt_buf_str(b);
	size_t end = b->len, start;

	while (end > 0 && strchr(" \t\r\n", s[end - 1]) != NULL)
		end--;
	for (start = end; start > 0 && s[start - 1] != '\n';)
		start--;
	*len = end - start;
	return s + start;
}

/* A failed exit in words. */
static int fail_exit(int status, const char *name, const struct qt_buf *said,
    struct qt_error *err)
{
	struct qt_buf shown;
	const char *line;
	size_t len;

	if (WIFSIGNALED(status))
		return qt_fail(err, QT_E_LIBRARY, name, "killed by signal %d",
		    WTERMSIG(status));
	qt_buf_init(&shown, 0);
	line = last_line(said, &len);
	qt_escape_term(&shown, line, len);
	if (shown.len != 0)
		(void)qt_fail(err, QT_E_LIBRARY, name, "exit status %d: %s",
		    WEXITSTATUS(status), qt_buf_str(&shown));
	else
		(void)qt_fail(err, QT_E_LIBRARY, name, "exit status %d",
		    WEXITSTATUS(status));
	qt_buf_release(&shown);
	return -1;
}

/* Collect and reap; *status is the program's own. */
static int finish(struct child *c, const char *name,
    const struct qt_proc_sink *to, struct qt_buf *said, int *status,
    struct qt_error *err)
{
	int r;

	r = collect(c, name, to, said, err);
	if (r < 0)
		(void)kill(c->pid, SIGKILL);
	qt_close_quiet(&c->out);
	qt_close_quiet(&c->err);
	/* the first failure is the one to tell */
	if (reap(c->pid, status, name, r < 0 ? NULL : err) < 0)
		r = -1;
	return r;
}

static int run(const struct start *s, const struct qt_proc_sink *to,
    int *exit_status, struct qt_error *err)
{
	struct qt_buf said;
	struct child c;
	int status = 0, r;

	if (start(&c, s, err) < 0)
		return -1;
	qt_buf_init(&said, STDERR_KEEP + BLOCK);
	r = finish(&c, s->argv[0], to, &said, &status, err);
	if (r == 0 && stopped(to)) /* Ctrl-C reached it, too */
		r = qt_fail(err, QT_E_INTERRUPTED, s->argv[0], "interrupted");
	else if (r == 0 && WIFEXITED(status) && exit_status != NULL)
		*exit_status = WEXITSTATUS(status);
	else if (r == 0 && status != 0)
		r = fail_exit(status, s->argv[0], &said, err);
	qt_buf_release(&said);
	return r;
}

/* Output that is wanted whole. */
struct whole {
	struct qt_buf *out;
	size_t max;
	const char *name;
};

static int to_buf(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	struct whole *w = ctx;

	qt_buf_add(w->out, bytes, len);
	if (qt_buf_check(w->out, err) != 0)
		return -1;
	return w->out->len <= w->max ? 0 : qt_fail(err, QT_E_NOMEM, w->name,
	    "more than %zu bytes of output", w->max);
}

static int capture(const struct start *s, size_t max, struct qt_buf *out,
    int *exit_status, struct qt_error *err)
{
	struct whole w = {out, max, s->argv[0]};
	int r;

	qt_buf_clear(out);
	r = run(s, &(struct qt_proc_sink){.take = to_buf, .ctx = &w},
	    exit_status, err);
	if (r < 0)
		qt_buf_clear(out);
	return r;
}

int qt_proc_capture(const char *const argv[], size_t max, struct qt_buf *out,
    int *exit_status, struct qt_error *err)
{
	return capture(&(struct start){.argv = argv, .in = -1}, max, out,
	    exit_status, err);
}

int qt_proc_stream(const char *const argv[], const struct qt_proc_sink *sink,
    struct qt_error *err)
{
	return run(&(struct start){.argv = argv, .in = -1}, sink, NULL, err);
}

int qt_proc_filter(const char *const argv[], const struct qt_proc_input *in,
    size_t max, struct qt_buf *out, struct qt_error *err)
{
	struct start s = {.argv = argv, .in = -1, .env = in->env};
	int p[2], r;

	if (in->bytes == NULL)
		return capture(&s, max, out, NULL, err);
	if (in->len > QT_PROC_INPUT_MAX)
		return qt_fail(err, QT_E_NOMEM, argv[0], "too much input");
	if (open_pipe(p, err) < 0)
		return -1;
	/* it fits into the pipe: nobody has to read for this to return */
	r = qt_write_all(p[1], in->bytes, in->len) != 0 ?
	    qt_fail_sys(err, "write", "pipe") : 0;
	qt_close_quiet(&p[1]);
	s.in = p[0];
	if (r == 0)
		r = capture(&s, max, out, NULL, err);
	qt_close_quiet(&p[0]);
	return r;
}
