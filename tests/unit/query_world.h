/*
 * query_world.h - a small queue for the tests of the query layer, and the
 * answers to SQL over it as text.
 */
#ifndef TESTS_QUERY_WORLD_H
#define TESTS_QUERY_WORLD_H

#include "tools/fixture.h"

#include <ftw.h>
#include <setjmp.h>

#include <cmocka.h>

#include "qtool/select.h"

#define WORLD_NOW 1700010000 /* what age() counts from */

struct world {
	char dir[64]; /* the queue directory */
	struct qt_spools spools;
	struct qt_db *db;
	volatile sig_atomic_t stop;
	struct qt_buf out; /* the last answer */
	struct qt_error err;
};

/* Fixtures; text starts with the directives (see fixtures/README.md). */
#define WORLD_HEAD "\nC auto\nT 1700000000 250000\nA create_time=1700000001\n"
#define WORLD_CLIENT(a) "A log_client_name=mail.client.example\n" \
	"A log_client_address=" a "\nA log_client_port=40112\n" \
	"A log_helo_name=pc\nA log_protocol_name=ESMTP\n" \
	"A client_name=mail.client.example\nA client_address=" a "\n" \
	"A client_port=40112\nA server_address=192.0.2.1\n"
#define WORLD_TAIL "X\nE\n"

static const char *const world_fixtures[] = {
	/* a login, its own domain, two recipients, one of them deferred */
	"# honest\nid AAAAA1\nqueue deferred\n" WORLD_HEAD
	"A sasl_method=PLAIN\nA sasl_username=Joe@Example.com\n"
	"S joe@example.COM\n" WORLD_CLIENT("198.51.100.7")
	"O bob@other.example\n@bob\nR bob@other.example\n"
	"O eve@B\xc3\xbc" "cher.example\nR eve@B\xc3\xbc" "cher.example\n"
	"O al@other.example\nD al@other.example\n"
	"M\nN Received: from pc\nN \tby here\n"
	"N From: \"Doe, J.\" (x) <joe@example.com>\n"
	"N Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= an alle\n"
	"N Message-ID: <1@x>\nN X-Mailer: Mutt\n"
	"N Reply-To: back@example.net, b@x\n"
	"N Content-Type: text/plain\nN\nN Buy pills now\n" WORLD_TAIL
	"defer rcpt=bob@other.example offset=@bob status=4.4.1 action=delayed "
	"reason=connect timed out\n",
	/* the same login, somebody else's domain */
	"# forged\nid AAAAA2\nqueue hold\n" WORLD_HEAD
	"A sasl_method=LOGIN\nA sasl_username=joe@example.com\n"
	"S ceo@bank.example\n" WORLD_CLIENT("2001:db8::7")
	"O x@a.example\nR x@a.example\nM\nN Subject: win\nN\nN text\n"
	WORLD_TAIL,
	/* a login without a domain, the sender's local part */
	"# plain login\nid AAAAA3\nqueue hold\n" WORLD_HEAD
	"A sasl_username=ann\nS Ann@any.example\n" WORLD_CLIENT("198.51.100.8")
	"O x@a.example\nR x@a.example\nM\nN\n" WORLD_TAIL,
	/* null sender: Postfix's own report */
	"# report\nid AAAAA4\nqueue active\n" WORLD_HEAD
	"A log_message_origin=local\nS\nO ceo@bank.example\nR ceo@bank.example\n"
	"M\nN Subject: Undelivered\nN Content-Type: multipart/report;\n"
	"N   boundary=\"b\"\nN\nN X-Postfix-Queue-ID: FAKE1\nN --b\n"
	"N Content-Type: text/plain\nN\nN X-Postfix-Queue-ID: FAKE2\nN\nN --b\n"
	"N Content-Type: message/delivery-status\nN\n"
	"N Reporting-MTA: dns; h\nN X-Postfix-Queue-ID: AAAAA2\n"
	"N X-Postfix-Sender: rfc822; ceo@bank.example\nN\n"
	"N X-Postfix-Queue-ID: FAKE3\nN --b--\n" WORLD_TAIL,
	/* back from a content filter */
	"# reinjected\nid AAAAA5\nqueue incoming\n" WORLD_HEAD
	"A log_ident=AAAAA2\nS ceo@bank.example\n"
	"A log_client_name=localhost\nA log_client_address=127.0.0.1\n"
	"A client_address=127.0.0.1\nO x@a.example\nR x@a.example\nM\nN\n"
	WORLD_TAIL,
	/* submitted here */
	"# local\nid AAAAA6\nqueue incoming\n" WORLD_HEAD
	"F root\nS root@host.example\nO x@a.example\nR x@a.example\nM\nN\n"
	WORLD_TAIL,
	/* from another server; the HELO name has a wild byte and a NUL */
	"# relayed\nid AAAAA7\nqueue incoming\nmode 0710\n" WORLD_HEAD
	"A log_ident=AAAAA7\nS \"a b\"@far.example\n"
	"A log_client_address=203.0.113.9\nA client_address=203.0.113.9\n"
	"A log_helo_name=h\\xffx\\0y\nO user@x.y.co.uk\nR user@x.y.co.uk\n"
	"O nodomain\nR nodomain\nM\nN Subject: relayed\nN\n" WORLD_TAIL,
	/* nothing that qmgr would take */
	"# corrupt\nid AAAAA8\nqueue deferred\nexpect corrupt\n" WORLD_HEAD
	"A noequals\nS x@y.example\nO a@b.example\nR a@b.example\nM\nN\n"
	WORLD_TAIL,
	/* no message at all */
	"# link\nid AAAAA9\nqueue deferred\nkind symlink /etc/passwd\n"
	"expect foreign\n\n",
	"# bad name\nid bad.name\\xff\nqueue hold\nexpect foreign\n" WORLD_HEAD
	"S x@y.example\nO a@b.example\nR a@b.example\nM\nN\n" WORLD_TAIL,
};
#define WORLD_FILES (sizeof world_fixtures / sizeof world_fixtures[0])

