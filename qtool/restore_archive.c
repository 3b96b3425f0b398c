/*
 * restore_archive.c - qtool restore FILE: messages out of an archive, into hold
 * or, for a new life, into maildrop.
 *
 * The archive is verified first, whole: mail is not put back out of one that is
 * not what was made.  The selection runs on it as on a queue (qtool -A); the
 * bytes of what is taken are read again and handed to the process that changes
 * the queue, which holds them against length and sum.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qtool/escape.h"
#include "qtool/restorer.h"

#include "restoring.h"

#define SHOWN 10 /* problems of an archive; qtool verify tells all */

struct stock {
	struct ctx *c;
	struct restoring *own;
	const char *file;
	struct qt_spools spools; /* the archive, as a queue */
	struct qt_restorer *restorer;
	struct qt_verify_opts opts;
	uint64_t bad; /* problems that forbid it */
	bool forged;  /* a signature is among them */
};

/* ---- the archive ---- */

static void on_problem(void *ctx, const struct qt_problem *p)
{
	struct stock *s = ctx;

	/* how the tar was written is no matter of the mail in it */
	if (p->flaw == QT_FLAW_FRAME)
		return;
	progress_end(s->c);
	s->forged = s->forged || p->flaw == QT_FLAW_SIGNATURE;
	/* a signature is told of, however much else is wrong */
	if (s->bad++ < SHOWN || p->flaw == QT_FLAW_SIGNATURE)
		remark("%s: %s: %s %s", s->file, qt_flaw_name(p->flaw), p->path,
		    p->text);
}

static void on_bytes(void *ctx, uint64_t done, uint64_t total)
{
	struct stock *s = ctx;

	progress(s->c, "bytes of the archive checked", done, total);
}

static void on_loaded(void *ctx, uint64_t done, uint64_t total)
{
	struct stock *s = ctx;

	progress(s->c, "bytes of the archive read", done, total);
}

/* ---- who made it ---- */

int restore_prepare(struct ctx *c, const char *operand, struct qt_error *err)
{
	struct restoring *own = own_options(c, sizeof(*own), err);
	struct qt_error ignored = {0};
	uint64_t id;

	if (own == NULL)
		return -1;
	own->custodian.errand = ERRAND_NONE;
	if (signers_check(&own->signers, err) != 0)
		return -1;
	if (operand == NULL || parse_txid(operand, &id, &ignored) == 0)
		return 0; /* a transaction is nobody's but ours */
	if (qt_custody_open(operand, &own->events_fd, err) != 0)
		return -1;
	if (sigcheck_start(&own->checker, &own->signers, err) != 0)
		return -1;
	own->checks = true;
	if (c->dry_run || c->explain || c->plan_file != NULL)
		return 0;
	return custodian_start(&own->custodian, operand, err);
}

static int on_signature(void *ctx, const struct qt_signed *what, char why[256],
    struct qt_error *err)
{
	struct stock *s = ctx;
	struct qt_error e = {0};
	int r;

	progress_end(s->c);
	if (what->signature == NULL) {
		if (!s->c->quiet)
			remark("%s: %s is to be checked by the program that "
			       "made it", s->file, what->name);
		return 2;
	}
	r = sigcheck_check(&s->own->checker, what, why, &e);
	if (r == 0 && !s->c->quiet)
		remark("%s: %s: %s", s->file, what->name, why);
	if (r >= 0)
		return r;
	if (s->own->signers.allowed != NULL) {
		*err = e;
		return -1;
	}
	remark("%s: %s could not be checked: %s", s->file, what->name, e.text);
	return 2;
}

/* It was asked who signed, or it is said that nobody did. */
static int check_signer(const struct stock *s, struct qt_error *err)
{
	const struct qt_verify_result *r = &s->own->verified;

	if (s->own->signers.allowed != NULL &&
	    (r->good_signatures == 0 || s->forged))
		return qt_fail(err, QT_E_REFUSED, s->file, "%s: nothing is "
		    "restored out of it", r->signatures == 0 ?
		    "it is not signed" : "it is not signed by whom "
					 "--allowed-signers names");
	if (s->own->signers.allowed != NULL || s->c->quiet)
		return 0;
	if (r->signatures == 0)
		remark("%s: it is not signed: who made it nobody can tell",
		    s->file);
	else if (r->good_signatures != 0)
		remark("%s: whose keys these are is not known: "
		       "--allowed-signers says whose are to be believed",
		    s->file);
	return 0;
}

