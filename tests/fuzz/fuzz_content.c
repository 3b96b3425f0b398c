/*
 * fuzz_content.c - text and header fields are the same through any window;
 * a lower limit gives a part of the same fields; the body begins where the
 * header said.
 */
#include "fuzz/input.h"
#include "qtool/message.h"

/* The text with LF for line ends; the return value of the last call. */
static int read_text(struct qt_buf *text, struct qt_input *in, uint64_t start,
    struct qt_error *err)
{
	struct qt_content c;
	struct qt_piece piece;
	size_t total = 0;
	int rc;

	qt_content_init(&c, in, start);
	while ((rc = qt_content_next(&c, &piece, err)) == 0) {
		REQUIRE(piece.len != 0 || piece.eol);
		REQUIRE(piece.len <= QT_RECORD_DATA_MAX);
		qt_buf_add(text, piece.data, piece.len);
		if (piece.eol)
			qt_buf_addc(text, '\n');
		total += piece.len;
		REQUIRE(c.open_line == !piece.eol && c.total == total);
	}
	REQUIRE(!text->failed);
	REQUIRE(total <= 5 * in->size);
	return rc;
}

static void check_fields(const struct qt_headers *h)
{
	size_t i, j;

	for (i = 0; i < h->n; i++) {
		const struct qt_header *v = &h->v[i];

		REQUIRE(v->name[0] != '\0');
		for (j = 0; v->name[j] != '\0'; j++)
			REQUIRE(v->name[j] > ' ' && v->name[j] < 127 &&
				v->name[j] != ':');
		REQUIRE(v->value[v->value_len] == '\0');
		REQUIRE(v->value_len == 0 ||
			(v->value[0] != ' ' && v->value[0] != '\t'));
		REQUIRE(qt_headers_find(h, v->name) != NULL);
	}
}

static bool same_field(const struct qt_header *a, const struct qt_header *b)
{
	return strcmp(a->name, b->name) == 0 && a->value_len == b->value_len &&
	       memcmp(a->value, b->value, a->value_len) == 0;
}

/* Fields of a are those of b; the last one may be cut. */
static void check_part(const struct qt_headers *a, const struct qt_headers *b)
{
	size_t i;

	REQUIRE(a->n <= b->n);
	for (i = 0; i + 1 < a->n; i++)
		REQUIRE(same_field(&a->v[i], &b->v[i]));
	if (a->n == 0)
		return;
	REQUIRE(strcmp(a->v[i].name, b->v[i].name) == 0);
	REQUIRE(a->v[i].value_len <= b->v[i].value_len);
	REQUIRE(memcmp(a->v[i].value, b->v[i].value, a->v[i].value_len) == 0);
	if (!a->truncated)
		REQUIRE(a->n == b->n && a->body == b->body &&
			same_field(&a->v[i], &b->v[i]));
}

/* text: the whole content, NULL when it does not end as content should. */
static void headers(
    const struct fuzz_file *f, struct qt_input *in, const struct qt_buf *text)
{
	const size_t limit = f->choice * 16u + f->before;
	struct qt_headers all, some;
	struct qt_content c;
	struct qt_arena arena;
	struct qt_error ae, se;
	struct qt_buf body;
	struct slit s;
	int ar, sr;

	qt_arena_init(&arena, 0);
	qt_content_init(&c, in, 0);
	ar = qt_headers_read(&all, &c, 100000, &arena, &ae);
	check_fields(&all);
	REQUIRE(!all.truncated);
	slit_init(&s, f->bytes, f->len, f->extra, f->before);
	qt_content_init(&c, &s.in, 0);
	sr = qt_headers_read(&some, &c, limit, &arena, &se);
	check_fields(&some);
	check_part(&some, &all);
	if (!some.truncated)
		fuzz_same_end(ar, &ae, sr, &se);
	slit_release(&s);
	/* where pointers make the text go round, it ends after so many jumps */
	if (ar == 0 && all.body != 0 && text != NULL) {
		qt_buf_init(&body, 0);
		REQUIRE(read_text(&body, in, all.body, &ae) == 1);
		REQUIRE(body.len <= text->len);
		REQUIRE(body.len == 0 ||
			memcmp(text->data + (text->len - body.len), body.data,
			    body.len) == 0);
		qt_buf_release(&body);
	}
	qt_arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_file f;
	struct qt_buf x, y;
	struct qt_error xe, ye;
	struct qt_input in;
	struct slit s;
	int xr, yr;

	if (!fuzz_open(&f, data, size))
		return 0;
	qt_buf_init(&x, 0);
	qt_buf_init(&y, 0);
	qt_input_bytes(&in, f.bytes, f.len);
	xr = read_text(&x, &in, 0, &xe);
	slit_init(&s, f.bytes, f.len, f.extra, f.before);
	yr = read_text(&y, &s.in, 0, &ye);
	slit_release(&s);
	fuzz_same_end(xr, &xe, yr, &ye);
	REQUIRE(x.len == y.len);
	REQUIRE(x.len == 0 || memcmp(x.data, y.data, x.len) == 0);
	headers(&f, &in, xr == 1 ? &x : NULL);
	qt_buf_release(&x);
	qt_buf_release(&y);
	fuzz_close(&f);
	return 0;
}
