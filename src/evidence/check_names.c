/*
 * check_names.c - a line of a table has the members that such lines have, each
 * once, and no other.
 *
 * What a member says is compared elsewhere, with what the files say.  One that
 * nothing is known of could say anything there, and of two of a name readers
 * take either.  One that is not there says nothing that could be compared: so
 * what no file decides is missed here; and every column where names were taken
 * out, as nothing else compares those.
 */
#include "evidence/check.h"

#include <string.h>

#include "qtool/archive.h"

/*
 * Besides the columns (qt_archive_columns()), in the order of a line; "!" before
 * what each has to have, though no file's contents tell it.
 */
static const char *const of_messages[] = {"!path", "!size", "!sha256", "!found",
    "name_b64", "source_size", "source_sha256", "!stat", "reverse_client_name",
    "server_address", "server_port", "rewrite_context", "encoding",
    "envelope_id", "sender_b64", "sasl_username_b64", "client_name_b64",
    "helo_name_b64", "data_offset", "locked_at_capture", "header",
    "body_sha256", "body_simhash", "urls", "more_urls", "eml", "!logs",
    "problems", NULL};
static const char *const of_recipients[] = {"!queue_name", "!queue_id", "path",
    "!n", "!address", "address_b64", "!orig_address", "orig_address_b64",
    "!dsn_orcpt", "dsn_orcpt_b64", "!state", "!notify", "!offset", NULL};
static const char *const of_missing[] = {"!queue_name", "!queue_id", "!found",
    "!why", "!text", NULL};
/* Of objects and arrays of objects within a line of messages. */
static const char *const of_stat[] = {"!dev", "!ino", "!mode", "!uid", "!gid",
    "!nlink", "!mtime_ns", "!ctime_ns", "!btime_ns", "!handle_type", "!handle",
    NULL};
static const char *const of_header[] = {"to_count", "date", "received", NULL};
static const char *const of_eml[] = {"!path", "!size", "!sha256", NULL};
static const char *const of_log[] = {"!kind", "!path", "!size", "!sha256", NULL};

#define NAMES_MAX 128
#define NAME_SHOWN 64

struct names {
	const char *v[NAMES_MAX];
	bool needed[NAMES_MAX];
	size_t n;
	struct qt_buf columns; /* the columns' names, a NUL behind each */
};

struct naming {
	struct qt_check *c;
	const char *path; /* of the table */
	uint64_t number;  /* of the line */
};

/* ---- the names ---- */

static void add(struct names *names, const char *const *v)
{
	for (; *v != NULL && names->n < NAMES_MAX; v++, names->n++) {
		names->needed[names->n] = **v == '!';
		names->v[names->n] = *v + (**v == '!');
	}
}

static int add_columns(struct names *names, bool needed, struct qt_error *err)
{
	char *at, *end;

	qt_archive_columns(&names->columns);
	if (qt_buf_check(&names->columns, err) != 0)
		return -1;
	for (at = names->columns.data; at != NULL && names->n < NAMES_MAX;
	    at = end) {
		names->needed[names->n] = needed;
		names->v[names->n++] = at;
		end = strchr(at, ',');
		if (end != NULL) {
			*end = '\0';
			end += 2; /* ", " */
		}
	}
	return 0;
}

/* ---- an object ---- */

static void tell(const struct naming *w, const char *within,
    const struct qt_json_value *key, const char *what)
{
	qt_check_tell(w->c, QT_FLAW_TABLE, w->path, (int64_t)w->number, NULL,
	    NULL, "line %llu has the member \"%s%s%.*s\" %s",
	    (unsigned long long)w->number, within, within[0] != '\0' ? "." : "",
	    (int)(key->len < NAME_SHOWN ? key->len : NAME_SHOWN), key->text,
	    what);
}

/* Its place among the names, where it is looked for from next on; n: none. */
static size_t place_of(const struct names *names, size_t next,
    const struct qt_json_value *key)
{
	size_t i, at;

	for (i = 0; i < names->n; i++) {
		at = (next + i) % names->n;
		if (qt_json_is(key, names->v[at]))
			return at;
	}
	return names->n;
}