/* ---- whether it is taken ---- */

static int check_archive(struct stock *s, struct qt_error *err)
{
	const char *redaction = s->own->verified.redaction;

	/* the sums of one that is damaged are as good as who made them */
	if ((s->bad == 0 || s->c->salvage) && check_signer(s, err) != 0)
		return -1;
	if (s->bad != 0 && s->c->salvage) {
		if (s->bad > SHOWN)
			remark("%" PRIu64 " more problems are not listed: qtool "
			       "verify tells all", s->bad - SHOWN);
		remark("%s: damaged: what is intact is restored", s->file);
		s->c->damaged = true;
	} else if (s->bad != 0) {
		return qt_fail(err, QT_E_REFUSED, s->file,
		    "it is not as it was made: nothing is restored out of it; "
		    "qtool verify tells all that is wrong, --salvage restores "
		    "what is intact");
	}
	/* a redacted one has no queue files to be restored */
	if (redaction[0] == '\0' && s->c->salvage)
		return 0;
	if (strcmp(redaction, "none") != 0)
		return qt_fail(err, QT_E_REFUSED, s->file,
		    "the mail in it was redacted (%.30s): what was sent is not "
		    "there any more", redaction[0] != '\0' ? redaction :
							   "nobody knows how");
	return 0;
}

static int open_source(struct stock *s, struct qt_error *err)
{
	s->opts = (struct qt_verify_opts){.report = on_problem,
	    .report_ctx = s, .max_reports = UINT64_MAX,
	    .tmp_dir = getenv("TMPDIR"), .stop = s->c->stop,
	    .salvage = s->c->salvage,
	    .events_fd = s->own->checks ? &s->own->events_fd : NULL,
	    .signature = on_signature, .signature_ctx = s,
	    .progress = on_bytes, .progress_ctx = s};
	if (qt_restorer_open(&s->restorer, &s->own->verified, s->file, &s->opts,
		err) != 0)
		return -1;
	progress_end(s->c);
	if (check_archive(s, err) != 0 ||
	    qt_spools_add_archive(&s->spools, s->file, err) != 0)
		return -1;
	if (s->c->salvage)
		qt_spools_salvage(&s->spools);
	if (qt_spools_load(&s->spools, s->c->stop, on_loaded, s, err) != 0)
		return -1;
	progress_end(s->c);
	return open_db(s->c, &s->spools, err);
}

static void close_source(struct stock *s)
{
	qt_db_close(s->c->db);
	s->c->db = NULL;
	qt_restorer_close(s->restorer);
	qt_spools_release(&s->spools);
}

/* ---- the plan ---- */

/* A message that the selection matches. */
static int take(void *ctx, struct qt_plan *plan, const struct qt_item *it,
    const char **why, struct qt_error *err)
{
	struct stock *s = ctx;
	struct qt_import m;
	int r = qt_restorer_take(s->restorer, it->queue, it->id, it->path, &m,
	    why, err);

	if (r != 0)
		return r;
	m.to = s->own->requeue ? QT_Q_MAILDROP : QT_Q_HOLD;
	return qt_plan_add_import(plan, &m, err);
}

/* ---- the outcome ---- */

static void put_pair(struct qt_buf *b, const char *queue, const char *id)
{
	qt_buf_adds(b, "\"queue_name\": ");
	qt_json_string(b, queue);
	qt_buf_adds(b, ", \"queue_id\": ");
	qt_json_string(b, id);
}

/* One message: which it was in the archive, and which it is here. */
static int say_id(void *ctx, enum qt_queue from, const char *from_id,
    enum qt_queue to, const char *to_id)
{
	struct ctx *c = ctx;
	struct qt_buf *b = &c->answer->imported;

