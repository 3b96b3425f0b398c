/*
 * sigcheck.h - a process that checks signatures for a judge, who may run no
 * programs any more.
 */
#ifndef QTOOL_SIGCHECK_H
#define QTOOL_SIGCHECK_H

#include "qtool/option.h"
#include "qtool/verify.h"

/* Who has to have signed: the options of every command that reads archives. */
struct signers {
	const char *allowed;  /* a file of ALLOWED SIGNERS; NULL: any key */
	const char *identity; /* the one of them; NULL: any of them */
};

/* OPT_ALLOWED and OPT_IDENTITY; 1: it is another. */
int signers_option(struct signers *s, const struct qt_option *opt,
    const char *value);
/* Whether the two go together: QT_E_USAGE. */
int signers_check(const struct signers *s, struct qt_error *err)
    QT_MUST_CHECK;

struct sigcheck {
	int fd;	   /* -1: there is none */
	int pid;
};

/* Start it, before the roles are taken. */
int sigcheck_start(struct sigcheck *s, const struct signers *who,
    struct qt_error *err) QT_MUST_CHECK;
/* As qt_signature_check(), by it. */
int sigcheck_check(struct sigcheck *s, const struct qt_signed *what,
    char told[256], struct qt_error *err) QT_MUST_CHECK;
void sigcheck_stop(struct sigcheck *s);

#endif
