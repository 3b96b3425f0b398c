/*
 * custody.c - who did what with the evidence.
 */
#include "evidence/custody.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "evidence/hash.h"
#include "evidence/spill.h"
#include "format/json.h"
#include "qtool/custody.h"
#include "qtool/escape.h"

struct chain {
	struct qt_buf *out;
	size_t last; /* where the last line begins */
	uint64_t seq;
	char prev[QT_SHA256_HEX]; /* its sum; "" none yet */
};

/* NULL or "" there is none. */
struct event {
	int64_t time;
	const char *host, *name, *what, *why, *sha256;
};

static void string(struct qt_buf *out, const char *name, const char *value)
{
	qt_buf_addf(out, ",\"%s\":", name);
	qt_json_string(out, value != NULL && value[0] != '\0' ? value : NULL);
}

static int add(struct chain *c, const struct event *e, struct qt_error *err)
{
	struct qt_buf actor;
	char when[32];

	c->last = c->out->len;
	qt_utc(e->time, when);
	qt_buf_init(&actor, 0);
	qt_bag_actor(&actor);
	qt_buf_addf(c->out, "{\"seq\":%llu", (unsigned long long)++c->seq);
	string(c->out, "time", when);
	string(c->out, "actor", qt_buf_str(&actor));
	string(c->out, "host", e->host);
	string(c->out, "event", e->name);
	string(c->out, "what", e->what);
	string(c->out, "why", e->why);
	string(c->out, "sha256", e->sha256);
	string(c->out, "prev", c->prev);
	qt_buf_adds(c->out, "}\n");
	qt_buf_release(&actor);
	if (qt_buf_check(c->out, err) != 0)
		return -1;
	return qt_custody_sum(c->out->data + c->last, c->out->len - c->last,
	    c->prev, err);
}

/* ---- of an archive's making ---- */

static int add_made(struct chain *c, const struct qt_bag *bag, const char *name,
    const char *what, const char *sha256, struct qt_error *err)
{
	const int64_t now = bag->fixed_clock ? bag->started :
					       (int64_t)time(NULL);

	return add(c, &(struct event){now, bag->host, name, what, bag->reason,
	    sha256}, err);
}

int qt_custody_tell(struct qt_buf *out, const struct qt_bag *bag,
    const char *payload, const char *payload512, struct qt_error *err)
{
	struct chain c = {.out = out};
	char what[128];

	(void)snprintf(what, sizeof what, "%llu messages and %llu logs, %s",
	    (unsigned long long)bag->messages, (unsigned long long)bag->logs,
	    bag->moved ? "taken out of the queue" : "copied");
	if (add_made(&c, bag, bag->moved ? "moved" : "collected", what, NULL,
		err) != 0)
		return -1;
	if (bag->redact != QT_REDACT_NONE) {
		(void)snprintf(what, sizeof what, "names taken out, level %s",
		    qt_redact_name(bag->redact));
		if (add_made(&c, bag, "redacted", what, NULL, err) != 0)
			return -1;
	}
	if (add_made(&c, bag, "hashed", "manifest-sha256.txt", payload, err) !=
	    0)
		return -1;
	if (payload512 != NULL && add_made(&c, bag, "hashed",
		"manifest-sha512.txt", payload512, err) != 0)
		return -1;
	if (bag->signer != NULL &&
	    add_made(&c, bag, "signed", bag->signer, NULL, err) != 0)
		return -1;
	if (bag->sign_program == NULL)
		return 0;
	(void)snprintf(what, sizeof what, "by the program %s",
	    bag->sign_program);
	return add_made(&c, bag, "signed", what, NULL, err);
}

/* ---- of what became of it ---- */

/* Its last byte ends a line, and its length is that of when it was read. */
static int check_end(int fd, const char *path, uint64_t size,
    struct qt_error *err)
{
	struct stat st;
	char last = '\n';

	if (fstat(fd, &st) != 0)
		return qt_fail_own(err, "fstat", path);
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return qt_fail(err, QT_E_STATE, path,
		    "is no regular file of one name: nothing is added to it");
	if ((uint64_t)st.st_size != size)
		return qt_fail(err, QT_E_CHANGED, path,
		    "somebody added to it meanwhile: try again");
	if (size != 0 && pread(fd, &last, 1, (off_t)size - 1) != 1)
		return qt_fail_own(err, "read", path);
	if (last != '\n')
		return qt_fail(err, QT_E_STATE, path,
		    "its last line is cut off: nothing is added to it");
	return size < QT_CUSTODY_MAX - QT_CUSTODY_LINE ? 0 :
	    qt_fail(err, QT_E_NOMEM, path, "is full");
}

/* All of the line and on the disk, or nothing of it. */
static int write_line(int fd, const char *path, uint64_t size,
    const struct qt_buf *line, struct qt_error *err)
{
	int r = qt_pwrite_all(fd, line->data, line->len, (off_t)size);

	if (r != 0)
		r = qt_fail_own(err, "write", path);
	else if (fsync(fd) != 0)
		r = qt_fail_own(err, "fsync", path);
	if (r != 0)
		(void)!ftruncate(fd, (off_t)size);
	return r;
}

