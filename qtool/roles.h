/*
 * roles.h - who this process is: a judge that reads mail without the rights to
 * change anything, with a hand that changes the queue for it where the command
 * does (confine.h, hand.h, SECURITY.md).
 */
#ifndef QTOOL_ROLES_H
#define QTOOL_ROLES_H

#include "qtool/confine.h"
#include "qtool/hand.h"
#include "qtool/option.h"

#include "newdir.h"
#include "signer.h"

struct ctx;

/* A file or directory that the command line names. */
struct named {
	const char *path; /* borrowed from argv */
	bool written;	  /* a new file; else it is read */
};

#define ROLES_BESIDE 4

struct roles {
	struct named *named; /* owned */
	size_t n;
	bool moves;	     /* --move */
	bool taken;
	struct qt_confined held; /* of the judge, once taken */
	struct qt_hand hand;
	pid_t hand_pid;	     /* 0: there is none */
	struct qt_buf postconf; /* archive's: asked for while it could be */
	struct qt_showq *showq; /* likewise, where it is wanted; owned, or NULL */
	char program[65];	/* likewise: the sum of this program */
	struct signer signer, sign_with; /* likewise */
	struct newdir newdir; /* report's */
	const char *operand; /* the first; NULL */
	/* owned: what may lie beside an archive that is checked; NULL */
	char *beside[ROLES_BESIDE];
	char *tmp;	     /* owned: a directory for temporary files; NULL */
};

/* What an option or an operand names may be read, or be written as new. */
int roles_note(struct ctx *c, const struct qt_option *opt, const char *value,
    struct qt_error *err) QT_MUST_CHECK;
int roles_note_read(struct ctx *c, const char *path, struct qt_error *err)
    QT_MUST_CHECK;
int roles_note_operands(struct ctx *c, int n, char **v, struct qt_error *err)
    QT_MUST_CHECK;

/*
 * Start the hand where there is to be one, and become the judge.  After the
 * queues are opened (postconf is run for it), before anything in them is read.
 * Once: again it does nothing.
 */
int roles_take(struct ctx *c, struct qt_error *err) QT_MUST_CHECK;
/* Let the hand go and wait for it; remove what is temporary. */
void roles_release(struct ctx *c);

/* For struct qt_change_opts: NULL when this process changes the queue itself. */
struct qt_hand *roles_hand(struct ctx *c);

#endif
