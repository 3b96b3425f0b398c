/*
 * glance.h - the first look at very many messages, by a few threads.
 *
 * Before there is a plan each message is looked at once more (stage.h).  Nearly
 * all of them lie where they were judged, as they were: that much is found out
 * here, for a stretch of the plan at a time, and nothing is decided.  What is
 * not found so is for qt_stage_look(), which goes on from the beginning.
 *
 * Only this look has threads: all that changes a queue is done in order, by one.
 */
#ifndef CHANGE_GLANCE_H
#define CHANGE_GLANCE_H

#include "change/plan.h"
#include "change/state.h"

struct qt_glance;

/*
 * *out is NULL when the plan is so small that threads would cost more than they
 * gain.  Both are borrowed and must outlive the glance.
 */
int qt_glance_new(struct qt_glance **out, const struct qt_change *c,
    const struct qt_plan *p, struct qt_error *err) QT_MUST_CHECK;
void qt_glance_free(struct qt_glance *g);
/*
 * Whether message i is at its path as it was judged; *h is its handle then.
 * To be asked in ascending order.  The plan's paths may grow between two calls.
 */
bool qt_glance_same(struct qt_glance *g, size_t i, struct qt_handle *h);

#endif
