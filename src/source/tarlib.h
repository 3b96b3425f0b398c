/*
 * tarlib.h - libarchive over a descriptor, as tarread.c and tarview.c use it.
 */
#ifndef QTOOL_SOURCE_TARLIB_H
#define QTOOL_SOURCE_TARLIB_H

#include "source/tarread.h"

struct archive;

#define QT_TAR_DAMAGED "it is damaged: " /* before what a view says of it */

struct qt_tarlib {
	struct archive *a;
	int fd;		  /* borrowed */
	const char *name; /* borrowed: the file's, for messages */
	char *buf;	  /* owned: what was read of the file last */
	uint64_t start;	  /* of a view: where the reading begins */
	uint64_t pos;	  /* bytes read of the file */
	int sys;	  /* errno of a read that failed; 0 none */
	const volatile sig_atomic_t *stop; /* may be NULL */
	struct qt_tarview *view; /* borrowed: bytes come from it, pos is a
				  * place there; NULL: from fd */
	bool own_error; /* error has what reading the view came to */
	struct qt_error error;
};

/*
 * fd, name, stop, view are set, all else zero.  tar: members; else the expanded
 * bytes as one.  What is half open is to be closed too.
 */
int qt_tarlib_open(struct qt_tarlib *l, bool tar, struct qt_error *err)
    QT_MUST_CHECK;
void qt_tarlib_close(struct qt_tarlib *l);
/* Bytes expanded so far. */
uint64_t qt_tarlib_expanded(const struct qt_tarlib *l);
/* What libarchive says, in or after a member (NULL: none yet). */
int qt_tarlib_fail(const struct qt_tarlib *l, const char *member,
    struct qt_error *err);

/* A view's parts, for a reader over it. */
void qt_tarview_lend(struct qt_tarview *v, struct qt_tarlib *l);

#endif
