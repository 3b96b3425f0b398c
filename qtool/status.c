/*
 * status.c - qtool status: where the incident stands.
 *
 * One pass over the queue, grouped by login, queue and state and folded here,
 * and what qtool itself did (its transactions).
 */
#include "status.h"

#include <stdlib.h>
#include <string.h>

/* ---- the queue ---- */

static const char sums_sql[] =
    "SELECT queue_name, state, sasl_username, sender = '', count(*), "
    "sum(message_size), sum(rcpt_todo), min(arrival_time), max(arrival_time) "
    "FROM messages GROUP BY sasl_username, queue_name, state, sender = '' "
    "ORDER BY sasl_username";
enum {
	C_QUEUE, C_STATE, C_LOGIN, C_NULL, C_COUNT, C_BYTES, C_TODO, C_OLDEST,
	C_NEWEST
};

static const char *text_of(const struct qt_stmt *st, int i)
{
	size_t len;

	return qt_stmt_text(st, i, &len);
}

static enum qt_state state_by_name(const char *name)
{
	int s;

	for (s = 0; s < QT_STATE_FOREIGN; s++)
		if (strcmp(qt_state_name((enum qt_state)s), name) == 0)
			break;
	return (enum qt_state)s;
}

static void add_sum(struct queue_sum *q, const struct qt_stmt *st,
    enum qt_state state)
{
	int64_t n = qt_stmt_int(st, C_COUNT);
	int64_t oldest = qt_stmt_int(st, C_OLDEST);
	int64_t newest = qt_stmt_int(st, C_NEWEST);

	q->state[state] += n;
	if (state == QT_STATE_FOREIGN) /* no message */
		return;
	q->messages += n;
	q->bytes += qt_stmt_int(st, C_BYTES);
	q->todo += qt_stmt_int(st, C_TODO);
	if (oldest != 0 && (q->oldest == 0 || oldest < q->oldest))
		q->oldest = oldest;
	if (newest > q->newest)
		q->newest = newest;
	if (qt_stmt_type(st, C_LOGIN) != QT_COL_NULL)
		q->logins += n;
}

/* One login's rows follow each other; this is the one being summed up. */
struct login {
	char *name; /* owned */
	int64_t messages, newest;
};

/* Keep the login that ends here when it has most. */
static void close_login(struct standing *s, struct login *l)
{
	if (l->name != NULL && l->messages > s->lead_messages) {
		free(s->lead);
		s->lead = l->name;
		s->lead_messages = l->messages;
		s->lead_newest = l->newest;
	} else {
		free(l->name);
	}
	*l = (struct login){0};
}

static int add_login(struct standing *s, struct login *l,
    const struct qt_stmt *st, struct qt_error *err)
{
	const char *name;

	if (qt_stmt_type(st, C_LOGIN) == QT_COL_NULL)
		return 0;
	name = text_of(st, C_LOGIN);
	if (l->name == NULL || strcmp(l->name, name) != 0) {
		close_login(s, l);
		l->name = strdup(name);
		if (l->name == NULL)
			return qt_fail_mem(err);
	}
	l->messages += qt_stmt_int(st, C_COUNT);
	if (qt_stmt_int(st, C_NEWEST) > l->newest)
		l->newest = qt_stmt_int(st, C_NEWEST);
	return 0;
}

static int add_row(struct standing *s, struct login *l,
    const struct qt_stmt *st, struct qt_error *err)
{
	enum qt_queue q = qt_queue_by_name(text_of(st, C_QUEUE));
	enum qt_state state = state_by_name(text_of(st, C_STATE));

	if (q >= QT_Q_MESSAGES)
		return 0;
	add_sum(&s->queue[q], st, state);
	add_sum(&s->total, st, state);
	if (qt_stmt_int(st, C_NULL) != 0)
		s->null_sender += qt_stmt_int(st, C_COUNT);
	return add_login(s, l, st, err);
}

static int sum_up(struct standing *s, struct qt_db *db, struct qt_error *err)
{
	struct qt_stmt *st = NULL;
	struct login l = {0};
	int r;

	r = qt_stmt_open(&st, db, sums_sql, NULL, 0, err);
	while (r == 0 && (r = qt_stmt_step(st, err)) == 0)
		r = add_row(s, &l, st, err);
	qt_stmt_close(st);
	if (r >= 0 || err->code == QT_E_INTERRUPTED) {
		close_login(s, &l);
		return 0;
	}
	free(l.name);
	return -1;
}

static void on_progress(void *ctx, const struct qt_scan_stats *stats)
{
	progress(ctx, "messages read", stats->rows, 0);
}

static void add_stats(struct qt_scan_stats *to, const struct qt_scan_stats *s)
{
	size_t i;

	to->rows += s->rows;
	to->vanished += s->vanished;
	to->bad += s->bad;
	to->unreadable += s->unreadable;
	to->dirs += s->dirs;
	to->dir_queues |= s->dir_queues;
	for (i = 0; i <= QT_STATE_FOREIGN; i++)
		to->by_state[i] += s->by_state[i];
	to->interrupted |= s->interrupted;
}

