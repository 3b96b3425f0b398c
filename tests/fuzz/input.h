/*
 * input.h - what the fuzz targets of the format layer share: the input's
 * first bytes say how the rest, a queue file, is looked at.
 */
#ifndef QTOOL_FUZZ_INPUT_H
#define QTOOL_FUZZ_INPUT_H

#include "fuzz/require.h"
#include "qtool/record.h"
#include "unit/records.h"

struct fuzz_file {
	unsigned char *bytes; /* owned */
	size_t len;
	size_t extra, before; /* of the windows */
	unsigned choice;      /* bits for the target */
};

#define FUZZ_C_LEN 97u /* of a C record with six numbers */

/*
 * Random bytes hardly ever make a C record that leads to an X record, so one
 * may be put in front: with the offsets of the first M and X found.
 */
static inline void fuzz_add_size(struct fuzz_file *f)
{
	struct qt_cursor c;
	struct qt_input in;
	struct qt_record rec;
	uint64_t data = 0, end = 0;
	char text[FUZZ_C_LEN];

	qt_input_bytes(&in, f->bytes + FUZZ_C_LEN, f->len - FUZZ_C_LEN);
	qt_cursor_init(&c, &in, QT_CURSOR_RAW);
	while (qt_cursor_next(&c, &rec, NULL) == 0) {
		if (rec.type == QT_REC_MESG && data == 0)
			data = c.pos + FUZZ_C_LEN;
		if (rec.type == QT_REC_XTRA && data != 0 && end == 0)
			end = rec.offset + FUZZ_C_LEN;
	}
	(void)snprintf(text, sizeof text, "%15ld %15ld %15d %15d %15d %15d",
	    (long)(end - data), (long)data, 1, 0, 1, 0);
	f->bytes[0] = 'C';
	f->bytes[1] = FUZZ_C_LEN - 2;
	memcpy(f->bytes + 2, text, FUZZ_C_LEN - 2);
}

/* False when the input is too short, or longer than is of use. */
static inline bool fuzz_open(
    struct fuzz_file *f, const uint8_t *data, size_t size)
{
	bool add;

	if (size < 2 || size > FUZZ_MAX)
		return false;
	add = (data[0] & 0x80) != 0;
	*f = (struct fuzz_file){.extra = data[0] & 0x1f,
	    .before = data[1] & 0x1f,
	    .choice = data[1] >> 5,
	    .len = size - 2 + (add ? FUZZ_C_LEN : 0)};
	f->bytes = malloc(f->len != 0 ? f->len : 1);
	if (f->bytes == NULL)
		return false;
	memcpy(f->bytes + (f->len - (size - 2)), data + 2, size - 2);
	if (add)
		fuzz_add_size(f);
	return true;
}

static inline void fuzz_close(struct fuzz_file *f)
{
	free(f->bytes);
}

/* Both reads of the same thing came to the same end. */
static inline void fuzz_same_end(
    int rc, const struct qt_error *err, int rc2, const struct qt_error *err2)
{
	REQUIRE(rc == rc2);
	if (rc >= 0)
		return;
	REQUIRE(err->code == QT_E_CORRUPT);
	REQUIRE(err->code == err2->code && err->offset == err2->offset);
	REQUIRE(strcmp(err->text, err2->text) == 0);
	REQUIRE(err->text[0] != '\0');
}

#endif
