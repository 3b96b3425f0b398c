/*
 * writer.c - the evidence archive, in one pass.
 *
 *   README.txt bagit.txt                   first: they explain the file
 *   data/queue/QUEUE/ID, data/queue/{defer,bounce,trace}/ID    as added
 *   data/eml/QUEUE/ID.eml                  with it, when asked for
 *   data/context/postconf-n.txt            when the spool is live
 *   data/context/maillog.txt               when logs are given
 *   data/context/showq.jsonl               when it was asked for
 *   metadata/case.json messages.jsonl recipients.jsonl [missing.jsonl]
 *   metadata/custody.jsonl [index.sqlite]
 *   bag-info.txt manifest-sha256.txt tagmanifest-sha256.txt    last: the sums
 *                (-sha512.txt behind each, when asked for)
 *   signatures/                            over the last of them
 *
 * In a redacted archive no file of the queue is, and what is under data/eml/
 * stands for it.
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
#include "evidence/writer_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MESSAGE_MEMORY ((size_t)64 << 20)
#define LIST_MEMORY ((size_t)64 << 20)

static const char *const redactions[] = {[QT_REDACT_NONE] = "none",
    [QT_REDACT_RECIPIENTS] = "recipients", [QT_REDACT_FULL] = "full"};

const char *qt_redact_name(enum qt_redact level)
{
	return redactions[level];
}

bool qt_redact_by_name(const char *name, enum qt_redact *level)
{
	size_t i;

	for (i = 0; i < sizeof redactions / sizeof redactions[0]; i++)
		if (strcmp(name, redactions[i]) == 0) {
			*level = (enum qt_redact)i;
			return true;
		}
	return false;
}

/* ---- open ---- */

static int keep_strings(struct qt_archive *a, const struct qt_archive_opts *o,
    struct qt_error *err)
{
	const char *const from[S_COUNT] = {[S_HOST] = o->host,
	    [S_QUEUE_DIR] = o->queue_dir, [S_CASE] = o->case_id,
	    [S_TITLE] = o->title, [S_ORGANIZATION] = o->organization,
	    [S_CONTACT] = o->contact, [S_KEEP_UNTIL] = o->keep_until,
	    /* what was asked for names who it was about */
	    [S_COMMAND] = o->redact == QT_REDACT_NONE ? o->command : NULL,
	    [S_SELECTION] = o->redact == QT_REDACT_NONE ? o->selection : NULL,
	    [S_REASON] = o->reason, [S_PROGRAM] = o->program_sha256,
	    [S_SIGNER] = o->signer, [S_SIGN_PROGRAM] = o->sign_program};
	int i;

	for (i = 0; i < S_COUNT; i++) {
		if (from[i] == NULL)
			continue;
		a->strings[i] = strdup(from[i]);
		if (a->strings[i] == NULL)
			return qt_fail_mem(err);
	}
	return 0;
}

static const char *or_empty(const char *s)
{
	return s != NULL ? s : "";
}

static int keep_opts(struct qt_archive *a, const struct qt_archive_opts *opts,
    enum qt_packing packing, struct qt_error *err)
{
	char **s = a->strings;

