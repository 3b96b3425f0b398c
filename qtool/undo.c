/*
 * undo.c - qtool undo: what a transaction did is taken back; with --redo, done
 * again.
 *
 * What was deleted goes into hold, where nothing happens to it until it is
 * released: old mail that goes back to deferred may be past its lifetime and
 * bounce to forged senders.  What was moved from queue to queue goes back to
 * where it was.
 */
#include <inttypes.h>

#include "carry.h"

enum { OPT_IN_PLACE = OPT_OWN, OPT_REDO };

struct own {
	bool in_place, redo;
};

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct own *own = own_options(ctx, sizeof(*own), err);

	(void)value;
	if (own == NULL)
		return -1;
	switch (opt->id) {
	case OPT_IN_PLACE:
		own->in_place = true;
		return 0;
	case OPT_REDO:
		own->redo = true;
		return 0;
	default:
		return 1;
	}
}

/* The transaction that is to be undone or redone, and what it was before. */
struct target {
	uint64_t id; /* 0: there is none */
	enum qt_op op;
	enum qt_tx_state state;
	uint64_t source; /* QT_OP_RESTORE: out of which */
};

/* ---- which one ---- */

static bool can_be(const struct own *own, enum qt_tx_state s)
{
	if (own->redo)
		return s == QT_TX_UNDONE || s == QT_TX_REDOING;
	return s == QT_TX_COMMITTED || s == QT_TX_PLACED || s == QT_TX_UNDOING;
}

/* The one given, or the last that it can be done with. */
static int choose(const struct own *own, int argc, char **argv,
    const struct qt_tx_list *l, const struct qt_tx_info **found,
    struct qt_error *err)
{
	const struct qt_tx_info *damaged = NULL;
	uint64_t id;
	size_t i;

	if (argc > 0) {
		if (parse_txid(argv[0], &id, err) != 0)
			return -1;
		*found = find_tx(l, id);
		return *found != NULL ? 0 : qt_fail(err, QT_E_USAGE,
		    argv[0], "there is no such transaction; see qtool history");
	}
	for (i = 0; i < l->n; i++) {
		if (can_be(own, l->v[i].state))
			*found = &l->v[i];
		if (l->v[i].state == QT_TX_DAMAGED)
			damaged = &l->v[i];
	}
	/* it may be the very one that is meant */
	if (*found == NULL && damaged != NULL)
		return qt_fail(err, QT_E_STATE, "undo", "transaction %" PRIu64
		    ": %s", damaged->txid, damaged->problem);
	return 0;
}

/* ---- the outcome ---- */

/* What an undo does with the messages. */
static void what_became(const struct own *own, const struct target *t,
    char out[64])
{
	if (t->op == QT_OP_IMPORT)
		(void)snprintf(out, 64, "taken out of the queue again");
	else if (t->op == QT_OP_RESTORE)
		(void)snprintf(out, 64, "put back into transaction %" PRIu64,
		    t->source);
	else if (t->op == QT_OP_RELEASE)
		(void)snprintf(out, 64, "put back on hold");
	else if (t->op != QT_OP_HOLD && !own->in_place)
		(void)snprintf(out, 64, "put back into hold");
	else
		(void)snprintf(out, 64, "put back where they were");
}

static void say_done(struct ctx *c, const struct own *own,
    const struct target *t, uint64_t done)
{
	char count[48], what[64];

	(void)messages_text(done, count);
	what_became(own, t, what);
	if (answer_wanted(c))
		return;
	if (own->redo)
		(void)printf("transaction %" PRIu64 " redone: %s %s%s\n", t->id,
		    op_did(t->op), count, op_where(t->op));
	else
		(void)printf("transaction %" PRIu64 " undone: %s %s\n",
		    t->id, count, what);
	(void)fflush(stdout);
}

/* What did not go as the others. */
static int say_rest(struct ctx *c, const struct own *own,
    const struct target *t, const struct qt_outcome *out)
{
	char count[48];

	if (out->changed != 0 && !own->redo && tx_is(c, t->id, QT_TX_UNDOING))
		say_why(c, "%s still in the transaction, as other messages have "
		    "their names; qtool undo %" PRIu64 " tries again",
		    messages_text(out->changed, count), t->id);
	else if (out->changed != 0)
		say_why(c, "%s left alone: not as the transaction left them",
		    messages_text(out->changed, count));
	if (out->gone != 0)
		say_why(c, "%s gone since: delivered, taken by Postfix, or "
		    "removed", messages_text(out->gone, count));
	if (out->doubtful != 0)
		say_why(c, "%s may be new mail, too",
		    messages_text(out->doubtful, count));
	return out->changed + out->gone + out->doubtful != 0 ? EXIT_PARTLY :
							       EXIT_DONE;
}

static int done(struct ctx *c, const struct own *own, const struct target *t,
    const struct qt_outcome *out)
{
	char what[64];

	progress_end(c);
	answer_outcome(c, out);
	c->answer->undoable = own->redo;
	say_done(c, own, t, out->done);
	what_became(own, t, what);
	log_change(c, own->redo ? "transaction %" PRIu64 ": redone, %zu %s" :
	    "transaction %" PRIu64 ": undone, %zu %s", t->id,
	    out->done, own->redo ? op_did(t->op) : what);
	return say_rest(c, own, t, out);
}

