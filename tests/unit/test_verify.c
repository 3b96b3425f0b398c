/*
 * test_verify.c - an archive with anything at all changed in it is found out,
 * and what is wrong is told by name; one that is as it was made is good.
 */
#include "unit/archive_world.h"

#include "qtool/verify.h"

/* ---- an archive, as qtool archive makes it ---- */

struct mail {
	const char *path, *sender;
	int rcpts;
};

static const struct mail mails[] = {
    {"deferred/BBBBB2222", "a@example.com", 2},
    {"hold/DDDDD4444", "c@example.com", 1},
};

/* With the row that the tables have of it. */
static void add_row(const struct world *w, struct qt_archive *a,
    const struct mail *m)
{
	const struct qt_db_opts opts = {.jobs = 1};
	const struct qt_bind path = {.type = QT_BIND_TEXT, .text = m->path};
	char full[512], queue[32];
	const char *id = strrchr(m->path, '/') + 1;
	struct qt_error err = {0};
	struct qt_stmt *stmt = NULL;
	struct qt_db *db = NULL;
	struct qt_buf sql;
	struct stat st;

	(void)snprintf(queue, sizeof queue, "%.*s",
	    (int)strcspn(m->path, "/"), m->path);
	(void)snprintf(full, sizeof full, "%s/%s", w->spool->queue_dir, m->path);
	assert_int_equal(lstat(full, &st), 0);
	qt_buf_init(&sql, 0);
	qt_buf_adds(&sql, "SELECT ");
	qt_archive_columns(&sql);
	qt_buf_adds(&sql, " FROM messages WHERE path = ?");
	assert_int_equal(qt_db_open(&db, &w->spools, &opts, &err), 0);
	if (qt_stmt_open(&stmt, db, qt_buf_str(&sql), &path, 1, &err) != 0 ||
	    qt_stmt_step(stmt, &err) != 0 ||
	    qt_archive_add_row(a, &(struct qt_archive_item){.spool = w->spool,
		.queue = qt_queue_by_name(queue), .id = id, .path = m->path,
		.dev = st.st_dev, .ino = st.st_ino}, stmt, &err) != 0)
		fail_msg("%s: %s", err.where, err.text);
	qt_stmt_close(stmt);
	qt_db_close(db);
	qt_buf_release(&sql);
}

static const char *make_with(const struct world *w, const char *name,
    const struct qt_showq *showq, bool sha512)
{
	struct qt_archive_opts opts = some_opts(w);
	struct qt_archive_counts counts;
	struct qt_archive *a;
	size_t i;

	for (i = 0; i < sizeof mails / sizeof mails[0]; i++)
		put_message(w, mails[i].path, mails[i].sender, mails[i].rcpts,
		    "text\n");
	put_log(w, "defer/BBBBB2222", "<r@x>: reason\n\n");
	opts.host = w->spool->host;
	opts.showq = showq;
	opts.sha512 = sha512;
	a = open_archive(w, name, &opts);
	for (i = 0; i < sizeof mails / sizeof mails[0]; i++)
		add_row(w, a, &mails[i]);
	must_finish(a, &counts);
	return at(w, name);
}

static const char *make(const struct world *w, const char *name)
{
	return make_with(w, name, NULL, false);
}

/* ---- what is told ---- */

struct told {
	char text[4096]; /* "kind path;" of each */
	char last[512];
	int64_t offset;
	char table[512]; /* of the last one of that kind */
	int64_t table_line;
};

static void on_problem(void *ctx, const struct qt_problem *p)
{
	struct told *t = ctx;
	size_t n = strlen(t->text);

	(void)snprintf(t->text + n, sizeof t->text - n, "%s %s;",
	    qt_flaw_name(p->flaw), p->path);
	(void)snprintf(t->last, sizeof t->last, "%s", p->text);
	t->offset = p->offset;
	if (p->flaw == QT_FLAW_TABLE) {
		(void)strlcpy(t->table, p->text, sizeof t->table);
		t->table_line = p->offset;
	}
}

static uint64_t verify(const char *file, struct told *t)
{
	const struct qt_verify_opts opts = {
	    .report = t != NULL ? on_problem : NULL, .report_ctx = t,
	    .tmp_dir = "/dev/shm"};
	struct qt_verify_result r;
	struct qt_error err = {0};

	if (t != NULL)
		*t = (struct told){.text = ""};
	if (qt_verify_archive(&r, file, &opts, &err) != 0)
		fail_msg("%s: %s", err.where, err.text);
	return r.problems;
}

