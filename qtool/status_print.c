/*
 * status_print.c - qtool status as a page for reading, and as an object.
 */
#include "status.h"

#include <string.h>
#include <time.h>

#include "qtool/escape.h"

/* ---- for reading ---- */

static void put_escaped(const char *text)
{
	struct qt_buf b;

	qt_buf_init(&b, 0);
	qt_escape_cell(&b, text, strlen(text));
	(void)fputs(qt_buf_str(&b), stdout);
	qt_buf_release(&b);
}

static void put_age(struct qt_output *o, int64_t time_of)
{
	char age[16];

	if (time_of == 0) {
		qt_output_null(o);
		return;
	}
	(void)human_age(time(NULL) - time_of, age);
	qt_output_text(o, age, strlen(age));
}

/* "2 corrupt, 1 foreign" */
static void put_states(struct qt_output *o, const struct queue_sum *q,
    bool unreadable)
{
	struct qt_buf b;
	int i;

	qt_buf_init(&b, 0);
	if (unreadable)
		qt_buf_adds(&b, "cannot be read");
	for (i = QT_STATE_OK + 1; i <= QT_STATE_FOREIGN; i++)
		if (q->state[i] != 0)
			qt_buf_addf(&b, "%s%lld %s", b.len != 0 ? ", " : "",
			    (long long)q->state[i],
			    qt_state_name((enum qt_state)i));
	if (b.len != 0)
		qt_output_text(o, qt_buf_str(&b), b.len);
	else
		qt_output_null(o);
	qt_buf_release(&b);
}

static int put_queue(struct qt_output *o, const char *name,
    const struct queue_sum *q, bool unreadable, struct qt_error *err)
{
	qt_output_text(o, name, strlen(name));
	qt_output_int(o, q->messages);
	qt_output_bytes(o, q->bytes);
	qt_output_int(o, q->todo);
	qt_output_int(o, q->logins);
	put_age(o, q->oldest);
	put_age(o, q->newest);
	put_states(o, q, unreadable);
	return qt_output_end_row(o, err);
}

static int put_queues(struct ctx *c, const struct standing *s,
    struct qt_error *err)
{
	static const struct qt_outcol cols[] = {{"queue", QT_LEFT, 0},
	    {"messages", QT_RIGHT, 0}, {"bytes", QT_RIGHT, 0},
	    {"to do", QT_RIGHT, 0}, {"with login", QT_RIGHT, 0},
	    {"oldest", QT_RIGHT, 0}, {"newest", QT_RIGHT, 0},
	    {"not ok", QT_LEFT, 0}};
	struct qt_output *o = NULL;
	int i, r;

	if (qt_output_new(&o, stdout, QT_FMT_TABLE, cols,
		sizeof(cols) / sizeof(cols[0]), c->width, c->color, err) != 0)
		return -1;
	r = 0;
	for (i = 0; r == 0 && i < QT_Q_MESSAGES; i++)
		r = put_queue(o, qt_queue_name((enum qt_queue)i), &s->queue[i],
		    (s->unreadable & QT_Q_BIT(i)) != 0, err);
	if (r == 0)
		r = put_queue(o, "all", &s->total, false, err);
	if (r == 0)
		r = qt_output_finish(o, err);
	qt_output_free(o);
	return r;
}

static void put_transactions(const struct ctx *c, const struct standing *s)
{
	const struct qt_tx_info *t;
	struct qt_buf qtool;
	char when[32];
	size_t i;

	if (s->open == 0)
		return;
	qt_buf_init(&qtool, 0);
	standing_prefix(c, s, &qtool);
	(void)fputs("\nOpen transactions; to give the mail back, or to end it:\n  ",
	    stdout);
	put_escaped(qt_buf_str(&qtool));
	(void)fputs(" undo N\n  ", stdout);
	put_escaped(qt_buf_str(&qtool));
	(void)puts(" purge N\n");
	qt_buf_release(&qtool);
	for (i = 0; i < s->tx.n; i++) {
		t = &s->tx.v[i];
		if (!transaction_is_open(t->state))
			continue;
		(void)printf("  %llu  %s  %s  %zu message%s  %s",
		    (unsigned long long)t->txid, qt_op_name(t->op),
		    qt_tx_state_name(t->state), t->planned,
		    t->planned == 1 ? "" : "s",
		    human_time(t->started, when));
		if (t->reason != NULL) {
			(void)fputs("  ", stdout);
			put_escaped(t->reason);
		}
		(void)putchar('\n');
	}
}

