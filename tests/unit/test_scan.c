/*
 * test_scan - every entry one row with its state; the same rows at any number
 * of workers; what is dear is read only when asked for.
 */
#include "unit/scan_world.h"

#include <stdatomic.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* ---- every entry one row ---- */

static void make_socket(const struct sandbox *b, const char *rel)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(sun.sun_path, sizeof sun.sun_path, "%s/%s", b->dir, rel);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof sun), 0);
	(void)close(fd);
}

static void fill_hostile(const struct sandbox *b)
{
	char path[256];

	box_mkdir(b, "deferred/A");
	box_mkdir(b, "deferred/B");
	box_plain(b, "deferred/A/A1234567");
	box_plain(b, "deferred/B/A2345678"); /* wrong directory */
	box_plain(b, "deferred/C1234567");   /* none */
	box_file(b, "hold/D1234567", "garbage", 7, 0700);
	box_file(b, "hold/D2345678", "", 0, 0700);
	box_file(b, "incoming/E1234567", "", 0, 0600);
	box_file(b, "incoming/12345.678", "", 0, 0600);
	box_file(b, "active/X", "", 0, 0700); /* one character */
	box_file(b, "active/bad-name", "", 0, 0700);
	box_mkdir(b, "active/olddir");
	box_path(b, "maildrop/F1234567", path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	box_path(b, "maildrop/F2345678", path);
	assert_int_equal(mkfifo(path, 0700), 0);
	make_socket(b, "maildrop/F3456789");
	box_file(b, "corrupt/G1234567", "garbage", 7, 0700);
	box_file(b, "hold/H1234567", "", 0, 0400);
}

struct state_case {
	const char *path;
	enum qt_state state;
	const char *error; /* part of the sentence, NULL none */
};

static const struct state_case state_cases[] = {
    {"maildrop/F1234567", QT_STATE_FOREIGN, "symbolic link"},
    {"maildrop/F2345678", QT_STATE_FOREIGN, "FIFO"},
    {"maildrop/F3456789", QT_STATE_FOREIGN, "socket"},
    {"active/X", QT_STATE_FOREIGN, "one-character name"},
    {"active/bad-name", QT_STATE_FOREIGN, "no queue ID"},
    {"active/olddir", QT_STATE_FOREIGN, "directory"},
    {"incoming/E1234567", QT_STATE_UNFINISHED, "still being written"},
    {"incoming/12345.678", QT_STATE_FOREIGN, "no queue ID"},
    {"deferred/A/A1234567", QT_STATE_OK, NULL},
    {"deferred/B/A2345678", QT_STATE_MISPLACED, "deferred/A"},
    {"deferred/C1234567", QT_STATE_MISPLACED, "deferred/C"},
    {"hold/D1234567", QT_STATE_CORRUPT, ""},
    {"hold/D2345678", QT_STATE_CORRUPT, ""},
    {"hold/H1234567", QT_STATE_CORRUPT, "delivery agent"},
    {"corrupt/G1234567", QT_STATE_CORRUPT, ""},
};
#define NSTATES (sizeof state_cases / sizeof state_cases[0])

static void check_state(const struct qt_row *row, unsigned seen[NSTATES])
{
	for (size_t i = 0; i < NSTATES; i++) {
		const struct state_case *c = &state_cases[i];

		if (strcmp(row->path, c->path) != 0)
			continue;
		seen[i]++;
		if (row->state != c->state)
			fail_msg("%s is %s", row->path,
			    qt_state_name(row->state));
		if (c->error == NULL)
			assert_null(row->error);
		else if (row->error == NULL ||
		    strstr(row->error, c->error) == NULL)
			fail_msg("%s: %s", row->path,
			    row->error != NULL ? row->error : "no error");
		assert_string_equal(row->id, strrchr(c->path, '/') + 1);
		return;
	}
	fail_msg("a row for %s", row->path);
}

static void hostile_entries_are_one_row_each(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	unsigned seen[NSTATES] = {0};
	struct qt_scan *s;
	struct qt_row *row;
	struct qt_error err;
	const struct qt_scan_stats *st;

	fill_hostile(&w->box);
	add_spool(w);
	w->spools.v[0]->depth[QT_Q_DEFERRED] = 1;
	assert_int_equal(qt_scan_open(&s, &w->spools, &o, &err), 0);
	while (qt_scan_next(s, &row, &err) == 0) {
		check_state(row, seen);
		qt_scan_recycle(s, row);
	}
	for (size_t i = 0; i < NSTATES; i++)
		if (seen[i] != 1)
			fail_msg("%s: %u rows", state_cases[i].path, seen[i]);
	st = qt_scan_stats(s);
	assert_int_equal(st->rows, NSTATES);
	assert_int_equal(st->by_state[QT_STATE_OK], 1);
	assert_int_equal(st->by_state[QT_STATE_FOREIGN], 7);
	/* neither the unfinished one nor what lies in corrupt */
	assert_int_equal(st->bad, 7 + 2 + 3);
	assert_int_equal(st->unreadable, 0);
	assert_int_equal(st->vanished, 0);
	qt_scan_close(s);
}

static void nothing_but_names_opens_no_file(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = 0};
	char path[256];

	/* a file that could not be opened even by root is still counted */
	box_file(&w->box, "hold/A1234567", "", 0, 0);
	box_path(&w->box, "saved/B1234567", path);
	assert_int_equal(symlink("nowhere", path), 0);
	add_spool(w);
	expect_scan(w, &o, "hold/A1234567 ok\nsaved/B1234567 foreign\n");
}

