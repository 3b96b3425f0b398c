/*
 * packed_bag.c - what a bag's metadata tell of the files in it: the host, and
 * where and as what each file lay in the queue.
 *
 * They are the archive's own claims, and may be wrong: they change what is shown
 * about a file, never which files there are or what is in them.
 */
#include "source/packed.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "format/json.h"
#include "source/spool_priv.h"
#include "source/tree.h"

#define PIECE ((size_t)64 << 10)
#define CASE_MAX ((size_t)4 << 20)
#define LINE_MAX ((size_t)64 << 20) /* has all recipients of a message */
#define PATH_SIZE 1024u

static int bad(const struct qt_packed *p, const char *what,
    struct qt_error *err)
{
	if (p->line == 0)
		return qt_fail(err, QT_E_STATE, p->spool->queue_dir,
		    "metadata/case.json in it: %s", what);
	return qt_fail_at(err, QT_E_STATE, p->spool->queue_dir,
	    (int64_t)p->line, "metadata/messages.jsonl in it: line %llu %s",
	    (unsigned long long)p->line, what);
}

/* What cannot be used, of a damaged archive: passed over. */
static int pass_over(struct qt_packed *p, struct qt_error *err)
{
	if (!p->salvage || err->code != QT_E_STATE)
		return -1;
	if (p->damaged++ == 0)
		p->damage = *err;
	return 0;
}

/* ---- case.json ---- */

static int take_case(struct qt_packed *p, const struct qt_buf *text,
    struct qt_error *err)
{
	struct qt_spool *s = p->spool;
	struct qt_json_value key, v;
	struct qt_json j;
	char value[PATH_SIZE];
	int rc;

	if (!qt_json_open(&j, '{', qt_buf_str(text), text->len))
		return bad(p, "is no JSON object", err);
	while ((rc = qt_json_member(&j, &key, &v)) == 0) {
		if (!qt_json_text(&v, value, sizeof value) ||
		    value[0] == '\0')
			continue;
		if (qt_json_is(&key, "host") &&
		    qt_spool_set(&s->host, value, err) != 0)
			return -1;
		if (qt_json_is(&key, "mail_version") &&
		    qt_spool_set_version(s, value, err) != 0)
			return -1;
		if (qt_json_is(&key, "redaction"))
			p->redacted = strcmp(value, "none") != 0;
	}
	return rc < 0 ? bad(p, "is no JSON object", err) : 0;
}

int qt_packed_case(struct qt_packed *p, const struct qt_tar_member *m,
    struct qt_error *err)
{
	char piece[4096];
	struct qt_buf text;
	size_t got = 1;
	int r = 0;

	qt_buf_init(&text, CASE_MAX);
	while (r == 0 && got > 0) {
		r = qt_tarread_data(p->tar, piece, sizeof piece, &got, err);
		if (r == 0)
			qt_buf_add(&text, piece, got);
	}
	if (r == 0 && text.failed)
		r = bad(p, "is too long", err);
	if (r == 0 && qt_tarview_sound(p->spare, m->offset, m->size) != m->size)
		r = bad(p, "is in a part that is damaged", err);
	if (r == 0)
		r = take_case(p, &text, err);
	if (r < 0 && got == 0)
		r = pass_over(p, err);
	qt_buf_release(&text);
	return r;
}

/* ---- one line of messages.jsonl ---- */

struct line {
	char path[PATH_SIZE], found[PATH_SIZE], name[PATH_SIZE];
	char queue[32], state[32], error[PATH_SIZE], sha256[65];
	struct qt_json_value stat, logs, name_b64, size, locked;
};

/* A member that is to be there as a string, cut off nowhere. */
static void text_of(const struct qt_json_value *v, char *out, size_t size)
{
	if (!qt_json_text(v, out, size))
		out[0] = '\0';
}

