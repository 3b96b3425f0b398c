/*
 * status.h - what the parts of qtool status share: status.c reads,
 * status_steps.c judges, status_held.c tells the protections, status_print.c
 * prints.
 */
#ifndef QTOOL_STATUS_H
#define QTOOL_STATUS_H

#include "cmd.h"
#include "qtool/change.h"

struct queue_sum {
	int64_t messages, bytes, todo;
	int64_t oldest, newest; /* arrival; 0 none */
	int64_t logins;		/* messages that have one */
	int64_t state[QT_STATE_FOREIGN + 1];
};

/* Everything about one spool, archive or snapshot. */
struct standing {
	const struct qt_spool *spool; /* NULL: a snapshot */
	const char *copy; /* an archive's or snapshot's file: there is nothing
			   * to be done on it; NULL: a queue */
	struct queue_sum queue[QT_Q_MESSAGES], total;
	unsigned unreadable; /* queues that could not be read: QT_Q_BIT() of each */
	int64_t null_sender;
	/* the login with the most messages */
	char *lead; /* owned; NULL: none has one */
	int64_t lead_messages, lead_newest;
	bool running;
	struct qt_tx_list tx;
	size_t open, deleted; /* transactions: open; that took mail away */
};

/* A transaction that is neither taken back nor ended. */
bool transaction_is_open(enum qt_tx_state s);

/* The six steps of an incident, as far as they can be known. */
enum { NSTEPS = 6 };
struct step {
	const char *name;
	const char *state; /* "done", "to do", "not known" */
	struct qt_buf why;
	struct qt_buf command; /* for a shell; "" none */
};
void steps_make(struct step *steps, const struct ctx *c,
    const struct standing *s);
void steps_release(struct step *steps);
/* "qtool -Q /srv/copy": how to name this queue alone. */
void standing_prefix(const struct ctx *c, const struct standing *s,
    struct qt_buf *out);
/* The command to type next; "" when the queue is empty. */
const char *next_command(const struct step *steps, const struct standing *s);

/* "read as postfix with cap_dac_read_search, Landlock ABI 7, seccomp" */
void held_text(struct qt_buf *b, const struct qt_confined *h);
/* The same as an object. */
void held_json(struct qt_buf *b, const struct qt_confined *h);

/* For reading; as one object of the output that objects_output() made. */
int put_standing(struct ctx *c, const struct standing *s,
    struct qt_error *err) QT_MUST_CHECK;
int objects_output(struct ctx *c, struct qt_output **o, struct qt_error *err)
    QT_MUST_CHECK;
int put_object(struct ctx *c, const struct standing *s, struct qt_output *o,
    struct qt_error *err) QT_MUST_CHECK;

#endif
