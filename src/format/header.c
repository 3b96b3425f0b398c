/*
 * header.c - a message's header fields.
 *
 * cleanup writes one N record for each physical line, so a continuation line
 * is a record of its own that begins with a blank or tab, and a line of more
 * than 2048 bytes is split L..N.  The header ends at the first line that is
 * neither a field nor a continuation.
 *
 * Source: Postfix src/global/is_header.c, src/cleanup/cleanup_message.c;
 * RFC 5322 2.2.3.
 */
#include <string.h>
#include <strings.h>

#include "qtool/message.h"

struct reader {
	struct qt_headers *h;
	struct qt_content *content;
	struct qt_arena *arena;
	struct qt_buf field;  /* the one being read, unfolded so far */
	size_t cap;	      /* of h->v */
	size_t left;	      /* bytes that may still be read */
	uint64_t line_offset; /* of the record that the field began with */
	bool in_line;	      /* the last piece did not end its line */
	bool checked;	      /* the field's first line is known to be one */
};

/*
 * The length of the field name that a line begins with, 0 when it is no
 * header; *colon gets the place of the colon, which blanks may precede.
 */
static size_t field_name(const char *s, size_t len, size_t *colon)
{
	size_t n, i;

	for (n = 0; n < len && s[n] > ' ' && s[n] < 127 && s[n] != ':'; n++)
		;
	for (i = n; i < len && (s[i] == ' ' || s[i] == '\t'); i++)
		;
	if (i == len || s[i] != ':')
		return 0;
	*colon = i;
	return n;
}

static struct qt_header *new_header(struct reader *r)
{
	struct qt_header *v;
	size_t cap;

	if (r->h->n == r->cap) {
		cap = r->cap != 0 ? r->cap * 2 : 16;
		v = qt_arena_alloc(r->arena, cap * sizeof *v);
		if (v == NULL)
			return NULL;
		if (r->h->n != 0)
			memcpy(v, r->h->v, r->h->n * sizeof *v);
		r->h->v = v;
		r->cap = cap;
	}
	return &r->h->v[r->h->n];
}

/* The field is complete: keep it. */
static int finish_field(struct reader *r, struct qt_error *err)
{
	const char *s = qt_buf_str(&r->field);
	size_t name_len, at, len = r->field.len;
	struct qt_header *v;

	name_len = field_name(s, len, &at);
	if (name_len == 0)
		return 0;
	for (at++; at < len && (s[at] == ' ' || s[at] == '\t'); at++)
		;
	v = new_header(r);
	if (v == NULL)
		return qt_fail_mem(err);
	v->name = qt_arena_dup(r->arena, s, name_len);
	v->value = qt_arena_dup(r->arena, s + at, len - at);
	v->value_len = len - at;
	if (v->name == NULL || v->value == NULL)
		return qt_fail_mem(err);
	r->h->n++;
	qt_buf_clear(&r->field);
	return 0;
}

/* A line begins: 0 it may belong to the header, 1 it is the empty line. */
static int begin_line(
    struct reader *r, const struct qt_piece *piece, struct qt_error *err)
{
	if (piece->len == 0) {
		r->h->body = r->content->cur.pos;
		return 1;
	}
	if (r->field.len != 0 &&
	    (piece->data[0] == ' ' || piece->data[0] == '\t'))
		return 0;
	r->line_offset = r->content->rec.offset;
	r->checked = false;
	return r->field.len != 0 ? finish_field(r, err) : 0;
}

/* A line has ended: 0 it was part of the header, 1 it was not. */
static int end_line(struct reader *r)
{
	size_t colon;

	if (r->checked)
		return 0;
	if (field_name(qt_buf_str(&r->field), r->field.len, &colon) == 0) {
		qt_buf_clear(&r->field);
		r->h->body = r->line_offset;
		return 1;
	}
	r->checked = true;
	return 0;
}

/* 0 go on, 1 the header has ended, negative failure. */
static int use_piece(
    struct reader *r, const struct qt_piece *piece, struct qt_error *err)
{
	size_t len = piece->len;
	int rc;

	if (!r->in_line) {
		rc = begin_line(r, piece, err);
		if (rc != 0)
			return rc;
	}
	if (len + 1 > r->left) { /* the line end counts */
		len = r->left;
		r->h->truncated = true;
	}
	qt_buf_add(&r->field, piece->data, len);
	rc = qt_buf_check(&r->field, err);
	if (rc != 0)
		return rc;
	if (r->h->truncated)
		return 1;
	r->left -= len + 1;
	r->in_line = !piece->eol;
	return piece->eol ? end_line(r) : 0;
}

static int read_all(struct reader *r, struct qt_error *err)
{
	struct qt_piece piece;
	int rc;

	do {
		rc = qt_content_next(r->content, &piece, err);
		if (rc == 0)
			rc = use_piece(r, &piece, err);
	} while (rc == 0);
	/*
	 * The last field ends with the header, or where the text does; when
	 * that is a fault, the fault is what there is to tell.
	 */
	if (rc < 0) {
		(void)finish_field(r, NULL);
		return rc;
	}
	return finish_field(r, err);
}

int qt_headers_read(struct qt_headers *h, struct qt_content *c,
    size_t max_bytes, struct qt_arena *arena, struct qt_error *err)
{
	struct reader r = {
	    .h = h, .content = c, .arena = arena, .left = max_bytes};
	int rc;

	*h = (struct qt_headers){.n = 0};
	qt_buf_init(&r.field, max_bytes < SIZE_MAX ? max_bytes + 1 : max_bytes);
	rc = read_all(&r, err);
	qt_buf_release(&r.field);
	return rc;
}

const struct qt_header *qt_headers_find(
    const struct qt_headers *h, const char *name)
{
	size_t i;

	/* a letter's case is one bit: most names differ in the first letter */
	for (i = 0; i < h->n; i++)
		if (((h->v[i].name[0] ^ name[0]) & ~0x20) == 0 &&
		    strcasecmp(h->v[i].name, name) == 0)
			return &h->v[i];
	return NULL;
}