/* The members that are used. */
enum used { PATH, FOUND, QUEUE, STATE, ERROR, SHA256, STAT, LOGS, SIZE, NAME,
	LOCKED, USED };

static enum used which(const struct qt_json_value *key)
{
	static const char *const names[USED] = {[PATH] = "path",
	    [FOUND] = "found", [QUEUE] = "queue_name", [STATE] = "state",
	    [ERROR] = "error", [SHA256] = "sha256", [STAT] = "stat",
	    [LOGS] = "logs", [SIZE] = "size", [NAME] = "name_b64",
	    [LOCKED] = "locked_at_capture"};
	unsigned i = 0;

	while (i < USED && !qt_json_is(key, names[i]))
		i++;
	return (enum used)i;
}

static void take_used(struct line *l, enum used u, const struct qt_json_value *v)
{
	switch (u) {
	case PATH:
		text_of(v, l->path, sizeof l->path);
		break;
	case FOUND:
		text_of(v, l->found, sizeof l->found);
		break;
	case QUEUE:
		text_of(v, l->queue, sizeof l->queue);
		break;
	case STATE:
		text_of(v, l->state, sizeof l->state);
		break;
	case ERROR:
		text_of(v, l->error, sizeof l->error);
		break;
	case SHA256:
		text_of(v, l->sha256, sizeof l->sha256);
		break;
	case STAT:
		l->stat = *v;
		break;
	case LOGS:
		l->logs = *v;
		break;
	case SIZE:
		l->size = *v;
		break;
	case NAME:
		l->name_b64 = *v;
		break;
	case LOCKED:
		l->locked = *v;
		break;
	case USED:
		break;
	}
}

/* Of two that say a thing nobody can tell which is meant: that is an error. */
static int split(struct line *l, const char *text, size_t len)
{
	struct qt_json_value key, v;
	unsigned told = 0;
	struct qt_json j;
	enum used u;
	int rc;

	memset(l, 0, sizeof *l);
	if (!qt_json_open(&j, '{', text, len))
		return -1;
	while ((rc = qt_json_member(&j, &key, &v)) == 0) {
		u = which(&key);
		if ((told & 1u << u) != 0 && u != USED)
			return -1;
		told |= 1u << u;
		take_used(l, u, &v);
	}
	return rc == 1 ? 0 : -1;
}

static int digit64(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' :
	    c >= 'a' && c <= 'z'    ? c - 'a' + 26 :
	    c >= '0' && c <= '9'    ? c - '0' + 52 :
	    c == '+'		    ? 62 :
	    c == '/'		    ? 63 : -1;
}

/* RFC 4648 4.  False: it is none, has a NUL, or does not fit. */
static bool base64(const struct qt_json_value *v, char *out, size_t size)
{
	size_t len = v->len, i, n = 0;
	uint32_t bits = 0;
	int d;

	if (v->type != QT_JSON_STRING || v->text == NULL || len == 0)
		return false;
	while (len > 0 && v->text[len - 1] == '=')
		len--;
	for (i = 0; i < len; i++) {
		d = digit64(v->text[i]);
		if (d < 0)
			return false;
		bits = bits << 6 | (uint32_t)d;
		if (i % 4 == 0)
			continue;
		if (n + 1 >= size)
			return false;
		out[n] = (char)(bits >> (6 - 2 * (i % 4)));
		if (out[n++] == '\0')
			return false;
	}
	out[n] = '\0';
	return n > 0;
}

