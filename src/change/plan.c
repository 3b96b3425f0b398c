/*
 * plan.c - a plan on disk.
 *
 * Sealed lines (field.h).  Seconds and nanoseconds are one number, nanoseconds
 * since the epoch:
 *
 *	QTXN 1 txid time op host boot_id queue_dir queue_inode operator reason
 *		command source		(one line)
 *	M seq path c|m inode handle size mode uid gid mtime ctime
 *	...
 *	O seq queue id sha256 [LOG:size:sha256 ...]	(import alone)
 *	...
 *	E count bytes sha256
 *
 * seq counts from 0 and is the message's name in staging; path is below the
 * queue directory; c: it was where Postfix looks for that queue ID, m: it was
 * elsewhere (misplaced); handle is type:hex, or - where the file system has
 * none; mode is octal.  The sum of E is over all bytes before its line.  Empty
 * fields of the header are not known.  O follows the line of its message and
 * says what that was in the archive (origin.c).  source is the transaction that messages
 * are restored out of, else 0 (the first plans ended before it).
 *
 * There is no device number: it may be another one after a reboot.  A plan is
 * written once and never changed.  It is whole, or it is damaged and nobody
 * acts on it: half of a plan taken for a whole one would give half of the
 * messages back and call it all.
 */
#include "change/plan.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "change/field.h"
#include "change/origin.h"

#define VERSION "1"
#define LINE_SIZE ((size_t)16 << 10) /* longest line, with its LF */
#define CHUNK ((size_t)64 << 10)
#define TAIL 256		     /* holds an E line */
#define HEX_SIZE (2 * EVP_MAX_MD_SIZE + 1)

enum {
	HEADER_FIELDS = 13, MESSAGE_FIELDS = 12, END_FIELDS = 4, FIELDS_MAX = 13
};

/* ---- SHA-256 ---- */

static EVP_MD_CTX *sum_new(void)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(md);
		md = NULL;
	}
	return md;
}

static int sum_failed(struct qt_error *err)
{
	return qt_fail(err, QT_E_LIBRARY, "libcrypto", "SHA-256 failed");
}

static void hex(char *to, const unsigned char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	*to = '\0';
}

static int sum_hex(EVP_MD_CTX *md, char out[HEX_SIZE], struct qt_error *err)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned len;

	if (EVP_DigestFinal_ex(md, sum, &len) != 1)
		return sum_failed(err);
	hex(out, sum, len);
	return 0;
}

/* ---- writing ---- */

struct writer {
	const struct qt_fsops *fs;
	int fd;
	const char *where;
	EVP_MD_CTX *md;
	struct qt_buf b;
};

static int flush(struct writer *w, struct qt_error *err)
{
	size_t done = 0;
	ssize_t n;

	if (qt_buf_check(&w->b, err) != 0)
		return -1;
	if (w->b.len != 0 && EVP_DigestUpdate(w->md, w->b.data, w->b.len) != 1)
		return sum_failed(err);
	while (done < w->b.len) {
		n = w->fs->write(w->fs->ctx, w->fd, w->b.data + done,
		    w->b.len - done);
		if (n < 0)
			return qt_fsops_fail(err, "write plan", w->where);
		done += (size_t)n;
	}
	qt_buf_clear(&w->b);
	return 0;
}

static void add_escaped(struct qt_buf *b, const char *s)
{
	qt_buf_addc(b, '\t');
	if (s != NULL)
		qt_field_escape(b, s);
}

static void put_header(struct qt_buf *b, const struct qt_plan *p)
{
	qt_buf_addf(b, "QTXN\t" VERSION "\t%llu\t%lld\t%s",
	    (unsigned long long)p->txid, (long long)p->created_ns,
	    qt_op_name(p->op));
	add_escaped(b, p->host);
	add_escaped(b, p->boot_id);
	add_escaped(b, p->queue_dir);
	qt_buf_addf(b, "\t%llu", (unsigned long long)p->queue_ino);
	add_escaped(b, p->operator_name);
	add_escaped(b, p->reason);
	add_escaped(b, p->command);
	qt_buf_addf(b, "\t%llu", (unsigned long long)p->source);
	qt_field_seal(b, 0);
}

