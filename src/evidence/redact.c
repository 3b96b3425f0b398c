/*
 * redact.c - people's names taken out of text.
 *
 * A name is looked for as a word, and between the signs that longer names are
 * put together with (bounce-joe=example.org, joe+shop, joe.doe): more is taken
 * out than has to be rather than less.  What is encoded (base64,
 * quoted-printable, encoded words) cannot be looked through like this: eml.c and
 * eml_body.c decode it, or leave it out.
 */
#include "evidence/redact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/io.h"
#include "evidence/hash.h"
#include "evidence/spill.h"
#include "evidence/words.h"

#define TOKEN_BYTES 10 /* 16 characters */
#define SHORT 2	       /* names up to this only as part of an address */
#define CUTS 12	       /* places where one word is taken apart */

struct qt_redact_name {
	const char *s; /* lower case, not terminated */
	size_t len;
	bool odd; /* has signs that no word has: looked for anywhere */
	char kind; /* of its token: 'r' or 'u' */
};

/* ---- the key ---- */

int qt_redact_key_make(struct qt_redact_key *key, struct qt_error *err)
{
	if (getrandom(key->bytes, sizeof key->bytes, 0) !=
	    (ssize_t)sizeof key->bytes)
		return qt_fail_own(err, "getrandom", "");
	return 0;
}

void qt_redact_key_text(const struct qt_redact_key *key, struct qt_buf *out)
{
	char hex[QT_SHA256_HEX];

	_Static_assert(QT_REDACT_KEY == QT_SHA256_SIZE, "one form for both");
	qt_digest_hex(key->bytes, hex);
	qt_buf_addf(out, "%s\n", hex);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	    c >= 'a' && c <= 'f'    ? c - 'a' + 10 :
	    c >= 'A' && c <= 'F'    ? c - 'A' + 10 :
				      -1;
}

int qt_redact_key_read(struct qt_redact_key *key, const char *file,
    struct qt_error *err)
{
	struct qt_buf b;
	size_t i = 0;
	int r;

	qt_buf_init(&b, 4096);
	r = qt_slurp(AT_FDCWD, file, 1024, &b, err);
	while (r == 0 && i < QT_REDACT_KEY && b.len > 2 * i + 1 &&
	    digit(b.data[2 * i]) >= 0 && digit(b.data[2 * i + 1]) >= 0) {
		key->bytes[i] = (unsigned char)(digit(b.data[2 * i]) << 4 |
		    digit(b.data[2 * i + 1]));
		i++;
	}
	if (r == 0 && (i != QT_REDACT_KEY || strcmp(b.data + 2 * i, "\n") != 0))
		r = qt_fail(err, QT_E_USAGE, file,
		    "is no key: one line of 64 hexadecimal digits is wanted");
	if (b.data != NULL)
		explicit_bzero(b.data, b.len);
	qt_buf_release(&b);
	return r;
}

/* ---- words ---- */

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool is_joint(char c)
{
	return c == '.' || c == '_' || c == '+' || c == '-' || c == '\'' ||
	    c == '&';
}

/* What a local part is written with, unquoted; not =, which VERP puts in. */
static bool is_word(char c)
{
	unsigned char u = (unsigned char)c;

	return (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z') ||
	    (u >= 'A' && u <= 'Z') || u >= 0x80 || is_joint(c);
}

static int compare(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t n = alen < blen ? alen : blen, i;

	for (i = 0; i < n; i++)
		if (lower(a[i]) != lower(b[i]))
			return lower(a[i]) < lower(b[i]) ? -1 : 1;
	return alen < blen ? -1 : alen > blen;
}

static int by_name(const void *a, const void *b)
{
	const struct qt_redact_name *x = a, *y = b;

	return compare(x->s, x->len, y->s, y->len);
}

/* The kind of a name that is to be hidden; '\0': it is none. */
static char name_kind(const struct qt_redactor *r, const char *s, size_t len)
{
	const struct qt_redact_name key = {.s = s, .len = len}, *found;

	if (r->n == 0)
		return '\0';
	found = bsearch(&key, r->v, r->n, sizeof *r->v, by_name);
	return found != NULL ? found->kind : '\0';
}

/* ---- tokens ---- */

static void token(const struct qt_redactor *r, struct qt_buf *out, char kind,
    const char *s, size_t len)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char sum[QT_SHA256_SIZE];
	char text[3 + 8 * TOKEN_BYTES / 5], *p = text, *copy;
	uint64_t bits = 0;
	unsigned have = 0;
	size_t i;

	copy = malloc(len + 1);
	if (copy == NULL) {
		out->failed = true;
		return;
	}
	for (i = 0; i < len; i++)
		copy[i] = (char)lower(s[i]);
	if (!qt_hmac(r->key->bytes, sizeof r->key->bytes, copy, len, sum))
		out->failed = true;
	free(copy);
	*p++ = kind;
	*p++ = '-';
	for (i = 0; i < TOKEN_BYTES; i++) {
		bits = bits << 8 | sum[i];
		for (have += 8; have >= 5; have -= 5)
			*p++ = digits[bits >> (have - 5) & 31];
	}
	qt_buf_add(out, text, (size_t)(p - text));
}

