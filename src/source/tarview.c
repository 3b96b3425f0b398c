/*
 * tarview.c - bytes of an expanded archive by their offset.
 *
 * A zstd file in the seekable format ends with a table of its frames (a
 * skippable frame, RFC 8878 3.1.2; evidence/compress.c writes it): compressed
 * and plain size of each, optionally a checksum.  It is believed when its sizes
 * add up to the file's; a frame that does not expand to exactly what it says is
 * an error when it is read.  A table that is not sound is passed over, and the
 * file read in order.
 *
 * To salvage, a damaged frame is what it expands to before the damage: blocks of
 * up to 128 KiB, each of which may be wrong, as the frame's checksum comes last.
 */
#include "source/tarread.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

#include "base/io.h"
#include "source/tarlib.h"

#define TABLE_MAGIC 0x184D2A5EU
#define FOOTER_MAGIC 0x8F92EAB1U
#define HEAD_SIZE 8u
#define FOOT_SIZE 9u
#define FRAME_MAX ((uint64_t)64 << 20) /* a frame in memory, either form */
#define FRAMES_MAX 4000000u
#define SKIP_PIECE ((size_t)64 << 10)
#define BLOCK_HEAD 3u /* RFC 8878 3.1.1.2 */

struct frame { /* where each begins; one more for the end */
	uint64_t packed, plain;
};

/* Of a frame, to salvage: DOUBTFUL has all bytes that it should have, but its
 * checksum or its length is another one. */
enum { UNREAD, SOUND, CUT, DOUBTFUL };

struct qt_tarview {
	int fd;
	const char *name;
	const volatile sig_atomic_t *stop;
	enum qt_tar_packing packing;
	uint64_t file_size;
	/* seekable zstd */
	struct frame *frame; /* owned; NULL: none */
	size_t nframes;
	ZSTD_DCtx *ctx;
	unsigned char *in, *out; /* room for the largest; owned */
	size_t in_cap, out_cap;
	size_t loaded; /* the frame in out; nframes: none */
	size_t have;   /* bytes of it, fewer than it should have if damaged */
	const char *what; /* is wrong with it then; a constant */
	unsigned char *state; /* of each frame; owned; NULL: a damaged one
			       * cannot be read */
	/* in order */
	struct qt_tarlib lib;
	bool lib_open;
	uint64_t at; /* offset of the next byte it gives */
};

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static int io_fail(const struct qt_tarview *v, uint64_t offset, int sys,
    struct qt_error *err)
{
	(void)qt_fail_at(err, QT_E_SYS, v->name, (int64_t)offset, "read: %s",
	    strerror(sys));
	if (err != NULL)
		err->sys = sys;
	return -1;
}

static int damaged(const struct qt_tarview *v, uint64_t offset,
    const char *what, struct qt_error *err)
{
	return qt_fail_at(err, QT_E_STATE, v->name, (int64_t)offset,
	    QT_TAR_DAMAGED "%s, at byte %llu of what it expands to", what,
	    (unsigned long long)offset);
}

/* ---- the table of frames ---- */

/* The entries from text into v->frame; false: they are no sound table. */
static bool take_entries(struct qt_tarview *v, const unsigned char *text,
    size_t n, size_t each, uint64_t packed_size)
{
	uint64_t packed = 0, plain = 0, most_in = 0, most_out = 0, a, b;
	size_t i;

	for (i = 0; i < n; i++) {
		a = get32(text + i * each);
		b = get32(text + i * each + 4);
		if (a > FRAME_MAX || b > FRAME_MAX)
			return false;
		v->frame[i] = (struct frame){packed, plain};
		packed += a; /* n and both sizes are far from overflowing */
		plain += b;
		most_in = a > most_in ? a : most_in;
		most_out = b > most_out ? b : most_out;
	}
	v->frame[n] = (struct frame){packed, plain};
	v->in_cap = (size_t)most_in;
	v->out_cap = (size_t)most_out;
	return packed == packed_size;
}

