/*
 * finish.c - what is told about all messages, the sums, the signature, and the
 * names of the files.
 */
#include "evidence/writer_priv.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "evidence/custody.h"
#include "evidence/tsq.h"
#include "evidence/verify.h"

static int put_tag(struct qt_archive *a, const char *path,
    const struct qt_buf *text, struct qt_error *err)
{
	return qt_put_text(a, path, text, a->tags, err);
}

/* ---- context ---- */

static int put_postconf(struct qt_archive *a, struct qt_error *err)
{
	static const char path[] = "data/context/postconf-n.txt";
	struct qt_buf text;
	int r;

	/* a configuration names people too */
	if (a->bag.spool == NULL || !a->bag.spool->live ||
	    a->redact != QT_REDACT_NONE)
		return 0;
	qt_buf_init(&text, 0);
	if (a->bag.postconf != NULL)
		qt_buf_adds(&text, a->bag.postconf);
	else
		qt_archive_postconf(&text, a->bag.spool);
	r = qt_put_text(a, path, &text, a->payload, err);
	a->counts.bytes += text.len;
	qt_buf_release(&text);
	return r;
}

static int put_maillog(struct qt_archive *a, struct qt_error *err)
{
	static const char path[] = "data/context/maillog.txt";
	struct qt_spill text;
	size_t i;
	int r = 0;

	if (a->nlogs == 0)
		return 0;
	qt_spill_init(&text, a->out.dirfd, a->messages.text.limit);
	for (i = 0; i < a->nlogs && r == 0; i++)
		r = qt_maillog_take(&a->log_of, a->logs[i], &text, err);
	if (r == 0)
		r = qt_put_spill(a, path, &text, a->payload, err);
	a->counts.bytes += qt_spill_size(&text);
	a->counts.log_lines = a->log_of.lines;
	qt_spill_release(&text);
	return r;
}

static int put_showq(struct qt_archive *a, struct qt_error *err)
{
	const struct qt_showq *q = a->bag.showq;

	if (q == NULL)
		return 0;
	a->counts.bytes += qt_spill_size(&q->text);
	return qt_put_spill(a, QT_SHOWQ_PATH, &q->text, a->payload, err);
}

/* ---- tags ---- */

static int put_case(struct qt_archive *a, struct qt_error *err)
{
	struct qt_buf text;
	int r;

	a->bag.messages = a->counts.messages;
	a->bag.logs = a->counts.logs;
	a->bag.bytes = a->counts.bytes;
	a->bag.files = a->payload[QT_HASH_SHA256].files;
	a->bag.log_files = a->nlogs;
	a->bag.log_lines = a->log_of.lines;
	a->bag.log_skipped = a->log_of.skipped;
	a->bag.key = a->redact != QT_REDACT_NONE ? &a->key : NULL;
	qt_buf_init(&text, 0);
	r = qt_bag_case(&text, &a->bag, err);
	if (r == 0)
		r = put_tag(a, "metadata/case.json", &text, err);
	qt_buf_release(&text);
	return r;
}

/* The SHA-256 of a manifest of the payload, which is yet to be written. */
static int sum_of(struct qt_manifest *payload, char hex[QT_SHA256_HEX],
    struct qt_error *err)
{
	unsigned char sum[QT_SHA256_SIZE];
	struct qt_digest d;
	int r;

	if (qt_digest_init(&d, err) != 0)
		return -1;
	r = qt_manifest_emit(payload, qt_digest_bytes, &d, err);
	if (r == 0)
		r = qt_digest_final(&d, sum, err);
	if (r == 0)
		qt_digest_hex(sum, hex);
	qt_digest_release(&d);
	return r;
}

