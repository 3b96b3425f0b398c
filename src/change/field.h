/*
 * field.h - the lines of which plan, log and pointer file are made.
 *
 *	field TAB field ... TAB #crc32c LF
 *
 * The CRC-32C (Castagnoli; RFC 3720 appendix B.4) is over everything before
 * its TAB, as eight lower case hex digits.  Strings that people or file names
 * have a say in are written with %HH for control characters, '%' and DEL, so
 * that a field never contains TAB or LF.  Pure functions.
 */
#ifndef CHANGE_FIELD_H
#define CHANGE_FIELD_H

#include "qtool/buf.h"

#define QT_FIELD_SEAL 10 /* bytes of TAB, '#' and the CRC */

uint32_t qt_crc32c(const void *bytes, size_t len);

/* Append TAB, '#', the CRC of what starts at from, and LF. */
void qt_field_seal(struct qt_buf *b, size_t from);

/*
 * A line without its LF: check the seal and cut it into fields in place.
 * The number of fields, or -1: no or a wrong seal, a NUL, more than max fields.
 */
int qt_field_split(char *line, size_t len, const char **fields, int max);

void qt_field_escape(struct qt_buf *b, const char *s);
/* In place; false when it is not what qt_field_escape writes. */
bool qt_field_unescape(char *s);

/* Plain decimals, no sign, blank or leading zero; false: not one, or > max. */
bool qt_field_u64(const char *s, uint64_t max, uint64_t *v);
/* The same with an optional minus. */
bool qt_field_i64(const char *s, int64_t *v);

#endif
