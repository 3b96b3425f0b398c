/*
 * add.c - one message into the archive: its files, its line, its recipients.
 */
#include "evidence/writer_priv.h"

#include <stdlib.h>
#include <string.h>

#include "evidence/collect.h"
#include "evidence/eml.h"
#include "qtool/escape.h"
#include "qtool/queueid.h"

#define PATH_SIZE QT_MEMBER_SIZE

static const enum qt_queue log_kinds[] = {
    QT_Q_DEFER, QT_Q_BOUNCE, QT_Q_TRACE};
#define NKINDS (sizeof log_kinds / sizeof log_kinds[0])

/* A message on its way, with what is known of it. */
struct adding {
	const struct qt_archive_item *it;
	const char *json; /* its row; NULL: it is st's */
	const struct qt_stmt *st;
	const struct qt_row_facts *known; /* the workers'; NULL: none */
	struct qt_facts_file parsed;	  /* where it had to be */
	bool is_parsed;
	struct qt_redactor redactor;
	bool odd; /* it could not keep its name */
	struct qt_buf problems;
};

/* ---- reading ---- */

/* Whether a name can be the last component of a member as it is. */
static bool plain_name(const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-";

	return s[0] != '\0' && s[0] != '.' && s[0] != '-' &&
	    s[strspn(s, plain)] == '\0' && strlen(s) < PATH_SIZE / 2;
}

static void name_odd(struct qt_archive *a, char *member)
{
	(void)snprintf(member, PATH_SIZE, "data/odd/%04llu",
	    (unsigned long long)++a->odd);
}

/* The message's place in the bag: its own, or one under odd/. */
static int name_message(struct qt_archive *a, enum qt_queue queue,
    const char *id, bool *odd, struct qt_error *err)
{
	char *member = a->message.member;
	int taken = 1;

	if (plain_name(id)) {
		(void)snprintf(member, PATH_SIZE, "data/queue/%s/%s",
		    qt_queue_name(queue), id);
		/* twice in a queue: in the right hash directory and a wrong */
		taken = qt_seen_add(&a->seen, member, err);
		if (taken < 0)
			return -1;
	}
	*odd = taken != 0;
	if (*odd)
		name_odd(a, member);
	return 0;
}

/*
 * The log's place in the bag.  In a queue one that is there already is that of
 * another message with this ID; in a transaction a message has its own, and
 * may have a second.
 */
static int name_log(struct qt_archive *a, const struct qt_spool *spool,
    const char *id, struct qt_member *p, struct qt_error *err)
{
	int taken;

	(void)snprintf(p->member, sizeof p->member, "data/queue/%s/%s",
	    qt_queue_name(p->queue), id);
	taken = qt_seen_add(&a->seen, p->member, err);
	if (taken < 0)
		return -1;
	p->have = taken == 0 || spool->txid != 0;
	if (taken != 0 && p->have)
		name_odd(a, p->member);
	return 0;
}

static int capture_log(struct qt_archive *a, const struct qt_archive_item *it,
    size_t kind, unsigned i, struct qt_member *p, struct qt_buf *problems,
    struct qt_error *err)
{
	const struct qt_kept *kept = it->row != NULL ? it->row->kept : NULL;
	/* of each kind in its place, of which a queue uses the first */
	const struct qt_kept_file *f = kept != NULL ?
	    &kept->log[kind * QT_STAGED_LOGS + i] : NULL;
	struct qt_error why;

	if (f != NULL && f->absent)
		return 0;
	if (f != NULL && f->have)
		return qt_capture_kept(&p->file, f, &a->sum, err) != 0 ? -1 :
		    name_log(a, it->spool, it->id, p, err);
	if (qt_collect_log(&p->file, it->spool, it->id, it->path, p->queue, i,
		&a->sum, &why) == 0)
		return name_log(a, it->spool, it->id, p, err);
	if (!qt_error_is_item(&why)) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	if (why.code == QT_E_GONE) /* most messages have none */
		return 0;
	a->counts.bad_logs++;
	qt_buf_addf(problems, "%s\"%s: ", problems->len != 0 ? "," : "",
	    qt_queue_name(p->queue));
	qt_escape_json(problems, why.text, strlen(why.text));
	qt_buf_addc(problems, '"');
	return qt_buf_check(problems, err);
}

/*
 * The logs of a valid queue ID, each once (another message of this ID has
 * them).  One that cannot be read is a problem to be told, not a reason to
 * leave the message out.
 */
static int capture_logs(struct qt_archive *a, const struct qt_archive_item *it,
    struct qt_buf *problems, struct qt_error *err)
{
	unsigned each = qt_collect_logs(it->spool), i, n = 0;
	size_t k;

