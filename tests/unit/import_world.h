/*
 * import_world.h - an archive of five messages in memory, restored into the
 * small spool of change_spool.h.
 */
#ifndef TESTS_IMPORT_WORLD_H
#define TESTS_IMPORT_WORLD_H

#include "unit/place_run.h"

#include <openssl/evp.h>

#include "qtool/queueid.h"

#define IW_N 5
#define IW_MTIME ((int64_t)1600000000 * 1000000000 + 123456789)

struct iw_message {
	const char *id;
	enum qt_queue queue;
	const char *bytes;
	const char *log[QT_IMPORT_LOGS];
};

/* 4-second ID and so on: two short, two long, one short without an inode. */
static const struct iw_message iw_messages[IW_N] = {
    {"12345AFFE", QT_Q_HOLD, "the first message", {NULL, NULL, NULL}},
    {"ABCDE77", QT_Q_DEFERRED, "the second", {"deferred: busy", NULL, NULL}},
    {"3c7Dwb1Ggvz7B", QT_Q_DEFERRED, "a long ID",
	{"d of long", "b of long", "t of long"}},
    {"3c7Dwb1Gh0z7C", QT_Q_ACTIVE, "another one", {NULL, "bounced", NULL}},
    {"0000F1234567", QT_Q_INCOMING, "", {NULL, NULL, NULL}},
};

struct iw_supply {
	size_t from;
	unsigned calls;
	unsigned wrong; /* the call of that number gives other bytes; 0 none */
	unsigned stop_at;
	volatile sig_atomic_t stop;
};

static inline const char *iw_bytes(size_t i, enum qt_queue log)
{
	return log == QT_Q_COUNT ? iw_messages[i].bytes :
	    iw_messages[i].log[log == QT_Q_DEFER ? 0 : log == QT_Q_BOUNCE ? 1 :
		2];
}

/* In pieces of three bytes. */
static inline int iw_give(void *ctx, size_t seq, enum qt_queue log,
    qt_put_fn *put, void *put_ctx, struct qt_error *err)
{
	struct iw_supply *s = ctx;
	const char *b = iw_bytes(s->from + seq, log);
	size_t len = strlen(b), n;

	assert_non_null(b);
	if (++s->calls == s->stop_at)
		s->stop = 1;
	if (s->calls == s->wrong)
		return put(put_ctx, "x", 1, err) != 0 ? -1 :
		    len > 1 ? put(put_ctx, b + 1, len - 1, err) : 0;
	for (; len > 0; b += n, len -= n) {
		n = len < 3 ? len : 3;
		if (put(put_ctx, b, n, err) != 0)
			return -1;
	}
	return 0;
}

