/*
 * transaction.c - --transaction: what a transaction keeps, read in place of
 * the queue.
 */
#include "transaction.h"

#include <inttypes.h>

#include "changing.h"

/* Where the messages are once the transaction is over; NULL: it is not. */
static const char *where_they_are(enum qt_tx_state state)
{
	switch (state) {
	case QT_TX_ABORTED:
		return "they are where they were";
	case QT_TX_UNDONE:
		return "they are back in the queue";
	case QT_TX_PLACED:
		return "they are in the queue, where it put them";
	case QT_TX_PURGED:
		return "they were unlinked for good";
	case QT_TX_PREPARED:
	case QT_TX_ABORTING:
	case QT_TX_COMMITTED:
	case QT_TX_UNDOING:
	case QT_TX_PURGING:
	case QT_TX_REDOING:
	case QT_TX_DAMAGED:
		break;
	}
	return NULL;
}

/* An empty answer is a surprise to who has its number from history. */
static void say_if_empty(const struct ctx *c, const struct qt_spool *spool)
{
	struct qt_error ignored = {0}; /* then nothing is known to be said */
	const struct qt_tx_info *t;
	struct qt_tx_list l;
	const char *where;

	if (qt_tx_list_read(&l, spool, NULL, &ignored) != 0)
		return;
	t = find_tx(&l, c->transaction);
	where = t != NULL && t->staged == 0 ? where_they_are(t->state) : NULL;
	if (where != NULL)
		remark("transaction %" PRIu64 " is %s: it holds no messages; %s",
		    c->transaction, qt_tx_state_name(t->state), where);
	qt_tx_list_release(&l);
}

int transaction_check(const struct ctx *c, struct qt_error *err)
{
	if (c->transaction == 0)
		return 0;
	if (any_copy(c))
		return qt_fail(err, QT_E_USAGE, "--transaction",
		    "archives (-A) and snapshots (-D) keep none");
	if ((c->cmd->needs & READS_TX) != 0)
		return 0;
	return qt_fail(err, QT_E_USAGE, "--transaction",
	    "%s does not take it: list, top, show, query, archive and report "
	    "read what a transaction keeps", c->cmd->name);
}

int transaction_open(struct ctx *c, struct qt_error *err)
{
	struct qt_spools kept;

	if (c->spools.n != 1)
		return qt_fail(err, QT_E_USAGE, "--transaction",
		    "is one queue's, not that of %zu", c->spools.n);
	qt_spools_init(&kept);
	if (qt_spools_add_tx(&kept, c->spools.v[0], c->transaction, err) != 0) {
		qt_spools_release(&kept);
		return -1;
	}
	say_if_empty(c, kept.v[0]);
	qt_spools_release(&c->spools);
	c->spools = kept;
	return 0;
}

/* Those of one queue: there is a spool for each that holds messages. */
static int add_kept(struct ctx *c, const struct qt_spool *of,
    const struct qt_tx_list *l, struct qt_error *err)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->v[i].staged != 0 && qt_spools_add_tx(&c->spools, of,
			l->v[i].txid, err) != 0)
			return -1;
	return 0;
}

int transaction_add_all(struct ctx *c, struct qt_tx_list *list,
    struct qt_error *err)
{
	const size_t n = c->spools.n;
	struct qt_tx_list l;
	size_t i;
	int r = 0;

	*list = (struct qt_tx_list){.n = 0};
	for (i = 0; i < n && r == 0; i++) {
		if (c->spools.v[i]->packed != NULL)
			continue;
		r = qt_tx_list_read(&l, c->spools.v[i], c->state_dir, err);
		if (r != 0)
			break;
		if (c->transaction == 0)
			r = add_kept(c, c->spools.v[i], &l, err);
		if (n == 1)
			*list = l;
		else
			qt_tx_list_release(&l);
	}
	return r;
}
