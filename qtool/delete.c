/*
 * delete.c - qtool delete: a selection taken out of the queue, whole or not at
 * all.
 *
 * Selected, shown, confirmed, then staged and committed by src/change/.  The
 * messages lie in SPOOL/qtool until they are purged; undo brings them back.
 */
#include "carry.h"

enum { OPT_PURGE = OPT_OWN, OPT_PURGE_RATE };

struct own {
	bool purge;
	unsigned rate; /* 0: as fast as it goes */
};

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct own *own = own_options(ctx, sizeof(*own), err);

	if (own == NULL)
		return -1;
	switch (opt->id) {
	case OPT_PURGE:
		own->purge = true;
		return 0;
	case OPT_PURGE_RATE:
		return parse_rate(value, &own->rate, err);
	default:
		return 1;
	}
}

static int delete(struct ctx *c)
{
	struct carry k = {.how = {.op = QT_OP_DELETE,
	    .may = QT_Q_BIT(QT_Q_HOLD) | QT_Q_BIT(QT_Q_DEFERRED) |
		QT_Q_BIT(QT_Q_INCOMING) | QT_Q_BIT(QT_Q_ACTIVE),
	    .usual = QT_Q_BIT(QT_Q_HOLD) | QT_Q_BIT(QT_Q_DEFERRED)}};
	struct qt_error err = {0};
	struct own *own = own_options(c, sizeof(*own), &err);

	if (own != NULL && own->purge && c->plan_file != NULL)
		(void)qt_fail(&err, QT_E_USAGE, "--plan",
		    "a plan does not purge: qtool purge does, after qtool apply");
	if (err.code != QT_OK)
		return complain_why(c, &err);
	k.for_good = own->purge;
	k.purge_rate = own->rate;
	k.after = own->purge ? carry_purge : NULL;
	return carry_selection(c, &k);
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct answer a;

	(void)argc, (void)argv; /* IDs: in the selection already */
	answer_begin(c, &a);
	return answer_end(c, delete(c));
}

static const struct qt_option own_table[] = {
    {"purge", 0, NULL, OPT_PURGE,
	"unlink at once, without undo: for a full disk"},
    {"purge-rate", 0, "N", OPT_PURGE_RATE, "unlink at most N messages a second"},
    PLAN_OPTION,
    ANSWER_OPTION,
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Delete", own_table},
    {"Change", change_options},
    {"Selection", selection_options},
    {"Output", scan_options},
};

const struct cmd cmd_delete = {
    .name = "delete",
    .summary = "take messages out of the queue, to be undone or purged",
    .operands = "[ID ...]",
    .about =
	"Takes the messages that the selection matches in hold and deferred, or\n"
	"in the queues that --queue names, out of the queue in one transaction:\n"
	"all of them, or none.  They are kept in SPOOL/qtool with their logs\n"
	"until qtool purge; qtool undo brings them back.  Before it, what will happen is shown and the number of\n"
	"messages has to be typed.  What is in delivery is left out and named;\n"
	"so is what was delivered or changed meanwhile (exit status 3).  On a\n"
	"full disk: --purge with --state-dir elsewhere, and the reserve that\n"
	"qtool recover made before: 4 MiB, less on a small disk, which are room\n"
	"for some 30,000 messages at once.  More are refused whole: take fewer\n"
	"first.",
    .examples =
	"  qtool delete --sasl joe@victim.example\n"
	"  qtool delete -n --sender-domain spam.example --newer 2h\n"
	"  qtool delete --ids ids.txt --expect 117 --yes --note 'ticket 4711'\n"
	"  qtool delete --all --queue hold --purge --state-dir /root/qtool",
    .groups = groups,
    .ngroups = 4,
    .needs = NEED_DB | NEED_ONE_SPOOL,
    .answers = true,
    .operands_are_ids = true,
    .max_operands = -1,
    .option = option,
    .run = run,
};
