/*
 * own.c - which messages a transaction has put into another queue itself.
 */
#include "change/own.h"

#include <stdlib.h>
#include <string.h>

#include "change/identity.h"
#include "change/left.h"
#include "change/room.h"

static void mark(struct qt_plan *p, size_t from, bool left)
{
	for (; from < p->n; from++)
		p->v[from].left = left;
}

/* Whether the machine is as it was when the plan was made: not gone down. */
static int same_boot(const struct qt_plan *p, bool *same, struct qt_error *err)
{
	char *now = NULL;

	if (qt_plan_boot_id(&now, err) != 0)
		return -1;
	*same = now != NULL && p->boot_id != NULL &&
	    strcmp(now, p->boot_id) == 0;
	free(now);
	return 0;
}

int qt_own_begin(struct qt_own *o, struct qt_change *c, struct qt_tx *tx,
    bool again, struct qt_error *err)
{
	*o = (struct qt_own){.c = c, .tx = tx, .again = again,
	    .known = !again};
	mark(tx->plan, 0, o->known);
	/* what is restored lies where nobody else comes: it was we */
	if (!again || tx->plan->op == QT_OP_RESTORE ||
	    tx->plan->op == QT_OP_IMPORT)
		return 0;
	return same_boot(tx->plan, &o->asking, err);
}

int qt_own_look(struct qt_own *o, size_t seq, struct qt_error *err)
{
	struct qt_plan *p = o->tx->plan;
	const char *name;
	struct stat st;
	int dir, r;

	if (!o->asking)
		return 0;
	r = qt_identity_stat(o->c, qt_plan_path(p, &p->v[seq]), &st, &dir,
	    &name, err);
	if (r != 0 || qt_identity_compare(o->c, &p->v[seq], &st, true) !=
	    QT_LIKE_SAME)
		return r < 0 ? -1 : 0;
	o->asking = false;
	o->known = true;
	mark(p, seq, true);
	return 0;
}

void qt_own_moved(struct qt_own *o, size_t seq)
{
	o->tx->plan->v[seq].left = false;
}

bool qt_own_arrived(struct qt_own *o, size_t seq)
{
	o->tx->plan->v[seq].left = o->known;
	return !o->known;
}

void qt_own_not(struct qt_own *o, size_t seq)
{
	o->tx->plan->v[seq].left = true;
}

void qt_own_returned(struct qt_own *o, size_t seq)
{
	o->tx->plan->v[seq].left = o->tx->plan->v[seq].returned = true;
}

/*
 * On a full disk without --state-dir the list is done without: to stop there
 * would forbid all other work, and undo is then for what is there, whoever put
 * it there.
 */
static int write_left(const struct qt_own *o, size_t *left,
    struct qt_error *err)
{
	struct qt_error e = {0};

	if (*left == 0 || qt_left_write(o->c, o->tx, &e) == 0)
		return 0;
	*left = 0;
	if (qt_room_none(e.sys))
		return 0;
	if (err != NULL)
		*err = e;
	return -1;
}

int qt_own_keep(const struct qt_own *o, size_t reached, bool durable,
    struct qt_journal_record *rec, struct qt_error *err)
{
	struct qt_plan *p = o->tx->plan;
	size_t i, left = 0;

	if (!o->known)
		reached = p->n; /* perhaps by the run before */
	mark(p, reached, false); /* as "reached" says that */
	for (i = 0; i < reached; i++) {
		if (p->v[i].returned)
			p->v[i].left = durable;
		left += p->v[i].left;
	}
	if (write_left(o, &left, err) != 0)
		return -1;
	mark(p, reached, true);
	rec->own = true;
	rec->left = left;
	rec->reached = reached;
	return 0;
}

int qt_own_recall(struct qt_tx *tx, struct qt_error *err)
{
	const struct qt_journal_record *rec = &tx->log.placed;

	if (!rec->own) /* of a version that did not know */
		return 0;
	if (rec->left != 0 && qt_left_read(tx, err) != 0)
		return -1;
	if (rec->reached < tx->plan->n)
		mark(tx->plan, (size_t)rec->reached, true);
	return 0;
}