static void queues_are_chosen_by_mask(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_MSG,
	    .queues = QT_Q_BIT(QT_Q_HOLD) | QT_Q_BIT(QT_Q_ACTIVE)};

	box_plain(&w->box, "hold/A1234567");
	box_plain(&w->box, "active/B1234567");
	box_plain(&w->box, "deferred/C1234567");
	add_spool(w);
	expect_scan(w, &o, "active/B1234567 ok\nhold/A1234567 ok\n");
}

static void deep_directories_are_walked(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	char deep[80] = "hold/A", rel[256];

	box_mkdir(&w->box, "deferred/A/1/_");
	box_plain(&w->box, "deferred/A/1/_/A1234567");
	while (strlen(deep) < sizeof "hold/A" + 2 * 20)
		(void)strcat(deep, "/A");
	box_mkdir(&w->box, deep);
	(void)snprintf(rel, sizeof rel, "%s/B1234567", deep);
	box_plain(&w->box, rel);
	add_spool(w);
	w->spools.v[0]->depth[QT_Q_DEFERRED] = 1;
	expect_scan(w, &o,
	    "deferred/A/1/_/A1234567 misplaced\n"
	    "hold/A/A/A/A/A/A/A/A/A/A/A/A/A/A/A/A/A foreign\n");
}

/* ---- order and workers ---- */

static void note_all(struct result *r, const struct qt_row *row)
{
	qt_buf_addf(&r->text, "%s %s %s %lld %s %zu %s %lld\n", row->path,
	    qt_state_name(row->state), row->error != NULL ? row->error : "-",
	    (long long)row->error_offset,
	    row->msg.sasl_username != NULL ? row->msg.sasl_username : "-",
	    row->msg.nrcpt, row->sha256, (long long)row->file_size);
	for (size_t i = 0; i < row->headers.n; i++)
		qt_buf_addf(&r->text, " %s:%s\n", row->headers.v[i].name,
		    row->headers.v[i].value);
	qt_buf_addf(&r->text, " %zu %s\n", row->body_len,
	    row->body != NULL ? row->body : "-");
}