/* The footer: how many frames, and bytes of an entry.  0: there is no table. */
static size_t read_foot(const struct qt_tarview *v, size_t *each)
{
	unsigned char foot[FOOT_SIZE];
	size_t got;
	uint32_t n;

	if (v->file_size < HEAD_SIZE + FOOT_SIZE ||
	    qt_pread_all(v->fd, foot, sizeof foot,
		(off_t)(v->file_size - FOOT_SIZE), &got) != 0 ||
	    got != sizeof foot || get32(foot + 5) != FOOTER_MAGIC ||
	    (foot[4] & 0x7c) != 0)
		return 0;
	n = get32(foot);
	*each = (foot[4] & 0x80) != 0 ? 12 : 8;
	return n <= FRAMES_MAX ? n : 0;
}

/* False: there is none that can be used, and v->frame is NULL. */
static bool read_table(struct qt_tarview *v)
{
	size_t each = 8, n = read_foot(v, &each), size, got;
	unsigned char *text;
	bool good = false;

	size = HEAD_SIZE + n * each + FOOT_SIZE;
	if (n == 0 || size > v->file_size)
		return false;
	text = malloc(size);
	v->frame = calloc(n + 1, sizeof *v->frame);
	if (text != NULL && v->frame != NULL &&
	    qt_pread_all(v->fd, text, size, (off_t)(v->file_size - size),
		&got) == 0 &&
	    got == size && get32(text) == TABLE_MAGIC &&
	    get32(text + 4) == size - HEAD_SIZE)
		good = take_entries(v, text + HEAD_SIZE, n, each,
		    v->file_size - size);
	free(text);
	if (!good) {
		free(v->frame);
		v->frame = NULL;
		return false;
	}
	v->nframes = v->loaded = n;
	return true;
}

/* ---- opening ---- */

static int open_view(struct qt_tarview *v, struct qt_error *err)
{
	struct stat st;

	if (fstat(v->fd, &st) != 0)
		return io_fail(v, 0, errno, err);
	v->file_size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
	if (qt_tar_packing(v->fd, v->name, &v->packing, err) != 0)
		return -1;
	if (v->packing != QT_TAR_ZSTD || !read_table(v))
		return 0;
	v->ctx = ZSTD_createDCtx();
	v->in = malloc(v->in_cap + 1);
	v->out = malloc(v->out_cap + 1);
	if (v->ctx == NULL || v->in == NULL || v->out == NULL)
		return qt_fail_mem(err);
	return 0;
}

int qt_tarview_open(struct qt_tarview **out, int fd, const char *name,
    const volatile sig_atomic_t *stop, struct qt_error *err)
{
	struct qt_tarview *v = calloc(1, sizeof *v);

	if (v == NULL)
		return qt_fail_mem(err);
	v->fd = fd;
	v->name = name;
	v->stop = stop;
	if (open_view(v, err) != 0) {
		qt_tarview_close(v);
		return -1;
	}
	*out = v;
	return 0;
}

void qt_tarview_close(struct qt_tarview *v)
{
	if (v == NULL)
		return;
	if (v->lib_open)
		qt_tarlib_close(&v->lib);
	ZSTD_freeDCtx(v->ctx);
	free(v->frame);
	free(v->state);
	free(v->in);
	free(v->out);
	free(v);
}

int qt_tarview_salvage(struct qt_tarview *v, struct qt_error *err)
{
	if (v->frame == NULL || v->state != NULL)
		return 0;
	v->state = calloc(v->nframes, sizeof *v->state);
	v->loaded = v->nframes;
	return v->state != NULL ? 0 : qt_fail_mem(err);
}

bool qt_tarview_random(const struct qt_tarview *v)
{
	return v->packing == QT_TAR_PLAIN || v->frame != NULL;
}

uint64_t qt_tarview_size(const struct qt_tarview *v)
{
	if (v->frame != NULL)
		return v->frame[v->nframes].plain;
	return v->packing == QT_TAR_PLAIN ? v->file_size : 0;
}

