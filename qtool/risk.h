/*
 * risk.h - mail that makes things worse when it is let go: what a release
 * counts, shows, and refuses without consent.
 */
#ifndef QTOOL_RISK_H
#define QTOOL_RISK_H

#include "past.h"

enum risk {
	RISK_OLD,	  /* would go back to its sender, past its lifetime */
	RISK_NULL_SENDER, /* from <>: notices that a spammer's mail caused */
	RISK_DELETED,	  /* matches what was deleted before */
	RISKS
};
#define RISK_BIT(r) (1u << (r))

/* Options and counts of one command. */
struct risks {
	unsigned asked;	 /* bits of what is looked for; 0: nothing is */
	unsigned allow;	 /* --allow */
	unsigned skip;	 /* --skip: such mail is left where it is */
	bool hold_only;	 /* what is not in hold is on its way anyway */
	int64_t lifetime, bounce_lifetime; /* seconds */
	bool lifetime_known;
	struct pasts pasts;
	/* of the messages planned */
	uint64_t count[RISKS];
	uint64_t *by_past;  /* owned, by pasts.v: matches */
	uint64_t skipped;   /* what --skip left where it is */
};

/* --allow's and --skip's value: "old,null-sender,deleted", of those asked. */
int risk_parse(const char *list, unsigned *bits, struct qt_error *err)
    QT_MUST_CHECK;

/* Whether every risk of a list is one that the command asks for. */
int risks_check(const struct risks *r, struct qt_error *err) QT_MUST_CHECK;
/* What has to be known before the selection runs. */
int risks_begin(struct risks *r, struct ctx *c, struct qt_error *err)
    QT_MUST_CHECK;
void risks_release(struct risks *r);

/*
 * Append what is asked of each message besides, a column for each risk and each
 * past deletion, with parameters numbered from first + 1 on; their values go to
 * binds (risks_nbinds of them).
 */
int risks_columns(struct risks *r, size_t first, struct qt_buf *sql,
    struct qt_bind *binds, struct qt_error *err) QT_MUST_CHECK;
int risks_nbinds(struct risks *r, size_t *n, struct qt_error *err)
    QT_MUST_CHECK;
/*
 * Judge the row whose columns of that kind begin at column: true when --skip
 * leaves it where it is.  Counted in either case.
 */
bool risks_row(struct risks *r, const struct qt_stmt *st, int column);

/* Lines of the preview: "  too old   12, ...". */
void risks_show(const struct risks *r, FILE *out);
/* 0, or EXIT_REFUSED: what is risky and not allowed was said. */
int risks_guard(struct ctx *c, const struct risks *r);
#endif
