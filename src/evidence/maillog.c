/*
 * maillog.c - the lines of mail logs that are about certain mail.
 *
 * A line is taken when
 *
 *	it is of one of the queue IDs, or names one ("queued as ID");
 *	it says sasl_username= of one of the accounts: its queue ID is the
 *	    account's from there to its "removed", also when that mail is not
 *	    in the archive;
 *	it names, in brackets, an address that an account came from, and
 *	    neither a queue ID nor a login that is somebody else's.
 *
 * So of a network that others use too only connections are taken, and not
 * whose mail went over them.
 */
#include "evidence/maillog.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "qtool/queueid.h"

#define PIECE ((size_t)128 << 10)
#define LINE_MAX_BYTES ((size_t)64 << 10)
#define WORD_MAX 256 /* of a login, an address, a queue ID */
#define LEARNT_MAX ((size_t)4 << 20)

int qt_maillog_init(struct qt_maillog *m, struct qt_error *err)
{
	*m = (struct qt_maillog){.lines = 0};
	return qt_seen_init(&m->ids, err) != 0 ||
		qt_seen_init(&m->accounts, err) != 0 ||
		qt_seen_init(&m->addresses, err) != 0 ||
		qt_seen_init(&m->learnt, err) != 0 ? -1 : 0;
}

void qt_maillog_release(struct qt_maillog *m)
{
	qt_seen_release(&m->ids);
	qt_seen_release(&m->accounts);
	qt_seen_release(&m->addresses);
	qt_seen_release(&m->learnt);
}

/* In lower case; false when it is longer than any, or has a NUL in it: what is
 * before that would be taken for the whole. */
static bool lower(char out[WORD_MAX], const char *s, size_t len)
{
	size_t i;

	if (len == 0 || len >= WORD_MAX || memchr(s, '\0', len) != NULL)
		return false;
	for (i = 0; i < len; i++)
		out[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
	out[len] = '\0';
	return true;
}

static int add_lower(struct qt_seen *s, const char *word, struct qt_error *err)
{
	char low[WORD_MAX];

	if (word == NULL || !lower(low, word, strlen(word)))
		return 0;
	return qt_seen_add(s, low, err) < 0 ? -1 : 0;
}

static bool local_address(const char *a)
{
	return strncmp(a, "127.", 4) == 0 || strcmp(a, "::1") == 0 ||
	    strcmp(a, "unknown") == 0;
}

int qt_maillog_add(struct qt_maillog *m, const char *id, const char *log_ident,
    const char *account, const char *address, struct qt_error *err)
{
	if (qt_queue_id_valid(id) && qt_seen_add(&m->ids, id, err) < 0)
		return -1;
	if (log_ident != NULL && qt_queue_id_valid(log_ident) &&
	    qt_seen_add(&m->ids, log_ident, err) < 0)
		return -1;
	if (account == NULL || account[0] == '\0')
		return 0;
	if (add_lower(&m->accounts, account, err) != 0)
		return -1;
	return address == NULL || local_address(address) ? 0 :
	    add_lower(&m->addresses, address, err);
}

/* ---- a line ---- */

struct line {
	const char *s, *end;
	char id[WORD_MAX]; /* the queue ID that it begins with; "" none */
	char word[WORD_MAX];
};

static bool word_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z');
}

