/*
 * restorer.c - messages given back out of an archive.
 *
 * Only a regular member data/queue/QUEUE/ID counts, of the four queues that
 * hold mail in delivery and an ID that Postfix could have given, whose row says
 * the same; no name in the archive becomes one on disk.  Length and SHA-256 go
 * with it into the plan, and who writes the file holds it against them.
 *
 * Tables and members are in one order: looking for one begins behind the last.
 */
#include "qtool/restorer.h"

#include <stdlib.h>
#include <string.h>

#include "evidence/check.h"
#include "qtool/queueid.h"

#define PIECE ((size_t)256 << 10)
#define ROUNDS_MAX 1000 /* over the whole table: who is out of order so often
			 * is no archive of ours */

struct place { /* of a file's bytes in the expanded archive */
	uint64_t offset, size;
};

struct taken {
	struct place message, log[QT_IMPORT_LOGS];
};

struct qt_restorer {
	struct qt_check *c;
	struct qt_tarview *view;
	struct qt_lines rows;
	struct qt_bagrow row; /* the last one that was taken */
	uint64_t member;      /* the next one to be looked at */
	struct taken *v;      /* owned */
	size_t n, cap;
	unsigned rounds;
	char *buf; /* PIECE bytes */
};

int qt_restorer_open(struct qt_restorer **out, struct qt_verify_result *result,
    const char *file, const struct qt_verify_opts *opts, struct qt_error *err)
{
	struct qt_restorer *r = calloc(1, sizeof *r);

	if (r == NULL)
		return qt_fail_mem(err);
	if ((r->buf = malloc(PIECE)) == NULL) {
		free(r);
		return qt_fail_mem(err);
	}
	qt_lines_init(&r->rows, NULL);
	if (qt_check_archive(&r->c, result, file, opts, err) != 0) {
		qt_restorer_close(r);
		return -1;
	}
	r->rows.s = &r->c->kept[QT_TOLD_MESSAGES];
	*out = r;
	return 0;
}

void qt_restorer_close(struct qt_restorer *r)
{
	if (r == NULL)
		return;
	qt_tarview_close(r->view);
	qt_lines_release(&r->rows);
	qt_check_free(r->c);
	free(r->v);
	free(r->buf);
	free(r);
}

/* ---- the row ---- */

static bool is_row(const struct qt_bagrow *row, enum qt_queue queue,
    const char *id, const char *found)
{
	return row->queue == queue && strcmp(row->id, id) == 0 &&
	    strcmp(row->found, found) == 0;
}

/* The end was passed: once more from the beginning; 1 not again. */
static int begin_again(struct qt_restorer *r, unsigned *rounds,
    struct qt_error *err)
{
	if ((*rounds)++ != 0)
		return 1;
	if (r->rounds++ == ROUNDS_MAX)
		return qt_fail(err, QT_E_STATE, r->c->file,
		    "its tables have no order");
	r->rows.at = r->rows.number = 0;
	r->member = 0;
	return 0;
}

/* 0 r->row is it; 1 there is none. */
static int find_row(struct qt_restorer *r, enum qt_queue queue, const char *id,
    const char *found, struct qt_error *err)
{
	unsigned rounds = 0;
	const char *why;
	int n;

	for (;;) {
		while ((n = qt_lines_next(&r->rows, err)) == 0)
			if (qt_bagrow_read(&r->row, qt_buf_str(&r->rows.buf),
				r->rows.buf.len, &why) == 0 &&
			    is_row(&r->row, queue, id, found))
				return 0;
		if (n < 0 || (n = begin_again(r, &rounds, err)) != 0)
			return n;
	}
}

/* ---- the members ---- */

/* Where a file of the bag is; 1: it is not there. */
static int find_member(struct qt_restorer *r, const struct qt_bagfile *f,
    struct place *to, struct qt_error *err)
{
	const uint64_t n = qt_spill_size(&r->c->members) /
	    sizeof(struct qt_checked_member);
	const uint64_t from = r->member;
	struct qt_checked_member m;
	char name[QT_TAR_PATH_MAX];
	const char *path;
	uint64_t i;

	for (i = 0; i < n; i++) {
		const uint64_t at = (from + i) % n;

		if (qt_spill_read(&r->c->members, at * sizeof m, &m, sizeof m,
			err) != 0 || qt_check_name(r->c, &m, name, err) != 0)
			return -1;
		path = strchr(name, '/');
		if (path == NULL || strcmp(path + 1, f->path) != 0)
			continue;
		r->member = at + 1;
		*to = (struct place){m.offset, m.size};
		return m.size == f->size ? 0 : 1;
	}
	return 1;
}

static bool is_at(const struct qt_bagfile *f, const char *queue, const char *id)
{
	char path[QT_MEMBER_SIZE];

	(void)snprintf(path, sizeof path, "data/queue/%s/%s", queue, id);
	return strcmp(path, f->path) == 0;
}

static const char *cannot(const struct qt_bagrow *row)
{
	const unsigned queues = QT_Q_BIT(QT_Q_INCOMING) |
	    QT_Q_BIT(QT_Q_ACTIVE) | QT_Q_BIT(QT_Q_DEFERRED) |
	    QT_Q_BIT(QT_Q_HOLD);

	if ((QT_Q_BIT(row->queue) & queues) == 0)
		return "was not in incoming, active, deferred or hold";
	if (row->odd || !qt_queue_id_valid(row->id) || row->id[1] == '\0' ||
	    !is_at(&row->file, qt_queue_name(row->queue), row->id))
		return "has no queue ID of its own";
	if (row->file.size > INT64_MAX)
		return "is longer than a file can be";
	return NULL;
}

