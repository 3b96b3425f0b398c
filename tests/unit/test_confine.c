/*
 * test_confine.c - what a confined process can and cannot do.
 *
 * Each case is a process of its own that confines itself in a role, tries one
 * thing, and says by its exit status what came of it; what a filter ends is
 * seen as the signal.  A file is made for it that its user may write: what
 * keeps it from writing is the confinement, and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/landlock.h"
#include "base/seccomp.h"
#include "qtool/confine.h"

#define OWNER 12345 /* the mail owner, when the test may choose */
#define DONE 0
#define REFUSED 1  /* the call failed as a confined one does */
#define STRANGE 2  /* it failed otherwise */
#define BROKEN 99  /* confinement itself */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* spool/deferred/MSG, spool/secret (root's alone), out/, tmp/ */
struct world {
	char dir[64];
	int spool; /* its directory */
	bool root;
};

/* ---- what is tried ---- */

static int outcome(bool done)
{
	if (done)
		return DONE;
	return errno == EACCES || errno == EPERM || errno == ENOSYS ||
	    errno == EXDEV ? REFUSED : STRANGE;
}

static int open_it(const struct world *w, const char *path, int flags)
{
	char full[128];
	int fd;

	(void)snprintf(full, sizeof(full), "%s/%s", w->dir, path);
	fd = open(full, flags, 0600);
	return outcome(fd >= 0);
}

static int read_message(const struct world *w)
{
	int fd = openat(w->spool, "deferred/MSG", O_RDONLY | O_NOFOLLOW);
	char c[8] = "";

	return outcome(fd >= 0 && read(fd, c, 7) == 7 &&
	    strcmp(c, "message") == 0);
}

static int read_secret(const struct world *w)
{
	return open_it(w, "spool/secret", O_RDONLY);
}

static int read_passwd(const struct world *w)
{
	(void)w;
	return outcome(open("/etc/passwd", O_RDONLY) >= 0);
}

static int read_shadow(const struct world *w)
{
	(void)w;
	return outcome(open("/etc/shadow", O_RDONLY) >= 0);
}

static int write_message(const struct world *w)
{
	return open_it(w, "spool/deferred/MSG", O_WRONLY);
}

static int append_message(const struct world *w)
{
	return open_it(w, "spool/deferred/MSG", O_RDWR | O_APPEND);
}

static int truncate_message(const struct world *w)
{
	return open_it(w, "spool/deferred/MSG", O_RDONLY | O_TRUNC);
}

static int truncate_by_name(const struct world *w)
{
	char full[128];

	(void)snprintf(full, sizeof(full), "%s/spool/deferred/MSG", w->dir);
	return outcome(truncate(full, 1) == 0);
}

static int link_in_spool(const struct world *w)
{
	return outcome(symlinkat("MSG", w->spool, "deferred/NEW") == 0);
}

static int fifo_in_spool(const struct world *w)
{
	return outcome(mkfifoat(w->spool, "deferred/NEW", 0600) == 0);
}

static int create_in_spool(const struct world *w)
{
	return open_it(w, "spool/deferred/NEW", O_WRONLY | O_CREAT | O_EXCL);
}

static int create_in_tmp(const struct world *w)
{
	return open_it(w, "tmp/new", O_RDWR | O_CREAT | O_EXCL);
}

static int create_in_out(const struct world *w)
{
	return open_it(w, "out/new", O_RDWR | O_CREAT | O_EXCL);
}

static int overwrite_in_tmp(const struct world *w)
{
	return open_it(w, "tmp/old", O_RDWR);
}

static int unlink_message(const struct world *w)
{
	return outcome(unlinkat(w->spool, "deferred/MSG", 0) == 0);
}

static int move_message(const struct world *w)
{
	return outcome(renameat2(w->spool, "deferred/MSG", w->spool, "MSG",
	    RENAME_NOREPLACE) == 0);
}

