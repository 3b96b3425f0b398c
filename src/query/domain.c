/*
 * domain.c - IDNA by libidn2 (UTS 46, non-transitional), registrable domains by
 * libpsl's built-in list.
 */
#include "query/domain.h"

#include <idn2.h>
#include <libpsl.h>
#include <string.h>

#include "qtool/escape.h"

/* Longer than any domain (RFC 1035: 255 bytes) in UTF-8: not worth an attempt. */
#define IDN_INPUT_MAX 1024

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void lower_all(char *s)
{
	for (; *s != '\0'; s++)
		*s = lower(*s);
}

/* A lower case copy of ASCII text without NUL; false: it is not all that. */
static bool lower_ascii(char *to, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((signed char)s[i] <= 0)
			return false;
		to[i] = lower(s[i]);
	}
	to[len] = '\0';
	return true;
}

/* A-labels of UTF-8, NULL when libidn2 does not take it. */
static char *to_ascii(struct qt_arena *a, const char *s, size_t len)
{
	char in[IDN_INPUT_MAX + 1], *out = NULL, *copy = NULL;

	if (len > IDN_INPUT_MAX || memchr(s, '\0', len) != NULL ||
	    !qt_utf8_valid(s, len))
		return NULL;
	memcpy(in, s, len);
	in[len] = '\0';
	if (idn2_to_ascii_8z(in, &out,
		IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return NULL;
	if (*out != '\0')
		copy = qt_arena_dup(a, out, strlen(out));
	idn2_free(out);
	return copy;
}

/*
 * Valid UTF-8 can be read as it is.  Of other bytes none above ASCII is kept:
 * else the good part alone would be taken for a name the next time.
 */
static char *as_it_is(struct qt_arena *a, const char *s, size_t len)
{
	bool readable = qt_utf8_valid(s, len) && memchr(s, '\0', len) == NULL;
	struct qt_buf b;
	char *copy = NULL;
	size_t i;

	qt_buf_init(&b, 0);
	if (readable)
		qt_buf_add(&b, s, len);
	for (i = 0; i < len && !readable; i++) {
		if ((unsigned char)s[i] < 0x80 && s[i] != '\0')
			qt_buf_addc(&b, s[i]);
		else
			qt_buf_addf(&b, "\\x%02x", (unsigned char)s[i]);
	}
	if (!b.failed)
		copy = qt_arena_dup(a, qt_buf_str(&b), b.len);
	qt_buf_release(&b);
	return copy;
}

const char *domain_normal(struct qt_arena *a, const char *s, size_t len)
{
	char *d;

	if (len > 1 && s[len - 1] == '.')
		len--;
	if (len == 0)
		return NULL;
	d = qt_arena_dup(a, s, len);
	if (d == NULL || lower_ascii(d, s, len))
		return d;
	d = to_ascii(a, s, len);
	if (d == NULL)
		d = as_it_is(a, s, len);
	if (d != NULL)
		lower_all(d);
	return d;
}

const char *domain_of(struct qt_arena *a, const char *address)
{
	const char *at = address != NULL ? strrchr(address, '@') : NULL;

	return at != NULL ? domain_normal(a, at + 1, strlen(at + 1)) : NULL;
}

/* "192.0.2.1" has no registrable domain, nor has "[192.0.2.1]". */
static bool is_address(const char *domain)
{
	return *domain == '[' ||
	    domain[strspn(domain, "0123456789.")] == '\0';
}

const char *domain_org(const char *domain)
{
	if (domain == NULL || *domain == '.' || is_address(domain))
		return NULL;
	return psl_registrable_domain(psl_builtin(), domain);
}

const char *domain_org_known(struct known_orgs *k, const char *domain)
{
	const size_t len = domain != NULL ? strlen(domain) : ORG_NAME;
	uint32_t hash = 2166136261u; /* FNV-1a: what collides is looked up anew */
	const char *org;
	size_t i;

	if (len >= ORG_NAME || len == 0)
		return domain_org(domain);
	for (i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)domain[i]) * 16777619u;
	i = (hash ^ hash >> 16) % ORG_KNOWN;
	if (strcmp(k->v[i].domain, domain) != 0) {
		org = domain_org(domain);
		memcpy(k->v[i].domain, domain, len + 1);
		k->v[i].at = org != NULL ? (uint8_t)(org - domain) : ORG_NAME;
	}
	return k->v[i].at != ORG_NAME ? domain + k->v[i].at : NULL;
}
