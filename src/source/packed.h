/*
 * packed.h - the queue files in an archive: which there are, what is known of
 * them, and their bytes.
 *
 * An archive is an evidence bag (qtool-archive.5), or any tarball that has
 * queue directories in it, whatever they lie below.  It is read once for the
 * list of what is in it (qt_packed_load); the bytes are read again when a scan
 * asks for them, through a view, in the archive's order.  Nothing is unpacked,
 * but for:
 *
 *  - a message of more than QT_PACKED_MEMORY, which is put into a file without
 *    a name while its row is there;
 *  - logs that do not follow their message in an archive that can be read in
 *    order only: into one file without a name.
 *
 * Memory: about 100 bytes and the names for each message, 30 for a log.
 */
#ifndef QTOOL_SOURCE_PACKED_H
#define QTOOL_SOURCE_PACKED_H

#include <signal.h>

#include "qtool/buf.h"
#include "qtool/spool.h"
#include "source/tarread.h"

#define QT_PACKED_ITEMS_MAX 4000000u
#define QT_PACKED_LOGS_MAX 8000000u
#define QT_PACKED_MEMORY ((uint64_t)1 << 20)
#define QT_PACKED_LOG_SIZE ((uint64_t)16 << 20) /* larger ones are none */
#define QT_PACKED_LEVELS 8u /* depth.c counts as many */

enum { /* struct qt_packed_item.flags */
	QT_PACKED_TOLD = 1 << 0,     /* the bag's list has it */
	QT_PACKED_MISPLACED = 1 << 1, /* the list says so; note is the error */
	QT_PACKED_HEADER = 1 << 2,   /* mode is the tar header's */
	QT_PACKED_FILE = 1 << 3,     /* it has bytes, whatever its name */
	QT_PACKED_SUM = 1 << 4,	     /* the list has their sum, and it is kept */
	QT_PACKED_LOCK = 1 << 5,     /* the list says whether it was locked: */
	QT_PACKED_LOCKED = 1 << 6,
	QT_PACKED_CUT = 1 << 7	     /* its bytes go on where damage is */
};

/* A queue file.  Strings are offsets into names. */
struct qt_packed_item {
	uint64_t offset, size; /* of its bytes */
	uint64_t dev, ino;     /* told */
	int64_t mtime_ns, ctime_ns;
	const char *foreign;   /* why it is no message; a constant, NULL */
	uint32_t path;	       /* below the queue directory, as it was found */
	uint32_t id;	       /* its name, raw */
	uint32_t key;	       /* its name in the archive */
	uint32_t note;
	uint32_t uid, gid, nlink;
	uint32_t mode;	       /* 0: not known */
	uint8_t queue;	       /* QT_Q_COUNT: not known (yet) */
	uint8_t flags;
};

struct qt_packed_log {
	uint64_t offset; /* in the archive, or in the file of spilled ones */
	uint32_t id;	 /* in names */
	uint32_t size;
	uint32_t sum;	 /* in names, 64 digits, what the list has, where it is
			  * damaged; 0: not known */
	uint8_t kind;	 /* QT_Q_DEFER, QT_Q_BOUNCE, QT_Q_TRACE */
	bool spilled;
};

struct qt_packed_votes { /* for the hash depth, as depth.c has them */
	uint32_t files[QT_PACKED_LEVELS + 1];
	uint32_t deepest;
};

struct qt_packed {
	struct qt_spool *spool; /* whose source it is; borrowed */
	int fd;
	bool loaded, bag;
	struct qt_packed_item *item; /* in the archive's order; owned */
	size_t n, cap;
	struct qt_packed_log *log;   /* sorted by ID, then place; owned */
	size_t nlog, log_cap;
	char *names;		     /* owned */
	size_t names_len, names_cap;
	uint32_t *order;	     /* items by ID, or by key; owned, NULL none */
	bool by_key;
	size_t norder;
	char *base; /* plain: what the queue directories lie below, "a/b/"; a
		     * bag: its directory, "base/"; owned, NULL not seen yet */
	struct qt_packed_votes votes[QT_Q_COUNT];
	int spill;		     /* -1 none */
	uint64_t spill_len;
	struct qt_tarview *spare;    /* owned: one that a scan is done with */
	/* while it is loaded */
	struct qt_tarread *tar;
	struct qt_packed_quick *quick; /* borrowed; NULL: all is read */
	const volatile sig_atomic_t *stop;
	bool random, have_list;
	bool doubt;		     /* the list is out of a damaged frame */
	bool redacted;		     /* by case.json */
	size_t sorted;		     /* logs that are in order: the first ones */
	size_t cursor;		     /* the item that the list comes to next */
	uint64_t line;		     /* of the list */
	/*
	 * Of a damaged archive: what can be read of it, in place of a failure.
	 * The bytes of a file are held against the list's sum.  What came out
	 * of a damaged frame is not used without one.  A sum that fits is proof
	 * wherever it was read; the rest of a line is not: doubt.
	 */
	bool salvage;
	struct qt_sha256 *sha;	   /* owned; NULL: not salvaging */
	unsigned char (*sum)[32];  /* of each item with QT_PACKED_SUM; owned */
	size_t sum_cap;
	uint64_t damaged;	   /* places passed over */
	struct qt_error damage;	   /* the first of them */
	uint32_t lost_line[QT_ARCHIVE_LOST]; /* paths (names) of the first
					      * lines that no item has */
	/* what was passed over */
	uint64_t unsafe;	     /* members whose path is not to be used */
	uint64_t untold, unmatched;  /* items not in the list, and lines of it
				      * that no item has */
};