static void add_number(struct qt_buf *b, uint64_t v)
{
	qt_buf_addc(b, '\t');
	qt_buf_addu(b, v);
}

/* A tab and the four digits of a mode. */
static const char *octal_of(char out[static 5], unsigned mode)
{
	out[0] = '\t';
	for (int i = 4; i > 0; i--, mode >>= 3)
		out[i] = (char)('0' + (mode & 7));
	return out;
}

/* Without printf, which took a third of what writing a plan takes. */
static void put_message(struct qt_buf *b, const struct qt_plan *p, size_t seq)
{
	const struct qt_plan_item *it = &p->v[seq];
	char handle[2 * QT_HANDLE_MAX + 1], mode[5];
	struct qt_handle h;
	size_t from = b->len;

	qt_buf_add(b, "M\t", 2);
	qt_buf_addu(b, seq);
	qt_buf_addc(b, '\t');
	qt_buf_adds(b, qt_plan_path(p, it));
	qt_buf_add(b, it->computed ? "\tc" : "\tm", 2);
	add_number(b, it->ino);
	qt_buf_addc(b, '\t');
	if (qt_plan_handle(p, it, &h)) {
		hex(handle, h.bytes, h.len);
		qt_buf_addi(b, h.type);
		qt_buf_addc(b, ':');
		qt_buf_add(b, handle, 2 * h.len);
	} else {
		qt_buf_addc(b, '-');
	}
	add_number(b, (uint64_t)it->size);
	qt_buf_add(b, octal_of(mode, it->mode), sizeof(mode));
	add_number(b, it->uid);
	add_number(b, it->gid);
	qt_buf_addc(b, '\t');
	qt_buf_addi(b, it->mtime_ns);
	qt_buf_addc(b, '\t');
	qt_buf_addi(b, it->ctime_ns);
	qt_field_seal(b, from);
}

static int write_lines(struct writer *w, const struct qt_plan *p,
    struct qt_error *err)
{
	char sum[HEX_SIZE];
	size_t i;

	put_header(&w->b, p);
	if (w->b.len > LINE_SIZE)
		return qt_fail(err, QT_E_NOMEM, w->where,
		    "the plan's header is too long");
	for (i = 0; i < p->n; i++) {
		put_message(&w->b, p, i);
		if (p->op == QT_OP_IMPORT)
			qt_origin_put(&w->b, p, i);
		if (w->b.len >= CHUNK && flush(w, err) != 0)
			return -1;
	}
	if (flush(w, err) != 0 || sum_hex(w->md, sum, err) != 0)
		return -1;
	qt_buf_addf(&w->b, "E\t%zu\t%lld\t%s", p->n, (long long)p->bytes, sum);
	qt_field_seal(&w->b, 0);
	/* the sum is taken: begin another that nobody reads */
	if (EVP_DigestInit_ex(w->md, NULL, NULL) != 1)
		return sum_failed(err);
	return flush(w, err);
}

int qt_plan_write(const struct qt_plan *p, const struct qt_fsops *fs, int fd,
    const char *where, struct qt_error *err)
{
	struct writer w = {.fs = fs, .fd = fd, .where = where};
	int r;

	if ((w.md = sum_new()) == NULL)
		return sum_failed(err);
	qt_buf_init(&w.b, 0);
	r = write_lines(&w, p, err);
	qt_buf_release(&w.b);
	EVP_MD_CTX_free(w.md);
	return r;
}

/* ---- reading ---- */

struct qt_plan_reader {
	char where[128];
	EVP_MD_CTX *md;
	struct qt_plan *plan;
	struct qt_buf line; /* the line that is being put together */
	size_t lineno;	    /* of the line in hand, from 1 */
	bool ended;	    /* the E line was good */
};

static int damaged(struct qt_plan_reader *r, const char *what,
    struct qt_error *err)
{
	return qt_fail_at(err, QT_E_STATE, r->where, (int64_t)r->lineno,
	    "the plan is damaged: line %zu: %s", r->lineno, what);
}

