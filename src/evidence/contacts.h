/*
 * contacts.h - who answers for a network: lines of a file that the
 * administrator has made.
 *
 *	203.0.113.0/24<TAB>abuse@isp.example<TAB>AS64500
 *
 * The third field may be missing.  Empty lines, and those that start with #, are
 * passed over.
 */
#ifndef QTOOL_EVIDENCE_CONTACTS_H
#define QTOOL_EVIDENCE_CONTACTS_H

#include "qtool/buf.h"
#include "query/cidr.h"

#define QT_CONTACTS_MAX 100000 /* lines */

struct qt_contact {
	struct cidr net;
	const char *text;    /* the network as written */
	const char *address; /* mail */
	const char *asn;     /* "" not told */
	unsigned line;
};
struct qt_contacts {
	struct qt_contact *v; /* in the file's order; owned */
	size_t n;
	struct qt_buf text;   /* what the strings point to */
};

void qt_contacts_init(struct qt_contacts *c);
void qt_contacts_release(struct qt_contacts *c);
/* The lines of a text, which is copied.  QT_E_USAGE names the line that is
 * wrong; where is the file's name. */
int qt_contacts_parse(struct qt_contacts *c, const char *text, size_t len,
    const char *where, struct qt_error *err) QT_MUST_CHECK;
/* The narrowest network that the address is in, NULL: none. */
const struct qt_contact *qt_contacts_find(const struct qt_contacts *c,
    const uint8_t addr[16]);

#endif
