/*
 * feed.h - the rows of the queues for one cursor: a scan, or, when the
 * statement names queue IDs, a look-up of each.
 */
#ifndef QUERY_FEED_H
#define QUERY_FEED_H

#include "query/idset.h"
#include "query/query.h"

#define FEED_FILTERS 3
/* More IDs than this in an IN list: one scan is cheaper than look-ups. */
#define FEED_IDS_MAX 1000

/* What is to be read; filled by the table, taken over by feed_open(). */
struct feed_plan {
	unsigned want;	 /* QT_WANT_ bits */
	unsigned queues; /* mask; 0 all */
	bool nothing;	 /* a condition no row can meet */
	bool by_id;	 /* the IDs below alone */
	char **ids;	 /* owned, sorted, distinct */
	size_t nids, idcap;
	struct idset *listed; /* owned; not NULL: names of this set alone */
	struct qt_prefilter filter[FEED_FILTERS]; /* values owned */
	size_t nfilters;
	int (*finish)(struct qt_row *row, struct qt_finish_tmp *tmp, void *ctx);
	void *finish_ctx; /* borrowed */
};

struct feed {
	struct qt_db *db;
	struct feed_plan plan;
	struct qt_scan *scan; /* NULL: none is running */
	struct qt_row *row;   /* the one handed out, NULL none */
	size_t at;	      /* the next ID */
	uint64_t count;	      /* rows since the last report of progress */
};

void feed_plan_release(struct feed_plan *p);
int feed_plan_add_id(struct feed_plan *p, const char *id, struct qt_error *err)
    QT_MUST_CHECK;
int feed_plan_add_filter(struct feed_plan *p, enum qt_prefilter_col col,
    bool nocase, const char *value, struct qt_error *err) QT_MUST_CHECK;

/* Take the plan over, whatever the result.  0 or negative. */
int feed_open(struct feed *f, struct qt_db *db, struct feed_plan *plan,
    struct qt_error *err) QT_MUST_CHECK;
/* 0: f->row is the next, the one before is given back; 1: no more. */
int feed_next(struct feed *f, struct qt_error *err) QT_MUST_CHECK;
/* The row handed out, which is then not given back by the next. */
struct qt_row *feed_take(struct feed *f);
void feed_give(struct feed *f, struct qt_row *row);
void feed_close(struct feed *f);

#endif
