/*
 * check.c - an archive read from a stranger's hands, and all that is wrong with
 * it told.
 *
 * One pass over the members, in which each is hashed, what is listed about it
 * elsewhere is noted, and each message parsed; then the lists are sorted and
 * held against each other.  Memory is bounded whatever the archive holds: what
 * does not fit goes into unnamed files.  Nothing is unpacked.
 */
#include "evidence/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "evidence/bag.h"

#define PIECE ((size_t)256 << 10)
#define LIST_MEMORY ((size_t)16 << 20)
#define MESSAGE_MEMORY ((size_t)64 << 20)
#define REPORTS_MAX 1000

const char *const qt_told_paths[QT_TOLD_COUNT] = {
    [QT_TOLD_BAGIT] = "bagit.txt",
    [QT_TOLD_CASE] = "metadata/case.json",
    [QT_TOLD_MESSAGES] = "metadata/messages.jsonl",
    [QT_TOLD_RECIPIENTS] = "metadata/recipients.jsonl",
    [QT_TOLD_MISSING] = "metadata/missing.jsonl",
    [QT_TOLD_CUSTODY] = "metadata/custody.jsonl",
    [QT_TOLD_INFO] = "bag-info.txt",
    [QT_TOLD_MANIFEST] = "manifest-sha256.txt",
    [QT_TOLD_TAGS] = "tagmanifest-sha256.txt",
    [QT_TOLD_MANIFEST_512] = "manifest-sha512.txt",
    [QT_TOLD_TAGS_512] = "tagmanifest-sha512.txt",
    [QT_TOLD_INDEX] = "metadata/index.sqlite",
};

/* In this order in the file: a whole path, or what begins with one and "/". */
static const struct {
	const char *path;
	int rank;
} ranks[] = {
    {"README.txt", 0}, {"bagit.txt", 1}, {"data/queue/", 2}, {"data/odd/", 2},
    {"data/eml/", 2}, {"data/context/postconf-n.txt", 3},
    {"data/context/maillog.txt", 4}, {"data/context/showq.jsonl", 5},
    {"metadata/case.json", 6}, {"metadata/messages.jsonl", 7},
    {"metadata/recipients.jsonl", 8}, {"metadata/missing.jsonl", 9},
    {"metadata/custody.jsonl", 10}, {"metadata/index.sqlite", 11},
    {"bag-info.txt", 12}, {"manifest-sha256.txt", 13},
    {"manifest-sha512.txt", 14}, {"tagmanifest-sha256.txt", 15},
    {"tagmanifest-sha512.txt", 16},
    {"signatures/tagmanifest-sha256.txt.sig", 17},
    {"signatures/signer.pub", 18}, {"signatures/tagmanifest-sha256.txt.", 19},
};

const char *qt_flaw_name(enum qt_flaw f)
{
	static const char *const names[QT_FLAWS] = {
	    [QT_FLAW_DAMAGED] = "damaged", [QT_FLAW_NAME] = "name",
	    [QT_FLAW_TYPE] = "type", [QT_FLAW_ORDER] = "order",
	    [QT_FLAW_MISSING] = "missing", [QT_FLAW_ADDED] = "added",
	    [QT_FLAW_ALTERED] = "altered", [QT_FLAW_STRUCTURE] = "structure",
	    [QT_FLAW_COUNT] = "count", [QT_FLAW_TABLE] = "table",
	    [QT_FLAW_ROW] = "row", [QT_FLAW_CUSTODY] = "custody",
	    [QT_FLAW_SUM] = "sum", [QT_FLAW_SIGNATURE] = "signature",
	    [QT_FLAW_TIMESTAMP] = "timestamp", [QT_FLAW_FRAME] = "frame",
	};

	return f < QT_FLAWS ? names[f] : "unknown";
}

