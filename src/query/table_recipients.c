/*
 * table_recipients.c - the table recipients: one row a recipient, with what the
 * defer or bounce log says about it last.
 *
 * A log entry belongs to the recipient whose record is at its offset, or, when
 * it has no offset (Postfix before 2.1), to the one it names.
 */
#include <stdlib.h>
#include <string.h>

#include "query/domain.h"
#include "query/vtab.h"

/* A message's log entries, to be found by offset and by address. */
struct logs {
	const struct qt_log_entry **by_offset; /* in the row's arena; sorted */
	const struct qt_log_entry **by_name;   /* those without an offset */
	size_t noffset, nname;
};

struct recipients {
	bool indexed;
	struct logs defer, bounce;
	size_t found_for; /* recipient, plus 1, that these are about */
	const struct qt_log_entry *deferred, *bounced;
	size_t domain_for; /* recipient, plus 1, that this is of */
	const char *domain; /* in the row's arena */
};

typedef int compare_fn(const struct qt_log_entry *, const struct qt_log_entry *);

static int compare_offset(const struct qt_log_entry *x,
    const struct qt_log_entry *y)
{
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static int compare_name(const struct qt_log_entry *x,
    const struct qt_log_entry *y)
{
	return strcmp(x->recipient, y->recipient);
}

/* For qsort, which is not stable: entries are elements of one array, later
 * ones behind. */
static int sort(const struct qt_log_entry *x, const struct qt_log_entry *y,
    compare_fn *compare)
{
	int r = compare(x, y);

	return r != 0 ? r : (x > y) - (x < y);
}

static int sort_offset(const void *a, const void *b)
{
	return sort(*(const struct qt_log_entry *const *)a,
	    *(const struct qt_log_entry *const *)b, compare_offset);
}

static int sort_name(const void *a, const void *b)
{
	return sort(*(const struct qt_log_entry *const *)a,
	    *(const struct qt_log_entry *const *)b, compare_name);
}

static int index_log(struct logs *l, const struct qt_logs *log,
    struct qt_arena *arena, struct qt_error *err)
{
	const struct qt_log_entry **v;
	size_t i;

	if (log->n == 0)
		return 0;
	v = qt_arena_alloc(arena, log->n * 2 * sizeof *v);
	if (v == NULL)
		return qt_fail_mem(err);
	l->by_offset = v;
	l->by_name = v + log->n;
	for (i = 0; i < log->n; i++) {
		if (log->v[i].offset >= 0)
			l->by_offset[l->noffset++] = &log->v[i];
		else if (log->v[i].recipient != NULL)
			l->by_name[l->nname++] = &log->v[i];
	}
	qsort(l->by_offset, l->noffset, sizeof *v, sort_offset);
	qsort(l->by_name, l->nname, sizeof *v, sort_name);
	return 0;
}

/* The last entry that equals the key; NULL none. */
static const struct qt_log_entry *last_at(const struct qt_log_entry **v,
    size_t n, const struct qt_log_entry *key,
    compare_fn *compare)
{
	size_t lo = 0, hi = n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (compare(v[mid], key) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo > 0 && compare(v[lo - 1], key) == 0 ? v[lo - 1] : NULL;
}

static const struct qt_log_entry *find(struct cursor *c, const struct logs *l,
    const struct qt_rcpt *rcpt)
{
	struct qt_log_entry key = {.offset = (int64_t)rcpt->offset};
	struct qt_buf *name = &c->db->text;
	const struct qt_log_entry *e;

	e = last_at(l->by_offset, l->noffset, &key, compare_offset);
	if (e != NULL || l->nname == 0)
		return e;
	qt_buf_clear(name);
	qt_address_print(name, rcpt->address, c->feed.row->spool->smtputf8);
	key.recipient = qt_buf_str(name);
	return last_at(l->by_name, l->nname, &key, compare_name);
}

static int sub(struct cursor *c, struct qt_error *err)
{
	struct qt_row *row = c->feed.row;
	struct recipients *r = c->own;

	if (c->n >= row->msg.nrcpt || row->msg.rcpt == NULL)
		return 1;
	if (r->indexed)
		return 0;
	r->indexed = true;
	if (index_log(&r->defer, &row->defer, &row->arena, err) != 0)
		return -1;
	return index_log(&r->bounce, &row->bounce, &row->arena, err);
}

static void leave(struct cursor *c)
{
	*(struct recipients *)c->own = (struct recipients){0};
}

static const char *state_name(unsigned state)
{
	static const char *const names[] = {[QT_RCPT_TODO] = "todo",
	    [QT_RCPT_DONE] = "done", [QT_RCPT_CANCELLED] = "cancelled"};

	return names[state];
}

static void put_notify(struct cell *v, unsigned notify)
{
	static const char *const names[] = {NULL, "NEVER", "SUCCESS", NULL,
	    "FAILURE", NULL, "SUCCESS,FAILURE", NULL, "DELAY", NULL,
	    "SUCCESS,DELAY", NULL, "FAILURE,DELAY", NULL,
	    "SUCCESS,FAILURE,DELAY", NULL};

	/* NEVER with something else cannot be asked for; the bits decide */
	if (notify < 16 && notify != 1)
		notify &= ~1u;
	if (notify < 16 && names[notify] != NULL)
		cell_put(v, CELL_CONST, names[notify]);
}

/* What the logs say: the bounce log where the recipient is done with, else the
 * defer log, or whichever has an entry. */
static void log_cell(struct cursor *c, struct cell *v, int i,
    const struct qt_rcpt *rcpt)
{
	struct recipients *r = c->own;
	const struct qt_log_entry *e;

	if (r->found_for != c->n + 1) {
		r->deferred = find(c, &r->defer, rcpt);
		r->bounced = find(c, &r->bounce, rcpt);
		r->found_for = c->n + 1;
	}
	e = r->bounced != NULL ? r->bounced : r->deferred;
	if (i == R_DELAY_REASON)
		e = r->deferred;
	else if (i == R_BOUNCE_REASON)
		e = r->bounced;
	if (e == NULL)
		return;
	if (i == R_DSN)
		cell_put(v, CELL_TEXT, e->status);
	else if (i == R_ACTION)
		cell_put(v, CELL_TEXT, e->action);
	else if (i == R_REMOTE_MTA)
		cell_put(v, CELL_TEXT, e->mta_name);
	else if (i == R_DIAGNOSTIC)
		cell_put(v, CELL_TEXT, e->diag_text);
	else
		cell_put(v, CELL_TEXT, e->reason);
}

static void put_domain(struct cursor *c, struct cell *v,
    const struct qt_rcpt *rcpt, bool org)
{
	struct recipients *r = c->own;

	if (r->domain_for != c->n + 1) {
		r->domain = domain_of(&c->feed.row->arena, rcpt->address);
		r->domain_for = c->n + 1;
	}
	cell_put(v, CELL_TEXT, org ?
	    domain_org_known(&c->db->orgs, r->domain) : r->domain);
}

static void cell(struct cursor *c, struct cell *v, int i)
{
	const struct qt_row *row = c->feed.row;
	const struct qt_rcpt *rcpt = &row->msg.rcpt[c->n];

	switch (i) {
	case R_QUEUE_NAME:
		cell_put(v, CELL_CONST, qt_queue_name(row->queue));
		break;
	case R_QUEUE_ID:
		cell_put(v, CELL_TEXT, row->id);
		break;
	case R_ADDRESS:
		cell_put(v, CELL_TEXT, rcpt->address);
		break;
	case R_DOMAIN:
	case R_ORG:
		put_domain(c, v, rcpt, i == R_ORG);
		break;
	case R_ORIG_ADDRESS:
		cell_put(v, CELL_TEXT, rcpt->orig);
		break;
	case R_STATE:
		cell_put(v, CELL_CONST, state_name(rcpt->state));
		break;
	case R_OFFSET:
		cell_int(v, (int64_t)rcpt->offset);
		break;
	case R_NOTIFY:
		put_notify(v, rcpt->notify);
		break;
	case R_HOST:
		cell_put(v, CELL_TEXT, row->spool->host);
		break;
	case R_DSN_ORCPT:
		cell_put(v, CELL_TEXT, rcpt->dsn_orcpt);
		break;
	default:
		log_cell(c, v, i, rcpt);
		break;
	}
}

const struct table table_recipients = {
	.name = "recipients",
	.queue_name = R_QUEUE_NAME,
	.queue_id = R_QUEUE_ID,
	.rows = 3,
	.want = QT_WANT_MSG | QT_WANT_STAT | QT_WANT_RCPTS,
	.state_size = sizeof(struct recipients),
	.sub = sub,
	.leave = leave,
	.cell = cell,
};
