/*
 * answer.c - the outcome of a change as one JSON object.
 *
 * A script has to tell refused, nothing there and half done apart and must not
 * read sentences for it; so every member is there in every answer, null where
 * it is not known.  People get the same on stderr.
 */
#include "changing.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "qtool/escape.h"

void answer_begin(struct ctx *c, struct answer *a)
{
	*a = (struct answer){.matched = -1, .planned = -1, .done = 0, .gone = 0,
	    .changed = 0, .in_delivery = -1, .unfinished = -1, .foreign = -1,
	    .already_sent = -1, .from_active = -1, .bytes = -1,
	    .recipients = -1, .old = -1,
	    .null_sender = -1, .deleted_before = -1, .skipped = -1};
	qt_buf_init(&a->messages, 0);
	qt_buf_init(&a->imported, 0);
	c->answer = a;
}

bool answer_wanted(const struct ctx *c)
{
	return c->format == QT_FMT_JSON && !c->explain;
}

FILE *human_out(const struct ctx *c)
{
	return answer_wanted(c) ? stderr : stdout;
}

/* ---- what happens ---- */

void answer_tx(struct ctx *c, uint64_t id, int64_t done)
{
	struct answer *a = c->answer;
	struct answer_tx *v;

	v = reallocarray(a->tx, a->ntx + 1, sizeof(*v));
	if (v == NULL) {
		a->failed = true;
		return;
	}
	a->tx = v;
	a->tx[a->ntx++] = (struct answer_tx){id, done};
}

void answer_outcome(struct ctx *c, const struct qt_outcome *out)
{
	struct answer *a = c->answer;

	a->planned = (int64_t)out->planned;
	a->done = (int64_t)out->done;
	a->gone = (int64_t)out->gone;
	a->changed = (int64_t)out->changed;
}

static void put_string(struct qt_buf *b, const char *key, const char *text)
{
	qt_buf_addf(b, "\"%s\": ", key);
	qt_json_string(b, text);
}

void answer_message(struct ctx *c, const char *queue, const char *id,
    const char *fate)
{
	struct qt_buf *b = &c->answer->messages;

	if (c->answer->heard != NULL)
		c->answer->heard(c->answer->heard_ctx, queue, id, fate);
	if (!answer_wanted(c))
		return;
	qt_buf_adds(b, b->len != 0 ? ", {" : "{");
	put_string(b, "queue_name", queue);
	qt_buf_adds(b, ", ");
	put_string(b, "queue_id", id);
	qt_buf_adds(b, ", ");
	put_string(b, "fate", fate);
	qt_buf_addc(b, '}');
}

/* The first reason is the cause, the others follow from it. */
static void keep_why(struct answer *a, const char *where, const char *text)
{
	if (a->error[0] == '\0')
		(void)snprintf(a->error, sizeof(a->error), "%s%s%s", where,
		    *where != '\0' ? ": " : "", text);
}

void answer_unread(struct ctx *c)
{
	if (qt_db_stats(c->db)->unreadable != 0)
		keep_why(c->answer, "", "some files or directories could not "
		    "be read; whether they match is not known");
}

void say_why(struct ctx *c, const char *fmt, ...)
{
	char text[640];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	keep_why(c->answer, "", text);
	remark("%s", text);
}

int complain_why(struct ctx *c, const struct qt_error *err)
{
	if (c->answer != NULL) /* else it is a view: history */
		keep_why(c->answer, err->where, err->text);
	return complain(err);
}

void undo_command(const struct ctx *c, uint64_t id, struct qt_buf *out)
{
	command_prefix(c, out);
	qt_buf_addf(out, " undo %" PRIu64, id);
}

/* ---- printing it ---- */

static void put_count(struct qt_buf *b, const char *key, int64_t n)
{
	if (n >= 0)
		qt_buf_addf(b, ", \"%s\": %" PRId64, key, n);
	else
		qt_buf_addf(b, ", \"%s\": null", key);
}

static const char *state_of(const struct qt_tx_list *l, uint64_t id)
{
	const struct qt_tx_info *t = find_tx(l, id);

	return t != NULL ? qt_tx_state_name(t->state) : NULL;
}

/* Transaction and state; null when it is none, or several. */
static void put_transaction(struct qt_buf *b, const struct answer *a,
    const struct qt_tx_list *l)
{
	put_count(b, "transaction", a->ntx == 1 ? (int64_t)a->tx[0].id : -1);
	qt_buf_adds(b, ", ");
	put_string(b, "state", a->ntx == 1 ? state_of(l, a->tx[0].id) : NULL);
}

