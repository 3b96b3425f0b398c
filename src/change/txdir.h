/*
 * txdir.h - one transaction on disk: its directories, the names of what is
 * staged, plan and log.
 *
 * The name of a staged message is its own undo record; its form is told in
 * source/staged.h, since what is staged is read like a queue, too.
 */
#ifndef CHANGE_TXDIR_H
#define CHANGE_TXDIR_H

#include "change/journal.h"
#include "change/plan.h"
#include "change/state.h"
#include "source/staged.h"

#define QT_TX_BUCKET QT_STAGED_BUCKET
#define QT_TX_ENTRY_SIZE QT_STAGED_NAME_SIZE
#define QT_TX_BUCKET_NAME_SIZE 32

#define QT_TX_PLAN_NAME "plan"
#define QT_TX_PLAN_TMP "plan.tmp"
#define QT_TX_LOG_NAME "log"

enum qt_tx_area { QT_TX_MESSAGES, QT_TX_LOGS, QT_TX_AREAS };
extern const char *const qt_tx_area_names[QT_TX_AREAS]; /* m, x */

struct qt_tx {
	uint64_t id;
	char name[QT_TX_NAME_SIZE];
	char where[48]; /* "transaction 12", for errors */
	int stage;	/* SPOOL/qtool/tx/ID */
	int home;	/* where plan and log are; not yet known: -1 */
	const char *place; /* of home when not in the spool, else NULL */
	struct qt_journal log;
	struct qt_plan *plan; /* NULL until loaded; owned */
	struct { /* the bucket last used, of each area */
		int fd;
		size_t no;
	} bucket[QT_TX_AREAS];
	int copies; /* bucket of copies last used (copies.h), -1 none */
	size_t copies_no;
};

void qt_tx_init(struct qt_tx *tx, uint64_t id);
void qt_tx_release(struct qt_tx *tx);

/*
 * Make the directories of a new transaction for its plan's messages, and find
 * its number.  Nothing is durable yet.
 */
int qt_tx_make(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
    QT_MUST_CHECK;
/* Write the plan: durable, with its directories, when this returns 0. */
int qt_tx_write_plan(struct qt_change *c, struct qt_tx *tx,
    struct qt_error *err) QT_MUST_CHECK;

/*
 * The staging directories of a transaction that was undone, made anew where
 * they are missing; durable.
 */
int qt_tx_remake(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
    QT_MUST_CHECK;

/*
 * Open what there is and read (not touch) the log.  0; 1 there is no plan, in
 * any place that can be reached.  QT_E_STATE: damaged.
 */
int qt_tx_look(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
    QT_MUST_CHECK;
/* Read the whole plan and what is staged into its items. */
int qt_tx_load(struct qt_tx *tx, struct qt_error *err) QT_MUST_CHECK;
/* How many names are in an area; none when it is not there. */
int qt_tx_count(const struct qt_tx *tx, enum qt_tx_area area, size_t *n,
    struct qt_error *err) QT_MUST_CHECK;
/* Open the log for appending, or make it when there is none. */
int qt_tx_open_log(struct qt_change *c, struct qt_tx *tx,
    struct qt_error *err) QT_MUST_CHECK;

/* "m/0000" and so on. */
void qt_tx_bucket_name(enum qt_tx_area area, size_t no,
    char name[QT_TX_BUCKET_NAME_SIZE]);
/* The bucket of a message or log; *fd stays tx's. */
int qt_tx_bucket(struct qt_tx *tx, enum qt_tx_area area, size_t seq, int *fd,
    struct qt_error *err) QT_MUST_CHECK;
void qt_tx_entry(const struct qt_tx *tx, size_t seq, char letter,
    char name[QT_TX_ENTRY_SIZE]);
/* The letter of a QT_LOG_ bit, 'd' to 'T'; and the queue of its directory. */
char qt_tx_log_letter(unsigned bit);
enum qt_queue qt_tx_log_queue(unsigned bit);

/* ---- txend.c ---- */

/*
 * Remove the empty staging directories; what is not empty stays.  Of an abort
 * with plan and log elsewhere, when there are no spare directories, nothing
 * stays: they are the spare ones.
 */
void qt_tx_clean(struct qt_change *c, struct qt_tx *tx);
/*
 * Remove a plan that nothing was done about: without a record in its log no
 * message was touched, and there is no room to say so in a log.  1: it is not
 * such a one, or cause is another failure than that of no room.
 */
int qt_tx_withdraw(struct qt_change *c, struct qt_tx *tx, bool home_too,
    const struct qt_error *cause, struct qt_error *err) QT_MUST_CHECK;
/*
 * Remove a transaction that never had a plan: nothing was staged, or
 * QT_E_STATE.  home_too: also the directory outside the spool, as it is ours.
 */
int qt_tx_discard(struct qt_change *c, struct qt_tx *tx, bool home_too,
    struct qt_error *err) QT_MUST_CHECK;

#endif
