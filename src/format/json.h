/*
 * json.h - the values of a JSON text (RFC 8259), one after the other: what the
 * lines of an archive's lists are taken apart with.  No tree, no memory.
 *
 * Nesting is bounded; a value that nobody asks for is only passed over, which
 * checks its brackets and strings, and not each of its letters.
 */
#ifndef QTOOL_FORMAT_JSON_H
#define QTOOL_FORMAT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QT_JSON_DEPTH 32u /* brackets within each other */

enum qt_json_type {
	QT_JSON_STRING, QT_JSON_NUMBER, QT_JSON_OBJECT, QT_JSON_ARRAY,
	QT_JSON_WORD /* true, false, null */
};

struct qt_json_value {
	enum qt_json_type type;
	const char *text; /* within the input; of a string without its quotes,
			   * escapes and all */
	size_t len;
};

struct qt_json { /* what is left of an object or an array */
	const char *at, *end;
	bool first;
};

/* The members of an object, elements of an array; false: it is none. */
bool qt_json_open(struct qt_json *j, char bracket, const char *text,
    size_t len);
/* 0: key and value; 1: no more, and nothing behind it; -1: no JSON. */
int qt_json_member(struct qt_json *j, struct qt_json_value *key,
    struct qt_json_value *v);
int qt_json_element(struct qt_json *j, struct qt_json_value *v);

/* Whether a string is word; word has no escapes. */
bool qt_json_is(const struct qt_json_value *v, const char *word);
/*
 * A string's bytes and a NUL.  False: no string, it does not fit, a bad escape,
 * or it has a NUL within.
 */
bool qt_json_text(const struct qt_json_value *v, char *out, size_t size);
/* A number without fraction that fits; false: it is none. */
bool qt_json_int(const struct qt_json_value *v, int64_t *n);
bool qt_json_uint(const struct qt_json_value *v, uint64_t *n);

#endif
