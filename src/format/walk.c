/*
 * walk.c - all records of a queue file in logical order.
 *
 * The content is found as qmgr finds it: whenever the position is that of C
 * field 2, field 1 bytes are passed over, and the record there has to be X.
 * The test is made before each single record, also after a pointer was
 * followed, because that is where qmgr makes it.  A pointer in the place of X
 * is followed too, and after it an X would be out of place: no file has that,
 * but qmgr decides so.
 *
 * Source: Postfix src/qmgr/qmgr_message.c (qmgr_message_read,
 * qmgr_message_oldstyle_scan).
 */
#include "format/walk.h"

#include "format/cursor.h"

const char *qt_segment_name(enum qt_segment seg)
{
	switch (seg) {
	case QT_SEG_ENVELOPE:
		return "envelope";
	case QT_SEG_CONTENT:
		return "content";
	case QT_SEG_EXTRACTED:
		return "extracted";
	}
	return "unknown";
}

void qt_walk_init(struct qt_walk *w, struct qt_input *in, bool skip_content,
    unsigned cursor_flags)
{
	*w = (struct qt_walk){.skip_content = skip_content};
	qt_cursor_init(&w->cur, in, cursor_flags);
}

static void set_content(struct qt_walk *w, int64_t offset, int64_t size)
{
	int64_t end;

	/* qmgr ends with a fatal error where this overflows */
	if (offset <= 0 || size <= 0 ||
	    __builtin_add_overflow(offset, size, &end))
		return;
	w->data_offset = offset;
	w->data_size = size;
	w->content_end = (uint64_t)end;
}

void qt_walk_size(struct qt_walk *w, const struct qt_size_fields *f)
{
	if (w->data_offset != 0)
		return; /* later ones are ignored */
	if (f->n >= 3)
		set_content(w, f->v[1], f->v[0]);
	else if (f->n == 1)
		w->old_size = true; /* looked for at the next step */
}

/*
 * Before Postfix 1.0 the C record had one number, and the M record's payload
 * was the offset of X: read from the start up to M, as qmgr does.
 */
static int scan_old_size(struct qt_walk *w, struct qt_error *err)
{
	struct qt_cursor c;
	struct qt_record rec;
	struct qt_error ignored;
	int64_t end;
	int rc;

	qt_cursor_init(&c, w->cur.in, 0);
	do
		rc = qt_cursor_next(&c, &rec, &ignored);
	while (rc == 0 && rec.type != QT_REC_MESG);
	if (rc < 0 && ignored.code != QT_E_CORRUPT) {
		if (err != NULL)
			*err = ignored;
		return -1;
	}
	if (rc != 0 || rec.type != QT_REC_MESG)
		return 0; /* whatever is wrong, the walk will meet it too */
	end = qt_text_long((const char *)rec.data, qt_rec_strlen(&rec));
	if (end > (int64_t)c.pos)
		set_content(w, (int64_t)c.pos, end - (int64_t)c.pos);
	return 0;
}

/* Pass over the content when the cursor stands at its start. */
static bool skip(struct qt_walk *w)
{
	if (!w->skip_content || w->data_offset == 0 ||
	    w->cur.pos != (uint64_t)w->data_offset)
		return false;
	qt_cursor_seek(&w->cur, w->content_end);
	w->expect_x = true;
	w->next = QT_SEG_CONTENT;
	return true;
}

/* What is before the next record: a pointer to follow, an old C to resolve. */
static int prepare(struct qt_walk *w, struct qt_error *err)
{
	int rc;

	/* the X that was expected has been returned */
	if (w->expect_x && w->seg == QT_SEG_EXTRACTED)
		w->expect_x = false;
	if (w->old_size) {
		w->old_size = false;
		rc = scan_old_size(w, err);
		if (rc != 0)
			return rc;
	}
	return qt_cursor_settle(&w->cur, err);
}

static void set_segment(struct qt_walk *w, unsigned char type)
{
	w->seg = w->next;
	switch (type) {
	case QT_REC_MESG:
		w->next = QT_SEG_CONTENT;
		break;
	case QT_REC_XTRA:
		w->seg = w->next = QT_SEG_EXTRACTED;
		break;
	case QT_REC_END:
		w->done = (w->cur.flags & QT_CURSOR_RAW) == 0;
		break;
	default:
		break;
	}
}

int qt_walk_step(struct qt_walk *w, struct qt_record *rec, struct qt_error *err)
{
	uint64_t began;
	int rc;

	if (w->done)
		return 1;
	rc = prepare(w, err);
	if (rc != 0)
		return rc;
	began = w->cur.pos;
	do {
		if (skip(w))
			began = w->cur.pos;
		rc = qt_cursor_step(&w->cur, rec, err);
		if (rc < 0)
			return rc;
		if (w->expect_x && rc != 1 && rec->type == QT_REC_PTR) {
			w->expect_x = false;
			w->next = QT_SEG_EXTRACTED;
		}
	} while (rc == QT_STEP_MOVED);
	if (w->expect_x && (rc == 1 || rec->type != QT_REC_XTRA))
		return qt_fail_at(err, QT_E_CORRUPT, "",
		    (int64_t)w->content_end,
		    "no X record where the C record says the content ends");
	if (rc != 0)
		return rc;
	rec->read_offset = began;
	set_segment(w, rec->type);
	return 0;
}

int qt_walk_next(struct qt_walk *w, struct qt_record *rec, struct qt_error *err)
{
	struct qt_size_fields f;
	int rc;

	rc = qt_walk_step(w, rec, err);
	if (rc == 0 && rec->type == QT_REC_SIZE && w->data_offset == 0) {
		qt_text_size(&f, (const char *)rec->data, qt_rec_strlen(rec));
		qt_walk_size(w, &f);
	}
	return rc;
}