/* Of a name that is hidden in any case. */
static void hide(const struct qt_redactor *r, struct qt_buf *out,
    const char *s, size_t len)
{
	char kind = name_kind(r, s, len);

	token(r, out, kind != '\0' ? kind :
	    r->level == QT_REDACT_FULL ? 'u' : 'r', s, len);
}

/* ---- names ---- */

/* Names on their way into the list. */
struct adding {
	struct qt_redactor *r;
	struct qt_arena *arena;
	size_t cap;
	char kind;
};

static int add_name(struct adding *a, const char *s, size_t len,
    struct qt_error *err)
{
	struct qt_redactor *r = a->r;
	struct qt_redact_name *v;
	size_t i;
	bool odd = false;

	if (len == 0)
		return 0;
	if (r->n == a->cap) {
		a->cap = a->cap != 0 ? 2 * a->cap : 16;
		v = qt_arena_alloc(a->arena, a->cap * sizeof *v);
		if (v == NULL)
			return qt_fail_mem(err);
		if (r->n != 0)
			memcpy(v, r->v, r->n * sizeof *v);
		r->v = v;
	}
	for (i = 0; i < len; i++)
		odd = odd || !is_word(s[i]);
	r->v[r->n++] = (struct qt_redact_name){.s = s, .len = len, .odd = odd,
	    .kind = a->kind};
	return 0;
}

/* The local part of an address, and what of it is before a plus sign. */
static int add_address(struct adding *a, const char *s, size_t len,
    struct qt_error *err)
{
	const char *at = memrchr(s, '@', len);
	size_t n = at != NULL ? (size_t)(at - s) : len;
	const char *plus;

	if (n > 2 && s[0] == '"' && s[n - 1] == '"') {
		s++;
		n -= 2;
	}
	plus = memchr(s, '+', n);
	if (plus != NULL && add_name(a, s, (size_t)(plus - s), err) != 0)
		return -1;
	return add_name(a, s, n, err);
}

