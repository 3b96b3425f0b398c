/*
 * word.h - eight bytes of text at a time, for the loops that look at every
 * byte of a queue: most of it is plain ASCII.
 */
#ifndef QTOOL_BASE_WORD_H
#define QTOOL_BASE_WORD_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define QT_WORD_SIZE 8
#define QT_WORD_EACH(byte) (0x0101010101010101u * (uint64_t)(byte))

static inline uint64_t qt_word_load(const char *s)
{
	uint64_t w;

	memcpy(&w, s, sizeof w);
	return w;
}

/* Whether any byte of w is zero. */
static inline bool qt_word_zero(uint64_t w)
{
	return ((w - QT_WORD_EACH(1)) & ~w & QT_WORD_EACH(0x80)) != 0;
}

static inline bool qt_word_has(uint64_t w, unsigned char byte)
{
	return qt_word_zero(w ^ QT_WORD_EACH(byte));
}

/* Where in memory order the first such byte of w is; QT_WORD_SIZE: none is. */
static inline unsigned qt_word_find(uint64_t w, unsigned char byte)
{
	uint64_t x = le64toh(w) ^ QT_WORD_EACH(byte);
	uint64_t zero = (x - QT_WORD_EACH(1)) & ~x & QT_WORD_EACH(0x80);

	return zero != 0 ? (unsigned)__builtin_ctzll(zero) / 8 : QT_WORD_SIZE;
}

/* Whether all bytes of w are printable ASCII, 0x20 to 0x7e. */
static inline bool qt_word_printable(uint64_t w)
{
	uint64_t below = (w - QT_WORD_EACH(' ')) & ~w; /* a byte < 0x20 */
	uint64_t del = w + QT_WORD_EACH(1);	       /* 0x7f becomes 0x80 */

	return ((w | below | del) & QT_WORD_EACH(0x80)) == 0;
}

#endif
