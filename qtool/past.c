/*
 * past.c - the selections of earlier deletes, read back from their commands.
 *
 * A transaction keeps the command line that made it.  It is parsed with the
 * same option tables, by which any selection option counts here too.  What is
 * about a place (--queue) is left out, as the mail has been moved since; ages
 * are counted from when the command ran.  A delete of --all says nothing about
 * what is bad mail, and is passed over.
 */
#include "past.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "changing.h"

#define PASTS_MAX 60 /* conditions: each is worked out for every message */

/* ---- a command line in words ---- */

void words_release(struct words *w)
{
	qt_buf_release(&w->text);
	free(w->v);
	*w = (struct words){.n = 0};
}

/* One word from *s on; false: a quote does not end. */
static bool copy_word(struct qt_buf *out, const char **s)
{
	const char *p = *s, *end;

	while (*p != '\0' && *p != ' ') {
		if (*p == '\'') {
			if ((end = strchr(p + 1, '\'')) == NULL)
				return false;
			qt_buf_add(out, p + 1, (size_t)(end - p - 1));
			p = end + 1;
			continue;
		}
		if (*p == '\\' && p[1] != '\0')
			p++;
		qt_buf_addc(out, *p++);
	}
	qt_buf_addc(out, '\0');
	*s = p;
	return true;
}

static int point_at_words(struct words *w, struct qt_error *err)
{
	char *p = w->text.data;
	int i;

	w->v = calloc((size_t)w->n + 1, sizeof(*w->v));
	if (w->v == NULL)
		return qt_fail_mem(err);
	for (i = 0; i < w->n; i++, p += strlen(p) + 1)
		w->v[i] = p;
	return 0;
}

int words_split(struct words *w, const char *command, struct qt_error *err)
{
	const char *p = command;
	size_t len = strlen(command);

	*w = (struct words){.n = 0};
	qt_buf_init(&w->text, 0);
	/* how a long one is recorded */
	if (len >= 4 && strcmp(command + len - 4, " ...") == 0)
		return qt_fail(err, QT_E_USAGE, "", "it was too long to be kept");
	while (*(p += strspn(p, " ")) != '\0') {
		if (!copy_word(&w->text, &p))
			return qt_fail(err, QT_E_USAGE, "",
			    "its record ends in a quote");
		w->n++;
	}
	if (qt_buf_check(&w->text, err) != 0)
		return -1;
	return point_at_words(w, err);
}

/* ---- its selection ---- */

/* What is collected while the options of a recorded command are read. */
struct reading {
	struct past *past;
	int64_t ago; /* seconds since it ran */
	bool narrow; /* it says more than --all */
};

static void add_label(struct past *p, const struct qt_option *opt,
    const char *value)
{
	if (p->label.len != 0)
		qt_buf_addc(&p->label, ' ');
	qt_buf_adds(&p->label, opt->letter != 0 ? "-" : "--");
	if (opt->letter != 0)
		qt_buf_addc(&p->label, opt->letter);
	else
		qt_buf_adds(&p->label, opt->name);
	if (value == NULL)
		return;
	qt_buf_addc(&p->label, ' ');
	shell_word(&p->label, value);
}

/* "2h", said ago seconds before now, is so much longer ago today. */
static int add_age(struct reading *r, enum qt_sel opt, const char *value,
    struct qt_error *err)
{
	bool negated = *value == '!';
	int64_t seconds;
	char text[32];

	if (qt_parse_age(value + negated, &seconds, err) != 0)
		return -1;
	(void)snprintf(text, sizeof(text), "%s%" PRId64, negated ? "!" : "",
	    seconds + r->ago);
	return qt_select_add(r->past->sel, opt, text, err);
}

static int on_option(void *ctx, const struct qt_option *opt, const char *value,
    struct qt_error *err)
{
	struct reading *r = ctx;
	enum qt_sel sel = (enum qt_sel)opt->id;

	if (opt->id >= QT_SEL_COUNT || sel == QT_SEL_QUEUE || sel == QT_SEL_ALL)
		return 0;
	if (sel == QT_SEL_IDS)
		return qt_fail(err, QT_E_USAGE, "",
		    "its IDs were read from a file");
	r->narrow = true;
	r->past->aged |= sel == QT_SEL_OLDER || sel == QT_SEL_NEWER;
	add_label(r->past, opt, value);
	if (sel == QT_SEL_OLDER || sel == QT_SEL_NEWER)
		return add_age(r, sel, value, err);
	return qt_select_add(r->past->sel, sel, value, err);
}

static int add_ids(struct reading *r, int n, char **ids, struct qt_error *err)
{
	int i;

	for (i = 0; i < n; i++) {
		r->narrow = true;
		if (r->past->label.len != 0)
			qt_buf_addc(&r->past->label, ' ');
		shell_word(&r->past->label, ids[i]);
		if (qt_select_add(r->past->sel, QT_SEL_ID, ids[i], err) != 0)
			return -1;
	}
	return 0;
}

static int read_words(struct reading *r, const struct words *w,
    struct qt_error *err)
{
	static const struct qt_option_group global = {"Global", global_options};
	const struct cmd *cmd;
	int name = 1, at = 1, n = 0;
	char **v;

