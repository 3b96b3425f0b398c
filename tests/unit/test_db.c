/*
 * test_db.c - the tables, functions and limits of SQL over a queue.
 *
 * The manual is compared with the columns, and its examples are run: from the
 * project's directory, or with QTOOL_MAN naming man/.
 */
#include "unit/query_world.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- answers ---- */

struct answer {
	const char *name, *sql, *rows;
};

static const struct answer answers[] = {
	{"every entry is a row", "SELECT count(*) FROM messages", "10"},
	{"as many rows when files are read",
	    "SELECT count(*) FROM messages WHERE coalesce(sender, '') IS NOT 1",
	    "10"},
	{"states", "SELECT queue_id, state FROM messages WHERE state <> 'ok' "
	    "ORDER BY 1", "AAAAA8|corrupt\nAAAAA9|foreign\n"
	    "bad.name\\xFF|foreign"},
	{"what is no message has a reason",
	    "SELECT count(*) FROM messages WHERE (state = 'ok') = "
	    "(error IS NULL)", "10"},
	{"class", "SELECT queue_id, class FROM messages WHERE queue_id < 'B' "
	    "ORDER BY 1", "AAAAA1|authenticated\nAAAAA2|forged\n"
	    "AAAAA3|authenticated\nAAAAA4|bounce\nAAAAA5|reinjected\n"
	    "AAAAA6|local\nAAAAA7|relayed\nAAAAA8|unknown\nAAAAA9|unknown"},
	{"domain and organisation", "SELECT sender_domain, sender_org "
	    "FROM messages WHERE queue_id = 'AAAAA1'",
	    "example.com|example.com"},
	{"null sender", "SELECT sender = '', sender_shown, sender_domain "
	    "FROM messages WHERE queue_id = 'AAAAA4'",
	    "1|MAILER-DAEMON|NULL"},
	{"sender as postqueue prints it", "SELECT sender, sender_shown "
	    "FROM messages WHERE queue_id = 'AAAAA7'",
	    "\"a b\"@far.example|\"\\\"a b\\\"\"@far.example"},
	{"bad bytes and what is after a NUL", "SELECT helo_name, odd "
	    "FROM messages WHERE queue_id = 'AAAAA7'", "h\\xFFx|nul"},
	{"times", "SELECT arrival_time, arrival_usec, create_time, "
	    "age(arrival_time) FROM messages WHERE queue_id = 'AAAAA2'",
	    "1700000000|250000|1700000001|10000"},
	{"no record of the time: the file's", "SELECT arrival_time = mtime, "
	    "arrival_usec, create_time FROM messages "
	    "WHERE queue_name = 'hold' AND state = 'foreign'", "1|NULL|NULL"},
	{"forced expiry", "SELECT queue_id FROM messages WHERE forced_expire",
	    "AAAAA7"},
	{"recipients counted", "SELECT rcpt_total, rcpt_todo, rcpt_done "
	    "FROM messages WHERE queue_id = 'AAAAA1'", "3|2|1"},
	{"recipients' domains", "SELECT rcpt_domain, rcpt_domains, todo_rcpts "
	    "FROM messages WHERE queue_id = 'AAAAA1'",
	    "NULL|[\"other.example\", \"xn--bcher-kva.example\"]|"
	    "[\"bob@other.example\", \"eve@B\xc3\xbc" "cher.example\"]"},
	{"one domain", "SELECT rcpt_domain FROM messages "
	    "WHERE queue_id = 'AAAAA2'", "a.example"},
	{"domains to do, one missing", "SELECT todo_domains FROM messages "
	    "WHERE queue_id = 'AAAAA7'", "[\"\", \"x.y.co.uk\"]"},
	{"recipients as JSON", "SELECT recipients FROM messages "
	    "WHERE queue_id = 'AAAAA1'",
	    "[{\"address\": \"bob@other.example\", \"delay_reason\": "
	    "\"connect timed out\"}, {\"address\": "
	    "\"eve@B\xc3\xbc" "cher.example\"}]"},
	{"last deferral", "SELECT delay_reason, dsn, delay_reasons "
	    "FROM messages WHERE queue_id = 'AAAAA1'",
	    "connect timed out|4.4.1|[\"connect timed out\"]"},
	{"header fields", "SELECT subject, from_addr, from_domain, reply_to, "
	    "message_id, mailer, content_type FROM messages "
	    "WHERE queue_id = 'AAAAA1'", "Gr\xc3\xbc\xc3\x9f" "e an alle|"
	    "joe@example.com|example.com|back@example.net|<1@x>|Mutt|"
	    "text/plain"},
	{"body", "SELECT body FROM messages WHERE queue_id = 'AAAAA1'",
	    "Buy pills now\n"},
	{"a report's message", "SELECT bounce_of, bounce_sender FROM messages "
	    "WHERE queue_id = 'AAAAA4'", "AAAAA2|ceo@bank.example"},
	{"the same when bodies are read anyway",
	    "SELECT bounce_of, length(body) > 0 FROM messages "
	    "WHERE queue_id = 'AAAAA4'", "AAAAA2|1"},
	{"only reports have one", "SELECT count(bounce_of) FROM messages", "1"},
	{"table recipients", "SELECT address, domain, org, orig_address, "
	    "state, delay_reason, dsn, action FROM recipients "
	    "WHERE queue_id = 'AAAAA1' ORDER BY offset",
	    "bob@other.example|other.example|other.example|bob@other.example|"
	    "todo|connect timed out|4.4.1|delayed\n"
	    "eve@B\xc3\xbc" "cher.example|xn--bcher-kva.example|"
	    "xn--bcher-kva.example|eve@B\xc3\xbc" "cher.example|todo|NULL|"
	    "NULL|NULL\nal@other.example|other.example|other.example|NULL|"
	    "done|NULL|NULL|NULL"},
	{"organisation below two labels", "SELECT org FROM recipients "
	    "WHERE queue_id = 'AAAAA7' AND domain IS NOT NULL", "y.co.uk"},
	{"table headers", "SELECT n, name, value FROM headers "
	    "WHERE queue_id = 'AAAAA1' AND n IN (1, 3)",
	    "1|Received|from pc\tby here\n"
	    "3|Subject|=?utf-8?Q?Gr=C3=BC=C3=9Fe?= an alle"},
	{"table records", "SELECT segment, type, length, data, label "
	    "FROM records WHERE queue_id = 'AAAAA6' AND type NOT IN ('C', 'A')",
	    "envelope|T|17|1700000000 250000|message_arrival_time\n"
	    "envelope|F|4|root|sender_fullname\n"
	    "envelope|S|17|root@host.example|sender\n"
	    "envelope|O|11|x@a.example|original_recipient\n"
	    "envelope|R|11|x@a.example|recipient\n"
	    "envelope|M|0||message_content\n"
	    "content|N|0||regular_text\n"
	    "extracted|X|0||extracted_info\nextracted|E|0||message_end"},
	{"records and recipients meet by offset",
	    "SELECT r.address, c.type FROM recipients AS r JOIN records AS c "
	    "USING (queue_name, queue_id, offset) WHERE r.queue_id = 'AAAAA1' "
	    "ORDER BY offset", "bob@other.example|R\n"
	    "eve@B\xc3\xbc" "cher.example|R\nal@other.example|D"},
	{"a list of IDs", "SELECT queue_id FROM messages "
	    "WHERE listed(queue_id, 'AAAAA1 NONE AAAAA4') ORDER BY 1",
	    "AAAAA1\nAAAAA4"},
	{"a list of IDs, bytes as they are shown", "SELECT queue_id "
	    "FROM messages WHERE listed(queue_id, 'bad.name\\xFF AAAAA4') "
	    "ORDER BY 1", "AAAAA4\nbad.name\\xFF"},
	{"all but a list", "SELECT count(*) FROM messages "
	    "WHERE NOT listed(queue_id, 'AAAAA1 AAAAA4')", "8"},
	{"a list or more", "SELECT queue_id FROM messages "
	    "WHERE listed(queue_id, 'AAAAA1') OR sasl_username = 'ann' "
	    "ORDER BY 1", "AAAAA1\nAAAAA3"},
	{"two lists", "SELECT queue_id FROM messages "
	    "WHERE listed(queue_id, 'AAAAA1 AAAAA4') "
	    "AND listed(queue_id, 'AAAAA4 AAAAA5')", "AAAAA4"},
	{"no list", "SELECT count(*) FROM messages "
	    "WHERE listed(queue_id, NULL)", "0"},
	{"a list made of other rows", "SELECT m.queue_id FROM messages AS b "
	    "JOIN messages AS m ON listed(m.queue_id, b.bounce_of) "
	    "WHERE b.queue_id = 'AAAAA4'", "AAAAA2"},
	{"recipients of a list", "SELECT address FROM recipients "
	    "WHERE listed(queue_id, 'AAAAA2')", "x@a.example"},
	{"join by queue ID", "SELECT b.queue_id, m.sasl_username "
	    "FROM messages AS b JOIN messages AS m ON m.queue_id = b.bounce_of",
	    "AAAAA4|joe@example.com"},
};

