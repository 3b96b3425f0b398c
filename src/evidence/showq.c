/*
 * showq.c - what Postfix itself says of its queue, taken while programs can
 * still be run, for an archive that is made later.
 *
 * It is the whole queue, however large: the bytes go through a spill, and each
 * line is looked at as it comes, so that an archive is not begun with what its
 * own check would find fault with.  A postqueue that fails, falls silent or
 * says too much is an error: half a list would be taken for the queue.
 */
#include "evidence/showq.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/proc.h"
#include "evidence/outfile.h"
#include "evidence/tarstream.h"
#include "format/json.h"

/* A message of a million recipients is one line, with a reason for each. */
#define LINE_MAX_BYTES ((size_t)256 << 20)
#define MEMORY ((size_t)4 << 20)
/*
 * showq opens each file: a cold disk gives some hundred messages a second, and
 * postqueue writes every few of them.
 */
#define SILENCE_MS (300 * 1000)

/* ---- lines ---- */

void qt_showq_lines_init(struct qt_showq_lines *l)
{
	*l = (struct qt_showq_lines){.n = 0};
	qt_buf_init(&l->line, LINE_MAX_BYTES);
}

void qt_showq_lines_release(struct qt_showq_lines *l)
{
	qt_buf_release(&l->line);
}

/* What is wrong with a line; NULL: nothing. */
static const char *flaw_of(const char *line, size_t len)
{
	bool queue = false, id = false;
	struct qt_json_value key, v;
	struct qt_json j;
	int r = -1;

	if (qt_json_open(&j, '{', line, len))
		while ((r = qt_json_member(&j, &key, &v)) == 0) {
			queue = queue || (qt_json_is(&key, "queue_name") &&
			    v.type == QT_JSON_STRING);
			id = id || (qt_json_is(&key, "queue_id") &&
			    v.type == QT_JSON_STRING);
		}
	return r != 1 ? "is no JSON object" :
	    !queue    ? "has no queue_name" :
	    !id	      ? "has no queue_id" :
			NULL;
}

static int end_line(struct qt_showq_lines *l, const char *line, size_t len,
    qt_showq_bad_fn *bad, void *ctx, struct qt_error *err)
{
	const char *why = l->too_long ? "is longer than it can be" :
					flaw_of(line, len);

	l->n++;
	l->too_long = false;
	qt_buf_clear(&l->line);
	return why != NULL ? bad(ctx, l->n, why, err) : 0;
}

/* The beginning of a line whose end is yet to come, or the middle of it. */
static int keep(struct qt_showq_lines *l, const char *bytes, size_t len,
    struct qt_error *err)
{
	if (l->too_long || len > LINE_MAX_BYTES - l->line.len) {
		l->too_long = true;
		qt_buf_release(&l->line);
		return 0;
	}
	qt_buf_add(&l->line, bytes, len);
	return qt_buf_check(&l->line, err);
}

int qt_showq_lines_take(struct qt_showq_lines *l, const void *bytes,
    size_t len, qt_showq_bad_fn *bad, void *ctx, struct qt_error *err)
{
	const char *p = bytes, *end = p + len, *lf;
	int r = 0;

	for (; r == 0 && p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL)
			return keep(l, p, (size_t)(end - p), err);
		if (l->line.len == 0 && !l->too_long) { /* as most are */
			r = end_line(l, p, (size_t)(lf - p), bad, ctx, err);
			continue;
		}
		r = keep(l, p, (size_t)(lf - p), err);
		if (r == 0)
			r = end_line(l, qt_buf_str(&l->line), l->line.len, bad,
			    ctx, err);
	}
	return r;
}

int qt_showq_lines_end(struct qt_showq_lines *l, qt_showq_bad_fn *bad,
    void *ctx, struct qt_error *err)
{
	if (l->line.len == 0 && !l->too_long)
		return 0;
	return end_line(l, qt_buf_str(&l->line), l->line.len, bad, ctx, err);
}

/* ---- taking it ---- */

struct taking {
	const struct qt_showq_opts *opts;
	struct qt_showq *q;
	struct qt_showq_lines lines;
	uint64_t max;
	const char *name; /* of the program, for messages */
};

static int on_bad_line(void *ctx, uint64_t n, const char *why,
    struct qt_error *err)
{
	const struct taking *t = ctx;

	return qt_fail_at(err, QT_E_LIBRARY, t->name, (int64_t)n,
	    "line %llu of what it says %s", (unsigned long long)n, why);
}

