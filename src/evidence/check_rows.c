/*
 * check_rows.c - what the tables say of a message against what its file says
 * (check_parse.c), line by line.
 */
#include "evidence/check.h"

#include <stdlib.h>
#include <string.h>

#include "evidence/json.h"

#define AHEAD 1000 /* lines looked at for one that is out of place */
#define SHOWN 200  /* bytes of a value in a report */

/* ---- a row against that ---- */

struct pair {
	struct qt_check *c;
	const char *path;
	const struct qt_json *row;
	uint64_t line;	 /* of it in a table of several lines; 0 none */
	const char *key; /* looked for in it */
	size_t key_len;
	struct qt_json found;
	bool have;
};

static int find_member(void *ctx, const char *key, size_t len,
    const struct qt_json *v)
{
	struct pair *p = ctx;

	if (len != p->key_len || memcmp(key, p->key, len) != 0)
		return 0;
	p->found = *v;
	p->have = true;
	return 0;
}

static bool find(struct pair *p, const char *key, size_t len)
{
	p->key = key;
	p->key_len = len;
	p->have = false;
	return qt_json_each(p->row, find_member, p) == 0 && p->have;
}

static void shown(const struct qt_json *v, char to[SHOWN])
{
	(void)snprintf(to, SHOWN, "%.*s",
	    (int)(v->len < SHOWN ? v->len : SHOWN - 1), v->text);
}

/* The time of the file, which the tar has in seconds. */
static void compare_mtime(struct pair *p, const struct qt_json *want)
{
	int64_t there = 0, said = 0;
	struct qt_bagrow row;
	char a[32], b[32];
	const char *why;

	if (qt_bagrow_read(&row, p->row->text, p->row->len, &why) != 0 ||
	    !qt_json_i64(want, &there))
		return;
	said = row.mtime_ns >= 0 ? row.mtime_ns / 1000000000 :
	    -((-row.mtime_ns + 999999999) / 1000000000);
	if (said == there)
		return;
	(void)snprintf(a, sizeof a, "%lld", (long long)said);
	(void)snprintf(b, sizeof b, "%lld", (long long)there);
	qt_check_tell(p->c, QT_FLAW_ROW, p->path, -1, a, b,
	    "has another time in the tar than in its row");
}

/* One fact, which the row has to have just so. */
static int compare_fact(void *ctx, const char *key, size_t len,
    const struct qt_json *want)
{
	struct pair *p = ctx;
	char a[SHOWN], b[SHOWN];

	if (len == 9 && memcmp(key, "tar_mtime", 9) == 0) {
		compare_mtime(p, want);
		return 0;
	}
	if (find(p, key, len) && qt_json_same(want, &p->found))
		return 0;
	shown(want, a);
	if (p->have)
		shown(&p->found, b);
	if (p->line == 0)
		qt_check_tell(p->c, QT_FLAW_ROW, p->path, -1, a,
		    p->have ? b : NULL, "does not say what its row says: %.*s",
		    (int)len, key);
	else
		qt_check_tell(p->c, QT_FLAW_ROW, p->path, (int64_t)p->line, a,
		    p->have ? b : NULL, "line %llu is not what the message "
		    "says: %.*s", (unsigned long long)p->line, (int)len, key);
	return 0;
}

static bool state_is(struct pair *p, const char *state)
{
	size_t n = strlen(state);

	return find(p, "state", 5) && p->found.len == n + 2 &&
	    memcmp(p->found.text + 1, state, n) == 0;
}

/* By its mode alone: a delivery agent has taken it for corrupt. */
static bool marked(struct pair *p)
{
	uint64_t mode;

	return find(p, "mode", 4) && qt_json_u64(&p->found, &mode) &&
	    (mode & 0700) == 0400;
}

static void compare_row(struct qt_check *c, const char *path,
    const struct qt_lines *row_line, const struct qt_lines *fact_line_)
{
	struct qt_json row, fact;
	struct pair p = {.c = c, .path = path, .row = &row};
	struct pair f = {.row = &fact};
	bool corrupt;

	if (!qt_json_read(qt_buf_str(&row_line->buf), row_line->buf.len, &row) ||
	    !qt_json_read(qt_buf_str(&fact_line_->buf), fact_line_->buf.len,
		&fact))
		return; /* told by check_lists.c */
	corrupt = state_is(&f, "corrupt");
	if (corrupt && state_is(&p, "ok"))
		qt_check_tell(c, QT_FLAW_ROW, path, -1, "ok", "corrupt",
		    "is no message that Postfix would accept, as its row says");
	else if (!corrupt && state_is(&p, "corrupt") && !marked(&p))
		qt_check_tell(c, QT_FLAW_ROW, path, -1, "corrupt", "ok",
		    "is a whole message, which its row denies");
	else if (!corrupt && !state_is(&p, "corrupt"))
		(void)!qt_json_each(&fact, compare_fact, &p);
}

/* ---- both in step ---- */

