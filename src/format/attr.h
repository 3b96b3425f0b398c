/*
 * attr.h - the names of A records and what becomes of their values.
 */
#ifndef QTOOL_FORMAT_ATTR_H
#define QTOOL_FORMAT_ATTR_H

#include <stddef.h>
#include <stdint.h>

enum qt_attr_rule {
	QT_ATTR_FIRST,	/* the first value counts */
	QT_ATTR_LAST,	/* the last value counts */
	QT_ATTR_LOG,	/* the last counts, and legacy names no more */
	QT_ATTR_LEGACY, /* FIRST; before 2.3 it was the one for logging */
	QT_ATTR_CTIME,	/* the rest stand for record types (rec_attr_map) */
	QT_ATTR_RET,
	QT_ATTR_NOTIFY,
	QT_ATTR_ORCPT,
	QT_ATTR_TRACE
};

struct qt_attr {
	const char *name;
	uint8_t len;	 /* of name */
	uint8_t rule;	 /* enum qt_attr_rule */
	uint16_t field;	 /* offset of a const char * in struct qt_msg */
	uint16_t legacy; /* QT_ATTR_LEGACY: that of the one for logging */
};

/* The attribute of that name, NULL when qtool has no use for it. */
const struct qt_attr *qt_attr_find(const char *name, size_t len);

/*
 * The attribute that a payload of len bytes begins with, as "name=" and without
 * any blank: nearly all of them.  NULL: none of those that qtool has a use for,
 * or written in another way, which is for qt_text_nameval() to see.
 */
const struct qt_attr *qt_attr_begins(const char *payload, size_t len);

#endif
