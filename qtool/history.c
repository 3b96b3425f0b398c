/*
 * history.c - qtool history: the transactions of a queue.
 */
#include <string.h>

#include "changing.h"

static void put_string(struct qt_output *o, const char *s)
{
	if (s != NULL)
		qt_output_text(o, s, strlen(s));
	else
		qt_output_null(o);
}

static int put_tx(struct qt_output *o, const struct qt_tx_info *t,
    struct qt_error *err)
{
	bool known = t->state != QT_TX_DAMAGED || t->started != 0;

	qt_output_int(o, (int64_t)t->txid);
	if (known) {
		qt_output_time(o, t->started);
		qt_output_time(o, t->changed);
		put_string(o, qt_op_name(t->op));
	} else {
		qt_output_null(o);
		qt_output_null(o);
		qt_output_null(o);
	}
	put_string(o, qt_tx_state_name(t->state));
	qt_output_int(o, (int64_t)t->planned);
	qt_output_int(o, (int64_t)t->done);
	qt_output_int(o, (int64_t)t->staged);
	if (t->source != 0)
		qt_output_int(o, (int64_t)t->source);
	else
		qt_output_null(o);
	qt_output_bytes(o, t->bytes);
	put_string(o, t->operator_name);
	put_string(o, t->reason);
	put_string(o, t->problem);
	put_string(o, t->command);
	return qt_output_end_row(o, err);
}

/*
 * On a narrow terminal a line is what decides about undo and purge; who typed
 * what is in --json.
 */
static int put_short(struct qt_output *o, const struct qt_tx_info *t,
    struct qt_error *err)
{
	qt_output_int(o, (int64_t)t->txid);
	if (t->started != 0)
		qt_output_time(o, t->started);
	else
		qt_output_null(o);
	put_string(o, t->state != QT_TX_DAMAGED || t->started != 0 ?
		qt_op_name(t->op) : NULL);
	put_string(o, qt_tx_state_name(t->state));
	qt_output_int(o, (int64_t)t->planned);
	qt_output_int(o, (int64_t)t->staged);
	put_string(o, t->problem != NULL ? t->problem : t->reason);
	return qt_output_end_row(o, err);
}

#define NARROW 140 /* terminal columns that do not hold a whole line */

static int print(struct ctx *c, const struct qt_tx_list *l, struct qt_error *err)
{
	static const struct qt_outcol few[] = {
	    {"transaction", QT_RIGHT, 0}, {"started", QT_LEFT, 0},
	    {"operation", QT_LEFT, 0}, {"state", QT_LEFT, 0},
	    {"messages", QT_RIGHT, 0}, {"staged", QT_RIGHT, 0},
	    {"reason", QT_LEFT, 60}};
	static const struct qt_outcol cols[] = {
	    {"transaction", QT_RIGHT, 0}, {"started", QT_LEFT, 0},
	    {"changed", QT_LEFT, 0}, {"operation", QT_LEFT, 0},
	    {"state", QT_LEFT, 0}, {"messages", QT_RIGHT, 0},
	    {"done", QT_RIGHT, 0}, {"staged", QT_RIGHT, 0},
	    {"source", QT_RIGHT, 0}, {"bytes", QT_RIGHT, 0},
	    {"operator", QT_LEFT, 20}, {"reason", QT_LEFT, 30},
	    {"problem", QT_LEFT, 60}, {"command", QT_LEFT, 80}};
	bool narrow = c->format == QT_FMT_TABLE && c->width != 0 &&
	    c->width < NARROW;
	size_t n = narrow ? sizeof(few) / sizeof(few[0])
			  : sizeof(cols) / sizeof(cols[0]);
	struct qt_output *o = NULL;
	size_t i;
	int r;

	if (qt_output_new(&o, stdout, c->format, narrow ? few : cols, n,
		c->width, c->color, err) != 0)
		return -1;
	for (i = 0, r = 0; i < l->n && r == 0; i++)
		r = narrow ? put_short(o, &l->v[i], err)
			   : put_tx(o, &l->v[i], err);
	if (r == 0)
		r = qt_output_finish(o, err);
	qt_output_free(o);
	return r;
}