	for (i = 0; i < QT_LINE_LOGS; i++)
		a->log[i].have = false;
	/* they are full of recipients */
	if (a->redact != QT_REDACT_NONE)
		return 0;
	/* names in maildrop are not yet those of the message */
	if (it->queue == QT_Q_MAILDROP || !qt_queue_id_valid(it->id))
		return 0;
	for (k = 0; k < NKINDS; k++)
		for (i = 0; i < each; i++, n++) {
			a->log[n].queue = log_kinds[k];
			if (capture_log(a, it, k, i, &a->log[n], problems,
				err) != 0)
				return -1;
		}
	return 0;
}

/* ---- what is known of it ---- */

/* The facts of a message in memory, from any thread. */
static int tell_row(const struct qt_archive *a, struct qt_facts *f,
    const struct qt_facts_of *row_of, const struct qt_row *row)
{
	struct qt_facts_of of = *row_of;
	struct qt_error ignored;
	struct qt_input in;
	struct qt_body body;
	int r = 0;

	qt_body_init(&body);
	if (of.redactor == NULL) {
		qt_input_bytes(&in, row->kept->message.data,
		    row->kept->message.len);
		r = qt_body_read(&body, &in, qt_body_content(&in, &row->msg,
		    row->queue == QT_Q_MAILDROP), &row->headers, &a->sha256,
		    &ignored);
		of.body = &body;
	}
	if (r == 0)
		r = qt_facts_tell(f, &of, &ignored);
	qt_body_release(&body);
	return r;
}

int qt_archive_hook(struct qt_row *row, void *archive)
{
	const struct qt_archive *a = archive;
	struct qt_row_facts *known;
	struct qt_facts_of of = {.msg = &row->msg, .headers = &row->headers,
	    .queue = row->queue, .id = row->id, .locked = row->in_delivery,
	    .lock_unknown = (row->unknown & QT_ROW_LOCKS) != 0};
	struct qt_facts f;
	struct qt_error ignored;
	int r = -1;

	if (row->kept == NULL || !row->kept->message.have)
		return 0;
	known = qt_arena_alloc(&row->arena, sizeof *known);
	if (known == NULL)
		return -1;
	if (a->redact != QT_REDACT_NONE) {
		if (qt_redactor_init(&known->redactor, a->redact, &a->key,
			&row->msg, &row->headers, &row->arena, &ignored) != 0)
			return -1;
		of.redactor = &known->redactor;
	}
	qt_facts_init(&f);
	if (tell_row(a, &f, &of, row) == 0) {
		known->rcpts_len = f.rcpts.len;
		known->rcpts = qt_arena_dup(&row->arena, qt_buf_str(&f.rcpts),
		    f.rcpts.len);
		known->json = qt_arena_dup(&row->arena, qt_buf_str(&f.json),
		    f.json.len);
		r = known->rcpts != NULL && known->json != NULL ? 0 : -1;
	}
	qt_facts_release(&f);
	row->extra = known;
	return r;
}

static int parse(struct qt_archive *a, struct adding *w, struct qt_error *err)
{
	const struct qt_archive_item *it = w->it;

	w->is_parsed = true;
	if (qt_facts_parse(&w->parsed, &a->message.file.bytes, it->queue,
		err) != 0)
		return -1;
	if (w->known != NULL) {
		w->redactor = w->known->redactor;
		return 0;
	}
	return a->redact == QT_REDACT_NONE ? 0 :
	    qt_redactor_init(&w->redactor, a->redact, &a->key, &w->parsed.msg,
		&w->parsed.headers, &w->parsed.arena, err);
}

/* By the workers, or here. */
static int know(struct qt_archive *a, struct adding *w, struct qt_error *err)
{
	const struct qt_archive_item *it = w->it;
	struct qt_facts_of of = {.queue = it->queue, .id = it->id};
	struct qt_body body;
	int r = 0;

	if (it->row != NULL && !w->odd)
		w->known = it->row->extra;
	if ((w->known == NULL || a->bag.eml) && parse(a, w, err) != 0)
		return -1;
	if (w->known != NULL)
		return 0;
	of.msg = &w->parsed.msg;
	of.headers = &w->parsed.headers;
	of.path = w->odd ? a->message.member : NULL;
	of.locked = it->row != NULL && it->row->in_delivery;
	of.lock_unknown = it->row != NULL &&
	    (it->row->unknown & QT_ROW_LOCKS) != 0;
	of.redactor = a->redact != QT_REDACT_NONE ? &w->redactor : NULL;
	qt_body_init(&body);
	of.body = &body;
	if (of.redactor == NULL)
		r = qt_body_read(&body, &w->parsed.in, w->parsed.content,
		    of.headers, &a->sha256, err);
	if (r == 0)
		r = qt_facts_tell(&a->facts, &of, err);
	qt_body_release(&body);
	return r;
}

