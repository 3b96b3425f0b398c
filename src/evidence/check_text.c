/*
 * check_text.c - bagit.txt, bag-info.txt, case.json: what an archive says about
 * itself as a whole; and showq.jsonl: what Postfix said.
 */
#include "evidence/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/bag.h"
#include "format/json.h"

#define CASE_MAX ((size_t)1 << 20)

/* A kept member as one string; false: too long, and told. */
static bool whole(struct qt_check *c, enum qt_told which, struct qt_buf *b,
    struct qt_error *err, int *r)
{
	const uint64_t size = qt_spill_size(&c->kept[which]);
	char piece[4096];
	uint64_t at;
	size_t n;

	*r = 0;
	if (size > CASE_MAX) {
		qt_check_tell(c, QT_FLAW_STRUCTURE, qt_told_paths[which], -1,
		    NULL, NULL, "is longer than it can be");
		return false;
	}
	for (at = 0; at < size && *r == 0; at += n) {
		n = size - at < sizeof piece ? (size_t)(size - at) :
					       sizeof piece;
		*r = qt_spill_read(&c->kept[which], at, piece, n, err);
		if (*r == 0)
			qt_buf_add(b, piece, n);
	}
	if (*r == 0)
		*r = qt_buf_check(b, err);
	return *r == 0;
}

static void count(struct qt_check *c, enum qt_told where, const char *what,
    uint64_t said, uint64_t is)
{
	char a[32], b[32];

	if (said == is)
		return;
	(void)snprintf(a, sizeof a, "%" PRIu64, said);
	(void)snprintf(b, sizeof b, "%" PRIu64, is);
	qt_check_tell(c, QT_FLAW_COUNT, qt_told_paths[where], -1, a, b,
	    "does not count what is there: %s", what);
}

/* ---- bagit.txt and bag-info.txt ---- */

static void check_bagit(struct qt_check *c, const struct qt_buf *b)
{
	static const char want[] = "BagIt-Version: 1.0\n"
				   "Tag-File-Character-Encoding: UTF-8\n";

	if (strcmp(qt_buf_str(b), want) != 0 || b->len != sizeof want - 1)
		qt_check_tell(c, QT_FLAW_STRUCTURE,
		    qt_told_paths[QT_TOLD_BAGIT], -1, NULL, NULL,
		    "is not that of a bag of version 1.0 in UTF-8");
}

/* "Payload-Oxum: BYTES.FILES" at a line's beginning. */
static void check_info(struct qt_check *c, const struct qt_buf *b)
{
	static const char label[] = "Payload-Oxum: ";
	const char *s = qt_buf_str(b), *at = s;
	char *end, found[64], want[64];
	uint64_t bytes, files = 0;

	while (at != NULL && strncmp(at, label, sizeof label - 1) != 0) {
		at = strchr(at, '\n');
		at = at != NULL ? at + 1 : NULL;
	}
	if (at == NULL) {
		qt_check_tell(c, QT_FLAW_STRUCTURE, qt_told_paths[QT_TOLD_INFO],
		    -1, NULL, NULL, "has no Payload-Oxum");
		return;
	}
	at += sizeof label - 1;
	bytes = strtoull(at, &end, 10);
	if (*end == '.')
		files = strtoull(end + 1, &end, 10);
	(void)snprintf(found, sizeof found, "%.*s",
	    (int)(strcspn(at, "\n") < 60 ? strcspn(at, "\n") : 60), at);
	(void)snprintf(want, sizeof want, "%" PRIu64 ".%" PRIu64,
	    c->res->bytes, c->res->files);
	if (bytes != c->res->bytes || files != c->res->files ||
	    strcmp(found, want) != 0)
		qt_check_tell(c, QT_FLAW_COUNT, qt_told_paths[QT_TOLD_INFO], -1,
		    found, want, "does not count what is there: Payload-Oxum");
}

/* ---- case.json ---- */

struct facts {
	struct qt_check *c;
	uint64_t missing; /* lines of missing.jsonl */
	bool counted, counted_showq;
};

