/*
 * glob.c - matching with one point to come back to: a later '*' can only do
 * better than an earlier one, so time is at most pattern times text.
 */
#include "query/glob.h"

#include <string.h>

#include "qtool/escape.h"

bool glob_is_pattern(const char *s)
{
	return strpbrk(s, "*?") != NULL;
}

static unsigned char fold(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Bytes of the character at s: '?' is not half of one. */
static size_t char_len(const char *s, size_t len)
{
	size_t n = qt_utf8_next(s, len, NULL);

	return n != 0 ? n : 1;
}

bool glob_match(const char *pattern, size_t plen, const char *s, size_t len)
{
	size_t p = 0, i = 0, star = plen, back = 0;

	while (i < len) {
		if (p < plen && pattern[p] == '*') {
			star = p++;
			back = i;
		} else if (p < plen && pattern[p] == '?') {
			p++;
			i += char_len(s + i, len - i);
		} else if (p < plen && fold(pattern[p]) == fold(s[i])) {
			p++;
			i++;
		} else if (star < plen) {
			back += char_len(s + back, len - back);
			i = back;
			p = star + 1;
		} else {
			return false;
		}
	}
	while (p < plen && pattern[p] == '*')
		p++;
	return p == plen;
}
