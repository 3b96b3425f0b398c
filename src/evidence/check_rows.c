/*
 * check_rows.c - what the tables say of a message against what its file says
 * (check_parse.c), line by line.
 */
#include "evidence/check.h"

#include <stdlib.h>
#include <string.h>

#include "format/json.h"

#define AHEAD 1000 /* lines looked at for one that is out of place */
#define SHOWN 200  /* bytes of a value in a report */

/* ---- a row against that ---- */

/* A line of a table, and what is said about it. */
struct row {
	struct qt_check *c;
	const char *path;
	struct qt_lines *line;
	uint64_t number; /* of it in a table of several lines a file; 0 none */
};

/* From j on to its end, or to where stop is. */
static bool find(struct qt_lines *l, struct qt_json *j, const char *stop,
    const char *name, struct qt_json_value *v)
{
	struct qt_json_value key;

	while (j->at != stop && qt_json_member(j, &key, v) == 0)
		if (qt_json_is(&key, name)) {
			l->next = *j;
			l->walked = true;
			return true;
		}
	return false;
}

bool qt_check_member(struct qt_lines *l, const char *name,
    struct qt_json_value *v)
{
	const char *stop = NULL;
	struct qt_json j;

	if (l->walked) {
		stop = l->next.at;
		j = l->next;
		if (find(l, &j, NULL, name, v))
			return true;
	}
	return qt_json_open(&j, '{', qt_buf_str(&l->buf), l->buf.len) &&
	    find(l, &j, stop, name, v);
}

/* Whether the whole line is an object. */
static bool is_object(const struct qt_lines *l)
{
	struct qt_json_value key, v;
	struct qt_json j;
	int r = -1;

	if (qt_json_open(&j, '{', qt_buf_str(&l->buf), l->buf.len))
		while ((r = qt_json_member(&j, &key, &v)) == 0)
			;
	return r == 1;
}

/* The next character of an array's or object's text that means something. */
static size_t past_blanks(const struct qt_json_value *v, size_t i, bool quoted)
{
	while (!quoted && i < v->len && strchr(" \t\r\n", v->text[i]) != NULL)
		i++;
	return i;
}

/* The same text, but for blanks between the values in it. */
static bool same_inside(const struct qt_json_value *a,
    const struct qt_json_value *b)
{
	bool quoted = false, escaped = false;
	size_t i = 0, k = 0;

	for (;; i++, k++) {
		i = past_blanks(a, i, quoted);
		k = past_blanks(b, k, quoted);
		if (i == a->len || k == b->len)
			return i == a->len && k == b->len;
		if (a->text[i] != b->text[k])
			return false;
		if (a->text[i] == '"' && !escaped)
			quoted = !quoted;
		escaped = quoted && !escaped && a->text[i] == '\\';
	}
}

/* The same value; of strings, whatever way they are written. */
static bool same(const struct qt_json_value *a, const struct qt_json_value *b)
{
	char *x, *y;
	bool yes;

	if (a->type != b->type)
		return false;
	if (a->len == b->len && memcmp(a->text, b->text, a->len) == 0)
		return true;
	if (a->type == QT_JSON_ARRAY || a->type == QT_JSON_OBJECT)
		return same_inside(a, b);
	if (a->type != QT_JSON_STRING)
		return false;
	x = malloc(a->len + 1);
	y = malloc(b->len + 1);
	yes = x != NULL && y != NULL && qt_json_text(a, x, a->len + 1) &&
	    qt_json_text(b, y, b->len + 1) && strcmp(x, y) == 0;
	free(x);
	free(y);
	return yes;
}

static void shown(const struct qt_json_value *v, char to[SHOWN])
{
	(void)snprintf(to, SHOWN, "%.*s",
	    (int)(v->len < SHOWN ? v->len : SHOWN - 1), v->text);
}

