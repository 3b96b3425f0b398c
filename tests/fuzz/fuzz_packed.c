/*
 * fuzz_packed.c - an archive as a queue: whatever is in it, each row has a path
 * that is safe and a queue, and a look-up of an ID finds what a scan does.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/input.h"
#include "qtool/scan.h"

#define ID "ABCDEF1234"

static unsigned scan(const struct qt_spools *spools, const char *id)
{
	const struct qt_scan_opts opts = {.want = QT_WANT_MSG | QT_WANT_RCPTS |
		QT_WANT_HEADERS | QT_WANT_BODY | QT_WANT_HASH | QT_WANT_LOGS |
		QT_WANT_BOUNCES | QT_WANT_LOCKS, .jobs = 1, .only_id = id};
	struct qt_scan *s = NULL;
	struct qt_row *row;
	struct qt_error err;
	unsigned n = 0;
	int rc;

	if (qt_scan_open(&s, spools, &opts, &err) != 0)
		return 0;
	while ((rc = qt_scan_next(s, &row, &err)) == 0) {
		REQUIRE(row->queue < QT_Q_MESSAGES);
		REQUIRE(row->path[0] != '/' && row->id[0] != '\0');
		REQUIRE(row->in_delivery == false);
		REQUIRE(row->state == QT_STATE_OK || row->error != NULL);
		n += id == NULL && strcmp(row->id, ID) == 0;
		n += id != NULL;
		qt_scan_recycle(s, row);
	}
	REQUIRE(rc == 1);
	qt_scan_close(s);
	return n;
}

static void look(const char *path, bool salvage)
{
	char *ids[] = {(char[]){ID}};
	struct qt_spools spools;
	struct qt_error err;

	qt_spools_init(&spools);
	REQUIRE(qt_spools_add_archive(&spools, path, &err) == 0);
	if (salvage)
		qt_spools_salvage(&spools);
	if (qt_spools_load_ids(&spools, ids, 1, NULL, &err) == 0 &&
	    qt_spools_load(&spools, NULL, NULL, NULL, &err) == 0)
		REQUIRE(scan(&spools, NULL) == scan(&spools, ID));
	else
		REQUIRE(err.code == QT_E_STATE && err.text[0] != '\0');
	qt_spools_release(&spools);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[32];
	int fd;

	if (size > FUZZ_MAX)
		return 0;
	fd = fuzz_memory_file(data, size);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	look(path, false);
	look(path, true);
	(void)close(fd);
	return 0;
}
