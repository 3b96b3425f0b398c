/*
 * fuzz_timestamp.c - an authority's answer from a stranger: what is told of it is
 * text that can be shown, and no answer to other bytes is one to these.
 */
#include "fuzz/input.h"
#include "qtool/timestamp.h"

static bool plain(const char *s, size_t size)
{
	const char *end = memchr(s, 0, size);

	for (; end != NULL && s < end; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			return false;
	return end != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* what the seed was made of, and not */
	static const unsigned char sums[2][32] = {
	    "qtool: 32 bytes to be stamped..", "qtool: 32 bytes of another file"};
	struct qt_timestamp_opts opts = {.answer = data, .answer_len = size,
	    .sum = sums[0]};
	struct qt_timestamp t;
	struct qt_error err;
	char why[256] = "";

	if (size > FUZZ_MAX)
		return 0;
	if (qt_timestamp_check(&t, &opts, why, &err) == 0) {
		REQUIRE(plain(t.time, sizeof t.time));
		REQUIRE(plain(t.serial, sizeof t.serial));
		REQUIRE(plain(t.authority, sizeof t.authority));
		REQUIRE(!t.believed);
		opts.sum = sums[1];
		REQUIRE(qt_timestamp_check(&t, &opts, why, &err) == 1);
	} else {
		REQUIRE(plain(why, sizeof why) && why[0] != '\0');
	}
	return 0;
}
