/*
 * bare_scan - the least that reading a queue can cost: walk the message queues
 * below DIR at any hash depth, then open, fstat, read 4 KiB and close each
 * file, shared out to N threads by a counter.  Nothing is parsed.
 *
 *	bare_scan [-j N] [-l] DIR	prints the number of files read
 *
 * With -l the defer logs, too: what a listing with reasons cannot do without.
 */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USAGE "usage: bare_scan [-j N] [-l] DIR"
#define READ_SIZE 4096
#define STACK_SIZE ((size_t)64 << 10)

struct paths {
	char **v;
	size_t n, cap;
};

static struct paths all;
static atomic_size_t next_path, files_read;
static int top;

static void add_path(const char *dir, const char *name)
{
	char path[512];

	if (all.n == all.cap) {
		all.cap = all.cap != 0 ? 2 * all.cap : 1024;
		all.v = realloc(all.v, all.cap * sizeof *all.v);
	}
	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	if (all.v == NULL || (all.v[all.n++] = strdup(path)) == NULL)
		err(1, "malloc");
}

static void walk(const char *path)
{
	char sub[512];
	struct dirent *d;
	int fd = openat(top, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir == NULL)
		return;
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		if (d->d_type == DT_REG) {
			add_path(path, d->d_name);
		} else if (d->d_type == DT_DIR && d->d_name[1] == '\0') {
			(void)snprintf(sub, sizeof sub, "%s/%s", path,
			    d->d_name);
			walk(sub);
		}
	}
	(void)closedir(dir);
}

static void *reader(void *arg)
{
	char buf[READ_SIZE];
	struct stat st;
	size_t i;
	int fd;

	(void)arg;
	while ((i = atomic_fetch_add(&next_path, 1)) < all.n) {
		fd = openat(top, all.v[i], O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
		    O_CLOEXEC);
		if (fd < 0)
			continue;
		if (fstat(fd, &st) == 0 &&
		    pread(fd, buf, sizeof buf, 0) >= 0)
			(void)atomic_fetch_add(&files_read, 1);
		(void)close(fd);
	}
	return NULL;
}

static void run(unsigned jobs)
{
	pthread_t *t = calloc(jobs, sizeof *t);
	pthread_attr_t attr;

	if (t == NULL || pthread_attr_init(&attr) != 0 ||
	    pthread_attr_setstacksize(&attr, STACK_SIZE) != 0)
		err(1, "threads");
	for (unsigned i = 0; i < jobs; i++)
		if (pthread_create(&t[i], &attr, reader, NULL) != 0)
			err(1, "pthread_create");
	for (unsigned i = 0; i < jobs; i++)
		(void)pthread_join(t[i], NULL);
	(void)pthread_attr_destroy(&attr);
	free(t);
}

int main(int argc, char **argv)
{
	static const char *const queues[] = {"maildrop", "active", "incoming",
	    "deferred", "hold", "corrupt", "saved"};
	unsigned jobs = 32;
	bool logs = false;
	int c;

	while ((c = getopt(argc, argv, "j:l")) != -1) {
		if (c == 'l')
			logs = true;
		else if (c == 'j' && atoi(optarg) >= 1)
			jobs = (unsigned)atoi(optarg);
		else
			errx(2, USAGE);
	}
	if (optind + 1 != argc)
		errx(2, USAGE);
	top = open(argv[optind], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		err(1, "%s", argv[optind]);
	for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++)
		walk(queues[i]);
	if (logs)
		walk("defer");
	run(jobs);
	(void)printf("%zu\n", (size_t)files_read);
	for (size_t i = 0; i < all.n; i++)
		free(all.v[i]);
	free(all.v);
	(void)close(top);
	return files_read == all.n ? 0 : 1;
}