bool qt_redact_rcpt_field(const char *name)
{
	static const char *const names[] = {"to", "cc", "bcc", "resent-to",
	    "resent-cc", "resent-bcc", "delivered-to", "x-original-to",
	    "apparently-to", "envelope-to", "x-envelope-to"};
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

bool qt_redact_next_address(const char *text, size_t len, size_t *at,
    size_t *local, size_t *end)
{
	const char *sign;
	size_t i, k;

	while (*at < len) {
		sign = memchr(text + *at, '@', len - *at);
		if (sign == NULL)
			break;
		i = (size_t)(sign - text);
		for (k = i; k > *at && (is_word(text[k - 1]) ||
			text[k - 1] == '=' || text[k - 1] == '%'); k--)
			;
		for (*end = i + 1; *end < len && (is_word(text[*end])); ++*end)
			;
		*local = k;
		*at = i + 1;
		if (k < i) {
			*at = *end;
			return true;
		}
	}
	return false;
}

/* The words of text that are no address: "Joe Jones" beside one. */
static int add_words(struct adding *a, const char *s, size_t len,
    struct qt_error *err)
{
	size_t i, k, n;

	for (i = 0; i < len; i += n + 1) {
		for (n = 0; i + n < len && (is_word(s[i + n]) ||
			s[i + n] == '@'); n++)
			;
		for (k = n; k > 0 && is_joint(s[i + k - 1]); k--)
			;
		if (k > SHORT && memchr(s + i, '@', k) == NULL &&
		    add_name(a, s + i, k, err) != 0)
			return -1;
	}
	return 0;
}

/* What people are called in a field beside their addresses. */
static int add_called(struct adding *a, const struct qt_header *f,
    struct qt_error *err)
{
	struct qt_buf plain;
	char charset[32], *copy;
	int r = 0;

	qt_buf_init(&plain, 0);
	if (qt_words_decode(&plain, f->value, f->value_len, charset) &&
	    plain.len != 0) {
		copy = qt_arena_dup(a->arena, plain.data, plain.len);
		r = copy == NULL ? qt_fail_mem(err) :
		    add_words(a, copy, plain.len, err);
	}
	qt_buf_release(&plain);
	return r;
}

/* What the fields of the header that name recipients have. */
static int add_fields(struct adding *a, const struct qt_headers *h,
    struct qt_error *err)
{
	size_t i, at, local, end;
	const struct qt_header *f;

	for (i = 0; i < h->n; i++) {
		f = &h->v[i];
		if (!qt_redact_rcpt_field(f->name))
			continue;
		if (add_called(a, f, err) != 0)
			return -1;
		at = 0;
		while (qt_redact_next_address(f->value, f->value_len, &at,
		    &local, &end))
			if (add_address(a, f->value + local, end - local,
				err) != 0)
				return -1;
	}
	return 0;
}

static int add_text(struct adding *a, const char *address,
    struct qt_error *err)
{
	return address == NULL ? 0 :
	    add_address(a, address, strlen(address), err);
}

static int add_rcpts(struct adding *a, const struct qt_msg *msg,
    struct qt_error *err)
{
	const char *orcpt;
	size_t i;

	for (i = 0; i < msg->nrcpt && msg->rcpt != NULL; i++) {
		orcpt = msg->rcpt[i].dsn_orcpt;
		orcpt = orcpt != NULL ? strchr(orcpt, ';') : NULL;
		if (add_text(a, msg->rcpt[i].address, err) != 0 ||
		    add_text(a, msg->rcpt[i].orig, err) != 0 ||
		    add_text(a, orcpt != NULL ? orcpt + 1 : NULL, err) != 0)
			return -1;
	}
	return 0;
}

/* The login stands in Received fields, without a domain where it has none. */
static int add_users(struct adding *a, const struct qt_msg *msg,
    const struct qt_headers *headers, struct qt_error *err)
{
	const struct qt_header *from = headers != NULL ?
	    qt_headers_find(headers, "From") : NULL;

	a->kind = 'u';
	if (from != NULL && add_called(a, from, err) != 0)
		return -1;
	return add_text(a, msg->sasl_username, err) != 0 ||
		add_text(a, msg->sasl_sender, err) != 0 ||
		add_text(a, msg->sender, err) != 0 ? -1 : 0;
}

int qt_redactor_init(struct qt_redactor *r, enum qt_redact level,
    const struct qt_redact_key *key, const struct qt_msg *msg,
    const struct qt_headers *headers, struct qt_arena *arena,
    struct qt_error *err)
{
	struct adding a = {.r = r, .arena = arena, .kind = 'r'};

	*r = (struct qt_redactor){.level = level, .key = key,
	    /* a report on delivery is about other mail's recipients */
	    .all = level == QT_REDACT_FULL || msg->sender == NULL ||
		msg->sender[0] == '\0'};
	if (add_rcpts(&a, msg, err) != 0 ||
	    (headers != NULL && add_fields(&a, headers, err) != 0) ||
	    (level == QT_REDACT_FULL && add_users(&a, msg, headers, err) != 0))
		return -1;
	if (r->n != 0)
		qsort(r->v, r->n, sizeof *r->v, by_name);
	return 0;
}

/*
 * The logins that Received fields tell, "(Authenticated sender: joe)": of what a
 * filter gave back there is no other trace.
 */
static int add_received(struct adding *a, const struct qt_headers *h,
    struct qt_error *err)
{
	static const char sign[] = "(Authenticated sender: ";
	const char *s, *end, *close;
	size_t i;

	for (i = 0; i < h->n; i++) {
		if (strcasecmp(h->v[i].name, "Received") != 0)
			continue;
		s = h->v[i].value;
		end = s + h->v[i].value_len;
		while ((s = memmem(s, (size_t)(end - s), sign,
			    sizeof(sign) - 1)) != NULL) {
			s += sizeof(sign) - 1;
			close = memchr(s, ')', (size_t)(end - s));
			close = close != NULL ? close : end;
			if (add_address(a, s, (size_t)(close - s), err) != 0)
				return -1;
			s = close;
		}
	}
	return 0;
}

int qt_redactor_add_user(struct qt_redactor *r, const char *login,
    const struct qt_headers *headers, struct qt_arena *arena,
    struct qt_error *err)
{
	struct adding a = {.r = r, .arena = arena, .cap = r->n, .kind = 'u'};

	if (add_text(&a, login, err) != 0 ||
	    (headers != NULL && add_received(&a, headers, err) != 0))
		return -1;
	if (r->n != 0)
		qsort(r->v, r->n, sizeof *r->v, by_name);
	return 0;
}

/* ---- text ---- */

void qt_redact_local(const struct qt_redactor *r, struct qt_buf *out,
    const char *local, size_t len)
{
	token(r, out, 'r', local, len);
}

void qt_redact_address(const struct qt_redactor *r, struct qt_buf *out,
    const char *address)
{
	size_t len = strlen(address);
	const char *at = memrchr(address, '@', len);
	size_t n = at != NULL ? (size_t)(at - address) : len;
	bool quoted = n > 2 && address[0] == '"' && address[n - 1] == '"';

	if (n != 0)
		token(r, out, 'r', address + quoted, n - 2 * quoted);
	if (at != NULL)
		qt_buf_adds(out, at);
}

/*
 * Whether s[0, len) of a word may be hidden: what follows is at rest.  A login in
 * a Received field ends in a parenthesis.
 */
static bool may_hide(char kind, size_t len, const char *rest, const char *end)
{
	return len > SHORT || (rest < end && (*rest == '@' || *rest == '=' ||
		(kind == 'u' && *rest == ')')));
}

/*
 * Whether a word may be two at the border before p: bytes that are no ASCII
 * may be letters, or what was put beside a name and is shown as nothing.
 */
static bool alphabets_meet(const char *p)
{
	return (((unsigned char)p[-1] ^ (unsigned char)p[0]) & 0x80) != 0;
}

/*
 * The longest name that begins at p within the word [p, word), on the borders
 * of its parts; 0 none.
 */
static size_t name_at(const struct qt_redactor *r, const char *p,
    const char *word, const char *end)
{
	size_t cut[CUTS + 1], n = 0;
	const char *q;
	char kind;

	for (q = p + 1; q < word && n < CUTS; q++)
		if (is_joint(*q) || alphabets_meet(q))
			cut[n++] = (size_t)(q - p);
	cut[n++] = (size_t)(word - p);
	while (n-- > 0) {
		kind = name_kind(r, p, cut[n]);
		if (kind != '\0' && may_hide(kind, cut[n], p + cut[n], end))
			return cut[n];
	}
	return 0;
}

static void redact_word(const struct qt_redactor *r, struct qt_buf *out,
    const char *p, const char *word, const char *end)
{
	bool start = true;
	size_t n;

	if (r->all && word + 1 < end && *word == '@' &&
	    is_word(word[1])) {
		hide(r, out, p, (size_t)(word - p));
		return;
	}
	while (p < word) {
		n = start ? name_at(r, p, word, end) : 0;
		if (n != 0) {
			hide(r, out, p, n);
			p += n;
			start = false;
			continue;
		}
		qt_buf_addc(out, *p);
		start = is_joint(*p);
		p++;
		start = start || (p < word && alphabets_meet(p));
	}
}

/* The first of names [lo, hi), which begin alike for at bytes, whose next byte is
 * above c, or, not_below, is not below it. */
static size_t narrow(const struct qt_redact_name *v, size_t lo, size_t hi,
    size_t at, unsigned char c, bool not_below)
{
	unsigned char next;
	size_t mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		next = lower(v[mid].s[at]);
		if (not_below ? next >= c : next > c)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/*
 * The longest name with signs in it that no word has, anywhere; NULL none.  Names
 * are sorted, those that begin with a shorter one behind it: the range of those
 * that fit is narrowed byte by byte, whoever chose the names.
 */
static const struct qt_redact_name *odd_at(const struct qt_redactor *r,
    const char *p, const char *end)
{
	const struct qt_redact_name *best = NULL, *v = r->v;
	size_t lo = 0, hi = r->n, at;

	for (at = 0;; at++) {
		for (; lo < hi && v[lo].len == at; lo++)
			if (v[lo].odd)
				best = &v[lo];
		if (lo == hi || p + at == end)
			return best;
		lo = narrow(v, lo, hi, at, lower(p[at]), true);
		hi = narrow(v, lo, hi, at, lower(p[at]), false);
	}
}

static bool any_odd(const struct qt_redactor *r)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->v[i].odd)
			return true;
	return false;
}