/* ---- bytes ---- */

static int give(struct qt_restorer *r, const struct place *p, qt_put_fn *put,
    void *put_ctx, struct qt_error *err)
{
	uint64_t at = p->offset, left = p->size;
	size_t n;

	if (r->view == NULL && qt_tarview_open(&r->view, r->c->fd, r->c->file,
		r->c->opts->stop, err) != 0)
		return -1;
	/* whose bytes are held against the table's sum */
	if (r->c->opts->salvage && qt_tarview_salvage(r->view, err) != 0)
		return -1;
	for (; left > 0; at += n, left -= n) {
		n = left < PIECE ? (size_t)left : PIECE;
		if (qt_tarview_read(r->view, at, r->buf, n, err) != 0 ||
		    put(put_ctx, r->buf, n, err) != 0)
			return -1;
	}
	return 0;
}

/* ---- out of a damaged archive ---- */

/* Whether a file is there as its row tells; *why: what is wrong with it. */
static int is_intact(struct qt_restorer *r, const struct qt_bagfile *f,
    const struct place *p, const char **why, struct qt_error *err)
{
	unsigned char sum[QT_SHA256_SIZE];
	struct qt_error e = {0};
	char hex[QT_SHA256_HEX];

	*why = NULL;
	if (!r->c->opts->salvage)
		return 0;
	if (qt_seen_has(&r->c->flawed, f->path)) {
		*why = "is not in the archive as it was made";
		return 0;
	}
	qt_digest_clear(&r->c->sum);
	if (give(r, p, qt_digest_bytes, &r->c->sum, &e) != 0) {
		*why = "cannot be read in the archive";
		if (e.code != QT_E_STATE && err != NULL)
			*err = e;
		return e.code == QT_E_STATE ? 0 : -1;
	}
	if (qt_digest_final(&r->c->sum, sum, err) != 0)
		return -1;
	qt_digest_hex(sum, hex);
	if (strcmp(hex, f->sha256) != 0)
		*why = "is damaged: its bytes are not those of the table";
	return 0;
}

/* The first log of each kind that has its own name. */
static int take_logs(struct qt_restorer *r, struct qt_import *m,
    struct taken *t, struct qt_error *err)
{
	const char *damage;
	unsigned i, k;
	int n;

	for (i = 0; i < r->row.nlogs; i++) {
		const struct qt_bagfile *f = &r->row.log[i];

		k = (unsigned)(f->kind - QT_Q_DEFER);
		if (m->log[k].sha256 != NULL || f->size > INT64_MAX ||
		    !is_at(f, qt_queue_name(f->kind), r->row.id))
			continue;
		if ((n = find_member(r, f, &t->log[k], err)) < 0)
			return -1;
		if (n == 0 &&
		    is_intact(r, f, &t->log[k], &damage, err) != 0)
			return -1;
		if (n == 0 && damage == NULL)
			m->log[k] = (struct qt_import_file){(int64_t)f->size,
			    f->sha256};
	}
	return 0;
}

static int add(struct qt_restorer *r, const struct taken *t,
    struct qt_error *err)
{
	size_t cap = r->cap == 0 ? 64 : 2 * r->cap;
	struct taken *v;

	if (r->n == r->cap) {
		v = reallocarray(r->v, cap, sizeof *v);
		if (v == NULL)
			return qt_fail_mem(err);
		r->v = v;
		r->cap = cap;
	}
	r->v[r->n++] = *t;
	return 0;
}

int qt_restorer_take(struct qt_restorer *r, enum qt_queue queue, const char *id,
    const char *found, struct qt_import *m, const char **why,
    struct qt_error *err)
{
	const struct qt_bagrow *row = &r->row;
	struct taken t = {.message = {0, 0}};
	int n;

	*why = "is not in the archive's table";
	if ((n = find_row(r, queue, id, found, err)) != 0)
		return n;
	if ((*why = cannot(row)) != NULL)
		return 1;
	*why = "is not in the archive";
	if ((n = find_member(r, &row->file, &t.message, err)) != 0)
		return n;
	if (is_intact(r, &row->file, &t.message, why, err) != 0)
		return -1;
	if (*why != NULL)
		return 1;
	*m = (struct qt_import){.queue = row->queue, .id = row->id,
	    .mtime_ns = row->mtime_ns,
	    .message = {(int64_t)row->file.size, row->file.sha256}};
	if (take_logs(r, m, &t, err) != 0)
		return -1;
	return add(r, &t, err);
}

/* ---- what was taken ---- */

int qt_restorer_supply(void *ctx, size_t seq, enum qt_queue log,
    qt_put_fn *put, void *put_ctx, struct qt_error *err)
{
	struct qt_restorer *r = ctx;
	const struct place *p;

	if (seq >= r->n || (log != QT_Q_COUNT && log < QT_Q_DEFER))
		return qt_fail(err, QT_E_USAGE, r->c->file,
		    "there is no such message");
	p = log == QT_Q_COUNT ? &r->v[seq].message :
				&r->v[seq].log[log - QT_Q_DEFER];
	return give(r, p, put, put_ctx, err);
}
