/*
 * scan.c - rows in walk order from workers that finish in any order.
 *
 * Entries are gathered into batches of a few dozen; a batch is one task of the
 * pool, and the list of batches keeps the order.  At most a window of batches
 * is outstanding, which bounds the rows, and so the memory, whatever the size
 * of the queue.  A scan that fits into its first batch is done in the caller's
 * thread: looking one message up starts no threads.
 *
 * Rows are told apart when they are handed out, in walk order, so which of two
 * sightings of a message counts does not depend on the number of workers.
 */
#include "qtool/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "source/below.h"
#include "source/scan_priv.h"

#define JOBS_DEFAULT 32u /* a cold disk wants many readers, a warm one is not
			  * hurt by them */
#define JOBS_MAX 512u
#define WINDOW_MIN 16u		  /* batches */
#define WINDOW_MAX 48u
#define BUDGET ((size_t)12 << 20) /* bytes of large rows outstanding */
#define KEPT_BUDGET ((size_t)48 << 20) /* the same where rows keep their files:
					* a window of usual mail fits */
#define OPEN_DIRS_MAX 128u	  /* directories that rows refer to */

const char *qt_state_name(enum qt_state s)
{
	static const char *const names[] = {[QT_STATE_OK] = "ok",
	    [QT_STATE_UNFINISHED] = "unfinished",
	    [QT_STATE_CORRUPT] = "corrupt",
	    [QT_STATE_MISPLACED] = "misplaced",
	    [QT_STATE_FOREIGN] = "foreign"};

	return (unsigned)s < sizeof names / sizeof names[0] ? names[s] : "";
}

/* ---- workers ---- */

static void *worker_new(void *ctx)
{
	struct qt_scan *s = ctx;
	struct qt_loader *l;
	struct qt_error ignored;

	return qt_loader_new(&l, &s->plan, &ignored) == 0 ? l : NULL;
}

static void worker_free(void *worker)
{
	qt_loader_free(worker);
}

static void run_batch(struct qt_task *task, void *worker, void *ctx)
{
	struct qt_batch *b = (struct qt_batch *)(void *)task; /* first member */
	struct qt_scan *s = ctx;
	bool owner = worker == s->own;

	for (unsigned i = 0; i < b->n; i++) {
		if (atomic_load_explicit(&s->plan.cancel,
			memory_order_relaxed))
			return;
		/* nobody would release anything while this thread waits: what
		 * it leaves unread is read when it is taken */
		if (owner && qt_pool_full(s->pool))
			return;
		qt_load(worker, b->rows[i], owner ? NULL : task, i);
	}
}

/* ---- opening and closing ---- */

/* What the plan borrows must outlive the call: copy the array. */
static int copy_prefilter(struct qt_scan *s, const struct qt_scan_opts *o,
    struct qt_error *err)
{
	size_t n = 0;

	s->prefilter = calloc(o->nprefilter + 1, sizeof *s->prefilter);
	if (s->prefilter == NULL)
		return qt_fail_mem(err);
	for (size_t i = 0; i < o->nprefilter; i++) {
		/* a table shows a bad byte as \xHH, the file has the byte:
		 * such a value is for the caller to compare */
		if (strchr(o->prefilter[i].value, '\\') == NULL)
			s->prefilter[n++] = o->prefilter[i];
	}
	s->plan.prefilter = s->prefilter;
	s->plan.nprefilter = n;
	if (n > 0)
		s->plan.want = qt_load_want(s->plan.want | QT_WANT_MSG);
	return 0;
}

static int make_pool(struct qt_scan *s, unsigned jobs, struct qt_error *err)
{
	struct qt_pool_opts opts = {
	    .budget = (s->plan.want & QT_WANT_KEPT) != 0 ? KEPT_BUDGET : BUDGET,
	    .worker_new = worker_new, .worker_free = worker_free,
	    .run = run_batch, .ctx = s, .owner = s->own};

	if (jobs == 0)
		jobs = JOBS_DEFAULT;
	opts.threads = jobs < JOBS_MAX ? jobs : JOBS_MAX;
	if (s->plan.want == 0) /* nothing is read: no work to share */
		return 0;
	if (qt_pool_new(&s->pool, &opts, err) != 0)
		return -1;
	s->plan.pool = s->pool;
	return 0;
}

