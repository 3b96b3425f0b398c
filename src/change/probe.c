/*
 * probe.c - whether somebody is still at work on a staged message.
 *
 * A delivery agent holds a shared lock on the file while it works, marks what
 * it has delivered in it, and unlocks after that (Postfix
 * src/global/deliver_request.c).  So it does with a message that qmgr has moved
 * back to deferred, or postsuper -h to hold, in the meantime.
 */
#include "change/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

/*
 * An exclusive lock, for this moment: in a queue it would make an agent fail,
 * in staging none can come.
 */
static int is_locked(int fd, const char *where, bool *busy,
    struct qt_error *err)
{
	int r;

	do
		r = flock(fd, LOCK_EX | LOCK_NB);
	while (r != 0 && errno == EINTR);
	*busy = r != 0 && errno == EWOULDBLOCK;
	return r == 0 || *busy ? 0 : qt_fsops_fail(err, "flock", where);
}

int qt_stage_probe(struct qt_tx *tx, size_t seq, bool *busy, bool *touched,
    struct qt_error *err)
{
	const struct qt_plan_item *it = &tx->plan->v[seq];
	const char *path = qt_plan_path(tx->plan, it);
	char entry[QT_TX_ENTRY_SIZE];
	struct stat st;
	int bucket, fd, r;

	if (qt_tx_bucket(tx, QT_TX_MESSAGES, seq, &bucket, err) != 0)
		return -1;
	qt_tx_entry(tx, seq, it->staged, entry);
	fd = openat(bucket, entry,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return qt_fsops_fail(err, "open", path);
	r = is_locked(fd, path, busy, err);
	/* after the lock: what was marked before it was free shows */
	if (r == 0 && fstat(fd, &st) != 0)
		r = qt_fsops_fail(err, "fstat", path);
	if (r == 0)
		*touched = st.st_size != it->size ||
		    (int64_t)st.st_mtim.tv_sec * 1000000000 +
			st.st_mtim.tv_nsec != it->mtime_ns;
	qt_close_quiet(&fd);
	return r;
}