/* ---- every bit ---- */

static bool full(void)
{
	const char *s = getenv("QTOOL_FULL");

	return s != NULL && *s != '\0';
}

static void flip(int fd, size_t at, int bit)
{
	unsigned char c;

	assert_int_equal(pread(fd, &c, 1, (off_t)at), 1);
	c ^= (unsigned char)(1 << bit);
	assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
}

/* Whether what a file expands to is those bytes. */
static bool expands_to(const char *file, const char *plain, size_t len)
{
	size_t packed, got;
	char *bytes = slurp(file, &packed), *out = malloc(len + 1);
	bool same;

	assert_non_null(out);
	got = ZSTD_decompress(out, len + 1, bytes, packed);
	same = got == len && memcmp(out, plain, len) == 0;
	free(bytes);
	free(out);
	return same;
}

struct flips {
	const char *file;
	size_t from; /* the first byte that has its turn */
	char *plain; /* what it expands to; NULL: it is not compressed */
	size_t plain_len, size;
	size_t made, blind; /* blind: nothing is changed by it */
};

/* Bit by bit, without a sum beside it: each is found, or means nothing. */
static void flip_one(struct flips *f, int fd, size_t at, int bit)
{
	flip(fd, at, bit);
	f->made++;
	if (verify(f->file, NULL) == 0) {
		if (f->plain == NULL ||
		    !expands_to(f->file, f->plain, f->plain_len))
			fail_msg("bit %d of byte %zu of %zu is not found", bit,
			    at, f->size);
		f->blind++;
	}
	flip(fd, at, bit);
}

static void to_memory(char copy[64], const char *file, size_t *size)
{
	char *bytes = slurp(file, size);
	int fd;

	(void)strcpy(copy, "/dev/shm/qtool-verify.XXXXXX");
	fd = mkstemp(copy);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, *size), (ssize_t)*size);
	(void)close(fd);
	free(bytes);
}

/* Every byte has its turn; all eight bits, where there is time for it. */
static void flip_all(struct flips *f, size_t per_byte)
{
	int fd = open(f->file, O_RDWR | O_CLOEXEC);
	size_t at, k;

	assert_true(fd >= 0);
	for (at = f->from; at < f->size; at++)
		for (k = 0; k < per_byte; k++)
			flip_one(f, fd, at,
			    (int)((at + k * (8 / per_byte)) % 8));
	(void)close(fd);
}

static void expand(struct flips *f)
{
	size_t packed;
	char *bytes = slurp(f->file, &packed);

	f->plain_len = ZSTD_decompress(f->plain, LIMIT, bytes, packed);
	assert_false(ZSTD_isError(f->plain_len));
	free(bytes);
}

static void every_bit_of(const char *file, size_t per_byte, struct flips *f)
{
	char copy[64];
	struct told t;

	to_memory(copy, file, &f->size);
	f->file = copy;
	if (f->plain != NULL)
		expand(f);
	if (verify(copy, &t) != 0)
		fail_msg("as it was made: %s: %s", t.text, t.last);
	flip_all(f, full() ? 8 : per_byte);
	assert_int_equal(unlink(copy), 0);
	assert_true(f->made >= f->size - f->from);
}

/* Headers, padding and the end as well. */
static void every_bit_of_a_tar_is_covered(void **state)
{
	struct flips f = {.plain = NULL};

	every_bit_of(make(*state, "out/a.tar"), 1, &f);
}

/* The lists by SHA-512: they end a tar in which the rest is the same. */
static void every_bit_of_lists_by_sha512_is_covered(void **state)
{
	const char *file = make_with(*state, "out/a.tar", NULL, true);
	struct contents *c = read_archive(file);
	struct flips f = {.plain = NULL};
	char name[512], *bytes, *header;
	size_t len;

	(void)snprintf(name, sizeof name, "%s/manifest-sha512.txt", c->base);
	bytes = slurp(file, &len);
	header = memmem(bytes, len, name, strlen(name) + 1);
	assert_non_null(header);
	f.from = (size_t)(header - bytes);
	assert_true(f.from > 0 && f.from % 512 == 0);
	/* and what says that they are there */
	assert_non_null(memmem(bytes, f.from, "  manifest-sha512.txt ", 22));
	free(bytes);
	free_contents(c);
	every_bit_of(file, 1, &f);
}