/* Whether a name can be a directory entry at all. */
static bool possible_name(const char *name)
{
	return name[0] != '\0' && strlen(name) <= 255 &&
	    strchr(name, '/') == NULL;
}

/* What a transaction keeps has to be walked: nobody computes where it is. */
static bool any_tx(const struct qt_spools *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i]->txid != 0)
			return true;
	return false;
}

/* only_id: names that Postfix could have given are looked up. */
static int set_only(struct qt_scan *s, const char *id, struct qt_error *err)
{
	if (id == NULL)
		return 0;
	s->only_id = strdup(id);
	if (s->only_id == NULL)
		return qt_fail_mem(err);
	s->tree.only = s->only_id;
	if (!possible_name(id))
		s->phase = QT_PHASE_END;
	else if (qt_queue_id_valid(id) && id[1] != '\0' && !any_tx(s->spools))
		s->phase = QT_PHASE_LOOKUP_ID;
	s->lookup.only = s->only_id;
	return 0;
}

/*
 * When not one queue directory can be read the scan has nothing to say, and
 * says why.  Some that cannot be read among others are counted.
 */
static int check_access(struct qt_scan *s, struct qt_error *err)
{
	uint64_t denied = 0, opened = 0;
	int fd, sys = 0;
	const struct qt_spool *sp;

	for (size_t i = 0; i < s->spools->n; i++) {
		sp = s->spools->v[i];
		if (sp->packed != NULL) {
			if (sp->packed->loaded) {
				opened++;
				continue;
			}
			return qt_fail(err, QT_E_STATE, sp->queue_dir,
			    "the archive was not read yet");
		}
		if (sp->txid != 0) { /* readable when it was added */
			opened++;
			continue;
		}
		for (unsigned q = 0; q < QT_Q_MESSAGES; q++) {
			if ((s->queues & QT_Q_BIT(q)) == 0)
				continue;
			fd = qt_open_dir_below(sp->dirfd,
			    qt_queue_name((enum qt_queue)q));
			if (fd >= 0) {
				(void)close(fd);
				opened++;
			} else if (errno != ENOENT && denied++ == 0) {
				sys = errno;
			}
		}
	}
	if (denied == 0)
		return 0;
	if (opened == 0) {
		errno = sys;
		(void)qt_fail(err, QT_E_SYS, s->spools->v[0]->queue_dir,
		    "none of the queue directories can be read: %s%s",
		    strerror(sys), sys == EACCES
			? " (root or the mail owner can)" : "");
		if (err != NULL)
			err->sys = sys;
		return -1;
	}
	/* the walk itself counts them, but for a look-up without a walk */
	return 0;
}

static int open_parts(struct qt_scan *s, const struct qt_scan_opts *opts,
    struct qt_error *err)
{
	if (qt_tree_init(&s->tree, s->spools, s->queues, err) != 0)
		return -1;
	s->tree.wanted = opts->wanted;
	s->tree.wanted_ctx = opts->wanted_ctx;
	if (copy_prefilter(s, opts, err) != 0 ||
	    set_only(s, opts->only_id, err) != 0 || check_access(s, err) != 0)
		return -1;
	if ((s->plan.want & QT_WANT_LOCKS) != 0 &&
	    qt_locks_read(&s->plan.locks, err) != 0)
		return -1;
	s->view = calloc(s->spools->n + 1, sizeof(struct qt_tarview *));
	if (s->view == NULL)
		return qt_fail_mem(err);
	if (qt_loader_new(&s->own, &s->plan, err) != 0)
		return -1;
	return make_pool(s, opts->jobs, err);
}