/* "stat": numbers, and the mode as octal digits. */
static void take_stat(struct qt_packed_item *it, const struct qt_json_value *v)
{
	struct qt_json_value key, n;
	char mode[16];
	struct qt_json j;
	uint64_t u;

	if (v->text == NULL || !qt_json_open(&j, '{', v->text, v->len))
		return;
	while (qt_json_member(&j, &key, &n) == 0) {
		if (qt_json_is(&key, "mode")) {
			if (qt_json_text(&n, mode, sizeof mode) &&
			    mode[0] != '\0' &&
			    mode[strspn(mode, "01234567")] == '\0')
				it->mode = S_IFREG | (uint32_t)
				    (strtoul(mode, NULL, 8) & 07777);
			continue;
		}
		if (qt_json_is(&key, "mtime_ns"))
			(void)qt_json_int(&n, &it->mtime_ns);
		else if (qt_json_is(&key, "ctime_ns"))
			(void)qt_json_int(&n, &it->ctime_ns);
		else if (!qt_json_uint(&n, &u))
			continue;
		else if (qt_json_is(&key, "dev"))
			it->dev = u;
		else if (qt_json_is(&key, "ino"))
			it->ino = u;
		else if (qt_json_is(&key, "uid"))
			it->uid = (uint32_t)u;
		else if (qt_json_is(&key, "gid"))
			it->gid = (uint32_t)u;
		else if (qt_json_is(&key, "nlink"))
			it->nlink = (uint32_t)u;
	}
}

/* "locked_at_capture": true, false, or null where nobody knew. */
static void take_lock(struct qt_packed_item *it, const struct qt_json_value *v)
{
	if (v->text == NULL || v->type != QT_JSON_WORD || v->text[0] == 'n')
		return;
	it->flags |= QT_PACKED_LOCK;
	if (v->text[0] == 't')
		it->flags |= QT_PACKED_LOCKED;
}

/* A file of data/odd: its name and queue are what the list says. */
static int take_odd(struct qt_packed *p, struct qt_packed_item *it,
    struct line *l, struct qt_error *err)
{
	enum qt_queue q = qt_queue_by_name(l->queue);

	if (q >= QT_Q_MESSAGES || it->queue != QT_Q_COUNT ||
	    !base64(&l->name_b64, l->name, sizeof l->name) ||
	    strchr(l->name, '/') != NULL)
		return 0;
	it->queue = (uint8_t)q;
	if (it->foreign == NULL)
		it->foreign = qt_tree_judge(l->name, DT_REG);
	return qt_packed_keep(p, l->name, strlen(l->name), &it->id, err);
}

/*
 * Where it lay: below its queue, and nowhere else.  The list has text, so the
 * name of an odd file, which is told apart, is put in its place.
 */
static int take_found(struct qt_packed *p, struct qt_packed_item *it,
    struct line *l, struct qt_error *err)
{
	const char *queue = qt_queue_name((enum qt_queue)it->queue);
	size_t n = strlen(queue);
	char *name;

	if (strncmp(l->found, queue, n) != 0 || l->found[n] != '/')
		return 0;
	name = strrchr(l->found, '/') + 1;
	if (l->name[0] != '\0' && strlcpy(name, l->name,
		sizeof l->found - (size_t)(name - l->found)) >=
		sizeof l->found - (size_t)(name - l->found))
		return bad(p, "has a path that is too long", err);
	return qt_packed_keep(p, l->found, strlen(l->found), &it->path, err);
}

/* A log that could not have its own name: it is an odd file so far. */
static int take_odd_log(struct qt_packed *p, const struct qt_packed_item *of,
    const char *path, enum qt_queue kind, const char *sum,
    struct qt_error *err)
{
	struct qt_packed_log log = {.id = of->id, .kind = (uint8_t)kind};
	struct qt_packed_item *it;
	const char *name = path + strlen("data/odd/");
	size_t i;

	if (strncmp(path, "data/odd/", strlen("data/odd/")) != 0)
		return 0;
	err->code = QT_OK;
	if (!qt_packed_by_key(p, QT_Q_COUNT, name, &i, err))
		return err->code != QT_OK ? -1 : 0;
	it = &p->item[i];
	if (it->size > QT_PACKED_LOG_SIZE || it->foreign != NULL)
		return 0;
	log.offset = it->offset;
	log.size = (uint32_t)it->size;
	it->queue = QT_Q_DEFER; /* no message any more */
	it->flags |= QT_PACKED_TOLD;
	if (p->salvage && strlen(sum) == 64 &&
	    qt_packed_keep(p, sum, 64, &log.sum, err) != 0)
		return -1;
	return qt_packed_add_log(p, &log, err);
}

