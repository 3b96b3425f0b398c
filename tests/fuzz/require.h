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

#endif
