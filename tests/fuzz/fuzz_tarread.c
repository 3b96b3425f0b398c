/*
 * fuzz_tarread.c - whatever a tar archive claims: paths that are given are
 * safe, limits hold, and the bytes at a member's offset are the member's.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/input.h"
#include "source/tarread.h"

#define EXPANDED ((uint64_t)1 << 20)

static void check_path(const char *path)
{
	const char *p = path;
	size_t n;

	REQUIRE(path[0] != '/' && strlen(path) < QT_TAR_PATH_MAX);
	for (; *p != '\0'; p++)
		REQUIRE((unsigned char)*p >= ' ' && *p != 127);
	for (p = path; *p != '\0'; p += n + (p[n] == '/')) {
		n = strcspn(p, "/");
		REQUIRE(n != 0);
		REQUIRE(!(n == 1 && p[0] == '.'));
		REQUIRE(!(n == 2 && p[0] == '.' && p[1] == '.'));
	}
}

/* A member read in order, and again by its place; false: it is damaged. */
static bool check_data(struct qt_tarread *r, struct qt_tarview *v,
    const struct qt_tar_member *m)
{
	static unsigned char a[4096], b[4096];
	struct qt_error err;
	uint64_t at = 0;
	size_t got;

	for (;;) {
		if (qt_tarread_data(r, a, sizeof a, &got, &err) != 0)
			return false;
		if (got == 0)
			break;
		REQUIRE(at + got <= m->size && m->size <= EXPANDED);
		if (v != NULL) {
			REQUIRE(qt_tarview_read(v, m->offset + at, b, got,
			    &err) == 0);
			REQUIRE(memcmp(a, b, got) == 0);
		}
		at += got;
	}
	REQUIRE(at == m->size);
	return true;
}

/* v: the bytes by their place, to compare with; NULL: the reader is by itself,
 * as a table of frames that lies is another archive. */
static void read_all(struct qt_tarread *r, struct qt_tarview *v)
{
	const struct qt_tar_member *m;
	struct qt_error err;
	int n = 0, rc = 0;

	while (n < 100 && (rc = qt_tarread_next(r, &m, &err)) == 0) {
		n++;
		REQUIRE((m->path != NULL) != (m->why != NULL));
		if (m->path != NULL)
			check_path(m->path);
		REQUIRE(m->kind == QT_TAR_FILE || m->size == 0);
		if (!check_data(r, v, m))
			break;
	}
	REQUIRE(n <= 50);
	if (rc < 0)
		REQUIRE(err.code == QT_E_STATE && err.text[0] != '\0');
}

/* Behind damage: forward, and to an end. */
static void look_behind(struct qt_tarview *v)
{
	const uint64_t size = qt_tarview_size(v);
	struct qt_error damage, err;
	uint64_t behind, at;
	size_t next = 0;

	for (behind = 0; qt_tarview_next_header(v, behind, &at, &err) == 0;
	     behind = at)
		REQUIRE(at > behind && at < size);
	while (qt_tarview_unnoticed(v, &next, &damage, &err) == 0)
		REQUIRE(damage.code == QT_E_STATE &&
		    qt_tarview_sound(v, 0, size) <= size);
}

static void run(int fd, bool salvage)
{
	const struct qt_tar_limits limits = {.members = 50,
	    .member_size = EXPANDED, .expanded = EXPANDED, .ratio = 4000,
	    .ratio_free = 1};
	struct qt_tarread *r = NULL;
	struct qt_tarview *v = NULL, *again = NULL;
	struct qt_error err;

	if (!salvage &&
	    qt_tarread_open(&r, fd, "fuzz", &limits, NULL, &err) == 0)
		read_all(r, NULL);
	qt_tarread_close(r);
	r = NULL;
	if (qt_tarview_open(&v, fd, "fuzz", NULL, &err) == 0 &&
	    qt_tarview_open(&again, fd, "fuzz", NULL, &err) == 0) {
		if (salvage)
			REQUIRE(qt_tarview_salvage(v, &err) == 0 &&
			    qt_tarview_salvage(again, &err) == 0);
		if (qt_tarread_open_view(&r, v, &limits, &err) == 0)
			read_all(r, again);
		if (salvage)
			look_behind(again);
	}
	qt_tarread_close(r);
	qt_tarview_close(v);
	qt_tarview_close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd;

	if (size > FUZZ_MAX)
		return 0;
	fd = fuzz_memory_file(data, size);
	run(fd, false);
	run(fd, true);
	(void)close(fd);
	return 0;
}