static int on_output(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	struct taking *t = ctx;

	if (len > t->max - qt_spill_size(&t->q->text))
		return qt_fail(err, QT_E_NOMEM, t->name,
		    "it says more of the queue than the %llu bytes that an "
		    "archive takes", (unsigned long long)t->max);
	if (qt_showq_lines_take(&t->lines, bytes, len, on_bad_line, t, err) !=
		0 || qt_spill_add(&t->q->text, bytes, len, err) != 0)
		return -1;
	if (t->opts->progress != NULL)
		t->opts->progress(t->opts->progress_ctx, t->lines.n);
	return 0;
}

static int tell_command(struct qt_showq *q, const char *const argv[],
    struct qt_error *err)
{
	struct qt_buf b;
	size_t i;
	int r;

	qt_buf_init(&b, 0);
	for (i = 0; argv[i] != NULL; i++)
		qt_buf_addf(&b, "%s%s", i != 0 ? " " : "", argv[i]);
	r = qt_buf_check(&b, err);
	if (r == 0) {
		q->command = strdup(qt_buf_str(&b));
		r = q->command != NULL ? 0 : qt_fail_mem(err);
	}
	qt_buf_release(&b);
	return r;
}

static int run(struct taking *t, const struct qt_spool *spool,
    struct qt_error *err)
{
	const char *argv[5] = {t->name, "-j", NULL};
	const struct qt_proc_sink sink = {.take = on_output, .ctx = t,
	    .silence_ms = t->opts->silence_ms != 0 ? t->opts->silence_ms :
						     SILENCE_MS,
	    .stop = t->opts->stop};
	struct qt_showq *q = t->q;

	if (spool->config_dir != NULL) {
		argv[1] = "-c";
		argv[2] = spool->config_dir;
		argv[3] = "-j";
	}
	q->begun = (int64_t)time(NULL);
	if (tell_command(q, argv, err) != 0 ||
	    qt_proc_stream(argv, &sink, err) != 0 ||
	    qt_showq_lines_end(&t->lines, on_bad_line, t, err) != 0)
		return -1;
	q->ended = (int64_t)time(NULL);
	q->messages = t->lines.n;
	return 0;
}

/*
 * Where the archive will be, for what does not fit into memory; that it can be
 * there is seen to before anybody waits.
 */
static int open_dir(const struct qt_showq_opts *opts, int *dirfd,
    struct qt_error *err)
{
	enum qt_packing packing;
	struct qt_outfile o;
	struct stat st;
	int r;

	if (strcmp(opts->file, "-") != 0 && stat(opts->file, &st) == 0 &&
	    S_ISDIR(st.st_mode)) {
		*dirfd = open(opts->file, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return *dirfd >= 0 ? 0 : qt_fail_own(err, "open", opts->file);
	}
	if (qt_packing_by_name(opts->file, &packing, err) != 0)
		return -1;
	r = qt_outfile_place(&o, opts->file, opts->stop, err);
	if (r == 0) {
		*dirfd = o.dirfd;
		o.dirfd = -1;
	}
	qt_outfile_release(&o);
	return r;
}

int qt_showq_take(struct qt_showq **out, const struct qt_spool *spool,
    const struct qt_showq_opts *opts, struct qt_error *err)
{
	struct taking t = {.opts = opts,
	    .max = opts->max != 0 ? opts->max : QT_SHOWQ_MAX,
	    .name = opts->program != NULL ? opts->program : "postqueue"};
	int dirfd = -1, r;

	if (open_dir(opts, &dirfd, err) != 0)
		return -1;
	t.q = calloc(1, sizeof *t.q);
	if (t.q == NULL) {
		qt_close_quiet(&dirfd);
		return qt_fail_mem(err);
	}
	qt_spill_init(&t.q->text, dirfd,
	    opts->memory != 0 ? opts->memory : MEMORY);
	qt_showq_lines_init(&t.lines);
	r = run(&t, spool, err);
	qt_showq_lines_release(&t.lines);
	/* it is only read from now on */
	t.q->text.dirfd = -1;
	qt_close_quiet(&dirfd);
	if (r == 0)
		*out = t.q;
	else
		qt_showq_free(t.q);
	return r;
}

void qt_showq_free(struct qt_showq *q)
{
	if (q == NULL)
		return;
	qt_spill_release(&q->text);
	free(q->command);
	free(q);
}
