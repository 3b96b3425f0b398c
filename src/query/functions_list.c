/*
 * functions_list.c - SQL functions over JSON arrays of strings, such as the
 * columns rcpt_domains and todo_rcpts: does any, do all, match.
 */
#include <stdlib.h>
#include <string.h>

#include "query/functions.h"
#include "query/glob.h"
#include "query/decode.h"
#include "query/strlist.h"

enum how { HOW_EQUAL, HOW_GLOB };

/* Whether one of the arguments 1.. is the item; -1: the error is set. */
static int any_arg(sqlite3_context *ctx, int argc, sqlite3_value **argv,
    enum how how, const char *item, size_t len)
{
	const char *s;
	size_t n;
	int i;

	for (i = 1; i < argc; i++) {
		if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
			continue;
		s = arg_text(ctx, argv[i], &n);
		if (s == NULL)
			return -1;
		if (how == HOW_GLOB ? glob_match(s, n, item, len)
				    : n == len && sqlite3_strnicmp(s, item,
					  (int)n) == 0)
			return 1;
	}
	return 0;
}

/* Start on argument 0; false when it is NULL or the error is set. */
static bool start(sqlite3_context *ctx, struct strlist *l, int argc,
    sqlite3_value **argv, const char *name)
{
	struct qt_error err = {0};
	const char *s;
	size_t len;

	if (argc < 2) {
		(void)qt_fail(&err, QT_E_USAGE, "",
		    "%s() takes an array and what to look for", name);
		put_error(sqlite3_user_data(ctx), ctx, &err);
		return false;
	}
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL)
		return false;
	s = arg_text(ctx, argv[0], &len);
	if (s == NULL)
		return false;
	strlist_init(l);
	if (strlist_start(l, s, len, &err) == 0)
		return true;
	put_error(sqlite3_user_data(ctx), ctx, &err);
	strlist_release(l);
	return false;
}

/* The next item: 0, 1 no more, -1 the error is set. */
static int next(sqlite3_context *ctx, struct strlist *l)
{
	struct qt_error err = {0};
	int r = strlist_next(l, &err);

	if (r < 0)
		put_error(sqlite3_user_data(ctx), ctx, &err);
	return r;
}

/* Any item equals or matches any argument. */
static void any_item(sqlite3_context *ctx, int argc, sqlite3_value **argv,
    enum how how, const char *name)
{
	struct strlist l;
	int r = 1, m = 0;

	if (!start(ctx, &l, argc, argv, name))
		return;
	while (m == 0 && (r = next(ctx, &l)) == 0)
		m = any_arg(ctx, argc, argv, how, qt_buf_str(&l.item),
		    l.item.len);
	strlist_release(&l);
	if (m > 0 || (m == 0 && r == 1))
		sqlite3_result_int(ctx, m);
}

static void fn_has(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	any_item(ctx, argc, argv, HOW_EQUAL, "has");
}

static void fn_has_glob(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	any_item(ctx, argc, argv, HOW_GLOB, "has_glob");
}

/* Every item matches one of the arguments, and there is one at all. */
static void fn_all_glob(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct strlist l;
	size_t n = 0;
	int r = 1, m = 1;

	if (!start(ctx, &l, argc, argv, "all_glob"))
		return;
	while (m == 1 && (r = next(ctx, &l)) == 0) {
		m = any_arg(ctx, argc, argv, HOW_GLOB, qt_buf_str(&l.item),
		    l.item.len);
		n++;
	}
	strlist_release(&l);
	if (m == 0 || (m == 1 && r == 1))
		sqlite3_result_int(ctx, m == 1 && n > 0);
}

/* Whether one of the patterns 1.. matches the item; -1: the error is set. */
static int any_pattern(sqlite3_context *ctx, int argc, sqlite3_value **argv,
    const struct qt_buf *item)
{
	const struct regexp *re;
	int i, r;

	for (i = 1; i < argc; i++) {
		if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
			continue;
		re = arg_regexp(ctx, i, argv[i]);
		r = re != NULL ?
		    match_value(ctx, re, qt_buf_str(item), item->len) : -1;
		if (r <= 0)
			return r == 0 ? 1 : -1;
	}
	return 0;
}

static void fn_any_regexp(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct strlist l;
	int r = 1, m = 0;

	if (!start(ctx, &l, argc, argv, "any_regexp"))
		return;
	while (m == 0 && (r = next(ctx, &l)) == 0)
		m = any_pattern(ctx, argc, argv, &l.item);
	strlist_release(&l);
	if (m > 0 || (m == 0 && r == 1))
		sqlite3_result_int(ctx, m);
}

/* ---- any_header(headers_text, name, pattern) ---- */

/* The value on a line of headers_text when it is that field's, else NULL. */
static const char *field_value(const char *line, const char *end,
    const char *name, size_t len)
{
	if ((size_t)(end - line) < len + 2 ||
	    sqlite3_strnicmp(line, name, (int)len) != 0 ||
	    memcmp(line + len, ": ", 2) != 0)
		return NULL;
	return line + len + 2;
}

/* As written, or decoded: 0 matches, 1 not, -1 error set. */
static int match_field(sqlite3_context *ctx, const struct regexp *re,
    struct qt_buf *b, const char *value, size_t len)
{
	int m = match_value(ctx, re, value, len);

	if (m != 1 || memmem(value, len, "=?", 2) == NULL)
		return m;
	qt_buf_clear(b);
	decode_words(b, value, len);
	return match_value(ctx, re, qt_buf_str(b), b->len);
}

