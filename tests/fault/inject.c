/*
 * inject.c - run a command and disturb one of its system calls.
 *
 *	inject [-r] -c COMMAND...		count the calls
 *	inject [-r] -n N -k WHAT COMMAND...	disturb the N-th, from 1
 *
 * WHAT: before, after (SIGKILL at its entry, at its exit), or an errno's name
 * (it fails so without being made).  Counted are the calls that change a file
 * system, but for writes to standard output and error; with -r those that read
 * it, from the moment when the directory "qtool" is opened, so that neither the
 * loader nor the scan is counted.
 *
 * Exit status: the command's; 137 when it was killed here; 200 when there was
 * no N-th call.  -c prints the number on standard output's last line.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

enum what { COUNT, BEFORE, AFTER, FAIL };

struct job {
	enum what what;
	int fail;	/* errno */
	bool reads;
	unsigned long n, seen;
	bool begun;	/* -r: qtool's directory was opened */
	bool hit;
	pid_t main, pending; /* pending: the thread whose call is disturbed */
};

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static const struct {
	const char *name;
	int value;
} errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT},
    {"EACCES", EACCES}, {"EMFILE", EMFILE}, {"EINTR", EINTR},
    {"EROFS", EROFS}, {"ENOMEM", ENOMEM}};

static bool changes(const struct ptrace_syscall_info *i)
{
	const unsigned long long *a = i->entry.args;

	switch (i->entry.nr) {
	case SYS_openat:
		return (a[2] & O_CREAT) != 0;
	case SYS_write:
	case SYS_pwrite64:
	case SYS_writev:
		return a[0] > 2;
	case SYS_ftruncate:
	case SYS_fsync:
	case SYS_fdatasync:
	case SYS_syncfs:
	case SYS_mkdirat:
	case SYS_renameat2:
	case SYS_unlinkat:
	case SYS_fchownat:
	case SYS_fchmodat:
	case SYS_linkat:
	case SYS_utimensat:
#ifdef SYS_mkdir /* the C library's choice where there are two */
	case SYS_mkdir:
	case SYS_rename:
	case SYS_renameat:
	case SYS_unlink:
	case SYS_rmdir:
#endif
		return true;
	default:
		return false;
	}
}

static bool reads(const struct ptrace_syscall_info *i)
{
	switch (i->entry.nr) {
	case SYS_openat:
		return (i->entry.args[2] & O_CREAT) == 0;
	case SYS_read:
	case SYS_pread64:
		return i->entry.args[0] > 2;
	case SYS_getdents64:
	case SYS_fstat:
#ifdef SYS_newfstatat
	case SYS_newfstatat:
#endif
	case SYS_statx:
	case SYS_name_to_handle_at:
	case SYS_open_by_handle_at:
	case SYS_flock:
		return true;
	default:
		return false;
	}
}

static bool opens_state(pid_t pid, const struct ptrace_syscall_info *i)
{
	char path[6] = "";
	struct iovec to = {path, sizeof(path)};
	struct iovec from = {(void *)(unsigned long)i->entry.args[1],
	    sizeof(path)};

	return i->entry.nr == SYS_openat &&
	    process_vm_readv(pid, &to, 1, &from, 1, 0) == (ssize_t)sizeof(path) &&
	    memcmp(path, "qtool", 6) == 0;
}

/* The call that is about to be made becomes none. */
static void cancel(pid_t pid)
{
#if defined(__x86_64__)
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) != 0)
		die("PTRACE_GETREGS");
	r.orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &r) != 0)
		die("PTRACE_SETREGS");
#elif defined(__aarch64__)
	int nr = -1;
	struct iovec v = {&nr, sizeof(nr)};

	if (ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &v) != 0)
		die("PTRACE_SETREGSET");
#else
#error "cancel() and answer() are not written for this machine"
#endif
}

static void answer(pid_t pid, long value)
{
#if defined(__x86_64__)
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) != 0)
		die("PTRACE_GETREGS");
	r.rax = (unsigned long long)value;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &r) != 0)
		die("PTRACE_SETREGS");
