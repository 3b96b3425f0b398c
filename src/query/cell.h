/*
 * cell.h - the value of one column, before it is SQLite's, JSON's or that of a
 * snapshot.
 *
 * A column is NULL where the file does not tell, or was not understood that far.
 */
#ifndef QUERY_CELL_H
#define QUERY_CELL_H

#include "query/derive.h"

enum cell_type {
	CELL_NULL,
	CELL_INT,   /* i */
	CELL_TEXT,  /* s: any bytes up to the NUL; the row's */
	CELL_CONST, /* s: a constant */
	CELL_JSON,  /* s: JSON text; the row's */
	CELL_WORDS, /* s: text with encoded words, decode.h */
	CELL_BYTES, /* len bytes at s, any; the row's */
	CELL_BLOB,  /* likewise, not to be shown as text */
	CELL_TOOBIG /* it could not be made */
};

struct cell {
	enum cell_type type;
	int64_t i;
	const char *s;
	size_t len;
	char own[24]; /* where s may point to */
};

/* Of messages; column: M_...  Any thread. */
void cell_of(struct cell *c, const struct qt_row *row, int column);

/* For the tables' own: each sets the whole cell.  s NULL: no value. */
void cell_put(struct cell *c, enum cell_type type, const char *s);
void cell_int(struct cell *c, int64_t i);
void cell_bytes(struct cell *c, enum cell_type type, const void *s,
    size_t len);

#endif