int qt_plan_reader_new(struct qt_plan_reader **out, const char *where,
    struct qt_error *err)
{
	struct qt_plan_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return qt_fail_mem(err);
	qt_buf_init(&r->line, LINE_SIZE + 1);
	(void)snprintf(r->where, sizeof(r->where), "%s", where);
	if ((r->md = sum_new()) == NULL) {
		qt_plan_reader_free(r);
		return sum_failed(err);
	}
	if (qt_plan_new(&r->plan, QT_OP_DELETE, err) != 0) {
		qt_plan_reader_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

void qt_plan_reader_free(struct qt_plan_reader *r)
{
	if (r == NULL)
		return;
	EVP_MD_CTX_free(r->md);
	qt_plan_free(r->plan);
	qt_buf_release(&r->line);
	free(r);
}

/* A header string: NULL stays for an empty field; false: badly escaped. */
static bool take_string(char **to, const char *field, struct qt_error *err)
{
	if (qt_plan_set_string(to, field, err) != 0)
		return false;
	return *to == NULL || qt_field_unescape(*to);
}

static bool take_header(struct qt_plan *p, const char **f, int n,
    struct qt_error *err)
{
	if (strcmp(f[0], "QTXN") != 0 || strcmp(f[1], VERSION) != 0 ||
	    !qt_field_u64(f[2], UINT64_MAX, &p->txid) ||
	    !qt_field_i64(f[3], &p->created_ns) ||
	    (p->op = qt_op_by_name(f[4])) == QT_OPS ||
	    !qt_field_u64(f[8], UINT64_MAX, &p->queue_ino))
		return false;
	if (n == HEADER_FIELDS &&
	    !qt_field_u64(f[12], UINT64_MAX, &p->source))
		return false;
	return take_string(&p->host, f[5], err) &&
	    take_string(&p->boot_id, f[6], err) &&
	    take_string(&p->queue_dir, f[7], err) &&
	    take_string(&p->operator_name, f[9], err) &&
	    take_string(&p->reason, f[10], err) &&
	    take_string(&p->command, f[11], err);
}

static bool octal(const char *s, unsigned *v)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; s[i] >= '0' && s[i] <= '7' && i < 4; i++)
		n = n * 8 + (unsigned)(s[i] - '0');
	*v = n;
	return i == 4 && s[i] == '\0';
}

static int nibble(char c)
{
	const char *digits = "0123456789abcdef", *p;

	p = c != '\0' ? strchr(digits, c) : NULL;
	return p != NULL ? (int)(p - digits) : -1;
}

static bool take_handle(const char *s, struct qt_handle *h)
{
	const char *colon = strchr(s, ':');
	char type[16];
	int64_t n;

	h->len = 0;
	if (strcmp(s, "-") == 0)
		return true;
	if (colon == NULL || (size_t)(colon - s) >= sizeof(type))
		return false;
	memcpy(type, s, (size_t)(colon - s));
	type[colon - s] = '\0';
	if (!qt_field_i64(type, &n) || n < INT32_MIN || n > INT32_MAX)
		return false;
	h->type = (int)n;
	for (s = colon + 1; *s != '\0'; s += 2) {
		int hi = nibble(s[0]), lo = hi < 0 ? -1 : nibble(s[1]);

		if (lo < 0 || h->len == QT_HANDLE_MAX)
			return false;
		h->bytes[h->len++] = (unsigned char)(hi << 4 | lo);
	}
	return h->len != 0;
}

static bool take_numbers(struct qt_plan_item *it, const char **f)
{
	uint64_t uid, gid, size;
	unsigned mode;

	if (!qt_field_u64(f[4], UINT64_MAX, &it->ino) ||
	    !qt_field_u64(f[6], INT64_MAX, &size) || !octal(f[7], &mode) ||
	    !qt_field_u64(f[8], UINT32_MAX, &uid) ||
	    !qt_field_u64(f[9], UINT32_MAX, &gid) ||
	    !qt_field_i64(f[10], &it->mtime_ns) ||
	    !qt_field_i64(f[11], &it->ctime_ns))
		return false;
	it->size = (int64_t)size;
	it->mode = (uint16_t)mode;
	it->uid = (uint32_t)uid;
	it->gid = (uint32_t)gid;
	return true;
}

