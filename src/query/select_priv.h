/*
 * select_priv.h - what the files of the selection share.
 *
 *   select.c        the options' values, checked when they are given
 *   select_ids.c    lists of queue IDs
 *   select_where.c  whether a WHERE clause of the user's is one expression
 *   select_sql.c    the SQL of it all
 */
#ifndef QUERY_SELECT_PRIV_H
#define QUERY_SELECT_PRIV_H

#include "qtool/select.h"

/* One value of one option. */
struct term {
	enum qt_sel opt;  /* NULL_SENDER is SENDER, ID is IDS */
	bool negated;
	bool glob;	  /* the text has wildcards */
	char *text;	  /* owned; normalised where the option says so */
	char *text2;	  /* owned; --header's pattern */
	char *label;	  /* owned; as given, for --explain */
	int64_t number;	  /* --older, --larger, ... */
};

/* SQL with its own numbering of parameters. */
struct clause {
	struct qt_buf sql, label;
	struct qt_bind *binds; /* text borrowed from terms and ids */
	size_t nbinds, cap;
	bool nomem;
};

struct qt_select {
	struct term *v;
	size_t n, cap;
	bool every; /* --every-rcpt */
	bool all;   /* --all */
	bool queue_given;
	unsigned queues_pos, queues_neg; /* masks of --queue */
	unsigned queues_default;
	struct qt_buf ids;  /* valid IDs, each once more by a newline */
	size_t nids;
	struct qt_buf ids_label;
	struct qt_buf cut; /* ids with a NUL after each, when they are few */
	/* made by select_build(), dropped by the next change */
	bool built;
	struct clause whole;
	struct clause part[QT_SEL_COUNT];
	size_t nparts;
};

/* An option as the user writes it: "--sasl". */
const char *select_option_name(enum qt_sel opt);
/* qt_fail with QT_E_USAGE and the option's name. */
int select_fail(struct qt_error *err, enum qt_sel opt, const char *fmt, ...)
    QT_PRINTF(3, 4);

/* Append one ID (a mailq mark after it is taken off). */
int select_add_id(struct qt_select *s, const char *id, struct qt_error *err)
    QT_MUST_CHECK;
/* Append the IDs of a file, "-" standard input. */
int select_add_ids(struct qt_select *s, const char *file, struct qt_error *err)
    QT_MUST_CHECK;
/* The same from bytes; where names them in errors. */
int select_add_id_text(struct qt_select *s, const char *text, size_t len,
    const char *where, struct qt_error *err) QT_MUST_CHECK;

/* 0, or -1 with why text cannot stand in parentheses as one expression. */
int select_check_where(const char *text, struct qt_error *err) QT_MUST_CHECK;

unsigned select_queue_mask(const struct qt_select *s);
void select_clause_release(struct clause *c);
/* Build whole and part[] if they are not. */
int select_build(struct qt_select *s, struct qt_error *err) QT_MUST_CHECK;

#endif
