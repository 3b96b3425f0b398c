/*
 * content.c - the text of a message, as the delivery agents copy it.
 *
 * N ends a line, L does not.  Anything but text and, at the end, X makes a
 * delivery agent mark the file corrupt.  A record is handed out in pieces of
 * what fits in the window, so its length costs no memory.
 *
 * Source: Postfix src/global/mail_copy.c, src/smtp/smtp_proto.c.
 */
#include "format/cursor.h"
#include "qtool/message.h"

void qt_content_init(struct qt_content *c, struct qt_input *in, uint64_t start)
{
	*c = (struct qt_content){.given = 0};
	qt_cursor_init(&c->cur, in, 0);
	qt_cursor_seek(&c->cur, start);
}

/* Go to the next text record: 0, 1 at X, negative at anything else. */
static int next_record(struct qt_content *c, struct qt_error *err)
{
	struct qt_type_text t;
	int rc;

	rc = qt_cursor_next(&c->cur, &c->rec, err);
	if (rc < 0)
		return rc;
	if (rc == 1)
		return qt_fail_at(err, QT_E_CORRUPT, "", (int64_t)c->cur.pos,
		    "the file ends in the content");
	if (c->rec.type == QT_REC_XTRA) {
		/* so that the next call finds the end again */
		qt_cursor_seek(&c->cur, c->rec.offset);
		return 1;
	}
	if (c->rec.type != QT_REC_NORM && c->rec.type != QT_REC_CONT) {
		t = qt_record_type_text(c->rec.type);
		return qt_fail_at(err, QT_E_CORRUPT, "", (int64_t)c->rec.offset,
		    "record %s in the content", t.s);
	}
	c->given = 0;
	c->in_record = true;
	return 0;
}

/* Bring the rest of a record that is longer than one piece. */
static int next_part(struct qt_content *c, struct qt_error *err)
{
	uint64_t rest = c->rec.length - c->given;
	size_t want, have;

	want = rest < QT_RECORD_DATA_MAX ? (size_t)rest : QT_RECORD_DATA_MAX;
	c->rec.data = qt_input_need(
	    c->cur.in, c->rec.payload + c->given, want, &have, err);
	if (c->rec.data == NULL)
		return -1;
	if (have < want) /* shorter than it was a moment ago */
		return qt_fail_at(err, QT_E_CORRUPT, "", (int64_t)c->rec.offset,
		    "the file ends in a record");
	c->rec.data_len = want;
	return 0;
}

int qt_content_next(
    struct qt_content *c, struct qt_piece *piece, struct qt_error *err)
{
	bool eol;
	int rc;

	do {
		rc = c->in_record ? next_part(c, err) : next_record(c, err);
		if (rc != 0)
			return rc;
		c->given += c->rec.data_len;
		c->total += c->rec.data_len;
		c->in_record = c->given < c->rec.length;
		eol = !c->in_record && c->rec.type == QT_REC_NORM;
		/* an empty L says nothing */
	} while (c->rec.data_len == 0 && !eol);
	c->open_line = !eol;
	*piece = (struct qt_piece){c->rec.data, c->rec.data_len, eol};
	return 0;
}
