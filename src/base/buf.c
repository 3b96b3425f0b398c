/*
 * buf.c - growing buffers and arenas.
 */
#include "qtool/buf.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void qt_buf_init(struct qt_buf *b, size_t max)
{
	*b = (struct qt_buf){.max = max != 0 ? max : QT_BUF_DEFAULT_MAX};
	/* so that max and the NUL never overflow */
	if (b->max > PTRDIFF_MAX - 1)
		b->max = PTRDIFF_MAX - 1;
}

void qt_buf_release(struct qt_buf *b)
{
	if (b == NULL)
		return;
	free(b->data);
	qt_buf_init(b, b->max);
}

void qt_buf_clear(struct qt_buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

/* Room for len more bytes and the NUL. */
static bool reserve(struct qt_buf *b, size_t len)
{
	size_t need, cap;
	char *p;

	if (b->failed)
		return false;
	if (len > b->max || b->len > b->max - len) {
		b->failed = true;
		return false;
	}
	need = b->len + len + 1;
	if (need <= b->cap)
		return true;
	cap = b->cap != 0 ? b->cap : 64;
	while (cap < need)
		cap = cap <= b->max / 2 ? cap * 2 : b->max + 1;
	p = realloc(b->data, cap);
	if (p == NULL) {
		b->failed = true;
		return false;
	}
	b->data = p;
	b->cap = cap;
	return true;
}

void qt_buf_add(struct qt_buf *b, const void *bytes, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len != 0)
		memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void qt_buf_adds(struct qt_buf *b, const char *s)
{
	qt_buf_add(b, s, strlen(s));
}

void qt_buf_addc(struct qt_buf *b, char c)
{
	qt_buf_add(b, &c, 1);
}

void qt_buf_addf(struct qt_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if (!reserve(b, (size_t)n))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

int qt_buf_check(const struct qt_buf *b, struct qt_error *err)
{
	if (!b->failed)
		return 0;
	return qt_fail(err, QT_E_NOMEM, "",
	    "out of memory, or more than %zu bytes in one value", b->max);
}

const char *qt_buf_str(const struct qt_buf *b)
{
	return b->data != NULL ? b->data : "";
}

/* ---- arena ---- */

#define BLOCK_SIZE ((size_t)8 << 10)

struct qt_arena_block {
	struct qt_arena_block *next;
	size_t used, size; /* of bytes[] */
	alignas(max_align_t) unsigned char bytes[];
};

void qt_arena_init(struct qt_arena *a, size_t max)
{
	*a = (struct qt_arena){.max = max != 0 ? max : (size_t)256 << 20};
}

void qt_arena_release(struct qt_arena *a)
{
	struct qt_arena_block *b, *next;

	if (a == NULL)
		return;
	for (b = a->first; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	a->first = a->last = NULL;
	a->total = 0;
}

void qt_arena_reset(struct qt_arena *a)
{
	struct qt_arena_block *b, *next;

	if (a->first == NULL)
		return;
	for (b = a->first->next; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	a->first->next = NULL;
	a->first->used = 0;
	a->last = a->first;
	a->total = a->first->size;
	/* an unusually large first block is not kept in the pool */
	if (a->first->size > BLOCK_SIZE)
		qt_arena_release(a);
}

void *qt_arena_alloc(struct qt_arena *a, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct qt_arena_block *b = a->last;
	size_t want;
	void *p;

	if (size > a->max)
		return NULL;
	size = (size + align - 1) & ~(align - 1);
	if (b == NULL || b->size - b->used < size) {
		want = size > BLOCK_SIZE ? size : BLOCK_SIZE;
		if (want > a->max - (a->total < a->max ? a->total : a->max))
			return NULL;
		b = malloc(sizeof *b + want);
		if (b == NULL)
			return NULL;
		b->next = NULL;
		b->used = 0;
		b->size = want;
		if (a->last != NULL)
			a->last->next = b;
		else
			a->first = b;
		a->last = b;
		a->total += want;
	}
	p = b->bytes + b->used;
	b->used += size;
	return p;
}

char *qt_arena_dup(struct qt_arena *a, const void *bytes, size_t len)
{
	char *p = len < SIZE_MAX ? qt_arena_alloc(a, len + 1) : NULL;

	if (p == NULL)
		return NULL;
	if (len != 0)
		memcpy(p, bytes, len);
	p[len] = '\0';
	return p;
}
