/*
 * eml.c - a queue file's message as a mail program has it.
 *
 * As it is: the content's lines.  Redacted: each header field unfolded, looked
 * through, and folded again; of the body what is plain text.  A part in base64
 * or quoted-printable cannot be searched for names as it stands, so it is left
 * out; which parts those are is told by the boundaries that the message
 * declares, and what comes in doubt is left out too.
 */
#include "evidence/eml.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "qtool/message.h"

#define LINE_KEPT ((size_t)64 << 10) /* of a line that is looked through */
#define BOUNDARIES 16
#define FOLD 76

struct body {
	struct qt_spill *out;
	const struct qt_redactor *r;
	struct qt_buf line, shown;
	bool encoded;	  /* this part is left out */
	bool in_header;	  /* of a part */
	uint64_t left_out; /* bytes of this part so far */
	char boundary[BOUNDARIES][72]; /* "" free */
	unsigned nboundaries;
};

static int damaged(const struct qt_error *why, struct qt_error *err)
{
	if (why->code == QT_E_CORRUPT)
		return 1;
	if (err != NULL)
		*err = *why;
	return -1;
}

/* ---- as it is ---- */

static int copy(struct qt_spill *out, struct qt_facts_file *f,
    struct qt_error *err)
{
	struct qt_content c;
	struct qt_piece piece;
	struct qt_error why;
	bool open_line = false;
	int r;

	qt_content_init(&c, &f->in, f->content);
	while ((r = qt_content_next(&c, &piece, &why)) == 0) {
		if (qt_spill_add(out, piece.data, piece.len, err) != 0 ||
		    (piece.eol && qt_spill_add(out, "\n", 1, err) != 0))
			return -1;
		open_line = !piece.eol;
	}
	if (open_line && qt_spill_add(out, "\n", 1, err) != 0)
		return -1;
	return r < 0 ? damaged(&why, err) : 0;
}

/* ---- the header ---- */

/* Encoded words may say anything: =?charset?encoding?text?= */
static void drop_encoded(struct qt_buf *out, const char *s, size_t len)
{
	const char *end = s + len, *open, *close;

	while ((open = memmem(s, (size_t)(end - s), "=?", 2)) != NULL) {
		qt_buf_add(out, s, (size_t)(open - s));
		close = memmem(open + 2, (size_t)(end - open - 2), "?=", 2);
		qt_buf_adds(out, "[encoded]");
		/* "?" of "?Q?=41" is no end: go on behind blanks */
		for (s = close != NULL ? close + 2 : end;
		     s < end && *s != ' ' && *s != '\t'; s++)
			;
	}
	qt_buf_add(out, s, (size_t)(end - s));
}

static void addresses_alone(const struct qt_redactor *r, struct qt_buf *out,
    const struct qt_header *f)
{
	size_t at = 0, local, end;
	const char *comma = "", *sign;

	while (qt_redact_next_address(f->value, f->value_len, &at, &local,
	    &end)) {
		sign = memrchr(f->value + local, '@', end - local);
		qt_buf_adds(out, comma);
		qt_redact_local(r, out, f->value + local,
		    (size_t)(sign - f->value) - local);
		qt_buf_add(out, sign, (size_t)(f->value + end - sign));
		comma = ", ";
	}
}

static void field_text(const struct qt_redactor *r, struct qt_buf *out,
    const struct qt_header *f)
{
	struct qt_buf plain;

	if (qt_redact_rcpt_field(f->name)) {
		addresses_alone(r, out, f);
		return;
	}
	qt_buf_init(&plain, 0);
	drop_encoded(&plain, f->value, f->value_len);
	if (strcasecmp(f->name, "subject") == 0)
		qt_redact_subject(r, out, r->level == QT_REDACT_FULL ?
		    f->value : qt_buf_str(&plain), r->level == QT_REDACT_FULL ?
		    f->value_len : plain.len);
	else
		qt_redact_text(r, out, qt_buf_str(&plain), plain.len);
	if (plain.failed)
		out->failed = true;
	qt_buf_release(&plain);
}

/* "Name: value" in lines, broken before blanks. */
static void fold(struct qt_buf *out, const char *name, const struct qt_buf *v)
{
	const char *s = qt_buf_str(v);
	size_t i, column = strlen(name) + 2;

	qt_buf_adds(out, name);
	qt_buf_adds(out, ": ");
	for (i = 0; i < v->len; i++, column++) {
		if (column > FOLD && (s[i] == ' ' || s[i] == '\t')) {
			qt_buf_addc(out, '\n');
			column = 0;
		}
		qt_buf_addc(out, s[i] == '\n' ? ' ' : s[i]);
	}
	qt_buf_addc(out, '\n');
}

static int header(struct qt_spill *out, const struct qt_facts_file *f,
    const struct qt_redactor *r, struct qt_error *err)
{
	struct qt_buf value, field;
	int bad = 0;
	size_t i;

	qt_buf_init(&value, 0);
	qt_buf_init(&field, 0);
	for (i = 0; i < f->headers.n && bad == 0; i++) {
		qt_buf_clear(&value);
		qt_buf_clear(&field);
		field_text(r, &value, &f->headers.v[i]);
		fold(&field, f->headers.v[i].name, &value);
		bad = qt_buf_check(&value, err) != 0 ? -1 :
		    qt_buf_check(&field, err);
		if (bad == 0)
			bad = qt_spill_add(out, field.data, field.len, err);
	}
	qt_buf_release(&value);
	qt_buf_release(&field);
	return bad;
}