static void workers_do_not_change_the_result(void **state)
{
	static const unsigned jobs[] = {1, 2, 8, 32, 200};
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_MSG | QT_WANT_RCPTS |
		QT_WANT_HEADERS | QT_WANT_BODY | QT_WANT_HASH | QT_WANT_LOGS | QT_WANT_BOUNCES |
		QT_WANT_LOCKS};
	struct result first, r;

	fill_many(w, 700);
	add_spool(w);
	o.jobs = jobs[0];
	scan_into(w, &o, &first, note_all);
	assert_int_equal(first.stats.rows, 700);
	for (size_t i = 1; i < sizeof jobs / sizeof jobs[0]; i++) {
		o.jobs = jobs[i];
		scan_into(w, &o, &r, note_all);
		assert_string_equal(qt_buf_str(&r.text),
		    qt_buf_str(&first.text));
		assert_memory_equal(&r.stats, &first.stats, sizeof r.stats);
		qt_buf_release(&r.text);
	}
	qt_buf_release(&first.text);
}

static void rows_are_in_sequence(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	struct qt_scan *s;
	struct qt_row *row;
	struct qt_error err;
	uint64_t next = 0;

	fill_many(w, 300);
	add_spool(w);
	assert_int_equal(qt_scan_open(&s, &w->spools, &o, &err), 0);
	for (; qt_scan_next(s, &row, &err) == 0; next++) {
		assert_int_equal(row->seq, next);
		qt_scan_recycle(s, row);
	}
	assert_int_equal(next, 300);
	qt_scan_close(s);
}

static void closing_early_is_clean(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	struct qt_scan *s;
	struct qt_row *row;
	struct qt_error err;

	fill_many(w, 500);
	add_spool(w);
	assert_int_equal(qt_scan_open(&s, &w->spools, &o, &err), 0);
	assert_int_equal(qt_scan_next(s, &row, &err), 0);
	qt_scan_close(s);
	assert_int_equal(qt_scan_open(&s, &w->spools, &o, &err), 0);
	qt_scan_close(s);
}

/* ---- the tiers ---- */

static void each_tier_is_loaded(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_HEADERS | QT_WANT_BODY |
		QT_WANT_RCPTS | QT_WANT_HASH | QT_WANT_LOGS | QT_WANT_BOUNCES};
	static const char log[] =
	    "recipient=r0@example.net\noffset=70\nreason=try later\n\n";
	static const char blog[] =
	    "recipient=r1@example.net\nstatus=5.1.1\nreason=unknown\n\n";
	const struct qt_row *row;
	struct qt_scan *s;

	box_msg(&w->box, "hold/A1234567", &(struct box_msg){.nrcpt = 3,
	    .text = "Subject: one\n two\nFrom: a@b.c\n\nline 1\n\nline 3\n"});
	box_mkdir(&w->box, "defer/A");
	box_file(&w->box, "defer/A/A1234567", log, sizeof log - 1, 0600);
	box_file(&w->box, "bounce/A1234567", blog, sizeof blog - 1, 0600);
	add_spool(w);
	row = only_row(w, &o, &s);
	assert_int_equal(row->msg.ntodo, 3);
	assert_string_equal(row->msg.rcpt[2].address, "r2@example.net");
	assert_int_equal(row->headers.n, 2);
	assert_string_equal(row->headers.v[0].value, "one two");
	assert_string_equal(row->body, "line 1\n\nline 3\n");
	assert_int_equal(row->body_len, strlen(row->body));
	assert_false(row->body_cut);
	assert_int_equal(strlen(row->sha256), 64);
	assert_int_equal(row->defer.n, 1);
	assert_string_equal(row->defer.v[0].reason, "try later");
	assert_int_equal(row->defer.v[0].offset, 70);
	assert_int_equal(row->bounce.n, 1);
	assert_string_equal(row->bounce.v[0].status, "5.1.1");
	assert_true(row->file_size > 0);
	assert_int_equal(row->nlink, 1);
	qt_scan_close(s);
}

/* Before the second log is read its directory is another one. */
static int replace_log_dir(struct qt_row *row, struct qt_finish_tmp *tmp,
    void *ctx)
{
	static const char log[] =
	    "recipient=r0@example.net\noffset=70\nreason=moved\n\n";
	const struct world *w = ctx;
	char from[256], to[256];

	(void)tmp;
	if (strcmp(row->id, "A1234567") != 0)
		return 0;
	box_path(&w->box, "defer/A", from);
	box_path(&w->box, "defer.old", to);
	(void)rename(from, to);
	box_mkdir(&w->box, "defer/A");
	box_file(&w->box, "defer/A/A2345678", log, sizeof log - 1, 0600);
	return 0;
}

