/*
 * seccomp.c - the filters of the roles, made with libseccomp.
 *
 * A judge has a list of what it may call.  Everything else is answered with
 * ENOSYS, as by a kernel older than the call: a C library that is newer than
 * this list tries its new calls, takes that answer, and falls back to the old
 * ones, which are on the list.  EPERM would be taken for the answer of a kernel
 * that has them.  What libraries try and can do without (a socket to ask a name
 * service) gets EPERM; what nothing in here would ever call ends the process,
 * as whoever calls it is not qtool any more.
 *
 * A judge opens files for reading, or makes new ones (Landlock says where): no
 * open that could write to what exists, no chmod, chown or utime, of which
 * Landlock knows nothing, no ioctl that types on the user's terminal, no signal
 * to anybody, no way to another process.
 *
 * The hand has a list of what it must not call, with EPERM for all of them: a
 * list of what it may could miss a call that an error path of the C library
 * makes in the middle of a transaction, and it is ours from end to end, as it
 * reads no mail.
 */
#include "base/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The runtime of a sanitizer looks for leaks from a process of its own, which
 * traces this one; such builds are for tests.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

#define TMPFILE (O_TMPFILE & ~O_DIRECTORY)
#define NEW_FILE (O_CREAT | O_EXCL)

#ifdef __s390__ /* clone(2): the arguments have another order */
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* Without regard to their arguments. */
static const char *const reading[] = {
    /* files that are open, directories, what is known of a file */
    "read", "readv", "pread64", "preadv", "preadv2", "lseek", "_llseek",
    "close", "close_range", "dup", "dup2", "dup3", "flock",
    "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "newfstatat",
    "fstatat64", "statx", "access", "faccessat", "faccessat2", "readlink",
    "readlinkat", "name_to_handle_at", "getdents", "getdents64", "statfs", "statfs64", "fstatfs",
    "fstatfs64", "getcwd", "posix_fadvise", "fadvise64", "fadvise64_64", "readahead",
    /* output, and temporary files that were made here */
    "write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate",
    "ftruncate64", "fallocate", "fsync", "fdatasync", "unlink", "unlinkat",
    "rmdir", "umask", "pipe2", "eventfd2",
    /* memory */
    "brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise",
    "membarrier", "memfd_create", "mincore",
    /* threads, which clone() below makes */
    "futex", "futex_time64", "set_robust_list", "get_robust_list", "rseq",
    "set_tid_address", "gettid", "sched_yield", "sched_getaffinity",
    "sched_getparam", "sched_getscheduler", "sched_setaffinity", "getcpu",
    /* time */
    "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64",
    "clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "gettimeofday",
    "clock_adjtime", "clock_adjtime64", "adjtimex", /* whether it is right */
    "time", "times", "getrusage", "setitimer", "alarm", "timer_settime",
    /* signals that come, and waiting */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn",
    "rt_sigpending", "rt_sigtimedwait", "sigaltstack", "restart_syscall",
    "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6",
    "pselect6_time64", "epoll_create1", "epoll_ctl", "epoll_wait",
    "epoll_pwait", "wait4", "waitid", "exit", "exit_group",
    /* who and where we are */
    "getpid", "getppid", "getpgrp", "getpgid", "getsid", "getuid", "geteuid",
    "getgid", "getegid", "getresuid", "getresgid", "getgroups", "getuid32",
    "geteuid32", "getgid32", "getegid32", "getresuid32", "getresgid32",
    "getgroups32", "capget", "uname", "sysinfo", "getrlimit", "ugetrlimit",
    "getrandom", "getpriority",
    /* the socket to the hand, and the one to the system's log */
    "recvfrom", "shutdown", "getsockopt", "getsockname", "getpeername", NULL};

/* A new file gets its name, mode and place on the disk. */
static const char *const writing[] = {"rename", "renameat", "renameat2", "link",
    "linkat", "fchmod", "syncfs", "sync_file_range", "copy_file_range",
    "sendfile", "sendfile64", NULL};