/* ---- the body ---- */

static int put(struct body *b, const char *s, size_t len, struct qt_error *err)
{
	return qt_spill_add(b->out, s, len, err);
}

/* Say how much of a part is not here. */
static int close_part(struct body *b, struct qt_error *err)
{
	char text[96];
	int n;

	if (b->left_out == 0)
		return 0;
	n = snprintf(text, sizeof text, "[%llu bytes left out]\n",
	    (unsigned long long)b->left_out);
	b->left_out = 0;
	return put(b, text, (size_t)n, err);
}

/* boundary=x or boundary="x" in a field. */
static void learn_boundary(struct body *b, const char *s, size_t len)
{
	const char *end = s + len, *p;
	size_t n = 0;

	for (p = s; p + 9 < end; p++)
		if (strncasecmp(p, "boundary=", 9) == 0)
			break;
	if (p + 9 >= end || b->nboundaries == BOUNDARIES)
		return;
	p += 9;
	if (*p == '"') {
		for (p++; p + n < end && p[n] != '"'; n++)
			;
	} else {
		for (; p + n < end && strchr(" \t;\r\n", p[n]) == NULL; n++)
			;
	}
	if (n == 0 || n >= sizeof b->boundary[0])
		return;
	memcpy(b->boundary[b->nboundaries], p, n);
	b->boundary[b->nboundaries++][n] = '\0';
}

static bool is_boundary(const struct body *b, const char *s, size_t len)
{
	unsigned i;
	size_t n;

	if (len < 3 || s[0] != '-' || s[1] != '-')
		return false;
	for (i = 0; i < b->nboundaries; i++) {
		n = strlen(b->boundary[i]);
		if (len >= n + 2 && memcmp(s + 2, b->boundary[i], n) == 0)
			return true;
	}
	return false;
}

static bool has_word(const char *s, size_t len, const char *word)
{
	size_t n = strlen(word), i;

	for (i = 0; i + n <= len; i++)
		if (strncasecmp(s + i, word, n) == 0)
			return true;
	return false;
}

/* What a field of a header, the message's or a part's, says of what follows. */
static void learn(struct body *b, const char *s, size_t len)
{
	if (has_word(s, len, "base64") || has_word(s, len, "quoted-printable") ||
	    has_word(s, len, "uuencode") || has_word(s, len, "binary"))
		b->encoded = true;
	learn_boundary(b, s, len);
}

static int body_line(struct body *b, struct qt_error *err)
{
	const char *s = qt_buf_str(&b->line);
	size_t len = b->line.len;

	if (is_boundary(b, s, len)) {
		if (close_part(b, err) != 0 || put(b, s, len, err) != 0)
			return -1;
		b->encoded = false;
		b->in_header = true;
		return put(b, "\n", 1, err);
	}
	if (b->in_header) {
		b->in_header = len != 0;
		learn(b, s, len);
	} else if (b->encoded || b->line.len >= LINE_KEPT) {
		b->left_out += len + 1;
		return 0;
	}
	qt_buf_clear(&b->shown);
	qt_redact_text(b->r, &b->shown, s, len);
	qt_buf_addc(&b->shown, '\n');
	return qt_buf_check(&b->shown, err) != 0 ? -1 :
	    put(b, b->shown.data, b->shown.len, err);
}

static int body_lines(struct body *b, struct qt_facts_file *f,
    struct qt_error *err)
{
	struct qt_content c;
	struct qt_piece piece;
	struct qt_error why;
	size_t room;
	int r;

	qt_content_init(&c, &f->in, f->headers.body);
	while ((r = qt_content_next(&c, &piece, &why)) == 0) {
		room = LINE_KEPT - b->line.len;
		qt_buf_add(&b->line, piece.data,
		    piece.len < room ? piece.len : room);
		if (piece.eol) {
			if (body_line(b, err) != 0)
				return -1;
			qt_buf_clear(&b->line);
		}
	}
	if (b->line.len != 0 && body_line(b, err) != 0)
		return -1;
	if (close_part(b, err) != 0)
		return -1;
	return r < 0 ? damaged(&why, err) : 0;
}

static int body(struct qt_spill *out, struct qt_facts_file *f,
    const struct qt_redactor *redactor, struct qt_error *err)
{
	struct body b = {.out = out, .r = redactor};
	size_t i;
	int r;

	/* an empty line is not text */
	if (qt_spill_add(out, "\n", 1, err) != 0)
		return -1;
	if (redactor->level == QT_REDACT_FULL || f->headers.body == 0)
		return 0;
	qt_buf_init(&b.line, 0);
	qt_buf_init(&b.shown, 0);
	for (i = 0; i < f->headers.n; i++)
		if (strncasecmp(f->headers.v[i].name, "content-", 8) == 0)
			learn(&b, f->headers.v[i].value,
			    f->headers.v[i].value_len);
	r = body_lines(&b, f, err);
	qt_buf_release(&b.line);
	qt_buf_release(&b.shown);
	return r;
}

int qt_eml_write(struct qt_spill *out, struct qt_facts_file *f,
    const struct qt_redactor *r, struct qt_error *err)
{
	if (f->content == 0)
		return 1;
	if (r == NULL)
		return copy(out, f, err);
	if (header(out, f, r, err) != 0)
		return -1;
	return body(out, f, r, err);
}
