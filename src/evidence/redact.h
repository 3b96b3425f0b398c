/*
 * redact.h - people's names taken out of what is handed on (RFC 6590): the
 * same name becomes the same token in all archives of one key, and nobody
 * without the key can tell whose it is.
 *
 *	r-XXXXXXXXXXXXXXXX	a recipient's local part
 *	u-XXXXXXXXXXXXXXXX	that of another address, or a login
 *	s-XXXXXXXXXXXXXXXX	a subject
 *
 * X: 16 characters of base32 (RFC 4648, lower case) of HMAC-SHA-256 over the
 * text in lower case.  Domains are kept.
 */
#ifndef QTOOL_EVIDENCE_REDACT_H
#define QTOOL_EVIDENCE_REDACT_H

#include "qtool/archive.h"
#include "qtool/message.h"

#define QT_REDACT_KEY 32 /* bytes */

struct qt_redact_key {
	unsigned char bytes[QT_REDACT_KEY];
};
/* A new one. */
int qt_redact_key_make(struct qt_redact_key *key, struct qt_error *err)
    QT_MUST_CHECK;
/* The file's line: 64 hexadecimal digits. */
void qt_redact_key_text(const struct qt_redact_key *key, struct qt_buf *out);
int qt_redact_key_read(struct qt_redact_key *key, const char *file,
    struct qt_error *err) QT_MUST_CHECK;

/* What is taken out of one message. */
struct qt_redactor {
	enum qt_redact level;
	bool all; /* every address, not recipients alone */
	const struct qt_redact_key *key; /* borrowed */
	struct qt_redact_name *v; /* recipients' local parts, sorted; in the
				   * arena */
	size_t n;
};
/* Strings and the list are in the arena; headers may be NULL. */
int qt_redactor_init(struct qt_redactor *r, enum qt_redact level,
    const struct qt_redact_key *key, const struct qt_msg *msg,
    const struct qt_headers *headers, struct qt_arena *arena,
    struct qt_error *err) QT_MUST_CHECK;

/* A login that is to go, too, below QT_REDACT_FULL as well, and those that
 * Received fields tell; each may be NULL. */
int qt_redactor_add_user(struct qt_redactor *r, const char *login,
    const struct qt_headers *headers, struct qt_arena *arena,
    struct qt_error *err) QT_MUST_CHECK;

/* An address that is a recipient's. */
void qt_redact_address(const struct qt_redactor *r, struct qt_buf *out,
    const char *address);
/* A local part that is a recipient's. */
void qt_redact_local(const struct qt_redactor *r, struct qt_buf *out,
    const char *local, size_t len);
/*
 * Text: every recipient's local part that stands in it as a word or between
 * the signs that addresses are put together with, and what follows the ? of a
 * URL.  QT_REDACT_FULL, and of mail from the null sender: the local part of
 * every address.
 */
void qt_redact_text(const struct qt_redactor *r, struct qt_buf *out,
    const char *text, size_t len);
/* A login or an address of the sender's side: whole below QT_REDACT_FULL but
 * for what qt_redact_text() takes out. */
void qt_redact_user(const struct qt_redactor *r, struct qt_buf *out,
    const char *text, size_t len);
/* A subject, likewise. */
void qt_redact_subject(const struct qt_redactor *r, struct qt_buf *out,
    const char *text, size_t len);

/* Whether a header field names recipients: To, Cc, Delivered-To ... */
bool qt_redact_rcpt_field(const char *name);
/*
 * The next address in text from *at on, which is moved behind it: its local
 * part begins at *local, the whole ends at *end.  False: none.
 */
bool qt_redact_next_address(const char *text, size_t len, size_t *at,
    size_t *local, size_t *end);

/*
 * A column of the tables as it may be told; false: not at all.
 */
bool qt_redact_column(const struct qt_redactor *r, const char *name,
    struct qt_buf *out, const char *text, size_t len);

#endif
