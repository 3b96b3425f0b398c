/*
 * message.h - one queue file as qmgr would see it.
 *
 * Source: Postfix src/qmgr/qmgr_message.c (envelope), src/global/mail_copy.c
 * (content).  The walk follows pointers, skips the content by the C record and
 * finds recipients before the content, after it and in the heap.
 */
#ifndef QTOOL_MESSAGE_H
#define QTOOL_MESSAGE_H

#include "qtool/buf.h"
#include "qtool/record.h"

enum qt_segment { QT_SEG_ENVELOPE, QT_SEG_CONTENT, QT_SEG_EXTRACTED };
const char *qt_segment_name(enum qt_segment seg); /* "envelope", ... */

/*
 * The logical walk over all records, envelope to E.  With skip_content the
 * content is jumped over as qmgr does; without, its records come too.
 */
struct qt_walk {
	struct qt_cursor cur;
	int64_t data_size, data_offset; /* C fields 1 and 2; 0 while unknown */
	uint64_t content_end; /* offset of X by the C record, 0 unknown */
	enum qt_segment seg;  /* of the record just returned */
	enum qt_segment next; /* of the one after it, when nothing says else */
	bool skip_content;
	bool expect_x; /* the content was just skipped: X, or a pointer, or
			* corrupt; still set while that X is the record just
			* returned */
	bool old_size; /* a C record from before 1.0: M tells the offsets */
	bool done;     /* E was returned */
};

void qt_walk_init(struct qt_walk *w, struct qt_input *in, bool skip_content,
    unsigned cursor_flags);
/* 0 record (segment in w->seg), 1 end, negative QT_E_CORRUPT or I/O. */
int qt_walk_next(struct qt_walk *w, struct qt_record *rec,
    struct qt_error *err) QT_MUST_CHECK;

enum { /* NOTIFY and RET, as in the attributes notify_flags, ret_flags */
	QT_NOTIFY_NEVER = 1, QT_NOTIFY_SUCCESS = 2,
	QT_NOTIFY_FAILURE = 4, QT_NOTIFY_DELAY = 8
};

enum qt_rcpt_state { QT_RCPT_TODO, QT_RCPT_DONE, QT_RCPT_CANCELLED };

struct qt_rcpt {
	const char *address;   /* raw form, up to the first NUL; may be "" */
	const char *orig;      /* the O record that belongs to it; NULL none */
	const char *showq_orig; /* the O that showq 3.11+ would attach: a stale
				 * O of a done recipient counts (8.3 no. 4) */
	const char *dsn_orcpt; /* "rfc822;user@example.org"; NULL none */
	uint64_t offset;       /* of the R record: its identity in the logs */
	uint8_t notify;	       /* QT_NOTIFY_ bits, 0 none */
	uint8_t state;	       /* enum qt_rcpt_state */
};

enum { /* struct qt_msg.odd: accepted, but worth telling */
	QT_ODD_LEN5 = 1 << 0,  /* corrupt for Postfix of mid-2026 and later */
	QT_ODD_NUL = 1 << 1,   /* a value was cut at a NUL */
	QT_ODD_COUNT = 1 << 2, /* recipient count differs from the C record */
	QT_ODD_TAIL = 1 << 3   /* a recipient attribute without a recipient */
};

enum { /* what qt_msg_parse is to keep; the counts always come */
	QT_MSG_RCPTS = 1 << 0 /* the rcpt array and its strings */
};

/*
 * Strings are NUL-terminated in the arena, cut at the first NUL (what Postfix
 * uses), NULL when absent; sender "" is the null sender.
 */
