/*
 * vtab.c - the virtual table module (sqlite.org/vtab.html).
 *
 * The tables are eponymous: they exist in every database connection without
 * being created, so there is no schema to read or to damage.
 *
 * A plan is handed from xBestIndex to xFilter as text: the mask of used columns
 * in hexadecimal, a colon, and one letter for each argument:
 *
 *   i  queue_id =            I  queue_id IN (all values at once)
 *   q  queue_name =          Q  queue_name IN
 *   l  listed(queue_id, text)
 *   s, f, c  sasl_username, sender, client_address =   S, F, C  with NOCASE
 *
 * No constraint is omitted: SQLite tests every one again.
 *
 * Costs: a scan with an early test costs the same as one without.  Were it
 * cheaper, SQLite would answer "a = x OR b = y" by two scans.
 */
#include "query/functions.h"
#include "query/vtab.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qtool/queueid.h"

#define ROWS 100000.0 /* a guess at the queue's size, for the planner */
#define OP_LISTED SQLITE_INDEX_CONSTRAINT_FUNCTION /* listed(column, text) */

/* ---- connecting ---- */

/* What a module is registered with. */
struct module {
	struct qt_db *db;
	const struct table *table;
};

static int declare(sqlite3 *sql, const struct columns *columns)
{
	struct qt_buf b;
	int r = SQLITE_NOMEM;

	qt_buf_init(&b, 0);
	columns_declare(&b, columns);
	if (!b.failed)
		r = sqlite3_declare_vtab(sql, qt_buf_str(&b));
	qt_buf_release(&b);
	return r;
}

static int vt_connect(sqlite3 *sql, void *aux, int argc,
    const char *const *argv, sqlite3_vtab **out, char **errmsg)
{
	const struct module *m = aux;
	struct vtab *v;
	int r;

	(void)argc;
	(void)argv;
	(void)errmsg;
	v = sqlite3_malloc64(sizeof *v);
	if (v == NULL)
		return SQLITE_NOMEM;
	*v = (struct vtab){.db = m->db, .table = m->table,
	    .columns = columns_find(m->table->name)};
	r = declare(sql, v->columns);
	if (r != SQLITE_OK) {
		sqlite3_free(v);
		return r;
	}
	*out = &v->base;
	return SQLITE_OK;
}

static int vt_disconnect(sqlite3_vtab *base)
{
	sqlite3_free(base);
	return SQLITE_OK;
}

/* ---- planning ---- */

#define PLAN_ARGS 8

struct planning {
	const struct vtab *v;
	sqlite3_index_info *info;
	char codes[PLAN_ARGS + 1];
	int n;
	bool id, queue, filter; /* what was taken */
};

static bool nocase(struct planning *p, int i)
{
	return sqlite3_stricmp(sqlite3_vtab_collation(p->info, i), "NOCASE") ==
	    0;
}

static bool binary(struct planning *p, int i)
{
	return sqlite3_stricmp(sqlite3_vtab_collation(p->info, i), "BINARY") ==
	    0;
}

static void take(struct planning *p, int i, char code)
{
	p->codes[p->n++] = code;
	p->info->aConstraintUsage[i].argvIndex = p->n;
	p->info->aConstraintUsage[i].omit = 0;
}

/* queue_id or queue_name: by one value, or by all of an IN list at once. */
static bool take_name(struct planning *p, int i, char one, char all)
{
	if (!binary(p, i))
		return false;
	if (sqlite3_vtab_in(p->info, i, -1) != 0) {
		(void)sqlite3_vtab_in(p->info, i, 1);
		take(p, i, all);
	} else {
		take(p, i, one);
	}
	return true;
}

static void take_filter(struct planning *p, int i, int column)
{
	static const struct {
		int column;
		char code, nocase;
	} known[] = {{M_SASL_USERNAME, 's', 'S'}, {M_SENDER, 'f', 'F'},
	    {M_CLIENT_ADDRESS, 'c', 'C'}};
	size_t k;

	/* an IN list would be one scan for each of its values */
	if (sqlite3_vtab_in(p->info, i, -1) != 0)
		return;
	for (k = 0; k < sizeof known / sizeof known[0]; k++) {
		if (known[k].column != column)
			continue;
		if (binary(p, i))
			take(p, i, known[k].code);
		else if (nocase(p, i))
			take(p, i, known[k].nocase);
		else
			return;
		p->filter = true;
	}
}

