/*
 * json.h - JSON text (RFC 8259) taken apart where it lies: what an archive says
 * about itself, which a stranger may have written.
 *
 * Nothing is allocated but what a decoded string takes; nesting has a ceiling.
 */
#ifndef QTOOL_EVIDENCE_JSON_H
#define QTOOL_EVIDENCE_JSON_H

#include "qtool/buf.h"

enum qt_json_type {
	QT_JSON_NULL, QT_JSON_BOOL, QT_JSON_NUMBER, QT_JSON_STRING,
	QT_JSON_ARRAY, QT_JSON_OBJECT
};

/* A value, as the bytes it is written with. */
struct qt_json {
	enum qt_json_type type;
	const char *text; /* with its quotes or brackets */
	size_t len;
};

/* The one value of a text; false: it is no JSON, or is nested too deep. */
bool qt_json_read(const char *text, size_t len, struct qt_json *v);
/*
 * Call each with every member of an object, or element of an array (key NULL);
 * key is as written, without its quotes.  each not 0 ends it and is returned;
 * -1 when v is neither.  v must be what qt_json_read() or this gave.
 */
int qt_json_each(const struct qt_json *v,
    int (*each)(void *ctx, const char *key, size_t key_len,
	const struct qt_json *value), void *ctx);
/*
 * A string decoded into out (appended); false: it is none, or has a NUL or half
 * a surrogate pair.
 */
bool qt_json_text(const struct qt_json *v, struct qt_buf *out);
/* A number that is an integer of that range, as decimal digits. */
bool qt_json_i64(const struct qt_json *v, int64_t *n);
bool qt_json_u64(const struct qt_json *v, uint64_t *n);
/* Whether two values are the same number, string, truth or null. */
bool qt_json_same(const struct qt_json *a, const struct qt_json *b);

#endif
