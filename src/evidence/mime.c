/*
 * mime.c - which lines of a body are text, and how they are encoded.
 *
 * A boundary counts wherever it stands, not in its own multipart alone: a mail
 * program that reads it otherwise sees a part more or less, and none that is
 * encoded is taken for plain.
 */
#include "evidence/mime.h"

#include <string.h>
#include <strings.h>

/* ---- fields ---- */

static bool has_word(const char *s, size_t len, const char *word)
{
	size_t n = strlen(word), i;

	for (i = 0; i + n <= len; i++)
		if (strncasecmp(s + i, word, n) == 0)
			return true;
	return false;
}

static bool begins(const char *s, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && strncasecmp(s, word, n) == 0;
}

/* Where the value of a parameter begins; NULL: there is none.  *n: its length. */
static const char *parameter(const char *s, size_t len, const char *name,
    size_t *n)
{
	const char *end = s + len, *p;
	size_t k = strlen(name);

	for (p = s; p + k + 1 < end; p++)
		if (strncasecmp(p, name, k) == 0 && p[k] == '=')
			break;
	if (p + k + 1 >= end)
		return NULL;
	p += k + 1;
	*n = 0;
	if (*p == '"') {
		for (p++; p + *n < end && p[*n] != '"'; ++*n)
			;
	} else {
		for (; p + *n < end && memchr(" \t;\r\n", p[*n], 5) == NULL; ++*n)
			;
	}
	return p;
}

static void learn_code(struct qt_mime *m, const char *s, size_t len)
{
	enum qt_mime_code code;

	while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
		len--;
	code = len == 6 && begins(s, len, "base64") ? QT_MIME_BASE64 :
	    len == 16 && begins(s, len, "quoted-printable") ? QT_MIME_QP :
	    len == 4 && (begins(s, len, "7bit") || begins(s, len, "8bit")) ?
		QT_MIME_PLAIN :
		QT_MIME_OTHER;
	if (m->told_code && code != m->code)
		code = QT_MIME_OTHER;
	m->told_code = true;
	m->code = code;
}

/* The end of such a name: "15", "1252", "r". */
static bool is_number(const char *s, size_t len)
{
	return len > 0 && len <= 2 &&
	    memchr("0123456789ruRU", s[0], 14) != NULL &&
	    (len == 1 || (s[1] >= '0' && s[1] <= '9'));
}

bool qt_mime_ascii_charset(const char *s, size_t len)
{
	static const char *const whole[] = {"us-ascii", "ascii", "utf-8", "utf8",
	    NULL};
	static const char *const numbered[] = {"iso-8859-", "iso8859-",
	    "windows-125", "cp125", "koi8-", NULL};
	size_t n;
	int i;

	for (i = 0; whole[i] != NULL; i++)
		if (strlen(whole[i]) == len && begins(s, len, whole[i]))
			return true;
	for (i = 0; numbered[i] != NULL; i++) {
		n = strlen(numbered[i]);
		if (begins(s, len, numbered[i]) && is_number(s + n, len - n))
			return true;
	}
	return false;
}

/* What RFC 2046 5.1.1 allows, but for blanks. */
static bool plain_boundary(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (s[i] == '\0' || strchr("0123456789abcdefghijklmnopqrstuvwxyz"
			"ABCDEFGHIJKLMNOPQRSTUVWXYZ'()+_,-./:=?", s[i]) == NULL)
			return false;
	return true;
}

static void learn_boundary(struct qt_mime *m, const char *s, size_t len)
{
	size_t n;
	const char *p = parameter(s, len, "boundary", &n);

	if (p == NULL) {
		/* where "boundary =" is read as one, say */
		if (begins(s, len, "multipart/"))
			m->doubt = true;
		return;
	}
	if (n == 0 || !plain_boundary(p, n))
		m->doubt = true;
	if (n == 0)
		return;
	if (m->nboundaries == QT_MIME_BOUNDARIES ||
	    n >= sizeof m->boundary[0]) {
		m->doubt = true;
		return;
	}
	memcpy(m->boundary[m->nboundaries], p, n);
	m->boundary[m->nboundaries++][n] = '\0';
}

