/*
 * address.c - an address as Postfix shows it.
 *
 * Queue files have addresses raw; showq and the logs have them quoted per
 * RFC 822 and made printable, in this order.
 *
 * Source: Postfix src/global/quote_822_local.c, src/util/printable.c.
 */
#include <string.h>

#include "base/word.h"
#include "format/printable.h"
#include "qtool/escape.h"
#include "qtool/message.h"

void qt_printable(char *s, size_t len, bool utf8)
{
	size_t i, n;

	for (i = 0; i < len; i += n) {
		unsigned char c = (unsigned char)s[i];

		n = QT_WORD_SIZE;
		if (len - i >= n && qt_word_printable(qt_word_load(s + i)))
			continue;
		n = 1;
		if (c >= ' ' && c < 127)
			continue;
		if (c > 127 && utf8) {
			n = qt_utf8_next(s + i, len - i, NULL);
			if (n != 0)
				continue;
		}
		s[i] = '?';
		n = 1;
	}
}

/* What no atom has. */
static const bool special[256] = {
    [0 ... ' '] = true, ['('] = true, [')'] = true, ['<'] = true, ['>'] = true,
    ['@'] = true, [','] = true, [';'] = true, [':'] = true, ['\\'] = true,
    ['"'] = true, ['['] = true, [']'] = true, [127] = true};

/* RFC 822 dot-string, 8-bit clean: atoms with single dots between them. */
static bool is_dot_string(const char *s, size_t len)
{
	size_t i;

	if (len == 0 || s[0] == '.' || s[len - 1] == '.')
		return false;
	for (i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (special[c])
			return false;
		/* not the last byte, see above */
		if (c == '.' && s[i + 1] == '.')
			return false;
	}
	return true;
}

static void add_quoted(struct qt_buf *out, const char *s, size_t len)
{
	size_t i;

	qt_buf_addc(out, '"');
	for (i = 0; i < len; i++) {
		if (s[i] == '"' || s[i] == '\\' || s[i] == '\r')
			qt_buf_addc(out, '\\');
		qt_buf_addc(out, s[i]);
	}
	qt_buf_addc(out, '"');
}

void qt_address_print(struct qt_buf *out, const char *address, bool utf8)
{
	size_t len = strlen(address), before = out->len;
	const char *local = address, *colon, *domain;

	/* a source route is kept as it is */
	if (address[0] == '@' && (colon = strchr(address, ':')) != NULL)
		local = colon + 1;
	domain = strrchr(local, '@');
	if (domain == NULL)
		domain = address + len;
	if (is_dot_string(local, (size_t)(domain - local))) {
		qt_buf_add(out, address, len);
	} else {
		qt_buf_add(out, address, (size_t)(local - address));
		add_quoted(out, local, (size_t)(domain - local));
		qt_buf_adds(out, domain);
	}
	if (!out->failed)
		qt_printable(out->data + before, out->len - before, utf8);
}
