/*
 * origin.h - what the messages of an import were in the archive that they came
 * out of: kept with the plan, so that each can be told and checked as long as
 * the transaction is known.
 */
#ifndef CHANGE_ORIGIN_H
#define CHANGE_ORIGIN_H

#include "change/plan.h"

/* The line of message i, sealed. */
void qt_origin_put(struct qt_buf *b, const struct qt_plan *p, size_t i);
/* A line's n fields: 0 taken; 1 it is none that can stand here. */
int qt_origin_take(struct qt_plan *p, const char **f, int n,
    struct qt_error *err) QT_MUST_CHECK;
/* Whether each message has what it must have of these: one, or none. */
bool qt_origin_complete(const struct qt_plan *p);

const char *qt_origin_id(const struct qt_plan *p, size_t i);
/* The SHA-256 of its bytes, and of a log's (kind 0 .. QT_LOG_KINDS - 1). */
const char *qt_origin_sum(const struct qt_plan *p, size_t i);
const char *qt_origin_log_sum(const struct qt_plan *p, size_t i,
    unsigned kind);

#endif
