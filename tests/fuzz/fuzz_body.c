/*
 * fuzz_body.c - a hostile body: parts in parts, transfer encodings, charsets.
 *
 * The input is Content-Type, a line end, Content-Transfer-Encoding, a line end,
 * and the body.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/decode.h"
#include "qtool/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "fuzz_body: not so: %s\n", what);
	abort();
}

/* A line of the input as a field's value, a string as the parser makes them. */
static char *take_line(const char **s, size_t *len, size_t *value_len)
{
	const char *nl = memchr(*s, '\n', *len);
	size_t n = nl != NULL ? (size_t)(nl - *s) : *len, past = n + (nl != NULL);
	char *copy = malloc(n + 1);

	if (copy == NULL)
		abort();
	memcpy(copy, *s, n);
	copy[n] = '\0';
	*value_len = n;
	*s += past;
	*len -= past;
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct qt_header v[2] = {{.name = "Content-Type"},
	    {.name = "Content-Transfer-Encoding"}};
	struct qt_headers h = {.v = v, .n = 2};
	const char *s = (const char *)data;
	struct qt_buf out;
	char *type, *encoding;

	if (!ready)
		decode_init();
	ready = true;
	v[0].value = type = take_line(&s, &size, &v[0].value_len);
	v[1].value = encoding = take_line(&s, &size, &v[1].value_len);
	qt_buf_init(&out, 0);
	if (!decode_body(&out, &h, s, size))
		require(out.len == 0, "nothing is said of plain text");
	require(!out.failed && out.len <= QT_ROW_BODY_MAX + 1,
	    "not more than there may be");
	qt_buf_release(&out);
	free(type);
	free(encoding);
	return 0;
}
