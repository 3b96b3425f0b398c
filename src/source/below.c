/*
 * below.c - opening below a directory, one component at a time.
 */
#include "source/below.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define FILE_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* Replace fd by its subdirectory; fd is closed either way, errno kept. */
static int step(int fd, const char *name, size_t len)
{
	char part[256];
	int next, sys;

	if (len >= sizeof part) {
		(void)close(fd);
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(part, name, len);
	part[len] = '\0';
	next = openat(fd, part, DIR_FLAGS);
	sys = errno;
	(void)close(fd);
	errno = sys;
	return next;
}

int qt_open_dir_below(int dirfd, const char *path)
{
	int fd = openat(dirfd, ".", DIR_FLAGS);
	size_t len;

	for (; fd >= 0 && *path != '\0'; path += len) {
		len = strcspn(path, "/");
		if (len > 0)
			fd = step(fd, path, len);
		else
			len = 1; /* the slash */
	}
	return fd;
}

int qt_open_file_as(int dirfd, const char *name, bool *refused)
{
	int fd = -1;

	/* only the owner and root may leave the access time alone */
	if (!*refused)
		fd = openat(dirfd, name, FILE_FLAGS | O_NOATIME);
	if (*refused || (fd < 0 && errno == EPERM)) {
		*refused = true;
		fd = openat(dirfd, name, FILE_FLAGS);
	}
	return fd;
}

int qt_open_file_at(int dirfd, const char *name)
{
	bool refused = false;

	return qt_open_file_as(dirfd, name, &refused);
}

int qt_open_file_below(int dirfd, const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[512];
	int fd, file, sys;

	if (slash == NULL)
		return qt_open_file_at(dirfd, path);
	if ((size_t)(slash - path) >= sizeof dir) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	fd = qt_open_dir_below(dirfd, dir);
	if (fd < 0)
		return -1;
	file = qt_open_file_at(fd, slash + 1);
	sys = errno;
	(void)close(fd);
	errno = sys;
	return file;
}
