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

/* Whether len more bytes and the NUL fit as it is; cap never exceeds max + 1. */
static bool has_room(const struct qt_buf *b, size_t len)
{
	return !b->failed && len < b->cap - b->len;
}

/* Make room for len more bytes and the NUL. */
static bool grow(struct qt_buf *b, size_t len)
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
	cap = b->cap != 0 ? b->cap : 64;
	while (cap < need)
		cap = cap <= b->max / 2 ? cap * 2 : b->max + 1;
	if (cap > b->max + 1)
		cap = b->max + 1;
	p = realloc(b->data, cap);
	if (p == NULL) {
		b->failed = true;
		return false;
	}
	b->data = p;
	b->cap = cap;
	return true;
}

char *qt_buf_room(struct qt_buf *b, size_t len)
{
	return has_room(b, len) || grow(b, len) ? b->data + b->len : NULL;
}

void qt_buf_wrote(struct qt_buf *b, size_t len)
{
	b->len += len;
	b->data[b->len] = '\0';
}

void qt_buf_add(struct qt_buf *b, const void *bytes, size_t len)
{
	if (!has_room(b, len) && !grow(b, len))
		return;
	if (len != 0)
		memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void qt_buf_addc(struct qt_buf *b, char c)
{
	if (!has_room(b, 1) && !grow(b, 1))
		return;
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

/* Digits at the end of buf: where they begin; printf is what would cost in a
 * row of numbers. */
static size_t digits(char buf[static 24], uint64_t v)
{
	size_t at = 24;

	do
		buf[--at] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	return at;
}

const char *qt_decimal(char buf[static 24], int64_t v, size_t *len)
{
	size_t at = digits(buf, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);

	if (v < 0)
		buf[--at] = '-';
	*len = 24 - at;
	return &buf[at];
}

void qt_buf_addi(struct qt_buf *b, int64_t v)
{
	char buf[24] = "";
	size_t len;
	const char *s = qt_decimal(buf, v, &len);

	qt_buf_add(b, s, len);
}

void qt_buf_addu(struct qt_buf *b, uint64_t v)
{
	char buf[24] = "";
	size_t at = digits(buf, v);

	qt_buf_add(b, &buf[at], sizeof buf - at);
}

/* Most of what is formatted fits as it is, and need not be measured first. */
void qt_buf_addf(struct qt_buf *b, const char *fmt, ...)
{
	size_t room = b->failed ? 0 : b->cap - b->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room != 0 ? b->data + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < room) {
		b->len += (size_t)n;
		return;
	}
	if (room != 0)
		b->data[b->len] = '\0';
	if (n < 0) {
		b->failed = true;
		return;
	}
	if (!grow(b, (size_t)n))
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

/* size bytes at a multiple of align, in the last block or a new one. */
static void *take(struct qt_arena *a, size_t size, size_t align)
{
	struct qt_arena_block *b = a->last;
	size_t at = 0, want;

	if (b != NULL)
		at = (b->used + align - 1) & ~(align - 1);
	if (b == NULL || at > b->size || b->size - at < size) {
		want = size > BLOCK_SIZE ? size : BLOCK_SIZE;
		if (want > a->max - (a->total < a->max ? a->total : a->max))
			return NULL;
		b = malloc(sizeof *b + want);
		if (b == NULL)
			return NULL;
		b->next = NULL;
		b->size = want;
		if (a->last != NULL)
			a->last->next = b;
		else
			a->first = b;
		a->last = b;
		a->total += want;
		at = 0;
	}
	b->used = at + size;
	return b->bytes + at;
}

void *qt_arena_alloc(struct qt_arena *a, size_t size)
{
	return take(a, size, alignof(max_align_t));
}

char *qt_arena_dup(struct qt_arena *a, const void *bytes, size_t len)
{
	/* strings side by side: a row has many short ones */
	char *p = len < SIZE_MAX ? take(a, len + 1, 1) : NULL;

	if (p == NULL)
		return NULL;
	if (len != 0)
		memcpy(p, bytes, len);
	p[len] = '\0';
	return p;
}
