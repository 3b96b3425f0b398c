/*
 * eml_body.c - a body without the names that a redactor takes out.
 *
 * Text parts are decoded, looked through, and encoded again.  What a name could
 * hide in is left out: parts that are no text, or in a charset or encoding in
 * which letters are something else; parts that are not encoded as they should
 * be, so that programs may read them differently; lines of base64 or uuencode
 * where none was announced; and all, where there may be two opinions on what
 * the parts are (mime.c).
 */
#include "evidence/eml.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "evidence/transfer.h"

#define LINE_KEPT ((size_t)64 << 10) /* of a line that is looked through */
#define PART_KEPT ((size_t)1 << 20)  /* of an encoded part */
#define DIGITS_MIN 16 /* a line of base64 from this length on */

struct body {
	struct qt_spill *out;
	const struct qt_redactor *r;
	struct qt_mime mime;
	struct qt_buf line, field, shown;
	struct qt_buf part;  /* an encoded one, as it came */
	struct qt_buf plain; /* that, decoded and looked through */
	enum qt_mime_code code; /* its own: mime may be further on */
	bool html;
	bool in_uu;	     /* between "begin" and "end" */
	uint64_t left_out;   /* bytes since the last line that is here */
};

static int put(struct body *b, const struct qt_buf *s, struct qt_error *err)
{
	return qt_buf_check(s, err) != 0 ? -1 :
	    qt_spill_add(b->out, qt_buf_str(s), s->len, err);
}

static void say_left_out(struct body *b, struct qt_buf *out)
{
	if (b->left_out != 0)
		qt_buf_addf(out, "[%llu bytes left out]\n",
		    (unsigned long long)b->left_out);
	b->left_out = 0;
}

/* ---- a line of text ---- */

static bool begins(const char *s, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && strncasecmp(s, word, n) == 0;
}

/* "begin 644 name" */
static bool begins_uu(const char *s, size_t len)
{
	return begins(s, len, "begin ") && len > 10 &&
	    s[6] >= '0' && s[6] <= '7' && s[7] >= '0' && s[7] <= '7';
}

/* Nothing but digits of base64, and not a long word. */
static bool is_base64(const char *s, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ+/_-="
				     "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t i;

	if (len < DIGITS_MIN)
		return false;
	for (i = 0; i < len; i++)
		if (s[i] == '\0' || strchr(digits, s[i]) == NULL)
			return false;
	return s[strspn(s, "-_=")] != '\0'; /* else a rule */
}

/* Whether a line may say more than its words. */
static bool is_odd(struct body *b, const char *s, size_t len)
{
	if (len > 0 && s[len - 1] == '\r')
		len--;
	if (begins_uu(s, len)) {
		b->in_uu = true;
		return true;
	}
	if (b->in_uu) {
		b->in_uu = !(len == 3 && begins(s, len, "end"));
		return true;
	}
	return len >= LINE_KEPT || memchr(s, '\0', len) != NULL ||
	    is_base64(s, len);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f'    ? c - 'a' + 10 :
	    c >= 'A' && c <= 'F'    ? c - 'A' + 10 :
				      99;
}

/* Signs that names are written with, and that nothing is marked up with. */
static bool plain_sign(unsigned v)
{
	return (v >= '0' && v <= '9') || (v >= 'a' && v <= 'z') ||
	    (v >= 'A' && v <= 'Z') || v == '.' || v == '-' || v == '_' ||
	    v == '@' || v == '+';
}

/* The sign that "&#106;" or "&#x6a;" is; its length, 0: it stays as it is. */
static size_t entity(const char *s, size_t len, char *sign)
{
	size_t i = 2;
	unsigned base = 10, v = 0;

	if (len < 4 || s[0] != '&' || s[1] != '#')
		return 0;
	if ((s[2] | 0x20) == 'x') {
		base = 16;
		i++;
	}
	for (; i < len && i < 12 && (unsigned)digit(s[i]) < base; i++)
		v = v < 0x10000 ? v * base + (unsigned)digit(s[i]) : v;
	if (!plain_sign(v))
		return 0;
	*sign = (char)v;
	return i < len && s[i] == ';' ? i + 1 : i;
}

