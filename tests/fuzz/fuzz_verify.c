/*
 * fuzz_verify.c - whatever the files of an archive say: verify comes to an end,
 * each of its reports is whole, and what is restored is what the table tells.
 *
 * The input is the members (bag_input.h).
 */
#include "fuzz/bag_input.h"
#include "qtool/restorer.h"

static void make_tar(int fd, const char *p, const char *end)
{
	struct bag_part m;

	while (bag_next(&p, end, &m))
		bag_member(fd, m.path, m.path_len, m.bytes, m.len);
	bag_end(fd);
}

static void on_problem(void *ctx, const struct qt_problem *p)
{
	unsigned *told = ctx;

	++*told;
	REQUIRE(p->flaw < QT_FLAWS && p->text[0] != '\0');
	REQUIRE(strcmp(qt_flaw_name(p->flaw), "unknown") != 0);
	REQUIRE(strlen(p->text) < 512 && strlen(p->path) < 1024);
}

static int count(void *ctx, const void *bytes, size_t len, struct qt_error *err)
{
	int64_t *n = ctx;

	(void)bytes;
	(void)err;
	*n += (int64_t)len;
	return 0;
}

static void restore_one(struct qt_restorer *r, enum qt_queue queue)
{
	const char *why = NULL;
	struct qt_import m;
	struct qt_error err = {0};
	int64_t n = 0;
	char found[64];

	(void)snprintf(found, sizeof found, "%s/%s", qt_queue_name(queue),
	    "DDDDD4444");
	if (qt_restorer_take(r, queue, "DDDDD4444", found, &m, &why, &err) != 0) {
		REQUIRE(why != NULL || err.code != QT_OK);
		return;
	}
	REQUIRE(strcmp(m.id, "DDDDD4444") == 0 && m.queue == queue);
	REQUIRE(qt_restorer_supply(r, 0, QT_Q_COUNT, count, &n, &err) == 0);
	REQUIRE(n == m.message.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned told = 0;
	const struct qt_verify_opts opts = {.report = on_problem,
	    .report_ctx = &told, .max_reports = 50};
	struct qt_verify_result result;
	struct qt_restorer *r = NULL;
	struct qt_error err = {0};
	char path[32];
	int fd;

	if (size > BAG_MAX)
		return 0;
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	REQUIRE(fd >= 0);
	make_tar(fd, (const char *)data, (const char *)data + size);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	REQUIRE(qt_restorer_open(&r, &result, path, &opts, &err) == 0);
	REQUIRE(told <= 50 && (told == result.problems || told == 50));
	restore_one(r, QT_Q_HOLD);
	qt_restorer_close(r);
	(void)close(fd);
	return 0;
}