static void put_command(const struct step *t)
{
	if (t->command.len == 0)
		return;
	(void)fputs("     ", stdout);
	put_escaped(qt_buf_str(&t->command));
	(void)putchar('\n');
}

static void put_steps(const struct step *steps, const struct standing *s)
{
	const char *next = next_command(steps, s);
	int i;

	(void)puts("\nThe six steps:");
	for (i = 0; i < NSTEPS; i++) {
		/* what goes beyond 80 columns beside it stands below */
		(void)printf("  %d  %-18s  %-9s%s", i + 1, steps[i].name,
		    steps[i].state, steps[i].why.len <= 44 ? "  " : "\n     ");
		put_escaped(qt_buf_str(&steps[i].why));
		(void)putchar('\n');
		put_command(&steps[i]);
	}
	if (*next != '\0') {
		(void)fputs("\nNext:  ", stdout);
		put_escaped(next);
		(void)putchar('\n');
	} else if (s->total.messages == 0) {
		(void)puts("\nThe queue is empty.");
	}
}

/* "(read as postfix, ...)" */
static void put_held(const struct qt_confined *h)
{
	struct qt_buf b;

	qt_buf_init(&b, 0);
	qt_buf_addc(&b, '(');
	held_text(&b, h);
	qt_buf_addc(&b, ')');
	put_escaped(qt_buf_str(&b));
	(void)puts("\n");
	qt_buf_release(&b);
}

int put_standing(struct ctx *c, const struct standing *s,
    struct qt_error *err)
{
	struct step steps[NSTEPS];

	if (s->copy != NULL) {
		(void)fputs(s->spool != NULL ? "Archive " : "Snapshot ",
		    stdout);
		put_escaped(s->copy);
		(void)puts("; a copy: nothing in it changes");
		put_held(&c->roles.held);
		return put_queues(c, s, err);
	}
	(void)fputs("Queue ", stdout);
	put_escaped(s->spool->queue_dir);
	if (s->spool->config_dir != NULL) {
		(void)fputs(" of ", stdout);
		put_escaped(s->spool->config_dir);
	}
	(void)printf("; Postfix %s\n", s->running ? "runs" : "does not run");
	put_held(&c->roles.held);
	if (put_queues(c, s, err) != 0)
		return -1;
	put_transactions(c, s);
	steps_make(steps, c, s);
	put_steps(steps, s);
	steps_release(steps);
	return 0;
}

/* ---- as objects ---- */

static void json_text(struct qt_buf *b, const char *key, const char *text)
{
	qt_buf_addf(b, "\"%s\": ", key);
	qt_json_string(b, text);
}

static void json_queues(struct qt_buf *b, const struct standing *s)
{
	const struct queue_sum *q;
	int i, k;

	for (i = 0; i < QT_Q_MESSAGES; i++) {
		q = &s->queue[i];
		qt_buf_addf(b,
		    "%s{\"queue_name\": \"%s\", \"messages\": %lld, \"bytes\": "
		    "%lld, \"rcpt_todo\": %lld, \"with_login\": %lld, "
		    "\"oldest\": %lld, \"newest\": %lld",
		    i != 0 ? ", " : "[", qt_queue_name((enum qt_queue)i),
		    (long long)q->messages, (long long)q->bytes,
		    (long long)q->todo, (long long)q->logins,
		    (long long)q->oldest, (long long)q->newest);
		for (k = 0; k <= QT_STATE_FOREIGN; k++)
			qt_buf_addf(b, ", \"%s\": %lld",
			    qt_state_name((enum qt_state)k),
			    (long long)q->state[k]);
		qt_buf_addf(b, ", \"unreadable\": %s}",
		    (s->unreadable & QT_Q_BIT(i)) != 0 ? "true" : "false");
	}
	qt_buf_addc(b, ']');
}

