/*
 * writer.c - the evidence archive, in one pass.
 *
 *   README.txt bagit.txt                   first: they explain the file
 *   data/queue/QUEUE/ID, data/queue/{defer,bounce,trace}/ID    as added
 *   data/context/postconf-n.txt            when the spool is live
 *   metadata/case.json messages.jsonl recipients.jsonl [missing.jsonl]
 *   bag-info.txt manifest-sha256.txt tagmanifest-sha256.txt    last: the sums
 *
 * Each file of the queue is read once, whole and still (capture.c), before
 * its header is written, so a message is in the archive complete or not at
 * all.  What is told about all messages is collected meanwhile: in memory up
 * to a limit, then in files without a name beside the archive.  A million
 * messages cost 16 to 32 MiB for the names taken, and those limits.
 *
 * Member names are of [A-Za-z0-9._/-] alone: any tar and any file system takes
 * them, and sha256sum prints them as they are.
 */
#include "qtool/archive.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "evidence/bag.h"
#include "evidence/collect.h"
#include "evidence/line.h"
#include "evidence/manifest.h"
#include "evidence/outfile.h"
#include "evidence/rcpts.h"
#include "evidence/seen.h"
#include "evidence/tarstream.h"
#include "evidence/verify.h"
#include "qtool/escape.h"
#include "qtool/queueid.h"

#define MESSAGE_MEMORY ((size_t)64 << 20)
#define LIST_MEMORY ((size_t)16 << 20)
#define PATH_SIZE QT_MEMBER_SIZE

static const enum qt_queue log_kinds[] = {
    QT_Q_DEFER, QT_Q_BOUNCE, QT_Q_TRACE};
#define NKINDS (sizeof log_kinds / sizeof log_kinds[0])

struct qt_archive {
	struct qt_outfile out;
	struct qt_tar *tar;
	struct qt_digest sum;	/* of one file at a time */
	struct qt_buf base;	/* the bag's directory */
	struct qt_buf name;	/* "BASE/PATH" of the member being written */
	struct qt_bag bag;	/* borrows the strings below */
	char *host, *queue_dir, *case_id, *command, *reason;
	struct qt_manifest payload, tags;
	struct qt_spill messages, recipients, missing;
	struct qt_seen seen;
	struct qt_member message, log[QT_LINE_LOGS];
	struct qt_buf line;
	uint64_t odd; /* members renamed so far */
	const struct qt_spool *adding; /* the spool of all messages */
	const volatile sig_atomic_t *stop;
	struct qt_archive_counts counts;
	bool broken;	/* a run error: only close is left */
	bool finished;
};

/* ---- members ---- */

static int to_tar(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	return qt_tar_data(ctx, bytes, len, err);
}

/* Into the archive and the sum. */
static int to_tar_summed(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	struct qt_archive *a = ctx;

	qt_digest_add(&a->sum, bytes, len);
	return qt_tar_data(a->tar, bytes, len, err);
}

static int begin(struct qt_archive *a, const char *path, uint64_t size,
    int64_t mtime, struct qt_error *err)
{
	qt_buf_clear(&a->name);
	qt_buf_addf(&a->name, "%s/%s", qt_buf_str(&a->base), path);
	if (qt_buf_check(&a->name, err) != 0)
		return -1;
	qt_digest_clear(&a->sum);
	return qt_tar_begin(a->tar, a->name.data, size, mtime, err);
}

/* A member written through to_tar_summed: end it and list its sum. */
static int end_summed(struct qt_archive *a, const char *path,
    struct qt_manifest *list, struct qt_error *err)
{
	unsigned char sum[QT_SHA256_SIZE];

	if (qt_tar_end(a->tar, err) != 0 ||
	    qt_digest_final(&a->sum, sum, err) != 0)
		return -1;
	return list != NULL ? qt_manifest_add(list, path, sum, err) : 0;
}

static int put_text(struct qt_archive *a, const char *path,
    const struct qt_buf *text, struct qt_manifest *list, struct qt_error *err)
{
	if (qt_buf_check(text, err) != 0 ||
	    begin(a, path, text->len, a->bag.started, err) != 0 ||
	    to_tar_summed(a, qt_buf_str(text), text->len, err) != 0)
		return -1;
	return end_summed(a, path, list, err);
}

static int put_spill(struct qt_archive *a, const char *path,
    const struct qt_spill *s, struct qt_error *err)
{
	if (begin(a, path, qt_spill_size(s), a->bag.started, err) != 0 ||
	    qt_spill_each(s, to_tar_summed, a, err) != 0)
		return -1;
	return end_summed(a, path, &a->tags, err);
}

static int put_manifest(struct qt_archive *a, const char *path,
    struct qt_manifest *m, struct qt_manifest *list, struct qt_error *err)
{
	if (begin(a, path, qt_manifest_size(m), a->bag.started, err) != 0 ||
	    qt_manifest_emit(m, to_tar_summed, a, err) != 0)
		return -1;
	return end_summed(a, path, list, err);
}

