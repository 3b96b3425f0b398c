/*
 * domain.h - domains of addresses in the one form they are compared in, and
 * the registrable domain above them.
 *
 * The only user of libidn2 and libpsl.  Safe in every thread: both are used
 * with constant data alone.
 */
#ifndef QUERY_DOMAIN_H
#define QUERY_DOMAIN_H

#include "qtool/buf.h"

/*
 * The domain in lower case, internationalised labels as A-labels, without a
 * final dot.  What libidn2 does not accept keeps its characters, or, when it is
 * not UTF-8, has all bytes above ASCII as \xHH.  NULL when s is empty, or out of
 * memory: a missing value either way.
 */
const char *domain_normal(struct qt_arena *a, const char *s, size_t len);

/* domain_normal() of what follows the last '@'; NULL when there is none. */
const char *domain_of(struct qt_arena *a, const char *address);

/*
 * The registrable domain of a normal domain (public suffix and one label), a
 * pointer into it; NULL for an address literal, a bare public suffix, NULL.
 */
const char *domain_org(const char *domain);

#endif
