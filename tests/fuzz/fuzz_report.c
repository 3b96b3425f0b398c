/*
 * fuzz_report.c - what hostile mail can say: the address in a From field, a
 * delivery report, encoded words.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/decode.h"
#include "query/derive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "fuzz_report: not so: %s\n", what);
	abort();
}

static void fuzz_address(const char *s, size_t len)
{
	struct qt_arena a;
	const char *address;

	qt_arena_init(&a, 0);
	address = addr_spec(&a, s, len);
	if (address != NULL)
		require(*address != '\0' && strlen(address) <= len,
		    "part of the value");
	qt_arena_release(&a);
}

/* In pieces of any size a report says the same. */
static void fuzz_pieces(const char *s, size_t len, size_t piece)
{
	struct report whole = {0}, parts = {0};
	const char *nl, *p;
	size_t n, left;

	for (; len > 0; s += n + 1, len -= n + 1) {
		nl = memchr(s, '\n', len);
		n = nl != NULL ? (size_t)(nl - s) : len;
		report_add(&whole, s, n, true);
		for (p = s, left = n; left > piece; p += piece, left -= piece)
			report_add(&parts, p, piece, false);
		report_add(&parts, p, left, true);
		if (nl == NULL)
			break;
	}
	require(strcmp(whole.queue_id, parts.queue_id) == 0 &&
	    strcmp(whole.sender, parts.sender) == 0 &&
	    whole.done == parts.done, "the same in pieces");
}

static void fuzz_words(const char *s, size_t len)
{
	struct qt_buf b;

	qt_buf_init(&b, 0);
	decode_words(&b, s, len);
	qt_buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	const char *s = (const char *)data + 1;

	if (!ready)
		decode_init();
	ready = true;
	if (size < 2)
		return 0;
	fuzz_address(s, size - 1);
	fuzz_pieces(s, size - 1, (size_t)data[0] % 40 + 1);
	fuzz_words(s, size - 1);
	return 0;
}
