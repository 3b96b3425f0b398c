/*
 * fuzz_record.c - records lie inside the file, in raw order side by side; the
 * cursor says the same through any window, and ends.
 */
#include "fuzz/input.h"

static void raw_order(const struct fuzz_file *f)
{
	struct qt_cursor c;
	struct qt_input in;
	struct qt_record rec;
	struct qt_error err;
	uint64_t at = 0;
	int rc;

	qt_input_bytes(&in, f->bytes, f->len);
	qt_cursor_init(&c, &in, QT_CURSOR_RAW);
	while ((rc = qt_cursor_next(&c, &rec, &err)) == 0) {
		REQUIRE(rec.offset == at && rec.read_offset == at);
		REQUIRE(rec.payload >= at + 2 && rec.payload <= at + 6);
		at = rec.payload + rec.length;
		REQUIRE(at <= f->len);
		REQUIRE(rec.type == f->bytes[rec.offset]);
		REQUIRE(rec.data == f->bytes + rec.payload);
		REQUIRE(rec.data_len == rec.length);
		REQUIRE(((rec.flags & QT_RECORD_NUL) != 0) ==
			(memchr(rec.data, 0, rec.data_len) != NULL));
	}
	if (rc == 1)
		REQUIRE(at == f->len);
	else
		REQUIRE(err.offset == (int64_t)at);
}

/* The cursor over the whole file, and over windows, in step. */
static void any_window(const struct fuzz_file *f, unsigned flags)
{
	struct qt_cursor a, b;
	struct qt_record x, y;
	struct qt_error xe, ye;
	struct qt_input in;
	struct slit s;
	int xr, yr;

	qt_input_bytes(&in, f->bytes, f->len);
	slit_init(&s, f->bytes, f->len, f->extra, f->before);
	qt_cursor_init(&a, &in, flags);
	qt_cursor_init(&b, &s.in, flags);
	for (;;) {
		xr = qt_cursor_next(&a, &x, &xe);
		yr = qt_cursor_next(&b, &y, &ye);
		fuzz_same_end(xr, &xe, yr, &ye);
		if (xr != 0)
			break;
		REQUIRE(x.type == y.type && x.flags == y.flags);
		REQUIRE(x.offset == y.offset && x.length == y.length);
		REQUIRE(x.read_offset == y.read_offset);
		REQUIRE(x.data_len == y.data_len);
		REQUIRE(memcmp(x.data, y.data, x.data_len) == 0);
	}
	REQUIRE(a.steps <= 2 * f->len + 2);
	slit_release(&s);
}

/* What is shown beside the rest does not change the rest. */
static void shown_and_hidden(const struct fuzz_file *f)
{
	struct qt_cursor a, b;
	struct qt_record x, y;
	struct qt_error xe, ye;
	struct qt_input in;
	int xr, yr;

	qt_input_bytes(&in, f->bytes, f->len);
	qt_cursor_init(&a, &in, 0);
	qt_cursor_init(&b, &in, QT_CURSOR_POINTERS | QT_CURSOR_PADDING);
	do {
		xr = qt_cursor_next(&a, &x, &xe);
		do
			yr = qt_cursor_next(&b, &y, &ye);
		while (
		    yr == 0 && (y.type == QT_REC_PTR || y.type == QT_REC_PAD));
		fuzz_same_end(xr, &xe, yr, &ye);
		if (xr == 0)
			REQUIRE(x.offset == y.offset && x.data == y.data);
	} while (xr == 0);
	REQUIRE(a.steps == b.steps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_file f;

	if (!fuzz_open(&f, data, size))
		return 0;
	raw_order(&f);
	any_window(&f, f.choice); /* the three flags, as they come */
	shown_and_hidden(&f);
	fuzz_close(&f);
	return 0;
}
