/*
 * check_lists.c - manifests and tables held against what is there.
 *
 * Both sides are sorted by path (manifest.c, in bounded memory) and walked in
 * step: what is on one side alone is missing or added, what is on both has the
 * same sum or is altered.  The lines of the files themselves carry their size
 * behind the path, after a blank, which sorts before all that paths are made of.
 */
#include "evidence/check.h"

#include <stdlib.h>
#include <string.h>

#define EML "data/eml/"
#define ODD "data/odd/"

/* Digits of a sum; two blanks are behind them, and then the path. */
static size_t digits_of(enum qt_hash hash)
{
	return 2 * qt_hash_size(hash);
}

static bool is_line(const char *s, size_t len, size_t digits)
{
	return len > digits + 2 && strspn(s, "0123456789abcdef") == digits &&
	    s[digits] == ' ' && s[digits + 1] == ' ';
}

static bool plain(const char *path, size_t len)
{
	return strspn(path, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-") == len &&
	    len < QT_MEMBER_SIZE;
}

static int hex(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static void unhex(const char *s, unsigned char *sum, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		sum[i] = (unsigned char)(hex(s[2 * i]) << 4 | hex(s[2 * i + 1]));
}

/* ---- lines ---- */

#define LINE_MAX_BYTES ((size_t)256 << 20)
#define LINE_PIECE 4096u

void qt_lines_init(struct qt_lines *l, const struct qt_spill *s)
{
	*l = (struct qt_lines){.s = s};
	qt_buf_init(&l->buf, LINE_MAX_BYTES);
}

void qt_lines_release(struct qt_lines *l)
{
	qt_buf_release(&l->buf);
}

int qt_lines_next(struct qt_lines *l, struct qt_error *err)
{
	const uint64_t size = qt_spill_size(l->s);
	char piece[LINE_PIECE];
	const char *end = NULL;
	size_t n, take;

	if (l->at >= size)
		return 1;
	qt_buf_clear(&l->buf);
	l->walked = false;
	l->number++;
	while (end == NULL && l->at < size) {
		n = size - l->at < sizeof piece ? (size_t)(size - l->at) :
						  sizeof piece;
		if (qt_spill_read(l->s, l->at, piece, n, err) != 0)
			return -1;
		end = memchr(piece, '\n', n);
		take = end != NULL ? (size_t)(end - piece) : n;
		qt_buf_add(&l->buf, piece, take);
		l->at += take + (end != NULL);
	}
	return qt_buf_check(&l->buf, err);
}

/* ---- two sorted lists in step ---- */

struct merge {
	struct qt_check *c;
	const char *name;   /* the list's, for messages */
	const char *prefix[4]; /* of what it is about; NULL ends, none: all */
	bool sizes;	    /* its lines have sizes, too */
	enum qt_hash hash;  /* of the sums on both sides */
	size_t path_at;	    /* where a line's path begins */
	struct qt_spill sorted; /* the claims */
	struct qt_lines claims;
	bool have;	    /* claims.buf has one */
	struct qt_buf line; /* of what is there, while it comes in pieces */
};

/* A path ends where its size begins. */
static size_t path_len(const char *path)
{
	return strcspn(path, " ");
}

static int compare_paths(const char *a, const char *b)
{
	size_t x = path_len(a), y = path_len(b), n = x < y ? x : y;
	int r = memcmp(a, b, n);

	return r != 0 ? r : x < y ? -1 : x > y;
}

static int next_claim(struct merge *m, struct qt_error *err)
{
	int r = qt_lines_next(&m->claims, err);

	m->have = r == 0;
	return r < 0 ? -1 : 0;
}

static void path_of(const struct merge *m, const char *line,
    char path[QT_MEMBER_SIZE])
{
	const char *s = line + m->path_at;

	(void)snprintf(path, QT_MEMBER_SIZE, "%.*s", (int)path_len(s), s);
}

static void tell_missing(struct merge *m, const char *claim)
{
	char path[QT_MEMBER_SIZE];

	path_of(m, claim, path);
	qt_check_tell(m->c, QT_FLAW_MISSING, path, -1, NULL, NULL,
	    "is in %s and not in the archive", m->name);
}

static bool concerns(const struct merge *m, const char *path)
{
	const char *dot = strrchr(path, '.');
	size_t i;

	/* of a message without a name of its own, as mail programs have it */
	if (m->prefix[0] != NULL && m->prefix[2] == NULL &&
	    strncmp(path, ODD, sizeof ODD - 1) == 0 && dot != NULL &&
	    strcmp(dot, ".eml") == 0)
		return false;
	for (i = 0; m->prefix[i] != NULL; i++)
		if (strncmp(path, m->prefix[i], strlen(m->prefix[i])) == 0)
			return true;
	return i == 0;
}

/* The same path on both sides. */
static void compare(struct merge *m, const char *there, const char *claim)
{
	const char *size = there + m->path_at, *said = claim + m->path_at;
	const int digits = (int)digits_of(m->hash);
	char path[QT_MEMBER_SIZE], want[QT_SUM_HEX_MAX], is[QT_SUM_HEX_MAX];

	size += path_len(size);
	said += path_len(said);
	path_of(m, there, path);
	(void)snprintf(want, sizeof want, "%.*s", digits, claim);
	(void)snprintf(is, sizeof is, "%.*s", digits, there);
	if (strcmp(want, is) != 0)
		qt_check_tell(m->c, QT_FLAW_ALTERED, path, -1, want, is,
		    "is not what %s has the sum of", m->name);
	if (m->sizes && strcmp(size, said) != 0)
		qt_check_tell(m->c, QT_FLAW_ALTERED, path, -1, said + 1,
		    size + 1, "has not the length that %s says", m->name);
}

/* A file that is there, and every claim up to it. */
static int one_there(struct merge *m, const char *there, struct qt_error *err)
{
	char path[QT_MEMBER_SIZE];
	int r = -1;

	path_of(m, there, path);
	if (!concerns(m, path))
		return 0;
	while (m->have &&
	    (r = compare_paths(qt_buf_str(&m->claims.buf) + m->path_at,
		there + m->path_at)) < 0) {
		tell_missing(m, qt_buf_str(&m->claims.buf));
		if (next_claim(m, err) != 0)
			return -1;
	}
	if (!m->have || r != 0) {
		qt_check_tell(m->c, QT_FLAW_ADDED, path, -1, NULL, NULL,
		    "is in the archive and not in %s", m->name);
		return 0;
	}
	compare(m, there, qt_buf_str(&m->claims.buf));
	return next_claim(m, err);
}

/* Pieces of the sorted list of what is there. */
static int take(void *ctx, const void *bytes, size_t len, struct qt_error *err)
{
	struct merge *m = ctx;
	const char *p = bytes, *end = p + len, *lf;

	while (p < end) {
		lf = memchr(p, '\n', (size_t)(end - p));
		qt_buf_add(&m->line, p, (size_t)((lf != NULL ? lf : end) - p));
		if (qt_buf_check(&m->line, err) != 0)
			return -1;
		if (lf == NULL)
			break;
		if (one_there(m, qt_buf_str(&m->line), err) != 0)
			return -1;
		qt_buf_clear(&m->line);
		p = lf + 1;
	}
	return 0;
}

static int to_spill(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	return qt_spill_add(ctx, bytes, len, err);
}

static int walk(struct merge *m, struct qt_manifest *there,
    struct qt_manifest *claims, struct qt_error *err)
{
	if (qt_manifest_emit(claims, to_spill, &m->sorted, err) != 0 ||
	    next_claim(m, err) != 0 ||
	    qt_manifest_emit(there, take, m, err) != 0)
		return -1;
	while (m->have) {
		tell_missing(m, qt_buf_str(&m->claims.buf));
		if (next_claim(m, err) != 0)
			return -1;
	}
	return 0;
}

static int merge(struct merge *m, struct qt_manifest *there,
    struct qt_manifest *claims, struct qt_error *err)
{
	int r;

	m->path_at = digits_of(m->hash) + 2;
	qt_spill_init(&m->sorted, m->c->tmpfd, (size_t)16 << 20);
	qt_lines_init(&m->claims, &m->sorted);
	qt_buf_init(&m->line, 0);
	r = walk(m, there, claims, err);
	qt_buf_release(&m->line);
	qt_lines_release(&m->claims);
	qt_spill_release(&m->sorted);
	return r;
}

/* ---- manifests ---- */

/* A manifest by one algorithm, and what it is about. */
struct manifest {
	enum qt_told which;
	enum qt_hash hash;
	struct qt_manifest *there;
};

/* Its lines, sorted anew: who wrote it may have sorted otherwise. */
static int read_manifest(struct qt_check *c, const struct manifest *of,
    struct qt_manifest *claims, struct qt_error *err)
{
	const size_t digits = digits_of(of->hash), at = digits + 2;
	unsigned char sum[QT_SUM_MAX];
	struct qt_lines l;
	int r;

	qt_lines_init(&l, &c->kept[of->which]);
	while ((r = qt_lines_next(&l, err)) == 0) {
		const char *s = qt_buf_str(&l.buf);

		if (strlen(s) != l.buf.len || !is_line(s, l.buf.len, digits) ||
		    !plain(s + at, l.buf.len - at)) {
			qt_check_tell(c, QT_FLAW_STRUCTURE,
			    qt_told_paths[of->which], (int64_t)l.number, NULL,
			    NULL, "line %llu is no sum and path",
			    (unsigned long long)l.number);
			continue;
		}
		unhex(s, sum, digits / 2);
		if ((r = qt_manifest_add(claims, s + at, sum, err)) != 0)
			break;
	}
	qt_lines_release(&l);
	return r < 0 ? -1 : 0;
}

static int against_manifest(struct qt_check *c, const struct manifest *of,
    struct qt_error *err)
{
	struct merge m = {.c = c, .name = qt_told_paths[of->which],
	    .hash = of->hash};
	struct qt_manifest claims;
	int r;

	if (!c->have[of->which])
		return 0; /* which is a flaw that is told elsewhere */
	qt_manifest_init(&claims, of->hash, c->tmpfd, (size_t)16 << 20);
	r = read_manifest(c, of, &claims, err);
	if (r == 0)
		r = merge(&m, of->there, &claims, err);
	qt_manifest_release(&claims);
	return r;
}

static int against_manifests(struct qt_check *c, struct qt_error *err)
{
	const struct manifest all[] = {
	    {QT_TOLD_MANIFEST, QT_HASH_SHA256, &c->payload[QT_HASH_SHA256]},
	    {QT_TOLD_TAGS, QT_HASH_SHA256, &c->tags[QT_HASH_SHA256]},
	    {QT_TOLD_MANIFEST_512, QT_HASH_SHA512, &c->payload[QT_HASH_SHA512]},
	    {QT_TOLD_TAGS_512, QT_HASH_SHA512, &c->tags[QT_HASH_SHA512]}};
	size_t i;

	for (i = 0; i < sizeof all / sizeof all[0]; i++)
		if ((unsigned)all[i].hash < c->nhashes &&
		    against_manifest(c, &all[i], err) != 0)
			return -1;
	return 0;
}

/* ---- the table of messages ---- */

static int claim(struct qt_manifest *claims, const struct qt_bagfile *f,
    struct qt_error *err)
{
	char line[QT_MEMBER_SIZE + 24];
	unsigned char sum[QT_SHA256_SIZE];

	(void)snprintf(line, sizeof line, "%s %llu", f->path,
	    (unsigned long long)f->size);
	unhex(f->sha256, sum, sizeof sum);
	return qt_manifest_add(claims, line, sum, err);
}

/* redacted: its messages are there as mail programs have them, and alone so. */
static int read_row(struct qt_check *c, const struct qt_lines *l,
    struct qt_manifest *claims, bool *redacted, struct qt_error *err)
{
	const char *why = NULL;
	struct qt_bagrow row;
	unsigned i;

	if (qt_bagrow_read(&row, qt_buf_str(&l->buf), l->buf.len, &why) == 0 &&
	    !plain(row.file.path, strlen(row.file.path)))
		why = "names a file that can be in no archive";
	for (i = 0; why == NULL && i < row.nlogs; i++)
		if (!plain(row.log[i].path, strlen(row.log[i].path)))
			why = "names a log that can be in no archive";
	if (why != NULL) {
		qt_check_tell(c, QT_FLAW_TABLE, qt_told_paths[QT_TOLD_MESSAGES],
		    (int64_t)l->number, NULL, NULL, "line %llu %s",
		    (unsigned long long)l->number, why);
		return 0;
	}
	c->res->messages++;
	*redacted = *redacted || strncmp(row.file.path, EML, sizeof EML - 1) == 0;
	if (claim(claims, &row.file, err) != 0)
		return -1;
	for (i = 0; i < row.nlogs; i++, c->res->logs++)
		if (claim(claims, &row.log[i], err) != 0)
			return -1;
	return 0;
}

static int against_table(struct qt_check *c, struct qt_error *err)
{
	struct merge m = {.c = c, .name = qt_told_paths[QT_TOLD_MESSAGES],
	    .prefix = {"data/queue/", ODD, NULL}, .sizes = true,
	    .hash = QT_HASH_SHA256};
	struct qt_manifest claims;
	bool redacted = false;
	struct qt_lines l;
	int r;

	if (!c->have[QT_TOLD_MESSAGES])
		return 0;
	qt_manifest_init(&claims, QT_HASH_SHA256, c->tmpfd, (size_t)16 << 20);
	qt_lines_init(&l, &c->kept[QT_TOLD_MESSAGES]);
	while ((r = qt_lines_next(&l, err)) == 0 &&
	    (r = read_row(c, &l, &claims, &redacted, err)) == 0)
		;
	qt_lines_release(&l);
	if (redacted)
		m.prefix[2] = EML;
	if (r >= 0)
		r = merge(&m, &c->payload[QT_HASH_SHA256], &claims, err);
	qt_manifest_release(&claims);
	return r;
}

int qt_check_lists(struct qt_check *c, struct qt_error *err)
{
	return against_manifests(c, err) != 0 ? -1 : against_table(c, err);
}
