/*
 * carry.c - a change from the command line to its outcome.
 *
 * Selection, preview, guards, the question; then the plan is carried out by
 * src/change/ in one transaction, or written to a file.  What was left out,
 * gone or changed is named on the way and turns the exit status.
 */
#include "carry.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *did, *where;
} words[QT_OPS] = {
    [QT_OP_DELETE] = {"deleted", ""},
    [QT_OP_ARCHIVE] = {"archived and took", ""},
    [QT_OP_HOLD] = {"held", ""},
    [QT_OP_RELEASE] = {"released", " into deferred"},
    [QT_OP_REQUEUE] = {"requeued", ""},
    [QT_OP_RESTORE] = {"restored", " into hold"},
    [QT_OP_IMPORT] = {"restored", ""},
};

const char *op_verb(enum qt_op op)
{
	return qt_op_name(op == QT_OP_IMPORT ? QT_OP_RESTORE : op);
}

const char *op_did(enum qt_op op)
{
	return op < QT_OPS ? words[op].did : "changed";
}

const char *op_where(enum qt_op op)
{
	return op < QT_OPS ? words[op].where : "";
}

void put_queues(FILE *out, const uint64_t by_queue[QT_Q_COUNT])
{
	const char *sep = "";
	char part[32];
	int q;

	for (q = 0; q < QT_Q_COUNT; q++)
		if (by_queue[q] != 0) {
			(void)fprintf(out, "%s%s %s", sep,
			    qt_queue_name((enum qt_queue)q),
			    human_count(by_queue[q], part));
			sep = ", ";
		}
}

/* ---- the outcome ---- */

static void print_done(const struct ctx *c, const struct carry *k,
    enum qt_op op, const struct qt_outcome *out, uint64_t already_sent)
{
	struct qt_buf cmd;
	char count[48];

	qt_buf_init(&cmd, 0);
	undo_command(c, out->txid, &cmd);
	(void)printf("transaction %" PRIu64 ": %s %s%s", out->txid, op_did(op),
	    messages_text(out->done, count),
	    k->where != NULL ? k->where : op_where(op));
	if (already_sent != 0)
		(void)printf(", of which %" PRIu64 " had been sent already",
		    already_sent);
	if (out->gone != 0)
		(void)printf("; %zu had gone", out->gone);
	if (out->changed != 0)
		(void)printf("; %zu had changed and stay", out->changed);
	if (!k->for_good)
		(void)printf("; to undo: %s", qt_buf_str(&cmd));
	(void)putchar('\n');
	(void)fflush(stdout);
	qt_buf_release(&cmd);
}

/*
 * qmgr(8) keeps what it has read of a message until its delivery would have
 * ended, wherever the file is by then; a reload makes it forget.
 */
static void warn_of_memory(struct ctx *c, const struct carry *k,
    const struct qt_plan *plan)
{
	uint64_t active = 0;
	char count[48];
	size_t i;

	for (i = 0; i < qt_plan_count(plan); i++)
		active += qt_plan_queue_of(plan, i) == QT_Q_ACTIVE;
	c->answer->from_active = (int64_t)active;
	if (active != 0 && !k->for_good)
		remark("%s out of active: Postfix has read that mail already; "
		       "let go or undone before it forgets that, it may be sent "
		       "twice, or removed unsent: \"postfix reload\" first",
		    messages_text(active, count));
}

