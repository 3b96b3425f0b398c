/*
 * undo.c - qtool undo: what a transaction took is put back.
 *
 * Into hold, where nothing happens to it until it is released: old mail that
 * goes back to deferred may be past its lifetime and bounce to forged senders.
 */
#include <inttypes.h>

#include "changing.h"

enum { OPT_IN_PLACE = OPT_OWN };

struct own {
	bool in_place;
};

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct own *own = own_options(ctx, sizeof(*own), err);

	(void)value;
	if (own == NULL)
		return -1;
	if (opt->id != OPT_IN_PLACE)
		return 1;
	own->in_place = true;
	return 0;
}

/* Which transaction: the one given, or the last that can be undone. */
static int choose(int argc, char **argv, const struct qt_tx_list *l,
    uint64_t *id, struct qt_error *err)
{
	const struct qt_tx_info *damaged = NULL;
	size_t i;

	*id = 0;
	if (argc > 0) {
		if (parse_txid(argv[0], id, err) != 0)
			return -1;
		return find_tx(l, *id) != NULL ? 0 : qt_fail(err, QT_E_USAGE,
		    argv[0], "there is no such transaction; see qtool history");
	}
	for (i = 0; i < l->n; i++) {
		if (l->v[i].state == QT_TX_COMMITTED ||
		    l->v[i].state == QT_TX_UNDOING)
			*id = l->v[i].txid;
		if (l->v[i].state == QT_TX_DAMAGED)
			damaged = &l->v[i];
	}
	/* it may be the very one that is meant */
	if (*id == 0 && damaged != NULL)
		return qt_fail(err, QT_E_STATE, "undo", "transaction %" PRIu64
		    ": %s", damaged->txid, damaged->problem);
	return 0;
}

static int say(struct ctx *c, const struct own *own, uint64_t id,
    const struct qt_outcome *out)
{
	char count[48];

	if (!answer_wanted(c))
		(void)printf("transaction %" PRIu64 " undone: %s put back %s\n",
		    id, messages_text(out->done, count),
		    own->in_place ? "where they were" : "into hold");
	(void)fflush(stdout);
	log_change(c, "transaction %" PRIu64 ": undone, %zu put back %s", id,
	    out->done, own->in_place ? "in place" : "into hold");
	if (out->changed == 0)
		return EXIT_DONE;
	say_why(c, "%s still in the transaction, as other messages have their "
	    "names; qtool undo %" PRIu64 " tries again",
	    messages_text(out->changed, count), id);
	return EXIT_PARTLY;
}

static int put_back(struct ctx *c, const struct own *own, uint64_t id,
    bool interrupted_before)
{
	struct changing how = {.in_place = own->in_place,
	    .what = "messages put back"};
	struct qt_change *change = NULL;
	struct qt_error err = {0};
	struct qt_outcome out;
	int status;

	outcome_init(c, &out);
	if (open_change(c, &how, &change, &err) != 0)
		return change_failed(c, &err, false);
	/* recovery may have ended it on the way */
	if (interrupted_before && tx_is(c, id, QT_TX_UNDONE)) {
		c->answer->done = c->answer->planned;
		if (!answer_wanted(c))
			(void)printf("transaction %" PRIu64 " undone\n", id);
		status = EXIT_DONE;
	} else if (qt_change_undo(change, id, &out, &err) != 0) {
		progress_end(c);
		status = change_failed(c, &err, true);
		if (out.begun) {
			answer_outcome(c, &out);
			remark("qtool undo %" PRIu64 " goes on with it", id);
			status = EXIT_PARTLY;
		}
	} else {
		progress_end(c);
		answer_outcome(c, &out);
		status = say(c, own, id, &out);
	}
	qt_change_close(change);
	if (c->answer->ntx != 0)
		c->answer->tx[0].done = c->answer->done;
	return status;
}

/* What is known before the work. */
static void answer_info(struct ctx *c, const struct qt_tx_info *t)
{
	answer_tx(c, t->txid, 0);
	c->answer->matched = c->answer->planned = (int64_t)t->staged;
	c->answer->bytes = t->bytes;
}

static int undo(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	struct own *own = own_options(c, sizeof(*own), &err);
	const struct qt_tx_info *t;
	struct qt_tx_list l;
	uint64_t id = 0;
	bool was_undoing;
	int r;

	if (own == NULL || qt_change_allowed(c->spools.v[0], &err) != 0 ||
	    qt_tx_list_read(&l, c->spools.v[0], c->state_dir, &err) != 0)
		return change_failed(c, &err, false);
	r = choose(argc, argv, &l, &id, &err);
	t = r == 0 ? find_tx(&l, id) : NULL;
	was_undoing = t != NULL && t->state == QT_TX_UNDOING;
	if (t != NULL)
		answer_info(c, t);
	qt_tx_list_release(&l);
	if (r != 0)
		return change_failed(c, &err, false);
	if (id == 0) {
		say_why(c, "there is nothing to undo");
		return EXIT_NOTHING;
	}
	return put_back(c, own, id, was_undoing);
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
    {"no-wait", 0, NULL, OPT_NO_WAIT,
	"refuse when another qtool changes this queue now"},
    {"state-dir", 0, "DIR", OPT_STATE_DIR,
	"where plan and log are, should it have moved"},
    {"json", 0, NULL, OPT_JSON, "what became of it as one JSON object"},
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Undo", own_table},
    {"Output", plain_options},
};

const struct cmd cmd_undo = {
    .name = "undo",
    .summary = "put back what a transaction took",
    .operands = "[TRANSACTION]",
    .about =
	"Puts the messages of a transaction, without a number the last one that\n"
	"can be undone, into hold with their logs: names, bytes, modes, owner\n"
	"and times as they were.  From there postsuper -H releases them.  With\n"
	"--in-place each goes back to where it was.  A message whose name\n"
	"another one has now stays in the transaction (exit status 3).",
    .examples =
	"  qtool undo\n"
	"  qtool undo 7 --in-place",
    .groups = groups,
    .ngroups = 2,
    .needs = NEED_ONE_SPOOL,
    .max_operands = 1,
    .option = option,
    .run = run,
};
