/*
 * restore.c - qtool restore: messages out of a transaction's staging, into
 * hold.
 *
 * The selection runs on what the transaction holds, not on the queue.
 */
#include "carry.h"

#include <inttypes.h>

/* Whether a transaction holds messages that can be taken out of it. */
static int check_source(struct ctx *c, uint64_t id, struct qt_error *err)
{
	const struct qt_tx_info *t;
	struct qt_tx_list l;
	int r = 0;

	if (qt_tx_list_read(&l, c->spools.v[0], c->state_dir, err) != 0)
		return -1;
	t = find_tx(&l, id);
	if (t == NULL)
		r = qt_fail(err, QT_E_USAGE, "restore",
		    "there is no transaction %" PRIu64 "; see qtool history", id);
	else if (t->state == QT_TX_DAMAGED)
		r = qt_fail(err, QT_E_STATE, "restore", "transaction %" PRIu64
		    ": %s", id, t->problem);
	else if (qt_op_places(t->op))
		r = qt_fail(err, QT_E_REFUSED, "restore", "transaction %" PRIu64
		    " is a %s: its messages are in the queue", id,
		    qt_op_name(t->op));
	else if (t->state != QT_TX_COMMITTED)
		r = qt_fail(err, QT_E_REFUSED, "restore", "transaction %" PRIu64
		    " is %s: only what is committed holds messages", id,
		    qt_tx_state_name(t->state));
	qt_tx_list_release(&l);
	return r;
}

/* The transaction opened as if it were a spool, in place of the queue. */
static int open_staging(struct ctx *c, uint64_t id, struct qt_spools *staging,
    struct qt_error *err)
{
	if (qt_spools_add_tx(staging, c->spools.v[0], id, err) != 0)
		return -1;
	return open_db(c, staging, err);
}

static int restore(struct ctx *c, int argc, char **argv)
{
	struct carry k = {.how = {.op = QT_OP_RESTORE,
	    .may = QT_Q_ALL_MESSAGES}};
	struct qt_spools staging;
	struct qt_error err = {0};
	int status;

	if (qt_change_allowed(c->spools.v[0], &err) != 0 ||
	    parse_txid(argv[0], &k.how.source, &err) != 0 ||
	    select_ids(c, argc - 1, argv + 1, &err) != 0 ||
	    check_source(c, k.how.source, &err) != 0)
		return change_failed(c, &err, false);
	qt_spools_init(&staging);
	if (open_staging(c, k.how.source, &staging, &err) != 0)
		status = change_failed(c, &err, false);
	else
		status = carry_selection(c, &k);
	qt_db_close(c->db);
	c->db = NULL;
	qt_spools_release(&staging);
	return status;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct answer a;

	answer_begin(c, &a);
	return answer_end(c, restore(c, argc, argv));
}

static const struct qt_option own_table[] = {
    PLAN_OPTION,
    ANSWER_OPTION,
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Restore", own_table},
    {"Change", change_options},
    {"Selection", selection_options},
    {"Output", scan_options},
};

const struct cmd cmd_restore = {
    .name = "restore",
    .summary = "take messages out of a transaction, into hold",
    .operands = "TRANSACTION [ID ...]",
    .about =
	"Moves the messages that the selection matches among those which a\n"
	"committed transaction holds into hold, with their logs, in a transaction\n"
	"of its own; the rest stays deleted.  --queue means the queue that a\n"
	"message was taken from.  All of them: --all, or qtool undo.",
    .examples =
	"  qtool restore 7 --sender boss@victim.example\n"
	"  qtool restore 7 4FJd3k1Tz2z9rP\n"
	"  qtool restore 7 -n --all --class '!forged'",
    .groups = groups,
    .ngroups = 4,
    .needs = NEED_ONE_SPOOL,
    .min_operands = 1,
    .max_operands = -1,
    .run = run,
};
