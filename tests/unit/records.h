/*
 * records.h - queue files for the format layer's tests, written as record
 * lists, and windows onto them that are as small as the contract allows.
 */
#ifndef QTOOL_TEST_RECORDS_H
#define QTOOL_TEST_RECORDS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qtool/record.h"

/*
 * One entry: a type letter and the payload.  Special ones:
 *   "C="    a C record with the right six numbers
 *   "p@7"   a pointer record of the normal width to entry 7
 *   "!..."  bytes as they are
 */
struct lit {
	const char *s;
	size_t len;
};
#define L(text)                                                                \
	{                                                                      \
		text, sizeof text - 1                                          \
	}
#define QFILE_MAX 48

struct qfile {
	unsigned char bytes[16384];
	size_t len;
	size_t at[QFILE_MAX]; /* offset of each entry */
	size_t n;
};

static inline void qfile_put(
    struct qfile *f, char type, const char *s, size_t len)
{
	size_t rest = len;

	f->bytes[f->len++] = (unsigned char)type;
	do {
		f->bytes[f->len++] =
		    (unsigned char)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
		rest >>= 7;
	} while (rest != 0);
	memcpy(f->bytes + f->len, s, len);
	f->len += len;
}

/* Lay the entries out; offsets in C and p records come from sizes[]. */
static inline void qfile_lay(
    struct qfile *f, const struct lit *e, const long *sizes)
{
	char text[128];
	size_t i;

	f->len = 0;
	for (i = 0; i < QFILE_MAX && e[i].s != NULL; i++) {
		f->at[i] = f->len;
		if (e[i].s[0] == '!') {
			memcpy(f->bytes + f->len, e[i].s + 1, e[i].len - 1);
			f->len += e[i].len - 1;
		} else if (strcmp(e[i].s, "C=") == 0) {
			(void)snprintf(text, sizeof text,
			    "%15ld %15ld %15ld %15ld %15ld %15ld", sizes[0],
			    sizes[1], sizes[2], 0L, sizes[0], 0L);
			qfile_put(f, 'C', text, strlen(text));
		} else if (strncmp(e[i].s, "p@", 2) == 0) {
			(void)snprintf(text, sizeof text, "%15ld",
			    (long)f->at[atoi(e[i].s + 2)]);
			qfile_put(f, 'p', text, strlen(text));
		} else {
			qfile_put(f, e[i].s[0], e[i].s + 1, e[i].len - 1);
		}
	}
	f->n = i;
}

static inline void qfile_build(struct qfile *f, const struct lit *e)
{
	long sizes[3] = {0, 0, 0};
	size_t i;

	memset(f, 0, sizeof *f);
	qfile_lay(f, e, sizes);
	for (i = 0; i < f->n; i++) {
		if (e[i].s[0] == 'M' && sizes[1] == 0)
			sizes[1] = (long)(i + 1 < f->n ? f->at[i + 1] : f->len);
		if (e[i].s[0] == 'X' && sizes[0] == 0)
			sizes[0] = (long)f->at[i] - sizes[1];
		if (e[i].s[0] == 'R')
			sizes[2]++;
	}
	if (sizes[1] == 0) /* no content in it: somewhere behind the end */
		sizes[0] = 1, sizes[1] = (long)f->len + 1000;
	qfile_lay(f, e, sizes);
}

/*
 * An input that shows need + extra bytes at a time, from up to before bytes
 * earlier on.  Every window is an allocation of exactly its size, and the one
 * before is freed: a byte too many, or an old pointer, is found by ASan.
 */
struct slit {
	struct qt_input in;
	const unsigned char *bytes;
	size_t len;
	size_t extra, before;
	unsigned char *window;
	unsigned moves;
};

static inline int slit_more(
    struct qt_input *in, uint64_t offset, size_t need, struct qt_error *err)
{
	struct slit *s = in->ctx;
	size_t from, to;

	(void)err;
	if (offset > s->len)
		offset = s->len;
	from = (size_t)offset < s->before ? 0 : (size_t)offset - s->before;
	to = (size_t)offset + need + s->extra;
	if (to > s->len || to < offset)
		to = s->len;
	free(s->window);
	s->window = malloc(to != from ? to - from : 1);
	if (s->window == NULL)
		abort();
	memcpy(s->window, s->bytes + from, to - from);
	in->data = s->window;
	in->start = from;
	in->len = to - from;
	s->moves++;
	return 0;
}

static inline void slit_init(
    struct slit *s, const void *bytes, size_t len, size_t extra, size_t before)
{
	*s = (struct slit){
	    .bytes = bytes, .len = len, .extra = extra, .before = before};
	s->in = (struct qt_input){.size = len, .more = slit_more, .ctx = s};
}

static inline void slit_release(struct slit *s)
{
	free(s->window);
	s->window = NULL;
}

#endif
