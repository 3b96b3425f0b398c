/*
 * scan.h - every file of one or several queues as a row: found by the walk,
 * read and parsed by a pool of workers, handed out in walk order.
 *
 *   walk (caller's thread) -> bounded queue -> workers -> reorder -> scan_next
 *
 * A message that moves during the scan is one row: rows are told apart by
 * (dev, ino), a name that vanished is looked up again in the other queues, and
 * directories that changed while they were read are read once more.  Several
 * links to one file (nlink > 1) are no move: each is a row.
 */
#ifndef QTOOL_SCAN_H
#define QTOOL_SCAN_H

#include <signal.h>
#include <sys/stat.h>

#include "qtool/deferlog.h"
#include "qtool/message.h"
#include "qtool/spool.h"

enum qt_state {
	QT_STATE_OK,	     /* qmgr (pickup, in maildrop) would accept it */
	QT_STATE_UNFINISHED, /* not ready: mode without 0700, being written */
	QT_STATE_CORRUPT,    /* Postfix would reject it: error, error_offset;
			      * marked so (mode 0400); or it cannot be read:
			      * error_sys */
	QT_STATE_MISPLACED,  /* fine, but not where Postfix looks for it */
	QT_STATE_FOREIGN     /* no message: symlink, FIFO, bad name, a hash
			      * directory that cannot be read, ... */
};
const char *qt_state_name(enum qt_state s);

enum { /* what a row must have; each costs, none is implied but those below */
	QT_WANT_STAT = 1 << 0,	/* tier 1: fstat fields */
	QT_WANT_MSG = 1 << 1,	/* tier 2: row.msg and state (implies STAT) */
	QT_WANT_RCPTS = 1 << 2, /* tier 2: msg.rcpt (implies MSG) */
	QT_WANT_HEADERS = 1 << 3, /* tier 3: headers (implies MSG) */
	QT_WANT_BODY = 1 << 4,	/* tier 4: body text (implies MSG) */
	QT_WANT_HASH = 1 << 5,	/* tier 4: sha256 of the file's bytes */
	QT_WANT_LOGS = 1 << 6,	/* tier 5: defer log entries */
	QT_WANT_LOCKS = 1 << 7,	/* in_delivery, from /proc/locks */
	QT_WANT_BOUNCES = 1 << 8, /* tier 5: bounce log entries; with LOGS they
				   * come too where showq has them (3.11+) */
	QT_WANT_KEPT = 1 << 9, /* row.kept: the files' own bytes, from the read
				* that everything else in the row is of */
	QT_WANT_DIAGS = 1 << 10, /* log entries whole, not brief (deferlog.h) */
	QT_WANT_SHA512 = 1 << 11 /* with KEPT: of these also the SHA-512 */
};

/* A file as the kernel tells it from another that had its inode number before:
 * what name_to_handle_at(2) gives. */
#define QT_FILE_HANDLE_MAX 128
struct qt_file_handle {
	int type;
	unsigned len; /* 0: the file system, or the source, has none */
	unsigned char bytes[QT_FILE_HANDLE_MAX];
};

/* A file as it was at one moment: two looks at it around the read agree. */
struct qt_kept_file {
	bool have;   /* it was read; else it is to be read by who wants it */
	bool absent; /* there is none (of a log) */
	const unsigned char *data; /* in the row's arena */
	size_t len;
	unsigned char sum[32]; /* SHA-256 */
	const unsigned char *sum512; /* 64 bytes, in the row's arena; NULL: not
				      * wanted */
	struct stat st;
	int64_t btime_ns; /* when it was made; 0 unknown */
	struct qt_file_handle handle;
};

#define QT_KEPT_LOGS 6 /* defer, bounce, trace, and a late one of each */

struct qt_kept {
	struct qt_kept_file message;
	int fd; /* the message's where it was not read; the row's own; else -1 */
	/* kind by kind; a queue has one of each: 0, 2, 4 */
	struct qt_kept_file log[QT_KEPT_LOGS];
};

#define QT_ROW_BODY_MAX ((size_t)16 << 20)   /* text kept of one body */
#define QT_ROW_HEADER_MAX ((size_t)256 << 10) /* header bytes kept */

enum { /* struct qt_row.unknown: what an archive does not tell */
	QT_ROW_INODE = 1 << 0, /* dev, ino, nlink, ctime_ns */
	QT_ROW_MODE = 1 << 1,  /* mode, uid, gid: it is taken for 0700 */
	QT_ROW_LOCKS = 1 << 2, /* in_delivery */
	QT_ROW_SIZE = 1 << 3   /* file_size: it is no file */
};

struct qt_logs { /* one log file's entries */
	struct qt_log_entry *v; /* in the row's arena */
	size_t n;
};

