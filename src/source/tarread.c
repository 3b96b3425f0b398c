/*
 * tarread.c - members in order, by libarchive.
 *
 * Only the one decompressor that the file's first bytes call for is switched
 * on, and only tar: everything else libarchive knows is not reachable.  Where
 * a member's bytes are is what libarchive has consumed when its header was
 * read, so that qt_tarview finds them again.
 */
#include "source/tarread.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "source/tarlib.h"

#define PIECE ((size_t)256 << 10)
#define VIEW_PIECE ((size_t)16 << 10) /* most is skipped */
#define BLOCK QT_TAR_BLOCK

static const struct qt_tar_limits defaults = {
    .members = 20000000,
    .member_size = (uint64_t)256 << 30,
    .expanded = (uint64_t)8 << 40,
    .ratio = 4000,
    .ratio_free = (uint64_t)1 << 30,
};

struct qt_tarread {
	struct qt_tarlib lib;
	struct qt_tar_limits limits;
	struct qt_tar_member member;
	char path[QT_TAR_PATH_MAX]; /* the member's, or its beginning */
	uint64_t members;  /* headers seen */
	uint64_t end;	   /* where the next header may be, at the earliest */
	uint64_t left;	   /* bytes of the member not yet handed out */
	const char *block; /* libarchive's, of them the next block_left */
	size_t block_left;
	bool done;
	bool refused; /* it goes beyond a limit */
};

/* ---- libarchive over a descriptor ---- */

/* libarchive's read callback where a view gives the bytes. */
static la_ssize_t give_view(struct archive *a, void *ctx, const void **bytes)
{
	struct qt_tarlib *l = ctx;
	uint64_t left = qt_tarview_size(l->view) - l->pos;
	size_t n = left < VIEW_PIECE ? (size_t)left : VIEW_PIECE;
	size_t got;

	if (l->stop != NULL && *l->stop) {
		archive_set_error(a, EINTR, "interrupted");
		return -1;
	}
	if (qt_tarview_some(l->view, l->pos, l->buf, n, &got, &l->error) != 0) {
		l->own_error = true;
		archive_set_error(a, EIO, "read");
		return -1;
	}
	l->pos += got;
	*bytes = l->buf;
	return (la_ssize_t)got;
}

/* libarchive's skip callback: what nobody asked for is not read. */
static la_int64_t skip_view(struct archive *a, void *ctx, la_int64_t request)
{
	struct qt_tarlib *l = ctx;
	uint64_t left = qt_tarview_size(l->view) - l->pos;
	uint64_t n = request > 0 ? (uint64_t)request : 0;

	(void)a;
	if (n > left)
		n = left;
	l->pos += n;
	return (la_int64_t)n;
}

/* libarchive's read callback. */
static la_ssize_t give(struct archive *a, void *ctx, const void **bytes)
{
	struct qt_tarlib *l = ctx;
	size_t got;

	if (l->stop != NULL && *l->stop) {
		archive_set_error(a, EINTR, "interrupted");
		return -1;
	}
	if (qt_pread_all(l->fd, l->buf, PIECE, (off_t)l->pos, &got) != 0) {
		l->sys = errno;
		archive_set_error(a, l->sys, "read");
		return -1;
	}
	l->pos += got;
	*bytes = l->buf;
	return (la_ssize_t)got;
}

static int switch_on(struct archive *a, enum qt_tar_packing packing)
{
	switch (packing) {
	case QT_TAR_GZIP:
		return archive_read_support_filter_gzip(a);
	case QT_TAR_XZ:
		return archive_read_support_filter_xz(a);
	case QT_TAR_ZSTD:
		return archive_read_support_filter_zstd(a);
	case QT_TAR_PLAIN:
		break;
	}
	return ARCHIVE_OK;
}

static int open_lib(struct qt_tarlib *l)
{
	if (l->view == NULL)
		return archive_read_open(l->a, l, NULL, give, NULL);
	(void)archive_read_set_read_callback(l->a, give_view);
	(void)archive_read_set_skip_callback(l->a, skip_view);
	(void)archive_read_set_callback_data(l->a, l);
	return archive_read_open1(l->a);
}