static int take_message(struct qt_plan_reader *r, const char **f,
    struct qt_error *err)
{
	struct qt_plan *p = r->plan;
	struct qt_plan_item it = {0};
	struct qt_handle h;
	enum qt_queue queue;
	size_t id_at;
	uint64_t seq;

	if (!qt_field_u64(f[1], QT_PLAN_MAX, &seq) || seq != p->n ||
	    !qt_origin_complete(p))
		return damaged(r, "out of sequence", err);
	if (!qt_plan_path_valid(f[2], &queue, &id_at))
		return damaged(r, "no place of a message", err);
	if (strcmp(f[3], "c") != 0 && strcmp(f[3], "m") != 0)
		return damaged(r, "neither c nor m", err);
	if (!take_handle(f[5], &h))
		return damaged(r, "bad file handle", err);
	if (!take_numbers(&it, f))
		return damaged(r, "bad number", err);
	it.computed = f[3][0] == 'c';
	it.queue = (uint8_t)queue;
	it.id_at = (uint8_t)id_at;
	if (it.size > INT64_MAX - p->bytes)
		return damaged(r, "impossible size", err);
	if (qt_plan_append(p, &it, f[2], err) != 0)
		return -1;
	return qt_plan_set_handle(p, p->n - 1, &h, err);
}

static int take_end(struct qt_plan_reader *r, const char **f,
    struct qt_error *err)
{
	char sum[HEX_SIZE];
	uint64_t count, bytes;

	if (sum_hex(r->md, sum, err) != 0)
		return -1;
	if (!qt_field_u64(f[1], QT_PLAN_MAX, &count) ||
	    !qt_field_u64(f[2], INT64_MAX, &bytes))
		return damaged(r, "bad number", err);
	if (count != r->plan->n || bytes != (uint64_t)r->plan->bytes ||
	    !qt_origin_complete(r->plan))
		return damaged(r, "the totals do not agree", err);
	if (strcmp(sum, f[3]) != 0)
		return damaged(r, "the sum does not agree", err);
	r->ended = true;
	return 0;
}

/* One line, LF included, in r->line. */
static int take_line(struct qt_plan_reader *r, struct qt_error *err)
{
	const char *f[FIELDS_MAX];
	char *line = r->line.data;
	size_t len = r->line.len;
	bool end = line[0] == 'E';
	int n;

	r->lineno++;
	if (r->ended)
		return damaged(r, "something follows its end", err);
	if (!end && EVP_DigestUpdate(r->md, line, len) != 1)
		return sum_failed(err);
	n = qt_field_split(line, len - 1, f, FIELDS_MAX);
	if (n < 0)
		return damaged(r, "wrong checksum", err);
	if (r->lineno == 1) {
		struct qt_error e = {0};

		if ((n == HEADER_FIELDS || n == HEADER_FIELDS - 1) &&
		    take_header(r->plan, f, n, &e))
			return 0;
		if (e.code != QT_OK && err != NULL)
			*err = e;
		return e.code != QT_OK ? -1 :
		    damaged(r, "not the header of a plan", err);
	}
	if (end && n == END_FIELDS && strcmp(f[0], "E") == 0)
		return take_end(r, f, err);
	if (n == MESSAGE_FIELDS && strcmp(f[0], "M") == 0)
		return take_message(r, f, err);
	if (strcmp(f[0], "O") == 0) {
		n = qt_origin_take(r->plan, f, n, err);
		return n <= 0 ? n : damaged(r, "no origin of a message", err);
	}
	return damaged(r, "neither a message nor the end", err);
}