/* "%6a" in a link. */
static size_t percent(const char *s, size_t len, char *sign)
{
	unsigned v;

	if (len < 3 || s[0] != '%' || digit(s[1]) > 15 || digit(s[2]) > 15)
		return 0;
	v = (unsigned)(16 * digit(s[1]) + digit(s[2]));
	if (!plain_sign(v) || v == '@' || v == '+')
		return 0;
	*sign = (char)v;
	return 3;
}

/* What is written in a roundabout way, written plainly. */
static void straighten(struct qt_buf *out, const char *s, size_t len, bool html)
{
	bool link = false;
	size_t i, n;
	char c;

	for (i = 0; i < len; i += n) {
		c = s[i];
		if (c == ':' && begins(s + i, len - i, "://"))
			link = true;
		else if (c == ' ' || c == '"' || c == '>')
			link = false;
		n = html ? entity(s + i, len - i, &c) : 0;
		if (n == 0 && link)
			n = percent(s + i, len - i, &c);
		n = n != 0 ? n : 1;
		qt_buf_addc(out, c);
	}
}

/* A line as it may be told, with its end, or nothing. */
static void text_line(struct body *b, struct qt_buf *out, const char *s,
    size_t len)
{
	struct qt_buf plain;

	if (is_odd(b, s, len)) {
		b->left_out += len + 1;
		return;
	}
	say_left_out(b, out);
	qt_buf_init(&plain, 0);
	straighten(&plain, s, len, b->html);
	qt_redact_text(b->r, out, qt_buf_str(&plain), plain.len);
	qt_buf_addc(out, '\n');
	if (plain.failed)
		out->failed = true;
	qt_buf_release(&plain);
}

/* ---- parts ---- */

/* The text of an encoded part, looked through: b->plain. */
static void look_through(struct body *b, const struct qt_buf *text)
{
	const char *p = qt_buf_str(text), *end = p + text->len, *nl;

	qt_buf_clear(&b->plain);
	for (; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL)
			nl = end;
		text_line(b, &b->plain, p, (size_t)(nl - p));
	}
	say_left_out(b, &b->plain);
}

/* The encoded part that has come to its end. */
static int close_part(struct body *b, struct qt_error *err)
{
	const enum qt_mime_code code = b->code;
	struct qt_transfer t;
	struct qt_buf text;
	int r = 0;

	b->in_uu = false;
	qt_buf_clear(&b->shown);
	if (b->part.len != 0 &&
	    !qt_transfer_sure(code, b->part.data, b->part.len)) {
		b->left_out += b->part.len;
	} else if (b->part.len != 0) {
		qt_buf_init(&text, 0);
		qt_transfer_init(&t, code);
		qt_transfer_decode(&t, &text, b->part.data, b->part.len);
		r = qt_buf_check(&text, err);
		if (r == 0)
			look_through(b, &text);
		qt_buf_release(&text);
		if (r == 0)
			r = qt_buf_check(&b->plain, err);
		if (r == 0)
			qt_transfer_encode(code, &b->shown,
			    qt_buf_str(&b->plain), b->plain.len);
		if (b->shown.len != 0 && b->shown.data[b->shown.len - 1] != '\n')
			qt_buf_addc(&b->shown, '\n');
	}
	qt_buf_clear(&b->part);
	say_left_out(b, &b->shown);
	return r != 0 ? -1 : put(b, &b->shown, err);
}