static void test_answer(void **state)
{
	const struct answer *a = *state;
	void *world;

	assert_int_equal(world_setup(&world), 0);
	assert_string_equal(world_ask(world, a->sql), a->rows);
	(void)world_teardown(&world);
}

/* ---- functions: one value each ---- */

static const struct answer functions[] = {
	{"regexp", "'Hello' REGEXP '(?i)^h.l'", "1"},
	{"regexp, no match", "'Hello' REGEXP 'x'", "0"},
	{"regexp of NULL", "NULL REGEXP 'x'", "NULL"},
	{"regexp sees characters", "'\xc3\xbc' REGEXP '^.$'", "1"},
	{"cidr", "cidr('41.2.3.4', '10.0.0.0/8', '41.0.0.0/8')", "1"},
	{"cidr, IPv6 prefix", "cidr('IPv6:2001:db8::1', '2001:db8::/32')", "1"},
	{"cidr, mapped", "cidr('::ffff:41.2.3.4', '41.0.0.0/8')", "1"},
	{"cidr, no address", "cidr('unknown', '0.0.0.0/0')", "0"},
	{"cidr of NULL", "cidr(NULL, '41.0.0.0/8')", "NULL"},
	{"domain", "domain('A@B@Ex.ORG.')", "ex.org"},
	{"domain, none", "domain('postmaster')", "NULL"},
	{"org", "org('a.b.co.uk')", "b.co.uk"},
	{"org of an address", "org('x@a.example.com')", "example.com"},
	{"org, suffix alone", "org('co.uk')", "NULL"},
	{"has", "has('[\"a@b\", \"C@d\"]', 'x', 'c@D')", "1"},
	{"has, not", "has('[\"a@b\"]', 'a@')", "0"},
	{"has, wildcard is a character", "has('[\"a@b\"]', '*')", "0"},
	{"has, escapes", "has('[\"\\u00fc\\\"\\ud83d\\ude00\"]', "
	    "'\xc3\xbc\"\xf0\x9f\x98\x80')", "1"},
	{"has in nothing", "has('[]', 'a')", "0"},
	{"has in NULL", "has(NULL, 'a')", "NULL"},
	{"has_glob", "has_glob('[\"a@b.example\"]', '*@B.*')", "1"},
	{"all_glob", "all_glob('[\"a@b\", \"c@d\"]', '*@b', '*@d')", "1"},
	{"all_glob, one is not", "all_glob('[\"a@b\", \"c@d\"]', '*@b')", "0"},
	{"all_glob of nothing", "all_glob('[]', '*')", "0"},
	{"any_regexp", "any_regexp('[\"timed out\", \"refused\"]', '^ref')",
	    "1"},
	{"matches", "matches('User@Example.org', '*@example.ORG')", "1"},
	{"matches whole text", "matches('xa', 'a')", "0"},
	{"matches one character", "matches('\xc3\xbc', '?')", "1"},
	{"matches, star backs up", "matches('aXbXc', '*X*Xc')", "1"},
	{"listed", "listed('A1', 'B2 A1' || char(10) || 'C3')", "1"},
	{"listed, whole IDs only", "listed('A', 'AB BA')", "0"},
	{"any_header", "any_header('A: 1' || char(10) || 'b: =?utf-8?Q?x=3Dy?='"
	    " || char(10), 'B', '^x=y$')", "1"},
	{"any_header, other field", "any_header('Ab: 1', 'A', '1')", "0"},
	{"decode", "decode('=?iso-8859-1?Q?=FC?=')", "\xc3\xbc"},
	{"age", "age(1700000000)", "10000"},
	{"count_unique", "(SELECT count_unique(x) FROM (SELECT 1 AS x UNION ALL "
	    "SELECT 1.0 UNION ALL SELECT '1' UNION ALL SELECT NULL UNION ALL "
	    "SELECT x'31' UNION ALL SELECT 1.5))", "4"},
	{"count_unique of nothing",
	    "(SELECT count_unique(1) FROM messages WHERE 0)", "0"},
	{"json subtype", "json_object('r', (SELECT todo_rcpts FROM messages "
	    "WHERE queue_id = 'AAAAA2'))", "{\"r\":[\"x@a.example\"]}"},
};

