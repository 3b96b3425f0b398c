/*
 * seccomp.h - which system calls a process may still make (seccomp(2)).
 */
#ifndef QTOOL_BASE_SECCOMP_H
#define QTOOL_BASE_SECCOMP_H

#include "qtool/confine.h"

/* Whether the kernel has filters, and we may load one. */
bool qt_seccomp_there(void);
/* From now on, for this thread and those it makes. */
int qt_seccomp_enter(enum qt_role role, struct qt_error *err) QT_MUST_CHECK;

#endif
