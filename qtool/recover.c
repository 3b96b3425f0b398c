/*
 * recover.c - qtool recover: interrupted transactions brought to their end.
 *
 * Every command that changes the queue does this first; this one does only
 * this, and says what it did.
 */
#include <inttypes.h>

#include "carry.h"

static bool is_interrupted(const struct qt_tx_info *t)
{
	switch (t->state) {
	case QT_TX_PREPARED:
	case QT_TX_ABORTING:
	case QT_TX_UNDOING:
	case QT_TX_PURGING:
	case QT_TX_REDOING:
		return true;
	case QT_TX_COMMITTED: /* and not all of it is placed */
		return qt_op_places(t->op);
	default:
		return false;
	}
}

/* Of an operation that leaves nothing in staging. */
static void say_placed(const struct qt_tx_info *is)
{
	char count[48];

	(void)printf("transaction %" PRIu64 ": ", is->txid);
	if (is->state == QT_TX_PLACED)
		(void)printf("gone on with, %s %s%s\n", op_did(is->op),
		    messages_text(is->done, count), op_where(is->op));
	else
		(void)printf("%s\n", qt_tx_state_name(is->state));
}

/* One transaction that is not what it was. */
static void say(const struct qt_tx_info *was, const struct qt_tx_info *is)
{
	char count[48];

	if (qt_op_places(is->op)) {
		say_placed(is);
		return;
	}
	(void)printf("transaction %" PRIu64 ": ", is->txid);
	switch (is->state) {
	case QT_TX_ABORTED:
		(void)printf("aborted, %s put back where they were\n",
		    messages_text(was->staged, count));
		break;
	case QT_TX_UNDONE:
		(void)printf("undone, the last %s put back\n",
		    messages_text(was->staged, count));
		break;
	case QT_TX_PURGED:
		(void)printf("purged, the last %s unlinked\n",
		    messages_text(was->staged, count));
		break;
	default:
		(void)printf("%s, holds %s\n", qt_tx_state_name(is->state),
		    messages_text(is->staged, count));
		break;
	}
}

/* How many messages recovery moved. */
static size_t moved(const struct qt_tx_info *was, const struct qt_tx_info *is)
{
	if (qt_op_places(is->op))
		return is->state == QT_TX_PLACED ? is->done : 0;
	return was->staged > is->staged ? was->staged - is->staged :
					  is->staged - was->staged;
}

static void answer_change(struct ctx *c, const struct qt_tx_info *was,
    const struct qt_tx_info *is)
{
	size_t done = moved(was, is);

	answer_tx(c, is->txid, (int64_t)done);
	c->answer->done += (int64_t)done;
}

/*
 * On a full disk nothing stays of a transaction that was aborted, so that its
 * directories are there for the next one.
 */
static size_t say_withdrawn(struct ctx *c, const struct qt_tx_list *before,
    const struct qt_tx_list *after)
{
	struct qt_tx_info is;
	size_t i, n = 0;

	for (i = 0; i < before->n; i++) {
		if (find_tx(after, before->v[i].txid) != NULL ||
		    before->v[i].staged == 0)
			continue;
		is = before->v[i];
		is.state = QT_TX_ABORTED;
		is.staged = 0;
		answer_change(c, &before->v[i], &is);
		if (!answer_wanted(c))
			say(&before->v[i], &is);
		n++;
	}
	return n;
}

/* What differs between before and after. */
static size_t say_all(struct ctx *c, const struct qt_tx_list *before,
    const struct qt_tx_list *after)
{
	const struct qt_tx_info *was, *is;
	size_t i, n = say_withdrawn(c, before, after);

	for (i = 0; i < after->n; i++) {
		is = &after->v[i];
		was = find_tx(before, is->txid);
		if (was != NULL && (was->state != is->state ||
				       was->staged != is->staged)) {
			answer_change(c, was, is);
			if (!answer_wanted(c))
				say(was, is);
			n++;
		}
	}
	return n;
}

/* What recovery could not bring to an end. */
static size_t say_left(struct ctx *c, const struct qt_tx_list *after)
{
	const struct qt_tx_info *is;
	size_t i, n = 0;

	for (i = 0; i < after->n; i++) {
		is = &after->v[i];
		if (!is_interrupted(is))
			continue;
		n++;
		c->answer->changed += (int64_t)is->staged;
		if (qt_op_places(is->op))
			say_why(c, "transaction %" PRIu64 " is still %s: names "
			    "of its messages are taken", is->txid,
			    qt_tx_state_name(is->state));
		else
			say_why(c, "transaction %" PRIu64 " is still %s: %zu "
			    "messages whose names are taken in the queue",
			    is->txid, qt_tx_state_name(is->state), is->staged);
	}
	return n;
}

