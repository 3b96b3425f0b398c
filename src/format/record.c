/*
 * record.c - the records of a queue file and the cursor over them.
 *
 * A record is a type byte, a length in little-endian base 128, and that many
 * bytes.  Nothing in a file is believed: a length is compared with what is
 * left of the file before anything is done with it.
 *
 * Why every walk ends.  A cursor's next position depends on its position
 * alone, but for one change: a walk starts to skip the content once it has
 * seen the C record.  So a walk that is at one position for the third time
 * never ends, and one that ends reads at most two records at each of the
 * file's positions.  More steps than that are a loop, which Postfix would
 * leave with an error too: going round needs a jump that is not forward, and
 * of those rec_goto() allows 10000.  The count of steps is what bounds the
 * time, because jumps whose targets rise are not counted by Postfix.
 *
 * Source: Postfix src/global/record.c, src/global/rec_type.c.
 */
#include "qtool/record.h"

#include <stdio.h>
#include <string.h>

#include "format/cursor.h"
#include "format/text.h"

void qt_input_bytes(struct qt_input *in, const void *data, size_t len)
{
	*in = (struct qt_input){.data = data, .len = len, .size = len};
}

/* Bytes of the window at and after offset. */
static size_t in_window(const struct qt_input *in, uint64_t offset)
{
	if (offset < in->start || offset - in->start >= in->len)
		return 0;
	return in->len - (size_t)(offset - in->start);
}

const unsigned char *qt_input_need(struct qt_input *in, uint64_t offset,
    size_t need, size_t *have, struct qt_error *err)
{
	static const unsigned char nothing[1];
	uint64_t rest;

	if (offset >= in->size) {
		*have = 0;
		return nothing;
	}
	rest = in->size - offset;
	if (need > rest)
		need = (size_t)rest;
	*have = in_window(in, offset);
	if (*have < need && in->more != NULL) {
		if (in->more(in, offset, need, err) < 0)
			return NULL;
		*have = in_window(in, offset);
	}
	return *have != 0 ? in->data + (offset - in->start) : nothing;
}

struct qt_type_text qt_record_type_text(unsigned char type)
{
	struct qt_type_text t;

	if (type > ' ' && type < 127)
		(void)snprintf(t.s, sizeof t.s, "type %c", type);
	else
		(void)snprintf(t.s, sizeof t.s, "type 0x%02x", type);
	return t;
}

void qt_cursor_init(struct qt_cursor *c, struct qt_input *in, unsigned flags)
{
	*c = (struct qt_cursor){
	    .in = in, .pointer = QT_NO_POINTER, .flags = flags};
}

void qt_cursor_seek(struct qt_cursor *c, uint64_t offset)
{
	c->pos = offset;
	c->pointer = QT_NO_POINTER;
}

/*
 * The length field at p: bytes it takes, 0 when the file ends in it, -1 when
 * no Postfix would read it.
 */
static int read_length(
    const unsigned char *p, size_t have, uint64_t *length, uint8_t *flags)
{
	uint64_t v = 0;
	int i;

	for (i = 0; i < 5; i++) {
		if ((size_t)i >= have)
			return 0;
		v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if ((p[i] & 0x80) == 0)
			break;
	}
	/* five bytes: read by Postfix before mid-2026 if it is an int */
	if (i == 5 || v > INT32_MAX)
		return -1;
	if (i == 4)
		*flags |= QT_RECORD_LEN5;
	*length = v;
	return i + 1;
}

static int corrupt(
    struct qt_error *err, uint64_t offset, unsigned char type, const char *what)
{
	struct qt_type_text t = qt_record_type_text(type);

	return qt_fail_at(err, QT_E_CORRUPT, "", (int64_t)offset,
	    "%s (record %s)", what, t.s);
}

/* The general case of read_record: long records, and the window's edges. */
static int read_record_slowly(
    struct qt_cursor *c, struct qt_record *rec, struct qt_error *err)
{
	const unsigned char *p;
	size_t have, want;
	uint64_t room;
	int n;

	p = qt_input_need(c->in, c->pos, 6, &have, err);
	if (p == NULL)
		return -1;
	if (have == 0)
		return 1;
	rec->type = p[0];
	rec->flags = 0;
	n = read_length(p + 1, have - 1, &rec->length, &rec->flags);
	if (n < 0)
		return corrupt(err, c->pos, p[0], "record length out of range");
	if (n == 0)
		return corrupt(
		    err, c->pos, p[0], "the file ends in a record's length");
	rec->payload = c->pos + 1 + (unsigned)n;
	room = c->in->size - c->pos - 1 - (unsigned)n;
	if (rec->length > room)
		return corrupt(err, c->pos, p[0], "the file ends in a record");
	rec->data_len = rec->length < QT_RECORD_DATA_MAX ? (size_t)rec->length
							 : QT_RECORD_DATA_MAX;
	if (rec->data_len < rec->length)
		rec->flags |= QT_RECORD_CUT;
	want = 1 + (size_t)n + rec->data_len;
	p = qt_input_need(c->in, c->pos, want, &have, err);
	if (p == NULL)
		return -1;
	if (have < want) /* shorter than it was a moment ago */
		return corrupt(
		    err, c->pos, rec->type, "the file ends in a record");
	rec->data = p + 1 + n;
	return 0;
}

/* One record where the cursor stands: 0, 1 end of file, or negative. */
static int read_record(
    struct qt_cursor *c, struct qt_record *rec, struct qt_error *err)
{
	size_t have = in_window(c->in, c->pos);
	const unsigned char *p;
	int rc;