/* A database on this spool alone: two instances may share a host's name. */
static int read_queue(struct ctx *c, struct standing *s, struct qt_spool *spool,
    const struct qt_snapfile *snap, struct qt_scan_stats *stats,
    struct qt_error *err)
{
	const struct qt_db_opts opts = {.jobs = c->jobs, .stop = c->stop,
	    .progress = on_progress, .progress_ctx = c, .snapshots = snap,
	    .nsnapshots = snap != NULL};
	const struct qt_spools one = {.v = &spool, .n = spool != NULL};
	struct qt_db *db = NULL;
	int r;

	if (qt_db_open(&db, &one, &opts, err) != 0)
		return -1;
	r = sum_up(s, db, err);
	if (r == 0) {
		s->unreadable = qt_db_stats(db)->dir_queues;
		add_stats(stats, qt_db_stats(db));
	}
	qt_db_close(db);
	return r;
}

/* ---- transactions ---- */

bool transaction_is_open(enum qt_tx_state s)
{
	/* what is placed holds no mail: it is in the queue */
	return s != QT_TX_ABORTED && s != QT_TX_UNDONE && s != QT_TX_PURGED &&
	    s != QT_TX_PLACED;
}

static bool took_mail(const struct qt_tx_info *t)
{
	return !qt_op_places(t->op) && (t->state == QT_TX_COMMITTED ||
	    t->state == QT_TX_PURGING || t->state == QT_TX_PURGED);
}

/* What cannot be read is said; the queue's part is useful without it. */
static void read_transactions(struct standing *s)
{
	struct qt_error err = {0};
	size_t i;

	if (qt_tx_list_read(&s->tx, s->spool, NULL, &err) != 0) {
		(void)complain(&err);
		s->tx = (struct qt_tx_list){0};
		return;
	}
	for (i = 0; i < s->tx.n; i++) {
		s->open += transaction_is_open(s->tx.v[i].state);
		s->deleted += took_mail(&s->tx.v[i]);
	}
}

/* The i-th source: the spools, then the snapshots. */
static int standing_read(struct ctx *c, struct standing *s, size_t i,
    struct qt_scan_stats *stats, struct qt_error *err)
{
	struct qt_spool *spool = i < c->spools.n ? c->spools.v[i] : NULL;
	const struct qt_snapfile *snap = spool == NULL ?
	    &c->snaps[i - c->spools.n] : NULL;

	*s = (struct standing){.spool = spool};
	if (snap != NULL)
		s->copy = snap->name;
	else if (spool->packed != NULL)
		s->copy = spool->queue_dir;
	if (read_queue(c, s, spool, snap, stats, err) != 0)
		return -1;
	if (s->copy != NULL) /* nobody works on it */
		return 0;
	s->running = qt_spool_running(spool);
	read_transactions(s);
	return 0;
}

static void standing_release(struct standing *s)
{
	free(s->lead);
	qt_tx_list_release(&s->tx);
}

/* ---- the command ---- */

static int show_spool(struct ctx *c, struct qt_output *o, size_t i,
    struct qt_scan_stats *stats, struct qt_error *err)
{
	struct standing *s = malloc(sizeof(*s));
	int r;

	if (s == NULL)
		return qt_fail_mem(err);
	r = standing_read(c, s, i, stats, err);
	progress_end(c);
	if (r == 0 && o == NULL && i != 0)
		(void)putchar('\n');
	if (r == 0)
		r = o != NULL ? put_object(c, s, o, err) : put_standing(c, s, err);
	standing_release(s);
	free(s);
	return r;
}

static int run(struct ctx *c, int argc, char **argv)
{
	struct qt_error err = {0}, late = {0};
	struct qt_scan_stats stats = {0};
	struct qt_output *o = NULL;
	size_t i;
	int r = 0;

	(void)argc, (void)argv;
	if (c->format != QT_FMT_TABLE)
		r = objects_output(c, &o, &err);
	for (i = 0; r == 0 && i < c->spools.n + c->nsnaps; i++)
		r = show_spool(c, o, i, &stats, &err);
	if (o != NULL && qt_output_finish(o, &late) != 0 && r == 0) {
		err = late;
		r = -1;
	}
	qt_output_free(o);
	return r == 0 ? finish_stats(c, &stats, EXIT_DONE) : complain(&err);
}

static const struct qt_option_group groups[] = {{"Output", output_options}};

const struct cmd cmd_status = {
    .name = "status",
    .summary = "where the incident stands, and what to do next",
    .operands = "",
    .about =
	"Every queue with its messages, bytes, recipients to do, messages that\n"
	"have a login, age, and files that are not ok; whether Postfix runs;\n"
	"transactions that hold mail; and the six steps of an incident with\n"
	"the command for each.",
    .examples = "  qtool status\n"
		"  qtool -Q /srv/evidence/spool status --json",
    .groups = groups,
    .ngroups = 1,
    .needs = NEED_SPOOL | READS_COPIES,
    .run = run,
};
