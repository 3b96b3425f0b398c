/*
 * pick.c - the selection run for a change.
 *
 * One pass over the selection's rows fills the plan and counts what a person
 * wants to know (pick_show.c prints it).
 */
#include "pick.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "qtool/queueid.h"

#include "changing.h"
#include "tally.h"

#define DISTINCT_MAX 200000 /* values kept of a column */
#define SHAPE_MAX 60	    /* bytes of a subject that are compared */

/* What is asked of a message, in this order. */
enum {
	K_QUEUE, K_ID, K_PATH, K_STATE, K_DEV, K_INODE, K_SIZE, K_MODE, K_UID,
	K_GID, K_MTIME, K_CTIME, K_IN_DELIVERY, K_TODO, K_ACCOUNT, K_DOMAIN,
	K_CLIENT, K_CLASS, K_SUBJECT, K_TODO_DOMAINS,
	K_RISKS /* and on: risks_columns */
};
static const char columns[] =
    "queue_name, queue_id, path, state, dev, inode, file_size, mode, uid, gid,"
    " mtime_ns, ctime_ns, in_delivery, rcpt_todo, sasl_username,"
    " sender_domain, client_address, class, subject, todo_domains";
/*
 * When nobody is shown anything: what is in the messages is not asked for.  Of
 * mail in hold it is still told how much had been sent already.
 */
static const char brief_columns[] =
    "queue_name, queue_id, path, NULL, dev, inode, file_size, mode, uid, gid,"
    " mtime_ns, ctime_ns, in_delivery, rcpt_todo";
/* The same where no mail is taken out of hold: no message is even opened. */
static const char bare_columns[] =
    "queue_name, queue_id, path, NULL, dev, inode, file_size, mode, uid, gid,"
    " mtime_ns, ctime_ns, in_delivery, NULL";

void pick_release(struct pick *p)
{
	int i;

	qt_plan_free(p->plan);
	for (i = 0; i < PICK_COLUMNS; i++)
		tally_free(p->tally[i]);
	tally_free(p->domains);
	free(p->values);
	qt_buf_release(&p->paths);
	*p = (struct pick){.plan = NULL};
}

/* ---- counting ---- */

/* A subject without what differs from copy to copy: digits and case. */
static size_t shape(char out[SHAPE_MAX], const char *s, size_t len)
{
	size_t i, n = 0;
	char c;

	for (i = 0; i < len && n < SHAPE_MAX; i++) {
		c = s[i];
		if (c >= '0' && c <= '9')
			c = '0';
		else if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (n > 0 && c == out[n - 1] && (c == '0' || c == ' '))
			continue;
		out[n++] = c;
	}
	return n;
}

/* Strings of a JSON array, counted each; its escapes are left as they are. */
static int add_array(struct tally *t, const char *s, size_t len,
    struct qt_error *err)
{
	size_t i, from = 0;
	uint32_t ignored;
	bool in = false;

	for (i = 0; i < len; i++) {
		if (in && s[i] == '\\') {
			i++;
		} else if (s[i] == '"') {
			if (in && tally_add(t, s + from, i - from, &ignored,
				err) != 0)
				return -1;
			in = !in;
			from = i + 1;
		}
	}
	return 0;
}

static int add_values(struct pick *p, const struct qt_stmt *st,
    struct qt_error *err)
{
	static const int from[PICK_COLUMNS] = {K_ACCOUNT, K_DOMAIN, K_CLIENT,
	    K_CLASS, K_SUBJECT};
	struct pick_values *v;
	char buf[SHAPE_MAX];
	const char *text;
	size_t len, i;

	if (p->taken == p->values_cap) {
		size_t cap = p->values_cap == 0 ? 256 : 2 * p->values_cap;

		v = reallocarray(p->values, cap, sizeof(*v));
		if (v == NULL)
			return qt_fail_mem(err);
		p->values = v;
		p->values_cap = cap;
	}
	v = &p->values[p->taken];
	for (i = 0; i < PICK_COLUMNS; i++) {
		text = qt_stmt_text(st, from[i], &len);
		if (i == PICK_SUBJECT) {
			len = shape(buf, text, len);
			text = buf;
		}
		if (tally_add(p->tally[i], text, len, &v->v[i], err) != 0)
			return -1;
	}
	text = qt_stmt_text(st, K_TODO_DOMAINS, &len);
	return add_array(p->domains, text, len, err);
}

