/*
 * delete.c - qtool delete: a selection taken out of the queue, whole or not at
 * all.
 *
 * Selected, shown, confirmed, then staged and committed by src/change/.  The
 * messages lie in SPOOL/qtool until they are purged; undo brings them back.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "changing.h"
#include "pick.h"

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

/* --purge: the rest of the work, which can be gone on with at any time. */
static int purge(struct ctx *c, struct qt_change *change, uint64_t txid)
{
	struct qt_error err = {0};
	struct qt_outcome out;
	char count[48];

	outcome_init(c, &out);
	if (qt_change_purge(change, txid, &out, &err) != 0) {
		progress_end(c);
		(void)complain_why(c, &err);
		remark("transaction %" PRIu64 " is committed and not yet "
		       "purged; qtool purge %" PRIu64 " goes on with it",
		    txid, txid);
		return EXIT_PARTLY;
	}
	progress_end(c);
	if (!answer_wanted(c))
		(void)printf("transaction %" PRIu64 ": %s purged; there is no "
			     "undo\n", txid, messages_text(out.done, count));
	log_change(c, "transaction %" PRIu64 ": purged %zu", txid, out.done);
	return EXIT_DONE;
}

static void print_done(const struct ctx *c, const struct qt_outcome *out,
    const struct pick *p, bool undo)
{
	struct qt_buf cmd;
	char count[48];

	qt_buf_init(&cmd, 0);
	undo_command(c, out->txid, &cmd);
	(void)printf("transaction %" PRIu64 ": deleted %s", out->txid,
	    messages_text(out->done, count));
	if (p->already_sent != 0)
		(void)printf(", of which %" PRIu64 " had been sent already",
		    p->already_sent);
	if (out->gone != 0)
		(void)printf("; %zu had gone", out->gone);
	if (out->changed != 0)
		(void)printf("; %zu had changed and stay", out->changed);
	if (undo)
		(void)printf("; to undo: %s", qt_buf_str(&cmd));
	(void)putchar('\n');
	(void)fflush(stdout);
	qt_buf_release(&cmd);
}

static void say_done(struct ctx *c, const struct qt_outcome *out,
    const struct pick *p, bool undo)
{
	answer_outcome(c, out);
	answer_tx(c, out->txid, (int64_t)out->done);
	c->answer->undoable = true;
	if (!answer_wanted(c))
		print_done(c, out, p, undo);
	log_change(c, "transaction %" PRIu64 ": deleted %zu, gone %zu, changed "
	    "%zu, left out %" PRIu64 "%s%s", out->txid, out->done, out->gone,
	    out->changed, p->in_delivery + p->unfinished + p->foreign,
	    c->reason != NULL ? "; reason: " : "",
	    c->reason != NULL ? c->reason : "");
}

/* None of it is there as it was judged any more. */
static int nothing_left(struct ctx *c, const struct qt_outcome *out,
    const struct qt_error *err)
{
	(void)complain_why(c, err);
	return out->changed != 0 ? EXIT_FAILED : EXIT_NOTHING;
}

/* All messages are where they were, or QT_E_STATE says where some are. */
static int not_done(struct ctx *c, const struct qt_outcome *out,
    const struct qt_error *err)
{
	int status;

	progress_end(c);
	answer_outcome(c, out);
	c->answer->done = err->code == QT_E_STATE ? -1 : 0;
	if (err->code == QT_E_GONE)
		return nothing_left(c, out, err);
	status = change_failed(c, err, true);
	if (err->code != QT_E_STATE)
		remark("nothing was changed");
	return status;
}