static void consider(struct planning *p, int i)
{
	const struct sqlite3_index_constraint *c = &p->info->aConstraint[i];
	const struct table *t = p->v->table;

	if (!c->usable || p->n == PLAN_ARGS)
		return;
	if (c->op == OP_LISTED && c->iColumn == t->queue_id)
		take(p, i, 'l');
	if (c->op != SQLITE_INDEX_CONSTRAINT_EQ)
		return;
	if (c->iColumn == t->queue_id && !p->id)
		p->id = take_name(p, i, 'i', 'I');
	else if (c->iColumn == t->queue_name && !p->queue)
		p->queue = take_name(p, i, 'q', 'Q');
	else if (t->filters)
		take_filter(p, i, c->iColumn);
}

/* What a message costs by what has to be read of it. */
static double weight(unsigned want)
{
	if (want & (QT_WANT_BODY | QT_WANT_HASH))
		return 50;
	if (want & QT_WANT_LOGS)
		return 15;
	if (want & (QT_WANT_MSG | QT_WANT_STAT))
		return 10;
	return 1;
}

static int vt_best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct vtab *v = (const struct vtab *)base;
	struct planning p = {.v = v, .info = info};
	double rows = ROWS;
	int i;

	for (i = 0; i < info->nConstraint; i++)
		consider(&p, i);
	if (p.id)
		rows = 1;
	info->estimatedCost = rows * 5 *
	    weight(v->table->want | columns_want(v->columns, info->colUsed));
	if (p.filter)
		rows /= 2;
	rows *= v->table->rows;
	info->estimatedRows = rows < 1 ? 1 : (sqlite3_int64)rows;
	info->idxStr = sqlite3_mprintf("%llx:%s",
	    (unsigned long long)info->colUsed, p.codes);
	if (info->idxStr == NULL)
		return SQLITE_NOMEM;
	info->needToFreeIdxStr = 1;
	return SQLITE_OK;
}

/* ---- cursors ---- */

static int vt_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
	const struct vtab *v = (const struct vtab *)base;
	size_t extra = v->table->state_size;
	struct cursor *c = calloc(1, sizeof *c);

	if (c == NULL)
		return SQLITE_NOMEM;
	c->own = extra != 0 ? calloc(1, extra) : NULL;
	if (extra != 0 && c->own == NULL) {
		free(c);
		return SQLITE_NOMEM;
	}
	c->db = v->db;
	c->table = v->table;
	c->columns = v->columns;
	c->eof = true;
	*out = &c->base;
	return SQLITE_OK;
}

static void leave(struct cursor *c)
{
	if (c->table->leave != NULL)
		c->table->leave(c);
	c->n = 0;
}

static int vt_close(sqlite3_vtab_cursor *base)
{
	struct cursor *c = (struct cursor *)base;

	leave(c);
	feed_close(&c->feed);
	snapcur_close(&c->snap);
	free(c->own);
	free(c);
	return SQLITE_OK;
}

/* A failure of the scan: kept whole, and as SQLite's text. */
static int fail(struct cursor *c, const struct qt_error *err)
{
	if (!c->db->have_err) {
		c->db->err = *err;
		c->db->have_err = true;
	}
	c->eof = true;
	sqlite3_free(c->base.pVtab->zErrMsg);
	c->base.pVtab->zErrMsg = sqlite3_mprintf("%s", err->text);
	return err->code == QT_E_NOMEM ? SQLITE_NOMEM : SQLITE_ERROR;
}

/* Whether the current message has a row at c->n. */
static int sub(struct cursor *c, struct qt_error *err)
{
	if (c->table->sub == NULL)
		return c->n == 0 ? 0 : 1;
	return c->table->sub(c, err);
}

/* Settle on the row at c->n, of this message or the first of a later one; then
 * on those of the snapshots. */
static int settle(struct cursor *c)
{
	struct qt_error err = {0};
	int r;

	for (;;) {
		if (c->snap.begun) {
			r = snapcur_next(c, &err);
			c->eof = r > 0;
			return r < 0 ? fail(c, &err) : SQLITE_OK;
		}
		r = c->feed.row != NULL ? sub(c, &err) : 1;
		if (r == 0)
			return SQLITE_OK;
		if (r > 0) {
			leave(c);
			r = feed_next(&c->feed, &err);
		}
		if (r < 0)
			return fail(c, &err);
		if (r > 0) {
			c->snap.begun = true;
			c->n = 0;
		}
	}
}

static int vt_next(sqlite3_vtab_cursor *base)
{
	struct cursor *c = (struct cursor *)base;

	c->n++;
	return settle(c);
}

static int vt_eof(sqlite3_vtab_cursor *base)
{
	return ((struct cursor *)base)->eof;
}

