/*
 * changing.c - what the commands that change a queue share.
 */
#include "changing.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <termios.h>
#include <unistd.h>

#include "qtool/escape.h"

#define POLL_MS 200 /* how soon Ctrl-C at the question is seen */

const char *messages_text(uint64_t n, char out[48])
{
	char count[32];

	(void)snprintf(out, 48, "%s message%s", human_count(n, count),
	    n == 1 ? "" : "s");
	return out;
}

/* ---- messages that do not go as planned ---- */

/* In the answer's words. */
static const char *fate_name(enum qt_fate fate)
{
	if (fate == QT_FATE_GONE)
		return "gone";
	if (fate == QT_FATE_CHANGED)
		return "changed";
	if (fate == QT_FATE_DOUBTFUL)
		return "doubtful";
	if (fate == QT_FATE_THERE)
		return "already_there";
	return fate == QT_FATE_DELIVERED ? "delivered" : "in_delivery";
}

static void say_fate(enum qt_fate fate, const char *queue, const char *id)
{
	switch (fate) {
	case QT_FATE_GONE:
		remark("%s/%s: gone: delivered or removed meanwhile", queue, id);
		break;
	case QT_FATE_CHANGED:
		remark("%s/%s: changed: not what was selected any more, or its "
		       "name is taken; left alone", queue, id);
		break;
	case QT_FATE_DELIVERED:
		remark("%s/%s: was in delivery: recipients were delivered "
		       "after it was taken", queue, id);
		break;
	case QT_FATE_IN_DELIVERY:
		remark("%s/%s: is in delivery: left alone", queue, id);
		break;
	case QT_FATE_DOUBTFUL:
		remark("%s/%s: is taken back, and may be new mail, too: it was "
		       "read or open then, perhaps by Postfix; look for it "
		       "before it is released or restored again", queue, id);
		break;
	case QT_FATE_THERE:
		remark("%s/%s: is, or was, in this queue already", queue, id);
		break;
	}
}

static void report(void *ctx, enum qt_fate fate, const char *queue,
    const char *id)
{
	answer_message(ctx, queue, id, fate_name(fate));
	say_fate(fate, queue, id);
}

void outcome_init(struct ctx *c, struct qt_outcome *out)
{
	*out = (struct qt_outcome){.report = report, .report_ctx = c};
}

/* Of a transaction that is recovered before: none of the answer's. */
static void say_recovered(void *ctx, enum qt_fate fate, const char *queue,
    const char *id)
{
	(void)ctx;
	say_fate(fate, queue, id);
}

/* ---- opening ---- */

static void on_progress(void *ctx, size_t done, size_t total)
{
	const struct changing *how = ctx;

	progress(how->c, how->what, done, total);
}

static int on_decide(void *ctx, uint64_t txid, struct qt_error *err)
{
	struct changing *how = ctx;

	return how->decide(how, txid, err);
}

int open_change(struct ctx *c, struct changing *how,
    struct qt_change **out, struct qt_error *err)
{
	struct qt_change_opts opts = {.state_dir = c->state_dir,
	    .no_wait = true, .strict = c->strict, .in_place = how->in_place,
	    .purge_rate = how->purge_rate, .wait_s = c->wait_left,
	    .decide = how->decide != NULL ? on_decide : NULL,
	    .decide_ctx = how,
	    .supply = how->supply, .supply_ctx = how->supply_ctx,
	    .again = how->again,
	    .stop = c->stop, .report = say_recovered,
	    .progress = on_progress, .progress_ctx = how,
	    .hand = roles_hand(c)};
	struct qt_error e = {0};
	size_t recovered = 0;
	int r;

	how->c = c;
	r = qt_change_open(out, c->spools.v[0], &opts, &recovered, &e);
	if (r != 0 && e.sys == EWOULDBLOCK && !c->no_wait) {
		remark("another qtool is changing this queue; waiting for it");
		opts.no_wait = false;
		r = qt_change_open(out, c->spools.v[0], &opts, &recovered, &e);
	}
	progress_end(c);
	if (r != 0) {
		*err = e;
		return -1;
	}
	if (recovered != 0)
		remark("%zu interrupted transaction%s recovered first; see "
		       "qtool history", recovered,
		    recovered == 1 ? " was" : "s were");
	return 0;
}

/* ---- the outcome ---- */