/* For the mail logs: whose lines are wanted. */
static int know_log(struct qt_archive *a, const struct adding *w,
    struct qt_error *err)
{
	const struct qt_msg *m = w->is_parsed ? &w->parsed.msg :
						&w->it->row->msg;

	return a->nlogs == 0 ? 0 :
	    qt_maillog_add(&a->log_of, w->it->id, m->log_ident,
		m->sasl_username, m->log_client_address, err);
}

/* The message as a mail program has it, beside its file or in its place. */
static int make_eml(struct qt_archive *a, struct adding *w,
    struct qt_error *err)
{
	struct qt_capture *c = &a->eml.file;
	const char *name = a->message.member;
	int r;

	if (!a->bag.eml)
		return 0;
	if (w->odd)
		(void)snprintf(a->eml.member, PATH_SIZE, "%.400s.eml", name);
	else
		(void)snprintf(a->eml.member, PATH_SIZE, "data/eml/%s/%.400s.eml",
		    qt_queue_name(w->it->queue), w->it->id);
	qt_spill_clear(&c->bytes);
	r = qt_eml_write(&c->bytes, &w->parsed,
	    a->redact != QT_REDACT_NONE ? &w->redactor : NULL, err);
	if (r < 0)
		return -1;
	if (r > 0)
		qt_buf_addf(&w->problems, "%s\"eml: the content is damaged\"",
		    w->problems.len != 0 ? "," : "");
	c->st = a->message.file.st;
	qt_digest_clear(&a->sum);
	if (qt_spill_each(&c->bytes, qt_digest_bytes, &a->sum, err) != 0)
		return -1;
	return qt_digest_sums(&a->sum, &c->sums, err);
}

/* ---- telling ---- */

static const char *found_at(const struct qt_archive_item *it)
{
	return it->found != NULL ? it->found : it->path;
}

/* A selected message that is not in the archive, by name. */
static int tell_missing(struct qt_archive *a, const struct qt_archive_item *it,
    const struct qt_error *why, struct qt_error *err)
{
	if (why->code == QT_E_GONE)
		a->counts.gone++;
	else
		a->counts.failed++;
	a->bag.missing++;
	qt_buf_clear(&a->line);
	qt_line_missing(&a->line, it->queue, it->id, found_at(it), why);
	if (qt_buf_check(&a->line, err) != 0)
		return -1;
	return qt_spill_add(&a->missing, a->line.data, a->line.len, err);
}

int qt_archive_left(struct qt_archive *a, const char *queue, const char *id,
    const char *why, struct qt_error *err)
{
	if (a->finished)
		return qt_fail(err, QT_E_STATE, "archive", "it is finished");
	a->bag.missing++;
	qt_buf_clear(&a->line);
	qt_line_left(&a->line, queue, id, why);
	if (qt_buf_check(&a->line, err) != 0)
		return -1;
	return qt_spill_add(&a->missing, a->line.data, a->line.len, err);
}

void qt_archive_moved(struct qt_archive *a, uint64_t txid)
{
	a->bag.moved = true;
	a->bag.txid = txid;
}

/* ---- add ---- */

static int write_files(struct qt_archive *a, enum qt_queue queue,
    struct qt_error *err)
{
	int i;

	a->counts.messages++;
	a->bag.by_queue[queue]++;
	if (a->redact == QT_REDACT_NONE && qt_put_copy(a, &a->message, err) != 0)
		return -1;
	for (i = 0; i < QT_LINE_LOGS; i++) {
		if (!a->log[i].have)
			continue;
		if (qt_put_copy(a, &a->log[i], err) != 0)
			return -1;
		a->counts.logs++;
	}
	return a->bag.eml ? qt_put_copy(a, &a->eml, err) : 0;
}

static int add_lines(struct qt_lines_out *to, const char *text, size_t len,
    struct qt_error *err)
{
	qt_digest_add(&to->sum, text, len);
	return qt_spill_add(&to->text, text, len, err);
}

static int tell(struct qt_archive *a, const struct adding *w,
    struct qt_error *err)
{
	const struct qt_row_facts *known = w->known;
	const bool redacted = a->redact != QT_REDACT_NONE;
	const char *rcpts = known != NULL ? known->rcpts :
					    qt_buf_str(&a->facts.rcpts);
	size_t len = known != NULL ? known->rcpts_len : a->facts.rcpts.len;

