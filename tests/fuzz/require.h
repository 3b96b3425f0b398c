/*
 * require.h - what every fuzz target has: its function, and what has to be so.
 */
#ifndef QTOOL_FUZZ_REQUIRE_H
#define QTOOL_FUZZ_REQUIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FUZZ_MAX 4096u /* bytes of input that a target looks at, as a rule */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) require((cond), #cond, __FILE__, __LINE__)
static inline void require(
    bool ok, const char *what, const char *file, int line)
{
	if (ok)
		return;
	(void)fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

/* The input as a file without a name; the caller closes it. */
static inline int fuzz_memory_file(const uint8_t *data, size_t size)
{
	const int fd = memfd_create("fuzz", MFD_CLOEXEC);

	REQUIRE(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	return fd;
}

#endif
