/*
 * spool.h - one Postfix instance's queue: where it is and how it is laid out.
 *
 * A spool is live (found through postconf) or a directory given by the user
 * (a copy, a mount, a practice queue), for which no Postfix need be installed;
 * or it is in an archive.
 */
#ifndef QTOOL_SPOOL_H
#define QTOOL_SPOOL_H

#include <signal.h>
#include <sys/types.h>

#include "qtool/buf.h"

enum qt_queue {
	QT_Q_MAILDROP, QT_Q_ACTIVE, QT_Q_INCOMING, QT_Q_DEFERRED, QT_Q_HOLD,
	QT_Q_CORRUPT, QT_Q_SAVED, /* scan order: showq's, then the rest */
	QT_Q_DEFER, QT_Q_BOUNCE, QT_Q_TRACE, /* logs, not scanned */
	QT_Q_COUNT
};
#define QT_Q_MESSAGES 7 /* queues below this hold message files */
#define QT_Q_BIT(q) (1u << (q))
#define QT_Q_ALL_MESSAGES ((1u << QT_Q_MESSAGES) - 1)

const char *qt_queue_name(enum qt_queue q);
/* The queue of that name, QT_Q_COUNT when there is none. */
enum qt_queue qt_queue_by_name(const char *name);

struct qt_packed;

struct qt_spool {
	char *config_dir;   /* NULL when given as a directory */
	char *queue_dir;    /* absolute */
	char *host;	    /* myhostname, or the directory: column host */
	char *mydomain, *myorigin; /* NULL unknown */
	char *mail_owner;   /* user name, "postfix" when unknown */
	uid_t owner_uid;    /* of mail_owner, or of the queue directories */
	gid_t owner_gid;
	unsigned depth[QT_Q_COUNT]; /* hash depth by queue */
	bool long_ids;	    /* enable_long_queue_ids */
	bool smtputf8;	    /* smtputf8_enable */
	bool live;	    /* from a configuration: Postfix may be running */
	bool orig_address;  /* mail_version >= 3.11: showq prints it */
	int64_t max_lifetime, bounce_lifetime; /* seconds; 0 unknown */
	char *mail_version; /* "3.7.11", NULL unknown */
	int dirfd;	    /* of queue_dir */
	int qfd[QT_Q_COUNT]; /* queue directories, -1 absent */
	uint64_t txid; /* of a transaction's staging; 0: a queue */
	struct qt_packed *packed; /* an archive: no directory, so no descriptor
			  * here is one, and queue_dir is the file's name;
			  * NULL: a directory */
	dev_t dev;
	ino_t ino; /* of queue_dir: two names for one spool are one */
	uid_t opened_by; /* effective user then: whose qtool/ is trusted, also
			  * by a judge that has become somebody else since */
};

/* A list of spools; v is an array of owned pointers. */
struct qt_spools {
	struct qt_spool **v;
	size_t n;
	struct qt_error *left; /* owned: why an instance is not in the list */
	size_t nleft;
};

void qt_spools_init(struct qt_spools *s);
void qt_spools_release(struct qt_spools *s);
/*
 * Add the instance of a configuration directory (postconf -c DIR -hx; NULL:
 * postconf's own default).  One already in the list is not added again.
 */
int qt_spools_add_config(struct qt_spools *s, const char *config_dir,
    struct qt_error *err) QT_MUST_CHECK;
/* Add a queue directory as it lies; depth and owner are read off it. */
int qt_spools_add_dir(struct qt_spools *s, const char *queue_dir,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * Add the queue in an archive: an evidence bag, or any tarball with queue
 * directories in it; plain, or packed with zstd, gzip or xz.  The file is
 * opened, and not read: qt_spools_load() does that, once the process has given
 * up what it does not need.  QT_E_STATE from there: it is damaged, no archive,
 * or more than is looked at.
 */
int qt_spools_add_archive(struct qt_spools *s, const char *file,
    struct qt_error *err) QT_MUST_CHECK;
/* The same of a file that is open already, which stays the caller's. */
int qt_spools_add_archive_fd(struct qt_spools *s, int fd, const char *file,
    struct qt_error *err) QT_MUST_CHECK;
/* done, total: bytes of the file; progress and stop may be NULL. */
int qt_spools_load(struct qt_spools *s, const volatile sig_atomic_t *stop,
    void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
    struct qt_error *err) QT_MUST_CHECK;

/*
 * The same for messages of these IDs alone (marks of mailq behind them are
 * passed over), where an archive can be read in parts and has all of them: they
 * are looked up in its list and read where they lie.  The other archives are
 * still to be loaded.
 */
int qt_spools_load_ids(struct qt_spools *s, char *const *ids, size_t n,
    const volatile sig_atomic_t *stop, struct qt_error *err) QT_MUST_CHECK;

/*
 * Of a damaged archive read what is intact (before it is loaded): what is
 * behind the damage, too, and of a file whose bytes are not those that the list
 * has the sum of the row alone, as unreadable.
 */
void qt_spools_salvage(struct qt_spools *s);

#define QT_ARCHIVE_LOST 10
/* What of an archive's claims did not hold, or was not used. */
struct qt_archive_notes {
	bool bag;	    /* it is an evidence archive */
	bool redacted;	    /* names were taken out, it says: of files it has
			     * but lines, which are unmatched */
	uint64_t unsafe;    /* files whose path leads elsewhere, or hides */
	uint64_t untold;    /* files that its list does not have */
	uint64_t unmatched; /* lines of its list that have no file */
	const char *lost[QT_ARCHIVE_LOST]; /* of the first of those the paths;
					    * the spool's, NULL behind them */
	uint64_t damaged;   /* places that could not be read (salvage) */
	const char *damage; /* the first of them: a sentence; the spool's */
};
/* All zero for a directory. */
void qt_spool_notes(const struct qt_spool *s, struct qt_archive_notes *notes);

/*
 * Add every instance postmulti -l lists.  One whose queue cannot be opened (it
 * was never started, it is not mounted) keeps nobody from seeing the others: it
 * is left out, with the reason in s->left.  When not one can be opened that is
 * an error, the first one's.
 */
int qt_spools_add_all(struct qt_spools *s, struct qt_error *err)
    QT_MUST_CHECK;
/* Release all but the one at i. */
void qt_spools_keep(struct qt_spools *s, size_t i);

/*
 * Add what lies in a transaction's staging (SPOOL/qtool/tx/ID/m, logs in x) as
 * a spool of its own: a message is in the queue it was taken from, its path is
 * the one in staging.  QT_E_USAGE: there is no such transaction.
 */
int qt_spools_add_tx(struct qt_spools *s, const struct qt_spool *of,
    uint64_t txid, struct qt_error *err) QT_MUST_CHECK;

/* The place in its plan of a message in such a spool, by its path; false: it
 * is none. */
bool qt_spool_tx_seq(const char *path, uint64_t *seq);

/* Whether master runs on this spool (a shared lock probe on pid/master.pid). */
bool qt_spool_running(const struct qt_spool *s);

/*
 * Path of a name in its queue below queue_dir, with the hash directories that
 * Postfix computes: "deferred/A/ABCDE12345".  -1 when it does not fit.
 */
int qt_spool_path(const struct qt_spool *s, enum qt_queue q, const char *id,
    char *path, size_t size) QT_MUST_CHECK;

#endif