static void test_function(void **state)
{
	const struct answer *a = *state;
	char sql[1024];
	void *world;

	assert_int_equal(world_setup(&world), 0);
	(void)snprintf(sql, sizeof sql, "SELECT %s", a->sql);
	assert_string_equal(world_ask(world, sql), a->rows);
	(void)world_teardown(&world);
}

/* ---- what is refused ---- */

static const struct answer refused[] = {
	{"write", "DELETE FROM messages", "may not be modified"},
	{"create", "CREATE TABLE x(y)", "not authorized"},
	{"attach", "ATTACH '/tmp/x' AS y", "not authorized"},
	{"pragma", "PRAGMA database_list", "not authorized"},
	{"pragma as a table", "SELECT * FROM pragma_database_list",
	    "not authorized"},
	{"pragma counted", "SELECT count(*) FROM pragma_database_list",
	    "not authorized"},
	{"schema", "SELECT name FROM sqlite_master", "prohibited"},
	{"schema counted", "SELECT count(*) FROM sqlite_master", "not authorized"},
	{"transaction", "BEGIN", "not authorized"},
	{"extension", "SELECT load_extension('x')", "not authorized"},
	{"two statements", "SELECT 1; SELECT 2", "one statement"},
	{"no statement", " -- nothing", "no statement"},
	{"parameter without value", "SELECT ?1", "no values"},
	{"syntax", "SELECT FROM", "syntax error"},
	{"unknown column", "SELECT nosuch FROM messages", "no such column"},
	{"bad pattern", "SELECT 'x' REGEXP '(a'", "missing closing"},
	{"runaway pattern", "SELECT 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' "
	    "REGEXP '^(a|aa)+$'", "limit"},
	{"bad network", "SELECT cidr('1.2.3.4', '41.0.0.0/33')", "prefix"},
	{"host bits", "SELECT cidr('1.2.3.4', '41.1.0.0/8')", "41.0.0.0/8"},
	{"no array", "SELECT has('x', 'y')", "JSON array"},
	{"array of objects", "SELECT has(recipients, 'y') FROM messages "
	    "WHERE queue_id = 'AAAAA1'", "json_each"},
};