/* Each queue has at least the messages that are there under their own names. */
static bool queues_agree(struct qt_check *c, const struct qt_json_value *v)
{
	struct qt_json_value key, inner;
	uint64_t left[QT_Q_COUNT], n;
	struct qt_json j;
	char name[16];
	enum qt_queue q;
	int r = -1;

	memcpy(left, c->by_queue, sizeof left);
	if (!qt_json_open(&j, '{', v->text, v->len))
		return false;
	while ((r = qt_json_member(&j, &key, &inner)) == 0) {
		q = qt_json_text(&key, name, sizeof name) ?
		    qt_queue_by_name(name) : QT_Q_COUNT;
		if (q >= QT_Q_MESSAGES || !qt_json_uint(&inner, &n) ||
		    n < left[q])
			return false;
		left[q] = 0;
	}
	for (q = 0; q < QT_Q_MESSAGES; q++)
		if (left[q] != 0)
			return false;
	return r == 1;
}

static void check_queues(struct qt_check *c, const struct qt_json_value *v)
{
	if (!queues_agree(c, v))
		qt_check_tell(c, QT_FLAW_COUNT, qt_told_paths[QT_TOLD_CASE], -1,
		    NULL, NULL, "does not count what is there: queues");
}

/* The moment that the files of the bag were made in. */
static void check_started(struct qt_check *c, const struct qt_json_value *v)
{
	char said[32] = "", is_then[32];

	(void)!qt_json_text(v, said, sizeof said);
	qt_utc(c->tag_mtime, is_then);
	if (strcmp(said, is_then) != 0)
		qt_check_tell(c, QT_FLAW_FRAME, qt_told_paths[QT_TOLD_CASE], -1,
		    said, is_then, "says another time than the files made then "
		    "have in the tar");
}

static void case_member(struct facts *f, const struct qt_json_value *key,
    const struct qt_json_value *v)
{
	struct qt_check *c = f->c;
	uint64_t n = 0;

	if (qt_json_is(key, "redaction"))
		(void)!qt_json_text(v, c->res->redaction,
		    sizeof c->res->redaction);
	if (qt_json_is(key, "queue_directory") && c->queue_dir == NULL &&
	    v->type == QT_JSON_STRING &&
	    (c->queue_dir = malloc(v->len + 1)) != NULL)
		(void)!qt_json_text(v, c->queue_dir, v->len + 1);
	if (qt_json_is(key, "queues"))
		check_queues(c, v);
	if (qt_json_is(key, "started"))
		check_started(c, v);
	if (!qt_json_uint(v, &n))
		return;
	if (qt_json_is(key, "messages")) {
		count(c, QT_TOLD_CASE, "messages", n, c->res->messages);
		f->counted = true;
	}
	if (qt_json_is(key, "logs"))
		count(c, QT_TOLD_CASE, "logs", n, c->res->logs);
	if (qt_json_is(key, "payload_files"))
		count(c, QT_TOLD_CASE, "payload_files", n, c->res->files);
	if (qt_json_is(key, "payload_bytes"))
		count(c, QT_TOLD_CASE, "payload_bytes", n, c->res->bytes);
	if (qt_json_is(key, "missing"))
		count(c, QT_TOLD_CASE, "missing", n, f->missing);
	if (qt_json_is(key, "showq_messages")) {
		count(c, QT_TOLD_CASE, "showq_messages", n, c->showq.n);
		f->counted_showq = true;
	}
}

static void check_case(struct qt_check *c, const struct qt_buf *b,
    uint64_t missing)
{
	struct facts f = {.c = c, .missing = missing};
	struct qt_json_value key, v;
	struct qt_json j;
	int r = -1;

	if (qt_json_open(&j, '{', qt_buf_str(b), b->len))
		while ((r = qt_json_member(&j, &key, &v)) == 0)
			case_member(&f, &key, &v);
	if (r != 1)
		qt_check_tell(c, QT_FLAW_STRUCTURE, qt_told_paths[QT_TOLD_CASE],
		    -1, NULL, NULL, "is no JSON object");
	else if (!f.counted)
		qt_check_tell(c, QT_FLAW_STRUCTURE, qt_told_paths[QT_TOLD_CASE],
		    -1, NULL, NULL, "does not say how many messages there are");
	else if (c->have_showq && !f.counted_showq)
		qt_check_tell(c, QT_FLAW_COUNT, qt_told_paths[QT_TOLD_CASE], -1,
		    NULL, NULL, "does not say that " QT_SHOWQ_PATH " is there");
}