static void say_done(struct ctx *c, const struct carry *k, enum qt_op op,
    const struct qt_outcome *out, const struct pick *p)
{
	uint64_t left = p != NULL ? p->in_delivery + p->unfinished + p->foreign +
	    p->unfit : 0;

	answer_outcome(c, out);
	answer_tx(c, out->txid, (int64_t)out->done);
	c->answer->undoable = true;
	if (!answer_wanted(c))
		print_done(c, k, op, out, p != NULL ? p->already_sent : 0);
	log_change(c, "transaction %" PRIu64 ": %s %zu, gone %zu, changed "
	    "%zu, left out %" PRIu64 "%s%s", out->txid, op_did(op), out->done,
	    out->gone, out->changed, left, c->reason != NULL ? "; reason: " : "",
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

static bool is_whole(const struct ctx *c, const struct qt_outcome *out,
    const struct pick *p)
{
	if (out->gone + out->changed != 0)
		return false;
	return p == NULL ||
	    (!pick_left_out(p) && qt_db_stats(c->db)->unreadable == 0);
}

int carry_plan(struct ctx *c, const struct carry *k, struct qt_plan *plan,
    const struct pick *p)
{
	struct changing how = {.purge_rate = k->purge_rate,
	    .decide = k->decide, .decide_ctx = k->decide_ctx, .plan = plan,
	    .supply = k->supply, .supply_ctx = k->supply_ctx,
	    .again = k->again,
	    .what = qt_op_places(qt_plan_op(plan)) ? "messages moved" :
						     "messages taken"};
	struct qt_change *change = NULL;
	struct qt_error err = {0};
	struct qt_outcome out;
	int status = EXIT_DONE, r;

	outcome_init(c, &out);
	if (open_change(c, &how, &change, &err) != 0)
		return change_failed(c, &err, false);
	if (qt_change_run(change, plan, &out, &err) != 0) {
		status = not_done(c, &out, &err);
		qt_change_close(change);
		return status;
	}
	progress_end(c);
	say_done(c, k, qt_plan_op(plan), &out, p);
	warn_of_memory(c, k, plan);
	if (p != NULL)
		answer_unread(c);
	if (!is_whole(c, &out, p))
		status = EXIT_PARTLY;
	if (k->after != NULL &&
	    (r = k->after(c, &how, change, out.txid)) != EXIT_DONE)
		status = r;
	qt_change_close(change);
	return status;
}

/* ---- --purge ---- */

int carry_purge(struct ctx *c, struct changing *how, struct qt_change *change,
    uint64_t txid)
{
	struct qt_error err = {0};
	struct qt_outcome out;
	char count[48];

	how->what = "messages unlinked";
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

/* ---- --plan ---- */

static int save_plan(struct ctx *c, struct pick *p)
{
	struct qt_error err = {0};
	struct qt_buf cmd;
	char count[48];

	if (qt_plan_save(p->plan, c->spools.v[0], c->plan_file, &err) != 0)
		return change_failed(c, &err, false);
	c->answer->plan = c->plan_file;
	answer_unread(c);
	qt_buf_init(&cmd, 0);
	command_prefix(c, &cmd);
	qt_buf_adds(&cmd, " apply ");
	shell_word(&cmd, c->plan_file);
	if (!answer_wanted(c))
		(void)printf("%s planned, and nothing was changed; to carry it "
			     "out: %s\n", messages_text(p->taken, count),
		    qt_buf_str(&cmd));
	qt_buf_release(&cmd);
	return pick_left_out(p) || qt_db_stats(c->db)->unreadable != 0 ?
	    EXIT_PARTLY : EXIT_DONE;
}

/* ---- before it ---- */

/* Preview and question, or what stands in for them; 0, or the exit status. */
static int ask(struct ctx *c, const struct carry *k, const struct pick *p)
{
	const char *verb = op_verb(k->how.op);
	bool planned = c->dry_run || c->plan_file != NULL;
	struct qt_error err = {0};
	char heading[48];
	int status;

	if (!planned && (status = check_can_ask(c, verb)) != 0)
		return status;
	(void)snprintf(heading, sizeof(heading), "%s%s",
	    planned ? "would " : "", verb);
	if ((planned ? !answer_wanted(c) : !c->yes) &&
	    pick_show(c, p, heading, k->for_good, &err) != 0)
		return complain_why(c, &err);
	return planned ? 0 : ask_count(c, p->taken, verb);
}

static int shown_and_asked(struct ctx *c, const struct carry *k, struct pick *p)
{
	const struct risks *risks = k->how.risks;
	int status;

	pick_answer(c->answer, p);
	status = pick_guard(c, p);
	/* a dry run shows what it is that would be refused */
	if (status == 0 && risks != NULL && !c->dry_run)
		status = risks_guard(c, risks);
	if (status == 0)
		status = ask(c, k, p);
	if (status != 0)
		return status;
	if (c->dry_run && k->dry_check != NULL)
		return k->dry_check(c, k, p);
	if (c->dry_run)
		return risks != NULL ? risks_guard(c, risks) : EXIT_DONE;
	return c->plan_file != NULL ? save_plan(c, p) :
				      carry_plan(c, k, p->plan, p);
}

/* Said before a long selection runs for nothing. */
static int check_plan_file(const struct ctx *c, struct qt_error *err)
{
	if (c->plan_file == NULL || access(c->plan_file, F_OK) != 0)
		return 0;
	return qt_fail(err, QT_E_USAGE, c->plan_file,
	    "the file is there already");
}

int carry_selection(struct ctx *c, const struct carry *k)
{
	struct qt_error err = {0};
	struct pick p = {.plan = NULL};
	int status;

	if (c->explain)
		return pick_explain(c, &k->how);
	if (check_plan_file(c, &err) != 0 ||
	    pick_run(c, &p, &k->how, &err) != 0 ||
	    (c->reason != NULL &&
		qt_plan_set_reason(p.plan, c->reason, &err) != 0) ||
	    qt_plan_set_argv(p.plan, c->argc, c->argv, &err) != 0)
		status = change_failed(c, &err, false);
	else
		status = shown_and_asked(c, k, &p);
	pick_release(&p);
	return status;
}