int qt_tarlib_open(struct qt_tarlib *l, bool tar, struct qt_error *err)
{
	enum qt_tar_packing packing = QT_TAR_PLAIN;
	struct archive *a;

	if (l->view == NULL &&
	    qt_tar_packing(l->fd, l->name, &packing, err) != 0)
		return -1;
	l->buf = malloc(PIECE);
	l->a = a = archive_read_new();
	if (l->buf == NULL || a == NULL)
		return qt_fail_mem(err);
	if (switch_on(a, packing) != ARCHIVE_OK)
		return qt_tarlib_fail(l, NULL, err);
	if (tar ? archive_read_support_format_tar(a) != ARCHIVE_OK
		: archive_read_support_format_raw(a) != ARCHIVE_OK)
		return qt_tarlib_fail(l, NULL, err);
	/* names are bytes: what they would be in some alphabet is no matter */
	if (tar)
		(void)archive_read_set_format_option(a, "tar", "hdrcharset",
		    "BINARY");
	if (open_lib(l) != ARCHIVE_OK)
		return qt_tarlib_fail(l, NULL, err);
	return 0;
}

void qt_tarlib_close(struct qt_tarlib *l)
{
	if (l->a != NULL)
		(void)archive_read_free(l->a);
	free(l->buf);
	l->a = NULL;
	l->buf = NULL;
}

/* The uncompressed bytes that libarchive has taken. */
uint64_t qt_tarlib_expanded(const struct qt_tarlib *l)
{
	la_int64_t n = archive_filter_bytes(l->a, 0);

	return l->start + (n > 0 ? (uint64_t)n : 0);
}

/* What a view came to, which knows of no member. */
static int fail_view(const struct qt_tarlib *l, const char *member,
    struct qt_error *err)
{
	static const char says[] = QT_TAR_DAMAGED;
	const struct qt_error *e = &l->error;

	if (member != NULL && e->code == QT_E_STATE &&
	    strncmp(e->text, says, sizeof says - 1) == 0)
		return qt_fail_at(err, QT_E_STATE, l->name, e->offset,
		    "it is damaged in or after \"%.100s\": %s", member,
		    e->text + sizeof says - 1);
	if (err != NULL)
		*err = *e;
	return -1;
}

int qt_tarlib_fail(const struct qt_tarlib *l, const char *member,
    struct qt_error *err)
{
	const char *text = archive_error_string(l->a);
	int64_t at = (int64_t)qt_tarlib_expanded(l);

	if (l->stop != NULL && *l->stop)
		return qt_fail(err, QT_E_INTERRUPTED, l->name, "interrupted");
	if (l->own_error)
		return fail_view(l, member, err);
	if (l->sys != 0) {
		(void)qt_fail_at(err, QT_E_SYS, l->name, at, "read: %s",
		    strerror(l->sys));
		if (err != NULL)
			err->sys = l->sys;
		return -1;
	}
	if (archive_errno(l->a) == ENOMEM)
		return qt_fail_mem(err);
	if (text == NULL)
		text = "damaged";
	if (member == NULL)
		return qt_fail_at(err, QT_E_STATE, l->name, at,
		    "it cannot be read as a tar archive: %s, at byte %lld of "
		    "what it expands to", text, (long long)at);
	return qt_fail_at(err, QT_E_STATE, l->name, at,
	    "it is damaged in or after \"%.100s\": %s, at byte %lld of what it "
	    "expands to", member, text, (long long)at);
}

int qt_tar_packing(int fd, const char *name, enum qt_tar_packing *packing,
    struct qt_error *err)
{
	static const struct {
		unsigned char magic[6];
		size_t len;
		enum qt_tar_packing packing;
	} known[] = {{{0x1f, 0x8b}, 2, QT_TAR_GZIP},
	    {{0xfd, '7', 'z', 'X', 'Z', 0}, 6, QT_TAR_XZ},
	    {{0x28, 0xb5, 0x2f, 0xfd}, 4, QT_TAR_ZSTD}};
	unsigned char head[6];
	size_t got, i;