	if (len != 0 && add_lines(&a->recipients, rcpts, len, err) != 0)
		return -1;
	if (w->json == NULL) {
		qt_buf_clear(&a->json);
		if (!redacted && w->it->row != NULL)
			qt_db_row_line(&a->json, w->it->row);
		else
			qt_line_row(&a->json, w->st, !redacted ? NULL :
			    known != NULL ? &known->redactor : &w->redactor);
		if (qt_buf_check(&a->json, err) != 0)
			return -1;
	}
	qt_buf_clear(&a->line);
	qt_line_message(&a->line, w->json != NULL ? w->json : a->json.data,
	    &(struct qt_line){.id = w->it->id, .found = found_at(w->it),
		.odd = w->odd, .message = redacted ? &a->eml : &a->message,
		.source = redacted ? &a->message : NULL,
		.eml = a->bag.eml && !redacted ? &a->eml : NULL,
		.more = known != NULL ? known->json :
					qt_buf_str(&a->facts.json),
		.log = a->log, .problems = qt_buf_str(&w->problems)});
	return qt_buf_check(&a->line, err) != 0 ? -1 :
	    add_lines(&a->messages, a->line.data, a->line.len, err);
}

/* The message's bytes: those that a scan has, or by reading it. */
static int capture_message(struct qt_archive *a,
    const struct qt_archive_item *it, struct qt_error *err)
{
	const struct qt_identity want = {it->dev, it->ino};
	const struct qt_kept *kept = it->row != NULL ? it->row->kept : NULL;

	if (kept != NULL && kept->message.have)
		return qt_capture_kept(&a->message.file, &kept->message,
		    &a->sum, err);
	if (kept != NULL && kept->fd >= 0)
		return qt_capture_fd(&a->message.file, kept->fd, it->path,
		    &want, &a->sum, err);
	return qt_collect_message(&a->message.file, it->spool, it->queue,
	    it->id, it->path, &want, &a->sum, err);
}

/* What was borrowed from a row goes with it. */
static void give_back(struct qt_archive *a)
{
	int i;

	qt_spill_clear(&a->message.file.bytes);
	for (i = 0; i < QT_LINE_LOGS; i++)
		qt_spill_clear(&a->log[i].file.bytes);
}

static int add(struct qt_archive *a, struct adding *w, struct qt_error *err)
{
	const struct qt_archive_item *it = w->it;
	int r;

	if (capture_message(a, it, err) != 0 ||
	    name_message(a, it->queue, it->id, &w->odd, err) != 0)
		return -1;
	qt_buf_init(&w->problems, 0);
	r = capture_logs(a, it, &w->problems, err);
	if (r == 0)
		r = know(a, w, err);
	if (r == 0)
		r = know_log(a, w, err);
	if (r == 0)
		r = make_eml(a, w, err);
	if (r == 0)
		r = write_files(a, it->queue, err);
	if (r == 0)
		r = tell(a, w, err);
	give_back(a);
	if (w->is_parsed)
		qt_facts_file_release(&w->parsed);
	qt_buf_release(&w->problems);
	if (r == 0 && a->index != NULL && it->db != NULL)
		r = qt_index_add(a->index, it->db, it->found, err);
	return r;
}

static int check_args(struct qt_archive *a, const struct qt_archive_item *it,
    const char *json, struct qt_error *err)
{
	size_t len = json != NULL ? strlen(json) : 0;

	if (a->broken || a->finished)
		return qt_fail(err, QT_E_STATE, "archive",
		    "it can take no more messages");
	if (a->stop != NULL && *a->stop)
		return qt_fail(err, QT_E_INTERRUPTED, "archive",
		    "interrupted, no archive was made");
	if (it->queue >= QT_Q_MESSAGES)
		return qt_fail(err, QT_E_USAGE, "archive", "no message queue");
	if (json != NULL && (len < 2 || json[0] != '{' || json[len - 1] != '}' ||
	    strchr(json, '\n') != NULL))
		return qt_fail(err, QT_E_USAGE, "archive",
		    "a message's line is no JSON object");
	if (a->adding != NULL && a->adding != it->spool)
		return qt_fail(err, QT_E_USAGE, "archive",
		    "the messages are of different spools");
	a->adding = it->spool;
	return 0;
}

static int add_item(struct qt_archive *a, struct adding *w,
    struct qt_error *err)
{
	struct qt_error why;

	if (check_args(a, w->it, w->json, &why) == 0 && add(a, w, &why) == 0)
		return 0;
	if (!qt_error_is_item(&why)) {
		a->broken = true;
	} else if (tell_missing(a, w->it, &why, err) != 0) {
		a->broken = true;
		return -1;
	}
	if (err != NULL)
		*err = why;
	return -1;
}

int qt_archive_add(struct qt_archive *a, const struct qt_archive_item *it,
    const char *json, struct qt_error *err)
{
	struct adding w = {.it = it, .json = json};

	return add_item(a, &w, err);
}

int qt_archive_add_row(struct qt_archive *a, const struct qt_archive_item *it,
    const struct qt_stmt *st, struct qt_error *err)
{
	struct adding w = {.it = it, .st = st};

	return add_item(a, &w, err);
}

const struct qt_archive_counts *qt_archive_counts(const struct qt_archive *a)
{
	return &a->counts;
}

