/*
 * strlist.h - reading a JSON array of strings, one at a time.
 */
#ifndef QUERY_STRLIST_H
#define QUERY_STRLIST_H

#include "qtool/buf.h"

struct strlist {
	const char *p, *end; /* what is left of the text; borrowed */
	bool first;
	struct qt_buf item; /* the string just read, unescaped */
};

/* Begin; item's memory is kept from one text to the next. */
void strlist_init(struct strlist *l);
void strlist_release(struct strlist *l);
/* 0, or QT_E_USAGE: not an array. */
int strlist_start(struct strlist *l, const char *json, size_t len,
    struct qt_error *err) QT_MUST_CHECK;
/* 0: l->item is the next, 1 no more, QT_E_USAGE: not an array of strings. */
int strlist_next(struct strlist *l, struct qt_error *err) QT_MUST_CHECK;

#endif