static int put_copy(struct qt_archive *a, const struct qt_member *p,
    struct qt_error *err)
{
	uint64_t size = qt_spill_size(&p->file.bytes);

	if (begin(a, p->member, size, (int64_t)p->file.st.st_mtim.tv_sec,
		err) != 0 ||
	    qt_spill_each(&p->file.bytes, to_tar, a->tar, err) != 0 ||
	    qt_tar_end(a->tar, err) != 0 ||
	    qt_manifest_add(&a->payload, p->member, p->file.sum, err) != 0)
		return -1;
	a->counts.bytes += size;
	return 0;
}

/* ---- open ---- */

static int keep(char **copy, const char *s, struct qt_error *err)
{
	if (s == NULL)
		return 0;
	*copy = strdup(s);
	return *copy != NULL ? 0 : qt_fail_mem(err);
}

static int keep_opts(struct qt_archive *a, const struct qt_archive_opts *opts,
    enum qt_packing packing, struct qt_error *err)
{
	if (keep(&a->host, opts->host, err) != 0 ||
	    keep(&a->queue_dir, opts->queue_dir, err) != 0 ||
	    keep(&a->case_id, opts->case_id, err) != 0 ||
	    keep(&a->command, opts->command, err) != 0 ||
	    keep(&a->reason, opts->reason, err) != 0)
		return -1;
	a->stop = opts->stop;
	a->bag = (struct qt_bag){
	    .host = a->host != NULL ? a->host : "",
	    .queue_dir = a->queue_dir != NULL ? a->queue_dir : "",
	    .case_id = a->case_id,
	    .command = a->command,
	    .reason = a->reason,
	    .spool = opts->spool,
	    .postconf = opts->postconf,
	    .packing = packing,
	    .started = opts->now != 0 ? opts->now : (int64_t)time(NULL),
	    .fixed_clock = opts->now != 0,
	    .txid = opts->spool != NULL ? opts->spool->txid : 0,
	};
	if (qt_bag_base(&a->base, a->host, a->case_id, a->bag.started, err) !=
	    0)
		return -1;
	a->bag.base = a->base.data;
	(void)strlcpy(a->counts.base, a->base.data, sizeof a->counts.base);
	return 0;
}

/* What needs no failing call; everything is safe to release after it. */
static void init_parts(struct qt_archive *a)
{
	a->out = (struct qt_outfile){.dirfd = -1, .fd = -1};
	qt_buf_init(&a->base, 0);
	qt_buf_init(&a->name, 0);
	qt_buf_init(&a->line, 0);
}

static void init_stores(struct qt_archive *a, size_t memory)
{
	size_t list = memory != 0 ? memory : LIST_MEMORY;
	size_t whole = memory != 0 ? memory : MESSAGE_MEMORY;
	int dirfd = a->out.dirfd, i;

	qt_manifest_init(&a->payload, dirfd, list);
	qt_manifest_init(&a->tags, dirfd, list);
	qt_spill_init(&a->messages, dirfd, list);
	qt_spill_init(&a->recipients, dirfd, list);
	qt_spill_init(&a->missing, dirfd, list);
	qt_capture_init(&a->message.file, dirfd, whole);
	for (i = 0; i < QT_LINE_LOGS; i++)
		qt_capture_init(&a->log[i].file, dirfd, list);
}

static int put_opening(struct qt_archive *a, struct qt_error *err)
{
	struct qt_buf text;
	int r;

	qt_buf_init(&text, 0);
	qt_bag_readme(&text, &a->bag);
	r = put_text(a, "README.txt", &text, &a->tags, err);
	qt_buf_clear(&text);
	qt_bag_bagit(&text);
	if (r == 0)
		r = put_text(a, "bagit.txt", &text, &a->tags, err);
	qt_buf_release(&text);
	return r;
}

static int open_all(struct qt_archive *a, const char *file,
    const struct qt_archive_opts *opts, struct qt_error *err)
{
	enum qt_packing packing;
	int r;

	if (qt_packing_by_name(file, &packing, err) != 0 ||
	    keep_opts(a, opts, packing, err) != 0)
		return -1;
	r = qt_outfile_open(&a->out, file, a->stop, err);
	init_stores(a, opts->memory); /* whatever r: close releases them */
	if (r != 0 || qt_digest_init(&a->sum, err) != 0 ||
	    qt_seen_init(&a->seen, err) != 0 ||
	    qt_tar_new(&a->tar, &a->out, packing, opts->threads, err) != 0)
		return -1;
	return put_opening(a, err);
}

