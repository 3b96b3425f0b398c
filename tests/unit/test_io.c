/*
 * test_io.c - checked I/O on files and pipes, and running other programs.
 */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/proc.h"

/* A directory for one test. */
struct place {
	char dir[64];
	int fd;
};

static int make_place(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	if (p == NULL)
		return -1;
	(void)snprintf(p->dir, sizeof p->dir, "/tmp/qtool-io-XXXXXX");
	if (mkdtemp(p->dir) == NULL)
		return -1;
	p->fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	return p->fd < 0 ? -1 : 0;
}

static int remove_place(void **state)
{
	static const char *const names[] = {"file", "link", "fifo", "socket"};
	struct place *p = *state;
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		(void)unlinkat(p->fd, names[i], 0);
	(void)unlinkat(p->fd, "sub", AT_REMOVEDIR);
	(void)close(p->fd);
	(void)rmdir(p->dir);
	free(p);
	return 0;
}

static void put(const struct place *p, const char *name, const void *bytes,
    size_t len)
{
	int fd = openat(p->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);

	assert_true(fd >= 0);
	assert_int_equal(qt_write_all(fd, bytes, len), 0);
	assert_int_equal(qt_close(&fd, name, NULL), 0);
	assert_int_equal(fd, -1);
}

static void read_stops_at_the_end(void **state)
{
	struct place *p = *state;
	char buf[16];
	size_t got = 99;
	int fd;

	put(p, "file", "0123456789", 10);
	fd = openat(p->fd, "file", O_RDONLY | O_CLOEXEC);
	assert_int_equal(qt_read_all(fd, buf, 4, &got), 0);
	assert_int_equal(got, 4);
	assert_int_equal(qt_pread_all(fd, buf, 16, 7, &got), 0);
	assert_int_equal(got, 3);
	assert_memory_equal(buf, "789", 3);
	assert_int_equal(qt_read_all(fd, buf, 16, &got), 0);
	assert_int_equal(got, 6);
	assert_memory_equal(buf, "456789", 6);
	assert_int_equal(qt_pread_all(fd, buf, 16, 100, &got), 0);
	assert_int_equal(got, 0);
	qt_close_quiet(&fd);
	got = 99;
	assert_int_equal(qt_read_all(fd, buf, 1, &got), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(got, 99);
}

static void pwrite_lands_at_its_offset(void **state)
{
	struct place *p = *state;
	struct qt_buf b;
	int fd;

	put(p, "file", "0123456789", 10);
	fd = openat(p->fd, "file", O_WRONLY | O_CLOEXEC);
	assert_int_equal(qt_pwrite_all(fd, "abc", 3, 4), 0);
	qt_close_quiet(&fd);
	qt_buf_init(&b, 0);
	assert_int_equal(qt_slurp(p->fd, "file", 100, &b, NULL), 0);
	assert_string_equal(qt_buf_str(&b), "0123abc789");
	qt_buf_release(&b);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A child moves bytes slowly while a timer interrupts our calls. */
static void interrupted_pipe_transfers_are_complete(void **state)
{
	struct sigaction sa = {.sa_handler = on_alarm}, old;
	struct itimerval every = {{0, 500}, {0, 500}}, off = {0};
	static char data[300000], back[300000];
	size_t i, got = 0;
	int to[2], from[2], status;
	pid_t pid;

	(void)state;
	for (i = 0; i < sizeof data; i++)
		data[i] = (char)(i * 7 + i / 251);
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(to[1]);
		(void)close(from[0]);
		if (qt_read_all(to[0], back, sizeof back, &got) < 0 ||
		    qt_write_all(from[1], back, got) < 0)
			_exit(1);
		_exit(0);
	}
	(void)close(to[0]);
	(void)close(from[1]);
	(void)sigaction(SIGALRM, &sa, &old); /* without SA_RESTART */
	(void)setitimer(ITIMER_REAL, &every, NULL);
	assert_int_equal(qt_write_all(to[1], data, sizeof data), 0);
	(void)close(to[1]);
	assert_int_equal(qt_read_all(from[0], back, sizeof back, &got), 0);
	(void)setitimer(ITIMER_REAL, &off, NULL);
	(void)sigaction(SIGALRM, &old, NULL);
	assert_int_equal(got, sizeof data);
	assert_memory_equal(back, data, sizeof data);
	(void)close(from[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_full_device_is_an_error(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(qt_write_all(fd, "x", 1), -1);
	assert_int_equal(errno, ENOSPC);
	qt_close_quiet(&fd);
}

static void slurp_reads_all_bytes(void **state)
{
	static char big[70000];
	struct place *p = *state;
	struct qt_buf b;

	memset(big, 'b', sizeof big);
	big[1] = '\0';
	put(p, "file", big, sizeof big);
	qt_buf_init(&b, 0);
	qt_buf_adds(&b, "old content");
	assert_int_equal(qt_slurp(p->fd, "file", sizeof big, &b, NULL), 0);
	assert_int_equal(b.len, sizeof big);
	assert_memory_equal(b.data, big, sizeof big);
	put(p, "file", "", 0);
	assert_int_equal(qt_slurp(p->fd, "file", 0, &b, NULL), 0);
	assert_int_equal(b.len, 0);
	/* its size says 0, its content is longer than that and than 1 */
	assert_int_equal(qt_slurp(AT_FDCWD, "/proc/self/status", 100000, &b,
	    NULL), 0);
	assert_true(b.len > 100);
	assert_int_equal(qt_slurp(AT_FDCWD, "/proc/self/status", 1, &b, NULL),
	    -1);
	qt_buf_release(&b);
}

static void refuse(const struct place *p, const char *name, size_t max,
    enum qt_code code)
{
	struct qt_error err = {0};
	struct qt_buf b;

	qt_buf_init(&b, 0);
	qt_buf_adds(&b, "old content");
	assert_int_equal(qt_slurp(p->fd, name, max, &b, &err), -1);
	assert_int_equal(err.code, code);
	assert_string_equal(err.where, name);
	assert_int_equal(b.len, 0);
	qt_buf_release(&b);
}

static void slurp_refuses_what_is_no_plain_file(void **state)
{
	struct place *p = *state;
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int s;

	put(p, "file", "0123456789", 10);
	assert_int_equal(symlinkat("file", p->fd, "link"), 0);
	assert_int_equal(mkfifoat(p->fd, "fifo", 0600), 0);
	assert_int_equal(mkdirat(p->fd, "sub", 0700), 0);
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(sun.sun_path, sizeof sun.sun_path, "%s/socket", p->dir);
	assert_int_equal(bind(s, (struct sockaddr *)&sun, sizeof sun), 0);
	refuse(p, "link", 100, QT_E_CORRUPT);
	refuse(p, "fifo", 100, QT_E_CORRUPT);
	refuse(p, "sub", 100, QT_E_CORRUPT);
	refuse(p, "socket", 100, QT_E_CORRUPT);
	refuse(p, "file", 9, QT_E_CORRUPT);
	refuse(p, "absent", 100, QT_E_GONE);
	refuse(p, "file/x", 100, QT_E_SYS);
	(void)close(s);
}

static void close_reports_once_and_forgets(void **state)
{
	struct qt_error err = {0};
	int fd = 999;

	(void)state;
	assert_int_equal(qt_close(&fd, "f", &err), -1);
	assert_int_equal(err.sys, EBADF);
	assert_int_equal(fd, -1);
	assert_int_equal(qt_close(&fd, "f", &err), 0);
	fd = 999;
	errno = EIO;
	qt_close_quiet(&fd);
	assert_int_equal(errno, EIO);
}

/* ---- programs ---- */

/* Run sh -c with a script of ours. */
static int run(const char *script, size_t max, struct qt_buf *out, int *status,
    struct qt_error *err)
{
	const char *const argv[] = {"sh", "-c", script, NULL};

	return qt_proc_capture(argv, max, out, status, err);
}

static void program_runs_in_a_clean_world(void **state)
{
	struct qt_buf b;
	int fds[2];

	(void)state;
	(void)setenv("MAIL_CONFIG", "/nowhere", 1);
	(void)setenv("PATH", "/nowhere", 1);
	assert_int_equal(pipe(fds), 0); /* not close-on-exec, on purpose */
	qt_buf_init(&b, 0);
	assert_int_equal(run("cat; echo \"$MAIL_CONFIG|$PATH|$LC_ALL|\"; "
	    "test -e /proc/self/fd/3 || test -e /proc/self/fd/4 || echo shut",
	    1000, &b, NULL, NULL), 0);
	assert_string_equal(qt_buf_str(&b), "|/usr/local/sbin:/usr/local/bin:"
	    "/usr/sbin:/usr/bin:/sbin:/bin|C|\nshut\n");
	(void)close(fds[0]);
	(void)close(fds[1]);
	(void)setenv("PATH", "/usr/bin:/bin", 1);
	qt_buf_release(&b);
}

static void no_shell_reads_the_arguments(void **state)
{
	const char *const argv[] = {"printf", "%s", "$(id);`id` \"'*", NULL};
	struct qt_buf b;

	(void)state;
	qt_buf_init(&b, 0);
	assert_int_equal(qt_proc_capture(argv, 100, &b, NULL, NULL), 0);
	assert_string_equal(qt_buf_str(&b), "$(id);`id` \"'*");
	qt_buf_release(&b);
}

static void exit_status_is_given_or_an_error(void **state)
{
	struct qt_error err = {0};
	struct qt_buf b;
	int status = -7;

	(void)state;
	qt_buf_init(&b, 0);
	assert_int_equal(run("echo out; exit 3", 100, &b, &status, &err), 0);
	assert_int_equal(status, 3);
	assert_string_equal(qt_buf_str(&b), "out\n");
	assert_int_equal(run("echo out; echo first >&2; "
	    "printf 'fatal: \\033[1mno\\n\\n' >&2; exit 3", 100, &b, NULL,
	    &err), -1);
	assert_int_equal(err.code, QT_E_LIBRARY);
	assert_string_equal(err.where, "sh");
	assert_string_equal(err.text, "exit status 3: fatal: \\x1B[1mno");
	assert_int_equal(b.len, 0);
	assert_int_equal(run("exit 1", 100, &b, NULL, &err), -1);
	assert_string_equal(err.text, "exit status 1");
	qt_buf_release(&b);
}

static void a_killed_program_is_an_error_either_way(void **state)
{
	struct qt_error err = {0};
	struct qt_buf b;
	int status = -7;

	(void)state;
	qt_buf_init(&b, 0);
	assert_int_equal(run("kill -TERM $$", 100, &b, &status, &err), -1);
	assert_int_equal(err.code, QT_E_LIBRARY);
	assert_int_equal(status, -7);
	assert_int_equal(run("kill -TERM $$", 100, &b, NULL, &err), -1);
	assert_string_equal(err.text, "killed by signal 15");
	qt_buf_release(&b);
}

static void output_has_a_ceiling(void **state)
{
	const char *const endless[] = {"yes", NULL};
	struct qt_error err = {0};
	struct qt_buf b;

	(void)state;
	qt_buf_init(&b, 0);
	assert_int_equal(run("printf 1234", 4, &b, NULL, &err), 0);
	assert_int_equal(run("printf 12345", 4, &b, NULL, &err), -1);
	assert_int_equal(err.code, QT_E_NOMEM);
	assert_int_equal(qt_proc_capture(endless, 100000, &b, NULL, &err), -1);
	assert_int_equal(err.code, QT_E_NOMEM);
	assert_int_equal(b.len, 0);
	qt_buf_release(&b);
}

static void much_on_both_streams_does_not_block(void **state)
{
	struct qt_error err = {0};
	struct qt_buf b;

	(void)state;
	qt_buf_init(&b, 0);
	assert_int_equal(run("head -c 500000 /dev/zero >&2; "
	    "head -c 500000 /dev/zero; echo >&2; echo the end >&2; exit 1",
	    1000000, &b, NULL, &err), -1);
	assert_string_equal(err.text, "exit status 1: the end");
	assert_int_equal(run("head -c 500000 /dev/zero >&2; "
	    "head -c 500000 /dev/zero", 1000000, &b, NULL, &err), 0);
	assert_int_equal(b.len, 500000);
	qt_buf_release(&b);
}

static void a_missing_program_stops_the_run(void **state)
{
	static const char *const names[] = {
	    "qtool-no-such-program", "/nowhere/x", ""};
	const char *argv[] = {NULL, NULL};
	const char *const denied[] = {"/etc/passwd", NULL};
	struct qt_error err = {0};
	struct qt_buf b;
	size_t i;

	(void)state;
	qt_buf_init(&b, 0);
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		argv[0] = names[i];
		assert_int_equal(qt_proc_capture(argv, 9, &b, NULL, &err), -1);
		assert_int_equal(err.sys, ENOENT);
		/* not a message that is gone */
		assert_false(qt_error_is_item(&err));
		assert_string_equal(err.where, names[i]);
	}
	assert_int_equal(qt_proc_capture(denied, 9, &b, NULL, &err), -1);
	assert_int_equal(err.sys, EACCES);
	assert_false(qt_error_is_item(&err));
	qt_buf_release(&b);
}

/* All three of our own standard descriptors are shut. */
static void it_works_without_standard_descriptors(void **state)
{
	struct qt_buf b;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(0);
		(void)close(1);
		(void)close(2);
		qt_buf_init(&b, 0);
		if (run("echo to-err >&2; echo ok", 100, &b, NULL, NULL) < 0)
			_exit(1);
		status = strcmp(qt_buf_str(&b), "ok\n") == 0 ? 0 : 2;
		qt_buf_release(&b);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define WITH_PLACE(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)
	    WITH_PLACE(read_stops_at_the_end),
	    WITH_PLACE(pwrite_lands_at_its_offset),
	    cmocka_unit_test(interrupted_pipe_transfers_are_complete),
	    cmocka_unit_test(a_full_device_is_an_error),
	    WITH_PLACE(slurp_reads_all_bytes),
	    WITH_PLACE(slurp_refuses_what_is_no_plain_file),
	    cmocka_unit_test(close_reports_once_and_forgets),
	    cmocka_unit_test(program_runs_in_a_clean_world),
	    cmocka_unit_test(no_shell_reads_the_arguments),
	    cmocka_unit_test(exit_status_is_given_or_an_error),
	    cmocka_unit_test(a_killed_program_is_an_error_either_way),
	    cmocka_unit_test(output_has_a_ceiling),
	    cmocka_unit_test(much_on_both_streams_does_not_block),
	    cmocka_unit_test(a_missing_program_stops_the_run),
	    cmocka_unit_test(it_works_without_standard_descriptors),
	};

	return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
