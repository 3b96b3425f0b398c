/*
 * state.h - where qtool keeps what it knows about a queue's transactions.
 *
 *	SPOOL/qtool/		0700, the running user's; never below a queue
 *	  lock			flock: one changing qtool at a time
 *	  state-dirs		other places of plans and logs, ever used here
 *	  spare/		an empty tx directory, and
 *	  room			blocks to be given up: for a full disk
 *	  tx/000001/		a transaction
 *	    plan, log		or in DIR/tx/000001 with --state-dir DIR
 *	    m/0000/NAME		staged messages, 4,096 names a bucket
 *	    x/0000/NAME		their logs
 *
 * With --state-dir the directory SPOOL/qtool/tx/ID stays as the sign that
 * DIR/tx/ID is this spool's: two spools may share a DIR.
 */
#ifndef CHANGE_STATE_H
#define CHANGE_STATE_H

#include "change/dirs.h"
#include "change/fsops.h"
#include "qtool/change.h"

#define QT_STATE_NAME "qtool" /* below the queue directory */
#define QT_STATE_TX "tx"
#define QT_STATE_DIRS_MAX 8	      /* places that state-dirs can name */
#define QT_STATE_DIRS_SIZE 8192	      /* bytes of that file, kept allocated */
#define QT_TX_NAME_SIZE 24

/* One place of plans and logs outside the spool. */
struct qt_state_dir {
	char *path; /* absolute; owned */
	int tx;	    /* PATH/tx, -1 when it cannot be reached (ENOENT) */
};

struct qt_state_dirs {
	struct qt_state_dir v[QT_STATE_DIRS_MAX];
	size_t n;
	size_t end; /* where the next line goes in the file */
};

struct qt_change {
	const struct qt_spool *spool;
	struct qt_change_opts opts;
	struct qt_fsops fs;
	struct qt_dirs dirs; /* open directories of the queues */
	int root;	     /* SPOOL/qtool */
	int tx;		     /* SPOOL/qtool/tx */
	int lock;	     /* SPOOL/qtool/lock, locked */
	struct qt_state_dirs places;
	size_t place;	     /* of opts.state_dir in places, SIZE_MAX: none */
	off_t given_up;	     /* bytes of SPOOL/qtool/room, by this run */
};

/*
 * A qtool/ directory that may be trusted, as whose it is, or QT_E_REFUSED that
 * says why.
 */
int qt_state_check_dir(int fd, const char *where, uid_t whose, bool ours_alone,
    struct qt_error *err) QT_MUST_CHECK;

/* root, tx, lock, places; made where they are missing. */
int qt_state_open(struct qt_change *c, struct qt_error *err) QT_MUST_CHECK;
/* The same without writing and without the lock; 1: there is none. */
int qt_state_open_readonly(struct qt_change *c, struct qt_error *err)
    QT_MUST_CHECK;
void qt_state_close(struct qt_change *c);
/* For a fresh struct: no descriptor, no place. */
void qt_state_init(struct qt_change *c, const struct qt_spool *spool);

/* "000042", six digits or more, of a number; and back (0: none). */
void qt_state_tx_name(uint64_t id, char name[QT_TX_NAME_SIZE]);
uint64_t qt_state_tx_id(const char *name);
/*
 * The numbers of all transactions, ascending, in *ids (the caller frees): a
 * directory that cannot be read is an error, never an empty one.
 */
int qt_state_tx_ids(const struct qt_change *c, uint64_t **ids, size_t *n,
    struct qt_error *err) QT_MUST_CHECK;

/* Call fn with each name of a directory but . and ..; fn 0 goes on. */
int qt_state_each(int dir, const char *where,
    int (*fn)(void *ctx, const char *name, struct qt_error *err), void *ctx,
    struct qt_error *err) QT_MUST_CHECK;

/* Everything on the spool's file system is durable after this. */
int qt_state_barrier(struct qt_change *c, struct qt_error *err) QT_MUST_CHECK;
/* Whether the caller was told to stop. */
bool qt_state_stopped(const struct qt_change *c);

#endif