/* What a library may try, and then does without. */
static const char *const refused[] = {"socket", "socketpair", "connect",
    "bind", "listen", "accept", "accept4", "sendmsg", "sendmmsg", "recvmsg",
    "recvmmsg", "setsockopt", "chmod", "fchmodat", "fchmodat2", "chown",
    "lchown", "fchown", "fchownat", "chown32", "lchown32", "fchown32", "utime",
    "utimes", "futimesat", "utimensat", "utimensat_time64", "mkdir", "mkdirat",
    "symlink", "symlinkat", "truncate", "truncate64", "setxattr", "lsetxattr",
    "fsetxattr", "removexattr", "lremovexattr", "fremovexattr", "setrlimit",
    "setpriority", "sched_setscheduler", "sched_setparam", "inotify_init1",
    "fork", "vfork", "setsid", "setpgid", "mlock", "mlockall", "chdir",
    "fchdir", "creat", "personality", NULL};

/* Nobody who is still qtool. */
static const char *const fatal[] = {"execve", "execveat",
    "process_vm_writev", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "process_madvise", "kcmp", "mount", "umount",
    "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen",
    "fsconfig", "fsmount", "fspick", "mount_setattr", "unshare", "setns",
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid",
    "setfsuid", "setfsgid", "setgroups", "setuid32", "setgid32", "setreuid32",
    "setregid32", "setresuid32", "setresgid32", "setfsuid32", "setfsgid32",
    "setgroups32", "capset", "bpf", "perf_event_open", "userfaultfd",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "init_module",
    "finit_module", "delete_module", "kexec_load", "kexec_file_load",
    "add_key", "request_key", "keyctl", "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "settimeofday",
    "clock_settime", "sethostname",
    "setdomainname", "syslog", "vhangup", "ioperm", "iopl", "modify_ldt",
    "fanotify_init", "lookup_dcookie", "mknod", "mknodat", "nfsservctl",
    "uselib", "sysfs", "_sysctl", NULL};

/* The same; but a sanitizer's runtime does it. */
static const char *const tracing[] = {"ptrace", "process_vm_readv", NULL};

/* The same, but the hand's daily work. */
static const char *const fatal_to_judge[] = {"open_by_handle_at", NULL};

/* Beside those, what the hand has no business with. */
static const char *const not_the_hands[] = {"socket", "socketpair", "connect",
    "bind", "listen", "accept", "accept4", "sendmmsg", "symlink", "symlinkat",
    NULL};

/* What the terminal is asked; what types on it or takes it over is not here. */
static const unsigned long terminal[] = {TCGETS, TIOCGWINSZ, TCFLSH, TIOCGPGRP,
    FIONREAD, FIOCLEX, FIONCLEX};

/* Not those that name somebody who gets a signal (F_SETOWN, F_SETSIG). */
static const int descriptor[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD,
    F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK,
    F_OFD_SETLKW, F_ADD_SEALS, F_GET_SEALS, F_GETPIPE_SZ};

/* A build on a new kernel's headers and an old one's: what is missing is 0. */
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

struct filter {
	scmp_filter_ctx f;
	int failed; /* errno of the first failure */
};

static void rule(struct filter *w, uint32_t action, int nr, unsigned n,
    const struct scmp_arg_cmp *cmp)
{
	int r;

	/* a call this machine has not, or this libseccomp has not heard of:
	 * the filter's default is the answer */
	if (nr < 0 || w->failed != 0)
		return;
	r = seccomp_rule_add_array(w->f, action, nr, n, cmp);
	if (r != 0 && r != -EEXIST)
		w->failed = -r;
}

static void rules(struct filter *w, uint32_t action, const char *const *names)
{
	for (; *names != NULL; names++)
		rule(w, action, seccomp_syscall_resolve_name(*names), 0, NULL);
}

/* An int: what stands in the upper half of its register means nothing. */
static struct scmp_arg_cmp low_half(unsigned arg, unsigned long value)
{
	return SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, UINT32_MAX, value);
}

static void rule_if(struct filter *w, const char *name, struct scmp_arg_cmp a)
{
	rule(w, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(name), 1, &a);
}

