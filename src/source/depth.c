/*
 * depth.c - the hash depth of a queue, read off its directory.
 *
 * A copied spool comes without main.cf, so the depth is where the files are:
 * each file votes for the level it lies on.  One stray directory in a flat
 * queue, or one file left at the top of a hashed one, changes nothing.  With
 * no file at all the deepest directory counts: Postfix makes hash directories
 * on demand and leaves them there.
 */
#include "source/spool_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qtool/queueid.h"
#include "source/below.h"

#define LEVELS 8	   /* deeper than any hash_queue_depth in use */
#define VOTES_MAX 10000u   /* entries looked at below the top */

struct votes {
	unsigned files[LEVELS + 1];
	unsigned deepest; /* level of the deepest hash directory */
	unsigned seen;	  /* entries below the top */
};

/*
 * Whether a directory may have subdirectories.  Most file systems count them
 * in the link count (2 without any), which spares reading a flat queue of a
 * million names; where the count is kept otherwise it is 1 (overlayfs, btrfs).
 */
static bool may_have_subdirs(int fd)
{
	struct stat st;

	return fstat(fd, &st) != 0 || st.st_nlink != 2;
}

/* Whether an entry is a directory with a one-character name. */
static bool is_hash_dir(int fd, const struct dirent *d)
{
	struct stat st;

	if (d->d_name[0] == '.' || d->d_name[1] != '\0')
		return false;
	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_DIR;
	return fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(st.st_mode);
}

/* Count one directory's votes and note its hash directories in subs. */
static void count_dir(struct votes *v, int fd, unsigned level,
    unsigned char subs[256])
{
	const struct dirent *d;
	DIR *dir = fdopendir(fd); /* owns fd now */

	memset(subs, 0, 256);
	if (dir == NULL) {
		(void)close(fd);
		return;
	}
	while ((d = readdir(dir)) != NULL && v->seen < VOTES_MAX) {
		if (level > 0)
			v->seen++;
		if (is_hash_dir(dirfd(dir), d))
			subs[(unsigned char)d->d_name[0]] = 1;
		else if (qt_queue_id_valid(d->d_name))
			v->files[level]++;
	}
	(void)closedir(dir);
}

/* Count path (LEVELS components at most) and what is below it. */
static void count_tree(struct votes *v, int qfd, char *path, unsigned level)
{
	unsigned char subs[256];
	size_t len = strlen(path);
	int fd = qt_open_dir_below(qfd, path);

	if (fd < 0)
		return;
	if (level > v->deepest)
		v->deepest = level;
	count_dir(v, fd, level, subs);
	for (int c = 0; c < 256 && level < LEVELS; c++) {
		if (subs[c] == 0 || v->seen >= VOTES_MAX)
			continue;
		path[len] = (char)c;
		path[len + 1] = '/';
		path[len + 2] = '\0';
		count_tree(v, qfd, path, level + 1);
		path[len] = '\0';
	}
}

unsigned qt_spool_read_depth(int qfd)
{
	struct votes v = {.deepest = 0};
	char path[2 * LEVELS + 1] = "";
	unsigned best = 0;

	if (qfd < 0 || !may_have_subdirs(qfd))
		return 0;
	count_tree(&v, qfd, path, 0);
	for (unsigned i = 1; i <= LEVELS; i++)
		if (v.files[i] > v.files[best])
			best = i;
	return v.files[best] > 0 ? best : v.deepest;
}
