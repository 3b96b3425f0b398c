/*
 * buf.h - a growing byte buffer with a ceiling, and an arena for the many
 * small strings that live exactly as long as one message's row.
 */
#ifndef QTOOL_BUF_H
#define QTOOL_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "qtool/error.h"

/*
 * data is NUL-terminated after every successful append (the NUL is not
 * counted), or NULL while empty.  Appends after a failed one do nothing and
 * fail again, so a run of appends needs one check at its end (failed).
 */
struct qt_buf {
	char *data;  /* owned */
	size_t len;  /* bytes used */
	size_t cap;  /* bytes allocated */
	size_t max;  /* ceiling; an append beyond it fails */
	bool failed; /* an append failed: out of memory, or the ceiling */
};

#define QT_BUF_DEFAULT_MAX ((size_t)256 << 20)

void qt_buf_init(struct qt_buf *b, size_t max); /* max 0: the default */
void qt_buf_release(struct qt_buf *b);
void qt_buf_clear(struct qt_buf *b); /* keep the memory, drop the content */
/*
 * Room for len bytes behind the content, for a call that writes there; what it
 * wrote is added with qt_buf_wrote().  NULL when the append would fail.
 */
char *qt_buf_room(struct qt_buf *b, size_t len);
void qt_buf_wrote(struct qt_buf *b, size_t len);
void qt_buf_add(struct qt_buf *b, const void *bytes, size_t len);
/* Here, so that the length of a constant is one. */
static inline void qt_buf_adds(struct qt_buf *b, const char *s)
{
	qt_buf_add(b, s, strlen(s));
}
void qt_buf_addc(struct qt_buf *b, char c);
void qt_buf_addi(struct qt_buf *b, int64_t v); /* in decimal */
void qt_buf_addu(struct qt_buf *b, uint64_t v);
void qt_buf_addf(struct qt_buf *b, const char *fmt, ...) QT_PRINTF(2, 3);
/* 0, or -1 with QT_E_NOMEM when an append since clear has failed. */
int qt_buf_check(const struct qt_buf *b, struct qt_error *err) QT_MUST_CHECK;
/* The NUL-terminated content, never NULL; owned by the buffer. */
const char *qt_buf_str(const struct qt_buf *b);

/*
 * A number's decimal digits, at the end of buf (24 bytes will do for any); *len
 * counts them.  There is no NUL behind them.
 */
const char *qt_decimal(char buf[static 24], int64_t v, size_t *len);

/*
 * An arena: allocations are freed all at once.  reset keeps the first block,
 * so a recycled row needs no malloc.  Not thread-safe; ownership moves with
 * the row.
 */
struct qt_arena_block;
struct qt_arena {
	struct qt_arena_block *first;
	struct qt_arena_block *last;
	size_t total; /* bytes in all blocks */
	size_t max;   /* ceiling for total */
};

void qt_arena_init(struct qt_arena *a, size_t max); /* max 0: 256 MiB */
void qt_arena_release(struct qt_arena *a);
void qt_arena_reset(struct qt_arena *a);
/* Aligned for any object, not zeroed; NULL when out of memory. */
void *qt_arena_alloc(struct qt_arena *a, size_t size);
/* A NUL-terminated copy of len bytes; NULL when out of memory. */
char *qt_arena_dup(struct qt_arena *a, const void *bytes, size_t len);

#endif
