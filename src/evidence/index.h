/*
 * index.h - metadata/index.sqlite: the tables over the messages of an archive,
 * for who has sqlite3 and not qtool.
 *
 * A thread of its own fills it: that costs as much as all that the archive's
 * own thread does.  Rows are taken out of the scan for it, and given back.
 */
#ifndef QTOOL_EVIDENCE_INDEX_H
#define QTOOL_EVIDENCE_INDEX_H

#include "evidence/spill.h"
#include "qtool/db.h"

struct qt_index;
/* dirfd: where its file goes. */
int qt_index_new(struct qt_index **out, int dirfd, struct qt_error *err)
    QT_MUST_CHECK;
void qt_index_free(struct qt_index *x);
/* QT_WANT_ bits of its rows. */
unsigned qt_index_want(void);
/*
 * The row that a statement of db stands on; it is taken.  found: its path where
 * that is not the row's, else NULL.  Errors are those of rows before, too.
 */
int qt_index_add(struct qt_index *x, struct qt_db *db, const char *found,
    struct qt_error *err) QT_MUST_CHECK;
/* Wait until no row is in use any more. */
void qt_index_drain(struct qt_index *x);
/* All are added: the thread completes it, meanwhile. */
void qt_index_seal(struct qt_index *x);
/* Its size.  1: there was none. */
int qt_index_finish(struct qt_index *x, uint64_t *size, struct qt_error *err)
    QT_MUST_CHECK;
int qt_index_each(const struct qt_index *x, qt_bytes_fn *fn, void *ctx,
    struct qt_error *err) QT_MUST_CHECK;

#endif
