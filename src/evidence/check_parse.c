/*
 * check_parse.c - what the tables should say of a message, worked out of its
 * file as it comes by, by what the archive was written with.
 */
#include "evidence/check.h"

#include <string.h>

#include "evidence/facts.h"
#include "qtool/escape.h"

/* What of a row its file decides and no column of the tables tells. */
static void fact_line(struct qt_buf *out, const char *path, int64_t mtime,
    const struct qt_facts *facts)
{
	qt_buf_addf(out, "{\"path\":\"%s\",\"tar_mtime\":%lld", path,
	    (long long)mtime);
	if (facts != NULL)
		qt_buf_add(out, qt_buf_str(&facts->json), facts->json.len);
	else
		qt_buf_adds(out, ",\"state\":\"corrupt\"");
	qt_buf_adds(out, "}\n");
}

static int put_facts(struct qt_check *c, const char *path, enum qt_queue queue,
    const char *id, int64_t mtime, struct qt_facts_file *f,
    struct qt_error *err)
{
	struct qt_body body;
	const struct qt_facts_of of = {.msg = &f->msg, .headers = &f->headers,
	    .queue = queue, .id = id, .file_only = true, .body = &body};
	struct qt_facts facts;
	struct qt_buf line;
	int r = 0;

	qt_buf_init(&line, 0);
	qt_facts_init(&facts);
	qt_body_init(&body);
	if (!f->corrupt)
		r = qt_body_read(&body, &f->in, f->content, &f->headers,
		    &c->sha256, err);
	if (r == 0)
		r = qt_facts_tell(&facts, &of, err);
	if (r == 0) {
		fact_line(&line, path, mtime, f->corrupt ? NULL : &facts);
		r = qt_buf_check(&line, err);
	}
	if (r == 0)
		r = qt_spill_add(&c->facts, line.data, line.len, err);
	/* a corrupt one has those before the damage */
	if (r == 0 && facts.rcpts.len != 0)
		r = qt_spill_add(&c->rcpts, facts.rcpts.data, facts.rcpts.len,
		    err);
	qt_body_release(&body);
	qt_facts_release(&facts);
	qt_buf_release(&line);
	return r;
}

int qt_check_message(struct qt_check *c, const char *path, enum qt_queue queue,
    const char *id, int64_t mtime, struct qt_error *err)
{
	struct qt_facts_file f;
	int r = qt_facts_parse(&f, &c->message, queue, err);

	if (r == 0)
		r = put_facts(c, path, queue, id, mtime, &f, err);
	qt_facts_file_release(&f);
	return r;
}
