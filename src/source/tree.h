/*
 * tree.h - the walk over the queue directories of a list of spools.
 *
 * Queues come in enum order, within one the files of a directory first, then
 * its hash directories (any one-character name, as Postfix's scanner takes it)
 * by name.  A second walk reads only what changed since the one before.
 *
 * An archive (packed) has a list, in its own order.
 *
 * The spool of a transaction (txid) has buckets instead (source/staged.h), in
 * the order of their numbers; a message's name there tells queue and ID.
 *
 * The caller's thread alone uses a tree; what workers need of a directory is
 * its descriptor, which stays open while an entry refers to it.
 */
#ifndef QTOOL_SOURCE_TREE_H
#define QTOOL_SOURCE_TREE_H

#include <stdbool.h>

#include "qtool/spool.h"

#define QT_TREE_LEVELS 16 /* hash directories within each other, at most */
#define QT_TREE_BASE_MAX 64 /* a queue's name, or a bucket's path */
#define QT_TREE_PATH_MAX (QT_TREE_BASE_MAX + 2 * QT_TREE_LEVELS)

/* A directory being read, or that entries still refer to. */
struct qt_tree_dir {
	int fd;
	unsigned refs;
	const struct qt_spool *spool;
	enum qt_queue queue;	/* of a bucket: that of its strays */
	unsigned level;		/* 0: the queue itself, or a bucket */
	dev_t dev;
	ino_t ino;
	unsigned char subs[32]; /* bit set of hash directories' names */
	unsigned next_sub;	/* where the descent goes on */
	bool to_read;		/* entries are still to come */
	size_t path_len, hash_at;
	char path[QT_TREE_PATH_MAX]; /* "deferred/A"; at hash_at "A" or "" */
};

struct qt_tree_entry {
	struct qt_tree_dir *dir; /* a reference, the receiver's to drop */
	const char *name;	 /* valid until the next call */
	size_t name_len;
	const char *id;		 /* the name, or what is the ID within it */
	size_t id_len;
	enum qt_queue queue;
	ino_t ino;
	struct qt_packed *packed; /* of an archive: dir is NULL, */
	size_t item;		  /* and this is its place there */
	const char *foreign; /* why it is no message; NULL: a regular file with
			      * a queue ID's name.  A constant. */
	int error_sys; /* errno when it is a directory that cannot be read */
};

/* What is known of a directory that was read, for the next walk. */
struct qt_tree_seen {
	dev_t dev;
	ino_t ino;
	int64_t mtime_ns; /* when the reading began; INT64_MIN: do not trust */
	unsigned char subs[32];
};

struct qt_tree {
	const struct qt_spools *spools;
	unsigned queues;	/* mask */
	const char *only;	/* entries of this ID alone; NULL all */
	/* of these IDs alone; NULL all */
	bool (*wanted)(void *ctx, const char *name, size_t len);
	void *wanted_ctx;
	size_t spool_at;	/* next root: */
	uint64_t root_at;	/* a queue, or a transaction's bucket, */
	uint64_t nbuckets;	/* of so many; known once the first is due */
	struct qt_tree_dir *stack[QT_TREE_LEVELS + 1];
	size_t depth;		/* directories on the stack */
	char *buf;		/* getdents64 */
	size_t buf_len, buf_pos;
	unsigned open_dirs;	/* not yet closed */
	struct qt_tree_seen *seen;
	size_t nseen, seen_cap, seen_at; /* seen_at: the next one expected */
	bool again;		/* skip what has not changed */
	uint64_t dirs_read;	/* in this walk */
	uint64_t denied;	/* queue directories that could not be read */
	unsigned denied_queues;	/* whose: QT_Q_BIT() of each */
	int denied_sys;		/* errno of the first, */
	enum qt_queue denied_queue; /* and which */
	uint64_t roots;		/* queue directories that could */
};

int qt_tree_init(struct qt_tree *t, const struct qt_spools *spools,
    unsigned queues, struct qt_error *err) QT_MUST_CHECK;
void qt_tree_release(struct qt_tree *t);
/* Walk anew; with again, directories that have not changed are skipped. */
void qt_tree_restart(struct qt_tree *t, bool again);
/* 0 entry, 1 no more, negative: a run error. */
int qt_tree_next(struct qt_tree *t, struct qt_tree_entry *e,
    struct qt_error *err) QT_MUST_CHECK;

/* An entry for an archive's file. */
void qt_tree_packed(struct qt_tree_entry *e, struct qt_packed *p, size_t item);

/*
 * A directory outside the walk: hash ("A/B", "") below a queue.  *dir is NULL
 * when there is none.
 */
int qt_tree_dir_open(struct qt_tree *t, struct qt_tree_dir **dir,
    const struct qt_spool *spool, enum qt_queue queue, const char *hash,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * A directory by its path ("deferred/A", a bucket's), of which the first base
 * bytes are the queue or bucket.  One that is not there is one in which
 * nothing is: its descriptor is -1.
 */
int qt_tree_dir_at(struct qt_tree *t, struct qt_tree_dir **dir,
    const struct qt_spool *spool, enum qt_queue queue, const char *path,
    size_t base, struct qt_error *err) QT_MUST_CHECK;
void qt_tree_dir_unref(struct qt_tree *t, struct qt_tree_dir *dir);

/* The sentence for what is no regular file, by DT_ type; NULL for a file. */
const char *qt_tree_type_text(unsigned type);
/* Why an entry of that name and DT_ type that is no hash directory is no
 * message; NULL: it may be one.  A constant. */
const char *qt_tree_judge(const char *name, unsigned type);

#endif