static int put_custody(struct qt_archive *a, struct qt_error *err)
{
	char hex[QT_HASHES][QT_SHA256_HEX];
	struct qt_buf text;
	unsigned h;
	int r = 0;

	qt_buf_init(&text, 0);
	for (h = 0; h < a->nhashes && r == 0; h++)
		r = sum_of(&a->payload[h], hex[h], err);
	if (r == 0)
		r = qt_custody_tell(&text, &a->bag, hex[QT_HASH_SHA256],
		    a->bag.sha512 ? hex[QT_HASH_SHA512] : NULL, err);
	if (r == 0)
		r = put_tag(a, "metadata/custody.jsonl", &text, err);
	qt_buf_release(&text);
	return r;
}

static int put_index(struct qt_archive *a, struct qt_error *err)
{
	uint64_t size;
	int r = qt_index_finish(a->index, &size, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	return qt_put_index(a, "metadata/index.sqlite", size, a->tags, err);
}

static int put_info(struct qt_archive *a, struct qt_error *err)
{
	struct qt_buf text;
	int r;

	qt_buf_init(&text, 0);
	qt_bag_info(&text, &a->bag);
	r = put_tag(a, "bag-info.txt", &text, err);
	qt_buf_release(&text);
	return r;
}

/* ---- the last list, and what is made of it ---- */

static int to_text(void *text, const void *bytes, size_t len,
    struct qt_error *err)
{
	qt_buf_add(text, bytes, len);
	return qt_buf_check(text, err);
}

/* By a program that is none of ours: its bytes are as it made them. */
static int put_program_signature(struct qt_archive *a,
    const struct qt_buf *list, struct qt_error *err)
{
	struct qt_buf sig;
	char path[96];
	int r;

	if (a->sign_with == NULL)
		return 0;
	(void)snprintf(path, sizeof path,
	    "signatures/tagmanifest-sha256.txt.%.32s.sig", a->bag.sign_program);
	qt_buf_init(&sig, 0);
	r = a->sign_with(a->sign_with_ctx, list->data, list->len, &sig, err);
	if (r == 0)
		r = qt_put_text(a, path, &sig, NULL, err);
	qt_buf_release(&sig);
	return r;
}

static int put_signature(struct qt_archive *a, const struct qt_buf *list,
    struct qt_error *err)
{
	struct qt_buf text;
	int r;

	if (a->sign == NULL)
		return 0;
	qt_buf_init(&text, 0);
	r = a->sign(a->sign_ctx, list->data, list->len, &text, err);
	if (r == 0)
		r = qt_put_text(a, "signatures/tagmanifest-sha256.txt.sig",
		    &text, NULL, err);
	qt_buf_clear(&text);
	qt_buf_addf(&text, "%s\n", a->bag.signer != NULL ? a->bag.signer : "");
	if (r == 0)
		r = qt_put_text(a, "signatures/signer.pub", &text, NULL, err);
	qt_buf_release(&text);
	return r;
}

static int put_request(struct qt_archive *a, const struct qt_buf *list,
    struct qt_error *err)
{
	struct qt_buf request;
	int r;

	if (!a->timestamp)
		return 0;
	qt_buf_init(&request, 0);
	r = qt_tsq_make(&request, list->data, list->len, a->bag.fixed_clock,
	    err);
	if (r == 0)
		r = qt_outfile_beside(&a->out, ".tsq", false, request.data,
		    request.len, err);
	qt_buf_release(&request);
	return r;
}

/* Of the payload; each is in the lists of the tags. */
static int put_lists(struct qt_archive *a, struct qt_error *err)
{
	if (qt_put_manifest(a, "manifest-sha256.txt",
		&a->payload[QT_HASH_SHA256], a->tags, err) != 0)
		return -1;
	return !a->bag.sha512 ? 0 : qt_put_manifest(a, "manifest-sha512.txt",
	    &a->payload[QT_HASH_SHA512], a->tags, err);
}

static int put_tag_list(struct qt_archive *a, struct qt_error *err)
{
	struct qt_buf list;
	int r;

	qt_buf_init(&list, 0); /* a dozen lines */
	r = qt_manifest_emit(&a->tags[QT_HASH_SHA256], to_text, &list, err);
	if (r == 0)
		r = qt_put_text(a, "tagmanifest-sha256.txt", &list, NULL, err);
	if (r == 0 && a->bag.sha512)
		r = qt_put_manifest(a, "tagmanifest-sha512.txt",
		    &a->tags[QT_HASH_SHA512], NULL, err);
	if (r == 0)
		r = put_signature(a, &list, err);
	if (r == 0)
		r = put_program_signature(a, &list, err);
	if (r == 0)
		r = put_request(a, &list, err);
	qt_buf_release(&list);
	return r;
}

static int put_closing(struct qt_archive *a, struct qt_error *err)
{
	qt_index_seal(a->index);
	if (put_postconf(a, err) != 0 || put_maillog(a, err) != 0 ||
	    put_showq(a, err) != 0 || put_case(a, err) != 0 ||
	    qt_put_lines(a, "metadata/messages.jsonl", &a->messages, a->tags,
		err) != 0 ||
	    qt_put_lines(a, "metadata/recipients.jsonl", &a->recipients,
		a->tags, err) != 0)
		return -1;
	if (qt_spill_size(&a->missing) != 0 &&
	    qt_put_spill(a, "metadata/missing.jsonl", &a->missing, a->tags,
		err) != 0)
		return -1;
	if (put_custody(a, err) != 0 || put_index(a, err) != 0 ||
	    put_info(a, err) != 0 || put_lists(a, err) != 0)
		return -1;
	return put_tag_list(a, err);
}

/* ---- beside it ---- */

static int put_key(struct qt_archive *a, struct qt_error *err)
{
	struct qt_buf text;
	int r;

	if (!a->new_key)
		return 0;
	qt_buf_init(&text, 0);
	qt_redact_key_text(&a->key, &text);
	r = qt_outfile_beside(&a->out, ".key", true, text.data, text.len, err);
	explicit_bzero(text.data, text.len);
	qt_buf_release(&text);
	return r;
}

/* FILE.sha256, and its signatures. */
static int put_sum(struct qt_archive *a, struct qt_error *err)
{
	struct qt_buf line, sig;
	char suffix[48];
	int r;

	if (a->out.name == NULL)
		return 0;
	qt_buf_init(&line, 0);
	qt_buf_init(&sig, 0);
	qt_buf_addf(&line, "%s  %s\n", a->out.sha256, a->out.name);
	r = qt_buf_check(&line, err);
	if (r == 0)
		r = qt_outfile_beside(&a->out, ".sha256", false, line.data,
		    line.len, err);
	if (r == 0 && a->sign != NULL)
		r = a->sign(a->sign_ctx, line.data, line.len, &sig, err);
	if (r == 0 && a->sign != NULL)
		r = qt_outfile_beside(&a->out, ".sig", false, sig.data,
		    sig.len, err);
	(void)snprintf(suffix, sizeof suffix, ".%.32s.sig",
	    a->sign_with != NULL ? a->bag.sign_program : "");
	if (r == 0 && a->sign_with != NULL)
		r = a->sign_with(a->sign_with_ctx, line.data, line.len, &sig,
		    err);
	if (r == 0 && a->sign_with != NULL)
		r = qt_outfile_beside(&a->out, suffix, false, sig.data, sig.len,
		    err);
	qt_buf_release(&line);
	qt_buf_release(&sig);
	return r;
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
	    qt_outfile_sum(&a->out, err) != 0 || put_key(a, err) != 0 ||
	    put_sum(a, err) != 0 || qt_outfile_publish(&a->out, err) != 0) {
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
	if (qt_verify_file(&v, a->out.dirfd, a->out.name, a->bag.sha512,
		a->stop, err) != 0)
		return -1;
	if (strcmp(v.sha256, a->counts.sha256) != 0)
		return qt_fail(err, QT_E_STATE, a->out.path,
		    "it reads back differently than it was written");
	if (v.messages != a->counts.messages || v.files != a->payload[QT_HASH_SHA256].files)
		return qt_fail(err, QT_E_STATE, a->out.path,
		    "%llu messages were written and %llu read back",
		    (unsigned long long)a->counts.messages,
		    (unsigned long long)v.messages);
	return 0;
}
