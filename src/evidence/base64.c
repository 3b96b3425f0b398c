/*
 * base64.c - bytes as text.
 */
#include "evidence/base64.h"

void qt_base64(struct qt_buf *out, const void *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = bytes;
	uint32_t v;
	size_t i, n;

	for (i = 0; i < len; i += 3) {
		n = len - i < 3 ? len - i : 3;
		v = (uint32_t)p[i] << 16;
		if (n > 1)
			v |= (uint32_t)p[i + 1] << 8;
		if (n > 2)
			v |= p[i + 2];
		qt_buf_addc(out, digits[v >> 18]);
		qt_buf_addc(out, digits[v >> 12 & 63]);
		qt_buf_addc(out, n > 1 ? digits[v >> 6 & 63] : '=');
		qt_buf_addc(out, n > 2 ? digits[v & 63] : '=');
	}
}
