/*
 * qfile.h - write Postfix queue files into memory, for tests and practice
 * queues.  Header-only: every tests/tools/ *.c is a program of its own.
 *
 * It knows how files are written (Postfix src/global/record.c, rec_type.h,
 * src/cleanup/), and deliberately shares no code with the reader in
 * src/format/: what is tested must not be built by itself.
 *
 *	struct qfile q;
 *	qfile_init(&q);
 *	qfile_size_record(&q, 6);
 *	qfile_recs(&q, 'T', "1700000000 123456");
 *	...
 *	qfile_message(&q);	M
 *	qfile_text(&q, "Subject: x\n\nbody\n");
 *	qfile_extracted(&q);	X
 *	qfile_end(&q);		E; the C record is patched
 */
#ifndef TESTS_QFILE_H
#define TESTS_QFILE_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "qtool/buf.h"

#define QFILE_NONE SIZE_MAX
#define QFILE_LINE_LIMIT 2048u /* line_length_limit: longest text record */
#define QFILE_FIELD_WIDTH 15   /* of a number in C and p records */

struct qfile {
	struct qt_buf b;     /* the file's bytes */
	size_t pos;	     /* where the next record goes: b.len, or inside */
	size_t size_at;	     /* offset of the C record, QFILE_NONE: none */
	int size_fields;     /* numbers in it */
	size_t data_offset;  /* first byte after M, QFILE_NONE: no M yet */
	size_t xtra_offset;  /* of X, QFILE_NONE: none yet */
	size_t new_body;     /* C field 5 when a body was replaced, else 0 */
	unsigned nrcpt;	     /* R, D and / records written */
	unsigned qmgr_flags; /* C field 4 */
	unsigned options;    /* C field 6 */
};

static inline void qfile_init(struct qfile *q)
{
	*q = (struct qfile){.size_at = QFILE_NONE,
	    .data_offset = QFILE_NONE,
	    .xtra_offset = QFILE_NONE};
	qt_buf_init(&q->b, 0);
}

static inline void qfile_release(struct qfile *q)
{
	qt_buf_release(&q->b);
}

/* Make ready for the next file, keeping the memory. */
static inline void qfile_clear(struct qfile *q)
{
	struct qt_buf keep = q->b;

	qfile_init(q);
	q->b = keep;
	qt_buf_clear(&q->b);
}

/* Bytes at the position: over what is there, then behind it. */
static inline void qfile_raw(struct qfile *q, const void *bytes, size_t len)
{
	size_t inside = q->b.len - q->pos;

	if (inside > len)
		inside = len;
	if (inside != 0)
		memcpy(q->b.data + q->pos, bytes, inside);
	qt_buf_add(&q->b, (const char *)bytes + inside, len - inside);
	q->pos += len;
}

/* Continue at an offset (edits in place), or at the end with QFILE_NONE. */
static inline void qfile_seek(struct qfile *q, size_t offset)
{
	q->pos = offset < q->b.len ? offset : q->b.len;
}

/* A record's head: type and shortest length; returns its bytes. */
static inline size_t qfile_head(
    unsigned char *head, unsigned char type, size_t len)
{
	size_t n = 0;

	head[n++] = type;
	do {
		head[n] = (unsigned char)(len & 0x7f);
		len >>= 7;
		if (len != 0)
			head[n] |= 0x80;
		n++;
	} while (len != 0);
	return n;
}

/* One record; returns its offset. */
static inline size_t qfile_rec(
    struct qfile *q, unsigned char type, const void *payload, size_t len)
{
	unsigned char head[12];
	size_t at = q->pos, n = qfile_head(head, type, len);

	qfile_raw(q, head, n);
	qfile_raw(q, payload, len);
	if (type == 'R' || type == 'D' || type == '/')
		q->nrcpt++;
	return at;
}

static inline size_t qfile_recs(
    struct qfile *q, unsigned char type, const char *payload)
{
	return qfile_rec(q, type, payload, strlen(payload));
}

static inline size_t qfile_recf(
    struct qfile *q, unsigned char type, const char *fmt, ...) QT_PRINTF(3, 4);
static inline size_t qfile_recf(
    struct qfile *q, unsigned char type, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return qfile_recs(q, type, text);
}