static int vt_column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i)
{
	struct cursor *c = (struct cursor *)base;
	struct cell v = {.type = CELL_NULL};

	if (c->snap.st != NULL) {
		snapcur_column(c, ctx, i);
		return SQLITE_OK;
	}
	c->table->cell(c, &v, i);
	put_cell(c->db, ctx, &v);
	return SQLITE_OK;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ (h >> 32);
}

/*
 * The same for the same row in every scan (SQLite tells rows of two scans apart
 * by it when it answers an OR by two look-ups): made of what identifies the
 * file, not of its place in the walk.
 */
static int vt_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
	struct cursor *c = (struct cursor *)base;
	const struct qt_row *row = c->feed.row;
	uint64_t h;

	if (c->table == &table_messages)
		c->db->current = c;
	if (c->snap.st != NULL) {
		*rowid = snapcur_rowid(c);
		return SQLITE_OK;
	}
	h = mix(0, row->spool->dev);
	h = mix(h, row->spool->ino);
	h = mix(h, row->d_ino != 0 ? row->d_ino : row->ino);
	h = mix(h, c->n);
	*rowid = (sqlite3_int64)h;
	return SQLITE_OK;
}

/* ---- filtering ---- */

/*
 * A look-up opens what is in the queues under that ID.  Another name (an entry
 * that is no message) is shown in text form, which may not be its bytes: those
 * need the walk.
 */
static int add_id(struct feed_plan *p, const char *id, struct qt_error *err)
{
	if (!qt_queue_id_valid(id))
		p->by_id = false;
	return p->by_id ? feed_plan_add_id(p, id, err) : 0;
}

typedef int value_fn(void *to, sqlite3_value *v, struct qt_error *err);

/* One value or all of an IN list; NULL equals nothing. */
static int each_value(sqlite3_value *arg, bool list, value_fn *fn, void *to,
    struct qt_error *err)
{
	sqlite3_value *v = NULL;
	int r;

	if (!list)
		return sqlite3_value_type(arg) != SQLITE_NULL ?
		    fn(to, arg, err) : 0;
	for (r = sqlite3_vtab_in_first(arg, &v); r == SQLITE_OK && v != NULL;
	     r = sqlite3_vtab_in_next(arg, &v))
		if (sqlite3_value_type(v) != SQLITE_NULL && fn(to, v, err) != 0)
			return -1;
	if (r != SQLITE_OK && r != SQLITE_DONE)
		return qt_fail(err, QT_E_LIBRARY, "sqlite3_vtab_in", "%s",
		    sqlite3_errstr(r));
	return 0;
}

struct names {
	struct feed_plan *plan;
	unsigned mask; /* queues */
	size_t n;      /* IDs */
};

static int on_queue(void *to, sqlite3_value *v, struct qt_error *err)
{
	struct names *n = to;
	const char *s = (const char *)sqlite3_value_text(v);
	enum qt_queue q;

	if (s == NULL)
		return qt_fail_mem(err);
	q = qt_queue_by_name(s);
	if (q < QT_Q_MESSAGES)
		n->mask |= QT_Q_BIT(q);
	return 0;
}

static int on_id(void *to, sqlite3_value *v, struct qt_error *err)
{
	struct names *n = to;
	const char *s = (const char *)sqlite3_value_text(v);

	if (s == NULL)
		return qt_fail_mem(err);
	if (++n->n > FEED_IDS_MAX)
		n->plan->by_id = false;
	return add_id(n->plan, s, err);
}

static int plan_queues(struct feed_plan *p, sqlite3_value *arg, bool list,
    struct qt_error *err)
{
	struct names n = {.plan = p};

	if (each_value(arg, list, on_queue, &n, err) != 0)
		return -1;
	p->queues = n.mask;
	p->nothing = p->nothing || n.mask == 0;
	return 0;
}

static int plan_ids(struct feed_plan *p, sqlite3_value *arg, bool list,
    struct qt_error *err)
{
	struct names n = {.plan = p};

	p->by_id = true;
	if (each_value(arg, list, on_id, &n, err) != 0)
		return -1;
	p->nothing = p->nothing || n.n == 0;
	if (p->by_id)
		p->want |= QT_WANT_STAT; /* no directory entry gives the inode */
	return 0;
}

/*
 * The walk compares the file names' bytes, SQL their text form: a list that has
 * a backslash may mean a byte that is shown as \xHH.
 */
static int plan_listed(struct feed_plan *p, sqlite3_value *arg,
    const struct qt_db *db, struct qt_error *err)
{
	const char *s;
	size_t len;

	if (sqlite3_value_type(arg) == SQLITE_NULL) {
		p->nothing = true;
		return 0;
	}
	s = (const char *)sqlite3_value_text(arg);
	if (s == NULL)
		return qt_fail_mem(err);
	len = (size_t)sqlite3_value_bytes(arg);
	if (p->listed != NULL || memchr(s, '\\', len) != NULL)
		return 0;
	return idset_new(&p->listed, s, len, db->sip_key, err);
}