int qt_archive_open(struct qt_archive **out, const char *file,
    const struct qt_archive_opts *opts, struct qt_error *err)
{
	struct qt_archive *a = calloc(1, sizeof *a);

	if (a == NULL)
		return qt_fail_mem(err);
	init_parts(a);
	init_stores(a, 0);
	if (open_all(a, file, opts, err) != 0) {
		qt_archive_close(a);
		return -1;
	}
	*out = a;
	return 0;
}

/* ---- add: reading ---- */

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
	if (f != NULL && f->have) {
		qt_capture_kept(&p->file, f);
		return name_log(a, it->spool, it->id, p, err);
	}
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

/* ---- add: telling ---- */

static const char *found_at(const struct qt_archive_item *it)
{
	return it->found != NULL ? it->found : it->path;
}

static int tell_message(struct qt_archive *a, const char *json,
    const struct qt_line *facts, struct qt_error *err)
{
	qt_buf_clear(&a->line);
	qt_line_message(&a->line, json, facts);
	if (qt_buf_check(&a->line, err) != 0)
		return -1;
	return qt_spill_add(&a->messages, a->line.data, a->line.len, err);
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

static int write_message(struct qt_archive *a, enum qt_queue queue,
    const char *id, struct qt_error *err)
{
	int i;

	if (put_copy(a, &a->message, err) != 0)
		return -1;
	a->counts.messages++;
	a->bag.by_queue[queue]++;
	for (i = 0; i < QT_LINE_LOGS; i++) {
		if (!a->log[i].have)
			continue;
		if (put_copy(a, &a->log[i], err) != 0)
			return -1;
		a->counts.logs++;
	}
	return qt_rcpts_list(&a->recipients, &a->message.file.bytes, queue, id,
	    a->message.member, err);
}

/* The message's bytes: those that a scan has, or by reading it. */
static int capture_message(struct qt_archive *a,
    const struct qt_archive_item *it, struct qt_error *err)
{
	const struct qt_identity want = {it->dev, it->ino};
	const struct qt_kept *kept = it->row != NULL ? it->row->kept : NULL;

	if (kept != NULL && kept->message.have) {
		qt_capture_kept(&a->message.file, &kept->message);
		return 0;
	}
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

static int add(struct qt_archive *a, const struct qt_archive_item *it,
    const char *json, struct qt_error *err)
{
	struct qt_buf problems;
	bool odd;
	int r;

	if (capture_message(a, it, err) != 0 ||
	    name_message(a, it->queue, it->id, &odd, err) != 0)
		return -1;
	qt_buf_init(&problems, 0);
	r = capture_logs(a, it, &problems, err);
	if (r == 0)
		r = write_message(a, it->queue, it->id, err);
	if (r == 0)
		r = tell_message(a, json,
		    &(struct qt_line){.id = it->id, .found = found_at(it),
			.odd = odd, .message = &a->message, .log = a->log,
			.problems = qt_buf_str(&problems)}, err);
	give_back(a);
	qt_buf_release(&problems);
	return r;
}

static int check_args(struct qt_archive *a, const struct qt_archive_item *it,
    const char *json, struct qt_error *err)
{
	size_t len = strlen(json);

	if (a->broken || a->finished)
		return qt_fail(err, QT_E_STATE, "archive",
		    "it can take no more messages");
	if (a->stop != NULL && *a->stop)
		return qt_fail(err, QT_E_INTERRUPTED, "archive",
		    "interrupted, no archive was made");
	if (it->queue >= QT_Q_MESSAGES)
		return qt_fail(err, QT_E_USAGE, "archive", "no message queue");
	if (len < 2 || json[0] != '{' || json[len - 1] != '}' ||
	    strchr(json, '\n') != NULL)
		return qt_fail(err, QT_E_USAGE, "archive",
		    "a message's line is no JSON object");
	if (a->adding != NULL && a->adding != it->spool)
		return qt_fail(err, QT_E_USAGE, "archive",
		    "the messages are of different spools");
	a->adding = it->spool;
	return 0;
}

int qt_archive_add(struct qt_archive *a, const struct qt_archive_item *it,
    const char *json, struct qt_error *err)
{
	struct qt_error why;

	if (check_args(a, it, json, &why) != 0 || add(a, it, json, &why) != 0) {
		if (!qt_error_is_item(&why))
			a->broken = true;
		else if (tell_missing(a, it, &why, err) != 0) {
			a->broken = true;
			return -1;
		}
		if (err != NULL)
			*err = why;
		return -1;
	}
	return 0;
}

const struct qt_archive_counts *qt_archive_counts(const struct qt_archive *a)
{
	return &a->counts;
}

/* ---- finish ---- */

static int put_context(struct qt_archive *a, struct qt_error *err)
{
	static const char path[] = "data/context/postconf-n.txt";
	struct qt_buf text;
	int r;

	if (a->bag.spool == NULL || !a->bag.spool->live)
		return 0;
	qt_buf_init(&text, 0);
	if (a->bag.postconf != NULL)
		qt_buf_adds(&text, a->bag.postconf);
	else
		qt_archive_postconf(&text, a->bag.spool);
	r = put_text(a, path, &text, &a->payload, err);
	a->counts.bytes += text.len;
	qt_buf_release(&text);
	return r;
}

static int put_case(struct qt_archive *a, struct qt_error *err)
{
	struct qt_buf text;
	int r;

	a->bag.messages = a->counts.messages;
	a->bag.logs = a->counts.logs;
	a->bag.bytes = a->counts.bytes;
	a->bag.files = a->payload.files;
	qt_buf_init(&text, 0);
	r = qt_bag_case(&text, &a->bag, err);
	if (r == 0)
		r = put_text(a, "metadata/case.json", &text, &a->tags, err);
	qt_buf_release(&text);
	return r;
}

static int put_info(struct qt_archive *a, struct qt_error *err)
{
	struct qt_buf text;
	int r;

	qt_buf_init(&text, 0);
	qt_bag_info(&text, &a->bag);
	r = put_text(a, "bag-info.txt", &text, &a->tags, err);
	qt_buf_release(&text);
	return r;
}

static int put_closing(struct qt_archive *a, struct qt_error *err)
{
	if (put_context(a, err) != 0 || put_case(a, err) != 0 ||
	    put_spill(a, "metadata/messages.jsonl", &a->messages, err) != 0 ||
	    put_spill(a, "metadata/recipients.jsonl", &a->recipients, err) != 0)
		return -1;
	if (qt_spill_size(&a->missing) != 0 &&
	    put_spill(a, "metadata/missing.jsonl", &a->missing, err) != 0)
		return -1;
	if (put_info(a, err) != 0 ||
	    put_manifest(a, "manifest-sha256.txt", &a->payload, &a->tags,
		err) != 0 ||
	    put_manifest(a, "tagmanifest-sha256.txt", &a->tags, NULL, err) != 0)
		return -1;
	return 0;
}

int qt_archive_finish(struct qt_archive *a, struct qt_archive_counts *counts,
    struct qt_error *err)
{
	if (a->broken || a->finished)
		return qt_fail(err, QT_E_STATE, "archive",
		    "it cannot be finished");
	if (a->counts.messages == 0)
		return qt_fail(err, QT_E_GONE, "archive",
		    "there is no message to be archived");
	if (put_closing(a, err) != 0 || qt_tar_finish(a->tar, err) != 0 ||
	    qt_outfile_publish(&a->out, err) != 0) {
		a->broken = true;
		return -1;
	}
	a->finished = true;
	a->counts.archive_bytes = a->out.bytes;
	(void)strlcpy(a->counts.sha256, a->out.sha256,
	    sizeof a->counts.sha256);
	if (counts != NULL)
		*counts = a->counts;
	return 0;
}

/* ---- afterwards ---- */

int qt_archive_verify(struct qt_archive *a, struct qt_error *err)
{
	struct qt_verified v;

	if (!a->finished || a->out.name == NULL)
		return qt_fail(err, QT_E_STATE, "archive",
		    "there is no file to be read back");
	if (qt_verify_file(&v, a->out.dirfd, a->out.name, a->stop, err) != 0)
		return -1;
	if (strcmp(v.sha256, a->counts.sha256) != 0)
		return qt_fail(err, QT_E_STATE, a->out.path,
		    "it reads back differently than it was written");
	if (v.messages != a->counts.messages || v.files != a->payload.files)
		return qt_fail(err, QT_E_STATE, a->out.path,
		    "%llu messages were written and %llu read back",
		    (unsigned long long)a->counts.messages,
		    (unsigned long long)v.messages);
	return 0;
}

int qt_archive_withdraw(struct qt_archive *a, struct qt_error *err)
{
	return a->finished ? qt_outfile_withdraw(&a->out, err) : 0;
}

void qt_archive_close(struct qt_archive *a)
{
	int i;

	if (a == NULL)
		return;
	qt_tar_free(a->tar); /* before the file it may still write to */
	qt_manifest_release(&a->payload);
	qt_manifest_release(&a->tags);
	qt_spill_release(&a->messages);
	qt_spill_release(&a->recipients);
	qt_spill_release(&a->missing);
	qt_capture_release(&a->message.file);
	for (i = 0; i < QT_LINE_LOGS; i++)
		qt_capture_release(&a->log[i].file);
	qt_seen_release(&a->seen);
	qt_digest_release(&a->sum);
	qt_outfile_release(&a->out);
	qt_buf_release(&a->base);
	qt_buf_release(&a->name);
	qt_buf_release(&a->line);
	free(a->host);
	free(a->queue_dir);
	free(a->case_id);
	free(a->command);
	free(a->reason);
	free(a);
}
