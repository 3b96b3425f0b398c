/*
 * field.c - sealed lines of fields.
 */
#include "change/field.h"

#include <string.h>

/*
 * Four bits a step: a plan of 500,000 messages is checked in a fraction of the
 * time that staging one per cent of them takes.
 */
uint32_t qt_crc32c(const void *bytes, size_t len)
{
	static const uint32_t t[16] = {
	    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
	    0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	    0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
	const unsigned char *p = bytes;
	uint32_t crc = 0xffffffff;
	size_t i;

	for (i = 0; i < len; i++) {
		crc ^= p[i];
		crc = (crc >> 4) ^ t[crc & 15];
		crc = (crc >> 4) ^ t[crc & 15];
	}
	return ~crc;
}

void qt_field_seal(struct qt_buf *b, size_t from)
{
	if (!b->failed)
		qt_buf_addf(b, "\t#%08x\n",
		    qt_crc32c(b->data + from, b->len - from));
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Whether the line's last QT_FIELD_SEAL bytes are the seal of the rest. */
static bool sealed(const char *line, size_t len)
{
	uint32_t crc = 0;
	size_t i;
	int v;

	if (len < QT_FIELD_SEAL)
		return false;
	len -= QT_FIELD_SEAL;
	if (line[len] != '\t' || line[len + 1] != '#')
		return false;
	for (i = len + 2; i < len + QT_FIELD_SEAL; i++) {
		if ((v = hex_value(line[i])) < 0)
			return false;
		crc = crc << 4 | (uint32_t)v;
	}
	return crc == qt_crc32c(line, len);
}

int qt_field_split(char *line, size_t len, const char **fields, int max)
{
	int n = 0;
	char *p, *tab;

	if (!sealed(line, len))
		return -1;
	len -= QT_FIELD_SEAL;
	if (memchr(line, '\0', len) != NULL)
		return -1;
	line[len] = '\0';
	for (p = line;; p = tab + 1) {
		if (n == max)
			return -1;
		fields[n++] = p;
		if ((tab = strchr(p, '\t')) == NULL)
			return n;
		*tab = '\0';
	}
}

void qt_field_escape(struct qt_buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < 0x20 || c == 0x7f || c == '%')
			qt_buf_addf(b, "%%%02x", c);
		else
			qt_buf_addc(b, (char)c);
	}
}

bool qt_field_unescape(char *s)
{
	char *to = s;
	int hi, lo;

	for (; *s != '\0'; s++) {
		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		if ((hi = hex_value(s[1])) < 0 || (lo = hex_value(s[2])) < 0 ||
		    hi + lo == 0)
			return false;
		*to++ = (char)(hi << 4 | lo);
		s += 2;
	}
	*to = '\0';
	return true;
}

bool qt_field_u64(const char *s, uint64_t max, uint64_t *v)
{
	uint64_t n = 0;

	if (*s == '\0' || (s[0] == '0' && s[1] != '\0'))
		return false;
	for (; *s != '\0'; s++) {
		uint64_t d;

		if (*s < '0' || *s > '9')
			return false;
		d = (uint64_t)(*s - '0');
		if (d > max || n > (max - d) / 10)
			return false;
		n = n * 10 + d;
	}
	*v = n;
	return true;
}

bool qt_field_i64(const char *s, int64_t *v)
{
	bool minus = *s == '-';
	uint64_t n;

	if (!qt_field_u64(s + minus, INT64_MAX, &n) || (minus && n == 0))
		return false;
	*v = minus ? -(int64_t)n : (int64_t)n;
	return true;
}