static void test_refused(void **state)
{
	const struct answer *a = *state;
	struct world *w;
	void *world;

	assert_int_equal(world_setup(&world), 0);
	w = world;
	assert_int_equal(world_run(w, a->sql, NULL, 0), -1);
	if (strstr(w->err.text, a->rows) == NULL)
		fail_msg("%s: said \"%s\", not \"%s\"", a->sql, w->err.text,
		    a->rows);
	/* and the connection goes on */
	assert_string_equal(world_ask(w, "SELECT count(*) FROM messages"), "10");
	(void)world_teardown(&world);
}

static void test_limit_names_pattern(void **state)
{
	struct world *w = *state;

	assert_int_equal(world_run(w, refused[16].sql, NULL, 0), -1);
	assert_string_equal(refused[16].name, "runaway pattern");
	assert_string_equal(w->err.where, "^(a|aa)+$");
	assert_int_equal(w->err.code, QT_E_LIBRARY);
}

/* Recursion and json tables are allowed. */
static void test_allowed(void **state)
{
	struct world *w = *state;

	assert_string_equal(world_ask(w, "WITH RECURSIVE n(i) AS (SELECT 1 "
	    "UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT count(*) FROM n"),
	    "5");
	assert_string_equal(world_ask(w, "SELECT count(*), count(d.value) "
	    "FROM messages, json_each(rcpt_domains) AS d "
	    "WHERE queue_id = 'AAAAA1'"), "2|2");
	assert_string_equal(world_ask(w, "SELECT 1 ; -- the end\n"), "1");
}

