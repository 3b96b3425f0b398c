/*
 * archive.h - messages packed as an evidence bag (BagIt, RFC 8493) in a pax
 * tarball that tar, sha256sum and jq read without qtool.
 */
#ifndef QTOOL_ARCHIVE_H
#define QTOOL_ARCHIVE_H

#include "qtool/db.h"

struct qt_archive;

/* What is taken out of an archive that is handed on (manual: --redact). */
enum qt_redact {
	QT_REDACT_NONE,
	QT_REDACT_RECIPIENTS, /* recipients' names */
	QT_REDACT_FULL	      /* also our own users', subjects and bodies */
};
const char *qt_redact_name(enum qt_redact level);
/* Whether name is a level's. */
bool qt_redact_by_name(const char *name, enum qt_redact *level);

/*
 * Sign bytes: sig gets the signature as ssh-keygen -Y sign makes it (armored
 * SSHSIG, namespace qtool-evidence).
 */
typedef int qt_sign_fn(void *ctx, const void *bytes, size_t len,
    struct qt_buf *sig, struct qt_error *err);

/*
 * ssh-keygen, run by argument vector with an empty environment but for the
 * agent's socket.  key: a private key's file, or a public key's whose other
 * half an agent has.  A program is run: not for a confined process.
 */
int qt_sshsig_public(const char *key, struct qt_buf *pub, struct qt_error *err)
    QT_MUST_CHECK; /* one line, without its end */
/* It is looked at that pub made it. */
int qt_sshsig_sign(const char *key, const char *pub, const void *bytes,
    size_t len, struct qt_buf *sig, struct qt_error *err) QT_MUST_CHECK;
/*
 * The same by any other program, which is run without arguments, reads the bytes
 * on its standard input and writes a signature, of whatever kind, to its
 * standard output.  Of our environment it has HOME, GNUPGHOME and the agents'
 * sockets.
 */
int qt_program_sign(const char *program, const void *bytes, size_t len,
    struct qt_buf *sig, struct qt_error *err) QT_MUST_CHECK;
/* What its signatures are called: the last component of its path.  False: that
 * has other characters than A-Z a-z 0-9 _ -, or too many. */
bool qt_program_name(const char *program, char name[33]);
#define QT_SIGNED_MAX ((size_t)60 << 10) /* bytes that can be signed */

/*
 * What Postfix itself says of its queue: all of it, not what is selected, byte
 * for byte as "postqueue -c DIR -j" puts it out.  Postfix opens each of its
 * messages for that.
 */
struct qt_showq;
#define QT_SHOWQ_MAX ((uint64_t)4 << 30) /* bytes */
struct qt_showq_opts {
	/* The archive that it is for (qt_archive_open).  That this can be made
	 * is looked at first; what does not fit into memory goes to its
	 * directory, into a file without a name. */
	const char *file;
	size_t memory;	     /* bytes of it in memory; 0: 4 MiB */
	uint64_t max;	     /* bytes; 0: QT_SHOWQ_MAX */
	unsigned silence_ms; /* it is killed when so long nothing comes; 0: five
			      * minutes */
	const char *program; /* NULL: postqueue */
	const volatile sig_atomic_t *stop; /* set by a signal; may be NULL */
	/* Messages told so far, often; may be NULL. */
	void (*progress)(void *ctx, uint64_t messages);
	void *progress_ctx;
};
/*
 * Run postqueue for the spool, which has to be live.  QT_E_LIBRARY: it failed,
 * and what it said of that, or a line of its output is no message; QT_E_NOMEM:
 * more than max; QT_E_INTERRUPTED; as qt_archive_open, of file.  *out is the
 * caller's.  A program is run: not for a confined process.
 */
int qt_showq_take(struct qt_showq **out, const struct qt_spool *spool,
    const struct qt_showq_opts *opts, struct qt_error *err) QT_MUST_CHECK;
void qt_showq_free(struct qt_showq *q);

/* Strings are copied unless it says otherwise; NULL: none. */
struct qt_archive_opts {
	const char *host;	/* for the base name and bag-info */
	const char *queue_dir;
	const char *case_id;
	const char *title;	/* of the case, one line */
	const char *organization, *contact; /* whose; "Name <address>" */
	const char *keep_until;	/* "2027-06-30" */
	const char *command;	/* the selection as typed, one line */
	const char *selection;	/* what it was understood as */
	const char *reason;	/* why, in the operator's words */
	/* Whose configuration is recorded when it is live.  Must outlive the
	 * archive. */
	const struct qt_spool *spool;
	/* What qt_archive_postconf() gave for it, by who cannot run programs
	 * any more; NULL: they are run.  Must outlive the archive. */
	const char *postconf;
	/* NULL: it is not in it.  Must outlive the archive; never in a redacted
	 * one (QT_E_USAGE): it names everybody. */
	const struct qt_showq *showq;
	const char *program_sha256; /* of the program that runs, hex */
	bool eml;		/* data/eml/ too */
	enum qt_redact redact;
	const char *redact_key;	/* a file that has it; NULL: a new key, which
				 * goes to FILE.key */
	/* Mail logs of which the lines about this mail are taken, oldest
	 * first; must outlive the archive. */
	const char *const *logs;
	size_t nlogs;
	qt_sign_fn *sign;	/* NULL: not signed */
	void *sign_ctx;
	const char *signer;	/* the public key, one line */
	qt_sign_fn *sign_with;	/* by another program, too; NULL: not */
	void *sign_with_ctx;
	const char *sign_program; /* its qt_program_name() */
	bool timestamp;		/* FILE.tsq, an RFC 3161 request */
	bool no_index;		/* no metadata/index.sqlite */
	bool sha512;		/* manifest-sha512.txt, tagmanifest-sha512.txt */
	int64_t now;		/* seconds; 0: the clock.  Given, two archives
				 * of the same mail are the same bytes */
	int64_t begun;		/* when it was read off the clock already; 0: now */
	unsigned threads;	/* compression workers; 0: by CPU count */
	size_t memory;		/* bytes of one thing held in memory before a
				 * temporary file is used; 0: the default */
	const volatile sig_atomic_t *stop; /* set by a signal; may be NULL */
};
struct qt_archive_counts {
	uint64_t messages, logs, bytes; /* bytes: uncompressed payload */
	uint64_t gone; /* delivered or removed before they could be read */
	uint64_t failed; /* other item errors: changed, denied */
	uint64_t bad_logs; /* logs of archived messages that could not be read */
	uint64_t log_lines; /* of the mail logs */
	uint64_t archive_bytes; /* compressed */
	char sha256[65];	/* of the archive's bytes, hex */
	char base[256];		/* name of the one directory in it */
};

