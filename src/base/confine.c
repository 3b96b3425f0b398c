/*
 * confine.c - a process gives up what it does not need: user, capabilities, new
 * privileges, files (landlock.c), system calls (seccomp.c), in this order, as
 * each takes away what the one before it needs.
 *
 * A user that cannot be had (a container that maps few, a service without
 * CAP_SETUID) is a layer that is not there: the process stays who it is.
 * Nothing is undone on the way: a process whose confinement failed half way is
 * to end.
 */
#include "qtool/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/landlock.h"
#include "base/seccomp.h"

#define BIT(cap) (UINT64_C(1) << (cap))

/*
 * What the hand keeps: files of any owner (DAC_*), file handles
 * (DAC_READ_SEARCH), the owner of what it makes (CHOWN), times and modes
 * (FOWNER), the blocks that are left to root when a disk is full
 * (SYS_RESOURCE), and the question whether a file is open elsewhere (LEASE).
 */
#define HANDS_CAPS (BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | \
	BIT(CAP_CHOWN) | BIT(CAP_FOWNER) | BIT(CAP_SYS_RESOURCE) | \
	BIT(CAP_LEASE))

/* ---- capabilities ---- */

struct caps {
	uint64_t effective, permitted, inheritable;
};

static int get_caps(struct caps *c, struct qt_error *err)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{0}};

	if (syscall(SYS_capget, &h, d) != 0)
		return qt_fail_sys(err, "capget", "capabilities");
	c->effective = (uint64_t)d[1].effective << 32 | d[0].effective;
	c->permitted = (uint64_t)d[1].permitted << 32 | d[0].permitted;
	c->inheritable = (uint64_t)d[1].inheritable << 32 | d[0].inheritable;
	return 0;
}

/* These, as far as they are permitted, and no more. */
static int keep_caps(uint64_t keep, struct qt_error *err)
{
	struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct d[2] = {{0}};
	struct caps c;

	if (get_caps(&c, err) != 0)
		return -1;
	keep &= c.permitted;
	d[0].effective = d[0].permitted = (uint32_t)keep;
	d[1].effective = d[1].permitted = (uint32_t)(keep >> 32);
	if (syscall(SYS_capset, &h, d) != 0)
		return qt_fail_sys(err, "capset", "capabilities");
	return 0;
}

const char *qt_capability_name(unsigned cap)
{
	switch (cap) {
	case CAP_CHOWN:
		return "chown";
	case CAP_DAC_OVERRIDE:
		return "dac_override";
	case CAP_DAC_READ_SEARCH:
		return "dac_read_search";
	case CAP_FOWNER:
		return "fowner";
	case CAP_LEASE:
		return "lease";
	case CAP_SYS_RESOURCE:
		return "sys_resource";
	default:
		return NULL;
	}
}

/* ---- the user ---- */

/* Become somebody else if that can be done here. */
static int become(uid_t uid, gid_t gid, struct qt_error *err)
{
	const gid_t was = getegid();

	if (setgroups(1, &gid) != 0)
		return errno == EPERM ? 0 :
		    qt_fail_sys(err, "setgroups", "mail owner");
	if (setresgid(gid, gid, gid) != 0)
		return errno == EPERM || errno == EINVAL ? 0 :
		    qt_fail_sys(err, "setresgid", "mail owner");
	/* capabilities are looked at next, and are not to go before that */
	if (prctl(PR_SET_KEEPCAPS, 1UL, 0UL, 0UL, 0UL) != 0)
		return qt_fail_sys(err, "prctl", "mail owner");
	if (setresuid(uid, uid, uid) == 0)
		return 0;
	if ((errno != EPERM && errno != EINVAL) ||
	    setresgid(was, was, was) != 0)
		return qt_fail_sys(err, "setresuid", "mail owner");
	return 0;
}

/* ---- rules ---- */

