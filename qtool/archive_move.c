/*
 * archive_move.c - qtool archive --move: mail out of the queue into an archive.
 *
 * The selection is staged in a transaction and delivery agents are waited for
 * (src/change/).  Then, before the transaction commits, the archive is written
 * from what lies still in staging, made durable, given its name, read back from
 * the disk, and held against the number of messages staged.  Whatever fails
 * until then puts all mail back, and the archive is removed.  After COMMIT the
 * transaction keeps the mail, to be undone, until it is purged.
 */
#include <inttypes.h>
#include <string.h>

#include "archiving.h"
#include "carry.h"

#define WAIT_DEFAULT 30 /* seconds; most deliveries end sooner */

/* An archive on its way. */
struct moving {
	struct ctx *c;
	const struct archiving *own;
	struct qt_archive *a;
	struct qt_archive_counts counts; /* once it is published */
	bool published; /* it has its name */
	bool failed;	/* what was left could not be told in it */
	struct qt_error why; /* of failed */
};

/* ---- what stays in the queue ---- */

static void heard(void *ctx, const char *queue, const char *id,
    const char *fate)
{
	struct moving *m = ctx;

	/* it was taken all the same: the marks that delivery made are in it */
	if (strcmp(fate, "delivered") == 0 || m->failed)
		return;
	m->failed = qt_archive_left(m->a, queue, id, fate, &m->why) != 0;
}

/* ---- writing ---- */

/* One staged message, told as what it was in the queue. */
static int pick_row(struct qt_picks *picks, const struct qt_plan *plan,
    const struct qt_stmt *st, struct qt_error *err)
{
	uint64_t seq;

	if (!qt_spool_tx_seq(archive_row_path(st), &seq) ||
	    seq >= qt_plan_count(plan))
		return qt_fail(err, QT_E_STATE, archive_row_path(st),
		    "is no message that was taken");
	return archive_pick(picks, st, qt_plan_id_of(plan, (size_t)seq),
	    qt_plan_path_of(plan, (size_t)seq), err);
}

static int pick_rows(struct qt_picks *picks, struct qt_db *db,
    const struct qt_plan *plan, struct qt_error *err)
{
	struct qt_stmt *st = NULL;
	struct qt_buf sql;
	int r;

	qt_buf_init(&sql, 0);
	qt_buf_addf(&sql, "SELECT %s FROM messages", archive_keys);
	r = qt_buf_check(&sql, err);
	if (r == 0)
		r = qt_stmt_open(&st, db, sql.data, NULL, 0, err);
	while (r == 0 && (r = qt_stmt_step(st, err)) == 0)
		r = pick_row(picks, plan, st, err);
	qt_stmt_close(st);
	qt_buf_release(&sql);
	return r < 0 ? -1 : 0;
}

static int add_all(struct moving *m, struct qt_db *db,
    const struct qt_spool *kept, const struct qt_plan *plan, uint64_t *n,
    struct qt_error *err)
{
	struct archive_pass p = {.c = m->c, .a = m->a, .db = db};
	int r = qt_picks_new(&p.picks, kept, err);

	if (r == 0)
		r = pick_rows(p.picks, db, plan, err);
	if (r == 0)
		r = archive_add_picks(&p, err);
	*n = p.added;
	qt_picks_free(p.picks);
	return r;
}

/* How many names are in staging: counted by another way than the rows. */
static int count_staged(const struct ctx *c, uint64_t txid, uint64_t *n,
    struct qt_error *err)
{
	const struct qt_tx_info *t;
	struct qt_tx_list l;

	if (qt_tx_list_read(&l, c->spools.v[0], c->state_dir, err) != 0)
		return -1;
	t = find_tx(&l, txid);
	*n = t != NULL ? t->staged : 0;
	qt_tx_list_release(&l);
	return 0;
}

static int write_all(struct moving *m, const struct qt_spools *kept,
    const struct qt_plan *plan, struct qt_error *err)
{
	const struct qt_db_opts opts = {.jobs = m->c->jobs, .stop = m->c->stop};
	struct qt_db *db = NULL;
	uint64_t total, n = 0;
	int r;

	if (count_staged(m->c, kept->v[0]->txid, &total, err) != 0 ||
	    qt_db_open(&db, kept, &opts, err) != 0)
		return -1;
	r = add_all(m, db, kept->v[0], plan, &n, err);
	qt_db_close(db);
	if (r != 0)
		return -1;
	if (interrupted(m->c))
		return qt_fail(err, QT_E_INTERRUPTED, m->own->file,
		    "interrupted");
	if (n != total || qt_archive_counts(m->a)->messages != total)
		return qt_fail(err, QT_E_STATE, m->own->file,
		    "%" PRIu64 " messages were taken, and %" PRIu64
		    " are in the archive", total,
		    qt_archive_counts(m->a)->messages);
	if (qt_archive_counts(m->a)->bad_logs != 0)
		return qt_fail(err, QT_E_STATE, m->own->file,
		    "a log of the messages taken cannot be read");
	return 0;
}

