/*
 * purge.c - qtool purge: the messages of transactions unlinked for good.
 *
 * Unlinking frees disk space, is slow on some file systems, and can be ended
 * and gone on with at any time.  Plan and log stay: they tell what was deleted.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "changing.h"

enum { OPT_ALL_COMMITTED = OPT_OWN, OPT_OLDER_THAN, OPT_PURGE_RATE };

struct own {
	bool all;
	int64_t older; /* seconds; -1 not given */
	bool older_set;
	unsigned rate;
};

static int option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct own *own = own_options(ctx, sizeof(*own), err);

	if (own == NULL)
		return -1;
	switch (opt->id) {
	case OPT_ALL_COMMITTED:
		own->all = true;
		return 0;
	case OPT_OLDER_THAN:
		own->older_set = true;
		return qt_parse_age(value, &own->older, err);
	case OPT_PURGE_RATE:
		return parse_rate(value, &own->rate, err);
	default:
		return 1;
	}
}

static bool can_be_purged(const struct qt_tx_info *t)
{
	/* what an undo took out of the queue that an archive has, too */
	if (t->op == QT_OP_IMPORT)
		return t->state == QT_TX_PURGING ||
		    (t->state == QT_TX_UNDONE && t->staged != 0);
	return !qt_op_places(t->op) &&
	    (t->state == QT_TX_COMMITTED || t->state == QT_TX_PURGING);
}

/* What is to be purged, in order. */
struct chosen {
	uint64_t *id;
	size_t *staged; /* messages that each holds */
	size_t n;
	uint64_t messages;
	int64_t bytes;
};

static void add(struct chosen *ch, const struct qt_tx_info *t)
{
	size_t i;

	for (i = 0; i < ch->n; i++)
		if (ch->id[i] == t->txid)
			return;
	ch->staged[ch->n] = t->staged;
	ch->id[ch->n++] = t->txid;
	ch->messages += t->staged;
	ch->bytes += t->bytes;
}

static int check_named(const struct qt_tx_info *t, const char *name,
    struct qt_error *err)
{
	if (qt_op_places(t->op) && !can_be_purged(t))
		return qt_fail(err, QT_E_REFUSED, name, "the transaction is a%s "
		    "%s: it holds no messages, they are in the queue; qtool "
		    "undo takes it back", t->op == QT_OP_IMPORT ? "n" : "",
		    qt_op_name(t->op));
	if (!can_be_purged(t))
		return qt_fail(err, QT_E_REFUSED, name, "the transaction is %s: "
		    "only what is committed can be purged",
		    qt_tx_state_name(t->state));
	return 0;
}

static int choose_named(struct chosen *ch, const struct qt_tx_list *l, int argc,
    char **argv, struct qt_error *err)
{
	const struct qt_tx_info *t;
	uint64_t id;
	int i;

	for (i = 0; i < argc; i++) {
		if (parse_txid(argv[i], &id, err) != 0)
			return -1;
		if ((t = find_tx(l, id)) == NULL)
			return qt_fail(err, QT_E_USAGE, argv[i],
			    "there is no such transaction; see qtool history");
		if (check_named(t, argv[i], err) != 0)
			return -1;
		add(ch, t);
	}
	return 0;
}

static void choose_by_age(struct chosen *ch, const struct qt_tx_list *l,
    const struct own *own)
{
	int64_t now = (int64_t)time(NULL);
	size_t i;

	for (i = 0; i < l->n; i++)
		if (can_be_purged(&l->v[i]) &&
		    (!own->older_set || l->v[i].changed <= now - own->older))
			add(ch, &l->v[i]);
}

static int choose(struct chosen *ch, const struct qt_tx_list *l,
    const struct own *own, int argc, char **argv, struct qt_error *err)
{
	ch->id = calloc(l->n + 1, sizeof(*ch->id));
	ch->staged = calloc(l->n + 1, sizeof(*ch->staged));
	if (ch->id == NULL || ch->staged == NULL)
		return qt_fail_mem(err);
	if (argc > 0)
		return choose_named(ch, l, argc, argv, err);
	choose_by_age(ch, l, own);
	return 0;
}

static void show(FILE *out, const struct chosen *ch, const char *verb)
{
	char count[48], size[16];
	size_t i;

	(void)fprintf(out, "%s for good %s, %s, of transaction%s", verb,
	    messages_text(ch->messages, count), human_bytes(ch->bytes, size),
	    ch->n == 1 ? "" : "s");
	for (i = 0; i < ch->n; i++)
		(void)fprintf(out, " %" PRIu64, ch->id[i]);
	(void)fputc('\n', out);
}

/* n messages of the i-th transaction are gone for good. */
static void answer_purged(struct answer *a, size_t i, size_t n)
{
	if (i < a->ntx)
		a->tx[i].done = (int64_t)n;
	a->done += (int64_t)n;
}

