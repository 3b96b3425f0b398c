/*
 * hold.c - qtool hold: a selection out of delivery, into the hold queue.
 *
 * What is on its way (incoming, active) is taken only when its queue is named:
 * the recipients that an agent is at are delivered all the same.
 */
#include "carry.h"

static int run(struct ctx *c, int argc, char **argv)
{
	const struct carry k = {.how = {.op = QT_OP_HOLD,
	    .may = QT_Q_BIT(QT_Q_DEFERRED) | QT_Q_BIT(QT_Q_INCOMING) |
		QT_Q_BIT(QT_Q_ACTIVE),
	    .usual = QT_Q_BIT(QT_Q_DEFERRED),
	    .aside = QT_Q_BIT(QT_Q_INCOMING) | QT_Q_BIT(QT_Q_ACTIVE)}};
	struct answer a;

	(void)argc, (void)argv; /* IDs: in the selection already */
	answer_begin(c, &a);
	return answer_end(c, carry_selection(c, &k));
}

static const struct qt_option own_table[] = {
    PLAN_OPTION,
    ANSWER_OPTION,
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Hold", own_table},
    {"Change", change_options},
    {"Selection", selection_options},
    {"Output", scan_options},
};

const struct cmd cmd_hold = {
    .name = "hold",
    .summary = "put messages on hold, out of delivery",
    .operands = "[ID ...]",
    .about =
	"Moves the deferred messages that the selection matches into hold, in\n"
	"one transaction, where they stay until qtool release.  New mail, and\n"
	"mail on its way, is in incoming and active: it is counted and left\n"
	"alone unless --queue names those queues.  A message that an agent is\n"
	"at just then is left out and named; --wait waits for it.",
    .examples =
	"  qtool hold --sasl joe@victim.example\n"
	"  qtool hold --all --queue deferred,incoming,active --wait 60 --yes\n"
	"  qtool hold --sender-domain spam.example --plan /root/hold.plan",
    .groups = groups,
    .ngroups = 4,
    .needs = NEED_DB | NEED_ONE_SPOOL,
    .answers = true,
    .operands_are_ids = true,
    .max_operands = -1,
    .run = run,
};
