/*
 * bag_input.h - a tar out of a fuzz input: the members, each a line with the path
 * below the bag's name, then the bytes, up to a line "%%".
 */
#ifndef QTOOL_FUZZ_BAG_INPUT_H
#define QTOOL_FUZZ_BAG_INPUT_H

#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/require.h"

#define BAG_MAX 16384u /* scripts/fuzz knows it, too */
#define BAG_BLOCK 512u
#define BAG_SEPARATOR "\n%%\n"

static inline void bag_put(int fd, const void *bytes, size_t len)
{
	REQUIRE(write(fd, bytes, len) == (ssize_t)len);
}

static inline void bag_member(int fd, const char *path, size_t path_len,
    const void *bytes, size_t len)
{
	static const char zeros[BAG_BLOCK];
	char h[BAG_BLOCK] = "bag/";
	unsigned sum = 0;
	size_t i;

	memcpy(h + 4, path, path_len < 90 ? path_len : 90);
	(void)snprintf(h + 100, 8, "000400 ");
	(void)snprintf(h + 108, 8, "000000 ");
	(void)snprintf(h + 116, 8, "000000 ");
	(void)snprintf(h + 124, 13, "%011o ", (unsigned)len);
	(void)snprintf(h + 136, 13, "%011o ", 1700000000u);
	memset(h + 148, ' ', 8);
	h[156] = '0';
	memcpy(h + 257, "ustar\00000", 8);
	for (i = 0; i < BAG_BLOCK; i++)
		sum += (unsigned char)h[i];
	(void)snprintf(h + 148, 8, "%06o", sum);
	bag_put(fd, h, BAG_BLOCK);
	bag_put(fd, bytes, len);
	bag_put(fd, zeros, (BAG_BLOCK - len % BAG_BLOCK) % BAG_BLOCK);
}

struct bag_part {
	const char *path, *bytes;
	size_t path_len, len;
};

/* The next member of the input, from *at on; false: no more. */
static inline bool bag_next(const char **at, const char *end,
    struct bag_part *m)
{
	const char *next, *body;

	if (*at >= end)
		return false;
	next = memmem(*at, (size_t)(end - *at), BAG_SEPARATOR,
	    sizeof BAG_SEPARATOR - 1);
	if (next == NULL)
		next = end;
	body = memchr(*at, '\n', (size_t)(next - *at));
	if (body == NULL)
		body = next;
	*m = (struct bag_part){*at, body < next ? body + 1 : body,
	    (size_t)(body - *at), body < next ? (size_t)(next - body) - 1 : 0};
	*at = next < end ? next + sizeof BAG_SEPARATOR - 1 : end;
	return true;
}

static inline void bag_end(int fd)
{
	static const char zeros[2 * BAG_BLOCK];

	bag_put(fd, zeros, sizeof zeros);
}

#endif
