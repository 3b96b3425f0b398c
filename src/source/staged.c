/*
 * staged.c - the names of what a transaction keeps out of the queue.
 */
#include "source/staged.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "source/below.h"

#define SEQ_DIGITS 6u /* at least */
#define BUCKET_DIGITS 4u

/* ---- numbers ---- */

/*
 * len decimal digits, padded with zeros to width and no further, as a number
 * below max.
 */
static bool number(const char *s, size_t len, size_t width, uint64_t max,
    uint64_t *value)
{
	uint64_t n = 0;

	if (len < width || (len > width && s[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		n = 10 * n + (uint64_t)(s[i] - '0');
		if (n >= max)
			return false;
	}
	*value = n;
	return true;
}

/* ---- names ---- */

bool qt_staged_parse(const char *name, struct qt_staged *s)
{
	const char *dot = strchr(name, '.'), *last = strrchr(name, '.');
	struct qt_staged new;

	if (dot == NULL || last <= dot + 1 || last[1] == '\0' ||
	    last[2] != '\0')
		return false;
	new.id = dot + 1;
	new.id_len = (size_t)(last - new.id);
	new.letter = last[1];
	if (new.id_len > QT_STAGED_ID_MAX ||
	    !number(name, (size_t)(dot - name), SEQ_DIGITS, QT_STAGED_SEQ_MAX,
		&new.seq))
		return false;
	*s = new;
	return true;
}

void qt_staged_name(uint64_t seq, const char *id, char letter,
    char name[QT_STAGED_NAME_SIZE])
{
	(void)snprintf(name, QT_STAGED_NAME_SIZE, "%0*" PRIu64 ".%s.%c",
	    (int)SEQ_DIGITS, seq, strlen(id) <= QT_STAGED_ID_MAX ? id : "-",
	    letter);
}

static const struct {
	char letter;
	enum qt_queue queue;
} queues[] = {{'h', QT_Q_HOLD}, {'d', QT_Q_DEFERRED}, {'a', QT_Q_ACTIVE},
    {'i', QT_Q_INCOMING}};
#define NQUEUES (sizeof queues / sizeof queues[0])

enum qt_queue qt_staged_queue(char letter)
{
	for (size_t i = 0; i < NQUEUES; i++)
		if (letter == queues[i].letter ||
		    letter == queues[i].letter - 'a' + 'A')
			return queues[i].queue;
	return QT_Q_COUNT;
}

char qt_staged_letter(enum qt_queue q)
{
	for (size_t i = 0; i < NQUEUES; i++)
		if (queues[i].queue == q)
			return queues[i].letter;
	return '\0';
}

/* ---- directories ---- */

void qt_staged_dir(uint64_t txid, char path[QT_STAGED_DIR_SIZE])
{
	(void)snprintf(path, QT_STAGED_DIR_SIZE, "qtool/tx/%06" PRIu64, txid);
}

void qt_staged_bucket(uint64_t txid, uint64_t bucket,
    char path[QT_STAGED_PATH_SIZE])
{
	char dir[QT_STAGED_DIR_SIZE];

	qt_staged_dir(txid, dir);
	(void)snprintf(path, QT_STAGED_PATH_SIZE, "%s/m/%0*" PRIu64, dir,
	    (int)BUCKET_DIGITS, bucket);
}

/* The highest bucket's number and one; dir is closed. */
static int count_buckets(DIR *dir, uint64_t *n)
{
	const struct dirent *d;
	uint64_t no, most = 0;
	int sys;

	while (errno = 0, (d = readdir(dir)) != NULL) {
		if (number(d->d_name, strlen(d->d_name), BUCKET_DIGITS,
			QT_STAGED_SEQ_MAX / QT_STAGED_BUCKET, &no) &&
		    no >= most)
			most = no + 1;
	}
	sys = errno;
	(void)closedir(dir);
	*n = most;
	errno = sys;
	return sys == 0 ? 0 : -1;
}

int qt_staged_buckets(const struct qt_spool *s, uint64_t *n,
    struct qt_error *err)
{
	char dir[QT_STAGED_DIR_SIZE], path[QT_STAGED_PATH_SIZE];
	DIR *d;
	int fd;

	qt_staged_dir(s->txid, dir);
	(void)snprintf(path, sizeof path, "%s/m", dir);
	fd = qt_open_dir_below(s->dirfd, path);
	if (fd < 0 && errno == ENOENT) {
		*n = 0;
		return 0;
	}
	if (fd < 0 || (d = fdopendir(fd)) == NULL) {
		(void)qt_fail_sys(err, "open", path);
		if (fd >= 0)
			(void)close(fd);
		return -1;
	}
	return count_buckets(d, n) == 0 ? 0 : qt_fail_sys(err, "read", path);
}

/* ---- logs ---- */

static const struct {
	enum qt_queue kind;
	char letter[QT_STAGED_LOGS];
} logs[] = {{QT_Q_DEFER, {'d', 'D'}}, {QT_Q_BOUNCE, {'b', 'B'}},
    {QT_Q_TRACE, {'t', 'T'}}};

static char log_letter(enum qt_queue kind, unsigned i)
{
	for (size_t k = 0; k < sizeof logs / sizeof logs[0]; k++)
		if (logs[k].kind == kind && i < QT_STAGED_LOGS)
			return logs[k].letter[i];
	return '\0';
}

int qt_staged_log(const char *path, enum qt_queue kind, unsigned i, char *log,
    size_t size)
{
	const char *name = strrchr(path, '/'), *m = strstr(path, "/m/");
	char letter = log_letter(kind, i);
	size_t len = strlen(path);
	struct qt_staged s;

	if (letter == '\0' || m == NULL || name == NULL || name < m + 3 ||
	    !qt_staged_parse(name + 1, &s) || len >= size)
		return -1;
	memcpy(log, path, len + 1);
	log[m + 1 - path] = 'x';
	log[len - 1] = letter;
	return 0;
}