/* ---- showq.jsonl ---- */

static int bad_showq(void *ctx, uint64_t n, const char *why,
    struct qt_error *err)
{
	(void)err; /* it is a flaw, and the check goes on */
	qt_check_tell(ctx, QT_FLAW_TABLE, QT_SHOWQ_PATH, (int64_t)n, NULL, NULL,
	    "line %" PRIu64 " %s", n, why);
	return 0;
}

int qt_check_showq(struct qt_check *c, const void *bytes, size_t len,
    struct qt_error *err)
{
	return len == 0 ? qt_showq_lines_end(&c->showq, bad_showq, c, err) :
	    qt_showq_lines_take(&c->showq, bytes, len, bad_showq, c, err);
}

/* ---- lines of JSON ---- */

static bool is_object(const struct qt_lines *l)
{
	struct qt_json_value key, v;
	struct qt_json j;
	int r = -1;

	if (qt_json_open(&j, '{', qt_buf_str(&l->buf), l->buf.len))
		while ((r = qt_json_member(&j, &key, &v)) == 0)
			;
	return r == 1;
}

static int count_lines(struct qt_check *c, enum qt_told which, uint64_t *n,
    struct qt_error *err)
{
	struct qt_lines l;
	int r;

	qt_lines_init(&l, &c->kept[which]);
	while ((r = qt_lines_next(&l, err)) == 0)
		if (!is_object(&l))
			qt_check_tell(c, QT_FLAW_TABLE, qt_told_paths[which],
			    (int64_t)l.number, NULL, NULL,
			    "line %" PRIu64 " is no JSON", l.number);
	*n = l.number;
	qt_lines_release(&l);
	return r < 0 ? -1 : 0;
}

/* ---- all of them ---- */

static int one_text(struct qt_check *c, enum qt_told which, uint64_t missing,
    struct qt_error *err)
{
	struct qt_buf b;
	int r = 0;

	if (!c->have[which])
		return 0;
	qt_buf_init(&b, 0);
	if (whole(c, which, &b, err, &r)) {
		if (which == QT_TOLD_BAGIT)
			check_bagit(c, &b);
		else if (which == QT_TOLD_INFO)
			check_info(c, &b);
		else
			check_case(c, &b, missing);
	}
	qt_buf_release(&b);
	return r;
}

static bool needed(const struct qt_check *c, enum qt_told which)
{
	if (which == QT_TOLD_MANIFEST_512 || which == QT_TOLD_TAGS_512)
		return c->nhashes > 1;
	return which != QT_TOLD_MISSING && which != QT_TOLD_INDEX;
}

/* Lists by SHA-512 that README.txt did not speak of. */
static void check_unsaid(struct qt_check *c)
{
	static const enum qt_told lists[] = {QT_TOLD_MANIFEST_512,
	    QT_TOLD_TAGS_512};
	size_t i;

	for (i = 0; i < sizeof lists / sizeof lists[0] && c->nhashes == 1; i++)
		if (c->have[lists[i]])
			qt_check_tell(c, QT_FLAW_STRUCTURE,
			    qt_told_paths[lists[i]], -1, NULL, NULL, "was not "
			    "checked: README.txt, which is to be the first "
			    "file, does not speak of it");
}

int qt_check_texts(struct qt_check *c, struct qt_error *err)
{
	uint64_t missing = 0;
	int i;

	for (i = 0; i < QT_TOLD_COUNT; i++)
		if (!c->have[i] && needed(c, (enum qt_told)i))
			qt_check_tell(c, QT_FLAW_MISSING, qt_told_paths[i], -1,
			    NULL, NULL, "is missing");
	if (!c->have_readme)
		qt_check_tell(c, QT_FLAW_MISSING, "README.txt", -1, NULL, NULL,
		    "is missing");
	check_unsaid(c);
	if (count_lines(c, QT_TOLD_MISSING, &missing, err) != 0 ||
	    one_text(c, QT_TOLD_BAGIT, 0, err) != 0 ||
	    one_text(c, QT_TOLD_INFO, 0, err) != 0 ||
	    one_text(c, QT_TOLD_CASE, missing, err) != 0)
		return -1;
	return qt_check_custody(c, err);
}