/* ---- the rows ---- */

static const char *text_of(const struct qt_stmt *st, int i)
{
	size_t len;

	return qt_stmt_text(st, i, &len);
}

static void item_of(const struct qt_stmt *st, struct qt_item *it)
{
	*it = (struct qt_item){
	    .queue = qt_queue_by_name(text_of(st, K_QUEUE)),
	    .id = text_of(st, K_ID),
	    .path = text_of(st, K_PATH),
	    .dev = (dev_t)qt_stmt_int(st, K_DEV),
	    .ino = (ino_t)qt_stmt_int(st, K_INODE),
	    .size = qt_stmt_int(st, K_SIZE),
	    .mode = (mode_t)qt_stmt_int(st, K_MODE),
	    .uid = (uid_t)qt_stmt_int(st, K_UID),
	    .gid = (gid_t)qt_stmt_int(st, K_GID),
	    .mtime_ns = qt_stmt_int(st, K_MTIME),
	    .ctime_ns = qt_stmt_int(st, K_CTIME)};
}

/* Whether a row is no message: by its state, or without one by what that is. */
static bool is_foreign(const struct pick *p, const struct qt_stmt *st)
{
	const char *id = text_of(st, K_ID);

	if (qt_stmt_type(st, K_INODE) != QT_COL_INT)
		return true;
	if (!p->brief)
		return strcmp(text_of(st, K_STATE), "foreign") == 0;
	return !S_ISREG((mode_t)qt_stmt_int(st, K_MODE)) ||
	    !qt_queue_id_valid(id) || id[1] == '\0';
}

/* Likewise one that cleanup is still writing (0400: corrupt, and taken). */
static bool is_unfinished(const struct pick *p, const struct qt_stmt *st)
{
	mode_t mode = (mode_t)qt_stmt_int(st, K_MODE) & S_IRWXU;

	return p->brief ? mode != S_IRWXU && mode != S_IRUSR :
	    strcmp(text_of(st, K_STATE), "unfinished") == 0;
}

/* What matches and cannot be taken: named and counted. */
static bool leave_out(struct ctx *c, struct pick *p, const struct qt_stmt *st)
{
	const char *why, *fate;

	if (is_foreign(p, st)) {
		p->foreign++;
		why = "no message: left alone";
		fate = "foreign";
	} else if (is_unfinished(p, st)) {
		p->unfinished++;
		why = "is being written: left out";
		fate = "unfinished";
	} else if (p->how->op != QT_OP_IMPORT && /* of an archive: it was */
	    qt_stmt_int(st, K_IN_DELIVERY) != 0) {
		p->in_delivery++;
		why = "is in delivery: left out";
		fate = "in_delivery";
	} else {
		return false;
	}
	remark("%s: %s", text_of(st, K_PATH), why);
	answer_message(c, text_of(st, K_QUEUE), text_of(st, K_ID), fate);
	return true;
}

/* Where it lies now is kept, to show it. */
static int keep_path(struct pick *p, const struct qt_item *it,
    struct qt_error *err)
{
	p->values[p->taken].path = (uint32_t)p->paths.len;
	qt_buf_add(&p->paths, it->path, strlen(it->path) + 1);
	return qt_buf_check(&p->paths, err);
}

/* A message in staging goes by the place that it will have. */
static int add_staged(struct ctx *c, struct pick *p, struct qt_item *it,
    struct qt_error *err)
{
	char path[512];

	it->queue = QT_Q_HOLD;
	it->path = path;
	if (qt_spool_path(c->spools.v[0], QT_Q_HOLD, it->id, path,
		sizeof(path)) != 0)
		return qt_fail(err, QT_E_USAGE, it->id, "its path is too long");
	return qt_plan_add(p->plan, it, err);
}

static int add_to_plan(struct ctx *c, struct pick *p, struct qt_item *it,
    struct qt_error *err)
{
	if (p->how->op == QT_OP_IMPORT) /* import_row() did */
		return 0;
	return p->how->op == QT_OP_RESTORE ? add_staged(c, p, it, err) :
					     qt_plan_add(p->plan, it, err);
}