/* The descriptor is taken over. */
int qt_packed_new(struct qt_packed **out, struct qt_spool *spool, int fd,
    struct qt_error *err) QT_MUST_CHECK;
void qt_packed_free(struct qt_packed *p);

typedef void qt_packed_progress(void *ctx, uint64_t done, uint64_t total);
/* Read what is in it; host and depths of the spool are filled. */
int qt_packed_load(struct qt_packed *p, const volatile sig_atomic_t *stop,
    qt_packed_progress *progress, void *ctx, struct qt_error *err)
    QT_MUST_CHECK;

/*
 * The same for these IDs alone, without reading the rest: 1 when that cannot be
 * (no bag, not in frames, or its list does not lead to each of them); then it is
 * as if it had not been called.
 */
int qt_packed_load_ids(struct qt_packed *p, char *const *ids, size_t n,
    const volatile sig_atomic_t *stop, struct qt_error *err) QT_MUST_CHECK;

static inline const char *qt_packed_name(const struct qt_packed *p, uint32_t at)
{
	return p->names + at;
}

/*
 * The items of an ID: call with *at 0, then as it was left.  False: no more.
 * Memory may fail: false, too, with err->code QT_E_NOMEM.
 */
bool qt_packed_find(struct qt_packed *p, const char *id, size_t *at,
    size_t *item, struct qt_error *err);

void qt_packed_sort_logs(struct qt_packed *p);
/* The first log of an ID among the first n, which are in order; n: none. */
size_t qt_packed_first_log(const struct qt_packed *p, size_t n, const char *id);
/* Keep the sum that the list has of a log, if it is one of p->sorted. */
int qt_packed_keep_log_sum(struct qt_packed *p, const char *id,
    enum qt_queue kind, const char *hex, struct qt_error *err) QT_MUST_CHECK;

/* Keep the sum that the list has of an item, 64 hexadecimal digits. */
int qt_packed_keep_sum(struct qt_packed *p, size_t item, const char *hex,
    struct qt_error *err) QT_MUST_CHECK;

/* ---- bytes (packed_read.c) ---- */

#define QT_PACKED_LOGS 8u /* of one message */

/* What a row holds of its message; all zero but fd -1 before. */
struct qt_held {
	unsigned char *bytes; /* the message if it is not in fd, then logs;
			       * owned */
	size_t cap;
	size_t len;	/* of the message in bytes */
	int fd;		/* a large message; -1: it is in bytes */
	bool have;	/* the message was read */
	int sys;	/* errno or EIO when it could not be read; 0 */
	unsigned nlogs;
	struct qt_held_log {
		enum qt_queue kind;
		size_t at, len; /* in bytes */
	} log[QT_PACKED_LOGS];
	char why[160];	/* sys: a sentence */
};

enum qt_held_how {
	QT_HELD_NOT,   /* not the message */
	QT_HELD_ROW,   /* a large one in a file */
	QT_HELD_MEMORY /* in memory, up to 256 MiB */
};

void qt_held_clear(struct qt_held *h); /* keeps a small buffer */
void qt_held_release(struct qt_held *h);
/*
 * Bytes of an item into h, its logs of the kinds in the mask (QT_Q_BIT).  What
 * cannot be read is said in h; negative: memory.
 */
int qt_held_read(struct qt_held *h, struct qt_packed *p, struct qt_tarview *v,
    size_t item, enum qt_held_how message, unsigned kinds,
    struct qt_error *err) QT_MUST_CHECK;
/* A view for a scan, given back when it is done. */
int qt_packed_view(struct qt_packed *p, const volatile sig_atomic_t *stop,
    struct qt_tarview **v, struct qt_error *err) QT_MUST_CHECK;
void qt_packed_view_done(struct qt_packed *p, struct qt_tarview *v);
/* A file without a name, where there is room; -1 with errno. */
int qt_unnamed(void) QT_MUST_CHECK;

/* ---- while loading ---- */

/* A string into names. */
int qt_packed_keep(struct qt_packed *p, const char *s, size_t len,
    uint32_t *at, struct qt_error *err) QT_MUST_CHECK;
int qt_packed_add_log(struct qt_packed *p, const struct qt_packed_log *log,
    struct qt_error *err) QT_MUST_CHECK;
/* The item of a queue and key; false: there is none. */
bool qt_packed_by_key(struct qt_packed *p, unsigned queue, const char *key,
    size_t *item, struct qt_error *err);
/* Take a member in; the list is read from p->tar. */
int qt_packed_take(struct qt_packed *p, const struct qt_tar_member *m,
    struct qt_error *err) QT_MUST_CHECK;
/* All members were. */
int qt_packed_finish(struct qt_packed *p, struct qt_error *err) QT_MUST_CHECK;
/* Forget what was taken in. */
void qt_packed_forget(struct qt_packed *p);

/*
 * packed_quick.c: a line of the list, when p->quick is set.  0: its file and
 * logs were taken in, 1: it is not to be looked at.
 */
struct qt_packed_quick;
struct qt_json_value;
int qt_packed_quick_line(struct qt_packed *p, const char *path,
    const struct qt_json_value *size, const struct qt_json_value *logs,
    struct qt_error *err) QT_MUST_CHECK;

/* packed_bag.c: a bag's own words: case.json, messages.jsonl. */
int qt_packed_case(struct qt_packed *p, const struct qt_tar_member *m,
    struct qt_error *err) QT_MUST_CHECK;
int qt_packed_list(struct qt_packed *p, const struct qt_tar_member *m,
    struct qt_error *err) QT_MUST_CHECK;

#endif
