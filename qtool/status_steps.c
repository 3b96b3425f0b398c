/*
 * status_steps.c - which of the six steps of an incident are done, as far as a
 * queue can tell, and the command for each.  Only what can be known is
 * claimed: whether an account is shut out is not to be seen in a queue.
 */
#include "status.h"

#include <string.h>
#include <time.h>

static int64_t sendable(const struct standing *s)
{
	return s->queue[QT_Q_MAILDROP].messages + s->queue[QT_Q_ACTIVE].messages +
	    s->queue[QT_Q_INCOMING].messages + s->queue[QT_Q_DEFERRED].messages;
}

/* "1 message", "1,234 messages" */
static void add_messages(struct qt_buf *b, int64_t n)
{
	char count[32];

	qt_buf_addf(b, "%s message%s", human_count((uint64_t)n, count),
	    n == 1 ? "" : "s");
}

/*
 * qtool on this queue: of several, each has its own commands, for a change
 * takes one queue at a time.
 */
void standing_prefix(const struct ctx *c, const struct standing *s,
    struct qt_buf *out)
{
	const struct qt_spool *spool = s->spool;

	if (c->spools.n == 1) {
		command_prefix(c, out);
		return;
	}
	qt_buf_adds(out, "qtool");
	source_words(out, spool->config_dir != NULL ? FROM_CONFIG :
	    spool->packed != NULL ? FROM_ARCHIVE : FROM_SPOOL,
	    spool->config_dir != NULL ? spool->config_dir : spool->queue_dir);
}

static void step_stop(struct step *t, const struct ctx *c,
    const struct standing *s)
{
	int64_t n = sendable(s);

	t->name = "stop the mail";
	t->state = n == 0 || !s->running ? "done" : "to do";
	if (!s->running) {
		qt_buf_adds(&t->why, "Postfix does not run on this queue");
	} else if (n == 0 && (s->unreadable & ~QT_Q_BIT(QT_Q_HOLD)) != 0) {
		t->state = "not known";
		qt_buf_adds(&t->why, "not every queue can be read");
	} else if (n == 0) {
		qt_buf_adds(&t->why, "nothing is waiting outside hold");
	} else {
		add_messages(&t->why, n);
		qt_buf_adds(&t->why, " can be sent at any time");
	}
	if (!s->running || n == 0)
		return;
	standing_prefix(c, s, &t->command);
	qt_buf_adds(&t->command,
	    " hold --all --queue deferred,incoming,active");
}

static void step_look(struct step *t, const struct ctx *c,
    const struct standing *s)
{
	t->name = "look at it";
	t->state = "not known";
	add_messages(&t->why, s->null_sender);
	qt_buf_adds(&t->why, " from <>");
	standing_prefix(c, s, &t->command);
	qt_buf_adds(&t->command,
	    s->null_sender != 0 ? " list --null-sender" : " list --limit 20");
}

static void step_account(struct step *t, const struct ctx *c,
    const struct standing *s)
{
	int64_t all = s->total.messages, tenths;

	t->name = "find the account";
	t->state = "not known";
	if (s->lead == NULL) {
		qt_buf_adds(&t->why, "no queued message has a login");
	} else {
		/* rounded as in qtool top */
		tenths = (s->lead_messages * 1000 + all / 2) / all;
		qt_buf_addf(&t->why, "%s has most: ", s->lead);
		add_messages(&t->why, s->lead_messages);
		qt_buf_addf(&t->why, ", %lld.%lld%% of all",
		    (long long)(tenths / 10), (long long)(tenths % 10));
	}
	standing_prefix(c, s, &t->command);
	qt_buf_adds(&t->command, s->lead != NULL ? " top" : " top -b client_address");
}

static void step_shut(struct step *t, const struct standing *s)
{
	char age[16];

	t->name = "shut it out";
	t->state = "not known";
	if (s->lead != NULL && s->lead_newest != 0)
		qt_buf_addf(&t->why,
		    "a queue does not tell; newest mail of %s: %s ago", s->lead,
		    human_age(time(NULL) - s->lead_newest, age));
	else
		qt_buf_adds(&t->why, "a queue does not tell");
}

static void step_remove(struct step *t, const struct ctx *c,
    const struct standing *s)
{
	t->name = "take its mail away";
	t->state = s->deleted != 0 ? "done" : "to do";
	if (s->deleted != 0)
		qt_buf_addf(&t->why, "%zu transaction%s took mail away",
		    s->deleted, s->deleted == 1 ? "" : "s");
	else
		qt_buf_adds(&t->why, "nothing was taken away yet");
	if (s->lead == NULL && s->deleted == 0)
		return;
	standing_prefix(c, s, &t->command);
	if (s->deleted != 0) {
		qt_buf_adds(&t->command, " history");
		return;
	}
	/* what goes away is what is kept as evidence */
	qt_buf_adds(&t->command, " archive --move -o spam.tar.zst --sasl ");
	shell_word(&t->command, s->lead);
}

static void step_release(struct step *t, const struct ctx *c,
    const struct standing *s)
{
	int64_t n = s->queue[QT_Q_HOLD].messages;

	t->name = "let the rest go";
	t->state = n == 0 ? "done" : "to do";
	if ((s->unreadable & QT_Q_BIT(QT_Q_HOLD)) != 0) {
		t->state = "not known";
		qt_buf_adds(&t->why, "hold cannot be read");
		return;
	}
	add_messages(&t->why, n);
	qt_buf_adds(&t->why, n == 1 ? " is on hold" : " are on hold");
	if (n == 0)
		return;
	standing_prefix(c, s, &t->command);
	qt_buf_adds(&t->command, " release --all");
}

void steps_make(struct step *steps, const struct ctx *c,
    const struct standing *s)
{
	int i;

	for (i = 0; i < NSTEPS; i++) {
		steps[i] = (struct step){0};
		qt_buf_init(&steps[i].why, 0);
		qt_buf_init(&steps[i].command, 0);
	}
	step_stop(&steps[0], c, s);
	step_look(&steps[1], c, s);
	step_account(&steps[2], c, s);
	step_shut(&steps[3], s);
	step_remove(&steps[4], c, s);
	step_release(&steps[5], c, s);
}

void steps_release(struct step *steps)
{
	int i;

	for (i = 0; i < NSTEPS; i++) {
		qt_buf_release(&steps[i].why);
		qt_buf_release(&steps[i].command);
	}
}

/*
 * Stopping comes first only while nothing was taken away: after that, mail
 * that waits is honest.
 */
const char *next_command(const struct step *steps,
    const struct standing *s)
{
	if (s->total.messages == 0)
		return "";
	if (s->deleted == 0 && strcmp(steps[0].state, "to do") == 0)
		return qt_buf_str(&steps[0].command);
	if (s->deleted == 0)
		return qt_buf_str(&steps[2].command);
	return qt_buf_str(&steps[5].command);
}
