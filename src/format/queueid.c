/*
 * queueid.c - what a queue ID says, and where its file is.
 *
 * A short ID is five hexadecimal digits of microseconds and the inode in
 * hexadecimal; a long one is seconds and microseconds in base 52 (digits and
 * letters without vowels), the letter z, and the inode in base 51 (the same
 * without z, which is why the last z separates).
 *
 * Source: Postfix src/global/mail_queue.h, mail_queue.c, file_id.c,
 * src/util/safe_ultostr.c, src/util/dir_forest.c.
 */
#include "qtool/queueid.h"

#include <stdio.h>
#include <string.h>

#define USEC_DIGITS 4u	  /* of a long ID, exactly */
#define SECONDS_DIGITS 6u /* at least */
#define SHORT_USEC 5u

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z');
}

bool qt_queue_id_valid(const char *name)
{
	size_t n;

	for (n = 0; name[n] != '\0'; n++)
		if (n == QT_QUEUE_ID_MAX ||
		    (!is_alnum(name[n]) && name[n] != '_'))
			return false;
	return n != 0;
}

static const char digits52[] =
    "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

/* A digit of base 52; -1 for vowels and what is no letter. */
static int digit52(char c)
{
	const char *p = c != '\0' ? strchr(digits52, c) : NULL;

	return p != NULL ? (int)(p - digits52) : -1;
}

static int digit16(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* All of s as one number; false when empty, out of range, or not digits. */
static bool decode(const char *s, size_t len, unsigned base, uint64_t *value)
{
	uint64_t v = 0;
	size_t i;
	int d;

	for (i = 0; i < len; i++) {
		d = base == 16 ? digit16(s[i]) : digit52(s[i]);
		if (d < 0 || (unsigned)d >= base ||
		    __builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return false;
	}
	*value = v;
	return len != 0;
}

/* The z of a long ID, NULL for a short one. */
static const char *long_separator(const char *name)
{
	const char *z = strrchr(name, 'z');

	if (z == NULL || z - name < (int)(SECONDS_DIGITS + USEC_DIGITS))
		return NULL;
	return z;
}

/* Microseconds of a long ID; 0 when they are none, as for Postfix. */
static uint32_t long_usec(const char *z)
{
	uint64_t v;

	if (!decode(z - USEC_DIGITS, USEC_DIGITS, 52, &v))
		return 0;
	return (uint32_t)v;
}

static void parse_long(struct qt_queue_id *id, const char *name, const char *z)
{
	uint64_t v;

	id->is_long = true;
	if (decode(name, (size_t)(z - name) - USEC_DIGITS, 52, &v) &&
	    v <= INT64_MAX)
		id->seconds = (int64_t)v;
	id->usec = long_usec(z);
	id->has_inode = decode(z + 1, strlen(z + 1), 51, &id->inode);
}

static void parse_short(struct qt_queue_id *id, const char *name)
{
	const char *s = name + SHORT_USEC;
	uint64_t v;

	if (decode(name, SHORT_USEC, 16, &v))
		id->usec = (uint32_t)v;
	/* read by strtoul, which knows a prefix that nobody writes */
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit16(s[2]) >= 0)
		s += 2;
	id->has_inode = decode(s, strlen(s), 16, &id->inode);
}

void qt_queue_id_parse(struct qt_queue_id *id, const char *name)
{
	const char *z = long_separator(name);

	*id = (struct qt_queue_id){.seconds = -1};
	if (z != NULL)
		parse_long(id, name, z);
	else if (strlen(name) > SHORT_USEC)
		parse_short(id, name);
	if (!id->has_inode)
		id->inode = 0;
}

void qt_queue_id_key(const char *name, char *key, size_t size)
{
	const char *z = long_separator(name);

	if (z != NULL)
		(void)snprintf(key, size, "%05X", (unsigned)long_usec(z));
	else
		(void)strlcpy(key, name, size);
}

void qt_queue_id_hash(const char *name, unsigned depth, char *dir, size_t size)
{
	char key[QT_QUEUE_ID_MAX + 1];
	size_t at = 0, k = 0;

	if (size == 0)
		return;
	qt_queue_id_key(name, key, sizeof key);
	for (; depth > 0 && size - at > 2; depth--) {
		dir[at++] = key[k] != '\0' ? key[k++] : '_';
		dir[at++] = '/';
	}
	dir[at] = '\0';
}

void qt_queue_id_make_short(
    char *name, size_t size, uint32_t usec, uint64_t inode)
{
	(void)snprintf(
	    name, size, "%05X%llX", (unsigned)usec, (unsigned long long)inode);
}

/* In a base up to 52, at least so many digits; to has room for 20. */
static void encode(char *to, uint64_t value, unsigned base, size_t width)
{
	char back[20];
	size_t n = 0;

	do {
		back[n++] = digits52[value % base];
		value /= base;
	} while (value != 0);
	while (n < width)
		back[n++] = '0';
	while (n > 0)
		*to++ = back[--n];
	*to = '\0';
}

void qt_queue_id_make_long(char *name, size_t size, int64_t seconds,
    uint32_t usec, uint64_t inode)
{
	char s[24], u[24], i[24];

	encode(s, (uint64_t)seconds, 52, SECONDS_DIGITS);
	encode(u, usec, 52, USEC_DIGITS);
	encode(i, inode, 51, 1);
	(void)snprintf(name, size, "%s%sz%s", s, u, i);
}