/*
 * What is not covered is what the compression has to say twice: another way to
 * write the same bytes.  FILE.sha256 covers that.
 */
static void every_bit_of_a_zst_that_means_anything_is_covered(void **state)
{
	struct flips f = {.plain = malloc(LIMIT)};

	assert_non_null(f.plain);
	every_bit_of(make(*state, "out/a.tar.zst"), 2, &f);
	assert_true(f.blind < f.made / 100);
	free(f.plain);
}

static void its_sum_beside_it_covers_all(void **state)
{
	const char *file = make(*state, "out/a.tar.zst");
	struct told t;
	size_t at, size;
	int fd = open(file, O_RDWR | O_CLOEXEC);
	struct stat st;

	assert_int_equal(verify(file, &t), 0);
	assert_int_equal(fstat(fd, &st), 0);
	size = (size_t)st.st_size;
	for (at = 0; at < size; at += 7) {
		flip(fd, at, (int)(at % 8));
		assert_true(verify(file, &t) != 0);
		assert_non_null(strstr(t.text, "sum ;"));
		flip(fd, at, (int)(at % 8));
	}
	(void)close(fd);
	assert_int_equal(verify(file, &t), 0);
}

/* ---- what is wrong, by name ---- */

#define M512 "manifest-sha512.txt"
#define T512 "tagmanifest-sha512.txt"

/* The archive made anew by act from its members, plain, without its sum. */
struct edit {
	const char *drop;	 /* this one is left out */
	const char *twice;	 /* this one is there a second time */
	const char *add;	 /* a file of that path is added, before ... */
	const char *before;
	const char *type;	 /* this one becomes a symbolic link */
	const char *change;	 /* in this one */
	const char *from, *to;	 /* this text is replaced, of one length */
	bool sums;		 /* and the manifests are made to fit */
	bool sums512;		 /* and those by SHA-512 */
};

static void write_member(struct archive *a, const char *base, const char *path,
    const void *bytes, size_t len, const struct member *like, bool link)
{
	struct archive_entry *e = archive_entry_new();
	char whole[512];

	(void)snprintf(whole, sizeof whole, "%s/%s", base, path);
	archive_entry_set_pathname(e, whole);
	archive_entry_set_size(e, link ? 0 : (la_int64_t)len);
	archive_entry_set_filetype(e, link ? AE_IFLNK : AE_IFREG);
	if (link)
		archive_entry_set_symlink(e, "/etc/passwd");
	archive_entry_set_perm(e, 0400);
	archive_entry_set_mtime(e, like != NULL ? like->mtime : NOW, 0);
	assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
	if (!link)
		assert_int_equal(archive_write_data(a, bytes, len),
		    (la_ssize_t)len);
	archive_entry_free(e);
}

/* The sum of a member in a manifest, put right. */
static void put_right(struct contents *c, const char *manifest,
    const struct member *m)
{
	const struct member *list = must_find(c, manifest);
	char *at = strstr(list->data, m->path);

	assert_non_null(at);
	memcpy(at - digits_in(manifest) - 2, sum_in(manifest, m),
	    digits_in(manifest));
	sum_member((struct member *)(uintptr_t)list);
}

/* In its manifest by one algorithm. */
static void put_right_in(struct contents *c, const char *payload,
    const char *tags, const struct member *m)
{
	if (is_payload(m->path)) {
		put_right(c, payload, m);
		m = must_find(c, payload);
	}
	put_right(c, tags, m);
}

static void edit_text(struct contents *c, const struct edit *e)
{
	struct member *m = (struct member *)(uintptr_t)must_find(c, e->change);
	char *at = memmem(m->data, m->len, e->from, strlen(e->from));

	assert_non_null(at);
	assert_int_equal(strlen(e->from), strlen(e->to));
	memcpy(at, e->to, strlen(e->to));
	sum_member(m);
	if (e->sums512) {
		put_right_in(c, M512, T512, m);
		/* which the others list */
		if (is_payload(m->path))
			put_right(c, "tagmanifest-sha256.txt",
			    must_find(c, M512));
	}
	if (e->sums)
		put_right_in(c, "manifest-sha256.txt",
		    "tagmanifest-sha256.txt", m);
	if (e->sums && e->sums512 && is_payload(m->path))
		put_right(c, T512, must_find(c, "manifest-sha256.txt"));
}

