/*
 * deferlog.c - the entries of a defer, bounce or trace log.
 *
 * An entry is a run of lines between empty ones: "name=value", and before 2.1
 * or for the sake of old readers one "<address>: reason".  Within an entry the
 * later line counts.  An entry that no empty line ends was cut short by a
 * crash, or is being written: Postfix does not report it.
 *
 * The daemons write printable text only, but bounce_log_read() trusts that no
 * more than we do: control characters and bytes that are no UTF-8 become '?'
 * before a line is looked at, so the only white space in it is the blank.
 *
 * Source: Postfix src/global/bounce_log.c, src/bounce/bounce_append_service.c.
 */
#include "qtool/deferlog.h"

#include <stdlib.h>
#include <string.h>

#include "format/printable.h"
#include "format/text.h"

struct slice { /* of the log; s NULL when absent */
	const char *s;
	size_t len;
};

enum field {
	F_RECIPIENT, F_ORIG_RECIPIENT, F_DSN_ORCPT, F_STATUS, F_ACTION,
	F_DIAG_TYPE, F_DIAG_TEXT, F_MTA_TYPE, F_MTA_NAME, F_REASON, F_COUNT
};

struct fields {
	struct slice v[F_COUNT];
	int64_t offset;
	int notify;
};

void qt_log_reader_init(struct qt_log_reader *r, const void *data, size_t len,
    enum qt_log_kind kind)
{
	*r = (struct qt_log_reader){.data = data, .len = len, .kind = kind};
	/* no line of nearly every log need be searched for one */
	r->has_nul = len > 0 && memchr(data, '\0', len) != NULL;
}

/* The next line up to its LF and its first NUL; false at the end. */
static bool next_line(struct qt_log_reader *r, struct slice *line)
{
	const char *s = r->data + r->pos, *lf, *nul = NULL;
	size_t len = r->len - r->pos;

	if (len == 0)
		return false;
	lf = memchr(s, '\n', len);
	if (lf != NULL)
		len = (size_t)(lf - s);
	r->pos += len + (lf != NULL);
	if (r->has_nul)
		nul = memchr(s, '\0', len);
	if (nul != NULL)
		len = (size_t)(nul - s);
	*line = (struct slice){s, len};
	return true;
}

static bool is_blank(struct slice v)
{
	return v.len == 0;
}

static bool is_name(struct slice v, const char *name)
{
	return v.len == strlen(name) && memcmp(v.s, name, v.len) == 0;
}

/* Split at '=', with the blank as the only white space. */
static bool split(struct slice line, struct slice *name, struct slice *value)
{
	const char *s = line.s, *end = line.s + line.len, *e;

	for (e = s; e < end && *e != '=' && *e != ' '; e++)
		;
	*name = (struct slice){s, (size_t)(e - s)};
	while (e < end && *e == ' ')
		e++;
	if (e == end || *e != '=') /* or two words before the '=' */
		return false;
	for (s = e + 1; s < end && *s == ' '; s++)
		;
	while (end > s && end[-1] == ' ')
		end--;
	*value = (struct slice){s, (size_t)(end - s)};
	return true;
}

#define NAME(text) text, sizeof text - 1

/* The field of a text member; F_COUNT when the name is another one. */
static enum field text_field(struct slice name)
{
	static const struct {
		const char *name;
		size_t len;
		enum field field;
	} members[] = {
	    {NAME("recipient"), F_RECIPIENT},
	    {NAME("original_recipient"), F_ORIG_RECIPIENT},
	    {NAME("dsn_orig_rcpt"), F_DSN_ORCPT},
	    {NAME("status"), F_STATUS},
	    {NAME("action"), F_ACTION},
	    {NAME("diag_type"), F_DIAG_TYPE},
	    {NAME("diag_text"), F_DIAG_TEXT},
	    {NAME("mta_type"), F_MTA_TYPE},
	    {NAME("mta_mname"), F_MTA_NAME},
	    {NAME("reason"), F_REASON},
	};
	size_t i;

	for (i = 0; i < sizeof members / sizeof members[0]; i++)
		if (members[i].len == name.len &&
		    members[i].name[0] == name.s[0] &&
		    memcmp(members[i].name, name.s, name.len) == 0)
			return members[i].field;
	return F_COUNT;
}