/* The frame that has the byte at offset, the last one beyond the end. */
static size_t find_frame(const struct qt_tarview *v, uint64_t offset)
{
	size_t lo = 0, hi = v->nframes, mid;

	while (hi - lo > 1) {
		mid = lo + (hi - lo) / 2;
		if (v->frame[mid].plain <= offset)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

uint64_t qt_tarview_packed(const struct qt_tarview *v, uint64_t offset)
{
	return v->frame != NULL ?
	    v->frame[find_frame(v, offset) + 1].packed : offset;
}

void qt_tarview_lend(struct qt_tarview *v, struct qt_tarlib *l)
{
	l->fd = v->fd;
	l->name = v->name;
	l->stop = v->stop;
	if (qt_tarview_random(v))
		l->view = v;
}

uint64_t qt_tarview_frame_before(const struct qt_tarview *v, uint64_t place)
{
	if (v->frame == NULL || place == 0)
		return 0;
	return v->frame[find_frame(v, place - 1)].plain;
}

#define PEEK ((size_t)160 << 10) /* a block, compressed, and its frame's head */

int qt_tarview_peek(struct qt_tarview *v, uint64_t place, void *buf,
    size_t len, struct qt_error *err)
{
	const size_t i = v->frame != NULL ? find_frame(v, place) : 0;
	ZSTD_outBuffer out = {buf, len, 0};
	ZSTD_inBuffer in = {v->in, 0, 0};
	uint64_t packed;
	size_t got, r = 1;

	if (v->frame == NULL || v->frame[i].plain != place)
		return 1;
	packed = v->frame[i + 1].packed - v->frame[i].packed;
	v->loaded = v->nframes; /* its bytes are overwritten */
	if (qt_pread_all(v->fd, v->in, packed < PEEK ? (size_t)packed : PEEK,
		(off_t)v->frame[i].packed, &got) != 0)
		return io_fail(v, place, errno, err);
	in.size = got;
	(void)ZSTD_DCtx_reset(v->ctx, ZSTD_reset_session_only);
	while (out.pos < len && in.pos < in.size && r != 0 && !ZSTD_isError(r))
		r = ZSTD_decompressStream(v->ctx, &out, &in);
	(void)ZSTD_DCtx_reset(v->ctx, ZSTD_reset_session_only);
	return out.pos == len ? 0 : 1;
}

/* ---- reading ---- */

static int read_plain(struct qt_tarview *v, uint64_t offset, void *buf,
    size_t len, size_t *got, struct qt_error *err)
{
	if (qt_pread_all(v->fd, buf, len, (off_t)offset, got) != 0)
		return io_fail(v, offset, errno, err);
	return *got == len ? 0 : damaged(v, offset + *got, "it ends too early",
	    err);
}

/*
 * A damaged frame as far as it expands, at most plain bytes: how many.  Fed
 * block by block, as what a call expands before it fails is not counted.
 */
static size_t expand_beginning(struct qt_tarview *v, size_t packed,
    size_t plain)
{
	ZSTD_outBuffer out = {v->out, plain, 0};
	ZSTD_inBuffer in = {v->in, 0, 0};
	size_t want = 1, n;

	(void)ZSTD_DCtx_reset(v->ctx, ZSTD_reset_session_only);
	while (out.pos < plain && in.pos < packed && !ZSTD_isError(want)) {
		/* it asks for a block, and the head of the one behind it */
		n = want > BLOCK_HEAD ? want - BLOCK_HEAD : 1;
		if (in.pos == in.size)
			in.size += n < packed - in.pos ? n : packed - in.pos;
		want = ZSTD_decompressStream(v->ctx, &out, &in);
	}
	(void)ZSTD_DCtx_reset(v->ctx, ZSTD_reset_session_only);
	return out.pos;
}

/* In a salvage of what is damaged the part of it before. */
static int load_damaged(struct qt_tarview *v, size_t i, size_t packed,
    const char *what, struct qt_error *err)
{
	const struct frame *f = &v->frame[i];

	const size_t plain = (size_t)(f[1].plain - f->plain);

	if (v->state == NULL)
		return damaged(v, f->plain, what, err);
	v->have = expand_beginning(v, packed, plain);
	v->what = what;
	v->state[i] = v->have < plain ? CUT : DOUBTFUL;
	v->loaded = i;
	return 0;
}

static int load_frame(struct qt_tarview *v, size_t i, struct qt_error *err)
{
	const struct frame *f = &v->frame[i];
	size_t packed = (size_t)(f[1].packed - f->packed), got;
	size_t plain = (size_t)(f[1].plain - f->plain), n;

	if (v->loaded == i)
		return 0;
	v->loaded = v->nframes;
	if (qt_pread_all(v->fd, v->in, packed, (off_t)f->packed, &got) != 0)
		return io_fail(v, f->plain, errno, err);
	if (got != packed)
		return load_damaged(v, i, got, "it ends too early", err);
	n = ZSTD_decompressDCtx(v->ctx, v->out, plain, v->in, packed);
	if (ZSTD_isError(n))
		return load_damaged(v, i, packed, ZSTD_getErrorName(n), err);
	if (n != plain)
		return load_damaged(v, i, packed,
		    "a frame is not as long as the table says", err);
	v->have = plain;
	v->loaded = i;
	if (v->state != NULL)
		v->state[i] = SOUND;
	return 0;
}

static int read_frames(struct qt_tarview *v, uint64_t offset,
    unsigned char *buf, size_t len, size_t *got, struct qt_error *err)
{
	const uint64_t end = v->frame[v->nframes].plain;
	size_t i, n, at;

	if (offset > end || end - offset < len)
		return damaged(v, end, "it ends too early", err);
	for (i = len != 0 ? find_frame(v, offset) : 0; *got < len; i++) {
		if (v->frame[i].plain == v->frame[i + 1].plain)
			continue; /* wherever a read begins */
		if (load_frame(v, i, err) != 0)
			return -1;
		at = (size_t)(offset + *got - v->frame[i].plain);
		n = at < v->have ? v->have - at : 0;
		if (n > len - *got)
			n = len - *got;
		memcpy(buf + *got, v->out + at, n);
		*got += n;
		if (*got < len && at + n != v->frame[i + 1].plain - v->frame[i].plain)
			return damaged(v, v->frame[i].plain + v->have, v->what,
			    err);
	}
	return 0;
}

/* At the beginning of what it expands to. */
static int begin(struct qt_tarview *v, struct qt_error *err)
{
	struct archive_entry *e;

	if (v->lib_open)
		qt_tarlib_close(&v->lib);
	v->lib_open = true;
	v->at = 0;
	v->lib = (struct qt_tarlib){.fd = v->fd, .name = v->name,
	    .stop = v->stop};
	if (qt_tarlib_open(&v->lib, false, err) != 0)
		return -1;
	if (archive_read_next_header(v->lib.a, &e) != ARCHIVE_OK)
		return qt_tarlib_fail(&v->lib, NULL, err);
	return 0;
}

static int read_on(struct qt_tarview *v, unsigned char *buf, size_t len,
    struct qt_error *err)
{
	la_ssize_t n;

	while (len > 0) {
		n = archive_read_data(v->lib.a, buf, len);
		if (n < 0)
			return qt_tarlib_fail(&v->lib, NULL, err);
		if (n == 0)
			return damaged(v, v->at, "it ends too early", err);
		v->at += (uint64_t)n;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_stream(struct qt_tarview *v, uint64_t offset,
    unsigned char *buf, size_t len, struct qt_error *err)
{
	unsigned char skipped[SKIP_PIECE];
	size_t n;
	int r = 0;

	if (!v->lib_open || offset < v->at)
		r = begin(v, err);
	while (r == 0 && v->at < offset) {
		n = offset - v->at < sizeof skipped
		    ? (size_t)(offset - v->at) : sizeof skipped;
		r = read_on(v, skipped, n, err);
	}
	if (r == 0)
		r = read_on(v, buf, len, err);
	if (r != 0) { /* where it stands is not known */
		qt_tarlib_close(&v->lib);
		v->lib_open = false;
	}
	return r;
}

/* *got: how many, also where there are fewer. */
static int read_view(struct qt_tarview *v, uint64_t offset, void *buf,
    size_t len, size_t *got, struct qt_error *err)
{
	int r;

	*got = 0;
	if (offset > INT64_MAX || len > INT64_MAX - offset)
		return damaged(v, 0, "a place beyond all bounds", err);
	if (v->packing == QT_TAR_PLAIN)
		return read_plain(v, offset, buf, len, got, err);
	if (v->frame != NULL)
		return read_frames(v, offset, buf, len, got, err);
	r = read_stream(v, offset, buf, len, err);
	*got = r == 0 ? len : 0;
	return r;
}

int qt_tarview_read(struct qt_tarview *v, uint64_t offset, void *buf,
    size_t len, struct qt_error *err)
{
	size_t got;

	return read_view(v, offset, buf, len, &got, err);
}

int qt_tarview_some(struct qt_tarview *v, uint64_t offset, void *buf,
    size_t len, size_t *got, struct qt_error *err)
{
	struct qt_error e;

	if (read_view(v, offset, buf, len, got, &e) == 0 ||
	    (e.code == QT_E_STATE && *got > 0))
		return 0;
	if (err != NULL)
		*err = e;
	return -1;
}

uint64_t qt_tarview_sound(const struct qt_tarview *v, uint64_t offset,
    uint64_t len)
{
	const uint64_t end = len < UINT64_MAX - offset ? offset + len :
	    UINT64_MAX;
	size_t i;

	if (v->state == NULL || len == 0)
		return len;
	for (i = find_frame(v, offset); i < v->nframes &&
	     v->frame[i].plain < end; i++)
		if (v->state[i] >= CUT)
			return v->frame[i].plain > offset ?
			    v->frame[i].plain - offset : 0;
	return len;
}

int qt_tarview_unnoticed(struct qt_tarview *v, size_t *next,
    struct qt_error *damage, struct qt_error *err)
{
	bool unread;
	size_t i;

	while (v->state != NULL && *next < v->nframes) {
		i = (*next)++;
		unread = v->state[i] == UNREAD;
		if (!unread && v->state[i] != DOUBTFUL)
			continue;
		if (v->stop != NULL && *v->stop)
			return qt_fail(err, QT_E_INTERRUPTED, v->name,
			    "interrupted");
		if (load_frame(v, i, err) != 0)
			return -1;
		if (v->state[i] == SOUND)
			continue;
		(void)damaged(v, v->frame[i].plain + (unread ? v->have : 0),
		    v->what, damage);
		return 0;
	}
	return 1;
}

/* ---- behind damage ---- */

/* A plain file: any block may be a header. */
static int next_in_plain(struct qt_tarview *v, uint64_t at, uint64_t *found,
    struct qt_error *err)
{
	unsigned char buf[QT_TAR_BLOCK * 64];
	size_t got, i;

	for (;; at += got) {
		if (v->stop != NULL && *v->stop)
			return qt_fail(err, QT_E_INTERRUPTED, v->name,
			    "interrupted");
		if (qt_pread_all(v->fd, buf, sizeof buf, (off_t)at, &got) != 0)
			return io_fail(v, at, errno, err);
		for (i = 0; i + QT_TAR_BLOCK <= got; i += QT_TAR_BLOCK)
			if (qt_tar_is_header(buf + i)) {
				*found = at + i;
				return 0;
			}
		if (got < sizeof buf)
			return 1;
	}
}

/* In the frame that has the place, when it is damaged and was salvaged. */
static int next_in_damaged(struct qt_tarview *v, uint64_t behind, uint64_t *at,
    struct qt_error *err)
{
	const size_t i = find_frame(v, behind);
	const uint64_t from = v->frame[i].plain;
	uint64_t place = (behind / QT_TAR_BLOCK + 1) * QT_TAR_BLOCK;

	if (v->state == NULL || v->state[i] < CUT)
		return 1;
	if (load_frame(v, i, err) != 0)
		return -1;
	for (; place >= from && place - from + QT_TAR_BLOCK <= v->have;
	     place += QT_TAR_BLOCK)
		if (qt_tar_is_header(v->out + (place - from))) {
			*at = place;
			return 0;
		}
	return 1;
}

int qt_tarview_next_header(struct qt_tarview *v, uint64_t behind, uint64_t *at,
    struct qt_error *err)
{
	unsigned char b[QT_TAR_BLOCK];
	size_t i;
	int r;

	if (v->packing == QT_TAR_PLAIN)
		return next_in_plain(v, (behind / QT_TAR_BLOCK + 1) *
			QT_TAR_BLOCK, at, err);
	if (v->frame != NULL &&
	    (r = next_in_damaged(v, behind, at, err)) <= 0)
		return r;
	i = v->frame != NULL ? find_frame(v, behind) : 0;
	for (; v->frame != NULL && i < v->nframes; i++) {
		if (v->frame[i].plain <= behind)
			continue;
		r = qt_tarview_peek(v, v->frame[i].plain, b, sizeof b, err);
		if (r < 0)
			return -1;
		*at = v->frame[i].plain;
		if (r == 0 && qt_tar_is_header(b))
			return 0;
	}
	return 1;
}
