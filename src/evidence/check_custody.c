/*
 * check_custody.c - the chain of events: metadata/custody.jsonl, and what was
 * added to it in FILE.custody.jsonl beside the archive.
 */
#include "evidence/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "qtool/custody.h"

static const char beside_path[] = "FILE.custody.jsonl";

/* Where the chain is read, and up to where it is. */
struct chain {
	struct qt_check *c;
	const char *path;
	bool beside;
	uint64_t seq;  /* of the last event */
	char prev[65]; /* its line's sum; "" there is none */
	char *room;    /* for an event's texts */
};

/* ---- one event ---- */

/* Of a line, with its newline. */
static int sum_of(struct qt_check *c, const struct qt_buf *line, char hex[65],
    struct qt_error *err)
{
	unsigned char sum[QT_SHA256_SIZE];

	qt_digest_clear(&c->sum);
	qt_digest_add(&c->sum, qt_buf_str(line), line->len);
	qt_digest_add(&c->sum, "\n", 1);
	if (qt_digest_final(&c->sum, sum, err) != 0)
		return -1;
	qt_digest_hex(sum, hex);
	return 0;
}

static int add_bytes(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	(void)err;
	qt_digest_add(ctx, bytes, len);
	return 0;
}

/* What the archive's own list says of a manifest, against that. */
static int check_manifest(struct chain *k, const struct qt_custody_event *e,
    enum qt_told which, struct qt_error *err)
{
	const char *manifest = qt_told_paths[which];
	struct qt_check *c = k->c;
	unsigned char sum[QT_SHA256_SIZE];
	char hex[65];

	if (k->beside || strcmp(e->what, manifest) != 0 ||
	    e->sha256[0] == '\0' || !c->have[which])
		return 0;
	qt_digest_clear(&c->sum);
	if (qt_spill_each(&c->kept[which], add_bytes, &c->sum, err) != 0 ||
	    qt_digest_final(&c->sum, sum, err) != 0)
		return -1;
	qt_digest_hex(sum, hex);
	if (strcmp(hex, e->sha256) != 0)
		qt_check_tell(c, QT_FLAW_CUSTODY, k->path, (int64_t)e->seq,
		    e->sha256, hex, "line %" PRIu64 " is about another %s",
		    e->seq, manifest);
	return 0;
}

/* A line that is to follow the one before it. */
static int one_line(struct chain *k, const struct qt_lines *l,
    struct qt_error *err)
{
	struct qt_check *c = k->c;
	struct qt_custody_event e;

	k->seq++;
	if (!qt_custody_read(&e, k->room, qt_buf_str(&l->buf), l->buf.len) ||
	    e.seq != k->seq) {
		qt_check_tell(c, QT_FLAW_CUSTODY, k->path, (int64_t)l->number,
		    NULL, NULL, "line %" PRIu64 " is no event of number %" PRIu64,
		    l->number, k->seq);
		return sum_of(c, &l->buf, k->prev, err);
	}
	if (strcmp(e.prev, k->prev) != 0) /* the first has none */
		qt_check_tell(c, QT_FLAW_CUSTODY, k->path, (int64_t)l->number,
		    k->prev[0] != '\0' ? k->prev : "null", e.prev,
		    "line %" PRIu64 " does not follow the one before it",
		    l->number);
	if (check_manifest(k, &e, QT_TOLD_MANIFEST, err) != 0 ||
	    check_manifest(k, &e, QT_TOLD_MANIFEST_512, err) != 0)
		return -1;
	e.beside = k->beside;
	if (c->opts->event != NULL)
		c->opts->event(c->opts->event_ctx, &e);
	return sum_of(c, &l->buf, k->prev, err);
}

static int all_lines(struct chain *k, const struct qt_spill *s,
    struct qt_error *err)
{
	struct qt_lines l;
	int r;

	qt_lines_init(&l, s);
	while ((r = qt_lines_next(&l, err)) == 0)
		if ((r = one_line(k, &l, err)) != 0)
			break;
	qt_lines_release(&l);
	return r < 0 ? -1 : 0;
}

/* ---- beside the archive ---- */

static int go_on(struct chain *k, const struct qt_buf *b, struct qt_error *err)
{
	struct qt_spill s;
	int r;

	k->path = beside_path;
	k->beside = true;
	if (b->len != 0 && b->data[b->len - 1] != '\n')
		qt_check_tell(k->c, QT_FLAW_CUSTODY, k->path, -1, NULL, NULL,
		    "its last line is cut off");
	k->c->res->events_bytes = b->len;
	qt_spill_init(&s, k->c->tmpfd, QT_CUSTODY_MAX);
	r = qt_spill_add(&s, qt_buf_str(b), b->len, err);
	if (r == 0)
		r = all_lines(k, &s, err);
	qt_spill_release(&s);
	return r;
}

/* 1: there is none. */
static int read_beside(struct chain *k, struct qt_buf *b, struct qt_error *err)
{
	const int *fd = k->c->opts->events_fd;

	if (fd == NULL)
		return qt_check_sidecar(k->c, ".custody.jsonl", QT_CUSTODY_MAX,
		    b, err);
	return *fd < 0 ? 1 :
	    qt_slurp_fd(*fd, beside_path, QT_CUSTODY_MAX, b, err);
}

static int check_beside(struct chain *k, struct qt_error *err)
{
	struct qt_buf b;
	int r;

	qt_buf_init(&b, 0);
	r = read_beside(k, &b, err);
	if (r == 0)
		r = go_on(k, &b, err);
	qt_buf_release(&b);
	return r < 0 ? -1 : 0;
}

/* ---- both ---- */

int qt_check_custody(struct qt_check *c, struct qt_error *err)
{
	struct chain k = {.c = c, .path = qt_told_paths[QT_TOLD_CUSTODY],
	    .room = malloc(QT_CUSTODY_LINE + QT_CUSTODY_ROOM)};
	int r;

	if (k.room == NULL)
		return qt_fail_mem(err);
	r = all_lines(&k, &c->kept[QT_TOLD_CUSTODY], err);
	if (r == 0)
		r = check_beside(&k, err);
	free(k.room);
	c->res->events = k.seq;
	c->res->have_custody = r == 0 && c->have[QT_TOLD_CUSTODY];
	(void)strlcpy(c->res->chain, k.prev, sizeof c->res->chain);
	return r;
}
