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

/* "postsuper", for this instance. */
static void postsuper(struct qt_buf *b, const struct standing *s,
    const char *what)
{
	qt_buf_adds(b, "postsuper");
	if (s->spool->config_dir != NULL &&
	    strcmp(s->spool->config_dir, "/etc/postfix") != 0) {
		qt_buf_adds(b, " -c ");
		shell_word(b, s->spool->config_dir);
	}
	qt_buf_addf(b, " %s", what);
}

static void step_stop(struct step *t, const struct standing *s)
{
	int64_t n = sendable(s);

	t->name = "stop the mail";
	t->state = n == 0 || !s->running ? "done" : "to do";
	if (!s->running)
		qt_buf_adds(&t->why, "Postfix does not run on this queue");
	else if (n == 0)
		qt_buf_adds(&t->why, "nothing is waiting outside hold");
	else
		qt_buf_addf(&t->why, "%lld messages can be sent at any time",
		    (long long)n);
	if (s->spool->live && n != 0)
		postsuper(&t->command, s, "-h ALL");
}

static void step_look(struct step *t, const struct ctx *c,
    const struct standing *s)
{
	t->name = "look at it";
	t->state = "not known";
	qt_buf_addf(&t->why, "%lld messages from <>", (long long)s->null_sender);
	command_prefix(c, &t->command);
	qt_buf_adds(&t->command,
	    s->null_sender != 0 ? " list --null-sender" : " list --limit 20");
}

static void step_account(struct step *t, const struct ctx *c,
    const struct standing *s)
{
	char n[32];

	t->name = "find the account";
	t->state = "not known";
	if (s->lead == NULL)
		qt_buf_adds(&t->why, "no queued message has a login");
	else
		qt_buf_addf(&t->why, "%s has most: %s messages, %.1f%% of all",
		    s->lead, human_count((uint64_t)s->lead_messages, n),
		    (double)s->lead_messages * 100 / (double)s->total.messages);
	command_prefix(c, &t->command);
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
	command_prefix(c, &t->command);
	if (s->deleted != 0) {
		qt_buf_adds(&t->command, " history");
		return;
	}
	qt_buf_adds(&t->command, " archive -o evidence.tar.zst --sasl ");
	shell_word(&t->command, s->lead);
	qt_buf_adds(&t->command, " && ");
	command_prefix(c, &t->command);
	qt_buf_adds(&t->command, " delete --sasl ");
	shell_word(&t->command, s->lead);
}

static void step_release(struct step *t, const struct standing *s)
{
	int64_t n = s->queue[QT_Q_HOLD].messages;

	t->name = "let the rest go";
	t->state = n == 0 ? "done" : "to do";
	qt_buf_addf(&t->why, "%lld messages are on hold", (long long)n);
	if (n != 0 && s->spool->live)
		postsuper(&t->command, s, "-H ALL");
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
	step_stop(&steps[0], s);
	step_look(&steps[1], c, s);
	step_account(&steps[2], c, s);
	step_shut(&steps[3], s);
	step_remove(&steps[4], c, s);
	step_release(&steps[5], s);
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
