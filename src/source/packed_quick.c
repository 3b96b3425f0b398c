/*
 * packed_quick.c - some messages of a bag, without reading the rest.
 *
 * The list of messages is near the archive's end, in the order of the files, and
 * has their sizes: so where each lies can be worked out.  What is found there
 * must have the header that it is to have, name and size; else, or when
 * anything is not as qtool writes it, the archive is read as a whole.
 */
#include "source/packed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "format/json.h"

#define BLOCK 512u
#define LOOKS 256u /* frames looked at for where the list begins */

struct qt_packed_quick {
	char *const *ids; /* wanted, with mailq's marks; borrowed */
	size_t nids;
	bool *found;	  /* of each; owned */
	char *base;	  /* "BASE/"; owned */
	uint64_t at;	  /* where the next file's header is */
	struct qt_tarview *view; /* borrowed */
	bool lost;	  /* it is not as it should be */
};

/* ---- headers, as they lie there ---- */

static uint64_t padded(uint64_t n)
{
	return (n + BLOCK - 1) / BLOCK * BLOCK;
}

/* Whether the header at that place is this file's. */
static bool header_is(struct qt_packed_quick *q, uint64_t at,
    const char *path, uint64_t size)
{
	unsigned char b[BLOCK];
	struct qt_error ignored;
	char name[101] = "";
	uint64_t n;

	if (qt_tarview_read(q->view, at, b, sizeof b, &ignored) != 0 ||
	    !qt_tar_is_header(b) || b[156] != '0' || b[345] != '\0' ||
	    !qt_tar_number(b + 124, 12, &n) || n != size)
		return false;
	memcpy(name, b, 100);
	n = strlen(q->base);
	return strncmp(name, q->base, n) == 0 && strcmp(name + n, path) == 0;
}

/* ---- lines ---- */

static size_t wanted(const struct qt_packed_quick *q, const char *path)
{
	const char *name = strrchr(path, '/');
	size_t i, n = name != NULL ? strlen(++name) : 0;

	for (i = 0; n != 0 && i < q->nids; i++)
		if (strncmp(name, q->ids[i], n) == 0 &&
		    q->ids[i][n + strspn(q->ids[i] + n, "*!#")] == '\0')
			return i;
	return q->nids;
}

/* The file whose header is due: taken in when it is wanted. */
static int next_file(struct qt_packed *p, const char *path,
    const struct qt_json_value *size, bool take, struct qt_error *err)
{
	struct qt_packed_quick *q = p->quick;
	struct qt_tar_member m = {.kind = QT_TAR_FILE, .mode = S_IFREG | 0400};
	char full[QT_TAR_PATH_MAX];
	uint64_t n = 0;

	if (size->text == NULL || !qt_json_uint(size, &n) ||
	    n > qt_tarview_size(q->view) ||
	    snprintf(full, sizeof full, "%s%s", q->base, path) >=
		(int)sizeof full) {
		q->lost = true;
		return 0;
	}
	m.size = n;
	m.offset = q->at + BLOCK;
	m.path = qt_tar_path(full, &m.why);
	if (take && (m.path == NULL || !header_is(q, q->at, path, n)))
		q->lost = true;
	q->at += BLOCK + padded(n);
	return take && !q->lost ? qt_packed_take(p, &m, err) : 0;
}

static int next_logs(struct qt_packed *p, const struct qt_json_value *logs,
    bool take, struct qt_error *err)
{
	struct qt_json_value one, key, v, size;
	struct qt_json list, j;
	char path[QT_TAR_PATH_MAX];

	if (logs->text == NULL ||
	    !qt_json_open(&list, '[', logs->text, logs->len))
		return 0;
	while (qt_json_element(&list, &one) == 0 && !p->quick->lost) {
		path[0] = '\0';
		size.text = NULL;
		if (!qt_json_open(&j, '{', one.text, one.len))
			continue;
		while (qt_json_member(&j, &key, &v) == 0) {
			if (qt_json_is(&key, "size"))
				size = v;
			else if (qt_json_is(&key, "path") &&
			    !qt_json_text(&v, path, sizeof path))
				path[0] = '\0';
		}
		if (next_file(p, path, &size, take, err) != 0)
			return -1;
	}
	return 0;
}

int qt_packed_quick_line(struct qt_packed *p, const char *path,
    const struct qt_json_value *size, const struct qt_json_value *logs,
    struct qt_error *err)
{
	struct qt_packed_quick *q = p->quick;
	const size_t i = wanted(q, path);
	const bool take = i < q->nids;