static int add_item(struct ctx *c, struct pick *p, const struct qt_stmt *st,
    struct qt_error *err)
{
	struct qt_item it;

	item_of(st, &it);
	if ((!p->brief && add_values(p, st, err) != 0) ||
	    (pick_elsewhere(p->how->op) && keep_path(p, &it, err) != 0) ||
	    add_to_plan(c, p, &it, err) != 0)
		return -1;
	p->taken++;
	/* where it was: that is what one selects by, in staging too */
	p->queue[qt_queue_by_name(text_of(st, K_QUEUE))]++;
	p->bytes += it.size;
	p->recipients += (uint64_t)qt_stmt_int(st, K_TODO);
	if (qt_queue_by_name(text_of(st, K_QUEUE)) == QT_Q_HOLD &&
	    qt_stmt_type(st, K_TODO) == QT_COL_INT && qt_stmt_int(st, K_TODO) == 0)
		p->already_sent++;
	return 0;
}

/* Into the plan, when it can be: 0; 1 it is left out, and that was said. */
static int import_row(struct ctx *c, struct pick *p, const struct qt_stmt *st,
    struct qt_error *err)
{
	const char *why = "is no message that Postfix would accept";
	struct qt_item it;
	int r = 1;

	if (p->how->op != QT_OP_IMPORT)
		return 0;
	item_of(st, &it);
	if (strcmp(text_of(st, K_STATE), "corrupt") != 0)
		r = p->how->import(p->how->import_ctx, p->plan, &it, &why, err);
	if (r <= 0)
		return r;
	p->unfit++;
	remark("%s: %s: left out", text_of(st, K_PATH), why);
	answer_message(c, text_of(st, K_QUEUE), text_of(st, K_ID),
	    "cannot_be_restored");
	return 1;
}

static int add_row(struct ctx *c, struct pick *p, const struct qt_stmt *st,
    struct qt_error *err)
{
	enum qt_queue queue = qt_queue_by_name(text_of(st, K_QUEUE));
	struct risks *risks = p->brief ? NULL : p->how->risks;
	int r;

	if (qt_select_queues(c->sel) == 0 &&
	    (QT_Q_BIT(queue) & p->how->aside) != 0) {
		p->aside++;
		return 0;
	}
	if (risks != NULL && risks_row(risks, st, K_RISKS))
		return 0;
	p->matched++;
	progress(c, "messages selected", p->matched, 0);
	if (leave_out(c, p, st))
		return 0;
	r = import_row(c, p, st, err);
	return r != 0 ? (r < 0 ? -1 : 0) : add_item(c, p, st, err);
}

/* ---- which rows ---- */

/* As --queue takes them. */
static void add_queues(struct qt_buf *b, unsigned mask)
{
	int q;

	for (q = 0; q < QT_Q_MESSAGES; q++)
		if ((mask & QT_Q_BIT(q)) != 0)
			qt_buf_addf(b, "%s%s", b->len != 0 ? "," : "",
			    qt_queue_name((enum qt_queue)q));
}

static int check(struct ctx *c, const struct pick_how *how, unsigned queues,
    struct qt_error *err)
{
	struct qt_buf may;

	if (!qt_select_any(c->sel))
		return qt_fail(err, QT_E_USAGE, c->cmd->name,
		    "no selection; all mail is --all");
	if ((qt_select_queues(c->sel) & ~how->may) != 0) {
		qt_buf_init(&may, 0);
		add_queues(&may, how->may);
		(void)qt_fail(err, QT_E_USAGE, "--queue",
		    "%s takes mail from %s", c->cmd->name,
		    qt_buf_str(&may));
		qt_buf_release(&may);
		return -1;
	}
	qt_select_default_queues(c->sel, queues);
	return 0;
}

int pick_explain(struct ctx *c, const struct pick_how *how)
{
	struct qt_error err = {0};

	return check(c, how, how->usual, &err) == 0 ?
	    explain_messages(c, columns, NULL) : complain(&err);
}

/* The same with the risks' columns and parameters behind the selection's. */
static int open_risky(struct ctx *c, struct risks *risks, struct qt_stmt **st,
    struct qt_error *err)
{
	const struct qt_bind *own;
	struct qt_bind *binds;
	const char *where;
	struct qt_buf sql;
	size_t n, more;
	int r;