int qt_plan_reader_feed(struct qt_plan_reader *r, const void *bytes,
    size_t len, struct qt_error *err)
{
	const char *p = bytes, *lf;
	size_t part;

	while (len > 0) {
		lf = memchr(p, '\n', len);
		part = lf != NULL ? (size_t)(lf + 1 - p) : len;
		if (r->line.len + part > LINE_SIZE)
			return damaged(r, "too long a line follows", err);
		qt_buf_add(&r->line, p, part);
		if (qt_buf_check(&r->line, err) != 0)
			return -1;
		p += part;
		len -= part;
		if (lf == NULL)
			break;
		if (take_line(r, err) != 0)
			return -1;
		qt_buf_clear(&r->line);
	}
	return 0;
}

int qt_plan_reader_finish(struct qt_plan_reader *r, struct qt_plan **out,
    struct qt_error *err)
{
	if (!r->ended || r->line.len != 0)
		return damaged(r, "it is the last one, and not an end", err);
	*out = r->plan;
	r->plan = NULL;
	return 0;
}

int qt_plan_read(struct qt_plan **out, int fd, const char *where,
    struct qt_error *err)
{
	struct qt_plan_reader *r = NULL;
	char *chunk = malloc(CHUNK);
	size_t got = CHUNK;
	int result = 0;

	if (chunk == NULL)
		return qt_fail_mem(err);
	if (qt_plan_reader_new(&r, where, err) != 0) {
		free(chunk);
		return -1;
	}
	while (result == 0 && got == CHUNK) {
		/* a failed read is a failed read, and no short plan */
		if (qt_read_all(fd, chunk, CHUNK, &got) != 0)
			result = qt_fsops_fail(err, "read", where);
		else
			result = qt_plan_reader_feed(r, chunk, got, err);
	}
	if (result == 0)
		result = qt_plan_reader_finish(r, out, err);
	qt_plan_reader_free(r);
	free(chunk);
	return result;
}

/* The last line of the file: count and bytes of its E line. */
static int peek_end(struct qt_plan_reader *r, size_t *count, int fd,
    struct qt_error *err)
{
	const char *f[FIELDS_MAX];
	uint64_t n, bytes;
	char tail[TAIL + 1], *line;
	struct stat st;
	size_t got;

	if (fstat(fd, &st) != 0)
		return qt_fsops_fail(err, "fstat", r->where);
	if (qt_pread_all(fd, tail, TAIL,
		st.st_size > TAIL ? st.st_size - TAIL : 0, &got) != 0)
		return qt_fsops_fail(err, "pread", r->where);
	tail[got] = '\0';
	if (got < 2 || tail[got - 1] != '\n')
		return damaged(r, "the plan has no end", err);
	tail[--got] = '\0';
	line = memrchr(tail, '\n', got);
	line = line != NULL ? line + 1 : tail;
	if (qt_field_split(line, (size_t)(tail + got - line), f, FIELDS_MAX) !=
		END_FIELDS || strcmp(f[0], "E") != 0 ||
	    !qt_field_u64(f[1], QT_PLAN_MAX, &n) ||
	    !qt_field_u64(f[2], INT64_MAX, &bytes))
		return damaged(r, "the plan has no end", err);
	*count = (size_t)n;
	r->plan->bytes = (int64_t)bytes;
	return 0;
}

int qt_plan_peek(struct qt_plan **out, size_t *count, int fd,
    const char *where, struct qt_error *err)
{
	struct qt_plan_reader *r = NULL;
	char *head = malloc(LINE_SIZE), *lf;
	size_t got = 0;
	int result = 0;

	if (head == NULL)
		return qt_fail_mem(err);
	if (qt_plan_reader_new(&r, where, err) != 0) {
		free(head);
		return -1;
	}
	if (qt_pread_all(fd, head, LINE_SIZE, 0, &got) != 0)
		result = qt_fsops_fail(err, "pread", where);
	else if ((lf = memchr(head, '\n', got)) == NULL)
		result = damaged(r, "not the header of a plan", err);
	else
		result = qt_plan_reader_feed(r, head, (size_t)(lf + 1 - head),
		    err);
	if (result == 0)
		result = peek_end(r, count, fd, err);
	if (result == 0) {
		*out = r->plan;
		r->plan = NULL;
	}
	qt_plan_reader_free(r);
	free(head);
	return result;
}