struct qt_msg {
	bool have_size;	 /* a C record was seen */
	int nsize;	 /* numbers in it */
	int64_t size[6]; /* C fields 1..6 (index 0..5), 0 when absent */
	bool size_plain; /* the first C is digits and blanks only (showq) */
	int64_t arrival_time; /* first T, seconds; 0 absent */
	int64_t arrival_usec; /* -1 absent (before 2.3) */
	int64_t create_time;  /* 0 absent */
	int64_t showq_time;   /* first non-zero T before S; 0 none */
	int64_t warn_time;    /* W: due time, -1 sent, 0 none */
	const char *sender, *full_name, *filter, *redirect, *inspector, *verp;
	const char *envelope_id, *encoding, *rewrite_context, *log_ident;
	int ret_flags, trace_flags;
	const char *sasl_method, *sasl_username, *sasl_sender;
	/* for logging: the client, or the upstream one through XFORWARD */
	const char *log_client_name, *log_client_address, *log_client_port,
	    *log_helo_name, *log_protocol_name, *log_message_origin;
	/* the real peer */
	const char *client_name, *reverse_client_name, *client_address,
	    *client_port, *helo_name, *protocol_name, *server_address,
	    *server_port;
	const char *message_id; /* A message_id (3.10+) */
	uint64_t sender_offset; /* offset of the S record used */
	struct qt_rcpt *rcpt;	/* in logical order, only with QT_MSG_RCPTS */
	size_t nrcpt;		/* todo + done + cancelled */
	size_t ntodo, ndone, ncancelled;
	unsigned odd; /* QT_ODD_ bits */
};

enum qt_msg_origin {
	QT_MSG_QUEUE,	/* incoming, active, deferred, hold, corrupt, saved */
	QT_MSG_MAILDROP /* postdrop's file: no usable C record, content walked */
};

/*
 * Walk one file and judge it as qmgr would.  0: *msg is filled and qmgr would
 * accept it.  Negative with QT_E_CORRUPT: err says why and where, and *msg
 * holds what was understood before that.  Other codes: the read failed.
 */
int qt_msg_parse(struct qt_msg *msg, struct qt_input *in,
    enum qt_msg_origin origin, unsigned keep, struct qt_arena *arena,
    struct qt_error *err) QT_MUST_CHECK;

/*
 * The message's text, piece by piece.  A piece is part of one line; eol says
 * that a line ends after it (N record).  0 piece, 1 end (the X record),
 * negative QT_E_CORRUPT: something else than text, or the file ends.
 */
struct qt_content {
	struct qt_cursor cur;
	struct qt_record rec;	/* the one being handed out */
	uint64_t given;		/* bytes of it handed out so far */
	uint64_t total;		/* bytes handed out in all */
	bool open_line;		/* the last piece did not end its line */
	bool in_record;
};
struct qt_piece {
	const unsigned char *data; /* valid until the next call */
	size_t len;
	bool eol;
};
/* start: C field 2, or the offset after M in a maildrop file. */
void qt_content_init(struct qt_content *c, struct qt_input *in,
    uint64_t start);
int qt_content_next(struct qt_content *c, struct qt_piece *piece,
    struct qt_error *err) QT_MUST_CHECK;

/*
 * A message's header fields, unfolded (RFC 5322 2.2.3: the line end goes, the
 * white space stays), raw bytes.  Ends at the first line that is neither a
 * header nor a continuation (cleanup writes an empty one).
 */
struct qt_header {
	const char *name;  /* as written, without blanks before the colon */
	const char *value; /* after the colon and leading white space */
	size_t value_len;  /* may contain NUL */
};
struct qt_headers {
	struct qt_header *v; /* in the arena */
	size_t n;
	bool truncated; /* max_bytes was reached */
	uint64_t body;	/* where the text after the header starts, for
			 * qt_content_init; 0: there is none, or truncated */
};
int qt_headers_read(struct qt_headers *h, struct qt_content *c,
    size_t max_bytes, struct qt_arena *arena, struct qt_error *err)
    QT_MUST_CHECK;
/* The first field of that name (case-insensitive), NULL none. */
const struct qt_header *qt_headers_find(const struct qt_headers *h,
    const char *name);

/*
 * An address in the form postqueue -j and the defer log have it: the local
 * part quoted per RFC 822 where needed, non-printable bytes as '?', with
 * utf8 valid UTF-8 kept.  Source: quote_822_local.c, printable.c.
 */
void qt_address_print(struct qt_buf *out, const char *address, bool utf8);

#endif
