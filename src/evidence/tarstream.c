/*
 * tarstream.c - members to libarchive, its bytes to zstd or the file.
 *
 * libarchive writes the tar unblocked, so that when a member has ended all of
 * its bytes have been passed on and the next one can begin a zstd frame.  gzip
 * and xz are libarchive's own filters.  What makes the bytes depend on
 * anything but the members is switched off (gzip's time stamp).
 */
#include "evidence/tarstream.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evidence/compress.h"

#define TAR_BLOCK 512u

struct qt_tar {
	struct archive *a;
	struct archive_entry *entry; /* reused */
	struct qt_zstd *zstd;	     /* NULL: not zstd */
	struct qt_outfile *file;
	struct qt_error error; /* of the write callback; code 0 none */
};

static const struct {
	const char *suffix;
	enum qt_packing packing;
} packings[] = {
	{".tar.zst", QT_PACK_ZSTD},
	{".tar.gz", QT_PACK_GZIP},
	{".tar.xz", QT_PACK_XZ},
	{".tar", QT_PACK_NONE},
};

int qt_packing_by_name(const char *file, enum qt_packing *packing,
    struct qt_error *err)
{
	size_t len = strlen(file), n, i;

	if (strcmp(file, "-") == 0) {
		*packing = QT_PACK_ZSTD;
		return 0;
	}
	for (i = 0; i < sizeof packings / sizeof *packings; i++) {
		n = strlen(packings[i].suffix);
		if (len > n &&
		    strcmp(file + len - n, packings[i].suffix) == 0) {
			*packing = packings[i].packing;
			return 0;
		}
	}
	return qt_fail(err, QT_E_USAGE, file,
	    "the name must end in .tar.zst, .tar.gz, .tar.xz or .tar");
}

static int to_file(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	return qt_outfile_write(ctx, bytes, len, err);
}

/*
 * libarchive's write callback.  A failure is kept and looked at after each
 * call, libarchive is told that all is well: after a failed write it (3.6)
 * would never free what it holds for the output.
 */
static la_ssize_t take(struct archive *a, void *ctx, const void *bytes,
    size_t len)
{
	struct qt_tar *t = ctx;

	(void)a;
	if (t->error.code != QT_OK) /* nothing goes out any more */
		return (la_ssize_t)len;
	if (t->zstd != NULL)
		(void)!qt_zstd_write(t->zstd, bytes, len, &t->error);
	else
		(void)!qt_outfile_write(t->file, bytes, len, &t->error);
	return (la_ssize_t)len;
}

static int tar_fail(const struct qt_tar *t, struct qt_error *err)
{
	const char *text;

	if (t->error.code != QT_OK) {
		if (err != NULL)
			*err = t->error;
		return -1;
	}
	text = archive_error_string(t->a);
	return qt_fail(err, QT_E_LIBRARY, "libarchive", "%s",
	    text != NULL ? text : "unknown error");
}

/* What a call of libarchive came to, and the writes it made. */
static int outcome(const struct qt_tar *t, int r, struct qt_error *err)
{
	return r == ARCHIVE_OK && t->error.code == QT_OK ? 0 :
							   tar_fail(t, err);
}

static int set_packing(struct qt_tar *t, enum qt_packing packing,
    unsigned threads, struct qt_error *err)
{
	char n[16];
	int r = ARCHIVE_OK;

	switch (packing) {
	case QT_PACK_NONE:
		break;
	case QT_PACK_ZSTD:
		return qt_zstd_new(&t->zstd, threads, to_file, t->file, err);
	case QT_PACK_GZIP:
		r = archive_write_add_filter_gzip(t->a);
		if (r == ARCHIVE_OK)
			r = archive_write_set_filter_option(t->a, "gzip",
			    "timestamp", NULL);
		break;
	case QT_PACK_XZ:
		/* one thread would give other bytes than several */
		if (threads == 0)
			threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
		if (threads < 2 || threads > 64)
			threads = 2;
		(void)snprintf(n, sizeof n, "%u", threads);
		r = archive_write_add_filter_xz(t->a);
		if (r == ARCHIVE_OK)
			r = archive_write_set_filter_option(t->a, "xz",
			    "threads", n);
		break;
	}
	return outcome(t, r, err);
}

int qt_tar_new(struct qt_tar **out, struct qt_outfile *file,
    enum qt_packing packing, unsigned threads, struct qt_error *err)
{
	struct qt_tar *t = calloc(1, sizeof *t);

	if (t == NULL)
		return qt_fail_mem(err);
	t->file = file;
	t->a = archive_write_new();
	t->entry = archive_entry_new();
	if (t->a == NULL || t->entry == NULL) {
		qt_tar_free(t);
		return qt_fail_mem(err);
	}
	if (archive_write_set_format_pax_restricted(t->a) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(t->a, 0) != ARCHIVE_OK) {
		(void)tar_fail(t, err);
		qt_tar_free(t);
		return -1;
	}
	if (set_packing(t, packing, threads, err) != 0) {
		qt_tar_free(t);
		return -1;
	}
	if (outcome(t, archive_write_open(t->a, t, NULL, take, NULL), err) !=
	    0) {
		qt_tar_free(t);
		return -1;
	}
	*out = t;
	return 0;
}

void qt_tar_free(struct qt_tar *t)
{
	if (t == NULL)
		return;
	/* what free would still flush belongs to nothing any more */
	if (t->error.code == QT_OK)
		t->error.code = QT_E_STATE;
	if (t->a != NULL)
		(void)archive_write_free(t->a);
	archive_entry_free(t->entry);
	qt_zstd_free(t->zstd);
	free(t);
}

int qt_tar_begin(struct qt_tar *t, const char *path, uint64_t size,
    int64_t mtime, struct qt_error *err)
{
	uint64_t padded = (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;

	if (size > INT64_MAX)
		return qt_fail(err, QT_E_NOMEM, path, "too large for a tar");
	if (t->zstd != NULL &&
	    qt_zstd_member(t->zstd, padded + TAR_BLOCK, err) != 0)
		return -1;
	archive_entry_clear(t->entry);
	archive_entry_set_pathname(t->entry, path);
	archive_entry_set_filetype(t->entry, AE_IFREG);
	archive_entry_set_perm(t->entry, 0400);
	archive_entry_set_uid(t->entry, 0);
	archive_entry_set_gid(t->entry, 0);
	archive_entry_set_size(t->entry, (la_int64_t)size);
	archive_entry_set_mtime(t->entry, (time_t)mtime, 0);
	return outcome(t, archive_write_header(t->a, t->entry), err);
}

int qt_tar_data(struct qt_tar *t, const void *bytes, size_t len,
    struct qt_error *err)
{
	la_ssize_t n = len != 0 ? archive_write_data(t->a, bytes, len) : 0;

	if (n < 0 || t->error.code != QT_OK)
		return tar_fail(t, err);
	if ((size_t)n != len) /* it cuts what is beyond the header's size */
		return qt_fail(err, QT_E_STATE, "libarchive",
		    "a member is longer than announced");
	return 0;
}

int qt_tar_end(struct qt_tar *t, struct qt_error *err)
{
	return outcome(t, archive_write_finish_entry(t->a), err);
}

int qt_tar_finish(struct qt_tar *t, struct qt_error *err)
{
	if (outcome(t, archive_write_close(t->a), err) != 0)
		return -1;
	return t->zstd != NULL ? qt_zstd_finish(t->zstd, err) : 0;
}