static int carry_out(struct ctx *c, const struct own *own, struct pick *p)
{
	struct changing how = {.purge_rate = own->rate,
	    .what = "messages taken"};
	struct qt_change *change = NULL;
	struct qt_error err = {0};
	struct qt_outcome out;
	int status = EXIT_DONE;

	outcome_init(c, &out);
	if (open_change(c, &how, &change, &err) != 0)
		return change_failed(c, &err, false);
	if (qt_change_run(change, p->plan, &out, &err) != 0) {
		status = not_done(c, &out, &err);
		qt_change_close(change);
		return status;
	}
	progress_end(c);
	say_done(c, &out, p, !own->purge);
	answer_unread(c);
	if (out.gone + out.changed != 0 || pick_left_out(p) ||
	    qt_db_stats(c->db)->unreadable != 0)
		status = EXIT_PARTLY;
	if (own->purge) {
		int r;

		how.what = "messages unlinked";
		if ((r = purge(c, change, out.txid)) != EXIT_DONE)
			status = r;
	}
	qt_change_close(change);
	return status;
}

static void answer_pick(struct answer *a, const struct pick *p)
{
	a->matched = (int64_t)p->matched;
	a->planned = (int64_t)p->taken;
	a->in_delivery = (int64_t)p->in_delivery;
	a->unfinished = (int64_t)p->unfinished;
	a->foreign = (int64_t)p->foreign;
	a->already_sent = (int64_t)p->already_sent;
	a->bytes = p->bytes;
	a->recipients = (int64_t)p->recipients;
}

static int shown_and_asked(struct ctx *c, const struct own *own,
    struct pick *p)
{
	struct qt_error err = {0};
	int status;

	answer_pick(c->answer, p);
	status = pick_guard(c, p);
	if (status == 0 && !c->dry_run)
		status = check_can_ask(c, "delete");
	if (status != 0)
		return status;
	if (c->dry_run ? !answer_wanted(c) : !c->yes) {
		if (pick_show(c, p, c->dry_run ? "would delete" : "delete",
			own->purge, &err) != 0)
			return complain_why(c, &err);
	}
	if (c->dry_run)
		return EXIT_DONE;
	if ((status = ask_count(c, p->taken, "delete")) != 0)
		return status;
	return carry_out(c, own, p);
}

static int delete(struct ctx *c)
{
	struct qt_error err = {0};
	struct own *own = own_options(c, sizeof(*own), &err);
	struct pick p = {.plan = NULL};
	int status;

	if (own == NULL)
		return complain_why(c, &err);
	if (c->explain)
		return pick_explain(c);
	if (pick_run(c, &p, QT_OP_DELETE, &err) != 0 ||
	    (c->reason != NULL &&
		qt_plan_set_reason(p.plan, c->reason, &err) != 0) ||
	    qt_plan_set_argv(p.plan, c->argc, c->argv, &err) != 0)
		status = change_failed(c, &err, false);
	else
		status = shown_and_asked(c, own, &p);
	pick_release(&p);
	return status;
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
    {"json", 0, NULL, OPT_JSON, "what became of it as one JSON object"},
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
	"Takes the messages that the selection matches in hold and deferred out\n"
	"of the queue in one transaction: all of them, or none.  They are kept\n"
	"in SPOOL/qtool with their logs until qtool purge; qtool undo brings\n"
	"them back.  Before it, what will happen is shown and the number of\n"
	"messages has to be typed.  What is in delivery is left out and named;\n"
	"so is what was delivered or changed meanwhile (exit status 3).  On a\n"
	"full disk: --purge with --state-dir elsewhere, and the reserve that\n"
	"qtool recover made before; ext4 then has room for about a hundred\n"
	"messages, more are refused whole until some blocks are freed.",
    .examples =
	"  qtool delete --sasl joe@victim.example\n"
	"  qtool delete -n --sender-domain spam.example --newer 2h\n"
	"  qtool delete --ids ids.txt --expect 117 --yes --note 'ticket 4711'\n"
	"  qtool delete --all --queue hold --purge --state-dir /root/qtool",
    .groups = groups,
    .ngroups = 4,
    .needs = NEED_DB | NEED_ONE_SPOOL,
    .operands_are_ids = true,
    .max_operands = -1,
    .option = option,
    .run = run,
};
