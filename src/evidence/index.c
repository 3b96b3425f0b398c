/*
 * index.c - metadata/index.sqlite, by the writer of snapshots.
 *
 * It is told no time, so that the same mail gives the same bytes.
 */
#include "evidence/index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/pool.h"
#include "qtool/snapshot.h"

#define PIECE ((size_t)256 << 10)
#define SLOTS 128u /* rows on their way; a window of the scan has more */
#define BUDGET ((size_t)1 << 30) /* the scan's own is the one that counts */

static const struct qt_snapshot_opts plain = {.body = false};

struct slot {
	struct qt_task task; /* first: one leads to the other */
	struct qt_row *row;  /* NULL: free, or added */
};

struct qt_index {
	int fd;	/* a file without a name */
	struct qt_snapshot *s; /* from the first row on */
	struct qt_pool *pool;
	struct slot slot[SLOTS]; /* a ring */
	unsigned first, used;	 /* the oldest; how many */
	struct qt_db *db;	 /* that the rows are of */
	uint64_t rows;
	struct qt_error failed;	 /* the thread's, read behind a wait; code
				  * QT_OK: not */
	struct slot last;	 /* of no row: the database is completed */
	bool sealed;		 /* that was begun */
};

static void *worker_new(void *ctx)
{
	return ctx;
}

static void worker_free(void *worker)
{
	(void)worker;
}

static int add(struct qt_index *x, struct qt_row *row, struct qt_error *err)
{
	if (x->s == NULL &&
	    qt_snapshot_new(&x->s, x->fd, &plain, err) != 0)
		return -1;
	return qt_snapshot_add(x->s, row, err);
}

static int complete(struct qt_index *x, struct qt_error *err)
{
	struct qt_snapshot_counts ignored;

	return qt_snapshot_finish(x->s, &ignored, err);
}

/* The one thread: rows come in their order. */
static void run(struct qt_task *task, void *worker, void *ctx)
{
	struct slot *slot = (struct slot *)(void *)task;
	struct qt_index *x = ctx;

	(void)worker;
	if (x->failed.code != QT_OK)
		return;
	if (slot == &x->last)
		(void)!complete(x, &x->failed);
	else
		(void)!add(x, slot->row, &x->failed);
}

int qt_index_new(struct qt_index **out, int dirfd, struct qt_error *err)
{
	struct qt_index *x = calloc(1, sizeof *x);
	const struct qt_pool_opts opts = {.threads = 1, .budget = BUDGET,
	    .worker_new = worker_new, .worker_free = worker_free, .run = run,
	    .ctx = x};

	if (x == NULL)
		return qt_fail_mem(err);
	x->fd = -1;
	if (qt_unnamed_file(dirfd, &x->fd, err) != 0 ||
	    qt_pool_new(&x->pool, &opts, err) != 0) {
		qt_index_free(x);
		return -1;
	}
	*out = x;
	return 0;
}

void qt_index_free(struct qt_index *x)
{
	if (x == NULL)
		return;
	if (x->pool != NULL)
		qt_pool_free(x->pool);
	qt_snapshot_free(x->s);
	qt_close_quiet(&x->fd);
	free(x);
}

unsigned qt_index_want(void)
{
	return qt_snapshot_want(&plain);
}

/* Wait for the oldest row. */
static struct qt_row *collect(struct qt_index *x)
{
	struct slot *slot = &x->slot[x->first];
	struct qt_row *row = slot->row;
	bool done = false;

	while (!done)
		(void)qt_pool_wait(x->pool, &slot->task, 0, &done);
	slot->row = NULL;
	x->first = (x->first + 1) % SLOTS;
	x->used--;
	return row;
}

/* The thread's; only behind a wait. */
static int failure(const struct qt_index *x, struct qt_error *err)
{
	if (x->failed.code == QT_OK)
		return 0;
	if (err != NULL)
		*err = x->failed;
	return -1;
}

void qt_index_drain(struct qt_index *x)
{
	/* the scan has them all, and goes now */
	while (x != NULL && x->used != 0)
		(void)collect(x);
}

/* Ready for the thread. */
static int prepare(struct qt_row *row, const char *found, struct qt_error *err)
{
	if (found != NULL) {
		row->path = qt_arena_dup(&row->arena, found, strlen(found));
		if (row->path == NULL)
			return qt_fail_mem(err);
	}
	return qt_snapshot_decode(row, err);
}

int qt_index_add(struct qt_index *x, struct qt_db *db, const char *found,
    struct qt_error *err)
{
	struct slot *slot;
	int r = 0;

	x->db = db;
	if (x->used == SLOTS) {
		qt_db_give(db, collect(x));
		r = failure(x, err);
	}
	if (r != 0) {
		qt_index_drain(x);
		return -1;
	}
	slot = &x->slot[(x->first + x->used) % SLOTS];
	*slot = (struct slot){.row = qt_db_take(db)};
	if (slot->row == NULL)
		return qt_fail(err, QT_E_STATE, "archive", "a row of nothing");
	x->rows++;
	r = prepare(slot->row, found, err);
	if (r == 0 && qt_pool_submit(x->pool, &slot->task)) {
		x->used++;
		return 0;
	}
	if (r == 0) /* no thread is to be had */
		r = add(x, slot->row, err);
	qt_db_give(db, slot->row);
	return r;
}

void qt_index_seal(struct qt_index *x)
{
	if (x != NULL && x->rows != 0)
		x->sealed = qt_pool_submit(x->pool, &x->last.task);
}

int qt_index_finish(struct qt_index *x, uint64_t *size, struct qt_error *err)
{
	bool done = false;
	struct stat st;

	if (x == NULL || x->rows == 0)
		return 1;
	qt_index_drain(x);
	while (x->sealed && !done)
		(void)qt_pool_wait(x->pool, &x->last.task, 0, &done);
	if (failure(x, err) != 0)
		return -1;
	/* no thread was to be had */
	if (!x->sealed && complete(x, err) != 0)
		return -1;
	if (fstat(x->fd, &st) != 0)
		return qt_fail_own(err, "fstat", "temporary file");
	*size = (uint64_t)st.st_size;
	return 0;
}

int qt_index_each(const struct qt_index *x, qt_bytes_fn *fn, void *ctx,
    struct qt_error *err)
{
	char *piece = malloc(PIECE);
	off_t at = 0;
	size_t got = PIECE;
	int r = 0;

	if (piece == NULL)
		return qt_fail_mem(err);
	while (r == 0 && got == PIECE) {
		if (qt_pread_all(x->fd, piece, PIECE, at, &got) != 0)
			r = qt_fail_own(err, "read", "temporary file");
		else if (got != 0)
			r = fn(ctx, piece, got, err);
		at += (off_t)got;
	}
	free(piece);
	return r;
}
