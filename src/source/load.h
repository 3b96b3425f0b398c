/*
 * load.h - one directory entry made into a row, tier by tier.
 *
 * What workers run.  A loader is one thread's; the plan is shared and is not
 * changed while threads run, but for cancel.
 */
#ifndef QTOOL_SOURCE_LOAD_H
#define QTOOL_SOURCE_LOAD_H

#include <stdatomic.h>

#include "base/pool.h"
#include "qtool/scan.h"
#include "source/locks.h"
#include "source/logdirs.h"
#include "source/packed.h"
#include "source/tree.h"

enum qt_fate {
	QT_FATE_UNREAD,	 /* not yet, or never: the scan was stopped */
	QT_FATE_READ,
	QT_FATE_GONE,	 /* no such file any more */
	QT_FATE_DROPPED, /* read, but a prefilter says no */
	QT_FATE_FAILED	 /* a run error: sys */
};

/* A row with what the scanner has to know beside it. */
struct qt_scan_row {
	struct qt_row row;	 /* first, so that one leads to the other */
	struct qt_tree_dir *dir; /* where it was found; a reference until the
				  * row is handed out; NULL: in an archive */
	const struct qt_packed_item *packed; /* there; NULL: in a directory */
	struct qt_held held;	 /* its bytes, from there */
	size_t packed_charge;	 /* what they count for */
	const char *name;	 /* there; of a staged message not its ID */
	int fd;			 /* of one kept open (picks.h), until it is
				  * loaded, or, not read, given back; else -1 */
	enum qt_fate fate;
	int sys;		 /* errno of FAILED */
	bool have_stat;
	size_t charge;		 /* bytes charged to the pool's budget */
	struct qt_scan_row *all; /* list of every row there is */
};

struct qt_load_plan {
	unsigned want; /* QT_WANT_ bits with what they imply */
	const struct qt_prefilter *prefilter;
	size_t nprefilter;
	int (*finish)(struct qt_row *row, struct qt_finish_tmp *tmp, void *ctx);
	void *finish_ctx;
	const struct qt_picks *picks; /* the rows are these; NULL: a walk's */
	struct qt_locks locks;
	struct qt_logdirs *logdirs; /* what all workers share */
	struct qt_pool *pool; /* for the budget; NULL none */
	atomic_bool cancel;   /* stop before the next row */
};

/* Add to want what its bits imply. */
unsigned qt_load_want(unsigned want);
/* Whether it takes the file's bytes, and which logs (QT_Q_BIT). */
bool qt_load_reads(unsigned want);
unsigned qt_load_logs_of(unsigned want, const struct qt_spool *spool);

struct qt_loader;
int qt_loader_new(struct qt_loader **out, const struct qt_load_plan *plan,
    struct qt_error *err) QT_MUST_CHECK;
void qt_loader_free(struct qt_loader *l);

/*
 * Load one row.  task and ready are for the pool's budget (NULL, 0 without).
 * Everything that goes wrong is in the row.
 */
void qt_load(struct qt_loader *l, struct qt_scan_row *r, struct qt_task *task,
    unsigned ready);

/* Make a row ready for another entry, keeping its first block of memory. */
void qt_scan_row_clear(struct qt_scan_row *r);

#endif
