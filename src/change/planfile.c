/*
 * planfile.c - a plan as a file of its own: written, looked at, applied later.
 *
 * It has the form of a transaction's plan (plan.c).  What it says of each
 * message is its identity, so what has changed since is left alone when the
 * plan is applied.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "change/plan.h"

/* ---- the header ---- */

int qt_plan_boot_id(char **id, struct qt_error *err)
{
	struct qt_error ignored = {0};
	struct qt_buf b;
	int r = 0;

	qt_buf_init(&b, 256);
	if (qt_slurp(-1, "/proc/sys/kernel/random/boot_id", 64, &b,
		&ignored) == 0 && b.len > 0) {
		b.data[strcspn(b.data, "\n")] = '\0';
		r = qt_plan_set_string(id, b.data, err);
	}
	qt_buf_release(&b);
	return r;
}

/* The login that is behind root, where the system knows it. */
static uid_t login_uid(void)
{
	struct qt_error ignored = {0};
	uid_t uid = getuid();
	struct qt_buf b;
	char *end;

	qt_buf_init(&b, 64);
	if (qt_slurp(-1, "/proc/self/loginuid", 32, &b, &ignored) == 0 &&
	    b.len > 0) {
		unsigned long v = strtoul(b.data, &end, 10);

		if (*end == '\0' && v < UINT32_MAX)
			uid = (uid_t)v;
	}
	qt_buf_release(&b);
	return uid;
}

static int set_operator(struct qt_plan *p, struct qt_error *err)
{
	struct passwd pw, *found = NULL;
	uid_t uid = login_uid();
	char room[4096], number[16];

	if (getpwuid_r(uid, &pw, room, sizeof(room), &found) == 0 &&
	    found != NULL)
		return qt_plan_set_string(&p->operator_name, found->pw_name,
		    err);
	(void)snprintf(number, sizeof(number), "%u", (unsigned)uid);
	return qt_plan_set_string(&p->operator_name, number, err);
}

int qt_plan_fill_header(struct qt_plan *p, const struct qt_spool *spool,
    struct qt_error *err)
{
	struct timespec now;

	/* the clock of the log's records: its end is not before its beginning */
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	p->created_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	p->queue_ino = spool->ino;
	if (qt_plan_set_string(&p->host, spool->host, err) != 0 ||
	    qt_plan_set_string(&p->queue_dir, spool->queue_dir, err) != 0 ||
	    qt_plan_boot_id(&p->boot_id, err) != 0)
		return -1;
	return set_operator(p, err);
}

/* ---- a file ---- */

/* The directory of a path, for its descriptor and sync. */
static int open_dir_of(const char *file, const char **name,
    struct qt_error *err)
{
	const char *slash = strrchr(file, '/');
	char *dir;
	int fd;

	*name = slash != NULL ? slash + 1 : file;
	dir = slash == NULL ? strdup(".") :
	    slash == file ? strdup("/") : strndup(file, (size_t)(slash - file));
	if (dir == NULL)
		return qt_fail_mem(err);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		(void)qt_fail_sys(err, "open", dir);
	free(dir);
	return fd;
}

static int write_to(const struct qt_plan *p, int fd, const char *file,
    struct qt_error *err)
{
	if (qt_plan_write(p, &qt_fsops_system, fd, file, err) != 0)
		return -1;
	return fsync(fd) == 0 ? 0 : qt_fail_sys(err, "fsync", file);
}

int qt_plan_save(struct qt_plan *p, const struct qt_spool *spool,
    const char *file, struct qt_error *err)
{
	const char *name;
	int dir, fd, r;

	if (qt_plan_fill_header(p, spool, err) != 0 ||
	    (dir = open_dir_of(file, &name, err)) < 0)
		return -1;
	fd = openat(dir, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		r = errno == EEXIST ? qt_fail(err, QT_E_USAGE, file,
		    "the file is there already") :
		    qt_fail_sys(err, "create", file);
		qt_close_quiet(&dir);
		return r;
	}
	r = write_to(p, fd, file, err);
	if (r == 0)
		r = qt_close(&fd, file, err);
	qt_close_quiet(&fd);
	if (r == 0 && fsync(dir) != 0)
		r = qt_fail_sys(err, "fsync", file);
	/* half a plan is refused when it is read, and in the way till then */
	if (r != 0)
		(void)unlinkat(dir, name, 0);
	qt_close_quiet(&dir);
	return r;
}

int qt_plan_load(struct qt_plan **out, const char *file, struct qt_error *err)
{
	int fd = open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), r;

	if (fd < 0)
		return qt_fail_sys(err, "open", file);
	r = qt_plan_read(out, fd, file, err);
	qt_close_quiet(&fd);
	return r;
}

int qt_plan_bind(struct qt_plan *p, const struct qt_spool *spool,
    struct qt_error *err)
{
	if (p->queue_ino != spool->ino)
		return qt_fail(err, QT_E_REFUSED, spool->queue_dir,
		    "the plan was made for another queue%s%s",
		    p->queue_dir != NULL ? ": " : "",
		    p->queue_dir != NULL ? p->queue_dir : "");
	p->dev = spool->dev;
	p->txid = 0;
	return 0;
}

/* ---- what it says ---- */

enum qt_queue qt_plan_queue_of(const struct qt_plan *p, size_t i)
{
	return (enum qt_queue)p->v[i].queue;
}

enum qt_op qt_plan_op(const struct qt_plan *p)
{
	return p->op;
}

int64_t qt_plan_bytes(const struct qt_plan *p)
{
	return p->bytes;
}

void qt_plan_set_source(struct qt_plan *p, uint64_t txid)
{
	p->source = txid;
}

uint64_t qt_plan_source(const struct qt_plan *p)
{
	return p->source;
}

int64_t qt_plan_created(const struct qt_plan *p)
{
	return p->created_ns / 1000000000;
}

const char *qt_plan_reason(const struct qt_plan *p)
{
	return p->reason;
}

const char *qt_plan_command(const struct qt_plan *p)
{
	return p->command;
}

const char *qt_plan_operator(const struct qt_plan *p)
{
	return p->operator_name;
}

const char *qt_plan_host(const struct qt_plan *p)
{
	return p->host;
}

const char *qt_plan_queue_dir(const struct qt_plan *p)
{
	return p->queue_dir;
}
