/*
 * packed.c - the list of queue files in an archive, from one pass over it.
 *
 * A bag's file is BASE/data/queue/QUEUE/ID, or BASE/data/odd/NNNN, of which the
 * bag's list says what it is.  In any other tarball it is the first queue's
 * name on its path with nothing but hash directories behind it that counts; the
 * directory it lies in is the spool.
 */
#include "source/packed.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "qtool/queueid.h"
#include "source/sha256.h"
#include "source/spool_priv.h"
#include "source/tree.h"

#define PIECE ((size_t)64 << 10)
#define SUMS_OF_ID 64u /* logs of an ID, in a queue three, that get their sum */

int qt_packed_new(struct qt_packed **out, struct qt_spool *spool, int fd,
    struct qt_error *err)
{
	struct qt_packed *p = calloc(1, sizeof *p);

	if (p == NULL) {
		qt_close_quiet(&fd);
		return qt_fail_mem(err);
	}
	p->spool = spool;
	p->fd = fd;
	p->spill = -1;
	*out = p;
	return 0;
}

void qt_packed_free(struct qt_packed *p)
{
	if (p == NULL)
		return;
	qt_tarread_close(p->tar);
	qt_tarview_close(p->spare);
	qt_close_quiet(&p->fd);
	qt_close_quiet(&p->spill);
	free(p->item);
	free(p->log);
	free(p->names);
	free(p->order);
	free(p->base);
	free(p->sum);
	qt_sha256_free(p->sha);
	free(p);
}

void qt_packed_forget(struct qt_packed *p)
{
	p->n = p->nlog = p->names_len = p->norder = p->cursor = 0;
	p->sorted = 0;
	free(p->base);
	free(p->order);
	p->base = NULL;
	p->order = NULL;
	p->bag = p->have_list = p->loaded = p->doubt =
	    p->redacted = false;
	p->line = p->unsafe = p->untold = p->unmatched = 0;
	memset(p->votes, 0, sizeof p->votes);
}

/* ---- what grows ---- */

static int too_many(const struct qt_packed *p, const char *what,
    struct qt_error *err)
{
	return qt_fail(err, QT_E_STATE, p->spool->queue_dir,
	    "refused: more %s than can be looked at", what);
}

int qt_packed_keep(struct qt_packed *p, const char *s, size_t len,
    uint32_t *at, struct qt_error *err)
{
	size_t cap = p->names_cap != 0 ? p->names_cap : 4096;
	char *v;

	if (len >= UINT32_MAX - p->names_len - 1)
		return too_many(p, "names", err);
	while (cap - p->names_len <= len)
		cap += cap / 2;
	if (cap != p->names_cap) {
		v = realloc(p->names, cap);
		if (v == NULL)
			return qt_fail_mem(err);
		p->names = v;
		p->names_cap = cap;
	}
	*at = (uint32_t)p->names_len;
	memcpy(p->names + p->names_len, s, len);
	p->names[p->names_len + len] = '\0';
	p->names_len += len + 1;
	return 0;
}

static int add_item(struct qt_packed *p, const struct qt_packed_item *item,
    struct qt_error *err)
{
	size_t cap = p->cap != 0 ? p->cap + p->cap / 2 : 64;
	struct qt_packed_item *v;

	if (p->n == QT_PACKED_ITEMS_MAX)
		return too_many(p, "queue files", err);
	if (p->n == p->cap) {
		v = reallocarray(p->item, cap, sizeof *v);
		if (v == NULL)
			return qt_fail_mem(err);
		p->item = v;
		p->cap = cap;
	}
	p->item[p->n++] = *item;
	return 0;
}

int qt_packed_add_log(struct qt_packed *p, const struct qt_packed_log *log,
    struct qt_error *err)
{
	size_t cap = p->log_cap != 0 ? p->log_cap + p->log_cap / 2 : 64;
	struct qt_packed_log *v;

	if (p->nlog == QT_PACKED_LOGS_MAX)
		return too_many(p, "logs", err);
	if (p->nlog == p->log_cap) {
		v = reallocarray(p->log, cap, sizeof *v);
		if (v == NULL)
			return qt_fail_mem(err);
		p->log = v;
		p->log_cap = cap;
	}
	p->log[p->nlog++] = *log;
	return 0;
}

static bool is_sum(const char *hex)
{
	return strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64;
}

int qt_packed_keep_sum(struct qt_packed *p, size_t item, const char *hex,
    struct qt_error *err)
{
	size_t cap = p->cap > item ? p->cap : item + 1, i;
	unsigned char (*v)[32];
	char byte[3] = "";