int qt_scan_open(struct qt_scan **out, const struct qt_spools *spools,
    const struct qt_scan_opts *opts, struct qt_error *err)
{
	struct qt_scan *s = calloc(1, sizeof *s);

	if (s == NULL)
		return qt_fail_mem(err);
	s->spools = spools;
	s->queues = opts->queues != 0 ? opts->queues : QT_Q_ALL_MESSAGES;
	s->queues &= QT_Q_ALL_MESSAGES;
	s->stop = opts->stop;
	s->plan.want = qt_load_want(opts->want);
	s->plan.finish = opts->finish;
	s->plan.finish_ctx = opts->finish_ctx;
	s->plan.logdirs = &s->logdirs;
	qt_logdirs_init(&s->logdirs);
	s->picks = opts->picks;
	s->plan.picks = opts->picks;
	s->phase = opts->picks != NULL ? QT_PHASE_PICKS : QT_PHASE_WALK;
	s->tail = &s->head;
	qt_inodes_init(&s->seen);
	qt_arena_init(&s->gone_names, 0);
	if (open_parts(s, opts, err) != 0) {
		qt_scan_close(s);
		return -1;
	}
	*out = s;
	return 0;
}

static void free_batches(struct qt_scan *s, struct qt_batch *b)
{
	struct qt_batch *after;

	for (; b != NULL; b = after) {
		after = b->after;
		for (unsigned i = b->taken; i < b->n; i++)
			qt_tree_dir_unref(&s->tree, b->rows[i]->dir);
		free(b);
	}
}

void qt_scan_close(struct qt_scan *s)
{
	struct qt_scan_row *r, *next;

	if (s == NULL)
		return;
	atomic_store(&s->plan.cancel, true);
	qt_pool_free(s->pool); /* no worker touches anything from here on */
	free_batches(s, s->head);
	free_batches(s, s->free_batches);
	for (r = s->all_rows; r != NULL; r = next) {
		next = r->all;
		qt_close_quiet(&r->fd);
		qt_arena_release(&r->row.arena);
		qt_held_release(&r->held);
		free(r);
	}
	qt_packed_views_close(s);
	qt_loader_free(s->own);
	qt_tree_dir_unref(&s->tree, s->pick_dir);
	qt_tree_release(&s->tree);
	qt_inodes_release(&s->seen);
	qt_locks_release(&s->plan.locks);
	qt_logdirs_release(&s->logdirs);
	qt_arena_release(&s->gone_names);
	free(s->gone);
	free(s->prefilter);
	free(s->only_id);
	free(s);
}

const struct qt_scan_stats *qt_scan_stats(const struct qt_scan *s)
{
	return &s->stats;
}

/* ---- rows ---- */

static struct qt_scan_row *new_row(struct qt_scan *s)
{
	struct qt_scan_row *r = s->free_rows;

	if (r != NULL) {
		s->free_rows = (struct qt_scan_row *)(void *)r->row.next;
		qt_scan_row_clear(r);
		return r;
	}
	r = malloc(sizeof *r);
	if (r == NULL)
		return NULL;
	r->fd = -1;
	qt_arena_init(&r->row.arena, 0);
	r->held = (struct qt_held){.fd = -1};
	qt_scan_row_clear(r);
	r->row.next = NULL;
	r->all = s->all_rows;
	s->all_rows = r;
	return r;
}

void qt_scan_recycle(struct qt_scan *s, struct qt_row *row)
{
	struct qt_scan_row *r = (struct qt_scan_row *)(void *)row;

	if (r == NULL)
		return;
	qt_close_quiet(&r->fd);
	/* give large memory back at once, not when the row is used again */
	if (r->charge > 0) {
		qt_arena_reset(&row->arena);
		qt_pool_release(s->pool, r->charge);
		r->charge = 0;
	}
	if (r->packed != NULL)
		qt_packed_row_done(s, r);
	row->next = (struct qt_row *)(void *)s->free_rows;
	s->free_rows = r;
}

/* A row for an archive's file. */
static int packed_row(struct qt_scan *s, const struct qt_tree_entry *e,
    struct qt_scan_row **out, struct qt_error *err)
{
	struct qt_scan_row *r = new_row(s);
	int rc;