static void write_edited(const char *file, const struct contents *c,
    const struct edit *e)
{
	struct archive *a = archive_write_new();
	size_t i;

	archive_write_set_format_pax_restricted(a);
	archive_write_set_bytes_in_last_block(a, 1);
	assert_int_equal(archive_write_open_filename(a, file), ARCHIVE_OK);
	for (i = 0; i < c->n; i++) {
		const struct member *m = &c->v[i];

		if (e->add != NULL && strcmp(m->path, e->before) == 0)
			write_member(a, c->base, e->add, "added", 5, NULL,
			    false);
		if (e->drop != NULL && strcmp(m->path, e->drop) == 0)
			continue;
		write_member(a, c->base, m->path, m->data, m->len, m,
		    e->type != NULL && strcmp(m->path, e->type) == 0);
		if (e->twice != NULL && strcmp(m->path, e->twice) == 0)
			write_member(a, c->base, m->path, m->data, m->len, m,
			    false);
	}
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
}

#define Q "data/queue/"
#define MSG Q "deferred/BBBBB2222"

struct told_edit {
	struct edit edit;
	const char *told; /* in this order */
};

static const struct told_edit edits[] = {
    {{.change = NULL}, ""},
    {{.drop = MSG}, "missing " MSG ";missing " MSG ";count bag-info.txt;"
	"count metadata/case.json;count metadata/case.json;"
	"table metadata/messages.jsonl;row metadata/recipients.jsonl;"},
    {{.drop = "README.txt"}, "missing README.txt;missing README.txt;"},
    {{.drop = "metadata/case.json"},
	"missing metadata/case.json;missing metadata/case.json;"},
    {{.drop = "tagmanifest-sha256.txt"}, "missing tagmanifest-sha256.txt;"},
    {{.add = Q "hold/EEEEE5555", .before = Q "hold/DDDDD4444"},
	"added " Q "hold/EEEEE5555;added " Q "hold/EEEEE5555;"
	"count bag-info.txt;count metadata/case.json;count metadata/case.json;"
	"count metadata/case.json;"},
    {{.add = "note.txt", .before = "bag-info.txt"},
	"name note.txt;added note.txt;"},
    {{.add = "metadata/note.txt", .before = "metadata/custody.jsonl"},
	"name metadata/note.txt;added metadata/note.txt;"},
    {{.add = M512, .before = "tagmanifest-sha256.txt"},
	"added " M512 ";structure " M512 ";"},
    {{.twice = "tagmanifest-sha256.txt"}, "added tagmanifest-sha256.txt;"},
    {{.add = "signatures/x", .before = "tagmanifest-sha256.txt"},
	"name signatures/x;added signatures/x;"},
    {{.add = "../x", .before = "bag-info.txt"}, "name ;"},
    {{.twice = "README.txt"}, "added README.txt;"},
    {{.type = "README.txt"}, "type README.txt;missing README.txt;"
	"missing README.txt;"},
    {{.change = MSG, .from = "text", .to = "tent"},
	"altered " MSG ";altered " MSG ";row " MSG ";row " MSG ";"},
    /* a forger who knows sums, and not that the table has them, too */
    {{.change = MSG, .from = "text", .to = "tent", .sums = true},
	"altered " MSG ";custody metadata/custody.jsonl;row " MSG ";row " MSG ";"},
    /* no event any more, and the next one does not follow that */
    {{.change = "metadata/custody.jsonl", .from = "\"actor\"", .to = "\"agent\"",
	.sums = true},
	"custody metadata/custody.jsonl;custody metadata/custody.jsonl;"},
    /* the first line follows none; the second one follows another first */
    {{.change = "metadata/custody.jsonl", .from = "\"prev\":null",
	.to = "\"prev\":\"ab\"", .sums = true},
	"custody metadata/custody.jsonl;custody metadata/custody.jsonl;"},
    {{.change = "metadata/custody.jsonl", .from = "\"seq\":2", .to = "\"seq\":3",
	.sums = true}, "custody metadata/custody.jsonl;"},
    {{.change = "metadata/messages.jsonl", .from = "a@example", .to = "b@example"},
	"altered metadata/messages.jsonl;row " MSG ";"},
    {{.change = "metadata/messages.jsonl", .from = "a@example",
	.to = "b@example", .sums = true}, "row " MSG ";"},
    {{.change = "metadata/messages.jsonl", .from = "\"rcpt_todo\":2",
	.to = "\"rcpt_todo\":1", .sums = true}, "row " MSG ";"},
    {{.change = "metadata/messages.jsonl", .from = "\"body_simhash\"",
	.to = "\"body_simhush\"", .sums = true},
	"table metadata/messages.jsonl;row " MSG ";"},
    {{.change = "metadata/messages.jsonl", .from = "\"mailer\"",
	.to = "\"sender\"", .sums = true},
	"table metadata/messages.jsonl;row " MSG ";"},
    {{.change = "metadata/messages.jsonl", .from = "\"nlink\"",
	.to = "\"nlonk\"", .sums = true},
	"table metadata/messages.jsonl;table metadata/messages.jsonl;"},
    {{.change = "metadata/messages.jsonl", .from = "\"kind\"",
	.to = "\"kinx\"", .sums = true},
	"table metadata/messages.jsonl;added " Q "defer/BBBBB2222;added " MSG
	";count metadata/case.json;count metadata/case.json;"
	"table metadata/messages.jsonl;table metadata/messages.jsonl;"},
    {{.change = "metadata/recipients.jsonl", .from = "\"offset\"",
	.to = "\"notify\"", .sums = true},
	"table metadata/recipients.jsonl;table metadata/recipients.jsonl;"
	"row metadata/recipients.jsonl;"},
    {{.change = "metadata/messages.jsonl", .from = "\"urls\":[]",
	.to = "\"urls\":{}", .sums = true}, "row " MSG ";"},
    {{.change = "metadata/messages.jsonl", .from = "{", .to = "[",
	.sums = true},
	"table metadata/messages.jsonl;added " Q "defer/BBBBB2222;added " MSG
	";count metadata/case.json;count metadata/case.json;"
	"table metadata/messages.jsonl;"},
    {{.change = "metadata/recipients.jsonl", .from = "rcpt0", .to = "rcpt9",
	.sums = true}, "row metadata/recipients.jsonl;"},
    {{.change = "bagit.txt", .from = "1.0", .to = "0.9", .sums = true},
	"structure bagit.txt;"},
    {{.change = "metadata/case.json", .from = "\"messages\": 2",
	.to = "\"messages\": 3", .sums = true}, "count metadata/case.json;"},
    {{.change = "metadata/case.json", .from = "\"deferred\": 1",
	.to = "\"incoming\": 1", .sums = true}, "count metadata/case.json;"},
};