void qt_check_tell(struct qt_check *c, enum qt_flaw flaw, const char *path,
    int64_t offset, const char *expected, const char *found, const char *fmt,
    ...)
{
	uint64_t most = c->opts->max_reports != 0 ? c->opts->max_reports :
						    REPORTS_MAX;
	char text[512];
	va_list ap;

	/* what cannot be remembered ends it; how the tar was written is no
	 * matter of the mail in it */
	if (c->opts->salvage && flaw != QT_FLAW_FRAME && !c->forgot && strncmp(path, "data/", 5) == 0)
		c->forgot = qt_seen_add(&c->flawed, path, NULL) < 0;
	if (c->res->problems++ >= most || c->opts->report == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->opts->report(c->opts->report_ctx,
	    &(struct qt_problem){flaw, path, offset, text, expected, found});
}

bool qt_check_stopped(const struct qt_check *c)
{
	return c->opts->stop != NULL && *c->opts->stop;
}

int qt_check_interrupted(const struct qt_check *c, struct qt_error *err)
{
	return qt_fail(err, QT_E_INTERRUPTED, c->file, "interrupted");
}

/* ---- the pass over the members ---- */

/* Characters that the writer uses: tarread has seen to the components. */
static bool plain_path(const char *path)
{
	return path[strspn(path, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-")] == '\0' &&
	    strlen(path) < QT_MEMBER_SIZE;
}

/* What is behind the bag's name; NULL: it is not of this bag. */
static const char *below_base(struct qt_check *c, const char *path)
{
	char *base = c->res->base;
	const char *slash = strchr(path, '/');
	size_t n = slash != NULL ? (size_t)(slash - path) : 0;

	if (n == 0 || n >= sizeof c->res->base || !plain_path(path))
		return NULL;
	if (base[0] == '\0') {
		memcpy(base, path, n);
		base[n] = '\0';
	}
	return strlen(base) == n && memcmp(base, path, n) == 0 ? slash + 1 :
								 NULL;
}

/* Whether an entry of ranks is about it. */
static bool is_of(const char *path, const char *entry)
{
	const size_t n = strlen(entry);

	return entry[n - 1] == '/' || entry[n - 1] == '.' ?
	    strncmp(path, entry, n) == 0 : strcmp(path, entry) == 0;
}

static void check_place(struct qt_check *c, const struct qt_tar_member *m,
    const char *path)
{
	size_t i;

	for (i = 0; i < sizeof ranks / sizeof ranks[0]; i++)
		if (is_of(path, ranks[i].path))
			break;
	if (i == sizeof ranks / sizeof ranks[0]) {
		qt_check_tell(c, QT_FLAW_NAME, path, (int64_t)m->offset, NULL,
		    NULL, "is no file that archives have");
		return;
	}
	c->have_readme = c->have_readme || i == 0;
	if (ranks[i].rank < c->last_rank)
		qt_check_tell(c, QT_FLAW_ORDER, path, (int64_t)m->offset, NULL,
		    NULL, "is behind files that come after it");
	else
		c->last_rank = ranks[i].rank;
}

/*
 * Everything beside the queue's files, and what was made of them, was made in
 * one moment.
 */
static void check_mtime(struct qt_check *c, const struct qt_tar_member *m,
    const char *path)
{
	int64_t t = m->mtime_ns / 1000000000;
	char was[32], is[32];

	if (strncmp(path, "data/", 5) == 0 &&
	    strncmp(path, "data/context/", 13) != 0)
		return;
	if (c->have_tag_mtime && t != c->tag_mtime) {
		(void)snprintf(was, sizeof was, "%lld", (long long)c->tag_mtime);
		(void)snprintf(is, sizeof is, "%lld", (long long)t);
		qt_check_tell(c, QT_FLAW_FRAME, path, (int64_t)m->offset, was,
		    is, "has another time than the files made with it");
	}
	c->tag_mtime = t;
	c->have_tag_mtime = true;
}

/* Where a message or log was: "data/queue/QUEUE/ID"; QT_Q_COUNT: no such. */
static enum qt_queue queue_of(const char *path, const char **id)
{
	char name[16];
	const char *slash;

	if (strncmp(path, "data/queue/", 11) != 0 ||
	    (slash = strchr(path + 11, '/')) == NULL ||
	    (size_t)(slash - path) - 11 >= sizeof name ||
	    strchr(slash + 1, '/') != NULL)
		return QT_Q_COUNT;
	memcpy(name, path + 11, (size_t)(slash - path) - 11);
	name[slash - path - 11] = '\0';
	*id = slash + 1;
	return qt_queue_by_name(name);
}

/* Where its bytes go besides the sum: NULL nowhere. */
static struct qt_spill *store_for(struct qt_check *c, const char *path,
    enum qt_queue queue)
{
	int i;

	if (queue < QT_Q_MESSAGES) {
		qt_spill_clear(&c->message);
		return &c->message;
	}
	for (i = 0; i < QT_TOLD_COUNT; i++)
		if (strcmp(path, qt_told_paths[i]) == 0 && !c->have[i]) {
			c->have[i] = true;
			return &c->kept[i];
		}
	return NULL;
}

/* A signature's bytes; NULL: it is none, or one too many. */
static struct qt_buf *signature_for(struct qt_check *c, const char *path,
    uint64_t size)
{
	const char *name = path + sizeof "signatures/" - 1;
	size_t len = strlen(path);

	if (strncmp(path, "signatures/", 11) != 0 || len < 5 ||
	    strcmp(path + len - 4, ".sig") != 0)
		return NULL;
	if (c->nsignatures == QT_SIGNATURES_MAX || size > QT_SIGNATURE_SIZE ||
	    strlen(name) >= sizeof c->signature[0].name) {
		qt_check_tell(c, QT_FLAW_SIGNATURE, path, -1, NULL, NULL,
		    "is more than a signature can be, or one too many");
		return NULL;
	}
	(void)strlcpy(c->signature[c->nsignatures].name, name,
	    sizeof c->signature[0].name);
	return &c->signature[c->nsignatures++].bytes;
}

/* Whether it is showq.jsonl, and the first of them: others are told as added. */
static bool is_showq(struct qt_check *c, const char *path)
{
	bool is = strcmp(path, QT_SHOWQ_PATH) == 0 && !c->have_showq;

	c->have_showq = c->have_showq || is;
	return is;
}

/* Where a member's bytes go besides the sum; NULL, false: not there. */
struct takers {
	struct qt_spill *store;
	struct qt_buf *text; /* a signature, or README.txt */
	bool showq;
};

static int read_data(struct qt_check *c, struct qt_tarread *r, char *buf,
    const struct takers *to, struct qt_error *err)
{
	size_t got;

	qt_digest_clear(&c->member);
	do {
		if (qt_check_stopped(c))
			return qt_check_interrupted(c, err);
		if (qt_tarread_data(r, buf, PIECE, &got, err) != 0)
			return -1;
		qt_digest_add(&c->member, buf, got);
		if (to->store != NULL &&
		    qt_spill_add(to->store, buf, got, err) != 0)
			return -1;
		if (to->text != NULL)
			qt_buf_add(to->text, buf, got);
		if (to->showq && qt_check_showq(c, buf, got, err) != 0)
			return -1;
	} while (got != 0);
	return to->text != NULL ? qt_buf_check(to->text, err) : 0;
}

/* known: it is one of the bag, whose header is to be looked at. */
static int note_member(struct qt_check *c, const struct qt_tar_member *m,
    bool known, struct qt_error *err)
{
	const char *name = known ? m->path : "";
	struct qt_checked_member at = {.offset = m->offset, .size = m->size,
	    .mtime = m->mtime_ns / 1000000000,
	    .name = (uint32_t)qt_spill_size(&c->names)};

	if (qt_spill_size(&c->names) > UINT32_MAX - QT_TAR_PATH_MAX)
		return qt_fail(err, QT_E_NOMEM, c->file, "too many members");
	if (qt_spill_add(&c->names, name, strlen(name) + 1, err) != 0)
		return -1;
	return qt_spill_add(&c->members, &at, sizeof at, err);
}

/* How many signatures of that name there are, this one with them. */
static size_t count_signatures(const struct qt_check *c, const char *name)
{
	size_t i, n = 0;

	for (i = 0; i < c->nsignatures; i++)
		n += strcmp(c->signature[i].name, name) == 0;
	return n;
}

/*
 * No list has the lists of the tags, nor what signs them: so it does not show
 * there when one is in it twice, the second of which tar(1) would unpack.
 */
static bool check_unlisted(struct qt_check *c, const char *path)
{
	static const char *const once[QT_UNLISTED] = {"tagmanifest-sha256.txt",
	    "tagmanifest-sha512.txt", "signatures/signer.pub"};
	const char *dot = strrchr(path, '.');
	bool twice = false, strange = false;
	size_t i;

	for (i = 0; i < QT_UNLISTED && strcmp(path, once[i]) != 0; i++)
		;
	if (i < QT_UNLISTED) {
		twice = c->unlisted[i];
		c->unlisted[i] = true;
	} else if (strncmp(path, "signatures/", 11) != 0) {
		return false;
	} else if (dot != NULL && strcmp(dot, ".sig") == 0) {
		twice = count_signatures(c, path + 11) > 1;
	} else {
		strange = true;
	}
	if (twice || strange)
		qt_check_tell(c, QT_FLAW_ADDED, path, -1, NULL, NULL, "is in "
		    "the archive %s", twice ? "twice" : "and no signature");
	return true;
}

/* Its sums into the lists that it belongs to. */
static int list(struct qt_check *c, const char *path, uint64_t size,
    struct qt_error *err)
{
	struct qt_manifest *lists = c->tags;
	char line[QT_MEMBER_SIZE + 24];
	struct qt_sums sums;
	unsigned h;
	int r = 0;

	if (qt_digest_sums(&c->member, &sums, err) != 0)
		return -1;
	(void)strlcpy(line, path, sizeof line);
	if (strncmp(path, "data/", 5) == 0) {
		c->res->files++;
		c->res->bytes += size;
		lists = c->payload;
		(void)snprintf(line, sizeof line, "%s %llu", path,
		    (unsigned long long)size);
	} else if (check_unlisted(c, path)) {
		return 0;
	}
	for (h = 0; h < c->nhashes && r == 0; h++)
		r = qt_manifest_add(&lists[h], line, sums.of[h], err);
	return r;
}

/* README.txt, where it is the first; NULL: it is another. */
static struct qt_buf *readme_for(struct qt_check *c, const char *path,
    uint64_t size)
{
	return c->res->members == 1 && size <= QT_SIGNATURE_SIZE &&
	    strcmp(path, "README.txt") == 0 ? &c->readme : NULL;
}

/* Behind the first member, or the first damage: whether SHA-512 is wanted. */
static void choose_hashes(struct qt_check *c)
{
	static const char said[] = "\n" QT_README_SHA512;

	if (c->chosen)
		return;
	c->chosen = true;
	if (c->readme.len == 0 || memmem(c->readme.data, c->readme.len, said,
		sizeof said - 1) == NULL) {
		c->nhashes = 1;
		qt_digest_narrow(&c->member);
	}
	qt_buf_release(&c->readme);
}

static int one_file(struct qt_check *c, struct qt_tarread *r,
    const struct qt_tar_member *m, const char *path, char *buf,
    struct qt_error *err)
{
	const int64_t mtime = m->mtime_ns / 1000000000;
	const uint64_t size = m->size;
	const char *id = "";
	enum qt_queue queue = queue_of(path, &id);
	struct qt_buf *sig = signature_for(c, path, size);
	struct takers to = {.text = sig != NULL ? sig :
		readme_for(c, path, size), .showq = is_showq(c, path)};
	char own[QT_MEMBER_SIZE];

	(void)strlcpy(own, path, sizeof own); /* m is the reader's */
	id = own + (id[0] != '\0' ? id - path : 0);
	check_place(c, m, own);
	check_mtime(c, m, own);
	to.store = store_for(c, own, queue);
	if (note_member(c, m, true, err) != 0 ||
	    read_data(c, r, buf, &to, err) != 0 ||
	    list(c, own, size, err) != 0)
		return -1;
	if (queue < QT_Q_COUNT)
		c->by_queue[queue]++;
	return queue < QT_Q_MESSAGES ?
	    qt_check_message(c, own, queue, id, mtime, err) : 0;
}

static int one_member(struct qt_check *c, struct qt_tarread *r,
    const struct qt_tar_member *m, char *buf, struct qt_error *err)
{
	const char *path = m->path != NULL ? below_base(c, m->path) : NULL;

	c->res->members++;
	if (path == NULL) {
		qt_check_tell(c, QT_FLAW_NAME, m->path != NULL ? m->path : "",
		    (int64_t)m->offset, NULL, NULL, "is no name of a file of "
		    "this archive%s%s", m->why != NULL ? ": " : "",
		    m->why != NULL ? m->why : "");
		return note_member(c, m, false, err);
	}
	if (m->kind != QT_TAR_FILE) {
		qt_check_tell(c, QT_FLAW_TYPE, path, (int64_t)m->offset,
		    "a regular file", m->kind == QT_TAR_DIR ? "a directory" :
		    "a link, device or sparse file", "is no regular file");
		return note_member(c, m, false, err);
	}
	return one_file(c, r, m, path, buf, err);
}

static int all_members(struct qt_check *c, struct qt_tarread *r, char *buf,
    struct qt_error *err)
{
	const struct qt_tar_member *m;
	int rc;

	while ((rc = qt_tarread_next(r, &m, err)) == 0) {
		rc = one_member(c, r, m, buf, err);
		choose_hashes(c);
		if (rc != 0)
			return -1;
		if (c->opts->progress != NULL)
			c->opts->progress(c->opts->progress_ctx,
			    qt_tarread_progress(r), c->size);
		if (qt_check_stopped(c))
			return qt_check_interrupted(c, err);
	}
	choose_hashes(c);
	return rc < 0 ? -1 : 0;
}

/* The readers of one pass: there are several where something is damaged. */
struct passing {
	struct qt_check *c;
	struct qt_tarread *r;
	struct qt_tarview *view; /* NULL: it could not be opened */
	uint64_t behind;	 /* where the last damage was */
	char *buf;
};

/*
 * Behind damage, which is a flaw of the archive: open p->r where the next
 * member begins.  1: there is none.
 */
static int go_on(struct passing *p, const struct qt_error *damage,
    struct qt_error *err)
{
	struct qt_check *c = p->c;
	uint64_t at = 0, from = damage->offset > 0 ? (uint64_t)damage->offset : 0;
	const bool refused = qt_tarread_refused(p->r);
	int r = 1;

	qt_tarread_close(p->r);
	p->r = NULL;
	p->behind = from > p->behind ? from : p->behind;
	if (!refused && p->view != NULL && c->res->members != 0 &&
	    qt_tarview_random(p->view))
		r = qt_tarview_next_header(p->view, p->behind, &at, err);
	if (r < 0)
		return -1;
	if (r > 0) {
		qt_check_tell(c, QT_FLAW_DAMAGED, "", damage->offset, NULL, NULL,
		    "%s; what follows could not be checked", damage->text);
		return 1;
	}
	qt_check_tell(c, QT_FLAW_DAMAGED, "", damage->offset, NULL, NULL,
	    "%s; read on from byte %llu", damage->text, (unsigned long long)at);
	p->behind = at;
	return qt_tarread_open_at(&p->r, p->view, at, NULL, err);
}

/*
 * What a damaged frame has before the damage is looked at, too: the lists' sums
 * tell whether it is what it was.
 */
static int begin(struct passing *p, struct qt_error *err)
{
	struct qt_check *c = p->c;

	return qt_tarview_open(&p->view, c->fd, c->file, c->opts->stop, err) != 0 ||
	    qt_tarview_salvage(p->view, err) != 0 ? -1 :
	    qt_tarread_open_view(&p->r, p->view, NULL, err);
}

/* Frames are not what they say though all files in them are: to other programs
 * they may be something else. */
static int tell_unnoticed(struct passing *p, bool *damaged, struct qt_error *err)
{
	struct qt_error damage;
	size_t next = 0;
	int r;

	while ((r = qt_tarview_unnoticed(p->view, &next, &damage, err)) == 0) {
		qt_check_tell(p->c, QT_FLAW_DAMAGED, "", damage.offset, NULL,
		    NULL, "%s", damage.text);
		*damaged = true;
	}
	return r < 0 ? -1 : 0;
}

static int pass(struct qt_check *c, struct qt_error *err)
{
	struct passing p = {.c = c, .buf = malloc(PIECE)};
	struct qt_error e = {0}, next;
	bool damaged = false;
	int rc;

	if (p.buf == NULL)
		return qt_fail_mem(err);
	rc = begin(&p, &e);
	if (rc == 0)
		rc = all_members(c, p.r, p.buf, &e);
	while (rc < 0 && e.code == QT_E_STATE) {
		damaged = true;
		next = e;
		rc = go_on(&p, &next, &e);
		if (rc == 0)
			rc = all_members(c, p.r, p.buf, &e);
	}
	if (rc == 0)
		rc = tell_unnoticed(&p, &damaged, &e);
	c->ended = rc == 0;
	c->res->whole = rc == 0 && !damaged;
	if (rc < 0 && err != NULL)
		*err = e;
	qt_tarread_close(p.r);
	qt_tarview_close(p.view);
	free(p.buf);
	return rc < 0 ? -1 : 0;
}

/* ---- all of it ---- */

static void init(struct qt_check *c)
{
	size_t memory = c->opts->memory != 0 ? c->opts->memory : LIST_MEMORY;
	int i;

	c->nhashes = QT_HASHES;
	for (i = 0; i < QT_HASHES; i++) {
		qt_manifest_init(&c->payload[i], (enum qt_hash)i, c->tmpfd,
		    memory);
		qt_manifest_init(&c->tags[i], (enum qt_hash)i, c->tmpfd, memory);
	}
	qt_buf_init(&c->readme, QT_SIGNATURE_SIZE + 1);
	qt_spill_init(&c->members, c->tmpfd, memory);
	qt_spill_init(&c->names, c->tmpfd, memory);
	qt_spill_init(&c->message, c->tmpfd,
	    c->opts->memory != 0 ? memory : MESSAGE_MEMORY);
	qt_spill_init(&c->facts, c->tmpfd, memory);
	qt_spill_init(&c->rcpts, c->tmpfd, memory);
	qt_showq_lines_init(&c->showq);
	for (i = 0; i < QT_TOLD_COUNT; i++)
		qt_spill_init(&c->kept[i], c->tmpfd, memory);
	for (i = 0; i < QT_SIGNATURES_MAX; i++)
		qt_buf_init(&c->signature[i].bytes, QT_SIGNATURE_SIZE + 1);
}

void qt_check_free(struct qt_check *c)
{
	int i;

	if (c == NULL)
		return;
	for (i = 0; i < QT_HASHES; i++) {
		qt_manifest_release(&c->payload[i]);
		qt_manifest_release(&c->tags[i]);
	}
	qt_buf_release(&c->readme);
	qt_spill_release(&c->members);
	qt_spill_release(&c->names);
	qt_spill_release(&c->message);
	qt_spill_release(&c->facts);
	qt_spill_release(&c->rcpts);
	qt_showq_lines_release(&c->showq);
	for (i = 0; i < QT_TOLD_COUNT; i++)
		qt_spill_release(&c->kept[i]);
	for (i = 0; i < QT_SIGNATURES_MAX; i++)
		qt_buf_release(&c->signature[i].bytes);
	qt_seen_release(&c->flawed);
	qt_digest_release(&c->sum);
	qt_digest_release(&c->member);
	qt_digest_kind_release(&c->sha256);
	free(c->queue_dir);
	qt_close_quiet(&c->fd);
	qt_close_quiet(&c->tmpfd);
	free(c);
}

static int open_all(struct qt_check *c, struct qt_error *err)
{
	const char *tmp = c->opts->tmp_dir != NULL ? c->opts->tmp_dir : "/tmp";
	struct stat st;

	c->fd = open(c->file, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (c->fd < 0)
		return qt_fail_own(err, "open", c->file);
	if (fstat(c->fd, &st) != 0)
		return qt_fail_own(err, "fstat", c->file);
	if (!S_ISREG(st.st_mode))
		return qt_fail(err, QT_E_SYS, c->file, "is no regular file");
	c->size = (uint64_t)st.st_size;
	c->tmpfd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->tmpfd < 0)
		return qt_fail_own(err, "open", tmp);
	if (c->opts->salvage && qt_seen_init(&c->flawed, err) != 0)
		return -1;
	return qt_digest_kind_init(&c->sha256, err) != 0 ||
	    qt_digest_init(&c->sum, err) != 0 ? -1 :
	    qt_digest_init_with(&c->member, true, err);
}

/* Of a damaged one: what is there, not what its table has. */
static void count_readable(struct qt_check *c)
{
	int q;

	c->res->messages = c->res->logs = 0;
	for (q = 0; q < QT_Q_COUNT; q++)
		*(q < QT_Q_MESSAGES ? &c->res->messages : &c->res->logs) +=
		    c->by_queue[q];
}

static int after(struct qt_check *c, struct qt_error *err)
{
	if (qt_check_sidecars(c, err) != 0)
		return -1;
	/* half of an archive agrees with none of its lists */
	if (!c->ended) {
		count_readable(c);
		return 0;
	}
	if (qt_check_lists(c, err) != 0 || qt_check_texts(c, err) != 0 ||
	    qt_check_names(c, err) != 0 || qt_check_rows(c, err) != 0 ||
	    qt_check_tables(c, err) != 0 ||
	    qt_check_signatures(c, err) != 0 || qt_check_timestamp(c, err) != 0)
		return -1;
	if (c->res->whole)
		return qt_check_frame(c, err);
	count_readable(c);
	return 0;
}

int qt_check_archive(struct qt_check **out, struct qt_verify_result *result,
    const char *file, const struct qt_verify_opts *opts, struct qt_error *err)
{
	struct qt_check *c = calloc(1, sizeof *c);
	int r;

	if (c == NULL)
		return qt_fail_mem(err);
	*result = (struct qt_verify_result){.problems = 0};
	c->opts = opts;
	c->res = result;
	c->file = file;
	c->fd = c->tmpfd = -1;
	r = open_all(c, err);
	init(c);
	if (r == 0)
		r = qt_check_sum_file(c, err);
	if (r == 0)
		r = pass(c, err);
	if (r == 0)
		r = after(c, err);
	if (r == 0 && c->forgot)
		r = qt_fail_mem(err);
	if (r == 0)
		*out = c;
	else
		qt_check_free(c);
	return r;
}

int qt_verify_archive(struct qt_verify_result *result, const char *file,
    const struct qt_verify_opts *opts, struct qt_error *err)
{
	struct qt_check *c = NULL;

	if (qt_check_archive(&c, result, file, opts, err) != 0)
		return -1;
	qt_check_free(c);
	return 0;
}
