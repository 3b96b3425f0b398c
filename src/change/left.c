/*
 * left.c - the list of messages that were left alone.
 */
#include "change/left.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "change/field.h"

#define LEFT_NAME "left"
#define LEFT_NAME_SIZE 24
#define LEFT_LINE 48 /* bytes of a line at most */

/* "left", and "left.N" after the N-th time that an undo was undone. */
static void left_name(const struct qt_tx *tx, char name[LEFT_NAME_SIZE])
{
	if (tx->log.redone == 0)
		(void)snprintf(name, LEFT_NAME_SIZE, LEFT_NAME);
	else
		(void)snprintf(name, LEFT_NAME_SIZE, LEFT_NAME ".%u",
		    tx->log.redone);
}

static void add_lines(struct qt_buf *b, const struct qt_plan *p)
{
	size_t i, from;

	for (i = 0; i < p->n; i++) {
		if (!p->v[i].left)
			continue;
		from = b->len;
		qt_buf_addf(b, "L\t%zu", i);
		qt_field_seal(b, from);
	}
}

static int write_bytes(struct qt_change *c, struct qt_tx *tx, int fd,
    const struct qt_buf *b, struct qt_error *err)
{
	size_t at = 0;
	ssize_t n;

	while (at < b->len) {
		n = c->fs.write(c->fs.ctx, fd, b->data + at, b->len - at);
		if (n < 0)
			return qt_fsops_fail(err, "write left", tx->where);
		at += (size_t)n;
	}
	if (c->fs.fsync(c->fs.ctx, fd) != 0)
		return qt_fsops_fail(err, "fsync left", tx->where);
	return 0;
}

int qt_left_write(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
{
	char name[LEFT_NAME_SIZE];
	struct qt_buf b;
	int fd, r;

	left_name(tx, name);
	/* of a run that was killed before its record: this one tells again */
	if (c->fs.unlink(c->fs.ctx, tx->home, name) != 0 && errno != ENOENT)
		return qt_fsops_fail(err, "unlink left", tx->where);
	fd = c->fs.create(c->fs.ctx, tx->home, name,
	    O_WRONLY | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return qt_fsops_fail(err, "create left", tx->where);
	qt_buf_init(&b, QT_PLAN_MAX * LEFT_LINE);
	add_lines(&b, tx->plan);
	r = qt_buf_check(&b, err);
	if (r == 0)
		r = write_bytes(c, tx, fd, &b, err);
	if (r == 0)
		r = qt_close(&fd, tx->where, err);
	qt_close_quiet(&fd);
	qt_buf_release(&b);
	/* no rename: before the record nobody reads it, after it it is whole */
	if (r == 0 && c->fs.fsync(c->fs.ctx, tx->home) != 0)
		r = qt_fsops_fail(err, "fsync", tx->where);
	return r;
}

/* One line without its LF. */
static bool use_line(struct qt_plan *p, char *line, size_t len)
{
	const char *fields[2];
	uint64_t seq;

	if (qt_field_split(line, len, fields, 2) != 2 ||
	    strcmp(fields[0], "L") != 0 || p->n == 0 ||
	    !qt_field_u64(fields[1], p->n - 1, &seq) || p->v[seq].left)
		return false;
	p->v[seq].left = true;
	return true;
}

int qt_left_read(struct qt_tx *tx, struct qt_error *err)
{
	const uint64_t want = qt_op_places(tx->plan->op) ?
	    tx->log.placed.left : tx->log.commit.changed;
	char name[LEFT_NAME_SIZE];
	uint64_t lines = 0;
	char *at, *end, *lf;
	struct qt_buf b;
	bool good = true;
	int r;

	qt_buf_init(&b, QT_PLAN_MAX * LEFT_LINE);
	left_name(tx, name);
	r = qt_slurp(tx->home, name, QT_PLAN_MAX * LEFT_LINE, &b, err);
	if (r != 0 && err != NULL)
		err->code = QT_E_STATE; /* the log says that it is there */
	at = b.data;
	end = b.data + b.len;
	while (r == 0 && good && at < end) {
		lf = memchr(at, '\n', (size_t)(end - at));
		good = lf != NULL && use_line(tx->plan, at, (size_t)(lf - at));
		at = lf != NULL ? lf + 1 : end;
		lines++;
	}
	qt_buf_release(&b);
	if (r != 0)
		return -1;
	if (!good || lines != want)
		return qt_fail(err, QT_E_STATE, tx->where,
		    "the list of messages left alone is damaged (line %" PRIu64
		    " of %" PRIu64 ")", lines, want);
	return 0;
}
