/*
 * spool_tx.c - what a transaction keeps, as a spool of its own.
 *
 * It has the queue directory, the host and the rest of the spool that it is
 * of, but no queue directories: the walk (tree.c) finds its messages in
 * staging, and each tells by its name which queue it was taken from.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/below.h"
#include "source/spool_priv.h"
#include "source/staged.h"

/* of's values; descriptors and strings are still those of nobody. */
static struct qt_spool *copy_plain(const struct qt_spool *of)
{
	struct qt_spool *s = malloc(sizeof *s);

	if (s == NULL)
		return NULL;
	*s = *of;
	s->config_dir = s->queue_dir = s->host = NULL;
	s->mydomain = s->myorigin = s->mail_owner = s->mail_version = NULL;
	s->dirfd = -1;
	for (unsigned q = 0; q < QT_Q_COUNT; q++)
		s->qfd[q] = -1;
	return s;
}

static int copy_strings(struct qt_spool *s, const struct qt_spool *of,
    struct qt_error *err)
{
	if (qt_spool_set(&s->config_dir, of->config_dir, err) != 0 ||
	    qt_spool_set(&s->queue_dir, of->queue_dir, err) != 0 ||
	    qt_spool_set(&s->host, of->host, err) != 0 ||
	    qt_spool_set(&s->mydomain, of->mydomain, err) != 0 ||
	    qt_spool_set(&s->myorigin, of->myorigin, err) != 0 ||
	    qt_spool_set(&s->mail_owner, of->mail_owner, err) != 0 ||
	    qt_spool_set(&s->mail_version, of->mail_version, err) != 0)
		return -1;
	return 0;
}

/* Whether it is there and can be read. */
static int check_staging(const struct qt_spool *s, struct qt_error *err)
{
	char dir[QT_STAGED_DIR_SIZE], where[48];
	uint64_t ignored;
	int fd;

	(void)snprintf(where, sizeof where, "transaction %" PRIu64, s->txid);
	qt_staged_dir(s->txid, dir);
	fd = s->txid != 0 ? qt_open_dir_below(s->dirfd, dir) : -1;
	if (fd < 0 && (s->txid == 0 || errno == ENOENT))
		return qt_fail(err, QT_E_USAGE, where,
		    "there is none; \"qtool history\" lists those there are");
	if (fd < 0)
		return qt_fail_sys(err, "open", dir);
	(void)close(fd);
	return qt_staged_buckets(s, &ignored, err);
}

static int fill(struct qt_spool *s, const struct qt_spool *of,
    struct qt_error *err)
{
	s->dirfd = fcntl(of->dirfd, F_DUPFD_CLOEXEC, 0);
	if (s->dirfd < 0)
		return qt_fail_sys(err, "dup", of->queue_dir);
	if (copy_strings(s, of, err) != 0)
		return -1;
	return check_staging(s, err);
}

int qt_spools_add_tx(struct qt_spools *list, const struct qt_spool *of,
    uint64_t txid, struct qt_error *err)
{
	struct qt_spool *s = copy_plain(of);

	if (s == NULL)
		return qt_fail_mem(err);
	s->txid = txid;
	if (fill(s, of, err) != 0) {
		qt_spool_free(s);
		return -1;
	}
	return qt_spools_take(list, s, err);
}

bool qt_spool_tx_seq(const char *path, uint64_t *seq)
{
	const char *slash = strrchr(path, '/');
	struct qt_staged s;

	if (slash == NULL || !qt_staged_parse(slash + 1, &s))
		return false;
	*seq = s.seq;
	return true;
}
