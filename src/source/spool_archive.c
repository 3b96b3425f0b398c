/*
 * spool_archive.c - an archive as a spool.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "source/packed.h"
#include "source/spool_priv.h"

#define NOBODY 65534

/* Whom root becomes to read what anybody may have written. */
static void set_owner(struct qt_spool *s)
{
	struct passwd pw, *found = NULL;
	char room[4096];

	s->owner_uid = NOBODY;
	s->owner_gid = NOBODY;
	if (getpwnam_r("nobody", &pw, room, sizeof room, &found) == 0 &&
	    found != NULL && found->pw_uid != 0) {
		s->owner_uid = found->pw_uid;
		s->owner_gid = found->pw_gid;
	}
}

/* A whole source is missing: no error of one item, whatever errno. */
static int fail(const char *call, const char *file, struct qt_error *err)
{
	int sys = errno;

	(void)qt_fail(err, QT_E_SYS, file, "%s: %s", call, strerror(sys));
	if (err != NULL)
		err->sys = sys;
	return -1;
}

static int open_file(struct qt_spool *s, const char *file, int *fd,
    struct qt_error *err)
{
	struct stat st;

	*fd = *fd >= 0 ? fcntl(*fd, F_DUPFD_CLOEXEC, 3) :
	    open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (*fd < 0)
		return fail("open", file, err);
	if (fstat(*fd, &st) != 0)
		return fail("stat", file, err);
	if (S_ISDIR(st.st_mode))
		return qt_fail(err, QT_E_USAGE, file,
		    "this is a directory, not an archive: a spool is given "
		    "with -Q");
	if (!S_ISREG(st.st_mode))
		return qt_fail(err, QT_E_USAGE, file, "no regular file");
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return 0;
}

static int open_all(struct qt_spool *s, const char *file, int fd,
    struct qt_error *err)
{
	const char *name = strrchr(file, '/');

	if (open_file(s, file, &fd, err) != 0) {
		qt_close_quiet(&fd);
		return -1;
	}
	if (qt_packed_new(&s->packed, s, fd, err) != 0)
		return -1;
	set_owner(s);
	if (qt_spool_set(&s->queue_dir, file, err) != 0 ||
	    qt_spool_set(&s->mail_owner, "postfix", err) != 0)
		return -1;
	/* until the archive tells a better one */
	return qt_spool_set(&s->host, name != NULL && name[1] != '\0' ?
	    name + 1 : file, err);
}

int qt_spools_add_archive(struct qt_spools *list, const char *file,
    struct qt_error *err)
{
	return qt_spools_add_archive_fd(list, -1, file, err);
}

int qt_spools_add_archive_fd(struct qt_spools *list, int fd, const char *file,
    struct qt_error *err)
{
	struct qt_spool *s;

	if (qt_spool_blank(&s, err) != 0)
		return -1;
	if (open_all(s, file, fd, err) != 0) {
		qt_spool_free(s);
		return -1;
	}
	return qt_spools_take(list, s, err);
}

void qt_spools_salvage(struct qt_spools *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->v[i]->packed != NULL)
			list->v[i]->packed->salvage = true;
}

int qt_spools_load(struct qt_spools *list, const volatile sig_atomic_t *stop,
    void (*progress)(void *ctx, uint64_t done, uint64_t total), void *ctx,
    struct qt_error *err)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->v[i]->packed != NULL &&
		    qt_packed_load(list->v[i]->packed, stop, progress, ctx,
			err) != 0)
			return -1;
	return 0;
}

int qt_spools_load_ids(struct qt_spools *list, char *const *ids, size_t n,
    const volatile sig_atomic_t *stop, struct qt_error *err)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (list->v[i]->packed != NULL && !list->v[i]->packed->loaded &&
		    qt_packed_load_ids(list->v[i]->packed, ids, n, stop,
			err) < 0)
			return -1;
	return 0;
}

void qt_spool_notes(const struct qt_spool *s, struct qt_archive_notes *notes)
{
	const struct qt_packed *p = s->packed;
	size_t i;

	*notes = (struct qt_archive_notes){.bag = false};
	if (p == NULL)
		return;
	notes->bag = p->bag;
	notes->redacted = p->redacted;
	notes->unsafe = p->unsafe;
	notes->untold = p->untold;
	notes->unmatched = p->unmatched;
	for (i = 0; i < QT_ARCHIVE_LOST && i < p->unmatched; i++)
		notes->lost[i] = qt_packed_name(p, p->lost_line[i]);
	notes->damaged = p->damaged;
	notes->damage = p->damage.text;
}
