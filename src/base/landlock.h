/*
 * landlock.h - Landlock (landlock(7)): which files a process may open, whoever
 * it runs as.
 *
 * Spoken without the kernel's header, so that what is built on an older system
 * uses all that a newer kernel has.
 */
#ifndef QTOOL_BASE_LANDLOCK_H
#define QTOOL_BASE_LANDLOCK_H

#include "qtool/confine.h"

/* The ABI the kernel speaks; 0: it has no Landlock, or not for us. */
int qt_landlock_abi(void);
/* A ruleset that forbids all it can name, -1. */
int qt_landlock_new(int abi, struct qt_error *err) QT_MUST_CHECK;
/* Allow beneath fd (O_PATH will do); directory: it is one; filtered: there is
 * a filter of system calls besides (landlock.c). */
int qt_landlock_allow(int ruleset, int abi, int fd, bool directory,
    enum qt_access access, bool filtered, const char *where,
    struct qt_error *err)
    QT_MUST_CHECK;
/* From now on, for this thread and those it makes. */
int qt_landlock_enter(int ruleset, struct qt_error *err) QT_MUST_CHECK;

#endif
