/*
 * record.h - the records of a Postfix queue file, as bytes.
 *
 * Source: Postfix src/global/record.c, record.h, rec_type.h.  No system calls:
 * where bytes outside the window are needed, the caller's more() brings them.
 */
#ifndef QTOOL_RECORD_H
#define QTOOL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "qtool/error.h"

/*
 * The bytes of one file, as a window that may cover all of it.
 * more(): move the window so that it starts at or before offset and reaches
 * offset + need or the end of file; 0 done, negative failure.  Old data
 * pointers are invalid after it.  NULL: the window is the whole file.
 */
struct qt_input {
	const unsigned char *data; /* window; borrowed */
	size_t len;		   /* bytes in the window */
	uint64_t start;		   /* file offset of data[0] */
	uint64_t size;		   /* bytes in the file */
	int (*more)(struct qt_input *in, uint64_t offset, size_t need,
	    struct qt_error *err);
	void *ctx; /* for more() */
};

/* The whole file is in memory. */
void qt_input_bytes(struct qt_input *in, const void *data, size_t len);

/* Postfix's record types (rec_type.h); the byte is the letter. */
enum qt_rec_type {
	QT_REC_SIZE = 'C', QT_REC_TIME = 'T', QT_REC_CTIME = 'c',
	QT_REC_FULL = 'F', QT_REC_INSP = 'I', QT_REC_FILT = 'L',
	QT_REC_FROM = 'S', QT_REC_DONE = 'D', QT_REC_RCPT = 'R',
	QT_REC_ORCP = 'O', QT_REC_DRCP = '/', QT_REC_WARN = 'W',
	QT_REC_ATTR = 'A', QT_REC_KILL = 'K', QT_REC_RDR = '>',
	QT_REC_MESG = 'M', QT_REC_CONT = 'L', QT_REC_NORM = 'N',
	QT_REC_PAD = 'w', QT_REC_XTRA = 'X', QT_REC_RRTO = 'r',
	QT_REC_ERTO = 'e', QT_REC_PRIO = 'P', QT_REC_PTR = 'p',
	QT_REC_VERP = 'V', QT_REC_DSN_RET = '<', QT_REC_DSN_ENVID = 'i',
	QT_REC_DSN_ORCPT = 'o', QT_REC_DSN_NOTIFY = 'n', QT_REC_END = 'E'
};

#define QT_RECORD_DATA_MAX ((size_t)64 << 10) /* longest data[] handed out */
#define QT_RECORD_JUMPS_MAX 10000u	     /* backward jumps, as Postfix */

enum { /* struct qt_record.flags: odd, worth telling, not fatal */
	QT_RECORD_LEN5 = 1 << 0, /* 5 length bytes: corrupt for new Postfix */
	QT_RECORD_NUL = 1 << 1,	 /* NUL in data: Postfix uses what is before */
	QT_RECORD_CUT = 1 << 2	 /* data is shorter than length (cap) */
};

struct qt_record {
	uint64_t offset;      /* of the type byte */
	uint64_t read_offset; /* where reading of it began: that of a pointer
			       * that was followed on the way (postcat -o) */
	uint64_t payload;     /* offset of the payload */
	uint64_t length;      /* payload bytes in the file */
	const unsigned char *data; /* payload; valid until the next call */
	size_t data_len;	   /* min(length, QT_RECORD_DATA_MAX) */
	unsigned char type;
	uint8_t flags;
};

enum { /* qt_cursor_init flags */
	QT_CURSOR_POINTERS = 1 << 0, /* hand out p records, then follow them */
	QT_CURSOR_PADDING = 1 << 1,  /* hand out w records */
	QT_CURSOR_RAW = 1 << 2	     /* physical order: follow nothing, and go
				      * on after E */
};

struct qt_cursor {
	struct qt_input *in;
	uint64_t pos;	      /* where the next record starts */
	uint64_t last_target; /* of the previous jump */
	unsigned back_jumps;  /* jumps to at or before last_target */
	uint64_t steps;	      /* records read; bounded by a multiple of size */
	uint64_t bytes;	      /* bytes of them; bounded likewise */
	uint64_t pointer;     /* the p record just handed out, still to be
			       * followed: its offset; UINT64_MAX none */
	unsigned flags;
};

void qt_cursor_init(struct qt_cursor *c, struct qt_input *in, unsigned flags);
/* Continue at an absolute offset (the content skip). */
void qt_cursor_seek(struct qt_cursor *c, uint64_t offset);
/*
 * The next record in logical order.  0: *rec is filled; 1: clean end of file
 * where a type byte was expected; negative: QT_E_CORRUPT with the offset, or
 * more()'s failure.
 */
int qt_cursor_next(struct qt_cursor *c, struct qt_record *rec,
    struct qt_error *err) QT_MUST_CHECK;

/* postcat's name of a record type in a segment ("sender"), NULL: unknown. */
const char *qt_record_label(unsigned char type, bool in_content);

#endif
