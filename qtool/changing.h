/*
 * changing.h - what the commands that change a queue share: opening it for
 * change, the question before, the words and the syslog line after.
 */
#ifndef QTOOL_CHANGING_H
#define QTOOL_CHANGING_H

#include "qtool/change.h"

#include "answer.h"
#include "cmd.h"

/* What a command asks for beyond the change options in struct ctx. */
struct changing {
	struct ctx *c; /* open_change's */
	/* what is asked when all is staged, before COMMIT (decide in struct
	 * qt_change_opts), and the plan that is carried out; may be NULL */
	int (*decide)(struct changing *how, uint64_t txid,
	    struct qt_error *err);
	void *decide_ctx;
	const struct qt_plan *plan;
	bool in_place;
	/* QT_OP_IMPORT: as in struct qt_change_opts */
	int (*supply)(void *ctx, size_t seq, enum qt_queue log, qt_put_fn *put,
	    void *put_ctx, struct qt_error *err);
	void *supply_ctx;
	bool again;
	unsigned purge_rate;
	const char *what; /* for the progress line: "messages staged" */
};

/*
 * The one spool opened for change; says so when it has to wait for another
 * qtool, and when interrupted transactions were recovered.  *how is used until
 * the change is closed: what may be set anew for each part of the work.
 */
int open_change(struct ctx *c, struct changing *how,
    struct qt_change **out, struct qt_error *err) QT_MUST_CHECK;

/*
 * An outcome whose reports are printed by name, each a line on stderr, and kept
 * for the answer.
 */
void outcome_init(struct ctx *c, struct qt_outcome *out);

/*
 * After an error of a change: complain, keep it for the answer, and the exit
 * status.  All of them mean that nothing was changed, but for QT_E_STATE when
 * moved is set: messages are where the text says.
 */
int change_failed(struct ctx *c, const struct qt_error *err, bool moved);

/* Whether ask_count() can ask, or need not: 0, or the exit status. */
int check_can_ask(struct ctx *c, const char *what);
/*
 * Ask for n to be typed to do what ("delete").  0 yes; else the exit
 * status: refused, and the reason was said.  Asks nothing with --yes.
 */
int ask_count(struct ctx *c, uint64_t n, const char *what);

/* One line to syslog (mail.notice). */
void log_change(const struct ctx *c, const char *fmt, ...) QT_PRINTF(2, 3);

/* "1 message", "1,234 messages". */
const char *messages_text(uint64_t n, char out[48]);

/* A transaction number; QT_E_USAGE when it is none. */
int parse_txid(const char *s, uint64_t *id, struct qt_error *err)
    QT_MUST_CHECK;
/* The value of --purge-rate, and of purge's --rate. */
int parse_rate(const char *s, unsigned *rate, struct qt_error *err)
    QT_MUST_CHECK;

/* The entry of a transaction in a list, NULL: none. */
const struct qt_tx_info *find_tx(const struct qt_tx_list *l, uint64_t id);
/* Whether a transaction is in that state now; false also when unknown. */
bool tx_is(const struct ctx *c, uint64_t id, enum qt_tx_state state);

#endif
