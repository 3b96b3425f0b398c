/*
 * snapcode.h - values put into the form in which a snapshot stores them.
 */
#ifndef QUERY_SNAPCODE_H
#define QUERY_SNAPCODE_H

#include "query/cell.h"
#include "query/pagefile.h"
#include "query/query.h"
#include "query/snapform.h"

struct snaptext;

/* The table texts: what came lately is known by its number. */
struct snaptexts {
	struct pagetable pages; /* the writer's to open and finish */
	struct pagerow row;
	struct snaptext *slot; /* owned */
	int64_t n; /* rows */
};

int snaptexts_init(struct snaptexts *t, struct qt_error *err) QT_MUST_CHECK;
void snaptexts_release(struct snaptexts *t);

/*
 * Column i of a row, of whose cells v has all that are stored, in its form f;
 * appended to out.  A SNAP_LIST's cell is in its form already.
 */
int snapcode_add(struct snaptexts *t, struct pagerow *out, struct qt_db *db,
    const struct snapform *f, int i, const struct cell *v,
    struct qt_error *err) QT_MUST_CHECK;

/* ---- snaplist.c ---- */

/*
 * The cells of messages that are SNAP_LIST: of v, as they are to be stored.
 * What cannot be made of rows is worked out into the row, if it was not.  tmp's
 * content is lost; order holds what a cell may point to.
 */
int snaplist_cells(struct cell *v, struct qt_row *row,
    struct qt_finish_tmp *tmp, struct qt_buf *order,
    struct qt_error *err) QT_MUST_CHECK;
/* The row has its lists, as for a query, from now on. */
void snaplist_derive(struct qt_row *row, struct qt_finish_tmp *tmp);

#endif