/* Recovery stopped half way: what it did before that, and the status for it. */
static int stopped_recovery(struct ctx *c, const struct qt_tx_list *before,
    const struct qt_error *why)
{
	struct qt_error ignored = {0};
	struct qt_tx_list after;
	size_t said = 0;
	int status;

	if (qt_tx_list_read(&after, c->spools.v[0], c->state_dir, &ignored) == 0) {
		said = say_all(c, before, &after);
		qt_tx_list_release(&after);
	}
	status = change_failed(c, why, said != 0);
	return said != 0 && status == EXIT_FAILED ? EXIT_PARTLY : status;
}

/* Each message that was not moved as it was decided is named. */
struct told {
	struct qt_outcome as; /* how */
	size_t n;
};

static void report(void *ctx, enum qt_fate fate, const char *queue,
    const char *id)
{
	struct told *t = ctx;

	t->n++;
	t->as.report(t->as.report_ctx, fate, queue, id);
}

static int bring_to_end(struct ctx *c, const struct qt_tx_list *before)
{
	struct told told;
	struct qt_change_opts opts = {.state_dir = c->state_dir,
	    .no_wait = c->no_wait, .stop = c->stop, .report = report,
	    .report_ctx = &told, .hand = roles_hand(c)};
	struct qt_change *change = NULL;
	struct qt_tx_list after;
	struct qt_error err = {0};
	size_t recovered = 0, left, said;

	told = (struct told){.n = 0};
	outcome_init(c, &told.as);
	if (qt_change_open(&change, c->spools.v[0], &opts, &recovered, &err) != 0)
		return stopped_recovery(c, before, &err);
	if (qt_tx_list_read(&after, c->spools.v[0], c->state_dir, &err) != 0) {
		qt_change_close(change);
		return change_failed(c, &err, false);
	}
	said = say_all(c, before, &after);
	left = say_left(c, &after);
	if (recovered > said && !answer_wanted(c))
		(void)printf("%zu transaction%s that had not begun removed\n",
		    recovered - said, recovered - said == 1 ? "" : "s");
	if (recovered == 0 && said == 0 && left == 0 && !c->quiet &&
	    !answer_wanted(c))
		(void)printf("nothing to recover\n");
	if (recovered != 0)
		log_change(c, "recovered %zu interrupted transactions",
		    recovered);
	qt_tx_list_release(&after);
	qt_change_close(change);
	return left + told.n != 0 ? EXIT_PARTLY : EXIT_DONE;
}

static void answer_before(struct answer *a, const struct qt_tx_list *before)
{
	size_t i;

	a->matched = 0;
	for (i = 0; i < before->n; i++)
		if (is_interrupted(&before->v[i]))
			a->matched += (int64_t)before->v[i].staged;
	a->planned = a->matched;
}

static int recover(struct ctx *c)
{
	struct qt_error err = {0};
	struct qt_tx_list before;
	int status;

	if (qt_change_allowed(c->spools.v[0], &err) != 0 ||
	    qt_tx_list_read(&before, c->spools.v[0], c->state_dir, &err) != 0)
		return change_failed(c, &err, false);
	answer_before(c->answer, &before);
	status = bring_to_end(c, &before);
	qt_tx_list_release(&before);
	return status;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct answer a;

	(void)argc, (void)argv;
	answer_begin(c, &a);
	return answer_end(c, recover(c));
}

static const struct qt_option own_table[] = {
    {"no-wait", 0, NULL, OPT_NO_WAIT,
	"refuse when another qtool changes this queue now"},
    {"state-dir", 0, "DIR", OPT_STATE_DIR,
	"where plan and log are, should it have moved"},
    {"json", 0, NULL, OPT_JSON, "what became of it as one JSON object"},
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Recover", own_table},
    {"Output", plain_options},
};

const struct cmd cmd_recover = {
    .name = "recover",
    .summary = "bring interrupted transactions to their end",
    .operands = "",
    .about =
	"After a crash, a kill or a power cut: what was not committed goes back\n"
	"to where it was, what was committed stays taken, and what was decided\n"
	"(a hold, release, requeue or restore, an undo, a purge) is ended.\n"
	"What had gone, was changed or is in delivery is named (exit status 3).\n"
	"Doing it twice changes nothing more.  Every command that changes the\n"
	"queue does the same first, and so does qtool-recover.service before\n"
	"Postfix starts.  It also makes a reserve in SPOOL/qtool: run it once\n"
	"before a disk is full.  Several queues (-Q, -c, --all-instances) are\n"
	"recovered one after the other, whatever becomes of one of them.",
    .examples = "  qtool recover\n"
		"  qtool --all-instances recover",
    .groups = groups,
    .ngroups = 2,
    .needs = NEED_ONE_SPOOL | EACH_SPOOL,
    .answers = true,
    .run = run,
};
