/*
 * parsed.h - parse a file of records, and again through windows of every
 * small size: nothing may differ.
 */
#ifndef QTOOL_TEST_PARSED_H
#define QTOOL_TEST_PARSED_H

#include "qtool/message.h"
#include "records.h"
#include "same_msg.h"

/* One parsed file; the arena holds what msg points to. */
struct parsed {
	struct qfile f;
	struct qt_arena arena;
	struct qt_msg msg;
	struct qt_error err;
	int rc;
};

static inline void parsed_release(struct parsed *p)
{
	qt_arena_release(&p->arena);
}

/* Parse through windows of every small size: nothing may differ. */
static inline void check_windows(
    const struct parsed *p, enum qt_msg_origin origin, const char *name)
{
	struct qt_arena arena;
	struct qt_error err;
	struct qt_msg msg;
	struct slit s;
	size_t window;
	int rc;

	qt_arena_init(&arena, 0);
	for (window = 0; window <= 17; window++) {
		err = (struct qt_error){.offset = -1};
		slit_init(&s, p->f.bytes, p->f.len, window, window * 7 % 18);
		rc = qt_msg_parse(
		    &msg, &s.in, origin, QT_MSG_RCPTS, &arena, &err);
		if (rc != p->rc || !same_msg(&msg, &p->msg) ||
		    strcmp(err.text, p->err.text) != 0 ||
		    err.offset != p->err.offset)
			fail_msg("%s: other result in windows of need + %zu",
			    name, window);
		slit_release(&s);
		qt_arena_reset(&arena);
	}
	/* counts do not depend on what is kept */
	slit_init(&s, p->f.bytes, p->f.len, 1000, 0);
	rc = qt_msg_parse(&msg, &s.in, origin, 0, &arena, &err);
	assert_int_equal(rc, p->rc);
	assert_null(msg.rcpt);
	assert_int_equal(msg.ntodo, p->msg.ntodo);
	assert_int_equal(msg.ndone, p->msg.ndone);
	assert_int_equal(msg.ncancelled, p->msg.ncancelled);
	assert_int_equal(msg.odd, p->msg.odd);
	slit_release(&s);
	qt_arena_release(&arena);
}

static inline void parse(struct parsed *p, const struct lit *e,
    enum qt_msg_origin origin, const char *name)
{
	struct qt_input in;

	qfile_build(&p->f, e);
	qt_arena_init(&p->arena, 0);
	p->err = (struct qt_error){.offset = -1};
	qt_input_bytes(&in, p->f.bytes, p->f.len);
	p->rc = qt_msg_parse(
	    &p->msg, &in, origin, QT_MSG_RCPTS, &p->arena, &p->err);
	if (p->rc == 0)
		assert_int_equal(p->err.code, QT_OK);
	check_windows(p, origin, name);
}

#endif
