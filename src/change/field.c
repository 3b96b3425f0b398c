/*
 * field.c - sealed lines of fields.
 */
#include "change/field.h"

#include <string.h>

/*
 * Four bytes a step, by what each of their eight nibbles does to the sum: a
 * plan of 500,000 messages is checked in a fraction of the time that staging one
 * per cent of them takes, and hold makes and checks four sums a message.
 */
static const uint32_t crc_of[8][16] = {
	    {0x00000000, 0xdd45aab8, 0xbf672381, 0x62228939, 0x7b2231f3,
		0xa6679b4b, 0xc4451272, 0x1900b8ca, 0xf64463e6, 0x2b01c95e,
		0x49234067, 0x9466eadf, 0x8d665215, 0x5023f8ad, 0x32017194,
		0xef44db2c},
	    {0x00000000, 0xe964b13d, 0xd725148b, 0x3e41a5b6, 0xaba65fe7,
		0x42c2eeda, 0x7c834b6c, 0x95e7fa51, 0x52a0c93f, 0xbbc47802,
		0x8585ddb4, 0x6ce16c89, 0xf90696d8, 0x106227e5, 0x2e238253,
		0xc747336e},
	    {0x00000000, 0xa541927e, 0x4f6f520d, 0xea2ec073, 0x9edea41a,
		0x3b9f3664, 0xd1b1f617, 0x74f06469, 0x38513ec5, 0x9d10acbb,
		0x773e6cc8, 0xd27ffeb6, 0xa68f9adf, 0x03ce08a1, 0xe9e0c8d2,
		0x4ca15aac},
	    {0x00000000, 0x70a27d8a, 0xe144fb14, 0x91e6869e, 0xc76580d9,
		0xb7c7fd53, 0x26217bcd, 0x56830647, 0x8b277743, 0xfb850ac9,
		0x6a638c57, 0x1ac1f1dd, 0x4c42f79a, 0x3ce08a10, 0xad060c8e,
		0xdda47104},
	    {0x00000000, 0x13a29877, 0x274530ee, 0x34e7a899, 0x4e8a61dc,
		0x5d28f9ab, 0x69cf5132, 0x7a6dc945, 0x9d14c3b8, 0x8eb65bcf,
		0xba51f356, 0xa9f36b21, 0xd39ea264, 0xc03c3a13, 0xf4db928a,
		0xe7790afd},
	    {0x00000000, 0x3fc5f181, 0x7f8be302, 0x404e1283, 0xff17c604,
		0xc0d23785, 0x809c2506, 0xbf59d487, 0xfbc3faf9, 0xc4060b78,
		0x844819fb, 0xbb8de87a, 0x04d43cfd, 0x3b11cd7c, 0x7b5fdfff,
		0x449a2e7e},
	    {0x00000000, 0xf26b8303, 0xe13b70f7, 0x1350f3f4, 0xc79a971f,
		0x35f1141c, 0x26a1e7e8, 0xd4ca64eb, 0x8ad958cf, 0x78b2dbcc,
		0x6be22838, 0x9989ab3b, 0x4d43cfd0, 0xbf284cd3, 0xac78bf27,
		0x5e133c24},
	    {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc,
		0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17,
		0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a,
		0xf36e6f75}};

uint32_t qt_crc32c(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint32_t crc = 0xffffffff, w;
	size_t i, k;

	for (i = 0; len - i >= 4; i += 4) {
		w = crc ^ ((uint32_t)p[i] | (uint32_t)p[i + 1] << 8 |
		    (uint32_t)p[i + 2] << 16 | (uint32_t)p[i + 3] << 24);
		for (crc = 0, k = 0; k < 8; k++, w >>= 4)
			crc ^= crc_of[k][w & 15];
	}
	for (; i < len; i++) {
		crc ^= p[i];
		crc = (crc >> 4) ^ crc_of[7][crc & 15];
		crc = (crc >> 4) ^ crc_of[7][crc & 15];
	}
	return ~crc;
}

void qt_field_seal(struct qt_buf *b, size_t from)
{
	static const char digit[] = "0123456789abcdef";
	char seal[QT_FIELD_SEAL + 1] = "\t#xxxxxxxx\n";
	uint32_t crc;

	if (b->failed)
		return;
	crc = qt_crc32c(b->data + from, b->len - from);
	for (size_t i = QT_FIELD_SEAL; i > 2; crc >>= 4)
		seal[--i] = digit[crc & 15];
	qt_buf_add(b, seal, sizeof seal);
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
