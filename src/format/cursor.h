/*
 * cursor.h - the cursor's single steps, for the walks that look at the
 * position between two of them.
 */
#ifndef QTOOL_FORMAT_CURSOR_H
#define QTOOL_FORMAT_CURSOR_H

#include "qtool/record.h"

#define QT_NO_POINTER UINT64_MAX /* struct qt_cursor.pointer */

/*
 * Make up to need bytes at offset available; *have says how many there are
 * (fewer only at the end of the file).  Returns their address, NULL when more()
 * failed.
 */
const unsigned char *qt_input_need(struct qt_input *in, uint64_t offset,
    size_t need, size_t *have, struct qt_error *err);

/* Follow the p record handed out last, if any. */
int qt_cursor_settle(struct qt_cursor *c, struct qt_error *err) QT_MUST_CHECK;

#define QT_STEP_MOVED 2
/*
 * One record in physical order: 0 a record for the caller (read_offset is not
 * filled), 1 end of file, QT_STEP_MOVED a pointer was followed or padding
 * passed, negative failure.
 */
int qt_cursor_step(struct qt_cursor *c, struct qt_record *rec,
    struct qt_error *err) QT_MUST_CHECK;

/* "type X" or "type 0xNN", for error texts. */
struct qt_type_text {
	char s[16];
};
struct qt_type_text qt_record_type_text(unsigned char type);

#endif
