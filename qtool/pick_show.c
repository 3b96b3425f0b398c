/*
 * pick_show.c - what a change will do, before it is asked for.
 *
 * "Least like the others" is meant so: a message whose account, sender's
 * domain, client, class and subject (numbers and case aside) are rare among the
 * selected is the one that may have got in by mistake.  The score is the sum of
 * -log2 of each value's share.  The first ten would all be spam.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "qtool/escape.h"

#include "carry.h"
#include "tally.h"

#define TOP 4
#define ODD 8 /* messages shown as least like the others */

/* A line that goes on in the next one, indented, where the terminal ends. */
struct line {
	FILE *out;
	size_t width; /* terminal columns; 0: no terminal, no end */
	size_t indent;
	size_t col; /* where it stands */
};

/* Escaped, at most max columns, "..." where cut. */
static void add_text(struct qt_buf *b, const char *s, size_t len, size_t max)
{
	size_t i, n, used = 0;
	const char *text;
	struct qt_buf all;

	qt_buf_init(&all, 0);
	qt_escape_cell(&all, s, len);
	text = qt_buf_str(&all);
	if (qt_term_width(text, all.len) <= max) {
		qt_buf_adds(b, text);
	} else {
		for (i = 0; i < all.len; i += n) {
			n = qt_utf8_next(text + i, all.len - i, NULL);
			n = n != 0 ? n : 1;
			used += qt_term_width(text + i, n);
			if (used + 3 > max)
				break;
		}
		qt_buf_add(b, text, i);
		qt_buf_adds(b, "...");
	}
	qt_buf_release(&all);
}

/* Of at most max columns, what a line of its own has place for besides used. */
static size_t room(const struct line *l, size_t max, size_t used)
{
	size_t place;

	if (l->width == 0)
		return max;
	place = l->width > l->indent + used + 10 ? l->width - l->indent - used : 10;
	return place < max ? place : max;
}

/* One item, behind a separator or on the next line. */
static void put_item(struct line *l, const char *sep, const struct qt_buf *item)
{
	size_t w = qt_term_width(qt_buf_str(item), item->len);
	size_t gap = strlen(sep);

	if (l->col > l->indent && l->width != 0 &&
	    l->col + gap + w + 1 > l->width) {
		(void)fprintf(l->out, "%s\n%*s", *sep == ',' ? "," : "",
		    (int)l->indent, "");
		l->col = l->indent;
	} else if (l->col > l->indent) {
		(void)fputs(sep, l->out);
		l->col += gap;
	}
	(void)fputs(qt_buf_str(item), l->out);
	l->col += w;
}

static void put_top(struct line *l, const char *label, const struct tally *t,
    const char *none)
{
	const struct tally_value *top[TOP];
	size_t i, n = tally_top(t, top, TOP);
	struct qt_buf item;
	char count[32];

	if (n == 0)
		return;
	qt_buf_init(&item, 0);
	(void)fprintf(l->out, "  %-18s", label);
	l->indent = l->col = 20;
	for (i = 0; i < n; i++) {
		qt_buf_clear(&item);
		qt_buf_addf(&item, "%s ", human_count(top[i]->count, count));
		if (top[i]->len == 0)
			qt_buf_adds(&item, none);
		else /* and a comma behind it */
			add_text(&item, top[i]->text, top[i]->len,
			    room(l, 60, item.len + 1));
		put_item(l, ", ", &item);
	}
	if (tally_size(t) > n) {
		qt_buf_clear(&item);
		qt_buf_addf(&item, "and %s more",
		    human_count(tally_size(t) - n, count));
		put_item(l, ", ", &item);
	}
	(void)fputc('\n', l->out);
	qt_buf_release(&item);
}

static void put_heading(FILE *out, const struct pick *p, const char *verb,
    bool for_good)
{
	char count[48], size[16], part[32];

	(void)fprintf(out, "%s %s, %s (", verb, messages_text(p->taken, count),
	    human_bytes(p->bytes, size));
	put_queues(out, p->queue);
	(void)fputs(")\n", out);
	if (for_good)
		(void)fprintf(out, "  %-18sthere is no undo\n", "for good");
	(void)fprintf(out, "  %-18s%s still to do\n", "recipients",
	    human_count(p->recipients, part));
}