/* ---- columns ---- */

/* Each column alone has the value it has beside all others: no column leans
 * on what another one makes the scanner load. */
static void columns_alone(struct world *w, const char *table)
{
	const struct qt_column *c;
	struct qt_buf all;
	char sql[4096], *together;

	for (c = qt_db_columns(table); c->name != NULL; c++) {
		qt_buf_init(&all, 0);
		qt_buf_addf(&all, "SELECT group_concat(quote(v), ';') FROM "
		    "(SELECT queue_name, queue_id, %s AS v, *", c->name);
		for (const struct qt_column *h = qt_db_columns(table);
		     h->name != NULL; h++)
			if (h->hidden)
				qt_buf_addf(&all, ", %s", h->name);
		qt_buf_addf(&all, " FROM %s ORDER BY random() * 0 ", table);
		/* the sorter makes all columns of the inner SELECT be read */
		for (const struct qt_column *h = qt_db_columns(table);
		     h->name != NULL; h++)
			qt_buf_addf(&all, "+ length(%s) * 0", h->name);
		qt_buf_adds(&all, ")");
		together = strdup(world_ask(w, qt_buf_str(&all)));
		qt_buf_release(&all);
		(void)snprintf(sql, sizeof sql, "SELECT group_concat(quote(%s), "
		    "';') FROM %s", c->name, table);
		if (strcmp(world_ask(w, sql), together) != 0)
			fail_msg("%s.%s alone: %s\nwith all: %s", table, c->name,
			    qt_buf_str(&w->out), together);
		free(together);
	}
}

static void test_columns_alone(void **state)
{
	static const char *const tables[] = {"messages", "recipients",
	    "headers", "records"};

	for (size_t i = 0; i < COUNT(tables); i++)
		columns_alone(*state, tables[i]);
}

/* Every member of as_json is the value of the column that it is from. */
static void test_as_json(void **state)
{
	struct world *w = *state;
	const char *name, *from;
	struct qt_buf sql;
	size_t i;

	qt_buf_init(&sql, 0);
	for (i = 0; qt_db_json_member(i, &name, &from); i++) {
		qt_buf_clear(&sql);
		qt_buf_addf(&sql, "SELECT count(*), sum(as_json ->> '$.%s' IS "
		    "iif(typeof(%s) = 'text' AND json_type(as_json, '$.%s') "
		    "= 'array', json(%s), %s)) FROM messages", name, from, name,
		    from, from);
		if (strcmp(world_ask(w, qt_buf_str(&sql)), "10|10") != 0)
			fail_msg("%s, from %s: %s", name, from,
			    qt_buf_str(&w->out));
		qt_buf_clear(&sql);
		qt_buf_addf(&sql, "SELECT (SELECT key FROM json_each(as_json) "
		    "LIMIT 1 OFFSET %zu) FROM messages LIMIT 1", i);
		assert_string_equal(world_ask(w, qt_buf_str(&sql)), name);
	}
	qt_buf_release(&sql);
	assert_int_equal(strtol(world_ask(w, "SELECT count(*) FROM json_each("
	    "(SELECT as_json FROM messages LIMIT 1))"), NULL, 10), i);
	/* every column that is not hidden, but the whole contents */
	for (const struct qt_column *c = qt_db_columns("messages");
	     c->name != NULL; c++)
		i -= !c->hidden && strcmp(c->name, "body") != 0 &&
		    strcmp(c->name, "sha256") != 0;
	assert_int_equal(i, 0);
}