	if (qt_select_sql(c->sel, &where, &own, &n, err) != 0 ||
	    risks_nbinds(risks, &more, err) != 0)
		return -1;
	binds = calloc(n + more + 1, sizeof(*binds));
	if (binds == NULL)
		return qt_fail_mem(err);
	if (n != 0)
		memcpy(binds, own, n * sizeof(*own));
	qt_buf_init(&sql, 0);
	qt_buf_addf(&sql, "SELECT %s", columns);
	r = risks_columns(risks, n, &sql, binds + n, err);
	qt_buf_addf(&sql, " FROM messages WHERE (%s)", where);
	if (r == 0)
		r = qt_buf_check(&sql, err);
	if (r == 0)
		r = qt_stmt_open(st, c->db, qt_buf_str(&sql), binds, n + more,
		    err);
	qt_buf_release(&sql);
	free(binds);
	return r;
}

/* ---- waiting ---- */

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int count_in_delivery(struct ctx *c, uint64_t *n, struct qt_error *err)
{
	struct qt_stmt *st = NULL;
	int r;

	r = open_messages(c, "count(*)", "AND in_delivery", &st, err);
	if (r == 0)
		r = qt_stmt_step(st, err);
	if (r == 0)
		*n = (uint64_t)qt_stmt_int(st, 0);
	qt_stmt_close(st);
	return r < 0 ? -1 : 0;
}

/*
 * --wait: until no message that matches is in delivery.  What is left of the
 * time is for those that an agent opens after that.
 */
static int wait_for_delivery(struct ctx *c, struct qt_error *err)
{
	const struct timespec pause = {.tv_nsec = 500000000};
	int64_t end = now_ms() + (int64_t)c->wait_s * 1000, left;
	char count[48], age[16];
	bool said = false;
	uint64_t n = 0;

	for (;;) {
		if (count_in_delivery(c, &n, err) != 0)
			return -1;
		left = end - now_ms();
		if (n == 0 || left <= 0 || interrupted(c))
			break;
		progress_end(c);
		if (!said && !c->quiet)
			remark("in delivery: %s; waiting for up to %s",
			    messages_text(n, count), human_age(c->wait_s, age));
		said = true;
		(void)nanosleep(&pause, NULL);
	}
	c->wait_left = left > 0 ? (unsigned)(left / 1000) : 0;
	qt_db_forget_stats(c->db);
	return 0;
}

/* ---- all of it ---- */

static int make_tallies(struct pick *p, struct qt_error *err)
{
	int i;

	for (i = 0; i < PICK_COLUMNS; i++)
		if (tally_new(&p->tally[i], DISTINCT_MAX, err) != 0)
			return -1;
	return tally_new(&p->domains, DISTINCT_MAX, err);
}

/*
 * Whether the plan is all that is wanted of the selection: no preview, no
 * answer with counts, no risk that could be in the way.
 */
static bool is_brief(const struct ctx *c, const struct pick_how *how)
{
	const struct risks *r = how->risks;

	return c->yes && !c->dry_run && c->plan_file == NULL &&
	    !answer_wanted(c) && !pick_elsewhere(how->op) &&
	    (r == NULL || (r->skip == 0 && (r->asked & ~r->allow) == 0));
}

static int open_rows(struct ctx *c, const struct pick *p,
    struct qt_stmt **st, struct qt_error *err)
{
	const struct pick_how *how = p->how;

	/* a dry run shows what is in delivery now; an archive, what was */
	if (c->wait_s != 0 && !c->dry_run && how->op != QT_OP_IMPORT &&
	    (check(c, how, how->usual, err) != 0 ||
		wait_for_delivery(c, err) != 0))
		return -1;
	if (check(c, how, how->usual | how->aside, err) != 0)
		return -1;
	if (p->brief)
		return open_messages(c, how->op == QT_OP_HOLD ? bare_columns :
			brief_columns, NULL, st, err);
	if (how->risks == NULL)
		return open_messages(c, columns, NULL, st, err);
	if (risks_begin(how->risks, c, err) != 0)
		return -1;
	return open_risky(c, how->risks, st, err);
}

int pick_run(struct ctx *c, struct pick *p, const struct pick_how *how,
    struct qt_error *err)
{
	struct qt_stmt *st = NULL;
	int r;