	if (r == NULL)
		return qt_fail_mem(err);
	r->row.seq = s->seq++;
	rc = qt_packed_row(s, r, e, err);
	if (rc != 0)
		qt_scan_recycle(s, &r->row);
	else
		*out = r;
	return rc;
}

/* A row for an entry, whose reference to the directory it takes over. */
static struct qt_scan_row *entry_row(struct qt_scan *s,
    const struct qt_tree_entry *e)
{
	struct qt_scan_row *r = new_row(s);
	const struct qt_tree_dir *d = e->dir;
	/* within it, so to be cut out, or another string */
	bool own_id = e->id != e->name;
	char *path, *id;

	if (r == NULL)
		return NULL;
	path = qt_arena_alloc(&r->row.arena, d->path_len + e->name_len + 2 +
	    (own_id ? e->id_len + 1 : 0));
	if (path == NULL) {
		qt_scan_recycle(s, &r->row);
		return NULL;
	}
	memcpy(path, d->path, d->path_len);
	path[d->path_len] = '/';
	memcpy(path + d->path_len + 1, e->name, e->name_len + 1);
	id = path + d->path_len + 1;
	r->name = id;
	if (own_id) {
		id += e->name_len + 1;
		memcpy(id, e->id, e->id_len);
		id[e->id_len] = '\0';
	}
	r->dir = e->dir;
	r->row.seq = s->seq++;
	r->row.spool = d->spool;
	r->row.queue = e->queue;
	r->row.path = path;
	r->row.id = id;
	r->row.d_ino = e->ino;
	r->row.error_sys = e->error_sys;
	if (e->foreign != NULL) {
		r->row.state = QT_STATE_FOREIGN;
		r->row.error = e->foreign;
	}
	return r;
}

/* ---- batches ---- */

static struct qt_batch *new_batch(struct qt_scan *s)
{
	struct qt_batch *b = s->free_batches;

	if (b != NULL)
		s->free_batches = b->after;
	else
		b = malloc(sizeof *b);
	if (b != NULL)
		*b = (struct qt_batch){.n = 0};
	return b;
}

static void recycle_batch(struct qt_scan *s, struct qt_batch *b)
{
	b->n = b->taken = 0;
	b->after = s->free_batches;
	s->free_batches = b;
}

/* Entries into a batch.  0: it is full, 1: there are no more for now. */
static int gather(struct qt_scan *s, struct qt_batch *b, struct qt_error *err)
{
	struct qt_tree_entry e;
	int rc, fd;

	while (b->n < QT_SCAN_BATCH) {
		if (s->tree.open_dirs >= OPEN_DIRS_MAX ||
		    (s->packed_bytes >= QT_SCAN_PACKED_MAX &&
			(b->n > 0 || s->outstanding > 0)))
			return 1;
		fd = -1;
		rc = s->picks != NULL ? qt_late_pick(s, &e, &fd, err) :
					qt_late_next(s, &e, err);
		if (rc != 0)
			return rc;
		if (e.packed != NULL) {
			if (packed_row(s, &e, &b->rows[b->n], err) != 0)
				return -1;
		} else {
			b->rows[b->n] = entry_row(s, &e);
		}
		if (b->rows[b->n] == NULL) {
			qt_close_quiet(&fd);
			qt_tree_dir_unref(&s->tree, e.dir);
			return qt_fail_mem(err);
		}
		b->rows[b->n]->fd = fd;
		b->n++;
		s->stats.entries++;
	}
	return 0;
}

static bool stopped(struct qt_scan *s)
{
	if (s->stop == NULL || *s->stop == 0)
		return s->stats.interrupted;
	s->stats.interrupted = true;
	atomic_store(&s->plan.cancel, true);
	return true;
}

/* Append a batch, and give it to a worker unless all there is fits in it. */
static void append(struct qt_scan *s, struct qt_batch *b, bool more)
{
	*s->tail = b;
	s->tail = &b->after;
	s->outstanding++;
	if (s->pool == NULL || (!more && !s->threaded))
		return;
	b->submitted = qt_pool_submit(s->pool, &b->task);
	s->threaded = s->threaded || b->submitted;
}

