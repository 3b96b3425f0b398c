/*
 * option.h - command line options from tables: parsing, --help and the manual
 * come from the same ones.  Long options are never abbreviated.
 */
#ifndef QTOOL_OPTION_H
#define QTOOL_OPTION_H

#include "qtool/buf.h"

struct qt_option {
	const char *name; /* long name without --; NULL ends a table */
	char letter;	  /* short form, 0 none */
	const char *arg;  /* placeholder of its value, NULL: a flag */
	int id;		  /* what the caller switches on */
	const char *help; /* one line, lower case, no full stop */
};
/* A titled group; a command lists the groups it takes. */
struct qt_option_group {
	const char *title; /* "Selection" */
	const struct qt_option *options;
};

/*
 * Called for each option in order; value NULL for a flag.  0, or -1 with err
 * filled; an empty err.where becomes the option's name.
 */
typedef int qt_option_fn(void *ctx, const struct qt_option *opt,
    const char *value, struct qt_error *err);

/*
 * Parse argv[*index...]: options and operands may be mixed, "--" ends options,
 * "--name=value", "--name value", "-n value", "-nvalue", bundled flags.  With
 * stop_at_operand the first operand ends it (global options before the
 * command).  Operands are moved to the front of argv[*index...], *noperands
 * counts them; with stop_at_operand *index moves to the first of them.  A
 * separate value that is an option itself ("--sasl $EMPTY --yes") is refused;
 * "--name=value" takes anything.  QT_E_USAGE names the option and, for an
 * unknown one, the closest that exists; argv may then be in disorder.
 */
int qt_options_parse(const struct qt_option_group *groups, size_t ngroups,
    int argc, char **argv, int *index, bool stop_at_operand, int *noperands,
    qt_option_fn *fn, void *ctx, struct qt_error *err) QT_MUST_CHECK;

/* The groups as help text, one option a line, aligned. */
void qt_options_help(struct qt_buf *out, const struct qt_option_group *groups,
    size_t ngroups);

/*
 * Values: "90s 15m 2h 3d 1w", combined from long to short as "1h30m" (a bare
 * number: seconds); "10K 4M 2G 1T" (1024; a bare number: bytes).  Never
 * negative; QT_E_USAGE says what to write.
 */
int qt_parse_age(const char *s, int64_t *seconds, struct qt_error *err)
    QT_MUST_CHECK;
int qt_parse_size(const char *s, int64_t *bytes, struct qt_error *err)
    QT_MUST_CHECK;
/* A decimal in [min, max]. */
int qt_parse_count(const char *s, int64_t min, int64_t max, int64_t *value,
    struct qt_error *err) QT_MUST_CHECK;

#endif
