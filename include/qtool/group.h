/*
 * group.h - counts by the values of columns, kept while a statement runs.
 *
 * What GROUP BY does by sorting all rows after the last of them came, this does
 * by hashing each row as it comes: the work lies beside the reading of the
 * queue, not behind it.  There is no spilling to disk: when the groups become
 * too many, the caller turns to GROUP BY.
 */
#ifndef QTOOL_GROUP_H
#define QTOOL_GROUP_H

#include "qtool/db.h"

/* A value of a column, as qt_stmt_*() say it. */
struct qt_value {
	enum qt_coltype type;
	int64_t i;	  /* INT */
	double real;	  /* REAL */
	const char *text; /* TEXT, BLOB; "" for the others */
	size_t len;	  /* bytes of text */
};
/* Column i of the row that was stepped to; text as qt_stmt_text() has it. */
void qt_value_of(struct qt_value *v, const struct qt_stmt *st, int i);

/* Columns of the statement behind those to group by, in this order. */
enum qt_group_column {
	QT_GROUP_RECIPIENTS, QT_GROUP_BYTES, QT_GROUP_TIME, QT_GROUP_SENDER,
	QT_GROUP_CLIENT
};

enum qt_group_weight { QT_BY_MESSAGES, QT_BY_RECIPIENTS, QT_BY_BYTES };

struct qt_group {
	const struct qt_value *key; /* one for each column grouped by */
	int64_t messages, recipients, bytes;
	int64_t senders, clients;   /* different ones; NULL is none */
	int64_t first, last;	    /* seconds since the epoch, if timed */
	bool timed;		    /* one at least had a time */
};

struct qt_groups;
/* limit: bytes of memory for all groups. */
int qt_groups_new(struct qt_groups **out, size_t nkeys, size_t limit,
    struct qt_error *err) QT_MUST_CHECK;
void qt_groups_free(struct qt_groups *g);
/* Count the row that st was stepped to.  1: over the limit, begin anew. */
int qt_groups_add(struct qt_groups *g, const struct qt_stmt *st,
    struct qt_error *err) QT_MUST_CHECK;
/* The heaviest first; of the same weight by their values, as ORDER BY does. */
void qt_groups_sort(struct qt_groups *g, enum qt_group_weight by);
size_t qt_groups_count(const struct qt_groups *g);
/* The i-th; in the order of their coming before qt_groups_sort(). */
const struct qt_group *qt_groups_at(const struct qt_groups *g, size_t i);
int64_t qt_group_weigh(const struct qt_group *g, enum qt_group_weight by);

#endif
