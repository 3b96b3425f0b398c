/*
 * printable.h - bytes that Postfix would not show become '?'.
 */
#ifndef QTOOL_FORMAT_PRINTABLE_H
#define QTOOL_FORMAT_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* In place; with utf8 well-formed UTF-8 is kept (printable.c in Postfix). */
void qt_printable(char *s, size_t len, bool utf8);

#endif
