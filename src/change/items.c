/*
 * items.c - a plan in memory.
 */
#include <stdlib.h>
#include <string.h>

#include "change/plan.h"

#define STRINGS_MAX ((size_t)UINT32_MAX)
#define REASON_MAX 400
#define COMMAND_MAX 2000

static const char *const op_names[QT_OPS] = {
    [QT_OP_DELETE] = "delete", [QT_OP_ARCHIVE] = "archive",
    [QT_OP_HOLD] = "hold", [QT_OP_RELEASE] = "release",
    [QT_OP_REQUEUE] = "requeue", [QT_OP_RESTORE] = "restore",
    [QT_OP_IMPORT] = "import",
};

const char *qt_op_name(enum qt_op op)
{
	return op < QT_OPS ? op_names[op] : "unknown";
}

enum qt_op qt_op_by_name(const char *name)
{
	int op;

	for (op = 0; op < QT_OPS && strcmp(op_names[op], name) != 0; op++)
		;
	return (enum qt_op)op;
}

bool qt_op_places(enum qt_op op)
{
	return op != QT_OP_DELETE && op != QT_OP_ARCHIVE;
}

int qt_plan_new(struct qt_plan **out, enum qt_op op, struct qt_error *err)
{
	struct qt_plan *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return qt_fail_mem(err);
	p->scap = 256;
	if ((p->strings = calloc(1, p->scap)) == NULL) {
		free(p);
		return qt_fail_mem(err);
	}
	p->slen = 1; /* offset 0 means none */
	p->op = op;
	*out = p;
	return 0;
}

void qt_plan_free(struct qt_plan *p)
{
	if (p == NULL)
		return;
	free(p->v);
	free(p->origin);
	free(p->strings);
	free(p->host);
	free(p->queue_dir);
	free(p->boot_id);
	free(p->operator_name);
	free(p->reason);
	free(p->command);
	free(p);
}

size_t qt_plan_count(const struct qt_plan *p)
{
	return p->n;
}

const char *qt_plan_id_of(const struct qt_plan *p, size_t i)
{
	return qt_plan_id(p, &p->v[i]);
}

const char *qt_plan_path_of(const struct qt_plan *p, size_t i)
{
	return qt_plan_path(p, &p->v[i]);
}

const char *qt_plan_path(const struct qt_plan *p, const struct qt_plan_item *it)
{
	return p->strings + it->path;
}

const char *qt_plan_id(const struct qt_plan *p, const struct qt_plan_item *it)
{
	return p->strings + it->path + it->id_at;
}

