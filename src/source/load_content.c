/*
 * load_content.c - header fields, body text and logs of a row.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "qtool/queueid.h"
#include "source/below.h"
#include "source/keep.h"
#include "source/staged.h"

#define LOG_MAX ((size_t)16 << 20)	   /* bytes of one log file */

/* ---- headers and body ---- */

/*
 * Where the content begins: what the C record says, or, where there is none to
 * be used (maildrop, unfinished and corrupt files), behind the M record.  0:
 * nowhere.
 */
static uint64_t content_start(struct qt_loader *l, const struct qt_row *row)
{
	struct qt_walk w;
	struct qt_record rec;
	struct qt_error ignored;

	if (row->queue != QT_Q_MAILDROP && row->msg.have_size &&
	    row->msg.size[1] > 0)
		return (uint64_t)row->msg.size[1];
	qt_walk_init(&w, &l->file.in, false, 0);
	while (qt_walk_next(&w, &rec, &ignored) == 0)
		if (rec.type == QT_REC_MESG)
			return rec.payload + rec.length;
	return 0;
}

/*
 * The body's offset when the header was longer than what is kept of it: behind
 * the first empty line.  0: there is none.
 */
static uint64_t skip_header(struct qt_loader *l, uint64_t start)
{
	struct qt_content c;
	struct qt_piece piece;
	struct qt_error ignored;
	bool in_line = false;

	qt_content_init(&c, &l->file.in, start);
	while (qt_content_next(&c, &piece, &ignored) == 0) {
		if (!in_line && piece.len == 0)
			return c.cur.pos;
		in_line = !piece.eol;
	}
	return 0;
}

/*
 * Text from offset on.  It is never longer than the file, since every line
 * costs its record two bytes and gives one line end; only pointers that lead
 * over the same text again can make more of it, and those are cut.
 */
static int read_body(struct qt_loader *l, struct qt_row *row, uint64_t start,
    struct qt_error *err)
{
	uint64_t rest = l->file.in.size > start ? l->file.in.size - start : 0;
	size_t max = rest < QT_ROW_BODY_MAX ? (size_t)rest : QT_ROW_BODY_MAX;
	struct qt_content c;
	struct qt_piece piece;
	char *text = qt_arena_alloc(&row->arena, max + 1);
	size_t n, len = 0;
	int rc;

	if (text == NULL)
		return qt_fail_mem(err);
	qt_content_init(&c, &l->file.in, start);
	while ((rc = qt_content_next(&c, &piece, err)) == 0) {
		n = piece.len < max - len ? piece.len : max - len;
		memcpy(text + len, piece.data, n);
		len += n;
		if (n < piece.len || (piece.eol && len == max)) {
			row->body_cut = true;
			break;
		}
		if (piece.eol)
			text[len++] = '\n';
	}
	text[len] = '\0';
	row->body = text;
	row->body_len = len;
	if (rc >= 0)
		return 0;
	row->body_cut = true;
	return rc;
}

int qt_load_content(struct qt_loader *l, struct qt_row *row,
    struct qt_error *err)
{
	uint64_t start = content_start(l, row), body;
	struct qt_content c;

	if (start == 0)
		return 0;
	qt_content_init(&c, &l->file.in, start);
	if (qt_headers_read(&row->headers, &c, QT_ROW_HEADER_MAX, &row->arena,
		err) != 0) {
		row->body_cut = true;
		return -1;
	}
	if ((l->plan->want & QT_WANT_BODY) == 0)
		return 0;
	body = row->headers.truncated ? skip_header(l, start)
				      : row->headers.body;
	if (body == 0) {
		row->body = "";
		return 0;
	}
	return read_body(l, row, body, err);
}

/* ---- logs ---- */

/* Room for one more entry. */
static struct qt_log_entry *new_entry(struct qt_logs *logs, size_t *cap,
    struct qt_arena *arena)
{
	struct qt_log_entry *v;

	if (logs->n == *cap) {
		size_t more = *cap != 0 ? 2 * *cap : 4;

		v = qt_arena_alloc(arena, more * sizeof *v);
		if (v == NULL)
			return NULL;
		if (logs->n > 0)
			memcpy(v, logs->v, logs->n * sizeof *v);
		logs->v = v;
		*cap = more;
	}
	return &logs->v[logs->n];
}

static bool are_brief(unsigned want)
{
	return (want & QT_WANT_DIAGS) == 0;
}

/* Append the entries of a log's text to those there are. */
static int take_log(struct qt_logs *logs, const char *text, size_t len,
    enum qt_log_kind kind, bool brief, struct qt_arena *arena,
    struct qt_error *err)
{
	struct qt_log_reader r;
	struct qt_log_entry *e;
	size_t cap = logs->n; /* of what is there nothing is spare */
	int rc;