static bool ends_url(char c)
{
	return (unsigned char)c <= ' ' || c == '"' || c == '<' || c == '>' ||
	    c == ')' || c == ']';
}

void qt_redact_text(const struct qt_redactor *r, struct qt_buf *out,
    const char *text, size_t len)
{
	const char *p = text, *end = text + len, *word;
	bool url = false, odd = any_odd(r);
	const struct qt_redact_name *name;

	while (p < end) {
		name = odd ? odd_at(r, p, end) : NULL;
		if (name != NULL) {
			token(r, out, name->kind, p, name->len);
			p += name->len;
			continue;
		}
		if (is_word(*p)) {
			for (word = p; word < end && is_word(*word); word++)
				;
			redact_word(r, out, p, word, end);
			p = word;
			continue;
		}
		if (*p == ':' && end - p > 2 && p[1] == '/' && p[2] == '/')
			url = true;
		url = url && !ends_url(*p);
		qt_buf_addc(out, *p);
		if (url && (*p == '?' || *p == '#')) {
			qt_buf_adds(out, "redacted");
			while (p + 1 < end && !ends_url(p[1]))
				p++;
			url = false;
		}
		p++;
	}
}

void qt_redact_user(const struct qt_redactor *r, struct qt_buf *out,
    const char *text, size_t len)
{
	const char *at = memrchr(text, '@', len);
	size_t n = at != NULL ? (size_t)(at - text) : len;

	if (r->level != QT_REDACT_FULL) {
		qt_redact_text(r, out, text, len);
		return;
	}
	if (n != 0)
		hide(r, out, text, n);
	qt_buf_add(out, text + n, len - n);
}

