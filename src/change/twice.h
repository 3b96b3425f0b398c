/*
 * twice.h - whether a message of an archive is here already: mail that is put
 * back twice is sent twice.
 */
#ifndef CHANGE_TWICE_H
#define CHANGE_TWICE_H

#include "change/txdir.h"

/*
 * Look for each message of an import's plan in the queues (its queue ID and its
 * size), in what transactions have taken out of them (the same), among what
 * other imports than transaction self put into them (its SHA-256; also when it
 * has left the queue since), and in the plan itself.  One that is found is
 * reported; QT_E_REFUSED tells of the first.  again: found or not is no matter.
 *
 * Items whose ID is anybody's are marked rename in either case.
 */
int qt_twice_check(struct qt_change *c, struct qt_plan *p, uint64_t self,
    bool again, struct qt_outcome *out, struct qt_error *err) QT_MUST_CHECK;

#endif