	if (qt_pread_all(fd, head, sizeof head, 0, &got) != 0) {
		int sys = errno;

		(void)qt_fail(err, QT_E_SYS, name, "read: %s", strerror(sys));
		if (err != NULL)
			err->sys = sys;
		return -1;
	}
	if (got == 0)
		return qt_fail(err, QT_E_STATE, name, "the file is empty");
	*packing = QT_TAR_PLAIN;
	for (i = 0; i < sizeof known / sizeof known[0]; i++)
		if (got >= known[i].len &&
		    memcmp(head, known[i].magic, known[i].len) == 0)
			*packing = known[i].packing;
	return 0;
}

/* ---- headers ---- */

bool qt_tar_number(const unsigned char *p, size_t len, uint64_t *n)
{
	size_t i = 0;

	for (*n = 0; i < len && p[i] >= '0' && p[i] <= '7'; i++)
		*n = *n << 3 | (uint64_t)(p[i] - '0');
	return i > 0 && (i == len || p[i] == ' ' || p[i] == '\0');
}

bool qt_tar_is_header(const unsigned char b[QT_TAR_BLOCK])
{
	uint64_t want, sum = 0;
	size_t i;

	for (i = 0; i < QT_TAR_BLOCK; i++)
		sum += i >= 148 && i < 156 ? ' ' : b[i];
	return memcmp(b + 257, "ustar", 5) == 0 && qt_tar_number(b + 148, 8, &want) &&
	    want == sum;
}

/* ---- paths ---- */

static bool has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			return true;
	return false;
}

char *qt_tar_path(char *path, const char **why)
{
	size_t len, n;
	const char *p;

	if (path[0] == '/') {
		*why = "an absolute path";
		return NULL;
	}
	while (path[0] == '.' && path[1] == '/')
		path += 2 + strspn(path + 2, "/");
	for (len = strlen(path); len > 0 && path[len - 1] == '/'; len--)
		path[len - 1] = '\0';
	if (strcmp(path, ".") == 0)
		path[0] = '\0'; /* the directory that was packed */
	if (has_control(path)) {
		*why = "a control character in the path";
		return NULL;
	}
	for (p = path; *p != '\0'; p += n + (p[n] == '/')) {
		n = strcspn(p, "/");
		if (n == 0 || (n <= 2 && strncmp(p, "..", n) == 0)) {
			*why = "a path with \"..\", \".\" or nothing as a part";
			return NULL;
		}
	}
	return path;
}

/* ---- members ---- */

static void set_limits(struct qt_tar_limits *l, const struct qt_tar_limits *o)
{
	*l = defaults;
	if (o == NULL)
		return;
	if (o->members != 0)
		l->members = o->members;
	if (o->member_size != 0)
		l->member_size = o->member_size;
	if (o->expanded != 0)
		l->expanded = o->expanded;
	if (o->ratio != 0)
		l->ratio = o->ratio;
	if (o->ratio_free != 0)
		l->ratio_free = o->ratio_free;
}

static int open_reader(struct qt_tarread **out, const struct qt_tarlib *from,
    const struct qt_tar_limits *limits, struct qt_error *err)
{
	struct qt_tarread *r = calloc(1, sizeof *r);

	if (r == NULL)
		return qt_fail_mem(err);
	set_limits(&r->limits, limits);
	r->lib = *from;
	if (qt_tarlib_open(&r->lib, true, err) != 0) {
		qt_tarread_close(r);
		return -1;
	}
	*out = r;
	return 0;
}

int qt_tarread_open(struct qt_tarread **out, int fd, const char *name,
    const struct qt_tar_limits *limits, const volatile sig_atomic_t *stop,
    struct qt_error *err)
{
	return open_reader(out, &(struct qt_tarlib){.fd = fd, .name = name,
	    .stop = stop}, limits, err);
}

int qt_tarread_open_view(struct qt_tarread **out, struct qt_tarview *view,
    const struct qt_tar_limits *limits, struct qt_error *err)
{
	return qt_tarread_open_at(out, view, 0, limits, err);
}