static int match_header(sqlite3_context *ctx, const struct regexp *re,
    const char *text, size_t len, const char *name, size_t namelen)
{
	const char *end = text + len, *nl, *value;
	struct qt_buf b;
	int m = 1;

	qt_buf_init(&b, 0);
	for (; m == 1 && text < end; text = nl + 1) {
		nl = memchr(text, '\n', (size_t)(end - text));
		if (nl == NULL)
			nl = end;
		value = field_value(text, nl, name, namelen);
		if (value != NULL)
			m = match_field(ctx, re, &b, value, (size_t)(nl - value));
	}
	qt_buf_release(&b);
	return m;
}

static void fn_any_header(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	const struct regexp *re;
	const char *text, *name;
	size_t len, namelen;
	int i, m;

	for (i = 0; i < argc; i++)
		if (sqlite3_value_type(argv[i]) == SQLITE_NULL)
			return;
	re = arg_regexp(ctx, 2, argv[2]);
	name = re != NULL ? arg_text(ctx, argv[1], &namelen) : NULL;
	text = name != NULL ? arg_text(ctx, argv[0], &len) : NULL;
	if (text == NULL)
		return;
	m = match_header(ctx, re, text, len, name, namelen);
	if (m >= 0)
		sqlite3_result_int(ctx, m == 0);
}

/* ---- body_text(headers_text, body) ---- */

/* A field out of headers_text, a string of its own; empty: it is not there. */
static char *take_field(const char *text, size_t len, const char *name)
{
	const char *end = text + len, *nl, *value = NULL;

	for (nl = text; value == NULL && text < end; text = nl + 1) {
		nl = memchr(text, '\n', (size_t)(end - text));
		if (nl == NULL)
			nl = end;
		value = field_value(text, nl, name, strlen(name));
	}
	return value != NULL ? strndup(value, (size_t)(nl - value)) : strdup("");
}

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	    c >= 'A' && c <= 'F'    ? c - 'A' + 10 :
	    c >= 'a' && c <= 'f'    ? c - 'a' + 10 :
				      -1;
}

/* What a column shows as \xHH is that byte again: for the charset to say. */
static void raw_bytes(struct qt_buf *out, const char *s, size_t len)
{
	const char *end = s + len, *p;

	for (; (p = memchr(s, '\\', (size_t)(end - s))) != NULL; s = p) {
		qt_buf_add(out, s, (size_t)(p - s));
		if (end - p >= 4 && p[1] == 'x' && hex(p[2]) >= 8 &&
		    hex(p[3]) >= 0) {
			qt_buf_addc(out, (char)(hex(p[2]) << 4 | hex(p[3])));
			p += 4;
		} else {
			qt_buf_addc(out, *p++);
		}
	}
	qt_buf_add(out, s, (size_t)(end - s));
}

static void decode_to(sqlite3_context *ctx, const struct qt_headers *h,
    const char *body, size_t len)
{
	struct qt_db *db = sqlite3_user_data(ctx);
	struct qt_buf raw, out;

	qt_buf_init(&raw, 0);
	qt_buf_init(&out, 0);
	raw_bytes(&raw, body, len);
	if (raw.failed)
		sqlite3_result_error_nomem(ctx);
	else if (!decode_body(&out, h, qt_buf_str(&raw), raw.len))
		sqlite3_result_text64(ctx, body, len, SQLITE_TRANSIENT,
		    SQLITE_UTF8);
	else if (out.failed)
		sqlite3_result_error_nomem(ctx);
	else
		put_bytes(db, ctx, qt_buf_str(&out), out.len);
	qt_buf_release(&raw);
	qt_buf_release(&out);
}

static void fn_body_text(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct qt_header v[2] = {{.name = "Content-Type"},
	    {.name = "Content-Transfer-Encoding"}};
	const struct qt_headers h = {.v = v, .n = 2};
	char *type = NULL, *encoding = NULL;
	const char *text, *body;
	size_t len, body_len;

	(void)argc;
	if (sqlite3_value_type(argv[0]) == SQLITE_NULL ||
	    sqlite3_value_type(argv[1]) == SQLITE_NULL)
		return;
	text = arg_text(ctx, argv[0], &len);
	body = text != NULL ? arg_text(ctx, argv[1], &body_len) : NULL;
	if (body == NULL)
		return;
	v[0].value = type = take_field(text, len, v[0].name);
	v[1].value = encoding = take_field(text, len, v[1].name);
	if (type == NULL || encoding == NULL) {
		sqlite3_result_error_nomem(ctx);
	} else {
		v[0].value_len = strlen(type);
		v[1].value_len = strlen(encoding);
		decode_to(ctx, &h, body, body_len);
	}
	free(type);
	free(encoding);
}

int functions_list_register(struct qt_db *db)
{
	static const struct {
		const char *name;
		int nargs;
		void (*fn)(sqlite3_context *, int, sqlite3_value **);
	} list[] = {{"has", -1, fn_has}, {"has_glob", -1, fn_has_glob},
	    {"all_glob", -1, fn_all_glob}, {"any_regexp", -1, fn_any_regexp},
	    {"any_header", 3, fn_any_header},
	    {"body_text", 2, fn_body_text}};
	size_t i;
	int r;

	for (i = 0; i < sizeof list / sizeof list[0]; i++) {
		r = sqlite3_create_function_v2(db->sql, list[i].name,
		    list[i].nargs, FUNCTION_FLAGS, db, list[i].fn, NULL, NULL,
		    NULL);
		if (r != SQLITE_OK)
			return r;
	}
	return SQLITE_OK;
}