/*
 * Batches to be outstanding: enough that no worker runs dry while this thread
 * is away, no more than needed, since rows are best while they are in a cache.
 */
static unsigned window(const struct qt_scan *s)
{
	unsigned n = s->pool != NULL ? 4 * qt_pool_workers(s->pool) : 0;

	if (n < WINDOW_MIN)
		return WINDOW_MIN;
	return n < WINDOW_MAX ? n : WINDOW_MAX;
}

/* Fill the window when half of it is used up: workers that have run dry are
 * woken once for several batches. */
static int fill(struct qt_scan *s, struct qt_error *err)
{
	struct qt_batch *b;
	int rc = 0;

	if (s->outstanding > window(s) / 2)
		return 0;
	while (rc == 0 && s->outstanding < window(s) && !stopped(s)) {
		b = new_batch(s);
		if (b == NULL)
			return qt_fail_mem(err);
		rc = gather(s, b, err);
		if (b->n > 0)
			append(s, b, rc == 0);
		else
			recycle_batch(s, b);
	}
	return rc < 0 ? -1 : 0;
}

/*
 * The rows come out of other processors' caches, and the set of inodes is
 * larger than any cache: ask for both ahead of use.
 */
static void prefetch(const struct qt_scan *s, const struct qt_batch *b)
{
	const struct qt_scan_row *r;

	if (b->taken + 2 < b->ready) {
		r = b->rows[b->taken + 2];
		__builtin_prefetch(&r->row.seq);
		__builtin_prefetch(&r->row.ino);
		__builtin_prefetch(&r->fate);
	}
	if (b->taken < b->ready) {
		r = b->rows[b->taken];
		qt_inodes_prefetch(&s->seen, r->row.ino);
	}
}

/* The next row of the first batch, loaded. */
static struct qt_scan_row *take(struct qt_scan *s, struct qt_batch *b)
{
	struct qt_scan_row *r = b->rows[b->taken];
	bool done;

	if (b->submitted && b->taken >= b->ready) {
		b->ready = qt_pool_wait(s->pool, &b->task, b->taken, &done);
		if (done)
			b->ready = b->n;
	}
	if (r->fate == QT_FATE_UNREAD && !stopped(s))
		qt_load(s->own, r, NULL, 0);
	b->taken++;
	prefetch(s, b);
	return r;
}

/* ---- handing out ---- */

/* Whether the file was seen before.  0 no, 1 yes, negative failure. */
static int check_seen(struct qt_scan *s, const struct qt_scan_row *r,
    struct qt_error *err)
{
	const struct qt_row *row = &r->row;
	dev_t dev;
	ino_t ino;
	int rc;

	if (r->packed != NULL) /* each is there once */
		return 0;
	dev = r->have_stat ? row->dev : r->dir->dev;
	ino = r->have_stat ? row->ino : row->d_ino;
	rc = qt_inodes_add(&s->seen, dev, ino, err);
	if (rc < 0)
		return rc;
	/* the second walk knows the entry's number alone, and that differs for
	 * what is mounted there and in overlays */
	if (r->have_stat && (row->d_ino != ino || r->dir->dev != dev) &&
	    qt_inodes_add(&s->seen, r->dir->dev, row->d_ino, err) < 0)
		return -1;
	/* several names of one file are several entries, not a move */
	if (r->have_stat && row->nlink > 1)
		return 0;
	return rc;
}

static void count(struct qt_scan *s, const struct qt_row *row)
{
	bool kept = row->queue == QT_Q_CORRUPT || row->queue == QT_Q_SAVED;
	bool bad = row->state == QT_STATE_CORRUPT ||
	    row->state == QT_STATE_MISPLACED ||
	    row->state == QT_STATE_FOREIGN;

	s->stats.by_state[row->state]++;
	if (row->error_sys != 0)
		s->stats.unreadable++;
	if ((bad && !kept) || row->error_sys != 0)
		s->stats.bad++;
}

/* What becomes of a loaded row: 0 hand it out, 1 not, negative a run error. */
static int settle(struct qt_scan *s, struct qt_scan_row *r,
    struct qt_error *err)
{
	int rc;

