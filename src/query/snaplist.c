/*
 * snaplist.c - the lists of messages that are made of the rows of recipients.
 *
 * That is so where every text in them is printable ASCII, which SQLite's
 * json_quote() writes as the tables do and sorts as they do, and where each
 * entry of the logs is the one that its recipient's row has.  What is otherwise
 * is stored as it is.
 */
#include <string.h>

#include "base/word.h"
#include "query/columns.h"
#include "query/snapcode.h"
#include "query/snapread.h"

/* Bytes of text that lists are made of: far from where one is left out. */
#define TEXT_MAX ((size_t)8 << 20)

struct lists {
	struct qt_row *row;
	unsigned char *marks; /* of each recipient: MARK_ bits */
	uint32_t *of;	/* each entry of the defer log's recipient */
	uint32_t *order; /* recipients in the order of the list */
	size_t text;	/* bytes of it so far */
};
#define MARK_DEFER 1u
#define MARK_BOUNCE 2u

static bool is_plain(struct lists *l, const char *s)
{
	const size_t len = strlen(s);
	size_t i = 0;

	while (len - i >= QT_WORD_SIZE && qt_word_printable(qt_word_load(s + i)))
		i += QT_WORD_SIZE;
	while (i < len && s[i] >= ' ' && s[i] < 0x7f)
		i++;
	l->text += len;
	return i == len && l->text <= TEXT_MAX;
}

/* All of them plain, and in the order of their records. */
static bool rcpts_are_plain(struct lists *l)
{
	const struct qt_msg *m = &l->row->msg;
	size_t i;

	if (m->nrcpt >= (size_t)SNAP_ROWS || (m->nrcpt != 0 && m->rcpt == NULL))
		return false;
	for (i = 0; i < m->nrcpt; i++)
		if (!is_plain(l, m->rcpt[i].address) ||
		    (i != 0 && m->rcpt[i].offset <= m->rcpt[i - 1].offset))
			return false;
	return true;
}

