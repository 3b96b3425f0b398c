/*
 * select.h - plain selection options compiled to a WHERE clause over messages.
 *
 * Different options are AND, the same one repeated is OR, a value that starts
 * with ! is negated (several negated values of one option: none of them).
 * Values are bound, never pasted.  An empty value is refused: nothing matches
 * by being empty.
 */
#ifndef QTOOL_SELECT_H
#define QTOOL_SELECT_H

#include "qtool/db.h"

enum qt_sel {
	QT_SEL_SASL, QT_SEL_SENDER, QT_SEL_SENDER_DOMAIN, QT_SEL_NULL_SENDER,
	QT_SEL_RCPT, QT_SEL_RCPT_DOMAIN, QT_SEL_EVERY_RCPT, QT_SEL_CLIENT,
	QT_SEL_HELO, QT_SEL_SUBJECT, QT_SEL_HEADER, QT_SEL_BODY, QT_SEL_REASON,
	QT_SEL_CLASS, QT_SEL_QUEUE, QT_SEL_STATE, QT_SEL_OLDER, QT_SEL_NEWER,
	QT_SEL_LARGER, QT_SEL_SMALLER, QT_SEL_IDS, QT_SEL_ID, QT_SEL_WHERE,
	QT_SEL_ALL, QT_SEL_COUNT
};

struct qt_select;
int qt_select_new(struct qt_select **out, struct qt_error *err) QT_MUST_CHECK;
void qt_select_free(struct qt_select *s);
/*
 * Add one option's value (NULL for flags).  QT_E_USAGE when it is no such
 * thing (a bad CIDR, age, size, pattern, class, queue, ID), with the option's
 * name in err->where.
 */
int qt_select_add(struct qt_select *s, enum qt_sel opt, const char *value,
    struct qt_error *err) QT_MUST_CHECK;
/* Whether anything narrows the mail (QT_SEL_QUEUE alone does not; ALL does). */
bool qt_select_any(const struct qt_select *s);
/* Queues named by QT_SEL_QUEUE as a mask; 0 none named. */
unsigned qt_select_queues(const struct qt_select *s);
/* Use these queues when none were named (changes: hold and deferred). */
void qt_select_default_queues(struct qt_select *s, unsigned mask);
/*
 * The whole clause ("1" when empty) with ?1, ?2 ... and its parameters, both
 * owned by s and valid until the next add.
 */
int qt_select_sql(struct qt_select *s, const char **where,
    const struct qt_bind **binds, size_t *nbinds, struct qt_error *err)
    QT_MUST_CHECK;
/* Its AND-ed parts one by one, for --explain: each with its own parameters. */
size_t qt_select_nclauses(struct qt_select *s);
int qt_select_clause(struct qt_select *s, size_t i, const char **label,
    const char **where, const struct qt_bind **binds, size_t *nbinds,
    struct qt_error *err) QT_MUST_CHECK;

#endif
