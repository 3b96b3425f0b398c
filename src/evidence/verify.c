/*
 * verify.c - an archive read back.
 *
 * The manifests come last, so they are made anew from the members on the way
 * and compared as a whole: sorted lines of sums and paths have one form only.
 * That costs one pass and bounded memory whatever the number of messages, and
 * finds what is altered, missing or added.  The pages written are dropped from
 * the cache before, so that what is read is what the disk has.
 */
#include "evidence/verify.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "evidence/manifest.h"

#define PIECE ((size_t)256 << 10)
#define LIST_MEMORY ((size_t)16 << 20)
#define BASE_SIZE 256
#define PATH_MAX_BYTES ((size_t)512) /* of a member, without its base */

struct verify {
	struct archive *a;
	const char *where;  /* the file's name */
	int fd;
	char *buf;	    /* PIECE bytes; owned */
	uint64_t pos;	    /* read of the file so far */
	const volatile sig_atomic_t *stop;
	int sys;	    /* errno of a read that failed; 0 none */
	struct qt_digest file, member; /* member: by all nhashes */
	struct qt_manifest payload[QT_HASHES], tags[QT_HASHES];
	unsigned nhashes; /* of these: the first ones */
	char base[BASE_SIZE];
	/* SHA-256 of the manifests as they are in the archive */
	unsigned char payload_sum[QT_HASHES][QT_SHA256_SIZE];
	unsigned char tags_sum[QT_HASHES][QT_SHA256_SIZE];
	bool have_payload[QT_HASHES], have_tags[QT_HASHES];
	struct qt_verified found;
};

static const char *const payload_names[QT_HASHES] = {
    [QT_HASH_SHA256] = "manifest-sha256.txt",
    [QT_HASH_SHA512] = "manifest-sha512.txt"};
static const char *const tags_names[QT_HASHES] = {
    [QT_HASH_SHA256] = "tagmanifest-sha256.txt",
    [QT_HASH_SHA512] = "tagmanifest-sha512.txt"};

/* ---- the file ---- */

/* libarchive's read callback. */
static la_ssize_t give(struct archive *a, void *ctx, const void **bytes)
{
	struct verify *v = ctx;
	size_t got;

	if ((v->stop != NULL && *v->stop) ||
	    qt_pread_all(v->fd, v->buf, PIECE, (off_t)v->pos, &got) != 0) {
		v->sys = v->stop != NULL && *v->stop ? EINTR : errno;
		archive_set_error(a, v->sys, "read");
		return -1;
	}
	qt_digest_add(&v->file, v->buf, got);
	v->pos += got;
	*bytes = v->buf;
	return (la_ssize_t)got;
}

static int fail(const struct verify *v, struct qt_error *err)
{
	const char *text = archive_error_string(v->a);

	if (v->stop != NULL && *v->stop)
		return qt_fail(err, QT_E_INTERRUPTED, v->where,
		    "interrupted while it was read back");
	if (v->sys != 0) {
		errno = v->sys;
		return qt_fail_own(err, "read", v->where);
	}
	return qt_fail(err, QT_E_STATE, v->where, "it cannot be read back: %s",
	    text != NULL ? text : "damaged");
}

/* Behind the archive's end: the table of frames, to the last byte. */
static int read_rest(struct verify *v, struct qt_error *err)
{
	const void *ignored;
	la_ssize_t n;

	do
		n = give(v->a, v, &ignored);
	while (n > 0);
	return n == 0 ? 0 : fail(v, err);
}

/* ---- members ---- */

static int strange(const struct verify *v, const char *path, const char *what,
    struct qt_error *err)
{
	return qt_fail(err, QT_E_STATE, v->where, "\"%.200s\" in it %s", path,
	    what);
}

/* Characters that the writer uses, and no component that leads elsewhere. */
static bool plain_path(const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._/-";
	size_t n;

	if (path[strspn(path, plain)] != '\0')
		return false;
	for (;; path += n + 1) {
		n = strcspn(path, "/");
		if (n == 0 || (n <= 2 && path[0] == '.' &&
				  (n == 1 || path[1] == '.')))
			return false;
		if (path[n] == '\0')
			return true;
	}
}

