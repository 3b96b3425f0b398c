/*
 * restore.c - qtool restore: messages out of a transaction's staging, into
 * hold; or out of an archive (restore_archive.c).
 *
 * The selection runs on what the transaction or archive holds, not on the queue.
 */
#include "restoring.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

enum { OPT_REQUEUE = OPT_OWN, OPT_AGAIN };

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct restoring *own = own_options(ctx, sizeof(*own), err);

	if (own == NULL)
		return -1;
	switch (opt->id) {
	case OPT_REQUEUE:
		own->requeue = true;
		return 0;
	case OPT_AGAIN:
		own->again = true;
		return 0;
	default:
		return signers_option(&own->signers, opt, value);
	}
}

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

static int restore_transaction(struct ctx *c, int argc, char **argv)
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

/* What only one of the two sources can be told. */
static int check_options(const struct ctx *c, const struct restoring *own,
    bool archive, struct qt_error *err)
{
	if (!archive && (own->requeue || own->again ||
		own->signers.allowed != NULL))
		return qt_fail(err, QT_E_USAGE, own->requeue ? "--requeue" :
			own->again ? "--again" : "--allowed-signers",
		    "goes with an archive, not with a transaction");
	if (archive && c->plan_file != NULL)
		return qt_fail(err, QT_E_USAGE, "--plan",
		    "a plan is about messages of the queue: -n shows what "
		    "would be restored out of an archive");
	return 0;
}

static int restore(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	struct restoring *own = own_options(c, sizeof(*own), &err);
	uint64_t id;
	bool archive = parse_txid(argv[0], &id, &err) != 0;
	struct stat st;

	if (own == NULL || check_options(c, own, archive, &err) != 0)
		return change_failed(c, &err, false);
	if (!archive)
		return restore_transaction(c, argc, argv);
	if (stat(argv[0], &st) != 0 && errno == ENOENT) {
		(void)qt_fail(&err, QT_E_USAGE, argv[0],
		    "is no transaction number, and no archive of that name is "
		    "there");
		return change_failed(c, &err, false);
	}
	if (qt_change_allowed(c->spools.v[0], &err) != 0 ||
	    select_ids(c, argc - 1, argv + 1, &err) != 0)
		return change_failed(c, &err, false);
	return restore_archive(c, own, argv[0]);
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct answer a;

	answer_begin(c, &a);
	return answer_end(c, restore(c, argc, argv));
}

static const struct qt_option own_table[] = {
    {"requeue", 0, NULL, OPT_REQUEUE,
	"of an archive: into maildrop, for a new life, not into hold"},
    {"again", 0, NULL, OPT_AGAIN,
	"of an archive: also what is here, or was restored, already"},
    {"salvage", 0, NULL, OPT_SALVAGE,
	"of a damaged archive what is intact; what is not is named"},
    {"allowed-signers", 0, "FILE", OPT_ALLOWED,
	"of an archive: one of these has to have signed it (ssh-keygen(1))"},
    {"identity", 0, "NAME", OPT_IDENTITY, "of these this one"},
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
    .summary = "put messages back, out of a transaction or an archive",
    .operands = "TRANSACTION|FILE [ID ...]",
    .about =
	"Moves the messages that the selection matches among those which a\n"
	"committed transaction holds into hold, with their logs, in a transaction\n"
	"of its own; the rest stays deleted.  --queue means the queue that a\n"
	"message was taken from.  All of them: --all, or qtool undo.\n"
	"Out of an archive FILE it makes the messages that the selection matches\n"
	"anew, byte for byte, in this queue, which may be another machine's: on\n"
	"hold, or with --requeue in maildrop, from where Postfix sends them as if\n"
	"they were new.  They get queue IDs of their own, which are told.  The\n"
	"archive is verified first, whole, with its signatures.  What is in the\n"
	"queue, in a transaction, or was restored before is refused, as it would\n"
	"be sent twice.  qtool undo takes out again what is still as it was\n"
	"restored.",
    .examples =
	"  qtool restore 7 --sender boss@victim.example\n"
	"  qtool restore 7 4FJd3k1Tz2z9rP\n"
	"  qtool restore 7 -n --all --class '!forged'\n"
	"  qtool restore joe.tar.zst --sender boss@victim.example",
    .groups = groups,
    .ngroups = 4,
    .needs = NEED_ONE_SPOOL,
    .answers = true,
    .min_operands = 1,
    .max_operands = -1,
    .option = option,
    .run = run,
};