/* One of a message's logs: what the list has of it. */
static int take_log(struct qt_packed *p, const struct qt_packed_item *of,
    const char *path, enum qt_queue kind, const char *sum,
    struct qt_error *err)
{
	const char *name = strrchr(path, '/');

	if (p->salvage && name != NULL && strncmp(path, "data/queue/", 11) == 0)
		return qt_packed_keep_log_sum(p, name + 1, kind, sum, err);
	return take_odd_log(p, of, path, kind, sum, err);
}

static int take_logs(struct qt_packed *p, const struct qt_packed_item *of,
    const struct qt_json_value *logs, struct qt_error *err)
{
	struct qt_json_value one, key, v;
	struct qt_json list, j;
	char path[PATH_SIZE], kind[16], sum[65];
	enum qt_queue q;

	if (logs->text == NULL ||
	    !qt_json_open(&list, '[', logs->text, logs->len))
		return 0;
	while (qt_json_element(&list, &one) == 0) {
		path[0] = kind[0] = sum[0] = '\0';
		if (!qt_json_open(&j, '{', one.text, one.len))
			continue;
		while (qt_json_member(&j, &key, &v) == 0) {
			if (qt_json_is(&key, "path"))
				text_of(&v, path, sizeof path);
			else if (qt_json_is(&key, "kind"))
				text_of(&v, kind, sizeof kind);
			else if (qt_json_is(&key, "sha256"))
				text_of(&v, sum, sizeof sum);
		}
		q = qt_queue_by_name(kind);
		if (q < QT_Q_MESSAGES || q == QT_Q_COUNT)
			continue;
		if (take_log(p, of, path, q, sum, err) != 0)
			return -1;
	}
	return 0;
}

/* The item that a line is about: mostly the next one.  1: there is none. */
static int item_of(struct qt_packed *p, const char *path, size_t *item,
    struct qt_error *err)
{
	unsigned queue = QT_Q_COUNT;
	const struct qt_packed_item *it;
	const char *name = strrchr(path, '/');
	char word[32];
	size_t n;

	if (name == NULL)
		return 1;
	n = (size_t)(name++ - path);
	if (n > 11 && n - 11 < sizeof word &&
	    strncmp(path, "data/queue/", 11) == 0) {
		memcpy(word, path + 11, n - 11);
		word[n - 11] = '\0';
		queue = qt_queue_by_name(word);
		if (queue >= QT_Q_MESSAGES)
			return 1;
	} else if (n != 8 || strncmp(path, "data/odd", 8) != 0) {
		return 1;
	}
	if (p->cursor < p->n) {
		it = &p->item[p->cursor];
		if (it->queue == queue && strcmp(p->names + it->key, name) == 0) {
			*item = p->cursor++;
			return 0;
		}
	}
	err->code = QT_OK;
	if (!qt_packed_by_key(p, queue, name, item, err))
		return err->code != QT_OK ? -1 : 1;
	p->cursor = *item + 1;
	return 0;
}

/* A line that no file in the archive is about. */
static int lost(struct qt_packed *p, const char *path, struct qt_error *err)
{
	uint32_t at;

	if (p->unmatched < QT_ARCHIVE_LOST) {
		if (qt_packed_keep(p, path, strlen(path), &at, err) != 0)
			return -1;
		p->lost_line[p->unmatched] = at;
	}
	p->unmatched++;
	return 0;
}

