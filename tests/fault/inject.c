/*
 * inject.c - run a command and disturb one of its system calls, or of those of
 * the processes that it forks.
 *
 *	inject [-r] -c COMMAND...		count the calls
 *	inject [-r] -n N -k WHAT COMMAND...	disturb the N-th, from 1
 *
 * WHAT: before, after (SIGKILL at its entry, at its exit), or an errno's name
 * (it fails so without being made).  Counted are the calls that change a file
 * system, but for writes to standard output and error; with -r those that read
 * it, from the moment when the directory "qtool" is opened, so that neither the
 * loader nor the scan is counted.  The change layer names files by directory
 * and name, so calls that take a path alone (a temporary directory) are none.
 *
 * Of a call that fails "inject: CALL<TAB>FILE..." is printed on standard error.
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

#define PROCESSES 16

enum what { COUNT, BEFORE, AFTER, FAIL };

struct job {
	enum what what;
	int fail;	/* errno */
	bool reads;
	unsigned long n, seen;
	bool begun;	/* -r: qtool's directory was opened */
	bool hit;
	pid_t main, pending; /* pending: the thread whose call is disturbed */
	pid_t child[PROCESSES]; /* that it forked */
	size_t children;
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
	case SYS_fchmod:
	case SYS_linkat:
	case SYS_utimensat:
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

static const struct {
	unsigned long long nr;
	const char *name;
	int path; /* argument that is a path, after a directory's fd; -1 none */
} calls[] = {{SYS_openat, "openat", 1}, {SYS_write, "write", -1},
    {SYS_pwrite64, "pwrite64", -1}, {SYS_ftruncate, "ftruncate", -1},
    {SYS_fsync, "fsync", -1}, {SYS_fdatasync, "fdatasync", -1},
    {SYS_syncfs, "syncfs", -1}, {SYS_mkdirat, "mkdirat", 1},
    {SYS_renameat2, "renameat2", 3}, {SYS_unlinkat, "unlinkat", 1},
    {SYS_fchownat, "fchownat", 1}, {SYS_fchmodat, "fchmodat", 1},
    {SYS_fchmod, "fchmod", -1},
    {SYS_utimensat, "utimensat", 1}, {SYS_read, "read", -1},
    {SYS_pread64, "pread64", -1}, {SYS_getdents64, "getdents64", -1},
    {SYS_fstat, "fstat", -1}, {SYS_statx, "statx", 1},
#ifdef SYS_newfstatat
    {SYS_newfstatat, "newfstatat", 1},
#endif
    {SYS_name_to_handle_at, "name_to_handle_at", 1},
    {SYS_open_by_handle_at, "open_by_handle_at", -1},
    {SYS_flock, "flock", -1}};

/* The file of a descriptor of another process. */
static void name_fd(pid_t pid, unsigned long long fd, char *to, size_t size)
{
	char link[64];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, (int)fd);
	n = (int)fd < 0 ? 0 : readlink(link, to, size - 1);
	to[n > 0 ? n : 0] = '\0';
}

/* One of its files: the path at an argument, below the directory before it. */
static void tell_path(pid_t pid, const struct ptrace_syscall_info *i, int arg)
{
	char dir[512], last[256] = "";
	struct iovec to = {last, sizeof(last) - 1}, from = {NULL, sizeof(last) - 1};

	name_fd(pid, i->entry.args[arg - 1], dir, sizeof(dir));
	from.iov_base = (void *)(unsigned long)i->entry.args[arg];
	/* a page's end may come first */
	while (from.iov_len > 0 &&
	    process_vm_readv(pid, &to, 1, &from, 1, 0) <= 0)
		from.iov_len /= 2;
	(void)fprintf(stderr, "\t%s%s%s", last[0] != '/' ? dir : "",
	    last[0] != '/' ? "/" : "", last);
}

/* "inject: CALL<TAB>FILE...": the call that is about to fail. */
static void tell(pid_t pid, const struct ptrace_syscall_info *i)
{
	char file[512];
	size_t k;

	for (k = 0; k < sizeof(calls) / sizeof(calls[0]); k++)
		if (calls[k].nr == i->entry.nr)
			break;
	if (k == sizeof(calls) / sizeof(calls[0]))
		return;
	(void)fprintf(stderr, "inject: %s", calls[k].name);
	if (calls[k].nr == SYS_renameat2)
		tell_path(pid, i, 1);
	if (calls[k].path > 0) {
		tell_path(pid, i, calls[k].path);
	} else {
		name_fd(pid, i->entry.args[0], file, sizeof(file));
		(void)fprintf(stderr, "\t%s", file);
	}
	(void)fputc('\n', stderr);
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

/* All at once, as a power cut would. */
static void kill_all(const struct job *j)
{
	size_t i;

	(void)kill(j->main, SIGKILL);
	for (i = 0; i < j->children; i++)
		(void)kill(j->child[i], SIGKILL);
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
		kill_all(j);
	else if (j->what == FAIL) {
		tell(pid, i);
		cancel(pid);
	}
}

static void on_exit_of(struct job *j, pid_t pid)
{
	if (j->pending != pid)
		return;
	j->pending = 0;
	if (j->what == AFTER)
		kill_all(j);
	else if (j->what == FAIL)
		answer(pid, -j->fail);
}

/* One stop of one thread; the signal to deliver with it. */
static int on_stop(struct job *j, pid_t pid, int status)
{
	struct ptrace_syscall_info info;
	int sig = WSTOPSIG(status);
	unsigned long child;

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
	if (status >> 16 == PTRACE_EVENT_FORK ||
	    status >> 16 == PTRACE_EVENT_VFORK) {
		if (j->children == PROCESSES ||
		    ptrace(PTRACE_GETEVENTMSG, pid, NULL, &child) != 0)
			die("PTRACE_GETEVENTMSG");
		j->child[j->children++] = (pid_t)child;
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
		    PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
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
