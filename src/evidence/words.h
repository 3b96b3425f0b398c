/*
 * words.h - encoded words in header fields (RFC 2047), read and made, from any
 * thread.
 */
#ifndef QTOOL_EVIDENCE_WORDS_H
#define QTOOL_EVIDENCE_WORDS_H

#include "qtool/buf.h"

/*
 * Append a field's text with what is encoded in it decoded; controls are
 * blanks.  Everything that a mail program might take for an encoded word is
 * taken for one, whatever is around it.  False: something cannot be told for
 * sure (a charset in which ASCII is not ASCII, two charsets, a word that is
 * none, encoded words in encoded words); then nothing is appended.
 */
bool qt_words_decode(struct qt_buf *out, const char *s, size_t len,
    char charset[32]);
/* Append text with what is not ASCII in it as encoded words. */
void qt_words_encode(struct qt_buf *out, const char *s, size_t len,
    const char *charset);

#endif
