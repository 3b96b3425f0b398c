/*
 * journal.h - the log of a transaction: which state it is in.
 *
 *	S n STATE time key=value ... #crc32c
 *
 * One sealed line (field.h) a state, n from 1, at most 256 bytes, written by
 * one append and one fdatasync.  The last valid record decides what is to be
 * done; no record (with a plan) means prepared.  A last record that is torn was
 * never acknowledged: it is cut off.  A bad record before a good one is damage:
 * nobody acts on such a log.
 */
#ifndef CHANGE_JOURNAL_H
#define CHANGE_JOURNAL_H

#include "change/fsops.h"
#include "qtool/change.h"

#define QT_JOURNAL_RECORD 256		    /* bytes, with the LF */
#define QT_JOURNAL_MAX ((size_t)256 << 10) /* bytes of a whole log */

struct qt_journal_record {
	uint64_t n; /* 0: there is none */
	enum qt_tx_state state;
	int64_t time_ns;
	/* from the keys; what is not there is 0 or false */
	uint64_t done, gone, changed; /* COMMITTED, PLACED: how many of
				       * the plan */
	bool in_place;		      /* UNDOING: to=origin, else to=hold */
	/* PLACED, and UNDOING after a fault: what was not moved (own.h) */
	bool own;	  /* the next two are there */
	uint64_t left;	  /* how many the file "left" names */
	uint64_t reached; /* messages from this one on were not begun with */
};

struct qt_journal {
	struct qt_journal_record last;
	struct qt_journal_record commit; /* the last COMMITTED */
	struct qt_journal_record placed; /* the last one with own, since the
					  * last COMMITTED or REDOING */
	unsigned redone; /* how often an undo was undone */
	int64_t redone_ns; /* when, the last time; 0 never */
	bool undone_in_place; /* where the last undo put them */
	size_t good; /* bytes up to the end of the last valid record */
	bool torn;   /* bytes follow that are no record */
	/* while it is open for writing */
	int fd;	     /* -1 otherwise */
	bool unsure; /* an append failed and may be there or not */
};

void qt_journal_init(struct qt_journal *j);
void qt_journal_release(struct qt_journal *j);

/* Fill last, commit, good, torn from bytes.  QT_E_STATE: damaged. */
int qt_journal_parse(struct qt_journal *j, const char *bytes, size_t len,
    const char *where, struct qt_error *err) QT_MUST_CHECK;
/* Read without writing: 0, 1 there is no log (ENOENT alone). */
int qt_journal_read(struct qt_journal *j, int dir, const char *where,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * Open for appending; a torn end is cut off, the rest is durable when this
 * returns 0.  1: there is no log.
 */
int qt_journal_open(struct qt_journal *j, const struct qt_fsops *fs, int dir,
    const char *where, struct qt_error *err) QT_MUST_CHECK;
/* Make it (O_EXCL); the directory is synced. */
int qt_journal_create(struct qt_journal *j, const struct qt_fsops *fs, int dir,
    const char *where, struct qt_error *err) QT_MUST_CHECK;
/*
 * Append rec's state and keys and make it durable; n and time_ns are filled in.
 * On failure the log is as it was, unless j->unsure: then nobody can tell, and
 * the caller leaves all messages where they are.
 */
int qt_journal_append(struct qt_journal *j, const struct qt_fsops *fs,
    const struct qt_journal_record *rec, const char *where,
    struct qt_error *err) QT_MUST_CHECK;

/* Whether state b may follow state a; PREPARED follows nothing (n == 0). */
bool qt_journal_may_follow(const struct qt_journal_record *a,
    enum qt_tx_state b);

#endif