int change_failed(struct ctx *c, const struct qt_error *err, bool moved)
{
	(void)complain_why(c, err);
	switch (err->code) {
	case QT_E_USAGE:
		return EXIT_USAGE;
	case QT_E_REFUSED:
		return EXIT_REFUSED;
	case QT_E_STATE:
		return moved ? EXIT_PARTLY : EXIT_FAILED;
	default:
		return EXIT_FAILED;
	}
}

/* ---- asking ---- */

/* A line from standard input; -1: end of file, error, Ctrl-C, or too long. */
static int read_line(const struct ctx *c, char *line, size_t size)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	bool cut = false; /* an answer is not what its beginning says */
	size_t len = 0;
	ssize_t n;
	char ch;

	for (;;) {
		if (interrupted(c))
			return -1;
		/* poll ends at a signal, a read would be restarted */
		if (poll(&p, 1, POLL_MS) <= 0)
			continue;
		n = read(STDIN_FILENO, &ch, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		if (ch == '\n')
			break;
		if (len + 1 < size)
			line[len++] = ch;
		else
			cut = true;
	}
	line[len] = '\0';
	return cut ? -1 : 0;
}

int check_can_ask(struct ctx *c, const char *what)
{
	if (c->yes || (c->tty_err && isatty(STDIN_FILENO) == 1))
		return 0;
	progress_end(c);
	say_why(c, "refused: there is no terminal to ask at whether to %s; "
	    "--yes answers for you", what);
	return EXIT_REFUSED;
}

int ask_count(struct ctx *c, uint64_t n, const char *what)
{
	char line[64], want[32], count[48];
	const char *answer = line;

	if (c->yes)
		return 0;
	progress_end(c);
	(void)fflush(stdout);
	/* what was typed before the question is no answer to it */
	if (isatty(STDIN_FILENO) == 1)
		(void)tcflush(STDIN_FILENO, TCIFLUSH);
	(void)fprintf(stderr, "Type %" PRIu64 " to %s %s: ", n, what,
	    messages_text(n, count));
	(void)fflush(stderr);
	if (read_line(c, line, sizeof(line)) != 0) {
		(void)fputc('\n', stderr);
		answer = "";
	}
	(void)snprintf(want, sizeof(want), "%" PRIu64, n);
	answer += strspn(answer, " \t");
	if (strncmp(answer, want, strlen(want)) == 0 &&
	    strspn(answer + strlen(want), " \t\r") == strlen(answer + strlen(want)))
		return 0;
	say_why(c, "not confirmed; nothing was changed");
	return EXIT_REFUSED;
}

/* ---- syslog ---- */

void log_change(const struct ctx *c, const char *fmt, ...)
{
	char *text = NULL;
	struct qt_buf b;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	qt_buf_init(&b, 0);
	qt_escape_term(&b, text, (size_t)n);
	/* opened with the roles, as it cannot be now */
	syslog(LOG_NOTICE, "%s: %s", c->spools.v[0]->queue_dir, qt_buf_str(&b));
	qt_buf_release(&b);
	free(text);
}

/* ---- values ---- */

int parse_txid(const char *s, uint64_t *id, struct qt_error *err)
{
	struct qt_error e = {0};
	int64_t n;

	if (qt_parse_count(s, 1, INT64_MAX, &n, &e) != 0)
		return qt_fail(err, QT_E_USAGE, s, "is no transaction number");
	*id = (uint64_t)n;
	return 0;
}

int parse_rate(const char *s, unsigned *rate, struct qt_error *err)
{
	int64_t n;

	if (qt_parse_count(s, 1, 1000000, &n, err) != 0)
		return -1;
	*rate = (unsigned)n;
	return 0;
}

const struct qt_tx_info *find_tx(const struct qt_tx_list *l, uint64_t id)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (l->v[i].txid == id)
			return &l->v[i];
	return NULL;
}

bool tx_is(const struct ctx *c, uint64_t id, enum qt_tx_state state)
{
	struct qt_error ignored = {0}; /* whoever works on it next says it */
	const struct qt_tx_info *t;
	struct qt_tx_list l;
	bool yes;

	if (qt_tx_list_read(&l, c->spools.v[0], c->state_dir, &ignored) != 0)
		return false;
	t = find_tx(&l, id);
	yes = t != NULL && t->state == state;
	qt_tx_list_release(&l);
	return yes;
}