int qt_tarread_open_at(struct qt_tarread **out, struct qt_tarview *view,
    uint64_t start, const struct qt_tar_limits *limits, struct qt_error *err)
{
	struct qt_tarlib from = {.fd = -1};

	qt_tarview_lend(view, &from);
	if (start != 0 && from.view == NULL)
		return qt_fail(err, QT_E_USAGE, from.name,
		    "it can be read from its beginning only");
	from.start = from.pos = start;
	return open_reader(out, &from, limits, err);
}

void qt_tarread_close(struct qt_tarread *r)
{
	if (r == NULL)
		return;
	qt_tarlib_close(&r->lib);
	free(r);
}

bool qt_tarread_done(const struct qt_tarread *r)
{
	return r->done;
}

bool qt_tarread_refused(const struct qt_tarread *r)
{
	return r != NULL && r->refused;
}

uint64_t qt_tarread_progress(const struct qt_tarread *r)
{
	return r->lib.view == NULL ? r->lib.pos :
	    qt_tarview_packed(r->lib.view, r->lib.pos);
}

static int beyond(struct qt_tarread *r, const char *what, uint64_t most,
    struct qt_error *err)
{
	int64_t at = (int64_t)qt_tarlib_expanded(&r->lib);

	r->refused = true;
	return qt_fail_at(err, QT_E_STATE, r->lib.name, at,
	    "refused at \"%.100s\", byte %lld of what it expands to: %s (%llu)",
	    r->path, (long long)at, what, (unsigned long long)most);
}

static int check_limits(struct qt_tarread *r, struct qt_error *err)
{
	const struct qt_tar_limits *l = &r->limits;
	uint64_t expanded = qt_tarlib_expanded(&r->lib);

	if (r->members > l->members)
		return beyond(r, "more members than are taken", l->members, err);
	if (r->member.size > l->member_size)
		return beyond(r, "a member larger than is taken",
		    l->member_size, err);
	if (expanded > l->expanded ||
	    l->expanded - expanded < r->member.size)
		return beyond(r, "it expands to more than is taken",
		    l->expanded, err);
	if (expanded > l->ratio_free && expanded / l->ratio > qt_tarread_progress(r))
		return beyond(r, "it expands to more times its size than any "
		    "mail does", l->ratio, err);
	return 0;
}

/* Nobody compresses twice but who wants to deceive a limit. */
static int check_filters(struct qt_tarread *r, struct qt_error *err)
{
	if (archive_filter_count(r->lib.a) <= 2)
		return 0;
	return qt_fail(err, QT_E_STATE, r->lib.name,
	    "it is compressed more than once");
}

static void take_path(struct qt_tarread *r, struct archive_entry *e)
{
	const char *name = archive_entry_pathname(e);
	struct qt_tar_member *m = &r->member;
	size_t len = name != NULL ? strlen(name) : 0;

	(void)strlcpy(r->path, name != NULL ? name : "", sizeof r->path);
	if (len == 0)
		m->why = "no path";
	else if (len >= sizeof r->path)
		m->why = "a path that is too long";
	else
		m->path = qt_tar_path(r->path, &m->why);
}