static void check_edit(const char *file, const char *edited,
    const struct told_edit *e, size_t number)
{
	struct contents *c = read_archive(file);
	struct told t;

	if (e->edit.change != NULL)
		edit_text(c, &e->edit);
	write_edited(edited, c, &e->edit);
	(void)verify(edited, &t);
	if (strcmp(t.text, e->told) != 0)
		fail_msg("edit %zu: %s instead of %s (%s)", number, t.text,
		    e->told, t.last);
	free_contents(c);
}

static void what_is_wrong_is_told_by_name(void **state)
{
	const char *file = make(*state, "out/a.tar");
	const char *edited = at(*state, "out/b.tar");
	size_t i;

	for (i = 0; i < sizeof edits / sizeof edits[0]; i++)
		check_edit(file, edited, &edits[i], i);
}

#define SHOWQ "data/context/showq.jsonl"
#define FORGED "custody metadata/custody.jsonl;"

static const struct told_edit showq_edits[] = {
    {{.change = NULL}, ""},
    {{.change = SHOWQ, .from = "BBBBB2222", .to = "CCCCC2222"},
	"altered " SHOWQ ";"},
    {{.change = SHOWQ, .from = "{\"queue_name\": \"hold", .to =
	"[\"queue_name\": \"hold", .sums = true}, "table " SHOWQ ";" FORGED},
    {{.change = SHOWQ, .from = "\"queue_name\": \"hold", .to =
	"\"queue_nome\": \"hold", .sums = true}, "table " SHOWQ ";" FORGED},
    {{.change = SHOWQ, .from = "\"queue_id\": \"BB", .to =
	"\"queue_ix\": \"BB", .sums = true}, "table " SHOWQ ";" FORGED},
    {{.change = SHOWQ, .from = "\"queue_id\": \"BBBBB2222\"", .to =
	"\"queue_id\": 12345678901", .sums = true}, "table " SHOWQ ";" FORGED},
    /* two lines that became one are none, and are counted */
    {{.change = SHOWQ, .from = "\n", .to = " ", .sums = true},
	"table " SHOWQ ";count metadata/case.json;" FORGED},
    /* what is in it else is Postfix's word */
    {{.change = SHOWQ, .from = "\"sender\": \"a@", .to =
	"\"sonder\": \"z@", .sums = true}, FORGED},
    {{.change = "metadata/case.json", .from = "\"showq_messages\": 3",
	.to = "\"showq_messages\": 4", .sums = true},
	"count metadata/case.json;"},
    {{.change = "metadata/case.json", .from = "\"showq_messages\"",
	.to = "\"showq_massages\"", .sums = true},
	"count metadata/case.json;"},
    {{.drop = SHOWQ}, "missing " SHOWQ ";count bag-info.txt;"
	"count metadata/case.json;count metadata/case.json;"
	"count metadata/case.json;"},
    {{.twice = SHOWQ}, "added " SHOWQ ";count bag-info.txt;"
	"count metadata/case.json;count metadata/case.json;"},
};

