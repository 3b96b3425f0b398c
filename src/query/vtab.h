/*
 * vtab.h - one implementation of SQLite's virtual tables for all of ours: a
 * table is a list of columns, and what it makes of a message's row.
 */
#ifndef QUERY_VTAB_H
#define QUERY_VTAB_H

#include "query/cell.h"
#include "query/columns.h"
#include "query/derive.h"
#include "query/feed.h"
#include "query/snapread.h"

struct cursor;

struct table {
	const char *name;
	int queue_name, queue_id; /* their column indices */
	bool filters; /* columns M_SASL_USERNAME ... can be tested early */
	double rows;  /* about how many rows a message has */
	unsigned want; /* QT_WANT_ bits that its rows take anyway */
	size_t state_size; /* bytes of cursor.own, zeroed; 0 none */
	/*
	 * Whether the message has a row at c->n (0 there is, 1 no more of this
	 * message, negative failure); NULL: one row a message.
	 */
	int (*sub)(struct cursor *c, struct qt_error *err);
	/* The message is about to be given back; may be NULL. */
	void (*leave)(struct cursor *c);
	/* Column i of the current row; v is no value yet, and valid until the
	 * next call. */
	void (*cell)(struct cursor *c, struct cell *v, int i);
};

extern const struct table table_messages, table_recipients, table_headers,
    table_records;

struct vtab {
	sqlite3_vtab base; /* first: SQLite's view of it */
	struct qt_db *db;
	const struct table *table;
	const struct columns *columns;
};

struct cursor {
	sqlite3_vtab_cursor base; /* first: SQLite's view of it */
	struct qt_db *db;
	const struct table *table;
	const struct columns *columns;
	uint64_t used; /* columns the statement uses */
	struct derive derive; /* read by the scan's workers */
	struct feed feed;
	struct snapcur snap; /* after the feed */
	size_t n;      /* row within the message */
	bool eof;
	void *own;     /* the table's own state */
};

/* The tables, each name behind prefix. */
int vtab_register(struct qt_db *db, const char *prefix);

#endif
