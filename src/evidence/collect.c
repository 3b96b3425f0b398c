/*
 * collect.c - finding the files of a message, while mail moves.
 */
#include "evidence/collect.h"

#include <string.h>

#include "qtool/queueid.h"

#define ROUNDS 3 /* looks at all queues for a message that keeps moving */
#define PATH_SIZE 512

/* Below its queue's own descriptor where there is one. */
static int capture_at(struct qt_capture *c, const struct qt_spool *spool,
    enum qt_queue q, const char *path, const struct qt_identity *id,
    struct qt_digest *sum, struct qt_error *err)
{
	const char *name = qt_queue_name(q);
	size_t n = strlen(name);

	if (spool->qfd[q] >= 0 && strncmp(path, name, n) == 0 &&
	    path[n] == '/' && path[n + 1] != '\0' && path[n + 1] != '/')
		return qt_capture_file(c, spool->qfd[q], path + n + 1, id, sum,
		    err);
	return qt_capture_file(c, spool->dirfd, path, id, sum, err);
}

/* Not at this place: another file, or none. */
static bool elsewhere(const struct qt_error *err)
{
	return err->code == QT_E_GONE || err->code == QT_E_CHANGED;
}

/*
 * qmgr moves messages between the queues all the time: look where Postfix
 * would have put this one.  More than one round, as it may go from a queue not
 * yet looked at into one already done.
 */
static int find_moved(struct qt_capture *c, const struct qt_spool *spool,
    const char *id, const struct qt_identity *want, struct qt_digest *sum,
    struct qt_error *why)
{
	char path[PATH_SIZE];
	struct qt_error err;
	int round, q;

	for (round = 0; round < ROUNDS; round++)
		for (q = 0; q < QT_Q_MESSAGES; q++) {
			if (qt_spool_path(spool, (enum qt_queue)q, id, path,
				sizeof path) != 0)
				continue;
			if (capture_at(c, spool, (enum qt_queue)q, path, want,
				sum, &err) == 0)
				return 0;
			if (!elsewhere(&err)) {
				*why = err;
				return -1;
			}
		}
	return -1; /* why is still that of the first place */
}

int qt_collect_message(struct qt_capture *c, const struct qt_spool *spool,
    enum qt_queue queue, const char *id, const char *path,
    const struct qt_identity *want, struct qt_digest *sum,
    struct qt_error *err)
{
	struct qt_error why;

	if (spool->packed != NULL) /* the scan would have it */
		return qt_fail(err, QT_E_DENIED, path,
		    "it cannot be read in the archive");
	if (capture_at(c, spool, queue, path, want, sum, &why) == 0)
		return 0;
	/* what has left a transaction is in no archive of it */
	if (elsewhere(&why) && spool->txid == 0 && qt_queue_id_valid(id) &&
	    find_moved(c, spool, id, want, sum, &why) == 0)
		return 0;
	if (err != NULL)
		*err = why;
	return -1;
}

unsigned qt_collect_logs(const struct qt_spool *spool)
{
	return spool->txid != 0 ? QT_STAGED_LOGS : 1;
}

int qt_collect_log(struct qt_capture *c, const struct qt_spool *spool,
    const char *id, const char *path, enum qt_queue kind, unsigned i,
    struct qt_digest *sum, struct qt_error *err)
{
	char log[PATH_SIZE];
	int r;

	if (spool->packed != NULL)
		return qt_fail(err, QT_E_GONE, id, "it has no log");

	if (spool->txid != 0)
		r = qt_staged_log(path, kind, i, log, sizeof log);
	else
		r = qt_spool_path(spool, kind, id, log, sizeof log);
	if (r != 0)
		return qt_fail(err, QT_E_GONE, id, "it can have no log");
	return capture_at(c, spool, kind, log, NULL, sum, err);
}