/* "... postfix/smtpd[123]: 3F2A1C0D4E: client=...": what is between colons. */
static void find_id(struct line *l)
{
	const char *p = l->s, *q;

	l->id[0] = '\0';
	while ((p = memmem(p, (size_t)(l->end - p), "]: ", 3)) != NULL) {
		p += 3;
		for (q = p; q < l->end && word_char(*q); q++)
			;
		if (q == l->end || *q != ':' || q - p >= WORD_MAX || q == p)
			return; /* what follows is text of others */
		memcpy(l->id, p, (size_t)(q - p));
		l->id[q - p] = '\0';
		/* "warning:" and its like are lower case */
		if (!qt_queue_id_valid(l->id) || strcmp(l->id, "NOQUEUE") == 0 ||
		    strpbrk(l->id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
			NULL)
			l->id[0] = '\0';
		return;
	}
}

/* Any word of the line that is in a set; word gets it. */
static bool names_id(const struct qt_maillog *m, struct line *l)
{
	const char *p = l->s, *q;

	while (p < l->end) {
		for (q = p; q < l->end && word_char(*q); q++)
			;
		if (q - p >= 6 && q - p < WORD_MAX) {
			memcpy(l->word, p, (size_t)(q - p));
			l->word[q - p] = '\0';
			if (qt_seen_has(&m->ids, l->word) ||
			    qt_seen_has(&m->learnt, l->word))
				return true;
		}
		p = q + 1;
	}
	return false;
}

/* The login that the line speaks of: 0 none, 1 one of ours, -1 another. */
static int login(const struct qt_maillog *m, const struct line *l)
{
	static const char key[] = "sasl_username=";
	const char *p = memmem(l->s, (size_t)(l->end - l->s), key,
	    sizeof key - 1), *q;
	char low[WORD_MAX];

	if (p == NULL)
		return 0;
	p += sizeof key - 1;
	for (q = p; q < l->end && *q != ',' && *q != ' '; q++)
		;
	return lower(low, p, (size_t)(q - p)) && qt_seen_has(&m->accounts, low)
	    ? 1 : -1;
}

static bool names_address(const struct qt_maillog *m, const struct line *l)
{
	const char *p = l->s, *q;
	char low[WORD_MAX];

	while ((p = memchr(p, '[', (size_t)(l->end - p))) != NULL) {
		p++;
		q = memchr(p, ']', (size_t)(l->end - p));
		if (q == NULL)
			return false;
		if (lower(low, p, (size_t)(q - p)) &&
		    qt_seen_has(&m->addresses, low))
			return true;
	}
	return false;
}

static bool ends_with(const struct line *l, const char *s)
{
	size_t n = strlen(s);

	return (size_t)(l->end - l->s) >= n && memcmp(l->end - n, s, n) == 0;
}

/* 1 the line is about this mail, 0 not. */
static int judge(struct qt_maillog *m, struct line *l, struct qt_error *err)
{
	bool ours;
	int who;

	find_id(l);
	ours = l->id[0] != '\0' && (qt_seen_has(&m->ids, l->id) ||
	    qt_seen_has(&m->learnt, l->id));
	who = login(m, l);
	if (!ours && who > 0 && l->id[0] != '\0' &&
	    m->learnt.n < LEARNT_MAX &&
	    qt_seen_add(&m->learnt, l->id, err) < 0)
		return -1;
	if (ours && ends_with(l, ": removed"))
		qt_seen_remove(&m->learnt, l->id);
	if (ours || who > 0)
		return 1;
	if (who < 0)
		return 0;
	if (l->id[0] != '\0') /* somebody's mail; it may lead to ours */
		return names_id(m, l);
	return names_id(m, l) || names_address(m, l);
}

static int take(struct qt_maillog *m, const char *s, size_t len,
    struct qt_spill *out, struct qt_error *err)
{
	struct line l = {.s = s, .end = s + len};
	int r;

	if (len != 0 && s[len - 1] == '\r')
		l.end--;
	r = judge(m, &l, err);
	if (r <= 0)
		return r;
	m->lines++;
	return qt_spill_add(out, s, len, err) != 0 ? -1 :
	    qt_spill_add(out, "\n", 1, err);
}

/* ---- a file ---- */

/* Bytes to lines: what is behind the last line end waits in rest. */
struct lines {
	struct qt_maillog *m;
	struct qt_spill *out;
	struct qt_buf rest;
	bool too_long; /* the line that is being read, and is not kept */
};

/* Part of a line, which goes on. */
static int keep_part(struct lines *w, const char *p, size_t n,
    struct qt_error *err)
{
	if (w->rest.len + n > LINE_MAX_BYTES)
		w->too_long = true;
	else if (!w->too_long)
		qt_buf_add(&w->rest, p, n);
	return qt_buf_check(&w->rest, err);
}

/* The last part of a line; most lines are one. */
static int end_line(struct lines *w, const char *p, size_t n,
    struct qt_error *err)
{
	int r = 0;

	if (w->rest.len == 0 && !w->too_long && n <= LINE_MAX_BYTES)
		return take(w->m, p, n, w->out, err);
	if (keep_part(w, p, n, err) != 0)
		return -1;
	if (w->too_long)
		w->m->skipped++;
	else
		r = take(w->m, qt_buf_str(&w->rest), w->rest.len, w->out, err);
	w->too_long = false;
	qt_buf_clear(&w->rest);
	return r;
}

static int add_bytes(struct lines *w, const char *p, size_t len,
    struct qt_error *err)
{
	const char *end = p + len, *nl;

	for (; p < end; p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL)
			return keep_part(w, p, (size_t)(end - p), err);
		if (end_line(w, p, (size_t)(nl - p), err) < 0)
			return -1;
	}
	return 0;
}