static void note_reason(struct result *r, const struct qt_row *row)
{
	qt_buf_addf(&r->text, "%s %s\n", row->id,
	    row->defer.n == 1 ? row->defer.v[0].reason : "-");
}

static void log_is_found_in_a_directory_made_anew(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_LOGS, .jobs = 1,
	    .finish = replace_log_dir, .finish_ctx = w};
	static const char log[] =
	    "recipient=r0@example.net\noffset=70\nreason=first\n\n";
	struct result r;

	box_mkdir(&w->box, "deferred/A");
	box_mkdir(&w->box, "hold/B");
	box_mkdir(&w->box, "defer/A");
	box_mkdir(&w->box, "defer/B");
	box_file(&w->box, "defer/A/A1234567", log, sizeof log - 1, 0600);
	box_file(&w->box, "defer/B/B1234567", log, sizeof log - 1, 0600);
	box_plain(&w->box, "active/A1234567");
	box_plain(&w->box, "deferred/A/A2345678");
	box_plain(&w->box, "deferred/A/A3456789"); /* has none */
	box_plain(&w->box, "hold/B/B1234567");
	add_spool(w);
	scan_into(w, &o, &r, note_reason);
	assert_non_null(strstr(qt_buf_str(&r.text), "A1234567 first\n"));
	assert_non_null(strstr(qt_buf_str(&r.text), "A2345678 moved\n"));
	assert_non_null(strstr(qt_buf_str(&r.text), "A3456789 -\n"));
	assert_non_null(strstr(qt_buf_str(&r.text), "B1234567 first\n"));
	qt_buf_release(&r.text);
}

static void hash_is_of_the_files_bytes(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_HASH};
	struct qt_scan *s;

	box_file(&w->box, "hold/A1234567", "abc", 3, 0700);
	add_spool(w);
	/* FIPS 180-2, appendix B.1 */
	assert_string_equal(only_row(w, &o, &s)->sha256,
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	qt_scan_close(s);
}

/* A body far larger than any window or budget share. */
static char *long_text(size_t lines)
{
	char *text = malloc(lines * 80 + 64), *p = text;

	assert_non_null(text);
	p += sprintf(p, "Subject: long\n\n");
	for (size_t i = 0; i < lines; i++)
		p += sprintf(p, "%078zu\n", i);
	return text;
}

static void large_bodies_arrive_whole_and_in_order(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_BODY, .jobs = 8};
	char *text = long_text(40000); /* 3 MB; 60 of them exceed the budget */
	const char *body = strstr(text, "\n\n") + 2;
	char rel[64];
	struct qt_scan *s;
	struct qt_row *row;
	struct qt_error err;
	unsigned n = 0;

	for (unsigned i = 0; i < 60; i++) {
		(void)snprintf(rel, sizeof rel, "hold/A%06u", i);
		box_msg(&w->box, rel, &(struct box_msg){.text = text});
	}
	add_spool(w);
	assert_int_equal(qt_scan_open(&s, &w->spools, &o, &err), 0);
	for (; qt_scan_next(s, &row, &err) == 0; n++) {
		assert_int_equal(row->state, QT_STATE_OK);
		assert_int_equal(row->seq, n);
		assert_int_equal(row->body_len, strlen(body));
		assert_memory_equal(row->body, body, row->body_len);
		qt_scan_recycle(s, row);
	}
	assert_int_equal(n, 60);
	qt_scan_close(s);
	free(text);
}