static inline const char *iw_sum(const char *bytes, char hex[65])
{
	unsigned char sum[32];
	int i;

	assert_int_equal(EVP_Digest(bytes, strlen(bytes), sum, NULL,
	    EVP_sha256(), NULL), 1);
	for (i = 0; i < 32; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	return hex;
}

/* The messages from..to-1 for a queue. */
static inline struct qt_plan *iw_plan(enum qt_queue queue, size_t from,
    size_t to)
{
	struct qt_error err = {0};
	struct qt_plan *p;
	char hex[1 + QT_IMPORT_LOGS][65];
	int k;

	assert_int_equal(qt_plan_new(&p, QT_OP_IMPORT, &err), 0);
	for (; from < to; from++) {
		const struct iw_message *m = &iw_messages[from];
		struct qt_import im = {.to = queue, .queue = m->queue,
		    .id = m->id, .mtime_ns = IW_MTIME + (int64_t)from,
		    .message = {(int64_t)strlen(m->bytes),
			iw_sum(m->bytes, hex[0])}};

		for (k = 0; k < QT_IMPORT_LOGS; k++)
			if (m->log[k] != NULL)
				im.log[k] = (struct qt_import_file){
				    (int64_t)strlen(m->log[k]),
				    iw_sum(m->log[k], hex[k + 1])};
		if (qt_plan_add_import(p, &im, &err) != 0)
			fail_msg("%s: %s", err.where, err.text);
	}
	return p;
}

static inline void iw_use(struct run *r, struct iw_supply *s)
{
	r->opts.supply = iw_give;
	r->opts.supply_ctx = s;
	r->opts.stop = &s->stop;
}

/* Restore the messages from..to-1. */
static inline int iw_restore(const struct tspool *t, struct run *r,
    enum qt_queue queue, size_t from, size_t to)
{
	struct iw_supply s = {.from = from};
	int result;

	iw_use(r, &s);
	result = carry_out(t, r, iw_plan(queue, from, to));
	r->opts.supply = NULL; /* s is no more */
	r->opts.supply_ctx = NULL;
	r->opts.stop = NULL;
	return result;
}

/* ---- where they are ---- */

struct iw_ids {
	char id[IW_N][64]; /* queue/ID, "" none; by the archive's messages */
};

static inline int iw_note(void *ctx, enum qt_queue from, const char *from_id,
    enum qt_queue to, const char *to_id)
{
	struct iw_ids *ids = ctx;
	size_t i;

	for (i = 0; i < IW_N; i++)
		if (strcmp(iw_messages[i].id, from_id) == 0) {
			assert_int_equal(iw_messages[i].queue, from);
			(void)snprintf(ids->id[i], sizeof(ids->id[i]), "%s/%s",
			    qt_queue_name(to), to_id);
			return 0;
		}
	return -1;
}

static inline void iw_map(const struct tspool *t, uint64_t txid,
    struct iw_ids *ids)
{
	struct qt_error err = {0};

	*ids = (struct iw_ids){.id = {""}};
	if (qt_tx_imported(t->spool, NULL, txid, iw_note, ids, &err) != 0)
		fail_msg("%s: %s", err.where, err.text);
}

static inline bool iw_same(const struct tspool *t, const char *path,
    const char *bytes)
{
	char got[256] = "";
	int fd = openat(t->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, got, sizeof(got) - 1);
	assert_true(n >= 0);
	(void)close(fd);
	return strcmp(got, bytes) == 0;
}

/* A message in a queue as it has to be, with its logs; fails if it is not. */
static inline void iw_check(const struct tspool *t, size_t i, const char *path)
{
	static const enum qt_queue logs[QT_IMPORT_LOGS] = {QT_Q_DEFER,
	    QT_Q_BOUNCE, QT_Q_TRACE};
	const struct iw_message *m = &iw_messages[i];
	const char *id = strchr(path, '/') + 1;
	bool hold = strncmp(path, "hold/", 5) == 0;
	struct qt_queue_id is, was;
	struct stat st;
	char log[256];
	int k;

	if (fstatat(t->fd, path, &st, AT_SYMLINK_NOFOLLOW) != 0)
		fail_msg("%s is not at %s", m->id, path);
	assert_true(iw_same(t, path, m->bytes));
	assert_int_equal(st.st_mode, S_IFREG | 0700);
	assert_int_equal(st.st_nlink, 1);
	if (geteuid() == 0)
		assert_true(st.st_uid == TS_OWNER && st.st_gid == TS_OWNER);
	if (hold)
		assert_true(st.st_mtim.tv_sec == 1600000000 &&
		    st.st_mtim.tv_nsec == 123456789 + (long)i);
	else
		assert_true(st.st_mtim.tv_sec > 1700000000);
	/* no message to come can get its ID */
	qt_queue_id_parse(&is, id);
	qt_queue_id_parse(&was, m->id);
	assert_int_equal(is.is_long, was.is_long);
	if (!is.is_long)
		assert_true(is.has_inode && is.inode == st.st_ino &&
		    is.usec == was.usec);
	for (k = 0; k < QT_IMPORT_LOGS; k++) {
		assert_int_equal(qt_spool_path(t->spool, logs[k], id, log,
		    sizeof(log)), 0);
		if (hold && m->log[k] != NULL) {
			assert_true(iw_same(t, log, m->log[k]));
			assert_int_equal(fstatat(t->fd, log, &st, 0), 0);
			assert_int_equal(st.st_mode, S_IFREG | 0600);
			if (geteuid() == 0)
				assert_int_equal(st.st_uid, TS_OWNER);
		} else if (ts_exists(t, "%s", log)) {
			fail_msg("%s is there", log);
		}
	}
}

static inline int iw_count_one(const char *path, const struct stat *st, int flag,
    struct FTW *ftw);

/* Files in all queues and of logs. */
static size_t iw_files;
static inline int iw_count_one(const char *path, const struct stat *st, int flag,
    struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	iw_files += flag == FTW_F && strstr(path, "/qtool/") == NULL;
	return 0;
}

static inline size_t iw_in_queues(const struct tspool *t)
{
	iw_files = 0;
	assert_int_equal(nftw(t->dir, iw_count_one, 16, FTW_PHYS), 0);
	return iw_files;
}

static inline int iw_count_copy(const char *path, const struct stat *st,
    int flag, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	iw_files += flag == FTW_F && strstr(path, "/r/") != NULL;
	return 0;
}

/* Files that imports have made and not placed. */
static inline size_t iw_copies(const struct tspool *t)
{
	iw_files = 0;
	assert_int_equal(nftw(t->dir, iw_count_copy, 16, FTW_PHYS), 0);
	return iw_files;
}

/* All five, of a transaction, are in the queue as they have to be. */
static inline void iw_all(const struct tspool *t, uint64_t txid)
{
	struct iw_ids ids;
	size_t i;

	iw_map(t, txid, &ids);
	for (i = 0; i < IW_N; i++)
		iw_check(t, i, ids.id[i]);
	assert_int_equal(iw_in_queues(t), IW_N +
	    (strncmp(ids.id[0], "hold/", 5) == 0 ? 5u : 0));
}

#endif
