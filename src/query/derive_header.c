/*
 * derive_header.c - the columns made of header fields.
 *
 * Encoded words are not decoded here but when SQLite asks for the column: the
 * MIME library is used in one thread only.
 */
#include "query/derive.h"

#include <string.h>

#include "query/columns.h"
#include "query/domain.h"
#include "query/query.h"

/* Past a quoted string that begins at s. */
static const char *skip_string(const char *s, const char *end)
{
	for (s++; s < end; s++) {
		if (*s == '"')
			return s + 1;
		if (*s == '\\')
			s++;
	}
	return end;
}

/* Past a comment that begins at s; comments nest. */
static const char *skip_comment(const char *s, const char *end)
{
	size_t depth = 0;

	for (; s < end; s++) {
		if (*s == '(')
			depth++;
		else if (*s == ')' && --depth == 0)
			return s + 1;
		else if (*s == '\\')
			s++;
	}
	return end;
}

struct span {
	const char *s;
	size_t len;
};

/*
 * What the first mailbox of an address list has between < and >, or, when it
 * has none, its words.  A group's name ("friends:") is passed over.
 */
static struct span first_mailbox(const char *s, const char *end)
{
	const char *start = s, *open = NULL;

	while (s < end) {
		if (*s == '"' || *s == '(') {
			s = *s == '"' ? skip_string(s, end)
				      : skip_comment(s, end);
			continue;
		}
		if (*s == '<' && open == NULL)
			open = s + 1;
		else if (*s == '>' && open != NULL)
			return (struct span){open, (size_t)(s - open)};
		else if (*s == ':' && open == NULL)
			start = s + 1;
		else if ((*s == ',' || *s == ';') && open == NULL)
			break;
		s++;
	}
	if (open != NULL)
		start = open;
	return (struct span){start, (size_t)(s - start)};
}

/* Copy without comments and white space outside quotes. */
static size_t copy_spec(char *out, const char *s, const char *end)
{
	const char *from;
	size_t n = 0;

	while (s < end) {
		from = s;
		if (*s == '(') {
			s = skip_comment(s, end);
		} else if (*s == '"') {
			s = skip_string(s, end);
			memcpy(out + n, from, (size_t)(s - from));
			n += (size_t)(s - from);
		} else {
			if (*s != ' ' && *s != '\t')
				out[n++] = *s;
			s++;
		}
	}
	return n;
}

const char *addr_spec(struct qt_arena *a, const char *value, size_t len)
{
	const char *nul = memchr(value, '\0', len);
	struct span m;
	size_t n;
	char *out;

	if (nul != NULL)
		len = (size_t)(nul - value);
	m = first_mailbox(value, value + len);
	out = qt_arena_alloc(a, m.len + 1);
	if (out == NULL)
		return NULL;
	n = copy_spec(out, m.s, m.s + m.len);
	out[n] = '\0';
	return n != 0 ? out : NULL;
}

static const char *field(struct qt_row *row, const char *name)
{
	const struct qt_header *h = qt_headers_find(&row->headers, name);
	size_t len;

	if (h == NULL)
		return NULL;
	len = strnlen(h->value, h->value_len);
	while (len > 0 && strchr(" \t\r\n", h->value[len - 1]) != NULL)
		len--;
	return qt_arena_dup(&row->arena, h->value, len);
}

static const char *address_field(struct qt_row *row, const char *name)
{
	const struct qt_header *h = qt_headers_find(&row->headers, name);

	return h != NULL ? addr_spec(&row->arena, h->value, h->value_len) : NULL;
}

static void fields(struct qt_row *row, struct derived *d)
{
	d->subject = field(row, "Subject");
	d->reply_to = address_field(row, "Reply-To");
	d->message_id = field(row, "Message-ID");
	if (d->message_id == NULL) /* an attribute since Postfix 3.10 */
		d->message_id = row->msg.message_id;
	d->mailer = field(row, "X-Mailer");
	if (d->mailer == NULL)
		d->mailer = field(row, "User-Agent");
	d->content_type = field(row, "Content-Type");
}

static void headers_text(struct qt_row *row, struct derived *d)
{
	struct qt_buf b;
	size_t i;

	qt_buf_init(&b, 0);
	for (i = 0; i < row->headers.n; i++) {
		text_form(&b, row->headers.v[i].name,
		    strlen(row->headers.v[i].name));
		qt_buf_adds(&b, ": ");
		text_form(&b, row->headers.v[i].value,
		    row->headers.v[i].value_len);
		qt_buf_addc(&b, '\n');
	}
	if (!b.failed) {
		d->headers_text = qt_arena_dup(&row->arena, qt_buf_str(&b), b.len);
		d->headers_len = b.len;
	}
	qt_buf_release(&b);
}

void derive_header(struct qt_row *row, struct derived *d, unsigned need)
{
	if (row->msg.sender == NULL && row->headers.n == 0)
		return;
	if (need & DV_FROM) {
		d->from_addr = address_field(row, "From");
		d->from_domain = domain_of(&row->arena, d->from_addr);
	}
	if (need & DV_FIELDS)
		fields(row, d);
	if (need & DV_HEADERS_TEXT)
		headers_text(row, d);
}