static int failed(struct ctx *c, const struct own *own, const struct target *t,
    const struct qt_outcome *out, const struct qt_error *err)
{
	int status;

	progress_end(c);
	status = change_failed(c, err, true);
	if (!out->begun)
		return status;
	answer_outcome(c, out);
	remark("qtool undo %s%" PRIu64 " goes on with it",
	    own->redo ? "--redo " : "", t->id);
	return EXIT_PARTLY;
}

/* Recovery may have ended on the way what was interrupted before. */
static bool over(struct ctx *c, const struct own *own, const struct target *t)
{
	if (own->redo)
		return t->state == QT_TX_REDOING &&
		    tx_is(c, t->id, qt_op_places(t->op) ? QT_TX_PLACED :
							  QT_TX_COMMITTED);
	return t->state == QT_TX_UNDOING && tx_is(c, t->id, QT_TX_UNDONE);
}

static int carry_out(struct ctx *c, const struct own *own,
    const struct target *t)
{
	struct changing how = {.in_place = own->in_place,
	    .what = own->redo ? "messages moved" : "messages put back"};
	struct qt_change *change = NULL;
	struct qt_error err = {0};
	struct qt_outcome out;
	int status, r;

	outcome_init(c, &out);
	if (open_change(c, &how, &change, &err) != 0)
		return change_failed(c, &err, false);
	if (over(c, own, t)) {
		c->answer->done = c->answer->planned;
		if (!answer_wanted(c))
			(void)printf("transaction %" PRIu64 " %s\n", t->id,
			    own->redo ? "redone" : "undone");
		status = EXIT_DONE;
	} else {
		r = own->redo ? qt_change_redo(change, t->id, &out, &err) :
				qt_change_undo(change, t->id, &out, &err);
		status = r == 0 ? done(c, own, t, &out) :
				  failed(c, own, t, &out, &err);
	}
	qt_change_close(change);
	if (c->answer->ntx != 0)
		c->answer->tx[0].done = c->answer->done;
	return status;
}

/* ---- the command ---- */

/* What is known before the work. */
static void answer_info(struct ctx *c, const struct own *own,
    const struct qt_tx_info *t)
{
	size_t n = t->staged;

	if (own->redo)
		n = t->planned;
	else if (qt_op_places(t->op))
		n = t->done;
	answer_tx(c, t->txid, 0);
	c->answer->matched = c->answer->planned = (int64_t)n;
	c->answer->bytes = t->bytes;
}

static int undo(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	struct own *own = own_options(c, sizeof(*own), &err);
	const struct qt_tx_info *info = NULL;
	struct target t = {.id = 0};
	struct qt_tx_list l;
	int r;

	if (own == NULL || qt_change_allowed(c->spools.v[0], &err) != 0 ||
	    qt_tx_list_read(&l, c->spools.v[0], c->state_dir, &err) != 0)
		return change_failed(c, &err, false);
	r = choose(own, argc, argv, &l, &info, &err);
	if (r == 0 && info != NULL) {
		t = (struct target){info->txid, info->op, info->state,
		    info->source};
		answer_info(c, own, info);
	}
	qt_tx_list_release(&l);
	if (r != 0)
		return change_failed(c, &err, false);
	if (t.id == 0) {
		say_why(c, own->redo ? "no undo is there to be undone" :
				       "there is nothing to undo");
		return EXIT_NOTHING;
	}
	return carry_out(c, own, &t);
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct answer a;

	answer_begin(c, &a);
	return answer_end(c, undo(c, argc, argv));
}

static const struct qt_option own_table[] = {
    {"in-place", 0, NULL, OPT_IN_PLACE,
	"back to where each message was, not into hold"},
    {"redo", 0, NULL, OPT_REDO, "undo an undo: do again what is still as it was"},
    {"no-wait", 0, NULL, OPT_NO_WAIT,
	"refuse when another qtool changes this queue now"},
    {"state-dir", 0, "DIR", OPT_STATE_DIR,
	"where plan and log are, should it have moved"},
    ANSWER_OPTION,
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Undo", own_table},
    {"Output", plain_options},
};

const struct cmd cmd_undo = {
    .name = "undo",
    .summary = "take back what a transaction did",
    .operands = "[TRANSACTION]",
    .about =
	"Puts the messages of a transaction back, without a number those of the\n"
	"last one that can be undone: names, bytes, modes, owner and times as\n"
	"they were.  What was deleted or requeued goes into hold, with\n"
	"--in-place to where it was; a hold is undone to where each message\n"
	"was, a release into hold, a restore into the transaction that it was\n"
	"taken out of, and what was restored out of an archive is taken out of\n"
	"the queue and kept until qtool purge.\n"
	"What others held or released meanwhile is theirs.\n"
	"What Postfix has delivered or taken meanwhile is named, and so is a\n"
	"message whose name another one has now (exit status 3).  A requeued\n"
	"message that is open when it is taken back goes into hold, and is\n"
	"named, too: it may be pickup that has it, and there may be two then.",
    .examples =
	"  qtool undo\n"
	"  qtool undo 7 --in-place\n"
	"  qtool undo --redo 7",
    .groups = groups,
    .ngroups = 2,
    .needs = NEED_ONE_SPOOL,
    .answers = true,
    .max_operands = 1,
    .option = option,
    .run = run,
};