/* ---- one transaction ---- */

struct ids {
	struct qt_output *o;
	struct qt_error err;
};

static int put_ids(void *ctx, enum qt_queue from, const char *from_id,
    enum qt_queue to, const char *to_id)
{
	struct ids *ids = ctx;

	put_string(ids->o, qt_queue_name(from));
	put_string(ids->o, from_id);
	put_string(ids->o, qt_queue_name(to));
	put_string(ids->o, to_id);
	return qt_output_end_row(ids->o, &ids->err);
}

/* Which message of the archive is which here, of a restore. */
static int imported(struct ctx *c, const char *number)
{
	static const struct qt_outcol cols[] = {{"archive_queue", QT_LEFT, 0},
	    {"archive_id", QT_LEFT, 0}, {"queue_name", QT_LEFT, 0},
	    {"queue_id", QT_LEFT, 0}};
	struct ids ids = {.o = NULL};
	struct qt_error err = {0};
	uint64_t id;
	int r;

	if (parse_txid(number, &id, &err) != 0 ||
	    qt_output_new(&ids.o, stdout, c->format, cols, 4, c->width,
		c->color, &err) != 0)
		return complain(&err);
	r = qt_tx_imported(c->spools.v[0], c->state_dir, id, put_ids, &ids,
	    &err);
	if (r != 0 && err.code == QT_OK)
		err = ids.err;
	if (r == 0)
		r = qt_output_finish(ids.o, &err);
	qt_output_free(ids.o);
	return r == 0 ? EXIT_DONE : complain(&err);
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0};
	struct qt_tx_list l;
	int status = EXIT_DONE;
	size_t i;

	if (argc > 0)
		return imported(c, argv[0]);
	if (qt_tx_list_read(&l, c->spools.v[0], c->state_dir, &err) != 0)
		return change_failed(c, &err, false);
	if (l.n == 0 && c->format == QT_FMT_TABLE) {
		remark("no transaction was made on this queue");
		status = EXIT_NOTHING;
	} else if (print(c, &l, &err) != 0) {
		status = complain(&err);
	} else if (l.n == 0) {
		status = EXIT_NOTHING;
	}
	for (i = 0; i < l.n; i++)
		if (l.v[i].state == QT_TX_DAMAGED && status == EXIT_DONE)
			status = EXIT_PARTLY;
	qt_tx_list_release(&l);
	return status;
}

static const struct qt_option own_table[] = {
    {"state-dir", 0, "DIR", OPT_STATE_DIR,
	"where plans and logs are, should it have moved"},
    {.name = NULL},
};

static const struct qt_option_group groups[] = {
    {"History", own_table},
    {"Output", output_options},
};

const struct cmd cmd_history = {
    .name = "history",
    .summary = "the transactions of this queue and their states",
    .operands = "[TRANSACTION]",
    .about =
	"Lists what was done to this queue, oldest first: committed and placed\n"
	"can be undone, committed purged; undone can be redone, purged and\n"
	"aborted are over; prepared, aborting, undoing, redoing and purging were\n"
	"interrupted, or are being worked on now; damaged has to be looked at\n"
	"(exit status 3).  Done is how many messages went as planned, staged how\n"
	"many it holds at present, source the transaction that a restore took\n"
	"them out of.  A narrow terminal gets fewer columns.  Of one TRANSACTION\n"
	"that restored mail out of an archive (import) it lists which message\n"
	"there is which here.",
    .examples =
	"  qtool history\n"
	"  qtool history --json\n"
	"  qtool history 7 --format tsv",
    .groups = groups,
    .ngroups = 2,
    .needs = NEED_ONE_SPOOL,
    .max_operands = 1,
    .run = run,
};
