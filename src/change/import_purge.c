/*
 * import_purge.c - what an undo took out of the queue again, removed for good.
 */
#include <time.h>

#include "change/copies.h"
#include "change/import.h"
#include "change/settle.h"

struct purge {
	struct qt_change *c;
	struct qt_outcome *out;
	struct timespec begin;
};

static int before_unlink(void *ctx, struct qt_error *err)
{
	struct purge *p = ctx;

	if (qt_state_stopped(p->c))
		return qt_fail(err, QT_E_INTERRUPTED, p->c->spool->queue_dir,
		    "interrupted after %zu of %zu messages were unlinked",
		    p->out->done, p->out->planned);
	qt_settle_pace(p->c, &p->begin, p->out->done);
	qt_settle_progress(p->c, ++p->out->done, p->out->planned);
	return 0;
}

int qt_import_purge(struct qt_change *c, struct qt_tx *tx,
    struct qt_outcome *out, struct qt_error *err)
{
	struct qt_journal_record rec = {.state = QT_TX_PURGING};
	struct purge p = {.c = c, .out = out};

	if (qt_copies_count(tx, &out->planned, err) != 0)
		return -1;
	if (tx->log.last.state != QT_TX_PURGING &&
	    qt_journal_append(&tx->log, &c->fs, &rec, tx->where, err) != 0)
		return -1;
	out->begun = true;
	(void)clock_gettime(CLOCK_MONOTONIC, &p.begin);
	if (qt_copies_remove(c, tx, before_unlink, &p, err) != 0 ||
	    qt_state_barrier(c, err) != 0)
		return -1;
	qt_tx_clean(c, tx);
	rec.state = QT_TX_PURGED;
	return qt_journal_append(&tx->log, &c->fs, &rec, tx->where, err);
}