/*
 * What is behind the bag's name, which is the same in all; NULL: no member of a
 * bag is called so.
 */
static const char *below_base(struct verify *v, const char *path)
{
	const char *slash = strchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 0;

	if (n == 0 || n >= sizeof v->base || !plain_path(path) ||
	    strlen(slash + 1) >= PATH_MAX_BYTES)
		return NULL;
	if (v->base[0] == '\0') {
		memcpy(v->base, path, n);
		v->base[n] = '\0';
	}
	return strlen(v->base) == n && memcmp(v->base, path, n) == 0 ?
	    slash + 1 : NULL;
}

static void count_lines(struct verify *v, const void *bytes, size_t len)
{
	const char *p = bytes, *end = p + len;

	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		v->found.messages++;
		p++;
	}
}

static int read_data(struct verify *v, const char *path,
    struct qt_sums *sums, uint64_t *size, struct qt_error *err)
{
	bool lines = strcmp(path, "metadata/messages.jsonl") == 0;
	const void *bytes;
	la_int64_t offset;
	size_t len;
	int r;

	*size = 0;
	qt_digest_clear(&v->member);
	while ((r = archive_read_data_block(v->a, &bytes, &len, &offset)) ==
	    ARCHIVE_OK) {
		if (offset < 0 || (uint64_t)offset != *size)
			return strange(v, path, "has a hole", err);
		qt_digest_add(&v->member, bytes, len);
		*size += len;
		if (lines)
			count_lines(v, bytes, len);
	}
	if (r != ARCHIVE_EOF)
		return fail(v, err);
	return qt_digest_sums(&v->member, sums, err);
}

/* Into the lists, one for each algorithm. */
static int add_to(const struct verify *v, struct qt_manifest *lists,
    const char *path, const struct qt_sums *sums, struct qt_error *err)
{
	unsigned h;
	int r = 0;

	for (h = 0; h < v->nhashes && r == 0; h++)
		r = qt_manifest_add(&lists[h], path, sums->of[h], err);
	return r;
}

/* Into those that its sums belong to. */
static int list(struct verify *v, const char *path,
    const struct qt_sums *sums, uint64_t size, struct qt_error *err)
{
	const unsigned char *sum = sums->of[QT_HASH_SHA256];
	unsigned h;

	if (strncmp(path, "data/", 5) == 0) {
		v->found.files++;
		v->found.bytes += size;
		return add_to(v, v->payload, path, sums, err);
	}
	for (h = 0; h < v->nhashes; h++) {
		if (strcmp(path, tags_names[h]) == 0) {
			if (v->have_tags[h]) /* in no list, to show there */
				return strange(v, path, "is there twice", err);
			memcpy(v->tags_sum[h], sum, QT_SHA256_SIZE);
			v->have_tags[h] = true;
			return 0;
		}
		if (strcmp(path, payload_names[h]) == 0) {
			memcpy(v->payload_sum[h], sum, QT_SHA256_SIZE);
			v->have_payload[h] = true;
		}
	}
	if (strncmp(path, "signatures/", 11) == 0)
		return 0; /* over the list, so not in it */
	return add_to(v, v->tags, path, sums, err);
}

static int member(struct verify *v, struct archive_entry *e,
    struct qt_error *err)
{
	const char *name = archive_entry_pathname(e), *path;
	struct qt_sums sums;
	uint64_t size;

	path = name != NULL ? below_base(v, name) : NULL;
	if (path == NULL)
		return strange(v, name != NULL ? name : "?",
		    "is no name of a bag's file", err);
	if (archive_entry_filetype(e) != AE_IFREG ||
	    archive_entry_hardlink(e) != NULL)
		return strange(v, path, "is no regular file", err);
	if (read_data(v, path, &sums, &size, err) != 0)
		return -1;
	return list(v, path, &sums, size, err);
}

