/*
 * scan_priv.h - the scanner's struct, shared by scan.c (batches, rows in
 * order) and late.c (where entries come from, and the second look).
 */
#ifndef QTOOL_SOURCE_SCAN_PRIV_H
#define QTOOL_SOURCE_SCAN_PRIV_H

#include "base/pool.h"
#include "qtool/queueid.h"
#include "source/inodes.h"
#include "source/load.h"
#include "source/tree.h"

#define QT_SCAN_BATCH 32u /* rows a task */

/* Where entries come from.  A phase begins when every row of the one before
 * has been handed out, so that all that was seen is known. */
enum qt_scan_phase {
	QT_PHASE_PICKS,	    /* what was picked, and nothing else */
	QT_PHASE_LOOKUP_ID, /* only_id, at the places it could be */
	QT_PHASE_WALK,	    /* everything, or only_id wherever it is */
	QT_PHASE_WALK_AGAIN, /* directories that have changed meanwhile */
	QT_PHASE_LOOKUP_GONE, /* names that vanished, in all queues */
	QT_PHASE_END
};

/* A name whose file was not there any more. */
struct qt_gone {
	const struct qt_spool *spool;
	dev_t dev;  /* of the directory */
	ino_t ino;  /* from the directory entry */
	const char *name; /* in the arena */
};

struct qt_batch {
	struct qt_task task;
	struct qt_batch *after; /* in walk order, or the free list */
	struct qt_scan_row *rows[QT_SCAN_BATCH];
	unsigned n, taken, ready;
	bool submitted; /* a worker has it; else rows are loaded when taken */
};

/* The places where one name may be, one after the other. */
struct qt_lookup {
	size_t spool;	    /* index */
	unsigned queue;
	unsigned variant;   /* 0: computed; then the other depths */
	const char *only;   /* the name */
	const struct qt_spool *only_spool; /* NULL: all */
	bool computed_only; /* variant 0 alone */
	size_t packed_at;   /* of an archive: as qt_packed_find() left it */
};

struct qt_scan {
	struct qt_load_plan plan;
	struct qt_logdirs logdirs;
	unsigned queues; /* mask */
	const volatile sig_atomic_t *stop; /* may be NULL */
	const struct qt_spools *spools;
	char *only_id;	 /* owned; NULL all */
	struct qt_prefilter *prefilter; /* owned copy of the array */

	struct qt_picks *picks; /* borrowed; NULL: a walk */
	size_t pick_at;	     /* PICKS: the next one */
	struct qt_tree_dir *pick_dir; /* of the last one; a reference */

	struct qt_tree tree;
	struct qt_tarview **view; /* of each spool that is an archive; owned,
				   * NULL none yet */
	size_t packed_bytes; /* that rows hold of archives */
	struct qt_inodes seen;
	enum qt_scan_phase phase;
	unsigned round;	     /* second looks so far */
	uint64_t settled;    /* rows that were told apart, dropped ones too */
	uint64_t round_settled; /* the same when this round began */
	struct qt_lookup lookup;
	size_t gone_at;	     /* LOOKUP_GONE: the next one */
	struct qt_gone *gone; /* owned */
	size_t ngone, gone_cap;
	struct qt_arena gone_names;

	struct qt_pool *pool;	 /* NULL: rows are loaded in this thread */
	struct qt_loader *own;	 /* this thread's */
	struct qt_batch *head, **tail; /* batches in walk order */
	struct qt_batch *free_batches;
	struct qt_scan_row *free_rows, *all_rows;
	unsigned outstanding; /* batches */
	bool threaded;	 /* a batch was submitted */
	uint64_t seq;
	struct qt_scan_stats stats;
	struct qt_error failed; /* code QT_OK: not */
};

/* ---- scan_packed.c ---- */

#define QT_SCAN_PACKED_MAX ((size_t)8 << 20) /* bytes of archived messages that
					      * rows hold, beyond one */
/* Fill a row for an archive's file, with its bytes where they are asked for. */
int qt_packed_row(struct qt_scan *s, struct qt_scan_row *r,
    const struct qt_tree_entry *e, struct qt_error *err) QT_MUST_CHECK;
void qt_packed_row_done(struct qt_scan *s, struct qt_scan_row *r);
/* A copy of what it holds, as a file. */
int qt_packed_row_open(const struct qt_row *row, int *fd, struct qt_error *err)
    QT_MUST_CHECK;
void qt_packed_views_close(struct qt_scan *s);

/* ---- late.c ---- */

/* The next entry of the phase; 1 when it has no more for now. */
int qt_late_next(struct qt_scan *s, struct qt_tree_entry *e,
    struct qt_error *err) QT_MUST_CHECK;
/* The next of what was picked, with the descriptor that keeps it open. */
int qt_late_pick(struct qt_scan *s, struct qt_tree_entry *e, int *fd,
    struct qt_error *err) QT_MUST_CHECK;
/* The phase is over and its rows are handed out: begin the next. */
void qt_late_advance(struct qt_scan *s);
/* A row's file was gone when it was to be read. */
int qt_late_gone(struct qt_scan *s, const struct qt_scan_row *r,
    struct qt_error *err) QT_MUST_CHECK;
/* At the end: which of those turned up elsewhere, and which are gone. */
void qt_late_count(struct qt_scan *s);

#endif
