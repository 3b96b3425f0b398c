/*
 * body.h - what a message's body is known by: its sum, a fingerprint that like
 * bodies share most of, and the addresses in the web that it sends people to.
 *
 * The same bytes give the same facts, in any thread.  The manual (qtool-archive)
 * defines them.
 */
#ifndef QTOOL_EVIDENCE_BODY_H
#define QTOOL_EVIDENCE_BODY_H

#include "evidence/hash.h"
#include "qtool/message.h"

#define QT_BODY_TEXT ((size_t)64 << 10)  /* bytes of text looked at */
#define QT_BODY_PAIRS 512 /* of words, for the fingerprint */
#define QT_BODY_URLS 64
#define QT_BODY_URL ((size_t)1024) /* bytes of one */

struct qt_body_url {
	const char *s; /* in the text */
	size_t len;
};
struct qt_body {
	bool have;	  /* the sum; false: the content is damaged */
	unsigned char sum[QT_SHA256_SIZE];
	bool have_words; /* there is a fingerprint */
	uint64_t simhash;
	struct qt_buf text; /* decoded, what is markup in HTML among it */
	struct qt_body_url url[QT_BODY_URLS];
	unsigned nurls;
	bool more_urls; /* than those */
};
void qt_body_init(struct qt_body *b);
void qt_body_release(struct qt_body *b);

/*
 * Where a message's text begins: what the C record says, or, where there is none
 * to be used (maildrop, unfinished and corrupt files), behind the M record.  0:
 * nowhere.
 */
uint64_t qt_body_content(struct qt_input *in, const struct qt_msg *msg,
    bool maildrop);
/*
 * Read the body behind a header that was read from content on (h->body, or, of
 * a header that was cut, behind its first empty line).  Damaged content is no
 * failure: have stays false.
 */
int qt_body_read(struct qt_body *b, struct qt_input *in, uint64_t content,
    const struct qt_headers *h, const struct qt_digest_kind *sha256,
    struct qt_error *err) QT_MUST_CHECK;

/* The fingerprint of a text; false: it has no words.  For tests. */
bool qt_body_simhash(const char *text, size_t len, uint64_t *simhash);

/* ",\"body_sha256\":...,\"body_simhash\":...,\"urls\":[...]"; b NULL: they are
 * not told. */
void qt_body_tell(struct qt_buf *out, const struct qt_body *b);

#endif