	*p = (struct pick){.how = how, .brief = is_brief(c, how)};
	qt_buf_init(&p->paths, 0);
	if (qt_change_allowed(c->spools.v[0], err) != 0 ||
	    qt_plan_new(&p->plan, how->op, err) != 0 ||
	    make_tallies(p, err) != 0 || open_rows(c, p, &st, err) != 0)
		return -1;
	qt_plan_set_source(p->plan, how->source);
	while ((r = qt_stmt_step(st, err)) == 0 && (r = add_row(c, p, st, err)) == 0)
		;
	qt_stmt_close(st);
	progress_end(c);
	if (r < 0)
		return -1;
	if (interrupted(c) || qt_db_stats(c->db)->interrupted)
		return qt_fail(err, QT_E_INTERRUPTED, c->cmd->name,
		    "interrupted; nothing was changed");
	return 0;
}

bool pick_elsewhere(enum qt_op op)
{
	return op == QT_OP_RESTORE || op == QT_OP_IMPORT;
}

const char *pick_path(const struct pick *p, size_t i)
{
	return pick_elsewhere(p->how->op) ?
	    p->paths.data + p->values[i].path : qt_plan_path_of(p->plan, i);
}

bool pick_left_out(const struct pick *p)
{
	return p->in_delivery + p->unfinished + p->foreign + p->unfit != 0;
}

void pick_answer(struct answer *a, const struct pick *p)
{
	const struct risks *r = p->how->risks;

	a->matched = (int64_t)p->matched;
	a->planned = (int64_t)p->taken;
	a->in_delivery = (int64_t)p->in_delivery;
	a->unfinished = (int64_t)p->unfinished;
	a->foreign = (int64_t)p->foreign;
	a->already_sent = (int64_t)p->already_sent;
	a->bytes = p->bytes;
	a->recipients = (int64_t)p->recipients;
	if (r == NULL)
		return;
	if ((r->asked & RISK_BIT(RISK_OLD)) != 0)
		a->old = (int64_t)r->count[RISK_OLD];
	a->null_sender = (int64_t)r->count[RISK_NULL_SENDER];
	a->deleted_before = (int64_t)r->count[RISK_DELETED];
	a->skipped = (int64_t)r->skipped;
}

/* ---- guards ---- */

/* What the selection would match where it does not look by itself. */
static void say_aside(const struct pick *p)
{
	struct qt_buf all;
	char count[48];

	if (p->aside == 0)
		return;
	qt_buf_init(&all, 0);
	add_queues(&all, p->how->usual | p->how->aside);
	remark("on the way, and not taken: %s in incoming and active; to take "
	       "them too: --queue %s", messages_text(p->aside, count),
	    qt_buf_str(&all));
	qt_buf_release(&all);
}

static int guard_count(struct ctx *c, const struct pick *p)
{
	if (c->expect >= 0 && p->matched != (uint64_t)c->expect) {
		say_why(c, "refused: %" PRIu64 " match, and --expect says %"
		    PRId64, p->matched, c->expect);
		return EXIT_REFUSED;
	}
	if (c->max >= 0 && p->matched > (uint64_t)c->max) {
		say_why(c, "refused: %" PRIu64 " match, and --max says %" PRId64,
		    p->matched, c->max);
		return EXIT_REFUSED;
	}
	return 0;
}

int pick_guard(struct ctx *c, const struct pick *p)
{
	const struct qt_scan_stats *s = qt_db_stats(c->db);
	uint64_t files = s->unreadable - s->dirs;
	int status;

	say_unreadable_queues(s);
	if (files != 0)
		remark("%" PRIu64 " file%s could not be read; whether %s "
		       "is not known", files, files == 1 ? "" : "s",
		    files == 1 ? "it matches" : "they match");
	say_aside(p);
	if ((status = guard_count(c, p)) != 0)
		return status;
	if (p->matched == 0) {
		answer_unread(c);
		say_why(c, p->how->risks != NULL && p->how->risks->skipped != 0 ?
			"no message matches that is not skipped" :
			"no message matches");
		return s->unreadable != 0 ? EXIT_PARTLY : EXIT_NOTHING;
	}
	if (p->taken == 0) {
		say_why(c, "none of the messages that match can be taken");
		return EXIT_PARTLY;
	}
	return 0;
}