	if (q->lost)
		return 1;
	if (next_file(p, path, size, take, err) != 0 ||
	    next_logs(p, logs, take, err) != 0)
		return -1;
	if (!take || q->lost)
		return 1;
	q->found[i] = true;
	p->cursor = 0; /* by its name, wherever it is */
	return 0;
}

/* ---- where the files begin, and where the list ---- */

/* The bag's directory, and where the first file of data/ has its header. */
static int find_files(struct qt_packed_quick *q, struct qt_error *err)
{
	const struct qt_tar_member *m;
	struct qt_tarread *r = NULL;
	uint64_t end = 0;
	const char *data;
	int rc = qt_tarread_open_view(&r, q->view, NULL, err);

	while (rc == 0 && (rc = qt_tarread_next(r, &m, err)) == 0) {
		data = m->path != NULL ? strstr(m->path, "/data/") : NULL;
		if (data != NULL) {
			q->base = strndup(m->path,
			    (size_t)(data - m->path) + 1);
			q->at = end;
			break;
		}
		end = padded(m->offset + m->size);
	}
	qt_tarread_close(r);
	if (rc != 0 || q->base == NULL || strchr(q->base, '/')[1] != '\0')
		q->lost = true;
	return 0;
}

/* From a header on: takes what the bag tells.  1: the list is not behind it. */
static int read_from(struct qt_packed *p, uint64_t at, struct qt_error *err)
{
	struct qt_packed_quick *q = p->quick;
	const struct qt_tar_member *m;
	size_t n = strlen(q->base);
	const char *path;
	int rc;

	qt_tarread_close(p->tar);
	p->tar = NULL;
	rc = qt_tarread_open_at(&p->tar, q->view, at, NULL, err);
	while (rc == 0 && !p->have_list &&
	    (rc = qt_tarread_next(p->tar, &m, err)) == 0) {
		path = m->path != NULL && strncmp(m->path, q->base, n) == 0 ?
		    m->path + n : "";
		if (strcmp(path, "metadata/case.json") == 0 ||
		    strcmp(path, "metadata/messages.jsonl") == 0)
			rc = qt_packed_take(p, m, err);
	}
	return rc;
}

/* Frames begin with a member, but for those within a large one: backwards. */
static int find_list(struct qt_packed *p, struct qt_error *err)
{
	struct qt_packed_quick *q = p->quick;
	uint64_t at = qt_tarview_size(q->view);
	unsigned char b[BLOCK];
	unsigned looks;
	int rc;

	for (looks = 0; at > 0 && looks < LOOKS && !q->lost;) {
		at = qt_tarview_frame_before(q->view, at);
		rc = qt_tarview_peek(q->view, at, b, sizeof b, err);
		if (rc < 0)
			return -1;
		if (rc > 0 || !qt_tar_is_header(b))
			continue;
		looks++;
		rc = read_from(p, at, err);
		if (rc < 0)
			return -1;
		if (p->have_list)
			return 0;
	}
	q->lost = true;
	return 0;
}

static bool all_found(const struct qt_packed_quick *q)
{
	size_t i;

	for (i = 0; i < q->nids; i++)
		if (!q->found[i])
			return false;
	return !q->lost && q->nids > 0;
}

int qt_packed_load_ids(struct qt_packed *p, char *const *ids, size_t n,
    const volatile sig_atomic_t *stop, struct qt_error *err)
{
	struct qt_packed_quick q = {.ids = ids, .nids = n};
	struct qt_error why;
	int rc = -1;

	p->stop = stop;
	if (p->salvage) /* it is not to be told what else is lost */
		return 1;
	if (qt_packed_view(p, stop, &q.view, err) != 0)
		return -1;
	p->spare = q.view;
	if (qt_tarview_frame_before(q.view, qt_tarview_size(q.view)) == 0)
		return 1; /* one frame or none: nothing is spared */
	q.found = calloc(n + 1, sizeof *q.found);
	p->random = true;
	p->quick = &q;
	/* whatever is wrong, reading the whole will tell better */
	if (q.found != NULL && find_files(&q, &why) == 0 && !q.lost &&
	    find_list(p, &why) == 0 && all_found(&q))
		rc = qt_packed_finish(p, &why);
	p->quick = NULL;
	qt_tarread_close(p->tar);
	p->tar = NULL;
	if (rc != 0)
		qt_packed_forget(p);
	free(q.found);
	free(q.base);
	return rc == 0 ? 0 : 1;
}
