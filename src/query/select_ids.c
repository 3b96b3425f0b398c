/*
 * select_ids.c - queue IDs as operands, from a file or standard input.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "query/select_priv.h"
#include "qtool/escape.h"
#include "qtool/queueid.h"

#define IDS_MAX ((size_t)512 << 20) /* bytes of a list */
#define CHUNK ((size_t)64 << 10)
#define SHOWN_MAX 64 /* bytes of a bad ID in a message */

/* Append one ID of len bytes; false when it is none. */
static bool add(struct qt_select *s, const char *id, size_t len)
{
	char name[QT_QUEUE_ID_MAX + 1];

	/* mailq's marks: in delivery, on hold, expiry forced */
	while (len > 0 && strchr("*!#", id[len - 1]) != NULL)
		len--;
	if (len == 0 || len > QT_QUEUE_ID_MAX || memchr(id, '\0', len) != NULL)
		return false;
	memcpy(name, id, len);
	name[len] = '\0';
	if (!qt_queue_id_valid(name))
		return false;
	qt_buf_add(&s->ids, name, len);
	qt_buf_addc(&s->ids, '\n');
	s->nids++;
	return true;
}

/* "X is not a queue ID", after what is in front; its bytes made visible. */
static int not_an_id(struct qt_error *err, enum qt_sel opt, int64_t line,
    const char *front, const char *id, size_t len)
{
	struct qt_buf b;

	qt_buf_init(&b, 0);
	qt_escape_term(&b, id, len < SHOWN_MAX ? len : SHOWN_MAX);
	(void)qt_fail_at(err, QT_E_USAGE, select_option_name(opt), line,
	    "%s%s is not a queue ID", front, qt_buf_str(&b));
	qt_buf_release(&b);
	return -1;
}

int select_add_id(struct qt_select *s, const char *id, struct qt_error *err)
{
	if (*id == '\0')
		return select_fail(err, QT_SEL_ID,
		    "an empty value matches nothing");
	if (!add(s, id, strlen(id)))
		return not_an_id(err, QT_SEL_ID, -1, "", id, strlen(id));
	if (s->ids_label.len < SHOWN_MAX)
		qt_buf_addf(&s->ids_label, "%s%s",
		    s->ids_label.len != 0 ? " " : "", id);
	return qt_buf_check(&s->ids, err);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int add_all(struct qt_select *s, const char *text, size_t len,
    const char *where, struct qt_error *err)
{
	size_t i = 0, start, line = 1, before = s->nids;
	char front[256];

	for (;;) {
		for (; i < len && is_space(text[i]); i++)
			line += text[i] == '\n';
		if (i == len)
			break;
		for (start = i; i < len && !is_space(text[i]); i++)
			;
		if (add(s, text + start, i - start))
			continue;
		(void)snprintf(front, sizeof front, "%.200s, line %zu: ", where,
		    line);
		return not_an_id(err, QT_SEL_IDS, (int64_t)line, front,
		    text + start, i - start);
	}
	if (s->nids == before)
		return select_fail(err, QT_SEL_IDS, "%s holds no queue ID", where);
	return qt_buf_check(&s->ids, err);
}

int select_add_id_text(struct qt_select *s, const char *text, size_t len,
    const char *where, struct qt_error *err)
{
	size_t bytes = s->ids.len, n = s->nids;

	if (add_all(s, text, len, where, err) == 0)
		return 0;
	/* all of a list or nothing */
	s->ids.len = bytes;
	s->nids = n;
	if (s->ids.data != NULL)
		s->ids.data[bytes] = '\0';
	return -1;
}

/* All of a descriptor: a pipe has no size to go by. */
static int read_list(struct qt_buf *b, int fd, const char *where,
    struct qt_error *err)
{
	char chunk[CHUNK];
	size_t got;

	do {
		if (qt_read_all(fd, chunk, sizeof chunk, &got) != 0)
			return qt_fail_sys(err, "read", where);
		qt_buf_add(b, chunk, got);
		if (b->failed)
			return qt_buf_check(b, err);
	} while (got == sizeof chunk);
	return 0;
}

int select_add_ids(struct qt_select *s, const char *file, struct qt_error *err)
{
	bool is_stdin = strcmp(file, "-") == 0;
	const char *where = is_stdin ? "standard input" : file;
	int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	struct qt_buf b;
	int r;

	/* a wrong file name is a wrong option, whatever the system calls it */
	if (fd < 0)
		return select_fail(err, QT_SEL_IDS, "%s: %s", file,
		    strerror(errno));
	qt_buf_init(&b, IDS_MAX);
	r = read_list(&b, fd, where, err);
	if (r == 0)
		r = select_add_id_text(s, qt_buf_str(&b), b.len, where, err);
	if (r == 0)
		qt_buf_addf(&s->ids_label, "%s--ids %s",
		    s->ids_label.len != 0 ? " " : "", file);
	qt_buf_release(&b);
	if (!is_stdin)
		qt_close_quiet(&fd);
	return r;
}