/* The time of the file, which the tar has in seconds. */
static void compare_mtime(const struct row *r, const struct qt_json_value *want)
{
	int64_t there = 0, ns = 0, said;
	struct qt_json_value stat, key, v;
	struct qt_json j;
	char a[32], b[32];

	if (!qt_json_int(want, &there) ||
	    !qt_check_member(r->line, "stat", &stat) ||
	    !qt_json_open(&j, '{', stat.text, stat.len))
		return;
	while (qt_json_member(&j, &key, &v) == 0)
		if (qt_json_is(&key, "mtime_ns") && !qt_json_int(&v, &ns))
			return;
	said = ns >= 0 ? ns / 1000000000 : -((-(ns + 1)) / 1000000000) - 1;
	if (said == there)
		return;
	(void)snprintf(a, sizeof a, "%lld", (long long)said);
	(void)snprintf(b, sizeof b, "%lld", (long long)there);
	qt_check_tell(r->c, QT_FLAW_ROW, r->path, -1, a, b,
	    "has another time in the tar than in its row");
}

static bool is_own(const struct qt_json_value *class)
{
	return qt_json_is(class, "authenticated") ||
	    qt_json_is(class, "forged");
}

/*
 * A login without a domain owns the addresses of the host's own domain, and
 * which that is no file tells.
 */
static bool may_differ(const struct row *r, const char *name,
    const struct qt_json_value *a, const struct qt_json_value *b)
{
	struct qt_json_value login;

	return strcmp(name, "class") == 0 && is_own(a) && is_own(b) &&
	    qt_check_member(r->line, "sasl_username", &login) &&
	    login.type == QT_JSON_STRING &&
	    memchr(login.text, '@', login.len) == NULL;
}

/* One fact, which the row has to have just so; whether it has. */
static bool compare_fact(const struct row *r, const struct qt_json_value *key,
    const struct qt_json_value *want)
{
	char name[32], a[SHOWN], b[SHOWN];
	struct qt_json_value found;
	bool have;

	if (!qt_json_text(key, name, sizeof name))
		return true;
	if (strcmp(name, "tar_mtime") == 0) {
		compare_mtime(r, want);
		return true;
	}
	have = qt_check_member(r->line, name, &found);
	if (have && (same(want, &found) || may_differ(r, name, want, &found)))
		return true;
	shown(want, a);
	if (have)
		shown(&found, b);
	if (r->number == 0)
		qt_check_tell(r->c, QT_FLAW_ROW, r->path, -1, a,
		    have ? b : NULL, "does not say what its row says: %s",
		    name);
	else
		qt_check_tell(r->c, QT_FLAW_ROW, r->path, (int64_t)r->number, a,
		    have ? b : NULL, "line %llu is not what the message says: "
		    "%s", (unsigned long long)r->number, name);
	return false;
}

static void compare_facts(const struct row *r, const char *json, size_t len)
{
	struct qt_json_value key, v;
	struct qt_json j;

	if (qt_json_open(&j, '{', json, len))
		while (qt_json_member(&j, &key, &v) == 0)
			/* of a line of many the first is enough */
			if (!compare_fact(r, &key, &v) && r->number != 0)
				break;
}

static bool state_is(struct qt_lines *l, const char *state)
{
	struct qt_json_value v;

	return qt_check_member(l, "state", &v) && qt_json_is(&v, state);
}

/* By its mode alone: a delivery agent has taken it for corrupt. */
static bool marked(struct qt_lines *l)
{
	struct qt_json_value v;
	uint64_t mode;

	return qt_check_member(l, "mode", &v) && qt_json_uint(&v, &mode) &&
	    (mode & 0700) == 0400;
}

static void compare_row(struct qt_check *c, const char *path,
    struct qt_lines *row, struct qt_lines *facts)
{
	const struct row r = {.c = c, .path = path, .line = row};
	bool corrupt = state_is(facts, "corrupt");

