/*
 * spool_help.h - a small spool in a temporary directory, for the tests of the
 * source layer: queue files by tests/tools/qfile.h, one call an entry.
 */
#ifndef TESTS_SPOOL_HELP_H
#define TESTS_SPOOL_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qtool/scan.h"
#include "tools/qfile.h"

struct sandbox {
	char dir[64]; /* the spool */
};

static inline void box_path(const struct sandbox *b, const char *rel,
    char path[256])
{
	assert_true(snprintf(path, 256, "%s/%s", b->dir, rel) < 256);
}

/* mkdir with parents, mode 0700. */
static inline void box_mkdir(const struct sandbox *b, const char *rel)
{
	char path[256];

	box_path(b, rel, path);
	for (char *p = path + strlen(b->dir) + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		(void)mkdir(path, 0700);
		*p = '/';
	}
	if (mkdir(path, 0700) != 0)
		assert_int_equal(errno, EEXIST);
}

static inline void box_open(struct sandbox *b)
{
	static const char *const queues[] = {"maildrop", "active", "incoming",
	    "deferred", "hold", "corrupt", "saved", "defer", "bounce",
	    "trace", "pid"};

	(void)snprintf(b->dir, sizeof b->dir, "/tmp/qtool-test-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++)
		box_mkdir(b, queues[i]);
}

static inline int box_rm(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void box_close(struct sandbox *b)
{
	(void)nftw(b->dir, box_rm, 16, FTW_DEPTH | FTW_PHYS);
}

/* A file with these bytes and this mode. */
static inline void box_file(const struct sandbox *b, const char *rel,
    const void *bytes, size_t len, mode_t mode)
{
	char path[256];
	int fd;

	box_path(b, rel, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

/* What distinguishes one message of the tests from another. */
struct box_msg {
	const char *sasl;     /* NULL: no login */
	const char *sender;   /* NULL: "s@example.org" */
	const char *client;   /* NULL: none */
	const char *text;     /* NULL: a header and a line */
	unsigned nrcpt;	      /* 0: one */
};

static inline void box_build(struct qfile *q, const struct box_msg *m)
{
	qfile_init(q);
	(void)qfile_size_record(q, 6);
	(void)qfile_recs(q, 'T', "1700000000 5");
	qfile_attr(q, "create_time", "1700000000");
	qfile_attr(q, "sasl_username", m->sasl);
	(void)qfile_recs(q, 'S',
	    m->sender != NULL ? m->sender : "s@example.org");
	qfile_attr(q, "log_client_address", m->client);
	for (unsigned i = 0; i < (m->nrcpt != 0 ? m->nrcpt : 1); i++)
		(void)qfile_recf(q, 'R', "r%u@example.net", i);
	qfile_message(q);
	qfile_text(q, m->text != NULL ? m->text : "Subject: hello\n\nbody\n");
	qfile_extracted(q);
	qfile_end(q);
}

static inline void box_msg(const struct sandbox *b, const char *rel,
    const struct box_msg *m)
{
	struct qfile q;

	box_build(&q, m);
	assert_false(q.b.failed);
	box_file(b, rel, q.b.data, q.b.len, 0700);
	qfile_release(&q);
}

static inline void box_plain(const struct sandbox *b, const char *rel)
{
	box_msg(b, rel, &(struct box_msg){.sasl = "joe"});
}

#endif