static void test_types(void **state)
{
	struct world *w = *state;
	struct qt_error err = {0};
	struct qt_stmt *st;
	size_t len;

	world_must(qt_stmt_open(&st, w->db, "SELECT recipients, forced_expire, "
	    "sender, json_array(1), length(sender), 1.5, NULL, x'00ff', "
	    "recipients AS r FROM messages WHERE queue_id = 'AAAAA2'", NULL, 0,
	    &err), &err);
	assert_int_equal(qt_stmt_step(st, &err), 0);
	assert_true(qt_stmt_isjson(st, 0));
	assert_true(qt_stmt_isbool(st, 1));
	assert_false(qt_stmt_isjson(st, 2));
	assert_false(qt_stmt_isbool(st, 2));
	assert_true(qt_stmt_isjson(st, 3));
	assert_int_equal(qt_stmt_type(st, 4), QT_COL_INT);
	assert_int_equal(qt_stmt_int(st, 4), 16);
	assert_int_equal(qt_stmt_type(st, 5), QT_COL_REAL);
	assert_int_equal(qt_stmt_type(st, 6), QT_COL_NULL);
	assert_int_equal(qt_stmt_type(st, 7), QT_COL_BLOB);
	assert_memory_equal(qt_stmt_text(st, 7, &len), "\x00\xff", 2);
	assert_int_equal(len, 2);
	assert_true(qt_stmt_isjson(st, 8));
	assert_string_equal(qt_stmt_colname(st, 8), "r");
	assert_int_equal(qt_stmt_step(st, &err), 1);
	qt_stmt_close(st);
}

/* ---- conditions that the scanner gets ---- */

/* The same condition in a form that cannot be handed to the scanner. */
static const struct answer pushed[] = {
	{"queue ID", "queue_id = 'AAAAA3'", "+queue_id = 'AAAAA3'"},
	{"queue IDs", "queue_id IN ('AAAAA3', 'AAAAA1', 'AAAAA3', 'x', NULL)",
	    "+queue_id IN ('AAAAA3', 'AAAAA1')"},
	{"ID of what is no message", "queue_id = 'AAAAA9'",
	    "+queue_id = 'AAAAA9'"},
	{"ID that is no ID", "queue_id = 'bad.name\\xFF'",
	    "+queue_id = 'bad.name\\xFF'"},
	{"other case", "queue_id = 'aaaaa1' COLLATE NOCASE",
	    "+queue_id = 'aaaaa1' COLLATE NOCASE"},
	{"queue", "queue_name = 'hold'", "+queue_name = 'hold'"},
	{"queues", "queue_name IN ('hold', 'active', 'nosuch')",
	    "+queue_name IN ('hold', 'active')"},
	{"no queue", "queue_name = 'nosuch'", "0"},
	{"queue and ID", "queue_name = 'hold' AND queue_id = 'AAAAA1'", "0"},
	{"login", "sasl_username = 'joe@example.com'",
	    "+sasl_username = 'joe@example.com'"},
	{"login, any case", "sasl_username = 'JOE@example.com' COLLATE NOCASE",
	    "lower(sasl_username) = 'joe@example.com'"},
	{"logins", "sasl_username IN ('ann', 'Joe@Example.com')",
	    "+sasl_username IN ('ann', 'Joe@Example.com')"},
	{"NULL equals nothing", "sasl_username = NULL", "0"},
	{"null sender", "sender = ''", "+sender = ''"},
	{"client", "client_address = '198.51.100.7'",
	    "+client_address = '198.51.100.7'"},
	{"two ways at once", "queue_id = 'AAAAA1' OR sasl_username = 'ann'",
	    "+queue_id = 'AAAAA1' OR +sasl_username = 'ann'"},
	{"the same twice", "(queue_id = 'AAAAA1' AND sender <> 'x') OR "
	    "(queue_id IN ('AAAAA1', 'AAAAA2') AND sender <> 'y')",
	    "+queue_id IN ('AAAAA1', 'AAAAA2')"},
	{"IDs of a subquery", "queue_id IN (SELECT bounce_of FROM messages)",
	    "+queue_id = 'AAAAA2'"},
};

static void test_pushed(void **state)
{
	const struct answer *a = *state;
	char sql[1024], *want;
	struct world *w;
	void *world;

	assert_int_equal(world_setup(&world), 0);
	w = world;
	(void)snprintf(sql, sizeof sql, "SELECT queue_id, class FROM messages "
	    "WHERE %s ORDER BY 1", a->rows);
	want = strdup(world_ask(w, sql));
	(void)snprintf(sql, sizeof sql, "SELECT queue_id, class FROM messages "
	    "WHERE %s ORDER BY 1", a->sql);
	assert_string_equal(world_ask(w, sql), want);
	free(want);
	(void)world_teardown(&world);
}