static int publish_in_out(const struct world *w)
{
	char from[128], to[128];

	if (create_in_out(w) != DONE)
		return STRANGE;
	(void)snprintf(from, sizeof(from), "%s/out/new", w->dir);
	(void)snprintf(to, sizeof(to), "%s/out/done", w->dir);
	return outcome(renameat2(AT_FDCWD, from, AT_FDCWD, to,
	    RENAME_NOREPLACE) == 0);
}

static int chmod_message(const struct world *w)
{
	int fd = openat(w->spool, "deferred/MSG", O_RDONLY);

	return outcome(fd >= 0 && fchmod(fd, 0600) == 0);
}

static int touch_message(const struct world *w)
{
	return outcome(utimensat(w->spool, "deferred/MSG", NULL, 0) == 0);
}

static int run_program(const struct world *w)
{
	char *argv[] = {(char *)"true", NULL};

	(void)w;
	(void)execv("/bin/true", argv);
	return outcome(false);
}

static int network(const struct world *w)
{
	(void)w;
	return outcome(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static int unix_socket(const struct world *w)
{
	(void)w;
	return outcome(socket(AF_UNIX, SOCK_DGRAM, 0) >= 0);
}

static int trace_parent(const struct world *w)
{
	(void)w;
	return outcome(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0);
}

static int signal_parent(const struct world *w)
{
	(void)w;
	return outcome(kill(getppid(), 0) == 0);
}

static int become_root(const struct world *w)
{
	(void)w;
	return outcome(setresuid(0, 0, 0) == 0);
}

static int new_namespace(const struct world *w)
{
	(void)w;
	return outcome(syscall(SYS_unshare, 0x10000000 /* NEWUSER */) == 0);
}

static int uring(const struct world *w)
{
	char params[120] = {0};

	(void)w;
	return outcome(syscall(SYS_io_uring_setup, 1, params) >= 0);
}

static int type_on_terminal(const struct world *w)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY);
	char c = 'x';

	(void)w;
	/* without a filter: EIO or ENOTTY, or it works */
	(void)fd;
	return ioctl(0, TIOCSTI, &c) != 0 &&
	    (errno == ENOSYS || errno == EPERM) ? REFUSED : STRANGE;
}

static int become_process(const struct world *w)
{
	pid_t pid;

	(void)w;
	pid = fork();
	if (pid == 0)
		_exit(0);
	return outcome(pid > 0);
}

static void *thread(void *arg)
{
	const struct world *w = arg;

	return read_message(w) == DONE && write_message(w) == REFUSED ? arg :
								     NULL;
}

/* Made after confinement: it has it too. */
static int in_thread(const struct world *w)
{
	pthread_t t;
	void *r = NULL;

	return outcome(pthread_create(&t, NULL, thread, (void *)w) == 0 &&
	    pthread_join(t, &r) == 0 && r == w);
}

static int abort_it(const struct world *w)
{
	(void)w;
	(void)signal(SIGABRT, SIG_DFL);
	abort();
}

/* ---- the world ---- */

