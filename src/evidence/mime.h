/*
 * mime.h - which lines of a body are text, and how they are encoded (RFC 2045,
 * 2046): lines in, what each of them is out.  Nothing is decoded here.
 */
#ifndef QTOOL_EVIDENCE_MIME_H
#define QTOOL_EVIDENCE_MIME_H

#include "qtool/message.h"

#define QT_MIME_BOUNDARIES 16
#define QT_MIME_FIELD ((size_t)4096) /* of a part's header field, unfolded */

enum qt_mime_code {
	QT_MIME_PLAIN, /* 7bit, 8bit, or nothing said */
	QT_MIME_BASE64,
	QT_MIME_QP,
	QT_MIME_OTHER /* binary, uuencode, unknown, or two that differ */
};
enum qt_mime_line {
	QT_MIME_BOUNDARY, /* a part has ended, here or with it a multipart */
	QT_MIME_HEADER,	  /* of a part, or of a message in it, or the empty line
			   * behind it */
	QT_MIME_BODY	  /* of the part that code, text and html are about */
};

struct qt_mime {
	enum qt_mime_code code;
	bool text;  /* text of some kind, not an image, a program ... */
	bool html;
	bool ascii; /* in its charset ASCII bytes are ASCII, nothing shifted */
	bool doubt; /* others may read the message's structure otherwise */
	/* until the next line: */
	bool in_header;
	bool nested;   /* a message's header follows that of the part */
	bool told_code, told_type; /* there was such a field */
	char boundary[QT_MIME_BOUNDARIES][72];
	unsigned nboundaries;
	char field[QT_MIME_FIELD]; /* of the header that is being read */
	size_t field_len;
};

/* Charsets in which what is in ASCII is just that. */
bool qt_mime_ascii_charset(const char *s, size_t len);
/* A message with this header. */
void qt_mime_init(struct qt_mime *m, const struct qt_headers *h);
/* Whether all that follows is of one part: no line need be looked at. */
bool qt_mime_simple(const struct qt_mime *m);
/* The next line, without its end.  What m says of a part is about BODY lines. */
enum qt_mime_line qt_mime_line(struct qt_mime *m, const char *s, size_t len);

#endif
