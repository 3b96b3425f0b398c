/*
 * eml.c - a queue file's message as a mail program has it.
 *
 * As it is: the content's lines.  Redacted: each header field unfolded, decoded,
 * looked through, encoded and folded again; of a field that others may read
 * otherwise what is encoded is left out.  The body is eml_body.c's.
 */
#include "evidence/eml.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "evidence/words.h"
#include "qtool/message.h"

#define FOLD 76

int qt_eml_damaged(const struct qt_error *why, struct qt_error *err)
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
	return r < 0 ? qt_eml_damaged(&why, err) : 0;
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

/* Fields that name people on the sender's side. */
static bool user_field(const char *name)
{
	static const char *const names[] = {"from", "sender", "reply-to",
	    "resent-from", "resent-sender", "resent-reply-to", "return-path",
	    "errors-to", "disposition-notification-to", "return-receipt-to",
	    "x-sender", "x-authenticated-sender", "mail-followup-to", NULL};
	size_t i;

	for (i = 0; names[i] != NULL; i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

/* The addresses of a field, without the names of who has them. */
static void addresses_alone(const struct qt_redactor *r, struct qt_buf *out,
    const struct qt_header *f, bool rcpts)
{
	size_t at = 0, local, end;
	const char *comma = "", *sign;

	while (qt_redact_next_address(f->value, f->value_len, &at, &local,
	    &end)) {
		qt_buf_adds(out, comma);
		comma = ", ";
		if (!rcpts) {
			qt_redact_text(r, out, f->value + local, end - local);
			continue;
		}
		sign = memrchr(f->value + local, '@', end - local);
		qt_redact_local(r, out, f->value + local,
		    (size_t)(sign - f->value) - local);
		qt_redact_text(r, out, sign, (size_t)(f->value + end - sign));
	}
}

static void text_of_field(const struct qt_redactor *r, struct qt_buf *out,
    const struct qt_header *f)
{
	struct qt_buf plain, shown;
	char charset[32];
	bool decoded;

	qt_buf_init(&plain, 0);
	qt_buf_init(&shown, 0);
	decoded = qt_words_decode(&plain, f->value, f->value_len, charset);
	if (!decoded)
		drop_encoded(&plain, f->value, f->value_len);
	if (strcasecmp(f->name, "subject") == 0)
		qt_redact_subject(r, &shown, qt_buf_str(&plain), plain.len);
	else
		qt_redact_text(r, &shown, qt_buf_str(&plain), plain.len);
	if (decoded)
		qt_words_encode(out, qt_buf_str(&shown), shown.len, charset);
	else
		qt_buf_add(out, qt_buf_str(&shown), shown.len);
	out->failed = out->failed || plain.failed || shown.failed;
	qt_buf_release(&plain);
	qt_buf_release(&shown);
}

/* "Name: value" in lines, broken before blanks. */
static void fold(const struct qt_redactor *r, struct qt_buf *out,
    const char *name, const struct qt_buf *v)
{
	const char *s = qt_buf_str(v);
	size_t i, column = strlen(name) + 2;

	qt_redact_text(r, out, name, strlen(name));
	qt_buf_adds(out, ": ");
	for (i = 0; i < v->len; i++, column++) {
		if (column > FOLD && (s[i] == ' ' || s[i] == '\t')) {
			qt_buf_addc(out, '\n');
			column = 0;
		}
		qt_buf_addc(out, s[i] == '\n' || s[i] == '\0' ? ' ' : s[i]);
	}
	qt_buf_addc(out, '\n');
}

void qt_eml_field(struct qt_buf *out, const struct qt_redactor *r,
    const struct qt_header *f)
{
	const bool rcpts = qt_redact_rcpt_field(f->name);
	struct qt_buf value;

	qt_buf_init(&value, 0);
	if (rcpts || (r->level == QT_REDACT_FULL && user_field(f->name)))
		addresses_alone(r, &value, f, rcpts);
	else if (r->level == QT_REDACT_FULL &&
	    strcasecmp(f->name, "subject") == 0)
		qt_redact_subject(r, &value, f->value, f->value_len);
	else
		text_of_field(r, &value, f);
	fold(r, out, f->name, &value);
	if (value.failed)
		out->failed = true;
	qt_buf_release(&value);
}

static int header(struct qt_spill *out, const struct qt_facts_file *f,
    const struct qt_redactor *r, struct qt_error *err)
{
	struct qt_buf field;
	int bad = 0;
	size_t i;

	qt_buf_init(&field, 0);
	for (i = 0; i < f->headers.n && bad == 0; i++) {
		qt_buf_clear(&field);
		qt_eml_field(&field, r, &f->headers.v[i]);
		bad = qt_buf_check(&field, err);
		if (bad == 0)
			bad = qt_spill_add(out, field.data, field.len, err);
	}
	qt_buf_release(&field);
	return bad;
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
	return qt_eml_body(out, f, r, err);
}