/* The field of a part's header that has come to its end. */
static int close_field(struct body *b, struct qt_error *err)
{
	struct qt_header f;
	char *colon;

	if (b->field.len == 0)
		return 0;
	qt_buf_clear(&b->shown);
	colon = memchr(b->field.data, ':', b->field.len);
	if (b->field.len >= LINE_KEPT) {
		b->left_out += b->field.len;
		say_left_out(b, &b->shown);
	} else if (colon == NULL) {
		qt_buf_adds(&b->shown, "[no header field]\n");
	} else {
		*colon = '\0';
		f = (struct qt_header){.name = b->field.data,
		    .value = colon + 1,
		    .value_len = (size_t)(b->field.data + b->field.len -
			colon - 1)};
		while (f.value_len > 0 && (f.value[0] == ' ' ||
			f.value[0] == '\t')) {
			f.value++;
			f.value_len--;
		}
		qt_eml_field(&b->shown, b->r, &f);
	}
	qt_buf_clear(&b->field);
	return put(b, &b->shown, err);
}

static int header_line(struct body *b, const char *s, size_t len,
    struct qt_error *err)
{
	if (len == 0)
		return close_field(b, err) != 0 ? -1 :
		    qt_spill_add(b->out, "\n", 1, err);
	if (s[0] != ' ' && s[0] != '\t' && close_field(b, err) != 0)
		return -1;
	if (b->field.len < LINE_KEPT)
		qt_buf_add(&b->field, s, len);
	return qt_buf_check(&b->field, err);
}

static int part_line(struct body *b, const char *s, size_t len,
    struct qt_error *err)
{
	const struct qt_mime *m = &b->mime;

	if (m->doubt || !m->text || !m->ascii || m->code == QT_MIME_OTHER) {
		b->left_out += len + 1;
		return 0;
	}
	b->code = m->code;
	b->html = m->html;
	if (m->code == QT_MIME_PLAIN) {
		qt_buf_clear(&b->shown);
		text_line(b, &b->shown, s, len);
		return put(b, &b->shown, err);
	}
	if (len >= LINE_KEPT || b->left_out != 0 ||
	    b->part.len + len >= PART_KEPT) {
		/* one piece of it that is not seen, and it is all left out */
		b->left_out += b->part.len + len + 1;
		qt_buf_clear(&b->part);
		return 0;
	}
	qt_buf_add(&b->part, s, len);
	qt_buf_addc(&b->part, '\n');
	return qt_buf_check(&b->part, err);
}

static int body_line(struct body *b, struct qt_error *err)
{
	const char *s = qt_buf_str(&b->line);
	const size_t len = b->line.len;

	switch (qt_mime_line(&b->mime, s, len)) {
	case QT_MIME_BOUNDARY:
		if (close_field(b, err) != 0 || close_part(b, err) != 0)
			return -1;
		qt_buf_clear(&b->shown);
		qt_redact_text(b->r, &b->shown, s, len);
		qt_buf_addc(&b->shown, '\n');
		return put(b, &b->shown, err);
	case QT_MIME_HEADER:
		return header_line(b, s, len, err);
	case QT_MIME_BODY:
		break;
	}
	return part_line(b, s, len, err);
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
	if (close_field(b, err) != 0 || close_part(b, err) != 0)
		return -1;
	return r < 0 ? qt_eml_damaged(&why, err) : 0;
}

int qt_eml_body(struct qt_spill *out, struct qt_facts_file *f,
    const struct qt_redactor *redactor, struct qt_error *err)
{
	struct body b = {.out = out, .r = redactor};
	struct qt_buf *bufs[] = {&b.line, &b.field, &b.shown, &b.part, &b.plain};
	size_t i;
	int r;

	/* an empty line is not text */
	if (qt_spill_add(out, "\n", 1, err) != 0)
		return -1;
	if (redactor->level == QT_REDACT_FULL || f->headers.body == 0)
		return 0;
	for (i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
		qt_buf_init(bufs[i], 0);
	qt_mime_init(&b.mime, &f->headers);
	r = body_lines(&b, f, err);
	for (i = 0; i < sizeof bufs / sizeof bufs[0]; i++)
		qt_buf_release(bufs[i]);
	return r;
}