/* The sum of the program that runs, hex; "" when it cannot be read. */
void qt_archive_program(char sha256[65]);
/*
 * Append Postfix's configuration, as postconf tells it; what fails is said in
 * it.
 */
void qt_archive_postconf(struct qt_buf *out, const struct qt_spool *spool);

/*
 * Begin FILE (.tar.zst, .tar.gz, .tar.xz, .tar by its name; other names are
 * QT_E_USAGE); "-" is standard output, zstd, refused on a terminal.  Bytes go
 * to a temporary name beside it; nothing is at FILE until finish.  An existing
 * FILE, or one that is to be beside it (FILE.sha256 and so on), is refused
 * (QT_E_REFUSED).
 */
int qt_archive_open(struct qt_archive **out, const char *file,
    const struct qt_archive_opts *opts, struct qt_error *err) QT_MUST_CHECK;
/* The name that such an archive has by itself: BASE.tar.zst, in *out. */
int qt_archive_name(struct qt_buf *out, const struct qt_archive_opts *opts,
    struct qt_error *err) QT_MUST_CHECK;
/* One message to be added. */
struct qt_archive_item {
	const struct qt_spool *spool; /* a queue, or a transaction's */
	enum qt_queue queue;
	const char *id;	   /* raw bytes, as found below */
	const char *path;  /* below the queue directory */
	const char *found; /* what is told as its path; NULL: path */
	dev_t dev;
	ino_t ino;
	/* What a scan has read of it (QT_WANT_KEPT), so that it need not be
	 * read again; NULL: nothing. */
	const struct qt_row *row;
	/* On whose statement the row is: then it goes into index.sqlite, and is
	 * taken from the statement; NULL: not. */
	struct qt_db *db;
};
/*
 * Add a message and its logs; json is its line for messages.jsonl (an object
 * without path, found, size, sha256, stat, logs, problems and name_b64: they
 * are added).  The message is looked for at path, then, in a queue, where
 * Postfix may have moved it.  QT_E_GONE, QT_E_CHANGED and QT_E_DENIED are item errors: nothing
 * of it is in the archive but a line in metadata/missing.jsonl.  After a run
 * error the archive can only be closed.
 *
 * All messages are of one spool.  The bytes depend on the order of the calls:
 * for the same archive from the same mail, add sorted by queue and ID.
 */
int qt_archive_add(struct qt_archive *a, const struct qt_archive_item *it,
    const char *json, struct qt_error *err) QT_MUST_CHECK;
/*
 * The same with the row of messages that st stands on; none of its columns is
 * path, sha256, recipients or body.
 */
int qt_archive_add_row(struct qt_archive *a, const struct qt_archive_item *it,
    const struct qt_stmt *st, struct qt_error *err) QT_MUST_CHECK;
/* Their names, comma-separated. */
void qt_archive_columns(struct qt_buf *out);
/*
 * For qt_db_pick(), with the archive as ctx: what is told of a message is
 * worked out in the scan's threads.
 */
int qt_archive_hook(struct qt_row *row, void *archive);
void qt_archive_drain(void *archive);
unsigned qt_archive_want(const struct qt_archive *a); /* QT_WANT_ bits for it */
/* Whether it takes whole rows (qt_row_work.whole). */
bool qt_archive_whole(const struct qt_archive *a);
/*
 * Whether the rows' lines are worked out for it (qt_row_work.line): the statement
 * of qt_archive_add_row() may then have any columns.
 */
bool qt_archive_lines(const struct qt_archive *a);
/*
 * A message was selected and is left in the queue: a line in
 * metadata/missing.jsonl.  why is one word, "in_delivery".
 */
int qt_archive_left(struct qt_archive *a, const char *queue, const char *id,
    const char *why, struct qt_error *err) QT_MUST_CHECK;
/* The messages are not copied but moved: out of that transaction. */
void qt_archive_moved(struct qt_archive *a, uint64_t txid);
/* What is in it so far (sha256 and archive_bytes after finish). */
const struct qt_archive_counts *qt_archive_counts(const struct qt_archive *a);
/*
 * Lists, signature, end of archive, fsync, rename, fsync of the directory, and
 * what is beside it.  QT_E_GONE when it holds no message: no file is made.
 */
int qt_archive_finish(struct qt_archive *a, struct qt_archive_counts *counts,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * After finish: read the file back from the disk and hold every sum in it
 * against what is there, and all of it against what was written.  QT_E_STATE
 * says what is wrong.  Not for standard output.
 */
int qt_archive_verify(struct qt_archive *a, struct qt_error *err)
    QT_MUST_CHECK;
/* After finish: remove the file and its sum again. */
int qt_archive_withdraw(struct qt_archive *a, struct qt_error *err)
    QT_MUST_CHECK;
/* Free; what was not finished leaves no file. */
void qt_archive_close(struct qt_archive *a);

#endif