/* "path" of a line; false: it has none. */
static bool path_of(const struct qt_lines *l, char path[QT_MEMBER_SIZE])
{
	struct qt_json v;
	struct pair p = {.row = &v};
	struct qt_buf b;
	bool good;

	if (!qt_json_read(qt_buf_str(&l->buf), l->buf.len, &v) ||
	    v.type != QT_JSON_OBJECT || !find(&p, "path", 4))
		return false;
	qt_buf_init(&b, QT_MEMBER_SIZE);
	good = qt_json_text(&p.found, &b) && !b.failed;
	if (good)
		(void)strlcpy(path, qt_buf_str(&b), QT_MEMBER_SIZE);
	qt_buf_release(&b);
	return good;
}

/* To the line about a path, not far ahead; 1: there is none, l is as it was. */
static int seek(struct qt_lines *l, const char *path, struct qt_error *err)
{
	const uint64_t at = l->at, number_was = l->number;
	char is[QT_MEMBER_SIZE];
	int i, r = 0;

	for (i = 0; i < AHEAD && (r = qt_lines_next(l, err)) == 0; i++)
		if (path_of(l, is) && strcmp(is, path) == 0)
			return 0;
	if (r < 0)
		return -1;
	l->at = at;
	l->number = number_was;
	return 1;
}

static int rows_in_step(struct qt_check *c, struct qt_lines *rows,
    struct qt_lines *facts, struct qt_error *err)
{
	char path[QT_MEMBER_SIZE];
	int r, found;

	while ((r = qt_lines_next(rows, err)) == 0) {
		/* odd ones have no facts; what is no row was told before */
		if (!path_of(rows, path) ||
		    strncmp(path, "data/queue/", 11) != 0)
			continue;
		if ((found = seek(facts, path, err)) < 0)
			return -1;
		if (found == 0)
			compare_row(c, path, rows, facts);
		else
			qt_check_tell(c, QT_FLAW_TABLE,
			    qt_kept_paths[QT_KEPT_MESSAGES],
			    (int64_t)rows->number, NULL, NULL,
			    "line %llu is not in its place, or about no message",
			    (unsigned long long)rows->number);
	}
	return r < 0 ? -1 : 0;
}

/* One line of recipients; false: those behind it are of other recipients. */
static bool compare_rcpt(struct qt_check *c, const struct qt_lines *said,
    const struct qt_lines *should)
{
	struct qt_json row, fact;
	char where[64];
	struct pair p = {.c = c, .path = where, .row = &row};
	uint64_t before = c->res->problems;

	(void)snprintf(where, sizeof where, "%s",
	    qt_kept_paths[QT_KEPT_RECIPIENTS]);
	if (!qt_json_read(qt_buf_str(&said->buf), said->buf.len, &row) ||
	    row.type != QT_JSON_OBJECT ||
	    !qt_json_read(qt_buf_str(&should->buf), should->buf.len, &fact)) {
		qt_check_tell(c, QT_FLAW_TABLE, where, (int64_t)said->number,
		    NULL, NULL, "line %llu is no JSON object",
		    (unsigned long long)said->number);
		return true;
	}
	p.line = said->number;
	(void)!qt_json_each(&fact, compare_fact, &p);
	return before == c->res->problems;
}

/* Recipients, in step; those of messages without a name are passed over. */
static int rcpts_in_step(struct qt_check *c, struct qt_lines *said,
    struct qt_lines *should, struct qt_error *err)
{
	char path[QT_MEMBER_SIZE] = "";
	int r, s = 0;

	while ((r = qt_lines_next(said, err)) == 0) {
		if (path_of(said, path) && strncmp(path, "data/odd/", 9) == 0)
			continue;
		if ((s = qt_lines_next(should, err)) != 0)
			break;
		/* once out of step nothing that follows means anything */
		if (!compare_rcpt(c, said, should))
			return 0;
	}
	if (r < 0 || s < 0)
		return -1;
	if (s == 0 && (s = qt_lines_next(should, err)) < 0)
		return -1;
	if (r == 0 || s == 0)
		qt_check_tell(c, QT_FLAW_COUNT,
		    qt_kept_paths[QT_KEPT_RECIPIENTS], (int64_t)said->number,
		    NULL, NULL, "has %s recipients than the messages",
		    r == 0 ? "more" : "fewer");
	return 0;
}

int qt_check_rows(struct qt_check *c, struct qt_error *err)
{
	struct qt_lines a, b;
	int r = 0;

	/* what was made unreadable says no longer what its row says */
	if (c->res->redaction[0] != '\0' &&
	    strcmp(c->res->redaction, "none") != 0)
		return 0;
	qt_lines_init(&a, &c->kept[QT_KEPT_MESSAGES]);
	qt_lines_init(&b, &c->facts);
	if (c->have[QT_KEPT_MESSAGES])
		r = rows_in_step(c, &a, &b, err);
	qt_lines_release(&a);
	qt_lines_release(&b);
	qt_lines_init(&a, &c->kept[QT_KEPT_RECIPIENTS]);
	qt_lines_init(&b, &c->rcpts);
	if (r == 0 && c->have[QT_KEPT_RECIPIENTS])
		r = rcpts_in_step(c, &a, &b, err);
	qt_lines_release(&a);
	qt_lines_release(&b);
	return r;
}