static int all_members(struct verify *v, struct qt_error *err)
{
	struct archive_entry *e;
	int r;

	if (archive_read_open(v->a, v, NULL, give, NULL) != ARCHIVE_OK)
		return fail(v, err);
	while ((r = archive_read_next_header(v->a, &e)) == ARCHIVE_OK)
		if (member(v, e, err) != 0)
			return -1;
	return r == ARCHIVE_EOF ? read_rest(v, err) : fail(v, err);
}

/* ---- the lists ---- */

static int compare(struct verify *v, struct qt_manifest *made, bool have,
    const unsigned char sum[QT_SHA256_SIZE], const char *name,
    struct qt_error *err)
{
	unsigned char made_sum[QT_SHA256_SIZE];

	if (!have)
		return qt_fail(err, QT_E_STATE, v->where, "%s is missing", name);
	qt_digest_clear(&v->member);
	if (qt_manifest_emit(made, qt_digest_bytes, &v->member, err) != 0 ||
	    qt_digest_final(&v->member, made_sum, err) != 0)
		return -1;
	if (memcmp(made_sum, sum, QT_SHA256_SIZE) != 0)
		return qt_fail(err, QT_E_STATE, v->where,
		    "%s does not list the sums of what is in it", name);
	return 0;
}

static int check_lists(struct verify *v, struct qt_error *err)
{
	unsigned char sum[QT_SHA256_SIZE];
	unsigned h;

	qt_digest_narrow(&v->member); /* the lists are compared by it */
	for (h = 0; h < v->nhashes; h++)
		if (compare(v, &v->payload[h], v->have_payload[h],
			v->payload_sum[h], payload_names[h], err) != 0 ||
		    compare(v, &v->tags[h], v->have_tags[h], v->tags_sum[h],
			tags_names[h], err) != 0)
			return -1;
	if (qt_digest_final(&v->file, sum, err) != 0)
		return -1;
	qt_digest_hex(sum, v->found.sha256);
	return 0;
}

/* ---- all of it ---- */

static int open_all(struct verify *v, int dirfd, struct qt_error *err)
{
	v->fd = openat(dirfd, v->where, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (v->fd < 0)
		return qt_fail_own(err, "open", v->where);
	(void)posix_fadvise(v->fd, 0, 0, POSIX_FADV_DONTNEED);
	v->buf = malloc(PIECE);
	v->a = archive_read_new();
	if (v->buf == NULL || v->a == NULL)
		return qt_fail_mem(err);
	if (archive_read_support_filter_zstd(v->a) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(v->a) != ARCHIVE_OK ||
	    archive_read_support_filter_xz(v->a) != ARCHIVE_OK ||
	    archive_read_support_format_tar(v->a) != ARCHIVE_OK)
		return fail(v, err);
	if (qt_digest_init(&v->file, err) != 0)
		return -1;
	return qt_digest_init_with(&v->member, v->nhashes > 1, err);
}

static void release(struct verify *v)
{
	int h;

	if (v->a != NULL)
		(void)archive_read_free(v->a);
	free(v->buf);
	qt_close_quiet(&v->fd);
	qt_digest_release(&v->file);
	qt_digest_release(&v->member);
	for (h = 0; h < QT_HASHES; h++) {
		qt_manifest_release(&v->payload[h]);
		qt_manifest_release(&v->tags[h]);
	}
}

int qt_verify_file(struct qt_verified *found, int dirfd, const char *name,
    bool sha512, const volatile sig_atomic_t *stop, struct qt_error *err)
{
	struct verify v = {.fd = -1, .where = name, .stop = stop,
	    .nhashes = sha512 ? QT_HASHES : 1};
	int r, h;

	for (h = 0; h < QT_HASHES; h++) {
		qt_manifest_init(&v.payload[h], (enum qt_hash)h, dirfd,
		    LIST_MEMORY);
		qt_manifest_init(&v.tags[h], (enum qt_hash)h, dirfd,
		    LIST_MEMORY);
	}
	r = open_all(&v, dirfd, err);
	if (r == 0)
		r = all_members(&v, err);
	if (r == 0)
		r = check_lists(&v, err);
	if (r == 0)
		*found = v.found;
	release(&v);
	return r;
}