static void take_entry(struct qt_tarread *r, struct archive_entry *e)
{
	struct qt_tar_member *m = &r->member;
	int64_t size = archive_entry_size_is_set(e) ? archive_entry_size(e) : 0;
	int64_t mtime = archive_entry_mtime(e);

	*m = (struct qt_tar_member){.kind = QT_TAR_OTHER,
	    .offset = qt_tarlib_expanded(&r->lib),
	    .mode = archive_entry_perm(e) | archive_entry_filetype(e)};
	if (archive_entry_hardlink(e) != NULL)
		m->mode = S_IFREG | archive_entry_perm(e);
	take_path(r, e);
	if (archive_entry_uid(e) >= 0)
		m->uid = (uint64_t)archive_entry_uid(e);
	if (archive_entry_gid(e) >= 0)
		m->gid = (uint64_t)archive_entry_gid(e);
	if (mtime > INT64_MAX / 1000000000 - 1 || mtime < -(INT64_MAX / 1000000000 - 1))
		mtime = 0;
	m->mtime_ns = mtime * 1000000000 + archive_entry_mtime_nsec(e);
	if (archive_entry_filetype(e) == AE_IFDIR)
		m->kind = QT_TAR_DIR;
	else if (archive_entry_filetype(e) == AE_IFREG &&
	    archive_entry_hardlink(e) == NULL &&
	    archive_entry_symlink(e) == NULL &&
	    archive_entry_sparse_count(e) == 0)
		m->kind = QT_TAR_FILE;
	if (m->kind == QT_TAR_FILE && size > 0)
		m->size = (uint64_t)size;
	r->left = m->size;
	r->block_left = 0;
	r->end = m->offset + (size > 0 ? (uint64_t)size : 0);
}

/*
 * libarchive takes an archive that ends where a header is due for complete.
 * One that was cut there has no block of zeros, which tar ends with.
 */
static int check_end(struct qt_tarread *r, struct qt_error *err)
{
	uint64_t padded = (r->end + BLOCK - 1) / BLOCK * BLOCK;

	r->done = true;
	r->member.size = 0;
	if (check_limits(r, err) != 0) /* the last member's bytes, too */
		return -1;
	if (qt_tarlib_expanded(&r->lib) > padded)
		return 1;
	return qt_fail_at(err, QT_E_STATE, r->lib.name, (int64_t)r->end,
	    "it ends without a tar archive's end mark, %s\"%.100s\": it was "
	    "cut off", r->members != 0 ? "after " : "", r->path);
}

int qt_tarread_next(struct qt_tarread *r, const struct qt_tar_member **m,
    struct qt_error *err)
{
	struct archive_entry *e;
	int rc;

	if (r->done)
		return 1;
	rc = archive_read_next_header(r->lib.a, &e);
	if (rc == ARCHIVE_EOF)
		return check_end(r, err);
	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) {
		r->done = true;
		return qt_tarlib_fail(&r->lib,
		    r->members != 0 ? r->path : NULL, err);
	}
	if (r->members++ == 0 && check_filters(r, err) != 0) {
		r->done = true;
		return -1;
	}
	take_entry(r, e);
	if (check_limits(r, err) != 0) {
		r->done = true;
		return -1;
	}
	*m = &r->member;
	return 0;
}

/*
 * What libarchive has at hand, and no more: archive_read_data() goes on for all
 * that was asked for, and keeps none of it when there is damage on the way.
 */
static int next_block(struct qt_tarread *r, struct qt_error *err)
{
	const void *block;
	la_int64_t offset;
	int rc;

	do
		rc = archive_read_data_block(r->lib.a, &block, &r->block_left,
		    &offset);
	while (rc == ARCHIVE_OK && r->block_left == 0);
	r->block = block;
	if (rc == ARCHIVE_OK && offset >= 0 &&
	    (uint64_t)offset == r->member.size - r->left)
		return 0;
	r->done = true;
	r->block_left = 0;
	if (rc != ARCHIVE_OK && rc != ARCHIVE_EOF)
		return qt_tarlib_fail(&r->lib, r->path, err);
	return qt_fail_at(err, QT_E_STATE, r->lib.name,
	    (int64_t)qt_tarlib_expanded(&r->lib),
	    "\"%.100s\" is shorter than its header says", r->path);
}

int qt_tarread_data(struct qt_tarread *r, void *buf, size_t len, size_t *got,
    struct qt_error *err)
{
	if (r->done || r->left == 0 || len == 0) {
		*got = 0;
		return 0;
	}
	if (r->block_left == 0 && next_block(r, err) != 0)
		return -1;
	if (len > r->left)
		len = (size_t)r->left;
	if (len > r->block_left)
		len = r->block_left;
	memcpy(buf, r->block, len);
	r->block += len;
	r->block_left -= len;
	r->left -= len;
	*got = len;
	return check_limits(r, err);
}