static void check_inner(const struct naming *w, const struct qt_json_value *key,
    const struct qt_json_value *v);

static void check_needed(const struct naming *w, const struct names *names,
    const bool seen[NAMES_MAX], const char *within)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		if (names->needed[i] && !seen[i])
			qt_check_tell(w->c, QT_FLAW_TABLE, w->path,
			    (int64_t)w->number, NULL, NULL,
			    "line %llu has no member \"%s%s%s\"",
			    (unsigned long long)w->number, within,
			    within[0] != '\0' ? "." : "", names->v[i]);
}

/* within: the member that has it; "" the line itself. */
static void check_object(const struct naming *w, const struct names *names,
    const char *within, const char *text, size_t len)
{
	bool seen[NAMES_MAX] = {false};
	struct qt_json_value key, v;
	size_t at, next = 0;
	struct qt_json j;
	int r = -1;

	if (qt_json_open(&j, '{', text, len))
		while ((r = qt_json_member(&j, &key, &v)) == 0) {
			at = place_of(names, next, &key);
			if (at == names->n) {
				tell(w, within, &key, "which no such line has");
				continue;
			}
			if (seen[at])
				tell(w, within, &key, "twice");
			seen[at] = true;
			next = at + 1;
			if (within[0] == '\0')
				check_inner(w, &key, &v);
		}
	/* a line that is no object is told elsewhere */
	if (r == 1 || within[0] != '\0')
		check_needed(w, names, seen, within);
}

static void check_inner(const struct naming *w, const struct qt_json_value *key,
    const struct qt_json_value *v)
{
	static const struct {
		const char *name;
		const char *const *of;
		bool several;
	} inner[] = {{"stat", of_stat, false}, {"header", of_header, false},
	    {"eml", of_eml, false}, {"logs", of_log, true}};
	struct names names = {.n = 0};
	struct qt_json_value element;
	struct qt_json j;
	size_t i;

	for (i = 0; i < sizeof inner / sizeof inner[0]; i++)
		if (qt_json_is(key, inner[i].name))
			break;
	if (i == sizeof inner / sizeof inner[0])
		return;
	add(&names, inner[i].of);
	if (!inner[i].several) {
		check_object(w, &names, inner[i].name, v->text, v->len);
		return;
	}
	if (!qt_json_open(&j, '[', v->text, v->len))
		return; /* which makes it no line of the table */
	while (qt_json_element(&j, &element) == 0)
		check_object(w, &names, inner[i].name, element.text,
		    element.len);
}

/* ---- the tables ---- */

static int check_table(struct qt_check *c, enum qt_told which,
    const struct names *names, struct qt_error *err)
{
	struct naming w = {.c = c, .path = qt_told_paths[which]};
	struct qt_lines l;
	int r;

	qt_lines_init(&l, &c->kept[which]);
	while ((r = qt_lines_next(&l, err)) == 0) {
		w.number = l.number;
		check_object(&w, names, "", qt_buf_str(&l.buf), l.buf.len);
	}
	qt_lines_release(&l);
	return r < 0 ? -1 : 0;
}

int qt_check_names(struct qt_check *c, struct qt_error *err)
{
	struct names messages = {.n = 0}, recipients = {.n = 0},
	    missing = {.n = 0};
	int r;

	qt_buf_init(&messages.columns, 0);
	add(&recipients, of_recipients);
	add(&missing, of_missing);
	r = add_columns(&messages, qt_check_redacted(c), err);
	add(&messages, of_messages);
	if (r == 0)
		r = check_table(c, QT_TOLD_MESSAGES, &messages, err);
	if (r == 0)
		r = check_table(c, QT_TOLD_RECIPIENTS, &recipients, err);
	if (r == 0)
		r = check_table(c, QT_TOLD_MISSING, &missing, err);
	qt_buf_release(&messages.columns);
	return r;
}
