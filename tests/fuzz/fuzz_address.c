/*
 * fuzz_address.c - an address as printed is printable, and can be read back
 * where nothing had to be masked.
 */
#include "fuzz/input.h"
#include "qtool/escape.h"
#include "qtool/message.h"

/* Take the quotes off again (unquote_822_local, for what we wrote). */
static void unquote(struct qt_buf *out, const char *s)
{
	const char *p = s, *colon;
	bool quoted = false;

	if (s[0] == '@' && (colon = strchr(s, ':')) != NULL) {
		qt_buf_add(out, s, (size_t)(colon + 1 - s));
		p = colon + 1;
	}
	if (*p != '"') {
		qt_buf_adds(out, p);
		return;
	}
	for (quoted = true, p++; quoted; p++) {
		if (*p == '\\') {
			p++;
		} else if (*p == '"') {
			quoted = false;
			continue;
		}
		REQUIRE(*p != '\0');
		qt_buf_addc(out, *p);
	}
	qt_buf_adds(out, p);
}

static void check_printable(const struct qt_buf *b, bool utf8)
{
	size_t i;

	for (i = 0; i < b->len; i++) {
		unsigned char c = (unsigned char)b->data[i];

		REQUIRE(c >= ' ' && c != 127 && (utf8 || c < 127));
	}
	REQUIRE(qt_utf8_valid(b->data, b->len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char address[FUZZ_MAX + 1];
	struct qt_buf printed, back;
	bool clean = true, utf8;
	size_t i, len;

	if (size < 1 || size > FUZZ_MAX)
		return 0;
	utf8 = (data[0] & 1) != 0;
	memcpy(address, data + 1, size - 1);
	address[size - 1] = '\0';
	len = strlen(address);
	for (i = 0; i < len; i++)
		clean = clean && address[i] >= ' ' && address[i] < 127;
	qt_buf_init(&printed, 0);
	qt_buf_init(&back, 0);
	qt_address_print(&printed, address, utf8);
	REQUIRE(!printed.failed && printed.len >= len);
	REQUIRE(printed.len <= 2 * len + 2);
	check_printable(&printed, utf8);
	if (clean) {
		unquote(&back, printed.data);
		REQUIRE(strcmp(qt_buf_str(&back), address) == 0);
	}
	qt_buf_release(&printed);
	qt_buf_release(&back);
	return 0;
}