/* A condition on the queue or ID spares the walk: seen in the statistics. */
static void test_pushed_is_cheap(void **state)
{
	struct world *w = *state;
	const struct qt_scan_stats *s = qt_db_stats(w->db);
	uint64_t before = s->rows;

	(void)world_ask(w, "SELECT sender FROM messages WHERE queue_id = 'AAAAA1'");
	assert_int_equal(qt_db_stats(w->db)->rows - before, 1);
	before = s->rows;
	(void)world_ask(w, "SELECT sender FROM messages "
	    "WHERE queue_name IN ('hold', 'active')");
	assert_int_equal(qt_db_stats(w->db)->rows - before, 4);
	before = s->rows;
	(void)world_ask(w, "SELECT body FROM messages "
	    "WHERE sasl_username = 'ann'");
	assert_int_equal(qt_db_stats(w->db)->rows - before, 1);
	before = s->entries;
	(void)world_ask(w, "SELECT sender FROM messages "
	    "WHERE listed(queue_id, 'AAAAA1 AAAAA4 NONE')");
	assert_int_equal(qt_db_stats(w->db)->entries - before, 2);
}

/* Values that SQLite keeps longer than the row lives. */
static void test_kept_values(void **state)
{
	struct world *w = *state;

	assert_string_equal(world_ask(w, "SELECT min(sender), max(queue_id) "
	    "FROM messages WHERE sender <> '' AND queue_id < 'B'"),
	    "\"a b\"@far.example|AAAAA7");
	assert_string_equal(world_ask(w, "SELECT sender, max(queue_id) "
	    "FROM messages WHERE state = 'ok'"), "\"a b\"@far.example|AAAAA7");
	assert_string_equal(world_ask(w, "SELECT sasl_username, count(*) "
	    "FROM messages WHERE sasl_username IS NOT NULL GROUP BY "
	    "lower(sasl_username) HAVING count(*) > 1"), "Joe@Example.com|2");
}

static void test_jobs(void **state)
{
	struct world *w = *state;
	static const char sql[] = "SELECT * FROM messages";
	char *one;

	qt_db_close(w->db);
	world_open_db(w, 1);
	one = strdup(world_ask(w, sql));
	qt_db_close(w->db);
	world_open_db(w, 8);
	assert_string_equal(world_ask(w, sql), one);
	free(one);
}

/* ---- stopping ---- */

static void test_stop(void **state)
{
	struct world *w = *state;

	w->stop = 1;
	/* what was read comes out, and then it is said that it is not all */
	assert_int_equal(world_run(w, "SELECT count(*) >= 0 FROM messages", NULL,
	    0), -1);
	assert_int_equal(w->err.code, QT_E_INTERRUPTED);
	assert_string_equal(qt_buf_str(&w->out), "1");
	/* SQL that would not end does */
	assert_int_equal(world_run(w, "WITH RECURSIVE n(i) AS (SELECT 1 UNION "
	    "ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", NULL, 0), -1);
	assert_int_equal(w->err.code, QT_E_INTERRUPTED);
	w->stop = 0;
	assert_string_equal(world_ask(w, "SELECT count(*) FROM messages"), "10");
}

/* ---- the manual ---- */

static int tier(unsigned want)
{
	if (want & QT_WANT_LOGS)
		return 5;
	if (want & (QT_WANT_BODY | QT_WANT_HASH))
		return 4;
	if (want & QT_WANT_HEADERS)
		return 3;
	if (want & QT_WANT_MSG)
		return 2;
	return (want & QT_WANT_STAT) != 0;
}

static FILE *manual(void)
{
	const char *dir = getenv("QTOOL_MAN");
	char path[4096];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/qtool-sql.7",
	    dir != NULL ? dir : "man");
	f = fopen(path, "re");
	if (f == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	return f;
}

