/*
 * same_msg.h - whether two parses of a file came to the same.
 */
#ifndef QTOOL_TEST_SAME_MSG_H
#define QTOOL_TEST_SAME_MSG_H

#include <string.h>

#include "qtool/message.h"

static inline bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static inline bool same_rcpts(const struct qt_msg *a, const struct qt_msg *b)
{
	size_t i;

	if (a->nrcpt != b->nrcpt || (a->rcpt == NULL) != (b->rcpt == NULL))
		return false;
	for (i = 0; a->rcpt != NULL && i < a->nrcpt; i++) {
		const struct qt_rcpt *x = &a->rcpt[i], *y = &b->rcpt[i];

		if (!same_text(x->address, y->address) ||
		    !same_text(x->orig, y->orig) ||
		    !same_text(x->showq_orig, y->showq_orig) ||
		    !same_text(x->dsn_orcpt, y->dsn_orcpt) ||
		    x->offset != y->offset || x->notify != y->notify ||
		    x->state != y->state)
			return false;
	}
	return true;
}

/* The members that are texts lie side by side, in two runs. */
static inline bool same_run(
    const struct qt_msg *a, const struct qt_msg *b, size_t from, size_t to)
{
	size_t at;

	for (at = from; at <= to; at += sizeof(char *)) {
		const char *x, *y;

		memcpy(&x, (const char *)a + at, sizeof x);
		memcpy(&y, (const char *)b + at, sizeof y);
		if (!same_text(x, y))
			return false;
	}
	return true;
}

static inline bool same_msg(const struct qt_msg *a, const struct qt_msg *b)
{
	return same_run(a, b, offsetof(struct qt_msg, sender),
		   offsetof(struct qt_msg, log_ident)) &&
	       same_run(a, b, offsetof(struct qt_msg, sasl_method),
		   offsetof(struct qt_msg, message_id)) &&
	       same_rcpts(a, b) && a->have_size == b->have_size &&
	       a->nsize == b->nsize && a->size_plain == b->size_plain &&
	       memcmp(a->size, b->size, sizeof a->size) == 0 &&
	       a->arrival_time == b->arrival_time &&
	       a->arrival_usec == b->arrival_usec &&
	       a->create_time == b->create_time &&
	       a->showq_time == b->showq_time && a->warn_time == b->warn_time &&
	       a->ret_flags == b->ret_flags &&
	       a->trace_flags == b->trace_flags &&
	       a->sender_offset == b->sender_offset && a->ntodo == b->ntodo &&
	       a->ndone == b->ndone && a->ncancelled == b->ncancelled &&
	       a->odd == b->odd;
}

#endif
