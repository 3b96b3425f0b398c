/*
 * show.h - what show.c and show_text.c share.
 */
#ifndef QTOOL_SHOW_H
#define QTOOL_SHOW_H

#include "cmd.h"

/* A message's file opened for reading of records and content. */
struct message_file {
	int fd;
	struct qt_file_input f;
};
int message_open(struct message_file *m, const struct qt_row *row,
    struct qt_error *err) QT_MUST_CHECK;
void message_close(struct message_file *m);
/* The content reader at the first byte after the M record. */
int message_content(struct message_file *m, const struct qt_row *row,
    struct qt_content *content, struct qt_error *err) QT_MUST_CHECK;

/*
 * One message decoded for reading, on stdout: at most max_lines of its text
 * (0: all).  What cannot be read is said in its place.  mail: what its file would
 * give; NULL: it is read, or, where there is a note, there is none of it.  note:
 * a sentence at the end, NULL none.
 */
int show_text(struct ctx *c, const struct qt_row *row,
    const struct qt_buf *mail, const char *note, int64_t max_lines,
    struct qt_error *err) QT_MUST_CHECK;
/*
 * The same out of the tables of snapshots, for each place that an ID is in;
 * *shown counts them.
 */
int show_tables(struct ctx *c, const char *id, int64_t max_lines,
    uint64_t *shown, struct qt_error *err) QT_MUST_CHECK;

#endif