	if (opts->showq != NULL && opts->redact != QT_REDACT_NONE)
		return qt_fail(err, QT_E_USAGE, "showq",
		    "it names everybody in the queue: not in a redacted archive");
	if (keep_strings(a, opts, err) != 0)
		return -1;
	a->stop = opts->stop;
	a->logs = opts->logs;
	a->nlogs = opts->nlogs;
	a->redact = opts->redact;
	a->sign = opts->sign;
	a->sign_ctx = opts->sign_ctx;
	a->sign_with = opts->sign_with;
	a->sign_with_ctx = opts->sign_with_ctx;
	a->timestamp = opts->timestamp;
	a->nhashes = opts->sha512 ? QT_HASHES : 1;
	a->bag = (struct qt_bag){
	    .host = or_empty(s[S_HOST]),
	    .queue_dir = or_empty(s[S_QUEUE_DIR]),
	    .case_id = s[S_CASE],
	    .title = s[S_TITLE],
	    .organization = s[S_ORGANIZATION],
	    .contact = s[S_CONTACT],
	    .keep_until = s[S_KEEP_UNTIL],
	    .command = s[S_COMMAND],
	    .selection = s[S_SELECTION],
	    .reason = s[S_REASON],
	    .program = s[S_PROGRAM],
	    .signer = s[S_SIGNER],
	    .sign_program = s[S_SIGN_PROGRAM],
	    .spool = opts->spool,
	    .postconf = opts->postconf,
	    .showq = opts->showq,
	    .packing = packing,
	    .eml = opts->eml || opts->redact != QT_REDACT_NONE,
	    .redact = opts->redact,
	    .maillog = opts->nlogs != 0,
	    .timestamp = opts->timestamp,
	    .sha512 = opts->sha512,
	    /* its rows are those of the queue, with all names */
	    .index = !opts->no_index && opts->redact == QT_REDACT_NONE,
	    .started = opts->now != 0 ? opts->now :
		opts->begun != 0      ? opts->begun :
					(int64_t)time(NULL),
	    .fixed_clock = opts->now != 0,
	    .txid = opts->spool != NULL ? opts->spool->txid : 0,
	};
	if (qt_bag_base(&a->base, s[S_HOST], s[S_CASE], a->bag.started, err) !=
	    0)
		return -1;
	a->bag.base = a->base.data;
	(void)strlcpy(a->counts.base, a->base.data, sizeof a->counts.base);
	return 0;
}

int qt_archive_name(struct qt_buf *out, const struct qt_archive_opts *opts,
    struct qt_error *err)
{
	if (qt_bag_base(out, opts->host, opts->case_id,
		opts->now != 0 ? opts->now : opts->begun, err) != 0)
		return -1;
	qt_buf_adds(out, ".tar.zst");
	return qt_buf_check(out, err);
}

/* FILE.PROGRAM.sig */
static int expect_signature(const struct qt_archive *a, struct qt_error *err)
{
	char suffix[48];

	if (a->sign_with == NULL)
		return 0;
	(void)snprintf(suffix, sizeof suffix, ".%.32s.sig",
	    a->bag.sign_program);
	return qt_outfile_expect(&a->out, suffix, err);
}

/* The key, and every file that will be beside the archive. */
static int open_beside(struct qt_archive *a,
    const struct qt_archive_opts *opts, struct qt_error *err)
{
	a->new_key = a->redact != QT_REDACT_NONE && opts->redact_key == NULL;
	if (a->out.name == NULL && (a->new_key || a->timestamp))
		return qt_fail(err, QT_E_USAGE, "standard output",
		    "has no file beside it for %s",
		    a->new_key ? "the key of the redaction" :
				 "a time stamp's request");
	if (qt_outfile_expect(&a->out, ".sha256", err) != 0 ||
	    (a->sign != NULL && qt_outfile_expect(&a->out, ".sig", err) != 0) ||
	    (a->timestamp && qt_outfile_expect(&a->out, ".tsq", err) != 0) ||
	    (a->new_key && qt_outfile_expect(&a->out, ".key", err) != 0) ||
	    expect_signature(a, err) != 0 ||
	    /* of an earlier archive of that name: not of this one */
	    qt_outfile_expect(&a->out, ".tsr", err) != 0 ||
	    qt_outfile_expect(&a->out, ".custody.jsonl", err) != 0)
		return -1;
	if (a->new_key)
		return qt_redact_key_make(&a->key, err);
	return opts->redact_key == NULL ? 0 :
	    qt_redact_key_read(&a->key, opts->redact_key, err);
}

/* What needs no failing call; everything is safe to release after it. */
static void init_parts(struct qt_archive *a)
{
	a->out = (struct qt_outfile){.dirfd = -1, .fd = -1};
	qt_buf_init(&a->base, 0);
	qt_buf_init(&a->name, 0);
	qt_buf_init(&a->line, 0);
	qt_buf_init(&a->json, 0);
	qt_facts_init(&a->facts);
}

