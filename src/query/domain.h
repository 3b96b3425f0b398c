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
/*
 * The same, with what was found last for domains of usual length: recipients of
 * spam are of some hundred domains, and the list of suffixes is long.
 */
#define ORG_KNOWN 512
#define ORG_NAME 48
struct known_orgs {
	struct {
		char domain[ORG_NAME]; /* "" none */
		uint8_t at; /* where its organisation begins; ORG_NAME: none */
	} v[ORG_KNOWN];
};
const char *domain_org_known(struct known_orgs *k, const char *domain);

#endif
