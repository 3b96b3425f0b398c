/*
 * snapform.h - the form in which a snapshot stores the tables.
 *
 * What the tables say several times, in one row or in all, is stored once: a
 * text that comes back is the number of its row in the table texts, a domain
 * where it begins in its address, and a list of recipients is made of their
 * rows.  stored_messages and so on have that form; views of the names and
 * columns of qtool-sql.7 undo it with functions of SQLite alone, and qtool
 * reads the stored tables by expressions made as theirs are, never the views.
 */
#ifndef QUERY_SNAPFORM_H
#define QUERY_SNAPFORM_H

#include "query/columns.h"

enum { SNAP_MESSAGES, SNAP_RECIPIENTS, SNAP_HEADERS, SNAP_RECORDS,
	SNAP_NTABLES };

enum snapkind {
	SNAP_PLAIN,   /* stored as it is */
	SNAP_MADE,    /* not stored: made of others */
	SNAP_OF_MESSAGE, /* not stored: the message's */
	SNAP_WORD,    /* a text, or its number in texts; 0: what same makes */
	SNAP_TAIL,    /* a text, or where it begins, from 1, in base, of which
		       * it is the end in lower case */
	SNAP_HEX,     /* the bytes that it is the digits of */
	SNAP_STATE,   /* of a recipient: a number, enum qt_rcpt_state */
	SNAP_LIST     /* JSON; 1: of all rows that it is about */
};

/* Text that is put together of other columns of the row. */
struct snapsame {
	const char *before;
	int a;
	const char *between;
	int b; /* -1: a is the last */
	const char *after;
};

struct snapform {
	enum snapkind kind;
	const struct snapsame *same; /* NULL: none */
	int base;		     /* of SNAP_TAIL, SNAP_OF_MESSAGE */
	unsigned max; /* bytes: a longer SNAP_WORD is stored as it is; 0: the
		       * form's own */
};

const struct columns *snapform_columns(int table);
const struct snapform *snapform_of(int table, int column);
/* Whether the stored table has it. */
bool snapform_stored(int table, int column);
/* A column's value as an expression over the stored table, t, and, of another
 * table than messages, that of messages, m; for a connection that has
 * SNAPTEXT_FUNCTION, where it gives what the views do. */
void snapform_value(struct qt_buf *sql, int table, int column);
/* FROM stored_... for that. */
void snapform_from(struct qt_buf *sql, int table);

/* One entry of the schema. */
struct snapentry {
	const char *type; /* as sqlite_schema has it */
	char name[32];
};
/* The n-th, and its statement, appended; false: there are no more.  The index
 * is the last one.  Without records, those of the table are left out. */
bool snapform_entry(struct qt_buf *sql, size_t n, bool records,
    struct snapentry *e);

#endif
