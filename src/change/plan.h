/*
 * plan.h - what is to be changed: an operation and the messages it is about.
 *
 * In memory a message is one struct of fixed size and its strings lie end to
 * end in one buffer, so that 500,000 of them stay below 100 MiB.  On disk
 * (plan.c tells the form) a plan is complete or it is not there.
 */
#ifndef CHANGE_PLAN_H
#define CHANGE_PLAN_H

#include "change/fsops.h"
#include "qtool/change.h"
#include "qtool/queueid.h"

#define QT_PLAN_MAX ((size_t)16 << 20)	/* messages of one plan */
#define QT_PLAN_DIR_MAX 63		/* bytes of "deferred/A/B" */
/* of a path below the spool, with the NUL */
#define QT_PLAN_PATH_SIZE (QT_PLAN_DIR_MAX + 1 + QT_QUEUE_ID_MAX + 1)
#define QT_HANDLE_MAX 128 /* MAX_HANDLE_SZ of the kernel */

/* A file handle: what name_to_handle_at() says, inode and generation. */
struct qt_handle {
	int type;
	unsigned len; /* 0: the file system has none */
	unsigned char bytes[QT_HANDLE_MAX];
};

/* The logs of a message that lie in staging, struct qt_plan_item.logs. */
enum {
	QT_LOG_DEFER = 1 << 0, QT_LOG_BOUNCE = 1 << 1, QT_LOG_TRACE = 1 << 2,
	QT_LOG_KINDS = 3,
	QT_LOG_LATE = QT_LOG_KINDS /* shift: written after the first was taken */
};

struct qt_plan_item {
	uint64_t ino;
	int64_t size, mtime_ns, ctime_ns; /* as judged */
	uint32_t path;	 /* offset in strings: below the spool */
	uint32_t handle; /* offset in strings, 0 none: see qt_plan_handle */
	uint32_t uid, gid;
	uint16_t mode;	 /* permission bits */
	uint8_t id_at;	 /* where in path the queue ID begins */
	uint8_t queue;	 /* enum qt_queue of path */
	bool computed;	 /* path is where Postfix looks for that ID */
	/* not in the file: where it is now */
	char staged;	 /* letter of the queue it was taken from, 0 not staged */
	uint8_t logs;	 /* QT_LOG_ bits; shifted by QT_LOG_LATE the late ones */
	bool drop;	 /* leave it out (qt_plan_compact) */
	bool left;	 /* changed: stays in the queue (left.h) */
	bool returned;	 /* moved, and given back (own.h) */
	bool rename;	 /* QT_OP_IMPORT: its ID is taken (twice.h) */
};

/* QT_OP_IMPORT: what a message was in the archive (origin.c). */
struct qt_plan_origin {
	uint32_t id;	/* offset in strings: its queue ID there */
	uint32_t sum;	/* offset in strings: SHA-256, hex */
	uint8_t queue;	/* enum qt_queue there */
	uint8_t logs;	/* QT_LOG_ bits: which it has */
	uint32_t log_sum[QT_LOG_KINDS];
	int64_t log_size[QT_LOG_KINDS];
};

struct qt_plan {
	enum qt_op op;
	struct qt_plan_item *v; /* owned */
	size_t n, cap;
	char *strings;		/* owned; offset 0 is "" */
	size_t slen, scap;
	int64_t bytes;		/* sum of sizes */
	dev_t dev;		/* of all messages; 0 while there are none */
	struct qt_plan_origin *origin; /* QT_OP_IMPORT: of each; owned */
	size_t origins, origin_cap;
	/* the header; owned, NULL unknown */
	uint64_t txid;
	uint64_t source;	/* QT_OP_RESTORE: out of which transaction */
	int64_t created_ns;
	uint64_t queue_ino;	/* of the queue directory */
	char *host, *queue_dir, *boot_id, *operator_name, *reason, *command;
};

const char *qt_plan_path(const struct qt_plan *p, const struct qt_plan_item *it);
const char *qt_plan_id(const struct qt_plan *p, const struct qt_plan_item *it);
/* The handle in *h; false when there is none. */
bool qt_plan_handle(const struct qt_plan *p, const struct qt_plan_item *it,
    struct qt_handle *h);
int qt_plan_set_handle(struct qt_plan *p, size_t i, const struct qt_handle *h,
    struct qt_error *err) QT_MUST_CHECK;
/* Drop the items marked so; indexes become the sequence numbers. */
void qt_plan_compact(struct qt_plan *p);
/*
 * Take a path apart: a message queue's name, one-character directories, a
 * queue ID.  False: it is none, or longer than this module handles.
 */
bool qt_plan_path_valid(const char *path, enum qt_queue *queue, size_t *id_at);
/* An item as read from a plan: path valid, all else taken as it is. */
int qt_plan_append(struct qt_plan *p, const struct qt_plan_item *it,
    const char *path, struct qt_error *err) QT_MUST_CHECK;
/* Another path for an item: valid, of the same queue. */
int qt_plan_set_path(struct qt_plan *p, size_t i, const char *path,
    struct qt_error *err) QT_MUST_CHECK;
/* A copy of s among the strings; its offset in *at. */
int qt_plan_keep(struct qt_plan *p, const char *s, uint32_t *at,
    struct qt_error *err) QT_MUST_CHECK;
/* Replace an owned string of the header by a copy; NULL: unknown. */
int qt_plan_set_string(char **where, const char *value, struct qt_error *err)
    QT_MUST_CHECK;

/* The operation of that name, QT_OPS when there is none. */
enum qt_op qt_op_by_name(const char *name);
/* What the kernel calls the time since it was started; unknown: as it was. */
int qt_plan_boot_id(char **id, struct qt_error *err) QT_MUST_CHECK;
/* The header: where, when, who (planfile.c). */
int qt_plan_fill_header(struct qt_plan *p, const struct qt_spool *spool,
    struct qt_error *err) QT_MUST_CHECK;

/* ---- on disk (plan.c) ---- */

/* All of it to a new file; the caller syncs and renames. */
int qt_plan_write(const struct qt_plan *p, const struct qt_fsops *fs, int fd,
    const char *where, struct qt_error *err) QT_MUST_CHECK;

/*
 * Reading: bytes as they come, then finish.  QT_E_STATE with the line's
 * number: it is not a whole plan.
 */
struct qt_plan_reader;
int qt_plan_reader_new(struct qt_plan_reader **out, const char *where,
    struct qt_error *err) QT_MUST_CHECK;
void qt_plan_reader_free(struct qt_plan_reader *r);
int qt_plan_reader_feed(struct qt_plan_reader *r, const void *bytes,
    size_t len, struct qt_error *err) QT_MUST_CHECK;
/* The caller owns *out. */
int qt_plan_reader_finish(struct qt_plan_reader *r, struct qt_plan **out,
    struct qt_error *err) QT_MUST_CHECK;
/* The whole of a descriptor. */
int qt_plan_read(struct qt_plan **out, int fd, const char *where,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * The header and the totals alone, for history: a plan without messages, whose
 * bytes is the sum; *count is how many there are.
 */
int qt_plan_peek(struct qt_plan **out, size_t *count, int fd,
    const char *where, struct qt_error *err) QT_MUST_CHECK;

#endif
