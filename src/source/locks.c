/*
 * locks.c - /proc/locks (proc(5)) as a sorted list of files.
 *
 * A line: "7: FLOCK  ADVISORY  READ  1234 fe:01:5678 0 EOF", device numbers in
 * hexadecimal; "->" after the number marks one that still waits.
 */
#include "source/locks.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/io.h"

#define LOCKS_TEXT_MAX ((size_t)64 << 20)

static int compare(const void *a, const void *b)
{
	const struct qt_lock *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return 0;
}

static bool parse_line(const char *line, struct qt_lock *lock)
{
	unsigned major, minor;
	uint64_t ino;

	/* the kernel's own text; "->" stands where FLOCK is asked for.  scanf
	 * would pass an empty line */
	if (line[0] < '0' || line[0] > '9' ||
	    sscanf(line, "%*u: FLOCK %*s %*s %*d %x:%x:%" SCNu64, &major,
		&minor, &ino) != 3)
		return false;
	*lock = (struct qt_lock){makedev(major, minor), (ino_t)ino};
	return true;
}

int qt_locks_parse(struct qt_locks *l, const char *text, struct qt_error *err)
{
	struct qt_locks new = {.n = 0};
	struct qt_lock lock, *v;
	size_t cap = 0;

	for (; *text != '\0'; text += strcspn(text, "\n")) {
		text += *text == '\n';
		if (!parse_line(text, &lock))
			continue;
		if (new.n == cap) {
			cap = cap != 0 ? 2 * cap : 64;
			v = reallocarray(new.v, cap, sizeof *v);
			if (v == NULL) {
				free(new.v);
				return qt_fail_mem(err);
			}
			new.v = v;
		}
		new.v[new.n++] = lock;
	}
	if (new.n > 0)
		qsort(new.v, new.n, sizeof *new.v, compare);
	*l = new;
	return 0;
}

int qt_locks_read(struct qt_locks *l, struct qt_error *err)
{
	struct qt_error ignored;
	struct qt_buf text;
	int rc;

	qt_buf_init(&text, LOCKS_TEXT_MAX + 1);
	/* no /proc, no knowledge: nothing is said to be in delivery */
	if (qt_slurp(AT_FDCWD, "/proc/locks", LOCKS_TEXT_MAX, &text,
		&ignored) != 0)
		qt_buf_clear(&text);
	rc = qt_locks_parse(l, qt_buf_str(&text), err);
	qt_buf_release(&text);
	return rc;
}

void qt_locks_release(struct qt_locks *l)
{
	if (l == NULL)
		return;
	free(l->v);
	*l = (struct qt_locks){.v = NULL};
}

bool qt_locks_has(const struct qt_locks *l, dev_t dev, ino_t ino)
{
	struct qt_lock key = {dev, ino};

	return l->n > 0 &&
	    bsearch(&key, l->v, l->n, sizeof key, compare) != NULL;
}