	if (!is_sum(hex))
		return 0;
	if (item >= p->sum_cap) {
		v = reallocarray(p->sum, cap, sizeof *v);
		if (v == NULL)
			return qt_fail_mem(err);
		p->sum = v;
		p->sum_cap = cap;
	}
	for (i = 0; i < 32; i++) {
		memcpy(byte, hex + 2 * i, 2);
		p->sum[item][i] = (unsigned char)strtoul(byte, NULL, 16);
	}
	p->item[item].flags |= QT_PACKED_SUM;
	return 0;
}

/* ---- in order of names ---- */

static int compare_ids(const void *a, const void *b, void *ctx)
{
	const struct qt_packed *p = ctx;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int r = p->by_key
	    ? strcmp(p->names + p->item[x].key, p->names + p->item[y].key)
	    : strcmp(p->names + p->item[x].id, p->names + p->item[y].id);

	return r != 0 ? r : (x > y) - (x < y);
}

static int sort_items(struct qt_packed *p, bool by_key, struct qt_error *err)
{
	uint32_t *v;

	if (p->order != NULL && p->by_key == by_key && p->norder == p->n)
		return 0;
	v = reallocarray(p->order, p->n + 1, sizeof *v);
	if (v == NULL)
		return qt_fail_mem(err);
	p->order = v;
	p->by_key = by_key;
	p->norder = p->n;
	for (size_t i = 0; i < p->n; i++)
		v[i] = (uint32_t)i;
	qsort_r(v, p->n, sizeof *v, compare_ids, p);
	return 0;
}