/* m->nrcpt: there is none. */
static size_t rcpt_at(const struct qt_msg *m, int64_t offset)
{
	size_t lo = 0, hi = m->nrcpt, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if ((int64_t)m->rcpt[mid].offset < offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->nrcpt && (int64_t)m->rcpt[lo].offset == offset ? lo :
	    m->nrcpt;
}

/*
 * Each entry is the only one of its recipient, and of no empty reason, which
 * lists leave out; of: NULL, or told which.
 */
static bool match(struct lists *l, const struct qt_logs *log, unsigned mark,
    uint32_t *of)
{
	const struct qt_msg *m = &l->row->msg;
	const struct qt_log_entry *e;
	size_t i, at;

	for (i = 0; i < log->n; i++) {
		e = &log->v[i];
		at = e->offset >= 0 ? rcpt_at(m, e->offset) : m->nrcpt;
		if (at == m->nrcpt || (l->marks[at] & mark) != 0 ||
		    (e->reason != NULL &&
			(*e->reason == '\0' || !is_plain(l, e->reason))))
			return false;
		l->marks[at] |= (unsigned char)mark;
		if (of != NULL)
			of[i] = (uint32_t)at;
	}
	return true;
}

/* Whether showq prints it as the row has it. */
static bool prints_as_is(const struct qt_row *row, const char *address,
    struct qt_buf *b)
{
	qt_buf_clear(b);
	qt_address_print(b, address, row->spool->smtputf8);
	return *address != '\0' && !b->failed &&
	    strcmp(qt_buf_str(b), address) == 0;
}

/*
 * The order of the list in l->order, *n of them; false: its members are not
 * what the rows say.
 */
static bool find_order(struct lists *l, struct qt_buf *b, size_t *n)
{
	struct qt_row *row = l->row;
	const struct qt_msg *m = &row->msg;
	const struct qt_logs *log = &row->defer;
	size_t i;

	if (row->spool->orig_address) /* members that rows do not say */
		return false;
	for (i = 0; i < m->nrcpt; i++)
		if ((m->rcpt[i].state == QT_RCPT_TODO || l->marks[i] != 0) &&
		    !prints_as_is(row, m->rcpt[i].address, b))
			return false;
	for (i = 0; i < log->n; i++)
		if (log->v[i].recipient == NULL ||
		    strcmp(log->v[i].recipient, m->rcpt[l->of[i]].address) != 0)
			return false;
	if (!derive_order(row, l->of, l->order, n))
		return false;
	/* a second time, without what the log says */
	for (i = log->n; i < *n; i++)
		if ((l->marks[l->order[i]] & MARK_DEFER) != 0)
			return false;
	return true;
}

/* The rows to do, in their order? */
static bool is_all_todo(const struct lists *l, size_t n)
{
	const struct qt_msg *m = &l->row->msg;
	size_t i, k = 0;

	for (i = 0; i < m->nrcpt; i++)
		if (m->rcpt[i].state == QT_RCPT_TODO &&
		    (k == n || l->order[k++] != i))
			return false;
	return k == n;
}

static void put_order(const struct lists *l, struct cell *v, size_t n,
    struct qt_buf *order)
{
	size_t i;

	if (is_all_todo(l, n)) {
		cell_int(v, 1);
		return;
	}
	qt_buf_clear(order);
	for (i = 0; i < n; i++) {
		qt_buf_add(order, i == 0 ? "[" : ", ", i == 0 ? 1 : 2);
		qt_buf_addu(order, (uint64_t)l->order[i] + 1);
	}
	qt_buf_addc(order, ']');
	if (order->failed)
		v->type = CELL_TOOBIG;
	else
		cell_put(v, CELL_JSON, qt_buf_str(order));
}

static int alloc(struct lists *l, struct qt_error *err)
{
	const size_t n = l->row->msg.nrcpt, logs = l->row->defer.n;
	struct qt_arena *a = &l->row->arena;

	l->marks = qt_arena_alloc(a, n + 1);
	l->of = qt_arena_alloc(a, (logs + 1) * sizeof *l->of);
	l->order = qt_arena_alloc(a, (logs + n + 1) * sizeof *l->order);
	if (l->marks == NULL || l->of == NULL || l->order == NULL)
		return qt_fail_mem(err);
	memset(l->marks, 0, n + 1);
	return 0;
}

/* DV_ bits of those that rows do not say; the others' cells are set. */
static unsigned from_rows(struct lists *l, struct cell *v,
    struct qt_finish_tmp *tmp, struct qt_buf *order)
{
	bool defers, bounces;
	unsigned need = 0;
	size_t n = 0;

	if (!rcpts_are_plain(l))
		return DV_RCPT_DOMAINS | DV_TODO_RCPTS | DV_TODO_DOMAINS |
		    DV_REASONS | DV_RECIPIENTS;
	cell_int(&v[M_RCPT_DOMAINS], 1);
	cell_int(&v[M_TODO_RCPTS], 1);
	cell_int(&v[M_TODO_DOMAINS], 1);
	defers = match(l, &l->row->defer, MARK_DEFER, l->of);
	bounces = match(l, &l->row->bounce, MARK_BOUNCE, NULL);
	if (defers && bounces)
		cell_int(&v[M_DELAY_REASONS], 1);
	else
		need |= DV_REASONS;
	if (defers && find_order(l, &tmp->part, &n))
		put_order(l, &v[M_RECIPIENTS], n, order);
	else
		need |= DV_RECIPIENTS;
	return need;
}

int snaplist_cells(struct cell *v, struct qt_row *row,
    struct qt_finish_tmp *tmp, struct qt_buf *order, struct qt_error *err)
{
	static const struct {
		int column;
		unsigned need;
	} lists[] = {{M_RCPT_DOMAINS, DV_RCPT_DOMAINS},
	    {M_TODO_RCPTS, DV_TODO_RCPTS}, {M_TODO_DOMAINS, DV_TODO_DOMAINS},
	    {M_DELAY_REASONS, DV_REASONS}, {M_RECIPIENTS, DV_RECIPIENTS}};
	struct lists l = {.row = row};
	unsigned need;
	size_t i;

	/* what has no sender has no lists */
	if (row->derived == NULL || row->msg.sender == NULL)
		return 0;
	if (alloc(&l, err) != 0)
		return -1;
	need = from_rows(&l, v, tmp, order);
	if (need == 0)
		return 0;
	derive_recipients(row, row->derived, need, tmp);
	for (i = 0; i < sizeof lists / sizeof lists[0]; i++)
		if ((need & lists[i].need) != 0)
			cell_of(&v[lists[i].column], row, lists[i].column);
	return 0;
}

void snaplist_derive(struct qt_row *row, struct qt_finish_tmp *tmp)
{
	struct derived *d = row->derived;

	if (d != NULL && row->msg.sender != NULL)
		derive_recipients(row, d, DV_RCPT_DOMAINS | DV_TODO_RCPTS |
			DV_TODO_DOMAINS | DV_REASONS | DV_RECIPIENTS, tmp);
}