static void init_stores(struct qt_archive *a, size_t memory)
{
	size_t list = memory != 0 ? memory : LIST_MEMORY;
	size_t whole = memory != 0 ? memory : MESSAGE_MEMORY;
	int dirfd = a->out.dirfd, i;

	for (i = 0; i < QT_HASHES; i++) {
		qt_manifest_init(&a->payload[i], (enum qt_hash)i, dirfd, list);
		qt_manifest_init(&a->tags[i], (enum qt_hash)i, dirfd, list);
	}
	qt_spill_init(&a->messages.text, dirfd, list);
	qt_spill_init(&a->recipients.text, dirfd, list);
	qt_spill_init(&a->missing, dirfd, list);
	qt_capture_init(&a->message.file, dirfd, whole);
	qt_capture_init(&a->eml.file, dirfd, whole);
	for (i = 0; i < QT_LINE_LOGS; i++)
		qt_capture_init(&a->log[i].file, dirfd, list);
}

static int put_opening(struct qt_archive *a, struct qt_error *err)
{
	struct qt_buf text;
	int r;

	qt_buf_init(&text, 0);
	qt_bag_readme(&text, &a->bag);
	r = qt_put_text(a, "README.txt", &text, a->tags, err);
	qt_buf_clear(&text);
	qt_bag_bagit(&text);
	if (r == 0)
		r = qt_put_text(a, "bagit.txt", &text, a->tags, err);
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
	if (r != 0 || open_beside(a, opts, err) != 0 ||
	    qt_digest_init_with(&a->sum, a->bag.sha512, err) != 0 ||
	    qt_digest_init_with(&a->messages.sum, a->bag.sha512, err) != 0 ||
	    qt_digest_init_with(&a->recipients.sum, a->bag.sha512, err) != 0 ||
	    qt_digest_kind_init(&a->sha256, err) != 0 ||
	    qt_seen_init(&a->seen, err) != 0 ||
	    qt_maillog_init(&a->log_of, err) != 0 ||
	    (a->bag.index && qt_index_new(&a->index, a->out.dirfd, err) != 0) ||
	    qt_tar_new(&a->tar, &a->out, packing, opts->threads, err) != 0)
		return -1;
	a->log_of.stop = a->stop;
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

/* ---- afterwards ---- */

int qt_archive_withdraw(struct qt_archive *a, struct qt_error *err)
{
	return a->finished ? qt_outfile_withdraw(&a->out, err) : 0;
}

void qt_archive_close(struct qt_archive *a)
{
	int i;

	if (a == NULL)
		return;
	qt_index_free(a->index);
	qt_tar_free(a->tar); /* before the file it may still write to */
	for (i = 0; i < QT_HASHES; i++) {
		qt_manifest_release(&a->payload[i]);
		qt_manifest_release(&a->tags[i]);
	}
	qt_spill_release(&a->messages.text);
	qt_spill_release(&a->recipients.text);
	qt_digest_release(&a->messages.sum);
	qt_digest_release(&a->recipients.sum);
	qt_spill_release(&a->missing);
	qt_capture_release(&a->message.file);
	qt_capture_release(&a->eml.file);
	for (i = 0; i < QT_LINE_LOGS; i++)
		qt_capture_release(&a->log[i].file);
	qt_seen_release(&a->seen);
	qt_digest_release(&a->sum);
	qt_digest_kind_release(&a->sha256);
	qt_outfile_release(&a->out);
	qt_buf_release(&a->base);
	qt_buf_release(&a->name);
	qt_buf_release(&a->line);
	qt_buf_release(&a->json);
	qt_facts_release(&a->facts);
	qt_maillog_release(&a->log_of);
	for (i = 0; i < S_COUNT; i++)
		free(a->strings[i]);
	explicit_bzero(&a->key, sizeof a->key);
	free(a);
}

unsigned qt_archive_want(const struct qt_archive *a)
{
	return QT_WANT_KEPT | QT_WANT_RCPTS | QT_WANT_HEADERS | QT_WANT_LOCKS |
	    (a->bag.sha512 ? QT_WANT_SHA512 : 0) |
	    (a->index != NULL ? qt_index_want() : 0);
}

bool qt_archive_whole(const struct qt_archive *a)
{
	return a->index != NULL;
}

bool qt_archive_lines(const struct qt_archive *a)
{
	return a->redact == QT_REDACT_NONE;
}

void qt_archive_drain(void *archive)
{
	struct qt_archive *a = archive;

	qt_index_drain(a->index);
}
