/*
 * risk.c - what a release would do harm with.
 *
 * Old: qmgr gives up after an attempt at mail whose create_time is more than
 * maximal_queue_lifetime ago (bounce_queue_lifetime for the null sender), and
 * gives it back: to forged senders, mostly (src/qmgr/qmgr_active.c).  So it
 * does, without an attempt, with what postsuper -e marked.
 *
 * All is asked in the statement that runs the selection, so that what is
 * counted is what is planned.
 */
#include "risk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "qtool/change.h"

#include "changing.h"

#define DEFAULT_LIFETIME (5 * 86400) /* Postfix's own */

static const char *const names[RISKS] = {
    [RISK_OLD] = "old", [RISK_NULL_SENDER] = "null-sender",
    [RISK_DELETED] = "deleted"};

/* ---- options ---- */

int risk_parse(const char *list, unsigned *bits, struct qt_error *err)
{
	size_t len;
	int i;

	for (;; list += len + 1) {
		len = strcspn(list, ",");
		for (i = 0; i < RISKS; i++)
			if (strlen(names[i]) == len &&
			    strncmp(names[i], list, len) == 0)
				break;
		if (i == RISKS)
			return qt_fail(err, QT_E_USAGE, "", "%.*s is none of "
			    "old, null-sender, deleted",
			    (int)(len < 60 ? len : 60), list);
		*bits |= RISK_BIT(i);
		if (list[len] == '\0')
			return 0;
	}
}

int risks_check(const struct risks *r, struct qt_error *err)
{
	if (((r->allow | r->skip) & ~r->asked) != 0)
		return qt_fail(err, QT_E_USAGE, "old",
		    "what is old gets a new life by it: that is no risk here");
	if ((r->allow & r->skip) != 0)
		return qt_fail(err, QT_E_USAGE, "--allow and --skip",
		    "the same is in both");
	return 0;
}

/* ---- the statement ---- */

int risks_begin(struct risks *r, struct ctx *c, struct qt_error *err)
{
	const struct qt_spool *s = c->spools.v[0];

	r->lifetime_known = s->max_lifetime > 0;
	r->lifetime = s->max_lifetime > 0 ? s->max_lifetime : DEFAULT_LIFETIME;
	r->bounce_lifetime = s->bounce_lifetime > 0 ? s->bounce_lifetime :
	    r->lifetime;
	if ((r->asked & RISK_BIT(RISK_DELETED)) == 0)
		return 0;
	if (pasts_read(c, &r->pasts, err) != 0)
		return -1;
	r->by_past = calloc(r->pasts.n + 1, sizeof(*r->by_past));
	return r->by_past != NULL ? 0 : qt_fail_mem(err);
}

void risks_release(struct risks *r)
{
	pasts_release(&r->pasts);
	free(r->by_past);
	r->by_past = NULL;
}

int risks_nbinds(struct risks *r, size_t *n, struct qt_error *err)
{
	const struct qt_bind *binds;
	const char *where;
	size_t i, some;

	*n = 0;
	for (i = 0; i < r->pasts.n; i++) {
		if (qt_select_sql(r->pasts.v[i].sel, &where, &binds, &some,
			err) != 0)
			return -1;
		*n += some;
	}
	return 0;
}

static void add_fixed(const struct risks *r, struct qt_buf *sql)
{
	const char *where = r->hold_only ? "queue_name = 'hold' AND " : "";

	if ((r->asked & RISK_BIT(RISK_OLD)) != 0)
		qt_buf_addf(sql, ", %s(forced_expire OR "
		    "age(coalesce(create_time, arrival_time)) >= CASE sender "
		    "WHEN '' THEN %" PRId64 " ELSE %" PRId64 " END)", where,
		    r->bounce_lifetime, r->lifetime);
	else
		qt_buf_adds(sql, ", 0");
	qt_buf_addf(sql, ", %ssender = ''", where);
}

int risks_columns(struct risks *r, size_t first, struct qt_buf *sql,
    struct qt_bind *binds, struct qt_error *err)
{
	const struct qt_bind *some;
	const char *where;
	size_t i, n, at = 0;

	add_fixed(r, sql);
	for (i = 0; i < r->pasts.n; i++) {
		if (qt_select_sql(r->pasts.v[i].sel, &where, &some, &n, err) != 0)
			return -1;
		qt_buf_addf(sql, ", %s(",
		    r->hold_only ? "queue_name = 'hold' AND " : "");
		shift_parameters(sql, where, first + at);
		qt_buf_addc(sql, ')');
		if (n != 0) /* a --where alone binds nothing */
			memcpy(binds + at, some, n * sizeof(*some));
		at += n;
	}
	return qt_buf_check(sql, err);
}