void qt_redact_subject(const struct qt_redactor *r, struct qt_buf *out,
    const char *text, size_t len)
{
	if (r->level == QT_REDACT_FULL)
		token(r, out, 's', text, len);
	else
		qt_redact_text(r, out, text, len);
}

/* ---- columns ---- */

static bool among(const char *name, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

bool qt_redact_column(const struct qt_redactor *r, const char *name,
    struct qt_buf *out, const char *text, size_t len)
{
	/* where, when and how; a column that comes later is redacted */
	static const char *const as_is[] = {"host", "queue_name", "queue_id",
	    "state", "sender_domain", "sender_org", "sasl_method",
	    "client_address", "client_name", "client_port", "protocol_name",
	    "message_origin", "log_ident", "peer_address", "peer_name",
	    "peer_port", "rcpt_domain", "rcpt_domains", "class", "from_domain",
	    "content_type", "bounce_of", "dsn", "account_basis", NULL};
	static const char *const users[] = {"sender", "sasl_username",
	    "sasl_sender", "account", "from_addr", "reply_to", "bounce_sender",
	    NULL};
	static const char *const never[] = {"recipients", "body", NULL};

	if (among(name, never))
		return false;
	if (among(name, as_is))
		qt_buf_add(out, text, len);
	else if (among(name, users))
		qt_redact_user(r, out, text, len);
	else if (strcmp(name, "subject") == 0)
		qt_redact_subject(r, out, text, len);
	else
		qt_redact_text(r, out, text, len);
	return true;
}
