/*
 * member.c - one member of the archive, with its line in each manifest.
 */
#include "evidence/writer_priv.h"

#include <string.h>

static int to_tar(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	return qt_tar_data(ctx, bytes, len, err);
}

int qt_put_bytes(void *ctx, const void *bytes, size_t len,
    struct qt_error *err)
{
	struct qt_archive *a = ctx;

	qt_digest_add(&a->sum, bytes, len);
	return qt_tar_data(a->tar, bytes, len, err);
}

static int begin(struct qt_archive *a, const char *path, uint64_t size,
    int64_t mtime, struct qt_error *err)
{
	qt_buf_clear(&a->name);
	qt_buf_addf(&a->name, "%s/%s", qt_buf_str(&a->base), path);
	if (qt_buf_check(&a->name, err) != 0)
		return -1;
	qt_digest_clear(&a->sum);
	return qt_tar_begin(a->tar, a->name.data, size, mtime, err);
}

static int add_line(const struct qt_archive *a, struct qt_manifest *list,
    const char *path, const struct qt_sums *sums, struct qt_error *err)
{
	unsigned h;
	int r = 0;

	for (h = 0; h < a->nhashes && r == 0; h++)
		r = qt_manifest_add(&list[h], path, sums->of[h], err);
	return r;
}

/* A member written through qt_put_bytes: end it and list its sums. */
static int end_summed(struct qt_archive *a, const char *path,
    struct qt_manifest *list, struct qt_error *err)
{
	struct qt_sums sums;

	if (qt_tar_end(a->tar, err) != 0 ||
	    qt_digest_sums(&a->sum, &sums, err) != 0)
		return -1;
	return list != NULL ? add_line(a, list, path, &sums, err) : 0;
}

int qt_put_text(struct qt_archive *a, const char *path,
    const struct qt_buf *text, struct qt_manifest *list, struct qt_error *err)
{
	if (qt_buf_check(text, err) != 0 ||
	    begin(a, path, text->len, a->bag.started, err) != 0 ||
	    qt_put_bytes(a, qt_buf_str(text), text->len, err) != 0)
		return -1;
	return end_summed(a, path, list, err);
}

int qt_put_spill(struct qt_archive *a, const char *path,
    const struct qt_spill *s, struct qt_manifest *list, struct qt_error *err)
{
	if (begin(a, path, qt_spill_size(s), a->bag.started, err) != 0 ||
	    qt_spill_each(s, qt_put_bytes, a, err) != 0)
		return -1;
	return end_summed(a, path, list, err);
}

int qt_put_lines(struct qt_archive *a, const char *path,
    struct qt_lines_out *lines, struct qt_manifest *list, struct qt_error *err)
{
	struct qt_sums sums;

	if (begin(a, path, qt_spill_size(&lines->text), a->bag.started, err) !=
		0 ||
	    qt_spill_each(&lines->text, to_tar, a->tar, err) != 0 ||
	    qt_tar_end(a->tar, err) != 0 ||
	    qt_digest_sums(&lines->sum, &sums, err) != 0)
		return -1;
	return add_line(a, list, path, &sums, err);
}

int qt_put_index(struct qt_archive *a, const char *path, uint64_t size,
    struct qt_manifest *list, struct qt_error *err)
{
	if (begin(a, path, size, a->bag.started, err) != 0 ||
	    qt_index_each(a->index, qt_put_bytes, a, err) != 0)
		return -1;
	return end_summed(a, path, list, err);
}

int qt_put_manifest(struct qt_archive *a, const char *path,
    struct qt_manifest *m, struct qt_manifest *list, struct qt_error *err)
{
	if (begin(a, path, qt_manifest_size(m), a->bag.started, err) != 0 ||
	    qt_manifest_emit(m, qt_put_bytes, a, err) != 0)
		return -1;
	return end_summed(a, path, list, err);
}

int qt_put_copy(struct qt_archive *a, const struct qt_member *p,
    struct qt_error *err)
{
	uint64_t size = qt_spill_size(&p->file.bytes);

	if (begin(a, p->member, size, (int64_t)p->file.st.st_mtim.tv_sec,
		err) != 0 ||
	    qt_spill_each(&p->file.bytes, to_tar, a->tar, err) != 0 ||
	    qt_tar_end(a->tar, err) != 0 ||
	    add_line(a, a->payload, p->member, &p->file.sums, err) != 0)
		return -1;
	a->counts.bytes += size;
	return 0;
}