static int take_line(struct qt_packed *p, struct line *l, const char *text,
    size_t len, struct qt_error *err)
{
	struct qt_packed_item it;
	size_t i;
	int rc;

	p->line++;
	if (split(l, text, len) != 0)
		return bad(p, "is no JSON object, or says a thing twice", err);
	if (p->quick != NULL) {
		rc = qt_packed_quick_line(p, l->path, &l->size, &l->logs, err);
		if (rc != 0)
			return rc > 0 ? 0 : -1;
	}
	rc = item_of(p, l->path, &i, err);
	if (rc < 0)
		return -1;
	if (rc > 0)
		return lost(p, l->path, err);
	if ((p->item[i].flags & QT_PACKED_TOLD) != 0)
		return bad(p, "is about a file that an earlier one told", err);
	if ((p->item[i].flags & QT_PACKED_CUT) != 0) {
		p->item[i].queue = QT_Q_DEFER; /* no message any more */
		p->item[i].flags |= QT_PACKED_TOLD;
		return lost(p, l->path, err);
	}
	it = p->item[i]; /* what is added below may move the others */
	if (!p->doubt) {
		take_stat(&it, &l->stat);
		take_lock(&it, &l->locked);
	}
	if (it.queue == QT_Q_COUNT && take_odd(p, &it, l, err) != 0)
		return -1;
	if (it.queue == QT_Q_COUNT)
		return bad(p, "does not tell the name and queue of an odd file",
		    err);
	it.flags |= QT_PACKED_TOLD;
	if (take_found(p, &it, l, err) != 0)
		return -1;
	if (strcmp(l->state, "misplaced") == 0) {
		it.flags |= QT_PACKED_MISPLACED;
		if (qt_packed_keep(p, l->error, strlen(l->error), &it.note,
			err) != 0)
			return -1;
	}
	p->item[i] = it;
	if (p->salvage && qt_packed_keep_sum(p, i, l->sha256, err) != 0)
		return -1;
	return take_logs(p, &it, &l->logs, err);
}

/* Whole lines out of text; what is left of the last one stays. */
static int take_lines(struct qt_packed *p, struct line *l, struct qt_buf *text,
    bool last, struct qt_error *err)
{
	const char *at = qt_buf_str(text), *end = at + text->len, *nl;

	while (at < end) {
		nl = memchr(at, '\n', (size_t)(end - at));
		if (nl == NULL && !last)
			break;
		if (nl == NULL)
			nl = end;
		if (nl > at &&
		    take_line(p, l, at, (size_t)(nl - at), err) != 0 &&
		    pass_over(p, err) != 0)
			return -1;
		at = nl < end ? nl + 1 : end;
	}
	text->len = (size_t)(end - at);
	if (text->data != NULL)
		memmove(text->data, at, text->len);
	return 0;
}

int qt_packed_list(struct qt_packed *p, const struct qt_tar_member *m,
    struct qt_error *err)
{
	char *piece = malloc(PIECE);
	struct line *l = malloc(sizeof *l);
	struct qt_buf text;
	uint64_t at = 0;
	size_t got = 1;
	int r = 0;

	qt_buf_init(&text, LINE_MAX);
	qt_packed_sort_logs(p);
	if (piece == NULL || l == NULL)
		r = qt_fail_mem(err);
	else if (p->have_list)
		r = qt_fail(err, QT_E_STATE, p->spool->queue_dir,
		    "metadata/messages.jsonl is in it twice");
	p->have_list = true;
	while (r == 0 && got > 0) {
		r = qt_tarread_data(p->tar, piece, PIECE, &got, err);
		if (r == 0 && qt_tarview_sound(p->spare, m->offset + at, got) !=
		    got)
			p->doubt = true;
		at += got;
		if (r == 0)
			qt_buf_add(&text, piece, got);
		if (r == 0 && text.failed) {
			p->line++;
			r = bad(p, "is too long", err);
		}
		if (r == 0)
			r = take_lines(p, l, &text, got == 0, err);
	}
	p->line = 0;
	qt_buf_release(&text);
	free(piece);
	free(l);
	return r;
}
