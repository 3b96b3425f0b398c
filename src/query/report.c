/*
 * report.c - which message a delivery report is about.
 *
 * bounce(8) writes a multipart/report; its message/delivery-status part begins
 * with fields about the message, among them
 *
 *	X-Postfix-Queue-ID: 4jYS056mwkz1bph0
 *	X-Postfix-Sender: rfc822; user@example.org
 *
 * "Postfix" there is mail_name, so any word is taken.  A part counts only where
 * its header follows a boundary line, and only the first one: the returned
 * message may contain another report.
 */
#include "query/derive.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Reports list recipients in their text part, so the status part may be far in. */
#define REPORT_READ_MAX ((uint64_t)8 << 20)

enum { IN_TEXT, IN_PART_HEADER, IN_STATUS };

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* The value of "X-<word>-<what>:", NULL when the line is something else. */
static const char *x_field(const char *line, const char *what)
{
	const char *colon = strchr(line, ':');
	size_t len = strlen(what), name;

	if (colon == NULL || strncasecmp(line, "X-", 2) != 0)
		return NULL;
	name = (size_t)(colon - line);
	if (name < len + 3 || strncasecmp(colon - len, what, len) != 0 ||
	    colon[-(ptrdiff_t)len - 1] != '-')
		return NULL;
	return skip_blanks(colon + 1);
}

static bool is_status_type(const char *line)
{
	static const char name[] = "Content-Type:";
	static const char *const types[] = {"message/delivery-status",
	    "message/global-delivery-status"};
	size_t i, len;

	if (strncasecmp(line, name, sizeof name - 1) != 0)
		return false;
	line = skip_blanks(line + sizeof name - 1);
	for (i = 0; i < sizeof types / sizeof types[0]; i++) {
		len = strlen(types[i]);
		if (strncasecmp(line, types[i], len) == 0 &&
		    strchr("; \t", line[len]) != NULL)
			return true;
	}
	return false;
}

static void copy(char *to, size_t size, const char *from)
{
	size_t len = strlen(from);

	while (len > 0 && strchr(" \t\r", from[len - 1]) != NULL)
		len--;
	if (len >= size)
		len = 0; /* a cut address would be another one */
	memcpy(to, from, len);
	to[len] = '\0';
}

static void status_line(struct report *r, const char *line)
{
	const char *v, *semi;

	v = x_field(line, "Queue-ID");
	if (v != NULL && r->queue_id[0] == '\0')
		copy(r->queue_id, sizeof r->queue_id, v);
	v = x_field(line, "Sender");
	if (v == NULL || r->have_sender)
		return;
	semi = strchr(v, ';'); /* "rfc822; address" */
	copy(r->sender, sizeof r->sender, skip_blanks(semi != NULL ? semi + 1 : v));
	r->have_sender = true;
}

static void report_line(struct report *r)
{
	const char *line = r->line;

	if (strncmp(line, "--", 2) == 0) {
		if (r->where == IN_STATUS)
			r->done = true;
		r->where = IN_PART_HEADER;
		r->is_status = false;
	} else if (r->where == IN_PART_HEADER && *line == '\0') {
		r->where = r->is_status ? IN_STATUS : IN_TEXT;
	} else if (r->where == IN_PART_HEADER) {
		r->is_status = r->is_status || is_status_type(line);
	} else if (r->where == IN_STATUS) {
		if (*line == '\0')
			r->done = true; /* the fields about recipients follow */
		else
			status_line(r, line);
	}
}

void report_add(struct report *r, const char *bytes, size_t len, bool eol)
{
	size_t room = sizeof r->line - 1 - r->len;

	if (r->done)
		return;
	if (len > room)
		len = room;
	memcpy(r->line + r->len, bytes, len);
	r->len += len;
	if (!eol)
		return;
	while (r->len > 0 && r->line[r->len - 1] == '\r')
		r->len--;
	r->line[r->len] = '\0';
	report_line(r);
	r->len = 0;
}

static void from_body(const struct qt_row *row, struct report *r)
{
	const char *s = row->body, *end = s + row->body_len, *nl;

	while (s < end && !r->done) {
		nl = memchr(s, '\n', (size_t)(end - s));
		if (nl == NULL)
			nl = end;
		report_add(r, s, (size_t)(nl - s), true);
		s = nl + 1;
	}
}

static void read_on(struct qt_file_input *f, const struct qt_row *row,
    struct report *r)
{
	struct qt_content content;
	struct qt_piece piece;
	struct qt_error err;

	qt_content_init(&content, &f->in, (uint64_t)row->msg.size[1]);
	while (!r->done && content.total < REPORT_READ_MAX &&
	    qt_content_next(&content, &piece, &err) == 0)
		report_add(r, (const char *)piece.data, piece.len, piece.eol);
}

/*
 * Only null-sender mail comes here: its file is read on, or what is kept of
 * it; what lies in an archive is opened.
 */
static void from_file(const struct qt_row *row, struct report *r, int fd)
{
	const struct qt_kept_file *kept = row->kept != NULL ?
	    &row->kept->message : NULL;
	struct qt_file_input f;
	struct qt_error err;
	int own = -1;

	if (row->msg.size[1] <= 0)
		return;
	if (fd < 0 && (kept == NULL || !kept->have)) {
		if (qt_row_open(row, &own, &err) != 0)
			return;
		fd = own;
	}
	if (qt_file_input_init(&f, fd, (uint64_t)row->file_size, &err) == 0) {
		if (kept != NULL && kept->have)
			qt_input_bytes(&f.in, kept->data, kept->len);
		read_on(&f, row, r);
		qt_file_input_release(&f);
	}
	if (own >= 0)
		(void)close(own);
}

void derive_report(struct qt_row *row, struct derived *d, int fd)
{
	struct report r = {0};

	if (row->body != NULL)
		from_body(row, &r);
	else
		from_file(row, &r, fd);
	if (r.queue_id[0] != '\0')
		d->bounce_of = qt_arena_dup(&row->arena, r.queue_id,
		    strlen(r.queue_id));
	if (r.have_sender)
		d->bounce_sender = qt_arena_dup(&row->arena, r.sender,
		    strlen(r.sender));
}