/* The latest deletion that a row matches; pasts.n: none. */
static size_t past_of(const struct risks *r, const struct qt_stmt *st, int column)
{
	size_t i;

	for (i = 0; i < r->pasts.n; i++)
		if (qt_stmt_int(st, column + (int)i) != 0)
			break;
	return i;
}

bool risks_row(struct risks *r, const struct qt_stmt *st, int column)
{
	size_t past = past_of(r, st, column + RISK_DELETED);
	unsigned found = past < r->pasts.n ? RISK_BIT(RISK_DELETED) : 0;
	int k;

	for (k = 0; k < RISK_DELETED; k++)
		if (qt_stmt_int(st, column + k) != 0)
			found |= RISK_BIT(k);
	if ((found & r->skip) != 0) {
		r->skipped++;
		return true;
	}
	for (k = 0; k < RISKS; k++)
		r->count[k] += (found & RISK_BIT(k)) != 0;
	if (past < r->pasts.n)
		r->by_past[past]++;
	return false;
}

/* ---- telling ---- */

/* Which transactions deleted the like, the latest first. */
static void show_deleted(const struct risks *r, FILE *out)
{
	const char *sep = "as in transaction ";
	char count[32];
	size_t i, n = 0;

	(void)fprintf(out, "  %-18s%s, ", "deleted before",
	    human_count(r->count[RISK_DELETED], count));
	for (i = 0; i < r->pasts.n && n < 4; i++) {
		if (r->by_past[i] == 0)
			continue;
		(void)fprintf(out, "%s%" PRIu64, sep, r->pasts.v[i].txid);
		sep = ", ";
		n++;
	}
	(void)fprintf(out, "%s\n", i < r->pasts.n ? ", ..." : "");
}

void risks_show(const struct risks *r, FILE *out)
{
	char count[32];

	if (r->count[RISK_OLD] != 0)
		(void)fprintf(out, "  %-18s%s, would go back to the sender\n",
		    "too old", human_count(r->count[RISK_OLD], count));
	if (r->count[RISK_NULL_SENDER] != 0)
		(void)fprintf(out, "  %-18s%s, bounces and other notices\n",
		    "from <>", human_count(r->count[RISK_NULL_SENDER], count));
	if (r->count[RISK_DELETED] != 0)
		show_deleted(r, out);
	if (r->skipped != 0)
		(void)fprintf(out, "  %-18s%s, left where it is\n", "skipped",
		    human_count(r->skipped, count));
}

static void say_old(const struct risks *r)
{
	char count[48], age[16];

	remark("old: %s: past maximal_queue_lifetime (%s%s) or force-expired, "
	       "such mail goes back to its sender after one more attempt, and "
	       "that may be a forged one; qtool requeue gives it a new life",
	    messages_text(r->count[RISK_OLD], count),
	    human_age(r->lifetime, age),
	    r->lifetime_known ? "" : ", Postfix's default");
}

static void say_deleted(const struct risks *r)
{
	char count[48];
	size_t i;

	for (i = 0; i < r->pasts.n; i++)
		if (r->by_past[i] != 0)
			remark("deleted: %s of the selection that transaction %"
			       PRIu64 " deleted: %s",
			    messages_text(r->by_past[i], count),
			    r->pasts.v[i].txid,
			    qt_buf_str(&r->pasts.v[i].label));
}

int risks_guard(struct ctx *c, const struct risks *r)
{
	char list[64] = "", count[48];
	int k;

	for (k = 0; k < RISKS; k++) {
		if (r->count[k] == 0 || (r->allow & RISK_BIT(k)) != 0)
			continue;
		if (k == RISK_OLD)
			say_old(r);
		else if (k == RISK_DELETED)
			say_deleted(r);
		else
			remark("null-sender: %s from <>: bounces and other "
			       "notices", messages_text(r->count[k], count));
		(void)snprintf(list + strlen(list), sizeof(list) - strlen(list),
		    "%s%s", list[0] != '\0' ? "," : "", names[k]);
	}
	if (list[0] == '\0')
		return 0;
	say_why(c, "refused: --skip %s leaves such mail where it is, --allow %s "
	    "says that it is meant", list, list);
	return EXIT_REFUSED;
}
