/*
 * fuzz_plan.c - whatever the bytes, a plan is read whole or refused; one that
 * is read and written again is the same; how the bytes come in pieces does not
 * matter.
 *
 * Random bytes do not get past the checksums, so the input is also taken as
 * lines without them, which are sealed here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "change/field.h"
#include "change/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "fuzz_plan: not so: %s\n", what);
	abort();
}

/* NULL: refused. */
static struct qt_plan *parse(const char *s, size_t len, size_t step)
{
	struct qt_plan_reader *r;
	struct qt_error err = {0};
	struct qt_plan *p = NULL;
	size_t at;
	int result;

	result = qt_plan_reader_new(&r, "fuzz", &err);
	require(result == 0, "a reader");
	for (at = 0; at < len && result == 0; at += step)
		result = qt_plan_reader_feed(r, s + at,
		    len - at < step ? len - at : step, &err);
	if (result == 0)
		result = qt_plan_reader_finish(r, &p, &err);
	require(result == 0 || err.code == QT_E_STATE || err.code == QT_E_NOMEM,
	    "refused for its content");
	qt_plan_reader_free(r);
	return p;
}

static void check_items(const struct qt_plan *p)
{
	enum qt_queue q;
	size_t i, id_at;
	int64_t sum = 0;

	for (i = 0; i < p->n; i++) {
		const char *path = qt_plan_path(p, &p->v[i]);

		require(qt_plan_path_valid(path, &q, &id_at) &&
			q == p->v[i].queue && id_at == p->v[i].id_at,
		    "each path is a place of a message");
		require(strstr(path, "..") == NULL && path[0] != '/',
		    "no path leads out");
		sum += p->v[i].size;
	}
	require(sum == p->bytes, "the sum of the sizes");
}

static void same_when_written(const struct qt_plan *p)
{
	struct qt_error err = {0};
	struct qt_plan *q = NULL;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	require(fd >= 0, "memfd_create");
	if (qt_plan_write(p, &qt_fsops_system, fd, "fuzz", &err) == 0) {
		require(lseek(fd, 0, SEEK_SET) == 0, "lseek");
		require(qt_plan_read(&q, fd, "fuzz", &err) == 0,
		    "what is written can be read");
		require(q->n == p->n && q->bytes == p->bytes &&
			q->txid == p->txid && q->queue_ino == p->queue_ino,
		    "and is the same");
		qt_plan_free(q);
	}
	(void)close(fd);
}

static void try_bytes(const char *s, size_t len)
{
	struct qt_plan *p = parse(s, len, len > 0 ? len : 1), *q;

	q = parse(s, len, 7);
	require((p == NULL) == (q == NULL), "pieces do not matter");
	if (p != NULL) {
		require(p->n == q->n, "pieces do not matter");
		check_items(p);
		same_when_written(p);
	}
	qt_plan_free(p);
	qt_plan_free(q);
}

/* Each line of the input gets its seal; "E\t" alone becomes a right end. */
static void try_lines(const char *s, size_t len)
{
	struct qt_buf b;
	size_t from, part;
	const char *lf;

	qt_buf_init(&b, 1 << 20);
	for (; len > 0; len -= part, s += part) {
		lf = memchr(s, '\n', len);
		part = lf != NULL ? (size_t)(lf + 1 - s) : len;
		from = b.len;
		qt_buf_add(&b, s, part - (lf != NULL));
		qt_field_seal(&b, from);
	}
	if (!b.failed && b.len > 0)
		try_bytes(b.data, b.len);
	qt_buf_release(&b);
}

/* A whole plan of one line of the input: the sum is worked out by writing. */
static void try_message(const char *s, size_t len)
{
	struct qt_item it = {.path = NULL, .mode = 0100700};
	struct qt_error err = {0};
	struct qt_plan *p;
	char path[512];
	size_t n = len < sizeof(path) - 1 ? len : sizeof(path) - 1;
	const char *slash;

	memcpy(path, s, n);
	path[n] = '\0';
	require(qt_plan_new(&p, QT_OP_DELETE, &err) == 0, "a plan");
	slash = strrchr(path, '/');
	it.path = path;
	it.id = slash != NULL ? slash + 1 : path;
	for (it.queue = 0; it.queue < QT_Q_COUNT; it.queue++)
		if (qt_plan_add(p, &it, &err) == 0)
			check_items(p);
	same_when_written(p);
	qt_plan_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;

	try_bytes(s, size);
	try_lines(s, size);
	try_message(s, size);
	return 0;
}