static void put_counts(FILE *out, const struct pick *p)
{
	char count[32];

	if (p->how->risks != NULL)
		risks_show(p->how->risks, out);
	if (p->already_sent != 0)
		(void)fprintf(out, "  %-18s%s in hold, with no recipient left to do\n",
		    "already sent", human_count(p->already_sent, count));
	if (p->in_delivery != 0)
		(void)fprintf(out, "  %-18s%s, left out\n", "in delivery",
		    human_count(p->in_delivery, count));
	if (p->unfinished != 0)
		(void)fprintf(out, "  %-18s%s, left out\n", "being written",
		    human_count(p->unfinished, count));
	if (p->foreign != 0)
		(void)fprintf(out, "  %-18s%s, left alone\n", "no messages",
		    human_count(p->foreign, count));
}

/* ---- least like the others ---- */

struct odd {
	size_t index;
	unsigned score;
};

/* log2(n) * 16, near enough: whole bits and the four below the highest. */
static unsigned log2_16(uint64_t n)
{
	unsigned bits = 63 - (unsigned)__builtin_clzll(n | 1);
	uint64_t below = bits >= 4 ? n >> (bits - 4) : n << (4 - bits);

	return bits * 16 + (unsigned)(below & 15);
}

static unsigned score_of(const struct pick *p, size_t i)
{
	unsigned all = log2_16(p->taken), score = 0;
	int k;

	for (k = 0; k < PICK_COLUMNS; k++) {
		const struct tally_value *v =
		    tally_value(p->tally[k], p->values[i].v[k]);

		score += all - log2_16(v != NULL ? v->count : 1);
	}
	return score;
}

/* The n highest scores; the first of equals. */
static size_t find_odd(const struct pick *p, struct odd odd[ODD])
{
	size_t i, j, have = 0;

	for (i = 0; i < p->taken; i++) {
		unsigned score = score_of(p, i);

		for (j = have; j > 0 && odd[j - 1].score < score; j--)
			if (j < ODD)
				odd[j] = odd[j - 1];
		if (j < ODD) {
			odd[j] = (struct odd){i, score};
			have += have < ODD;
		}
	}
	return have;
}

static void put_column(struct line *l, const struct qt_stmt *st, int i,
    const char *none)
{
	struct qt_buf item;
	const char *text;
	size_t len;

	qt_buf_init(&item, 0);
	text = qt_stmt_text(st, i, &len);
	if (len == 0)
		qt_buf_adds(&item, none);
	else
		add_text(&item, text, len, room(l, 50, 1));
	put_item(l, "  ", &item);
	qt_buf_release(&item);
}

/*
 * One message, read again: its texts were not kept.  By its path, too, as an ID
 * can stand in two queues.
 */
static int put_message(struct ctx *c, struct line *l, const struct pick *p,
    size_t i, struct qt_error *err)
{
	static const char sql[] =
	    "SELECT queue_name, queue_id, sasl_username, sender,"
	    " client_address, subject FROM messages WHERE queue_id = ?1"
	    " AND path = ?2 LIMIT 1";
	const struct qt_bind binds[] = {
	    {.type = QT_BIND_TEXT, .text = qt_plan_id_of(p->plan, i)},
	    {.type = QT_BIND_TEXT, .text = pick_path(p, i)}};
	struct qt_stmt *st;
	int r;

	if (qt_stmt_open(&st, c->db, sql, binds, 2, err) != 0)
		return -1;
	if ((r = qt_stmt_step(st, err)) == 0) {
		(void)fputs("    ", l->out);
		l->indent = 6;
		l->col = 4;
		put_column(l, st, 0, "");
		put_column(l, st, 1, "");
		put_column(l, st, 2, "(no login)");
		put_column(l, st, 3, "<>");
		put_column(l, st, 4, "(no client)");
		put_column(l, st, 5, "(no subject)");
		(void)fputc('\n', l->out);
	}
	qt_stmt_close(st);
	return r < 0 ? -1 : 0;
}

int pick_show(struct ctx *c, const struct pick *p, const char *verb,
    bool for_good, struct qt_error *err)
{
	struct line l = {.out = human_out(c), .width = c->width};
	struct odd odd[ODD];
	size_t i, n;

	progress_end(c);
	put_heading(l.out, p, verb, for_good);
	put_top(&l, "accounts", p->tally[PICK_ACCOUNT], "(no login)");
	put_top(&l, "sender domains", p->tally[PICK_SENDER_DOMAIN], "<>");
	put_top(&l, "recipient domains", p->domains, "(none)");
	put_counts(l.out, p);
	n = find_odd(p, odd);
	(void)fprintf(l.out, "  %s:\n", p->taken > ODD ? "least like the others" :
	    "all of them");
	for (i = 0; i < n; i++)
		if (put_message(c, &l, p, odd[i].index, err) != 0)
			return -1;
	return 0;
}