/* The i-th of them. */
static int purge_one(struct ctx *c, struct qt_change *change,
    const struct chosen *ch, size_t i)
{
	uint64_t id = ch->id[i];
	/* recovery may have ended an interrupted purge on the way */
	bool over = tx_is(c, id, QT_TX_PURGED);
	struct qt_error err = {0};
	struct qt_outcome out;
	char count[48];
	int status;

	outcome_init(c, &out);
	if (!over && qt_change_purge(change, id, &out, &err) != 0) {
		progress_end(c);
		status = change_failed(c, &err, true);
		if (out.begun) {
			answer_purged(c->answer, i, out.done);
			remark("qtool purge %" PRIu64 " goes on with it", id);
			status = EXIT_PARTLY;
		}
		return status;
	}
	progress_end(c);
	answer_purged(c->answer, i, over ? ch->staged[i] : out.done);
	if (over && !answer_wanted(c))
		(void)printf("transaction %" PRIu64 " purged\n", id);
	else if (!answer_wanted(c))
		(void)printf("transaction %" PRIu64 " purged: %s unlinked\n",
		    id, messages_text(out.done, count));
	(void)fflush(stdout);
	log_change(c, "transaction %" PRIu64 ": purged %zu", id, out.done);
	return EXIT_DONE;
}

static int purge_all(struct ctx *c, const struct own *own,
    const struct chosen *ch)
{
	struct changing how = {.purge_rate = own->rate,
	    .what = "messages unlinked"};
	struct qt_change *change = NULL;
	struct qt_error err = {0};
	int status = EXIT_DONE;
	size_t i;

	if (open_change(c, &how, &change, &err) != 0)
		return change_failed(c, &err, false);
	for (i = 0; i < ch->n && status == EXIT_DONE; i++) {
		status = purge_one(c, change, ch, i);
		if (status != EXIT_DONE && i > 0)
			status = EXIT_PARTLY;
	}
	qt_change_close(change);
	return status;
}

static void answer_chosen(struct ctx *c, const struct chosen *ch)
{
	size_t i;

	for (i = 0; i < ch->n; i++)
		answer_tx(c, ch->id[i], 0);
	c->answer->matched = c->answer->planned = (int64_t)ch->messages;
	c->answer->bytes = ch->bytes;
}

static int shown_and_asked(struct ctx *c, const struct own *own,
    const struct chosen *ch)
{
	int status;

	answer_chosen(c, ch);
	if (ch->n == 0) {
		say_why(c, "there is nothing to purge");
		return EXIT_NOTHING;
	}
	if (!c->dry_run && (status = check_can_ask(c, "purge")) != 0)
		return status;
	if (c->dry_run ? !answer_wanted(c) : !c->yes)
		show(human_out(c), ch, c->dry_run ? "would purge" : "purge");
	if (c->dry_run)
		return EXIT_DONE;
	if ((status = ask_count(c, ch->messages, "purge")) != 0)
		return status;
	return purge_all(c, own, ch);
}

static int purge(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	struct own *own = own_options(c, sizeof(*own), &err);
	struct chosen ch = {.n = 0};
	struct qt_tx_list l;
	int status;

	if (own == NULL || qt_change_allowed(c->spools.v[0], &err) != 0)
		return change_failed(c, &err, false);
	if ((argc > 0) == (own->all || own->older_set)) {
		(void)qt_fail(&err, QT_E_USAGE, "purge", argc > 0 ?
		    "transactions are named, or chosen by an option, not both" :
		    "which transaction? A number, --all-committed or --older");
		return complain_why(c, &err);
	}
	if (qt_tx_list_read(&l, c->spools.v[0], c->state_dir, &err) != 0)
		return change_failed(c, &err, false);
	if (choose(&ch, &l, own, argc, argv, &err) != 0)
		status = change_failed(c, &err, false);
	else
		status = shown_and_asked(c, own, &ch);
	free(ch.id);
	free(ch.staged);
	qt_tx_list_release(&l);
	return status;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct answer a;

	answer_begin(c, &a);
	return answer_end(c, purge(c, argc, argv));
}

static const struct qt_option own_table[] = {
    {"all-committed", 0, NULL, OPT_ALL_COMMITTED,
	"every transaction that is committed"},
    {"older", 0, "AGE", OPT_OLDER_THAN,
	"those committed longer ago (90s 15m 2h 3d 1w)"},
    {"rate", 0, "N", OPT_PURGE_RATE, "unlink at most N messages a second"},
    {"yes", 'y', NULL, OPT_YES, "do not ask; for scripts"},
    {"dry-run", 'n', NULL, OPT_DRY_RUN, "show what would happen and stop"},
    {"no-wait", 0, NULL, OPT_NO_WAIT,
	"refuse when another qtool changes this queue now"},
    {"state-dir", 0, "DIR", OPT_STATE_DIR,
	"where plan and log are, should it have moved"},
    {"json", 0, NULL, OPT_JSON, "what became of it as one JSON object"},
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"Purge", own_table},
    {"Output", plain_options},
};

const struct cmd cmd_purge = {
    .name = "purge",
    .summary = "unlink the messages of transactions for good",
    .operands = "[TRANSACTION ...]",
    .about =
	"Unlinks what committed transactions hold, and what the undo of a restore\n"
	"out of an archive took out of the queue: the space is free after it, and\n"
	"there is no undo.  Interrupted, it is gone on with by the next qtool that\n"
	"changes this queue.  The list of what was deleted stays.",
    .examples =
	"  qtool purge 7\n"
	"  qtool purge --older 2w --yes\n"
	"  qtool purge --all-committed --rate 500",
    .groups = groups,
    .ngroups = 2,
    .needs = NEED_ONE_SPOOL,
    .answers = true,
    .max_operands = -1,
    .option = option,
    .run = run,
};
