/*
 * confine.h - a process gives up what it does not need, before it reads what
 * others wrote.
 *
 * Two roles (SECURITY.md).  The judge reads mail, and with it what attackers
 * wrote: it becomes the owner of the queue, keeps at most one capability, sees
 * only the files it was told of, and makes only the system calls that reading
 * takes.  The hand changes the queue and reads no mail: it keeps what finishing
 * a transaction may take and gives up the rest.
 *
 * Layers: user and capabilities, no new privileges, Landlock (5.13 and later),
 * seccomp.  What the kernel has not is left out and shows in struct
 * qt_confined; what it has and does not work is an error.
 */
#ifndef QTOOL_CONFINE_H
#define QTOOL_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "qtool/error.h"

enum qt_role {
	QT_ROLE_JUDGE,	/* reads, and creates nothing but temporary files */
	QT_ROLE_WRITER, /* a judge that also makes a new file for the user */
	QT_ROLE_HAND	/* changes the queue */
};

/* What may be done with a file, or a directory and all beneath. */
enum qt_access {
	QT_ACCESS_READ,
	QT_ACCESS_QUEUE,  /* read, where there is much to read */
	QT_ACCESS_DEVICE, /* read and write what is there: /dev/null */
	QT_ACCESS_CREATE, /* read; make, write and remove regular files */
	QT_ACCESS_RMDIR,  /* remove empty directories, nothing else */
	QT_ACCESS_ENTER,  /* list; make directories */
	QT_ACCESS_CHANGE, /* all that changing a queue takes */
	QT_ACCESSES
};

/* What holds now, as the kernel says it. */
struct qt_confined {
	uid_t uid;
	uint64_t caps;	     /* effective capabilities, a bit each */
	bool no_new_privs;
	bool seccomp;	     /* a filter is in force */
	int landlock;	     /* its ABI, 0: not in force */
};

/* The rules in the making. */
struct qt_confine {
	enum qt_role role;
	bool change_user;    /* to the two below */
	uid_t uid;
	gid_t gid;
	bool keep_read;	     /* CAP_DAC_READ_SEARCH, of a judge */
	bool keep_override;  /* CAP_DAC_OVERRIDE: a writer's directory is not
			      * its own */
	int ruleset;	     /* Landlock's, -1: the kernel has none */
	int abi;	     /* Landlock's, 0 none */
	bool filters;	     /* the kernel has seccomp */
};

/* Begin: nothing is allowed yet, nothing is given up. */
int qt_confine_init(struct qt_confine *c, enum qt_role role,
    struct qt_error *err) QT_MUST_CHECK;
void qt_confine_release(struct qt_confine *c);
/*
 * Allow a path, relative to dirfd, links followed; NULL: dirfd itself.  One
 * that is not there is passed over.
 */
int qt_confine_allow(struct qt_confine *c, int dirfd, const char *path,
    enum qt_access access, struct qt_error *err) QT_MUST_CHECK;
/* What the C library and others open when they please: locales, time zones. */
int qt_confine_allow_system(struct qt_confine *c, struct qt_error *err)
    QT_MUST_CHECK;
/*
 * Give up all else, for good and in all threads to come; called while there is
 * one.  On failure the process is to end.
 */
int qt_confine_enter(struct qt_confine *c, struct qt_confined *held,
    struct qt_error *err) QT_MUST_CHECK;

/* A capability's name without "CAP_" in lower case, NULL when it has none here. */
const char *qt_capability_name(unsigned cap);

#endif