static int read_fail(struct archive *a, const char *file, struct qt_error *err)
{
	const char *text = archive_error_string(a);

	return qt_fail(err, QT_E_LIBRARY, file, "cannot be read: %s",
	    text != NULL ? text : "damaged");
}

static int copy_lines(struct lines *w, struct archive *a, const char *file,
    struct qt_error *err)
{
	struct archive_entry *e;
	char *buf = malloc(PIECE);
	la_ssize_t n;
	int r;

	if (buf == NULL)
		return qt_fail_mem(err);
	r = archive_read_next_header(a, &e);
	if (r == ARCHIVE_EOF) {
		free(buf); /* an empty file */
		return 0;
	}
	n = r == ARCHIVE_OK ? 1 : -1;
	while (n > 0 && (n = archive_read_data(a, buf, PIECE)) > 0) {
		if (w->m->stop != NULL && *w->m->stop) {
			free(buf);
			return qt_fail(err, QT_E_INTERRUPTED, file,
			    "interrupted, no archive was made");
		}
		if (add_bytes(w, buf, (size_t)n, err) != 0) {
			free(buf);
			return -1;
		}
	}
	free(buf);
	if (n < 0)
		return read_fail(a, file, err);
	/* a last line without its end */
	if (w->rest.len != 0 || w->too_long)
		return add_bytes(w, "\n", 1, err);
	return 0;
}

static int open_log(struct archive *a, int fd, const char *file,
    struct qt_error *err)
{
	/* not all that libarchive knows: for some it runs programs */
	(void)archive_read_support_filter_gzip(a);
	(void)archive_read_support_filter_bzip2(a);
	(void)archive_read_support_filter_xz(a);
	(void)archive_read_support_filter_zstd(a);
	if (archive_read_support_format_raw(a) != ARCHIVE_OK ||
	    archive_read_support_format_empty(a) != ARCHIVE_OK ||
	    archive_read_open_fd(a, fd, PIECE) != ARCHIVE_OK)
		return read_fail(a, file, err);
	return 0;
}

int qt_maillog_take(struct qt_maillog *m, const char *file,
    struct qt_spill *out, struct qt_error *err)
{
	struct lines w = {.m = m, .out = out};
	struct archive *a;
	int fd = open(file, O_RDONLY | O_NOCTTY | O_CLOEXEC), r;

	if (fd < 0)
		return qt_fail_own(err, "open", file);
	a = archive_read_new();
	qt_buf_init(&w.rest, 2 * LINE_MAX_BYTES);
	r = a != NULL ? open_log(a, fd, file, err) : qt_fail_mem(err);
	if (r == 0)
		r = copy_lines(&w, a, file, err);
	qt_buf_release(&w.rest);
	if (a != NULL)
		(void)archive_read_free(a);
	(void)close(fd);
	return r;
}
