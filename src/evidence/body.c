/*
 * body.c - sum, fingerprint and links of a body.
 *
 * The fingerprint is a SimHash (Charikar, "Similarity estimation techniques
 * from rounding algorithms", 2002) over pairs of words.  Each pair's hash votes
 * on the 64 bits; the votes of a bit are kept in planes, one word for each
 * binary digit of all 64 counts, and eight pairs are added at once, so that a
 * pair costs a few word operations and not 64 additions.
 */
#include "evidence/body.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "evidence/transfer.h"
#include "qtool/escape.h"

#define BLOCK ((size_t)64 << 10) /* bytes hashed and looked through at once */
#define PLANES 10		 /* digits of QT_BODY_PAIRS */
#define TAG_MAX 1024		 /* bytes between < and > */
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

void qt_body_init(struct qt_body *b)
{
	b->have = b->have_words = b->more_urls = false;
	b->nurls = 0;
	qt_buf_init(&b->text, 0);
}

void qt_body_release(struct qt_body *b)
{
	if (b != NULL)
		qt_buf_release(&b->text);
}

/* ---- the fingerprint ---- */

#define EACH(byte) ((uint64_t)(byte)*UINT64_C(0x0101010101010101))

/*
 * Eight bytes at once: letters in lower case, and in *others the high bit of
 * each byte that is none.  Bytes of other alphabets are letters.
 */
static uint64_t lower_eight(uint64_t x, uint64_t *others)
{
	uint64_t low, a, z;

	x |= (~x & EACH(0x80)) >> 2;
	low = x & EACH(0x7f);
	a = low + EACH(0x80 - 'a');	 /* high bit: 'a' or more */
	z = low + EACH(0x80 - 'z' - 1); /* high bit: more than 'z' */
	*others = ~((a & ~z) | x) & EACH(0x80);
	return x;
}

static uint64_t load_eight(const char *p, const char *end)
{
	unsigned char some[8] = {0};
	uint64_t x;

	if (end - p >= 8) {
		memcpy(&x, p, 8);
	} else {
		memcpy(some, p, (size_t)(end - p));
		memcpy(&x, some, 8);
	}
	return le64toh(x);
}

/* The number of the word that begins at *p, which is moved behind it: its
 * letters in eights, the first the lowest byte. */
static inline uint64_t take_word(const char **p, const char *end)
{
	uint64_t word = 0, others, x;
	int n;

	for (;;) {
		x = lower_eight(load_eight(*p, end), &others);
		if (others != 0)
			break;
		word = word * GOLDEN ^ x;
		*p += 8;
	}
	n = __builtin_ctzll(others) / 8;
	*p += n;
	return n == 0 ? word : word * GOLDEN ^ (x & ((UINT64_C(1) << 8 * n) - 1));
}

/* Every bit of a pair in many of the result. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 29;
}

#define BATCH 8
_Static_assert(QT_BODY_PAIRS < 1 << PLANES, "counts have room");

/* The votes, and those that are not counted yet. */
struct votes {
	uint64_t plane[PLANES]; /* digit i of the counts of all bits */
	uint64_t batch[BATCH];
	uint64_t n;
};

/* Add h to digit i of the counts, and what it carries. */
static void add_at(struct votes *v, int i, uint64_t h)
{
	uint64_t carry;

	for (; h != 0 && i < PLANES; i++) {
		carry = v->plane[i] & h;
		v->plane[i] ^= h;
		h = carry;
	}
}

/* Add a and b to a digit; what it carries. */
static uint64_t add_two(uint64_t *digit, uint64_t a, uint64_t b)
{
	uint64_t half = a ^ b, carry = (a & b) | (half & *digit);

	*digit ^= half;
	return carry;
}