static void learn_type(struct qt_mime *m, const char *s, size_t len)
{
	size_t n;
	const char *charset = parameter(s, len, "charset", &n);

	m->nested = begins(s, len, "message/") ||
	    begins(s, len, "text/rfc822-headers");
	m->text = begins(s, len, "text/") || begins(s, len, "multipart/") ||
	    m->nested;
	m->html = begins(s, len, "text/html");
	if (charset != NULL ? !qt_mime_ascii_charset(charset, n) :
			      has_word(s, len, "charset"))
		m->ascii = false;
	/* boundary*0=... (RFC 2231); parts that are messages without saying so;
	 * of two fields any may count */
	if (has_word(s, len, "boundary*") || has_word(s, len, "charset*") ||
	    begins(s, len, "multipart/digest") || m->told_type)
		m->doubt = true;
	m->told_type = true;
	learn_boundary(m, s, len);
}

static void learn(struct qt_mime *m, const char *name, size_t name_len,
    const char *value, size_t len)
{
	while (name_len > 0 && (name[name_len - 1] == ' ' ||
		name[name_len - 1] == '\t'))
		name_len--;
	while (len > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		len--;
	}
	if (name_len == 25 &&
	    strncasecmp(name, "content-transfer-encoding", 25) == 0)
		learn_code(m, value, len);
	else if (name_len == 12 && strncasecmp(name, "content-type", 12) == 0)
		learn_type(m, value, len);
}

/* The field that has been read, if any. */
static void end_field(struct qt_mime *m)
{
	const char *colon = memchr(m->field, ':', m->field_len);

	if (colon != NULL)
		learn(m, m->field, (size_t)(colon - m->field), colon + 1,
		    m->field_len - (size_t)(colon + 1 - m->field));
	m->field_len = 0;
}

/* ---- parts ---- */

/* A header follows: nothing is known of what comes after it. */
static void begin_part(struct qt_mime *m)
{
	m->code = QT_MIME_PLAIN;
	m->text = m->ascii = true;
	m->html = m->nested = m->told_code = m->told_type = false;
	m->in_header = true;
	m->field_len = 0;
}

void qt_mime_init(struct qt_mime *m, const struct qt_headers *h)
{
	size_t i;

	m->nboundaries = 0;
	m->doubt = h->truncated;
	begin_part(m);
	for (i = 0; i < h->n; i++)
		if ((h->v[i].name[0] | 0x20) == 'c')
			learn(m, h->v[i].name, strlen(h->v[i].name),
			    h->v[i].value, h->v[i].value_len);
	m->in_header = m->nested && m->code == QT_MIME_PLAIN;
	if (m->in_header)
		begin_part(m);
	else if (m->nested)
		m->code = QT_MIME_OTHER;
}

bool qt_mime_simple(const struct qt_mime *m)
{
	return m->nboundaries == 0 && !m->in_header;
}

static bool is_boundary(const struct qt_mime *m, const char *s, size_t len)
{
	unsigned i;
	size_t n;

	if (len < 3 || s[0] != '-' || s[1] != '-')
		return false;
	for (i = 0; i < m->nboundaries; i++) {
		n = strlen(m->boundary[i]);
		if (len >= n + 2 && memcmp(s + 2, m->boundary[i], n) == 0)
			return true;
	}
	return false;
}

static void header_line(struct qt_mime *m, const char *s, size_t len)
{
	if (len != 0 && s[0] != ' ' && s[0] != '\t')
		end_field(m);
	if (len > sizeof m->field - m->field_len) {
		/* whatever it says, it is not taken for what it is not */
		m->doubt = true;
		len = sizeof m->field - m->field_len;
	}
	memcpy(m->field + m->field_len, s, len);
	m->field_len += len;
}

enum qt_mime_line qt_mime_line(struct qt_mime *m, const char *s, size_t len)
{
	if (is_boundary(m, s, len)) {
		begin_part(m);
		return QT_MIME_BOUNDARY;
	}
	if (!m->in_header)
		return QT_MIME_BODY;
	if (len != 0) {
		header_line(m, s, len);
		return QT_MIME_HEADER;
	}
	end_field(m);
	m->in_header = m->nested && m->code == QT_MIME_PLAIN;
	if (m->in_header) /* a message in the message: its header comes now */
		begin_part(m);
	else if (m->nested)
		m->code = QT_MIME_OTHER; /* which no mail program makes */
	return QT_MIME_HEADER;
}