/* Bytes of mail as they are, all forms of JSON, no line feed at the end. */
static const char showq_script[] =
    "printf '%s\\n' '{\"queue_name\": \"deferred\", "
    "\"queue_id\": \"BBBBB2222\", \"sender\": \"a@example.com\", "
    "\"recipients\": [{\"address\": \"caf\\u00e9@x\"}]}'\n"
    "printf '{\"queue_id\":\"X\",\"sender\":\"\\351\\377\",\"queue_name\":\"active\"}\\n'\n"
    "printf '%s' '{\"queue_name\": \"hold\", \"queue_id\": \"DDDDD4444\"}'";

static void what_postfix_said_is_looked_at(void **state)
{
	const char *edited = at(*state, "out/b.tar"), *file;
	struct qt_showq *q = NULL;
	struct qt_error err = {0};
	struct told t;
	size_t i;

	if (take_showq(*state, &q, showq_script, (struct qt_showq_opts){0},
		&err) != 0)
		fail_msg("%s: %s", err.where, err.text);
	file = make_with(*state, "out/a.tar", q, false);
	qt_showq_free(q);
	assert_int_equal(verify(file, &t), 0);
	for (i = 0; i < sizeof showq_edits / sizeof showq_edits[0]; i++)
		check_edit(file, edited, &showq_edits[i], i);
}

static void the_line_that_is_wrong_is_named(void **state)
{
	const struct edit e = {.change = SHOWQ,
	    .from = "{\"queue_name\": \"hold", .to = "?\"queue_name\": \"hold"};
	const char *edited = at(*state, "out/b.tar"), *file;
	struct qt_showq *q = NULL;
	struct qt_error err = {0};
	struct contents *c;
	struct told t;

	assert_int_equal(take_showq(*state, &q, showq_script,
	    (struct qt_showq_opts){0}, &err), 0);
	file = make_with(*state, "out/a.tar", q, false);
	qt_showq_free(q);
	c = read_archive(file);
	edit_text(c, &e);
	write_edited(edited, c, &e);
	(void)verify(edited, &t);
	free_contents(c);
	assert_string_equal(t.table, "line 3 is no JSON object");
	assert_int_equal(t.table_line, 3);
}

/* With lists by SHA-512. */
static const struct told_edit edits_512[] = {
    {{.change = NULL}, ""},
    {{.drop = M512}, "missing " M512 ";missing " M512 ";missing " M512 ";"},
    {{.drop = T512}, "missing " T512 ";"},
    {{.twice = T512}, "added " T512 ";"},
    {{.twice = M512}, "added " M512 ";added " M512 ";"},
    /* nobody says that they are there, so they are not looked at, but named */
    {{.drop = "README.txt"}, "missing README.txt;missing README.txt;structure " M512
	";structure " T512 ";"},
    {{.change = "README.txt", .from = "\n  manifest-sha512.txt ",
	.to = "\n  manifest-sha513.txt ", .sums = true, .sums512 = true},
	"structure " M512 ";structure " T512 ";"},
    {{.add = Q "hold/EEEEE5555", .before = Q "hold/DDDDD4444"},
	"added " Q "hold/EEEEE5555;added " Q "hold/EEEEE5555;"
	"added " Q "hold/EEEEE5555;"
	"count bag-info.txt;count metadata/case.json;count metadata/case.json;"
	"count metadata/case.json;"},
    {{.add = "note.txt", .before = "bag-info.txt"},
	"name note.txt;added note.txt;added note.txt;"},
    /* a forger who sees to one algorithm alone, to the other, and to both */
    {{.change = MSG, .from = "text", .to = "tent", .sums = true},
	"altered " MSG ";altered manifest-sha256.txt;altered " MSG
	";custody metadata/custody.jsonl;row " MSG ";row " MSG ";"},
    {{.change = MSG, .from = "text", .to = "tent", .sums512 = true},
	"altered " MSG ";altered " MSG
	";custody metadata/custody.jsonl;row " MSG ";row " MSG ";"},
    {{.change = MSG, .from = "text", .to = "tent", .sums = true,
	.sums512 = true}, "altered " MSG ";custody metadata/custody.jsonl;"
	"custody metadata/custody.jsonl;row " MSG ";row " MSG ";"},
    {{.change = M512, .from = "  " MSG, .to = ". " MSG, .sums = true,
	.sums512 = true}, "structure " M512 ";added " MSG
	";custody metadata/custody.jsonl;"},
    {{.change = T512, .from = "  bag-info", .to = "  big-info"},
	"added bag-info.txt;missing big-info.txt;"},
};