static inline void world_must(int r, const struct qt_error *err)
{
	if (r != 0)
		fail_msg("%s: %s", err->where, err->text);
}

static inline void world_add(const struct place *p, const char *text)
{
	struct qt_error err = {0};
	struct fixture *f = malloc(sizeof *f);
	char id[PLACE_ID_SIZE];

	assert_non_null(f);
	fixture_init(f);
	world_must(fixture_read(f, text, text, strlen(text), &err), &err);
	world_must(fixture_place(f, p, id, &err), &err);
	fixture_release(f);
	free(f);
}

static inline void world_open_db(struct world *w, unsigned jobs)
{
	struct qt_db_opts opts = {.jobs = jobs, .stop = &w->stop,
	    .now = WORLD_NOW};

	world_must(qt_db_open(&w->db, &w->spools, &opts, &w->err), &w->err);
}

static inline int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct qt_error err = {0};
	struct place p;
	size_t i;

	if (w == NULL)
		return -1;
	(void)snprintf(w->dir, sizeof w->dir, "/tmp/qtool-query.XXXXXX");
	if (mkdtemp(w->dir) == NULL)
		return -1;
	world_must(place_open(&p, w->dir, NULL, 1, &err), &err);
	for (i = 0; i < WORLD_FILES; i++)
		world_add(&p, world_fixtures[i]);
	place_close(&p);
	qt_spools_init(&w->spools);
	world_must(qt_spools_add_dir(&w->spools, w->dir, &err), &err);
	qt_buf_init(&w->out, 0);
	world_open_db(w, 0);
	*state = w;
	return 0;
}

static inline int world_remove(const char *path, const struct stat *st,
    int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;

	qt_db_close(w->db);
	qt_spools_release(&w->spools);
	qt_buf_release(&w->out);
	(void)nftw(w->dir, world_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

static inline void world_value(struct world *w, const struct qt_stmt *st, int i)
{
	size_t len;
	const char *s = qt_stmt_text(st, i, &len);

	if (i > 0)
		qt_buf_addc(&w->out, '|');
	if (qt_stmt_type(st, i) == QT_COL_NULL)
		qt_buf_adds(&w->out, "NULL");
	else
		qt_buf_add(&w->out, s, len);
}

/*
 * Rows of a statement: columns by '|', rows by newlines (none at the end).
 * The step's last result; w->err is filled when negative.
 */
static inline int world_run(struct world *w, const char *sql,
    const struct qt_bind *binds, size_t nbinds)
{
	struct qt_stmt *st = NULL;
	int i, r;

	qt_buf_clear(&w->out);
	w->err = (struct qt_error){0};
	r = qt_stmt_open(&st, w->db, sql, binds, nbinds, &w->err);
	if (r != 0)
		return r;
	while ((r = qt_stmt_step(st, &w->err)) == 0) {
		if (w->out.len != 0)
			qt_buf_addc(&w->out, '\n');
		for (i = 0; i < qt_stmt_ncol(st); i++)
			world_value(w, st, i);
	}
	qt_stmt_close(st);
	return r;
}

static inline const char *world_ask(struct world *w, const char *sql)
{
	int r = world_run(w, sql, NULL, 0);

	if (r != 1)
		fail_msg("%s\n%s: %s", sql, w->err.where, w->err.text);
	return qt_buf_str(&w->out);
}

#endif
