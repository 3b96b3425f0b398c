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

#include "changing.h"
#include "pick.h"
#include "tally.h"

#define TOP 4
#define ODD 8 /* messages shown as least like the others */

/* Escaped, at most width columns' worth of bytes, "..." where cut. */
static void put_text(FILE *out, const char *s, size_t len, size_t width)
{
	struct qt_buf b;

	qt_buf_init(&b, 0);
	if (len > width) {
		/* not through the middle of a character */
		for (len = width - 3; len > 0 && ((unsigned char)s[len] & 0xc0) == 0x80;)
			len--;
		qt_escape_cell(&b, s, len);
		qt_buf_adds(&b, "...");
	} else {
		qt_escape_cell(&b, s, len);
	}
	(void)fputs(qt_buf_str(&b), out);
	qt_buf_release(&b);
}

static void put_top(FILE *out, const char *label, const struct tally *t,
    const char *none)
{
	const struct tally_value *top[TOP];
	size_t i, n = tally_top(t, top, TOP);
	char count[32];

	if (n == 0)
		return;
	(void)fprintf(out, "  %-18s", label);
	for (i = 0; i < n; i++) {
		(void)fprintf(out, "%s%s ", i > 0 ? ", " : "",
		    human_count(top[i]->count, count));
		if (top[i]->len == 0)
			(void)fputs(none, out);
		else
			put_text(out, top[i]->text, top[i]->len, 60);
	}
	if (tally_size(t) > n)
		(void)fprintf(out, ", and %s more",
		    human_count(tally_size(t) - n, count));
	(void)fputc('\n', out);
}

static void put_heading(FILE *out, const struct pick *p, const char *verb,
    bool for_good)
{
	char count[48], size[16], part[32];
	const char *sep = "";
	int q;

	(void)fprintf(out, "%s %s, %s (", verb, messages_text(p->taken, count),
	    human_bytes(p->bytes, size));
	for (q = 0; q < QT_Q_COUNT; q++)
		if (p->queue[q] != 0) {
			(void)fprintf(out, "%s%s %s", sep,
			    qt_queue_name((enum qt_queue)q),
			    human_count(p->queue[q], part));
			sep = ", ";
		}
	(void)fprintf(out, "), %s recipients still to do%s\n",
	    human_count(p->recipients, part),
	    for_good ? "; for good, there is no undo" : "");
}

static void put_counts(FILE *out, const struct pick *p)
{
	char count[32];

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

static void put_column(FILE *out, const struct qt_stmt *st, int i,
    const char *none)
{
	const char *text;
	size_t len;

	text = qt_stmt_text(st, i, &len);
	(void)fputs("  ", out);
	if (len == 0)
		(void)fputs(none, out);
	else
		put_text(out, text, len, 50);
}

/*
 * One message, read again: its texts were not kept.  By its path, too, as an ID
 * can stand in two queues.
 */
static int put_message(struct ctx *c, FILE *out, const struct qt_plan *plan,
    size_t i, struct qt_error *err)
{
	static const char sql[] =
	    "SELECT queue_name, queue_id, sasl_username, sender,"
	    " client_address, subject FROM messages WHERE queue_id = ?1"
	    " AND path = ?2 LIMIT 1";
	const struct qt_bind binds[] = {
	    {.type = QT_BIND_TEXT, .text = qt_plan_id_of(plan, i)},
	    {.type = QT_BIND_TEXT, .text = qt_plan_path_of(plan, i)}};
	struct qt_stmt *st;
	int r;

	if (qt_stmt_open(&st, c->db, sql, binds, 2, err) != 0)
		return -1;
	if ((r = qt_stmt_step(st, err)) == 0) {
		(void)fputs("  ", out);
		put_column(out, st, 0, "");
		put_column(out, st, 1, "");
		put_column(out, st, 2, "(no login)");
		put_column(out, st, 3, "<>");
		put_column(out, st, 4, "(no client)");
		put_column(out, st, 5, "(no subject)");
		(void)fputc('\n', out);
	}
	qt_stmt_close(st);
	return r < 0 ? -1 : 0;
}

int pick_show(struct ctx *c, const struct pick *p, const char *verb,
    bool for_good, struct qt_error *err)
{
	FILE *out = human_out(c);
	struct odd odd[ODD];
	size_t i, n;

	progress_end(c);
	put_heading(out, p, verb, for_good);
	put_top(out, "accounts", p->tally[PICK_ACCOUNT], "(no login)");
	put_top(out, "sender domains", p->tally[PICK_SENDER_DOMAIN], "<>");
	put_top(out, "recipient domains", p->domains, "(none)");
	put_counts(out, p);
	n = find_odd(p, odd);
	(void)fprintf(out, "  %s:\n", p->taken > ODD ? "least like the others" :
	    "all of them");
	for (i = 0; i < n; i++)
		if (put_message(c, out, p->plan, odd[i].index, err) != 0)
			return -1;
	return 0;
}