static bool hash_name(const char *s, size_t len)
{
	return len == 1 && ((*s >= '0' && *s <= '9') ||
	    (*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z') || *s == '_');
}

bool qt_plan_path_valid(const char *path, enum qt_queue *queue, size_t *id_at)
{
	const char *slash = strchr(path, '/'), *last = strrchr(path, '/');
	char name[QT_PLAN_DIR_MAX + 1];
	enum qt_queue q;
	size_t len;

	if (slash == NULL || (size_t)(last - path) > QT_PLAN_DIR_MAX)
		return false;
	len = (size_t)(slash - path);
	memcpy(name, path, len);
	name[len] = '\0';
	q = qt_queue_by_name(name);
	if (q >= QT_Q_MESSAGES || strlen(last + 1) > QT_QUEUE_ID_MAX ||
	    !qt_queue_id_valid(last + 1))
		return false;
	while (slash != last) {
		const char *next = strchr(slash + 1, '/');

		if (!hash_name(slash + 1, (size_t)(next - slash - 1)))
			return false;
		slash = next;
	}
	*queue = q;
	*id_at = (size_t)(last + 1 - path);
	return true;
}

/* Copy bytes to the end of the strings; their offset in *at. */
static int add_bytes(struct qt_plan *p, const void *bytes, size_t len,
    uint32_t *at, struct qt_error *err)
{
	size_t want = p->slen + len, cap = p->scap;
	char *s;

	if (want > STRINGS_MAX)
		return qt_fail(err, QT_E_NOMEM, "", "the plan is too large");
	if (want > cap) {
		while (cap < want)
			cap += cap / 2;
		if ((s = realloc(p->strings, cap)) == NULL)
			return qt_fail_mem(err);
		p->strings = s;
		p->scap = cap;
	}
	memcpy(p->strings + p->slen, bytes, len);
	*at = (uint32_t)p->slen;
	p->slen = want;
	return 0;
}

int qt_plan_keep(struct qt_plan *p, const char *s, uint32_t *at,
    struct qt_error *err)
{
	return add_bytes(p, s, strlen(s) + 1, at, err);
}

int qt_plan_set_path(struct qt_plan *p, size_t i, const char *path,
    struct qt_error *err)
{
	struct qt_plan_item *it = &p->v[i];
	enum qt_queue queue;
	size_t id_at;
	uint32_t at;

	if (!qt_plan_path_valid(path, &queue, &id_at) || queue != it->queue)
		return qt_fail(err, QT_E_USAGE, path,
		    "is no place of a message in that queue");
	if (qt_plan_keep(p, path, &at, err) != 0)
		return -1;
	it->path = at;
	it->id_at = (uint8_t)id_at;
	return 0;
}

static int grow(struct qt_plan *p, struct qt_error *err)
{
	size_t cap = p->cap == 0 ? 64 : p->cap + p->cap / 2;
	struct qt_plan_item *v;

	if (p->n < p->cap)
		return 0;
	if (p->n >= QT_PLAN_MAX)
		return qt_fail(err, QT_E_NOMEM, "",
		    "a plan holds at most %zu messages", QT_PLAN_MAX);
	if ((v = reallocarray(p->v, cap, sizeof(*v))) == NULL)
		return qt_fail_mem(err);
	p->v = v;
	p->cap = cap;
	return 0;
}

int qt_plan_append(struct qt_plan *p, const struct qt_plan_item *it,
    const char *path, struct qt_error *err)
{
	struct qt_plan_item *to;
	uint32_t at;

	if (it->size < 0 || it->size > INT64_MAX - p->bytes)
		return qt_fail(err, QT_E_USAGE, path,
		    "its size cannot be: %lld bytes", (long long)it->size);
	if (grow(p, err) != 0 ||
	    add_bytes(p, path, strlen(path) + 1, &at, err) != 0)
		return -1;
	to = &p->v[p->n++];
	*to = *it;
	to->path = at;
	p->bytes += it->size;
	return 0;
}

int qt_plan_add(struct qt_plan *p, const struct qt_item *item,
    struct qt_error *err)
{
	struct qt_plan_item it = {0};
	enum qt_queue queue;
	size_t id_at;

	if (!qt_plan_path_valid(item->path, &queue, &id_at) ||
	    queue != item->queue || strcmp(item->path + id_at, item->id) != 0)
		return qt_fail(err, QT_E_USAGE, item->path,
		    "is no place of a message in a queue");
	if (!S_ISREG(item->mode))
		return qt_fail(err, QT_E_USAGE, item->path,
		    "is not a regular file");
	if (p->n != 0 && item->dev != p->dev)
		return qt_fail(err, QT_E_USAGE, item->path,
		    "is on another file system than the messages before it");
	it.ino = item->ino;
	it.size = item->size;
	it.mtime_ns = item->mtime_ns;
	it.ctime_ns = item->ctime_ns;
	it.uid = item->uid;
	it.gid = item->gid;
	it.mode = (uint16_t)(item->mode & 07777);
	it.id_at = (uint8_t)id_at;
	it.queue = (uint8_t)queue;
	p->dev = item->dev;
	return qt_plan_append(p, &it, item->path, err);
}

bool qt_plan_handle(const struct qt_plan *p, const struct qt_plan_item *it,
    struct qt_handle *h)
{
	const char *s = p->strings + it->handle;

	if (it->handle == 0)
		return false;
	memcpy(&h->type, s, sizeof(h->type));
	h->len = (unsigned char)s[sizeof(h->type)];
	memcpy(h->bytes, s + sizeof(h->type) + 1, h->len);
	return true;
}

int qt_plan_set_handle(struct qt_plan *p, size_t i, const struct qt_handle *h,
    struct qt_error *err)
{
	char bytes[sizeof(h->type) + 1 + QT_HANDLE_MAX];
	uint32_t at;

	if (h->len == 0)
		return 0;
	memcpy(bytes, &h->type, sizeof(h->type));
	bytes[sizeof(h->type)] = (char)h->len;
	memcpy(bytes + sizeof(h->type) + 1, h->bytes, h->len);
	if (add_bytes(p, bytes, sizeof(h->type) + 1 + h->len, &at, err) != 0)
		return -1;
	p->v[i].handle = at;
	return 0;
}

void qt_plan_compact(struct qt_plan *p)
{
	size_t i, n = 0;

	for (i = 0; i < p->n; i++) {
		if (p->v[i].drop)
			p->bytes -= p->v[i].size;
		else
			p->v[n++] = p->v[i];
	}
	p->n = n;
}

int qt_plan_set_string(char **where, const char *value, struct qt_error *err)
{
	char *s = NULL;

	if (value != NULL && value[0] != '\0' && (s = strdup(value)) == NULL)
		return qt_fail_mem(err);
	free(*where);
	*where = s;
	return 0;
}

int qt_plan_set_reason(struct qt_plan *p, const char *reason,
    struct qt_error *err)
{
	const unsigned char *s;

	if (strlen(reason) > REASON_MAX)
		return qt_fail(err, QT_E_USAGE, "--note",
		    "longer than %d bytes", REASON_MAX);
	for (s = (const unsigned char *)reason; *s != '\0'; s++)
		if (*s < 0x20 || *s == 0x7f)
			return qt_fail(err, QT_E_USAGE, "--note",
			    "must be one printable line");
	return qt_plan_set_string(&p->reason, reason, err);
}

/* Whether a word of a command line needs quotes to be read back as one. */
static bool plain_word(const char *s)
{
	return *s != '\0' &&
	    s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789@%+=:,./_-")] == '\0';
}

static void add_word(struct qt_buf *b, const char *s)
{
	if (plain_word(s)) {
		qt_buf_adds(b, s);
		return;
	}
	qt_buf_addc(b, '\'');
	for (; *s != '\0'; s++) {
		if (*s == '\'')
			qt_buf_adds(b, "'\\''");
		else
			qt_buf_addc(b, *s);
	}
	qt_buf_addc(b, '\'');
}

int qt_plan_set_argv(struct qt_plan *p, int argc, char **argv,
    struct qt_error *err)
{
	struct qt_buf b;
	int i, r;

	qt_buf_init(&b, 0);
	for (i = 0; i < argc && b.len <= COMMAND_MAX; i++) {
		if (i > 0)
			qt_buf_addc(&b, ' ');
		add_word(&b, argv[i]);
	}
	if (!b.failed && b.len > COMMAND_MAX) {
		b.data[COMMAND_MAX] = '\0';
		b.len = COMMAND_MAX;
		qt_buf_adds(&b, " ...");
	}
	r = qt_buf_check(&b, err);
	if (r == 0)
		r = qt_plan_set_string(&p->command, qt_buf_str(&b), err);
	qt_buf_release(&b);
	return r;
}
