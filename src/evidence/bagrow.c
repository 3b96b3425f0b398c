/*
 * bagrow.c - a line of messages.jsonl read back (line.c writes it).
 */
#include "evidence/bagrow.h"

#include <string.h>

#include "format/json.h"

static bool is_sum(const char *s)
{
	return strspn(s, "0123456789abcdef") == 64 && s[64] == '\0';
}

/* What a file's members are: false when it is none of them. */
static bool take_file(struct qt_bagfile *f, const struct qt_json_value *key,
    const struct qt_json_value *v, bool *good)
{
	if (qt_json_is(key, "path"))
		*good = qt_json_text(v, f->path, sizeof f->path);
	else if (qt_json_is(key, "size"))
		*good = qt_json_uint(v, &f->size);
	else if (qt_json_is(key, "sha256"))
		*good = qt_json_text(v, f->sha256, sizeof f->sha256) &&
		    is_sum(f->sha256);
	else
		return false;
	return true;
}

static bool complete(const struct qt_bagfile *f)
{
	return f->path[0] != '\0' && f->sha256[0] != '\0';
}

/* A log, an object of the array "logs". */
static bool take_log(struct qt_bagfile *f, const struct qt_json_value *v)
{
	struct qt_json_value key, inner;
	struct qt_json j;
	char kind[16];
	bool good = true;
	int r = -1;

	f->kind = QT_Q_COUNT;
	if (qt_json_open(&j, '{', v->text, v->len))
		while (good && (r = qt_json_member(&j, &key, &inner)) == 0)
			if (!take_file(f, &key, &inner, &good) &&
			    qt_json_is(&key, "kind") &&
			    qt_json_text(&inner, kind, sizeof kind))
				f->kind = qt_queue_by_name(kind);
	return r == 1 && good && complete(f) && f->kind >= QT_Q_DEFER &&
	    f->kind < QT_Q_COUNT;
}

static bool take_logs(struct qt_bagrow *row, const struct qt_json_value *v)
{
	struct qt_json_value inner;
	struct qt_json j;
	int r;

	if (!qt_json_open(&j, '[', v->text, v->len))
		return false;
	while ((r = qt_json_element(&j, &inner)) == 0)
		if (row->nlogs == QT_LINE_LOGS ||
		    !take_log(&row->log[row->nlogs++], &inner))
			return false;
	return r == 1;
}

static bool take_stat(struct qt_bagrow *row, const struct qt_json_value *v)
{
	struct qt_json_value key, inner;
	struct qt_json j;
	int r;

	if (!qt_json_open(&j, '{', v->text, v->len))
		return false;
	while ((r = qt_json_member(&j, &key, &inner)) == 0)
		if (qt_json_is(&key, "mtime_ns") &&
		    !qt_json_int(&inner, &row->mtime_ns))
			return false;
	return r == 1;
}

static bool take_member(struct qt_bagrow *row, const struct qt_json_value *key,
    const struct qt_json_value *v)
{
	char queue[16];
	bool good = true;

	if (take_file(&row->file, key, v, &good))
		return good;
	if (qt_json_is(key, "queue_name"))
		row->queue = qt_json_text(v, queue, sizeof queue) ?
		    qt_queue_by_name(queue) : QT_Q_COUNT;
	else if (qt_json_is(key, "queue_id") &&
	    !qt_json_text(v, row->id, sizeof row->id))
		row->id[0] = '\0';
	else if (qt_json_is(key, "found") &&
	    !qt_json_text(v, row->found, sizeof row->found))
		row->found[0] = '\0';
	else if (qt_json_is(key, "name_b64"))
		row->odd = true;
	else if (qt_json_is(key, "stat"))
		return take_stat(row, v);
	else if (qt_json_is(key, "logs"))
		return take_logs(row, v);
	return true;
}

int qt_bagrow_read(struct qt_bagrow *row, const char *line, size_t len,
    const char **why)
{
	struct qt_json_value key, v;
	struct qt_json j;
	bool good = true;
	int r = -1;

	*row = (struct qt_bagrow){.queue = QT_Q_COUNT};
	if (qt_json_open(&j, '{', line, len))
		while (good && (r = qt_json_member(&j, &key, &v)) == 0)
			good = take_member(row, &key, &v);
	if (good && r == 1 && complete(&row->file))
		return 0;
	*why = good && r != 1 ? "is no JSON object" :
				"does not say which file it is about";
	return 1;
}