	switch (r->fate) {
	case QT_FATE_UNREAD:
		return 1;
	case QT_FATE_GONE:
		if (s->picks != NULL) { /* for the caller to tell */
			s->stats.vanished++;
			return 0;
		}
		rc = qt_late_gone(s, r, err);
		return rc != 0 ? rc : 1;
	case QT_FATE_FAILED:
		errno = r->sys;
		(void)qt_fail_sys(err, "open", r->row.path);
		if (err != NULL && qt_error_is_item(err))
			err->code = QT_E_SYS;
		return -1;
	case QT_FATE_READ:
	case QT_FATE_DROPPED:
		break;
	}
	if (s->picks != NULL) {
		count(s, &r->row);
		return 0;
	}
	rc = check_seen(s, r, err);
	if (rc > 0 && s->phase == QT_PHASE_WALK)
		s->stats.moved++;
	if (rc != 0)
		return rc;
	s->settled++;
	count(s, &r->row);
	return r->fate == QT_FATE_DROPPED;
}

/* The next row of the first batch that is to be handed out; 1: none left. */
static int from_batch(struct qt_scan *s, struct qt_batch *b,
    struct qt_row **row, struct qt_error *err)
{
	struct qt_scan_row *r;
	int rc;

	while (b->taken < b->n) {
		r = take(s, b);
		rc = settle(s, r, err);
		qt_tree_dir_unref(&s->tree, r->dir);
		r->dir = NULL;
		if (rc == 0) {
			s->stats.rows++;
			*row = &r->row;
			return 0;
		}
		qt_scan_recycle(s, &r->row);
		if (rc < 0)
			return rc;
	}
	return 1;
}

/* The first batch is done with. */
static void pop(struct qt_scan *s)
{
	struct qt_batch *b = s->head;

	s->head = b->after;
	if (s->head == NULL)
		s->tail = &s->head;
	s->outstanding--;
	recycle_batch(s, b);
}

static int next_row(struct qt_scan *s, struct qt_row **row,
    struct qt_error *err)
{
	int rc;

	for (;;) {
		if (s->head != NULL) {
			rc = from_batch(s, s->head, row, err);
			if (rc <= 0)
				return rc;
			pop(s);
		}
		if (fill(s, err) != 0)
			return -1;
		if (s->head != NULL)
			continue;
		if (s->phase == QT_PHASE_END)
			return 1;
		qt_late_advance(s);
	}
}

/* All rows are out: what remains is to be told in the statistics. */
static void finish(struct qt_scan *s)
{
	qt_late_count(s);
	s->stats.unreadable += s->tree.denied;
	s->stats.bad += s->tree.denied;
	s->stats.dirs += s->tree.denied;
	s->stats.dir_queues |= s->tree.denied_queues;
	s->tree.denied = 0;
}

int qt_scan_next(struct qt_scan *s, struct qt_row **row, struct qt_error *err)
{
	int rc;

	if (s->failed.code == QT_OK) {
		rc = next_row(s, row, &s->failed);
		if (rc == 1)
			finish(s);
		if (rc >= 0)
			return rc;
	}
	if (err != NULL)
		*err = s->failed;
	return -1;
}

/* ---- a row's file again ---- */

int qt_row_open(const struct qt_row *row, int *fd, struct qt_error *err)
{
	struct stat st;
	int f;

	if (row->spool->packed != NULL)
		return qt_packed_row_open(row, fd, err);
	f = qt_open_file_below(row->spool->dirfd, row->path);
	if (f < 0)
		return qt_fail_sys(err, "open", row->path);
	if (fstat(f, &st) != 0) {
		(void)qt_fail_sys(err, "stat", row->path);
		qt_close_quiet(&f);
		return -1;
	}
	if (st.st_dev != row->dev || st.st_ino != row->ino ||
	    !S_ISREG(st.st_mode)) {
		qt_close_quiet(&f);
		return qt_fail(err, QT_E_CHANGED, row->path,
		    "another file has taken its place");
	}
	*fd = f;
	return 0;
}
