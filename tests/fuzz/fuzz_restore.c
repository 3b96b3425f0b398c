/*
 * fuzz_restore.c - an archive from a stranger, restored into a queue: nothing is
 * written anywhere else, and every file that gets in has the bytes that the
 * archive's table has the sum of; out of a damaged one none that a problem was
 * told about.
 *
 * The input: a first byte: 1 to restore as from a damaged archive, 2 to restore
 * into maildrop, 4 what is there already too; then the members (bag_input.h).  So that tables can
 * be right, in a member 01 and a digit are the SHA-256 of that member in hex, 02
 * and a digit its size.  Every message that the members' paths name is asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include "fuzz/bag_input.h"
#include "qtool/restorer.h"

#define PARTS 10
#define OWNER 12345

enum { SALVAGE = 1, MAILDROP = 2, AGAIN = 4 }; /* the first byte */

/* ---- the world ---- */

static char top[64]; /* has spool/ and a file that is nobody's business */

static void in_top(char path[256], const char *name)
{
	(void)snprintf(path, 256, "%s/%s", top, name);
}

static int remove_one(const char *path, const struct stat *st, int type,
    struct FTW *f)
{
	(void)st, (void)type, (void)f;
	return remove(path);
}

static void remove_top(void)
{
	(void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_dir(const char *name)
{
	char path[256];

	in_top(path, name);
	REQUIRE(mkdir(path, 0700) == 0);
	REQUIRE(geteuid() != 0 || chown(path, OWNER, OWNER) == 0);
}

static void make_world(void)
{
	static const char *const dirs[] = {"spool", "spool/maildrop",
	    "spool/incoming", "spool/active", "spool/deferred", "spool/hold",
	    "spool/corrupt", "spool/saved", "spool/defer", "spool/bounce",
	    "spool/trace"};
	char path[256];
	size_t i;
	int fd;

	(void)strcpy(top, "/dev/shm/qtool-fuzz.XXXXXX");
	if (mkdtemp(top) == NULL) {
		(void)strcpy(top, "/tmp/qtool-fuzz.XXXXXX");
		REQUIRE(mkdtemp(top) != NULL);
	}
	REQUIRE(chmod(top, 0755) == 0);
	for (i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
		make_dir(dirs[i]);
	in_top(path, "canary");
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	REQUIRE(fd >= 0);
	bag_put(fd, "tweet", 5);
	(void)close(fd);
}

/* ---- what is there afterwards ---- */

static struct {
	const struct qt_buf *table; /* all that messages.jsonl says */
	unsigned messages;	    /* files in hold and maildrop */
} found;

static void sum_of(const void *bytes, size_t len, char hex[65])
{
	unsigned char sum[32];
	int i;

	REQUIRE(EVP_Digest(bytes, len, sum, NULL, EVP_sha256(), NULL) == 1);
	for (i = 0; i < 32; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}

static void check_file(const char *path)
{
	char hex[65], bytes[2 * BAG_MAX];
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	REQUIRE(fd >= 0);
	n = read(fd, bytes, sizeof bytes);
	REQUIRE(n >= 0 && n < (ssize_t)sizeof bytes);
	(void)close(fd);
	sum_of(bytes, (size_t)n, hex);
	REQUIRE(memmem(qt_buf_str(found.table), found.table->len, hex, 64) !=
	    NULL);
}

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

static int check_one(const char *path, const struct stat *st, int type,
    struct FTW *f)
{
	const char *p = path + strlen(top);

	(void)f;
	REQUIRE(type == FTW_D || type == FTW_F); /* no link, device ... */
	if (type == FTW_D || below(p, "/spool/qtool"))
		return 0;
	REQUIRE(S_ISREG(st->st_mode));
	if (strcmp(p, "/canary") == 0) {
		REQUIRE(st->st_size == 5);
		return 0;
	}
	if (below(p, "/spool/hold") || below(p, "/spool/maildrop"))
		found.messages++;
	else
		REQUIRE(below(p, "/spool/defer") || below(p, "/spool/bounce") ||
		    below(p, "/spool/trace"));
	check_file(path);
	return 0;
}

/* ---- the archive ---- */

struct parts {
	struct {
		char sum[65];
		size_t len;
	} v[PARTS];
	unsigned n;
	struct qt_buf table;
};

static void expand(const struct parts *p, struct qt_buf *out, const char *s,
    size_t len)
{
	size_t i;
	unsigned k;

	qt_buf_clear(out);
	for (i = 0; i < len; i++) {
		k = i + 1 < len ? (unsigned)(s[i + 1] - '0') : PARTS;
		if ((s[i] != 1 && s[i] != 2) || k >= p->n) {
			qt_buf_addc(out, s[i]);
			continue;
		}
		if (s[i] == 1)
			qt_buf_adds(out, p->v[k].sum);
		else
			qt_buf_addf(out, "%zu", p->v[k].len);
		i++;
	}
	REQUIRE(!out->failed);
}

static void make_tar(int fd, struct parts *p, const char *s, const char *end)
{
	struct bag_part m;
	struct qt_buf bytes;

	qt_buf_init(&bytes, 0);
	while (bag_next(&s, end, &m)) {
		expand(p, &bytes, m.bytes, m.len);
		bag_member(fd, m.path, m.path_len, qt_buf_str(&bytes), bytes.len);
		if (m.path_len == 23 &&
		    memcmp(m.path, "metadata/messages.jsonl", 23) == 0)
			qt_buf_add(&p->table, qt_buf_str(&bytes), bytes.len);
		if (p->n == PARTS)
			continue;
		sum_of(qt_buf_str(&bytes), bytes.len, p->v[p->n].sum);
		p->v[p->n++].len = bytes.len;
	}
	bag_end(fd);
	qt_buf_release(&bytes);
}

/* ---- restoring ---- */

static void on_problem(void *ctx, const struct qt_problem *p)
{
	if (p->flaw == QT_FLAW_FRAME)
		return;
	qt_buf_adds(ctx, p->path);
	qt_buf_addc(ctx, '\n');
}

/* A message by its member's path; 1: it was taken. */
static unsigned take(struct qt_restorer *r, struct qt_plan *plan,
    const struct bag_part *m, const struct qt_buf *flawed, bool salvage,
    enum qt_queue to)
{
	char path[256], line[300];
	const char *queue = path + strlen("data/queue/"), *why;
	struct qt_error err = {0};
	struct qt_import im;
	char *id;

	if (m->path_len >= sizeof path)
		return 0;
	memcpy(path, m->path, m->path_len);
	path[m->path_len] = '\0';
	if (strncmp(path, "data/queue/", 11) != 0 ||
	    (id = strchr(queue, '/')) == NULL)
		return 0;
	(void)snprintf(line, sizeof line, "\n%s\n", path);
	*id++ = '\0';
	if (qt_queue_by_name(queue) >= QT_Q_MESSAGES)
		return 0;
	id[-1] = '/';
	{
		char name[64];

		(void)snprintf(name, sizeof name, "%.*s", (int)(id - 1 - queue),
		    queue);
		if (qt_restorer_take(r, qt_queue_by_name(name), id, queue, &im,
			&why, &err) != 0)
			return 0;
	}
	REQUIRE(!salvage || strstr(qt_buf_str(flawed), line) == NULL);
	im.to = to;
	return qt_plan_add_import(plan, &im, &err) == 0;
}

static unsigned carry_out(struct qt_restorer *r, struct qt_plan *plan,
    unsigned how)
{
	struct qt_change_opts opts = {.supply = qt_restorer_supply,
	    .supply_ctx = r, .again = (how & AGAIN) != 0};
	struct qt_outcome out = {.done = 0};
	struct qt_change *c = NULL;
	struct qt_error err = {0};
	struct qt_spools spools;
	char path[256];
	unsigned done = 0;

	in_top(path, "spool");
	qt_spools_init(&spools);
	REQUIRE(qt_spools_add_dir(&spools, path, &err) == 0);
	REQUIRE(qt_change_open(&c, spools.v[0], &opts, NULL, &err) == 0);
	if (qt_change_run(c, plan, &out, &err) == 0)
		done = (unsigned)out.done;
	qt_change_close(c);
	qt_spools_release(&spools);
	return done;
}

/* How many messages got in. */
static unsigned restore(const char *s, const char *end, unsigned how)
{
	const bool salvage = (how & SALVAGE) != 0;
	const enum qt_queue to = (how & MAILDROP) != 0 ? QT_Q_MAILDROP :
							 QT_Q_HOLD;
	struct parts parts = {.n = 0};
	struct qt_buf flawed;
	const struct qt_verify_opts opts = {.report = on_problem,
	    .report_ctx = &flawed, .max_reports = UINT64_MAX,
	    .salvage = salvage};
	struct qt_verify_result result;
	struct qt_restorer *r = NULL;
	struct qt_plan *plan = NULL;
	struct qt_error err = {0};
	struct bag_part m;
	unsigned taken = 0, done = 0;
	const char *at = s;
	char path[32];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	REQUIRE(fd >= 0);
	qt_buf_init(&parts.table, 0);
	qt_buf_init(&flawed, 0);
	qt_buf_addc(&flawed, '\n');
	make_tar(fd, &parts, s, end);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	REQUIRE(qt_restorer_open(&r, &result, path, &opts, &err) == 0);
	REQUIRE(qt_plan_new(&plan, QT_OP_IMPORT, &err) == 0);
	while (bag_next(&at, end, &m))
		taken += take(r, plan, &m, &flawed, salvage, to);
	if (taken != 0)
		done = carry_out(r, plan, how);
	found.table = &parts.table;
	found.messages = 0;
	REQUIRE(nftw(top, check_one, 16, FTW_PHYS) == 0);
	REQUIRE(found.messages == done);
	qt_plan_free(plan);
	qt_restorer_close(r);
	qt_buf_release(&parts.table);
	qt_buf_release(&flawed);
	(void)close(fd);
	return done;
}

/* That anything gets in at all. */
static void check_world(void)
{
	static const char good[] =
	    "data/queue/hold/DDDDD4444\nS\n%%\n"
	    "metadata/messages.jsonl\n"
	    "{\"queue_name\":\"hold\",\"queue_id\":\"DDDDD4444\",\"path\":"
	    "\"data/queue/hold/DDDDD4444\",\"size\":\0020,\"sha256\":\"\0010\","
	    "\"found\":\"hold/DDDDD4444\",\"stat\":{\"mtime_ns\":1}}\n";

	make_world();
	REQUIRE(restore(good, good + sizeof good - 1, 0) == 1);
	remove_top();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool checked;

	if (size == 0 || size > BAG_MAX)
		return 0;
	if (!checked)
		check_world();
	checked = true;
	make_world();
	(void)restore((const char *)data + 1, (const char *)data + size, data[0]);
	remove_top();
	return 0;
}
