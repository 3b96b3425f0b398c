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

#include "changing.h"
#include "tally.h"

#define DISTINCT_MAX 200000 /* values kept of a column */
#define SHAPE_MAX 60	    /* bytes of a subject that are compared */

/* What is asked of a message, in this order. */
enum {
	K_QUEUE, K_ID, K_PATH, K_STATE, K_DEV, K_INODE, K_SIZE, K_MODE, K_UID,
	K_GID, K_MTIME, K_CTIME, K_IN_DELIVERY, K_TODO, K_ACCOUNT, K_DOMAIN,
	K_CLIENT, K_CLASS, K_SUBJECT, K_TODO_DOMAINS
};
static const char columns[] =
    "queue_name, queue_id, path, state, dev, inode, file_size, mode, uid, gid,"
    " mtime_ns, ctime_ns, in_delivery, rcpt_todo, sasl_username,"
    " sender_domain, client_address, class, subject, todo_domains";

void pick_release(struct pick *p)
{
	int i;

	qt_plan_free(p->plan);
	for (i = 0; i < PICK_COLUMNS; i++)
		tally_free(p->tally[i]);
	tally_free(p->domains);
	free(p->values);
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

/* What matches and cannot be taken: named and counted. */
static bool leave_out(struct ctx *c, struct pick *p, const struct qt_stmt *st)
{
	const char *state = text_of(st, K_STATE), *why, *fate;

	if (strcmp(state, "foreign") == 0 ||
	    qt_stmt_type(st, K_INODE) != QT_COL_INT) {
		p->foreign++;
		why = "no message: left alone";
		fate = "foreign";
	} else if (strcmp(state, "unfinished") == 0) {
		p->unfinished++;
		why = "is being written: left out";
		fate = "unfinished";
	} else if (qt_stmt_int(st, K_IN_DELIVERY) != 0) {
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

static int add_row(struct ctx *c, struct pick *p, const struct qt_stmt *st,
    struct qt_error *err)
{
	struct qt_item it;

	p->matched++;
	progress(c, "messages selected", p->matched, 0);
	if (leave_out(c, p, st))
		return 0;
	item_of(st, &it);
	if (qt_plan_add(p->plan, &it, err) != 0 || add_values(p, st, err) != 0)
		return -1;
	p->taken++;
	p->queue[it.queue]++;
	p->bytes += it.size;
	p->recipients += (uint64_t)qt_stmt_int(st, K_TODO);
	if (it.queue == QT_Q_HOLD && qt_stmt_type(st, K_TODO) == QT_COL_INT &&
	    qt_stmt_int(st, K_TODO) == 0)
		p->already_sent++;
	return 0;
}

static int check(struct ctx *c, struct qt_error *err)
{
	const unsigned may = QT_Q_BIT(QT_Q_HOLD) | QT_Q_BIT(QT_Q_DEFERRED);

	if (!qt_select_any(c->sel))
		return qt_fail(err, QT_E_USAGE, c->cmd->name,
		    "no selection; all mail is --all");
	if ((qt_select_queues(c->sel) & ~may) != 0)
		return qt_fail(err, QT_E_USAGE, "--queue",
		    "only hold and deferred can be changed: what lies in the "
		    "other queues is being worked on, or is nobody's; "
		    "postsuper -h puts it into hold");
	qt_select_default_queues(c->sel, may);
	return 0;
}

int pick_explain(struct ctx *c)
{
	struct qt_error err = {0};

	return check(c, &err) == 0 ? explain_messages(c, columns, NULL) :
				     complain(&err);
}

static int make_tallies(struct pick *p, struct qt_error *err)
{
	int i;

	for (i = 0; i < PICK_COLUMNS; i++)
		if (tally_new(&p->tally[i], DISTINCT_MAX, err) != 0)
			return -1;
	return tally_new(&p->domains, DISTINCT_MAX, err);
}

int pick_run(struct ctx *c, struct pick *p, enum qt_op op, struct qt_error *err)
{
	struct qt_stmt *st = NULL;
	int r;

	*p = (struct pick){.plan = NULL};
	if (qt_change_allowed(c->spools.v[0], err) != 0 || check(c, err) != 0 ||
	    qt_plan_new(&p->plan, op, err) != 0 || make_tallies(p, err) != 0 ||
	    open_messages(c, columns, NULL, &st, err) != 0)
		return -1;
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

bool pick_left_out(const struct pick *p)
{
	return p->in_delivery + p->unfinished + p->foreign != 0;
}

int pick_guard(struct ctx *c, const struct pick *p)
{
	const struct qt_scan_stats *s = qt_db_stats(c->db);
	uint64_t files = s->unreadable - s->dirs;

	say_unreadable_queues(s);
	if (files != 0)
		remark("%" PRIu64 " file%s could not be read; whether %s "
		       "is not known", files, files == 1 ? "" : "s",
		    files == 1 ? "it matches" : "they match");
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
	if (p->matched == 0) {
		answer_unread(c);
		say_why(c, "no message matches");
		return s->unreadable != 0 ? EXIT_PARTLY : EXIT_NOTHING;
	}
	if (p->taken == 0) {
		say_why(c, "none of the messages that match can be taken");
		return EXIT_PARTLY;
	}
	return 0;
}
