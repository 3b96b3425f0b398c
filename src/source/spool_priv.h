/*
 * spool_priv.h - what the files that make a struct qt_spool share.
 */
#ifndef QTOOL_SOURCE_SPOOL_PRIV_H
#define QTOOL_SOURCE_SPOOL_PRIV_H

#include "qtool/spool.h"

/*
 * A spool of a directory, opened, nothing known of its configuration yet.
 * option names the option it was given by, for the error's place.
 */
int qt_spool_new(struct qt_spool **out, const char *queue_dir,
    struct qt_error *err) QT_MUST_CHECK;
/* The same without opening anything: queue_dir is NULL. */
int qt_spool_blank(struct qt_spool **out, struct qt_error *err) QT_MUST_CHECK;
void qt_spool_free(struct qt_spool *s);

/* Into the list, which owns it now; freed when the list has it already, or on
 * failure. */
int qt_spools_take(struct qt_spools *list, struct qt_spool *s,
    struct qt_error *err) QT_MUST_CHECK;

/* Owner from the queue directories; false when there is none. */
bool qt_spool_owner_from_dirs(struct qt_spool *s);

/* Replace *field by a copy of value (NULL: by NULL). */
int qt_spool_set(char **field, const char *value, struct qt_error *err)
    QT_MUST_CHECK;

/* mail_version, and what follows from it. */
int qt_spool_set_version(struct qt_spool *s, const char *version,
    struct qt_error *err) QT_MUST_CHECK;

/* Hash depth of one queue as its directory shows it. */
unsigned qt_spool_read_depth(int qfd);

#endif
