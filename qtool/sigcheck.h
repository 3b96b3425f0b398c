/*
 * sigcheck.h - a process that checks signatures for a judge, who may run no
 * programs any more.
 */
#ifndef QTOOL_SIGCHECK_H
#define QTOOL_SIGCHECK_H

#include "qtool/verify.h"

struct sigcheck {
	int fd;	   /* -1: there is none */
	int pid;
};

/*
 * Start it, before the roles are taken.  allowed: a file of ALLOWED SIGNERS,
 * NULL: any key; identity: who has to have signed, NULL: any of them.
 */
int sigcheck_start(struct sigcheck *s, const char *allowed, const char *identity,
    struct qt_error *err) QT_MUST_CHECK;
/* As qt_signature_check(), by it. */
int sigcheck_check(struct sigcheck *s, const struct qt_signed *what,
    char told[256], struct qt_error *err) QT_MUST_CHECK;
void sigcheck_stop(struct sigcheck *s);

#endif