/* An A record "name=value"; nothing when value is NULL. */
static inline void qfile_attr(
    struct qfile *q, const char *name, const char *value)
{
	if (value != NULL)
		(void)qfile_recf(q, 'A', "%s=%s", name, value);
}

/* A pointer record of the usual 17 bytes; target 0 is a reserved one. */
static inline size_t qfile_pointer(struct qfile *q, size_t target)
{
	return qfile_recf(q, 'p', "%*zu", QFILE_FIELD_WIDTH, target);
}

/* Overwrite what is at an offset by a pointer record, as a Milter edit does. */
static inline void qfile_put_pointer(struct qfile *q, size_t at, size_t target)
{
	size_t back = q->pos;

	qfile_seek(q, at);
	(void)qfile_pointer(q, target);
	q->pos = back;
}

/* The C record, all zero as while cleanup is still writing. */
static inline size_t qfile_size_record(struct qfile *q, int fields)
{
	char text[8 * (QFILE_FIELD_WIDTH + 1) + 1];
	size_t n = 0;

	q->size_at = q->pos;
	q->size_fields = fields < 7 ? fields : 7;
	for (int i = 0; i < q->size_fields; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%*d",
		    i > 0 ? " " : "", QFILE_FIELD_WIDTH, 0);
	return qfile_rec(q, 'C', text, n);
}

static inline void qfile_message(struct qfile *q)
{
	(void)qfile_rec(q, 'M', "", 0);
	if (q->data_offset == QFILE_NONE)
		q->data_offset = q->pos;
}

/* One line of text: N, or L fragments and the rest as N when it is long. */
static inline void qfile_line(struct qfile *q, const char *line, size_t len)
{
	for (; len > QFILE_LINE_LIMIT; len -= QFILE_LINE_LIMIT) {
		(void)qfile_rec(q, 'L', line, QFILE_LINE_LIMIT);
		line += QFILE_LINE_LIMIT;
	}
	(void)qfile_rec(q, 'N', line, len);
}

/* Text of several lines, each ended by LF. */
static inline void qfile_text_n(struct qfile *q, const char *text, size_t len)
{
	const char *end = text + len, *lf;

	for (; text < end; text = lf + 1) {
		lf = memchr(text, '\n', (size_t)(end - text));
		if (lf == NULL)
			lf = end;
		qfile_line(q, text, (size_t)(lf - text));
	}
}

static inline void qfile_text(struct qfile *q, const char *text)
{
	qfile_text_n(q, text, strlen(text));
}

static inline void qfile_extracted(struct qfile *q)
{
	size_t at = qfile_rec(q, 'X', "", 0);

	if (q->xtra_offset == QFILE_NONE)
		q->xtra_offset = at;
}

/*
 * Write the C record's final numbers.  shift moves the two that say where the
 * content is, for files that lie about it.
 */
static inline void qfile_patch_size(
    struct qfile *q, long long size_shift, long long offset_shift)
{
	size_t data = q->data_offset != QFILE_NONE ? q->data_offset : 0;
	size_t size = q->xtra_offset != QFILE_NONE && q->xtra_offset > data
			  ? q->xtra_offset - data
			  : 0;
	long long v[7] = {(long long)size + size_shift,
	    (long long)data + offset_shift, q->nrcpt, q->qmgr_flags,
	    (long long)(q->new_body != 0 ? q->new_body : size), q->options, 0};
	char text[QFILE_FIELD_WIDTH + 2];
	unsigned char head[12];
	size_t at, len;

	if (q->size_at == QFILE_NONE || q->b.failed)
		return;
	len = (size_t)q->size_fields * (QFILE_FIELD_WIDTH + 1) - 1;
	at = q->size_at + qfile_head(head, 'C', len);
	for (int i = 0; i < q->size_fields; i++) {
		(void)snprintf(
		    text, sizeof text, "%*lld", QFILE_FIELD_WIDTH, v[i]);
		memcpy(q->b.data + at + (size_t)i * (QFILE_FIELD_WIDTH + 1),
		    text, QFILE_FIELD_WIDTH);
	}
}

static inline void qfile_end(struct qfile *q)
{
	(void)qfile_rec(q, 'E', "", 0);
	qfile_patch_size(q, 0, 0);
}

#endif
