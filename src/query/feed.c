/*
 * feed.c - rows from the scanner, its statistics and its errors.
 */
#include "query/feed.h"

#include <stdlib.h>
#include <string.h>

#define PROGRESS_ROWS 1000

void feed_plan_release(struct feed_plan *p)
{
	size_t i;

	for (i = 0; i < p->nids; i++)
		free(p->ids[i]);
	free(p->ids);
	idset_free(p->listed);
	for (i = 0; i < p->nfilters; i++)
		free((char *)(uintptr_t)p->filter[i].value);
	*p = (struct feed_plan){0};
}

int feed_plan_add_id(struct feed_plan *p, const char *id, struct qt_error *err)
{
	size_t cap = p->idcap != 0 ? p->idcap * 2 : 16;
	char **ids;

	if (p->nids == p->idcap) {
		ids = reallocarray(p->ids, cap, sizeof *ids);
		if (ids == NULL)
			return qt_fail_mem(err);
		p->ids = ids;
		p->idcap = cap;
	}
	p->ids[p->nids] = strdup(id);
	if (p->ids[p->nids] == NULL)
		return qt_fail_mem(err);
	p->nids++;
	return 0;
}

int feed_plan_add_filter(struct feed_plan *p, enum qt_prefilter_col col,
    bool nocase, const char *value, struct qt_error *err)
{
	char *copy;

	/* SQLite checks all conditions again, so one left out costs time only */
	if (p->nfilters == FEED_FILTERS)
		return 0;
	copy = strdup(value);
	if (copy == NULL)
		return qt_fail_mem(err);
	p->filter[p->nfilters++] = (struct qt_prefilter){
	    .col = col, .nocase = nocase, .value = copy};
	return 0;
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One ID asked for twice must not be one message twice. */
static void sort_ids(struct feed_plan *p)
{
	size_t i, n = 0;

	if (p->nids == 0)
		return;
	qsort(p->ids, p->nids, sizeof *p->ids, compare_ids);
	for (i = 0; i < p->nids; i++) {
		if (n > 0 && strcmp(p->ids[n - 1], p->ids[i]) == 0)
			free(p->ids[i]);
		else
			p->ids[n++] = p->ids[i];
	}
	p->nids = n;
}

/* The walk's question. */
static bool is_listed(void *set, const char *name, size_t len)
{
	return idset_has(set, name, len);
}

/* In a worker: the table's own columns first. */
static int finish_row(struct qt_row *row, struct qt_finish_tmp *tmp, void *ctx)
{
	const struct feed *f = ctx;

	if (f->plan.finish != NULL &&
	    f->plan.finish(row, tmp, f->plan.finish_ctx) != 0)
		return -1;
	return f->db->work.hook(row, f->db->work.ctx);
}

static int start(struct feed *f, const char *id, struct qt_error *err)
{
	struct qt_scan_opts opts = {
	    .want = f->plan.want |
		f->db->work.want,
	    .queues = f->plan.queues,
	    .jobs = f->db->opts.jobs,
	    .only_id = id,
	    .wanted = f->plan.listed != NULL ? is_listed : NULL,
	    .wanted_ctx = f->plan.listed,
	    .picks = f->db->picks,
	    .prefilter = f->plan.nfilters != 0 ? f->plan.filter : NULL,
	    .nprefilter = f->plan.nfilters,
	    .finish = f->db->work.hook != NULL ? finish_row : f->plan.finish,
	    .finish_ctx = f->db->work.hook != NULL ? f : f->plan.finish_ctx,
	    .stop = f->db->opts.stop};

	return qt_scan_open(&f->scan, f->db->spools, &opts, err);
}

static void add_stats(struct qt_scan_stats *sum, const struct qt_scan_stats *s)
{
	size_t i;

	sum->entries += s->entries;
	sum->rows += s->rows;
	sum->moved += s->moved;
	sum->vanished += s->vanished;
	sum->bad += s->bad;
	sum->unreadable += s->unreadable;
	sum->dirs += s->dirs;
	sum->dir_queues |= s->dir_queues;
	sum->interrupted = sum->interrupted || s->interrupted;
	for (i = 0; i < sizeof sum->by_state / sizeof sum->by_state[0]; i++)
		sum->by_state[i] += s->by_state[i];
}

static void finish_scan(struct feed *f)
{
	if (f->scan == NULL)
		return;
	if (f->row != NULL)
		qt_scan_recycle(f->scan, f->row);
	f->row = NULL;
	f->db->row = NULL;
	if (f->db->work.drain != NULL)
		f->db->work.drain(f->db->work.ctx);
	add_stats(&f->db->closed, qt_scan_stats(f->scan));
	f->db->stats = f->db->closed;
	qt_scan_close(f->scan);
	f->scan = NULL;
}

static void report_progress(struct feed *f)
{
	struct qt_db *db = f->db;

	if (++f->count % PROGRESS_ROWS != 0 || db->opts.progress == NULL)
		return;
	db->stats = db->closed;
	add_stats(&db->stats, qt_scan_stats(f->scan));
	db->opts.progress(db->opts.progress_ctx, &db->stats);
}

int feed_open(struct feed *f, struct qt_db *db, struct feed_plan *plan,
    struct qt_error *err)
{
	feed_close(f);
	*f = (struct feed){.db = db, .plan = *plan};
	*plan = (struct feed_plan){0};
	sort_ids(&f->plan);
	if (f->plan.by_id || f->plan.nothing)
		return 0;
	return start(f, NULL, err);
}

/* The next ID's look-up: 0 one was begun, 1 there is none. */
static int next_id(struct feed *f, struct qt_error *err)
{
	if (f->plan.nothing || !f->plan.by_id || f->at == f->plan.nids)
		return 1;
	return start(f, f->plan.ids[f->at++], err);
}

int feed_next(struct feed *f, struct qt_error *err)
{
	struct qt_row *row;
	int r;

	for (;;) {
		if (f->scan == NULL) {
			r = next_id(f, err);
			if (r != 0)
				return r;
		}
		if (f->row != NULL) {
			qt_scan_recycle(f->scan, f->row);
			f->row = NULL;
		}
		r = qt_scan_next(f->scan, &row, err);
		if (r == 0) {
			f->row = row;
			f->db->row = row;
			f->db->feed = f;
			report_progress(f);
			return 0;
		}
		finish_scan(f);
		if (r < 0)
			return -1;
	}
}

struct qt_row *feed_take(struct feed *f)
{
	struct qt_row *row = f->row;

	f->row = f->db->row = NULL;
	return row;
}

void feed_give(struct feed *f, struct qt_row *row)
{
	if (f->scan != NULL)
		qt_scan_recycle(f->scan, row);
}

void feed_close(struct feed *f)
{
	if (f->db == NULL)
		return;
	finish_scan(f);
	feed_plan_release(&f->plan);
	*f = (struct feed){0};
}