static void put_transactions(struct qt_buf *b, const struct answer *a,
    const struct qt_tx_list *l)
{
	size_t i;

	qt_buf_adds(b, ", \"transactions\": [");
	for (i = 0; i < a->ntx; i++) {
		qt_buf_addf(b, "%s{\"transaction\": %" PRIu64 ", ",
		    i != 0 ? ", " : "", a->tx[i].id);
		put_string(b, "state", state_of(l, a->tx[i].id));
		put_count(b, "done", a->tx[i].done);
		qt_buf_addc(b, '}');
	}
	qt_buf_addc(b, ']');
}

static void put_counts(struct qt_buf *b, const struct answer *a)
{
	put_count(b, "matched", a->matched);
	put_count(b, "planned", a->planned);
	put_count(b, "done", a->done);
	put_count(b, "gone", a->gone);
	put_count(b, "changed", a->changed);
	put_count(b, "in_delivery", a->in_delivery);
	put_count(b, "unfinished", a->unfinished);
	put_count(b, "foreign", a->foreign);
	put_count(b, "already_sent", a->already_sent);
	put_count(b, "from_active", a->from_active);
	put_count(b, "bytes", a->bytes);
	put_count(b, "recipients", a->recipients);
	put_count(b, "old", a->old);
	put_count(b, "null_sender", a->null_sender);
	put_count(b, "deleted_before", a->deleted_before);
	put_count(b, "skipped", a->skipped);
}

static void put_undo(struct qt_buf *b, const struct ctx *c,
    const struct qt_tx_list *l)
{
	const struct answer *a = c->answer;
	const struct qt_tx_info *t =
	    a->ntx == 1 ? find_tx(l, a->tx[0].id) : NULL;
	struct qt_buf cmd;

	qt_buf_init(&cmd, 0);
	if (a->undoable && t != NULL &&
	    (t->state == QT_TX_COMMITTED || t->state == QT_TX_PLACED))
		undo_command(c, a->tx[0].id, &cmd);
	qt_buf_adds(b, ", ");
	put_string(b, "undo", cmd.len != 0 ? qt_buf_str(&cmd) : NULL);
	qt_buf_release(&cmd);
}

static void put_answer(struct qt_buf *b, const struct ctx *c,
    const struct qt_tx_list *l, int status)
{
	const struct answer *a = c->answer;

	qt_buf_addc(b, '{');
	put_string(b, "command", c->cmd->name);
	qt_buf_adds(b, ", ");
	put_string(b, "queue_dir", c->spools.n == 1 ?
	    c->spools.v[0]->queue_dir : NULL);
	put_transaction(b, a, l);
	qt_buf_addf(b, ", \"dry_run\": %s", c->dry_run ? "true" : "false");
	put_counts(b, a);
	qt_buf_adds(b, ", ");
	put_string(b, "plan", a->plan);
	if (a->archive != NULL)
		qt_buf_addf(b, ", \"archive\": %s", a->archive);
	if (a->imported.len != 0)
		qt_buf_addf(b, ", \"imported\": [%s]",
		    qt_buf_str(&a->imported));
	qt_buf_addf(b, ", \"messages\": [%s]", qt_buf_str(&a->messages));
	put_transactions(b, a, l);
	put_undo(b, c, l);
	qt_buf_adds(b, ", ");
	put_string(b, "error", a->error[0] != '\0' ? a->error : NULL);
	put_count(b, "exit_status", status);
	qt_buf_adds(b, "}\n");
}

/* Half an answer is none: without memory for all of it nothing is printed. */
static int print(const struct ctx *c, int status)
{
	struct qt_error err = {0};
	struct qt_tx_list l = {.n = 0};
	struct qt_buf b;
	bool read;

	read = c->answer->ntx != 0 &&
	    qt_tx_list_read(&l, c->spools.v[0], c->state_dir, &err) == 0;
	qt_buf_init(&b, 0);
	put_answer(&b, c, &l, status);
	if (b.failed || c->answer->failed || c->answer->messages.failed ||
	    c->answer->imported.failed) {
		remark("out of memory for the answer; see qtool history");
		if (status == EXIT_DONE)
			status = EXIT_PARTLY;
	} else {
		(void)fwrite(b.data, 1, b.len, stdout);
	}
	qt_buf_release(&b);
	if (read)
		qt_tx_list_release(&l);
	return status;
}

int answer_end(struct ctx *c, int status)
{
	struct answer *a = c->answer;

	progress_end(c);
	if (answer_wanted(c))
		status = print(c, status);
	free(a->tx);
	qt_buf_release(&a->messages);
	qt_buf_release(&a->imported);
	c->answer = NULL;
	return status;
}

int answer_not_begun(struct ctx *c, const struct qt_error *err)
{
	struct answer a;

	if (!c->cmd->answers)
		return complain(err);
	answer_begin(c, &a);
	if (c->cmd == &cmd_archive)
		a.archive = "null";
	return answer_end(c, complain_why(c, err));
}
