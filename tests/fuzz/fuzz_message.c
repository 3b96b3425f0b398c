/*
 * fuzz_message.c - a file is judged the same through any window and whatever
 * is kept; what is accepted has what qmgr needs; a walk that shows the content
 * and one that skips it agree on the rest.
 */
#include "fuzz/input.h"
#include "qtool/message.h"
#include "unit/same_msg.h"

static void check_accepted(const struct fuzz_file *f, const struct qt_msg *m,
    enum qt_msg_origin origin)
{
	REQUIRE(m->sender != NULL);
	REQUIRE(f->bytes[m->sender_offset] == QT_REC_FROM);
	if (origin == QT_MSG_MAILDROP) {
		REQUIRE(m->ntodo > 0);
		return;
	}
	REQUIRE(m->have_size && m->arrival_time != 0);
}

static void check_rcpts(const struct fuzz_file *f, const struct qt_msg *m)
{
	static const char types[] = {QT_REC_RCPT, QT_REC_DONE, QT_REC_DRCP};
	size_t i, n[3] = {0, 0, 0};

	for (i = 0; i < m->nrcpt; i++) {
		const struct qt_rcpt *r = &m->rcpt[i];

		REQUIRE(r->state <= QT_RCPT_CANCELLED);
		REQUIRE(f->bytes[r->offset] == types[r->state]);
		REQUIRE(strlen(r->address) < f->len);
		REQUIRE(r->state == QT_RCPT_TODO || r->orig == NULL);
		REQUIRE(r->orig == NULL || r->showq_orig == r->orig);
		n[r->state]++;
	}
	REQUIRE(n[QT_RCPT_TODO] == m->ntodo);
	REQUIRE(n[QT_RCPT_DONE] == m->ndone);
	REQUIRE(n[QT_RCPT_CANCELLED] == m->ncancelled);
}

static int parse(const struct fuzz_file *f, enum qt_msg_origin origin)
{
	struct qt_arena arena;
	struct qt_error xe = {0}, ye = {0};
	struct qt_msg x, y;
	struct qt_input in;
	struct slit s;
	int xr, yr;

	qt_arena_init(&arena, 0);
	qt_input_bytes(&in, f->bytes, f->len);
	xr = qt_msg_parse(&x, &in, origin, QT_MSG_RCPTS, &arena, &xe);
	slit_init(&s, f->bytes, f->len, f->extra, f->before);
	yr = qt_msg_parse(&y, &s.in, origin, QT_MSG_RCPTS, &arena, &ye);
	fuzz_same_end(xr, &xe, yr, &ye);
	REQUIRE(same_msg(&x, &y));
	slit_release(&s);
	yr = qt_msg_parse(&y, &in, origin, 0, &arena, &ye);
	fuzz_same_end(xr, &xe, yr, &ye);
	REQUIRE(x.nrcpt == y.nrcpt && x.ntodo == y.ntodo && x.odd == y.odd);
	REQUIRE(y.rcpt == NULL && same_text(x.sender, y.sender));
	check_rcpts(f, &x);
	if (xr == 0)
		check_accepted(f, &x, origin);
	qt_arena_release(&arena);
	return xr;
}

/* The next record outside the content. */
static int outside(
    struct qt_walk *w, struct qt_record *rec, struct qt_error *err)
{
	int rc;

	do
		rc = qt_walk_next(w, rec, err);
	while (rc == 0 && w->seg == QT_SEG_CONTENT);
	return rc;
}

/*
 * Of a file that qmgr accepts, with a C record that tells the truth: the
 * content begins behind the only M, and X is where it ends.
 */
static bool honest_size(const struct fuzz_file *f)
{
	struct qt_input in;
	struct qt_walk w;
	struct qt_record rec;
	uint64_t m = 0, x = 0;
	unsigned ms = 0, xs = 0;
	int rc;

	qt_input_bytes(&in, f->bytes, f->len);
	qt_walk_init(&w, &in, false, QT_CURSOR_POINTERS);
	while ((rc = qt_walk_next(&w, &rec, NULL)) == 0) {
		if (w.seg == QT_SEG_CONTENT && rec.type != QT_REC_NORM &&
		    rec.type != QT_REC_CONT)
			return false;
		if (rec.type == QT_REC_MESG)
			ms++, m = rec.payload + rec.length;
		if (rec.type == QT_REC_XTRA)
			xs++, x = rec.offset;
	}
	return rc == 1 && ms == 1 && xs == 1 && w.content_end == x &&
	       (int64_t)m == w.data_offset;
}

static void shown_and_skipped(const struct fuzz_file *f)
{
	struct qt_walk a, b;
	struct qt_record x, y;
	struct qt_error xe, ye;
	struct qt_input in;
	int xr, yr;

	qt_input_bytes(&in, f->bytes, f->len);
	qt_walk_init(&a, &in, true, QT_CURSOR_PADDING);
	qt_walk_init(&b, &in, false, QT_CURSOR_PADDING);
	do {
		xr = outside(&a, &x, &xe);
		yr = outside(&b, &y, &ye);
		REQUIRE(xr == yr);
		if (xr == 0) {
			REQUIRE(x.offset == y.offset);
			REQUIRE(a.seg == b.seg);
		}
	} while (xr == 0);
	REQUIRE(xr == 1 && a.done == b.done);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_file f;

	if (!fuzz_open(&f, data, size))
		return 0;
	(void)parse(&f, QT_MSG_MAILDROP);
	if (parse(&f, QT_MSG_QUEUE) == 0 && honest_size(&f))
		shown_and_skipped(&f);
	fuzz_close(&f);
	return 0;
}
