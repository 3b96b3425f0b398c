/*
 * as_json.h - a row of messages as one JSON object, the column as_json: what
 * list --format json prints.
 *
 * The scan's workers write it, each its own rows at the same time (measured:
 * more than a third of what list took was to hand 50 values a row through
 * SQLite, in the one thread that may).
 */
#ifndef QUERY_AS_JSON_H
#define QUERY_AS_JSON_H

#include "query/cell.h"

/*
 * Append the object.  decode: decode_words(), which only the caller's thread
 * may call; NULL in a worker, and then the answer may be false: the row has
 * encoded words, and nothing was appended.
 */
bool as_json(struct qt_buf *out, const struct qt_row *row,
    void (*decode)(struct qt_buf *out, const char *s, size_t len));

/*
 * The same of cells from elsewhere.  Text that is no valid UTF-8 comes out as
 * the tables show it.
 */
typedef void cell_fn(struct cell *c, const void *from, int column);
void as_json_from(struct qt_buf *out, cell_fn *cell, const void *from,
    void (*decode)(struct qt_buf *out, const char *s, size_t len));
/* The same for qt_db_row_line(). */
bool as_line(struct qt_buf *out, const struct qt_row *row,
    void (*decode)(struct qt_buf *out, const char *s, size_t len));
/* Whether a column of messages is in it. */
bool as_json_takes(int column);

#endif