static bool new_style(struct fields *f, struct slice line)
{
	const int some = 2 | 4 | 8; /* NOTIFY; NEVER (1) stands alone */
	struct slice name, value;
	enum field field;
	int64_t n;

	if (!split(line, &name, &value))
		return false;
	field = text_field(name);
	if (field != F_COUNT) {
		f->v[field] = value;
		return true;
	}
	if (is_name(name, "offset")) {
		n = qt_text_long(value.s, value.len);
		if (n > 0)
			f->offset = n;
		return true;
	}
	if (is_name(name, "notify_flags")) {
		n = qt_text_int(value.s, value.len);
		if (n == 1 || (n > 0 && (n & ~some) == 0))
			f->notify = (int)n;
		return true;
	}
	return false;
}

/* "<address>: reason" */
static bool old_style(struct fields *f, struct slice line)
{
	const char *s = line.s + 1, *end = line.s + line.len, *mark = s;

	while ((mark = memchr(mark, '>', (size_t)(end - mark))) != NULL &&
	    (end - mark < 3 || mark[1] != ':' || mark[2] != ' '))
		mark++;
	if (mark == NULL)
		return false;
	f->v[F_RECIPIENT] = (struct slice){s, (size_t)(mark - s)};
	for (s = mark + 2; s < end && *s == ' '; s++)
		;
	f->v[F_REASON] = (struct slice){s, (size_t)(end - s)};
	return true;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z');
}

static bool use_line(struct fields *f, struct slice line)
{
	if (is_alnum(line.s[0]))
		return new_style(f, line);
	return line.s[0] == '<' && old_style(f, line);
}

/* One entry's lines: false when the log ends before an empty line does it. */
static bool read_fields(struct qt_log_reader *r, struct fields *f)
{
	struct slice line;
	size_t skipped = 0; /* of an entry that is whole */
	bool found = false;

	*f = (struct fields){.offset = -1};
	while (next_line(r, &line)) {
		if (is_blank(line)) {
			if (found) {
				r->skipped += skipped;
				return true;
			}
			continue;
		}
		/* an entry has begun even if the line makes no sense */
		found = true;
		if (!use_line(f, line))
			skipped++;
	}
	return false;
}

/* A printable copy; what is empty or absent becomes the given text. */
static bool keep(
    struct qt_arena *arena, const char **to, struct slice v, const char *absent)
{
	char *s;

	*to = absent;
	if (v.len == 0)
		return true;
	s = qt_arena_dup(arena, v.s, v.len);
	if (s == NULL)
		return false;
	qt_printable(s, v.len, true);
	*to = s;
	return true;
}

static bool fill_brief(struct qt_log_entry *e, const struct fields *f,
    bool defer, struct qt_arena *a)
{
	const struct slice *v = f->v;

	*e = (struct qt_log_entry){.offset = f->offset, .notify = f->notify};
	return keep(a, &e->recipient, v[F_RECIPIENT],
		   v[F_RECIPIENT].s != NULL
		       ? ""
		       : "(recipient address unavailable)") &&
	       keep(a, &e->orig_recipient, v[F_ORIG_RECIPIENT], NULL) &&
	       keep(a, &e->status, v[F_STATUS], defer ? "4.0.0" : "5.0.0") &&
	       keep(a, &e->reason, v[F_REASON], "(description unavailable)");
}

static bool fill_rest(struct qt_log_entry *e, const struct fields *f,
    bool defer, struct qt_arena *a)
{
	const struct slice *v = f->v;

	return keep(a, &e->dsn_orcpt, v[F_DSN_ORCPT], NULL) &&
	       keep(a, &e->action, v[F_ACTION], defer ? "delayed" : "failed") &&
	       keep(a, &e->diag_type, v[F_DIAG_TYPE], NULL) &&
	       keep(a, &e->diag_text, v[F_DIAG_TEXT], NULL) &&
	       keep(a, &e->mta_type, v[F_MTA_TYPE], NULL) &&
	       keep(a, &e->mta_name, v[F_MTA_NAME], NULL);
}

int qt_log_reader_next(struct qt_log_reader *r, struct qt_log_entry *entry,
    struct qt_arena *arena, struct qt_error *err)
{
	struct qt_log_entry e;
	struct fields f;

	if (!read_fields(r, &f))
		return 1;
	if (is_name(f.v[F_RECIPIENT], "<>"))
		f.v[F_RECIPIENT].len = 0;
	if (!fill_brief(&e, &f, r->kind == QT_LOG_DEFER, arena) ||
	    (!r->brief &&
		!fill_rest(&e, &f, r->kind == QT_LOG_DEFER, arena)))
		return qt_fail_mem(err);
	*entry = e;
	return 0;
}