/* For reading; or a file that this very call makes. */
static void allow_open(struct filter *w, const char *name, unsigned arg)
{
	rule_if(w, name, SCMP_CMP(arg, SCMP_CMP_MASKED_EQ,
	    O_ACCMODE | O_TRUNC | O_CREAT, O_RDONLY));
	rule_if(w, name, SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, NEW_FILE, NEW_FILE));
	rule_if(w, name, SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, TMPFILE, TMPFILE));
}

static void allow_some(struct filter *w)
{
	static const int options[] = {PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP,
	    PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA};
	const pid_t me = getpid();

	allow_open(w, "openat", 2);
	allow_open(w, "open", 1);
	/* a thread; clone3()'s flags cannot be seen: ENOSYS, and clone() is
	 * what the C library takes then */
	rule_if(w, "clone", SCMP_CMP(CLONE_FLAGS, SCMP_CMP_MASKED_EQ,
	    CLONE_THREAD, CLONE_THREAD));
	/* to whom a socket is connected, nobody else */
	rule_if(w, "sendto", SCMP_CMP(4, SCMP_CMP_EQ, 0, 0));
	/* abort(), raise() */
	rule_if(w, "tgkill", low_half(0, (unsigned long)me));
	rule_if(w, "kill", low_half(0, (unsigned long)me));
	/* reading our own limits */
	rule_if(w, "prlimit64", SCMP_CMP(2, SCMP_CMP_EQ, 0, 0));
	for (size_t i = 0; i < sizeof(terminal) / sizeof(terminal[0]); i++)
		rule_if(w, "ioctl", low_half(1, terminal[i]));
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		rule_if(w, "prctl", low_half(0, (unsigned long)options[i]));
	for (size_t i = 0; i < sizeof(descriptor) / sizeof(descriptor[0]); i++) {
		rule_if(w, "fcntl", low_half(1, (unsigned long)descriptor[i]));
		rule_if(w, "fcntl64", low_half(1, (unsigned long)descriptor[i]));
	}
}

static void judge(struct filter *w, enum qt_role role)
{
	static const char *const sanitizer[] = {"clone", "prctl", "kill",
	    "tgkill", "tkill", "prlimit64", NULL};

	rules(w, SCMP_ACT_ALLOW, reading);
	if (SANITIZED)
		rules(w, SCMP_ACT_ALLOW, sanitizer);
	rules(w, SANITIZED ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS, tracing);
	allow_some(w);
	rules(w, role == QT_ROLE_WRITER ? SCMP_ACT_ALLOW :
					  SCMP_ACT_ERRNO(EPERM), writing);
	rules(w, SCMP_ACT_ERRNO(EPERM), refused);
	rules(w, SCMP_ACT_KILL_PROCESS, fatal);
	rules(w, SCMP_ACT_KILL_PROCESS, fatal_to_judge);
}

static void hand(struct filter *w)
{
	const struct scmp_arg_cmp typing = low_half(1, TIOCSTI);

	rules(w, SCMP_ACT_ERRNO(EPERM), not_the_hands);
	rules(w, SCMP_ACT_ERRNO(EPERM), fatal);
	if (!SANITIZED)
		rules(w, SCMP_ACT_ERRNO(EPERM), tracing);
	/* typing on the user's terminal */
	rule(w, SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name("ioctl"), 1,
	    &typing);
}

bool qt_seccomp_there(void)
{
	const uint32_t action = SECCOMP_RET_KILL_PROCESS;

	/* a kernel without, or a container's filter: it is not there for us */
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int qt_seccomp_enter(enum qt_role role, struct qt_error *err)
{
	struct filter w = {.f = seccomp_init(role == QT_ROLE_HAND ?
	    SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS))};
	int r;

	if (w.f == NULL)
		return qt_fail_mem(err);
	if (role == QT_ROLE_HAND)
		hand(&w);
	else
		judge(&w, role);
	if (w.failed == 0) {
		/* a tree instead of a list: some 250 rules for each call */
		(void)seccomp_attr_set(w.f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		r = seccomp_load(w.f);
		w.failed = r < 0 ? -r : 0;
	}
	seccomp_release(w.f);
	if (w.failed == 0)
		return 0;
	errno = w.failed;
	return qt_fail_sys(err, "seccomp", "system call filter");
}
