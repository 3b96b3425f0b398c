/*
 * derive_rcpt.c - the recipient columns: JSON arrays of addresses, domains and
 * reasons, and `recipients` as postqueue -j prints it.
 *
 * Source: Postfix src/showq/showq.c, src/postqueue/showq_json.c.
 */
#include "query/derive.h"

#include <stdlib.h>
#include <string.h>

#include "query/columns.h"
#include "query/domain.h"
#include "query/query.h"
#include "query/strhash.h"
#include "qtool/escape.h"

/*
 * showq remembers the addresses it printed from the logs, but no more than
 * duplicate_filter_limit (its default); later ones are listed a second time
 * from the queue file, and so they are here.
 */
#define DUP_FILTER 1000

/* NULL when it is larger than QT_FINISH_MAX. */
static const char *keep(struct qt_row *row, struct qt_buf *b)
{
	return b->failed ? NULL :
	    qt_arena_dup(&row->arena, qt_buf_str(b), b->len);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sort and drop repeats; returns how many are left. */
static size_t distinct(const char **v, size_t n)
{
	size_t i, k = 0;

	if (n <= 1)
		return n;
	qsort(v, n, sizeof *v, compare);
	for (i = 0; i < n; i++)
		if (k == 0 || strcmp(v[k - 1], v[i]) != 0)
			v[k++] = v[i];
	return k;
}

static const char *json_array(struct qt_row *row, struct qt_buf *b,
    const char *const *v, size_t n)
{
	size_t i;

	qt_buf_clear(b);
	qt_buf_addc(b, '[');
	for (i = 0; i < n; i++) {
		if (i > 0)
			qt_buf_add(b, ", ", 2);
		qt_json_string(b, v[i]);
	}
	qt_buf_addc(b, ']');
	return keep(row, b);
}

/* Each recipient's, NULL where it has none. */
static const char **domain_each(struct qt_row *row)
{
	const struct qt_msg *m = &row->msg;
	const char **v = qt_arena_alloc(&row->arena,
	    (m->nrcpt + 1) * sizeof *v);
	size_t i;

	for (i = 0; v != NULL && i < m->nrcpt; i++)
		v[i] = domain_of(&row->arena, m->rcpt[i].address);
	return v;
}

/*
 * The recipients' domains, sorted, distinct.  done: of those to do and done;
 * else of those to do, "" standing for an address without one, so that "every
 * recipient is in ..." does not pass it over.
 */
static const char **domains(struct qt_row *row, const char *const *of,
    bool done, size_t *n)
{
	const struct qt_msg *m = &row->msg;
	const char **v, *d;
	size_t i, k = 0;

	v = of != NULL ? qt_arena_alloc(&row->arena,
	    (m->nrcpt + 1) * sizeof *v) : NULL;
	if (v == NULL)
		return NULL;
	for (i = 0; i < m->nrcpt; i++) {
		if (m->rcpt[i].state != QT_RCPT_TODO &&
		    !(done && m->rcpt[i].state == QT_RCPT_DONE))
			continue;
		d = of[i];
		if (d != NULL || !done)
			v[k++] = d != NULL ? d : "";
	}
	*n = distinct(v, k);
	return v;
}

static void rcpt_domains(struct qt_row *row, struct derived *d,
    const char *const *of, struct qt_buf *b)
{
	size_t n;
	const char **v = domains(row, of, true, &n);

	if (v == NULL)
		return;
	if (n == 1)
		d->rcpt_domain = v[0];
	d->rcpt_domains = json_array(row, b, v, n);
}

static const char *todo_rcpts(struct qt_row *row, struct qt_buf *b)
{
	const struct qt_msg *m = &row->msg;
	const char **v;
	size_t i, n = 0;

	v = qt_arena_alloc(&row->arena, (m->nrcpt + 1) * sizeof *v);
	if (v == NULL)
		return NULL;
	for (i = 0; i < m->nrcpt; i++)
		if (m->rcpt[i].state == QT_RCPT_TODO)
			v[n++] = m->rcpt[i].address;
	return json_array(row, b, v, n);
}

static size_t add_reasons(const char **v, size_t n, const struct qt_logs *logs)
{
	size_t i;

	for (i = 0; i < logs->n; i++)
		if (logs->v[i].reason != NULL && *logs->v[i].reason != '\0')
			v[n++] = logs->v[i].reason;
	return n;
}

static const char *reasons(struct qt_row *row, struct qt_buf *b)
{
	const char **v;
	size_t n;

	v = qt_arena_alloc(&row->arena,
	    (row->defer.n + row->bounce.n + 1) * sizeof *v);
	if (v == NULL)
		return NULL;
	n = add_reasons(v, 0, &row->defer);
	n = add_reasons(v, n, &row->bounce);
	return json_array(row, b, v, distinct(v, n));
}

/* ---- recipients, as postqueue -j has them ---- */

struct showq {
	struct qt_row *row;
	struct qt_buf *out;   /* the array */
	struct qt_buf *shown; /* one address */
	const char **seen;    /* hash table of addresses, or NULL */
	size_t mask;	      /* its slots, less one */
	size_t nseen;
	size_t n; /* members so far */
};

/* A table for as many addresses as the logs have, none when they are empty. */
static bool make_filter(struct showq *q, size_t entries)
{
	size_t slots = 4;

	if (entries == 0)
		return true;
	if (entries > DUP_FILTER)
		entries = DUP_FILTER;
	while (slots < entries * 2)
		slots *= 2;
	q->seen = qt_arena_alloc(&q->row->arena, slots * sizeof *q->seen);
	if (q->seen == NULL)
		return false;
	memset(q->seen, 0, slots * sizeof *q->seen);
	q->mask = slots - 1;
	return true;
}

/* The address's place in the filter, or the empty one where it would be. */
static const char **find_slot(const struct showq *q, const char *address)
{
	size_t i = (size_t)strhash(address, strlen(address)) & q->mask;

	while (q->seen[i] != NULL && strcmp(q->seen[i], address) != 0)
		i = (i + 1) & q->mask;
	return &q->seen[i];
}

#define LITERAL(text) text, sizeof text - 1

static void add_object(struct showq *q, const char *orig, const char *address,
    const char *reason_key, const char *reason)
{
	struct qt_buf *b = q->out;

	if (q->n++ > 0)
		qt_buf_add(b, LITERAL(", "));
	if (q->row->spool->orig_address) {
		qt_buf_add(b, LITERAL("{\"orig_address\": "));
		qt_json_string(b, orig);
		qt_buf_add(b, LITERAL(", \"address\": "));
	} else {
		qt_buf_add(b, LITERAL("{\"address\": "));
	}
	qt_json_string(b, address);
	if (reason != NULL && *reason != '\0') {
		qt_buf_adds(b, reason_key);
		qt_json_string(b, reason);
	}
	qt_buf_addc(b, '}');
}

static void add_log(struct showq *q, const struct qt_logs *logs,
    const char *reason_key)
{
	const struct qt_log_entry *e;
	const char *address, **slot;
	size_t i;

	for (i = 0; i < logs->n; i++) {
		e = &logs->v[i];
		address = e->recipient != NULL && *e->recipient != '\0' ?
		    e->recipient : "<>"; /* as the log has it */
		slot = find_slot(q, address);
		if (*slot == NULL && q->nseen < DUP_FILTER) {
			*slot = address;
			q->nseen++;
		}
		add_object(q, e->orig_recipient != NULL ? e->orig_recipient : "",
		    address, reason_key, e->reason);
	}
}

/* An address as showq prints it from the queue file; valid until the next. */
static const char *shown(struct showq *q, const char *address)
{
	qt_buf_clear(q->shown);
	if (*address == '\0')
		return "MAILER-DAEMON"; /* empty_address_recipient */
	qt_address_print(q->shown, address, q->row->spool->smtputf8);
	if (q->shown->failed)
		q->out->failed = true;
	return qt_buf_str(q->shown);
}

static void add_rcpt(struct showq *q, const struct qt_rcpt *r)
{
	const char *address = shown(q, r->address);
	const char *copy;

	if (q->seen != NULL && *find_slot(q, address) != NULL)
		return;
	if (!q->row->spool->orig_address || r->showq_orig == NULL) {
		add_object(q, address, address, "", NULL);
		return;
	}
	copy = qt_arena_dup(&q->row->arena, address, strlen(address));
	if (copy == NULL) {
		q->out->failed = true;
		return;
	}
	add_object(q, shown(q, r->showq_orig), copy, "", NULL);
}

static void add_all(struct showq *q)
{
	const struct qt_row *row = q->row;
	bool bounces = row->spool->orig_address; /* both came with 3.11 */
	size_t i;

	if (!make_filter(q, row->defer.n + (bounces ? row->bounce.n : 0))) {
		q->out->failed = true;
		return;
	}
	qt_buf_addc(q->out, '[');
	add_log(q, &row->defer, ", \"delay_reason\": ");
	if (bounces)
		add_log(q, &row->bounce, ", \"bounce_reason\": ");
	for (i = 0; i < row->msg.nrcpt; i++)
		if (row->msg.rcpt[i].state == QT_RCPT_TODO)
			add_rcpt(q, &row->msg.rcpt[i]);
	qt_buf_addc(q->out, ']');
}

bool derive_order(struct qt_row *row, const uint32_t *of, uint32_t *order,
    size_t *n)
{
	struct showq q = {.row = row};
	const char **slot;
	size_t i, k = 0;

	if (!make_filter(&q, row->defer.n))
		return false;
	for (i = 0; i < row->defer.n; i++) {
		slot = find_slot(&q, row->defer.v[i].recipient);
		if (*slot == NULL && q.nseen < DUP_FILTER) {
			*slot = row->defer.v[i].recipient;
			q.nseen++;
		}
		order[k++] = of[i];
	}
	for (i = 0; i < row->msg.nrcpt; i++)
		if (row->msg.rcpt[i].state == QT_RCPT_TODO &&
		    (q.seen == NULL ||
			*find_slot(&q, row->msg.rcpt[i].address) == NULL))
			order[k++] = (uint32_t)i;
	*n = k;
	return true;
}

static const char *recipients(struct qt_row *row, struct qt_finish_tmp *tmp)
{
	struct showq q = {.row = row, .out = &tmp->out, .shown = &tmp->part};

	qt_buf_clear(q.out);
	add_all(&q);
	return keep(row, q.out);
}

void derive_recipients(struct qt_row *row, struct derived *d, unsigned need,
    struct qt_finish_tmp *tmp)
{
	const char **v, **of = NULL;
	size_t n;

	/* a file without a sender was not understood, and postqueue skips it */
	if (row->msg.sender == NULL)
		return;
	if (need & (DV_RCPT_DOMAINS | DV_TODO_DOMAINS))
		of = domain_each(row);
	if (need & DV_RCPT_DOMAINS)
		rcpt_domains(row, d, of, &tmp->out);
	if (need & DV_RECIPIENTS)
		d->recipients = recipients(row, tmp);
	if (need & DV_TODO_RCPTS)
		d->todo_rcpts = todo_rcpts(row, &tmp->out);
	if (need & DV_TODO_DOMAINS) {
		v = domains(row, of, false, &n);
		if (v != NULL)
			d->todo_domains = json_array(row, &tmp->out, v, n);
	}
	if (need & DV_REASONS)
		d->delay_reasons = reasons(row, &tmp->out);
}
