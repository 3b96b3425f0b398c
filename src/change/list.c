/*
 * list.c - the transactions of a spool, for history: read without the lock,
 * while another qtool may be at work, and without writing anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "change/copies.h"

#define NS 1000000000

static const char *keep(struct qt_tx_list *l, const char *s)
{
	return s != NULL ? qt_arena_dup(&l->arena, s, strlen(s)) : NULL;
}

/* Header and totals of the plan; the transaction's log was read already. */
static int fill(struct qt_tx_list *l, struct qt_tx_info *info,
    const struct qt_tx *tx, struct qt_error *err)
{
	struct qt_plan *head = NULL;
	int fd, r;

	fd = openat(tx->home, "plan",
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return qt_fsops_fail(err, "open plan", tx->where);
	r = qt_plan_peek(&head, &info->planned, fd, tx->where, err);
	qt_close_quiet(&fd);
	if (r != 0)
		return r;
	info->op = head->op;
	info->source = head->source;
	info->started = head->created_ns / NS;
	info->bytes = head->bytes;
	info->reason = keep(l, head->reason);
	info->operator_name = keep(l, head->operator_name);
	info->command = keep(l, head->command);
	if ((head->reason != NULL && info->reason == NULL) ||
	    (head->operator_name != NULL && info->operator_name == NULL) ||
	    (head->command != NULL && info->command == NULL))
		r = qt_fail_mem(err);
	qt_plan_free(head);
	if (r != 0)
		return r;
	info->state = tx->log.last.n != 0 ? tx->log.last.state : QT_TX_PREPARED;
	info->done = (size_t)(tx->log.last.state == QT_TX_PLACED ?
	    tx->log.last.done : tx->log.commit.done);
	info->changed = tx->log.last.n != 0 ? tx->log.last.time_ns / NS :
	    info->started;
	return info->op == QT_OP_IMPORT ?
	    qt_copies_count(tx, &info->staged, err) :
	    qt_tx_count(tx, QT_TX_MESSAGES, &info->staged, err);
}

static int lost_plan(const struct qt_change *c, const struct qt_tx *tx,
    size_t staged, struct qt_error *err)
{
	size_t i;

	for (i = 0; i < c->places.n; i++)
		if (c->places.v[i].tx < 0)
			return qt_fail(err, QT_E_STATE, tx->where,
			    "%zu messages are staged and the plan is not "
			    "found; %s is not there: is it mounted?", staged,
			    c->places.v[i].path);
	return qt_fail(err, QT_E_STATE, tx->where,
	    "%zu messages are staged, but there is no plan", staged);
}

/* 1: it is no transaction (never had a plan), or went away meanwhile. */
static int read_one(struct qt_tx_list *l, struct qt_change *c, uint64_t id,
    struct qt_tx_info *info, struct qt_error *err)
{
	struct qt_error e = {0};
	struct qt_tx tx;
	int r;

	*info = (struct qt_tx_info){.txid = id};
	qt_tx_init(&tx, id);
	r = qt_tx_look(c, &tx, &e);
	if (r == 0)
		r = fill(l, info, &tx, &e);
	else if (r > 0 && qt_tx_count(&tx, QT_TX_MESSAGES, &info->staged,
		&e) != 0)
		r = -1;
	qt_tx_release(&tx);
	if (r > 0 && info->staged == 0)
		return 1;
	if (r > 0) {
		r = lost_plan(c, &tx, info->staged, &e);
	}
	if (r < 0 && e.sys == ENOENT)
		return 1; /* discarded while we looked */
	if (r < 0 && (e.code == QT_E_STATE || e.code == QT_E_SYS)) {
		info->state = QT_TX_DAMAGED;
		info->problem = keep(l, e.text);
		return info->problem != NULL ? 0 : qt_fail_mem(err);
	}
	if (r < 0 && err != NULL)
		*err = e;
	return r;
}

static int read_all(struct qt_tx_list *l, struct qt_change *c,
    struct qt_error *err)
{
	uint64_t *ids;
	size_t i, n;
	int r = 0;

	if (qt_state_tx_ids(c, &ids, &n, err) != 0)
		return -1;
	if (n > 0 && (l->v = calloc(n, sizeof(*l->v))) == NULL)
		r = qt_fail_mem(err);
	for (i = 0; i < n && r >= 0; i++) {
		r = read_one(l, c, ids[i], &l->v[l->n], err);
		l->n += r == 0;
	}
	free(ids);
	return r < 0 ? -1 : 0;
}

int qt_tx_list_read(struct qt_tx_list *l, const struct qt_spool *spool,
    const char *state_dir, struct qt_error *err)
{
	struct qt_change c;
	int r;

	*l = (struct qt_tx_list){.v = NULL};
	qt_arena_init(&l->arena, 0);
	qt_state_init(&c, spool);
	c.opts.state_dir = state_dir;
	r = qt_state_open_readonly(&c, err);
	if (r == 0)
		r = read_all(l, &c, err);
	qt_state_close(&c);
	if (r < 0)
		qt_tx_list_release(l);
	return r < 0 ? -1 : 0;
}

void qt_tx_list_release(struct qt_tx_list *l)
{
	free(l->v);
	l->v = NULL;
	l->n = 0;
	qt_arena_release(&l->arena);
}