static void json_transactions(struct qt_buf *b, const struct standing *s)
{
	const struct qt_tx_info *t;
	const char *sep = "";
	size_t i;

	qt_buf_addc(b, '[');
	for (i = 0; i < s->tx.n; i++) {
		t = &s->tx.v[i];
		if (!transaction_is_open(t->state))
			continue;
		qt_buf_addf(b, "%s{\"txid\": %llu, \"op\": \"%s\", \"state\": "
			       "\"%s\", \"messages\": %zu, \"started\": %lld, ",
		    sep, (unsigned long long)t->txid, qt_op_name(t->op),
		    qt_tx_state_name(t->state), t->planned,
		    (long long)t->started);
		json_text(b, "reason", t->reason);
		qt_buf_addc(b, '}');
		sep = ", ";
	}
	qt_buf_addc(b, ']');
}

static void json_steps(struct qt_buf *b, const struct step *steps)
{
	int i;

	for (i = 0; i < NSTEPS; i++) {
		qt_buf_addf(b, "%s{\"step\": %d, ", i != 0 ? ", " : "[", i + 1);
		json_text(b, "name", steps[i].name);
		qt_buf_adds(b, ", ");
		json_text(b, "state", steps[i].state);
		qt_buf_adds(b, ", ");
		json_text(b, "why", qt_buf_str(&steps[i].why));
		qt_buf_adds(b, ", ");
		json_text(b, "command", qt_buf_str(&steps[i].command));
		qt_buf_addc(b, '}');
	}
	qt_buf_addc(b, ']');
}

static void text_or_null(struct qt_output *o, const char *s)
{
	if (s != NULL)
		qt_output_text(o, s, strlen(s));
	else
		qt_output_null(o);
}

static void put_json(struct qt_output *o, struct qt_buf *b)
{
	qt_output_json(o, qt_buf_str(b), b->len);
	qt_buf_clear(b);
}

int put_object(struct ctx *c, const struct standing *s,
    struct qt_output *o, struct qt_error *err)
{
	struct step steps[NSTEPS];
	struct qt_buf b;

	if (s->copy == NULL)
		steps_make(steps, c, s);
	qt_buf_init(&b, 0);
	text_or_null(o, s->copy != NULL ? s->copy : s->spool->queue_dir);
	text_or_null(o, s->spool != NULL ? s->spool->config_dir : NULL);
	qt_output_bool(o, s->running);
	qt_output_int(o, s->total.messages);
	json_queues(&b, s);
	put_json(o, &b);
	text_or_null(o, s->lead);
	qt_output_int(o, s->lead_messages);
	json_transactions(&b, s);
	put_json(o, &b);
	if (s->copy == NULL)
		json_steps(&b, steps);
	else
		qt_buf_adds(&b, "[]");
	put_json(o, &b);
	text_or_null(o, s->copy == NULL ? next_command(steps, s) : NULL);
	held_json(&b, &c->roles.held);
	put_json(o, &b);
	qt_buf_release(&b);
	if (s->copy == NULL)
		steps_release(steps);
	return qt_output_end_row(o, err);
}

int objects_output(struct ctx *c, struct qt_output **o,
    struct qt_error *err)
{
	static const struct qt_outcol cols[] = {{"queue_dir", QT_LEFT, 0},
	    {"config_dir", QT_LEFT, 0}, {"running", QT_LEFT, 0},
	    {"messages", QT_LEFT, 0}, {"queues", QT_LEFT, 0},
	    {"top_login", QT_LEFT, 0}, {"top_login_messages", QT_LEFT, 0},
	    {"transactions", QT_LEFT, 0}, {"steps", QT_LEFT, 0},
	    {"next", QT_LEFT, 0}, {"protections", QT_LEFT, 0}};

	return qt_output_new(o, stdout, c->format, cols,
	    sizeof(cols) / sizeof(cols[0]), 0, false, err);
}