#elif defined(__aarch64__)
	struct user_regs_struct r;
	struct iovec v = {&r, sizeof(r)};

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v) != 0)
		die("PTRACE_GETREGSET");
	r.regs[0] = (unsigned long long)value;
	if (ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v) != 0)
		die("PTRACE_SETREGSET");
#endif
}

static void on_entry(struct job *j, pid_t pid,
    const struct ptrace_syscall_info *i)
{
	if (j->reads && !j->begun)
		j->begun = opens_state(pid, i);
	if (j->reads ? !j->begun || !reads(i) : !changes(i))
		return;
	if (++j->seen != j->n || j->what == COUNT)
		return;
	j->hit = true;
	j->pending = pid;
	if (j->what == BEFORE)
		(void)kill(j->main, SIGKILL);
	else if (j->what == FAIL)
		cancel(pid);
}

static void on_exit_of(struct job *j, pid_t pid)
{
	if (j->pending != pid)
		return;
	j->pending = 0;
	if (j->what == AFTER)
		(void)kill(j->main, SIGKILL);
	else if (j->what == FAIL)
		answer(pid, -j->fail);
}

/* One stop of one thread; the signal to deliver with it. */
static int on_stop(struct job *j, pid_t pid, int status)
{
	struct ptrace_syscall_info info;
	int sig = WSTOPSIG(status);

	if (sig == (SIGTRAP | 0x80)) {
		if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info),
			&info) < 0)
			return 0; /* it is being killed */
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
			on_entry(j, pid, &info);
		else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
			on_exit_of(j, pid);
		return 0;
	}
	if (sig == SIGTRAP || sig == SIGSTOP) /* events, new threads */
		return 0;
	return sig;
}

static int watch(struct job *j)
{
	int status, result = 0, sig;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (WIFSTOPPED(status)) {
			sig = on_stop(j, pid, status);
			(void)ptrace(PTRACE_SYSCALL, pid, NULL,
			    (void *)(long)sig);
		} else if (pid == j->main) {
			result = WIFEXITED(status) ? WEXITSTATUS(status) :
						     128 + WTERMSIG(status);
		}
	}
	return result;
}

static void start(struct job *j, char **argv)
{
	int status;

	j->main = fork();
	if (j->main < 0)
		die("fork");
	if (j->main == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			die("PTRACE_TRACEME");
		(void)raise(SIGSTOP);
		(void)execv(argv[0], argv);
		die(argv[0]);
	}
	if (waitpid(j->main, &status, 0) != j->main || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, j->main, NULL,
		(void *)(long)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
		    PTRACE_O_EXITKILL)) != 0 ||
	    ptrace(PTRACE_SYSCALL, j->main, NULL, NULL) != 0)
		die("ptrace");
}

static void parse_what(struct job *j, const char *s)
{
	size_t i;

	j->what = FAIL;
	if (strcmp(s, "before") == 0)
		j->what = BEFORE;
	else if (strcmp(s, "after") == 0)
		j->what = AFTER;
	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(s, errors[i].name) == 0)
			j->fail = errors[i].value;
	if (j->what == FAIL && j->fail == 0) {
		(void)fprintf(stderr, "inject: %s?\n", s);
		exit(99);
	}
}

int main(int argc, char **argv)
{
	struct job j = {.what = COUNT};
	int opt, result;

	while ((opt = getopt(argc, argv, "+rcn:k:")) != -1) {
		if (opt == 'r')
			j.reads = true;
		else if (opt == 'n')
			j.n = strtoul(optarg, NULL, 10);
		else if (opt == 'k')
			parse_what(&j, optarg);
		else if (opt != 'c')
			return 99;
	}
	if (optind >= argc)
		return 99;
	start(&j, argv + optind);
	result = watch(&j);
	if (j.what == COUNT)
		(void)printf("%lu\n", j.seen);
	else if (!j.hit)
		return 200;
	return result;
}