/* The manual's columns of all tables, one a line, in its order. */
static void test_manual_columns(void **state)
{
	static const char *const tables[] = {"messages", "recipients",
	    "headers", "records"};
	struct qt_buf want, have;
	char line[512], name[64], type[16], rest[8];
	FILE *f = manual();
	int n;

	(void)state;
	qt_buf_init(&want, 0);
	qt_buf_init(&have, 0);
	for (size_t i = 0; i < COUNT(tables); i++)
		for (int hidden = 0; hidden <= 1; hidden++)
			for (const struct qt_column *c = qt_db_columns(tables[i]);
			     c->name != NULL; c++)
				if (c->hidden == hidden)
					qt_buf_addf(&want, "%s %s %d\n", c->name,
					    c->type, tier(c->want));
	while (fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, ".It Va %63s %15s %d%7s", name, type, &n,
			rest) == 3)
			qt_buf_addf(&have, "%s %s %d\n", name, type, n);
	(void)fclose(f);
	assert_string_equal(qt_buf_str(&have), qt_buf_str(&want));
	qt_buf_release(&want);
	qt_buf_release(&have);
}

static void test_manual_examples(void **state)
{
	struct world *w = *state;
	struct qt_buf sql;
	bool in = false;
	char line[512];
	size_t n = 0;
	FILE *f = manual();

	qt_buf_init(&sql, 0);
	while (fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, ".Ed", 3) == 0) {
			(void)world_ask(w, qt_buf_str(&sql));
			qt_buf_clear(&sql);
			in = false;
			n++;
		} else if (strncmp(line, ".Bd -literal", 12) == 0) {
			in = true;
		} else if (in) {
			qt_buf_adds(&sql, line);
		}
	}
	(void)fclose(f);
	qt_buf_release(&sql);
	assert_true(n >= 9);
}

/* Each function of ours is in the manual, and the other way round. */
static void test_manual_functions(void **state)
{
	static const char *const names[] = {"REGEXP", "matches", "cidr",
	    "domain", "org", "age", "decode", "has", "has_glob", "all_glob",
	    "any_regexp", "any_header", "body_text", "listed",
	    "count_unique"};
	char line[512], name[64];
	size_t n = 0;
	FILE *f = manual();

	(void)state;
	while (fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, ".It Fn %63s", name) != 1 &&
		    sscanf(line, ".It Ar text Ic %63s", name) != 1)
			continue;
		assert_true(n < COUNT(names));
		assert_string_equal(name, names[n++]);
	}
	(void)fclose(f);
	assert_int_equal(n, COUNT(names));
}

/* ---- all of them ---- */

static size_t add_table(struct CMUnitTest *tests, size_t n,
    const struct answer *v, size_t count, CMUnitTestFunction fn)
{
	for (size_t i = 0; i < count; i++)
		tests[n++] = (struct CMUnitTest){.name = v[i].name,
		    .test_func = fn,
		    .initial_state = (void *)(uintptr_t)&v[i]};
	return n;
}

int main(void)
{
	static const struct CMUnitTest fixed[] = {
		cmocka_unit_test_setup_teardown(test_limit_names_pattern,
		    world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_allowed, world_setup,
		    world_teardown),
		cmocka_unit_test_setup_teardown(test_columns_alone, world_setup,
		    world_teardown),
		cmocka_unit_test_setup_teardown(test_as_json, world_setup,
		    world_teardown),
		cmocka_unit_test_setup_teardown(test_types, world_setup,
		    world_teardown),
		cmocka_unit_test_setup_teardown(test_pushed_is_cheap,
		    world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_kept_values, world_setup,
		    world_teardown),
		cmocka_unit_test_setup_teardown(test_jobs, world_setup,
		    world_teardown),
		cmocka_unit_test_setup_teardown(test_stop, world_setup,
		    world_teardown),
		cmocka_unit_test(test_manual_columns),
		cmocka_unit_test(test_manual_functions),
		cmocka_unit_test_setup_teardown(test_manual_examples,
		    world_setup, world_teardown)};
	struct CMUnitTest tests[COUNT(answers) + COUNT(functions) +
	    COUNT(refused) + COUNT(pushed) + COUNT(fixed)];
	size_t n = 0;

	n = add_table(tests, n, answers, COUNT(answers), test_answer);
	n = add_table(tests, n, functions, COUNT(functions), test_function);
	n = add_table(tests, n, refused, COUNT(refused), test_refused);
	n = add_table(tests, n, pushed, COUNT(pushed), test_pushed);
	memcpy(tests + n, fixed, sizeof fixed);
	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