	/* nearly every record: a one-byte length, all in the window */
	if (have >= 2 && c->pos < c->in->size) {
		p = c->in->data + (c->pos - c->in->start);
		if (p[1] < 0x80 && have - 2 >= p[1] &&
		    c->in->size - c->pos - 2 >= p[1]) {
			rec->type = p[0];
			rec->flags = 0;
			rec->payload = c->pos + 2;
			rec->length = rec->data_len = p[1];
			rec->data = p + 2;
			goto found;
		}
	}
	rc = read_record_slowly(c, rec, err);
	if (rc != 0)
		return rc;
found:
	rec->offset = c->pos;
	if (memchr(rec->data, 0, rec->data_len) != NULL)
		rec->flags |= QT_RECORD_NUL;
	c->pos = rec->payload + rec->length;
	return 0;
}

/* Go where a p record leads (rec_goto). */
static int follow(
    struct qt_cursor *c, const struct qt_record *rec, struct qt_error *err)
{
	int64_t target;

	target = qt_text_offset((const char *)rec->data, qt_rec_strlen(rec));
	if (target < 0 ||
	    (rec->flags & (QT_RECORD_CUT | QT_RECORD_NUL)) == QT_RECORD_CUT)
		return qt_fail_at(err, QT_E_CORRUPT, "", (int64_t)rec->offset,
		    "pointer record without a valid offset");
	if (target == 0)
		return 0;
	if ((uint64_t)target <= c->last_target &&
	    ++c->back_jumps > QT_RECORD_JUMPS_MAX)
		return qt_fail_at(err, QT_E_CORRUPT, "", (int64_t)rec->offset,
		    "more than %u pointer records lead backwards",
		    QT_RECORD_JUMPS_MAX);
	c->last_target = (uint64_t)target;
	c->pos = (uint64_t)target;
	return 0;
}

/*
 * The bounds on work: see the opening comment for steps.  That on bytes is
 * ours: records that overlap could otherwise be laid out so that the same
 * bytes are read again and again; Postfix writes none.
 */
static int count(
    struct qt_cursor *c, const struct qt_record *rec, struct qt_error *err)
{
	c->steps++;
	c->bytes += c->pos - rec->offset;
	if (c->steps / 2 > c->in->size || c->bytes / 4 > c->in->size)
		return qt_fail_at(err, QT_E_CORRUPT, "", (int64_t)rec->offset,
		    "pointer records form a loop");
	return 0;
}

int qt_cursor_step(
    struct qt_cursor *c, struct qt_record *rec, struct qt_error *err)
{
	int rc;

	rc = read_record(c, rec, err);
	if (rc != 0)
		return rc;
	rc = count(c, rec, err);
	if (rc != 0 || (c->flags & QT_CURSOR_RAW) != 0)
		return rc;
	if (rec->type == QT_REC_PTR) {
		if ((c->flags & QT_CURSOR_POINTERS) != 0) {
			c->pointer = rec->offset;
			return 0;
		}
		rc = follow(c, rec, err);
		return rc != 0 ? rc : QT_STEP_MOVED;
	}
	if (rec->type == QT_REC_PAD && (c->flags & QT_CURSOR_PADDING) == 0)
		return QT_STEP_MOVED;
	if (rec->type == QT_REC_END) /* what is behind it is the heap */
		c->pos = c->in->size;
	return 0;
}

int qt_cursor_settle(struct qt_cursor *c, struct qt_error *err)
{
	struct qt_record rec;
	int rc;

	if (c->pointer == QT_NO_POINTER)
		return 0;
	/* read again: the window may have moved since it was handed out */
	c->pos = c->pointer;
	c->pointer = QT_NO_POINTER;
	rc = read_record(c, &rec, err);
	if (rc != 0)
		return rc;
	return follow(c, &rec, err);
}

int qt_cursor_next(
    struct qt_cursor *c, struct qt_record *rec, struct qt_error *err)
{
	struct qt_record r;
	uint64_t began;
	int rc;

	rc = qt_cursor_settle(c, err);
	if (rc != 0)
		return rc;
	began = c->pos;
	do
		rc = qt_cursor_step(c, &r, err);
	while (rc == QT_STEP_MOVED);
	if (rc != 0)
		return rc;
	r.read_offset = began;
	*rec = r;
	return 0;
}

const char *qt_record_label(unsigned char type, bool in_content)
{
	static const char *const labels[256] = {
	    ['C'] = "message_size",
	    ['T'] = "message_arrival_time",
	    ['c'] = "queue_file_create_time",
	    ['F'] = "sender_fullname",
	    ['I'] = "content_inspector",
	    ['L'] = "content_filter",
	    ['S'] = "sender",
	    ['D'] = "done_recipient",
	    ['R'] = "recipient",
	    ['O'] = "original_recipient",
	    ['/'] = "canceled_recipient",
	    ['W'] = "warning_message_time",
	    ['A'] = "named_attribute",
	    ['K'] = "killed_record",
	    ['>'] = "redirect_to",
	    ['f'] = "flags",
	    ['M'] = "message_content",
	    ['N'] = "regular_text",
	    ['w'] = "padding",
	    ['X'] = "extracted_info",
	    ['r'] = "return_receipt",
	    ['e'] = "errors_to",
	    ['P'] = "priority",
	    ['p'] = "pointer_record",
	    ['V'] = "verp_delimiters",
	    ['<'] = "dsn_return_flags",
	    ['i'] = "dsn_envelope_id",
	    ['o'] = "dsn_original_recipient",
	    ['n'] = "dsn_notify_flags",
	    ['E'] = "message_end",
	};

	if (in_content && type == QT_REC_CONT)
		return "unterminated_text"; /* outside it is a filter */
	return labels[type];
}
