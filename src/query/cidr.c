/*
 * cidr.c - address and network parsing and matching.
 */
#include "query/cidr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ADDRESS_MAX 64 /* longer than any address in text */

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_mapped(const uint8_t addr[16])
{
	return memcmp(addr, mapped, sizeof mapped) == 0;
}

/* Exactly len bytes of s as an address; *v4 whether written as IPv4. */
static bool parse(uint8_t addr[16], const char *s, size_t len, bool *v4)
{
	char text[ADDRESS_MAX];

	if (len >= 2 && s[0] == '[' && s[len - 1] == ']') {
		s++;
		len -= 2;
	}
	if (len > 5 && strncasecmp(s, "IPv6:", 5) == 0) {
		s += 5;
		len -= 5;
	}
	if (len == 0 || len >= sizeof text)
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	memcpy(addr, mapped, sizeof mapped);
	*v4 = inet_pton(AF_INET, text, addr + 12) == 1;
	return *v4 || inet_pton(AF_INET6, text, addr) == 1;
}

bool cidr_address(uint8_t addr[16], const char *s)
{
	bool v4;

	return parse(addr, s, strlen(s), &v4);
}

/* Clear what is behind the prefix; false when something was there. */
static bool mask(uint8_t addr[16], unsigned bits)
{
	bool clean = true;
	unsigned i, keep;
	uint8_t m;

	for (i = 0; i < 16; i++) {
		keep = bits > i * 8 ? bits - i * 8 : 0;
		m = (uint8_t)(keep >= 8 ? 0xff : 0xff00u >> keep);
		if (addr[i] & (uint8_t)~m)
			clean = false;
		addr[i] &= m;
	}
	return clean;
}

/* The network that was meant, for the message about host bits. */
static void print(const struct cidr *net, char *out, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "";
	bool v4 = net->bits >= 96 && is_mapped(net->addr);

	(void)inet_ntop(v4 ? AF_INET : AF_INET6,
	    v4 ? net->addr + 12 : net->addr, text, sizeof text);
	(void)snprintf(out, size, "%s/%u", text, v4 ? net->bits - 96 : net->bits);
}

/* Digits only, at most max; -1 when it is something else. */
static int prefix_length(const char *s, unsigned max)
{
	size_t len = strlen(s);
	unsigned long n;

	if (len == 0 || len > 3 || strspn(s, "0123456789") != len)
		return -1;
	n = strtoul(s, NULL, 10);
	return n <= max ? (int)n : -1;
}

int cidr_parse(struct cidr *net, const char *s, struct qt_error *err)
{
	const char *slash = strchr(s, '/');
	size_t len = slash != NULL ? (size_t)(slash - s) : strlen(s);
	char meant[INET6_ADDRSTRLEN + 8];
	struct cidr c = {.bits = 128};
	bool v4;
	int n;

	if (!parse(c.addr, s, len, &v4))
		return qt_fail(err, QT_E_USAGE, s,
		    "not an IP address or network");
	if (slash != NULL) {
		n = prefix_length(slash + 1, v4 ? 32 : 128);
		if (n < 0)
			return qt_fail(err, QT_E_USAGE, s,
			    "the prefix length is a number from 0 to %d",
			    v4 ? 32 : 128);
		c.bits = (unsigned)n + (v4 ? 96 : 0);
	}
	/* as in Postfix's cidr tables: more often a slip than a wish */
	if (!mask(c.addr, c.bits)) {
		print(&c, meant, sizeof meant);
		return qt_fail(err, QT_E_USAGE, s,
		    "the address has bits beyond the prefix; the network is %s",
		    meant);
	}
	*net = c;
	return 0;
}

bool cidr_contains(const struct cidr *net, const uint8_t addr[16])
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;
	uint8_t m = (uint8_t)(0xff00u >> rest);

	if (net->bits < 96 && is_mapped(addr))
		return false;
	if (memcmp(net->addr, addr, whole) != 0)
		return false;
	return rest == 0 || ((net->addr[whole] ^ addr[whole]) & m) == 0;
}