/* Written, named, and read back. */
static int make(struct moving *m, uint64_t txid, const struct qt_plan *plan,
    struct qt_error *err)
{
	struct qt_spools kept;
	int r;

	if (m->failed) {
		*err = m->why;
		return -1;
	}
	qt_archive_moved(m->a, txid);
	qt_spools_init(&kept);
	r = qt_spools_add_tx(&kept, m->c->spools.v[0], txid, err);
	if (r == 0)
		r = write_all(m, &kept, plan, err);
	if (r == 0)
		r = qt_archive_finish(m->a, &m->counts, err);
	m->published = r == 0;
	if (r == 0)
		r = qt_archive_verify(m->a, err);
	qt_spools_release(&kept);
	return r;
}

/*
 * Before COMMIT.  Whatever is wrong with the archive, all mail goes back: an
 * error that says more than that would be taken for the transaction's.
 */
static int decide(struct changing *how, uint64_t txid, struct qt_error *err)
{
	struct qt_error e = {0};

	if (make(how->decide_ctx, txid, how->plan, &e) == 0)
		return 0;
	if (e.code != QT_E_INTERRUPTED && e.code != QT_E_REFUSED &&
	    e.code != QT_E_NOMEM)
		e.code = QT_E_SYS;
	if (err != NULL)
		*err = e;
	return -1;
}

/* ---- afterwards ---- */

/* The archive of mail that is in the queue again. */
static void withdraw(struct moving *m, bool unsure)
{
	struct qt_error err = {0};
	struct qt_buf shown;

	if (!m->published)
		return;
	qt_buf_init(&shown, 0);
	shell_word(&shown, m->own->file);
	if (unsure)
		remark("%s is complete and stays; whether its mail is out of "
		       "the queue is told by qtool recover",
		    qt_buf_str(&shown));
	else if (qt_archive_withdraw(m->a, &err) != 0)
		(void)complain(&err);
	qt_buf_release(&shown);
}

static void tell(struct moving *m, struct qt_buf *json)
{
	struct ctx *c = m->c;

	archive_report_json(json, m->own->file, &m->counts);
	c->answer->archive = qt_buf_str(json);
	if (!answer_wanted(c))
		archive_report(c, m->own->file, &m->counts, stdout);
	log_change(c, "transaction %" PRIu64 ": archive %s, sha256 %s",
	    c->answer->tx[0].id, m->own->file, m->counts.sha256);
}

static int carry_out(struct moving *m, struct qt_buf *json)
{
	const struct carry k = {.how = {.op = QT_OP_ARCHIVE,
	    .may = QT_Q_BIT(QT_Q_HOLD) | QT_Q_BIT(QT_Q_DEFERRED) |
		QT_Q_BIT(QT_Q_INCOMING) | QT_Q_BIT(QT_Q_ACTIVE),
	    .usual = QT_Q_BIT(QT_Q_HOLD) | QT_Q_BIT(QT_Q_DEFERRED)},
	    .for_good = m->own->purge, .purge_rate = m->own->purge_rate,
	    .decide = decide, .decide_ctx = m,
	    .after = m->own->purge ? carry_purge : NULL};
	struct answer *answer = m->c->answer;
	int status;

	answer->heard = heard;
	answer->heard_ctx = m;
	status = carry_selection(m->c, &k);
	answer->heard = NULL;
	if (answer->ntx != 0)
		tell(m, json);
	else
		withdraw(m, answer->done < 0);
	return status;
}

int archive_move(struct ctx *c, struct archiving *own)
{
	struct moving m = {.c = c, .own = own};
	struct qt_error err = {0};
	struct qt_buf json;
	struct answer a;
	int status;

	if (!c->wait_set)
		c->wait_s = WAIT_DEFAULT;
	if (own->json)
		c->format = QT_FMT_JSON;
	answer_begin(c, &a);
	a.archive = "null";
	qt_buf_init(&json, 0);
	/* first: an archive that cannot be made is no reason to ask, or to
	 * take mail */
	if (!c->explain && !c->dry_run &&
	    archive_open(c, own, &m.a, &err) != 0)
		status = change_failed(c, &err, false);
	else
		status = carry_out(&m, &json);
	status = answer_end(c, status);
	qt_archive_close(m.a);
	qt_buf_release(&json);
	return status;
}