static void lists_by_sha512_are_looked_at(void **state)
{
	const char *file = make_with(*state, "out/a.tar", NULL, true);
	const char *edited = at(*state, "out/b.tar");
	size_t i;

	for (i = 0; i < sizeof edits_512 / sizeof edits_512[0]; i++)
		check_edit(file, edited, &edits_512[i], i);
}

static void one_that_is_cut_off_is_damaged(void **state)
{
	const char *file = make(*state, "out/a.tar");
	struct told t;
	struct stat st;
	off_t n;

	assert_int_equal(stat(file, &st), 0);
	for (n = st.st_size - 1; n > 0; n -= 997) {
		assert_int_equal(truncate(file, n), 0);
		assert_true(verify(file, &t) != 0);
	}
	assert_non_null(strstr(t.text, "damaged ;"));
}

static void what_is_no_archive_is_told(void **state)
{
	static const char *const texts[] = {"", "x", "no tar archive at all",
	    "\x28\xb5\x2f\xfd", "\x1f\x8b"};
	const char *file = at(*state, "out/x.tar");
	struct told t;
	size_t i;

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		write_file(file, texts[i], strlen(texts[i]));
		assert_true(verify(file, &t) != 0);
		assert_non_null(strstr(t.text, "damaged ;"));
	}
}

static void what_cannot_be_read_is_an_error(void **state)
{
	const struct qt_verify_opts opts = {.tmp_dir = "/dev/shm"};
	struct qt_verify_result r;
	struct qt_error err = {0};

	assert_int_equal(qt_verify_archive(&r, at(*state, "out/none"), &opts,
	    &err), -1);
	assert_int_equal(err.sys, ENOENT);
	assert_int_equal(qt_verify_archive(&r, at(*state, "out"), &opts, &err),
	    -1);
}

static void no_more_is_told_than_wanted(void **state)
{
	struct told t = {.text = ""};
	const struct qt_verify_opts opts = {.report = on_problem,
	    .report_ctx = &t, .max_reports = 2, .tmp_dir = "/dev/shm",
	    .memory = 64};
	const struct edit e = {.drop = MSG};
	const char *edited;
	struct qt_verify_result r;
	struct qt_error err = {0};
	struct contents *c = read_archive(make(*state, "out/a.tar"));

	edited = at(*state, "out/b.tar");
	write_edited(edited, c, &e);
	free_contents(c);
	assert_int_equal(qt_verify_archive(&r, edited, &opts, &err), 0);
	assert_string_equal(t.text, "missing " MSG ";missing " MSG ";");
	assert_int_equal(r.problems, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_bit_of_a_tar_is_covered),
	    TEST(every_bit_of_lists_by_sha512_is_covered),
	    TEST(every_bit_of_a_zst_that_means_anything_is_covered),
	    TEST(its_sum_beside_it_covers_all),
	    TEST(what_is_wrong_is_told_by_name),
	    TEST(what_postfix_said_is_looked_at),
	    TEST(the_line_that_is_wrong_is_named),
	    TEST(lists_by_sha512_are_looked_at),
	    TEST(one_that_is_cut_off_is_damaged),
	    TEST(what_is_no_archive_is_told),
	    TEST(what_cannot_be_read_is_an_error),
	    TEST(no_more_is_told_than_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