static void maildrop_body_is_found_without_sizes(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_BODY};
	struct qt_scan *s;
	struct qfile q;
	const struct qt_row *row;

	qfile_init(&q);
	(void)qfile_recs(&q, 'T', "1700000000 5");
	(void)qfile_recs(&q, 'S', "s");
	(void)qfile_recs(&q, 'R', "r");
	qfile_message(&q);
	qfile_text(&q, "Subject: x\n\nhere\n");
	qfile_extracted(&q);
	qfile_end(&q);
	box_file(&w->box, "maildrop/A1234567", q.b.data, q.b.len, 0744);
	qfile_release(&q);
	add_spool(w);
	row = only_row(w, &o, &s);
	assert_int_equal(row->state, QT_STATE_OK);
	assert_string_equal(row->body, "here\n");
	qt_scan_close(s);
}

static void unfinished_is_read_as_far_as_it_goes(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	struct qfile q;
	struct qt_scan *s;
	const struct qt_row *row;

	box_build(&q, &(struct box_msg){.sasl = "joe"});
	box_file(&w->box, "incoming/A1234567", q.b.data, q.b.len - 20, 0600);
	qfile_release(&q);
	add_spool(w);
	row = only_row(w, &o, &s);
	assert_int_equal(row->state, QT_STATE_UNFINISHED);
	assert_string_equal(row->msg.sasl_username, "joe");
	qt_scan_close(s);
}

static void locked_is_in_delivery(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_LOCKS};
	char path[256];
	struct qt_scan *s;
	int fd;

	box_plain(&w->box, "active/A1234567");
	add_spool(w);
	assert_false(only_row(w, &o, &s)->in_delivery);
	qt_scan_close(s);
	box_path(&w->box, "active/A1234567", path);
	fd = open(path, O_RDONLY);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_true(only_row(w, &o, &s)->in_delivery);
	qt_scan_close(s);
	(void)close(fd);
}

/* ---- prefilter ---- */

static int count_finish(struct qt_row *row, struct qt_finish_tmp *tmp,
    void *ctx)
{
	(void)row;
	(void)tmp;
	(void)atomic_fetch_add((atomic_uint *)ctx, 1);
	return 0;
}

struct filter_case {
	const char *name;
	struct qt_prefilter f[2];
	size_t n;
	const char *rows;
};

static const struct filter_case filter_cases[] = {
    {"login", {{QT_PF_SASL_USERNAME, false, "joe"}}, 1, "hold/A1234567 ok\n"},
    {"case counts", {{QT_PF_SASL_USERNAME, false, "Joe"}}, 1, ""},
    {"case does not count", {{QT_PF_SASL_USERNAME, true, "JOE"}}, 1,
	"hold/A1234567 ok\n"},
    {"null sender", {{QT_PF_SENDER, false, ""}}, 1, "hold/B1234567 ok\n"},
    {"nothing matches by being absent",
	{{QT_PF_SASL_USERNAME, false, ""}}, 1, ""},
    {"client", {{QT_PF_CLIENT_ADDRESS, false, "192.0.2.1"}}, 1,
	"hold/B1234567 ok\n"},
    {"a part is not enough", {{QT_PF_CLIENT_ADDRESS, false, "192.0.2"}}, 1,
	""},
    {"both must hold", {{QT_PF_SASL_USERNAME, false, "joe"},
	 {QT_PF_SENDER, false, ""}}, 2, ""},
    {"escaped text is left to the caller",
	{{QT_PF_SASL_USERNAME, false, "j\\xFF"}}, 1,
	"hold/A1234567 ok\nhold/B1234567 ok\nhold/C1234567 corrupt\n"},
};

static void prefilter_drops_early(void **state)
{
	struct world *w = *state;
	struct result r;
	atomic_uint finished;

	box_msg(&w->box, "hold/A1234567", &(struct box_msg){.sasl = "joe"});
	box_msg(&w->box, "hold/B1234567",
	    &(struct box_msg){.sender = "", .client = "192.0.2.1"});
	box_file(&w->box, "hold/C1234567", "x", 1, 0700);
	add_spool(w);
	for (size_t i = 0; i < sizeof filter_cases / sizeof filter_cases[0];
	     i++) {
		const struct filter_case *c = &filter_cases[i];
		struct qt_scan_opts o = {.want = QT_WANT_MSG,
		    .prefilter = c->f, .nprefilter = c->n,
		    .finish = count_finish, .finish_ctx = &finished};

		atomic_store(&finished, 0);
		scan_into(w, &o, &r, note);
		if (strcmp(qt_buf_str(&r.text), c->rows) != 0 &&
		    r.stats.rows < 3)
			fail_msg("%s: %s", c->name, qt_buf_str(&r.text));
		/* what is dropped is seen all the same, and goes no further */
		assert_int_equal(r.stats.by_state[QT_STATE_OK], 2);
		assert_int_equal(r.stats.bad, 1);
		assert_int_equal(atomic_load(&finished), r.stats.rows);
		qt_buf_release(&r.text);
	}
}