static void add_batch(struct votes *v)
{
	const uint64_t *h = v->batch;
	uint64_t *p = v->plane, twos[4], fours[2];
	int i;

	for (i = 0; i < 4; i++)
		twos[i] = add_two(&p[0], h[2 * i], h[2 * i + 1]);
	fours[0] = add_two(&p[1], twos[0], twos[1]);
	fours[1] = add_two(&p[1], twos[2], twos[3]);
	add_at(v, 3, add_two(&p[2], fours[0], fours[1]));
}

static void vote(struct votes *v, uint64_t h)
{
	v->batch[v->n++ % BATCH] = h;
	if (v->n % BATCH == 0)
		add_batch(v);
}

/* The bits that more than half of the pairs have. */
static uint64_t result(struct votes *v)
{
	const uint64_t half = v->n / 2;
	uint64_t more = 0, same = UINT64_MAX, digit, k;
	int i;

	for (k = v->n - v->n % BATCH; k < v->n; k++)
		add_at(v, 0, v->batch[k % BATCH]);
	/* all 64 counts against half of the number, digit by digit */
	for (i = PLANES - 1; i >= 0; i--) {
		digit = (half >> i & 1) != 0 ? UINT64_MAX : 0;
		more |= same & v->plane[i] & ~digit;
		same &= ~(v->plane[i] ^ digit);
	}
	return more;
}

static bool is_url(const char *p, const char *end)
{
	return end - p > 8 && (p[4] == ':' || p[5] == ':') &&
	    (strncasecmp(p, "http://", 7) == 0 ||
		strncasecmp(p, "https://", 8) == 0);
}

static bool ends_url(char c)
{
	return (unsigned char)c <= ' ' || c == '"' || c == '\'' || c == '<' ||
	    c == '>' || c == '`' || c == '\\' || c == 0x7f;
}

/* Behind the markup that begins at p; p + 1: it is none. */
static const char *skip_tag(const char *p, const char *end)
{
	const char *close;

	if (p + 1 < end && ((p[1] | 0x20) >= 'a' || p[1] == '/' || p[1] == '!')) {
		close = memchr(p, '>', end - p < TAG_MAX ? (size_t)(end - p) :
							   TAG_MAX);
		if (close != NULL)
			return close + 1;
	}
	return p + 1;
}

bool qt_body_simhash(const char *text, size_t len, uint64_t *simhash)
{
	const char *p = text, *end = text + len;
	struct votes v = {.n = 0};
	const char *start;
	uint64_t word, last = 0;

	while (p < end && v.n < QT_BODY_PAIRS) {
		start = p;
		word = take_word(&p, end);
		if (p == start) {
			p = *p == '<' ? skip_tag(p, end) : p + 1;
			continue;
		}
		if (is_url(start, end)) {
			while (p < end && !ends_url(*p))
				p++;
			continue;
		}
		vote(&v, mix(last * GOLDEN + word));
		last = word;
		p += p < end && *p != '<'; /* a word's end is no word */
	}
	if (v.n != 0)
		*simhash = result(&v);
	return v.n != 0;
}

/* ---- links ---- */

static void add_url(struct qt_body *b, const char *s, size_t len)
{
	unsigned i;

	while (len > 0 && memchr(".,;:!?)]}*_", s[len - 1], 11) != NULL)
		len--;
	if (len > QT_BODY_URL)
		len = QT_BODY_URL;
	if (len <= sizeof "https://" - 1) /* no host */
		return;
	for (i = 0; i < b->nurls; i++)
		if (b->url[i].len == len && memcmp(b->url[i].s, s, len) == 0)
			return;
	if (b->nurls == QT_BODY_URLS)
		b->more_urls = true;
	else
		b->url[b->nurls++] = (struct qt_body_url){s, len};
}

static void find_urls(struct qt_body *b)
{
	const char *s = qt_buf_str(&b->text), *end = s + b->text.len, *p, *q;

	for (p = s; (p = memmem(p, (size_t)(end - p), "://", 3)) != NULL;
	     p = q) {
		q = p + 3;
		if (p - s >= 5 && is_url(p - 5, end))
			p -= 5;
		else if (p - s >= 4 && is_url(p - 4, end))
			p -= 4;
		else
			continue;
		while (q < end && !ends_url(*q))
			q++;
		add_url(b, p, (size_t)(q - p));
	}
}

