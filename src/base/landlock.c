/*
 * landlock.c - Landlock's three calls.
 *
 * A right that is handled is denied everywhere but beneath the paths that have
 * it.  Each ABI has rights that the ones before it do not know: they are asked
 * for only where they exist, and a kernel denies by them what older ones let
 * pass (truncating without 3, the network without 4, device ioctls without 5,
 * abstract sockets and signals to outside without 6).
 */
#include "base/landlock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The numbers are the same on all machines (asm-generic/unistd.h). */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/* include/uapi/linux/landlock.h of Linux 6.12 */
enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };
enum {
	EXECUTE = 1 << 0, WRITE_FILE = 1 << 1, READ_FILE = 1 << 2,
	READ_DIR = 1 << 3, REMOVE_DIR = 1 << 4, REMOVE_FILE = 1 << 5,
	MAKE_CHAR = 1 << 6, MAKE_DIR = 1 << 7, MAKE_REG = 1 << 8,
	MAKE_SOCK = 1 << 9, MAKE_FIFO = 1 << 10, MAKE_BLOCK = 1 << 11,
	MAKE_SYM = 1 << 12, REFER = 1 << 13, TRUNCATE = 1 << 14,
	IOCTL_DEV = 1 << 15
};
enum { NET_BIND = 1 << 0, NET_CONNECT = 1 << 1 };
enum { SCOPE_ABSTRACT_SOCKET = 1 << 0, SCOPE_SIGNAL = 1 << 1 };
#define OF_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)

struct ruleset_attr {
	uint64_t fs, net, scoped;
};
struct path_attr {
	uint64_t allowed;
	int32_t parent;
} __attribute__((packed));

int qt_landlock_abi(void)
{
	long r = syscall(SYS_landlock_create_ruleset, NULL, 0UL,
	    CREATE_RULESET_VERSION);

	/* ENOSYS, switched off at boot, or a container's filter */
	return r > 0 ? (int)r : 0;
}

static uint64_t rights(int abi)
{
	uint64_t all = REFER - 1;

	if (abi >= 2)
		all |= REFER;
	if (abi >= 3)
		all |= TRUNCATE;
	if (abi >= 5)
		all |= IOCTL_DEV;
	return all;
}

int qt_landlock_new(int abi, struct qt_error *err)
{
	const struct ruleset_attr attr = {.fs = rights(abi),
	    .net = abi >= 4 ? NET_BIND | NET_CONNECT : 0,
	    .scoped = abi >= 6 ? SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL : 0};
	/* a kernel refuses what it does not know, be it zero: E2BIG not, but
	 * a shorter struct is the one it was built with */
	size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	long fd = syscall(SYS_landlock_create_ruleset, &attr, size, 0);

	return fd >= 0 ? (int)fd :
	    qt_fail_sys(err, "landlock_create_ruleset", "Landlock");
}

/*
 * Two look-ups of Landlock's go up to the root directory unless something on
 * the way allows more than is asked for: at every open, whether the file might
 * be truncated later, and at every rename between directories, whether all
 * there is is allowed.  That is a tenth of what reading a whole queue takes,
 * and of what moving it takes.  So where there is a filter of system calls
 * (filtered), which refuses the judge to truncate by name, and the hand to make
 * links, devices and sockets and to run programs, the queue allows just that.
 */
static uint64_t means(enum qt_access access, int abi, bool filtered)
{
	const uint64_t file = READ_FILE | WRITE_FILE | MAKE_REG | REMOVE_FILE |
	    TRUNCATE | READ_DIR;

	switch (access) {
	case QT_ACCESS_QUEUE:
		return READ_FILE | READ_DIR | (filtered ? TRUNCATE : 0);
	case QT_ACCESS_DEVICE:
		return READ_FILE | WRITE_FILE | IOCTL_DEV;
	case QT_ACCESS_CREATE:
		return file;
	case QT_ACCESS_RMDIR:
		return REMOVE_DIR;
	case QT_ACCESS_ENTER:
		return READ_DIR | MAKE_DIR;
	case QT_ACCESS_CHANGE:
		return filtered ? rights(abi) : file | MAKE_DIR | REMOVE_DIR | REFER;
	case QT_ACCESS_READ:
	case QT_ACCESSES:
		break;
	}
	return READ_FILE | READ_DIR;
}

int qt_landlock_allow(int ruleset, int abi, int fd, bool directory,
    enum qt_access access, bool filtered, const char *where,
    struct qt_error *err)
{
	struct path_attr attr = {.parent = fd,
	    .allowed = means(access, abi, filtered) & rights(abi)};

	if (!directory)
		attr.allowed &= OF_FILES;
	if (attr.allowed == 0)
		return 0;
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr,
		0) == 0)
		return 0;
	/* a pipe has no place that there could be a rule about: <(command) */
	if (errno == EBADFD)
		return 0;
	return qt_fail_sys(err, "landlock_add_rule", where);
}

int qt_landlock_enter(int ruleset, struct qt_error *err)
{
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) == 0)
		return 0;
	return qt_fail_sys(err, "landlock_restrict_self", "Landlock");
}
