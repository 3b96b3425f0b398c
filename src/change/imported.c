/*
 * imported.c - which message of an archive is which here, as the plan of an
 * import tells it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "change/copies.h"
#include "change/origin.h"

static int load(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
{
	struct stat st;
	int r;

	if (fstatat(c->tx, tx->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? qt_fail(err, QT_E_USAGE, tx->where,
		    "there is none; \"qtool history\" lists those there are") :
		    qt_fsops_fail(err, "fstatat", tx->where);
	r = qt_tx_look(c, tx, err);
	if (r == 0)
		r = qt_tx_load(tx, err);
	if (r < 0)
		return -1;
	if (r > 0 || tx->plan->op != QT_OP_IMPORT)
		return qt_fail(err, QT_E_USAGE, tx->where,
		    "nothing was restored from an archive by it");
	return 0;
}

int qt_tx_imported(const struct qt_spool *spool, const char *state_dir,
    uint64_t txid, int (*each)(void *ctx, enum qt_queue from,
	const char *from_id, enum qt_queue to, const char *to_id), void *ctx,
    struct qt_error *err)
{
	struct qt_change c;
	struct qt_tx tx;
	size_t i;
	int r;

	qt_state_init(&c, spool);
	c.opts.state_dir = state_dir;
	qt_tx_init(&tx, txid);
	r = qt_state_open_readonly(&c, err);
	if (r > 0)
		r = qt_fail(err, QT_E_USAGE, tx.where, "there is none");
	if (r == 0)
		r = load(&c, &tx, err);
	for (i = 0; r == 0 && i < tx.plan->n; i++)
		r = each(ctx, (enum qt_queue)tx.plan->origin[i].queue,
		    qt_origin_id(tx.plan, i), (enum qt_queue)tx.plan->v[i].queue,
		    qt_plan_id(tx.plan, &tx.plan->v[i]));
	qt_tx_release(&tx);
	qt_state_close(&c);
	return r;
}