/* The first in the order that is not less than the name. */
static size_t lower(const struct qt_packed *p, const char *name)
{
	size_t lo = 0, hi = p->n, mid;
	const struct qt_packed_item *it;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		it = &p->item[p->order[mid]];
		if (strcmp(p->names + (p->by_key ? it->key : it->id), name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool qt_packed_find(struct qt_packed *p, const char *id, size_t *at,
    size_t *item, struct qt_error *err)
{
	size_t i;

	if (sort_items(p, false, err) != 0)
		return false;
	if (*at == 0)
		*at = lower(p, id) + 1;
	for (; *at <= p->n; ++*at) {
		i = p->order[*at - 1];
		if (strcmp(p->names + p->item[i].id, id) != 0)
			return false;
		if (p->item[i].queue < QT_Q_MESSAGES) {
			*item = i;
			++*at;
			return true;
		}
	}
	return false;
}

bool qt_packed_by_key(struct qt_packed *p, unsigned queue, const char *key,
    size_t *item, struct qt_error *err)
{
	size_t i, at;

	if (sort_items(p, true, err) != 0)
		return false;
	for (at = lower(p, key); at < p->n; at++) {
		i = p->order[at];
		if (strcmp(p->names + p->item[i].key, key) != 0)
			return false;
		if (p->item[i].queue == queue) {
			*item = i;
			return true;
		}
	}
	return false;
}

static int compare_logs(const void *a, const void *b, void *ctx)
{
	const struct qt_packed *p = ctx;
	const struct qt_packed_log *x = a, *y = b;
	int r = strcmp(p->names + x->id, p->names + y->id);

	if (r != 0)
		return r;
	/* those that follow their message in the order of reading */
	if (x->spilled != y->spilled)
		return x->spilled ? 1 : -1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

void qt_packed_sort_logs(struct qt_packed *p)
{
	if (p->nlog > 0)
		qsort_r(p->log, p->nlog, sizeof *p->log, compare_logs, p);
	p->sorted = p->nlog;
}

size_t qt_packed_first_log(const struct qt_packed *p, size_t n, const char *id)
{
	size_t lo = 0, hi = n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (strcmp(p->names + p->log[mid].id, id) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && strcmp(p->names + p->log[lo].id, id) == 0 ? lo : n;
}

int qt_packed_keep_log_sum(struct qt_packed *p, const char *id,
    enum qt_queue kind, const char *hex, struct qt_error *err)
{
	uint32_t sum = 0;
	size_t i, n = 0;

	if (!is_sum(hex))
		return 0;
	for (i = qt_packed_first_log(p, p->sorted, id); i < p->sorted &&
	     n++ < SUMS_OF_ID && strcmp(p->names + p->log[i].id, id) == 0; i++) {
		if (p->log[i].kind != kind || p->log[i].sum != 0)
			continue;
		if (sum == 0 && qt_packed_keep(p, hex, 64, &sum, err) != 0)
			return -1;
		p->log[i].sum = sum;
	}
	return 0;
}

/* ---- paths ---- */

enum place_kind { NOTHING, MESSAGE, LOG, ODD, QUEUE_DIR, CASE, LIST };

struct place {
	enum place_kind kind;
	enum qt_queue queue;
	const char *path; /* below the spool */
	const char *name; /* last component */
	size_t base_len;  /* of what is before path, slash and all */
	unsigned level;	  /* hash directories */
};

/* Whether path begins with that part; *rest is what is behind its slash. */
static bool part(const char *path, const char *word, const char **rest)
{
	size_t n = strlen(word);

	if (strncmp(path, word, n) != 0 || path[n] != '/')
		return false;
	*rest = path + n + 1;
	return true;
}

/* The queue that is the first part of a path. */
static enum qt_queue first_queue(const char *path, const char **rest)
{
	unsigned q;

	for (q = 0; q < QT_Q_COUNT; q++)
		if (part(path, qt_queue_name((enum qt_queue)q), rest))
			break;
	return (enum qt_queue)q;
}

/* BASE/data/queue/QUEUE/ID and BASE/metadata/...; false: none of a bag's. */
static bool place_bag(const char *path, struct place *pl)
{
	const char *below = strchr(path, '/'), *rest;

	if (below == NULL)
		return false;
	below++;
	*pl = (struct place){.kind = NOTHING, .queue = QT_Q_COUNT,
	    .base_len = (size_t)(below - path)};
	if (strcmp(below, "metadata/case.json") == 0)
		pl->kind = CASE;
	else if (strcmp(below, "metadata/messages.jsonl") == 0)
		pl->kind = LIST;
	else if (part(below, "data", &rest) && part(rest, "odd", &pl->name) &&
	    strchr(pl->name, '/') == NULL) {
		pl->kind = ODD;
		pl->path = below;
	} else if (part(below, "data", &rest) && part(rest, "queue", &rest)) {
		pl->path = rest;
		pl->queue = first_queue(rest, &pl->name);
		if (pl->queue == QT_Q_COUNT || strchr(pl->name, '/') != NULL)
			return true;
		pl->kind = pl->queue < QT_Q_MESSAGES ? MESSAGE : LOG;
	} else {
		return strcmp(below, "bagit.txt") == 0;
	}
	return true;
}

/* Behind a queue's name: hash directories, then a name.  False: it is not. */
static bool hashed(const char *rest, struct place *pl)
{
	pl->level = 0;
	while (rest[0] != '\0' && rest[1] == '/') {
		rest += 2;
		pl->level++;
	}
	pl->name = rest;
	return rest[0] != '\0' && strchr(rest, '/') == NULL &&
	    pl->level <= QT_TREE_LEVELS;
}

/* A path in a tarball of a spool. */
static void place_spool(const struct qt_tar_member *m, struct place *pl)
{
	const char *path = m->path, *p = path, *rest;

	*pl = (struct place){.kind = NOTHING, .queue = QT_Q_COUNT};
	while (p != NULL) {
		pl->queue = first_queue(p, &rest);
		if (pl->queue != QT_Q_COUNT && hashed(rest, pl)) {
			pl->kind = pl->queue < QT_Q_MESSAGES ? MESSAGE : LOG;
			pl->path = p;
			pl->base_len = (size_t)(p - path);
			return;
		}
		if (m->kind == QT_TAR_DIR &&
		    qt_queue_by_name(p) < QT_Q_MESSAGES) {
			pl->kind = QUEUE_DIR; /* it may be empty */
			pl->base_len = (size_t)(p - path);
			return;
		}
		p = strchr(p, '/');
		p = p != NULL ? p + 1 : NULL;
	}
}

/* What belongs to the first spool is told by its path in it, what belongs to
 * another by its whole path. */
static int check_base(struct qt_packed *p, const char *path, struct place *pl,
    struct qt_error *err)
{
	if (p->base == NULL) {
		p->base = strndup(path, pl->base_len);
		if (p->base == NULL)
			return qt_fail_mem(err);
	}
	if (strlen(p->base) != pl->base_len ||
	    strncmp(p->base, path, pl->base_len) != 0) {
		if (p->bag)
			return qt_fail(err, QT_E_STATE, p->spool->queue_dir,
			    "\"%.100s\" is not in the bag's directory", path);
		pl->path = path;
	}
	return 0;
}

/* ---- members ---- */

static const char *judge(const struct qt_tar_member *m,
    const struct place *pl)
{
	const char *why = qt_tree_judge(pl->name, IFTODT(m->mode));

	if (why == NULL && m->kind != QT_TAR_FILE)
		return "a link to another file of the archive, or a sparse one";
	return why;
}

static int add_message(struct qt_packed *p, const struct qt_tar_member *m,
    const struct place *pl, struct qt_error *err)
{
	struct qt_packed_item it = {.offset = m->offset, .size = m->size,
	    .mtime_ns = m->mtime_ns, .uid = (uint32_t)m->uid,
	    .gid = (uint32_t)m->gid, .mode = p->bag ? 0 : m->mode,
	    .queue = (uint8_t)pl->queue,
	    .flags = (uint8_t)((p->bag ? 0 : QT_PACKED_HEADER) |
		(m->kind == QT_TAR_FILE ? QT_PACKED_FILE : 0)),
	    .foreign = judge(m, pl)};

	if (qt_packed_keep(p, pl->path, strlen(pl->path), &it.path, err) != 0)
		return -1;
	it.id = it.key = it.path + (uint32_t)(pl->name - pl->path);
	if (pl->level <= QT_PACKED_LEVELS && pl->queue < QT_Q_COUNT &&
	    it.foreign == NULL)
		p->votes[pl->queue].files[pl->level]++;
	return add_item(p, &it, err);
}

/* A log's bytes into the file of those. */
static int spill(struct qt_packed *p, struct qt_packed_log *log,
    struct qt_error *err)
{
	char buf[4096];
	size_t got;

	if (p->spill < 0)
		p->spill = qt_unnamed();
	if (p->spill < 0)
		return qt_fail_sys(err, "temporary file", "");
	log->offset = p->spill_len;
	log->spilled = true;
	for (;;) {
		if (qt_tarread_data(p->tar, buf, sizeof buf, &got, err) != 0)
			return -1;
		if (got == 0)
			return 0;
		if (qt_pwrite_all(p->spill, buf, got,
			(off_t)p->spill_len) != 0)
			return qt_fail_sys(err, "write", "temporary file");
		p->spill_len += got;
	}
}

/* Where the last message is this log's, reading on finds it. */
static bool follows(const struct qt_packed *p, const char *name)
{
	return p->n > 0 &&
	    strcmp(p->names + p->item[p->n - 1].id, name) == 0;
}

static int add_log(struct qt_packed *p, const struct qt_tar_member *m,
    const struct place *pl, struct qt_error *err)
{
	struct qt_packed_log log = {.offset = m->offset,
	    .size = (uint32_t)m->size, .kind = (uint8_t)pl->queue};

	if (m->kind != QT_TAR_FILE || m->size > QT_PACKED_LOG_SIZE ||
	    !qt_queue_id_valid(pl->name))
		return 0;
	if (pl->level <= QT_PACKED_LEVELS)
		p->votes[pl->queue].files[pl->level]++;
	if (qt_packed_keep(p, pl->name, strlen(pl->name), &log.id, err) != 0)
		return -1;
	if (!p->random && !follows(p, pl->name) && spill(p, &log, err) != 0)
		return -1;
	return qt_packed_add_log(p, &log, err);
}

int qt_packed_take(struct qt_packed *p, const struct qt_tar_member *m,
    struct qt_error *err)
{
	struct place pl = {.kind = NOTHING};

	if (place_bag(m->path, &pl))
		p->bag = true;
	else if (!p->bag)
		place_spool(m, &pl);
	if (pl.kind == NOTHING)
		return 0;
	if (check_base(p, m->path, &pl, err) != 0)
		return -1;
	if (m->kind == QT_TAR_DIR && (pl.kind == MESSAGE || pl.kind == LOG) &&
	    pl.name[1] == '\0') {
		if (pl.level + 1 > p->votes[pl.queue].deepest)
			p->votes[pl.queue].deepest = pl.level + 1;
		return 0;
	}
	switch (pl.kind) {
	case CASE:
		return m->kind == QT_TAR_FILE ? qt_packed_case(p, m, err) : 0;
	case LIST:
		return m->kind == QT_TAR_FILE ? qt_packed_list(p, m, err) : 0;
	case LOG:
		return add_log(p, m, &pl, err);
	case ODD:
	case MESSAGE:
		return add_message(p, m, &pl, err);
	case NOTHING:
	case QUEUE_DIR:
		break;
	}
	return 0;
}

/* ---- all of it ---- */

static unsigned depth_of(const struct qt_packed_votes *v)
{
	unsigned best = 0, i;

	for (i = 1; i <= QT_PACKED_LEVELS; i++)
		if (v->files[i] > v->files[best])
			best = i;
	return v->files[best] > 0 ? best : v->deepest;
}

/* The host that nobody told is the file's name. */
int qt_packed_finish(struct qt_packed *p, struct qt_error *err)
{
	struct qt_spool *s = p->spool;
	unsigned q;
	size_t i;

	for (q = QT_Q_MAILDROP + 1; q < QT_Q_COUNT && !p->bag; q++)
		s->depth[q] = depth_of(&p->votes[q]);
	for (i = 0; i < p->n; i++)
		p->untold += p->bag &&
		    (p->item[i].flags & QT_PACKED_TOLD) == 0;
	qt_packed_sort_logs(p);
	if (p->base == NULL)
		return qt_fail(err, QT_E_STATE, s->queue_dir,
		    "it has no queue in it: neither an evidence archive nor a "
		    "tarball of a spool");
	/* one ID's look-up must not find what the join left */
	free(p->order);
	p->order = NULL;
	p->loaded = true;
	return 0;
}

/*
 * Behind what cannot be read, where that may be passed over; 1: the rest
 * cannot be read.
 */
static int go_on(struct qt_packed *p, uint64_t *behind, struct qt_error *err)
{
	const struct qt_error damage = *err;
	uint64_t at;
	int r;

	if (!p->salvage || damage.code != QT_E_STATE ||
	    qt_tarread_refused(p->tar))
		return -1;
	if (p->damaged++ == 0)
		p->damage = damage;
	/* what a member says, or its name: it can be read on behind it */
	if (p->tar != NULL && !qt_tarread_done(p->tar))
		return 0;
	if (damage.offset > 0 && (uint64_t)damage.offset > *behind)
		*behind = (uint64_t)damage.offset;
	if (p->n > 0 && p->item[p->n - 1].offset + p->item[p->n - 1].size > *behind)
		p->item[p->n - 1].flags |= QT_PACKED_CUT;
	if (!p->random)
		return 1;
	r = qt_tarview_next_header(p->spare, *behind, &at, err);
	if (r != 0)
		return r;
	*behind = at;
	qt_tarread_close(p->tar);
	p->tar = NULL;
	return qt_tarread_open_at(&p->tar, p->spare, at, NULL, err);
}

/* Of a damaged archive: what was read, and may not be what it was, all the same. */
static void note_doubt(struct qt_packed *p)
{
	const uint64_t size = qt_tarview_size(p->spare);
	const uint64_t sound = qt_tarview_sound(p->spare, 0, size);

	if (!p->salvage || p->damaged != 0 || sound == size)
		return;
	p->damaged = 1;
	(void)qt_fail_at(&p->damage, QT_E_STATE, p->spool->queue_dir,
	    (int64_t)sound, "it is damaged at byte %llu of what it expands to, or "
	    "a little behind", (unsigned long long)sound);
}

static int read_members(struct qt_packed *p, qt_packed_progress *progress,
    void *ctx, struct qt_error *err)
{
	const struct qt_tar_member *m;
	uint64_t n = 0, behind = 0;
	struct stat st;
	int rc;

	if (fstat(p->fd, &st) != 0)
		return qt_fail_sys(err, "stat", p->spool->queue_dir);
	for (;;) {
		rc = qt_tarread_next(p->tar, &m, err);
		if (rc == 0 && m->path == NULL)
			p->unsafe++;
		else if (rc == 0)
			rc = qt_packed_take(p, m, err);
		if (rc < 0)
			rc = go_on(p, &behind, err);
		if (rc != 0)
			break;
		if (progress != NULL && ++n % 1000 == 0)
			progress(ctx, qt_tarread_progress(p->tar),
			    (uint64_t)st.st_size);
	}
	note_doubt(p);
	return rc < 0 ? -1 : qt_packed_finish(p, err);
}

int qt_packed_load(struct qt_packed *p, const volatile sig_atomic_t *stop,
    qt_packed_progress *progress, void *ctx, struct qt_error *err)
{
	int r;

	if (p->loaded)
		return 0;
	p->stop = stop;
	if (p->salvage && p->sha == NULL && qt_sha256_new(&p->sha, err) != 0)
		return -1;
	if (qt_packed_view(p, stop, &p->spare, err) != 0)
		return -1;
	p->random = qt_tarview_random(p->spare);
	r = qt_tarread_open_view(&p->tar, p->spare, NULL, err);
	if (r == 0)
		r = read_members(p, progress, ctx, err);
	qt_tarread_close(p->tar);
	p->tar = NULL;
	return r;
}