static void put(const struct world *w, const char *path, const char *text,
    mode_t mode, bool owners)
{
	char full[128];
	int fd;

	(void)snprintf(full, sizeof(full), "%s/%s", w->dir, path);
	fd = open(full, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	if (owners && w->root)
		assert_int_equal(fchown(fd, OWNER, OWNER), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static void make_dir(const struct world *w, const char *path, bool owners)
{
	char full[128];

	(void)snprintf(full, sizeof(full), "%s/%s", w->dir, path);
	assert_int_equal(mkdir(full, 0700), 0);
	if (owners && w->root)
		assert_int_equal(chown(full, OWNER, OWNER), 0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char spool[80];

	assert_non_null(w);
	w->root = geteuid() == 0;
	(void)strcpy(w->dir, "/tmp/qtool-confine.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(chmod(w->dir, 0755), 0);
	make_dir(w, "spool", true);
	make_dir(w, "spool/deferred", true);
	make_dir(w, "tmp", true);
	(void)snprintf(spool, sizeof(spool), "%s/tmp", w->dir);
	assert_int_equal(chmod(spool, 0777), 0);
	make_dir(w, "out", false);
	put(w, "spool/deferred/MSG", "message", 0700, true);
	put(w, "spool/secret", "state", 0600, false);
	put(w, "tmp/old", "old", 0600, true);
	(void)snprintf(spool, sizeof(spool), "%s/spool", w->dir);
	w->spool = open(spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->spool >= 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	static const char *const files[] = {"out/new", "out/done", "tmp/new",
	    "tmp/old", "spool/MSG", "spool/secret", "spool/deferred/MSG",
	    "spool/deferred/NEW", "spool/deferred", "spool", "out", "tmp", ""};
	struct world *w = *state;
	char full[128];
	size_t i;

	(void)close(w->spool);
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(full, sizeof(full), "%s/%s", w->dir, files[i]);
		(void)remove(full);
	}
	assert_int_equal(access(w->dir, F_OK), -1);
	free(w);
	return 0;
}

static int confine(const struct world *w, enum qt_role role,
    struct qt_confined *held)
{
	struct qt_error err = {0};
	struct qt_confine c;
	char tmp[80], out[80];
	int r;

	(void)snprintf(tmp, sizeof(tmp), "%s/tmp", w->dir);
	(void)snprintf(out, sizeof(out), "%s/out", w->dir);
	r = qt_confine_init(&c, role, &err);
	c.change_user = role == QT_ROLE_JUDGE && w->root;
	c.uid = c.gid = OWNER;
	c.keep_read = true;
	if (r == 0)
		r = qt_confine_allow_system(&c, &err);
	if (r == 0)
		r = qt_confine_allow(&c, w->spool, NULL,
		    role == QT_ROLE_HAND ? QT_ACCESS_CHANGE : QT_ACCESS_QUEUE,
		    &err);
	if (r == 0 && role != QT_ROLE_HAND)
		r = qt_confine_allow(&c, AT_FDCWD, tmp, QT_ACCESS_CREATE, &err);
	if (r == 0 && role == QT_ROLE_WRITER)
		r = qt_confine_allow(&c, AT_FDCWD, out, QT_ACCESS_CREATE, &err);
	if (r == 0)
		r = qt_confine_enter(&c, held, &err);
	if (r != 0)
		(void)fprintf(stderr, "# %s: %s\n", err.where, err.text);
	qt_confine_release(&c);
	return r;
}

/* ---- the cases ---- */

#define KILLED (-SIGSYS)

static const struct {
	const char *name;
	int (*try)(const struct world *w);
	int judge, writer, hand; /* what comes of it */
	bool landlock; /* this layer alone holds it */
} cases[] = {
    {"reading a message", read_message, DONE, DONE, DONE, false},
    {"reading what the queue's owner may not", read_secret, DONE, DONE, DONE,
	false},
    {"reading /etc/passwd", read_passwd, DONE, DONE, DONE, false},
    {"reading /etc/shadow", read_shadow, REFUSED, REFUSED, REFUSED, true},
    {"writing to a message", write_message, REFUSED, REFUSED, DONE, false},
    {"appending to a message", append_message, REFUSED, REFUSED, DONE, false},
    {"truncating a message", truncate_message, REFUSED, REFUSED, DONE, false},
    {"truncating it by its name", truncate_by_name, REFUSED, REFUSED, DONE,
	false},
    {"a symbolic link in the queue", link_in_spool, REFUSED, REFUSED, REFUSED,
	false},
    {"a FIFO in the queue", fifo_in_spool, KILLED, KILLED, REFUSED, false},
    {"a new file in the queue", create_in_spool, REFUSED, REFUSED, DONE, true},
    {"a temporary file", create_in_tmp, DONE, DONE, REFUSED, true},
    {"a file where the user wants one", create_in_out, REFUSED, DONE, REFUSED,
	true},
    {"giving it its name", publish_in_out, STRANGE, DONE, STRANGE, true},
    {"writing to somebody's temporary file", overwrite_in_tmp, REFUSED, REFUSED,
	REFUSED, true},
    {"removing a message", unlink_message, REFUSED, REFUSED, DONE, true},
    {"moving a message", move_message, REFUSED, REFUSED, DONE, true},
    {"making a message unready by its mode", chmod_message, REFUSED, REFUSED,
	DONE, false},
    {"a message's time", touch_message, REFUSED, REFUSED, DONE, false},
    {"running a program", run_program, KILLED, KILLED, REFUSED, false},
    {"a network socket", network, REFUSED, REFUSED, REFUSED, false},
    {"a local socket", unix_socket, REFUSED, REFUSED, REFUSED, false},
    {"tracing another process", trace_parent, KILLED, KILLED, REFUSED, false},
    {"a signal to another process", signal_parent, REFUSED, REFUSED, DONE,
	false},
    {"becoming root", become_root, KILLED, KILLED, REFUSED, false},
    {"a namespace", new_namespace, KILLED, KILLED, REFUSED, false},
    {"io_uring", uring, KILLED, KILLED, REFUSED, false},
    {"typing on the terminal", type_on_terminal, REFUSED, REFUSED, REFUSED,
	false},
    {"another process", become_process, REFUSED, REFUSED, DONE, false},
    {"threads have it too", in_thread, DONE, DONE, STRANGE, false},
    {"abort()", abort_it, -SIGABRT, -SIGABRT, -SIGABRT, false},
};

static int run_confined(const struct world *w, enum qt_role role,
    int (*try)(const struct world *w))
{
	const struct rlimit none = {0, 0};
	struct qt_confined held;
	int status;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &none);
		if (confine(w, role, &held) != 0)
			_exit(BROKEN);
		_exit(try(w));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* What the kernel does not offer cannot be tested on it. */
static bool testable(size_t i, enum qt_role role)
{
	const bool landlock = qt_landlock_abi() >=
	    (role == QT_ROLE_HAND ? 2 : 1);

	if (SANITIZED && (cases[i].try == trace_parent ||
		cases[i].try == become_process ||
		cases[i].try == signal_parent || cases[i].try == abort_it))
		return false;
	return (landlock || !cases[i].landlock) && qt_seccomp_there();
}

static void check_role(void **state, enum qt_role role)
{
	size_t i, tried = 0;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int got, want = role == QT_ROLE_JUDGE ? cases[i].judge :
		    role == QT_ROLE_WRITER ? cases[i].writer : cases[i].hand;

		if (!testable(i, role))
			continue;
		if (cases[i].try == signal_parent && qt_landlock_abi() >= 6)
			want = REFUSED; /* earlier ones know no signals */
		if (cases[i].try == chmod_message && role == QT_ROLE_WRITER &&
		    !((const struct world *)*state)->root)
			want = DONE; /* it is its own */
		/* each in a fresh one: some of it is taken away */
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
		got = run_confined(*state, role, cases[i].try);
		if (got != want)
			fail_msg("%s: %d, not %d", cases[i].name, got, want);
		tried++;
	}
	assert_true(tried > 10);
}

static void judge(void **state)
{
	check_role(state, QT_ROLE_JUDGE);
}

static void writer(void **state)
{
	check_role(state, QT_ROLE_WRITER);
}

static void hand(void **state)
{
	check_role(state, QT_ROLE_HAND);
}

/* Without confinement all of this works: else the cases above show nothing. */
static void unconfined(void **state)
{
	static int (*const tries[])(const struct world *) = {read_shadow,
	    write_message, truncate_message, truncate_by_name, link_in_spool,
	    fifo_in_spool, create_in_spool, create_in_out,
	    unlink_message, chmod_message, touch_message, network, unix_socket,
	    signal_parent, new_namespace, become_process};
	size_t i;
	pid_t pid;
	int status;

	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
		if (tries[i] == read_shadow && geteuid() != 0)
			continue;
		pid = fork();
		if (pid == 0)
			_exit(tries[i](*state));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status != 0)
			fail_msg("try %zu: status %x", i, (unsigned)status);
	}
}

/* ---- what is said to hold does ---- */

/* The value of a line of /proc/self/status. */
static unsigned long long status_line(const char *text, const char *name,
    int base)
{
	const char *p = strstr(text, name);

	assert_non_null(p);
	return strtoull(p + strlen(name), NULL, base);
}

static bool read_status(char text[4096])
{
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = fd >= 0 ? read(fd, text, 4095) : -1;

	text[n > 0 ? n : 0] = '\0';
	(void)close(fd);
	return n > 0;
}

static int facts(const struct world *w, enum qt_role role)
{
	/* chown, dac_override, dac_read_search, fowner, sys_resource, lease */
	uint64_t hands = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 24 | 1 << 28;
	char text[4096];
	const int abi = qt_landlock_abi(); /* neither can be asked after it */
	const bool filters = qt_seccomp_there();
	struct qt_confined held;

	if (!read_status(text))
		return STRANGE;
	hands &= status_line(text, "\nCapPrm:\t", 16); /* a container's root */
	if (confine(w, role, &held) != 0)
		return BROKEN;
	if (!read_status(text))
		return STRANGE;
	if (status_line(text, "\nUid:\t", 10) != held.uid ||
	    status_line(text, "\nCapEff:\t", 16) != held.caps ||
	    status_line(text, "\nCapPrm:\t", 16) != held.caps ||
	    (status_line(text, "\nSeccomp:\t", 10) == 2) != held.seccomp ||
	    (status_line(text, "\nNoNewPrivs:\t", 10) == 1) !=
		held.no_new_privs)
		return REFUSED;
	if (!held.no_new_privs || prctl(PR_GET_DUMPABLE) != 0 ||
	    held.seccomp != filters ||
	    held.landlock != (role == QT_ROLE_HAND && abi < 2 ? 0 : abi))
		return 3;
	if (!w->root)
		return held.caps == 0 && held.uid == geteuid() ? DONE : 4;
	if (role == QT_ROLE_JUDGE)
		return held.uid == OWNER && getgid() == OWNER &&
		    getgroups(0, NULL) == 1 && held.caps == 1u << 2 ? DONE : 5;
	return held.uid == 0 && held.caps ==
	    (role == QT_ROLE_WRITER ? 1u << 2 : hands) ? DONE : 6;
}

static void facts_hold(void **state)
{
	const enum qt_role roles[] = {QT_ROLE_JUDGE, QT_ROLE_WRITER,
	    QT_ROLE_HAND};
	size_t i;
	int status;
	pid_t pid;

	for (i = 0; i < 3; i++) {
		pid = fork();
		if (pid == 0)
			_exit(facts(*state, roles[i]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status != 0)
			fail_msg("role %d: status %x", (int)roles[i],
			    (unsigned)status);
	}
}

/* A user ID that is not mapped, as in a container: it stays who it is. */
static void user_not_there(void **state)
{
	const struct world *w = *state;
	struct qt_confined held;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(0x10000000) != 0)
			_exit(DONE); /* no user namespaces here */
		_exit(confine(w, QT_ROLE_JUDGE, &held) == 0 &&
		    held.no_new_privs && read_passwd(w) == DONE ? DONE : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(qt_capability_name(2), "dac_read_search");
	assert_string_equal(qt_capability_name(1), "dac_override");
	assert_null(qt_capability_name(21)); /* sys_admin: kept by nobody */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(unconfined, setup, teardown),
	    cmocka_unit_test_setup_teardown(judge, setup, teardown),
	    cmocka_unit_test_setup_teardown(writer, setup, teardown),
	    cmocka_unit_test_setup_teardown(hand, setup, teardown),
	    cmocka_unit_test_setup_teardown(facts_hold, setup, teardown),
	    cmocka_unit_test_setup_teardown(user_not_there, setup, teardown),
	    cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
