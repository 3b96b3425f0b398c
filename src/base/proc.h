/*
 * proc.h - run another program and take what it prints.
 *
 * By argv, never through a shell; environment PATH and LC_ALL alone (so no
 * MAIL_CONFIG leads postconf elsewhere); standard input /dev/null; no other
 * descriptor of ours.
 */
#ifndef QTOOL_BASE_PROC_H
#define QTOOL_BASE_PROC_H

#include <signal.h>

#include "qtool/buf.h"

/*
 * Run argv (NULL-terminated; argv[0] without a slash is looked for in the
 * fixed path /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin, not
 * in $PATH) and put its standard output in place of what out held.
 *
 * With exit_status non-NULL any exit is success and *exit_status has it.  With
 * NULL an exit other than 0 is a failure, QT_E_LIBRARY, whose text has the last
 * line the program wrote to standard error, escaped.  In both: QT_E_SYS: it
 * could not be run (err.sys ENOENT: no such program); QT_E_LIBRARY: killed by
 * a signal; QT_E_NOMEM: more than max bytes of output (it is then killed).  out
 * is empty after a failure.
 */
int qt_proc_capture(const char *const argv[], size_t max, struct qt_buf *out,
    int *exit_status, struct qt_error *err) QT_MUST_CHECK;

/* Where a program's output goes while it runs, and what ends it early. */
struct qt_proc_sink {
	/* A piece of it: 0, or negative with err, and the program is killed. */
	int (*take)(void *ctx, const void *bytes, size_t len,
	    struct qt_error *err);
	void *ctx;
	unsigned silence_ms; /* it is killed when so long no byte comes; 0: it
			      * may be silent as long as it likes */
	const volatile sig_atomic_t *stop; /* set: it is killed; may be NULL */
};
/*
 * Run argv as qt_proc_capture() without exit_status, its output to the sink in
 * pieces, in order: there is no ceiling on it but the sink's own.  Failures are
 * those, the sink's, QT_E_LIBRARY after the silence, QT_E_INTERRUPTED when
 * *stop is set, whatever the program made of the signal.  What it started in
 * turn is not killed with it.
 */
int qt_proc_stream(const char *const argv[], const struct qt_proc_sink *sink,
    struct qt_error *err) QT_MUST_CHECK;

#define QT_PROC_ENV 4
/* What a program is given beside its arguments. */
struct qt_proc_input {
	const void *bytes; /* its standard input; NULL: /dev/null */
	size_t len;	   /* at most QT_PROC_INPUT_MAX */
	/* more of its environment, "NAME=value"; NULL ends it */
	const char *env[QT_PROC_ENV + 1];
};
#define QT_PROC_INPUT_MAX ((size_t)60 << 10) /* what any pipe holds */

/* The same with input: an exit other than 0 is a failure. */
int qt_proc_filter(const char *const argv[], const struct qt_proc_input *in,
    size_t max, struct qt_buf *out, struct qt_error *err) QT_MUST_CHECK;

#endif