/* A name that was made is on the disk when its directory is. */
static int sync_name(const char *path, struct qt_error *err)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL ? strdup(".") : slash == path ? strdup("/") :
	    strndup(path, (size_t)(slash - path));
	int fd, r = 0;

	if (dir == NULL)
		return qt_fail_mem(err);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		r = qt_fail_own(err, "open", dir);
	else if (fsync(fd) != 0 && errno != EINVAL)
		r = qt_fail_own(err, "fsync", dir);
	qt_close_quiet(&fd);
	free(dir);
	return r;
}

static int append(const char *path, uint64_t size, const struct qt_buf *line,
    struct qt_error *err)
{
	int r, fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC, 0600);

	if (fd < 0)
		return qt_fail_own(err, "open", path);
	while ((r = flock(fd, LOCK_EX)) != 0 && errno == EINTR)
		;
	if (r != 0)
		r = qt_fail_own(err, "flock", path);
	if (r == 0)
		r = check_end(fd, path, size, err);
	if (r == 0 && size == 0)
		r = sync_name(path, err);
	if (r == 0)
		r = write_line(fd, path, size, line, err);
	if (r != 0) {
		qt_close_quiet(&fd);
		return -1;
	}
	return qt_close(&fd, path, err);
}

int qt_custody_append(const char *file, const struct qt_verify_result *r,
    const struct qt_custody_event *e, struct qt_buf *line, struct qt_error *err)
{
	struct chain c = {.out = line, .seq = r->events};
	struct utsname here;
	char *path;
	int bad;

	if (!r->have_custody)
		return qt_fail(err, QT_E_STATE, file,
		    "has no chain of custody that could be gone on with");
	(void)strlcpy(c.prev, r->chain, sizeof c.prev);
	qt_buf_clear(line);
	if (add(&c, &(struct event){(int64_t)time(NULL),
		uname(&here) == 0 ? here.nodename : NULL, e->event, e->what,
		e->why, e->sha256}, err) != 0)
		return -1;
	if (line->len > QT_CUSTODY_LINE)
		return qt_fail(err, QT_E_NOMEM, file,
		    "the event is longer than one can be");
	if (asprintf(&path, "%s.custody.jsonl", file) < 0)
		return qt_fail_mem(err);
	bad = append(path, r->events_bytes, line, err);
	free(path);
	return bad;
}

int qt_custody_open(const char *file, int *fd, struct qt_error *err)
{
	char *path;
	int r = 0;

	*fd = -1;
	if (asprintf(&path, "%s.custody.jsonl", file) < 0)
		return qt_fail_mem(err);
	*fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
	    O_CLOEXEC);
	if (*fd < 0 && errno != ENOENT)
		r = qt_fail_own(err, "open", path);
	free(path);
	return r;
}

int qt_custody_went_on(struct qt_verify_result *r, const void *line, size_t len,
    struct qt_error *err)
{
	r->events++;
	r->events_bytes += len;
	return qt_custody_sum(line, len, r->chain, err);
}

int qt_custody_sum(const void *bytes, size_t len, char sum[65],
    struct qt_error *err)
{
	unsigned char raw[QT_SHA256_SIZE];
	struct qt_digest d;
	int r;

	if (qt_digest_init(&d, err) != 0)
		return -1;
	qt_digest_add(&d, bytes, len);
	r = qt_digest_final(&d, raw, err);
	qt_digest_release(&d);
	if (r == 0)
		qt_digest_hex(raw, sum);
	return r;
}

/* ---- read ---- */

/* The members of a line, in its order. */
enum { M_SEQ, M_TIME, M_ACTOR, M_HOST, M_EVENT, M_WHAT, M_WHY, M_SHA256, M_PREV,
	M_COUNT };
static const char *const members[M_COUNT] = {"seq", "time", "actor", "host",
    "event", "what", "why", "sha256", "prev"};

static bool is_null(const struct qt_json_value *v)
{
	return v->type == QT_JSON_WORD && v->len == 4 &&
	    memcmp(v->text, "null", 4) == 0;
}

static int member_of(const struct qt_json_value *key)
{
	int i;

	for (i = 0; i < M_COUNT && !qt_json_is(key, members[i]); i++)
		;
	return i;
}

bool qt_custody_read(struct qt_custody_event *e, char *room, const char *line,
    size_t len)
{
	const char *text[M_COUNT] = {NULL};
	struct qt_json_value key, v;
	char *at = room;
	struct qt_json j;
	int r = -1, m;

	*e = (struct qt_custody_event){.seq = 0};
	if (len != 0 && line[len - 1] == '\n')
		len--;
	/* what is decoded is no longer than it was */
	if (len >= QT_CUSTODY_LINE || !qt_json_open(&j, '{', line, len))
		return false;
	while ((r = qt_json_member(&j, &key, &v)) == 0) {
		m = member_of(&key);
		if (m == M_COUNT || text[m] != NULL ||
		    (m == M_SEQ && !qt_json_uint(&v, &e->seq)))
			return false;
		text[m] = at;
		*at = '\0';
		if (m != M_SEQ && !is_null(&v) && !qt_json_text(&v, at, v.len + 1))
			return false;
		at += strlen(at) + 1;
	}
	for (m = 0; m < M_COUNT; m++)
		if (text[m] == NULL)
			return false;
	e->time = text[M_TIME];
	e->actor = text[M_ACTOR];
	e->host = text[M_HOST];
	e->event = text[M_EVENT];
	e->what = text[M_WHAT];
	e->why = text[M_WHY];
	e->sha256 = text[M_SHA256];
	e->prev = text[M_PREV];
	return r == 1;
}