	qt_log_reader_init(&r, text, len, kind);
	r.brief = brief;
	do {
		e = new_entry(logs, &cap, arena);
		if (e == NULL)
			return qt_fail_mem(err);
		rc = qt_log_reader_next(&r, e, arena, err);
		if (rc == 0)
			logs->n++;
	} while (rc == 0);
	return rc < 0 ? rc : 0;
}

/* The logs of one kind of a message in an archive: they came with it. */
static int load_held(struct qt_row *row, struct qt_logs *logs,
    enum qt_queue queue, enum qt_log_kind kind, struct qt_error *err)
{
	const struct qt_scan_row *r = (const struct qt_scan_row *)(void *)row;
	const struct qt_held *h = &r->held;

	for (unsigned i = 0; i < h->nlogs; i++)
		if (h->log[i].kind == queue &&
		    take_log(logs, (const char *)h->bytes + h->log[i].at,
			h->log[i].len, kind, are_brief(row->want),
			&row->arena, err) != 0)
			return -1;
	return 0;
}

/*
 * One log file: its entries, and, where kept is not NULL, its bytes.  Takes fd;
 * -1: it could not be opened, errno says why.
 */
static int read_log(struct qt_loader *l, struct qt_logs *logs, int fd,
    enum qt_log_kind kind, struct qt_kept_file *kept, struct qt_arena *arena,
    struct qt_error *err)
{
	struct qt_error ignored;
	int rc = 0;

	/* no log is the usual case, one that is none of Postfix's is none */
	if (fd < 0) {
		if (kept != NULL)
			kept->absent = errno == ENOENT;
		return 0;
	}
	if (kept != NULL)
		rc = qt_keep_open(l, kept, fd, arena, err);
	if (rc == 0 && logs != NULL && kept != NULL && kept->have) {
		rc = take_log(logs, (const char *)kept->data, kept->len, kind,
		    are_brief(l->plan->want), arena, err);
	} else if (rc == 0 && logs != NULL &&
	    qt_slurp_fd(fd, "", LOG_MAX, &l->log, &ignored) == 0) {
		rc = take_log(logs, l->log.data, l->log.len, kind,
		    are_brief(l->plan->want), arena, err);
		if (l->log.cap > QT_BUF_KEEP_MAX)
			qt_buf_release(&l->log);
	}
	(void)close(fd);
	return rc;
}

/* The i-th log of a row's kept ones; NULL: they are not kept. */
static struct qt_kept_file *kept_log(const struct qt_row *row, unsigned i)
{
	return row->kept != NULL ? &row->kept->log[i] : NULL;
}

/* The three kinds; each has its place among the kept logs. */
static const struct {
	enum qt_queue queue;
	enum qt_log_kind kind;
} kinds[] = {{QT_Q_DEFER, QT_LOG_DEFER}, {QT_Q_BOUNCE, QT_LOG_BOUNCE},
    {QT_Q_TRACE, QT_LOG_TRACE}};

/* The logs of one kind of a staged message, beside it in its transaction. */
static int load_staged(struct qt_loader *l, struct qt_row *row,
    struct qt_logs *logs, unsigned k, struct qt_error *err)
{
	char path[QT_STAGED_PATH_SIZE + QT_STAGED_NAME_SIZE];
	int rc = 0;

	for (unsigned i = 0; i < QT_STAGED_LOGS && rc == 0; i++) {
		if (qt_staged_log(row->path, kinds[k].queue, i, path,
			sizeof path) != 0)
			continue;
		rc = read_log(l, logs,
		    qt_open_file_below(row->spool->dirfd, path), kinds[k].kind,
		    kept_log(row, k * QT_STAGED_LOGS + i), &row->arena, err);
	}
	return rc;
}

/* logs NULL: the entries are not wanted. */
static int load_kind(struct qt_loader *l, struct qt_row *row,
    struct qt_logs *logs, unsigned k, struct qt_error *err)
{
	int fd;

	if (logs == NULL && row->kept == NULL)
		return 0;
	if (row->spool->packed != NULL)
		return logs == NULL ? 0 : load_held(row, logs, kinds[k].queue,
		    kinds[k].kind, err);
	if (row->spool->txid != 0)
		return load_staged(l, row, logs, k, err);
	fd = qt_logdirs_open(l->plan->logdirs, row->spool, kinds[k].queue,
	    row->id, &l->logs_refused);
	return read_log(l, logs, fd, kinds[k].kind,
	    kept_log(row, k * QT_STAGED_LOGS), &row->arena, err);
}

int qt_load_logs(struct qt_loader *l, struct qt_row *row, struct qt_error *err)
{
	const unsigned want = l->plan->want;
	bool defer = (want & QT_WANT_LOGS) != 0;
	bool bounce = (want & QT_WANT_BOUNCES) != 0 ||
	    (defer && row->spool->orig_address);

	if (load_kind(l, row, defer ? &row->defer : NULL, 0, err) != 0 ||
	    load_kind(l, row, bounce ? &row->bounce : NULL, 1, err) != 0)
		return -1;
	return load_kind(l, row, NULL, 2, err);
}