struct qt_row {
	uint64_t seq;		/* place in walk order */
	const struct qt_spool *spool;
	enum qt_queue queue;
	const char *id;		/* the file's name, raw bytes; of a staged
				 * message what of its name is the ID */
	const char *path;	/* below queue_dir, as found */
	unsigned want;		/* what was loaded */
	enum qt_state state;	/* needs MSG but for FOREIGN, MISPLACED */
	const char *error;	/* sentence, NULL when state is ok */
	int64_t error_offset;	/* -1 none */
	int error_sys;		/* errno when it could not be read, else 0 */
	ino_t d_ino;		/* from the directory entry; of an archive: the
				 * place in it, from 1 */
	unsigned unknown;	/* QT_ROW_ bits */
	/* QT_WANT_STAT */
	dev_t dev;
	ino_t ino;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	nlink_t nlink;
	int64_t file_size;
	int64_t mtime_ns, ctime_ns; /* nanoseconds since the epoch */
	/* QT_WANT_MSG */
	struct qt_msg msg;
	/* QT_WANT_HEADERS */
	struct qt_headers headers;
	/* QT_WANT_BODY: after the header's empty line, LF line ends */
	const char *body;
	size_t body_len;
	bool body_cut;
	/* QT_WANT_HASH */
	char sha256[65]; /* hex, "" when not read */
	/* QT_WANT_LOGS, QT_WANT_BOUNCES */
	struct qt_logs defer, bounce;
	/* QT_WANT_LOCKS */
	bool in_delivery;
	/* QT_WANT_KEPT; NULL: not wanted, or no regular file */
	struct qt_kept *kept;
	/* for the caller's finish hook (derived columns) */
	void *derived; /* in the arena */
	void *extra;   /* likewise, of who reads the rows */
	struct qt_arena arena; /* everything the row points to */
	struct qt_row *next;   /* queue link, the scanner's */
};

/* Where a finish hook builds what it then copies to the row's arena. */
#define QT_FINISH_MAX ((size_t)64 << 20) /* bytes of either */
struct qt_finish_tmp {
	struct qt_buf out, part;
	int fd; /* the row's file, -1 when it is not open */
};

/*
 * Equality tests that workers may apply as soon as the envelope is known, so
 * that rows which cannot match are dropped before the dear tiers are read.
 * What passes may still not match: the caller compares again (the client is
 * the one for logging or the peer; a value with a backslash is not tested,
 * since text columns show bad bytes as \xHH).
 */
enum qt_prefilter_col {
	QT_PF_SASL_USERNAME, QT_PF_SENDER, QT_PF_CLIENT_ADDRESS
};
struct qt_prefilter {
	enum qt_prefilter_col col;
	bool nocase;	   /* ASCII case-insensitive */
	const char *value; /* borrowed; outlives the scan */
};

struct qt_picks; /* picks.h */

struct qt_scan_opts {
	unsigned want;	 /* QT_WANT_ bits */
	unsigned queues; /* QT_Q_BIT mask; 0: all message queues */
	unsigned jobs;	 /* most workers; 0: the default (32).  As many of
			  * them work as there is waiting for the disk */
	const char *only_id; /* this queue ID alone: no walk, names are
			      * looked up where Postfix and the walk would
			      * find them; NULL: all */
	/* whether the walk takes entries of this ID, its raw bytes; called
	 * in the caller's thread; NULL: all.  What it leaves out is not even
	 * opened, and in no statistics */
	bool (*wanted)(void *ctx, const char *name, size_t len);
	void *wanted_ctx;
	/* these files alone, in their order, each a row whatever became of
	 * it; row.seq is its place among them.  NULL: a walk */
	struct qt_picks *picks;
	const struct qt_prefilter *prefilter;
	size_t nprefilter;
	/* called once a row is loaded, in a worker or the caller's thread; may
	 * allocate in its arena; tmp is the thread's, its content is lost
	 * before the next row; not 0: out of memory, the scan fails */
	int (*finish)(struct qt_row *row, struct qt_finish_tmp *tmp, void *ctx);
	void *finish_ctx;
	const volatile sig_atomic_t *stop; /* set by a signal: end early; may be NULL */
};

struct qt_scan_stats {
	uint64_t entries;   /* directory entries seen */
	uint64_t rows;	    /* handed out */
	uint64_t moved;	    /* seen twice, or found again elsewhere */
	uint64_t vanished;  /* gone before they could be read (delivered) */
	uint64_t by_state[QT_STATE_FOREIGN + 1]; /* needs MSG */
	uint64_t bad;	    /* corrupt, misplaced, foreign outside the queues
			     * corrupt and saved, or unreadable: exit 3 */
	uint64_t unreadable; /* of those, a read that failed (errno) */
	uint64_t dirs;	    /* of those, queue directories, which have no row, */
	unsigned dir_queues; /* and whose: QT_Q_BIT() of each */
	bool interrupted;   /* stopped early: what was handed out is not all */
};

struct qt_scan;
/* The spools are borrowed and must outlive the scan. */
int qt_scan_open(struct qt_scan **out, const struct qt_spools *spools,
    const struct qt_scan_opts *opts, struct qt_error *err) QT_MUST_CHECK;
/* 0: *row (the caller gives it back with qt_scan_recycle), 1: no more. */
int qt_scan_next(struct qt_scan *s, struct qt_row **row,
    struct qt_error *err) QT_MUST_CHECK;
void qt_scan_recycle(struct qt_scan *s, struct qt_row *row);
const struct qt_scan_stats *qt_scan_stats(const struct qt_scan *s);
void qt_scan_close(struct qt_scan *s); /* stops and joins the workers */

/*
 * Open the file of a row again for reading (show --eml, archive): relative to
 * its spool, O_NOFOLLOW, and only when dev, ino are still the row's.  Of a row
 * out of an archive: a copy of the bytes that were read for it (MSG or HASH).
 */
int qt_row_open(const struct qt_row *row, int *fd, struct qt_error *err)
    QT_MUST_CHECK;

/* An input over a descriptor: pread with a window. */
struct qt_file_input {
	struct qt_input in;
	int fd; /* borrowed */
	unsigned char *win;
	size_t cap;
};
int qt_file_input_init(struct qt_file_input *f, int fd, uint64_t size,
    struct qt_error *err) QT_MUST_CHECK;
void qt_file_input_release(struct qt_file_input *f);

#endif