/* ---- one message ---- */

struct only_case {
	const char *name, *id, *rows;
};

static const struct only_case only_cases[] = {
    {"at its place", "A1234567", "deferred/A/A1234567 ok\n"},
    {"flat in a hashed queue", "B1234567", "deferred/B1234567 misplaced\n"},
    {"hashed in a flat queue", "C1234567", "hold/C/C1234567 misplaced\n"},
    {"where nobody computes", "D1234567", "hold/Z/Y/D1234567 misplaced\n"},
    {"a link", "E1234567", "active/E1234567 foreign\n"},
    {"a name that is no queue ID", "some.file", "hold/some.file foreign\n"},
    {"one character", "Q", "hold/Q foreign\n"},
    {"nowhere", "F1234567", ""},
    {"a path", "../hold", ""},
    {"a path that exists", "A/A1234567", ""},
    {"dots", "..", ""},
    {"empty", "", ""},
};

static void one_id_is_found_where_the_walk_would(void **state)
{
	struct world *w = *state;
	char path[256];

	box_mkdir(&w->box, "deferred/A");
	box_mkdir(&w->box, "hold/C");
	box_mkdir(&w->box, "hold/Z/Y");
	box_plain(&w->box, "deferred/A/A1234567");
	box_plain(&w->box, "deferred/B1234567");
	box_plain(&w->box, "hold/C/C1234567");
	box_plain(&w->box, "hold/Z/Y/D1234567");
	box_path(&w->box, "active/E1234567", path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	box_file(&w->box, "hold/some.file", "", 0, 0600);
	box_file(&w->box, "hold/Q", "", 0, 0600);
	add_spool(w);
	w->spools.v[0]->depth[QT_Q_DEFERRED] = 1;
	w->spools.v[0]->depth[QT_Q_HOLD] = 0;
	for (size_t i = 0; i < sizeof only_cases / sizeof only_cases[0]; i++) {
		const struct only_case *c = &only_cases[i];
		struct qt_scan_opts o = {.want = QT_WANT_MSG, .only_id = c->id};
		struct result r;

		scan_into(w, &o, &r, note);
		if (strcmp(qt_buf_str(&r.text), c->rows) != 0)
			fail_msg("%s: '%s'", c->name, qt_buf_str(&r.text));
		qt_buf_release(&r.text);
	}
}

static void one_id_in_two_queues_is_two_rows(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_MSG, .only_id = "A1234567"};

	box_plain(&w->box, "active/A1234567");
	box_plain(&w->box, "hold/A1234567");
	add_spool(w);
	expect_scan(w, &o, "active/A1234567 ok\nhold/A1234567 ok\n");
}

/* ---- errors ---- */

static void links_to_one_file_are_several_rows(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	char from[256], to[256];

	box_plain(&w->box, "active/A1234567");
	box_path(&w->box, "active/A1234567", from);
	box_path(&w->box, "saved/A1234567", to);
	assert_int_equal(link(from, to), 0);
	add_spool(w);
	expect_scan(w, &o, "active/A1234567 ok\nsaved/A1234567 ok\n");
}