int qt_confine_init(struct qt_confine *c, enum qt_role role,
    struct qt_error *err)
{
	*c = (struct qt_confine){.role = role, .ruleset = -1,
	    .abi = qt_landlock_abi(), .filters = qt_seccomp_there()};
	/* before ABI 2 nothing may be renamed into another directory, which is
	 * what the hand does */
	if (role == QT_ROLE_HAND && c->abi < 2)
		c->abi = 0;
	if (c->abi == 0)
		return 0;
	c->ruleset = qt_landlock_new(c->abi, err);
	return c->ruleset >= 0 ? 0 : -1;
}

void qt_confine_release(struct qt_confine *c)
{
	if (c != NULL)
		qt_close_quiet(&c->ruleset);
}

int qt_confine_allow(struct qt_confine *c, int dirfd, const char *path,
    enum qt_access access, struct qt_error *err)
{
	const char *where = path != NULL ? path : "queue directory";
	struct stat st;
	int fd, r;

	if (c->ruleset < 0)
		return 0;
	fd = openat(dirfd, path != NULL ? path : ".", O_PATH | O_CLOEXEC);
	if (fd < 0) /* what cannot be reached now will not be then */
		return 0;
	if (fstat(fd, &st) != 0)
		r = qt_fail_sys(err, "fstat", where);
	else
		r = qt_landlock_allow(c->ruleset, c->abi, fd,
		    S_ISDIR(st.st_mode), access, c->filters, where, err);
	qt_close_quiet(&fd);
	return r;
}

int qt_confine_allow_system(struct qt_confine *c, struct qt_error *err)
{
	/*
	 * No whole /etc and no whole /proc: a judge that keeps
	 * CAP_DAC_READ_SEARCH could read keys and password hashes there.
	 */
	static const char *const files[] = {"/usr/lib", "/usr/lib64",
	    "/usr/lib32", "/lib", "/lib64", "/usr/local/lib",
	    "/usr/share/locale", "/usr/share/zoneinfo", "/usr/share/i18n",
	    "/usr/share/publicsuffix", "/etc/localtime", "/etc/timezone",
	    "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/nsswitch.conf",
	    "/etc/passwd", "/etc/group", "/etc/locale.alias",
	    "/etc/ssl/openssl.cnf", "/proc/self", "/proc/locks",
	    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat",
	    "/proc/filesystems", "/proc/sys/kernel", "/proc/sys/vm",
	    "/proc/sys/crypto", "/sys/devices/system/cpu", "/dev/urandom",
	    "/dev/random", "/dev/zero"};
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (qt_confine_allow(c, AT_FDCWD, files[i], QT_ACCESS_READ,
			err) != 0)
			return -1;
	return qt_confine_allow(c, AT_FDCWD, "/dev/null", QT_ACCESS_DEVICE,
	    err);
}

/* ---- all of it ---- */

static uint64_t wanted_caps(const struct qt_confine *c)
{
	if (c->role == QT_ROLE_HAND)
		return HANDS_CAPS;
	return (c->keep_read ? BIT(CAP_DAC_READ_SEARCH) : 0) |
	    (c->keep_override ? BIT(CAP_DAC_OVERRIDE) : 0);
}

static int look(const struct qt_confine *c, struct qt_confined *held,
    struct qt_error *err)
{
	struct caps caps;

	if (get_caps(&caps, err) != 0)
		return -1;
	*held = (struct qt_confined){.uid = geteuid(), .caps = caps.effective,
	    .no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
	    .seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2,
	    .landlock = c->abi};
	return 0;
}

int qt_confine_enter(struct qt_confine *c, struct qt_confined *held,
    struct qt_error *err)
{
	if (c->change_user && become(c->uid, c->gid, err) != 0)
		return -1;
	if (keep_caps(wanted_caps(c), err) != 0)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) != 0)
		return qt_fail_sys(err, "prctl", "new privileges");
	/* nobody who has the same user may look into it, or trace it */
	if (prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) != 0)
		return qt_fail_sys(err, "prctl", "core dump");
	if (c->ruleset >= 0 && qt_landlock_enter(c->ruleset, err) != 0)
		return -1;
	qt_close_quiet(&c->ruleset);
	if (c->filters && qt_seccomp_enter(c->role, err) != 0)
		return -1;
	return look(c, held, err);
}
