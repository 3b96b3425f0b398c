/*
 * cidr.h - client addresses and the networks they are in.
 *
 * IPv4 is kept as IPv4-mapped IPv6 (::ffff:0:0/96), so that an address is the
 * same in both forms; an IPv6 network wider than that does not contain IPv4.
 */
#ifndef QUERY_CIDR_H
#define QUERY_CIDR_H

#include <stdbool.h>
#include <stdint.h>

#include "qtool/error.h"

struct cidr {
	uint8_t addr[16];
	unsigned bits; /* of the prefix, of 128 */
};

/*
 * "192.0.2.1", "2001:db8::1", with an IPv6: prefix or square brackets, as
 * Postfix and its log write them.  False when it is no address ("unknown").
 */
bool cidr_address(uint8_t addr[16], const char *s);
/* An address, or address/bits.  QT_E_USAGE, also when host bits are set. */
int cidr_parse(struct cidr *net, const char *s, struct qt_error *err)
    QT_MUST_CHECK;
bool cidr_contains(const struct cidr *net, const uint8_t addr[16]);

#endif
