/*
 * manifest.c - an external merge sort of "SUM  PATH" lines.
 *
 * Lines gather in memory; at the limit they are sorted and written out as a
 * run, and emit merges the runs.  16 MiB hold about 160,000 lines, so even ten
 * million files make a few dozen runs and looking at each run's head for every
 * line is cheap enough.
 */
#include "evidence/manifest.h"

#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)64 << 10) /* read of a run at once; beyond any line */

/* Where a line's path begins: behind the sum and two blanks. */
static size_t path_at(const struct qt_manifest *m)
{
	return 2 * m->sum + 2;
}

void qt_manifest_init(struct qt_manifest *m, enum qt_hash hash, int dirfd,
    size_t memory_max)
{
	*m = (struct qt_manifest){.limit = memory_max,
	    .sum = qt_hash_size(hash)};
	/* one line more than the limit fits, whatever its length */
	qt_buf_init(&m->text, memory_max + PIECE);
	qt_spill_init(&m->sorted, dirfd, memory_max);
}

void qt_manifest_release(struct qt_manifest *m)
{
	if (m == NULL)
		return;
	qt_buf_release(&m->text);
	qt_spill_release(&m->sorted);
	free(m->line);
	free(m->run);
	m->line = NULL;
	m->run = NULL;
	m->nlines = m->cap = m->nruns = 0;
}

static int by_path(const void *a, const void *b, void *manifest)
{
	const struct qt_manifest *m = manifest;
	const char *paths = m->text.data + path_at(m);

	return strcmp(paths + *(const uint32_t *)a,
	    paths + *(const uint32_t *)b);
}

static void sort_lines(struct qt_manifest *m)
{
	if (m->nlines != 0)
		qsort_r(m->line, m->nlines, sizeof *m->line, by_path, m);
}

/* The sorted lines in memory, each with its newline. */
static int put_lines(struct qt_manifest *m, qt_bytes_fn *fn, void *ctx,
    struct qt_error *err)
{
	size_t i, len;
	char *line;

	for (i = 0; i < m->nlines; i++) {
		line = m->text.data + m->line[i];
		len = strlen(line);
		line[len] = '\n'; /* fn sees it; put back for the sort order */
		if (fn(ctx, line, len + 1, err) != 0)
			return -1;
		line[len] = '\0';
	}
	return 0;
}

static int to_spill(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	return qt_spill_add(ctx, bytes, len, err);
}

static int make_run(struct qt_manifest *m, struct qt_error *err)
{
	uint64_t *p = reallocarray(m->run, m->nruns + 1, sizeof *p);

	if (p == NULL)
		return qt_fail_mem(err);
	m->run = p;
	m->run[m->nruns++] = qt_spill_size(&m->sorted);
	sort_lines(m);
	if (put_lines(m, to_spill, &m->sorted, err) != 0)
		return -1;
	m->nlines = 0;
	qt_buf_clear(&m->text);
	return 0;
}

static int grow_lines(struct qt_manifest *m, struct qt_error *err)
{
	size_t cap = m->cap != 0 ? m->cap * 2 : 256;
	uint32_t *p;

	if (m->nlines < m->cap)
		return 0;
	p = reallocarray(m->line, cap, sizeof *p);
	if (p == NULL)
		return qt_fail_mem(err);
	m->line = p;
	m->cap = cap;
	return 0;
}

int qt_manifest_add(struct qt_manifest *m, const char *path,
    const unsigned char *sum, struct qt_error *err)
{
	char hex[QT_SUM_HEX_MAX];
	size_t len = path_at(m) + strlen(path) + 1;

	if (len > PIECE)
		return qt_fail(err, QT_E_USAGE, "manifest", "a path too long");
	if (m->nlines != 0 && m->text.len + len > m->limit &&
	    make_run(m, err) != 0)
		return -1;
	if (grow_lines(m, err) != 0)
		return -1;
	m->line[m->nlines] = (uint32_t)m->text.len;
	qt_sum_hex(sum, m->sum, hex);
	qt_buf_addf(&m->text, "%s  %s", hex, path);
	qt_buf_addc(&m->text, '\0');
	if (qt_buf_check(&m->text, err) != 0)
		return -1;
	m->nlines++;
	m->size += len; /* the NUL counts for the newline */
	m->files++;
	return 0;
}

uint64_t qt_manifest_size(const struct qt_manifest *m)
{
	return m->size;
}

/* A run being read: buf[pos, len) is ahead, the file goes on at [off, end). */
struct reader {
	char *buf;
	size_t pos, len;
	size_t line; /* of the line at pos, with its newline; 0: run done */
	uint64_t off, end;
};

/* Bring the next line into the buffer. */
static int advance(const struct qt_manifest *m, struct reader *r,
    struct qt_error *err)
{
	char *nl;
	size_t n;

	r->pos += r->line;
	r->line = 0;
	nl = memchr(r->buf + r->pos, '\n', r->len - r->pos);
	if (nl == NULL && r->off < r->end) {
		r->len -= r->pos;
		memmove(r->buf, r->buf + r->pos, r->len);
		r->pos = 0;
		n = 2 * PIECE - r->len;
		if (n > r->end - r->off)
			n = (size_t)(r->end - r->off);
		if (qt_spill_read(&m->sorted, r->off, r->buf + r->len, n,
			err) != 0)
			return -1;
		r->off += n;
		r->len += n;
		nl = memchr(r->buf, '\n', r->len);
	}
	if (nl == NULL)
		return r->pos == r->len ? 0 :
					  qt_fail(err, QT_E_STATE, "manifest",
					      "a line without end");
	*nl = '\0'; /* so that strcmp can be used */
	r->line = (size_t)(nl - (r->buf + r->pos)) + 1;
	return 0;
}

static struct reader *least(const struct qt_manifest *m, struct reader *r)
{
	const size_t head = path_at(m);
	struct reader *best = NULL;
	size_t i;

	for (i = 0; i < m->nruns; i++)
		if (r[i].line != 0 &&
		    (best == NULL ||
			strcmp(r[i].buf + r[i].pos + head,
			    best->buf + best->pos + head) < 0))
			best = &r[i];
	return best;
}

static int merge(struct qt_manifest *m, struct reader *r, qt_bytes_fn *fn,
    void *ctx, struct qt_error *err)
{
	struct reader *best;
	size_t i;

	for (i = 0; i < m->nruns; i++) {
		r[i].off = m->run[i];
		r[i].end = i + 1 < m->nruns ? m->run[i + 1] :
					      qt_spill_size(&m->sorted);
		r[i].buf = malloc(2 * PIECE);
		if (r[i].buf == NULL)
			return qt_fail_mem(err);
		if (advance(m, &r[i], err) != 0)
			return -1;
	}
	while ((best = least(m, r)) != NULL) {
		best->buf[best->pos + best->line - 1] = '\n';
		if (fn(ctx, best->buf + best->pos, best->line, err) != 0 ||
		    advance(m, best, err) != 0)
			return -1;
	}
	return 0;
}

int qt_manifest_emit(struct qt_manifest *m, qt_bytes_fn *fn, void *ctx,
    struct qt_error *err)
{
	struct reader *r;
	size_t i;
	int status;

	if (m->nruns == 0) {
		sort_lines(m);
		return put_lines(m, fn, ctx, err);
	}
	if (m->nlines != 0 && make_run(m, err) != 0)
		return -1;
	r = calloc(m->nruns, sizeof *r);
	if (r == NULL)
		return qt_fail_mem(err);
	status = merge(m, r, fn, ctx, err);
	for (i = 0; i < m->nruns; i++)
		free(r[i].buf);
	free(r);
	return status;
}
