/*
 * left.h - which messages of a plan were left in the queue, because they were
 * no longer what was judged; or, of those that were to be put into another
 * queue, were not put there by this transaction (own.h).
 *
 * A message that came to light as changed while the others were staged was
 * reported as left alone.  Recovery takes again what a power cut brought back,
 * and cannot compare change times; so before COMMIT this file says which ones
 * it must leave alone as well.  It stands beside the plan, is there only when
 * COMMIT says changed > 0, or another record left > 0, and is never changed; when
 * an undo is undone, another one follows (left.1):
 *
 *	L  SEQ  #crc32c		one sealed line (field.h) a message
 */
#ifndef CHANGE_LEFT_H
#define CHANGE_LEFT_H

#include "change/txdir.h"

/* Write the items marked left; durable when this returns 0. */
int qt_left_write(struct qt_change *c, struct qt_tx *tx, struct qt_error *err)
    QT_MUST_CHECK;
/*
 * Mark the items that the file names, as many as the log says; QT_E_STATE: it
 * is missing, damaged or another number.
 */
int qt_left_read(struct qt_tx *tx, struct qt_error *err) QT_MUST_CHECK;

#endif