	if (qt_options_parse(&global, 1, w->n, w->v, &name, true, &n, on_option,
		r, err) != 0)
		return -1;
	v = w->v + name;
	cmd = name < w->n ? find_command(v[0]) : NULL;
	if (cmd == NULL || !cmd->operands_are_ids)
		return qt_fail(err, QT_E_USAGE, "", "it is no selection");
	if (qt_options_parse(cmd->groups, cmd->ngroups, w->n - name, v, &at,
		false, &n, on_option, r, err) != 0)
		return -1;
	return add_ids(r, n, v + at, err);
}

/* Whether SQLite takes it. */
static int try(struct ctx *c, struct past *p, struct qt_error *err)
{
	const struct qt_bind *binds;
	struct qt_stmt *st = NULL;
	const char *where;
	struct qt_buf sql;
	size_t n;
	int r;

	if (qt_select_sql(p->sel, &where, &binds, &n, err) != 0)
		return -1;
	qt_buf_init(&sql, 0);
	qt_buf_addf(&sql, "SELECT 1 FROM messages WHERE (%s)", where);
	r = qt_buf_check(&sql, err);
	if (r == 0)
		r = qt_stmt_open(&st, c->db, qt_buf_str(&sql), binds, n, err);
	qt_stmt_close(st);
	qt_buf_release(&sql);
	return r;
}

/* ---- the history ---- */

static void past_release(struct past *p)
{
	qt_select_free(p->sel);
	qt_buf_release(&p->label);
}

void pasts_release(struct pasts *p)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		past_release(&p->v[i]);
	free(p->v);
	*p = (struct pasts){.n = 0};
}

/* 0 a condition, 1 nothing to compare with, -1 failed. */
static int read_command(struct ctx *c, const struct qt_tx_info *t,
    struct past *p, struct qt_error *err)
{
	struct reading r = {.past = p, .ago = (int64_t)time(NULL) - t->started};
	struct words w;
	int rc;

	if (r.ago < 0)
		r.ago = 0;
	rc = words_split(&w, t->command, err);
	if (rc == 0)
		rc = read_words(&r, &w, err);
	words_release(&w);
	if (rc == 0 && !r.narrow)
		return 1;
	if (rc == 0)
		rc = qt_buf_check(&p->label, err);
	return rc == 0 ? try(c, p, err) : rc;
}

/* A later delete of the same selection stands for both. */
static bool known(const struct pasts *p, const struct past *one)
{
	size_t i;

	if (one->aged)
		return false;
	for (i = 0; i < p->n; i++)
		if (strcmp(qt_buf_str(&p->v[i].label),
			qt_buf_str(&one->label)) == 0)
			return true;
	return false;
}

static int add_past(struct ctx *c, struct pasts *p, const struct qt_tx_info *t,
    struct qt_error *err)
{
	struct past *one = &p->v[p->n];
	struct qt_error e = {0};
	int r;

	*one = (struct past){.txid = t->txid};
	qt_buf_init(&one->label, 0);
	if (qt_select_new(&one->sel, err) != 0)
		return -1;
	r = read_command(c, t, one, &e);
	if (r == 0 && !known(p, one)) {
		p->n++;
		return 0;
	}
	past_release(one);
	if (r >= 0)
		return 0;
	if (e.code != QT_E_USAGE) {
		*err = e;
		return -1;
	}
	remark("transaction %" PRIu64 ": what it deleted is not compared: %s%s%s",
	    t->txid, e.where, e.where[0] != '\0' ? ": " : "", e.text);
	return 0;
}

static bool is_deletion(const struct qt_tx_info *t)
{
	switch (t->state) {
	case QT_TX_PREPARED:
	case QT_TX_ABORTING:
	case QT_TX_ABORTED:
	case QT_TX_DAMAGED:
		return false;
	default:
		return t->op == QT_OP_DELETE && t->command != NULL;
	}
}

static int read_list(struct ctx *c, struct pasts *p, const struct qt_tx_list *l,
    struct qt_error *err)
{
	size_t i;

	p->v = calloc(PASTS_MAX, sizeof(*p->v));
	if (p->v == NULL)
		return qt_fail_mem(err);
	for (i = l->n; i-- > 0;) {
		if (!is_deletion(&l->v[i]))
			continue;
		if (p->n == PASTS_MAX) {
			remark("only the last %d deletions are compared",
			    PASTS_MAX);
			break;
		}
		if (add_past(c, p, &l->v[i], err) != 0)
			return -1;
	}
	return 0;
}

int pasts_read(struct ctx *c, struct pasts *p, struct qt_error *err)
{
	struct qt_tx_list l;
	int r;

	*p = (struct pasts){.n = 0};
	if (qt_tx_list_read(&l, c->spools.v[0], c->state_dir, err) != 0)
		return -1;
	r = read_list(c, p, &l, err);
	qt_tx_list_release(&l);
	return r;
}

/* ---- SQL beside SQL ---- */

void shift_parameters(struct qt_buf *out, const char *sql, size_t by)
{
	const char *end;
	char *digits;

	while (*sql != '\0') {
		/* a question mark in quotes is the user's; a doubled quote reads
		 * as two texts side by side */
		if (strchr("'\"`[", *sql) != NULL &&
		    (end = strchr(sql + 1, *sql == '[' ? ']' : *sql)) != NULL) {
			qt_buf_add(out, sql, (size_t)(end - sql) + 1);
			sql = end + 1;
		} else if (*sql == '?') {
			qt_buf_addf(out, "?%zu",
			    (size_t)strtoul(sql + 1, &digits, 10) + by);
			sql = digits;
		} else {
			qt_buf_addc(out, *sql++);
		}
	}
}