/* As another user, for whom the modes count; the child's exit status. */
static int as_nobody(struct world *w, int (*check)(struct world *))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 &&
		    (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(99);
		_exit(check(w));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int nothing_readable(struct world *w)
{
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	struct qt_scan *s;
	struct qt_error err;

	if (qt_scan_open(&s, &w->spools, &o, &err) == 0)
		return 1;
	return err.code == QT_E_SYS && err.sys == EACCES &&
	    strstr(err.text, "can be read") != NULL ? 0 : 2;
}

static void mode(const struct world *w, const char *rel, mode_t m)
{
	char path[256];

	box_path(&w->box, rel, path);
	assert_int_equal(chmod(path, m), 0);
}

static void no_queue_readable_is_an_error(void **state)
{
	static const char *const queues[] = {"maildrop", "active", "incoming",
	    "deferred", "hold", "corrupt", "saved"};
	struct world *w = *state;

	add_spool(w);
	mode(w, "", 0755);
	for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++)
		mode(w, queues[i], 0);
	assert_int_equal(as_nobody(w, nothing_readable), 0);
	for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++)
		mode(w, queues[i], 0700);
}

static int partly_readable(struct world *w)
{
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	struct qt_scan *s;
	struct qt_row *row;
	struct qt_error err;
	const struct qt_scan_stats *st;
	int seen = 0;

	if (qt_scan_open(&s, &w->spools, &o, &err) != 0)
		return 1;
	while (qt_scan_next(s, &row, &err) == 0) {
		if (row->error_sys != EACCES)
			return 2;
		if (strcmp(row->path, "hold/A1234567") == 0 &&
		    strstr(row->error, "cannot be read") != NULL &&
		    row->file_size > 0)
			seen |= 1;
		if (strcmp(row->path, "hold/D") == 0 &&
		    row->state == QT_STATE_FOREIGN)
			seen |= 2;
		qt_scan_recycle(s, row);
	}
	st = qt_scan_stats(s);
	/* the file, the hash directory, and the queue deferred */
	return seen == 3 && st->rows == 2 && st->unreadable == 3 &&
	    st->bad == 3 ? 0 : 3;
}

static void what_cannot_be_read_is_told(void **state)
{
	struct world *w = *state;

	box_plain(&w->box, "hold/A1234567");
	box_mkdir(&w->box, "hold/D");
	add_spool(w);
	mode(w, "", 0755);
	mode(w, "hold", 0755);
	mode(w, "hold/A1234567", 0);
	mode(w, "hold/D", 0);
	mode(w, "deferred", 0);
	for (unsigned q = 0; q < QT_Q_MESSAGES; q++)
		if (q != QT_Q_HOLD && q != QT_Q_DEFERRED)
			mode(w, qt_queue_name((enum qt_queue)q), 0755);
	assert_int_equal(as_nobody(w, partly_readable), 0);
	mode(w, "deferred", 0700);
	mode(w, "hold/D", 0700);
}

static void missing_queues_are_no_error(void **state)
{
	struct world *w = *state;
	struct qt_scan_opts o = {.want = QT_WANT_MSG};
	char path[256];

	box_plain(&w->box, "hold/A1234567");
	add_spool(w);
	box_path(&w->box, "saved", path);
	assert_int_equal(rmdir(path), 0);
	expect_scan(w, &o, "hold/A1234567 ok\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(hostile_entries_are_one_row_each),
	    T(nothing_but_names_opens_no_file), T(queues_are_chosen_by_mask),
	    T(deep_directories_are_walked),
	    T(workers_do_not_change_the_result), T(rows_are_in_sequence),
	    T(closing_early_is_clean), T(each_tier_is_loaded),
	    T(log_is_found_in_a_directory_made_anew),
	    T(hash_is_of_the_files_bytes),
	    T(large_bodies_arrive_whole_and_in_order),
	    T(maildrop_body_is_found_without_sizes),
	    T(unfinished_is_read_as_far_as_it_goes), T(locked_is_in_delivery),
	    T(prefilter_drops_early), T(one_id_is_found_where_the_walk_would),
	    T(one_id_in_two_queues_is_two_rows),
	    T(links_to_one_file_are_several_rows),
	    T(no_queue_readable_is_an_error), T(what_cannot_be_read_is_told),
	    T(missing_queues_are_no_error),
	};

	return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
