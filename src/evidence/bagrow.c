/*
 * bagrow.c - a line of messages.jsonl read back (line.c writes it).
 */
#include "evidence/bagrow.h"

#include <string.h>

#include "evidence/json.h"

static bool is(const char *key, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(key, name, len) == 0;
}

/* A string into room for it; false: none, or too long. */
static bool text(const struct qt_json *v, char *to, size_t size)
{
	struct qt_buf b;
	bool good;

	qt_buf_init(&b, size + 1);
	good = qt_json_text(v, &b) && !b.failed && b.len < size;
	if (good)
		(void)strlcpy(to, qt_buf_str(&b), size);
	qt_buf_release(&b);
	return good;
}

static bool is_sum(const char *s)
{
	return strspn(s, "0123456789abcdef") == 64 && s[64] == '\0';
}

/* What a file's members are: true when it is one of them. */
static bool take_file(struct qt_bagfile *f, const char *key, size_t len,
    const struct qt_json *v, bool *good)
{
	if (is(key, len, "path"))
		*good = text(v, f->path, sizeof f->path);
	else if (is(key, len, "size"))
		*good = qt_json_u64(v, &f->size);
	else if (is(key, len, "sha256"))
		*good = text(v, f->sha256, sizeof f->sha256) &&
		    is_sum(f->sha256);
	else
		return false;
	return true;
}

static bool complete(const struct qt_bagfile *f)
{
	return f->path[0] != '\0' && f->sha256[0] != '\0';
}

static int log_member(void *ctx, const char *key, size_t len,
    const struct qt_json *v)
{
	struct qt_bagfile *f = ctx;
	char kind[16];
	bool good = true;

	if (take_file(f, key, len, v, &good))
		return good ? 0 : 1;
	if (!is(key, len, "kind"))
		return 0;
	f->kind = text(v, kind, sizeof kind) ? qt_queue_by_name(kind) :
					       QT_Q_COUNT;
	return f->kind >= QT_Q_DEFER && f->kind < QT_Q_COUNT ? 0 : 1;
}

static int log_element(void *ctx, const char *key, size_t len,
    const struct qt_json *v)
{
	struct qt_bagrow *r = ctx;
	struct qt_bagfile *f;

	(void)key;
	(void)len;
	if (r->nlogs == QT_LINE_LOGS)
		return 1;
	f = &r->log[r->nlogs++];
	f->kind = QT_Q_COUNT;
	if (qt_json_each(v, log_member, f) != 0)
		return 1;
	return complete(f) && f->kind != QT_Q_COUNT ? 0 : 1;
}

static int stat_member(void *ctx, const char *key, size_t len,
    const struct qt_json *v)
{
	struct qt_bagrow *r = ctx;

	return is(key, len, "mtime_ns") && !qt_json_i64(v, &r->mtime_ns);
}

static int member(void *ctx, const char *key, size_t len,
    const struct qt_json *v)
{
	struct qt_bagrow *r = ctx;
	char queue[16];
	bool good = true;

	if (take_file(&r->file, key, len, v, &good))
		return good ? 0 : 1;
	if (is(key, len, "queue_name"))
		r->queue = text(v, queue, sizeof queue) ?
		    qt_queue_by_name(queue) : QT_Q_COUNT;
	else if (is(key, len, "queue_id") && !text(v, r->id, sizeof r->id))
		r->id[0] = '\0';
	else if (is(key, len, "name_b64"))
		r->odd = true;
	else if (is(key, len, "stat"))
		return qt_json_each(v, stat_member, r) == 0 ? 0 : 1;
	else if (is(key, len, "logs"))
		return qt_json_each(v, log_element, r) == 0 ? 0 : 1;
	return 0;
}

int qt_bagrow_read(struct qt_bagrow *r, const char *line, size_t len,
    const char **why)
{
	struct qt_json v;

	*r = (struct qt_bagrow){.queue = QT_Q_COUNT};
	if (!qt_json_read(line, len, &v) || v.type != QT_JSON_OBJECT) {
		*why = "is no JSON object";
		return 1;
	}
	if (qt_json_each(&v, member, r) != 0 || !complete(&r->file)) {
		*why = "does not say which file it is about";
		return 1;
	}
	return 0;
}
