/*
 * fuzz_journal.c - whatever the bytes, a log says one state or is damaged; what
 * it says does not change when its torn end is cut off; more bytes never take
 * back a record that was valid.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change/field.h"
#include "change/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "fuzz_journal: not so: %s\n", what);
	abort();
}

static void try_bytes(const char *s, size_t len)
{
	struct qt_error err = {0};
	struct qt_journal j, k;

	qt_journal_init(&j);
	if (qt_journal_parse(&j, s, len, "fuzz", &err) != 0) {
		require(err.code == QT_E_STATE, "damaged, and nothing else");
		return;
	}
	require(j.good <= len && j.torn == (j.good != len), "the good part");
	require(j.last.n == 0 || j.last.state < QT_TX_DAMAGED, "a state");
	require((j.last.n == 0) == (j.good == 0), "a record for the good part");
	require(j.commit.n <= j.last.n, "the commit is not after the last");
	qt_journal_init(&k);
	require(qt_journal_parse(&k, s, j.good, "fuzz", &err) == 0,
	    "the good part is good");
	require(!k.torn && k.last.n == j.last.n && k.last.state == j.last.state &&
	    k.redone == j.redone, "cutting a torn end changes nothing");
	require(j.redone == 0 || j.last.n >= 2 + 3 * (uint64_t)j.redone,
	    "what was redone was committed and undone before");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data, *lf;
	size_t part, from, len = size;
	struct qt_buf b;

	try_bytes(s, size);
	/* the same with each line sealed: random bytes have no right checksum */
	qt_buf_init(&b, 1 << 20);
	for (; len > 0; len -= part, s += part) {
		lf = memchr(s, '\n', len);
		part = lf != NULL ? (size_t)(lf + 1 - s) : len;
		from = b.len;
		qt_buf_add(&b, s, part - (lf != NULL));
		qt_field_seal(&b, from);
	}
	if (!b.failed && b.len > 0) {
		try_bytes(b.data, b.len);
		try_bytes(b.data, b.len / 2);
	}
	qt_buf_release(&b);
	return 0;
}