	if (corrupt && state_is(row, "ok"))
		qt_check_tell(c, QT_FLAW_ROW, path, -1, "ok", "corrupt",
		    "is no message that Postfix would accept, as its row says");
	else if (!corrupt && state_is(row, "corrupt") && !marked(row))
		qt_check_tell(c, QT_FLAW_ROW, path, -1, "corrupt", "ok",
		    "is a whole message, which its row denies");
	else if (!corrupt && (state_is(row, "ok") || state_is(row, "misplaced")))
		compare_facts(&r, qt_buf_str(&facts->buf), facts->buf.len);
}

/* ---- both in step ---- */

/* "path" of a line; false: it has none. */
static bool path_of(struct qt_lines *l, char path[QT_MEMBER_SIZE])
{
	struct qt_json_value v;

	return qt_check_member(l, "path", &v) && qt_json_text(&v, path, QT_MEMBER_SIZE);
}

int qt_check_seek(struct qt_lines *l, const char *member, const char *value,
    struct qt_error *err)
{
	const uint64_t at = l->at, number_was = l->number;
	char is[QT_MEMBER_SIZE * 4]; /* bytes may be shown as \xHH */
	struct qt_json_value v;
	int i, r = 0;

	for (i = 0; i < AHEAD && (r = qt_lines_next(l, err)) == 0; i++)
		if (qt_check_member(l, member, &v) &&
		    qt_json_text(&v, is, sizeof is) && strcmp(is, value) == 0)
			return 0;
	if (r < 0)
		return -1;
	l->at = at;
	l->number = number_was;
	return 1;
}

void qt_check_members(struct qt_check *c, const char *path,
    struct qt_lines *line, const char *json, size_t len)
{
	const struct row r = {.c = c, .path = path, .line = line};

	compare_facts(&r, json, len);
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
		if ((found = qt_check_seek(facts, "path", path, err)) < 0)
			return -1;
		if (found == 0)
			compare_row(c, path, rows, facts);
		else
			qt_check_tell(c, QT_FLAW_TABLE,
			    qt_told_paths[QT_TOLD_MESSAGES],
			    (int64_t)rows->number, NULL, NULL,
			    "line %llu is not in its place, or about no message",
			    (unsigned long long)rows->number);
	}
	return r < 0 ? -1 : 0;
}

/* One line of recipients; false: those behind it are of other recipients. */
static bool compare_rcpt(struct qt_check *c, struct qt_lines *said,
    const struct qt_lines *should)
{
	const uint64_t before = c->res->problems;
	const struct row r = {.c = c,
	    .path = qt_told_paths[QT_TOLD_RECIPIENTS], .line = said,
	    .number = said->number};

	if (!is_object(said)) {
		qt_check_tell(c, QT_FLAW_TABLE, r.path, (int64_t)said->number,
		    NULL, NULL, "line %llu is no JSON object",
		    (unsigned long long)said->number);
		return true;
	}
	compare_facts(&r, qt_buf_str(&should->buf), should->buf.len);
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
		    qt_told_paths[QT_TOLD_RECIPIENTS], (int64_t)said->number,
		    NULL, NULL, "has %s recipients than the messages",
		    r == 0 ? "more" : "fewer");
	return 0;
}

int qt_check_rows(struct qt_check *c, struct qt_error *err)
{
	struct qt_lines a, b;
	int r = 0;

	/* what was made unreadable says no longer what its row says */
	if (qt_check_redacted(c))
		return 0;
	qt_lines_init(&a, &c->kept[QT_TOLD_MESSAGES]);
	qt_lines_init(&b, &c->facts);
	if (c->have[QT_TOLD_MESSAGES])
		r = rows_in_step(c, &a, &b, err);
	qt_lines_release(&a);
	qt_lines_release(&b);
	qt_lines_init(&a, &c->kept[QT_TOLD_RECIPIENTS]);
	qt_lines_init(&b, &c->rcpts);
	if (r == 0 && c->have[QT_TOLD_RECIPIENTS])
		r = rcpts_in_step(c, &a, &b, err);
	qt_lines_release(&a);
	qt_lines_release(&b);
	return r;
}