static int plan_filter(struct feed_plan *p, sqlite3_value *arg, char code,
    struct qt_error *err)
{
	enum qt_prefilter_col col = QT_PF_SENDER;
	const char *s;

	if (sqlite3_value_type(arg) == SQLITE_NULL) {
		p->nothing = true;
		return 0;
	}
	s = (const char *)sqlite3_value_text(arg);
	if (s == NULL)
		return qt_fail_mem(err);
	/* the workers compare the file's bytes, SQL their text form */
	if (strchr(s, '\\') != NULL)
		return 0;
	if (code == 's' || code == 'S')
		col = QT_PF_SASL_USERNAME;
	else if (code == 'c' || code == 'C')
		col = QT_PF_CLIENT_ADDRESS;
	return feed_plan_add_filter(p, col, code < 'a', s, err);
}

static int plan_args(struct feed_plan *p, const struct qt_db *db,
    const char *codes, int argc, sqlite3_value **argv, struct qt_error *err)
{
	int i, r = 0;

	for (i = 0; i < argc && codes[i] != '\0' && r == 0; i++) {
		switch (codes[i]) {
		case 'i':
		case 'I':
			r = plan_ids(p, argv[i], codes[i] == 'I', err);
			break;
		case 'q':
		case 'Q':
			r = plan_queues(p, argv[i], codes[i] == 'Q', err);
			break;
		case 'l':
			r = plan_listed(p, argv[i], db, err);
			break;
		default:
			r = plan_filter(p, argv[i], codes[i], err);
			break;
		}
	}
	return r;
}

static int vt_filter(sqlite3_vtab_cursor *base, int idx, const char *plan,
    int argc, sqlite3_value **argv)
{
	struct cursor *c = (struct cursor *)base;
	struct feed_plan p = {0};
	struct qt_error err = {0};
	char *codes;
	int r;

	(void)idx;
	leave(c);
	feed_close(&c->feed);
	snapcur_close(&c->snap);
	c->eof = false;
	c->used = strtoull(plan, &codes, 16);
	c->derive.need = columns_need(c->columns, c->used);
	p.want = c->table->want | columns_want(c->columns, c->used);
	if (c->table == &table_messages) {
		p.want |= c->db->also_want;
		c->derive.need |= c->db->also_need;
	}
	if (c->derive.need != 0) {
		p.finish = derive_row;
		p.finish_ctx = &c->derive;
	}
	r = plan_args(&p, c->db, *codes == ':' ? codes + 1 : codes, argc, argv,
	    &err);
	if (r == 0)
		r = feed_open(&c->feed, c->db, &p, &err);
	feed_plan_release(&p);
	if (r != 0)
		return fail(c, &err);
	return settle(c);
}

/* ---- the modules ---- */

/* Functions that a table takes as a condition. */
static int vt_find_function(sqlite3_vtab *base, int nargs, const char *name,
    void (**fn)(sqlite3_context *, int, sqlite3_value **), void **ctx)
{
	if (nargs != 2 || sqlite3_stricmp(name, "listed") != 0)
		return 0;
	*fn = fn_listed;
	*ctx = ((struct vtab *)base)->db;
	return OP_LISTED;
}

static const sqlite3_module module = {
	.iVersion = 2,
	/* no xCreate: eponymous only */
	.xConnect = vt_connect,
	.xBestIndex = vt_best_index,
	.xDisconnect = vt_disconnect,
	.xOpen = vt_open,
	.xClose = vt_close,
	.xFilter = vt_filter,
	.xNext = vt_next,
	.xEof = vt_eof,
	.xColumn = vt_column,
	.xRowid = vt_rowid,
	.xFindFunction = vt_find_function,
};

int vtab_register(struct qt_db *db, const char *prefix)
{
	static const struct table *const tables[] = {&table_messages,
	    &table_recipients, &table_headers, &table_records};
	struct module *m;
	char name[64];
	size_t i;
	int r;

	for (i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		m = sqlite3_malloc64(sizeof *m);
		if (m == NULL)
			return SQLITE_NOMEM;
		*m = (struct module){.db = db, .table = tables[i]};
		(void)snprintf(name, sizeof name, "%s%s", prefix,
		    tables[i]->name);
		r = sqlite3_create_module_v2(db->sql, name, &module, m,
		    sqlite3_free);
		if (r != SQLITE_OK)
			return r;
	}
	return SQLITE_OK;
}
