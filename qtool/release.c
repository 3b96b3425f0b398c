/*
 * release.c - qtool release and qtool requeue: held mail let go again.
 *
 * Both can do harm with mail that was held for a reason; risk.c looks for it.
 * They are one file, as they differ in where the mail goes: release puts it
 * into deferred as it is, requeue into maildrop, from where Postfix takes it as
 * new mail (postsuper -r): rewritten, and with its lifetime before it.
 */
#include "carry.h"

enum { OPT_ALLOW = OPT_OWN, OPT_SKIP };

struct own {
	struct risks risks;
};

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct own *own = own_options(ctx, sizeof(*own), err);

	if (own == NULL)
		return -1;
	switch (opt->id) {
	case OPT_ALLOW:
		return risk_parse(value, &own->risks.allow, err);
	case OPT_SKIP:
		return risk_parse(value, &own->risks.skip, err);
	default:
		return 1;
	}
}

static int let_go(struct ctx *c, struct carry *k, unsigned asked)
{
	struct qt_error err = {0};
	struct own *own = own_options(c, sizeof(*own), &err);
	int status;

	if (own == NULL)
		return complain_why(c, &err);
	own->risks.asked = asked;
	own->risks.hold_only = true;
	if (risks_check(&own->risks, &err) != 0)
		return complain_why(c, &err);
	k->how.risks = &own->risks;
	status = carry_selection(c, k);
	risks_release(&own->risks);
	return status;
}

static int run_release(struct ctx *c, int argc, char **argv)
{
	struct carry k = {.how = {.op = QT_OP_RELEASE,
	    .may = QT_Q_BIT(QT_Q_HOLD), .usual = QT_Q_BIT(QT_Q_HOLD)}};
	struct answer a;

	(void)argc, (void)argv; /* IDs: in the selection already */
	answer_begin(c, &a);
	return answer_end(c, let_go(c, &k, RISK_BIT(RISK_OLD) |
	    RISK_BIT(RISK_NULL_SENDER) | RISK_BIT(RISK_DELETED)));
}

static int run_requeue(struct ctx *c, int argc, char **argv)
{
	const unsigned from = QT_Q_BIT(QT_Q_HOLD) | QT_Q_BIT(QT_Q_DEFERRED);
	struct carry k = {.how = {.op = QT_OP_REQUEUE, .may = from,
	    .usual = from}};
	struct answer a;

	(void)argc, (void)argv; /* IDs: in the selection already */
	answer_begin(c, &a);
	return answer_end(c, let_go(c, &k,
	    RISK_BIT(RISK_NULL_SENDER) | RISK_BIT(RISK_DELETED)));
}

static const struct qt_option release_table[] = {
    {"allow", 0, "RISK[,...]", OPT_ALLOW,
	"let such mail go: old, null-sender, deleted"},
    {"skip", 0, "RISK[,...]", OPT_SKIP, "leave such mail on hold"},
    PLAN_OPTION,
    ANSWER_OPTION,
    {.name = NULL},
};

static const struct qt_option requeue_table[] = {
    {"allow", 0, "RISK[,...]", OPT_ALLOW,
	"let such mail go: null-sender, deleted"},
    {"skip", 0, "RISK[,...]", OPT_SKIP, "leave such mail on hold"},
    PLAN_OPTION,
    ANSWER_OPTION,
    {.name = NULL},
};

static const struct qt_option_group release_groups[] = {
    {"Release", release_table},
    {"Change", change_options},
    {"Selection", selection_options},
    {"Output", scan_options},
};

static const struct qt_option_group requeue_groups[] = {
    {"Requeue", requeue_table},
    {"Change", change_options},
    {"Selection", selection_options},
    {"Output", scan_options},
};

const struct cmd cmd_release = {
    .name = "release",
    .summary = "let messages on hold go",
    .operands = "[ID ...]",
    .about =
	"Moves the messages on hold that the selection matches into deferred,\n"
	"in one transaction; Postfix tries them in its next queue run, and at\n"
	"once after postqueue -f.  Mail that would do harm is counted first, and\n"
	"is refused (exit status 4) until --allow or --skip says what is meant:\n"
	"old, past its lifetime, which goes back to its sender after one more\n"
	"attempt (requeue it instead); null-sender, notices from <>; deleted,\n"
	"what matches the selection of an earlier qtool delete.",
    .examples =
	"  qtool release -n --all\n"
	"  qtool release --all --skip old,null-sender,deleted\n"
	"  qtool release 4FJd3k1Tz2z9rP --allow old",
    .groups = release_groups,
    .ngroups = 4,
    .needs = NEED_DB | NEED_ONE_SPOOL,
    .answers = true,
    .operands_are_ids = true,
    .max_operands = -1,
    .option = option,
    .run = run_release,
};

const struct cmd cmd_requeue = {
    .name = "requeue",
    .summary = "give messages to Postfix as new mail",
    .operands = "[ID ...]",
    .about =
	"Moves the messages in hold and deferred that the selection matches into\n"
	"maildrop, in one transaction, as postsuper -r does: Postfix takes them\n"
	"as new mail, with new IDs, today's address rewriting and routing, and\n"
	"their whole lifetime before them.  What it has taken cannot be undone.\n"
	"Of the risks of release, mail from <> and mail that was deleted before\n"
	"are refused, when it is on hold.",
    .examples =
	"  qtool requeue --queue deferred --rcpt-domain moved.example\n"
	"  qtool requeue --queue hold --older 5d --skip null-sender,deleted",
    .groups = requeue_groups,
    .ngroups = 4,
    .needs = NEED_DB | NEED_ONE_SPOOL,
    .answers = true,
    .operands_are_ids = true,
    .max_operands = -1,
    .option = option,
    .run = run_requeue,
};