	((struct restoring *)c->own)->restored++;
	if (c->quiet && !answer_wanted(c))
		return 0;
	if (!answer_wanted(c)) {
		(void)printf("%s/%s is %s/%s\n", qt_queue_name(from), from_id,
		    qt_queue_name(to), to_id);
		return 0;
	}
	qt_buf_adds(b, b->len != 0 ? ", {\"archive\": {" : "{\"archive\": {");
	put_pair(b, qt_queue_name(from), from_id);
	qt_buf_adds(b, "}, ");
	put_pair(b, qt_queue_name(to), to_id);
	qt_buf_addc(b, '}');
	return 0;
}

/*
 * Into the archive's chain of custody.  What lies where nothing can be written
 * is restored all the same, and that is said.
 */
static void tell_custody(struct ctx *c, uint64_t txid)
{
	struct restoring *own = c->own;
	struct qt_error err = {0};
	struct qt_buf line;
	char what[200];

	(void)snprintf(what, sizeof(what), "%" PRIu64 " messages into %s of "
	    "%.100s, transaction %" PRIu64, own->restored,
	    own->requeue ? "maildrop" : "hold", c->spools.v[0]->queue_dir,
	    txid);
	qt_buf_init(&line, 0);
	if (custodian_add(&own->custodian, &own->verified,
		&(struct qt_custody_event){.event = "restored", .what = what,
		    .why = c->reason, .sha256 = own->verified.sha256}, &line,
		&err) != 0)
		remark("%s: not added to its chain of custody: %s",
		    own->custodian.file, err.text);
	qt_buf_release(&line);
}

static int say_ids(struct ctx *c, struct changing *how,
    struct qt_change *change, uint64_t txid)
{
	struct qt_error err = {0};
	int status = EXIT_DONE;

	(void)how, (void)change;
	if (qt_tx_imported(c->spools.v[0], c->state_dir, txid, say_id, c,
		&err) != 0) {
		(void)complain_why(c, &err);
		status = EXIT_PARTLY;
	}
	tell_custody(c, txid);
	return status;
}

/* ---- all of it ---- */

static void on_twice(void *ctx, enum qt_fate fate, const char *queue,
    const char *id)
{
	(void)fate;
	remark("%s/%s: is, or was, in this queue already", queue, id);
	answer_message(ctx, queue, id, "already_there");
}

/* -n says what would be refused. */
static int check_twice(struct ctx *c, const struct carry *k, struct pick *p)
{
	struct qt_error err = {0};

	if (k->again || qt_plan_twice(p->plan, c->spools.v[0], c->state_dir,
		on_twice, c, &err) == 0)
		return EXIT_DONE;
	return change_failed(c, &err, false);
}

int restore_archive(struct ctx *c, struct restoring *own, const char *file)
{
	const unsigned queues = QT_Q_BIT(QT_Q_INCOMING) |
	    QT_Q_BIT(QT_Q_ACTIVE) | QT_Q_BIT(QT_Q_DEFERRED) |
	    QT_Q_BIT(QT_Q_HOLD);
	struct stock s = {.c = c, .own = own, .file = file};
	struct carry k = {.how = {.op = QT_OP_IMPORT, .may = queues,
		.usual = queues, .import = take, .import_ctx = &s},
	    .supply = qt_restorer_supply, .again = own->again,
	    .where = own->requeue ? " into maildrop" : " into hold",
	    .dry_check = check_twice, .after = say_ids};
	struct qt_error err = {0};
	int status;

	qt_spools_init(&s.spools);
	if (open_source(&s, &err) != 0) {
		progress_end(c);
		status = change_failed(c, &err, false);
	} else {
		k.supply_ctx = s.restorer;
		status = carry_selection(c, &k);
		if (c->damaged && (status == EXIT_DONE ||
			status == EXIT_NOTHING))
			status = EXIT_PARTLY;
	}
	close_source(&s);
	if (own->checks)
		sigcheck_stop(&own->checker);
	if (own->checks && own->events_fd >= 0)
		(void)close(own->events_fd);
	custodian_release(&own->custodian);
	return status;
}