/* ---- the text ---- */

/* What is at work while the body comes by. */
struct reading {
	struct qt_body *b;
	struct qt_mime mime;
	struct qt_transfer code;
	bool fresh; /* code is yet to be set for this part */
	bool in_line; /* the line began in the block before */
	struct qt_digest sum;
	char *block;
	size_t cap, len;
	size_t summed; /* bytes of it that are in the sum */
};

/* A line of a part, or a piece of one; nl: its end is here. */
static void text_line(struct reading *r, const char *s, size_t len, bool nl)
{
	if (!r->mime.text || r->mime.code == QT_MIME_OTHER ||
	    r->b->text.len >= QT_BODY_TEXT)
		return;
	if (r->fresh)
		qt_transfer_init(&r->code, r->mime.code);
	r->fresh = false;
	/* with its line end, which is a byte behind it in the block */
	qt_transfer_decode(&r->code, &r->b->text, s, len + nl);
}

static void line(struct reading *r, const char *s, size_t len, bool nl)
{
	if (r->in_line || qt_mime_line(&r->mime, s, len) == QT_MIME_BODY) {
		text_line(r, s, len, nl);
	} else {
		if (!r->fresh && r->b->text.len < QT_BODY_TEXT)
			qt_buf_addc(&r->b->text, '\n'); /* parts are apart */
		r->fresh = true;
	}
	r->in_line = !nl;
}

/* The lines in the block; what has no end yet stays, or, of a line as long as
 * the block, is taken as it is. */
