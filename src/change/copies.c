/*
 * copies.c - the files that an import makes.
 */
#include "change/copies.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

#define AREA "r"
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

void qt_copies_name(size_t seq, unsigned kind, char name[QT_COPY_NAME_SIZE])
{
	if (kind < QT_LOG_KINDS)
		(void)snprintf(name, QT_COPY_NAME_SIZE, "%06zu.%c", seq,
		    qt_tx_log_letter(1u << kind));
	else
		(void)snprintf(name, QT_COPY_NAME_SIZE, "%06zu", seq);
}

static void bucket_name(size_t no, char name[QT_TX_BUCKET_NAME_SIZE])
{
	(void)snprintf(name, QT_TX_BUCKET_NAME_SIZE, AREA "/%04zu", no);
}

int qt_copies_make(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
{
	size_t no, n = (tx->plan->n + QT_TX_BUCKET - 1) / QT_TX_BUCKET;
	char name[QT_TX_BUCKET_NAME_SIZE];

	if (c->fs.mkdir(c->fs.ctx, tx->stage, AREA, 0700) != 0)
		return qt_fsops_fail(err, "mkdir", tx->where);
	for (no = 0; no < n; no++) {
		bucket_name(no, name);
		if (c->fs.mkdir(c->fs.ctx, tx->stage, name, 0700) != 0)
			return qt_fsops_fail(err, "mkdir", tx->where);
	}
	return 0;
}

int qt_copies_dir(struct qt_tx *tx, size_t seq, int *fd, struct qt_error *err)
{
	char name[QT_TX_BUCKET_NAME_SIZE];
	size_t no = seq / QT_TX_BUCKET;

	if (tx->copies < 0 || tx->copies_no != no) {
		qt_close_quiet(&tx->copies);
		bucket_name(no, name);
		tx->copies = openat(tx->stage, name, DIR_FLAGS);
		if (tx->copies < 0)
			return qt_fsops_fail(err, "open", tx->where);
		tx->copies_no = no;
	}
	*fd = tx->copies;
	return 0;
}

/* ---- all of them ---- */

struct walk {
	const struct qt_tx *tx;
	struct qt_change *c; /* NULL: they are counted, else removed */
	int area, dir;
	size_t messages;
	int (*each)(void *ctx, struct qt_error *err);
	void *ctx;
};

static bool is_message(const char *name)
{
	return strchr(name, '.') == NULL;
}

static int one_file(void *ctx, const char *name, struct qt_error *err)
{
	struct walk *w = ctx;

	if (name[strspn(name, "0123456789.dbt")] != '\0')
		return qt_fail(err, QT_E_STATE, w->tx->where,
		    "\"%s\" among its copies is none of its names", name);
	w->messages += is_message(name);
	if (w->c == NULL)
		return 0;
	if (w->each != NULL && is_message(name) && w->each(w->ctx, err) != 0)
		return -1;
	if (w->c->fs.unlink(w->c->fs.ctx, w->dir, name) != 0 && errno != ENOENT)
		return qt_fsops_fail(err, "unlink", w->tx->where);
	return 0;
}

static int one_bucket(void *ctx, const char *name, struct qt_error *err)
{
	struct walk *w = ctx;
	int r;

	w->dir = openat(w->area, name, DIR_FLAGS);
	if (w->dir < 0)
		return qt_fsops_fail(err, "open", w->tx->where);
	r = qt_state_each(w->dir, w->tx->where, one_file, w, err);
	qt_close_quiet(&w->dir);
	if (r == 0 && w->c != NULL &&
	    w->c->fs.rmdir(w->c->fs.ctx, w->area, name) != 0)
		r = qt_fsops_fail(err, "rmdir", w->tx->where);
	return r;
}

static int walk_all(struct walk *w, struct qt_error *err)
{
	int r;

	w->area = openat(w->tx->stage, AREA, DIR_FLAGS);
	if (w->area < 0)
		return errno == ENOENT ? 0 :
		    qt_fsops_fail(err, "open", w->tx->where);
	r = qt_state_each(w->area, w->tx->where, one_bucket, w, err);
	qt_close_quiet(&w->area);
	if (r == 0 && w->c != NULL &&
	    w->c->fs.rmdir(w->c->fs.ctx, w->tx->stage, AREA) != 0)
		r = qt_fsops_fail(err, "rmdir", w->tx->where);
	return r;
}

int qt_copies_count(const struct qt_tx *tx, size_t *n, struct qt_error *err)
{
	struct walk w = {.tx = tx};

	if (walk_all(&w, err) != 0)
		return -1;
	*n = w.messages;
	return 0;
}

int qt_copies_remove(struct qt_change *c, struct qt_tx *tx,
    int (*each)(void *ctx, struct qt_error *err), void *ctx,
    struct qt_error *err)
{
	struct walk w = {.tx = tx, .c = c, .each = each, .ctx = ctx};

	qt_close_quiet(&tx->copies);
	return walk_all(&w, err);
}