static void flush(struct reading *r, bool last)
{
	char *p = r->block, *end = p + r->len, *nl;

	qt_digest_add(&r->sum, p + r->summed, r->len - r->summed);
	if (qt_mime_simple(&r->mime)) { /* its lines mean nothing */
		text_line(r, p, r->len, false);
		r->len = r->summed = 0;
		return;
	}
	while ((nl = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		line(r, p, (size_t)(nl - p), true);
		p = nl + 1;
	}
	if (p < end && (last || p == r->block)) {
		line(r, p, (size_t)(end - p), false);
		p = end;
	}
	r->len = r->summed = (size_t)(end - p);
	memmove(r->block, p, r->len);
}

static void take(struct reading *r, const void *bytes, size_t len)
{
	const char *s = bytes;
	size_t n;

	for (; len > 0; s += n, len -= n) {
		if (r->len == r->cap)
			flush(r, false);
		n = len < r->cap - r->len ? len : r->cap - r->len;
		memcpy(r->block + r->len, s, n);
		r->len += n;
	}
}

/* No body: that is so if all of the content can be read. */
static int see_end(struct qt_content *c, struct qt_error *err)
{
	struct qt_piece piece;
	int r;

	while ((r = qt_content_next(c, &piece, err)) == 0)
		;
	return r;
}

/* Behind the first empty line, of a header longer than what is kept of it. */
static int skip_header(struct qt_content *c, struct qt_error *err)
{
	struct qt_piece piece;
	bool in_line = false;
	int r;

	while ((r = qt_content_next(c, &piece, err)) == 0) {
		if (!in_line && piece.len == 0)
			return 0;
		in_line = !piece.eol;
	}
	return r;
}

static int read_text(struct reading *r, struct qt_content *c,
    struct qt_error *err)
{
	struct qt_piece piece;
	bool open_line = false;
	int rc;

	while ((rc = qt_content_next(c, &piece, err)) == 0) {
		take(r, piece.data, piece.len);
		if (piece.eol)
			take(r, "\n", 1);
		open_line = !piece.eol;
	}
	if (open_line)
		take(r, "\n", 1);
	flush(r, true);
	return rc < 0 ? -1 : 0;
}

static int read_body(struct reading *r, struct qt_input *in, uint64_t content,
    const struct qt_headers *h, struct qt_error *err)
{
	struct qt_error why = {0};
	struct qt_content c;
	int rc = 0;

	qt_content_init(&c, in, h->body != 0 ? h->body : content);
	if (h->truncated)
		rc = skip_header(&c, &why);
	else if (h->body == 0)
		rc = see_end(&c, &why);
	if (rc == 0)
		rc = read_text(r, &c, &why);
	if (rc < 0 && why.code == QT_E_CORRUPT)
		return 0;
	if (rc < 0) {
		if (err != NULL)
			*err = why;
		return -1;
	}
	r->b->have = true;
	return qt_digest_final(&r->sum, r->b->sum, err);
}

uint64_t qt_body_content(struct qt_input *in, const struct qt_msg *msg,
    bool maildrop)
{
	struct qt_record rec;
	struct qt_error ignored;
	struct qt_walk w;

	if (!maildrop && msg->have_size && msg->size[1] > 0)
		return (uint64_t)msg->size[1];
	qt_walk_init(&w, in, false, 0);
	while (qt_walk_next(&w, &rec, &ignored) == 0)
		if (rec.type == QT_REC_MESG)
			return rec.payload + rec.length;
	return 0;
}

int qt_body_read(struct qt_body *b, struct qt_input *in, uint64_t content,
    const struct qt_headers *h, const struct qt_digest_kind *sha256,
    struct qt_error *err)
{
	struct reading r = {.b = b, .fresh = true,
	    .cap = in->size < BLOCK ? (size_t)in->size + 1 : BLOCK};
	int rc = -1;

	if (content == 0)
		return 0;
	qt_mime_init(&r.mime, h);
	if (qt_digest_init_kind(&r.sum, sha256, err) != 0)
		return -1;
	r.block = malloc(r.cap);
	if (r.block == NULL)
		(void)qt_fail_mem(err);
	else
		rc = read_body(&r, in, content, h, err);
	free(r.block);
	qt_digest_release(&r.sum);
	if (rc != 0 || !b->have || qt_buf_check(&b->text, err) != 0)
		return rc != 0 || !b->have ? rc : -1;
	if (b->text.len > QT_BODY_TEXT)
		b->text.len = QT_BODY_TEXT;
	b->have_words = qt_body_simhash(qt_buf_str(&b->text), b->text.len,
	    &b->simhash);
	find_urls(b);
	return 0;
}

/* ---- telling ---- */

/* In HTML "&amp;" is "&". */
static void put_url(struct qt_buf *out, const struct qt_body_url *u)
{
	const char *p = u->s, *end = p + u->len, *amp;

	qt_buf_addc(out, '"');
	while ((amp = memmem(p, (size_t)(end - p), "&amp;", 5)) != NULL) {
		qt_escape_json(out, p, (size_t)(amp - p) + 1);
		p = amp + 5;
	}
	qt_escape_json(out, p, (size_t)(end - p));
	qt_buf_addc(out, '"');
}

void qt_body_tell(struct qt_buf *out, const struct qt_body *b)
{
	char hex[QT_SHA256_HEX];
	unsigned i;

	if (b == NULL || !b->have) {
		qt_buf_adds(out, ",\"body_sha256\":null,"
		    "\"body_simhash\":null,\"urls\":null");
		return;
	}
	qt_digest_hex(b->sum, hex);
	qt_buf_addf(out, ",\"body_sha256\":\"%s\",\"body_simhash\":", hex);
	if (b->have_words)
		qt_buf_addf(out, "\"%016llx\"", (unsigned long long)b->simhash);
	else
		qt_buf_adds(out, "null");
	qt_buf_adds(out, ",\"urls\":[");
	for (i = 0; i < b->nurls; i++) {
		if (i != 0)
			qt_buf_addc(out, ',');
		put_url(out, &b->url[i]);
	}
	qt_buf_adds(out, b->more_urls ? "],\"more_urls\":true" : "]");
}
